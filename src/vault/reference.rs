//! References: where a secret lies that is not copied into the vault.
//!
//! - `env:NAME`: an environment variable.
//! - `file:PATH`: the first line of a file, or all of it when it is a PEM block or a JSON document.
//! - `pass:NAME`: an entry of the password store; `pass show NAME`, read like a file.
//! - `op://VAULT/ITEM/FIELD`: an item of 1Password; `op read`.
//! - `vault://MOUNT/PATH#FIELD`: a field in a KV store (version 2) of HashiCorp Vault or OpenBao; `%2F` for a slash in the mount.
//!
//! A reference is no secret; what it leads to is read each time. The last kind takes HTTP and is followed in `auth`.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeroize::Zeroizing;

use super::disk;
use super::program::{self, Failure};
use crate::model::{Problem, Secret};
use crate::words::{clean, hide};
use crate::{problem, t};

/// How long following a reference may take.
pub const LIMIT: Duration = Duration::from_secs(10);
/// The longest reference, in bytes.
const LONGEST: usize = 1024;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reference {
    Env(String),
    File(PathBuf),
    Pass(String),
    /// With its `op://`.
    Op(String),
    Vault(Kv),
}

/// A field of a secret in a KV store of version 2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kv {
    pub mount: String,
    pub path: String,
    pub field: String,
}

impl Reference {
    /// What is no reference may be a secret that was typed in the wrong place: the Problem does not repeat it.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let text = text.trim();
        let wrong = |reason: &'static str| problem!(Usage, "reference.wrong", reason = reason);
        if text.len() > LONGEST || !clean::is_clean(text) {
            return Err(wrong(t!("reference.not_clean")));
        }
        if let Some(name) = text.strip_prefix("env:") {
            let fits = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || !name.chars().all(fits) {
                return Err(wrong(t!("reference.bad_env")));
            }
            return Ok(Self::Env(name.to_owned()));
        }
        if let Some(path) = text.strip_prefix("file:") {
            if path.is_empty() {
                return Err(wrong(t!("reference.bad_file")));
            }
            return Ok(Self::File(PathBuf::from(path)));
        }
        if let Some(name) = text.strip_prefix("pass:") {
            // The program would take the first for an option; it refuses the second itself.
            if name.is_empty() || name.starts_with('-') || name.split('/').any(|part| part == "..") {
                return Err(wrong(t!("reference.bad_pass")));
            }
            return Ok(Self::Pass(name.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("op://") {
            let parts: Vec<&str> = rest.split('/').collect();
            // vault/item/field, or vault/item/section/field.
            if !(3..=4).contains(&parts.len()) || parts.iter().any(|part| part.trim().is_empty()) {
                return Err(wrong(t!("reference.bad_op")));
            }
            return Ok(Self::Op(text.to_owned()));
        }
        if let Some(rest) = text.strip_prefix("vault://") {
            return Kv::parse(rest).map(Self::Vault).ok_or_else(|| wrong(t!("reference.bad_vault")));
        }
        Err(problem!(Usage, "reference.unknown"))
    }

    /// A path that does not depend on where a command is run.
    #[must_use]
    pub fn absolute(self) -> Self {
        match self {
            Self::File(path) => {
                let home = path.strip_prefix("~").ok().and_then(|rest| Some(PathBuf::from(std::env::var_os("HOME")?).join(rest)));
                let path = home.unwrap_or(path);
                Self::File(std::path::absolute(&path).unwrap_or(path))
            }
            other => other,
        }
    }

    /// Reads what lies on this host. `None` for a store that is asked over HTTP. Takes up to [`LIMIT`].
    #[must_use]
    pub fn local(&self) -> Option<Result<Secret, Problem>> {
        let shown = clean::line(&self.to_string(), 200);
        let found = match self {
            Self::Env(name) => match std::env::var(name) {
                Ok(value) => Ok(Zeroizing::new(value.into_bytes())),
                Err(std::env::VarError::NotPresent) => Err(problem!(PersonMustAct, "reference.no_env", name = name)),
                Err(std::env::VarError::NotUnicode(_)) => Err(problem!(Failed, "reference.not_text", reference = shown)),
            },
            Self::File(path) => match disk::read(path) {
                Ok(Some(bytes)) => Ok(Zeroizing::new(bytes)),
                Ok(None) => Err(problem!(PersonMustAct, "reference.no_file", path = clean::line(&path.display().to_string(), 200))),
                Err(error) => Err(problem!(Failed, "reference.unreadable", reference = shown, reason = clean::line(&error.to_string(), 300))),
            },
            Self::Pass(name) => asked("pass", &["show", name], &shown),
            Self::Op(text) => asked("op", &["read", text], &shown),
            Self::Vault(_) => return None,
        };
        Some(found.and_then(|bytes| value(&bytes, &shown)))
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "env:{name}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Pass(name) => write!(f, "pass:{name}"),
            Self::Op(text) => f.write_str(text),
            Self::Vault(kv) => write!(f, "vault://{kv}"),
        }
    }
}

impl Kv {
    /// What follows `vault://`.
    fn parse(text: &str) -> Option<Self> {
        let (place, field) = text.rsplit_once('#')?;
        let (mount, path) = place.split_once('/')?;
        let path = path.trim_end_matches('/');
        let plain = |part: &str| !part.is_empty() && part != "." && part != ".." && !part.contains(['?', '#']);
        let mount = mount.replace("%2F", "/").replace("%2f", "/");
        let fits = mount.split('/').chain(path.split('/')).all(plain) && !field.is_empty();
        fits.then(|| Self { mount, path: path.to_owned(), field: field.to_owned() })
    }
}

impl fmt::Display for Kv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}#{}", self.mount.replace('/', "%2F"), self.path, self.field)
    }
}

