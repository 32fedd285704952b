//! What an authorization server's "no" means, and what to do about it.
//!
//! The tables name their sources. Microsoft's numbers have a table of their own, `entra`; what no table knows is told in the server's words.

use serde_json::Value;

use super::entra;
use crate::model::{CredentialStatus, Problem, ProblemKind, TestOutcome, Time};
use crate::vendor::fault;
use crate::words::{self, Id, clean};
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
    /// A signed assertion was redeemed (RFC 7523 §2.1).
    Assertion,
    /// A user name and a password (RFC 6749 §4.3).
    Password,
    /// A device code was redeemed, or asked about (RFC 8628 §3.4).
    Device,
}

impl Asked {
    /// Whether somebody consented to it, and can do so again.
    fn by_person(self) -> bool {
        matches!(self, Self::Code | Self::Refresh { .. } | Self::Device)
    }
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
    pub fn reason(&self, host: &str) -> String {
        match (self.error.is_empty(), self.message.is_empty()) {
            (true, true) => t!("auth.said.nothing", host = host),
            (false, true) => t!("auth.said.error", host = host, error = self.error),
            (true, false) => t!("auth.said.message", host = host, message = self.message),
            (false, false) => t!("auth.said.both", host = host, error = self.error, message = self.message),
        }
    }
}

fn redact(text: &str, hide: &[&str], max: usize) -> String {
    clean::line(&crate::words::hide::hide(text, hide), max)
}

/// A name for an error, what it makes of the credential, and the words for it.
struct Row {
    errors: &'static [&'static str],
    /// For this kind of request only.
    asked: Option<fn(Asked) -> bool>,
    kind: ProblemKind,
    becomes: CredentialStatus,
    what: Id,
    why: Id,
    next: Id,
}

macro_rules! row {
    ($errors:expr, $asked:expr, $kind:ident, $becomes:ident, $key:literal) => {
        Row {
            errors: &$errors,
            asked: $asked,
            kind: ProblemKind::$kind,
            becomes: CredentialStatus::$becomes,
            what: words::id(concat!($key, ".what")),
            why: words::id(concat!($key, ".why")),
            next: words::id(concat!($key, ".next")),
        }
    };
}

/// Errors of a token endpoint: RFC 6749 §5.2, RFC 8628 §3.5, RFC 8707 §2, RFC 9449 §8, RFC 9470 §3, OpenID Connect Core §3.1.2.6, and names
/// that GitHub and Google use beside them. The first row that fits.
#[rustfmt::skip]
static TOKEN: &[Row] = &[
    row!(["invalid_client", "incorrect_client_credentials"], None, PersonMustAct, Refused, "auth.token.client"),
    row!(["expired_token", "bad_verification_code", "invalid_grant"], Some(|asked| asked == Asked::Device), PersonMustAct, NeedsConsent, "auth.device.expired"),
    row!(["access_denied", "authorization_declined"], Some(|asked| asked == Asked::Device), PersonMustAct, NeedsConsent, "auth.consent.refused"),
    row!(["invalid_grant", "bad_verification_code"], Some(|asked| asked == Asked::Code), PersonMustAct, NeedsConsent, "auth.token.code"),
    row!(["invalid_grant", "bad_refresh_token"], Some(|asked| asked == Asked::Refresh { interrupted: true }), PersonMustAct, NeedsConsent, "auth.token.interrupted"),
    row!(["invalid_grant", "bad_refresh_token", "expired_token"], Some(|asked| matches!(asked, Asked::Refresh { .. })), PersonMustAct, NeedsConsent, "auth.token.refresh"),
    row!(["invalid_grant"], Some(|asked| asked == Asked::Assertion), PersonMustAct, Refused, "auth.token.assertion"),
    row!(["invalid_grant", "access_denied"], Some(|asked| asked == Asked::Password), PersonMustAct, Refused, "auth.token.password"),
    row!(["invalid_grant"], None, PersonMustAct, Refused, "auth.token.grant"),
    row!(["invalid_scope"], None, Failed, Refused, "auth.token.scope"),
    row!(["invalid_target", "invalid_resource"], None, Failed, Refused, "auth.token.target"),
    row!(["redirect_uri_mismatch", "invalid_redirect_uri"], None, PersonMustAct, Refused, "auth.token.redirect"),
    row!(["unauthorized_client"], None, PersonMustAct, Refused, "auth.token.unauthorized"),
    row!(["unsupported_grant_type"], None, Failed, Refused, "auth.token.grant_type"),
    row!(["access_denied"], None, PersonMustAct, Refused, "auth.token.denied"),
    row!(["interaction_required", "consent_required", "login_required", "account_selection_required", "insufficient_user_authentication",
        "unmet_authentication_requirements"], Some(Asked::by_person), PersonMustAct, NeedsConsent, "auth.token.interaction"),
    row!(["interaction_required", "consent_required", "login_required", "account_selection_required", "insufficient_user_authentication",
        "unmet_authentication_requirements"], None, PersonMustAct, Refused, "auth.token.alone"),
    row!(["authorization_pending"], None, PersonMustAct, Unknown, "auth.token.pending"),
    row!(["slow_down", "temporarily_unavailable", "server_error"], None, Failed, Unknown, "auth.token.busy"),
    row!(["use_dpop_nonce", "invalid_dpop_proof"], None, Failed, Refused, "auth.token.dpop"),
    row!(["invalid_request"], None, Failed, Refused, "auth.token.request"),
];

