//! The workspace's database: SQLite, write-ahead log, one writer at a time, any number of readers, from any number of processes.
//!
//! Documents (credentials, integrations, runs) are JSON in a `doc` column beside the columns that are searched by; the inventory has real
//! columns, custom fields included, so that it sorts and searches at the speed of the database.

mod condition;
pub mod credentials;
pub mod fields;
pub mod id;
pub mod integrations;
pub mod inventory;
pub mod notices;
pub mod runs;
mod schema;

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Transaction, TransactionBehavior};

use crate::model::Problem;
use crate::problem;

/// What can go wrong with the database.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("the database has version {found}, this program knows up to {known}")]
    TooNew { found: i64, known: i64 },
    #[error("{table} has no field {key}")]
    NoColumn { table: &'static str, key: String },
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::TooNew { found, known } => problem!(Failed, "store.too_new", found = found, known = known),
            StoreError::Sqlite(error)
                if matches!(error.sqlite_error_code(), Some(rusqlite::ErrorCode::NotADatabase | rusqlite::ErrorCode::DatabaseCorrupt)) =>
            {
                problem!(Failed, "store.damaged", reason = error)
            }
            other => problem!(Failed, "store.failed", reason = other),
        }
    }
}

pub struct Store {
    path: PathBuf,
    writer: Mutex<Connection>,
    readers: Mutex<Vec<Connection>>,
    viewer: Mutex<inventory::Viewer>,
}

impl Store {
    /// Opens (or makes) `intertie.db` in the workspace directory and brings its schema up to date, after a backup.
    pub fn open(dir: &Path) -> Result<Self, StoreError> {
        private_dir(dir).map_err(|error| std::io::Error::new(error.kind(), format!("{}: {error}", dir.display())))?;
        let path = dir.join("intertie.db");
        if !path.exists() {
            private_file(&path)?;
        }
        let mut writer = connect(&path, false)?;
        schema::migrate(&mut writer, dir)?;
        Ok(Self { path, writer: Mutex::new(writer), readers: Mutex::new(Vec::new()), viewer: Mutex::default() })
    }

    /// Whether a directory has a database.
    #[must_use]
    pub fn exists(dir: &Path) -> bool {
        dir.join("intertie.db").exists()
    }

    /// The workspace's directory.
    #[must_use]
    pub fn dir(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Reads. The closure sees one consistent state only if it makes one statement or opens a transaction itself.
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let pooled = self.readers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).pop();
        let connection = match pooled {
            Some(connection) => connection,
            None => self.reader()?,
        };
        let result = work(&connection);
        self.readers.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push(connection);
        result
    }

    fn reader(&self) -> Result<Connection, StoreError> {
        connect(&self.path, true)
    }

    /// A connection of its own for a run, which writes much.
    pub fn bulk(&self) -> Result<Bulk, StoreError> {
        let connection = connect(&self.path, false)?;
        connection.pragma_update(None, "synchronous", "normal")?;
        // 64 MB of log between two folds, each of which waits for the disk, and a cache that a large table's index fits in.
        connection.pragma_update(None, "wal_autocheckpoint", 16_000)?;
        connection.pragma_update(None, "cache_size", -16_384)?;
        Ok(Bulk(connection))
    }

    /// Writes in one transaction: everything, or after an error nothing.
    pub fn write<T>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut writer = self.writer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let transaction = writer.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }
}

/// A transaction, for signatures outside of this room.
pub type Tx<'c> = Transaction<'c>;

/// A connection for many transactions. It syncs when the log is folded into the database, not at every commit: after a power failure the
/// last transactions may be gone, each as a whole and in order; a killed process loses nothing that was committed.
pub struct Bulk(Connection);

impl Bulk {
    pub fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        work(&self.0)
    }

    /// Writes in one transaction: everything, or after an error nothing.
    pub fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let transaction = self.0.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = work(&transaction)?;
        transaction.commit()?;
        Ok(value)
    }

    /// From here on each commit is on the disk when it returns, and all before it with it: they share one log.
    pub fn durable(&self) -> Result<(), StoreError> {
        Ok(self.0.pragma_update(None, "synchronous", "full")?)
    }
}

/// Waits for another writer up to ten seconds, looking every millisecond: SQLite's own waiter slows down to a tenth of a second, and would
/// miss the gaps that a run leaves between its pages.
fn wait(times: i32) -> bool {
    std::thread::sleep(Duration::from_millis(1));
    times < 10_000
}

/// `holds(needle, value, …)`: whether one of the values contains the needle, ignoring case.
fn holds(context: &rusqlite::functions::Context<'_>) -> rusqlite::Result<bool> {
    let needle = context.get_raw(0).as_str().unwrap_or_default();
    Ok((1..context.len()).any(|i| value_contains(context.get_raw(i), needle)))
}