fn asked(name: &str, args: &[&str], shown: &str) -> Result<Zeroizing<Vec<u8>>, Problem> {
    program::run(Path::new(name), args, b"", LIMIT).map_err(|failure| match failure {
        Failure::Missing => {
            let what = if name == "op" { t!("reference.program.op") } else { t!("reference.program.pass") };
            problem!(PersonMustAct, "reference.no_program", program = name, reference = shown, what = what)
        }
        Failure::TooLong(limit) => problem!(PersonMustAct, "reference.too_long", program = name, reference = shown, n = limit.as_secs()),
        Failure::Broken(said) | Failure::Refused(said) => {
            problem!(Failed, "reference.refused", program = name, reference = shown, said = without_sessions(&said))
        }
    })
}

/// What a program said, without the tokens that 1Password's own takes from the environment (OP_SERVICE_ACCOUNT_TOKEN, OP_CONNECT_TOKEN,
/// OP_SESSION_…): it may repeat them.
fn without_sessions(said: &str) -> String {
    let tokens = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        let name = name.into_string().ok().filter(|name| name.starts_with("OP_") && (name.contains("TOKEN") || name.contains("SESSION")))?;
        value.into_string().ok().filter(|value| !name.is_empty() && !value.is_empty()).map(Zeroizing::new)
    };
    let tokens: Vec<Zeroizing<String>> = std::env::vars_os().filter_map(tokens).collect();
    hide::hide(said, &tokens.iter().map(|token| token.as_str()).collect::<Vec<_>>())
}

