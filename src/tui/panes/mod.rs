//! The numbered panes. Each has its state, its `update` and its view; they never import each other.

pub mod connectors;
pub mod credentials;
pub mod data;
pub mod inbox;
pub mod integrations;
pub mod overview;
pub mod runs;

use super::app::command::Command;
use super::app::effect::Effects;
use super::app::key::Key;
use super::app::layers::Layer;
use super::app::msg::Answer;
use super::app::navigate::go;
use super::app::state::{Pane, State};

pub const COMMANDS: &[&[Command]] =
    &[overview::COMMANDS, connectors::COMMANDS, credentials::COMMANDS, integrations::COMMANDS, runs::COMMANDS, data::COMMANDS, inbox::COMMANDS];

#[derive(Debug, Default)]
pub struct Panes {
    pub overview: overview::State,
    pub connectors: connectors::State,
    pub credentials: credentials::State,
    pub integrations: integrations::State,
    pub runs: runs::State,
    pub data: data::State,
    pub inbox: inbox::State,
}

impl Panes {
    /// What each pane wants to find again on the next start.
    #[must_use]
    pub fn remembered(&self) -> serde_json::Value {
        serde_json::json!({
            "connectors": self.connectors.remembered(),
            "credentials": self.credentials.list.remembered(),
            "integrations": self.integrations.list.remembered(),
            "runs": self.runs.list.remembered(),
            "data": self.data.remembered(),
        })
    }

    pub fn restore(&mut self, remembered: &serde_json::Value) {
        self.connectors.restore(&remembered["connectors"]);
        self.credentials.list.restore(&remembered["credentials"]);
        self.integrations.list.restore(&remembered["integrations"]);
        self.runs.list.restore(&remembered["runs"]);
        self.data.restore(&remembered["data"]);
    }
}

/// Whether the pane in front is having text typed into it, so that letters are no commands.
#[must_use]
pub fn typing(state: &State) -> bool {
    match state.pane {
        Pane::Overview => false,
        Pane::Connectors => state.panes.connectors.list.typing,
        Pane::Credentials => state.panes.credentials.list.typing,
        Pane::Integrations => state.panes.integrations.list.typing,
        Pane::Runs => state.panes.runs.list.typing,
        Pane::Data => state.panes.data.typing(),
        Pane::Inbox => state.panes.inbox.list.typing,
    }
}

/// The filter that the pane in front is narrowed by, and whether it is being typed.
#[must_use]
pub fn filter(state: &State) -> Option<(&str, bool)> {
    let (filter, typing) = match state.pane {
        Pane::Overview => return None,
        Pane::Connectors => (&state.panes.connectors.list.filter, state.panes.connectors.list.typing),
        Pane::Credentials => (&state.panes.credentials.list.filter, state.panes.credentials.list.typing),
        Pane::Integrations => (&state.panes.integrations.list.filter, state.panes.integrations.list.typing),
        Pane::Runs => (&state.panes.runs.list.filter, state.panes.runs.list.typing),
        Pane::Data => state.panes.data.filter(),
        Pane::Inbox => (&state.panes.inbox.list.filter, state.panes.inbox.list.typing),
    };
    (typing || !filter.is_empty()).then_some((filter.as_str(), typing))
}

/// A key of walking or typing; `false` when it means nothing to the pane in front.
pub fn key(state: &mut State, key: Key) -> bool {
    match state.pane {
        Pane::Overview => overview::update::key(state, key),
        Pane::Connectors => connectors::update::key(state, key),
        Pane::Credentials => state.panes.credentials.list.key(key),
        Pane::Integrations => state.panes.integrations.list.key(key),
        Pane::Runs => state.panes.runs.list.key(key),
        Pane::Data => data::update::key(state, key),
        Pane::Inbox => state.panes.inbox.list.key(key),
    }
}

pub fn paste(state: &mut State, text: &str) {
    match state.pane {
        Pane::Overview => {}
        Pane::Connectors => connectors::update::paste(state, text),
        Pane::Credentials => _ = state.panes.credentials.list.paste(text),
        Pane::Integrations => _ = state.panes.integrations.list.paste(text),
        Pane::Runs => _ = state.panes.runs.list.paste(text),
        Pane::Data => data::update::paste(state, text),
        Pane::Inbox => _ = state.panes.inbox.list.paste(text),
    }
}

/// After the selection or the filter may have changed: reads what goes with it.
pub fn moved(state: &mut State) -> Effects {
    match state.pane {
        Pane::Connectors => connectors::update::moved(state),
        Pane::Credentials => credentials::update::moved(state),
        Pane::Integrations => integrations::update::moved(state),
        Pane::Runs => runs::update::moved(state),
        Pane::Data => data::update::moved(state),
        Pane::Overview | Pane::Inbox => Vec::new(),
    }
}

/// One step back: a detail closes, a filter ends, and from any pane the overview.
pub fn back(state: &mut State) -> Effects {
    match state.pane {
        Pane::Overview => Vec::new(),
        _ => go(state, Pane::Overview),
    }
}

/// Selects an object, now or when it is loaded.
pub fn select(state: &mut State, pane: Pane, id: &str) {
    match pane {
        Pane::Connectors => connectors::update::select(state, id),
        Pane::Credentials => state.panes.credentials.list.select(id),
        Pane::Integrations => state.panes.integrations.list.select(id),
        Pane::Runs => state.panes.runs.list.select(id),
        Pane::Overview | Pane::Data | Pane::Inbox => {}
    }
}

pub fn select_row(state: &mut State, row: usize) {
    match state.pane {
        Pane::Overview => overview::update::select_row(state, row),
        Pane::Connectors => connectors::update::select_row(state, row),
        Pane::Credentials => state.panes.credentials.list.set_selected_index(row),
        Pane::Integrations => state.panes.integrations.list.set_selected_index(row),
        Pane::Runs => state.panes.runs.list.set_selected_index(row),
        Pane::Data => data::update::select_row(state, row),
        Pane::Inbox => state.panes.inbox.list.set_selected_index(row),
    }
}

/// Lets every pane have what a task brought.
pub fn answer(state: &mut State, answer: &Answer) -> Effects {
    let mut effects = Vec::new();
    effects.extend(overview::update::answer(state, answer));
    effects.extend(connectors::update::answer(state, answer));
    effects.extend(credentials::update::answer(state, answer));
    effects.extend(integrations::update::answer(state, answer));
    effects.extend(runs::update::answer(state, answer));
    effects.extend(data::update::answer(state, answer));
    effects.extend(inbox::update::answer(state, answer));
    effects
}

/// What lies above the pane and is not a screen of its own: the connector whose checklist is read.
#[must_use]
pub fn crumb(state: &State) -> Option<String> {
    let above = state.layers.iter().any(|layer| matches!(layer, Layer::Needs(_)));
    let row = state.panes.connectors.list.selected().filter(|_| above)?;
    Some(crate::words::clean::line(&row.name, 80))
}

/// The screen of the pane in front, field by field, for `?`.
#[must_use]
pub fn explain(state: &State) -> Vec<(&'static str, &'static str)> {
    match state.pane {
        Pane::Overview => overview::explain(),
        Pane::Connectors => connectors::explain(&state.layers),
        Pane::Credentials => credentials::explain(),
        Pane::Integrations => integrations::explain(),
        Pane::Runs => runs::explain(),
        Pane::Data => data::explain(),
        Pane::Inbox => inbox::explain(),
    }
}
