//! How the catalog is drawn: the line of what it is narrowed to, the list, and what connecting the one under the cursor takes.

use super::{Order, facets};
use crate::model::{ConnectorStatus, Origin, ResourceKind};
use crate::ops::checklist::{self, Checklist};
use crate::ops::connectors::{ConnectorRow, Found, Place, Used};
use crate::ops::facets::Facet;
use crate::tui::app::layers::{FacetBox, Needs};
use crate::tui::app::state::{Hit, State};
use crate::tui::ui::labels;
use crate::tui::ui::list::window;
use crate::tui::ui::modal::boxed;
use crate::tui::ui::table::{Cell, Column, Table};
use crate::tui::ui::text::{self, wrap};
use crate::tui::ui::theme::{Symbol, Theme, Tone};
use crate::tui::ui::view::{hit, line};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::widgets::Clear;

/// From this width on, what connecting takes stands beside the list.
const SIDE: u16 = 130;
/// Lists so wide say in words what others say in letters.
const WIDE: u16 = 104;
const NARROW: u16 = 60;

/// The areas of the list and of what stands beside or below it.
fn split(area: Rect) -> (Rect, Rect) {
    if area.width >= SIDE {
        let list = Rect { width: area.width * 3 / 5, ..area };
        let x = list.right() + 2;
        return (list, Rect { x, width: area.right().saturating_sub(x + 1), ..area });
    }
    let below = if area.height >= 15 { 7 } else { 0 };
    let list = Rect { height: area.height - below, ..area };
    (list, Rect { x: area.x + 2, y: list.bottom() + 1, width: area.width.saturating_sub(3), height: below.saturating_sub(1) })
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.connectors;
    let theme = &state.theme;
    let (list, rest) = split(area);
    draw_list(frame, list, state);
    if pane.list.is_empty() {
        return;
    }
    let needs = pane.needs.as_ref().filter(|needs| pane.list.selected().is_some_and(|row| row.id == needs.connector));
    if area.width >= SIDE {
        for y in area.y..area.bottom() {
            line(frame, area, list.right(), y, theme.symbol(Symbol::Bar), theme.style(Tone::Dim));
        }
        if let Some(needs) = needs {
            draw_lines(frame, rest, 0, &needs_lines(needs, state, usize::from(rest.width)), theme);
        }
    } else if rest.height > 0 {
        line(frame, area, area.x, list.bottom(), &theme.symbol(Symbol::Rule).repeat(usize::from(area.width)), theme.style(Tone::Dim));
        if let Some(needs) = needs {
            draw_lines(frame, rest, 0, &summary_lines(needs, state, usize::from(rest.width), usize::from(rest.height)), theme);
        }
    }
}

// ---- the list

