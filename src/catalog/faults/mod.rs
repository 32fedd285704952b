//! What is wrong with a definition: where, what, and how to mend it.

use std::collections::BTreeSet;

use super::extend::Missing;
use super::parse::{self, Lines, Text};
use super::{addresses, input, is_id, localised, template};
use crate::model::{Connector, Input};
use crate::words::clean;

/// One fault of a definition.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct DefinitionFault {
    pub file: String,
    /// 1-based.
    pub line: usize,
    pub what: String,
    /// How to mend it.
    pub mend: String,
}

/// A step into a definition.
#[derive(Debug, Clone, Copy)]
pub enum Place<'p> {
    Key(&'p str),
    Index(usize),
}

use Place::{Index, Key};

macro_rules! words {
    ($key:literal $(, $name:ident = $value:expr)* $(,)?) => {
        (
            $crate::words::render(const { $crate::words::id(concat!($key, ".what")) }, &[$((stringify!($name), &$value as &dyn ::std::fmt::Display)),*]),
            $crate::words::render(const { $crate::words::id(concat!($key, ".mend")) }, &[$((stringify!($name), &$value as &dyn ::std::fmt::Display)),*]),
        )
    };
}

fn fault(line: usize, (what, mend): (String, String)) -> DefinitionFault {
    DefinitionFault { file: String::new(), line, what, mend }
}

pub fn unreadable(reason: &str) -> DefinitionFault {
    fault(1, words!("catalog.fault.unreadable", reason = reason))
}

pub fn syntax(line: usize, message: &str) -> DefinitionFault {
    fault(line, words!("catalog.fault.syntax", reason = clean::line(message, 200)))
}

/// An error of deserialization, whose message is serde's.
pub fn shape(line: usize, message: &str) -> DefinitionFault {
    let quoted = |text: &str| clean::line(text.split('`').nth(1).unwrap_or(text), 60);
    if message.starts_with("unknown field") {
        let known = message.split_once("expected").map_or("", |(_, rest)| rest.trim_start_matches([' ', 'o', 'n', 'e', 'f']));
        let known = clean::line(&known.replace('`', ""), 400);
        return fault(line, words!("catalog.fault.unknown_key", key = quoted(message), known = known));
    }
    if message.starts_with("missing field") {
        return fault(line, words!("catalog.fault.missing_key", key = quoted(message)));
    }
    fault(line, words!("catalog.fault.shape", reason = clean::line(message, 200)))
}

pub fn no_base(line: usize, missing: &Missing) -> DefinitionFault {
    match missing {
        Missing::Unknown(id) => fault(line, words!("catalog.fault.no_such_base", id = clean::line(id, 80))),
        Missing::Broken(id) => fault(line, words!("catalog.fault.broken_base", id = clean::line(id, 80))),
        Missing::Endless => fault(line, words!("catalog.fault.endless_base")),
    }
}

pub fn nothing_removed(line: usize, path: &str) -> DefinitionFault {
    fault(line, words!("catalog.fault.nothing_removed", path = clean::line(path, 80)))
}

pub fn wrong_id(text: &str, id: &str, file: &str) -> DefinitionFault {
    fault(Lines::new(text).line(&[Key("id")]), words!("catalog.fault.file_name", id = clean::line(id, 80), file = clean::line(file, 80)))
}

/// Everything that is wrong with a definition. `stem` is the file's name without `.toml`; `path` judges a path into a record.
#[must_use]
pub fn check(text: &Text<'_>, stem: &str, path: &dyn Fn(&str) -> Result<(), String>) -> Vec<DefinitionFault> {
    let (connector, faults) = parse::lenient(text);
    let Some(connector) = connector else { return faults };
    let mut check = Check { lines: Lines::new(text.text), faults, connector: &connector, path };
    check.all(stem);
    let mut faults = check.faults;
    faults.sort_by(|a, b| (a.line, &a.what).cmp(&(b.line, &b.what)));
    faults.dedup();
    faults
}

struct Check<'c> {
    lines: Lines<'c>,
    faults: Vec<DefinitionFault>,
    connector: &'c Connector,
    path: &'c dyn Fn(&str) -> Result<(), String>,
}

