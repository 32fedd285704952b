//! Drafts: saved as typed, checked, thrown away.

use super::{LONGEST_NAME, method_of, name_problem};
use crate::auth::keeper::Lock;
use crate::auth::{consent, home, identity, references, registration, subject};
use crate::catalog::template::Context;
use crate::catalog::{addresses, input};
use crate::model::{Connector, Credential, CredentialDraft, CredentialStatus, Finding, Input, Known, Problem, Secret, Severity, Time};
use crate::ops::{Result, Workspace, discover};
use crate::store::credentials::{KeptDraft, Standing};
use crate::store::id;
use crate::vault::reference::Reference;
use crate::words::clean;
use crate::{problem, t};

/// Starts a draft; the connector's default method when none is named. Defaults of inputs are filled in.
pub fn draft_new(ws: &Workspace, connector: &str, method: Option<&str>) -> Result<CredentialDraft> {
    let connector = ws.catalog().get(connector)?;
    let method = match method {
        Some(method) => method.to_owned(),
        None => match connector.default_auth() {
            Some((method, _)) => method.to_owned(),
            None => return Err(problem!(Usage, "credential.no_auth", connector = clean::line(&connector.name, 80))),
        },
    };
    let how = method_of(&connector, &method)?;
    let settings = connector
        .inputs_for(&method)
        .into_iter()
        .filter(|one| !one.secret)
        .filter_map(|one| Some((one.key.clone(), one.default.clone().filter(|default| !default.is_empty())?)))
        .collect();
    let draft = CredentialDraft {
        id: id::fresh("draft"),
        name: free_name(ws, &connector.name)?,
        connector: connector.id.clone(),
        // Templates among them are filled in when they are asked for.
        scopes: how.scopes.default.clone(),
        method,
        settings,
        ..CredentialDraft::default()
    };
    ws.store()?.add_credential_draft(&KeptDraft { draft: draft.clone(), standing: Standing::default() })?;
    Ok(draft)
}

/// The connector's name, with a number where it is taken.
fn free_name(ws: &Workspace, name: &str) -> Result<String> {
    let base: String = name.chars().take(LONGEST_NAME - 8).collect();
    let mut name = base.clone();
    let mut number = 1u32;
    let drafts = drafts(ws)?;
    while ws.store()?.credential(&name)?.is_some() || drafts.iter().any(|draft| draft.name == name) {
        number += 1;
        name = format!("{base} {number}");
    }
    Ok(name)
}

/// Drafts left half-way, newest first.
pub fn drafts(ws: &Workspace) -> Result<Vec<CredentialDraft>> {
    Ok(ws.store()?.credential_drafts()?.into_iter().map(|kept| kept.draft).collect())
}

pub fn draft_get(ws: &Workspace, id: &str) -> Result<CredentialDraft> {
    Ok(kept(ws, id)?.draft)
}

pub(in crate::ops) fn kept(ws: &Workspace, id: &str) -> Result<KeptDraft> {
    ws.store()?.credential_draft(id)?.ok_or_else(|| no_draft(id))
}

pub(in crate::ops) fn no_draft(id: &str) -> Problem {
    problem!(Usage, "core.not_found", noun = t!("credential.noun.draft"), name = clean::line(id, 80))
}

/// Saves what was typed, right or wrong. The secrets that the draft has are left as they are; what was obtained or tested with other values
/// is forgotten.
pub fn draft_save(ws: &Workspace, draft: &CredentialDraft) -> Result<()> {
    let client_made = registration::made(ws.vault(), &draft.id)?;
    let stale = ws.store()?.change_credential_draft(&draft.id, |kept| {
        let before = std::mem::replace(&mut kept.draft, draft.clone());
        kept.draft.secrets.clone_from(&before.secrets);
        kept.draft.references.clone_from(&before.references);
        kept.draft.replaces.clone_from(&before.replaces);
        if client_made {
            keep_client(&before, &mut kept.draft);
        }
        let same = before.method == draft.method && before.connector == draft.connector;
        // Another choice among what was looked up leaves the token as it is: the lookups are made again.
        let asked = |draft: &CredentialDraft| {
            let connector = ws.catalog().get(&draft.connector).ok();
            let method = connector.as_ref().and_then(|connector| connector.auth.get(&draft.method));
            let chosen: Vec<&str> = method.into_iter().flat_map(discover::settings).collect();
            let mut settings = tidied(ws, draft);
            // Nor does another place to keep it.
            settings.retain(|key, _| !chosen.contains(&key.as_str()) && key != home::TOKENS_IN);
            settings
        };
        let stale = !same || asked(&before) != asked(&kept.draft) || before.scopes != draft.scopes;
        if stale || tidied(ws, &before) != tidied(ws, &kept.draft) {
            kept.standing.status = None;
            kept.standing.tested = None;
            kept.standing.last_test = None;
        }
        stale
    })?;
    match stale {
        None => Err(no_draft(&draft.id)),
        Some(true) => consent::forget(ws.store()?, ws.vault(), &draft.id),
        Some(false) => Ok(()),
    }
}

