//! The permission matrix: what an integration may do, on everything and on single applications and data sources, and why.

pub mod view;

use super::draft::{self, Draft, Settled};
use super::history::History;
use super::{Context, Event, Handled, Kind, Request, Wizard, integration, mapping, words};
use crate::command;
use crate::model::{Action, Entity, EntityKind, PermissionSet, Reason};
use crate::ops::permissions::{self, MatrixRow};
use crate::tui::app::command::{Command, Scope};
use crate::tui::app::effect::{Effects, Job};
use crate::tui::app::global;
use crate::tui::app::key::Code;
use crate::tui::app::layers::{Layer, LayerKind, Line, Prompt, Reader, Scrolled};
use crate::tui::app::msg::Answer;
use crate::tui::app::state::State;
use crate::tui::app::tasks::read;
use crate::tui::ui::field::Field;
use crate::tui::ui::list::{List, Listed};
use crate::tui::ui::theme::Tone;

const HERE: Scope = Scope::Layer(LayerKind::Wizard(Kind::Permission));

macro_rules! here {
    ($id:literal, [$($key:literal),*], $available:expr) => {
        command!($id, [$($key),*], HERE, $available, |state| super::tell(state, $id))
    };
}

pub const COMMANDS: &[Command] = &[
    here!("permission.grant", ["space", "enter"], walking),
    here!("permission.global", ["g"], walking),
    here!("permission.explain", ["x"], walking),
    here!("permission.advice", ["v"], walking),
    command!("permission.add_application", ["a"], HERE, walking, |state| ask(state, EntityKind::Application)),
    command!("permission.add_data_source", ["A"], HERE, walking, |state| ask(state, EntityKind::DataSource)),
    here!("permission.undo", ["ctrl-z"], walking),
    here!("permission.redo", ["ctrl-y"], walking),
    here!("permission.details", ["f2"], walking),
    here!("permission.mapping", ["f3"], walking),
    Command { quiet: true, ..here!("permission.answers", ["ctrl-x"], walking) },
    command!("permission.help", ["?", "f1"], HERE, walking, global::help),
    here!("permission.close", ["esc"], not_typing),
];

fn on_top(state: &State) -> Option<&Machine> {
    match state.layers.last() {
        Some(Layer::Wizard(wizard)) => match &**wizard {
            Wizard::Permission(machine) => Some(machine),
            _ => None,
        },
        _ => None,
    }
}

fn not_typing(state: &State) -> bool {
    on_top(state).is_some_and(|machine| !machine.list.typing)
}

fn walking(state: &State) -> bool {
    on_top(state).is_some_and(|machine| !machine.list.typing && machine.draft.is_some())
}

/// A line of the matrix.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// The global grants.
    All,
    Heading(EntityKind),
    Entity(Entity),
}

impl Listed for Row {
    fn id(&self) -> String {
        match self {
            Self::All => "#all".to_owned(),
            Self::Heading(kind) => format!("#{kind:?}"),
            Self::Entity(entity) => format!("{:?}:{}", entity.kind, entity.name),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::All | Self::Heading(_) => String::new(),
            Self::Entity(entity) => entity.name.clone(),
        }
    }
}

#[derive(Debug)]
pub struct Machine {
    id: String,
    draft: Option<Draft>,
    list: List<Row>,
    /// Entities that the workspace knows, beside those of the integration.
    found: Vec<Entity>,
    /// The action under the cursor, a place in [`Action::ALL`].
    column: usize,
    history: History<PermissionSet>,
}

#[must_use]
pub fn begin(id: &str) -> (Wizard, Vec<Request>) {
    let machine = Machine { id: id.to_owned(), draft: None, list: List::default(), found: Vec::new(), column: 0, history: History::default() };
    (Wizard::Permission(machine), vec![Request::Start(draft::queued(id, String::new(), Job::LoadIntegration(id.to_owned())))])
}

