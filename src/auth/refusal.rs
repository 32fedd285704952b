//! What an authorization server's "no" means, and what to do about it.
//!
//! The error names are RFC 6749's (§4.1.2.1, §5.2) and OpenID Connect's (Core §3.1.2.6); the `AADSTS` numbers are Microsoft's
//! (learn.microsoft.com/entra/identity-platform/reference-error-codes). Microsoft advises programs to act on the error name only: the
//! numbers choose words here, and never what is done.

use serde_json::Value;

use crate::model::{CredentialStatus, Problem, ProblemKind, TestOutcome, Time};
use crate::vendor::fault;
use crate::words::clean;
use crate::{problem, t};

/// Why there is no token.
#[derive(Debug, Clone)]
pub struct Failure {
    pub problem: Problem,
    /// The server's error by the name that RFCs give it (`invalid_grant`), which says what to do; empty where there was none.
    pub error: String,
    /// What it makes of the credential.
    pub status: CredentialStatus,
    /// The request that failed, fit to show, and the answer's status, where it came that far.
    pub request: Option<String>,
    pub http: Option<u16>,
    pub milliseconds: u64,
}

impl Failure {
    #[must_use]
    pub fn new(problem: Problem, status: CredentialStatus) -> Self {
        Self { problem, error: String::new(), status, request: None, http: None, milliseconds: 0 }
    }

    /// As the outcome of a test.
    #[must_use]
    pub fn outcome(self) -> TestOutcome {
        TestOutcome {
            ok: false,
            at: Time::now(),
            request: self.request.unwrap_or_default(),
            status: self.http,
            milliseconds: self.milliseconds,
            proves: String::new(),
            problem: Some(self.problem),
        }
    }

    /// Whether the same request may work later, without anybody doing anything.
    #[must_use]
    pub fn passes(&self) -> bool {
        self.status == CredentialStatus::Unknown
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::new(problem, CredentialStatus::Unknown)
    }
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// A code was redeemed.
    Code,
    Refresh {
        /// An earlier refresh with the same token was cut off before its answer was kept.
        interrupted: bool,
    },
    Client,
    /// A device code was redeemed, or asked about (RFC 8628 §3.4).
    Device,
}

/// Who answered.
pub struct At<'a> {
    pub vendor: &'a str,
    pub host: &'a str,
    pub scopes: &'a str,
}

/// The OAuth error in a body: its name, what the server says about it, and Microsoft's number.
#[derive(Debug, Default, PartialEq)]
pub struct Said {
    pub error: String,
    pub message: String,
    pub entra: Option<u32>,
}

impl Said {
    /// From a token endpoint's body. `hide` is never repeated.
    #[must_use]
    pub fn in_body(body: &[u8], hide: &[&str]) -> Self {
        let said = fault::said(body, hide);
        let json: Value = serde_json::from_slice(body).unwrap_or_default();
        let error = json.get("error").and_then(Value::as_str).map_or_else(|| said.code.clone().unwrap_or_default(), |error| redact(error, hide, 80));
        let listed = json.get("error_codes").and_then(|codes| codes.get(0)).and_then(Value::as_u64).and_then(|code| u32::try_from(code).ok());
        Self::new(&error, &said.message.unwrap_or_default(), listed)
    }

    /// From the parameters of an authorization response.
    #[must_use]
    pub fn in_answer(error: &str, description: Option<&str>) -> Self {
        Self::new(&clean::line(error, 80), &clean::line(description.unwrap_or_default(), 300), None)
    }

    fn new(error: &str, message: &str, listed: Option<u32>) -> Self {
        // Microsoft adds identifiers of the request for its support, which say nothing to a reader.
        let message = message.split("Trace ID:").next().unwrap_or_default().trim();
        let message = if message == error { "" } else { message };
        let number = message.split("AADSTS").nth(1).map(|rest| rest.chars().take_while(char::is_ascii_digit).collect::<String>());
        Self { error: error.to_owned(), message: message.to_owned(), entra: number.and_then(|digits| digits.parse().ok()).or(listed) }
    }

    fn code(&self) -> Option<String> {
        match self.entra {
            Some(number) => Some(format!("AADSTS{number}")),
            None if self.error.is_empty() => None,
            None => Some(self.error.clone()),
        }
    }

    /// The server's own words as a sentence.
    fn reason(&self, host: &str) -> String {
        match (self.error.is_empty(), self.message.is_empty()) {
            (true, true) => t!("auth.said.nothing", host = host),
            (false, true) => t!("auth.said.error", host = host, error = self.error),
            (true, false) => t!("auth.said.message", host = host, message = self.message),
            (false, false) => t!("auth.said.both", host = host, error = self.error, message = self.message),
        }
    }
}

