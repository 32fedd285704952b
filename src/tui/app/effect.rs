//! What `update` wants done outside: plain, comparable data.

use crate::model::{CredentialDraft, DataQuery, FieldType, Integration, RunOptions, Secret, Table, Time};
use crate::ops::answers::Of;
use crate::ops::mappings::Sample;
use std::time::Duration;

pub type TaskId = u64;

#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Start {
        id: TaskId,
        spec: Box<TaskSpec>,
    },
    Cancel(TaskId),
    /// Offers pasted text to a consent under way.
    Offer {
        task: TaskId,
        text: String,
    },
    OpenUrl(String),
    /// Sends text to the terminal's clipboard (OSC 52).
    Copy(String),
    /// Leaves the alternate screen, prints the text on one line, and waits for a key.
    ShowPlain(String),
    Suspend,
    /// Clears and draws everything anew.
    Redraw,
    /// Keeps where the user is, for the next start.
    Remember(serde_json::Value),
    Quit,
}

pub type Effects = Vec<Effect>;

/// Work that goes on beside the console.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskSpec {
    /// Tasks of one key follow `policy` among themselves.
    pub key: String,
    pub policy: Policy,
    /// What it does, for the task pane: a whole phrase. Empty for quick reads, which are not shown.
    pub title: String,
    pub deadline: Duration,
    pub job: Job,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// A new one cancels the former.
    Latest,
    /// One after the other.
    Queue,
    /// While one runs, another is refused.
    Exclusive,
}

/// A secret on its way to the vault: comparable, but its `Debug` form says nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Masked(pub Secret);

impl std::fmt::Debug for Masked {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Masked")
    }
}

/// Everything the console ever asks of `ops`. Each becomes an [`Answer`](super::msg::Answer) or a problem.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    LoadOverview,
    LoadConnectors,
    LoadConnector(String),
    /// What the workspace has of each connector.
    LoadConnectorUse,
    /// Writes the checklist of a connector to a file.
    SaveChecklist {
        text: String,
        path: String,
        over: bool,
    },
    LoadCredentials,
    LoadIntegration(String),
    LoadRuns(Option<String>),
    LoadRun(String),
    LoadColumns(Table),
    LoadData {
        table: Table,
        query: DataQuery,
    },
    LoadSaasApplications,
    LoadNotices,

    DraftNew {
        connector: String,
        method: Option<String>,
    },
    DraftLoad(String),
    DraftSave(CredentialDraft),
    DraftSecret {
        draft: String,
        key: String,
        value: Masked,
    },
    DraftReference {
        draft: String,
        key: String,
        reference: String,
    },
    /// A secret out of a file.
    DraftSecretFile {
        draft: String,
        key: String,
        path: String,
    },
    Discover(String),
    DraftDiscard(String),
    DraftCheck(CredentialDraft),
    Consent {
        draft: String,
    },
    DraftTest(String),
    DraftFinish(String),
    CredentialTest(String),
    CredentialRenew(String),
    CredentialRename {
        name: String,
        to: String,
    },
    CredentialUsedBy(String),
    CredentialDelete {
        name: String,
        revoke: bool,
    },
    CredentialExpiry {
        name: String,
        at: Option<Time>,
    },
    CredentialRotate {
        name: String,
        key: String,
        value: Masked,
    },
    CredentialRotateBack {
        name: String,
        key: String,
    },
    LoadScopes(String),
    LoadTokens(String),
    LoadCalendar,
    /// Writes what a wizard was answered to a file.
    SaveAnswers {
        of: Of,
        path: String,
        over: bool,
    },
    CredentialRevoke(String),

    IntegrationNew {
        name: String,
        credential: Option<String>,
    },
    IntegrationSource {
        integration: Box<Integration>,
        credential: String,
        resource: Option<String>,
    },
    IntegrationSave(Box<Integration>),
    IntegrationValidate(Box<Integration>),
    IntegrationLaunch(String),
    IntegrationPause(String),
    IntegrationDelete(String),

    DestinationFields(Table),
    AddField {
        table: Table,
        label: String,
        kind: FieldType,
    },
    RenameField {
        table: Table,
        key: String,
        label: String,
    },
    LoadSample(Box<Integration>),
    Preview {
        integration: Box<Integration>,
        sample: Sample,
    },
    Suggest {
        integration: Box<Integration>,
        sample: Sample,
    },
    Matrix(Box<Integration>),
    Advise(Box<Integration>),

    Run {
        integration: String,
        options: RunOptions,
    },
    CancelRun(String),
    Export {
        table: Table,
        query: DataQuery,
        path: String,
    },
    MarkNotice {
        id: Option<i64>,
        read: bool,
    },
    VaultUnlock(Masked),
    VaultStatus,
    VaultLock,
    PassADay,
}
