//! Field mappings: paths into records, projections, expressions, suggestions, previews.

pub mod compile;
pub mod convert;
pub mod expression;
pub mod path;
pub mod projection;

pub use compile::{Compiled, Fault, Spec, compile};
