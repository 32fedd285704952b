//! Times for people: relative in lists, absolute in details.

use crate::model::Time;

/// `now`, `5 min ago`, `in 3 d`.
#[must_use]
pub fn relative(at: Time, now: Time) -> String {
    let seconds = at.as_second() - now.as_second();
    let n = seconds.unsigned_abs();
    let span = match n {
        0..60 => return crate::t!("when.now").to_owned(),
        60..3_600 => crate::t!("when.minutes", n = n / 60),
        3_600..86_400 => crate::t!("when.hours", n = n / 3_600),
        _ => crate::t!("when.days", n = n / 86_400),
    };
    if seconds < 0 { crate::t!("when.ago", span = span) } else { crate::t!("when.in", span = span) }
}

/// How long something took: `0.8 s`, `2 min 5 s`.
#[must_use]
pub fn duration(milliseconds: i64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        ..10 => crate::t!("when.tenths", n = format!("{}.{}", seconds.max(0), (milliseconds.max(0) % 1000) / 100)),
        10..60 => crate::t!("when.seconds", n = seconds),
        60..3600 => crate::t!("when.minutes_seconds", m = seconds / 60, s = seconds % 60),
        _ => crate::t!("when.hours_minutes", h = seconds / 3600, m = seconds / 60 % 60),
    }
}

/// `2026-11-21 14:02 UTC`
#[must_use]
pub fn absolute(at: Time) -> String {
    at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_one_unit() {
        let now = Time::from_second(1_000_000).unwrap();
        let at = |seconds: i64| Time::from_second(1_000_000 + seconds).unwrap();
        assert_eq!(relative(at(-10), now), "now");
        assert_eq!(relative(at(-300), now), "5 min ago");
        assert_eq!(relative(at(7_200), now), "in 2 h");
        assert_eq!(relative(at(86_400 * 6), now), "in 6 d");
        assert_eq!(duration(840), "0.8 s");
        assert_eq!(duration(125_000), "2 min 5 s");
    }
}
