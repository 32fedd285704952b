use super::*;
use crate::model::{Integration, Mapped, ProblemKind};
use crate::tui::harness::Harness;
use crate::tui::wizard::fixture;
use proptest::prelude::*;

fn opened_with(columns: u16, rows: u16, integration: &Integration) -> Harness {
    let mut harness = Harness::new(columns, rows);
    harness.act(|state| open(state, "int_1"));
    fixture::loaded(&mut harness, integration, fixture::findings());
    fixture::fields(&mut harness);
    harness
}

fn sampled(harness: &mut Harness) {
    harness.answer(|job| matches!(job, Job::LoadSample(_)), Answer::Sample { integration: "int_1".into(), sample: fixture::sample() });
    previewed(harness);
}

fn previewed(harness: &mut Harness) {
    fixture::answered(
        harness,
        |job| matches!(job, Job::Preview { .. }),
        Answer::Preview { integration: "int_1".into(), preview: fixture::preview() },
    );
}

fn opened(columns: u16, rows: u16) -> Harness {
    let mut harness = opened_with(columns, rows, &fixture::integration());
    sampled(&mut harness);
    harness
}

fn machine(harness: &Harness) -> &Machine {
    match harness.state.wizard() {
        Some(Wizard::Mapping(machine)) => machine,
        other => panic!("no mapping editor: {other:?}"),
    }
}

fn from(harness: &Harness, key: &str) -> Option<String> {
    rows::mapped(&machine(harness).draft.as_ref().unwrap().integration, key).map(mappings::written)
}

fn saves(harness: &Harness) -> Vec<&Integration> {
    harness.jobs().into_iter().filter_map(|job| if let Job::IntegrationSave(integration) = job { Some(&**integration) } else { None }).collect()
}

#[test]
fn what_must_be_filled_comes_first() {
    let harness = opened(80, 24);
    let keys: Vec<&str> = machine(&harness).fields_shown().map(|field| field.key.as_str()).take(4).collect();
    assert_eq!(keys, ["email", "full_name", "user_type", "username"]);
    assert!(machine(&harness).fields_shown().filter(|field| machine(&harness).missing(field)).all(|field| field.key == "user_type"));
}

#[test]
fn a_mapping_is_edited_in_place_checked_and_previewed_as_it_is_typed() {
    let mut harness = opened(80, 24);
    harness.keys("jj<enter>");
    harness.keys("=empl");
    let live = harness.jobs().into_iter().find_map(|job| if let Job::Preview { integration, .. } = job { Some(integration.clone()) } else { None });
    assert_eq!(rows::mapped(&live.unwrap(), "user_type"), Some(&Mapped::Constant("empl".into())));
    assert_eq!(from(&harness, "user_type"), None, "nothing is taken before enter");
    assert!(saves(&harness).is_empty());
    harness.keys("oyee<enter>");
    assert_eq!(from(&harness, "user_type").as_deref(), Some("=employee"));
    assert_eq!(saves(&harness).len(), 1);
    harness.keys("<ctrl-z>");
    assert_eq!(from(&harness, "user_type"), None);
    harness.keys("<ctrl-y>");
    assert_eq!(from(&harness, "user_type").as_deref(), Some("=employee"));
}

#[test]
fn what_does_not_compile_stays_in_the_field_with_its_error() {
    let mut harness = opened(80, 24);
    harness.keys("<enter><ctrl-u>");
    harness.paste("{{ email | }}\n");
    assert!(machine(&harness).editing.as_ref().is_some_and(|editing| editing.error.is_some()));
    harness.keys("<enter>");
    assert!(machine(&harness).editing.is_some());
    assert_eq!(from(&harness, "email").as_deref(), Some("{{ email | lower }}"));
    harness.keys("<esc>");
    assert!(machine(&harness).editing.is_none());
    assert!(saves(&harness).is_empty());
}

#[test]
fn letters_are_text_while_text_is_typed() {
    let mut harness = opened(80, 24);
    harness.keys("<enter><ctrl-u>slx?q");
    assert_eq!(machine(&harness).editing.as_ref().unwrap().field.text(), "slx?q");
    harness.keys("<esc>");
    assert_eq!(from(&harness, "email").as_deref(), Some("{{ email | lower }}"));
}

#[test]
fn tab_completes_a_path_from_the_source() {
    let mut harness = opened(80, 24);
    harness.keys("jj<enter>dep<tab><enter>");
    assert_eq!(from(&harness, "user_type").as_deref(), Some("organisation.department.name"));
}

#[test]
fn a_source_field_is_chosen_for_a_destination_field() {
    let mut harness = opened(80, 24);
    harness.keys("jj<tab>/loc<enter>");
    assert_eq!(from(&harness, "user_type").as_deref(), Some("locale"));
    assert_eq!(machine(&harness).focus, Focus::Destination);
    harness.keys("<tab><esc>");
    assert_eq!(machine(&harness).focus, Focus::Destination);
    harness.keys("<esc>");
    assert!(harness.state.wizard().is_none());
}

