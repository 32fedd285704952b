//! The HTTP client: every request to a vendor goes through it.
//!
//! It retries what is safe to retry (time-outs, 429, 500, 502, 503, 504, a body that was cut short), waits as long as the vendor asks, refreshes
//! once on a 401, and turns everything else into a [`Problem`] without secrets in it.
//!
//! A credential is asked for anew at each try, because a token may end while a rate limit is waited out, and a signature holds for a moment.
//!
//! - `attempt`: one request, from its parts to the answer. `retry`: trying again. `pace`: how often the vendor may be asked.

mod attempt;
mod pace;
mod retry;

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use reqwest::header::HeaderMap;
use url::Url;

use self::attempt::Missed;
use self::pace::Pace;
pub(super) use self::retry::{backoff, span, wait};
use super::http::{self, Identity};
use super::{fault, rules};
use crate::catalog::addresses;
use crate::catalog::template::{self, Context};
use crate::model::{Connector, ErrorAction, Problem, Secret, Sink};
use crate::words::clean;
use crate::{problem, t};

/// Puts a credential on a request. Implemented in `auth`.
pub trait Authorizer: Send + Sync {
    /// What to add to this request, which is as it will be sent otherwise. Asked anew at every try; refreshes beforehand when a token is
    /// about to end.
    fn credentials<'a>(&'a self, request: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>>;

    /// The vendor answered 401: get a fresh token if possible. `true` means that trying again makes sense.
    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>>;

    /// Name and password, for a directory's simple bind (RFC 4513 §5.1.3).
    fn account(&self) -> Option<(&str, &Secret)> {
        None
    }

    /// Who signs in to a mailbox. Asked anew for every connection; a token is refreshed beforehand when it is about to end.
    fn login(&self) -> BoxFuture<'_, Result<Option<Login>, Problem>> {
        let login = self.account().map(|(user, secret)| Login::Password { user: user.to_owned(), secret: secret.clone() });
        std::future::ready(Ok(login)).boxed()
    }

    /// What the connection itself shows and trusts, where that is more than usual.
    fn identity(&self) -> Option<Arc<Identity>> {
        None
    }
}

/// Who signs in to a mailbox, and what with (SASL, RFC 4422). Never logged.
pub enum Login {
    Password {
        user: String,
        secret: Secret,
    },
    /// An access token of OAuth 2.0 (RFC 7628).
    Token {
        user: String,
        secret: Secret,
    },
}

impl Login {
    #[must_use]
    pub fn is_token(&self) -> bool {
        matches!(self, Self::Token { .. })
    }
}

/// A request that waits for its credential: what a signature can cover.
pub struct Outgoing<'a> {
    /// In capitals.
    pub method: &'a str,
    pub url: &'a Url,
    /// All of them but `Host` and `Content-Length`.
    pub headers: &'a HeaderMap,
    /// As it travels; empty where there is none.
    pub body: &'a [u8],
    /// Of the body; `None` where there is none.
    pub content_type: Option<&'a str>,
}

/// What a credential adds to a request. Never logged.
#[derive(Clone, Default)]
pub struct Attached {
    /// A header of the same name is replaced.
    pub headers: Vec<(String, Secret)>,
    pub query: Vec<(String, Secret)>,
    /// Values for a JSON body, by path of member names (`auth.key`), or for a form, by field. Not for signed requests: the body is changed
    /// after they were signed.
    pub body: Vec<(String, Secret)>,
    /// The same address in the spelling that was signed.
    pub url: Option<Url>,
}

/// One answer.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Bytes,
    /// The address asked, fit to show: without secret query values.
    pub url: String,
    /// From the last request to the end of its answer.
    pub milliseconds: u64,
    /// Requests made, retries included.
    pub requests: u64,
}

impl Answer {
    /// The first header of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }
}

/// How long to go on trying.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// Tries in all.
    pub tries: u32,
    /// The first pause; each further one is twice as long, up to a minute.
    pub base: Duration,
    /// The longest pause that a vendor may ask for.
    pub longest: Duration,
    /// For one request, with its body.
    pub timeout: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self { tries: 5, base: Duration::from_secs(1), longest: Duration::from_hours(1), timeout: http::TIMEOUT }
    }
}

