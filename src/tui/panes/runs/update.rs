//! How it changes.

use crate::tui::app::effect::Effects;
use crate::tui::app::msg::Answer;
use crate::tui::app::state::State;

/// Reads what it shows.
pub fn load(state: &mut State) -> Effects {
    let _ = state;
    Vec::new()
}

/// After the selection or the filter changed.
pub fn moved(state: &mut State) -> Effects {
    let _ = state;
    Vec::new()
}

pub fn answer(state: &mut State, answer: &Answer) -> Effects {
    let _ = (state, answer);
    Vec::new()
}
