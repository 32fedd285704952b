//! How the credentials pane changes.

use super::{Row, pages};
use crate::model::{Credential, Integration, IntegrationState, Secret};
use crate::ops::answers::Of;
use crate::tui::app::answers;
use crate::tui::app::effect::{Effect, Effects, Job, Masked};
use crate::tui::app::layers::{Confirm, Layer, Line, Prompt, Reader, Scrolled};
use crate::tui::app::msg::Answer;
use crate::tui::app::navigate::go;
use crate::tui::app::state::{Pane, State};
use crate::tui::app::tasks::{NETWORK, QUICK, read, watched, write};
use crate::tui::ui::field::Field;
use crate::tui::ui::list::Listed as _;
use crate::tui::ui::theme::Tone;
use crate::tui::ui::{labels, text, when};
use crate::tui::wizard;

/// Reads what it shows.
pub fn load(state: &mut State) -> Effects {
    let mut effects = state.start(read("read.credentials", Job::LoadCredentials));
    if state.panes.credentials.connectors.is_empty() {
        effects.extend(state.start(read("read.connectors", Job::LoadConnectors)));
    }
    effects
}

/// Reads what uses the credential under the cursor, unless it is known.
pub fn moved(state: &mut State) -> Effects {
    let pane = &state.panes.credentials;
    let Some(id) = pane.credential().map(|credential| credential.id.clone()) else { return Vec::new() };
    if pane.used_by.as_ref().is_some_and(|(known, _)| *known == id) {
        return Vec::new();
    }
    state.start(read("read.used_by", Job::CredentialUsedBy(id)))
}

pub fn answer(state: &mut State, answer: &Answer) -> Effects {
    match answer {
        Answer::Credentials { credentials, drafts } => {
            let pane = &mut state.panes.credentials;
            // What was left half-way first: it is what its maker is looking for.
            let rows = drafts
                .iter()
                .cloned()
                .map(Row::Draft)
                .chain(credentials.iter().cloned().map(|credential| Row::Credential(Box::new(credential))))
                .collect();
            pane.list.set(rows);
            if let Some(id) = pane.follow.take() {
                pane.list.select(&id);
            }
            pane.used_by = None;
            moved(state)
        }
        Answer::Connectors(rows) => {
            state.panes.credentials.connectors.clone_from(rows);
            Vec::new()
        }
        Answer::UsedBy { credential, integrations } => {
            state.panes.credentials.used_by = Some((credential.clone(), integrations.clone()));
            Vec::new()
        }
        Answer::CredentialSaved { credential, .. } => {
            state.panes.credentials.follow = Some(credential.id.clone());
            reload(state)
        }
        Answer::Tested { name, outcome } => {
            let Some(tested) = known(state, name).map(|credential| text::clean(&credential.name)) else { return Vec::new() };
            if outcome.ok {
                state.toast(Tone::Good, crate::t!("credentials.test_passed", name = tested));
            } else {
                state.toast(Tone::Bad, crate::t!("credentials.test_failed", name = tested));
            }
            reload(state)
        }
        Answer::CredentialDeleted { name, done } => {
            let deleted = known(state, name).map_or_else(|| name.clone(), |credential| credential.name.clone());
            let name = text::clean(&deleted);
            let said = match (done.revoked, done.withdrawn) {
                (true, true) => crate::t!("credentials.deleted_both", name = name),
                (true, false) => crate::t!("credentials.deleted_revoked", name = name),
                (false, true) => crate::t!("credentials.deleted_withdrawn", name = name),
                (false, false) => crate::t!("credentials.deleted", name = name),
            };
            state.toast(Tone::Good, said);
            for problem in &done.left {
                state.show(problem.clone());
            }
            reload(state)
        }
        Answer::CredentialRevoked { name, at_vendor } => {
            let revoked = known(state, name).map_or_else(|| name.clone(), |credential| credential.name.clone());
            let name = text::clean(&revoked);
            if *at_vendor {
                state.toast(Tone::Good, crate::t!("credentials.revoked", name = name));
            } else {
                state.toast(Tone::Notice, crate::t!("credentials.not_revoked", name = name));
            }
            reload(state)
        }
        Answer::Rotated { name, outcome } => {
            let rotated = known(state, name).map_or_else(|| name.clone(), |credential| credential.name.clone());
            let name = text::clean(&rotated);
            if outcome.ok {
                state.toast(Tone::Good, crate::t!("credentials.rotate.done", name = name));
            } else {
                state.toast(Tone::Bad, crate::t!("credentials.rotate.kept", name = name));
                if let Some(problem) = &outcome.problem {
                    state.show(problem.clone());
                }
            }
            reload(state)
        }
        Answer::Calendar(rows) => {
            let layer = pages::calendar(rows, state);
            state.push(layer)
        }
        Answer::Scopes { credential, report } => {
            let name = known(state, credential).map_or_else(|| credential.clone(), |credential| credential.name.clone());
            let layer = pages::scopes(&name, report, state);
            state.push(layer)
        }
        Answer::Tokens { credential, tokens } => {
            let name = known(state, credential).map_or_else(|| credential.clone(), |credential| credential.name.clone());
            let layer = pages::tokens(&name, tokens, state);
            state.push(layer)
        }
        Answer::DraftSaved | Answer::DraftDiscarded if state.wizard().is_none() => reload(state),
        Answer::IntegrationChanged(integration) if std::mem::take(&mut state.panes.credentials.drafting) => {
            crate::tui::panes::select(state, Pane::Integrations, &integration.id);
            let mut effects = go(state, Pane::Integrations);
            effects.extend(wizard::integration::open(state, &integration.id));
            effects
        }
        _ => Vec::new(),
    }
}

