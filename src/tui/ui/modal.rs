//! The small layers: questions, problems, things to read.

use super::form::draw_text;
use super::terms;
use super::text::{self, wrap};
use super::theme::{Symbol, Tone, spinner};
use super::view::line;
use crate::model::Problem;
use crate::tui::app::layers::{Confirm, Page, Prompt, Reader, Scrolled};
use crate::tui::app::state::State;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::{Block, BorderType, Clear};

/// A box in the middle, for `lines` of content; returns the area inside.
pub fn boxed(frame: &mut Frame<'_>, area: Rect, columns: u16, lines: u16, title: &str, state: &State) -> Rect {
    let width = columns.min(area.width);
    let height = (lines + 2).min(area.height);
    let outer = Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 3, width, height };
    frame.render_widget(Clear, outer);
    if width < 4 || height < 3 {
        return outer;
    }
    let border = if state.theme.unicode { BorderType::Rounded } else { BorderType::Plain };
    let mut block = Block::bordered().border_type(border).border_style(state.theme.style(Tone::Dim));
    if !state.theme.unicode {
        block = block.border_set(ratatui::symbols::border::Set {
            top_left: "+",
            top_right: "+",
            bottom_left: "+",
            bottom_right: "+",
            vertical_left: "|",
            vertical_right: "|",
            horizontal_top: "-",
            horizontal_bottom: "-",
        });
    }
    if !title.is_empty() {
        block = block.title(ratatui::text::Line::styled(format!(" {} ", text::clean(title)), state.theme.style(Tone::Strong)));
    }
    let inner = block.inner(outer);
    frame.render_widget(block, outer);
    Rect { x: inner.x + 1, width: inner.width.saturating_sub(2), ..inner }
}

fn width_for(area: Rect) -> u16 {
    area.width.saturating_sub(4).clamp(1, 72)
}

pub fn confirm(frame: &mut Frame<'_>, area: Rect, confirm: &Confirm, state: &State) {
    let theme = &state.theme;
    let width = width_for(area);
    let columns = usize::from(width).saturating_sub(4);
    let question = wrap(&text::clean(&confirm.question), columns);
    let consequence = wrap(&text::clean(&confirm.consequence), columns);
    let lines = question.len() + consequence.len() + 2 + usize::from(confirm.with.is_some());
    let inner = boxed(frame, area, width, u16::try_from(lines).unwrap_or(u16::MAX), "", state);
    let mut y = inner.y;
    for part in &question {
        line(frame, inner, inner.x, y, part, theme.style(Tone::Strong));
        y += 1;
    }
    for part in &consequence {
        line(frame, inner, inner.x, y, part, theme.style(Tone::Plain));
        y += 1;
    }
    if let Some((label, wanted, _)) = confirm.with.as_deref() {
        let shown = format!("[{}] {label}   {}", if *wanted { "x" } else { " " }, crate::t!("confirm.space"));
        line(frame, inner, inner.x, y, &shown, theme.style(if *wanted { Tone::Strong } else { Tone::Plain }));
        y += 1;
    }
    y = (y + 1).min(inner.bottom().saturating_sub(1));
    let buttons = [(crate::t!("confirm.cancel").to_owned(), !confirm.confirmed), (confirm.verb.clone(), confirm.confirmed)];
    let mut x = inner.x;
    for (label, chosen) in buttons {
        let shown = if chosen { format!("[ {label} ]") } else { format!("  {label}  ") };
        let style = if chosen { theme.selected() } else { theme.style(Tone::Plain) };
        line(frame, inner, x, y, &shown, style);
        x += u16::try_from(text::width(&shown) + 2).unwrap_or(0);
    }
    line(frame, inner, x + 1, y, crate::t!("confirm.keys"), theme.style(Tone::Dim));
}

pub fn prompt(frame: &mut Frame<'_>, area: Rect, prompt: &Prompt, state: &State, focused: bool) {
    let theme = &state.theme;
    let width = width_for(area);
    let columns = usize::from(width).saturating_sub(4);
    let mut notes: Vec<(Tone, String)> = Vec::new();
    if let Some(error) = &prompt.error {
        notes.extend(wrap(&format!("{} {}", theme.symbol(Symbol::Bad), text::clean(error)), columns).into_iter().map(|line| (Tone::Bad, line)));
    }
    notes.extend(wrap(&prompt.help, columns).into_iter().map(|line| (Tone::Dim, line)));
    let inner = boxed(frame, area, width, u16::try_from(notes.len() + 2).unwrap_or(u16::MAX), &prompt.title, state);
    if inner.height > 0 && inner.width > 0 {
        draw_text(frame.buffer_mut(), inner.x, inner.y, inner.width.into(), &prompt.field, focused, theme);
    }
    for (i, (tone, note)) in notes.iter().enumerate() {
        line(frame, inner, inner.x, inner.y + 2 + u16::try_from(i).unwrap_or(0), note, theme.style(*tone));
    }
}

/// What, why, what to do.
pub fn problem(frame: &mut Frame<'_>, area: Rect, problem: &Problem, state: &State) {
    let theme = &state.theme;
    let width = width_for(area);
    let columns = usize::from(width).saturating_sub(4);
    let what = format!("{} {}", theme.symbol(Symbol::Bad), text::clean(&problem.what));
    let mut lines: Vec<(Tone, String)> = wrap(&what, columns).into_iter().map(|line| (Tone::Bad, line)).collect();
    let why = terms::why(problem);
    for (term, content) in [(crate::t!("problem.why"), why), (crate::t!("problem.do"), text::clean(&problem.next_step))] {
        let indent = text::width(term) + 2;
        for (i, part) in wrap(&content, columns.saturating_sub(indent)).into_iter().enumerate() {
            let head = if i == 0 { format!("{term}  ") } else { " ".repeat(indent) };
            lines.push((Tone::Plain, format!("{head}{part}")));
        }
    }
    let inner = boxed(frame, area, width, u16::try_from(lines.len() + 1).unwrap_or(u16::MAX), "", state);
    for (i, (tone, content)) in lines.iter().enumerate() {
        line(frame, inner, inner.x, inner.y + u16::try_from(i).unwrap_or(0), content, theme.style(*tone));
    }
}

