//! A run: extract → filter → map → match → load, page by page.
//!
//! Reading and storing overlap: the source fetches and parses ahead, and a thread of its own maps and stores, whole pages in a transaction. What
//! bounds memory is two pages and four bytes a record met. Only one run of an integration happens at a time, in all processes; a run whose
//! process ended in the middle is found by its free lock, marked interrupted, and completed by the next run, which finds what was stored
//! unchanged.

mod load;
mod lock;
mod seen;
mod take;
mod tell;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use crate::mapping::projection::Row;
use crate::model::{CredentialStatus, Integration, Problem, ProblemKind, Run, RunOptions, RunState, Sink, Table, TestOutcome, Time, Value};
use crate::store::{Store, StoreError, runs};
use crate::vendor::source::{Page, Source};
use crate::{problem, t};
use load::{End, Loader};
pub use lock::Lock;
pub use take::Mapping;
pub use tell::{missed, not_started};

/// What is to be run.
pub struct Job {
    pub integration: Integration,
    /// What it writes; the mappings fill the first.
    pub tables: &'static [Table],
    pub options: RunOptions,
    /// The share of its active records, in percent, that one run may deactivate.
    pub share: u8,
}

/// The pages of a read.
pub trait Read: Send {
    /// The next page, or `None` at the end. After an error the read is over, and it was not complete.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Page>, Problem>>;
}

impl Read for Source {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Page>, Problem>> {
        Box::pin(Source::next(self))
    }
}

/// What becomes of a row before it meets the store. For each table of the run, in order, there is a list of fields and one of values.
pub trait Take: Send {
    /// The destination fields that it fills, in the order of the values.
    fn fields(&self) -> Vec<Vec<String>>;
    /// The row is used up by it.
    fn take(&self, row: &mut Row) -> Taken;
}

#[derive(Debug, Clone, PartialEq)]
pub enum Taken {
    /// The filter leaves it out.
    Filtered,
    Values {
        values: Vec<Vec<Value>>,
        /// What the source says; `true` where it says nothing.
        active: bool,
    },
    /// `values` as far as they came: `Null` where they did not.
    Failed { values: Vec<Vec<Value>>, field: Option<String>, message: String },
}

/// An open read and the mapping for its rows.
pub struct Opened {
    pub read: Box<dyn Read>,
    pub take: Box<dyn Take>,
}

/// How often a waiting run looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(500);
/// How long a run may take before its contacts hear of it.
const LONG: Duration = Duration::from_secs(24 * 3600);

/// Runs to the end. `Err` only when no run could be started; a failure afterwards is in the run. `open` connects and compiles; what it
/// reports is the run's failure, too; it may block.
pub async fn run(
    store: &Arc<Store>,
    job: Job,
    open: impl FnOnce(&Run, &Sink) -> Result<Opened, Problem> + Send + 'static,
    sink: &Sink,
) -> Result<Run, Problem> {
    let name = job.integration.name.clone();
    let Some(_lock) = locked(store, &job.integration.id).await? else {
        return Err(problem!(Failed, "engine.busy", integration = name));
    };
    settle(store, &job.integration.id)?;
    let job = Arc::new(job);
    let mut loader = Loader::begin(store, job.clone(), Time::now())?;
    let id = loader.run.run.clone();

    // The run's own token: cancelling it from another process must not cancel what else hangs on the caller's.
    let mut own = sink.clone();
    own.cancel = sink.cancel.child_token();
    let watch = watch(store.clone(), job.clone(), loader.run.clone(), own.clone());
    let work = async {
        let (begun, watched) = (loader.run.clone(), own.clone());
        let opened = match unless_cancelled(&own, blocking(move || open(&begun, &watched))).await {
            None => return Ok((loader, End::Cancelled)),
            Some(opened) => match opened.and_then(|opened| opened) {
                Err(problem) => return Ok((loader, End::Failed(problem))),
                Ok(opened) => opened,
            },
        };
        if let Err(problem) = loader.ready(opened.take) {
            return Ok((loader, End::Failed(problem)));
        }
        transfer(loader, opened.read, &job.options, &own).await
    };
    let outcome = tokio::select! {
        outcome = work => outcome,
        () = watch => unreachable!("the watch ends with the run"),
    };
    let ended = match outcome {
        Ok((loader, end)) => {
            stand(store, &job.integration, &loader.run, &end)?;
            blocking(move || loader.end(end)).await?
        }
        Err(problem) => Err(problem),
    };
    if let Err(problem) = &ended {
        // The journal could not be closed in the ordinary way (a full disk, a panic); say so if that is possible.
        let _ = store.write(|tx| runs::settle(tx, &id, RunState::Failed, Some(problem.clone())));
        if let Ok(Some(run)) = store.read(|connection| runs::get(connection, &id)) {
            return Ok(run);
        }
    }
    ended
}

/// Keeps with the credential what the run has found out about it.
fn stand(store: &Store, integration: &Integration, run: &Run, end: &End) -> Result<(), StoreError> {
    use CredentialStatus::{Expired, NeedsConsent, Refused, Unknown, Untested, Valid};
    if integration.credential.is_empty() {
        return Ok(());
    }
    let Some(known) = store.credential(&integration.credential)? else { return Ok(()) };
    match (end, known.status) {
        // Where the tokens are kept, more may be known: that consent is needed, or that something has expired.
        (End::Refused(problem), Untested | Valid | Unknown | Refused) => {
            let now = Time::now();
            let outcome = TestOutcome {
                ok: false,
                at: now,
                request: t!("engine.run_request", integration = integration.name),
                status: None,
                milliseconds: 0,
                proves: String::new(),
                problem: Some(problem.clone()),
            };
            store.change_credential(&known.id, |credential| {
                credential.status = Refused;
                credential.last_test = Some(outcome);
            })?;
        }
        (End::Complete | End::Limited, Untested | Unknown | Refused | Expired | NeedsConsent) if run.pages > 0 => {
            store.change_credential(&known.id, |credential| credential.status = Valid)?;
        }
        _ => {}
    }
    Ok(())
}

