//! What every command has: the workspace, how to print, whom to ask, and a runtime for what may touch the network.

use std::future::Future;
use std::io;
use std::path::{Path, PathBuf};

use super::{Global, output};
use crate::model::{Secret, Sink};
use crate::ops::{self, Config, Result, Workspace};
use crate::prompt::{Waiting, ask};
use crate::words::clean;
use crate::{problem, t};

pub struct Context {
    pub ws: Workspace,
    pub json: bool,
    /// What is dangerous was confirmed beforehand.
    pub yes: bool,
    /// Whether there is a person to ask.
    pub person: bool,
    passphrase: Option<String>,
    waiting: Waiting,
}

impl Context {
    pub fn new(global: &Global) -> Result<Self> {
        Ok(Self {
            ws: open(global)?,
            json: global.json,
            yes: global.yes,
            person: ask::possible(),
            passphrase: global.passphrase.clone(),
            waiting: Waiting::default(),
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

    /// Unlocks a vault that a passphrase opens, before something that needs its secrets.
    pub fn unlock(&self) -> Result<()> {
        match self.unlocking()? {
            Some(passphrase) => ops::vault::unlock(&self.ws, &passphrase),
            None => Ok(()),
        }
    }

    /// The passphrase that the vault waits for; `None` when it waits for none.
    pub fn unlocking(&self) -> Result<Option<Secret>> {
        let status = ops::vault::status(&self.ws)?;
        let question = match status.asks.as_deref() {
            Some("identity") => t!("cli.vault.identity_passphrase"),
            Some(_) => t!("cli.vault.passphrase"),
            None => return Ok(None),
        };
        self.passphrase(question).map(Some)
    }

    /// The passphrase of the vault or of a private key: by `--passphrase`, or asked for.
    pub fn passphrase(&self, question: &str) -> Result<Secret> {
        match &self.passphrase {
            Some(reference) => ask::secret_by_reference("passphrase", reference),
            None if self.person => ask::secret(question),
            None => Err(problem!(PersonMustAct, "cli.vault.locked")),
        }
    }

    /// What `--passphrase` refers to, where it was given.
    pub fn given_passphrase(&self) -> Result<Option<Secret>> {
        self.passphrase.as_deref().map(|reference| ask::secret_by_reference("passphrase", reference)).transpose()
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
        self.waiting.run(!self.json, work)
    }
}

/// The workspace that flag, environment or XDG directory name, with its configuration.
pub fn open(global: &Global) -> Result<Workspace> {
    let dir = match global.workspace.clone().or_else(|| variable("INTERTIE_WORKSPACE").map(PathBuf::from)) {
        Some(dir) => dir,
        None => directories::ProjectDirs::from("", "", "intertie").ok_or_else(|| problem!(Usage, "cli.no_home"))?.data_dir().join("default"),
    };
    let dir = std::path::absolute(&dir).unwrap_or(dir);
    let ws = Workspace::open(&dir, config(global)?);
    if let Some(identity) = &global.identity {
        ops::vault::use_identity(&ws, std::path::absolute(identity).unwrap_or_else(|_| identity.clone()));
    }
    Ok(ws)
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
        assert_eq!((config.expiring_days, config.overview_days), (Some(14), Some(30)));
    }

    #[test]
    fn days_that_are_none_are_told() {
        for (text, hint) in
            [("expiring_days = 0", "1 to"), ("overview_days = -3", "-3"), ("expiring_days = 99999", "99999"), ("expiring_days = \"14d\"", "string")]
        {
            let problem = parse_toml::<Config>(&format!("mouse = true\n{text}\n"), "config.toml").unwrap_err();
            assert!(problem.exit_code() == 2 && problem.what.contains('2') && problem.why.contains(hint), "{problem:?}");
        }
        let config = parse_toml::<Config>("expiring_days = 45\noverview_days = 365", "config.toml").unwrap();
        assert_eq!((config.expiring_days, config.overview_days), (Some(45), Some(365)));
    }
}
