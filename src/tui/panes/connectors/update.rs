//! How the catalog pane changes.

use super::{Order, State as PaneState};
use crate::ops::checklist;
use crate::ops::connectors::{self, ConnectorRow};
use crate::ops::facets::{Facet, YES};
use crate::tui::app::effect::{Effect, Effects, Job};
use crate::tui::app::key::{Code, Key};
use crate::tui::app::layers::{Confirm, Layer, Needs, Prompt};
use crate::tui::app::msg::Answer;
use crate::tui::app::state::State;
use crate::tui::app::tasks::{read, write};
use crate::tui::ui::field::Field;
use crate::tui::ui::list::Listed as _;
use crate::tui::ui::text;
use crate::tui::ui::theme::Tone;
use crate::tui::wizard;

/// How many stand under “recently used”.
const RECENT: usize = 8;

pub fn load(state: &mut State) -> Effects {
    let mut effects = state.start(read("read.connectors", Job::LoadConnectors));
    effects.extend(state.start(read("read.connector_use", Job::LoadConnectorUse)));
    effects.extend(moved(state));
    effects
}

/// Reads the definition of the connector under the cursor, unless it is the one that is shown.
pub fn moved(state: &mut State) -> Effects {
    let pane = &state.panes.connectors;
    let Some(id) = pane.list.selected().map(|row| row.id.clone()) else { return Vec::new() };
    if pane.detail.as_ref().is_some_and(|detail| detail.id == id) {
        return Vec::new();
    }
    state.start(read("read.connector", Job::LoadConnector(id.into_owned())))
}

pub fn answer(state: &mut State, answer: &Answer) -> Effects {
    let pane = &mut state.panes.connectors;
    match answer {
        Answer::Connectors(rows) => {
            pane.list.set(rows.clone());
            let keep = pane.list.selected().map(|row| row.id());
            narrow(pane, keep.as_deref());
            moved(state)
        }
        Answer::ConnectorUse(usage) => {
            pane.usage.clone_from(usage);
            let keep = pane.list.selected().map(|row| row.id());
            // Before anybody chose, the first row is the first of those used last.
            let keep = keep.filter(|_| pane.touched);
            narrow(pane, keep.as_deref());
            moved(state)
        }
        Answer::Connector(connector) => {
            // A definition that is read anew keeps the method that was looked at.
            let same = pane.needs.as_ref().filter(|needs| needs.connector == connector.id && connector.auth.contains_key(&needs.method));
            let method = same.map(|needs| needs.method.clone()).or_else(|| connector.default_auth().map(|(key, _)| key.to_owned()));
            pane.needs = Some(checklist::of(connector, &method.unwrap_or_default(), &indexmap::IndexMap::new()));
            pane.detail = Some(connector.clone());
            Vec::new()
        }
        Answer::ChecklistSaved(path) => {
            state.toast(Tone::Good, crate::t!("connectors.save.saved", path = text::clean(path)));
            Vec::new()
        }
        Answer::ChecklistThere { text: said, path } => {
            let layer = Confirm::task(
                crate::t!("connectors.save.there", path = text::clean(path)),
                crate::t!("connectors.save.there_consequence").to_owned(),
                crate::t!("connectors.save.there_verb"),
                write("connector.save", Job::SaveChecklist { text: said.clone(), path: path.clone(), over: true }),
            );
            state.push(layer)
        }
        _ => Vec::new(),
    }
}

/// Decides anew what is shown, and in which order; the cursor goes to `keep`, else to the first.
pub fn narrow(pane: &mut PaneState, keep: Option<&str>) {
    let rows = pane.list.items();
    let searched = !pane.list.filter.trim().is_empty();
    let mut found = connectors::search(rows, &pane.list.filter);
    found.retain(|one| rows.get(one.row).is_some_and(|row| pane.facets.admit(row, pane.usage.get(&*row.id))));
    let mut shown: Vec<usize> = found.iter().map(|one| one.row).collect();
    let mut headings = Vec::new();
    if !searched {
        match pane.order {
            Order::Name => {}
            Order::Recent => {
                let last = |place: &usize| rows.get(*place).and_then(|row| pane.usage.get(&*row.id)).and_then(|used| used.last_used);
                let mut recent: Vec<usize> = shown.iter().copied().filter(|place| last(place).is_some()).collect();
                recent.sort_by_key(|place| std::cmp::Reverse(last(place)));
                recent.truncate(RECENT);
                if !recent.is_empty() {
                    shown.retain(|place| !recent.contains(place));
                    headings.push((0, crate::t!("connectors.recent").to_owned()));
                    if !shown.is_empty() {
                        headings.push((recent.len(), crate::t!("connectors.others").to_owned()));
                    }
                    recent.append(&mut shown);
                    shown = recent;
                }
            }
            Order::Category => {
                let category = |place: usize| rows.get(place).map_or("", |row: &ConnectorRow| &row.category);
                shown.sort_by_key(|place| category(*place));
                for (at, place) in shown.iter().enumerate() {
                    if at == 0 || shown.get(at - 1).is_some_and(|before| category(*before) != category(*place)) {
                        let title = category(*place);
                        let title = if title.is_empty() { crate::t!("connectors.no_category").to_owned() } else { super::facets::category(title) };
                        headings.push((at, title));
                    }
                }
            }
        }
        found.clear();
    }
    pane.found = found;
    pane.headings = headings;
    pane.list.show(shown, keep);
}

