//! How it is drawn.

use crate::tui::app::state::State;
use ratatui::Frame;
use ratatui::layout::Rect;

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let _ = (frame, area, state);
}
