//! When an integration runs by itself: civil-time arithmetic in the schedule's own time zone.

use jiff::civil;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, ToSpan as _, Zoned};

use crate::model::{Every, Integration, IntegrationState, Schedule, Time};

/// A time of day as people write it: `HH:MM`, 24 hours.
#[must_use]
pub fn time_of_day(text: &str) -> Option<civil::Time> {
    let (hours, minutes) = text.trim().split_once(':')?;
    let two = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse::<i8>().ok()).flatten();
    if hours.is_empty() || hours.len() > 2 || minutes.len() != 2 {
        return None;
    }
    civil::Time::new(two(hours)?, two(minutes)?, 0, 0).ok()
}

/// An IANA time zone; UTC when empty.
#[must_use]
pub fn time_zone(name: &str) -> Option<TimeZone> {
    let name = name.trim();
    if name.is_empty() { Some(TimeZone::UTC) } else { TimeZone::get(name).ok() }
}

/// When it is to run next; `None` when it does not run by itself. A moment in the past means that it is due.
///
/// Minutes and hours count from the last run (or the launch). A day's moment is its time of day in the schedule's zone: where the clock
/// skips it, as much later as the clock was put forward; where it comes twice, the first time. Weekly is the weekday of the launch.
#[must_use]
pub fn next_run(integration: &Integration, last: Option<Time>, now: Time) -> Option<Time> {
    if integration.state != IntegrationState::Active {
        return None;
    }
    let launched = integration.launched.unwrap_or(integration.created);
    // A launch after the last run begins anew. What lies in the future came from a clock that was wrong.
    let base = last.map_or(launched, |last| last.max(launched)).min(now);
    moment(&integration.schedule, base, launched)
}

fn moment(schedule: &Schedule, base: Time, launched: Time) -> Option<Time> {
    let after = |seconds: i64| base.checked_add(SignedDuration::from_secs(seconds)).ok();
    let zone = time_zone(&schedule.time_zone)?;
    match schedule.every {
        Every::Manual => None,
        Every::Minutes(n) => after(i64::from(n.max(1)) * 60),
        Every::Hours(n) => after(i64::from(n.max(1)) * 3600),
        Every::Daily => first_after(base, &zone, time_of_day(&schedule.at)?, None),
        Every::Weekly => first_after(base, &zone, time_of_day(&schedule.at)?, Some(launched.to_zoned(zone.clone()).weekday())),
    }
}

