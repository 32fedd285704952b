//! How the history changes.

use crate::model::{RecordError, Run, RunOptions, RunState};
use crate::tui::app::effect::{Effect, Effects, Job, TaskSpec};
use crate::tui::app::layers::{Confirm, Layer, Line, Reader, Scrolled};
use crate::tui::app::msg::Answer;
use crate::tui::app::navigate::go;
use crate::tui::app::state::{Pane, State};
use crate::tui::app::tasks::{LONG, QUICK, read, watched};
use crate::tui::panes;
use crate::tui::ui::theme::Tone;
use crate::tui::ui::{labels, text, when};
use crate::words::number;

pub fn load(state: &mut State) -> Effects {
    let mut effects = state.start(read("read.runs", Job::LoadRuns(None)));
    effects.extend(moved(state));
    effects
}

/// Reads the errors of the run under the cursor, when it has any and they are not those that are shown.
pub fn moved(state: &mut State) -> Effects {
    let Some(run) = state.panes.runs.list.selected() else { return Vec::new() };
    if run.failed == 0 || state.panes.runs.errors.as_ref().is_some_and(|(id, _)| *id == run.run) {
        return Vec::new();
    }
    let id = run.run.clone();
    state.start(read("read.run", Job::LoadRun(id)))
}

pub fn answer(state: &mut State, answer: &Answer) -> Effects {
    match answer {
        Answer::Runs(runs) => {
            state.panes.runs.list.set(runs.clone());
            moved(state)
        }
        Answer::Run { run, errors } => {
            state.panes.runs.errors = Some((run.run.clone(), errors.clone()));
            if state.panes.runs.opening.take().is_some_and(|id| id == run.run) {
                let reader = reader(run, errors);
                state.layers.push(Layer::Reader(reader));
            }
            Vec::new()
        }
        Answer::Ran(run) => {
            // A failed run is shown in full by the pane that started it.
            if run.state != RunState::Failed {
                let (tone, said) = summary(run);
                state.toast(tone, said);
            }
            if state.pane == Pane::Runs { load(state) } else { Vec::new() }
        }
        Answer::RunCancelled(_) => {
            state.toast(Tone::Notice, crate::t!("runs.cancel_asked"));
            load(state)
        }
        _ => Vec::new(),
    }
}

/// What a run did, in one sentence.
fn summary(run: &Run) -> (Tone, String) {
    let name = text::clean(&run.integration_name);
    match run.state {
        RunState::Succeeded if run.dry_run => (
            Tone::Good,
            crate::t!("runs.would", name = name, created = number(run.created), updated = number(run.updated), deactivated = number(run.deactivated)),
        ),
        RunState::Succeeded => (
            Tone::Good,
            crate::t!(
                "runs.did",
                name = name,
                created = number(run.created),
                updated = number(run.updated),
                deactivated = number(run.deactivated),
                reactivated = number(run.reactivated)
            ),
        ),
        RunState::Partial => (Tone::Notice, crate::t!("runs.did_in_part", name = name, n = number(run.failed))),
        RunState::Cancelled => (Tone::Notice, crate::t!("runs.was_cancelled", name = name)),
        RunState::Failed | RunState::Interrupted | RunState::Running => (
            Tone::Bad,
            crate::t!("runs.did_not", name = name, why = run.problem.as_ref().map_or_else(String::new, |problem| text::clean(&problem.why))),
        ),
    }
}

pub fn selected(state: &State) -> bool {
    state.panes.runs.list.selected().is_some()
}

pub fn is_running(state: &State) -> bool {
    state.panes.runs.list.selected().is_some_and(|run| run.state == RunState::Running)
}

pub fn can_run_again(state: &State) -> bool {
    state.panes.runs.list.selected().is_some_and(|run| run.state != RunState::Running)
}

/// A run of an integration, as a task that people watch.
#[must_use]
pub fn task(integration: &str, name: &str, options: RunOptions) -> TaskSpec {
    let title = if options.dry_run { crate::t!("runs.task_dry", name = text::clean(name)) } else { crate::t!("runs.task", name = text::clean(name)) };
    watched(&format!("run.{integration}"), title, LONG, Job::Run { integration: integration.to_owned(), options })
}

