//! Keeps the tokens of one credential: one refresh at a time, whoever asks, in this process or another.
//!
//! A refresh token that rotates is spent by being sent (RFC 9700 §4.14.2): sent twice, the whole family of tokens is revoked. So a refresh
//! holds a file lock in the workspace; whoever waited reads the vault again before asking. Before the request the lock file says which
//! generation is about to be spent, and the answer is durable in the vault before anybody uses it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::grants;
use super::refusal::Failure;
use super::subject::Subject;
use super::tokens::{self, Received, Tokens};
use crate::model::{CredentialStatus, Problem, Time};
use crate::problem;
use crate::store::{Store, private_dir};
use crate::vault::Vault;

pub struct Keeper {
    pub store: Arc<Store>,
    pub vault: Arc<Vault>,
    pub subject: Subject,
    held: tokio::sync::Mutex<Option<Tokens>>,
    /// Generation of the tokens that were handed out last.
    used: AtomicU64,
}

impl Keeper {
    #[must_use]
    pub fn new(store: Arc<Store>, vault: Arc<Vault>, subject: Subject) -> Self {
        Self { store, vault, subject, held: tokio::sync::Mutex::new(None), used: AtomicU64::new(0) }
    }

    /// Tokens that can be used now; refreshed or obtained first where that is needed and possible.
    pub async fn current(self: &Arc<Self>) -> Result<Tokens, Failure> {
        let mut held = self.held.lock().await;
        let now = Time::now();
        let known = match held.take().filter(|tokens| tokens.fresh(now)) {
            Some(tokens) => Some(tokens),
            None => Tokens::load(&self.vault, &self.subject.id)?,
        };
        let tokens = match known {
            Some(tokens) if tokens.fresh(now) => tokens,
            stale => match self.renew(stale.as_ref().map_or(0, |tokens| tokens.generation)).await {
                Ok(tokens) => tokens,
                // The old one lasts a little longer; the next request asks again.
                Err(failure) => match stale.filter(|tokens| failure.passes() && tokens.alive(Time::now())) {
                    Some(tokens) => tokens,
                    None => return Err(failure),
                },
            },
        };
        self.used.store(tokens.generation, Ordering::Release);
        *held = Some(tokens.clone());
        Ok(tokens)
    }

    /// After a 401: whether there are now other tokens than those that were refused.
    pub async fn refused(self: &Arc<Self>) -> Result<bool, Failure> {
        let mut held = self.held.lock().await;
        let used = self.used.load(Ordering::Acquire);
        *held = Some(self.renew(used).await?);
        Ok(true)
    }

    /// Other tokens than `seen`. Goes on to its end even when the caller stops waiting: a spent refresh token's answer must be kept.
    async fn renew(self: &Arc<Self>, seen: u64) -> Result<Tokens, Failure> {
        let keeper = Arc::clone(self);
        match tokio::spawn(async move { keeper.renew_now(seen).await }).await {
            Ok(result) => result,
            Err(_) => Err(problem!(Failed, "auth.stopped", vendor = self.subject.vendor()).into()),
        }
    }

