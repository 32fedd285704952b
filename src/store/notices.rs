//! The inbox.

use rusqlite::{Connection, Transaction, params};

use super::StoreError;
use crate::model::{Notice, Severity, Time};

/// Adds a notice, which is unread; its `id` and `read` are ignored.
pub fn add(transaction: &Transaction<'_>, notice: &Notice) -> Result<i64, StoreError> {
    let severity = serde_json::to_value(notice.severity)?;
    transaction.execute(
        "insert into notices (at, severity, title, body, about, contacts) values (?, ?, ?, ?, ?, ?)",
        params![
            format!("{:.6}", notice.at),
            severity.as_str().unwrap_or_default(),
            notice.title,
            notice.body,
            notice.about,
            serde_json::to_string(&notice.contacts)?
        ],
    )?;
    Ok(transaction.last_insert_rowid())
}

/// Newest first.
pub fn list(connection: &Connection, unread_only: bool, limit: usize) -> Result<Vec<Notice>, StoreError> {
    let condition = if unread_only { "where read = 0" } else { "" };
    let sql = format!("select id, at, severity, title, body, about, contacts, read from notices {condition} order by id desc limit ?");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([i64::try_from(limit).unwrap_or(i64::MAX)])?;
    let mut notices = Vec::new();
    while let Some(row) = rows.next()? {
        let severity: String = row.get(2)?;
        notices.push(Notice {
            id: row.get(0)?,
            at: row.get::<_, String>(1)?.parse::<Time>().unwrap_or_default(),
            severity: serde_json::from_value::<Severity>(severity.into())?,
            title: row.get(3)?,
            body: row.get(4)?,
            about: row.get(5)?,
            contacts: serde_json::from_str(row.get_ref(6)?.as_str().unwrap_or("[]"))?,
            read: row.get(7)?,
        });
    }
    Ok(notices)
}

/// Marks one, or all; returns how many there were to mark.
pub fn mark(transaction: &Transaction<'_>, id: Option<i64>, read: bool) -> Result<usize, StoreError> {
    Ok(match id {
        Some(id) => transaction.execute("update notices set read = ? where id = ?", params![read, id])?,
        None => transaction.execute("update notices set read = ?", params![read])?,
    })
}

pub fn unread(connection: &Connection) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached("select count(*) from notices where read = 0")?;
    Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Whether there is already a notice about this with this title since `since`.
pub fn said(connection: &Connection, about: &str, title: &str, since: Time) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached("select exists (select 1 from notices where about = ? and title = ? and at >= ?)")?;
    Ok(statement.query_row(params![about, title, format!("{since:.6}")], |row| row.get(0))?)
}

/// Whether there is a notice with this title since `since`, about whatever.
pub fn titled(connection: &Connection, title: &str, since: Time) -> Result<bool, StoreError> {
    let mut statement = connection.prepare_cached("select exists (select 1 from notices where title = ? and at >= ?)")?;
    Ok(statement.query_row(params![title, format!("{since:.6}")], |row| row.get(0))?)
}
