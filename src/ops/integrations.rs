//! Integrations: drafted, validated, launched, paused.

mod check;
mod document;
#[cfg(test)]
mod tests;
mod timing;

use std::sync::Arc;

use super::{Result, Workspace, credentials};
use crate::model::{
    AuthKind, Connector, Credential, Finding, Integration, IntegrationKind, IntegrationState, Problem, ProblemKind, Resource, ResourceKind, Severity,
    Sink, Table, Time,
};
use crate::store::id;
use crate::store::integrations::Saved;
use crate::words::clean;
use crate::{problem, t};

pub use check::{Destination, installation_rule};
pub use timing::{next_run, time_of_day, time_zone};

/// A draft with the defaults (create and update, daily, no deactivation), saved at once. The name is made unique when it is taken.
pub fn new(ws: &Workspace, name: &str) -> Result<Integration> {
    let name = name.trim();
    let base = if name.is_empty() { t!("integration.new_name") } else { name };
    let store = ws.store()?;
    let id = id::fresh("int");
    for n in 1.. {
        let name = if n == 1 { base.to_owned() } else { format!("{base} {n}") };
        let draft = Integration::draft(&id, &name, Vec::new(), Time::now());
        if let Saved::Done(saved) = store.save_integration(&draft, None)? {
            return Ok(*saved);
        }
    }
    unreachable!("some number is free")
}

/// Sets the source and, where they are still empty, a fitting resource, kind, sync key and name of the SaaS application.
pub fn set_source(ws: &Workspace, integration: &mut Integration, credential: &str, resource: Option<&str>) -> Result<()> {
    let credential = credentials::get(ws, credential)?;
    let connector = ws.catalog().get(&credential.connector)?;
    let chosen = match resource {
        Some(id) => {
            let resource = connector.resource(id).ok_or_else(|| no_resource(&connector, id))?;
            readable(&connector, resource, &credential)?;
            Some(resource)
        }
        None => {
            let fitting = || connector.resources_for(&credential.method).filter(|resource| !kinds(resource.kind).is_empty());
            let present = fitting().find(|resource| resource.id == integration.resource);
            present.or_else(|| fitting().find(|resource| kinds(resource.kind).contains(&integration.kind))).or_else(|| fitting().next())
        }
    };
    integration.credential = credential.id;
    integration.connector.clone_from(&connector.id);
    integration.resource = chosen.map(|resource| resource.id.clone()).unwrap_or_default();
    if let Some(kind) = chosen.and_then(|resource| kinds(resource.kind).first())
        && chosen.is_some_and(|resource| !kinds(resource.kind).contains(&integration.kind))
    {
        integration.kind = *kind;
    }
    suit(ws, integration)?;
    if integration.saas_application.as_deref().is_none_or(|name| name.trim().is_empty()) {
        integration.saas_application = Some(connector.name.clone());
    }
    Ok(())
}

/// Sets what is read and where it goes, and a sync key that suits it when the former one does not.
pub fn set_kind(ws: &Workspace, integration: &mut Integration, kind: IntegrationKind) -> Result<()> {
    integration.kind = kind;
    suit(ws, integration)
}

fn suit(ws: &Workspace, integration: &mut Integration) -> Result<()> {
    let fields = ws.store()?.fields(tables(integration.kind)[0])?;
    let known = |key: &String| fields.iter().any(|field| field.key == *key);
    if integration.sync_key.is_empty() || !integration.sync_key.iter().all(known) {
        let key = match integration.kind {
            IntegrationKind::User | IntegrationKind::UserAndSaasUser => "email",
            IntegrationKind::Hardware => "serial_number",
            IntegrationKind::Software | IntegrationKind::Applications => "name",
        };
        integration.sync_key = vec![key.to_owned()];
    }
    Ok(())
}

