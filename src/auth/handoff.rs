//! Consent on another machine: what goes there, and what comes back.
//!
//! Both are one word, fit to be pasted: a name with a version, then base64url of the payload and the first four bytes of its SHA-256, which
//! tell a text that was cut from one that belongs elsewhere. The request is JSON and holds nothing secret: neither the PKCE verifier nor the
//! client's secret leaves the host that asks. The answer is sealed with age to a key that was made for this one request, so that only that
//! host can read it; and it is judged there like any other answer.

use age::secrecy::ExposeSecret as _;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use url::Url;

use super::browser;
use super::callback::{self, Names};
use super::pending::Pending;
use crate::model::{Problem, Secret, Time};
use crate::problem;
use crate::vendor::http;
use crate::words::clean;

const REQUEST: &str = "intertie-request-";
const ANSWER: &str = "intertie-answer-";
const VERSION: &str = "1";
const CHECK: usize = 4;
/// Requests have about a kilobyte, answers as much as the vendor's code and half a kilobyte.
pub const LONGEST: usize = 64 << 10;

/// A shorter state could be guessed.
pub const SHORTEST_STATE: usize = 16;

/// What the other machine is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    pub vendor: String,
    /// Who asks, as it calls itself.
    pub host: String,
    pub authorize_url: String,
    pub redirect_uri: String,
    pub state: String,
    pub expires: Time,
    /// The public half of the one-time key, as age writes it.
    pub key: String,
    /// Other names of the answer's parameters, where the vendor has its own.
    pub names: Names,
}

/// A request as it travels. What the address names already is not said twice.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    #[serde(rename = "v")]
    vendor: String,
    #[serde(rename = "h")]
    host: String,
    #[serde(rename = "u")]
    authorize_url: String,
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    redirect_uri: Option<String>,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    /// Seconds since 1970.
    #[serde(rename = "e")]
    expires: i64,
    #[serde(rename = "k")]
    key: String,
    #[serde(rename = "n", default, skip_serializing_if = "Names::is_empty")]
    names: Names,
}

/// A new one-time key, its secret half, as text to keep with the open flow. `None`: this flow offers no hand-off.
#[must_use]
pub fn key() -> Option<String> {
    Some(age::x25519::Identity::generate().to_string().expose_secret().to_owned())
}

/// The request for `intertie authorize REQUEST`: the address to open, where the answer will arrive, until when, and the public half of the
/// one-time key. Holds no secret. `None` when the flow has no key. `names`: the vendor's own names of parameters.
#[must_use]
pub fn request(pending: &Pending, vendor: &str, authorize_url: &str, names: &Names) -> Option<String> {
    let identity: age::x25519::Identity = pending.handoff.as_deref()?.parse().ok()?;
    Some(
        Request {
            vendor: clean::line(vendor, 80),
            host: clean::line(&browser::host_name(), 80),
            authorize_url: authorize_url.to_owned(),
            redirect_uri: pending.redirect_uri.clone(),
            state: pending.state.clone(),
            expires: pending.expires,
            key: identity.to_public().to_string(),
            names: callback::of_answers(names),
        }
        .text(),
    )
}

impl Request {
    #[must_use]
    pub fn text(&self) -> String {
        let address = Url::parse(&self.authorize_url).ok();
        let named = |name: &str| address.as_ref().and_then(|address| once(address, name));
        let unless_named = |name: &str, value: &str| (named(name).as_deref() != Some(value)).then(|| value.to_owned());
        let wire = Wire {
            vendor: self.vendor.clone(),
            host: self.host.clone(),
            authorize_url: self.authorize_url.clone(),
            redirect_uri: unless_named("redirect_uri", &self.redirect_uri),
            state: unless_named("state", &self.state),
            expires: self.expires.as_second(),
            key: self.key.clone(),
            names: self.names.clone(),
        };
        // A struct of texts and a number always serializes.
        framed(REQUEST, &serde_json::to_vec(&wire).unwrap_or_default())
    }
}

