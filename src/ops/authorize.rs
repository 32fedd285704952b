//! Consent on another machine: the request goes there without secrets, the answer comes back sealed to a key that was made for it.
//! The PKCE verifier and the client secret never leave the host that asked.

use super::Result;
use crate::model::Sink;

/// A request as it was read on the machine with the browser.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Request {
    pub vendor: String,
    pub authorize_url: String,
    pub redirect_uri: String,
    /// Who asks: the name of the host, as it called itself.
    pub host: String,
    pub expires: crate::model::Time,
}

/// Reads a request (`intertie authorize REQUEST`).
pub fn read(request: &str) -> Result<Request> {
    let _ = request;
    todo!()
}

/// Listens at the redirect URI, opens the browser when asked to, waits for the answer and seals it: the text to carry back, which
/// `Consent::offer` takes like any pasted answer.
pub async fn answer(request: &str, open_browser: bool, sink: &Sink) -> Result<String> {
    let _ = (request, open_browser, sink);
    todo!()
}

/// The same with an answer that was pasted there.
pub fn seal_pasted(request: &str, pasted: &str) -> Result<String> {
    let _ = (request, pasted);
    todo!()
}
