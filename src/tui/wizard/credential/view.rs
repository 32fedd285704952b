//! How the credential wizard is drawn: steps on the left, the question in the middle, where the answer is found on the right or below.

use super::consent;
use super::flow::secret::{self, Meant};
use super::flow::{Entry, Flow, Typed};
use super::outcome;
use super::steps::{self, Step};
use super::{Machine, consent::Consent};
use crate::model::Severity;
use crate::tui::app::state::State;
use crate::tui::ui::form::draw_text;
use crate::tui::ui::labels;
use crate::tui::ui::terms::{self, Row};
use crate::tui::ui::text;
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::{COMPACT, line};
use ratatui::Frame;
use ratatui::layout::Rect;

/// From this width on, three columns stand side by side.
pub const WIDE: u16 = 110;

pub fn draw(frame: &mut Frame<'_>, area: Rect, machine: &Machine, state: &State) {
    let theme = &state.theme;
    let Some(flow) = machine.flow.as_deref() else {
        line(frame, area, area.x + 2, area.y, crate::t!("loading"), theme.style(Tone::Dim));
        return;
    };
    let top = draw_title(frame, area, flow, state);
    let body = Rect { y: top, height: area.bottom().saturating_sub(top), ..area };
    if body.height == 0 || body.width < 2 {
        return;
    }
    let alone = flow.addresses.is_some() || flow.saved.is_none() && *flow.step() == Step::Consent;
    let rail = match area.width {
        ..COMPACT => 0,
        COMPACT..WIDE if alone => 0,
        COMPACT..WIDE => 32,
        _ => 36,
    };
    if rail > 0 {
        draw_rail(frame, Rect { width: rail, ..body }, flow, state);
    }
    let left = if rail > 0 { rail + 2 } else { 1.min(body.width) };
    let question = Rect { x: body.x + left, width: body.width.saturating_sub(left + 1), ..body };
    let wide = area.width >= WIDE;
    if let Some(form) = &flow.addresses {
        let rows = [
            Row::whole(Tone::Strong, crate::t!("wizard.credential.addresses")),
            Row::whole(Tone::Dim, crate::t!("wizard.credential.addresses_about")),
        ];
        let y = terms::draw(frame, question, question.y, &rows, theme) + 1;
        form.draw(frame, Rect { y, height: question.bottom().saturating_sub(y), ..question }, theme);
        return;
    }
    if flow.saved.is_some() {
        outcome::view::draw_saved(frame, question, flow, state);
        return;
    }
    if let Some(choosing) = &flow.choosing {
        choosing.picker.draw(frame, area, state);
        return;
    }
    match flow.step() {
        Step::Consent => consent::view::draw(frame, question, flow, state),
        Step::Test => outcome::view::draw(frame, question, flow, state),
        _ => {
            // The question never runs wider than it can be read; what helps to answer it stands beside it.
            let beside = wide.then(|| question.width * 2 / 5);
            let own = Rect { width: beside.map_or(question.width, |beside| question.width - beside - 3), ..question };
            let y = draw_question(frame, own, flow, state);
            let place = match beside {
                Some(beside) => {
                    let bar = own.right() + 1;
                    for y in question.y..question.bottom() {
                        line(frame, question, bar, y, theme.symbol(Symbol::Bar), theme.style(Tone::Dim));
                    }
                    Rect { x: own.right() + 3, width: beside, ..question }
                }
                None => Rect { y: y.saturating_add(1), height: question.bottom().saturating_sub(y + 1), ..question },
            };
            draw_where(frame, place, flow, state);
        }
    }
}

