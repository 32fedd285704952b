//! The mapping editor: the destination's fields first, because they must be filled; where each comes from as people write it; what a real
//! record holds there, and what comes out. Every change is saved, previewed and can be undone.

mod changes;
pub mod rows;
pub mod view;

use super::draft::{self, Draft, Settled};
use super::history::History;
use super::{Context, Event, Handled, Kind, Request, Wizard, integration, permission, words};
use crate::command;
use crate::model::{
    DestinationField, FieldMapping, IntegrationKind, Mapped, Preview, PreviewCell, PreviewRecord, Problem, SampledField, Severity, Suggestion, Table,
};
use crate::ops::mappings::{self, Sample};
use crate::tui::app::command::{Command, Scope, always};
use crate::tui::app::effect::{Effects, Job, Policy, TaskSpec};
use crate::tui::app::global;
use crate::tui::app::key::{Code, Key};
use crate::tui::app::layers::{Layer, LayerKind, Line, Reader, Scrolled};
use crate::tui::app::msg::Answer;
use crate::tui::app::state::State;
use crate::tui::app::tasks::{NETWORK, read};
use crate::tui::ui::field::Field;
use crate::tui::ui::list::{List, Listed};
use crate::tui::ui::picker::{Picked, Picker};
use crate::tui::ui::theme::Tone;
use rows::{FieldRow, Row};

const HERE: Scope = Scope::Layer(LayerKind::Wizard(Kind::Mapping));
const EDITING: Scope = Scope::Layer(LayerKind::Wizard(Kind::MappingEditing));

macro_rules! here {
    ($id:literal, [$($key:literal),*], $available:expr) => {
        command!($id, [$($key),*], HERE, $available, |state| super::tell(state, $id))
    };
}

pub const COMMANDS: &[Command] = &[
    here!("mapping.edit", ["enter", "e"], walking),
    here!("mapping.suggest", ["s"], walking),
    command!("mapping.add", ["a"], HERE, walking, changes::ask_field),
    here!("mapping.filter", ["f"], walking),
    here!("mapping.changes", ["w"], has_record),
    here!("mapping.launch", ["l"], walking),
    here!("mapping.source", ["tab"], not_typing),
    here!("mapping.undo", ["ctrl-z"], not_typing),
    here!("mapping.clear", ["x", "delete"], walking),
    here!("mapping.suggest_one", ["S"], walking),
    here!("mapping.tracking", ["t"], walking),
    here!("mapping.redo", ["ctrl-y"], not_typing),
    command!("mapping.rename", ["R"], HERE, on_custom_field, changes::ask_name),
    Command { quiet: true, ..here!("mapping.record_next", ["]", "right"], not_typing) },
    Command { quiet: true, ..here!("mapping.record_previous", ["[", "left"], not_typing) },
    here!("mapping.details", ["f2"], not_typing),
    here!("mapping.permissions", ["f4"], not_typing),
    here!("mapping.findings", ["v", "f8"], walking),
    Command { quiet: true, ..here!("mapping.sample", ["f6"], not_typing) },
    Command { quiet: true, ..here!("mapping.answers", ["ctrl-x"], not_typing) },
    command!("mapping.help", ["?", "f1"], HERE, not_typing, global::help),
    here!("mapping.close", ["esc"], not_typing),
    // The machine takes these keys before any command does: they stand here for the footer and the mouse.
    command!("mapping.take", ["enter"], EDITING, always, |state| pressed(state, Key::plain(Code::Enter))),
    command!("mapping.complete", ["tab"], EDITING, completes, |state| pressed(state, Key::plain(Code::Tab))),
    command!("mapping.restore", ["ctrl-z"], EDITING, always, |state| pressed(state, Key::ctrl('z'))),
    command!("mapping.leave", ["esc"], EDITING, always, |state| pressed(state, Key::plain(Code::Esc))),
];

fn pressed(state: &mut State, key: Key) -> Effects {
    super::event(state, &Event::Key(key)).unwrap_or_default()
}

fn completes(state: &State) -> bool {
    on_top(state).is_some_and(|machine| !machine.completions().is_empty())
}

