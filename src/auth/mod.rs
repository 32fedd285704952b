//! Obtain and keep credentials.
//!
//! - `subject`: a credential with its definition, values and addresses.
//! - `endpoints`: the server's addresses. `request`, `refusal`, `entra`: the token endpoint, and what its errors mean.
//! - `grants`, `steps`: tokens without a person, by kind of method. `jws`, `keys`: what is signed for them, and with what.
//! - `tokens`, `home`, `keeper`, `journal`: tokens in the vault, or in a store that several hosts share; one refresh at a time.
//! - `consent`, `authorization`, `redirect`, `pending`: the authorization code flow. `listener`, `callback`, `paste`, `device`, `handoff`, `away`:
//!   the ways in which an answer comes. `page`: what the browser shows at the end. `delegation`: the same flow for OAuth 1.0a.
//! - `metadata`, `registration`: what the server says about itself; a client that registers itself. `redirect_doctor`: what is to be registered.
//! - `discover`: what is looked up after the login.
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
mod delegation;
mod device;
pub mod discover;
mod endpoints;
pub mod ends;
mod entra;
mod grants;
pub mod handoff;
pub mod home;
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
use std::time::Duration;

use crate::catalog::{Catalog, template::Context};
use crate::model::{Credential, CredentialStatus, Problem, Secret};
use crate::problem;
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
    let method = subject.method();
    // RFC 5849 has no way to revoke a token.
    if !method.has_token() || method.delegates() {
        return Ok(false);
    }
    let Some(address) = endpoints::revoke(&subject).await? else { return Ok(false) };
    // Nobody may spend the refresh token meanwhile.
    let _lock = keeper::Lock::take(store, &credential.id, &subject.vendor()).await?;
    let home = home::Home::new(store, vault, credential)?;
    let Some(held) = home.load().await?.tokens else { return Ok(false) };
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
    let removed = home.remove().await;
    consent::forget(store, vault, &credential.id)?;
    if method.needs_consent() {
        store.note_standing(&credential.id, |standing| standing.status = Some(CredentialStatus::NeedsConsent))?;
    }
    removed.map(|()| true).map_err(|problem| home.left(&problem))
}

/// A refresh token that another consent is about to replace, and what it takes to revoke it at the vendor.
pub struct Replaced {
    subject: subject::Subject,
    refresh: Secret,
    harmless: bool,
}

impl Replaced {
    /// What a credential has, here or in the store that it shares, before its new tokens take the place of the old ones. `None`: there is
    /// nothing to revoke, or it must not be, because `new` would end with it: a vendor that gives no other refresh token has one grant for
    /// both, and where nobody knows what else a vendor ends, an old token that is left over is the lesser evil. Waits up to ten seconds for
    /// the store.
    pub fn of(store: &Arc<Store>, vault: &Arc<Vault>, catalog: &Catalog, credential: &Credential, new: &str) -> Result<Option<Self>, Problem> {
        let Some(new) = tokens::Tokens::load(vault, new)? else { return Ok(None) };
        let connector = catalog.get(&credential.connector)?;
        let Some(method) = connector.auth.get(&credential.method).filter(|method| method.needs_consent()) else { return Ok(None) };
        let Some(mut old) = home::Home::new(store, vault, credential)?.load_now()?.tokens else { return Ok(None) };
        let Some(refresh) = old.refresh.take() else { return Ok(None) };
        if method.revokes_grant == Some(true) || new.refresh.as_ref().is_none_or(|new| *new == refresh) || new.access == old.access {
            return Ok(None);
        }
        let harmless = method.revokes_grant == Some(false);
        Ok(Some(Self { subject: subject::Subject::load(vault, catalog, credential)?, refresh: Secret::new(refresh), harmless }))
    }

    #[must_use]
    pub fn vendor(&self) -> String {
        self.subject.vendor()
    }

    /// Revokes it (RFC 7009), or gives up soon.
    pub async fn revoke(&self) -> Result<Fate, Problem> {
        const PATIENCE: Duration = Duration::from_secs(8);
        let revoking = async {
            let Some(address) = endpoints::revoke(&self.subject).await? else { return Ok(Fate::NoAddress) };
            if !self.harmless {
                return Ok(Fate::Spared);
            }
            request::revoke(&self.subject, &address, self.refresh.expose(), "refresh_token").await.map(|()| Fate::Revoked)
        };
        let late = |_| Err(problem!(Failed, "auth.revoke_late", vendor = self.vendor()));
        tokio::time::timeout(PATIENCE, revoking).await.unwrap_or_else(late)
    }
}

/// What became of a refresh token that was replaced.
pub enum Fate {
    Revoked,
    /// The vendor has no address for that.
    NoAddress,
    /// Nobody knows whether the vendor would end the new tokens with it, so it was not asked.
    Spared,
}