/// What is being done, and how far it is. Returns the line below.
fn draw_title(frame: &mut Frame<'_>, area: Rect, flow: &Flow, state: &State) -> u16 {
    let theme = &state.theme;
    let title = match &flow.draft.replaces {
        Some(_) => crate::t!("wizard.credential.title_renew", name = text::clean(&flow.draft.name)),
        None => crate::t!("wizard.credential.title_connect", connector = text::clean(&flow.connector.name)),
    };
    let at_consent = *flow.step() == Step::Consent && flow.saved.is_none();
    let (title, place) = match (&flow.saved, flow.consent.waiting().filter(|_| at_consent)) {
        (Some(_), _) => (title, String::new()),
        (None, Some(waiting)) => {
            let seconds = (waiting.view.expires.as_second() - state.now.as_second()).max(0);
            let left = crate::tui::ui::modal::clock(seconds);
            (crate::t!("wizard.consent.title", connector = text::clean(&flow.connector.name)), crate::t!("wizard.consent.left", time = left))
        }
        (None, None) => (title, crate::t!("wizard.credential.place", n = flow.at + 1, of = flow.steps.len())),
    };
    let width = u16::try_from(text::width(&place)).unwrap_or(0);
    let room = area.width.saturating_sub(width + 4);
    line(frame, Rect { width: room, ..area }, area.x + 1, area.y, &title, theme.style(Tone::Strong));
    line(frame, area, area.right().saturating_sub(width + 1), area.y, &place, theme.style(Tone::Dim));
    area.y + if area.height >= 8 { 2 } else { 1 }
}

/// The steps, with what was answered.
fn draw_rail(frame: &mut Frame<'_>, area: Rect, flow: &Flow, state: &State) {
    let theme = &state.theme;
    let label_columns = flow
        .steps
        .iter()
        .map(|step| text::width(&step.label(&flow.connector, &flow.draft.method)))
        .max()
        .unwrap_or(0)
        .clamp(8, (usize::from(area.width) * 6 / 10).saturating_sub(5).max(8));
    let height = usize::from(area.height);
    let offset = (flow.at + 1).saturating_sub(height.saturating_sub(1)).min(flow.steps.len().saturating_sub(height));
    for (i, step) in flow.steps.iter().enumerate().skip(offset).take(height) {
        let y = area.y + u16::try_from(i - offset).unwrap_or(0);
        let current = i == flow.at && flow.saved.is_none();
        let seen = i <= flow.furthest;
        let done = match step {
            Step::Consent => matches!(flow.consent, Consent::Given),
            Step::Test => flow.test.passed(),
            _ => seen && !current,
        };
        let (symbol, tone) = if current {
            (Symbol::Current, Tone::Accent)
        } else if flow.saved.is_some() {
            (Symbol::Good, Tone::Good)
        } else if seen && flow.is_wrong(step) {
            (Symbol::Bad, Tone::Bad)
        } else if done {
            (Symbol::Good, Tone::Good)
        } else {
            (Symbol::Open, Tone::Dim)
        };
        line(frame, area, area.x + 2, y, theme.symbol(symbol), theme.style(tone));
        let label = text::cut(&step.label(&flow.connector, &flow.draft.method), label_columns);
        let label_tone = if current {
            Tone::Strong
        } else if seen {
            Tone::Plain
        } else {
            Tone::Dim
        };
        line(frame, area, area.x + 4, y, &label, theme.style(label_tone));
        let answered = match step {
            Step::Consent if matches!(flow.consent, Consent::Given) => crate::t!("wizard.credential.given").to_owned(),
            _ if seen && !current => steps::answered(step, &flow.connector, &flow.draft, &flow.lengths),
            _ => String::new(),
        };
        let x = area.x + 6 + u16::try_from(label_columns).unwrap_or(0);
        let room = usize::from(area.right().saturating_sub(x));
        let shown = if *step == Step::Name { text::cut(&answered, room) } else { text::cut_middle(&answered, room) };
        line(frame, area, x, y, &shown, theme.style(Tone::Dim));
    }
}

