//! The pane, by keys; and its screens.

use crate::model::{Credential, CredentialDraft, CredentialStatus, Integration, Problem, ProblemKind, TestOutcome, Time};
use crate::ops::connectors::{AuthRow, ConnectorRow};
use crate::ops::credentials::{CalendarRow, Retired};
use crate::ops::scopes::{BrokenField, ScopeReport, ScopeRow};
use crate::ops::token_view::{Claim, TokenView};
use crate::ops::vault::{Recipient, VaultStatus};
use crate::tui::app::effect::{Effect, Job};
use crate::tui::app::layers::Layer;
use crate::tui::app::msg::Answer;
use crate::tui::app::state::Pane;
use crate::tui::harness::Harness;
use crate::tui::wizard::Wizard;
use jiff::SignedDuration;
use std::borrow::Cow;

fn credential(id: &str, name: &str, connector: &str, method: &str, status: CredentialStatus, now: Time) -> Credential {
    Credential {
        id: id.to_owned(),
        name: name.to_owned(),
        connector: connector.to_owned(),
        method: method.to_owned(),
        settings: [("tenant".to_owned(), "9188040d-6c67-4c5b-b112-36a304b66dad".to_owned())].into_iter().collect(),
        secrets: vec!["client_secret".to_owned()],
        found: Default::default(),
        scopes: vec!["offline_access".to_owned()],
        granted: Vec::new(),
        status,
        access_expires: None,
        refresh_expires: None,
        refreshes: false,
        secret_expires: None,
        created: now - SignedDuration::from_hours(24 * 40),
        tested: None,
        last_test: None,
        references: indexmap::IndexMap::new(),
        known: Default::default(),
    }
}

fn outcome(now: Time, problem: Option<Problem>) -> TestOutcome {
    TestOutcome {
        ok: problem.is_none(),
        at: now - SignedDuration::from_mins(7),
        request: "GET https://acme-business-api.icertis.com/api/v1/agreements/ICMMasterServiceAgreement".to_owned(),
        status: Some(if problem.is_some() { 401 } else { 200 }),
        milliseconds: 1_142,
        proves: "Icertis accepts the credential, and its user may read agreements of this type.".to_owned(),
        problem,
    }
}

fn rows(now: Time) -> Answer {
    let in_days = |days: i64| Some(now + SignedDuration::from_hours(24 * days));
    let refused = Problem::new(
        ProblemKind::PersonMustAct,
        "Icertis refused the token",
        "It accepts version 1 tokens only; this app issues version 2.",
        "Set requestedAccessTokenVersion to 1 in the app registration's manifest.",
    );
    let clickwrap = Credential {
        access_expires: Some(now + SignedDuration::from_mins(41)),
        refreshes: true,
        last_test: Some(outcome(now, None)),
        ..credential("cred_1", "Clickwrap prod", "ironclad-clickwrap", "client_credentials", CredentialStatus::Valid, now)
    };
    let icertis = Credential {
        secret_expires: in_days(6),
        last_test: Some(outcome(now, Some(refused))),
        ..credential("cred_2", "Icertis dev", "icertis", "oauth2_code", CredentialStatus::Refused, now)
    };
    let contractbook = Credential {
        refresh_expires: in_days(90),
        ..credential("cred_3", "Contractbook", "contractbook", "bearer", CredentialStatus::NeedsConsent, now)
    };
    let okta = credential("cred_4", "Okta", "okta", "api_key", CredentialStatus::Untested, now);
    let draft = CredentialDraft {
        id: "draft_1".to_owned(),
        name: "Zendesk support".to_owned(),
        connector: "zendesk".to_owned(),
        method: "api_key".to_owned(),
        step: "input.api_token".to_owned(),
        ..CredentialDraft::default()
    };
    Answer::Credentials { credentials: vec![clickwrap, icertis, contractbook, okta], drafts: vec![draft] }
}

