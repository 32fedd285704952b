//! What is wrong with a way to authenticate.

use std::collections::BTreeSet;

use super::Place::{Index, Key};
use super::{Check, Names, Place, fault, short, twice};
use crate::model::{AuthKind, AuthMethod, Choose, ClientAuth, Discover, Format, Input, Jwt, Placement, Scopes, Step};

/// Requests that can have extra parameters.
const REQUESTS: [&str; 5] = ["authorize", "token", "refresh", "device", "request"];

/// What a method keeps under `found`.
pub(super) fn found(method: &AuthMethod) -> Vec<String> {
    let response = &method.response;
    let kept = response.capture.keys().chain(response.callback.keys()).chain(response.claims.keys());
    let kept = kept.chain(method.discover.iter().flat_map(|one| one.save.keys())).chain(method.steps.iter().flat_map(|step| step.capture.keys()));
    kept.map(|name| format!("found.{name}")).collect()
}

/// A method under examination.
struct Method<'m> {
    name: &'m str,
    method: &'m AuthMethod,
    inputs: Vec<&'m Input>,
    names: Names,
}

impl Method<'_> {
    fn has(&self, key: &str) -> bool {
        self.inputs.iter().any(|input| input.key == key)
    }

    fn secret(&self, key: &str) -> bool {
        self.inputs.iter().any(|input| input.key == key && input.secret)
    }

    fn at<'p>(&'p self, rest: &[Place<'p>]) -> Vec<Place<'p>> {
        [Key("auth"), Key(self.name)].into_iter().chain(rest.iter().copied()).collect()
    }
}

impl<'c> Check<'c> {
    pub(super) fn method(&mut self, name: &'c str, method: &'c AuthMethod) {
        let inputs = self.connector.inputs_for(name);
        let names = inputs.iter().map(|input| format!("input.{}", input.key)).chain(found(method)).collect();
        let m = Method { name, method, inputs, names };
        if method.name.trim().is_empty() {
            report!(self, m.at(&[Key("name")]), "catalog.fault.empty", key = "name");
        }
        self.page(&m.at(&[Key("setup_url")]), &method.setup_url);
        self.inputs(&m.at(&[]), &method.inputs);
        self.addresses(&m);
        self.parameters(&m);
        self.scopes(&m, &method.scopes);
        self.answers(&m);
        if let Some(jwt) = &method.jwt {
            self.jwt(&m, jwt);
        }
        self.steps(&m);
        self.discovered(&m);
        self.needs(&m);
        self.placements(&m);
        let mut reads = self.connector.resources_for(name).peekable();
        let only_files = reads.peek().is_some() && reads.all(|r| r.format == Format::File);
        let tested = self.connector.checks.iter().any(|check| check.auth.is_empty() || check.auth.iter().any(|a| a == name));
        let by_opening = only_files && method.kind == AuthKind::None;
        if !tested && !by_opening {
            report!(self, m.at(&[]), "catalog.fault.no_check", method = short(name));
        }
    }