    async fn renew_now(&self, seen: u64) -> Result<Tokens, Failure> {
        let owner = self.subject.id.as_str();
        let mut lock = Lock::take(&self.store, owner, &self.subject.vendor()).await?;
        let tokens = Tokens::load(&self.vault, owner)?;
        if let Some(tokens) = tokens.as_ref().filter(|tokens| tokens.generation != seen && tokens.fresh(Time::now())) {
            return Ok(tokens.clone());
        }
        let generation = tokens.as_ref().map_or(0, |tokens| tokens.generation);
        let kind = self.subject.method().kind;
        let refresh = tokens.as_ref().and_then(|tokens| tokens.refresh.as_deref()).filter(|_| grants::refreshes(self.subject.method()));
        let person = kind.needs_consent();
        let asked = match (person, refresh) {
            (false, None) => grants::afresh(&self.subject).await,
            (_, Some(token)) => {
                let interrupted = lock.intent() == Some(generation);
                lock.intend(Some(generation)).map_err(|error| lock_problem(&error))?;
                grants::renewed(&self.subject, token, interrupted).await
            }
            (true, None) => {
                let problem = match tokens {
                    Some(_) => problem!(PersonMustAct, "auth.ended", vendor = self.subject.vendor()),
                    None => problem!(PersonMustAct, "auth.no_consent", vendor = self.subject.vendor()),
                };
                Err(Failure::new(problem, CredentialStatus::NeedsConsent))
            }
        };
        match asked {
            Ok(received) => {
                let renewed = self.keep(received, tokens.as_ref())?;
                lock.intend(None).map_err(|error| lock_problem(&error))?;
                Ok(renewed)
            }
            Err(failure) => {
                if !failure.passes() {
                    lock.intend(None).map_err(|error| lock_problem(&error))?;
                    let noted = self.store.note_standing(owner, |standing| {
                        standing.status = Some(failure.status);
                        standing.last_test = Some(failure.clone().outcome());
                    });
                    noted.map_err(Problem::from)?;
                }
                Err(failure)
            }
        }
    }

    /// Keeps what a code was redeemed for, in place of whatever was there.
    pub async fn keep_first(&self, received: Received) -> Result<(), Problem> {
        let mut lock = Lock::take(&self.store, &self.subject.id, &self.subject.vendor()).await?;
        let before = Tokens::load(&self.vault, &self.subject.id)?;
        self.keep(Received { anew: true, ..received }, before.as_ref())?;
        lock.intend(None).map_err(|error| lock_problem(&error))
    }

    fn keep(&self, received: Received, before: Option<&Tokens>) -> Result<Tokens, Problem> {
        let owner = self.subject.id.as_str();
        let (now, seen) = (Time::now(), before.map_or(0, |tokens| tokens.generation));
        // Another family: nothing of the old tokens is carried over but the count.
        let before = before.filter(|_| !received.anew);
        let since = before.and_then(|tokens| tokens.since).unwrap_or(now);
        let absolute = tokens::lifetime(self.subject.method().lifetime.absolute.as_deref());
        let tokens = Tokens {
            refresh_expires: tokens::refresh_end(&received, before, since, absolute),
            access: received.access,
            // A response without a refresh token leaves the old one in force (RFC 6749 §6).
            refresh: received.refresh.or_else(|| before.and_then(|tokens| tokens.refresh.clone())),
            obtained: now,
            expires: received.expires,
            generation: seen + 1,
            id_token: received.id_token.as_deref().map(unsigned).or_else(|| before.and_then(|tokens| tokens.id_token.clone())),
            since: Some(since),
        };
        // First what must not be lost; then what is only shown.
        tokens.save(&self.vault, owner)?;
        let alone = !self.subject.method().kind.needs_consent();
        self.store.note_standing(owner, |standing| {
            standing.access_expires = tokens.expires;
            standing.refresh_expires = tokens.refresh_expires;
            standing.refreshes = alone || tokens.refresh.is_some();
            // RFC 6749 §5.1: nothing said means that all was granted.
            standing.known.scopes_said = received.granted.is_some();
            standing.known.assumed = received.assumed;
            standing.granted = received.granted.unwrap_or_else(|| self.subject.scopes.clone());
            standing.found.extend(received.found);
            // A refusal by the API itself is not undone by a new token.
            if matches!(standing.status, Some(CredentialStatus::NeedsConsent | CredentialStatus::Expired)) {
                standing.status = Some(CredentialStatus::Untested);
            }
        })?;
        Ok(tokens)
    }
}

/// A signed token in compact form without its signature (RFC 7515 §7.1).
fn unsigned(token: &str) -> String {
    token.rsplit_once('.').map(|(content, _)| format!("{content}.")).unwrap_or_default()
}

fn lock_problem(error: &std::io::Error) -> Problem {
    problem!(Failed, "auth.lock", reason = error)
}

