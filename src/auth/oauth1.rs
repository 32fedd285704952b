//! Requests signed with OAuth 1.0a (RFC 5849).

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use crate::model::{OAuth1Signature, Problem, Secret};
use crate::problem;
use crate::vendor::client::Outgoing;

/// What signs. Without a token, the client speaks for itself.
#[derive(Clone)]
pub struct Keys {
    pub consumer_key: String,
    pub consumer_secret: Secret,
    pub token: Option<String>,
    pub token_secret: Option<Secret>,
}

/// What makes one signature different from the next (RFC 5849 §3.3).
pub struct Once {
    /// Seconds since 1970.
    pub timestamp: i64,
    pub nonce: String,
}

impl Once {
    pub fn now() -> Result<Self, Problem> {
        let mut bytes = [0; 16];
        SystemRandom::new().fill(&mut bytes).map_err(|_| problem!(Failed, "signing.random"))?;
        let nonce = bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        });
        Ok(Self { timestamp: jiff::Timestamp::now().as_second(), nonce })
    }
}

/// What a client signs with: which keys, and how.
pub struct Signer<'a> {
    pub keys: &'a Keys,
    pub method: OAuth1Signature,
    pub realm: Option<&'a str>,
}

/// The value of the `Authorization` header (RFC 5849 §3.5.1).
pub fn authorization(keys: &Keys, method: OAuth1Signature, realm: Option<&str>, request: &Outgoing<'_>, once: &Once) -> Secret {
    with(&Signer { keys, method, realm }, request, once, &[])
}

/// The same with further parameters of the protocol: `oauth_callback`, `oauth_verifier`.
pub fn with(signer: &Signer<'_>, request: &Outgoing<'_>, once: &Once, more: &[(&str, &str)]) -> Secret {
    let Signer { keys, method, realm } = *signer;
    let timestamp = once.timestamp.to_string();
    let mut protocol = vec![("oauth_consumer_key", keys.consumer_key.as_str())];
    protocol.extend(keys.token.as_deref().map(|token| ("oauth_token", token)));
    protocol.extend([
        ("oauth_signature_method", name(method)),
        ("oauth_timestamp", timestamp.as_str()),
        ("oauth_nonce", once.nonce.as_str()),
        ("oauth_version", "1.0"),
    ]);
    protocol.extend_from_slice(more);
    let form = request.content_type.filter(|kind| is_form(kind)).map(|_| request.body);
    let signature = signature(method, keys, || base_string(request.method, request.url, &protocol, form));
    let mut header = Zeroizing::new("OAuth ".to_owned());
    if let Some(realm) = realm.filter(|realm| !realm.is_empty()) {
        // RFC 9110 §5.6.4: a quoted string.
        let _ = write!(header, "realm=\"{}\", ", realm.replace('\\', "\\\\").replace('"', "\\\""));
    }
    for (name, value) in &protocol {
        let _ = write!(header, "{name}=\"{}\", ", encoded(value));
    }
    let _ = write!(header, "oauth_signature=\"{}\"", encoded(&signature));
    Secret::new(header.as_str())
}

fn name(method: OAuth1Signature) -> &'static str {
    match method {
        OAuth1Signature::HmacSha1 => "HMAC-SHA1",
        OAuth1Signature::HmacSha256 => "HMAC-SHA256",
        OAuth1Signature::Plaintext => "PLAINTEXT",
    }
}

/// RFC 5849 §3.4.2, §3.4.4; HMAC-SHA256 is the same with another hash.
fn signature(method: OAuth1Signature, keys: &Keys, base: impl FnOnce() -> String) -> Zeroizing<String> {
    let token_secret = keys.token_secret.as_ref().map_or("", Secret::expose);
    let key = Zeroizing::new(format!("{}&{}", encoded(keys.consumer_secret.expose()), encoded(token_secret)));
    let algorithm = match method {
        OAuth1Signature::Plaintext => return key,
        OAuth1Signature::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        OAuth1Signature::HmacSha256 => hmac::HMAC_SHA256,
    };
    Zeroizing::new(STANDARD.encode(hmac::sign(&hmac::Key::new(algorithm, key.as_bytes()), base().as_bytes())))
}

