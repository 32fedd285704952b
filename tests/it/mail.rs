//! Mailboxes on servers that nobody here wrote: Dovecot (IMAP) and aiosmtpd (SMTP), reached through the real code.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use wiremock::matchers::{body_string_contains, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use intertie::model::{CredentialStatus, Problem, ProblemKind, RunOptions, Secret, Sink, TestOutcome};
use intertie::ops::{Config, Workspace, credentials, integrations, mappings, runs};

use crate::searched;

const USER: &str = "ada@example.com";
const PASSWORD: &str = "open-Sesame-9";
const TOKEN: &str = "good-Token-77";

/// An authority of the house, and a certificate for `localhost`.
fn certificates(dir: &Path) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, "The house");
    let key = KeyPair::generate().unwrap();
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let own = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&own, &issuer).unwrap().pem();
    for (name, text) in [("ca.pem", root), ("cert.pem", certificate), ("key.pem", own.serialize_pem())] {
        std::fs::write(dir.join(name), text).unwrap();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn id_of(name: &str) -> Option<(u32, u32)> {
    let file = std::fs::read_to_string("/etc/passwd").ok()?;
    let line = file.lines().find(|line| line.split(':').next() == Some(name))?;
    let mut parts = line.split(':').skip(2).map(|part| part.parse().unwrap());
    Some((parts.next()?, parts.next()?))
}

fn group_of(gid: u32) -> String {
    let file = std::fs::read_to_string("/etc/group").unwrap();
    let of = |line: &str| line.split(':').nth(2).and_then(|part| part.parse().ok()) == Some(gid);
    file.lines().find(|line| of(line)).expect("this group has a name").split(':').next().unwrap().to_owned()
}

fn own_name() -> String {
    let id = rustix::process::getuid().as_raw();
    let file = std::fs::read_to_string("/etc/passwd").unwrap();
    let of = |line: &str| line.split(':').nth(2).and_then(|part| part.parse().ok()) == Some(id);
    file.lines().find(|line| of(line)).expect("this user has a name").split(':').next().unwrap().to_owned()
}

/// Dovecot with one mailbox, as a child of this test with files of its own. Ends when dropped.
struct Post {
    child: Child,
    dir: tempfile::TempDir,
    imap: u16,
    imaps: u16,
}

impl Drop for Post {
    fn drop(&mut self) {
        // Told to, it ends its own children as well.
        let pid = rustix::process::Pid::from_child(&self.child);
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::TERM);
        let _ = self.child.wait();
    }
}

impl Post {
    fn start(messages: usize) -> Self {
        Self::start_with(messages, "", &[])
    }

    /// With more lines in its configuration, and more files.
    fn start_with(messages: usize, more: &str, files: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        certificates(dir.path());
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        // Dovecot never opens mail as root: where the tests are run by root, the mailbox is somebody else's.
        let root = rustix::process::getuid().is_root();
        let (own, login, internal) =
            if root { ("dovecot".to_owned(), "dovenull".to_owned(), "dovecot".to_owned()) } else { (own_name(), own_name(), own_name()) };
        let (uid, gid) = id_of(&own).expect("the user of dovecot is there: run tests/run once");
        let group = group_of(gid);
        let at = dir.path().display();
        fill(&dir.path().join("mail"), messages);
        std::fs::write(dir.path().join("users"), format!("{USER}:{{PLAIN}}{PASSWORD}:{uid}:{gid}::{at}/mail::\n")).unwrap();
        let (imap, imaps) = (free_port(), free_port());
        let config = format!(
            "base_dir = {at}/run\nstate_dir = {at}/state\nlog_path = {at}/log\nprotocols = imap\nlisten = 127.0.0.1\n\
             default_login_user = {login}\ndefault_internal_user = {internal}\ndefault_internal_group = {group}\nfirst_valid_uid = 1\n\
             ssl = yes\nssl_cert = <{at}/cert.pem\nssl_key = <{at}/key.pem\ndisable_plaintext_auth = yes\n\
             auth_mechanisms = plain login\nauth_failure_delay = 0\nmail_location = maildir:~/Maildir\n\
             namespace inbox {{\n inbox = yes\n separator = /\n mailbox Sent {{\n auto = create\n special_use = \\Sent\n }}\n mailbox Entwürfe {{\n auto = create\n special_use = \\Drafts\n }}\n}}\n\
             passdb {{\n driver = passwd-file\n args = scheme=PLAIN username_format=%u {at}/users\n}}\nuserdb {{\n driver = passwd-file\n args = username_format=%u {at}/users\n}}\n\
             service imap-login {{\n chroot =\n inet_listener imap {{\n port = {imap}\n }}\n inet_listener imaps {{\n port = {imaps}\n ssl = yes\n }}\n}}\n\
             service anvil {{\n chroot =\n}}\nservice imap {{\n process_limit = 20\n}}\n{}\n",
            more.replace("DIR", &at.to_string())
        );
        let file = dir.path().join("dovecot.conf");
        std::fs::write(&file, config).unwrap();
        if root {
            std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
            owned(&dir.path().join("mail"), uid, gid);
        }
        let errors = std::fs::File::create(dir.path().join("errors")).unwrap();
        let mut server = Command::new("/usr/sbin/dovecot");
        server.arg("-F").arg("-c").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(errors);
        let mut child = server.spawn().expect("dovecot is installed: run tests/run once");
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", imaps)).is_err() {
            let ended = child.try_wait().unwrap();
            let said = || std::fs::read_to_string(dir.path().join("errors")).unwrap_or_default() + &log(dir.path());
            assert!(ended.is_none() && Instant::now() < deadline, "dovecot did not start: {}", said());
            std::thread::park_timeout(Duration::from_millis(20));
        }
        Self { child, dir, imap, imaps }
    }

    fn ca(&self) -> String {
        self.dir.path().join("ca.pem").display().to_string()
    }
}

