//! Credentials: drafted, consented, tested, saved, kept.
//!
//! A draft is saved as typed: settings in the store, secrets in the vault under the draft's id. `finish` makes it a credential.

use super::{Result, Workspace};
use crate::model::{Credential, CredentialDraft, Finding, Integration, Secret, Sink, TestOutcome, Time};

/// Starts a draft; the connector's default method when none is named. Defaults of inputs are filled in.
pub fn draft_new(ws: &Workspace, connector: &str, method: Option<&str>) -> Result<CredentialDraft> {
    let _ = (ws, connector, method);
    todo!()
}

/// Drafts left half-way, newest first.
pub fn drafts(ws: &Workspace) -> Result<Vec<CredentialDraft>> {
    let _ = ws;
    todo!()
}

pub fn draft_get(ws: &Workspace, id: &str) -> Result<CredentialDraft> {
    let _ = (ws, id);
    todo!()
}

/// Saves what was typed, right or wrong.
pub fn draft_save(ws: &Workspace, draft: &CredentialDraft) -> Result<()> {
    let _ = (ws, draft);
    todo!()
}

/// Keeps a secret of a draft in the vault and notes its key in the draft. An empty secret removes it.
pub fn draft_secret(ws: &Workspace, id: &str, key: &str, value: Secret) -> Result<CredentialDraft> {
    let _ = (ws, id, key, value);
    todo!()
}

/// Forgets a draft and its secrets.
pub fn draft_discard(ws: &Workspace, id: &str) -> Result<()> {
    let _ = (ws, id);
    todo!()
}

/// What is missing or wrong; `place` is `input.KEY`, `name` or `scopes`.
pub fn draft_check(ws: &Workspace, draft: &CredentialDraft) -> Result<Vec<Finding>> {
    let _ = (ws, draft);
    todo!()
}

/// What the person needs to see to give consent.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ConsentView {
    pub authorize_url: String,
    pub redirect_uri: String,
    /// The tunnel for this host, when in an SSH session: `ssh -L 53417:127.0.0.1:53417 ada@admin01`.
    pub ssh_line: Option<String>,
    /// Whether a browser can probably be opened here.
    pub browser_here: bool,
    /// Whether the loopback listener is up; when not, the answer has to be pasted.
    pub listening: bool,
    pub expires: Time,
}

/// A consent under way: a loopback listener and a pasted answer race; the first valid one wins.
pub struct Consent {
    pub view: ConsentView,
}

impl Consent {
    /// Offers pasted text: the whole redirected URL, its query, or a bare code. An invalid answer says what is wrong with it and leaves
    /// the wait as it was.
    pub fn offer(&self, pasted: &str) -> Result<()> {
        let _ = pasted;
        todo!()
    }

    /// Waits for the first valid answer, redeems it, and keeps the tokens in the vault under the draft's (or credential's) id.
    pub async fn finish(&self, ws: &Workspace, sink: &Sink) -> Result<()> {
        let _ = (ws, sink);
        todo!()
    }
}

/// Whether this draft's method needs a person's consent before it can be tested.
pub fn needs_consent(ws: &Workspace, draft: &CredentialDraft) -> Result<bool> {
    let _ = (ws, draft);
    todo!()
}

/// Starts listening and makes the authorization URL (state, PKCE). Nothing is opened.
pub async fn consent_begin(ws: &Workspace, draft: &str) -> Result<Consent> {
    let _ = (ws, draft);
    todo!()
}

/// Opens the person's browser (`$BROWSER` first). `Err` says that none could be opened.
pub fn open_browser(url: &str) -> Result<()> {
    let _ = url;
    todo!()
}

/// Obtains a token where the method needs one, and makes the connector's test request. A failed test is `Ok` with `ok: false`.
pub async fn draft_test(ws: &Workspace, draft: &str, sink: &Sink) -> Result<TestOutcome> {
    let _ = (ws, draft, sink);
    todo!()
}

/// Makes the draft a credential (or replaces the one that it renews). Refused while `draft_check` finds errors; an untested or failing
/// draft may be saved and says so in its status.
pub fn draft_finish(ws: &Workspace, draft: &str) -> Result<Credential> {
    let _ = (ws, draft);
    todo!()
}

pub fn list(ws: &Workspace) -> Result<Vec<Credential>> {
    let _ = ws;
    todo!()
}

pub fn get(ws: &Workspace, name: &str) -> Result<Credential> {
    let _ = (ws, name);
    todo!()
}

/// Tests a saved credential and keeps the outcome and the status.
pub async fn test(ws: &Workspace, name: &str, sink: &Sink) -> Result<TestOutcome> {
    let _ = (ws, name, sink);
    todo!()
}

/// A draft that renews (or edits) this credential; integrations keep it.
pub fn renew(ws: &Workspace, name: &str) -> Result<CredentialDraft> {
    let _ = (ws, name);
    todo!()
}

pub fn rename(ws: &Workspace, name: &str, to: &str) -> Result<Credential> {
    let _ = (ws, name, to);
    todo!()
}

pub fn used_by(ws: &Workspace, name: &str) -> Result<Vec<Integration>> {
    let _ = (ws, name);
    todo!()
}

/// Deletes it and its secrets; refused while an integration uses it.
pub fn delete(ws: &Workspace, name: &str) -> Result<()> {
    let _ = (ws, name);
    todo!()
}

/// Revokes its tokens at the vendor (RFC 7009) where the connector has the address. `Ok(false)`: nothing to revoke there.
pub async fn revoke(ws: &Workspace, name: &str) -> Result<bool> {
    let _ = (ws, name);
    todo!()
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Expiry {
    pub credential: String,
    pub name: String,
    /// `access_token`, `refresh_token` or `secret`.
    pub what: String,
    pub at: Time,
}

/// What ends within so many seconds, soonest first. An access token that refreshes by itself is not counted.
pub fn expiring(ws: &Workspace, within: std::time::Duration) -> Result<Vec<Expiry>> {
    let _ = (ws, within);
    todo!()
}

/// Sets the day on which the client secret or key ends, as typed by hand.
pub fn set_secret_expiry(ws: &Workspace, name: &str, at: Option<Time>) -> Result<Credential> {
    let _ = (ws, name, at);
    todo!()
}
