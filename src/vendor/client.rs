//! The HTTP client: every request to a vendor goes through it.
//!
//! It retries what is safe to retry (time-outs, 429, 500, 502, 503, 504, a body that was cut short), waits as long as the vendor asks, refreshes
//! once on a 401, and turns everything else into a [`Problem`] without secrets in it.
//!
//! A credential is asked for anew at each try, because a token may end while a rate limit is waited out.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use tokio::sync::{Mutex, Semaphore};
use url::Url;

use super::http::{self, Trouble};
use super::{fault, rules};
use crate::catalog::template::{self, Context};
use crate::model::{Connector, ErrorAction, Problem, Progress, Secret, Sink};
use crate::words::clean;
use crate::{problem, t};

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
    pub headers: Vec<(String, Secret)>,
    pub query: Vec<(String, Secret)>,
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

/// The longest pause of our own choosing.
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

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

    pub(super) fn vendor(&self) -> &str {
        &self.inner.connector.name
    }

    pub(super) fn patience(&self) -> Patience {
        self.inner.patience
    }

    /// Sends with retries, until there is a success or a Problem.
    pub(super) async fn ask(&self, ask: &Ask<'_>, sink: &Sink) -> Result<Answer, Problem> {
        let Inner { connector, authorizer, patience, .. } = &*self.inner;
        let shown = self.shown(ask);
        let repeatable = ask.harmless || !matches!(ask.method, "POST" | "PATCH");
        let (mut tries, mut requests, mut refreshed) = (0, 0, false);
        loop {
            tries += 1;
            requests += 1;
            let attempt = self.attempt(ask, &shown, sink).await?;
            let last = tries >= patience.tries.max(1);
            let (pause, reason) = match attempt {
                Err(missed) => {
                    let safe = repeatable || matches!(&missed, Missed::Trouble(Trouble::Connect | Trouble::Name, _));
                    let passes = matches!(&missed, Missed::Trouble(trouble, _) if trouble.passes());
                    let problem = self.unanswered(missed, &shown, ask);
                    if last || !safe || !passes {
                        return Err(tried(problem, tries));
                    }
                    (backoff(patience.base, tries), problem.what)
                }
                Ok((mut answer, hide)) => {
                    answer.requests = requests;
                    let verdict = rules::judge(connector, answer.status, &answer.headers, &answer.body);
                    let Some(action) = verdict.action() else { return Ok(answer) };
                    let hide: Vec<&str> = hide.iter().map(Secret::expose).collect();
                    let problem = || self.refusal(&verdict, &answer, &shown, &hide);
                    match action {
                        ErrorAction::Ignore => return Ok(answer),
                        ErrorAction::Fail => return Err(problem()),
                        ErrorAction::Refresh => {
                            let renewed = match authorizer {
                                Some(authorizer) if !refreshed => until_cancelled(sink, self.vendor(), authorizer.refused()).await??,
                                _ => false,
                            };
                            if !renewed {
                                return Err(problem());
                            }
                            // A fresh token is a fresh start.
                            refreshed = true;
                            tries -= 1;
                            continue;
                        }
                        // The vendor said that it did not do it: safe for every method.
                        ErrorAction::RateLimited => {
                            let asked = wait_asked_for(connector, &verdict, &answer, SystemTime::now());
                            if let Some(asked) = asked.filter(|asked| *asked > patience.longest) {
                                let reason = self.reason(&verdict, &answer, &shown, &hide);
                                return Err(problem!(Failed, "vendor.too_long", vendor = connector.name, reason = reason, wait = span(asked)));
                            }
                            if last {
                                return Err(tried(problem(), tries));
                            }
                            let pause = asked.map_or_else(|| backoff(patience.base, tries), |asked| asked + jitter(patience.base));
                            self.inner.pace.hold(pause).await;
                            let doing = t!("vendor.waiting.limited", wait = span(pause), vendor = connector.name);
                            wait(pause, doing, self.vendor(), sink).await?;
                            continue;
                        }
                        ErrorAction::Retry => {
                            if last || !repeatable {
                                return Err(tried(problem(), tries));
                            }
                            let asked = wait_asked_for(connector, &verdict, &answer, SystemTime::now()).filter(|asked| *asked <= patience.longest);
                            (asked.unwrap_or_default().max(backoff(patience.base, tries)), problem().what)
                        }
                    }
                }
            };
            wait(pause, t!("vendor.waiting.again", wait = span(pause), reason = reason), self.vendor(), sink).await?;
        }
    }

    /// One request and its answer. The outer error ends everything; the inner one may be tried again. Beside the answer: what must not be
    /// repeated to anybody.
    async fn attempt(&self, ask: &Ask<'_>, shown: &str, sink: &Sink) -> Result<Result<(Answer, Vec<Secret>), Missed>, Problem> {
        let Inner { connector, context, authorizer, patience, pace } = &*self.inner;
        let vendor = self.vendor();
        let permit = until_cancelled(sink, vendor, pace.turn(vendor, sink)).await??;
        let attached = match authorizer {
            Some(authorizer) => until_cancelled(sink, vendor, authorizer.credentials()).await??,
            None => Attached::default(),
        };
        let mut url = ask.url.clone();
        if !attached.query.is_empty() {
            url.query_pairs_mut().extend_pairs(attached.query.iter().map(|(name, value)| (name.as_str(), value.expose())));
        }
        let method = reqwest::Method::from_bytes(ask.method.as_bytes()).unwrap_or(reqwest::Method::GET);
        let mut headers = HeaderMap::new();
        headers.insert(reqwest::header::ACCEPT, HeaderValue::from_static("application/json"));
        let own = |name: &str| ask.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        for (name, value) in connector.request.headers.iter().filter(|(name, _)| !own(name)) {
            // Without a value there is no header: an optional input can steer it.
            let value = rendered(value, context)?;
            if !value.is_empty() {
                put(&mut headers, name, &value, false, vendor)?;
            }
        }
        for (name, value) in ask.headers {
            put(&mut headers, name, value, false, vendor)?;
        }
        for (name, value) in &attached.headers {
            put(&mut headers, name, value.expose(), true, vendor)?;
        }
        let mut request = http::client_for(&url)?.request(method, url).timeout(patience.timeout);
        match ask.body {
            Some(Body::Json(value)) => {
                if !headers.contains_key(reqwest::header::CONTENT_TYPE) {
                    headers.insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
                }
                request = request.body(value.to_string());
            }
            Some(Body::Form(fields)) => {
                let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.expose())).collect();
                request = request.form(&fields);
            }
            None => {}
        }
        let request = request.headers(headers);
        let started = Instant::now();
        let exchange = async {
            let response = request.send().await.map_err(|error| Missed::trouble(&error))?;
            let status = response.status().as_u16();
            let headers: Vec<(String, String)> = response
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect();
            let body = http::body(response, http::LARGEST).await.map_err(|error| match error {
                http::BodyError::TooLarge(_) => Missed::TooLarge,
                http::BodyError::Broken(error) => Missed::trouble(&error),
            })?;
            Ok((status, headers, body))
        };
        let exchanged = until_cancelled(sink, vendor, exchange).await?;
        drop(permit);
        Ok(exchanged.map(|(status, headers, body)| {
            let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let url = shown.split_once(' ').map_or(shown, |(_, url)| url).to_owned();
            let hide = attached.headers.into_iter().chain(attached.query).map(|(_, secret)| secret).collect();
            (Answer { status, headers, body, url, milliseconds, requests: 1 }, hide)
        }))
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
        let message = verdict.message().map(str::to_owned).or_else(|| fault::said(&answer.body, &bare).message);
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
        match fault::said(&answer.body, hide).code {
            Some(code) => problem.with_code(code),
            None => problem,
        }
    }
}

