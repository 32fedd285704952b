//! A credential: one saved, testable way into one vendor account. Settings are here; secrets are in the vault, under the credential's id.

use super::Time;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Credential {
    /// A stable identifier: `cred_…`.
    pub id: String,
    /// Unique in the workspace; people choose it.
    pub name: String,
    pub connector: String,
    /// Key of the authentication method in the connector.
    pub method: String,
    /// The inputs that are not secret, and settings that replace the connector's addresses: `base_url`, `authorize_url`, `token_url`, …
    pub settings: IndexMap<String, String>,
    /// Keys of the inputs whose values are in the vault.
    pub secrets: Vec<String>,
    /// Secret inputs that are read elsewhere each time (`env:NAME`, `file:PATH`, `pass:…`, `op://…`, `vault://…`), by key.
    #[serde(default)]
    pub references: IndexMap<String, String>,
    /// Values captured while connecting (`found.…` in templates).
    #[serde(default)]
    pub found: IndexMap<String, String>,
    /// Asked for, where the method has scopes.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Granted, where the vendor said.
    #[serde(default)]
    pub granted: Vec<String>,
    pub status: CredentialStatus,
    /// When the access token ends.
    #[serde(default)]
    pub access_expires: Option<Time>,
    #[serde(default)]
    pub refresh_expires: Option<Time>,
    /// Whether a new access token can be had without a person.
    #[serde(default)]
    pub refreshes: bool,
    /// When the client secret or key ends, typed by hand.
    #[serde(default)]
    pub secret_expires: Option<Time>,
    pub created: Time,
    #[serde(default)]
    pub tested: Option<Time>,
    /// The last test, or the last failure in use.
    #[serde(default)]
    pub last_test: Option<TestOutcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialStatus {
    Untested,
    Valid,
    Expired,
    NeedsConsent,
    Refused,
    /// The test could not be made: the vendor did not answer.
    Unknown,
}

/// What a test request found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TestOutcome {
    pub ok: bool,
    pub at: Time,
    /// `GET https://…`, without query values that are secret.
    pub request: String,
    /// HTTP status, where there was an answer.
    pub status: Option<u16>,
    pub milliseconds: u64,
    /// What success proves (the connector's words), or nothing.
    pub proves: String,
    pub problem: Option<super::Problem>,
}

/// A credential that is being made: saved as typed (without its secrets, which go to the vault), so that a lost connection loses nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct CredentialDraft {
    pub id: String,
    pub name: String,
    pub connector: String,
    pub method: String,
    pub settings: IndexMap<String, String>,
    /// Keys of the secrets already kept in the vault for this draft.
    pub secrets: Vec<String>,
    /// As [`Credential::references`].
    #[serde(default)]
    pub references: IndexMap<String, String>,
    pub scopes: Vec<String>,
    /// The step that the wizard stood at, for the console.
    pub step: String,
    /// Set when an existing credential is renewed or edited.
    #[serde(default)]
    pub replaces: Option<String>,
}
