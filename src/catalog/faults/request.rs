//! What is wrong with requests: their defaults, error rules, checks and resources.

use indexmap::IndexMap;

use super::Place::{Index, Key};
use super::{Check, Names, Place, fault, short, twice};
use crate::catalog::{list_and_member, template};
use crate::model::{Format, Paging, Resource};

/// What "changed since" can name.
const SINCE: [&str; 3] = ["since", "since_unix", "since_date"];

/// What a text that holds the place in a list can name; one of the first two must be there.
pub const PLACE: [&str; 3] = ["offset", "start", "size"];

/// What goes with a request beside its path.
struct Parts<'r> {
    method: &'r str,
    query: &'r IndexMap<String, String>,
    headers: &'r IndexMap<String, String>,
    body: Option<&'r serde_json::Value>,
    form: &'r IndexMap<String, String>,
}

impl<'c> Check<'c> {
    /// Every input that any method asks for, every address setting, and everything that is captured.
    fn names(&self) -> Names {
        let c = self.connector;
        let inputs = c.inputs.iter().chain(c.auth.values().flat_map(|method| &method.inputs)).map(|input| format!("input.{}", input.key));
        inputs.chain(c.auth.values().flat_map(super::method::found)).collect()
    }

    pub(super) fn request(&mut self) {
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
        let needs = c.checks.iter().any(|check| relative(&check.path)) || c.resources.iter().any(|r| r.format != Format::File && relative(&r.path));
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

    pub(super) fn errors(&mut self) {
        for (i, rule) in self.connector.errors.iter().enumerate() {
            if rule.status.is_none() && rule.when.is_none() {
                report!(self, [Key("error"), Index(i)], "catalog.fault.rule");
            }
            if rule.status.is_some_and(|status| !(100..=599).contains(&status)) {
                report!(self, [Key("error"), Index(i), Key("status")], "catalog.fault.status");
            }
            for (key, expression) in [("when", &rule.when), ("wait", &rule.wait)] {
                if let Some(expression) = expression {
                    self.expression(&[Key("error"), Index(i), Key(key)], expression, &["status", "body", "headers"]);
                }
            }
        }
    }

    pub(super) fn checks(&mut self) {
        let names = self.names();
        for (i, check) in self.connector.checks.iter().enumerate() {
            let at = [Key("check"), Index(i)];
            self.request_path(&[at[0], at[1], Key("path")], &check.path, &names);
            let (query, headers, body, form) = (&check.query, &check.headers, check.body.as_ref(), &check.form);
            self.parts(&at, &Parts { method: &check.method, query, headers, body, form }, &names);
            if check.proves.trim().is_empty() {
                report!(self, [at[0], at[1], Key("proves")], "catalog.fault.empty", key = "proves");
            }
            if let Some(ok) = &check.ok {
                self.expression(&[at[0], at[1], Key("ok")], ok, &["status", "body"]);
            }
            self.methods(&[at[0], at[1], Key("auth")], &check.auth);
        }
    }

    fn methods(&mut self, at: &[Place<'_>], methods: &[String]) {
        for method in methods {
            if !self.connector.auth.contains_key(method) {
                report!(self, at, "catalog.fault.unknown_method", method = short(method));
            }
        }
    }

    fn parts(&mut self, here: &[Place<'_>; 2], parts: &Parts<'_>, names: &Names) {
        let at = |key: &'static str| [here[0], here[1], Key(key)];
        self.http_method(&at("method"), parts.method);
        for (key, values) in [("query", parts.query), ("headers", parts.headers), ("form", parts.form)] {
            self.templates(&at(key), values.values(), names);
        }
        if let Some(body) = parts.body {
            self.json(&at("body"), body, names);
            if !parts.form.is_empty() {
                report!(self, at("body"), "catalog.fault.two_bodies");
            }
        }
        if (parts.body.is_some() || !parts.form.is_empty()) && matches!(parts.method, "GET" | "HEAD") {
            report!(self, at("method"), "catalog.fault.body_of_get", method = short(parts.method));
        }
    }

    pub(super) fn resource(&mut self, i: usize, resource: &'c Resource) {
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
        if resource.format != Format::Json {
            self.template(&at("path"), &resource.path, &names);
        } else {
            self.request_path(&at("path"), &resource.path, &names);
        }
        let (query, headers, body, form) = (&resource.query, &resource.headers, resource.body.as_ref(), &resource.form);
        self.parts(&here, &Parts { method: &resource.method, query, headers, body, form }, &names);
        self.methods(&at("auth"), &resource.auth);
        let since: Names = names.iter().cloned().chain(SINCE.map(str::to_owned)).collect();
        self.templates(&at("changed"), resource.changed.values(), &since);
        let in_body = body.is_some();
        if template::is_plain(&resource.records) {
            let (list, member) = list_and_member(&resource.records);
            for path in [list, member].into_iter().filter(|path| !path.is_empty()) {
                self.record_path(&at("records"), path);
            }
        } else {
            self.template(&at("records"), &resource.records, &names);
        }
        if let Some(active) = &resource.active {
            self.template_path(&[here[0], here[1], Key("active"), Key("path")], &active.path, &names);
            if active.values.is_empty() == active.unless_bits.is_none() {
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
        self.paging(&at("paging"), &resource.paging, in_body, &names);
        for (key, paging) in &resource.pagings {
            self.paging(&[here[0], here[1], Key("pagings"), Key(key)], paging, in_body, &names);
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

    fn paging(&mut self, at: &[Place<'_>], paging: &Paging, in_body: bool, names: &Names) {
        let (params, paths, sizes): (Vec<&String>, Vec<&String>, Option<u64>) = match paging {
            Paging::None => return,
            Paging::Page { param, size_param, size, more, total, first: _ } => {
                ([param].into_iter().chain(size_param).collect(), more.iter().chain(total).collect(), *size)
            }
            Paging::Offset { param, value, size_param, size, more, total } => {
                if let Some(value) = value {
                    self.paging_value(at, value, names);
                }
                ([param].into_iter().chain(size_param).collect(), more.iter().chain(total).collect(), Some(*size))
            }
            Paging::Cursor { param, next, size_param, size, more, path } => {
                if let Some(path) = path {
                    self.request_path(at, path, names);
                }
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
            if in_body {
                self.template_path(at, param, names);
            } else {
                self.template(at, param, names);
            }
        }
        for path in paths {
            self.template_path(at, path, names);
        }
    }

    /// A text that holds the place in a list. One that does not would ask for the same page again and again.
    fn paging_value(&mut self, at: &[Place<'_>], value: &str, names: &Names) {
        let known: Names = names.iter().cloned().chain(PLACE.map(str::to_owned)).collect();
        self.template(at, value, &known);
        if template::names(value).is_ok_and(|used| !used.iter().any(|name| name == PLACE[0] || name == PLACE[1])) {
            report!(self, at, "catalog.fault.paging_value", value = short(value));
        }
    }
}
