//! Servers that are not what they should be. Each ends in words, soon, and without taking the memory.

use std::sync::Arc;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::guard::Limits;
use super::imap::{Imap, Opened};
use super::*;
use crate::model::Secret;

fn limits() -> Limits {
    let brief = Duration::from_millis(700);
    Limits { connect: brief, answer: brief, line: 10_000, literal: 10_000, bytes: 1_000_000 }
}

fn login() -> Login {
    Login::Password { user: "ada".to_owned(), secret: Secret::new("open-Sesame-9") }
}

fn trust() -> Arc<rustls::ClientConfig> {
    crate::vendor::tls::trust(None).unwrap()
}

/// What a scripted server does when it has read a line.
enum Act {
    /// Sends this; `TAG` is the command's.
    Say(Vec<u8>),
    /// Sends this for as long as somebody listens.
    Pour(Vec<u8>),
    /// The same, a byte at a time.
    Drip(Vec<u8>),
    Hang,
    Close,
}

fn say(text: &str) -> Act {
    Act::Say(text.replace('\n', "\r\n").into_bytes())
}

/// Answers on a free port, as `script` says; it is asked with an empty line first, for the greeting.
async fn server(script: impl Fn(&str) -> Act + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let script = Arc::new(script);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let script = Arc::clone(&script);
            tokio::spawn(async move { converse(stream, &*script).await });
        }
    });
    port
}

