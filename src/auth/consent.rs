//! Consent: a loopback listener, a pasted answer and a device code race; the first valid answer wins, and the others end.
//!
//! The authorization code flow is RFC 6749 §4.1 with RFC 7636, RFC 8252, RFC 9126 and RFC 9207; the device flow is RFC 8628. State,
//! verifier and device code are kept in the vault while the flow is open, so that the wait goes on after a lost connection.

use std::sync::{Arc, Mutex as Shared, PoisonError};
use std::time::Duration;

use jiff::SignedDuration;
use oauth2::PkceCodeChallenge;
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::authorization::{self, Address};
use super::callback::{self, Answer, Expected, Reply};
use super::delegation::{self, Agreed};
use super::device;
use super::keeper::{INCOMING, Keeper};
use super::listener::{Pages, Sockets};
use super::metadata::Document;
use super::paste;
use super::pending::{self, Pending};
use super::redirect::{self, Target};
use super::redirect_doctor;
use super::refusal::Failure;
use super::request::Grant;
use super::subject::{REDIRECT_URI, Subject};
use super::tokens::Received;
use super::{endpoints, handoff, tokens};
use crate::model::{AuthKind, AuthMethod, CredentialStatus, Loopback, Pkce, Problem, Progress, Secret, Sink, Time};
use crate::store::Store;
use crate::vault::Vault;
use crate::vendor::http;
use crate::words::clean;
use crate::{problem, t};

pub use super::redirect::registered;

/// How long an answer is waited for.
const OPEN: SignedDuration = SignedDuration::from_mins(10);
/// What is left of a flow or a device code that is worth taking up again.
const WORTH: SignedDuration = SignedDuration::from_mins(1);
/// How long the address waits for what only may be there: the server's document, a device code.
const PATIENCE: Duration = Duration::from_secs(8);

/// What the listener makes of a request.
pub enum Heard {
    /// Nothing to do with this flow.
    Stray,
    /// An answer, but not a valid one.
    Rejected(Problem),
    Accepted,
}

/// What ended the race.
#[derive(Clone)]
enum Won {
    Answer(Answer),
    /// The device's tokens are in the flow.
    Device,
    /// The only way there was is over.
    Over(Problem),
}

/// Something for the person who waits.
enum Note {
    /// What came and was no valid answer.
    Rejected(Problem),
    /// One of the ways is not open, or no longer.
    Closed(Problem),
}

/// One flow. The listener, pasted text, the device's poll and the waiting task share it.
pub struct Flow {
    expected: Expected,
    path: String,
    redirect_uri: String,
    verifier: Option<Secret>,
    /// Whether a server that refuses PKCE may be asked without it.
    may_go_plain: bool,
    /// The secret of the temporary credentials of OAuth 1.0a.
    temporary: Option<Secret>,
    /// Opens what another machine sealed.
    handoff: Option<Secret>,
    won: watch::Sender<Option<Won>>,
    outcome: watch::Sender<Option<Result<(), Problem>>>,
    /// When nobody reads them, the oldest are enough.
    notes: mpsc::Sender<Note>,
    /// What the device was given.
    received: Shared<Option<Received>>,
    keeper: Keeper,
    /// Whoever changes what is kept of the flow.
    spending: Shared<()>,
    listening: CancellationToken,
    polling: CancellationToken,
}

/// A flow that was begun. Dropping it stops the listener and the poll.
pub struct Begun {
    pub authorize_url: String,
    /// When the address ends before the flow does, because its request was pushed.
    pub authorize_url_expires: Option<Time>,
    /// Empty where nothing is redirected.
    pub redirect_uri: String,
    /// For another machine.
    pub request: Option<String>,
    /// Where the listener is up.
    pub port: Option<u16>,
    pub device: Option<device::Code>,
    pub expires: Time,
    flow: Arc<Flow>,
    renewal: Option<Renewal>,
    /// The address that took the place of the first, and its end.
    renewed: watch::Sender<Option<(String, Time)>>,
    notes: Mutex<mpsc::Receiver<Note>>,
    pages: Option<Pages>,
    stop: CancellationToken,
    _guard: DropGuard,
}

/// What it takes to push the request anew.
struct Renewal {
    authorize: Url,
    pending: Pending,
    place: String,
    required: bool,
}

