//! Questions at the terminal, and secrets from elsewhere than the command line.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{self, LocalModes, OptionalActions, SpecialCodeIndex, Termios};
use unicode_width::UnicodeWidthStr as _;
use zeroize::{Zeroize as _, Zeroizing};

use crate::model::{Problem, Secret};
use crate::ops::Result;
use crate::words::clean;
use crate::{problem, t};

/// Ctrl-Z.
const SUSPEND: u8 = 0x1a;
/// More than any secret has; a file or stream that is longer is a mistake.
const LONGEST: u64 = 1 << 20;

/// Whether there is a person to ask.
pub fn possible() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Asks for a line; an empty answer is the default. On a terminal it may be of any length, which a line-wise terminal would cut after 4,095
/// bytes (termios(3)).
pub fn text(question: &str, default: Option<&str>) -> Result<String> {
    let default_shown = default.filter(|text| !text.is_empty()).map(|text| format!(" [{}]", clean::line(text, 80))).unwrap_or_default();
    let question = format!("{question}{default_shown}: ");
    let line = match Quiet::start(true, OptionalActions::Drain) {
        Ok(quiet) => typed_line(quiet, &question)?,
        Err(_) => {
            prompt(&question);
            let mut line = String::new();
            let read = io::stdin().lock().read_line(&mut line).map_err(|error| problem!(Failed, "cli.ask.failed", reason = error))?;
            if read == 0 {
                return Err(problem!(Usage, "cli.ask.ended"));
            }
            line
        }
    };
    let answer = line.trim();
    Ok(if answer.is_empty() { default.unwrap_or_default() } else { answer }.to_owned())
}

/// Reads a line and shows what is typed, since the terminal does not.
fn typed_line(mut quiet: Quiet, question: &str) -> Result<String> {
    let mut keys = Keys::default();
    let mut shown = String::new();
    prompt(question);
    loop {
        let mut byte = [0_u8];
        let read = match rustix::io::read(io::stdin(), &mut byte) {
            Err(rustix::io::Errno::INTR) => continue,
            read => read.map_err(|error| problem!(Failed, "cli.ask.failed", reason = error))?,
        };
        let typed = match byte[0] {
            SUSPEND if !keys.pasting && read > 0 => {
                drop(quiet);
                let _ = signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP);
                quiet = Quiet::start(true, OptionalActions::Drain).map_err(|error| problem!(Failed, "cli.ask.failed", reason = error))?;
                prompt(&format!("{question}{shown}"));
                continue;
            }
            _ if read == 0 => Typed::Ended,
            byte => keys.take(byte),
        };
        // What was pasted is shown at once, and not letter by letter.
        if typed != Typed::More || !more_within(Duration::ZERO) {
            let now = keys.line();
            prompt(&change(&shown, &now));
            shown = now;
        }
        match typed {
            Typed::Done => return Ok(shown),
            Typed::Ended if read == 0 || shown.is_empty() => return Err(problem!(Usage, "cli.ask.ended")),
            Typed::Stopped => return Err(problem!(Failed, "cli.ask.stopped")),
            Typed::More | Typed::Ended => {}
        }
    }
}

