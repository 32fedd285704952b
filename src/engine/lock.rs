//! One run of an integration at a time, in all processes of this host: a lock on a file, which the kernel drops when the process ends,
//! however it ends.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

/// Held until dropped.
pub struct Lock {
    _file: File,
}

/// The lock of an integration; `None` when a run has it.
pub(super) fn take(workspace: &Path, integration: &str) -> std::io::Result<Option<Lock>> {
    let dir = workspace.join("runs");
    crate::store::private_dir(&dir)?;
    let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(dir.join(format!("{integration}.lock")))?;
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(Lock { _file: file })),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_held_once_and_comes_free() {
        let dir = tempfile::tempdir().unwrap();
        let first = take(dir.path(), "int_a").unwrap();
        assert!(first.is_some());
        assert!(take(dir.path(), "int_a").unwrap().is_none());
        assert!(take(dir.path(), "int_b").unwrap().is_some());
        drop(first);
        assert!(take(dir.path(), "int_a").unwrap().is_some());
    }
}
