//! What each connector definition has, and what it lacks: for those who write them.

use serde::Serialize;

use super::{Result, Workspace};
use crate::catalog;
use crate::model::{AuthKind, Connector, ConnectorStatus, Format, Origin, Resource, ResourceKind};

/// The connectors that intertie sets out to have, one a line: identifier, name.
const LIST: &str = include_str!("../../assets/catalog.csv");

/// One connector, defined or only wished for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Coverage {
    pub id: String,
    pub name: String,
    /// Whether it is on the list of those that there should be.
    pub listed: bool,
    /// `None`: there is no definition.
    pub status: Option<ConnectorStatus>,
    pub methods: Vec<MethodCoverage>,
    pub resources: Vec<ResourceCoverage>,
    pub docs: String,
    pub notes: usize,
    /// Its French name.
    pub french: Option<String>,
    /// Texts in other languages, names aside.
    pub texts: usize,
    pub lacks: Vec<Lack>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodCoverage {
    pub method: String,
    pub kind: AuthKind,
    /// Whether a request proves it.
    pub tested: bool,
    pub setup: usize,
    pub scopes: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ResourceCoverage {
    pub id: String,
    pub kind: ResourceKind,
    pub paging: &'static str,
    pub fields: usize,
    /// Whether the vendor's own word for inactive is known.
    pub active: bool,
    /// Whether "changed since" is known.
    pub changed: bool,
}

/// What a definition can lack. Not every lack is a fault: some vendors have no users.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lack {
    Definition,
    Check,
    Setup,
    SetupUrl,
    /// Who at the vendor can do the setup.
    Role,
    Source,
    Resources,
    Users,
    Fields,
    Active,
    Limit,
    French,
}

/// Every connector of the catalog and of the list, by identifier.
pub fn coverage(ws: &Workspace) -> Result<Vec<Coverage>> {
    let mut listed: Vec<(&str, &str)> = LIST.lines().skip(1).filter_map(|line| line.split_once(',')).collect();
    let mut all = Vec::new();
    for row in ws.catalog().rows() {
        let at = listed.iter().position(|(id, _)| *id == row.id);
        if let Some(at) = at {
            listed.swap_remove(at);
        }
        all.push(of(&*ws.catalog().get(&row.id)?, at.is_some()));
    }
    all.extend(listed.into_iter().map(|(id, name)| Coverage {
        id: id.to_owned(),
        name: name.to_owned(),
        listed: true,
        status: None,
        methods: Vec::new(),
        resources: Vec::new(),
        docs: String::new(),
        notes: 0,
        french: None,
        texts: 0,
        lacks: vec![Lack::Definition],
    }));
    all.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(all)
}

fn of(c: &Connector, listed: bool) -> Coverage {
    let only_files = !c.resources.is_empty() && c.resources.iter().all(|resource| resource.format == Format::File);
    // What is read of files alone is tested by opening them.
    let opened = |key: &str| {
        let mut reads = c.resources_for(key).peekable();
        reads.peek().is_some() && reads.all(|resource| resource.format == Format::File)
    };
    let method = |(key, method): (&String, &crate::model::AuthMethod)| MethodCoverage {
        method: key.clone(),
        kind: method.kind,
        tested: opened(key) || c.checks.iter().any(|check| check.auth.is_empty() || check.auth.contains(key)),
        setup: method.setup.len(),
        scopes: method.scopes.catalog.len(),
    };
    let methods: Vec<MethodCoverage> = c.auth.iter().map(method).collect();
    let resource = |resource: &Resource| ResourceCoverage {
        id: resource.id.clone(),
        kind: resource.kind,
        paging: if resource.paging_by.is_some() { "chosen" } else { resource.paging.kind() },
        fields: resource.fields.len(),
        active: resource.active.is_some(),
        changed: !resource.changed.is_empty(),
    };
    let resources: Vec<ResourceCoverage> = c.resources.iter().map(resource).collect();
    let users = || resources.iter().filter(|resource| resource.kind == ResourceKind::Users);
    let http = !only_files && c.status != ConnectorStatus::Practice;
    let lacks = [
        (Lack::Check, methods.iter().any(|method| !method.tested) || methods.is_empty()),
        (Lack::Setup, methods.iter().any(|method| method.setup == 0)),
        (Lack::SetupUrl, http && c.auth.values().any(|method| method.setup_url.is_empty() && method.kind != AuthKind::None)),
        (Lack::Role, http && c.auth.values().any(|method| method.role.is_empty() && method.kind != AuthKind::None)),
        (Lack::Source, (c.docs.is_empty() && c.notes.is_empty()) || (c.origin == Origin::BuiltIn && !catalog::cites(c))),
        (Lack::Resources, resources.is_empty()),
        (Lack::Users, !resources.is_empty() && users().next().is_none()),
        (Lack::Fields, resources.iter().any(|resource| resource.fields == 0)),
        (Lack::Active, users().any(|resource| !resource.active)),
        (Lack::Limit, http && c.limit == crate::model::Limit::default()),
        (Lack::French, !c.names.contains_key("fr")),
    ];
    Coverage {
        id: c.id.clone(),
        name: c.name.clone(),
        listed,
        status: Some(c.status),
        docs: c.docs.clone(),
        notes: c.notes.len(),
        french: c.names.get("fr").cloned(),
        texts: c.text.values().map(indexmap::IndexMap::len).sum(),
        lacks: lacks.into_iter().filter(|(_, lacks)| *lacks).map(|(lack, _)| lack).collect(),
        methods,
        resources,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ops::Config;

    #[test]
    fn everything_is_there_once() {
        let dir = tempfile::tempdir().unwrap();
        let ws = Workspace::open(dir.path(), Config::default());
        let all = coverage(&ws).unwrap();
        let ids: std::collections::BTreeSet<&str> = all.iter().map(|one| one.id.as_str()).collect();
        assert_eq!(ids.len(), all.len());
        assert_eq!(all.iter().filter(|one| one.listed).count(), LIST.lines().count() - 1);
        assert_eq!(all.iter().filter(|one| one.status.is_some()).count(), ws.catalog().rows().len());
        let okta = all.iter().find(|one| one.id == "okta").unwrap();
        assert!(okta.methods.iter().all(|method| method.tested) && okta.resources.iter().any(|one| one.paging == "link_header"), "{okta:#?}");
        // What has no definition lacks that, and nothing else is said of it.
        assert!(all.iter().all(|one| one.status.is_none() == (one.lacks == [Lack::Definition])));
    }

    #[test]
    fn lacks_are_found() {
        let bare: Connector = toml::from_str(
            "schema = 1\nid = 'acme'\nname = 'Acme'\n[auth.token]\nkind = 'bearer'\nname = 'T'\n\
             [[resource]]\nid = 'users'\nname = 'Users'\nkind = 'users'\npath = '/users'\nkey = 'id'",
        )
        .unwrap();
        let lacks = of(&bare, false).lacks;
        assert_eq!(
            lacks,
            [Lack::Check, Lack::Setup, Lack::SetupUrl, Lack::Role, Lack::Source, Lack::Fields, Lack::Active, Lack::Limit, Lack::French]
        );
    }
}
