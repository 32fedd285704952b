//! What connecting a vendor takes, before anything is begun: who does what there, what to have at hand, what the test proves and what is read.
//! For the person who connects, and to be sent to the one who administers the vendor. Pure, from the definition alone.

use std::fmt::Write as _;

use indexmap::IndexMap;
use serde::Serialize;

use super::credentials::{RedirectUri, redirect_uri};
use super::{Result, Workspace};
use crate::catalog::template::{self, Context};
use crate::model::{AuthKind, AuthMethod, Connector, ConnectorStatus, CredentialDraft, Format, Input, ResourceKind};
use crate::t;
use crate::words::{self, clean};

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Checklist {
    pub connector: String,
    pub name: String,
    pub status: ConnectorStatus,
    pub summary: String,
    pub method: String,
    pub method_name: String,
    pub kind: AuthKind,
    pub default: bool,
    /// Names of the connector's other methods.
    pub others: Vec<String>,
    /// Who at the vendor can do it; empty is unknown.
    pub role: String,
    /// What is done at the vendor, in order.
    pub steps: Vec<String>,
    /// The vendor's page on it.
    pub page: String,
    /// What has to be registered there.
    pub redirect: Option<RedirectUri>,
    pub scopes: Vec<ScopeNeeded>,
    pub values: Vec<ValueNeeded>,
    /// Whether a person signs in and accepts, and whether that can be done with a code on another device.
    pub consent: bool,
    pub device: bool,
    pub proofs: Vec<Proof>,
    pub reads: Vec<Reads>,
    /// Friendly durations, as the definition has them; `None` is unknown.
    pub lifetime: crate::model::Lifetime,
    /// Requests, in so many seconds.
    pub requests: Option<(u32, u32)>,
    pub concurrency: Option<u32>,
    pub notes: Vec<String>,
    pub docs: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ScopeNeeded {
    pub id: String,
    pub meaning: String,
}

/// A value that will be asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ValueNeeded {
    pub key: String,
    pub label: String,
    /// What it is and where it is found.
    pub help: String,
    pub example: String,
    pub options: Vec<String>,
    pub default: Option<String>,
    pub secret: bool,
    pub optional: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Proof {
    pub request: String,
    pub proves: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reads {
    pub resource: String,
    pub name: String,
    pub kind: ResourceKind,
    pub fields: usize,
    /// `none`, `page`, `cursor`, …; `file`, `ldap` and `imap` for what is not HTTP.
    pub paging: &'static str,
    /// Whether only what changed can be asked for.
    pub incremental: bool,
    /// Scopes that it cannot be read without.
    pub scopes: Vec<String>,
}

/// The checklist of a connector, for a method or its default one.
pub fn checklist(ws: &Workspace, id: &str, method: &str, settings: &IndexMap<String, String>) -> Result<Checklist> {
    Ok(of(ws.catalog().get(id)?.as_ref(), method, settings))
}

/// The same from a definition. What `settings` (the inputs known so far) fill in is filled in.
#[must_use]
pub fn of(connector: &Connector, method: &str, settings: &IndexMap<String, String>) -> Checklist {
    let found = connector.auth.get(method);
    let default = connector.default_auth().is_some_and(|(default, _)| default == method);
    let draft =
        CredentialDraft { connector: connector.id.clone(), method: method.to_owned(), settings: settings.clone(), ..CredentialDraft::default() };
    let none: &[String] = &[];
    let format = |format: Format, paging: &'static str| match format {
        Format::Json => paging,
        Format::File => "file",
        Format::Ldap => "ldap",
        Format::Imap => "imap",
    };
    Checklist {
        connector: connector.id.clone(),
        name: connector.name.clone(),
        status: connector.status,
        summary: connector.summary.clone(),
        method: method.to_owned(),
        method_name: found.map_or_else(String::new, |method| method.name.clone()),
        kind: found.map_or(AuthKind::None, |method| method.kind),
        default,
        others: connector.auth.iter().filter(|(key, _)| *key != method).map(|(_, other)| other.name.clone()).collect(),
        role: found.map_or_else(String::new, |method| method.role.clone()),
        steps: found.map_or(none, |method| &method.setup).to_vec(),
        page: found.map_or_else(String::new, |method| method.setup_url.clone()),
        redirect: redirect_uri(connector, &draft),
        scopes: found.map(|found| scopes(connector, method, found, settings)).unwrap_or_default(),
        values: connector.inputs_for(method).into_iter().map(value).collect(),
        consent: found.is_some_and(AuthMethod::needs_consent),
        device: found.is_some_and(|method| method.kind == AuthKind::Device || !method.device_url.is_empty()),
        proofs: connector
            .checks
            .iter()
            .filter(|check| check.auth.is_empty() || check.auth.iter().any(|one| one == method))
            .map(|check| Proof { request: format!("{} {}", verb(connector, &check.method), check.path), proves: check.proves.clone() })
            .collect(),
        reads: connector
            .resources_for(method)
            .map(|resource| Reads {
                resource: resource.id.clone(),
                name: resource.name.clone(),
                kind: resource.kind,
                fields: resource.fields.len(),
                paging: format(resource.format, resource.paging.kind()),
                incremental: !resource.changed.is_empty(),
                scopes: found
                    .into_iter()
                    .flat_map(|method| &method.scopes.catalog)
                    .filter(|scope| scope.resources.contains(&resource.id))
                    .map(|scope| scope.id.clone())
                    .collect(),
            })
            .collect(),
        lifetime: found.map(|method| method.lifetime.clone()).unwrap_or_default(),
        requests: connector.limit.requests.map(|requests| (requests, connector.limit.per.unwrap_or(1))),
        concurrency: connector.limit.concurrency,
        notes: connector.notes.clone(),
        docs: connector.docs.clone(),
    }
}

/// What a request does: its method, or what stands for one where it is none of HTTP.
#[must_use]
pub fn verb<'m>(connector: &Connector, method: &'m str) -> &'m str {
    let speaks = |format| connector.resources.iter().any(|resource| resource.format == format);
    match () {
        () if speaks(Format::Imap) => "EXAMINE",
        () if speaks(Format::Ldap) => "SEARCH",
        () => method,
    }
}

