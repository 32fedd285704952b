//! Watches what a mail server sends, byte by byte, before anything parses it: bounds to lines, literals, nesting and the whole answer, and the
//! server's own words where it refuses.
//!
//! The parser behind it keeps what it cannot parse yet, follows nested lists by calling itself, and gives a refusal only in its own shape. So
//! an endless line, a literal of gigabytes or a thousand brackets end here.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::words::clean;

/// How much of a line is kept as the server's words.
const KEPT: usize = 2048;
/// How deep lists may be nested; an envelope needs four.
const DEPTH: u32 = 40;

/// What a server may send, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For the connection and its TLS handshake.
    pub connect: std::time::Duration,
    /// For one answer.
    pub answer: std::time::Duration,
    /// Bytes of a line, without its literals.
    pub line: usize,
    /// Bytes of a literal (RFC 9051 §4.3).
    pub literal: u64,
    /// Bytes of an answer.
    pub bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        let seconds = std::time::Duration::from_secs;
        Self { connect: seconds(15), answer: seconds(60), line: 1 << 20, literal: 1 << 20, bytes: 64 << 20 }
    }
}

/// Why a server is not listened to any longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// A line, a literal or an answer that is longer than any honest one.
    Flood,
    /// What no server of this protocol sends.
    Nonsense,
}

/// Where a literal may begin: `{`, digits, `}`, and the end of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Brace {
    No,
    Digits(u64),
    Closed(u64),
}

/// What was heard of a server.
#[derive(Debug)]
pub struct Guard {
    limits: Limits,
    imap: bool,
    left: u64,
    /// Bytes of the line so far, and its beginning.
    length: usize,
    line: Vec<u8>,
    literal: u64,
    brace: Brace,
    quoted: bool,
    escaped: bool,
    depth: u32,
    last: u8,
    greeting: Option<String>,
    /// The beginning of the line before this one.
    before: String,
    refusal: Option<String>,
    bye: Option<String>,
    alert: Option<String>,
    capabilities: Option<String>,
    broken: Option<Broken>,
}

impl Guard {
    pub fn new(imap: bool, limits: Limits) -> Self {
        Self {
            left: limits.bytes,
            limits,
            imap,
            length: 0,
            line: Vec::new(),
            literal: 0,
            brace: Brace::No,
            quoted: false,
            escaped: false,
            depth: 0,
            last: 0,
            greeting: None,
            before: String::new(),
            refusal: None,
            bye: None,
            alert: None,
            capabilities: None,
            broken: None,
        }
    }