fn reload(state: &mut State) -> Effects {
    if state.pane == Pane::Credentials { load(state) } else { Vec::new() }
}

fn known<'s>(state: &'s State, name: &str) -> Option<&'s Credential> {
    state.panes.credentials.list.items().iter().find_map(|row| match row {
        Row::Credential(credential) if credential.id == name || credential.name == name => Some(&**credential),
        _ => None,
    })
}

pub fn selected(state: &State) -> bool {
    state.panes.credentials.list.selected().is_some()
}

pub fn on_credential(state: &State) -> bool {
    state.panes.credentials.credential().is_some()
}

fn chosen(state: &State) -> Option<Credential> {
    state.panes.credentials.credential().cloned()
}

pub fn test(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    let title = crate::t!("credentials.testing", name = text::clean(&credential.name));
    state.start(watched(&format!("credential.test.{}", credential.id), title, NETWORK, Job::CredentialTest(credential.id)))
}

/// Goes on with a draft; shows everything about a credential.
pub fn open(state: &mut State) -> Effects {
    match state.panes.credentials.list.selected().cloned() {
        Some(Row::Draft(draft)) => wizard::credential::resume(state, &draft.id),
        Some(Row::Credential(credential)) => {
            let reader = Reader { title: text::clean(&credential.name), lines: details(&credential, state), scroll: Scrolled::default() };
            state.push(Layer::Reader(reader))
        }
        None => Vec::new(),
    }
}