fn log(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}

fn owned(place: &Path, uid: u32, gid: u32) {
    chown(place, Some(uid), Some(gid)).unwrap();
    if place.is_dir() {
        for entry in std::fs::read_dir(place).unwrap() {
            owned(&entry.unwrap().path(), uid, gid);
        }
    }
}

/// A Maildir; every third message was read.
fn fill(home: &Path, messages: usize) {
    let cur = home.join("Maildir/cur");
    for name in ["cur", "new", "tmp"] {
        std::fs::create_dir_all(home.join("Maildir").join(name)).unwrap();
    }
    for n in 1..=messages {
        // 2024-01-01, and a day for each hundred.
        let moment = 1_704_067_200 + (n / 100) * 86_400 + n;
        let mut text = format!("Date: Mon, 1 Jan 2024 10:{:02}:{:02} +0100\r\nMessage-ID: <{n}@example.org>\r\n", n / 60 % 60, n % 60);
        let _ = write!(text, "From: =?utf-8?B?SsO8cmdlbg==?= Nr {n} <writer{}@example.org>\r\n", n % 7);
        let _ = write!(text, "To: \"Ada, the first\" <{USER}>, copies:one@example.org,two@example.org;\r\n");
        let _ = write!(text, "Subject: =?ISO-8859-1?Q?Gr=FC=DFe?= =?ISO-8859-1?Q?_{n}?=\r\n\r\nThe body that nobody reads.\r\n");
        let flags = if n % 3 == 0 { "S" } else { "" };
        let file = cur.join(format!("{moment}.M{n}P1.host:2,{flags}"));
        std::fs::write(&file, text).unwrap();
        let time = std::time::UNIX_EPOCH + Duration::from_secs(moment as u64);
        std::fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
    }
}

/// aiosmtpd; what it prints is collected.
struct Sending {
    child: Child,
    port: u16,
    said: BufReader<std::process::ChildStdout>,
}

impl Sending {
    fn start(how: &str, dir: &Path) -> Self {
        let installed = std::env::var_os("INTERTIE_TEST_PEERS")
            .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/peers"), std::path::PathBuf::from);
        let mut command = Command::new(installed.join("python/bin/python"));
        command.args(["-c", include_str!("../peers/smtp.py"), how]).arg(dir.join("cert.pem")).arg(dir.join("key.pem"));
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("python starts: run tests/run once");
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let port = line.trim().parse().unwrap_or_else(|_| panic!("aiosmtpd did not start: {line:?}"));
        Self { child, port, said }
    }

    /// Ends it; everything that it was asked to send.
    fn sent(mut self) -> String {
        drop(self.child.stdin.take());
        let mut all = String::new();
        std::io::Read::read_to_string(&mut self.said, &mut all).unwrap();
        all
    }
}

