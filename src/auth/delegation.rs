//! Redirection-based authorization of OAuth 1.0a (RFC 5849 §2): temporary credentials, and the token that they become once a person agreed.

use serde_json::Value;
use url::{Url, form_urlencoded};

use super::authorization;
use super::oauth1::{self, Keys, Once, Signer};
use super::refusal::{Failure, Said};
use super::request::{self, Answer, Form};
use super::subject::Subject;
use super::tokens::{self, Received, Shape};
use crate::catalog::{addresses, template};
use crate::model::{CredentialStatus, OAuth1Signature, Problem, Secret, Time, TokenResponse};
use crate::problem;
use crate::vendor::http;
use crate::words::clean;

/// In place of a redirect URI, where the vendor shows the verifier to the person (§2.1).
pub const OUT_OF_BAND: &str = "oob";

/// What this credential signs with, and how.
pub struct Client {
    pub keys: Keys,
    pub method: OAuth1Signature,
    pub realm: Option<String>,
}

/// The client alone, without a token.
pub fn client(subject: &Subject) -> Result<Client, Problem> {
    let plain = subject.method().oauth1.clone().unwrap_or_default();
    let realm = plain.realm.as_deref().map(|realm| template::render(realm, &subject.context)).transpose()?;
    let consumer_key = subject.required("consumer_key")?.to_owned();
    let consumer_secret = Secret::new(subject.required("consumer_secret")?);
    Ok(Client { keys: Keys { consumer_key, consumer_secret, token: None, token_secret: None }, method: plain.signature, realm })
}

/// Where the flow begins.
pub struct Places {
    pub request: String,
    pub authorize: Url,
}

/// The addresses of the first two requests. That the token address is missing is told before a person has consented.
pub fn places(subject: &Subject) -> Result<Places, Problem> {
    let (method, context) = (subject.method(), &subject.context);
    addresses::token_url(method, context)?;
    Ok(Places { request: addresses::request_url(method, context)?, authorize: http::address(&addresses::authorize_url(method, context)?)? })
}

/// Temporary credentials (§2.1).
pub struct Temporary {
    pub token: String,
    pub secret: Secret,
}

/// Asks for temporary credentials whose answer goes to `callback`.
pub async fn temporary(subject: &Subject, address: &str, callback: &str) -> Result<Temporary, Problem> {
    let vendor = subject.vendor();
    let client = client(subject)?;
    let answer = send(subject, address, &client, &[("oauth_callback", callback)], "request").await.map_err(|failure| failure.problem)?;
    let host = clean::line(answer.url.host_str().unwrap_or_default(), 200);
    if !well(&answer) {
        let reason = said(&answer, &subject.hide());
        let callback = clean::line(callback, 200);
        let problem =
            problem!(Failed, "oauth1.request.refused", vendor = vendor, status = answer.status, reason = reason.reason(&host), callback = callback);
        return Err(if reason.error.is_empty() { problem } else { problem.with_code(reason.error) });
    }
    let body = opened(&answer.body);
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    let token = text("oauth_token").filter(|token| !token.is_empty() && token.len() <= 2_000 && clean::is_clean(token));
    let (Some(token), Some(secret)) = (token, text("oauth_token_secret")) else {
        return Err(problem!(Failed, "oauth1.request.unreadable", vendor = vendor, host = host));
    };
    // Without it the server speaks OAuth 1.0, where somebody else's consent can be slipped in (the OAuth security advisory 2009.1).
    if text("oauth_callback_confirmed").is_none_or(|confirmed| !confirmed.trim().eq_ignore_ascii_case("true")) {
        return Err(problem!(Failed, "oauth1.request.unconfirmed", vendor = vendor, host = host));
    }
    Ok(Temporary { token: token.to_owned(), secret: Secret::new(secret) })
}

/// What the person opens (§2.2).
pub fn address(subject: &Subject, authorize: &Url, token: &str) -> Result<Url, Problem> {
    let mut parameters = indexmap::IndexMap::new();
    for (name, value) in subject.method().params.get("authorize").into_iter().flatten() {
        let value = template::render(value, &subject.context)?;
        if !value.is_empty() {
            parameters.insert(name.clone(), value);
        }
    }
    parameters.insert("oauth_token".to_owned(), token.to_owned());
    Ok(authorization::with(authorize, &parameters))
}

