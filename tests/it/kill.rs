//! A run killed at any moment: what it stored is whole pages with a journal that agrees, and the next run ends with exactly the right records.
//!
//! The child is this test binary again, running [`child`] alone; it reads from a server in this process, so that the moment of the kill can be
//! chosen by what the child has asked for as well as by time.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use intertie::catalog::template::Context;
use intertie::engine::{self, Job, Mapping, Opened};
use intertie::mapping::compile::{Spec, compile};
use intertie::model::{Connector, DataQuery, DestinationField, FieldMapping, FieldType, Mapped, Run, RunOptions, RunState, Sink, Table, Time, Value};
use intertie::store::{Store, inventory, runs};
use intertie::vendor::client::Client;
use intertie::vendor::source::Source;
use serde_json::json;

const KILLS: usize = 220;
const PEOPLE: usize = 240;
const PAGE: usize = 12;
/// Where the child's workspace and vendor are.
const PLACE: &str = "INTERTIE_TEST_KILL";

/// Splitmix64: the same moments and changes in every run of the test.
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }
}

/// Who is at the vendor: by address, the name.
type People = BTreeMap<String, String>;

/// Somebody leaves, somebody returns or comes, somebody is renamed.
fn pass_a_day(people: &mut People, dice: &mut Dice, day: usize) {
    for _ in 0..8 {
        let email = format!("p{:03}@example.com", dice.below(PEOPLE));
        match dice.below(3) {
            0 if people.len() > PEOPLE / 2 => drop(people.remove(&email)),
            1 => drop(people.entry(email).or_insert_with(|| format!("New on day {day}"))),
            _ => drop(people.entry(email).and_modify(|name| *name = format!("Renamed on day {day}"))),
        }
    }
}

#[derive(Default)]
struct Vendor {
    state: Mutex<VendorState>,
    asked: Condvar,
}

#[derive(Default)]
struct VendorState {
    people: People,
    /// Pages asked for since the last change.
    asked: usize,
}

impl Vendor {
    fn start(self: &Arc<Self>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let vendor = self.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let vendor = vendor.clone();
                // A killed client breaks its connection; that is no fault of the server.
                std::thread::spawn(move || drop(vendor.answer(stream)));
            }
        });
        address
    }

    fn answer(&self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut lines = BufReader::new(stream.try_clone()?).lines();
        while let Some(first) = lines.next() {
            let first = first?;
            let page: usize =
                first.split("page=").nth(1).and_then(|rest| rest.split(['&', ' ']).next()).and_then(|page| page.parse().ok()).unwrap_or(1);
            for line in lines.by_ref() {
                if line?.is_empty() {
                    break;
                }
            }
            let body = {
                let mut state = self.state.lock().unwrap();
                state.asked += 1;
                self.asked.notify_all();
                let members: Vec<_> =
                    state.people.iter().skip((page - 1) * PAGE).take(PAGE).map(|(email, name)| json!({"email": email, "name": name})).collect();
                json!({"data": members, "has_more": page * PAGE < state.people.len()}).to_string()
            };
            write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())?;
        }
        Ok(())
    }

    /// Waits until so many pages were asked for, or the deadline.
    fn wait_for(&self, pages: usize, deadline: Instant) {
        let mut state = self.state.lock().unwrap();
        while state.asked < pages {
            let Some(left) = deadline.checked_duration_since(Instant::now()) else { return };
            state = self.asked.wait_timeout(state, left).unwrap().0;
        }
    }
}

