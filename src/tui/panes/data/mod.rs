//! Data: what the integrations brought in. Five tables; only a window of the one in front is ever in memory.

pub mod update;
pub mod view;

#[cfg(test)]
mod tests;

use crate::command;
use crate::model::{DataPage, DataQuery, DestinationField, Record, Sort, Table};
use crate::tui::app::command::{Command, Scope, always};
use crate::tui::app::state::Pane;
use std::cell::Cell;

pub const COMMANDS: &[Command] = &[
    command!("data.details", ["enter"], Scope::Pane(Pane::Data), update::selected, update::details),
    command!("data.next", ["]", "right"], Scope::Pane(Pane::Data), always, update::next_table),
    Command { quiet: true, ..command!("data.previous", ["[", "left"], Scope::Pane(Pane::Data), always, update::previous_table) },
    command!("data.sort", ["s"], Scope::Pane(Pane::Data), always, update::sort),
    Command { quiet: true, ..command!("data.turn", ["S"], Scope::Pane(Pane::Data), always, update::turn) },
    command!("data.where", ["w"], Scope::Pane(Pane::Data), always, update::ask_where),
    command!("data.application", ["a"], Scope::Pane(Pane::Data), update::has_applications, update::next_application),
    command!("data.export", ["e"], Scope::Pane(Pane::Data), update::selected, update::ask_export),
    Command { quiet: true, ..command!("data.copy", ["y"], Scope::Pane(Pane::Data), update::selected, update::copy) },
];

/// An export whose name ends so is written as CSV; any other as one JSON object a line.
pub const EXPORT_CSV: &str = ".csv";

/// Rows that are fetched at a time, and how near the edge of them the cursor may come before others are fetched.
pub(super) const WINDOW: u64 = 300;
pub(super) const EDGE: u64 = 60;

#[derive(Debug)]
pub struct State {
    pub table: Table,
    pub views: [View; 5],
    /// SaaS applications with their active users.
    pub applications: Vec<(String, u64)>,
    pub typing: bool,
    looked: bool,
    pub offset: Cell<usize>,
    pub height: Cell<usize>,
}

/// One table as it is looked at.
#[derive(Debug, Default)]
pub struct View {
    pub columns: Vec<DestinationField>,
    pub search: String,
    pub where_: Option<String>,
    pub sort: Option<Sort>,
    pub application: Option<String>,
    pub selected: u64,
    /// The rows that are here.
    pub page: Option<DataPage>,
    /// The rows answer an older question: they stay in sight until the new ones are here.
    pub stale: bool,
}

impl Default for State {
    fn default() -> Self {
        Self {
            table: Table::People,
            views: Default::default(),
            applications: Vec::new(),
            typing: false,
            looked: false,
            offset: Cell::new(0),
            height: Cell::new(10),
        }
    }
}

impl State {
    pub(super) fn place(table: Table) -> usize {
        Table::ALL.iter().position(|known| *known == table).unwrap_or(0)
    }

    #[must_use]
    pub fn view(&self) -> &View {
        &self.views[Self::place(self.table)]
    }

    pub(super) fn view_mut(&mut self) -> &mut View {
        &mut self.views[Self::place(self.table)]
    }

    #[must_use]
    pub fn total(&self) -> u64 {
        self.view().page.as_ref().map_or(0, |page| page.total)
    }

    /// The record in a row, when it is in the window.
    #[must_use]
    pub fn record(&self, row: u64) -> Option<&Record> {
        let page = self.view().page.as_ref()?;
        page.records.get(usize::try_from(row.checked_sub(page.offset)?).ok()?)
    }

    #[must_use]
    pub fn selected(&self) -> Option<&Record> {
        self.record(self.view().selected)
    }

    /// Whether anybody looked at the data yet, for the checklist.
    #[must_use]
    pub fn looked(&self) -> bool {
        self.looked
    }

    pub(super) fn look(&mut self) {
        self.looked = true;
    }

    #[must_use]
    pub fn typing(&self) -> bool {
        self.typing
    }

    #[must_use]
    pub fn filter(&self) -> (&String, bool) {
        (&self.view().search, self.typing)
    }

    #[must_use]
    pub fn remembered(&self) -> serde_json::Value {
        let view = self.view();
        serde_json::json!({
            "table": self.table.key(), "search": view.search, "where": view.where_, "sort": view.sort,
            "application": view.application, "selected": view.selected, "looked": self.looked,
        })
    }

    pub fn restore(&mut self, remembered: &serde_json::Value) {
        if let Some(table) = Table::ALL.into_iter().find(|table| remembered["table"] == table.key()) {
            self.table = table;
        }
        self.looked = remembered["looked"] == true;
        let text = |name: &str| remembered[name].as_str().map(|text| crate::words::clean::line(text, 400));
        let view = self.view_mut();
        view.search = text("search").unwrap_or_default();
        view.where_ = text("where");
        view.application = text("application");
        view.sort = serde_json::from_value(remembered["sort"].clone()).ok();
        view.selected = remembered["selected"].as_u64().unwrap_or(0);
    }
}

impl View {
    /// The query for the window around the cursor.
    #[must_use]
    pub fn query(&self) -> DataQuery {
        DataQuery {
            search: self.search.clone(),
            where_: self.where_.clone(),
            application: self.application.clone(),
            sort: self.sort.clone(),
            offset: self.selected.saturating_sub(WINDOW / 2),
            limit: WINDOW,
        }
    }

    /// Whether the cursor has come near rows that are not here.
    pub(super) fn wants_rows(&self) -> bool {
        let Some(page) = &self.page else { return true };
        if self.stale {
            return true;
        }
        let end = page.offset + page.records.len() as u64;
        (page.offset > 0 && self.selected < page.offset + EDGE) || (end < page.total && self.selected + EDGE >= end)
    }
}

#[must_use]
pub fn explain() -> Vec<(&'static str, &'static str)> {
    vec![
        (crate::t!("data.tables"), crate::t!("data.explain.tables")),
        (crate::t!("data.search"), crate::t!("data.explain.search")),
        (crate::t!("data.where"), crate::t!("data.explain.where")),
        (crate::t!("data.inactive"), crate::t!("data.explain.inactive")),
    ]
}