fn draw_list(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.connectors;
    let theme = &state.theme;
    if !pane.list.loaded {
        line(frame, area, area.x + 2, area.y, crate::t!("loading"), theme.style(Tone::Dim));
        return;
    }
    // The line above goes first where there is hardly room for rows.
    let told = area.height >= 6 || (area.height >= 3 && !pane.facets.is_empty());
    let area = if told {
        draw_told(frame, Rect { height: 1, ..area }, state);
        Rect { y: area.y + 1, height: area.height - 1, ..area }
    } else {
        area
    };
    if pane.list.is_empty() {
        draw_none(frame, area, state);
        return;
    }
    let wide = area.width >= WIDE;
    let category = match area.width {
        WIDE.. => 20,
        90.. => 15,
        _ => 13,
    };
    let narrow = area.width < NARROW;
    let connected = Column::fixed(crate::t!("connectors.connected"), if narrow { 4 } else { 14 }, 1);
    let columns = [
        Column::grow(crate::t!("connectors.name"), 20, 0),
        Column::fixed(crate::t!("connectors.category"), category, 5),
        Column::fixed(crate::t!("connectors.methods"), 17, 3),
        Column::fixed(crate::t!("connectors.reads"), if wide { 21 } else { 5 }, 4),
        Column::fixed(crate::t!("connectors.status"), if narrow { 7 } else { 8 }, 2),
        if narrow { Column { title: String::new(), ..connected } } else { connected },
    ];
    let mut table = Table::of(&pane.list, &columns, state.layers.is_empty());
    table.headings = &pane.headings;
    table.draw(frame, area, theme, |row| {
        let Some(connector) = pane.list.row(row) else { return Vec::new() };
        let (status, tone) = match connector.status {
            ConnectorStatus::Preview => (crate::t!("connectors.preview"), Tone::Notice),
            ConnectorStatus::Practice => (crate::t!("connectors.practice"), Tone::Accent),
            ConnectorStatus::Available if connector.origin != Origin::BuiltIn => (crate::t!("connectors.own"), Tone::Plain),
            ConnectorStatus::Available => ("", Tone::Plain),
        };
        let found = pane.found.get(row);
        let categories = if wide {
            let all: Vec<String> = connector.categories.iter().map(|category| facets::category(category)).collect();
            all.join(", ")
        } else {
            facets::category(&connector.category)
        };
        vec![
            name_cell(connector, found),
            match found {
                // Marks are for the one that is shown.
                Some(Found { place: Place::Category(0), at, .. }) => Cell::new(categories).tone(Tone::Dim).marked(at.clone()),
                _ => Cell::new(categories).tone(Tone::Dim),
            },
            Cell::new(methods(connector)).tone(Tone::Dim),
            Cell::new(reads(connector, wide, theme)).tone(Tone::Dim),
            Cell::new(status).tone(tone),
            standing(pane.used(connector), narrow, theme),
        ]
    });
    let lines = usize::from(area.bottom().saturating_sub(area.y + u16::from(area.height > 1)));
    let top = area.y + u16::from(area.height > 1);
    for (at, row) in table.lines(pane.list.offset.get(), lines).into_iter().enumerate() {
        if let Some(row) = row {
            hit(state, Rect { x: area.x, y: top + u16::try_from(at).unwrap_or(0), width: area.width, height: 1 }, Hit::Row(row));
        }
    }
}

/// The name, with what matched; behind it the other name, where that is what matched.
fn name_cell(connector: &ConnectorRow, found: Option<&Found>) -> Cell {
    let name = text::clean(&connector.name);
    let Some(found) = found else { return Cell::new(name) };
    let other = match found.place {
        Place::Name => return Cell::new(name).marked(found.at.clone()),
        Place::OtherName(i) => connector.names.get(i).map(|(_, name)| name),
        Place::Alias(i) => connector.aliases.get(i),
        Place::Id if !connector.name.eq_ignore_ascii_case(&connector.id) => Some(&connector.id),
        _ => None,
    };
    let Some(other) = other else { return Cell::new(name) };
    let before = format!("{name} = ");
    let at = before.chars().count();
    Cell::new(format!("{before}{}", text::clean(other))).marked(found.at.iter().map(|place| place + at).collect())
}

/// The default method, and how many others there are.
fn methods(connector: &ConnectorRow) -> String {
    let default = connector.auth.iter().find(|auth| auth.default).or(connector.auth.first());
    let Some(default) = default else { return String::new() };
    let label = labels::auth_kind(default.kind);
    match connector.auth.len() {
        0 | 1 => label.to_owned(),
        n => format!("{} +{}", text::cut(label, 14), n - 1),
    }
}

const KINDS: [ResourceKind; 5] =
    [ResourceKind::Users, ResourceKind::Groups, ResourceKind::Applications, ResourceKind::Hardware, ResourceKind::Software];

