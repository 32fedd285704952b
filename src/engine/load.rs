//! The storing half of a run: takes pages of rows, maps them, finds what is already there, and stores the difference.
//!
//! A transaction holds whole pages: their records, their errors, and the run's row with the counts that include them. Whatever ends the
//! process, the database holds whole pages, and a journal that says which. Pages that are there already share a transaction, for a fraction
//! of a second at most: what is written twice in it (the index, most of all) goes to the disk once. A rehearsal goes the same way and stores only the journal.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::BuildHasher as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::seen::Seen;
use super::{Job, Take, Taken, tell};
use crate::mapping::compile::SAAS;
use crate::mapping::projection::Row;
use crate::model::{Mapped, Preference, Problem, Progress, RecordError, Run, RunState, Sink, Table, Time, Value};
use crate::store::inventory::{self, Found, Match, Page as Statements, Target};
use crate::store::runs::{self, ERRORS_KEPT};
use crate::store::{Bulk, Store, StoreError};
use crate::vendor::source::Page;
use crate::words::{self, clean};
use crate::{problem, t};

/// Deactivating up to so many never needs leave.
const FEW: u64 = 10;
/// After so long of one transaction upon the other, others get a turn.
const TURN: Duration = Duration::from_millis(50);
/// So long a transaction stays open for more pages, and for so many records.
const BATCH: Duration = Duration::from_millis(100);
const BATCH_RECORDS: u64 = 10_000;

/// How the reading ended.
pub(super) enum End {
    /// Everything there is was read.
    Complete,
    /// As much as was asked for.
    Limited,
    Cancelled,
    Failed(Problem),
    /// The vendor does not accept the credential.
    Refused(Problem),
}

/// What became of one record.
enum Done {
    Filtered,
    Created,
    Updated,
    Unchanged,
    Reactivated,
    Skipped,
}

/// One table of a run: what is written there, and what was met.
struct Side {
    target: Target,
    seen: Seen,
    /// Active records that this run added: they were not there before it.
    fresh: u64,
    /// Keys that a rehearsal would have added, for duplicates: hash of the key without case, place in the read.
    rehearsed: HashMap<u64, u64>,
    /// Whether each record that the source has, taken or not, is known by its key.
    all_known: bool,
}

pub(super) struct Loader {
    bulk: Bulk,
    job: Arc<Job>,
    pub(super) run: Run,
    map: Option<Box<dyn Take>>,
    sides: Vec<Side>,
    errors: u64,
    first_error: Option<RecordError>,
    started: Instant,
    reported: Option<Instant>,
    turn: Instant,
}

impl Loader {
    /// Begins the journal.
    pub(super) fn begin(store: &Store, job: Arc<Job>, started: Time) -> Result<Self, StoreError> {
        let mut run = Run::begin(&job.integration.id, &job.integration.name, started, job.options.dry_run);
        run.run = crate::store::id::fresh("run");
        let mut bulk = store.bulk()?;
        bulk.write(|tx| runs::insert(tx, &run))?;
        let now = Instant::now();
        Ok(Self { bulk, job, run, map: None, sides: Vec::new(), errors: 0, first_error: None, started: now, reported: None, turn: now })
    }

    /// Prepares the tables for what the mapping fills.
    pub(super) fn ready(&mut self, map: Box<dyn Take>) -> Result<(), Problem> {
        let (job, run) = (&self.job, &self.run.run);
        let integration = &job.integration;
        let all = map.fields();
        let user_name = ["user_name".to_owned()];
        let sync_of = |table| if table == Table::SaasUsers { &user_name[..] } else { &integration.sync_key[..] };
        for (&table, fields) in job.tables.iter().zip(&all) {
            let unmapped = sync_of(table).iter().find(|key| !fields.contains(key));
            if let Some(field) = unmapped.cloned().or_else(|| sync_of(table).is_empty().then(String::new)) {
                return Err(problem!(Failed, "engine.sync_key_unmapped", integration = integration.name, field = field, table = table.key()));
            }
        }
        let mut sides = Vec::new();
        self.bulk.write(|tx| {
            for (&table, fields) in job.tables.iter().zip(&all) {
                let application = match table {
                    Table::SaasUsers => Some(integration.saas_application.as_deref().unwrap_or(&integration.name)),
                    _ => None,
                };
                if let Some(application) = application.filter(|_| !job.options.dry_run) {
                    inventory::ensure_application(tx, application, &integration.id)?;
                }
                let target = Target::new(tx, table, application, &integration.id, run, fields, sync_of(table), &tracked(job, table))?;
                sides.push(Side { target, seen: Seen::default(), fresh: 0, rehearsed: HashMap::new(), all_known: true });
            }
            Ok(())
        })?;
        self.sides = sides;
        self.map = Some(map);
        Ok(())
    }

