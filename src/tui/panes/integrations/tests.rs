use crate::model::{Integration, IntegrationState, Problem, ProblemKind, Progress, Run, RunState};
use crate::ops::overview::{IntegrationRow, Overview};
use crate::tui::app::effect::Job;
use crate::tui::app::layers::Layer;
use crate::tui::app::msg::{Answer, Msg, TaskEvent};
use crate::tui::app::state::Pane;
use crate::tui::harness::Harness;
use crate::tui::wizard::{Wizard, fixture};

fn run(state: RunState, read: u64, hours: i64) -> Run {
    Run {
        run: "run_1".into(),
        state,
        read,
        created: 3,
        updated: 12,
        deactivated: 4,
        ..Run::begin("int_2", "Contractbook", fixture::now() - jiff::SignedDuration::from_hours(hours), false)
    }
}

fn rows() -> Vec<IntegrationRow> {
    let next = Some(fixture::now() + jiff::SignedDuration::from_hours(11));
    let named = |id: &str, name: &str, state: IntegrationState| Integration { id: id.into(), name: name.into(), state, ..fixture::active() };
    vec![
        IntegrationRow { integration: fixture::integration(), last: None, next: None },
        IntegrationRow {
            integration: named("int_2", "Contractbook users and their departments", IntegrationState::Active),
            last: Some(run(RunState::Succeeded, 12_034, 2)),
            next,
        },
        IntegrationRow { integration: named("int_3", "Icertis", IntegrationState::Active), last: Some(run(RunState::Failed, 0, 26)), next },
        IntegrationRow { integration: named("int_4", "Okta", IntegrationState::Paused), last: Some(run(RunState::Partial, 250, 49)), next: None },
    ]
}

fn opened(columns: u16, rows_: u16) -> Harness {
    let mut harness = Harness::new(columns, rows_);
    harness.keys("4");
    harness.answer(|job| *job == Job::LoadOverview, Answer::Overview(Overview { integrations: rows(), ..Overview::default() }));
    let credentials = vec![fixture::credential("cred_1", "Clickwrap prod")];
    harness.answer(|job| *job == Job::LoadCredentials, Answer::Credentials { credentials, drafts: Vec::new() });
    found(&mut harness, "int_1");
    harness
}

fn found(harness: &mut Harness, id: &str) {
    let findings = if id == "int_1" { fixture::findings() } else { Vec::new() };
    fixture::answered(harness, |job| matches!(job, Job::IntegrationValidate(_)), Answer::Findings { integration: id.into(), findings });
}

#[test]
fn a_new_one_is_named_made_and_opened() {
    let mut harness = opened(80, 24);
    harness.keys("n<enter>");
    assert!(harness.screen().contains("Give it a name."));
    harness.keys("clickwrap<enter>");
    assert!(harness.screen().contains("Another integration has this name."));
    harness.keys(" two<enter>");
    // The only credential there is goes with it.
    let wanted = |job: &Job| *job == Job::IntegrationNew { name: "clickwrap two".into(), credential: Some("cred_1".into()) };
    let made = Integration { id: "int_9".into(), name: "clickwrap two".into(), ..fixture::integration() };
    harness.answer(wanted, Answer::IntegrationChanged(made));
    assert!(matches!(harness.state.wizard(), Some(Wizard::Integration(_))));
}

#[test]
fn keys_open_the_editors() {
    for (keys, fits) in [
        ("<enter>", (|wizard| matches!(wizard, Wizard::Integration(_))) as fn(&Wizard) -> bool),
        ("e", |wizard| matches!(wizard, Wizard::Integration(_))),
        ("m", |wizard| matches!(wizard, Wizard::Mapping(_))),
        ("p", |wizard| matches!(wizard, Wizard::Permission(_))),
    ] {
        let mut harness = opened(80, 24);
        harness.keys(keys);
        assert!(harness.state.wizard().is_some_and(fits), "{keys}");
        harness.keys("<esc>");
        assert!(harness.state.wizard().is_none(), "esc goes back from {keys}, also while it is being read");
    }
}

