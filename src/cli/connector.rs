//! `intertie connector`: the catalog.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use indexmap::IndexMap;
use serde_json::{Value, json};

use super::output::{self, Table, Tone, cell};
use super::{Context, args, labels};
use crate::model::{self, Input};
use crate::ops::connectors::{Listing, Used};
use crate::ops::coverage::{self, Lack};
use crate::ops::facets::{self, Facet, Facets};
use crate::ops::{Result, checklist, connectors};
use crate::{problem, t};

#[derive(Subcommand)]
pub enum Connector {
    #[command(about = t!("cli.connector.list"))]
    List {
        #[arg(long, short, value_name = "TEXT", help = t!("cli.connector.search"))]
        search: Option<String>,
        #[command(flatten)]
        narrow: Narrow,
    },
    #[command(about = t!("cli.connector.show"))]
    Show {
        #[arg(value_name = "ID", help = t!("cli.connector.id"))]
        id: String,
        #[arg(long, value_name = "METHOD", help = t!("cli.connector.method"))]
        method: Option<String>,
        #[arg(long, value_name = "KEY=VALUE", value_parser = args::pair, help = t!("cli.connector.set"))]
        set: Vec<(String, String)>,
        #[arg(long, help = t!("cli.connector.checklist"))]
        checklist: bool,
    },
    #[command(about = t!("cli.connector.check"))]
    Check {
        #[arg(value_name = "FILE", help = t!("cli.connector.files"))]
        files: Vec<PathBuf>,
    },
    #[command(about = t!("cli.connector.coverage"))]
    Coverage,
}

/// Which connectors are listed. A flag that is given twice widens, another one narrows.
#[derive(Args)]
pub struct Narrow {
    #[arg(long, value_name = "CATEGORY", help = t!("cli.connector.by_category"))]
    category: Vec<String>,
    #[arg(long, value_name = "METHOD", value_parser = args::auth_kind(), help = t!("cli.connector.by_method"))]
    method: Vec<&'static str>,
    #[arg(long, value_name = "STATUS", value_parser = ["available", "preview", "practice"], help = t!("cli.connector.by_status"))]
    status: Vec<String>,
    #[arg(long, value_name = "KIND", value_parser = ["users", "groups", "applications", "hardware", "software"], help = t!("cli.connector.by_reads"))]
    reads: Vec<String>,
    #[arg(long, help = t!("cli.connector.by_users"))]
    users: bool,
    #[arg(long, help = t!("cli.connector.by_connected"))]
    connected: bool,
    #[arg(long, help = t!("cli.connector.by_own"))]
    own: bool,
    #[arg(long, help = t!("cli.connector.by_recent"))]
    recent: bool,
}

impl Narrow {
    fn facets(&self) -> Facets {
        let mut facets = Facets::default();
        let categories = self.category.iter().map(|text| (Facet::Category, text.trim().to_lowercase()));
        let methods = self.method.iter().map(|word| (Facet::Method, (*word).to_owned()));
        let statuses = self.status.iter().map(|word| (Facet::Status, word.clone()));
        let reads = self.reads.iter().map(|word| (Facet::Reads, word.clone()));
        for (facet, value) in categories.chain(methods).chain(statuses).chain(reads) {
            facets.add(facet, &value);
        }
        for (given, facet, value) in
            [(self.users, Facet::Reads, "users"), (self.connected, Facet::Connected, facets::YES), (self.own, Facet::Origin, facets::OWN)]
        {
            if given {
                facets.add(facet, value);
            }
        }
        facets
    }
}

pub fn run(context: &Context, command: Connector) -> Result<u8> {
    match command {
        Connector::List { search, narrow } => list(context, search, &narrow),
        Connector::Show { id, method, set, checklist } => show(context, &id, method.as_deref(), set.into_iter().collect(), checklist),
        Connector::Check { files } => check(context, &files),
        Connector::Coverage => coverage(context),
    }
}

