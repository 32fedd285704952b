//! Tokens: read from a token response (RFC 6749 §5.1, and the shapes that vendors made of it), kept in the vault as one sealed value.

use indexmap::IndexMap;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::jwt;
use crate::mapping::path::Path;
use crate::model::{Problem, Secret, Time, TokenResponse};
use crate::vault::Vault;

/// The vault's field for them. Inputs are kept beside it by their keys, which hold no dot: many a method has an input `token`.
pub const FIELD: &str = "oauth.tokens";

/// How long before its end an access token is replaced.
const SKEW: SignedDuration = SignedDuration::from_secs(120);

/// What was obtained. No `Debug`: these are secrets.
#[derive(Clone, Serialize, Deserialize)]
pub struct Tokens {
    pub access: String,
    pub refresh: Option<String>,
    pub obtained: Time,
    pub expires: Option<Time>,
    pub refresh_expires: Option<Time>,
    /// Counts up with every replacement, so that two holders can tell whose is newer.
    pub generation: u64,
    /// The ID token without its signature, so that nobody can use it: for people to look at.
    #[serde(default)]
    pub id_token: Option<String>,
    /// When a person consented, or the first token was obtained.
    #[serde(default)]
    pub since: Option<Time>,
    /// What signs with the token, in OAuth 1.0a (RFC 5849 §2.3).
    #[serde(default)]
    pub token_secret: Option<String>,
}

impl Drop for Tokens {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.access);
        zeroize::Zeroize::zeroize(&mut self.refresh);
        zeroize::Zeroize::zeroize(&mut self.id_token);
        zeroize::Zeroize::zeroize(&mut self.token_secret);
    }
}

impl Tokens {
    /// Whether the access token can be used without replacing it first: it lasts at least the skew, or a quarter of its life when that is
    /// short. One whose end is unknown is used until it is refused.
    #[must_use]
    pub fn fresh(&self, now: Time) -> bool {
        let Some(expires) = self.expires else { return true };
        let life = expires.duration_since(self.obtained);
        let skew = SKEW.min(life / 4).max(SignedDuration::ZERO);
        expires.duration_since(now) > skew
    }

    /// Whether it can still be used at all.
    #[must_use]
    pub fn alive(&self, now: Time) -> bool {
        self.expires.is_none_or(|expires| expires.duration_since(now) > SignedDuration::from_secs(5))
    }

    pub fn load(vault: &Vault, owner: &str) -> Result<Option<Self>, Problem> {
        // What cannot be read is as good as absent: a new consent replaces it.
        Ok(vault.get(owner, FIELD)?.and_then(|text| serde_json::from_str(text.expose()).ok()))
    }

    /// Keeps them, and forgets the fields `gone` in the same step. Durable when it returns.
    pub fn save(&self, vault: &Vault, owner: &str, gone: &[&str]) -> Result<(), Problem> {
        let text = serde_json::to_string(self).map_err(|error| crate::problem!(Failed, "auth.lock", reason = error))?;
        vault.exchange(owner, &[(FIELD, &Secret::new(text))], gone)
    }
}

/// A token response that was understood.
pub struct Received {
    pub access: String,
    pub refresh: Option<String>,
    pub expires: Option<Time>,
    /// As the response says, or after the lifetime of an unused refresh token.
    pub refresh_expires: Option<Time>,
    /// It was obtained from the beginning: nothing of older tokens goes on.
    pub anew: bool,
    /// Where the vendor said which scopes it granted.
    pub granted: Option<Vec<String>>,
    /// OpenID Connect Core §3.1.3.3.
    pub id_token: Option<String>,
    /// Ends that the response does not name, and that are the definition's lifetimes: `access_token`, `refresh_token`.
    pub assumed: Vec<String>,
    /// Values to keep under `found`.
    pub found: IndexMap<String, String>,
    /// Of OAuth 1.0a.
    pub token_secret: Option<String>,
}

/// How a response holds what.
pub struct Shape<'a> {
    pub response: &'a TokenResponse,
    pub separator: &'a str,
    /// Lifetimes to assume where the response names none.
    pub access_lifetime: Option<SignedDuration>,
    pub refresh_lifetime: Option<SignedDuration>,
}

