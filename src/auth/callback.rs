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
    /// A token came by the browser: the implicit grant (RFC 6749 §4.2), which nobody asked for. The token itself is not kept.
    pub implicit: bool,
    /// Everything that came, under the names it had; without tokens.
    pub pairs: Vec<(String, String)>,
}

/// Other names of parameters, where the vendor has its own: `code` → `authCode`.
pub type Names = IndexMap<String, String>;

const NAMES: [&str; 5] = ["code", "state", "iss", "error", "error_description"];
/// Parameters that only the implicit grant has in an answer (RFC 6749 §4.2.2, OpenID Connect Core §3.2.2.5).
const TOKENS: [&str; 2] = ["access_token", "id_token"];
/// An answer has a handful of parameters; more are left out.
const MOST: usize = 64;

/// The names that matter in an answer; others are those of token requests.
#[must_use]
pub fn of_answers(names: &Names) -> Names {
    names.iter().filter(|(known, _)| NAMES.contains(&known.as_str())).map(|(known, other)| (known.clone(), other.clone())).collect()
}

/// The names in an answer of OAuth 1.0a (RFC 5849 §2.2, and its Problem Reporting extension): the temporary token is the state. `own`: what
/// the vendor calls them.
#[must_use]
pub fn of_oauth1(own: &Names) -> Names {
    let usual = [("code", "oauth_verifier"), ("state", TEMPORARY), ("error", "oauth_problem"), ("error_description", "oauth_problem_advice")];
    let mut names: Names = usual.into_iter().map(|(known, other)| (known.to_owned(), other.to_owned())).collect();
    names.extend(of_answers(own));
    names
}

/// Whether these are the names of OAuth 1.0a.
#[must_use]
pub fn is_oauth1(names: &Names) -> bool {
    names.get("state").is_some_and(|name| name == TEMPORARY)
}

const TEMPORARY: &str = "oauth_token";
/// By its name in RFC 6749 §4.1.2.1.
const ACCESS_DENIED: &str = "access_denied";

impl Reply {
    /// Reads a query (or fragment), without its `?` or `#`. `names`: what the vendor calls a parameter, by our name (`code = "authCode"`).
    #[must_use]
    pub fn read(query: &str, names: &Names) -> Self {
        let mut reply = Self::default();
        let mut asks = (false, false);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            // A pushed request (RFC 9126 §4) is named by its reference alone.
            asks.0 |= name == "response_type" || name == "request_uri";
            asks.1 |= name == "client_id";
            if TOKENS.contains(&name.as_ref()) {
                reply.implicit |= !value.is_empty();
                continue;
            }
            if reply.pairs.len() < MOST {
                reply.pairs.push((name.to_string(), value.to_string()));
            }
            let Some(known) = NAMES.into_iter().find(|known| names.get(*known).map_or(*known, String::as_str) == name) else { continue };
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
        if is_oauth1(names) {
            reply.refused();
        }
        reply.request = asks == (true, true) && reply.code.is_none() && reply.error.is_none();
        reply
    }

    /// What servers of OAuth 1.0a say when a person refused: `denied=` with the temporary token, or a problem of that name.
    fn refused(&mut self) {
        if let Some((_, token)) = self.pairs.iter().find(|(name, _)| name == "denied") {
            self.state.get_or_insert_with(|| token.trim().to_owned());
            self.error.get_or_insert_with(|| ACCESS_DENIED.to_owned());
        }
        if matches!(self.error.as_deref(), Some("permission_denied" | "user_refused")) {
            self.error = Some(ACCESS_DENIED.to_owned());
        }
    }

    /// Whether it is meant as an answer at all.
    #[must_use]
    pub fn speaks(&self) -> bool {
        self.code.is_some() || self.error.is_some() || self.implicit
    }

    /// What came, as a query again.
    #[must_use]
    pub fn query(&self) -> Secret {
        Secret::new(form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.pairs).finish())
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
    /// Whether a code alone can be trusted: PKCE (or the temporary token of OAuth 1.0a) binds it to this flow, so one from elsewhere is
    /// refused at the token endpoint.
    pub pkce: bool,
    pub scopes: String,
    pub expires: Time,
    /// The vendor's own names of the parameters.
    pub names: Names,
    /// Parameters to keep besides the code, by their name under `found`.
    pub capture: IndexMap<String, String>,
}