/// A key of walking or of typing a search.
pub fn key(state: &mut State, key: Key) -> bool {
    let pane = &mut state.panes.connectors;
    if pane.list.loaded && pane.list.is_empty() && key == Key::plain(Code::Enter) {
        show_generic(state);
        return true;
    }
    let (before, at) = (pane.list.filter.clone(), pane.list.selected().map(|row| row.id()));
    if !pane.list.key(key) {
        return false;
    }
    pane.touched = true;
    searched(pane, &before, at);
    true
}

pub fn paste(state: &mut State, pasted: &str) {
    let pane = &mut state.panes.connectors;
    let before = pane.list.filter.clone();
    pane.list.paste(pasted);
    searched(pane, &before, None);
}

/// After a search changed: the best hit is under the cursor, and at its end what was found stays there.
fn searched(pane: &mut PaneState, before: &str, at: Option<String>) {
    if pane.list.filter != before {
        let keep = at.filter(|_| pane.list.filter.is_empty());
        narrow(pane, keep.as_deref());
    }
}

/// Goes to a connector by name, whatever the list is narrowed to.
pub fn select(state: &mut State, id: &str) {
    let pane = &mut state.panes.connectors;
    pane.touched = true;
    let hidden = pane.list.loaded && !(0..pane.list.len()).any(|row| pane.list.row(row).is_some_and(|row| row.id == id));
    if hidden {
        pane.facets.clear();
        pane.list.set_filter("");
        narrow(pane, Some(id));
    }
    pane.list.select(id);
}

pub fn select_row(state: &mut State, row: usize) {
    let pane = &mut state.panes.connectors;
    pane.touched = true;
    pane.list.set_selected_index(row);
}

pub fn loaded(state: &State) -> bool {
    state.panes.connectors.list.loaded
}

pub fn selected(state: &State) -> bool {
    state.panes.connectors.list.selected().is_some()
}

pub fn narrowed(state: &State) -> bool {
    !state.panes.connectors.facets.is_empty()
}

fn again(state: &mut State) -> Effects {
    let pane = &mut state.panes.connectors;
    let keep = pane.list.selected().map(|row| row.id());
    narrow(pane, keep.as_deref());
    moved(state)
}

/// Takes all filters off, and the search.
pub fn show_all(state: &mut State) -> Effects {
    let pane = &mut state.panes.connectors;
    pane.facets.clear();
    let keep = pane.list.selected().map(|row| row.id());
    pane.list.set_filter("");
    narrow(pane, keep.as_deref());
    moved(state)
}

fn only(state: &mut State, facet: Facet, value: &str) -> Effects {
    let pane = &mut state.panes.connectors;
    pane.list.typing = false;
    pane.list.set_filter("");
    pane.facets.clear();
    pane.facets.add(facet, value);
    narrow(pane, None);
    moved(state)
}

/// The connectors that can do what no definition is there for.
pub fn show_generic(state: &mut State) -> Effects {
    only(state, Facet::Category, "generic")
}

pub fn only_users(state: &mut State) -> Effects {
    only(state, Facet::Reads, "users")
}

pub fn only_connected(state: &mut State) -> Effects {
    only(state, Facet::Connected, YES)
}

pub fn sort(state: &mut State) -> Effects {
    let pane = &mut state.panes.connectors;
    pane.order = pane.order.next();
    pane.touched = true;
    again(state)
}

/// Toggles a value of the filter, from its box.
pub fn toggle(state: &mut State, facet: Facet, value: &str) -> Effects {
    state.panes.connectors.facets.toggle(facet, value);
    again(state)
}

/// Begins a credential; with the method that is looked at, where another than the default one was chosen.
pub fn connect(state: &mut State) -> Effects {
    let pane = &state.panes.connectors;
    let Some(id) = pane.list.selected().map(|row| row.id()) else { return Vec::new() };
    let method = pane.needs.as_ref().filter(|needs| needs.connector == id && !needs.default).map(|needs| needs.method.clone());
    if matches!(state.layers.last(), Some(Layer::Needs(_))) {
        state.layers.pop();
    }
    match method {
        Some(method) => wizard::credential::start_with(state, &id, &method),
        None => wizard::credential::start(state, &id),
    }
}

