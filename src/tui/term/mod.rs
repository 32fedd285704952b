//! The only writers to the terminal.

pub mod clipboard;
pub mod guard;
