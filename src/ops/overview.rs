//! Monday morning: what runs, what failed, what expires, what to do next.

use super::{Result, Workspace, connectors, credentials, credentials::Expiry, integrations};
use crate::model::{Credential, CredentialDraft, CredentialStatus, Integration, IntegrationState, Run, RunState, Severity, Table, Time};
use crate::store::{notices, runs};
use crate::{engine, t};

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
    /// Within the days that the configuration says, 30 otherwise.
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

const RECENT: usize = 10;

/// Everything on one page; a few milliseconds, however many records there are.
pub fn summary(ws: &Workspace) -> Result<Overview> {
    let (store, now) = (ws.store()?, Time::now());
    engine::sweep(store)?;
    super::notices::raise(ws)?;
    let credentials = credentials::list(ws)?;
    let mut rows = Vec::new();
    for integration in integrations::list(ws)? {
        let last = store.read(|connection| runs::last(connection, &integration.id))?;
        let active = integration.state == IntegrationState::Active;
        let next = active.then(|| integrations::next_run(&integration, last.as_ref().map(|run| run.started), now)).flatten();
        rows.push(IntegrationRow { integration, last, next });
    }
    let failed = |run: &&Run| matches!(run.state, RunState::Failed | RunState::Partial | RunState::Interrupted);
    let mut overview = Overview {
        connectors: connectors::list(ws, None)?.len() as u64,
        credentials: credentials.len() as u64,
        broken_credentials: credentials.iter().filter(|credential| broken(credential)).map(|credential| credential.name.clone()).collect(),
        running: store.read(|connection| runs::running(connection, None))?,
        failed: rows.iter().filter_map(|row| row.last.as_ref()).filter(failed).cloned().collect(),
        recent: store.read(|connection| runs::list(connection, None, RECENT))?,
        expiring: credentials::expiring(ws, credentials::overview_horizon(ws))?,
        unread: store.read(notices::unread)?,
        people: store.count(Table::People)?,
        saas_users: store.count(Table::SaasUsers)?,
        integrations: rows,
        next_steps: Vec::new(),
    };
    let complete = |integration: &Integration| {
        let findings = integrations::validate(ws, integration)?;
        Ok(findings.iter().all(|finding| finding.severity != Severity::Error))
    };
    overview.next_steps = next_steps(&overview, &credentials, &credentials::drafts(ws)?, complete)?;
    Ok(overview)
}

fn broken(credential: &Credential) -> bool {
    matches!(credential.status, CredentialStatus::Expired | CredentialStatus::NeedsConsent | CredentialStatus::Refused)
}

/// What to do, most urgent first: what is broken, what breaks soon, what was begun, what could be begun.
fn next_steps(
    overview: &Overview,
    credentials: &[Credential],
    drafts: &[CredentialDraft],
    complete: impl Fn(&Integration) -> Result<bool>,
) -> Result<Vec<NextStep>> {
    let mut steps = Vec::new();
    let mut step = |kind, about: &str, text| steps.push(NextStep { text, kind, about: about.to_owned() });
    for credential in credentials.iter().filter(|credential| broken(credential)) {
        step(NextStepKind::FixCredential, &credential.id, t!("overview.fix_credential", name = credential.name));
    }
    for run in &overview.failed {
        step(NextStepKind::LookAtFailedRun, &run.run, t!("overview.look_at_failed_run", name = run.integration_name));
    }
    for expiry in &overview.expiring {
        let known = credentials.iter().find(|credential| credential.id == expiry.credential);
        // What is broken already is in the list.
        if known.is_none_or(|credential| !broken(credential)) {
            let day = expiry.at.strftime("%Y-%m-%d");
            step(NextStepKind::RenewCredential, &expiry.credential, t!("overview.renew_credential", name = expiry.name, day = day));
        }
    }
    for draft in drafts {
        let name = if draft.name.trim().is_empty() { &draft.connector } else { &draft.name };
        step(NextStepKind::FinishCredentialDraft, &draft.id, t!("overview.finish_credential", name = name));
    }
    for row in &overview.integrations {
        let integration = &row.integration;
        let name = &integration.name;
        match integration.state {
            IntegrationState::Draft if complete(integration)? => step(NextStepKind::Launch, &integration.id, t!("overview.launch", name = name)),
            IntegrationState::Draft => step(NextStepKind::FinishIntegration, &integration.id, t!("overview.finish_integration", name = name)),
            IntegrationState::Active if row.last.is_none() => step(NextStepKind::FirstRun, &integration.id, t!("overview.first_run", name = name)),
            IntegrationState::Active | IntegrationState::Paused => {}
        }
    }
    if credentials.is_empty() && drafts.is_empty() {
        step(NextStepKind::AddCredential, "", t!("overview.add_credential").to_owned());
    } else if overview.integrations.is_empty() {
        let about = credentials.first().map_or("", |credential| credential.id.as_str());
        step(NextStepKind::DraftIntegration, about, t!("overview.draft_integration").to_owned());
    }
    if steps.is_empty() && overview.people > 0 {
        let text = t!("overview.look_at_data", people = crate::words::number(overview.people));
        steps.push(NextStep { text, kind: NextStepKind::LookAtData, about: String::new() });
    }
    Ok(steps)
}
