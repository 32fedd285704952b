//! How fast a run is: records a second from a vendor on loopback into the inventory, beside what its parts take alone.
//!
//! Beside the time of the clock stands the time of the processors, all threads together (the little vendor's, too): it is what stays
//! comparable on a busy machine.
//!
//! Seen on two processors shared with builds (a load of 2), 200,000 records: fetch only 1.9 M/s, parse only 1.2 M/s, map and insert only
//! 250,000/s (3.0 µs of a processor each); a whole run 243,000/s all new, 275,000 to 306,000/s all unchanged. What bounds a run is the thread
//! that stores; its time is SQLite's. With 100,000 people the first view sorted by name took 33 ms.
//!
//! `cargo bench --bench run` takes 100,000 records; `cargo bench --bench run -- 1000000` a million.

use std::collections::VecDeque;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use intertie::catalog::template::Context;
use intertie::engine::{self, Job, Mapping, Opened, Read};
use intertie::mapping::compile::{Compiled, Spec, compile};
use intertie::mapping::path::Path;
use intertie::mapping::projection::{Projection, Row};
use intertie::model::{
    Connector, DataQuery, DestinationField, FieldMapping, FieldType, Integration, Mapped, Problem, Resource, Run, RunOptions, Sink, Sort, Table, Time,
};
use intertie::store::{Store, inventory};
use intertie::vendor::client::Client;
use intertie::vendor::source::{Page, Source};
use serde_json::json;

const PAGE: u64 = 1_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Cargo passes `--bench`.
    let n: u64 = std::env::args().filter_map(|argument| argument.replace('_', "").parse().ok()).next().unwrap_or(100_000);
    let bodies: Arc<Vec<Vec<u8>>> = Arc::new((0..n.div_ceil(PAGE)).map(|page| body(page, n)).collect());
    let bytes: usize = bodies.iter().map(Vec::len).sum();
    println!("{n} records, {} bytes each, {PAGE} a page\n", bytes as u64 / n);
    let address = serve(bodies.clone())?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (connector, resource) = vendor(&address);

    let fetch = runtime.block_on(async {
        let client = client(&connector);
        let spent = Spent::begin();
        for page in 1..=bodies.len() {
            client.send("GET", &format!("/members?page={page}"), &[], None, &Sink::none()).await.expect("an answer");
        }
        spent.end()
    });
    tell("fetch only", n, fetch, None);

    let compiled = mapping();
    let list = Path::parse("data").expect("a path");
    let parsed = |body: &[u8]| compiled.projection().body(body, Some(&list), &Projection::default()).expect("a body");
    let spent = Spent::begin();
    let rows: u64 = bodies.iter().map(|body| parsed(body).rows.len() as u64).sum();
    assert_eq!(rows, n);
    let parse = spent.end();
    tell("parse only", n, parse, None);

    let dir = tempfile::tempdir()?;
    let store = Arc::new(Store::open(dir.path())?);
    let pages = bodies.iter().zip(0..).map(|(body, page)| {
        let row = |(place, slots): (usize, _)| Row { number: page * PAGE + place as u64 + 1, slots };
        Page { rows: parsed(body).rows.into_iter().map(row).collect(), bytes: body.len() as u64, requests: 1, ..Page::default() }
    });
    let read = Box::new(Parsed(pages.collect()));
    let (run, insert) = runtime.block_on(timed(&store, move |_, _| Ok(Opened { read, take: Box::new(Mapping::new(mapping(), false)) })));
    assert_eq!(run.created, n);
    tell("map and insert only", n, insert, None);

    let dir = tempfile::tempdir()?;
    let store = Arc::new(Store::open(dir.path())?);
    let parts = [("fetch only", fetch), ("parse only", parse), ("map and insert only", insert)];
    let mut ratios = Vec::new();
    for (what, fresh) in [("whole run, all new", true), ("whole run, all unchanged", false)] {
        let (connector, resource) = (connector.clone(), resource.clone());
        let (run, whole) = runtime.block_on(timed(&store, move |_, sink| {
            let compiled = mapping();
            let source =
                Source::open(connector.clone(), &resource, &Context::default(), Some(client(&connector)), compiled.projection().clone(), sink)?;
            Ok(Opened { read: Box::new(source), take: Box::new(Mapping::new(compiled, false)) })
        }));
        assert_eq!((run.created, run.unchanged), if fresh { (n, 0) } else { (0, n) }, "{run:?}");
        tell(what, n, whole, Some(fetch.0.max(parse.0).max(insert.0)));
        ratios.extend(parts.map(|(part, alone)| (what, part, of(whole.0, alone.0), of(whole.1, alone.1))));
    }
    println!("\nratios                             clock  processors");
    for (what, part, clock, processors) in ratios {
        println!("{:<34} {clock:>5.2} {processors:>11.2}", format!("{} / {part}", what.trim_start_matches("whole run, ")));
    }
    println!("\nviews of {n} people (first, then again)");
    views(&store)
}

