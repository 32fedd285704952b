//! The data key: what seals entries, and what is wrapped for each recipient.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::aead::{KeyInit as _, OsRng, rand_core::RngCore as _};
use chacha20poly1305::{Key, XChaCha20Poly1305};
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize as _, Zeroizing};

use super::{Result, VaultError};

/// Version of the payload.
const VERSION: u32 = 1;
/// Version of a payload with earlier keys in it: while entries are sealed anew, both open.
const WITH_EARLIER: u32 = 2;
/// Earlier keys that a payload may hold; more than one is there only when sealing anew was cut short again and again.
const MOST_EARLIER: usize = 16;

type Bytes = Zeroizing<[u8; 32]>;

/// The key that seals entries, and the identifier of its vault.
#[derive(Clone)]
pub struct DataKey {
    key: Bytes,
    /// Keys that entries may still be sealed with, while they are being sealed anew.
    earlier: Vec<Bytes>,
    vault: String,
}

/// What is inside `data-key.age` and the other wraps: text, so that it can be read when all else fails.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    intertie_vault: u32,
    vault: String,
    /// Base64.
    key: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<String>,
}

impl Drop for Payload {
    fn drop(&mut self) {
        self.key.zeroize();
        self.earlier.zeroize();
    }
}

impl DataKey {
    pub fn generate() -> Self {
        let mut id = [0; 16];
        OsRng.fill_bytes(&mut id);
        Self { key: fresh(), earlier: Vec::new(), vault: id.iter().map(|byte| format!("{byte:02x}")).collect() }
    }

    /// A fresh key of the same vault, which still opens what this one sealed.
    pub fn renewed(&self) -> Self {
        let earlier = std::iter::once(&self.key).chain(&self.earlier).take(MOST_EARLIER).cloned().collect();
        Self { key: fresh(), earlier, vault: self.vault.clone() }
    }

    /// Without the earlier keys: nothing is sealed with them any more.
    pub fn alone(&self) -> Self {
        Self { key: self.key.clone(), earlier: Vec::new(), vault: self.vault.clone() }
    }

    pub fn has_earlier(&self) -> bool {
        !self.earlier.is_empty()
    }

    /// Each of its keys as the one that seals, with the others beside it.
    pub fn turned(&self) -> impl Iterator<Item = Self> {
        let all: Vec<Bytes> = std::iter::once(&self.key).chain(&self.earlier).cloned().collect();
        (0..all.len()).map(move |at| {
            let mut rest = all.clone();
            let key = rest.remove(at);
            Self { key, earlier: rest, vault: self.vault.clone() }
        })
    }

    /// What seals.
    pub fn cipher(&self) -> XChaCha20Poly1305 {
        cipher(&self.key)
    }

    /// What opens, the likeliest first.
    pub fn ciphers(&self) -> impl Iterator<Item = XChaCha20Poly1305> {
        std::iter::once(&self.key).chain(&self.earlier).map(cipher)
    }

    pub fn vault(&self) -> &str {
        &self.vault
    }

    /// Whether both hold the key that seals now. Not in constant time: both are ours.
    pub fn same(&self, other: &Self) -> bool {
        self.vault == other.vault && *self.key == *other.key
    }

    pub fn payload(&self) -> Zeroizing<Vec<u8>> {
        let payload = Payload {
            intertie_vault: if self.earlier.is_empty() { VERSION } else { WITH_EARLIER },
            vault: self.vault.clone(),
            key: STANDARD.encode(self.key.as_slice()),
            earlier: self.earlier.iter().map(|key| STANDARD.encode(key.as_slice())).collect(),
        };
        // A struct of texts and a number always serializes.
        Zeroizing::new(serde_json::to_vec(&payload).unwrap_or_default())
    }

    pub fn from_payload(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = || VaultError::Damaged(path.to_owned(), crate::t!("vault.bad_payload"));
        #[derive(Deserialize)]
        struct Version {
            intertie_vault: u32,
        }
        // First the version: a newer form may have what this one does not know.
        let version: Version = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        if version.intertie_vault > WITH_EARLIER {
            return Err(VaultError::TooNew(path.to_owned()));
        }
        let payload: Payload = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        let word = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        let fits = !payload.vault.is_empty() && payload.vault.len() <= 64 && payload.vault.bytes().all(word);
        if payload.intertie_vault == 0 || !fits || payload.earlier.len() > MOST_EARLIER {
            return Err(damaged());
        }
        let key = decoded(&payload.key).ok_or_else(damaged)?;
        let earlier: Option<Vec<Bytes>> = payload.earlier.iter().map(|key| decoded(key)).collect();
        Ok(Self { key, earlier: earlier.ok_or_else(damaged)?, vault: payload.vault.clone() })
    }
}

fn fresh() -> Bytes {
    let mut key = Zeroizing::new([0; 32]);
    OsRng.fill_bytes(key.as_mut());
    key
}

fn cipher(key: &Bytes) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(Key::from_slice(key.as_ref()))
}

fn decoded(text: &str) -> Option<Bytes> {
    let decoded = Zeroizing::new(STANDARD.decode(text).ok()?);
    let mut key = Zeroizing::new([0; 32]);
    if decoded.len() != key.len() {
        return None;
    }
    key.copy_from_slice(&decoded);
    Some(key)
}
