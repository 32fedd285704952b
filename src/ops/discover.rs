//! What is looked up after the login: which site, which account. Where several fit, a person chooses.

use super::credentials::draft::{as_credential, kept, refuse_errors};
use super::{Result, Workspace};
use crate::auth::check::{self, Link};
use crate::auth::discover::{self, Looked, Open};
use crate::model::{AuthMethod, Credential, Problem, Sink};
use crate::problem;
use crate::words::clean;

/// A question that only the vendor's answer makes possible.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Choice {
    /// The setting of the draft that holds the answer.
    pub id: String,
    /// "Site".
    pub title: String,
    pub options: Vec<ChoiceOption>,
}

#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct ChoiceOption {
    pub value: String,
    pub label: String,
}

impl Choice {
    /// For where nobody can be asked: which setting answers it, and with what.
    #[must_use]
    pub fn unanswered(&self) -> Problem {
        let options = discover::listed(&self.options.iter().map(|one| (one.value.clone(), one.label.clone())).collect::<Vec<_>>());
        problem!(PersonMustAct, "discover.open", title = clean::line(&self.title, 80), id = clean::line(&self.id, 40), options = options)
    }
}

/// The settings that answer such questions.
pub fn settings(method: &AuthMethod) -> impl Iterator<Item = &str> {
    method.discover.iter().map(|step| step.id.as_str())
}

/// Makes the lookups of the draft's method with the token that it has (one is obtained where that needs no person), and keeps what they find.
/// What is left for a person to choose comes back; a chosen value is a setting of the draft, and the next call goes on from there.
pub async fn discover(ws: &Workspace, draft: &str, sink: &Sink) -> Result<Vec<Choice>> {
    let read = || Ok(as_credential(ws, &kept(ws, draft)?, draft));
    let link = link(ws, &read()?)?;
    if link.subject.method().discover.is_empty() {
        return Ok(Vec::new());
    }
    refuse_errors(ws, &kept(ws, draft)?.draft)?;
    if let Some(failed) = check::obtain(&link, sink).await? {
        return Err(failed.outcome.problem.unwrap_or_else(|| problem!(Failed, "discover.no_token", vendor = link.subject.vendor())));
    }
    Ok(settle(ws, read, sink).await?.into_iter().collect())
}

fn link(ws: &Workspace, credential: &Credential) -> Result<Link> {
    check::link(ws.store()?, ws.vault(), ws.catalog(), credential)
}

/// Makes all lookups that can be made, with the token that there is. `read` is asked again after each: the next may need what was found.
pub(in crate::ops) async fn settle(ws: &Workspace, read: impl Fn() -> Result<Credential>, sink: &Sink) -> Result<Option<Choice>> {
    loop {
        let credential = read()?;
        match discover::next(&link(ws, &credential)?, sink).await? {
            Looked::Done => return Ok(None),
            Looked::Open(Open { id, title, options }) => {
                let options = options.into_iter().map(|(value, label)| ChoiceOption { value, label }).collect();
                return Ok(Some(Choice { id, title, options }));
            }
            Looked::Found { keep, forget } => {
                ws.store()?.note_standing(&credential.id, |standing| {
                    standing.found.retain(|name, _| !forget.contains(name));
                    standing.found.extend(keep);
                })?;
            }
        }
    }
}
