//! Secrets at rest: a random data key, wrapped with age; each secret sealed with XChaCha20-Poly1305 and bound to its place.
//!
//! The vault's directory (0700, files 0600):
//!
//! - `data-key.age`: the data key and the vault's identifier, wrapped for the key file and for the public keys of admins (X25519, ssh-ed25519).
//!   The stock `age` program opens it: `age -d -i key.txt data-key.age`. The vault exists when this file or one of the next two does.
//! - `data-key.passphrase.age`: the same, wrapped with a passphrase; age keeps that apart from all other recipients. In vaults of the first
//!   form it is `data-key.age`.
//! - `data-key.systemd`: the same, encrypted by `systemd-creds` with the key of this host.
//! - `recipients.json`: who can open the vault (see `recipients`). Vaults of the first form have none until something is changed.
//! - `key.txt`: the age identity, where there is a key file. Whoever has it and `data-key.age` has the secrets.
//! - `entries/OWNER.json`: the sealed secrets of one owner. Which fields there are can be read without the key; their values cannot.
//! - `lock`: taken while anything is written, so that several processes can use one vault.
//!
//! Every write is a new file that replaces the old one when it is whole and on disk. A file that cannot be understood is never replaced.

mod change;
mod disk;
mod entry;
mod key;
mod keyring;
mod opening;
pub mod program;
mod recipients;
pub mod reference;
mod rehearse;
mod systemd;
mod wrap;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::model::{Problem, Secret};
use crate::problem;

pub use change::New;
pub use opening::{Asks, KeptIn, Protection, Status};
pub use recipients::{Kind, Recipient};
pub use rehearse::{Outcome, Rehearsal, Way};

use entry::Entry;

/// What can go wrong in a vault. Never holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    #[error("{0}: {1}")]
    Io(PathBuf, std::io::Error),
    /// A file that is not what it was when it was written.
    #[error("{0}: {1}")]
    Damaged(PathBuf, &'static str),
    #[error("no such owner")]
    Owner,
    #[error("locked")]
    Locked,
    /// An identity that has a passphrase of its own.
    #[error("{0} is locked")]
    IdentityLocked(PathBuf),
    #[error("wrong passphrase")]
    WrongPassphrase,
    #[error("{0} does not open the vault")]
    WrongKey(PathBuf),
    #[error("{0} is missing")]
    NoKeyFile(PathBuf),
    #[error("no identity was given")]
    NoIdentity,
    #[error("{0} is missing, but there are entries")]
    NoDataKey(PathBuf),
    #[error("exists")]
    Exists,
    #[error("there is none")]
    Absent,
    #[error("another process holds the lock")]
    Busy,
    #[error("empty passphrase")]
    EmptyPassphrase,
    #[error("written by a newer version")]
    TooNew(PathBuf),
    #[error("not a public key that can be used")]
    BadPublic,
    #[error("a name of at most {0} characters")]
    BadName(usize),
    /// The recipient that is in the way.
    #[error("{0} is a recipient already")]
    Listed(String),
    #[error("{0} is no recipient")]
    NotListed(String),
    #[error("the last recipient")]
    LastRecipient,
    #[error("the passphrase is needed to wrap the new key")]
    NeedsPassphrase,
    #[error("systemd-creds is not there")]
    NoSystemd,
    /// What systemd-creds said.
    #[error("systemd-creds: {0}")]
    Systemd(String),
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        let shown = |path: &Path| crate::words::clean::line(&path.display().to_string(), 200);
        let name = |name: &str| crate::words::clean::line(name, 80);
        match error {
            VaultError::Io(path, reason) if full(&reason) => problem!(Failed, "vault.full", path = shown(&path)),
            VaultError::Io(path, reason) => problem!(Failed, "vault.io", path = shown(&path), reason = reason),
            VaultError::Damaged(path, reason) => problem!(Failed, "vault.damaged", path = shown(&path), reason = reason),
            VaultError::Owner => problem!(Failed, "vault.owner"),
            VaultError::Locked => problem!(PersonMustAct, "vault.locked"),
            VaultError::IdentityLocked(path) => problem!(PersonMustAct, "vault.identity_locked", path = shown(&path)),
            VaultError::WrongPassphrase => problem!(PersonMustAct, "vault.wrong_passphrase"),
            VaultError::WrongKey(path) => problem!(Failed, "vault.wrong_key", path = shown(&path)),
            VaultError::NoKeyFile(path) => problem!(Failed, "vault.no_key_file", path = shown(&path)),
            VaultError::NoIdentity => problem!(PersonMustAct, "vault.no_identity_given"),
            VaultError::NoDataKey(path) => problem!(Failed, "vault.no_data_key", path = shown(&path)),
            VaultError::Exists => problem!(Usage, "vault.exists"),
            VaultError::Absent => problem!(Usage, "vault.absent"),
            VaultError::Busy => problem!(Failed, "vault.busy"),
            VaultError::EmptyPassphrase => problem!(Usage, "vault.empty_passphrase"),
            VaultError::TooNew(path) => problem!(Failed, "vault.too_new", path = shown(&path)),
            VaultError::BadPublic => problem!(Usage, "vault.bad_public"),
            VaultError::BadName(max) => problem!(Usage, "vault.bad_name", max = max),
            VaultError::Listed(other) => problem!(Usage, "vault.listed", name = name(&other)),
            VaultError::NotListed(other) => problem!(Usage, "vault.not_listed", name = name(&other)),
            VaultError::LastRecipient => problem!(Usage, "vault.last_recipient"),
            VaultError::NeedsPassphrase => problem!(PersonMustAct, "vault.needs_passphrase"),
            VaultError::NoSystemd => problem!(Failed, "vault.no_systemd"),
            VaultError::Systemd(why) => problem!(Failed, "vault.systemd", why = crate::words::clean::line(&why, 300)),
        }
    }
}

