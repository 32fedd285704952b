//! The plain console: the same wizards as lines of text, for screen readers, dumb terminals and slow lines.
//!
//! Nothing is drawn, moved or coloured; every question stands on a line of its own, every list is numbered, Enter goes back. What is
//! answered is saved as it is answered, so a lost connection loses nothing.
//!
//! - `pick`: choosing from a numbered list, and the small questions.
//! - `credential`, `integration`, `mapping`, `permission`: the wizards.
//! - `browse`: runs, data, inbox, vault.

mod browse;
mod credential;
mod integration;
mod mapping;
mod permission;
mod pick;

use crate::model::Sink;
use crate::ops::{self, Result, Workspace, overview};
use crate::prompt::{Waiting, ask, say};
use crate::words::clean;
use crate::{problem, t};

/// One sitting: the workspace, and what waits for the network.
pub struct Session {
    ws: Workspace,
    waiting: Waiting,
}

impl Session {
    fn wait<T, F: Future<Output = Result<T>>>(&self, work: impl FnOnce(Sink) -> F) -> Result<T> {
        // A line that is redrawn is noise to a screen reader.
        self.waiting.run(false, work)
    }

    /// Unlocks a vault that a passphrase protects, before something that needs its secrets.
    fn unlock(&self) -> Result<()> {
        let status = ops::vault::status(&self.ws)?;
        let question = match status.asks.as_deref() {
            Some("identity") => t!("cli.vault.identity_passphrase"),
            Some(_) => t!("cli.vault.passphrase"),
            None => return Ok(()),
        };
        ops::vault::unlock(&self.ws, &ask::secret(question)?)
    }
}

/// What the first list offers.
#[derive(Clone, Copy)]
enum Door {
    Connect,
    Credentials,
    Draft,
    Integrations,
    Runs,
    Data,
    Inbox,
    Vault,
}

const DOORS: [Door; 8] = [Door::Connect, Door::Credentials, Door::Draft, Door::Integrations, Door::Runs, Door::Data, Door::Inbox, Door::Vault];

impl Door {
    fn name(self) -> &'static str {
        match self {
            Self::Connect => t!("plain.door.connect"),
            Self::Credentials => t!("plain.door.credentials"),
            Self::Draft => t!("plain.door.draft"),
            Self::Integrations => t!("plain.door.integrations"),
            Self::Runs => t!("plain.door.runs"),
            Self::Data => t!("plain.door.data"),
            Self::Inbox => t!("plain.door.inbox"),
            Self::Vault => t!("plain.door.vault"),
        }
    }
}

/// Asks and answers until the person leaves or the input ends.
pub fn run(ws: Workspace) -> Result<()> {
    if !ask::possible() {
        return Err(problem!(Usage, "plain.no_terminal"));
    }
    let session = Session { ws, waiting: Waiting::default() };
    say::remark(t!("plain.welcome"));
    loop {
        match standing(&session).and_then(|()| pick::one(t!("plain.what"), &DOORS.map(|door| door.name().to_owned()))) {
            Ok(Some(chosen)) => match enter(&session, DOORS[chosen]) {
                Ok(()) => {}
                Err(problem) if ask::has_ended(&problem) => return Ok(()),
                Err(problem) => say::failure(&problem),
            },
            Ok(None) => {
                say::remark(t!("plain.bye"));
                return Ok(());
            }
            Err(problem) if ask::has_ended(&problem) => return Ok(()),
            Err(problem) => return Err(problem),
        }
    }
}

/// What there is, and what to do next.
fn standing(session: &Session) -> Result<()> {
    let overview = overview::summary(&session.ws)?;
    say::remark("");
    say::remark(&t!("plain.standing", credentials = overview.credentials, integrations = overview.integrations.len()));
    for step in overview.next_steps.iter().take(3) {
        say::remark(&t!("plain.next_step", text = clean::line(&step.text, 200)));
    }
    Ok(())
}

fn enter(session: &Session, door: Door) -> Result<()> {
    match door {
        Door::Connect => credential::connect(session),
        Door::Credentials => credential::browse(session),
        Door::Draft => integration::draft(session),
        Door::Integrations => integration::browse(session),
        Door::Runs => browse::runs(session),
        Door::Data => browse::data(session),
        Door::Inbox => browse::inbox(session),
        Door::Vault => browse::vault(session),
    }
}
