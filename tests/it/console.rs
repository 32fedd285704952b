//! The console itself: the real program in a pseudo-terminal.

use crate::pty::Pty;
use crate::searched::Captured as _;
use rustix::process::Signal;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn opened(columns: u16, rows: u16) -> (crate::searched::Place, Pty) {
    let dir = crate::searched::place();
    let pty = Pty::intertie(columns, rows, &dir.path().join("acme"), &[]);
    pty.see("Welcome to intertie");
    (dir, pty)
}

#[test]
fn it_starts_explains_itself_and_quits_leaving_the_terminal_as_it_was() {
    let (_dir, mut pty) = opened(80, 24);
    pty.with_screen(|screen, _| assert!(screen.alternate_screen() && screen.hide_cursor() && screen.bracketed_paste()));
    pty.keys("?").see("Help: Overview");
    pty.keys("\x1b").see_no_more("Help: Overview");
    pty.keys("q");
    assert_eq!(pty.end(10 * SECOND), Some(0));
    pty.restored();
}

#[test]
fn a_restart_returns_to_where_the_user_was() {
    let dir = crate::searched::place();
    let workspace = dir.path().join("acme");
    let mut pty = Pty::intertie(80, 24, &workspace, &[]);
    pty.see("Welcome");
    pty.keys("2").see("Active Directory");
    pty.keys("/zend").see("Zendesk");
    pty.keys("\r");
    pty.keys("q");
    assert_eq!(pty.end(10 * SECOND), Some(0));
    let pty = Pty::intertie(80, 24, &workspace, &[]);
    pty.see("▌2 Connectors▐").see("Zendesk").see_no_more("Active Directory");
}

#[test]
fn signals_end_it_and_restore_the_terminal() {
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let (_dir, mut pty) = opened(80, 24);
        pty.signal(signal);
        assert_eq!(pty.end(5 * SECOND), Some(0), "{signal:?}");
        pty.restored();
    }
}

#[test]
fn a_terminal_that_is_closed_ends_it_within_a_second() {
    let (_dir, mut pty) = opened(80, 24);
    pty.hang_up();
    assert!(pty.end(SECOND).is_some(), "it still runs a second after its terminal is gone");
}

#[test]
fn it_can_be_suspended_and_comes_back() {
    let (_dir, mut pty) = opened(80, 24);
    pty.keys("\x1a");
    pty.restored();
    let pid = pty.child.process_id().unwrap();
    let stopped =
        || std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')));
    let deadline = std::time::Instant::now() + 10 * SECOND;
    while !stopped() {
        assert!(std::time::Instant::now() < deadline, "it does not stop");
        std::thread::yield_now();
    }
    pty.signal(Signal::CONT);
    pty.wait("the console's screen", |screen| screen.alternate_screen() && screen.contents().contains("Welcome to intertie"));
    pty.keys("2").see("Active Directory");
}

#[test]
fn every_size_can_be_lived_with() {
    let (_dir, mut pty) = opened(80, 24);
    for (columns, rows) in [(160, 50), (40, 12), (20, 5), (3, 3), (1, 1), (2, 1), (1, 30), (80, 24)] {
        pty.resize(columns, rows);
        pty.keys("2").keys("1");
    }
    pty.see("Welcome to intertie").see("1 Overview");
    pty.resize(40, 12);
    pty.see_no_more("1 Overview").see("Overview");
}

#[test]
fn without_colour_bold_and_reverse_are_still_there() {
    let dir = crate::searched::place();
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_intertie"));
    command.env("INTERTIE_WORKSPACE", dir.path().join("acme"));
    command.env("NO_COLOR", "1");
    let mut pty = Pty::start(80, 24, dir.path(), command);
    pty.see("Welcome");
    pty.keys("2").see("Active Directory");
    pty.wait("a selected row in reverse", |screen| {
        (0..24).any(|row| (0..80).any(|column| screen.cell(row, column).is_some_and(vt100::Cell::inverse)))
    });
    pty.with_screen(|screen, _| {
        let cells = (0..24).flat_map(|row| (0..80).filter_map(move |column| screen.cell(row, column)));
        let mut bold = false;
        for cell in cells {
            assert_eq!((cell.fgcolor(), cell.bgcolor()), (vt100::Color::Default, vt100::Color::Default), "{:?} has a colour", cell.contents());
            bold |= cell.bold();
        }
        assert!(bold);
    });
}

#[test]
fn a_panic_gives_the_terminal_back_before_it_is_told() {
    let dir = crate::searched::place();
    let mut command = portable_pty::CommandBuilder::new(std::env::current_exe().unwrap());
    command.args(["console::panics_with_the_terminal_taken", "--exact", "--ignored", "--nocapture", "--test-threads=1"]);
    let mut pty = Pty::start(80, 24, dir.path(), command);
    pty.see("the fault that was asked for");
    pty.restored();
    assert_ne!(pty.end(10 * SECOND), Some(0));
}

/// The other half of the test above: runs alone, in a pseudo-terminal of its own.
#[test]
#[ignore = "run by a_panic_gives_the_terminal_back_before_it_is_told, in a terminal of its own"]
fn panics_with_the_terminal_taken() {
    intertie::tui::term::guard::hook_panics();
    let _guard = intertie::tui::term::guard::Guard::take(true).unwrap();
    panic!("the fault that was asked for");
}

