//! The unlocked data key in the kernel keyring: it outlives this process, not the login session, and ends by itself.
//!
//! It lies in the session keyring (keyrings(7)), or the user-session keyring where a session has none of its own; only who possesses it may
//! touch it. It holds its end as well, because between adding a key and giving it a time limit a process can die.

use zeroize::Zeroizing;

use crate::model::Time;

/// What is kept: until when, and the payload of the data key.
pub struct Kept {
    pub until: Time,
    pub payload: Zeroizing<Vec<u8>>,
}

fn name(vault: &str) -> String {
    format!("intertie:vault:{vault}")
}

fn packed(kept: &Kept) -> Zeroizing<Vec<u8>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(8 + kept.payload.len()));
    bytes.extend_from_slice(&kept.until.as_second().to_be_bytes());
    bytes.extend_from_slice(&kept.payload);
    bytes
}

fn unpacked(bytes: &[u8], now: Time) -> Option<Kept> {
    let (until, payload) = bytes.split_first_chunk::<8>()?;
    let until = Time::from_second(i64::from_be_bytes(*until)).ok().filter(|until| *until > now)?;
    Some(Kept { until, payload: Zeroizing::new(payload.to_vec()) })
}

#[cfg(target_os = "linux")]
mod kernel {
    use linux_keyutils::{Key, KeyError, KeyPermissionsBuilder, KeyRing, KeyRingIdentifier, Permission};
    use zeroize::Zeroizing;

    /// Not created when it is missing: one of this process's own would end with it. The kernel then takes the user-session keyring.
    fn ring() -> Result<KeyRing, KeyError> {
        KeyRing::from_special_id(KeyRingIdentifier::Session, false).or_else(|_| KeyRing::from_special_id(KeyRingIdentifier::UserSession, false))
    }

    pub fn put(name: &str, bytes: &[u8], seconds: u64) -> Result<(), String> {
        let said = |error: KeyError| error.to_string();
        let key = ring().and_then(|ring| ring.add_key(name, bytes)).map_err(said)?;
        let possessor = Permission::VIEW | Permission::READ | Permission::WRITE | Permission::SEARCH | Permission::SETATTR;
        let limited = key
            .set_timeout(usize::try_from(seconds).unwrap_or(usize::MAX))
            .and_then(|()| key.set_perms(KeyPermissionsBuilder::builder().posessor(possessor).build()));
        if let Err(error) = limited {
            let _ = take_away(key);
            return Err(said(error));
        }
        // A keyring that takes what it does not give back is none (some sandboxes).
        match get(name) {
            Some(back) if **back == *bytes => Ok(()),
            _ => {
                let _ = take_away(key);
                Err(crate::t!("vault.keyring_refused.not_kept").to_owned())
            }
        }
    }

    pub fn get(name: &str) -> Option<Zeroizing<Vec<u8>>> {
        let key = ring().ok()?.search(name).ok()?;
        let mut bytes = Zeroizing::new(vec![0; 4096]);
        let length = key.read(&mut *bytes).ok().filter(|length| *length <= bytes.len())?;
        bytes.truncate(length);
        Some(bytes)
    }

    /// Whether there was one.
    pub fn remove(name: &str) -> Result<bool, String> {
        match ring().and_then(|ring| ring.search(name)) {
            Ok(key) => take_away(key).map(|()| true).map_err(|error| error.to_string()),
            Err(_) => Ok(false),
        }
    }

    fn take_away(key: Key) -> Result<(), KeyError> {
        // Out of every keyring and wiped; a kernel that cannot at least puts it out of reach.
        key.invalidate().or_else(|_| key.revoke())
    }
}

#[cfg(not(target_os = "linux"))]
mod kernel {
    pub fn put(_: &str, _: &[u8], _: u64) -> Result<(), String> {
        Err(crate::t!("vault.keyring_refused.none").to_owned())
    }

    pub fn get(_: &str) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        None
    }

    pub fn remove(_: &str) -> Result<bool, String> {
        Ok(false)
    }
}

/// Keeps it for so many seconds, in place of what was kept; the error is the kernel's.
pub fn put(vault: &str, kept: &Kept, seconds: u64) -> Result<(), String> {
    // A key under the same name would be updated and keep its permissions and end for a moment: away with it first.
    kernel::remove(&name(vault))?;
    kernel::put(&name(vault), &packed(kept), seconds)
}

pub fn get(vault: &str, now: Time) -> Option<Kept> {
    unpacked(&kernel::get(&name(vault))?, now)
}

/// Whether there was one.
pub fn remove(vault: &str) -> Result<bool, String> {
    kernel::remove(&name(vault))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_past_is_not_there() {
        let now = Time::from_second(1_000_000).unwrap();
        let kept = Kept { until: Time::from_second(1_000_010).unwrap(), payload: Zeroizing::new(b"x".to_vec()) };
        let bytes = packed(&kept);
        assert_eq!(*unpacked(&bytes, now).unwrap().payload, b"x");
        assert!(unpacked(&bytes, kept.until).is_none());
        for short in 0..8 {
            assert!(unpacked(&bytes[..short], now).is_none());
        }
        assert!(unpacked(&[0xff; 20], now).is_none());
    }
}