/// The question and what is being answered. Returns the line below.
fn draw_question(frame: &mut Frame<'_>, area: Rect, flow: &Flow, state: &State) -> u16 {
    match (&flow.entry, flow.step()) {
        (Entry::Choice { cursor }, Step::Method) => draw_methods(frame, area, flow, *cursor, state),
        (Entry::Choice { cursor }, _) => draw_options(frame, area, flow, *cursor, state),
        (Entry::Scopes { rows, cursor, adding }, _) => draw_scopes(frame, area, flow, (rows, *cursor), adding.as_deref(), state),
        (Entry::Text(typed), _) => draw_typed(frame, area, flow, typed, state),
        (Entry::Nothing, _) => area.y,
    }
}

fn draw_methods(frame: &mut Frame<'_>, area: Rect, flow: &Flow, cursor: usize, state: &State) -> u16 {
    let theme = &state.theme;
    let mut y = terms::draw(frame, area, area.y, &[Row::whole(Tone::Strong, crate::t!("wizard.credential.method_question"))], theme);
    let default = flow.connector.default_auth().map(|(key, _)| key);
    // With little room, what a method needs is told of the one under the cursor only.
    let roomy = usize::from(area.height) > flow.connector.auth.len() * 3 + 4;
    for (i, (key, method)) in flow.connector.auth.iter().enumerate() {
        let chosen = i == cursor;
        let mark = theme.symbol(if chosen { Symbol::Cursor } else { Symbol::Quiet });
        line(frame, area, area.x, y, mark, theme.style(if chosen { Tone::Accent } else { Tone::Dim }));
        let name = text::clean(&method.name);
        line(frame, area, area.x + 2, y, &name, theme.style(if chosen { Tone::Strong } else { Tone::Plain }));
        if default == Some(key.as_str()) {
            let x = area.x + 4 + u16::try_from(text::width(&name)).unwrap_or(0);
            line(frame, area, x, y, crate::t!("wizard.credential.default_mark"), theme.style(Tone::Dim));
        }
        y += 1;
        if !chosen && !roomy {
            continue;
        }
        let asked = flow.connector.inputs_for(key);
        let needs: Vec<String> =
            asked.iter().filter(|input| !input.optional && input.default.is_none()).map(|input| text::clean(&input.label)).collect();
        let needs = if needs.is_empty() {
            crate::t!("wizard.credential.needs_nothing").to_owned()
        } else {
            crate::t!("wizard.credential.needs", inputs = needs.join(", "))
        };
        let below = Rect { x: area.x + 2.min(area.width), width: area.width.saturating_sub(2), ..area };
        let mut rows = vec![Row::whole(Tone::Dim, needs)];
        if chosen && area.height > 8 {
            rows.insert(0, Row::whole(Tone::Plain, labels::auth_about(method.kind)));
        }
        if method.kind == crate::model::AuthKind::Password && chosen {
            rows.push(Row::whole(Tone::Notice, format!("{} {}", theme.symbol(Symbol::Notice), crate::t!("wizard.credential.password_last"))));
        }
        y = terms::draw(frame, below, y, &rows, theme);
    }
    y
}

fn draw_options(frame: &mut Frame<'_>, area: Rect, flow: &Flow, cursor: usize, state: &State) -> u16 {
    let theme = &state.theme;
    let Some(input) = flow.asked() else { return area.y };
    let mut y = terms::draw(frame, area, area.y, &[Row::whole(Tone::Strong, text::clean(&input.label))], theme);
    let options = flow.options();
    let room = usize::from(area.bottom().saturating_sub(y)).clamp(1, 10);
    let offset = (cursor + 1).saturating_sub(room);
    for (i, option) in options.iter().enumerate().skip(offset).take(room) {
        let chosen = i == cursor;
        line(
            frame,
            area,
            area.x,
            y,
            theme.symbol(if chosen { Symbol::Cursor } else { Symbol::Quiet }),
            theme.style(if chosen { Tone::Accent } else { Tone::Dim }),
        );
        let shown = if option.is_empty() { crate::t!("wizard.credential.none_of_them").to_owned() } else { text::clean(option) };
        line(frame, area, area.x + 2, y, &shown, theme.style(if chosen { Tone::Strong } else { Tone::Plain }));
        if input.default.as_ref() == Some(option) {
            let x = area.x + 4 + u16::try_from(text::width(&shown)).unwrap_or(0);
            line(frame, area, x, y, crate::t!("wizard.credential.default_mark"), theme.style(Tone::Dim));
        }
        y += 1;
    }
    let help = [Row::gap(), Row::whole(Tone::Plain, text::clean(&input.help))];
    terms::draw(frame, area, y, &help, theme)
}

