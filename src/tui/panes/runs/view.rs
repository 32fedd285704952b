//! How the history is drawn.

use super::update::{counts, written};
use crate::model::{Run, RunState};
use crate::tui::app::state::State;
use crate::tui::ui::table::{Cell, Column, Table};
use crate::tui::ui::text::{self, wrap};
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::{hit_rows, line};
use crate::tui::ui::{labels, modal, when};
use crate::words::number;
use ratatui::Frame;
use ratatui::layout::Rect;

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.runs;
    if pane.list.is_empty() {
        let shown = match (pane.list.loaded, pane.list.filter.is_empty()) {
            (false, _) => crate::t!("loading").to_owned(),
            (true, true) => crate::t!("runs.none").to_owned(),
            (true, false) => crate::t!("runs.none_match", filter = text::clean(&pane.list.filter)),
        };
        for (i, part) in wrap(&shown, usize::from(area.width.saturating_sub(4))).iter().enumerate() {
            line(frame, area, area.x + 2, area.y + u16::try_from(i).unwrap_or(0), part, state.theme.style(Tone::Dim));
        }
        return;
    }
    let side = area.width >= 120;
    let detail = if side || area.height < 14 { 0 } else { 8 };
    let list = if side { Rect { width: area.width * 3 / 5, ..area } } else { Rect { height: area.height - detail, ..area } };
    draw_list(frame, list, state);
    let Some(run) = pane.list.selected() else { return };
    if side {
        let rest = Rect { x: list.right() + 2, width: area.right().saturating_sub(list.right() + 3), ..area };
        draw_detail(frame, rest, run, state);
    } else if detail > 0 {
        let rule = state.theme.symbol(Symbol::Rule).repeat(usize::from(area.width));
        line(frame, area, area.x, list.bottom(), &rule, state.theme.style(Tone::Dim));
        let rest = Rect { x: area.x + 2, y: list.bottom() + 1, width: area.width.saturating_sub(3), height: detail - 1 };
        draw_detail(frame, rest, run, state);
    }
}

fn mark(run: &Run) -> (Symbol, Tone) {
    match run.state {
        RunState::Succeeded => (Symbol::Good, Tone::Good),
        RunState::Running => (Symbol::Current, Tone::Accent),
        RunState::Partial | RunState::Cancelled => (Symbol::Notice, Tone::Notice),
        RunState::Failed | RunState::Interrupted => (Symbol::Bad, Tone::Bad),
    }
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.runs;
    let columns = [
        Column::grow(crate::t!("runs.integration"), 16, 0),
        Column::fixed(crate::t!("runs.state"), 15, 0),
        Column::fixed(crate::t!("runs.when"), 10, 1).right(),
        Column::fixed(crate::t!("runs.read"), 8, 2).right(),
        Column::fixed(crate::t!("runs.created"), 7, 1).right(),
        Column::fixed(crate::t!("runs.updated"), 7, 1).right(),
        Column::fixed(crate::t!("runs.deactivated"), 7, 2).right(),
        Column::fixed(crate::t!("runs.failed"), 6, 1).right(),
        Column::fixed(crate::t!("runs.took"), 9, 3).right(),
    ];
    let table = Table::of(&pane.list, &columns, state.layers.is_empty());
    table.draw(frame, area, &state.theme, |row| {
        let Some(run) = pane.list.row(row) else { return Vec::new() };
        let (symbol, tone) = mark(run);
        let count = |n: u64| if n == 0 { Cell::new(state.theme.symbol(Symbol::Quiet)).tone(Tone::Dim) } else { Cell::new(number(n)) };
        let name =
            if run.dry_run { crate::t!("runs.dry_name", name = text::clean(&run.integration_name)) } else { text::clean(&run.integration_name) };
        let took = run.ended.map_or_else(String::new, |ended| when::duration(ended.as_millisecond() - run.started.as_millisecond()));
        vec![
            Cell::new(name),
            Cell::new(format!("{} {}", state.theme.symbol(symbol), labels::run_state(run.state))).tone(tone),
            Cell::new(when::relative(run.started, state.now)).tone(Tone::Dim),
            count(run.read),
            count(run.created),
            count(run.updated),
            count(run.deactivated),
            count(run.failed).tone(if run.failed > 0 { Tone::Bad } else { Tone::Dim }),
            Cell::new(took).tone(Tone::Dim),
        ]
    });
    hit_rows(state, area, true, pane.list.offset.get(), pane.list.len());
}

fn draw_detail(frame: &mut Frame<'_>, area: Rect, run: &Run, state: &State) {
    let theme = &state.theme;
    let columns = usize::from(area.width);
    if columns < 8 {
        return;
    }
    let mut y = area.y;
    let mut put = |content: &str, tone: Tone| {
        for part in wrap(content, columns) {
            line(frame, area, area.x, y, &part, theme.style(tone));
            y += 1;
        }
    };
    let (symbol, tone) = mark(run);
    put(&format!("{} {} {}", theme.symbol(symbol), text::clean(&run.integration_name), when::absolute(run.started)), tone);
    if let Some(progress) =
        state.tasks.find(&format!("run.{}", run.integration)).filter(|_| run.state == RunState::Running).and_then(|task| task.progress.as_ref())
    {
        put(&modal::progress_line(progress), Tone::Accent);
    }
    let some: Vec<String> = counts(run).iter().filter(|(_, n)| *n > 0).map(|(term, n)| format!("{} {}", number(*n), term.to_lowercase())).collect();
    if !some.is_empty() {
        put(&some.join(&format!(" {} ", theme.symbol(Symbol::Quiet))), Tone::Plain);
    }
    if let Some(problem) = &run.problem {
        put(&text::clean(&problem.what), Tone::Bad);
        put(&format!("{}  {}", crate::t!("problem.why"), text::clean(&problem.why)), Tone::Plain);
        put(&format!("{}  {}", crate::t!("problem.do"), text::clean(&problem.next_step)), Tone::Plain);
    }
    if let Some((_, errors)) = state.panes.runs.errors.as_ref().filter(|(id, _)| *id == run.run) {
        for error in errors.iter().take(usize::from(area.height)) {
            put(&format!("{} {}: {}", theme.symbol(Symbol::Bad), number(error.number), written(error)), Tone::Plain);
        }
    }
}
