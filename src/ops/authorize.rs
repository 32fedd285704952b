//! Consent on another machine: the request goes there without secrets, the answer comes back sealed to a key that was made for it.
//! The PKCE verifier and the client secret never leave the host that asked. Needs no workspace.

use super::Result;
use crate::auth::{away, browser, handoff};
use crate::model::{Problem, Sink, Time};

/// A request as it was read on the machine with the browser.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Request {
    pub vendor: String,
    pub authorize_url: String,
    pub redirect_uri: String,
    /// Who asks: the name of the host, as it called itself.
    pub host: String,
    pub expires: Time,
    /// Whether the answer arrives at this machine by itself; when not, the person pastes where the browser ended.
    pub listening: bool,
    /// Whether a browser can probably be opened here.
    pub browser_here: bool,
}

/// A request that is being followed: a loopback listener and a pasted answer race; the first valid one wins. Dropping it stops the listener.
pub struct Errand {
    pub view: Request,
    errand: away::Errand,
}

/// What to carry back.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Answer {
    /// One line, which `Consent::offer` takes like any pasted answer. Nobody but the host that asked can open it.
    pub answer: String,
    /// For whom.
    pub host: String,
    pub vendor: String,
    /// Set when consent was not given; the answer says so there, too.
    pub refused: Option<Problem>,
}

/// Reads a request (`intertie authorize REQUEST`), however it was wrapped or quoted, and begins to listen at its redirect URI.
pub async fn begin(request: &str) -> Result<Errand> {
    let errand = away::begin(handoff::read(request, Time::now())?).await;
    let request = &errand.request;
    let view = Request {
        vendor: request.vendor.clone(),
        authorize_url: request.authorize_url.clone(),
        redirect_uri: request.redirect_uri.clone(),
        host: request.host.clone(),
        expires: request.expires,
        listening: errand.listening,
        browser_here: browser::here(),
    };
    Ok(Errand { view, errand })
}

impl Errand {
    /// See [`super::credentials::Consent::offer`].
    pub fn offer(&self, pasted: &str) -> Result<()> {
        self.errand.offer(pasted)
    }

    /// Waits for the first valid answer and seals it.
    pub async fn finish(&self, sink: &Sink) -> Result<Answer> {
        let brought = self.errand.finish(sink).await?;
        Ok(Answer { answer: brought.sealed, host: self.view.host.clone(), vendor: self.view.vendor.clone(), refused: brought.refused })
    }
}

/// Whether a text can be a request at all: what is typed where one is expected may also be the name of a file.
#[must_use]
pub fn is_request(text: &str) -> bool {
    handoff::is_ours(text)
}
