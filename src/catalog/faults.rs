//! What is wrong with a definition: where, what, and how to mend it.

use std::collections::BTreeSet;

use super::parse::{self, Lines};
use super::{addresses, input, is_id, template};
use crate::model::{AuthKind, AuthMethod, ClientAuth, Connector, Format, Input, Paging, Resource};
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

pub fn wrong_id(text: &str, id: &str, file: &str) -> DefinitionFault {
    fault(Lines::new(text).line(&[Key("id")]), words!("catalog.fault.file_name", id = clean::line(id, 80), file = clean::line(file, 80)))
}

/// Everything that is wrong with a definition. `stem` is the file's name without `.toml`; `path` judges a path into a record.
#[must_use]
pub fn check(text: &str, stem: &str, path: &dyn Fn(&str) -> Result<(), String>) -> Vec<DefinitionFault> {
    let (connector, faults) = parse::lenient(text);
    let Some(connector) = connector else { return faults };
    let mut check = Check { lines: Lines::new(text), faults, connector: &connector, path };
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
        for (i, id) in twice(c.resources.iter().map(|resource| resource.id.as_str())) {
            report!(self, [Key("resource"), Index(i), Key("id")], "catalog.fault.twice", what = "resource", key = short(id));
        }
        for (i, resource) in c.resources.iter().enumerate() {
            self.resource(i, resource);
        }
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

    fn method(&mut self, name: &str, method: &'c AuthMethod) {
        let here = [Key("auth"), Key(name)];
        let at = |rest: &[Place<'c>]| -> Vec<Place<'_>> { here.iter().copied().chain(rest.iter().copied()).collect() };
        if method.name.trim().is_empty() {
            report!(self, at(&[Key("name")]), "catalog.fault.empty", key = "name");
        }
        self.inputs(&here, &method.inputs);
        let known = self.connector.inputs_for(name);
        let names: BTreeSet<String> = known.iter().map(|input| format!("input.{}", input.key)).collect();
        let has = |key: &str| known.iter().any(|input| input.key == key);
        let secret = |key: &str| known.iter().any(|input| input.key == key && input.secret);

        for (key, list, needed) in [
            ("authorize_url", &method.authorize_url, method.kind == AuthKind::OAuth2Code),
            ("token_url", &method.token_url, matches!(method.kind, AuthKind::OAuth2Code | AuthKind::ClientCredentials)),
            ("refresh_url", &method.refresh_url, false),
            ("revoke_url", &method.revoke_url, false),
        ] {
            if needed && list.is_empty() && !has(key) {
                report!(self, here, "catalog.fault.no_address", key = key, method = short(name));
            }
            for one in list {
                self.address(&at(&[Key(key)]), one, &names);
            }
        }
        if let Some(issuer) = &method.issuer {
            self.address(&at(&[Key("issuer")]), issuer, &names);
        }
        for (request, params) in &method.params {
            if !["authorize", "token", "refresh"].contains(&request.as_str()) {
                report!(self, at(&[Key("params")]), "catalog.fault.params", request = short(request));
            }
            for value in params.values() {
                self.template(&at(&[Key("params")]), value, &names);
            }
        }
        let scope_ids: BTreeSet<&str> = method.scopes.catalog.iter().map(|scope| scope.id.as_str()).collect();
        for (i, id) in twice(method.scopes.catalog.iter().map(|scope| scope.id.as_str())) {
            report!(self, at(&[Key("scopes"), Key("catalog"), Index(i)]), "catalog.fault.twice", what = "scope", key = short(id));
        }
        for (i, scope) in method.scopes.catalog.iter().enumerate() {
            if scope.meaning.trim().is_empty() {
                report!(self, at(&[Key("scopes"), Key("catalog"), Index(i)]), "catalog.fault.no_meaning", scope = short(&scope.id));
            }
        }
        for scope in &method.scopes.default {
            self.template(&at(&[Key("scopes"), Key("default")]), scope, &names);
            if !scope_ids.is_empty() && !scope_ids.contains(scope.as_str()) {
                report!(self, at(&[Key("scopes"), Key("default")]), "catalog.fault.unknown_scope", scope = short(scope));
            }
        }
        for (key, value) in [("access", &method.lifetime.access), ("refresh", &method.lifetime.refresh)] {
            if value.as_ref().is_some_and(|value| value.parse::<jiff::Span>().is_err()) {
                report!(self, at(&[Key("lifetime"), Key(key)]), "catalog.fault.duration", value = short(value.as_deref().unwrap_or_default()));
            }
        }
        let response = &method.response;
        for (key, path) in [("access", &response.access), ("refresh", &response.refresh), ("expires", &response.expires)] {
            if let Some(path) = path {
                self.record_path(&at(&[Key("response"), Key(key)]), path);
            }
        }
        for path in response.capture.values() {
            self.record_path(&at(&[Key("response"), Key("capture")]), path);
        }
        match method.kind {
            AuthKind::OAuth2Code | AuthKind::ClientCredentials => {
                if !has("client_id") {
                    report!(self, here, "catalog.fault.no_input", method = short(name), key = "client_id");
                }
                let needs_secret = method.kind == AuthKind::ClientCredentials || method.client_auth != ClientAuth::None;
                if needs_secret && !secret("client_secret") {
                    report!(self, here, "catalog.fault.no_secret", method = short(name), key = "client_secret");
                }
            }
            AuthKind::ApiKey | AuthKind::Bearer => {
                let default = if method.kind == AuthKind::ApiKey { "api_key" } else { "token" };
                let key = method.placement.input.as_deref().unwrap_or(default);
                if !secret(key) {
                    report!(self, here, "catalog.fault.no_secret", method = short(name), key = short(key));
                }
                for (key, value) in [("header", &method.placement.header), ("query", &method.placement.query), ("prefix", &method.placement.prefix)] {
                    if let Some(value) = value {
                        self.template(&at(&[Key("placement"), Key(key)]), value, &names);
                    }
                }
                if method.placement.header.is_some() && method.placement.query.is_some() {
                    report!(self, at(&[Key("placement")]), "catalog.fault.placement");
                }
            }
            AuthKind::Basic => {
                for (key, value) in [("username", &method.username), ("password", &method.password)] {
                    match value {
                        Some(value) => self.template(&at(&[Key(key)]), value, &names),
                        None if !has(key) => report!(self, here, "catalog.fault.no_input", method = short(name), key = key),
                        None => {}
                    }
                }
                if !known.iter().any(|input| input.secret) {
                    report!(self, here, "catalog.fault.no_secret", method = short(name), key = "password");
                }
            }
            _ => {}
        }
        let only_files = !self.connector.resources.is_empty() && self.connector.resources.iter().all(|r| r.format == Format::File);
        let tested = self.connector.checks.iter().any(|check| check.auth.is_empty() || check.auth.iter().any(|a| a == name));
        let by_opening = only_files && method.kind == AuthKind::None;
        if !tested && !by_opening {
            report!(self, here, "catalog.fault.no_check", method = short(name));
        }
    }

    /// Every input that any method asks for, every address setting, and everything that is captured.
    fn names(&self) -> BTreeSet<String> {
        let c = self.connector;
        let inputs = c.inputs.iter().chain(c.auth.values().flat_map(|method| &method.inputs)).map(|input| format!("input.{}", input.key));
        let found = c.auth.values().flat_map(|method| method.response.capture.keys()).map(|key| format!("found.{key}"));
        inputs.chain(found).collect()
    }

    fn request(&mut self) {
        let c = self.connector;
        let names = self.names();
        for one in &c.request.base_url {
            self.address(&[Key("request"), Key("base_url")], one, &names);
        }
        for (part, values) in [("headers", &c.request.headers), ("query", &c.request.query)] {
            for (key, value) in values {
                self.template(&[Key("request"), Key(part), Key(key)], value, &names);
            }
        }
        let relative = |path: &str| !path.starts_with("https://") && !path.starts_with("http://");
        let needs = c.checks.iter().any(|check| relative(&check.path)) || c.resources.iter().any(|r| r.format == Format::Json && relative(&r.path));
        if needs && c.request.base_url.is_empty() && !names.contains("input.base_url") {
            report!(self, [Key("request"), Key("base_url")], "catalog.fault.no_base");
        }
        if c.limit.requests.is_some() != c.limit.per.is_some()
            || c.limit.per == Some(0)
            || c.limit.requests == Some(0)
            || c.limit.concurrency == Some(0)
        {
            report!(self, [Key("limit")], "catalog.fault.limit");
        }
    }

    fn errors(&mut self) {
        for (i, rule) in self.connector.errors.iter().enumerate() {
            if rule.status.is_none() && rule.when.is_none() {
                report!(self, [Key("error"), Index(i)], "catalog.fault.rule");
            }
            if rule.status.is_some_and(|status| !(100..=599).contains(&status)) {
                report!(self, [Key("error"), Index(i), Key("status")], "catalog.fault.status");
            }
            if let Some(when) = &rule.when {
                self.expression(&[Key("error"), Index(i), Key("when")], when);
            }
        }
    }

    fn checks(&mut self) {
        let names = self.names();
        let connector = self.connector;
        for (i, check) in connector.checks.iter().enumerate() {
            let at = [Key("check"), Index(i)];
            self.http_method(&[at[0], at[1], Key("method")], &check.method);
            self.template(&[at[0], at[1], Key("path")], &check.path, &names);
            for value in check.query.values() {
                self.template(&[at[0], at[1], Key("query")], value, &names);
            }
            if check.proves.trim().is_empty() {
                report!(self, [at[0], at[1], Key("proves")], "catalog.fault.empty", key = "proves");
            }
            if let Some(ok) = &check.ok {
                self.expression(&[at[0], at[1], Key("ok")], ok);
            }
            for method in &check.auth {
                if !connector.auth.contains_key(method) {
                    report!(self, [at[0], at[1], Key("auth")], "catalog.fault.unknown_method", method = short(method));
                }
            }
        }
    }

    fn resource(&mut self, i: usize, resource: &'c Resource) {
        let names = self.names();
        let here = [Key("resource"), Index(i)];
        let at = |key: &'static str| [here[0], here[1], Key(key)];
        if resource.id.is_empty() || !resource.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_') {
            report!(self, at("id"), "catalog.fault.bad_id", id = short(&resource.id));
        }
        if resource.name.trim().is_empty() {
            report!(self, at("name"), "catalog.fault.empty", key = "name");
        }
        if resource.key.trim().is_empty() {
            report!(self, at("key"), "catalog.fault.no_key", resource = short(&resource.id));
        } else {
            self.record_path(&at("key"), &resource.key);
            if !resource.fields.is_empty() && !resource.fields.iter().any(|field| field.path == resource.key) {
                report!(self, at("key"), "catalog.fault.key_not_listed", key = short(&resource.key));
            }
        }
        self.http_method(&at("method"), &resource.method);
        self.template(&at("path"), &resource.path, &names);
        for value in resource.query.values() {
            self.template(&at("query"), value, &names);
        }
        self.template_path(&at("records"), &resource.records, &names);
        if let Some(active) = &resource.active {
            self.template_path(&[here[0], here[1], Key("active"), Key("path")], &active.path, &names);
            if active.values.is_empty() {
                report!(self, [here[0], here[1], Key("active"), Key("values")], "catalog.fault.empty", key = "values");
            }
        }
        for (f, path) in twice(resource.fields.iter().map(|field| field.path.as_str())) {
            report!(self, [here[0], here[1], Key("field"), Index(f), Key("path")], "catalog.fault.twice", what = "field", key = short(path));
        }
        for (f, field) in resource.fields.iter().enumerate() {
            self.record_path(&[here[0], here[1], Key("field"), Index(f), Key("path")], &field.path);
            if field.label.trim().is_empty() {
                report!(self, [here[0], here[1], Key("field"), Index(f), Key("label")], "catalog.fault.empty", key = "label");
            }
        }
        self.paging(&at("paging"), &resource.paging, &names);
        for (key, paging) in &resource.pagings {
            self.paging(&[here[0], here[1], Key("pagings"), Key(key)], paging, &names);
        }
        match &resource.paging_by {
            Some(by) => {
                self.template(&at("paging_by"), by, &names);
                if resource.pagings.is_empty() || resource.paging != Paging::None {
                    report!(self, at("paging_by"), "catalog.fault.paging_by");
                }
            }
            None if !resource.pagings.is_empty() => report!(self, at("pagings"), "catalog.fault.paging_by"),
            None => {}
        }
    }

    fn paging(&mut self, at: &[Place<'_>], paging: &Paging, names: &BTreeSet<String>) {
        let (params, paths, sizes): (Vec<&String>, Vec<&String>, Option<u64>) = match paging {
            Paging::None => return,
            Paging::Page { param, size_param, size, more, total, first: _ } => {
                ([param].into_iter().chain(size_param).collect(), more.iter().chain(total).collect(), *size)
            }
            Paging::Offset { param, size_param, size, total } => {
                ([param].into_iter().chain(size_param).collect(), total.iter().collect(), Some(*size))
            }
            Paging::Cursor { param, next, size_param, size, more, path: _ } => {
                ([param].into_iter().chain(size_param).collect(), [next].into_iter().chain(more).collect(), *size)
            }
            Paging::LinkHeader { size_param, size } => (size_param.iter().collect(), vec![], *size),
            Paging::NextUrl { next, size_param, size, total } => (size_param.iter().collect(), [next].into_iter().chain(total).collect(), *size),
            Paging::Scim { size } => (vec![], vec![], Some(*size)),
        };
        if sizes == Some(0) {
            report!(self, at, "catalog.fault.size");
        }
        for param in params {
            self.template(at, param, names);
        }
        for path in paths {
            self.template_path(at, path, names);
        }
    }

    fn http_method(&mut self, at: &[Place<'_>], method: &str) {
        if !["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"].contains(&method) {
            report!(self, at, "catalog.fault.http_method", method = short(method));
        }
    }

    fn expression(&mut self, at: &[Place<'_>], expression: &str) {
        if let Err(reason) = template::check_expression(expression, &["status", "body", "headers"]) {
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
    fn template(&mut self, at: &[Place<'_>], text: &str, names: &BTreeSet<String>) {
        match template::names(text) {
            Err(reason) => report!(self, at, "catalog.fault.template", template = short(text), reason = reason),
            Ok(used) => {
                for name in used {
                    let setting = name.strip_prefix("input.").is_some_and(|key| addresses::SETTINGS.contains(&key));
                    let found = name.starts_with("found.") && self.captured(&name);
                    if !names.contains(&name) && !setting && !found {
                        report!(self, at, "catalog.fault.unknown_name", name = short(&name), template = short(text));
                    }
                }
            }
        }
    }

    fn captured(&self, name: &str) -> bool {
        name.strip_prefix("found.").is_some_and(|key| self.connector.auth.values().any(|method| method.response.capture.contains_key(key)))
    }

    /// An address template: readable, and https (http for loopback only) as far as its fixed part tells.
    fn address(&mut self, at: &[Place<'_>], text: &str, names: &BTreeSet<String>) {
        self.template(at, text, names);
        let ok = if template::is_plain(text) { addresses::check("", text).is_ok() } else { text.starts_with("https://") || text.starts_with("{{") };
        if !ok {
            report!(self, at, "catalog.fault.address", url = short(text));
        }
    }
}
