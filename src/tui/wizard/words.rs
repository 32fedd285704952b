//! The words of integrations: kinds, types, schedules, places.

use crate::model::{
    Action, DestinationField, Every, Fate, FieldType, Finding, Installation, Integration, IntegrationKind, Preference, Schedule, Severity, Table,
};
use crate::t;
use crate::tui::app::layers::{Layer, Line, Reader, Scrolled};
use crate::tui::ui::theme::{Symbol, Tone};

#[must_use]
pub fn kind(kind: IntegrationKind) -> &'static str {
    match kind {
        IntegrationKind::User => t!("tui.kind.user"),
        IntegrationKind::UserAndSaasUser => t!("tui.kind.user_and_saas_user"),
        IntegrationKind::Hardware => t!("tui.kind.hardware"),
        IntegrationKind::Software => t!("tui.kind.software"),
        IntegrationKind::Applications => t!("tui.kind.applications"),
    }
}

#[must_use]
pub fn table(table: Table) -> &'static str {
    match table {
        Table::People => t!("tui.table.people"),
        Table::SaasUsers => t!("tui.table.saas_users"),
        Table::Hardware => t!("tui.table.hardware"),
        Table::Software => t!("tui.table.software"),
        Table::Applications => t!("tui.table.applications"),
    }
}

/// Where an integration's records go, in a word or two.
#[must_use]
pub fn destination(integration: &Integration) -> &'static str {
    table(crate::ops::integrations::tables(integration.kind)[0])
}

#[must_use]
pub fn installation(installation: Installation) -> &'static str {
    match installation {
        Installation::Local => t!("tui.installation.local"),
        Installation::Cloud => t!("tui.installation.cloud"),
    }
}

#[must_use]
pub fn preference(preference: Preference) -> &'static str {
    match preference {
        Preference::CreateAndUpdate => t!("tui.preference.create_and_update"),
        Preference::CreateOnly => t!("tui.preference.create_only"),
        Preference::UpdateOnly => t!("tui.preference.update_only"),
    }
}

#[must_use]
pub fn field_type(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text => t!("tui.type.text"),
        FieldType::Integer => t!("tui.type.integer"),
        FieldType::Number => t!("tui.type.number"),
        FieldType::Boolean => t!("tui.type.boolean"),
        FieldType::Time => t!("tui.type.time"),
        FieldType::Email => t!("tui.type.email"),
    }
}

pub const FIELD_TYPES: [FieldType; 6] =
    [FieldType::Text, FieldType::Integer, FieldType::Number, FieldType::Boolean, FieldType::Time, FieldType::Email];

/// `daily at 02:00 Europe/Paris`
#[must_use]
pub fn schedule(schedule: &Schedule) -> String {
    let zone = if schedule.time_zone.is_empty() { "UTC" } else { &schedule.time_zone };
    match schedule.every {
        Every::Manual => t!("tui.schedule.manual").to_owned(),
        Every::Minutes(n) => t!("tui.schedule.minutes", n = n),
        Every::Hours(n) => t!("tui.schedule.hours", n = n),
        Every::Daily => t!("tui.schedule.daily", at = schedule.at, zone = zone),
        Every::Weekly => t!("tui.schedule.weekly", at = schedule.at, zone = zone),
    }
}

/// The head of an action's column: two short lines.
#[must_use]
pub fn action_head(action: Action) -> (&'static str, &'static str) {
    match action {
        Action::AppRoleRead => (t!("tui.action.head.app_role_read.of"), t!("tui.action.head.app_role_read.verb")),
        Action::CsvAppUserUpload => (t!("tui.action.head.csv_app_user_upload.of"), t!("tui.action.head.csv_app_user_upload.verb")),
        Action::UpdateDataSourceUsers => (t!("tui.action.head.update_data_source_users.of"), t!("tui.action.head.update_data_source_users.verb")),
        Action::AppMembershipWrite => (t!("tui.action.head.app_membership_write.of"), t!("tui.action.head.app_membership_write.verb")),
    }
}