/// What it reads: in words, or a letter for each kind, always in the same place.
fn reads(connector: &ConnectorRow, wide: bool, theme: &Theme) -> String {
    if wide {
        let words: Vec<&str> = KINDS.into_iter().filter(|kind| connector.reads.contains(kind)).map(labels::resource_kind).collect();
        return words.join(", ");
    }
    KINDS
        .into_iter()
        .map(|kind| match connector.reads.contains(&kind) {
            true => labels::resource_kind(kind).chars().next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default(),
            false => theme.symbol(Symbol::Quiet).to_owned(),
        })
        .collect()
}

/// What this workspace has of it: how many credentials and the worst of their states, or a draft.
fn standing(used: Option<&Used>, narrow: bool, theme: &Theme) -> Cell {
    let Some(used) = used else { return Cell::new("") };
    let Some(status) = used.status else {
        let mark = theme.symbol(Symbol::Open);
        let shown = if narrow { mark.to_owned() } else { format!("{mark} {}", crate::t!("connectors.draft")) };
        return Cell::new(shown).tone(Tone::Dim);
    };
    let (word, symbol, tone) = labels::credential_status(status);
    let mark = theme.symbol(symbol);
    Cell::new(if narrow { format!("{mark} {}", used.credentials) } else { format!("{mark} {} {word}", used.credentials) }).tone(tone)
}

/// `23 of 169   users · hr or crm   “sante”`: how many there are, and what they are narrowed to; else in which order they stand.
fn draw_told(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.connectors;
    let theme = &state.theme;
    let all = pane.list.items().len();
    let chips = facets::chips(state);
    let searched = pane.list.filter.trim();
    let narrowed = !chips.is_empty() || !searched.is_empty();
    let mut x = area.x + 2;
    let mut put = |content: &str, tone: Tone, gap: u16| {
        line(frame, area, x, area.y, content, theme.style(tone));
        x = x.saturating_add(u16::try_from(text::width(content)).unwrap_or(0) + gap);
    };
    if narrowed {
        put(&crate::t!("connectors.count_of", shown = pane.list.len(), all = all), Tone::Strong, 3);
    } else {
        put(&crate::t!("connectors.count", n = all), Tone::Dim, 3);
    }
    if !searched.is_empty() {
        put(&crate::t!("connectors.searched", text = text::clean(searched)), Tone::Accent, 2);
    }
    for (i, chip) in chips.iter().enumerate() {
        if i > 0 {
            put(theme.symbol(Symbol::Quiet), Tone::Dim, 1);
        }
        put(chip, Tone::Accent, 1);
    }
    if narrowed {
        return;
    }
    if pane.usage.is_empty() {
        put(crate::t!("connectors.first"), Tone::Dim, 0);
        return;
    }
    let connected = pane.list.items().iter().filter(|row| pane.used(row).is_some_and(|used| used.credentials > 0)).count();
    put(&crate::t!("connectors.count_connected", n = connected), Tone::Dim, 3);
    put(
        match pane.order {
            Order::Recent => crate::t!("connectors.order.recent"),
            Order::Name => crate::t!("connectors.order.name"),
            Order::Category => crate::t!("connectors.order.category"),
        },
        Tone::Dim,
        0,
    );
}

/// Nothing matches: what else can be done.
fn draw_none(frame: &mut Frame<'_>, area: Rect, state: &State) {
    let pane = &state.panes.connectors;
    let theme = &state.theme;
    let searched = pane.list.filter.trim();
    let what = match (searched.is_empty(), pane.facets.is_empty()) {
        (false, true) => crate::t!("connectors.none", filter = text::clean(searched)),
        (false, false) => crate::t!("connectors.none_narrowed", filter = text::clean(searched)),
        (true, _) => crate::t!("connectors.none_facets").to_owned(),
    };
    let mut lines = vec![(Tone::Strong, what), (Tone::Plain, crate::t!("connectors.none_generic").to_owned())];
    if !pane.facets.is_empty() {
        let how = if searched.is_empty() { crate::t!("connectors.none_off") } else { crate::t!("connectors.none_all") };
        lines.push((Tone::Plain, how.to_owned()));
    }
    let inner = Rect { x: area.x + 2.min(area.width), width: area.width.saturating_sub(3).min(76), ..area };
    let mut y = area.y + u16::from(area.height > 4);
    for (tone, content) in lines {
        for part in wrap(&content, usize::from(inner.width)) {
            line(frame, inner, inner.x, y, &part, theme.style(tone));
            y += 1;
        }
    }
}