#[test]
fn saves_wait_for_each_other_and_the_last_state_arrives() {
    let mut harness = opened(120, 24);
    harness.keys("xjxjjx");
    assert_eq!(saves(&harness).len(), 1, "one at a time");
    assert!(harness.screen().contains("saving"), "{}", harness.screen());
    fixture::saved(&mut harness);
    let last = saves(&harness);
    assert_eq!(last.len(), 1, "what changed meanwhile follows");
    assert_eq!(last[0].mappings.len(), 3);
    fixture::saved(&mut harness);
    assert!(machine(&harness).draft.as_ref().unwrap().saved());
}

#[test]
fn a_failed_save_is_told_and_repeated() {
    let mut harness = opened(100, 24);
    harness.keys("x");
    let problem = Problem::new(ProblemKind::Failed, "The workspace could not be written", "The disk is full.", "Make room.");
    harness.fail(|job| matches!(job, Job::IntegrationSave(_)), problem);
    assert!(harness.screen().contains("not saved"), "{}", harness.screen());
    harness.keys("jx");
    assert_eq!(saves(&harness)[0].mappings.len(), 3, "both changes are in the next save");
}

#[test]
fn suggestions_are_one_step_and_guesses_are_left_out() {
    let mut harness = opened(80, 24);
    harness.keys("s");
    let suggestion = |field: &str, path: &str, score: u8| Suggestion {
        field: field.into(),
        from: Mapped::Path(path.into()),
        score,
        reason: "The names are the same.".into(),
    };
    let suggestions = vec![suggestion("username", "login", 95), suggestion("time_zone", "tz", 80), suggestion("user_type", "kind", 30)];
    harness.answer(|job| matches!(job, Job::Suggest { .. }), Answer::Suggestions { integration: "int_1".into(), suggestions: suggestions.clone() });
    assert_eq!(from(&harness, "username").as_deref(), Some("login"));
    assert_eq!(from(&harness, "time_zone").as_deref(), Some("tz"));
    assert_eq!(from(&harness, "user_type"), None);
    harness.keys("<ctrl-z>");
    assert_eq!((from(&harness, "username"), from(&harness, "time_zone")), (None, None));
    harness.keys("jjS");
    harness.answer(|job| matches!(job, Job::Suggest { .. }), Answer::Suggestions { integration: "int_1".into(), suggestions });
    assert_eq!(from(&harness, "user_type").as_deref(), Some("kind"), "for one field a guess is welcome");
}

#[test]
fn a_custom_field_is_named_typed_and_selected() {
    let mut harness = opened(80, 24);
    harness.keys("aEmail<enter>");
    assert!(harness.screen().contains("Another field has this name."));
    harness.keys("<ctrl-u>Cost centre<enter>");
    harness.keys("int<enter>");
    harness.answer(
        |job| *job == Job::AddField { table: Table::People, label: "Cost centre".into(), kind: crate::model::FieldType::Integer },
        Answer::FieldChanged {
            table: Table::People,
            field: fixture::field("custom_cost_centre", "Cost centre", crate::model::FieldType::Integer, false),
        },
    );
    assert_eq!(machine(&harness).field().map(|field| field.key.as_str()), Some("custom_cost_centre"));
    harness.keys("R<ctrl-u>Centre<enter>");
    let renames = |job: &Job| *job == Job::RenameField { table: Table::People, key: "custom_cost_centre".into(), label: "Centre".into() };
    assert!(harness.jobs().into_iter().any(renames), "{:?}", harness.jobs());
}

#[test]
fn tracking_adds_the_field_that_is_not_there_and_maps_both() {
    let mut harness = opened(80, 24);
    harness.keys("t");
    assert_eq!(from(&harness, "custom_connect_credentials").as_deref(), Some("@credential"));
    let added = fixture::field("custom_connector_sync_time", "Connector: Sync Time", crate::model::FieldType::Time, false);
    harness.answer(|job| matches!(job, Job::AddField { .. }), Answer::FieldChanged { table: Table::People, field: added });
    assert_eq!(from(&harness, "custom_connector_sync_time").as_deref(), Some("@sync-time"));
}

#[test]
fn a_filter_is_typed_and_undone() {
    let mut harness = opened(80, 24);
    harness.keys("fverified<enter>");
    assert_eq!(machine(&harness).draft.as_ref().unwrap().integration.filter.as_deref(), Some("verified"));
    harness.keys("<ctrl-z>");
    assert_eq!(machine(&harness).draft.as_ref().unwrap().integration.filter, None);
}

