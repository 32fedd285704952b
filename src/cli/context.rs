//! What every command has: the workspace, how to print, whom to ask, and a runtime for what may touch the network.

use std::cell::OnceCell;
use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::{Global, ask, output};
use crate::model::{CancellationToken, Progress, Secret, Sink};
use crate::ops::{self, Config, Result, Workspace};
use crate::words::{clean, number};
use crate::{problem, t};

pub struct Context {
    pub ws: Workspace,
    pub json: bool,
    /// What is dangerous was confirmed beforehand.
    pub yes: bool,
    /// Whether there is a person to ask.
    pub person: bool,
    passphrase: Option<String>,
    /// One for the whole command: connections are kept between waits, and end with the runtime that made them.
    runtime: OnceCell<Runtime>,
}

impl Drop for Context {
    fn drop(&mut self) {
        // A blocking read of standard input may still wait for a line; it must not keep the process.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Context {
    pub fn new(global: &Global) -> Result<Self> {
        Ok(Self {
            ws: open(global)?,
            json: global.json,
            yes: global.yes,
            person: ask::possible(),
            passphrase: global.passphrase.clone(),
            runtime: OnceCell::new(),
        })
    }

    /// Prints `value` with `--json`, or else what `human` prints.
    pub fn print<T: serde::Serialize>(&self, value: &T, human: impl FnOnce(&T) -> Result<()>) -> Result<()> {
        if self.json { output::json(value) } else { human(value) }
    }

    /// Confirms what is dangerous: `--yes`, or a person who says so.
    pub fn confirm(&self, question: &str) -> Result<()> {
        if self.yes {
            return Ok(());
        }
        if !self.person {
            return Err(problem!(Usage, "cli.confirm.nobody", question = question));
        }
        if ask::yes(question)? { Ok(()) } else { Err(problem!(Failed, "cli.confirm.declined")) }
    }

    /// Unlocks a vault that a passphrase protects, before something that needs its secrets.
    pub fn unlock(&self) -> Result<()> {
        let status = ops::vault::status(&self.ws)?;
        if status.unlocked || !status.exists || status.protection.as_deref() != Some("passphrase") {
            return Ok(());
        }
        let passphrase = match &self.passphrase {
            Some(reference) => ask::secret_by_reference("passphrase", reference)?,
            None if self.person => ask::secret(t!("cli.vault.passphrase"))?,
            None => return Err(problem!(PersonMustAct, "cli.vault.locked")),
        };
        ops::vault::unlock(&self.ws, &passphrase)
    }

    /// A passphrase that is being set: by `--passphrase`, or asked for twice.
    pub fn new_passphrase(&self) -> Result<Secret> {
        match &self.passphrase {
            Some(reference) => ask::secret_by_reference("passphrase", reference),
            None => self.asked_passphrase(),
        }
    }

    pub fn asked_passphrase(&self) -> Result<Secret> {
        if !self.person {
            return Err(problem!(Usage, "cli.vault.no_passphrase"));
        }
        let (first, second) = (ask::secret(t!("cli.vault.new_passphrase"))?, ask::secret(t!("cli.vault.again"))?);
        if first == second { Ok(first) } else { Err(problem!(Usage, "cli.vault.differ")) }
    }

    /// Runs what may touch the network. Ctrl-C or SIGTERM asks it to stop; a second one ends the process.
    pub fn wait<T, F: Future<Output = Result<T>>>(&self, work: impl FnOnce(Sink) -> F) -> Result<T> {
        let runtime = match self.runtime.get() {
            Some(runtime) => runtime,
            None => {
                let runtime = super::runtime()?;
                self.runtime.get_or_init(|| runtime)
            }
        };
        let cancel = CancellationToken::new();
        let meter = Meter::new(io::stderr().is_terminal() && !self.json);
        let sink = match &meter {
            Some(meter) => {
                let meter = meter.clone();
                Sink::new(move |progress| meter.show(&progress), cancel.clone())
            }
            None => Sink::new(|_| {}, cancel.clone()),
        };
        let result = runtime.block_on(async {
            let watch = tokio::spawn(stop_on_signal(cancel));
            let result = work(sink).await;
            watch.abort();
            result
        });
        if let Some(meter) = meter {
            meter.clear();
        }
        result
    }
}

async fn stop_on_signal(cancel: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    let mut first = true;
    loop {
        tokio::select! {
            heard = tokio::signal::ctrl_c() => if heard.is_err() { return },
            _ = terminate.recv() => {}
        }
        if !first {
            std::process::exit(1);
        }
        first = false;
        output::remark(&format!("\n{}", t!("cli.stopping")));
        cancel.cancel();
    }
}

/// One line on standard error that says how far it is; redrawn at most ten times a second.
#[derive(Clone)]
struct Meter(std::sync::Arc<Mutex<Option<Instant>>>);

impl Meter {
    fn new(shown: bool) -> Option<Self> {
        shown.then(|| Self(std::sync::Arc::default()))
    }