fn catalog() -> Answer {
    use crate::model::AuthKind;
    let row = |id: &str, name: &str, method: &str, kind: AuthKind| ConnectorRow {
        id: id.to_owned().into(),
        name: name.to_owned().into(),
        names: Cow::default(),
        status: crate::model::ConnectorStatus::Available,
        category: "".into(),
        categories: Cow::default(),
        auth: vec![AuthRow { method: method.to_owned().into(), kind, default: true }].into(),
        resources: Cow::default(),
        reads: Cow::default(),
        origin: crate::model::Origin::BuiltIn,
        summary: "".into(),
        aliases: Cow::default(),
    };
    Answer::Connectors(vec![
        row("ironclad-clickwrap", "Ironclad Clickwrap", "client_credentials", AuthKind::ClientCredentials),
        row("icertis", "Icertis", "oauth2_code", AuthKind::OAuth2Code),
        row("contractbook", "Contractbook SCIM", "bearer", AuthKind::Bearer),
        row("okta", "Okta", "api_key", AuthKind::ApiKey),
        row("zendesk", "Zendesk", "api_key", AuthKind::ApiKey),
    ])
}

fn pane(size: (u16, u16)) -> Harness {
    let mut harness = Harness::new(size.0, size.1);
    harness.keys("3");
    let now = harness.now;
    harness.answer(|job| matches!(job, Job::LoadCredentials), rows(now));
    harness.answer(|job| matches!(job, Job::LoadConnectors), catalog());
    harness
}

/// With the credential of that place under the cursor; the draft is at 0.
fn on(place: usize, size: (u16, u16), users: &[&str]) -> Harness {
    let mut harness = pane(size);
    for _ in 0..place {
        harness.keys("j");
    }
    let now = harness.now;
    let Some(id) = harness.state.panes.credentials.credential().map(|credential| credential.id.clone()) else { return harness };
    let integrations = users.iter().map(|name| Integration::draft(&format!("int_{name}"), name, Vec::new(), now)).collect();
    harness.answer(|job| matches!(job, Job::CredentialUsedBy(known) if *known == id), Answer::UsedBy { credential: id.clone(), integrations });
    harness
}

fn asked(harness: &Harness, job: impl Fn(&Job) -> bool) -> bool {
    harness.jobs().into_iter().any(job)
}

#[test]
fn keys_do_what_the_footer_says() {
    let mut harness = on(2, (80, 24), &[]);
    harness.keys("t");
    assert!(asked(&harness, |job| *job == Job::CredentialTest("cred_2".to_owned())));
    harness.keys("t");
    assert_eq!(harness.jobs().iter().filter(|job| matches!(job, Job::CredentialTest(_))).count(), 1, "one test at a time");
    harness.keys("y");
    assert_eq!(harness.effects.last(), Some(&Effect::Copy("cred_2".to_owned())));
    harness.keys("r");
    assert!(asked(&harness, |job| *job == Job::CredentialRenew("Icertis dev".to_owned())));
    assert!(matches!(harness.state.wizard(), Some(Wizard::Credential(_))));
    harness.keys("<esc>");
    assert!(harness.state.layers.is_empty(), "esc ends the waiting too");
    harness.keys("n");
    assert!(asked(&harness, |job| matches!(job, Job::IntegrationNew { name, credential: Some(id) } if name == "Icertis dev" && id == "cred_2")));
    harness.keys("a");
    assert_eq!(harness.state.pane, Pane::Connectors);
}

#[test]
fn enter_shows_everything_but_the_secrets() {
    let mut harness = on(2, (80, 24), &["Icertis people"]);
    harness.keys("<enter>");
    let Some(Layer::Reader(reader)) = harness.state.layers.last() else { panic!("nothing to read") };
    let has = |text: &str| reader.lines.iter().any(|line| line.text.contains(text));
    assert!(has("in the vault") && has("9188040d") && has("Icertis people") && has("HTTP 401") && has("version 1 tokens only"));
}

#[test]
fn a_draft_is_gone_on_with_or_discarded() {
    let mut harness = pane((80, 24));
    assert!(!asked(&harness, |job| matches!(job, Job::CredentialTest(_))));
    harness.keys("t");
    assert!(!asked(&harness, |job| matches!(job, Job::CredentialTest(_))), "a draft is not tested from here");
    harness.keys("<enter>");
    assert!(asked(&harness, |job| *job == Job::DraftLoad("draft_1".to_owned())));
    harness.keys("<esc>d");
    assert!(harness.screen().contains("Discard the draft “Zendesk support”?"));
    harness.keys("<tab><enter>");
    assert!(asked(&harness, |job| *job == Job::DraftDiscard("draft_1".to_owned())));
}

