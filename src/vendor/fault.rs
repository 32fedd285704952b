//! What an error body says: a message for people, and the vendor's own code.
//!
//! Known forms: OAuth (RFC 6749 §5.2), SCIM (RFC 7644 §3.12), problem details (RFC 9457), Microsoft Graph (`error.code`, `error.message`),
//! and the usual `message`, `errors[0]`, `errorSummary`.

use serde_json::Value;

use crate::words::clean;
use crate::words::hide::hide as hidden;

/// Both are cut, and fit to show.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    pub message: Option<String>,
    pub code: Option<String>,
}

/// Longest message that is kept, in characters.
const LONGEST: usize = 300;

/// Reads an error body. `hide` are values that must not be repeated, should the vendor echo them.
#[must_use]
pub fn said(body: &[u8], hide: &[&str]) -> Said {
    // A megabyte of error text is nobody's message.
    let body = &body[..body.len().min(256 << 10)];
    let mut said = match serde_json::from_slice::<Value>(body) {
        Ok(value) => from_json(&value),
        Err(_) => Said { message: from_text(&String::from_utf8_lossy(body)), code: None },
    };
    if said.code.as_deref().is_none_or(|code| !code.starts_with("AADSTS"))
        && let Some(code) = said.message.as_deref().and_then(entra_code)
    {
        said.code = Some(code);
    }
    let fit = |text: String, max| {
        // Far more than is shown, so that no secret is cut in two before it is found.
        let text = hidden(&text.chars().take(8 * LONGEST).collect::<String>(), hide);
        Some(clean::line(text.trim(), max)).filter(|text| !text.is_empty())
    };
    Said { message: said.message.and_then(|text| fit(text, LONGEST)), code: said.code.and_then(|text| fit(text, 80)) }
}

fn from_json(value: &Value) -> Said {
    let text = |value: &Value, names: &[&str]| names.iter().find_map(|name| value.get(name).and_then(words));
    // NetSuite says more beside its RFC 9457.
    let error = value.get("error").or_else(|| value.get("o:errorDetails")?.get(0)).unwrap_or(&Value::Null);
    let first = value.get("errors").and_then(|errors| errors.get(0)).unwrap_or(&Value::Null);
    const MESSAGES: [&str; 9] = ["error_description", "message", "Message", "detail", "errorSummary", "description", "msg", "reason", "title"];
    let message = text(error, &MESSAGES)
        .or_else(|| text(value, &MESSAGES))
        .or_else(|| text(first, &MESSAGES))
        .or_else(|| words(first))
        .or_else(|| words(error))
        .or_else(|| value.as_str().map(str::to_owned));
    const CODES: [&str; 6] = ["code", "type", "scimType", "errorCode", "error_code", "o:errorCode"];
    let code = text(error, &CODES)
        .or_else(|| error.as_str().filter(|code| !code.contains(' ')).map(str::to_owned))
        .or_else(|| text(value, &CODES))
        .or_else(|| text(first, &CODES))
        // AWS: `com.amazon.coral.service#AccessDeniedException`.
        .or_else(|| Some(words(value.get("__type")?)?.rsplit('#').next()?.to_owned()))
        // RFC 9457: `about:blank` says that the type says nothing.
        .filter(|code| code != "about:blank");
    Said { message, code }
}

fn words(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Plain text as it is; of a web page the title.
fn from_text(text: &str) -> Option<String> {
    let text = text.trim_start_matches('\u{feff}').trim();
    if text.starts_with('<') {
        // Byte offsets of an ASCII-lowered copy are those of the text.
        let lower = text.to_ascii_lowercase();
        let open = lower.find("<title")?;
        let start = open + lower[open..].find('>')? + 1;
        let end = start + lower[start..].find("</title")?;
        return Some(text[start..end].trim().to_owned());
    }
    if text.starts_with(['{', '[']) {
        return None;
    }
    Some(text.to_owned())
}

/// `AADSTS7000215` and its like.
fn entra_code(text: &str) -> Option<String> {
    let at = text.find("AADSTS")?;
    let digits: String = text[at + 6..].chars().take_while(char::is_ascii_digit).take(10).collect();
    (!digits.is_empty()).then(|| format!("AADSTS{digits}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_usual_forms() {
        #[rustfmt::skip]
        let table: &[(&str, Option<&str>, Option<&str>)] = &[
            (r#"{"error":{"code":"Authorization_RequestDenied","message":"Insufficient privileges"}}"#, Some("Insufficient privileges"), Some("Authorization_RequestDenied")),
            (r#"{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"409","scimType":"uniqueness","detail":"taken"}"#, Some("taken"), Some("uniqueness")),
            (r#"{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret.\r\nTrace"}"#, Some("AADSTS7000215: Invalid client secret.  Trace"), Some("AADSTS7000215")),
            (r#"{"error":"invalid_grant"}"#, Some("invalid_grant"), Some("invalid_grant")),
            (r#"{"type":"https://example.com/out","title":"Out of credit","detail":"Balance is 30"}"#, Some("Balance is 30"), Some("https://example.com/out")),
            (r#"{"errorCode":"E0000011","errorSummary":"Invalid token provided"}"#, Some("Invalid token provided"), Some("E0000011")),
            (r#"{"errors":[{"message":"no","code":7}]}"#, Some("no"), Some("7")),
            (r#"{"__type":"com.amazon.coral.service#AccessDeniedException","Message":"no"}"#, Some("no"), Some("AccessDeniedException")),
            (r#"{"type":"https://www.rfc-editor.org/x","title":"Unauthorized","o:errorDetails":[{"detail":"Invalid login","o:errorCode":"INVALID_LOGIN"}]}"#,
                Some("Invalid login"), Some("INVALID_LOGIN")),
            (r#"{"message":"Bad credentials"}"#, Some("Bad credentials"), None),
            ("gateway down", Some("gateway down"), None),
            ("<!DOCTYPE html><html><head><TITLE>502 Bad Gateway</TITLE>", Some("502 Bad Gateway"), None),
            ("<html>", None, None),
            (r#"{"broken"#, None, None),
            ("", None, None),
        ];
        for (body, message, code) in table {
            let said = said(body.as_bytes(), &[]);
            assert_eq!((said.message.as_deref(), said.code.as_deref()), (*message, *code), "{body}");
        }
    }

    #[test]
    fn nothing_secret_or_hostile_comes_through() {
        let said = said("{\"message\":\"token s3cr3t-value is bad \\u001b]0;x\\u0007 \u{202e}\"}".as_bytes(), &["s3cr3t-value"]);
        assert_eq!(said.message.as_deref(), Some("token … is bad ␛]0;x␇ ·"));
        let long = said_len(&format!("{{\"message\":\"{}\"}}", "x".repeat(100_000)));
        assert_eq!(long, 300);
    }

    fn said_len(body: &str) -> usize {
        said(body.as_bytes(), &[]).message.unwrap().chars().count()
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(body in proptest::collection::vec(any::<u8>(), 0..400)) {
            let said = said(&body, &["secret"]);
            prop_assert!(said.message.is_none_or(|text| clean::is_clean(&text)));
        }

        #[test]
        fn any_markup_is_read(body in "<(title|TITLE|é|>|<|/title| ){0,8}") {
            let _ = said(body.as_bytes(), &[]);
        }
    }
}