/// Opens every way that there is: listens, asks for a device code, and makes the authorization URL.
pub async fn begin(store: Arc<Store>, vault: Arc<Vault>, subject: Subject) -> Result<Begun, Problem> {
    // Better now than after the person has consented.
    match subject.method().kind {
        AuthKind::OAuth2Code => {
            let authorize = http::address(&endpoints::authorize(&subject).await?)?;
            endpoints::token_to_come(&subject).await?;
            begin_code(store, vault, subject, authorize).await
        }
        AuthKind::Device => {
            endpoints::token(&subject).await?;
            begin_device(store, vault, subject).await
        }
        AuthKind::OAuth1 if subject.method().delegates() => begin_delegated(store, vault, subject).await,
        _ => Err(problem!(Usage, "auth.consent.none", vendor = subject.vendor(), method = clean::line(&subject.method().name, 80))),
    }
}

async fn begin_code(store: Arc<Store>, vault: Arc<Vault>, subject: Subject, authorize: Url) -> Result<Begun, Problem> {
    let client_id = subject.required("client_id")?.to_owned();
    let target = redirect::target(&subject)?;
    let document = tokio::time::timeout(PATIENCE, endpoints::document(&subject)).await.ok().and_then(Result::ok).flatten();
    let document = document.as_deref();
    let issuer = endpoints::issuer(&subject, document)?;
    let device_at = endpoints::device_in(&subject, document)?;
    let push_at = endpoints::push_in(&subject, document)?;
    let now = Time::now();

    let asked = serde_json::json!([authorize.as_str(), client_id, subject.scopes, subject.input(REDIRECT_URI)]).to_string();
    let open = Pending::load(&vault, &subject.id)?.filter(|pending| pending.asked == asked && pending.expires.duration_since(now) > WORTH);
    let refused_pkce = open.as_ref().is_some_and(|pending| pending.plain);
    let resumed = match open {
        Some(pending) => redirect::again(&target, &pending.redirect_uri).await.ok().map(|sockets| (pending, sockets)),
        None => None,
    };
    let (mut pending, sockets) = match resumed {
        Some(resumed) => resumed,
        None => {
            let (redirect_uri, sockets) = redirect::place(&target).await;
            let verifier = pkce(&subject, document, refused_pkce)?.then(|| PkceCodeChallenge::new_random_sha256().1.secret().clone());
            let pending = Pending { handoff: handoff::key(), ..Pending::new(redirect_uri, verifier, now + OPEN, asked) };
            (Pending { plain: refused_pkce, ..pending }, sockets)
        }
    };
    let shown = pending.device.take();
    // Both may take a while, and neither needs the other.
    let required = document.is_some_and(Document::requires_push);
    let (address, code) = tokio::join!(
        authorization::address(&subject, &authorize, &pending, push_at.as_deref().map(|place| (place, required))),
        device_code(&subject, device_at.as_deref(), shown)
    );
    let Address { url, plain, expires: authorize_url_expires, remark } = address?;
    // On its way to another machine a pushed request would end, unless the server takes nothing else.
    let carried = if required { url.as_str() } else { plain.as_str() };
    let (code, closed) = match code {
        Ok(code) => (code, None),
        Err(problem) => (None, Some(problem)),
    };
    pending.device.clone_from(&code);
    pending.save(&vault, &subject.id)?;
    let expected = Expected {
        vendor: subject.vendor(),
        host: clean::line(authorize.host_str().unwrap_or_default(), 200),
        state: pending.state.clone(),
        issuer,
        names_issuer: document.is_some_and(Document::names_itself),
        pkce: pending.verifier.is_some(),
        scopes: subject.scopes.join(" "),
        expires: pending.expires,
        names: subject.method().rename.clone(),
        capture: subject.method().response.callback.clone(),
    };
    let may_go_plain = subject.method().pkce == Pkce::Try && document.and_then(Document::takes_pkce).is_none();
    let renewal = authorize_url_expires.zip(push_at).map(|(_, place)| Renewal { authorize, pending: pending.clone(), place, required });
    let begun = Begun {
        authorize_url_expires,
        request: handoff::request(&pending, &subject.vendor(), carried, &subject.method().rename),
        renewal,
        device: code,
        ..Begun::new(Keeper::new(store, vault, subject), expected, &pending, url.into(), may_go_plain)
    };
    for problem in [remark, closed].into_iter().flatten() {
        let _ = begun.flow.notes.try_send(Note::Closed(problem));
    }
    Ok(begun.start(sockets))
}