/// Why there is no answer.
enum Missed {
    Trouble(Trouble, String),
    TooLarge,
}

impl Missed {
    fn trouble(error: &reqwest::Error) -> Self {
        Self::Trouble(Trouble::of(error), http::innermost(error))
    }
}

/// A text of the definition with its names filled in. Most have none.
pub(super) fn rendered(text: &str, context: &Context) -> Result<String, Problem> {
    if text.contains("{{") || text.contains("{%") { template::render(text, context) } else { Ok(text.to_owned()) }
}

fn put(headers: &mut HeaderMap, name: &str, value: &str, secret: bool, vendor: &str) -> Result<(), Problem> {
    let bad = || problem!(Usage, "vendor.header", vendor = vendor, name = clean::line(name, 60));
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
    value.set_sensitive(secret);
    headers.insert(header, value);
    Ok(())
}

/// Runs until it is done or the sink says stop.
pub(super) async fn until_cancelled<T>(sink: &Sink, vendor: &str, work: impl Future<Output = T>) -> Result<T, Problem> {
    tokio::select! {
        biased;
        () = sink.cancel.cancelled() => Err(problem!(Failed, "vendor.cancelled", vendor = vendor)),
        done = work => Ok(done),
    }
}

/// Waits, and says so.
pub(super) async fn wait(pause: Duration, doing: String, vendor: &str, sink: &Sink) -> Result<(), Problem> {
    sink.report(Progress { doing, records: 0, pages: 0, total: None, rate: 0.0, seconds_left: Some(pause.as_secs()) });
    until_cancelled(sink, vendor, tokio::time::sleep(pause)).await
}

