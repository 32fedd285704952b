//! From what a vendor sends to what the inventory holds, by the type of the field.
//!
//! An empty value (absent, null, a text of nothing but white space) is no error: it becomes [`Value::Null`]. Texts are stored without
//! white space at either end. Times are stored as RFC 3339 in UTC and whole seconds, so that as texts they sort as times do.

use crate::model::{FieldType, Value};
use crate::t;
use crate::words::clean;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::Value as Json;

/// Longest address (RFC 3696 erratum 1690: 254; some directories go to 320).
const MAX_EMAIL: usize = 320;

/// `Err` is a sentence that says what is wrong with the value.
pub fn convert(value: &Json, kind: FieldType) -> Result<Value, String> {
    let value = match value {
        Json::Null => return Ok(Value::Null),
        Json::String(text) if text.trim().is_empty() => return Ok(Value::Null),
        value => value,
    };
    match kind {
        FieldType::Text => text(value),
        FieldType::Email => email(value),
        FieldType::Boolean => boolean(value),
        FieldType::Integer => integer(value),
        FieldType::Number => number(value),
        FieldType::Time => time(value),
    }
}

/// As [`convert`], without a copy of a text that stays as it is.
pub fn converted(value: Json, kind: FieldType) -> Result<Value, String> {
    match value {
        Json::String(text) if matches!(kind, FieldType::Text | FieldType::Email) && is_trimmed(&text) => {
            if kind == FieldType::Text || is_email(&text) { Ok(Value::Text(text)) } else { convert(&Json::String(text), kind) }
        }
        value => convert(&value, kind),
    }
}

/// Whether a text that is not empty has no white space at either end, as far as that is seen at once.
fn is_trimmed(text: &str) -> bool {
    let plain = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_graphic);
    plain(text.as_bytes().first()) && plain(text.as_bytes().last()) || !text.is_empty() && text.trim().len() == text.len()
}

/// The value as it is shown beside a message: one line, cut.
#[must_use]
pub fn shown(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) => clean::line(text, 80),
        // A megabyte of nested objects is not written out to show eighty characters of it.
        Json::Array(list) if list.len() > 20 => t!("mapping.shown.list", n = list.len()),
        Json::Object(object) if object.len() > 20 => t!("mapping.shown.object", n = object.len()),
        other => clean::line(&other.to_string(), 80),
    }
}

/// What a value is, in a word or two.
#[must_use]
pub fn sort_of(value: &Json) -> &'static str {
    match value {
        Json::Null => t!("mapping.json.null"),
        Json::Bool(_) => t!("mapping.json.boolean"),
        Json::Number(_) => t!("mapping.json.number"),
        Json::String(_) => t!("mapping.json.text"),
        Json::Array(_) => t!("mapping.json.list"),
        Json::Object(_) => t!("mapping.json.object"),
    }
}

fn scalar_text(value: &Json) -> Option<String> {
    match value {
        Json::String(text) => Some(text.trim().to_owned()),
        Json::Bool(value) => Some(value.to_string()),
        Json::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn text(value: &Json) -> Result<Value, String> {
    if let Some(text) = scalar_text(value) {
        return Ok(Value::Text(text));
    }
    // A list of texts (roles, groups) reads well as one; objects would be gibberish.
    if let Json::Array(list) = value
        && let Some(parts) = list.iter().filter(|part| !part.is_null()).map(scalar_text).collect::<Option<Vec<_>>>()
    {
        return Ok(if parts.is_empty() { Value::Null } else { Value::Text(parts.join(", ")) });
    }
    Err(t!("mapping.convert.text", found = sort_of(value)))
}

fn email(value: &Json) -> Result<Value, String> {
    let Json::String(text) = value else { return Err(t!("mapping.convert.email", value = shown(value))) };
    let text = text.trim();
    if is_email(text) { Ok(Value::Text(text.to_owned())) } else { Err(t!("mapping.convert.email", value = clean::line(text, 80))) }
}

/// Whether a text looks like an e-mail address: what every directory accepts, not all that RFC 5321 allows.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && !matches!(c, '<' | '>' | '(' | ')' | ',' | ';' | ':' | '"' | '[' | ']' | '\\');
    if text.len() > MAX_EMAIL || local.is_empty() || domain.is_empty() {
        return false;
    }
    // Nearly every address is of these only, and their bytes tell it soonest.
    let usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'+');
    (local.bytes().all(usual) || local.chars().all(|c| plain(c) && c != '@' && clean::shown(c) == c))
        && domain.split('.').all(|label| !label.is_empty() && !label.starts_with('-') && !label.ends_with('-'))
        && domain.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '.')
}

