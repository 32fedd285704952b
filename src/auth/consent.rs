//! The authorization code flow (RFC 6749 §4.1 with RFC 7636, RFC 8252 and RFC 9207): a loopback listener and a pasted answer race; the first
//! valid one wins and ends the other.
//!
//! State and verifier are kept in the vault while the flow is open, so that an answer can still be pasted after a lost connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jiff::SignedDuration;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};
use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::callback::{self, Answer, Expected, Reply};
use super::keeper::Keeper;
use super::listener::{self, Sockets};
use super::paste::{self, Meaning};
use super::pending::{self, Pending};
use super::refusal::Failure;
use super::request::{self, Grant};
use super::subject::{REDIRECT_URI, Subject};
use super::{endpoints, handoff, metadata, tokens};
use crate::catalog::template;
use crate::model::{AuthKind, CredentialStatus, Loopback, Pkce, Problem, Progress, Redirect, Secret, Sink, Time};
use crate::store::Store;
use crate::vault::Vault;
use crate::vendor::http;
use crate::words::clean;
use crate::{problem, t};

/// How long an answer is waited for.
const OPEN: SignedDuration = SignedDuration::from_mins(10);
/// The port where a vendor wants one registered and the definition names none.
const PORT: u16 = 53_417;

/// Where the answer goes.
enum Target {
    /// This machine, where we listen.
    Loopback { host: String, port: Option<u16>, path: String },
    /// An address that nobody answers here: the person pastes where the browser ended.
    Elsewhere(String),
}

/// What the listener makes of a request.
pub enum Heard {
    /// Nothing to do with this flow.
    Stray,
    /// An answer, but not a valid one.
    Rejected(Problem),
    Accepted,
}

/// One flow. The listener, pasted text and the waiting task share it.
pub struct Flow {
    expected: Expected,
    /// Learned while the person reads.
    names_issuer: Arc<AtomicBool>,
    path: String,
    redirect_uri: String,
    verifier: Option<Secret>,
    /// Opens what another machine sealed.
    handoff: Option<Secret>,
    answer: watch::Sender<Option<Answer>>,
    outcome: watch::Sender<Option<Result<(), Problem>>>,
    /// What came and was no valid answer, for the person who waits; when nobody listens, the oldest are enough.
    rejected: mpsc::Sender<Problem>,
    keeper: Keeper,
}

/// A flow that was begun. Dropping it stops the listener.
pub struct Begun {
    pub authorize_url: String,
    pub redirect_uri: String,
    /// For another machine.
    pub request: Option<String>,
    /// Where the listener is up.
    pub port: Option<u16>,
    pub expires: Time,
    flow: Arc<Flow>,
    rejections: Mutex<mpsc::Receiver<Problem>>,
    stop: CancellationToken,
    _guard: DropGuard,
}

/// Starts to listen and makes the authorization URL.
pub async fn begin(store: Arc<Store>, vault: Arc<Vault>, subject: Subject) -> Result<Begun, Problem> {
    let method = subject.method();
    if method.kind != AuthKind::OAuth2Code {
        return Err(problem!(Usage, "auth.consent.none", vendor = subject.vendor(), method = clean::line(&method.name, 80)));
    }
    let authorize = http::address(&endpoints::authorize(&subject).await?)?;
    // Better now than after the person has consented.
    endpoints::token(&subject).await?;
    let client_id = subject.required("client_id")?.to_owned();
    let issuer = subject.issuer()?;
    let target = target(&subject)?;
    let now = Time::now();

    let asked = serde_json::json!([authorize.as_str(), client_id, subject.scopes, subject.input(REDIRECT_URI)]).to_string();
    let pending = Pending::load(&vault, &subject.id)?
        .filter(|pending| pending.asked == asked && pending.expires.duration_since(now) > SignedDuration::from_mins(1));
    let (pending, sockets) = match resume(pending, &target).await {
        Some(resumed) => resumed,
        None => {
            let (redirect_uri, sockets) = place(&target).await;
            let verifier = (method.pkce != Pkce::Off).then(|| PkceCodeChallenge::new_random_sha256().1.secret().clone());
            let state = CsrfToken::new_random_len(32).secret().clone();
            (Pending { state, verifier, redirect_uri, expires: now + OPEN, asked, handoff: handoff::key() }, sockets)
        }
    };
    let url = authorization_url(&subject, authorize, &client_id, &pending)?;
    pending.save(&vault, &subject.id)?;
    let request = handoff::request(&pending, &subject.vendor(), url.as_str());

    let names_issuer = Arc::new(AtomicBool::new(false));
    if let Some(issuer) = issuer.clone() {
        let names_issuer = Arc::clone(&names_issuer);
        tokio::spawn(async move { names_issuer.store(metadata::names_itself(&issuer).await, Ordering::Release) });
    }
    let expected = Expected {
        vendor: subject.vendor(),
        host: clean::line(url.host_str().unwrap_or_default(), 200),
        state: pending.state,
        issuer,
        names_issuer: false,
        pkce: pending.verifier.is_some(),
        scopes: subject.scopes.join(" "),
        expires: pending.expires,
    };
    let (rejected, rejections) = mpsc::channel(16);
    let flow = Arc::new(Flow {
        expected,
        names_issuer,
        path: Url::parse(&pending.redirect_uri).map(|url| url.path().to_owned()).unwrap_or_default(),
        redirect_uri: pending.redirect_uri.clone(),
        verifier: pending.verifier.map(Secret::new),
        handoff: pending.handoff.map(Secret::new),
        answer: watch::channel(None).0,
        outcome: watch::channel(None).0,
        rejected,
        keeper: Keeper::new(store, vault, subject),
    });
    let stop = CancellationToken::new();
    let port = sockets.as_ref().map(|sockets| sockets.port);
    if let Some(sockets) = sockets {
        sockets.serve(&flow, &stop);
    }
    Ok(Begun {
        authorize_url: url.into(),
        redirect_uri: pending.redirect_uri,
        request,
        port,
        expires: pending.expires,
        flow,
        rejections: Mutex::new(rejections),
        _guard: stop.clone().drop_guard(),
        stop,
    })
}

