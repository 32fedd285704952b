//! Keeps the tokens of one credential: one refresh at a time, whoever asks, in this process or another.
//!
//! A refresh token that rotates is spent by being sent (RFC 9700 §4.14.2): sent twice, the whole family of tokens may be revoked. So a
//! refresh
//!
//! 1. takes the credential's lock; whoever waited reads the vault again before asking;
//! 2. writes down, durably, which generation is about to be spent (`journal`);
//! 3. sends the request;
//! 4. seals the answer into the vault as it came, durably, before anything is read in it (`INCOMING`);
//! 5. reads it, keeps the new tokens durably, and only then lets anybody use them;
//! 6. forgets the answer and the intent.
//!
//! # The window
//!
//! Whatever ends this process (`kill -9`, a power failure) loses nothing before the server has spent the token, and nothing after step 4.
//! Between the moment at which *the server has spent the refresh token* and the moment at which *its answer is on our disk* the only copy
//! of the new token is on the wire or in memory: no client can close this window alone. The intent tells the next process that it
//! was there. It sends the same refresh token once more, which works where the server allows that for a while (an overlap or grace period)
//! or did not spend it; where it is refused, the credential needs consent, and the problem says that this window was the reason, and when
//! (`auth.token.interrupted`). A login of several steps keeps no answer as it came: its window lasts until step 5.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, PoisonError};
use std::time::Duration;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::delegation::{self, Agreed};
use super::grants;
use super::home::{self, Held, Home, Turn};
pub use super::journal::Lock;
use super::journal::{Intent, Refused, lock_problem};
use super::refusal::Failure;
use super::request::{self, Grant};
use super::subject::Subject;
use super::tokens::{self, Received, Tokens};
use crate::model::{CredentialStatus, Problem, Secret, Time};
use crate::problem;
use crate::store::Store;
use crate::vault::Vault;

/// The vault's field for an answer that is on disk and not yet read.
pub const INCOMING: &str = "incoming";

/// An answer of the token endpoint as it came.
#[derive(Serialize, Deserialize)]
struct Incoming {
    /// Of the tokens that were there when it was asked for.
    generation: u64,
    /// Another family: the answer to a consent.
    first: bool,
    at: Time,
    content_type: String,
    body: String,
    /// Values to keep under `found` that came beside the code.
    #[serde(default)]
    found: IndexMap<String, String>,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.body);
    }
}

pub struct Keeper {
    pub store: Arc<Store>,
    pub vault: Arc<Vault>,
    pub subject: Subject,
    held: tokio::sync::Mutex<Option<Tokens>>,
    /// Generation of the tokens that were handed out last.
    used: AtomicU64,
    /// A secret is being tried that is not the credential's: what fails says nothing about the credential.
    trial: bool,
    /// The tokens that were seen last, to be kept out of what is told.
    last: std::sync::Mutex<Option<Tokens>>,
}

/// How much is under way in this process that must not be cut off.
static UNDER_WAY: LazyLock<watch::Sender<usize>> = LazyLock::new(|| watch::channel(0).0);

struct UnderWay;

impl UnderWay {
    fn begin() -> Self {
        UNDER_WAY.send_modify(|n| *n += 1);
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        UNDER_WAY.send_modify(|n| *n -= 1);
    }
}

/// Waits until no refresh is under way in this process, for as long as a request may take. Called before a process ends whose caller no
/// longer waits: a refresh that is cut off may cost the consent.
pub async fn settled() {
    const LONGEST: Duration = Duration::from_secs(35);
    let mut under_way = UNDER_WAY.subscribe();
    let _ = tokio::time::timeout(LONGEST, under_way.wait_for(|n| *n == 0)).await;
}

impl Keeper {
    #[must_use]
    pub fn new(store: Arc<Store>, vault: Arc<Vault>, subject: Subject) -> Self {
        Self { store, vault, subject, held: tokio::sync::Mutex::new(None), used: AtomicU64::new(0), trial: false, last: std::sync::Mutex::default() }
    }

    /// For a subject with a secret that the credential does not have yet.
    #[must_use]
    pub fn for_trial(store: Arc<Store>, vault: Arc<Vault>, subject: Subject) -> Self {
        Self { trial: true, ..Self::new(store, vault, subject) }
    }