    fn show(&self, progress: &Progress) {
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < Duration::from_millis(100)) {
            return;
        }
        *last = Some(Instant::now());
        let _ = write!(io::stderr().lock(), "\r\u{1b}[K{}", progress_line(progress));
    }

    fn clear(&self) {
        if self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_some() {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

fn progress_line(progress: &Progress) -> String {
    let mut parts = vec![clean::line(&progress.doing, 60)];
    match progress.total {
        Some(total) => parts.push(t!("cli.progress.of", n = number(progress.records), total = number(total))),
        None if progress.records > 0 => parts.push(t!("cli.progress.records", n = number(progress.records))),
        None => {}
    }
    if progress.rate >= 1.0 {
        parts.push(t!("cli.progress.rate", n = number(progress.rate as u64)));
    }
    if let Some(seconds) = progress.seconds_left {
        parts.push(t!("cli.progress.left", n = number(seconds)));
    }
    parts.join(" · ")
}

/// The workspace that flag, environment or XDG directory name, with its configuration.
pub fn open(global: &Global) -> Result<Workspace> {
    let dir = match global.workspace.clone().or_else(|| variable("INTERTIE_WORKSPACE").map(PathBuf::from)) {
        Some(dir) => dir,
        None => directories::ProjectDirs::from("", "", "intertie").ok_or_else(|| problem!(Usage, "cli.no_home"))?.data_dir().join("default"),
    };
    let dir = std::path::absolute(&dir).unwrap_or(dir);
    Ok(Workspace::open(&dir, config(global)?))
}

/// The configuration that flag, environment or XDG directory name.
pub fn config(global: &Global) -> Result<Config> {
    if let Some(file) = global.config.clone().or_else(|| variable("INTERTIE_CONFIG").map(PathBuf::from)) {
        return read_config(&file)?.ok_or_else(|| problem!(Usage, "cli.config.missing", file = shown(&file)));
    }
    let file = directories::ProjectDirs::from("", "", "intertie").map(|dirs| dirs.config_dir().join("config.toml"));
    Ok(file.map(|file| read_config(&file)).transpose()?.flatten().unwrap_or_default())
}

/// An environment variable that says something.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

pub fn shown(path: &Path) -> String {
    clean::line(&path.display().to_string(), 200)
}

/// `None` when there is no such file.
fn read_config(file: &Path) -> Result<Option<Config>> {
    let text = match std::fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(problem!(Usage, "cli.config.unreadable", file = shown(file), reason = error)),
    };
    parse_toml(&text, &shown(file)).map(Some)
}

/// Reads TOML; what is wrong is told with file and line.
pub fn parse_toml<T: serde::de::DeserializeOwned>(text: &str, file: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        problem!(Usage, "cli.toml", file = file, line = line, reason = clean::line(error.message(), 300).trim_end_matches('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_in_the_configuration_is_told_with_its_line() {
        let problem = parse_toml::<Config>("theme = \"dark\"\n\nmuose = true\n", "config.toml").unwrap_err();
        assert_eq!(problem.exit_code(), 2);
        assert!(problem.what.contains("config.toml") && problem.what.contains('3'), "{problem:?}");
        assert!(problem.why.contains("muose"), "{problem:?}");
    }

    #[test]
    fn the_example_configuration_is_one() {
        let text = include_str!("../../config.example.toml");
        // As it stands it changes nothing; with its lines uncommented every key is known.
        assert_eq!(parse_toml::<Config>(text, "config.example.toml").unwrap(), Config::default());
        let live: String = text.lines().map(|line| line.strip_prefix("#: ").unwrap_or(line)).fold(String::new(), |all, line| all + line + "\n");
        let config: Config = parse_toml(&live, "config.example.toml").unwrap();
        assert!(config.theme.is_some() && config.mouse.is_some() && config.deactivate_share == Some(30) && !config.keys.is_empty());
    }

    #[test]
    fn progress_is_one_line() {
        let progress = Progress { doing: "reading page 3".into(), records: 1200, pages: 3, total: Some(2500), rate: 412.0, seconds_left: Some(4) };
        assert_eq!(progress_line(&progress), "reading page 3 · 1,200 of 2,500 · 412/s · 4 s left");
    }
}
