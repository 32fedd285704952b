//! The details of an integration: what is read and where it goes, who hears of it, when it runs. Saved as typed, checked after each change,
//! errors at the fields.

pub mod fields;
pub mod view;

use super::draft::{self, Draft, Settled};
use super::{Context, Event, Handled, Kind, Request, Wizard, mapping, permission, words};
use crate::command;
use crate::model::{Connector, Credential, DestinationField, Severity, Table};
use crate::tui::app::command::{Command, Scope, always};
use crate::tui::app::effect::{Effects, Job};
use crate::tui::app::global;
use crate::tui::app::layers::{Layer, LayerKind};
use crate::tui::app::msg::Answer;
use crate::tui::app::state::State;
use crate::tui::app::tasks::read;
use crate::tui::ui::form::{Form, Outcome};
use crate::tui::ui::picker::{Item, Picked, Picker};

const HERE: Scope = Scope::Layer(LayerKind::Wizard(Kind::Integration));

pub const COMMANDS: &[Command] = &[
    command!("details.mapping", ["f3", "ctrl-n"], HERE, always, |state| super::tell(state, "details.mapping")),
    command!("details.permissions", ["f4"], HERE, always, |state| super::tell(state, "details.permissions")),
    command!("details.findings", ["f8"], HERE, always, |state| super::tell(state, "details.findings")),
    command!("details.launch", ["f9"], HERE, always, |state| super::tell(state, "details.launch")),
    Command { quiet: true, ..command!("details.answers", ["ctrl-x"], HERE, always, |state| super::tell(state, "details.answers")) },
    command!("details.help", ["f1", "?"], HERE, always, global::help),
    command!("details.close", ["esc"], HERE, always, |state| super::tell(state, "details.close")),
];

#[derive(Debug)]
pub struct Machine {
    id: String,
    /// `None` while it is being read.
    draft: Option<Draft>,
    form: Form,
    credentials: Vec<Credential>,
    connector: Option<Connector>,
    /// Fields of the table that is filled, for the sync key.
    columns: Vec<DestinationField>,
    applications: Vec<String>,
    picker: Option<Picker>,
    /// Esc was pressed while something could not be saved: the next one leaves.
    leaving: bool,
}

/// A machine that reads the integration, and what it has to ask for first.
#[must_use]
pub fn begin(id: &str) -> (Wizard, Vec<Request>) {
    let machine = Machine {
        id: id.to_owned(),
        draft: None,
        form: Form::new(Vec::new()),
        credentials: Vec::new(),
        connector: None,
        columns: Vec::new(),
        applications: Vec::new(),
        picker: None,
        leaving: false,
    };
    let requests = vec![
        Request::Start(draft::queued(id, String::new(), Job::LoadIntegration(id.to_owned()))),
        Request::Start(read("read.details.credentials", Job::LoadCredentials)),
        Request::Start(read("read.details.applications", Job::LoadSaasApplications)),
    ];
    (Wizard::Integration(machine), requests)
}

pub fn open(state: &mut State, id: &str) -> Effects {
    let (wizard, requests) = begin(id);
    super::open(state, wizard, requests)
}

impl Machine {
    pub fn handle(&mut self, event: &Event, _: Context) -> Handled {
        let Some(draft) = &mut self.draft else { return self.handle_loading(event) };
        if let Some((settled, requests)) = draft.handle(event) {
            return self.settled(settled, requests);
        }
        match event {
            Event::Key(key) => {
                if let Some(picker) = &mut self.picker {
                    let picked = picker.key(*key);
                    return Some(self.picked(picked));
                }
                match self.form.key(*key) {
                    Outcome::Ignored => None,
                    Outcome::Moved => Some(Vec::new()),
                    Outcome::Changed(field) => Some(self.changed(&field)),
                    Outcome::Entered(field) => Some(self.entered(&field)),
                }
            }
            Event::Paste(pasted) => {
                if let Some(picker) = &mut self.picker {
                    picker.paste(pasted);
                    return Some(Vec::new());
                }
                let field = self.form.paste(pasted)?;
                Some(self.changed(&field))
            }
            Event::Command(id) => Some(self.command(id)),
            Event::Answer(answer) => self.answer(answer),
            _ => None,
        }
    }