/// No room: the disk's, the quota's, or the limit of a file's size.
fn full(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

type Result<T, E = VaultError> = std::result::Result<T, E>;

/// The variable that names a file with the passphrase in its first line, for hosts where nobody types.
pub const PASSPHRASE_FILE: &str = "INTERTIE_VAULT_PASSPHRASE_FILE";
/// The variable that names a file with a private key: of `age-keygen`, or an ed25519 key of OpenSSH.
pub const IDENTITY: &str = "INTERTIE_VAULT_IDENTITY";

/// The vault of a workspace. Opening it reads nothing; it is made when the first secret is put into one that is not there: with the
/// passphrase of `INTERTIE_VAULT_PASSPHRASE_FILE` when that is set, otherwise with a key file.
pub struct Vault {
    dir: PathBuf,
    passphrase_file: Option<PathBuf>,
    identity: Mutex<Option<PathBuf>>,
    systemd: PathBuf,
    work_factor: u8,
    opened: Mutex<Option<opening::Opened>>,
}

impl Vault {
    /// `dir` is the vault's own directory.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        let variable = |name: &str| std::env::var_os(name).filter(|path| !path.is_empty()).map(PathBuf::from);
        let vault = Self::with_passphrase_file(dir, variable(PASSPHRASE_FILE));
        vault.set_identity(variable(IDENTITY));
        vault
    }

    /// The same, with the file that holds the passphrase instead of what the environment says, and no identity.
    #[must_use]
    pub fn with_passphrase_file(dir: &Path, passphrase_file: Option<PathBuf>) -> Self {
        Self {
            dir: dir.to_owned(),
            passphrase_file,
            identity: Mutex::new(None),
            systemd: PathBuf::from(systemd::PROGRAM),
            work_factor: wrap::WORK_FACTOR,
            opened: Mutex::new(None),
        }
    }

    /// How much work a passphrase costs, as the power of two that age calls work factor. For tests: 18 otherwise, about a second.
    #[must_use]
    pub fn work_factor(mut self, work_factor: u8) -> Self {
        self.work_factor = work_factor;
        self
    }

    /// The program that stands for `systemd-creds`.
    #[must_use]
    pub fn systemd_creds(mut self, program: &Path) -> Self {
        program.clone_into(&mut self.systemd);
        self
    }

    /// Keeps a secret of `owner` (a credential or draft id) under `field`. Durable when it returns.
    pub fn put(&self, owner: &str, field: &str, secret: &Secret) -> Result<(), Problem> {
        self.put_all(owner, &[(field, secret)])
    }

    /// Keeps several at once: all or none, for the price of one.
    pub fn put_all(&self, owner: &str, fields: &[(&str, &Secret)]) -> Result<(), Problem> {
        self.exchange(owner, fields, &[])
    }

    /// Keeps some and forgets others in one step.
    pub fn exchange(&self, owner: &str, fields: &[(&str, &Secret)], gone: &[&str]) -> Result<(), Problem> {
        let path = self.entry_path(owner)?;
        if fields.is_empty() {
            return Ok(());
        }
        let _lock = self.lock()?;
        self.make_if_absent()?;
        let sealed = self.with_key(|key| {
            let mut entry = Entry::read(&path, owner)?.unwrap_or_default();
            for (field, secret) in fields {
                entry.seal(key, owner, field, secret);
            }
            for field in gone {
                entry.drop_field(field);
            }
            Ok(entry)
        })?;
        Ok(sealed.write(&path, owner)?)
    }

    /// A secret; `None` when there is none of that name. Waits for nobody.
    pub fn get(&self, owner: &str, field: &str) -> Result<Option<Secret>, Problem> {
        let path = self.entry_path(owner)?;
        let mut tries = 0;
        loop {
            let Some(entry) = Entry::read(&path, owner)? else { return Ok(None) };
            if !entry.has(field) {
                return Ok(None);
            }
            match self.with_key(|key| entry.open(key, &path, owner, field)) {
                // Between our two reads it was sealed anew, with another key: what is there now belongs together.
                Err(VaultError::Damaged(..)) if tries < 3 && Entry::read(&path, owner)?.is_none_or(|now| now != entry) => tries += 1,
                other => return Ok(other?),
            }
        }
    }

    /// The fields kept for an owner; needs no key.
    pub fn fields(&self, owner: &str) -> Result<Vec<String>, Problem> {
        let path = self.entry_path(owner)?;
        Ok(Entry::read(&path, owner)?.map(|entry| entry.fields()).unwrap_or_default())
    }

    /// Forgets one field; needs no key.
    pub fn remove(&self, owner: &str, field: &str) -> Result<(), Problem> {
        let path = self.entry_path(owner)?;
        if !disk::exists(&path)? {
            return Ok(());
        }
        let _lock = self.lock()?;
        let Some(mut entry) = Entry::read(&path, owner)? else { return Ok(()) };
        if entry.drop_field(field) {
            if entry.fields().is_empty() {
                disk::remove(&path)?;
            } else {
                entry.write(&path, owner)?;
            }
        }
        Ok(())
    }

    /// Forgets everything of an owner, even what cannot be read any more; needs no key.
    pub fn forget(&self, owner: &str) -> Result<(), Problem> {
        let path = self.entry_path(owner)?;
        if !disk::exists(&path)? {
            return Ok(());
        }
        let _lock = self.lock()?;
        Ok(disk::remove(&path)?)
    }

    /// Copies everything of `from` over to `to`, sealed anew, all or nothing. Other fields of `to` stay.
    pub fn copy(&self, from: &str, to: &str) -> Result<(), Problem> {
        let (from_path, to_path) = (self.entry_path(from)?, self.entry_path(to)?);
        if from == to || !disk::exists(&from_path)? {
            return Ok(());
        }
        let _lock = self.lock()?;
        let Some(source) = Entry::read(&from_path, from)? else { return Ok(()) };
        let sealed = self.with_key(|key| {
            let mut target = Entry::read(&to_path, to)?.unwrap_or_default();
            for field in source.fields() {
                if let Some(secret) = source.open(key, &from_path, from, &field)? {
                    target.seal(key, to, &field, &secret);
                }
            }
            Ok(target)
        })?;
        Ok(sealed.write(&to_path, to)?)
    }

    fn key_path(&self) -> PathBuf {
        self.dir.join("key.txt")
    }

    fn list_path(&self) -> PathBuf {
        self.dir.join("recipients.json")
    }

    fn entries_dir(&self) -> PathBuf {
        self.dir.join("entries")
    }

    /// Owners are identifiers of ours; anything else would be a path of somebody's choosing.
    fn entry_path(&self, owner: &str) -> Result<PathBuf> {
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
        if owner.is_empty() || owner.len() > 128 || !owner.bytes().all(word) {
            return Err(VaultError::Owner);
        }
        Ok(self.entries_dir().join(format!("{owner}.json")))
    }

    fn entries(&self) -> Result<Vec<(PathBuf, String)>> {
        let dir = self.entries_dir();
        let read = match std::fs::read_dir(&dir) {
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(VaultError::Io(dir, error)),
        };
        let mut entries = Vec::new();
        for one in read {
            let path = one.map_err(|error| VaultError::Io(dir.clone(), error))?.path();
            let owner = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".json")).map(str::to_owned);
            if let Some(owner) = owner.filter(|owner| self.entry_path(owner).is_ok()) {
                entries.push((path, owner));
            }
        }
        entries.sort();
        Ok(entries)
    }

    /// Removes what processes left behind that died in the middle of a write. Under the lock: nobody else is writing.
    fn sweep(&self) {
        for dir in [&self.dir, &self.entries_dir()] {
            disk::sweep(dir);
        }
    }

    fn lock(&self) -> Result<std::fs::File> {
        disk::private_dir(&self.dir)?;
        let lock = disk::lock(&self.dir.join("lock"))?;
        self.sweep();
        Ok(lock)
    }
}

#[cfg(test)]
mod faults_tests;
#[cfg(test)]
mod recipients_tests;
#[cfg(test)]
mod tests;