/// A client for one vendor account. Clones share its connections, its pace and its credential.
#[derive(Clone)]
pub struct Client {
    inner: Arc<Inner>,
}

struct Inner {
    connector: Arc<Connector>,
    context: Context,
    authorizer: Option<Arc<dyn Authorizer>>,
    patience: Patience,
    pace: Pace,
}

pub enum Body {
    Json(serde_json::Value),
    Form(Vec<(String, Secret)>),
}

/// One request to be sent once. `path` is a template, relative to the connector's base URL, or absolute; all else is as it is. A header
/// replaces the connector's own of that name.
pub struct Call<'a> {
    pub method: &'a str,
    pub path: &'a str,
    pub query: &'a [(String, String)],
    pub headers: &'a [(String, String)],
    pub body: Option<Body>,
}

/// A request as it is: nothing in it is a template any more.
pub(super) struct Ask<'a> {
    pub method: &'a str,
    pub url: Url,
    /// Instead of the connector's own headers of these names.
    pub headers: &'a [(String, String)],
    pub body: Option<&'a Body>,
    /// Whether it changes nothing at the vendor, whatever its method.
    pub harmless: bool,
}

impl Client {
    /// Does no I/O. A rule of the connector that cannot be used is a Problem.
    pub fn new(connector: Arc<Connector>, context: Context, authorizer: Option<Arc<dyn Authorizer>>) -> Result<Self, Problem> {
        rules::check(&connector)?;
        let pace = Pace::new(&connector);
        Ok(Self { inner: Arc::new(Inner { connector, context, authorizer, patience: Patience::default(), pace }) })
    }

    /// The same client with other limits to its patience.
    #[must_use]
    pub fn with_patience(&self, patience: Patience) -> Self {
        let inner = &self.inner;
        let (connector, context, authorizer) = (inner.connector.clone(), inner.context.clone(), inner.authorizer.clone());
        let pace = Pace::new(&connector);
        Self { inner: Arc::new(Inner { connector, context, authorizer, patience, pace }) }
    }

    /// Sends a request to `path` (a template, relative to the connector's base URL, or absolute), with retries. `query` is sent as it is.
    ///
    /// A `POST` or `PATCH` is sent again only when the vendor cannot have acted on it.
    ///
    /// # Errors
    ///
    /// Whatever is not a success (2xx, or what an `error` rule of the connector ignores), and the sink's cancellation.
    pub async fn send(&self, method: &str, path: &str, query: &[(String, String)], body: Option<Body>, sink: &Sink) -> Result<Answer, Problem> {
        let url = self.address(path, query)?;
        self.ask(&Ask { method, url, headers: &[], body: body.as_ref(), harmless: false }, sink).await
    }

    /// Sends once, no retry, and returns whatever the vendor answered: for credential tests.
    pub async fn send_once(&self, method: &str, path: &str, query: &[(String, String)], body: Option<Body>, sink: &Sink) -> Result<Answer, Problem> {
        self.call_once(&Call { method, path, query, headers: &[], body }, sink).await
    }

    /// As [`Client::send_once`], with headers.
    pub async fn call_once(&self, call: &Call<'_>, sink: &Sink) -> Result<Answer, Problem> {
        let url = self.address(call.path, call.query)?;
        let ask = Ask { method: call.method, url, headers: call.headers, body: call.body.as_ref(), harmless: false };
        let shown = self.shown(&ask);
        match self.attempt(&ask, &shown, sink).await? {
            Ok((answer, _)) => Ok(answer),
            Err(missed) => Err(self.unanswered(missed, &shown, &ask)),
        }
    }

    /// The Problem that an answer of [`Client::send_once`] stands for, or `None` when it is a success by the connector's rules.
    #[must_use]
    pub fn judge(&self, method: &str, answer: &Answer) -> Option<Problem> {
        match rules::judge(&self.inner.connector, answer.status, &answer.headers, &answer.body) {
            rules::Verdict::Fine => None,
            verdict => Some(self.refusal(&verdict, answer, &format!("{method} {}", answer.url), &[])),
        }
    }

