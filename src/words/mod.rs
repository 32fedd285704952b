//! Every text that people read: one table, compiled in from `assets/messages/<language>/*.toml`.
//!
//! [`t!`](crate::t) looks a key up at compile time, so an unknown key does not build; `tests/words.rs` finds keys that nothing uses.
//! `{name}` stands for an argument. A message with `one` and `other` picks its form by the argument `n`.

pub mod clean;
pub mod hide;

use std::fmt::{Display, Write as _};

enum Text {
    Plain(&'static str),
    Plural { one: &'static str, other: &'static str },
}

include!(concat!(env!("OUT_DIR"), "/messages.rs"));

/// The place of a message in the table.
pub type Id = usize;

/// Finds a key at compile time; an unknown key is a compile error at the place that used it.
#[must_use]
pub const fn id(key: &str) -> Id {
    let (mut low, mut high) = (0, KEYS.len());
    while low < high {
        let middle = (low + high) / 2;
        match compare(key.as_bytes(), KEYS[middle].as_bytes()) {
            0 => return middle,
            1 => low = middle + 1,
            _ => high = middle,
        }
    }
    panic!("no such message key: add it to assets/messages/en")
}

/// 0 when equal, 1 when `a` comes after `b`, 2 when before.
const fn compare(a: &[u8], b: &[u8]) -> u8 {
    let mut i = 0;
    while i < a.len() && i < b.len() {
        if a[i] != b[i] {
            return if a[i] > b[i] { 1 } else { 2 };
        }
        i += 1;
    }
    if a.len() == b.len() {
        0
    } else if a.len() > b.len() {
        1
    } else {
        2
    }
}

/// A message without arguments.
#[must_use]
pub fn get(id: Id) -> &'static str {
    match &EN[id] {
        Text::Plain(text) | Text::Plural { other: text, .. } => text,
    }
}

/// A message with its arguments filled in. An argument that the message does not name is ignored; a name without an argument stays
/// visible as `{name}` (and fails in debug builds).
#[must_use]
pub fn render(id: Id, arguments: &[(&str, &dyn Display)]) -> String {
    let text = match &EN[id] {
        Text::Plain(text) => text,
        Text::Plural { one, other } => {
            let n = arguments.iter().find(|(name, _)| *name == "n").map(|(_, value)| value.to_string());
            if n.as_deref() == Some("1") { one } else { other }
        }
    };
    let mut out = String::with_capacity(text.len() + 16 * arguments.len());
    let mut rest = *text;
    while let Some(open) = rest.find('{') {
        let (before, after) = rest.split_at(open);
        out.push_str(before);
        let Some(close) = after.find('}') else {
            rest = after;
            break;
        };
        let name = &after[1..close];
        if let Some((_, value)) = arguments.iter().find(|(known, _)| *known == name) {
            let _ = write!(out, "{value}");
        } else {
            debug_assert!(false, "{}: no argument for {{{name}}}", KEYS[id]);
            out.push_str(&after[..=close]);
        }
        rest = &after[close + 1..];
    }
    out.push_str(rest);
    out
}

/// Every key of the table, for the test that looks for unused ones.
#[must_use]
pub fn keys() -> &'static [&'static str] {
    &KEYS
}

/// A number with its thousands separated, for people: `12,034`.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// `t!("key")` is a `&'static str`; `t!("key", name = value, …)` a `String`.
#[macro_export]
macro_rules! t {
    ($key:expr) => {{
        const ID: $crate::words::Id = $crate::words::id($key);
        $crate::words::get(ID)
    }};
    ($key:expr, $($name:ident = $value:expr),+ $(,)?) => {{
        const ID: $crate::words::Id = $crate::words::id($key);
        $crate::words::render(ID, &[$((stringify!($name), &$value as &dyn ::std::fmt::Display)),+])
    }};
}

/// `problem!(Failed, "vault.locked", name = value)` makes a [`Problem`](crate::model::Problem) from the messages `vault.locked.what`,
/// `.why` and `.next`. The first word is a [`ProblemKind`](crate::model::ProblemKind).
#[macro_export]
macro_rules! problem {
    ($kind:ident, $key:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::model::Problem::new(
            $crate::model::ProblemKind::$kind,
            $crate::words::render(const { $crate::words::id(concat!($key, ".what")) }, &[$((stringify!($name), &$value as &dyn ::std::fmt::Display)),*]),
            $crate::words::render(const { $crate::words::id(concat!($key, ".why")) }, &[$((stringify!($name), &$value as &dyn ::std::fmt::Display)),*]),
            $crate::words::render(const { $crate::words::id(concat!($key, ".next")) }, &[$((stringify!($name), &$value as &dyn ::std::fmt::Display)),*]),
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(number(0), "0");
        assert_eq!(number(999), "999");
        assert_eq!(number(1_000), "1,000");
        assert_eq!(number(12_345_678), "12,345,678");
    }

    #[test]
    fn keys_are_sorted_so_that_the_search_finds_them() {
        assert!(KEYS.is_sorted());
        assert!(KEYS.iter().enumerate().all(|(i, key)| id(key) == i));
    }
}
