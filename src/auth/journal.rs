//! Who is refreshing the tokens of a credential, and what he is about to do.
//!
//! Under `locks/` in the workspace, for each credential and draft:
//!
//! - `OWNER.lock`: locked while tokens are asked for. The system frees it when its holder dies, so a file that lies there means nothing.
//! - `OWNER.intent`: there while a refresh token may have been spent without its answer being kept, and after a refusal. Written whole and
//!   on disk, its directory too, before the request leaves.
//!
//! Neither holds a secret.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::refusal::Failure;
use crate::model::{CredentialStatus, Problem, Time};
use crate::problem;
use crate::store::{Store, private_dir};

/// The refresh token of these tokens is about to be sent, or was.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Intent {
    pub generation: u64,
    /// When it was first sent.
    pub at: Time,
    /// What the server said to it, when that was no.
    #[serde(default)]
    pub refused: Option<Refused>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Refused {
    pub at: Time,
    pub problem: Problem,
    pub status: CredentialStatus,
}

impl Refused {
    pub fn of(failure: &Failure) -> Self {
        Self { at: Time::now(), problem: failure.problem.clone(), status: failure.status }
    }

    pub fn failure(self) -> Failure {
        Failure::new(self.problem, self.status)
    }
}

pub fn lock_problem(error: &std::io::Error) -> Problem {
    problem!(Failed, "auth.lock", reason = error)
}

/// The lock of one credential's tokens, held until it is dropped.
pub struct Lock {
    _file: File,
    intent: PathBuf,
}

impl Lock {
    /// Waits for other tasks and processes, longer than a request may take.
    pub async fn take(store: &Store, owner: &str, vendor: &str) -> Result<Self, Problem> {
        const LONGEST: Duration = Duration::from_secs(75);
        let started = Instant::now();
        let mut pause = Duration::from_millis(5);
        loop {
            if let Some(lock) = Self::tried(store, owner).map_err(|error| lock_problem(&error))? {
                return Ok(lock);
            }
            if started.elapsed() > LONGEST {
                return Err(problem!(Failed, "auth.locked", vendor = vendor));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// The same without a runtime, and with little patience: a refresh under way is over in a moment, or it is not.
    pub fn take_now(store: &Store, owner: &str, vendor: &str) -> Result<Self, Problem> {
        const LONGEST: Duration = Duration::from_secs(5);
        let started = Instant::now();
        loop {
            if let Some(lock) = Self::tried(store, owner).map_err(|error| lock_problem(&error))? {
                return Ok(lock);
            }
            if started.elapsed() > LONGEST {
                return Err(problem!(Failed, "auth.locked", vendor = vendor));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// `None`: somebody else has it.
    fn tried(store: &Store, owner: &str) -> std::io::Result<Option<Self>> {
        let dir = dir(store);
        private_dir(&dir)?;
        let path = dir.join(format!("{owner}.lock"));
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(error),
        }
        // The file may have been taken away meanwhile, and another one made: two would then hold a lock.
        let ours = file.metadata()?;
        match std::fs::metadata(&path) {
            Ok(there) if (there.dev(), there.ino()) == (ours.dev(), ours.ino()) => {
                Ok(Some(Self { _file: file, intent: dir.join(format!("{owner}.intent")) }))
            }
            Ok(_) => Ok(None),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Takes the files away, when their owner is gone.
    pub fn remove(store: &Store, owner: &str) {
        for kind in ["lock", "intent"] {
            // What stays does no harm.
            let _ = std::fs::remove_file(dir(store).join(format!("{owner}.{kind}")));
        }
    }

    /// What the last holder meant to do and did not come to the end of. One that cannot be read says only that there was something: it is
    /// taken for any generation.
    pub fn intent(&self, generation: u64) -> Option<Intent> {
        let text = match std::fs::read(&self.intent) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(_) => Vec::new(),
        };
        let unread = Intent { generation, at: Time::now(), refused: None };
        let intent = serde_json::from_slice(&text).unwrap_or(unread);
        (intent.generation == generation).then_some(intent)
    }

    /// On disk when it returns.
    pub fn intend(&self, intent: &Intent) -> std::io::Result<()> {
        let dir = self.intent.parent().unwrap_or(Path::new("."));
        // Made with mode 0600; the lock makes its writer the only one.
        let mut file = tempfile::NamedTempFile::new_in(dir)?;
        file.write_all(&serde_json::to_vec(intent)?)?;
        file.as_file().sync_all()?;
        file.persist(&self.intent).map_err(|error| error.error)?;
        File::open(dir)?.sync_all()
    }

    /// There is nothing to wonder about any more. Not waited for: where it comes back after a power failure, the generation is another.
    pub fn settle(&self) -> std::io::Result<()> {
        match std::fs::remove_file(&self.intent) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn dir(store: &Store) -> PathBuf {
    store.dir().join("locks")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn intent(generation: u64) -> Intent {
        Intent { generation, at: Time::UNIX_EPOCH, refused: None }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn one_holder_at_a_time_and_the_intent_outlives_him() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(dir.path()).unwrap());
        let first = Lock::take(&store, "cred_a", "X").await.unwrap();
        assert_eq!(first.intent(41), None);
        first.intend(&intent(41)).unwrap();
        assert!(Lock::tried(&store, "cred_a").unwrap().is_none());
        assert!(Lock::tried(&store, "cred_b").unwrap().is_some());
        let waiting = {
            let store = Arc::clone(&store);
            tokio::task::spawn_blocking(move || Lock::take_now(&store, "cred_a", "X").unwrap().intent(41))
        };
        // Killed, say: nothing was tidied up.
        drop(first);
        assert_eq!(waiting.await.unwrap(), Some(intent(41)));
        let last = Lock::take(&store, "cred_a", "X").await.unwrap();
        assert_eq!(last.intent(42), None, "another generation's is nobody's");
        last.settle().unwrap();
        assert_eq!(last.intent(41), None);
        last.settle().unwrap();
    }

    #[test]
    fn files_that_lie_about_keep_nobody_out() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let locks = super::dir(&store);
        private_dir(&locks).unwrap();
        std::fs::write(locks.join("cred_a.lock"), "4711\n").unwrap();
        std::fs::write(locks.join("cred_a.intent"), "{torn").unwrap();
        let lock = Lock::take_now(&store, "cred_a", "X").unwrap();
        assert_eq!(lock.intent(7).map(|intent| intent.generation), Some(7), "what is torn was something");
        // Taken away under its holder: whoever comes next has one of his own, and the old one counts no more.
        Lock::remove(&store, "cred_a");
        let next = Lock::take_now(&store, "cred_a", "X").unwrap();
        assert!(Lock::tried(&store, "cred_a").unwrap().is_none() && next.intent(7).is_none());
    }
}
