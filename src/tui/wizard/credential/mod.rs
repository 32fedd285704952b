//! The credential wizard: method, inputs, scopes, name, consent, test. One question at a time, never trapped: everything typed is saved, every
//! step can be left in both directions, and what was left half-way is a draft that can be gone on with.

mod consent;
mod flow;
mod outcome;
mod steps;
#[cfg(test)]
mod tests;
pub mod view;

use super::{Context, Event, Handled, Kind, Request, Wizard};
use crate::command;
use crate::ops::answers::Of;
use crate::tui::app::command::{Command, Scope, always};
use crate::tui::app::effect::{Effects, Job};
use crate::tui::app::global;
use crate::tui::app::layers::{Layer, LayerKind};
use crate::tui::app::msg::Answer;
use crate::tui::app::state::State;
use crate::tui::app::tasks::read;
use consent::{Consent, Waiting};
use flow::secret::{Meant, meant};
use flow::{Entry, Flow};
use steps::Step;

/// Key of the task that makes or loads the draft.
const OPEN: &str = "wizard.credential.open";

const TYPING: Scope = Scope::Layer(LayerKind::Wizard(Kind::Credential));
const CONSENT: Scope = Scope::Layer(LayerKind::Wizard(Kind::CredentialConsent));
const MEND: Scope = Scope::Layer(LayerKind::Wizard(Kind::CredentialMend));
const TEST: Scope = Scope::Layer(LayerKind::Wizard(Kind::CredentialTest));
const CHOOSE: Scope = Scope::Layer(LayerKind::Wizard(Kind::CredentialChoose));
const SAVED: Scope = Scope::Layer(LayerKind::Wizard(Kind::CredentialSaved));

/// A command that the machine carries out.
macro_rules! own {
    ($id:literal, [$($key:literal),*], $scope:expr, $available:expr) => {
        command!($id, [$($key),*], $scope, $available, |state| super::event(state, &Event::Command($id)).unwrap_or_default())
    };
}

pub const COMMANDS: &[Command] = &[
    own!("wizard.credential.next", ["enter", "tab"], TYPING, ready),
    own!("wizard.credential.back", ["esc", "shift-tab"], TYPING, always),
    own!("wizard.credential.toggle", ["space"], TYPING, choosing_scopes),
    own!("wizard.credential.scope", ["a"], TYPING, choosing_scopes),
    own!("wizard.credential.reveal", ["ctrl-r"], TYPING, secret),
    own!("wizard.credential.literal", ["ctrl-t"], TYPING, reference),
    own!("wizard.credential.guide", ["ctrl-g"], TYPING, ready),
    own!("wizard.credential.page", ["ctrl-o"], TYPING, has_page),
    own!("wizard.credential.keep", ["ctrl-s"], TYPING, ready),
    command!("wizard.credential.answers", ["ctrl-x"], TYPING, ready, save_answers),
    own!("wizard.credential.addresses", ["ctrl-d"], TYPING, has_addresses),
    Command { quiet: true, ..command!("wizard.credential.help", ["f1"], TYPING, always, global::help) },
    own!("wizard.consent.enter", ["enter"], CONSENT, can_enter),
    own!("wizard.consent.open", ["o", "b"], CONSENT, has_browser),
    own!("wizard.consent.device", ["d"], CONSENT, has_device),
    own!("wizard.consent.copy", ["c"], CONSENT, has_link),
    own!("wizard.consent.qr", ["q"], CONSENT, waits),
    own!("wizard.consent.whole", ["u"], CONSENT, waits),
    own!("wizard.consent.paste", ["tab"], CONSENT, can_paste),
    own!("wizard.consent.request", ["r"], CONSENT, has_request),
    own!("wizard.consent.again", ["a"], CONSENT, can_begin_again),
    own!("wizard.consent.back", ["esc", "shift-tab"], CONSENT, always),
    own!("wizard.consent.ssh", ["s"], CONSENT, has_ssh),
    own!("wizard.consent.redirect", ["y"], CONSENT, has_link),
    own!("wizard.consent.keep", ["ctrl-s"], CONSENT, always),
    own!("wizard.consent.later", ["l"], CONSENT, not_typing),
    own!("wizard.consent.guide", ["ctrl-g"], CONSENT, always),
    Command { quiet: true, ..command!("wizard.consent.help", ["f1"], CONSENT, always, global::help) },
    own!("wizard.mend.go", ["enter"], MEND, not_typing),
    own!("wizard.mend.back", ["esc", "shift-tab"], MEND, always),
    own!("wizard.mend.save", ["s"], MEND, can_save_unmended),
    own!("wizard.mend.keep", ["ctrl-s"], MEND, always),
    own!("wizard.mend.addresses", ["ctrl-d"], MEND, has_addresses),
    Command { quiet: true, ..command!("wizard.mend.help", ["f1"], MEND, always, global::help) },
    own!("wizard.test.save", ["enter"], TEST, not_typing),
    own!("wizard.test.again", ["r"], TEST, can_test),
    own!("wizard.test.back", ["esc", "shift-tab"], TEST, always),
    own!("wizard.test.keep", ["ctrl-s"], TEST, always),
    own!("wizard.test.addresses", ["ctrl-d"], TEST, has_addresses),
    command!("wizard.test.answers", ["ctrl-x"], TEST, always, save_answers),
    Command { quiet: true, ..command!("wizard.test.help", ["f1"], TEST, always, global::help) },
    own!("wizard.choose.pick", ["enter"], CHOOSE, always),
    own!("wizard.choose.back", ["esc"], CHOOSE, always),
    command!("wizard.saved.draft", ["enter", "n"], SAVED, always, draft_integration),
    own!("wizard.saved.close", ["esc", "q"], SAVED, always),
    Command { quiet: true, ..command!("wizard.saved.help", ["f1"], SAVED, always, global::help) },
];