/// The lines of a reader at a width: term and text.
#[must_use]
pub fn reader_lines(reader: &Reader, columns: usize) -> Vec<(String, String)> {
    let term = reader.lines.iter().map(|line| text::width(&line.term)).max().unwrap_or(0).min(columns / 2);
    let indent = if term == 0 { 0 } else { term + 2 };
    reader
        .lines
        .iter()
        .flat_map(|line| {
            let parts = wrap(&line.text, columns.saturating_sub(indent).max(8));
            parts
                .into_iter()
                .enumerate()
                .map(|(i, part)| (if i == 0 { text::cut(&line.term, term) } else { String::new() }, part))
                .collect::<Vec<_>>()
        })
        .collect()
}

pub fn reader(frame: &mut Frame<'_>, area: Rect, reader: &Reader, state: &State) {
    let theme = &state.theme;
    let width = area.width.saturating_sub(2).max(1);
    let lines = reader_lines(reader, usize::from(width).saturating_sub(4));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(area.height.saturating_sub(2));
    let inner = boxed(frame, area, width, height, &reader.title, state);
    let term = lines.iter().map(|(term, _)| text::width(term)).max().unwrap_or(0);
    let indent = u16::try_from(if term == 0 { 0 } else { term + 2 }).unwrap_or(0);
    for (i, (term, content)) in lines.iter().skip(reader.scroll.top).take(inner.height.into()).enumerate() {
        let y = inner.y + u16::try_from(i).unwrap_or(0);
        line(frame, inner, inner.x, y, term, theme.style(Tone::Dim));
        line(frame, inner, inner.x + indent, y, content, theme.style(Tone::Plain));
    }
}

pub fn page(frame: &mut Frame<'_>, area: Rect, page: &Page, state: &State) {
    let width = area.width.saturating_sub(2).max(1);
    let lines = terms::height(&page.rows, width.saturating_sub(4));
    let inner = boxed(frame, area, width, lines.min(area.height.saturating_sub(2)), &page.title, state);
    terms::draw_from(frame, inner, page.scroll.top, &page.rows, &state.theme);
    if usize::from(lines) > page.scroll.top + usize::from(inner.height) && inner.width > 8 {
        let more = format!(" {} ", crate::t!("page.more"));
        let x = inner.right().saturating_sub(u16::try_from(text::width(&more)).unwrap_or(0));
        frame.buffer_mut().set_string(x, inner.bottom(), &more, state.theme.style(Tone::Dim));
    }
}

/// What runs now, with its progress.
pub fn tasks(frame: &mut Frame<'_>, area: Rect, scrolled: &Scrolled, state: &State) {
    let theme = &state.theme;
    let running: Vec<_> = state.tasks.visible().collect();
    let lines = u16::try_from(running.len().max(1) * 2).unwrap_or(u16::MAX);
    let inner = boxed(frame, area, area.width.saturating_sub(4).clamp(1, 100), lines, crate::t!("tasks.title"), state);
    if running.is_empty() {
        line(frame, inner, inner.x, inner.y, crate::t!("tasks.none"), theme.style(Tone::Dim));
    }
    for (i, task) in running.iter().enumerate() {
        let y = inner.y + u16::try_from(i * 2).unwrap_or(u16::MAX / 2);
        let milliseconds = state.now.as_millisecond() - task.started.as_millisecond();
        let mark = if i == scrolled.top { theme.symbol(Symbol::Cursor) } else { " " };
        let turning = if task.waits { theme.symbol(Symbol::Open) } else { spinner(milliseconds, theme.unicode) };
        let head = format!("{mark} {} {}  {}", turning, text::clean(&task.title), clock(milliseconds / 1000));
        line(frame, inner, inner.x, y, &head, theme.style(if i == scrolled.top { Tone::Strong } else { Tone::Plain }));
        if let Some(progress) = &task.progress {
            line(frame, inner, inner.x + 4, y + 1, &progress_line(progress), theme.style(Tone::Dim));
        }
    }
}

/// `reading page 3 · 300 of 1,250 records · 140/s · 0:07 left`
#[must_use]
pub fn progress_line(progress: &crate::model::Progress) -> String {
    let mut parts = vec![text::clean(&progress.doing)];
    parts.push(match progress.total {
        Some(total) => {
            crate::t!("progress.records_of", done = crate::words::number(progress.records), total = crate::words::number(total))
        }
        None => crate::t!("progress.records", n = crate::words::number(progress.records)),
    });
    if progress.rate >= 1.0 {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a rate for people")]
        let rate = progress.rate as u64;
        parts.push(crate::t!("progress.rate", rate = crate::words::number(rate)));
    }
    if let Some(left) = progress.seconds_left {
        parts.push(crate::t!("progress.left", time = clock(i64::try_from(left).unwrap_or(i64::MAX))));
    }
    parts.join(" · ")
}

/// Minutes and seconds.
#[must_use]
pub fn clock(seconds: i64) -> String {
    if seconds >= 3600 {
        format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
    } else {
        format!("{}:{:02}", seconds / 60, seconds % 60)
    }
}
