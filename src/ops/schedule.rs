//! Integrations that run by themselves.

use super::{Result, Workspace};
use crate::model::{Integration, Run, Sink, Time};

/// Active integrations with their next moment, soonest first.
pub fn upcoming(ws: &Workspace) -> Result<Vec<(Integration, Time)>> {
    let _ = ws;
    todo!()
}

/// Those whose moment has come.
pub fn due(ws: &Workspace) -> Result<Vec<Integration>> {
    let _ = ws;
    todo!()
}

/// Runs what is due, one after the other, and returns the runs.
pub async fn run_due(ws: &Workspace, sink: &Sink) -> Result<Vec<Run>> {
    let _ = (ws, sink);
    todo!()
}

/// Stays and runs what is due until the sink is cancelled.
pub async fn stay(ws: &Workspace, sink: &Sink, on_run: &(dyn Fn(&Run) + Send + Sync)) -> Result<()> {
    let _ = (ws, sink, on_run);
    todo!()
}

/// A systemd unit that runs `intertie schedule run` for this workspace.
#[must_use]
pub fn unit(ws: &Workspace, program: &str) -> String {
    let _ = (ws, program);
    todo!()
}