fn redact(text: &str, hide: &[&str], max: usize) -> String {
    let text = hide.iter().filter(|secret| secret.len() >= 4).fold(text.to_owned(), |text, secret| text.replace(secret, "…"));
    clean::line(&text, max)
}

/// What a token endpoint's refusal means. `status` is the HTTP status; `html` says that the body is a web page.
#[must_use]
pub fn of_token(at: &At<'_>, asked: Asked, status: u16, html: bool, said: &Said) -> Failure {
    use CredentialStatus::{Expired, NeedsConsent, Refused, Unknown};
    let (vendor, host) = (at.vendor, at.host);
    let reason = said.reason(host);
    let failure = |problem: Problem, status| {
        let problem = match said.code() {
            Some(code) => problem.with_code(code),
            None => problem,
        };
        Failure { error: said.error.clone(), ..Failure::new(problem, status) }
    };
    if html {
        let title = if said.message.is_empty() { t!("auth.said.untitled").to_owned() } else { said.message.clone() };
        return failure(problem!(Failed, "auth.token.page", vendor = vendor, host = host, status = status, title = title), Unknown);
    }
    if let Some((kind, why, next)) = said.entra.and_then(entra) {
        let status = match said.entra {
            Some(7_000_222) => Expired,
            Some(65_001 | 65_004 | 90_094 | 50_105 | 54_005 | 501_481 | 70_008 | 700_082 | 50_173 | 53_003) if asked != Asked::Client => NeedsConsent,
            _ => Refused,
        };
        let why = format!("{why} {reason}");
        return failure(Problem::new(kind, t!("auth.token.what", vendor = vendor), why, next), status);
    }
    match (said.error.as_str(), asked) {
        ("invalid_client", _) => failure(problem!(PersonMustAct, "auth.token.client", vendor = vendor, reason = reason), Refused),
        ("invalid_grant" | "bad_verification_code", Asked::Code) => {
            failure(problem!(PersonMustAct, "auth.token.code", vendor = vendor, reason = reason), NeedsConsent)
        }
        ("invalid_grant", Asked::Refresh { interrupted: true }) => {
            failure(problem!(PersonMustAct, "auth.token.interrupted", vendor = vendor, reason = reason), NeedsConsent)
        }
        ("invalid_grant", Asked::Refresh { .. }) => {
            failure(problem!(PersonMustAct, "auth.token.refresh", vendor = vendor, reason = reason), NeedsConsent)
        }
        ("invalid_grant", Asked::Client) => failure(problem!(PersonMustAct, "auth.token.grant", vendor = vendor, reason = reason), Refused),
        ("invalid_scope" | "invalid_target" | "invalid_resource", _) => {
            let scopes = if at.scopes.is_empty() { t!("auth.said.no_scopes").to_owned() } else { clean::line(at.scopes, 200) };
            failure(problem!(Failed, "auth.token.scope", vendor = vendor, scopes = scopes, reason = reason), Refused)
        }
        ("unauthorized_client", _) => failure(problem!(PersonMustAct, "auth.token.unauthorized", vendor = vendor, reason = reason), Refused),
        ("unsupported_grant_type", _) => failure(problem!(Failed, "auth.token.grant_type", vendor = vendor, reason = reason), Refused),
        ("expired_token" | "bad_verification_code" | "invalid_grant", Asked::Device) => {
            failure(problem!(PersonMustAct, "auth.device.expired", vendor = vendor, reason = reason), NeedsConsent)
        }
        ("access_denied" | "authorization_declined", Asked::Device) => {
            failure(problem!(PersonMustAct, "auth.consent.refused", vendor = vendor, reason = reason), NeedsConsent)
        }
        ("access_denied", _) => failure(problem!(PersonMustAct, "auth.token.denied", vendor = vendor, reason = reason), Refused),
        ("interaction_required" | "consent_required" | "login_required", _) => {
            failure(problem!(PersonMustAct, "auth.token.interaction", vendor = vendor, reason = reason), NeedsConsent)
        }
        ("temporarily_unavailable" | "server_error", _) => {
            failure(problem!(Failed, "auth.token.busy", vendor = vendor, status = status, reason = reason), Unknown)
        }
        _ => match status {
            429 | 500..=599 => failure(problem!(Failed, "auth.token.busy", vendor = vendor, status = status, reason = reason), Unknown),
            300..=399 => failure(problem!(Failed, "auth.token.redirected", vendor = vendor, host = host, status = status), Unknown),
            404 | 405 | 410 => failure(problem!(Failed, "auth.token.not_found", vendor = vendor, status = status, reason = reason), Unknown),
            200..=299 => failure(problem!(Failed, "auth.token.empty", vendor = vendor, status = status, reason = reason), Unknown),
            401 => failure(problem!(PersonMustAct, "auth.token.client", vendor = vendor, reason = reason), Refused),
            _ => failure(problem!(Failed, "auth.token.refused", vendor = vendor, status = status, reason = reason), Refused),
        },
    }
}

