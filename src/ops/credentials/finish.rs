//! From a draft to a credential, and back to a draft to renew it.

use super::draft::{as_credential, draft_check, kept};
use super::{get, name_problem, taken};
use crate::auth::keeper::Lock;
use crate::auth::{Fate, Replaced, consent, home, registration};
use crate::catalog::addresses;
use crate::catalog::template::Context;
use crate::model::{Connector, Credential, CredentialDraft, CredentialStatus, Problem, Severity};
use crate::ops::consent::needs_consent;
use crate::ops::{Result, Workspace};
use crate::store::credentials::{KeptDraft, Standing};
use crate::store::id;
use crate::t;
use crate::words::clean;

/// Makes the draft a credential (or replaces the one that it renews). Refused while `draft_check` finds errors; an untested or failing
/// draft may be saved and says so in its status.
pub fn draft_finish(ws: &Workspace, draft: &str) -> Result<Credential> {
    finished(ws, draft).map(|(credential, _)| credential)
}

/// A credential out of a draft, and what is to be told beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Saved {
    pub credential: Credential,
    /// What became of the tokens that it had before.
    pub remark: Option<String>,
}

/// What a credential had before its new tokens took their place.
enum Before {
    /// Nothing that could be revoked.
    Nothing,
    Replaced(Box<Replaced>),
    /// It could not be read, or others still use it.
    Left {
        vendor: String,
        problem: Problem,
    },
}

/// The same as `draft_finish`; where a new consent replaced a refresh token, the vendor is asked to revoke the old one. Whatever comes of that,
/// the credential is saved before, and this ends soon.
pub async fn save(ws: &Workspace, draft: &str) -> Result<Saved> {
    // It waits for locks, the disk, and a store that others run.
    let (here, id) = (ws.clone(), draft.to_owned());
    let (credential, before) =
        tokio::task::spawn_blocking(move || finished(&here, &id)).await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()))?;
    let stays = |vendor: String, why: String| Some(t!("credential.replaced.stays", vendor = vendor, why = why));
    let remark = match before {
        Before::Nothing => None,
        Before::Left { vendor, problem } => stays(vendor, problem.why),
        Before::Replaced(replaced) => match (replaced.revoke().await, replaced.vendor()) {
            (Ok(Fate::Revoked), vendor) => Some(t!("credential.replaced.revoked", vendor = vendor)),
            (Ok(Fate::NoAddress), _) => None,
            (Ok(Fate::Spared), vendor) => stays(vendor, t!("credential.replaced.spared").to_owned()),
            (Err(problem), vendor) => stays(vendor, problem.why),
        },
    };
    Ok(Saved { credential, remark })
}

fn finished(ws: &Workspace, draft: &str) -> Result<(Credential, Before)> {
    let kept = kept(ws, draft)?;
    if let Some(finding) = draft_check(ws, &kept.draft)?.into_iter().find(|finding| finding.severity == Severity::Error) {
        return Err(finding.problem);
    }
    let connector = ws.catalog().get(&kept.draft.connector)?;
    let inputs = connector.inputs_for(&kept.draft.method);
    let replaced = match kept.draft.replaces.as_deref() {
        Some(id) => ws.store()?.credential(id)?,
        None => None,
    };
    let owner = replaced.as_ref().map_or_else(|| id::fresh("cred"), |old| old.id.clone());
    let mut credential = as_credential(ws, &kept, &owner);
    // Secrets of a method that was tried and left are not taken along.
    let made = registration::made(ws.vault(), draft)?;
    credential.secrets.retain(|key| inputs.iter().any(|one| one.secret && one.key == *key) || (made && key == registration::CLIENT_SECRET));
    credential.references.retain(|key, _| inputs.iter().any(|one| one.secret && one.key == *key));
    if let Some(old) = &replaced {
        credential.created = old.created;
    }
    if needs_consent(ws, &kept.draft)? {
        credential.status = CredentialStatus::NeedsConsent;
    }
    if name_problem(ws, &credential.name, Some(&owner))?.is_some() {
        return Err(taken(&credential.name));
    }
    credential.scopes = asked_scopes(&connector, &credential);
    let vault = ws.vault();
    // A refresh of the old tokens must not end after the new ones are in place.
    let _lock = match &replaced {
        Some(_) => Some(Lock::take_now(ws.store()?, &owner, &clean::line(&connector.name, 80))?),
        None => None,
    };
    // What cannot be read cannot be revoked, and keeps nobody from renewing.
    let vendor = clean::line(&connector.name, 80);
    let mut before = match replaced.as_ref().map(|old| Replaced::of(ws.store()?, vault, ws.catalog(), old, draft)) {
        None | Some(Ok(None)) => Before::Nothing,
        Some(Ok(Some(replaced))) => Before::Replaced(Box::new(replaced)),
        Some(Err(problem)) => Before::Left { vendor: vendor.clone(), problem },
    };
    // The secrets first: a credential without them would be worse than secrets without a credential.
    if !vault.fields(draft)?.is_empty() {
        vault.copy(draft, &owner)?;
    }
    if !ws.store()?.save_credential(&credential, Some(draft))? {
        if replaced.is_none() {
            vault.forget(&owner)?;
        }
        return Err(taken(&credential.name));
    }
    let wanted = |field: &String| credential.secrets.contains(field) || consent::is_token(field) || field == registration::FIELD;
    let own = vault.fields(draft)?;
    for field in vault.fields(&owner)? {
        if !wanted(&field) || !own.contains(&field) {
            vault.remove(&owner, &field)?;
        }
    }
    vault.forget(draft)?;
    Lock::remove(ws.store()?, draft);
    // What cannot be put there now waits, and is told.
    if credential.settings.contains_key(home::TOKENS_IN) {
        let delivered = home::Home::new(ws.store()?, vault, &credential)?.deliver_now();
        credential = get(ws, &credential.id)?;
        // Other hosts go on with the old token until the new ones are where they look for them.
        if let Some(problem) = delivered.err().or_else(|| credential.known.tokens_waiting.clone())
            && matches!(before, Before::Replaced(_))
        {
            before = Before::Left { vendor, problem };
        }
    }
    Ok((credential, before))
}

