//! The authorization server's addresses for one credential: a setting's, else the definition's.
//!
//! Everything in `auth` that sends something to the authorization server asks here.

use super::subject::Subject;
use crate::catalog::addresses;
use crate::model::Problem;

/// Where a person gives consent.
pub async fn authorize(subject: &Subject) -> Result<String, Problem> {
    addresses::authorize_url(subject.method(), &subject.context)
}

/// Where a grant is redeemed.
pub async fn token(subject: &Subject) -> Result<String, Problem> {
    addresses::token_url(subject.method(), &subject.context)
}

/// Where a refresh token is redeemed.
pub async fn refresh(subject: &Subject) -> Result<String, Problem> {
    addresses::refresh_url(subject.method(), &subject.context)
}

/// Where a token is revoked (RFC 7009); `None` when nobody knows.
pub async fn revoke(subject: &Subject) -> Result<Option<String>, Problem> {
    addresses::revoke_url(subject.method(), &subject.context)
}
