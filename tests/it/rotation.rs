//! One refresh at a time, and no family of tokens lost but in the window that is named: between the server's commit and our durable write of
//! its answer. A server that rotates refresh tokens, sees reuse and revokes the family then (RFC 9700 §4.14.2), or gives a grace period;
//! processes of the real program; `kill -9`.

use crate::searched::{Captured as _, Ended as _};
use std::collections::VecDeque;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use intertie::model::Sink;
use intertie::ops::{Config, Workspace, credentials};
use serde_json::{Value, json};

/// Credentials that are killed at the same time for each of the two kinds of server, each with a server of its own.
const LANES: usize = 2;
/// Kills of a living process for each of them.
const KILLS: usize = 125;
const LONG: Duration = Duration::from_secs(60);

/// Where a request for tokens is held, for somebody to be killed meanwhile.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Hold {
    /// Read, and not yet acted upon; the connection is closed then, and nothing has happened.
    BeforeCommit,
    /// The old token is spent; so many thousandths of the answer were sent, and no more will be.
    Sent(usize),
    /// The whole answer was sent.
    Answered,
}

struct Gate {
    hold: Hold,
    reached: Sender<()>,
    release: Receiver<()>,
}

#[derive(Default)]
struct Family {
    alive: bool,
    /// Number of the tokens in force; `r-N` and `a-N`.
    now: u64,
    /// Whether the spent token is answered once more with its successor.
    grace: bool,
    refreshes: u64,
    /// The API refuses access tokens up to this one: whoever has them refreshes.
    ended: u64,
    /// The refresh tokens that were presented, in order.
    presented: Vec<u64>,
    expires_in: f64,
    gate: Option<Gate>,
    /// Statuses that the API answers before it does what is asked.
    limits: VecDeque<u32>,
    /// The tokens that the API was asked with.
    seen: Vec<String>,
}

struct Server {
    address: String,
    family: Arc<Mutex<Family>>,
}

impl Server {
    fn start(grace: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let family = Arc::new(Mutex::new(Family { alive: true, grace, expires_in: 0.001, ..Family::default() }));
        let shared = Arc::clone(&family);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let family = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &family));
            }
        });
        Self { address, family }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Family> {
        self.family.lock().unwrap()
    }

    /// The next request for tokens is held there. Gives what tells that it is reached, and what lets go.
    fn hold(&self, hold: Hold) -> (Receiver<()>, Sender<()>) {
        let ((reached, told), (go, release)) = (mpsc::channel(), mpsc::channel());
        self.lock().gate = Some(Gate { hold, reached, release });
        (told, go)
    }
}

/// The head, in small letters, and the body.
fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let n = stream.read(&mut chunk).ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length =
            head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:").and_then(|n| n.trim().parse::<usize>().ok()));
        if body.len() >= length.unwrap_or(0) {
            return Some((head.to_owned(), body.to_owned()));
        }
    }
}