#[test]
fn deleting_names_it_and_is_refused_while_something_uses_it() {
    let mut harness = on(2, (80, 24), &["Icertis people", "Icertis vendors"]);
    harness.keys("d");
    let screen = harness.screen();
    assert!(screen.contains("“Icertis dev” cannot be deleted") && screen.contains("Icertis people, Icertis vendors"), "{screen}");
    harness.keys("<esc>");
    let mut harness = on(4, (80, 24), &[]);
    harness.keys("d");
    assert!(harness.screen().contains("Delete the credential “Okta”?"));
    harness.keys("<enter>");
    assert!(!asked(&harness, |job| matches!(job, Job::CredentialDelete { .. })), "Cancel is what enter does");
    harness.keys("d<tab><enter>");
    assert!(asked(&harness, |job| *job == Job::CredentialDelete { name: "cred_4".to_owned(), revoke: false }));
    harness.keys("x");
    assert!(harness.screen().contains("Revoke the tokens of “Okta”"));
}

#[test]
fn renaming_refuses_a_name_that_is_taken_at_the_field() {
    let mut harness = on(2, (80, 24), &[]);
    harness.keys("<f2><ctrl-u>Okta<enter>");
    assert!(harness.screen().contains("There is another credential named “Okta”"));
    harness.keys("<ctrl-u>Icertis test<enter>");
    assert!(asked(&harness, |job| matches!(job, Job::CredentialRename { name, to } if name == "cred_2" && to == "Icertis test")));
}

#[test]
fn the_selection_stays_and_what_was_saved_is_selected() {
    let mut harness = on(2, (80, 24), &[]);
    let now = harness.now;
    harness.keys("<f5>");
    harness.answer(|job| matches!(job, Job::LoadCredentials), rows(now));
    assert_eq!(harness.state.panes.credentials.credential().map(|credential| credential.id.as_str()), Some("cred_2"));
    let saved = credential("cred_4", "Okta", "okta", "api_key", CredentialStatus::Valid, now);
    harness.keys("<f2>t<enter>");
    harness.answer(|job| matches!(job, Job::CredentialRename { .. }), Answer::CredentialSaved { credential: saved, remark: None });
    harness.answer(|job| matches!(job, Job::LoadCredentials), rows(now));
    assert_eq!(harness.state.panes.credentials.credential().map(|credential| credential.id.as_str()), Some("cred_4"));
}

#[test]
fn a_test_from_the_list_is_told_and_read_anew() {
    let mut harness = on(1, (80, 24), &[]);
    harness.keys("t");
    let now = harness.now;
    harness.answer(|job| matches!(job, Job::CredentialTest(_)), Answer::Tested { name: "cred_1".to_owned(), outcome: outcome(now, None) });
    assert!(harness.screen().contains("Clickwrap prod works"));
    assert!(asked(&harness, |job| matches!(job, Job::LoadCredentials)));
}

#[test]
fn every_size_is_drawn() {
    for size in [(0, 0), (1, 1), (3, 3), (10, 9), (40, 12), (59, 8), (60, 24), (129, 20), (130, 6), (300, 60)] {
        for place in [0, 2, 4] {
            let _ = on(place, size, &["One"]).screen();
        }
    }
}

#[test]
fn screens() {
    for (columns, rows) in [(40, 12), (80, 24), (160, 50)] {
        let size = (columns, rows);
        insta::assert_snapshot!(format!("list_{columns}x{rows}"), on(2, size, &["Icertis people", "Icertis vendors"]).screen());
        insta::assert_snapshot!(format!("draft_{columns}x{rows}"), pane(size).screen());
        let mut empty = Harness::new(columns, rows);
        empty.keys("3");
        empty.answer(|job| matches!(job, Job::LoadCredentials), Answer::Credentials { credentials: Vec::new(), drafts: Vec::new() });
        insta::assert_snapshot!(format!("empty_{columns}x{rows}"), empty.screen());
    }
}

fn calendar(now: Time) -> Vec<CalendarRow> {
    let row = |name: &str, what: &str, days: i64, automatic: bool, used_by: &[&str]| CalendarRow {
        credential: format!("cred_{name}"),
        name: name.to_owned(),
        connector: "icertis".to_owned(),
        what: what.to_owned(),
        at: now + SignedDuration::from_hours(24 * days),
        known_from: if what == "secret" { "typed".to_owned() } else { "vendor".to_owned() },
        automatic,
        used_by: used_by.iter().map(|name| (*name).to_owned()).collect(),
    };
    vec![
        row("Zendesk", "secret", -3, false, &["Zendesk agents"]),
        row("Clickwrap prod", "access_token", 0, true, &[]),
        row("Icertis dev", "secret", 6, false, &["Icertis people", "Icertis vendors"]),
        row("Contractbook", "refresh_token", 20, false, &[]),
        row("Okta \u{1b}[31m", "certificate", 80, false, &["Okta"]),
    ]
}

