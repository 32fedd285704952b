//! Forms: labelled fields one below the other, each with its help and its error.

use super::field::Field;
use super::list::window;
use super::text;
use super::theme::{Symbol, Theme, Tone};
use crate::tui::app::key::{Code, Key};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use std::cell::Cell;

#[derive(Debug)]
pub struct Form {
    pub fields: Vec<FormField>,
    pub focus: usize,
    /// First field in sight; only the view writes it.
    offset: Cell<usize>,
}

#[derive(Debug)]
pub struct FormField {
    pub key: String,
    pub label: String,
    pub help: String,
    pub kind: Kind,
    pub mandatory: bool,
    pub error: Option<String>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "a form has a handful of fields, most of them texts")]
pub enum Kind {
    Text(Field),
    /// One of several: value and label.
    Choice {
        options: Vec<(String, String)>,
        chosen: usize,
    },
    Toggle(bool),
    /// Something that enter does: opens a picker, an editor. Shows its present value.
    Link(String),
}

/// What a key did to a form.
#[derive(Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The key means nothing here.
    Ignored,
    /// Focus moved, or a choice was looked at.
    Moved,
    /// The value of the field of this key changed.
    Changed(String),
    /// Enter on a link, or on the last field.
    Entered(String),
}

impl Form {
    #[must_use]
    pub fn new(fields: Vec<FormField>) -> Self {
        Self { fields, focus: 0, offset: Cell::new(0) }
    }

    #[must_use]
    pub fn field(&self, key: &str) -> Option<&FormField> {
        self.fields.iter().find(|field| field.key == key)
    }

    pub fn field_mut(&mut self, key: &str) -> Option<&mut FormField> {
        self.fields.iter_mut().find(|field| field.key == key)
    }

    #[must_use]
    pub fn focused(&self) -> Option<&FormField> {
        self.fields.get(self.focus)
    }

    /// The value as text: `true` or `false` for a toggle.
    #[must_use]
    pub fn value(&self, key: &str) -> String {
        self.field(key).map_or_else(String::new, FormField::value)
    }

    pub fn set_focus(&mut self, key: &str) {
        if let Some(place) = self.fields.iter().position(|field| field.key == key) {
            self.focus = place;
        }
    }

    /// Whether text is being typed, so that letters are no commands.
    #[must_use]
    pub fn typing(&self) -> bool {
        matches!(self.focused(), Some(FormField { kind: Kind::Text(_), .. }))
    }

    pub fn key(&mut self, key: Key) -> Outcome {
        let last = self.fields.len().saturating_sub(1);
        let Some(field) = self.fields.get_mut(self.focus) else { return Outcome::Ignored };
        let name = field.key.clone();
        if let Kind::Text(text) = &mut field.kind
            && text.key(key)
        {
            field.error = None;
            return Outcome::Changed(name);
        }
        match (&mut field.kind, key.code) {
            (_, Code::Tab) if key.shift => self.focus = self.focus.checked_sub(1).unwrap_or(last),
            (_, Code::Tab) => self.focus = if self.focus >= last { 0 } else { self.focus + 1 },
            (_, Code::Up) => self.focus = self.focus.saturating_sub(1),
            (_, Code::Down) => self.focus = (self.focus + 1).min(last),
            (Kind::Choice { options, chosen }, Code::Left | Code::Right | Code::Char(' ')) if !options.is_empty() => {
                let n = options.len();
                *chosen = if key.code == Code::Left { (*chosen + n - 1) % n } else { (*chosen + 1) % n };
                field.error = None;
                return Outcome::Changed(name);
            }
            (Kind::Toggle(on), Code::Left | Code::Right | Code::Char(' ')) => {
                *on = !*on;
                field.error = None;
                return Outcome::Changed(name);
            }
            (Kind::Link(_), Code::Enter | Code::Char(' ')) => return Outcome::Entered(name),
            (_, Code::Enter) if self.focus == last => return Outcome::Entered(name),
            (_, Code::Enter) => self.focus += 1,
            _ => return Outcome::Ignored,
        }
        Outcome::Moved
    }

    /// Pastes into the focused text field; `false` when there is none.
    pub fn paste(&mut self, pasted: &str) -> Option<String> {
        let field = self.fields.get_mut(self.focus)?;
        let Kind::Text(text) = &mut field.kind else { return None };
        text.paste(pasted);
        field.error = None;
        Some(field.key.clone())
    }

