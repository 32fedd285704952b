//! Reading the records of a resource, page by page, cut down to a projection.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bytes::Bytes;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};
use url::Url;

use super::client::{self, Answer, Ask, Body, Client, rendered};
use super::files;
use super::http;
use super::ldap::Search;
use super::mail::Mailbox;
use super::paging::{self, Facts, Fault, Pager, Params, Seen, Turn};
use crate::catalog::{self, template, template::Context};
use crate::mapping::path::{Path, Step};
use crate::mapping::projection::{Projection, Records, Row};
use crate::model::{Connector, Format, Paging, Problem, Progress, RecordError, Resource, Secret, Sink};
use crate::words::clean;
use crate::{problem, t};

/// A page of rows.
#[derive(Debug, Default)]
pub struct Page {
    pub rows: Vec<Row>,
    /// Records that could not be read, by line or place.
    pub bad: Vec<RecordError>,
    /// Records in all, where the vendor tells.
    pub total: Option<u64>,
    /// Body bytes of this page.
    pub bytes: u64,
    /// Requests made for it, retries included.
    pub requests: u64,
}

/// An open read. Pages are fetched ahead by one while the caller works; dropping it stops the fetching.
///
/// What it reports to the sink are waits only, with the counts so far; pages are the caller's to report.
pub struct Source {
    state: State,
    _stop: DropGuard,
}

enum State {
    /// Nothing was asked for yet. Boxed, because it is large and short-lived.
    Closed(Box<Reader>),
    /// `None` says that the list ended properly.
    Open(mpsc::Receiver<Result<Option<Page>, Problem>>, String),
    Ended,
    Failed(Problem),
}

impl Source {
    /// A resource behind HTTP, or a file (`format = "file"`: no client needed). Does no I/O; that begins with the first [`Source::next`],
    /// which needs a Tokio runtime.
    pub fn open(
        connector: Arc<Connector>,
        resource: &Resource,
        context: &Context,
        client: Option<Client>,
        projection: Projection,
        sink: &Sink,
    ) -> Result<Self, Problem> {
        let cancel = sink.cancel.child_token();
        let reader = Reader::new(&connector, resource, context, client, projection, sink, cancel.clone())?;
        Ok(Self { state: State::Closed(Box::new(reader)), _stop: cancel.drop_guard() })
    }

    /// The next page, or `None` at the end. After an error the read is over, and it was not complete: every further call returns the error.
    pub async fn next(&mut self) -> Result<Option<Page>, Problem> {
        if let State::Closed(_) = self.state {
            let State::Closed(reader) = std::mem::replace(&mut self.state, State::Ended) else { return Ok(None) };
            self.state = start(*reader);
        }
        let (pages, vendor) = match &mut self.state {
            State::Closed(_) | State::Ended => return Ok(None),
            State::Failed(problem) => return Err(problem.clone()),
            State::Open(pages, vendor) => (pages, vendor),
        };
        match pages.recv().await {
            Some(Ok(Some(page))) => Ok(Some(page)),
            Some(Ok(None)) => {
                self.state = State::Ended;
                Ok(None)
            }
            Some(Err(problem)) => {
                self.state = State::Failed(problem.clone());
                Err(problem)
            }
            // The task ended without a word: a panic, or a runtime that shuts down. Never taken for the end of the list.
            None => {
                let problem = problem!(Failed, "vendor.stopped", vendor = vendor);
                self.state = State::Failed(problem.clone());
                Err(problem)
            }
        }
    }
}

/// Begins to fetch. One page waits in the channel while another is being made.
fn start(reader: Reader) -> State {
    let (send, pages) = mpsc::channel(1);
    let vendor = match reader {
        Reader::Http(mut list) => {
            let vendor = list.client.vendor().to_owned();
            tokio::spawn(async move {
                loop {
                    let next = list.page().await;
                    let over = !matches!(next, Ok(Some(_)));
                    if send.send(next).await.is_err() || over {
                        break;
                    }
                }
            });
            vendor
        }
        Reader::File(file) => {
            let vendor = file.vendor.clone();
            tokio::task::spawn_blocking(move || {
                let read = file.read(&mut |page| match send.blocking_send(Ok(Some(page))) {
                    Ok(()) => ControlFlow::Continue(()),
                    Err(_) => ControlFlow::Break(()),
                });
                let _ = send.blocking_send(read.map(|()| None));
            });
            vendor
        }
        Reader::Directory(directory) => {
            let Directory { search, projection, cancel, vendor } = *directory;
            tokio::spawn(async move { search.read(&projection, &cancel, &send).await });
            vendor
        }
        Reader::Mailbox(post) => {
            let Post { mailbox, projection, cancel, vendor } = *post;
            tokio::spawn(async move { mailbox.read(&projection, &cancel, &send).await });
            vendor
        }
    };
    State::Open(pages, vendor)
}

