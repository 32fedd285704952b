//! The catalog, for people and scripts.

use std::collections::HashMap;
use std::path::PathBuf;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::facets::Facets;
use super::{Result, Workspace, credentials};
use crate::catalog::template::{self, Context};
use crate::catalog::{self, addresses};
use crate::model::{AuthMethod, Connector, CredentialStatus, Finding, Input, Time};

pub use crate::catalog::{AuthRow, ConnectorRow, DefinitionFault, Found, Place, search};

/// All connectors, or those that match, best first.
pub fn list(ws: &Workspace, search: Option<&str>) -> Result<Vec<ConnectorRow>> {
    let rows = ws.catalog().rows();
    Ok(match search {
        Some(query) => catalog::matching(rows, query),
        None => rows,
    })
}

/// What this workspace has of a connector.
#[derive(Debug, Clone, Copy, Default, PartialEq, serde::Serialize)]
pub struct Used {
    pub credentials: u32,
    pub drafts: u32,
    /// Of its credentials, the status that most wants a person.
    pub status: Option<CredentialStatus>,
    /// When a credential of it was made, tested or used in vain last, or a draft changed.
    pub last_used: Option<Time>,
}

/// By identifier of the connector.
pub type Usage = HashMap<String, Used>;

/// What this workspace has of each connector. A workspace that has no database yet has nothing, and gets none by the question.
pub fn used(ws: &Workspace) -> Result<Usage> {
    let mut usage = Usage::new();
    if !ws.has_store() {
        return Ok(usage);
    }
    for credential in credentials::list(ws)? {
        let used = usage.entry(credential.connector).or_default();
        used.credentials += 1;
        used.status = used.status.into_iter().chain([credential.status]).max_by_key(|status| urgency(*status));
        let tried = credential.last_test.map(|test| test.at);
        used.last_used = used.last_used.max(Some(credential.created)).max(credential.tested).max(tried);
    }
    for (connector, n, changed) in ws.store()?.drafted_connectors()? {
        let used = usage.entry(connector).or_default();
        used.drafts += n;
        used.last_used = used.last_used.max(Some(changed));
    }
    Ok(usage)
}

/// How much a status wants a person, least first.
fn urgency(status: CredentialStatus) -> u8 {
    match status {
        CredentialStatus::Valid => 0,
        CredentialStatus::Untested => 1,
        CredentialStatus::Unknown => 2,
        CredentialStatus::Expiring => 3,
        CredentialStatus::NeedsConsent => 4,
        CredentialStatus::Expired => 5,
        CredentialStatus::Refused => 6,
    }
}

/// Which connectors are asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    pub search: Option<String>,
    pub facets: Facets,
    /// Those that this workspace has used, the last one first.
    pub recent: bool,
}

/// A row of the catalog, and what this workspace has of it.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Listing {
    #[serde(flatten)]
    pub row: ConnectorRow,
    /// `None`: no credential, and no draft of one.
    pub connected: Option<Used>,
}

/// The connectors that fit: best first where something is searched, else by name, or the last used first.
pub fn find(ws: &Workspace, wanted: &Wanted) -> Result<Vec<Listing>> {
    let usage = used(ws)?;
    let rows = list(ws, wanted.search.as_deref())?;
    let listings = rows.into_iter().map(|row| Listing { connected: usage.get(&*row.id).copied(), row });
    let mut fit: Vec<Listing> = listings.filter(|one| wanted.facets.admit(&one.row, one.connected.as_ref())).collect();
    if wanted.recent {
        fit.retain(|one| one.connected.is_some());
        fit.sort_by_key(|one| std::cmp::Reverse(one.connected.and_then(|used| used.last_used)));
    }
    Ok(fit)
}

/// The whole definition.
pub fn get(ws: &Workspace, id: &str) -> Result<Connector> {
    Ok(ws.catalog().get(id)?.as_ref().clone())
}

/// The addresses and scopes as they come out for given inputs. What has no value yet stays in them as a template: `{{ input.tenant }}`.
///
/// `base_url`, the addresses, `scopes` and `missing` of the default method (or of the one that `inputs` names as `method`), and under `auth`
/// the same for every method. `missing` has the keys of the inputs without a value that an address or scope of the method still needs.
pub fn resolved(ws: &Workspace, id: &str, inputs: &IndexMap<String, String>) -> Result<Value> {
    let connector = ws.catalog().get(id)?;
    let chosen = inputs.get("method").filter(|method| connector.auth.contains_key(*method)).map(String::as_str);
    let chosen = chosen.or_else(|| connector.default_auth().map(|(key, _)| key)).unwrap_or_default().to_owned();
    let mut auth = Map::new();
    for (key, method) in &connector.auth {
        auth.insert(key.clone(), method_addresses(&connector, key, method, inputs));
    }
    let mut out = Map::new();
    out.insert("method".to_owned(), json!(chosen));
    match auth.get(&chosen) {
        Some(Value::Object(own)) => out.extend(own.clone()),
        _ => {
            let known = Known::new(&connector, &chosen, inputs);
            out.insert("base_url".to_owned(), known.address(|context| addresses::base_url(&connector, context), &connector.request.base_url));
        }
    }
    out.insert("auth".to_owned(), Value::Object(auth));
    Ok(Value::Object(out))
}

