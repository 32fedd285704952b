//! A new secret beside the old one: tried first, put in its place only when it works, and the old one kept for the way back.

use super::{get, not_found};
use crate::auth::subject::Subject;
use crate::auth::{check, ends};
use crate::catalog::input;
use crate::model::{Credential, Rotated, Secret, Severity, Sink, TestOutcome, Time};
use crate::ops::{Result, Workspace};
use crate::problem;
use crate::words::clean;

/// The vault's field for the old value of a secret.
pub(super) fn previous(key: &str) -> String {
    format!("previous.{key}")
}

/// Replaces one secret side by side: the new value is tested first, and takes the place of the old one only when it works.
/// The old one stays for `rotate_back` until the next rotation. A test that fails is `Ok` with `ok: false`, and nothing has changed.
pub async fn rotate(ws: &Workspace, name: &str, key: &str, value: Secret, expires: Option<Time>, sink: &Sink) -> Result<TestOutcome> {
    let credential = get(ws, name)?;
    let connector = ws.catalog().get(&credential.connector)?;
    let inputs = connector.inputs_for(&credential.method);
    let Some(one) = inputs.iter().find(|one| one.key == key && one.secret) else {
        let known: Vec<&str> = inputs.iter().filter(|one| one.secret).map(|one| one.key.as_str()).collect();
        let (key, connector, known) = (clean::line(key, 80), clean::line(&connector.name, 80), clean::line(&known.join(", "), 200));
        return Err(problem!(Usage, "credential.not_secret", key = key, connector = connector, known = known));
    };
    if let Some(reference) = credential.references.get(key) {
        let (label, reference) = (clean::line(&one.label, 80), clean::line(reference, 120));
        return Err(problem!(Usage, "credential.rotate.reference", label = label, reference = reference));
    }
    let value = Secret::new(input::tidy(one, &super::draft::unwrapped(value.expose())));
    if let Some(finding) = input::check(one, value.expose()).into_iter().find(|finding| finding.severity == Severity::Error) {
        return Err(finding.problem);
    }
    let old = ws.vault().get(&credential.id, key)?;
    if old.as_ref().is_some_and(|old| old.expose() == value.expose()) {
        return Err(problem!(Usage, "credential.rotate.same", label = clean::line(&one.label, 80)));
    }
    let Some(outcome) = tried(ws, &credential, key, &value, sink).await? else {
        return Err(problem!(Failed, "credential.rotate.changed", name = clean::line(&credential.name, 80)));
    };
    if outcome.ok {
        let kept = previous(key);
        let mut fields = vec![(key, &value)];
        fields.extend(old.as_ref().map(|old| (kept.as_str(), old)));
        ws.vault().put_all(&credential.id, &fields)?;
        let now = Time::now();
        note(ws, &credential, key, &outcome, |credential| {
            if old.is_some() {
                credential.known.rotated.push(Rotated { field: key.to_owned(), at: now, old_expires: credential.secret_expires });
            }
            credential.secret_expires = expires;
        })?;
    }
    Ok(outcome)
}

/// Puts the old value of a secret back in its place, where it is still there, whatever its test says; the newer one is then the old one.
pub async fn rotate_back(ws: &Workspace, name: &str, key: &str, sink: &Sink) -> Result<TestOutcome> {
    let credential = get(ws, name)?;
    let none = || problem!(Usage, "credential.rotate.nothing", name = clean::line(&credential.name, 80), key = clean::line(key, 80));
    let old = ws.vault().get(&credential.id, &previous(key))?.ok_or_else(none)?;
    let Some(newer) = ws.vault().get(&credential.id, key)? else { return Err(none()) };
    let outcome = tried(ws, &credential, key, &old, sink).await?.ok_or_else(none)?;
    ws.vault().put_all(&credential.id, &[(key, &old), (previous(key).as_str(), &newer)])?;
    note(ws, &credential, key, &outcome, |credential| {
        let was = credential.known.rotated.iter().rev().find(|rotated| rotated.field == key).and_then(|rotated| rotated.old_expires);
        credential.known.rotated.push(Rotated { field: key.to_owned(), at: Time::now(), old_expires: credential.secret_expires });
        credential.secret_expires = was;
    })?;
    Ok(outcome)
}

/// The test of a credential with another value of one secret. `None`: the credential was changed meanwhile.
async fn tried(ws: &Workspace, credential: &Credential, key: &str, value: &Secret, sink: &Sink) -> Result<Option<TestOutcome>> {
    let load = |credential: &Credential| -> Result<Subject> { Ok(Subject::load(ws.vault(), ws.catalog(), credential)?.with_secret(key, value)) };
    let first = check::trial(ws.store()?, ws.vault(), load(credential)?)?;
    if let Some(failed) = check::obtain(&first, sink).await? {
        return Ok(Some(failed.outcome));
    }
    // What the token response brought belongs to the test request, which goes out with the token that was just proven.
    let Some(now) = ws.store()?.credential(&credential.id)?.filter(|now| now.connector == credential.connector && now.method == credential.method)
    else {
        return Ok(None);
    };
    let again = check::linked(first.keeper, load(&now)?)?;
    Ok(Some(check::run(&again, sink).await?.outcome))
}

fn note(ws: &Workspace, credential: &Credential, key: &str, outcome: &TestOutcome, change: impl FnOnce(&mut Credential)) -> Result<()> {
    let subject = Subject::load(ws.vault(), ws.catalog(), credential)?;
    let found = ends::of(&subject);
    let changed = ws.store()?.change_credential(&credential.id, |credential| {
        change(credential);
        let rotated = &mut credential.known.rotated;
        let last = rotated.iter().rposition(|rotated| rotated.field == key);
        let mut place = 0;
        rotated.retain(|rotated| {
            place += 1;
            rotated.field != key || Some(place - 1) == last
        });
        credential.known.secret_since = Some(Time::now());
        credential.known.ends = found;
        credential.tested = Some(outcome.at);
        credential.status = if outcome.ok { crate::model::CredentialStatus::Valid } else { crate::model::CredentialStatus::Refused };
        credential.last_test = Some(outcome.clone());
        if !credential.secrets.iter().any(|known| known == key) {
            credential.secrets.push(key.to_owned());
        }
    })?;
    changed.map(|_| ()).ok_or_else(|| not_found(&credential.name))
}
