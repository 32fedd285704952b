//! The box in which the catalog is narrowed: facets on the left, the values of one on the right, with how many connectors each would leave.

use super::update;
use crate::model::{AuthKind, ResourceKind};
use crate::ops::facets::{Facet, OWN, YES};
use crate::tui::app::effect::Effects;
use crate::tui::app::key::{Code, Key};
use crate::tui::app::layers::{FacetBox, Layer};
use crate::tui::app::state::State;
use crate::tui::ui::{labels, text};

pub fn open(state: &mut State) -> Effects {
    // It opens where something is chosen.
    let chosen = &state.panes.connectors.facets;
    let facet = Facet::ALL.iter().position(|facet| chosen.chosen(*facet) > 0).unwrap_or(0);
    state.push(Layer::Facets(FacetBox { facet, ..FacetBox::default() }))
}

pub fn close(state: &mut State) -> Effects {
    state.layers.pop();
    vec![state.remember()]
}

/// The values of the facet in front, with how many connectors each would leave of those that are searched.
#[must_use]
pub fn values(state: &State, facet: Facet) -> Vec<(String, usize)> {
    let pane = &state.panes.connectors;
    let mut all = pane.facets.tally(facet, pane.list.items().iter().map(|row| (row, pane.used(row))));
    if !pane.list.filter.trim().is_empty() {
        // What is searched narrows the numbers, not the values.
        let rows = pane.list.items();
        let hits = crate::ops::connectors::search(rows, &pane.list.filter);
        let counts = pane.facets.tally(facet, hits.iter().filter_map(|hit| rows.get(hit.row)).map(|row| (row, pane.used(row))));
        for (value, n) in &mut all {
            *n = counts.iter().find(|(known, _)| known == value).map_or(0, |(_, n)| *n);
        }
    }
    all
}

fn facet_box(state: &mut State) -> Option<&mut FacetBox> {
    match state.layers.last_mut() {
        Some(Layer::Facets(open)) => Some(open),
        _ => None,
    }
}

#[must_use]
pub fn facet(open: &FacetBox) -> Facet {
    Facet::ALL.get(open.facet).copied().unwrap_or(Facet::Reads)
}

/// A key of walking in the box; `None` leaves it to the commands.
pub fn key(state: &mut State, key: Key) -> Option<Effects> {
    let front = facet(facet_box(state)?);
    let last = values(state, front).len().saturating_sub(1);
    let open = facet_box(state)?;
    match key.code {
        Code::Esc => return Some(close(state)),
        Code::Char('q') if !key.ctrl => return Some(close(state)),
        Code::Down | Code::Char('j') if !key.ctrl => open.value = (open.value + 1).min(last),
        Code::Up | Code::Char('k') if !key.ctrl => open.value = open.value.saturating_sub(1),
        Code::PageDown => open.value = (open.value + 10).min(last),
        Code::PageUp => open.value = open.value.saturating_sub(10),
        Code::Home | Code::Char('g') if !key.ctrl => open.value = 0,
        Code::End | Code::Char('G') if !key.ctrl => open.value = last,
        _ => return None,
    }
    Some(Vec::new())
}

pub fn next(state: &mut State) -> Effects {
    step(state, 1)
}

pub fn previous(state: &mut State) -> Effects {
    step(state, Facet::ALL.len() - 1)
}

fn step(state: &mut State, by: usize) -> Effects {
    if let Some(open) = facet_box(state) {
        *open = FacetBox { facet: (open.facet + by) % Facet::ALL.len(), ..FacetBox::default() };
    }
    Vec::new()
}

pub fn toggle(state: &mut State) -> Effects {
    let Some((facet, place)) = facet_box(state).map(|open| (facet(open), open.value)) else { return Vec::new() };
    match values(state, facet).into_iter().nth(place) {
        Some((value, _)) => update::toggle(state, facet, &value),
        None => Vec::new(),
    }
}

#[must_use]
pub fn title(facet: Facet) -> &'static str {
    match facet {
        Facet::Reads => crate::t!("connectors.facet.reads"),
        Facet::Category => crate::t!("connectors.facet.category"),
        Facet::Method => crate::t!("connectors.facet.method"),
        Facet::Status => crate::t!("connectors.facet.status"),
        Facet::Connected => crate::t!("connectors.facet.connected"),
        Facet::Origin => crate::t!("connectors.facet.origin"),
    }
}

/// A value in words.
#[must_use]
pub fn value(facet: Facet, word: &str) -> String {
    let json = || serde_json::Value::from(word);
    let known = match facet {
        Facet::Category => return category(word),
        Facet::Reads => serde_json::from_value::<ResourceKind>(json()).ok().map(labels::resource_kind),
        Facet::Method => serde_json::from_value::<AuthKind>(json()).ok().map(labels::auth_kind),
        Facet::Status => match word {
            "available" => Some(crate::t!("connectors.stable")),
            "preview" => Some(crate::t!("connectors.preview")),
            "practice" => Some(crate::t!("connectors.practice")),
            _ => None,
        },
        Facet::Connected => Some(if word == YES { crate::t!("connectors.connected_yes") } else { crate::t!("connectors.connected_no") }),
        Facet::Origin => Some(if word == OWN { crate::t!("connectors.own") } else { crate::t!("connectors.built_in") }),
    };
    known.map_or_else(|| text::clean(word), str::to_owned)
}

/// `project-management`, as people write it.
#[must_use]
pub fn category(word: &str) -> String {
    text::clean(&word.replace('-', " "))
}

/// What is chosen, a text for each facet that has something: `hr or crm`.
#[must_use]
pub fn chips(state: &State) -> Vec<String> {
    let chosen = &state.panes.connectors.facets;
    Facet::ALL
        .into_iter()
        .filter(|facet| chosen.chosen(*facet) > 0)
        .map(|facet| {
            let values: Vec<String> = chosen.iter().filter(|(known, _)| *known == facet).map(|(facet, word)| value(facet, word)).collect();
            values.into_iter().reduce(|before, value| crate::t!("connectors.or", before = before, value = value)).unwrap_or_default()
        })
        .collect()
}
