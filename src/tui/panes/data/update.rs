//! How the data pane changes.

use super::State as DataPane;
use crate::model::{Record, Sort, Table};
use crate::tui::app::effect::{Effect, Effects, Job};
use crate::tui::app::key::{Code, Key};
use crate::tui::app::layers::{Layer, Line, Prompt, Reader, Scrolled};
use crate::tui::app::msg::Answer;
use crate::tui::app::state::State;
use crate::tui::app::tasks::{LONG, read, watched};
use crate::tui::ui::field::Field;
use crate::tui::ui::theme::Tone;
use crate::tui::ui::{labels, text, when};

pub fn load(state: &mut State) -> Effects {
    let table = state.panes.data.table;
    let mut effects = state.start(read("read.columns", Job::LoadColumns(table)));
    effects.extend(state.start(read("read.saas", Job::LoadSaasApplications)));
    effects.extend(fetch(state));
    effects
}

fn fetch(state: &mut State) -> Effects {
    let table = state.panes.data.table;
    let query = state.panes.data.view().query();
    state.start(read("read.data", Job::LoadData { table, query }))
}

/// After the cursor moved: fetches the rows it comes near to.
pub fn moved(state: &mut State) -> Effects {
    if state.panes.data.view().wants_rows() { fetch(state) } else { Vec::new() }
}

