//! Commands that ask at a terminal: the real binary in a pseudo-terminal.

use std::time::Duration;

use intertie::practice;
use portable_pty::CommandBuilder;
use serde_json::json;

use crate::cli::{BINARY, SECRET, Shell, with_practice};
use crate::pty::Pty;

/// So wide that no address is wrapped.
const WIDE: u16 = 500;

fn terminal(shell: &Shell, arguments: &[&str]) -> Pty {
    let mut command = CommandBuilder::new(BINARY);
    command.args(arguments);
    command.env_clear();
    command.env("INTERTIE_WORKSPACE", shell.workspace());
    Pty::start(WIDE, 40, shell.home.path(), command)
}

fn contents(terminal: &Pty) -> String {
    terminal.with_screen(|screen, _| screen.contents())
}

/// Waits for the prompt of a secret: without echo, and told where pasting begins and ends.
fn see_prompt(terminal: &Pty) {
    terminal.wait("the prompt", vt100::Screen::bracketed_paste);
    assert!(!terminal.echoes(), "a secret would be shown");
}

fn ended(mut terminal: Pty, code: u32) -> String {
    terminal.restored();
    assert_eq!(terminal.end(Duration::from_secs(30)), Some(code), "{}", contents(&terminal));
    contents(&terminal)
}

fn add<'a>(address: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["credential", "add", "practice-clickwrap", "--name", "Asked", "--set", address], more].concat()
}

#[test]
fn questions_are_asked_and_secrets_never_shown() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let mut terminal = terminal(&shell, &add(&format!("address={}", vendor.base_url), &[]));
        terminal.see("Client ID: ");
        terminal.keys(&format!("{}\r", practice::CLIENT_ID));
        terminal.see("Client secret: ");
        see_prompt(&terminal);
        // A pasted line break does not submit; the key does.
        terminal.keys(&format!("wrong\u{15}\u{1b}[200~{}\r\n\u{1b}[201~", practice::CLIENT_SECRET)).keys("\r");
        terminal.see("Saved Asked");
        let all = ended(terminal, 0);
        // Once: the connector's own help names this published one.
        assert!(all.matches(practice::CLIENT_SECRET).count() == 1 && !all.contains("wrong"), "{all}");
        assert_eq!(shell.json(&["credential", "show", "Asked"], 0)["status"], "valid");
    });
}

/// A line-wise terminal keeps 4,095 bytes of a line.
#[test]
fn a_visible_question_takes_an_answer_of_any_length() {
    let shell = Shell::new();
    let file = shell.home.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    crate::searched::own(&file, "where the person keeps the secret");
    let secret = format!("client_secret=file:{}", file.display());
    let command = ["credential", "add", "practice-clickwrap", "--name", "Long", "--no-test"];
    let set = ["--set", "client_id=me", "--set", "account_id=1", "--set", &secret];
    let mut terminal = terminal(&shell, &[&command[..], &set].concat());
    terminal.wait("the question", |screen| screen.contents().contains("Address") && screen.bracketed_paste());
    // Typed, thought better of, taken back, pasted in two lines, and its end mended.
    terminal.keys("httpx://wr\u{f6}ng one\u{17}two").see("ng two");
    terminal.keys("\u{15}").see_no_more("httpx");
    let long = format!("https://practice.example/{}", "x".repeat(6_000));
    let (first, rest) = long.split_at(3_000);
    terminal.keys(&format!("\u{1b}[200~{first}\r\n{rest}\u{1b}[201~")).keys("/endAB\u{7f}\u{7f}").keys("!").see("/end!");
    terminal.keys("\u{8}").see_no_more("/end!");
    let shown = contents(&terminal);
    assert_eq!(shown.matches('x').count(), long.matches('x').count(), "{shown}");
    terminal.keys("\r").see("Saved Long");
    assert!(terminal.echoes(), "the terminal was left without echo");
    ended(terminal, 0);
    let kept = shell.json(&["credential", "show", "Long"], 0);
    assert_eq!(kept["settings"]["address"], format!("{long}/end"));
}

#[test]
fn a_visible_question_can_be_stopped_and_suspended() {
    let shell = Shell::new();
    let mut terminal = terminal(&shell, &["credential", "add", "practice-clickwrap", "--name", "Asked"]);
    terminal.wait("the question", |screen| screen.contents().contains("Address") && screen.bracketed_paste());
    terminal.keys("half an answer").see("half an answer");
    terminal.keys("\u{1a}");
    terminal.restored();
    let stopped = || std::fs::read_to_string(format!("/proc/{}/stat", terminal.child.process_id().unwrap())).is_ok_and(|stat| stat.contains(") T "));
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    while !stopped() {
        assert!(std::time::Instant::now() < deadline, "it was not suspended");
        std::thread::yield_now();
    }
    assert!(terminal.echoes(), "the terminal was left without echo");
    terminal.signal(rustix::process::Signal::CONT);
    terminal.wait("the question again", vt100::Screen::bracketed_paste);
    terminal.wait("what was typed again", |screen| screen.contents().matches("half an answer").count() == 2);
    terminal.keys("\u{3}").see("You stopped it");
    assert!(terminal.echoes(), "the terminal was left without echo");
    ended(terminal, 1);
}

