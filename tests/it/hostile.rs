//! Text from outside changes nothing on the terminal but printable cells: drawn for real, into a terminal that tells what was done to it.

use crate::pty::Seen;
use intertie::model::{
    ConnectorStatus, Credential, CredentialStatus, DataPage, DestinationField, FieldType, Notice, Origin, Problem, ProblemKind, Record, RecordError,
    Run, RunState, Severity, Table, TestOutcome, Time, Value,
};
use intertie::ops::connectors::ConnectorRow;
use intertie::ops::overview::{NextStep, NextStepKind, Overview};
use intertie::tui::app::effect::Job;
use intertie::tui::app::msg::{Answer, Msg, Toasted};
use intertie::tui::harness::Harness;
use intertie::tui::ui;
use proptest::prelude::*;
use ratatui::Terminal;
use ratatui::backend::CrosstermBackend;

/// Draws a frame as it would be sent, and returns what became of the terminal.
fn terminal(harness: &Harness) -> vt100::Parser<Seen> {
    let (columns, rows) = harness.state.size;
    let mut parser = vt100::Parser::new_with_callbacks(rows, columns, 0, Seen::default());
    let mut bytes = Vec::new();
    {
        let area = ratatui::layout::Rect::new(0, 0, columns, rows);
        let options = ratatui::TerminalOptions { viewport: ratatui::Viewport::Fixed(area) };
        let mut terminal = Terminal::with_options(CrosstermBackend::new(&mut bytes), options).unwrap();
        terminal.draw(|frame| ui::view::draw(frame, &harness.state)).unwrap();
    }
    // Nothing but cursor addresses, attributes and text may be in what is sent.
    let text = String::from_utf8(bytes.clone()).expect("UTF-8");
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        let after = &rest[at + 1..];
        assert!(after.starts_with('['), "an escape that is no CSI: {:?}", after.chars().take(12).collect::<String>());
        let end = after[1..].find(|c: char| c.is_ascii_alphabetic()).expect("a CSI ends");
        let last = after.as_bytes()[1 + end] as char;
        assert!("Hmhl".contains(last), "CSI {last}");
        rest = &after[end + 2..];
    }
    for c in text.chars().filter(|c| *c != '\u{1b}') {
        assert_eq!(intertie::words::clean::shown(c), c, "{c:?} was sent");
    }
    parser.process(&bytes);
    parser
}

fn check(harness: &Harness) {
    let parser = terminal(harness);
    assert!(parser.callbacks().titles.is_empty(), "the title was changed");
    assert!(parser.callbacks().clipboard.is_empty(), "the clipboard was changed");
    assert!(!parser.screen().alternate_screen() && !parser.screen().bracketed_paste() && !parser.screen().application_cursor());
    // The frame ends as it should: the last line is still the footer, nothing scrolled.
    let screen = harness.screen();
    let drawn = parser.screen().contents();
    // Emulators differ in how they show marks and rare characters; letters and digits stand where they were drawn.
    let first = |text: &str| text.lines().next().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect::<String>();
    assert_eq!(first(&drawn), first(&screen));
}

fn problem(text: &str) -> Problem {
    Problem::new(ProblemKind::Failed, text, text, text).with_code(text)
}

fn run(text: &str) -> Run {
    Run {
        run: text.into(),
        integration: text.into(),
        integration_name: text.into(),
        state: RunState::Partial,
        dry_run: false,
        read: 1,
        filtered: 0,
        created: 0,
        updated: 0,
        unchanged: 0,
        deactivated: 0,
        reactivated: 0,
        skipped: 0,
        failed: 1,
        pages: 1,
        requests: 1,
        bytes: 1,
        started: Time::UNIX_EPOCH,
        ended: None,
        problem: Some(problem(text)),
    }
}

fn credential(text: &str) -> Credential {
    Credential {
        id: text.into(),
        name: text.into(),
        connector: text.into(),
        method: text.into(),
        settings: [(text.to_owned(), text.to_owned())].into_iter().collect(),
        secrets: vec![text.into()],
        found: indexmap::IndexMap::new(),
        scopes: vec![text.into()],
        granted: vec![text.into()],
        status: CredentialStatus::Refused,
        access_expires: None,
        refresh_expires: None,
        secret_expires: None,
        created: Time::UNIX_EPOCH,
        tested: None,
        refreshes: false,
        known: Default::default(),
        last_test: Some(TestOutcome {
            ok: false,
            at: Time::UNIX_EPOCH,
            request: text.into(),
            status: Some(500),
            milliseconds: 1,
            proves: text.into(),
            problem: Some(problem(text)),
        }),
        references: indexmap::IndexMap::new(),
    }
}

