//! (to be told by who builds it)

pub mod update;
pub mod view;

use crate::tui::app::command::Command;

pub const COMMANDS: &[Command] = &[];

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

use crate::model::Run;
use crate::tui::ui::list::{List, Listed};

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
}

impl State {
    #[must_use]
    pub fn remembered(&self) -> serde_json::Value {
        serde_json::json!({ "selected": self.list.selected().map(Listed::id), "filter": self.list.filter })
    }

    pub fn restore(&mut self, remembered: &serde_json::Value) {
        self.list.restore(remembered);
    }
}
