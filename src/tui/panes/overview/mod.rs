//! Overview: what runs, what failed, what expires, what to do next; on a first start, what this is.

pub mod update;
pub mod view;

use crate::command;
use crate::ops::overview::Overview;
use crate::tui::app::command::{Command, Scope, always};
use crate::tui::app::state::Pane;

pub const COMMANDS: &[Command] = &[
    command!("overview.do", ["enter"], Scope::Pane(Pane::Overview), update::has_steps, update::do_step),
    command!("overview.connect", ["c"], Scope::Pane(Pane::Overview), always, update::connect),
    command!("overview.day", ["d"], Scope::Pane(Pane::Overview), |state| state.demo, update::pass_a_day),
];

#[derive(Debug, Default)]
pub struct State {
    pub overview: Option<Overview>,
    /// The next step under the cursor.
    pub selected: usize,
}

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    vec![
        (crate::t!("overview.next"), crate::t!("overview.explain.next")),
        (crate::t!("overview.integrations"), crate::t!("overview.explain.integrations")),
        (crate::t!("overview.expiring"), crate::t!("overview.explain.expiring")),
    ]
}