/// The lock of one credential's tokens: a file that also says which generation is about to be spent. The system frees it when its holder
/// dies; the intent stays.
pub struct Lock(File);

impl Lock {
    /// Waits for other tasks and processes.
    pub async fn take(store: &Store, owner: &str, vendor: &str) -> Result<Self, Problem> {
        const LONGEST: Duration = Duration::from_secs(75);
        let file = Self::file(store, owner).map_err(|error| lock_problem(&error))?;
        let started = Instant::now();
        let mut pause = Duration::from_millis(5);
        while !Self::tried(&file)? {
            if started.elapsed() > LONGEST {
                return Err(problem!(Failed, "auth.locked", vendor = vendor));
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(100));
        }
        Ok(Self(file))
    }

    /// The same without a runtime, and without patience: a refresh under way is over in a moment, or it is not.
    pub fn take_now(store: &Store, owner: &str, vendor: &str) -> Result<Self, Problem> {
        let file = Self::file(store, owner).map_err(|error| lock_problem(&error))?;
        if Self::tried(&file)? {
            return Ok(Self(file));
        }
        let (sender, locked) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let result = file.lock().map(|()| file);
            // Nobody waits any more: the file is dropped, and the lock with it.
            let _ = sender.send(result);
        });
        match locked.recv_timeout(Duration::from_secs(5)) {
            Ok(Ok(file)) => Ok(Self(file)),
            Ok(Err(error)) => Err(lock_problem(&error)),
            Err(_) => Err(problem!(Failed, "auth.locked", vendor = vendor)),
        }
    }

    fn tried(file: &File) -> Result<bool, Problem> {
        match file.try_lock() {
            Ok(()) => Ok(true),
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(lock_problem(&error)),
        }
    }

    /// Takes the file away, when its owner is gone.
    pub fn remove(store: &Store, owner: &str) {
        // One that stays does no harm.
        let _ = std::fs::remove_file(Self::dir(store).join(format!("{owner}.lock")));
    }

    fn dir(store: &Store) -> std::path::PathBuf {
        store.dir().join("locks")
    }

    fn file(store: &Store, owner: &str) -> std::io::Result<File> {
        use std::os::unix::fs::OpenOptionsExt as _;
        let dir = Self::dir(store);
        private_dir(&dir)?;
        OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(dir.join(format!("{owner}.lock")))
    }

    fn intent(&mut self) -> Option<u64> {
        let mut text = String::new();
        self.0.rewind().ok()?;
        (&self.0).take(32).read_to_string(&mut text).ok()?;
        text.trim().parse().ok()
    }

    fn intend(&mut self, generation: Option<u64>) -> std::io::Result<()> {
        self.0.rewind()?;
        self.0.set_len(0)?;
        if let Some(generation) = generation {
            writeln!(self.0, "{generation}")?;
        }
        self.0.sync_data()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread")]
    async fn one_holder_at_a_time_and_the_intent_outlives_him() {
        let dir = tempfile::tempdir().unwrap();
        let store = Arc::new(Store::open(dir.path()).unwrap());
        let mut first = Lock::take(&store, "cred_a", "X").await.unwrap();
        assert_eq!(first.intent(), None);
        first.intend(Some(41)).unwrap();
        assert!(!Lock::tried(&Lock::file(&store, "cred_a").unwrap()).unwrap());
        assert!(Lock::tried(&Lock::file(&store, "cred_b").unwrap()).unwrap());
        let waiting = {
            let store = Arc::clone(&store);
            tokio::task::spawn_blocking(move || Lock::take_now(&store, "cred_a", "X").unwrap().intent())
        };
        // Killed, say: nothing was tidied up.
        drop(first);
        assert_eq!(waiting.await.unwrap(), Some(41));
        let mut last = Lock::take(&store, "cred_a", "X").await.unwrap();
        last.intend(None).unwrap();
        assert_eq!(last.intent(), None);
    }
}