fn scope_report() -> ScopeReport {
    let row = |scope: &str, meaning: &str, asked: bool, granted: bool, needed: &[&str]| ScopeRow {
        scope: scope.to_owned(),
        meaning: meaning.to_owned(),
        asked,
        granted,
        needed_by: needed.iter().map(|name| (*name).to_owned()).collect(),
    };
    ScopeReport {
        said: true,
        rows: vec![
            row("users:read", "Reads users.", true, true, &["Icertis people"]),
            row("users:read.email", "Reads their addresses.", true, false, &["Icertis people"]),
            row("admin", "Everything.", false, true, &[]),
            row("offline_access", "", true, true, &[]),
        ],
        broken: vec![BrokenField {
            integration: "Icertis people".to_owned(),
            field: "profile.email".to_owned(),
            scope: "users:read.email".to_owned(),
        }],
    }
}

fn token(now: Time) -> TokenView {
    let claim = |name: &str, value: &str, meaning: &str| Claim { name: name.to_owned(), value: value.to_owned(), meaning: meaning.to_owned() };
    TokenView {
        what: "access_token".to_owned(),
        opaque: false,
        algorithm: Some("RS256".to_owned()),
        claims: vec![
            claim("iss", "https://login.microsoftonline.com/9188040d/v2.0", "who issued it"),
            claim("aud", "api://icm", "whom it is for"),
            claim("scp", "icm.read \u{1b}]0;owned\u{7}", "what it allows"),
        ],
        issued: Some(now - SignedDuration::from_mins(20)),
        expires: Some(now + SignedDuration::from_mins(41)),
        findings: vec![Problem::new(
            ProblemKind::PersonMustAct,
            "The token was issued by another issuer",
            "It says v2.0, and Icertis wants version 1.",
            "Set requestedAccessTokenVersion to 1.",
        )],
    }
}

#[test]
fn pages_of_ends_scopes_and_tokens() {
    for size in [(40, 12), (80, 24), (160, 50)] {
        let mut harness = on(2, size, &[]);
        let now = harness.now;
        harness.keys("c");
        harness.answer(|job| *job == Job::LoadCalendar, Answer::Calendar(calendar(now)));
        insta::assert_snapshot!(format!("calendar_{}x{}", size.0, size.1), harness.screen());
        harness.keys("<esc>s");
        harness.answer(|job| matches!(job, Job::LoadScopes(_)), Answer::Scopes { credential: "cred_2".to_owned(), report: scope_report() });
        insta::assert_snapshot!(format!("scope_report_{}x{}", size.0, size.1), harness.screen());
        harness.keys("<esc>v");
        harness.answer(|job| matches!(job, Job::LoadTokens(_)), Answer::Tokens { credential: "cred_2".to_owned(), tokens: vec![token(now)] });
        let screen = harness.screen();
        assert!(screen.lines().all(crate::words::clean::is_clean), "{screen}");
        insta::assert_snapshot!(format!("tokens_{}x{}", size.0, size.1), screen);
        harness.keys("jjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjjj");
        let _ = harness.screen();
        harness.keys("<esc>");
        assert!(harness.state.layers.is_empty());
    }
}

#[test]
fn the_end_of_a_secret_is_typed_as_a_day_or_a_number_of_days() {
    let mut harness = on(2, (80, 24), &[]);
    harness.keys("e<ctrl-u>soon<enter>");
    assert!(harness.screen().contains("That is no day"));
    harness.keys("<ctrl-u>90d<enter>");
    let at = harness.now + SignedDuration::from_hours(24 * 90);
    assert!(asked(&harness, |job| *job == Job::CredentialExpiry { name: "cred_2".to_owned(), at: Some(at) }));
}

