//! Field mappings: paths into records, projections, expressions, suggestions, previews.

pub mod compile;
pub mod convert;
pub mod expression;
pub mod path;
pub mod preview;
pub mod projection;
pub mod sampled;
pub mod suggest;

pub use compile::{Compiled, Fault, Spec, compile};
