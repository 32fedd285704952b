//! How the mapping editor is drawn.

use super::rows::{self, FieldRow, Row};
use super::{Editing, Focus, Machine, Records, Target};
use crate::model::Value;
use crate::ops::mappings;
use crate::tui::app::state::State;
use crate::tui::ui::form::draw_text;
use crate::tui::ui::table::{Cell, Column, Table};
use crate::tui::ui::text::{self, wrap};
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::line;
use crate::tui::wizard::draft::Draft;
use crate::tui::wizard::integration::view::{heading, way};
use crate::tui::wizard::words;
use ratatui::Frame;
use ratatui::layout::Rect;

/// From this width on, source fields stand beside the destination.
const SIDE: u16 = 124;

pub fn draw(frame: &mut Frame<'_>, area: Rect, machine: &Machine, state: &State) {
    let Some(draft) = &machine.draft else {
        line(frame, area, area.x + 2, area.y, crate::t!("loading"), state.theme.style(Tone::Dim));
        return;
    };
    draw_heading(frame, area, machine, draft, state);
    let info = match area.height {
        0..6 => 0,
        6..12 => 2,
        12..30 => 5,
        _ => 7,
    };
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1 + info), ..area };
    let side = area.width >= SIDE;
    let (destination, source) = if side {
        let width = area.width * 62 / 100;
        (Some(Rect { width, ..body }), Some(Rect { x: body.x + width + 2, width: area.width - width - 2, ..body }))
    } else if machine.focus == Focus::Source {
        (None, Some(body))
    } else {
        (Some(body), None)
    };
    if let Some(area) = destination {
        draw_destination(frame, area, machine, draft, state);
    }
    if let Some(area) = source {
        draw_source(frame, area, machine, state);
    }
    if info > 0 {
        let below = Rect { y: body.bottom(), height: info, ..area };
        draw_info(frame, below, machine, draft, state);
    }
    if let Some((_, picker)) = &machine.picker {
        picker.draw(frame, frame.area(), state);
    }
}

fn draw_heading(frame: &mut Frame<'_>, area: Rect, machine: &Machine, draft: &Draft, state: &State) {
    let theme = &state.theme;
    let own = machine.fields_shown().filter(|field| !field.saas);
    let (mut all, mut mapped) = (0, 0);
    for field in own {
        all += 1;
        mapped += usize::from(rows::mapped(&draft.integration, &field.key).is_some());
    }
    let missing = machine.fields_shown().filter(|field| machine.missing(field)).count();
    let mut parts = Vec::new();
    if all > 0 {
        parts.push((Tone::Plain, crate::t!("tui.mapping.mapped", mapped = mapped, all = all)));
    }
    if missing > 0 {
        parts.push((Tone::Bad, crate::t!("tui.mapping.missing", n = missing)));
    } else if all > 0 {
        parts.push((Tone::Good, crate::t!("tui.mapping.none_missing").to_owned()));
    }
    let record = match (&machine.records, &machine.preview) {
        (Records::Loading, _) => crate::t!("tui.mapping.record_loading").to_owned(),
        (Records::Here(_), Some(preview)) if !preview.records.is_empty() => {
            let total = preview.total.filter(|total| *total > preview.records.len() as u64 && area.width >= 100);
            let place = crate::t!("tui.mapping.record", n = machine.record + 1, all = preview.records.len());
            let of = total.map_or_else(String::new, |total| crate::t!("tui.mapping.record_total", n = crate::words::number(total)));
            format!("{place}{of}  {} {}", theme.symbol(Symbol::Previous), theme.symbol(Symbol::Next))
        }
        (Records::Here(_), Some(_)) => crate::t!("tui.mapping.no_records").to_owned(),
        _ => String::new(),
    };
    let width = u16::try_from(text::width(&record) + 1).unwrap_or(0);
    let left = if record.is_empty() || area.width < width + 24 { area } else { Rect { width: area.width - width - 1, ..area } };
    heading(frame, left, draft, &way(draft, state), &parts, state);
    if left != area {
        line(frame, area, area.right() - width, area.y, &record, theme.style(Tone::Plain));
    }
}

/// Where the columns of the destination begin, and how wide they are; those that find no room are 0 wide.
struct Columns {
    label: (u16, u16),
    kind: (u16, u16),
    from: (u16, u16),
    sample: (u16, u16),
    result: (u16, u16),
}

