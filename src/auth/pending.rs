//! An open consent, as it is kept in the vault: whoever takes it up again after a lost connection finds here what the answer has to fit.

use oauth2::CsrfToken;
use serde::{Deserialize, Serialize};

use super::device;
use crate::model::{Problem, Secret, Time};
use crate::problem;
use crate::vault::Vault;

/// The vault's field for it.
pub const FIELD: &str = "consent";

#[derive(Clone, Serialize, Deserialize)]
pub struct Pending {
    pub state: String,
    pub verifier: Option<String>,
    pub redirect_uri: String,
    pub expires: Time,
    /// What was asked; a changed draft asks anew.
    pub asked: String,
    /// The server refused PKCE before, so this request goes without.
    #[serde(default)]
    pub plain: bool,
    /// The device code that is shown beside the address.
    #[serde(default)]
    pub device: Option<device::Code>,
    /// The secret half of the one-time key that an answer from another machine is sealed to; see `handoff`.
    #[serde(default)]
    pub handoff: Option<String>,
    /// The secret of the temporary credentials of OAuth 1.0a (RFC 5849 §2.1), whose token is the state.
    #[serde(default)]
    pub temporary: Option<String>,
}

impl Pending {
    /// With a state of its own, and nothing that not every flow has.
    #[must_use]
    pub fn new(redirect_uri: String, verifier: Option<String>, expires: Time, asked: String) -> Self {
        let state = CsrfToken::new_random_len(32).secret().clone();
        Self { state, verifier, redirect_uri, expires, asked, plain: false, device: None, handoff: None, temporary: None }
    }

    /// What is there and can be read.
    pub fn load(vault: &Vault, owner: &str) -> Result<Option<Self>, Problem> {
        Ok(vault.get(owner, FIELD)?.and_then(|text| serde_json::from_str(text.expose()).ok()))
    }

    pub fn save(&self, vault: &Vault, owner: &str) -> Result<(), Problem> {
        let text = serde_json::to_string(self).map(Secret::new).map_err(|error| problem!(Failed, "auth.lock", reason = error))?;
        vault.put(owner, FIELD, &text)
    }
}
