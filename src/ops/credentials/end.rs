//! The end of a credential: who uses it, its tokens revoked at the vendor, its secrets forgotten.

use super::get;
use crate::auth::keeper::Lock;
use crate::auth::{
    self, consent,
    home::{Home, TOKENS_IN},
    registration, subject,
};
use crate::model::{Credential, Integration, Problem, ProblemKind};
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

/// What became of a credential that was deleted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Retired {
    /// Its tokens were revoked at the vendor.
    pub revoked: bool,
    /// The client that was registered for it is gone at the vendor.
    pub withdrawn: bool,
    /// What is left somewhere else, and what to do about it.
    pub left: Vec<Problem>,
}

/// Deletes a credential; `at_vendor`: after its tokens were revoked there, and the client taken back that was registered from here (RFC 7592).
/// Tokens that could not be revoked are an error, and nothing is deleted: they would be out of reach. A client that stays is told in `left`.
pub async fn retire(ws: &Workspace, name: &str, at_vendor: bool) -> Result<Retired> {
    let credential = get(ws, name)?;
    unused(ws, &credential.id)?;
    let mut done = Retired::default();
    if at_vendor {
        match revocable(ws, &credential.id)? {
            false => {}
            true => match revoke(ws, &credential.id).await {
                Ok(revoked) => done.revoked = revoked,
                // Revoked, and not taken out of the store where the tokens were shared.
                Err(problem) if problem.kind == ProblemKind::Partial => {
                    done.revoked = true;
                    done.left.push(problem);
                }
                Err(problem) => return Err(problem),
            },
        }
        match withdraw(ws, &credential).await {
            Ok(withdrawn) => done.withdrawn = withdrawn,
            Err(problem) => done.left.push(problem),
        }
    }
    let (here, id) = (ws.clone(), credential.id);
    let deleted = tokio::task::spawn_blocking(move || delete(&here, &id)).await;
    match deleted.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic())) {
        // It is gone here. The store that could not be written a moment ago is told once.
        Err(problem) if problem.kind == ProblemKind::Partial => {
            if done.left.iter().all(|told| told.what != problem.what) {
                done.left.push(problem);
            }
        }
        other => other?,
    }
    Ok(done)
}

/// Takes back the client that was registered for this credential, unless others use it as well.
async fn withdraw(ws: &Workspace, credential: &Credential) -> Result<bool> {
    if !registration::made(ws.vault(), &credential.id)? {
        return Ok(false);
    }
    let vendor = ws.catalog().get(&credential.connector).map_or_else(|_| credential.connector.clone(), |connector| connector.name.clone());
    let vendor = clean::line(&vendor, 80);
    let client = credential.settings.get(registration::CLIENT_ID).map(|id| id.trim()).unwrap_or_default();
    let mut others = ws.store()?.credentials()?;
    others.retain(|other| {
        let same = other.settings.get(registration::CLIENT_ID).is_some_and(|id| id.trim() == client);
        same && other.id != credential.id && other.connector == credential.connector
    });
    let client = clean::line(client, 120);
    if let Some(other) = others.first() {
        return Err(problem!(Partial, "credential.client_shared", vendor = vendor, client = client, name = clean::line(&other.name, 80)));
    }
    registration::withdraw(ws.vault(), &credential.id, &vendor)
        .await
        .map_err(|problem| problem!(Partial, "credential.client_stays", vendor = vendor, client = client, why = problem.why))
}

/// Whether the vendor holds something that `retire` would end: tokens, or a client that was registered from here. Opens no secret.
pub fn held_at_vendor(ws: &Workspace, name: &str) -> Result<bool> {
    Ok(revocable(ws, name)? || registration::made(ws.vault(), &get(ws, name)?.id)?)
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