pub fn open(state: &mut State, id: &str) -> Effects {
    let (wizard, requests) = begin(id);
    super::open(state, wizard, requests)
}

impl Machine {
    pub fn handle(&mut self, event: &Event, _: Context) -> Handled {
        let Some(draft) = &mut self.draft else { return self.handle_loading(event) };
        if let Some((settled, mut requests)) = draft.handle(event) {
            if settled == Settled::Launched {
                requests.push(Request::Close);
            }
            return Some(requests);
        }
        match event {
            Event::Key(key) => {
                if !self.list.typing {
                    match key.code {
                        Code::Left | Code::Char('h') if !key.ctrl => {
                            self.column = self.column.saturating_sub(1);
                            return Some(Vec::new());
                        }
                        Code::Right => {
                            self.column = (self.column + 1).min(Action::ALL.len() - 1);
                            return Some(Vec::new());
                        }
                        Code::Tab => {
                            let n = Action::ALL.len();
                            self.column = if key.shift { (self.column + n - 1) % n } else { (self.column + 1) % n };
                            return Some(Vec::new());
                        }
                        // Here `g` grants globally.
                        Code::Char('g') if !key.ctrl => return None,
                        Code::Esc if self.list.filter.is_empty() => return None,
                        _ => {}
                    }
                }
                let before = self.list.selected_index();
                if !self.list.key(*key) {
                    return None;
                }
                self.skip_heading(before);
                Some(Vec::new())
            }
            Event::Paste(pasted) => {
                self.list.paste(pasted);
                Some(Vec::new())
            }
            Event::Command(id) => Some(self.command(id)),
            Event::Answer(Answer::Matrix { integration, rows }) if *integration == self.id => {
                self.take(rows);
                Some(Vec::new())
            }
            Event::Answer(Answer::Advice { integration, findings }) if *integration == self.id => {
                let title = crate::t!("tui.permission.advice_title", name = self.draft.as_ref().map_or("", |draft| &draft.integration.name));
                Some(vec![Request::Open(words::findings_reader(title, findings, &[]))])
            }
            _ => None,
        }
    }

    fn handle_loading(&mut self, event: &Event) -> Handled {
        let (draft, mut requests) = match draft::opened(&self.id, "permission.close", event) {
            Ok(opened) => opened,
            Err(handled) => return handled,
        };
        let job = Job::Matrix(Box::new(draft.integration.clone()));
        requests.push(Request::Start(read(&format!("read.matrix.{}", self.id), job)));
        self.draft = Some(draft);
        self.relist();
        Some(requests)
    }

    fn take(&mut self, rows: &[MatrixRow]) {
        self.found = rows.iter().filter_map(|row| row.entity.clone()).collect();
        self.relist();
    }

    /// The rows: all, then applications, then data sources, each by name.
    fn relist(&mut self) {
        let Some(draft) = &self.draft else { return };
        let set = &draft.integration.permissions;
        let mut entities: Vec<&Entity> = Vec::new();
        for entity in set.granted.iter().chain(&set.known).chain(&self.found) {
            let same = |known: &&Entity| known.kind == entity.kind && known.name.to_lowercase() == entity.name.to_lowercase();
            if !entities.iter().any(same) {
                entities.push(entity);
            }
        }
        entities.sort_by_cached_key(|entity| entity.name.to_lowercase());
        let mut rows = vec![Row::All];
        for kind in [EntityKind::Application, EntityKind::DataSource] {
            rows.push(Row::Heading(kind));
            rows.extend(entities.iter().filter(|entity| entity.kind == kind).map(|entity| Row::Entity((*entity).clone())));
        }
        self.list.set(rows);
    }

