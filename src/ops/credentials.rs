//! Credentials: drafted, consented, tested, saved, kept.
//!
//! A draft is saved as typed: settings in the store, secrets in the vault under the draft's id. `draft_finish` makes it a credential.

pub(in crate::ops) mod draft;
mod end;
mod expiry;
mod finish;
mod proof;
mod rotate;

use super::{Result, Workspace};
use crate::auth::{home, identity, subject};
use crate::catalog::addresses;
use crate::model::{AuthMethod, Connector, Credential, Problem};
use crate::words::clean;
use crate::{problem, t};

pub use super::consent::{
    Consent, ConsentView, DeviceView, RedirectUri, consent_begin, needs_consent, open_browser, redirect_mismatch, redirect_uri,
};
pub use draft::{asked, draft_check, draft_discard, draft_get, draft_new, draft_reference, draft_save, draft_secret, drafts};
pub use end::{Retired, delete, held_at_vendor, retire, revocable, revoke, settled, unused, used_by};
pub use expiry::{CalendarRow, Expiry, calendar, expiring, overview_horizon, set_secret_expiry, soon};
pub use finish::{Saved, draft_finish, renew, save};
pub use proof::{draft_test, test};
pub use rotate::{rotate, rotate_back};

/// The longest name, in characters.
const LONGEST_NAME: usize = 80;

/// The settings that every credential can have besides its inputs: addresses that replace the connector's own.
pub fn settings() -> Vec<&'static str> {
    addresses::SETTINGS.into_iter().chain([subject::ISSUER, subject::REDIRECT_URI, identity::CA_FILE, home::TOKENS_IN]).collect()
}

pub(super) fn method_of<'c>(connector: &'c Connector, method: &str) -> Result<&'c AuthMethod> {
    connector
        .auth
        .get(method)
        .ok_or_else(|| problem!(Usage, "auth.no_method", connector = clean::line(&connector.name, 80), method = clean::line(method, 80)))
}

pub fn list(ws: &Workspace) -> Result<Vec<Credential>> {
    let mut all = ws.store()?.credentials()?;
    expiry::look(ws, &mut all)?;
    Ok(all)
}

pub fn get(ws: &Workspace, name: &str) -> Result<Credential> {
    let mut credential = ws.store()?.credential(name)?.ok_or_else(|| not_found(name))?;
    expiry::look(ws, std::slice::from_mut(&mut credential))?;
    Ok(credential)
}

fn not_found(name: &str) -> Problem {
    problem!(Usage, "core.not_found", noun = t!("credential.noun.credential"), name = clean::line(name, 80))
}

pub fn rename(ws: &Workspace, name: &str, to: &str) -> Result<Credential> {
    let mut credential = ws.store()?.credential(name)?.ok_or_else(|| not_found(name))?;
    if let Some(problem) = name_problem(ws, to, Some(&credential.id))? {
        return Err(problem);
    }
    credential.name = to.trim().to_owned();
    if !ws.store()?.save_credential(&credential, None)? {
        return Err(taken(to));
    }
    Ok(credential)
}

/// Why a name cannot be given; `own` is the credential that may keep it.
fn name_problem(ws: &Workspace, name: &str, own: Option<&str>) -> Result<Option<Problem>> {
    let name = name.trim();
    if name.is_empty() {
        return Ok(Some(problem!(Usage, "credential.name_missing")));
    }
    if name.chars().count() > LONGEST_NAME || !clean::is_clean(name) {
        return Ok(Some(problem!(Usage, "credential.name_wrong", max = LONGEST_NAME)));
    }
    Ok(match ws.store()?.credential(name)? {
        Some(other) if Some(other.id.as_str()) != own => Some(taken(name)),
        _ => None,
    })
}

fn taken(name: &str) -> Problem {
    problem!(Usage, "credential.name_taken", name = clean::line(name, 80))
}
