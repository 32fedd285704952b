//! What a token says about itself: claims of a JWT, never its signature, never the token.

use super::{Result, Workspace};
use crate::model::{Problem, Time};

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TokenView {
    /// `access_token`, `id_token`, or the input that holds it.
    pub what: String,
    /// Not a JWT: nothing can be read from it.
    pub opaque: bool,
    /// `RS256`.
    pub algorithm: Option<String>,
    /// Claims in the token's order, values fit to show.
    pub claims: Vec<Claim>,
    pub issued: Option<Time>,
    pub expires: Option<Time>,
    /// Issuer, audience, times and clock: what is not as it should be.
    pub findings: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Claim {
    pub name: String,
    pub value: String,
    /// What it means, for the registered ones (RFC 7519 §4.1) and those that vendors are known for.
    pub meaning: String,
}

/// The tokens that a credential holds, decoded here; nothing is sent anywhere.
pub fn view(ws: &Workspace, credential: &str) -> Result<Vec<TokenView>> {
    let _ = (ws, credential);
    todo!()
}
