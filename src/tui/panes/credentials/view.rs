//! How the credentials pane is drawn.

use super::{Row, update};
use crate::model::{Credential, CredentialDraft, Time};
use crate::tui::app::state::State;
use crate::tui::ui::table::{Cell, Column, Table};
use crate::tui::ui::terms;
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::{hit_rows, line};
use crate::tui::ui::{labels, text, when};
use ratatui::Frame;
use ratatui::layout::Rect;

/// From this width on, the detail stands beside the list.
const SIDE: u16 = 130;
/// What ends within so many seconds is pointed out.
const SOON: i64 = 30 * 86_400;

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.credentials;
    let theme = &state.theme;
    if pane.list.is_empty() {
        draw_empty(frame, area, state);
        return;
    }
    let rows = pane.list.selected().map(|row| detail(row, state)).unwrap_or_default();
    if area.width >= SIDE {
        let list = Rect { width: area.width * 3 / 5, ..area };
        draw_list(frame, list, state);
        let rest = Rect { x: list.right() + 2, width: area.right().saturating_sub(list.right() + 3), ..area };
        for y in area.y..area.bottom() {
            line(frame, area, list.right(), y, theme.symbol(Symbol::Bar), theme.style(Tone::Dim));
        }
        terms::draw(frame, rest, rest.y, &rows, theme);
        return;
    }
    let inner = area.width.saturating_sub(3);
    let wanted = terms::height(&rows, inner) + 1;
    // The list keeps at least its header and four rows, and the detail never takes more than two thirds.
    let listed = u16::try_from(pane.list.len()).unwrap_or(u16::MAX).saturating_add(1);
    let room = area.height.saturating_sub(listed.min(5));
    let detail = if area.height < 9 { 0 } else { wanted.min(room).min(area.height * 2 / 3) };
    let list = Rect { height: area.height - detail, ..area };
    draw_list(frame, list, state);
    if detail > 1 {
        let rule = theme.symbol(Symbol::Rule).repeat(usize::from(area.width));
        line(frame, area, area.x, list.bottom(), &rule, theme.style(Tone::Dim));
        let rest = Rect { x: area.x + 2, y: list.bottom() + 1, width: inner, height: detail - 1 };
        terms::draw(frame, rest, rest.y, &rows, theme);
    }
}

fn draw_empty(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.credentials;
    let rows = if !pane.list.loaded {
        vec![terms::Row::whole(Tone::Dim, crate::t!("loading"))]
    } else if pane.list.filter.is_empty() {
        vec![
            terms::Row::whole(Tone::Strong, crate::t!("credentials.empty")),
            terms::Row::gap(),
            terms::Row::whole(Tone::Plain, crate::t!("credentials.empty_do")),
        ]
    } else {
        vec![terms::Row::whole(Tone::Dim, crate::t!("credentials.none_match", filter = text::clean(&pane.list.filter)))]
    };
    let inner = Rect { x: area.x + 2.min(area.width), width: area.width.saturating_sub(3).min(76), ..area };
    let top = if area.height > 6 && pane.list.loaded { area.y + 1 } else { area.y };
    terms::draw(frame, inner, top, &rows, &state.theme);
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.credentials;
    let theme = &state.theme;
    let columns = [
        Column::grow(crate::t!("credentials.name"), 14, 0),
        Column::grow(crate::t!("credentials.connector"), 14, 3),
        Column::fixed(crate::t!("credentials.method"), 18, 2),
        Column::fixed(crate::t!("credentials.status"), 12, 0),
        Column::fixed(crate::t!("credentials.expires"), 12, 1),
    ];
    let table = Table::of(&pane.list, &columns, state.layers.is_empty());
    table.draw(frame, area, theme, |index| {
        let Some(row) = pane.list.row(index) else { return Vec::new() };
        let connector = pane.connector(row.connector()).map_or_else(|| row.connector(), |known| &*known.name);
        let (status, expires) = match row {
            Row::Credential(credential) => {
                let (word, symbol, tone) = labels::credential_status(credential.status);
                let testing = state.tasks.find(&format!("credential.test.{}", credential.id));
                let mark = testing.map_or_else(
                    || theme.symbol(symbol),
                    |task| crate::tui::ui::theme::spinner(state.now.as_millisecond() - task.started.as_millisecond(), theme.unicode),
                );
                let (left, urgent) = expires(credential, state.now);
                (Cell::new(format!("{mark} {word}")).tone(tone), Cell::new(left).tone(urgent))
            }
            Row::Draft(draft) => (
                Cell::new(format!("{} {}", theme.symbol(Symbol::Open), crate::t!("credentials.draft"))).tone(Tone::Dim),
                Cell::new(crate::t!("credentials.at_step", step = step(draft))).tone(Tone::Dim),
            ),
        };
        vec![
            Cell::new(text::clean(row.name())),
            Cell::new(text::clean(connector)).tone(Tone::Dim),
            Cell::new(method(row, state)).tone(Tone::Dim),
            status,
            expires,
        ]
    });
    hit_rows(state, area, true, pane.list.offset.get(), pane.list.len());
}

