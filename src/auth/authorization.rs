//! The authorization request (RFC 6749 §4.1.1) as an address to open; pushed beforehand where the server takes that (RFC 9126).

use std::time::Duration;

use indexmap::IndexMap;
use oauth2::{PkceCodeChallenge, PkceCodeVerifier};
use serde_json::Value;
use url::Url;

use super::pending::Pending;
use super::refusal::Said;
use super::request::{self, Form};
use super::subject::Subject;
use crate::catalog::template;
use crate::model::{Problem, Time};
use crate::problem;
use crate::words::clean;

/// How long a person waits for the address because of the push.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be opened.
pub struct Address {
    pub url: Url,
    /// The same request with all of its parameters: good as long as the flow, wherever it is opened.
    pub plain: Url,
    /// When a pushed request ends; `None` for one that is good as long as the flow.
    pub expires: Option<Time>,
    /// Why a request could not be pushed that was to be.
    pub remark: Option<Problem>,
}

/// The address of this flow. `push`: where to push, and whether the server insists on it. A pushed request is good for one opening, so
/// each call makes a new one.
pub async fn address(subject: &Subject, authorize: &Url, pending: &Pending, push: Option<(&str, bool)>) -> Result<Address, Problem> {
    let parameters = parameters(subject, pending)?;
    let plain = with(authorize, &parameters);
    let unpushed = |remark| Address { url: plain.clone(), plain: plain.clone(), expires: None, remark };
    let Some((place, required)) = push else { return Ok(unpushed(None)) };
    let pushed = tokio::time::timeout(PATIENCE, pushed(subject, place, &parameters)).await;
    match pushed.unwrap_or_else(|_| Err(problem!(Failed, "auth.push.late", vendor = subject.vendor()))) {
        Ok((request_uri, expires)) => {
            let client_id = parameters.get("client_id").cloned().unwrap_or_default();
            let reference = IndexMap::from([("client_id".to_owned(), client_id), ("request_uri".to_owned(), request_uri)]);
            Ok(Address { url: with(authorize, &reference), plain, expires: Some(expires), remark: None })
        }
        Err(problem) if required => Err(problem),
        Err(problem) => Ok(unpushed(Some(problem))),
    }
}

/// A parameter of the definition replaces one of ours; none is sent twice (RFC 6749 §3.1), and none that is empty.
fn parameters(subject: &Subject, pending: &Pending) -> Result<IndexMap<String, String>, Problem> {
    let method = subject.method();
    let mut all = IndexMap::new();
    let mut put = |name: &str, value: String| {
        if value.is_empty() {
            all.shift_remove(name)
        } else {
            all.insert(name.to_owned(), value)
        };
    };
    put("response_type", "code".to_owned());
    put("client_id", subject.required("client_id")?.to_owned());
    put("redirect_uri", pending.redirect_uri.clone());
    put(method.scopes.param.as_deref().unwrap_or("scope"), subject.scopes.join(subject.separator()));
    put("state", pending.state.clone());
    if let Some(verifier) = &pending.verifier {
        let challenge = challenge(verifier);
        put("code_challenge", challenge.as_str().to_owned());
        put("code_challenge_method", challenge.method().as_str().to_owned());
    }
    for (name, value) in method.params.get("authorize").into_iter().flatten() {
        put(name, template::render(value, &subject.context)?);
    }
    Ok(all)
}

/// RFC 7636 §4.2, always with `S256`.
fn challenge(verifier: &str) -> PkceCodeChallenge {
    PkceCodeChallenge::from_code_verifier_sha256(&PkceCodeVerifier::new(verifier.to_owned()))
}

/// The address with these parameters besides those that it has.
pub fn with(authorize: &Url, parameters: &IndexMap<String, String>) -> Url {
    let mut url = authorize.clone();
    let mut all: IndexMap<String, String> = authorize.query_pairs().into_owned().collect();
    all.extend(parameters.iter().map(|(name, value)| (name.clone(), value.clone())));
    url.query_pairs_mut().clear().extend_pairs(&all);
    url
}

/// RFC 9126 §2.
async fn pushed(subject: &Subject, place: &str, parameters: &IndexMap<String, String>) -> Result<(String, Time), Problem> {
    let mut form = Form::new();
    for (name, value) in parameters {
        request::put(&mut form, name, value);
    }
    let answer = request::send(subject, place, form).await.map_err(|failure| failure.problem)?;
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let request_uri = body.get("request_uri").and_then(Value::as_str).filter(|uri| !uri.is_empty() && clean::is_clean(uri) && uri.len() <= 2_000);
    match request_uri {
        Some(uri) if (200..300).contains(&answer.status) => {
            let lasts = body.get("expires_in").and_then(Value::as_i64).unwrap_or(60).clamp(1, 3_600);
            Ok((uri.to_owned(), Time::now() + jiff::SignedDuration::from_secs(lasts)))
        }
        _ => {
            let said = Said::in_body(&answer.body, &subject.hide());
            let reason = [said.message, said.error.clone()].into_iter().find(|text| !text.is_empty());
            let reason = reason.unwrap_or_else(|| crate::t!("auth.said.no_reason").to_owned());
            let problem = problem!(Failed, "auth.push.refused", vendor = subject.vendor(), status = answer.status, reason = reason);
            Err(if said.error.is_empty() { problem } else { problem.with_code(said.error) })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636 appendix B.
    #[test]
    fn the_challenge_is_that_of_the_specification() {
        let challenge = challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!((challenge.as_str(), challenge.method().as_str()), ("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM", "S256"));
    }

    #[test]
    fn what_the_address_has_already_stays() {
        let authorize = Url::parse("https://id.example/authorize?tenant=1&scope=old").unwrap();
        let parameters = IndexMap::from([("scope".to_owned(), "a b".to_owned()), ("state".to_owned(), "s".to_owned())]);
        assert_eq!(with(&authorize, &parameters).as_str(), "https://id.example/authorize?tenant=1&scope=a+b&state=s");
    }
}
