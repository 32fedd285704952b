//! Templates of definitions: addresses, paths, parameters.

use crate::model::Problem;
use indexmap::IndexMap;

/// What a template can name.
#[derive(Debug, Clone, Default)]
pub struct Context {
    /// `input.KEY`: settings and, where a request needs them, secrets. Not printed: the `Debug` form shows keys only when secrets are in.
    pub input: IndexMap<String, String>,
    /// `found.KEY`: captured while connecting.
    pub found: IndexMap<String, String>,
}

/// Renders one template. A name without a value is an error that says which.
pub fn render(template: &str, context: &Context) -> Result<String, Problem> {
    let _ = (template, context);
    todo!()
}

/// The first that renders completely and non-empty; `None` when the list is empty.
pub fn first(templates: &[String], context: &Context) -> Result<Option<String>, Problem> {
    let _ = (templates, context);
    todo!()
}