/// The redirect URI to register at the vendor, before any consent: a setting's, else as the definition's rule makes it. Where the vendor
/// accepts any loopback port (RFC 8252 §7.3), without one.
#[must_use]
pub fn registered(redirect: &Redirect, setting: Option<&str>) -> String {
    match (setting, by_rule(redirect)) {
        (Some(setting), _) => setting.to_owned(),
        (None, Target::Elsewhere(uri)) => uri,
        (None, Target::Loopback { host, port, path }) => {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("http://{host}{port}{path}")
        }
    }
}

/// The redirect URI's rules: a setting's, else the definition's.
fn target(subject: &Subject) -> Result<Target, Problem> {
    if let Some(text) = subject.input(REDIRECT_URI) {
        let url = Url::parse(text).map_err(|error| problem!(Usage, "auth.redirect_uri", address = clean::line(text, 150), reason = error))?;
        return Ok(match (url.scheme(), url.port()) {
            ("http", Some(port)) if http::is_loopback(&url) => {
                Target::Loopback { host: url.host_str().unwrap_or_default().to_owned(), port: Some(port), path: url.path().to_owned() }
            }
            _ => Target::Elsewhere(text.to_owned()),
        });
    }
    Ok(by_rule(&subject.method().redirect))
}

fn by_rule(redirect: &Redirect) -> Target {
    let path = match redirect.path.as_deref() {
        None => "/callback".to_owned(),
        Some(path) if path.starts_with('/') => path.to_owned(),
        Some(path) => format!("/{path}"),
    };
    match redirect.loopback {
        Loopback::HttpsOnly => {
            let host = redirect.host.as_deref().unwrap_or("localhost");
            let port = redirect.port.map(|port| format!(":{port}")).unwrap_or_default();
            Target::Elsewhere(format!("https://{host}{port}{path}"))
        }
        rule => {
            let port = redirect.port.or((rule == Loopback::Fixed).then_some(PORT));
            Target::Loopback { host: redirect.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned()), port, path }
        }
    }
}

/// Takes up an open flow where that is possible: its port is free again, or it needs none.
async fn resume(pending: Option<Pending>, target: &Target) -> Option<(Pending, Option<Sockets>)> {
    let pending = pending?;
    match target {
        Target::Elsewhere(_) => Some((pending, None)),
        Target::Loopback { .. } => {
            let port = Url::parse(&pending.redirect_uri).ok()?.port()?;
            let sockets = listener::bind(Some(port)).await?;
            Some((pending, Some(sockets)))
        }
    }
}

async fn place(target: &Target) -> (String, Option<Sockets>) {
    match target {
        Target::Elsewhere(uri) => (uri.clone(), None),
        Target::Loopback { host, port, path } => {
            let sockets = listener::bind(*port).await;
            // Where nothing can be bound the browser ends on an error page, whose address can be pasted.
            let port = sockets.as_ref().map_or(port.unwrap_or(PORT), |sockets| sockets.port);
            (format!("http://{host}:{port}{path}"), sockets)
        }
    }
}

