//! Where the tokens of a credential are kept: in the vault, or (setting `tokens_in`) in a KV store of HashiCorp Vault or OpenBao, where
//! several hosts can share one token set.
//!
//! What lies in the store is one field of a secret, a text with the tokens as JSON; other fields of the same secret stay as they are. Every
//! write names the version that it replaces (check-and-set), so nobody overwrites what he has not seen. Whose tokens are newer is told by the
//! consent that they come from and by their generation.
//!
//! A refresh token that rotates may be sent once. Before it is spent, the host that means to do so writes that down beside the tokens
//! (`refreshing`); the others wait for the outcome. A store that cannot be written is found out at this moment, before anything is spent.
//! Where it can no longer be written afterwards, the new tokens are sealed in our own vault ([`tokens::FIELD`]), used from there, and written
//! back as soon as the store answers.
//!
//! A draft keeps what it obtained to itself, in the vault; it comes into the store when the draft becomes a credential.

use std::sync::Arc;
use std::time::{Duration, Instant};

use indexmap::IndexMap;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::keeper::INCOMING;
use super::references::{self, Server};
use super::tokens::{self, Tokens};
use crate::model::{Credential, CredentialStatus, Problem, Time};
use crate::problem;
use crate::store::Store;
use crate::vault::Vault;
use crate::vault::reference::{Kv, Reference};
use crate::words::clean;

/// A setting that names where the tokens are kept: `vault://MOUNT/PATH#FIELD`.
pub const TOKENS_IN: &str = "tokens_in";

/// How long a refresh may be under way before another host takes it up: longer than a request for tokens may take.
const LONGEST_REFRESH: Duration = Duration::from_secs(40);
/// How often others look whether it is done.
const LOOK: Duration = Duration::from_millis(200);
/// How often a store is tried that does not answer when new tokens are to be kept, and the pause before the next time.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(300);
/// How often a write is lost to others before that is an error.
const RACES: u32 = 20;

/// Which field of the store a setting names.
pub fn place(setting: &str) -> Result<Kv, Problem> {
    match Reference::parse(setting)? {
        Reference::Vault(kv) => Ok(kv),
        other => {
            let reference = clean::line(&other.to_string(), 120);
            Err(problem!(Usage, "tokens_in.one_way", reference = reference))
        }
    }
}

/// The place that the settings of a credential name.
pub fn named(settings: &IndexMap<String, String>) -> Result<Option<Kv>, Problem> {
    settings.get(TOKENS_IN).map(|setting| setting.trim()).filter(|setting| !setting.is_empty()).map(place).transpose()
}

/// Somebody is about to spend the refresh token.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Refreshing {
    /// The credential and the host.
    by: String,
    at: Time,
    until: Time,
}

/// What lies in the store.
#[derive(Clone, Serialize, Deserialize)]
struct Written {
    #[serde(flatten)]
    tokens: Tokens,
    /// What came beside the tokens, for hosts that did not see the answer.
    #[serde(default)]
    found: IndexMap<String, String>,
    #[serde(default)]
    granted: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refreshing: Option<Refreshing>,
}

/// A secret of the store as it was read, to be replaced.
#[derive(Clone)]
pub struct Found {
    written: Option<Written>,
    fields: Map<String, Value>,
    version: u64,
}

impl Found {
    fn tokens(&self) -> Option<&Tokens> {
        self.written.as_ref().map(|written| &written.tokens)
    }

    fn generation(&self) -> u64 {
        self.tokens().map_or(0, |tokens| tokens.generation)
    }
}

/// The tokens of a credential or draft, and where they were.
pub struct Held {
    pub tokens: Option<Tokens>,
    /// What lies in the store, where that is their place and it answered.
    there: Option<Found>,
    /// There are tokens in the vault that belong into the store.
    waiting: bool,
}

impl Held {
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.tokens.as_ref().map_or(0, |tokens| tokens.generation)
    }

    /// Whether something can be written back now.
    #[must_use]
    pub fn can_deliver(&self) -> bool {
        self.waiting && self.there.is_some()
    }
}

/// Whose turn it is to refresh.
pub enum Turn {
    /// Ours. With a moment: another host began then, and did not come to an end.
    Ours(Option<Time>),
    /// Somebody else has done it.
    Done(Tokens),
}