impl Columns {
    fn of(area: Rect) -> Self {
        let x = area.x + 4;
        let room = area.width.saturating_sub(5);
        let label = if room < 50 { (room * 2 / 5).max(8) } else { (room * 3 / 10).clamp(20, 30) };
        let kind: u16 = if room >= 96 { 8 } else { 0 };
        let gaps = if room < 50 { 2 } else { 3 } * 2 + if kind > 0 { 2 } else { 0 };
        let rest = room.saturating_sub(label + kind + gaps);
        let (from, sample, result) =
            if room < 50 { (rest / 2, 0, rest - rest / 2) } else { (rest * 38 / 100, rest * 31 / 100, rest - rest * 38 / 100 - rest * 31 / 100) };
        let mut at = x;
        let mut next = |width: u16| {
            let place = (at, width);
            at += if width > 0 { width + 2 } else { 0 };
            place
        };
        Self { label: next(label), kind: next(kind), from: next(from), sample: next(sample), result: next(result) }
    }
}

fn draw_destination(frame: &mut Frame<'_>, area: Rect, machine: &Machine, draft: &Draft, state: &State) {
    let theme = &state.theme;
    if area.width < 10 || area.height == 0 {
        return;
    }
    let columns = Columns::of(area);
    let dim = theme.style(Tone::Dim);
    let filter = &machine.list.filter;
    let title = if machine.list.typing || !filter.is_empty() {
        format!("/{}{}", text::clean(filter), if machine.list.typing { if theme.unicode { "▏" } else { "_" } } else { "" })
    } else {
        crate::t!("tui.mapping.destination").to_owned()
    };
    let titled = |frame: &mut Frame<'_>, (x, width): (u16, u16), title: &str, tone: Tone| {
        line(frame, Rect { x, width, ..area }, x, area.y, title, theme.style(tone));
    };
    titled(frame, columns.label, &title, if machine.list.typing { Tone::Accent } else { Tone::Dim });
    titled(frame, columns.kind, crate::t!("tui.mapping.type"), Tone::Dim);
    titled(frame, columns.from, crate::t!("tui.mapping.from"), Tone::Dim);
    titled(frame, columns.sample, crate::t!("tui.mapping.sample"), Tone::Dim);
    titled(frame, columns.result, crate::t!("tui.mapping.result"), Tone::Dim);
    let rows = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let height = usize::from(rows.height);
    let list = &machine.list;
    list.height.set(height.max(1));
    if list.is_empty() {
        let shown = if list.loaded { crate::t!("tui.mapping.no_match") } else { crate::t!("loading") };
        line(frame, rows, rows.x + 4, rows.y, shown, dim);
        return;
    }
    let selected = list.selected_index();
    for (y, index) in (rows.y..).zip(list.in_sight(rows.height.into())) {
        match list.row(index) {
            Some(Row::Heading(title)) => {
                let shown = format!("{} {title}", theme.symbol(Symbol::Next));
                line(frame, rows, rows.x + 2, y, &shown, theme.style(Tone::Strong));
            }
            Some(Row::Field(field)) => {
                draw_row(frame, Rect { y, height: 1, ..rows }, &columns, field, index == selected, machine, draft, state);
            }
            None => {}
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "one row of a table that is drawn by hand")]
fn draw_row(frame: &mut Frame<'_>, area: Rect, columns: &Columns, field: &FieldRow, selected: bool, machine: &Machine, draft: &Draft, state: &State) {
    let theme = &state.theme;
    let editing = machine.editing.as_ref().filter(|editing| editing.target == Target::Mapping(field.key.clone()));
    let base = match (selected, machine.focus) {
        (true, Focus::Destination) if editing.is_none() => theme.selected(),
        (true, _) => theme.selected_elsewhere(),
        _ => ratatui::style::Style::new(),
    };
    if selected {
        frame.buffer_mut().set_style(area, base);
        line(frame, area, area.x, area.y, theme.symbol(Symbol::Cursor), theme.style(Tone::Accent));
    }
    let put = |frame: &mut Frame<'_>, (x, width): (u16, u16), content: &str, tone: Tone| {
        line(frame, Rect { x, width, ..area }, x, area.y, content, base.patch(theme.style(tone)));
    };
    let error = machine.error(&field.key);
    let missing = machine.missing(field);
    let (mark, tone) = match (error.is_some() || missing, field.mandatory) {
        (true, _) => (theme.symbol(Symbol::Bad), Tone::Bad),
        (false, true) => (theme.symbol(Symbol::Current), Tone::Dim),
        (false, false) => (" ", Tone::Dim),
    };
    put(frame, (area.x + 2, 1), mark, tone);
    let (x, width) = columns.label;
    let key = if field.syncs { crate::t!("tui.mapping.key") } else { "" };
    let key_width = u16::try_from(text::width(key)).unwrap_or(0);
    let label_width = if key.is_empty() { width } else { width.saturating_sub(key_width + 1) };
    let strong = if field.mandatory { Tone::Strong } else { Tone::Plain };
    put(frame, (x, label_width), &text::cut(&text::clean(&field.label), label_width.into()), strong);
    if !key.is_empty() && width > key_width {
        put(frame, (x + width - key_width, key_width), key, Tone::Dim);
    }
    put(frame, columns.kind, words::field_type(field.kind), Tone::Dim);
    if let Some(editing) = editing {
        let end = if columns.sample.1 > 0 { columns.sample.0 + columns.sample.1 } else { columns.from.0 + columns.from.1 };
        let room = usize::from(end.saturating_sub(columns.from.0));
        draw_text(frame.buffer_mut(), columns.from.0, area.y, room, &editing.field, true, theme);
        let (shown, tone) = match (&editing.error, machine.cell(&field.key)) {
            (Some(_), _) => (format!("{} {}", theme.symbol(Symbol::Bad), crate::t!("tui.mapping.does_not_compile")), Tone::Bad),
            (None, Some(cell)) => result(cell.error.as_deref(), &cell.result),
            (None, None) => (String::new(), Tone::Dim),
        };
        put(frame, columns.result, &shown, tone);
        return;
    }
    match (rows::mapped(&draft.integration, &field.key), rows::follows(&draft.integration, field)) {
        (Some(from), _) => put(frame, columns.from, &text::clean(&mappings::written(from)), Tone::Plain),
        (None, Some(followed)) => {
            let label = machine.fields.iter().find(|known| known.key == followed).map_or(followed, |known| known.label.as_str());
            put(frame, columns.from, &crate::t!("tui.mapping.follows", field = label), Tone::Dim);
        }
        (None, None) => put(frame, columns.from, if theme.unicode { "–" } else { "-" }, Tone::Dim),
    }
    let followed = rows::follows(&draft.integration, field);
    match machine.cell(&field.key).or_else(|| machine.cell(followed?)) {
        Some(cell) => {
            put(frame, columns.sample, &text::clean(&cell.sample), Tone::Dim);
            let (shown, tone) = result(cell.error.as_deref(), &cell.result);
            put(frame, columns.result, &shown, tone);
        }
        None if missing => put(frame, columns.result, crate::t!("tui.mapping.is_missing"), Tone::Bad),
        None => {
            if let Some(error) = error {
                put(frame, columns.result, &text::clean(error), Tone::Bad);
            }
        }
    }
}

