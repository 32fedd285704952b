//! A whole frame: header, panes, body, footer, and the layers above them.

use super::{chrome, help, modal, palette, qr, terms, text, toast};
use crate::tui::app::layers::Layer;
use crate::tui::app::state::area::Area;
use crate::tui::app::state::{Hit, Pane, State};
use crate::tui::{panes, wizard};
use ratatui::Frame;
use ratatui::layout::Rect;

/// Under this width, the layout is compact: no tab line, shorter header.
pub const COMPACT: u16 = 60;

pub fn draw(frame: &mut Frame<'_>, state: &State) {
    state.hits.borrow_mut().clear();
    let area = frame.area();
    if area.width == 0 || area.height == 0 {
        return;
    }
    let body = chrome::draw(frame, area, state);
    draw_body(frame, body, state);
    for (place, layer) in state.layers.iter().enumerate() {
        draw_layer(frame, area, body, layer, state, place + 1 == state.layers.len());
    }
    toast::draw(frame, body, state);
    text::scrub(frame.buffer_mut());
}

/// What lies lowest and covers the body: the topmost wizard, or the pane.
fn draw_body(frame: &mut Frame<'_>, body: Rect, state: &State) {
    if body.height == 0 {
        return;
    }
    if let Some(wizard) = state.wizard() {
        match wizard {
            wizard::Wizard::Credential(machine) => wizard::credential::view::draw(frame, body, machine, state),
            wizard::Wizard::Integration(machine) => wizard::integration::view::draw(frame, body, machine, state),
            wizard::Wizard::Mapping(machine) => wizard::mapping::view::draw(frame, body, machine, state),
            wizard::Wizard::Permission(machine) => wizard::permission::view::draw(frame, body, machine, state),
        }
        return;
    }
    match state.pane {
        Pane::Overview => panes::overview::view::draw(frame, body, state),
        Pane::Connectors => panes::connectors::view::draw(frame, body, state),
        Pane::Credentials => panes::credentials::view::draw(frame, body, state),
        Pane::Integrations => panes::integrations::view::draw(frame, body, state),
        Pane::Runs => panes::runs::view::draw(frame, body, state),
        Pane::Data => panes::data::view::draw(frame, body, state),
        Pane::Inbox => panes::inbox::view::draw(frame, body, state),
    }
}

fn draw_layer(frame: &mut Frame<'_>, area: Rect, body: Rect, layer: &Layer, state: &State, top: bool) {
    match layer {
        Layer::Wizard(_) => {}
        Layer::Help(scrolled) => help::draw(frame, body, scrolled, state),
        Layer::Palette(picker) => palette::draw(frame, area, picker, state),
        Layer::Tasks(scrolled) => modal::tasks(frame, body, scrolled, state),
        Layer::Confirm(confirm) => modal::confirm(frame, area, confirm, state),
        Layer::Prompt(prompt) => modal::prompt(frame, area, prompt, state, top),
        Layer::Problem(problem) => modal::problem(frame, area, problem, state),
        Layer::Reader(reader) => modal::reader(frame, body, reader, state),
        Layer::Page(page) => modal::page(frame, body, page, state),
        Layer::Needs(needs) => panes::connectors::view::draw_needs(frame, body, needs, state),
        Layer::Facets(facets) => panes::connectors::view::draw_facets(frame, body, facets, state),
        Layer::Qr(code) => qr::draw(frame, area, code, state),
    }
}

/// How many lines the top layer has, so that scrolling ends where it ends.
#[must_use]
pub fn lines_of_top(state: &State, columns: u16) -> usize {
    match state.layers.last() {
        Some(Layer::Help(_)) => help::lines(state).len(),
        Some(Layer::Reader(reader)) => modal::reader_lines(reader, usize::from(columns).saturating_sub(4)).len(),
        Some(Layer::Page(page)) => terms::height(&page.rows, columns.saturating_sub(6)).into(),
        Some(Layer::Tasks(_)) => state.tasks.visible().count(),
        _ => 0,
    }
}

/// Notes what a click on an area means.
pub fn hit(state: &State, area: Rect, hit: Hit) {
    state.hits.borrow_mut().push((Area { x: area.x, y: area.y, width: area.width, height: area.height }, hit));
}

/// Notes the rows of a list that is drawn from `top` on.
pub fn hit_rows(state: &State, area: Rect, header: bool, offset: usize, rows: usize) {
    let top = area.y + u16::from(header && area.height > 1);
    for line in 0..area.bottom().saturating_sub(top) {
        let index = offset + usize::from(line);
        if index < rows {
            hit(state, Rect { x: area.x, y: top + line, width: area.width, height: 1 }, Hit::Row(index));
        }
    }
}

/// Draws one line of text, cut to the area.
pub fn line(frame: &mut Frame<'_>, area: Rect, x: u16, y: u16, content: &str, style: ratatui::style::Style) {
    if y >= area.bottom() || x >= area.right() || y < area.y {
        return;
    }
    let room = usize::from(area.right() - x);
    frame.buffer_mut().set_stringn(x, y, text::cut(content, room), room, style);
}