fn draw_scopes(
    frame: &mut Frame<'_>,
    area: Rect,
    flow: &Flow,
    (rows, cursor): (&[String], usize),
    adding: Option<&crate::tui::ui::field::Field>,
    state: &State,
) -> u16 {
    let theme = &state.theme;
    let method = steps::method(&flow.connector, &flow.draft);
    let head = [
        Row::whole(Tone::Strong, crate::t!("wizard.credential.scopes_question")),
        Row::whole(Tone::Dim, crate::t!("wizard.credential.scopes_help")),
        Row::gap(),
    ];
    let mut y = terms::draw(frame, area, area.y, &head[..if area.height >= 10 { 3 } else { 1 }], theme);
    let tail = if adding.is_some() { 2 } else { 0 };
    let each = if usize::from(area.height) >= rows.len() * 3 + 5 { 3 } else { 1 };
    let room = (usize::from(area.bottom().saturating_sub(y + tail)) / each).max(1);
    let offset = (cursor + 1).saturating_sub(room);
    for (i, scope) in rows.iter().enumerate().skip(offset).take(room) {
        let at = i == cursor && adding.is_none();
        let on = flow.draft.scopes.contains(scope);
        line(frame, area, area.x, y, if at { theme.symbol(Symbol::Cursor) } else { " " }, theme.style(Tone::Accent));
        line(frame, area, area.x + 2, y, if on { "[x]" } else { "[ ]" }, theme.style(if on { Tone::Good } else { Tone::Dim }));
        let shown = text::clean(&steps::shown(&flow.connector, &flow.draft, scope));
        let meaning = method
            .and_then(|method| method.scopes.catalog.iter().find(|known| known.id == *scope))
            .map(|known| text::clean(&known.meaning))
            .or_else(|| {
                method.is_none_or(|method| !method.scopes.default.contains(scope)).then(|| crate::t!("wizard.credential.scope_unknown").to_owned())
            })
            .unwrap_or_default();
        let room = usize::from(area.width.saturating_sub(6));
        line(frame, area, area.x + 6, y, &text::cut_middle(&shown, room), theme.style(if at { Tone::Strong } else { Tone::Plain }));
        if each > 1 {
            let below = Rect { x: area.x + 6.min(area.width), width: area.width.saturating_sub(6), ..area };
            y = terms::draw(frame, below, y + 1, &[Row::whole(Tone::Dim, meaning)], theme);
            continue;
        }
        let x = area.x + 8 + u16::try_from(text::width(&shown).max(20)).unwrap_or(0);
        line(frame, area, x, y, &meaning, theme.style(Tone::Dim));
        y += 1;
    }
    if flow.draft.scopes.is_empty() {
        y = terms::draw(frame, area, y, &[Row::whole(Tone::Notice, crate::t!("wizard.credential.scopes_none"))], theme);
    }
    if let Some(field) = adding
        && y + 1 < area.bottom()
    {
        let label = crate::t!("wizard.credential.scope_add");
        line(frame, area, area.x, y + 1, label, theme.style(Tone::Strong));
        let x = area.x + 2 + u16::try_from(text::width(label)).unwrap_or(0);
        if x < area.right() {
            draw_text(frame.buffer_mut(), x, y + 1, usize::from(area.right() - x), field, true, theme);
        }
        y += 2;
    }
    y
}