fn result(error: Option<&str>, value: &Value) -> (String, Tone) {
    match (error, value) {
        (Some(error), _) => (text::clean(error), Tone::Bad),
        (None, Value::Null) => (crate::t!("tui.mapping.nothing").to_owned(), Tone::Dim),
        (None, value) => (text::clean(&value.to_string()), Tone::Plain),
    }
}

fn draw_source(frame: &mut Frame<'_>, area: Rect, machine: &Machine, state: &State) {
    let theme = &state.theme;
    let list = &machine.source;
    let focused = machine.focus == Focus::Source;
    let rows = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    let columns = [
        Column::grow(crate::t!("tui.mapping.source"), 14, 0),
        Column::grow(crate::t!("tui.mapping.sample"), 12, 0),
        Column::fixed(crate::t!("tui.mapping.type"), 7, 2),
        Column::fixed(crate::t!("tui.mapping.present"), 8, 1).right(),
    ];
    if list.is_empty() {
        let shown = match (&machine.records, list.filter.is_empty()) {
            (_, false) => crate::t!("tui.mapping.no_match"),
            (Records::Loading, _) => crate::t!("tui.mapping.record_loading"),
            (Records::None, _) => crate::t!("tui.mapping.no_source"),
            _ => crate::t!("tui.mapping.no_source_fields"),
        };
        line(frame, area, area.x + 2, area.y, crate::t!("tui.mapping.source"), theme.style(Tone::Dim));
        for (y, part) in (rows.y..rows.bottom()).zip(wrap(shown, usize::from(area.width.saturating_sub(4)).max(8))) {
            line(frame, rows, rows.x + 2, y, &part, theme.style(Tone::Dim));
        }
        return;
    }
    let all = machine.preview.as_ref().map_or(0, |preview| preview.records.len());
    let table = Table {
        columns: &columns,
        rows: list.len(),
        selected: (focused || !list.filter.is_empty()).then_some(list.selected_index()),
        focused,
        header: true,
        offset: &list.offset,
        height: &list.height,
        headings: &[],
    };
    table.draw(frame, area, theme, |row| {
        let Some(field) = list.row(row) else { return Vec::new() };
        let sample = field.samples.iter().map(|sample| text::clean(sample)).collect::<Vec<_>>().join(", ");
        vec![
            Cell::new(text::clean(&field.path)).middle(),
            Cell::new(sample).tone(Tone::Dim),
            Cell::new(words::field_type(field.kind)).tone(Tone::Dim),
            Cell::new(format!("{}/{all}", field.present)).tone(Tone::Dim),
        ]
    });
    if focused && (list.typing || !list.filter.is_empty()) {
        let shown = format!("/{}", text::clean(&list.filter));
        let blank = " ".repeat(text::width(crate::t!("tui.mapping.source")));
        line(frame, area, area.x + 2, area.y, &blank, theme.style(Tone::Plain));
        line(frame, area, area.x + 2, area.y, &shown, theme.style(Tone::Accent));
    }
}