/// Everything that is known about a credential, and nothing that is secret.
fn details(credential: &Credential, state: &State) -> Vec<Line> {
    let pane = &state.panes.credentials;
    let mut lines = Vec::new();
    let mut push = |term: &str, said: String| lines.push(Line { term: term.to_owned(), text: said });
    let connector = pane.connector(&credential.connector).map_or(credential.connector.as_str(), |row| &*row.name);
    push(crate::t!("credentials.connector"), text::clean(connector));
    push(crate::t!("credentials.method"), text::clean(&credential.method));
    push(crate::t!("credentials.status"), labels::credential_status(credential.status).0.to_owned());
    for (key, value) in &credential.settings {
        push(&text::clean(key), text::clean(value));
    }
    for key in &credential.secrets {
        push(&text::clean(key), crate::t!("credentials.in_vault").to_owned());
    }
    for (key, reference) in &credential.references {
        push(&text::clean(key), crate::t!("credentials.read_from", reference = text::clean(reference)));
    }
    for (key, value) in &credential.found {
        push(&text::clean(key), crate::t!("credentials.found", value = text::clean(value)));
    }
    if !credential.scopes.is_empty() {
        push(crate::t!("credentials.scopes"), text::clean(&credential.scopes.join(", ")));
    }
    if !credential.granted.is_empty() {
        push(crate::t!("credentials.granted"), text::clean(&credential.granted.join(", ")));
    }
    for (what, at) in [
        (crate::t!("credentials.access_token"), credential.access_expires),
        (crate::t!("credentials.refresh_token"), credential.refresh_expires),
        (crate::t!("credentials.secret"), credential.secret_expires),
    ] {
        if let Some(at) = at {
            push(what, crate::t!("credentials.ends", at = when::absolute(at), when = when::relative(at, state.now)));
        }
    }
    if credential.refreshes {
        push("", crate::t!("credentials.refreshes").to_owned());
    }
    if let Some(test) = &credential.last_test {
        push(crate::t!("credentials.last_test"), when::absolute(test.at));
        push(crate::t!("terms.request"), text::clean(&test.request));
        push(
            crate::t!("terms.answer"),
            match test.status {
                Some(status) => crate::t!("terms.answered", status = status, ms = crate::words::number(test.milliseconds)),
                None => crate::t!("terms.no_answer", ms = crate::words::number(test.milliseconds)),
            },
        );
        if test.ok {
            push(crate::t!("terms.proves"), text::clean(&test.proves));
        }
        if let Some(problem) = &test.problem {
            push(crate::t!("credentials.problem"), text::clean(&problem.what));
            push(crate::t!("problem.why"), text::clean(&problem.why));
            push(crate::t!("problem.do"), text::clean(&problem.next_step));
        }
    }
    if let Some((id, integrations)) = &pane.used_by
        && *id == credential.id
    {
        push(crate::t!("credentials.used_by"), names(integrations));
    }
    push(crate::t!("credentials.created"), when::absolute(credential.created));
    push(crate::t!("credentials.id"), text::clean(&credential.id));
    lines
}

/// Names in a row, or that there are none.
#[must_use]
pub fn names(integrations: &[Integration]) -> String {
    if integrations.is_empty() {
        return crate::t!("credentials.unused").to_owned();
    }
    integrations.iter().map(|integration| text::clean(&integration.name)).collect::<Vec<_>>().join(", ")
}

pub fn renew(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    wizard::credential::renew(state, &credential.name)
}

pub fn add(state: &mut State) -> Effects {
    go(state, Pane::Connectors)
}

pub fn draft_integration(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    draft_from(state, &credential)
}

/// Makes an integration that reads from a credential, under its name, and opens its editor when it is there.
pub fn draft_from(state: &mut State, credential: &Credential) -> Effects {
    let taken: Vec<&str> = state.panes.integrations.list.items().iter().map(|row| row.integration.name.as_str()).collect();
    let mut name = credential.name.clone();
    let mut number = 1u32;
    while taken.contains(&name.as_str()) {
        number += 1;
        name = format!("{} {number}", credential.name);
    }
    state.panes.credentials.drafting = true;
    state.start(write("credential.draft", Job::IntegrationNew { name, credential: Some(credential.id.clone()) }))
}

pub fn can_rotate(state: &State) -> bool {
    state.panes.credentials.credential().is_some_and(|credential| !credential.secrets.is_empty())
}

pub fn has_scopes(state: &State) -> bool {
    state.panes.credentials.credential().is_some_and(|credential| !credential.scopes.is_empty() || !credential.granted.is_empty())
}

/// What ends when, of all credentials.
pub fn calendar(state: &mut State) -> Effects {
    state.start(read("credential.calendar", Job::LoadCalendar))
}

pub fn scopes(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    state.start(read("credential.scopes", Job::LoadScopes(credential.id)))
}

pub fn tokens(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    state.start(read("credential.tokens", Job::LoadTokens(credential.id)))
}