/// A client that was registered meanwhile is nothing that was typed: it stays while the server does, and goes with it.
fn keep_client(before: &CredentialDraft, draft: &mut CredentialDraft) {
    let server = |draft: &CredentialDraft| -> Vec<Option<String>> {
        let names = addresses::SETTINGS.into_iter().filter(|name| *name != "base_url").chain([subject::ISSUER]);
        names.map(|name| draft.settings.get(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())).collect()
    };
    let same = before.method == draft.method && before.connector == draft.connector && server(before) == server(draft);
    let id = |draft: &CredentialDraft| draft.settings.get(registration::CLIENT_ID).map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
    match (same, id(before), id(draft)) {
        (true, Some(known), None) => {
            draft.settings.insert(registration::CLIENT_ID.to_owned(), known);
        }
        (false, Some(known), Some(typed)) if known == typed => {
            draft.settings.shift_remove(registration::CLIENT_ID);
            draft.secrets.retain(|key| key != registration::CLIENT_SECRET);
        }
        _ => {}
    }
}

/// Settings as they are meant, so that a blank typed and taken away costs no consent.
pub(in crate::ops) fn tidied(ws: &Workspace, draft: &CredentialDraft) -> indexmap::IndexMap<String, String> {
    let connector = ws.catalog().get(&draft.connector).ok();
    let inputs = connector.as_ref().map(|connector| connector.inputs_for(&draft.method)).unwrap_or_default();
    let mut settings: indexmap::IndexMap<String, String> = draft
        .settings
        .iter()
        .map(|(key, value)| {
            let value = inputs.iter().find(|one| one.key == *key).map_or_else(|| value.trim().to_owned(), |one| input::tidy(one, value));
            (key.clone(), value)
        })
        .filter(|(_, value)| !value.is_empty())
        .collect();
    settings.sort_unstable_keys();
    settings
}

/// Keeps a secret of a draft in the vault and notes its key in the draft. An empty secret removes it. Line breaks and blanks that came with
/// pasting are taken away.
pub fn draft_secret(ws: &Workspace, id: &str, key: &str, value: Secret) -> Result<CredentialDraft> {
    let draft = draft_get(ws, id)?;
    let connector = ws.catalog().get(&draft.connector)?;
    let one = secret_input(&connector, &draft.method, key)?;
    let value = Secret::new(input::tidy(one, &unwrapped(value.expose())));
    if value.is_empty() {
        drop_secret(ws, id, key)?;
    } else {
        ws.vault().put(id, key, &value)?;
    }
    note_secret(ws, &connector, &draft, |draft| {
        draft.references.shift_remove(key);
        draft.secrets.retain(|known| known != key);
        if !value.is_empty() {
            draft.secrets.push(key.to_owned());
        }
    })
}

/// Keeps a reference in place of a secret: the value stays where it is and is read each time. An empty text removes it. Whether there is
/// something at its end is for the test to say.
pub fn draft_reference(ws: &Workspace, id: &str, key: &str, reference: &str) -> Result<CredentialDraft> {
    let draft = draft_get(ws, id)?;
    let connector = ws.catalog().get(&draft.connector)?;
    secret_input(&connector, &draft.method, key)?;
    let reference = match reference.trim() {
        "" => None,
        text => Some(Reference::parse(text)?.absolute().to_string()),
    };
    if let Some(reference) = &reference {
        // What an earlier try left in memory is not what is meant now.
        references::forget(reference);
        drop_secret(ws, id, key)?;
    }
    note_secret(ws, &connector, &draft, |draft| match reference {
        Some(reference) => {
            draft.secrets.retain(|known| known != key);
            draft.references.insert(key.to_owned(), reference);
        }
        None => {
            draft.references.shift_remove(key);
        }
    })
}

/// The input of a secret.
fn secret_input<'c>(connector: &'c Connector, method: &str, key: &str) -> Result<&'c Input> {
    let inputs = connector.inputs_for(method);
    inputs.iter().copied().find(|one| one.key == key && one.secret).ok_or_else(|| {
        let known: Vec<&str> = inputs.iter().filter(|one| one.secret).map(|one| one.key.as_str()).collect();
        let known = clean::line(&known.join(", "), 200);
        problem!(Usage, "credential.not_secret", key = clean::line(key, 80), connector = clean::line(&connector.name, 80), known = known)
    })
}