fn authorization_url(subject: &Subject, authorize: Url, client_id: &str, pending: &Pending) -> Result<Url, Problem> {
    let redirect = RedirectUrl::new(pending.redirect_uri.clone())
        .map_err(|error| problem!(Usage, "auth.redirect_uri", address = clean::line(&pending.redirect_uri, 150), reason = error))?;
    let client =
        oauth2::basic::BasicClient::new(ClientId::new(client_id.to_owned())).set_auth_uri(AuthUrl::from_url(authorize)).set_redirect_uri(redirect);
    let mut request = client.authorize_url(|| CsrfToken::new(pending.state.clone()));
    if let Some(verifier) = &pending.verifier {
        request = request.set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.clone())));
    }
    if subject.separator() == " " {
        request = request.add_scopes(subject.scopes.iter().cloned().map(Scope::new));
    } else if !subject.scopes.is_empty() {
        request = request.add_extra_param("scope", subject.scopes.join(subject.separator()));
    }
    for (name, value) in subject.method().params.get("authorize").into_iter().flatten() {
        let value = template::render(value, &subject.context)?;
        request = request.add_extra_param(name.clone(), value);
    }
    let (mut url, _) = request.url();
    // A parameter of the definition replaces one of ours; none is sent twice (RFC 6749 §3.1).
    let pairs: indexmap::IndexMap<String, String> = url.query_pairs().into_owned().collect();
    url.query_pairs_mut().clear().extend_pairs(&pairs);
    Ok(url)
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
        let reply = Reply::read(query, self.names());
        if !reply.speaks() {
            return Heard::Stray;
        }
        // The page that was loaded again shows the same outcome.
        if let Some(Answer::Code(code)) = &*self.answer.borrow()
            && reply.code.as_deref() == Some(code.expose())
            && reply.state.as_deref() == Some(self.expected.state.as_str())
        {
            return Heard::Accepted;
        }
        match callback::judge(&self.expected(), &reply, Time::now()).and_then(|answer| self.accept(answer)) {
            Ok(()) => Heard::Accepted,
            Err(problem) => {
                let _ = self.rejected.try_send(problem.clone());
                Heard::Rejected(problem)
            }
        }
    }

    /// Pasted text.
    pub fn offer(&self, pasted: &str) -> Result<(), Problem> {
        let expected = self.expected();
        let now = Time::now();
        let mut first = None;
        let opened = handoff::open(self.handoff.as_ref().map(Secret::expose), pasted).transpose()?;
        for meaning in paste::read(opened.as_ref().map_or(pasted, Secret::expose), self.names()) {
            let judged = match &meaning {
                Meaning::Reply(reply) => callback::judge(&expected, reply, now),
                Meaning::Code(code) => callback::judge_bare(&expected, code, now),
            };
            match judged {
                Ok(answer) => return self.accept(answer),
                Err(problem) => {
                    first.get_or_insert(problem);
                }
            }
        }
        Err(first.unwrap_or_else(|| problem!(Usage, "auth.answer.unreadable", vendor = expected.vendor)))
    }

    fn names(&self) -> &indexmap::IndexMap<String, String> {
        &self.keeper.subject.method().rename
    }

    fn expected(&self) -> Expected {
        Expected { names_issuer: self.names_issuer.load(Ordering::Acquire), ..self.expected.clone() }
    }

    /// The state is good for one answer.
    fn accept(&self, answer: Answer) -> Result<(), Problem> {
        let first = self.answer.send_if_modified(|held| {
            let first = held.is_none();
            if first {
                *held = Some(answer);
            }
            first
        });
        if first { Ok(()) } else { Err(problem!(Usage, "auth.answer.used", vendor = self.expected.vendor)) }
    }

    /// How the flow ended, for the page in the browser.
    pub async fn outcome(&self) -> Option<Result<(), Problem>> {
        let mut outcome = self.outcome.subscribe();
        outcome.wait_for(Option::is_some).await.ok().and_then(|outcome| outcome.clone())
    }

    #[must_use]
    pub fn was_refused(&self) -> bool {
        matches!(&*self.answer.borrow(), Some(Answer::Refused(_)))
    }

    /// Redeems the code and keeps the tokens.
    async fn redeem(&self, answer: Answer) -> Result<(), Problem> {
        let (owner, vault) = (self.keeper.subject.id.as_str(), &self.keeper.vault);
        // Spent, whatever comes of it. Another process may have been quicker.
        if Pending::load(vault, owner)?.is_none_or(|pending| pending.state != self.expected.state) {
            return Err(problem!(Usage, "auth.answer.used", vendor = self.expected.vendor));
        }
        vault.remove(owner, pending::FIELD)?;
        let code = match answer {
            Answer::Code(code) => code,
            Answer::Refused(problem) => return Err(problem),
        };
        let verifier = self.verifier.as_ref().map(Secret::expose);
        let grant = Grant::Code { code: code.expose(), verifier, redirect_uri: &self.redirect_uri };
        let received = request::tokens(&self.keeper.subject, &grant).await.map_err(|failure: Failure| failure.problem)?;
        self.keeper.keep_first(received).await
    }
}