fn on_top(state: &State) -> Option<&Machine> {
    match state.layers.last() {
        Some(Layer::Wizard(wizard)) => match &**wizard {
            Wizard::Mapping(machine) => Some(machine),
            _ => None,
        },
        _ => None,
    }
}

fn not_typing(state: &State) -> bool {
    on_top(state).is_some_and(|machine| !machine.typing())
}

/// The destination's fields have the focus, and nothing is being typed.
fn walking(state: &State) -> bool {
    on_top(state).is_some_and(|machine| !machine.typing() && machine.focus == Focus::Destination && machine.draft.is_some())
}

fn has_record(state: &State) -> bool {
    walking(state) && on_top(state).is_some_and(|machine| machine.preview.is_some())
}

fn on_custom_field(state: &State) -> bool {
    walking(state) && on_top(state).and_then(Machine::field).is_some_and(|field| field.custom)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Focus {
    Destination,
    Source,
}

/// What is known of the real records.
#[derive(Debug)]
enum Records {
    /// There is no source yet.
    None,
    Loading,
    Failed(Problem),
    Here(Sample),
}

/// What can be undone.
type Undoable = (Vec<FieldMapping>, Option<String>);

#[derive(Debug)]
struct Editing {
    target: Target,
    field: Field,
    error: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Target {
    Mapping(String),
    Filter,
}

/// A custom field that was asked for, and what fills it when it is there.
#[derive(Debug)]
struct Awaited {
    label: String,
    from: Option<Mapped>,
}

#[derive(Debug)]
pub struct Machine {
    id: String,
    draft: Option<Draft>,
    fields: Vec<DestinationField>,
    saas: Vec<DestinationField>,
    list: List<Row>,
    source: List<SampledField>,
    focus: Focus,
    editing: Option<Editing>,
    /// Chooses the type of a field that is being added.
    picker: Option<(String, Picker)>,
    records: Records,
    preview: Option<Preview>,
    /// Place of the record in view.
    record: usize,
    history: History<Undoable>,
    awaited: Vec<Awaited>,
    /// The field whose suggestion was asked for; all of them when `Some(None)`.
    suggesting: Option<Option<String>>,
    /// Why the last preview or suggestion failed.
    trouble: Option<Problem>,
}

impl Listed for SampledField {
    fn id(&self) -> String {
        self.path.clone()
    }

    fn text(&self) -> String {
        format!("{} {}", self.path, self.label)
    }
}

fn sample_key(id: &str) -> String {
    format!("sample.{id}")
}

#[must_use]
pub fn begin(id: &str) -> (Wizard, Vec<Request>) {
    let machine = Machine {
        id: id.to_owned(),
        draft: None,
        fields: Vec::new(),
        saas: Vec::new(),
        list: List::default(),
        source: List::default(),
        focus: Focus::Destination,
        editing: None,
        picker: None,
        records: Records::Loading,
        preview: None,
        record: 0,
        history: History::default(),
        awaited: Vec::new(),
        suggesting: None,
        trouble: None,
    };
    (Wizard::Mapping(machine), vec![Request::Start(draft::queued(id, String::new(), Job::LoadIntegration(id.to_owned())))])
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
            Event::Key(key) => self.key(*key),
            Event::Paste(pasted) => self.paste(pasted),
            Event::Command(id) => Some(self.command(id)),
            Event::Answer(answer) => self.answer(answer),
            Event::Failed { key, problem } => self.failed(key, problem),
            Event::Cancelled { key } if *key == sample_key(&self.id) => {
                self.records = Records::Failed(crate::problem!(Failed, "tui.mapping.sample_cancelled"));
                Some(Vec::new())
            }
            _ => None,
        }
    }

    fn handle_loading(&mut self, event: &Event) -> Handled {
        let (draft, mut requests) = match draft::opened(&self.id, "mapping.close", event) {
            Ok(opened) => opened,
            Err(handled) => return handled,
        };
        for table in crate::ops::integrations::tables(draft.integration.kind) {
            requests.push(Request::Start(read(&format!("read.fields.{}", table.key()), Job::DestinationFields(*table))));
        }
        self.draft = Some(draft);
        requests.extend(self.fetch());
        Some(requests)
    }

    /// Fetches real records, where there is a source.
    fn fetch(&mut self) -> Vec<Request> {
        let Some(draft) = &self.draft else { return Vec::new() };
        if draft.integration.credential.is_empty() {
            self.records = Records::None;
            return Vec::new();
        }
        self.records = Records::Loading;
        let title = crate::t!("tui.mapping.sampling", name = draft.integration.name);
        let job = Job::LoadSample(Box::new(draft.integration.clone()));
        vec![Request::Start(TaskSpec { key: sample_key(&self.id), policy: Policy::Latest, title, deadline: NETWORK, job })]
    }

    fn answer(&mut self, answer: &Answer) -> Handled {
        match answer {
            Answer::Columns { table, columns } => {
                if *table == Table::SaasUsers && self.has_saas() {
                    self.saas.clone_from(columns);
                } else if Some(*table) == self.table() {
                    self.fields.clone_from(columns);
                } else {
                    return None;
                }
                self.relist();
                None
            }
            Answer::Sample { integration, sample } if *integration == self.id => {
                self.records = Records::Here(sample.clone());
                self.record = 0;
                Some(self.look())
            }
            Answer::Preview { integration, preview } if *integration == self.id => {
                self.trouble = None;
                self.record = self.record.min(preview.records.len().saturating_sub(1));
                if self.source.items() != preview.fields {
                    self.source.set(preview.fields.clone());
                }
                self.preview = Some(preview.clone());
                Some(Vec::new())
            }
            Answer::Suggestions { integration, suggestions } if *integration == self.id => Some(self.suggested(suggestions)),
            Answer::FieldChanged { table, field } => {
                let own = Some(*table) == self.table();
                let fields = if own { &mut self.fields } else { &mut self.saas };
                match fields.iter_mut().find(|known| known.key == field.key) {
                    Some(known) => *known = field.clone(),
                    None => fields.push(field.clone()),
                }
                self.relist();
                let place = self.awaited.iter().position(|awaited| awaited.label == field.label)?;
                let awaited = self.awaited.remove(place);
                let key = if own { field.key.clone() } else { format!("{}{}", words::SAAS, field.key) };
                self.list.select(&key);
                Some(match awaited.from {
                    Some(from) => self.map(&key, Some(from)),
                    None => Vec::new(),
                })
            }
            _ => None,
        }
    }

    fn failed(&mut self, key: &str, problem: &Problem) -> Handled {
        if key == sample_key(&self.id) {
            self.records = Records::Failed(problem.clone());
            // What the connector declares can still be offered.
            return Some(self.look());
        }
        if key == self.key_of("preview") || key == self.key_of("suggest") {
            self.suggesting = None;
            self.trouble = Some(problem.clone());
            return Some(Vec::new());
        }
        if key == self.key_of("field") {
            self.awaited.clear();
            return Some(vec![Request::Show(problem.clone())]);
        }
        None
    }

    /// Which keys mean what depends on whether something is being typed in place.
    #[must_use]
    pub fn kind(&self) -> Kind {
        if self.editing.is_some() { Kind::MappingEditing } else { Kind::Mapping }
    }

    fn key_of(&self, what: &str) -> String {
        format!("read.mapping.{what}.{}", self.id)
    }

    fn table(&self) -> Option<Table> {
        self.draft.as_ref().map(|draft| crate::ops::integrations::tables(draft.integration.kind)[0])
    }

    fn has_saas(&self) -> bool {
        self.draft.as_ref().is_some_and(|draft| draft.integration.kind == IntegrationKind::UserAndSaasUser)
    }

    fn relist(&mut self) {
        if let Some(draft) = &self.draft {
            self.list.set(rows::rows(&draft.integration, &self.fields, &self.saas));
        }
    }

    /// The destination field under the cursor.
    fn field(&self) -> Option<&FieldRow> {
        match self.list.selected() {
            Some(Row::Field(field)) => Some(field),
            _ => None,
        }
    }

    fn typing(&self) -> bool {
        self.editing.is_some()
            || self.picker.is_some()
            || match self.focus {
                Focus::Destination => self.list.typing,
                Focus::Source => self.source.typing,
            }
    }

    fn sample(&self) -> Sample {
        match &self.records {
            Records::Here(sample) => sample.clone(),
            _ => Sample::default(),
        }
    }

    /// The record in view, as it would become.
    fn previewed(&self) -> Option<&PreviewRecord> {
        self.preview.as_ref()?.records.get(self.record)
    }

    fn cell(&self, key: &str) -> Option<&PreviewCell> {
        self.previewed()?.cells.iter().find(|cell| cell.field == key)
    }

    /// What is wrong with a mapped field: what the record in view says, or what the check found.
    fn error(&self, key: &str) -> Option<&str> {
        if let Some(error) = self.cell(key).and_then(|cell| cell.error.as_deref()) {
            return Some(error);
        }
        let draft = self.draft.as_ref()?;
        rows::mapped(&draft.integration, key)?;
        let errors = draft.findings.iter().flatten().filter(|finding| finding.severity == Severity::Error);
        errors.filter(|finding| finding.place.strip_prefix("mapping.") == Some(key)).map(|finding| finding.problem.why.as_str()).next()
    }

    /// A mandatory field that nothing fills.
    fn missing(&self, field: &FieldRow) -> bool {
        let Some(draft) = &self.draft else { return false };
        field.mandatory && rows::mapped(&draft.integration, &field.key).is_none() && rows::follows(&draft.integration, field).is_none()
    }

    fn fields_shown(&self) -> impl Iterator<Item = &FieldRow> {
        self.list.items().iter().filter_map(|row| if let Row::Field(field) = row { Some(field) } else { None })
    }

    /// Previews the records with the mappings as they stand, or as they are being typed.
    fn look(&self) -> Vec<Request> {
        let Some(mut integration) = self.draft.as_ref().map(|draft| draft.integration.clone()) else { return Vec::new() };
        if matches!(self.records, Records::Loading | Records::None) {
            return Vec::new();
        }
        match &self.editing {
            Some(Editing { target: Target::Mapping(key), field, error: None }) => {
                let from = typed(field.text());
                rows::set(&mut integration.mappings, key, from);
            }
            Some(Editing { target: Target::Filter, field, error: None }) => integration.filter = typed_filter(field.text()),
            _ => {}
        }
        let job = Job::Preview { integration: Box::new(integration), sample: self.sample() };
        vec![Request::Start(read(&self.key_of("preview"), job))]
    }

    #[must_use]
    pub fn crumbs(&self) -> Vec<String> {
        vec![self.draft.as_ref().map_or_else(String::new, |draft| draft.integration.name.clone()), crate::t!("tui.mapping.crumb").to_owned()]
    }

    #[must_use]
    pub fn explain(&self) -> Vec<(&'static str, &'static str)> {
        vec![
            (crate::t!("tui.mapping.destination"), crate::t!("tui.mapping.explain.destination")),
            (crate::t!("tui.mapping.from"), crate::t!("tui.mapping.explain.from")),
            (crate::t!("tui.mapping.path"), crate::t!("tui.mapping.explain.path")),
            (crate::t!("tui.mapping.constant"), crate::t!("tui.mapping.explain.constant")),
            (crate::t!("tui.mapping.expression"), crate::t!("tui.mapping.explain.expression")),
            (crate::t!("tui.mapping.tracked"), crate::t!("tui.mapping.explain.tracked")),
            (crate::t!("tui.mapping.sample"), crate::t!("tui.mapping.explain.sample")),
            (crate::t!("tui.mapping.result"), crate::t!("tui.mapping.explain.result")),
            (crate::t!("tui.mapping.would_be"), crate::t!("tui.mapping.explain.would_be")),
        ]
    }

    #[must_use]
    pub fn remembered(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

/// What a text as people write it maps; nothing when it is empty.
fn typed(text: &str) -> Option<Mapped> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(mappings::parse)
}

fn typed_filter(text: &str) -> Option<String> {
    Some(text.trim()).filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
