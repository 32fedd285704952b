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

use super::client::{self, Answer, Ask, Client, rendered};
use super::files;
use super::http;
use super::paging::{Facts, Fault, Pager, Seen, Turn};
use crate::catalog::{self, template::Context};
use crate::mapping::path::Path;
use crate::mapping::projection::{Projection, Records, Row};
use crate::model::{Connector, Format, Problem, Progress, RecordError, Resource, Sink};
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
    let _stop = cancel.drop_guard();
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
    }
    Ok((records, total))
}

enum Reader {
    Http(Box<List>),
    File(FileRead),
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
        let records = if resource.records.trim().is_empty() { None } else { Some(path(&resource.records)?) };
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
        let counts = Arc::new(Counts::new());
        let turn = Some(Turn::Params(pager.first()));
        Ok(Self::Http(Box::new(List {
            sink: counting(sink, cancel, &counts),
            client,
            method: resource.method.clone(),
            base,
            turn,
            pager,
            shape: Arc::new(Shape { projection, records, beside: Projection::new(beside) }),
            places,
            place: resource.records.clone(),
            counts,
        })))
    }
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
    /// The resource's address, without the parameters of paging.
    base: Url,
    /// The next request; `None` at the end.
    turn: Option<Turn>,
    pager: Pager,
    shape: Arc<Shape>,
    /// Where among the values beside the records the flag for more, the total and the next place are.
    places: [Option<usize>; 3],
    /// Where the records are, as the definition says it.
    place: String,
    counts: Arc<Counts>,
    sink: Sink,
}

/// Bodies longer than this are parsed off the async threads.
const LARGE: usize = 64 << 10;
/// How often a page is asked for whose body cannot be read.
const BODY_TRIES: u32 = 3;

