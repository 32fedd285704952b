//! When a secret ends, read in it: a certificate's last day (RFC 5280 §4.1.2.5), the expiry of a key that is a token.

use x509_cert::Certificate;
use x509_cert::der::DecodePem as _;

use serde_json::Value;

use super::check::Link;
use super::jwt;
use super::subject::Subject;
use crate::catalog::template;
use crate::mapping::path::Path;
use crate::model::{End, ExpiryLookup, Sink, Time};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// The ends that a credential's own inputs tell.
#[must_use]
pub fn of(subject: &Subject) -> Vec<End> {
    let inputs = subject.connector.inputs_for(&subject.method_key);
    inputs.iter().filter_map(|one| read(&one.key, subject.input(&one.key)?)).collect()
}

/// Asks the vendor when the credential's secret ends, where the definition knows how. `None`: it did not say, or did not let us read it.
pub async fn ask(link: &Link, sink: &Sink) -> Option<End> {
    let subject = &link.subject;
    let expiry = subject.method().expiry.as_ref()?;
    let secret = subject.input(&expiry.input)?;
    let query = template::pairs(&expiry.query, &subject.context).ok()?;
    let answer = link.client.send_once("GET", expiry.path.as_deref()?, &query, None, sink).await.ok()?;
    if !(200..300).contains(&answer.status) {
        return None;
    }
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let at = in_force(&body, expiry, secret, Time::now())?;
    Some(End { what: "secret".to_owned(), field: expiry.input.clone(), at, known_from: "vendor".to_owned() })
}

/// The end of the secret that is in use: of those that begin like it and have not ended, the first to end.
fn in_force(body: &Value, expiry: &ExpiryLookup, secret: &str, now: Time) -> Option<Time> {
    let path = |text: &str| Path::parse(text).ok();
    let records = if expiry.records.is_empty() { body } else { path(&expiry.records)?.get(body)? };
    let (value, hint) = (path(&expiry.value)?, expiry.hint.as_deref().and_then(path));
    let items = records.as_array().map_or(std::slice::from_ref(records), Vec::as_slice);
    let begins_like_it = |item: &&Value| match &hint {
        Some(hint) => hint.get(item).and_then(Value::as_str).is_some_and(|start| !start.is_empty() && secret.starts_with(start)),
        None => true,
    };
    items.iter().filter(begins_like_it).filter_map(|item| moment(value.get(item)?.as_str()?)).filter(|at| *at > now).min()
}

/// A time as vendors write it: RFC 3339, or `2027-10-07 19:07:53 UTC` with a name or an offset at the end.
#[must_use]
pub fn moment(text: &str) -> Option<Time> {
    let text = text.trim();
    if let Ok(at) = text.parse() {
        return Some(at);
    }
    let text = text.strip_suffix("UTC").map_or_else(|| text.to_owned(), |start| format!("{start}+0000"));
    jiff::fmt::strtime::parse("%Y-%m-%d %H:%M:%S %z", text).ok()?.to_timestamp().ok()
}

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
    fn the_secret_in_use_is_known_by_its_beginning() {
        let now: Time = "2026-01-01T00:00:00Z".parse().unwrap();
        let expiry = ExpiryLookup {
            input: "client_secret".into(),
            records: "passwordCredentials".into(),
            value: "endDateTime".into(),
            hint: Some("hint".into()),
            ..ExpiryLookup::default()
        };
        let body = serde_json::json!({"passwordCredentials": [
            {"hint": "abc", "endDateTime": "2025-06-01T00:00:00Z"}, {"hint": "abc", "endDateTime": "2027-06-01T00:00:00Z"},
            {"hint": "xyz", "endDateTime": "2026-06-01T00:00:00Z"}, {"hint": null, "endDateTime": "2026-02-01T00:00:00Z"}]});
        let at = |secret: &str, expiry: &ExpiryLookup| in_force(&body, expiry, secret, now).map(|at| at.to_string());
        assert_eq!(at("abc8Q~secret", &expiry).as_deref(), Some("2027-06-01T00:00:00Z"));
        assert_eq!(at("q", &expiry), None);
        assert_eq!(at("q", &ExpiryLookup { hint: None, ..expiry.clone() }).as_deref(), Some("2026-02-01T00:00:00Z"));
        assert_eq!(at("abc", &ExpiryLookup { records: "nowhere".into(), ..expiry }), None);
    }

    #[test]
    fn times_as_vendors_write_them() {
        for (text, expected) in [
            ("2027-10-07 19:07:53 UTC", Some("2027-10-07T19:07:53Z")),
            ("2027-10-07 19:07:53 -0700", Some("2027-10-08T02:07:53Z")),
            ("2027-10-07T19:07:53Z", Some("2027-10-07T19:07:53Z")),
            ("soon", None),
            ("", None),
        ] {
            assert_eq!(moment(text).map(|at| at.to_string()).as_deref(), expected, "{text}");
        }
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