#[derive(Debug)]
pub struct Machine {
    /// What the crumb says while nothing is loaded.
    about: String,
    flow: Option<Box<Flow>>,
}

fn flow(state: &State) -> Option<&Flow> {
    match state.layers.last() {
        Some(Layer::Wizard(wizard)) => match &**wizard {
            Wizard::Credential(machine) => machine.flow.as_deref(),
            _ => None,
        },
        _ => None,
    }
}

fn holds(state: &State, what: impl Fn(&Flow) -> bool) -> bool {
    flow(state).is_some_and(what)
}

fn ready(state: &State) -> bool {
    flow(state).is_some()
}

fn choosing_scopes(state: &State) -> bool {
    holds(state, |flow| flow.addresses.is_none() && matches!(&flow.entry, Entry::Scopes { adding: None, .. }))
}

fn secret(state: &State) -> bool {
    holds(state, |flow| flow.addresses.is_none() && matches!(&flow.entry, Entry::Text(typed) if typed.field.secret))
}

fn reference(state: &State) -> bool {
    holds(state, |flow| {
        flow.addresses.is_none() && matches!(&flow.entry, Entry::Text(typed) if typed.field.secret && meant(typed.field.text()) != Meant::Value)
    })
}

/// What was answered so far, as a file. What stands in the field is saved first.
fn save_answers(state: &mut State) -> Effects {
    let Some((id, name)) = flow(state).map(|flow| (flow.draft.id.clone(), flow.draft.name.clone())) else { return Vec::new() };
    let mut effects = super::with_top(state, |wizard| match wizard {
        Wizard::Credential(machine) => machine.flow.as_mut().map(|flow| flow.save_now()).unwrap_or_default(),
        _ => Vec::new(),
    });
    effects.extend(crate::tui::app::answers::ask(state, Of::Credential(id), &name));
    effects
}

fn has_page(state: &State) -> bool {
    holds(state, |flow| flow.page().is_some())
}

fn has_addresses(state: &State) -> bool {
    holds(state, Flow::has_addresses)
}

fn not_typing(state: &State) -> bool {
    holds(state, |flow| !flow.typing())
}

fn waits(state: &State) -> bool {
    not_typing(state) && holds(state, |flow| flow.consent.waiting().is_some())
}

