//! Credentials: drafted, consented, tested, saved, kept.
//!
//! A draft is saved as typed: settings in the store, secrets in the vault under the draft's id. `finish` makes it a credential.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::{Result, Workspace};
use crate::auth::keeper::Lock;
use crate::auth::{self, browser, check, consent, subject};
use crate::catalog::template::Context;
use crate::catalog::{addresses, input};
use crate::model::{
    AuthKind, AuthMethod, Connector, Credential, CredentialDraft, CredentialStatus, Finding, Integration, Loopback, Problem, Secret, Severity, Sink,
    TestOutcome, Time,
};
use crate::store::credentials::{KeptDraft, Standing};
use crate::store::id;
use crate::words::clean;
use crate::{problem, t};

/// The longest name, in characters.
const LONGEST_NAME: usize = 80;

/// The settings that every credential can have besides its inputs: addresses that replace the connector's own.
pub fn settings() -> Vec<&'static str> {
    addresses::SETTINGS.into_iter().chain([subject::ISSUER, subject::REDIRECT_URI]).collect()
}

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

fn method_of<'c>(connector: &'c Connector, method: &str) -> Result<&'c AuthMethod> {
    connector
        .auth
        .get(method)
        .ok_or_else(|| problem!(Usage, "auth.no_method", connector = clean::line(&connector.name, 80), method = clean::line(method, 80)))
}

/// Drafts left half-way, newest first.
pub fn drafts(ws: &Workspace) -> Result<Vec<CredentialDraft>> {
    Ok(ws.store()?.credential_drafts()?.into_iter().map(|kept| kept.draft).collect())
}

pub fn draft_get(ws: &Workspace, id: &str) -> Result<CredentialDraft> {
    Ok(kept(ws, id)?.draft)
}

fn kept(ws: &Workspace, id: &str) -> Result<KeptDraft> {
    ws.store()?.credential_draft(id)?.ok_or_else(|| no_draft(id))
}

fn no_draft(id: &str) -> Problem {
    problem!(Usage, "core.not_found", noun = t!("credential.noun.draft"), name = clean::line(id, 80))
}