fn boolean(value: &Json) -> Result<Value, String> {
    let found = match value {
        Json::Bool(value) => Some(*value),
        Json::Number(number) => match number.as_f64() {
            Some(0.0) => Some(false),
            Some(1.0) => Some(true),
            _ => None,
        },
        Json::String(text) => truth(text),
        _ => None,
    };
    found.map(Value::Boolean).ok_or_else(|| t!("mapping.convert.boolean", value = shown(value)))
}

fn truth(text: &str) -> Option<bool> {
    Some(match text.trim().to_lowercase().as_str() {
        "true" | "yes" | "y" | "1" | "on" | "t" | "✓" | "✔" | "enabled" => true,
        "false" | "no" | "n" | "0" | "off" | "f" | "✗" | "✘" | "disabled" => false,
        _ => return None,
    })
}

fn integer(value: &Json) -> Result<Value, String> {
    let found = match value {
        Json::Number(number) => number.as_i64().or_else(|| whole(number.as_f64()?)),
        Json::String(text) => text.trim().parse().ok().or_else(|| whole(text.trim().parse().ok()?)),
        _ => None,
    };
    found.map(Value::Integer).ok_or_else(|| t!("mapping.convert.integer", value = shown(value)))
}

/// A number without a fraction that a float holds exactly.
#[allow(clippy::cast_possible_truncation)]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0 && number.abs() <= 9_007_199_254_740_992.0).then_some(number as i64)
}