/// What is known of a method's inputs, and the same with a template in place of each required one that has no value.
struct Known {
    context: Context,
    open: Context,
}

impl Known {
    fn new(connector: &Connector, method: &str, inputs: &IndexMap<String, String>) -> Self {
        let context = Context::new(connector, method, inputs, &IndexMap::new());
        let mut open = context.clone();
        for input in connector.inputs_for(method).into_iter().filter(|input| !input.optional) {
            open.input.entry(input.key.clone()).or_insert_with(|| placeholder(&input.key));
        }
        Self { context, open }
    }

    fn address(&self, find: impl FnOnce(&Context) -> Result<Option<String>>, templates: &[String]) -> Value {
        match find(&self.context) {
            Ok(url) => json!(url),
            Err(_) => json!(template::first(templates, &self.open).ok().flatten().as_ref().or(templates.first())),
        }
    }
}

fn method_addresses(connector: &Connector, key: &str, method: &AuthMethod, inputs: &IndexMap<String, String>) -> Value {
    let known = &Known::new(connector, key, inputs);
    let refresh = if method.refresh_url.is_empty() { &method.token_url } else { &method.refresh_url };
    let request: &[String] = method.oauth1.as_ref().map_or(&[], |plain| &plain.request_url);
    let scopes = addresses::scopes(method, &[], &known.context).unwrap_or_else(|_| {
        method.scopes.default.iter().map(|scope| template::render(scope, &known.open).unwrap_or_else(|_| scope.clone())).collect()
    });
    let mut out = json!({
        "base_url": known.address(|context| addresses::base_url(connector, context), &connector.request.base_url),
        "authorize_url": known.address(|context| addresses::authorize_url(method, context).map(Some), &method.authorize_url),
        "token_url": known.address(|context| addresses::token_url(method, context).map(Some), &method.token_url),
        "refresh_url": known.address(|context| addresses::refresh_url(method, context).map(Some), refresh),
        "revoke_url": known.address(|context| addresses::revoke_url(method, context), &method.revoke_url),
        "device_url": known.address(|context| addresses::device_url(method, context), &method.device_url),
        "par_url": known.address(|context| addresses::par_url(method, context), &method.par_url),
        "register_url": known.address(|context| addresses::register_url(method, context), &method.register_url),
        "metadata_url": known.address(|context| addresses::metadata_url(method, context), &method.metadata_url),
        "request_url": known.address(|context| addresses::request_url(method, context).map(Some), request),
        "scopes": scopes,
    });
    let open = out.to_string();
    let missing: Vec<&str> =
        connector.inputs_for(key).into_iter().filter(|input| open.contains(&placeholder(&input.key))).map(|input| input.key.as_str()).collect();
    out["missing"] = json!(missing);
    out
}

/// What stands in an address for an input that has no value.
fn placeholder(key: &str) -> String {
    format!("{{{{ input.{key} }}}}")
}

/// Validates files, or everything that the workspace can see when none is given.
pub fn check(ws: &Workspace, files: &[PathBuf]) -> Result<Vec<DefinitionFault>> {
    let mut faults = Vec::new();
    if files.is_empty() {
        for id in catalog::built_in_ids() {
            faults.extend(in_file(catalog::built_in_file(id), ws.catalog().check_built_in(id, &path)));
        }
        for (file, _) in ws.catalog().user_files() {
            check_file(ws, &file, &mut faults);
        }
    }
    for file in files {
        check_file(ws, file, &mut faults);
    }
    Ok(faults)
}

fn check_file(ws: &Workspace, file: &std::path::Path, into: &mut Vec<DefinitionFault>) {
    let stem = file.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let found = match catalog::read(file) {
        Ok(text) => ws.catalog().check(&text, &stem, &path),
        Err(fault) => vec![fault],
    };
    into.extend(in_file(crate::words::clean::line(&file.display().to_string(), 300), found));
}

fn in_file(file: String, faults: Vec<DefinitionFault>) -> impl Iterator<Item = DefinitionFault> {
    faults.into_iter().map(move |fault| DefinitionFault { file: file.clone(), ..fault })
}

fn path(text: &str) -> std::result::Result<(), String> {
    crate::mapping::path::Path::parse(text).map(|_| ()).map_err(|error| error.to_string())
}

/// Faults in one input's value, found while typing: `place` is `input.KEY`.
#[must_use]
pub fn check_input(input: &Input, value: &str) -> Option<Finding> {
    catalog::input::check(input, value)
}

/// What was meant by a pasted value: without the spaces around it, and without the prefix and suffix that stand beside the field.
#[must_use]
pub fn tidy_input(input: &Input, value: &str) -> String {
    catalog::input::tidy(input, value)
}

/// A template of a definition (an address, a scope) as it comes out for these settings; as it stands where something is still missing.
#[must_use]
pub fn filled_in(connector: &Connector, method: &str, settings: &IndexMap<String, String>, template: &str) -> String {
    if catalog::template::is_plain(template) {
        return template.to_owned();
    }
    let context = Context::new(connector, method, settings, &IndexMap::new());
    catalog::template::render(template, &context).unwrap_or_else(|_| template.to_owned())
}

#[cfg(test)]
#[path = "connectors_tests.rs"]
mod tests;