/// Whether the vendor shows the verifier to the person, because it redirects to no address of ours (RFC 5849 §2.1).
#[must_use]
pub fn out_of_band(method: &AuthMethod) -> bool {
    method.delegates() && method.redirect.loopback == Loopback::HttpsOnly
}

/// OAuth 1.0a (RFC 5849 §2): the temporary token is the state, and binds the verifier to this flow.
async fn begin_delegated(store: Arc<Store>, vault: Arc<Vault>, subject: Subject) -> Result<Begun, Problem> {
    let places = delegation::places(&subject)?;
    let setting = subject.input(REDIRECT_URI);
    let shown = setting.is_none() && out_of_band(subject.method());
    let target = if shown { Target::Elsewhere(delegation::OUT_OF_BAND.to_owned()) } else { redirect::target(&subject)? };
    let asked = serde_json::json!([places.request, places.authorize.as_str(), subject.required("consumer_key")?, setting]).to_string();
    let now = Time::now();
    let open = Pending::load(&vault, &subject.id)?.filter(|pending| pending.asked == asked && pending.expires.duration_since(now) > WORTH);
    let resumed = match open.filter(|pending| pending.temporary.is_some()) {
        Some(pending) => redirect::again(&target, &pending.redirect_uri).await.ok().map(|sockets| (pending, sockets)),
        None => None,
    };
    let (pending, sockets) = match resumed {
        Some(resumed) => resumed,
        None => {
            let (redirect_uri, sockets) = redirect::place(&target).await;
            let given = delegation::temporary(&subject, &places.request, &redirect_uri).await?;
            // Where the verifier is shown, it is carried by hand; and a short token is no state that another machine believes.
            let handoff = if shown || given.token.len() < handoff::SHORTEST_STATE { None } else { handoff::key() };
            let plain = Pending::new(redirect_uri, None, now + OPEN, asked);
            (Pending { state: given.token, temporary: Some(given.secret.expose().to_owned()), handoff, ..plain }, sockets)
        }
    };
    pending.save(&vault, &subject.id)?;
    let url = delegation::address(&subject, &places.authorize, &pending.state)?;
    let expected = Expected {
        vendor: subject.vendor(),
        host: clean::line(places.authorize.host_str().unwrap_or_default(), 200),
        state: pending.state.clone(),
        issuer: None,
        names_issuer: false,
        pkce: true,
        scopes: subject.scopes.join(" "),
        expires: pending.expires,
        names: callback::of_oauth1(&subject.method().rename),
        capture: subject.method().response.callback.clone(),
    };
    let request = handoff::request(&pending, &subject.vendor(), url.as_str(), &expected.names);
    let begun = Begun::new(Keeper::new(store, vault, subject), expected, &pending, url.into(), false);
    let redirect_uri = if shown { String::new() } else { pending.redirect_uri };
    Ok(Begun { request, redirect_uri, ..begun }.start(sockets))
}

async fn begin_device(store: Arc<Store>, vault: Arc<Vault>, subject: Subject) -> Result<Begun, Problem> {
    let Some(place) = endpoints::device(&subject).await? else {
        return Err(problem!(Usage, "auth.device.no_address", vendor = subject.vendor()));
    };
    let asked = serde_json::json!([place, subject.required("client_id")?, subject.scopes]).to_string();
    let now = Time::now();
    let open = Pending::load(&vault, &subject.id)?.filter(|pending| pending.asked == asked && pending.expires.duration_since(now) > WORTH);
    let pending = match open.filter(|pending| pending.device.is_some()) {
        Some(pending) => pending,
        None => {
            let code = device::request(&subject, &place).await.map_err(|failure| failure.problem)?;
            Pending { device: Some(code.clone()), ..Pending::new(String::new(), None, code.expires, asked) }
        }
    };
    pending.save(&vault, &subject.id)?;
    let expected = Expected {
        vendor: subject.vendor(),
        host: Url::parse(&place).ok().and_then(|url| url.host_str().map(|host| clean::line(host, 200))).unwrap_or_default(),
        state: pending.state.clone(),
        issuer: None,
        names_issuer: false,
        pkce: false,
        scopes: subject.scopes.join(" "),
        expires: pending.expires,
        names: callback::Names::new(),
        capture: callback::Names::new(),
    };
    let page = pending.device.as_ref().map(|code| code.verification_uri_complete.as_ref().unwrap_or(&code.verification_uri).clone());
    let begun = Begun::new(Keeper::new(store, vault, subject), expected, &pending, page.unwrap_or_default(), false);
    Ok(Begun { device: pending.device.clone(), ..begun }.start(None))
}

