//! `intertie doctor`: what is right and wrong with this host.

use std::os::unix::fs::PermissionsExt as _;

use super::{Result, Workspace, connectors, credentials, runs, vault};
use crate::model::{Credential, CredentialStatus, Finding, Problem, Severity, Time};
use crate::words::{clean, number};
use crate::{problem, t};

/// Less free room than this and a run may not end, in bytes.
const ROOM: u64 = 200 << 20;

/// No clock of a host that runs this can be before it was written.
const WRITTEN: i64 = 1_767_225_600; // 2026-01-01T00:00:00Z

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Examined {
    /// `workspace`, `disk`, `database`, `vault`, `definitions`, `clock`, `proxy` or `credentials`.
    pub name: String,
    pub ok: bool,
    /// What was found, a whole sentence.
    pub detail: String,
    pub finding: Option<Finding>,
}

/// Looks at the workspace, the vault, the definitions, the clock, the proxy settings and the saved credentials. No network.
pub fn examine(ws: &Workspace) -> Result<Vec<Examined>> {
    let looks: [(&str, Looking); 8] = [
        ("workspace", workspace),
        ("disk", disk),
        ("database", database),
        ("vault", look_at_vault),
        ("definitions", definitions),
        ("clock", look_at_clock),
        ("proxy", |_| Ok(proxy(|name| std::env::var(name).ok()))),
        ("credentials", look_at_credentials),
    ];
    // What cannot be looked at is a finding, and no reason not to look at the rest.
    Ok(looks.into_iter().map(|(name, look)| look(ws).unwrap_or_else(|problem| Look::bad(Severity::Error, problem)).named(name)).collect())
}

type Looking = fn(&Workspace) -> Result<Look>;

enum Look {
    Fine(String),
    Bad(Severity, Problem),
}

impl Look {
    fn bad(severity: Severity, problem: Problem) -> Self {
        Self::Bad(severity, problem)
    }

    fn named(self, name: &str) -> Examined {
        match self {
            Self::Fine(detail) => Examined { name: name.to_owned(), ok: true, detail, finding: None },
            Self::Bad(severity, problem) => Examined {
                name: name.to_owned(),
                ok: false,
                detail: format!("{}. {}", problem.what, problem.why),
                finding: Some(Finding { severity, place: name.to_owned(), problem }),
            },
        }
    }
}

fn shown(path: &std::path::Path) -> String {
    clean::line(&path.display().to_string(), 200)
}

fn workspace(ws: &Workspace) -> Result<Look> {
    let dir = ws.dir();
    match std::fs::metadata(dir) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Look::Fine(t!("doctor.workspace.new", dir = shown(dir)))),
        Err(error) => Err(problem!(Failed, "doctor.workspace.closed", dir = shown(dir), reason = error)),
        Ok(found) if !found.is_dir() => Err(problem!(Failed, "doctor.workspace.file", dir = shown(dir))),
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            let mode = format!("{:o}", found.permissions().mode() & 0o777);
            Ok(Look::bad(Severity::Warning, problem!(PersonMustAct, "doctor.workspace.open", dir = shown(dir), mode = mode)))
        }
        Ok(_) => Ok(Look::Fine(t!("doctor.workspace.fine", dir = shown(dir)))),
    }
}

fn disk(ws: &Workspace) -> Result<Look> {
    // A workspace that is still to be made is on the disk of the directory that will hold it.
    let place = ws.dir().ancestors().find(|place| place.exists()).unwrap_or(ws.dir());
    let found = rustix::fs::statvfs(place).map_err(|error| problem!(Failed, "doctor.disk.unknown", reason = error))?;
    let free = found.f_bavail.saturating_mul(found.f_frsize);
    let megabytes = number(free >> 20);
    Ok(if free < ROOM {
        Look::bad(Severity::Warning, problem!(PersonMustAct, "doctor.disk.full", n = megabytes))
    } else {
        Look::Fine(t!("doctor.disk.fine", n = megabytes))
    })
}

