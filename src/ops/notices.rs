//! The inbox.

use jiff::SignedDuration;

use super::{Result, Workspace, credentials};
use crate::model::{CredentialStatus, Notice, Severity, Time};
use crate::store::notices;
use crate::words::clean;
use crate::{problem, t};

/// So many days before its end something is told, each once.
const DAYS: [i64; 4] = [1, 7, 14, 30];
/// A credential that does not work is told again after this.
const AGAIN: SignedDuration = SignedDuration::from_hours(24 * 7);

/// Newest first.
pub fn list(ws: &Workspace, unread_only: bool, limit: usize) -> Result<Vec<Notice>> {
    Ok(ws.store()?.read(|connection| notices::list(connection, unread_only, limit))?)
}

/// Marks one, or all when `None`, as read (or unread).
pub fn mark(ws: &Workspace, id: Option<i64>, read: bool) -> Result<()> {
    let marked = ws.store()?.write(|transaction| notices::mark(transaction, id, read))?;
    match id {
        Some(id) if marked == 0 => Err(problem!(Usage, "core.not_found", noun = crate::t!("notice.noun"), name = id)),
        _ => Ok(()),
    }
}

/// Puts into the inbox what ends soon and does not renew itself, once for each thirty, fourteen, seven and one days before, and once when it
/// has ended; and credentials that do not work. How many were new.
pub fn raise(ws: &Workspace) -> Result<usize> {
    let now = Time::now();
    let all = credentials::list(ws)?;
    let mut raised = Vec::new();
    for row in credentials::calendar(ws)?.into_iter().filter(|row| !row.automatic) {
        let left = row.at.duration_since(now);
        let Some(days) = step(left) else { continue };
        let (name, what, day) = (clean::line(&row.name, 120), what(&row.what), row.at.strftime("%Y-%m-%d %H:%M UTC"));
        let title = match days {
            0 => t!("notice.ended", name = name, what = what),
            days => t!("notice.ends", name = name, what = what, n = days),
        };
        let used = if row.used_by.is_empty() { t!("notice.ends_unused").to_owned() } else { clean::line(&row.used_by.join(", "), 300) };
        let body = t!("notice.ends_body", day = day, used = used);
        let severity = if days <= 1 { Severity::Error } else { Severity::Warning };
        // A later end, after a renewal, is another one: it is told anew.
        let since = row.at.checked_sub(SignedDuration::from_hours(24 * 40)).unwrap_or_default();
        raised.push((row.credential, severity, title, body, since));
    }
    for credential in all {
        if let Some(problem) = &credential.known.tokens_waiting {
            let title = t!("notice.tokens_waiting", name = clean::line(&credential.name, 120));
            let body = t!("notice.problem", what = problem.what, why = problem.why, next = problem.next_step);
            raised.push((credential.id.clone(), Severity::Error, title, body, now.checked_sub(AGAIN).unwrap_or_default()));
        }
        if !matches!(credential.status, CredentialStatus::NeedsConsent | CredentialStatus::Refused) {
            continue;
        }
        let problem = credential.last_test.as_ref().and_then(|outcome| outcome.problem.as_ref());
        let body = problem.map(|problem| t!("notice.problem", what = problem.what, why = problem.why, next = problem.next_step)).unwrap_or_default();
        let title = t!("notice.credential_broken", name = clean::line(&credential.name, 120));
        raised.push((credential.id, Severity::Error, title, body, now.checked_sub(AGAIN).unwrap_or_default()));
    }
    if raised.is_empty() {
        return Ok(0);
    }
    let store = ws.store()?;
    let new = store.read(|connection| {
        let mut new = Vec::new();
        for one in raised {
            if !notices::said(connection, &format!("credential:{}", one.0), &one.2, one.4)? {
                new.push(one);
            }
        }
        Ok(new)
    })?;
    if new.is_empty() {
        return Ok(0);
    }
    let mut notes = Vec::with_capacity(new.len());
    for (credential, severity, title, body, since) in new {
        let mut contacts: Vec<String> = store.integrations_using(&credential)?.into_iter().flat_map(|integration| integration.contacts).collect();
        contacts.sort();
        contacts.dedup();
        notes.push((Notice { id: 0, at: now, severity, title, body, about: format!("credential:{credential}"), contacts, read: false }, since));
    }
    Ok(store.write(|transaction| {
        let mut added = 0;
        for (notice, since) in &notes {
            // Another process may have been quicker.
            if !notices::said(transaction, &notice.about, &notice.title, *since)? {
                notices::add(transaction, notice)?;
                added += 1;
            }
        }
        Ok(added)
    })?)
}

/// The step that so much time before the end is in; zero after it.
fn step(left: SignedDuration) -> Option<i64> {
    if left <= SignedDuration::ZERO {
        return Some(0);
    }
    DAYS.into_iter().find(|days| left <= SignedDuration::from_hours(24 * days))
}

fn what(kind: &str) -> &'static str {
    match kind {
        "access_token" => t!("notice.what.access_token"),
        "refresh_token" => t!("notice.what.refresh_token"),
        "certificate" => t!("notice.what.certificate"),
        "key" => t!("notice.what.key"),
        _ => t!("notice.what.secret"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Credential;

    #[test]
    fn each_step_before_an_end_is_told_once() {
        let dir = tempfile::tempdir().unwrap();
        let ws = Workspace::open(dir.path(), super::super::Config::default());
        let json = serde_json::json!({"id": "cred_a", "name": "Clickwrap", "connector": "c", "method": "m", "settings": {}, "secrets": [],
            "status": "valid", "created": "2026-01-01T00:00:00Z"});
        let mut credential: Credential = serde_json::from_value(json).unwrap();
        let mut told = |days: i64| {
            credential.secret_expires = Some(Time::now() + SignedDuration::from_hours(24 * days) - SignedDuration::from_mins(5));
            ws.store().unwrap().save_credential(&credential, None).unwrap();
            let raised = raise(&ws).unwrap();
            assert_eq!(raise(&ws).unwrap(), 0, "said once");
            raised
        };
        assert_eq!([31, 30, 29, 14, 10, 7, 2, 1, 1].map(&mut told), [0, 1, 0, 1, 0, 1, 0, 1, 0]);
        assert_eq!(told(-1), 1, "and when it has ended");
        let all = list(&ws, false, 10).unwrap();
        assert!(all[0].title.contains("Clickwrap") && all[0].about == "credential:cred_a", "{all:?}");
        credential.secret_expires = None;
        credential.status = CredentialStatus::NeedsConsent;
        ws.store().unwrap().save_credential(&credential, None).unwrap();
        assert_eq!((raise(&ws).unwrap(), raise(&ws).unwrap()), (1, 0));
    }
}