/// Temporary credentials that a person agreed to.
pub struct Agreed<'a> {
    pub token: &'a str,
    pub secret: &'a Secret,
    pub verifier: &'a Secret,
}

/// Redeems them for the token (§2.3).
pub async fn tokens(subject: &Subject, agreed: &Agreed<'_>) -> Result<Received, Failure> {
    let address = addresses::token_url(subject.method(), &subject.context).map_err(request::unsent)?;
    let mut client = client(subject).map_err(request::unsent)?;
    client.keys.token = Some(agreed.token.to_owned());
    client.keys.token_secret = Some(agreed.secret.clone());
    let answer = send(subject, &address, &client, &[("oauth_verifier", agreed.verifier.expose())], "token").await?;
    if well(&answer) {
        // Before anything is read in it: the verifier is spent.
        subject.came(&answer.content_type, &answer.body)?;
        if let Some(received) = read(subject, &answer.body, Time::now()) {
            return Ok(received);
        }
    }
    let mut hide = subject.hide();
    hide.extend([agreed.secret.expose(), agreed.verifier.expose()]);
    let (vendor, host) = (subject.vendor(), clean::line(answer.url.host_str().unwrap_or_default(), 200));
    let reason = said(&answer, &hide);
    let (problem, status) = if well(&answer) {
        (problem!(Failed, "oauth1.token.unreadable", vendor = vendor, host = host), CredentialStatus::NeedsConsent)
    } else if answer.status == 429 || answer.status >= 500 {
        let reason = reason.reason(&host);
        (problem!(Failed, "oauth1.token.failed", vendor = vendor, status = answer.status, reason = reason), CredentialStatus::Unknown)
    } else {
        let reason = reason.reason(&host);
        (problem!(PersonMustAct, "oauth1.token.refused", vendor = vendor, status = answer.status, reason = reason), CredentialStatus::NeedsConsent)
    };
    let problem = if reason.error.is_empty() { problem } else { problem.with_code(reason.error.clone()) };
    let (request, http) = (Some(answer.request), Some(answer.status));
    Err(Failure { error: reason.error, request, http, milliseconds: answer.milliseconds, ..Failure::new(problem, status) })
}

/// Reads the answer to a token request. `None`: there are no token credentials in it.
pub fn read(subject: &Subject, body: &[u8], at: Time) -> Option<Received> {
    let method = subject.method();
    let access_lifetime = tokens::lifetime(method.lifetime.access.as_deref());
    received(&opened(body), &method.response, subject.separator(), access_lifetime, at)
}

fn received(body: &Value, own: &TokenResponse, separator: &str, access_lifetime: Option<jiff::SignedDuration>, at: Time) -> Option<Received> {
    let token_secret = body.get("oauth_token_secret")?.as_str()?.to_owned();
    let usual = |path: &Option<String>, usual: &str| Some(path.clone().unwrap_or_else(|| usual.to_owned()));
    let response = TokenResponse {
        access: usual(&own.access, "oauth_token"),
        // Of the Session extension; a token without an end lasts until it is revoked.
        expires: usual(&own.expires, "oauth_expires_in | oauth_authorization_expires_in"),
        ..own.clone()
    };
    let received = tokens::read(body, &Shape { response: &response, separator, access_lifetime, refresh_lifetime: None }, at)?;
    // Nothing but consent replaces it.
    Some(Received { token_secret: Some(token_secret), refresh: None, refresh_expires: None, id_token: None, ..received })
}

/// A signed request with `protocol` in its header, and the definition's parameters for it in its body.
async fn send(subject: &Subject, address: &str, client: &Client, protocol: &[(&str, &str)], extra: &str) -> Result<Answer, Failure> {
    let mut form = Form::new();
    for (name, value) in subject.method().params.get(extra).into_iter().flatten() {
        request::put(&mut form, name, &template::render(value, &subject.context)?);
    }
    let once = Once::now()?;
    let signer = Signer { keys: &client.keys, method: client.method, realm: client.realm.as_deref() };
    request::signed(subject, address, &form, |outgoing| oauth1::with(&signer, outgoing, &once, protocol)).await
}

fn well(answer: &Answer) -> bool {
    (200..300).contains(&answer.status)
}

