//! Guided flows and full-screen editors: each a pure machine, `handle(event) -> requests`, drawn by its own view. A machine never sees the
//! rest of the state, a clock or a network; what it wants is in the [`Request`]s it returns.

pub mod credential;
pub mod draft;
#[cfg(test)]
pub mod fixture;
pub mod history;
pub mod integration;
pub mod mapping;
pub mod permission;
pub mod words;

use super::app::command::Command;
use super::app::effect::{Effect, Effects, TaskId, TaskSpec};
use super::app::key::Key;
use super::app::layers::Layer;
use super::app::msg::Answer;
use super::app::state::{Pane, State};
use super::ui::theme::Tone;
use crate::model::{Problem, Time};
use crate::ops::answers::Of;
use crate::ops::credentials::ConsentView;

pub const COMMANDS: &[&[Command]] = &[credential::COMMANDS, integration::COMMANDS, mapping::COMMANDS, permission::COMMANDS];

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "layers keep it in a box")]
pub enum Wizard {
    Credential(credential::Machine),
    Integration(integration::Machine),
    Mapping(mapping::Machine),
    Permission(permission::Machine),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The credential wizard while something is chosen or typed, and its other faces, whose keys mean other things.
    Credential,
    CredentialConsent,
    CredentialMend,
    CredentialTest,
    /// One of what the vendor has is chosen.
    CredentialChoose,
    CredentialSaved,
    Integration,
    Mapping,
    /// The mapping editor while a mapping or the filter is being typed.
    MappingEditing,
    Permission,
}

/// What reaches a machine.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "one at a time, passed by reference")]
pub enum Event {
    Key(Key),
    Paste(String),
    /// A command of its own, by id.
    Command(&'static str),
    Answer(Answer),
    /// The consent that its task waits for can be shown.
    Consent {
        task: TaskId,
        view: ConsentView,
    },
    OfferRefused(Problem),
    /// A task of this key failed or was cancelled.
    Failed {
        key: String,
        problem: Problem,
    },
    Cancelled {
        key: String,
    },
    Wake,
    /// The console ends: what is only in memory is kept now.
    Ending,
}

/// What a machine can see beside its own state.
#[derive(Debug, Clone, Copy)]
pub struct Context {
    pub now: Time,
    pub size: (u16, u16),
}

/// What a machine wants.
#[derive(Debug)]
pub enum Request {
    Start(TaskSpec),
    /// Cancels the task of a key.
    Stop(String),
    Do(Effect),
    Open(Layer),
    Toast(Tone, String),
    Show(Problem),
    /// Asks where a file of what was answered goes; the name is what it is called after.
    SaveAnswers(Of, String),
    /// Takes this machine's layer off.
    Close,
    /// Takes this machine's layer off and puts another in its place.
    Replace(Layer),
    Go(Pane),
}

/// `None`: the event means nothing to the machine.
pub type Handled = Option<Vec<Request>>;

impl Wizard {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Credential(machine) => machine.kind(),
            Self::Integration(_) => Kind::Integration,
            Self::Mapping(machine) => machine.kind(),
            Self::Permission(_) => Kind::Permission,
        }
    }

    fn handle(&mut self, event: &Event, context: Context) -> Handled {
        match self {
            Self::Credential(machine) => machine.handle(event, context),
            Self::Integration(machine) => machine.handle(event, context),
            Self::Mapping(machine) => machine.handle(event, context),
            Self::Permission(machine) => machine.handle(event, context),
        }
    }

    /// Crumbs after the pane's name.
    #[must_use]
    pub fn crumbs(&self) -> Vec<String> {
        match self {
            Self::Credential(machine) => machine.crumbs(),
            Self::Integration(machine) => machine.crumbs(),
            Self::Mapping(machine) => machine.crumbs(),
            Self::Permission(machine) => machine.crumbs(),
        }
    }

    /// This screen field by field, for `?`: term and explanation.
    #[must_use]
    pub fn explain(&self) -> Vec<(&'static str, &'static str)> {
        match self {
            Self::Credential(machine) => machine.explain(),
            Self::Integration(machine) => machine.explain(),
            Self::Mapping(machine) => machine.explain(),
            Self::Permission(machine) => machine.explain(),
        }
    }

    /// Milliseconds until it changes by itself.
    #[must_use]
    pub fn next_wake(&self, now: Time) -> Option<i64> {
        match self {
            Self::Credential(machine) => machine.next_wake(now),
            _ => None,
        }
    }

    /// How to open it again on the next start: its kind and the identifier of what it edits.
    #[must_use]
    pub fn remembered(&self) -> Option<serde_json::Value> {
        let (kind, id) = match self {
            Self::Credential(machine) => ("credential", machine.remembered()?),
            Self::Integration(machine) => ("integration", machine.remembered()?),
            Self::Mapping(machine) => ("mapping", machine.remembered()?),
            Self::Permission(machine) => ("permission", machine.remembered()?),
        };
        Some(serde_json::json!({ "kind": kind, "id": id }))
    }
}