pub fn again(state: &mut State) -> Effects {
    let Some(run) = state.panes.runs.list.selected() else { return Vec::new() };
    let spec = task(&run.integration, &run.integration_name, RunOptions::default());
    state.start(spec)
}

/// Cancels a run, in this process or another.
pub fn cancel(state: &mut State) -> Effects {
    let Some(run) = state.panes.runs.list.selected().cloned() else { return Vec::new() };
    let layer = Confirm::task(
        crate::t!("runs.cancel_question", name = text::clean(&run.integration_name)),
        crate::t!("runs.cancel_consequence").to_owned(),
        crate::t!("runs.cancel_verb"),
        watched("run.cancel", crate::t!("runs.cancelling"), QUICK, Job::CancelRun(run.run)),
    );
    state.push(layer)
}

pub fn integration(state: &mut State) -> Effects {
    let Some(id) = state.panes.runs.list.selected().map(|run| run.integration.clone()) else { return Vec::new() };
    panes::select(state, Pane::Integrations, &id);
    go(state, Pane::Integrations)
}

pub fn copy(state: &mut State) -> Effects {
    state.panes.runs.list.selected().map(|run| vec![Effect::Copy(run.run.clone())]).unwrap_or_default()
}

pub fn details(state: &mut State) -> Effects {
    let Some(id) = state.panes.runs.list.selected().map(|run| run.run.clone()) else { return Vec::new() };
    state.panes.runs.opening = Some(id.clone());
    state.start(read("read.run", Job::LoadRun(id)))
}

fn reader(run: &Run, errors: &[RecordError]) -> Reader {
    let mut lines = Vec::new();
    let mut push = |term: &str, text: String| lines.push(Line { term: term.to_owned(), text });
    push(crate::t!("runs.state"), labels::run_state(run.state).to_owned());
    push(crate::t!("runs.started"), when::absolute(run.started));
    if let Some(ended) = run.ended {
        push(crate::t!("runs.ended"), when::absolute(ended));
        push(crate::t!("runs.took"), when::duration(ended.as_millisecond() - run.started.as_millisecond()));
    }
    for (term, n) in counts(run) {
        push(term, number(n));
    }
    push(crate::t!("runs.pages"), number(run.pages));
    push(crate::t!("runs.requests"), number(run.requests));
    push(crate::t!("runs.bytes"), number(run.bytes));
    push(crate::t!("runs.id"), run.run.clone());
    if let Some(problem) = &run.problem {
        push(crate::t!("problem.what"), text::clean(&problem.what));
        push(crate::t!("problem.why"), text::clean(&problem.why));
        push(crate::t!("problem.do"), text::clean(&problem.next_step));
    }
    if !errors.is_empty() {
        push("", String::new());
        push(crate::t!("runs.errors"), crate::t!("runs.errors_of", n = number(run.failed)));
        for error in errors {
            push(&number(error.number), written(error));
        }
    }
    Reader { title: text::clean(&run.integration_name), lines, scroll: Scrolled::default() }
}

/// One record's error, in a line. A record may have no key: then its number tells which it is.
#[must_use]
pub fn written(error: &RecordError) -> String {
    let key = text::clean(&error.key);
    let message = text::clean(&error.message);
    match (&error.field, key.is_empty()) {
        (Some(field), false) => crate::t!("runs.error_field", key = key, field = text::clean(field), message = message),
        (Some(field), true) => crate::t!("runs.error_field_only", field = text::clean(field), message = message),
        (None, false) => crate::t!("runs.error", key = key, message = message),
        (None, true) => message,
    }
}

/// The counts in the order in which they are read.
#[must_use]
pub fn counts(run: &Run) -> [(&'static str, u64); 9] {
    [
        (crate::t!("runs.read"), run.read),
        (crate::t!("runs.created"), run.created),
        (crate::t!("runs.updated"), run.updated),
        (crate::t!("runs.unchanged"), run.unchanged),
        (crate::t!("runs.deactivated"), run.deactivated),
        (crate::t!("runs.reactivated"), run.reactivated),
        (crate::t!("runs.filtered"), run.filtered),
        (crate::t!("runs.skipped"), run.skipped),
        (crate::t!("runs.failed"), run.failed),
    ]
}