/// What an error in an authorization response means: consent was asked for, and did not come.
#[must_use]
pub fn of_consent(at: &At<'_>, said: &Said) -> Problem {
    let vendor = at.vendor;
    let reason = said.reason(at.host);
    let problem = if let Some((kind, why, next)) = said.entra.and_then(entra) {
        Problem::new(kind, t!("auth.consent.what", vendor = vendor), format!("{why} {reason}"), next)
    } else {
        match said.error.as_str() {
            "access_denied" | "authorization_declined" => problem!(PersonMustAct, "auth.consent.refused", vendor = vendor, reason = reason),
            "invalid_scope" => {
                let scopes = if at.scopes.is_empty() { t!("auth.said.no_scopes").to_owned() } else { clean::line(at.scopes, 200) };
                problem!(Failed, "auth.consent.scope", vendor = vendor, scopes = scopes, reason = reason)
            }
            "unauthorized_client" | "unsupported_response_type" => {
                problem!(PersonMustAct, "auth.consent.client", vendor = vendor, reason = reason)
            }
            "login_required" | "consent_required" | "interaction_required" | "account_selection_required" => {
                problem!(PersonMustAct, "auth.consent.interaction", vendor = vendor, reason = reason)
            }
            "server_error" | "temporarily_unavailable" => problem!(Failed, "auth.consent.busy", vendor = vendor, reason = reason),
            _ => problem!(Failed, "auth.consent.failed", vendor = vendor, reason = reason),
        }
    };
    match said.code() {
        Some(code) => problem.with_code(code),
        None => problem,
    }
}

