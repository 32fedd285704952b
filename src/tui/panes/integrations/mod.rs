//! Integrations: what is read from where and goes where, how it stands, and what keeps a draft from being launched.

pub mod update;
pub mod view;

use crate::command;
use crate::model::Finding;
use crate::ops::overview::IntegrationRow;
use crate::tui::app::command::{Command, Scope, always};
use crate::tui::app::state::Pane;
use crate::tui::ui::list::{List, Listed};

const HERE: Scope = Scope::Pane(Pane::Integrations);

pub const COMMANDS: &[Command] = &[
    command!("integration.new", ["n"], HERE, always, update::new),
    command!("integration.edit", ["enter", "e"], HERE, update::selected, update::edit),
    command!("integration.mapping", ["m"], HERE, update::selected, update::mapping),
    command!("integration.launch", ["l"], HERE, update::can_launch, update::launch),
    command!("integration.run", ["r"], HERE, update::can_run, update::run),
    command!("integration.stop", ["x"], HERE, update::is_running, update::stop),
    command!("integration.pause", ["space", "P"], HERE, update::can_pause, update::pause),
    command!("integration.validate", ["v"], HERE, update::selected, update::validate),
    command!("integration.permissions", ["p"], HERE, update::selected, update::permissions),
    command!("integration.dry_run", ["D"], HERE, update::can_dry_run, update::dry_run),
    Command { quiet: true, ..command!("integration.answers", ["w"], HERE, update::selected, update::answers) },
    Command { dangerous: true, ..command!("integration.delete", ["d"], HERE, update::selected, update::delete) },
];

#[derive(Debug, Default)]
pub struct State {
    pub list: List<IntegrationRow>,
    /// What is wrong with the integration of that identifier.
    pub findings: Option<(String, Vec<Finding>)>,
    /// Identifier and name of the credentials.
    pub credentials: Vec<(String, String)>,
    /// Identifier and name of the connectors.
    pub connectors: Vec<(String, String)>,
    /// A new one was asked for: it is opened when it is there.
    opening: bool,
    /// To be selected when the list is read again.
    wanted: Option<String>,
    /// The findings that were asked for are to be read in full.
    reading: bool,
}

impl Listed for IntegrationRow {
    fn id(&self) -> String {
        self.integration.id.clone()
    }

    fn text(&self) -> String {
        format!("{} {}", self.integration.name, self.integration.connector)
    }
}

impl State {
    /// The name of the connector that an integration reads from; empty while it has none.
    #[must_use]
    pub fn source<'s>(&'s self, row: &'s IntegrationRow) -> &'s str {
        named(&self.connectors, &row.integration.connector)
    }

    /// The name of its credential.
    #[must_use]
    pub fn credential<'s>(&'s self, row: &'s IntegrationRow) -> &'s str {
        named(&self.credentials, &row.integration.credential)
    }
}

fn named<'s>(names: &'s [(String, String)], id: &'s str) -> &'s str {
    names.iter().find(|(known, _)| known == id).map_or(id, |(_, name)| name)
}

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    vec![
        (crate::t!("tui.integrations.source"), crate::t!("tui.integrations.explain.source")),
        (crate::t!("tui.integrations.state"), crate::t!("tui.integrations.explain.state")),
        (crate::t!("tui.integrations.last"), crate::t!("tui.integrations.explain.last")),
        (crate::t!("tui.integrations.next"), crate::t!("tui.integrations.explain.next")),
        (crate::t!("tui.integrations.records"), crate::t!("tui.integrations.explain.records")),
        (crate::t!("tui.integrations.findings"), crate::t!("tui.integrations.explain.findings")),
    ]
}

#[cfg(test)]
mod tests;