/// The kinds of integration that can take records of a kind; the inventory has no table of groups.
#[must_use]
pub fn kinds(resource: ResourceKind) -> &'static [IntegrationKind] {
    match resource {
        ResourceKind::Users => &[IntegrationKind::User, IntegrationKind::UserAndSaasUser],
        ResourceKind::Hardware => &[IntegrationKind::Hardware],
        ResourceKind::Software => &[IntegrationKind::Software],
        ResourceKind::Applications => &[IntegrationKind::Applications],
        ResourceKind::Groups => &[],
        ResourceKind::Other => &[
            IntegrationKind::User,
            IntegrationKind::UserAndSaasUser,
            IntegrationKind::Hardware,
            IntegrationKind::Software,
            IntegrationKind::Applications,
        ],
    }
}

/// Saves it as typed, right or wrong. Links the SaaS application (makes its inventory entry) when the kind asks for one.
pub fn save(ws: &Workspace, integration: &Integration) -> Result<Integration> {
    let mut integration = integration.clone();
    integration.name = integration.name.trim().to_owned();
    if integration.kind == IntegrationKind::UserAndSaasUser && integration.saas_application.as_deref().is_none_or(|name| name.trim().is_empty()) {
        integration.saas_application = ws.catalog().get(&integration.connector).ok().map(|connector| connector.name.clone());
    }
    let link = (integration.kind == IntegrationKind::UserAndSaasUser).then(|| integration.saas_application.as_deref().map(str::trim)).flatten();
    match ws.store()?.save_integration(&integration, link.filter(|name| !name.is_empty()))? {
        Saved::Done(saved) => Ok(*saved),
        Saved::NameTaken => Err(problem!(Usage, "integration.name_taken", name = clean::line(&integration.name, 100))),
    }
}

pub fn list(ws: &Workspace) -> Result<Vec<Integration>> {
    Ok(ws.store()?.integrations()?)
}

pub fn get(ws: &Workspace, name: &str) -> Result<Integration> {
    let found = ws.store()?.integration(name)?;
    found.ok_or_else(|| problem!(Usage, "core.not_found", noun = t!("integration.noun"), name = clean::line(name, 100)))
}

/// The connector and the resource that it reads.
pub(super) fn source(ws: &Workspace, integration: &Integration) -> Result<(Arc<Connector>, Resource)> {
    if integration.connector.is_empty() {
        return Err(problem!(Usage, "integration.no_credential", name = clean::line(&integration.name, 100)));
    }
    let connector = ws.catalog().get(&integration.connector)?;
    let resource = connector.resource(&integration.resource).cloned().ok_or_else(|| no_resource(&connector, &integration.resource))?;
    Ok((connector, resource))
}

fn no_resource(connector: &Connector, id: &str) -> Problem {
    let known = connector.resources.iter().map(|resource| resource.id.as_str()).collect::<Vec<_>>().join(", ");
    problem!(Usage, "integration.no_resource", connector = connector.name, resource = clean::line(id, 60), known = known)
}

/// Whether a resource can be read with a credential of this method.
pub(super) fn readable(connector: &Connector, resource: &Resource, credential: &Credential) -> Result<()> {
    if resource.read_by(&credential.method) {
        return Ok(());
    }
    let name = |key: &String| connector.auth.get(key).map_or_else(|| key.clone(), |method| method.name.clone());
    let methods = clean::line(&resource.auth.iter().map(name).collect::<Vec<_>>().join(", "), 200);
    let (resource, credential) = (clean::line(&resource.name, 100), clean::line(&credential.name, 100));
    Err(problem!(Usage, "integration.method_unfit", resource = resource, credential = credential, methods = methods))
}

/// The credential that it reads with.
pub(super) fn credential(ws: &Workspace, integration: &Integration) -> Result<Credential> {
    if integration.credential.is_empty() {
        return Err(problem!(Usage, "integration.no_credential", name = clean::line(&integration.name, 100)));
    }
    let found = ws.store()?.credential(&integration.credential)?;
    found.ok_or_else(|| problem!(Usage, "integration.credential_gone", name = clean::line(&integration.name, 100)))
}

