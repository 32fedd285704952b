//! Tasks as the state sees them: what runs, what waits, how far it is.

use super::effect::{Effect, Effects, Job, Policy, TaskId, TaskSpec};
use crate::model::{Progress, Time};
use std::time::Duration;

#[derive(Debug, Default)]
pub struct Tasks {
    next: TaskId,
    pub running: Vec<Running>,
    waiting: Vec<TaskSpec>,
}

#[derive(Debug)]
pub struct Running {
    pub id: TaskId,
    pub key: String,
    /// Empty for quick reads, which people need not see.
    pub title: String,
    pub started: Time,
    /// It keeps what a person did: the console does not end before it has.
    pub writes: bool,
    pub progress: Option<Progress>,
    /// A person has to do something elsewhere: nothing moves here meanwhile, so nothing turns.
    pub waits: bool,
}

/// How long a quick read may take, and anything that goes over the network.
pub const QUICK: Duration = Duration::from_secs(30);
pub const NETWORK: Duration = Duration::from_secs(120);
/// Consent waits for a person; a run takes as long as the vendor has records.
pub const LONG: Duration = Duration::from_secs(24 * 3600);

impl Tasks {
    /// Starts a task by its policy. `None` when an exclusive one is already under way.
    pub fn start(&mut self, spec: TaskSpec, now: Time) -> Option<Effects> {
        let busy = self.running.iter().any(|task| task.key == spec.key);
        let mut effects = Vec::new();
        match spec.policy {
            Policy::Exclusive if busy => return None,
            Policy::Queue if busy => {
                self.waiting.push(spec);
                return Some(effects);
            }
            Policy::Latest => {
                for task in self.running.extract_if(.., |task| task.key == spec.key) {
                    effects.push(Effect::Cancel(task.id));
                }
            }
            Policy::Exclusive | Policy::Queue => {}
        }
        effects.push(self.launch(spec, now));
        Some(effects)
    }

    fn launch(&mut self, spec: TaskSpec, now: Time) -> Effect {
        self.next += 1;
        self.running.push(Running {
            id: self.next,
            key: spec.key.clone(),
            title: spec.title.clone(),
            started: now,
            writes: spec.policy == Policy::Queue,
            progress: None,
            waits: false,
        });
        Effect::Start { id: self.next, spec: Box::new(spec) }
    }

    /// Whether an answer is still wanted.
    #[must_use]
    pub fn is_current(&self, id: TaskId) -> bool {
        self.running.iter().any(|task| task.id == id)
    }

    #[must_use]
    pub fn find(&self, key: &str) -> Option<&Running> {
        self.running.iter().find(|task| task.key == key)
    }

    pub fn progress(&mut self, id: TaskId, progress: Progress) {
        if let Some(task) = self.running.iter_mut().find(|task| task.id == id) {
            task.progress = Some(progress);
        }
    }

    /// From now on it waits for a person.
    pub fn waits(&mut self, id: TaskId) {
        if let Some(task) = self.running.iter_mut().find(|task| task.id == id) {
            task.waits = true;
        }
    }

    /// Takes an ended task off the list, and starts the next of its key that waits.
    pub fn end(&mut self, id: TaskId, now: Time) -> Effects {
        let Some(place) = self.running.iter().position(|task| task.id == id) else { return Vec::new() };
        let key = self.running.remove(place).key;
        match self.waiting.iter().position(|spec| spec.key == key) {
            Some(next) => {
                let spec = self.waiting.remove(next);
                vec![self.launch(spec, now)]
            }
            None => Vec::new(),
        }
    }

    /// Cancels the task of a key; its answer is dropped.
    pub fn cancel(&mut self, key: &str) -> Effects {
        self.waiting.retain(|spec| spec.key != key);
        self.running.extract_if(.., |task| task.key == key).map(|task| Effect::Cancel(task.id)).collect()
    }

    /// Whether something that a person did is still being kept.
    #[must_use]
    pub fn writing(&self) -> bool {
        !self.waiting.is_empty() || self.running.iter().any(|task| task.writes)
    }

    /// Asks the task of a key to stop, and still wants to hear how it ended: a run says what it stored.
    #[must_use]
    pub fn cancel_visibly(&self, key: &str) -> Effects {
        self.running.iter().filter(|task| task.key == key).map(|task| Effect::Cancel(task.id)).collect()
    }

    /// Those that people see.
    pub fn visible(&self) -> impl Iterator<Item = &Running> {
        self.running.iter().filter(|task| !task.title.is_empty())
    }
}

/// A quick read whose newest answer counts.
#[must_use]
pub fn read(key: &str, job: Job) -> TaskSpec {
    TaskSpec { key: key.to_owned(), policy: Policy::Latest, title: String::new(), deadline: QUICK, job }
}

/// A write: in the order in which it was asked for.
#[must_use]
pub fn write(key: &str, job: Job) -> TaskSpec {
    TaskSpec { key: key.to_owned(), policy: Policy::Queue, title: String::new(), deadline: QUICK, job }
}

/// Something over the network that people watch.
#[must_use]
pub fn watched(key: &str, title: impl Into<String>, deadline: Duration, job: Job) -> TaskSpec {
    TaskSpec { key: key.to_owned(), policy: Policy::Exclusive, title: title.into(), deadline, job }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(effects: &[Effect]) -> TaskId {
        match effects.last() {
            Some(Effect::Start { id, .. }) => *id,
            other => panic!("not started: {other:?}"),
        }
    }

    #[test]
    fn the_latest_read_wins() {
        let mut tasks = Tasks::default();
        let first = id(&tasks.start(read("a", Job::LoadOverview), Time::UNIX_EPOCH).unwrap());
        let effects = tasks.start(read("a", Job::LoadOverview), Time::UNIX_EPOCH).unwrap();
        assert_eq!(effects[0], Effect::Cancel(first));
        assert!(!tasks.is_current(first));
        assert!(tasks.is_current(id(&effects)));
    }

    #[test]
    fn writes_wait_for_each_other() {
        let mut tasks = Tasks::default();
        let first = id(&tasks.start(write("a", Job::LoadOverview), Time::UNIX_EPOCH).unwrap());
        assert!(tasks.start(write("a", Job::LoadNotices), Time::UNIX_EPOCH).unwrap().is_empty());
        let effects = tasks.end(first, Time::UNIX_EPOCH);
        assert!(matches!(&effects[..], [Effect::Start { spec, .. }] if spec.job == Job::LoadNotices));
    }

    #[test]
    fn an_exclusive_task_refuses_a_second_one() {
        let mut tasks = Tasks::default();
        assert!(tasks.start(watched("a", "x", QUICK, Job::LoadOverview), Time::UNIX_EPOCH).is_some());
        assert!(tasks.start(watched("a", "x", QUICK, Job::LoadOverview), Time::UNIX_EPOCH).is_none());
    }
}