/// Only one process at a time stays to run what is due, while it holds this; `None` when another does.
pub fn only_scheduler(store: &Store) -> Result<Option<Lock>, StoreError> {
    Ok(lock::take(store.dir(), "schedule")?)
}

/// Waits a moment for a lock that somebody holds only to look at it.
async fn locked(store: &Store, integration: &str) -> Result<Option<Lock>, Problem> {
    for _ in 0..20 {
        if let Some(lock) = lock::take(store.dir(), integration).map_err(StoreError::from)? {
            return Ok(Some(lock));
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(None)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| problem!(Failed, "engine.panicked", reason = crate::words::clean::line(&error.to_string(), 200)))
}

async fn unless_cancelled<T>(sink: &Sink, work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        biased;
        () = sink.cancel.cancelled() => None,
        value = work => Some(value),
    }
}

/// Looks out for a wish to cancel from another process, and for a run that does not end.
async fn watch(store: Arc<Store>, job: Arc<Job>, run: Run, sink: Sink) {
    let started = tokio::time::Instant::now();
    let mut long = false;
    loop {
        tokio::time::sleep(LOOK).await;
        if store.read(|connection| runs::cancel_requested(connection, &run.run)).unwrap_or(false) {
            sink.cancel.cancel();
        }
        if !long && started.elapsed() > LONG {
            long = true;
            let _ = store.write(|tx| tell::long(tx, &job.integration, &run));
        }
    }
}

/// Moves pages from the read to the loader until one of them is done.
async fn transfer(loader: Loader, mut read: Box<dyn Read>, options: &RunOptions, sink: &Sink) -> Result<(Loader, End), Problem> {
    // Whoever was not asked for is not missing.
    let (limit, partial) = (options.limit, options.limit.is_some() || options.since.is_some());
    // One page waits while one is stored.
    let (pages, mut queue) = mpsc::channel::<Page>(1);
    let watched = sink.clone();
    let stored = blocking(move || {
        let mut loader = loader;
        loop {
            let page = match queue.try_recv() {
                Ok(page) => page,
                Err(mpsc::error::TryRecvError::Disconnected) => return (loader, None),
                Err(mpsc::error::TryRecvError::Empty) => {
                    loader.waited();
                    let Some(page) = queue.blocking_recv() else { return (loader, None) };
                    page
                }
            };
            // What is not there yet is not waited for with an open transaction.
            let next = || if watched.cancelled() { None } else { queue.try_recv().ok() };
            if let Err(problem) = loader.pages(page, next, &watched) {
                return (loader, Some(End::Failed(problem)));
            }
            if watched.cancelled() || loader.cancel_requested() {
                return (loader, Some(End::Cancelled));
            }
        }
    });
    let reading = async move {
        let mut left = limit.unwrap_or(u64::MAX);
        loop {
            if left == 0 {
                return End::Limited;
            }
            let mut page = match unless_cancelled(sink, read.next()).await {
                None => return End::Cancelled,
                Some(Err(_)) if sink.cancelled() => return End::Cancelled,
                Some(Err(problem)) if problem.kind == ProblemKind::PersonMustAct => return End::Refused(problem),
                Some(Err(problem)) => return End::Failed(problem),
                Some(Ok(None)) => return if partial { End::Limited } else { End::Complete },
                Some(Ok(Some(page))) => page,
            };
            cut(&mut page, left);
            left -= (page.rows.len() + page.bad.len()) as u64;
            if pages.send(page).await.is_err() {
                // The loader has ended by itself and knows why.
                return End::Cancelled;
            }
        }
    };
    let (stored, end) = tokio::join!(stored, reading);
    let (loader, own_end) = stored?;
    Ok((loader, own_end.unwrap_or(end)))
}

/// Leaves the first so many records of a page, in the order of the read.
fn cut(page: &mut Page, left: u64) {
    let count = (page.rows.len() + page.bad.len()) as u64;
    if count <= left {
        return;
    }
    let mut numbers: Vec<u64> = page.rows.iter().map(|row| row.number).chain(page.bad.iter().map(|bad| bad.number)).collect();
    numbers.sort_unstable();
    let first_left_out = numbers[usize::try_from(left).unwrap_or(usize::MAX).min(numbers.len() - 1)];
    page.rows.retain(|row| row.number < first_left_out);
    page.bad.retain(|bad| bad.number < first_left_out);
}

/// Marks as interrupted what is marked as running though its process has ended. The caller holds the integration's lock.
fn settle(store: &Store, integration: &str) -> Result<(), StoreError> {
    let left = store.read(|connection| runs::running(connection, Some(integration)))?;
    if left.is_empty() {
        return Ok(());
    }
    store.write(|tx| {
        for run in &left {
            let problem = problem!(Failed, "engine.interrupted", integration = run.integration_name);
            if let Some(run) = runs::settle(tx, &run.run, RunState::Interrupted, Some(problem))?
                && !run.dry_run
            {
                tell::interrupted(tx, &runs::contacts(tx, integration)?, &run)?;
            }
        }
        Ok(())
    })
}

/// Looks at every run that is marked as running, and marks as interrupted those whose process has ended. Cheap when nothing runs.
pub fn sweep(store: &Store) -> Result<(), StoreError> {
    for run in store.read(|connection| runs::running(connection, None))? {
        if let Some(_lock) = lock::take(store.dir(), &run.integration)? {
            settle(store, &run.integration)?;
        }
    }
    Ok(())
}
