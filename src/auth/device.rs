//! The device authorization grant (RFC 8628): a person types a code on any device, while the token endpoint is asked from here until it
//! knows the decision.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::refusal::{self, Asked, At, Failure, Said};
use super::request::{self, Form, Grant};
use super::subject::Subject;
use super::tokens::Received;
use crate::catalog::template;
use crate::model::{Problem, Time};
use crate::problem;
use crate::vendor::http;
use crate::words::clean;

/// RFC 8628 §3.2: where the server names no interval.
const INTERVAL: u64 = 5;
/// RFC 8628 §3.5: what `slow_down` adds, for all later requests.
const SLOWER: Duration = Duration::from_secs(5);
/// The longest pause after time-outs: the connection may be back.
const LONGEST: Duration = Duration::from_mins(1);
/// Where the server does not say how long its code is good for, which it must.
const LIFETIME: u64 = 600;

/// A device code, as it is kept with the open flow. Who has `device_code` can redeem it.
#[derive(Clone, Serialize, Deserialize)]
pub struct Code {
    device_code: String,
    /// What the person types.
    pub user_code: String,
    pub verification_uri: String,
    pub verification_uri_complete: Option<String>,
    pub expires: Time,
    /// Seconds between two requests.
    interval: u64,
}

impl Drop for Code {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.device_code);
    }
}

impl Code {
    /// The same code, asked about less often from now on.
    #[must_use]
    pub fn slowed(mut self, every: Duration) -> Self {
        self.interval = every.as_secs().max(self.interval);
        self
    }

    #[must_use]
    pub fn is(&self, other: &Self) -> bool {
        self.device_code == other.device_code
    }
}

/// How the wait for a device ended without a token.
pub enum End {
    /// The person said no: an answer to the whole request.
    Refused(Problem),
    /// Not this way: a policy, the app's registration, or nobody came. Other ways may still work.
    Over(Problem),
}

/// Asks for a code (RFC 8628 §3.1).
pub async fn request(subject: &Subject, address: &str) -> Result<Code, Failure> {
    let method = subject.method();
    let mut form = Form::new();
    if !subject.scopes.is_empty() {
        request::put(&mut form, method.scopes.param.as_deref().unwrap_or("scope"), &subject.scopes.join(subject.separator()));
    }
    for (name, value) in method.params.get("device").into_iter().flatten() {
        let value = template::render(value, &subject.context)?;
        if !value.is_empty() {
            request::put(&mut form, name, &value);
        }
    }
    let answer = request::send(subject, address, form).await?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    if (200..300).contains(&answer.status)
        && let Some(code) = read(&body, Time::now())
    {
        return Ok(code);
    }
    let (vendor, scopes) = (subject.vendor(), subject.scopes.join(" "));
    let at = At { vendor: &vendor, host: answer.url.host_str().unwrap_or_default(), scopes: &scopes };
    let said = Said::in_body(&answer.body, &subject.hide());
    let html = answer.body.trim_ascii_start().starts_with(b"<");
    let mut failure = refusal::of_token(&at, Asked::Device, answer.status, html, &said);
    failure.request = Some(answer.request);
    failure.http = Some(answer.status);
    Err(failure)
}

/// RFC 8628 §3.2. `None`: something is missing, or leads where nobody should be sent.
fn read(body: &Value, now: Time) -> Option<Code> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty());
    let number = |name: &str| match body.get(name)? {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let page = |name: &str| text(name).filter(|address| http::address(address).is_ok() && clean::is_clean(address)).map(str::to_owned);
    let user_code = text("user_code").filter(|code| clean::is_clean(code) && code.chars().count() <= 60)?;
    let lasts = number("expires_in").unwrap_or(LIFETIME).clamp(1, 3_600);
    Some(Code {
        device_code: text("device_code")?.to_owned(),
        user_code: user_code.to_owned(),
        // Older than the RFC: Google's `verification_url`.
        verification_uri: page("verification_uri").or_else(|| page("verification_url"))?,
        verification_uri_complete: page("verification_uri_complete"),
        expires: now + jiff::SignedDuration::from_secs(i64::try_from(lasts).unwrap_or(600)),
        interval: number("interval").unwrap_or(INTERVAL).clamp(1, 60),
    })
}

