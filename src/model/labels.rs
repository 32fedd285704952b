//! What people call states, kinds and other closed sets: one table for every front end that prints words.

use super::{
    CredentialStatus, Every, Fate, FieldType, Installation, IntegrationKind, IntegrationState, Preference, Reason, RunState, Schedule, Severity,
    Table,
};
use crate::t;

#[must_use]
pub fn credential_status(status: CredentialStatus) -> &'static str {
    match status {
        CredentialStatus::Untested => t!("cli.label.untested"),
        CredentialStatus::Valid => t!("cli.label.valid"),
        CredentialStatus::Expiring => t!("cli.label.expiring"),
        CredentialStatus::Expired => t!("cli.label.expired"),
        CredentialStatus::NeedsConsent => t!("cli.label.needs_consent"),
        CredentialStatus::Refused => t!("cli.label.refused"),
        CredentialStatus::Unknown => t!("cli.label.unknown"),
    }
}

#[must_use]
pub fn integration_state(state: IntegrationState) -> &'static str {
    match state {
        IntegrationState::Draft => t!("cli.label.draft"),
        IntegrationState::Active => t!("cli.label.active"),
        IntegrationState::Paused => t!("cli.label.paused"),
    }
}

#[must_use]
pub fn run_state(state: RunState) -> &'static str {
    match state {
        RunState::Running => t!("cli.label.running"),
        RunState::Succeeded => t!("cli.label.succeeded"),
        RunState::Partial => t!("cli.label.partial"),
        RunState::Failed => t!("cli.label.failed"),
        RunState::Cancelled => t!("cli.label.cancelled"),
        RunState::Interrupted => t!("cli.label.interrupted"),
    }
}

#[must_use]
pub fn fate(fate: Fate) -> &'static str {
    match fate {
        Fate::Created => t!("cli.fate.created"),
        Fate::Updated => t!("cli.fate.updated"),
        Fate::Unchanged => t!("cli.fate.unchanged"),
        Fate::Deactivated => t!("cli.fate.deactivated"),
        Fate::Reactivated => t!("cli.fate.reactivated"),
        Fate::Skipped => t!("cli.fate.skipped"),
        Fate::Filtered => t!("cli.fate.filtered"),
        Fate::Failed => t!("cli.fate.failed"),
    }
}

#[must_use]
pub fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => t!("cli.label.error"),
        Severity::Warning => t!("cli.label.warning"),
        Severity::Hint => t!("cli.label.hint"),
    }
}

#[must_use]
pub fn kind(kind: IntegrationKind) -> &'static str {
    match kind {
        IntegrationKind::User => t!("cli.label.user"),
        IntegrationKind::UserAndSaasUser => t!("cli.label.user_and_saas_user"),
        IntegrationKind::Hardware => t!("cli.label.hardware"),
        IntegrationKind::Software => t!("cli.label.software"),
        IntegrationKind::Applications => t!("cli.label.applications"),
    }
}

#[must_use]
pub fn preference(preference: Preference) -> &'static str {
    match preference {
        Preference::CreateAndUpdate => t!("cli.label.create_and_update"),
        Preference::CreateOnly => t!("cli.label.create_only"),
        Preference::UpdateOnly => t!("cli.label.update_only"),
    }
}

#[must_use]
pub fn installation(installation: Installation) -> &'static str {
    match installation {
        Installation::Local => t!("cli.label.local"),
        Installation::Cloud => t!("cli.label.cloud"),
    }
}

#[must_use]
pub fn schedule(schedule: &Schedule) -> String {
    let zone = if schedule.time_zone.is_empty() { "UTC" } else { &schedule.time_zone };
    match schedule.every {
        Every::Manual => t!("cli.label.manual").to_owned(),
        Every::Minutes(n) => t!("cli.label.minutes", n = n),
        Every::Hours(n) => t!("cli.label.hours", n = n),
        Every::Daily => t!("cli.label.daily", at = schedule.at, zone = zone),
        Every::Weekly => t!("cli.label.weekly", at = schedule.at, zone = zone),
    }
}

#[must_use]
pub fn table(table: Table) -> &'static str {
    match table {
        Table::People => t!("cli.table.people"),
        Table::SaasUsers => t!("cli.table.saas_users"),
        Table::Hardware => t!("cli.table.hardware"),
        Table::Software => t!("cli.table.software"),
        Table::Applications => t!("cli.table.applications"),
    }
}

#[must_use]
pub fn field_type(kind: FieldType) -> &'static str {
    match kind {
        FieldType::Text => t!("cli.type.text"),
        FieldType::Integer => t!("cli.type.integer"),
        FieldType::Number => t!("cli.type.number"),
        FieldType::Boolean => t!("cli.type.boolean"),
        FieldType::Time => t!("cli.type.time"),
        FieldType::Email => t!("cli.type.email"),
    }
}

#[must_use]
pub fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::None => t!("cli.reason.none"),
        Reason::Global => t!("cli.reason.global"),
        Reason::Entity => t!("cli.reason.entity"),
        Reason::Both => t!("cli.reason.both"),
    }
}
