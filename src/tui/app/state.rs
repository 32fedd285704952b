//! All that the console knows.

use super::command::Keymap;
use super::effect::{Effect, Effects, TaskSpec};
use super::layers::Layer;
use super::tasks::Tasks;
use crate::model::{Problem, Time};
use crate::ops::answers::Of;
use crate::tui::panes::Panes;
use crate::tui::ui::theme::{Theme, Tone};
use std::cell::RefCell;
use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Pane {
    Overview,
    Connectors,
    Credentials,
    Integrations,
    Runs,
    Data,
    Inbox,
}

impl Pane {
    pub const ALL: [Self; 7] = [Self::Overview, Self::Connectors, Self::Credentials, Self::Integrations, Self::Runs, Self::Data, Self::Inbox];

    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Overview => crate::t!("pane.overview"),
            Self::Connectors => crate::t!("pane.connectors"),
            Self::Credentials => crate::t!("pane.credentials"),
            Self::Integrations => crate::t!("pane.integrations"),
            Self::Runs => crate::t!("pane.runs"),
            Self::Data => crate::t!("pane.data"),
            Self::Inbox => crate::t!("pane.inbox"),
        }
    }

    /// The name under which it is remembered.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::Overview => "overview",
            Self::Connectors => "connectors",
            Self::Credentials => "credentials",
            Self::Integrations => "integrations",
            Self::Runs => "runs",
            Self::Data => "data",
            Self::Inbox => "inbox",
        }
    }
}

pub struct State {
    pub workspace: String,
    pub demo: bool,
    pub size: (u16, u16),
    /// The time of the message that is being handled.
    pub now: Time,
    pub pane: Pane,
    pub panes: Panes,
    pub layers: Vec<Layer>,
    pub tasks: Tasks,
    pub toasts: Vec<Toast>,
    pub theme: Theme,
    pub keymap: Keymap,
    /// Where the last frame put what can be clicked. Only views write it, only the mouse reads it.
    pub hits: RefCell<Vec<(area::Area, Hit)>>,
    /// Whose answers are about to be saved: a path is asked for.
    pub saving: Option<Of>,
    /// The question whether to quit is open.
    pub quitting: bool,
    /// The console ends as soon as everything is kept, or at this moment.
    pub ending: Option<Time>,
}

/// A rectangle that does not need the drawing library.
pub mod area {
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Area {
        pub x: u16,
        pub y: u16,
        pub width: u16,
        pub height: u16,
    }

    impl Area {
        #[must_use]
        pub fn holds(self, column: u16, row: u16) -> bool {
            column >= self.x && column < self.x.saturating_add(self.width) && row >= self.y && row < self.y.saturating_add(self.height)
        }
    }
}

/// What a click means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    Pane(Pane),
    Command(&'static str),
    /// Row of the list in focus.
    Row(usize),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Toast {
    pub tone: Tone,
    pub text: String,
    pub until: Time,
}

impl State {
    #[must_use]
    pub fn new(workspace: String, size: (u16, u16), now: Time, theme: Theme, keymap: Keymap) -> Self {
        Self {
            workspace,
            demo: false,
            size,
            now,
            pane: Pane::Overview,
            panes: Panes::default(),
            layers: Vec::new(),
            tasks: Tasks::default(),
            toasts: Vec::new(),
            theme,
            keymap,
            hits: RefCell::new(Vec::new()),
            saving: None,
            quitting: false,
            ending: None,
        }
    }

    /// Starts a task; one that is refused because it already runs says so.
    pub fn start(&mut self, spec: TaskSpec) -> Effects {
        let title = spec.title.clone();
        match self.tasks.start(spec, self.now) {
            Some(effects) => effects,
            None => {
                self.toast(Tone::Notice, crate::t!("task.already_running", title = title));
                Vec::new()
            }
        }
    }

    pub fn toast(&mut self, tone: Tone, text: impl Into<String>) {
        let seconds = if tone == Tone::Bad { 8 } else { 4 };
        self.toasts.push(Toast { tone, text: text.into(), until: self.now + jiff::SignedDuration::from_secs(seconds) });
        if self.toasts.len() > 4 {
            self.toasts.remove(0);
        }
    }

    /// Shows a problem in full, above everything.
    pub fn show(&mut self, problem: Problem) {
        self.layers.push(Layer::Problem(problem));
    }

    pub fn push(&mut self, layer: Layer) -> Effects {
        self.layers.push(layer);
        Vec::new()
    }

    /// How long until the state changes by itself; `None` while nothing moves.
    #[must_use]
    pub fn next_wake(&self) -> Option<Duration> {
        let mut soonest: Option<i64> = self.toasts.iter().map(|toast| toast.until.as_millisecond() - self.now.as_millisecond()).min();
        if let Some(at) = self.ending {
            let left = at.as_millisecond() - self.now.as_millisecond();
            soonest = Some(soonest.unwrap_or(i64::MAX).min(left));
        }
        if self.tasks.visible().any(|task| !task.waits) {
            soonest = Some(soonest.unwrap_or(i64::MAX).min(120));
        }
        if let Some(until) = self.layers.iter().find_map(|layer| match layer {
            Layer::Wizard(wizard) => wizard.next_wake(self.now),
            _ => None,
        }) {
            soonest = Some(soonest.unwrap_or(i64::MAX).min(until));
        }
        soonest.map(|milliseconds| Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0).max(10)))
    }

    /// The editor or wizard that is open, whatever lies above it.
    #[must_use]
    pub fn wizard(&self) -> Option<&crate::tui::wizard::Wizard> {
        self.layers.iter().rev().find_map(|layer| if let Layer::Wizard(wizard) = layer { Some(&**wizard) } else { None })
    }

    pub fn wizard_mut(&mut self) -> Option<&mut crate::tui::wizard::Wizard> {
        self.layers.iter_mut().rev().find_map(|layer| if let Layer::Wizard(wizard) = layer { Some(&mut **wizard) } else { None })
    }

    /// Where the user is, for the next start. Nothing secret, nothing large.
    #[must_use]
    pub fn remembered(&self) -> serde_json::Value {
        serde_json::json!({
            "pane": self.pane.key(),
            "panes": self.panes.remembered(),
            "wizard": self.wizard().and_then(crate::tui::wizard::Wizard::remembered),
        })
    }

    /// Goes back to where the user was; what is no longer there is ignored.
    pub fn restore(&mut self, remembered: &serde_json::Value) -> Effects {
        if let Some(pane) = Pane::ALL.into_iter().find(|pane| remembered["pane"] == pane.key()) {
            self.pane = pane;
        }
        self.panes.restore(&remembered["panes"]);
        crate::tui::wizard::restore(self, &remembered["wizard"])
    }

    /// Ends the console: at once when everything is kept, otherwise when the writes under way have ended (at the latest in two seconds).
    pub(in crate::tui) fn end(&mut self) -> Effects {
        let mut effects = crate::tui::wizard::ending(self);
        self.ending = Some(self.now + jiff::SignedDuration::from_secs(2));
        effects.push(self.remember());
        effects.extend(self.ended());
        effects
    }

    /// The end itself, when its moment has come.
    pub(super) fn ended(&self) -> Option<Effect> {
        let at = self.ending?;
        (!self.tasks.writing() || self.now >= at).then_some(Effect::Quit)
    }

    pub(in crate::tui) fn remember(&self) -> Effect {
        Effect::Remember(self.remembered())
    }
}