impl Drop for Sending {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn workspace() -> (searched::Place, Workspace) {
    let dir = searched::place();
    let ws = Workspace::open(dir.path(), Config::default());
    (dir, ws)
}

/// A draft of the built-in definition for `localhost`.
fn draft(ws: &Workspace, password: &str, settings: &[(&str, &str)]) -> String {
    let mut draft = credentials::draft_new(ws, "mail", Some("password")).unwrap();
    for (key, value) in [("host", "localhost"), ("username", USER)].iter().chain(settings) {
        draft.settings.insert((*key).to_owned(), (*value).to_owned());
    }
    credentials::draft_save(ws, &draft).unwrap();
    credentials::draft_secret(ws, &draft.id, "password", Secret::new(password)).unwrap();
    draft.id
}

async fn tested(ws: &Workspace, id: &str) -> TestOutcome {
    credentials::draft_test(ws, id, &Sink::none()).await.unwrap()
}

async fn refused(ws: &Workspace, id: &str) -> Problem {
    let outcome = tested(ws, id).await;
    let problem = outcome.problem.unwrap_or_else(|| panic!("accepted: {}", outcome.proves));
    let all = format!("{problem:?}");
    assert!(!all.contains(PASSWORD) && !all.contains("b3Blbi1TZXNhbWUtOQ") && !problem.next_step.is_empty(), "{all}");
    problem
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_is_read_page_by_page_and_left_as_it_was() {
    let post = Post::start(1234);
    let (_dir, ws) = workspace();
    let (port, ca) = (post.imaps.to_string(), post.ca());
    let id = draft(&ws, PASSWORD, &[("port", &port), ("ca_file", &ca)]);
    let outcome = tested(&ws, &id).await;
    assert!(outcome.ok, "{:?}\n{}", outcome.problem, log(post.dir.path()));
    assert_eq!(outcome.request, format!("EXAMINE imaps://localhost:{port}/INBOX"));
    assert!(outcome.proves.ends_with("INBOX holds 1234 messages."), "{}", outcome.proves);
    let credential = credentials::draft_finish(&ws, &id).unwrap();
    assert_eq!(credential.status, CredentialStatus::Valid);

    let mut integration = integrations::new(&ws, "Post").unwrap();
    integrations::set_source(&ws, &mut integration, &credential.id, Some("messages")).unwrap();
    let sample = mappings::sample(&ws, &integration, 3, &Sink::none()).await.unwrap();
    let first = &sample.records[0];
    assert_eq!(sample.records.len(), 3);
    let uidvalidity = first["folder_uidvalidity"].as_u64().unwrap();
    assert_eq!(first["id"], format!("INBOX;UIDVALIDITY={uidvalidity}/;UID=1"));
    assert_eq!((&first["subject"], &first["from_name"]), (&"Grüße 1".into(), &"Jürgen Nr 1".into()));
    assert_eq!((&first["from_address"], &first["date"]), (&"writer1@example.org".into(), &"2024-01-01T09:00:01Z".into()));
    assert_eq!(first["to"], serde_json::json!([USER, "one@example.org", "two@example.org"]));
    assert_eq!((&first["seen"], &sample.records[2]["seen"]), (&false.into(), &true.into()));
    assert_eq!(first["received"], "2024-01-01T00:00:01Z");
    assert!(first["size"].as_u64().unwrap() > 100 && first.get("body").is_none());

    integration.sync_key = vec!["external_id".to_owned()];
    for (field, from) in [
        ("external_id", "id"),
        ("user_type", "=Correspondent"),
        ("email", "from_address"),
        ("full_name", "from_name"),
        ("first_name", "from_name"),
        ("last_name", "subject"),
    ] {
        mappings::set(&ws, &mut integration, field, mappings::parse(from)).unwrap();
    }
    integration.contacts = vec!["admin@example.com".to_owned()];
    let saved = integrations::save(&ws, &integration).unwrap();
    integrations::launch(&ws, &saved.id, &Sink::none()).await.unwrap();
    let run = runs::start(&ws, &saved.id, &RunOptions::default(), &Sink::none()).await.unwrap();
    assert_eq!((run.read, run.failed), (1234, 0), "{:?}", run.problem);
    assert!(run.pages >= 3);
    // From the tenth day on, with a day before it for servers in other places.
    let options = RunOptions { since: Some("2024-01-11T12:00:00Z".parse().unwrap()), ..RunOptions::default() };
    let run = runs::start(&ws, &saved.id, &options, &Sink::none()).await.unwrap();
    assert!((335..=435).contains(&run.read), "{}", run.read);
    // What was new is new, and what was not read is not read.
    let files: Vec<String> =
        std::fs::read_dir(post.dir.path().join("mail/Maildir/cur")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!((files.len(), files.iter().filter(|name| name.ends_with(",S")).count()), (1234, 411));
}

#[tokio::test(flavor = "multi_thread")]
async fn folders_and_what_they_are_for() {
    let post = Post::start(2);
    let (_dir, ws) = workspace();
    let (port, ca) = (post.imaps.to_string(), post.ca());
    let id = draft(&ws, PASSWORD, &[("port", &port), ("ca_file", &ca), ("folder", "Entwürfe")]);
    let outcome = tested(&ws, &id).await;
    assert!(outcome.ok && outcome.proves.ends_with("Entwürfe holds 0 messages."), "{outcome:?}");
    let credential = credentials::draft_finish(&ws, &id).unwrap();
    let mut integration = integrations::new(&ws, "Folders").unwrap();
    integrations::set_source(&ws, &mut integration, &credential.id, Some("folders")).unwrap();
    let sample = mappings::sample(&ws, &integration, 100, &Sink::none()).await.unwrap();
    let mut found: Vec<String> = sample.records.iter().map(|one| format!("{} {} {}", one["path"], one["role"], one["selectable"])).collect();
    found.sort();
    assert_eq!(found, ["\"Entwürfe\" \"Drafts\" true", "\"INBOX\" null true", "\"Sent\" \"Sent\" true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn starttls_comes_before_the_password() {
    let post = Post::start(1);
    let (_dir, ws) = workspace();
    let (port, ca) = (post.imap.to_string(), post.ca());
    let settings = [("port", port.as_str()), ("security", "STARTTLS"), ("ca_file", &ca)];
    let outcome = tested(&ws, &draft(&ws, PASSWORD, &settings)).await;
    assert!(outcome.ok && outcome.proves.ends_with("INBOX holds one message."), "{outcome:?}");
    // It is used where it is offered, also on this host: without the authority the certificate is none.
    let problem = refused(&ws, &draft(&ws, PASSWORD, &settings[..2])).await;
    assert!(problem.what.contains("not trusted") && problem.next_step.contains("ca_file"), "{problem:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_say_what_to_mend() {
    let post = Post::start(1);
    let (_dir, ws) = workspace();
    let (plain, tls, ca, nowhere) = (post.imap.to_string(), post.imaps.to_string(), post.ca(), free_port().to_string());
    let sending = Sending::start("tls", post.dir.path());
    let smtps = sending.port.to_string();
    let ca = ("ca_file", ca.as_str());
    for (password, settings, kind, part) in [
        ("wrong-Horse-3", &[("port", tls.as_str()), ca][..], ProblemKind::PersonMustAct, "Authentication failed"),
        (PASSWORD, &[("port", &tls), ca, ("username", "nobody@example.com")], ProblemKind::PersonMustAct, "Authentication failed"),
        (PASSWORD, &[("port", &tls), ca, ("folder", "Nowhere")], ProblemKind::Usage, "Nowhere"),
        (PASSWORD, &[("port", &tls)], ProblemKind::Failed, "certificate"),
        (PASSWORD, &[("port", &tls), ca, ("host", "127.0.0.1")], ProblemKind::Failed, "certificate"),
        (PASSWORD, &[("port", &plain), ca], ProblemKind::Failed, "in the clear"),
        (PASSWORD, &[("port", &smtps), ca], ProblemKind::Failed, "greeted with: 220"),
        (PASSWORD, &[("port", &nowhere), ca], ProblemKind::Failed, "refused"),
    ] {
        let problem = refused(&ws, &draft(&ws, password, settings)).await;
        assert!(problem.kind == kind && problem.why.contains(part) && !format!("{problem:?}").contains(password), "{settings:?}: {problem:?}");
    }
    assert_eq!(sending.sent(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn sending_is_proved_without_a_message() {
    let post = Post::start(3);
    let (_dir, ws) = workspace();
    let (port, ca) = (post.imaps.to_string(), post.ca());
    for (how, security) in [("tls", "TLS"), ("starttls", "STARTTLS"), ("plain", "STARTTLS")] {
        let sending = Sending::start(how, post.dir.path());
        let smtp = sending.port.to_string();
        let settings = [("port", port.as_str()), ("ca_file", &ca), ("smtp_host", "localhost"), ("smtp_port", &smtp), ("smtp_security", security)];
        let outcome = tested(&ws, &draft(&ws, PASSWORD, &settings)).await;
        assert!(outcome.ok, "{how}: {:?}", outcome.problem);
        assert!(
            outcome.proves.ends_with("INBOX holds 3 messages. The sending server localhost accepts the account as well; no message was sent."),
            "{outcome:?}"
        );
        assert!(outcome.request.contains(&format!("localhost:{smtp}")), "{}", outcome.request);
        if how == "starttls" {
            // The other way round TLS is expected, and there is none.
            let settings = [&settings[..4], &[("smtp_security", "TLS")]].concat();
            let problem = refused(&ws, &draft(&ws, PASSWORD, &settings)).await;
            assert!(problem.why.contains("in the clear") && problem.why.contains("INBOX holds 3 messages."), "{problem:?}");
        }
        assert_eq!(sending.sent(), "", "{how}");
    }
}

/// A mailbox that takes tokens of a client that the definition knows.
const TOKENS: &str = r#"
schema = 1
id = "box"
name = "Box"
summary = "A mailbox with tokens."

[auth.app]
kind = "client_credentials"
name = "App"
username = "ada@example.com"
token_url = "TOKENS/token"

[[auth.app.input]]
key = "client_id"
label = "Client ID"
help = "Of the app."

[[auth.app.input]]
key = "client_secret"
label = "Client secret"
help = "Of the app."
secret = true

[request]
base_url = "imaps://localhost:IMAPS"

[[check]]
path = "INBOX"
query = { smtp = "smtps://localhost:SMTPS" }
proves = "It takes the token."

[[resource]]
id = "messages"
name = "Messages"
kind = "other"
format = "imap"
path = "INBOX"
key = "id"

[[resource.field]]
path = "id"
label = "Id"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_token_opens_the_mailbox() {
    let issuer = MockServer::start().await;
    let granted = |token: &str| {
        ResponseTemplate::new(200).set_body_json(serde_json::json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 }))
    };
    Mock::given(path("/token")).respond_with(granted("stale-Token-11")).up_to_n_times(1).mount(&issuer).await;
    Mock::given(path("/token")).and(body_string_contains("good-secret")).respond_with(granted(TOKEN)).mount(&issuer).await;
    Mock::given(path("/token")).respond_with(granted("foul-Token-22")).mount(&issuer).await;
    // What Dovecot asks about a token (RFC 7662).
    let known = serde_json::json!({ "active": true, "username": USER });
    Mock::given(method("POST"))
        .and(path("/introspect"))
        .and(body_string_contains(TOKEN))
        .respond_with(ResponseTemplate::new(200).set_body_json(known))
        .mount(&issuer)
        .await;
    let unknown = ResponseTemplate::new(200).set_body_json(serde_json::json!({ "active": false }));
    Mock::given(path("/introspect")).respond_with(unknown).mount(&issuer).await;

    for mechanism in ["xoauth2", "oauthbearer"] {
        let oauth =
            format!("auth_mechanisms = plain {mechanism}\npassdb {{\n driver = oauth2\n mechanisms = {mechanism}\n args = DIR/oauth2.conf\n}}\n");
        let file = format!(
            "introspection_url = {}/introspect\nintrospection_mode = post\nusername_attribute = username\nactive_attribute = active\nactive_value = true\n",
            issuer.uri()
        );
        let post = Post::start_with(1, &oauth, &[("oauth2.conf", &file)]);
        let sending = Sending::start("tls", post.dir.path());
        let (dir, ws) = workspace();
        std::fs::create_dir_all(dir.path().join("connectors")).unwrap();
        let definition =
            TOKENS.replace("TOKENS", &issuer.uri()).replace("IMAPS", &post.imaps.to_string()).replace("SMTPS", &sending.port.to_string());
        std::fs::write(dir.path().join("connectors/box.toml"), definition).unwrap();
        let draft = |secret: &str| {
            let mut draft = credentials::draft_new(&ws, "box", None).unwrap();
            draft.settings.insert("client_id".to_owned(), "app".to_owned());
            draft.settings.insert("ca_file".to_owned(), post.ca());
            credentials::draft_save(&ws, &draft).unwrap();
            credentials::draft_secret(&ws, &draft.id, "client_secret", Secret::new(secret)).unwrap();
            draft.id
        };
        // The first token was revoked early: another one is fetched.
        let outcome = tested(&ws, &draft("good-secret")).await;
        assert!(outcome.ok, "{mechanism}: {:?}\n{}", outcome.problem, log(post.dir.path()));
        assert!(outcome.proves.contains("INBOX holds one message.") && outcome.proves.contains("no message was sent"), "{}", outcome.proves);
        let problem = refused(&ws, &draft("foul-secret")).await;
        assert!(problem.kind == ProblemKind::PersonMustAct && problem.what.contains("refused the token"), "{problem:?}");
        assert!(!format!("{problem:?}").contains("foul-Token-22"), "{problem:?}");
        assert_eq!(sending.sent(), "");
    }
}