    /// Whether somebody asked for the end from elsewhere.
    pub(super) fn cancel_requested(&self) -> bool {
        self.bulk.read(|connection| runs::cancel_requested(connection, &self.run.run)).unwrap_or(false)
    }

    /// Stores a page and those that `next` has ready behind it, all of them or nothing.
    pub(super) fn pages(&mut self, first: Page, next: impl FnMut() -> Option<Page>, sink: &Sink) -> Result<(), Problem> {
        let before = self.run.clone();
        let kept = self.errors;
        match self.stored(first, next) {
            Ok(total) => self.report(total, sink),
            Err(error) => {
                self.run = before;
                self.errors = kept;
                return Err(error.into());
            }
        }
        if self.turn.elapsed() > TURN {
            // Whoever waits to write looks every millisecond, and would else wait for the whole run.
            std::thread::sleep(Duration::from_millis(2));
            self.turn = Instant::now();
        }
        Ok(())
    }

    /// Says that the reader had to be waited for, so that others had their turn.
    pub(super) fn waited(&mut self) {
        self.turn = Instant::now();
    }

    /// Returns how many records there are in all, where that is known.
    fn stored(&mut self, first: Page, mut next: impl FnMut() -> Option<Page>) -> Result<Option<u64>, StoreError> {
        let Self { bulk, job, run, map, sides, errors, first_error, .. } = self;
        let map = map.as_deref().ok_or_else(|| std::io::Error::other("the run was not prepared"))?;
        let (begun, before) = (Instant::now(), run.read);
        bulk.write(|tx| {
            let mut note = |run: &mut Run, error: RecordError| -> Result<(), StoreError> {
                // Keys and messages may quote what the vendor sent.
                let (key, message) = (clean::line(&error.key, 200), clean::line(&error.message, 300));
                let error = RecordError { key, message, ..error };
                run.failed += 1;
                if *errors < ERRORS_KEPT {
                    *errors += 1;
                    runs::add_error(tx, &run.run, &error)?;
                }
                first_error.get_or_insert(error);
                Ok(())
            };
            let mut targets = Vec::with_capacity(sides.len());
            for Side { target, seen, fresh, rehearsed, all_known } in sides.iter_mut() {
                let statements = target.page(tx)?;
                targets.push(Open { target: &*target, statements, seen, fresh, rehearsed, all_known });
            }
            let (mut page, mut total) = (Some(first), None);
            while let Some(Page { rows, bad, total: told, bytes, requests }) = page {
                total = told;
                run.pages += 1;
                run.requests += requests;
                run.bytes += bytes;
                run.read += (rows.len() + bad.len()) as u64;
                for bad in bad {
                    // What could not even be read has no key.
                    targets.iter_mut().for_each(|side| *side.all_known = false);
                    note(run, bad)?;
                }
                for mut row in rows {
                    let number = row.number;
                    match record(job, map, &mut targets, &mut row)? {
                        Ok(done) => match done {
                            Done::Filtered => run.filtered += 1,
                            Done::Created => run.created += 1,
                            Done::Updated => run.updated += 1,
                            Done::Unchanged => run.unchanged += 1,
                            Done::Reactivated => run.reactivated += 1,
                            Done::Skipped => run.skipped += 1,
                        },
                        Err(Fault { key, field, message }) => note(run, RecordError { number, key, field, message })?,
                    }
                }
                let full = run.read - before >= BATCH_RECORDS || begun.elapsed() >= BATCH;
                page = if full { None } else { next() };
            }
            drop(targets);
            runs::update(tx, run)?;
            Ok(total)
        })
    }

    #[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "estimates for people")]
    fn report(&mut self, total: Option<u64>, sink: &Sink) {
        if self.reported.is_some_and(|last| last.elapsed() < Duration::from_millis(50)) {
            return;
        }
        self.reported = Some(Instant::now());
        let seconds = self.started.elapsed().as_secs_f64().max(0.001);
        let rate = self.run.read as f64 / seconds;
        let total = self.job.options.limit.map_or(total, |limit| Some(total.map_or(limit, |total| total.min(limit))));
        let seconds_left = total.map(|total| (total.saturating_sub(self.run.read) as f64 / rate.max(0.001)).round() as u64);
        let doing = t!("engine.doing.reading", page = words::number(self.run.pages + 1));
        sink.report(Progress { doing, records: self.run.read, pages: self.run.pages, total, rate, seconds_left });
    }

