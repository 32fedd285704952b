//! Pages about credentials: when they end, what they may do, what their tokens say.

use crate::model::Time;
use crate::ops::credentials::CalendarRow;
use crate::ops::scopes::ScopeReport;
use crate::ops::token_view::TokenView;
use crate::tui::app::layers::{Layer, Page};
use crate::tui::app::state::State;
use crate::tui::ui::terms::{self, Row};
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::{labels, text, when};

const DAY: i64 = 86_400;
/// Columns of a bar, and the days that a whole one stands for.
const BAR: usize = 12;
const BAR_DAYS: i64 = 90;

/// What ends within a stretch of seconds from now.
type Group = (&'static str, Tone, fn(i64) -> bool);

/// The expiry calendar: a timeline by urgency.
#[must_use]
pub fn calendar(rows: &[CalendarRow], state: &State) -> Layer {
    let now = state.now;
    let groups: [Group; 4] = [
        (crate::t!("credentials.calendar.overdue"), Tone::Bad, |left| left <= 0),
        (crate::t!("credentials.calendar.week"), Tone::Notice, |left| (1..=7 * DAY).contains(&left)),
        (crate::t!("credentials.calendar.month"), Tone::Plain, |left| (7 * DAY + 1..=30 * DAY).contains(&left)),
        (crate::t!("credentials.calendar.later"), Tone::Dim, |left| left > 30 * DAY),
    ];
    let mut out = Vec::new();
    // What renews itself is nobody's work, and stands last.
    let manual: Vec<&CalendarRow> = rows.iter().filter(|row| !row.automatic).collect();
    for (title, tone, fits) in groups {
        let here: Vec<&&CalendarRow> = manual.iter().filter(|row| fits(row.at.as_second() - now.as_second())).collect();
        if here.is_empty() {
            continue;
        }
        out.push(Row::whole(Tone::Strong, format!("{title} ({})", here.len())));
        for row in here {
            out.extend(ending(row, tone, state));
        }
        out.push(Row::gap());
    }
    if manual.is_empty() {
        out.push(Row::whole(Tone::Good, format!("{} {}", state.theme.symbol(Symbol::Good), crate::t!("credentials.calendar.none"))));
        out.push(Row::gap());
    }
    let automatic: Vec<&CalendarRow> = rows.iter().filter(|row| row.automatic).collect();
    if !automatic.is_empty() {
        out.push(Row::whole(Tone::Dim, crate::t!("credentials.calendar.automatic", n = automatic.len())));
        for row in automatic {
            out.extend(ending(row, Tone::Dim, state));
        }
        out.push(Row::gap());
    }
    out.push(Row::whole(Tone::Dim, crate::t!("credentials.calendar.how")));
    Layer::Page(Page { title: crate::t!("credentials.calendar.title").to_owned(), rows: out, ..Page::default() })
}

/// One end: who, what, how long with a bar, and who stops with it.
fn ending(row: &CalendarRow, tone: Tone, state: &State) -> Vec<Row> {
    let left = (row.at.as_second() - state.now.as_second()).max(0);
    // What is left at all is seen.
    let filled = usize::try_from(left * BAR as i64 / (BAR_DAYS * DAY)).unwrap_or(BAR).clamp(usize::from(left > 0), BAR);
    let (full, empty) = (state.theme.symbol(Symbol::Full), state.theme.symbol(Symbol::Empty));
    let bar = format!("{}{}", full.repeat(filled), empty.repeat(BAR - filled));
    let day = row.at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d").to_string();
    let said = format!("{:<13} {day}  {}", labels::ending(&row.what), when::relative(row.at, state.now));
    let said = if state.size.0 >= 76 { format!("{bar}  {said}") } else { said };
    let mut rows = vec![Row::new(&text::clean(&row.name), said).tone(tone).indent(2)];
    let known = match row.known_from.as_str() {
        "vendor" => crate::t!("credentials.known.vendor"),
        "guess" => crate::t!("credentials.known.guess"),
        "typed" => crate::t!("credentials.known.typed"),
        "token" => crate::t!("credentials.known.token"),
        _ => crate::t!("credentials.known.lifetime"),
    };
    if !row.automatic && state.size.0 >= 60 {
        let used = if row.used_by.is_empty() {
            known.to_owned()
        } else {
            crate::t!("credentials.calendar.stops", known = known, names = text::clean(&row.used_by.join(", ")))
        };
        rows.push(Row::new(" ", used).tone(Tone::Dim).indent(2));
    }
    rows
}

/// Scopes: asked, granted, needed; and what cannot work.
#[must_use]
pub fn scopes(name: &str, report: &ScopeReport, state: &State) -> Layer {
    let theme = &state.theme;
    let mark = |on: bool, symbol: Symbol| if on { theme.symbol(symbol) } else { " " };
    let mut out = Vec::new();
    if report.rows.is_empty() {
        out.push(Row::whole(Tone::Plain, crate::t!("credentials.scope.none")));
    } else {
        let said = if report.said { crate::t!("credentials.scope.said") } else { crate::t!("credentials.scope.unsaid") };
        out.push(Row::whole(Tone::Dim, said));
        out.push(Row::whole(Tone::Dim, crate::t!("credentials.scope.columns")));
    }
    for row in &report.rows {
        let needed = !row.needed_by.is_empty();
        let (tone, verdict) = match (row.asked, row.granted, needed) {
            (_, false, true) => (Tone::Bad, crate::t!("credentials.scope.missing", names = text::clean(&row.needed_by.join(", ")))),
            (true, false, false) => (Tone::Notice, crate::t!("credentials.scope.not_granted").to_owned()),
            (false, true, false) => (Tone::Notice, crate::t!("credentials.scope.unasked").to_owned()),
            (_, true, true) => (Tone::Plain, crate::t!("credentials.scope.needed", names = text::clean(&row.needed_by.join(", ")))),
            _ => (Tone::Dim, crate::t!("credentials.scope.unneeded").to_owned()),
        };
        let marks = format!("[{}{}{}]", mark(row.asked, Symbol::Quiet), mark(row.granted, Symbol::Good), mark(needed, Symbol::Current));
        out.push(Row::whole(tone, format!("{marks} {}", text::clean(&row.scope))));
        let meaning = text::clean(&row.meaning);
        out.push(Row::whole(Tone::Dim, if meaning.is_empty() { verdict } else { format!("{meaning} {verdict}") }).indent(6));
    }
    if !report.broken.is_empty() {
        out.push(Row::gap());
        out.push(Row::whole(Tone::Strong, crate::t!("credentials.scope.broken", n = report.broken.len())));
        for broken in &report.broken {
            let field = if broken.field.is_empty() { crate::t!("credentials.scope.everything").to_owned() } else { text::clean(&broken.field) };
            let said = crate::t!("credentials.scope.without", field = field, scope = text::clean(&broken.scope));
            out.push(Row::new(&text::clean(&broken.integration), said).tone(Tone::Bad).indent(2));
        }
        out.push(Row::gap());
        out.push(Row::whole(Tone::Dim, crate::t!("credentials.scope.how")));
    }
    Layer::Page(Page { title: crate::t!("credentials.scope.title", name = text::clean(name)), rows: out, ..Page::default() })
}

/// What the tokens say about themselves.
#[must_use]
pub fn tokens(name: &str, tokens: &[TokenView], state: &State) -> Layer {
    let mut out = Vec::new();
    if tokens.is_empty() {
        out.push(Row::whole(Tone::Plain, crate::t!("credentials.token.none")));
    }
    for token in tokens {
        let head = match token.what.as_str() {
            "id_token" => crate::t!("credentials.token.id").to_owned(),
            known @ ("access_token" | "refresh_token") => capital(labels::ending(known)),
            other => text::clean(other),
        };
        let algorithm = token.algorithm.as_deref().map(|algorithm| format!("  {}", text::clean(algorithm))).unwrap_or_default();
        out.push(Row::whole(Tone::Strong, format!("{head}{algorithm}")));
        if token.opaque {
            out.push(Row::whole(Tone::Plain, crate::t!("credentials.token.opaque")).indent(2));
        }
        for (term, at) in [(crate::t!("credentials.token.issued"), token.issued), (crate::t!("credentials.token.expires"), token.expires)] {
            if let Some(at) = at {
                out.push(Row::new(term, moment(at, state.now)).indent(2));
            }
        }
        for finding in &token.findings {
            out.extend(terms::problem(finding, &state.theme).into_iter().map(|row| Row { indent: row.indent + 2, ..row }));
        }
        for claim in &token.claims {
            out.push(Row::new(&text::clean(&claim.name), text::clean(&claim.value)).indent(2));
            if !claim.meaning.is_empty() {
                out.push(Row::new(" ", text::clean(&claim.meaning)).tone(Tone::Dim).indent(2));
            }
        }
        out.push(Row::gap());
    }
    out.push(Row::whole(Tone::Dim, crate::t!("credentials.token.how")));
    Layer::Page(Page { title: crate::t!("credentials.token.title", name = text::clean(name)), rows: out, ..Page::default() })
}

fn moment(at: Time, now: Time) -> String {
    format!("{}, {}", when::absolute(at), when::relative(at, now))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The moment that somebody typed: `2027-03-31`, `90d`, `never`. `None`: it is none of these.
#[must_use]
pub fn day(typed: &str, now: Time) -> Option<Option<Time>> {
    let typed = typed.trim();
    if typed.eq_ignore_ascii_case("never") || typed.is_empty() {
        return Some(None);
    }
    if let Ok(date) = typed.parse::<jiff::civil::Date>() {
        return date.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| Some(zoned.timestamp()));
    }
    if let Ok(at) = typed.parse::<Time>() {
        return Some(Some(at));
    }
    let (number, days) = match typed.char_indices().next_back()? {
        (end, 'd') => (&typed[..end], 1),
        (end, 'w') => (&typed[..end], 7),
        _ => return None,
    };
    let days = number.trim().parse::<i64>().ok()?.checked_mul(days).filter(|days| (0..=36_500).contains(days))?;
    now.checked_add(jiff::SignedDuration::from_hours(24 * days)).ok().map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_typed_as_a_day_or_as_a_number_of_them() {
        let now = Time::from_second(1_795_000_000).unwrap();
        assert_eq!(day("2027-03-31", now).unwrap().unwrap().to_string(), "2027-03-31T00:00:00Z");
        assert_eq!(day(" 90d ", now).unwrap().unwrap(), now + jiff::SignedDuration::from_hours(24 * 90));
        assert_eq!(day("2w", now).unwrap().unwrap(), now + jiff::SignedDuration::from_hours(24 * 14));
        assert_eq!(day("never", now), Some(None));
        for wrong in ["soon", "-3d", "d", "999999999999d", "2027-13-01", "é"] {
            assert_eq!(day(wrong, now), None, "{wrong}");
        }
    }
}
