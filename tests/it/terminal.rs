//! Commands that ask at a terminal: the real binary in a pseudo-terminal.

use std::io::{Read as _, Write as _};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use intertie::practice;
use portable_pty::{Child, CommandBuilder, ExitStatus, MasterPty, PtySize, native_pty_system};
use serde_json::json;

use crate::cli::{BINARY, SECRET, Shell, with_practice};

struct Terminal {
    master: Box<dyn MasterPty + Send>,
    child: Box<dyn Child + Send + Sync>,
    keys: Box<dyn std::io::Write + Send>,
    output: Receiver<Vec<u8>>,
    /// Everything that was printed so far.
    seen: String,
    /// Where the next wait begins.
    from: usize,
}

impl Terminal {
    fn start(shell: &Shell, arguments: &[&str]) -> Self {
        let pty = native_pty_system().openpty(PtySize { rows: 24, cols: 400, ..PtySize::default() }).unwrap();
        let mut command = CommandBuilder::new(BINARY);
        command.args(arguments);
        command.env_clear();
        command.env("HOME", shell.home.path());
        command.env("INTERTIE_WORKSPACE", shell.workspace());
        command.env("TERM", "xterm-256color");
        let child = pty.slave.spawn_command(command).unwrap();
        drop(pty.slave);
        let (mut reader, keys) = (pty.master.try_clone_reader().unwrap(), pty.master.take_writer().unwrap());
        let (tell, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = reader.read(&mut buffer) {
                if tell.send(buffer[..n].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { master: pty.master, child, keys, output, seen: String::new(), from: 0 }
    }

    /// Waits until this was printed, and gives what was printed before it since the last wait.
    fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            if let Some(at) = self.seen[self.from..].find(text) {
                let before = self.seen[self.from..self.from + at].to_owned();
                self.from += at + text.len();
                return before;
            }
            match self.output.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(error) => panic!("{text:?} was not printed ({error}):\n{}", self.seen),
            }
        }
    }

    fn keys(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
        self.keys.flush().unwrap();
    }

    /// Waits for the program to end, and gives its exit code and all that it printed.
    fn end(mut self) -> (u32, String) {
        let deadline = Instant::now() + Duration::from_secs(30);
        let status: ExitStatus = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            match self.output.recv_timeout(Duration::from_millis(20)) {
                Ok(bytes) => self.seen.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {}
            }
            assert!(Instant::now() < deadline, "it did not end:\n{}", self.seen);
        };
        drop((self.keys, self.master));
        self.seen.extend(self.output.iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()));
        (status.exit_code(), self.seen)
    }
}

impl Terminal {
    fn echoes(&self) -> bool {
        self.master.get_termios().is_some_and(|termios| format!("{:?}", termios.local_flags).contains("ECHO "))
    }
}

fn add<'a>(address: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["credential", "add", "practice-clickwrap", "--name", "Asked", "--set", address], more].concat()
}

#[test]
fn questions_are_asked_and_secrets_never_shown() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let address = format!("address={}", vendor.base_url);
        let mut terminal = Terminal::start(&shell, &add(&address, &[]));
        terminal.wait_for("Client ID: ");
        terminal.keys(&format!("{}\r", practice::CLIENT_ID));
        terminal.wait_for("Client secret: ");
        terminal.wait_for("\u{1b}[?2004h");
        // A pasted line break does not submit; the key does.
        terminal.keys(&format!("wrong\u{15}\u{1b}[200~{}\r\n\u{1b}[201~", practice::CLIENT_SECRET));
        terminal.keys("\r");
        terminal.wait_for("Saved Asked");
        let (code, all) = terminal.end();
        assert_eq!(code, 0, "{all}");
        // Once: the connector's own help names this published one.
        assert!(all.matches(practice::CLIENT_SECRET).count() == 1 && !all.contains("wrong"), "{all}");
        assert_eq!(shell.json(&["credential", "show", "Asked"], 0)["status"], "valid");
    });
}

#[test]
fn an_interrupted_question_gives_the_terminal_back() {
    let shell = Shell::new();
    let mut terminal = Terminal::start(&shell, &add("address=http://127.0.0.1:9", &["--set", "client_id=a"]));
    terminal.wait_for("\u{1b}[?2004h");
    assert!(!terminal.echoes(), "a secret would be shown");
    terminal.keys(&format!("{SECRET}\u{3}"));
    terminal.wait_for("\u{1b}[?2004l");
    terminal.wait_for("not answered");
    assert!(terminal.echoes(), "the terminal was left without echo");
    let (code, all) = terminal.end();
    assert_eq!(code, 2, "{all}");
    assert!(!all.contains(SECRET), "{all}");
    assert_eq!(shell.json(&["credential", "list"], 0), json!([]));
}

#[test]
fn consent_can_be_pasted() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let (address, client) = (format!("address={}", vendor.base_url), format!("client_id={}", practice::CLIENT_ID));
        let mut terminal = Terminal::start(&shell, &add(&address, &["--set", &client, "--method", "oauth2_code", "--no-browser"]));
        terminal.wait_for("\u{1b}[?2004h");
        terminal.keys(&format!("{}\r", practice::CLIENT_SECRET));
        terminal.wait_for("Open this address");
        terminal.wait_for("  http");
        let url = format!("http{}", terminal.wait_for("\r\n").trim());
        terminal.wait_for("paste");
        // What is no answer is told, and the wait goes on.
        terminal.keys("https://example.org/?error=nothing\r");
        terminal.wait_for("✗");
        let redirected = vendor.consent(&url, true).unwrap();
        terminal.keys(&format!("{redirected}\r"));
        terminal.wait_for("Saved Asked");
        let (code, all) = terminal.end();
        assert_eq!(code, 0, "{all}");
    });
}

#[test]
fn consent_can_be_given_up() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let (address, client) = (format!("address={}", vendor.base_url), format!("client_id={}", practice::CLIENT_ID));
        let mut terminal = Terminal::start(&shell, &add(&address, &["--set", &client, "--method", "oauth2_code", "--no-browser"]));
        terminal.wait_for("\u{1b}[?2004h");
        terminal.keys(&format!("{}\r", practice::CLIENT_SECRET));
        terminal.wait_for("paste");
        terminal.keys("\u{3}");
        let (code, all) = terminal.end();
        assert!(matches!(code, 1..=3), "{code} {all}");
    });
}

#[test]
fn what_is_dangerous_is_asked_about_and_no_is_the_default() {
    with_practice(|vendor| {
        let shell = Shell::new();
        shell.connect(&vendor.base_url);
        shell.draft();
        for (keys, code, left) in [("\r", 1, 1), ("n\r", 1, 1), ("y\r", 0, 0)] {
            let mut terminal = Terminal::start(&shell, &["integration", "delete", "Members"]);
            terminal.wait_for("Members");
            terminal.wait_for("[y/N]");
            terminal.keys(keys);
            let (ended, all) = terminal.end();
            assert_eq!(ended, code, "{keys:?} {all}");
            assert_eq!(shell.json(&["integration", "list"], 0).as_array().unwrap().len(), left);
        }
    });
}
