//! One line of text being edited.

use crate::tui::app::key::{Code, Key};
use ratatui::style::{Modifier, Style};
use tui_textarea::{CursorMove, Input, Key as AreaKey, TextArea};

/// A text field. A secret one is masked and wiped when it is dropped.
pub struct Field {
    area: TextArea<'static>,
    pub secret: bool,
    pub revealed: bool,
}

impl std::fmt::Debug for Field {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Field").field("text", if self.secret { &"masked" } else { &self.area.lines()[0] }).finish()
    }
}

impl Default for Field {
    fn default() -> Self {
        Self::new("")
    }
}

impl Field {
    #[must_use]
    pub fn new(text: &str) -> Self {
        let mut area = TextArea::new(vec![one_line(text)]);
        area.set_cursor_line_style(Style::new());
        area.set_cursor_style(Style::new().add_modifier(Modifier::REVERSED));
        area.move_cursor(CursorMove::End);
        Self { area, secret: false, revealed: false }
    }

    #[must_use]
    pub fn secret() -> Self {
        let mut field = Self::new("");
        field.secret = true;
        field.area.set_mask_char('•');
        field
    }

    #[must_use]
    pub fn text(&self) -> &str {
        &self.area.lines()[0]
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.text().is_empty()
    }

    pub fn set(&mut self, text: &str) {
        let (secret, revealed) = (self.secret, self.revealed);
        *self = Self::new(text);
        self.secret = secret;
        if secret && !revealed {
            self.area.set_mask_char('•');
        }
        self.revealed = revealed;
    }

    pub fn clear(&mut self) {
        self.set("");
    }

    /// Shows or masks a secret.
    pub fn reveal(&mut self, revealed: bool) {
        if !self.secret {
            return;
        }
        self.revealed = revealed;
        if revealed { self.area.clear_mask_char() } else { self.area.set_mask_char('•') }
    }

    /// Column of the cursor in characters.
    #[must_use]
    pub fn cursor(&self) -> usize {
        self.area.cursor().1
    }

    /// Takes a key of text editing; `false` when the key means nothing here. Enter, Tab, Esc and the arrows up and down are never taken.
    pub fn key(&mut self, key: Key) -> bool {
        let area_key = match key.code {
            Code::Char(c) => AreaKey::Char(c),
            Code::Backspace => AreaKey::Backspace,
            Code::Delete => AreaKey::Delete,
            Code::Left => AreaKey::Left,
            Code::Right => AreaKey::Right,
            Code::Home => AreaKey::Home,
            Code::End => AreaKey::End,
            Code::Enter | Code::Tab | Code::Esc | Code::Up | Code::Down | Code::PageUp | Code::PageDown | Code::Insert | Code::F(_) => return false,
        };
        match key.code {
            // The usual line-editing keys; every other control key is left for commands.
            Code::Char(c) if key.ctrl && !"abefhkuwy".contains(c) => return false,
            Code::Char('u') if key.ctrl => {
                self.area.delete_line_by_head();
                return true;
            }
            Code::Char('y') if key.ctrl => {
                self.area.paste();
                return true;
            }
            Code::Char(c) if key.alt && !"bfd".contains(c) => return false,
            _ => {}
        }
        self.area.input(Input { key: area_key, ctrl: key.ctrl, alt: key.alt, shift: key.shift });
        true
    }

    /// Pastes: line breaks at the ends are dropped, those inside become spaces; nothing is submitted.
    pub fn paste(&mut self, text: &str) {
        self.area.insert_str(one_line(text));
    }

    /// What is shown in `columns`, and the column of the cursor in it: scrolled so that the cursor is in view.
    #[must_use]
    pub fn shown(&self, columns: usize, mask: &str) -> (String, usize) {
        let columns = columns.max(1);
        let cursor = self.cursor();
        // A megabyte in the field costs no more than what is near the cursor.
        let before: Vec<char> = self.text().chars().take(cursor).collect();
        let near: Vec<char> = before[before.len().saturating_sub(columns)..].to_vec();
        let after: Vec<char> = self.text().chars().skip(cursor).take(columns).collect();
        let picture = |c: char| if self.secret && !self.revealed { mask.chars().next().unwrap_or('*') } else { crate::words::clean::shown(c) };
        let mut left: String = String::new();
        let mut used = 0;
        for &c in near.iter().rev() {
            let shown = picture(c);
            let w = unicode_width::UnicodeWidthChar::width(shown).unwrap_or(0);
            if used + w + 1 > columns {
                break;
            }
            left.insert(0, shown);
            used += w;
        }
        let mut out = left;
        let at = used;
        for &c in &after {
            let shown = picture(c);
            let w = unicode_width::UnicodeWidthChar::width(shown).unwrap_or(0);
            if used + w > columns {
                break;
            }
            out.push(shown);
            used += w;
        }
        (out, at)
    }
}

impl Drop for Field {
    fn drop(&mut self) {
        if self.secret {
            for line in std::mem::take(&mut self.area).into_lines() {
                drop(zeroize::Zeroizing::new(line));
            }
        }
    }
}

fn one_line(text: &str) -> String {
    text.trim_matches(['\r', '\n']).replace("\r\n", " ").replace(['\r', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pasted_newline_never_submits() {
        let mut field = Field::secret();
        field.paste("s3cret\n");
        assert_eq!(field.text(), "s3cret");
        assert!(!field.key(Key::plain(Code::Enter)));
    }

    #[test]
    fn a_secret_is_masked_until_revealed() {
        let mut field = Field::secret();
        field.paste("abc");
        assert_eq!(field.shown(10, "•").0, "•••");
        assert!(!format!("{field:?}").contains("abc"));
        field.reveal(true);
        assert_eq!(field.shown(10, "•").0, "abc");
    }

    #[test]
    fn the_cursor_stays_in_view() {
        let mut field = Field::new("abcdefghij");
        assert_eq!(field.shown(5, "•"), ("ghij".to_owned(), 4));
        field.key(Key::plain(Code::Home));
        assert_eq!(field.shown(5, "•"), ("abcde".to_owned(), 0));
        for key in [Key::char('x'), Key::plain(Code::Backspace), Key::ctrl('u')] {
            assert!(field.key(key));
        }
        assert_eq!(field.text(), "abcdefghij");
        assert!(!field.key(Key::ctrl('p')));
    }
}
