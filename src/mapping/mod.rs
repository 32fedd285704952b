//! Field mappings: paths into records, projections, expressions, suggestions, previews.

pub mod path;
pub mod projection;