/// The first records as they are, for samples. At most `limit`; follows pages as needed.
pub async fn sample(
    connector: Arc<Connector>,
    resource: &Resource,
    context: &Context,
    client: Option<Client>,
    limit: usize,
    sink: &Sink,
) -> Result<(Vec<Value>, Option<u64>), Problem> {
    let cancel = sink.cancel.child_token();
    // The empty path is the whole record.
    let whole = Projection::new(vec![Path { steps: Vec::new() }]);
    let reader = Reader::new(&connector, resource, context, client, whole, sink, cancel.clone())?;
    let stop = cancel.drop_guard();
    let (mut records, mut total) = (Vec::new(), None);
    let take = move |page: Page, records: &mut Vec<Value>| {
        let room = limit.saturating_sub(records.len());
        records.extend(page.rows.into_iter().take(room).flat_map(|row| row.slots));
    };
    match reader {
        Reader::Http(mut list) => {
            while records.len() < limit
                && let Some(page) = list.page().await?
            {
                total = page.total.or(total);
                take(page, &mut records);
            }
        }
        Reader::File(file) => {
            let vendor = file.vendor.clone();
            let read = tokio::task::spawn_blocking(move || {
                let mut records = Vec::new();
                let done = file.read(&mut |page| {
                    take(page, &mut records);
                    if records.len() < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
                });
                done.map(|()| records)
            });
            records = read.await.map_err(|_| problem!(Failed, "vendor.stopped", vendor = vendor))??;
        }
        other @ (Reader::Directory(_) | Reader::Mailbox(_)) => {
            let mut source = Source { state: start(other), _stop: stop };
            while records.len() < limit
                && let Some(page) = source.next().await?
            {
                total = page.total.or(total);
                take(page, &mut records);
            }
        }
    }
    Ok((records, total))
}

enum Reader {
    Http(Box<List>),
    File(FileRead),
    Directory(Box<Directory>),
    Mailbox(Box<Post>),
}

impl Reader {
    fn new(
        connector: &Arc<Connector>,
        resource: &Resource,
        context: &Context,
        client: Option<Client>,
        projection: Projection,
        sink: &Sink,
        cancel: CancellationToken,
    ) -> Result<Self, Problem> {
        let resource = &catalog::resource(resource, context)?;
        if resource.format == Format::File {
            let path = files::expand(&rendered(&resource.path, context)?);
            return Ok(Self::File(FileRead { path, projection, cancel, vendor: connector.name.clone() }));
        }
        let client = client.ok_or_else(|| problem!(Usage, "vendor.no_client_for", connector = connector.name))?;
        if resource.format == Format::Ldap {
            let path = rendered(&resource.path, context)?;
            let query = template::pairs(&resource.query, context)?;
            let search = Search::new(&client, resource, &path, &query)?;
            return Ok(Self::Directory(Box::new(Directory { search, projection, cancel, vendor: connector.name.clone() })));
        }
        if resource.format == Format::Imap {
            let path = rendered(&resource.path, context)?;
            let query = template::pairs(&resource.query, context)?;
            let mailbox = Mailbox::resource(&client, &path, &resource.records, &query)?;
            return Ok(Self::Mailbox(Box::new(Post { mailbox, projection, cancel, vendor: connector.name.clone() })));
        }
        let path = |text: &str| {
            Path::parse(text).map_err(|error| {
                problem!(
                    Usage,
                    "vendor.path",
                    connector = connector.name,
                    path = clean::line(text, 200),
                    reason = clean::line(&error.to_string(), 200)
                )
            })
        };
        let (list, member) = catalog::list_and_member(&resource.records);
        let records = if list.is_empty() { None } else { Some(path(list)?) };
        let projection = if member.is_empty() {
            projection
        } else {
            let member = path(member)?;
            Projection::new(projection.paths().iter().map(|path| path.behind(&member)).collect())
        };
        let pager = Pager::new(&resource.paging);
        let mut beside = Vec::new();
        let mut places = [None; 3];
        for (place, wanted) in places.iter_mut().zip(pager.wanted()) {
            if let Some(wanted) = wanted {
                *place = Some(beside.len());
                beside.push(path(wanted)?);
            }
        }
        let query: Vec<(String, String)> = resource.query.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
        let base = client.address(&resource.path, &query)?;
        let further = match &resource.paging {
            Paging::Cursor { path: Some(path), .. } => Some(client.address(path, &[])?),
            _ => None,
        };
        let content = match &resource.body {
            Some(body) => Content::Json(body.clone()),
            None if resource.form.is_empty() => Content::None,
            None => Content::Form(resource.form.iter().map(|(name, value)| (name.clone(), value.clone())).collect()),
        };
        let counts = Arc::new(Counts::new());
        let spelling = match &resource.paging {
            Paging::Offset { param, value: Some(value), size, .. } => {
                Some(Spelling { param: param.clone(), value: value.clone(), size: *size, context: context.clone() })
            }
            _ => None,
        };
        let turn = Some(Turn::Params(pager.first()));
        let may_lack_list = resource.records_optional || pager.may_lack_list();
        Ok(Self::Http(Box::new(List {
            sink: counting(sink, cancel, &counts),
            client,
            method: resource.method.clone(),
            headers: resource.headers.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
            base,
            further,
            content,
            turn,
            pager,
            spelling,
            shape: Arc::new(Shape { projection, records, beside: Projection::new(beside) }),
            places,
            may_lack_list,
            place: resource.records.clone(),
            counts,
        })))
    }
}