fn response(status: u16, extra: &str, body: &Value) -> Vec<u8> {
    let body = body.to_string();
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\n{extra}connection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

fn answer(mut stream: TcpStream, family: &Mutex<Family>) {
    let Some((head, body)) = request(&mut stream) else { return };
    if !head.starts_with("POST /token") {
        let token = head.lines().find_map(|line| line.split_once("earer ").map(|(_, token)| token.trim().to_owned())).unwrap_or_default();
        let mut family = family.lock().unwrap();
        family.seen.push(token.clone());
        let out = match family.limits.pop_front() {
            Some(seconds) => response(429, &format!("retry-after: {seconds}\r\n"), &json!({"error": "slow"})),
            None if family.alive && family.now > family.ended && token == format!("planted-a-{}", family.now) => {
                response(200, "", &json!({"id": 1, "items": []}))
            }
            None => response(401, "", &json!({"error": "invalid_token"})),
        };
        drop(family);
        let _ = stream.write_all(&out);
        return;
    }
    let gate = family.lock().unwrap().gate.take();
    let held = gate.as_ref().map(|gate| gate.hold);
    let wait = |gate: Option<Gate>| {
        if let Some(gate) = gate {
            let _ = gate.reached.send(());
            let _ = gate.release.recv_timeout(LONG);
        }
    };
    if held == Some(Hold::BeforeCommit) {
        return wait(gate);
    }
    let out = {
        let mut family = family.lock().unwrap();
        let presented = url::form_urlencoded::parse(body.as_bytes()).find(|(name, _)| name == "refresh_token").map(|(_, value)| value.into_owned());
        let number = presented.as_deref().and_then(|token| token.strip_prefix("planted-r-")).and_then(|n| n.parse::<u64>().ok());
        family.presented.extend(number);
        let good = match number {
            None => {
                family.now += 1;
                true
            }
            Some(n) if family.alive && n == family.now => {
                family.now += 1;
                family.refreshes += 1;
                true
            }
            Some(n) if family.alive && family.grace && n + 1 == family.now => true,
            Some(_) => {
                // Somebody has this token twice: nobody knows which of them is the thief.
                family.alive = false;
                false
            }
        };
        let now = family.now;
        if good {
            let tokens =
                json!({"access_token": format!("planted-a-{now}"), "refresh_token": format!("planted-r-{now}"), "expires_in": family.expires_in});
            response(200, "", &tokens)
        } else {
            response(400, "", &json!({"error": "invalid_grant"}))
        }
    };
    let sent = match held {
        Some(Hold::Sent(thousandths)) => out.len() * thousandths / 1000,
        _ => out.len(),
    };
    let _ = stream.write_all(&out[..sent]);
    let _ = stream.flush();
    wait(gate);
}

/// A workspace with a credential that was consented to.
struct Stage {
    server: Server,
    dir: crate::searched::Place,
    id: String,
}

impl Stage {
    async fn new(grace: bool) -> Self {
        let (server, dir) = (Server::start(grace), crate::searched::place());
        let at = &server.address;
        let definition = format!(
            r#"
            schema = 1
            id = "rotating"
            name = "Rotary"
            request = {{ base_url = "{at}" }}
            [auth.code]
            kind = "oauth2_code"
            name = "Code"
            authorize_url = "{at}/authorize"
            token_url = "{at}/token"
            client_auth = "none"
            redirect = {{ loopback = "https_only" }}
            [[auth.code.input]]
            key = "client_id"
            label = "Client id"
            [[check]]
            path = "/me"
            proves = "The account can be read."
            "#
        );
        std::fs::create_dir(dir.path().join("connectors")).unwrap();
        std::fs::write(dir.path().join("connectors/rotating.toml"), definition).unwrap();
        let ws = Workspace::open(dir.path(), Config::default());
        let mut draft = credentials::draft_new(&ws, "rotating", None).unwrap();
        draft.settings.insert("client_id".to_owned(), "me".to_owned());
        credentials::draft_save(&ws, &draft).unwrap();
        let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
        let url = url::Url::parse(&consent.view.authorize_url).unwrap();
        let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        consent.offer(&format!("?code=c&state={state}")).unwrap();
        consent.finish(&ws, &Sink::none()).await.unwrap();
        let id = credentials::draft_finish(&ws, &draft.id).unwrap().id;
        Self { server, dir, id }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_intertie"));
        command.args(["--json", "credential", "test", &self.id, "--workspace"]).arg(self.dir.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn spawn(&self) -> Child {
        self.command().spawn().unwrap()
    }

    fn run(&self) -> Output {
        self.command().captured()
    }

    fn entry(&self) -> PathBuf {
        self.dir.path().join("vault/entries").join(format!("{}.json", self.id))
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_default()
}

/// Waits for a condition, with an end.
fn until(mut condition: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + LONG;
    while !condition() {
        if Instant::now() > end {
            return false;
        }
        // A spinning test would take the processor from those it watches.
        std::thread::sleep(Duration::from_micros(50));
    }
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_processes_at_once_refresh_once() {
    let stage = Stage::new(false).await;
    stage.server.lock().expires_in = 3600.0;
    let before = stage.server.lock().refreshes;
    let children: Vec<Child> = (0..50).map(|_| stage.spawn()).collect();
    for child in children {
        let output = child.captured();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    }
    let family = stage.server.lock();
    assert_eq!((family.refreshes - before, family.alive, family.seen.len()), (1, true, 50));
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_tasks_at_once_refresh_once() {
    let stage = Stage::new(false).await;
    stage.server.lock().expires_in = 3600.0;
    let ws = Workspace::open(stage.dir.path(), Config::default());
    let sink = Sink::none();
    let all = (0..50).map(|_| credentials::test(&ws, &stage.id, &sink));
    for outcome in futures_util::future::join_all(all).await {
        assert!(outcome.unwrap().ok);
    }
    assert_eq!(stage.server.lock().refreshes, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn waiting_processes_take_one_refusal_for_all() {
    let stage = Stage::new(false).await;
    {
        let mut family = stage.server.lock();
        family.alive = false;
    }
    let (told, go) = stage.server.hold(Hold::Answered);
    let first = stage.spawn();
    told.recv_timeout(LONG).unwrap();
    let rest: Vec<Child> = (0..4).map(|_| stage.spawn()).collect();
    go.send(()).unwrap();
    for child in std::iter::once(first).chain(rest) {
        assert_eq!(child.captured().status.code(), Some(3));
    }
    // Without a doubt about an earlier refresh nothing is said of one.
    let output = stage.run();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.code() == Some(3) && !text.contains("refresh_interrupted"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_renewed_inside_a_long_wait() {
    let stage = Stage::new(false).await;
    {
        let mut family = stage.server.lock();
        // Replaced after three quarters of its life, which ends during the wait.
        family.expires_in = 2.0;
        family.limits = [3].into();
    }
    let ws = Workspace::open(stage.dir.path(), Config::default());
    let definition = std::fs::read_to_string(stage.dir.path().join("connectors/rotating.toml")).unwrap();
    let connector: intertie::model::Connector = toml::from_str(&definition).unwrap();
    assert_eq!(connector.id, "rotating");
    let credential = credentials::get(&ws, &stage.id).unwrap();
    let store = Arc::new(intertie::store::Store::open(stage.dir.path()).unwrap());
    let vault = Arc::new(intertie::vault::Vault::open(&stage.dir.path().join("vault")));
    let catalog = intertie::catalog::Catalog::open(&stage.dir.path().join("connectors"));
    let (client, _) = intertie::auth::connect(&store, &vault, &catalog, &credential).unwrap();
    let answer = client.send("GET", "/me", &[], None, &Sink::none()).await.unwrap();
    let family = stage.server.lock();
    assert_eq!((answer.status, family.seen.as_slice(), family.refreshes), (200, ["planted-a-2".to_owned(), "planted-a-3".to_owned()].as_slice(), 2));
}

/// Numbers that look random and are the same each time (Numerical Recipes).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }
}

/// What became of the kills.
#[derive(Debug, Default, PartialEq)]
struct Tally {
    kills: usize,
    /// Nothing had happened at the server.
    before: usize,
    /// The old token was spent, and the answer not on disk: the window.
    window: usize,
    /// The answer was on disk.
    after: usize,
    /// In the window, and the family is gone: the next process named it.
    lost: usize,
    /// Anywhere else, or not named.
    lost_outside: usize,
}

/// Kills a process somewhere in its refresh, and lets another one come.
fn cycle(stage: &Stage, dice: &mut Dice, took: Duration, tally: &mut Tally) {
    let entry = bytes(&stage.entry());
    // The access token ends at the vendor, before its time: the process finds out, and refreshes once.
    let spent = {
        let mut family = stage.server.lock();
        (family.ended, family.expires_in) = (family.now, 3600.0);
        family.presented.clear();
        family.now
    };
    let kind = dice.below(10);
    let gate = match kind {
        0 => Some(Hold::BeforeCommit),
        1 => Some(Hold::Sent(0)),
        2 => Some(Hold::Sent(dice.below(1000) as usize)),
        3..=7 => Some(Hold::Answered),
        _ => None,
    };
    let gate = gate.map(|hold| stage.server.hold(hold));
    let mut child = stage.spawn();
    // The moment itself is what is tested, not a wait for something.
    let spin = |micros: u64| std::thread::sleep(Duration::from_micros(micros));
    match &gate {
        Some((told, _)) => {
            told.recv_timeout(LONG).expect("the request for tokens came");
            match kind {
                // Anywhere between the answer and the end of what follows.
                3 | 4 => spin(dice.below(30_000)),
                // The answer is on disk; steps of reading, keeping and tidying up follow.
                5..=7 => {
                    assert!(until(|| bytes(&stage.entry()) != entry), "the answer was never kept");
                    spin(dice.below(12_000));
                }
                _ => spin(dice.below(300)),
            }
        }
        None => spin(dice.below(took.as_micros() as u64 + 1)),
    }
    child.kill().unwrap();
    let living = !child.wait().unwrap().success();
    if let Some((_, go)) = gate {
        let _ = go.send(());
    }
    stage.server.lock().gate = None;
    tally.kills += usize::from(living);
    let (committed, durable) = (stage.server.lock().now > spent, bytes(&stage.entry()) != entry);
    let part = if !committed {
        &mut tally.before
    } else if durable {
        &mut tally.after
    } else {
        &mut tally.window
    };
    *part += usize::from(living);

    let output = stage.run();
    if output.status.success() {
        return;
    }
    let said: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
    let code = said["problem"]["code"].as_str().unwrap_or_default();
    let why = said["problem"]["why"].as_str().unwrap_or_default();
    let named = output.status.code() == Some(3) && code == "refresh_interrupted" && why.contains("cut off");
    let mut family = stage.server.lock();
    // Each of the two sent it once, and the server had acted upon what the first one sent. (That may have been on the way when it was
    // killed, so only now is it certain.)
    let in_window = !durable && family.presented == [spent, spent];
    if in_window && named && !family.grace {
        tally.lost += 1;
    } else {
        tally.lost_outside += 1;
        eprintln!("kind {kind}, durable {durable}, presented {:?} of {spent}: {said}", family.presented);
    }
    // A person consents again: here, the server takes what the credential has.
    family.alive = true;
    family.now = spent;
    drop(family);
    assert!(stage.run().status.success(), "with a family that lives again");
}

fn killed_often(stage: &Stage, seed: u64) -> Tally {
    let started = Instant::now();
    assert!(stage.run().status.success());
    let took = started.elapsed();
    let (mut dice, mut tally) = (Dice(seed), Tally::default());
    while tally.kills < KILLS {
        cycle(stage, &mut dice, took, &mut tally);
    }
    println!("grace {}: {tally:?} in {:?}", stage.server.lock().grace, started.elapsed());
    tally
}

impl std::ops::Add for Tally {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            kills: self.kills + other.kills,
            before: self.before + other.before,
            window: self.window + other.window,
            after: self.after + other.after,
            lost: self.lost + other.lost,
            lost_outside: self.lost_outside + other.lost_outside,
        }
    }
}

#[test]
fn killed_anywhere_no_family_is_lost_outside_the_window() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let stages: Vec<Stage> = runtime.block_on(futures_util::future::join_all((0..2 * LANES).map(|lane| Stage::new(lane % 2 == 1))));
    let (mut strict, mut lenient) = (Tally::default(), Tally::default());
    std::thread::scope(|scope| {
        let lanes: Vec<_> = stages.iter().zip(20_260_401..).map(|(stage, seed)| scope.spawn(move || killed_often(stage, seed))).collect();
        for (lane, tally) in lanes.into_iter().enumerate() {
            let sum = if lane % 2 == 1 { &mut lenient } else { &mut strict };
            *sum = std::mem::take(sum) + tally.join().unwrap();
        }
    });
    for tally in [&strict, &lenient] {
        assert_eq!(tally.lost_outside, 0, "{tally:?}");
        assert_eq!(tally.kills, LANES * KILLS);
        // Every part of a rotation was hit, and not by chance once.
        assert!(tally.before > tally.kills / 25 && tally.window > tally.kills / 25 && tally.after > tally.kills / 10, "{tally:?}");
    }
    assert_eq!(lenient.lost, 0, "a server with a grace period loses nothing: {lenient:?}");
    assert!(strict.lost > 0, "the window exists, and was hit: {strict:?}");
}
