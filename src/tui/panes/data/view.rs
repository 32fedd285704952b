//! How the data is drawn.

use crate::model::{DestinationField, FieldType, Table as Kind};
use crate::tui::app::state::State;
use crate::tui::ui::labels;
use crate::tui::ui::table::{Cell, Column, Table};
use crate::tui::ui::text::{self, wrap};
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::{hit_rows, line};
use crate::words::number;
use ratatui::Frame;
use ratatui::layout::Rect;

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    draw_tables(frame, area, state);
    let rest = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    if rest.height == 0 {
        return;
    }
    let pane = &state.panes.data;
    if pane.total() == 0 {
        draw_empty(frame, rest, state);
        return;
    }
    draw_records(frame, rest, state);
}

/// The tables, the one in front marked; on the right how many records, and what narrows them.
fn draw_tables(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let theme = &state.theme;
    let pane = &state.panes.data;
    let mut x = area.x + 2;
    for table in Kind::ALL {
        let current = table == pane.table;
        let label = labels::table(table);
        let shown = if current { format!("{}{label}{}", theme.symbol(Symbol::TabLeft), theme.symbol(Symbol::TabRight)) } else { label.to_owned() };
        if area.width < 60 && !current {
            continue;
        }
        line(frame, area, x, area.y, &shown, theme.style(if current { Tone::Accent } else { Tone::Dim }));
        x += u16::try_from(text::width(&shown) + 2).unwrap_or(0);
    }
    let view = pane.view();
    let mut parts = Vec::new();
    if let Some(application) = &view.application {
        parts.push(text::clean(application));
    }
    if !view.search.is_empty() {
        parts.push(format!("/{}", text::clean(&view.search)));
    }
    if let Some(condition) = &view.where_ {
        parts.push(text::clean(condition));
    }
    if view.page.is_some() {
        parts.push(crate::t!("data.records", n = number(pane.total())));
    }
    let shown = parts.join(&format!(" {} ", theme.symbol(Symbol::Quiet)));
    let room = usize::from(area.right().saturating_sub(x + 1));
    let shown = text::cut(&shown, room);
    let right = area.right().saturating_sub(u16::try_from(text::width(&shown) + 1).unwrap_or(0));
    line(frame, area, right, area.y, &shown, theme.style(Tone::Plain));
}

fn draw_empty(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let view = state.panes.data.view();
    let shown = if view.page.is_none() {
        crate::t!("loading")
    } else if !view.search.is_empty() || view.where_.is_some() {
        crate::t!("data.none_match")
    } else {
        match state.panes.data.table {
            Kind::People => crate::t!("data.no_people"),
            Kind::SaasUsers => crate::t!("data.no_saas_users"),
            Kind::Hardware | Kind::Software | Kind::Applications => crate::t!("data.no_records"),
        }
    };
    for (i, part) in wrap(shown, usize::from(area.width.saturating_sub(4))).iter().enumerate() {
        line(frame, area, area.x + 2, area.y + 1 + u16::try_from(i).unwrap_or(0), part, state.theme.style(Tone::Dim));
    }
}

/// Columns in their order, each as wide as its kind of value usually is; those that hold nothing in the window are left out.
fn columns(state: &State) -> Vec<(&DestinationField, Column)> {
    let view = state.panes.data.view();
    let held = |key: &str| {
        view.page.as_ref().is_some_and(|page| page.records.iter().any(|record| record.values.get(key).is_some_and(|value| !value.is_null())))
    };
    view.columns
        .iter()
        .filter(|field| field.mandatory || held(&field.key))
        .enumerate()
        .map(|(i, field)| {
            let rank = u8::try_from(i.min(200)).unwrap_or(200);
            let mut title = field.label.clone();
            if let Some(sort) = view.sort.as_ref().filter(|sort| sort.field == field.key) {
                title = format!("{title} {}", state.theme.symbol(if sort.descending { Symbol::SortedDown } else { Symbol::Sorted }));
            }
            let width = u16::try_from(text::width(&title)).unwrap_or(8);
            let column = match field.kind {
                FieldType::Boolean => Column::fixed(&title, width.clamp(3, 12), rank),
                FieldType::Integer | FieldType::Number => Column::fixed(&title, width.clamp(8, 14), rank).right(),
                FieldType::Time => Column::fixed(&title, width.max(16), rank),
                FieldType::Email => Column::grow(&title, 22, rank),
                FieldType::Text => Column::grow(&title, width.clamp(12, 18), rank),
            };
            (field, column)
        })
        .collect()
}

fn draw_records(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.data;
    let theme = &state.theme;
    let (fields, mut layout): (Vec<&DestinationField>, Vec<Column>) = columns(state).into_iter().unzip();
    layout.insert(0, Column::fixed("", 1, 0));
    let rows = usize::try_from(pane.total()).unwrap_or(usize::MAX);
    let table = Table {
        columns: &layout,
        rows,
        selected: Some(usize::try_from(pane.view().selected).unwrap_or(0)),
        focused: state.layers.is_empty(),
        header: true,
        offset: &pane.offset,
        height: &pane.height,
        headings: &[],
    };
    table.draw(frame, area, theme, |row| {
        let Some(record) = pane.record(row as u64) else { return vec![Cell::new(""), Cell::new("…").tone(Tone::Dim)] };
        let tone = if record.active { Tone::Plain } else { Tone::Dim };
        let mut cells = vec![Cell::new(if record.active { " " } else { theme.symbol(Symbol::Bad) }).tone(Tone::Dim)];
        for field in &fields {
            let shown = record.values.get(&field.key).map_or_else(String::new, |value| labels::cell(value, field.kind, theme));
            cells.push(Cell::new(shown).tone(tone));
        }
        cells
    });
    hit_rows(state, area, true, pane.offset.get(), rows);
}