/// Asks when the secret ends.
pub fn expiry(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    state.panes.credentials.asked.clone_from(&credential.id);
    let now = credential.secret_expires.map(|at| at.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y-%m-%d").to_string());
    state.push(Layer::Prompt(Prompt {
        title: crate::t!("credentials.expiry.title", name = text::clean(&credential.name)),
        help: crate::t!("credentials.expiry.help").to_owned(),
        field: Field::new(now.as_deref().unwrap_or_default()),
        error: None,
        then: |state, typed| {
            let at = pages::day(typed, state.now).ok_or_else(|| crate::t!("credentials.expiry.wrong").to_owned())?;
            let name = state.panes.credentials.asked.clone();
            Ok(state.start(write("credential.expiry", Job::CredentialExpiry { name, at })))
        },
    }))
}

/// Asks which secret, where there are several, and for its new value.
pub fn rotate(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    state.panes.credentials.asked.clone_from(&credential.id);
    if let [only] = &credential.secrets[..] {
        state.panes.credentials.asked_secret.clone_from(only);
        return ask_new_secret(state);
    }
    let keys = credential.secrets.join(", ");
    state.push(Layer::Prompt(Prompt {
        title: crate::t!("credentials.rotate.which", name = text::clean(&credential.name)),
        help: crate::t!("credentials.rotate.which_help", keys = text::clean(&keys)),
        field: Field::new(&credential.secrets[0]),
        error: None,
        then: |state, typed| {
            let known = chosen(state).is_some_and(|credential| credential.secrets.iter().any(|key| key == typed));
            if !known {
                return Err(crate::t!("credentials.rotate.unknown").to_owned());
            }
            typed.clone_into(&mut state.panes.credentials.asked_secret);
            Ok(ask_new_secret(state))
        },
    }))
}

/// The secret that was replaced last, where the old one is still there.
fn replaced(credential: &Credential) -> Option<String> {
    credential.known.rotated.last().map(|rotated| rotated.field.clone())
}

pub fn can_rotate_back(state: &State) -> bool {
    state.panes.credentials.credential().is_some_and(|credential| replaced(credential).is_some())
}

/// Takes the old secret back, after it was tested.
pub fn rotate_back(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    let Some(key) = replaced(&credential) else { return Vec::new() };
    let shown = text::clean(&key);
    let layer = Confirm::task(
        crate::t!("credentials.rotate.back_question", key = shown, name = text::clean(&credential.name)),
        crate::t!("credentials.rotate.back_consequence").to_owned(),
        crate::t!("credentials.rotate.back_verb"),
        watched(
            "credential.rotate",
            crate::t!("credentials.rotate.back_task", key = shown),
            NETWORK,
            Job::CredentialRotateBack { name: credential.id, key },
        ),
    );
    state.push(layer)
}

fn ask_new_secret(state: &mut State) -> Effects {
    let key = text::clean(&state.panes.credentials.asked_secret).replace('_', " ");
    state.push(Layer::Prompt(Prompt {
        title: crate::t!("credentials.rotate.title", key = key),
        help: crate::t!("credentials.rotate.help").to_owned(),
        field: Field::secret(),
        error: None,
        then: |state, typed| {
            if typed.is_empty() {
                return Err(crate::t!("credentials.rotate.empty").to_owned());
            }
            let pane = &state.panes.credentials;
            let (name, key) = (pane.asked.clone(), pane.asked_secret.clone());
            let title = crate::t!("credentials.rotate.task", key = text::clean(&key));
            let value = Masked(Secret::new(typed));
            Ok(state.start(watched("credential.rotate", title, NETWORK, Job::CredentialRotate { name, key, value })))
        },
    }))
}

/// Asks where the answers go.
pub fn answers(state: &mut State) -> Effects {
    let Some((id, name)) = state.panes.credentials.list.selected().map(|row| (row.id(), row.name().to_owned())) else { return Vec::new() };
    answers::ask(state, Of::Credential(id), &name)
}

pub fn rename(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    state.panes.credentials.asked.clone_from(&credential.id);
    state.push(Layer::Prompt(Prompt {
        title: crate::t!("credentials.rename.title", name = text::clean(&credential.name)),
        help: crate::t!("credentials.rename.help").to_owned(),
        field: Field::new(&credential.name),
        error: None,
        then: |state, name| {
            if name.is_empty() {
                return Err(crate::t!("credentials.rename.empty").to_owned());
            }
            let id = state.panes.credentials.asked.clone();
            let other =
                state.panes.credentials.list.items().iter().any(|row| matches!(row, Row::Credential(_)) && row.name() == name && row.id() != id);
            if other {
                return Err(crate::t!("credentials.rename.taken", name = text::clean(name)));
            }
            Ok(state.start(write("credential.rename", Job::CredentialRename { name: id, to: name.to_owned() })))
        },
    }))
}

fn users(state: &State, credential: &Credential) -> Vec<Integration> {
    match &state.panes.credentials.used_by {
        Some((id, integrations)) if *id == credential.id => integrations.clone(),
        _ => Vec::new(),
    }
}

pub fn used_by(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    let integrations = users(state, &credential);
    let mut lines: Vec<Line> = integrations
        .iter()
        .map(|integration| Line {
            term: text::clean(&integration.name),
            text: match integration.state {
                IntegrationState::Draft => crate::t!("integration.state.draft"),
                IntegrationState::Active => crate::t!("integration.state.active"),
                IntegrationState::Paused => crate::t!("integration.state.paused"),
            }
            .to_owned(),
        })
        .collect();
    if lines.is_empty() {
        lines.push(Line { term: String::new(), text: crate::t!("credentials.unused_long").to_owned() });
    }
    let title = crate::t!("credentials.used_by_title", name = text::clean(&credential.name));
    state.push(Layer::Reader(Reader { title, lines, scroll: Scrolled::default() }))
}

pub fn delete(state: &mut State) -> Effects {
    match state.panes.credentials.list.selected().cloned() {
        Some(Row::Draft(draft)) => {
            let layer = Confirm::task(
                crate::t!("credentials.discard.question", name = text::clean(&draft.name)),
                crate::t!("credentials.discard.consequence").to_owned(),
                crate::t!("credentials.discard.verb"),
                write("credential.delete", Job::DraftDiscard(draft.id)),
            );
            state.push(layer)
        }
        Some(Row::Credential(credential)) => {
            let name = text::clean(&credential.name);
            let integrations = users(state, &credential);
            if !integrations.is_empty() {
                state.show(crate::problem!(Usage, "credentials.in_use", name = name, integrations = names(&integrations)));
                return Vec::new();
            }
            let layer = Confirm::task(
                crate::t!("credentials.delete.question", name = name),
                crate::t!("credentials.delete.consequence").to_owned(),
                crate::t!("credentials.delete.verb"),
                write("credential.delete", Job::CredentialDelete { name: credential.id.clone(), revoke: false }),
            );
            let title = crate::t!("credentials.deleting", name = name);
            let both = watched("credential.delete", title, NETWORK, Job::CredentialDelete { name: credential.id, revoke: true });
            state.push(Confirm::with(layer, crate::t!("credentials.delete.revoke"), both))
        }
        None => Vec::new(),
    }
}

pub fn revoke(state: &mut State) -> Effects {
    let Some(credential) = chosen(state) else { return Vec::new() };
    let name = text::clean(&credential.name);
    let integrations = users(state, &credential);
    let consequence = if integrations.is_empty() {
        crate::t!("credentials.revoke.unused").to_owned()
    } else {
        crate::t!("credentials.revoke.used", integrations = names(&integrations))
    };
    let title = crate::t!("credentials.revoking", name = name);
    let layer = Confirm::task(
        crate::t!("credentials.revoke.question", name = name),
        consequence,
        crate::t!("credentials.revoke.verb"),
        watched("credential.revoke", title, QUICK, Job::CredentialRevoke(credential.id)),
    );
    state.push(layer)
}

pub fn copy(state: &mut State) -> Effects {
    state.panes.credentials.list.selected().map(|row| vec![Effect::Copy(row.id())]).unwrap_or_default()
}
