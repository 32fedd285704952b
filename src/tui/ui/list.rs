//! A list that can be walked and filtered, and remembers by identifier what was selected.

use crate::tui::app::key::{Code, Key};
use nucleo_matcher::pattern::{CaseMatching, Normalization, Pattern};
use nucleo_matcher::{Config, Matcher, Utf32Str};
use std::cell::Cell;

/// Something that stands in a list.
pub trait Listed {
    fn id(&self) -> String;
    /// What `/` searches.
    fn text(&self) -> String;
}

#[derive(Debug)]
pub struct List<T> {
    items: Vec<T>,
    /// Indices of the items that match the filter, best first.
    visible: Vec<usize>,
    selected: usize,
    pub filter: String,
    /// The filter is being typed.
    pub typing: bool,
    /// Whoever holds the list searches and orders it, and calls [`List::show`].
    pub outside: bool,
    /// Nothing was loaded yet: the view says so instead of "empty".
    pub loaded: bool,
    /// An identifier to select when the items arrive, kept from the last start.
    wanted: Option<String>,
    /// Where the window over the rows begins, and how high it was when drawn last. Only the view writes them; they decide nothing but
    /// what of the list is in sight.
    pub offset: Cell<usize>,
    pub height: Cell<usize>,
}

/// Where a window of `height` rows over `rows` begins, so that the selected one is in it: where it began, moved no further than needed.
#[must_use]
pub fn window(begins: usize, rows: usize, selected: Option<usize>, height: usize) -> usize {
    let begins = begins.min(rows.saturating_sub(height));
    match selected {
        Some(selected) if selected < begins => selected,
        Some(selected) if height > 0 && selected >= begins + height => selected + 1 - height,
        _ => begins,
    }
}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self {
            items: Vec::new(),
            visible: Vec::new(),
            selected: 0,
            filter: String::new(),
            typing: false,
            outside: false,
            loaded: false,
            wanted: None,
            offset: Cell::new(0),
            height: Cell::new(10),
        }
    }
}

impl<T: Listed> List<T> {
    /// The rows in sight when `height` of them can be; for views that draw rows of their own.
    #[must_use]
    pub fn in_sight(&self, height: usize) -> std::ops::Range<usize> {
        self.height.set(height.max(1));
        let begins = window(self.offset.get(), self.len(), Some(self.selected_index()), height);
        self.offset.set(begins);
        begins..self.len().min(begins + height)
    }

    /// Replaces the items and keeps the selection on the same identifier.
    pub fn set(&mut self, items: Vec<T>) {
        let keep = self.wanted.take().or_else(|| self.selected().map(Listed::id));
        self.items = items;
        self.loaded = true;
        self.match_filter();
        if let Some(id) = keep {
            self.select(&id);
        }
    }

    /// Selects by identifier; before the items are there, it is remembered for when they arrive.
    pub fn select(&mut self, id: &str) {
        if !self.loaded {
            self.wanted = Some(id.to_owned());
        } else if let Some(place) = self.visible.iter().position(|&i| self.items[i].id() == id) {
            self.selected = place;
        }
    }

    fn match_filter(&mut self) {
        let filter = self.filter.trim();
        if self.outside || filter.is_empty() {
            self.visible = (0..self.items.len()).collect();
        } else {
            let mut matcher = Matcher::new(Config::DEFAULT);
            let pattern = Pattern::parse(filter, CaseMatching::Ignore, Normalization::Smart);
            let mut buffer = Vec::new();
            let mut scored: Vec<(u32, usize)> = Vec::new();
            for (i, item) in self.items.iter().enumerate() {
                let text = item.text();
                if let Some(score) = pattern.score(Utf32Str::new(&text, &mut buffer), &mut matcher) {
                    scored.push((score, i));
                }
            }
            scored.sort_by_key(|&(score, i)| (std::cmp::Reverse(score), i));
            self.visible = scored.into_iter().map(|(_, i)| i).collect();
        }
        self.selected = self.selected.min(self.visible.len().saturating_sub(1));
    }

    /// Shows these items, in this order, with the cursor on one of them, else on the first. For lists that are searched by whoever holds them.
    pub fn show(&mut self, places: Vec<usize>, keep: Option<&str>) {
        self.visible = places;
        self.visible.retain(|&place| place < self.items.len());
        self.selected = keep.and_then(|id| self.visible.iter().position(|&place| self.items[place].id() == id)).unwrap_or(0);
    }

    #[must_use]
    pub fn selected(&self) -> Option<&T> {
        self.visible.get(self.selected).map(|&i| &self.items[i])
    }

    #[must_use]
    pub fn selected_index(&self) -> usize {
        self.selected
    }

    pub fn set_selected_index(&mut self, place: usize) {
        self.selected = place.min(self.visible.len().saturating_sub(1));
    }

    #[must_use]
    pub fn items(&self) -> &[T] {
        &self.items
    }

    /// How many match the filter.
    #[must_use]
    pub fn len(&self) -> usize {
        self.visible.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.visible.is_empty()
    }

    /// The item in row `row` of those that match.
    #[must_use]
    pub fn row(&self, row: usize) -> Option<&T> {
        self.visible.get(row).map(|&i| &self.items[i])
    }

