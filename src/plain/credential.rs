//! The credential wizard, and what can be done with credentials.

use indexmap::IndexMap;

use super::{Session, pick};
use crate::model::{Credential, CredentialDraft, Secret, Severity, labels};
use crate::ops::{Result, answers, connectors, credentials, discover};
use crate::prompt::{ask, credential as prompt, say};
use crate::t;
use crate::words::clean;

/// Finds a connector and walks its wizard.
pub fn connect(session: &Session) -> Result<()> {
    let Some(draft) = begin(session)? else { return Ok(()) };
    session.unlock()?;
    walk(session, draft)
}

/// A draft that was left, or a new one for a connector that is searched for.
fn begin(session: &Session) -> Result<Option<CredentialDraft>> {
    let ws = &session.ws;
    let left = credentials::drafts(ws)?;
    if !left.is_empty() {
        let mut items: Vec<String> = left.iter().map(|draft| t!("plain.credential.left", name = draft.name, connector = draft.connector)).collect();
        items.push(t!("plain.credential.new").to_owned());
        match pick::one(t!("plain.credential.which_draft"), &items)? {
            None => return Ok(None),
            Some(at) if at < left.len() => return Ok(left.into_iter().nth(at)),
            Some(_) => {}
        }
    }
    loop {
        let wanted = ask::text(t!("plain.credential.search"), None)?;
        if wanted.is_empty() {
            return Ok(None);
        }
        let rows = connectors::list(ws, Some(&wanted))?;
        if rows.is_empty() {
            say::remark(&t!("plain.no_such", text = clean::line(&wanted, 80)));
            continue;
        }
        let names: Vec<String> = rows.iter().map(|row| row.name.to_string()).collect();
        let Some(at) = pick::one(t!("plain.credential.which"), &names)? else { continue };
        let connector = connectors::get(ws, &rows[at].id)?;
        if !connector.summary.is_empty() {
            say::remark(&clean::line(&connector.summary, 300));
        }
        for note in &connector.notes {
            say::remark(&t!("plain.note", text = clean::line(note, 400)));
        }
        let methods: Vec<&String> = connector.auth.keys().collect();
        let method = if methods.len() > 1 {
            let named: Vec<String> = connector.auth.values().map(|method| method.name.clone()).collect();
            match pick::one(t!("plain.credential.method"), &named)? {
                Some(at) => methods[at].clone(),
                None => continue,
            }
        } else {
            methods.first().map(|method| (*method).clone()).unwrap_or_default()
        };
        return credentials::draft_new(ws, &connector.id, Some(method.as_str()).filter(|method| !method.is_empty())).map(Some);
    }
}

/// From what has to be done at the vendor to the saved credential. What goes wrong leaves the draft as it is then.
fn walk(session: &Session, mut draft: CredentialDraft) -> Result<()> {
    let ws = &session.ws;
    let connector = connectors::get(ws, &draft.connector)?;
    if let Some(method) = connector.auth.get(&draft.method) {
        if !method.role.is_empty() {
            say::remark(&t!("plain.pair", name = t!("checklist.role"), value = clean::line(&method.role, 200)));
        }
        for (number, step) in method.setup.iter().enumerate() {
            say::remark(&t!("plain.item", n = number + 1, text = clean::line(step, 400)));
        }
        if !method.setup_url.is_empty() {
            say::remark(&t!("plain.credential.setup_url", url = clean::line(&method.setup_url, 300)));
        }
    }
    if let Some(redirect) = credentials::redirect_uri(&connector, &draft) {
        say::remark(&t!("plain.credential.redirect", uri = clean::line(&redirect.uri, 300)));
        say::remark(&redirect.rule);
    }
    draft.name = pick::text(t!("plain.credential.name"), &draft.name)?;
    credentials::draft_save(ws, &draft)?;
    let mut again: Option<Vec<String>> = None;
    loop {
        let mut secrets: IndexMap<String, Secret> = IndexMap::new();
        for input in connector.inputs_for(&draft.method) {
            if again.as_ref().is_some_and(|places| !places.contains(&format!("input.{}", input.key))) {
                continue;
            }
            let kept = draft.secrets.contains(&input.key) || draft.references.contains_key(&input.key);
            prompt::question(&credentials::asked(ws, &connector, &draft, input), kept, &mut draft, &mut secrets)?;
            credentials::draft_save(ws, &draft)?;
            if let Some(secret) = secrets.swap_remove(&input.key) {
                draft = credentials::draft_secret(ws, &draft.id, &input.key, secret)?;
            }
        }
        if again.as_ref().is_some_and(|places| places.iter().any(|place| place == "name")) {
            draft.name = pick::text(t!("plain.credential.name"), &draft.name)?;
            credentials::draft_save(ws, &draft)?;
        }
        let found = credentials::draft_check(ws, &draft)?;
        if !pick::findings(&found) {
            break;
        }
        again = Some(found.into_iter().filter(|finding| finding.severity == Severity::Error).map(|finding| finding.place).collect());
        // What no question can mend, such as a setting from a file, ends here.
        let asked =
            |place: &String| place == "name" || connector.inputs_for(&draft.method).iter().any(|input| *place == format!("input.{}", input.key));
        if !again.iter().flatten().any(asked) {
            say::remark(&t!("cli.credential.draft_kept", name = clean::line(&draft.name, 120)));
            return Ok(());
        }
    }
    prove(session, &mut draft)
}

