//! Runs: the history, newest first, and what goes on now.

pub mod update;
pub mod view;

#[cfg(test)]
mod tests;

use crate::command;
use crate::model::{RecordError, Run};
use crate::tui::app::command::{Command, Scope};
use crate::tui::app::state::Pane;
use crate::tui::ui::list::{List, Listed};

pub const COMMANDS: &[Command] = &[
    command!("run.details", ["enter"], Scope::Pane(Pane::Runs), update::selected, update::details),
    command!("run.again", ["r"], Scope::Pane(Pane::Runs), update::can_run_again, update::again),
    Command { dangerous: true, ..command!("run.cancel", ["c"], Scope::Pane(Pane::Runs), update::is_running, update::cancel) },
    command!("run.integration", ["o"], Scope::Pane(Pane::Runs), update::selected, update::integration),
    Command { quiet: true, ..command!("run.copy", ["y"], Scope::Pane(Pane::Runs), update::selected, update::copy) },
];

impl Listed for Run {
    fn id(&self) -> String {
        self.run.clone()
    }

    fn text(&self) -> String {
        format!("{} {}", self.integration_name, self.run)
    }
}

#[derive(Debug, Default)]
pub struct State {
    pub list: List<Run>,
    /// The errors of the run under the cursor, when they were read: its id, and the first of them.
    pub errors: Option<(String, Vec<RecordError>)>,
    /// The details that were asked for are opened when they arrive.
    pub opening: Option<String>,
}

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    vec![
        (crate::t!("runs.state"), crate::t!("runs.explain.state")),
        (crate::t!("runs.read"), crate::t!("runs.explain.read")),
        (crate::t!("runs.created"), crate::t!("runs.explain.created")),
        (crate::t!("runs.deactivated"), crate::t!("runs.explain.deactivated")),
        (crate::t!("runs.failed"), crate::t!("runs.explain.failed")),
    ]
}
