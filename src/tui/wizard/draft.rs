//! The integration under an editor's hands: saved as typed, one save at a time, checked after each.

use super::{Event, Handled, Request};
use crate::model::{Finding, Integration, Problem, Severity};
use crate::ops::answers::Of;
use crate::tui::app::effect::{Job, Policy, TaskSpec};
use crate::tui::app::msg::Answer;
use crate::tui::app::tasks::{NETWORK, QUICK, read};
use std::collections::VecDeque;

#[derive(Debug)]
pub struct Draft {
    pub integration: Integration,
    /// What the last check found; `None` before the first.
    pub findings: Option<Vec<Finding>>,
    /// Why the last save failed. What was typed is still here, and the next change saves it again.
    pub unsaved: Option<Problem>,
    /// Changed since the last save began.
    dirty: bool,
    /// What was asked for and has not ended, in the order in which it will end: the tasks of one key queue.
    pending: VecDeque<Pending>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Save,
    Source,
    Launch,
}

/// What became of something that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    Saved,
    /// The source was set, and with it what goes with a source.
    Sourced,
    Launched,
    Checked,
    Failed,
}

/// The key under which everything that changes an integration queues.
#[must_use]
pub fn key(id: &str) -> String {
    format!("integration.{id}")
}

/// Something that changes or reads an integration, after everything that was asked for before.
#[must_use]
pub fn queued(id: &str, title: String, job: Job) -> TaskSpec {
    let deadline = if title.is_empty() { QUICK } else { NETWORK };
    TaskSpec { key: key(id), policy: Policy::Queue, title, deadline, job }
}

/// Reads what is wrong with an integration.
#[must_use]
pub fn check(integration: &Integration) -> TaskSpec {
    read(&format!("read.check.{}", integration.id), Job::IntegrationValidate(Box::new(integration.clone())))
}

/// What an editor makes of an event while its integration is being read: the draft when it is here, or what the event comes to.
/// `close` is the editor's own command for leaving.
pub fn opened(id: &str, close: &str, event: &Event) -> Result<(Draft, Vec<Request>), Handled> {
    match event {
        Event::Answer(Answer::Integration(integration)) if integration.id == id => Ok(Draft::new(integration.clone())),
        Event::Failed { key: of, problem } if *of == key(id) => Err(Some(vec![Request::Show(problem.clone()), Request::Close])),
        Event::Command(command) if *command == close => Err(Some(vec![Request::Close])),
        _ => Err(None),
    }
}

impl Draft {
    #[must_use]
    pub fn new(integration: Integration) -> (Self, Vec<Request>) {
        let first = Request::Start(check(&integration));
        (Self { integration, findings: None, unsaved: None, dirty: false, pending: VecDeque::new() }, vec![first])
    }

    /// Something was changed: saves it, now or when the save under way has ended.
    pub fn changed(&mut self) -> Vec<Request> {
        self.dirty = true;
        if self.pending.contains(&Pending::Save) { Vec::new() } else { vec![self.save()] }
    }

    fn save(&mut self) -> Request {
        self.dirty = false;
        self.ask(Pending::Save, String::new(), Job::IntegrationSave(Box::new(self.integration.clone())))
    }

    fn ask(&mut self, what: Pending, title: String, job: Job) -> Request {
        self.pending.push_back(what);
        Request::Start(queued(&self.integration.id, title, job))
    }

    /// Reads from another credential or resource.
    pub fn source(&mut self, credential: &str, resource: Option<&str>) -> Vec<Request> {
        let job = Job::IntegrationSource {
            integration: Box::new(self.integration.clone()),
            credential: credential.to_owned(),
            resource: resource.map(str::to_owned),
        };
        self.dirty = false;
        vec![self.ask(Pending::Source, String::new(), job)]
    }

    /// Saves what is not saved, and launches.
    pub fn launch(&mut self) -> Vec<Request> {
        if self.pending.contains(&Pending::Launch) {
            return Vec::new();
        }
        let mut requests = self.flush();
        let title = crate::t!("tui.launching", name = self.integration.name);
        requests.push(self.ask(Pending::Launch, title, Job::IntegrationLaunch(self.integration.id.clone())));
        requests
    }

    /// Saves what is not saved yet.
    pub fn flush(&mut self) -> Vec<Request> {
        if self.dirty || self.unsaved.is_some() { vec![self.save()] } else { Vec::new() }
    }

    /// Asks where a file of the integration goes. What is not saved yet is saved first.
    pub fn save_answers(&mut self) -> Vec<Request> {
        let mut requests = self.flush();
        requests.push(Request::SaveAnswers(Of::Integration(self.integration.id.clone()), self.integration.name.clone()));
        requests
    }

    /// Whether everything is on disk.
    #[must_use]
    pub fn saved(&self) -> bool {
        !self.dirty && self.unsaved.is_none() && self.pending.is_empty()
    }

    #[must_use]
    pub fn errors(&self) -> usize {
        self.findings.iter().flatten().filter(|finding| finding.severity == Severity::Error).count()
    }

    /// Takes what concerns this integration.
    pub fn handle(&mut self, event: &Event) -> Option<(Settled, Vec<Request>)> {
        let id = self.integration.id.as_str();
        match event {
            Event::Answer(Answer::IntegrationChanged(saved)) if saved.id == id => match self.pending.pop_front()? {
                Pending::Source => {
                    let own = &mut self.integration;
                    own.credential.clone_from(&saved.credential);
                    own.connector.clone_from(&saved.connector);
                    own.resource.clone_from(&saved.resource);
                    own.kind = saved.kind;
                    own.saas_application.clone_from(&saved.saas_application);
                    own.sync_key.clone_from(&saved.sync_key);
                    self.unsaved = None;
                    Some((Settled::Sourced, self.settle()))
                }
                _ => {
                    self.unsaved = None;
                    self.integration.changed = saved.changed;
                    if self.integration.saas_application.is_none() {
                        self.integration.saas_application.clone_from(&saved.saas_application);
                    }
                    Some((Settled::Saved, self.settle()))
                }
            },
            Event::Answer(Answer::Launched(launched)) if launched.id == id => {
                self.pending.pop_front();
                self.integration.state = launched.state;
                self.integration.launched = launched.launched;
                Some((Settled::Launched, Vec::new()))
            }
            Event::Answer(Answer::Findings { integration, findings }) if integration == id => {
                self.findings = Some(findings.clone());
                Some((Settled::Checked, Vec::new()))
            }
            Event::Failed { key: of, problem } if *of == key(id) => {
                let what = self.pending.pop_front()?;
                let mut requests = Vec::new();
                if what == Pending::Save {
                    self.dirty = true;
                    self.unsaved = Some(problem.clone());
                } else {
                    requests.push(Request::Show(problem.clone()));
                }
                requests.push(Request::Start(check(&self.integration)));
                Some((Settled::Failed, requests))
            }
            Event::Cancelled { key: of } if *of == key(id) => {
                self.pending.pop_front()?;
                Some((Settled::Failed, Vec::new()))
            }
            _ => None,
        }
    }

    /// After a save: the next one when something changed meanwhile, otherwise a check.
    fn settle(&mut self) -> Vec<Request> {
        if self.dirty { vec![self.save()] } else { vec![Request::Start(check(&self.integration))] }
    }
}