// ---- what connecting takes

pub fn has_needs(state: &State) -> bool {
    state.panes.connectors.needs.is_some()
}

pub fn open_needs(state: &mut State) -> Effects {
    state.push(Layer::Needs(Needs::default()))
}

pub fn has_methods(state: &State) -> bool {
    state.panes.connectors.detail.as_ref().is_some_and(|detail| detail.auth.len() > 1)
}

pub fn next_method(state: &mut State) -> Effects {
    step_method(state, 1)
}

pub fn previous_method(state: &mut State) -> Effects {
    step_method(state, -1)
}

fn step_method(state: &mut State, by: isize) -> Effects {
    let pane = &mut state.panes.connectors;
    let (Some(detail), Some(needs)) = (&pane.detail, &pane.needs) else { return Vec::new() };
    let at = detail.auth.get_index_of(&needs.method).unwrap_or(0);
    let next = at.checked_add_signed(by).unwrap_or(detail.auth.len().saturating_sub(1));
    let next = if next >= detail.auth.len() { 0 } else { next };
    if let Some((key, _)) = detail.auth.get_index(next) {
        pane.needs = Some(checklist::of(detail, key, &indexmap::IndexMap::new()));
    }
    if let Some(Layer::Needs(needs)) = state.layers.last_mut() {
        needs.top = 0;
    }
    Vec::new()
}

/// A key of scrolling through what is needed; `None` leaves it to the commands.
pub fn needs_key(state: &mut State, key: Key) -> Option<Effects> {
    let Some(Layer::Needs(needs)) = state.layers.last_mut() else { return None };
    let (last, page) = (needs.last.get(), needs.page.get().max(2) - 1);
    match key.code {
        Code::Esc => {
            state.layers.pop();
            return Some(Vec::new());
        }
        Code::Char('q') if !key.ctrl => {
            state.layers.pop();
            return Some(Vec::new());
        }
        Code::Down | Code::Char('j') if !key.ctrl => needs.top += 1,
        Code::Up | Code::Char('k') if !key.ctrl => needs.top = needs.top.saturating_sub(1),
        Code::PageDown | Code::Char(' ') => needs.top += page,
        Code::PageUp => needs.top = needs.top.saturating_sub(page),
        Code::Char('d') if key.ctrl => needs.top += page,
        Code::Char('u') if key.ctrl => needs.top = needs.top.saturating_sub(page),
        Code::Home | Code::Char('g') if !key.ctrl => needs.top = 0,
        Code::End | Code::Char('G') if !key.ctrl => needs.top = last,
        _ => return None,
    }
    needs.top = needs.top.min(last);
    Some(Vec::new())
}

fn docs(state: &State) -> Option<&str> {
    let pane = &state.panes.connectors;
    let selected = pane.list.selected()?;
    pane.detail.as_ref().filter(|detail| detail.id == selected.id).map(|detail| detail.docs.as_str()).filter(|docs| !docs.is_empty())
}

pub fn has_docs(state: &State) -> bool {
    docs(state).is_some()
}

pub fn open_docs(state: &mut State) -> Effects {
    docs(state).map(|docs| vec![Effect::OpenUrl(docs.to_owned())]).unwrap_or_default()
}

pub fn copy_docs(state: &mut State) -> Effects {
    docs(state).map(|docs| vec![Effect::Copy(docs.to_owned())]).unwrap_or_default()
}

/// The checklist as plain text, for whoever administers the vendor.
pub fn copy_checklist(state: &mut State) -> Effects {
    state.panes.connectors.needs.as_ref().map(|needs| vec![Effect::Copy(checklist::plain(needs))]).unwrap_or_default()
}

/// Asks for the file that the checklist is written to.
pub fn ask_where(state: &mut State) -> Effects {
    let Some(needs) = &state.panes.connectors.needs else { return Vec::new() };
    let layer = Layer::Prompt(Prompt {
        title: crate::t!("connectors.save.title", connector = text::clean(&needs.name)),
        help: crate::t!("connectors.save.help").to_owned(),
        field: Field::new(&format!("{}-checklist.txt", needs.connector)),
        error: None,
        then: |state, path| {
            if path.is_empty() {
                return Err(crate::t!("connectors.save.empty").to_owned());
            }
            let Some(needs) = &state.panes.connectors.needs else { return Ok(Vec::new()) };
            let job = Job::SaveChecklist { text: checklist::plain(needs), path: path.to_owned(), over: false };
            Ok(state.start(write("connector.save", job)))
        },
    });
    state.push(layer)
}
