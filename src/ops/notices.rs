//! The inbox.

use super::{Result, Workspace};
use crate::model::Notice;
use crate::problem;
use crate::store::notices;

/// Newest first.
pub fn list(ws: &Workspace, unread_only: bool, limit: usize) -> Result<Vec<Notice>> {
    Ok(ws.store()?.read(|connection| notices::list(connection, unread_only, limit))?)
}

/// Marks one, or all when `None`, as read (or unread).
pub fn mark(ws: &Workspace, id: Option<i64>, read: bool) -> Result<()> {
    let marked = ws.store()?.write(|transaction| notices::mark(transaction, id, read))?;
    match id {
        Some(id) if marked == 0 => Err(problem!(Usage, "core.not_found", noun = crate::t!("notice.noun"), name = id)),
        _ => Ok(()),
    }
}
