//! The catalog, for people and scripts.

use super::{Result, Workspace};
use crate::model::{Connector, Finding};
use indexmap::IndexMap;
use std::path::PathBuf;

/// A row of the catalog: cheap, known without parsing whole definitions.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ConnectorRow {
    pub id: String,
    pub name: String,
    pub status: crate::model::ConnectorStatus,
    /// The first one, for grouping.
    pub category: String,
    pub categories: Vec<String>,
    pub auth: Vec<AuthRow>,
    pub resources: Vec<String>,
    pub origin: crate::model::Origin,
    pub summary: String,
    /// Other names it is found by.
    #[serde(skip)]
    pub aliases: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct AuthRow {
    pub method: String,
    pub kind: crate::model::AuthKind,
    pub default: bool,
}

/// All connectors, or those that match, best first.
pub fn list(ws: &Workspace, search: Option<&str>) -> Result<Vec<ConnectorRow>> {
    let _ = (ws, search);
    todo!()
}

/// The whole definition. With `language`, its texts in that language where it has them.
pub fn get(ws: &Workspace, id: &str) -> Result<Connector> {
    let _ = (ws, id);
    todo!()
}

/// The addresses and scopes as they come out for given inputs; what cannot be rendered yet stays a template.
pub fn resolved(ws: &Workspace, id: &str, inputs: &IndexMap<String, String>) -> Result<serde_json::Value> {
    let _ = (ws, id, inputs);
    todo!()
}

/// One fault of a definition.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct DefinitionFault {
    pub file: String,
    /// 1-based.
    pub line: usize,
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

/// Validates files, or everything that the workspace can see when none is given.
pub fn check(ws: &Workspace, files: &[PathBuf]) -> Result<Vec<DefinitionFault>> {
    let _ = (ws, files);
    todo!()
}

/// Faults in one input's value, found while typing: `place` is `input.KEY`.
pub fn check_input(input: &crate::model::Input, value: &str) -> Option<Finding> {
    let _ = (input, value);
    todo!()
}