fn tried(mut problem: Problem, tries: u32) -> Problem {
    if tries > 1 {
        problem.why = t!("vendor.answer.tried", reason = problem.why.trim_end_matches('.'), n = tries);
    }
    problem
}

/// The pause after the `tries`th try: doubling, with jitter, so that many clients do not come back together.
pub(super) fn backoff(base: Duration, tries: u32) -> Duration {
    let full = base.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_BACKOFF);
    full / 2 + jitter(full) / 2
}

/// Between nothing and `most`.
fn jitter(most: Duration) -> Duration {
    use std::hash::{BuildHasher, Hasher};
    let random = std::hash::RandomState::new().build_hasher().finish();
    #[allow(clippy::cast_precision_loss)] // a fraction needs no more
    most.mul_f64(random as f64 / u64::MAX as f64)
}

/// How long the vendor asks to wait: as the rule that applies says, else `Retry-After` (RFC 9110 §10.2.3: seconds, or a date), or the headers
/// that the connector names.
fn wait_asked_for(connector: &Connector, verdict: &rules::Verdict<'_>, answer: &Answer, now: SystemTime) -> Option<Duration> {
    if let Some(said) = verdict.wait(answer.status, &answer.headers, &answer.body) {
        return Some(said);
    }
    let seconds = |text: &str| text.trim().parse::<f64>().ok().and_then(|n| Duration::try_from_secs_f64(n).ok());
    let retry_after = answer.header("retry-after").and_then(|text| seconds(text).or_else(|| until_date(text, now)));
    retry_after
        .or_else(|| connector.limit.after.iter().filter_map(|name| answer.header(name)).find_map(seconds))
        .or_else(|| connector.limit.until.iter().filter_map(|name| answer.header(name)).find_map(|text| until(text, now)))
}

fn until_date(text: &str, now: SystemTime) -> Option<Duration> {
    let at = jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text.trim()).ok()?;
    Some(SystemTime::from(at).duration_since(now).unwrap_or_default())
}

/// A moment as seconds since 1970, in milliseconds where it is too large for that, or as a date. A number that is too small for a moment is
/// a number of seconds.
fn until(text: &str, now: SystemTime) -> Option<Duration> {
    let Ok(number) = text.trim().parse::<f64>() else { return until_date(text, now) };
    let at = if number >= 1e11 { number / 1000.0 } else { number };
    let after = Duration::try_from_secs_f64(at).ok()?;
    if at < 1e9 {
        return Some(after);
    }
    Some(SystemTime::UNIX_EPOCH.checked_add(after)?.duration_since(now).unwrap_or_default())
}

/// A pause, for people: `3 s`, `2 min 5 s`.
pub(super) fn span(pause: Duration) -> String {
    let seconds = pause.as_secs_f64().ceil().max(1.0);
    #[allow(clippy::cast_possible_truncation)] // the longest pause is an hour or so
    let span = jiff::SignedDuration::from_secs(seconds as i64);
    format!("{span:#}")
}

/// The pace that the vendor allows, shared by all who ask it.
struct Pace {
    lanes: Option<Arc<Semaphore>>,
    /// Requests in a window of time.
    window: Option<(usize, Duration)>,
    state: Mutex<PaceState>,
}

#[derive(Default)]
struct PaceState {
    /// When the last requests of the window began.
    begun: VecDeque<Instant>,
    /// The vendor asked all of us to wait until then.
    not_before: Option<Instant>,
}

impl Pace {
    fn new(connector: &Connector) -> Self {
        let limit = &connector.limit;
        let lanes = limit.concurrency.filter(|n| *n > 0).map(|n| Arc::new(Semaphore::new(n as usize)));
        let window = limit.requests.filter(|n| *n > 0).map(|n| (n as usize, Duration::from_secs(limit.per.unwrap_or(1).max(1).into())));
        Self { lanes, window, state: Mutex::default() }
    }

