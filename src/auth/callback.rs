//! The answer to an authorization request (RFC 6749 §4.1.2): read, and judged against what was asked.

use indexmap::IndexMap;
use url::form_urlencoded;

use super::refusal::{self, At, Said};
use crate::model::{Problem, Secret, Time};
use crate::problem;
use crate::words::clean;

/// The parameters that came back.
#[derive(Clone, Default, PartialEq)]
pub struct Reply {
    pub code: Option<String>,
    pub state: Option<String>,
    pub iss: Option<String>,
    pub error: Option<String>,
    pub error_description: Option<String>,
    /// A parameter that came twice, which RFC 6749 §3.1 forbids.
    pub repeated: Option<&'static str>,
    /// It is an authorization request: the address that was opened, not the one that was reached.
    pub request: bool,
    /// Everything else that came, by the vendor's name: a region, an accounts server, a shop.
    pub others: IndexMap<String, String>,
}

const NAMES: [&str; 5] = ["code", "state", "iss", "error", "error_description"];

impl Reply {
    /// Reads a query (or fragment), without its `?` or `#`. `names`: what the vendor calls a parameter, by our name (`code = "authCode"`).
    #[must_use]
    pub fn read(query: &str, names: &IndexMap<String, String>) -> Self {
        let mut reply = Self::default();
        let mut asks = (false, false);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            asks.0 |= name == "response_type";
            asks.1 |= name == "client_id";
            let called = |known: &&str| names.get(*known).map_or(*known, String::as_str) == name;
            let Some(known) = NAMES.into_iter().find(called) else {
                reply.others.insert(name.into_owned(), value.into_owned());
                continue;
            };
            let slot = match known {
                "code" => &mut reply.code,
                "state" => &mut reply.state,
                "iss" => &mut reply.iss,
                "error" => &mut reply.error,
                _ => &mut reply.error_description,
            };
            if slot.is_some() {
                reply.repeated = Some(known);
            }
            // A code or state holds visible ASCII only (RFC 6749, appendix A), so blanks come from wrapping.
            *slot = Some(if known == "error_description" { value.into_owned() } else { value.chars().filter(|c| !c.is_whitespace()).collect() });
        }
        reply.request = asks == (true, true) && reply.code.is_none() && reply.error.is_none();
        reply
    }

    /// Whether it is meant as an answer at all.
    #[must_use]
    pub fn speaks(&self) -> bool {
        self.code.is_some() || self.error.is_some()
    }
}

/// What was asked, and what an answer has to agree with.
#[derive(Clone)]
pub struct Expected {
    pub vendor: String,
    /// Host of the authorization address.
    pub host: String,
    pub state: String,
    /// Where it is known (RFC 9207).
    pub issuer: Option<String>,
    /// Whether the issuer promises to name itself in each answer.
    pub names_issuer: bool,
    /// Whether a code alone can be trusted: PKCE binds it to this flow, so one from elsewhere is refused at the token endpoint.
    pub pkce: bool,
    pub scopes: String,
    pub expires: Time,
}

/// A valid answer.
#[derive(Clone)]
pub enum Answer {
    Code(Secret),
    /// Consent was refused, or could not be given.
    Refused(Problem),
}

/// Whether a reply answers this request. Everything else is a Problem that says what does not agree.
pub fn judge(expected: &Expected, reply: &Reply, now: Time) -> Result<Answer, Problem> {
    let vendor = &expected.vendor;
    if reply.request {
        return Err(problem!(Usage, "auth.answer.request", vendor = vendor));
    }
    if let Some(name) = reply.repeated {
        return Err(problem!(Failed, "auth.answer.repeated", vendor = vendor, name = name));
    }
    if !reply.speaks() {
        return Err(problem!(Usage, "auth.answer.no_code", vendor = vendor));
    }
    match &reply.state {
        None => return Err(problem!(Failed, "auth.answer.no_state", vendor = vendor)),
        Some(state) if !same(state, &expected.state) => {
            return Err(problem!(Failed, "auth.answer.wrong_state", vendor = vendor).with_code("wrong_state"));
        }
        Some(_) => {}
    }
    check_issuer(expected, reply.iss.as_deref())?;
    if now > expected.expires {
        return Err(problem!(PersonMustAct, "auth.answer.late", vendor = vendor));
    }
    if let Some(error) = &reply.error {
        let at = At { vendor, host: &expected.host, scopes: &expected.scopes };
        return Ok(Answer::Refused(refusal::of_consent(&at, &Said::in_answer(error, reply.error_description.as_deref()))));
    }
    match reply.code.as_deref() {
        Some(code) if !code.is_empty() => Ok(Answer::Code(Secret::new(code))),
        _ => Err(problem!(Usage, "auth.answer.no_code", vendor = vendor)),
    }
}