/// What becomes of a record: word, symbol and meaning.
#[must_use]
pub fn fate(fate: Fate) -> (&'static str, Symbol, Tone) {
    match fate {
        Fate::Created => (t!("tui.fate.created"), Symbol::Good, Tone::Good),
        Fate::Updated => (t!("tui.fate.updated"), Symbol::Changed, Tone::Good),
        Fate::Unchanged => (t!("tui.fate.unchanged"), Symbol::Quiet, Tone::Dim),
        Fate::Deactivated => (t!("tui.fate.deactivated"), Symbol::Notice, Tone::Notice),
        Fate::Reactivated => (t!("tui.fate.reactivated"), Symbol::Good, Tone::Good),
        Fate::Skipped => (t!("tui.fate.skipped"), Symbol::Quiet, Tone::Dim),
        Fate::Filtered => (t!("tui.fate.filtered"), Symbol::Quiet, Tone::Dim),
        Fate::Failed => (t!("tui.fate.failed"), Symbol::Bad, Tone::Bad),
    }
}

#[must_use]
pub fn severity(severity: Severity) -> (Symbol, Tone) {
    match severity {
        Severity::Error => (Symbol::Bad, Tone::Bad),
        Severity::Warning => (Symbol::Notice, Tone::Notice),
        Severity::Hint => (Symbol::Quiet, Tone::Dim),
    }
}

/// Where a finding is, as the screens call it.
#[must_use]
pub fn place(place: &str, fields: &[DestinationField]) -> String {
    if let Some(key) = place.strip_prefix("mapping.") {
        let bare = key.strip_prefix(SAAS).unwrap_or(key);
        let label = fields.iter().find(|field| field.key == bare).map_or_else(|| bare.replace('_', " "), |field| field.label.clone());
        return t!("tui.place.mapping", field = label);
    }
    match place {
        "name" => t!("tui.details.name"),
        "credential" | "credential.status" => t!("tui.details.credential"),
        "resource" => t!("tui.details.resource"),
        "kind" => t!("tui.details.kind"),
        "saas_application" => t!("tui.details.saas_application"),
        "installation" => t!("tui.details.installation"),
        "preference" => t!("tui.details.preference"),
        "deactivate" => t!("tui.details.deactivate"),
        "contacts" => t!("tui.details.contacts"),
        "schedule" | "schedule.every" => t!("tui.details.every"),
        "schedule.at" => t!("tui.details.at"),
        "schedule.time_zone" => t!("tui.details.time_zone"),
        "sync_key" => t!("tui.details.sync_key"),
        "filter" => t!("tui.details.filter"),
        "permissions" => t!("tui.place.permissions"),
        _ => t!("tui.place.integration"),
    }
    .to_owned()
}

/// Before the key of a SaaS user's field in a mapping.
pub const SAAS: &str = "saas.";

/// All findings, to read: where, what, why, what to do.
#[must_use]
pub fn findings_reader(title: String, findings: &[Finding], fields: &[DestinationField]) -> Layer {
    let mut lines = Vec::new();
    for finding in findings {
        let what = match finding.severity {
            Severity::Error => finding.problem.what.clone(),
            Severity::Warning => t!("tui.findings.warning", what = finding.problem.what),
            Severity::Hint => t!("tui.findings.hint", what = finding.problem.what),
        };
        lines.push(Line { term: place(&finding.place, fields), text: what });
        for text in [&finding.problem.why, &finding.problem.next_step] {
            if !text.is_empty() {
                lines.push(Line { term: String::new(), text: text.clone() });
            }
        }
        lines.push(Line { term: String::new(), text: String::new() });
    }
    lines.pop();
    if lines.is_empty() {
        lines.push(Line { term: String::new(), text: t!("tui.findings.none").to_owned() });
    }
    Layer::Reader(Reader { title, lines, scroll: Scrolled::default() })
}