/// Below: what the record becomes, and what is to be said of the field under the cursor.
fn draw_info(frame: &mut Frame<'_>, area: Rect, machine: &Machine, draft: &Draft, state: &State) {
    let theme = &state.theme;
    let mut lines: Vec<(Tone, String)> = Vec::new();
    if let Some(editing) = &machine.editing {
        typing(&mut lines, machine, editing, state);
    } else if machine.focus == Focus::Source {
        if let Some(field) = machine.field() {
            lines.push((Tone::Plain, crate::t!("tui.mapping.choose_source", field = field.label)));
        }
        if let Some(field) = machine.source.selected() {
            lines.push((Tone::Dim, crate::t!("tui.mapping.source_samples", path = field.path, samples = field.samples.join(", "))));
        }
    } else {
        lines.extend(would_be(machine, draft, state));
        lines.extend(about_field(machine, draft));
    }
    let columns = usize::from(area.width.saturating_sub(4)).max(4);
    // A line is left empty above where there is room for it.
    let mut y = area.y + u16::from(area.height > 2);
    if let Some(editing) = machine.editing.as_ref().filter(|editing| editing.target == Target::Filter) {
        let term = crate::t!("tui.mapping.filter");
        line(frame, area, area.x + 2, y, term, theme.style(Tone::Accent));
        let x = area.x + 4 + u16::try_from(text::width(term)).unwrap_or(0);
        if x < area.right() && y < area.bottom() {
            draw_text(frame.buffer_mut(), x, y, usize::from(area.right() - x - 1), &editing.field, true, theme);
        }
        y += 1;
    }
    for (tone, content) in &lines {
        for part in wrap(content, columns).iter().take(2) {
            line(frame, area, area.x + 2, y, part, theme.style(*tone));
            y += 1;
        }
    }
}

fn typing(lines: &mut Vec<(Tone, String)>, machine: &Machine, editing: &Editing, state: &State) {
    let theme = &state.theme;
    if let Some(error) = &editing.error {
        lines.push((Tone::Bad, format!("{} {}", theme.symbol(Symbol::Bad), text::clean(error))));
    }
    match &editing.target {
        Target::Mapping(key) => {
            if let Some(error) = machine.cell(key).and_then(|cell| cell.error.as_deref()).filter(|_| editing.error.is_none()) {
                lines.push((Tone::Bad, format!("{} {}", theme.symbol(Symbol::Bad), text::clean(error))));
            }
            let completions = machine.completions();
            if !completions.is_empty() {
                lines.push((Tone::Plain, crate::t!("tui.mapping.completes", paths = text::clean(&completions.join("  ")))));
            }
            lines.push((Tone::Dim, crate::t!("tui.mapping.grammar").to_owned()));
        }
        Target::Filter => {
            if let Some(left_out) = left_out(machine) {
                lines.push((Tone::Plain, left_out));
            }
            lines.push((Tone::Dim, crate::t!("tui.mapping.filter_help").to_owned()));
        }
    }
}

/// How many of the sampled records the filter leaves out.
fn left_out(machine: &Machine) -> Option<String> {
    let preview = machine.preview.as_ref()?;
    let n = preview.records.iter().filter(|record| record.fate == crate::model::Fate::Filtered).count();
    Some(crate::t!("tui.mapping.left_out", left = n, all = preview.records.len()))
}

