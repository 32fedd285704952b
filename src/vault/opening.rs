//! How the data key is had: from memory, the kernel keyring, a private key that lies here, systemd, or a passphrase.

use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::time::Duration;

use zeroize::Zeroizing;

use super::key::DataKey;
use super::recipients::{Kind, List};
use super::wrap::Identities;
use super::{Recipient, Result, Vault, VaultError, disk, keyring, systemd, wrap};
use crate::model::{Problem, Secret, Time};

/// What opens the vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    KeyFile,
    /// A private key that lies elsewhere.
    Identity,
    SystemdCreds,
    Passphrase,
}

impl Protection {
    /// As scripts see it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::KeyFile => "key_file",
            Self::Identity => "identity",
            Self::SystemdCreds => "systemd_creds",
            Self::Passphrase => "passphrase",
        }
    }
}

/// Which passphrase would open a vault that is locked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asks {
    /// The vault's own.
    Passphrase,
    /// The one of this private key.
    Identity(PathBuf),
}

/// What can be said about a vault without opening an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    pub exists: bool,
    /// Whether secrets can be read without asking anybody.
    pub unlocked: bool,
    /// Until when the kernel keyring keeps it unlocked for this login session.
    pub until: Option<Time>,
    /// What opens it here, or would.
    pub protection: Option<Protection>,
    /// What to ask for while it is locked.
    pub asks: Option<Asks>,
    pub key_file: Option<PathBuf>,
    pub recipients: Vec<Recipient>,
    pub secrets: u64,
}

/// Where an unlocked data key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeptIn {
    /// For every process of this login session, until then.
    Keyring(Time),
    /// For this process alone: the kernel keyring was not to be had, for this reason.
    Process(String),
}

/// The data key in memory, and what the directory looked like then: when another process changes that, it is looked at anew.
pub(super) struct Opened {
    pub key: DataKey,
    by: Protection,
    stamp: Vec<u8>,
}

impl Opened {
    pub fn by(&self) -> Protection {
        self.by
    }
}

/// The data key as it is wrapped on disk.
pub(super) struct Wraps {
    /// For public keys.
    pub age: Option<Vec<u8>>,
    pub passphrase: Option<Vec<u8>>,
    /// Where that one is: `data-key.age` in vaults of the first form.
    pub passphrase_path: PathBuf,
    pub systemd: Option<Vec<u8>>,
    pub list: Option<List>,
    stamp: Vec<u8>,
}

impl Vault {
    /// Names the file of a private key to open the vault with.
    pub fn set_identity(&self, path: Option<PathBuf>) {
        *self.identity.lock().unwrap_or_else(PoisonError::into_inner) = path;
    }

    pub(super) fn identity_path(&self) -> Option<PathBuf> {
        self.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn age_path(&self) -> PathBuf {
        self.dir.join("data-key.age")
    }

    pub(super) fn passphrase_path(&self) -> PathBuf {
        self.dir.join("data-key.passphrase.age")
    }

    pub(super) fn systemd_path(&self) -> PathBuf {
        self.dir.join("data-key.systemd")
    }

    /// Whether the data key is there in any form.
    pub(super) fn is_made(&self) -> Result<bool> {
        Ok(disk::exists(&self.age_path())? || disk::exists(&self.passphrase_path())? || disk::exists(&self.systemd_path())?)
    }

    /// What is on disk. [`VaultError::Absent`] when there is no vault.
    pub(super) fn wraps(&self) -> Result<Wraps> {
        let stamp = self.stamp()?;
        let (mut age, mut passphrase, systemd) =
            (disk::read(&self.age_path())?, disk::read(&self.passphrase_path())?, disk::read(&self.systemd_path())?);
        let mut passphrase_path = self.passphrase_path();
        if age.is_none() && passphrase.is_none() && systemd.is_none() {
            return Err(if self.entries()?.is_empty() { VaultError::Absent } else { VaultError::NoDataKey(self.age_path()) });
        }
        if let Some(wrapped) = &age
            && wrap::is_passphrase(wrapped, &self.age_path())?
        {
            let first = age.take();
            if passphrase.is_none() {
                (passphrase, passphrase_path) = (first, self.age_path());
            }
        }
        let list = match disk::read(&self.list_path())?.map(|bytes| List::parse(&bytes, &self.list_path())) {
            Some(Err(error @ VaultError::TooNew(_))) => return Err(error),
            // A damaged list keeps nobody from the secrets; it is in the way of changes only.
            Some(Err(_)) | None => None,
            Some(Ok(list)) => Some(list),
        };
        Ok(Wraps { age, passphrase, passphrase_path, systemd, list, stamp })
    }

    /// What changes whenever the data key or who can open it does.
    fn stamp(&self) -> Result<Vec<u8>> {
        if let Some(list) = disk::read(&self.list_path())? {
            return Ok(list);
        }
        Ok(disk::read(&self.age_path())?.or(disk::read(&self.passphrase_path())?).unwrap_or_default())
    }

    /// Who can open the vault, as far as it can be told; needs no key. A vault of the first form has no list.
    pub(super) fn listed(&self, wraps: &Wraps) -> Vec<Recipient> {
        if let Some(list) = &wraps.list {
            return list.recipients.clone();
        }
        let mut all = Vec::new();
        if wraps.age.is_some() {
            let public = Identities::read(&self.key_path()).ok().and_then(|own| own.publics().into_iter().next());
            all.push(Recipient::own(Kind::KeyFile, public));
        }
        if wraps.passphrase.is_some() {
            all.push(Recipient::own(Kind::Passphrase, None));
        }
        if wraps.systemd.is_some() {
            all.push(Recipient::own(Kind::SystemdCreds, None));
        }
        all
    }

    /// Runs `work` with the data key, opening it first when that needs nobody.
    pub(super) fn with_key<T>(&self, work: impl FnOnce(&DataKey) -> Result<T>) -> Result<T> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        self.refresh(&mut opened)?;
        match opened.as_ref() {
            Some(opened) => work(&opened.key),
            None => Err(VaultError::Locked),
        }
    }