    /// Draws the fields and, under the focused one, its error or help.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, theme: &Theme) {
        if area.width < 4 || area.height == 0 {
            return;
        }
        let label_columns = self.fields.iter().map(|field| text::width(&field.label)).max().unwrap_or(0).min(usize::from(area.width) / 3).max(4);
        let note_lines: Vec<(Tone, String)> = self.notes(usize::from(area.width).saturating_sub(label_columns + 6), theme);
        let height = usize::from(area.height);
        let room = height.saturating_sub(note_lines.len()).max(1);
        let offset = window(self.offset.get(), self.fields.len(), Some(self.focus), room);
        self.offset.set(offset);
        let mut y = area.y;
        for (i, field) in self.fields.iter().enumerate().skip(offset) {
            if y >= area.bottom() {
                break;
            }
            self.draw_field(frame, Rect { y, height: 1, ..area }, field, i == self.focus, label_columns, theme);
            y += 1;
            if i == self.focus {
                for (tone, line) in &note_lines {
                    if y >= area.bottom() {
                        break;
                    }
                    let x = area.x + u16::try_from(label_columns + 6).unwrap_or(0);
                    if x < area.right() {
                        frame.buffer_mut().set_stringn(x, y, line, usize::from(area.right() - x), theme.style(*tone));
                    }
                    y += 1;
                }
            }
        }
    }

    fn notes(&self, columns: usize, theme: &Theme) -> Vec<(Tone, String)> {
        let Some(field) = self.focused() else { return Vec::new() };
        let mut notes = Vec::new();
        if let Some(error) = &field.error {
            let marked = format!("{} {error}", theme.symbol(Symbol::Bad));
            notes.extend(text::wrap(&marked, columns).into_iter().take(3).map(|line| (Tone::Bad, line)));
        }
        if !field.help.is_empty() {
            notes.extend(text::wrap(&field.help, columns).into_iter().take(4).map(|line| (Tone::Dim, line)));
        }
        notes
    }

    fn draw_field(&self, frame: &mut Frame<'_>, area: Rect, field: &FormField, focused: bool, label_columns: usize, theme: &Theme) {
        let buffer = frame.buffer_mut();
        let width = usize::from(area.width);
        if focused {
            buffer.set_string(area.x, area.y, theme.symbol(Symbol::Cursor), theme.style(Tone::Accent));
        }
        let (mark, tone) = if field.error.is_some() {
            (theme.symbol(Symbol::Bad), Tone::Bad)
        } else if field.mandatory {
            (theme.symbol(Symbol::Current), Tone::Dim)
        } else {
            (" ", Tone::Dim)
        };
        if width > 2 {
            buffer.set_stringn(area.x + 2, area.y, mark, width - 2, theme.style(tone));
        }
        if width > 4 {
            let label = text::cut(&field.label, label_columns);
            buffer.set_stringn(area.x + 4, area.y, label, width - 4, theme.style(if focused { Tone::Strong } else { Tone::Plain }));
        }
        let at = label_columns + 6;
        if width <= at {
            return;
        }
        let (x, columns) = (area.x + u16::try_from(at).unwrap_or(0), width - at);
        match &field.kind {
            Kind::Text(value) => draw_text(buffer, x, area.y, columns, value, focused, theme),
            Kind::Choice { options, chosen } => {
                let label = options.get(*chosen).map_or("", |(_, label)| label.as_str());
                let shown = if focused && options.len() > 1 {
                    format!("{} {} {}", theme.symbol(Symbol::Previous), label, theme.symbol(Symbol::Next))
                } else {
                    label.to_owned()
                };
                let style = theme.style(if focused { Tone::Accent } else { Tone::Plain });
                buffer.set_stringn(x, area.y, text::cut(&shown, columns), columns, style);
            }
            Kind::Toggle(on) => {
                let shown = if *on { crate::t!("form.on") } else { crate::t!("form.off") };
                let style = theme.style(if focused { Tone::Accent } else { Tone::Plain });
                buffer.set_stringn(x, area.y, format!("[{}] {shown}", if *on { "x" } else { " " }), columns, style);
            }
            Kind::Link(value) => {
                let shown = if value.is_empty() { crate::t!("form.choose") } else { value };
                let style = theme.style(if focused { Tone::Accent } else { Tone::Plain });
                buffer.set_stringn(x, area.y, text::cut(shown, columns), columns, style);
            }
        }
    }
}

