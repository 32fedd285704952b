//! Header, tab line and footer.

use super::text;
use super::theme::{Symbol, Tone, spinner};
use super::view::{COMPACT, hit, line};
use crate::tui::app::command;
use crate::tui::app::layers::Layer;
use crate::tui::app::state::{Hit, Pane, State};
use crate::tui::panes;
use ratatui::Frame;
use ratatui::layout::Rect;

/// Draws what surrounds the body and returns the body's area.
pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) -> Rect {
    let compact = area.width < COMPACT;
    let header = u16::from(area.height >= 3);
    let tabs = if compact || area.height < 8 { 0 } else { 2 };
    let footer = u16::from(area.height >= 2);
    if header == 1 {
        draw_header(frame, Rect { height: 1, ..area }, state, compact);
    }
    if tabs > 0 {
        draw_tabs(frame, Rect { y: area.y + 1, height: 1, ..area }, state);
        let rule = state.theme.symbol(Symbol::Rule).repeat(usize::from(area.width));
        line(frame, area, area.x, area.y + 2, &rule, state.theme.style(Tone::Dim));
    }
    if footer == 1 {
        draw_footer(frame, Rect { y: area.bottom() - 1, height: 1, ..area }, state);
    }
    let top = header + tabs;
    Rect { x: area.x, y: area.y + top, width: area.width, height: area.height.saturating_sub(top + footer) }
}

fn draw_header(frame: &mut Frame<'_>, area: Rect, state: &State, compact: bool) {
    let theme = &state.theme;
    let attention = attention(state);
    let right: usize = attention.iter().map(|(_, part)| text::width(part) + 2).sum();
    let width = usize::from(area.width);
    let crumb = format!(" {} ", theme.symbol(Symbol::Crumb));
    let mut parts: Vec<String> = Vec::new();
    if !compact {
        parts.push(format!("intertie {} {}", theme.symbol(Symbol::Quiet), text::clean(&state.workspace)));
    }
    parts.push(state.pane.title().to_owned());
    if let Some(wizard) = state.wizard() {
        parts.extend(wizard.crumbs().iter().map(|crumb| text::clean(crumb)));
    } else if let Some(crumb) = panes::crumb(state) {
        parts.push(crumb);
    }
    // One column before, and two between what is where and what needs a look.
    let room = width.saturating_sub(right + if right > 0 { 3 } else { 1 });
    let whole = parts.join(&crumb);
    let last = parts.last().cloned().unwrap_or_default();
    let shown = if text::width(&whole) <= room { whole.clone() } else { text::cut(&parts[usize::from(parts.len() > 2)..].join(&crumb), room) };
    line(frame, area, area.x + 1, area.y, &shown, theme.style(Tone::Plain));
    if let Some(before) = shown.strip_suffix(last.as_str()) {
        let x = area.x + 1 + u16::try_from(text::width(before)).unwrap_or(0);
        line(frame, area, x, area.y, &last, theme.style(Tone::Strong));
    }
    if right < width {
        let mut x = area.right() - u16::try_from(right).unwrap_or(0);
        for (tone, part) in &attention {
            line(frame, area, x, area.y, part, theme.style(*tone));
            x += u16::try_from(text::width(part) + 2).unwrap_or(0);
        }
    }
}

/// What needs a look, from anywhere.
fn attention(state: &State) -> Vec<(Tone, String)> {
    let theme = &state.theme;
    let mut parts = Vec::new();
    let mut running = state.tasks.visible();
    if let Some(task) = running.next() {
        let milliseconds = state.now.as_millisecond() - task.started.as_millisecond();
        let more = running.count();
        let title = text::cut(&text::clean(&task.title), 24);
        let turning = if task.waits { theme.symbol(Symbol::Open) } else { spinner(milliseconds, theme.unicode) };
        parts.push((Tone::Accent, if more > 0 { format!("{turning} {title} +{more}") } else { format!("{turning} {title}") }));
    }
    if let Some(overview) = &state.panes.overview.overview {
        let failed = overview.failed.len() + overview.broken_credentials.len();
        if failed > 0 {
            parts.push((Tone::Bad, format!("{}{}", theme.symbol(Symbol::Bad), crate::t!("header.failed", n = failed))));
        }
        if !overview.expiring.is_empty() {
            parts.push((Tone::Notice, format!("{}{}", theme.symbol(Symbol::Notice), crate::t!("header.expires", n = overview.expiring.len()))));
        }
        if overview.unread > 0 {
            parts.push((Tone::Plain, crate::t!("header.unread", n = overview.unread)));
        }
    }
    parts
}

