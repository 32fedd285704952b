//! The console, measured in a pseudo-terminal on the real program, with 100,000 people in its workspace: ready, keys, idle, memory; and one
//! frame drawn into memory. Prints each number beside those of gitui, slumber and a bare ratatui program, measured the same way.
//!
//! `cargo bench --bench console`

use intertie::model::{IntegrationKind, Mapped, RunOptions, Sink};
use intertie::ops::{Config, Workspace, credentials, integrations, mappings, runs};
use intertie::tui::app::effect::Job;
use intertie::tui::app::msg::Answer;
use intertie::tui::harness::Harness;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const PEOPLE: usize = 100_000;

/// Milliseconds and megabytes: ready, key median, key p95, resident memory.
const PEERS: [(&str, [f64; 4]); 3] = [("gitui", [14.8, 1.0, 2.3, 17.0]), ("slumber", [13.1, 1.8, 2.3, 17.0]), ("bare ratatui", [4.8, 0.4, 0.6, 5.0])];

fn main() {
    // `cargo test --benches` runs benchmarks too; only `cargo bench` measures.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let dir = tempfile::tempdir().expect("a directory");
    let workspace = dir.path().join("acme");
    fill(&workspace);

    let version = median((0..40).map(|_| version_once()).collect());
    let mut ready = Vec::new();
    for _ in 0..40 {
        let mut console = Console::start(&workspace);
        ready.push(console.ready());
        console.quit();
    }
    let ready = median(ready);

    let mut console = Console::start(&workspace);
    console.ready();
    console.settle();
    console.press("2");
    console.settle();
    let mut connectors = keys(&mut console, 200);
    console.press("6");
    console.settle();
    let mut people = keys(&mut console, 200);
    let memory = console.memory();
    console.settle();
    let before = console.ticks();
    std::thread::sleep(Duration::from_secs(10));
    let idle = console.ticks() - before;
    console.quit();
    let (frame_table, frame_small) = frames();
    let wizard = wizard();

    let (key, p95) = (median(people.clone()), percentile(&mut people, 95));
    println!("--version                  {version:8.2} ms   (target  2)");
    println!("ready                      {ready:8.2} ms   (target 12)");
    println!("key, median, catalog       {:8.2} ms   p95 {:.2} ms", median(connectors.clone()), percentile(&mut connectors, 95));
    println!("key, median, {PEOPLE} people {key:6.2} ms   p95 {p95:.2} ms (target 2)");
    println!("memory, {PEOPLE} people    {memory:8.1} MB   (target 25)");
    println!("idle CPU over 10 s         {:8.2} %    (target  0.0)", idle as f64 * 100.0 / 1000.0);
    println!("a frame of 200×50          {frame_table:8.3} ms   of 80×24 {frame_small:.3} ms");
    println!("a wizard step, key to frame{wizard:5.3} ms   at 160×50 (target 16)");
    println!();
    println!("ratio to           ready    key   p95   memory   (below 1: intertie is ahead)");
    for (name, [their_ready, their_key, their_p95, their_memory]) in PEERS {
        println!("{name:16} {:7.2} {:6.2} {:5.2} {:8.2}", ready / their_ready, key / their_key, p95 / their_p95, memory / their_memory);
    }
}

/// A workspace with people in it, by way of a file and an ordinary run.
fn fill(workspace: &Path) {
    std::fs::create_dir_all(workspace).expect("a directory");
    let file = workspace.join("people.csv");
    let mut csv = String::from("email,name,locale,verified\n");
    for i in 0..PEOPLE {
        csv.push_str(&format!("person{i}@example.org,Person Number {i},en-GB,true\n"));
    }
    std::fs::write(&file, csv).expect("a file");
    let ws = Workspace::open(workspace, Config::default());
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime
        .block_on(async {
            let mut draft = credentials::draft_new(&ws, "file", None)?;
            draft.name = "People file".to_owned();
            draft.settings.insert("path".to_owned(), file.display().to_string());
            credentials::draft_save(&ws, &draft)?;
            credentials::draft_test(&ws, &draft.id, &Sink::none()).await?;
            let credential = credentials::draft_finish(&ws, &draft.id)?;
            let mut integration = integrations::new(&ws, "People")?;
            integrations::set_source(&ws, &mut integration, &credential.id, Some("users"))?;
            integration.kind = IntegrationKind::User;
            for (field, from) in [("email", "email"), ("full_name", "name"), ("locale", "locale"), ("verified", "verified")] {
                mappings::set(&ws, &mut integration, field, Mapped::Path(from.to_owned()))?;
            }
            mappings::set(&ws, &mut integration, "user_type", Mapped::Constant("Employee".to_owned()))?;
            let integration = integrations::save(&ws, &integration)?;
            integrations::launch(&ws, &integration.id, &Sink::none()).await?;
            let run = runs::start(&ws, &integration.id, &RunOptions::default(), &Sink::none()).await?;
            assert_eq!(run.created, PEOPLE as u64, "{run:?}");
            Ok::<_, intertie::model::Problem>(())
        })
        .unwrap_or_else(|problem| panic!("{problem:?}"));
}

fn version_once() -> f64 {
    let start = Instant::now();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_intertie")).arg("--version").output().expect("it runs");
    assert!(output.status.success());
    start.elapsed().as_secs_f64() * 1000.0
}

struct Console {
    child: Box<dyn Child + Send + Sync>,
    _master: Box<dyn MasterPty + Send>,
    writer: Box<dyn Write + Send>,
    output: Receiver<(Instant, Vec<u8>)>,
    started: Instant,
    parser: vt100::Parser,
}