    fn addresses(&mut self, m: &Method<'_>) {
        let method = m.method;
        let elsewhere = !method.metadata_url.is_empty() || method.issuer.is_some() || m.has("metadata_url") || m.has("issuer");
        let redeems =
            matches!(method.kind, AuthKind::OAuth2Code | AuthKind::Device | AuthKind::ClientCredentials | AuthKind::JwtBearer | AuthKind::Password);
        // OAuth 1.0a has no document that addresses could come from.
        let elsewhere = elsewhere && method.kind != AuthKind::OAuth1;
        // One address of the three makes it a consent (RFC 5849 §2).
        let oauth1 = method.kind == AuthKind::OAuth1;
        let request_url = method.oauth1.as_ref().map(|plain| &plain.request_url[..]).unwrap_or_default();
        let delegates = oauth1 && !(request_url.is_empty() && method.authorize_url.is_empty() && method.token_url.is_empty());
        if delegates && request_url.is_empty() {
            report!(self, m.at(&[]), "catalog.fault.no_address", key = "oauth1.request_url", method = short(m.name));
        }
        for one in request_url {
            self.address(&m.at(&[Key("oauth1"), Key("request_url")]), one, &m.names);
        }
        for (key, list, needed) in [
            ("metadata_url", &method.metadata_url, false),
            ("authorize_url", &method.authorize_url, method.kind == AuthKind::OAuth2Code || delegates),
            ("token_url", &method.token_url, redeems || delegates),
            ("refresh_url", &method.refresh_url, false),
            ("revoke_url", &method.revoke_url, false),
            ("device_url", &method.device_url, method.kind == AuthKind::Device),
            ("par_url", &method.par_url, false),
            ("register_url", &method.register_url, false),
        ] {
            if needed && list.is_empty() && !m.has(key) && !elsewhere {
                report!(self, m.at(&[]), "catalog.fault.no_address", key = key, method = short(m.name));
            }
            for one in list {
                self.address(&m.at(&[Key(key)]), one, &m.names);
            }
        }
        if let Some(issuer) = &method.issuer {
            self.address(&m.at(&[Key("issuer")]), issuer, &m.names);
        }
        if method.revokes_grant.is_some() && !method.needs_consent() {
            report!(self, m.at(&[Key("revokes_grant")]), "catalog.fault.revokes_grant", method = short(m.name));
        }
        let redirect = &method.redirect;
        if redirect.path.as_ref().is_some_and(|path| !path.starts_with('/')) {
            report!(self, m.at(&[Key("redirect"), Key("path")]), "catalog.fault.redirect_path");
        }
        if redirect.host.as_ref().is_some_and(|host| !["127.0.0.1", "localhost", "[::1]", "::1"].contains(&host.as_str())) {
            report!(self, m.at(&[Key("redirect"), Key("host")]), "catalog.fault.redirect_host");
        }
    }

    fn parameters(&mut self, m: &Method<'_>) {
        for (request, params) in &m.method.params {
            if !REQUESTS.contains(&request.as_str()) {
                report!(self, m.at(&[Key("params"), Key(request)]), "catalog.fault.params", request = short(request));
            }
            self.templates(&m.at(&[Key("params"), Key(request)]), params.values(), &m.names);
        }
        self.templates(&m.at(&[Key("token_headers")]), m.method.token_headers.values(), &m.names);
        for (name, other) in &m.method.rename {
            if other.trim().is_empty() {
                report!(self, m.at(&[Key("rename"), Key(name)]), "catalog.fault.empty", key = short(name));
            }
        }
    }

    fn scopes(&mut self, m: &Method<'_>, scopes: &Scopes) {
        let connector = self.connector;
        let ids: BTreeSet<&str> = scopes.catalog.iter().map(|scope| scope.id.as_str()).collect();
        for (i, id) in twice(scopes.catalog.iter().map(|scope| scope.id.as_str())) {
            report!(self, m.at(&[Key("scopes"), Key("catalog"), Index(i)]), "catalog.fault.twice", what = "scope", key = short(id));
        }
        for (i, scope) in scopes.catalog.iter().enumerate() {
            let at = |key: &'static str| m.at(&[Key("scopes"), Key("catalog"), Index(i), Key(key)]);
            if scope.meaning.trim().is_empty() {
                report!(self, at("meaning"), "catalog.fault.no_meaning", scope = short(&scope.id));
            }
            for resource in scope.resources.iter().filter(|id| connector.resource(id).is_none()) {
                report!(self, at("resources"), "catalog.fault.unknown_resource", resource = short(resource));
            }
            for field in &scope.fields {
                let known = field.split_once('.').is_some_and(|(resource, path)| {
                    connector.resource(resource).is_some_and(|resource| resource.fields.iter().any(|field| field.path == path))
                });
                if !known {
                    report!(self, at("fields"), "catalog.fault.unknown_field", field = short(field));
                }
            }
            // A scope that includes it need not be one that intertie asks for: it may be a wider one that somebody granted.
            if scope.implied_by.iter().any(|other| other.trim().is_empty()) {
                report!(self, at("implied_by"), "catalog.fault.empty", key = "implied_by");
            }
        }
        for scope in &scopes.default {
            self.template(&m.at(&[Key("scopes"), Key("default")]), scope, &m.names);
            if !ids.is_empty() && !ids.contains(scope.as_str()) {
                report!(self, m.at(&[Key("scopes"), Key("default")]), "catalog.fault.unknown_scope", scope = short(scope));
            }
        }
    }

