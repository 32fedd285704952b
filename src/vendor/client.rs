//! The HTTP client: every request to a vendor goes through it.
//!
//! It retries what is safe to retry (time-outs, 429, 500, 502, 503, 504, a body that was cut short), waits as long as the vendor asks, refreshes
//! once on a 401, and turns everything else into a [`Problem`] without secrets in it.

use crate::catalog::template::Context;
use crate::model::{Connector, Problem, Sink};
use futures_util::future::BoxFuture;
use std::sync::Arc;

/// Puts a credential on a request. Implemented in `auth`.
pub trait Authorizer: Send + Sync {
    /// Headers and query parameters to add; refreshes beforehand when the token is about to end.
    fn credentials(&self) -> BoxFuture<'_, Result<Attached, Problem>>;

    /// The vendor answered 401: get a fresh token if possible. `true` means that trying again makes sense.
    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>>;
}

/// What a credential adds to a request. Never logged.
#[derive(Clone, Default)]
pub struct Attached {
    pub headers: Vec<(String, crate::model::Secret)>,
    pub query: Vec<(String, crate::model::Secret)>,
}

/// One answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: bytes::Bytes,
    /// The address asked, without secret query values.
    pub url: String,
    pub milliseconds: u64,
}

/// A client for one vendor account.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    connector: Arc<Connector>,
    context: Context,
    authorizer: Option<Arc<dyn Authorizer>>,
}

impl Client {
    pub fn new(connector: Arc<Connector>, context: Context, authorizer: Option<Arc<dyn Authorizer>>) -> Result<Self, Problem> {
        Ok(Self { inner: Arc::new(Inner { connector, context, authorizer }) })
    }

    /// Sends a request to `path` (a template, relative to the connector's base URL, or absolute), with retries.
    pub async fn send(&self, method: &str, path: &str, query: &[(String, String)], body: Option<Body>, sink: &Sink) -> Result<Answer, Problem> {
        let _ = (&self.inner.connector, &self.inner.context, &self.inner.authorizer, method, path, query, body, sink);
        todo!()
    }

    /// Sends once, no retry, and returns whatever the vendor answered: for credential tests.
    pub async fn send_once(&self, method: &str, path: &str, query: &[(String, String)], body: Option<Body>, sink: &Sink) -> Result<Answer, Problem> {
        let _ = (method, path, query, body, sink);
        todo!()
    }
}

pub enum Body {
    Json(serde_json::Value),
    Form(Vec<(String, crate::model::Secret)>),
}
