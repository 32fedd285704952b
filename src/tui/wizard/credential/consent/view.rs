//! How the consent is drawn: the routes, numbered; whichever is finished first wins.

use super::{Consent, Waiting};
use crate::ops::credentials::DeviceView;
use crate::tui::app::state::State;
use crate::tui::ui::form::draw_text;
use crate::tui::ui::terms::{self, Row};
use crate::tui::ui::text;
use crate::tui::ui::theme::{Symbol, Theme, Tone};
use crate::tui::ui::view::line;
use crate::tui::wizard::credential::flow::Flow;
use ratatui::Frame;
use ratatui::layout::Rect;

/// Columns of the numbers and names of the routes.
const NAMES: u16 = 22;
/// Under this width, a name stands above what is said of it.
const STACKED: u16 = 58;
/// An address is never wrapped into more lines than these.
const URL_LINES: usize = 6;

/// How much is said of each route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Detail {
    /// What has to be seen, a line for each.
    Least,
    /// And what it is for.
    Some,
    /// With space between, and the whole address.
    Whole,
}

/// One of the ways to answer.
struct Route {
    name: &'static str,
    rows: Vec<Row>,
    /// The field for the answer stands below the rows.
    field: bool,
}

pub fn draw(frame: &mut Frame<'_>, area: Rect, flow: &Flow, state: &State) {
    let theme = &state.theme;
    let connector = text::clean(&flow.connector.name);
    let rows = match &flow.consent {
        Consent::Waiting(waiting) => return draw_routes(frame, area, waiting, state),
        Consent::Starting => vec![Row::whole(Tone::Dim, crate::t!("wizard.consent.starting"))],
        Consent::Given => {
            let good = theme.symbol(Symbol::Good);
            let mut rows = vec![Row::whole(Tone::Good, format!("{good} {}", crate::t!("wizard.consent.given")))];
            rows.extend(flow.route.map(|route| Row::whole(Tone::Plain, super::came(route)).indent(2)));
            rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.given_do")).indent(2));
            rows
        }
        Consent::Idle => {
            let missing: Vec<_> = flow.errors().filter(|finding| finding.place != "name").collect();
            if missing.is_empty() {
                vec![Row::whole(Tone::Plain, crate::t!("wizard.consent.idle", connector = connector))]
            } else {
                let mut rows = vec![Row::whole(Tone::Strong, crate::t!("wizard.credential.not_complete"))];
                rows.extend(
                    missing
                        .into_iter()
                        .map(|finding| Row::whole(Tone::Bad, format!("{} {}", theme.symbol(Symbol::Bad), text::clean(&finding.problem.what)))),
                );
                rows.push(Row::whole(Tone::Dim, crate::t!("wizard.credential.mend_do")));
                rows
            }
        }
        Consent::Failed(problem) => {
            let mut rows = terms::problem(problem, theme);
            rows.push(Row::gap());
            rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.again")).indent(2));
            rows
        }
    };
    terms::draw(frame, area, area.y, &rows, theme);
}

fn draw_routes(frame: &mut Frame<'_>, area: Rect, waiting: &Waiting, state: &State) {
    let theme = &state.theme;
    let stacked = area.width < STACKED;
    let said = said(waiting, theme);
    // As much as fits; where not even the least does, the field with the keys is what has to be seen.
    let (detail, mut routes) = [Detail::Whole, Detail::Some, Detail::Least]
        .into_iter()
        .map(|detail| (detail, routes(waiting, detail, area.width, state)))
        .find(|(detail, routes)| *detail == Detail::Least || height(routes, *detail, area.width, &said) <= area.height)
        .unwrap_or((Detail::Least, Vec::new()));
    if waiting.focused && height(&routes, detail, area.width, &said) > area.height {
        routes.retain(|route| route.field);
    }
    let mut y = area.y;
    if detail > Detail::Least {
        line(frame, area, area.x, y, crate::t!("wizard.consent.first_wins"), theme.style(Tone::Dim));
        y += 1 + u16::from(detail == Detail::Whole);
    }
    let names = names(stacked);
    let content = Rect { x: area.x + names.min(area.width), width: area.width.saturating_sub(names), ..area };
    let mut number = 0;
    for route in &routes {
        let own = route.name != crate::t!("wizard.consent.redirect");
        number += usize::from(own);
        let number = if own { number.to_string() } else { " ".to_owned() };
        let bare = stacked && detail == Detail::Least;
        let head = if bare { number } else { format!("{number} {}", route.name) };
        line(frame, area, area.x, y, &head, theme.style(Tone::Strong));
        y = terms::draw(frame, content, y + u16::from(stacked && !bare), &route.rows, theme);
        if route.field {
            if y < content.bottom() && content.width > 0 {
                if waiting.focused || !waiting.field.is_empty() {
                    draw_text(frame.buffer_mut(), content.x, y, content.width.into(), &waiting.field, waiting.focused, theme);
                } else {
                    line(frame, content, content.x, y, crate::t!("wizard.consent.paste_tab"), theme.style(Tone::Dim));
                }
                y += 1;
            }
            y = terms::draw(frame, content, y, &said, theme);
        }
        y += u16::from(detail == Detail::Whole);
    }
}

fn names(stacked: bool) -> u16 {
    if stacked { 2 } else { NAMES }
}