/// Errors of an authorization response: RFC 6749 §4.1.2.1, RFC 9101 §7, RFC 9126 §2.3, OpenID Connect Core §3.1.2.6.
#[rustfmt::skip]
static CONSENT: &[Row] = &[
    row!(["access_denied", "authorization_declined", "user_cancelled_login", "user_cancelled_authorize"], None, PersonMustAct, NeedsConsent, "auth.consent.refused"),
    row!(["invalid_scope"], None, Failed, NeedsConsent, "auth.consent.scope"),
    row!(["invalid_target", "invalid_resource"], None, Failed, NeedsConsent, "auth.consent.target"),
    row!(["redirect_uri_mismatch", "invalid_redirect_uri"], None, PersonMustAct, NeedsConsent, "auth.consent.redirect"),
    row!(["unauthorized_client", "unsupported_response_type", "invalid_client"], None, PersonMustAct, NeedsConsent, "auth.consent.client"),
    row!(["login_required", "consent_required", "interaction_required", "account_selection_required", "unmet_authentication_requirements"],
        None, PersonMustAct, NeedsConsent, "auth.consent.interaction"),
    row!(["invalid_request_uri", "invalid_request_object", "request_not_supported", "request_uri_not_supported"], None, PersonMustAct, NeedsConsent, "auth.consent.pushed"),
    row!(["server_error", "temporarily_unavailable"], None, Failed, NeedsConsent, "auth.consent.busy"),
];

