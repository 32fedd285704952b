//! Dynamic client registration (RFC 7591): where nobody has a client id yet, the server makes one.

use std::time::Duration;

use serde_json::{Value, json};

use super::refusal::Said;
use super::subject::Subject;
use super::{endpoints, redirect};
use crate::catalog::addresses;
use crate::catalog::template::Context;
use crate::model::{AuthKind, AuthMethod, ClientAuth, Problem, Secret, Time};
use crate::problem;
use crate::vault::Vault;
use crate::vendor::http::{self, Trouble};
use crate::words::clean;

/// The vault's field for what manages the registration at the server (RFC 7592).
pub const FIELD: &str = "registration";
/// The inputs that a registration fills in.
pub const CLIENT_ID: &str = "client_id";
pub const CLIENT_SECRET: &str = "client_secret";
/// An input that some servers want before they register anybody (RFC 7591 §3).
const INITIAL: &str = "initial_access_token";
const TIMEOUT: Duration = Duration::from_secs(30);
/// Whoever deletes a credential does not wait long for it.
const WITHDRAWN_WITHIN: Duration = Duration::from_secs(15);

/// A client that the server made.
pub struct Registered {
    pub client_id: String,
    pub client_secret: Option<Secret>,
    /// When the client secret ends, where it does.
    pub secret_expires: Option<Time>,
    /// The registration access token and its address, as one text.
    pub management: Secret,
}

/// Registers a client where none is known and the server has a place for it. `None`: there is a client id, or no such place.
pub async fn register(subject: &Subject) -> Result<Option<Registered>, Problem> {
    let method = subject.method();
    let auth = match method.client_auth {
        ClientAuth::None => "none",
        ClientAuth::Basic => "client_secret_basic",
        ClientAuth::Post => "client_secret_post",
        // Keys and certificates would have to be registered with it.
        ClientAuth::PrivateKeyJwt | ClientAuth::Mtls => return Ok(None),
    };
    let device = "urn:ietf:params:oauth:grant-type:device_code";
    let mut grants = match method.kind {
        AuthKind::OAuth2Code => vec!["authorization_code", "refresh_token"],
        AuthKind::Device => vec![device, "refresh_token"],
        AuthKind::ClientCredentials => vec!["client_credentials"],
        _ => return Ok(None),
    };
    if subject.input(CLIENT_ID).is_some() {
        return Ok(None);
    }
    let Some(place) = endpoints::register(subject).await? else { return Ok(None) };
    if method.kind == AuthKind::OAuth2Code && endpoints::device(subject).await.is_ok_and(|place| place.is_some()) {
        grants.push(device);
    }
    let mut wanted = json!({
        "client_name": "intertie",
        "grant_types": grants,
        "token_endpoint_auth_method": auth,
        "redirect_uris": [],
        "response_types": [],
    });
    if method.kind == AuthKind::OAuth2Code {
        let uri = redirect::registered(&method.redirect, subject.input(super::subject::REDIRECT_URI));
        // OpenID Connect Dynamic Client Registration 1.0 §2: loopback addresses are for native applications.
        let loopback = url::Url::parse(&uri).is_ok_and(|uri| uri.scheme() == "http" && addresses::is_loopback(&uri));
        wanted["application_type"] = if loopback { "native" } else { "web" }.into();
        wanted["redirect_uris"] = json!([uri]);
        wanted["response_types"] = json!(["code"]);
    }
    if !subject.scopes.is_empty() {
        wanted["scope"] = subject.scopes.join(" ").into();
    }
    send(subject, &place, &wanted).await.map(Some)
}

