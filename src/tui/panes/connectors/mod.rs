//! Connectors: the catalog. Searched and narrowed on the left; on the right what connecting the one under the cursor takes.

pub mod facets;
pub mod update;
pub mod view;

#[cfg(test)]
mod tests;

use crate::command;
use crate::model::Connector;
use crate::ops::checklist::Checklist;
use crate::ops::connectors::{ConnectorRow, Found, Usage, Used};
use crate::ops::facets::Facets;
use crate::tui::app::command::{Command, Scope, always};
use crate::tui::app::global;
use crate::tui::app::layers::{Layer, LayerKind};
use crate::tui::app::state::Pane;
use crate::tui::ui::list::{List, Listed};

const HERE: Scope = Scope::Pane(Pane::Connectors);
const NEEDS: Scope = Scope::Layer(LayerKind::Needs);
const FACETS: Scope = Scope::Layer(LayerKind::Facets);

pub const COMMANDS: &[Command] = &[
    command!("connector.needs", ["enter", "d"], HERE, update::selected, update::open_needs),
    command!("connector.connect", ["n"], HERE, update::selected, update::connect),
    command!("connector.filter", ["f"], HERE, update::loaded, facets::open),
    command!("connector.all", ["F", "backspace"], HERE, update::narrowed, update::show_all),
    command!("connector.sort", ["s"], HERE, update::loaded, update::sort),
    command!("connector.method", ["right", "]"], HERE, update::has_methods, update::next_method),
    Command { quiet: true, ..command!("connector.method_back", ["left", "["], HERE, update::has_methods, update::previous_method) },
    command!("connector.docs", ["o"], HERE, update::has_docs, update::open_docs),
    Command { quiet: true, ..command!("connector.copy_docs", ["c"], HERE, update::has_docs, update::copy_docs) },
    Command { quiet: true, ..command!("connector.copy", ["y"], HERE, update::has_needs, update::copy_checklist) },
    Command { quiet: true, ..command!("connector.save", ["w"], HERE, update::has_needs, update::ask_where) },
    Command { quiet: true, ..command!("connector.only_users", [], HERE, update::loaded, update::only_users) },
    Command { quiet: true, ..command!("connector.only_connected", [], HERE, update::loaded, update::only_connected) },
    Command { quiet: true, ..command!("connector.generic", [], HERE, update::loaded, update::show_generic) },
    command!("needs.connect", ["enter", "n"], NEEDS, always, update::connect),
    command!("needs.method", ["right", "tab", "]"], NEEDS, update::has_methods, update::next_method),
    Command { quiet: true, ..command!("needs.method_back", ["left", "shift-tab", "["], NEEDS, update::has_methods, update::previous_method) },
    command!("needs.copy", ["y"], NEEDS, update::has_needs, update::copy_checklist),
    command!("needs.save", ["w"], NEEDS, update::has_needs, update::ask_where),
    command!("needs.open", ["o"], NEEDS, update::has_docs, update::open_docs),
    command!("needs.docs", ["c"], NEEDS, update::has_docs, update::copy_docs),
    Command { quiet: true, ..command!("needs.help", ["?", "f1"], NEEDS, always, global::help) },
    command!("facets.toggle", ["space"], FACETS, always, facets::toggle),
    command!("facets.next", ["right", "tab"], FACETS, always, facets::next),
    Command { quiet: true, ..command!("facets.previous", ["left", "shift-tab"], FACETS, always, facets::previous) },
    command!("facets.clear", ["F", "backspace"], FACETS, update::narrowed, update::show_all),
    command!("facets.done", ["enter", "f"], FACETS, always, facets::close),
    Command { quiet: true, ..command!("facets.help", ["?", "f1"], FACETS, always, global::help) },
];

/// In which order the list stands while nothing is searched.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Order {
    /// What this workspace used last, then the others by name.
    #[default]
    Recent,
    Name,
    Category,
}