/// A device code beside the other ways; one that was shown already while it lasts.
async fn device_code(subject: &Subject, place: Option<&str>, open: Option<device::Code>) -> Result<Option<device::Code>, Problem> {
    let Some(place) = place else { return Ok(None) };
    if let Some(code) = open.filter(|code| code.expires.duration_since(Time::now()) > WORTH) {
        return Ok(Some(code));
    }
    let reason = match tokio::time::timeout(PATIENCE, device::request(subject, place)).await {
        Ok(Ok(code)) => return Ok(Some(code)),
        Ok(Err(failure)) => failure.problem.why,
        Err(_) => t!("auth.device.late").to_owned(),
    };
    Err(problem!(Failed, "auth.device.closed", vendor = subject.vendor(), reason = reason))
}

/// Whether this request carries a challenge (RFC 7636). RFC 9700 §2.1.1 wants one always; where the server's document says that it takes
/// one, a refusal is not believed, because whoever can make it refuse would take the protection away.
fn pkce(subject: &Subject, document: Option<&Document>, refused: bool) -> Result<bool, Problem> {
    match (subject.method().pkce, document.and_then(Document::takes_pkce)) {
        (Pkce::Off, _) => Ok(false),
        (Pkce::Require, Some(false)) => Err(problem!(Failed, "auth.pkce.unknown", vendor = subject.vendor())),
        (Pkce::Require, _) | (Pkce::Try, Some(true)) => Ok(true),
        (Pkce::Try, Some(false)) => Ok(false),
        (Pkce::Try, None) => Ok(!refused),
    }
}

impl Flow {
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    #[must_use]
    pub fn vendor(&self) -> &str {
        &self.expected.vendor
    }

    /// A request that reached the listener.
    pub fn hear(&self, query: &str) -> Heard {
        let reply = Reply::read(query, &self.expected.names);
        if !reply.speaks() {
            return Heard::Stray;
        }
        // The page that was loaded again shows the same outcome.
        if let Some(Won::Answer(Answer::Code(given))) = &*self.won.borrow()
            && reply.code.as_deref() == Some(given.code.expose())
            && reply.state.as_deref() == Some(self.expected.state.as_str())
        {
            return Heard::Accepted;
        }
        match callback::judge(&self.expected, &reply, Time::now()).and_then(|answer| self.accept(Won::Answer(answer), true)) {
            Ok(()) => Heard::Accepted,
            Err(problem) => {
                let _ = self.notes.try_send(Note::Rejected(problem.clone()));
                Heard::Rejected(problem)
            }
        }
    }

    /// Pasted text.
    pub fn offer(&self, pasted: &str) -> Result<(), Problem> {
        if self.redirect_uri.is_empty() {
            return Err(problem!(Usage, "auth.answer.device", vendor = self.vendor()));
        }
        let opened = handoff::open(self.handoff.as_ref().map(Secret::expose), pasted).transpose()?;
        let judged = paste::judge(&self.expected, opened.as_ref().map_or(pasted, Secret::expose), Time::now());
        let (answer, _) = judged.map_err(|problem| {
            // The vendor's page about it, copied whole.
            redirect_doctor::mismatch(self.vendor(), &self.redirect_uri, pasted).map_or(problem, |found| found.problem)
        })?;
        self.accept(Won::Answer(answer), false)
    }

    /// The first one in ends the others. The listener that heard the answer stays for the page in the browser.
    fn accept(&self, won: Won, heard: bool) -> Result<(), Problem> {
        let first = self.won.send_if_modified(|held| {
            let first = held.is_none();
            if first {
                *held = Some(won);
            }
            first
        });
        if !first {
            return Err(problem!(Usage, "auth.answer.used", vendor = self.vendor()));
        }
        self.polling.cancel();
        if !heard {
            self.listening.cancel();
        }
        Ok(())
    }