#[test]
fn editing_works_without_records() {
    let mut harness = opened_with(80, 24, &fixture::integration());
    let problem = Problem::new(ProblemKind::Failed, "Ironclad Clickwrap did not answer", "The connection was refused.", "Check the network.");
    harness.fail(|job| matches!(job, Job::LoadSample(_)), problem);
    insta::assert_snapshot!("no_records_80x24", harness.screen());
    harness.keys("jj<enter>=employee<enter>");
    assert_eq!(from(&harness, "user_type").as_deref(), Some("=employee"));
    harness.keys("<f6>");
    assert!(harness.jobs().into_iter().any(|job| matches!(job, Job::LoadSample(_))));
}

#[test]
fn records_are_walked() {
    let mut harness = opened(80, 24);
    harness.keys("]");
    assert!(harness.screen().contains("Grace Hopper"));
    harness.keys("<right>");
    assert!(harness.screen().contains("is not an email address"), "{}", harness.screen());
    harness.keys("]");
    assert_eq!(machine(&harness).record, 2);
    harness.keys("[[[");
    assert_eq!(machine(&harness).record, 0);
    harness.keys("w");
    insta::assert_snapshot!("what_changes_80x24", harness.screen());
}

#[test]
fn saas_users_follow_people_until_they_have_their_own() {
    let integration = Integration { kind: IntegrationKind::UserAndSaasUser, ..fixture::integration() };
    let mut harness = opened_with(80, 30, &integration);
    sampled(&mut harness);
    harness.keys("G");
    insta::assert_snapshot!("saas_80x30", harness.screen());
    harness.keys("k<enter>=admin<enter>");
    assert_eq!(from(&harness, "saas.role").as_deref(), Some("=admin"));
    // The heading is stepped over.
    harness.keys("kkk");
    assert_eq!(machine(&harness).field().map(|field| field.key.as_str()), Some("custom_connect_credentials"));
}

#[test]
fn launching_saves_first_and_closes_when_it_is_done() {
    let mut harness = opened(80, 24);
    harness.keys("xl");
    assert_eq!(saves(&harness).len(), 1);
    assert!(!harness.jobs().into_iter().any(|job| matches!(job, Job::IntegrationLaunch(_))), "it waits for the save");
    fixture::saved(&mut harness);
    harness.answer(|job| matches!(job, Job::IntegrationLaunch(_)), Answer::Launched(fixture::active()));
    assert!(harness.state.wizard().is_none());
}

#[test]
fn a_refused_launch_says_why_and_stays() {
    let mut harness = opened(80, 24);
    harness.keys("l");
    let problem = Problem::new(ProblemKind::PersonMustAct, "Clickwrap cannot be launched", "User type is not mapped.", "Map it.");
    harness.fail(|job| matches!(job, Job::IntegrationLaunch(_)), problem);
    assert!(matches!(harness.state.layers.last(), Some(Layer::Problem(_))));
    harness.keys("<esc>");
    machine(&harness);
}

#[test]
fn screens() {
    for (columns, rows) in [(40, 12), (80, 24), (160, 50)] {
        let mut harness = opened(columns, rows);
        insta::assert_snapshot!(format!("mapping_{columns}x{rows}"), harness.screen());
        harness.keys("jj<enter>na");
        insta::assert_snapshot!(format!("editing_{columns}x{rows}"), harness.screen());
        harness.keys("<esc><tab>j");
        insta::assert_snapshot!(format!("source_{columns}x{rows}"), harness.screen());
    }
}

#[test]
fn every_size_is_drawn() {
    for (columns, rows) in [(0, 0), (1, 1), (2, 2), (5, 3), (9, 9), (20, 4), (30, 7), (59, 24), (60, 8), (123, 24), (124, 12), (160, 50)] {
        let mut harness = opened(columns, rows);
        for keys in ["", "jj<enter>", "<esc><tab>", "<esc>f", "<esc>/zz", "<esc>aX<enter>", "<esc>w"] {
            harness.keys(keys);
            let _ = harness.screen();
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Whatever is edited: all of it undone is what was there, all of that redone is what came of it.
    #[test]
    fn any_edits_can_be_undone(edits in proptest::collection::vec(0_usize..7, 1..14)) {
        let mut harness = opened(80, 24);
        let state = |harness: &Harness| {
            let integration = &machine(harness).draft.as_ref().unwrap().integration;
            (integration.mappings.clone(), integration.filter.clone())
        };
        let start = state(&harness);
        for edit in &edits {
            harness.keys(["j", "k", "x", "<enter><ctrl-u>=constant<enter>", "<enter><ctrl-u>name<enter>", "f<ctrl-u>verified<enter>", "<tab>j<enter>"][*edit]);
        }
        let end = state(&harness);
        harness.keys(&"<ctrl-z>".repeat(edits.len()));
        prop_assert_eq!(state(&harness), start);
        harness.keys(&"<ctrl-y>".repeat(edits.len()));
        prop_assert_eq!(state(&harness), end);
    }
}