    /// Takes in what was read. Once it fails it fails for good.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        for byte in bytes {
            if let Some(broken) = self.broken {
                return Err(broken);
            }
            self.broken = self.byte(*byte).err();
        }
        self.broken.map_or(Ok(()), Err)
    }

    fn byte(&mut self, byte: u8) -> Result<(), Broken> {
        self.left = self.left.checked_sub(1).ok_or(Broken::Flood)?;
        if self.literal > 0 {
            self.literal -= 1;
            return Ok(());
        }
        if byte == b'\n' {
            return self.end();
        }
        self.length += 1;
        if self.length > self.limits.line {
            return Err(Broken::Flood);
        }
        if self.line.len() < KEPT {
            self.line.push(byte);
        }
        if self.imap {
            self.grammar(byte)?;
        }
        Ok(())
    }

    fn grammar(&mut self, byte: u8) -> Result<(), Broken> {
        // The library slices the text behind a response code as if its first character were a space.
        if self.last == b']' && byte >= 0x80 && !self.is_data() {
            return Err(Broken::Nonsense);
        }
        self.last = byte;
        self.brace = match (self.brace, byte) {
            _ if self.quoted => Brace::No,
            (_, b'{') => Brace::Digits(0),
            (Brace::Digits(n), b'0'..=b'9') => Brace::Digits(n.saturating_mul(10).saturating_add(u64::from(byte - b'0'))),
            (Brace::Digits(n), b'}') => Brace::Closed(n),
            (Brace::Closed(n), b'\r') => Brace::Closed(n),
            _ => Brace::No,
        };
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.quoted => self.escaped = true,
            b'"' => self.quoted = !self.quoted,
            b'(' if !self.quoted => {
                self.depth += 1;
                if self.depth > DEPTH && self.is_data() {
                    return Err(Broken::Nonsense);
                }
            }
            b')' if !self.quoted => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        Ok(())
    }

    /// Whether the line is structured (`* 7 FETCH …`, `* LIST …`), and no text for people.
    fn is_data(&self) -> bool {
        let Some(rest) = self.line.strip_prefix(b"* ") else { return false };
        let word = rest.split(|byte| *byte == b' ').next().unwrap_or_default();
        word.first().is_some_and(u8::is_ascii_digit) || [&b"LIST"[..], b"LSUB", b"STATUS"].iter().any(|known| word.eq_ignore_ascii_case(known))
    }

    fn end(&mut self) -> Result<(), Broken> {
        if self.imap
            && self.is_data()
            && let Brace::Closed(size) = self.brace
        {
            if size > self.limits.literal {
                return Err(Broken::Flood);
            }
            self.brace = Brace::No;
            self.literal = size;
            self.length = 0;
            return Ok(());
        }
        let line = std::mem::take(&mut self.line);
        (self.length, self.depth, self.quoted, self.escaped, self.brace, self.last) = (0, 0, false, false, Brace::No, 0);
        self.heard(String::from_utf8_lossy(line.trim_ascii()).trim())
    }

    fn heard(&mut self, line: &str) -> Result<(), Broken> {
        if self.greeting.is_none() {
            self.greeting = Some(clean::line(line, 120));
        }
        self.before = clean::line(line, 120);
        if !self.imap {
            return Ok(());
        }
        let upper = line.to_ascii_uppercase();
        // A date that is none stops the library dead; every message has one (RFC 9051 §2.3.3).
        if upper.starts_with("* ") && upper.contains("INTERNALDATE NIL") {
            return Err(Broken::Nonsense);
        }
        let behind = |start: &str| line.get(start.len()..).map(|rest| clean::line(rest.trim(), 300));
        if upper.starts_with("* BYE") {
            self.bye = behind("* BYE");
        } else if let Some(all) = upper.strip_prefix("* CAPABILITY ") {
            self.capabilities = Some(all.to_owned());
        } else if upper.contains("[ALERT]") && upper.starts_with("* ") {
            self.alert = line.split_once(']').map(|(_, text)| clean::line(text.trim(), 200));
        }
        if !line.starts_with(['*', '+'])
            && let Some((_, rest)) = line.split_once(' ')
            && let Some((status, words)) = rest.split_once(' ').or(Some((rest, "")))
            && ["NO", "BAD"].iter().any(|known| status.eq_ignore_ascii_case(known))
        {
            self.refusal = Some(clean::line(words.trim(), 300));
        }
        Ok(())
    }
}

/// A guard that is shared by a connection and those who speak over it.
#[derive(Debug, Clone)]
pub struct Watch(Arc<Mutex<Guard>>);

impl Watch {
    pub fn new(imap: bool, limits: Limits) -> Self {
        Self(Arc::new(Mutex::new(Guard::new(imap, limits))))
    }