/// Microsoft's numbers: who has to act, why, and what to do.
fn entra(number: u32) -> Option<(ProblemKind, &'static str, &'static str)> {
    use ProblemKind::{Failed, PersonMustAct};
    Some(match number {
        65_001 => (PersonMustAct, t!("auth.entra.no_consent.why"), t!("auth.entra.no_consent.next")),
        65_004 => (PersonMustAct, t!("auth.entra.declined.why"), t!("auth.entra.declined.next")),
        90_094 => (PersonMustAct, t!("auth.entra.admin.why"), t!("auth.entra.admin.next")),
        50_011 => (PersonMustAct, t!("auth.entra.reply.why"), t!("auth.entra.reply.next")),
        7_000_215 => (PersonMustAct, t!("auth.entra.secret.why"), t!("auth.entra.secret.next")),
        7_000_222 => (PersonMustAct, t!("auth.entra.secret_ended.why"), t!("auth.entra.secret_ended.next")),
        7_000_218 => (PersonMustAct, t!("auth.entra.secret_missing.why"), t!("auth.entra.secret_missing.next")),
        700_016 => (PersonMustAct, t!("auth.entra.app.why"), t!("auth.entra.app.next")),
        90_002 => (PersonMustAct, t!("auth.entra.tenant.why"), t!("auth.entra.tenant.next")),
        50_105 => (PersonMustAct, t!("auth.entra.assigned.why"), t!("auth.entra.assigned.next")),
        54_005 => (PersonMustAct, t!("auth.entra.code_used.why"), t!("auth.entra.code_used.next")),
        501_481 => (PersonMustAct, t!("auth.entra.verifier.why"), t!("auth.entra.verifier.next")),
        70_008 | 700_082 => (PersonMustAct, t!("auth.entra.idle.why"), t!("auth.entra.idle.next")),
        50_173 => (PersonMustAct, t!("auth.entra.revoked.why"), t!("auth.entra.revoked.next")),
        70_011 => (Failed, t!("auth.entra.scope.why"), t!("auth.entra.scope.next")),
        500_011 => (PersonMustAct, t!("auth.entra.resource.why"), t!("auth.entra.resource.next")),
        53_003 => (PersonMustAct, t!("auth.entra.policy.why"), t!("auth.entra.policy.next")),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    const AT: At<'static> = At { vendor: "Contoso", host: "id.contoso.com", scopes: "a b" };

    fn token(asked: Asked, status: u16, body: &Value) -> Failure {
        of_token(&AT, asked, status, false, &Said::in_body(body.to_string().as_bytes(), &[]))
    }

    #[test]
    fn each_error_names_its_cause() {
        use CredentialStatus::{Expired, NeedsConsent, Refused, Unknown};
        let refresh = Asked::Refresh { interrupted: false };
        #[rustfmt::skip]
        let table = [
            (Asked::Client, 401, json!({"error": "invalid_client"}), "client secret", Refused, Some("invalid_client")),
            (Asked::Code, 400, json!({"error": "invalid_grant"}), "code", NeedsConsent, Some("invalid_grant")),
            (refresh, 400, json!({"error": "invalid_grant"}), "revoked", NeedsConsent, Some("invalid_grant")),
            (Asked::Refresh { interrupted: true }, 400, json!({"error": "invalid_grant"}), "cut off", NeedsConsent, Some("invalid_grant")),
            (Asked::Client, 400, json!({"error": "invalid_scope"}), "a b", Refused, Some("invalid_scope")),
            (Asked::Client, 400, json!({"error": "unauthorized_client"}), "grant", Refused, Some("unauthorized_client")),
            (Asked::Client, 400, json!({"error": "unsupported_grant_type"}), "grant", Refused, Some("unsupported_grant_type")),
            (Asked::Client, 503, json!({"error": "temporarily_unavailable"}), "503", Unknown, Some("temporarily_unavailable")),
            (Asked::Client, 429, json!({}), "429", Unknown, None),
            (Asked::Client, 404, json!({"message": "no"}), "404", Unknown, None),
            (Asked::Client, 200, json!({"ok": true}), "200", Unknown, None),
            (Asked::Client, 302, json!({}), "302", Unknown, None),
            (Asked::Client, 418, json!({"error": "teapot"}), "teapot", Refused, Some("teapot")),
            (Asked::Client, 401, json!({"error": "invalid_client", "error_description": "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1 Correlation ID: 2"}), "Secret ID", Refused, Some("AADSTS7000215")),
            (Asked::Client, 401, json!({"error": "invalid_client", "error_description": "AADSTS7000222: ended", "error_codes": [7_000_222]}), "ended", Expired, Some("AADSTS7000222")),
            (refresh, 400, json!({"error": "invalid_grant", "error_codes": [700_082]}), "not used", NeedsConsent, Some("AADSTS700082")),
            (Asked::Client, 400, json!({"error": "unauthorized_client", "error_codes": [700_016]}), "tenant", Refused, Some("AADSTS700016")),
            (Asked::Client, 400, json!({"error": "x", "error_description": "AADSTS99999: something new"}), "something new", Refused, Some("AADSTS99999")),
        ];
        for (asked, status, body, part, expected, code) in table {
            let failure = token(asked, status, &body);
            let text = format!("{} {} {}", failure.problem.what, failure.problem.why, failure.problem.next_step);
            assert!(text.contains(part), "{body}: {text}");
            assert!(text.contains("Contoso") && !text.contains("Trace ID") && !text.contains('{'), "{text}");
            assert_eq!((failure.status, failure.problem.code.as_deref()), (expected, code), "{body}");
        }
    }

    #[test]
    fn a_web_page_is_called_one() {
        let said = Said::in_body(b"<html><head><title>Sign in</title></head>", &[]);
        let failure = of_token(&AT, Asked::Client, 200, true, &said);
        assert!(failure.problem.why.contains("web page") && failure.problem.why.contains("Sign in"), "{:?}", failure.problem);
    }

    #[test]
    fn our_own_secrets_are_not_repeated() {
        let body = json!({"error": "bad s3cret-value", "error_description": "secret s3cret-value is wrong \u{1b}[31m"});
        let said = Said::in_body(body.to_string().as_bytes(), &["s3cret-value"]);
        let failure = of_token(&AT, Asked::Client, 400, false, &said);
        let text = format!("{:?}", failure.problem);
        assert!(!text.contains("s3cret-value") && !text.contains("\\u{1b}"), "{text}");
    }

    #[test]
    fn consent_that_did_not_come() {
        for (error, description, part) in [
            ("access_denied", Some("The user said no"), "said no"),
            ("access_denied", Some("AADSTS65004: User declined to consent"), "AADSTS65004"),
            ("access_denied", Some("AADSTS90094: admin"), "administrator"),
            ("invalid_scope", None, "a b"),
            ("unauthorized_client", None, "app"),
            ("login_required", None, "sign in"),
            ("server_error", None, "again"),
            ("brand_new", None, "brand_new"),
        ] {
            let problem = of_consent(&AT, &Said::in_answer(error, description));
            assert!(format!("{problem:?}").contains(part), "{problem:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(body in proptest::collection::vec(any::<u8>(), 0..200), text in "(?s).{0,80}", status in 0u16..700) {
            let _ = of_token(&AT, Asked::Code, status, false, &Said::in_body(&body, &["abcd"]));
            let body = json!({"error": text, "error_description": text, "error_codes": [text]}).to_string();
            let failure = of_token(&AT, Asked::Client, status, false, &Said::in_body(body.as_bytes(), &[]));
            prop_assert!(clean::is_clean(&failure.problem.why));
            let _ = of_consent(&AT, &Said::in_answer(&text, Some(&text)));
        }
    }
}