/// Saves what was typed, right or wrong. The secrets that the draft has are left as they are; what was obtained or tested with other values
/// is forgotten.
pub fn draft_save(ws: &Workspace, draft: &CredentialDraft) -> Result<()> {
    let stale = ws.store()?.change_credential_draft(&draft.id, |kept| {
        let before = std::mem::replace(&mut kept.draft, draft.clone());
        kept.draft.secrets.clone_from(&before.secrets);
        kept.draft.replaces.clone_from(&before.replaces);
        let same = before.method == draft.method && before.connector == draft.connector;
        let stale = !same || tidied(ws, &before) != tidied(ws, draft) || before.scopes != draft.scopes;
        if stale {
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

/// Settings as they are meant, so that a blank typed and taken away costs no consent.
fn tidied(ws: &Workspace, draft: &CredentialDraft) -> indexmap::IndexMap<String, String> {
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
    let inputs = connector.inputs_for(&draft.method);
    let Some(one) = inputs.iter().find(|one| one.key == key && one.secret) else {
        let known: Vec<&str> = inputs.iter().filter(|one| one.secret).map(|one| one.key.as_str()).collect();
        let connector = clean::line(&connector.name, 80);
        return Err(problem!(
            Usage,
            "credential.not_secret",
            key = clean::line(key, 80),
            connector = connector,
            known = clean::line(&known.join(", "), 200)
        ));
    };
    let value = Secret::new(input::tidy(one, &unwrapped(value.expose())));
    if value.is_empty() {
        if ws.vault().fields(id)?.iter().any(|field| field == key) {
            ws.vault().remove(id, key)?;
        }
    } else {
        ws.vault().put(id, key, &value)?;
    }
    let kind = connector.auth.get(&draft.method).map(|method| method.kind);
    if kind.is_some_and(|kind| kind.has_token() && !kind.needs_consent()) {
        // A token of the old secret would hide that the new one is wrong.
        consent::forget(ws.store()?, ws.vault(), id)?;
    }
    let changed = ws.store()?.change_credential_draft(id, |kept| {
        kept.draft.secrets.retain(|known| known != key);
        if !value.is_empty() {
            kept.draft.secrets.push(key.to_owned());
        }
        kept.standing.status = None;
        kept.standing.tested = None;
        kept.standing.last_test = None;
        kept.draft.clone()
    })?;
    changed.ok_or_else(|| no_draft(id))
}

/// Keeps a reference in place of a secret: the value stays where it is and is read each time. An empty text removes it.
pub fn draft_reference(ws: &Workspace, id: &str, key: &str, reference: &str) -> Result<CredentialDraft> {
    let _ = (ws, id, key, reference);
    todo!()
}

/// A secret that a terminal or mail wrapped is one word again. A PEM block keeps its lines.
fn unwrapped(value: &str) -> zeroize::Zeroizing<String> {
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

/// What is missing or wrong; `place` is `input.KEY`, `name` or `scopes`.
pub fn draft_check(ws: &Workspace, draft: &CredentialDraft) -> Result<Vec<Finding>> {
    let connector = ws.catalog().get(&draft.connector)?;
    method_of(&connector, &draft.method)?;
    let inputs = connector.inputs_for(&draft.method);
    let mut findings = Vec::new();
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
            None if addresses::SETTINGS.contains(&key.as_str()) || key == subject::ISSUER => {
                if let Err(problem) = addresses::check(key, value) {
                    error(place(), problem);
                }
            }
            None if key == subject::REDIRECT_URI => {
                if let Err(reason) = url::Url::parse(value.trim()) {
                    error(place(), problem!(Usage, "auth.redirect_uri", address = clean::line(value, 150), reason = reason));
                }
            }
            None => {
                let known: Vec<&str> = inputs.iter().filter(|one| !one.secret).map(|one| one.key.as_str()).chain(addresses::SETTINGS).collect();
                let connector = clean::line(&connector.name, 80);
                let known = clean::line(&known.join(", "), 200);
                error(place(), problem!(Usage, "credential.unknown_setting", key = clean::line(key, 80), connector = connector, known = known));
            }
        }
    }
    // What a draft takes from the credential that it renews is under its own id already.
    let kept = kept(ws, &draft.id).map(|kept| kept.draft.secrets).unwrap_or_default();
    for one in &inputs {
        let found = if one.secret {
            let value = if kept.contains(&one.key) { ws.vault().get(&draft.id, &one.key)? } else { None };
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

/// What the person needs to see to give consent.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct ConsentView {
    pub authorize_url: String,
    pub redirect_uri: String,
    /// The tunnel for this host, when in an SSH session: `ssh -L 53417:127.0.0.1:53417 ada@admin01`.
    pub ssh_line: Option<String>,
    /// Whether a browser can probably be opened here.
    pub browser_here: bool,
    /// Whether the loopback listener is up; when not, the answer has to be pasted.
    pub listening: bool,
    /// The route without a redirect (RFC 8628), where the method has it: it runs beside the others.
    pub device: Option<DeviceView>,
    /// For `intertie authorize REQUEST` on another machine; holds no secret. `None` for a method without a redirect.
    pub request: Option<String>,
    pub expires: Time,
}

/// A code that a person types elsewhere (RFC 8628 §3.2).
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct DeviceView {
    pub user_code: String,
    pub verification_uri: String,
    /// With the code in it, for a QR code or a link. The person still compares the code (RFC 8628 §5.4).
    pub verification_uri_complete: Option<String>,
    pub expires: Time,
}

/// A consent under way: a loopback listener and a pasted answer race; the first valid one wins. Dropping it stops the listener.
pub struct Consent {
    pub view: ConsentView,
    begun: consent::Begun,
}

impl Consent {
    /// Offers pasted text: the whole redirected URL, its query, or a bare code. An invalid answer says what is wrong with it and leaves
    /// the wait as it was. A refusal is a valid answer: `finish` tells it.
    pub fn offer(&self, pasted: &str) -> Result<()> {
        self.begun.offer(pasted)
    }

    /// Waits for the first valid answer, redeems it, and keeps the tokens in the vault under the draft's id. Requests that are no valid
    /// answer are reported to the sink, and the wait goes on.
    pub async fn finish(&self, ws: &Workspace, sink: &Sink) -> Result<()> {
        let _ = ws;
        self.begun.finish(sink).await
    }
}

/// The redirect URI to register at the vendor for this draft, where its method sends a person to a browser. `any_port`: the vendor accepts
/// every port on it (RFC 8252 §7.3).
#[must_use]
pub fn redirect_uri(connector: &Connector, draft: &CredentialDraft) -> Option<RedirectUri> {
    let method = connector.auth.get(&draft.method).filter(|method| method.kind == AuthKind::OAuth2Code)?;
    let setting = draft.settings.get(subject::REDIRECT_URI).map(String::as_str).filter(|uri| !uri.is_empty());
    let any_port = setting.is_none() && method.redirect.loopback == Loopback::AnyPort && method.redirect.port.is_none();
    Some(RedirectUri { uri: consent::registered(&method.redirect, setting), any_port })
}

/// What has to be registered at the vendor.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct RedirectUri {
    pub uri: String,
    pub any_port: bool,
}

/// Whether this draft's method needs a person's consent before it can be tested: it does until consent was given.
pub fn needs_consent(ws: &Workspace, draft: &CredentialDraft) -> Result<bool> {
    let connector = ws.catalog().get(&draft.connector)?;
    Ok(method_of(&connector, &draft.method)?.kind.needs_consent() && !consent::given(ws.vault(), &draft.id)?)
}

/// Starts listening and makes the authorization URL (state, PKCE). Nothing is opened. A consent of the same draft that was begun in the
/// last minutes and lost is taken up again: its address and its answers stay valid.
pub async fn consent_begin(ws: &Workspace, draft: &str) -> Result<Consent> {
    let kept = kept(ws, draft)?;
    refuse_errors(ws, &kept.draft)?;
    let subject = subject::Subject::load(ws.vault(), ws.catalog(), &as_credential(ws, &kept, draft))?;
    let begun = consent::begin(Arc::clone(ws.store()?), Arc::clone(ws.vault()), subject).await?;
    let view = ConsentView {
        authorize_url: begun.authorize_url.clone(),
        redirect_uri: begun.redirect_uri.clone(),
        ssh_line: begun.port.and_then(browser::ssh_line),
        browser_here: browser::here(),
        listening: begun.port.is_some(),
        device: None,
        request: None,
        expires: begun.expires,
    };
    Ok(Consent { view, begun })
}

/// The first error of a draft, apart from its name: requests can be made under any name.
fn refuse_errors(ws: &Workspace, draft: &CredentialDraft) -> Result<()> {
    let found = draft_check(ws, draft)?.into_iter().find(|finding| finding.severity == Severity::Error && finding.place != "name");
    found.map_or(Ok(()), |finding| Err(finding.problem))
}

/// Opens the person's browser (`$BROWSER` first). `Err` says that none could be opened.
pub fn open_browser(url: &str) -> Result<()> {
    browser::open(url)
}

/// Obtains a token where the method needs one, and makes the connector's test request. A failed test is `Ok` with `ok: false`.
pub async fn draft_test(ws: &Workspace, draft: &str, sink: &Sink) -> Result<TestOutcome> {
    refuse_errors(ws, &kept(ws, draft)?.draft)?;
    tested(ws, || Ok(as_credential(ws, &kept(ws, draft)?, draft)), sink).await
}

/// `read` is asked again once there is a token: what its response brought belongs to the test request.
async fn tested(ws: &Workspace, read: impl Fn() -> Result<Credential>, sink: &Sink) -> Result<TestOutcome> {
    let link = || -> Result<check::Link> { check::link(ws.store()?, ws.vault(), ws.catalog(), &read()?) };
    let check::Tested { outcome, status } = match check::obtain(&link()?, sink).await? {
        Some(failed) => failed,
        None => check::run(&link()?, sink).await?,
    };
    ws.store()?.note_standing(&read()?.id, |standing| {
        standing.status = Some(status);
        standing.tested = Some(outcome.at);
        standing.last_test = Some(outcome.clone());
    })?;
    Ok(outcome)
}

/// The credential that a draft would be, under an identifier that says where its secrets are.
fn as_credential(ws: &Workspace, kept: &KeptDraft, id: &str) -> Credential {
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
    };
    kept.standing.clone().give_to(&mut credential);
    credential
}

/// Makes the draft a credential (or replaces the one that it renews). Refused while `draft_check` finds errors; an untested or failing
/// draft may be saved and says so in its status.
pub fn draft_finish(ws: &Workspace, draft: &str) -> Result<Credential> {
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
    credential.secrets.retain(|key| inputs.iter().any(|one| one.secret && one.key == *key));
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
    let wanted = |field: &String| credential.secrets.contains(field) || consent::is_token(field);
    let own = vault.fields(draft)?;
    for field in vault.fields(&owner)? {
        if !wanted(&field) || !own.contains(&field) {
            vault.remove(&owner, &field)?;
        }
    }
    vault.forget(draft)?;
    Lock::remove(ws.store()?, draft);
    Ok(credential)
}

/// The scopes with their templates filled in: what people see is what is asked for.
fn asked_scopes(connector: &Connector, credential: &Credential) -> Vec<String> {
    let Some(method) = connector.auth.get(&credential.method) else { return credential.scopes.clone() };
    let context = Context::new(connector, &credential.method, &credential.settings, &credential.found);
    // One that needs what is not known here stays a template, and is filled in when it is asked for.
    addresses::scopes(method, &credential.scopes, &context).unwrap_or_else(|_| credential.scopes.clone())
}

pub fn list(ws: &Workspace) -> Result<Vec<Credential>> {
    let mut all = ws.store()?.credentials()?;
    let now = Time::now();
    for credential in &mut all {
        credential.status = status_now(credential, now);
    }
    Ok(all)
}

pub fn get(ws: &Workspace, name: &str) -> Result<Credential> {
    let mut credential = ws.store()?.credential(name)?.ok_or_else(|| not_found(name))?;
    credential.status = status_now(&credential, Time::now());
    Ok(credential)
}

fn not_found(name: &str) -> Problem {
    problem!(Usage, "core.not_found", noun = t!("credential.noun.credential"), name = clean::line(name, 80))
}

/// What worked has ended when its end is past and nothing replaces it by itself.
fn status_now(credential: &Credential, now: Time) -> CredentialStatus {
    let past = |at: Option<Time>| at.is_some_and(|at| at <= now);
    let ended = past(credential.secret_expires)
        || (credential.refreshes && past(credential.refresh_expires))
        || (!credential.refreshes && past(credential.access_expires));
    match credential.status {
        CredentialStatus::Valid | CredentialStatus::Untested | CredentialStatus::Unknown if ended => CredentialStatus::Expired,
        status => status,
    }
}

/// Tests a saved credential and keeps the outcome and the status.
pub async fn test(ws: &Workspace, name: &str, sink: &Sink) -> Result<TestOutcome> {
    tested(ws, || get(ws, name), sink).await
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

/// Replaces one secret side by side: the new value is tested first, and takes the place of the old one only when it works.
/// The old one stays for `rotate_back` until the next rotation.
pub async fn rotate(ws: &Workspace, name: &str, key: &str, value: Secret, expires: Option<Time>, sink: &Sink) -> Result<TestOutcome> {
    let _ = (ws, name, key, value, expires, sink);
    todo!()
}

/// Sets the day on which the client secret or key ends, as typed by hand.
pub fn set_secret_expiry(ws: &Workspace, name: &str, at: Option<Time>) -> Result<Credential> {
    let credential = get(ws, name)?;
    let changed = ws.store()?.change_credential(&credential.id, |credential| credential.secret_expires = at)?;
    changed.ok_or_else(|| not_found(name))
}