    /// Ends the run: deactivates what is gone, where that is due, and closes the journal in one durable transaction.
    pub(super) fn end(mut self, end: End) -> Result<Run, Problem> {
        self.run.ended = Some(Time::now());
        let mut gone = Vec::new();
        match end {
            End::Failed(problem) | End::Refused(problem) => {
                self.run.state = RunState::Failed;
                self.run.problem = Some(problem);
            }
            End::Cancelled => self.run.state = RunState::Cancelled,
            End::Limited => self.run.state = self.judged(),
            End::Complete => {
                self.run.state = self.judged();
                if self.job.integration.deactivate && self.run.state != RunState::Failed {
                    match self.missing()? {
                        Ok(missing) => gone = missing,
                        Err(problem) => {
                            self.run.state = RunState::Partial;
                            self.run.problem = Some(problem);
                        }
                    }
                }
            }
        }
        // A person and their SaaS user leave together, and count as one.
        self.run.deactivated = gone.iter().map(|ids| ids.len() as u64).max().unwrap_or(0);
        self.bulk.durable()?;
        let Self { bulk, job, run, sides, .. } = &mut self;
        bulk.write(|tx| {
            if !run.dry_run {
                for (side, ids) in sides.iter().zip(&gone) {
                    for id in ids {
                        side.target.deactivate(tx, *id)?;
                    }
                }
                tell::ended(tx, &job.integration, run)?;
                runs::note_last(tx, run)?;
            }
            runs::update(tx, run)?;
            runs::prune(tx, &job.integration.id)
        })?;
        Ok(self.run)
    }

    /// The state of a run that read what it was to read.
    fn judged(&mut self) -> RunState {
        let Run { read, filtered, failed, .. } = self.run;
        match &self.first_error {
            _ if failed == 0 => RunState::Succeeded,
            Some(first) if failed == read - filtered => {
                let problem = problem!(Failed, "engine.nothing_taken", count = words::number(failed), number = first.number, message = first.message);
                self.run.problem = Some(problem);
                RunState::Failed
            }
            _ => RunState::Partial,
        }
    }

    /// The records, by side, that the source no longer has or calls inactive; or why nobody is deactivated.
    fn missing(&self) -> Result<Result<Vec<Vec<i64>>, Problem>, StoreError> {
        let mut all = Vec::new();
        for side in &self.sides {
            let (mut active, mut gone) = (0_u64, Vec::new());
            self.bulk.read(|connection| {
                side.target.each_own_active(connection, |id| {
                    active += 1;
                    if !side.seen.alive(id) {
                        gone.push(id);
                    }
                })
            })?;
            if gone.is_empty() {
                all.push(gone);
                continue;
            }
            let name = &self.job.integration.name;
            if self.run.read == self.run.filtered {
                return Ok(Err(problem!(PersonMustAct, "engine.came_back_empty", integration = name)));
            }
            if !side.all_known {
                return Ok(Err(problem!(Partial, "engine.unknown_keys", integration = name, count = words::number(self.run.failed))));
            }
            let before = if self.run.dry_run { active } else { active.saturating_sub(side.fresh) };
            let count = gone.len() as u64;
            if count > FEW && count * 100 > before * u64::from(self.job.share) {
                let problem = problem!(
                    PersonMustAct,
                    "engine.too_many_gone",
                    integration = name,
                    count = words::number(count),
                    total = words::number(before),
                    share = self.job.share,
                    needed = (count * 100).div_ceil(before.max(1)).min(100)
                );
                return Ok(Err(problem));
            }
            all.push(gone);
        }
        Ok(Ok(all))
    }
}

/// A [`Side`] within a transaction.
struct Open<'t> {
    target: &'t Target,
    statements: Statements<'t>,
    seen: &'t mut Seen,
    fresh: &'t mut u64,
    rehearsed: &'t mut HashMap<u64, u64>,
    all_known: &'t mut bool,
}

/// Why a record was not taken.
struct Fault {
    key: String,
    field: Option<String>,
    message: String,
}

/// The fields that change with every run because they say when it was: they are stored, but their change is none.
fn tracked(job: &Job, table: Table) -> Vec<String> {
    let all = job.integration.mappings.iter().filter(|mapping| mapping.from == Mapped::SyncTime);
    let of_saas = |field: &str| field.strip_prefix(SAAS).map(str::to_owned);
    all.filter_map(|mapping| if table == Table::SaasUsers { of_saas(&mapping.field) } else { Some(mapping.field.clone()) }).collect()
}

