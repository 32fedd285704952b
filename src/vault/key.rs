//! The data key, and how age wraps it.

use std::path::Path;

use age::secrecy::{ExposeSecret as _, SecretString};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::aead::{KeyInit as _, OsRng, rand_core::RngCore as _};
use chacha20poly1305::{Key, XChaCha20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Result, VaultError, disk};
use crate::model::Secret;

/// What age itself uses: 2^18 rounds of scrypt, about a second.
pub const WORK_FACTOR: u8 = 18;
/// What a wrapped key may cost to open; age's own program stops there, too.
const MAX_WORK_FACTOR: u8 = 22;
/// Version of the payload.
const VERSION: u32 = 1;

/// How the data key is wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    KeyFile,
    Passphrase,
}

impl Protection {
    /// `key_file` or `passphrase`, as scripts see it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::KeyFile => "key_file",
            Self::Passphrase => "passphrase",
        }
    }
}

/// The key that seals entries, and the identifier of its vault.
pub struct DataKey {
    key: Zeroizing<[u8; 32]>,
    vault: String,
}

/// What is inside `data-key.age`: text, so that it can be read when all else fails.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    intertie_vault: u32,
    vault: String,
    /// Base64.
    key: String,
}

impl DataKey {
    pub fn generate() -> Self {
        let mut key = Zeroizing::new([0; 32]);
        OsRng.fill_bytes(key.as_mut());
        let mut id = [0; 16];
        OsRng.fill_bytes(&mut id);
        Self { key, vault: id.iter().map(|byte| format!("{byte:02x}")).collect() }
    }

    pub fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(Key::from_slice(self.key.as_ref()))
    }

    pub fn vault(&self) -> &str {
        &self.vault
    }

    pub fn payload(&self) -> Zeroizing<Vec<u8>> {
        let mut payload = Payload { intertie_vault: VERSION, vault: self.vault.clone(), key: STANDARD.encode(self.key.as_slice()) };
        // A struct of texts and a number always serializes.
        let bytes = serde_json::to_vec(&payload).unwrap_or_default();
        payload.key.zeroize();
        Zeroizing::new(bytes)
    }

    pub fn from_payload(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = || VaultError::Damaged(path.to_owned(), crate::t!("vault.bad_payload"));
        let mut payload: Payload = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        if payload.intertie_vault > VERSION {
            payload.key.zeroize();
            return Err(VaultError::TooNew(path.to_owned()));
        }
        let decoded = STANDARD.decode(&payload.key).map(Zeroizing::new);
        payload.key.zeroize();
        let decoded = decoded.map_err(|_| damaged())?;
        let mut key = Zeroizing::new([0; 32]);
        if decoded.len() != key.len() {
            return Err(damaged());
        }
        key.copy_from_slice(&decoded);
        Ok(Self { key, vault: payload.vault })
    }
}

/// How the vault is protected; `None` when there is none.
pub fn protection(path: &Path) -> Result<Option<Protection>> {
    disk::read(path)?.map(|wrapped| protection_of(&wrapped, path)).transpose()
}

pub fn protection_of(wrapped: &[u8], path: &Path) -> Result<Protection> {
    let decryptor = age::Decryptor::new(wrapped).map_err(|_| VaultError::Damaged(path.to_owned(), crate::t!("vault.not_age")))?;
    Ok(if decryptor.is_scrypt() { Protection::Passphrase } else { Protection::KeyFile })
}

pub fn wrap_with_passphrase(payload: &[u8], passphrase: &Secret, work_factor: u8, path: &Path) -> Result<Vec<u8>> {
    if passphrase.is_empty() {
        return Err(VaultError::EmptyPassphrase);
    }
    let mut recipient = age::scrypt::Recipient::new(SecretString::from(passphrase.expose().to_owned()));
    recipient.set_work_factor(work_factor);
    age::encrypt(&recipient, payload).map_err(|error| unwrapped(path, error))
}

pub fn unwrap_with_passphrase(wrapped: &[u8], passphrase: &Secret, path: &Path) -> Result<DataKey> {
    let mut identity = age::scrypt::Identity::new(SecretString::from(passphrase.expose().to_owned()));
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    match age::decrypt(&identity, wrapped) {
        Ok(payload) => DataKey::from_payload(&Zeroizing::new(payload), path),
        Err(age::DecryptError::NoMatchingKeys | age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed) => {
            Err(VaultError::WrongPassphrase)
        }
        Err(_) => Err(VaultError::Damaged(path.to_owned(), crate::t!("vault.not_age"))),
    }
}

pub fn unwrap_with_key_file(wrapped: &[u8], key_path: &Path, path: &Path) -> Result<DataKey> {
    let text = Zeroizing::new(disk::read(key_path)?.ok_or_else(|| VaultError::NoKeyFile(key_path.to_owned()))?);
    let mut tried = false;
    for identity in identities(&text) {
        tried = true;
        match age::decrypt(&identity, wrapped) {
            Ok(payload) => return DataKey::from_payload(&Zeroizing::new(payload), path),
            Err(age::DecryptError::NoMatchingKeys) => {}
            Err(_) => return Err(VaultError::Damaged(path.to_owned(), crate::t!("vault.not_age"))),
        }
    }
    Err(if tried { VaultError::WrongKey(key_path.to_owned()) } else { VaultError::Damaged(key_path.to_owned(), crate::t!("vault.no_identity")) })
}

/// The identities of a key file: lines, `#` begins a comment, as `age-keygen` writes them.
fn identities(text: &[u8]) -> impl Iterator<Item = age::x25519::Identity> {
    std::str::from_utf8(text).unwrap_or_default().lines().filter_map(|line| line.trim().parse().ok())
}

/// A fresh identity, in the form of `age-keygen`.
pub struct KeyFile(age::x25519::Identity);

impl KeyFile {
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    pub fn wrap(&self, payload: &[u8], path: &Path) -> Result<Vec<u8>> {
        age::encrypt(&self.0.to_public(), payload).map_err(|error| unwrapped(path, error))
    }

    pub fn text(&self) -> Zeroizing<Vec<u8>> {
        let secret = self.0.to_string();
        let public = self.0.to_public();
        let text = Zeroizing::new(format!("# {}\n# public key: {public}\n{}\n", crate::t!("vault.key_comment"), secret.expose_secret()));
        Zeroizing::new(text.as_bytes().to_vec())
    }

    /// This one first, then those that are there already: while a key is changed, either opens the vault.
    pub fn with_others(&self, old: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut text = self.text();
        text.extend_from_slice(old);
        text
    }
}

fn unwrapped(path: &Path, error: age::EncryptError) -> VaultError {
    match error {
        age::EncryptError::Io(error) => VaultError::Io(path.to_owned(), error),
        other => VaultError::Io(path.to_owned(), std::io::Error::other(other.to_string())),
    }
}