impl Expected {
    /// What the vendor calls a parameter.
    #[must_use]
    pub fn called(&self, name: &str) -> String {
        self.names.get(name).map_or_else(|| name.to_owned(), |other| clean::line(other, 80))
    }
}

fn no_code(expected: &Expected) -> Problem {
    problem!(Usage, "auth.answer.no_code", vendor = expected.vendor, code = expected.called("code"), state = expected.called("state"))
}

/// A code, and what came with it.
#[derive(Clone)]
pub struct Given {
    pub code: Secret,
    /// Values to keep under `found`.
    pub found: IndexMap<String, String>,
}

/// A valid answer.
#[derive(Clone)]
pub enum Answer {
    Code(Given),
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
        return Err(no_code(expected));
    }
    // RFC 9700 §2.1.2: a token that went through a browser may be anybody's by now.
    if reply.implicit && reply.code.is_none() {
        return Err(problem!(Failed, "auth.answer.implicit", vendor = vendor));
    }
    match &reply.state {
        None => return Err(problem!(Failed, "auth.answer.no_state", vendor = vendor, state = expected.called("state"))),
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
        Some(code) if !code.is_empty() => Ok(Answer::Code(Given { code: Secret::new(code), found: captured(expected, reply) })),
        _ => Err(no_code(expected)),
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
    if let Some(name) = expected.capture.values().next() {
        return Err(problem!(Usage, "auth.answer.alone", vendor = expected.vendor, name = clean::line(name, 80)));
    }
    Ok(Answer::Code(Given { code: Secret::new(code), found: IndexMap::new() }))
}

/// The values that are to be kept: those that came once, and can be shown.
fn captured(expected: &Expected, reply: &Reply) -> IndexMap<String, String> {
    let value = |name: &str| {
        let mut values = reply.pairs.iter().filter(|(known, _)| known == name);
        let (_, value) = values.next()?;
        (values.next().is_none() && !value.is_empty() && value.len() <= 2_000 && clean::is_clean(value)).then(|| value.clone())
    };
    expected.capture.iter().filter_map(|(found, name)| Some((found.clone(), value(name)?))).collect()
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
            names: Names::new(),
            capture: IndexMap::new(),
        }
    }

    fn verdict(expected: &Expected, query: &str) -> String {
        match judge(expected, &Reply::read(query, &expected.names), "2026-01-01T00:00:00Z".parse().unwrap()) {
            Ok(Answer::Code(given)) => format!("code {}", given.code.expose()),
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
            ("access_token=secret&token_type=Bearer&state=right", "through the browser"),
            ("id_token=secret&state=right", "through the browser"),
            ("code=abc&id_token=secret&state=right", "code abc"),
            ("client_id=x&request_uri=urn%3Ay", "was opened"),
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
    fn a_vendors_own_names_and_what_is_kept() {
        let own = |pairs: &[(&str, &str)]| pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect::<IndexMap<_, _>>();
        let expected = Expected { names: own(&[("code", "authCode")]), capture: own(&[("dc", "accounts-server"), ("x", "gone")]), ..expected() };
        let query = "authCode=abc&state=right&accounts-server=https%3A%2F%2Feu.example&access_token=no";
        let reply = Reply::read(query, &expected.names);
        let Ok(Answer::Code(given)) = judge(&expected, &reply, "2026-01-01T00:00:00Z".parse().unwrap()) else { panic!("refused") };
        assert_eq!(given.code.expose(), "abc");
        assert_eq!(given.found.into_iter().collect::<Vec<_>>(), [("dc".to_owned(), "https://eu.example".to_owned())]);
        assert_eq!(reply.query().expose(), "authCode=abc&state=right&accounts-server=https%3A%2F%2Feu.example");
        assert!(verdict(&expected, "code=abc&state=right").contains("no code"));
        assert!(judge_bare(&expected, "abcdefgh", "2026-01-01T00:00:00Z".parse().unwrap()).is_err());
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