fn record(job: &Job, map: &dyn Take, sides: &mut [Open<'_>], row: &mut Row) -> Result<Result<Done, Fault>, StoreError> {
    let (values, alive) = match map.take(row) {
        Taken::Filtered => return Ok(Ok(Done::Filtered)),
        Taken::Failed { values, field, message } => {
            let key = protect(sides, &values)?;
            return Ok(Err(Fault { key: key.unwrap_or_default(), field, message }));
        }
        Taken::Values { values, active } => (values, active),
    };
    let mut done = Done::Unchanged;
    for i in 0..sides.len().min(values.len()) {
        match sides[i].store(job, row.number, &values[i], alive)? {
            Ok(own) if i == 0 => done = own,
            // What changed with either is a change of the record.
            Ok(Done::Reactivated) if matches!(done, Done::Unchanged | Done::Updated) => done = Done::Reactivated,
            Ok(Done::Created | Done::Updated) if matches!(done, Done::Unchanged) => done = Done::Updated,
            Ok(_) => {}
            Err(fault) => {
                // The other tables have not met it, though the source has it.
                protect(&mut sides[i + 1..], &values[i + 1..])?;
                return Ok(Err(fault));
            }
        }
    }
    Ok(Ok(done))
}

/// Keeps a record that could not be taken from being missed: marks what is stored of it. Returns its key, where it has one.
fn protect(sides: &mut [Open<'_>], values: &[Vec<Value>]) -> Result<Option<String>, StoreError> {
    let mut name = None;
    for (side, values) in sides.iter_mut().zip(values) {
        let Some(key) = side.target.key(values) else {
            *side.all_known = false;
            continue;
        };
        match side.statements.find(values)? {
            Match::One(found) => side.seen.keep(found.id),
            Match::Several => *side.all_known = false,
            Match::None => {}
        }
        name.get_or_insert_with(|| key.into_owned());
    }
    Ok(name)
}

impl Open<'_> {
    fn store(&mut self, job: &Job, number: u64, values: &[Value], alive: bool) -> Result<Result<Done, Fault>, StoreError> {
        let Some(key) = self.target.key(values) else {
            *self.all_known = false;
            let fields = self.target.sync_key().join(", ");
            return Ok(Err(Fault {
                key: String::new(),
                field: self.target.sync_key().first().cloned(),
                message: t!("engine.record.no_key", fields = fields),
            }));
        };
        let fault = |key: Cow<'_, str>, message| Ok(Err(Fault { key: key.into_owned(), field: None, message }));
        match self.statements.find(values)? {
            Match::Several => {
                *self.all_known = false;
                fault(key, t!("engine.record.several").to_owned())
            }
            Match::One(found) => {
                if let Some(first) = self.seen.taken_by(found.id) {
                    return fault(key, t!("engine.record.duplicate", first = first));
                }
                self.known(job, number, values, alive, &found)
            }
            Match::None if job.integration.preference == Preference::UpdateOnly => Ok(Ok(Done::Skipped)),
            Match::None => {
                // Activity is managed only by an integration that deactivates; elsewhere everybody is active.
                let active = alive || !job.integration.deactivate;
                if job.options.dry_run {
                    // Two keys with one hash are as likely as a fault of the memory.
                    let hash = self.rehearsed.hasher().hash_one(key.to_ascii_lowercase());
                    if let Some(first) = self.rehearsed.get(&hash) {
                        return fault(key, t!("engine.record.duplicate", first = *first));
                    }
                    self.rehearsed.insert(hash, number);
                    return Ok(Ok(Done::Created));
                }
                let id = self.statements.insert(&key, values, active)?;
                self.seen.take(id, number, alive);
                *self.fresh += u64::from(active);
                Ok(Ok(Done::Created))
            }
        }
    }

    fn known(&mut self, job: &Job, number: u64, values: &[Value], alive: bool, found: &Found) -> Result<Result<Done, Fault>, StoreError> {
        self.seen.take(found.id, number, alive);
        if job.integration.preference == Preference::CreateOnly {
            return Ok(Ok(Done::Skipped));
        }
        let back = job.integration.deactivate && found.own && alive && !found.active;
        if !back && found.same {
            if !job.options.dry_run {
                self.statements.track(found, values)?;
            }
            return Ok(Ok(Done::Unchanged));
        }
        if !job.options.dry_run {
            self.statements.update(found, values, found.active || back)?;
        }
        *self.fresh += u64::from(back && !job.options.dry_run);
        Ok(Ok(if back { Done::Reactivated } else { Done::Updated }))
    }
}
