//! How the integrations pane changes.

use crate::model::{Integration, IntegrationState, Progress, Run, RunOptions, RunState};
use crate::ops::answers::Of;
use crate::ops::overview::IntegrationRow;
use crate::tui::app::answers;
use crate::tui::app::effect::{Effects, Job};
use crate::tui::app::layers::{Confirm, Layer, Prompt};
use crate::tui::app::msg::Answer;
use crate::tui::app::state::{Pane, State};
use crate::tui::app::tasks::{LONG, read, watched, write};
use crate::tui::ui::field::Field;
use crate::tui::ui::list::Listed as _;
use crate::tui::ui::theme::Tone;
use crate::tui::wizard::{self, draft, words};

/// Reads what it shows; the integrations themselves come with the overview, which is read whenever a pane is.
pub fn load(state: &mut State) -> Effects {
    let mut effects = state.start(read("read.credentials", Job::LoadCredentials));
    if state.panes.integrations.connectors.is_empty() {
        effects.extend(state.start(read("read.connectors", Job::LoadConnectors)));
    }
    effects
}

/// Checks the integration under the cursor.
pub fn moved(state: &mut State) -> Effects {
    let pane = &state.panes.integrations;
    let Some(row) = pane.list.selected() else { return Vec::new() };
    if pane.findings.as_ref().is_some_and(|(id, _)| *id == row.integration.id) {
        return Vec::new();
    }
    let integration = row.integration.clone();
    state.start(draft::check(&integration))
}

pub fn answer(state: &mut State, answer: &Answer) -> Effects {
    let pane = &mut state.panes.integrations;
    match answer {
        Answer::Overview(overview) => {
            pane.list.set(overview.integrations.clone());
            if let Some(id) = pane.wanted.take() {
                pane.list.select(&id);
            }
            // What is wrong may depend on more than the integration itself: it is asked again.
            pane.findings = pane.findings.take().filter(|(id, _)| pane.list.selected().is_some_and(|row| row.integration.id == *id));
            match pane.list.selected().map(|row| row.integration.clone()).filter(|_| state.pane == Pane::Integrations) {
                Some(integration) => state.start(draft::check(&integration)),
                None => Vec::new(),
            }
        }
        Answer::Credentials { credentials, .. } => {
            pane.credentials = credentials.iter().map(|credential| (credential.id.clone(), credential.name.clone())).collect();
            Vec::new()
        }
        Answer::Connectors(rows) => {
            pane.connectors = rows.iter().map(|row| (row.id.to_string(), row.name.to_string())).collect();
            Vec::new()
        }
        Answer::Findings { integration, findings } => {
            if pane.list.selected().is_some_and(|row| row.integration.id == *integration) {
                pane.findings = Some((integration.clone(), findings.clone()));
                if std::mem::take(&mut pane.reading) {
                    return read_findings(state);
                }
            }
            Vec::new()
        }
        Answer::IntegrationChanged(integration) => {
            let known = pane.list.items().iter().any(|row| row.integration.id == integration.id);
            if known || !std::mem::take(&mut pane.opening) {
                return Vec::new();
            }
            pane.wanted = Some(integration.id.clone());
            wizard::integration::open(state, &integration.id)
        }
        Answer::Launched(integration) => {
            state.toast(Tone::Good, crate::t!("tui.integrations.launched", name = integration.name));
            Vec::new()
        }
        Answer::Paused(integration) => {
            state.toast(Tone::Good, crate::t!("tui.integrations.paused", name = integration.name));
            Vec::new()
        }
        Answer::IntegrationDeleted(_) => {
            state.toast(Tone::Good, crate::t!("tui.integrations.deleted"));
            Vec::new()
        }
        Answer::Ran(run) => {
            ran(state, run);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// A run that failed is shown in full; how any run ended is told by the pane of runs.
fn ran(state: &mut State, run: &Run) {
    if run.state == RunState::Failed
        && let Some(problem) = &run.problem
    {
        state.show(problem.clone());
    }
}

fn row(state: &State) -> Option<&IntegrationRow> {
    state.panes.integrations.list.selected()
}

fn integration(state: &State) -> Option<&Integration> {
    row(state).map(|row| &row.integration)
}

pub fn selected(state: &State) -> bool {
    row(state).is_some()
}

fn in_state(state: &State, wanted: &[IntegrationState]) -> bool {
    integration(state).is_some_and(|integration| wanted.contains(&integration.state))
}

pub fn can_launch(state: &State) -> bool {
    in_state(state, &[IntegrationState::Draft, IntegrationState::Paused])
}

pub fn can_run(state: &State) -> bool {
    in_state(state, &[IntegrationState::Active, IntegrationState::Paused]) && !is_running(state)
}

/// A draft can be rehearsed before it is launched.
pub fn can_dry_run(state: &State) -> bool {
    selected(state) && !is_running(state)
}

pub fn can_pause(state: &State) -> bool {
    in_state(state, &[IntegrationState::Active, IntegrationState::Paused])
}

pub fn is_running(state: &State) -> bool {
    integration(state).is_some_and(|integration| running(state, &integration.id).is_some())
}

fn run_key(id: &str) -> String {
    format!("run.{id}")
}

/// Whether an integration runs from this console, and how far it is.
#[must_use]
pub fn running<'s>(state: &'s State, id: &str) -> Option<Option<&'s Progress>> {
    state.tasks.find(&run_key(id)).map(|task| task.progress.as_ref())
}

pub fn new(state: &mut State) -> Effects {
    state.push(Layer::Prompt(Prompt {
        title: crate::t!("tui.integrations.new_title").to_owned(),
        help: crate::t!("tui.integrations.new_help").to_owned(),
        field: Field::default(),
        error: None,
        then: make,
    }))
}

fn make(state: &mut State, name: &str) -> Result<Effects, String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(crate::t!("tui.integrations.no_name").to_owned());
    }
    if state.panes.integrations.list.items().iter().any(|row| row.integration.name.eq_ignore_ascii_case(name)) {
        return Err(crate::t!("tui.integrations.name_taken").to_owned());
    }
    let pane = &mut state.panes.integrations;
    pane.opening = true;
    // With one credential there is nothing to choose.
    let credential = if let [(id, _)] = &pane.credentials[..] { Some(id.clone()) } else { None };
    Ok(state.start(write("integration.new", Job::IntegrationNew { name: name.to_owned(), credential })))
}

