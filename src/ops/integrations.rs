//! Integrations: drafted, validated, launched, paused.

use super::{Result, Workspace};
use crate::model::{Finding, Integration, IntegrationKind, Sink, Table, Time};

/// A draft with the defaults (create and update, daily, no deactivation), saved at once. The name is made unique when it is taken.
pub fn new(ws: &Workspace, name: &str) -> Result<Integration> {
    let _ = (ws, name);
    todo!()
}

/// Sets the source and, where they are still empty, a fitting resource, kind, sync key and name of the SaaS application.
pub fn set_source(ws: &Workspace, integration: &mut Integration, credential: &str, resource: Option<&str>) -> Result<()> {
    let _ = (ws, integration, credential, resource);
    todo!()
}

/// Saves it as typed, right or wrong. Links the SaaS application (makes its inventory entry) when the kind asks for one.
pub fn save(ws: &Workspace, integration: &Integration) -> Result<Integration> {
    let _ = (ws, integration);
    todo!()
}

pub fn list(ws: &Workspace) -> Result<Vec<Integration>> {
    let _ = ws;
    todo!()
}

pub fn get(ws: &Workspace, name: &str) -> Result<Integration> {
    let _ = (ws, name);
    todo!()
}

/// Everything that is wrong or noteworthy, errors first: unmapped mandatory fields, sources that do not exist, schedule, installation
/// rule, permissions, SaaS application without a catalog entry.
pub fn validate(ws: &Workspace, integration: &Integration) -> Result<Vec<Finding>> {
    let _ = (ws, integration);
    todo!()
}

/// Validates, tests the credential, and makes it active. Refused with the first error as the problem; `validate` has them all.
pub async fn launch(ws: &Workspace, name: &str, sink: &Sink) -> Result<Integration> {
    let _ = (ws, name, sink);
    todo!()
}

/// Pauses an active integration: it does not run by itself.
pub fn pause(ws: &Workspace, name: &str) -> Result<Integration> {
    let _ = (ws, name);
    todo!()
}

/// Deletes it and its history; the records that it brought stay.
pub fn delete(ws: &Workspace, name: &str) -> Result<()> {
    let _ = (ws, name);
    todo!()
}

/// TOML without secrets.
pub fn export(ws: &Workspace, name: &str) -> Result<String> {
    let _ = (ws, name);
    todo!()
}

/// What applying would change, one line each; with `dry_run` false it is changed.
pub fn apply(ws: &Workspace, toml: &str, dry_run: bool) -> Result<Vec<String>> {
    let _ = (ws, toml, dry_run);
    todo!()
}

/// The inventory tables that an integration of this kind writes; the first is what its mappings fill.
#[must_use]
pub fn tables(kind: IntegrationKind) -> &'static [Table] {
    match kind {
        IntegrationKind::User => &[Table::People],
        IntegrationKind::UserAndSaasUser => &[Table::People, Table::SaasUsers],
        IntegrationKind::Hardware => &[Table::Hardware],
        IntegrationKind::Software => &[Table::Software],
        IntegrationKind::Applications => &[Table::Applications],
    }
}

/// When it is to run next; `None` when it does not run by itself.
#[must_use]
pub fn next_run(integration: &Integration, last: Option<Time>, now: Time) -> Option<Time> {
    let _ = (integration, last, now);
    todo!()
}