/// What a terminal has to be sent so that it shows `to` where it shows `from`.
fn change(from: &str, to: &str) -> String {
    let common = from.chars().zip(to.chars()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum::<usize>();
    "\u{8} \u{8}".repeat(from[common..].width()) + &to[common..]
}

/// Whether a failure says that nobody answers any more.
#[must_use]
pub fn has_ended(problem: &Problem) -> bool {
    *problem == problem!(Usage, "cli.ask.ended")
}

/// Asks for yes or no; anything but yes is no.
pub fn yes(question: &str) -> Result<bool> {
    let answer = text(&format!("{question} [y/N]"), None)?.to_lowercase();
    Ok(answer == "y" || answer == "yes" || answer == t!("cli.ask.yes"))
}

fn prompt(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = write!(stderr, "{text}").and_then(|()| stderr.flush());
}

/// The terminal as it was, while it is without echo: for a way out that drops nothing.
static BEFORE: Mutex<Option<(Termios, OptionalActions)>> = Mutex::new(None);

/// The terminal without echo, as it was when dropped.
pub struct Quiet(());

/// Gives the terminal back as it was.
pub fn restore() {
    let before = BEFORE.lock().unwrap_or_else(PoisonError::into_inner).take();
    if let Some((before, ahead)) = before {
        prompt("\u{1b}[?2004l\n");
        let _ = termios::tcsetattr(io::stdin(), ahead, &before);
    }
}

impl Quiet {
    /// With `keys`, Ctrl-C and the like are read as keys; otherwise they are signals, as before. `ahead`: what becomes of what was typed
    /// before and after.
    fn start(keys: bool, ahead: OptionalActions) -> io::Result<Self> {
        let before = termios::tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::IEXTEN);
        // An interrupted prompt must not leave a terminal without echo.
        quiet.local_modes.set(LocalModes::ISIG, !keys);
        quiet.special_codes[SpecialCodeIndex::VMIN] = 1;
        quiet.special_codes[SpecialCodeIndex::VTIME] = 0;
        BEFORE.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert((before, ahead));
        termios::tcsetattr(io::stdin(), ahead, &quiet)?;
        // Bracketed paste: a line break in a pasted secret must not submit it.
        prompt("\u{1b}[?2004h");
        Ok(Self(()))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        restore();
    }
}

/// Asks for a secret without showing it.
pub fn secret(question: &str) -> Result<Secret> {
    let quiet = Quiet::start(true, OptionalActions::Flush).map_err(|error| problem!(Failed, "cli.ask.failed", reason = error))?;
    // Only now: what is typed at the sight of it is neither shown nor thrown away.
    prompt(&format!("{question}: "));
    let mut keys = Keys::default();
    // Byte by byte and not through a buffer of the standard library, which would keep a copy.
    loop {
        let mut byte = [0_u8];
        let read = rustix::io::read(io::stdin(), &mut byte).map_err(|error| problem!(Failed, "cli.ask.failed", reason = error))?;
        match if read == 0 { Typed::Ended } else { keys.take(byte[0]) } {
            Typed::More => {}
            Typed::Done => break,
            Typed::Ended => return Err(problem!(Usage, "cli.ask.ended")),
            Typed::Stopped => return Err(problem!(Failed, "cli.ask.stopped")),
        }
        byte.zeroize();
    }
    drop(quiet);
    from_bytes(keys.secret())
}

/// The terminal, made ready for [`pasted`], until this is dropped.
pub fn pasting() -> Result<Quiet> {
    Quiet::start(false, OptionalActions::Flush).map_err(|error| problem!(Failed, "cli.ask.failed", reason = error))
}

/// Waits for a text of any length that is typed or pasted while [`pasting`]; it is not shown. Line breaks inside a paste are a part of it. A
/// line-wise terminal would cut it after 4,095 bytes (termios(3)). `None` at the end of the input.
pub fn pasted() -> Option<String> {
    let mut keys = Keys::default();
    let mut byte = [0_u8];
    loop {
        match rustix::io::read(io::stdin(), &mut byte) {
            Ok(1) => {}
            Err(rustix::io::Errno::INTR) => continue,
            _ => return None,
        }
        match keys.take(byte[0]) {
            Typed::More if keys.typed.len() as u64 > LONGEST => return None,
            Typed::More => {}
            // Where pastes are not marked, more at the same moment says that the line break was one inside a paste.
            Typed::Done if more_within(Duration::from_millis(30)) => keys.typed.push(b'\n'),
            Typed::Done => return Some(String::from_utf8_lossy(&keys.typed).into_owned()),
            Typed::Ended | Typed::Stopped => return None,
        }
    }
}

/// Whether a terminal holds more at once: nobody types that fast.
fn more_within(moment: Duration) -> bool {
    let stdin = io::stdin();
    let mut ready = [PollFd::new(&stdin, PollFlags::IN)];
    let moment = Timespec { tv_sec: 0, tv_nsec: i64::from(moment.subsec_nanos()) };
    poll(&mut ready, Some(&moment)).is_ok_and(|n| n > 0)
}

