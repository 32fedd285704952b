//! Tokens without a person: what each kind of method does to get its first token, and the next one where there is no refresh token.

use super::refusal::Failure;
use super::request::{self, Grant};
use super::subject::Subject;
use super::tokens::Received;
use crate::model::{AuthKind, CredentialStatus};
use crate::problem;

/// Obtains a token from what the credential holds. A method that needs a person's consent says so.
pub async fn afresh(subject: &Subject) -> Result<Received, Failure> {
    match subject.method().kind {
        AuthKind::ClientCredentials => request::tokens(subject, &Grant::Client).await,
        _ => Err(Failure::new(problem!(PersonMustAct, "auth.no_consent", vendor = subject.vendor()), CredentialStatus::NeedsConsent)),
    }
}
