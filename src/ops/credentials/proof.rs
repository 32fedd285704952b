//! The test: a token where the method needs one, and the connector's own harmless request. What it tells in passing is kept: ends that can be
//! read, and how far the clocks are apart.

use super::draft::{as_credential, kept, refuse_errors};
use super::get;
use crate::auth::{check, ends, references};
use crate::model::{Credential, Sink, TestOutcome};
use crate::ops::consent::registered;
use crate::ops::{Result, Workspace, discover};

/// Obtains a token where the method needs one, and makes the connector's test request. A failed test is `Ok` with `ok: false`.
pub async fn draft_test(ws: &Workspace, draft: &str, sink: &Sink) -> Result<TestOutcome> {
    refuse_errors(ws, &kept(ws, draft)?.draft)?;
    registered(ws, kept(ws, draft)?).await?;
    tested(ws, || Ok(as_credential(ws, &kept(ws, draft)?, draft)), sink).await
}

/// Tests a saved credential and keeps the outcome and the status.
pub async fn test(ws: &Workspace, name: &str, sink: &Sink) -> Result<TestOutcome> {
    tested(ws, || get(ws, name), sink).await
}

/// `read` is asked again once there is a token: what its response brought belongs to the test request.
async fn tested(ws: &Workspace, read: impl Fn() -> Result<Credential>, sink: &Sink) -> Result<TestOutcome> {
    // Who tests wants to know about what lies there now.
    read()?.references.values().for_each(|reference| references::forget(reference));
    let link = || -> Result<check::Link> { check::link(ws.store()?, ws.vault(), ws.catalog(), &read()?) };
    let first = link()?;
    let (tested, said) = match check::obtain(&first, sink).await? {
        Some(failed) => (failed, None),
        // What was never looked up, or was chosen anew, belongs to the test request as well.
        None => match discover::settle(ws, &read, sink).await {
            Ok(None) => {
                let ready = link()?;
                let tested = check::run(&ready, sink).await?;
                let said = if tested.outcome.ok { ends::ask(&ready, sink).await } else { None };
                (tested, said)
            }
            Ok(Some(choice)) => return Err(choice.unanswered()),
            Err(problem) if sink.cancelled() => return Err(problem),
            Err(problem) => (check::ended(&link()?, problem), None),
        },
    };
    let (found, said) = (ends::of(&first.subject), said.or_else(|| tested.secret_end.clone()));
    ws.store()?.note_standing(&read()?.id, |standing| {
        standing.status = Some(tested.status);
        standing.tested = Some(tested.outcome.at);
        standing.last_test = Some(tested.outcome.clone());
        // What the vendor said once is still so when it does not answer today.
        let said = said.or_else(|| standing.known.ends.iter().find(|end| end.known_from != "token").cloned());
        standing.known.ends = ends::together(said, found);
        if let Some(granted) = &tested.granted {
            standing.granted.clone_from(granted);
            standing.known.scopes_said = true;
        }
        standing.known.clock_ahead = tested.clock_ahead.or(standing.known.clock_ahead);
    })?;
    Ok(tested.outcome)
}
