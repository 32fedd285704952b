//! Secrets taken out of text from outside: a vendor that repeats what it was sent may repeat it as it travelled.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// Shorter ones would blot out words.
const SHORTEST: usize = 4;
/// Base64 shorter than this holds nothing worth hiding.
const RUN: usize = 8;

/// The text with `…` in place of each secret: as it is, percent-encoded, escaped in JSON, in hexadecimal, and inside Base64.
#[must_use]
pub fn hide(text: &str, secrets: &[&str]) -> String {
    let mut out = text.to_owned();
    let secrets: Vec<&str> = secrets.iter().copied().filter(|secret| secret.len() >= SHORTEST).collect();
    for secret in &secrets {
        for form in forms(secret) {
            if out.contains(&form) {
                out = out.replace(&form, "…");
            }
        }
    }
    without_base64(&out, &secrets)
}

fn forms(secret: &str) -> Vec<String> {
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let json = serde_json::to_string(secret).unwrap_or_default();
    let spaced = encoded.replace('+', "%20");
    let mut forms = vec![
        secret.to_owned(),
        lower_escapes(&encoded),
        lower_escapes(&spaced),
        // What a server that decodes `+` only, or nothing but blanks, makes of it.
        secret.replace(' ', "+"),
        secret.replace(' ', "%20"),
        encoded,
        spaced,
        hex.to_uppercase(),
        hex,
        json.trim_matches('"').to_owned(),
    ];
    // The longest first: one may be a part of another.
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms.dedup();
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

/// `%2F` as `%2f`.
fn lower_escapes(text: &str) -> String {
    let mut parts = text.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |out, part| match part.split_at_checked(2) {
        Some((digits, rest)) => out + "%" + &digits.to_ascii_lowercase() + rest,
        None => out + "%" + part,
    })
}

fn without_base64(text: &str, secrets: &[&str]) -> String {
    let lax = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true);
    let engines = [GeneralPurpose::new(&alphabet::STANDARD, lax), GeneralPurpose::new(&alphabet::URL_SAFE, lax)];
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '-' | '_' | '=');
    let holds = |run: &str| {
        let run = run.trim_end_matches('=');
        engines.iter().filter_map(|engine| engine.decode(run).ok()).any(|bytes| {
            secrets.iter().any(|secret| forms(secret).iter().any(|form| bytes.windows(form.len()).any(|window| window == form.as_bytes())))
        })
    };
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(part) {
        let (before, run) = rest.split_at(start);
        out.push_str(before);
        let end = run.find(|c| !part(c)).unwrap_or(run.len());
        let (run, after) = run.split_at(end);
        out.push_str(if run.len() >= RUN && holds(run) { "…" } else { run });
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

    #[test]
    fn a_secret_is_hidden_however_it_is_repeated() {
        let secret = "s3cr3t /+&=%\"ö";
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
        for form in [
            secret.to_owned(),
            encoded.clone(),
            encoded.replace('+', "%20"),
            lower_escapes(&encoded),
            hex.to_uppercase(),
            hex,
            serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
            STANDARD.encode(secret),
            STANDARD.encode(format!("me:{secret}")),
            STANDARD.encode(format!("client:{encoded}")),
            URL_SAFE_NO_PAD.encode(format!("x{secret}y")),
        ] {
            assert_eq!(hide(&format!("said ({form}), no more"), &[secret]), "said (…), no more", "{form}");
        }
    }

    #[test]
    fn everything_else_stays() {
        let text = "GET https://a.example/v1/users?page=2 was answered with 401: invalid_request c29tZXRoaW5nIGVsc2U=";
        assert_eq!(hide(text, &["s3cr3t", "", "abc"]), text);
        assert_eq!(lower_escapes("AB%2FCD%3AEF"), "AB%2fCD%3aEF");
    }
}