#[test]
fn deleting_can_revoke_first() {
    let mut harness = on(4, (80, 24), &[]);
    harness.keys("d");
    assert!(harness.screen().contains("[ ] end its access at the vendor first"));
    harness.keys("<space><tab><enter>");
    let both = |job: &Job| *job == Job::CredentialDelete { name: "cred_4".to_owned(), revoke: true };
    assert!(asked(&harness, both));
    // The vendor cannot be reached: nothing is deleted, and the same question offers the other way.
    let problem = Problem::new(ProblemKind::Failed, "Okta did not answer", "No connection.", crate::t!("credentials.delete.not_revoked"));
    harness.fail(both, problem);
    let screen = harness.screen();
    assert!(screen.contains("Okta did not answer") && screen.contains("without ending its access"), "{screen}");
    harness.keys("<esc>d<tab><enter>");
    assert!(asked(&harness, |job| *job == Job::CredentialDelete { name: "cred_4".to_owned(), revoke: false }));
}

#[test]
fn what_a_deletion_did_at_the_vendor_is_told() {
    let end = |done: Retired| {
        let mut harness = on(4, (80, 24), &[]);
        harness.keys("d<space><tab><enter>");
        harness.answer(|job| matches!(job, Job::CredentialDelete { .. }), Answer::CredentialDeleted { name: "cred_4".to_owned(), done });
        harness.screen()
    };
    let screen = end(Retired { revoked: true, ..Retired::default() });
    assert!(screen.contains("its tokens revoked at the vendor: Okta"), "{screen}");
    let screen = end(Retired { withdrawn: true, ..Retired::default() });
    assert!(screen.contains("registered client taken back"), "{screen}");
    let stays = Problem::new(ProblemKind::Partial, "The client c-1 stays registered at Okta", "It answered with 500.", "Remove it there.");
    let screen = end(Retired { revoked: true, left: vec![stays], ..Retired::default() });
    assert!(screen.contains("The client c-1 stays registered at Okta"), "{screen}");
}

#[test]
fn the_vault_is_shown_and_locked_by_name() {
    let mut harness = on(2, (80, 24), &[]);
    harness.keys("<f10>");
    let recipient =
        |kind: &str, name: &str, public: Option<&str>| Recipient { kind: kind.to_owned(), name: name.to_owned(), public: public.map(str::to_owned) };
    let status = VaultStatus {
        exists: true,
        unlocked: true,
        unlocked_until: Some(harness.now + SignedDuration::from_mins(12)),
        protection: Some("passphrase".to_owned()),
        asks: Some("passphrase".to_owned()),
        key_file: None,
        recipients: vec![
            recipient("passphrase", "passphrase", None),
            recipient("ssh", "ada", Some("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ8yQm ada@admin01")),
        ],
        secrets: 14,
    };
    harness.answer(|job| *job == Job::VaultStatus, Answer::Vault(status));
    insta::assert_snapshot!("vault_80x24", harness.screen());
    harness.keys("<esc>:lock");
    harness.keys("<enter>");
    assert!(asked(&harness, |job| *job == Job::VaultLock));
}

#[test]
fn a_new_secret_is_tried_and_the_old_one_can_be_taken_back() {
    let mut harness = on(2, (80, 24), &[]);
    harness.keys("o");
    harness.paste("n3w-secret");
    assert!(!harness.screen().contains("n3w-secret"));
    harness.keys("<enter>");
    let tried = |job: &Job| matches!(job, Job::CredentialRotate { name, key, value } if name == "cred_2" && key == "client_secret" && value.0.expose() == "n3w-secret");
    assert!(asked(&harness, tried));
    let now = harness.now;
    harness.answer(tried, Answer::Rotated { name: "cred_2".to_owned(), outcome: outcome(now, None) });
    assert!(harness.screen().contains("Icertis dev: the secret works and is in place"));
    // Nothing was replaced as far as the list knows: nothing can be taken back.
    harness.keys("O");
    assert!(harness.state.layers.is_empty());
    let mut changed = credential("cred_2", "Icertis dev", "icertis", "oauth2_code", CredentialStatus::Valid, now);
    changed.known.rotated.push(crate::model::Rotated { field: "client_secret".to_owned(), at: now, old_expires: None });
    harness.answer(|job| matches!(job, Job::LoadCredentials), Answer::Credentials { credentials: vec![changed], drafts: Vec::new() });
    harness.keys("O<tab><enter>");
    assert!(asked(&harness, |job| *job == Job::CredentialRotateBack { name: "cred_2".to_owned(), key: "client_secret".to_owned() }));
}
