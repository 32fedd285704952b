//! The words for states and kinds, for every pane.

use crate::model::RunState;

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
        AuthKind::ClientCredentials => crate::t!("auth_kind.client_credentials"),
        AuthKind::ApiKey => crate::t!("auth_kind.api_key"),
        AuthKind::Bearer => crate::t!("auth_kind.bearer"),
        AuthKind::Basic => crate::t!("auth_kind.basic"),
        AuthKind::None => crate::t!("auth_kind.none"),
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
    }
}
