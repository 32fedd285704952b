//! The machine with the browser, in a consent that another host asked for: listens where the answer will arrive, and seals it.
//!
//! It holds no workspace, no vault and no secret: what it hears is sealed at once, and only the host that asked can redeem it.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Mutex, mpsc, watch};
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::callback::{self, Answer, Expected, Reply};
use super::consent::Heard;
use super::handoff::{self, Request};
use super::listener::{self, Ear, Pages};
use super::page::Page;
use super::paste;
use crate::model::{Problem, Progress, Secret, Sink, Time};
use crate::problem;
use crate::vendor::http;
use crate::words::clean;

/// A request that is being followed. Dropping it stops the listener.
pub struct Errand {
    pub request: Request,
    /// Whether the answer is heard here; when not, it has to be pasted.
    pub listening: bool,
    desk: Arc<Desk>,
    rejections: Mutex<mpsc::Receiver<Problem>>,
    pages: Option<Pages>,
    stop: CancellationToken,
    _guard: DropGuard,
}

/// What came back, for the host that asked.
pub struct Brought {
    /// One line to paste there.
    pub sealed: String,
    /// Consent was not given: why. The answer says so there, too.
    pub refused: Option<Problem>,
}

struct Desk {
    request: Request,
    expected: Expected,
    path: String,
    answer: watch::Sender<Option<Held>>,
    rejected: mpsc::Sender<Problem>,
}

#[derive(Clone)]
struct Held {
    text: Secret,
    refused: Option<Problem>,
}

/// Begins to listen, where the answer arrives at this machine.
pub async fn begin(request: Request) -> Errand {
    let url = Url::parse(&request.authorize_url).ok();
    let redirect = Url::parse(&request.redirect_uri).ok();
    let expected = Expected {
        vendor: request.vendor.clone(),
        host: clean::line(url.as_ref().and_then(Url::host_str).unwrap_or_default(), 200),
        state: request.state.clone(),
        // Who issued it is judged where it is redeemed.
        issuer: None,
        names_issuer: false,
        pkce: true,
        scopes: String::new(),
        expires: request.expires,
        names: request.names.clone(),
        capture: indexmap::IndexMap::new(),
    };
    let (rejected, rejections) = mpsc::channel(16);
    let desk = Arc::new(Desk {
        path: redirect.as_ref().map(|url| url.path().to_owned()).unwrap_or_default(),
        request: request.clone(),
        expected,
        answer: watch::channel(None).0,
        rejected,
    });
    let stop = CancellationToken::new();
    let port = redirect.filter(|url| url.scheme() == "http" && http::is_loopback(url)).and_then(|url| url.port_or_known_default());
    let sockets = match port {
        Some(port) => listener::bind(Some(port)).await,
        None => None,
    };
    let listening = sockets.is_some();
    let pages = sockets.map(|sockets| sockets.serve(&desk, &stop));
    Errand { pages, request, listening, desk, rejections: Mutex::new(rejections), _guard: stop.clone().drop_guard(), stop }
}

impl Errand {
    /// Pasted text, as where the credential is added.
    pub fn offer(&self, pasted: &str) -> Result<(), Problem> {
        let (answer, text) = paste::judge(&self.desk.expected, pasted, Time::now())?;
        self.desk.accept(answer, text)
    }

    /// Waits for the first valid answer and seals it. May be called again after it was dropped.
    pub async fn finish(&self, sink: &Sink) -> Result<Brought, Problem> {
        let held = self.wait(sink).await;
        self.stop.cancel();
        let Held { text, refused } = held?;
        if let Some(pages) = &self.pages {
            pages.sent().await;
        }
        Ok(Brought { sealed: handoff::seal(&self.request, text.expose())?, refused })
    }

    async fn wait(&self, sink: &Sink) -> Result<Held, Problem> {
        let vendor = &self.request.vendor;
        let mut answers = self.desk.answer.subscribe();
        let mut rejections = self.rejections.lock().await;
        let left = self.request.expires.duration_since(Time::now());
        let late = tokio::time::sleep(Duration::try_from(left).unwrap_or_default());
        tokio::pin!(late);
        loop {
            tokio::select! {
                biased;
                () = sink.cancel.cancelled() => return Err(problem!(Failed, "auth.consent.cancelled", vendor = vendor)),
                Some(problem) = rejections.recv() => {
                    let doing = format!("{}: {}", problem.what, problem.why);
                    sink.report(Progress { doing, records: 0, pages: 0, total: None, rate: 0.0, seconds_left: None });
                }
                answer = answers.wait_for(Option::is_some) => match answer.map(|answer| answer.clone()) {
                    Ok(Some(held)) => return Ok(held),
                    Ok(None) => {}
                    Err(_) => return Err(problem!(Failed, "auth.stopped", vendor = vendor)),
                },
                () = &mut late => return Err(problem!(PersonMustAct, "authorize.silent", vendor = vendor, host = self.request.host)),
            }
        }
    }
}

impl Desk {
    fn accept(&self, answer: Answer, text: Secret) -> Result<(), Problem> {
        let refused = match answer {
            Answer::Code(_) => None,
            Answer::Refused(problem) => Some(problem),
        };
        let first = self.answer.send_if_modified(|held| {
            let first = held.is_none();
            if first {
                *held = Some(Held { text, refused });
            }
            first
        });
        if first { Ok(()) } else { Err(problem!(Usage, "auth.answer.used", vendor = self.expected.vendor)) }
    }
}

impl Ear for Desk {
    fn path(&self) -> &str {
        &self.path
    }

    fn hear(&self, query: &str) -> Heard {
        let reply = Reply::read(query, &self.expected.names);
        if !reply.speaks() {
            return Heard::Stray;
        }
        // The page that was loaded again shows the same outcome.
        if self.answer.borrow().as_ref().is_some_and(|held| held.text == reply.query()) {
            return Heard::Accepted;
        }
        match callback::judge(&self.expected, &reply, Time::now()).and_then(|answer| self.accept(answer, reply.query())) {
            Ok(()) => Heard::Accepted,
            Err(problem) => {
                let _ = self.rejected.try_send(problem.clone());
                Heard::Rejected(problem)
            }
        }
    }

    async fn ending(&self) -> Page {
        let refused = self.answer.borrow().as_ref().and_then(|held| held.refused.clone());
        match refused {
            Some(problem) => Page::refused(&problem),
            None => Page::sealed(&self.request.vendor, &self.request.host),
        }
    }
}
