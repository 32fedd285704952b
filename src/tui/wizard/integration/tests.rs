use super::*;
use crate::model::{Every, Installation, Integration, IntegrationKind, Preference, Problem, ProblemKind};
use crate::ops::answers::Of;
use crate::tui::harness::Harness;
use crate::tui::wizard::fixture;

fn opened_with(columns: u16, rows: u16, integration: &Integration) -> Harness {
    let mut harness = Harness::new(columns, rows);
    harness.act(|state| open(state, "int_1"));
    fixture::loaded(&mut harness, integration, fixture::findings());
    let credentials = vec![fixture::credential("cred_1", "Clickwrap prod"), fixture::credential("cred_2", "Clickwrap dev")];
    harness.answer(|job| *job == Job::LoadCredentials, Answer::Credentials { credentials, drafts: Vec::new() });
    harness.answer(|job| *job == Job::LoadSaasApplications, Answer::SaasApplications(vec![("Slack".into(), 12)]));
    harness.answer(|job| matches!(job, Job::LoadConnector(_)), Answer::Connector(fixture::connector()));
    fixture::fields(&mut harness);
    harness
}

fn opened(columns: u16, rows: u16) -> Harness {
    opened_with(columns, rows, &fixture::integration())
}

fn machine(harness: &Harness) -> &Machine {
    match harness.state.wizard() {
        Some(Wizard::Integration(machine)) => machine,
        other => panic!("no form: {other:?}"),
    }
}

fn own(harness: &Harness) -> &Integration {
    &machine(harness).draft.as_ref().unwrap().integration
}

fn focus(harness: &mut Harness, field: &str) {
    for _ in 0..30 {
        if machine(harness).form.focused().is_some_and(|focused| focused.key == field) {
            return;
        }
        harness.keys("<tab>");
    }
    panic!("there is no field {field}");
}

/// A field, the keys typed into it, and what then holds.
type Case = (&'static str, &'static str, fn(&Integration) -> bool);

#[test]
fn every_field_is_taken_and_saved_as_typed() {
    let cases: &[Case] = &[
        ("name", "<ctrl-u>People", |i| i.name == "People"),
        ("kind", "<right>", |i| i.kind == IntegrationKind::UserAndSaasUser),
        ("installation", " ", |i| i.installation == Installation::Cloud),
        ("preference", "<right>", |i| i.preference == Preference::CreateOnly),
        ("preference", "<left>", |i| i.preference == Preference::UpdateOnly),
        ("deactivate", " ", |i| i.deactivate),
        ("contacts", ", grace@example.org,", |i| i.contacts == ["ada@example.org", "grace@example.org"]),
        ("every", "<right>", |i| i.schedule.every == Every::Weekly),
        ("at", "<ctrl-u>04:30", |i| i.schedule.at == "04:30"),
        ("time_zone", "<ctrl-u>Asia/Tokyo", |i| i.schedule.time_zone == "Asia/Tokyo"),
        ("sync_key", ", username", |i| i.sync_key == ["email", "username"]),
        ("filter", "verified", |i| i.filter.as_deref() == Some("verified")),
    ];
    for (field, keys, holds) in cases {
        let mut harness = opened(80, 24);
        focus(&mut harness, field);
        harness.keys(keys);
        assert!(holds(own(&harness)), "{field}: {:?}", own(&harness));
        for _ in 0..2 {
            fixture::saved(&mut harness);
        }
        assert!(machine(&harness).draft.as_ref().unwrap().saved(), "{field}");
    }
}

#[test]
fn the_schedule_asks_for_what_it_needs() {
    let mut harness = opened(80, 24);
    focus(&mut harness, "every");
    let keys = |harness: &Harness| machine(harness).form.fields.iter().map(|field| field.key.clone()).collect::<Vec<_>>();
    assert!(keys(&harness).contains(&"at".to_owned()));
    harness.keys("<left>");
    assert_eq!(own(&harness).schedule.every, Every::Hours(6));
    assert!(keys(&harness).contains(&"interval".to_owned()) && !keys(&harness).contains(&"at".to_owned()));
    assert_eq!(machine(&harness).form.focused().unwrap().key, "every", "the focus stays");
    focus(&mut harness, "interval");
    harness.keys("<ctrl-u>");
    assert!(machine(&harness).form.focused().unwrap().error.is_some());
    harness.keys("12");
    assert_eq!(own(&harness).schedule.every, Every::Hours(12));
}