/// What came beside tokens: values under `found`, and the scopes that were granted.
type Beside<'a> = (&'a IndexMap<String, String>, &'a [String]);

#[derive(Clone)]
pub struct Home {
    store: Arc<Store>,
    vault: Arc<Vault>,
    owner: String,
    kv: Option<Kv>,
    /// Values that came with tokens, to be shared with them.
    found: IndexMap<String, String>,
}

impl Home {
    pub fn new(store: &Arc<Store>, vault: &Arc<Vault>, credential: &Credential) -> Result<Self, Problem> {
        let (kv, found) = (named(&credential.settings)?, credential.found.clone());
        Ok(Self { store: Arc::clone(store), vault: Arc::clone(vault), owner: credential.id.clone(), kv, found })
    }

    pub fn of(store: &Arc<Store>, vault: &Arc<Vault>, owner: &str, setting: Option<&str>, found: IndexMap<String, String>) -> Result<Self, Problem> {
        let kv = setting.map(place).transpose()?;
        Ok(Self { store: Arc::clone(store), vault: Arc::clone(vault), owner: owner.to_owned(), kv, found })
    }

    /// A draft keeps what was obtained for it to itself.
    fn draft(&self) -> bool {
        self.owner.starts_with("draft_")
    }

    /// Whether these tokens belong into a store.
    #[must_use]
    pub fn elsewhere(&self) -> bool {
        self.kv.is_some() && !self.draft()
    }

    /// The tokens as they are kept. Where the store does not answer, those that wait for it; an error when there are none.
    pub async fn load(&self) -> Result<Held, Problem> {
        let own = Tokens::load(&self.vault, &self.owner)?;
        let Some(kv) = self.kv.as_ref().filter(|_| !(self.draft() && own.is_some())) else {
            return Ok(Held { tokens: own, there: None, waiting: false });
        };
        match (read(kv).await, own) {
            (Ok(found), own) => {
                let waiting = own.is_some();
                let tokens = own.filter(|own| found.tokens().is_none_or(|there| newer(own, there))).or_else(|| found.tokens().cloned());
                Ok(Held { tokens, there: Some(found), waiting })
            }
            (Err(_), Some(own)) => Ok(Held { tokens: Some(own), there: None, waiting: true }),
            (Err(problem), None) => Err(problem),
        }
    }

    /// Notes what another host learned, so that it is shown here, too.
    pub fn learn(&self, held: &Held) -> Result<(), Problem> {
        let Some(written) = held.there.as_ref().and_then(|there| there.written.as_ref()) else { return Ok(()) };
        self.store.note_standing(&self.owner, |standing| {
            standing.access_expires = written.tokens.expires;
            standing.refresh_expires = written.tokens.refresh_expires;
            standing.refreshes = standing.refreshes || written.tokens.refresh.is_some();
            standing.found.extend(written.found.clone());
            if !written.granted.is_empty() {
                standing.granted.clone_from(&written.granted);
            }
            if matches!(standing.status, Some(CredentialStatus::NeedsConsent | CredentialStatus::Expired)) {
                standing.status = Some(CredentialStatus::Untested);
            }
        })?;
        Ok(())
    }

    /// Waits until this host may spend the refresh token, and writes down that it is about to. `held` is then what lies there. Only for
    /// who holds the credential's lock: what this host began earlier has then come to its end.
    pub async fn turn(&self, held: &mut Held) -> Result<Turn, Problem> {
        let (Some(kv), Some(mut found), false) = (&self.kv, held.there.clone(), held.waiting) else { return Ok(Turn::Ours(None)) };
        let (began, seen) = (Instant::now(), held.generation());
        let by = format!("{}@{}", self.owner, host());
        for _ in 0..RACES * 20 {
            let now = Time::now();
            if let Some(tokens) = found.tokens().filter(|tokens| tokens.generation != seen && tokens.fresh(now)) {
                let tokens = tokens.clone();
                held.there = Some(found);
                return Ok(Turn::Done(tokens));
            }
            let Some(mut written) = found.written.clone() else { break };
            let others = written.refreshing.take().filter(|refreshing| refreshing.by != by);
            if others.as_ref().is_some_and(|others| others.until > now) && began.elapsed() < LONGEST_REFRESH {
                tokio::time::sleep(LOOK).await;
                found = read(kv).await?;
                continue;
            }
            let until = now + SignedDuration::from_secs(i64::try_from(LONGEST_REFRESH.as_secs()).unwrap_or(40));
            let tokens = written.tokens.clone();
            written.refreshing = Some(Refreshing { by: by.clone(), at: now, until });
            if let Some(claimed) = write(kv, &found, written).await? {
                (held.tokens, held.there) = (Some(tokens), Some(claimed));
                return Ok(Turn::Ours(others.map(|others| others.at)));
            }
            found = read(kv).await?;
        }
        // Taken away meanwhile: there is nothing to spend.
        if found.written.is_some() {
            return Err(problem!(Failed, "tokens_in.races", place = shown(kv)));
        }
        (held.tokens, held.there) = (None, Some(found));
        Ok(Turn::Ours(None))
    }