/// Reads a token response. `None`: there is no access token in it.
#[must_use]
pub fn read(body: &Value, shape: &Shape<'_>, now: Time) -> Option<Received> {
    let response = shape.response;
    let text = |path: &str| at(body, path).and_then(as_text);
    let access = text(response.access.as_deref().unwrap_or("access_token"))?;
    let refresh = text(response.refresh.as_deref().unwrap_or("refresh_token"));
    let id_token = text("id_token");
    let access_token = jwt::decode(&access);
    // A token that says itself when it ends (RFC 7519 §4.1.4) knows better than a definition.
    let named = at(body, response.expires.as_deref().unwrap_or("expires_in")).and_then(|value| moment(value, now));
    let expires = named.or_else(|| access_token.as_ref().and_then(|token| token.time("exp")).filter(|end| *end > now));
    let after = |lifetime: Option<SignedDuration>| lifetime.and_then(|lifetime| now.checked_add(lifetime).ok());
    // Not in RFC 6749, but two names are common for it.
    let refresh_expires = ["refresh_token_expires_in", "refresh_expires_in"].iter().find_map(|name| moment(body.get(name)?, now));
    let granted = match at(body, response.scope.as_deref().unwrap_or("scope")) {
        Some(Value::String(scopes)) => Some(split(scopes, shape.separator)),
        Some(Value::Array(scopes)) => Some(scopes.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
        _ => None,
    };
    let mut assumed = Vec::new();
    if expires.is_none() && shape.access_lifetime.is_some() {
        assumed.push("access_token".to_owned());
    }
    if refresh_expires.is_none() && shape.refresh_lifetime.is_some() {
        assumed.push("refresh_token".to_owned());
    }
    let mut found: IndexMap<String, String> = response.capture.iter().filter_map(|(name, path)| Some((name.clone(), text(path)?))).collect();
    if !response.claims.is_empty()
        && let Some(token) = access_token.or_else(|| jwt::decode(id_token.as_deref()?))
    {
        let claims = Value::Object(token.claims);
        found.extend(response.claims.iter().filter_map(|(name, path)| Some((name.clone(), at(&claims, path).and_then(as_text)?))));
    }
    Some(Received {
        access,
        refresh_expires: refresh_expires.or_else(|| after(shape.refresh_lifetime)),
        refresh,
        anew: false,
        expires: expires.or_else(|| after(shape.access_lifetime)),
        granted,
        id_token,
        assumed,
        found,
        token_secret: None,
    })
}

/// When the refresh token that is now in force ends: what the vendor says of it, or its idle time from now on; never after the grant itself.
#[must_use]
pub fn refresh_end(received: &Received, before: Option<&Tokens>, granted: Time, absolute: Option<SignedDuration>) -> Option<Time> {
    if received.refresh.is_none() && before.is_none_or(|before| before.refresh.is_none()) {
        return None;
    }
    let end = received.refresh_expires.or_else(|| before.filter(|_| received.refresh.is_none()).and_then(|before| before.refresh_expires));
    let last = absolute.and_then(|absolute| granted.checked_add(absolute).ok());
    [end, last].into_iter().flatten().min()
}

/// The value at a path; of several with `|` between, the first that is there. A number between dots picks from a list.
pub fn at<'v>(value: &'v Value, paths: &str) -> Option<&'v Value> {
    let numbered = |path: &str| {
        path.split('.').try_fold(value, |value, step| match value {
            Value::Array(items) => items.get(step.parse::<usize>().ok()?),
            other => other.get(step),
        })
    };
    let one = |path: &str| Path::parse(path).ok().and_then(|path| path.get(value)).or_else(|| numbered(path));
    paths.split('|').map(str::trim).filter(|path| !path.is_empty()).find_map(|path| one(path).filter(|value| !value.is_null()))
}

pub fn as_text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

/// Seconds from now, as a number or in quotes; a Unix time where it is far too large for that, in milliseconds where it is larger still; or
/// RFC 3339. Nothing sensible is nothing.
fn moment(value: &Value, now: Time) -> Option<Time> {
    // Ten years of seconds; Unix time passed this in 1979.
    const LONGEST: f64 = 315_360_000.0;
    // The year 5138 in seconds, 1973 in milliseconds.
    const MILLISECONDS: f64 = 1e11;
    let number = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => match text.trim().parse::<f64>() {
            Ok(seconds) => seconds,
            Err(_) => return text.trim().parse().ok(),
        },
        _ => return None,
    };
    if !number.is_finite() || number <= 0.0 {
        return None;
    }
    let seconds = if number > MILLISECONDS { number / 1000.0 } else { number };
    let whole = SignedDuration::try_from_secs_f64(seconds).ok()?;
    if number <= LONGEST { now.checked_add(whole).ok() } else { Time::from_duration(whole).ok() }
}

