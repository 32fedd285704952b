//! `:` or Ctrl-P: anything by name: every command that can be used now, and every object that was loaded.

use super::field::Field;
use super::form::draw_text;
use super::list::{List, Listed};
use super::modal::boxed;
use super::text;
use super::theme::Tone;
use super::view::line;
use crate::tui::app::command::{self, Scope};
use crate::tui::app::key::{Code, Key};
use crate::tui::app::state::{Pane, State};
use ratatui::Frame;
use ratatui::layout::Rect;

#[derive(Debug)]
pub struct Palette {
    field: Field,
    entries: List<Entry>,
}

#[derive(Debug)]
struct Entry {
    picked: Picked,
    text: String,
    note: String,
    key: String,
}

/// What was picked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Picked {
    Command(&'static str),
    Go(Pane, String),
    Closed,
    Nothing,
}

impl Listed for Entry {
    fn id(&self) -> String {
        format!("{:?}", self.picked)
    }

    fn text(&self) -> String {
        format!("{} {}", self.text, self.note)
    }
}

impl Palette {
    #[must_use]
    pub fn new(state: &State) -> Self {
        let mut entries: Vec<Entry> = command::usable(state)
            .into_iter()
            .filter(|command| command.id != "palette" && command.scope != Scope::Always || command.id == "tasks")
            .map(|command| Entry {
                picked: Picked::Command(command.id),
                text: (command.about)().to_owned(),
                note: command.id.to_owned(),
                key: state.keymap.keys(command.id).first().map_or_else(String::new, ToString::to_string),
            })
            .collect();
        // Above an editor, only its own commands: going elsewhere begins with leaving it.
        let elsewhere = state.layers.is_empty();
        let mut object = |pane: Pane, id: String, name: &str| {
            if !elsewhere {
                return;
            }
            entries.push(Entry { picked: Picked::Go(pane, id), text: text::clean(name), note: pane.title().to_owned(), key: String::new() });
        };
        for connector in state.panes.connectors.list.items() {
            object(Pane::Connectors, connector.id(), &connector.name);
        }
        for row in state.panes.credentials.list.items() {
            object(Pane::Credentials, row.id(), row.name());
        }
        for row in state.panes.integrations.list.items() {
            object(Pane::Integrations, row.id(), &row.integration.name);
        }
        let mut list = List::default();
        list.set(entries);
        Self { field: Field::new(""), entries: list }
    }

    pub fn key(&mut self, key: Key) -> Option<Picked> {
        match key.code {
            Code::Esc => Some(Picked::Closed),
            Code::Char('c') if key.ctrl => Some(Picked::Closed),
            Code::Enter => Some(self.entries.selected().map_or(Picked::Closed, |entry| entry.picked.clone())),
            Code::Down | Code::Up | Code::PageDown | Code::PageUp => {
                self.entries.key(key);
                Some(Picked::Nothing)
            }
            Code::Char('n') if key.ctrl => {
                self.entries.step(1);
                Some(Picked::Nothing)
            }
            Code::Char('p') if key.ctrl => {
                self.entries.step(-1);
                Some(Picked::Nothing)
            }
            _ => {
                if !self.field.key(key) {
                    return None;
                }
                let filter = self.field.text().to_owned();
                self.entries.set_filter(&filter);
                Some(Picked::Nothing)
            }
        }
    }

    pub fn paste(&mut self, text: &str) {
        self.field.paste(text);
        let filter = self.field.text().to_owned();
        self.entries.set_filter(&filter);
    }
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, palette: &Palette, state: &State) {
    let theme = &state.theme;
    let width = area.width.saturating_sub(4).clamp(1, 90);
    let rows = u16::try_from(palette.entries.len()).unwrap_or(u16::MAX).clamp(1, area.height.saturating_sub(8).max(1));
    let inner = boxed(frame, area, width, rows + 2, crate::t!("palette.title"), state);
    if inner.height == 0 || inner.width == 0 {
        return;
    }
    draw_text(frame.buffer_mut(), inner.x, inner.y, inner.width.into(), &palette.field, true, theme);
    let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    if palette.entries.is_empty() {
        line(frame, list, list.x, list.y, crate::t!("palette.none"), theme.style(Tone::Dim));
        return;
    }
    let height = usize::from(list.height).max(1);
    palette.entries.height.set(height);
    let selected = palette.entries.selected_index();
    let offset = palette.entries.offset.get().clamp((selected + 1).saturating_sub(height), selected);
    palette.entries.offset.set(offset);
    for (i, row) in (offset..palette.entries.len().min(offset + height)).enumerate() {
        let Some(entry) = palette.entries.row(row) else { break };
        let y = list.y + u16::try_from(i).unwrap_or(0);
        if row == selected {
            frame.buffer_mut().set_style(Rect { y, height: 1, ..list }, theme.selected());
        }
        let right = if entry.key.is_empty() { entry.note.as_str() } else { entry.key.as_str() };
        let right = text::cut(right, usize::from(list.width) / 3);
        let room = usize::from(list.width).saturating_sub(text::width(&right) + 2);
        line(frame, list, list.x, y, &text::cut(&entry.text, room), ratatui::style::Style::new());
        let x = list.right().saturating_sub(u16::try_from(text::width(&right)).unwrap_or(0));
        line(frame, list, x, y, &right, theme.style(Tone::Dim));
    }
}
