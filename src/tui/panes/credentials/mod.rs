//! (to be told by who builds it)

pub mod update;
pub mod view;

use crate::tui::app::command::Command;

pub const COMMANDS: &[Command] = &[];

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    Vec::new()
}

use crate::model::{Credential, CredentialDraft};
use crate::tui::ui::list::{List, Listed};

/// A credential, or a draft that was left half-way.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    Credential(Credential),
    Draft(CredentialDraft),
}

impl Row {
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Credential(credential) => &credential.name,
            Self::Draft(draft) => &draft.name,
        }
    }
}

impl Listed for Row {
    fn id(&self) -> String {
        match self {
            Self::Credential(credential) => credential.id.clone(),
            Self::Draft(draft) => draft.id.clone(),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Credential(credential) => format!("{} {} {}", credential.name, credential.connector, credential.method),
            Self::Draft(draft) => format!("{} {} {}", draft.name, draft.connector, draft.method),
        }
    }
}

#[derive(Debug, Default)]
pub struct State {
    pub list: List<Row>,
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
