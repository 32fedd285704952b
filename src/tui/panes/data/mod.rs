//! (to be told by who builds it)

pub mod update;
pub mod view;

use crate::tui::app::command::Command;

pub const COMMANDS: &[Command] = &[];

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

/// An export whose name ends so is written as CSV; any other as one JSON object a line.
pub const EXPORT_CSV: &str = ".csv";

#[derive(Debug, Default)]
pub struct State {
    search: String,
    typing: bool,
}

impl State {
    /// Whether anybody looked at the data yet, for the checklist.
    #[must_use]
    pub fn looked(&self) -> bool {
        false
    }

    #[must_use]
    pub fn typing(&self) -> bool {
        self.typing
    }

    #[must_use]
    pub fn filter(&self) -> (&String, bool) {
        (&self.search, self.typing)
    }

    #[must_use]
    pub fn remembered(&self) -> serde_json::Value {
        serde_json::Value::Null
    }

    pub fn restore(&mut self, remembered: &serde_json::Value) {
        let _ = remembered;
    }
}