    /// Where a token response holds what, and how long it is good for.
    fn answers(&mut self, m: &Method<'_>) {
        let (response, lifetime) = (&m.method.response, &m.method.lifetime);
        for (key, value) in
            [("access", &lifetime.access), ("refresh", &lifetime.refresh), ("absolute", &lifetime.absolute), ("secret", &lifetime.secret)]
        {
            if let Some(value) = value {
                self.duration(&m.at(&[Key("lifetime"), Key(key)]), value);
            }
        }
        for (key, path) in [("access", &response.access), ("refresh", &response.refresh), ("expires", &response.expires), ("scope", &response.scope)]
        {
            if let Some(path) = path {
                self.paths(&m.at(&[Key("response"), Key(key)]), path);
            }
        }
        for (key, kept) in [("capture", &response.capture), ("claims", &response.claims)] {
            for path in kept.values() {
                self.paths(&m.at(&[Key("response"), Key(key)]), path);
            }
        }
        for (name, parameter) in &response.callback {
            if parameter.trim().is_empty() {
                report!(self, m.at(&[Key("response"), Key("callback")]), "catalog.fault.empty", key = short(name));
            }
        }
    }

    /// `a | b`: the first that is there.
    fn paths(&mut self, at: &[Place<'_>], paths: &str) {
        for path in paths.split('|') {
            self.record_path(at, path.trim());
        }
    }

    fn duration(&mut self, at: &[Place<'_>], value: &str) {
        if value.parse::<jiff::Span>().is_err() {
            report!(self, at, "catalog.fault.duration", value = short(value));
        }
    }

    fn jwt(&mut self, m: &Method<'_>, jwt: &Jwt) {
        let at = |key: &'static str| m.at(&[Key("jwt"), Key(key)]);
        let key = jwt.key.as_deref().unwrap_or("private_key");
        if !m.secret(key) {
            report!(self, at("key"), "catalog.fault.no_secret", method = short(m.name), key = short(key));
        }
        if let Some(passphrase) = &jwt.passphrase
            && !m.secret(passphrase)
        {
            report!(self, at("passphrase"), "catalog.fault.no_secret", method = short(m.name), key = short(passphrase));
        }
        let mut names = m.names.clone();
        names.insert("key_fingerprint".to_owned());
        if jwt.key_member.is_some() {
            names.insert("found.key.*".to_owned());
        }
        self.templates(&at("header"), jwt.header.values(), &names);
        self.templates(&at("claims"), jwt.claims.values(), &names);
        if ["x5t", "x5t#S256"].iter().any(|name| jwt.header.get(*name).is_some_and(|value| value == "certificate")) && !m.has("certificate") {
            report!(self, at("header"), "catalog.fault.no_input", method = short(m.name), key = "certificate");
        }
        if let Some(ttl) = &jwt.ttl {
            self.duration(&at("ttl"), ttl);
        }
    }

    fn steps(&mut self, m: &Method<'_>) {
        let mut names = m.names.clone();
        let mut saved = BTreeSet::new();
        for (i, step) in m.method.steps.iter().enumerate() {
            let at = |key: &'static str| m.at(&[Key("step"), Index(i), Key(key)]);
            let known = if step.refresh { m.names.iter().cloned().chain(["step.refresh".to_owned()]).collect() } else { names.clone() };
            self.http_method(&at("method"), &step.method);
            self.request_path(&at("url"), &step.url, &known);
            for (key, values) in [("query", &step.query), ("headers", &step.headers), ("form", &step.form)] {
                self.templates(&at(key), values.values(), &known);
            }
            if let Some(json) = &step.json {
                self.json(&at("json"), json, &known);
            }
            self.templates(&at("text"), &step.text, &known);
            if [!step.form.is_empty(), step.json.is_some(), step.text.is_some()].into_iter().filter(|there| *there).count() > 1 {
                report!(self, m.at(&[Key("step"), Index(i)]), "catalog.fault.two_bodies");
            }
            if let Some(ok) = &step.ok {
                self.expression(&at("ok"), ok, &["status", "body"]);
            }
            for (key, kept) in [("save", &step.save), ("capture", &step.capture)] {
                for (name, source) in kept {
                    self.saved(&m.at(&[Key("step"), Index(i), Key(key), Key(name)]), source);
                }
            }
            if step.refresh {
                if !step.save.contains_key("access") {
                    report!(self, at("save"), "catalog.fault.no_access", method = short(m.name));
                }
            } else {
                names.extend(step.save.keys().map(|name| format!("step.{name}")));
                saved.extend(step.save.keys().map(String::as_str));
            }
        }
        let refreshing: Vec<(usize, &Step)> = m.method.steps.iter().enumerate().filter(|(_, step)| step.refresh).collect();
        if let Some((second, _)) = refreshing.get(1) {
            report!(self, m.at(&[Key("step"), Index(*second)]), "catalog.fault.two_refreshes");
        }
        if let Some((i, _)) = refreshing.first()
            && !saved.contains("refresh")
        {
            report!(self, m.at(&[Key("step"), Index(*i)]), "catalog.fault.nothing_to_refresh");
        }
        if m.method.kind == AuthKind::Login && !saved.contains("access") {
            report!(self, m.at(&[]), "catalog.fault.no_access", method = short(m.name));
        }
    }

    /// Where a step takes a value from.
    fn saved(&mut self, at: &[Place<'_>], source: &str) {
        if source == "text" {
            return;
        }
        if let Some(name) = source.strip_prefix("header:").or_else(|| source.strip_prefix("cookie:")) {
            if name.trim().is_empty() {
                report!(self, at, "catalog.fault.save", source = short(source));
            }
        } else if let Some(pattern) = source.strip_prefix("regex:") {
            let built = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build();
            if built.is_ok_and(|regex| regex.captures_len() == 2) {
                return;
            }
            report!(self, at, "catalog.fault.save", source = short(source));
        } else {
            self.paths(at, source);
        }
    }

    fn discovered(&mut self, m: &Method<'_>) {
        let all: &[Discover] = &m.method.discover;
        for (i, id) in twice(all.iter().map(|one| one.id.as_str())) {
            report!(self, m.at(&[Key("discover"), Index(i), Key("id")]), "catalog.fault.twice", what = "discover", key = short(id));
        }
        for (i, one) in all.iter().enumerate() {
            let at = |key: &'static str| m.at(&[Key("discover"), Index(i), Key(key)]);
            if one.id.is_empty() || !one.id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
                report!(self, at("id"), "catalog.fault.bad_key", key = short(&one.id));
            }
            if one.title.trim().is_empty() {
                report!(self, at("title"), "catalog.fault.empty", key = "title");
            }
            self.http_method(&at("method"), &one.method);
            self.request_path(&at("path"), &one.path, &m.names);
            self.templates(&at("query"), one.query.values(), &m.names);
            if !one.records.is_empty() {
                self.record_path(&at("records"), &one.records);
            }
            self.record_path(&at("value"), &one.value);
            if let Some(label) = &one.label {
                self.paths(&at("label"), label);
            }
            for path in one.save.values() {
                self.paths(&at("save"), path);
            }
            match (&one.when, one.choose) {
                (Some(when), Choose::Match) => self.expression(&at("when"), when, &["item", "input"]),
                (None, Choose::Match) | (Some(_), _) => report!(self, at("when"), "catalog.fault.when"),
                (None, _) => {}
            }
        }
    }

    /// The inputs and tables that each kind cannot do without.
    fn needs(&mut self, m: &Method<'_>) {
        let (kind, method) = (m.method.kind, m.method);
        let inputs: &[&str] = match kind {
            AuthKind::OAuth2Code | AuthKind::Device | AuthKind::ClientCredentials => &["client_id"],
            AuthKind::Password => &["username"],
            AuthKind::OAuth1 if method.delegates() => &["consumer_key"],
            AuthKind::OAuth1 => &["consumer_key", "token"],
            AuthKind::AwsSigv4 => &["access_key_id"],
            AuthKind::Mtls => &["certificate"],
            _ => &[],
        };
        let registers = !method.register_url.is_empty();
        let there = |key: &str| m.has(key) || (registers && key == "client_id");
        for key in inputs.iter().filter(|key| !there(key)) {
            report!(self, m.at(&[]), "catalog.fault.no_input", method = short(m.name), key = key);
        }
        let mut secrets: Vec<&str> = match kind {
            AuthKind::Password => vec!["password"],
            AuthKind::OAuth1 if method.delegates() => vec!["consumer_secret"],
            AuthKind::OAuth1 => vec!["consumer_secret", "token_secret"],
            AuthKind::AwsSigv4 => vec!["secret_access_key"],
            AuthKind::Mtls => vec!["private_key"],
            _ => vec![],
        };
        let proves = method.has_token() && !matches!(kind, AuthKind::Login | AuthKind::OAuth1);
        match method.client_auth {
            ClientAuth::Post | ClientAuth::Basic => {
                let needed = match kind {
                    AuthKind::ClientCredentials => true,
                    AuthKind::OAuth2Code => !registers,
                    // Public clients are what the device flow is for, but there are others.
                    AuthKind::Password => m.has("client_id"),
                    _ => false,
                };
                if needed {
                    secrets.push("client_secret");
                }
            }
            // With `jwt` the table names its key.
            ClientAuth::PrivateKeyJwt if proves && method.jwt.is_none() => secrets.push("private_key"),
            ClientAuth::Mtls if proves => {
                secrets.push("private_key");
                if !m.has("certificate") {
                    report!(self, m.at(&[]), "catalog.fault.no_input", method = short(m.name), key = "certificate");
                }
            }
            ClientAuth::None if kind == AuthKind::ClientCredentials => secrets.push("client_secret"),
            _ => {}
        }
        for key in secrets.into_iter().filter(|key| !m.secret(key)) {
            report!(self, m.at(&[]), "catalog.fault.no_secret", method = short(m.name), key = key);
        }
        let table = match kind {
            AuthKind::JwtBearer | AuthKind::SignedJwt if method.jwt.is_none() => Some("jwt"),
            AuthKind::AwsSigv4 if method.sigv4.is_none() => Some("sigv4"),
            _ => None,
        };
        if let Some(key) = table {
            report!(self, m.at(&[]), "catalog.fault.no_table", method = short(m.name), key = key);
        }
        if let Some(sigv4) = &method.sigv4 {
            self.templates(&m.at(&[Key("sigv4")]), [&sigv4.service, &sigv4.region], &m.names);
        }
        if let Some(oauth1) = &method.oauth1 {
            self.templates(&m.at(&[Key("oauth1"), Key("realm")]), &oauth1.realm, &m.names);
        }
    }

    /// What goes on each request as it is.
    fn placements(&mut self, m: &Method<'_>) {
        let method = m.method;
        match method.kind {
            AuthKind::ApiKey | AuthKind::Bearer => {
                let default = if method.kind == AuthKind::ApiKey { "api_key" } else { "token" };
                let key = method.placement.input.as_deref().unwrap_or(default);
                if !m.secret(key) {
                    report!(self, m.at(&[]), "catalog.fault.no_secret", method = short(m.name), key = short(key));
                }
            }
            AuthKind::Basic => {
                for (key, value) in [("username", &method.username), ("password", &method.password)] {
                    match value {
                        Some(value) => self.template(&m.at(&[Key(key)]), value, &m.names),
                        None if !m.has(key) => report!(self, m.at(&[]), "catalog.fault.no_input", method = short(m.name), key = key),
                        None => {}
                    }
                }
                if !m.inputs.iter().any(|input| input.secret) {
                    report!(self, m.at(&[]), "catalog.fault.no_secret", method = short(m.name), key = "password");
                }
            }
            _ => {}
        }
        self.placement(&m.at(&[Key("placement")]), &method.placement, m);
        for (i, one) in method.also.iter().enumerate() {
            let at = m.at(&[Key("also"), Index(i)]);
            self.placement(&at, one, m);
            match &one.input {
                Some(key) if m.has(key) => {}
                Some(key) => report!(self, at, "catalog.fault.no_input", method = short(m.name), key = short(key)),
                None => report!(self, at, "catalog.fault.also"),
            }
        }
    }

    fn placement(&mut self, at: &[Place<'_>], placement: &Placement, m: &Method<'_>) {
        self.templates(at, [&placement.header, &placement.query, &placement.prefix].into_iter().flatten(), &m.names);
        if let Some(path) = &placement.body {
            self.record_path(at, path);
        }
        if [&placement.header, &placement.query, &placement.body].into_iter().flatten().count() > 1 {
            report!(self, at, "catalog.fault.placement");
        }
    }
}
