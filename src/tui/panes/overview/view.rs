//! How the overview is drawn.

use super::update::running;
use crate::model::{IntegrationState, RunState};
use crate::ops::overview::Overview;
use crate::tui::app::state::State;
use crate::tui::ui::text::{self, wrap};
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::{hit, line};
use crate::tui::ui::{labels, modal, when};
use ratatui::Frame;
use ratatui::layout::Rect;

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let Some(overview) = &state.panes.overview.overview else {
        line(frame, area, area.x + 2, area.y, crate::t!("loading"), state.theme.style(Tone::Dim));
        return;
    };
    let mut y = area.y;
    let empty = overview.credentials == 0 && overview.integrations.is_empty();
    if state.demo || empty {
        y = draw_first_run(frame, area, y, overview, state);
    }
    y = draw_steps(frame, area, y, overview, state);
    y = draw_integrations(frame, area, y, overview, state);
    draw_expiring(frame, area, y, overview, state);
}

fn heading(frame: &mut Frame<'_>, area: Rect, y: u16, title: &str, state: &State) -> u16 {
    line(frame, area, area.x + 2, y, title, state.theme.style(Tone::Strong));
    y + 1
}

/// Five lines that say what to do, and a checklist that follows along.
fn draw_first_run(frame: &mut Frame<'_>, area: Rect, top: u16, overview: &Overview, state: &State) -> u16 {
    let mut y = heading(frame, area, top, if state.demo { crate::t!("first.title_demo") } else { crate::t!("first.title") }, state);
    let columns = usize::from(area.width).saturating_sub(4).clamp(8, 96);
    let intro = if state.demo { crate::t!("first.demo") } else { crate::t!("first.own") };
    if area.height > 14 {
        for part in wrap(intro, columns).iter().take(5) {
            line(frame, area, area.x + 2, y, part, state.theme.style(Tone::Plain));
            y += 1;
        }
    }
    let mapped = overview.integrations.iter().any(|row| row.integration.launched.is_some())
        || overview.next_steps.iter().any(|step| step.kind == crate::ops::overview::NextStepKind::Launch);
    let done = [
        (crate::t!("first.connect"), overview.credentials > 0),
        (crate::t!("first.draft"), !overview.integrations.is_empty()),
        (crate::t!("first.map"), mapped),
        (crate::t!("first.launch"), overview.integrations.iter().any(|row| row.integration.launched.is_some())),
        (crate::t!("first.run"), overview.recent.iter().any(|run| matches!(run.state, RunState::Succeeded | RunState::Partial))),
        (crate::t!("first.look"), state.panes.data.looked()),
    ];
    let mut x = area.x + 2;
    let now = done.iter().position(|(_, done)| !done);
    for (i, (label, done)) in done.iter().enumerate() {
        let (symbol, tone) = if *done {
            (Symbol::Good, Tone::Good)
        } else if Some(i) == now {
            (Symbol::Current, Tone::Accent)
        } else {
            (Symbol::Open, Tone::Dim)
        };
        let shown = format!("{} {label}", state.theme.symbol(symbol));
        let width = u16::try_from(text::width(&shown) + 3).unwrap_or(0);
        if x + width > area.right() + 3 {
            x = area.x + 2;
            y += 1;
        }
        line(frame, area, x, y, &shown, state.theme.style(tone));
        x += width;
    }
    y + 2
}

fn draw_steps(frame: &mut Frame<'_>, area: Rect, top: u16, overview: &Overview, state: &State) -> u16 {
    if overview.next_steps.is_empty() {
        line(
            frame,
            area,
            area.x + 2,
            top,
            &format!("{} {}", state.theme.symbol(Symbol::Good), crate::t!("overview.nothing")),
            state.theme.style(Tone::Good),
        );
        return top + 2;
    }
    let mut y = heading(frame, area, top, crate::t!("overview.next"), state);
    for (i, step) in overview.next_steps.iter().take(6).enumerate() {
        let selected = i == state.panes.overview.selected;
        let row = Rect { y, height: 1, ..area };
        if y < area.bottom() {
            if selected {
                frame.buffer_mut().set_style(row, state.theme.selected());
                line(frame, area, area.x, y, state.theme.symbol(Symbol::Cursor), state.theme.style(Tone::Accent));
            }
            hit(state, row, crate::tui::app::state::Hit::Row(i));
        }
        line(frame, area, area.x + 2, y, &text::clean(&step.text), ratatui::style::Style::new());
        y += 1;
    }
    y + 1
}

fn draw_integrations(frame: &mut Frame<'_>, area: Rect, top: u16, overview: &Overview, state: &State) -> u16 {
    if overview.integrations.is_empty() {
        return top;
    }
    let theme = &state.theme;
    let mut y = heading(frame, area, top, crate::t!("overview.integrations"), state);
    let name_columns = usize::from(area.width / 3).max(12);
    for row in overview.integrations.iter().take(usize::from(area.bottom().saturating_sub(y))) {
        let (symbol, tone) = match (&row.integration.state, &row.last) {
            (IntegrationState::Draft, _) => (Symbol::Open, Tone::Dim),
            (_, Some(last)) if matches!(last.state, RunState::Failed | RunState::Interrupted) => (Symbol::Bad, Tone::Bad),
            (_, Some(last)) if matches!(last.state, RunState::Partial | RunState::Cancelled) => (Symbol::Notice, Tone::Notice),
            (IntegrationState::Paused, _) => (Symbol::Quiet, Tone::Dim),
            _ => (Symbol::Good, Tone::Good),
        };
        line(frame, area, area.x + 2, y, theme.symbol(symbol), theme.style(tone));
        line(frame, area, area.x + 4, y, &text::cut(&text::clean(&row.integration.name), name_columns), theme.style(Tone::Plain));
        let x = area.x + 6 + u16::try_from(name_columns).unwrap_or(0);
        let detail = if let Some(progress) = running(state, &row.integration.id) {
            modal::progress_line(progress)
        } else {
            match (&row.integration.state, &row.last) {
                (IntegrationState::Draft, _) => crate::t!("integration.state.draft").to_owned(),
                (_, Some(last)) => crate::t!(
                    "overview.last_run",
                    state = labels::run_state(last.state),
                    when = when::relative(last.started, state.now),
                    created = last.created,
                    updated = last.updated,
                    deactivated = last.deactivated
                ),
                (IntegrationState::Paused, None) => crate::t!("integration.state.paused").to_owned(),
                (IntegrationState::Active, None) => crate::t!("overview.never_run").to_owned(),
            }
        };
        line(frame, area, x, y, &detail, theme.style(Tone::Dim));
        y += 1;
    }
    y + 1
}

fn draw_expiring(frame: &mut Frame<'_>, area: Rect, top: u16, overview: &Overview, state: &State) {
    if overview.expiring.is_empty() || top >= area.bottom() {
        return;
    }
    let first = heading(frame, area, top, crate::t!("overview.expiring"), state);
    for (y, expiry) in (first..area.bottom()).zip(&overview.expiring) {
        let what = labels::ending(&expiry.what);
        let when = when::relative(expiry.at, state.now);
        let shown = format!("{} {}  {what} {when}", state.theme.symbol(Symbol::Notice), text::clean(&expiry.name));
        line(frame, area, area.x + 2, y, &shown, state.theme.style(Tone::Notice));
    }
}