impl Row {
    fn of(table: &'static [Self], error: &str, asked: Option<Asked>) -> Option<&'static Self> {
        let fits = |row: &&Self| row.errors.contains(&error) && row.asked.is_none_or(|fits| asked.is_some_and(fits));
        table.iter().find(fits)
    }

    fn problem(&self, at: &At<'_>, status: u16, reason: &str) -> Problem {
        let scopes = if at.scopes.is_empty() { t!("auth.said.no_scopes").to_owned() } else { clean::line(at.scopes, 200) };
        let text =
            |id| words::render(id, &[("vendor", &at.vendor), ("host", &at.host), ("status", &status), ("scopes", &scopes), ("reason", &reason)]);
        Problem::new(self.kind, text(self.what), text(self.why), text(self.next))
    }
}

/// What a token endpoint's refusal means. `status` is the HTTP status; `html` says that the body is a web page.
#[must_use]
pub fn of_token(at: &At<'_>, asked: Asked, status: u16, html: bool, said: &Said) -> Failure {
    use CredentialStatus::{Refused, Unknown};
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
    if let Some(meaning) = said.entra.and_then(entra::meaning) {
        let why = format!("{} {reason}", words::get(meaning.why));
        let problem = Problem::new(meaning.effect.kind(), t!("auth.token.what", vendor = vendor), why, words::get(meaning.next));
        return failure(problem, meaning.effect.becomes(asked.by_person()));
    }
    if let Some(row) = Row::of(TOKEN, &said.error, Some(asked)) {
        return failure(row.problem(at, status, &reason), row.becomes);
    }
    match status {
        429 | 500..=599 => failure(problem!(Failed, "auth.token.busy", vendor = vendor, status = status, reason = reason), Unknown),
        300..=399 => failure(problem!(Failed, "auth.token.redirected", vendor = vendor, host = host, status = status), Unknown),
        404 | 405 | 410 => failure(problem!(Failed, "auth.token.not_found", vendor = vendor, status = status, reason = reason), Unknown),
        200..=299 => failure(problem!(Failed, "auth.token.empty", vendor = vendor, status = status, reason = reason), Unknown),
        401 => failure(problem!(PersonMustAct, "auth.token.client", vendor = vendor, reason = reason), Refused),
        _ => failure(problem!(Failed, "auth.token.refused", vendor = vendor, status = status, reason = reason), Refused),
    }
}

/// What an error in an authorization response means: consent was asked for, and did not come.
#[must_use]
pub fn of_consent(at: &At<'_>, said: &Said) -> Problem {
    let vendor = at.vendor;
    let reason = said.reason(at.host);
    let problem = if let Some(meaning) = said.entra.and_then(entra::meaning) {
        let why = format!("{} {reason}", words::get(meaning.why));
        Problem::new(meaning.effect.kind(), t!("auth.consent.what", vendor = vendor), why, words::get(meaning.next))
    } else {
        match Row::of(CONSENT, &said.error, None) {
            Some(row) => row.problem(at, 0, &reason),
            None => problem!(Failed, "auth.consent.failed", vendor = vendor, reason = reason),
        }
    };
    match said.code() {
        Some(code) => problem.with_code(code),
        None => problem,
    }
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
            (Asked::Device, 400, json!({"error": "expired_token"}), "code", NeedsConsent, Some("expired_token")),
            (Asked::Device, 400, json!({"error": "access_denied"}), "declined", NeedsConsent, Some("access_denied")),
            (Asked::Device, 400, json!({"error": "authorization_pending"}), "not yet", Unknown, Some("authorization_pending")),
            (Asked::Device, 400, json!({"error": "slow_down"}), "few minutes", Unknown, Some("slow_down")),
            (Asked::Assertion, 400, json!({"error": "invalid_grant"}), "clock", Refused, Some("invalid_grant")),
            (Asked::Password, 400, json!({"error": "invalid_grant"}), "password", Refused, Some("invalid_grant")),
            (Asked::Client, 400, json!({"error": "invalid_target"}), "resource", Refused, Some("invalid_target")),
            (Asked::Code, 400, json!({"error": "redirect_uri_mismatch"}), "redirect URI", Refused, Some("redirect_uri_mismatch")),
            (Asked::Client, 400, json!({"error": "invalid_request", "error_description": "no grant_type"}), "no grant_type", Refused, Some("invalid_request")),
            (refresh, 400, json!({"error": "login_required"}), "sign in", NeedsConsent, Some("login_required")),
            (Asked::Password, 400, json!({"error": "interaction_required"}), "second factor", Refused, Some("interaction_required")),
            (Asked::Client, 400, json!({"error": "use_dpop_nonce"}), "DPoP", Refused, Some("use_dpop_nonce")),
            (Asked::Client, 400, json!({"error": "invalid_client", "error_codes": [700_027]}), "certificate", Refused, Some("AADSTS700027")),
            (refresh, 400, json!({"error": "interaction_required", "error_codes": [50_076]}), "second factor", NeedsConsent, Some("AADSTS50076")),
            (Asked::Password, 400, json!({"error": "invalid_grant", "error_codes": [50_126]}), "password", Refused, Some("AADSTS50126")),
            (Asked::Client, 400, json!({"error": "temporarily_unavailable", "error_codes": [90_033]}), "few minutes", Unknown, Some("AADSTS90033")),
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
            ("redirect_uri_mismatch", None, "redirect URI"),
            ("invalid_target", None, "resource"),
            ("request_uri_not_supported", None, "pushed"),
            ("invalid_request", Some("AADSTS50011: no match"), "redirect URI"),
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
