//! One execution of an integration.

use super::{Problem, Time};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// A stable identifier: `run_…`.
    pub run: String,
    /// Id of the integration, and its name when the run started.
    pub integration: String,
    pub integration_name: String,
    pub state: RunState,
    pub dry_run: bool,
    pub read: u64,
    pub filtered: u64,
    pub created: u64,
    pub updated: u64,
    pub unchanged: u64,
    pub deactivated: u64,
    pub reactivated: u64,
    pub skipped: u64,
    pub failed: u64,
    pub pages: u64,
    pub requests: u64,
    /// Body bytes received.
    pub bytes: u64,
    pub started: Time,
    pub ended: Option<Time>,
    /// Why it failed, or why it deactivated nobody.
    #[serde(default)]
    pub problem: Option<Problem>,
}

impl Run {
    /// A run that begins now: nothing counted, no identifier yet.
    #[must_use]
    pub fn begin(integration: &str, name: &str, started: Time, dry_run: bool) -> Self {
        Self {
            run: String::new(),
            integration: integration.to_owned(),
            integration_name: name.to_owned(),
            state: RunState::Running,
            dry_run,
            read: 0,
            filtered: 0,
            created: 0,
            updated: 0,
            unchanged: 0,
            deactivated: 0,
            reactivated: 0,
            skipped: 0,
            failed: 0,
            pages: 0,
            requests: 0,
            bytes: 0,
            started,
            ended: None,
            problem: None,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    Running,
    Succeeded,
    /// Done, but some records failed.
    Partial,
    Failed,
    Cancelled,
    /// The process ended in the middle; what was stored stays, the next run completes it.
    Interrupted,
}

/// A record that could not be taken.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RecordError {
    /// Line in a file, or place in the whole read, 1-based.
    pub number: u64,
    /// The record's key, where it could be read.
    pub key: String,
    /// Destination field, where one is to blame.
    pub field: Option<String>,
    pub message: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunOptions {
    pub dry_run: bool,
    /// Take at most this many records; nobody is deactivated then.
    pub limit: Option<u64>,
    /// Ask only for what changed since then, where the resource's definition says how; nobody is deactivated then.
    #[serde(default)]
    pub since: Option<Time>,
}
