//! The end of a credential: who uses it, its tokens revoked at the vendor, its secrets forgotten.

use super::get;
use crate::auth;
use crate::auth::keeper::Lock;
use crate::model::Integration;
use crate::ops::{Result, Workspace};
use crate::problem;
use crate::words::clean;

pub fn used_by(ws: &Workspace, name: &str) -> Result<Vec<Integration>> {
    let credential = get(ws, name)?;
    Ok(ws.store()?.integrations_using(&credential.id)?)
}

/// Deletes it and its secrets; refused while an integration uses it.
pub fn delete(ws: &Workspace, name: &str) -> Result<()> {
    let credential = get(ws, name)?;
    let refuse = |users: &[Integration]| {
        let names: Vec<&str> = users.iter().map(|integration| integration.name.as_str()).collect();
        Err(problem!(
            Failed,
            "credential.used",
            name = clean::line(&credential.name, 80),
            n = users.len(),
            names = clean::line(&names.join(", "), 200)
        ))
    };
    let users = ws.store()?.integrations_using(&credential.id)?;
    if !users.is_empty() {
        return refuse(&users);
    }
    if !ws.store()?.delete_credential(&credential.id)? {
        return refuse(&ws.store()?.integrations_using(&credential.id)?);
    }
    Lock::remove(ws.store()?, &credential.id);
    ws.vault().forget(&credential.id)
}

/// Revokes its tokens at the vendor (RFC 7009) where the connector has the address. `Ok(false)`: nothing to revoke there.
pub async fn revoke(ws: &Workspace, name: &str) -> Result<bool> {
    let credential = get(ws, name)?;
    auth::revoke(ws.store()?, ws.vault(), ws.catalog(), &credential).await
}
