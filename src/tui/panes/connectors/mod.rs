//! Connectors: the catalog. List and search on the left, on the right what the one under the cursor can do.

pub mod update;
pub mod view;

use crate::command;
use crate::model::Connector;
use crate::ops::connectors::ConnectorRow;
use crate::tui::app::command::{Command, Scope};
use crate::tui::app::state::Pane;
use crate::tui::ui::list::{List, Listed};

pub const COMMANDS: &[Command] = &[
    command!("connector.connect", ["enter", "c"], Scope::Pane(Pane::Connectors), update::selected, update::connect),
    command!("connector.details", ["d"], Scope::Pane(Pane::Connectors), update::selected, update::details),
    command!("connector.docs", ["o"], Scope::Pane(Pane::Connectors), update::has_docs, update::open_docs),
    command!("connector.copy", ["y"], Scope::Pane(Pane::Connectors), update::has_docs, update::copy_docs),
];

#[derive(Debug, Default)]
pub struct State {
    pub list: List<ConnectorRow>,
    /// The definition of the one under the cursor, when it was read.
    pub detail: Option<Connector>,
}

impl Listed for ConnectorRow {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn text(&self) -> String {
        format!("{} {} {} {}", self.name, self.id, self.aliases.join(" "), self.categories.join(" "))
    }
}

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    vec![
        (crate::t!("connectors.name"), crate::t!("connectors.explain.name")),
        (crate::t!("connectors.status"), crate::t!("connectors.explain.status")),
        (crate::t!("connectors.methods"), crate::t!("connectors.explain.methods")),
        (crate::t!("connectors.resources"), crate::t!("connectors.explain.resources")),
    ]
}