/// Opens again what was open when the console ended.
pub fn restore(state: &mut State, remembered: &serde_json::Value) -> Effects {
    let Some(id) = remembered["id"].as_str() else { return Vec::new() };
    match remembered["kind"].as_str() {
        Some("credential") => credential::resume(state, id),
        Some("integration") => integration::open(state, id),
        Some("mapping") => mapping::open(state, id),
        Some("permission") => permission::open(state, id),
        _ => Vec::new(),
    }
}

/// Gives an event to the machines, the topmost first, until one takes it. Keys, pastes and commands reach only the top layer.
pub fn event(state: &mut State, event: &Event) -> Option<Effects> {
    let context = Context { now: state.now, size: state.size };
    let only_top = matches!(event, Event::Key(_) | Event::Paste(_) | Event::Command(_));
    let top = state.layers.len().checked_sub(1)?;
    for place in (0..=top).rev() {
        if only_top && place != top {
            return None;
        }
        let Layer::Wizard(wizard) = &mut state.layers[place] else { continue };
        if let Some(requests) = wizard.handle(event, context) {
            return Some(carry_out(state, place, requests));
        }
    }
    None
}

/// Tells the machine on top that one of its commands was given.
pub fn tell(state: &mut State, id: &'static str) -> Effects {
    event(state, &Event::Command(id)).unwrap_or_default()
}

/// Lets the machine on top do something (a prompt that it opened was answered), and carries out what it wants.
pub fn with_top(state: &mut State, act: impl FnOnce(&mut Wizard) -> Vec<Request>) -> Effects {
    let Some(place) = state.layers.len().checked_sub(1) else { return Vec::new() };
    let Some(Layer::Wizard(wizard)) = state.layers.get_mut(place) else { return Vec::new() };
    let requests = act(wizard);
    carry_out(state, place, requests)
}

/// Lets every machine keep what is only in memory.
pub(super) fn ending(state: &mut State) -> Effects {
    let context = Context { now: state.now, size: state.size };
    let mut effects = Vec::new();
    for place in (0..state.layers.len()).rev() {
        let Layer::Wizard(wizard) = &mut state.layers[place] else { continue };
        if let Some(requests) = wizard.handle(&Event::Ending, context) {
            effects.extend(carry_out(state, place, requests));
        }
    }
    effects
}

/// Opens a machine as a layer and carries out what it wants first.
pub fn open(state: &mut State, wizard: Wizard, requests: Vec<Request>) -> Effects {
    state.layers.push(Layer::Wizard(Box::new(wizard)));
    let place = state.layers.len() - 1;
    let mut effects = carry_out(state, place, requests);
    effects.push(state.remember());
    effects
}

fn carry_out(state: &mut State, place: usize, requests: Vec<Request>) -> Effects {
    let mut effects = Vec::new();
    for request in requests {
        match request {
            Request::Start(spec) => effects.extend(state.start(spec)),
            Request::Stop(key) => effects.extend(state.tasks.cancel(&key)),
            Request::Do(effect) => effects.push(effect),
            Request::Open(layer) => state.layers.push(layer),
            Request::Toast(tone, text) => state.toast(tone, text),
            Request::Show(problem) => state.show(problem),
            Request::SaveAnswers(of, name) => effects.extend(super::app::answers::ask(state, of, &name)),
            Request::Close => {
                if place < state.layers.len() {
                    state.layers.remove(place);
                }
                effects.extend(super::app::navigate::refresh(state));
                effects.push(state.remember());
            }
            Request::Replace(layer) => {
                if place < state.layers.len() {
                    state.layers[place] = layer;
                }
                effects.push(state.remember());
            }
            Request::Go(pane) => effects.extend(super::app::navigate::go(state, pane)),
        }
    }
    effects
}
