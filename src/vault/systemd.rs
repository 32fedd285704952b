//! The host's own key, or its TPM, through the program `systemd-creds` (systemd 250 or newer).

use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::key::DataKey;
use super::program::{self, Failure};
use super::{Result, VaultError};

pub const PROGRAM: &str = "systemd-creds";
const LIMIT: Duration = Duration::from_secs(10);

/// The name that the credential is bound to; systemd refuses it under another.
fn name(vault: &str) -> String {
    format!("intertie-vault-{vault}")
}

fn run(program: &Path, verb: &str, vault: &str, input: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
    let name = format!("--name={}", name(vault));
    let mut args = vec![verb, name.as_str()];
    // Who is not root has credentials of their own (systemd 256 or newer).
    if !rustix::process::geteuid().is_root() {
        args.push("--user");
    }
    args.extend(["-", "-"]);
    program::run(program, &args, input, LIMIT).map_err(|failure| match failure {
        Failure::Missing => VaultError::NoSystemd,
        Failure::TooLong(limit) => VaultError::Systemd(crate::t!("vault.program.time", n = limit.as_secs())),
        Failure::Broken(why) | Failure::Refused(why) => VaultError::Systemd(why),
    })
}

pub fn wrap(program: &Path, key: &DataKey) -> Result<Vec<u8>> {
    let sealed = run(program, "encrypt", key.vault(), &key.payload())?.to_vec();
    // What does not come back would lock everybody out.
    let back = run(program, "decrypt", key.vault(), &sealed)?;
    if *back != *key.payload() {
        return Err(VaultError::Systemd(crate::t!("vault.program.differs").to_owned()));
    }
    Ok(sealed)
}

/// `vault`: the identifier, which the credential is bound to.
pub fn open(program: &Path, wrapped: &[u8], vault: &str, path: &Path) -> Result<DataKey> {
    DataKey::from_payload(&run(program, "decrypt", vault, wrapped)?, path)
}

/// What systemd gave to a unit that has `LoadCredentialEncrypted=intertie-vault-…:…/data-key.systemd`.
pub fn given(vault: &str) -> Option<DataKey> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join(name(vault));
    let bytes = Zeroizing::new(super::disk::read(&path).ok()??);
    DataKey::from_payload(&bytes, &path).ok()
}