fn scopes(connector: &Connector, key: &str, method: &AuthMethod, settings: &IndexMap<String, String>) -> Vec<ScopeNeeded> {
    let mut context = Context::new(connector, key, settings, &IndexMap::new());
    // What is not known yet stands there by its name: `api://<client_id>/.default`.
    for input in connector.inputs_for(key).into_iter().filter(|input| !input.optional) {
        context.input.entry(input.key.clone()).or_insert_with(|| format!("<{}>", input.key));
    }
    method
        .scopes
        .default
        .iter()
        .map(|template| {
            let meaning = method.scopes.catalog.iter().find(|scope| scope.id == *template).map(|scope| scope.meaning.clone()).unwrap_or_default();
            ScopeNeeded { id: template::render(template, &context).unwrap_or_else(|_| template.clone()), meaning }
        })
        .filter(|scope| !scope.id.trim().is_empty())
        .collect()
}

fn value(input: &Input) -> ValueNeeded {
    let example = if input.example.is_empty() { String::new() } else { format!("{}{}{}", input.prefix, input.example, input.suffix) };
    ValueNeeded {
        key: input.key.clone(),
        label: input.label.clone(),
        help: input.help.clone(),
        // What stands beside the field is part of what is looked for; of a secret it says nothing.
        example: if input.secret || input.example.starts_with(&input.prefix) { input.example.clone() } else { example },
        options: input.options.clone(),
        default: input.default.clone(),
        secret: input.secret,
        optional: input.optional,
    }
}

/// A part of the checklist, as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    pub title: String,
    pub lines: Vec<Line>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// Something to do or to have, to be ticked off, and what is to be known of it.
    Item {
        text: String,
        about: Vec<String>,
    },
    Fact {
        term: String,
        text: String,
    },
    Say(String),
    /// An address.
    Link(String),
}