fn draw_tabs(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let theme = &state.theme;
    // Each tab is its number and name with a space on either side; neighbours share theirs, as the mark of the current one does.
    let titles: Vec<&str> = Pane::ALL.iter().map(|pane| pane.title()).collect();
    let whole: usize = titles.iter().map(|title| text::width(title) + 3).sum::<usize>() + 1;
    let short = whole > usize::from(area.width);
    let gap = if whole + titles.len() <= usize::from(area.width) { 2 } else { 1 };
    let mut x = area.x;
    for (i, pane) in Pane::ALL.into_iter().enumerate() {
        let current = pane == state.pane;
        let label = if short && !current { format!("{} {}", i + 1, text::cut(titles[i], 4)) } else { format!("{} {}", i + 1, titles[i]) };
        let width = u16::try_from(text::width(&label)).unwrap_or(0);
        if x + width + 2 > area.right() + 1 {
            break;
        }
        let style = theme.style(if current { Tone::Accent } else { Tone::Plain });
        if current {
            line(frame, area, x, area.y, theme.symbol(Symbol::TabLeft), style);
            line(frame, area, x + 1 + width, area.y, theme.symbol(Symbol::TabRight), style);
        }
        line(frame, area, x + 1, area.y, &label, style);
        hit(state, Rect { x, y: area.y, width: width + 1, height: 1 }, Hit::Pane(pane));
        x += width + gap;
    }
}

/// The keys that work now, most useful first, cut by width.
fn draw_footer(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let theme = &state.theme;
    if state.layers.is_empty()
        && let Some((filter, typing)) = panes::filter(state)
        && typing
    {
        let shown = format!("/{}", text::clean(filter));
        line(frame, area, area.x + 1, area.y, &shown, theme.style(Tone::Accent));
        let x = area.x + 1 + u16::try_from(text::width(&shown)).unwrap_or(0);
        line(frame, area, x, area.y, if theme.unicode { "▏" } else { "_" }, theme.style(Tone::Plain));
        let hint = crate::t!("footer.filter");
        line(frame, area, x + 3, area.y, hint, theme.style(Tone::Dim));
        return;
    }
    let width = |(_, key, title): &Part| u16::try_from(text::width(key) + 1 + text::width(title)).unwrap_or(u16::MAX);
    let mut x = area.x + 1;
    for part in fitting(footer(state), area.right().saturating_sub(x), width) {
        let (width, (id, key, title)) = (width(&part), part);
        line(frame, area, x, area.y, &key, theme.style(Tone::Accent));
        line(frame, area, x + u16::try_from(text::width(&key) + 1).unwrap_or(0), area.y, title, theme.style(Tone::Dim));
        if !id.is_empty() {
            hit(state, Rect { x, y: area.y, width, height: 1 }, Hit::Command(id));
        }
        x += width + 2;
    }
}

/// Command, key and word.
type Part = (&'static str, String, &'static str);

/// As many as there is room for, in their order. The way to all of them, help, is not cut.
fn fitting(parts: Vec<Part>, room: u16, width: impl Fn(&Part) -> u16) -> Vec<Part> {
    let is_help = |(id, ..): &Part| *id == "help" || id.ends_with(".help");
    let mut left = room;
    let mut kept = vec![false; parts.len()];
    let first = parts.iter().position(is_help);
    for at in first.into_iter().chain((0..parts.len()).filter(|at| Some(*at) != first)) {
        let wanted = width(&parts[at]);
        if wanted > left {
            break;
        }
        kept[at] = true;
        left = left.saturating_sub(wanted.saturating_add(2));
    }
    parts.into_iter().zip(kept).filter_map(|(part, kept)| kept.then_some(part)).collect()
}

/// What the keys do now, most useful first.
fn footer(state: &State) -> Vec<Part> {
    let mut parts: Vec<Part> = command::usable(state)
        .into_iter()
        .filter(|command| !command.quiet)
        .filter_map(|command| {
            let key = state.keymap.keys(command.id).first()?;
            Some((command.id, key.to_string(), (command.title)()))
        })
        .collect();
    if state.layers.is_empty() {
        if panes::filter(state).is_some() || state.pane != Pane::Overview {
            let at = parts.iter().position(|(id, ..)| *id == "help").unwrap_or(parts.len());
            parts.insert(at, ("", "/".to_owned(), crate::t!("footer.find")));
        }
    } else if !matches!(state.layers.last(), Some(Layer::Wizard(_))) {
        if matches!(state.layers.last(), Some(Layer::Prompt(_))) {
            parts.push(("", "enter".to_owned(), crate::t!("footer.go_on")));
        }
        parts.push(("", "esc".to_owned(), crate::t!("footer.close")));
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_is_not_cut_from_the_footer() {
        let parts: Vec<Part> =
            [("a", "one"), ("b", "two"), ("mapping.help", "help"), ("c", "three")].map(|(id, title)| (id, "x".to_owned(), title)).into();
        let shown = |room: u16| {
            let kept = fitting(parts.clone(), room, |(_, key, title)| u16::try_from(key.len() + 1 + title.len()).unwrap());
            kept.iter().map(|(.., title)| *title).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(shown(80), "one two help three");
        assert_eq!(shown(20), "one two help");
        assert_eq!(shown(14), "one help");
        assert_eq!(shown(6), "help");
        assert_eq!(shown(3), "");
    }
}