struct Directory {
    search: Search,
    projection: Projection,
    cancel: CancellationToken,
    vendor: String,
}

struct Post {
    mailbox: Mailbox,
    projection: Projection,
    cancel: CancellationToken,
    vendor: String,
}

struct FileRead {
    path: PathBuf,
    projection: Projection,
    cancel: CancellationToken,
    vendor: String,
}

impl FileRead {
    /// Blocking.
    fn read(&self, emit: &mut files::Emit<'_>) -> Result<(), Problem> {
        files::read(&self.path, &self.projection, &mut |page| if self.cancel.is_cancelled() { ControlFlow::Break(()) } else { emit(page) })?;
        // Stopped in the middle is not the end of the file.
        if self.cancel.is_cancelled() { Err(problem!(Failed, "vendor.cancelled", vendor = self.vendor)) } else { Ok(()) }
    }
}

/// What is read of a body.
struct Shape {
    projection: Projection,
    records: Option<Path>,
    beside: Projection,
}

/// A list behind HTTP.
struct List {
    client: Client,
    method: String,
    headers: Vec<(String, String)>,
    /// The resource's address, without the parameters of paging.
    base: Url,
    /// Where further pages are asked, if elsewhere.
    further: Option<Url>,
    /// What is sent, without the parameters of paging.
    content: Content,
    /// The next request; `None` at the end.
    turn: Option<Turn>,
    pager: Pager,
    spelling: Option<Spelling>,
    shape: Arc<Shape>,
    /// Where among the values beside the records the flag for more, the total and the next place are.
    places: [Option<usize>; 3],
    /// Whether an answer without the list is one with an empty list.
    may_lack_list: bool,
    /// Where the records are, as the definition says it.
    place: String,
    counts: Arc<Counts>,
    sink: Sink,
}

/// How the place in the list is said where it is part of a longer text: `… startposition 101 maxresults 100`.
struct Spelling {
    param: String,
    value: String,
    size: u64,
    context: Context,
}

impl Spelling {
    /// With the text in the place of the number.
    fn spell(&self, params: Params) -> Result<Params, Problem> {
        let spelt = |(name, value): (String, Value)| match value.as_u64().filter(|_| name == self.param) {
            Some(offset) => {
                let places = [("offset", offset), ("start", offset + 1), ("size", self.size)];
                let context = places.iter().fold(self.context.clone(), |context, (name, n)| context.with(name, &n.to_string()));
                Ok((name, Value::String(rendered(&self.value, &context)?)))
            }
            None => Ok((name, value)),
        };
        params.into_iter().map(spelt).collect()
    }
}

/// What a request for a page carries. The parameters of paging travel in it where there is anything, else in the query.
enum Content {
    None,
    Json(Value),
    Form(Vec<(String, String)>),
}

impl Content {
    /// With parameters; those it has already are replaced.
    fn with(&self, params: &Params) -> Result<Option<Body>, Problem> {
        Ok(match self {
            Self::None => None,
            Self::Json(body) => {
                let mut body = body.clone();
                for (name, value) in params {
                    set(&mut body, name, value)?;
                }
                Some(Body::Json(body))
            }
            Self::Form(fields) => {
                let kept = fields.iter().filter(|(name, _)| params.iter().all(|(param, _)| param != name)).cloned();
                let fields = kept.chain(params.iter().map(|(name, value)| (name.clone(), paging::text(value))));
                Some(Body::Form(fields.map(|(name, value)| (name, Secret::new(value))).collect()))
            }
        })
    }