/// Everything of the checklist in words, in the order in which it is wanted. Clean text of one line each.
#[must_use]
pub fn sections(list: &Checklist) -> Vec<Section> {
    let connector = clean::line(&list.name, 80);
    let mut out = vec![
        Section { title: t!("checklist.vendor", connector = connector), lines: at_vendor(list) },
        Section { title: t!("checklist.hand").to_owned(), lines: at_hand(list) },
    ];
    if list.consent {
        let mut lines = vec![item(t!("checklist.consent", connector = connector))];
        if list.device {
            lines.push(Line::Say(t!("checklist.device").to_owned()));
        }
        out.push(Section { title: t!("checklist.then").to_owned(), lines });
    }
    let mut proofs: Vec<Line> = list.proofs.iter().map(|proof| Line::Say(text(&proof.proves))).collect();
    if proofs.is_empty() {
        proofs.push(Line::Say(t!("checklist.no_proof").to_owned()));
    }
    out.push(Section { title: t!("checklist.proves").to_owned(), lines: proofs });
    out.push(Section { title: t!("checklist.reads").to_owned(), lines: read(list) });
    let life = &list.lifetime;
    let lasting: Vec<Line> = [
        (t!("checklist.access"), &life.access),
        (t!("checklist.refresh"), &life.refresh),
        (t!("checklist.absolute"), &life.absolute),
        (t!("checklist.secret_life"), &life.secret),
    ]
    .into_iter()
    .filter_map(|(term, life)| Some(Line::Fact { term: term.to_owned(), text: lasting_for(life.as_deref()?) }))
    .collect();
    let mut know: Vec<Line> = list.notes.iter().map(|note| Line::Say(text(note))).collect();
    if let Some((n, per)) = list.requests {
        let n = words::number(u64::from(n));
        let rate = match per {
            1 => t!("checklist.in_second", n = n),
            60 => t!("checklist.in_minute", n = n),
            3_600 => t!("checklist.in_hour", n = n),
            86_400 => t!("checklist.in_day", n = n),
            seconds => t!("checklist.in_seconds", n = n, seconds = words::number(u64::from(seconds))),
        };
        know.push(Line::Say(t!("checklist.limit", rate = rate)));
    }
    if let Some(n) = list.concurrency {
        know.push(Line::Say(t!("checklist.at_once", n = n)));
    }
    for (title, lines) in [(t!("checklist.lasts"), lasting), (t!("checklist.know"), know)] {
        if !lines.is_empty() {
            out.push(Section { title: title.to_owned(), lines });
        }
    }
    if !list.docs.is_empty() {
        out.push(Section { title: t!("checklist.docs").to_owned(), lines: vec![Line::Link(text(&list.docs))] });
    }
    out
}

/// `90d` in words; what is written otherwise stays as it is.
fn lasting_for(life: &str) -> String {
    let digits = life.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let Ok(n) = digits.parse::<u32>() else { return text(life) };
    match &life[digits.len()..] {
        "s" => t!("checklist.life.seconds", n = n),
        "m" | "min" => t!("checklist.life.minutes", n = n),
        "h" => t!("checklist.life.hours", n = n),
        "d" => t!("checklist.life.days", n = n),
        "w" => t!("checklist.life.weeks", n = n),
        "y" => t!("checklist.life.years", n = n),
        _ => text(life),
    }
}

fn at_vendor(list: &Checklist) -> Vec<Line> {
    let role = (!list.role.is_empty()).then(|| Line::Fact { term: t!("checklist.role").to_owned(), text: text(&list.role) });
    let mut lines: Vec<Line> = role.into_iter().chain(list.steps.iter().map(|step| item(text(step)))).collect();
    if let Some(redirect) = &list.redirect {
        let uri = text(&redirect.uri);
        let said = if redirect.any_port { t!("checklist.redirect_any", uri = uri) } else { t!("checklist.redirect", uri = uri) };
        lines.push(Line::Item { text: said, about: vec![text(&redirect.rule)] });
    }
    if !list.scopes.is_empty() {
        let about = list
            .scopes
            .iter()
            .map(|scope| if scope.meaning.is_empty() { text(&scope.id) } else { format!("{}: {}", text(&scope.id), text(&scope.meaning)) })
            .collect();
        lines.push(Line::Item { text: t!("checklist.scopes", n = list.scopes.len()), about });
    }
    if lines.is_empty() {
        let asked = list.values.iter().any(|value| value.secret);
        lines.push(Line::Say(if asked { t!("checklist.no_steps_known") } else { t!("checklist.no_steps") }.to_owned()));
    }
    if !list.page.is_empty() {
        lines.push(Line::Link(text(&list.page)));
    }
    lines
}