impl List {
    async fn page(&mut self) -> Result<Option<Page>, Problem> {
        let Some(turn) = self.turn.take() else { return Ok(None) };
        let url = match turn {
            Turn::Params(params) => with_params(&self.base, &params),
            Turn::Url(url) => url,
        };
        let (answer, parsed, requests) = self.fetch(&url).await?;
        let Records { rows, bad, found, beside } = parsed;
        if !found && !self.pager.may_lack_list() {
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
    async fn fetch(&self, url: &Url) -> Result<(Answer, Records, u64), Problem> {
        let (mut requests, mut tries) = (0, 0);
        loop {
            tries += 1;
            let ask = Ask { method: &self.method, url: url.clone(), headers: &[], body: None, harmless: true };
            let answer = self.client.ask(&ask, &self.sink).await?;
            requests += answer.requests;
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
fn with_params(base: &Url, params: &[(String, String)]) -> Url {
    if params.is_empty() {
        return base.clone();
    }
    let kept: Vec<(String, String)> = base
        .query_pairs()
        .filter(|(name, _)| params.iter().all(|(param, _)| param != name))
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let mut url = base.clone();
    url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(params);
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
mod tests {
    use super::super::client::Patience;
    use super::*;
    use serde_json::json;
    use std::time::Duration;
    use wiremock::matchers::{path, query_param};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    fn connector(resource: &str) -> Arc<Connector> {
        let text =
            format!("schema = 1\nid = 'acme'\nname = 'Acme'\n[[resource]]\nid = 'users'\nname = 'Users'\nkind = 'users'\nkey = 'id'\n{resource}");
        Arc::new(toml::from_str(&text).unwrap())
    }

    struct Setup {
        connector: Arc<Connector>,
        context: Context,
        client: Client,
    }

    fn setup(server: &MockServer, resource: &str) -> Setup {
        let connector = connector(resource);
        let mut context = Context::default();
        context.input.insert("base_url".to_owned(), server.uri());
        let patience = Patience { base: Duration::from_millis(2), timeout: Duration::from_secs(5), ..Patience::default() };
        let client = Client::new(connector.clone(), context.clone(), None).unwrap().with_patience(patience);
        Setup { connector, context, client }
    }

    impl Setup {
        fn open(&self, sink: &Sink) -> Source {
            let projection = Projection::new(vec![Path::parse("id").unwrap(), Path::parse("name.first").unwrap()]);
            Source::open(self.connector.clone(), &self.connector.resources[0], &self.context, Some(self.client.clone()), projection, sink).unwrap()
        }

        async fn read(&self) -> Result<Vec<Page>, Problem> {
            let (mut source, mut pages) = (self.open(&Sink::none()), Vec::new());
            while let Some(page) = source.next().await? {
                pages.push(page);
            }
            Ok(pages)
        }
    }

    const PAGES: &str = "path = '/users'\nrecords = 'data'\n[resource.query]\nactive = 'true'\n[resource.paging]\nkind = 'page'\nparam = 'page'\nmore = 'has_more'\ntotal = 'total_count'";

    async fn serve(server: &MockServer, page: &str, response: ResponseTemplate) {
        Mock::given(path("/users")).and(query_param("page", page)).and(query_param("active", "true")).respond_with(response).mount(server).await;
    }

    #[tokio::test]
    async fn pages_are_read_to_the_end() {
        let server = MockServer::start().await;
        let first = json!({"has_more": true, "total_count": 4, "data": [{"id": 1, "name": {"first": "Ada"}}, 7, {"id": 2}]});
        serve(&server, "1", ResponseTemplate::new(200).set_body_json(first)).await;
        let second = json!({"has_more": false, "total_count": 4, "data": [{"id": 3, "more": [1, 2]}]});
        serve(&server, "2", ResponseTemplate::new(200).set_body_json(second)).await;
        let pages = setup(&server, PAGES).read().await.unwrap();
        let rows: Vec<(u64, Vec<Value>)> = pages.iter().flat_map(|page| &page.rows).map(|row| (row.number, row.slots.clone())).collect();
        assert_eq!(rows, [(1, vec![json!(1), json!("Ada")]), (3, vec![json!(2), json!(null)]), (4, vec![json!(3), json!(null)])]);
        assert_eq!(pages[0].bad.iter().map(|bad| bad.number).collect::<Vec<_>>(), [2]);
        assert_eq!(pages.iter().map(|page| (page.requests, page.total)).collect::<Vec<_>>(), [(1, Some(4)), (1, Some(4))]);
        assert!(pages[0].bytes > 50);
    }

    #[tokio::test]
    async fn samples_are_whole_records() {
        let server = MockServer::start().await;
        let record = json!({"z": 1, "id": 1, "name": {"first": "Ada", "x": [1, {"y": null}]}});
        let body = json!({"has_more": true, "total_count": 9, "data": [record, {"id": 2}, {"id": 3}]});
        serve(&server, "1", ResponseTemplate::new(200).set_body_json(body)).await;
        let setup = setup(&server, PAGES);
        let sink = Sink::none();
        let sample = sample(setup.connector.clone(), &setup.connector.resources[0], &setup.context, Some(setup.client.clone()), 2, &sink);
        let (records, total) = sample.await.unwrap();
        assert_eq!((records, total), (vec![record, json!({"id": 2})], Some(9)));
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_broken_body_is_asked_for_again_and_then_reported() {
        let server = MockServer::start().await;
        let cut = || ResponseTemplate::new(200).set_body_string(r#"{"has_more":true,"data":[{"id":1},{"id"#);
        Mock::given(path("/users")).respond_with(cut()).up_to_n_times(2).mount(&server).await;
        serve(&server, "1", ResponseTemplate::new(200).set_body_json(json!({"has_more": false, "data": [{"id": 1}]}))).await;
        let setup = setup(&server, PAGES);
        let pages = setup.read().await.unwrap();
        assert_eq!((pages.len(), pages[0].rows.len(), pages[0].requests), (1, 1, 3));
        server.reset().await;
        Mock::given(path("/users")).respond_with(cut()).mount(&server).await;
        let mut source = setup.open(&Sink::none());
        let problem = source.next().await.unwrap_err();
        assert!(problem.why.contains("no complete JSON"), "{problem:?}");
        // Over is over: never mistaken for the end of the list.
        assert_eq!(source.next().await.unwrap_err(), problem);
    }

    #[tokio::test]
    async fn what_is_no_list_is_a_problem() {
        for (body, word) in
            [("<!DOCTYPE html><title>Sign in</title>", "web page"), ("{\"ok\":false}", "no records"), ("{\"data\":{}}", "cannot be read")]
        {
            let server = MockServer::start().await;
            Mock::given(path("/users")).respond_with(ResponseTemplate::new(200).set_body_string(body)).mount(&server).await;
            let problem = setup(&server, PAGES).read().await.unwrap_err();
            assert!(problem.what.contains(word), "{problem:?}");
            assert_eq!(server.received_requests().await.unwrap().len(), 1);
        }
    }

    #[tokio::test]
    async fn a_failure_in_the_middle_is_no_end() {
        let server = MockServer::start().await;
        serve(&server, "1", ResponseTemplate::new(200).set_body_json(json!({"has_more": true, "data": [{"id": 1}]}))).await;
        serve(&server, "2", ResponseTemplate::new(403)).await;
        let setup = setup(&server, PAGES);
        let mut source = setup.open(&Sink::none());
        assert!(source.next().await.unwrap().is_some());
        assert!(source.next().await.is_err());
        assert!(source.next().await.is_err());
    }

    #[tokio::test]
    async fn links_are_followed_with_what_they_say() {
        let server = MockServer::start().await;
        let next = format!("<{}/users?page=2&active=true&after=a%2Fb>; rel=\"next\"", server.uri());
        serve(&server, "2", ResponseTemplate::new(200).set_body_json(json!([{"id": 2}]))).await;
        Mock::given(path("/users"))
            .respond_with(ResponseTemplate::new(200).insert_header("Link", next).set_body_json(json!([{"id": 1}])))
            .mount(&server)
            .await;
        let pages = setup(&server, "path = '/users'\n[resource.paging]\nkind = 'link_header'").read().await.unwrap();
        assert_eq!(pages.iter().flat_map(|page| &page.rows).map(|row| row.number).collect::<Vec<_>>(), [1, 2]);
    }

    #[tokio::test]
    async fn one_page_is_fetched_ahead_and_no_more() {
        let server = MockServer::start().await;
        for page in 1..=9 {
            serve(&server, &page.to_string(), ResponseTemplate::new(200).set_body_json(json!({"has_more": true, "data": [{"id": page}]}))).await;
        }
        let setup = setup(&server, PAGES);
        let mut source = setup.open(&Sink::none());
        source.next().await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(5);
        while server.received_requests().await.unwrap().len() < 3 && Instant::now() < deadline {
            tokio::task::yield_now().await;
        }
        // One with the caller, one in the channel, one in hand.
        assert_eq!(server.received_requests().await.unwrap().len(), 3);
    }

    #[tokio::test]
    async fn waits_are_reported_with_the_counts_and_can_be_cancelled() {
        let server = MockServer::start().await;
        serve(&server, "1", ResponseTemplate::new(200).set_body_json(json!({"has_more": true, "total_count": 7, "data": [{"id": 1}]}))).await;
        serve(&server, "2", ResponseTemplate::new(429).insert_header("Retry-After", "600")).await;
        let cancel = CancellationToken::new();
        let (seen, stop) = (Arc::new(std::sync::Mutex::new(None)), cancel.clone());
        let log = seen.clone();
        let sink = Sink::new(
            move |progress| {
                *log.lock().unwrap() = Some(progress);
                stop.cancel();
            },
            cancel,
        );
        let setup = setup(&server, PAGES);
        let mut source = setup.open(&sink);
        assert!(source.next().await.unwrap().is_some());
        assert_eq!(source.next().await.unwrap_err().what, "Stopped");
        let progress = seen.lock().unwrap().clone().unwrap();
        assert_eq!((progress.records, progress.pages, progress.total), (1, 1, Some(7)));
        assert!(progress.doing.contains("waiting 10m"), "{}", progress.doing);
    }

    #[tokio::test]
    async fn files_need_no_client() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("people.csv");
        std::fs::write(&file, format!("id,name.first\n{}", (0..2500).map(|i| format!("{i},N{i}\n")).collect::<String>())).unwrap();
        let connector = connector(&format!("path = '{}'\nformat = 'file'", file.display()));
        let (resource, context) = (&connector.resources[0], Context::default());
        let projection = Projection::new(vec![Path::parse("name.first").unwrap()]);
        let mut source = Source::open(connector.clone(), resource, &context, None, projection.clone(), &Sink::none()).unwrap();
        let mut lines = Vec::new();
        while let Some(page) = source.next().await.unwrap() {
            assert!(page.rows.len() <= 1000);
            lines.extend(page.rows.iter().map(|row| row.number));
        }
        assert_eq!(lines, (2..=2501).collect::<Vec<u64>>());
        let (records, _) = sample(connector.clone(), resource, &context, None, 3, &Sink::none()).await.unwrap();
        assert_eq!(records[2], json!({"id": "2", "name.first": "N2"}));
        assert_eq!(records.len(), 3);
        let sink = Sink::none();
        sink.cancel.cancel();
        let mut source = Source::open(connector.clone(), resource, &context, None, projection, &sink).unwrap();
        assert!(source.next().await.is_err());
    }
}
