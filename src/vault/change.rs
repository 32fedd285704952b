//! Making the vault, and changing who can open it. The entries stay as they are, unless they are to be sealed anew with a fresh key.
//!
//! At every moment what is on disk opens the vault for everybody who stays: a new way in is there before an old one goes, and a change that
//! was cut short is finished by doing it again.

use zeroize::Zeroizing;

use super::entry::Entry;
use super::key::DataKey;
use super::opening::Wraps;
use super::recipients::{self, Kind, List, Recipient};
use super::wrap::{self, KeyFile, Public};
use super::{Protection, Result, Vault, VaultError, disk, systemd};
use crate::model::{Problem, Secret};

/// A way to open the vault, as it is added.
pub enum New<'a> {
    Passphrase(&'a Secret),
    /// A key file of ours, made in the vault's directory.
    KeyFile,
    /// `age1…` or `ssh-ed25519 AAAA…`.
    Public(&'a str),
    SystemdCreds,
}

/// What is to be on disk after a change.
struct Target {
    recipients: Vec<Recipient>,
    /// `None`: as it is. `Some(None)`: gone.
    age: Option<Option<Vec<u8>>>,
    passphrase: Option<Option<Vec<u8>>>,
    systemd: Option<Option<Vec<u8>>>,
}

impl Vault {
    /// Makes the vault: with a passphrase, or with a key file when none is given.
    pub fn init(&self, passphrase: Option<&Secret>) -> Result<(), Problem> {
        let _lock = self.lock()?;
        if self.is_made()? {
            return Err(VaultError::Exists.into());
        }
        Ok(self.make(passphrase)?)
    }

    /// Under the lock.
    pub(super) fn make_if_absent(&self) -> Result<()> {
        if self.is_made()? {
            return Ok(());
        }
        // Entries without their data key: making another key would bury them.
        if !self.entries()?.is_empty() {
            return Err(VaultError::NoDataKey(self.age_path()));
        }
        self.make(self.passphrase_from_file()?.as_ref())
    }

    /// Under the lock. The data key comes last: with it the vault exists.
    fn make(&self, passphrase: Option<&Secret>) -> Result<()> {
        if !self.entries()?.is_empty() {
            return Err(VaultError::NoDataKey(self.age_path()));
        }
        let key = DataKey::generate();
        let (path, wrapped, recipient, by) = match passphrase {
            Some(passphrase) => {
                let wrapped = wrap::with_passphrase(&key.payload(), passphrase, self.work_factor, &self.passphrase_path())?;
                (self.passphrase_path(), wrapped, Recipient::own(Kind::Passphrase, None), Protection::Passphrase)
            }
            None => {
                let identity = KeyFile::generate();
                disk::write(&self.key_path(), &identity.text())?;
                let public = identity.public();
                let recipient = Recipient::own(Kind::KeyFile, Some(public.text()));
                (self.age_path(), wrap::for_public(&key.payload(), &[public], &self.age_path())?, recipient, Protection::KeyFile)
            }
        };
        disk::write(&self.list_path(), &List::sealed(&key, &[recipient]))?;
        disk::write(&path, &wrapped)?;
        self.remember(key, by)
    }

    /// Who can open the vault; needs no key.
    pub fn recipients(&self) -> Result<Vec<Recipient>, Problem> {
        match self.wraps() {
            Ok(wraps) => Ok(self.listed(&wraps)),
            Err(VaultError::Absent) => Ok(Vec::new()),
            Err(error) => Err(error.into()),
        }
    }

    /// Adds a way to open the vault; no entry is touched. The vault has to be unlocked. An empty name is replaced by that of the kind.
    pub fn recipient_add(&self, name: &str, new: &New<'_>) -> Result<(), Problem> {
        let _lock = self.lock()?;
        let (key, wraps, old) = self.trusted()?;
        let named = |mut recipient: Recipient| {
            if !name.trim().is_empty() {
                name.clone_into(&mut recipient.name);
            }
            recipients::with(&old, recipient)
        };
        let mut target = Target { recipients: Vec::new(), age: None, passphrase: None, systemd: None };
        match new {
            New::Passphrase(passphrase) => {
                target.recipients = named(Recipient::own(Kind::Passphrase, None))?;
                let wrapped = wrap::with_passphrase(&key.payload(), passphrase, self.work_factor, &self.passphrase_path())?;
                target.passphrase = Some(Some(wrapped));
            }
            New::SystemdCreds => {
                target.recipients = named(Recipient::own(Kind::SystemdCreds, None))?;
                target.systemd = Some(Some(systemd::wrap(&self.systemd, &key)?));
            }
            New::Public(text) => {
                let public = Public::parse(text).ok_or(VaultError::BadPublic)?;
                let kind = if public.is_ssh() { Kind::Ssh } else { Kind::Age };
                target.recipients = named(Recipient::own(kind, Some(public.text())))?;
                target.age = Some(Some(self.for_public(&key, &target.recipients)?));
            }
            New::KeyFile => {
                let identity = KeyFile::generate();
                target.recipients = named(Recipient::own(Kind::KeyFile, Some(identity.public().text())))?;
                target.age = Some(Some(self.for_public(&key, &target.recipients)?));
                self.add_to_key_file(&identity)?;
            }
        }
        Ok(self.change(&key, &wraps, &old, target)?)
    }

    /// Takes a way to open the vault away; never the last. No entry is touched: who had the data key may have kept it, until [`Self::reseal`].
    pub fn recipient_remove(&self, name: &str) -> Result<(), Problem> {
        let _lock = self.lock()?;
        let (key, wraps, old) = self.trusted()?;
        let Some(gone) = old.iter().find(|one| one.name == name).or_else(|| old.iter().find(|one| one.name.eq_ignore_ascii_case(name))) else {
            return Err(VaultError::NotListed(name.to_owned()).into());
        };
        let rest: Vec<Recipient> = old.iter().filter(|one| *one != gone).cloned().collect();
        if rest.is_empty() {
            return Err(VaultError::LastRecipient.into());
        }
        let mut target = Target { recipients: rest, age: None, passphrase: None, systemd: None };
        match gone.kind {
            Kind::Passphrase => target.passphrase = Some(None),
            Kind::SystemdCreds => target.systemd = Some(None),
            Kind::Age | Kind::Ssh | Kind::KeyFile => {
                let others = target.recipients.iter().any(|one| one.kind.is_public());
                target.age = Some(if others { Some(self.for_public(&key, &target.recipients)?) } else { None });
            }
        }
        let key_file = gone.kind == Kind::KeyFile;
        self.change(&key, &wraps, &old, target)?;
        if key_file {
            disk::remove(&self.key_path())?;
        }
        Ok(())
    }

    /// Replaces the vault's own protection, without touching the entries: by a passphrase, or by a fresh key file when none is given. Public
    /// keys of admins and systemd-creds stay. The vault has to be unlocked.
    pub fn rekey(&self, passphrase: Option<&Secret>) -> Result<(), Problem> {
        let _lock = self.lock()?;
        let (key, wraps, old) = self.trusted()?;
        let mut kept: Vec<Recipient> = old.iter().filter(|one| !matches!(one.kind, Kind::Passphrase | Kind::KeyFile)).cloned().collect();
        let own = |kind: Kind| old.iter().find(|one| one.kind == kind).map(|one| one.name.clone());
        let (by, target, identity) = match passphrase {
            Some(passphrase) => {
                let wrapped = wrap::with_passphrase(&key.payload(), passphrase, self.work_factor, &self.passphrase_path())?;
                let age = if kept.iter().any(|one| one.kind.is_public()) { Some(self.for_public(&key, &kept)?) } else { None };
                let mut recipient = Recipient::own(Kind::Passphrase, None);
                recipient.name = own(Kind::Passphrase).unwrap_or(recipient.name);
                kept.insert(0, recipient);
                (Protection::Passphrase, Target { recipients: kept, age: Some(age), passphrase: Some(Some(wrapped)), systemd: None }, None)
            }
            None => {
                let identity = KeyFile::generate();
                let mut recipient = Recipient::own(Kind::KeyFile, Some(identity.public().text()));
                recipient.name = own(Kind::KeyFile).unwrap_or(recipient.name);
                kept.insert(0, recipient);
                let age = self.for_public(&key, &kept)?;
                self.add_to_key_file(&identity)?;
                (Protection::KeyFile, Target { recipients: kept, age: Some(Some(age)), passphrase: Some(None), systemd: None }, Some(identity))
            }
        };
        self.change(&key, &wraps, &old, target)?;
        match identity {
            Some(identity) => disk::write(&self.key_path(), &identity.text())?,
            None => disk::remove(&self.key_path())?,
        }
        Ok(self.remember(key, by)?)
    }

    /// Makes a fresh data key for those who can open the vault now, and seals every entry with it; how many secrets. Where a passphrase is
    /// among the ways in, it is needed: only with it can the new key be wrapped.
    ///
    /// Every entry is opened first: nothing changes while one is damaged. Until all are sealed anew both keys are wrapped, so that at every
    /// moment everything opens; cut short, it goes on when it is asked for again.
    pub fn reseal(&self, passphrase: Option<&Secret>) -> Result<u64, Problem> {
        let _lock = self.lock()?;
        let (key, wraps, list) = self.trusted()?;
        let passphrase = self.checked_passphrase(&wraps, passphrase)?;
        let entries = self.opened_entries(&key)?;
        let new = if key.has_earlier() && self.sealed_by_newest(&key, &wraps) {
            key
        } else {
            self.wrap_for_all(&key.renewed(), &list, &passphrase, &wraps)?
        };
        let mut secrets = 0;
        for (path, owner) in entries {
            let Some(mut entry) = Entry::read(&path, &owner)? else { continue };
            secrets += entry.reseal(&new, &path, &owner)?;
            entry.write(&path, &owner)?;
        }
        let alone = new.alone();
        let by = self.opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref().map(super::opening::Opened::by);
        self.wrap_all(&alone, &list, &passphrase, &wraps)?;
        disk::write(&self.list_path(), &List::sealed(&alone, &list))?;
        self.remember(alone, by.unwrap_or(Protection::KeyFile))?;
        Ok(secrets)
    }

    /// Whether sealing anew was begun and not finished.
    pub(super) fn is_resealing(&self) -> Result<bool> {
        self.with_key(|key| Ok(key.has_earlier()))
    }

    /// The list of a vault of the first form; nothing when there is one.
    pub(super) fn write_first_list(&self) -> Result<()> {
        let _lock = self.lock()?;
        let (key, wraps, list) = self.trusted()?;
        if wraps.list.is_none() {
            disk::write(&self.list_path(), &List::sealed(&key, &list))?;
        }
        Ok(())
    }

    /// The data key, what is on disk, and who can open it, as far as that can be trusted. Under the lock.
    fn trusted(&self) -> Result<(DataKey, Wraps, Vec<Recipient>)> {
        let key = self.with_key(|key| Ok(key.clone()))?;
        let wraps = self.wraps()?;
        let damaged = |reason| VaultError::Damaged(self.list_path(), reason);
        match &wraps.list {
            Some(list) if list.sealed_by(&key).is_some() => {}
            Some(_) => return Err(damaged(crate::t!("vault.bad_list_seal"))),
            None if disk::exists(&self.list_path())? => return Err(damaged(crate::t!("vault.bad_list"))),
            // A vault of the first form was wrapped for one recipient; wrapping again must not leave others out.
            None if wraps.age.as_deref().is_some_and(|wrapped| wrap::recipients_in(wrapped) > 1) => {
                return Err(damaged(crate::t!("vault.list_missing")));
            }
            None => {}
        }
        let mut list = self.listed(&wraps);
        if wraps.list.is_none() {
            for one in list.iter_mut().filter(|one| one.kind == Kind::KeyFile && one.public.is_none()) {
                one.public = Some(self.public_of_first_form()?);
            }
        }
        Ok((key, wraps, list))
    }

    /// A vault of the first form that was opened by a private key elsewhere: that one is the recipient.
    fn public_of_first_form(&self) -> Result<String> {
        let path = self.identity_path().ok_or_else(|| VaultError::NoKeyFile(self.key_path()))?;
        let publics = wrap::Identities::read(&path)?.publics();
        publics.into_iter().next().ok_or(VaultError::NoKeyFile(path))
    }

    fn for_public(&self, key: &DataKey, recipients: &[Recipient]) -> Result<Vec<u8>> {
        wrap::for_public(&key.payload(), &recipients::publics(recipients, &self.list_path())?, &self.age_path())
    }

    fn add_to_key_file(&self, identity: &KeyFile) -> Result<()> {
        let old = Zeroizing::new(disk::read(&self.key_path())?.unwrap_or_default());
        disk::write(&self.key_path(), &identity.with_others(&old))
    }

    /// Brings what is on disk to what it is to be: the list first for who comes, last for who goes; new wraps before old ones go.
    fn change(&self, key: &DataKey, wraps: &Wraps, old: &[Recipient], target: Target) -> Result<()> {
        let all = recipients::union(old, &target.recipients);
        if all != old || wraps.list.is_none() {
            disk::write(&self.list_path(), &List::sealed(key, &all))?;
        }
        // The passphrase of a vault of the first form is where the public keys go: it moves first.
        let moved = (wraps.passphrase_path == self.age_path()).then_some(wraps.passphrase.as_ref()).flatten();
        if let Some(wrapped) = target.passphrase.as_ref().map_or(moved, Option::as_ref) {
            disk::write(&self.passphrase_path(), wrapped)?;
        }
        if let Some(Some(wrapped)) = &target.systemd {
            disk::write(&self.systemd_path(), wrapped)?;
        }
        match &target.age {
            Some(Some(wrapped)) => disk::write(&self.age_path(), wrapped)?,
            Some(None) => disk::remove(&self.age_path())?,
            None if wraps.age.is_none() => disk::remove(&self.age_path())?,
            None => {}
        }
        if target.passphrase == Some(None) {
            disk::remove(&self.passphrase_path())?;
        }
        if target.systemd == Some(None) {
            disk::remove(&self.systemd_path())?;
        }
        if all != target.recipients {
            disk::write(&self.list_path(), &List::sealed(key, &target.recipients))?;
        }
        Ok(())
    }

    /// The passphrase that the new key is wrapped with; none when there is no such way in.
    fn checked_passphrase<'a>(&self, wraps: &Wraps, given: Option<&'a Secret>) -> Result<Option<std::borrow::Cow<'a, Secret>>> {
        use std::borrow::Cow;
        let Some(wrapped) = &wraps.passphrase else { return Ok(None) };
        let passphrase = match given {
            Some(given) => Cow::Borrowed(given),
            None => Cow::Owned(self.passphrase_from_file()?.ok_or(VaultError::NeedsPassphrase)?),
        };
        // A slip of the finger must not become the passphrase.
        wrap::open_with_passphrase(wrapped, &passphrase, &wraps.passphrase_path)?;
        Ok(Some(passphrase))
    }

    /// All entries; each of their secrets opens.
    fn opened_entries(&self, key: &DataKey) -> Result<Vec<(std::path::PathBuf, String)>> {
        let entries = self.entries()?;
        for (path, owner) in &entries {
            let Some(entry) = Entry::read(path, owner)? else { continue };
            for field in entry.fields() {
                entry.open(key, path, owner, &field)?;
            }
        }
        Ok(entries)
    }

    /// Whether what was begun got as far as the list: then everybody has the key that seals now.
    fn sealed_by_newest(&self, key: &DataKey, wraps: &Wraps) -> bool {
        wraps.list.as_ref().and_then(|list| list.sealed_by(key)).is_some_and(|by| by.same(key))
    }

    /// Wraps a fresh key, with the earlier ones, for everybody, and then makes it the one that seals.
    fn wrap_for_all(&self, new: &DataKey, list: &[Recipient], passphrase: &Option<std::borrow::Cow<'_, Secret>>, wraps: &Wraps) -> Result<DataKey> {
        self.wrap_all(new, list, passphrase, wraps)?;
        disk::write(&self.list_path(), &List::sealed(new, list))?;
        Ok(new.clone())
    }

    fn wrap_all(&self, key: &DataKey, list: &[Recipient], passphrase: &Option<std::borrow::Cow<'_, Secret>>, wraps: &Wraps) -> Result<()> {
        let sealed = if list.iter().any(|one| one.kind == Kind::SystemdCreds) { Some(systemd::wrap(&self.systemd, key)?) } else { None };
        if let Some(passphrase) = passphrase {
            let wrapped = wrap::with_passphrase(&key.payload(), passphrase, self.work_factor, &self.passphrase_path())?;
            disk::write(&self.passphrase_path(), &wrapped)?;
            if wraps.passphrase_path == self.age_path() && !list.iter().any(|one| one.kind.is_public()) {
                disk::remove(&self.age_path())?;
            }
        }
        if let Some(sealed) = sealed {
            disk::write(&self.systemd_path(), &sealed)?;
        }
        if list.iter().any(|one| one.kind.is_public()) {
            disk::write(&self.age_path(), &self.for_public(key, list)?)?;
        }
        Ok(())
    }
}