// ---- what connecting takes

/// A line as it is drawn: how far to the right, and what.
struct Drawn {
    at: u16,
    tone: Tone,
    text: String,
}

fn draw_lines(frame: &mut Frame<'_>, area: Rect, skipped: usize, lines: &[Drawn], theme: &Theme) {
    for (i, one) in lines.iter().skip(skipped).take(area.height.into()).enumerate() {
        line(frame, area, area.x + one.at, area.y + u16::try_from(i).unwrap_or(0), &one.text, theme.style(one.tone));
    }
}

fn push(out: &mut Vec<Drawn>, at: u16, tone: Tone, columns: usize, content: &str) {
    out.extend(wrap(content, columns.saturating_sub(usize::from(at)).max(8)).into_iter().map(|text| Drawn { at, tone, text }));
}

/// The method that is looked at, and that there are others: `◂ OAuth code ▸  2 of 3`.
fn method_line(needs: &Checklist, state: &State) -> String {
    let theme = &state.theme;
    let name = text::clean(&needs.method_name);
    let default = if needs.default { format!("  {}", crate::t!("connectors.default_mark")) } else { String::new() };
    let all = needs.others.len() + 1;
    if all == 1 {
        return name;
    }
    let place = state.panes.connectors.detail.as_ref().and_then(|detail| detail.auth.get_index_of(&needs.method)).map_or(1, |at| at + 1);
    let (back, on) = (theme.symbol(Symbol::Previous), theme.symbol(Symbol::Next));
    format!("{back} {name} {on}  {}{default}", crate::t!("connectors.place", at = place, all = all))
}

/// What is worth a look before anything else: what the workspace has of it, and that it is only a preview.
fn marks(needs: &Checklist, state: &State, out: &mut Vec<Drawn>, columns: usize) {
    let theme = &state.theme;
    if needs.status == ConnectorStatus::Preview {
        push(out, 0, Tone::Notice, columns, &format!("{} {}", theme.symbol(Symbol::Notice), crate::t!("checklist.preview")));
    }
    let Some(used) = state.panes.connectors.usage.get(&needs.connector) else { return };
    if let Some(status) = used.status {
        let (word, symbol, tone) = labels::credential_status(status);
        let said = crate::t!("connectors.here", n = used.credentials, status = word);
        push(out, 0, tone, columns, &format!("{} {said}", theme.symbol(symbol)));
    }
    if used.drafts > 0 {
        push(out, 0, Tone::Dim, columns, &format!("{} {}", theme.symbol(Symbol::Open), crate::t!("connectors.here_drafts", n = used.drafts)));
    }
}