/// `words!` at a place of the definition.
macro_rules! report {
    ($check:expr, $place:expr, $key:literal $(, $name:ident = $value:expr)* $(,)?) => {{
        let line = $check.lines.line(AsRef::<[Place<'_>]>::as_ref(&$place));
        $check.faults.push(fault(line, words!($key $(, $name = $value)*)));
    }};
}

mod mail;
mod method;
mod request;

/// The names that a template may use: `input.KEY`, `found.KEY`, `step.NAME`. One that ends in `.*` stands for all that begin so.
type Names = BTreeSet<String>;

/// A text of a definition as it is shown in a fault.
fn short(text: &str) -> String {
    clean::line(text, 80)
}

fn twice<'k>(keys: impl IntoIterator<Item = &'k str>) -> Vec<(usize, &'k str)> {
    let mut seen = BTreeSet::new();
    keys.into_iter().enumerate().filter(|(_, key)| !seen.insert(*key)).collect()
}

impl<'c> Check<'c> {
    fn all(&mut self, stem: &str) {
        let c = self.connector;
        if c.schema != 1 {
            report!(self, [Key("schema")], "catalog.fault.schema", found = c.schema);
        }
        if !is_id(&c.id) {
            report!(self, [Key("id")], "catalog.fault.bad_id", id = short(&c.id));
        } else if c.id != stem {
            report!(self, [Key("id")], "catalog.fault.file_name", id = short(&c.id), file = short(stem));
        }
        if c.name.trim().is_empty() {
            report!(self, [Key("name")], "catalog.fault.empty", key = "name");
        }
        for (key, page) in [("docs", &c.docs), ("homepage", &c.homepage)] {
            self.page(&[Key(key)], page);
        }
        self.inputs(&[], &c.inputs);
        if c.auth.is_empty() {
            report!(self, [Key("auth")], "catalog.fault.no_method");
        }
        if c.auth.values().filter(|method| method.default).count() > 1 {
            report!(self, [Key("auth")], "catalog.fault.defaults");
        }
        for (key, method) in &c.auth {
            self.method(key, method);
        }
        self.request();
        self.errors();
        self.checks();
        let (_, unknown) = localised::every_text(c);
        for (lang, key) in unknown {
            report!(self, [Key("text"), Key(&lang), Key(&key)], "catalog.fault.unknown_text", key = short(&key));
        }
        for (i, id) in twice(c.resources.iter().map(|resource| resource.id.as_str())) {
            report!(self, [Key("resource"), Index(i), Key("id")], "catalog.fault.twice", what = "resource", key = short(id));
        }
        for (i, resource) in c.resources.iter().enumerate() {
            self.resource(i, resource);
        }
        self.mail();
    }

    fn inputs(&mut self, before: &[Place<'_>], inputs: &[Input]) {
        let at = |rest: &[Place<'c>]| -> Vec<Place<'_>> { before.iter().copied().chain([Key("input")]).chain(rest.iter().copied()).collect() };
        for (i, key) in twice(inputs.iter().map(|input| input.key.as_str())) {
            report!(self, at(&[Index(i), Key("key")]), "catalog.fault.twice", what = "input", key = short(key));
        }
        for (i, one) in inputs.iter().enumerate() {
            let key = short(&one.key);
            let word = |s: &str| s.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') && !s.is_empty();
            if !word(&one.key) {
                report!(self, at(&[Index(i), Key("key")]), "catalog.fault.bad_key", key = key);
            }
            if one.label.trim().is_empty() {
                report!(self, at(&[Index(i), Key("label")]), "catalog.fault.empty", key = "label");
            }
            if one.help.trim().is_empty() {
                report!(self, at(&[Index(i), Key("help")]), "catalog.fault.no_help", key = key);
            }
            if one.secret && one.default.is_some() {
                report!(self, at(&[Index(i), Key("default")]), "catalog.fault.secret_default", key = key);
            }
            let pattern = match one.pattern.as_deref().map(input::pattern) {
                Some(Err(_)) => {
                    report!(self, at(&[Index(i), Key("pattern")]), "catalog.fault.pattern", key = key);
                    None
                }
                Some(Ok(regex)) => Some(regex),
                None => None,
            };
            for (name, value) in [("default", one.default.as_deref().unwrap_or_default()), ("example", one.example.as_str())] {
                let fits = value.is_empty()
                    || (pattern.as_ref().is_none_or(|regex| regex.is_match(value))
                        && (one.options.is_empty() || one.options.iter().any(|o| o == value)));
                if !fits {
                    report!(self, at(&[Index(i), Key(name)]), "catalog.fault.does_not_fit", key = key, name = name);
                }
            }
            for (w, warning) in one.warnings.iter().enumerate() {
                if input::pattern(&warning.pattern).is_err() {
                    report!(self, at(&[Index(i), Key("warning"), Index(w), Key("pattern")]), "catalog.fault.pattern", key = key);
                }
                if warning.message.trim().is_empty() {
                    report!(self, at(&[Index(i), Key("warning"), Index(w), Key("message")]), "catalog.fault.empty", key = "message");
                }
            }
        }
    }

    /// The address of a page for people; empty where there is none.
    fn page(&mut self, at: &[Place<'_>], url: &str) {
        if !url.is_empty() && addresses::check("", url.split('#').next().unwrap_or_default()).is_err() {
            report!(self, at, "catalog.fault.address", url = short(url));
        }
    }

    fn http_method(&mut self, at: &[Place<'_>], method: &str) {
        if !["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"].contains(&method) {
            report!(self, at, "catalog.fault.http_method", method = short(method));
        }
    }

    /// A condition over `known`.
    fn expression(&mut self, at: &[Place<'_>], expression: &str, known: &[&str]) {
        if let Err(reason) = template::check_expression(expression, known) {
            report!(self, at, "catalog.fault.expression", expression = short(expression), reason = reason);
        }
    }

    fn record_path(&mut self, at: &[Place<'_>], path: &str) {
        if let Err(reason) = (self.path)(path) {
            report!(self, at, "catalog.fault.path", path = short(path), reason = clean::line(&reason, 120));
        }
    }

    /// A path into a record that may be a template; empty means the record or body itself.
    fn template_path(&mut self, at: &[Place<'_>], path: &str, names: &BTreeSet<String>) {
        if !template::is_plain(path) {
            self.template(at, path, names);
        } else if !path.is_empty() {
            self.record_path(at, path);
        }
    }

    /// The names a template uses must be known: inputs, address settings, captured values.
    fn template(&mut self, at: &[Place<'_>], text: &str, names: &Names) {
        match template::names(text) {
            Err(reason) => report!(self, at, "catalog.fault.template", template = short(text), reason = reason),
            Ok(used) => {
                for name in used {
                    let setting = name.strip_prefix("input.").is_some_and(|key| addresses::SETTINGS.contains(&key));
                    let all = |known: &String| known.strip_suffix('*').is_some_and(|start| name.starts_with(start));
                    if !setting && !names.contains(&name) && !names.iter().any(all) {
                        report!(self, at, "catalog.fault.unknown_name", name = short(&name), template = short(text));
                    }
                }
            }
        }
    }

    fn templates<'v>(&mut self, at: &[Place<'_>], texts: impl IntoIterator<Item = &'v String>, names: &Names) {
        for text in texts {
            self.template(at, text, names);
        }
    }

    /// The texts of a JSON body.
    fn json(&mut self, at: &[Place<'_>], value: &serde_json::Value, names: &Names) {
        match value {
            serde_json::Value::String(text) => self.template(at, text, names),
            serde_json::Value::Array(list) => list.iter().for_each(|one| self.json(at, one, names)),
            serde_json::Value::Object(members) => members.values().for_each(|one| self.json(at, one, names)),
            _ => {}
        }
    }

    /// An address template: readable, and https (http for loopback only) as far as its fixed part tells.
    fn address(&mut self, at: &[Place<'_>], text: &str, names: &Names) {
        self.template(at, text, names);
        let ok = if template::is_plain(text) {
            addresses::check("", text).is_ok()
        } else {
            ["https://", "ldaps://", "imaps://", "imap://", "smtps://", "smtp://", "{{"].iter().any(|start| text.starts_with(start))
        };
        if !ok {
            report!(self, at, "catalog.fault.address", url = short(text));
        }
    }

    /// The path of a request: relative to the base URL, or an address.
    fn request_path(&mut self, at: &[Place<'_>], text: &str, names: &Names) {
        if text.contains("://") && !text.starts_with("{{") && !text.starts_with('/') {
            self.address(at, text, names);
        } else {
            self.template(at, text, names);
        }
    }
}

#[cfg(test)]
mod tests;
