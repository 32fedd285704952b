//! The plain console: a whole journey in lines, in a pseudo-terminal.

use super::pty::Pty;
use crate::searched::Captured as _;
use intertie::practice::{self, Practice};

/// Answers a question once it is the line that the cursor stands in.
pub fn answer(terminal: &mut Pty, question: &str, answer: &str) {
    terminal.wait(&format!("the question “{question}”"), |screen| {
        let (row, _) = screen.cursor_position();
        let width = screen.size().1;
        screen.rows(0, width).nth(usize::from(row)).is_some_and(|line| line.contains(question) && line.trim_end().ends_with(':'))
    });
    terminal.keys(&format!("{answer}\r"));
}

async fn vendor() -> Practice {
    practice::start(practice::Options::default()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_stored_people_line_by_line() {
    let practice = vendor().await;
    let address = practice.base_url.clone();
    let expected = practice.expected().len();
    tokio::task::spawn_blocking(move || {
        let home = crate::searched::place();
        let workspace = home.path().join("workspace");
        let mut terminal = Pty::intertie(160, 400, &workspace, &["--plain"]);
        for (question, text) in [
            ("What now", "1"),
            ("Which system", "practice"),
            ("Which connector", "clickwrap"),
            ("How to authenticate", "client"),
            ("Name of the credential", "Practice"),
            ("Address", address.as_str()),
            ("Account id", ""),
            ("Client ID", practice::CLIENT_ID),
            ("Client secret", practice::CLIENT_SECRET),
        ] {
            answer(&mut terminal, question, text);
        }
        terminal.see("Practice");
        for (question, text) in [
            ("What now", "draft"),
            ("Name of the integration", "People"),
            ("From which credential", "1"),
            ("Kind", ""),
            ("Name of the SaaS application", ""),
            ("What it may do to records", ""),
            ("Deactivate people", "y"),
            ("Where it runs", ""),
            ("When it runs", "1"),
            ("E-mail addresses", "admin@example.com"),
            ("suggestion", "y"),
            ("Which field to change", ""),
            ("What now", "launch it"),
            ("Launch People", "y"),
            ("What now", "run it now"),
            ("What now", ""),
            ("What now", "data"),
            ("Which table", "1"),
            ("Search for", ""),
        ] {
            answer(&mut terminal, question, text);
        }
        terminal.see(&format!("{expected} records."));
        let seen = terminal.with_screen(|screen, _| screen.contents());
        let asked = seen.lines().find(|line| line.starts_with("Client secret")).unwrap();
        assert!(asked.trim_end().ends_with(':'), "a secret was shown: {asked}");
        answer(&mut terminal, "Read on", "");
        answer(&mut terminal, "What now", "");
        terminal.see("Everything is saved.");
        assert_eq!(terminal.end(std::time::Duration::from_secs(10)), Some(0));
    })
    .await
    .unwrap();
}

#[test]
fn without_a_terminal_it_says_what_to_do() {
    let home = crate::searched::place();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_intertie"))
        .arg("--plain")
        .env("INTERTIE_WORKSPACE", home.path())
        .stdin(std::process::Stdio::null())
        .captured();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--help"));
}

/// Deleted line by line, a credential ends at the vendor as it does by command: tokens and the client that was registered for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_credential_ends_at_the_vendor() {
    let practice = vendor().await;
    let address = practice.base_url.clone();
    tokio::task::spawn_blocking(move || {
        let shell = crate::cli::Shell::new();
        let (at, register) = (format!("address={address}"), format!("register_url={address}/oauth/register"));
        let add = ["credential", "add", "practice-clickwrap", "--method", "client_credentials", "--name", "Own", "--set", &at, "--set", &register];
        shell.json(&add, 0);
        let mut terminal = Pty::intertie(160, 100, &shell.workspace(), &["--plain"]);
        for (question, text) in [("What now", "2"), ("Which credential", "1"), ("What now", "4"), ("Delete the credential Own", "y")] {
            answer(&mut terminal, question, text);
        }
        terminal
            .see("The vendor revoked the tokens of Own.")
            .see("The client that was registered for Own is gone at the vendor.")
            .see("Deleted Own.");
        assert_eq!(shell.json(&["credential", "list"], 0), serde_json::json!([]));
    })
    .await
    .unwrap();
}
