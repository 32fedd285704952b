//! Other people's programs, run without a shell: bytes in, bytes out, and an end in time. No secret is ever an argument.

use std::io::{ErrorKind, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

/// The most that a program may answer, in bytes.
const LARGEST: u64 = 1 << 20;
/// The most of its errors that is read.
const MOST_SAID: u64 = 16 << 10;

/// How a program failed. Holds no secret: what it said on standard error is cut and cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// There is no such program.
    Missing,
    /// It did not end in time, and was ended.
    TooLong(Duration),
    /// It could not be run, or answered what cannot be read.
    Broken(String),
    /// It ended with an error of its own.
    Refused(String),
}

/// Runs a program; its standard output. `input` goes to its standard input, which is empty otherwise.
pub fn run(program: &Path, args: &[&str], input: &[u8], limit: Duration) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let deadline = Instant::now() + limit;
    let mut command = Command::new(program);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command.stdin(if input.is_empty() { Stdio::null() } else { Stdio::piped() });
    let mut child = command.spawn().map_err(|error| match error.kind() {
        ErrorKind::NotFound => Failure::Missing,
        _ => Failure::Broken(error.to_string()),
    })?;
    let stdin = child.stdin.take().map(|mut stdin| {
        let input = Zeroizing::new(input.to_vec());
        // A program that does not want it closes its end.
        std::thread::spawn(move || stdin.write_all(&input))
    });
    let (out, said) = (all_of(child.stdout.take(), LARGEST), all_of(child.stderr.take(), MOST_SAID));
    let left = || deadline.saturating_duration_since(Instant::now());
    let Ok(answer) = out.recv_timeout(left()) else {
        end(&mut child);
        return Err(Failure::TooLong(limit));
    };
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if left().is_zero() => {
                end(&mut child);
                return Err(Failure::TooLong(limit));
            }
            Ok(None) => std::thread::sleep(Duration::from_millis(2)),
            Err(error) => {
                end(&mut child);
                return Err(Failure::Broken(error.to_string()));
            }
        }
    };
    if let Some(stdin) = stdin
        && status.success()
    {
        let _ = stdin.join();
    }
    if !status.success() {
        let said = said.recv_timeout(left().min(Duration::from_secs(1))).ok().and_then(Result::ok).unwrap_or_default();
        let said = String::from_utf8_lossy(&said);
        let said = crate::words::clean::line(said.trim(), 300);
        return Err(Failure::Refused(if said.is_empty() { status.to_string() } else { said }));
    }
    let answer = answer.map_err(|error| Failure::Broken(error.to_string()))?;
    if answer.len() as u64 > LARGEST {
        return Err(Failure::Broken(crate::t!("vault.program.too_long").to_owned()));
    }
    Ok(answer)
}

/// Everything that comes out of a pipe, up to a limit, read beside us.
fn all_of(pipe: Option<impl Read + Send + 'static>, most: u64) -> mpsc::Receiver<std::io::Result<Zeroizing<Vec<u8>>>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let Some(pipe) = pipe else { return };
        // Room for all at once: growing would leave copies.
        let mut bytes = Zeroizing::new(Vec::with_capacity(8 << 10));
        let read = pipe.take(most + 1).read_to_end(&mut bytes);
        let _ = sender.send(read.map(|_| bytes));
    });
    receiver
}

/// Ends a program and what it started.
fn end(child: &mut Child) {
    let group = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(group) = group {
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, input: &[u8], limit: u64) -> Result<String, Failure> {
        run(Path::new("/bin/sh"), &["-c", script], input, Duration::from_millis(limit)).map(|out| String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn what_goes_in_comes_out() {
        assert_eq!(sh("cat", b"a secret", 10_000).unwrap(), "a secret");
        assert_eq!(sh("cat", b"", 10_000).unwrap(), "");
        // More than a pipe holds, both ways.
        let much = vec![b'x'; 300_000];
        assert_eq!(sh("cat", &much, 20_000).unwrap().len(), much.len());
        assert_eq!(sh("echo ignored", &much, 20_000).unwrap(), "ignored\n");
    }

    #[test]
    fn failures_are_told_apart() {
        assert_eq!(run(Path::new("/no/such/program"), &[], b"", Duration::from_secs(1)).unwrap_err(), Failure::Missing);
        assert_eq!(sh("printf 'no \\033[31mentry\\n' >&2; exit 3", b"", 10_000).unwrap_err(), Failure::Refused("no ␛[31mentry".to_owned()));
        assert!(matches!(sh("exit 7", b"", 10_000).unwrap_err(), Failure::Refused(why) if why.contains('7')));
        assert!(matches!(sh("head -c 2000000 /dev/zero", b"", 20_000).unwrap_err(), Failure::Broken(_) | Failure::Refused(_)));
    }

    /// A program that hangs is ended with everything that it started, even with its output closed.
    #[test]
    fn what_hangs_is_ended() {
        let started = Instant::now();
        assert_eq!(sh("sleep 600 & sleep 600", b"", 300).unwrap_err(), Failure::TooLong(Duration::from_millis(300)));
        assert_eq!(sh("exec >&- 2>&-; sleep 600", b"", 300).unwrap_err(), Failure::TooLong(Duration::from_millis(300)));
        assert!(started.elapsed() < Duration::from_secs(60));
    }
}
