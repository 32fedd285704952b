//! What is wrong with a redirect URI: against the vendor's rule before anybody consents, and against what the vendor names when it refuses.
//! Pure.
//!
//! A redirect URI is compared by a server character by character (RFC 9700 §2.1), except the port of a loopback address where it follows
//! RFC 8252 §7.3. So one slash or capital letter too many is enough.

use std::sync::LazyLock;

use regex::Regex;
use serde::Serialize;
use url::{Host, Url};

use crate::model::{Loopback, Problem, Redirect};
use crate::vendor::http;
use crate::words::clean;
use crate::{problem, t};

/// The vendor's rule, in words.
#[must_use]
pub fn rule(redirect: &Redirect, vendor: &str) -> String {
    let localhost = redirect.host.as_deref() == Some("localhost");
    match (redirect.loopback, redirect.port) {
        (Loopback::HttpsOnly, _) => t!("redirect.rule.https_only", vendor = vendor),
        (Loopback::AnyPort, None) if localhost => t!("redirect.rule.any_port_localhost", vendor = vendor),
        (Loopback::AnyPort, None) => t!("redirect.rule.any_port", vendor = vendor),
        (Loopback::AnyPort | Loopback::Fixed, _) if localhost => t!("redirect.rule.fixed_localhost", vendor = vendor),
        (Loopback::AnyPort | Loopback::Fixed, _) => t!("redirect.rule.fixed", vendor = vendor),
    }
}

/// Why a redirect URI of the person's own cannot work, or breaks the vendor's rule.
#[must_use]
pub fn breaks(redirect: &Redirect, vendor: &str, setting: &str) -> Option<Problem> {
    let shown = || clean::line(setting, 150);
    let url = match Url::parse(setting.trim()) {
        Ok(url) => url,
        Err(reason) => return Some(problem!(Usage, "auth.redirect_uri", address = shown(), reason = reason)),
    };
    let broken = |reason: String| Some(problem!(Usage, "redirect.breaks", address = shown(), reason = reason));
    // RFC 6749 §3.1.2.
    if url.fragment().is_some() {
        return broken(t!("redirect.reason.fragment").to_owned());
    }
    let loopback = http::is_loopback(&url);
    if url.scheme() == "http" && !loopback {
        return broken(t!("redirect.reason.plain_http").to_owned());
    }
    if redirect.loopback == Loopback::HttpsOnly && url.scheme() == "http" {
        return broken(rule(redirect, vendor));
    }
    if let Some(host) = redirect.host.as_deref().filter(|_| loopback && url.scheme() == "http")
        && url.host_str() != Some(host)
    {
        return broken(t!("redirect.reason.host", vendor = vendor, host = host));
    }
    if let Some(port) = redirect.port.filter(|_| loopback && url.scheme() == "http")
        && url.port_or_known_default() != Some(port)
    {
        return broken(t!("redirect.reason.port", vendor = vendor, port = port));
    }
    None
}

/// A part in which two redirect URIs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    Scheme,
    Host,
    Port,
    Path,
    TrailingSlash,
    LetterCase,
    Query,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Difference {
    pub part: Part,
    pub sent: String,
    pub registered: String,
}

impl Difference {
    /// In a few words: `port: sent 53417, registered 8080`.
    #[must_use]
    pub fn text(&self) -> String {
        let part = match self.part {
            Part::Scheme => t!("redirect.part.scheme"),
            Part::Host => t!("redirect.part.host"),
            Part::Port => t!("redirect.part.port"),
            Part::Path => t!("redirect.part.path"),
            Part::TrailingSlash => t!("redirect.part.trailing_slash"),
            Part::LetterCase => t!("redirect.part.letter_case"),
            Part::Query => t!("redirect.part.query"),
        };
        t!("redirect.difference", part = part, sent = self.sent, registered = self.registered)
    }
}