fn list(context: &Context, search: Option<String>, narrow: &Narrow) -> Result<u8> {
    let wanted = connectors::Wanted { search, facets: narrow.facets(), recent: narrow.recent };
    let listings = connectors::find(&context.ws, &wanted)?;
    context.print(&listings, |listings| {
        // Without any of the workspace's own, the column would be empty.
        let connected = listings.iter().any(|one| one.connected.is_some());
        let mut titles = vec![
            t!("cli.column.id"),
            t!("cli.column.name"),
            t!("cli.column.status"),
            t!("cli.column.category"),
            t!("cli.column.methods"),
            t!("cli.column.reads"),
        ];
        if connected {
            titles.push(t!("cli.column.connected"));
        }
        let mut table = Table::new(&titles);
        for Listing { row, connected: used } in listings {
            let tone = if row.status == model::ConnectorStatus::Available { Tone::Plain } else { Tone::Notice };
            // The default method carries a star.
            let methods: Vec<String> = row.auth.iter().map(|auth| format!("{}{}", auth.method, if auth.default { "*" } else { "" })).collect();
            let reads = Facet::Reads.values(row, None);
            let mut cells = vec![
                cell(&*row.id),
                cell(&*row.name),
                cell(labels::connector_status(row.status)).tone(tone),
                cell(&*row.category),
                cell(methods.join(" ")),
                cell(reads.join(" ")),
            ];
            if connected {
                cells.push(used.map_or_else(|| cell(""), |used| standing(&used)));
            }
            table.row(cells);
        }
        table.print(t!("cli.connector.none"))?;
        if listings.is_empty() {
            output::remark(t!("cli.connector.none_do"));
        }
        Ok(())
    })?;
    Ok(0)
}

/// What the workspace has of a connector: `2 credentials, refused`.
fn standing(used: &Used) -> output::Cell {
    match used.status {
        Some(status) => {
            let (word, tone) = labels::credential_status(status);
            cell(t!("cli.connector.standing", n = used.credentials, status = word)).tone(tone)
        }
        None => cell(t!("cli.connector.drafts", n = used.drafts)).tone(Tone::Dim),
    }
}

/// The row of the list in full. At the top stand the inputs, addresses and scopes of one method: the named or the default one.
fn full(connector: &model::Connector, method: &str) -> Value {
    let one = |key: &str| {
        connector.auth.get(key).map_or(Value::Null, |auth| {
            json!({
                "method": key,
                "kind": auth.kind,
                "name": auth.name,
                "default": connector.default_auth().is_some_and(|(default, _)| default == key),
                "inputs": connector.inputs_for(key),
                "authorize_url": auth.authorize_url.first(),
                "authorize_urls": auth.authorize_url,
                "token_url": auth.token_url.first(),
                "token_urls": auth.token_url,
                "revoke_url": auth.revoke_url.first(),
                "scopes": auth.scopes.default,
                "scope_catalog": auth.scopes.catalog,
                "redirect": auth.redirect,
                "pkce": auth.pkce,
                "role": auth.role,
                "setup": auth.setup,
                "setup_url": auth.setup_url,
            })
        })
    };
    let chosen = one(method);
    json!({
        "id": connector.id,
        "name": connector.name,
        "status": connector.status,
        "category": connector.categories.first().map_or("", String::as_str),
        "categories": connector.categories,
        "summary": connector.summary,
        "docs": connector.docs,
        "homepage": connector.homepage,
        "notes": connector.notes,
        "origin": connector.origin,
        "method": method,
        "inputs": chosen["inputs"],
        "authorize_url": chosen["authorize_url"],
        "token_url": chosen["token_url"],
        "scopes": chosen["scopes"],
        "base_url": connector.request.base_url.first(),
        "auth": connector.auth.keys().map(|key| one(key)).collect::<Vec<_>>(),
        "checks": connector.checks,
        "limit": connector.limit,
        "resources": connector.resources,
    })
}