    /// Tokens that can be used now; refreshed or obtained first where that is needed and possible.
    pub async fn current(self: &Arc<Self>) -> Result<Tokens, Failure> {
        let mut held = self.held.lock().await;
        let now = Time::now();
        let known = match held.take().filter(|tokens| tokens.fresh(now)) {
            Some(tokens) => Some(tokens),
            None => self.kept().await?,
        };
        self.see(known.as_ref());
        let tokens = match known {
            // What was obtained with another secret proves nothing about this one.
            Some(tokens) if tokens.fresh(now) && !self.untried() => tokens,
            stale => match self.renew(stale.as_ref().map_or(0, |tokens| tokens.generation)).await {
                Ok(tokens) => tokens,
                // The old one lasts a little longer; the next request asks again.
                Err(failure) => match stale.filter(|tokens| failure.passes() && tokens.alive(Time::now()) && !self.trial) {
                    Some(tokens) => tokens,
                    None => return Err(failure),
                },
            },
        };
        self.used.store(tokens.generation, Ordering::Release);
        self.see(Some(&tokens));
        *held = Some(tokens.clone());
        Ok(tokens)
    }

    fn home(&self) -> Result<Home, Problem> {
        let found = self.subject.context.found.clone();
        Home::of(&self.store, &self.vault, &self.subject.id, self.subject.input(home::TOKENS_IN), found)
    }

    /// The tokens as they are kept, for use; what waits for a store that answers again is put there.
    async fn kept(&self) -> Result<Option<Tokens>, Failure> {
        let home = self.home()?;
        let mut held = home.load().await?;
        if held.can_deliver() {
            let _under_way = UnderWay::begin();
            let _lock = Lock::take(&self.store, &self.subject.id, &self.subject.vendor()).await?;
            held = home.deliver(home.load().await?).await?;
        }
        home.learn(&held)?;
        Ok(held.tokens)
    }

    fn see(&self, tokens: Option<&Tokens>) {
        if let Some(tokens) = tokens {
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(tokens.clone());
        }
    }

