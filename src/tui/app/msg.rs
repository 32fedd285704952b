//! What arrives: keys, pastes, sizes, signals, and what tasks report.

use super::effect::TaskId;
use super::key::Key;
use crate::model::{
    Connector, Credential, CredentialDraft, DataPage, DestinationField, Finding, Integration, Notice, Preview, Problem, Progress, RecordError, Run,
    Suggestion, Table, TestOutcome,
};
use crate::ops::answers::Of;
use crate::ops::connectors::{ConnectorRow, Usage};
use crate::ops::consent::Route;
use crate::ops::credentials::{CalendarRow, ConsentView, Retired};
use crate::ops::discover::Choice;
use crate::ops::mappings::Sample;
use crate::ops::overview::Overview;
use crate::ops::permissions::MatrixRow;
use crate::ops::scopes::ScopeReport;
use crate::ops::token_view::TokenView;
use crate::ops::vault::{Kept, VaultStatus};

#[derive(Debug, Clone, PartialEq)]
pub enum Msg {
    Key(Key),
    /// Pasted text, as it came.
    Paste(String),
    Click {
        column: u16,
        row: u16,
    },
    /// Lines, down positive.
    Scroll(i32),
    Resize(u16, u16),
    /// The terminal window is in front again: what another process changed is read.
    FocusGained,
    Task {
        id: TaskId,
        event: TaskEvent,
    },
    /// Time has come to a moment that `State::next_wake` named.
    Wake,
    /// Something that an effect found out.
    Told(Toasted),
    /// SIGTSTP from outside.
    Suspend,
    /// SIGINT, SIGTERM, SIGHUP, or the terminal is gone.
    Terminate,
}

/// How an effect went, said in a toast.
#[derive(Debug, Clone, PartialEq)]
pub enum Toasted {
    Good(String),
    Problem(Problem),
}

#[derive(Debug, Clone, PartialEq)]
pub enum TaskEvent {
    Progress(Progress),
    /// The consent is ready to be shown.
    Consent(Box<ConsentView>),
    /// What was offered to the consent is no answer to it.
    OfferRefused(Problem),
    Done(Box<Answer>),
    Failed(Problem),
    Cancelled,
}

/// What a job brought.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "an answer is boxed on its way, and lives for one message")]
pub enum Answer {
    Overview(Overview),
    Connectors(Vec<ConnectorRow>),
    Connector(Connector),
    ConnectorUse(Usage),
    /// Where the checklist was written.
    ChecklistSaved(String),
    /// There is a file of that name already.
    ChecklistThere {
        text: String,
        path: String,
    },
    Credentials {
        credentials: Vec<Credential>,
        drafts: Vec<CredentialDraft>,
    },
    Integration(Integration),
    Runs(Vec<Run>),
    Run {
        run: Run,
        errors: Vec<RecordError>,
    },
    Columns {
        table: Table,
        columns: Vec<DestinationField>,
    },
    Data {
        table: Table,
        page: DataPage,
    },
    SaasApplications(Vec<(String, u64)>),
    Notices(Vec<Notice>),

    /// A draft that was made, loaded or given a secret; with the connector it is for.
    Draft {
        draft: CredentialDraft,
        connector: Connector,
        needs_consent: bool,
    },
    DraftSaved,
    /// What a person has to choose before a draft can be tested.
    Choices {
        draft: String,
        choices: Vec<Choice>,
    },
    DraftDiscarded,
    DraftChecked {
        draft: String,
        findings: Vec<Finding>,
    },
    Consented(Route),
    Tested {
        name: String,
        outcome: TestOutcome,
    },
    CredentialSaved {
        credential: Credential,
        /// What became of the tokens that it had before.
        remark: Option<String>,
    },
    UsedBy {
        credential: String,
        integrations: Vec<Integration>,
    },
    CredentialDeleted {
        name: String,
        done: Retired,
    },
    /// A new secret was tried beside the old one.
    Rotated {
        name: String,
        outcome: TestOutcome,
    },
    Scopes {
        credential: String,
        report: ScopeReport,
    },
    Tokens {
        credential: String,
        tokens: Vec<TokenView>,
    },
    Calendar(Vec<CalendarRow>),
    /// Where the answers were written.
    AnswersSaved(String),
    /// There is a file of that name already.
    AnswersThere {
        of: Of,
        path: String,
    },
    CredentialRevoked {
        name: String,
        at_vendor: bool,
    },

    /// An integration that was made, changed or saved.
    IntegrationChanged(Integration),
    Findings {
        integration: String,
        findings: Vec<Finding>,
    },
    Launched(Integration),
    Paused(Integration),
    IntegrationDeleted(String),

    FieldChanged {
        table: Table,
        field: DestinationField,
    },
    Sample {
        integration: String,
        sample: Sample,
    },
    Preview {
        integration: String,
        preview: Preview,
    },
    Suggestions {
        integration: String,
        suggestions: Vec<Suggestion>,
    },
    Matrix {
        integration: String,
        rows: Vec<MatrixRow>,
    },
    Advice {
        integration: String,
        findings: Vec<Finding>,
    },

    Ran(Run),
    RunCancelled(String),
    Exported {
        path: String,
        records: u64,
    },
    NoticesMarked,
    VaultUnlocked(Kept),
    Vault(VaultStatus),
    VaultLocked,
    DayPassed,
}
