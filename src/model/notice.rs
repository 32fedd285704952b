//! The inbox: what the console tells people who were not looking.

use super::{Severity, Time};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Notice {
    pub id: i64,
    pub at: Time,
    pub severity: Severity,
    pub title: String,
    pub body: String,
    /// What it is about: `integration:int_…`, `credential:cred_…`, `run:run_…`.
    pub about: String,
    /// Contacts of the integration that it was meant for.
    pub contacts: Vec<String>,
    pub read: bool,
}
