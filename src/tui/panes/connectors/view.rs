//! How the catalog is drawn.

use crate::model::{Connector, ConnectorStatus};
use crate::tui::app::state::State;
use crate::tui::ui::labels;
use crate::tui::ui::table::{Cell, Column, Table};
use crate::tui::ui::text::{self, wrap};
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::{hit_rows, line};
use ratatui::Frame;
use ratatui::layout::Rect;

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.connectors;
    let side = area.width >= 100;
    let list = if side {
        Rect { width: area.width * 11 / 20, ..area }
    } else {
        let detail = if area.height >= 16 { 7 } else { 0 };
        Rect { height: area.height - detail, ..area }
    };
    draw_list(frame, list, state);
    if let Some(detail) = &pane.detail {
        let rest = if side {
            Rect { x: list.right() + 2, width: area.right().saturating_sub(list.right() + 3), ..area }
        } else {
            Rect { y: list.bottom() + 1, height: area.bottom().saturating_sub(list.bottom() + 1), x: area.x + 2, width: area.width.saturating_sub(3) }
        };
        if !side && rest.height > 0 {
            let rule = state.theme.symbol(Symbol::Rule).repeat(usize::from(area.width));
            line(frame, area, area.x, list.bottom(), &rule, state.theme.style(Tone::Dim));
        }
        draw_detail(frame, rest, detail, state);
    }
}

fn draw_list(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.connectors;
    let theme = &state.theme;
    if pane.list.is_empty() {
        let shown =
            if !pane.list.loaded { crate::t!("loading").to_owned() } else { crate::t!("connectors.none", filter = text::clean(&pane.list.filter)) };
        line(frame, area, area.x + 2, area.y, &shown, theme.style(Tone::Dim));
        return;
    }
    let columns = [
        Column::grow(crate::t!("connectors.name"), 18, 0),
        Column::fixed(crate::t!("connectors.category"), 13, 3),
        Column::fixed(crate::t!("connectors.methods"), 21, 2),
        Column::fixed(crate::t!("connectors.status"), 10, 1),
    ];
    let table = Table::of(&pane.list, &columns, state.layers.is_empty());
    table.draw(frame, area, theme, |row| {
        let Some(connector) = pane.list.row(row) else { return Vec::new() };
        let default = connector.auth.iter().find(|auth| auth.default).or(connector.auth.first());
        let more = connector.auth.len().saturating_sub(1);
        let methods = default.map_or_else(String::new, |auth| {
            let label = labels::auth_kind(auth.kind);
            if more > 0 { format!("{label} +{more}") } else { label.to_owned() }
        });
        let (status, tone) = match connector.status {
            ConnectorStatus::Available => ("", Tone::Plain),
            ConnectorStatus::Preview => (crate::t!("connectors.preview"), Tone::Notice),
            ConnectorStatus::Practice => (crate::t!("connectors.practice"), Tone::Accent),
        };
        vec![
            Cell::new(text::clean(&connector.name)),
            Cell::new(text::clean(&connector.category)).tone(Tone::Dim),
            Cell::new(methods).tone(Tone::Dim),
            Cell::new(status).tone(tone),
        ]
    });
    hit_rows(state, area, true, pane.list.offset.get(), pane.list.len());
}

/// What will be needed, before the wizard starts.
fn draw_detail(frame: &mut Frame<'_>, area: Rect, detail: &Connector, state: &State) {
    let theme = &state.theme;
    let columns = usize::from(area.width);
    if columns < 8 {
        return;
    }
    let mut y = area.y;
    let mut put = |content: &str, tone: Tone, indent: u16| {
        for part in wrap(&text::clean(content), columns.saturating_sub(usize::from(indent))) {
            line(frame, area, area.x + indent, y, &part, theme.style(tone));
            y += 1;
        }
    };
    put(&detail.name, Tone::Strong, 0);
    if !detail.summary.is_empty() {
        put(&detail.summary, Tone::Plain, 0);
    }
    for (key, method) in &detail.auth {
        let default = detail.default_auth().is_some_and(|(default, _)| default == key);
        let mark = if default { format!("  {}", crate::t!("connectors.default_mark")) } else { String::new() };
        put(&format!("{} {}{mark}", theme.symbol(Symbol::Quiet), method.name), if default { Tone::Accent } else { Tone::Plain }, 0);
        let needs: Vec<&str> =
            detail.inputs_for(key).iter().filter(|input| !input.optional && input.default.is_none()).map(|input| input.label.as_str()).collect();
        if !needs.is_empty() {
            put(&crate::t!("connectors.needs", inputs = needs.join(", ")), Tone::Dim, 2);
        }
    }
    let resources: Vec<&str> = detail.resources.iter().map(|resource| resource.name.as_str()).collect();
    if !resources.is_empty() {
        put(&crate::t!("connectors.reads", resources = resources.join(", ")), Tone::Plain, 0);
    }
    for note in &detail.notes {
        put(&format!("{} {note}", theme.symbol(Symbol::Notice)), Tone::Notice, 0);
    }
    if !detail.docs.is_empty() {
        put(&detail.docs, Tone::Dim, 0);
    }
}