    fn skip_heading(&mut self, before: usize) {
        if !matches!(self.list.selected(), Some(Row::Heading(_))) {
            return;
        }
        let by = if self.list.selected_index() >= before { 1 } else { -1 };
        self.list.step(by);
        // Two headings in a row, or one at the end: back to where there is something.
        while matches!(self.list.selected(), Some(Row::Heading(_))) {
            let at = self.list.selected_index();
            self.list.step(by);
            if self.list.selected_index() == at {
                self.list.set_selected_index(before);
                return;
            }
        }
    }

    fn action(&self) -> Action {
        Action::ALL[self.column.min(Action::ALL.len() - 1)]
    }

    /// Why an action is allowed in a row.
    fn reason(&self, row: &Row, action: Action) -> Reason {
        let Some(draft) = &self.draft else { return Reason::None };
        match row {
            Row::Entity(entity) => permissions::check(&draft.integration, action, entity).reason,
            _ if draft.integration.permissions.global.contains(&action) => Reason::Global,
            _ => Reason::None,
        }
    }

    /// The sentence about the cell under the cursor.
    fn explanation(&self, row: &Row, action: Action) -> String {
        let Some(draft) = &self.draft else { return String::new() };
        match row {
            Row::Entity(entity) => permissions::check(&draft.integration, action, entity).explanation,
            _ if draft.integration.permissions.global.contains(&action) => {
                crate::t!("tui.permission.everywhere", action = permissions::action_name(action))
            }
            _ => crate::t!("tui.permission.not_everywhere", action = permissions::action_name(action)),
        }
    }

    /// Changes the grants as one step that can be undone.
    fn change(&mut self, change: impl FnOnce(&mut crate::model::Integration) -> crate::ops::Result<()>) -> Vec<Request> {
        let Some(draft) = &mut self.draft else { return Vec::new() };
        let before = draft.integration.permissions.clone();
        if let Err(problem) = change(&mut draft.integration) {
            draft.integration.permissions = before;
            return vec![Request::Show(problem)];
        }
        if draft.integration.permissions == before {
            return Vec::new();
        }
        self.history.record(before);
        self.changed()
    }

    fn changed(&mut self) -> Vec<Request> {
        self.relist();
        self.draft.as_mut().map(Draft::changed).unwrap_or_default()
    }

    fn travel(&mut self, way: fn(&mut History<PermissionSet>, PermissionSet) -> Option<PermissionSet>, nothing: &'static str) -> Vec<Request> {
        let Some(draft) = &mut self.draft else { return Vec::new() };
        let now = draft.integration.permissions.clone();
        match way(&mut self.history, now) {
            Some(set) => {
                draft.integration.permissions = set;
                self.changed()
            }
            None => vec![Request::Toast(Tone::Dim, nothing.to_owned())],
        }
    }

    fn toggle_globally(&mut self, action: Action) -> Vec<Request> {
        let granted = self.reason(&Row::All, action) == Reason::Global;
        let mut requests = self.change(|integration| {
            let change = if granted { permissions::revoke } else { permissions::grant };
            change(integration, Some(action), None)
        });
        if !granted {
            requests.push(Request::Toast(Tone::Notice, crate::t!("tui.permission.wide_warning", action = permissions::action_name(action))));
        }
        requests
    }

