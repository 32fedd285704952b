//! What the connections of a credential show and trust: a client certificate (RFC 8705 §2, or a server that asks everybody for one), and
//! the authorities of a private network.

use std::sync::Arc;

use url::Url;

use super::subject::Subject;
use crate::model::{AuthKind, ClientAuth, Problem, Secret, Time};
use crate::vendor::http::{self, Identity};

/// A setting that names a PEM file of authorities to trust besides this host's.
pub const CA_FILE: &str = "ca_file";

/// `None` when connections are like everybody's.
pub fn of(subject: &Subject) -> Result<Option<Arc<Identity>>, Problem> {
    let method = subject.method();
    let shown = method.kind == AuthKind::Mtls || method.client_auth == ClientAuth::Mtls;
    let ca_file = subject.input(CA_FILE);
    if !shown && ca_file.is_none() {
        return Ok(None);
    }
    let identity = if shown {
        let secret = |key: &str| subject.input(key).map(Secret::new);
        let key = Secret::new(subject.required("private_key")?);
        Identity::new(subject.required("certificate")?, &key, secret("private_key_passphrase").as_ref(), Time::now())?
    } else {
        Identity::anonymous()
    };
    Ok(Some(Arc::new(match ca_file {
        Some(file) => identity.with_authorities(&crate::vendor::expand(file))?,
        None => identity,
    })))
}

/// The client for a request of this credential to this address, token requests among them.
pub fn client(subject: &Subject, url: &Url) -> Result<reqwest::Client, Problem> {
    match of(subject)? {
        Some(identity) => http::client_with(url, &identity),
        None => Ok(http::client_for(url)?.clone()),
    }
}

/// Whether the setting [`CA_FILE`] can be used.
pub fn check_authorities(file: &str) -> Result<(), Problem> {
    Identity::anonymous().with_authorities(&crate::vendor::expand(file.trim())).map(|_| ())
}
