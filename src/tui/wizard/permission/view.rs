//! How the permission matrix is drawn.

use super::{Machine, Row};
use crate::model::{Action, EntityKind, Reason};
use crate::tui::app::state::State;
use crate::tui::ui::text::{self, wrap};
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::line;
use crate::tui::wizard::draft::Draft;
use crate::tui::wizard::integration::view::heading;
use crate::tui::wizard::words;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;

pub fn draw(frame: &mut Frame<'_>, area: Rect, machine: &Machine, state: &State) {
    let Some(draft) = &machine.draft else {
        line(frame, area, area.x + 2, area.y, crate::t!("loading"), state.theme.style(Tone::Dim));
        return;
    };
    draw_heading(frame, area, draft, state);
    let info = match area.height {
        0..7 => 0,
        7..12 => 2,
        _ => 5,
    };
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + info), ..area };
    draw_matrix(frame, body, machine, state);
    if info > 0 {
        draw_info(frame, Rect { y: body.bottom(), height: info, ..area }, machine, draft, state);
    }
}

/// What is edited, and what the symbols mean.
fn draw_heading(frame: &mut Frame<'_>, area: Rect, draft: &Draft, state: &State) {
    let theme = &state.theme;
    let meaning = |symbol: Symbol, word: &str| format!("{} {word}", theme.symbol(symbol));
    let legend = [
        meaning(Symbol::Global, crate::t!("tui.permission.legend.global")),
        meaning(Symbol::Entity, crate::t!("tui.permission.legend.entity")),
        meaning(Symbol::Both, crate::t!("tui.permission.legend.both")),
        meaning(Symbol::Quiet, crate::t!("tui.permission.legend.none")),
    ];
    let legend = if area.width < 60 { Vec::new() } else { vec![(Tone::Dim, legend.join("  "))] };
    heading(frame, area, draft, &text::clean(&draft.integration.name), &legend, state);
}

/// Width of an action's column, and of the names beside them.
fn columns(area: Rect) -> (u16, u16) {
    let action = if area.width >= 76 {
        (area.width / 6).clamp(13, 18)
    } else if area.width >= 56 {
        9
    } else {
        7
    };
    let names = area.width.saturating_sub(action * 4 + 3);
    (names.min(48), action)
}