    /// After a refusal: the tokens that somebody else has put there meanwhile, if any. Otherwise it is written down that we are done, where
    /// `settled` says that the refresh token was not spent.
    pub async fn refused(&self, held: &Held, settled: bool) -> Option<Tokens> {
        let (Some(kv), Some(before)) = (&self.kv, &held.there) else { return None };
        let found = read(kv).await.ok()?;
        if found.generation() != before.generation() {
            return found.tokens().cloned();
        }
        if let Some(mut written) = found.written.clone().filter(|written| settled && written.refreshing.is_some()) {
            written.refreshing = None;
            // Where it fails, others wait a little longer.
            let _ = write(kv, &found, written).await;
        }
        None
    }

    /// Keeps new tokens where they belong, durably, and gives those that are then in force: others', where those were faster. `first`: they
    /// come from a new consent. `again`: others can be had without spending anything.
    pub async fn keep(&self, tokens: Tokens, held: &Held, first: bool, again: bool, beside: Beside<'_>) -> Result<Tokens, Problem> {
        let here = self.kv.is_none() || (self.draft() && (first || again || held.there.is_none()));
        if here || first {
            tokens.save(&self.vault, &self.owner, &[INCOMING])?;
            if here {
                return Ok(tokens);
            }
        }
        self.there(tokens, held, again, beside, &[INCOMING, tokens::FIELD]).await
    }

    /// Puts tokens into the store that wait for it, where that is possible now. Only for who holds the credential's lock.
    pub async fn deliver(&self, held: Held) -> Result<Held, Problem> {
        if !held.can_deliver() {
            return Ok(held);
        }
        if let Some(tokens) = Tokens::load(&self.vault, &self.owner)? {
            let granted = self.store.credential(&self.owner)?.map(|credential| credential.granted).unwrap_or_default();
            self.there(tokens, &held, false, (&IndexMap::new(), &granted), &[tokens::FIELD]).await?;
        }
        self.load().await
    }

    /// Keeps tokens in the store, and takes `gone` out of the vault then; in the vault where the store does not take them.
    async fn there(&self, tokens: Tokens, held: &Held, again: bool, beside: Beside<'_>, gone: &[&str]) -> Result<Tokens, Problem> {
        let (found, granted) = (self.found.iter().chain(beside.0).map(|(name, value)| (name.clone(), value.clone())).collect(), beside.1.to_vec());
        let theirs = |there: &Tokens| {
            if again { there.generation >= tokens.generation && there.fresh(Time::now()) } else { !newer(&tokens, there) }
        };
        match self.sent(&tokens, held.there.clone(), (found, granted), theirs).await {
            Ok(in_force) => {
                let fields = self.vault.fields(&self.owner)?;
                for field in gone.iter().filter(|field| fields.iter().any(|known| known == *field)) {
                    self.vault.remove(&self.owner, field)?;
                }
                self.note(None)?;
                Ok(in_force)
            }
            Err(reason) => {
                let gone: Vec<&str> = gone.iter().copied().filter(|field| *field != tokens::FIELD).collect();
                tokens.save(&self.vault, &self.owner, &gone)?;
                self.note(Some(reason))?;
                Ok(tokens)
            }
        }
    }