    /// The parameters alone.
    fn only(&self, params: &Params) -> Result<Option<Body>, Problem> {
        match self {
            Self::None => Ok(None),
            Self::Json(_) => Self::Json(Value::Object(serde_json::Map::new())).with(params),
            Self::Form(_) => Self::Form(Vec::new()).with(params),
        }
    }
}

/// Sets a member by its path; objects on the way are made.
fn set(body: &mut Value, path: &str, value: &Value) -> Result<(), Problem> {
    let unusable = || problem!(Usage, "vendor.body_path", path = clean::line(path, 100));
    let mut place = body;
    for step in Path::parse(path).map_err(|_| unusable())?.steps {
        if let Step::Key(_) = step
            && place.is_null()
        {
            *place = Value::Object(serde_json::Map::new());
        }
        place = match (step, place) {
            (Step::Key(key), Value::Object(members)) => members.entry(key).or_insert(Value::Null),
            (Step::Index(index), Value::Array(list)) => list.get_mut(index).ok_or_else(unusable)?,
            _ => return Err(unusable()),
        };
    }
    *place = value.clone();
    Ok(())
}

/// Bodies longer than this are parsed off the async threads.
const LARGE: usize = 64 << 10;
/// How often a page is asked for whose body cannot be read.
const BODY_TRIES: u32 = 3;

impl List {
    async fn page(&mut self) -> Result<Option<Page>, Problem> {
        let Some(turn) = self.turn.take() else { return Ok(None) };
        let (url, body) = match turn {
            Turn::Params(params) => {
                let params = match &self.spelling {
                    Some(spelling) => spelling.spell(params)?,
                    None => params,
                };
                match self.content.with(&params)? {
                    None => (with_params(&self.base, &params), None),
                    body => (self.base.clone(), body),
                }
            }
            Turn::Continue(params) => {
                let further = self.further.as_ref().unwrap_or(&self.base);
                match self.content.only(&params)? {
                    None => (with_params(further, &params), None),
                    body => (further.clone(), body),
                }
            }
            Turn::Url(url) => (url, self.content.with(&Params::new())?),
        };
        let (answer, parsed, requests) = self.fetch(&url, body.as_ref()).await?;
        let Records { rows, bad, found, beside } = parsed;
        if !found && !self.may_lack_list {
            let place = if self.place.is_empty() { "." } else { &self.place };
            return Err(problem!(Failed, "vendor.no_list", vendor = self.client.vendor(), request = self.shown(&url), place = place));
        }
        let at = |place: Option<usize>| place.and_then(|place| beside.get(place)).unwrap_or(&Value::Null);
        let [more, total, next] = self.places;
        let facts = Facts::new(at(more), at(total), at(next));
        let before = self.counts.records.load(Ordering::Relaxed);
        let records = (rows.len() + bad.len()) as u64;
        let total = facts.total;
        let links = answer.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("link")).map(|(_, value)| value.as_str()).collect();
        let seen = Seen { url: &url, links, facts, records, print: print(&answer.body) };
        self.turn = self.pager.next(&seen).map_err(|fault| self.fault(&fault, before + records))?;
        self.counts.page(records, total);
        let number = |place: usize| before + place as u64 + 1;
        Ok(Some(Page {
            rows: rows.into_iter().map(|(place, slots)| Row { number: number(place), slots }).collect(),
            bad: bad
                .into_iter()
                .map(|(place, reason)| RecordError { number: number(place), key: String::new(), field: None, message: clean::line(&reason, 300) })
                .collect(),
            total,
            bytes: answer.body.len() as u64,
            requests,
        }))
    }

    /// One page's body, read. A body that is broken JSON is asked for again: it is usually one that was cut short.
    async fn fetch(&self, url: &Url, body: Option<&Body>) -> Result<(Answer, Records, u64), Problem> {
        let (mut requests, mut tries) = (0, 0);
        loop {
            tries += 1;
            let ask = Ask { method: &self.method, url: url.clone(), headers: &self.headers, body, harmless: true };
            let answer = self.client.ask(&ask, &self.sink).await?;
            requests += answer.requests;
            // RFC 9110 §15.3.5: nothing to send. It is how some answer where an empty list would stand (Zoho, after the last page).
            if answer.status == 204 {
                let nothing = Records { rows: Vec::new(), bad: Vec::new(), found: true, beside: Vec::new() };
                return Ok((answer, nothing, requests));
            }
            let error = match parse(&self.shape, answer.body.clone(), self.client.vendor()).await? {
                Ok(parsed) => return Ok((answer, parsed, requests)),
                Err(error) => error,
            };
            let vendor = self.client.vendor();
            if answer.body.trim_ascii_start().starts_with(b"<") {
                return Err(problem!(Failed, "vendor.web_page", vendor = vendor, request = self.shown(url)));
            }
            // What is JSON but of another shape will not be another time.
            if tries >= BODY_TRIES.min(self.client.patience().tries) || error.is_data() {
                let reason = clean::line(&error.to_string(), 200);
                return Err(problem!(Failed, "vendor.not_json", vendor = vendor, request = self.shown(url), reason = reason));
            }
            let pause = client::backoff(self.client.patience().base, tries);
            let doing = t!("vendor.waiting.again", wait = client::span(pause), reason = clean::line(&error.to_string(), 100));
            client::wait(pause, doing, vendor, &self.sink).await?;
        }
    }

    fn shown(&self, url: &Url) -> String {
        format!("{} {}", self.method, http::shown(url))
    }

    fn fault(&self, fault: &Fault, read: u64) -> Problem {
        let reason = match fault {
            Fault::Repeats => t!("vendor.paging.repeats").to_owned(),
            Fault::Endless(pages) => t!("vendor.paging.endless", pages = pages),
            Fault::Elsewhere(host) => t!("vendor.paging.elsewhere", host = clean::line(host, 200)),
            Fault::NoAddress => t!("vendor.paging.no_address").to_owned(),
            Fault::Lost => t!("vendor.paging.lost").to_owned(),
            Fault::Short { total, .. } => t!("vendor.paging.short", total = crate::words::number(*total)),
        };
        problem!(Failed, "vendor.paging", vendor = self.client.vendor(), read = crate::words::number(read), reason = reason)
    }
}