fn at_hand(list: &Checklist) -> Vec<Line> {
    let mut lines: Vec<Line> = list
        .values
        .iter()
        .map(|value| {
            let label = text(&value.label);
            let named = match (value.secret, value.optional || value.default.is_some()) {
                (false, false) => label,
                (true, false) => t!("checklist.secret", label = label),
                (false, true) => t!("checklist.optional", label = label),
                (true, true) => t!("checklist.optional_secret", label = label),
            };
            let mut about = Vec::new();
            if !value.help.is_empty() {
                about.push(text(&value.help));
            }
            if !value.example.is_empty() {
                about.push(t!("checklist.example", example = text(&value.example)));
            }
            if !value.options.is_empty() {
                about.push(t!("checklist.options", options = text(&value.options.join(", "))));
            }
            if let Some(default) = value.default.as_deref().filter(|default| !default.is_empty()) {
                about.push(t!("checklist.default", default = text(default)));
            }
            Line::Item { text: named, about }
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line::Say(t!("checklist.no_values").to_owned()));
    } else if list.values.iter().any(|value| value.secret) {
        lines.push(Line::Say(t!("checklist.secrets").to_owned()));
    }
    lines
}

fn read(list: &Checklist) -> Vec<Line> {
    if list.reads.is_empty() {
        return vec![Line::Say(t!("checklist.reads_nothing").to_owned())];
    }
    list.reads
        .iter()
        .map(|reads| {
            let paging = match reads.paging {
                "page" => t!("checklist.paging.page"),
                "offset" => t!("checklist.paging.offset"),
                "cursor" => t!("checklist.paging.cursor"),
                "link_header" => t!("checklist.paging.link_header"),
                "next_url" => t!("checklist.paging.next_url"),
                "scim" => t!("checklist.paging.scim"),
                "file" => t!("checklist.paging.file"),
                "ldap" => t!("checklist.paging.ldap"),
                "imap" => t!("checklist.paging.imap"),
                _ => t!("checklist.paging.none"),
            };
            let changed = if reads.incremental { t!("checklist.incremental") } else { t!("checklist.whole") };
            let mut said = vec![paging.to_owned(), changed.to_owned()];
            if reads.fields > 0 {
                said.insert(0, t!("checklist.fields", n = reads.fields));
            }
            if !reads.scopes.is_empty() {
                said.push(t!("checklist.needs_scope", scopes = text(&reads.scopes.join(", "))));
            }
            Line::Fact { term: text(&reads.name), text: said.join("; ") }
        })
        .collect()
}

fn item(text: impl Into<String>) -> Line {
    Line::Item { text: text.into(), about: Vec::new() }
}

/// Definitions may come from anywhere.
fn text(content: &str) -> String {
    clean::line(content, 600)
}

/// The heading: what it is about, and for which method.
#[must_use]
pub fn heading(list: &Checklist) -> Vec<String> {
    let method = text(&list.method_name);
    let mut out = vec![t!("checklist.title", connector = clean::line(&list.name, 80))];
    if !list.summary.is_empty() {
        out.push(text(&list.summary));
    }
    out.push(if list.default { t!("checklist.method_default", method = method) } else { t!("checklist.method", method = method) });
    if !list.others.is_empty() {
        out.push(t!("checklist.method_other", methods = text(&list.others.join(", "))));
    }
    if list.status == ConnectorStatus::Preview {
        out.push(t!("checklist.preview").to_owned());
    }
    out
}