/// The whole checklist at a width.
fn needs_lines(needs: &Checklist, state: &State, columns: usize) -> Vec<Drawn> {
    let theme = &state.theme;
    let mut out = Vec::new();
    push(&mut out, 0, Tone::Strong, columns, &text::clean(&needs.name));
    if !needs.summary.is_empty() {
        push(&mut out, 0, Tone::Plain, columns, &text::clean(&needs.summary));
    }
    marks(needs, state, &mut out, columns);
    push(&mut out, 0, Tone::Accent, columns, &method_line(needs, state));
    let open = theme.symbol(Symbol::Open);
    for section in checklist::sections(needs) {
        out.push(Drawn { at: 0, tone: Tone::Plain, text: String::new() });
        push(&mut out, 0, Tone::Strong, columns, &section.title);
        let term =
            section.lines.iter().map(|one| if let checklist::Line::Fact { term, .. } = one { text::width(term) } else { 0 }).max().unwrap_or(0);
        let term = term.min(columns / 3);
        for one in &section.lines {
            match one {
                checklist::Line::Item { text, about } => {
                    for (i, part) in wrap(text, columns.saturating_sub(4).max(8)).into_iter().enumerate() {
                        out.push(if i == 0 {
                            Drawn { at: 2, tone: Tone::Plain, text: format!("{open} {part}") }
                        } else {
                            Drawn { at: 4, tone: Tone::Plain, text: part }
                        });
                    }
                    for part in about {
                        push(&mut out, 4, Tone::Dim, columns, part);
                    }
                }
                checklist::Line::Fact { term: name, text: said } => {
                    let room = columns.saturating_sub(term + 4).max(8);
                    for (i, part) in wrap(said, room).into_iter().enumerate() {
                        let head = if i == 0 { text::cut(name, term) } else { String::new() };
                        let gap = " ".repeat(term.saturating_sub(text::width(&head)) + 2);
                        out.push(Drawn { at: 2, tone: Tone::Plain, text: format!("{head}{gap}{part}") });
                    }
                }
                checklist::Line::Say(said) => push(&mut out, 2, Tone::Plain, columns, said),
                checklist::Line::Link(url) => push(&mut out, 2, Tone::Dim, columns, url),
            }
        }
    }
    out
}

/// As much as finds room below the list: what it is, the method, and what will be asked for.
fn summary_lines(needs: &Checklist, state: &State, columns: usize, rows: usize) -> Vec<Drawn> {
    let mut out = Vec::new();
    let summary = text::clean(&needs.summary);
    let name = text::clean(&needs.name);
    push(&mut out, 0, Tone::Strong, columns, &name);
    if !summary.is_empty() {
        out.push(Drawn { at: 0, tone: Tone::Plain, text: text::cut(&summary, columns) });
    }
    marks(needs, state, &mut out, columns);
    out.push(Drawn { at: 0, tone: Tone::Accent, text: method_line(needs, state) });
    let asked: Vec<String> =
        needs.values.iter().filter(|value| !value.optional && value.default.is_none()).map(|value| text::clean(&value.label)).collect();
    if !asked.is_empty() {
        out.push(Drawn { at: 0, tone: Tone::Plain, text: text::cut(&crate::t!("connectors.asked", inputs = asked.join(", ")), columns) });
    }
    let steps = needs.steps.len() + usize::from(needs.redirect.is_some());
    let how = crate::t!("connectors.steps", n = steps);
    // The redirect URI beside it, where it has room as a whole.
    let uri = needs.redirect.as_ref().map(|redirect| text::clean(&redirect.uri)).filter(|uri| text::width(&how) + text::width(uri) + 3 <= columns);
    out.push(Drawn { at: 0, tone: Tone::Dim, text: uri.map_or_else(|| text::cut(&how, columns), |uri| format!("{how}   {uri}")) });
    out.truncate(rows);
    out
}

/// The checklist in front: in its place beside the list, or over the whole body.
pub fn draw_needs(frame: &mut Frame<'_>, body: Rect, open: &Needs, state: &State) {
    let pane = &state.panes.connectors;
    let theme = &state.theme;
    let (outer, inner) = if body.width >= SIDE {
        let (_, rest) = split(body);
        // The line beside it says that the keys are its own now.
        for y in body.y..body.bottom() {
            line(frame, body, rest.x.saturating_sub(2), y, theme.symbol(Symbol::Bar), theme.style(Tone::Accent));
        }
        (Rect { x: rest.x.saturating_sub(1), width: body.right().saturating_sub(rest.x) + 1, ..rest }, rest)
    } else {
        (body, Rect { x: body.x + 2.min(body.width), width: body.width.saturating_sub(4), ..body })
    };
    frame.render_widget(Clear, outer);
    let needs = pane.needs.as_ref().filter(|needs| pane.list.selected().is_some_and(|row| row.id == needs.connector));
    let Some(needs) = needs else {
        line(frame, inner, inner.x, inner.y, crate::t!("loading"), theme.style(Tone::Dim));
        return;
    };
    let lines = needs_lines(needs, state, usize::from(inner.width));
    let height = usize::from(inner.height);
    open.page.set(height);
    open.last.set(lines.len().saturating_sub(height));
    let top = open.top.min(open.last.get());
    draw_lines(frame, inner, top, &lines, theme);
    // Where one is in it, at the right edge, when there is more than fits.
    if lines.len() > height && height > 2 {
        let bar = (height * height / lines.len()).max(1);
        let from = top * (height - bar) / open.last.get().max(1);
        for row in 0..height {
            let (symbol, tone) = if row >= from && row < from + bar { (Symbol::Full, Tone::Accent) } else { (Symbol::Bar, Tone::Dim) };
            let y = inner.y + u16::try_from(row).unwrap_or(0);
            line(frame, outer, outer.right().saturating_sub(1), y, theme.symbol(symbol), theme.style(tone));
        }
    }
}