async fn send(subject: &Subject, place: &str, wanted: &Value) -> Result<Registered, Problem> {
    let url = http::address(place)?;
    let request = format!("POST {}", http::shown(&url));
    let host = clean::line(url.host_str().unwrap_or_default(), 200);
    let trouble = |error: &reqwest::Error| Trouble::of(error).problem(&subject.vendor(), &request, &host, &http::innermost(error));
    let mut builder = http::client_for(&url)?
        .post(url.clone())
        .timeout(TIMEOUT)
        .header("accept", "application/json")
        .header("content-type", "application/json")
        .body(wanted.to_string());
    if let Some(token) = subject.input(INITIAL) {
        builder = builder.bearer_auth(token);
    }
    let response = builder.send().await.map_err(|error| trouble(&error))?;
    let status = response.status().as_u16();
    let body = match http::body(response, 1 << 20).await {
        Ok(body) => body,
        Err(http::BodyError::Broken(error)) => return Err(trouble(&error)),
        Err(http::BodyError::TooLarge(_)) => bytes::Bytes::new(),
    };
    let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let client_id = text("client_id").filter(|id| clean::is_clean(id) && id.len() <= 500);
    let (Some(client_id), 200..=299) = (client_id, status) else {
        let said = Said::in_body(&body, &subject.hide());
        let reason = [said.message, said.error.clone()].into_iter().find(|text| !text.is_empty());
        let reason = reason.unwrap_or_else(|| crate::t!("auth.said.no_reason").to_owned());
        let problem = problem!(PersonMustAct, "auth.register.refused", vendor = subject.vendor(), status = status, reason = reason);
        return Err(if said.error.is_empty() { problem } else { problem.with_code(said.error) });
    };
    // RFC 7591 §3.2.1: 0 when it does not end.
    let ends = answer.get("client_secret_expires_at").and_then(Value::as_i64).filter(|at| *at > 0);
    let management = json!({"uri": text("registration_client_uri"), "token": text("registration_access_token")});
    Ok(Registered {
        client_id: client_id.to_owned(),
        client_secret: text("client_secret").map(Secret::new),
        secret_expires: ends.and_then(|at| Time::from_second(at).ok()),
        management: Secret::new(management.to_string()),
    })
}

/// Whether a draft may be without a client id: one is registered when it is needed, as far as that is known without asking anybody.
#[must_use]
pub fn possible(method: &AuthMethod, context: &Context) -> bool {
    matches!(method.kind, AuthKind::OAuth2Code | AuthKind::Device | AuthKind::ClientCredentials)
        && !matches!(method.client_auth, ClientAuth::PrivateKeyJwt | ClientAuth::Mtls)
        && endpoints::may_register(method, context)
}

/// Whether the client of this credential or draft was registered from here.
pub fn made(vault: &Vault, owner: &str) -> Result<bool, Problem> {
    Ok(vault.fields(owner)?.iter().any(|field| field == FIELD))
}

/// Takes the client back at the server (RFC 7592 §2.3). `false`: it was not registered from here. An error: the client is still there, or
/// the server knows it no more.
pub async fn withdraw(vault: &Vault, owner: &str, vendor: &str) -> Result<bool, Problem> {
    if !made(vault, owner)? {
        return Ok(false);
    }
    let held = vault.get(owner, FIELD)?.and_then(|text| serde_json::from_str::<Value>(text.expose()).ok()).unwrap_or_default();
    let text = |name: &str| held.get(name).and_then(Value::as_str);
    let (Some(uri), Some(token)) = (text("uri"), text("token")) else {
        return Err(problem!(Failed, "auth.withdraw.no_address", vendor = vendor));
    };
    let url = http::address(uri)?;
    let request = format!("DELETE {}", http::shown(&url));
    let host = clean::line(url.host_str().unwrap_or_default(), 200);
    let trouble = |error: &reqwest::Error| Trouble::of(error).problem(vendor, &request, &host, &http::innermost(error));
    let sent = http::client_for(&url)?.delete(url.clone()).timeout(WITHDRAWN_WITHIN).bearer_auth(token).send().await;
    let response = sent.map_err(|error| trouble(&error))?;
    let status = response.status().as_u16();
    if response.status().is_success() {
        return Ok(true);
    }
    let body = http::body(response, 1 << 20).await.unwrap_or_default();
    let said = Said::in_body(&body, &[token]);
    let reason = [said.message, said.error].into_iter().find(|text| !text.is_empty());
    let reason = reason.unwrap_or_else(|| crate::t!("auth.said.no_reason").to_owned());
    Err(problem!(Failed, "auth.withdraw.refused", vendor = vendor, status = status, reason = reason))
}