    fn guard(&self) -> MutexGuard<'_, Guard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn feed(&self, bytes: &[u8]) -> Result<(), Broken> {
        self.guard().feed(bytes)
    }

    /// Another answer begins.
    pub fn begin(&self) {
        let mut guard = self.guard();
        guard.left = guard.limits.bytes;
        (guard.refusal, guard.capabilities) = (None, None);
    }

    pub fn broken(&self) -> Option<Broken> {
        self.guard().broken
    }

    /// The first line that the server sent, or what there is of it.
    pub fn greeting(&self) -> String {
        let guard = self.guard();
        guard.greeting.clone().unwrap_or_else(|| clean::line(String::from_utf8_lossy(&guard.line).trim(), 120))
    }

    /// The beginning of the last line that was heard.
    pub fn last(&self) -> String {
        let guard = self.guard();
        if guard.line.is_empty() { guard.before.clone() } else { clean::line(String::from_utf8_lossy(&guard.line).trim(), 120) }
    }

    /// Why the last command was refused, in the server's words; with an alert that came before (RFC 9051 §7.1).
    pub fn refusal(&self) -> Option<String> {
        let guard = self.guard();
        let refusal = guard.refusal.clone()?;
        Some(match &guard.alert {
            Some(alert) if !refusal.contains(alert.as_str()) => format!("{refusal} ({alert})"),
            _ => refusal,
        })
    }

    /// What the server said when it hung up.
    pub fn bye(&self) -> Option<String> {
        self.guard().bye.clone()
    }

    /// In capitals, separated by spaces; of the last CAPABILITY.
    pub fn capabilities(&self) -> Option<String> {
        self.guard().capabilities.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(limits: Limits) -> Guard {
        Guard::new(true, limits)
    }

    fn small() -> Limits {
        Limits { line: 64, literal: 100, bytes: 1000, ..Limits::default() }
    }

    #[test]
    fn honest_answers_pass() {
        let text = "* OK [CAPABILITY IMAP4rev1] ready\r\n* 1 FETCH (UID 7 ENVELOPE (NIL {12}\r\n((((((((((((\" NIL))\r\n* OK {99999999}\r\n+ ok\r\n";
        let mut guard = guard(small());
        // However it is cut.
        for byte in text.as_bytes() {
            guard.feed(std::slice::from_ref(byte)).unwrap();
        }
        assert_eq!((guard.depth, guard.literal), (0, 0));
    }

    #[test]
    fn floods_end() {
        let table: [(&str, Broken); 6] = [
            (&"x".repeat(65), Broken::Flood),
            (&format!("* 1 FETCH (ENVELOPE ({}", "x".repeat(64)), Broken::Flood),
            ("* 1 FETCH (ENVELOPE ({101}\r\n", Broken::Flood),
            ("* LIST () \"/\" {18446744073709551999}\r\n", Broken::Flood),
            (&"* OK again\r\n".repeat(100), Broken::Flood),
            (&format!("* 1 FETCH {}", "(".repeat(41)), Broken::Nonsense),
        ];
        for (text, wanted) in table {
            let mut guard = guard(small());
            assert_eq!(guard.feed(text.as_bytes()), Err(wanted), "{text}");
            assert_eq!(guard.feed(b""), Err(wanted), "{text}");
        }
    }

    #[test]
    fn what_would_stop_the_library_never_reaches_it() {
        for text in ["* OK [ALERT]\u{e9}\r\n", "A0001 OK [READ-ONLY]\u{e9}\r\n", "* 1 FETCH (UID 1 INTERNALDATE NIL)\r\n"] {
            assert_eq!(guard(Limits::default()).feed(text.as_bytes()), Err(Broken::Nonsense), "{text}");
        }
    }

    #[test]
    fn words_of_the_server() {
        let watch = Watch::new(true, Limits::default());
        let say = |text: &str| watch.feed(text.as_bytes()).unwrap();
        say("* OK Dovecot \u{1b}[31mready.\r\n");
        assert_eq!(watch.greeting(), "OK Dovecot ␛[31mready.".replacen("OK", "* OK", 1));
        say("* CAPABILITY IMAP4rev1 auth=plain\r\nA0001 OK done\r\n");
        assert_eq!((watch.capabilities().unwrap().as_str(), watch.refusal()), ("IMAP4REV1 AUTH=PLAIN", None));
        say("A0002 NO [AUTHENTICATIONFAILED] Invalid credentials (Failure)\r\n");
        assert_eq!(watch.refusal().unwrap(), "[AUTHENTICATIONFAILED] Invalid credentials (Failure)");
        watch.begin();
        say("* OK [ALERT] Web login required\r\nA0003 NO no\r\n* BYE see you\r\n");
        assert_eq!((watch.refusal().unwrap().as_str(), watch.bye().unwrap().as_str()), ("no (Web login required)", "see you"));
    }
}
