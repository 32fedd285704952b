//! The practice authorization server: RFC 6749 with PKCE (RFC 7636, S256 only), revocation (RFC 7009), metadata (RFC 8414), `iss` in the
//! answer (RFC 9207); device codes, registration and pushed requests are in `device` and `clients`. A refresh token is used once; using it twice revokes everything that came from the same consent (RFC 9700 §4.14.2),
//! and so does using a code twice (RFC 6749 §4.1.2).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::OsRng;
use chacha20poly1305::aead::rand_core::RngCore;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::{Host, Url};

use super::clients::Clients;
use super::device::{self, Devices};
use super::page;
use super::server::{Call, Reply, find};
use crate::t;

/// How long a code may wait to be redeemed (RFC 6749 §4.1.2 recommends at most ten minutes).
const CODE_LIFETIME: Duration = Duration::from_mins(10);

pub struct Server {
    issuer: String,
    lifetime: Duration,
    /// Consent pages that were shown and not answered.
    asked: HashMap<String, Request>,
    codes: HashMap<String, Code>,
    access: HashMap<String, Access>,
    refresh: HashMap<String, Refresh>,
    families: u64,
    pub(super) clients: Clients,
    pub(super) devices: Devices,
}

/// An authorization request that is in order.
#[derive(Clone)]
struct Request {
    client: String,
    redirect: Url,
    scope: String,
    state: Option<String>,
    challenge: String,
}

struct Code {
    request: Request,
    issued: Instant,
    /// The tokens it was redeemed for.
    family: Option<u64>,
}

struct Access {
    family: u64,
    ends: Instant,
}

struct Refresh {
    family: u64,
    scope: String,
    used: bool,
}

/// What an access token is worth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Checked {
    Valid,
    Expired,
    Unknown,
}

/// What becomes of an authorization request.
pub enum Asked {
    /// A page says why; the browser is sent nowhere (RFC 6749 §4.1.2.1).
    Refused(String),
    /// The client is told at its redirect URI.
    Redirect(String),
    Consent(Consent),
}

pub struct Consent {
    pub ticket: String,
    client: String,
    scopes: Vec<String>,
    goes_to: String,
}

