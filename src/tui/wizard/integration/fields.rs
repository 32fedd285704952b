//! The fields of the form: made from an integration, and taken back into it.

use crate::model::{Connector, Credential, DestinationField, Every, Installation, Integration, IntegrationKind, Preference};
use crate::t;
use crate::tui::ui::form::FormField;
use crate::tui::wizard::words;

/// What the form shows beside the integration itself.
pub struct Known<'a> {
    pub credentials: &'a [Credential],
    pub connector: Option<&'a Connector>,
}

/// The interval of a fresh choice.
const MINUTES: u32 = 30;
const HOURS: u32 = 6;

#[must_use]
pub fn make(integration: &Integration, known: &Known<'_>) -> Vec<FormField> {
    let schedule = &integration.schedule;
    let mut fields = vec![
        FormField::text("name", t!("tui.details.name"), "", &integration.name).mandatory(),
        FormField::link("credential", t!("tui.details.credential"), "", &credential(integration, known)).mandatory(),
    ];
    let resources = resources(integration, known);
    if !resources.is_empty() {
        fields.push(FormField::choice("resource", t!("tui.details.resource"), "", resources, &integration.resource).mandatory());
    }
    let kinds: Vec<(String, String)> = kinds(integration, known).iter().map(|kind| (key(kind), words::kind(*kind).to_owned())).collect();
    fields.push(FormField::choice("kind", t!("tui.details.kind"), "", kinds, &key(&integration.kind)));
    if integration.kind == IntegrationKind::UserAndSaasUser {
        let value = integration.saas_application.as_deref().unwrap_or_default();
        fields.push(FormField::text("saas_application", t!("tui.details.saas_application"), "", value));
    }
    let installations = [Installation::Local, Installation::Cloud].map(|it| (key(&it), words::installation(it).to_owned())).to_vec();
    fields.push(FormField::choice("installation", t!("tui.details.installation"), "", installations, &key(&integration.installation)));
    let preferences = [Preference::CreateAndUpdate, Preference::CreateOnly, Preference::UpdateOnly];
    let preferences = preferences.map(|it| (key(&it), words::preference(it).to_owned())).to_vec();
    fields.push(FormField::choice("preference", t!("tui.details.preference"), "", preferences, &key(&integration.preference)));
    fields.push(FormField::toggle("deactivate", t!("tui.details.deactivate"), "", integration.deactivate));
    fields.push(FormField::text("contacts", t!("tui.details.contacts"), "", &integration.contacts.join(", ")));
    let every = [
        ("manual", t!("tui.every.manual")),
        ("minutes", t!("tui.every.minutes")),
        ("hours", t!("tui.every.hours")),
        ("daily", t!("tui.every.daily")),
        ("weekly", t!("tui.every.weekly")),
    ];
    let every = every.map(|(value, label)| (value.to_owned(), label.to_owned())).to_vec();
    fields.push(FormField::choice("every", t!("tui.details.every"), "", every, every_key(schedule.every)));
    match schedule.every {
        Every::Minutes(n) => fields.push(FormField::text("interval", t!("tui.details.interval_minutes"), "", &n.to_string())),
        Every::Hours(n) => fields.push(FormField::text("interval", t!("tui.details.interval_hours"), "", &n.to_string())),
        Every::Daily | Every::Weekly => {
            fields.push(FormField::text("at", t!("tui.details.at"), "", &schedule.at));
            fields.push(FormField::text("time_zone", t!("tui.details.time_zone"), "", &schedule.time_zone));
        }
        Every::Manual => {}
    }
    fields.push(FormField::text("sync_key", t!("tui.details.sync_key"), "", &integration.sync_key.join(", ")).mandatory());
    fields.push(FormField::text("filter", t!("tui.details.filter"), "", integration.filter.as_deref().unwrap_or_default()));
    fields
}

fn credential(integration: &Integration, known: &Known<'_>) -> String {
    let Some(credential) = known.credentials.iter().find(|credential| credential.id == integration.credential) else {
        return integration.credential.clone();
    };
    let connector = known.connector.map_or(credential.connector.as_str(), |connector| connector.name.as_str());
    // A credential that is named after its connector says it already.
    if credential.name.contains(connector) { credential.name.clone() } else { format!("{} ({connector})", credential.name) }
}

/// The resources that the credential can read, and the present one whatever it is.
fn resources(integration: &Integration, known: &Known<'_>) -> Vec<(String, String)> {
    let credential = known.credentials.iter().find(|credential| credential.id == integration.credential);
    let all = known.connector.iter().flat_map(|connector| &connector.resources);
    let readable = all.filter(|resource| credential.is_none_or(|credential| resource.read_by(&credential.method)));
    let mut options: Vec<(String, String)> = readable.map(|resource| (resource.id.clone(), resource.name.clone())).collect();
    if !integration.resource.is_empty() && options.iter().all(|(id, _)| *id != integration.resource) {
        options.push((integration.resource.clone(), integration.resource.clone()));
    }
    options
}

/// The kinds that fit what the resource holds, and the present one whatever it is.
fn kinds(integration: &Integration, known: &Known<'_>) -> Vec<IntegrationKind> {
    let resource = known.connector.and_then(|connector| connector.resources.iter().find(|resource| resource.id == integration.resource));
    let mut kinds = match resource {
        Some(resource) => crate::ops::integrations::kinds(resource.kind).to_vec(),
        None if matches!(integration.kind, IntegrationKind::User | IntegrationKind::UserAndSaasUser) => {
            vec![IntegrationKind::User, IntegrationKind::UserAndSaasUser]
        }
        None => Vec::new(),
    };
    if !kinds.contains(&integration.kind) {
        kinds.push(integration.kind);
    }
    kinds
}