#[test]
fn a_run_is_watched_in_its_row_and_its_result_told() {
    let mut harness = opened(80, 24);
    harness.keys("jr");
    let id = harness.open.iter().find(|(_, spec)| spec.key == "run.int_2").expect("it runs").0;
    let progress = Progress { doing: "reading page 3".into(), records: 300, pages: 3, total: Some(1_250), rate: 140.0, seconds_left: Some(7) };
    harness.send(Msg::Task { id, event: TaskEvent::Progress(progress) });
    assert!(harness.screen().contains("reading page 3 · 300 of 1,250 records · 140/s"), "{}", harness.screen());
    harness.keys("r");
    assert_eq!(harness.open.iter().filter(|(_, spec)| spec.key == "run.int_2").count(), 1, "it runs already");
    harness.answer(|job| matches!(job, Job::Run { options, .. } if !options.dry_run), Answer::Ran(run(RunState::Succeeded, 250, 0)));
    assert!(harness.screen().contains("Contractbook: 3 created, 12 updated, 4 deactivated"), "{}", harness.screen());
    harness.keys("D");
    assert!(harness.jobs().into_iter().any(|job| matches!(job, Job::Run { options, .. } if options.dry_run)));
}

#[test]
fn a_failed_run_and_a_refused_launch_are_shown_in_full() {
    let mut harness = opened(80, 24);
    harness.keys("l");
    let problem = Problem::new(ProblemKind::PersonMustAct, "Clickwrap cannot be launched", "User type is not mapped.", "Map it.");
    harness.fail(|job| *job == Job::IntegrationLaunch("int_1".into()), problem.clone());
    assert!(matches!(harness.state.layers.last(), Some(Layer::Problem(shown)) if *shown == problem));
    harness.keys("<esc>jr");
    let failed = Run { problem: Some(problem), ..run(RunState::Failed, 0, 0) };
    harness.answer(|job| matches!(job, Job::Run { .. }), Answer::Ran(failed));
    assert!(matches!(harness.state.layers.last(), Some(Layer::Problem(_))));
}

#[test]
fn what_a_state_forbids_is_not_offered() {
    let mut harness = opened(80, 24);
    harness.keys("r P");
    assert!(!harness.jobs().into_iter().any(|job| matches!(job, Job::Run { .. } | Job::IntegrationPause(_))), "a draft neither runs nor pauses");
    harness.keys("j ");
    assert!(harness.jobs().into_iter().any(|job| *job == Job::IntegrationPause("int_2".into())));
    harness.keys("jj ");
    assert!(harness.jobs().into_iter().any(|job| *job == Job::IntegrationLaunch("int_4".into())), "a paused one goes on");
}

#[test]
fn deleting_names_the_integration_and_cancels_by_default() {
    let mut harness = opened(80, 24);
    harness.keys("d");
    assert!(harness.screen().contains("Delete the integration “Clickwrap”?"));
    harness.keys("<enter>");
    assert!(!harness.jobs().into_iter().any(|job| matches!(job, Job::IntegrationDelete(_))));
    harness.keys("d<tab><enter>");
    assert!(harness.jobs().into_iter().any(|job| *job == Job::IntegrationDelete("int_1".into())));
}

#[test]
fn v_reads_everything_that_was_found() {
    let mut harness = opened(80, 24);
    harness.keys("v");
    found(&mut harness, "int_1");
    insta::assert_snapshot!("findings_80x24", harness.screen());
}

#[test]
fn an_empty_pane_says_what_to_do() {
    let mut harness = Harness::new(80, 24);
    harness.state.pane = Pane::Integrations;
    harness.keys("4");
    harness.answer(|job| *job == Job::LoadOverview, Answer::Overview(Overview::default()));
    assert!(harness.screen().contains("connect a vendor first"), "{}", harness.screen());
    harness.answer(
        |job| *job == Job::LoadCredentials,
        Answer::Credentials { credentials: vec![fixture::credential("cred_1", "A")], drafts: Vec::new() },
    );
    insta::assert_snapshot!("empty_80x24", harness.screen());
}

#[test]
fn screens() {
    for (columns, rows) in [(40, 12), (80, 24), (160, 50)] {
        let mut harness = opened(columns, rows);
        insta::assert_snapshot!(format!("integrations_{columns}x{rows}"), harness.screen());
        harness.keys("j");
        found(&mut harness, "int_2");
        insta::assert_snapshot!(format!("integrations_active_{columns}x{rows}"), harness.screen());
    }
}