impl Order {
    fn next(self) -> Self {
        match self {
            Self::Recent => Self::Name,
            Self::Name => Self::Category,
            Self::Category => Self::Recent,
        }
    }

    fn key(self) -> &'static str {
        match self {
            Self::Recent => "recent",
            Self::Name => "name",
            Self::Category => "category",
        }
    }
}

#[derive(Debug)]
pub struct State {
    pub list: List<ConnectorRow>,
    /// What this workspace has of each connector.
    pub usage: Usage,
    pub facets: Facets,
    pub order: Order,
    /// What of each row in sight matched, while something is searched.
    pub found: Vec<Found>,
    /// Headings, by the row that they stand above.
    pub headings: Vec<(usize, String)>,
    /// Somebody walked in it, or it was gone to by name: what is under the cursor stays there.
    pub touched: bool,
    /// The definition of the one under the cursor, when it was read.
    pub detail: Option<Connector>,
    /// What connecting that one takes, with the method that is looked at.
    pub needs: Option<Checklist>,
}

impl Default for State {
    fn default() -> Self {
        // What the list shows is decided here, with its own search and its filters.
        let mut list = List::default();
        list.outside = true;
        Self {
            list,
            usage: Usage::default(),
            facets: Facets::default(),
            order: Order::default(),
            found: Vec::new(),
            headings: Vec::new(),
            touched: false,
            detail: None,
            needs: None,
        }
    }
}

impl State {
    #[must_use]
    pub fn used(&self, row: &ConnectorRow) -> Option<&Used> {
        self.usage.get(&*row.id)
    }

    /// Where the user is, for the next start.
    #[must_use]
    pub fn remembered(&self) -> serde_json::Value {
        let mut out = self.list.remembered();
        out["facets"] = self.facets.remembered();
        out["order"] = self.order.key().into();
        out
    }

    pub fn restore(&mut self, remembered: &serde_json::Value) {
        self.list.restore(remembered);
        self.touched = remembered["selected"].is_string();
        self.facets = Facets::restored(&remembered["facets"]);
        self.order = [Order::Recent, Order::Name, Order::Category].into_iter().find(|order| remembered["order"] == order.key()).unwrap_or_default();
    }
}

impl Listed for ConnectorRow {
    fn id(&self) -> String {
        self.id.to_string()
    }

    fn text(&self) -> String {
        format!("{} {} {} {}", self.name, self.id, self.aliases.join(" "), self.categories.join(" "))
    }
}

#[must_use]
pub fn explain(layers: &[Layer]) -> Vec<(&'static str, &'static str)> {
    let above = |wanted: fn(&Layer) -> bool| layers.iter().any(wanted);
    if above(|layer| matches!(layer, Layer::Facets(_))) {
        return vec![(crate::t!("connectors.facets"), crate::t!("connectors.explain.facets"))];
    }
    if above(|layer| matches!(layer, Layer::Needs(_))) {
        return vec![
            (crate::t!("connectors.methods"), crate::t!("connectors.explain.needs_method")),
            (crate::t!("connectors.needs_vendor"), crate::t!("connectors.explain.needs_vendor")),
            (crate::t!("connectors.needs_hand"), crate::t!("connectors.explain.needs_hand")),
            (crate::t!("connectors.reads"), crate::t!("connectors.explain.needs_reads")),
        ];
    }
    vec![
        (crate::t!("connectors.name"), crate::t!("connectors.explain.name")),
        (crate::t!("connectors.methods"), crate::t!("connectors.explain.methods")),
        (crate::t!("connectors.reads_marks"), crate::t!("connectors.explain.reads_marks")),
        (crate::t!("connectors.status"), crate::t!("connectors.explain.status")),
        (crate::t!("connectors.connected"), crate::t!("connectors.explain.connected")),
        (crate::t!("connectors.facets"), crate::t!("connectors.explain.facets")),
        (crate::t!("connectors.needs"), crate::t!("connectors.explain.needs")),
    ]
}
