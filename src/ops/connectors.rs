//! The catalog, for people and scripts.

use std::path::PathBuf;

use indexmap::IndexMap;
use serde_json::{Map, Value, json};

use super::{Result, Workspace};
use crate::catalog::template::{self, Context};
use crate::catalog::{self, addresses};
use crate::model::{AuthMethod, Connector, Finding, Input};

pub use crate::catalog::{AuthRow, ConnectorRow, DefinitionFault};

/// All connectors, or those that match, best first.
pub fn list(ws: &Workspace, search: Option<&str>) -> Result<Vec<ConnectorRow>> {
    let rows = ws.catalog().rows();
    Ok(match search {
        Some(query) => catalog::matching(rows, query),
        None => rows,
    })
}

/// The whole definition.
pub fn get(ws: &Workspace, id: &str) -> Result<Connector> {
    Ok(ws.catalog().get(id)?.as_ref().clone())
}

/// The addresses and scopes as they come out for given inputs. What has no value yet stays in them as a template: `{{ input.tenant }}`.
///
/// `base_url`, the `authorize_url`, `token_url`, `refresh_url`, `revoke_url` and `scopes` of the default method (or of the one that
/// `inputs` names as `method`), and under `auth` the same for every method.
pub fn resolved(ws: &Workspace, id: &str, inputs: &IndexMap<String, String>) -> Result<Value> {
    let connector = ws.catalog().get(id)?;
    let chosen = inputs.get("method").filter(|method| connector.auth.contains_key(*method)).map(String::as_str);
    let chosen = chosen.or_else(|| connector.default_auth().map(|(key, _)| key)).unwrap_or_default().to_owned();
    let mut auth = Map::new();
    for (key, method) in &connector.auth {
        auth.insert(key.clone(), method_addresses(method, &Known::new(&connector, key, inputs)));
    }
    let known = Known::new(&connector, &chosen, inputs);
    let mut out = Map::new();
    out.insert("method".to_owned(), json!(chosen));
    out.insert("base_url".to_owned(), known.address(|context| addresses::base_url(&connector, context), &connector.request.base_url));
    if let Some(Value::Object(own)) = auth.get(&chosen) {
        out.extend(own.clone());
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
            open.input.entry(input.key.clone()).or_insert_with(|| format!("{{{{ input.{} }}}}", input.key));
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

fn method_addresses(method: &AuthMethod, known: &Known) -> Value {
    let refresh = if method.refresh_url.is_empty() { &method.token_url } else { &method.refresh_url };
    let scopes = addresses::scopes(method, &[], &known.context).unwrap_or_else(|_| {
        method.scopes.default.iter().map(|scope| template::render(scope, &known.open).unwrap_or_else(|_| scope.clone())).collect()
    });
    json!({
        "authorize_url": known.address(|context| addresses::authorize_url(method, context).map(Some), &method.authorize_url),
        "token_url": known.address(|context| addresses::token_url(method, context).map(Some), &method.token_url),
        "refresh_url": known.address(|context| addresses::refresh_url(method, context).map(Some), refresh),
        "revoke_url": known.address(|context| addresses::revoke_url(method, context), &method.revoke_url),
        "scopes": scopes,
    })
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