    /// The address of a path with a query, defaults of the connector included.
    pub(super) fn address(&self, path: &str, query: &[(String, String)]) -> Result<Url, Problem> {
        let Inner { connector, context, .. } = &*self.inner;
        let path = rendered(path, context)?;
        let mut url = if path.starts_with("https://") || path.starts_with("http://") {
            http::address(&path)?
        } else {
            let own = context.input.get("base_url").filter(|url| !url.trim().is_empty()).cloned();
            let base = match own {
                Some(own) => Some(own),
                None => template::first(&connector.request.base_url, context)?,
            };
            let no_base = || problem!(Usage, "vendor.no_base", connector = connector.name, path = clean::line(&path, 100));
            let base = base.ok_or_else(no_base)?;
            let slash = if path.is_empty() || path.starts_with(['/', '?']) { "" } else { "/" };
            http::address(&format!("{}{slash}{path}", base.trim().trim_end_matches('/')))?
        };
        let mut defaults = Vec::new();
        for (name, value) in &connector.request.query {
            if query.iter().all(|(given, _)| given != name) {
                let value = rendered(value, context)?;
                if !value.is_empty() {
                    defaults.push((name.clone(), value));
                }
            }
        }
        if !defaults.is_empty() || !query.is_empty() {
            url.query_pairs_mut().extend_pairs(&defaults).extend_pairs(query);
        }
        Ok(url)
    }

    /// The address of a directory, where the connector is one.
    pub fn directory(&self) -> Result<Option<Url>, Problem> {
        let Inner { connector, context, .. } = &*self.inner;
        let base = addresses::base_url(connector, context)?;
        Ok(base.and_then(|base| Url::parse(&base).ok()).filter(|url| matches!(url.scheme(), "ldap" | "ldaps")))
    }

    /// The address of a mail server, where the connector is a mailbox.
    pub fn mailbox(&self) -> Result<Option<Url>, Problem> {
        let Inner { connector, context, .. } = &*self.inner;
        let base = addresses::base_url(connector, context)?;
        Ok(base.and_then(|base| Url::parse(&base).ok()).filter(|url| matches!(url.scheme(), "imap" | "imaps" | "smtp" | "smtps")))
    }

    pub(super) async fn login(&self) -> Result<Option<Login>, Problem> {
        match &self.inner.authorizer {
            Some(authorizer) => authorizer.login().await,
            None => Ok(None),
        }
    }

    /// A mailbox refused the login: whether another one is there now.
    pub(super) async fn login_refused(&self) -> Result<bool, Problem> {
        match &self.inner.authorizer {
            Some(authorizer) => authorizer.refused().await,
            None => Ok(false),
        }
    }

    pub(super) fn account(&self) -> Option<(String, Secret)> {
        self.inner.authorizer.as_ref().and_then(|authorizer| authorizer.account().map(|(name, password)| (name.to_owned(), password.clone())))
    }

    pub(super) fn identity(&self) -> Option<Arc<Identity>> {
        self.inner.authorizer.as_ref().and_then(|authorizer| authorizer.identity())
    }

    pub(super) fn vendor(&self) -> &str {
        &self.inner.connector.name
    }

    pub(super) fn patience(&self) -> Patience {
        self.inner.patience
    }

    /// `GET https://…`, fit to show.
    fn shown(&self, ask: &Ask<'_>) -> String {
        format!("{} {}", ask.method, http::shown(&ask.url))
    }

    fn unanswered(&self, missed: Missed, shown: &str, ask: &Ask<'_>) -> Problem {
        let vendor = self.vendor();
        match missed {
            Missed::Trouble(trouble, reason) => {
                let host = ask.url.host_str().unwrap_or_default();
                trouble.problem(vendor, shown, host, &reason)
            }
            Missed::TooLarge => problem!(Failed, "vendor.too_large", vendor = vendor, request = shown, limit = http::LARGEST >> 20),
        }
    }

