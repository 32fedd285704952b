//! What a run puts into the inbox: that it failed, that it did only part, that it works again.

use crate::model::{Integration, Notice, Problem, Run, RunState, Severity, Time};
use crate::store::{StoreError, Tx, notices, runs};
use crate::{t, words};

/// A failure that lasts is said again after this.
const AGAIN: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

fn add(tx: &Tx<'_>, integration: &Integration, about: &str, severity: Severity, title: String, body: String) -> Result<(), StoreError> {
    let contacts = integration.contacts.clone();
    notices::add(tx, &Notice { id: 0, at: Time::now(), severity, title, body, about: about.to_owned(), contacts, read: false })?;
    Ok(())
}

fn told(problem: &Problem) -> String {
    t!("notice.problem", what = problem.what, why = problem.why, next = problem.next_step)
}

/// Whether two runs ended in the same trouble: then it is said once a day.
fn same_trouble(a: &Run, b: &Run) -> bool {
    let of = |run: &Run| run.problem.as_ref().map(|problem| (problem.what.clone(), problem.code.clone()));
    a.state == b.state && of(a) == of(b)
}

/// Called in the transaction that ends the run, before its row is updated.
pub(super) fn ended(tx: &Tx<'_>, integration: &Integration, run: &Run) -> Result<(), StoreError> {
    let about = format!("run:{}", run.run);
    let earlier = runs::list(tx, Some(&integration.id), 20)?;
    // A cancelled run says nothing about whether it works.
    let last = earlier.iter().find(|earlier| earlier.run != run.run && !earlier.dry_run && earlier.state != RunState::Cancelled);
    let name = &integration.name;
    match run.state {
        RunState::Failed | RunState::Partial => {
            let title = match run.state {
                RunState::Failed => t!("notice.run_failed", integration = name),
                _ => t!("notice.run_partial", integration = name),
            };
            if last.is_some_and(|last| same_trouble(last, run)) {
                let since = Time::now().checked_sub(jiff::SignedDuration::try_from(AGAIN).unwrap_or_default()).unwrap_or_default();
                if notices::titled(tx, &title, since)? {
                    return Ok(());
                }
            }
            let mut body = run.problem.as_ref().map(told).unwrap_or_default();
            if run.failed > 0 {
                if !body.is_empty() {
                    body.push('\n');
                }
                body.push_str(&t!("notice.records_failed", n = run.failed, read = words::number(run.read)));
            }
            let severity = if run.state == RunState::Failed { Severity::Error } else { Severity::Warning };
            add(tx, integration, &about, severity, title, body)
        }
        RunState::Succeeded if last.is_some_and(|last| matches!(last.state, RunState::Failed | RunState::Partial | RunState::Interrupted)) => {
            let body = t!("notice.recovered_body", read = words::number(run.read));
            add(tx, integration, &about, Severity::Hint, t!("notice.recovered", integration = name), body)
        }
        _ => Ok(()),
    }
}

/// A run whose process ended in the middle.
pub(super) fn interrupted(tx: &Tx<'_>, contacts: &[String], run: &Run) -> Result<(), StoreError> {
    let notice = Notice {
        id: 0,
        at: Time::now(),
        severity: Severity::Warning,
        title: t!("notice.interrupted", integration = run.integration_name),
        body: run.problem.as_ref().map(told).unwrap_or_default(),
        about: format!("run:{}", run.run),
        contacts: contacts.to_vec(),
        read: false,
    };
    notices::add(tx, &notice)?;
    Ok(())
}

/// A run that takes longer than a day.
pub(super) fn long(tx: &Tx<'_>, integration: &Integration, run: &Run) -> Result<(), StoreError> {
    let title = t!("notice.long", integration = integration.name);
    add(tx, integration, &format!("run:{}", run.run), Severity::Warning, title, t!("notice.long_body", run = run.run))
}

/// A scheduled run whose moment passed with nobody there to start it.
pub fn missed(tx: &Tx<'_>, integration: &Integration, moment: Time) -> Result<(), StoreError> {
    let about = format!("integration:{}", integration.id);
    let title = t!("notice.missed", integration = integration.name);
    // Said once for each moment, however often somebody looks.
    if notices::said(tx, &about, &title, moment)? {
        return Ok(());
    }
    add(tx, integration, &about, Severity::Warning, title, t!("notice.missed_body", moment = moment.strftime("%Y-%m-%d %H:%M UTC")))
}

/// A scheduled run that could not even be started.
pub fn not_started(tx: &Tx<'_>, integration: &Integration, problem: &Problem) -> Result<(), StoreError> {
    let about = format!("integration:{}", integration.id);
    let title = t!("notice.not_started", integration = integration.name);
    let since = Time::now().checked_sub(jiff::SignedDuration::try_from(AGAIN).unwrap_or_default()).unwrap_or_default();
    if notices::said(tx, &about, &title, since)? {
        return Ok(());
    }
    add(tx, integration, &about, Severity::Error, title, told(problem))
}