impl FormField {
    #[must_use]
    pub fn text(key: &str, label: &str, help: &str, value: &str) -> Self {
        Self::of(key, label, help, Kind::Text(Field::new(value)))
    }

    #[must_use]
    pub fn choice(key: &str, label: &str, help: &str, options: Vec<(String, String)>, value: &str) -> Self {
        let chosen = options.iter().position(|(known, _)| known == value).unwrap_or(0);
        Self::of(key, label, help, Kind::Choice { options, chosen })
    }

    #[must_use]
    pub fn toggle(key: &str, label: &str, help: &str, on: bool) -> Self {
        Self::of(key, label, help, Kind::Toggle(on))
    }

    #[must_use]
    pub fn link(key: &str, label: &str, help: &str, value: &str) -> Self {
        Self::of(key, label, help, Kind::Link(value.to_owned()))
    }

    fn of(key: &str, label: &str, help: &str, kind: Kind) -> Self {
        Self { key: key.to_owned(), label: label.to_owned(), help: help.to_owned(), kind, mandatory: false, error: None }
    }

    #[must_use]
    pub fn mandatory(mut self) -> Self {
        self.mandatory = true;
        self
    }

    #[must_use]
    pub fn value(&self) -> String {
        match &self.kind {
            Kind::Text(field) => field.text().to_owned(),
            Kind::Choice { options, chosen } => options.get(*chosen).map_or_else(String::new, |(value, _)| value.clone()),
            Kind::Toggle(on) => on.to_string(),
            Kind::Link(value) => value.clone(),
        }
    }
}

/// Draws a text field with its cursor; underlined so that its place is seen when it is empty.
pub fn draw_text(buffer: &mut ratatui::buffer::Buffer, x: u16, y: u16, columns: usize, field: &Field, focused: bool, theme: &Theme) {
    let (shown, cursor) = field.shown(columns, theme.symbol(Symbol::Mask));
    let base = if focused { Style::new().add_modifier(Modifier::UNDERLINED) } else { Style::new() };
    if focused {
        let width = u16::try_from(columns).unwrap_or(u16::MAX);
        buffer.set_style(Rect { x, y, width, height: 1 }.intersection(buffer.area), base);
    }
    buffer.set_stringn(x, y, &shown, columns, base);
    if focused && cursor < columns {
        let at = x.saturating_add(u16::try_from(cursor).unwrap_or(0));
        if let Some(cell) = buffer.cell_mut((at, y)) {
            cell.set_style(Style::new().add_modifier(Modifier::REVERSED));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form() -> Form {
        Form::new(vec![
            FormField::text("name", "Name", "", ""),
            FormField::choice("kind", "Kind", "", vec![("a".into(), "A".into()), ("b".into(), "B".into())], "b"),
            FormField::toggle("on", "On", "", false),
        ])
    }

    #[test]
    fn keys_edit_the_focused_field_and_tab_goes_round() {
        let mut form = form();
        assert_eq!(form.key(Key::char('x')), Outcome::Changed("name".into()));
        assert_eq!(form.key(Key::plain(Code::Tab)), Outcome::Moved);
        assert_eq!(form.key(Key::plain(Code::Right)), Outcome::Changed("kind".into()));
        assert_eq!(form.value("kind"), "a");
        form.key(Key::plain(Code::Tab));
        assert_eq!(form.key(Key::char(' ')), Outcome::Changed("on".into()));
        assert_eq!(form.value("on"), "true");
        assert_eq!(form.key(Key::plain(Code::Enter)), Outcome::Entered("on".into()));
        form.key(Key::plain(Code::Tab));
        assert_eq!(form.focus, 0);
        form.key(Key { shift: true, ..Key::plain(Code::Tab) });
        assert_eq!(form.focus, 2);
    }

    #[test]
    fn letters_are_left_alone_where_no_text_is_typed() {
        let mut form = form();
        form.set_focus("on");
        assert_eq!(form.key(Key::char('t')), Outcome::Ignored);
        assert!(!form.typing());
    }
}