    /// Asks the server about the device until another way was quicker, or this one is over.
    async fn follow(self: Arc<Self>, code: device::Code) {
        let ended = tokio::select! {
            biased;
            () = self.polling.cancelled() => return,
            ended = device::poll(&self.keeper.subject, &code, |every| self.slowed(&code, every)) => ended,
        };
        let won = match ended {
            Ok(received) => {
                *self.received.lock().unwrap_or_else(PoisonError::into_inner) = Some(received);
                Won::Device
            }
            Err(device::End::Refused(problem)) => Won::Answer(Answer::Refused(problem)),
            Err(device::End::Over(problem)) if self.redirect_uri.is_empty() => Won::Over(problem),
            Err(device::End::Over(problem)) => {
                let problem = problem!(Failed, "auth.device.closed", vendor = self.vendor(), reason = problem.why);
                let _ = self.notes.try_send(Note::Closed(problem));
                return;
            }
        };
        // Too late is no failure: there is an answer.
        let _ = self.accept(won, false);
    }

    /// Keeps the slower pace, which RFC 8628 §3.5 sets for all later requests: also for who takes up the wait again.
    fn slowed(&self, code: &device::Code, every: Duration) {
        let _spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        if self.won.borrow().is_some() {
            return;
        }
        let (owner, vault) = (self.keeper.subject.id.as_str(), &self.keeper.vault);
        let Ok(Some(mut pending)) = Pending::load(vault, owner) else { return };
        if pending.state == self.expected.state
            && let Some(shown) = pending.device.take_if(|shown| shown.is(code))
        {
            pending.device = Some(shown.slowed(every));
            // Where it cannot be kept, the server says it again.
            let _ = pending.save(vault, owner);
        }
    }

    /// What is kept of this flow, and no longer is: it is spent, whatever comes of it.
    fn spend(&self) -> Result<Option<Pending>, Problem> {
        let _spending = self.spending.lock().unwrap_or_else(PoisonError::into_inner);
        let (owner, vault) = (self.keeper.subject.id.as_str(), &self.keeper.vault);
        // Another process may have been quicker.
        let pending = Pending::load(vault, owner)?.filter(|pending| pending.state == self.expected.state);
        if pending.is_some() {
            vault.remove(owner, pending::FIELD)?;
        }
        Ok(pending)
    }

    /// How the flow ended, for the page in the browser.
    pub async fn outcome(&self) -> Option<Result<(), Problem>> {
        let mut outcome = self.outcome.subscribe();
        outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone())
    }

    #[must_use]
    pub fn was_refused(&self) -> bool {
        matches!(&*self.won.borrow(), Some(Won::Answer(Answer::Refused(_))))
    }

    /// Redeems what came and keeps the tokens.
    async fn redeem(&self, won: Won) -> Result<(), Problem> {
        let (owner, vault) = (self.keeper.subject.id.as_str(), &self.keeper.vault);
        let Some(pending) = self.spend()? else {
            return Err(problem!(Usage, "auth.answer.used", vendor = self.vendor()));
        };
        let received = match won {
            Won::Over(problem) => return Err(problem),
            Won::Answer(Answer::Refused(problem)) if self.may_go_plain && pending.verifier.is_some() && blames_pkce(&problem) => {
                let next = Pending::new(pending.redirect_uri.clone(), None, Time::now() + OPEN, pending.asked.clone());
                Pending { plain: true, handoff: handoff::key(), ..next }.save(vault, owner)?;
                return Err(problem!(PersonMustAct, "auth.pkce.refused", vendor = self.vendor()).with_code("pkce_refused"));
            }
            Won::Answer(Answer::Refused(problem)) => return Err(problem),
            Won::Device => {
                let received = self.received.lock().unwrap_or_else(PoisonError::into_inner).take();
                received.ok_or_else(|| problem!(Failed, "auth.stopped", vendor = self.vendor()))?
            }
            Won::Answer(Answer::Code(given)) => {
                if let Some(secret) = &self.temporary {
                    let agreed = Agreed { token: &self.expected.state, secret, verifier: &given.code };
                    return self.keeper.redeem_delegated(&agreed, given.found).await.map_err(|failure| failure.problem);
                }
                let verifier = self.verifier.as_ref().map(Secret::expose);
                let grant = Grant::Code { code: given.code.expose(), verifier, redirect_uri: &self.redirect_uri };
                return self.keeper.redeem(&grant, given.found).await.map_err(|failure: Failure| failure.problem);
            }
        };
        self.keeper.keep_first(received).await
    }
}

