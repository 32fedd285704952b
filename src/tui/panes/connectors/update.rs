//! How the catalog pane changes.

use crate::tui::app::effect::{Effect, Effects, Job};
use crate::tui::app::layers::{Layer, Line, Reader, Scrolled};
use crate::tui::app::msg::Answer;
use crate::tui::app::state::State;
use crate::tui::app::tasks::read;
use crate::tui::ui::labels;
use crate::tui::ui::list::Listed as _;
use crate::tui::wizard;

pub fn load(state: &mut State) -> Effects {
    let mut effects = state.start(read("read.connectors", Job::LoadConnectors));
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
    match answer {
        Answer::Connectors(rows) => {
            state.panes.connectors.list.set(rows.clone());
            moved(state)
        }
        Answer::Connector(connector) => {
            state.panes.connectors.detail = Some(connector.clone());
            Vec::new()
        }
        _ => Vec::new(),
    }
}

pub fn selected(state: &State) -> bool {
    state.panes.connectors.list.selected().is_some()
}

pub fn connect(state: &mut State) -> Effects {
    let Some(id) = state.panes.connectors.list.selected().map(|row| row.id()) else { return Vec::new() };
    wizard::credential::start(state, &id)
}

fn docs(state: &State) -> Option<&str> {
    state.panes.connectors.detail.as_ref().map(|detail| detail.docs.as_str()).filter(|docs| !docs.is_empty())
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

/// Everything the definition says, to read.
pub fn details(state: &mut State) -> Effects {
    let Some(detail) = &state.panes.connectors.detail else { return Vec::new() };
    let mut lines = Vec::new();
    let mut push = |term: &str, text: String| lines.push(Line { term: term.to_owned(), text });
    push(crate::t!("connectors.about"), detail.summary.clone());
    for (key, method) in &detail.auth {
        let mark = if detail.default_auth().is_some_and(|(default, _)| default == key) { crate::t!("connectors.default_mark") } else { "" };
        push(crate::t!("connectors.method"), format!("{} {mark}", method.name));
        for input in detail.inputs_for(key) {
            push("", format!("· {}: {}", input.label, input.help));
        }
        for step in &method.setup {
            push("", format!("→ {step}"));
        }
        if !method.setup_url.is_empty() {
            push("", method.setup_url.clone());
        }
        for scope in &method.scopes.catalog {
            push(crate::t!("connectors.scope"), format!("{}: {}", scope.id, scope.meaning));
        }
    }
    for resource in &detail.resources {
        push(crate::t!("connectors.resource"), format!("{} ({})", resource.name, labels::resource_kind(resource.kind)));
        for field in &resource.fields {
            push("", format!("· {} = {}", field.path, field.label));
        }
    }
    for note in &detail.notes {
        push(crate::t!("connectors.note"), note.clone());
    }
    push(crate::t!("connectors.docs"), detail.docs.clone());
    let title = detail.name.clone();
    state.push(Layer::Reader(Reader { title, lines, scroll: Scrolled::default() }))
}