/// Every pane, filled with a text, drawn, with its details opened.
fn every_pane(text: &str, columns: u16, rows: u16) {
    let mut harness = Harness::new(columns, rows);
    let step = NextStep { text: text.into(), kind: NextStepKind::LookAtFailedRun, about: text.into() };
    harness.answer(
        |job| *job == Job::LoadOverview,
        Answer::Overview(Overview { failed: vec![run(text)], next_steps: vec![step], ..Overview::default() }),
    );
    check(&harness);
    harness.keys("2");
    let row = ConnectorRow {
        id: text.to_owned().into(),
        name: text.to_owned().into(),
        names: vec![("fr".into(), text.to_owned().into())].into(),
        status: ConnectorStatus::Available,
        category: text.to_owned().into(),
        categories: vec![text.to_owned().into()].into(),
        auth: Vec::new().into(),
        resources: vec![text.to_owned().into()].into(),
        reads: Vec::new().into(),
        origin: Origin::Workspace(text.into()),
        summary: text.to_owned().into(),
        aliases: vec![text.to_owned().into()].into(),
    };
    harness.answer(|job| *job == Job::LoadConnectors, Answer::Connectors(vec![row]));
    check(&harness);
    harness.keys("/a<enter>");
    check(&harness);
    harness.keys("<esc>f<tab>");
    check(&harness);
    harness.keys("<space><esc>");
    check(&harness);
    harness.keys("F");
    let mut definition: intertie::model::Connector = toml::from_str(
        "schema = 1\nid = \"a\"\nname = \"a\"\nnotes = [\"a\"]\n[[input]]\nkey = \"a\"\nlabel = \"a\"\n[auth.a]\nkind = \"oauth2_code\"\nname = \"a\"\nsetup = [\"a\"]\n",
    )
    .unwrap();
    for place in [&mut definition.id, &mut definition.name, &mut definition.summary, &mut definition.docs, &mut definition.notes[0]] {
        *place = text.to_owned();
    }
    let input = &mut definition.inputs[0];
    for place in [&mut input.label, &mut input.help, &mut input.example] {
        *place = text.to_owned();
    }
    let method = &mut definition.auth[0];
    method.name = text.to_owned();
    method.setup = vec![text.to_owned()];
    method.setup_url = text.to_owned();
    method.scopes.default = vec![text.to_owned()];
    method.lifetime.access = Some(text.to_owned());
    harness.answer(|job| matches!(job, Job::LoadConnector(_)), Answer::Connector(definition));
    check(&harness);
    harness.keys("<enter>");
    check(&harness);
    harness.keys("G");
    check(&harness);
    harness.keys("<esc>");
    harness.keys("3");
    harness.answer(|job| *job == Job::LoadCredentials, Answer::Credentials { credentials: vec![credential(text)], drafts: Vec::new() });
    check(&harness);
    harness.keys("<enter>");
    check(&harness);
    harness.keys("<esc>5");
    harness.answer(|job| matches!(job, Job::LoadRuns(_)), Answer::Runs(vec![run(text)]));
    let errors = vec![RecordError { number: 1, key: text.into(), field: Some(text.into()), message: text.into() }];
    harness.keys("<enter>");
    harness.answer(|job| matches!(job, Job::LoadRun(_)), Answer::Run { run: run(text), errors });
    check(&harness);
    harness.keys("<esc>");
    check(&harness);
    harness.keys("6");
    let columns_ = vec![DestinationField { key: "email".into(), label: text.into(), kind: FieldType::Text, mandatory: true, custom: true }];
    harness.answer(|job| matches!(job, Job::LoadColumns(_)), Answer::Columns { table: Table::People, columns: columns_ });
    let record = Record {
        id: 1,
        key: text.into(),
        active: true,
        integration: text.into(),
        run: text.into(),
        created: Time::UNIX_EPOCH,
        changed: Time::UNIX_EPOCH,
        values: [("email".to_owned(), Value::Text(text.into()))].into_iter().collect(),
    };
    let page = DataPage { total: 1, offset: 0, records: vec![record] };
    harness.answer(|job| matches!(job, Job::LoadData { .. }), Answer::Data { table: Table::People, page });
    check(&harness);
    harness.keys("<enter>");
    check(&harness);
    harness.keys("<esc>/");
    harness.paste(text);
    check(&harness);
    harness.keys("<esc>7");
    let notice = Notice {
        id: 1,
        at: Time::UNIX_EPOCH,
        severity: Severity::Error,
        title: text.into(),
        body: text.into(),
        about: text.into(),
        contacts: vec![text.into()],
        read: false,
    };
    harness.answer(|job| *job == Job::LoadNotices, Answer::Notices(vec![notice]));
    check(&harness);
    harness.keys("<enter>");
    check(&harness);
    harness.keys("<esc>:");
    harness.paste(text);
    check(&harness);
    harness.keys("<esc>");
    harness.send(Msg::Told(Toasted::Good(text.into())));
    check(&harness);
    harness.send(Msg::Told(Toasted::Problem(problem(text))));
    check(&harness);
}

const NASTY: &[&str] = &[
    "\x1b]0;owned\x07",
    "\x1b]52;c;b3duZWQ=\x07",
    "\x1b[2J\x1b[H\x1b[?1049h\x1b[?2004h",
    "\x1bP+q544e\x1b\\\x1b_G\x1b\\",
    "\u{9b}31m\u{9d}0;owned\u{9c}",
    "line\nfeed\r\n\x0b\x0ctab\tbell\x07back\x08",
    "\u{202e}txt.exe\u{202c}\u{2066}a\u{2069}\u{200f}",
    "zero\u{200b}width\u{feff}\u{ad}join\u{200d}er",
    "e\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}\u{301}",
    "日本語のとても長い名前👩‍👩‍👧‍👦🏳️‍🌈",
    "\0\u{1}\u{7f}\u{fffd}\u{fffe}",
    "",
    "'; drop table people; --",
    "{{ 7 * 7 }}{% raw %}",
];

#[test]
fn known_tricks_do_nothing() {
    for text in NASTY {
        every_pane(text, 80, 24);
        every_pane(text, 160, 50);
        every_pane(text, 40, 12);
    }
}

#[test]
fn a_name_of_a_megabyte_is_a_name() {
    every_pane(&"x\u{1b}[31m".repeat(1 << 18), 80, 24);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_text_at_any_size_gets_through(text in any::<String>(), columns in 1u16..120, rows in 1u16..40) {
        every_pane(&text, columns, rows);
    }

    #[test]
    fn escapes_in_any_order_do_nothing(parts in proptest::collection::vec(proptest::sample::select(NASTY), 0..6)) {
        every_pane(&parts.concat(), 80, 24);
    }
}
