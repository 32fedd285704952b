use crate::model::{Problem, ProblemKind, RecordError, Run, RunState, Time};
use crate::tui::app::effect::Job;
use crate::tui::app::msg::Answer;
use crate::tui::harness::Harness;

fn run(n: u64, state: RunState, now: Time) -> Run {
    let started = now - jiff::SignedDuration::from_hours(i64::try_from(n).unwrap() * 24);
    Run {
        run: format!("run_{n}"),
        integration: "int_1".into(),
        integration_name: "Clickwrap to People".into(),
        state,
        dry_run: n == 3,
        read: 250,
        filtered: 0,
        created: if n == 4 { 250 } else { 3 },
        updated: 12,
        unchanged: 230,
        deactivated: 4,
        reactivated: 1,
        skipped: 0,
        failed: u64::from(state == RunState::Partial) * 2,
        pages: 3,
        requests: 4,
        bytes: 51_234,
        started,
        ended: (state != RunState::Running).then(|| started + jiff::SignedDuration::from_millis(1_840)),
        problem: (state == RunState::Failed).then(|| {
            Problem::new(
                ProblemKind::Failed,
                "Practice Clickwrap answered 500 to page 2",
                "The vendor failed five times in a row.",
                "Run it again later.",
            )
        }),
    }
}

fn shown(columns: u16, rows: u16) -> Harness {
    let mut harness = Harness::new(columns, rows);
    harness.keys("5");
    let runs = [RunState::Running, RunState::Succeeded, RunState::Failed, RunState::Succeeded, RunState::Partial];
    let runs = runs.into_iter().enumerate().map(|(n, state)| run(n as u64, state, harness.now)).collect();
    harness.answer(|job| matches!(job, Job::LoadRuns(_)), Answer::Runs(runs));
    harness
}

#[test]
fn the_errors_of_a_run_are_read_when_it_is_looked_at() {
    let mut harness = shown(80, 24);
    harness.keys("G");
    let errors =
        vec![RecordError { number: 17, key: "ada@example.org".into(), field: Some("last_login".into()), message: "“soon” is no time".into() }];
    let last = run(4, RunState::Partial, harness.now);
    harness.answer(|job| matches!(job, Job::LoadRun(id) if id == "run_4"), Answer::Run { run: last, errors });
    assert!(harness.screen().contains("ada@example.org, field last_login"), "{}", harness.screen());
}

#[test]
fn a_running_run_can_be_cancelled_after_a_question_that_names_it() {
    let mut harness = shown(80, 24);
    harness.keys("c");
    assert!(harness.screen().contains("Cancel the run of “Clickwrap to People”?"));
    harness.keys("<enter>");
    assert!(!harness.jobs().iter().any(|job| matches!(job, Job::CancelRun(_))), "enter cancels the question by default");
    harness.keys("c<tab><enter>");
    assert!(harness.jobs().iter().any(|job| matches!(job, Job::CancelRun(id) if id == "run_0")));
}

#[test]
fn screens() {
    for (columns, rows) in [(40, 12), (80, 24), (160, 50)] {
        let mut harness = shown(columns, rows);
        harness.keys("jj");
        insta::assert_snapshot!(format!("runs_{columns}x{rows}"), harness.screen());
    }
}
