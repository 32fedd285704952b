//! Scopes: asked for, granted, and needed by the integrations that use a credential.

use super::{Result, Workspace};

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ScopeReport {
    /// Whether the vendor said what it granted; nothing said means all that was asked (RFC 6749 §5.1).
    pub said: bool,
    pub rows: Vec<ScopeRow>,
    /// What cannot work with what was granted.
    pub broken: Vec<BrokenField>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ScopeRow {
    pub scope: String,
    /// The definition's words; empty where it has none.
    pub meaning: String,
    pub asked: bool,
    pub granted: bool,
    /// Integrations that need it, by name.
    pub needed_by: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct BrokenField {
    pub integration: String,
    /// The source field, or empty for the whole resource.
    pub field: String,
    pub scope: String,
}

/// Compares what was asked, what was granted, and what the mapped fields of the integrations need.
pub fn report(ws: &Workspace, credential: &str) -> Result<ScopeReport> {
    let _ = (ws, credential);
    todo!()
}
