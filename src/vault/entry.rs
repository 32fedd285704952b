//! The sealed secrets of one owner: one file.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::aead::{Aead as _, AeadCore as _, OsRng, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::key::DataKey;
use super::{Result, VaultError, disk};
use crate::model::Secret;

/// Version of the file's form, and part of what each secret is bound to.
const VERSION: u32 = 1;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    owner: String,
    fields: IndexMap<String, Sealed>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed {
    /// How often this field was written.
    revision: u64,
    /// Base64, 24 bytes.
    nonce: String,
    /// Base64: ciphertext and tag.
    sealed: String,
}

/// An owner's secrets, sealed.
#[derive(Default, PartialEq)]
pub struct Entry {
    fields: IndexMap<String, Sealed>,
}

impl Entry {
    /// `None` when there is no file.
    pub fn read(path: &Path, owner: &str) -> Result<Option<Self>> {
        let Some(bytes) = disk::read(path)? else { return Ok(None) };
        let file: File = serde_json::from_slice(&bytes).map_err(|_| damaged(path, crate::t!("vault.bad_entry")))?;
        if file.version > VERSION {
            return Err(VaultError::TooNew(path.to_owned()));
        }
        if file.owner != owner {
            return Err(damaged(path, crate::t!("vault.moved_entry")));
        }
        Ok(Some(Self { fields: file.fields }))
    }

    pub fn write(&self, path: &Path, owner: &str) -> Result<()> {
        let file = File { version: VERSION, owner: owner.to_owned(), fields: self.fields.clone() };
        let mut bytes = serde_json::to_vec_pretty(&file).map_err(|error| VaultError::Io(path.to_owned(), error.into()))?;
        bytes.push(b'\n');
        disk::write(path, &bytes)
    }

    pub fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    pub fn fields(&self) -> Vec<String> {
        self.fields.keys().cloned().collect()
    }

    /// Whether it was there.
    pub fn drop_field(&mut self, field: &str) -> bool {
        self.fields.shift_remove(field).is_some()
    }

    pub fn seal(&mut self, key: &DataKey, owner: &str, field: &str, secret: &Secret) {
        let revision = self.fields.get(field).map_or(1, |old| old.revision.wrapping_add(1));
        let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
        let bound = binding(key.vault(), owner, field, revision);
        // It fails only beyond 256 GB.
        let sealed = key.cipher().encrypt(&nonce, Payload { msg: secret.expose().as_bytes(), aad: &bound }).unwrap_or_default();
        self.fields.insert(field.to_owned(), Sealed { revision, nonce: STANDARD.encode(nonce), sealed: STANDARD.encode(sealed) });
    }

    pub fn open(&self, key: &DataKey, path: &Path, owner: &str, field: &str) -> Result<Option<Secret>> {
        let Some(sealed) = self.fields.get(field) else { return Ok(None) };
        let bad = || damaged(path, crate::t!("vault.bad_seal"));
        let nonce = STANDARD.decode(&sealed.nonce).map_err(|_| bad())?;
        let nonce: [u8; 24] = nonce.try_into().map_err(|_| bad())?;
        let ciphertext = STANDARD.decode(&sealed.sealed).map_err(|_| bad())?;
        let bound = binding(key.vault(), owner, field, sealed.revision);
        let opened = |cipher: XChaCha20Poly1305| cipher.decrypt(XNonce::from_slice(&nonce), Payload { msg: &ciphertext, aad: &bound }).ok();
        let plain = Zeroizing::new(key.ciphers().find_map(opened).ok_or_else(bad)?);
        let text = std::str::from_utf8(&plain).map_err(|_| bad())?;
        Ok(Some(Secret::new(text)))
    }

    /// Seals everything with the key that seals now; how many.
    pub fn reseal(&mut self, key: &DataKey, path: &Path, owner: &str) -> Result<u64> {
        let mut done = 0;
        for field in self.fields() {
            if let Some(secret) = self.open(key, path, owner, &field)? {
                self.seal(key, owner, &field, &secret);
                done += 1;
            }
        }
        Ok(done)
    }
}

/// What a secret is bound to: a sealed value that is moved to another vault, owner, field or revision does not open. Lengths keep
/// neighbouring texts apart.
fn binding(vault: &str, owner: &str, field: &str, revision: u64) -> Vec<u8> {
    let mut bound = b"intertie vault entry".to_vec();
    bound.extend_from_slice(&VERSION.to_be_bytes());
    for part in [vault, owner, field] {
        bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bound.extend_from_slice(part.as_bytes());
    }
    bound.extend_from_slice(&revision.to_be_bytes());
    bound
}

fn damaged(path: &Path, reason: &'static str) -> VaultError {
    VaultError::Damaged(path.to_owned(), reason)
}