#[test]
fn an_interrupted_question_gives_the_terminal_back() {
    let shell = Shell::new();
    let mut terminal = terminal(&shell, &add("address=http://127.0.0.1:9", &["--set", "client_id=a"]));
    see_prompt(&terminal);
    terminal.keys(&format!("{SECRET}\u{3}"));
    terminal.see("not answered");
    assert!(terminal.echoes(), "the terminal was left without echo");
    let all = ended(terminal, 1);
    assert!(!all.contains(SECRET), "{all}");
    assert_eq!(shell.json(&["credential", "list"], 0), json!([]));
}

/// At the point where consent is waited for, with the address to open.
fn at_consent(shell: &Shell, vendor: &practice::Practice) -> (Pty, String) {
    let (address, client) = (format!("address={}", vendor.base_url), format!("client_id={}", practice::CLIENT_ID));
    let mut terminal = terminal(shell, &add(&address, &["--set", &client, "--method", "oauth2_code", "--no-browser"]));
    see_prompt(&terminal);
    terminal.keys(&format!("{}\r", practice::CLIENT_SECRET));
    terminal.see("paste the address");
    let all = contents(&terminal);
    let url = all.lines().map(str::trim).find(|line| line.starts_with("http")).unwrap_or_else(|| panic!("{all}"));
    (terminal, url.to_owned())
}

/// Arguments and environment of a process and of all that it started.
fn open_to_others(process: u32) -> Vec<u8> {
    let mut all = Vec::new();
    for part in ["cmdline", "environ"] {
        all.extend(std::fs::read(format!("/proc/{process}/{part}")).unwrap_or_default());
    }
    let children = std::fs::read_to_string(format!("/proc/{process}/task/{process}/children")).unwrap_or_default();
    for child in children.split_whitespace() {
        all.extend(open_to_others(child.parse().unwrap()));
    }
    all
}

#[test]
fn neither_other_users_nor_the_history_of_the_shell_see_a_secret() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let history = shell.home.path().join("history");
        let mut command = CommandBuilder::new("/bin/bash");
        command.args(["--norc", "--noprofile", "-i"]);
        command.env_clear();
        command.env("INTERTIE_WORKSPACE", shell.workspace());
        command.env("HISTFILE", &history);
        command.env("PS1", "ready>");
        let mut terminal = Pty::start(WIDE, 40, shell.home.path(), command);
        let add = format!("add practice-clickwrap --name Asked --method oauth2_code --no-browser --set client_id={}", practice::CLIENT_ID);
        terminal.see("ready>");
        terminal.keys(&format!("{BINARY} credential {add} --set address={}\r", vendor.base_url));
        // The shell reads its own line without echo and with marked pastes, too.
        terminal.wait("the question", |screen| screen.contents().contains("Client secret:") && screen.bracketed_paste());
        see_prompt(&terminal);
        terminal.keys(&format!("{}\r", practice::CLIENT_SECRET)).see("paste the address");
        let seen = open_to_others(terminal.child.process_id().unwrap());
        let holds = |text: &str| memchr::memmem::find(&seen, text.as_bytes()).is_some();
        assert!(holds("practice-clickwrap") && holds("HISTFILE"), "the program was not looked at");
        assert!(!holds(practice::CLIENT_SECRET));
        terminal.keys("\u{3}").see("ou stopped it");
        terminal.wait("the shell again", |screen| screen.contents().matches("ready>").count() == 2 && screen.bracketed_paste());
        terminal.keys("exit\r");
        assert!(terminal.end(Duration::from_secs(30)).is_some());
        let history = std::fs::read_to_string(history).unwrap();
        assert!(history.contains("practice-clickwrap") && !history.contains(practice::CLIENT_SECRET), "{history}");
    });
}

#[test]
fn consent_can_be_pasted() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let (mut terminal, url) = at_consent(&shell, vendor);
        // What is no answer is told, and the wait goes on.
        terminal.keys("https://example.org/?error=nothing\r").see("✗");
        terminal.keys(&format!("{}\r", vendor.consent(&url, true).unwrap()));
        terminal.see("Saved Asked");
        ended(terminal, 0);
    });
}