fn show(context: &Context, id: &str, method: Option<&str>, settings: IndexMap<String, String>, checklist: bool) -> Result<u8> {
    let connector = connectors::get(&context.ws, id)?;
    let method = match method {
        Some(method) if connector.auth.contains_key(method) => method,
        Some(method) => return Err(unknown_method(&connector, method)),
        None => connector.default_auth().map_or("", |(method, _)| method),
    };
    if checklist {
        let list = checklist::of(&connector, method, &settings);
        context.print(&list, |list| checklist::plain(list).lines().try_for_each(output::line))?;
        return Ok(0);
    }
    let mut document = full(&connector, method);
    if !settings.is_empty() {
        let mut settings = settings;
        settings.insert("method".to_owned(), method.to_owned());
        document["resolved"] = connectors::resolved(&context.ws, id, &settings)?;
    }
    context.print(&document, |document| human(&connector, method, document))?;
    Ok(0)
}

pub fn unknown_method(connector: &model::Connector, method: &str) -> model::Problem {
    let known = connector.auth.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
    problem!(Usage, "cli.connector.unknown_method", connector = connector.name, method = crate::words::clean::line(method, 80), known = known)
}

fn human(connector: &model::Connector, method: &str, document: &Value) -> Result<()> {
    let mut top = vec![
        (t!("cli.column.id"), connector.id.clone()),
        (t!("cli.column.name"), connector.name.clone()),
        (t!("cli.column.status"), labels::connector_status(connector.status).to_owned()),
        (t!("cli.column.categories"), connector.categories.join(", ")),
        (t!("cli.column.summary"), connector.summary.clone()),
        (t!("cli.column.docs"), connector.docs.clone()),
        (t!("cli.column.origin"), labels::origin(&connector.origin)),
        (t!("cli.column.method"), method.to_owned()),
    ];
    for (label, key) in [
        (t!("cli.column.authorize_url"), "authorize_url"),
        (t!("cli.column.device_url"), "device_url"),
        (t!("cli.column.token_url"), "token_url"),
        (t!("cli.column.base_url"), "base_url"),
    ] {
        // With inputs given, as it comes out with them.
        if let Some(address) = document["resolved"][key].as_str().or_else(|| document[key].as_str()) {
            top.push((label, address.to_owned()));
        }
    }
    let scopes = document["resolved"]["scopes"].as_array().or_else(|| document["scopes"].as_array());
    if let Some(scopes) = scopes.filter(|scopes| !scopes.is_empty()) {
        top.push((t!("cli.column.scopes"), scopes.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")));
    }
    let missing: Vec<&str> = document["resolved"]["missing"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    if !missing.is_empty() {
        top.push((t!("cli.column.missing"), t!("cli.connector.missing", inputs = missing.join(", "))));
    }
    for note in &connector.notes {
        top.push((t!("cli.column.note"), note.clone()));
    }
    output::pairs(&top)?;

    let mut methods = Table::new(&[t!("cli.column.method"), t!("cli.column.kind"), t!("cli.column.name")]);
    for (key, auth) in &connector.auth {
        let default = connector.default_auth().is_some_and(|(default, _)| default == key);
        methods.row(vec![cell(format!("{key}{}", if default { "*" } else { "" })), cell(labels::auth_kind(auth.kind)), cell(&auth.name)]);
    }
    section(&methods, t!("cli.connector.no_methods"))?;

    let mut inputs = Table::new(&[t!("cli.column.input"), t!("cli.column.needed"), t!("cli.column.example"), t!("cli.column.help")]);
    for input in connector.inputs_for(method) {
        inputs.row(vec![cell(&input.key), cell(needed(input)), cell(&input.example), cell(&input.help).tone(Tone::Dim)]);
    }
    section(&inputs, t!("cli.connector.no_inputs"))?;

    let mut resources = Table::new(&[t!("cli.column.resource"), t!("cli.column.name"), t!("cli.column.key"), t!("cli.column.path")]);
    for resource in &connector.resources {
        let file = resource.format == model::Format::File;
        let verb = if file { &resource.method } else { checklist::verb(connector, &resource.method) };
        resources.row(vec![cell(&resource.id), cell(&resource.name), cell(&resource.key), cell(format!("{verb} {}", resource.path))]);
    }
    section(&resources, t!("cli.connector.no_resources"))?;

    let mut checks = Table::new(&[t!("cli.column.check"), t!("cli.column.proves")]);
    for check in &connector.checks {
        checks.row(vec![cell(format!("{} {}", checklist::verb(connector, &check.method), check.path)), cell(&check.proves)]);
    }
    section(&checks, t!("cli.connector.no_checks"))
}

fn section(table: &Table, empty: &str) -> Result<()> {
    output::line("")?;
    table.print(empty)
}

fn needed(input: &Input) -> &'static str {
    match (input.optional || input.default.is_some(), input.secret) {
        (false, true) => t!("cli.connector.secret"),
        (true, true) => t!("cli.connector.optional_secret"),
        (false, false) => t!("cli.connector.needed"),
        (true, false) => t!("cli.connector.optional"),
    }
}

fn check(context: &Context, files: &[PathBuf]) -> Result<u8> {
    let faults = connectors::check(&context.ws, files)?;
    context.print(&faults, |faults| {
        for fault in faults {
            output::line(&t!(
                "cli.connector.fault",
                file = crate::words::clean::line(&fault.file, 200),
                line = fault.line,
                what = crate::words::clean::line(&fault.what, 300),
                mend = crate::words::clean::line(&fault.mend, 300)
            ))?;
        }
        if faults.is_empty() {
            output::remark(t!("cli.connector.sound"));
        }
        Ok(())
    })?;
    Ok(u8::from(!faults.is_empty()))
}

fn coverage(context: &Context) -> Result<u8> {
    let all = coverage::coverage(&context.ws)?;
    context.print(&all, |all| {
        let mut table = Table::new(&[
            t!("cli.column.id"),
            t!("cli.column.methods"),
            t!("cli.column.resources"),
            t!("cli.column.docs"),
            t!("cli.column.french"),
            t!("cli.column.lacks"),
        ]);
        for one in all {
            let methods: Vec<&str> = one.methods.iter().map(|method| labels::auth_kind(method.kind)).collect();
            let resources: Vec<String> = one.resources.iter().map(|resource| format!("{} ({})", resource.id, resource.paging)).collect();
            let lacks: Vec<&str> = one.lacks.iter().map(|lack| lacking(*lack)).collect();
            let tone = if one.lacks.is_empty() { Tone::Plain } else { Tone::Notice };
            table.row(vec![
                cell(&one.id),
                cell(methods.join(", ")),
                cell(resources.join(", ")),
                cell(if one.docs.is_empty() { t!("cli.label.no") } else { t!("cli.label.yes") }),
                cell(one.french.as_deref().unwrap_or_default()),
                cell(lacks.join(", ")).tone(tone),
            ]);
        }
        table.print(t!("cli.connector.none"))?;
        let defined = all.iter().filter(|one| one.status.is_some()).count();
        let whole = all.iter().filter(|one| one.lacks.is_empty()).count();
        output::remark(&t!("cli.connector.covered", defined = defined, missing = all.len() - defined, whole = whole));
        Ok(())
    })?;
    Ok(0)
}

fn lacking(lack: Lack) -> &'static str {
    match lack {
        Lack::Definition => t!("cli.lack.definition"),
        Lack::Check => t!("cli.lack.check"),
        Lack::Setup => t!("cli.lack.setup"),
        Lack::SetupUrl => t!("cli.lack.setup_url"),
        Lack::Role => t!("cli.lack.role"),
        Lack::Source => t!("cli.lack.source"),
        Lack::Resources => t!("cli.lack.resources"),
        Lack::Users => t!("cli.lack.users"),
        Lack::Fields => t!("cli.lack.fields"),
        Lack::Active => t!("cli.lack.active"),
        Lack::Limit => t!("cli.lack.limit"),
        Lack::French => t!("cli.lack.french"),
    }
}
