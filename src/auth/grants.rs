//! Tokens without a person: what each kind of method does to get its first token, and the next one where there is no refresh token.

use super::jws::{self, Purpose};
use super::refusal::Failure;
use super::request::{self, Grant, unsent};
use super::steps;
use super::subject::Subject;
use super::tokens::Received;
use crate::catalog::template;
use crate::model::{AuthKind, AuthMethod, CredentialStatus, Problem, Secret};
use crate::problem;

/// Whether a refresh token is of use. What is obtained without a person is simply obtained again (RFC 6749 §4.4.3, RFC 7521 §4.1); a refresh
/// spares the others a password or a login.
#[must_use]
pub fn refreshes(method: &AuthMethod) -> bool {
    match method.kind {
        AuthKind::ClientCredentials | AuthKind::JwtBearer => false,
        AuthKind::Login => method.steps.iter().any(|step| step.refresh),
        _ => true,
    }
}

/// Obtains a token from what the credential holds. A method that needs a person's consent says so.
pub async fn afresh(subject: &Subject) -> Result<Received, Failure> {
    let method = subject.method();
    let mut received = match method.kind {
        AuthKind::ClientCredentials => request::tokens(subject, &Grant::Client).await?,
        AuthKind::JwtBearer => {
            let signed = jws::sign(subject, Purpose::Subject).map_err(unsent)?;
            request::tokens(subject, &Grant::Assertion { jwt: signed.token.expose() }).await?
        }
        AuthKind::Password => {
            let (username, password) = account(subject).map_err(unsent)?;
            request::tokens(subject, &Grant::Password { username: &username, password: password.expose() }).await?
        }
        AuthKind::Login => steps::login(subject).await?,
        _ => return Err(Failure::new(problem!(PersonMustAct, "auth.no_consent", vendor = subject.vendor()), CredentialStatus::NeedsConsent)),
    };
    if !refreshes(method) {
        received.refresh = None;
        received.refresh_expires = None;
    }
    Ok(received)
}

/// Other tokens for a refresh token. Where nobody has to consent, one that is refused is no end: everything is there to begin anew.
pub async fn renewed(subject: &Subject, token: &str, interrupted: bool) -> Result<Received, Failure> {
    let method = subject.method();
    let refreshed = match method.kind {
        AuthKind::Login => steps::refresh(subject, token).await,
        _ => request::tokens(subject, &Grant::Refresh { token, interrupted }).await,
    };
    match refreshed {
        Err(failure) if !failure.passes() && !method.needs_consent() => Ok(Received { anew: true, ..afresh(subject).await? }),
        result => result,
    }
}

fn account(subject: &Subject) -> Result<(String, Secret), Problem> {
    let method = subject.method();
    let one = |own: &Option<String>, input: &str| match own {
        Some(template) => template::render(template, &subject.context),
        None => subject.required(input).map(str::to_owned),
    };
    Ok((one(&method.username, "username")?, Secret::new(one(&method.password, "password")?)))
}
