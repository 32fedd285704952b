//! `intertie demo`: a throw-away workspace and the practice vendor.

use super::{Result, Workspace};
use crate::model::{Run, Sink};

/// A demo under way. Dropping it stops the practice vendor and removes the workspace.
pub struct Demo {
    pub workspace: Workspace,
}

impl Demo {
    /// Lets a day pass at the practice vendor: some people leave, return, are renamed.
    pub fn pass_a_day(&self) {
        todo!()
    }
}

/// Starts the practice vendor on a free loopback port and makes a workspace whose practice connector points there.
pub async fn start() -> Result<Demo> {
    todo!()
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Walked {
    pub runs: Vec<Run>,
    pub people: u64,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Step {
    pub name: String,
    pub ok: bool,
}

/// Walks the whole first journey without a terminal, through the same use cases as the console.
pub async fn walk(demo: &Demo, sink: &Sink) -> Result<Walked> {
    let _ = (demo, sink);
    todo!()
}