/// Time of the clock, and of the processors.
type Time2 = (Duration, Duration);

struct Spent {
    clock: Instant,
    processors: Duration,
}

impl Spent {
    fn begin() -> Self {
        Self { clock: Instant::now(), processors: processors() }
    }

    fn end(self) -> Time2 {
        (self.clock.elapsed(), processors().saturating_sub(self.processors))
    }
}

/// What all threads have spent on a processor (Linux, Documentation/scheduler/sched-stats.rst); nothing elsewhere.
fn processors() -> Duration {
    let Ok(tasks) = std::fs::read_dir("/proc/self/task") else { return Duration::ZERO };
    let spent = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("schedstat")).ok()?.split(' ').next()?.parse::<u64>().ok();
    Duration::from_nanos(tasks.flatten().filter_map(spent).sum())
}

fn of(whole: Duration, part: Duration) -> f64 {
    whole.as_secs_f64() / part.as_secs_f64()
}

fn tell(what: &str, n: u64, (clock, processors): Time2, beside: Option<Duration>) {
    let ratio = beside.map_or_else(String::new, |beside| format!("  {:.2} × its slowest part", of(clock, beside)));
    let (clock, processors) = (clock.as_secs_f64(), processors.as_secs_f64());
    println!("{what:<34} {clock:>8.3} s {:>10.0} records/s  {processors:>8.3} s of processors{ratio}", n as f64 / clock);
}

fn views(store: &Store) -> Result<(), Box<dyn std::error::Error>> {
    let plain = DataQuery { limit: 50, ..DataQuery::default() };
    let sort = |field: &str| Some(Sort { field: field.to_owned(), descending: false });
    for (what, query) in [
        ("first page", plain.clone()),
        ("last page", DataQuery { offset: u64::MAX >> 1, ..plain.clone() }),
        ("sorted by name", DataQuery { sort: sort("full_name"), ..plain.clone() }),
        ("searched, few found", DataQuery { search: "person 99".to_owned(), ..plain.clone() }),
        ("searched, all found", DataQuery { search: "example".to_owned(), ..plain.clone() }),
        ("a condition", DataQuery { where_: Some("active = true and locale = fr-FR".to_owned()), ..plain.clone() }),
    ] {
        let ask = || {
            let spent = Spent::begin();
            let total = inventory::query(store, Table::People, &query).expect("a page").total;
            let (clock, processors) = spent.end();
            (clock.as_secs_f64() * 1e3, processors.as_secs_f64() * 1e3, total)
        };
        let ((first, processors, total), (again, ..)) = (ask(), ask());
        println!("{what:<34} {first:>8.2} ms ({processors:>7.2} ms of processors)  {again:>8.2} ms  {total} records");
    }
    let workspace = intertie::ops::Workspace::open(store.dir(), intertie::ops::Config::default());
    for what in ["overview, workspace opened", "overview"] {
        let spent = Spent::begin();
        let people = intertie::ops::overview::summary(&workspace).expect("a summary").people;
        let (clock, processors) = spent.end();
        println!("{what:<34} {:>8.2} ms ({:>7.2} ms of processors)  {people} people", clock.as_secs_f64() * 1e3, processors.as_secs_f64() * 1e3);
    }
    Ok(())
}

async fn timed(store: &Arc<Store>, open: impl FnOnce(&Run, &Sink) -> Result<Opened, Problem> + Send + 'static) -> (Run, Time2) {
    let job = Job { integration: integration(), tables: &[Table::People], options: RunOptions::default(), share: 30 };
    let spent = Spent::begin();
    let run = engine::run(store, job, open, &Sink::none()).await.expect("a run");
    assert!(run.problem.is_none(), "{:?}", run.problem);
    (run, spent.end())
}

/// Pages that were read before.
struct Parsed(VecDeque<Page>);

impl Read for Parsed {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Page>, Problem>> {
        Box::pin(async { Ok(self.0.pop_front()) })
    }
}