#[derive(Debug, PartialEq, Eq)]
enum Typed {
    More,
    Done,
    Ended,
    /// Ctrl-C.
    Stopped,
}

/// What was typed so far, as a pure machine over bytes.
#[derive(Default)]
struct Keys {
    typed: Zeroizing<Vec<u8>>,
    /// An escape sequence under way.
    escape: Vec<u8>,
    pasting: bool,
}

impl Keys {
    fn take(&mut self, byte: u8) -> Typed {
        if !self.escape.is_empty() {
            self.escape.push(byte);
            // CSI sequences end with a byte from @ to ~ (ECMA-48 §5.4); anything else after ESC is one byte.
            let ended = if self.escape.get(1) == Some(&b'[') { self.escape.len() > 2 && (0x40..=0x7e).contains(&byte) } else { true };
            if ended || self.escape.len() > 16 {
                match self.escape.as_slice() {
                    b"\x1b[200~" => self.pasting = true,
                    b"\x1b[201~" => self.pasting = false,
                    _ => {}
                }
                self.escape.clear();
            }
            return Typed::More;
        }
        match byte {
            0x1b => self.escape.push(byte),
            b'\r' | b'\n' if self.pasting => {
                if self.typed.last() != Some(&b'\n') {
                    self.typed.push(b'\n');
                }
            }
            b'\r' | b'\n' => return Typed::Done,
            0x03 if !self.pasting => return Typed::Stopped,
            0x04 if !self.pasting => return Typed::Ended,
            0x15 if !self.pasting => self.typed.zeroize(),
            // The word before the end.
            0x17 if !self.pasting => {
                let kept = self.typed.trim_ascii_end();
                let kept = kept.iter().rposition(u8::is_ascii_whitespace).map_or(0, |at| at + 1);
                self.typed.truncate(kept);
            }
            0x08 | 0x7f if !self.pasting => {
                // One character, which may be several bytes of UTF-8.
                while self.typed.pop().is_some_and(|last| last & 0xc0 == 0x80) {}
            }
            byte => self.typed.push(byte),
        }
        Typed::More
    }
}

impl Keys {
    /// What was typed, as a secret: one word again where it was wrapped; a PEM block keeps its lines.
    fn secret(&mut self) -> Zeroizing<Vec<u8>> {
        let mut typed = std::mem::take(&mut self.typed);
        let text = typed.trim_ascii_start();
        if !text.starts_with(b"-----BEGIN") {
            typed.retain(|byte| *byte != b'\n');
        }
        typed
    }

    /// What was typed, as a line that can be shown; a character that has not come whole is not yet a part of it.
    fn line(&self) -> String {
        let whole = self.typed.utf8_chunks().map(|chunk| chunk.valid());
        whole.flat_map(str::chars).filter(|c| !c.is_control()).collect()
    }
}

fn from_bytes(mut bytes: Zeroizing<Vec<u8>>) -> Result<Secret> {
    match String::from_utf8(std::mem::take(&mut *bytes)) {
        Ok(text) => Ok(Secret::new(text)),
        Err(error) => {
            error.into_bytes().zeroize();
            Err(problem!(Usage, "cli.secret.not_text"))
        }
    }
}

/// A secret from standard input, up to its end; one line break at the end is not part of it.
pub fn secret_from_stdin() -> Result<Secret> {
    read_all(io::stdin().lock(), "-")
}

fn read_all(source: impl io::Read, name: &str) -> Result<Secret> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(4096));
    let read = source.take(LONGEST + 1).read_to_end(&mut bytes);
    let read = read.map_err(|error| problem!(Usage, "cli.secret.unreadable", name = clean::line(name, 200), reason = error))?;
    if read as u64 > LONGEST {
        return Err(problem!(Usage, "cli.secret.too_long", name = clean::line(name, 200)));
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    from_bytes(bytes)
}