impl Console {
    fn start(workspace: &Path) -> Self {
        let pair = native_pty_system().openpty(PtySize { rows: 50, cols: 200, pixel_width: 0, pixel_height: 0 }).expect("a pseudo-terminal");
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_intertie"));
        command.cwd(workspace);
        command.env("HOME", workspace);
        command.env("XDG_CONFIG_HOME", workspace);
        command.env("INTERTIE_WORKSPACE", workspace);
        command.env("LANG", "C.UTF-8");
        command.env("TERM", "xterm-256color");
        let mut reader = pair.master.try_clone_reader().expect("a reader");
        let writer = pair.master.take_writer().expect("a writer");
        let (to, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 1 << 16];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 || to.send((Instant::now(), buffer[..read].to_vec())).is_err() {
                    return;
                }
            }
        });
        let started = Instant::now();
        let child = pair.slave.spawn_command(command).expect("it starts");
        Self { child, _master: pair.master, writer, output, started, parser: vt100::Parser::new(50, 200, 0) }
    }

    /// Milliseconds from start until the first whole frame: the footer is drawn last.
    fn ready(&mut self) -> f64 {
        loop {
            let (at, bytes) = self.output.recv_timeout(Duration::from_secs(10)).expect("a first frame");
            self.parser.process(&bytes);
            if self.parser.screen().contents().contains("help") {
                return (at - self.started).as_secs_f64() * 1000.0;
            }
        }
    }

    /// Waits until nothing is drawn any more.
    fn settle(&mut self) {
        while let Ok((_, bytes)) = self.output.recv_timeout(Duration::from_millis(400)) {
            self.parser.process(&bytes);
        }
    }

    /// Milliseconds from a key until something is drawn.
    fn press(&mut self, key: &str) -> f64 {
        while let Ok((_, bytes)) = self.output.try_recv() {
            self.parser.process(&bytes);
        }
        let start = Instant::now();
        self.writer.write_all(key.as_bytes()).and_then(|()| self.writer.flush()).expect("it takes keys");
        let (at, bytes) = self.output.recv_timeout(Duration::from_secs(10)).expect("an answer");
        self.parser.process(&bytes);
        (at - start).as_secs_f64() * 1000.0
    }

    fn pid(&self) -> u32 {
        self.child.process_id().expect("it runs")
    }

    fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a resident size");
        line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("a number") / 1024.0
    }

    /// Hundredths of a second of processor time so far.
    fn ticks(&self) -> u64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        let rest = stat.rsplit(") ").next().expect("fields");
        let fields: Vec<&str> = rest.split(' ').collect();
        fields[11].parse::<u64>().expect("a number") + fields[12].parse::<u64>().expect("a number")
    }

    fn quit(mut self) {
        let _ = self.writer.write_all(b"q");
        let _ = self.child.wait();
    }
}

fn keys(console: &mut Console, n: usize) -> Vec<f64> {
    (0..n)
        .map(|i| {
            std::thread::sleep(Duration::from_millis(5));
            console.press(if (i / 5) % 2 == 0 { "j" } else { "k" })
        })
        .collect()
}

/// Milliseconds for a whole frame with a table of 10,000 rows, into memory.
fn frames() -> (f64, f64) {
    let time = |columns: u16, rows: u16| {
        let mut harness = Harness::new(columns, rows);
        harness.keys("2");
        let rows = (0..10_000)
            .map(|i| intertie::ops::connectors::ConnectorRow {
                id: format!("connector-{i}").into(),
                name: format!("Connector {i}").into(),
                names: Vec::new().into(),
                status: intertie::model::ConnectorStatus::Preview,
                category: "identity".into(),
                categories: vec!["identity".into()].into(),
                auth: Vec::new().into(),
                resources: Vec::new().into(),
                reads: Vec::new().into(),
                origin: intertie::model::Origin::BuiltIn,
                summary: "".into(),
                aliases: Vec::new().into(),
            })
            .collect();
        harness.answer(|job| *job == Job::LoadConnectors, Answer::Connectors(rows));
        median(
            (0..100)
                .map(|_| {
                    let start = Instant::now();
                    std::hint::black_box(harness.buffer());
                    start.elapsed().as_secs_f64() * 1000.0
                })
                .collect(),
        )
    };
    (time(200, 50), time(80, 24))
}

/// Milliseconds from a key typed into a wizard's field to its whole frame, into memory: the slowest of the steps.
fn wizard() -> f64 {
    let dir = tempfile::tempdir().expect("a directory");
    let ws = Workspace::open(dir.path(), Config::default());
    let connector = intertie::ops::connectors::get(&ws, "icertis").expect("a definition");
    let draft = credentials::draft_new(&ws, "icertis", None).expect("a draft");
    let mut harness = Harness::new(160, 50);
    harness.act(|state| intertie::tui::wizard::credential::start(state, "icertis"));
    harness.answer(|job| matches!(job, Job::DraftNew { .. }), Answer::Draft { draft, connector, needs_consent: true });
    let mut slowest: f64 = 0.0;
    for _ in 0..8 {
        let times = (0..50)
            .map(|i| {
                let start = Instant::now();
                harness.keys(if i % 2 == 0 { "a" } else { "<backspace>" });
                std::hint::black_box(harness.buffer());
                start.elapsed().as_secs_f64() * 1000.0
            })
            .collect();
        slowest = slowest.max(median(times));
        harness.keys("<enter><enter>");
    }
    slowest
}

fn median(mut values: Vec<f64>) -> f64 {
    percentile(&mut values, 50)
}

fn percentile(values: &mut [f64], percent: usize) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() * percent / 100).min(values.len() - 1)]
}