/// Lines that the routes take.
fn height(routes: &[Route], detail: Detail, columns: u16, said: &[Row]) -> u16 {
    let stacked = columns < STACKED;
    let content = columns.saturating_sub(names(stacked));
    let mut lines = match detail {
        Detail::Least => 0,
        Detail::Some => 1,
        Detail::Whole => 2,
    };
    for route in routes {
        lines += terms::height(&route.rows, content) + u16::from(stacked && detail > Detail::Least) + u16::from(detail == Detail::Whole);
        if route.field {
            lines += 1 + terms::height(said, content);
        }
    }
    lines - u16::from(detail == Detail::Whole && !routes.is_empty())
}

/// What became of the answer that was pasted.
fn said(waiting: &Waiting, theme: &Theme) -> Vec<Row> {
    match &waiting.refused {
        _ if waiting.offered => vec![Row::whole(Tone::Dim, crate::t!("wizard.consent.offered"))],
        Some(problem) => terms::problem(problem, theme),
        None if waiting.focused => vec![Row::whole(Tone::Dim, crate::t!("wizard.consent.paste_enter"))],
        None => Vec::new(),
    }
}

/// Every way there is, in the order in which they are tried.
fn routes(waiting: &Waiting, detail: Detail, columns: u16, state: &State) -> Vec<Route> {
    let view = &waiting.view;
    let content = columns.saturating_sub(names(columns < STACKED));
    let mut routes = Vec::new();
    let mut push = |name: &'static str, rows: Vec<Row>, field: bool| routes.push(Route { name, rows, field });
    if waiting.has_link() {
        if view.browser_here || detail > Detail::Least {
            push(crate::t!("wizard.consent.here"), vec![here(waiting)], false);
        }
        push(crate::t!("wizard.consent.yours"), yours(waiting, content, detail), false);
    }
    if let Some(device) = &view.device {
        push(crate::t!("wizard.consent.device"), device_rows(device, detail, state), false);
    }
    if waiting.can_paste() {
        let how = if view.request.is_some() { crate::t!("wizard.consent.paste_any") } else { crate::t!("wizard.consent.paste_how") };
        let rows = if detail > Detail::Least { vec![Row::whole(Tone::Plain, how)] } else { Vec::new() };
        push(crate::t!("wizard.consent.paste"), rows, true);
    }
    if let Some(request) = &view.request {
        let mut rows = vec![Row::whole(Tone::Plain, format!("intertie authorize {}", text::clean(request))).middle()];
        if detail > Detail::Least {
            rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.request_how")));
        }
        push(crate::t!("wizard.consent.request"), rows, false);
    }
    if waiting.has_link() && !view.redirect_uri.is_empty() && (detail > Detail::Least || !waiting.focused) {
        let mut rows = vec![Row::whole(Tone::Plain, text::clean(&view.redirect_uri)).middle()];
        if detail > Detail::Least {
            rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.redirect_must")));
        }
        push(crate::t!("wizard.consent.redirect"), rows, false);
    }
    routes
}

fn here(waiting: &Waiting) -> Row {
    match (waiting.view.browser_here, waiting.opened) {
        (true, true) => Row::whole(Tone::Plain, crate::t!("wizard.consent.here_opened")),
        (true, false) => Row::whole(Tone::Plain, crate::t!("wizard.consent.here_not_opened")),
        (false, _) => Row::whole(Tone::Dim, crate::t!("wizard.consent.here_none")),
    }
}

/// The code, where it is typed, and how long it is good for.
fn device_rows(device: &DeviceView, detail: Detail, state: &State) -> Vec<Row> {
    let left = (device.expires.as_second() - state.now.as_second()).max(0);
    let clock = crate::tui::ui::modal::clock(left);
    let over = left == 0;
    let mut rows = vec![Row::whole(if over { Tone::Dim } else { Tone::Accent }, super::spaced(&device.user_code))];
    let address = text::clean(&device.verification_uri);
    if over {
        rows.push(Row::whole(Tone::Notice, crate::t!("wizard.consent.device_over")));
    } else if detail == Detail::Least {
        rows.push(Row::whole(Tone::Plain, address).middle());
    } else {
        rows.push(Row::whole(Tone::Plain, crate::t!("wizard.consent.device_at", address = address)));
        rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.device_left", time = clock)));
    }
    rows
}

/// The address for a browser elsewhere, and how its answer comes back.
fn yours(waiting: &Waiting, columns: u16, detail: Detail) -> Vec<Row> {
    let view = &waiting.view;
    let address = crate::words::clean::line(&view.authorize_url, 8_000);
    let wrapped = text::wrap(&address, usize::from(columns.max(1)));
    // Whole where there is room for it, else both ends: what tells are the host and the end.
    let mut rows: Vec<Row> = if detail == Detail::Whole && wrapped.len() <= URL_LINES {
        wrapped.into_iter().map(|part| Row::whole(Tone::Plain, part)).collect()
    } else {
        vec![Row::whole(Tone::Plain, address).middle()]
    };
    let more = detail > Detail::Least;
    if more {
        rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.yours_keys")));
    }
    match &view.ssh_line {
        _ if !view.listening => rows.push(Row::whole(Tone::Notice, crate::t!("wizard.consent.not_listening"))),
        Some(ssh) => {
            if more {
                rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.tunnel")));
            }
            rows.push(Row::whole(Tone::Plain, text::clean(ssh)).middle());
        }
        None if !view.browser_here && more => rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.tunnel_unknown"))),
        None => {}
    }
    rows
}
