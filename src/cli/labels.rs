//! The words for states and kinds, with what they mean.

use super::output::Tone;
use crate::model::{AuthKind, ConnectorStatus, CredentialStatus, Fate, IntegrationState, Origin, Reason, RunState, Severity, labels};
use crate::t;

pub use crate::model::labels::{field_type, installation, kind, preference, schedule, table};

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
    let tone = match status {
        CredentialStatus::Untested => Tone::Dim,
        CredentialStatus::Valid => Tone::Good,
        CredentialStatus::Expiring => Tone::Notice,
        CredentialStatus::Expired => Tone::Bad,
        CredentialStatus::NeedsConsent => Tone::Notice,
        CredentialStatus::Refused => Tone::Bad,
        CredentialStatus::Unknown => Tone::Notice,
    };
    (labels::credential_status(status), tone)
}

pub fn integration_state(state: IntegrationState) -> (&'static str, Tone) {
    let tone = match state {
        IntegrationState::Draft => Tone::Dim,
        IntegrationState::Active => Tone::Good,
        IntegrationState::Paused => Tone::Notice,
    };
    (labels::integration_state(state), tone)
}

pub fn run_state(state: RunState) -> (&'static str, Tone) {
    let tone = match state {
        RunState::Running => Tone::Plain,
        RunState::Succeeded => Tone::Good,
        RunState::Partial => Tone::Notice,
        RunState::Failed => Tone::Bad,
        RunState::Cancelled => Tone::Notice,
        RunState::Interrupted => Tone::Bad,
    };
    (labels::run_state(state), tone)
}

pub fn fate(fate: Fate) -> (&'static str, Tone) {
    let tone = match fate {
        Fate::Created => Tone::Good,
        Fate::Updated => Tone::Good,
        Fate::Unchanged => Tone::Dim,
        Fate::Deactivated => Tone::Notice,
        Fate::Reactivated => Tone::Good,
        Fate::Skipped => Tone::Dim,
        Fate::Filtered => Tone::Dim,
        Fate::Failed => Tone::Bad,
    };
    (labels::fate(fate), tone)
}

pub fn severity(severity: Severity) -> (&'static str, Tone) {
    let tone = match severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Notice,
        Severity::Hint => Tone::Dim,
    };
    (labels::severity(severity), tone)
}

pub fn reason(reason: Reason) -> (&'static str, Tone) {
    let tone = match reason {
        Reason::None => Tone::Dim,
        Reason::Global => Tone::Notice,
        Reason::Entity => Tone::Good,
        Reason::Both => Tone::Good,
    };
    (labels::reason(reason), tone)
}

pub fn yes_no(yes: bool) -> &'static str {
    if yes { t!("cli.label.yes") } else { t!("cli.label.no") }
}