// ---- the filter's box

pub fn draw_facets(frame: &mut Frame<'_>, area: Rect, open: &FacetBox, state: &State) {
    let pane = &state.panes.connectors;
    let theme = &state.theme;
    let facet = facets::facet(open);
    let values = facets::values(state, facet);
    let rows = values.len().max(Facet::ALL.len()).min(usize::from(area.height).saturating_sub(6).clamp(1, 20));
    let title = crate::t!("connectors.facets_title", shown = pane.list.len(), all = pane.list.items().len());
    let inner = boxed(frame, area, area.width.saturating_sub(4).min(58), u16::try_from(rows).unwrap_or(1), &title, state);
    let left = if inner.width < 40 { 13 } else { 16 };
    for (i, one) in Facet::ALL.into_iter().enumerate().take(inner.height.into()) {
        let y = inner.y + u16::try_from(i).unwrap_or(0);
        let chosen = pane.facets.chosen(one);
        let name = facets::title(one);
        let shown = if chosen > 0 { format!("{name} {chosen}") } else { name.to_owned() };
        let (mark, tone) = if one == facet { (theme.symbol(Symbol::Cursor), Tone::Accent) } else { (" ", Tone::Plain) };
        line(frame, Rect { width: left, ..inner }, inner.x, y, &format!("{mark}{shown}"), theme.style(tone));
    }
    let rest = Rect { x: inner.x + left, width: inner.width.saturating_sub(left), ..inner };
    let height = usize::from(rest.height).max(1);
    let at = open.value.min(values.len().saturating_sub(1));
    let offset = window(open.offset.get(), values.len(), Some(at), height);
    open.offset.set(offset);
    for (i, (word, n)) in values.iter().enumerate().skip(offset).take(height) {
        let y = rest.y + u16::try_from(i - offset).unwrap_or(0);
        let row = Rect { y, height: 1, ..rest };
        let chosen = pane.facets.has(facet, word);
        let mark = if chosen { "[x]" } else { "[ ]" };
        let tone = match (chosen, *n) {
            (true, _) => Tone::Strong,
            (false, 0) => Tone::Dim,
            (false, _) => Tone::Plain,
        };
        if i == at {
            frame.buffer_mut().set_style(row, theme.selected());
        }
        let number = n.to_string();
        let room = usize::from(rest.width).saturating_sub(text::width(&number) + 2);
        let style = if i == at { theme.selected().patch(theme.style(tone)) } else { theme.style(tone) };
        line(frame, row, rest.x, y, &text::cut(&format!("{mark} {}", facets::value(facet, word)), room), style);
        let x = rest.right().saturating_sub(u16::try_from(text::width(&number) + 1).unwrap_or(0));
        line(frame, row, x, y, &number, style);
    }
    if values.is_empty() {
        line(frame, rest, rest.x, rest.y, crate::t!("connectors.facets_none"), theme.style(Tone::Dim));
    }
}