fn has_browser(state: &State) -> bool {
    waits(state) && holds(state, |flow| flow.consent.waiting().is_some_and(|waiting| waiting.view.browser_here))
}

fn has_ssh(state: &State) -> bool {
    waits(state) && holds(state, |flow| flow.consent.waiting().is_some_and(|waiting| waiting.view.ssh_line.is_some()))
}

fn has_link(state: &State) -> bool {
    waits(state) && waiting(state, Waiting::has_link)
}

fn has_device(state: &State) -> bool {
    waits(state) && waiting(state, |waiting| waiting.view.device.is_some())
}

fn has_request(state: &State) -> bool {
    waits(state) && waiting(state, |waiting| waiting.view.request.is_some())
}

fn waiting(state: &State, what: impl Fn(&Waiting) -> bool) -> bool {
    holds(state, |flow| flow.consent.waiting().is_some_and(&what))
}

fn can_paste(state: &State) -> bool {
    waiting(state, Waiting::can_paste)
}

fn can_enter(state: &State) -> bool {
    holds(state, |flow| match &flow.consent {
        Consent::Starting => false,
        Consent::Waiting(waiting) => waiting.focused,
        _ => true,
    })
}

fn can_begin_again(state: &State) -> bool {
    not_typing(state) && holds(state, |flow| !matches!(flow.consent, Consent::Starting | Consent::Idle))
}

fn can_save_unmended(state: &State) -> bool {
    not_typing(state) && holds(state, |flow| flow.errors().next().is_none())
}

fn can_test(state: &State) -> bool {
    not_typing(state) && holds(state, |flow| !matches!(flow.test, outcome::Test::Running | outcome::Test::Waiting))
}

/// From the credential that was just saved to the integration that uses it.
fn draft_integration(state: &mut State) -> Effects {
    let Some(saved) = flow(state).and_then(|flow| flow.saved.clone()) else { return Vec::new() };
    state.layers.pop();
    crate::tui::panes::credentials::update::draft_from(state, &saved)
}

impl Machine {
    fn opening(about: &str) -> Self {
        Self { about: about.to_owned(), flow: None }
    }

    pub fn handle(&mut self, event: &Event, context: Context) -> Handled {
        if let Some(flow) = &mut self.flow {
            return flow.handle(event, context);
        }
        match event {
            Event::Answer(Answer::Draft { draft, connector, needs_consent }) => {
                let fresh = draft.step.is_empty();
                let flow = self.flow.insert(Box::new(Flow::new(draft.clone(), connector.clone(), *needs_consent, fresh)));
                // A wait that a lost connection ended goes on where it was.
                Some(if fresh { Vec::new() } else { flow.go_on() })
            }
            Event::Failed { key, problem } if key == OPEN => Some(vec![Request::Close, Request::Show(problem.clone())]),
            Event::Cancelled { key } if key == OPEN => Some(vec![Request::Close]),
            Event::Command("wizard.credential.back") => Some(vec![Request::Stop(OPEN.to_owned()), Request::Close]),
            _ => None,
        }
    }