    /// Makes sure that `opened` holds the key that seals now.
    fn refresh(&self, opened: &mut Option<Opened>) -> Result<()> {
        let stamp = self.stamp()?;
        // Nothing at all is what a vault looks like that is not there.
        if !stamp.is_empty() && opened.as_ref().is_some_and(|opened| opened.stamp == stamp) && self.is_made()? {
            return Ok(());
        }
        let mut tries = 0;
        loop {
            let wraps = self.wraps()?;
            // Recipients came or went, and the data key stayed: this process goes on.
            if let (Some(held), Some(list)) = (opened.as_mut(), &wraps.list)
                && let Some(key) = list.sealed_by(&held.key)
            {
                held.key = key;
                held.stamp = wraps.stamp;
                return Ok(());
            }
            let found = self.open_alone(&wraps).and_then(|found| match found {
                Some(found) => Ok(found),
                None => self.open_with_passphrase_file(&wraps),
            });
            match found {
                Ok((key, by)) => {
                    *opened = Some(Opened { key: current(key, &wraps), by, stamp: wraps.stamp });
                    return Ok(());
                }
                // Between our reads somebody changed the key: what is there now belongs together.
                Err(_) if tries < 3 && self.stamp()? != wraps.stamp => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn open_with_passphrase_file(&self, wraps: &Wraps) -> Result<(DataKey, Protection)> {
        let (Some(wrapped), Some(passphrase)) = (&wraps.passphrase, self.passphrase_from_file()?) else { return Err(self.locked(wraps)) };
        Ok((wrap::open_with_passphrase(wrapped, &passphrase, &wraps.passphrase_path)?, Protection::Passphrase))
    }

    /// Why a vault that nothing opened here is locked, as what would help most.
    fn locked(&self, wraps: &Wraps) -> VaultError {
        if wraps.passphrase.is_some() {
            return VaultError::Locked;
        }
        match self.identity_path().map(|path| (Identities::read(&path), path)) {
            Some((Ok(identities), path)) if identities.is_locked() => return VaultError::IdentityLocked(path),
            Some((Ok(_), path)) => return VaultError::WrongKey(path),
            Some((Err(error), _)) => return error,
            None => {}
        }
        if self.listed(wraps).iter().any(|one| one.kind == Kind::KeyFile) {
            return match Identities::read(&self.key_path()) {
                Ok(_) => VaultError::WrongKey(self.key_path()),
                Err(error) => error,
            };
        }
        VaultError::NoIdentity
    }

    /// Opens with what needs neither a person nor a second of work. `None`: nothing of that kind did, and nothing is damaged.
    fn open_alone(&self, wraps: &Wraps) -> Result<Option<(DataKey, Protection)>> {
        if let Some(list) = &wraps.list {
            if let Some(key) = self.kept(list) {
                return Ok(Some((key, Protection::Passphrase)));
            }
            // Only a key that sealed the list is ours, whoever gave it.
            if let Some(key) = systemd::given(&list.vault).and_then(|key| list.sealed_by(&key)) {
                return Ok(Some((key, Protection::SystemdCreds)));
            }
        }
        let mut failed = None;
        if let Some(wrapped) = &wraps.age {
            let elsewhere = self.identity_path().map(|path| (path, Protection::Identity));
            for (path, by) in elsewhere.into_iter().chain([(self.key_path(), Protection::KeyFile)]) {
                match Identities::read(&path).and_then(|identities| identities.open(wrapped, &path, &self.age_path())) {
                    Ok(key) => return Ok(Some((key, by))),
                    // Another way may open it.
                    Err(VaultError::NoKeyFile(_) | VaultError::WrongKey(_) | VaultError::IdentityLocked(_)) => {}
                    Err(error) => failed = Some(error),
                }
            }
        }
        if let (Some(wrapped), Some(list)) = (&wraps.systemd, &wraps.list) {
            match systemd::open(&self.systemd, wrapped, &list.vault, &self.systemd_path()) {
                Ok(key) => return Ok(Some((key, Protection::SystemdCreds))),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        match failed {
            // A passphrase may still do.
            Some(error) if wraps.passphrase.is_none() => Err(error),
            _ => Ok(None),
        }
    }

    /// The key that the kernel keyring keeps, when it is this vault's and seals now.
    fn kept(&self, list: &List) -> Option<DataKey> {
        let kept = keyring::get(&list.vault, Time::now())?;
        list.sealed_by(&DataKey::from_payload(&kept.payload, Path::new("")).ok()?)
    }

    pub(super) fn passphrase_from_file(&self) -> Result<Option<Secret>> {
        let Some(path) = &self.passphrase_file else { return Ok(None) };
        let bytes = Zeroizing::new(disk::read(path)?.ok_or_else(|| VaultError::NoKeyFile(path.clone()))?);
        let text = std::str::from_utf8(&bytes).map_err(|_| VaultError::Damaged(path.clone(), crate::t!("vault.not_text")))?;
        let line = text.lines().next().unwrap_or_default();
        if line.is_empty() { Err(VaultError::EmptyPassphrase) } else { Ok(Some(Secret::new(line))) }
    }

    pub(super) fn remember(&self, key: DataKey, by: Protection) -> Result<()> {
        let stamp = self.stamp()?;
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = Some(Opened { key, by, stamp });
        Ok(())
    }

    /// Unlocks for this process with a passphrase: the vault's own, or the one of the private key. A vault that opens by itself needs no
    /// unlocking: the passphrase is then not looked at.
    pub fn unlock(&self, passphrase: &Secret) -> Result<(), Problem> {
        let wraps = self.wraps()?;
        if self.asks(&wraps).is_none() {
            return Ok(self.with_key(|_| Ok(()))?);
        }
        let (key, by) = self.open_typed(&wraps, passphrase)?;
        Ok(self.remember(current(key, &wraps), by)?)
    }

    /// With a passphrase that somebody typed.
    pub(super) fn open_typed(&self, wraps: &Wraps, passphrase: &Secret) -> Result<(DataKey, Protection)> {
        let mut failed = None;
        if let Some(wrapped) = &wraps.passphrase {
            match wrap::open_with_passphrase(wrapped, passphrase, &wraps.passphrase_path) {
                Ok(key) => return Ok((key, Protection::Passphrase)),
                Err(error) => failed = Some(error),
            }
        }
        if let (Some(path), Some(wrapped)) = (self.identity_path(), &wraps.age) {
            let identities = Identities::read(&path)?;
            if identities.is_locked() {
                match identities.unlocked(passphrase, &path).and_then(|open| open.open(wrapped, &path, &self.age_path())) {
                    Ok(key) => return Ok((key, Protection::Identity)),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
        Err(failed.unwrap_or_else(|| self.locked(wraps)))
    }

    /// Which passphrase would open it; `None` when none would.
    fn asks(&self, wraps: &Wraps) -> Option<Asks> {
        if wraps.passphrase.is_some() {
            return Some(Asks::Passphrase);
        }
        let path = self.identity_path().filter(|_| wraps.age.is_some())?;
        Identities::read(&path).is_ok_and(|identities| identities.is_locked()).then_some(Asks::Identity(path))
    }

    /// Keeps the data key, which has to be unlocked, in the kernel keyring for so long.
    pub fn keep(&self, time: Duration) -> Result<KeptIn, Problem> {
        if !disk::exists(&self.list_path())? {
            // The keyring knows a vault by its identifier, which can be read without the key where there is a list.
            self.write_first_list()?;
        }
        let key = self.with_key(|key| Ok(key.clone()))?;
        let until = jiff::SignedDuration::try_from(time).ok().and_then(|time| Time::now().checked_add(time).ok()).unwrap_or(Time::MAX);
        let kept = keyring::Kept { until, payload: key.payload() };
        Ok(match keyring::put(key.vault(), &kept, time.as_secs().max(1)) {
            Ok(()) => KeptIn::Keyring(until),
            Err(why) => KeptIn::Process(crate::words::clean::line(&why, 200)),
        })
    }

    /// Forgets the key in this process and in the kernel keyring. What other processes hold in memory they keep until they end.
    pub fn lock_again(&self) -> Result<(), Problem> {
        let held = self.opened.lock().unwrap_or_else(PoisonError::into_inner).take();
        let listed = disk::read(&self.list_path())?.and_then(|bytes| List::parse(&bytes, &self.list_path()).ok());
        for vault in held.iter().map(|held| held.key.vault()).chain(listed.iter().map(|list| list.vault.as_str())) {
            keyring::remove(vault).map_err(|why| crate::problem!(Failed, "vault.keyring", why = crate::words::clean::line(&why, 200)))?;
        }
        Ok(())
    }

    /// What there is, and whether it opens without a person. A passphrase is not tried.
    pub fn status(&self) -> Result<Status, Problem> {
        let wraps = match self.wraps() {
            Ok(wraps) => wraps,
            Err(VaultError::Absent) => {
                return Ok(Status {
                    exists: false,
                    unlocked: false,
                    until: None,
                    protection: None,
                    asks: None,
                    key_file: None,
                    recipients: Vec::new(),
                    secrets: 0,
                });
            }
            Err(error) => return Err(error.into()),
        };
        let asks = self.asks(&wraps);
        let by_file = wraps.passphrase.is_some() && self.passphrase_file.as_ref().is_some_and(|path| path.is_file());
        let by = self.opens_by(&wraps);
        // Trying the passphrase of a file costs a second of work: that it is there has to do.
        let unlocked = by.is_some() || by_file;
        let recipients = self.listed(&wraps);
        let would = if asks == Some(Asks::Passphrase) {
            Protection::Passphrase
        } else if asks.is_some() {
            Protection::Identity
        } else if recipients.iter().any(|one| one.kind == Kind::KeyFile) {
            Protection::KeyFile
        } else if wraps.age.is_some() {
            Protection::Identity
        } else {
            Protection::SystemdCreds
        };
        let mut secrets = 0;
        for (_, owner) in self.entries()? {
            // What is damaged is for `verify` to say.
            secrets += self.fields(&owner).map_or(0, |fields| fields.len() as u64);
        }
        Ok(Status {
            exists: true,
            unlocked,
            until: wraps.list.as_ref().and_then(|list| keyring::get(&list.vault, Time::now())).map(|kept| kept.until),
            protection: Some(by.unwrap_or(would)),
            asks: asks.filter(|_| !unlocked),
            key_file: recipients.iter().any(|one| one.kind == Kind::KeyFile).then(|| self.key_path()),
            recipients,
            secrets,
        })
    }

    /// What opens it now without a passphrase being tried.
    fn opens_by(&self, wraps: &Wraps) -> Option<Protection> {
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let still = |opened: &Opened| opened.stamp == wraps.stamp || wraps.list.as_ref().is_some_and(|list| list.sealed_by(&opened.key).is_some());
        if let Some(by) = opened.as_ref().filter(|opened| still(opened)).map(|opened| opened.by) {
            return Some(by);
        }
        let (key, by) = self.open_alone(wraps).ok()??;
        *opened = Some(Opened { key: current(key, wraps), by, stamp: wraps.stamp.clone() });
        Some(by)
    }
}

/// Of several keys the one that the list was sealed with seals entries, too: everybody who can open the vault has that one.
fn current(key: DataKey, wraps: &Wraps) -> DataKey {
    wraps.list.as_ref().and_then(|list| list.sealed_by(&key)).unwrap_or(key)
}