#[test]
fn a_very_long_answer_survives_the_terminal() {
    with_practice(|vendor| {
        let shell = Shell::new();
        for (wrap, paste) in [("", ("", "")), ("\r   ", ("\u{1b}[200~", "\u{1b}[201~")), ("\r\n  ", ("", ""))] {
            let (mut terminal, url) = at_consent(&shell, vendor);
            // More than the 4,095 bytes that a line-wise terminal keeps, with what matters at the end.
            let answer = vendor.consent(&url, true).unwrap().replacen('?', &format!("?padding={}&", "x".repeat(6_000)), 1);
            let lines: Vec<&str> = answer.as_bytes().chunks(500).map(|line| std::str::from_utf8(line).unwrap()).collect();
            let text = if wrap.is_empty() { answer.clone() } else { lines.join(wrap) };
            terminal.keys(&format!("{}{text}{}", paste.0, paste.1)).keys("\r");
            terminal.see("Saved Asked");
            ended(terminal, 0);
            shell.json(&["credential", "delete", "Asked", "--yes"], 0);
        }
    });
}

#[test]
fn the_impatient_get_their_terminal_back_too() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let (mut terminal, _) = at_consent(&shell, vendor);
        // The second one ends the program without waiting for anything.
        terminal.signal(rustix::process::Signal::STOP);
        terminal.signal(rustix::process::Signal::INT);
        terminal.signal(rustix::process::Signal::TERM);
        terminal.signal(rustix::process::Signal::CONT);
        assert_eq!(terminal.end(Duration::from_secs(30)), Some(1), "{}", contents(&terminal));
        terminal.restored();
        assert!(terminal.echoes(), "the terminal was left without echo");
    });
}

#[test]
fn consent_can_be_given_up() {
    with_practice(|vendor| {
        let shell = Shell::new();
        let (mut terminal, _) = at_consent(&shell, vendor);
        terminal.keys("\u{3}");
        ended(terminal, 1);
        assert_eq!(shell.json(&["credential", "list"], 0), json!([]));
    });
}

#[test]
fn what_is_dangerous_is_asked_about_and_no_is_the_default() {
    with_practice(|vendor| {
        let shell = Shell::new();
        shell.connect(&vendor.base_url);
        shell.draft();
        for (keys, code, left) in [("\r", 1, 1), ("n\r", 1, 1), ("y\r", 0, 0)] {
            let mut terminal = terminal(&shell, &["integration", "delete", "Members"]);
            terminal.see("Members").see("[y/N]");
            terminal.keys(keys);
            ended(terminal, code);
            assert_eq!(shell.json(&["integration", "list"], 0).as_array().unwrap().len(), left);
        }
    });
}

#[test]
fn progress_is_one_line_that_goes_away() {
    with_practice(|vendor| {
        let shell = Shell::new();
        shell.connect(&vendor.base_url);
        shell.draft();
        shell.json(&["integration", "launch", "Members"], 0);
        vendor.faults.set(practice::Fault::Slow(Duration::from_millis(700)), practice::When::Times(3));
        let terminal = terminal(&shell, &["run", "Members"]);
        terminal.see("100 of 250").see("succeeded");
        let all = ended(terminal, 0);
        assert!(!all.contains("100 of 250") && all.contains("Read"), "{all}");
    });
}

/// A tmux of its own, which ends with the test.
struct Tmux(crate::searched::Place);

impl Tmux {
    fn run(&self, arguments: &[&str]) -> String {
        let mut command = std::process::Command::new("tmux");
        command.env_remove("TMUX").arg("-S").arg(self.0.path().join("socket")).args(["-f", "/dev/null"]).args(arguments);
        let output = command.output().expect("tmux, which tests/run installs");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn wait(&self, arguments: &[&str], what: &str, holds: impl Fn(&str) -> bool) -> String {
        let deadline = std::time::Instant::now() + Duration::from_secs(30);
        loop {
            let shown = self.run(arguments);
            if holds(&shown) {
                return shown;
            }
            assert!(std::time::Instant::now() < deadline, "{what} never came: {shown}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn see(&self, text: &str) {
        self.wait(&["capture-pane", "-p"], text, |screen| screen.contains(text));
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        self.run(&["kill-server"]);
    }
}

#[test]
fn what_is_copied_within_tmux_as_it_comes_is_in_its_buffer() {
    let shell = Shell::new();
    let tmux = Tmux(crate::searched::place());
    let workspace = format!("INTERTIE_WORKSPACE={}", shell.workspace().display());
    tmux.run(&["new-session", "-d", "-x", "120", "-y", "40", "-e", &workspace, BINARY, "demo"]);
    tmux.see("connect Practice Clickwrap");
    for (keys, seen) in [("c", "▌ Practice Clickwrap"), ("n", "step 1 of"), ("Down", "step 1 of"), ("C-g", "/callback"), ("y", "buffer")] {
        tmux.run(&["send-keys", keys]);
        tmux.see(seen);
    }
    let buffer = tmux.wait(&["show-buffer"], "the buffer", |buffer| !buffer.is_empty());
    assert_eq!(buffer, "http://127.0.0.1/callback");
}