    /// Waits until it is this request's turn. The permit is held while the request is under way.
    async fn turn(&self, vendor: &str, sink: &Sink) -> Result<Option<tokio::sync::OwnedSemaphorePermit>, Problem> {
        let permit = match &self.lanes {
            // The semaphore is never closed.
            Some(lanes) => Arc::clone(lanes).acquire_owned().await.ok(),
            None => None,
        };
        loop {
            let pause = self.claim(Instant::now()).await;
            if pause.is_zero() {
                return Ok(permit);
            }
            if pause < Duration::from_secs(1) {
                tokio::time::sleep(pause).await;
            } else {
                wait(pause, t!("vendor.waiting.pacing", vendor = vendor), vendor, sink).await?;
            }
        }
    }

    /// Takes a place in the window and returns zero, or says how long to wait before asking again.
    async fn claim(&self, now: Instant) -> Duration {
        let mut state = self.state.lock().await;
        if let Some(until) = state.not_before {
            if until > now {
                return until - now;
            }
            state.not_before = None;
        }
        if let Some((requests, per)) = self.window {
            while state.begun.front().is_some_and(|first| now.duration_since(*first) >= per) {
                state.begun.pop_front();
            }
            if state.begun.len() >= requests {
                return state.begun.front().map_or(Duration::ZERO, |first| per.saturating_sub(now.duration_since(*first)));
            }
            state.begun.push_back(now);
        }
        Duration::ZERO
    }