async fn converse(stream: TcpStream, script: &(dyn Fn(&str) -> Act + Send + Sync)) {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).lines();
    let (mut line, mut tag) = (String::new(), String::new());
    loop {
        // What has no blank is no command, but goes with the one before.
        if let Some((first, _)) = line.split_once(' ') {
            tag = first.to_owned();
        }
        match script(&line) {
            Act::Say(bytes) => {
                let text: Vec<u8> = String::from_utf8(bytes).map_or_else(|error| error.into_bytes(), |text| text.replace("TAG", &tag).into_bytes());
                if write.write_all(&text).await.is_err() {
                    return;
                }
            }
            Act::Pour(bytes) => while write.write_all(&bytes).await.is_ok() {},
            Act::Drip(bytes) => {
                for byte in bytes.iter().cycle() {
                    if write.write_all(&[*byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
            Act::Hang => {
                let _ = lines.get_mut().read_u8().await;
                std::future::pending::<()>().await;
            }
            Act::Close => return,
        }
        match lines.next_line().await {
            Ok(Some(next)) => line = next,
            _ => return,
        }
    }
}

const GREETING: &str = "* OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] ready\n";

/// An honest server but for what `odd` says.
fn honest(line: &str, odd: &dyn Fn(&str) -> Option<Act>) -> Act {
    let command = line.split_once(' ').map_or(line, |(_, rest)| rest);
    if let Some(act) = odd(command) {
        return act;
    }
    match command.split(' ').next().unwrap_or_default() {
        "" => say(GREETING),
        "CAPABILITY" => say("* CAPABILITY IMAP4rev1 AUTH=PLAIN\nTAG OK done\n"),
        "AUTHENTICATE" => say("+ \n"),
        "EXAMINE" => say("* 3 EXISTS\n* OK [UIDVALIDITY 9] fine\nTAG OK [READ-ONLY] done\n"),
        "FETCH" => say("* 1 FETCH (UID 4 ENVELOPE (NIL \"one\" NIL NIL NIL NIL NIL NIL NIL NIL))\nTAG OK done\n"),
        "LOGOUT" => say("* BYE\nTAG OK\n"),
        // The answer to a challenge.
        _ if !line.contains(' ') => say("TAG OK welcome\n"),
        _ => say("TAG BAD what\n"),
    }
}

/// Signs in, opens INBOX and reads a page; how many messages there were in it.
async fn read(address: &str) -> Result<usize, Trouble> {
    let mut imap = Imap::open(&Server::parse(address).unwrap(), &login(), &trust(), &limits()).await?;
    let Opened { validity, .. } = imap.examine("INBOX").await?;
    let mut subjects = 0;
    imap.fetch("1:3", |attributes| {
        let found = record::message("INBOX", validity, attributes).is_some();
        subjects += usize::from(found);
        found
    })
    .await?;
    Ok(subjects)
}

async fn odd(odd: impl Fn(&str) -> Option<Act> + Send + Sync + 'static) -> Result<usize, Trouble> {
    let port = server(move |line| honest(line, &odd)).await;
    let started = Instant::now();
    let told = read(&format!("imap://127.0.0.1:{port}")).await;
    assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
    told
}

/// At this command, this.
async fn at(command: &'static str, act: impl Fn() -> Act + Send + Sync + 'static) -> Result<usize, Trouble> {
    odd(move |line| (line.split(' ').next() == Some(command)).then(&act)).await
}

#[tokio::test]
async fn an_honest_server_is_read() {
    assert_eq!(odd(|_| None).await, Ok(1));
}

#[tokio::test]
async fn greetings_that_are_none() {
    assert_eq!(at("", || say("HTTP/1.1 400 Bad Request\n\n")).await, Err(Trouble::NotMail("HTTP/1.1 400 Bad Request".to_owned())));
    assert_eq!(at("", || say("220 mail.example.com ESMTP\n")).await, Err(Trouble::NotMail("220 mail.example.com ESMTP".to_owned())));
    assert_eq!(at("", || say("* PREAUTH welcome\n")).await, Err(Trouble::NotMail("* PREAUTH welcome".to_owned())));
    assert_eq!(at("", || say("* BYE too many\n")).await, Err(Trouble::Bye("too many".to_owned())));
    assert_eq!(at("", || Act::Hang).await, Err(Trouble::Silent));
    assert_eq!(at("", || Act::Close).await, Err(Trouble::Cut));
    assert!(matches!(at("", || Act::Pour(vec![b'x'; 4096])).await, Err(Trouble::NotMail(line)) if line.starts_with("xxx")));
    assert!(matches!(at("", || Act::Pour(vec![0xff; 4096])).await, Err(Trouble::NotMail(_))));
    assert_eq!(at("", || Act::Drip(b"* OK ".to_vec())).await, Err(Trouble::Silent));
}

#[tokio::test]
async fn signing_in_goes_wrong() {
    let refused = |words: &str| Err(Trouble::Refused(words.to_owned()));
    assert_eq!(at("AUTHENTICATE", || say("TAG NO [AUTHENTICATIONFAILED] no\n")).await, refused("[AUTHENTICATIONFAILED] no"));
    assert_eq!(at("AUTHENTICATE", || say("* OK [ALERT] Read this\nTAG NO no\n")).await, refused("no (Read this)"));
    assert_eq!(at("AUTHENTICATE", || say("* BYE come again\n")).await, Err(Trouble::Silent));
    assert_eq!(at("AUTHENTICATE", || Act::Close).await, Err(Trouble::Cut));
    assert!(matches!(at("AUTHENTICATE", || say("+ no base64 !\n")).await, Err(Trouble::Nonsense(_))));
    assert_eq!(
        at("CAPABILITY", || say("* CAPABILITY IMAP4rev1 LOGINDISABLED AUTH=GSSAPI\nTAG OK\n")).await,
        Err(Trouble::NoWay("GSSAPI".to_owned()))
    );
    // Without SASL there is the command LOGIN.
    let plain = |line: &str| match line.split(' ').next() {
        Some("CAPABILITY") => Some(say("* CAPABILITY IMAP4rev1\nTAG OK\n")),
        Some("LOGIN") => Some(say(if line == "LOGIN \"ada\" \"open-Sesame-9\"" { "TAG OK\n" } else { "TAG BAD\n" })),
        _ => None,
    };
    assert_eq!(odd(plain).await, Ok(1));
}

#[tokio::test]
async fn reading_goes_wrong() {
    let flood = Err(Trouble::Flood);
    assert_eq!(at("FETCH", || Act::Pour(b"* OK and so on ".to_vec())).await, flood);
    assert_eq!(at("FETCH", || Act::Pour(b"* OK and so on\r\n".to_vec())).await, flood);
    assert_eq!(at("FETCH", || say("* 1 FETCH (UID 4 ENVELOPE (NIL {4000000000}\n")).await, flood);
    let same = "* 1 FETCH (UID 4 ENVELOPE (NIL \"one\" NIL NIL NIL NIL NIL NIL NIL NIL))\n".repeat(501);
    assert_eq!(at("FETCH", move || say(&same)).await, flood);
    let nested = format!("* 1 FETCH (BODYSTRUCTURE {}", "(".repeat(5000));
    assert!(matches!(at("FETCH", move || say(&nested)).await, Err(Trouble::Nonsense(_))));
    for line in ["* 1 FETCH (UID 1 INTERNALDATE NIL)\n", "* OK [ALERT]\u{e9}\n", "\u{0}\u{1}\u{2}\n", "* 1 FETCH (UID x)\n", "]\n"] {
        // What might still become something is waited for, as long as it may.
        let told = at("FETCH", move || say(line)).await;
        assert!(matches!(told, Err(Trouble::Nonsense(_) | Trouble::Silent)), "{line}: {told:?}");
    }
    assert_eq!(at("FETCH", || Act::Drip(b"* 1 FETCH (UID 1 FLAGS (".to_vec())).await, Err(Trouble::Silent));
    assert_eq!(at("FETCH", || Act::Hang).await, Err(Trouble::Silent));
    assert_eq!(at("FETCH", || Act::Close).await, Err(Trouble::Cut));
    assert_eq!(at("FETCH", || say("* BYE shutting down\n")).await, Err(Trouble::Bye("shutting down".to_owned())));
    // Half a page is none, unless messages were only deleted meanwhile.
    let half = "* 1 FETCH (UID 4 ENVELOPE (NIL \"one\" NIL NIL NIL NIL NIL NIL NIL NIL))\n";
    assert_eq!(at("FETCH", move || say(&format!("{half}TAG NO disk on fire\n"))).await, Err(Trouble::Refused("disk on fire".to_owned())));
    assert_eq!(at("FETCH", move || say(&format!("{half}TAG NO [EXPUNGEISSUED] some are gone\n"))).await, Ok(1));
    let folder = at("EXAMINE", || say("TAG NO [NONEXISTENT] no such folder\n")).await;
    assert!(matches!(folder, Err(Trouble::NoFolder { said, .. }) if said.contains("NONEXISTENT")));
}

#[tokio::test]
async fn the_password_never_travels_in_the_clear() {
    let heard = Arc::new(std::sync::Mutex::new(String::new()));
    let script = {
        let heard = Arc::clone(&heard);
        move |line: &str| {
            heard.lock().unwrap().push_str(line);
            if line.contains("EHLO") { say("250-hello\n250 AUTH PLAIN LOGIN\n") } else { honest(line, &|_| None) }
        }
    };
    let port = server(script).await;
    // Spelt like this it is the same host, but not one that is taken for this one.
    assert_eq!(read(&format!("imap://127.1:{port}")).await, Err(Trouble::NoTls));
    let server = server(|line| say(if line.is_empty() { "220 hello\n" } else { "250-hello\n250 AUTH PLAIN\n" })).await;
    let server = Server::parse(&format!("smtp://127.1:{server}")).unwrap();
    assert_eq!(smtp::tried(&server, &login(), &trust(), &limits()).await, Err(Trouble::NoTls));
    // Nor where TLS is promised and something else comes.
    let port = self::server(|line| {
        if line.contains("STARTTLS") {
            say("TAG OK go\n* OK [CAPABILITY AUTH=PLAIN] slipped in\n")
        } else {
            honest(line, &|command| (command == "CAPABILITY").then(|| say("* CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN\nTAG OK\n")))
        }
    })
    .await;
    assert!(matches!(read(&format!("imap://localhost:{port}")).await, Err(Trouble::NotTls | Trouble::Silent | Trouble::Tls(_))));
    let all = heard.lock().unwrap().clone();
    assert!(all.contains("CAPABILITY") && !all.contains("AUTHENTICATE") && !all.contains("LOGIN"), "{all}");
}

/// An honest sending server but for what is said at one command.
async fn sending(command: &'static str, act: impl Fn() -> Act + Send + Sync + 'static) -> Result<(), Trouble> {
    let port = server(move |line| {
        let word = line.split(' ').next().unwrap_or_default();
        match word {
            _ if word == command => act(),
            "" => say("220 hello\n"),
            "EHLO" => say("250-hello\n250-8BITMIME\n250 AUTH LOGIN PLAIN\n"),
            "AUTH" => say("235 2.7.0 welcome\n"),
            "QUIT" => say("221 bye\n"),
            _ => say("250 fine\n"),
        }
    })
    .await;
    let started = Instant::now();
    let server = Server::parse(&format!("smtp://127.0.0.1:{port}")).unwrap();
    let told = smtp::tried(&server, &login(), &trust(), &limits()).await;
    assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
    told
}

#[tokio::test]
async fn sending_goes_wrong() {
    assert_eq!(sending("none", || Act::Close).await, Ok(()));
    let refused = |words: &str| Err(Trouble::Refused(words.to_owned()));
    assert_eq!(sending("AUTH", || say("535-5.7.8 no\n535 5.7.8 never\n")).await, refused("535 5.7.8 no never"));
    assert_eq!(sending("AUTH", || say("454 4.7.0 later\n")).await, Err(Trouble::Busy("454 4.7.0 later".to_owned())));
    assert_eq!(sending("", || say("554 go away\n")).await, refused("554 go away"));
    assert_eq!(sending("", || say("421 later\n")).await, Err(Trouble::Busy("421 later".to_owned())));
    assert_eq!(sending("", || say("* OK IMAP4rev1 ready\n")).await, Err(Trouble::NotMail("* OK IMAP4rev1 ready".to_owned())));
    assert_eq!(sending("EHLO", || say("250 hello\n")).await, Err(Trouble::NoWay(String::new())));
    assert_eq!(sending("", || Act::Hang).await, Err(Trouble::Silent));
    assert_eq!(sending("", || Act::Close).await, Err(Trouble::Cut));
    assert_eq!(sending("AUTH", || Act::Close).await, Err(Trouble::Cut));
    assert_eq!(sending("AUTH", || Act::Hang).await, Err(Trouble::Silent));
    assert_eq!(sending("AUTH", || Act::Drip(b"235-x".to_vec())).await, Err(Trouble::Silent));
    for command in ["", "EHLO", "AUTH", "NOOP"] {
        assert_eq!(sending(command, || Act::Pour(vec![b'2'; 4096])).await, Err(Trouble::Flood), "{command}");
        assert_eq!(sending(command, || Act::Pour(b"250-more\r\n".to_vec())).await, Err(Trouble::Flood), "{command}");
    }
    assert!(matches!(sending("AUTH", || say("what?\n")).await, Err(Trouble::Nonsense(_))));
    assert!(matches!(sending("AUTH", || say("334 bm8=\n")).await, Err(Trouble::Refused(_) | Trouble::Nonsense(_)) | Ok(())));
}

#[test]
fn addresses_of_mail_servers() {
    #[rustfmt::skip]
    let table = [
        ("imaps://a.example", Some("imaps://a.example:993")),
        ("imap://a.example", Some("imap://a.example:143")),
        ("smtps://a.example", Some("smtps://a.example:465")),
        ("smtp://a.example", Some("smtp://a.example:587")),
        ("imaps://[::1]:1993/x", Some("imaps://::1:1993")),
        ("https://a.example", None),
        ("imaps://", None),
        ("a.example", None),
    ];
    for (address, wanted) in table {
        assert_eq!(Server::parse(address).map(|server| server.shown()).as_deref(), wanted, "{address}");
    }
    for (address, local) in [
        ("imap://127.0.0.1", true),
        ("imap://[::1]", true),
        ("imap://LOCALHOST", true),
        ("imap://127.0.0.1.example.com", false),
        ("imap://10.0.0.1", false),
    ] {
        assert_eq!(is_local(&Server::parse(address).unwrap()), local, "{address}");
    }
}

#[test]
fn sets_of_numbers() {
    assert_eq!(set(&[1, 2, 3, 7, 9, 10]), "1:3,7,9:10");
    assert_eq!((set(&[]), set(&[u32::MAX])), (String::new(), "4294967295".to_owned()));
    assert_eq!(ranges(1234), ["1:500", "501:1000", "1001:1234"]);
    assert!(ranges(0).is_empty() && ranges(500) == ["1:500"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    /// Whatever comes, at whatever moment: words, and no end of the program.
    #[test]
    fn anything_may_be_said(
        bytes in prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..400),
            "(\\* ([0-9]{1,3} )?(FETCH|LIST|OK|NO|SEARCH|EXISTS|BYE|CAPABILITY|STATUS|ID)? ?[()\"\\[\\]{} A-Z0-9é\\\\]{0,60}\r\n){0,6}".prop_map(String::into_bytes),
        ],
        command in prop_oneof![Just(""), Just("CAPABILITY"), Just("AUTHENTICATE"), Just("EXAMINE"), Just("FETCH")],
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let told = runtime.block_on(async move {
            let short = Limits { connect: Duration::from_millis(200), answer: Duration::from_millis(60), ..limits() };
            let port = server(move |line| honest(line, &|said| (said.split(' ').next() == Some(command)).then(|| Act::Say([&bytes[..], b"\r\n"].concat())))).await;
            let server = Server::parse(&format!("imap://127.0.0.1:{port}")).unwrap();
            let mut imap = Imap::open(&server, &login(), &trust(), &short).await?;
            imap.examine("INBOX").await?;
            imap.since(3, "2026-11-21".parse().unwrap()).await?;
            imap.fetch("1:3", |attributes| record::message("INBOX", 1, attributes).is_some()).await
        });
        // A panic inside the library is told as well; it must not even come to that.
        prop_assert_ne!(told, Err(Trouble::Stopped));
    }
}
