//! Consent on another machine: what goes there, and what comes back.

use super::pending::Pending;
use crate::model::{Problem, Secret};

/// A new one-time key, its secret half, as text to keep with the open flow. `None`: this flow offers no hand-off.
#[must_use]
pub fn key() -> Option<String> {
    None
}

/// The request for `intertie authorize REQUEST`: the address to open, where the answer will arrive, until when, and the public half of the
/// one-time key. Holds no secret. `None` when the flow has no key.
#[must_use]
pub fn request(pending: &Pending, vendor: &str, authorize_url: &str) -> Option<String> {
    let _ = (pending, vendor, authorize_url);
    None
}

/// A pasted text that is a sealed answer, opened with the flow's key: what was pasted or heard over there. `None`: it is something else.
pub fn open(key: Option<&str>, pasted: &str) -> Option<Result<Secret, Problem>> {
    let _ = (key, pasted);
    None
}