    /// What must not be told: the tokens that were used or seen last.
    #[must_use]
    pub fn secrets(&self) -> Vec<Secret> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let kept = Tokens::load(&self.vault, &self.subject.id).ok().flatten();
        let all = [last, kept].into_iter().flatten();
        all.flat_map(|tokens| {
            [Some(tokens.access.as_str()), tokens.refresh.as_deref(), tokens.token_secret.as_deref()]
                .into_iter()
                .flatten()
                .map(Secret::new)
                .collect::<Vec<_>>()
        })
        .collect()
    }

    fn untried(&self) -> bool {
        // In OAuth 1.0a the secret signs each request, also with a token that was there before.
        self.trial && self.used.load(Ordering::Acquire) == 0 && !self.subject.method().delegates()
    }

    /// After a refusal of a token that nothing but consent replaces: whether consent has brought another one meanwhile.
    async fn replaced(&self) -> Result<bool, Failure> {
        let mut held = self.held.lock().await;
        let lock = Lock::take(&self.store, &self.subject.id, &self.subject.vendor()).await?;
        let used = self.used.load(Ordering::Acquire);
        let home = self.home()?;
        let other = self.recovered(&home, &lock).await?.tokens.filter(|tokens| tokens.generation != used && tokens.fresh(Time::now()));
        let found = other.is_some();
        if found {
            *held = other;
        }
        Ok(found)
    }

    /// After a 401: whether there are now other tokens than those that were refused.
    pub async fn refused(self: &Arc<Self>) -> Result<bool, Failure> {
        // Where nothing but consent replaces a token, what the vendor says of it is told.
        if self.subject.method().delegates() {
            return self.replaced().await;
        }
        let mut held = self.held.lock().await;
        let used = self.used.load(Ordering::Acquire);
        *held = Some(self.renew(used).await?);
        Ok(true)
    }

    /// Other tokens than `seen`. Goes on to its end even when the caller stops waiting: a spent refresh token's answer must be kept.
    async fn renew(self: &Arc<Self>, seen: u64) -> Result<Tokens, Failure> {
        let keeper = Arc::clone(self);
        let under_way = UnderWay::begin();
        let renewing = tokio::spawn(async move {
            let renewed = keeper.renew_now(seen).await;
            drop(under_way);
            renewed
        });
        match renewing.await {
            Ok(result) => result,
            Err(_) => Err(problem!(Failed, "auth.stopped", vendor = self.subject.vendor()).into()),
        }
    }

    async fn renew_now(&self, seen: u64) -> Result<Tokens, Failure> {
        let began = Time::now();
        let owner = self.subject.id.as_str();
        let lock = Lock::take(&self.store, owner, &self.subject.vendor()).await?;
        let home = self.home()?;
        let mut held = self.recovered(&home, &lock).await?;
        if let Some(tokens) = held.tokens.as_ref().filter(|tokens| tokens.generation != seen && tokens.fresh(Time::now()) && !self.untried()) {
            return Ok(tokens.clone());
        }
        let spends = held.tokens.as_ref().is_some_and(|tokens| tokens.refresh.is_some()) && grants::refreshes(self.subject.method());
        let mut elsewhere = None;
        if spends {
            match home.turn(&mut held).await? {
                Turn::Ours(doubt) => elsewhere = doubt,
                Turn::Done(tokens) => {
                    home.learn(&held)?;
                    return Ok(tokens);
                }
            }
        }
        let tokens = held.tokens.clone();
        self.see(tokens.as_ref());
        let generation = held.generation();
        let method = self.subject.method();
        let refresh = tokens.as_ref().and_then(|tokens| tokens.refresh.as_deref()).filter(|_| grants::refreshes(method));
        let person = method.needs_consent();
        let mut intent = None;
        let asked = match (person, refresh) {
            (false, None) => grants::afresh(&self.subject).await,
            (_, Some(token)) => {
                let before = lock.intent(generation);
                // Somebody asked while we waited, with the same token, and was told no: asking again brings nothing.
                if let Some(refused) = before.as_ref().and_then(|before| before.refused.clone()).filter(|refused| refused.at >= began && !self.trial)
                {
                    return Err(refused.failure());
                }
                // A refusal ends the doubt, unless it was itself explained with one. Another host may have left one, too.
                let before = before.or_else(|| elsewhere.map(|at| Intent { generation, at, refused: None }));
                let doubtful = before.filter(|before| before.refused.as_ref().is_none_or(is_window));
                let now = Intent { generation, at: doubtful.as_ref().map_or_else(Time::now, |before| before.at), refused: None };
                lock.intend(&now).map_err(|error| lock_problem(&error))?;
                let subject = self.witnessed(self.subject.clone(), generation, false, IndexMap::new());
                let asked = grants::renewed(&subject, token, doubtful.is_some()).await;
                let asked = asked.map_err(|failure| match &doubtful {
                    Some(doubt) if failure.status == CredentialStatus::NeedsConsent => dated(failure, doubt),
                    _ => failure,
                });
                intent = Some((now, doubtful));
                asked
            }
            (true, None) => {
                let problem = match tokens {
                    Some(_) if method.delegates() => problem!(PersonMustAct, "oauth1.ended", vendor = self.subject.vendor()),
                    Some(_) => problem!(PersonMustAct, "auth.ended", vendor = self.subject.vendor()),
                    None => problem!(PersonMustAct, "auth.no_consent", vendor = self.subject.vendor()),
                };
                Err(Failure::new(problem, CredentialStatus::NeedsConsent))
            }
        };
        match asked {
            Ok(received) => {
                let renewed = self.keep(&home, received, &held).await?;
                lock.settle().map_err(|error| lock_problem(&error))?;
                Ok(renewed)
            }
            Err(failure) => {
                if intent.is_some() && !self.trial {
                    let settled = !failure.passes() || answered_no(&failure);
                    if let Some(tokens) = home.refused(&held, settled).await.filter(|tokens| tokens.fresh(Time::now())) {
                        lock.settle().map_err(|error| lock_problem(&error))?;
                        return Ok(tokens);
                    }
                }
                if let Some((now, doubtful)) = intent {
                    self.note_refusal(&lock, now, doubtful, &failure).map_err(|error| lock_problem(&error))?;
                }
                if !failure.passes() && !self.trial {
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

    /// What stays of an intent after a request that brought nothing.
    fn note_refusal(&self, lock: &Lock, now: Intent, doubtful: Option<Intent>, failure: &Failure) -> std::io::Result<()> {
        match doubtful {
            // The server has not said what became of the token, now or earlier.
            _ if failure.passes() && !answered_no(failure) => Ok(()),
            Some(doubt) if failure.passes() => lock.intend(&doubt),
            None if failure.passes() => lock.settle(),
            // Another secret's refusal is nobody else's.
            Some(doubt) if self.trial => lock.intend(&doubt),
            None if self.trial => lock.settle(),
            _ => lock.intend(&Intent { refused: Some(Refused::of(failure)), ..now }),
        }
    }

    /// The tokens as they are kept. An answer that was on disk when a process ended takes their place first.
    async fn recovered(&self, home: &Home, lock: &Lock) -> Result<Held, Problem> {
        let owner = self.subject.id.as_str();
        let held = home.load().await?;
        if !self.vault.fields(owner)?.iter().any(|field| field == INCOMING) {
            return home.deliver(held).await;
        }
        let generation = held.generation();
        let incoming = self.vault.get(owner, INCOMING)?.and_then(|text| serde_json::from_str::<Incoming>(text.expose()).ok());
        // A consent that was copied from a draft knows nothing of the generations in a store.
        let due = |incoming: &Incoming| incoming.generation == generation || (incoming.first && home.elsewhere());
        let Some(incoming) = incoming.filter(due) else {
            // It was read, and only this was not done any more.
            self.vault.remove(owner, INCOMING)?;
            return home.deliver(held).await;
        };
        // One that cannot be read stays: the definition may be mended.
        let Some(mut received) = request::read_kept(&self.subject, &incoming.content_type, incoming.body.as_bytes(), incoming.at) else {
            return Ok(held);
        };
        beside(&mut received, &incoming.found);
        received.anew |= incoming.first;
        self.keep(home, received, &held).await?;
        lock.settle().map_err(|error| lock_problem(&error))?;
        home.deliver(home.load().await?).await
    }

    /// The subject for a request whose answer is sealed into the vault before it is read.
    fn witnessed(&self, subject: Subject, generation: u64, first: bool, found: IndexMap<String, String>) -> Subject {
        let (vault, owner) = (Arc::clone(&self.vault), self.subject.id.clone());
        subject.witnessed(Arc::new(move |content_type: &str, body: &[u8]| {
            let (body, found) = (String::from_utf8_lossy(body).into_owned(), found.clone());
            let incoming = Incoming { generation, first, at: Time::now(), content_type: content_type.to_owned(), body, found };
            let text = serde_json::to_string(&incoming).map(Secret::new).map_err(|error| problem!(Failed, "auth.lock", reason = error))?;
            vault.put(&owner, INCOMING, &text)
        }))
    }

    /// Redeems what a person consented to, once, and keeps the tokens in place of whatever was there. `found` came beside the code: it may
    /// be a part of the token address, and is kept with the credential.
    pub async fn redeem(&self, grant: &Grant<'_>, found: IndexMap<String, String>) -> Result<(), Failure> {
        self.redeem_by(found, |subject| async move { request::tokens(&subject, grant).await }).await
    }

    /// The same for a verifier of OAuth 1.0a.
    pub async fn redeem_delegated(&self, agreed: &Agreed<'_>, found: IndexMap<String, String>) -> Result<(), Failure> {
        self.redeem_by(found, |subject| async move { delegation::tokens(&subject, agreed).await }).await
    }

    async fn redeem_by<F: Future<Output = Result<Received, Failure>>>(
        &self,
        found: IndexMap<String, String>,
        ask: impl FnOnce(Subject) -> F,
    ) -> Result<(), Failure> {
        let _under_way = UnderWay::begin();
        let lock = Lock::take(&self.store, &self.subject.id, &self.subject.vendor()).await?;
        let home = self.home()?;
        let before = home.load().await?;
        let generation = before.generation();
        let mut subject = self.subject.clone();
        subject.context.found.extend(found.clone());
        let mut received = ask(self.witnessed(subject, generation, true, found.clone())).await?;
        beside(&mut received, &found);
        Ok(self.put_first(&home, &lock, received, &before).await?)
    }

    /// Keeps what a code was redeemed for, in place of whatever was there.
    pub async fn keep_first(&self, received: Received) -> Result<(), Problem> {
        let lock = Lock::take(&self.store, &self.subject.id, &self.subject.vendor()).await?;
        let home = self.home()?;
        let before = home.load().await?;
        self.put_first(&home, &lock, received, &before).await
    }

    async fn put_first(&self, home: &Home, lock: &Lock, received: Received, before: &Held) -> Result<(), Problem> {
        self.keep(home, Received { anew: true, ..received }, before).await?;
        lock.settle().map_err(|error| lock_problem(&error))
    }

    async fn keep(&self, home: &Home, mut received: Received, held: &Held) -> Result<Tokens, Problem> {
        let owner = self.subject.id.as_str();
        let (now, seen) = (Time::now(), held.generation());
        // A refresh token that ends unused has just been used, also where it stays the same.
        if received.refresh.is_none() && received.refresh_expires.is_none() {
            let idle = tokens::lifetime(self.subject.method().lifetime.refresh.as_deref());
            received.refresh_expires = idle.and_then(|idle| now.checked_add(idle).ok());
        }
        // Another family: nothing of the old tokens is carried over but the count.
        let before = held.tokens.as_ref().filter(|_| !received.anew);
        let since = before.and_then(|tokens| tokens.since).unwrap_or(now);
        let absolute = tokens::lifetime(self.subject.method().lifetime.absolute.as_deref());
        let tokens = Tokens {
            refresh_expires: tokens::refresh_end(&received, before, since, absolute),
            access: std::mem::take(&mut received.access),
            // A response without a refresh token leaves the old one in force (RFC 6749 §6).
            refresh: received.refresh.take().or_else(|| before.and_then(|tokens| tokens.refresh.clone())),
            obtained: now,
            expires: received.expires,
            generation: seen + 1,
            id_token: received.id_token.as_deref().map(unsigned).or_else(|| before.and_then(|tokens| tokens.id_token.clone())),
            since: Some(since),
            token_secret: received.token_secret,
        };
        // First what must not be lost; then what is only shown.
        self.see(Some(&tokens));
        let person = self.subject.method().needs_consent();
        let granted = received.granted.clone().unwrap_or_else(|| self.subject.scopes.clone());
        let (first, again) = (received.anew && person, received.anew && !person);
        let tokens = home.keep(tokens, held, first, again, (&received.found, &granted)).await?;
        let alone = !self.subject.method().needs_consent();
        self.store.note_standing(owner, |standing| {
            standing.access_expires = tokens.expires;
            // Where nobody has to consent, another refresh token is had for the asking: its end is nobody's affair.
            standing.refresh_expires = tokens.refresh_expires.filter(|_| !alone);
            standing.refreshes = alone || tokens.refresh.is_some();
            standing.known.scopes_said = received.granted.is_some();
            standing.known.assumed = received.assumed;
            // RFC 6749 §5.1: nothing said means that all was granted.
            standing.granted = granted;
            standing.found.extend(received.found);
            // A refusal by the API itself is not undone by a new token.
            if matches!(standing.status, Some(CredentialStatus::NeedsConsent | CredentialStatus::Expired)) {
                standing.status = Some(CredentialStatus::Untested);
            }
        })?;
        Ok(tokens)
    }
}

/// What the response itself brought wins over what came beside the code.
fn beside(received: &mut Received, found: &IndexMap<String, String>) {
    for (name, value) in found {
        received.found.entry(name.clone()).or_insert_with(|| value.clone());
    }
}

/// Whether the server itself said no, so that it did not act upon the request.
fn answered_no(failure: &Failure) -> bool {
    failure.http.is_some_and(|status| (400..500).contains(&status))
}

/// Whether a refusal was explained with the window.
fn is_window(refused: &Refused) -> bool {
    refused.problem.code.as_deref() == Some(WINDOW)
}

/// The code of the problem that names the window.
pub const WINDOW: &str = "refresh_interrupted";

/// A refusal that comes after a refresh that was cut off, with the moment of that.
fn dated(mut failure: Failure, doubt: &Intent) -> Failure {
    let at = doubt.at.strftime("%Y-%m-%d %H:%M:%SZ");
    failure.problem.why = crate::t!("auth.token.window", at = at, why = failure.problem.why);
    failure.problem.code = Some(WINDOW.to_owned());
    failure
}

/// A signed token in compact form without its signature (RFC 7515 §7.1).
fn unsigned(token: &str) -> String {
    token.rsplit_once('.').map(|(content, _)| format!("{content}.")).unwrap_or_default()
}
