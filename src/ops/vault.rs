//! The vault, for people.

use super::{Result, Workspace};
use crate::model::Secret;

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct VaultStatus {
    pub exists: bool,
    pub unlocked: bool,
    /// `key_file` or `passphrase`.
    pub protection: Option<String>,
    /// Where the key file is, where there is one.
    pub key_file: Option<String>,
    pub secrets: u64,
}

pub fn status(ws: &Workspace) -> Result<VaultStatus> {
    let _ = ws;
    todo!()
}

/// Makes the vault: with a passphrase, or with a key file (made beside it, 0600) when none is given. A vault that nobody made is made
/// with a key file when the first secret is saved.
pub fn init(ws: &Workspace, passphrase: Option<Secret>) -> Result<()> {
    let _ = (ws, passphrase);
    todo!()
}

/// Unlocks a passphrase vault for this process.
pub fn unlock(ws: &Workspace, passphrase: &Secret) -> Result<()> {
    let _ = (ws, passphrase);
    todo!()
}

/// Changes how the data key is wrapped, without touching the entries.
pub fn rekey(ws: &Workspace, passphrase: Option<Secret>) -> Result<()> {
    let _ = (ws, passphrase);
    todo!()
}

/// Opens every entry; returns how many.
pub fn verify(ws: &Workspace) -> Result<u64> {
    let _ = ws;
    todo!()
}
