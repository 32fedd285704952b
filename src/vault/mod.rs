//! Secrets at rest: a random data key, wrapped with age; each secret sealed with XChaCha20-Poly1305 and bound to its place.
//!
//! The vault's directory (0700, files 0600):
//!
//! - `data-key.age`: the data key and the vault's identifier, wrapped. The vault exists when this file does. The stock `age` program opens
//!   it: `age -d -i key.txt data-key.age`, or with the passphrase.
//! - `key.txt`: the age identity, where the vault is protected by a key file. Whoever has both files has the secrets.
//! - `entries/OWNER.json`: the sealed secrets of one owner. Which fields there are can be read without the key; their values cannot.
//! - `lock`: taken while anything is written, so that several processes can use one vault.
//!
//! Every write is a new file that replaces the old one when it is whole and on disk. A file that cannot be understood is never replaced.

mod disk;
mod entry;
mod key;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use crate::model::{Problem, Secret};
use crate::problem;

pub use key::Protection;

use entry::Entry;
use key::DataKey;

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
    #[error("wrong passphrase")]
    WrongPassphrase,
    #[error("{0} does not open the vault")]
    WrongKey(PathBuf),
    #[error("{0} is missing")]
    NoKeyFile(PathBuf),
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
}

impl From<VaultError> for Problem {
    fn from(error: VaultError) -> Self {
        let shown = |path: &Path| crate::words::clean::line(&path.display().to_string(), 200);
        match error {
            VaultError::Io(path, reason) if reason.kind() == std::io::ErrorKind::StorageFull => problem!(Failed, "vault.full", path = shown(&path)),
            VaultError::Io(path, reason) => problem!(Failed, "vault.io", path = shown(&path), reason = reason),
            VaultError::Damaged(path, reason) => problem!(Failed, "vault.damaged", path = shown(&path), reason = reason),
            VaultError::Owner => problem!(Failed, "vault.owner"),
            VaultError::Locked => problem!(PersonMustAct, "vault.locked"),
            VaultError::WrongPassphrase => problem!(PersonMustAct, "vault.wrong_passphrase"),
            VaultError::WrongKey(path) => problem!(Failed, "vault.wrong_key", path = shown(&path)),
            VaultError::NoKeyFile(path) => problem!(Failed, "vault.no_key_file", path = shown(&path)),
            VaultError::NoDataKey(path) => problem!(Failed, "vault.no_data_key", path = shown(&path)),
            VaultError::Exists => problem!(Usage, "vault.exists"),
            VaultError::Absent => problem!(Usage, "vault.absent"),
            VaultError::Busy => problem!(Failed, "vault.busy"),
            VaultError::EmptyPassphrase => problem!(Usage, "vault.empty_passphrase"),
            VaultError::TooNew(path) => problem!(Failed, "vault.too_new", path = shown(&path)),
        }
    }
}

type Result<T, E = VaultError> = std::result::Result<T, E>;

/// The variable that names a file with the passphrase in its first line, for hosts where nobody types.
pub const PASSPHRASE_FILE: &str = "INTERTIE_VAULT_PASSPHRASE_FILE";

/// The vault of a workspace. Opening it reads nothing; it is made when the first secret is put into one that is not there: with the
/// passphrase of `INTERTIE_VAULT_PASSPHRASE_FILE` when that is set, otherwise with a key file.
pub struct Vault {
    dir: PathBuf,
    passphrase_file: Option<PathBuf>,
    work_factor: u8,
    opened: Mutex<Option<Opened>>,
}

/// The data key in memory, and the wrapped form that it came out of: when another process changes that, it is opened anew.
struct Opened {
    key: DataKey,
    wrapped: Vec<u8>,
}

/// What can be said about a vault without opening an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub exists: bool,
    /// Whether secrets can be read without asking anybody.
    pub unlocked: bool,
    pub protection: Option<Protection>,
    pub key_file: Option<PathBuf>,
    pub secrets: u64,
}