async fn run(dir: &Path, address: &str) -> Run {
    let store = Arc::new(Store::open(dir).unwrap());
    let integration = serde_json::from_value(json!({
        "id": "int_kill", "name": "Kill", "state": "active", "credential": "", "connector": "kill", "resource": "members", "kind": "user",
        "installation": "local", "preference": "create_and_update", "deactivate": true, "contacts": [],
        "schedule": {"every": "daily", "at": "02:00", "time_zone": "UTC"}, "sync_key": ["email"], "mappings": [],
        "created": "2026-01-01T00:00:00Z", "changed": "2026-01-01T00:00:00Z"
    }))
    .unwrap();
    let connector: Connector = serde_json::from_value(json!({
        "schema": 1, "id": "kill", "name": "Kill", "auth": {}, "request": {"base_url": address},
        "resource": [{
            "id": "members", "name": "Members", "kind": "users", "path": "/members", "records": "data", "key": "email",
            "paging": {"kind": "page", "param": "page", "more": "has_more"}
        }]
    }))
    .unwrap();
    let job = Job { integration, tables: &[Table::People], options: RunOptions::default(), share: 60 };
    let open = move |_: &Run, sink: &Sink| {
        let mapping = |field: &str, path: &str| FieldMapping { field: field.to_owned(), from: Mapped::Path(path.to_owned()) };
        let field = |key: &str, kind| DestinationField { key: key.to_owned(), label: key.to_owned(), kind, mandatory: true, custom: false };
        let spec = Spec {
            mappings: &[mapping("email", "email"), mapping("full_name", "name")],
            fields: &[field("email", FieldType::Email), field("full_name", FieldType::Text)],
            saas_fields: None,
            filter: None,
            active: None,
            credential: "",
            sync_time: Time::now(),
        };
        let compiled = compile(&spec).unwrap();
        let (connector, context) = (Arc::new(connector), Context::default());
        let client = Client::new(connector.clone(), context.clone(), None)?;
        let resource = connector.resources[0].clone();
        let source = Source::open(connector, &resource, &context, Some(client), compiled.projection().clone(), sink)?;
        Ok(Opened { read: Box::new(source), take: Box::new(Mapping::new(compiled, false)) })
    };
    engine::run(&store, job, open, &Sink::none()).await.unwrap()
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// What is killed. Does nothing when it is not started for it.
#[test]
#[ignore = "the child of the other test"]
fn child() {
    let Ok(place) = std::env::var(PLACE) else { return };
    let (dir, address) = place.split_once('|').unwrap();
    let runtime = runtime();
    println!("\nready");
    std::io::stdout().flush().unwrap();
    runtime.block_on(run(Path::new(dir), address));
}

/// Starts the child, waits until it is about to run, lets `when` choose the moment, and kills it. Returns whether it was still running.
fn killed(dir: &Path, address: &str, when: impl FnOnce()) -> bool {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["kill::child", "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(PLACE, format!("{}|{address}", dir.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    while line.trim() != "ready" {
        line.clear();
        assert!(out.read_line(&mut line).unwrap() > 0, "the child ended before it began");
    }
    when();
    child.kill().unwrap();
    let status = child.wait().unwrap();
    let _ = out.read_to_string(&mut line);
    !status.success()
}

fn stored(dir: &Path, condition: &str) -> Vec<(String, String, bool)> {
    let store = Store::open(dir).unwrap();
    let query = DataQuery { where_: Some(condition.to_owned()), limit: 10_000, ..DataQuery::default() };
    let page = inventory::query(&store, Table::People, &query).unwrap();
    let text = |value: &Value| value.to_string();
    page.records.into_iter().map(|record| (text(&record.values["email"]), text(&record.values["full_name"]), record.active)).collect()
}

fn last_run(dir: &Path) -> Option<Run> {
    Store::open(dir).unwrap().read(|connection| Ok(runs::list(connection, None, 1)?.pop())).unwrap()
}

/// Whether the journal of a run says what the records say that it touched.
fn journal_agrees(dir: &Path, run: &Run, touched: usize) {
    let stored = stored(dir, &format!("run = {}", run.run)).len() as u64;
    assert_eq!(stored, run.created + run.updated + run.reactivated + run.deactivated, "after {touched} kills: {run:?}");
}

#[test]
fn killed_anywhere_the_next_run_ends_with_exactly_the_right_records() {
    let temporary = crate::searched::place();
    let dir: PathBuf = temporary.path().join("workspace");
    let vendor = Arc::new(Vendor::default());
    let address = vendor.start();
    let runtime = runtime();
    let mut dice = Dice::new(20_260_301);
    let mut people: People = (0..PEOPLE).map(|i| (format!("p{i:03}@example.com"), format!("Person {i}"))).collect();
    // Everybody who was ever there, with the last name they had: they stay, inactive.
    let mut ever = People::new();
    let (mut while_running, mut in_the_middle, mut again) = (0, 0, 0);
    let mut took = Duration::from_millis(50);

    let mut kills = 0;
    while kills < KILLS {
        // Some kills hit the first run of a workspace, with its schema, its indexes and its journal still to be made.
        if kills % 20 == 0 {
            let _ = std::fs::remove_dir_all(&dir);
            ever.clear();
        }
        pass_a_day(&mut people, &mut dice, kills);
        *vendor.state.lock().unwrap() = VendorState { people: people.clone(), asked: 0 };
        // Up to three kills upon each other before a run may end.
        for _ in 0..=dice.below(3) {
            let pages = people.len().div_ceil(PAGE);
            let (page, micros) = (dice.below(pages + 1), dice.below(3_000) as u64);
            let by_time = dice.below(2) == 0;
            let moment = Duration::from_micros(dice.next() % took.as_micros() as u64);
            vendor.state.lock().unwrap().asked = 0;
            let hit = killed(&dir, &address, || {
                let deadline = Instant::now() + Duration::from_secs(10);
                let until = if by_time {
                    Instant::now() + moment
                } else {
                    vendor.wait_for(page, deadline);
                    Instant::now() + Duration::from_micros(micros)
                };
                // The moment itself is what is tested, not a wait for something.
                while Instant::now() < until {
                    std::hint::spin_loop();
                }
            });
            kills += 1;
            while_running += usize::from(hit);
            if dir.join("intertie.db").exists()
                && let Some(run) = last_run(&dir)
            {
                journal_agrees(&dir, &run, kills);
                in_the_middle += usize::from(run.state == RunState::Running && run.pages > 0);
                again += usize::from(run.state == RunState::Succeeded);
            }
        }
        let before: BTreeMap<String, bool> = if dir.exists() {
            stored(&dir, "active = true or active = false").into_iter().map(|(email, _, active)| (email, active)).collect()
        } else {
            BTreeMap::new()
        };
        let started = Instant::now();
        let run = runtime.block_on(run(&dir, &address));
        took = started.elapsed().max(Duration::from_millis(5));
        assert_eq!((run.state, run.failed, run.read), (RunState::Succeeded, 0, people.len() as u64), "after {kills} kills: {run:?}");
        assert_eq!(run.created + run.updated + run.unchanged + run.reactivated, people.len() as u64, "after {kills} kills: {run:?}");
        assert_eq!(run.created, people.keys().filter(|email| !before.contains_key(*email)).count() as u64);
        assert_eq!(run.reactivated, people.keys().filter(|email| before.get(*email) == Some(&false)).count() as u64);
        assert_eq!(run.deactivated, before.iter().filter(|(email, active)| **active && !people.contains_key(*email)).count() as u64);
        journal_agrees(&dir, &run, kills);

        // Exactly those at the vendor are active, each once, with their names; whoever left is there, inactive.
        let mut found = stored(&dir, "active = true");
        found.sort();
        let right: Vec<_> = people.iter().map(|(email, name)| (email.clone(), name.clone(), true)).collect();
        assert_eq!(found, right, "after {kills} kills");
        ever.extend(people.clone());
        let gone = stored(&dir, "active = false");
        assert_eq!(found.len() + gone.len(), ever.len(), "after {kills} kills: {gone:?}");
        let store = Store::open(&dir).unwrap();
        assert!(store.read(|connection| runs::running(connection, None)).unwrap().is_empty(), "an interrupted run was left as running");
    }
    println!("{kills} kills: {while_running} of a living child, {in_the_middle} between pages, {again} after its end");
    assert!(while_running > KILLS / 2 && in_the_middle > KILLS / 5, "the kills missed: {while_running} living, {in_the_middle} in the middle");
}