/// At most so many words are looked for by one `holds_all`.
const WORDS: usize = 64;

/// `holds_all(words, value, …)`: whether each of the words, which stand apart by white space, is in one of the values, ignoring case. The
/// values are gone through once: getting at them is what costs time.
fn holds_all(context: &rusqlite::functions::Context<'_>) -> rusqlite::Result<bool> {
    let words = context.get_raw(0).as_str().unwrap_or_default();
    let mut missing = match words.split_ascii_whitespace().count() {
        count if count < WORDS => (1_u64 << count) - 1,
        _ => u64::MAX,
    };
    for i in 1..context.len() {
        if missing == 0 {
            break;
        }
        let value = context.get_raw(i);
        if value == rusqlite::types::ValueRef::Null {
            continue;
        }
        for (place, word) in words.split_ascii_whitespace().enumerate().take(WORDS) {
            if missing & 1 << place != 0 && value_contains(value, word) {
                missing &= !(1 << place);
            }
        }
    }
    Ok(missing == 0)
}

fn value_contains(value: rusqlite::types::ValueRef<'_>, needle: &str) -> bool {
    match value {
        rusqlite::types::ValueRef::Text(text) => contains(text, needle),
        rusqlite::types::ValueRef::Integer(number) => contains(number.to_string().as_bytes(), needle),
        rusqlite::types::ValueRef::Real(number) => contains(number.to_string().as_bytes(), needle),
        _ => false,
    }
}

fn contains(text: &[u8], needle: &str) -> bool {
    let Some((first, rest)) = needle.as_bytes().split_first() else { return true };
    if needle.is_ascii() && text.is_ascii() {
        let (lower, upper) = (first.to_ascii_lowercase(), first.to_ascii_uppercase());
        // Where the needle can begin.
        let starts = &text[..(text.len() + 1).saturating_sub(needle.len())];
        return memchr::memchr2_iter(lower, upper, starts).any(|i| text[i + 1..i + needle.len()].eq_ignore_ascii_case(rest));
    }
    String::from_utf8_lossy(text).to_lowercase().contains(&needle.to_lowercase())
}

fn connect(path: &Path, read_only: bool) -> Result<Connection, StoreError> {
    let flags = if read_only {
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX
    } else {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX
    };
    let mut connection = Connection::open_with_flags(path, flags)?;
    connection.busy_handler(Some(wait))?;
    let pure = rusqlite::functions::FunctionFlags::SQLITE_UTF8 | rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("holds", -1, pure, holds)?;
    connection.create_scalar_function("holds_all", -1, pure, holds_all)?;
    connection.set_prepared_statement_cache_capacity(64);
    if !read_only {
        connection.pragma_update(None, "journal_mode", "wal")?;
        // With a write-ahead log, NORMAL loses at most the last transactions on power loss and never tears the database; FULL keeps them.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "foreign_keys", true)?;
    }
    Ok(connection)
}

/// Makes a directory that only its owner can enter.
pub fn private_dir(dir: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)
}

fn private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_write_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let failed = store.write(|tx| {
            tx.execute("insert into integrations (id, name, doc) values ('a', 'A', '{}')", [])?;
            Err::<(), _>(StoreError::TooNew { found: 0, known: 0 })
        });
        assert!(failed.is_err());
        let count: i64 = store.read(|c| Ok(c.query_row("select count(*) from integrations", [], |row| row.get(0))?)).unwrap();
        assert_eq!(count, 0);
    }

    #[test]
    fn words_are_looked_for_in_all_values() {
        let connection = connect(Path::new(":memory:"), false).unwrap();
        let many = (0..64).map(|i| format!("w{i}")).collect::<Vec<_>>().join(" ");
        let held = |words: &str| -> bool {
            let sql = "select holds_all(?1, 'Ada LOVELACE', null, 42, 2.5, 'Zoë', ?2)";
            connection.query_row(sql, [words, &many[..many.len() - 1]], |row| row.get(0)).unwrap()
        };
        for (words, expected) in [
            ("ada", true),
            ("love ada 42 2.5", true),
            ("ADA  lace", true),
            ("ada x", false),
            ("zoË", true),
            ("zoe", false),
            ("a lovelace 99", false),
            ("ovelacee", false),
            ("", true),
            (&many[..many.len() - 1], true),
            (many.as_str(), false),
        ] {
            assert_eq!(held(words), expected, "{words}");
        }
    }

    #[test]
    fn two_openers_share_one_database() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = (Store::open(dir.path()).unwrap(), Store::open(dir.path()).unwrap());
        a.write(|tx| Ok(tx.execute("insert into integrations (id, name, doc) values ('a', 'A', '{}')", [])?)).unwrap();
        let count: i64 = b.read(|c| Ok(c.query_row("select count(*) from integrations", [], |row| row.get(0))?)).unwrap();
        assert_eq!(count, 1);
    }
}
