//! What views are made of.

pub mod chrome;
pub mod field;
pub mod form;
pub mod help;
pub mod labels;
pub mod list;
pub mod modal;
pub mod palette;
pub mod picker;
pub mod qr;
pub mod svg;
pub mod table;
pub mod terms;
pub mod text;
pub mod theme;
pub mod toast;
pub mod view;
pub mod when;
