//! Requests to the token and revocation endpoints (RFC 6749 §3.2, RFC 7009).

use std::time::{Duration, Instant};

use base64::Engine as _;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;
use url::form_urlencoded;

use super::delegation;
use super::endpoints;
use super::identity;
use super::jws::{self, Purpose};
use super::refusal::{self, Asked, At, Failure, Said};
use super::subject::Subject;
use super::tokens::{self, Received, Shape};
use crate::catalog::template;
use crate::model::{AuthKind, ClientAuth, CredentialStatus, Problem, ProblemKind, Secret, Time, TokenBody};
use crate::problem;
use crate::vendor::client::Outgoing;
use crate::vendor::http::{self, Trouble};
use crate::words::clean;

/// Token responses are a few kilobytes.
const LARGEST: usize = 1 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);

/// What is redeemed for tokens.
pub enum Grant<'a> {
    Code {
        code: &'a str,
        verifier: Option<&'a str>,
        redirect_uri: &'a str,
    },
    Refresh {
        token: &'a str,
        interrupted: bool,
    },
    Client,
    /// RFC 8628 §3.4.
    Device {
        code: &'a str,
    },
    /// RFC 7523 §2.1.
    Assertion {
        jwt: &'a str,
    },
    /// RFC 6749 §4.3.
    Password {
        username: &'a str,
        password: &'a str,
    },
}

/// A form; its values are secrets or stand beside them.
pub type Form = Vec<(String, Secret)>;