    /// Which commands belong to what is in front.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.flow.as_deref() {
            Some(flow) if flow.saved.is_some() => Kind::CredentialSaved,
            Some(flow) if flow.addresses.is_some() => Kind::Credential,
            Some(flow) if flow.choosing.is_some() => Kind::CredentialChoose,
            Some(flow) => match flow.step() {
                Step::Consent => Kind::CredentialConsent,
                Step::Test if flow.errors().next().is_some() || flow.needs_consent() => Kind::CredentialMend,
                Step::Test => Kind::CredentialTest,
                _ => Kind::Credential,
            },
            None => Kind::Credential,
        }
    }

    #[must_use]
    pub fn crumbs(&self) -> Vec<String> {
        vec![match &self.flow {
            Some(flow) if flow.draft.replaces.is_some() => crate::t!("wizard.credential.crumb.renew", name = flow.draft.name),
            Some(flow) => crate::t!("wizard.credential.crumb.connect", connector = flow.connector.name),
            None => self.about.clone(),
        }]
    }

    #[must_use]
    pub fn explain(&self) -> Vec<(&'static str, &'static str)> {
        let Some(flow) = self.flow.as_deref() else { return Vec::new() };
        let steps = (crate::t!("wizard.credential.explain.steps_term"), crate::t!("wizard.credential.explain.steps"));
        let draft = (crate::t!("wizard.credential.explain.draft_term"), crate::t!("wizard.credential.explain.draft"));
        let own = match (self.kind(), flow.step()) {
            _ if flow.addresses.is_some() => {
                vec![(crate::t!("wizard.credential.addresses"), crate::t!("wizard.credential.explain.addresses"))]
            }
            (Kind::CredentialConsent, _) => vec![
                (crate::t!("wizard.consent.here"), crate::t!("wizard.consent.explain.here")),
                (crate::t!("wizard.consent.yours"), crate::t!("wizard.consent.explain.yours")),
                (crate::t!("wizard.consent.device"), crate::t!("wizard.consent.explain.device")),
                (crate::t!("wizard.consent.request"), crate::t!("wizard.consent.explain.request")),
                (crate::t!("wizard.consent.paste"), crate::t!("wizard.consent.explain.paste")),
                (crate::t!("wizard.consent.redirect"), crate::t!("wizard.consent.explain.redirect")),
            ],
            (Kind::CredentialTest | Kind::CredentialMend, _) => {
                vec![(crate::t!("wizard.credential.step.test"), crate::t!("wizard.credential.explain.test"))]
            }
            (Kind::CredentialChoose, _) => vec![(crate::t!("wizard.credential.explain.choose_term"), crate::t!("wizard.credential.explain.choose"))],
            (Kind::CredentialSaved, _) => Vec::new(),
            (_, Step::Method) => vec![(crate::t!("wizard.credential.step.method"), crate::t!("wizard.credential.explain.method"))],
            (_, Step::Scopes) => vec![(crate::t!("wizard.credential.step.scopes"), crate::t!("wizard.credential.explain.scopes"))],
            (_, Step::Name) => vec![(crate::t!("wizard.credential.step.name"), crate::t!("wizard.credential.explain.name"))],
            _ if flow.asked().is_some_and(|input| input.secret) => {
                vec![(crate::t!("wizard.credential.explain.secret_term"), crate::t!("wizard.credential.explain.secret"))]
            }
            _ => vec![(crate::t!("wizard.credential.explain.input_term"), crate::t!("wizard.credential.explain.input"))],
        };
        own.into_iter().chain([steps, draft]).collect()
    }

    #[must_use]
    pub fn remembered(&self) -> Option<String> {
        self.flow.as_ref().filter(|flow| flow.saved.is_none() && !flow.untouched).map(|flow| flow.draft.id.clone())
    }

    #[must_use]
    pub fn next_wake(&self, now: crate::model::Time) -> Option<i64> {
        self.flow.as_ref().and_then(|flow| flow.next_wake(now))
    }
}

fn begin(state: &mut State, about: &str, job: Job) -> Effects {
    let machine = Machine::opening(about);
    super::open(state, Wizard::Credential(machine), vec![Request::Start(read(OPEN, job))])
}

/// Begins a credential for a connector.
pub fn start(state: &mut State, connector: &str) -> Effects {
    begin(state, connector, Job::DraftNew { connector: connector.to_owned(), method: None })
}

/// The same with a method that was chosen already.
pub fn start_with(state: &mut State, connector: &str, method: &str) -> Effects {
    begin(state, connector, Job::DraftNew { connector: connector.to_owned(), method: Some(method.to_owned()) })
}

/// Goes on with a draft that was left half-way.
pub fn resume(state: &mut State, draft: &str) -> Effects {
    begin(state, crate::t!("wizard.credential.crumb.draft"), Job::DraftLoad(draft.to_owned()))
}

/// Gives a credential a new secret, a new consent, or other settings; what uses it keeps it.
pub fn renew(state: &mut State, credential: &str) -> Effects {
    begin(state, credential, Job::CredentialRenew(credential.to_owned()))
}