/// What a file or program answered, as a secret: the first line, or all of a PEM block or a JSON document.
pub fn value(bytes: &[u8], shown: &str) -> Result<Secret, Problem> {
    let text = std::str::from_utf8(bytes).map_err(|_| problem!(Failed, "reference.not_text", reference = shown))?;
    let text = text.trim_start_matches('\u{feff}');
    let whole = text.trim();
    let text = if whole.starts_with("-----BEGIN") || whole.starts_with('{') { whole } else { text.lines().next().unwrap_or_default().trim_end() };
    if text.is_empty() { Err(problem!(PersonMustAct, "reference.empty", reference = shown)) } else { Ok(Secret::new(text)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_told_from_secrets() {
        for text in
            ["env:CLICKWRAP_SECRET", "file:/run/secrets/a b", "pass:work/clickwrap", "op://IT/Clickwrap/credential", "op://IT/Click wrap/api/key"]
        {
            assert_eq!(Reference::parse(text).unwrap().to_string(), text);
        }
        let kv = |text: &str| match Reference::parse(text) {
            Ok(Reference::Vault(kv)) => Some((kv.mount, kv.path, kv.field)),
            _ => None,
        };
        let three = |a: &str, b: &str, c: &str| Some((a.to_owned(), b.to_owned(), c.to_owned()));
        assert_eq!(kv("vault://secret/team/clickwrap#client_secret"), three("secret", "team/clickwrap", "client_secret"));
        assert_eq!(kv("vault://kv%2Fteam/clickwrap/#a b"), three("kv/team", "clickwrap", "a b"));
        assert_eq!(Reference::parse("vault://kv%2fteam/a#b").unwrap().to_string(), "vault://kv%2Fteam/a#b");
        for bad in [
            "",
            "hunter2",
            "env:",
            "env:A B",
            "env:A=B",
            "file:",
            "pass:",
            "pass:-c",
            "pass:a/../../b",
            "op://a/b",
            "op://a//b",
            "op://a/b/c/d/e",
            "vault://a#b",
            "vault://a/b",
            "vault://a/b#",
            "vault://a/../b#c",
            "vault://a/b?version=1#c",
            "https://example.com",
            "env:A\u{1b}[2J",
            "file:a\nb",
        ] {
            let problem = Reference::parse(bad).unwrap_err();
            assert_eq!(problem.exit_code(), 2, "{bad:?}");
            assert!(!format!("{problem:?}").contains("hunter2"));
        }
        assert!(Reference::parse(&format!("file:/{}", "x".repeat(2000))).is_err());
    }

    #[test]
    fn the_first_line_or_a_whole_block() {
        let of = |text: &str| value(text.as_bytes(), "r").map(|secret| secret.expose().to_owned());
        assert_eq!(of("s3cret\nlogin: ada\n").unwrap(), "s3cret");
        assert_eq!(of("s3cret\r\n").unwrap(), "s3cret");
        assert_eq!(of(" leading blanks stay").unwrap(), " leading blanks stay");
        assert_eq!(of("-----BEGIN PRIVATE KEY-----\nAA\n-----END PRIVATE KEY-----\n").unwrap().lines().count(), 3);
        assert_eq!(of("{\n\"type\": \"service_account\"\n}\n").unwrap().lines().count(), 3);
        assert!(of("").is_err() && of("\nsecond").is_err());
        assert!(value(&[0xff, 0xfe], "r").is_err());
    }

    #[test]
    fn what_lies_here_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        let reference = Reference::parse(&format!("file:{}", path.display())).unwrap();
        let read = |reference: &Reference| reference.local().unwrap();
        assert!(read(&reference).is_err_and(|problem| problem.exit_code() == 3 && problem.why.contains("secret")));
        std::fs::write(&path, "from a file\n").unwrap();
        assert!(read(&reference).is_ok_and(|secret| secret.expose() == "from a file"));
        std::fs::write(&path, "rotated\n").unwrap();
        assert!(read(&reference).is_ok_and(|secret| secret.expose() == "rotated"), "read each time");
        assert!(read(&Reference::Env("INTERTIE_TEST_NOT_SET".into())).is_err_and(|problem| problem.why.contains("INTERTIE_TEST_NOT_SET")));
        assert!(Reference::parse("vault://a/b#c").unwrap().local().is_none());
        let Reference::File(path) = Reference::parse("file:a/b").unwrap().absolute() else { panic!() };
        assert!(path.is_absolute() && path.ends_with("a/b"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_parses_or_is_refused(text in "(env:|file:|pass:|op://|vault://)?.{0,60}") {
            if let Ok(reference) = Reference::parse(&text) {
                // What was kept is read as the same.
                let again = reference.to_string();
                proptest::prop_assert_eq!(Reference::parse(&again).ok(), Some(reference));
            }
        }
    }
}