/// Consent, choices, test, save; a failed test leaves the choice of what to do.
fn prove(session: &Session, draft: &mut CredentialDraft) -> Result<()> {
    let ws = &session.ws;
    loop {
        if credentials::needs_consent(ws, draft)? {
            session.wait(async |sink| prompt::consent(ws, draft, crate::prompt::pasting::Source::Terminal, true, &sink).await)?;
        }
        while let Some(choice) = session.wait(async |sink| discover::discover(ws, &draft.id, &sink).await)?.into_iter().next() {
            let labels: Vec<String> = choice.options.iter().map(|option| option.label.clone()).collect();
            let Some(at) = pick::one(&t!("plain.credential.choose", title = clean::line(&choice.title, 80)), &labels)? else {
                say::remark(&t!("cli.credential.draft_kept", name = clean::line(&draft.name, 120)));
                return Ok(());
            };
            draft.settings.insert(choice.id, choice.options[at].value.clone());
            credentials::draft_save(ws, draft)?;
        }
        say::remark(t!("plain.credential.testing"));
        let outcome = session.wait(async |sink| credentials::draft_test(ws, &draft.id, &sink).await)?;
        if outcome.ok {
            say::remark(&t!("cli.credential.works", proves = clean::line(&outcome.proves, 300)));
            break;
        }
        if let Some(problem) = &outcome.problem {
            say::failure(problem);
        }
        let ways = [t!("plain.credential.test_again"), t!("plain.credential.change"), t!("plain.credential.save_anyway")].map(str::to_owned);
        match pick::one(t!("plain.what"), &ways)? {
            Some(0) => {}
            Some(1) => return walk(session, credentials::draft_get(ws, &draft.id)?),
            Some(_) => break,
            None => {
                say::remark(&t!("cli.credential.draft_kept", name = clean::line(&draft.name, 120)));
                return Ok(());
            }
        }
    }
    let credentials::Saved { credential, remark } = session.wait(async |_| credentials::save(ws, &draft.id).await)?;
    if let Some(remark) = remark {
        say::remark(&remark);
    }
    say::remark(&t!("cli.credential.saved", name = clean::line(&credential.name, 120)));
    Ok(())
}

/// The credentials, one at a time.
pub fn browse(session: &Session) -> Result<()> {
    let ws = &session.ws;
    loop {
        let all = credentials::list(ws)?;
        if all.is_empty() {
            say::remark(t!("cli.credential.none"));
            return Ok(());
        }
        let row =
            |one: &Credential| t!("plain.credential.row", name = one.name, connector = one.connector, status = labels::credential_status(one.status));
        let Some(at) = pick::one(t!("plain.credential.which_one"), &all.iter().map(row).collect::<Vec<_>>())? else { return Ok(()) };
        one(session, &all[at].id)?;
    }
}