    fn handle_loading(&mut self, event: &Event) -> Handled {
        match (draft::opened(&self.id, "details.close", event), event) {
            (Ok((draft, mut requests)), _) => {
                requests.extend(about_source(&draft));
                self.draft = Some(draft);
                self.rebuild();
                Some(requests)
            }
            (Err(None), Event::Answer(answer)) => self.answer(answer),
            (Err(handled), _) => handled,
        }
    }

    /// What others may want to hear, too: `None` lets it go on to them.
    fn answer(&mut self, answer: &Answer) -> Handled {
        match answer {
            Answer::Credentials { credentials, .. } => self.credentials.clone_from(credentials),
            Answer::Connector(connector) => {
                if self.draft.as_ref().is_none_or(|draft| draft.integration.connector != connector.id) {
                    return None;
                }
                self.connector = Some(connector.clone());
            }
            Answer::SaasApplications(applications) => self.applications = applications.iter().map(|(name, _)| name.clone()).collect(),
            Answer::Columns { table, columns } => {
                if self.draft.as_ref().is_none_or(|draft| destination(draft) != *table) {
                    return None;
                }
                self.columns.clone_from(columns);
            }
            _ => return None,
        }
        self.rebuild();
        None
    }

    fn settled(&mut self, settled: Settled, mut requests: Vec<Request>) -> Handled {
        match settled {
            Settled::Sourced => {
                if let Some(draft) = &self.draft {
                    requests.extend(about_source(draft));
                }
                self.rebuild();
            }
            Settled::Launched => requests.push(Request::Close),
            Settled::Saved => {
                self.leaving = false;
                self.refresh_notes();
            }
            Settled::Checked | Settled::Failed => self.refresh_notes(),
        }
        Some(requests)
    }

    /// Takes what was typed into a field, and saves it.
    fn changed(&mut self, field: &str) -> Vec<Request> {
        let Some(draft) = &mut self.draft else { return Vec::new() };
        let value = self.form.value(field);
        self.leaving = false;
        if field == "resource" {
            let credential = draft.integration.credential.clone();
            return draft.source(&credential, Some(&value));
        }
        let before = draft.integration.clone();
        if let Err(error) = fields::take(&mut draft.integration, field, &value) {
            if let Some(field) = self.form.field_mut(field) {
                field.error = Some(error);
            }
            return Vec::new();
        }
        if draft.integration == before {
            return Vec::new();
        }
        let requests = draft.changed();
        // Which fields there are depends on these two.
        if matches!(field, "kind" | "every") {
            self.rebuild();
        }
        requests
    }

    fn entered(&mut self, field: &str) -> Vec<Request> {
        if field == "credential" {
            let items = self.credentials.iter().map(|credential| Item {
                value: credential.id.clone(),
                label: credential.name.clone(),
                note: credential.connector.clone(),
            });
            let selected = self.draft.as_ref().map_or("", |draft| draft.integration.credential.as_str());
            self.picker = Some(Picker::new(crate::t!("tui.details.pick_credential"), items.collect(), selected));
            return Vec::new();
        }
        // Enter on the last field goes on.
        self.command("details.mapping")
    }

    fn picked(&mut self, picked: Picked) -> Vec<Request> {
        match picked {
            Picked::Stay => Vec::new(),
            Picked::Closed => {
                self.picker = None;
                Vec::new()
            }
            Picked::Value(credential) => {
                self.picker = None;
                self.draft.as_mut().map(|draft| draft.source(&credential, None)).unwrap_or_default()
            }
        }
    }

