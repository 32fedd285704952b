//! When a secret ends, read in it: a certificate's last day (RFC 5280 §4.1.2.5), the expiry of a key that is a token.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest;
use serde_json::Value;
use x509_cert::Certificate;
use x509_cert::der::DecodePem as _;

use super::check::Link;
use super::jwt;
use super::keys::{self, Thumbprints};
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

/// Asks the vendor when the credential's secret or certificate ends, where the definition knows how. `None`: it did not say, or did not let us
/// read it.
pub async fn ask(link: &Link, sink: &Sink) -> Option<End> {
    let subject = &link.subject;
    let expiry = subject.method().expiry.as_ref()?;
    let value = subject.input(&expiry.input)?;
    let query = template::pairs(&expiry.query, &subject.context).ok()?;
    let answer = link.client.send_once("GET", expiry.path.as_deref()?, &query, None, sink).await.ok()?;
    if !(200..300).contains(&answer.status) {
        return None;
    }
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let (at, certain) = in_force(&body, expiry, value, Time::now())?;
    let what = if certificate(value).is_some() { "certificate" } else { "secret" };
    let known_from = if certain { "vendor" } else { "guess" };
    Some(End { what: what.to_owned(), field: expiry.input.clone(), at, known_from: known_from.to_owned() })
}

/// What is known of when the same things end, from the vendor and from themselves: of a certificate both say it, and the sooner one holds. A
/// guess is worth nothing beside what was read.
#[must_use]
pub fn together(said: Option<End>, read: Vec<End>) -> Vec<End> {
    let mut all = read;
    let Some(said) = said else { return all };
    match all.iter_mut().find(|end| end.field == said.field && end.what == said.what) {
        Some(own) if said.known_from != "guess" && said.at < own.at => *own = said,
        Some(_) => {}
        None => all.insert(0, said),
    }
    all
}

/// The end of what is in use, and whether it is surely that one's: of those that have not ended and can be known by it, or of those that
/// nothing tells apart, the first to end.
fn in_force(body: &Value, expiry: &ExpiryLookup, value: &str, now: Time) -> Option<(Time, bool)> {
    let path = |text: &str| Path::parse(text).ok();
    let records = if expiry.records.is_empty() { body } else { path(&expiry.records)?.get(body)? };
    let end = path(&expiry.value)?;
    let marks = Marks::of(expiry, value);
    let items = records.as_array().map_or(std::slice::from_ref(records), Vec::as_slice);
    let (mut ours, mut untold) = (Vec::new(), Vec::new());
    for item in items {
        let Some(at) = end.get(item).and_then(Value::as_str).and_then(moment).filter(|at| *at > now) else { continue };
        match marks.fit(item) {
            Some(true) => ours.push(at),
            Some(false) => {}
            None => untold.push(at),
        }
    }
    let candidates = if ours.is_empty() { untold } else { ours };
    let first = candidates.iter().min().copied()?;
    Some((first, candidates.iter().all(|at| *at == first)))
}

/// What one of several secrets or certificates is known by.
struct Marks<'v> {
    value: &'v str,
    hint: Option<Path>,
    certificate: Option<Path>,
    thumbprint: Option<Path>,
    own: Option<Thumbprints>,
}

impl<'v> Marks<'v> {
    fn of(expiry: &ExpiryLookup, value: &'v str) -> Self {
        let path = |text: &Option<String>| text.as_deref().and_then(|text| Path::parse(text).ok());
        let wanted = expiry.certificate.is_some() || expiry.thumbprint.is_some();
        let own = if wanted { keys::thumbprints(value, &expiry.input).ok() } else { None };
        Self { value, hint: path(&expiry.hint), certificate: path(&expiry.certificate), thumbprint: path(&expiry.thumbprint), own }
    }

    /// Whether it is this one; `None` where it bears no mark that tells.
    fn fit(&self, item: &Value) -> Option<bool> {
        let text = |path: &Option<Path>| path.as_ref()?.get(item)?.as_str().map(str::trim).filter(|text| !text.is_empty());
        if let Some(hint) = text(&self.hint) {
            return Some(self.value.starts_with(hint));
        }
        let own = self.own.as_ref()?;
        if let Some(der) = text(&self.certificate).and_then(|text| STANDARD.decode(text).ok()) {
            return Some(URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, &der)) == own.sha256);
        }
        // Another mark may be an administrator's own, and says nothing.
        text(&self.thumbprint).filter(|text| is_thumbprint(text, &own.sha1)).map(|_| true)
    }
}