#[test]
fn a_locked_vault_is_unlocked_where_it_is_needed() {
    crate::cli::with_practice(|vendor| {
        let shell = crate::cli::Shell::new();
        let file = shell.home.path().join("passphrase");
        std::fs::write(&file, " pass phrase \n").unwrap();
        let reference = format!("file:{}", file.display());
        let run = |arguments: &[&str]| {
            let output = shell.command(&[arguments, &["--passphrase", &reference]].concat()).captured();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        };
        run(&["vault", "init", "--with-passphrase"]);
        let address = format!("address={}", vendor.base_url);
        let add = ["credential", "add", "practice-clickwrap", "--name", "Practice", "--set", &address, "--set", "client_id=practice-client"];
        run(&[&add[..], &["--set", "client_secret=env:CLIENT_SECRET"]].concat());

        let mut pty = Pty::intertie(80, 24, &shell.workspace(), &[]);
        pty.see("Overview");
        pty.keys("3").see("Last test");
        pty.keys("t").see("Unlock the vault");
        pty.keys("no such phrase").see("••••••••••••••");
        pty.see_no_more("no such phrase");
        pty.keys("\r").see("does not open the vault");
        // A passphrase may begin and end with a space.
        pty.keys(" pass phrase \r").see("The vault is open").see_no_more("Unlock the vault");
        let before = vendor.requests();
        pty.keys("t");
        pty.wait("a request to the vendor", |_| vendor.requests() > before);
        pty.see_no_more("Unlock the vault");
        pty.keys("q");
    });
}

/// The first whole journey, by keys: from nothing to people in the data view.
#[test]
fn the_demo_goes_from_nothing_to_people_by_keys() {
    let dir = crate::searched::place();
    let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_intertie"));
    command.arg("demo");
    let mut pty = Pty::start(80, 24, dir.path(), command);
    pty.see("Welcome to the demo").see("● connect");
    // Connect: the catalog opens on the practice vendor.
    pty.keys("c").see("▌ Practice Clickwrap").see("The practice vendor: members");
    pty.keys("\r").see("At Practice Clickwrap, by whoever administers it");
    pty.keys("\r").see("How shall intertie authenticate?");
    pty.keys("\r").see("● Address of th…");
    pty.keys("\r").see("● Account id");
    pty.keys("\r").see("● Client ID");
    pty.keys("\r").see("● Client secret");
    pty.keys("\x1b[200~practice-secret\n\x1b[201~").see("•••••");
    pty.with_screen(|screen, _| assert!(!screen.contents().contains("practice-secret\n"), "the secret is masked"));
    pty.keys("\r").see("● Scopes");
    pty.keys("\r").see("● Name");
    pty.keys("\r").see("The practice vendor accepts the credential").see("HTTP 200");
    pty.keys("\r").see("Practice Clickwrap is saved");
    // Draft and map; a launch is refused while a mandatory field is unmapped.
    pty.keys("\r").see("› Details").see("user only");
    pty.keys("\x1bOR").see("0 of 18 mapped").see("record 1 of 50");
    pty.keys("s").see("1 mandatory missing").see("would be");
    pty.keys("l").see("The mandatory field “User type” is not mapped");
    pty.keys("\x1b").see_no_more("The mandatory field “User type” is not mapped");
    pty.keys("jj").see("▌ ✗ User type");
    pty.keys("\r").see("a path such as profile.email");
    pty.keys("=Employee\r").see("none missing");
    pty.keys("\x1a").see("1 mandatory missing");
    pty.keys("\x19").see("none missing");
    // Launch, run, look.
    pty.keys("l").see("✓ active");
    pty.keys("r").see("250 created");
    pty.keys("6").see("250 records").see("@practice.ex");
    pty.keys("/thanos").see("2 records").see("thanos.kons");
    pty.keys("\x1b").see("250 records");
    // A day passes; the second run finds what changed.
    pty.keys("1").see("✓ look");
    pty.keys("d").see("A day has passed");
    pty.keys("4").see("✓ active");
    pty.keys("r").see("4 created");
    pty.keys("5").see("succeeded").see("11");
    pty.keys("q");
    assert_eq!(pty.end(20 * SECOND), Some(0));
    pty.restored();
}

/// A line-wise terminal cuts a line after 4,095 bytes; some vendors' codes are longer, and terminals wrap what is copied.
#[test]
fn a_consent_takes_a_pasted_address_of_any_length_and_does_not_show_it() {
    crate::cli::with_practice(|vendor| {
        let dir = crate::searched::place();
        let mut command = portable_pty::CommandBuilder::new(env!("CARGO_BIN_EXE_intertie"));
        let address = format!("address={}", vendor.base_url);
        command.args([
            "--workspace",
            dir.path().join("acme").to_str().unwrap(),
            "credential",
            "add",
            "practice-clickwrap",
            "--method",
            "oauth2_code",
        ]);
        command.args(["--name", "Pasted", "--no-browser", "--set", &address, "--set", "client_id=practice-client"]);
        command.args(["--set", "account_id=1", "--set", "client_secret=env:CLIENT_SECRET"]);
        command.env("CLIENT_SECRET", intertie::practice::CLIENT_SECRET);
        let mut pty = Pty::start(1_000, 40, dir.path(), command);
        pty.see("Or paste the address");
        let shown = pty.with_screen(|screen, _| screen.contents());
        let url = shown.lines().map(str::trim).find(|line| line.starts_with("http")).unwrap();
        let answer = vendor.consent(url, true).unwrap();
        let code = url::Url::parse(&answer).unwrap().query_pairs().find(|(key, _)| key == "code").unwrap().1.into_owned();
        let long = format!("{answer}&session_state={}", "x".repeat(6_000));
        let (first, rest) = long.split_at(3_000);
        pty.keys(&format!("\x1b[200~{first}\n{rest}\x1b[201~\r")).see("Saved Pasted");
        pty.with_screen(|screen, _| assert!(!screen.contents().contains(&code), "the code is on the screen"));
        assert_eq!(pty.end(10 * SECOND), Some(0));
    });
}
