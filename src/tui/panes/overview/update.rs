//! How the overview changes, and where its next steps lead.

use crate::model::Progress;
use crate::ops::overview::{NextStep, NextStepKind};
use crate::tui::app::effect::{Effects, Job};
use crate::tui::app::key::{Code, Key};
use crate::tui::app::msg::Answer;
use crate::tui::app::navigate::{go, refresh};
use crate::tui::app::state::{Pane, State};
use crate::tui::app::tasks::{QUICK, watched};
use crate::tui::panes;
use crate::tui::ui::theme::Tone;
use crate::tui::wizard;

fn steps(state: &State) -> &[NextStep] {
    state.panes.overview.overview.as_ref().map_or(&[], |overview| &overview.next_steps)
}

pub fn has_steps(state: &State) -> bool {
    !steps(state).is_empty()
}

pub fn key(state: &mut State, key: Key) -> bool {
    let last = steps(state).len().saturating_sub(1);
    let selected = &mut state.panes.overview.selected;
    match key.code {
        Code::Down | Code::Char('j') => *selected = (*selected + 1).min(last),
        Code::Up | Code::Char('k') => *selected = selected.saturating_sub(1),
        _ => return false,
    }
    true
}

pub fn select_row(state: &mut State, row: usize) {
    state.panes.overview.selected = row.min(steps(state).len().saturating_sub(1));
}

/// Goes where the step under the cursor is done.
pub fn do_step(state: &mut State) -> Effects {
    let Some(step) = steps(state).get(state.panes.overview.selected).cloned() else { return Vec::new() };
    let mut there = |pane: Pane| {
        panes::select(state, pane, &step.about);
        go(state, pane)
    };
    match step.kind {
        NextStepKind::AddCredential => connect(state),
        NextStepKind::FinishCredentialDraft => {
            let mut effects = there(Pane::Credentials);
            effects.extend(wizard::credential::resume(state, &step.about));
            effects
        }
        NextStepKind::FixCredential | NextStepKind::RenewCredential => there(Pane::Credentials),
        NextStepKind::DraftIntegration => there(Pane::Integrations),
        NextStepKind::FinishIntegration => {
            let mut effects = there(Pane::Integrations);
            effects.extend(wizard::mapping::open(state, &step.about));
            effects
        }
        NextStepKind::Launch | NextStepKind::FirstRun => there(Pane::Integrations),
        NextStepKind::LookAtFailedRun => there(Pane::Runs),
        NextStepKind::LookAtData => there(Pane::Data),
    }
}

pub fn connect(state: &mut State) -> Effects {
    if state.demo {
        panes::select(state, Pane::Connectors, "practice-clickwrap");
    }
    go(state, Pane::Connectors)
}

pub fn pass_a_day(state: &mut State) -> Effects {
    state.start(watched("demo.day", crate::t!("overview.passing_a_day"), QUICK, Job::PassADay))
}

pub fn answer(state: &mut State, answer: &Answer) -> Effects {
    match answer {
        Answer::Overview(overview) => {
            let mut overview = overview.clone();
            if state.panes.data.looked() {
                overview.next_steps.retain(|step| step.kind != NextStepKind::LookAtData);
            }
            state.panes.overview.selected = state.panes.overview.selected.min(overview.next_steps.len().saturating_sub(1));
            state.panes.overview.overview = Some(overview);
            Vec::new()
        }
        Answer::DayPassed => {
            state.toast(Tone::Good, crate::t!("overview.day_passed"));
            Vec::new()
        }
        // Whatever was changed may have changed what is to do.
        Answer::CredentialSaved { .. }
        | Answer::CredentialDeleted { .. }
        | Answer::DraftDiscarded
        | Answer::Tested { .. }
        | Answer::IntegrationChanged(_)
        | Answer::Launched(_)
        | Answer::Paused(_)
        | Answer::IntegrationDeleted(_)
        | Answer::Ran(_)
        | Answer::NoticesMarked => refresh(state),
        _ => Vec::new(),
    }
}

/// The progress of a run of an integration that goes on now.
#[must_use]
pub fn running<'s>(state: &'s State, integration: &str) -> Option<&'s Progress> {
    state.tasks.find(&format!("run.{integration}")).and_then(|task| task.progress.as_ref())
}