/// Everything that is wrong or noteworthy, errors first: unmapped mandatory fields, sources that do not exist, schedule, installation
/// rule, permissions, SaaS application without a catalog entry.
pub fn validate(ws: &Workspace, integration: &Integration) -> Result<Vec<Finding>> {
    check::validate(ws, integration)
}

/// Validates, tests the credential, and makes it active. Refused with the first error as the problem; `validate` has them all.
pub async fn launch(ws: &Workspace, name: &str, sink: &Sink) -> Result<Integration> {
    let integration = get(ws, name)?;
    let mut findings = validate(ws, &integration)?;
    if let Some(at) = findings.iter().position(|finding| finding.severity == Severity::Error && !check::will_be_tested(finding)) {
        // The command was right; somebody has to complete the draft.
        return Err(Problem { kind: ProblemKind::PersonMustAct, ..findings.swap_remove(at).problem });
    }
    let outcome = credentials::test(ws, &integration.credential, sink).await?;
    if !outcome.ok {
        let credential = credential(ws, &integration)?;
        let why = outcome.problem.unwrap_or_else(|| problem!(Failed, "integration.untold", name = credential.name));
        let mut problem = problem!(
            PersonMustAct,
            "integration.credential_fails",
            name = integration.name,
            credential = credential.name,
            what = why.what,
            why = why.why,
            next_step = why.next_step
        );
        problem.code = why.code;
        return Err(problem);
    }
    set_state(ws, &integration, IntegrationState::Active)
}

/// Pauses an active integration: it does not run by itself.
pub fn pause(ws: &Workspace, name: &str) -> Result<Integration> {
    let integration = get(ws, name)?;
    match integration.state {
        IntegrationState::Active => set_state(ws, &integration, IntegrationState::Paused),
        IntegrationState::Paused => Ok(integration),
        IntegrationState::Draft => Err(problem!(Usage, "integration.pause_draft", name = integration.name)),
    }
}

fn set_state(ws: &Workspace, integration: &Integration, state: IntegrationState) -> Result<Integration> {
    let changed = ws.store()?.set_integration_state(&integration.id, state)?;
    changed.ok_or_else(|| problem!(Usage, "core.not_found", noun = t!("integration.noun"), name = clean::line(&integration.name, 100)))
}

/// Deletes it and its history; the records that it brought stay. Refused while it runs.
pub fn delete(ws: &Workspace, name: &str) -> Result<()> {
    let integration = get(ws, name)?;
    // A run whose process died does not stand in the way.
    crate::engine::sweep(ws.store()?)?;
    match ws.store()?.delete_integration(&integration.id)? {
        None => Ok(()),
        Some(run) => Err(problem!(Usage, "integration.running", name = integration.name, run = run.run)),
    }
}

/// TOML without secrets.
pub fn export(ws: &Workspace, name: &str) -> Result<String> {
    document::export(ws, &get(ws, name)?)
}

/// What applying would change, one line each; with `dry_run` false it is changed.
pub fn apply(ws: &Workspace, toml: &str, dry_run: bool) -> Result<Vec<String>> {
    document::apply(ws, toml, dry_run)
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

/// The kind of authentication of a credential, where its connector still knows the method.
fn auth_kind(connector: &Connector, credential: &Credential) -> Option<AuthKind> {
    connector.auth.get(&credential.method).map(|method| method.kind)
}

/// Custom fields that mappings or the sync key of an integration name, with their tables.
fn custom_fields(ws: &Workspace, integration: &Integration) -> Result<Vec<(Table, crate::model::DestinationField)>> {
    let mut used = Vec::new();
    for table in tables(integration.kind) {
        for field in ws.store()?.fields(*table)? {
            let name = if *table == Table::SaasUsers { format!("{}{}", crate::mapping::compile::SAAS, field.key) } else { field.key.clone() };
            if field.custom && (integration.mappings.iter().any(|mapping| mapping.field == name) || integration.sync_key.contains(&name)) {
                used.push((*table, field));
            }
        }
    }
    Ok(used)
}
