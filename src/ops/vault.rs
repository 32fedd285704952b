//! The vault, for people.

use super::{Result, Workspace};
use crate::model::{Problem, Secret};
use crate::vault::VaultError;

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct VaultStatus {
    pub exists: bool,
    /// Whether secrets can be read without asking anybody.
    pub unlocked: bool,
    /// `key_file` or `passphrase`.
    pub protection: Option<String>,
    /// Where the key file is, where there is one.
    pub key_file: Option<String>,
    pub secrets: u64,
}

pub fn status(ws: &Workspace) -> Result<VaultStatus> {
    let status = ws.vault().status()?;
    Ok(VaultStatus {
        exists: status.exists,
        unlocked: status.unlocked,
        protection: status.protection.map(|protection| protection.word().to_owned()),
        key_file: status.key_file.map(|path| path.display().to_string()),
        secrets: status.secrets,
    })
}

/// Makes the vault: with a passphrase, or with a key file (made beside it, 0600) when none is given. A vault that nobody made is made
/// with a key file when the first secret is saved.
pub fn init(ws: &Workspace, passphrase: Option<Secret>) -> Result<()> {
    ws.vault().init(passphrase.as_ref())
}

/// Unlocks a passphrase vault for this process.
pub fn unlock(ws: &Workspace, passphrase: &Secret) -> Result<()> {
    ws.vault().unlock(passphrase)
}

/// Whether a failure says that the vault is locked, so that a passphrase would mend it.
#[must_use]
pub fn is_locked(problem: &Problem) -> bool {
    *problem == VaultError::Locked.into()
}

/// Locks a passphrase vault again for this process.
pub fn lock(ws: &Workspace) {
    ws.vault().lock_again();
}

/// Changes how the data key is wrapped, without touching the entries. The vault has to be unlocked.
pub fn rekey(ws: &Workspace, passphrase: Option<Secret>) -> Result<()> {
    ws.vault().rekey(passphrase.as_ref())
}

/// Who can open the vault.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Recipient {
    /// `passphrase`, `key_file`, `age`, `ssh` or `systemd_creds`.
    pub kind: String,
    /// What the admin called it.
    pub name: String,
    /// The public key, where it has one.
    pub public: Option<String>,
}

/// What a vault can be opened with, as it is added.
pub enum NewRecipient {
    Passphrase(Secret),
    /// A key file of ours, made beside the vault.
    KeyFile,
    /// `age1…` or `ssh-ed25519 AAAA…`.
    Public(String),
    /// The host's own key, or its TPM, through `systemd-creds`.
    SystemdCreds,
}

pub fn recipients(ws: &Workspace) -> Result<Vec<Recipient>> {
    let _ = ws;
    todo!()
}

/// Adds a way to open the vault; no entry is touched. The vault has to be unlocked.
pub fn recipient_add(ws: &Workspace, name: &str, recipient: NewRecipient) -> Result<Vec<Recipient>> {
    let _ = (ws, name, recipient);
    todo!()
}

/// Takes one away; never the last. The data key is made anew where that is asked for, because who had it may have kept it.
pub fn recipient_remove(ws: &Workspace, name: &str) -> Result<Vec<Recipient>> {
    let _ = (ws, name);
    todo!()
}

/// Unlocks for this login session: the data key stays in the kernel keyring for so long.
pub fn unlock_for(ws: &Workspace, passphrase: &Secret, keep: std::time::Duration) -> Result<()> {
    let _ = (ws, passphrase, keep);
    todo!()
}

/// Opens every entry; returns how many.
pub fn verify(ws: &Workspace) -> Result<u64> {
    ws.vault().verify()
}