impl Begun {
    /// See [`Flow::offer`].
    pub fn offer(&self, pasted: &str) -> Result<(), Problem> {
        self.flow.offer(pasted)
    }

    /// Waits for the first valid answer and redeems it. May be called again after it was dropped.
    pub async fn finish(&self, sink: &Sink) -> Result<(), Problem> {
        let result = self.wait(sink).await;
        self.stop.cancel();
        result
    }

    async fn wait(&self, sink: &Sink) -> Result<(), Problem> {
        let mut answers = self.flow.answer.subscribe();
        let mut rejections = self.rejections.lock().await;
        let mut rejected = None;
        let left = self.expires.duration_since(Time::now());
        let late = tokio::time::sleep(Duration::try_from(left).unwrap_or_default());
        tokio::pin!(late);
        let answer = loop {
            tokio::select! {
                biased;
                () = sink.cancel.cancelled() => return Err(problem!(Failed, "auth.consent.cancelled", vendor = self.flow.vendor())),
                Some(problem) = rejections.recv() => {
                    sink.report(doing(format!("{}: {}", problem.what, problem.why)));
                    rejected = Some(problem);
                }
                answer = answers.wait_for(Option::is_some) => match answer.map(|answer| answer.clone()) {
                    Ok(Some(answer)) => break answer,
                    Ok(None) => {}
                    Err(_) => return Err(problem!(Failed, "auth.stopped", vendor = self.flow.vendor())),
                },
                () = &mut late => {
                    return Err(rejected.unwrap_or_else(|| problem!(PersonMustAct, "auth.consent.silent", vendor = self.flow.vendor())));
                }
            }
        };
        if let Some(outcome) = self.flow.outcome.borrow().clone() {
            return outcome;
        }
        sink.report(doing(t!("auth.redeeming", vendor = self.flow.vendor())));
        // Goes on when nobody waits any more: the code is spent by being sent.
        let flow = Arc::clone(&self.flow);
        let redeemed = tokio::spawn(async move {
            let outcome = flow.redeem(answer).await;
            flow.outcome.send_replace(Some(outcome.clone()));
            outcome
        });
        redeemed.await.unwrap_or_else(|_| Err(problem!(Failed, "auth.stopped", vendor = self.flow.vendor())))
    }
}

fn doing(doing: String) -> Progress {
    Progress { doing, records: 0, pages: 0, total: None, rate: 0.0, seconds_left: None }
}

/// Whether a field of the vault holds tokens.
#[must_use]
pub fn is_token(field: &str) -> bool {
    field == tokens::FIELD
}

/// Whether a credential or draft of this method has been consented to.
pub fn given(vault: &Vault, owner: &str) -> Result<bool, Problem> {
    Ok(vault.fields(owner)?.iter().any(|field| field == tokens::FIELD))
}

/// Takes back what was obtained, because what it was obtained for has changed.
pub fn forget(store: &Store, vault: &Vault, owner: &str) -> Result<(), Problem> {
    let fields = vault.fields(owner)?;
    let held: Vec<&String> = fields.iter().filter(|field| *field == tokens::FIELD || *field == pending::FIELD).collect();
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
    fn the_redirect_uri_to_register_follows_the_vendors_rule() {
        let rule = |loopback, port, host: Option<&str>| Redirect { loopback, port, host: host.map(str::to_owned), path: None };
        assert_eq!(registered(&rule(Loopback::AnyPort, None, None), None), "http://127.0.0.1/callback");
        assert_eq!(registered(&rule(Loopback::AnyPort, None, Some("localhost")), None), "http://localhost/callback");
        assert_eq!(registered(&rule(Loopback::Fixed, None, None), None), "http://127.0.0.1:53417/callback");
        assert_eq!(registered(&rule(Loopback::Fixed, Some(8080), None), None), "http://127.0.0.1:8080/callback");
        assert_eq!(registered(&rule(Loopback::HttpsOnly, None, None), None), "https://localhost/callback");
        assert_eq!(registered(&rule(Loopback::AnyPort, None, None), Some("https://x.example/cb")), "https://x.example/cb");
    }
}
