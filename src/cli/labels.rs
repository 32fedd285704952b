//! The words for states and kinds, with what they mean.

use super::output::Tone;
use crate::model::{
    AuthKind, ConnectorStatus, CredentialStatus, Every, Fate, FieldType, Installation, IntegrationKind, IntegrationState, Origin, Preference, Reason,
    RunState, Schedule, Severity, Table,
};
use crate::t;

pub fn connector_status(status: ConnectorStatus) -> &'static str {
    match status {
        ConnectorStatus::Available => t!("cli.label.available"),
        ConnectorStatus::Preview => t!("cli.label.preview"),
        ConnectorStatus::Practice => t!("cli.label.practice"),
    }
}

pub fn origin(origin: &Origin) -> String {
    match origin {
        Origin::BuiltIn => t!("cli.label.built_in").to_owned(),
        Origin::Workspace(file) => file.clone(),
    }
}

pub fn auth_kind(kind: AuthKind) -> &'static str {
    match kind {
        AuthKind::OAuth2Code => "oauth2_code",
        AuthKind::Device => "device",
        AuthKind::ClientCredentials => "client_credentials",
        AuthKind::JwtBearer => "jwt_bearer",
        AuthKind::SignedJwt => "signed_jwt",
        AuthKind::Password => "password",
        AuthKind::Login => "login",
        AuthKind::OAuth1 => "oauth1",
        AuthKind::AwsSigv4 => "aws_sigv4",
        AuthKind::ApiKey => "api_key",
        AuthKind::Bearer => "bearer",
        AuthKind::Basic => "basic",
        AuthKind::Mtls => "mtls",
        AuthKind::None => "none",
    }
}

pub fn credential_status(status: CredentialStatus) -> (&'static str, Tone) {
    match status {
        CredentialStatus::Untested => (t!("cli.label.untested"), Tone::Dim),
        CredentialStatus::Valid => (t!("cli.label.valid"), Tone::Good),
        CredentialStatus::Expired => (t!("cli.label.expired"), Tone::Bad),
        CredentialStatus::NeedsConsent => (t!("cli.label.needs_consent"), Tone::Notice),
        CredentialStatus::Refused => (t!("cli.label.refused"), Tone::Bad),
        CredentialStatus::Unknown => (t!("cli.label.unknown"), Tone::Notice),
    }
}

pub fn integration_state(state: IntegrationState) -> (&'static str, Tone) {
    match state {
        IntegrationState::Draft => (t!("cli.label.draft"), Tone::Dim),
        IntegrationState::Active => (t!("cli.label.active"), Tone::Good),
        IntegrationState::Paused => (t!("cli.label.paused"), Tone::Notice),
    }
}

pub fn run_state(state: RunState) -> (&'static str, Tone) {
    match state {
        RunState::Running => (t!("cli.label.running"), Tone::Plain),
        RunState::Succeeded => (t!("cli.label.succeeded"), Tone::Good),
        RunState::Partial => (t!("cli.label.partial"), Tone::Notice),
        RunState::Failed => (t!("cli.label.failed"), Tone::Bad),
        RunState::Cancelled => (t!("cli.label.cancelled"), Tone::Notice),
        RunState::Interrupted => (t!("cli.label.interrupted"), Tone::Bad),
    }
}

pub fn fate(fate: Fate) -> (&'static str, Tone) {
    match fate {
        Fate::Created => (t!("cli.fate.created"), Tone::Good),
        Fate::Updated => (t!("cli.fate.updated"), Tone::Good),
        Fate::Unchanged => (t!("cli.fate.unchanged"), Tone::Dim),
        Fate::Deactivated => (t!("cli.fate.deactivated"), Tone::Notice),
        Fate::Reactivated => (t!("cli.fate.reactivated"), Tone::Good),
        Fate::Skipped => (t!("cli.fate.skipped"), Tone::Dim),
        Fate::Filtered => (t!("cli.fate.filtered"), Tone::Dim),
        Fate::Failed => (t!("cli.fate.failed"), Tone::Bad),
    }
}

pub fn severity(severity: Severity) -> (&'static str, Tone) {
    match severity {
        Severity::Error => (t!("cli.label.error"), Tone::Bad),
        Severity::Warning => (t!("cli.label.warning"), Tone::Notice),
        Severity::Hint => (t!("cli.label.hint"), Tone::Dim),
    }
}

pub fn kind(kind: IntegrationKind) -> &'static str {
    match kind {
        IntegrationKind::User => t!("cli.label.user"),
        IntegrationKind::UserAndSaasUser => t!("cli.label.user_and_saas_user"),
        IntegrationKind::Hardware => t!("cli.label.hardware"),
        IntegrationKind::Software => t!("cli.label.software"),
        IntegrationKind::Applications => t!("cli.label.applications"),
    }
}

pub fn preference(preference: Preference) -> &'static str {
    match preference {
        Preference::CreateAndUpdate => t!("cli.label.create_and_update"),
        Preference::CreateOnly => t!("cli.label.create_only"),
        Preference::UpdateOnly => t!("cli.label.update_only"),
    }
}

pub fn installation(installation: Installation) -> &'static str {
    match installation {
        Installation::Local => t!("cli.label.local"),
        Installation::Cloud => t!("cli.label.cloud"),
    }
}

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

pub fn table(table: Table) -> &'static str {
    match table {
        Table::People => t!("cli.table.people"),
        Table::SaasUsers => t!("cli.table.saas_users"),
        Table::Hardware => t!("cli.table.hardware"),
        Table::Software => t!("cli.table.software"),
        Table::Applications => t!("cli.table.applications"),
    }
}

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

pub fn reason(reason: Reason) -> (&'static str, Tone) {
    match reason {
        Reason::None => (t!("cli.reason.none"), Tone::Dim),
        Reason::Global => (t!("cli.reason.global"), Tone::Notice),
        Reason::Entity => (t!("cli.reason.entity"), Tone::Good),
        Reason::Both => (t!("cli.reason.both"), Tone::Good),
    }
}

pub fn yes_no(yes: bool) -> &'static str {
    if yes { t!("cli.label.yes") } else { t!("cli.label.no") }
}
