//! Chooses one of many: a box with a filter that is typed into at once.

use crate::tui::app::key::{Code, Key};
use crate::tui::app::state::State;
use crate::tui::ui::list::{List, Listed};
use crate::tui::ui::modal::boxed;
use crate::tui::ui::table::{Cell, Column, Table};
use crate::tui::ui::text;
use crate::tui::ui::theme::Tone;
use crate::tui::ui::view::line;
use ratatui::Frame;
use ratatui::layout::Rect;

#[derive(Debug)]
pub struct Picker {
    title: String,
    list: List<Item>,
}

#[derive(Debug)]
pub struct Item {
    pub value: String,
    pub label: String,
    pub note: String,
}

impl Listed for Item {
    fn id(&self) -> String {
        self.value.clone()
    }

    fn text(&self) -> String {
        format!("{} {}", self.label, self.note)
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Picked {
    Value(String),
    Closed,
    Stay,
}

impl Picker {
    #[must_use]
    pub fn new(title: impl Into<String>, items: Vec<Item>, selected: &str) -> Self {
        let mut list = List::default();
        list.set(items);
        list.select(selected);
        list.typing = true;
        Self { title: title.into(), list }
    }

    pub fn key(&mut self, key: Key) -> Picked {
        match key.code {
            Code::Esc => Picked::Closed,
            Code::Enter => self.list.selected().map_or(Picked::Stay, |item| Picked::Value(item.value.clone())),
            Code::PageDown => {
                self.list.step(10);
                Picked::Stay
            }
            Code::PageUp => {
                self.list.step(-10);
                Picked::Stay
            }
            _ => {
                self.list.key(key);
                self.list.typing = true;
                Picked::Stay
            }
        }
    }

    pub fn paste(&mut self, pasted: &str) {
        self.list.paste(pasted);
    }

    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, state: &State) {
        let theme = &state.theme;
        let rows = u16::try_from(self.list.items().len().clamp(1, 12)).unwrap_or(12);
        let inner = boxed(frame, area, area.width.saturating_sub(4).min(64), rows + 2, &self.title, state);
        let caret = if theme.unicode { "▏" } else { "_" };
        let typed = text::clean(&self.list.filter);
        let shown = if typed.is_empty() { format!("{caret} {}", crate::t!("tui.picker.hint")) } else { format!("{typed}{caret}") };
        line(frame, inner, inner.x, inner.y, &shown, theme.style(if typed.is_empty() { Tone::Dim } else { Tone::Plain }));
        if inner.height < 2 {
            return;
        }
        let rest = Rect { y: inner.y + 2, height: inner.height.saturating_sub(2), ..inner };
        if self.list.is_empty() {
            line(frame, rest, rest.x + 2, rest.y, crate::t!("tui.picker.none"), theme.style(Tone::Dim));
            return;
        }
        let columns = [Column::grow("", 16, 0), Column::grow("", 10, 1)];
        let table = Table {
            columns: &columns,
            rows: self.list.len(),
            selected: Some(self.list.selected_index()),
            focused: true,
            header: false,
            offset: &self.list.offset,
            height: &self.list.height,
            headings: &[],
        };
        table.draw(frame, rest, theme, |row| {
            let Some(item) = self.list.row(row) else { return Vec::new() };
            vec![Cell::new(text::clean(&item.label)), Cell::new(text::clean(&item.note)).tone(Tone::Dim)]
        });
    }
}
