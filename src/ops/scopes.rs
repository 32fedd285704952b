//! Scopes: asked for, granted, and needed by the integrations that use a credential.

use std::collections::BTreeSet;

use super::{Result, Workspace, credentials};
use crate::auth::{home::Home, jwt};
use crate::mapping::expression::Expression;
use crate::mapping::path::Path;
use crate::model::{Credential, Integration, Mapped, Scope};
use crate::words::clean;

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ScopeReport {
    /// Whether the vendor said what it granted; nothing said means all that was asked (RFC 6749 §5.1).
    pub said: bool,
    pub rows: Vec<ScopeRow>,
    /// What cannot work with what was granted.
    pub broken: Vec<BrokenField>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct ScopeRow {
    pub scope: String,
    /// The definition's words; empty where it has none.
    pub meaning: String,
    pub asked: bool,
    pub granted: bool,
    /// Integrations that need it, by name.
    pub needed_by: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct BrokenField {
    pub integration: String,
    /// The source field, or empty for the whole resource.
    pub field: String,
    pub scope: String,
}

/// Compares what was asked, what was granted, and what the mapped fields of the integrations need.
pub fn report(ws: &Workspace, credential: &str) -> Result<ScopeReport> {
    let credential = credentials::get(ws, credential)?;
    let connector = ws.catalog().get(&credential.connector)?;
    // A token made by hand, or an application's own permission, goes by the names that another method lists.
    let own = connector.auth.get(&credential.method).into_iter();
    let lists = own.chain(connector.auth.values()).map(|method| method.scopes.catalog.as_slice());
    let catalog = lists.into_iter().find(|list| !list.is_empty()).unwrap_or_default();
    let granted = granted(ws, &credential);
    let needs: Vec<Needs> = credentials::used_by(ws, &credential.id)?.iter().map(Needs::of).collect();
    Ok(compare(catalog, &credential.scopes, &granted, &needs))
}

/// What is known about the vendor's grant.
enum Granted {
    /// The vendor listed it.
    Said(Vec<String>),
    /// The vendor said nothing, and so granted what was asked.
    Asked(Vec<String>),
    Unknown,
}

fn granted(ws: &Workspace, credential: &Credential) -> Granted {
    if credential.known.scopes_said {
        return Granted::Said(credential.granted.clone());
    }
    // A token may say it itself: Entra names delegated permissions in `scp` and an application's own in `roles`. A vault that is locked
    // keeps the answer to itself.
    let home = ws.store().and_then(|store| Home::new(store, ws.vault(), credential));
    let token = home.and_then(|home| home.load_now()).ok().and_then(|held| held.tokens);
    if let Some(token) = token.and_then(|tokens| jwt::decode(&tokens.access)) {
        let said: Vec<String> = ["scp", "scope", "roles"].iter().flat_map(|claim| token.list(claim)).map(|scope| clean::line(&scope, 200)).collect();
        if !said.is_empty() {
            return Granted::Said(said);
        }
    }
    // `.default` stands for whatever an administrator has consented to.
    let open = |scope: &String| scope.ends_with("/.default") || scope == ".default";
    if credential.granted.is_empty() || credential.granted.iter().any(open) {
        return Granted::Unknown;
    }
    Granted::Asked(credential.granted.clone())
}

/// What one integration reads.
struct Needs {
    integration: String,
    resource: String,
    /// Paths of source fields, as the mapping writes them.
    paths: BTreeSet<String>,
}

impl Needs {
    fn of(integration: &Integration) -> Self {
        let mut paths = BTreeSet::new();
        let named = |text: &str| Expression::parse(text).map(|expression| expression.names().to_vec()).unwrap_or_default();
        for mapping in &integration.mappings {
            match &mapping.from {
                Mapped::Path(path) => {
                    paths.insert(path.clone());
                }
                Mapped::Expression(text) => paths.extend(named(text)),
                Mapped::Constant(_) | Mapped::CredentialName | Mapped::SyncTime => {}
            }
        }
        paths.extend(integration.filter.as_deref().map(named).unwrap_or_default());
        Self { integration: integration.name.clone(), resource: integration.resource.clone(), paths }
    }

    /// The fields of this integration that a scope opens; an empty text is the whole resource.
    fn opened_by(&self, scope: &Scope) -> Vec<String> {
        if scope.resources.contains(&self.resource) {
            return vec![String::new()];
        }
        let fields = scope.fields.iter().filter_map(|field| field.strip_prefix(&self.resource)?.strip_prefix('.'));
        fields.filter(|field| self.paths.iter().any(|path| touches(path, field))).map(str::to_owned).collect()
    }
}

/// Whether reading `path` reads `field`: the same, a part of it, or all that it is a part of.
fn touches(path: &str, field: &str) -> bool {
    let within = |inner: &str, outer: &str| inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
    // A path in brackets means the same as one with dots.
    let plain = Path::parse(path).map_or_else(|_| path.to_owned(), |path| path.to_string());
    within(&plain, field) || within(field, &plain)
}

/// The same scope, whichever way it is written: Entra's token responses name `https://graph.microsoft.com/User.Read.All` as `User.Read.All`,
/// and take either.
fn same(a: &str, b: &str) -> bool {
    let ends = |long: &str, short: &str| !short.contains('/') && long.rsplit_once('/').is_some_and(|(_, last)| last.eq_ignore_ascii_case(short));
    a.eq_ignore_ascii_case(b) || ends(a, b) || ends(b, a)
}

fn holds(granted: &[String], scope: &str) -> bool {
    granted.iter().any(|one| same(one, scope))
}

/// Whether a scope is there, by itself or within another one.
fn covered(catalog: &[Scope], granted: &[String], id: &str, depth: usize) -> bool {
    if holds(granted, id) {
        return true;
    }
    let known = catalog.iter().find(|scope| same(&scope.id, id));
    depth > 0 && known.is_some_and(|scope| scope.implied_by.iter().any(|wider| covered(catalog, granted, wider, depth - 1)))
}

fn compare(catalog: &[Scope], asked: &[String], granted: &Granted, needs: &[Needs]) -> ScopeReport {
    let (said, list): (bool, &[String]) = match granted {
        Granted::Said(list) => (true, list),
        Granted::Asked(list) => (false, list),
        Granted::Unknown => (false, &[]),
    };
    let mut report = ScopeReport { said, ..ScopeReport::default() };
    let opened: Vec<(&Scope, &Needs, Vec<String>)> = catalog
        .iter()
        .flat_map(|scope| needs.iter().map(move |need| (scope, need, need.opened_by(scope))))
        .filter(|(.., fields)| !fields.is_empty())
        .collect();
    let mut ids: Vec<&str> = Vec::new();
    let needed = opened.iter().map(|(scope, ..)| scope.id.as_str());
    for id in asked.iter().map(String::as_str).chain(list.iter().map(String::as_str)).chain(needed) {
        if !ids.iter().any(|known| same(known, id)) {
            ids.push(id);
        }
    }
    for id in ids {
        let mut needed_by: Vec<String> =
            opened.iter().filter(|(scope, ..)| same(&scope.id, id)).map(|(_, need, _)| need.integration.clone()).collect();
        needed_by.dedup();
        report.rows.push(ScopeRow {
            scope: id.to_owned(),
            meaning: catalog.iter().find(|scope| same(&scope.id, id)).map(|scope| scope.meaning.clone()).unwrap_or_default(),
            asked: holds(asked, id),
            granted: covered(catalog, list, id, 8),
            needed_by,
        });
    }
    if !matches!(granted, Granted::Unknown) {
        for (scope, need, fields) in opened.into_iter().filter(|(scope, ..)| !covered(catalog, list, &scope.id, 8)) {
            let broken = fields.into_iter().map(|field| BrokenField { integration: need.integration.clone(), field, scope: scope.id.clone() });
            report.broken.extend(broken);
        }
    }
    report
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(id: &str, resources: &[&str], fields: &[&str], implied_by: &[&str]) -> Scope {
        let list = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        Scope {
            id: id.to_owned(),
            meaning: format!("Meaning of {id}"),
            resources: list(resources),
            fields: list(fields),
            implied_by: list(implied_by),
        }
    }

    fn needs(integration: &str, resource: &str, paths: &[&str]) -> Needs {
        Needs { integration: integration.to_owned(), resource: resource.to_owned(), paths: paths.iter().map(|&path| path.to_owned()).collect() }
    }

    fn list(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    #[test]
    fn what_a_missing_scope_breaks_is_named() {
        let catalog = [
            scope("users:read", &["users"], &[], &[]),
            scope("users:read.email", &[], &["users.profile.email"], &[]),
            scope("files:read", &["files"], &[], &[]),
        ];
        let needs = [needs("People", "users", &["id", "profile.email"]), needs("Names", "users", &["name"]), needs("All", "users", &["profile"])];
        let report = compare(&catalog, &list(&["users:read", "users:read.email"]), &Granted::Said(list(&["users:read"])), &needs);
        let rows: Vec<_> = report.rows.iter().map(|row| (row.scope.as_str(), row.asked, row.granted, row.needed_by.join(","))).collect();
        assert_eq!(rows, [("users:read", true, true, "People,Names,All".to_owned()), ("users:read.email", true, false, "People,All".to_owned())]);
        let broken: Vec<_> = report.broken.iter().map(|one| (one.integration.as_str(), one.field.as_str(), one.scope.as_str())).collect();
        assert_eq!(broken, [("People", "profile.email", "users:read.email"), ("All", "profile.email", "users:read.email")]);
        assert!(report.said && report.rows[0].meaning == "Meaning of users:read");
        let nothing = compare(&catalog, &[], &Granted::Said(Vec::new()), &needs[1..2]);
        assert_eq!(nothing.broken, [BrokenField { integration: "Names".into(), field: String::new(), scope: "users:read".into() }]);
    }

    #[test]
    fn a_wider_scope_does_and_the_unknown_breaks_nothing() {
        let catalog = [
            scope("User.Read.All", &["users"], &[], &["Directory.Read.All"]),
            scope("Directory.Read.All", &["groups"], &[], &["Directory.ReadWrite.All"]),
        ];
        let needs = [needs("People", "users", &[])];
        for granted in
            ["User.Read.All", "https://graph.microsoft.com/User.Read.All", "user.read.all", "Directory.Read.All", "Directory.ReadWrite.All"]
        {
            let report = compare(&catalog, &[], &Granted::Said(list(&[granted])), &needs);
            assert!(report.broken.is_empty(), "{granted}: {report:?}");
        }
        assert_eq!(compare(&catalog, &[], &Granted::Asked(list(&["User.Read"])), &needs).broken.len(), 1);
        let unknown = compare(&catalog, &list(&["https://graph.microsoft.com/.default"]), &Granted::Unknown, &needs);
        assert!(unknown.broken.is_empty() && !unknown.said);
        // A circle in a definition is no trap.
        let circle = [scope("a", &["users"], &[], &["b"]), scope("b", &[], &[], &["a"])];
        assert_eq!(compare(&circle, &[], &Granted::Said(list(&["c"])), &needs).broken.len(), 1);
    }

    #[test]
    fn a_path_touches_a_field_and_its_parts() {
        for (path, field, expected) in [
            ("email", "email", true),
            ("email.value", "email", true),
            ("emails[0].value", "emails", true),
            ("profile", "profile.email", true),
            ("emailed", "email", false),
            ("a.email", "email", false),
        ] {
            assert_eq!(touches(path, field), expected, "{path} {field}");
        }
    }
}
