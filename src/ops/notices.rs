//! The inbox.

use super::{Result, Workspace};
use crate::model::Notice;

/// Newest first.
pub fn list(ws: &Workspace, unread_only: bool, limit: usize) -> Result<Vec<Notice>> {
    let _ = (ws, unread_only, limit);
    todo!()
}

/// Marks one, or all when `None`, as read (or unread).
pub fn mark(ws: &Workspace, id: Option<i64>, read: bool) -> Result<()> {
    let _ = (ws, id, read);
    todo!()
}