/// Whether a server refused the request because of its challenge. RFC 7636 §4.4.1 has a server that wants one say `invalid_request`; one
/// that does not know the parameters has no better name for it.
fn blames_pkce(problem: &Problem) -> bool {
    let why = problem.why.to_ascii_lowercase();
    problem.code.as_deref() == Some("invalid_request") && ["code_challenge", "pkce", "code challenge"].iter().any(|word| why.contains(word))
}

impl Begun {
    fn new(keeper: Keeper, expected: Expected, pending: &Pending, authorize_url: String, may_go_plain: bool) -> Self {
        let (notes, noted) = mpsc::channel(16);
        let stop = CancellationToken::new();
        let expires = pending.expires;
        let flow = Arc::new(Flow {
            expected,
            path: Url::parse(&pending.redirect_uri).map(|url| url.path().to_owned()).unwrap_or_default(),
            redirect_uri: pending.redirect_uri.clone(),
            verifier: pending.verifier.clone().map(Secret::new),
            may_go_plain,
            temporary: pending.temporary.clone().map(Secret::new),
            handoff: pending.handoff.clone().map(Secret::new),
            won: watch::channel(None).0,
            outcome: watch::channel(None).0,
            notes,
            received: Shared::new(None),
            keeper,
            spending: Shared::new(()),
            listening: stop.child_token(),
            polling: stop.child_token(),
        });
        Self {
            authorize_url,
            authorize_url_expires: None,
            redirect_uri: pending.redirect_uri.clone(),
            request: None,
            port: None,
            device: None,
            expires,
            flow,
            renewal: None,
            renewed: watch::channel(None).0,
            notes: Mutex::new(noted),
            pages: None,
            _guard: stop.clone().drop_guard(),
            stop,
        }
    }

    /// From here on answers are taken.
    fn start(mut self, sockets: Option<Sockets>) -> Self {
        if let Some(code) = self.device.clone() {
            tokio::spawn(Arc::clone(&self.flow).follow(code));
        }
        if let Some(sockets) = sockets {
            self.port = Some(sockets.port);
            self.pages = Some(sockets.serve(&self.flow, &self.flow.listening));
        }
        self
    }

    /// See [`Flow::offer`].
    pub fn offer(&self, pasted: &str) -> Result<(), Problem> {
        self.flow.offer(pasted)
    }

    /// Waits for the first valid answer and redeems it. May be called again after it was dropped.
    pub async fn finish(&self, sink: &Sink) -> Result<(), Problem> {
        let result = self.wait(sink).await;
        self.stop.cancel();
        if let Some(pages) = &self.pages {
            pages.sent().await;
        }
        result
    }