/// The scopes with their templates filled in: what people see is what is asked for.
fn asked_scopes(connector: &Connector, credential: &Credential) -> Vec<String> {
    let Some(method) = connector.auth.get(&credential.method) else { return credential.scopes.clone() };
    let context = Context::new(connector, &credential.method, &credential.settings, &credential.found);
    // One that needs what is not known here stays a template, and is filled in when it is asked for.
    addresses::scopes(method, &credential.scopes, &context).unwrap_or_else(|_| credential.scopes.clone())
}

/// A draft that renews (or edits) this credential; integrations keep it. Its settings and secrets are there already; consent is given anew.
pub fn renew(ws: &Workspace, name: &str) -> Result<CredentialDraft> {
    let credential = get(ws, name)?;
    // Default scopes follow the inputs again; chosen ones stay.
    let connector = ws.catalog().get(&credential.connector)?;
    let defaults = connector.auth.get(&credential.method).map(|method| method.scopes.default.clone()).unwrap_or_default();
    let as_default = asked_scopes(&connector, &Credential { scopes: defaults.clone(), ..credential.clone() });
    let draft = CredentialDraft {
        id: id::fresh("draft"),
        name: credential.name.clone(),
        connector: credential.connector.clone(),
        method: credential.method.clone(),
        settings: credential.settings.clone(),
        secrets: credential.secrets.clone(),
        references: credential.references.clone(),
        scopes: if credential.scopes == as_default { defaults } else { credential.scopes.clone() },
        step: String::new(),
        replaces: Some(credential.id.clone()),
    };
    let vault = ws.vault();
    if !vault.fields(&credential.id)?.is_empty() {
        vault.copy(&credential.id, &draft.id)?;
        for field in vault.fields(&draft.id)?.iter().filter(|field| consent::is_token(field)) {
            vault.remove(&draft.id, field)?;
        }
    }
    let standing = Standing { secret_expires: credential.secret_expires, ..Standing::default() };
    ws.store()?.add_credential_draft(&KeptDraft { draft: draft.clone(), standing })?;
    Ok(draft)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Secret;
    use crate::ops::Config;
    use crate::ops::credentials::{draft_finish, draft_new, draft_secret};
    use std::time::{Duration, Instant};

    const DEFINITION: &str = r#"
        schema = 1
        id = "plain"
        name = "Plain"
        request = { base_url = "https://plain.example" }
        [auth.bearer]
        kind = "bearer"
        name = "Token"
        [[auth.bearer.input]]
        key = "token"
        label = "Token"
        secret = true
        [[check]]
        path = "/me"
        proves = "It works."
        "#;

    /// On one thread: a wait for the lock must leave room for everything else.
    #[tokio::test]
    async fn who_waits_for_a_lock_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("connectors")).unwrap();
        std::fs::write(dir.path().join("connectors/plain.toml"), DEFINITION).unwrap();
        let ws = Workspace::open(dir.path(), Config::default());
        let draft = draft_new(&ws, "plain", None).unwrap();
        draft_secret(&ws, &draft.id, "token", Secret::new("t")).unwrap();
        let saved = draft_finish(&ws, &draft.id).unwrap();
        let renewal = renew(&ws, &saved.id).unwrap();
        let lock = Lock::take_now(ws.store().unwrap(), &saved.id, "Plain").unwrap();
        let saving = tokio::spawn({
            let (ws, id) = (ws.clone(), renewal.id.clone());
            async move { save(&ws, &id).await }
        });
        let began = Instant::now();
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert!(!saving.is_finished(), "the lock is held");
        drop(lock);
        assert_eq!(saving.await.unwrap().unwrap().credential.id, saved.id);
    }
}