/// A code that was pasted alone: no state to compare.
pub fn judge_bare(expected: &Expected, code: &str, now: Time) -> Result<Answer, Problem> {
    if !expected.pkce {
        return Err(problem!(Usage, "auth.answer.bare", vendor = expected.vendor));
    }
    if now > expected.expires {
        return Err(problem!(PersonMustAct, "auth.answer.late", vendor = expected.vendor));
    }
    Ok(Answer::Code(Secret::new(code)))
}

/// RFC 9207 §2.4: exactly the issuer that was asked, and not silent when it promised to speak.
fn check_issuer(expected: &Expected, iss: Option<&str>) -> Result<(), Problem> {
    match (&expected.issuer, iss) {
        (Some(issuer), Some(iss)) if issuer != iss => Err(problem!(
            Failed,
            "auth.answer.wrong_issuer",
            vendor = expected.vendor,
            issuer = clean::line(issuer, 150),
            found = clean::line(iss, 150)
        )
        .with_code("wrong_issuer")),
        (Some(issuer), None) if expected.names_issuer => {
            Err(problem!(Failed, "auth.answer.no_issuer", vendor = expected.vendor, issuer = clean::line(issuer, 150)).with_code("wrong_issuer"))
        }
        _ => Ok(()),
    }
}

/// Compares in a time that does not tell where they differ.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn expected() -> Expected {
        Expected {
            vendor: "Contoso".into(),
            host: "id.contoso.com".into(),
            state: "right".into(),
            issuer: Some("https://id.contoso.com".into()),
            names_issuer: false,
            pkce: true,
            scopes: "a".into(),
            expires: "2026-01-01T00:10:00Z".parse().unwrap(),
        }
    }

    fn verdict(expected: &Expected, query: &str) -> String {
        match judge(expected, &Reply::read(query, &IndexMap::new()), "2026-01-01T00:00:00Z".parse().unwrap()) {
            Ok(Answer::Code(code)) => format!("code {}", code.expose()),
            Ok(Answer::Refused(problem)) => format!("refused {}", problem.code.unwrap_or_default()),
            Err(problem) => problem.why,
        }
    }

    #[test]
    fn each_answer_and_what_is_wrong_with_it() {
        for (query, part) in [
            ("code=abc&state=right", "code abc"),
            ("code=a%2Fb%2B&state=right&iss=https%3A%2F%2Fid.contoso.com", "code a/b+"),
            ("state=right&error=access_denied", "refused access_denied"),
            ("state=right&error=access_denied&error_description=AADSTS65004%3A+no", "refused AADSTS65004"),
            ("code=abc&state=wrong", "another request"),
            ("error=access_denied&state=wrong", "another request"),
            ("code=abc", "no state"),
            ("code=abc&state=right&iss=https://evil.example", "https://evil.example"),
            ("code=&state=right", "no code"),
            ("state=right", "no code"),
            ("", "no code"),
            ("code=a&code=b&state=right", "twice"),
            ("response_type=code&client_id=x&state=right&redirect_uri=y", "was opened"),
        ] {
            assert!(verdict(&expected(), query).contains(part), "{query}: {}", verdict(&expected(), query));
        }
        let strict = Expected { names_issuer: true, ..expected() };
        assert!(verdict(&strict, "code=abc&state=right").contains("did not name"));
        let late = Expected { expires: "2025-01-01T00:00:00Z".parse().unwrap(), ..expected() };
        assert!(verdict(&late, "code=abc&state=right").contains("too late"));
        let unknown = Expected { issuer: None, ..expected() };
        assert_eq!(verdict(&unknown, "code=abc&state=right&iss=https://any.example"), "code abc");
    }

    #[test]
    fn vendors_have_names_of_their_own() {
        let names = IndexMap::from([("code".to_owned(), "authCode".to_owned())]);
        let reply = Reply::read("authCode=a&state=s&accounts-server=https%3A%2F%2Faccounts.example.eu&code=other", &names);
        assert_eq!((reply.code.as_deref(), reply.state.as_deref()), (Some("a"), Some("s")));
        assert_eq!(reply.others["accounts-server"], "https://accounts.example.eu");
        assert!(!Reply::read("code=a&state=s", &names).speaks());
    }

    #[test]
    fn a_bare_code_needs_pkce() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        assert!(judge_bare(&expected(), "abc", now).is_ok());
        assert!(judge_bare(&Expected { pkce: false, ..expected() }, "abc", now).is_err());
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_but_the_state_lets_a_code_in(query in "[a-z=&%+0-9 ]{0,60}|(code|state|error|iss)(=[a-z%]{0,8})?(&(code|state|error|iss)=[a-z%]{0,8}){0,5}") {
            let verdict = verdict(&expected(), &query);
            prop_assert!(!verdict.starts_with("code ") || query.contains("state=right"));
        }
    }
}
