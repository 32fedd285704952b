//! How it is drawn.

use super::Machine;
use crate::tui::app::state::State;
use ratatui::Frame;
use ratatui::layout::Rect;

pub fn draw(frame: &mut Frame<'_>, area: Rect, machine: &Machine, state: &State) {
    let _ = (frame, area, machine, state);
}