/// Whether a text is the thumbprint `own` (base64url): in hex, its bytes in base64, or its hex in base64.
fn is_thumbprint(text: &str, own: &str) -> bool {
    let Ok(own) = URL_SAFE_NO_PAD.decode(own) else { return false };
    let hex = own.iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let plain = text.replace([':', ' '], "");
    let decoded = STANDARD.decode(text).or_else(|_| URL_SAFE_NO_PAD.decode(text)).unwrap_or_default();
    plain.eq_ignore_ascii_case(&hex) || decoded == own || decoded.eq_ignore_ascii_case(hex.as_bytes())
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
        let at = |secret: &str, expiry: &ExpiryLookup| in_force(&body, expiry, secret, now).map(|(at, certain)| (at.to_string(), certain));
        let on = |day: &str, certain| Some((format!("{day}T00:00:00Z"), certain));
        assert_eq!(at("abc8Q~secret", &expiry), on("2027-06-01", true));
        assert_eq!(at("xyz", &expiry), on("2026-06-01", true));
        // The only one that it can be.
        assert_eq!(at("q", &expiry), on("2026-02-01", true));
        // Nothing tells them apart.
        assert_eq!(at("q", &ExpiryLookup { hint: None, ..expiry.clone() }), on("2026-02-01", false));
        assert_eq!(at("abc", &ExpiryLookup { records: "nowhere".into(), ..expiry.clone() }), None);
        let twice = serde_json::json!({"passwordCredentials": [
            {"hint": "abc", "endDateTime": "2027-06-01T00:00:00Z"}, {"hint": "abc", "endDateTime": "2026-06-01T00:00:00Z"}]});
        let told = in_force(&twice, &expiry, "abc8Q", now).unwrap();
        assert_eq!((told.0.to_string().as_str(), told.1), ("2026-06-01T00:00:00Z", false));
        let others = serde_json::json!({"passwordCredentials": [{"hint": "xyz", "endDateTime": "2027-06-01T00:00:00Z"}]});
        assert_eq!(in_force(&others, &expiry, "abc8Q", now), None);
    }

    #[test]
    fn the_certificate_in_use_is_known_by_itself_or_its_thumbprint() {
        let pem = include_str!("../../tests/keys/cert.pem");
        let now: Time = "2026-01-01T00:00:00Z".parse().unwrap();
        let own = keys::thumbprints(pem, "Certificate").unwrap();
        let bytes = URL_SAFE_NO_PAD.decode(&own.sha1).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let body: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
        let expiry = ExpiryLookup {
            input: "certificate".into(),
            records: "keyCredentials".into(),
            value: "endDateTime".into(),
            certificate: Some("key".into()),
            thumbprint: Some("customKeyIdentifier".into()),
            ..ExpiryLookup::default()
        };
        let other = serde_json::json!({"key": null, "customKeyIdentifier": "52ED9B5038A47B9E2E2190715CC238359D4F8F73", "endDateTime": "2026-03-01T00:00:00Z"});
        for own in [
            serde_json::json!({"key": body, "customKeyIdentifier": "somebody's own mark"}),
            serde_json::json!({"key": null, "customKeyIdentifier": hex}),
            serde_json::json!({"key": null, "customKeyIdentifier": STANDARD.encode(&bytes)}),
            serde_json::json!({"key": null, "customKeyIdentifier": STANDARD.encode(&hex)}),
        ] {
            let mut own = own;
            own["endDateTime"] = serde_json::json!("2027-03-01T00:00:00Z");
            let body = serde_json::json!({"keyCredentials": [other, own]});
            let (at, certain) = in_force(&body, &expiry, pem, now).unwrap();
            assert_eq!((at.to_string().as_str(), certain), ("2027-03-01T00:00:00Z", true), "{own}");
        }
        let untold = serde_json::json!({"keyCredentials": [other, {"endDateTime": "2027-03-01T00:00:00Z"}]});
        let (at, certain) = in_force(&untold, &expiry, pem, now).unwrap();
        assert_eq!((at.to_string().as_str(), certain), ("2026-03-01T00:00:00Z", false));
    }

    #[test]
    fn what_two_say_of_one_end() {
        let end = |day: i64, known_from: &str| End {
            what: "certificate".to_owned(),
            field: "certificate".to_owned(),
            at: Time::from_second(day * 86_400).unwrap(),
            known_from: known_from.to_owned(),
        };
        let days = |ends: Vec<End>| ends.into_iter().map(|end| (end.at.as_second() / 86_400, end.known_from)).collect::<Vec<_>>();
        let one = |day: i64, known_from: &str| vec![(day, known_from.to_owned())];
        assert_eq!(days(together(Some(end(5, "vendor")), vec![end(9, "token")])), one(5, "vendor"));
        assert_eq!(days(together(Some(end(9, "vendor")), vec![end(5, "token")])), one(5, "token"));
        assert_eq!(days(together(Some(end(5, "guess")), vec![end(9, "token")])), one(9, "token"));
        assert_eq!(days(together(Some(end(5, "guess")), Vec::new())), one(5, "guess"));
        assert_eq!(days(together(None, vec![end(9, "token")])), one(9, "token"));
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
