//! How age wraps the data key, and what unwraps it. age keeps a passphrase apart from all other recipients, so there are several files.

use std::path::Path;

use age::secrecy::{ExposeSecret as _, SecretString};
use zeroize::Zeroizing;

use super::key::DataKey;
use super::{Result, VaultError, disk};
use crate::model::Secret;

/// What age itself uses: 2^18 rounds of scrypt, about a second.
pub const WORK_FACTOR: u8 = 18;
/// What a wrapped key may cost to open; age's own program stops there, too.
const MAX_WORK_FACTOR: u8 = 22;

/// Whether a file of age's is protected by a passphrase.
pub fn is_passphrase(wrapped: &[u8], path: &Path) -> Result<bool> {
    let decryptor = age::Decryptor::new(wrapped).map_err(|_| not_age(path))?;
    Ok(decryptor.is_scrypt())
}

pub fn with_passphrase(payload: &[u8], passphrase: &Secret, work_factor: u8, path: &Path) -> Result<Vec<u8>> {
    if passphrase.is_empty() {
        return Err(VaultError::EmptyPassphrase);
    }
    let mut recipient = age::scrypt::Recipient::new(secret(passphrase));
    recipient.set_work_factor(work_factor);
    age::encrypt(&recipient, payload).map_err(|error| unwrapped(path, error))
}

pub fn open_with_passphrase(wrapped: &[u8], passphrase: &Secret, path: &Path) -> Result<DataKey> {
    DataKey::from_payload(&passphrase_opens(wrapped, passphrase, path)?, path)
}

fn passphrase_opens(wrapped: &[u8], passphrase: &Secret, path: &Path) -> Result<Zeroizing<Vec<u8>>> {
    let mut identity = age::scrypt::Identity::new(secret(passphrase));
    identity.set_max_work_factor(MAX_WORK_FACTOR);
    match age::decrypt(&identity, wrapped) {
        Ok(payload) => Ok(Zeroizing::new(payload)),
        Err(age::DecryptError::NoMatchingKeys | age::DecryptError::DecryptionFailed | age::DecryptError::KeyDecryptionFailed) => {
            Err(VaultError::WrongPassphrase)
        }
        Err(_) => Err(not_age(path)),
    }
}

fn secret(passphrase: &Secret) -> SecretString {
    SecretString::from(passphrase.expose().to_owned())
}

/// A public key that the data key can be wrapped for.
pub enum Public {
    Age(age::x25519::Recipient),
    Ssh(age::ssh::Recipient),
}

impl Public {
    /// `age1…` or `ssh-ed25519 AAAA… comment`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.starts_with("age1") {
            return text.parse().ok().map(Self::Age);
        }
        if !text.starts_with("ssh-ed25519 ") {
            return None;
        }
        match text.parse() {
            Ok(recipient @ age::ssh::Recipient::SshEd25519(..)) => Some(Self::Ssh(recipient)),
            _ => None,
        }
    }

    pub fn is_ssh(&self) -> bool {
        matches!(self, Self::Ssh(_))
    }

    /// As it is kept and compared: without a comment.
    pub fn text(&self) -> String {
        match self {
            Self::Age(recipient) => recipient.to_string(),
            Self::Ssh(recipient) => recipient.to_string(),
        }
    }
}

/// Wraps for all of these at once.
pub fn for_public(payload: &[u8], keys: &[Public], path: &Path) -> Result<Vec<u8>> {
    let recipients = keys.iter().map(|key| match key {
        Public::Age(recipient) => recipient as &dyn age::Recipient,
        Public::Ssh(recipient) => recipient,
    });
    let encryptor = age::Encryptor::with_recipients(recipients).map_err(|error| unwrapped(path, error))?;
    let mut wrapped = Vec::new();
    let written = encryptor.wrap_output(&mut wrapped).and_then(|mut writer| {
        std::io::Write::write_all(&mut writer, payload)?;
        writer.finish()
    });
    written.map_err(|error| VaultError::Io(path.to_owned(), error))?;
    Ok(wrapped)
}

/// For how many public keys a file of age's is wrapped: their stanzas are lines of its header that begin with an arrow.
pub fn recipients_in(wrapped: &[u8]) -> usize {
    let lines = wrapped.split(|byte| *byte == b'\n').take_while(|line| !line.starts_with(b"---"));
    lines.filter(|line| line.starts_with(b"-> X25519 ") || line.starts_with(b"-> ssh-")).count()
}

/// The private keys of one file.
pub enum Identities {
    Age(Vec<age::x25519::Identity>),
    Ssh(age::ssh::Identity),
    /// A passphrase protects the file: an ssh key, or a file of age's that holds identities.
    SshLocked(Box<age::ssh::EncryptedKey>, Option<String>),
    AgeLocked(Vec<u8>),
}