/// RFC 5849 §3.4.1. `form` is the body, where it is a form.
fn base_string(method: &str, url: &Url, protocol: &[(&str, &str)], form: Option<&[u8]>) -> String {
    let mut parameters: Vec<(String, String)> = protocol.iter().map(|(name, value)| (encoded(name), encoded(value))).collect();
    let sent = url.query_pairs().chain(form_urlencoded::parse(form.unwrap_or_default()));
    parameters.extend(sent.map(|(name, value)| (encoded(&name), encoded(&value))));
    // §3.4.1.3.2: after encoding, by bytes, by name and then by value.
    parameters.sort_unstable();
    let parameters: Vec<String> = parameters.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    format!("{}&{}&{}", encoded(&method.to_ascii_uppercase()), encoded(&address(url)), encoded(&parameters.join("&")))
}

/// RFC 5849 §3.4.1.2: a port that goes without saying is left out, which `Url` sees to.
fn address(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
}

fn is_form(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// RFC 5849 §3.6: everything but letters, digits and `-._~`, in capitals.
pub fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + text.len() / 4);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::HeaderMap;

    fn url(text: &str) -> Url {
        Url::parse(text).unwrap()
    }

    fn keys(consumer: (&str, &str), token: Option<(&str, &str)>) -> Keys {
        Keys {
            consumer_key: consumer.0.to_owned(),
            consumer_secret: Secret::new(consumer.1),
            token: token.map(|(token, _)| token.to_owned()),
            token_secret: token.map(|(_, secret)| Secret::new(secret)),
        }
    }

    #[test]
    fn base_string_of_rfc_5849_3_4_1_1() {
        let protocol = [
            ("oauth_consumer_key", "9djdj82h48djs9d2"),
            ("oauth_token", "kkk9d7dh3k39sjv7"),
            ("oauth_signature_method", "HMAC-SHA1"),
            ("oauth_timestamp", "137131201"),
            ("oauth_nonce", "7d8f3e4a"),
        ];
        let address = url("http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b");
        assert_eq!(
            base_string("post", &address, &protocol, Some(b"c2&a3=2+q")),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540%3D%26c2%3D%26oauth_consumer_\
             key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method%3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9\
             d7dh3k39sjv7"
        );
    }

    #[test]
    fn addresses_of_rfc_5849_3_4_1_2() {
        assert_eq!(address(&url("http://EXAMPLE.COM:80/r%20v/X?id=123")), "http://example.com/r%20v/X");
        assert_eq!(address(&url("https://www.example.net:8080/?q=1")), "https://www.example.net:8080/");
        assert_eq!(address(&url("https://www.example.net")), "https://www.example.net/");
        assert_eq!(address(&url("http://[::1]:8080/x")), "http://[::1]:8080/x");
    }

    /// The three requests of RFC 5849 §1.2.
    #[test]
    fn signatures_of_rfc_5849_1_2() {
        let consumer = ("dpf43f3p2l4k3l03", "kd94hf93k423kf44");
        #[rustfmt::skip]
        let table = [
            ("POST", "https://photos.example.net/initiate", None, "137131200", "wIjqoS", Some(("oauth_callback", "http://printer.example.com/ready")),
                "74KNZJeDHnMBp0EMJ9ZHt/XKycU="),
            ("POST", "https://photos.example.net/token", Some(("hh5s93j4hdidpola", "hdhd0244k9j7ao03")), "137131201", "walatlh",
                Some(("oauth_verifier", "hfdp7dh39dks9884")), "gKgrFCywp7rO0OXSjdot/IHF7IU="),
            ("GET", "http://photos.example.net/photos?file=vacation.jpg&size=original", Some(("nnch734d00sl2jdk", "pfkkdhi9sl3r4s00")), "137131202",
                "chapoH", None, "MdpQcU8iPSUjWoN/UDMsK2sui9I="),
        ];
        for (method, address, token, timestamp, nonce, extra, expected) in table {
            let mut protocol = vec![("oauth_consumer_key", consumer.0), ("oauth_signature_method", "HMAC-SHA1")];
            protocol.extend([("oauth_timestamp", timestamp), ("oauth_nonce", nonce)]);
            protocol.extend(token.map(|(token, _)| ("oauth_token", token)));
            protocol.extend(extra);
            let made = signature(OAuth1Signature::HmacSha1, &keys(consumer, token), || base_string(method, &url(address), &protocol, None));
            assert_eq!(made.as_str(), expected);
        }
    }

    fn outgoing<'a>(method: &'a str, url: &'a Url, headers: &'a HeaderMap, body: Option<(&'a str, &'a str)>) -> Outgoing<'a> {
        Outgoing { method, url, headers, body: body.map_or(&[], |(_, body)| body.as_bytes()), content_type: body.map(|(kind, _)| kind) }
    }

    /// The example of NetSuite's help ("The Signature for Web Services and RESTlets").
    #[test]
    fn the_header_of_a_netsuite_request() {
        let consumer =
            ("ef40afdd8abaac111b13825dd5e5e2ddddb44f86d5a0dd6dcf38c20aae6b67e4", "d26ad321a4b2f23b0741c8d38392ce01c3e23e109df6c96eac6d099e9ab9e8b5");
        let token =
            ("2b0ce516420110bcbd36b69e99196d1b7f6de3c6234c5afb799b73d87569f5cc", "c29a677df7d5439a458c063654187e3d678d73aca8e3c9d8bea1478a3eb0d295");
        let address = url(
            "https://123456.restlets.api.netsuite.com/app/site/hosting/restlet.nl?script=6&deploy=1&customParam=someValue&testParam=someOtherValue",
        );
        let once = Once { timestamp: 1_508_242_306, nonce: "fjaLirsIcCGVZWzBX0pg".to_owned() };
        let headers = HeaderMap::new();
        // JSON is no part of the signature.
        let request = outgoing("POST", &address, &headers, Some(("application/json", r#"{"a":1}"#)));
        let made = authorization(&keys(consumer, Some(token)), OAuth1Signature::HmacSha256, Some("123456_SB1"), &request, &once);
        assert_eq!(
            made.expose(),
            format!(
                "OAuth realm=\"123456_SB1\", oauth_consumer_key=\"{}\", oauth_token=\"{}\", oauth_signature_method=\"HMAC-SHA256\", \
                 oauth_timestamp=\"1508242306\", oauth_nonce=\"fjaLirsIcCGVZWzBX0pg\", oauth_version=\"1.0\", \
                 oauth_signature=\"%2BKK4SKNgz4ZiILGLwOMtfYlgcXSy1eis8ldE9X90azQ%3D\"",
                consumer.0, token.0
            )
        );
    }

    #[test]
    fn plaintext_and_a_client_alone() {
        let (address, headers) = (url("https://a.example/"), HeaderMap::new());
        let request = outgoing("GET", &address, &headers, None);
        let once = Once { timestamp: 1, nonce: "n".to_owned() };
        // RFC 5849 §3.4.4 with secrets that need encoding.
        let made = authorization(&keys(("c", "djr9rjt0jd78jf88"), Some(("t", "jjd&"))), OAuth1Signature::Plaintext, None, &request, &once);
        assert!(made.expose().ends_with("oauth_signature=\"djr9rjt0jd78jf88%26jjd%2526\""), "{}", made.expose());
        let alone = authorization(&keys(("c", "s"), None), OAuth1Signature::Plaintext, Some("a\"b"), &request, &once);
        assert!(alone.expose().starts_with("OAuth realm=\"a\\\"b\", oauth_consumer_key=\"c\", oauth_signature_method="), "{}", alone.expose());
        assert!(alone.expose().ends_with("oauth_signature=\"s%26\""));
    }

    #[test]
    fn a_form_is_signed_and_nothing_is_said_twice() {
        let (address, headers) = (url("https://a.example/?x=1"), HeaderMap::new());
        let once = Once { timestamp: 1, nonce: "n".to_owned() };
        let sign = |body: Option<(&str, &str)>| {
            let request = outgoing("POST", &address, &headers, body);
            authorization(&keys(("c", "s"), None), OAuth1Signature::HmacSha256, None, &request, &once).expose().to_owned()
        };
        let form = "application/x-www-form-urlencoded";
        assert_ne!(sign(Some((form, "a=1"))), sign(Some((form, "a=2"))));
        assert_eq!(sign(Some(("Application/x-www-form-urlencoded; charset=utf-8", "a=1"))), sign(Some((form, "a=1"))));
        assert_eq!(sign(Some(("application/json", "{}"))), sign(None));
        let (one, other) = (Once::now().unwrap(), Once::now().unwrap());
        assert_ne!(one.nonce, other.nonce);
        assert!(one.nonce.len() == 32 && one.timestamp > 1_700_000_000);
    }
}
