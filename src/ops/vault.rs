//! The vault, for people.

use std::path::PathBuf;
use std::time::Duration;

use super::{Result, Workspace};
use crate::model::{Problem, Secret, Time};
use crate::problem;
use crate::vault::{self, Asks, KeptIn, New, Outcome, VaultError};

/// How long an unlocked vault stays so when nobody says otherwise.
pub const KEEP: Duration = Duration::from_secs(15 * 60);
/// The longest that it may.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct VaultStatus {
    pub exists: bool,
    /// Whether secrets can be read without asking anybody.
    pub unlocked: bool,
    /// Until when it stays unlocked for this login session, where `unlock_for` was used.
    pub unlocked_until: Option<Time>,
    /// What opens it here, or would: `key_file`, `identity`, `systemd_creds` or `passphrase`.
    pub protection: Option<String>,
    /// What to ask for while it is locked: `passphrase` (the vault's own) or `identity` (the one of a private key).
    pub asks: Option<String>,
    /// Where the key file is, where there is one.
    pub key_file: Option<String>,
    pub recipients: Vec<Recipient>,
    pub secrets: u64,
}

pub fn status(ws: &Workspace) -> Result<VaultStatus> {
    let status = ws.vault().status()?;
    Ok(VaultStatus {
        exists: status.exists,
        unlocked: status.unlocked,
        unlocked_until: status.until,
        protection: status.protection.map(|protection| protection.word().to_owned()),
        asks: status.asks.map(|asks| if asks == Asks::Passphrase { "passphrase" } else { "identity" }.to_owned()),
        key_file: status.key_file.map(|path| path.display().to_string()),
        recipients: status.recipients.into_iter().map(Recipient::from).collect(),
        secrets: status.secrets,
    })
}

/// Makes the vault: with a passphrase, or with a key file (made beside it, 0600) when none is given. A vault that nobody made is made
/// with a key file when the first secret is saved.
pub fn init(ws: &Workspace, passphrase: Option<Secret>) -> Result<()> {
    ws.vault().init(passphrase.as_ref())
}

/// Names the file with a private key (of `age-keygen`, or ed25519 of OpenSSH) to open the vault with, instead of what the environment says.
pub fn use_identity(ws: &Workspace, path: PathBuf) {
    ws.vault().set_identity(Some(path));
}

/// Unlocks for this process, with the vault's passphrase or that of the private key.
pub fn unlock(ws: &Workspace, passphrase: &Secret) -> Result<()> {
    ws.vault().unlock(passphrase)
}

/// What became of unlocking for a time.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Kept {
    /// Every process of this login session finds it unlocked until then. `None`: this process alone, until it ends.
    pub until: Option<Time>,
    /// Why the kernel keyring was not to be had.
    pub why_not: Option<String>,
}

/// Unlocks for this login session: the data key stays in the kernel keyring for so long, at most a day. The passphrase is not looked at
/// where the vault opens without one. Where the kernel refuses, the vault is unlocked for this process, and `why_not` says so.
pub fn unlock_for(ws: &Workspace, passphrase: &Secret, keep: Duration) -> Result<Kept> {
    if keep.as_secs() == 0 || keep > LONGEST {
        return Err(problem!(Usage, "vault.unlock_time"));
    }
    ws.vault().unlock(passphrase)?;
    Ok(match ws.vault().keep(keep)? {
        KeptIn::Keyring(until) => Kept { until: Some(until), why_not: None },
        KeptIn::Process(why) => Kept { until: None, why_not: Some(why) },
    })
}

/// Whether a failure says that the vault is locked, so that a passphrase would mend it.
#[must_use]
pub fn is_locked(problem: &Problem) -> bool {
    let locked = Problem::from(VaultError::Locked);
    problem.kind == locked.kind && problem.what == locked.what
}

/// Locks the vault again: for this process, and for every process that starts in this login session.
pub fn lock(ws: &Workspace) -> Result<()> {
    ws.vault().lock_again()
}

/// Replaces the vault's own passphrase or key file, without touching the entries; other recipients stay. The vault has to be unlocked.
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

impl From<vault::Recipient> for Recipient {
    fn from(one: vault::Recipient) -> Self {
        Self { kind: one.kind.word().to_owned(), name: one.name, public: one.public }
    }
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
    Ok(ws.vault().recipients()?.into_iter().map(Recipient::from).collect())
}

/// Adds a way to open the vault; no entry is touched. The vault has to be unlocked. An empty name becomes that of the kind.
pub fn recipient_add(ws: &Workspace, name: &str, recipient: NewRecipient) -> Result<Vec<Recipient>> {
    let new = match &recipient {
        NewRecipient::Passphrase(passphrase) => New::Passphrase(passphrase),
        NewRecipient::KeyFile => New::KeyFile,
        NewRecipient::Public(text) => New::Public(text),
        NewRecipient::SystemdCreds => New::SystemdCreds,
    };
    ws.vault().recipient_add(name, &new)?;
    recipients(ws)
}

/// Takes one away; never the last. Who had the data key may have kept it: `reseal` makes a fresh one.
pub fn recipient_remove(ws: &Workspace, name: &str) -> Result<Vec<Recipient>> {
    ws.vault().recipient_remove(name)?;
    recipients(ws)
}

/// Both in one change: cut short, the same again completes it. `passphrase` as for `reseal`.
pub fn recipient_remove_and_reseal(ws: &Workspace, name: &str, passphrase: Option<&Secret>) -> Result<Vec<Recipient>> {
    ws.vault().recipient_remove_and_reseal(name, passphrase)?;
    recipients(ws)
}

/// Makes a fresh data key for those who can open the vault now, and seals every secret with it; how many. `passphrase` is needed where a
/// passphrase is among the recipients.
pub fn reseal(ws: &Workspace, passphrase: Option<&Secret>) -> Result<u64> {
    ws.vault().reseal(passphrase)
}

/// Opens every entry; returns how many.
pub fn verify(ws: &Workspace) -> Result<u64> {
    ws.vault().verify()
}

/// One way to open the vault, as it was tried.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Tried {
    #[serde(flatten)]
    pub recipient: Recipient,
    /// `opens`, `not_here` (what it takes is not on this host) or `fails`.
    pub outcome: String,
    pub problem: Option<Problem>,
}

/// A rehearsal of recovery.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Rehearsal {
    /// How many secrets opened.
    pub secrets: u64,
    pub damaged: Vec<Problem>,
    pub ways: Vec<Tried>,
}

/// Opens everything by each way that can be tried here, and says which could not be. The vault has to be unlocked.
pub fn rehearse(ws: &Workspace, passphrase: Option<&Secret>) -> Result<Rehearsal> {
    let rehearsal = ws.vault().rehearse(passphrase)?;
    let tried = |way: vault::Way| {
        let (outcome, problem) = match way.outcome {
            Outcome::Opens => ("opens", None),
            Outcome::NotHere => ("not_here", None),
            Outcome::Fails(problem) => ("fails", Some(problem)),
        };
        Tried { recipient: way.recipient.into(), outcome: outcome.to_owned(), problem }
    };
    Ok(Rehearsal { secrets: rehearsal.secrets, damaged: rehearsal.damaged, ways: rehearsal.ways.into_iter().map(tried).collect() })
}
