//! Secrets at rest: a random data key, wrapped with age; each secret sealed with XChaCha20-Poly1305 and bound to its place.

use std::path::{Path, PathBuf};

use crate::model::{Problem, Secret};

/// The vault of a workspace. Opening it reads nothing; it is made with a key file when the first secret is put into one that is not there.
pub struct Vault {
    dir: PathBuf,
}

impl Vault {
    /// `dir` is the vault's own directory.
    #[must_use]
    pub fn open(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// Keeps a secret of `owner` (a credential or draft id) under `field`. Durable when it returns.
    pub fn put(&self, owner: &str, field: &str, secret: &Secret) -> Result<(), Problem> {
        self.put_all(owner, &[(field, secret)])
    }

    /// Keeps several at once: all or none.
    pub fn put_all(&self, owner: &str, fields: &[(&str, &Secret)]) -> Result<(), Problem> {
        let _ = (owner, fields, &self.dir);
        todo!()
    }

    pub fn get(&self, owner: &str, field: &str) -> Result<Option<Secret>, Problem> {
        let _ = (owner, field);
        todo!()
    }

    /// The fields kept for an owner; needs no key.
    pub fn fields(&self, owner: &str) -> Result<Vec<String>, Problem> {
        let _ = owner;
        todo!()
    }

    pub fn remove(&self, owner: &str, field: &str) -> Result<(), Problem> {
        let _ = (owner, field);
        todo!()
    }

    /// Forgets everything of an owner.
    pub fn forget(&self, owner: &str) -> Result<(), Problem> {
        let _ = owner;
        todo!()
    }

    /// Copies everything of `from` over to `to`, sealed anew, all or nothing.
    pub fn copy(&self, from: &str, to: &str) -> Result<(), Problem> {
        let _ = (from, to);
        todo!()
    }
}
