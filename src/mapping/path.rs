//! Paths into a record: `profile.email`, `emails[0].value`, `emails[type=work].value`, `urn:…:User.department`, `["odd.key"]`.
//!
//! ```text
//! path  = first { "." name | bracket }
//! first = name | bracket
//! bracket = "[" digits "]"                   the element at that place, from 0
//!         | "[" key "=" value "]"            the first element whose member `key` is `value`; either may stand in quotation marks
//!         | "[" quoted "]"                   a name as it is, whatever it holds; \" and \\ inside
//! ```
//!
//! A plain name runs up to the next dot or bracket and may hold anything else, spaces and colons included. Two kinds of names carry dots
//! of their own, and need no quotation marks:
//!
//! - a name that begins with `urn:` (RFC 8141, in any case): its dots belong to it as long as a colon still follows before the next
//!   bracket or the next `.urn:`. So `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department` is the member `department`
//!   of the member `urn:ietf:params:scim:schemas:extension:enterprise:2.0:User`;
//! - a name with an `@`: an OData annotation. Every dot after the `@` belongs to it: `@odata.nextLink`, `manager@odata.bind`.
//!
//! Anything else with dots in its name is written in quotation marks.

use crate::t;
use std::fmt::{self, Write as _};

/// Longest path, in characters: nobody types more, and a hostile one costs nothing.
const MAX_CHARS: usize = 2000;
/// Deepest path.
const MAX_STEPS: usize = 64;

/// A parsed path. Has at least one step when it was parsed; a path without steps is the record itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    Key(String),
    Index(usize),
    /// The first element of a list whose member `key` is `value`.
    Where {
        key: String,
        value: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {reason}")]
pub struct PathError {
    /// 1-based.
    pub at: usize,
    pub reason: String,
}

impl Path {
    pub fn parse(text: &str) -> Result<Self, PathError> {
        Parser { chars: text.chars().take(MAX_CHARS + 1).collect(), at: 0 }.path()
    }

    /// A path of one name, whatever it holds: the header of a CSV column.
    #[must_use]
    pub fn key(name: &str) -> Self {
        Self { steps: vec![Step::Key(name.to_owned())] }
    }

    /// The same place in a record that is itself at `before`.
    #[must_use]
    pub fn behind(&self, before: &Self) -> Self {
        Self { steps: before.steps.iter().chain(&self.steps).cloned().collect() }
    }

    /// The value there, if any.
    #[must_use]
    pub fn get<'v>(&self, value: &'v serde_json::Value) -> Option<&'v serde_json::Value> {
        self.steps.iter().try_fold(value, |value, step| match step {
            Step::Key(key) => value.as_object()?.get(key),
            Step::Index(index) => value.as_array()?.get(*index),
            Step::Where { key, value: wanted } => value.as_array()?.iter().find(|element| element_is(element, key, wanted)),
        })
    }

    /// The first name on the way: the record's own member.
    #[must_use]
    pub fn root(&self) -> Option<&str> {
        match self.steps.first() {
            Some(Step::Key(key)) => Some(key),
            _ => None,
        }
    }

    /// The last name on the way: what a person would call the field.
    #[must_use]
    pub fn last_name(&self) -> &str {
        self.steps.iter().rev().find_map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None }).unwrap_or("")
    }

    fn written(&self, quote_all: bool) -> String {
        let mut out = String::new();
        for step in &self.steps {
            match step {
                Step::Key(key) if quote_all || !is_plain(key) => {
                    out.push('[');
                    quoted(key, &mut out);
                    out.push(']');
                }
                Step::Key(key) => {
                    if !out.is_empty() {
                        out.push('.');
                    }
                    out.push_str(key);
                }
                Step::Index(index) => {
                    let _ = write!(out, "[{index}]");
                }
                Step::Where { key, value } => {
                    out.push('[');
                    for (i, part) in [key, value].into_iter().enumerate() {
                        if i > 0 {
                            out.push('=');
                        }
                        if part.is_empty() || part.contains(['"', '[', ']', '=', '\\', '.']) || part.trim() != part {
                            quoted(part, &mut out);
                        } else {
                            out.push_str(part);
                        }
                    }
                    out.push(']');
                }
            }
        }
        out
    }
}

