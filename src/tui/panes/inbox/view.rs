//! How the inbox is drawn.

use crate::model::Severity;
use crate::tui::app::state::State;
use crate::tui::ui::table::{Cell, Column, Table};
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::{hit_rows, line};
use crate::tui::ui::{text, when};
use ratatui::Frame;
use ratatui::layout::Rect;

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.inbox;
    let theme = &state.theme;
    if pane.list.is_empty() {
        let shown = if pane.list.loaded { crate::t!("inbox.empty") } else { crate::t!("loading") };
        line(frame, area, area.x + 2, area.y, shown, theme.style(Tone::Dim));
        return;
    }
    let columns = [
        Column::fixed("", 1, 0),
        Column::grow(crate::t!("inbox.notice"), 24, 0),
        Column::fixed(crate::t!("inbox.contacts"), 22, 2),
        Column::fixed(crate::t!("inbox.when"), 11, 1).right(),
    ];
    let table = Table::of(&pane.list, &columns, state.layers.is_empty());
    table.draw(frame, area, theme, |row| {
        let Some(notice) = pane.list.row(row) else { return Vec::new() };
        let (symbol, tone) = match notice.severity {
            Severity::Error => (Symbol::Bad, Tone::Bad),
            Severity::Warning => (Symbol::Notice, Tone::Notice),
            Severity::Hint => (Symbol::Good, Tone::Good),
        };
        vec![
            Cell::new(theme.symbol(symbol)).tone(tone),
            Cell::new(text::clean(&notice.title)).tone(if notice.read { Tone::Dim } else { Tone::Strong }),
            Cell::new(text::clean(&notice.contacts.join(", "))).tone(Tone::Dim),
            Cell::new(when::relative(notice.at, state.now)).tone(Tone::Dim),
        ]
    });
    hit_rows(state, area, true, pane.list.offset.get(), pane.list.len());
}
