//! Files that are whole or not there: write beside, sync, rename, sync the directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::{Result, VaultError};

/// The largest file that is read, in bytes. Far beyond what is ever written.
const LARGEST: u64 = 16 << 20;
/// How long another process may hold the lock.
const PATIENCE: Duration = Duration::from_secs(15);

fn io(path: &Path) -> impl FnOnce(std::io::Error) -> VaultError {
    let path = path.to_owned();
    move |error| VaultError::Io(path, error)
}

/// Makes a directory that only its owner can enter.
pub fn private_dir(dir: &Path) -> Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(io(dir))
}

/// Whether something is there. Not being allowed to look is an error, not an absence: a vault must not be made over one that is unreadable.
pub fn exists(path: &Path) -> Result<bool> {
    path.try_exists().map_err(io(path))
}

/// The whole file; `None` when it is not there.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(VaultError::Io(path.to_owned(), error)),
    };
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(io(path))?;
    if bytes.len() as u64 > LARGEST {
        return Err(VaultError::Damaged(path.to_owned(), crate::t!("vault.too_large")));
    }
    Ok(Some(bytes))
}

/// Replaces a file, or makes it, 0600. Durable when it returns; after an error the old one is there, whole.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    write_with(path, |file| file.write_all(bytes))
}

fn write_with(path: &Path, fill: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<()> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let dir = path.parent().unwrap_or(Path::new("."));
    private_dir(dir)?;
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    // Another process that has died may have left one of our number: a few tries find a free name.
    let (mut file, beside) = loop {
        let beside = dir.join(format!(".{name}.{}.{}.new", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside) {
            Ok(file) => break (file, beside),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => return Err(VaultError::Io(path.to_owned(), error)),
        }
    };
    let written = fill(&mut file).and_then(|()| room()).and_then(|()| file.sync_all()).and_then(|()| std::fs::rename(&beside, path));
    if let Err(error) = written {
        let _ = std::fs::remove_file(&beside);
        return Err(VaultError::Io(path.to_owned(), error));
    }
    sync_dir(dir)
}

/// Removes new files that were never put in the place of the old ones. Only for who holds the lock under which they are made. It is no part
/// of what was asked for, so nothing is said when it cannot be done.
pub fn sweep(dir: &Path) {
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.as_encoded_bytes();
        if name.starts_with(b".") && name.ends_with(b".new") {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

/// Removes a file; durable when it returns. Nothing happens when it is not there.
pub fn remove(path: &Path) -> Result<()> {
    match room().and_then(|()| std::fs::remove_file(path)) {
        Ok(()) => sync_dir(path.parent().unwrap_or(Path::new("."))),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(VaultError::Io(path.to_owned(), error)),
    }
}

/// In tests: whether there is room for one more change.
#[cfg(not(test))]
fn room() -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
thread_local! {
    static ROOM: std::cell::Cell<Option<usize>> = const { std::cell::Cell::new(None) };
}

#[cfg(test)]
fn room() -> std::io::Result<()> {
    match ROOM.get() {
        Some(0) => Err(ErrorKind::StorageFull.into()),
        Some(left) => {
            ROOM.set(Some(left - 1));
            Ok(())
        }
        None => Ok(()),
    }
}

/// Lets so many changes through on this thread and fails all others, as a disk that fills up or a process that dies.
#[cfg(test)]
pub fn failing_after<T>(changes: usize, work: impl FnOnce() -> T) -> T {
    ROOM.set(Some(changes));
    let done = work();
    ROOM.set(None);
    done
}

fn sync_dir(dir: &Path) -> Result<()> {
    File::open(dir).and_then(|dir| dir.sync_all()).map_err(io(dir))
}

/// Takes the lock, which the returned file holds until it is dropped. It ends with the process, whatever happens to that.
pub fn lock(path: &Path) -> Result<File> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io(path))?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => {}
        Err(TryLockError::Error(error)) => return Err(VaultError::Io(path.to_owned(), error)),
    }
    // The system wakes whoever waits, but knows no time limit: somebody else waits for us. If that is in vain, the lock is let go again as
    // soon as it is there.
    let (sender, receiver) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let locked = file.lock();
        let _ = sender.send(locked.map(|()| file));
    });
    match receiver.recv_timeout(PATIENCE) {
        Ok(Ok(file)) => Ok(file),
        Ok(Err(error)) => Err(VaultError::Io(path.to_owned(), error)),
        Err(_) => Err(VaultError::Busy),
    }
}

/// The lock, when nobody has it and there is one.
pub fn lock_if_free(path: &Path) -> Option<File> {
    let file = OpenOptions::new().read(true).write(true).open(path).ok()?;
    file.try_lock().is_ok().then_some(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_full_disk_leaves_the_old_file_and_no_rest() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("sub").join("a.json");
        write(&path, b"old").unwrap();
        let failed = write_with(&path, |file| {
            file.write_all(b"ne")?;
            Err(std::io::Error::from(ErrorKind::StorageFull))
        });
        let problem = crate::model::Problem::from(failed.unwrap_err());
        assert!(problem.what.to_lowercase().contains("disk") || problem.why.to_lowercase().contains("disk"), "{problem:?}");
        assert_eq!(read(&path).unwrap().unwrap(), b"old");
        assert_eq!(std::fs::read_dir(path.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn files_are_their_owners_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("private").join("a.json");
        write(&path, b"x").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(path.parent().unwrap()).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn what_is_not_there_is_none() {
        let dir = tempfile::tempdir().unwrap();
        assert!(read(&dir.path().join("x")).unwrap().is_none());
        remove(&dir.path().join("x")).unwrap();
    }
}
