//! How the integrations are drawn.

use super::update::running;
use crate::model::{IntegrationKind, IntegrationState, RunState, Severity};
use crate::ops::overview::IntegrationRow;
use crate::tui::app::state::State;
use crate::tui::ui::list::Listed as _;
use crate::tui::ui::table::{Cell, Column, Table};
use crate::tui::ui::text::{self, wrap};
use crate::tui::ui::theme::{Symbol, Tone, spinner};
use crate::tui::ui::view::{hit_rows, line};
use crate::tui::ui::{labels, modal, when};
use crate::tui::wizard::words;
use crate::words::number;
use ratatui::Frame;
use ratatui::layout::Rect;

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.integrations;
    if pane.list.is_empty() {
        draw_empty(frame, area, state);
        return;
    }
    let side = area.width >= 130;
    let rows = u16::try_from(pane.list.len() + 1).unwrap_or(u16::MAX);
    let list = if side {
        Rect { width: area.width * 6 / 10, ..area }
    } else {
        // The detail takes what the list leaves, and at least seven lines where there is room for both.
        let least = if area.height >= 14 { 9 } else { 0 };
        Rect { height: rows.min(area.height - least), ..area }
    };
    draw_list(frame, list, state);
    let Some(row) = pane.list.selected() else { return };
    let rest = if side {
        Rect { x: list.right() + 3, width: area.right().saturating_sub(list.right() + 4), ..area }
    } else {
        let top = list.bottom() + 1;
        Rect { x: area.x + 2, y: top, width: area.width.saturating_sub(3), height: area.bottom().saturating_sub(top) }
    };
    if !side && rest.height > 0 {
        let rule = state.theme.symbol(Symbol::Rule).repeat(usize::from(area.width));
        line(frame, area, area.x, list.bottom(), &rule, state.theme.style(Tone::Dim));
    }
    draw_detail(frame, rest, row, state);
}

fn draw_empty(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.integrations;
    let shown = if !pane.list.loaded {
        crate::t!("loading").to_owned()
    } else if !pane.list.filter.is_empty() {
        crate::t!("tui.integrations.no_match", filter = text::clean(&pane.list.filter))
    } else if pane.credentials.is_empty() {
        crate::t!("tui.integrations.empty_unconnected").to_owned()
    } else {
        crate::t!("tui.integrations.empty").to_owned()
    };
    let columns = usize::from(area.width.saturating_sub(4)).clamp(1, 76);
    for (y, part) in (area.y..).zip(wrap(&shown, columns)) {
        line(frame, area, area.x + 2, y, &part, state.theme.style(Tone::Dim));
    }
}

/// What the state of an integration and of its last run comes to.
fn standing(row: &IntegrationRow) -> (Symbol, Tone, &'static str) {
    match row.integration.state {
        IntegrationState::Draft => (Symbol::Open, Tone::Dim, crate::t!("integration.state.draft")),
        IntegrationState::Paused => (Symbol::Quiet, Tone::Notice, crate::t!("integration.state.paused")),
        IntegrationState::Active => (Symbol::Good, Tone::Good, crate::t!("integration.state.active")),
    }
}

fn ended(state: RunState) -> (Symbol, Tone) {
    match state {
        RunState::Succeeded => (Symbol::Good, Tone::Good),
        RunState::Partial | RunState::Cancelled => (Symbol::Notice, Tone::Notice),
        RunState::Failed | RunState::Interrupted => (Symbol::Bad, Tone::Bad),
        RunState::Running => (Symbol::Current, Tone::Accent),
    }
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.integrations;
    let theme = &state.theme;
    let source_columns = (area.width / 5).clamp(16, 34);
    let columns = [
        Column::grow(crate::t!("tui.integrations.name"), 12, 0),
        Column::fixed(crate::t!("tui.integrations.source"), source_columns, 4),
        Column::fixed(crate::t!("tui.integrations.state"), 8, 1),
        Column::fixed(crate::t!("tui.integrations.last"), 12, 0),
        Column::fixed(crate::t!("tui.integrations.next"), 9, 3),
        Column::fixed(crate::t!("tui.integrations.records"), 7, 2).right(),
    ];
    let table = Table::of(&pane.list, &columns, state.layers.is_empty());
    table.draw(frame, area, theme, |index| {
        let Some(row) = pane.list.row(index) else { return Vec::new() };
        let (symbol, tone, word) = standing(row);
        let progress = running(state, &row.id());
        let (last, last_tone, records) = match (progress, &row.last) {
            (Some(progress), _) => {
                let started = state.tasks.find(&format!("run.{}", row.id())).map_or(0, |task| task.started.as_millisecond());
                let turning = spinner(state.now.as_millisecond() - started, theme.unicode);
                let records = progress.map_or_else(String::new, |progress| number(progress.records));
                (format!("{turning} {}", crate::t!("run.state.running")), Tone::Accent, records)
            }
            (None, Some(run)) => {
                let (symbol, tone) = ended(run.state);
                (format!("{} {}", theme.symbol(symbol), when::relative(run.started, state.now)), tone, number(run.read))
            }
            (None, None) => (crate::t!("tui.integrations.never").to_owned(), Tone::Dim, String::new()),
        };
        let next = row.next.map_or_else(|| no_next(row).to_owned(), |next| when::relative(next, state.now));
        vec![
            Cell::new(text::clean(&row.integration.name)),
            Cell::new(way(pane.source(row), words::destination(&row.integration), source_columns.into(), theme.symbol(Symbol::Arrow)))
                .tone(Tone::Dim),
            Cell::new(format!("{} {word}", theme.symbol(symbol))).tone(tone),
            Cell::new(last).tone(last_tone),
            Cell::new(next).tone(Tone::Dim),
            Cell::new(records),
        ]
    });
    hit_rows(state, area, true, pane.list.offset.get(), pane.list.len());
}

