//! Credentials: the ways into vendors' accounts, with how they stand; and drafts that were left half-way.

pub mod pages;
#[cfg(test)]
mod tests;
pub mod update;
pub mod view;

use crate::command;
use crate::model::{Credential, CredentialDraft, Integration};
use crate::ops::connectors::ConnectorRow;
use crate::tui::app::command::{Command, Scope, always};
use crate::tui::app::state::Pane;
use crate::tui::ui::list::{List, Listed};

const HERE: Scope = Scope::Pane(Pane::Credentials);

pub const COMMANDS: &[Command] = &[
    command!("credential.test", ["t"], HERE, update::on_credential, update::test),
    command!("credential.open", ["enter"], HERE, update::selected, update::open),
    command!("credential.renew", ["r"], HERE, update::on_credential, update::renew),
    command!("credential.add", ["a"], HERE, always, update::add),
    command!("credential.draft", ["n"], HERE, update::on_credential, update::draft_integration),
    command!("credential.used", ["u"], HERE, update::on_credential, update::used_by),
    Command { dangerous: true, ..command!("credential.delete", ["d"], HERE, update::selected, update::delete) },
    command!("credential.rotate", ["o"], HERE, update::can_rotate, update::rotate),
    Command { quiet: true, ..command!("credential.rotate_back", ["O"], HERE, update::can_rotate_back, update::rotate_back) },
    command!("credential.calendar", ["c"], HERE, always, update::calendar),
    command!("credential.scopes", ["s"], HERE, update::has_scopes, update::scopes),
    command!("credential.tokens", ["v"], HERE, update::on_credential, update::tokens),
    command!("credential.expiry", ["e"], HERE, update::on_credential, update::expiry),
    Command { dangerous: true, quiet: true, ..command!("credential.revoke", ["x"], HERE, update::on_credential, update::revoke) },
    Command { quiet: true, ..command!("credential.rename", ["f2"], HERE, update::on_credential, update::rename) },
    Command { quiet: true, ..command!("credential.answers", ["w"], HERE, update::selected, update::answers) },
    Command { quiet: true, ..command!("credential.copy", ["y"], HERE, update::selected, update::copy) },
];

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    vec![
        (crate::t!("credentials.name"), crate::t!("credentials.explain.name")),
        (crate::t!("credentials.connector"), crate::t!("credentials.explain.connector")),
        (crate::t!("credentials.method"), crate::t!("credentials.explain.method")),
        (crate::t!("credentials.status"), crate::t!("credentials.explain.status")),
        (crate::t!("credentials.expires"), crate::t!("credentials.explain.expires")),
    ]
}

/// A credential, or a draft that was left half-way.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "a workspace has tens of credentials")]
pub enum Row {
    Credential(Box<Credential>),
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

    #[must_use]
    pub fn connector(&self) -> &str {
        match self {
            Self::Credential(credential) => &credential.connector,
            Self::Draft(draft) => &draft.connector,
        }
    }

    #[must_use]
    pub fn method(&self) -> &str {
        match self {
            Self::Credential(credential) => &credential.method,
            Self::Draft(draft) => &draft.method,
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
        format!("{} {} {}", self.name(), self.connector(), self.method())
    }
}

#[derive(Debug, Default)]
pub struct State {
    pub list: List<Row>,
    /// The catalog, for the names of connectors and methods.
    pub connectors: Vec<ConnectorRow>,
    /// What uses the credential under the cursor: its id, and the integrations.
    pub used_by: Option<(String, Vec<Integration>)>,
    /// To be selected when the list is read anew: what was just saved or renamed.
    follow: Option<String>,
    /// An integration is being made from a credential; its editor opens when it is there.
    drafting: bool,
    /// The credential that a prompt is about, by id.
    asked: String,
    /// Its secret that the prompt is about.
    asked_secret: String,
}

impl State {
    /// The credential under the cursor, unless that is a draft.
    #[must_use]
    pub fn credential(&self) -> Option<&Credential> {
        match self.list.selected() {
            Some(Row::Credential(credential)) => Some(credential),
            _ => None,
        }
    }

    #[must_use]
    pub fn connector(&self, id: &str) -> Option<&ConnectorRow> {
        self.connectors.iter().find(|connector| connector.id == id)
    }
}
