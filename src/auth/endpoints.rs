//! The authorization server's addresses for one credential: a setting's, else the definition's, else those of the server's own document
//! (RFC 8414).
//!
//! Everything in `auth` that sends something to the authorization server asks here. A setting that names the server (`issuer` or
//! `metadata_url`) means that server alone: then nothing of the definition's addresses is used.

use std::sync::Arc;

use super::metadata::{self, Document, Whose};
use super::subject::{ISSUER, Subject};
use crate::catalog::addresses;
use crate::catalog::template::{self, Context};
use crate::model::{AuthMethod, ClientAuth, Problem};
use crate::problem;

/// What the definition (or the setting of this name) says.
type Own = fn(&AuthMethod, &Context) -> Result<Option<String>, Problem>;

/// One kind of address: its setting, its member in the document, and what the definition says.
struct Kind(&'static str, &'static str, Own);

const AUTHORIZE: Kind = Kind("authorize_url", "authorization_endpoint", |method, context| addresses::authorize_url(method, context).map(Some));
const TOKEN: Kind = Kind("token_url", "token_endpoint", |method, context| addresses::token_url(method, context).map(Some));
const REVOKE: Kind = Kind("revoke_url", "revocation_endpoint", addresses::revoke_url);
const DEVICE: Kind = Kind("device_url", "device_authorization_endpoint", addresses::device_url);
const PAR: Kind = Kind("par_url", "pushed_authorization_request_endpoint", addresses::par_url);
const REGISTER: Kind = Kind("register_url", "registration_endpoint", addresses::register_url);

/// Where a person gives consent.
pub async fn authorize(subject: &Subject) -> Result<String, Problem> {
    required(subject, &AUTHORIZE, subject.method().authorize_url.is_empty()).await
}

/// Where a grant is redeemed.
pub async fn token(subject: &Subject) -> Result<String, Problem> {
    required(subject, &TOKEN, subject.method().token_url.is_empty()).await
}

/// Asks before consent whether there will be an address to redeem a code at: it is known, or lacks nothing but what the callback brings.
pub async fn token_to_come(subject: &Subject) -> Result<(), Problem> {
    match token(subject).await {
        Err(_) if awaits_callback(subject) => Ok(()),
        known => known.map(drop),
    }
}

fn awaits_callback(subject: &Subject) -> bool {
    let brings = |name: &str| name.strip_prefix("found.").is_some_and(|key| subject.method().response.callback.contains_key(key));
    let awaits = |template: &String| {
        let missing = template::missing(template, &subject.context);
        !missing.is_empty() && missing.iter().all(|name| brings(name))
    };
    subject.input(TOKEN.0).is_none() && !of_person(subject) && subject.method().token_url.iter().any(awaits)
}

/// Where a refresh token is redeemed: the token address unless the definition or a setting names another.
pub async fn refresh(subject: &Subject) -> Result<String, Problem> {
    let named = subject.input("refresh_url").is_some() || (!subject.method().refresh_url.is_empty() && !of_person(subject));
    if named && (subject.input("refresh_url").is_some() || subject.input(TOKEN.0).is_none()) {
        return addresses::refresh_url(subject.method(), &subject.context);
    }
    token(subject).await
}

/// Where a token is revoked (RFC 7009); `None` when nobody knows.
pub async fn revoke(subject: &Subject) -> Result<Option<String>, Problem> {
    find(subject, &REVOKE).await
}

/// Where a device asks for a code (RFC 8628 §3.1); `None` when nobody knows.
pub async fn device(subject: &Subject) -> Result<Option<String>, Problem> {
    find(subject, &DEVICE).await
}

/// The same with a document at hand, or none.
pub fn device_in(subject: &Subject, document: Option<&Document>) -> Result<Option<String>, Problem> {
    find_in(subject, &DEVICE, document)
}

/// Where an authorization request is pushed (RFC 9126); `None` when nobody knows.
pub fn push_in(subject: &Subject, document: Option<&Document>) -> Result<Option<String>, Problem> {
    find_in(subject, &PAR, document)
}

/// Where a client registers (RFC 7591); `None` when nobody knows.
pub async fn register(subject: &Subject) -> Result<Option<String>, Problem> {
    find(subject, &REGISTER).await
}