/// Asks for tokens. Every way in which it can fail says what is to be done.
pub async fn tokens(subject: &Subject, grant: &Grant<'_>) -> Result<Received, Failure> {
    let method = subject.method();
    let (asked, address, extra) = match grant {
        Grant::Code { .. } => (Asked::Code, endpoints::token(subject).await?, "token"),
        Grant::Refresh { interrupted, .. } => (Asked::Refresh { interrupted: *interrupted }, endpoints::refresh(subject).await?, "refresh"),
        Grant::Client => (Asked::Client, endpoints::token(subject).await?, "token"),
        Grant::Assertion { .. } => (Asked::Assertion, endpoints::token(subject).await?, "token"),
        Grant::Password { .. } => (Asked::Password, endpoints::token(subject).await?, "token"),
        Grant::Device { .. } => (Asked::Device, endpoints::token(subject).await?, "token"),
    };
    let mut form: Form = Vec::new();
    let mut hide: Vec<&str> = subject.hide();
    match grant {
        Grant::Code { code, verifier, redirect_uri } => {
            put(&mut form, "grant_type", "authorization_code");
            put(&mut form, "code", code);
            put(&mut form, "redirect_uri", redirect_uri);
            hide.push(code);
            if let Some(verifier) = verifier {
                put(&mut form, "code_verifier", verifier);
                hide.push(verifier);
            }
        }
        Grant::Refresh { token, .. } => {
            put(&mut form, "grant_type", "refresh_token");
            put(&mut form, "refresh_token", token);
            hide.push(token);
        }
        Grant::Device { code } => {
            put(&mut form, "grant_type", "urn:ietf:params:oauth:grant-type:device_code");
            put(&mut form, "device_code", code);
            hide.push(code);
        }
        Grant::Client => {
            put(&mut form, "grant_type", "client_credentials");
        }
        Grant::Assertion { jwt } => {
            put(&mut form, "grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
            put(&mut form, "assertion", jwt);
            hide.push(jwt);
        }
        Grant::Password { username, password } => {
            put(&mut form, "grant_type", "password");
            put(&mut form, "username", username);
            put(&mut form, "password", password);
            hide.push(password);
        }
    }
    let asks = match grant {
        Grant::Client | Grant::Password { .. } => true,
        // Where the assertion itself asks for them, the request does not.
        Grant::Assertion { .. } => method.jwt.as_ref().is_none_or(|jwt| jwt.scope_claim.is_none()),
        Grant::Code { .. } | Grant::Refresh { .. } | Grant::Device { .. } => false,
    };
    if asks && !subject.scopes.is_empty() {
        put(&mut form, method.scopes.param.as_deref().unwrap_or("scope"), &subject.scopes.join(subject.separator()));
    }
    let proof = Proof::of(subject).await?;
    for (name, value) in &proof.form {
        put(&mut form, name, value.expose());
    }
    for (name, _) in &mut form {
        if let Some(other) = method.rename.get(name) {
            name.clone_from(other);
        }
    }
    for (name, value) in method.params.get(extra).into_iter().flatten() {
        put(&mut form, name, &template::render(value, &subject.context)?);
    }
    let scopes = subject.scopes.join(" ");
    let vendor = subject.vendor();
    let answer = deliver(subject, &address, &form, method.token_body, &proof).await?;
    let url = &answer.url;
    let at = At { vendor: &vendor, host: url.host_str().unwrap_or_default(), scopes: &scopes };

    let well = (200..300).contains(&answer.status);
    if well {
        // Before anything is read in it: what follows may fail, and the token that was sent is spent.
        subject.came(&answer.content_type, &answer.body)?;
    }
    let (form_encoded, json) = opened(&answer.content_type, &answer.body);
    if well && let Some(received) = read(subject, &json, Time::now()) {
        return Ok(received);
    }
    let said = if form_encoded { Said::in_body(json.to_string().as_bytes(), &hide) } else { Said::in_body(&answer.body, &hide) };
    let html = answer.content_type.contains("html") || answer.body.trim_ascii_start().starts_with(b"<");
    let mut failure = refusal::of_token(&at, asked, answer.status, html, &said);
    failure.request = Some(answer.request);
    failure.http = Some(answer.status);
    failure.milliseconds = answer.milliseconds;
    Err(failure)
}

/// Reads an answer that was kept as it came at `at`. `None`: there is no access token in it.
pub fn read_kept(subject: &Subject, content_type: &str, body: &[u8], at: Time) -> Option<Received> {
    if subject.method().delegates() {
        return delegation::read(subject, body, at);
    }
    read(subject, &opened(content_type, body).1, at)
}

/// The members of an answer, and whether it was a form.
fn opened(content_type: &str, body: &[u8]) -> (bool, Value) {
    if content_type.starts_with("application/x-www-form-urlencoded") {
        // What GitHub sends to those who do not ask for JSON.
        (true, form_urlencoded::parse(body).map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect())
    } else {
        (false, serde_json::from_slice(body).unwrap_or_default())
    }
}

fn read(subject: &Subject, json: &Value, at: Time) -> Option<Received> {
    let method = subject.method();
    let shape = Shape {
        response: &method.response,
        separator: subject.separator(),
        access_lifetime: tokens::lifetime(method.lifetime.access.as_deref()),
        refresh_lifetime: tokens::lifetime(method.lifetime.refresh.as_deref()),
    };
    tokens::read(json, &shape, at)
}

/// Revokes a token (RFC 7009). 200 also means that the server did not know it.
pub async fn revoke(subject: &Subject, address: &str, token: &str, hint: &str) -> Result<(), Problem> {
    let mut form: Form = Vec::new();
    put(&mut form, "token", token);
    put(&mut form, "token_type_hint", hint);
    let answer = send(subject, address, form).await.map_err(|failure| failure.problem)?;
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let mut hide = subject.hide();
    hide.push(token);
    let said = Said::in_body(&answer.body, &hide);
    let reason = if said.message.is_empty() { said.error.clone() } else { said.message };
    let reason = if reason.is_empty() { crate::t!("auth.said.no_reason").to_owned() } else { reason };
    let problem = problem!(Failed, "auth.not_revoked", vendor = subject.vendor(), status = answer.status, reason = reason);
    Err(if said.error.is_empty() { problem } else { problem.with_code(said.error) })
}

pub struct Answer {
    pub url: Url,
    /// `POST https://…`, fit to show.
    pub request: String,
    pub status: u16,
    pub content_type: String,
    pub body: bytes::Bytes,
    pub milliseconds: u64,
}

/// How the client proves itself (RFC 6749 §2.3).
#[derive(Default)]
struct Proof {
    form: Form,
    /// The `Authorization` header: `Basic …`, or a signature.
    header: Option<Secret>,
}

impl Proof {
    async fn of(subject: &Subject) -> Result<Self, Failure> {
        let (kind, how) = (subject.method().kind, subject.method().client_auth);
        // An assertion or a password may be all that the server wants; a client without a name is none.
        let optional = matches!(kind, AuthKind::JwtBearer | AuthKind::Password);
        let id = match (subject.input("client_id"), how) {
            (_, ClientAuth::None) if kind == AuthKind::JwtBearer => return Ok(Self::default()),
            (Some(id), _) => id,
            (None, ClientAuth::None | ClientAuth::Basic | ClientAuth::Post) if optional => return Ok(Self::default()),
            (None, _) => subject.required("client_id").map_err(unsent)?,
        };
        let mut proof = Self::default();
        match (how, subject.input("client_secret")) {
            (ClientAuth::Basic, Some(secret)) => {
                // Both parts are form-encoded first, so that a colon in one cannot end it.
                let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = zeroize::Zeroizing::new(format!("{}:{}", encode(id), encode(secret)));
                let encoded = zeroize::Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(pair.as_bytes()));
                proof.header = Some(Secret::new(format!("Basic {}", encoded.as_str())));
            }
            (ClientAuth::Post, Some(secret)) => {
                put(&mut proof.form, "client_id", id);
                put(&mut proof.form, "client_secret", secret);
            }
            (ClientAuth::PrivateKeyJwt, _) => {
                let audience = endpoints::token(subject).await.map_err(unsent)?;
                let signed = jws::sign(subject, Purpose::Client { id, audience: &audience }).map_err(unsent)?;
                put(&mut proof.form, "client_id", id);
                put(&mut proof.form, "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                put(&mut proof.form, "client_assertion", signed.token.expose());
            }
            // Also with a certificate the client says who it is (RFC 8705 §2).
            _ => put(&mut proof.form, "client_id", id),
        }
        Ok(proof)
    }
}

/// What is wrong before anything is sent stays wrong until somebody mends it.
pub fn unsent(problem: Problem) -> Failure {
    let status = if problem.kind == ProblemKind::Usage { CredentialStatus::Refused } else { CredentialStatus::Unknown };
    Failure::new(problem, status)
}

/// Sends a form to the authorization server with the client's own authentication.
pub async fn send(subject: &Subject, address: &str, mut form: Form) -> Result<Answer, Failure> {
    let proof = Proof::of(subject).await?;
    for (name, value) in &proof.form {
        put(&mut form, name, value.expose());
    }
    deliver(subject, address, &form, TokenBody::Form, &proof).await
}

/// Sends a form with the signature that `sign` makes for it in its header (RFC 5849 §3.5.1).
pub async fn signed(subject: &Subject, address: &str, form: &Form, sign: impl FnOnce(&Outgoing<'_>) -> Secret) -> Result<Answer, Failure> {
    let (url, body) = (http::address(address)?, encoded(form));
    let content_type = Some("application/x-www-form-urlencoded");
    let header = sign(&Outgoing { method: "POST", url: &url, headers: &HeaderMap::new(), body: body.as_bytes(), content_type });
    let proof = Proof { form: Form::new(), header: Some(header) };
    deliver(subject, address, form, TokenBody::Form, &proof).await
}

async fn deliver(subject: &Subject, address: &str, form: &Form, how: TokenBody, proof: &Proof) -> Result<Answer, Failure> {
    let url = http::address(address)?;
    // Without what a query may hold.
    let request = format!("POST {}", http::shown(&url));
    let mut whole = url.clone();
    let (kind, body) = match how {
        TokenBody::Form => ("application/x-www-form-urlencoded", encoded(form)),
        TokenBody::Json => ("application/json", json(form)),
        TokenBody::Query => {
            whole.query_pairs_mut().extend_pairs(form.iter().map(|(name, value)| (name, value.expose())));
            ("", zeroize::Zeroizing::default())
        }
    };
    let mut headers = HeaderMap::new();
    let mut head = |name: &str, value: &str| -> Result<(), Problem> {
        let bad = || problem!(Usage, "vendor.header", vendor = subject.vendor(), name = clean::line(name, 60));
        let mut header = HeaderValue::from_str(value).map_err(|_| bad())?;
        header.set_sensitive(true);
        headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?, header);
        Ok(())
    };
    // OAuth 1.0a answers with a form (RFC 5849 §2.1), whatever its Content-Type says.
    head("accept", if subject.method().kind == AuthKind::OAuth1 { "*/*" } else { "application/json" })?;
    if !kind.is_empty() {
        head("content-type", kind)?;
    }
    if let Some(value) = &proof.header {
        head("authorization", value.expose())?;
    }
    for (name, value) in &subject.method().token_headers {
        let value = template::render(value, &subject.context)?;
        if !value.is_empty() {
            head(name, &value)?;
        }
    }
    let started = Instant::now();
    let trouble = |error: &reqwest::Error| {
        let host = clean::line(url.host_str().unwrap_or_default(), 200);
        let problem = Trouble::of(error).problem(&subject.vendor(), &request, &host, &http::innermost(error));
        Failure { request: Some(request.clone()), milliseconds: millis(started), ..Failure::new(problem, CredentialStatus::Unknown) }
    };
    let attempt = || async {
        let client = identity::client(subject, &whole)?;
        let builder = client.post(whole.clone()).timeout(TIMEOUT).headers(headers.clone()).body(body.as_bytes().to_vec());
        Ok::<_, Problem>(builder.send().await)
    };
    let mut sent = attempt().await?;
    // Nothing was sent when there was no connection, so a second try cannot redeem anything twice.
    if sent.as_ref().is_err_and(|error| Trouble::of(error) == Trouble::Connect) {
        tokio::time::sleep(Duration::from_millis(250)).await;
        sent = attempt().await?;
    }
    let response = sent.map_err(|error| trouble(&error))?;
    let status = response.status().as_u16();
    let content_type = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default().trim().to_ascii_lowercase();
    let body = match http::body(response, LARGEST).await {
        Ok(body) => body,
        Err(http::BodyError::Broken(error)) => return Err(trouble(&error)),
        Err(http::BodyError::TooLarge(_)) => bytes::Bytes::new(),
    };
    let milliseconds = millis(started);
    Ok(Answer { request, url, status, content_type, body, milliseconds })
}

fn encoded(form: &Form) -> zeroize::Zeroizing<String> {
    let mut body = form_urlencoded::Serializer::new(String::new());
    for (name, value) in form {
        body.append_pair(name, value.expose());
    }
    zeroize::Zeroizing::new(body.finish())
}

fn json(form: &Form) -> zeroize::Zeroizing<String> {
    let object: serde_json::Map<String, Value> = form.iter().map(|(name, value)| (name.clone(), Value::String(value.expose().to_owned()))).collect();
    zeroize::Zeroizing::new(Value::Object(object).to_string())
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Sets a parameter; RFC 6749 §3.2 allows none twice. One without a value is not sent (§3.1).
pub fn put(form: &mut Form, name: &str, value: &str) {
    form.retain(|(known, _)| known != name);
    if !value.is_empty() {
        form.push((name.to_owned(), Secret::new(value)));
    }
}