/// The members of an answer: a form (§2.1), whatever it says it is, or JSON where a vendor prefers that.
fn opened(body: &[u8]) -> Value {
    match serde_json::from_slice::<Value>(body) {
        Ok(value @ Value::Object(_)) => value,
        _ => form_urlencoded::parse(body.trim_ascii()).map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect(),
    }
}

/// Why a request was refused: by the Problem Reporting extension, or in the vendor's own form.
fn said(answer: &Answer, hide: &[&str]) -> Said {
    let body = opened(&answer.body);
    match body.get("oauth_problem") {
        Some(error) => {
            let advice = body.get("oauth_problem_advice").cloned().unwrap_or_default();
            Said::in_body(serde_json::json!({"error": error, "error_description": advice}).to_string().as_bytes(), hide)
        }
        None => Said::in_body(&answer.body, hide),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::callback::{self, Answer as Judged, Expected, Names, Reply};
    use crate::auth::paste;

    fn now() -> Time {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn photos() -> Subject {
        let definition = r#"
            schema = 1
            id = "photos"
            name = "Photos"
            [auth.it]
            kind = "oauth1"
            name = "OAuth 1.0a"
            authorize_url = "https://photos.example.net/authorize?lang=en"
            token_url = "https://photos.example.net/token"
            params = { authorize = { name = "intertie", empty = "" } }
            oauth1 = { signature = "HMAC-SHA1", realm = "Photos", request_url = "https://photos.example.net/initiate" }
            [request]
            base_url = "https://photos.example.net"
        "#;
        let inputs = [("consumer_key", "dpf43f3p2l4k3l03"), ("consumer_secret", "kd94hf93k423kf44")];
        Subject::for_tests(toml::from_str(definition).unwrap(), "it", &inputs)
    }

    /// RFC 5849 §1.2: each step of its example.
    #[test]
    fn the_flow_of_rfc_5849_1_2() {
        let subject = photos();
        let places = places(&subject).unwrap();
        assert_eq!(places.request, "https://photos.example.net/initiate");
        let mut client = client(&subject).unwrap();
        let header = |client: &Client, address: &str, timestamp: i64, nonce: &str, more: &[(&str, &str)]| {
            let url = Url::parse(address).unwrap();
            let headers = reqwest::header::HeaderMap::new();
            let outgoing = crate::vendor::client::Outgoing { method: "POST", url: &url, headers: &headers, body: &[], content_type: None };
            let signer = Signer { keys: &client.keys, method: client.method, realm: client.realm.as_deref() };
            oauth1::with(&signer, &outgoing, &Once { timestamp, nonce: nonce.to_owned() }, more).expose().to_owned()
        };
        let asked = header(&client, &places.request, 137_131_200, "wIjqoS", &[("oauth_callback", "http://printer.example.com/ready")]);
        assert!(asked.contains("oauth_callback=\"http%3A%2F%2Fprinter.example.com%2Fready\"") && !asked.contains("oauth_token="), "{asked}");
        assert!(asked.starts_with("OAuth realm=\"Photos\", oauth_consumer_key=\"dpf43f3p2l4k3l03\""), "{asked}");

        let body = opened(b"oauth_token=hh5s93j4hdidpola&oauth_token_secret=hdhd0244k9j7ao03&oauth_callback_confirmed=true\n");
        assert_eq!((&body["oauth_token"], &body["oauth_callback_confirmed"]), (&Value::from("hh5s93j4hdidpola"), &Value::from("true")));
        let opens = address(&subject, &places.authorize, "hh5s93j4hdidpola").unwrap();
        assert_eq!(opens.as_str(), "https://photos.example.net/authorize?lang=en&name=intertie&oauth_token=hh5s93j4hdidpola");

        let names = callback::of_oauth1(&Names::new());
        let reply = Reply::read("oauth_token=hh5s93j4hdidpola&oauth_verifier=hfdp7dh39dks9884", &names);
        let Ok(Judged::Code(given)) = callback::judge(&expected(), &reply, now()) else { panic!("refused") };
        assert_eq!(given.code.expose(), "hfdp7dh39dks9884");

        client.keys.token = Some("hh5s93j4hdidpola".to_owned());
        client.keys.token_secret = Some(Secret::new("hdhd0244k9j7ao03"));
        let asked = header(&client, "https://photos.example.net/token", 137_131_201, "walatlh", &[("oauth_verifier", "hfdp7dh39dks9884")]);
        assert!(asked.contains("oauth_token=\"hh5s93j4hdidpola\"") && asked.contains("oauth_verifier=\"hfdp7dh39dks9884\""), "{asked}");

        let received = read(&subject, b"oauth_token=nnch734d00sl2jdk&oauth_token_secret=pfkkdhi9sl3r4s00", now()).unwrap();
        assert_eq!((received.access.as_str(), received.token_secret.as_deref()), ("nnch734d00sl2jdk", Some("pfkkdhi9sl3r4s00")));
        assert!(received.expires.is_none() && received.refresh.is_none());
    }

    #[test]
    fn token_credentials_and_their_end() {
        let own = TokenResponse { capture: [("user".to_owned(), "user_id".to_owned())].into_iter().collect(), ..TokenResponse::default() };
        let pair = "oauth_token=t&oauth_token_secret=s";
        for (body, expected) in [
            (pair.to_owned(), Some(None)),
            ("oauth_token=t&oauth_token_secret=".to_owned(), Some(None)),
            (format!("{pair}&oauth_expires_in=3600&oauth_authorization_expires_in=7200"), Some(Some(3600))),
            (format!("{pair}&oauth_authorization_expires_in=7200"), Some(Some(7200))),
            (format!("{pair}&oauth_expires_in=0"), Some(None)),
            (r#"{"oauth_token": "t", "oauth_token_secret": "s", "oauth_expires_in": 60}"#.to_owned(), Some(Some(60))),
            ("oauth_token=t".to_owned(), None),
            ("oauth_token=&oauth_token_secret=s".to_owned(), None),
            ("<html>".to_owned(), None),
            (String::new(), None),
        ] {
            let read = received(&opened(body.as_bytes()), &own, " ", None, now());
            let end = read.map(|received| received.expires.map(|end| end.duration_since(now()).as_secs()));
            assert_eq!(end, expected, "{body}");
        }
        let received = received(&opened(format!("{pair}&user_id=7").as_bytes()), &own, " ", None, now()).unwrap();
        assert_eq!(received.found["user"], "7");
    }

    fn expected() -> Expected {
        Expected {
            vendor: "Photos".into(),
            host: "photos.example.net".into(),
            state: "hh5s93j4hdidpola".into(),
            issuer: None,
            names_issuer: false,
            pkce: true,
            scopes: String::new(),
            expires: "2026-01-01T00:10:00Z".parse().unwrap(),
            names: callback::of_oauth1(&Names::new()),
            capture: Names::new(),
        }
    }

    #[test]
    fn whatever_is_pasted() {
        for (pasted, part) in [
            ("http://127.0.0.1:5000/callback?oauth_token=hh5s93j4hdidpola&oauth_verifier=abc", "code abc"),
            ("?oauth_verifier=abc&oauth_token=hh5s93j4hdidpola", "code abc"),
            ("oauth_token=hh5s93j4hdidpola&oauth_verifier=ab%2Bc", "code ab+c"),
            ("hfdp7dh39dks9884", "code hfdp7dh39dks9884"),
            (" 4711\n", "code 4711"),
            ("no", "neither"),
            ("oauth_token=another&oauth_verifier=abc", "another request"),
            ("oauth_verifier=abc", "no state"),
            ("https://photos.example.net/authorize?oauth_token=hh5s93j4hdidpola", "oauth_verifier= and oauth_token="),
            ("http://127.0.0.1:5000/callback?denied=hh5s93j4hdidpola", "refused access_denied"),
            ("http://127.0.0.1:5000/callback?denied=another", "another request"),
            ("oauth_token=hh5s93j4hdidpola&oauth_problem=permission_denied", "refused access_denied"),
            ("oauth_token=hh5s93j4hdidpola&oauth_problem=user_refused", "refused access_denied"),
            ("code=abc&state=hh5s93j4hdidpola", "neither"),
        ] {
            let verdict = match paste::judge(&expected(), pasted, now()) {
                Ok((Judged::Code(given), _)) => format!("code {}", given.code.expose()),
                Ok((Judged::Refused(problem), _)) => format!("refused {}", problem.code.unwrap_or_default()),
                Err(problem) => format!("{} {}", problem.why, problem.next_step),
            };
            assert!(verdict.contains(part), "{pasted}: {verdict}");
        }
    }
}