#[test]
fn the_credential_is_picked_from_a_list() {
    let mut harness = opened(80, 24);
    focus(&mut harness, "credential");
    harness.keys("<enter>dev");
    insta::assert_snapshot!("pick_credential_80x24", harness.screen());
    harness.keys("<enter>");
    let wanted = |job: &Job| matches!(job, Job::IntegrationSource { credential, resource: None, .. } if credential == "cred_2");
    let sourced = Integration { credential: "cred_2".into(), resource: "users".into(), ..fixture::integration() };
    harness.answer(wanted, Answer::IntegrationChanged(sourced));
    assert_eq!((own(&harness).credential.as_str(), own(&harness).resource.as_str()), ("cred_2", "users"));
}

#[test]
fn what_is_wrong_stands_at_its_field() {
    let harness = opened(80, 24);
    let error = |key: &str| machine(&harness).form.field(key).unwrap().error.clone();
    assert!(error("time_zone").unwrap().contains("Europe/Paris"));
    assert_eq!(error("name"), None);
}

#[test]
fn a_save_that_fails_keeps_what_was_typed() {
    let mut harness = opened(80, 24);
    harness.keys("x");
    let problem = Problem::new(ProblemKind::Usage, "The name is taken", "Another integration has it.", "Choose another.");
    harness.fail(|job| matches!(job, Job::IntegrationSave(_)), problem.clone());
    assert!(harness.screen().contains("not saved"), "{}", harness.screen());
    harness.keys("<esc>");
    machine(&harness);
    harness.fail(|job| matches!(job, Job::IntegrationSave(_)), problem);
    harness.keys("<esc>");
    assert!(harness.state.wizard().is_none(), "the second esc leaves");
}

#[test]
fn enter_on_the_last_field_and_the_keys_lead_on() {
    for keys in ["<f3>", "<ctrl-n>"] {
        let mut harness = opened(80, 24);
        harness.keys(keys);
        assert!(matches!(harness.state.wizard(), Some(Wizard::Mapping(_))), "{keys}");
        assert_eq!(harness.state.layers.len(), 1, "one editor gives way to the other");
    }
    let mut harness = opened(80, 24);
    focus(&mut harness, "filter");
    harness.keys("<enter>");
    assert!(matches!(harness.state.wizard(), Some(Wizard::Mapping(_))));
    let mut harness = opened(80, 24);
    harness.keys("<f4>");
    assert!(matches!(harness.state.wizard(), Some(Wizard::Permission(_))));
}

#[test]
fn screens() {
    for (columns, rows) in [(40, 12), (80, 24), (160, 50)] {
        let integration = Integration { kind: IntegrationKind::UserAndSaasUser, ..fixture::integration() };
        let mut harness = opened_with(columns, rows, &integration);
        insta::assert_snapshot!(format!("details_{columns}x{rows}"), harness.screen());
        focus(&mut harness, "time_zone");
        insta::assert_snapshot!(format!("details_error_{columns}x{rows}"), harness.screen());
    }
}

#[test]
fn every_size_is_drawn() {
    for (columns, rows) in [(0, 0), (1, 1), (2, 2), (5, 3), (9, 9), (20, 4), (59, 24), (60, 8), (109, 24), (110, 12), (160, 50)] {
        let mut harness = opened(columns, rows);
        for keys in ["", "<tab><enter>", "zz", "<esc><f8>"] {
            harness.keys(keys);
            let _ = harness.screen();
        }
    }
}

#[test]
fn it_is_saved_as_a_file_from_every_screen_of_it() {
    for (kind, begin) in [("details", begin as fn(&str) -> _), ("mapping", mapping::begin), ("permission", permission::begin)] {
        let mut harness = opened(80, 24);
        let (wizard, requests) = begin("int_1");
        harness.act(|state| {
            state.layers.clear();
            crate::tui::wizard::open(state, wizard, requests)
        });
        fixture::loaded(&mut harness, &fixture::integration(), fixture::findings());
        harness.keys("<ctrl-x>");
        assert!(harness.screen().contains(".integration.toml"), "{kind}: {}", harness.screen());
        harness.keys("<ctrl-u>~/people.toml<enter>");
        let of = Of::Integration("int_1".to_owned());
        let save = |over: bool| Job::SaveAnswers { of: of.clone(), path: "~/people.toml".to_owned(), over };
        harness.answer(|job| *job == save(false), Answer::AnswersThere { of: of.clone(), path: "~/people.toml".to_owned() });
        assert!(harness.screen().contains("Replace the file"), "{kind}");
        harness.keys("<tab><enter>");
        harness.answer(|job| *job == save(true), Answer::AnswersSaved("/home/ada/people.toml".to_owned()));
        assert!(harness.screen().contains("Saved: /home/ada/people.toml"), "{kind}");
    }
}