const FIELDS: [(&str, &str, FieldType); 6] = [
    ("email", "email", FieldType::Email),
    ("full_name", "name", FieldType::Text),
    ("external_id", "id", FieldType::Text),
    ("locale", "locale", FieldType::Text),
    ("time_zone", "time_zone", FieldType::Text),
    ("verified", "verified", FieldType::Boolean),
];

fn mapping() -> Compiled {
    let mappings: Vec<FieldMapping> =
        FIELDS.iter().map(|(key, path, _)| FieldMapping { field: (*key).to_owned(), from: Mapped::Path((*path).to_owned()) }).collect();
    let field = |(key, _, kind): &(&str, &str, FieldType)| {
        let key = (*key).to_owned();
        DestinationField { label: key.clone(), key, kind: *kind, mandatory: false, custom: false }
    };
    let fields: Vec<DestinationField> = FIELDS.iter().map(field).collect();
    let spec =
        Spec { mappings: &mappings, fields: &fields, saas_fields: None, filter: None, active: None, credential: "bench", sync_time: Time::now() };
    compile(&spec).expect("mappings that compile")
}

fn integration() -> Integration {
    serde_json::from_value(json!({
        "id": "int_bench", "name": "Bench", "state": "active", "credential": "", "connector": "bench", "resource": "members", "kind": "user",
        "installation": "local", "preference": "create_and_update", "deactivate": true, "contacts": [],
        "schedule": {"every": "daily", "at": "02:00", "time_zone": "UTC"}, "sync_key": ["email"], "mappings": [],
        "created": "2026-01-01T00:00:00Z", "changed": "2026-01-01T00:00:00Z"
    }))
    .expect("an integration")
}

fn vendor(address: &str) -> (Arc<Connector>, Resource) {
    let connector: Connector = serde_json::from_value(json!({
        "schema": 1, "id": "bench", "name": "Bench", "auth": {}, "request": {"base_url": address},
        "resource": [{
            "id": "members", "name": "Members", "kind": "users", "path": "/members", "records": "data", "key": "id",
            "paging": {"kind": "page", "param": "page", "more": "has_more", "total": "total_count"}
        }]
    }))
    .expect("a connector");
    let resource = connector.resources[0].clone();
    (Arc::new(connector), resource)
}

fn client(connector: &Arc<Connector>) -> Client {
    Client::new(connector.clone(), Context::default(), None).expect("a client")
}

/// A page of members, shaped as Clickwrap's, with members that nobody maps.
fn body(page: u64, n: u64) -> Vec<u8> {
    let (first, end) = (page * PAGE, ((page + 1) * PAGE).min(n));
    let members: Vec<_> = (first..end)
        .map(|i| {
            let locale = ["en-US", "fr-FR", "de-DE"][(i % 3) as usize];
            json!({
                "id": 100_000 + i, "email": format!("person.{i}@example.com"), "name": format!("Person {i} of Example"),
                "locale": locale, "time_zone": "EDT", "verified": i % 5 != 0,
                "verified_time": "2026-03-01T09:30:00.000Z", "created_time": "2025-11-01T09:30:00.000Z", "last_modified": "2026-03-01T09:30:00.000Z",
                "profiles": [{"id": i, "kind": "member", "note": "nothing that a mapping names, to be skipped unread"}],
                "picture": format!("https://example.com/pictures/{i}.png")
            })
        })
        .collect();
    let answer = json!({
        "count": end - first, "has_more": end < n, "page": page + 1, "per_page": PAGE, "total_count": n, "data": members
    });
    serde_json::to_vec(&answer).expect("JSON")
}

/// As little server as there can be: it must not be what is measured.
fn serve(bodies: Arc<Vec<Vec<u8>>>) -> std::io::Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let bodies = bodies.clone();
            std::thread::spawn(move || drop(answer(stream, &bodies)));
        }
    });
    Ok(address)
}

fn answer(mut stream: TcpStream, bodies: &[Vec<u8>]) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(first) = lines.next() {
        let first = first?;
        let page: usize = first.split("page=").nth(1).and_then(|rest| rest.split(['&', ' ']).next()).and_then(|page| page.parse().ok()).unwrap_or(1);
        for line in lines.by_ref() {
            if line?.is_empty() {
                break;
            }
        }
        let body = bodies.get(page - 1).map_or(&b"{\"data\":[],\"has_more\":false}"[..], Vec::as_slice);
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n", body.len())?;
        stream.write_all(body)?;
    }
    Ok(())
}
