//! Inbox: what the console tells people who were not looking.

pub mod update;
pub mod view;

use crate::command;
use crate::model::Notice;
use crate::tui::app::command::{Command, Scope};
use crate::tui::app::state::Pane;
use crate::tui::ui::list::{List, Listed};

pub const COMMANDS: &[Command] = &[
    command!("notice.open", ["enter"], Scope::Pane(Pane::Inbox), update::selected, update::open),
    command!("notice.mark", ["m"], Scope::Pane(Pane::Inbox), update::selected, update::mark),
    command!("notice.mark_all", ["M"], Scope::Pane(Pane::Inbox), update::any_unread, update::mark_all),
    command!("notice.go", ["o"], Scope::Pane(Pane::Inbox), update::selected, update::go_there),
];

#[derive(Debug, Default)]
pub struct State {
    pub list: List<Notice>,
}

impl Listed for Notice {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn text(&self) -> String {
        format!("{} {}", self.title, self.body)
    }
}

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    vec![(crate::t!("inbox.notice"), crate::t!("inbox.explain.notice")), (crate::t!("inbox.contacts"), crate::t!("inbox.explain.contacts"))]
}
