//! Going somewhere, and reading what is shown there.

use super::effect::{Effects, Job};
use super::state::{Pane, State};
use super::tasks::read;
use crate::tui::panes;

/// Shows a pane and reads it anew.
pub fn go(state: &mut State, pane: Pane) -> Effects {
    state.pane = pane;
    let mut effects = refresh(state);
    effects.push(state.remember());
    effects
}

/// Reads anew what is in sight: the pane, and the overview that the header and the checklist live on.
pub fn refresh(state: &mut State) -> Effects {
    let mut effects = state.start(read("read.overview", Job::LoadOverview));
    effects.extend(match state.pane {
        Pane::Overview => Vec::new(),
        Pane::Connectors => panes::connectors::update::load(state),
        Pane::Credentials => panes::credentials::update::load(state),
        Pane::Integrations => panes::integrations::update::load(state),
        Pane::Runs => panes::runs::update::load(state),
        Pane::Data => panes::data::update::load(state),
        Pane::Inbox => panes::inbox::update::load(state),
    });
    effects
}
