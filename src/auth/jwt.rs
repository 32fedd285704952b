//! What a JSON Web Token says (RFC 7519), read without its key: whoever receives a token to use it has no business with its signature
//! (RFC 9068 §6 says so of clients). Nothing here makes a token trusted.

use base64::Engine as _;
use serde_json::{Map, Value};

use crate::model::Time;

/// The longest text that is looked at.
const LONGEST: usize = 64 << 10;

pub struct Decoded {
    pub header: Map<String, Value>,
    /// In the token's order.
    pub claims: Map<String, Value>,
}

/// The header and the claims of a signed token in compact form. `None`: it is none, or it is encrypted.
#[must_use]
pub fn decode(token: &str) -> Option<Decoded> {
    let token = token.trim();
    if token.len() > LONGEST {
        return None;
    }
    let mut parts = token.split('.');
    let (header, claims, _signature, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else { return None };
    let header = object(header)?;
    // RFC 7515 §4.1.1: every JWS has it; three words with dots between are not a token.
    header.get("alg")?.as_str()?;
    Some(Decoded { header, claims: object(claims)? })
}

fn object(part: &str) -> Option<Map<String, Value>> {
    let bytes = zeroize::Zeroizing::new(base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?);
    match serde_json::from_slice(&bytes).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

impl Decoded {
    #[must_use]
    pub fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// A `NumericDate` (RFC 7519 §2); some issuers send it as text.
    #[must_use]
    pub fn time(&self, claim: &str) -> Option<Time> {
        moment(self.claims.get(claim)?)
    }

    /// A claim that holds one text or several: `aud`, `roles`; `scope` and `scp` with blanks between are taken apart.
    #[must_use]
    pub fn list(&self, claim: &str) -> Vec<String> {
        match self.claims.get(claim) {
            Some(Value::String(text)) if matches!(claim, "scope" | "scp") => text.split_whitespace().map(str::to_owned).collect(),
            Some(Value::String(text)) => vec![text.clone()],
            Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            _ => Vec::new(),
        }
    }
}

/// A number of seconds since 1970 that a person may live to see.
#[must_use]
pub fn moment(value: &Value) -> Option<Time> {
    let seconds = match value {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    // Year 2200; what is later is milliseconds or nonsense.
    if !(0.0..=7_258_118_400.0).contains(&seconds) {
        return None;
    }
    Time::from_second(seconds as i64).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn token(header: &Value, claims: &Value) -> String {
        let part = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(header), part(claims))
    }

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 7519 §3.1.
        let text = "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
        let decoded = decode(text).unwrap();
        assert_eq!((decoded.text("iss"), decoded.time("exp").unwrap().as_second()), (Some("joe"), 1_300_819_380));
        assert_eq!(decoded.header["alg"], "HS256");
        assert_eq!(decoded.claims.keys().collect::<Vec<_>>(), ["iss", "exp", "http://example.com/is_root"]);
    }

    #[test]
    fn what_is_no_token_is_none() {
        let unsigned = token(&json!({"typ": "JWT"}), &json!({}));
        let five = format!("{}.a.b", token(&json!({"alg": "RSA-OAEP"}), &json!({})));
        for text in ["", "xoxb-1-2-3", "a.b.c", "www.example.com", &unsigned, &five, &"a".repeat(LONGEST + 1)] {
            assert!(decode(text).is_none(), "{text:.40}");
        }
    }

    #[test]
    fn claims_in_their_forms() {
        let claims = json!({"aud": ["a", "b"], "scp": "x y", "roles": ["r"], "exp": "1300819380", "iat": 1.5e12, "nbf": -1, "sub": 1});
        let decoded = decode(&token(&json!({"alg": "none"}), &claims)).unwrap();
        assert_eq!(
            (decoded.list("aud"), decoded.list("scp"), decoded.list("roles")),
            (vec!["a".into(), "b".into()], vec!["x".into(), "y".into()], vec!["r".into()])
        );
        assert_eq!(decoded.time("exp").unwrap().as_second(), 1_300_819_380);
        assert!(decoded.time("iat").is_none() && decoded.time("nbf").is_none() && decoded.text("sub").is_none());
    }

    proptest! {
        #[test]
        fn nothing_panics(text in ".{0,200}", parts in proptest::collection::vec("[A-Za-z0-9_=-]{0,40}", 0..5)) {
            let _ = decode(&text);
            let _ = decode(&parts.join("."));
        }
    }
}
