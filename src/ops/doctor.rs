//! `intertie doctor`: what is right and wrong with this host.

use super::{Result, Workspace};
use crate::model::Finding;

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Examined {
    pub name: String,
    pub ok: bool,
    /// What was found, a whole sentence.
    pub detail: String,
    pub finding: Option<Finding>,
}

/// Looks at the workspace, the vault, the definitions, the clock, the proxy settings and the saved credentials. No network.
pub fn examine(ws: &Workspace) -> Result<Vec<Examined>> {
    let _ = ws;
    todo!()
}
