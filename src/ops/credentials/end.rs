//! The end of a credential: who uses it, its tokens revoked at the vendor, its secrets forgotten.

use super::get;
use crate::auth::keeper::Lock;
use crate::auth::{
    self, consent,
    home::{Home, TOKENS_IN},
    subject,
};
use crate::model::Integration;
use crate::ops::{Result, Workspace};
use crate::problem;
use crate::words::clean;

pub fn used_by(ws: &Workspace, name: &str) -> Result<Vec<Integration>> {
    let credential = get(ws, name)?;
    Ok(ws.store()?.integrations_using(&credential.id)?)
}

/// Refused while an integration uses it.
pub fn unused(ws: &Workspace, name: &str) -> Result<()> {
    let credential = get(ws, name)?;
    let users = ws.store()?.integrations_using(&credential.id)?;
    if users.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = users.iter().map(|integration| integration.name.as_str()).collect();
    let names = clean::line(&names.join(", "), 200);
    Err(problem!(Failed, "credential.used", name = clean::line(&credential.name, 80), n = users.len(), names = names))
}

/// Deletes it and its secrets, tokens in a store that it shares among them; refused while an integration uses it. Where the store keeps what it
/// has, the credential is gone all the same, and the Problem says what is left.
pub fn delete(ws: &Workspace, name: &str) -> Result<()> {
    let credential = get(ws, name)?;
    unused(ws, &credential.id)?;
    if !ws.store()?.delete_credential(&credential.id)? {
        return unused(ws, &credential.id);
    }
    Lock::remove(ws.store()?, &credential.id);
    // A place that cannot be understood was never used.
    let home = Home::new(ws.store()?, ws.vault(), &credential).ok();
    let removed = home.as_ref().map_or(Ok(()), |home| home.remove_now().map_err(|problem| home.left(&problem)));
    ws.vault().forget(&credential.id)?;
    removed
}

/// Whether there are tokens here that the vendor could be asked to revoke. Opens no secret and asks nobody.
pub fn revocable(ws: &Workspace, name: &str) -> Result<bool> {
    let credential = get(ws, name)?;
    let Ok(connector) = ws.catalog().get(&credential.connector) else { return Ok(false) };
    let Some(method) = connector.auth.get(&credential.method).filter(|method| method.has_token() && !method.delegates()) else { return Ok(false) };
    let set = |key: &str| credential.settings.get(key).is_some_and(|value| !value.trim().is_empty());
    let moved = set("token_url") || set("authorize_url");
    let told = !method.revoke_url.is_empty() || !method.metadata_url.is_empty() || method.issuer.is_some();
    let address = set("revoke_url") || set(subject::ISSUER) || (told && !moved);
    let shared = credential.settings.get(TOKENS_IN).is_some_and(|place| !place.trim().is_empty());
    Ok(address && (shared || ws.vault().fields(&credential.id)?.iter().any(|field| consent::is_token(field))))
}

/// Revokes its tokens at the vendor (RFC 7009) where the connector has the address. `Ok(false)`: nothing to revoke there.
pub async fn revoke(ws: &Workspace, name: &str) -> Result<bool> {
    let credential = get(ws, name)?;
    auth::revoke(ws.store()?, ws.vault(), ws.catalog(), &credential).await
}

/// Waits until no refresh is under way in this process. To be called before a process ends that has stopped waiting for something: a
/// refresh that is cut off may cost the consent.
pub async fn settled() {
    auth::keeper::settled().await;
}