/// Asks for the decision until there is one (RFC 8628 §3.4, §3.5). `slowed` is told when the server wants to be asked less often.
pub async fn poll(subject: &Subject, code: &Code, slowed: impl Fn(Duration)) -> Result<Received, End> {
    let mut pace = Pace { every: Duration::from_secs(code.interval), lost: 0 };
    loop {
        let left = Duration::try_from(code.expires.duration_since(Time::now())).unwrap_or_default();
        if left.is_zero() {
            return Err(End::Over(problem!(PersonMustAct, "auth.device.silent", vendor = subject.vendor())));
        }
        tokio::time::sleep(pace.wait().min(left)).await;
        match request::tokens(subject, &Grant::Device { code: &code.device_code }).await {
            Ok(received) => return Ok(received),
            Err(failure) => match meaning(&failure) {
                Meaning::Pending => pace.heard(),
                Meaning::SlowDown => {
                    pace.slow_down();
                    slowed(pace.every);
                }
                Meaning::Lost => pace.lose(),
                Meaning::Refused => return Err(End::Refused(failure.problem)),
                Meaning::Over => return Err(End::Over(failure.problem)),
            },
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Meaning {
    Pending,
    SlowDown,
    /// No answer, or the server's own trouble.
    Lost,
    Refused,
    Over,
}

fn meaning(failure: &Failure) -> Meaning {
    let entra = failure.problem.code.as_deref().and_then(|code| code.strip_prefix("AADSTS"));
    match (failure.error.as_str(), failure.http) {
        ("authorization_pending", _) => Meaning::Pending,
        ("slow_down", _) => Meaning::SlowDown,
        // Entra's word for it; and an `access_denied` of its policies is no person's decision (65004 is).
        ("authorization_declined", _) => Meaning::Refused,
        ("access_denied", _) if entra.is_none_or(|number| number == "65004") => Meaning::Refused,
        ("", Some(429)) => Meaning::SlowDown,
        ("temporarily_unavailable" | "server_error", _) | ("", Some(500..=599)) => Meaning::Lost,
        // What could not even be sent will not be sent later.
        ("", None) if failure.passes() => Meaning::Lost,
        _ => Meaning::Over,
    }
}

/// When to ask next.
struct Pace {
    every: Duration,
    /// How often in a row there was no answer.
    lost: u32,
}

impl Pace {
    fn wait(&self) -> Duration {
        // RFC 8628 §3.5: exponential backoff on time-outs.
        // The first loss is as likely a connection that the server had closed meanwhile.
        let factor = 1u32.checked_shl(self.lost.saturating_sub(1).min(10)).unwrap_or(u32::MAX);
        self.every.saturating_mul(factor).min(LONGEST.max(self.every))
    }

    fn heard(&mut self) {
        self.lost = 0;
    }

    fn slow_down(&mut self) {
        self.lost = 0;
        self.every += SLOWER;
    }

    fn lose(&mut self) {
        self.lost = self.lost.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::CredentialStatus;
    use serde_json::json;

    fn now() -> Time {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    #[test]
    fn what_a_server_says_about_its_code() {
        let whole = json!({"device_code": "d", "user_code": "WDJB-MJHT", "verification_uri": "https://example.com/device",
            "verification_uri_complete": "https://example.com/device?user_code=WDJB-MJHT", "expires_in": 1800, "interval": 7});
        let code = read(&whole, now()).unwrap();
        assert_eq!((code.user_code.as_str(), code.interval, code.expires.to_string().as_str()), ("WDJB-MJHT", 7, "2026-01-01T00:30:00Z"));
        assert!(code.verification_uri_complete.as_deref().unwrap().ends_with("MJHT"));
        let least = json!({"device_code": "d", "user_code": "u", "verification_url": "https://example.com/device", "expires_in": "900"});
        let code = read(&least, now()).unwrap();
        assert_eq!((code.interval, code.expires.to_string().as_str(), &code.verification_uri_complete), (5, "2026-01-01T00:15:00Z", &None));
        for (name, value) in [
            ("device_code", json!("")),
            ("user_code", json!(null)),
            ("user_code", json!("\u{1b}[2J")),
            ("verification_uri", json!("http://example.com/device")),
            ("verification_uri", json!("javascript:alert(1)")),
        ] {
            let mut wrong = whole.clone();
            wrong[name] = value;
            assert!(read(&wrong, now()).is_none(), "{name}");
        }
        let mut lured = whole;
        lured["verification_uri_complete"] = json!("http://evil.example/device");
        assert_eq!(read(&lured, now()).unwrap().verification_uri_complete, None);
    }

    #[test]
    fn the_pace_of_asking() {
        let mut pace = Pace { every: Duration::from_secs(5), lost: 0 };
        let seconds = |pace: &Pace| pace.wait().as_secs();
        assert_eq!(seconds(&pace), 5);
        pace.lose();
        assert_eq!(seconds(&pace), 5);
        pace.lose();
        pace.lose();
        assert_eq!(seconds(&pace), 20);
        pace.slow_down();
        assert_eq!(seconds(&pace), 10);
        pace.heard();
        assert_eq!(seconds(&pace), 10, "for good");
        pace.slow_down();
        assert_eq!(seconds(&pace), 15);
        for _ in 0..99 {
            pace.lose();
        }
        assert_eq!(seconds(&pace), 60);
    }

    #[test]
    fn what_ends_the_wait_and_what_does_not() {
        let failure = |error: &str, code: Option<&str>, http| {
            let mut failure = Failure::new(Problem::new(crate::model::ProblemKind::Failed, "w", "y", "n"), CredentialStatus::Unknown);
            failure.error = error.to_owned();
            failure.problem.code = code.map(str::to_owned).or_else(|| (!error.is_empty()).then(|| error.to_owned()));
            failure.http = http;
            meaning(&failure)
        };
        for (error, code, http, expected) in [
            ("authorization_pending", Some("AADSTS70016"), Some(400), Meaning::Pending),
            ("authorization_pending", None, Some(200), Meaning::Pending),
            ("slow_down", None, Some(400), Meaning::SlowDown),
            ("", None, Some(429), Meaning::SlowDown),
            ("", None, None, Meaning::Lost),
            ("", None, Some(502), Meaning::Lost),
            ("temporarily_unavailable", None, Some(503), Meaning::Lost),
            ("access_denied", None, Some(400), Meaning::Refused),
            ("access_denied", Some("AADSTS65004"), Some(400), Meaning::Refused),
            ("authorization_declined", Some("AADSTS70018"), Some(400), Meaning::Refused),
            ("access_denied", Some("AADSTS53003"), Some(400), Meaning::Over),
            ("invalid_grant", Some("AADSTS50199"), Some(400), Meaning::Over),
            ("expired_token", None, Some(400), Meaning::Over),
            ("unauthorized_client", None, Some(400), Meaning::Over),
            ("invalid_client", None, Some(401), Meaning::Over),
            ("unsupported_grant_type", None, Some(400), Meaning::Over),
            ("", None, Some(404), Meaning::Over),
        ] {
            assert_eq!(failure(error, code, http), expected, "{error} {code:?} {http:?}");
        }
    }
}