fn draw_typed(frame: &mut Frame<'_>, area: Rect, flow: &Flow, typed: &Typed, state: &State) -> u16 {
    let theme = &state.theme;
    let asked = flow.asked();
    let label = asked.map_or_else(|| crate::t!("wizard.credential.name_question").to_owned(), |input| text::clean(&input.label));
    line(frame, area, area.x, area.y, &label, theme.style(Tone::Strong));
    if asked.is_some_and(|input| input.optional) {
        let x = area.x + 2 + u16::try_from(text::width(&label)).unwrap_or(0);
        line(frame, area, x, area.y, crate::t!("wizard.credential.optional"), theme.style(Tone::Dim));
    }
    let mut y = area.y + 1;
    if y >= area.bottom() {
        return y;
    }
    let (prefix, suffix) = asked.map_or(("", ""), |input| (input.prefix.as_str(), input.suffix.as_str()));
    let (prefix, suffix) = (text::clean(prefix), text::clean(suffix));
    let before = u16::try_from(text::width(&prefix)).unwrap_or(0).min(area.width / 3);
    let after = u16::try_from(text::width(&suffix)).unwrap_or(0).min(area.width / 3);
    line(frame, Rect { width: before, ..area }, area.x, y, &prefix, theme.style(Tone::Dim));
    let columns = usize::from(area.width.saturating_sub(before + after)).min(64);
    let x = area.x + before;
    draw_text(frame.buffer_mut(), x, y, columns, &typed.field, true, theme);
    let end = x + u16::try_from(columns).unwrap_or(0);
    line(frame, area, end, y, &suffix, theme.style(Tone::Dim));
    y += 1;

    let said = said_of(flow, typed, state);
    // Without anything to say, its line is kept: what follows stays where it is when the first letter is typed.
    y = terms::draw(frame, area, y, &said, theme).max(y + 1);
    let mut rows = Vec::new();
    if area.height > 6 {
        rows.push(Row::gap());
    }
    match asked {
        Some(input) => {
            rows.push(Row::whole(Tone::Plain, text::clean(&input.help)));
            if !input.example.is_empty() {
                rows.push(Row::new(crate::t!("wizard.credential.example"), text::clean(&input.example)).tone(Tone::Dim).middle());
            }
        }
        None => rows.push(Row::whole(Tone::Plain, crate::t!("wizard.credential.name_help"))),
    }
    terms::draw(frame, area, y, &rows, theme)
}