fn would_be(machine: &Machine, draft: &Draft, state: &State) -> Vec<(Tone, String)> {
    let theme = &state.theme;
    let mut lines = Vec::new();
    let problem = match &machine.records {
        Records::Failed(problem) => Some(problem),
        _ => machine.trouble.as_ref(),
    };
    if let Some(problem) = problem {
        lines.push((Tone::Bad, format!("{} {}: {}", theme.symbol(Symbol::Bad), text::clean(&problem.what), text::clean(&problem.why))));
        lines.push((Tone::Dim, crate::t!("tui.mapping.without_sample", next = text::clean(&problem.next_step))));
    }
    if matches!(machine.records, Records::None) {
        lines.push((Tone::Notice, format!("{} {}", theme.symbol(Symbol::Notice), crate::t!("tui.mapping.no_source"))));
    }
    if draft.integration.mappings.is_empty() && machine.list.loaded {
        lines.push((Tone::Plain, crate::t!("tui.mapping.empty").to_owned()));
    } else if let Some(record) = machine.previewed() {
        let (word, symbol, tone) = words::fate(record.fate);
        let changes: Vec<String> = record
            .cells
            .iter()
            .filter(|cell| cell.error.is_none())
            // The time of the run differs each time, and says nothing.
            .filter(|cell| rows::mapped(&draft.integration, &cell.field) != Some(&crate::model::Mapped::SyncTime))
            .filter_map(|cell| {
                let stored = cell.stored.as_ref().filter(|stored| **stored != cell.result)?;
                let label = machine.fields_shown().find(|field| field.key == cell.field).map_or(cell.field.as_str(), |field| field.label.as_str());
                let shown =
                    |value: &Value| if value.is_null() { crate::t!("tui.mapping.nothing").to_owned() } else { text::clean(&value.to_string()) };
                Some(format!("{} {} {} {}", text::clean(label), shown(stored), theme.symbol(Symbol::Arrow), shown(&cell.result)))
            })
            .collect();
        let mut said = format!("{}  {} {word}", crate::t!("tui.mapping.would_be"), theme.symbol(symbol));
        if !changes.is_empty() {
            said = format!("{said}: {}", changes.join(&format!(" {} ", theme.symbol(Symbol::Quiet))));
        }
        lines.push((tone, said));
    }
    if let Some(filter) = &draft.integration.filter {
        let left = left_out(machine).map_or_else(String::new, |left| format!(" {} {left}", theme.symbol(Symbol::Quiet)));
        lines.push((Tone::Dim, format!("{}  {}{left}", crate::t!("tui.mapping.filter"), text::clean(filter))));
    }
    lines
}

/// Of the field under the cursor: what is wrong, and what it takes.
fn about_field(machine: &Machine, draft: &Draft) -> Vec<(Tone, String)> {
    let Some(field) = machine.field() else { return Vec::new() };
    let label = text::clean(&field.label);
    let kind = words::field_type(field.kind);
    if machine.missing(field) {
        return vec![(Tone::Bad, crate::t!("tui.mapping.about_missing", field = label, kind = kind))];
    }
    if let Some(error) = machine.error(&field.key) {
        return vec![(Tone::Bad, format!("{label}: {}", text::clean(error)))];
    }
    let of_key = draft
        .findings
        .iter()
        .flatten()
        .find(|finding| finding.place.strip_prefix("mapping.") == Some(field.key.as_str()))
        .map(|finding| (Tone::Notice, format!("{label}: {}", text::clean(&finding.problem.why))));
    let followed = rows::follows(&draft.integration, field).filter(|_| rows::mapped(&draft.integration, &field.key).is_none());
    let about = if let Some(followed) = followed {
        let from = machine.fields.iter().find(|known| known.key == followed).map_or(followed, |known| known.label.as_str());
        crate::t!("tui.mapping.about_followed", field = label, kind = kind, from = from)
    } else if field.syncs {
        crate::t!("tui.mapping.about_key", field = label, kind = kind)
    } else if field.mandatory {
        crate::t!("tui.mapping.about_mandatory", field = label, kind = kind)
    } else if field.custom {
        crate::t!("tui.mapping.about_custom", field = label, kind = kind)
    } else {
        crate::t!("tui.mapping.about", field = label, kind = kind)
    };
    of_key.into_iter().chain([(Tone::Dim, about)]).collect()
}
