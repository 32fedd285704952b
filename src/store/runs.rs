//! The journal: one row a run, updated in the transaction of each page that it describes.

use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::StoreError;
use crate::model::{RecordError, Run, RunState};

/// At most this many errors of a run are kept; all are counted.
pub const ERRORS_KEPT: u64 = 10_000;
/// Of each integration, so many runs are kept, and the errors of so many.
const RUNS_KEPT: u32 = 1_000;
const RUNS_WITH_ERRORS: u32 = 30;

fn state(run: &Run) -> Result<String, StoreError> {
    // The name of the state, without its quotes.
    Ok(serde_json::to_value(run.state)?.as_str().unwrap_or_default().to_owned())
}

pub fn insert(transaction: &Transaction<'_>, run: &Run) -> Result<(), StoreError> {
    transaction.execute(
        "insert into runs (id, integration, started, state, doc) values (?, ?, ?, ?, ?)",
        params![run.run, run.integration, sortable(run), state(run)?, serde_json::to_string(run)?],
    )?;
    Ok(())
}

/// RFC 3339 with all of its digits, so that the order of the texts is the order of time.
fn sortable(run: &Run) -> String {
    format!("{:.6}", run.started)
}

pub fn update(transaction: &Transaction<'_>, run: &Run) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached("update runs set state = ?, doc = ? where id = ?")?;
    statement.execute(params![state(run)?, serde_json::to_string(run)?, run.run])?;
    Ok(())
}

fn parsed(row: &Row<'_>) -> rusqlite::Result<serde_json::Result<Run>> {
    Ok(serde_json::from_str(row.get_ref(0)?.as_str()?))
}

fn all(connection: &Connection, sql: &str, values: impl rusqlite::Params) -> Result<Vec<Run>, StoreError> {
    let mut statement = connection.prepare_cached(sql)?;
    let mut runs = Vec::new();
    for run in statement.query_map(values, parsed)? {
        runs.push(run??);
    }
    Ok(runs)
}

pub fn get(connection: &Connection, id: &str) -> Result<Option<Run>, StoreError> {
    Ok(connection.query_row("select doc from runs where id = ?", [id], parsed).optional()?.transpose()?)
}

/// Newest first, of one integration (by id) or of all.
pub fn list(connection: &Connection, integration: Option<&str>, limit: usize) -> Result<Vec<Run>, StoreError> {
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    match integration {
        Some(id) => all(connection, "select doc from runs where integration = ? order by started desc, rowid desc limit ?", params![id, limit]),
        None => all(connection, "select doc from runs order by started desc, rowid desc limit ?", params![limit]),
    }
}

/// The last run of an integration that was not a rehearsal.
pub fn last(connection: &Connection, integration: &str) -> Result<Option<Run>, StoreError> {
    let sql = "select doc from runs where integration = ? and json_extract(doc, '$.dry_run') = 0 order by started desc, rowid desc limit 1";
    Ok(all(connection, sql, [integration])?.pop())
}

/// Runs that are marked as running, whether or not their process still lives.
pub fn running(connection: &Connection, integration: Option<&str>) -> Result<Vec<Run>, StoreError> {
    match integration {
        Some(id) => all(connection, "select doc from runs where integration = ? and state = 'running' order by started", params![id]),
        None => all(connection, "select doc from runs where state = 'running' order by started", []),
    }
}

/// Marks a run that is marked as running as ended in another way, unless it ended meanwhile. Returns whether it was marked.
pub fn settle(transaction: &Transaction<'_>, id: &str, as_: RunState, problem: Option<crate::model::Problem>) -> Result<Option<Run>, StoreError> {
    let Some(mut run) = get(transaction, id)?.filter(|run| run.state == RunState::Running) else { return Ok(None) };
    run.state = as_;
    run.ended = Some(crate::model::Time::now());
    run.problem = problem;
    update(transaction, &run)?;
    Ok(Some(run))
}

pub fn request_cancel(transaction: &Transaction<'_>, id: &str) -> Result<bool, StoreError> {
    Ok(transaction.execute("update runs set cancel = 1 where id = ? and state = 'running'", [id])? > 0)
}

pub fn cancel_requested(connection: &Connection, id: &str) -> Result<bool, StoreError> {
    Ok(connection.prepare_cached("select cancel from runs where id = ?")?.query_row([id], |row| row.get(0)).optional()?.unwrap_or(false))
}

pub fn add_error(transaction: &Transaction<'_>, run: &str, error: &RecordError) -> Result<(), StoreError> {
    let mut statement = transaction.prepare_cached("insert into run_errors (run, number, key, field, message) values (?, ?, ?, ?, ?)")?;
    statement.execute(params![run, i64::try_from(error.number).unwrap_or(i64::MAX), error.key, error.field, error.message])?;
    Ok(())
}