/// Reads a request, however it was wrapped or quoted, and checks that it can be followed safely.
pub fn read(text: &str, now: Time) -> Result<Request, Problem> {
    let payload = match unframed(REQUEST, text) {
        Framed::Payload(payload) => payload,
        Framed::Newer => return Err(problem!(Usage, "authorize.newer")),
        Framed::Damaged => return Err(problem!(Usage, "authorize.request.damaged")),
        Framed::Absent if matches!(unframed(ANSWER, text), Framed::Absent) => return Err(problem!(Usage, "authorize.request.none")),
        Framed::Absent => return Err(problem!(Usage, "authorize.request.answer")),
    };
    let refused = |reason: &str| problem!(Usage, "authorize.request.refused", reason = reason);
    let wire: Wire = serde_json::from_slice(&payload).map_err(|_| problem!(Usage, "authorize.request.damaged"))?;
    let fits = |text: &str, max: usize| !text.is_empty() && text.chars().count() <= max && clean::is_clean(text);
    if !fits(&wire.vendor, 80) || !fits(&wire.host, 80) {
        return Err(refused(crate::t!("authorize.reason.names")));
    }
    let url = http::address(&wire.authorize_url).map_err(|problem| refused(&problem.why))?;
    if !fits(&wire.authorize_url, 16_384) {
        return Err(refused(crate::t!("authorize.reason.address")));
    }
    let redirect_uri = wire.redirect_uri.or_else(|| once(&url, "redirect_uri")).unwrap_or_default();
    let state = wire.state.or_else(|| once(&url, "state")).unwrap_or_default();
    // What the person sees is what the vendor is asked.
    let agrees = |name: &str, value: &str| once(&url, name).is_none_or(|named| named == value);
    if !fits(&redirect_uri, 2_000) || !agrees("redirect_uri", &redirect_uri) || !redirect_safe(&redirect_uri) {
        return Err(refused(crate::t!("authorize.reason.redirect")));
    }
    if state.len() < SHORTEST_STATE || !fits(&state, 2_000) || !agrees("state", &state) {
        return Err(refused(crate::t!("authorize.reason.state")));
    }
    if wire.key.parse::<age::x25519::Recipient>().is_err() {
        return Err(refused(crate::t!("authorize.reason.key")));
    }
    if wire.names.len() > 8 || wire.names.iter().any(|(known, other)| !fits(known, 60) || !fits(other, 60)) {
        return Err(refused(crate::t!("authorize.reason.names")));
    }
    let expires = Time::from_second(wire.expires).map_err(|_| problem!(Usage, "authorize.request.damaged"))?;
    if expires <= now {
        return Err(problem!(PersonMustAct, "authorize.request.late", host = wire.host, time = expires));
    }
    Ok(Request {
        vendor: wire.vendor,
        host: wire.host,
        authorize_url: wire.authorize_url,
        redirect_uri,
        state,
        expires,
        key: wire.key,
        names: wire.names,
    })
}

/// Whether a text looks like something of this module, whole or damaged.
#[must_use]
pub fn is_ours(text: &str) -> bool {
    [REQUEST, ANSWER].into_iter().any(|kind| !matches!(unframed(kind, text), Framed::Absent))
}

/// A redirect URI that leaves the code with this machine or goes through TLS; or an app's own scheme, which nobody here answers.
fn redirect_safe(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| url.scheme() != "http" || http::is_loopback(&url))
}

/// A parameter that the address holds exactly once.
fn once(url: &Url, name: &str) -> Option<String> {
    let mut values = url.query_pairs().filter(|(known, _)| known == name);
    let value = values.next()?.1.into_owned();
    values.next().is_none().then_some(value)
}

/// Seals an answer for the host that asked: the parameters of the callback as a query, or a bare code.
pub fn seal(request: &Request, answer: &str) -> Result<String, Problem> {
    let refused = |reason: String| problem!(Failed, "authorize.not_sealed", reason = clean::line(&reason, 200));
    let recipient: age::x25519::Recipient = request.key.parse().map_err(|reason: &str| refused(reason.to_owned()))?;
    let sealed = age::encrypt(&recipient, answer.as_bytes()).map_err(|error| refused(error.to_string()))?;
    Ok(framed(ANSWER, &sealed))
}

/// A pasted text that is a sealed answer, opened with the flow's key: what was pasted or heard over there. `None`: it is something else.
pub fn open(key: Option<&str>, pasted: &str) -> Option<Result<Secret, Problem>> {
    let sealed = match unframed(ANSWER, pasted) {
        Framed::Payload(sealed) => sealed,
        Framed::Newer => return Some(Err(problem!(Usage, "authorize.newer"))),
        Framed::Damaged => return Some(Err(problem!(Usage, "authorize.answer.damaged"))),
        Framed::Absent => return (!matches!(unframed(REQUEST, pasted), Framed::Absent)).then(|| Err(problem!(Usage, "authorize.answer.request"))),
    };
    let Some(identity) = key.and_then(|key| key.parse::<age::x25519::Identity>().ok()) else {
        return Some(Err(problem!(Usage, "authorize.answer.other")));
    };
    Some(match age::decrypt(&identity, &sealed).map(String::from_utf8) {
        Ok(Ok(text)) => Ok(Secret::new(text)),
        Err(age::DecryptError::NoMatchingKeys) => Err(problem!(Usage, "authorize.answer.other")),
        _ => Err(problem!(Usage, "authorize.answer.damaged")),
    })
}

fn framed(kind: &str, payload: &[u8]) -> String {
    let checked = [payload, &check(kind, payload)].concat();
    format!("{kind}{VERSION}-{}", URL_SAFE_NO_PAD.encode(checked))
}

