//! Who can open the vault: `recipients.json`.
//!
//! age does not say for whom a file is wrapped, so the list is kept beside the wraps; it is sealed with the data key, so that nobody who can
//! only write into the directory becomes a recipient at the next change. While something changes the list names at least everybody who can
//! open the vault: a recipient is listed before anything is wrapped for it, and taken off the list last.

use std::path::Path;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chacha20poly1305::XNonce;
use chacha20poly1305::aead::{Aead as _, AeadCore as _, OsRng, Payload};
use serde::{Deserialize, Serialize};

use super::key::DataKey;
use super::wrap::Public;
use super::{Result, VaultError};

const VERSION: u32 = 1;
/// The longest name, in characters.
const LONGEST_NAME: usize = 80;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Passphrase,
    KeyFile,
    /// An X25519 key of age's.
    Age,
    /// An ed25519 key of OpenSSH's.
    Ssh,
    SystemdCreds,
}

impl Kind {
    /// As scripts see it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::KeyFile => "key_file",
            Self::Age => "age",
            Self::Ssh => "ssh",
            Self::SystemdCreds => "systemd_creds",
        }
    }

    /// Whether `data-key.age` is wrapped for it.
    #[must_use]
    pub fn is_public(self) -> bool {
        matches!(self, Self::KeyFile | Self::Age | Self::Ssh)
    }

    /// What it is called when nobody names it.
    fn default_name(self) -> &'static str {
        match self {
            Self::Passphrase => "passphrase",
            Self::KeyFile => "key-file",
            Self::Age => "age",
            Self::Ssh => "ssh",
            Self::SystemdCreds => "systemd-creds",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    pub kind: Kind,
    /// Unique in the vault.
    pub name: String,
    /// `age1…` or `ssh-ed25519 AAAA…`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public: Option<String>,
}

impl Recipient {
    pub fn own(kind: Kind, public: Option<String>) -> Self {
        Self { kind, name: kind.default_name().to_owned(), public }
    }
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    version: u32,
    /// The identifier of the vault.
    pub vault: String,
    pub recipients: Vec<Recipient>,
    /// Base64, 24 bytes.
    nonce: String,
    /// Base64: the tag over everything above.
    seal: String,
}

impl List {
    pub fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let damaged = || VaultError::Damaged(path.to_owned(), crate::t!("vault.bad_list"));
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        let version: Version = serde_json::from_slice(bytes).map_err(|_| damaged())?;
        if version.version > VERSION {
            return Err(VaultError::TooNew(path.to_owned()));
        }
        serde_json::from_slice(bytes).map_err(|_| damaged())
    }

    /// The bytes of a list, sealed with this key.
    pub fn sealed(key: &DataKey, recipients: &[Recipient]) -> Vec<u8> {
        use chacha20poly1305::XChaCha20Poly1305;
        let nonce = XChaCha20Poly1305::generate_nonce(&mut OsRng);
        let bound = bound(key.vault(), recipients);
        let seal = key.cipher().encrypt(&nonce, Payload { msg: b"", aad: &bound }).unwrap_or_default();
        let list = Self {
            version: VERSION,
            vault: key.vault().to_owned(),
            recipients: recipients.to_vec(),
            nonce: STANDARD.encode(nonce),
            seal: STANDARD.encode(seal),
        };
        // A struct of texts and a number always serializes.
        let mut bytes = serde_json::to_vec_pretty(&list).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// The key among those of `key` that sealed this list, with the others beside it. `None`: it was changed, or is another vault's.
    pub fn sealed_by(&self, key: &DataKey) -> Option<DataKey> {
        if self.vault != key.vault() {
            return None;
        }
        let nonce: [u8; 24] = STANDARD.decode(&self.nonce).ok()?.try_into().ok()?;
        let seal = STANDARD.decode(&self.seal).ok()?;
        let bound = bound(&self.vault, &self.recipients);
        key.turned().find(|key| key.cipher().decrypt(XNonce::from_slice(&nonce), Payload { msg: &seal, aad: &bound }).is_ok())
    }
}

/// Lengths keep neighbouring texts apart.
fn bound(vault: &str, recipients: &[Recipient]) -> Vec<u8> {
    let mut bound = b"intertie vault recipients".to_vec();
    bound.extend_from_slice(&VERSION.to_be_bytes());
    let mut add = |part: &str| {
        bound.extend_from_slice(&(part.len() as u64).to_be_bytes());
        bound.extend_from_slice(part.as_bytes());
    };
    add(vault);
    for one in recipients {
        add(one.kind.word());
        add(&one.name);
        add(one.public.as_deref().unwrap_or_default());
    }
    bound
}

/// The public keys of a list.
pub fn publics(recipients: &[Recipient], path: &Path) -> Result<Vec<Public>> {
    let of = |one: &Recipient| one.public.as_deref().and_then(Public::parse);
    let all: Option<Vec<Public>> = recipients.iter().filter(|one| one.kind.is_public()).map(of).collect();
    all.ok_or_else(|| VaultError::Damaged(path.to_owned(), crate::t!("vault.bad_list")))
}

/// A list with one more; refused when its name or key is there already, or when there can be only one of its kind.
pub fn with(recipients: &[Recipient], mut new: Recipient) -> Result<Vec<Recipient>> {
    new.name = new.name.trim().to_owned();
    if new.name.is_empty() || new.name.chars().count() > LONGEST_NAME || !crate::words::clean::is_clean(&new.name) {
        return Err(VaultError::BadName(LONGEST_NAME));
    }
    let alone = !matches!(new.kind, Kind::Age | Kind::Ssh);
    for one in recipients {
        let same_key = one.public.is_some() && one.public == new.public;
        if one.name.eq_ignore_ascii_case(&new.name) || same_key || (alone && one.kind == new.kind) {
            return Err(VaultError::Listed(one.name.clone()));
        }
    }
    let mut all = recipients.to_vec();
    all.push(new);
    Ok(all)
}

/// Everybody of both lists.
pub fn union(old: &[Recipient], new: &[Recipient]) -> Vec<Recipient> {
    let mut all = old.to_vec();
    all.extend(new.iter().filter(|one| !old.contains(one)).cloned());
    all
}