/// By place in the read.
pub fn errors(connection: &Connection, run: &str, offset: u64, limit: u64) -> Result<Vec<RecordError>, StoreError> {
    let mut statement =
        connection.prepare_cached("select number, key, field, message from run_errors where run = ? order by number, rowid limit ? offset ?")?;
    let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let rows = statement.query_map(params![run, clamp(limit), clamp(offset)], |row| {
        Ok(RecordError { number: row.get::<_, i64>(0)?.unsigned_abs(), key: row.get(1)?, field: row.get(2)?, message: row.get(3)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Keeps the name and the state of the last run with its integration, for lists.
pub fn note_last(transaction: &Transaction<'_>, run: &Run) -> Result<(), StoreError> {
    let text = format!("{} {}", run.run, state(run)?);
    transaction.execute("update integrations set doc = json_set(doc, '$.last_run', ?) where id = ?", params![text, run.integration])?;
    Ok(())
}

/// The contacts of an integration; none when it is gone.
pub fn contacts(connection: &Connection, integration: &str) -> Result<Vec<String>, StoreError> {
    let sql = "select doc ->> '$.contacts' from integrations where id = ?";
    let found: Option<Option<String>> = connection.query_row(sql, [integration], |row| row.get(0)).optional()?;
    Ok(found.flatten().map(|list| serde_json::from_str(&list)).transpose()?.unwrap_or_default())
}

/// Forgets what is old of an integration's history, so that a run every few minutes does not fill the disk.
pub fn prune(transaction: &Transaction<'_>, integration: &str) -> Result<(), StoreError> {
    // Only what has become too old since the last time is there to be deleted.
    let old = "select id from runs where integration = ?1 and state <> 'running' order by started desc, rowid desc limit -1 offset ?2";
    let mut errors = transaction.prepare_cached(&format!("delete from run_errors where run in ({old})"))?;
    errors.execute(params![integration, RUNS_WITH_ERRORS])?;
    transaction.prepare_cached(&format!("delete from runs where id in ({old})"))?.execute(params![integration, RUNS_KEPT])?;
    Ok(())
}

/// Forgets the history of an integration.
pub fn forget(transaction: &Transaction<'_>, integration: &str) -> Result<(), StoreError> {
    transaction.execute("delete from run_errors where run in (select id from runs where integration = ?)", [integration])?;
    transaction.execute("delete from runs where integration = ?", [integration])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;
    use crate::store::Store;

    fn run(id: &str, integration: &str, started: i64) -> Run {
        let started = Time::from_second(started).unwrap();
        Run { run: id.to_owned(), integration: integration.to_owned(), started, ..Run::begin("", "", started, false) }
    }

    #[test]
    fn the_newest_comes_first_and_cancel_reaches_only_what_runs() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        store
            .write(|tx| {
                insert(tx, &run("run_a", "int_1", 100))?;
                insert(tx, &run("run_b", "int_1", 200))?;
                insert(tx, &run("run_c", "int_2", 150))
            })
            .unwrap();
        let ids = |integration| store.read(|c| Ok(list(c, integration, 10)?.into_iter().map(|run| run.run).collect::<Vec<_>>())).unwrap();
        assert_eq!(ids(None), ["run_b", "run_c", "run_a"]);
        assert_eq!(ids(Some("int_1")), ["run_b", "run_a"]);
        let settled = store.write(|tx| settle(tx, "run_a", RunState::Interrupted, None)).unwrap();
        assert_eq!(settled.map(|run| run.state), Some(RunState::Interrupted));
        assert!(store.write(|tx| settle(tx, "run_a", RunState::Failed, None)).unwrap().is_none());
        assert!(!store.write(|tx| request_cancel(tx, "run_a")).unwrap());
        assert!(store.write(|tx| request_cancel(tx, "run_b")).unwrap());
        assert!(store.read(|c| cancel_requested(c, "run_b")).unwrap());
        assert_eq!(store.read(|c| Ok(running(c, None)?.len())).unwrap(), 2);
        store.write(|tx| forget(tx, "int_1")).unwrap();
        assert_eq!(ids(None), ["run_c"]);
    }

    #[test]
    fn old_history_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let error = RecordError { number: 1, key: String::new(), field: None, message: "m".to_owned() };
        store
            .write(|tx| {
                for i in 0..1_005 {
                    let id = format!("run_{i}");
                    insert(tx, &Run { state: RunState::Succeeded, ..run(&id, "int_1", i) })?;
                    add_error(tx, &id, &error)?;
                }
                insert(tx, &run("run_other", "int_2", 0))?;
                prune(tx, "int_1")
            })
            .unwrap();
        let kept = store.read(|c| list(c, Some("int_1"), 9_999)).unwrap();
        assert_eq!((kept.len(), kept.last().unwrap().run.as_str()), (1_000, "run_5"));
        let with_errors = kept.iter().filter(|run| !store.read(|c| errors(c, &run.run, 0, 1)).unwrap().is_empty()).count();
        assert_eq!(with_errors, 30);
        assert_eq!(store.read(|c| Ok(running(c, None)?.len())).unwrap(), 1);
    }

    #[test]
    fn errors_come_back_by_place() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let error = |number| RecordError { number, key: format!("k{number}"), field: Some("email".to_owned()), message: "m".to_owned() };
        store.write(|tx| [3, 1, 2].into_iter().try_for_each(|n| add_error(tx, "run_a", &error(n)))).unwrap();
        assert_eq!(store.read(|c| errors(c, "run_a", 1, 1)).unwrap(), [error(2)]);
        assert!(store.read(|c| errors(c, "run_b", 0, 9)).unwrap().is_empty());
    }
}