fn drop_secret(ws: &Workspace, id: &str, key: &str) -> Result<()> {
    if ws.vault().fields(id)?.iter().any(|field| field == key) { ws.vault().remove(id, key) } else { Ok(()) }
}

/// Notes that a secret of a draft is another one now; what was obtained or tested with the old one is forgotten.
fn note_secret(ws: &Workspace, connector: &Connector, draft: &CredentialDraft, change: impl FnOnce(&mut CredentialDraft)) -> Result<CredentialDraft> {
    if connector.auth.get(&draft.method).is_some_and(|method| method.has_token() && !method.needs_consent()) {
        // A token of the old secret would hide that the new one is wrong.
        consent::forget(ws.store()?, ws.vault(), &draft.id)?;
    }
    let changed = ws.store()?.change_credential_draft(&draft.id, |kept| {
        change(&mut kept.draft);
        kept.standing.status = None;
        kept.standing.tested = None;
        kept.standing.last_test = None;
        kept.draft.clone()
    })?;
    changed.ok_or_else(|| no_draft(&draft.id))
}

/// A secret that a terminal or mail wrapped is one word again. A PEM block keeps its lines.
pub(super) fn unwrapped(value: &str) -> zeroize::Zeroizing<String> {
    let value = value.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}'));
    zeroize::Zeroizing::new(if value.starts_with("-----BEGIN") { value.to_owned() } else { value.split(['\n', '\r']).map(str::trim).collect() })
}

/// Forgets a draft and its secrets.
pub fn draft_discard(ws: &Workspace, id: &str) -> Result<()> {
    kept(ws, id)?;
    ws.vault().forget(id)?;
    Lock::remove(ws.store()?, id);
    Ok(ws.store()?.delete_credential_draft(id)?)
}

/// An input as it is to be asked for: one that a registration of the client fills in (RFC 7591) may be left out.
#[must_use]
pub fn asked(ws: &Workspace, connector: &Connector, draft: &CredentialDraft, input: &Input) -> Input {
    let of_client = [registration::CLIENT_ID, registration::CLIENT_SECRET].contains(&input.key.as_str());
    let optional = input.optional || (of_client && registers(ws, connector, draft));
    Input { optional, ..input.clone() }
}

/// Whether a client is registered for this draft when it is needed, as far as that is known without asking anybody.
fn registers(ws: &Workspace, connector: &Connector, draft: &CredentialDraft) -> bool {
    let Some(method) = connector.auth.get(&draft.method) else { return false };
    let no_client = draft.settings.get(registration::CLIENT_ID).is_none_or(|id| id.trim().is_empty());
    let context = Context::new(connector, &draft.method, &tidied(ws, draft), &indexmap::IndexMap::new());
    no_client && registration::possible(method, &context)
}