/// What is to be said of what stands in the field: quietly while it is typed, loudly once enter was pressed over it.
fn said_of(flow: &Flow, typed: &Typed, state: &State) -> Vec<Row> {
    let theme = &state.theme;
    let field = &typed.field;
    let mut rows = Vec::new();
    let key = flow.asked().map(|input| input.key.clone()).unwrap_or_default();
    if field.secret
        && field.is_empty()
        && let Some(reference) = flow.reference(&key)
    {
        let said = crate::t!("wizard.credential.reference.kept", reference = reference);
        rows.push(Row::whole(Tone::Good, format!("{} {said}", theme.symbol(Symbol::Good))));
        return rows;
    }
    match typed.meant() {
        Meant::Reference(place) => {
            let said = crate::t!("wizard.credential.reference.is", place = secret::place(place));
            rows.push(Row::whole(Tone::Good, format!("{} {said}", theme.symbol(Symbol::Good))));
            rows.push(Row::whole(Tone::Dim, crate::t!("wizard.credential.reference.literal")).indent(2));
            return rows;
        }
        Meant::File => {
            let said = crate::t!("wizard.credential.reference.once");
            rows.push(Row::whole(Tone::Good, format!("{} {said}", theme.symbol(Symbol::Good))));
            return rows;
        }
        Meant::Value if secret::is_pem(field.text()) && !secret::is_whole(field.text()) => {
            let said = crate::t!("wizard.credential.pem_unfinished");
            rows.push(Row::whole(Tone::Notice, format!("{} {said}", theme.symbol(Symbol::Notice))));
            return rows;
        }
        Meant::Value => {}
    }
    let kept = field.secret && field.is_empty() && flow.draft.secrets.contains(&key);
    if kept {
        let said = match flow.lengths.get(&key) {
            Some(n) => crate::t!("wizard.credential.secret_kept_length", n = n),
            None => crate::t!("wizard.credential.secret_kept").to_owned(),
        };
        rows.push(Row::whole(Tone::Good, format!("{} {said}", theme.symbol(Symbol::Good))));
        return rows;
    }
    let n = field.text().chars().count();
    let length = if !field.secret || n == 0 {
        String::new()
    } else if field.revealed {
        crate::t!("wizard.credential.revealed", n = n)
    } else {
        crate::t!("wizard.credential.masked", n = n)
    };
    match &typed.finding {
        Some(finding) if finding.severity == Severity::Error && typed.insisted => {
            rows.extend(terms::problem(&finding.problem, theme));
            rows.push(Row::whole(Tone::Dim, crate::t!("wizard.credential.enter_again")).indent(2));
        }
        // Nothing is wrong with a field that nobody has begun to fill.
        Some(_) if field.is_empty() => {}
        Some(finding) => {
            let warned = finding.severity != Severity::Error;
            let said = if warned { &finding.problem.why } else { &finding.problem.what };
            rows.push(Row::whole(Tone::Notice, format!("{} {}", theme.symbol(Symbol::Notice), text::clean(said))));
            if warned {
                rows.push(Row::whole(Tone::Dim, text::clean(&finding.problem.next_step)).indent(2));
            }
            if !length.is_empty() {
                rows.push(Row::whole(Tone::Dim, length).indent(2));
            }
        }
        None if field.is_empty() => {}
        None => {
            let checked = flow.asked().is_some_and(|input| input.pattern.is_some() || input.secret || !input.options.is_empty());
            let right = if checked { crate::t!("wizard.credential.looks_right") } else { "" };
            let said = [right, length.as_str()]
                .iter()
                .filter(|part| !part.is_empty())
                .copied()
                .collect::<Vec<_>>()
                .join(&format!(" {} ", theme.symbol(Symbol::Quiet)));
            if !said.is_empty() {
                rows.push(Row::whole(Tone::Good, format!("{} {said}", theme.symbol(Symbol::Good))));
            }
        }
    }
    rows
}

/// Where the answer is found at the vendor, as much as there is room for.
fn draw_where(frame: &mut Frame<'_>, area: Rect, flow: &Flow, state: &State) {
    let theme = &state.theme;
    let Some(method) = flow.method() else { return };
    if area.height < 3 || area.width < 16 || method.setup.is_empty() || !matches!(flow.step(), Step::Method | Step::Input(_)) {
        return;
    }
    let mut rows = vec![Row::whole(Tone::Dim, crate::t!("wizard.credential.where"))];
    for (i, step) in method.setup.iter().enumerate() {
        rows.push(Row::new(&format!("{}", i + 1), text::clean(step)));
    }
    if let Some(redirect) = flow.redirect() {
        rows.insert(1, Row::whole(Tone::Plain, crate::t!("wizard.credential.register", uri = redirect)));
    }
    let page = (!method.setup_url.is_empty()).then(|| Row::whole(Tone::Dim, text::clean(&method.setup_url)).middle());
    let room = area.height - u16::from(page.is_some());
    let whole = terms::height(&rows, area.width) <= room;
    if !whole {
        // As many whole steps as fit, and where the rest is.
        while rows.len() > 1 && terms::height(&rows, area.width) + 1 > room {
            rows.pop();
        }
        if rows.len() == 1 {
            return;
        }
        rows.push(Row::whole(Tone::Dim, crate::t!("wizard.credential.whole_guide")));
    }
    rows.extend(page);
    terms::draw(frame, area, area.y, &rows, theme);
}
