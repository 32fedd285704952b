//! Tasks under way: started, cancelled, and what they report sent to the loop.

use super::effects::{Surroundings, perform};
use super::event_loop::Incoming;
use crate::model::{CancellationToken, Sink};
use crate::ops::Workspace;
use crate::ops::credentials::Consent;
use crate::ops::demo::Demo;
use crate::problem;
use crate::tui::app::effect::{TaskId, TaskSpec};
use crate::tui::app::msg::{Msg, TaskEvent};
use std::collections::HashMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::runtime::Runtime;

pub struct Tasks {
    to: Sender<Incoming>,
    workspace: Workspace,
    demo: Option<Arc<Demo>>,
    /// Made when the first task starts: it is not on the way to the first frame.
    runtime: Option<Runtime>,
    cancels: HashMap<TaskId, CancellationToken>,
    consents: Arc<Mutex<HashMap<TaskId, Arc<Consent>>>>,
}

impl Tasks {
    pub fn new(to: Sender<Incoming>, workspace: Workspace, demo: Option<Arc<Demo>>) -> Self {
        Self { to, workspace, demo, runtime: None, cancels: HashMap::new(), consents: Arc::default() }
    }

    fn runtime(&mut self) -> std::io::Result<&Runtime> {
        if self.runtime.is_none() {
            self.runtime = Some(tokio::runtime::Builder::new_multi_thread().worker_threads(2).thread_name("task").enable_all().build()?);
        }
        Ok(self.runtime.as_ref().expect("just made"))
    }

    pub fn start(&mut self, id: TaskId, spec: TaskSpec) {
        let cancel = CancellationToken::new();
        self.cancels.insert(id, cancel.clone());
        let to = self.to.clone();
        let report = move |event: TaskEvent| {
            let _ = to.send(Incoming::Msg(Msg::Task { id, event }));
        };
        let on_progress = report.clone();
        let sink = Sink::new(throttled(move |progress| on_progress(TaskEvent::Progress(progress))), cancel.clone());
        let consents = self.consents.clone();
        let on_consent = report.clone();
        let around = Surroundings {
            workspace: self.workspace.clone(),
            demo: self.demo.clone(),
            sink,
            on_consent: Box::new(move |consent: &Arc<Consent>, view| {
                consents.lock().unwrap_or_else(PoisonError::into_inner).insert(id, Arc::clone(consent));
                on_consent(TaskEvent::Consent(Box::new(view)));
            }),
        };
        let consents = self.consents.clone();
        let runtime = match self.runtime() {
            Ok(runtime) => runtime,
            Err(error) => return report(TaskEvent::Failed(problem!(Failed, "task.no_runtime", reason = error))),
        };
        // Runs stop by themselves and say what they stored; everything else is dropped where it stands.
        let gentle = matches!(spec.job, crate::tui::app::effect::Job::Run { .. });
        let work = runtime.spawn(perform(spec.job, around));
        runtime.spawn(async move {
            let abort = work.abort_handle();
            let event = tokio::select! {
                ended = work => match ended {
                    Ok(Ok(answer)) => TaskEvent::Done(Box::new(answer)),
                    Ok(Err(problem)) if cancel.is_cancelled() && !gentle => { let _ = problem; TaskEvent::Cancelled }
                    Ok(Err(problem)) => TaskEvent::Failed(problem),
                    Err(error) if error.is_cancelled() => TaskEvent::Cancelled,
                    Err(_) => TaskEvent::Failed(problem!(Failed, "task.panicked")),
                },
                () = cancel.cancelled(), if !gentle => { abort.abort(); TaskEvent::Cancelled }
                () = tokio::time::sleep(spec.deadline) => {
                    abort.abort();
                    TaskEvent::Failed(problem!(Failed, "task.too_long", title = spec.title, seconds = spec.deadline.as_secs()))
                }
            };
            consents.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
            report(event);
        });
    }

    pub fn cancel(&mut self, id: TaskId) {
        if let Some(cancel) = self.cancels.remove(&id) {
            cancel.cancel();
        }
    }

    /// Offers pasted text to a consent; what is wrong with it comes back as an event.
    pub fn offer(&self, id: TaskId, text: &str) {
        let consent = self.consents.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let Some(consent) = consent else { return };
        // Inside the runtime's context: what the offer wakes may want its timers.
        let _entered = self.runtime.as_ref().map(Runtime::enter);
        if let Err(problem) = consent.offer(text) {
            let _ = self.to.send(Incoming::Msg(Msg::Task { id, event: TaskEvent::OfferRefused(problem) }));
        }
    }

    /// Cancels everything and waits a moment, so that runs can say where they stopped.
    pub fn end(mut self) {
        for cancel in self.cancels.values() {
            cancel.cancel();
        }
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_timeout(std::time::Duration::from_millis(1500));
        }
    }
}

/// At most about thirty progress messages a second, and always the first.
fn throttled(send: impl Fn(crate::model::Progress) + Send + Sync + 'static) -> impl Fn(crate::model::Progress) + Send + Sync + 'static {
    let last = Mutex::new(None::<std::time::Instant>);
    move |progress| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_none_or(|at| at.elapsed() >= std::time::Duration::from_millis(33)) {
            *last = Some(std::time::Instant::now());
            send(progress);
        }
    }
}
