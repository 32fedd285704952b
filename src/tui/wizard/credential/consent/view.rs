//! How the consent is drawn: the routes, numbered; whichever is finished first wins.

use super::{Consent, Waiting};
use crate::tui::app::state::State;
use crate::tui::ui::form::draw_text;
use crate::tui::ui::terms::{self, Row};
use crate::tui::ui::text;
use crate::tui::ui::theme::{Symbol, Tone};
use crate::tui::ui::view::line;
use crate::tui::wizard::credential::flow::Flow;
use ratatui::Frame;
use ratatui::layout::Rect;

/// Columns of the numbers and names of the routes.
const NAMES: u16 = 22;
/// An address is never wrapped into more lines than these.
const URL_LINES: usize = 6;

pub fn draw(frame: &mut Frame<'_>, area: Rect, flow: &Flow, state: &State) {
    let theme = &state.theme;
    let connector = text::clean(&flow.connector.name);
    let rows = match &flow.consent {
        Consent::Waiting(waiting) => return draw_routes(frame, area, waiting, state),
        Consent::Starting => vec![Row::whole(Tone::Dim, crate::t!("wizard.consent.starting"))],
        Consent::Given => {
            vec![Row::whole(Tone::Good, format!("{} {}", theme.symbol(Symbol::Good), crate::t!("wizard.consent.given")))]
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
    let view = &waiting.view;
    let stacked = area.width < 58;
    let roomy = area.height >= 17;
    // With little room, the routes or the field that has the keys.
    let tight = area.height < if stacked { 16 } else { 11 };
    let names = if stacked { 2 } else { NAMES };
    let content = Rect { x: area.x + names.min(area.width), width: area.width.saturating_sub(names), ..area };
    let mut y = area.y;
    if area.height >= 12 {
        line(frame, area, area.x, y, crate::t!("wizard.consent.first_wins"), theme.style(Tone::Dim));
        y += 1 + u16::from(roomy);
    }
    let put = |frame: &mut Frame<'_>, y: u16, number: &str, name: &str, rows: &[Row]| -> u16 {
        line(frame, area, area.x, y, &format!("{number} {name}"), theme.style(Tone::Strong));
        terms::draw(frame, content, y + u16::from(stacked), rows, theme)
    };
    if !(tight && waiting.focused) {
        let here = if view.browser_here { crate::t!("wizard.consent.here_opened") } else { crate::t!("wizard.consent.here_none") };
        let tone = if view.browser_here { Tone::Plain } else { Tone::Dim };
        y = put(frame, y, "1", crate::t!("wizard.consent.here"), &[Row::whole(tone, here)]);
        y += u16::from(roomy);
        let whole_url = roomy && area.height >= 24;
        y = put(frame, y, "2", crate::t!("wizard.consent.yours"), &yours(waiting, content.width, whole_url, tight));
        y += u16::from(roomy);
    }
    y = put(frame, y, "3", crate::t!("wizard.consent.paste"), &[Row::whole(Tone::Plain, crate::t!("wizard.consent.paste_how"))]);
    if y < content.bottom() && content.width > 0 {
        if waiting.focused || !waiting.field.is_empty() {
            draw_text(frame.buffer_mut(), content.x, y, content.width.into(), &waiting.field, waiting.focused, theme);
        } else {
            line(frame, content, content.x, y, crate::t!("wizard.consent.paste_tab"), theme.style(Tone::Dim));
        }
        y += 1;
    }
    let said = match &waiting.refused {
        _ if waiting.offered => vec![Row::whole(Tone::Dim, crate::t!("wizard.consent.offered"))],
        Some(problem) => terms::problem(problem, theme),
        None if waiting.focused => vec![Row::whole(Tone::Dim, crate::t!("wizard.consent.paste_enter"))],
        None => Vec::new(),
    };
    y = terms::draw(frame, content, y, &said, theme);
    y += u16::from(roomy);
    let rows = [Row::whole(Tone::Plain, text::clean(&view.redirect_uri)).middle(), Row::whole(Tone::Dim, crate::t!("wizard.consent.redirect_must"))];
    put(frame, y, " ", crate::t!("wizard.consent.redirect"), &rows);
}

/// The address for a browser elsewhere, and how its answer comes back.
fn yours(waiting: &Waiting, columns: u16, whole: bool, tight: bool) -> Vec<Row> {
    let view = &waiting.view;
    let address = crate::words::clean::line(&view.authorize_url, 8_000);
    let wrapped = text::wrap(&address, usize::from(columns.max(1)));
    // Whole where there is room for it, else both ends: what tells are the host and the end.
    let mut rows: Vec<Row> = if whole && wrapped.len() <= URL_LINES {
        wrapped.into_iter().map(|part| Row::whole(Tone::Plain, part)).collect()
    } else {
        vec![Row::whole(Tone::Plain, address).middle()]
    };
    if !tight {
        rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.yours_keys")));
    }
    match &view.ssh_line {
        _ if !view.listening => rows.push(Row::whole(Tone::Notice, crate::t!("wizard.consent.not_listening"))),
        Some(ssh) => {
            if !tight {
                rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.tunnel")));
            }
            rows.push(Row::whole(Tone::Plain, text::clean(ssh)).middle());
        }
        None if !view.browser_here => rows.push(Row::whole(Tone::Dim, crate::t!("wizard.consent.tunnel_unknown"))),
        None => {}
    }
    rows
}