    fn command(&mut self, id: &str) -> Vec<Request> {
        let Some(draft) = &mut self.draft else { return Vec::new() };
        match id {
            "details.mapping" | "details.permissions" => {
                let mut requests = draft.flush();
                let (next, first) = if id == "details.mapping" { mapping::begin(&self.id) } else { permission::begin(&self.id) };
                requests.extend(first);
                requests.push(Request::Replace(Layer::Wizard(Box::new(next))));
                requests
            }
            "details.findings" => {
                let title = crate::t!("tui.findings.title", name = draft.integration.name);
                vec![Request::Open(words::findings_reader(title, draft.findings.as_deref().unwrap_or_default(), &self.columns))]
            }
            "details.launch" => draft.launch(),
            "details.answers" => draft.save_answers(),
            "details.close" => {
                if draft.unsaved.is_some() && !self.leaving {
                    self.leaving = true;
                    return draft.flush();
                }
                let mut requests = if draft.unsaved.is_some() { Vec::new() } else { draft.flush() };
                requests.push(Request::Close);
                requests
            }
            _ => Vec::new(),
        }
    }

    /// Makes the fields anew, with the same one in focus; what is being typed keeps its cursor.
    fn rebuild(&mut self) {
        let Some(draft) = &self.draft else { return };
        let known = fields::Known { credentials: &self.credentials, connector: self.connector.as_ref() };
        let typing = self.form.typing();
        let focused = (!self.form.fields.is_empty()).then(|| self.form.fields.swap_remove(self.form.focus));
        self.form = Form::new(fields::make(&draft.integration, &known));
        if let Some(focused) = focused {
            self.form.set_focus(&focused.key);
            if let Some(field) = self.form.field_mut(&focused.key).filter(|_| typing) {
                *field = focused;
            }
        }
        self.refresh_notes();
    }

    /// Puts help, findings and a failed save at the fields.
    fn refresh_notes(&mut self) {
        let Some(draft) = &self.draft else { return };
        for field in &mut self.form.fields {
            let mut help = fields::help(&field.key, &self.columns, &self.applications);
            field.error = None;
            for finding in draft.findings.iter().flatten() {
                if fields::place(&finding.place, &draft.integration) != Some(field.key.as_str()) {
                    continue;
                }
                let problem = &finding.problem;
                match finding.severity {
                    Severity::Error if field.error.is_none() => field.error = Some(format!("{} {}", sentence(&problem.what), problem.next_step)),
                    Severity::Error => {}
                    _ => help = format!("{help} {} {}", sentence(&problem.what), problem.next_step),
                }
            }
            if field.key == "name"
                && let Some(problem) = &draft.unsaved
            {
                field.error = Some(crate::t!("tui.unsaved", what = sentence(&problem.what), why = problem.why, next = problem.next_step));
            }
            field.help = help;
        }
    }

    #[must_use]
    pub fn crumbs(&self) -> Vec<String> {
        vec![self.draft.as_ref().map_or_else(String::new, |draft| draft.integration.name.clone()), crate::t!("tui.details.crumb").to_owned()]
    }

    #[must_use]
    pub fn explain(&self) -> Vec<(&'static str, &'static str)> {
        fields::explain()
    }

    #[must_use]
    pub fn remembered(&self) -> Option<String> {
        Some(self.id.clone())
    }
}

fn destination(draft: &Draft) -> Table {
    crate::ops::integrations::tables(draft.integration.kind)[0]
}

/// What has to be known of a source and its destination.
fn about_source(draft: &Draft) -> Vec<Request> {
    let mut requests = vec![Request::Start(read("read.details.fields", Job::DestinationFields(destination(draft))))];
    if !draft.integration.connector.is_empty() {
        requests.push(Request::Start(read("read.details.connector", Job::LoadConnector(draft.integration.connector.clone()))));
    }
    requests
}

/// With a full stop, so that another sentence can follow.
fn sentence(what: &str) -> String {
    if what.ends_with(['.', '?']) { what.to_owned() } else { format!("{what}.") }
}

#[cfg(test)]
mod tests;
