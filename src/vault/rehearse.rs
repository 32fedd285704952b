//! A rehearsal of recovery: every entry, and every way to open the vault that can be tried here.

use std::path::PathBuf;

use super::entry::Entry;
use super::key::DataKey;
use super::opening::Wraps;
use super::recipients::Kind;
use super::wrap::{self, Identities};
use super::{Recipient, Result, Vault, VaultError, disk, systemd};
use crate::model::{Problem, Secret};

/// What one way to open the vault came to.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It opens the vault.
    Opens,
    /// What it takes is not here: a private key of another admin's, a passphrase that was not given.
    NotHere,
    Fails(Problem),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Way {
    pub recipient: Recipient,
    pub outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Rehearsal {
    /// How many secrets opened.
    pub secrets: u64,
    /// Entries that did not open, and what else is wrong.
    pub damaged: Vec<Problem>,
    /// One for each recipient.
    pub ways: Vec<Way>,
}

impl Vault {
    /// Opens every entry; how many secrets there are. Ends at the first that is damaged.
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
        if secrets == 0 && self.is_made()? {
            self.with_key(|_| Ok(()))?;
        }
        Ok(secrets)
    }

    /// Opens every entry and tries every way in that can be tried here. The vault has to be unlocked; a passphrase is tried when it is given,
    /// or lies in the file that the environment names.
    pub fn rehearse(&self, passphrase: Option<&Secret>) -> Result<Rehearsal, Problem> {
        let key = self.with_key(|key| Ok(key.clone()))?;
        if let Some(_lock) = disk::lock_if_free(&self.dir.join("lock")) {
            self.sweep();
        }
        let wraps = self.wraps()?;
        let (mut secrets, mut damaged) = (0, Vec::new());
        for (path, owner) in self.entries()? {
            match Entry::read(&path, &owner) {
                Ok(Some(entry)) => {
                    for field in entry.fields() {
                        match entry.open(&key, &path, &owner, &field) {
                            Ok(_) => secrets += 1,
                            Err(error) => damaged.push(error.into()),
                        }
                    }
                }
                Ok(None) => {}
                Err(error) => damaged.push(error.into()),
            }
        }
        match &wraps.list {
            Some(list) if list.sealed_by(&key).is_none() => {
                damaged.push(VaultError::Damaged(self.list_path(), crate::t!("vault.bad_list_seal")).into());
            }
            None if disk::exists(&self.list_path())? => damaged.push(VaultError::Damaged(self.list_path(), crate::t!("vault.bad_list")).into()),
            _ => {}
        }
        if self.is_resealing()? {
            damaged.push(crate::problem!(PersonMustAct, "vault.half_resealed"));
        }
        if let (Some(list), false) = (&wraps.list, self.agrees(&wraps)) {
            let names: Vec<&str> = list.recipients.iter().map(|one| one.name.as_str()).collect();
            damaged.push(crate::problem!(PersonMustAct, "vault.half_changed", names = crate::words::clean::line(&names.join(", "), 200)));
        }
        let given = match passphrase {
            Some(given) => Some(given.clone()),
            None => self.passphrase_from_file().ok().flatten(),
        };
        let held = self.held(given.as_ref());
        let try_one = |recipient: Recipient| {
            let outcome = match self.tried(&recipient, &wraps, given.as_ref(), &held) {
                Ok(None) => Outcome::NotHere,
                Ok(Some(opened)) if opened.same(&key) || wraps.list.as_ref().is_some_and(|list| list.sealed_by(&opened).is_some()) => Outcome::Opens,
                Ok(Some(_)) => Outcome::Fails(VaultError::Damaged(self.place(&recipient), crate::t!("vault.other_key")).into()),
                Err(error) => Outcome::Fails(error.into()),
            };
            Way { recipient, outcome }
        };
        let ways = self.listed(&wraps).into_iter().map(try_one).collect();
        Ok(Rehearsal { secrets, damaged, ways })
    }

    /// Whether the data key is wrapped for as many as are listed.
    fn agrees(&self, wraps: &Wraps) -> bool {
        let Some(list) = &wraps.list else { return true };
        let listed = |kind: Kind| list.recipients.iter().any(|one| one.kind == kind);
        let publics = list.recipients.iter().filter(|one| one.kind.is_public()).count();
        wraps.age.as_deref().map_or(0, wrap::recipients_in) == publics
            && wraps.passphrase.is_some() == listed(Kind::Passphrase)
            && wraps.systemd.is_some() == listed(Kind::SystemdCreds)
    }

    /// The private keys that are here, apart from the key file.
    fn held(&self, passphrase: Option<&Secret>) -> Option<(PathBuf, Identities)> {
        let path = self.identity_path()?;
        let identities = Identities::read(&path).ok()?;
        let open = match passphrase {
            Some(passphrase) if identities.is_locked() => identities.unlocked(passphrase, &path).ok()?,
            _ => identities,
        };
        Some((path, open))
    }

    fn place(&self, recipient: &Recipient) -> PathBuf {
        match recipient.kind {
            Kind::Passphrase => self.passphrase_path(),
            Kind::SystemdCreds => self.systemd_path(),
            Kind::KeyFile | Kind::Age | Kind::Ssh => self.age_path(),
        }
    }

    /// The data key as this recipient has it; `None` when it cannot be tried here.
    fn tried(
        &self,
        recipient: &Recipient,
        wraps: &Wraps,
        passphrase: Option<&Secret>,
        held: &Option<(PathBuf, Identities)>,
    ) -> Result<Option<DataKey>> {
        let missing = || VaultError::NoKeyFile(self.place(recipient));
        match recipient.kind {
            Kind::Passphrase => {
                let Some(passphrase) = passphrase else { return Ok(None) };
                let wrapped = wraps.passphrase.as_ref().ok_or_else(missing)?;
                wrap::open_with_passphrase(wrapped, passphrase, &wraps.passphrase_path).map(Some)
            }
            Kind::SystemdCreds => {
                let wrapped = wraps.systemd.as_ref().ok_or_else(missing)?;
                let vault = wraps.list.as_ref().map(|list| list.vault.as_str()).unwrap_or_default();
                match systemd::open(&self.systemd, wrapped, vault, &self.systemd_path()) {
                    Err(VaultError::NoSystemd) => Ok(None),
                    other => other.map(Some),
                }
            }
            Kind::KeyFile => {
                let wrapped = wraps.age.as_ref().ok_or_else(missing)?;
                let path = self.key_path();
                if let Some((held, identities)) = held.as_ref().filter(|_| !path.exists())
                    && recipient.public.as_ref().is_some_and(|public| identities.publics().contains(public))
                {
                    return identities.open(wrapped, held, &self.age_path()).map(Some);
                }
                Identities::read(&path)?.open(wrapped, &path, &self.age_path()).map(Some)
            }
            Kind::Age | Kind::Ssh => {
                let wrapped = wraps.age.as_ref().ok_or_else(missing)?;
                match held {
                    Some((path, identities))
                        if !identities.is_locked() && recipient.public.as_ref().is_some_and(|public| identities.publics().contains(public)) =>
                    {
                        identities.open(wrapped, path, &self.age_path()).map(Some)
                    }
                    _ => Ok(None),
                }
            }
        }
    }
}