pub(super) fn random() -> String {
    let mut bytes = [0; 24];
    OsRng.fill_bytes(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

impl Server {
    pub fn new(issuer: &str, lifetime: Duration) -> Self {
        Self {
            issuer: issuer.to_owned(),
            lifetime,
            asked: HashMap::new(),
            codes: HashMap::new(),
            access: HashMap::new(),
            refresh: HashMap::new(),
            families: 0,
            clients: Clients::default(),
            devices: Devices::default(),
        }
    }

    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    pub fn check(&self, token: &str) -> Checked {
        match self.access.get(token) {
            None => Checked::Unknown,
            Some(access) if access.ends <= Instant::now() => Checked::Expired,
            Some(_) => Checked::Valid,
        }
    }

    pub fn expire_access_tokens(&mut self) {
        let now = Instant::now();
        for access in self.access.values_mut() {
            access.ends = now;
        }
    }

    pub fn revoke_all(&mut self) {
        self.access.clear();
        self.refresh.clear();
        self.codes.clear();
    }

    fn revoke_family(&mut self, family: u64) {
        self.access.retain(|_, access| access.family != family);
        self.refresh.retain(|_, refresh| refresh.family != family);
    }

    /// Looks at an authorization request, or at the one that it names (RFC 9126 §4).
    pub fn ask(&mut self, query: &[(String, String)]) -> Asked {
        let client = find(query, "client_id").unwrap_or("").to_owned();
        let Some(name) = self.clients.name(&client) else {
            return Asked::Refused(t!("practice.oauth.client", client = crate::words::clean::line(&client, 60), known = super::CLIENT_ID));
        };
        let pushed = match find(query, "request_uri") {
            Some(uri) => match self.clients.pushed(uri, &client) {
                Some(parameters) => Some(parameters),
                None => return Asked::Refused(t!("practice.oauth.pushed").to_owned()),
            },
            None => None,
        };
        let query = pushed.as_deref().unwrap_or(query);
        let Some(redirect) = find(query, "redirect_uri").and_then(|uri| Url::parse(uri).ok()).filter(redirect_allowed) else {
            return Asked::Refused(t!("practice.oauth.redirect").to_owned());
        };
        let state = find(query, "state").map(str::to_owned);
        let (scope, challenge) = match self.in_order(query) {
            Ok(request) => request,
            Err(Denied { error, text, .. }) => {
                return Asked::Redirect(self.answer(&redirect, state.as_deref(), &[("error", error), ("error_description", text)]));
            }
        };
        let ticket = random();
        let consent = Consent {
            ticket: ticket.clone(),
            client: name,
            scopes: scope.split(' ').filter(|scope| !scope.is_empty()).map(str::to_owned).collect(),
            goes_to: redirect.to_string(),
        };
        self.asked.insert(ticket, Request { client, redirect, scope, state, challenge });
        Asked::Consent(consent)
    }

    /// The scope and the challenge of a request that is in order.
    pub fn in_order(&self, query: &[(String, String)]) -> Result<(String, String), Denied> {
        let denied = |error, text| Err(Denied { status: 400, error, text });
        // A parameter that is there twice is an error (RFC 6749 §3.1).
        if query.iter().enumerate().any(|(i, (name, _))| query[..i].iter().any(|(earlier, _)| earlier == name)) {
            return denied("invalid_request", "A parameter is given more than once.");
        }
        if find(query, "response_type") != Some("code") {
            return denied("unsupported_response_type", "Only response_type=code is known here.");
        }
        let challenge = match (find(query, "code_challenge"), find(query, "code_challenge_method")) {
            (Some(challenge), Some("S256")) if challenge.len() == 43 => challenge.to_owned(),
            (Some(_), Some("S256")) => return denied("invalid_request", "The code_challenge is not a SHA-256 in base64url."),
            (Some(_), _) => return denied("invalid_request", "The code_challenge_method must be S256."),
            (None, _) => return denied("invalid_request", "PKCE is required: code_challenge is missing."),
        };
        let scope = find(query, "scope").unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ");
        if !scope.bytes().all(|byte| (0x20..0x7f).contains(&byte) && byte != b'"' && byte != b'\\') {
            return denied("invalid_scope", "A scope has characters that scopes may not have.");
        }
        Ok((scope, challenge))
    }

    /// A person has decided; where the browser goes. `None` for a page that was answered already.
    pub fn decide(&mut self, ticket: &str, approve: bool) -> Option<String> {
        let request = self.asked.remove(ticket)?;
        let (redirect, state) = (request.redirect.clone(), request.state.clone());
        if !approve {
            let refused = [("error", "access_denied"), ("error_description", "The person did not consent.")];
            return Some(self.answer(&redirect, state.as_deref(), &refused));
        }
        let code = format!("practice-code-{}", random());
        self.codes.insert(code.clone(), Code { request, issued: Instant::now(), family: None });
        Some(self.answer(&redirect, state.as_deref(), &[("code", &code)]))
    }

    fn answer(&self, redirect: &Url, state: Option<&str>, params: &[(&str, &str)]) -> String {
        let mut address = redirect.clone();
        address.query_pairs_mut().extend_pairs(params).extend_pairs(state.map(|state| ("state", state))).append_pair("iss", &self.issuer);
        address.to_string()
    }

    /// New tokens; with a refresh token when somebody consented.
    fn issue(&mut self, family: u64, scope: &str, refreshable: bool) -> Value {
        let access = format!("practice-access-{}", random());
        self.access.insert(access.clone(), Access { family, ends: Instant::now() + self.lifetime });
        let mut tokens = json!({"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime.as_secs()});
        if !scope.is_empty() {
            tokens["scope"] = scope.into();
        }
        if refreshable {
            let refresh = format!("practice-refresh-{}", random());
            self.refresh.insert(refresh.clone(), Refresh { family, scope: scope.to_owned(), used: false });
            tokens["refresh_token"] = refresh.into();
        }
        tokens
    }

    fn new_family(&mut self) -> u64 {
        self.families += 1;
        self.families
    }

    fn redeem(&mut self, client: &str, form: &[(String, String)]) -> Result<Value, Denied> {
        let code = find(form, "code").ok_or(Denied::request("The code is missing."))?;
        let Some(known) = self.codes.get(code) else { return Err(Denied::grant("The code is unknown.")) };
        if let Some(family) = known.family {
            self.revoke_family(family);
            return Err(Denied::grant("The code was used before; the tokens it gave are revoked."));
        }
        let request = known.request.clone();
        if request.client != client {
            return Err(Denied::grant("The code was given to another client."));
        }
        if known.issued.elapsed() > CODE_LIFETIME {
            return Err(Denied::grant("The code has expired."));
        }
        if find(form, "redirect_uri").and_then(|uri| Url::parse(uri).ok()).as_ref() != Some(&request.redirect) {
            return Err(Denied::grant("The redirect_uri is not the one of the authorization request."));
        }
        let verifier = find(form, "code_verifier").ok_or(Denied::grant("The code_verifier is missing."))?;
        if URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes())) != request.challenge {
            return Err(Denied::grant("The code_verifier does not fit the code_challenge."));
        }
        let family = self.new_family();
        if let Some(known) = self.codes.get_mut(code) {
            known.family = Some(family);
        }
        Ok(self.issue(family, &request.scope, true))
    }

    fn renew(&mut self, form: &[(String, String)]) -> Result<Value, Denied> {
        let token = find(form, "refresh_token").ok_or(Denied::request("The refresh_token is missing."))?;
        let Some(known) = self.refresh.get_mut(token) else { return Err(Denied::grant("The refresh token is unknown or was revoked.")) };
        let (family, granted) = (known.family, known.scope.clone());
        if std::mem::replace(&mut known.used, true) {
            self.revoke_family(family);
            return Err(Denied::grant("The refresh token was used before; everything from the same consent is revoked."));
        }
        // It may ask for less, not for more (RFC 6749 §6).
        let scope = find(form, "scope").map_or(granted.clone(), |scope| scope.split_whitespace().collect::<Vec<_>>().join(" "));
        if scope.split(' ').any(|scope| !scope.is_empty() && granted.split(' ').all(|granted| granted != scope)) {
            if let Some(known) = self.refresh.get_mut(token) {
                known.used = false;
            }
            return Err(Denied { status: 400, error: "invalid_scope", text: "The scope is wider than what was granted." });
        }
        Ok(self.issue(family, &scope, true))
    }
}

/// Native apps listen on any loopback port (RFC 8252 §7.3).
pub(super) fn redirect_allowed(uri: &Url) -> bool {
    let loopback = match uri.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    uri.scheme() == "http" && loopback && uri.fragment().is_none() && uri.username().is_empty()
}

/// RFC 6749 §5.2.
pub(super) struct Denied {
    pub status: u16,
    pub error: &'static str,
    pub text: &'static str,
}

impl Denied {
    pub fn request(text: &'static str) -> Self {
        Self { status: 400, error: "invalid_request", text }
    }

    pub fn grant(text: &'static str) -> Self {
        Self { status: 400, error: "invalid_grant", text }
    }

    pub fn reply(&self) -> Reply {
        let reply = Reply::json(self.status, &json!({"error": self.error, "error_description": self.text})).with("cache-control", "no-store");
        if self.status == 401 { reply.with("www-authenticate", "Basic realm=\"practice\"") } else { reply }
    }
}

pub fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/oauth/authorize"),
        "token_endpoint": format!("{issuer}/oauth/token"),
        "revocation_endpoint": format!("{issuer}/oauth/revoke"),
        "device_authorization_endpoint": format!("{issuer}/oauth/device_authorization"),
        "pushed_authorization_request_endpoint": format!("{issuer}/oauth/par"),
        "registration_endpoint": format!("{issuer}/oauth/register"),
        "response_types_supported": ["code"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", device::GRANT],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post", "none"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
        "authorization_response_iss_parameter_supported": true,
    })
}