    async fn hold(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.state.lock().await;
        state.not_before = Some(state.not_before.map_or(until, |known| known.max(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex as StdMutex;
    use std::sync::atomic::{AtomicU32, Ordering};
    use wiremock::matchers::{header, method, path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    const QUICK: Patience =
        Patience { tries: 5, base: Duration::from_millis(5), longest: Duration::from_secs(5), timeout: Duration::from_millis(800) };

    fn connector(rest: &str) -> Arc<Connector> {
        Arc::new(toml::from_str(&format!("schema = 1\nid = 'acme'\nname = 'Acme'\n{rest}")).unwrap())
    }

    fn client(server: &MockServer, rest: &str, authorizer: Option<Arc<dyn Authorizer>>) -> Client {
        let mut context = Context::default();
        context.input.insert("base_url".to_owned(), format!("{}/api/", server.uri()));
        Client::new(connector(rest), context, authorizer).unwrap().with_patience(QUICK)
    }

    /// Hands out `old` until it is refused, then `new`.
    struct Renewing {
        refused: AtomicU32,
        asked: AtomicU32,
        can: bool,
    }

    impl Renewing {
        fn new(can: bool) -> Arc<Self> {
            Arc::new(Self { refused: AtomicU32::new(0), asked: AtomicU32::new(0), can })
        }
    }

    impl Authorizer for Renewing {
        fn credentials(&self) -> BoxFuture<'_, Result<Attached, Problem>> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            let token = if self.refused.load(Ordering::SeqCst) == 0 { "old-token-value" } else { "new-token-value" };
            let attached = Attached {
                headers: vec![("Authorization".to_owned(), Secret::new(format!("Bearer {token}")))],
                query: vec![("sig".to_owned(), Secret::new("query-secret"))],
            };
            Box::pin(async { Ok(attached) })
        }

        fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
            self.refused.fetch_add(1, Ordering::SeqCst);
            Box::pin(async { Ok(self.can) })
        }
    }

    async fn get(client: &Client) -> Result<Answer, Problem> {
        client.send("GET", "/users", &[("page".to_owned(), "1".to_owned())], None, &Sink::none()).await
    }

    async fn serve(server: &MockServer, times: u64, response: ResponseTemplate) {
        Mock::given(path("/api/users")).respond_with(response).up_to_n_times(times).mount(server).await;
    }

    #[tokio::test]
    async fn what_passes_is_tried_again() {
        for status in [500, 502, 503, 504, 429, 408] {
            let server = MockServer::start().await;
            serve(&server, 2, ResponseTemplate::new(status)).await;
            Mock::given(path("/api/users")).and(query_param("page", "1")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
            let answer = get(&client(&server, "", None)).await.unwrap();
            assert_eq!((answer.status, answer.requests), (200, 3), "{status}");
        }
    }

    #[tokio::test]
    async fn it_gives_up_after_five_tries_and_says_so() {
        let server = MockServer::start().await;
        serve(&server, 100, ResponseTemplate::new(500).set_body_string(r#"{"error":{"code":"Oops","message":"it broke."}}"#)).await;
        let problem = get(&client(&server, "", None)).await.err().unwrap();
        assert_eq!(server.received_requests().await.unwrap().len(), 5);
        assert_eq!(problem.code.as_deref(), Some("Oops"));
        assert!(problem.why.contains("was answered with 500: it broke (5 tries)"), "{}", problem.why);
    }

    #[tokio::test]
    async fn what_does_not_pass_is_not_tried_again() {
        for (status, word) in [(400, "refused"), (403, "does not allow"), (404, "does not know")] {
            let server = MockServer::start().await;
            serve(&server, 100, ResponseTemplate::new(status)).await;
            let problem = get(&client(&server, "", None)).await.err().unwrap();
            assert_eq!(server.received_requests().await.unwrap().len(), 1);
            assert!(problem.what.contains(word), "{status}: {}", problem.what);
        }
    }

    #[tokio::test]
    async fn changes_are_not_sent_twice() {
        let server = MockServer::start().await;
        serve(&server, 1, ResponseTemplate::new(500)).await;
        let client = client(&server, "", None);
        let body = || Some(Body::Json(serde_json::json!({"a": 1})));
        assert!(client.send("POST", "users", &[], body(), &Sink::none()).await.is_err());
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
        // Too many requests means that it was not done.
        serve(&server, 1, ResponseTemplate::new(429)).await;
        serve(&server, 1, ResponseTemplate::new(201)).await;
        assert_eq!(client.send("POST", "users", &[], body(), &Sink::none()).await.unwrap().status, 201);
    }

    #[tokio::test]
    async fn a_pause_that_the_vendor_asks_for_is_kept_and_reported() {
        let server = MockServer::start().await;
        serve(&server, 1, ResponseTemplate::new(429).insert_header("Retry-After", "1")).await;
        serve(&server, 1, ResponseTemplate::new(200)).await;
        let said = Arc::new(StdMutex::new(Vec::new()));
        let log = said.clone();
        let sink = Sink::new(move |progress| log.lock().unwrap().push(progress.doing), Default::default());
        let started = Instant::now();
        let renewing = Renewing::new(true);
        let client = client(&server, "", Some(renewing.clone()));
        client.send("GET", "/users", &[], None, &sink).await.unwrap();
        assert!(started.elapsed() >= Duration::from_secs(1));
        assert!(said.lock().unwrap().iter().any(|doing| doing.contains("Acme asked for a pause")));
        // The credential was asked for anew after the wait.
        assert_eq!(renewing.asked.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn a_wait_can_be_cancelled() {
        let server = MockServer::start().await;
        serve(&server, 9, ResponseTemplate::new(429).insert_header("Retry-After", "4")).await;
        let (client, sink) = (client(&server, "", None), Sink::none());
        let cancel = sink.cancel.clone();
        let sink = Sink::new(move |_| cancel.cancel(), sink.cancel.clone());
        let started = Instant::now();
        assert!(client.send("GET", "/users", &[], None, &sink).await.is_err());
        assert!(started.elapsed() < Duration::from_secs(3));
    }

    #[tokio::test]
    async fn a_pause_beyond_reason_is_a_problem() {
        let server = MockServer::start().await;
        serve(&server, 9, ResponseTemplate::new(429).insert_header("Retry-After", "86400")).await;
        let problem = get(&client(&server, "", None)).await.err().unwrap();
        assert!(problem.why.contains("24h"), "{}", problem.why);
    }

    #[tokio::test]
    async fn a_refused_token_is_renewed_once() {
        let server = MockServer::start().await;
        Mock::given(header("Authorization", "Bearer new-token-value")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
        let refusal = ResponseTemplate::new(401)
            .set_body_string(r#"{"error":"invalid_token","error_description":"old-token-value and query-secret are dead"}"#);
        Mock::given(header("Authorization", "Bearer old-token-value")).respond_with(refusal).mount(&server).await;
        let renewing = Renewing::new(true);
        assert_eq!(get(&client(&server, "", Some(renewing.clone()))).await.unwrap().requests, 2);
        let stuck = Renewing::new(false);
        let problem = get(&client(&server, "", Some(stuck.clone()))).await.err().unwrap();
        assert_eq!(stuck.refused.load(Ordering::SeqCst), 1);
        assert_eq!((problem.exit_code(), problem.code.as_deref()), (3, Some("invalid_token")));
        // What the vendor echoed is not repeated.
        assert!(problem.why.contains("… and … are dead"), "{}", problem.why);
        assert!(!problem.why.contains("sig="));
    }

    #[tokio::test]
    async fn a_slow_answer_is_a_time_out() {
        let server = MockServer::start().await;
        serve(&server, 1, ResponseTemplate::new(200).set_delay(Duration::from_secs(5))).await;
        serve(&server, 1, ResponseTemplate::new(200)).await;
        assert_eq!(get(&client(&server, "", None)).await.unwrap().requests, 2);
    }

    #[tokio::test]
    async fn nobody_there() {
        let mut context = Context::default();
        // Bound, then closed: nobody listens.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        context.input.insert("base_url".to_owned(), format!("http://127.0.0.1:{port}"));
        let client = Client::new(connector(""), context, None).unwrap().with_patience(Patience { tries: 2, ..QUICK });
        let problem = get(&client).await.err().unwrap();
        assert!(problem.what.contains("could not be reached"), "{problem:?}");
    }

    #[tokio::test]
    async fn a_redirect_elsewhere_is_named() {
        let server = MockServer::start().await;
        serve(&server, 9, ResponseTemplate::new(302).insert_header("Location", "https://elsewhere.example/login")).await;
        let problem = get(&client(&server, "", None)).await.err().unwrap();
        assert!(problem.why.contains("https://elsewhere.example/login"), "{problem:?}");
    }

    #[tokio::test]
    async fn the_pace_of_the_vendor_is_kept() {
        let server = MockServer::start().await;
        serve(&server, 99, ResponseTemplate::new(200)).await;
        let client = client(&server, "[limit]\nrequests = 2\nper = 1\nconcurrency = 1", None);
        let started = Instant::now();
        for _ in 0..3 {
            get(&client).await.unwrap();
        }
        assert!(started.elapsed() >= Duration::from_millis(900));
    }

    #[tokio::test]
    async fn defaults_of_the_connector_are_sent() {
        let server = MockServer::start().await;
        Mock::given(method("GET"))
            .and(path("/api/users"))
            .and(query_param("v", "2"))
            .and(header("accept", "application/scim+json"))
            .and(header("user-agent", concat!("intertie/", env!("CARGO_PKG_VERSION"))))
            .respond_with(ResponseTemplate::new(200))
            .mount(&server)
            .await;
        let client = client(&server, "[request]\nheaders = { Accept = 'application/scim+json' }\nquery = { v = '2', page = '9' }", None);
        assert_eq!(get(&client).await.unwrap().url, format!("{}/api/users?v=2&page=1", server.uri()));
        let missing = client.send_once("GET", "/nothing", &[], None, &Sink::none()).await.unwrap();
        assert_eq!(missing.status, 404);
        assert!(client.judge("GET", &missing).unwrap().what.contains("does not know"));
    }

    #[test]
    fn pauses_asked_for() {
        let connector = connector("[limit]\nafter = ['X-Wait']\nuntil = ['X-Reset']");
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let asked = |name: &str, value: &str| {
            let headers = vec![(name.to_owned(), value.to_owned())];
            let answer = Answer { status: 429, headers, body: Bytes::new(), url: String::new(), milliseconds: 0, requests: 1 };
            wait_asked_for(&connector, &rules::Verdict::Fine, &answer, now).map(|pause| pause.as_secs())
        };
        assert_eq!(asked("Retry-After", "7"), Some(7));
        assert_eq!(asked("retry-after", " 1.5 "), Some(1));
        assert_eq!(asked("Retry-After", "Fri, 15 Jan 2027 08:00:30 GMT"), Some(30));
        assert_eq!(asked("Retry-After", "Fri, 15 Jan 2027 07:00:00 GMT"), Some(0));
        assert_eq!(asked("Retry-After", "soon"), None);
        assert_eq!(asked("Retry-After", "-3"), None);
        assert_eq!(asked("Retry-After", "1e300"), None);
        assert_eq!(asked("X-Wait", "9"), Some(9));
        assert_eq!(asked("X-Reset", "1800000060"), Some(60));
        assert_eq!(asked("X-Reset", "1800000060000"), Some(60));
        assert_eq!(asked("X-Reset", "42"), Some(42));
        assert_eq!(asked("X-Other", "42"), None);
    }

    #[test]
    fn pauses_double_and_end_somewhere() {
        let base = Duration::from_secs(1);
        for tries in 1..40 {
            let pause = backoff(base, tries);
            let full = base.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST_BACKOFF);
            assert!(pause >= full / 2 && pause <= full, "{tries}: {pause:?}");
        }
    }
}