    async fn sent(
        &self,
        tokens: &Tokens,
        mut found: Option<Found>,
        beside: (IndexMap<String, String>, Vec<String>),
        theirs: impl Fn(&Tokens) -> bool,
    ) -> Result<Tokens, Problem> {
        let Some(kv) = &self.kv else { return Ok(tokens.clone()) };
        let (mut failures, mut races) = (0, 0);
        loop {
            let tried = async {
                let at = match found.take() {
                    Some(found) => found,
                    None => read(kv).await?,
                };
                if let Some(there) = at.tokens().filter(|there| theirs(there)) {
                    return Ok(Some(there.clone()));
                }
                let mut tokens = tokens.clone();
                tokens.generation = tokens.generation.max(at.generation() + 1);
                let mut written = Written { tokens: tokens.clone(), found: beside.0.clone(), granted: beside.1.clone(), refreshing: None };
                if let Some(before) = &at.written {
                    for (name, value) in &before.found {
                        written.found.entry(name.clone()).or_insert_with(|| value.clone());
                    }
                    if written.granted.is_empty() {
                        written.granted.clone_from(&before.granted);
                    }
                }
                Ok(write(kv, &at, written).await?.map(|_| tokens))
            };
            let failed = match tried.await {
                Ok(Some(in_force)) => return Ok(in_force),
                Ok(None) if races < RACES => {
                    races += 1;
                    continue;
                }
                Ok(None) => problem!(Failed, "tokens_in.races", place = shown(kv)),
                Err(problem) => problem,
            };
            failures += 1;
            if failures >= TRIES {
                return Err(failed);
            }
            tokio::time::sleep(PAUSE * failures).await;
        }
    }

    /// Tells, or no longer tells, that tokens wait here.
    fn note(&self, reason: Option<Problem>) -> Result<(), Problem> {
        let place = self.kv.as_ref().map(shown).unwrap_or_default();
        let told = reason
            .map(|reason| problem!(PersonMustAct, "tokens_in.waiting", place = place, what = reason.what, why = reason.why, next = reason.next_step));
        self.store.note_standing(&self.owner, |standing| standing.known.tokens_waiting = told)?;
        Ok(())
    }

    /// Takes the tokens out of the store. Other fields of the same secret stay.
    pub async fn remove(&self) -> Result<(), Problem> {
        let Some(kv) = &self.kv else { return Ok(()) };
        let server = Server::from_environment()?;
        for _ in 0..RACES {
            let found = read_at(&server, kv).await?;
            let mut fields = found.fields.clone();
            if fields.remove(&kv.field).is_none() {
                return Ok(());
            }
            if fields.is_empty() {
                return server.delete(kv).await;
            }
            if server.write(kv, &fields, found.version).await?.is_some() {
                return Ok(());
            }
        }
        Err(problem!(Failed, "tokens_in.races", place = shown(kv)))
    }

    /// [`Home::load`], for who is not in a task. Waits up to ten seconds for the store.
    pub fn load_now(&self) -> Result<Held, Problem> {
        if self.kv.is_none() {
            return Ok(Held { tokens: Tokens::load(&self.vault, &self.owner)?, there: None, waiting: false });
        }
        let home = self.clone();
        references::now(move || async move { home.load().await })
    }

    /// [`Home::deliver`], likewise.
    pub fn deliver_now(&self) -> Result<(), Problem> {
        if self.kv.is_none() {
            return Ok(());
        }
        let home = self.clone();
        references::now(move || async move {
            match home.load().await {
                Ok(held) if held.there.is_some() => home.deliver(held).await.map(|_| ()),
                Ok(held) if held.waiting => match &home.kv {
                    // It does not answer; what it says is what the person is told.
                    Some(kv) => read(kv).await.map(|_| ()).or_else(|problem| home.note(Some(problem))),
                    None => Ok(()),
                },
                Ok(_) => Ok(()),
                Err(problem) => Err(problem),
            }
        })
    }

    /// [`Home::remove`], likewise.
    pub fn remove_now(&self) -> Result<(), Problem> {
        if self.kv.is_none() {
            return Ok(());
        }
        let home = self.clone();
        references::now(move || async move { home.remove().await })
    }

