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
    #[serde(default)]
    pub known: Known,
}

/// What was learned about a credential in passing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Known {
    /// Ends of keys, certificates and secrets that were read in them or at the vendor.
    pub ends: Vec<End>,
    /// Tokens whose end is what the definition says of all of them, and not what the vendor said of this one: `access_token`,
    /// `refresh_token`.
    pub assumed: Vec<String>,
    /// Whether the vendor said which scopes it granted.
    pub scopes_said: bool,
    /// Since when the secret is the one that it is.
    pub secret_since: Option<Time>,
    /// Secrets that were rotated and still have their old value beside the new one.
    pub rotated: Vec<Rotated>,
    /// By how many seconds this host's clock was ahead of the vendor's at the last test; negative when it was behind.
    pub clock_ahead: Option<i64>,
    /// Why tokens lie in the vault that belong into the store that `tokens_in` names.
    pub tokens_waiting: Option<super::Problem>,
}

/// The end of a key, a certificate or a secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct End {
    /// `secret`, `certificate` or `key`.
    pub what: String,
    /// The input that holds it.
    pub field: String,
    pub at: Time,
    /// `token` (read in it), `vendor` (the vendor said so), or `guess` (the vendor named several, and which of them this is cannot be told:
    /// the first to end).
    pub known_from: String,
}

/// A secret that took the place of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rotated {
    pub field: String,
    pub at: Time,
    /// When the old value ends, as far as it was known.
    pub old_expires: Option<Time>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CredentialStatus {
    Untested,
    Valid,
    /// It works, and something ends soon that does not renew itself. Found when it is looked at; never stored.
    Expiring,
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