fn split(scopes: &str, separator: &str) -> Vec<String> {
    // Vendors that take scopes with commas answer with commas or spaces, whichever.
    scopes.split(|c: char| c.is_whitespace() || separator.contains(c)).filter(|scope| !scope.is_empty()).map(str::to_owned).collect()
}

/// A lifetime of a definition (`1h`, `90d`).
#[must_use]
pub fn lifetime(text: Option<&str>) -> Option<SignedDuration> {
    let span: jiff::Span = text?.parse().ok()?;
    span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).ok().filter(|lifetime| lifetime.is_positive())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn now() -> Time {
        "2026-01-01T00:00:00Z".parse().unwrap()
    }

    fn shape(response: &TokenResponse) -> Shape<'_> {
        Shape { response, separator: " ", access_lifetime: None, refresh_lifetime: None }
    }

    fn seconds(received: &Received) -> Option<i64> {
        received.expires.map(|at| at.duration_since(now()).as_secs())
    }

    #[test]
    fn the_usual_response() {
        let body = json!({"access_token": "a", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "r", "scope": "x y"});
        let received = read(&body, &shape(&TokenResponse::default()), now()).unwrap();
        assert_eq!((received.access.as_str(), received.refresh.as_deref(), seconds(&received)), ("a", Some("r"), Some(3600)));
        assert_eq!(received.granted.unwrap(), ["x", "y"]);
    }

    #[test]
    fn renamed_and_nested() {
        let response = TokenResponse {
            access: Some("authed_user.access_token".into()),
            refresh: Some("data.0.refresh".into()),
            expires: Some("authed_user.ends".into()),
            capture: [("instance".to_owned(), "instance_url".to_owned()), ("absent".to_owned(), "nowhere.x".to_owned())].into_iter().collect(),
            ..TokenResponse::default()
        };
        let body = json!({"authed_user": {"access_token": "u", "ends": "2026-01-01T01:00:00Z"}, "data": [{"refresh": "r"}],
            "instance_url": "https://eu1.example", "scope": "a,b c"});
        let received = read(&body, &Shape { separator: ",", ..shape(&response) }, now()).unwrap();
        assert_eq!((received.access.as_str(), received.refresh.as_deref(), seconds(&received)), ("u", Some("r"), Some(3600)));
        assert_eq!(received.found.into_iter().collect::<Vec<_>>(), [("instance".to_owned(), "https://eu1.example".to_owned())]);
        assert_eq!(received.granted.unwrap(), ["a", "b", "c"]);
    }

    #[test]
    fn lifetimes_in_all_their_forms() {
        for (value, expected) in [
            (json!(60), Some(60)),
            (json!("60"), Some(60)),
            (json!(59.5), Some(59)),
            (json!(1_767_229_200), Some(3600)),
            (json!(1_767_229_200_000_i64), Some(3600)),
            (json!("1767229200000"), Some(3600)),
            (json!("2026-01-01T01:00:00Z"), Some(3600)),
            (json!(0), None),
            (json!(-1), None),
            (json!(1e300), None),
            (json!("soon"), None),
            (json!(null), None),
        ] {
            let body = json!({"access_token": "a", "expires_in": value});
            let received = read(&body, &shape(&TokenResponse::default()), now()).unwrap();
            assert_eq!(seconds(&received), expected, "{body}");
        }
        let plain = TokenResponse::default();
        let assumed = Shape { access_lifetime: lifetime(Some("1h")), refresh_lifetime: lifetime(Some("90d")), ..shape(&plain) };
        let received = read(&json!({"access_token": "a", "refresh_token": "r"}), &assumed, now()).unwrap();
        assert_eq!(seconds(&received), Some(3600));
        assert_eq!(received.refresh_expires.unwrap().duration_since(now()).as_hours(), 90 * 24);
    }

    #[test]
    fn the_refresh_token_ends_when_idle_and_with_the_grant() {
        let day = |n: i64| now() + SignedDuration::from_hours(24 * n);
        let days = |n: i64| Some(SignedDuration::from_hours(24 * n));
        let before = |refresh: Option<&str>, end| {
            let mut one = tokens(60);
            (one.refresh, one.refresh_expires) = (refresh.map(str::to_owned), end);
            one
        };
        let received = |refresh: Option<&str>, end| {
            let mut one = read(&json!({"access_token": "a"}), &shape(&TokenResponse::default()), now()).unwrap();
            (one.refresh, one.refresh_expires) = (refresh.map(str::to_owned), end);
            one
        };
        // (it rotated, what is said of the new one, the old one and its end, when the grant began, its whole life) and the end
        #[rustfmt::skip]
        let table = [
            (Some("r"), Some(day(14)), None, day(0), None, Some(day(14))),
            (Some("r"), None, Some(before(Some("q"), Some(day(3)))), day(0), None, None),
            (None, None, Some(before(Some("q"), Some(day(3)))), day(0), None, Some(day(3))),
            (None, Some(day(14)), Some(before(Some("q"), Some(day(3)))), day(0), None, Some(day(14))),
            (Some("r"), Some(day(14)), None, day(-85), days(90), Some(day(5))),
            (Some("r"), None, None, day(-85), days(90), Some(day(5))),
            (None, Some(day(14)), None, day(0), days(90), None),
            (None, None, Some(before(None, None)), day(0), days(90), None),
        ];
        for (i, (refresh, end, before, granted, absolute, expected)) in table.into_iter().enumerate() {
            assert_eq!(refresh_end(&received(refresh, end), before.as_ref(), granted, absolute), expected, "{i}");
        }
    }

    #[test]
    fn claims_and_ends_are_read_in_the_token_itself() {
        let jwt = |claims: &Value| {
            let part = |value: &Value| base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, value.to_string());
            format!("{}.{}.c2ln", part(&json!({"alg": "RS256"})), part(claims))
        };
        let response = TokenResponse {
            access: Some("data.token | access_token".into()),
            scope: Some("data.scopes|scope".into()),
            claims: [("account".to_owned(), "act.id | sub".to_owned()), ("absent".to_owned(), "x".to_owned())].into_iter().collect(),
            ..TokenResponse::default()
        };
        let end = now().as_second() + 900;
        let token = jwt(&json!({"sub": "s", "act": {"id": 7}, "exp": end}));
        let assumed = Shape { access_lifetime: lifetime(Some("1h")), ..shape(&response) };
        let received = read(&json!({"access_token": token, "scope": "x", "data": {"scopes": ["y"]}}), &assumed, now()).unwrap();
        assert_eq!((seconds(&received), received.found["account"].as_str(), received.found.len()), (Some(900), "7", 1));
        assert_eq!((received.granted.unwrap(), received.assumed), (vec!["y".to_owned()], vec![]));
        // What the response says goes before what the token says; an opaque token leaves it to the ID token.
        let received = read(&json!({"access_token": token, "expires_in": 60}), &assumed, now()).unwrap();
        assert_eq!(seconds(&received), Some(60));
        let id = jwt(&json!({"sub": "person", "exp": end}));
        let received = read(&json!({"access_token": "opaque", "id_token": id}), &assumed, now()).unwrap();
        assert_eq!((seconds(&received), received.found["account"].as_str()), (Some(3600), "person"));
    }

    #[test]
    fn no_token_is_no_token() {
        for body in
            [json!({}), json!({"access_token": ""}), json!({"access_token": null}), json!({"access_token": {}}), json!([]), json!("x"), json!(null)]
        {
            assert!(read(&body, &shape(&TokenResponse::default()), now()).is_none(), "{body}");
        }
    }

    fn tokens(life: i64) -> Tokens {
        Tokens {
            access: "a".into(),
            refresh: None,
            obtained: now(),
            expires: Some(now() + SignedDuration::from_secs(life)),
            refresh_expires: None,
            generation: 1,
            id_token: None,
            since: None,
            token_secret: None,
        }
    }

    #[test]
    fn replaced_two_minutes_early_or_at_three_quarters_of_a_short_life() {
        let later = |seconds: i64| now() + SignedDuration::from_secs(seconds);
        for (life, age, fresh) in [(3600, 3479, true), (3600, 3480, false), (60, 44, true), (60, 45, false), (60, 61, false)] {
            assert_eq!(tokens(life).fresh(later(age)), fresh, "{life} {age}");
        }
        let mut unknown = tokens(1);
        unknown.expires = None;
        assert!(unknown.fresh(later(1_000_000)));
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,60}", number in any::<f64>(), path in "[a-z0-9.]{0,12}") {
            let response = TokenResponse { access: Some(path), ..TokenResponse::default() };
            for body in [json!({"access_token": text, "expires_in": text, "scope": text}), json!({"access_token": number, "expires_in": number}),
                json!([[text]]), json!({"a": {"b": number}})] {
                let _ = read(&body, &shape(&response), now());
                let _ = read(&body, &shape(&TokenResponse::default()), now());
            }
        }
    }
}
