//! The schema, as migrations that run forward.

use super::StoreError;
use rusqlite::Connection;
use std::path::Path;

/// One step a version; a released step is never edited.
const STEPS: &[&str] = &[include_str!("001.sql")];

/// Brings the database to the newest version, after a backup of a database that already holds something.
pub(super) fn migrate(connection: &mut Connection, dir: &Path) -> Result<(), StoreError> {
    let known = i64::try_from(STEPS.len()).expect("a handful of steps");
    let version = |c: &Connection| c.query_row("pragma user_version", [], |row| row.get::<_, i64>(0));
    let found = version(connection)?;
    if found > known {
        return Err(StoreError::TooNew { found, known });
    }
    if found == known {
        return Ok(());
    }
    if found > 0 {
        let backup = dir.join(format!("intertie.db.version-{found}.bak"));
        let mut target = Connection::open(backup)?;
        rusqlite::backup::Backup::new(connection, &mut target)?.run_to_completion(1000, std::time::Duration::ZERO, None)?;
    }
    let transaction = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    // Another process may have done it while this one waited.
    let found = version(&transaction)?;
    for step in &STEPS[usize::try_from(found).unwrap_or(0).min(STEPS.len())..] {
        transaction.execute_batch(step)?;
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}
