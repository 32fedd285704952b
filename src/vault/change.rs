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
    /// The private key of the key file.
    key_file: Option<Option<Zeroizing<Vec<u8>>>>,
}

impl Target {
    fn of(recipients: Vec<Recipient>) -> Self {
        Self { recipients, age: None, passphrase: None, systemd: None, key_file: None }
    }
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

    /// Adds a way to open the vault; no entry is touched. The vault has to be unlocked. An empty name is replaced by that of the kind. One that
    /// is there already, in all parts, is wrapped for again: so a change that was cut short is completed.
    pub fn recipient_add(&self, name: &str, new: &New<'_>) -> Result<(), Problem> {
        let _lock = self.lock()?;
        let (key, wraps, old) = self.trusted()?;
        let named = |mut recipient: Recipient| {
            if !name.trim().is_empty() {
                name.trim().clone_into(&mut recipient.name);
            }
            recipient
        };
        let is_listed = |new: &Recipient| {
            old.iter()
                .any(|one| one.kind == new.kind && one.name.eq_ignore_ascii_case(&new.name) && (new.public.is_none() || one.public == new.public))
        };
        let with = |new: Recipient| if is_listed(&new) { Ok(old.clone()) } else { recipients::with(&old, new) };
        let listed_as = |kind: Kind| VaultError::Listed(old.iter().find(|one| one.kind == kind).map(|one| one.name.clone()).unwrap_or_default());
        let mut target = Target::of(Vec::new());
        match new {
            New::Passphrase(passphrase) => {
                let new = named(Recipient::own(Kind::Passphrase, None));
                if let Some(wrapped) = wraps.passphrase.as_ref().filter(|_| is_listed(&new)) {
                    let same = wrap::open_with_passphrase(wrapped, passphrase, &wraps.passphrase_path).is_ok();
                    return if same { Ok(()) } else { Err(listed_as(Kind::Passphrase).into()) };
                }
                target.recipients = with(new)?;
                let wrapped = wrap::with_passphrase(&key.payload(), passphrase, self.work_factor, &self.passphrase_path())?;
                target.passphrase = Some(Some(wrapped));
            }
            New::SystemdCreds => {
                let new = named(Recipient::own(Kind::SystemdCreds, None));
                if let Some(wrapped) = wraps.systemd.as_ref().filter(|_| is_listed(&new)) {
                    let here = systemd::open(&self.systemd, wrapped, key.vault(), &self.systemd_path()).is_ok_and(|opened| opened.same(&key));
                    return if here { Ok(()) } else { Err(listed_as(Kind::SystemdCreds).into()) };
                }
                target.recipients = with(new)?;
                target.systemd = Some(Some(systemd::wrap(&self.systemd, &key)?));
            }
            New::Public(text) => {
                let public = Public::parse(text).ok_or(VaultError::BadPublic)?;
                let kind = if public.is_ssh() { Kind::Ssh } else { Kind::Age };
                target.recipients = with(named(Recipient::own(kind, Some(public.text()))))?;
                target.age = Some(Some(self.for_public(&key, &target.recipients)?));
            }
            New::KeyFile => {
                let new = named(Recipient::own(Kind::KeyFile, None));
                let here = wrap::Identities::read(&self.key_path()).map(|own| own.publics()).unwrap_or_default();
                let is_here = |one: &Recipient| one.kind == Kind::KeyFile && one.public.as_ref().is_some_and(|public| here.contains(public));
                if is_listed(&new) && old.iter().any(is_here) {
                    target.recipients.clone_from(&old);
                    target.age = Some(Some(self.for_public(&key, &old)?));
                } else {
                    let identity = KeyFile::generate();
                    target.recipients = recipients::with(&old, Recipient { public: Some(identity.public().text()), ..new })?;
                    target.age = Some(Some(self.for_public(&key, &target.recipients)?));
                    self.add_to_key_file(&identity)?;
                }
            }
        }
        Ok(self.change(&key, &wraps, &old, target)?)
    }

    /// Takes a way to open the vault away; never the last. No entry is touched: who had the data key may have kept it, until [`Self::reseal`].
    pub fn recipient_remove(&self, name: &str) -> Result<(), Problem> {
        let _lock = self.lock()?;
        let (key, wraps, old) = self.trusted()?;
        let (gone, rest) = without(&old, name)?;
        let mut target = Target::of(rest);
        match gone {
            Kind::Passphrase => target.passphrase = Some(None),
            Kind::SystemdCreds => target.systemd = Some(None),
            Kind::Age | Kind::Ssh | Kind::KeyFile => {
                let others = target.recipients.iter().any(|one| one.kind.is_public());
                target.age = Some(if others { Some(self.for_public(&key, &target.recipients)?) } else { None });
            }
        }
        if gone == Kind::KeyFile {
            target.key_file = Some(None);
        }
        Ok(self.change(&key, &wraps, &old, target)?)
    }

    /// Takes a way to open the vault away and makes a fresh data key for the others, as [`Self::reseal`] does; how many secrets were sealed
    /// with it. Who goes is on the list until all is done: cut short, the same again completes it.
    pub fn recipient_remove_and_reseal(&self, name: &str, passphrase: Option<&Secret>) -> Result<u64, Problem> {
        let _lock = self.lock()?;
        let (key, wraps, old) = self.trusted()?;
        let (_, rest) = without(&old, name)?;
        Ok(self.seal_anew(&key, &wraps, &old, &rest, passphrase)?)
    }