/// The short name of the method, where the catalog knows it.
fn method(row: &Row, state: &State) -> String {
    let connector = state.panes.credentials.connector(row.connector());
    let kind = connector.and_then(|connector| connector.auth.iter().find(|auth| auth.method == row.method())).map(|auth| auth.kind);
    kind.map_or_else(|| text::clean(row.method()), |kind| labels::auth_kind(kind).to_owned())
}

/// The step that a draft stands at, in words; inputs by their key, for their labels are in the definition.
fn step(draft: &CredentialDraft) -> String {
    match draft.step.as_str() {
        "" | "method" => crate::t!("wizard.credential.step.method").to_lowercase(),
        "scopes" => crate::t!("wizard.credential.step.scopes").to_lowercase(),
        "name" => crate::t!("wizard.credential.step.name").to_lowercase(),
        "consent" => crate::t!("wizard.credential.step.consent").to_lowercase(),
        "test" => crate::t!("wizard.credential.step.test").to_lowercase(),
        other => text::clean(&other.trim_start_matches("input.").replace('_', " ")),
    }
}

/// What ends first, in how long, and how urgent that is.
fn expires(credential: &Credential, now: Time) -> (String, Tone) {
    let left = |at: Time| if at <= now { crate::t!("credentials.ended").to_owned() } else { span(at, now) };
    let soonest = [(credential.secret_expires, true), (credential.refresh_expires, false)]
        .into_iter()
        .filter_map(|(at, secret)| Some((at?, secret)))
        .min_by_key(|(at, _)| *at);
    if let Some((at, secret)) = soonest {
        let seconds = at.as_second() - now.as_second();
        let tone = match seconds {
            ..=0 => Tone::Bad,
            1..=SOON => Tone::Notice,
            _ => Tone::Dim,
        };
        let said =
            if secret { crate::t!("credentials.expires_secret", left = left(at)) } else { crate::t!("credentials.expires_consent", left = left(at)) };
        return (said, tone);
    }
    match credential.access_expires {
        // It renews itself: nothing to do, and good to know.
        Some(at) if credential.refreshes && at <= now => (crate::t!("credentials.never").to_owned(), Tone::Dim),
        Some(at) if credential.refreshes => (crate::t!("credentials.expires_token", left = left(at)), Tone::Dim),
        Some(at) if at <= now => (crate::t!("credentials.expires_token", left = left(at)), Tone::Bad),
        Some(at) => (crate::t!("credentials.expires_token", left = left(at)), Tone::Notice),
        None if credential.secrets.is_empty() => (crate::t!("credentials.never").to_owned(), Tone::Dim),
        None => (crate::t!("credentials.unknown").to_owned(), Tone::Dim),
    }
}

/// `6 d`, `41 min`: how long until then.
fn span(at: Time, now: Time) -> String {
    let seconds = (at.as_second() - now.as_second()).unsigned_abs();
    match seconds {
        0..3_600 => crate::t!("when.minutes", n = seconds / 60),
        3_600..86_400 => crate::t!("when.hours", n = seconds / 3_600),
        _ => crate::t!("when.days", n = seconds / 86_400),
    }
}

/// What is to be known of the one under the cursor, the most important first.
fn detail(row: &Row, state: &State) -> Vec<terms::Row> {
    let theme = &state.theme;
    let credential = match row {
        Row::Credential(credential) => credential,
        Row::Draft(draft) => {
            let about = if draft.replaces.is_some() { crate::t!("credentials.draft_replaces") } else { crate::t!("credentials.draft_about") };
            return vec![
                terms::Row::whole(Tone::Strong, text::clean(&draft.name)),
                terms::Row::whole(Tone::Plain, about),
                terms::Row::whole(Tone::Dim, crate::t!("credentials.draft_do", step = step(draft))),
            ];
        }
    };
    let mut rows = match &credential.last_test {
        Some(test) => {
            let mut rows = terms::outcome(test, theme);
            rows.push(terms::Row::new(crate::t!("credentials.last_test"), when::relative(test.at, state.now)).tone(Tone::Dim).indent(2));
            rows
        }
        None => vec![
            terms::Row::whole(Tone::Plain, format!("{} {}", theme.symbol(Symbol::Quiet), crate::t!("credentials.never_tested"))),
            terms::Row::new(crate::t!("problem.do"), crate::t!("credentials.never_tested_do")).indent(2),
        ],
    };
    for (what, at) in [
        (crate::t!("credentials.secret"), credential.secret_expires),
        (crate::t!("credentials.refresh_token"), credential.refresh_expires),
        (crate::t!("credentials.access_token"), credential.access_expires.filter(|_| !credential.refreshes)),
    ] {
        if let Some(at) = at {
            let soon = at.as_second() - state.now.as_second() < SOON;
            let said = crate::t!("credentials.ends", at = when::absolute(at), when = when::relative(at, state.now));
            rows.push(terms::Row::new(what, said).tone(if soon { Tone::Notice } else { Tone::Dim }).indent(2));
        }
    }
    if let Some((id, integrations)) = &state.panes.credentials.used_by
        && *id == credential.id
    {
        rows.push(terms::Row::new(crate::t!("credentials.used_by"), update::names(integrations)).tone(Tone::Dim).indent(2));
    }
    rows
}