/// A secret by reference: `env:NAME` or `file:PATH`. `field` is named in what goes wrong; a value that is no reference is refused and not
/// repeated.
pub fn secret_by_reference(field: &str, reference: &str) -> Result<Secret> {
    if let Some(name) = reference.strip_prefix("env:") {
        match std::env::var(name) {
            Ok(value) => Ok(Secret::new(value)),
            Err(_) => Err(problem!(Usage, "cli.secret.no_env", field = field, name = clean::line(name, 100))),
        }
    } else if let Some(path) = reference.strip_prefix("file:") {
        let file = std::fs::File::open(path);
        let file = file.map_err(|error| problem!(Usage, "cli.secret.unreadable", name = clean::line(path, 200), reason = error))?;
        read_all(file, path)
    } else {
        Err(problem!(Usage, "cli.secret.literal", field = field))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(bytes: &[u8]) -> (Vec<u8>, Typed) {
        let mut keys = Keys::default();
        let mut last = Typed::More;
        for byte in bytes {
            last = keys.take(*byte);
            if last != Typed::More {
                break;
            }
        }
        (keys.secret().to_vec(), last)
    }

    #[test]
    fn keys_make_a_secret() {
        for (bytes, secret, end) in [
            (&b"abc\r"[..], &b"abc"[..], Typed::Done),
            (b"ab\x7fc\n", b"ac", Typed::Done),
            ("aé\u{7f}b\r".as_bytes(), b"ab", Typed::Done),
            (b"wrong\x15right\r", b"right", Typed::Done),
            (b"abc\x03", b"abc", Typed::Stopped),
            (b"abc\x04", b"abc", Typed::Ended),
            (b"a\x1b[Ab\x1bOPc", b"abPc", Typed::More),
            // A pasted line break does not submit.
            (b"\x1b[200~s3cr3t\r\n\x1b[201~", b"s3cr3t", Typed::More),
            (b"\x1b[200~s3cr3t\n\x1b[201~!\r", b"s3cr3t!", Typed::Done),
            // What is made of lines keeps them.
            (b"\x1b[200~-----BEGIN X-----\r\nAB\r\n-----END X-----\r\n\x1b[201~\r", b"-----BEGIN X-----\nAB\n-----END X-----\n", Typed::Done),
        ] {
            assert_eq!(typed(bytes), (secret.to_vec(), end), "{bytes:?}");
        }
    }

    #[test]
    fn keys_make_a_line() {
        for (bytes, line) in [
            (&b"ab\x7fc\n"[..], "ac"),
            ("a\u{e9}\u{6f22}\u{7f}b\r".as_bytes(), "a\u{e9}b"),
            (b"one two \x17three\r", "one three"),
            (b"\x1b[200~https://a\r\n.example\r\n\x1b[201~\r", "https://a.example"),
            (b"a\x1b[D\tb\x07\r", "ab"),
            (b"a\xc3", "a"),
        ] {
            let mut keys = Keys::default();
            for byte in bytes {
                keys.take(*byte);
            }
            assert_eq!(keys.line(), line, "{bytes:?}");
        }
        for (from, to, sent) in
            [("", "ab", "ab"), ("ab", "abc", "c"), ("abc", "a", "\u{8} \u{8}\u{8} \u{8}"), ("a\u{6f22}", "ab", "\u{8} \u{8}\u{8} \u{8}b")]
        {
            assert_eq!(change(from, to), sent);
        }
    }

    #[test]
    fn references_are_followed_and_literals_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "from a file\r\n").unwrap();
        let reference = format!("file:{}", path.display());
        assert!(secret_by_reference("key", &reference).is_ok_and(|secret| secret.expose() == "from a file"));
        let Err(refused) = secret_by_reference("key", "hunter2") else { panic!("a literal was taken") };
        assert_eq!(refused.exit_code(), 2);
        assert!(!format!("{refused:?}").contains("hunter2"));
        assert!(secret_by_reference("key", "env:INTERTIE_TEST_NOT_SET").is_err_and(|problem| problem.why.contains("INTERTIE_TEST_NOT_SET")));
    }
}
