//! Requests to the token and revocation endpoints (RFC 6749 §3.2, RFC 7009).

use std::time::{Duration, Instant};

use base64::Engine as _;
use serde_json::Value;
use url::Url;
use url::form_urlencoded;

use super::endpoints;
use super::identity;
use super::refusal::{self, Asked, At, Failure, Said};
use super::subject::Subject;
use super::tokens::{self, Received, Shape};
use crate::catalog::template;
use crate::model::{ClientAuth, CredentialStatus, Problem, Secret, Time};
use crate::problem;
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
            if !subject.scopes.is_empty() {
                put(&mut form, "scope", &subject.scopes.join(subject.separator()));
            }
        }
    }
    for (name, value) in method.params.get(extra).into_iter().flatten() {
        put(&mut form, name, &template::render(value, &subject.context)?);
    }
    let scopes = subject.scopes.join(" ");
    let vendor = subject.vendor();
    let answer = send(subject, &address, form).await?;
    let url = &answer.url;
    let at = At { vendor: &vendor, host: url.host_str().unwrap_or_default(), scopes: &scopes };

    let form_encoded = answer.content_type.starts_with("application/x-www-form-urlencoded");
    let json: Value = if form_encoded {
        // What GitHub sends to those who do not ask for JSON.
        form_urlencoded::parse(&answer.body).map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect()
    } else {
        serde_json::from_slice(&answer.body).unwrap_or_default()
    };
    let shape = Shape {
        response: &method.response,
        separator: subject.separator(),
        access_lifetime: tokens::lifetime(method.lifetime.access.as_deref()),
        refresh_lifetime: tokens::lifetime(method.lifetime.refresh.as_deref()),
    };
    if (200..300).contains(&answer.status)
        && let Some(received) = tokens::read(&json, &shape, Time::now())
    {
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
    content_type: String,
    pub body: bytes::Bytes,
    milliseconds: u64,
}

/// Sends a form with the client's own authentication (RFC 6749 §2.3.1).
pub async fn send(subject: &Subject, address: &str, mut form: Form) -> Result<Answer, Failure> {
    let url = http::address(address)?;
    let client_id = subject.required("client_id")?;
    let secret = subject.input("client_secret");
    let basic = match (subject.method().client_auth, secret) {
        (ClientAuth::Basic, Some(secret)) => {
            // Both parts are form-encoded first, so that a colon in one cannot end it.
            let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
            let pair = zeroize::Zeroizing::new(format!("{}:{}", encode(client_id), encode(secret)));
            Some(base64::engine::general_purpose::STANDARD.encode(pair.as_bytes()))
        }
        (ClientAuth::Post, Some(secret)) => {
            put(&mut form, "client_id", client_id);
            put(&mut form, "client_secret", secret);
            None
        }
        _ => {
            put(&mut form, "client_id", client_id);
            None
        }
    };
    let body = encoded(&form);
    let request = format!("POST {}", http::shown(&url));
    let started = Instant::now();
    let trouble = |error: &reqwest::Error| {
        let host = clean::line(url.host_str().unwrap_or_default(), 200);
        let problem = Trouble::of(error).problem(&subject.vendor(), &request, &host, &http::innermost(error));
        Failure { request: Some(request.clone()), milliseconds: millis(started), ..Failure::new(problem, CredentialStatus::Unknown) }
    };
    let attempt = || async {
        let mut builder = identity::client(subject, &url)?
            .post(url.clone())
            .timeout(TIMEOUT)
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body.as_bytes().to_vec());
        if let Some(basic) = &basic {
            builder = builder.header("authorization", format!("Basic {basic}"));
        }
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

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Sets a parameter; RFC 6749 §3.2 allows none twice.
pub fn put(form: &mut Form, name: &str, value: &str) {
    form.retain(|(known, _)| known != name);
    form.push((name.to_owned(), Secret::new(value)));
}