    /// What could not be removed, in a sentence.
    #[must_use]
    pub fn left(&self, problem: &Problem) -> Problem {
        let place = self.kv.as_ref().map(shown).unwrap_or_default();
        problem!(Partial, "tokens_in.left", place = place, what = problem.what, why = problem.why)
    }
}

/// Whether these tokens are newer than those: from a later consent, or of a later generation.
fn newer(these: &Tokens, those: &Tokens) -> bool {
    match (these.since, those.since) {
        (Some(this), Some(that)) if this != that => this > that,
        _ => these.generation > those.generation,
    }
}

/// Whether the store answers, and holds nothing else in the place.
pub async fn reachable(kv: &Kv) -> Result<(), Problem> {
    read(kv).await.map(|_| ())
}

async fn read(kv: &Kv) -> Result<Found, Problem> {
    read_at(&Server::from_environment()?, kv).await
}

async fn read_at(server: &Server, kv: &Kv) -> Result<Found, Problem> {
    let stored = server.read_all(kv).await?;
    let written = match stored.fields.get(&kv.field) {
        None | Some(Value::Null) => None,
        Some(value) => {
            let read = match value {
                Value::String(text) if text.trim().is_empty() => Ok(None),
                Value::String(text) => serde_json::from_str(text).map(Some),
                other => serde_json::from_value(other.clone()).map(Some),
            };
            // A field that holds something else was named by mistake; it is not overwritten.
            read.map_err(|_| problem!(Usage, "tokens_in.not_tokens", place = shown(kv)))?
        }
    };
    Ok(Found { written, fields: stored.fields, version: stored.version })
}

/// `None`: somebody else was faster.
async fn write(kv: &Kv, before: &Found, written: Written) -> Result<Option<Found>, Problem> {
    let text = serde_json::to_string(&written).map_err(|error| problem!(Failed, "auth.lock", reason = error))?;
    let mut fields = before.fields.clone();
    fields.insert(kv.field.clone(), Value::String(text));
    let version = Server::from_environment()?.write(kv, &fields, before.version).await?;
    Ok(version.map(|version| Found { written: Some(written), fields, version }))
}

fn shown(kv: &Kv) -> String {
    clean::line(&format!("vault://{kv}"), 200)
}

fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    clean::line(name.trim(), 80)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_store_that_can_be_written_takes_tokens() {
        assert_eq!(place(" vault://secret/team/a#tokens ").unwrap().to_string(), "secret/team/a#tokens");
        for one_way in ["env:A", "file:/a", "pass:a", "op://a/b/c"] {
            let problem = place(one_way).unwrap_err();
            assert!(problem.exit_code() == 2 && problem.next_step.contains("vault://") && problem.why.contains(one_way), "{problem:?}");
        }
        let problem = place("hunter2").unwrap_err();
        assert!(!format!("{problem:?}").contains("hunter2"));
    }

    #[test]
    fn the_later_consent_and_then_the_later_generation() {
        let of = |since: Option<&str>, generation| {
            let json = serde_json::json!({"access": "a", "refresh": "r", "obtained": "2026-01-01T00:00:00Z", "expires": null,
                "refresh_expires": null, "generation": generation, "since": since});
            serde_json::from_value::<Tokens>(json).unwrap()
        };
        let (old, new) = (Some("2026-01-01T00:00:00Z"), Some("2026-02-01T00:00:00Z"));
        assert!(newer(&of(new, 1), &of(old, 9)) && !newer(&of(old, 9), &of(new, 1)));
        assert!(newer(&of(old, 3), &of(old, 2)) && !newer(&of(old, 2), &of(old, 2)));
        assert!(newer(&of(None, 3), &of(new, 2)));
    }

    #[test]
    fn what_is_written_is_read_again() {
        let text = r#"{"access":"a","refresh":null,"obtained":"2026-01-01T00:00:00Z","expires":null,"refresh_expires":null,"generation":4}"#;
        let mut written: Written = serde_json::from_str(text).unwrap();
        let now = Time::now();
        written.refreshing = Some(Refreshing { by: "x".to_owned(), at: now, until: now });
        let again: Written = serde_json::from_str(&serde_json::to_string(&written).unwrap()).unwrap();
        assert_eq!((again.tokens.generation, again.refreshing), (4, written.refreshing.clone()));
    }
}