/// The path as it is parsed back.
impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plain = self.written(false);
        // Names with colons or `@` can run into their neighbours; in quotation marks nothing does.
        if Self::parse(&plain).as_ref() == Ok(self) { f.write_str(&plain) } else { f.write_str(&self.written(true)) }
    }
}

/// Whether an element of a list is the one that `[key=wanted]` means.
pub(super) fn element_is(element: &serde_json::Value, key: &str, wanted: &str) -> bool {
    match element.as_object().and_then(|object| object.get(key)) {
        Some(serde_json::Value::String(text)) => text == wanted,
        Some(serde_json::Value::Bool(value)) => wanted == if *value { "true" } else { "false" },
        Some(serde_json::Value::Number(number)) => number.to_string() == wanted,
        _ => false,
    }
}

fn is_plain(key: &str) -> bool {
    !key.is_empty() && key.trim() == key && !key.contains(['"', '[', ']', '\\']) && (!key.contains('.') || key.contains('@') || has_urn(key))
}

fn has_urn(key: &str) -> bool {
    key.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"))
}

fn quoted(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        if c == '"' || c == '\\' {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
}

struct Parser {
    chars: Vec<char>,
    at: usize,
}

impl Parser {
    fn path(mut self) -> Result<Path, PathError> {
        if self.chars.len() > MAX_CHARS {
            return Err(PathError { at: MAX_CHARS, reason: t!("mapping.path.too_long", n = MAX_CHARS) });
        }
        if self.chars.iter().all(|c| c.is_whitespace()) {
            return Err(self.fail(0, t!("mapping.path.empty")));
        }
        let mut steps = Vec::new();
        while let Some(c) = self.peek() {
            if steps.len() == MAX_STEPS {
                return Err(self.fail(self.at, &t!("mapping.path.too_deep", n = MAX_STEPS)));
            }
            match c {
                '[' => steps.push(self.bracket()?),
                ']' => return Err(self.fail(self.at, t!("mapping.path.stray_bracket"))),
                '.' if steps.is_empty() => return Err(self.fail(self.at, t!("mapping.path.no_key"))),
                '.' => {
                    self.at += 1;
                    steps.push(self.name()?);
                }
                _ if steps.is_empty() => steps.push(self.name()?),
                _ => return Err(self.fail(self.at, t!("mapping.path.after_bracket"))),
            }
        }
        Ok(Path { steps })
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    /// `at` is 0-based.
    fn fail(&self, at: usize, reason: &str) -> PathError {
        PathError { at: at.min(self.chars.len()) + 1, reason: reason.to_owned() }
    }

    fn name(&mut self) -> Result<Step, PathError> {
        let start = self.at;
        let urn = self.urn_at(start);
        let mut annotated = false;
        while let Some(c) = self.peek() {
            match c {
                '[' | ']' => break,
                '"' => return Err(self.fail(self.at, t!("mapping.path.quote_in_name"))),
                '.' if !(annotated || urn && self.colon_follows()) => break,
                _ => annotated |= c == '@',
            }
            self.at += 1;
        }
        if self.at == start {
            let reason = if self.peek().is_none() { t!("mapping.path.ends_in_dot") } else { t!("mapping.path.no_key") };
            return Err(self.fail(start, reason));
        }
        Ok(Step::Key(self.chars[start..self.at].iter().collect()))
    }

    fn urn_at(&self, at: usize) -> bool {
        self.chars.get(at..at + 4).is_some_and(|four| four.iter().zip("urn:".chars()).all(|(a, b)| a.eq_ignore_ascii_case(&b)))
    }

    /// Whether, from the dot here, a colon comes before the next bracket or the next URN.
    fn colon_follows(&self) -> bool {
        for at in self.at..self.chars.len() {
            match self.chars[at] {
                ':' => return true,
                '[' | ']' => return false,
                '.' if self.urn_at(at + 1) => return false,
                _ => {}
            }
        }
        false
    }

    fn bracket(&mut self) -> Result<Step, PathError> {
        let open = self.at;
        self.at += 1;
        if self.peek() == Some('"') {
            let text = self.quoted()?;
            if self.peek() == Some('=') {
                return self.condition(text, open);
            }
            self.close(open)?;
            return Ok(Step::Key(text));
        }
        let start = self.at;
        while self.peek().is_some_and(|c| !matches!(c, ']' | '=' | '[' | '"')) {
            self.at += 1;
        }
        let text: String = self.chars[start..self.at].iter().collect();
        match self.peek() {
            Some('=') if !text.trim().is_empty() => self.condition(text.trim().to_owned(), open),
            Some(']') => {
                // Digits alone: `parse` would also take a plus sign.
                let index = if text.bytes().all(|b| b.is_ascii_digit()) { text.parse().ok() } else { None };
                let index = index.ok_or_else(|| self.fail(start, t!("mapping.path.bad_index")))?;
                self.at += 1;
                Ok(Step::Index(index))
            }
            None => Err(self.fail(open, t!("mapping.path.open_bracket"))),
            _ => Err(self.fail(start, t!("mapping.path.bad_index"))),
        }
    }

    fn condition(&mut self, key: String, open: usize) -> Result<Step, PathError> {
        self.at += 1;
        let value = if self.peek() == Some('"') {
            self.quoted()?
        } else {
            let start = self.at;
            while self.peek().is_some_and(|c| c != ']') {
                self.at += 1;
            }
            self.chars[start..self.at].iter().collect::<String>().trim().to_owned()
        };
        self.close(open)?;
        Ok(Step::Where { key, value })
    }

    fn close(&mut self, open: usize) -> Result<(), PathError> {
        match self.peek() {
            Some(']') => {
                self.at += 1;
                Ok(())
            }
            None => Err(self.fail(open, t!("mapping.path.open_bracket"))),
            Some(_) => Err(self.fail(self.at, t!("mapping.path.bad_index"))),
        }
    }

    fn quoted(&mut self) -> Result<String, PathError> {
        let open = self.at;
        self.at += 1;
        let mut text = String::new();
        loop {
            match self.peek() {
                None => return Err(self.fail(open, t!("mapping.path.open_quote"))),
                Some('"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some('\\') => {
                    match self.chars.get(self.at + 1) {
                        Some(c @ ('"' | '\\')) => text.push(*c),
                        _ => return Err(self.fail(self.at, t!("mapping.path.bad_escape"))),
                    }
                    self.at += 2;
                }
                Some(c) => {
                    text.push(c);
                    self.at += 1;
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn key(name: &str) -> Step {
        Step::Key(name.to_owned())
    }

    fn when(key: &str, value: &str) -> Step {
        Step::Where { key: key.to_owned(), value: value.to_owned() }
    }

    const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";

    #[test]
    fn what_parses() {
        let urn = |rest: &str| format!("{ENTERPRISE}{rest}");
        let cases: Vec<(String, Vec<Step>)> = vec![
            ("email".into(), vec![key("email")]),
            ("profile.email".into(), vec![key("profile"), key("email")]),
            ("emails[0].value".into(), vec![key("emails"), Step::Index(0), key("value")]),
            ("emails[type=work].value".into(), vec![key("emails"), when("type", "work"), key("value")]),
            ("emails[ type = work ].value".into(), vec![key("emails"), when("type", "work"), key("value")]),
            ("a[\"x=y\"=\"]\"]".into(), vec![key("a"), when("x=y", "]")]),
            ("a[b=]".into(), vec![key("a"), when("b", "")]),
            ("[\"odd.key\"]".into(), vec![key("odd.key")]),
            ("a[\"b \\\"c\\\\\"].d".into(), vec![key("a"), key("b \"c\\"), key("d")]),
            ("[3][4]".into(), vec![Step::Index(3), Step::Index(4)]),
            ("User Name".into(), vec![key("User Name")]),
            ("größe.naïve".into(), vec![key("größe"), key("naïve")]),
            (urn(""), vec![key(ENTERPRISE)]),
            (urn(".department"), vec![key(ENTERPRISE), key("department")]),
            (urn(".manager.value"), vec![key(ENTERPRISE), key("manager"), key("value")]),
            (urn(".managers[type=a:b].value"), vec![key(ENTERPRISE), key("managers"), when("type", "a:b"), key("value")]),
            ("x.urn:a:1.0:B.urn:c:2.0:D.e".into(), vec![key("x"), key("urn:a:1.0:B"), key("urn:c:2.0:D"), key("e")]),
            ("@odata.nextLink".into(), vec![key("@odata.nextLink")]),
            ("[\"@odata.nextLink\"]".into(), vec![key("@odata.nextLink")]),
            ("value[0].manager@odata.bind".into(), vec![key("value"), Step::Index(0), key("manager@odata.bind")]),
            ("a:b.c".into(), vec![key("a:b"), key("c")]),
        ];
        for (text, steps) in cases {
            assert_eq!(Path::parse(&text), Ok(Path { steps }), "{text}");
        }
    }

    #[test]
    fn what_does_not_parse_says_where() {
        for (text, at) in [
            ("", 1),
            ("  ", 1),
            (".a", 1),
            ("a.", 3),
            ("a..b", 3),
            ("a]", 2),
            ("a[", 2),
            ("a[0", 2),
            ("a[]", 3),
            ("a[-1]", 3),
            ("a[+1]", 3),
            ("a[x]", 3),
            ("a[=x]", 3),
            ("a[\"b", 3),
            ("a[\"b\\n\"]", 5),
            ("a[\"b\"x]", 6),
            ("a[0]b", 5),
            ("a\"b", 2),
            ("a[99999999999999999999999]", 3),
        ] {
            assert_eq!(Path::parse(text).map_err(|error| error.at), Err(at), "{text:?}");
        }
        assert!(Path::parse(&"a.".repeat(200)).is_err());
        assert!(Path::parse(&"a".repeat(MAX_CHARS + 1)).is_err());
        assert!(Path::parse(&format!("a{}", "[0]".repeat(MAX_STEPS - 1))).is_ok());
        assert!(Path::parse(&format!("a{}", "[0]".repeat(MAX_STEPS))).is_err());
    }

    #[test]
    fn what_is_found() {
        let record = json!({
            "profile": {"email": "ada@example.com", "none": null},
            "emails": [{"type": "home", "value": "h"}, {"type": "work", "value": "w"}, {"type": "work", "value": "w2"}, 5],
            "phones": [{"primary": true, "n": 1}, {"rank": 2, "n": 2}],
            "odd.key": {"a b": [10, 20]},
            "@odata.nextLink": "https://example.com",
            ENTERPRISE: {"department": "Engines"},
        });
        for (path, found) in [
            ("profile.email", Some(json!("ada@example.com"))),
            ("profile.none", Some(json!(null))),
            ("profile.email.deeper", None),
            ("profile[0]", None),
            ("emails[1].value", Some(json!("w"))),
            ("emails[4]", None),
            ("emails[type=work].value", Some(json!("w"))),
            ("emails[type=other].value", None),
            ("emails.value", None),
            ("phones[primary=true].n", Some(json!(1))),
            ("phones[rank=2].n", Some(json!(2))),
            ("[\"odd.key\"].a b[1]", Some(json!(20))),
            ("@odata.nextLink", Some(json!("https://example.com"))),
            ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department", Some(json!("Engines"))),
        ] {
            assert_eq!(Path::parse(path).unwrap().get(&record), found.as_ref(), "{path}");
        }
    }

    /// Paths over a small alphabet, so that they meet values of [`value`].
    pub fn path() -> impl Strategy<Value = Path> {
        let name = prop_oneof![4 => "[a-c]", 1 => "[a-c:.@ \"\\\\=\\[\\]]{0,4}", 1 => "urn:[a-c.:]{0,5}", 1 => ".{0,3}"];
        let step = prop_oneof![
            4 => name.clone().prop_map(Step::Key),
            1 => (0usize..3).prop_map(Step::Index),
            1 => (name, "[a-c]|1|true|.{0,2}").prop_map(|(key, value)| Step::Where { key, value }),
        ];
        proptest::collection::vec(step, 1..5).prop_map(|steps| Path { steps })
    }

    pub fn value() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(json!(null)),
            any::<bool>().prop_map(|b| json!(b)),
            (-3i64..3).prop_map(|n| json!(n)),
            (-9i32..9).prop_map(|n| json!(f64::from(n) / 4.0)),
            "[a-c]".prop_map(|s| json!(s)),
        ];
        leaf.prop_recursive(5, 48, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                proptest::collection::vec(("[a-c]", inner), 0..4).prop_map(|pairs| serde_json::Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn parsing_never_panics(text in "\\PC{0,60}") {
            let _ = Path::parse(&text);
        }

        #[test]
        fn parsing_never_panics_near_the_grammar(text in "[a.\\[\\]=\"\\\\:@0 u r n]{0,30}") {
            if let Ok(path) = Path::parse(&text) {
                prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
            }
        }

        #[test]
        fn a_written_path_is_read_back(path in path()) {
            prop_assert_eq!(Path::parse(&path.to_string()), Ok(path));
        }
    }
}
