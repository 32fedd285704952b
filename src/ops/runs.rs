//! Runs: started, watched, cancelled, looked back at.

use super::{Result, Workspace};
use crate::model::{RecordError, Run, RunOptions, RunState, Sink};
use crate::store::runs;
use crate::words::clean;
use crate::{problem, t};

/// Runs an integration to its end. `Err` only when no run could be started; a run that failed is `Ok` with its state and problem.
pub async fn start(ws: &Workspace, integration: &str, options: &RunOptions, sink: &Sink) -> Result<Run> {
    let _ = (ws, integration, options, sink);
    todo!()
}

/// Newest first.
pub fn list(ws: &Workspace, integration: Option<&str>, limit: usize) -> Result<Vec<Run>> {
    let id = integration.map(|name| super::integrations::get(ws, name)).transpose()?.map(|integration| integration.id);
    Ok(ws.store()?.read(|connection| runs::list(connection, id.as_deref(), limit))?)
}

pub fn get(ws: &Workspace, run: &str) -> Result<Run> {
    let found = ws.store()?.read(|connection| runs::get(connection, run))?;
    found.ok_or_else(|| problem!(Usage, "core.not_found", noun = t!("engine.noun"), name = clean::line(run, 60)))
}

/// Ordered by place in the read; at most [`runs::ERRORS_KEPT`] of a run are kept, though all are counted.
pub fn errors(ws: &Workspace, run: &str, offset: u64, limit: u64) -> Result<Vec<RecordError>> {
    let run = get(ws, run)?;
    Ok(ws.store()?.read(|connection| runs::errors(connection, &run.run, offset, limit))?)
}

/// Asks a run, in whichever process, to stop after the page it is storing.
pub fn cancel(ws: &Workspace, run: &str) -> Result<()> {
    let run = get(ws, run)?;
    if run.state != RunState::Running || !ws.store()?.write(|transaction| runs::request_cancel(transaction, &run.run))? {
        return Err(problem!(Usage, "engine.not_running", run = run.run));
    }
    Ok(())
}

/// Runs the integration of an interrupted, failed or cancelled run again. What that run stored stays and counts as unchanged.
pub async fn resume(ws: &Workspace, run: &str, sink: &Sink) -> Result<Run> {
    let run = get(ws, run)?;
    if run.state == RunState::Succeeded {
        return Err(problem!(Usage, "engine.succeeded", run = run.run, integration = run.integration_name));
    }
    start(ws, &run.integration, &RunOptions { dry_run: run.dry_run, limit: None }, sink).await
}