pub fn edit(state: &mut State) -> Effects {
    with_id(state, wizard::integration::open)
}

pub fn mapping(state: &mut State) -> Effects {
    with_id(state, wizard::mapping::open)
}

pub fn permissions(state: &mut State) -> Effects {
    with_id(state, wizard::permission::open)
}

fn with_id(state: &mut State, open: fn(&mut State, &str) -> Effects) -> Effects {
    let Some(id) = row(state).map(|row| row.id()) else { return Vec::new() };
    open(state, &id)
}

pub fn launch(state: &mut State) -> Effects {
    let Some(integration) = integration(state) else { return Vec::new() };
    let title = crate::t!("tui.launching", name = integration.name);
    let spec = draft::queued(&integration.id, title, Job::IntegrationLaunch(integration.id.clone()));
    state.start(spec)
}

/// Pauses an active one, and lets a paused one go on.
pub fn pause(state: &mut State) -> Effects {
    let Some(integration) = integration(state) else { return Vec::new() };
    if integration.state == IntegrationState::Paused {
        return launch(state);
    }
    let spec = draft::queued(&integration.id, String::new(), Job::IntegrationPause(integration.id.clone()));
    state.start(spec)
}

pub fn run(state: &mut State) -> Effects {
    start_run(state, false)
}

pub fn dry_run(state: &mut State) -> Effects {
    start_run(state, true)
}

fn start_run(state: &mut State, dry_run: bool) -> Effects {
    let Some(integration) = integration(state) else { return Vec::new() };
    let name = &integration.name;
    let title = if dry_run { crate::t!("tui.integrations.rehearsing", name = name) } else { crate::t!("tui.integrations.running", name = name) };
    let job = Job::Run { integration: integration.id.clone(), options: RunOptions { dry_run, ..RunOptions::default() } };
    let spec = watched(&run_key(&integration.id), title, LONG, job);
    state.start(spec)
}

/// Asks the run to stop; it says what it stored.
pub fn stop(state: &mut State) -> Effects {
    let Some(key) = integration(state).map(|integration| run_key(&integration.id)) else { return Vec::new() };
    state.tasks.cancel_visibly(&key)
}

pub fn validate(state: &mut State) -> Effects {
    let Some(integration) = integration(state).cloned() else { return Vec::new() };
    state.panes.integrations.reading = true;
    state.start(draft::check(&integration))
}

fn read_findings(state: &mut State) -> Effects {
    let pane = &state.panes.integrations;
    let (Some(row), Some((_, findings))) = (pane.list.selected(), &pane.findings) else { return Vec::new() };
    let title = crate::t!("tui.findings.title", name = row.integration.name);
    let layer = words::findings_reader(title, findings, &[]);
    state.push(layer)
}

pub fn delete(state: &mut State) -> Effects {
    let Some(integration) = integration(state) else { return Vec::new() };
    let layer = Confirm::task(
        crate::t!("tui.integrations.delete_question", name = integration.name),
        crate::t!("tui.integrations.delete_consequence").to_owned(),
        crate::t!("tui.integrations.delete_verb"),
        draft::queued(&integration.id, String::new(), Job::IntegrationDelete(integration.id.clone())),
    );
    state.push(layer)
}

/// Saves the integration as a file.
pub fn answers(state: &mut State) -> Effects {
    let Some((id, name)) = state.panes.integrations.list.selected().map(|row| (row.id(), row.integration.name.clone())) else { return Vec::new() };
    answers::ask(state, Of::Integration(id), &name)
}