/// The name of a choice in files.
fn key<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(text)) => text,
        _ => String::new(),
    }
}

fn parsed<T: serde::de::DeserializeOwned>(value: &str) -> Option<T> {
    serde_json::from_value(serde_json::Value::String(value.to_owned())).ok()
}

fn every_key(every: Every) -> &'static str {
    match every {
        Every::Manual => "manual",
        Every::Minutes(_) => "minutes",
        Every::Hours(_) => "hours",
        Every::Daily => "daily",
        Every::Weekly => "weekly",
    }
}

fn list(value: &str) -> Vec<String> {
    value.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Takes a field's value into the integration, right or wrong; an error only where there is no place for what was typed.
pub fn take(integration: &mut Integration, field: &str, value: &str) -> Result<(), String> {
    let filled = |value: &str| Some(value.to_owned()).filter(|value| !value.trim().is_empty());
    match field {
        "name" => value.clone_into(&mut integration.name),
        "kind" => integration.kind = parsed(value).unwrap_or(integration.kind),
        "saas_application" => integration.saas_application = filled(value),
        "installation" => integration.installation = parsed(value).unwrap_or(integration.installation),
        "preference" => integration.preference = parsed(value).unwrap_or(integration.preference),
        "deactivate" => integration.deactivate = value == "true",
        "contacts" => integration.contacts = list(value),
        "every" => {
            integration.schedule.every = match value {
                "minutes" => Every::Minutes(MINUTES),
                "hours" => Every::Hours(HOURS),
                "daily" => Every::Daily,
                "weekly" => Every::Weekly,
                _ => Every::Manual,
            };
        }
        "interval" => {
            let n: u32 = value.trim().parse().map_err(|_| t!("tui.details.not_a_number").to_owned())?;
            integration.schedule.every = match integration.schedule.every {
                Every::Hours(_) => Every::Hours(n),
                _ => Every::Minutes(n),
            };
        }
        "at" => value.trim().clone_into(&mut integration.schedule.at),
        "time_zone" => value.trim().clone_into(&mut integration.schedule.time_zone),
        "sync_key" => integration.sync_key = list(value),
        "filter" => integration.filter = filled(value),
        _ => {}
    }
    Ok(())
}

/// The field of the form at which a finding stands.
#[must_use]
pub fn place<'p>(place: &'p str, integration: &Integration) -> Option<&'p str> {
    let timed = matches!(integration.schedule.every, Every::Minutes(_) | Every::Hours(_));
    match place {
        "credential.status" => Some("credential"),
        "schedule" | "schedule.every" if timed => Some("interval"),
        "schedule" | "schedule.every" => Some("every"),
        "schedule.at" => Some("at"),
        "schedule.time_zone" => Some("time_zone"),
        place if place.starts_with("mapping") || place == "permissions" => None,
        place => Some(place),
    }
}

/// What a field means, and what there is to choose from.
#[must_use]
pub fn help(field: &str, columns: &[DestinationField], applications: &[String]) -> String {
    match field {
        "name" => t!("tui.details.help.name"),
        "credential" => t!("tui.details.help.credential"),
        "resource" => t!("tui.details.help.resource"),
        "kind" => t!("tui.details.help.kind"),
        "saas_application" if applications.is_empty() => t!("tui.details.help.saas_application"),
        "saas_application" => {
            let known = crate::words::clean::line(&applications.join(", "), 120);
            return t!("tui.details.help.saas_applications", known = known);
        }
        "installation" => t!("tui.details.help.installation"),
        "preference" => t!("tui.details.help.preference"),
        "deactivate" => t!("tui.details.help.deactivate"),
        "contacts" => t!("tui.details.help.contacts"),
        "every" => t!("tui.details.help.every"),
        "interval" => t!("tui.details.help.interval"),
        "at" => t!("tui.details.help.at"),
        "time_zone" => t!("tui.details.help.time_zone"),
        "sync_key" => {
            let keys: Vec<&str> = columns.iter().filter(|column| !column.custom).map(|column| column.key.as_str()).take(8).collect();
            return t!("tui.details.help.sync_key", keys = if keys.is_empty() { "email".to_owned() } else { keys.join(", ") });
        }
        "filter" => t!("tui.details.help.filter"),
        _ => "",
    }
    .to_owned()
}

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    vec![
        (t!("tui.details.name"), t!("tui.details.help.name")),
        (t!("tui.details.credential"), t!("tui.details.help.credential")),
        (t!("tui.details.resource"), t!("tui.details.help.resource")),
        (t!("tui.details.kind"), t!("tui.details.help.kind")),
        (t!("tui.details.saas_application"), t!("tui.details.help.saas_application")),
        (t!("tui.details.installation"), t!("tui.details.help.installation")),
        (t!("tui.details.preference"), t!("tui.details.help.preference")),
        (t!("tui.details.deactivate"), t!("tui.details.help.deactivate")),
        (t!("tui.details.contacts"), t!("tui.details.help.contacts")),
        (t!("tui.details.every"), t!("tui.details.help.every")),
        (t!("tui.details.time_zone"), t!("tui.details.help.time_zone")),
        (t!("tui.details.sync_key"), t!("tui.details.explain_sync_key")),
        (t!("tui.details.filter"), t!("tui.details.help.filter")),
    ]
}