pub fn authorize(server: &mut Server, call: &Call) -> Reply {
    match server.ask(&call.query) {
        Asked::Refused(reason) => Reply::html(400, page::refused(&reason)),
        Asked::Redirect(address) => Reply::to(address),
        Asked::Consent(consent) => {
            Reply::html(200, page::consent(&consent.client, &consent.scopes, &consent.goes_to, &consent.ticket)).with("cache-control", "no-store")
        }
    }
}

pub fn decided(server: &mut Server, call: &Call) -> Reply {
    let form = call.form();
    let (ticket, decision) = (find(&form, "ticket").unwrap_or(""), find(&form, "decision"));
    let approve = match decision {
        Some("approve") => true,
        Some("refuse") => false,
        _ => return Reply::html(400, page::refused(t!("practice.oauth.decision"))),
    };
    server.decide(ticket, approve).map_or_else(|| Reply::html(400, page::refused(t!("practice.oauth.answered"))), Reply::to)
}

impl Server {
    /// The client proves itself by HTTP Basic or in the body, not both (RFC 6749 §2.3). Its identifier.
    pub fn client(&self, call: &Call, form: &[(String, String)]) -> Result<String, Denied> {
        let decode = |text: &str| url::form_urlencoded::parse(text.as_bytes()).next().map(|(text, _)| text.into_owned()).unwrap_or_default();
        let basic = call.header("authorization").and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
        let (id, secret) = match basic {
            Some((_, encoded)) => {
                if find(form, "client_secret").is_some() {
                    return Err(Denied::request("The client proves itself twice."));
                }
                let text = STANDARD.decode(encoded.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default();
                let (id, secret) = text.split_once(':').unwrap_or((&text, ""));
                (decode(id), decode(secret))
            }
            None => (find(form, "client_id").unwrap_or("").to_owned(), find(form, "client_secret").unwrap_or("").to_owned()),
        };
        self.clients.proves(&id, &secret).map_err(|text| Denied { status: 401, error: "invalid_client", text })?;
        Ok(id)
    }
}

pub fn token(server: &mut Server, call: &Call) -> Reply {
    let form = call.form();
    let granted = server.client(call, &form).and_then(|client| match find(&form, "grant_type") {
        Some("authorization_code") => server.redeem(&client, &form),
        Some(device::GRANT) => {
            let scope = server.devices.redeem(&client, &form)?;
            let family = server.new_family();
            Ok(server.issue(family, &scope, true))
        }
        Some("refresh_token") => server.renew(&form),
        Some("client_credentials") => {
            let family = server.new_family();
            let scope = find(&form, "scope").unwrap_or("").to_owned();
            Ok(server.issue(family, &scope, false))
        }
        Some(_) => Err(Denied { status: 400, error: "unsupported_grant_type", text: "This grant is not known here." }),
        None => Err(Denied::request("The grant_type is missing.")),
    });
    match granted {
        Ok(tokens) => Reply::json(200, &tokens).with("cache-control", "no-store"),
        Err(denied) => denied.reply(),
    }
}

/// RFC 7009: a token that is unknown is as good as revoked.
pub fn revoke(server: &mut Server, call: &Call) -> Reply {
    let form = call.form();
    if let Err(denied) = server.client(call, &form) {
        return denied.reply();
    }
    let Some(token) = find(&form, "token") else { return Denied::request("The token is missing.").reply() };
    if let Some(family) = server.refresh.get(token).map(|refresh| refresh.family) {
        server.revoke_family(family);
    }
    server.access.remove(token);
    Reply::empty(200)
}
