//! An integration as TOML: to be kept in version control, reviewed, and applied elsewhere. It names the credential and holds no secret.

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use super::super::{Result, Workspace, credentials, mappings};
use super::{custom_fields, id, save};
use crate::model::{
    Action, Entity, EntityKind, FieldMapping, FieldType, Installation, Integration, IntegrationKind, PermissionSet, Preference, Problem, Schedule,
    Table, Time,
};
use crate::words::clean;
use crate::{problem, t};

/// Version of the document.
const SCHEMA: u32 = 1;
/// Largest document that is read.
const MOST: usize = 1 << 20;

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    schema: u32,
    name: String,
    /// Name of the credential.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    credential: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    connector: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    resource: String,
    kind: IntegrationKind,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    saas_application: Option<String>,
    installation: Installation,
    preference: Preference,
    #[serde(default)]
    deactivate: bool,
    #[serde(default)]
    contacts: Vec<String>,
    #[serde(default)]
    sync_key: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    filter: Option<String>,
    schedule: Schedule,
    /// As people write mappings: a path, `=constant`, `{{ expression }}`, `@credential`, `@sync-time`.
    #[serde(default)]
    mapping: IndexMap<String, String>,
    #[serde(default)]
    permissions: Permissions,
    /// Custom fields that the mappings need.
    #[serde(default, rename = "custom_field", skip_serializing_if = "Vec::is_empty")]
    custom_fields: Vec<CustomField>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Permissions {
    #[serde(default)]
    global: Vec<Action>,
    #[serde(default)]
    applications: Vec<String>,
    #[serde(default)]
    data_sources: Vec<String>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CustomField {
    table: Table,
    key: String,
    label: String,
    #[serde(rename = "type")]
    kind: FieldType,
}

pub(super) fn export(ws: &Workspace, integration: &Integration) -> Result<String> {
    let credential = super::credential(ws, integration).map(|credential| credential.name).unwrap_or_default();
    let custom_fields = custom_fields(ws, integration)?;
    let names = |kind| integration.permissions.granted.iter().filter(|entity| entity.kind == kind).map(|entity| entity.name.clone()).collect();
    let i = integration.clone();
    let document = Document {
        schema: SCHEMA,
        name: i.name,
        credential,
        connector: i.connector,
        resource: i.resource,
        kind: i.kind,
        saas_application: i.saas_application.filter(|_| i.kind == IntegrationKind::UserAndSaasUser),
        installation: i.installation,
        preference: i.preference,
        deactivate: i.deactivate,
        contacts: i.contacts,
        sync_key: i.sync_key,
        filter: i.filter,
        schedule: i.schedule,
        mapping: i.mappings.iter().map(|mapping| (mapping.field.clone(), mappings::written(&mapping.from))).collect(),
        permissions: Permissions {
            global: i.permissions.global.clone(),
            applications: names(EntityKind::Application),
            data_sources: names(EntityKind::DataSource),
        },
        custom_fields: custom_fields
            .into_iter()
            .map(|(table, field)| CustomField { table, key: field.key, label: field.label, kind: field.kind })
            .collect(),
    };
    toml::to_string(&document)
        .map_err(|error| problem!(Failed, "integration.export_failed", name = integration.name, reason = clean::line(&error.to_string(), 200)))
}

fn read(text: &str) -> Result<Document> {
    if text.len() > MOST {
        return Err(unreadable(t!("integration.document_too_long")));
    }
    // The first line names the place, the rest draws it.
    let document: Document = toml::from_str(text).map_err(|error| {
        let line = error.span().map(|span| text.get(..span.start).map_or(0, |before| before.matches('\n').count()) + 1);
        unreadable(&t!("integration.document_line", line = line.unwrap_or(1), reason = clean::line(error.message(), 200)))
    })?;
    if document.schema != SCHEMA {
        return Err(unreadable(&t!("integration.document_version", found = document.schema, known = SCHEMA)));
    }
    if document.name.trim().is_empty() {
        return Err(problem!(Usage, "integration.no_name"));
    }
    Ok(document)
}

fn unreadable(reason: &str) -> Problem {
    problem!(Usage, "integration.document", reason = reason)
}

/// What applying would change, one line each; with `dry_run` false it is changed.
pub(super) fn apply(ws: &Workspace, text: &str, dry_run: bool) -> Result<Vec<String>> {
    let document = read(text)?;
    let store = ws.store()?;
    let existing = store.integration(document.name.trim())?;
    let before = existing.clone().unwrap_or_else(|| Integration::draft(&id::fresh("int"), document.name.trim(), Vec::new(), Time::now()));
    let mut after = before.clone();
    let (mut credential_id, mut connector) = (String::new(), document.connector.clone());
    if !document.credential.is_empty() {
        let credential = credentials::get(ws, &document.credential)?;
        if !connector.is_empty() && connector != credential.connector {
            let label = clean::line(&credential.name, 100);
            return Err(problem!(Usage, "integration.other_connector", name = clean::line(&document.name, 100), credential = label));
        }
        credential_id = credential.id;
        connector = credential.connector;
    }
    after.name = document.name.trim().to_owned();
    after.credential = credential_id;
    after.connector = connector;
    after.resource = document.resource;
    after.kind = document.kind;
    after.saas_application = document.saas_application.or(after.saas_application);
    after.installation = document.installation;
    after.preference = document.preference;
    after.deactivate = document.deactivate;
    after.contacts = document.contacts;
    after.sync_key = document.sync_key;
    after.filter = document.filter;
    after.schedule = document.schedule;
    after.mappings = document.mapping.iter().map(|(field, text)| FieldMapping { field: field.clone(), from: mappings::parse(text) }).collect();
    let entity = |kind| move |name: String| Entity { kind, name };
    let granted = document.permissions.applications.into_iter().map(entity(EntityKind::Application));
    let granted = granted.chain(document.permissions.data_sources.into_iter().map(entity(EntityKind::DataSource)));
    let known = PermissionSet { known: before.permissions.known.clone(), ..PermissionSet::default() };
    let set = granted.fold(known, |set, entity| crate::permission::grant_entity(&set, &entity));
    after.permissions = document.permissions.global.iter().fold(set, |set, action| crate::permission::grant_action(&set, *action));

    let mut plan = Vec::new();
    let name = clean::line(&after.name, 100);
    if existing.is_none() {
        plan.push(t!("integration.plan.create", name = name));
    }
    let missing = missing_fields(ws, &document.custom_fields)?;
    for field in &missing {
        plan.push(t!("integration.plan.field", field = clean::line(&field.label, 60), table = field.table.key()));
    }
    plan.extend(changes(ws, &before, &after)?);
    if dry_run {
        return Ok(plan);
    }
    // Keys follow from labels, and a field of the same label may have another key here.
    for field in &missing {
        let made = mappings::add_field(ws, field.table, &field.label, field.kind)?;
        rename_key(&mut after, field, &made.key);
    }
    save(ws, &after)?;
    Ok(plan)
}

/// Custom fields of the document that this workspace does not have.
fn missing_fields(ws: &Workspace, wanted: &[CustomField]) -> Result<Vec<CustomField>> {
    let mut missing = Vec::new();
    for field in wanted {
        let known = mappings::destination_fields(ws, field.table)?;
        match known.iter().find(|known| known.key == field.key) {
            None => missing.push(field.clone()),
            Some(known) if known.kind != field.kind => {
                return Err(problem!(Usage, "integration.field_differs", field = clean::line(&field.label, 60), table = field.table.key()));
            }
            Some(_) => {}
        }
    }
    Ok(missing)
}

fn rename_key(integration: &mut Integration, field: &CustomField, key: &str) {
    let prefix = if field.table == Table::SaasUsers { crate::mapping::compile::SAAS } else { "" };
    let (from, to) = (format!("{prefix}{}", field.key), format!("{prefix}{key}"));
    integration.mappings.iter_mut().filter(|mapping| mapping.field == from).for_each(|mapping| mapping.field.clone_from(&to));
    integration.sync_key.iter_mut().filter(|key| **key == from).for_each(|key| key.clone_from(&to));
}

/// The differences, one line each.
fn changes(ws: &Workspace, before: &Integration, after: &Integration) -> Result<Vec<String>> {
    let mut plan = Vec::new();
    let mut line = |what: &str, from: String, to: String| {
        if from != to {
            let shown = |text: String| if text.is_empty() { t!("integration.plan.nothing").to_owned() } else { clean::line(&text, 120) };
            plan.push(t!("integration.plan.change", what = clean::line(what, 80), from = shown(from), to = shown(to)));
        }
    };
    let credential = |integration: &Integration| super::credential(ws, integration).map(|credential| credential.name).unwrap_or_default();
    line("credential", credential(before), credential(after));
    let (old, new) = (plain(before)?, plain(after)?);
    for key in ["connector", "resource", "kind", "saas_application", "installation", "preference", "deactivate", "contacts", "sync_key", "filter"] {
        line(key, word(&old[key]), word(&new[key]));
    }
    for key in ["every", "at", "time_zone"] {
        line(&format!("schedule.{key}"), word(&old["schedule"][key]), word(&new["schedule"][key]));
    }
    let written = |integration: &Integration, field: &str| {
        integration.mappings.iter().find(|mapping| mapping.field == field).map(|mapping| mappings::written(&mapping.from)).unwrap_or_default()
    };
    let mut fields: Vec<&str> = after.mappings.iter().chain(&before.mappings).map(|mapping| mapping.field.as_str()).collect();
    let mut seen = std::collections::HashSet::new();
    fields.retain(|field| seen.insert(*field));
    for field in fields {
        line(&format!("mapping.{field}"), written(before, field), written(after, field));
    }
    let global = |integration: &Integration| integration.permissions.global.iter().map(|action| action.key()).collect::<Vec<_>>().join(", ");
    line("permissions.global", global(before), global(after));
    for (key, kind) in [("permissions.applications", EntityKind::Application), ("permissions.data_sources", EntityKind::DataSource)] {
        let names = |integration: &Integration| {
            let mut names: Vec<&str> =
                integration.permissions.granted.iter().filter(|entity| entity.kind == kind).map(|entity| entity.name.as_str()).collect();
            names.sort_unstable();
            names.join(", ")
        };
        line(key, names(before), names(after));
    }
    Ok(plan)
}

fn plain(integration: &Integration) -> Result<serde_json::Value> {
    Ok(serde_json::to_value(integration).map_err(crate::store::StoreError::from)?)
}

/// A value of the document in a plan.
fn word(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        serde_json::Value::Array(list) => list.iter().map(word).collect::<Vec<_>>().join(", "),
        serde_json::Value::Object(object) => object.iter().map(|(key, value)| format!("{key} {}", word(value))).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Every, Mapped};
    use crate::ops::Config;

    fn workspace() -> (tempfile::TempDir, Workspace) {
        let dir = tempfile::tempdir().unwrap();
        let ws = Workspace::open(dir.path(), Config::default());
        (dir, ws)
    }

    fn full(ws: &Workspace) -> Integration {
        let mut integration = super::super::new(ws, "Clickwrap").unwrap();
        integration.kind = IntegrationKind::User;
        integration.deactivate = true;
        integration.contacts = vec!["ada@example.com".into()];
        integration.schedule = Schedule { every: Every::Minutes(40), at: "02:00".into(), time_zone: "Europe/Paris".into() };
        integration.sync_key = vec!["email".into()];
        integration.filter = Some("email is endingwith('@example.com')".into());
        mappings::set(ws, &mut integration, "email", Mapped::Path("emails[type=work].value".into())).unwrap();
        mappings::set(ws, &mut integration, "user_type", Mapped::Constant("User".into())).unwrap();
        mappings::set(ws, &mut integration, "full_name", Mapped::Expression("first ~ ' ' ~ last".into())).unwrap();
        mappings::add_tracking_fields(ws, &mut integration).unwrap();
        integration.permissions = crate::permission::grant_action(&integration.permissions, Action::AppRoleRead);
        integration.permissions =
            crate::permission::grant_entity(&integration.permissions, &Entity { kind: EntityKind::Application, name: "Slack".into() });
        save(ws, &integration).unwrap()
    }

    #[test]
    fn what_is_exported_applies_elsewhere() {
        let (_one, here) = workspace();
        let integration = full(&here);
        let text = export(&here, &integration).unwrap();
        assert!(text.contains("@sync-time") && text.contains("custom_connect_credentials"), "{text}");
        assert_eq!(apply(&here, &text, true).unwrap(), Vec::<String>::new(), "{text}");
        let (_two, there) = workspace();
        let plan = apply(&there, &text, true).unwrap();
        assert!(super::super::list(&there).unwrap().is_empty(), "a plan changes nothing");
        assert_eq!(apply(&there, &text, false).unwrap(), plan);
        assert!(plan.iter().any(|line| line.contains("mapping.email") && line.contains("emails[type=work].value")), "{plan:?}");
        assert!(plan.iter().any(|line| line.contains("Connector: Sync Time")), "{plan:?}");
        let copy = super::super::get(&there, "clickwrap").unwrap();
        assert_eq!((&copy.mappings, &copy.schedule, &copy.permissions), (&integration.mappings, &integration.schedule, &integration.permissions));
        assert_eq!(export(&there, &copy).unwrap(), text);
        assert_eq!(apply(&there, &text, false).unwrap(), Vec::<String>::new());
        let changed = text.replace("minutes = 40", "minutes = 50").replace("deactivate = true", "deactivate = false");
        let plan = apply(&there, &changed, false).unwrap();
        assert_eq!(plan.len(), 2, "{plan:?}");
        assert_eq!(super::super::get(&there, "Clickwrap").unwrap().schedule.every, Every::Minutes(50));
    }

    #[test]
    fn what_cannot_be_read_says_where() {
        let (_dir, ws) = workspace();
        let text = export(&ws, &full(&ws)).unwrap();
        for (broken, told) in [
            (text.replace("deactivate = true", "deactivate = perhaps"), "Line 6"),
            (text.replace("schema = 1", "schema = 2"), "2"),
            (format!("secret = \"x\"\n{text}"), "Line 1"),
            (String::new(), "schema"),
        ] {
            let problem = apply(&ws, &broken, true).unwrap_err();
            assert!(problem.why.contains(told), "{told}: {problem:?}");
        }
    }
}