/// Whether a client may be registered, as far as that is known without asking anybody: a document that was not read yet may say so.
#[must_use]
pub fn may_register(method: &AuthMethod, context: &Context) -> bool {
    match addresses::register_url(method, context) {
        Ok(Some(_)) => true,
        Ok(None) => whose(method, context).ok().flatten().is_some_and(|whose| match metadata::held(&whose) {
            Some(document) => document.endpoint(REGISTER.1, false).is_some(),
            None => names_server(context) || !method.metadata_url.is_empty(),
        }),
        Err(_) => false,
    }
}

/// The server's document; `None` when nobody says where it is, or the server has none.
pub async fn document(subject: &Subject) -> Result<Option<Arc<Document>>, Problem> {
    match whose(subject.method(), &subject.context)? {
        Some(whose) => metadata::document(&whose).await,
        None => Ok(None),
    }
}

/// The server whose document is asked: the person's, else the definition's unless its addresses were replaced.
fn whose(method: &AuthMethod, context: &Context) -> Result<Option<Whose>, Problem> {
    let setting = |name: &str| context.input.get(name).map(|value| value.trim()).filter(|value| !value.is_empty());
    let issuer = match setting(ISSUER) {
        Some(issuer) => Some(addresses::check(ISSUER, issuer).map(|_| issuer.to_owned())?),
        None if setting("metadata_url").is_some() => None,
        None => addresses::issuer(method, context)?,
    };
    // Asked for an address of its own only where the person did not name another server.
    let place = if setting(ISSUER).is_some() && setting("metadata_url").is_none() { None } else { addresses::metadata_url(method, context)? };
    Ok(match (place, issuer) {
        (Some(place), issuer) => Some(Whose::At(place, issuer)),
        (None, Some(issuer)) => Some(Whose::Issuer(issuer)),
        (None, None) => None,
    })
}

/// Whether the person named the server.
fn of_person(subject: &Subject) -> bool {
    names_server(&subject.context)
}

fn names_server(context: &Context) -> bool {
    [ISSUER, "metadata_url"].iter().any(|name| context.input.get(*name).is_some_and(|value| !value.trim().is_empty()))
}

/// An address that is needed. `absent`: the definition has none.
async fn required(subject: &Subject, kind: &Kind, absent: bool) -> Result<String, Problem> {
    if subject.input(kind.0).is_none() && (absent || of_person(subject)) && whose(subject.method(), &subject.context)?.is_some() {
        return match document(subject).await? {
            Some(document) => match in_document(subject, kind, &document)? {
                Some(address) => Ok(address),
                None => Err(problem!(Failed, "auth.metadata.lacks", vendor = subject.vendor(), member = kind.1, setting = kind.0)),
            },
            None => Err(problem!(Failed, "auth.metadata.none", vendor = subject.vendor(), setting = kind.0)),
        };
    }
    // The setting's or the definition's, or the Problem that says which is missing.
    kind.2(subject.method(), &subject.context).map(Option::unwrap_or_default)
}

/// An address that not every server has.
async fn find(subject: &Subject, kind: &Kind) -> Result<Option<String>, Problem> {
    match find_in(subject, kind, None)? {
        Some(own) => Ok(Some(own)),
        None => find_in(subject, kind, document(subject).await?.as_deref()),
    }
}

fn find_in(subject: &Subject, kind: &Kind, document: Option<&Document>) -> Result<Option<String>, Problem> {
    if subject.input(kind.0).is_some() || !of_person(subject) {
        let own = kind.2(subject.method(), &subject.context)?;
        if own.is_some() {
            return Ok(own);
        }
    }
    document.map_or(Ok(None), |document| in_document(subject, kind, document))
}

fn in_document(subject: &Subject, kind: &Kind, document: &Document) -> Result<Option<String>, Problem> {
    let mtls = subject.method().client_auth == ClientAuth::Mtls;
    let Some(address) = document.endpoint(kind.1, mtls) else { return Ok(None) };
    addresses::check(kind.1, address).map(|_| Some(address.to_owned()))
}

/// The issuer that answers must name: a setting's, else the definition's, else the document's.
pub fn issuer(subject: &Subject, document: Option<&Document>) -> Result<Option<String>, Problem> {
    Ok(subject.issuer()?.or_else(|| document.and_then(Document::issuer).map(str::to_owned)))
}