    async fn wait(&self, sink: &Sink) -> Result<(), Problem> {
        let mut winners = self.flow.won.subscribe();
        let mut notes = self.notes.lock().await;
        let mut rejected = None;
        // Where there is nothing but a device code, the server says how it ended.
        let grace = if self.flow.redirect_uri.is_empty() { Duration::from_secs(40) } else { Duration::ZERO };
        let late = tokio::time::sleep(left(self.expires) + grace);
        tokio::pin!(late);
        let mut address_ends = self.authorize_url_expires;
        let won = loop {
            let stale = async {
                match address_ends {
                    Some(ends) => tokio::time::sleep(left(ends)).await,
                    None => std::future::pending().await,
                }
            };
            let winner = async { winners.wait_for(Option::is_some).await.ok().and_then(|won| won.clone()) };
            tokio::select! {
                biased;
                () = sink.cancel.cancelled() => return Err(problem!(Failed, "auth.consent.cancelled", vendor = self.flow.vendor())),
                Some(note) = notes.recv() => match note {
                    Note::Rejected(problem) => {
                        sink.report(doing(format!("{}: {}", problem.what, problem.why)));
                        rejected = Some(problem);
                    }
                    Note::Closed(problem) => sink.report(doing(format!("{}: {}", problem.what, problem.why))),
                },
                won = winner => match won {
                    Some(won) => break won,
                    None => return Err(problem!(Failed, "auth.stopped", vendor = self.flow.vendor())),
                },
                () = &mut late => {
                    return Err(rejected.unwrap_or_else(|| problem!(PersonMustAct, "auth.consent.silent", vendor = self.flow.vendor())));
                }
                () = stale => address_ends = match self.renew().await {
                    Ok(Some((address, ends))) => {
                        sink.report(doing(t!("auth.push.renewed").to_owned()));
                        self.renewed.send_replace(Some((address, ends)));
                        Some(ends)
                    }
                    Ok(None) => None,
                    Err(problem) => {
                        sink.report(doing(format!("{}: {}", problem.what, problem.why)));
                        None
                    }
                },
            }
        };
        if let Some(outcome) = self.flow.outcome.borrow().clone() {
            return outcome;
        }
        sink.report(doing(t!("auth.redeeming", vendor = self.flow.vendor())));
        // Goes on when nobody waits any more: the code is spent by being sent.
        let flow = Arc::clone(&self.flow);
        let redeemed = tokio::spawn(async move {
            let outcome = flow.redeem(won).await.map_err(|problem| redirect_doctor::explained(problem, flow.vendor(), &flow.redirect_uri));
            flow.outcome.send_replace(Some(outcome.clone()));
            outcome
        });
        redeemed.await.unwrap_or_else(|_| Err(problem!(Failed, "auth.stopped", vendor = self.flow.vendor())))
    }

    /// The address that takes the place of `shown` once that has ended, and its own end; waits for it while [`Begun::finish`] does.
    pub async fn renewed(&self, shown: &str) -> (String, Time) {
        let mut renewed = self.renewed.subscribe();
        match renewed.wait_for(|other| other.as_ref().is_some_and(|(address, _)| address != shown)).await.ok().and_then(|other| other.clone()) {
            Some(other) => other,
            None => std::future::pending().await,
        }
    }

    /// Pushes the request anew: the same flow under another address.
    async fn renew(&self) -> Result<Option<(String, Time)>, Problem> {
        let Some(Renewal { authorize, pending, place, required }) = &self.renewal else { return Ok(None) };
        let pushed = authorization::address(&self.flow.keeper.subject, authorize, pending, Some((place, *required))).await?;
        // Without an end it is the plain address: good as long as the flow.
        Ok(Some((pushed.url.into(), pushed.expires.unwrap_or(self.expires))))
    }
}

fn left(until: Time) -> Duration {
    Duration::try_from(until.duration_since(Time::now())).unwrap_or_default()
}

fn doing(doing: String) -> Progress {
    Progress { doing, records: 0, pages: 0, total: None, rate: 0.0, seconds_left: None }
}

/// Whether a field of the vault holds tokens.
#[must_use]
pub fn is_token(field: &str) -> bool {
    field == tokens::FIELD || field == INCOMING
}

/// Whether a credential or draft of this method has been consented to.
pub fn given(vault: &Vault, owner: &str) -> Result<bool, Problem> {
    Ok(vault.fields(owner)?.iter().any(|field| is_token(field)))
}

/// Takes back what was obtained, because what it was obtained for has changed.
pub fn forget(store: &Store, vault: &Vault, owner: &str) -> Result<(), Problem> {
    let fields = vault.fields(owner)?;
    let held: Vec<&String> = fields.iter().filter(|field| is_token(field) || *field == pending::FIELD).collect();
    if held.is_empty() {
        return Ok(());
    }
    for field in held {
        vault.remove(owner, field)?;
    }
    store.note_standing(owner, |standing| {
        standing.access_expires = None;
        standing.refresh_expires = None;
        standing.refreshes = false;
        standing.granted.clear();
        standing.found.clear();
        standing.status = Some(CredentialStatus::Untested);
    })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_names_the_challenge_is_asked_without() {
        let problem = |code: &str, why: &str| Problem::new(crate::model::ProblemKind::Failed, "w", why, "n").with_code(code);
        assert!(blames_pkce(&problem("invalid_request", "Unknown parameter: Code_Challenge")));
        assert!(!blames_pkce(&problem("invalid_request", "The redirect_uri is wrong")));
        assert!(!blames_pkce(&problem("access_denied", "PKCE")));
    }
}