pub fn answer(state: &mut State, answer: &Answer) -> Effects {
    let pane = &mut state.panes.data;
    match answer {
        Answer::Columns { table, columns } => {
            pane.views[DataPane::place(*table)].columns = columns.clone();
            Vec::new()
        }
        Answer::Data { table, page } => {
            let view = &mut pane.views[DataPane::place(*table)];
            view.selected = view.selected.min(page.total.saturating_sub(1));
            view.page = Some(page.clone());
            view.stale = false;
            if page.total > 0 && state.pane == crate::tui::app::state::Pane::Data {
                pane.look();
            }
            Vec::new()
        }
        Answer::SaasApplications(applications) => {
            pane.applications = applications.clone();
            Vec::new()
        }
        Answer::Exported { path, records } => {
            state.toast(Tone::Good, crate::t!("data.exported", n = crate::words::number(*records), path = text::clean(path)));
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Walking, and typing a search. After a change of the search, the rows are thrown away: what is shown is what was asked for.
pub fn key(state: &mut State, key: Key) -> bool {
    let pane = &mut state.panes.data;
    if pane.typing {
        return search_key(pane, key);
    }
    let last = pane.total().saturating_sub(1);
    let page = pane.height.get().max(2) as u64 - 1;
    let view = pane.view_mut();
    match key {
        Key { code: Code::Char('j'), ctrl: false, alt: false, .. } | Key { code: Code::Down, .. } => view.selected = (view.selected + 1).min(last),
        Key { code: Code::Char('k'), ctrl: false, alt: false, .. } | Key { code: Code::Up, .. } => view.selected = view.selected.saturating_sub(1),
        Key { code: Code::PageDown, .. } | Key { code: Code::Char('d'), ctrl: true, .. } => view.selected = (view.selected + page).min(last),
        Key { code: Code::PageUp, .. } | Key { code: Code::Char('u'), ctrl: true, .. } => view.selected = view.selected.saturating_sub(page),
        Key { code: Code::Char('g'), ctrl: false, alt: false, .. } | Key { code: Code::Home, .. } => view.selected = 0,
        Key { code: Code::Char('G'), .. } | Key { code: Code::End, .. } => view.selected = last,
        Key { code: Code::Char('/'), .. } => pane.typing = true,
        Key { code: Code::Esc, .. } if !view.search.is_empty() => set_search(pane, String::new()),
        Key { code: Code::Esc, .. } if view.where_.is_some() => {
            view.where_ = None;
            view.selected = 0;
            view.page = None;
        }
        _ => return false,
    }
    true
}

fn search_key(pane: &mut DataPane, key: Key) -> bool {
    let mut search = pane.view().search.clone();
    match key {
        Key { code: Code::Esc, .. } => {
            pane.typing = false;
            search.clear();
        }
        Key { code: Code::Enter | Code::Tab, .. } => {
            pane.typing = false;
            return true;
        }
        Key { code: Code::Backspace, .. } => {
            if search.pop().is_none() {
                pane.typing = false;
            }
        }
        Key { code: Code::Char('u'), ctrl: true, .. } => search.clear(),
        _ => match key.typed() {
            Some(c) => search.push(c),
            None => return false,
        },
    }
    set_search(pane, search);
    true
}

fn set_search(pane: &mut DataPane, search: String) {
    let view = pane.view_mut();
    if view.search != search {
        view.search = search;
        view.selected = 0;
        view.stale = true;
    }
}

pub fn paste(state: &mut State, pasted: &str) {
    let pane = &mut state.panes.data;
    if pane.typing {
        let search = format!("{}{}", pane.view().search, crate::words::clean::line(pasted.trim(), 200));
        set_search(pane, search);
    }
}

pub fn select_row(state: &mut State, row: usize) {
    let last = state.panes.data.total().saturating_sub(1);
    state.panes.data.view_mut().selected = (row as u64).min(last);
}

pub fn selected(state: &State) -> bool {
    state.panes.data.selected().is_some()
}

pub fn has_applications(state: &State) -> bool {
    state.panes.data.table == Table::SaasUsers && !state.panes.data.applications.is_empty()
}

pub fn next_table(state: &mut State) -> Effects {
    step_table(state, 1)
}

pub fn previous_table(state: &mut State) -> Effects {
    step_table(state, Table::ALL.len() - 1)
}

fn step_table(state: &mut State, by: usize) -> Effects {
    let at = DataPane::place(state.panes.data.table);
    state.panes.data.table = Table::ALL[(at + by) % Table::ALL.len()];
    state.panes.data.offset.set(0);
    load(state)
}

/// All applications, then each of them.
pub fn next_application(state: &mut State) -> Effects {
    let names: Vec<String> = state.panes.data.applications.iter().map(|(name, _)| name.clone()).collect();
    let view = state.panes.data.view_mut();
    let next = match &view.application {
        None => 0,
        Some(current) => names.iter().position(|name| name == current).map_or(0, |place| place + 1),
    };
    view.application = names.get(next).cloned();
    view.selected = 0;
    view.page = None;
    fetch(state)
}

/// Sorts by the next column.
pub fn sort(state: &mut State) -> Effects {
    let view = state.panes.data.view_mut();
    let at = view.sort.as_ref().and_then(|sort| view.columns.iter().position(|column| column.key == sort.field));
    let next = at.map_or(0, |place| place + 1);
    view.sort = view.columns.get(next).map(|column| Sort { field: column.key.clone(), descending: false });
    view.selected = 0;
    fetch(state)
}

/// Turns the order round.
pub fn turn(state: &mut State) -> Effects {
    let view = state.panes.data.view_mut();
    let sort = match view.sort.take() {
        Some(sort) => Some(Sort { descending: !sort.descending, ..sort }),
        None => view.columns.first().map(|column| Sort { field: column.key.clone(), descending: true }),
    };
    view.sort = sort;
    view.selected = 0;
    fetch(state)
}

pub fn ask_where(state: &mut State) -> Effects {
    let present = state.panes.data.view().where_.clone().unwrap_or_default();
    state.push(Layer::Prompt(Prompt {
        title: crate::t!("data.where_title").to_owned(),
        help: crate::t!("data.where_help").to_owned(),
        field: Field::new(&present),
        error: None,
        then: |state, written| {
            let view = state.panes.data.view_mut();
            view.where_ = Some(written.to_owned()).filter(|written| !written.is_empty());
            view.selected = 0;
            view.page = None;
            Ok(fetch(state))
        },
    }))
}

pub fn ask_export(state: &mut State) -> Effects {
    let name = format!("~/{}-{}.csv", state.panes.data.table.key(), state.now.strftime("%Y%m%d-%H%M%S"));
    state.push(Layer::Prompt(Prompt {
        title: crate::t!("data.export_title", n = crate::words::number(state.panes.data.total())),
        help: crate::t!("data.export_help").to_owned(),
        field: Field::new(&name),
        error: None,
        then: |state, path| {
            if path.is_empty() {
                return Err(crate::t!("data.export_no_path").to_owned());
            }
            let (table, mut query) = (state.panes.data.table, state.panes.data.view().query());
            query.offset = 0;
            query.limit = u64::MAX;
            let title = crate::t!("data.exporting", path = text::clean(path));
            Ok(state.start(watched("data.export", title, LONG, Job::Export { table, query, path: path.to_owned() })))
        },
    }))
}

pub fn copy(state: &mut State) -> Effects {
    state.panes.data.selected().map(|record| vec![Effect::Copy(record.key.clone())]).unwrap_or_default()
}

/// Every field of the record under the cursor, also the empty ones, and where it came from.
pub fn details(state: &mut State) -> Effects {
    let Some(record) = state.panes.data.selected() else { return Vec::new() };
    let lines = lines(record, state);
    let title = text::clean(&record.key);
    state.push(Layer::Reader(Reader { title, lines, scroll: Scrolled::default() }))
}

fn lines(record: &Record, state: &State) -> Vec<Line> {
    let line = |term: &str, text: String| Line { term: term.to_owned(), text };
    let mut lines: Vec<Line> = state
        .panes
        .data
        .view()
        .columns
        .iter()
        .map(|column| {
            let value = record.values.get(&column.key).map_or_else(String::new, |value| text::clean(&labels::value(value)));
            line(&column.label, value)
        })
        .collect();
    let integration = state.panes.overview.overview.as_ref().and_then(|overview| {
        overview.integrations.iter().find(|row| row.integration.id == record.integration).map(|row| row.integration.name.clone())
    });
    lines.push(line("", String::new()));
    lines.push(line(crate::t!("data.state"), if record.active { crate::t!("data.active") } else { crate::t!("data.inactive") }.to_owned()));
    lines.push(line(crate::t!("data.integration"), text::clean(&integration.unwrap_or_else(|| record.integration.clone()))));
    lines.push(line(crate::t!("data.run"), text::clean(&record.run)));
    lines.push(line(crate::t!("data.created"), when::absolute(record.created)));
    lines.push(line(crate::t!("data.changed"), when::absolute(record.changed)));
    lines
}