    /// What the vendor said, as the reason of a Problem: without a full stop at its end.
    fn reason(&self, verdict: &rules::Verdict<'_>, answer: &Answer, shown: &str, hide: &[&str]) -> String {
        let bare: Vec<&str> =
            hide.iter().map(|value| value.strip_prefix("Bearer ").or_else(|| value.strip_prefix("Basic ")).unwrap_or(value)).collect();
        let message = verdict.message().map(|text| crate::words::hide::hide(text, &bare)).or_else(|| fault::said(&answer.body, &bare).message);
        let status = answer.status;
        match message.as_deref().map(|text| text.trim_end_matches('.')).filter(|text| !text.is_empty()) {
            Some(message) => t!("vendor.answer.said", request = shown, status = status, message = message),
            None => t!("vendor.answer.silent", request = shown, status = status),
        }
    }

    fn refusal(&self, verdict: &rules::Verdict<'_>, answer: &Answer, shown: &str, hide: &[&str]) -> Problem {
        let vendor = self.vendor();
        let reason = self.reason(verdict, answer, shown, hide);
        let problem = match (verdict.action(), answer.status) {
            (Some(ErrorAction::Refresh), _) | (_, 401) => problem!(PersonMustAct, "vendor.unauthorized", vendor = vendor, reason = reason),
            (Some(ErrorAction::RateLimited), _) => problem!(Failed, "vendor.rate_limited", vendor = vendor, reason = reason),
            (_, 403) => problem!(Failed, "vendor.forbidden", vendor = vendor, reason = reason),
            (_, 404) => problem!(Failed, "vendor.not_found", vendor = vendor, reason = reason),
            (Some(ErrorAction::Retry), _) | (_, 500..) => problem!(Failed, "vendor.broken", vendor = vendor, reason = reason),
            (_, 300..=399) => {
                let elsewhere = answer.header("location").and_then(|to| Url::parse(to).ok()).map_or_else(|| "…".to_owned(), |to| http::shown(&to));
                problem!(Failed, "vendor.redirected", vendor = vendor, reason = reason, elsewhere = elsewhere)
            }
            _ => problem!(Failed, "vendor.refused", vendor = vendor, reason = reason),
        };
        let code = fault::said(&answer.body, hide).code;
        let problem = match skew(answer, code.as_deref(), SystemTime::now()) {
            Some(skewed) => Problem { why: format!("{} {skewed}", problem.why), next_step: t!("vendor.clock.next").to_owned(), ..problem },
            None => problem,
        };
        match code {
            Some(code) => problem.with_code(code),
            None => problem,
        }
    }
}

/// A sentence on this host's clock, where a refusal may come from it: signatures and tokens hold for minutes. AWS refuses them with 400.
fn skew(answer: &Answer, code: Option<&str>, now: SystemTime) -> Option<String> {
    let of_time = |code: &str| ["Signature", "Skewed", "Expired"].iter().any(|part| code.contains(part));
    let may_be = match answer.status {
        401 | 403 => true,
        400 => code.is_some_and(of_time),
        _ => false,
    };
    if !may_be {
        return None;
    }
    let behind = http::behind(answer.header("date")?, now)?;
    let off = jiff::SignedDuration::from_secs(behind.as_secs().abs());
    if off < TOLERATED {
        return None;
    }
    let off = format!("{off:#}");
    Some(if behind.is_positive() { t!("vendor.clock.behind", off = off) } else { t!("vendor.clock.ahead", off = off) })
}

/// How far this host's clock may be from the vendor's without being mentioned.
const TOLERATED: jiff::SignedDuration = jiff::SignedDuration::from_secs(120);

/// A text of the definition with its names filled in. Most have none.
pub(super) fn rendered(text: &str, context: &Context) -> Result<String, Problem> {
    if text.contains("{{") || text.contains("{%") { template::render(text, context) } else { Ok(text.to_owned()) }
}

#[cfg(test)]
mod tests;
