use super::update::narrow;
use super::{Order, State as PaneState};
use crate::model::{AuthKind, Connector, ConnectorStatus, CredentialStatus, Origin, ResourceKind, Time};
use crate::ops::connectors::{AuthRow, ConnectorRow, Usage, Used};
use crate::tui::app::effect::{Effect, Job};
use crate::tui::app::layers::Layer;
use crate::tui::app::msg::Answer;
use crate::tui::app::state::Pane;
use crate::tui::harness::Harness;
use std::borrow::Cow;

use AuthKind::{ApiKey, Basic, Bearer, ClientCredentials, OAuth2Code};
use ResourceKind::{Applications, Groups, Hardware, Users};

fn row(id: &'static str, name: &'static str, categories: &[&'static str], methods: &[AuthKind], reads: &[ResourceKind]) -> ConnectorRow {
    ConnectorRow {
        id: id.into(),
        name: name.into(),
        names: Cow::default(),
        status: ConnectorStatus::Available,
        category: categories.first().copied().unwrap_or_default().into(),
        categories: categories.iter().map(|category| Cow::Borrowed(*category)).collect(),
        auth: methods.iter().enumerate().map(|(i, kind)| AuthRow { method: format!("m{i}").into(), kind: *kind, default: i == 0 }).collect(),
        resources: reads.iter().map(|_| Cow::Borrowed("x")).collect(),
        reads: reads.to_vec().into(),
        origin: Origin::BuiltIn,
        summary: "".into(),
        aliases: Cow::default(),
    }
}

fn rows() -> Vec<ConnectorRow> {
    let mut rows = vec![
        row("active-directory", "Active Directory", &["identity", "users"], &[Basic], &[Users, Groups, Hardware]),
        row("asana", "Asana", &["project-management", "users"], &[OAuth2Code, Bearer], &[Users]),
        row("bamboohr", "BambooHR", &["hr", "users"], &[ApiKey, OAuth2Code], &[Users]),
        row("citrix", "Citrix Hypervisor", &["infrastructure"], &[Basic], &[Hardware]),
        row("file", "CSV or JSONL file", &["generic"], &[AuthKind::None], &[Users]),
        row("github", "GitHub", &["development"], &[Bearer, OAuth2Code], &[Users, Groups]),
        row("http", "HTTP", &["generic"], &[AuthKind::None, ApiKey, Basic, Bearer], &[]),
        row("mail", "Mail", &["mail"], &[OAuth2Code, Basic], &[]),
        row("microsoft-365", "Microsoft 365", &["identity", "users"], &[ClientCredentials, OAuth2Code], &[Users, Groups, Applications, Hardware]),
        row("okta", "Okta", &["identity", "users"], &[ApiKey], &[Users, Groups, Applications]),
        row("scim", "SCIM 2.0 server", &["generic", "scim"], &[Bearer, Basic], &[Users, Groups]),
        row("zendesk", "Zendesk", &["support", "users"], &[ApiKey, OAuth2Code], &[Users]),
    ];
    rows[3].status = ConnectorStatus::Preview;
    rows[7].names = vec![("fr".into(), "Courrier (Mail)".into())].into();
    rows[8].aliases = vec!["Entra ID".into(), "Azure AD".into()].into();
    rows
}

fn usage() -> Usage {
    let at = |second: i64| Time::from_second(1_794_000_000 + second).ok();
    let used = |credentials, drafts, status, last_used| Used { credentials, drafts, status, last_used };
    [
        ("okta", used(2, 0, Some(CredentialStatus::Refused), at(50))),
        ("github", used(1, 0, Some(CredentialStatus::Valid), at(90))),
        ("zendesk", used(0, 1, None, at(10))),
    ]
    .into_iter()
    .map(|(id, used)| (id.to_owned(), used))
    .collect()
}

fn definition(id: &str) -> Connector {
    let text = format!(
        r#"
        schema = 1
        id = "{id}"
        name = "GitHub"
        categories = ["development"]
        summary = "Members of a GitHub organisation, and its teams."
        docs = "https://docs.github.example/rest"
        notes = ["E-mail addresses come only where members show them."]
        [[input]]
        key = "organisation"
        label = "Organisation"
        help = "Its name, as it stands in the address of its page."
        example = "acme"
        [auth.m0]
        kind = "bearer"
        name = "Personal access token"
        setup = ["As an owner of the organisation, open Settings, then Developer settings.", "Make a fine-grained token that may read members."]
        setup_url = "https://github.example/settings/tokens"
        lifetime = {{ secret = "1y" }}
        [[auth.m0.input]]
        key = "token"
        label = "Token"
        help = "Shown once."
        secret = true
        [auth.m1]
        kind = "oauth2_code"
        name = "OAuth app"
        setup = ["As an owner, register an OAuth app."]
        redirect = {{ loopback = "fixed" }}
        [auth.m1.scopes]
        default = ["read:org"]
        catalog = [{{ id = "read:org", meaning = "Read the members of the organisation." }}]
        [[auth.m1.input]]
        key = "client_id"
        label = "Client ID"
        [limit]
        requests = 5000
        per = 3600
        [[check]]
        path = "/user"
        proves = "GitHub accepts the token, and it may read the organisation."
        [[resource]]
        id = "members"
        name = "Members"
        kind = "users"
        path = "/members"
        key = "id"
        paging = {{ kind = "link_header" }}
        field = [{{ path = "id", label = "Id" }}, {{ path = "login", label = "Login" }}]
    "#
    );
    toml::from_str(&text).unwrap()
}

/// The pane with everything that it asked for.
fn filled(columns: u16, lines: u16, usage: Usage) -> Harness {
    let mut harness = Harness::new(columns, lines);
    harness.keys("2");
    harness.answer(|job| *job == Job::LoadConnectors, Answer::Connectors(rows()));
    harness.answer(|job| *job == Job::LoadConnectorUse, Answer::ConnectorUse(usage));
    looked(&mut harness);
    harness
}

/// Gives the definition that was asked for.
fn looked(harness: &mut Harness) {
    let asked = harness.jobs().into_iter().find_map(|job| if let Job::LoadConnector(id) = job { Some(id.clone()) } else { None });
    if let Some(id) = asked {
        harness.answer(|job| matches!(job, Job::LoadConnector(_)), Answer::Connector(definition(&id)));
    }
}

fn shown(harness: &Harness) -> Vec<&str> {
    let list = &harness.state.panes.connectors.list;
    (0..list.len()).filter_map(|row| list.row(row)).map(|row| &*row.id).collect()
}

fn selected(harness: &Harness) -> &str {
    harness.state.panes.connectors.list.selected().map_or("", |row| &*row.id)
}

#[test]
fn the_list_is_drawn_at_every_size() {
    for (columns, lines) in [(80, 24), (160, 50), (40, 12)] {
        insta::assert_snapshot!(format!("list_{columns}x{lines}"), filled(columns, lines, usage()).screen());
    }
    insta::assert_snapshot!("first_use", filled(80, 24, Usage::default()).screen());
}

#[test]
fn what_is_needed_is_drawn_at_every_size() {
    for (columns, lines) in [(80, 24), (160, 50), (40, 12)] {
        let mut harness = filled(columns, lines, usage());
        harness.keys("<enter><tab>");
        insta::assert_snapshot!(format!("needs_{columns}x{lines}"), harness.screen());
    }
}

#[test]
fn the_filter_is_drawn_at_every_size() {
    for (columns, lines) in [(80, 24), (160, 50), (40, 12)] {
        let mut harness = filled(columns, lines, usage());
        harness.keys("f<space><tab>jjjj<space>");
        insta::assert_snapshot!(format!("filter_{columns}x{lines}"), harness.screen());
        harness.keys("<enter>");
        insta::assert_snapshot!(format!("filtered_{columns}x{lines}"), harness.screen());
    }
}

#[test]
fn a_search_shows_what_matched() {
    let mut harness = filled(80, 24, usage());
    harness.keys("/courr");
    assert_eq!(shown(&harness), ["mail"]);
    insta::assert_snapshot!("searched_80x24", harness.screen());
    // The letters that matched, of the other name.
    let buffer = harness.buffer();
    let marked = harness.state.theme.marked().add_modifier;
    let underlined = |y: u16| -> String {
        (0..buffer.area.width).map(|x| &buffer[(x, y)]).filter(|cell| cell.modifier.contains(marked)).map(|cell| cell.symbol().to_owned()).collect()
    };
    assert!((0..buffer.area.height).any(|y| underlined(y) == "Courr"));
}

#[test]
fn nothing_found_leads_to_the_generic_connectors() {
    for (columns, lines) in [(80, 24), (40, 12)] {
        let mut harness = filled(columns, lines, usage());
        harness.keys("/qqqq");
        insta::assert_snapshot!(format!("nothing_{columns}x{lines}"), harness.screen());
        harness.keys("<enter>");
        assert_eq!(shown(&harness), ["file", "http", "scim"]);
        assert!(!harness.state.panes.connectors.list.typing);
        harness.keys("F");
        assert_eq!(shown(&harness).len(), rows().len());
    }
}

#[test]
fn the_last_used_stand_first_and_the_order_can_be_changed() {
    let mut harness = filled(80, 24, usage());
    assert_eq!(shown(&harness)[..4], ["github", "okta", "zendesk", "active-directory"]);
    assert_eq!(selected(&harness), "github");
    // The cursor stays where it is when the order changes.
    harness.keys("js");
    assert_eq!(harness.state.panes.connectors.order, Order::Name);
    assert_eq!((shown(&harness)[0], selected(&harness)), ("active-directory", "okta"));
    harness.keys("s");
    let headings: Vec<&str> = harness.state.panes.connectors.headings.iter().map(|(_, title)| title.as_str()).collect();
    assert_eq!(headings, ["development", "generic", "hr", "identity", "infrastructure", "mail", "project management", "support"]);
    harness.keys("s");
    assert_eq!(harness.state.panes.connectors.order, Order::Recent);
    // A search has an order of its own, and gives the place back at its end.
    harness.keys("/gh");
    assert_eq!(selected(&harness), "github");
    harness.keys("<enter><esc>");
    assert_eq!((shown(&harness).len(), selected(&harness)), (rows().len(), "github"));
}

#[test]
fn a_row_that_was_walked_to_stays_when_what_is_used_is_read() {
    let mut harness = Harness::new(80, 24);
    harness.keys("2");
    harness.answer(|job| *job == Job::LoadConnectors, Answer::Connectors(rows()));
    harness.keys("jj");
    assert_eq!(selected(&harness), "bamboohr");
    harness.answer(|job| *job == Job::LoadConnectorUse, Answer::ConnectorUse(usage()));
    assert_eq!(selected(&harness), "bamboohr");
    // Gone to by name, past any filter.
    harness.keys("f<space><enter>");
    harness.act(|state| {
        crate::tui::panes::select(state, Pane::Connectors, "mail");
        Vec::new()
    });
    assert_eq!(selected(&harness), "mail");
}

#[test]
fn filters_combine_are_counted_and_come_back() {
    let mut harness = filled(80, 24, usage());
    // Users, and of those the ones with OAuth code.
    harness.keys("f<space>");
    assert_eq!(shown(&harness).len(), 9);
    harness.keys("<right><right><space>");
    assert_eq!(shown(&harness), ["github", "zendesk", "asana", "bamboohr", "microsoft-365"]);
    assert!(harness.screen().contains("Filter: 5 of 12"), "{}", harness.screen());
    harness.keys("<enter>");
    assert!(harness.effects.iter().any(|effect| matches!(effect, Effect::Remember(_))));
    assert!(harness.screen().contains("5 of 12   users · OAuth code"), "{}", harness.screen());
    // A search narrows further.
    harness.keys("/az<enter>");
    assert_eq!(shown(&harness), ["microsoft-365"]);
    harness.keys("<esc>");
    // What was chosen is there on the next start.
    let remembered = harness.state.panes.connectors.remembered();
    let mut again = PaneState::default();
    again.restore(&remembered);
    again.list.set(rows());
    narrow(&mut again, None);
    assert_eq!(again.list.len(), 5);
    harness.keys("<backspace>");
    assert_eq!(shown(&harness).len(), rows().len());
    // Connected, from the palette.
    harness.keys(":has a credential<enter>");
    assert_eq!(shown(&harness), ["github", "okta"]);
}

#[test]
fn what_is_needed_is_read_before_anything_begins() {
    let mut harness = filled(80, 24, usage());
    harness.keys("<enter>");
    assert!(matches!(harness.state.layers.last(), Some(Layer::Needs(_))));
    assert!(harness.screen().contains("As an owner of the organisation"), "{}", harness.screen());
    // It scrolls, and not beyond its end.
    let _ = harness.screen();
    harness.keys("GG");
    let end = harness.screen();
    assert!(end.contains("https://docs.github.example/rest"), "{end}");
    harness.keys("jjj");
    assert_eq!(harness.screen(), end);
    harness.keys("k");
    assert_ne!(harness.screen(), end);
    // The text that is sent, the address, and a file.
    harness.keys("yc");
    let copied: Vec<&String> = harness.effects.iter().filter_map(|effect| if let Effect::Copy(text) = effect { Some(text) } else { None }).collect();
    assert!(copied[0].starts_with("Connect GitHub: what is needed\n") && copied[0].contains("[ ] Token (secret)"), "{copied:?}");
    assert_eq!(copied[1], "https://docs.github.example/rest");
    harness.keys("o");
    assert_eq!(harness.effects.last(), Some(&Effect::OpenUrl("https://docs.github.example/rest".to_owned())));
    harness.keys("w<enter>");
    let Some(Job::SaveChecklist { text, path, over: false }) = harness.jobs().last().copied().cloned() else { panic!("{:?}", harness.jobs()) };
    assert_eq!(path, "github-checklist.txt");
    harness.answer(|job| matches!(job, Job::SaveChecklist { .. }), Answer::ChecklistThere { text: text.clone(), path: path.clone() });
    harness.keys("<tab><enter>");
    assert!(harness.jobs().contains(&&Job::SaveChecklist { text, path, over: true }));
    // The other method, and the wizard with it.
    harness.keys("<right>");
    assert!(harness.screen().contains("OAuth app"), "{}", harness.screen());
    harness.keys("n");
    assert!(harness.jobs().contains(&&Job::DraftNew { connector: "github".to_owned(), method: Some("m1".to_owned()) }));
}

#[test]
fn the_wizard_begins_with_the_default_method_unless_another_was_looked_at() {
    let mut harness = filled(80, 24, usage());
    harness.keys("n");
    assert!(harness.jobs().contains(&&Job::DraftNew { connector: "github".to_owned(), method: None }));
    let mut harness = filled(160, 50, usage());
    harness.keys("<left>n");
    assert!(harness.jobs().contains(&&Job::DraftNew { connector: "github".to_owned(), method: Some("m1".to_owned()) }));
    let mut harness = filled(80, 24, usage());
    harness.keys("<enter><enter>");
    assert!(harness.jobs().contains(&&Job::DraftNew { connector: "github".to_owned(), method: None }));
}

#[test]
fn esc_goes_back_one_step_at_a_time_and_help_explains_each() {
    let mut harness = filled(80, 24, usage());
    harness.keys("<enter>?");
    assert!(harness.screen().contains("Copy all of this as text"), "{}", harness.screen());
    harness.keys("<esc><esc>");
    assert!(harness.state.layers.is_empty());
    harness.keys("f?");
    assert!(harness.screen().contains("Choose a value"), "{}", harness.screen());
    harness.keys("<esc><esc>/ok<enter><esc>");
    assert_eq!(harness.state.pane, Pane::Connectors);
    harness.keys("<esc>");
    assert_eq!(harness.state.pane, Pane::Overview);
}

#[test]
fn every_size_is_drawn_with_its_layers() {
    for (columns, lines) in [(0, 0), (1, 1), (3, 3), (10, 4), (20, 6), (40, 12), (59, 9), (79, 15), (119, 16), (130, 8), (200, 60)] {
        for keys in ["", "<enter>", "f", "f<tab>G", "/qq", "sss<enter>G"] {
            let mut harness = filled(columns, lines, usage());
            harness.keys(keys);
            let _ = harness.screen();
        }
    }
}
