//! `?`: this very screen, field by field, and every key that works on it.

use super::modal::boxed;
use super::text::{self, wrap};
use super::theme::Tone;
use super::view::line;
use crate::tui::app::command::{self, Command, Scope};
use crate::tui::app::layers::{Layer, LayerKind, Scrolled};
use crate::tui::app::state::State;
use crate::tui::panes;
use ratatui::Frame;
use ratatui::layout::Rect;

const COLUMNS: usize = 92;
const TERM: usize = 18;

/// A line of help: heading, or term and text.
pub enum Entry {
    Heading(String),
    Term(String, String),
}

/// The screen below the help layer is the one that is explained.
#[must_use]
pub fn lines(state: &State) -> Vec<Entry> {
    let columns = usize::from(state.size.0).saturating_sub(6).clamp(10, COLUMNS) - 2;
    let mut out = Vec::new();
    let wizard = state.layers.iter().rev().find_map(|layer| if let Layer::Wizard(wizard) = layer { Some(wizard) } else { None });
    let explained = wizard.map_or_else(|| panes::explain(state), |wizard| wizard.explain());
    let mut push = |term: &str, about: &str| {
        for (i, part) in wrap(about, columns.saturating_sub(TERM).max(10)).into_iter().enumerate() {
            out.push(Entry::Term(if i == 0 { text::cut(term, TERM - 2) } else { String::new() }, part));
        }
    };
    for (term, about) in explained {
        push(term, about);
    }
    let scopes: Vec<Scope> = match wizard {
        Some(wizard) => vec![Scope::Layer(LayerKind::Wizard(wizard.kind())), Scope::Always],
        None => {
            let above = state.layers.iter().map(|layer| layer.kind()).filter(|kind| matches!(kind, LayerKind::Needs | LayerKind::Facets));
            let above: Vec<Scope> = above.map(Scope::Layer).collect();
            let below = if above.is_empty() { vec![Scope::Pane(state.pane), Scope::Global] } else { Vec::new() };
            above.into_iter().chain(below).chain([Scope::Always]).collect()
        }
    };
    let mut keyed: Vec<&Command> = Vec::new();
    for scope in scopes {
        keyed.extend(command::all().filter(|command| command.scope == scope));
    }
    out.push(Entry::Heading(crate::t!("help.keys").to_owned()));
    let mut push = |term: &str, about: &str| {
        for (i, part) in wrap(about, columns.saturating_sub(TERM).max(10)).into_iter().enumerate() {
            out.push(Entry::Term(if i == 0 { text::cut(term, TERM - 2) } else { String::new() }, part));
        }
    };
    for command in keyed {
        let keys: Vec<String> = state.keymap.keys(command.id).iter().map(ToString::to_string).collect();
        push(&keys.join("  "), (command.about)());
    }
    push("j k ↑ ↓", crate::t!("help.walk"));
    push("g G pgup pgdn", crate::t!("help.jump"));
    push("/", crate::t!("help.filter"));
    push("esc", crate::t!("help.back"));
    out
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, scrolled: &Scrolled, state: &State) {
    let theme = &state.theme;
    let entries = lines(state);
    let title = match state.wizard() {
        Some(wizard) => wizard.crumbs().last().cloned().unwrap_or_default(),
        None => state.pane.title().to_owned(),
    };
    let width = area.width.saturating_sub(2).min(u16::try_from(COLUMNS + 4).unwrap_or(96));
    let height = u16::try_from(entries.len()).unwrap_or(u16::MAX).min(area.height.saturating_sub(2));
    let inner = boxed(frame, area, width, height, &crate::t!("help.title", screen = title), state);
    let top = scrolled.top.min(entries.len().saturating_sub(usize::from(inner.height)));
    for (i, entry) in entries.iter().skip(top).take(inner.height.into()).enumerate() {
        let y = inner.y + u16::try_from(i).unwrap_or(0);
        match entry {
            Entry::Heading(heading) => line(frame, inner, inner.x, y, heading, theme.style(Tone::Strong)),
            Entry::Term(term, about) => {
                line(frame, inner, inner.x, y, term, theme.style(Tone::Accent));
                line(frame, inner, inner.x + u16::try_from(TERM).unwrap_or(0), y, about, theme.style(Tone::Plain));
            }
        }
    }
}