    /// Replaces the vault's own protection, without touching the entries: by a passphrase, or by a fresh key file when none is given. Public
    /// keys of admins and systemd-creds stay. The vault has to be unlocked.
    pub fn rekey(&self, passphrase: Option<&Secret>) -> Result<(), Problem> {
        let _lock = self.lock()?;
        let (key, wraps, old) = self.trusted()?;
        let mut kept: Vec<Recipient> = old.iter().filter(|one| !matches!(one.kind, Kind::Passphrase | Kind::KeyFile)).cloned().collect();
        let own = |kind: Kind| old.iter().find(|one| one.kind == kind).map(|one| one.name.clone());
        let (by, target) = match passphrase {
            Some(passphrase) => {
                let wrapped = wrap::with_passphrase(&key.payload(), passphrase, self.work_factor, &self.passphrase_path())?;
                let age = if kept.iter().any(|one| one.kind.is_public()) { Some(self.for_public(&key, &kept)?) } else { None };
                let mut recipient = Recipient::own(Kind::Passphrase, None);
                recipient.name = own(Kind::Passphrase).unwrap_or(recipient.name);
                kept.insert(0, recipient);
                let wrapped = Some(Some(wrapped));
                (Protection::Passphrase, Target { age: Some(age), passphrase: wrapped, key_file: Some(None), ..Target::of(kept) })
            }
            None => {
                let identity = KeyFile::generate();
                let mut recipient = Recipient::own(Kind::KeyFile, Some(identity.public().text()));
                recipient.name = own(Kind::KeyFile).unwrap_or(recipient.name);
                kept.insert(0, recipient);
                let age = self.for_public(&key, &kept)?;
                self.add_to_key_file(&identity)?;
                let own = Some(Some(identity.text()));
                (Protection::KeyFile, Target { age: Some(Some(age)), passphrase: Some(None), key_file: own, ..Target::of(kept) })
            }
        };
        self.change(&key, &wraps, &old, target)?;
        Ok(self.remember(key, by)?)
    }

    /// Makes a fresh data key for those who can open the vault now, and seals every entry with it; how many secrets. Where a passphrase is
    /// among the ways in, it is needed: only with it can the new key be wrapped.
    ///
    /// Every entry is opened first: nothing changes while one is damaged. Until all are sealed anew both keys are wrapped, so that at every
    /// moment everything opens; cut short, it is done again as a whole: what was begun may be known to somebody who has gone since.
    pub fn reseal(&self, passphrase: Option<&Secret>) -> Result<u64, Problem> {
        let _lock = self.lock()?;
        let (key, wraps, list) = self.trusted()?;
        Ok(self.seal_anew(&key, &wraps, &list, &list, passphrase)?)
    }

    /// A fresh data key for `rest`; `all` are listed until it is done.
    fn seal_anew(&self, key: &DataKey, wraps: &Wraps, all: &[Recipient], rest: &[Recipient], passphrase: Option<&Secret>) -> Result<u64> {
        let stays = |kind: Kind| rest.iter().any(|one| one.kind == kind);
        let passphrase = if stays(Kind::Passphrase) { self.checked_passphrase(wraps, passphrase)? } else { None };
        let entries = self.opened_entries(key)?;
        // What was begun comes to its end first: so there are never more than two keys in use.
        if key.has_earlier() {
            self.reseal_entries(&entries, key)?;
        }
        let by = self.opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner).as_ref().map(super::opening::Opened::by);
        let new = key.alone().renewed();
        // Whoever opens the vault has the new key before anything is sealed with it; the list says from when on that is.
        self.wrap_all(&new, rest, &passphrase, wraps)?;
        if !stays(Kind::Passphrase) {
            disk::remove(&self.passphrase_path())?;
        }
        if !stays(Kind::SystemdCreds) {
            disk::remove(&self.systemd_path())?;
        }
        if !rest.iter().any(|one| one.kind.is_public()) {
            disk::remove(&self.age_path())?;
        }
        disk::write(&self.list_path(), &List::sealed(&new, all))?;
        let secrets = self.reseal_entries(&entries, &new)?;
        let alone = new.alone();
        self.wrap_all(&alone, rest, &passphrase, wraps)?;
        if all.iter().any(|one| one.kind == Kind::KeyFile) && !stays(Kind::KeyFile) {
            disk::remove(&self.key_path())?;
        }
        disk::write(&self.list_path(), &List::sealed(&alone, rest))?;
        self.remember(alone, by.unwrap_or(Protection::KeyFile))?;
        Ok(secrets)
    }

    fn reseal_entries(&self, entries: &[(std::path::PathBuf, String)], key: &DataKey) -> Result<u64> {
        let mut secrets = 0;
        for (path, owner) in entries {
            let Some(mut entry) = Entry::read(path, owner)? else { continue };
            secrets += entry.reseal(key, path, owner)?;
            entry.write(path, owner)?;
        }
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
        match &target.key_file {
            Some(Some(own)) => disk::write(&self.key_path(), own)?,
            Some(None) => disk::remove(&self.key_path())?,
            None => {}
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

/// Who stays when this one goes, and of what kind that is. A key file that was being replaced is listed twice.
fn without(old: &[Recipient], name: &str) -> Result<(Kind, Vec<Recipient>)> {
    let gone = old.iter().find(|one| one.name == name).or_else(|| old.iter().find(|one| one.name.eq_ignore_ascii_case(name)));
    let Some(gone) = gone else { return Err(VaultError::NotListed(name.to_owned())) };
    let rest: Vec<Recipient> = old.iter().filter(|one| one.kind != gone.kind || one.name != gone.name).cloned().collect();
    if rest.is_empty() { Err(VaultError::LastRecipient) } else { Ok((gone.kind, rest)) }
}