fn database(ws: &Workspace) -> Result<Look> {
    if !ws.dir().join("intertie.db").exists() {
        return Ok(Look::Fine(t!("doctor.database.new").to_owned()));
    }
    let answer: String = ws.store()?.read(|connection| Ok(connection.query_row("pragma quick_check(1)", [], |row| row.get(0))?))?;
    if answer == "ok" {
        Ok(Look::Fine(t!("doctor.database.fine").to_owned()))
    } else {
        Err(problem!(Failed, "doctor.database.torn", reason = clean::line(&answer, 200)))
    }
}

fn look_at_vault(ws: &Workspace) -> Result<Look> {
    let status = vault::status(ws)?;
    Ok(match (status.exists, status.unlocked) {
        (false, _) => Look::Fine(t!("doctor.vault.new").to_owned()),
        (true, false) => Look::bad(Severity::Hint, problem!(PersonMustAct, "doctor.vault.locked")),
        (true, true) => Look::Fine(t!("doctor.vault.fine", n = status.secrets)),
    })
}

fn definitions(ws: &Workspace) -> Result<Look> {
    let faults = connectors::check(ws, &[])?;
    Ok(match faults.first() {
        None => Look::Fine(t!("doctor.definitions.fine", n = connectors::list(ws, None)?.len())),
        Some(first) => {
            let place = format!("{}:{}", clean::line(&first.file, 200), first.line);
            let what = clean::line(&first.what, 300);
            Look::bad(Severity::Error, problem!(Failed, "doctor.definitions.faulty", n = faults.len(), place = place, what = what))
        }
    })
}

/// Further apart than this, clocks spoil tokens and signatures, in seconds.
const APART: u64 = 60;

fn look_at_clock(ws: &Workspace) -> Result<Look> {
    let look = clock(Time::now(), runs::list(ws, None, 1).ok().and_then(|runs| Some(runs.first()?.started)));
    let Look::Fine(_) = &look else { return Ok(look) };
    // What the last test of a credential told is a day old at most, or says nothing about now.
    let yesterday = Time::now().checked_sub(jiff::SignedDuration::from_hours(24)).unwrap_or_default();
    let tested = credentials::list(ws).unwrap_or_default().into_iter().filter(|credential| credential.tested.is_some_and(|at| at > yesterday));
    let last = tested.max_by_key(|credential| credential.tested).and_then(|credential| Some((credential.known.clock_ahead?, credential.name)));
    Ok(match last.filter(|(ahead, _)| ahead.unsigned_abs() > APART) {
        Some((ahead, name)) => {
            let (n, name) = (ahead.unsigned_abs(), clean::line(&name, 120));
            let ahead = if ahead > 0 { t!("doctor.clock.is_ahead") } else { t!("doctor.clock.is_behind") };
            Look::bad(Severity::Warning, problem!(PersonMustAct, "doctor.clock.apart", n = n, name = name, ahead = ahead))
        }
        None => look,
    })
}

fn clock(now: Time, last_run: Option<Time>) -> Look {
    if now.as_second() < WRITTEN {
        return Look::bad(Severity::Error, problem!(PersonMustAct, "doctor.clock.past", now = now));
    }
    match last_run.filter(|last| *last > now) {
        Some(last) => Look::bad(Severity::Error, problem!(PersonMustAct, "doctor.clock.back", now = now, last = last)),
        None => Look::Fine(t!("doctor.clock.fine", now = now.strftime("%Y-%m-%d %H:%M:%SZ"))),
    }
}

fn proxy(variable: impl Fn(&str) -> Option<String>) -> Look {
    let mut found = Vec::new();
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        let Some(value) = variable(name).filter(|value| !value.is_empty()) else { continue };
        // Without a scheme it is an http proxy, as curl has it.
        let with_scheme = if value.contains("://") { value } else { format!("http://{value}") };
        match url::Url::parse(&with_scheme) {
            // Its user and password are secrets.
            Ok(address) => {
                let port = address.port().map_or_else(String::new, |port| format!(":{port}"));
                found.push(format!("{name} {}", clean::line(&format!("{}{port}", address.host_str().unwrap_or_default()), 100)));
            }
            Err(error) => return Look::bad(Severity::Error, problem!(PersonMustAct, "doctor.proxy.bad", name = name, reason = error)),
        }
    }
    if found.is_empty() { Look::Fine(t!("doctor.proxy.none").to_owned()) } else { Look::Fine(t!("doctor.proxy.fine", list = found.join(", "))) }
}

