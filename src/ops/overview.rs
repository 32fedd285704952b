//! Monday morning: what runs, what failed, what expires, what to do next.

use super::{Result, Workspace, credentials::Expiry};
use crate::model::{Integration, Run, Time};

#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Overview {
    pub connectors: u64,
    pub credentials: u64,
    /// Credentials that are refused, expired or need consent, by name.
    pub broken_credentials: Vec<String>,
    pub integrations: Vec<IntegrationRow>,
    pub running: Vec<Run>,
    /// The last run of each integration, where it failed or was partial.
    pub failed: Vec<Run>,
    pub recent: Vec<Run>,
    /// Within 30 days.
    pub expiring: Vec<Expiry>,
    pub unread: u64,
    pub people: u64,
    pub saas_users: u64,
    /// Most urgent first.
    pub next_steps: Vec<NextStep>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct IntegrationRow {
    pub integration: Integration,
    pub last: Option<Run>,
    pub next: Option<Time>,
}

/// Something to do, and what it is about, so that the console can go there.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct NextStep {
    pub text: String,
    pub kind: NextStepKind,
    /// Identifier of the credential, integration, draft or run.
    pub about: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NextStepKind {
    AddCredential,
    FinishCredentialDraft,
    FixCredential,
    RenewCredential,
    DraftIntegration,
    FinishIntegration,
    Launch,
    FirstRun,
    LookAtFailedRun,
    LookAtData,
}

pub fn summary(ws: &Workspace) -> Result<Overview> {
    let _ = ws;
    todo!()
}
