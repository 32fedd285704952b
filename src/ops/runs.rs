//! Runs: started, watched, cancelled, looked back at.

use super::{Result, Workspace};
use crate::model::{RecordError, Run, RunOptions, Sink};

/// Runs an integration to its end. `Err` only when no run could be started; a run that failed is `Ok` with its state and problem.
pub async fn start(ws: &Workspace, integration: &str, options: &RunOptions, sink: &Sink) -> Result<Run> {
    let _ = (ws, integration, options, sink);
    todo!()
}

/// Newest first.
pub fn list(ws: &Workspace, integration: Option<&str>, limit: usize) -> Result<Vec<Run>> {
    let _ = (ws, integration, limit);
    todo!()
}

pub fn get(ws: &Workspace, run: &str) -> Result<Run> {
    let _ = (ws, run);
    todo!()
}

pub fn errors(ws: &Workspace, run: &str, offset: u64, limit: u64) -> Result<Vec<RecordError>> {
    let _ = (ws, run, offset, limit);
    todo!()
}

/// Asks a run, in whichever process, to stop after the page it is storing.
pub fn cancel(ws: &Workspace, run: &str) -> Result<()> {
    let _ = (ws, run);
    todo!()
}

/// Runs the integration of an interrupted, failed or cancelled run again. What that run stored stays and counts as unchanged.
pub async fn resume(ws: &Workspace, run: &str, sink: &Sink) -> Result<Run> {
    let _ = (ws, run, sink);
    todo!()
}