/// The first moment strictly after `base` at that time of day (and weekday).
fn first_after(base: Time, zone: &TimeZone, at: civil::Time, weekday: Option<civil::Weekday>) -> Option<Time> {
    // A day before, because a skipped time of the day before can fall into this one.
    let mut date = base.to_zoned(zone.clone()).date().checked_sub(1.day()).ok()?;
    // A whole week, and the days around it.
    for _ in 0..10 {
        if weekday.is_none_or(|weekday| date.weekday() == weekday) {
            let moment: Zoned = date.to_datetime(at).to_zoned(zone.clone()).ok()?;
            if moment.timestamp() > base {
                return Some(moment.timestamp());
            }
        }
        date = date.checked_add(1.day()).ok()?;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn time(text: &str) -> Time {
        text.parse().unwrap()
    }

    fn active(every: Every, at: &str, zone: &str, launched: &str) -> Integration {
        let mut integration = Integration::draft("int_a", "A", Vec::new(), time("2024-01-01T00:00:00Z"));
        integration.state = IntegrationState::Active;
        integration.launched = Some(time(launched));
        integration.schedule = Schedule { every, at: at.into(), time_zone: zone.into() };
        integration
    }

    #[test]
    fn moments() {
        let paris = "Europe/Paris";
        for (every, at, zone, launched, last, expected) in [
            (Every::Daily, "02:00", "", "2025-01-10T10:00:00Z", None, "2025-01-11T02:00:00Z"),
            (Every::Daily, "02:00", "UTC", "2025-01-10T01:00:00Z", None, "2025-01-10T02:00:00Z"),
            (Every::Daily, "02:00", "UTC", "2025-01-01T00:00:00Z", Some("2025-01-10T02:00:00Z"), "2025-01-11T02:00:00Z"),
            (Every::Daily, "02:00", "UTC", "2025-01-01T00:00:00Z", Some("2025-01-10T02:00:03Z"), "2025-01-11T02:00:00Z"),
            (Every::Daily, "02:00", "UTC", "2025-01-01T00:00:00Z", Some("2025-01-10T01:59:59Z"), "2025-01-10T02:00:00Z"),
            (Every::Daily, "00:30", paris, "2025-01-10T10:00:00Z", None, "2025-01-10T23:30:00Z"),
            // Summer and winter: the same time of day, another UTC.
            (Every::Daily, "08:00", paris, "2025-03-29T10:00:00Z", None, "2025-03-30T06:00:00Z"),
            (Every::Daily, "08:00", paris, "2025-03-28T10:00:00Z", None, "2025-03-29T07:00:00Z"),
            // 2025-03-30, 02:00 to 03:00 does not exist in Paris: an hour later.
            (Every::Daily, "02:30", paris, "2025-03-29T10:00:00Z", None, "2025-03-30T01:30:00Z"),
            (Every::Daily, "02:30", paris, "2025-03-29T10:00:00Z", Some("2025-03-30T01:30:01Z"), "2025-03-31T00:30:00Z"),
            // 2025-10-26, 02:00 to 03:00 comes twice: the first one, and only that.
            (Every::Daily, "02:30", paris, "2025-10-25T10:00:00Z", None, "2025-10-26T00:30:00Z"),
            (Every::Daily, "02:30", paris, "2025-10-25T10:00:00Z", Some("2025-10-26T00:30:01Z"), "2025-10-27T01:30:00Z"),
            // Where midnight itself is skipped (Cairo, 2025-04-25).
            (Every::Daily, "00:00", "Africa/Cairo", "2025-04-24T12:00:00Z", None, "2025-04-24T22:00:00Z"),
            // Half an hour is skipped on Lord Howe Island.
            (Every::Daily, "02:15", "Australia/Lord_Howe", "2025-10-04T12:00:00Z", None, "2025-10-04T15:45:00Z"),
            (Every::Weekly, "02:00", "UTC", "2025-01-08T10:00:00Z", None, "2025-01-15T02:00:00Z"),
            (Every::Weekly, "12:00", "UTC", "2025-01-08T10:00:00Z", None, "2025-01-08T12:00:00Z"),
            (Every::Weekly, "02:00", "UTC", "2025-01-08T10:00:00Z", Some("2025-01-20T00:00:00Z"), "2025-01-22T02:00:00Z"),
            (Every::Weekly, "02:30", paris, "2025-03-23T10:00:00Z", None, "2025-03-30T01:30:00Z"),
            // The weekday is that of the zone: Thursday in Auckland is Wednesday in UTC.
            (Every::Weekly, "09:00", "Pacific/Auckland", "2025-01-08T20:30:00Z", None, "2025-01-15T20:00:00Z"),
            (Every::Minutes(15), "", "UTC", "2025-01-08T10:00:00Z", None, "2025-01-08T10:15:00Z"),
            (Every::Minutes(40), "", "UTC", "2025-01-08T10:00:00Z", Some("2025-01-08T10:40:07Z"), "2025-01-08T11:20:07Z"),
            (Every::Hours(6), "", paris, "2025-03-29T22:00:00Z", None, "2025-03-30T04:00:00Z"),
            // Launched again after a pause: the launch counts.
            (Every::Hours(6), "", "UTC", "2025-01-08T10:00:00Z", Some("2025-01-01T00:00:00Z"), "2025-01-08T16:00:00Z"),
        ] {
            let integration = active(every, at, zone, launched);
            let found = next_run(&integration, last.map(time), time("2026-01-01T00:00:00Z"));
            assert_eq!(found, Some(time(expected)), "{every:?} {at} {zone} launched {launched} last {last:?}");
        }
    }

    #[test]
    fn what_does_not_run_by_itself() {
        let now = time("2025-01-08T10:00:00Z");
        let run = |change: &dyn Fn(&mut Integration)| {
            let mut integration = active(Every::Daily, "02:00", "UTC", "2025-01-08T10:00:00Z");
            change(&mut integration);
            next_run(&integration, None, now)
        };
        assert!(run(&|_| {}).is_some());
        assert_eq!(run(&|i| i.state = IntegrationState::Draft), None);
        assert_eq!(run(&|i| i.state = IntegrationState::Paused), None);
        assert_eq!(run(&|i| i.schedule.every = Every::Manual), None);
        assert_eq!(run(&|i| i.schedule.at = "25:00".into()), None);
        assert_eq!(run(&|i| i.schedule.time_zone = "Europe/Atlantis".into()), None);
        // A last run in the future came from a wrong clock, and does not stop the schedule until then.
        let integration = active(Every::Hours(1), "", "", "2025-01-01T00:00:00Z");
        assert_eq!(next_run(&integration, Some(time("2030-01-01T00:00:00Z")), now), Some(time("2025-01-08T11:00:00Z")));
    }

    #[test]
    fn times_of_day() {
        for (text, fine) in [
            ("02:00", true),
            ("2:05", true),
            (" 23:59 ", true),
            ("24:00", false),
            ("12:60", false),
            ("1200", false),
            ("12:5", false),
            ("+1:00", false),
            ("", false),
            (":30", false),
        ] {
            assert_eq!(time_of_day(text).is_some(), fine, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_day_has_one_moment(base in 0i64..4_000_000_000, hour in 0u8..24, minute in 0u8..60, zone in prop_oneof!["Europe/Paris", "America/New_York", "Australia/Lord_Howe", "Africa/Cairo", "Asia/Kathmandu", ""]) {
            let integration = active(Every::Daily, &format!("{hour}:{minute:02}"), &zone, "1969-01-01T00:00:00Z");
            let base = Time::from_second(base).unwrap();
            let next = next_run(&integration, Some(base), Time::MAX).unwrap();
            prop_assert!(next > base);
            prop_assert!(next.duration_since(base) <= SignedDuration::from_hours(26));
            let after = next_run(&integration, Some(next), Time::MAX).unwrap();
            prop_assert!(after.duration_since(next) >= SignedDuration::from_hours(22));
        }
    }
}
