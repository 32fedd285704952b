//! What ends when: tokens, secrets, certificates.

use std::time::Duration;

use jiff::SignedDuration;

use super::{get, not_found};
use crate::model::{Credential, CredentialStatus, Time};
use crate::ops::{Result, Workspace};

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Expiry {
    pub credential: String,
    pub name: String,
    /// `access_token`, `refresh_token` or `secret`.
    pub what: String,
    pub at: Time,
}

/// What ends within so many seconds, or has ended, soonest first. An access token that refreshes by itself is not counted.
pub fn expiring(ws: &Workspace, within: Duration) -> Result<Vec<Expiry>> {
    let horizon = SignedDuration::try_from(within).ok().and_then(|within| Time::now().checked_add(within).ok()).unwrap_or(Time::MAX);
    let mut all = Vec::new();
    for credential in ws.store()?.credentials()? {
        let access = credential.access_expires.filter(|_| !credential.refreshes);
        for (what, at) in [("access_token", access), ("refresh_token", credential.refresh_expires), ("secret", credential.secret_expires)] {
            if let Some(at) = at.filter(|at| *at <= horizon) {
                all.push(Expiry { credential: credential.id.clone(), name: credential.name.clone(), what: what.to_owned(), at });
            }
        }
    }
    all.sort_by_key(|expiry| expiry.at);
    Ok(all)
}

/// The expiry calendar: everything whose end is known, soonest first, ends that intertie replaces by itself included.
pub fn calendar(ws: &Workspace) -> Result<Vec<CalendarRow>> {
    let _ = ws;
    todo!()
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct CalendarRow {
    pub credential: String,
    pub name: String,
    pub connector: String,
    /// `access_token`, `refresh_token`, `secret`, `certificate` or `key`.
    pub what: String,
    pub at: Time,
    /// `vendor` (the vendor said so), `typed`, `token` (read in it) or `lifetime` (the definition's).
    pub known_from: String,
    /// Nobody has to act: it is replaced before its end.
    pub automatic: bool,
    /// Integrations that stop with it, by name.
    pub used_by: Vec<String>,
}

/// Sets the day on which the client secret or key ends, as typed by hand.
pub fn set_secret_expiry(ws: &Workspace, name: &str, at: Option<Time>) -> Result<Credential> {
    let credential = get(ws, name)?;
    let changed = ws.store()?.change_credential(&credential.id, |credential| credential.secret_expires = at)?;
    changed.ok_or_else(|| not_found(name))
}

/// What worked has ended when its end is past and nothing replaces it by itself.
pub(super) fn status_now(credential: &Credential, now: Time) -> CredentialStatus {
    let past = |at: Option<Time>| at.is_some_and(|at| at <= now);
    let ended = past(credential.secret_expires)
        || (credential.refreshes && past(credential.refresh_expires))
        || (!credential.refreshes && past(credential.access_expires));
    match credential.status {
        CredentialStatus::Valid | CredentialStatus::Untested | CredentialStatus::Unknown if ended => CredentialStatus::Expired,
        status => status,
    }
}
