//! What just happened, in passing: at the bottom of the body.

use super::text;
use super::theme::{Symbol, Tone};
use super::view::line;
use crate::tui::app::state::State;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

pub fn draw(frame: &mut Frame<'_>, body: Rect, state: &State) {
    let rows = state.toasts.len().min(usize::from(body.height));
    for (i, toast) in state.toasts.iter().rev().take(rows).enumerate() {
        let symbol = state.theme.symbol(match toast.tone {
            Tone::Good => Symbol::Good,
            Tone::Bad => Symbol::Bad,
            Tone::Notice => Symbol::Notice,
            _ => Symbol::Quiet,
        });
        let shown = text::cut(&format!(" {symbol} {} ", text::clean(&toast.text)), body.width.into());
        let width = u16::try_from(text::width(&shown)).unwrap_or(body.width);
        let area = Rect { x: body.right() - width, y: body.bottom() - 1 - u16::try_from(i).unwrap_or(0), width, height: 1 };
        frame.render_widget(Clear, area);
        line(frame, area, area.x, area.y, &shown, state.theme.style(toast.tone).add_modifier(ratatui::style::Modifier::REVERSED));
    }
}
