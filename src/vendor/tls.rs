//! TLS for what is not HTTP: trust as the HTTP client has it.

use std::sync::Arc;

use rustls_platform_verifier::Verifier;

use super::http::Identity;
use crate::model::Problem;
use crate::problem;
use crate::words::clean;

/// The host's authorities, and those that the credential names.
pub fn trust(identity: Option<&Identity>) -> Result<Arc<rustls::ClientConfig>, Problem> {
    let bad = |reason: &dyn std::fmt::Display| problem!(Failed, "vendor.no_client", reason = clean::line(&reason.to_string(), 300));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let own = identity.map(|identity| identity.authorities().to_vec()).unwrap_or_default();
    let verifier = Verifier::new_with_extra_roots(own, Arc::clone(&provider)).map_err(|error| bad(&error))?;
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| bad(&error))?;
    Ok(Arc::new(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()))
}
