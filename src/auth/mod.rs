//! Obtain and keep credentials.
//!
//! - `subject`: a credential with its definition, values and addresses.
//! - `endpoints`: the server's addresses. `request`, `refusal`, `entra`: the token endpoint, and what its errors mean.
//! - `grants`, `steps`: tokens without a person, by kind of method. `jws`, `keys`: what is signed for them, and with what.
//! - `tokens`, `keeper`, `journal`: tokens in the vault; one refresh at a time.
//! - `consent`, `pending`, `listener`, `callback`, `paste`, `handoff`, `away`, `page`, `metadata`: the authorization code flow.
//! - `jwt`, `ends`: what a token or a certificate says about itself.
//! - `identity`: what a connection shows and trusts.
//! - `references`: secrets that lie elsewhere.
//! - `authorizer`: what goes on a request. `oauth1`, `sigv4`: how it is signed. `check`: the proof that it works.

mod authorization;
mod authorizer;
pub mod away;
pub mod browser;
mod callback;
pub mod check;
pub mod consent;
mod device;
pub mod discover;
mod endpoints;
pub mod ends;
mod entra;
mod grants;
pub mod handoff;
pub mod identity;
mod journal;
mod jws;
pub mod jwt;
pub mod keeper;
mod keys;
mod listener;
mod metadata;
mod oauth1;
mod page;
mod paste;
mod pending;
mod redirect;
pub mod redirect_doctor;
pub mod references;
mod refusal;
pub mod registration;
mod request;
mod sigv4;
mod steps;
pub mod subject;
pub mod tokens;

use std::sync::Arc;

use crate::catalog::{Catalog, template::Context};
use crate::model::{Credential, CredentialStatus, Problem};
use crate::store::Store;
use crate::vault::Vault;
use crate::vendor::client::Client;

/// What a request for this credential can name, and a client that attaches and refreshes it.
pub fn connect(store: &Arc<Store>, vault: &Arc<Vault>, catalog: &Catalog, credential: &Credential) -> Result<(Client, Context), Problem> {
    let link = check::link(store, vault, catalog, credential)?;
    Ok((link.client, link.subject.context))
}

/// Revokes the tokens of a credential at the vendor (RFC 7009), then forgets them here. `false`: there is nothing to revoke, or no address.
pub async fn revoke(store: &Arc<Store>, vault: &Arc<Vault>, catalog: &Catalog, credential: &Credential) -> Result<bool, Problem> {
    let subject = subject::Subject::load(vault, catalog, credential)?;
    let kind = subject.method().kind;
    if !kind.has_token() {
        return Ok(false);
    }
    let Some(address) = endpoints::revoke(&subject).await? else { return Ok(false) };
    // Nobody may spend the refresh token meanwhile.
    let _lock = keeper::Lock::take(store, &credential.id, &subject.vendor()).await?;
    let Some(held) = tokens::Tokens::load(vault, &credential.id)? else { return Ok(false) };
    // The refresh token first: it ends the whole grant where the server does as RFC 7009 §2.1 asks.
    if let Some(refresh) = &held.refresh {
        request::revoke(&subject, &address, refresh, "refresh_token").await?;
    }
    if let Err(problem) = request::revoke(&subject, &address, &held.access, "access_token").await {
        // A server need not be able to revoke access tokens (RFC 7009 §2.2.1).
        if held.refresh.is_none() && problem.code.as_deref() != Some("unsupported_token_type") {
            return Err(problem);
        }
    }
    consent::forget(store, vault, &credential.id)?;
    if kind.needs_consent() {
        store.note_standing(&credential.id, |standing| standing.status = Some(CredentialStatus::NeedsConsent))?;
    }
    Ok(true)
}
