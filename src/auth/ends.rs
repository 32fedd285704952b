//! When a secret ends, read in it: a certificate's last day (RFC 5280 §4.1.2.5), the expiry of a key that is a token.

use x509_cert::Certificate;
use x509_cert::der::DecodePem as _;

use super::jwt;
use crate::model::{End, Time};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// What `value` says about its own end; `None` when it says nothing.
#[must_use]
pub fn read(field: &str, value: &str) -> Option<End> {
    let (what, at) = match certificate(value) {
        Some(at) => ("certificate", at),
        None => ("key", jwt::decode(value)?.time("exp")?),
    };
    Some(End { what: what.to_owned(), field: field.to_owned(), at, known_from: "token".to_owned() })
}

/// The last moment of the first certificate in a PEM text: its owner's, where the others are those that vouch for it (RFC 8446 §4.4.2).
fn certificate(text: &str) -> Option<Time> {
    let start = text.find(BEGIN)?;
    let length = text[start..].find(END)? + END.len();
    let certificate = Certificate::from_pem(&text.as_bytes()[start..start + length]).ok()?;
    let until = certificate.tbs_certificate.validity.not_after.to_unix_duration();
    Time::from_second(i64::try_from(until.as_secs()).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;

    #[test]
    fn a_certificate_tells_its_last_day_wherever_it_stands() {
        let mut params = rcgen::CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(2031, 5, 17);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        for text in [certificate.clone(), format!("{}{certificate}", key.serialize_pem()), format!("\n  {}", certificate.replace('\n', "\r\n"))] {
            let end = read("certificate", &text).unwrap();
            assert_eq!((end.what.as_str(), end.at.to_string().as_str()), ("certificate", "2031-05-17T00:00:00Z"));
        }
        assert!(read("certificate", &certificate.replace("MII", "XXX")).is_none());
    }

    #[test]
    fn a_key_that_is_a_token_tells_its_end() {
        let part = |text: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
        let token = format!("{}.{}.c2ln", part(r#"{"alg":"HS256"}"#), part(r#"{"exp":1900000000}"#));
        let end = read("token", &token).unwrap();
        assert_eq!((end.what.as_str(), end.at.as_second(), end.known_from.as_str()), ("key", 1_900_000_000, "token"));
        for text in ["xoxb-12-34", "", "-----BEGIN CERTIFICATE-----", "a.b.c"] {
            assert!(read("token", text).is_none());
        }
    }
}