async fn parse(shape: &Arc<Shape>, body: Bytes, vendor: &str) -> Result<Result<Records, serde_json::Error>, Problem> {
    let read = |shape: &Shape, body: &[u8]| shape.projection.body(body, shape.records.as_ref(), &shape.beside);
    if body.len() <= LARGE {
        return Ok(read(shape, &body));
    }
    let shape = Arc::clone(shape);
    let parsed = tokio::task::spawn_blocking(move || read(&shape, &body));
    parsed.await.map_err(|_| problem!(Failed, "vendor.stopped", vendor = vendor))
}

/// The address with these parameters; those it has already are replaced.
fn with_params(base: &Url, params: &Params) -> Url {
    if params.is_empty() {
        return base.clone();
    }
    let kept: Vec<(String, String)> = base
        .query_pairs()
        .filter(|(name, _)| params.iter().all(|(param, _)| param != name))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let mut url = base.clone();
    url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(params.iter().map(|(name, value)| (name, paging::text(value))));
    url
}

/// Tells a body from the one before it. Eight bytes at a time: over every body of a run, a hash that withstands attackers takes as long as
/// parsing half of it.
fn print(body: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(ODD);
    let (words, rest) = body.as_chunks::<8>();
    let hash = words.iter().fold(body.len() as u64, |hash, word| mix(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(hash, |hash, byte| mix(hash, u64::from(*byte)))
}

/// How far a read has come.
struct Counts {
    records: AtomicU64,
    pages: AtomicU64,
    /// `u64::MAX` when unknown.
    total: AtomicU64,
    started: Instant,
}

impl Counts {
    fn new() -> Self {
        Self { records: AtomicU64::new(0), pages: AtomicU64::new(0), total: AtomicU64::new(u64::MAX), started: Instant::now() }
    }

    fn page(&self, records: u64, total: Option<u64>) {
        self.records.fetch_add(records, Ordering::Relaxed);
        self.pages.fetch_add(1, Ordering::Relaxed);
        if let Some(total) = total {
            self.total.store(total, Ordering::Relaxed);
        }
    }
}

/// A sink that adds the counts to what the client reports.
fn counting(sink: &Sink, cancel: CancellationToken, counts: &Arc<Counts>) -> Sink {
    let (sink, counts) = (sink.clone(), Arc::clone(counts));
    Sink::new(
        move |progress| {
            let records = counts.records.load(Ordering::Relaxed);
            let total = Some(counts.total.load(Ordering::Relaxed)).filter(|total| *total != u64::MAX);
            #[allow(clippy::cast_precision_loss)] // a rate for people
            let rate = records as f64 / counts.started.elapsed().as_secs_f64().max(0.001);
            sink.report(Progress { records, pages: counts.pages.load(Ordering::Relaxed), total, rate, ..progress });
        },
        cancel,
    )
}

#[cfg(test)]
mod tests;