impl Vault {
    /// `dir` is the vault's own directory.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        let passphrase_file = std::env::var_os(PASSPHRASE_FILE).filter(|path| !path.is_empty()).map(PathBuf::from);
        Self::with_passphrase_file(dir, passphrase_file)
    }

    /// The same, with the file that holds the passphrase instead of what the environment says.
    #[must_use]
    pub fn with_passphrase_file(dir: &Path, passphrase_file: Option<PathBuf>) -> Self {
        Self { dir: dir.to_owned(), passphrase_file, work_factor: key::WORK_FACTOR, opened: Mutex::new(None) }
    }

    /// How much work a passphrase costs, as the power of two that age calls work factor. For tests: 18 otherwise, about a second.
    #[must_use]
    pub fn work_factor(mut self, work_factor: u8) -> Self {
        self.work_factor = work_factor;
        self
    }

    /// Keeps a secret of `owner` (a credential or draft id) under `field`. Durable when it returns.
    pub fn put(&self, owner: &str, field: &str, secret: &Secret) -> Result<(), Problem> {
        self.put_all(owner, &[(field, secret)])
    }

    /// Keeps several at once: all or none.
    pub fn put_all(&self, owner: &str, fields: &[(&str, &Secret)]) -> Result<(), Problem> {
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
            Ok(entry)
        })?;
        Ok(sealed.write(&path, owner)?)
    }

    /// A secret; `None` when there is none of that name. Waits for nobody.
    pub fn get(&self, owner: &str, field: &str) -> Result<Option<Secret>, Problem> {
        let path = self.entry_path(owner)?;
        let Some(entry) = Entry::read(&path, owner)? else { return Ok(None) };
        if !entry.has(field) {
            return Ok(None);
        }
        Ok(self.with_key(|key| entry.open(key, &path, owner, field))?)
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

    /// What there is, and whether it opens without a person. Reads the key; a passphrase is not tried.
    pub fn status(&self) -> Result<Status, Problem> {
        let protection = key::protection(&self.data_key_path())?;
        let unlocked = match protection {
            None => false,
            // Trying the passphrase of a file costs a second of work: that it is there has to do.
            Some(Protection::Passphrase) => self.is_open() || self.passphrase_file.as_ref().is_some_and(|path| path.is_file()),
            Some(Protection::KeyFile) => self.with_key(|_| Ok(())).is_ok(),
        };
        let mut secrets = 0;
        for (_, owner) in self.entries()? {
            // What is damaged is for `verify` to say.
            secrets += self.fields(&owner).map_or(0, |fields| fields.len() as u64);
        }
        Ok(Status {
            exists: protection.is_some(),
            unlocked,
            protection,
            key_file: (protection == Some(Protection::KeyFile)).then(|| self.key_path()),
            secrets,
        })
    }

    /// Makes the vault: with a passphrase, or with a key file when none is given.
    pub fn init(&self, passphrase: Option<&Secret>) -> Result<(), Problem> {
        let _lock = self.lock()?;
        if disk::exists(&self.data_key_path())? {
            return Err(VaultError::Exists.into());
        }
        Ok(self.make(passphrase)?)
    }

    /// Unlocks a passphrase vault for this process. A vault with a key file needs no unlocking: the passphrase is then not looked at.
    pub fn unlock(&self, passphrase: &Secret) -> Result<(), Problem> {
        let wrapped = disk::read(&self.data_key_path())?.ok_or(VaultError::Absent)?;
        let key = match key::protection_of(&wrapped, &self.data_key_path())? {
            Protection::Passphrase => key::unwrap_with_passphrase(&wrapped, passphrase, &self.data_key_path())?,
            Protection::KeyFile => key::unwrap_with_key_file(&wrapped, &self.key_path(), &self.data_key_path())?,
        };
        self.remember(key, wrapped);
        Ok(())
    }

    /// Forgets the key in memory: a passphrase vault is locked again for this process.
    pub fn lock_again(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Changes how the data key is wrapped, without touching the entries: with a passphrase, or with a fresh key file when none is given. The
    /// vault has to be unlocked.
    ///
    /// At every moment what is on disk opens the vault: a new key is there before anything is wrapped with it, and an old one goes last.
    pub fn rekey(&self, passphrase: Option<&Secret>) -> Result<(), Problem> {
        let _lock = self.lock()?;
        if !disk::exists(&self.data_key_path())? {
            return Err(VaultError::Absent.into());
        }
        let payload = self.with_key(|key| Ok(key.payload()))?;
        let (data_key_path, key_path) = (self.data_key_path(), self.key_path());
        let wrapped = match passphrase {
            Some(passphrase) => {
                let wrapped = key::wrap_with_passphrase(&payload, passphrase, self.work_factor, &data_key_path)?;
                disk::write(&data_key_path, &wrapped)?;
                disk::remove(&key_path)?;
                wrapped
            }
            None => {
                let identity = key::KeyFile::generate();
                let old = disk::read(&key_path)?.unwrap_or_default();
                disk::write(&key_path, &identity.with_others(&old))?;
                let wrapped = identity.wrap(&payload, &data_key_path)?;
                disk::write(&data_key_path, &wrapped)?;
                disk::write(&key_path, &identity.text())?;
                wrapped
            }
        };
        let key = DataKey::from_payload(&payload, &data_key_path)?;
        self.remember(key, wrapped);
        Ok(())
    }

    /// Opens every entry; how many secrets there are.
    pub fn verify(&self) -> Result<u64, Problem> {
        let mut secrets = 0;
        for (path, owner) in self.entries()? {
            let Some(entry) = Entry::read(&path, &owner)? else { continue };
            self.with_key(|key| {
                for field in entry.fields() {
                    entry.open(key, &path, &owner, &field)?;
                    secrets += 1;
                }
                Ok(())
            })?;
        }
        if secrets == 0 && disk::exists(&self.data_key_path())? {
            self.with_key(|_| Ok(()))?;
        }
        Ok(secrets)
    }

    fn data_key_path(&self) -> PathBuf {
        self.dir.join("data-key.age")
    }

    fn key_path(&self) -> PathBuf {
        self.dir.join("key.txt")
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

    fn lock(&self) -> Result<std::fs::File> {
        disk::private_dir(&self.dir)?;
        disk::lock(&self.dir.join("lock"))
    }

    fn is_open(&self) -> bool {
        self.opened.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn remember(&self, key: DataKey, wrapped: Vec<u8>) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Opened { key, wrapped });
    }

    fn passphrase_from_file(&self) -> Result<Option<Secret>> {
        let Some(path) = &self.passphrase_file else { return Ok(None) };
        let bytes = zeroize::Zeroizing::new(disk::read(path)?.ok_or_else(|| VaultError::NoKeyFile(path.clone()))?);
        let text = std::str::from_utf8(&bytes).map_err(|_| VaultError::Damaged(path.clone(), crate::t!("vault.not_text")))?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() { Err(VaultError::EmptyPassphrase) } else { Ok(Some(Secret::new(line))) }
    }

    /// Under the lock.
    fn make_if_absent(&self) -> Result<()> {
        if disk::exists(&self.data_key_path())? {
            return Ok(());
        }
        // Entries without their data key: making another key would bury them.
        if !self.entries()?.is_empty() {
            return Err(VaultError::NoDataKey(self.data_key_path()));
        }
        self.make(self.passphrase_from_file()?.as_ref())
    }

    /// Under the lock. The data key comes last: with it the vault exists.
    fn make(&self, passphrase: Option<&Secret>) -> Result<()> {
        if !self.entries()?.is_empty() {
            return Err(VaultError::NoDataKey(self.data_key_path()));
        }
        let key = DataKey::generate();
        let payload = key.payload();
        let path = self.data_key_path();
        let wrapped = match passphrase {
            Some(passphrase) => key::wrap_with_passphrase(&payload, passphrase, self.work_factor, &path)?,
            None => {
                let identity = key::KeyFile::generate();
                disk::write(&self.key_path(), &identity.text())?;
                identity.wrap(&payload, &path)?
            }
        };
        disk::write(&path, &wrapped)?;
        self.remember(key, wrapped);
        Ok(())
    }

    /// Runs `work` with the data key, opening it first when that needs nobody.
    fn with_key<T>(&self, work: impl FnOnce(&DataKey) -> Result<T>) -> Result<T> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let path = self.data_key_path();
        let wrapped = match disk::read(&path)? {
            Some(wrapped) => wrapped,
            None if self.entries()?.is_empty() => return Err(VaultError::Absent),
            None => return Err(VaultError::NoDataKey(path)),
        };
        if let Some(opened) = opened.as_ref().filter(|opened| opened.wrapped == wrapped) {
            return work(&opened.key);
        }
        let key = match key::protection_of(&wrapped, &path)? {
            Protection::KeyFile => match key::unwrap_with_key_file(&wrapped, &self.key_path(), &path) {
                // Between our two reads somebody changed the key: what is there now belongs together.
                Err(_) if disk::read(&path)?.is_some_and(|now| now != wrapped) => {
                    let now = disk::read(&path)?.ok_or(VaultError::Absent)?;
                    let key = key::unwrap_with_key_file(&now, &self.key_path(), &path)?;
                    let done = work(&key);
                    *opened = Some(Opened { key, wrapped: now });
                    return done;
                }
                other => other?,
            },
            Protection::Passphrase => match self.passphrase_from_file()? {
                Some(passphrase) => key::unwrap_with_passphrase(&wrapped, &passphrase, &path)?,
                None => return Err(VaultError::Locked),
            },
        };
        let done = work(&key);
        *opened = Some(Opened { key, wrapped });
        done
    }
}

#[cfg(test)]
mod tests;