    fn command(&mut self, id: &str) -> Vec<Request> {
        if id == "permission.close" {
            let mut requests = self.draft.as_mut().map(Draft::flush).unwrap_or_default();
            requests.push(Request::Close);
            return requests;
        }
        let row = self.list.selected().cloned();
        let action = self.action();
        match (id, row) {
            ("permission.grant", Some(Row::All)) | ("permission.global", _) => self.toggle_globally(action),
            ("permission.grant", Some(Row::Entity(entity))) => {
                let granted = self.draft.as_ref().is_some_and(|draft| draft.integration.permissions.granted.contains(&entity));
                self.change(|integration| {
                    let change = if granted { permissions::revoke } else { permissions::grant };
                    change(integration, None, Some(entity))
                })
            }
            ("permission.explain", Some(row)) => {
                let term = |action| permissions::action_name(action).to_owned();
                let lines = Action::ALL.iter().map(|action| Line { term: term(*action), text: self.explanation(&row, *action) }).collect();
                let title = match &row {
                    Row::Entity(entity) => crate::t!("tui.permission.explain_title", name = entity.name),
                    _ => crate::t!("tui.permission.explain_all").to_owned(),
                };
                vec![Request::Open(Layer::Reader(Reader { title, lines, scroll: Scrolled::default() }))]
            }
            ("permission.advice", _) => match &self.draft {
                Some(draft) => {
                    let job = Job::Advise(Box::new(draft.integration.clone()));
                    vec![Request::Start(read(&format!("read.advice.{}", self.id), job))]
                }
                None => Vec::new(),
            },
            ("permission.answers", _) => self.draft.as_mut().map(Draft::save_answers).unwrap_or_default(),
            ("permission.undo", _) => self.travel(History::undo, crate::t!("tui.nothing_to_undo")),
            ("permission.redo", _) => self.travel(History::redo, crate::t!("tui.nothing_to_redo")),
            ("permission.details" | "permission.mapping", _) => {
                let mut requests = self.draft.as_mut().map(Draft::flush).unwrap_or_default();
                let (next, first) = if id == "permission.details" { integration::begin(&self.id) } else { mapping::begin(&self.id) };
                requests.extend(first);
                requests.push(Request::Replace(Layer::Wizard(Box::new(next))));
                requests
            }
            _ => Vec::new(),
        }
    }

    fn add(&mut self, entity: Entity) -> Vec<Request> {
        let requests = self.change(|integration| permissions::add_entity(integration, entity.clone()));
        self.list.select(&Row::Entity(entity).id());
        requests
    }

    #[must_use]
    pub fn crumbs(&self) -> Vec<String> {
        vec![self.draft.as_ref().map_or_else(String::new, |draft| draft.integration.name.clone()), crate::t!("tui.permission.crumb").to_owned()]
    }

    #[must_use]
    pub fn explain(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            (permissions::action_name(Action::AppRoleRead), permissions::action_meaning(Action::AppRoleRead)),
            (permissions::action_name(Action::CsvAppUserUpload), permissions::action_meaning(Action::CsvAppUserUpload)),
            (permissions::action_name(Action::UpdateDataSourceUsers), permissions::action_meaning(Action::UpdateDataSourceUsers)),
            (permissions::action_name(Action::AppMembershipWrite), permissions::action_meaning(Action::AppMembershipWrite)),
            (crate::t!("tui.permission.all"), crate::t!("tui.permission.explain.all")),
            (crate::t!("tui.permission.entity"), crate::t!("tui.permission.explain.entity")),
            (crate::t!("tui.permission.effect"), crate::t!("tui.permission.explain.effect")),
        ]
    }

    #[must_use]
    pub fn remembered(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

fn ask(state: &mut State, kind: EntityKind) -> Effects {
    let mut prompt = Prompt {
        title: crate::t!("tui.permission.add_application").to_owned(),
        help: crate::t!("tui.permission.add_help").to_owned(),
        field: Field::default(),
        error: None,
        then: |state, name| named(state, EntityKind::Application, name),
    };
    if kind == EntityKind::DataSource {
        crate::t!("tui.permission.add_data_source").clone_into(&mut prompt.title);
        prompt.then = |state, name| named(state, EntityKind::DataSource, name);
    }
    state.push(Layer::Prompt(prompt))
}

fn named(state: &mut State, kind: EntityKind, name: &str) -> Result<Effects, String> {
    let name = name.trim();
    if name.is_empty() {
        return Err(crate::t!("tui.permission.no_name").to_owned());
    }
    let entity = Entity { kind, name: name.to_owned() };
    Ok(super::with_top(state, |wizard| if let Wizard::Permission(machine) = wizard { machine.add(entity) } else { Vec::new() }))
}

#[cfg(test)]
mod tests;