fn check(kind: &str, payload: &[u8]) -> [u8; CHECK] {
    let digest = Sha256::new().chain_update(kind).chain_update(VERSION).chain_update(payload).finalize();
    let mut check = [0; CHECK];
    check.copy_from_slice(&digest[..CHECK]);
    check
}

enum Framed {
    /// Nothing of this kind is in the text.
    Absent,
    /// Made by a later version.
    Newer,
    /// Cut, or changed.
    Damaged,
    Payload(Vec<u8>),
}

/// Finds a framed payload in a text: wrapped by a window or a mail, indented, quoted, with words before and after it.
fn unframed(kind: &str, text: &str) -> Framed {
    if text.len() > 4 * LONGEST {
        return Framed::Absent;
    }
    // What base64url and the prefix are made of; `>` and quotes come from mails and documents.
    let ours = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    // The text with each gap as one blank, so that the places where it may end are known.
    let mut pieces: Vec<String> = text.split(|c: char| !ours(c)).filter(|piece| !piece.is_empty()).map(str::to_owned).collect();
    let joined = pieces.concat();
    let Some(at) = joined.find(kind) else { return Framed::Absent };
    // The pieces before the prefix, and the letters before it in its own, are not a part of it.
    let mut skip = at;
    while let Some(first) = pieces.first_mut() {
        if first.len() > skip {
            first.drain(..skip);
            break;
        }
        skip -= first.len();
        pieces.remove(0);
    }
    let mut word = String::new();
    let mut found = Framed::Damaged;
    for piece in &pieces {
        word.push_str(piece);
        if word.len() > LONGEST {
            break;
        }
        let Some((version, encoded)) = word.strip_prefix(kind).and_then(|rest| rest.split_once('-')) else { continue };
        if version != VERSION {
            let newer = !version.is_empty() && version.bytes().all(|b| b.is_ascii_digit());
            return if newer { Framed::Newer } else { Framed::Damaged };
        }
        let Ok(mut payload) = URL_SAFE_NO_PAD.decode(encoded) else { continue };
        if payload.len() <= CHECK {
            continue;
        }
        let told = payload.split_off(payload.len() - CHECK);
        if told == check(kind, &payload) {
            found = Framed::Payload(payload);
            break;
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn now() -> Time {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn asked(key: &str) -> Request {
        let identity: age::x25519::Identity = key.parse().unwrap();
        let redirect_uri = "http://127.0.0.1:53417/callback".to_owned();
        let state = "AbCdEfGhIjKlMnOpQrStUvWxYz".to_owned();
        let mut url = Url::parse("https://id.contoso.com/authorize?response_type=code&client_id=me").unwrap();
        url.query_pairs_mut().append_pair("redirect_uri", &redirect_uri).append_pair("state", &state);
        Request {
            vendor: "Contoso".into(),
            host: "admin01".into(),
            authorize_url: url.into(),
            redirect_uri,
            state,
            expires: "2026-01-01T00:10:00Z".parse().unwrap(),
            key: identity.to_public().to_string(),
            names: Names::new(),
        }
    }

    #[test]
    fn a_request_goes_there_and_its_answer_comes_back() {
        let key = key().unwrap();
        let request = asked(&key);
        let text = request.text();
        assert!(text.len() < 600 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'), "{text}");
        let there = read(&text, now()).unwrap();
        assert_eq!(there, request);
        let sealed = seal(&there, "code=secret-code&state=x").unwrap();
        assert!(sealed.len() < 900, "{}", sealed.len());
        assert!(open(Some(&key), &sealed).unwrap().is_ok_and(|secret| secret.expose() == "code=secret-code&state=x"));
        let decoded = URL_SAFE_NO_PAD.decode(sealed.rsplit('-').next().unwrap().as_bytes()).unwrap_or_default();
        assert!(!decoded.windows(11).any(|window| window == b"secret-code"));
        // Not said twice, and said where the address does not (RFC 9126).
        let pushed = Request { authorize_url: "https://id.contoso.com/authorize?client_id=me&request_uri=urn%3Ax".into(), ..request };
        assert_eq!(read(&pushed.text(), now()).unwrap(), pushed);
    }

    fn why(result: Result<Request, Problem>) -> String {
        result.map_or_else(|problem| problem.why, |_| "accepted".to_owned())
    }

    #[test]
    fn however_it_was_carried() {
        let key = key().unwrap();
        let text = asked(&key).text();
        let wrapped = text.as_bytes().chunks(60).map(|line| format!("  {}", std::str::from_utf8(line).unwrap())).collect::<Vec<_>>().join("\r\n");
        let quoted = text.as_bytes().chunks(72).map(|line| format!("> {}\n", std::str::from_utf8(line).unwrap())).collect::<String>();
        for carried in [
            format!("\"{text}\""),
            format!("  '{text}'\n"),
            format!("intertie authorize {text}"),
            format!("Please run this:\n\n    intertie authorize \\\n  {wrapped}\n\nThanks, Ada"),
            quoted,
            format!("“{text}”."),
            format!("`{text}`, please"),
            format!("\u{feff}{text}\u{200b}"),
        ] {
            assert_eq!(read(&carried, now()).unwrap(), asked(&key), "{carried}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        let key = key().unwrap();
        let good = asked(&key);
        let text = good.text();
        for (text, part) in [
            (String::new(), "no request"),
            ("hello".to_owned(), "no request"),
            (text[..text.len() - 5].to_owned(), "incomplete"),
            (text.replacen("request-1-", "request-2-", 1), "not known"),
            (seal(&good, "code=1").unwrap(), "answer"),
            (Request { authorize_url: "http://id.contoso.com/authorize".into(), ..good.clone() }.text(), "in the clear"),
            (Request { authorize_url: "javascript:alert(1)".into(), ..good.clone() }.text(), "in the clear"),
            (Request { vendor: "Con\u{202e}toso".into(), ..good.clone() }.text(), "names"),
            (Request { host: String::new(), ..good.clone() }.text(), "names"),
            (Request { redirect_uri: "http://127.0.0.1:1/other".into(), ..good.clone() }.text(), "redirect"),
            (
                Request { authorize_url: "https://id.contoso.com/a".into(), redirect_uri: "http://evil.example/cb".into(), ..good.clone() }.text(),
                "redirect",
            ),
            (Request { authorize_url: "https://id.contoso.com/a".into(), state: "short".into(), ..good.clone() }.text(), "state"),
            (Request { key: "age1nothing".into(), ..good.clone() }.text(), "key"),
            (Request { expires: now(), ..good.clone() }.text(), "2026-01-01"),
            (framed(REQUEST, b"{}"), "incomplete"),
            ("x".repeat(1 << 20), "no request"),
        ] {
            assert!(why(read(&text, now())).contains(part), "{part}: {} ({text:.80})", why(read(&text, now())));
        }
    }

    #[test]
    fn only_the_host_that_asked_can_open_an_answer() {
        let (mine, other) = (key().unwrap(), key().unwrap());
        let sealed = seal(&asked(&mine), "code=abc").unwrap();
        let told = |key: Option<&str>, text: &str| match open(key, text) {
            None => "nothing".to_owned(),
            Some(Ok(_)) => "opened".to_owned(),
            Some(Err(problem)) => problem.why,
        };
        assert!(told(Some(&other), &sealed).contains("another request"));
        assert!(told(None, &sealed).contains("another request"));
        assert!(told(Some(&mine), &sealed[..sealed.len() - 9]).contains("incomplete"));
        assert!(told(Some(&mine), &asked(&mine).text()).contains("the request"));
        assert_eq!(told(Some(&mine), "http://127.0.0.1/?code=abc"), "nothing");
        // Changed, with the check made anew: age notices.
        let mut bytes = URL_SAFE_NO_PAD.decode(&sealed[ANSWER.len() + 2..]).unwrap();
        bytes.truncate(bytes.len() - CHECK);
        *bytes.last_mut().unwrap() ^= 1;
        assert!(told(Some(&mine), &framed(ANSWER, &bytes)).contains("incomplete"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn nothing_panics_and_rubbish_is_refused(text in "(?s).{0,80}", tail in "[A-Za-z0-9_ \n-]{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&text, now()).is_err());
            for kind in [REQUEST, ANSWER] {
                let rubbish = format!("{text}{kind}1-{tail}");
                prop_assert!(read(&rubbish, now()).is_err());
                prop_assert!(open(None, &rubbish).is_none_or(|opened| opened.is_err()));
                let checked = framed(kind, &bytes);
                prop_assert!(read(&checked, now()).is_err());
                prop_assert!(open(key().as_deref(), &checked).is_none_or(|opened| opened.is_err()));
            }
        }

        #[test]
        fn wrapping_anywhere_changes_nothing(places in proptest::collection::vec(0usize..700, 0..6)) {
            let request = asked("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX");
            let mut text = request.text();
            for place in places {
                let at = place.min(text.len());
                text.insert_str(at, "\n   ");
            }
            prop_assert_eq!(read(&text, now()).unwrap(), request);
        }

        #[test]
        fn one_changed_letter_is_noticed(at in 18usize..400, letter in "[A-Za-z0-9_]") {
            let request = asked("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX");
            let mut text = request.text();
            let at = at.min(text.len() - 2).max(REQUEST.len() + 2);
            if text[at..=at] != letter {
                text.replace_range(at..=at, &letter);
                prop_assert!(read(&text, now()).is_err());
            }
        }
    }
}
