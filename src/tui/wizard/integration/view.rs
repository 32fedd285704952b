//! How the details are drawn: the form, and where there is room beside it, what keeps the integration from being launched.

use super::Machine;
use crate::model::{IntegrationState, Severity};
use crate::tui::app::state::State;
use crate::tui::ui::text::{self, wrap};
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::line;
use crate::tui::wizard::draft::Draft;
use crate::tui::wizard::words;
use ratatui::Frame;
use ratatui::layout::Rect;

pub fn draw(frame: &mut Frame<'_>, area: Rect, machine: &Machine, state: &State) {
    let Some(draft) = &machine.draft else {
        line(frame, area, area.x + 2, area.y, crate::t!("loading"), state.theme.style(Tone::Dim));
        return;
    };
    heading(frame, area, draft, &way(draft, state), &standing(draft), state);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let body = if area.height >= 8 { Rect { y: body.y + 1, height: body.height - 1, ..body } } else { body };
    let side = area.width >= 110;
    let form = if side { Rect { width: area.width * 6 / 10, ..body } } else { body };
    machine.form.draw(frame, form, &state.theme);
    if side {
        let rest = Rect { x: form.right() + 3, width: area.right().saturating_sub(form.right() + 4), ..body };
        draw_findings(frame, rest, machine, draft, state);
    }
    if let Some(picker) = &machine.picker {
        picker.draw(frame, frame.area(), state);
    }
}

/// `Clickwrap → People`
pub fn way(draft: &Draft, state: &State) -> String {
    let integration = &draft.integration;
    format!("{} {} {}", text::clean(&integration.name), state.theme.symbol(Symbol::Arrow), words::destination(integration))
}

/// What stands between a draft and its launch.
fn standing(draft: &Draft) -> Vec<(Tone, String)> {
    let state = match draft.integration.state {
        IntegrationState::Draft => crate::t!("integration.state.draft"),
        IntegrationState::Active => crate::t!("integration.state.active"),
        IntegrationState::Paused => crate::t!("integration.state.paused"),
    };
    let mut parts = vec![(Tone::Dim, state.to_owned())];
    match (draft.findings.is_some(), draft.errors()) {
        (false, _) => {}
        (true, 0) if draft.integration.state != IntegrationState::Draft => {}
        (true, 0) => parts.push((Tone::Good, crate::t!("tui.details.complete").to_owned())),
        (true, n) => parts.push((Tone::Bad, crate::t!("tui.details.to_do", n = n))),
    }
    parts
}

/// The first line of an editor: what it edits, how it stands, and on the right whether all of it is on disk.
pub fn heading(frame: &mut Frame<'_>, area: Rect, draft: &Draft, title: &str, parts: &[(Tone, String)], state: &State) {
    let theme = &state.theme;
    let width = usize::from(area.width);
    let (saved, tone) = if draft.unsaved.is_some() {
        (format!("{} {}", theme.symbol(Symbol::Bad), crate::t!("tui.not_saved")), Tone::Bad)
    } else if draft.saved() {
        (crate::t!("tui.saved").to_owned(), Tone::Dim)
    } else {
        (crate::t!("tui.saving").to_owned(), Tone::Dim)
    };
    let facts: usize = parts.iter().map(|(_, part)| text::width(part) + 3).sum();
    let right = text::width(&saved) + 2;
    // That all is well is said where there is room for it; that it is not, always.
    let with_saved = width > text::width(title) + facts + right + 4 || draft.unsaved.is_some();
    let room = width.saturating_sub(facts + if with_saved { right } else { 0 } + 2);
    let mut x = area.x + 1;
    if room >= 8 {
        let title = text::cut(title, room);
        line(frame, area, x, area.y, &title, theme.style(Tone::Strong));
        x += u16::try_from(text::width(&title) + 3).unwrap_or(0);
    }
    let limit = if with_saved { area.right().saturating_sub(u16::try_from(right).unwrap_or(0)) } else { area.right() };
    let facts_area = Rect { width: limit.saturating_sub(area.x), ..area };
    for (i, (tone, part)) in parts.iter().enumerate() {
        if i > 0 {
            line(frame, facts_area, x.saturating_sub(2), area.y, theme.symbol(Symbol::Quiet), theme.style(Tone::Dim));
        }
        line(frame, facts_area, x, area.y, part, theme.style(*tone));
        x += u16::try_from(text::width(part) + 3).unwrap_or(0);
    }
    if with_saved {
        line(frame, area, limit, area.y, &saved, theme.style(tone));
    }
}

/// Everything that was found, each with its place.
fn draw_findings(frame: &mut Frame<'_>, area: Rect, machine: &Machine, draft: &Draft, state: &State) {
    let theme = &state.theme;
    let Some(findings) = &draft.findings else { return };
    let title = if draft.errors() > 0 { crate::t!("tui.findings.before_launch") } else { crate::t!("tui.findings.worth_knowing") };
    if findings.is_empty() {
        line(frame, area, area.x, area.y, crate::t!("tui.findings.none"), theme.style(Tone::Dim));
        return;
    }
    line(frame, area, area.x, area.y, title, theme.style(Tone::Strong));
    let mut y = area.y + 2;
    for finding in findings {
        if y >= area.bottom() {
            return;
        }
        let (symbol, tone) = words::severity(finding.severity);
        line(frame, area, area.x, y, theme.symbol(symbol), theme.style(tone));
        line(frame, area, area.x + 2, y, &words::place(&finding.place, &machine.columns), theme.style(Tone::Dim));
        y += 1;
        let body = if finding.severity == Severity::Error { Tone::Plain } else { Tone::Dim };
        for part in wrap(&text::clean(&finding.problem.what), usize::from(area.width).saturating_sub(2)).iter().take(2) {
            line(frame, area, area.x + 2, y, part, theme.style(body));
            y += 1;
        }
    }
}