/// Ends what the vendor holds first; where that fails, a person decides. `false`: it stays.
fn delete(session: &Session, credential: &Credential) -> Result<bool> {
    let ws = &session.ws;
    let at_vendor = credentials::held_at_vendor(ws, &credential.id)?;
    if at_vendor {
        session.unlock()?;
    }
    let retire = |at_vendor: bool| session.wait(async |_| credentials::retire(ws, &credential.id, at_vendor).await);
    let done = match retire(at_vendor) {
        Err(problem) if at_vendor => {
            say::failure(&problem);
            if !ask::yes(t!("cli.credential.delete_anyway"))? {
                return Ok(false);
            }
            retire(false)?
        }
        other => other?,
    };
    let name = clean::line(&credential.name, 120);
    if done.revoked {
        say::remark(&t!("cli.credential.revoked", name = name));
    }
    if done.withdrawn {
        say::remark(&t!("cli.credential.withdrawn", name = name));
    }
    say::remark(&t!("cli.deleted", name = name));
    done.left.iter().for_each(say::failure);
    Ok(true)
}

fn one(session: &Session, id: &str) -> Result<()> {
    let ws = &session.ws;
    loop {
        let credential = credentials::get(ws, id)?;
        read_out(session, &credential)?;
        let ways = [
            t!("plain.credential.test"),
            t!("plain.credential.renew"),
            t!("plain.credential.revoke"),
            t!("plain.credential.delete"),
            t!("plain.credential.answers"),
        ];
        let Some(way) = pick::one(t!("plain.what"), &ways.map(str::to_owned))? else { return Ok(()) };
        match way {
            0 => {
                session.unlock()?;
                let outcome = session.wait(async |sink| credentials::test(ws, id, &sink).await)?;
                match &outcome.problem {
                    Some(problem) => say::failure(problem),
                    None => say::remark(&t!("cli.credential.works", proves = clean::line(&outcome.proves, 300))),
                }
            }
            1 => {
                session.unlock()?;
                walk(session, credentials::renew(ws, id)?)?;
            }
            2 => {
                if ask::yes(&t!("cli.credential.confirm_revoke", name = clean::line(&credential.name, 120)))? {
                    session.unlock()?;
                    let name = clean::line(&credential.name, 120);
                    let revoked = session.wait(async |_| credentials::revoke(ws, id).await)?;
                    say::remark(&if revoked { t!("cli.credential.revoked", name = name) } else { t!("cli.credential.not_revoked", name = name) });
                }
            }
            3 => {
                let question = t!("cli.confirm.delete_credential", name = clean::line(&credential.name, 120));
                if ask::yes(&question)? && delete(session, &credential)? {
                    return Ok(());
                }
            }
            _ => say::remark(&answers::of(ws, id)?),
        }
    }
}

fn read_out(session: &Session, credential: &Credential) -> Result<()> {
    say::remark("");
    say::remark(&t!(
        "plain.credential.row",
        name = clean::line(&credential.name, 120),
        connector = credential.connector,
        status = labels::credential_status(credential.status)
    ));
    for (key, value) in &credential.settings {
        say::remark(&t!("plain.pair", name = clean::line(key, 80), value = clean::line(value, 300)));
    }
    if !credential.granted.is_empty() {
        say::remark(&t!("plain.pair", name = t!("cli.column.granted"), value = clean::line(&credential.granted.join(" "), 400)));
    }
    for (name, at) in [
        (t!("cli.column.refresh_expires"), credential.refresh_expires),
        (t!("cli.column.secret_expires"), credential.secret_expires),
        (t!("cli.column.tested"), credential.tested),
    ] {
        if let Some(at) = at {
            say::remark(&t!("plain.pair", name = name, value = at));
        }
    }
    let users: Vec<String> = credentials::used_by(&session.ws, &credential.id)?.into_iter().map(|one| clean::line(&one.name, 80)).collect();
    if !users.is_empty() {
        say::remark(&t!("plain.pair", name = t!("cli.column.used_by"), value = users.join(", ")));
    }
    if let Some(problem) = credential.last_test.as_ref().and_then(|outcome| outcome.problem.as_ref()) {
        say::failure(problem);
    }
    Ok(())
}
