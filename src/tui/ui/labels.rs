//! The words for states and kinds, for every pane.

use super::theme::{Symbol, Tone};
use crate::model::{CredentialStatus, RunState};

/// The word, symbol and tone for how a credential stands.
#[must_use]
pub fn credential_status(status: CredentialStatus) -> (&'static str, Symbol, Tone) {
    match status {
        CredentialStatus::Untested => (crate::t!("credentials.standing.untested"), Symbol::Quiet, Tone::Dim),
        CredentialStatus::Valid => (crate::t!("credentials.standing.valid"), Symbol::Good, Tone::Good),
        CredentialStatus::Expiring => (crate::t!("credentials.standing.expiring"), Symbol::Notice, Tone::Notice),
        CredentialStatus::Expired => (crate::t!("credentials.standing.expired"), Symbol::Bad, Tone::Bad),
        CredentialStatus::NeedsConsent => (crate::t!("credentials.standing.needs_consent"), Symbol::Notice, Tone::Notice),
        CredentialStatus::Refused => (crate::t!("credentials.standing.refused"), Symbol::Bad, Tone::Bad),
        CredentialStatus::Unknown => (crate::t!("credentials.standing.unknown"), Symbol::Notice, Tone::Notice),
    }
}

/// The word for a run's state.
#[must_use]
pub fn run_state(state: RunState) -> &'static str {
    match state {
        RunState::Running => crate::t!("run.state.running"),
        RunState::Succeeded => crate::t!("run.state.succeeded"),
        RunState::Partial => crate::t!("run.state.partial"),
        RunState::Failed => crate::t!("run.state.failed"),
        RunState::Cancelled => crate::t!("run.state.cancelled"),
        RunState::Interrupted => crate::t!("run.state.interrupted"),
    }
}

/// The short name of a way to authenticate.
#[must_use]
pub fn auth_kind(kind: crate::model::AuthKind) -> &'static str {
    use crate::model::AuthKind;
    match kind {
        AuthKind::OAuth2Code => crate::t!("auth_kind.oauth2_code"),
        AuthKind::Device => crate::t!("auth_kind.device"),
        AuthKind::ClientCredentials => crate::t!("auth_kind.client_credentials"),
        AuthKind::JwtBearer => crate::t!("auth_kind.jwt_bearer"),
        AuthKind::SignedJwt => crate::t!("auth_kind.signed_jwt"),
        AuthKind::Password => crate::t!("auth_kind.password"),
        AuthKind::Login => crate::t!("auth_kind.login"),
        AuthKind::OAuth1 => crate::t!("auth_kind.oauth1"),
        AuthKind::AwsSigv4 => crate::t!("auth_kind.aws_sigv4"),
        AuthKind::ApiKey => crate::t!("auth_kind.api_key"),
        AuthKind::Bearer => crate::t!("auth_kind.bearer"),
        AuthKind::Basic => crate::t!("auth_kind.basic"),
        AuthKind::Mtls => crate::t!("auth_kind.mtls"),
        AuthKind::None => crate::t!("auth_kind.none"),
    }
}

/// What ends, for people.
#[must_use]
pub fn ending(word: &str) -> &'static str {
    match word {
        "access_token" => crate::t!("credentials.ending.access_token"),
        "refresh_token" => crate::t!("credentials.ending.refresh_token"),
        "certificate" => crate::t!("credentials.ending.certificate"),
        "key" => crate::t!("credentials.ending.key"),
        _ => crate::t!("credentials.ending.secret"),
    }
}

/// What a way to authenticate is, in a sentence.
#[must_use]
pub fn auth_about(kind: crate::model::AuthKind) -> &'static str {
    use crate::model::AuthKind;
    match kind {
        AuthKind::OAuth2Code => crate::t!("auth_about.oauth2_code"),
        AuthKind::Device => crate::t!("auth_about.device"),
        AuthKind::ClientCredentials => crate::t!("auth_about.client_credentials"),
        AuthKind::JwtBearer => crate::t!("auth_about.jwt_bearer"),
        AuthKind::SignedJwt => crate::t!("auth_about.signed_jwt"),
        AuthKind::Password => crate::t!("auth_about.password"),
        AuthKind::Login => crate::t!("auth_about.login"),
        AuthKind::OAuth1 => crate::t!("auth_about.oauth1"),
        AuthKind::AwsSigv4 => crate::t!("auth_about.aws_sigv4"),
        AuthKind::ApiKey => crate::t!("auth_about.api_key"),
        AuthKind::Bearer => crate::t!("auth_about.bearer"),
        AuthKind::Basic => crate::t!("auth_about.basic"),
        AuthKind::Mtls => crate::t!("auth_about.mtls"),
        AuthKind::None => crate::t!("auth_about.none"),
    }
}

#[must_use]
pub fn resource_kind(kind: crate::model::ResourceKind) -> &'static str {
    use crate::model::ResourceKind;
    match kind {
        ResourceKind::Users => crate::t!("resource_kind.users"),
        ResourceKind::Groups => crate::t!("resource_kind.groups"),
        ResourceKind::Applications => crate::t!("resource_kind.applications"),
        ResourceKind::Hardware => crate::t!("resource_kind.hardware"),
        ResourceKind::Software => crate::t!("resource_kind.software"),
        ResourceKind::Other => crate::t!("resource_kind.other"),
    }
}

#[must_use]
pub fn table(table: crate::model::Table) -> &'static str {
    use crate::model::Table;
    match table {
        Table::People => crate::t!("table.people"),
        Table::SaasUsers => crate::t!("table.saas_users"),
        Table::Hardware => crate::t!("table.hardware"),
        Table::Software => crate::t!("table.software"),
        Table::Applications => crate::t!("table.applications"),
    }
}

/// A value in words: yes and no for truth.
#[must_use]
pub fn value(value: &crate::model::Value) -> String {
    match value {
        crate::model::Value::Boolean(true) => crate::t!("value.yes").to_owned(),
        crate::model::Value::Boolean(false) => crate::t!("value.no").to_owned(),
        other => other.to_string(),
    }
}

/// A value in a table's cell, cleaned: a symbol for truth, times to the minute.
#[must_use]
pub fn cell(value: &crate::model::Value, kind: crate::model::FieldType, theme: &super::theme::Theme) -> String {
    use crate::model::{FieldType, Value};
    match (value, kind) {
        (Value::Boolean(true), _) => theme.symbol(super::theme::Symbol::Good).to_owned(),
        (Value::Boolean(false), _) => theme.symbol(super::theme::Symbol::Quiet).to_owned(),
        (Value::Text(text), FieldType::Time) => match text.parse::<crate::model::Time>() {
            Ok(at) => at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M").to_string(),
            Err(_) => super::text::clean(text),
        },
        (other, _) => super::text::clean(&other.to_string()),
    }
}