fn draw_matrix(frame: &mut Frame<'_>, area: Rect, machine: &Machine, state: &State) {
    let theme = &state.theme;
    if area.width < 8 || area.height < 2 {
        return;
    }
    let (names, width) = columns(area);
    let left = area.x + 2 + names;
    let two = width >= 13 && area.height >= 6;
    for (i, action) in Action::ALL.into_iter().enumerate() {
        let x = left + u16::try_from(i).unwrap_or(0) * width;
        let cell = Rect { x, width, ..area };
        let (of, verb) = words::action_head(action);
        let tone = if i == machine.column { Tone::Strong } else { Tone::Dim };
        if two {
            centred(frame, cell, area.y, of, theme.style(tone));
            centred(frame, cell, area.y + 1, verb, theme.style(tone));
        } else {
            centred(frame, cell, area.y, verb, theme.style(tone));
        }
    }
    let rows = Rect { y: area.y + if two { 2 } else { 1 }, height: area.height - if two { 2 } else { 1 }, ..area };
    let list = &machine.list;
    let filter = &list.filter;
    if list.typing || !filter.is_empty() {
        let caret = if list.typing { if theme.unicode { "▏" } else { "_" } } else { "" };
        line(frame, area, area.x + 2, area.y, &text::cut(&format!("/{}{caret}", text::clean(filter)), names.into()), theme.style(Tone::Accent));
    }
    if list.is_empty() {
        line(frame, rows, rows.x + 2, rows.y, crate::t!("tui.permission.no_match"), theme.style(Tone::Dim));
        return;
    }
    let selected = list.selected_index();
    for (y, index) in (rows.y..).zip(list.in_sight(rows.height.into())) {
        let Some(row) = list.row(index) else { continue };
        let here = Rect { y, height: 1, ..rows };
        if let Row::Heading(kind) = row {
            let title = match kind {
                EntityKind::Application => crate::t!("tui.permission.applications"),
                EntityKind::DataSource => crate::t!("tui.permission.data_sources"),
            };
            line(frame, here, here.x + 2, y, &format!("{} {title}", theme.symbol(Symbol::Next)), theme.style(Tone::Dim));
            continue;
        }
        let base = if index == selected { theme.selected() } else { Style::new() };
        if index == selected {
            // The row ends where the last action does.
            let drawn = Rect { width: (2 + names + width * 4).min(here.width), ..here };
            frame.buffer_mut().set_style(drawn, base);
            line(frame, here, here.x, y, theme.symbol(Symbol::Cursor), theme.style(Tone::Accent));
        }
        let (indent, name) = match row {
            Row::Entity(entity) => (4, text::clean(&entity.name)),
            _ => (2, crate::t!("tui.permission.all").to_owned()),
        };
        let room = usize::from(names.saturating_sub(indent - 2));
        line(frame, here, here.x + indent, y, &text::cut(&name, room), base.patch(theme.style(Tone::Plain)));
        let mut wide = false;
        for (i, action) in Action::ALL.into_iter().enumerate() {
            let cell = Rect { x: left + u16::try_from(i).unwrap_or(0) * width, width, ..here };
            let (symbol, tone) = match machine.reason(row, action) {
                Reason::None => (Symbol::Quiet, Tone::Dim),
                Reason::Global => (Symbol::Global, if *row == Row::All { Tone::Notice } else { Tone::Plain }),
                Reason::Entity => (Symbol::Entity, Tone::Plain),
                Reason::Both => (Symbol::Both, Tone::Plain),
            };
            wide |= *row == Row::All && symbol == Symbol::Global;
            let shown = theme.symbol(symbol);
            let shown = if index == selected && i == machine.column { format!("[{shown}]") } else { shown.to_owned() };
            centred(frame, cell, y, &shown, base.patch(theme.style(tone)));
        }
        if wide {
            let note = format!("{} {}", theme.symbol(Symbol::Notice), crate::t!("tui.permission.wide"));
            let x = here.x + indent + u16::try_from(text::width(&name) + 3).unwrap_or(0);
            if usize::from(x) + text::width(&note) < usize::from(left) {
                line(frame, here, x, y, &note, base.patch(theme.style(Tone::Notice)));
            }
        }
    }
}

fn centred(frame: &mut Frame<'_>, area: Rect, y: u16, content: &str, style: Style) {
    let shown = text::cut(content, area.width.into());
    let x = area.x + (area.width.saturating_sub(u16::try_from(text::width(&shown)).unwrap_or(0))) / 2;
    line(frame, Rect { y, height: 1, ..area }, x, y, &shown, style);
}

/// Below: why the cell under the cursor is as it is, and what is unwise.
fn draw_info(frame: &mut Frame<'_>, area: Rect, machine: &Machine, draft: &Draft, state: &State) {
    let theme = &state.theme;
    let mut lines = Vec::new();
    match machine.list.selected() {
        Some(row @ (Row::All | Row::Entity(_))) => lines.push((Tone::Plain, machine.explanation(row, machine.action()))),
        _ => lines.push((Tone::Dim, crate::t!("tui.permission.nothing_known").to_owned())),
    }
    let n = draft.integration.permissions.global.len();
    if n > 0 {
        lines.push((Tone::Notice, format!("{} {}", theme.symbol(Symbol::Notice), crate::t!("tui.permission.global_advice", n = n))));
    } else if machine.list.len() <= 3 && machine.list.filter.is_empty() {
        lines.push((Tone::Dim, crate::t!("tui.permission.nothing_known").to_owned()));
    }
    let columns = usize::from(area.width.saturating_sub(4)).max(4);
    let mut y = area.y + u16::from(area.height > 2);
    for (tone, content) in lines {
        for part in wrap(&text::clean(&content), columns).iter().take(2) {
            line(frame, area, area.x + 2, y, part, theme.style(tone));
            y += 1;
        }
    }
}
