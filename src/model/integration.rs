//! An integration: source → mapping → destination, with its preferences, schedule, contacts and permissions.

use super::{FieldMapping, PermissionSet, Time};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Integration {
    /// A stable identifier: `int_…`.
    pub id: String,
    pub name: String,
    pub state: IntegrationState,
    /// Id of the credential; empty while a draft has none.
    pub credential: String,
    pub connector: String,
    /// Id of the connector's resource.
    pub resource: String,
    pub kind: IntegrationKind,
    /// For user plus SaaS user: the SaaS application in the inventory, by name; linked when the integration is saved.
    #[serde(default)]
    pub saas_application: Option<String>,
    pub installation: Installation,
    pub preference: Preference,
    /// Deactivate what is missing or inactive at the source, reactivate what comes back.
    pub deactivate: bool,
    #[serde(default)]
    pub contacts: Vec<String>,
    pub schedule: Schedule,
    /// Destination fields by which a source record finds its existing record.
    pub sync_key: Vec<String>,
    pub mappings: Vec<FieldMapping>,
    /// A minijinja expression over the source record; only records for which it is true are taken.
    #[serde(default)]
    pub filter: Option<String>,
    #[serde(default)]
    pub permissions: PermissionSet,
    pub created: Time,
    pub changed: Time,
    #[serde(default)]
    pub launched: Option<Time>,
    /// Name and state of the last run, for lists.
    #[serde(default)]
    pub last_run: Option<String>,
}

impl Integration {
    /// A draft with the defaults: users, on this host, created and updated daily, nobody deactivated.
    #[must_use]
    pub fn draft(id: &str, name: &str, mappings: Vec<FieldMapping>, now: Time) -> Self {
        Self {
            id: id.to_owned(),
            name: name.to_owned(),
            state: IntegrationState::Draft,
            credential: String::new(),
            connector: String::new(),
            resource: String::new(),
            kind: IntegrationKind::User,
            saas_application: None,
            installation: Installation::Local,
            preference: Preference::CreateAndUpdate,
            deactivate: false,
            contacts: Vec::new(),
            schedule: Schedule::default(),
            sync_key: Vec::new(),
            mappings,
            filter: None,
            permissions: PermissionSet::default(),
            created: now,
            changed: now,
            launched: None,
            last_run: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationState {
    Draft,
    Active,
    Paused,
}

/// What is read and where it goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum IntegrationKind {
    /// User records only, to People.
    User,
    /// User records to People, and a SaaS user record of the linked application for each.
    UserAndSaasUser,
    Hardware,
    Software,
    Applications,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Installation {
    Local,
    Cloud,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preference {
    CreateAndUpdate,
    CreateOnly,
    UpdateOnly,
}

/// When it runs by itself. Daily at a time of day, or every so many minutes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    pub every: Every,
    /// `HH:MM`, for `daily` and longer.
    pub at: String,
    /// An IANA time zone: `Europe/Paris`; `UTC` when empty.
    pub time_zone: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Every {
    Manual,
    Minutes(u32),
    Hours(u32),
    Daily,
    Weekly,
}

impl Default for Schedule {
    fn default() -> Self {
        Self { every: Every::Daily, at: "02:00".to_owned(), time_zone: "UTC".to_owned() }
    }
}

/// Something that keeps a draft from being launched, and where it is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    pub severity: Severity,
    /// Where: `name`, `credential`, `resource`, `schedule.at`, `mapping.email`, `permissions`, …
    pub place: String,
    pub problem: super::Problem,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Launch is refused.
    Error,
    Warning,
    Hint,
}