impl Identities {
    /// A file of `age-keygen` (lines, `#` begins a comment), the same encrypted by `age -p`, or an OpenSSH private key.
    pub fn read(path: &Path) -> Result<Self> {
        let bytes = Zeroizing::new(disk::read(path)?.ok_or_else(|| VaultError::NoKeyFile(path.to_owned()))?);
        Self::parse(&bytes, path)
    }

    fn parse(bytes: &[u8], path: &Path) -> Result<Self> {
        let none = || VaultError::Damaged(path.to_owned(), crate::t!("vault.no_identity"));
        if bytes.starts_with(b"age-encryption.org/") {
            return Ok(Self::AgeLocked(bytes.to_vec()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| none())?;
        if text.trim_start().starts_with("-----BEGIN") {
            // The parser waits for the line break after the last line.
            let whole = Zeroizing::new(format!("{}\n", text.trim()));
            let identity = age::ssh::Identity::from_buffer(whole.as_bytes(), None).map_err(|_| none())?;
            let public = age::ssh::Recipient::try_from(identity.clone()).ok().map(|recipient| recipient.to_string());
            return match identity {
                age::ssh::Identity::Encrypted(key) => Ok(Self::SshLocked(Box::new(key), public)),
                age::ssh::Identity::Unsupported(_) => Err(none()),
                identity => Ok(Self::Ssh(identity)),
            };
        }
        let found: Vec<age::x25519::Identity> = text.lines().filter_map(|line| line.trim().parse().ok()).collect();
        if found.is_empty() { Err(none()) } else { Ok(Self::Age(found)) }
    }

    pub fn is_locked(&self) -> bool {
        matches!(self, Self::SshLocked(..) | Self::AgeLocked(_))
    }

    /// With the passphrase of the file.
    pub fn unlocked(self, passphrase: &Secret, path: &Path) -> Result<Self> {
        if passphrase.is_empty() {
            return Err(VaultError::WrongPassphrase);
        }
        match self {
            Self::SshLocked(key, _) => match key.decrypt(secret(passphrase)) {
                Ok(key) => Ok(Self::Ssh(key.into())),
                Err(_) => Err(VaultError::WrongPassphrase),
            },
            Self::AgeLocked(bytes) => Self::parse(&passphrase_opens(&bytes, passphrase, path)?, path),
            open => Ok(open),
        }
    }

    /// The public keys that belong to them, where they can be told.
    pub fn publics(&self) -> Vec<String> {
        match self {
            Self::Age(all) => all.iter().map(|one| one.to_public().to_string()).collect(),
            Self::Ssh(one) => age::ssh::Recipient::try_from(one.clone()).ok().map(|public| public.to_string()).into_iter().collect(),
            Self::SshLocked(_, public) => public.clone().into_iter().collect(),
            Self::AgeLocked(_) => Vec::new(),
        }
    }

    /// `own` is the file they came from, `path` the wrapped key.
    pub fn open(&self, wrapped: &[u8], own: &Path, path: &Path) -> Result<DataKey> {
        let identities: Vec<&dyn age::Identity> = match self {
            Self::Age(all) => all.iter().map(|one| one as _).collect(),
            Self::Ssh(one) => vec![one],
            Self::SshLocked(..) | Self::AgeLocked(_) => return Err(VaultError::IdentityLocked(own.to_owned())),
        };
        let decryptor = age::Decryptor::new_buffered(wrapped).map_err(|_| not_age(path))?;
        let mut payload = Zeroizing::new(Vec::new());
        match decryptor.decrypt(identities.into_iter()) {
            Ok(mut reader) => std::io::Read::read_to_end(&mut reader, &mut payload).map_err(|_| not_age(path))?,
            Err(age::DecryptError::NoMatchingKeys) => return Err(VaultError::WrongKey(own.to_owned())),
            Err(_) => return Err(not_age(path)),
        };
        DataKey::from_payload(&payload, path)
    }
}

/// A fresh identity, in the form of `age-keygen`.
pub struct KeyFile(age::x25519::Identity);

impl KeyFile {
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }

    pub fn public(&self) -> Public {
        Public::Age(self.0.to_public())
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

fn not_age(path: &Path) -> VaultError {
    VaultError::Damaged(path.to_owned(), crate::t!("vault.not_age"))
}

fn unwrapped(path: &Path, error: age::EncryptError) -> VaultError {
    match error {
        age::EncryptError::Io(error) => VaultError::Io(path.to_owned(), error),
        other => VaultError::Io(path.to_owned(), std::io::Error::other(other.to_string())),
    }
}