/// Where two redirect URIs differ, from left to right.
#[must_use]
pub fn differences(sent: &str, registered: &str) -> Vec<Difference> {
    let (Ok(a), Ok(b)) = (Url::parse(sent), Url::parse(registered)) else {
        let whole = Difference { part: Part::Path, sent: clean::line(sent, 150), registered: clean::line(registered, 150) };
        return if sent == registered { Vec::new() } else { vec![whole] };
    };
    let mut found = Vec::new();
    let mut note = |part, a: &str, b: &str| {
        if a != b {
            let shown = |text: &str| if text.is_empty() { t!("redirect.absent").to_owned() } else { clean::line(text, 120) };
            found.push(Difference { part, sent: shown(a), registered: shown(b) });
        }
    };
    note(Part::Scheme, a.scheme(), b.scheme());
    note(Part::Host, a.host_str().unwrap_or_default(), b.host_str().unwrap_or_default());
    let port = |url: &Url| url.port().map(|port| port.to_string()).unwrap_or_default();
    note(Part::Port, &port(&a), &port(&b));
    let part = if a.path().trim_end_matches('/') == b.path().trim_end_matches('/') {
        Part::TrailingSlash
    } else if a.path().eq_ignore_ascii_case(b.path()) {
        Part::LetterCase
    } else {
        Part::Path
    };
    // `https://host` and `https://host/` are one address, but not one text.
    let path = |url: &Url, text: &str| if url.path() == "/" && !text.trim_end().ends_with('/') { String::new() } else { url.path().to_owned() };
    note(part, &path(&a, sent), &path(&b, registered));
    note(Part::Query, a.query().unwrap_or_default(), b.query().unwrap_or_default());
    found
}

/// A refusal of the redirect URI.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mismatch {
    pub sent: String,
    /// Where the vendor names it.
    pub registered: Option<String>,
    pub differences: Vec<Difference>,
    pub problem: Problem,
}

/// Reads a vendor's words about a redirect URI that it did not accept: an error of OAuth, or the text of its page. `None`: it speaks of
/// something else.
#[must_use]
pub fn mismatch(vendor: &str, sent: &str, text: &str) -> Option<Mismatch> {
    if text.len() > 64 << 10 || !speaks(text) {
        return None;
    }
    let registered = registered_in(sent, text);
    let differences = registered.as_deref().map(|registered| differences(sent, registered)).unwrap_or_default();
    let shown = clean::line(sent, 200);
    let problem = match &registered {
        Some(registered) if !differences.is_empty() => {
            let parts: Vec<String> = differences.iter().map(Difference::text).collect();
            let (registered, parts) = (clean::line(registered, 200), clean::line(&parts.join("; "), 300));
            problem!(PersonMustAct, "redirect.differs", vendor = vendor, sent = shown, registered = registered, parts = parts)
        }
        _ => problem!(PersonMustAct, "redirect.unknown", vendor = vendor, sent = shown),
    };
    Some(Mismatch { sent: sent.to_owned(), registered, differences, problem: problem.with_code("redirect_uri_mismatch") })
}

/// The same problem, or what is wrong with the redirect URI where that is what it is about.
#[must_use]
pub fn explained(problem: Problem, vendor: &str, sent: &str) -> Problem {
    let told = format!("{} {}", problem.code.as_deref().unwrap_or_default(), problem.why);
    // Our own words for a code that was refused name the redirect URI as one cause of several.
    if sent.is_empty() || matches!(problem.code.as_deref(), Some("invalid_grant")) {
        return problem;
    }
    match mismatch(vendor, sent, &told) {
        Some(found) => Problem { code: problem.code, ..found.problem },
        None => problem,
    }
}

/// Microsoft's numbers for it are in its list of error codes; the name is what Google, GitHub and Salesforce send.
fn speaks(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    let named = ["redirect_uri_mismatch", "invalid_redirect_uri", "aadsts50011", "aadsts500113"];
    let about = ["redirect_uri", "redirect uri", "redirect url", "redirect_url", "callback url", "callback uri", "reply url", "reply address"];
    let no = ["match", "invalid", "not registered", "not allowed", "not valid", "not configured", "must be", "whitelist", "unregistered", "unknown"];
    let near = |at: usize| {
        let (from, to) = (at.saturating_sub(120), (at + 200).min(text.len()));
        let around = String::from_utf8_lossy(&text.as_bytes()[from..to]);
        no.iter().any(|word| around.contains(word))
    };
    named.iter().any(|name| text.contains(name)) || about.iter().any(|name| text.match_indices(name).any(|(at, _)| near(at)))
}

