//! Runs: started, watched, cancelled, looked back at.

use super::{Result, Workspace};
use crate::engine::{self, Job, Mapping, Opened};
use crate::mapping::compile::{Spec, compile};
use crate::model::{Integration, IntegrationKind, IntegrationState, RecordError, Run, RunOptions, RunState, Sink, Table, Time};
use crate::store::runs;
use crate::vendor::source::Source;
use crate::words::clean;
use crate::{auth, catalog, problem, t};

/// The share of an integration's active records that one run may deactivate, in percent, unless the configuration says otherwise.
const SHARE: u8 = 30;

/// Runs an integration to its end. `Err` only when no run could be started; a run that failed is `Ok` with its state and problem.
/// A draft can only be rehearsed.
pub async fn start(ws: &Workspace, integration: &str, options: &RunOptions, sink: &Sink) -> Result<Run> {
    let integration = super::integrations::get(ws, integration)?;
    if integration.state == IntegrationState::Draft && !options.dry_run {
        return Err(problem!(PersonMustAct, "engine.draft", integration = integration.name));
    }
    let tables = super::integrations::tables(integration.kind);
    let share = ws.config().deactivate_share.unwrap_or(SHARE).min(100);
    let (workspace, source, since) = (ws.clone(), integration.clone(), options.since);
    let job = Job { integration, tables, options: options.clone(), share };
    engine::run(ws.store()?, job, move |run, sink| open(&workspace, &source, since, run, sink), sink).await
}

/// Connects, compiles the mappings, and opens the read.
fn open(ws: &Workspace, integration: &Integration, since: Option<Time>, run: &Run, sink: &Sink) -> Result<Opened> {
    let store = ws.store()?;
    let credential = store.credential(&integration.credential)?;
    let credential = credential.ok_or_else(|| problem!(Failed, "engine.no_credential", integration = integration.name))?;
    let connector = ws.catalog().get(&integration.connector)?;
    let resource = connector.resource(&integration.resource).cloned();
    let resource = resource.ok_or_else(|| {
        problem!(
            Failed,
            "engine.no_resource",
            integration = integration.name,
            connector = connector.name,
            resource = clean::line(&integration.resource, 60)
        )
    })?;
    super::integrations::readable(&connector, &resource, &credential)?;
    let saas = integration.kind == IntegrationKind::UserAndSaasUser;
    let fields = super::mappings::destination_fields(ws, super::integrations::tables(integration.kind)[0])?;
    let saas_fields = saas.then(|| super::mappings::destination_fields(ws, Table::SaasUsers)).transpose()?;
    let spec = Spec {
        mappings: &integration.mappings,
        fields: &fields,
        saas_fields: saas_fields.as_deref(),
        filter: integration.filter.as_deref(),
        active: resource.active.as_ref(),
        credential: &credential.name,
        sync_time: run.started,
    };
    let compiled = compile(&spec).map_err(|mut faults| faults.swap_remove(0).problem)?;
    let (client, mut context) = auth::connect(store, ws.vault(), ws.catalog(), &credential)?;
    let mut resource = resource;
    if let Some(since) = since {
        context = catalog::since(&mut resource, context, since)
            .ok_or_else(|| problem!(Usage, "engine.no_changes", connector = connector.name, resource = resource.name))?;
    }
    let source = Source::open(connector, &resource, &context, Some(client), compiled.projection().clone(), sink)?;
    Ok(Opened { read: Box::new(source), take: Box::new(Mapping::new(compiled, saas)) })
}

/// Newest first.
pub fn list(ws: &Workspace, integration: Option<&str>, limit: usize) -> Result<Vec<Run>> {
    let id = integration.map(|name| super::integrations::get(ws, name)).transpose()?.map(|integration| integration.id);
    let store = ws.store()?;
    engine::sweep(store)?;
    Ok(store.read(|connection| runs::list(connection, id.as_deref(), limit))?)
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
    start(ws, &run.integration, &RunOptions { dry_run: run.dry_run, ..RunOptions::default() }, sink).await
}
