//! The person's browser, and the way to it from a remote host.

use std::net::IpAddr;
use std::process::{Command, Stdio};

use crate::model::Problem;
use crate::problem;

/// Whether a browser can probably be opened on this machine, where somebody sees it.
#[must_use]
pub fn here() -> bool {
    likely(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

fn likely(var: impl Fn(&str) -> Option<String>) -> bool {
    if var("BROWSER").is_some() {
        return true;
    }
    let remote = var("SSH_CONNECTION").is_some() || var("SSH_TTY").is_some();
    if cfg!(any(target_os = "macos", windows)) {
        return !remote;
    }
    // With X forwarding there is a display although the session is remote.
    var("WAYLAND_DISPLAY").is_some() || var("DISPLAY").is_some() || (!remote && var("WSL_DISTRO_NAME").is_some())
}

/// Opens an address: `$BROWSER` (a list, tried in turn; `%s` stands for the address) before the system's own way. Does not wait, and
/// what is started cannot write to this terminal or be stopped by its keys.
pub fn open(url: &str) -> Result<(), Problem> {
    let named = std::env::var("BROWSER").unwrap_or_default();
    for command in named.split(':').filter_map(|command| named_command(command, url)) {
        if start(command) {
            return Ok(());
        }
    }
    if here() && open::commands(url).into_iter().any(start) {
        return Ok(());
    }
    Err(problem!(PersonMustAct, "auth.no_browser"))
}

fn named_command(command: &str, url: &str) -> Option<Command> {
    let mut words = command.split_whitespace();
    let mut built = Command::new(words.next()?);
    let mut placed = false;
    for word in words {
        placed |= word.contains("%s");
        built.arg(word.replace("%s", url));
    }
    if !placed {
        built.arg(url);
    }
    Some(built)
}

fn start(mut command: Command) -> bool {
    use std::os::unix::process::CommandExt as _;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    let Ok(mut child) = command.spawn() else { return false };
    // Somebody has to take its exit status; nobody needs it.
    std::thread::spawn(move || child.wait());
    true
}

/// What this machine calls itself; `localhost` where it does not say.
#[must_use]
pub fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").or_else(|_| std::fs::read_to_string("/etc/hostname")).unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

/// The tunnel that brings a browser elsewhere to the listener here, in an SSH session: `ssh -L 53417:127.0.0.1:53417 ada@admin01`.
#[must_use]
pub fn ssh_line(port: u16) -> Option<String> {
    let user = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    tunnel(&std::env::var("SSH_CONNECTION").ok()?, &user, &host_name(), port)
}

/// `SSH_CONNECTION` is "client-address client-port server-address server-port" (ssh(1)). An IPv6 address stands as it is: OpenSSH takes
/// `user@2001:db8::1`, and looks for a host of that name where it is in brackets.
fn tunnel(connection: &str, user: &str, host: &str, port: u16) -> Option<String> {
    let mut parts = connection.split_whitespace().skip(2);
    let (address, ssh_port) = (parts.next()?, parts.next()?);
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:%".contains(&b));
    let address = reachable(address);
    let host = if plain(host) && host != "localhost" { host } else { address.as_deref()? };
    if !plain(host) {
        return None;
    }
    let at = if plain(user) { format!("{user}@{host}") } else { host.to_owned() };
    let own_port = if ssh_port == "22" || !plain(ssh_port) { String::new() } else { format!("-p {ssh_port} ") };
    Some(format!("ssh -L {port}:127.0.0.1:{port} {own_port}{at}"))
}

/// The server's address as it can be written elsewhere. A link-local one needs the other side's own interface, which nobody here knows.
fn reachable(address: &str) -> Option<String> {
    match address.split('%').next()?.parse::<IpAddr>() {
        Ok(IpAddr::V6(six)) if six.is_unicast_link_local() => None,
        // IPv4 on a socket of IPv6.
        Ok(IpAddr::V6(six)) => Some(six.to_ipv4_mapped().map_or_else(|| six.to_string(), |four| four.to_string())),
        Ok(IpAddr::V4(four)) => Some(four.to_string()),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tunnel_for_this_host() {
        for (connection, user, host, expected) in [
            ("10.0.0.9 51000 10.0.0.1 22", "ada", "admin01", Some("ssh -L 5:127.0.0.1:5 ada@admin01")),
            ("10.0.0.9 51000 10.0.0.1 2222", "ada", "admin01", Some("ssh -L 5:127.0.0.1:5 -p 2222 ada@admin01")),
            ("10.0.0.9 51000 10.0.0.1 22", "", "localhost", Some("ssh -L 5:127.0.0.1:5 10.0.0.1")),
            ("10.0.0.9 51000 10.0.0.1 22", "a;rm -rf", "", Some("ssh -L 5:127.0.0.1:5 10.0.0.1")),
            ("", "ada", "admin01", None),
            ("2001:db8::9 51000 2001:db8::1 22", "ada", "admin01", Some("ssh -L 5:127.0.0.1:5 ada@admin01")),
            ("2001:db8::9 51000 2001:db8::1 22", "ada", "localhost", Some("ssh -L 5:127.0.0.1:5 ada@2001:db8::1")),
            ("2001:db8::9 51000 2001:db8::1 2222", "", "", Some("ssh -L 5:127.0.0.1:5 -p 2222 2001:db8::1")),
            ("::ffff:10.0.0.9 51000 ::ffff:10.0.0.1 22", "ada", "", Some("ssh -L 5:127.0.0.1:5 ada@10.0.0.1")),
            ("fe80::9%eth0 51000 fe80::1%eth0 22", "ada", "admin01", Some("ssh -L 5:127.0.0.1:5 ada@admin01")),
            ("fe80::9%eth0 51000 fe80::1%eth0 22", "ada", "localhost", None),
            ("10.0.0.9 51000 $(id) 22", "ada", "", None),
        ] {
            assert_eq!(tunnel(connection, user, host, 5).as_deref(), expected);
        }
    }

    #[test]
    fn where_a_browser_is_likely() {
        let with = |set: &'static [&'static str]| likely(move |name| set.contains(&name).then(|| "x".to_owned()));
        assert!(with(&["BROWSER", "SSH_CONNECTION"]));
        assert!(with(&["DISPLAY", "SSH_CONNECTION"]));
        if cfg!(target_os = "linux") {
            assert!(!with(&["SSH_CONNECTION"]));
            assert!(!with(&[]));
        }
    }

    #[test]
    fn a_named_browser_gets_the_address() {
        let shown = |command: &str| named_command(command, "https://x/?a=1&b=2").map(|c| format!("{c:?}"));
        assert_eq!(shown("firefox").unwrap(), r#""firefox" "https://x/?a=1&b=2""#);
        assert_eq!(shown("w3m -o x=%s").unwrap(), r#""w3m" "-o" "x=https://x/?a=1&b=2""#);
        assert!(shown("  ").is_none());
    }

    #[test]
    fn what_is_started_gets_the_address_and_no_terminal() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().unwrap();
        let (script, seen) = (dir.path().join("browser"), dir.path().join("seen"));
        let text = format!("#!/bin/sh\necho \"$1 $([ -t 0 ] || [ -t 1 ] || [ -t 2 ] || echo quiet)\" > {0}.part; mv {0}.part {0}\n", seen.display());
        std::fs::write(&script, text).unwrap();
        std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o700)).unwrap();
        assert!(start(named_command(&script.display().to_string(), "https://x/?a=1&b=$(id)").unwrap()));
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !seen.exists() {
            assert!(std::time::Instant::now() < deadline, "it was not started");
            std::thread::yield_now();
        }
        assert_eq!(std::fs::read_to_string(seen).unwrap().trim(), "https://x/?a=1&b=$(id) quiet");
        assert!(!start(Command::new(dir.path().join("nothing"))));
    }
}