/// The redirect URI in the vendor's words that is not the one that was sent.
fn registered_in(sent: &str, text: &str) -> Option<String> {
    static ADDRESS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r#"[A-Za-z][A-Za-z0-9+.-]*://[^\s"'<>`)\]},]+"#).ok());
    let text = text.replace("&amp;", "&");
    let ours = Url::parse(sent).ok();
    let loopback = |url: &Url| match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        None => false,
    };
    let mut named = None;
    for found in ADDRESS.as_ref()?.find_iter(&text) {
        let address = found.as_str().trim_end_matches(['.', ';', ':', '!', '?', '*']);
        let Ok(url) = Url::parse(address) else { continue };
        if address == sent {
            continue;
        }
        let lower = |text: &str| text.to_ascii_lowercase();
        let before = lower(&text[..found.start()].chars().rev().take(60).collect::<Vec<_>>().into_iter().rev().collect::<String>());
        let after = lower(&text[found.end()..].chars().take(40).collect::<String>());
        // What the vendor says it was sent.
        if ["passed ur", "in the request", "you sent", "received"].iter().any(|word| before.contains(word))
            || ["specified in the request", "in the request"].iter().any(|word| after.contains(word))
        {
            continue;
        }
        let related = ours.as_ref().is_some_and(|ours| {
            ours.host_str() == url.host_str() || (loopback(ours) && loopback(&url)) || (ours.path().len() > 1 && ours.path() == url.path())
        });
        if related {
            return Some(address.to_owned());
        }
        let promised = ["registered", "configured", "allowed", "expected", "authorized", "settings", "must be", "should be", "valid"];
        let elsewhere = ["visit", "see ", "learn", "more ", "docs", "help"];
        if named.is_none() && promised.iter().any(|word| before.contains(word)) && !elsewhere.iter().any(|word| before.contains(word)) {
            named = Some(address.to_owned());
        }
    }
    named
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SENT: &str = "http://127.0.0.1:53417/callback";

    fn told(sent: &str, text: &str) -> String {
        match mismatch("Contoso", sent, text) {
            None => "nothing".to_owned(),
            Some(found) => format!("{:?} {}", found.registered.unwrap_or_default(), found.problem.why),
        }
    }

    #[test]
    fn what_vendors_say_about_it() {
        for (text, parts) in [
            // The shapes are those of Microsoft, Google, GitHub, Salesforce, Okta and Slack; the addresses are not.
            (
                "AADSTS50011: The redirect URI 'http://127.0.0.1:53417/callback' specified in the request does not match the redirect URIs configured for the application 'x'. Make sure it matches. To learn more, see https://aka.ms/redirectUriMismatchError",
                &["\"\"", SENT][..],
            ),
            ("Error 400: redirect_uri_mismatch", &["\"\"", SENT]),
            ("The redirect URI in the request, http://127.0.0.1:53417/callback, does not match the ones authorized for the client.", &["\"\""]),
            ("error=redirect_uri_mismatch&error_description=The+redirect_uri+MUST+match+the+registered+callback+URL", &["\"\""]),
            (
                "The 'redirect_uri' parameter must be a Login redirect URI in the client app settings: http://localhost:53417/callback",
                &["http://localhost:53417/callback", "host: sent 127.0.0.1, registered localhost"],
            ),
            ("redirect_uri did not match any configured URIs. Passed URI: http://127.0.0.1:53417/callback/x", &["\"\""]),
            ("Invalid redirect_uri. Registered: http://127.0.0.1:8080/callback.", &["port: sent 53417, registered 8080"]),
            ("redirect_uri mismatch, expected http://127.0.0.1:53417/callback/", &["slash at the end"]),
            ("redirect_uri mismatch, expected http://127.0.0.1:53417/Callback", &["capital and small letters"]),
            ("redirect uri must be https://127.0.0.1:53417/callback", &["scheme: sent http, registered https"]),
            ("The callback URL is not registered; configured is https://app.contoso.com/oauth", &["https://app.contoso.com/oauth", "host"]),
            ("invalid_scope: the scope x is not allowed", &["nothing"]),
            ("http://127.0.0.1:53417/callback?code=abc&state=xyz", &["nothing"]),
            ("", &["nothing"]),
        ] {
            for part in parts {
                assert!(told(SENT, text).contains(part), "{part}: {} ({text})", told(SENT, text));
            }
        }
    }

    #[test]
    fn differences_are_named_from_left_to_right() {
        let parts = |a: &str, b: &str| differences(a, b).into_iter().map(|found| found.part).collect::<Vec<_>>();
        assert_eq!(parts(SENT, SENT), []);
        assert_eq!(parts("http://127.0.0.1:1/a", "https://localhost:2/b?x=1"), [Part::Scheme, Part::Host, Part::Port, Part::Path, Part::Query]);
        assert_eq!(parts("https://a.example", "https://a.example/"), [Part::TrailingSlash]);
        assert_eq!(parts("https://a.example/cb", "https://a.example/CB"), [Part::LetterCase]);
        assert_eq!(parts("http://127.0.0.1/callback", SENT), [Part::Port]);
        assert_eq!(parts("nonsense", "other"), [Part::Path]);
    }

    #[test]
    fn a_setting_against_the_vendors_rule() {
        let redirect = |loopback, port, host: Option<&str>| Redirect { loopback, port, host: host.map(str::to_owned), path: None };
        let any = redirect(Loopback::AnyPort, None, None);
        let localhost = redirect(Loopback::AnyPort, None, Some("localhost"));
        let fixed = redirect(Loopback::Fixed, Some(8080), None);
        let https = redirect(Loopback::HttpsOnly, None, None);
        for (redirect, setting, part) in [
            (&any, "http://127.0.0.1:5000/cb", ""),
            (&any, "https://app.example/cb", ""),
            (&any, "myapp://cb", ""),
            (&any, "http://app.example/cb", "in the clear"),
            (&any, "https://app.example/cb#x", "#"),
            (&any, "nonsense", "relative URL"),
            (&localhost, "http://localhost:5000/cb", ""),
            (&localhost, "http://127.0.0.1:5000/cb", "localhost"),
            (&fixed, "http://127.0.0.1:8080/cb", ""),
            (&fixed, "http://127.0.0.1:8081/cb", "8080"),
            (&https, "https://localhost/cb", ""),
            (&https, "http://localhost:5000/cb", "https"),
        ] {
            match breaks(redirect, "Contoso", setting) {
                None => assert_eq!(part, "", "{setting}"),
                Some(problem) => assert!(!part.is_empty() && problem.why.contains(part), "{setting}: {problem:?}"),
            }
        }
        for redirect in [&any, &localhost, &fixed, &https] {
            assert!(rule(redirect, "Contoso").contains("Contoso"));
        }
    }

    #[test]
    fn only_a_problem_about_the_redirect_uri_is_explained() {
        let problem = |code: &str, why: &str| problem!(Failed, "auth.consent.failed", vendor = "Contoso", reason = why).with_code(code);
        let told = explained(problem("redirect_uri_mismatch", "no"), "Contoso", SENT);
        assert!(told.next_step.contains(SENT) && told.code.as_deref() == Some("redirect_uri_mismatch"), "{told:?}");
        let told = explained(problem("invalid_request", "The redirect_uri is not registered. Use http://localhost:53417/callback"), "Contoso", SENT);
        assert!(told.why.contains("registered localhost") && told.code.as_deref() == Some("invalid_request"), "{told:?}");
        let other = problem("access_denied", "The person did not consent.");
        assert_eq!(explained(other.clone(), "Contoso", SENT), other);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]
        #[test]
        fn nothing_panics(text in "(?s).{0,60}(redirect_uri (mismatch|invalid).{0,40}(http://[a-z0-9:/.]{0,20})?)?.{0,40}", sent in ".{0,40}") {
            if let Some(found) = mismatch("Contoso", &sent, &text) {
                prop_assert!(clean::is_clean(&found.problem.why));
            }
            let _ = differences(&sent, &text);
            let _ = breaks(&Redirect::default(), "Contoso", &sent);
        }
    }
}