fn look_at_credentials(ws: &Workspace) -> Result<Look> {
    let all = credentials::list(ws)?;
    let broken = |status| matches!(status, CredentialStatus::Refused | CredentialStatus::Expired | CredentialStatus::NeedsConsent);
    if let Some(first) = all.iter().find(|credential| broken(credential.status)) {
        let n = all.iter().filter(|credential| broken(credential.status)).count();
        let problem = problem!(PersonMustAct, "doctor.credentials.broken", n = n, name = clean::line(&first.name, 120));
        return Ok(Look::bad(Severity::Error, problem));
    }
    if let Some((name, reason)) = unreadable(ws, &all)? {
        let problem = problem!(PersonMustAct, "doctor.credentials.unreadable", name = clean::line(&name, 120), reason = reason);
        return Ok(Look::bad(Severity::Error, problem));
    }
    if let Some(first) = credentials::expiring(ws, credentials::soon(ws))?.first() {
        let problem = problem!(PersonMustAct, "doctor.credentials.expiring", name = clean::line(&first.name, 120), at = first.at);
        return Ok(Look::bad(Severity::Warning, problem));
    }
    Ok(Look::Fine(t!("doctor.credentials.fine", n = all.len())))
}

/// The first credential with a secret that is not in the vault or does not open. A locked vault is another look's affair.
fn unreadable(ws: &Workspace, all: &[Credential]) -> Result<Option<(String, String)>> {
    if !vault::status(ws)?.unlocked {
        return Ok(None);
    }
    for credential in all {
        for key in &credential.secrets {
            match ws.vault().get(&credential.id, key) {
                Ok(Some(_)) => {}
                Ok(None) => return Ok(Some((credential.name.clone(), t!("doctor.credentials.absent", key = clean::line(key, 80))))),
                Err(problem) => return Ok(Some((credential.name.clone(), problem.why))),
            }
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bad(look: Look) -> Option<Problem> {
        match look {
            Look::Fine(_) => None,
            Look::Bad(_, problem) => Some(problem),
        }
    }

    #[test]
    fn a_clock_that_went_back_is_found() {
        let now: Time = "2026-05-01T12:00:00Z".parse().unwrap();
        assert!(bad(clock(now, None)).is_none());
        assert!(bad(clock(now, Some("2026-05-01T11:00:00Z".parse().unwrap()))).is_none());
        assert!(bad(clock(now, Some("2026-05-02T11:00:00Z".parse().unwrap()))).is_some());
        assert!(bad(clock("1970-01-02T00:00:00Z".parse().unwrap(), None)).is_some());
    }

    #[test]
    fn a_proxy_is_shown_without_its_password() {
        let with = |value: &'static str| proxy(move |name| (name == "HTTPS_PROXY").then(|| value.to_owned()));
        let Look::Fine(detail) = with("http://ada:hunter2@proxy.example:3128") else { panic!("it is a good address") };
        assert!(detail.contains("proxy.example:3128") && !detail.contains("hunter2") && !detail.contains("ada"), "{detail}");
        assert!(matches!(with("proxy.example:3128"), Look::Fine(detail) if detail.contains("proxy.example:3128")));
        let problem = bad(with("http://ada:hunter2@[proxy")).unwrap();
        assert!(!format!("{problem:?}").contains("hunter2"));
    }

    #[test]
    fn a_directory_that_others_can_enter_is_found() {
        let dir = tempfile::tempdir().unwrap();
        let look = || workspace(&Workspace::open(dir.path(), super::super::Config::default())).unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(bad(look()).is_none());
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(bad(look()).is_some_and(|problem| problem.why.contains("755")));
    }
}