/// The whole of it as plain text of 78 columns, to print, to send or to keep.
#[must_use]
pub fn plain(list: &Checklist) -> String {
    let mut out = String::new();
    for line in heading(list) {
        wrapped(&mut out, "", "", &line);
    }
    for section in sections(list) {
        let _ = writeln!(out, "\n{}", section.title);
        for line in &section.lines {
            match line {
                Line::Item { text, about } => {
                    wrapped(&mut out, "[ ] ", "    ", text);
                    for part in about {
                        wrapped(&mut out, "      ", "      ", part);
                    }
                }
                Line::Fact { term, text } => wrapped(&mut out, &format!("{term}: "), "    ", text),
                Line::Say(text) => wrapped(&mut out, "", "", text),
                Line::Link(url) => wrapped(&mut out, "", "", url),
            }
        }
    }
    out
}

/// Appends a text in lines of at most 78 characters; a longer word (an address) stays whole.
fn wrapped(out: &mut String, first: &str, next: &str, text: &str) {
    let mut line = first.to_owned();
    let mut begun = false;
    for word in text.split_whitespace() {
        if begun && line.chars().count() + 1 + word.chars().count() > 78 {
            let _ = writeln!(out, "{}", line.trim_end());
            line = next.to_owned();
            begun = false;
        }
        if begun {
            line.push(' ');
        }
        line.push_str(word);
        begun = true;
    }
    let _ = writeln!(out, "{}", line.trim_end());
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    fn list(id: &str, method: &str) -> Checklist {
        let connector = Catalog::open(std::path::Path::new("/nowhere")).get(id).unwrap();
        of(&connector, method, &IndexMap::new())
    }

    #[test]
    fn the_checklist_of_a_code_flow_names_the_redirect_uri_the_scopes_and_who_consents() {
        let slack = list("slack", "oauth2_code");
        let redirect = slack.redirect.clone().unwrap();
        assert!(redirect.uri.starts_with("https://"), "{}", redirect.uri);
        assert!(slack.consent && !slack.default);
        assert_eq!(slack.scopes[0].id, "users:read");
        assert!(slack.values.iter().any(|value| value.key == "client_secret" && value.secret));
        let plain = plain(&slack);
        for said in [
            "Connect Slack: what is needed",
            "Method: OAuth 2.0 authorization code\n",
            "[ ] Register the redirect URI https://",
            "users:read.email: See their e-mail addresses.",
            "[ ] Client secret (secret)",
            "[ ] Workspace id (optional)",
            "signs in with a browser",
            "Slack answers errors with status 200",
            "https://docs.slack.dev/reference/methods/users.list",
        ] {
            assert!(plain.contains(said), "{said}\n{plain}");
        }
        assert!(plain.lines().all(|line| line.chars().count() <= 78 || line.contains("http")), "{plain}");
    }

    #[test]
    fn a_key_needs_no_redirect_and_a_file_no_steps() {
        let okta = list("okta", "api_key");
        assert!(okta.default && okta.redirect.is_none() && !okta.consent);
        assert_eq!(okta.values[0].example, "https://acme.okta.com");
        assert_eq!(okta.reads[0].paging, "link_header");
        assert!(plain(&okta).contains("[ ] Make a service user with the role Read-only Administrator"));
        let connector = Catalog::open(std::path::Path::new("/nowhere")).get("file").unwrap();
        let file = of(&connector, connector.default_auth().unwrap().0, &IndexMap::new());
        assert!(file.reads.iter().all(|reads| reads.paging == "file"));
    }

    #[test]
    fn every_method_of_every_connector_has_one_that_can_be_sent() {
        let catalog = Catalog::open(std::path::Path::new("/nowhere"));
        for row in catalog.rows() {
            let connector = catalog.get(&row.id).unwrap();
            for key in connector.auth.keys() {
                let plain = plain(&of(&connector, key, &IndexMap::new()));
                assert!(clean::is_clean(&plain.replace('\n', " ")), "{} {key}", row.id);
                assert!(!plain.contains("{{"), "{} {key}: {plain}", row.id);
                assert!(plain.lines().count() > 6, "{} {key}: {plain}", row.id);
            }
            if row.status == ConnectorStatus::Preview {
                let (key, _) = connector.default_auth().unwrap();
                assert!(plain(&of(&connector, key, &IndexMap::new())).contains("Preview:"), "{}", row.id);
            }
        }
    }
}