fn number(value: &Json) -> Result<Value, String> {
    let found = match value {
        Json::Number(number) => number.as_f64(),
        Json::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    found.filter(|n: &f64| n.is_finite()).map(Value::Number).ok_or_else(|| t!("mapping.convert.number", value = shown(value)))
}

fn time(value: &Json) -> Result<Value, String> {
    let found = match value {
        Json::Number(number) => number.as_f64().and_then(from_number).map(Some),
        Json::String(text) => match from_text(text.trim()) {
            Found::Time(time) => Some(Some(time)),
            Found::Never => Some(None),
            Found::EitherWay => return Err(t!("mapping.convert.day_or_month", value = shown(value), example = "{{ field | time('%m/%d/%Y') }}")),
            Found::Nothing => None,
        },
        _ => None,
    };
    match found {
        Some(Some(time)) => Ok(Value::Text(rfc3339(time))),
        Some(None) => Ok(Value::Null),
        None => Err(t!("mapping.convert.time", value = shown(value))),
    }
}

/// RFC 3339 in UTC and whole seconds.
#[must_use]
pub fn rfc3339(time: Timestamp) -> String {
    Timestamp::from_second(time.as_second()).unwrap_or(time).to_string()
}

/// Numbers count since 1970 in the unit that puts them nearest to our days: seconds up to eleven digits, then milliseconds,
/// microseconds and nanoseconds; eighteen digits are a Windows FILETIME (100 ns since 1601).
#[allow(clippy::cast_possible_truncation)]
fn from_number(number: f64) -> Option<Timestamp> {
    let seconds = match number.abs() {
        n if n < 1e11 => number,
        n if n < 1e14 => number / 1e3,
        n if n < 1e17 => number / 1e6,
        n if n < 1e18 => number / 1e7 - 11_644_473_600.0,
        _ => number / 1e9,
    };
    Timestamp::from_second(seconds.floor() as i64).ok()
}

enum Found {
    Time(Timestamp),
    /// The way some systems write that something never happened.
    Never,
    /// `03/04/2025`: could be March or April.
    EitherWay,
    Nothing,
}

/// Formats with a time zone in them need none; all others are taken as UTC. Looked for after RFC 3339 and RFC 2822.
const FORMATS: [&str; 16] = [
    "%Y-%m-%d %H:%M:%S%.f %z",
    "%Y-%m-%d %H:%M",
    "%Y/%m/%d %H:%M:%S",
    "%Y/%m/%d %H:%M",
    "%Y/%m/%d",
    "%Y%m%d%H%M%S%.fZ",
    "%Y%m%d",
    "%d.%m.%Y %H:%M:%S",
    "%d.%m.%Y %H:%M",
    "%d.%m.%Y",
    "%d %b %Y",
    "%d %B %Y",
    "%b %d, %Y",
    "%B %d, %Y",
    "%b %d, %Y %I:%M:%S %p",
    "%a %b %d %H:%M:%S %Y",
];

fn from_text(text: &str) -> Found {
    // No known format is longer; a hostile text is not tried against all of them.
    if text.len() > 80 {
        return Found::Nothing;
    }
    // .NET's DateTime.MinValue and the zero date of MySQL.
    if text.starts_with("0001-01-01") || text.starts_with("0000-00-00") {
        return Found::Never;
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Found::Time(time);
    }
    if let Ok(zoned) = text.parse::<Zoned>() {
        return Found::Time(zoned.timestamp());
    }
    if text.len() > 8
        && text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && let Some(time) = text.parse().ok().filter(|_| text.matches('.').count() < 2).filter(|_| !looks_generalised(text)).and_then(from_number)
    {
        return Found::Time(time);
    }
    let plain = text.strip_suffix(" UTC").or_else(|| text.strip_suffix(" GMT")).unwrap_or(text);
    if let Ok(civil) = plain.parse::<DateTime>() {
        return utc(civil);
    }
    if let Ok(zoned) = jiff::fmt::rfc2822::parse(text) {
        return Found::Time(zoned.timestamp());
    }
    if let Some(found) = slashed(plain) {
        return found;
    }
    for format in FORMATS {
        if let Some(time) = by_format(format, plain) {
            return Found::Time(time);
        }
    }
    Found::Nothing
}

/// Fourteen digits that begin with a year of ours: `20250301100000` (X.680 GeneralizedTime without its zone).
fn looks_generalised(text: &str) -> bool {
    text.len() == 14 && (text.starts_with("19") || text.starts_with("20"))
}

fn utc(civil: DateTime) -> Found {
    civil.to_zoned(TimeZone::UTC).map_or(Found::Nothing, |zoned| Found::Time(zoned.timestamp()))
}

/// Reads a time in a `strftime` format; UTC unless the format has a zone.
pub(super) fn by_format(format: &str, text: &str) -> Option<Timestamp> {
    let parsed = jiff::fmt::strtime::parse(format, text).ok()?;
    if let Ok(time) = parsed.to_timestamp() {
        return Some(time);
    }
    let civil = parsed.to_datetime().or_else(|_| parsed.to_date().map(Date::into)).ok()?;
    civil.to_zoned(TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
}

/// `3/25/2025`, `25/3/2025 14:05`: which is the month is clear only when one of them is above twelve, or both are the same.
fn slashed(text: &str) -> Option<Found> {
    let (day, clock) = text.split_once([' ', 'T']).map_or((text, None), |(day, clock)| (day, Some(clock)));
    let mut parts = day.split('/');
    let (first, second, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || year.len() != 4 {
        return None;
    }
    let (first, second, year): (i8, i8, i16) = (first.parse().ok()?, second.parse().ok()?, year.parse().ok()?);
    let (month, day) = match (first, second) {
        (a, b) if a == b => (a, b),
        (a, b) if a > 12 => (b, a),
        (a, b) if b > 12 => (a, b),
        _ => return Some(Found::EitherWay),
    };
    let date = Date::new(year, month, day).ok()?;
    let clock = match clock {
        None => jiff::civil::Time::midnight(),
        Some(clock) => {
            ["%H:%M:%S", "%H:%M", "%I:%M:%S %p", "%I:%M %p"].iter().find_map(|format| jiff::civil::Time::strptime(format, clock.trim()).ok())?
        }
    };
    Some(utc(date.to_datetime(clock)))
}

/// A time in whatever form a record may hold it.
pub(super) fn read_time(value: &Json) -> Option<Timestamp> {
    match value {
        Json::Number(number) => from_number(number.as_f64()?),
        Json::String(text) => match from_text(text.trim()) {
            Found::Time(time) => Some(time),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a text is written as a date or a time, and not merely a number that could be one.
#[must_use]
pub fn looks_like_time(text: &str) -> bool {
    text.len() >= 8 && text.bytes().any(|b| !b.is_ascii_digit()) && matches!(from_text(text.trim()), Found::Time(_) | Found::EitherWay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn text_of(value: &str) -> Value {
        Value::Text(value.to_owned())
    }

    #[test]
    fn what_converts() {
        use FieldType::*;
        for (value, kind, expected) in [
            (json!(null), Integer, Value::Null),
            (json!(" \t"), Time, Value::Null),
            (json!(" Ada "), Text, text_of("Ada")),
            (json!(true), Text, text_of("true")),
            (json!(12), Text, text_of("12")),
            (json!(1.5), Text, text_of("1.5")),
            (json!(["admin", null, 3]), Text, text_of("admin, 3")),
            (json!([]), Text, Value::Null),
            (json!("12"), Integer, Value::Integer(12)),
            (json!(" -7 "), Integer, Value::Integer(-7)),
            (json!(3.0), Integer, Value::Integer(3)),
            (json!("3.0"), Integer, Value::Integer(3)),
            (json!("1e3"), Number, Value::Number(1000.0)),
            (json!(2), Number, Value::Number(2.0)),
            (json!("Yes"), Boolean, Value::Boolean(true)),
            (json!("✓"), Boolean, Value::Boolean(true)),
            (json!(0), Boolean, Value::Boolean(false)),
            (json!("disabled"), Boolean, Value::Boolean(false)),
            (json!(" Ada@Example.com "), Email, text_of("Ada@Example.com")),
            (json!("o'brien+x@sub.example.co"), Email, text_of("o'brien+x@sub.example.co")),
            (json!("用户@例子.广告"), Email, text_of("用户@例子.广告")),
            (json!("2025-03-01T10:00:00Z"), Time, text_of("2025-03-01T10:00:00Z")),
            (json!("2025-03-01T10:00:00.987+02:00"), Time, text_of("2025-03-01T08:00:00Z")),
            (json!("2025-03-01 10:00:00"), Time, text_of("2025-03-01T10:00:00Z")),
            (json!("2025-03-01 10:00:00 UTC"), Time, text_of("2025-03-01T10:00:00Z")),
            (json!("2025-03-01 10:00:00 +0130"), Time, text_of("2025-03-01T08:30:00Z")),
            (json!("2025-03-01"), Time, text_of("2025-03-01T00:00:00Z")),
            (json!("20250301"), Time, text_of("2025-03-01T00:00:00Z")),
            (json!("20250301100000Z"), Time, text_of("2025-03-01T10:00:00Z")),
            (json!("20250301100000.0Z"), Time, text_of("2025-03-01T10:00:00Z")),
            (json!("Sat, 01 Mar 2025 10:00:00 +0000"), Time, text_of("2025-03-01T10:00:00Z")),
            (json!("01 Mar 2025"), Time, text_of("2025-03-01T00:00:00Z")),
            (json!("March 1, 2025"), Time, text_of("2025-03-01T00:00:00Z")),
            (json!("25.3.2025 14:05"), Time, text_of("2025-03-25T14:05:00Z")),
            (json!("3/25/2025"), Time, text_of("2025-03-25T00:00:00Z")),
            (json!("25/03/2025 2:05 PM"), Time, text_of("2025-03-25T14:05:00Z")),
            (json!("5/5/2025"), Time, text_of("2025-05-05T00:00:00Z")),
            (json!(1_740_823_200), Time, text_of("2025-03-01T10:00:00Z")),
            (json!(1_740_823_200_000_i64), Time, text_of("2025-03-01T10:00:00Z")),
            (json!(1_740_823_200_000_000_i64), Time, text_of("2025-03-01T10:00:00Z")),
            (json!(1_740_823_200.75), Time, text_of("2025-03-01T10:00:00Z")),
            (json!("1740823200"), Time, text_of("2025-03-01T10:00:00Z")),
            (json!("1740823200000"), Time, text_of("2025-03-01T10:00:00Z")),
            (json!(133_852_968_000_000_000_i64), Time, text_of("2025-03-01T10:00:00Z")),
            (json!(-1), Time, text_of("1969-12-31T23:59:59Z")),
            (json!("0001-01-01T00:00:00Z"), Time, Value::Null),
        ] {
            assert_eq!(convert(&value, kind), Ok(expected), "{value} as {kind:?}");
        }
    }

    #[test]
    fn what_does_not() {
        use FieldType::*;
        for (value, kind) in [
            (json!({"a": 1}), Text),
            (json!([{"a": 1}]), Text),
            (json!("ada"), Email),
            (json!("ada@"), Email),
            (json!("@example.com"), Email),
            (json!("a b@example.com"), Email),
            (json!("a@b@example.com"), Email),
            (json!("a@example..com"), Email),
            (json!("a\u{202e}@example.com"), Email),
            (json!("Ada <ada@example.com>"), Email),
            (json!(5), Email),
            (json!("maybe"), Boolean),
            (json!(2), Boolean),
            (json!("1.5"), Integer),
            (json!(u64::MAX), Integer),
            (json!("twelve"), Integer),
            (json!(true), Integer),
            (json!("inf"), Number),
            (json!("NaN"), Number),
            (json!("03/04/2025"), Time),
            (json!("2025-13-01"), Time),
            (json!("yesterday"), Time),
            (json!("12"), Time),
            (json!(1e300), Time),
            (json!({}), Time),
        ] {
            let message = convert(&value, kind).expect_err(&format!("{value} as {kind:?}"));
            assert!(message.ends_with('.') && message.chars().all(|c| clean::shown(c) == c), "{message}");
        }
    }

    proptest! {
        #[test]
        fn never_panics_and_settles(value in crate::mapping::path::tests::value(), text in "\\PC{0,30}|[0-9/:. TZ+-]{0,24}", n in any::<f64>()) {
            for kind in [FieldType::Text, FieldType::Integer, FieldType::Number, FieldType::Boolean, FieldType::Time, FieldType::Email] {
                for value in [value.clone(), json!(text), json!(n)] {
                    let Ok(once) = convert(&value, kind) else { continue };
                    // What is stored is taken as it is when it comes again.
                    prop_assert_eq!(convert(&serde_json::to_value(&once).unwrap(), kind), Ok(once));
                }
            }
        }
    }
}
