//! Integrations that run by themselves.

use std::time::Duration;

use super::{Result, Workspace, integrations, notices, runs};
use crate::model::{Integration, IntegrationState, Run, RunOptions, Sink, Time};
use crate::store::runs as journal;
use crate::{engine, problem, t};

/// At most so often is the workspace looked at while nothing is due.
const LOOK: Duration = Duration::from_secs(30);
/// A moment that passed this long ago was missed.
const GRACE: jiff::SignedDuration = jiff::SignedDuration::from_hours(1);

/// Active integrations with their next moment, soonest first.
pub fn upcoming(ws: &Workspace) -> Result<Vec<(Integration, Time)>> {
    let (store, now) = (ws.store()?, Time::now());
    let mut upcoming = Vec::new();
    for integration in integrations::list(ws)? {
        if integration.state != IntegrationState::Active {
            continue;
        }
        let last = store.read(|connection| journal::last(connection, &integration.id))?.map(|run| run.started);
        if let Some(next) = integrations::next_run(&integration, last, now) {
            upcoming.push((integration, next));
        }
    }
    upcoming.sort_by(|a, b| a.1.cmp(&b.1).then_with(|| a.0.name.cmp(&b.0.name)));
    Ok(upcoming)
}

fn due_with_moment(ws: &Workspace) -> Result<Vec<(Integration, Time)>> {
    let mut due = upcoming(ws)?;
    let now = Time::now();
    due.retain(|(_, moment)| *moment <= now);
    Ok(due)
}

/// Those whose moment has come.
pub fn due(ws: &Workspace) -> Result<Vec<Integration>> {
    Ok(due_with_moment(ws)?.into_iter().map(|(integration, _)| integration).collect())
}

/// Runs what is due, one after the other, and returns the runs. What is running already is left out; what cannot be started goes to the
/// inbox.
pub async fn run_due(ws: &Workspace, sink: &Sink) -> Result<Vec<Run>> {
    let mut done = Vec::new();
    each_due(ws, sink, &mut |run| done.push(run.clone())).await?;
    Ok(done)
}

async fn each_due(ws: &Workspace, sink: &Sink, on_run: &mut (dyn FnMut(&Run) + Send)) -> Result<()> {
    let store = ws.store()?;
    engine::sweep(store)?;
    notices::raise(ws)?;
    for (integration, moment) in due_with_moment(ws)? {
        if sink.cancelled() {
            break;
        }
        if Time::now().duration_since(moment) > GRACE {
            store.write(|tx| engine::missed(tx, &integration, moment))?;
        }
        if !store.read(|connection| journal::running(connection, Some(&integration.id)))?.is_empty() {
            continue;
        }
        match runs::start(ws, &integration.id, &RunOptions::default(), sink).await {
            Ok(run) => on_run(&run),
            Err(problem) => store.write(|tx| engine::not_started(tx, &integration, &problem))?,
        }
    }
    Ok(())
}

/// Stays and runs what is due until the sink is cancelled. Refused while another process does so for this workspace.
pub async fn stay(ws: &Workspace, sink: &Sink, on_run: &(dyn Fn(&Run) + Send + Sync)) -> Result<()> {
    let Some(_only) = engine::only_scheduler(ws.store()?)? else {
        return Err(problem!(Failed, "schedule.taken", workspace = ws.name()));
    };
    while !sink.cancelled() {
        each_due(ws, sink, &mut |run| on_run(run)).await?;
        // What changes meanwhile (a launch, another schedule, the clock) is seen at the next look.
        let next = upcoming(ws)?.into_iter().map(|(_, moment)| moment).find(|moment| *moment > Time::now());
        let wait = next.and_then(|next| Duration::try_from(next.duration_since(Time::now())).ok()).map_or(LOOK, |wait| wait.min(LOOK));
        tokio::select! {
            () = sink.cancel.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
    Ok(())
}

/// A systemd unit that runs `intertie schedule run` for this workspace.
#[must_use]
pub fn unit(ws: &Workspace, program: &str) -> String {
    let dir = std::path::absolute(ws.dir()).unwrap_or_else(|_| ws.dir().to_owned());
    let dir = dir.to_string_lossy();
    format!(
        "[Unit]
Description={description}
After=network-online.target
Wants=network-online.target

[Service]
Type=exec
User={user}
ExecStart={program} --workspace {argument} schedule run
Restart=on-failure
RestartSec=30
UMask=0077
NoNewPrivileges=yes
CapabilityBoundingSet=
ProtectSystem=strict
ProtectHome=read-only
ReadWritePaths={path}
PrivateTmp=yes
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
",
        description = specifiers(&t!("schedule.unit_description", workspace = crate::words::clean::line(&ws.name(), 60))),
        user = rustix::process::getuid().as_raw(),
        program = argument(program),
        argument = argument(&dir),
        path = quoted(&dir),
    )
}

/// `%` begins a specifier in a unit (systemd.unit(5)).
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word in a unit (systemd.syntax(7)): quoted where it has to be, with C-style escapes.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "/._-+@:,=%".contains(c);
    let text = specifiers(text);
    if !text.is_empty() && text.chars().all(plain) {
        return text;
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => out.extend(c.to_string().bytes().map(|byte| format!("\\x{byte:02x}"))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A word of a command line, where `$` begins a variable as well (systemd.service(5)).
fn argument(text: &str) -> String {
    quoted(text).replace('$', "$$")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_unit_are_quoted() {
        for (word, written) in [
            ("/usr/bin/intertie", "/usr/bin/intertie"),
            ("/srv/my work", "\"/srv/my work\""),
            ("/srv/100%", "/srv/100%%"),
            ("a\"b\\c", "\"a\\\"b\\\\c\""),
            ("line\nUser=root", "\"line\\nUser=root\""),
            ("a$b", "\"a$$b\""),
            ("", "\"\""),
        ] {
            assert_eq!(argument(word), written);
        }
    }

    #[test]
    fn the_unit_names_program_and_workspace() {
        let ws = Workspace::open(std::path::Path::new("/srv/inter tie"), super::super::Config::default());
        let unit = unit(&ws, "/usr/bin/intertie");
        assert!(unit.contains("\nExecStart=/usr/bin/intertie --workspace \"/srv/inter tie\" schedule run\n"), "{unit}");
        assert!(unit.contains("\nReadWritePaths=\"/srv/inter tie\"\n"));
        assert!(unit.contains("\nNoNewPrivileges=yes\n"));
    }
}
