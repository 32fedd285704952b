//! Which steps there are for a connector and a method, and what each has to say for itself.

use crate::model::{AuthKind, AuthMethod, Connector, CredentialDraft, Input};
use crate::ops::connectors::check_input;
use crate::tui::ui::labels;
use crate::tui::ui::text;

/// Settings that replace an address of the definition. They are asked for only when somebody wants to.
pub const ADDRESSES: [&str; 7] = ["base_url", "authorize_url", "token_url", "refresh_url", "revoke_url", "device_url", "request_url"];
/// The redirect URI, where the vendor accepts only another one.
pub const REDIRECT_URI: &str = "redirect_uri";

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Method,
    /// One input, by key.
    Input(String),
    Scopes,
    Name,
    Consent,
    Test,
}

impl Step {
    /// Under this word the draft remembers where the wizard stood; the same words that findings use as their place.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Method => "method".to_owned(),
            Self::Input(key) => format!("input.{key}"),
            Self::Scopes => "scopes".to_owned(),
            Self::Name => "name".to_owned(),
            Self::Consent => "consent".to_owned(),
            Self::Test => "test".to_owned(),
        }
    }

    #[must_use]
    pub fn label(&self, connector: &Connector, method: &str) -> String {
        match self {
            Self::Method => crate::t!("wizard.credential.step.method").to_owned(),
            Self::Input(key) => input(connector, method, key).map_or_else(|| key.clone(), |input| text::clean(&input.label)),
            Self::Scopes => crate::t!("wizard.credential.step.scopes").to_owned(),
            Self::Name => crate::t!("wizard.credential.step.name").to_owned(),
            Self::Consent => crate::t!("wizard.credential.step.consent").to_owned(),
            Self::Test => crate::t!("wizard.credential.step.test").to_owned(),
        }
    }
}

#[must_use]
pub fn method<'c>(connector: &'c Connector, draft: &CredentialDraft) -> Option<&'c AuthMethod> {
    connector.auth.get(&draft.method)
}

#[must_use]
pub fn input<'c>(connector: &'c Connector, method: &str, key: &str) -> Option<&'c Input> {
    connector.inputs_for(method).into_iter().find(|input| input.key == key)
}

/// The way from nothing to a saved credential. An optional address is no step: it is among the addresses.
#[must_use]
pub fn steps(connector: &Connector, draft: &CredentialDraft) -> Vec<Step> {
    let mut steps = vec![Step::Method];
    let asked = connector.inputs_for(&draft.method);
    steps.extend(
        asked.iter().filter(|input| !(input.optional && ADDRESSES.contains(&input.key.as_str()))).map(|input| Step::Input(input.key.clone())),
    );
    if method(connector, draft).is_some_and(|method| !method.scopes.catalog.is_empty() || !method.scopes.default.is_empty()) {
        steps.push(Step::Scopes);
    }
    steps.push(Step::Name);
    if method(connector, draft).is_some_and(AuthMethod::needs_consent) {
        steps.push(Step::Consent);
    }
    steps.push(Step::Test);
    steps
}

/// The addresses that this method uses: key and what the definition says, where it says something.
#[must_use]
pub fn addresses(connector: &Connector, draft: &CredentialDraft) -> Vec<(&'static str, String)> {
    let Some(method) = method(connector, draft) else { return Vec::new() };
    let oauth =
        matches!(method.kind, AuthKind::OAuth2Code | AuthKind::Device | AuthKind::ClientCredentials | AuthKind::JwtBearer | AuthKind::Password);
    let code = method.kind == AuthKind::OAuth2Code;
    let is_step = |key: &str| input(connector, &draft.method, key).is_some_and(|input| !input.optional);
    let mut found = Vec::new();
    let mut push = |key: &'static str, wanted: bool, known: &[String]| {
        if wanted && !is_step(key) {
            found.push((key, known.first().map(|template| shown(connector, draft, template)).unwrap_or_default()));
        }
    };
    push(ADDRESSES[0], method.kind != AuthKind::None, &connector.request.base_url);
    if let Some(plain) = method.oauth1.as_ref().filter(|_| method.delegates()) {
        push(ADDRESSES[6], true, &plain.request_url);
    }
    push(ADDRESSES[1], method.redirects(), &method.authorize_url);
    push(ADDRESSES[2], oauth || method.delegates(), &method.token_url);
    push(ADDRESSES[3], code || method.kind == AuthKind::Device, if method.refresh_url.is_empty() { &method.token_url } else { &method.refresh_url });
    push(ADDRESSES[4], oauth, &method.revoke_url);
    push(ADDRESSES[5], method.kind == AuthKind::Device || !method.device_url.is_empty(), &method.device_url);
    push(REDIRECT_URI, method.redirects(), &[]);
    found
}

/// A template of the definition as it comes out for this draft; as it stands where something is still missing.
#[must_use]
pub fn shown(connector: &Connector, draft: &CredentialDraft, template: &str) -> String {
    crate::ops::connectors::filled_in(connector, &draft.method, &draft.settings, template)
}

/// What is typed for a step, in the fewest words. `lengths` knows the secrets that were typed since the wizard opened.
#[must_use]
pub fn answered(step: &Step, connector: &Connector, draft: &CredentialDraft, lengths: &indexmap::IndexMap<String, usize>) -> String {
    match step {
        Step::Method => method(connector, draft).map_or_else(String::new, |method| labels::auth_kind(method.kind).to_owned()),
        Step::Input(key) => match input(connector, &draft.method, key) {
            Some(input) if input.secret && draft.references.contains_key(key) => text::clean(&draft.references[key]),
            Some(input) if input.secret => match (draft.secrets.contains(key), lengths.get(key)) {
                (true, Some(n)) => crate::t!("wizard.credential.kept_length", n = n),
                (true, None) => crate::t!("wizard.credential.kept").to_owned(),
                (false, _) => String::new(),
            },
            _ => draft.settings.get(key).map_or_else(String::new, |value| text::clean(value)),
        },
        Step::Scopes => crate::t!("wizard.credential.scopes_chosen", n = draft.scopes.len()),
        Step::Name => text::clean(&draft.name),
        Step::Consent | Step::Test => String::new(),
    }
}

/// Whether what is typed for a step is wrong or missing, as far as it can be told here.
#[must_use]
pub fn wrong(step: &Step, connector: &Connector, draft: &CredentialDraft) -> bool {
    match step {
        Step::Input(key) => match input(connector, &draft.method, key) {
            Some(input) if input.secret => !input.optional && !draft.secrets.contains(key) && !draft.references.contains_key(key),
            Some(input) => check_input(input, draft.settings.get(key).map_or("", String::as_str))
                .is_some_and(|finding| finding.severity == crate::model::Severity::Error),
            None => false,
        },
        Step::Name => draft.name.trim().is_empty(),
        _ => false,
    }
}