    pub fn set_filter(&mut self, filter: &str) {
        filter.clone_into(&mut self.filter);
        self.selected = 0;
        self.match_filter();
    }

    /// Moves by rows, stopping at the ends.
    pub fn step(&mut self, rows: i64) {
        let last = i64::try_from(self.visible.len().saturating_sub(1)).unwrap_or(i64::MAX);
        let at = i64::try_from(self.selected).unwrap_or(0);
        self.selected = usize::try_from((at + rows).clamp(0, last)).unwrap_or(0);
    }

    /// Selection and filter, for the next start.
    #[must_use]
    pub fn remembered(&self) -> serde_json::Value {
        serde_json::json!({ "selected": self.selected().map(Listed::id), "filter": self.filter })
    }

    /// Takes back selection and filter from the last start.
    pub fn restore(&mut self, remembered: &serde_json::Value) {
        if let Some(filter) = remembered["filter"].as_str() {
            self.set_filter(&crate::words::clean::line(filter, 200));
        }
        if let Some(id) = remembered["selected"].as_str() {
            self.select(id);
        }
    }

    /// Takes the keys of walking, and of typing a filter. `false` when the key means nothing here.
    pub fn key(&mut self, key: Key) -> bool {
        if self.typing {
            return self.filter_key(key);
        }
        let page = i64::try_from(self.height.get().max(2) - 1).unwrap_or(10);
        match key {
            Key { code: Code::Char('j'), ctrl: false, alt: false, .. } | Key { code: Code::Down, .. } => self.step(1),
            Key { code: Code::Char('k'), ctrl: false, alt: false, .. } | Key { code: Code::Up, .. } => self.step(-1),
            Key { code: Code::PageDown, .. } | Key { code: Code::Char('d'), ctrl: true, .. } => self.step(page),
            Key { code: Code::PageUp, .. } | Key { code: Code::Char('u'), ctrl: true, .. } => self.step(-page),
            Key { code: Code::Char('g'), ctrl: false, alt: false, .. } | Key { code: Code::Home, .. } => self.step(i64::MIN / 2),
            Key { code: Code::Char('G'), .. } | Key { code: Code::End, .. } => self.step(i64::MAX / 2),
            Key { code: Code::Char('/'), .. } => self.typing = true,
            Key { code: Code::Esc, .. } if !self.filter.is_empty() => self.set_filter(""),
            _ => return false,
        }
        true
    }

    fn filter_key(&mut self, key: Key) -> bool {
        match key {
            Key { code: Code::Esc, .. } => {
                self.typing = false;
                self.set_filter("");
            }
            Key { code: Code::Enter | Code::Tab, .. } => self.typing = false,
            Key { code: Code::Down, .. } => self.step(1),
            Key { code: Code::Up, .. } => self.step(-1),
            Key { code: Code::Backspace, .. } => {
                let mut filter = self.filter.clone();
                if filter.pop().is_none() {
                    self.typing = false;
                }
                self.set_filter(&filter);
            }
            Key { code: Code::Char('u'), ctrl: true, .. } => self.set_filter(""),
            _ => match key.typed() {
                Some(c) => {
                    let filter = format!("{}{c}", self.filter);
                    self.set_filter(&filter);
                }
                None => return false,
            },
        }
        true
    }

    /// Pasted into a filter that is being typed.
    pub fn paste(&mut self, text: &str) -> bool {
        if self.typing {
            let filter = format!("{}{}", self.filter, crate::words::clean::line(text.trim(), 200));
            self.set_filter(&filter);
        }
        self.typing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Listed for &'static str {
        fn id(&self) -> String {
            (*self).to_owned()
        }
        fn text(&self) -> String {
            (*self).to_owned()
        }
    }

    fn list() -> List<&'static str> {
        let mut list = List::default();
        list.set(vec!["Okta", "Slack", "Zendesk", "GitHub"]);
        list
    }

    #[test]
    fn the_selection_follows_its_item() {
        let mut list = list();
        list.step(2);
        list.set(vec!["Zendesk", "Okta"]);
        assert_eq!(list.selected(), Some(&"Zendesk"));
    }

    #[test]
    fn a_selection_from_the_last_start_waits_for_the_items() {
        let mut list = List::default();
        list.select("Slack");
        list.set(vec!["Okta", "Slack"]);
        assert_eq!(list.selected(), Some(&"Slack"));
    }

    #[test]
    fn typing_a_filter_finds_the_best_first_and_esc_ends_it() {
        let mut list = list();
        for key in [Key::char('/'), Key::char('z'), Key::char('d')] {
            assert!(list.key(key));
        }
        assert_eq!(list.selected(), Some(&"Zendesk"));
        list.key(Key::plain(Code::Enter));
        assert!(!list.typing);
        assert!(list.key(Key::plain(Code::Esc)));
        assert_eq!(list.len(), 4);
        assert!(!list.key(Key::plain(Code::Esc)));
    }

    #[test]
    fn walking_stops_at_the_ends() {
        let mut list = list();
        list.key(Key::char('G'));
        assert_eq!(list.selected(), Some(&"GitHub"));
        list.key(Key::char('j'));
        assert_eq!(list.selected_index(), 3);
        let mut none = List::<&'static str>::default();
        none.key(Key::char('j'));
        assert_eq!(none.selected(), None);
    }
}