/// Why nothing is planned.
fn no_next(row: &IntegrationRow) -> &'static str {
    if row.integration.state == IntegrationState::Active { crate::t!("tui.integrations.by_hand") } else { "" }
}

/// `Ironclad… → People`: the source is cut, the destination never.
fn way(source: &str, destination: &str, columns: usize, arrow: &str) -> String {
    let source = if source.is_empty() { crate::t!("tui.integrations.no_source").to_owned() } else { text::clean(source) };
    let room = columns.saturating_sub(text::width(destination) + text::width(arrow) + 2);
    format!("{} {arrow} {destination}", text::cut(&source, room))
}

/// What it reads, where that goes, when, how it went, and what keeps it from being launched.
fn draw_detail(frame: &mut Frame<'_>, area: Rect, row: &IntegrationRow, state: &State) {
    const TERM: u16 = 10;
    let theme = &state.theme;
    if area.width < 12 || area.height == 0 {
        return;
    }
    let pane = &state.panes.integrations;
    let integration = &row.integration;
    let mut y = area.y;
    let put = |frame: &mut Frame<'_>, y: &mut u16, term: &str, content: &str, tone: Tone, most: usize| {
        for (i, part) in wrap(&text::clean(content), usize::from(area.width - TERM).max(4)).into_iter().take(most).enumerate() {
            if i == 0 {
                line(frame, area, area.x, *y, &text::cut(term, usize::from(TERM) - 1), theme.style(Tone::Dim));
            }
            line(frame, area, area.x + TERM, *y, &part, theme.style(tone));
            *y += 1;
        }
    };
    if let Some(progress) = running(state, &integration.id) {
        let doing = progress.map_or_else(|| crate::t!("run.state.running").to_owned(), modal::progress_line);
        put(frame, &mut y, crate::t!("tui.integrations.now"), &doing, Tone::Accent, 2);
    }
    let quiet = theme.symbol(Symbol::Quiet);
    let source = if integration.credential.is_empty() {
        crate::t!("tui.integrations.choose_source").to_owned()
    } else {
        [pane.source(row), pane.credential(row), &integration.resource]
            .iter()
            .filter(|part| !part.is_empty())
            .copied()
            .collect::<Vec<_>>()
            .join(&format!(" {quiet} "))
    };
    put(frame, &mut y, crate::t!("tui.integrations.reads"), &source, Tone::Plain, 2);
    let to = match (integration.kind, &integration.saas_application) {
        (IntegrationKind::UserAndSaasUser, Some(application)) => crate::t!("tui.integrations.to_both", application = application),
        _ => words::destination(integration).to_owned(),
    };
    let deactivates = if integration.deactivate { crate::t!("tui.integrations.deactivates") } else { crate::t!("tui.integrations.keeps") };
    let to = format!("{to} {quiet} {} {quiet} {deactivates}", words::preference(integration.preference));
    put(frame, &mut y, crate::t!("tui.integrations.fills"), &to, Tone::Plain, 2);
    let mut runs = words::schedule(&integration.schedule);
    if let Some(next) = row.next {
        runs = crate::t!("tui.integrations.runs_next", schedule = runs, next = when::absolute(next));
    }
    put(frame, &mut y, crate::t!("tui.integrations.runs"), &runs, Tone::Plain, 2);
    if let Some(run) = &row.last {
        let counts = crate::t!(
            "tui.integrations.last_counts",
            state = labels::run_state(run.state),
            at = when::absolute(run.started),
            read = number(run.read),
            created = number(run.created),
            updated = number(run.updated),
            deactivated = number(run.deactivated),
            failed = number(run.failed)
        );
        let (_, tone) = ended(run.state);
        let tone = if tone == Tone::Good { Tone::Plain } else { tone };
        put(frame, &mut y, crate::t!("tui.integrations.last"), &counts, tone, 2);
    }
    let Some((_, findings)) = pane.findings.as_ref().filter(|(id, _)| *id == integration.id) else { return };
    y += 1;
    let errors = findings.iter().filter(|finding| finding.severity == Severity::Error).count();
    let (symbol, tone, headline) = match (errors, integration.state) {
        (0, IntegrationState::Draft) => (Symbol::Good, Tone::Good, crate::t!("tui.integrations.ready").to_owned()),
        (0, _) => (Symbol::Good, Tone::Good, crate::t!("tui.integrations.sound").to_owned()),
        (n, IntegrationState::Draft) => (Symbol::Bad, Tone::Bad, crate::t!("tui.integrations.not_ready", n = n)),
        (n, _) => (Symbol::Bad, Tone::Bad, crate::t!("tui.integrations.unsound", n = n)),
    };
    line(frame, area, area.x, y, &format!("{} {headline}", theme.symbol(symbol)), theme.style(tone));
    y += 1;
    for finding in findings.iter().filter(|finding| finding.severity != Severity::Hint || area.height > 12) {
        if y >= area.bottom() {
            break;
        }
        let (symbol, tone) = words::severity(finding.severity);
        let place = text::cut(&words::place(&finding.place, &[]), 22);
        line(frame, area, area.x + 2, y, theme.symbol(symbol), theme.style(tone));
        line(frame, area, area.x + 4, y, &place, theme.style(Tone::Dim));
        let x = area.x + 28;
        if x < area.right() {
            line(frame, area, x, y, &text::clean(&finding.problem.what), theme.style(Tone::Plain));
        }
        y += 1;
    }
}
