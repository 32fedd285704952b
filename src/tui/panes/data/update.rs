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

pub fn key(state: &mut State, key: crate::tui::app::key::Key) -> bool {
    let _ = (state, key);
    false
}

pub fn paste(state: &mut State, text: &str) {
    let _ = (state, text);
}

pub fn select_row(state: &mut State, row: usize) {
    let _ = (state, row);
}