/// What is missing or wrong; `place` is `input.KEY`, `name` or `scopes`.
pub fn draft_check(ws: &Workspace, draft: &CredentialDraft) -> Result<Vec<Finding>> {
    let connector = ws.catalog().get(&draft.connector)?;
    let method = method_of(&connector, &draft.method)?;
    let inputs = connector.inputs_for(&draft.method);
    let mut findings = Vec::new();
    let mut warnings = Vec::new();
    let mut error = |place: String, problem| findings.push(Finding { severity: Severity::Error, place, problem });
    if let Some(problem) = name_problem(ws, &draft.name, draft.replaces.as_deref())? {
        error("name".to_owned(), problem);
    }
    for (key, value) in draft.settings.iter().filter(|(_, value)| !value.trim().is_empty()) {
        let place = || format!("input.{key}");
        match inputs.iter().find(|one| one.key == *key) {
            Some(one) if one.secret => {
                error(place(), problem!(Usage, "credential.secret_as_setting", label = clean::line(&one.label, 80), key = clean::line(key, 80)));
            }
            Some(_) => {}
            None if discover::settings(method).any(|id| id == key) => {}
            None if addresses::SETTINGS.contains(&key.as_str()) || key == subject::ISSUER => {
                if let Err(problem) = addresses::check(key, value) {
                    error(place(), problem);
                }
            }
            None if key == identity::CA_FILE => {
                if let Err(problem) = identity::check_authorities(value) {
                    error(place(), problem);
                }
            }
            None if key == home::TOKENS_IN => {
                if let Err(problem) = home::place(value) {
                    error(place(), problem);
                } else if !method.has_token() {
                    error(place(), problem!(Usage, "tokens_in.no_tokens", method = clean::line(&method.name, 80)));
                }
            }
            // Registered from here, perhaps, where the definition asks nobody for it.
            None if key == registration::CLIENT_ID && !method.register_url.is_empty() => {}
            None if key == subject::REDIRECT_URI => {
                if let Err(reason) = url::Url::parse(value.trim()) {
                    error(place(), problem!(Usage, "auth.redirect_uri", address = clean::line(value, 150), reason = reason));
                } else if let Some(problem) = crate::ops::credentials::redirect_uri(&connector, draft).and_then(|redirect| redirect.breaks) {
                    // The definition's rule may be out of date: told, and not refused.
                    warnings.push(Finding { severity: Severity::Warning, place: place(), problem });
                }
            }
            None => {
                let known: Vec<&str> = inputs
                    .iter()
                    .filter(|one| !one.secret)
                    .map(|one| one.key.as_str())
                    .chain(discover::settings(method))
                    .chain(addresses::SETTINGS)
                    .collect();
                let connector = clean::line(&connector.name, 80);
                let known = clean::line(&known.join(", "), 200);
                error(place(), problem!(Usage, "credential.unknown_setting", key = clean::line(key, 80), connector = connector, known = known));
            }
        }
    }
    findings.extend(warnings);
    // What a draft takes from the credential that it renews is under its own id already.
    let kept = kept(ws, &draft.id).map(|kept| kept.draft).unwrap_or_default();
    let registers = registers(ws, &connector, draft);
    let has = |key: &str| kept.references.contains_key(key) || kept.secrets.iter().any(|known| known == key);
    let by_registration = |key: &str| registers && (key == registration::CLIENT_ID || (key == registration::CLIENT_SECRET && !has(key)));
    for one in inputs.iter().filter(|one| !by_registration(&one.key)) {
        let found = if let Some(reference) = kept.references.get(&one.key).filter(|_| one.secret) {
            // What it leads to is read when it is used.
            Reference::parse(reference).err().map(|problem| Finding { severity: Severity::Error, place: format!("input.{}", one.key), problem })
        } else if one.secret {
            let value = if kept.secrets.contains(&one.key) { ws.vault().get(&draft.id, &one.key)? } else { None };
            input::check(one, value.as_ref().map_or("", Secret::expose))
        } else {
            let value = draft.settings.get(&one.key).map_or_else(String::new, |value| input::tidy(one, value));
            input::check(one, &value)
        };
        findings.extend(found);
    }
    for scope in draft.scopes.iter().filter(|scope| crate::catalog::template::is_plain(scope)) {
        // %x21 / %x23-5B / %x5D-7E
        if scope.is_empty() || !scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\') {
            let problem = problem!(Usage, "credential.scope_wrong", scope = clean::line(scope, 80));
            findings.push(Finding { severity: Severity::Error, place: "scopes".to_owned(), problem });
        }
    }
    Ok(findings)
}

/// The first error of a draft, apart from its name: requests can be made under any name.
pub(in crate::ops) fn refuse_errors(ws: &Workspace, draft: &CredentialDraft) -> Result<()> {
    let found = draft_check(ws, draft)?.into_iter().find(|finding| finding.severity == Severity::Error && finding.place != "name");
    found.map_or(Ok(()), |finding| Err(finding.problem))
}

/// The credential that a draft would be, under an identifier that says where its secrets are.
pub(in crate::ops) fn as_credential(ws: &Workspace, kept: &KeptDraft, id: &str) -> Credential {
    let draft = &kept.draft;
    let mut credential = Credential {
        id: id.to_owned(),
        name: draft.name.trim().to_owned(),
        connector: draft.connector.clone(),
        method: draft.method.clone(),
        settings: tidied(ws, draft),
        secrets: draft.secrets.clone(),
        references: draft.references.clone(),
        found: indexmap::IndexMap::new(),
        scopes: draft.scopes.clone(),
        granted: Vec::new(),
        status: CredentialStatus::Untested,
        access_expires: None,
        refresh_expires: None,
        refreshes: false,
        secret_expires: None,
        created: Time::now(),
        tested: None,
        last_test: None,
        known: Known::default(),
    };
    if draft.replaces.is_some() && id == draft.id {
        // Who renews means to have tokens of his own, not those that are there.
        credential.settings.shift_remove(home::TOKENS_IN);
    }
    kept.standing.clone().give_to(&mut credential);
    credential
}
