//! No secret of any kind gets out: every way to authenticate, every front end, the hand-off to another machine, a proxy with a password,
//! answers files, rotation, references, the vault's recipients, a crash, and a vendor that repeats in its errors all that it was sent. Then every byte that was printed, drawn or written is searched for each of them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use age::secrecy::ExposeSecret as _;
use base64::Engine as _;
use intertie::model::{Secret, Sink};
use intertie::ops::{Config, Workspace, answers, credentials};
use serde_json::json;
use url::Url;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::cli::{BINARY, Shell};
use crate::plain::answer;
use crate::pty::Pty;
use crate::searched::{Captured as _, Ended as _};
use crate::secrets::{forms, search, search_files};

const DEFINITION: &str = r#"
schema = 1
id = "sown"
name = "Sown"

[[input]]
key = "address"
label = "Address"
help = "As the test says."

[[input]]
key = "client_id"
label = "Client ID"
help = "As the test says."
default = "me"

[auth.header]
kind = "api_key"
name = "Key in a header"
default = true
placement = { header = "X-Key" }
[[auth.header.input]]
key = "api_key"
label = "API key"
help = "As the test says."
secret = true

[auth.query]
kind = "api_key"
name = "Key in the query"
placement = { query = "key" }
[[auth.query.input]]
key = "api_key"
label = "API key"
help = "As the test says."
secret = true

[auth.basic]
kind = "basic"
name = "User name and password"
[[auth.basic.input]]
key = "username"
label = "User name"
help = "As the test says."
[[auth.basic.input]]
key = "password"
label = "Password"
help = "As the test says."
secret = true

[auth.bearer]
kind = "bearer"
name = "Token"
[[auth.bearer.input]]
key = "token"
label = "Token"
help = "As the test says."
secret = true

[auth.client]
kind = "client_credentials"
name = "Client id and secret"
token_url = "{{ input.address }}/token"
client_auth = "basic"
[[auth.client.input]]
key = "client_secret"
label = "Client secret"
help = "As the test says."
secret = true

[auth.grant]
kind = "password"
name = "Password grant"
token_url = "{{ input.address }}/token"
client_auth = "none"
[[auth.grant.input]]
key = "username"
label = "User name"
help = "As the test says."
[[auth.grant.input]]
key = "password"
label = "Password"
help = "As the test says."
secret = true

[auth.assertion]
kind = "jwt_bearer"
name = "Signed assertion"
token_url = "{{ input.address }}/token"
client_auth = "none"
[[auth.assertion.input]]
key = "private_key"
label = "Private key"
help = "As the test says."
secret = true
[auth.assertion.jwt]
alg = "ES256"
claims = { iss = "{{ input.client_id }}", aud = "{{ input.address }}/token" }

[auth.code]
kind = "oauth2_code"
name = "Authorization code"
authorize_url = "{{ input.address }}/authorize"
token_url = "{{ input.address }}/token"
client_auth = "post"
[[auth.code.input]]
key = "client_secret"
label = "Client secret"
help = "As the test says."
secret = true

[request]
base_url = "{{ input.address }}/api"

[[check]]
path = "/me"
proves = "The credential works."

[[resource]]
id = "users"
name = "Users"
kind = "users"
path = "/users"
records = "data"
key = "id"
[[resource.field]]
path = "id"
label = "Id"
[[resource.field]]
path = "email"
label = "Email"
"#;

/// Secrets by the name of the variable that holds each.
const PLANTED: [(&str, &str); 16] = [
    ("API_KEY", "planted-api-key/+&=%"),
    ("QUERY_KEY", "planted query-key?"),
    ("PASSWORD", "planted pass:wörd"),
    ("GRANT_PASSWORD", "planted-grant-password"),
    ("TOKEN", "planted-bearer~token"),
    ("CLIENT_SECRET", "planted-client+secret/="),
    ("PASSPHRASE", "planted passphrase of the vault"),
    ("CODE", "planted-code/of.consent"),
    ("PROXY_WORD", "planted-proxy-word"),
    ("ROTATED_KEY", "planted-rotated/key=2"),
    ("REFERENCE_KEY", "planted-key-by+reference"),
    ("INTERTIE_HEADER_API_KEY", "planted-answered/key"),
    ("PLAIN_KEY", "planted-key-typed-in-lines&"),
    ("PLAIN_WRONG", "planted-wrong-key-typed-in-lines&"),
    ("SECOND_PASSPHRASE", "planted second-passphrase"),
    ("WRONG_PASSPHRASE", "planted wrong-passphrase"),
];

fn planted(name: &str) -> &'static str {
    PLANTED.iter().find(|(known, _)| *known == name).unwrap().1
}

/// A vendor that gives tokens and answers, or refuses and repeats everything that it was sent.
#[derive(Default)]
struct Vendor {
    refuses: AtomicBool,
    issued: AtomicU32,
    /// What it was sent and gave out that is as secret as what was planted.
    seen: Mutex<Vec<String>>,
}

impl Vendor {
    fn answer(&self, request: &Request) -> ResponseTemplate {
        let form: Vec<(String, String)> = url::form_urlencoded::parse(&request.body).into_owned().collect();
        let mut seen = self.seen.lock().unwrap();
        seen.extend(form.into_iter().filter(|(name, _)| ["code_verifier", "assertion"].contains(&name.as_str())).map(|(_, value)| value));
        if self.refuses.load(Ordering::SeqCst) {
            let headers: Vec<String> =
                request.headers.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap_or_default())).collect();
            let said = format!("{} {} {}", request.url, headers.join(" "), String::from_utf8_lossy(&request.body));
            let status = if request.url.path() == "/token" { 400 } else { 401 };
            let challenge: String = said.chars().filter(|c| (' '..='~').contains(c) && *c != '"').take(2_000).collect();
            return ResponseTemplate::new(status)
                .insert_header("WWW-Authenticate", format!("Bearer error_description=\"{challenge}\"").as_str())
                .set_body_json(json!({"error": "invalid_request", "error_description": said, "message": said, "errors": [{"detail": said}]}));
        }
        if request.url.path() == "/token" {
            let n = self.issued.fetch_add(1, Ordering::SeqCst);
            // A JWT, so that there is something to show of it.
            let part = |text: String| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(text);
            let signature = part(format!("Xq7-signature-{n}-vT2mK9"));
            let access = format!("{}.{}.{signature}", part(r#"{"alg":"HS256","typ":"JWT"}"#.to_owned()), part(format!(r#"{{"sub":"ada","n":{n}}}"#)));
            let refresh = format!("Xq7-refresh-{n}-pL4wR8");
            seen.extend([access.clone(), signature, refresh.clone()]);
            return ResponseTemplate::new(200)
                .set_body_json(json!({"access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600}));
        }
        ResponseTemplate::new(200).set_body_json(json!({"data": [{"id": 1, "email": "ada@example.org"}]}))
    }
}

struct Journey {
    shell: Shell,
    address: String,
    key_file: String,
    printed: Vec<(String, Vec<u8>)>,
}

impl Journey {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.shell.command(&[arguments, &["--passphrase", "env:PASSPHRASE"]].concat());
        command.envs(PLANTED).env("RUST_BACKTRACE", "full");
        command.env("HTTPS_PROXY", format!("http://me:{}@127.0.0.1:9", planted("PROXY_WORD")));
        command
    }

    fn keep(&mut self, what: &str, output: &Output) {
        self.printed.push((what.to_owned(), [output.stdout.clone(), output.stderr.clone()].concat()));
    }

    fn run(&mut self, arguments: &[&str]) -> i32 {
        let output = self.command(arguments).captured();
        self.keep(&arguments.join(" "), &output);
        output.status.code().unwrap_or_else(|| panic!("{arguments:?} was killed"))
    }

    fn both(&mut self, arguments: &[&str]) {
        self.run(arguments);
        self.run(&[arguments, &["--json"]].concat());
    }

    fn add(&mut self, name: &str, method: &str, more: &[&str]) -> i32 {
        let address = format!("address={}", self.address);
        let add = ["credential", "add", "sown", "--method", method, "--name", name, "--no-browser", "--set", &address];
        self.run(&[&add[..], more].concat())
    }

    /// Every method with its secrets, by reference.
    fn methods(&self) -> Vec<(&'static str, Vec<String>)> {
        let set = |pairs: &[&str]| pairs.iter().flat_map(|pair| ["--set".to_owned(), (*pair).to_owned()]).collect::<Vec<_>>();
        let key = format!("private_key=file:{}", self.key_file);
        vec![
            ("header", set(&["api_key=env:API_KEY"])),
            ("query", set(&["api_key=env:QUERY_KEY"])),
            ("basic", set(&["username=ada", "password=env:PASSWORD"])),
            ("bearer", set(&["token=env:TOKEN"])),
            ("client", set(&["client_secret=env:CLIENT_SECRET"])),
            ("grant", set(&["username=ada", "password=env:GRANT_PASSWORD"])),
            ("assertion", set(&[&key])),
        ]
    }

    /// Consent by way of another machine: what both sides say, and what anybody on the host can read of them.
    fn hand_over(&mut self, name: &str) -> i32 {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let redirect = format!("redirect_uri=http://127.0.0.1:{}/callback", taken.local_addr().unwrap().port());
        let address = format!("address={}", self.address);
        let add = ["credential", "add", "sown", "--method", "code", "--name", name, "--no-browser", "--set", &address, "--set", &redirect];
        let mut command = self.command(&[&add[..], &["--set", "client_secret=env:CLIENT_SECRET"]].concat());
        let mut here = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = BufReader::new(here.stderr.take().unwrap());
        let (mut all, mut request) = (String::new(), None);
        while request.is_none() {
            let mut line = String::new();
            assert!(told.read_line(&mut line).unwrap() > 0, "no request was shown: {all}");
            request = line.trim().strip_prefix("intertie authorize ").map(str::to_owned);
            all.push_str(&line);
        }
        let mut command = Command::new(BINARY);
        command.args(["authorize", "--no-browser", &request.unwrap()]).env_clear().env("HOME", self.shell.home.path());
        let mut there = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut seen = BufReader::new(there.stderr.take().unwrap());
        let mut url = None;
        while url.is_none() {
            let mut line = String::new();
            assert!(seen.read_line(&mut line).unwrap() > 0, "no address was shown");
            url = Url::parse(line.trim()).ok().filter(|url| url.scheme() == "http");
        }
        let url = url.unwrap();
        for id in [here.id(), there.id()] {
            self.printed.push(("argv".to_owned(), std::fs::read(format!("/proc/{id}/cmdline")).unwrap()));
            // What a crash would leave behind: no image of the memory.
            let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
            let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap().to_owned();
            assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
        }
        let asked = |name: &str| url.query_pairs().find(|(known, _)| known == name).unwrap().1.into_owned();
        let mut answer = Url::parse(&asked("redirect_uri")).unwrap();
        answer.query_pairs_mut().append_pair("code", planted("CODE")).append_pair("state", &asked("state"));
        // Something wrong first, so that it is told.
        let wrong = answer.as_str().replace(&asked("state"), "wrong");
        let stdin = there.stdin.as_mut().unwrap();
        writeln!(stdin, "{wrong}\n{answer}").and_then(|()| stdin.flush()).unwrap();
        let output = there.captured();
        let mut rest = Vec::new();
        seen.read_to_end(&mut rest).unwrap();
        self.printed.push(("the other machine".to_owned(), [output.stdout.clone(), rest].concat()));
        let stdin = here.stdin.as_mut().unwrap();
        writeln!(stdin, "{wrong}").unwrap();
        stdin.write_all(&output.stdout).and_then(|()| stdin.flush()).unwrap();
        told.read_to_string(&mut all).unwrap();
        self.printed.push(("consent".to_owned(), all.into_bytes()));
        let output = here.captured();
        self.keep("the answer brought back", &output);
        output.status.code().unwrap()
    }

    /// Rotation, references, answers files, and what is shown of tokens.
    fn keep_house(&mut self, vendor: &Vendor, outside: &Path) {
        let file = outside.join("reference").display().to_string();
        std::fs::write(&file, planted("REFERENCE_KEY")).unwrap();
        let reference = format!("api_key=file:{file}");
        for refuses in [true, false] {
            vendor.refuses.store(refuses, Ordering::SeqCst);
            let code = self.run(&["credential", "rotate", "header", "--set", "api_key=env:ROTATED_KEY"]);
            assert_eq!(code == 0, !refuses, "{}", self.last());
            let name = if refuses { "by reference, refused" } else { "by reference" };
            assert_eq!(self.add(name, "header", &["--reference", &reference]) == 0, !refuses, "{}", self.last());
            for arguments in [["credential", "token", "code"], ["credential", "scopes", "code"]] {
                self.both(&arguments);
            }
            self.both(&["credential", "calendar"]);
        }
        assert_eq!(self.run(&["credential", "rotate", "header", "--back", "api_key"]), 0, "{}", self.last());
        let ws = Workspace::open(&self.shell.workspace(), Config::default());
        for (name, ends) in [("header", Some(0)), ("by reference", Some(0)), ("code", None)] {
            let saved = self.shell.home.path().join(format!("{name}.answers.toml"));
            answers::save(&ws, &answers::Of::Credential(name.to_owned()), &saved).unwrap();
            let (saved, again) = (saved.display().to_string(), format!("{name} again"));
            if ends.is_some() {
                let code = self.run(&["credential", "add", "sown", "--answers", &saved, "--name", &again]);
                assert_eq!(Some(code), ends, "{}", self.last());
            }
        }
        // A secret in the file itself is refused, and not repeated.
        let faulty = outside.join("faulty.toml").display().to_string();
        for text in ["[secrets]\napi_key = \"SECRET\"", "[secrets]\napi_key = SECRET", "[settings]\napi_key = \"SECRET\"", "api_key = \"SECRET\""] {
            std::fs::write(&faulty, format!("method = \"header\"\n{}", text.replace("SECRET", planted("API_KEY")))).unwrap();
            assert_ne!(self.run(&["credential", "add", "sown", "--answers", &faulty]), 0, "{text}");
        }
        vendor.refuses.store(false, Ordering::SeqCst);
    }

    fn last(&self) -> String {
        String::from_utf8_lossy(&self.printed.last().unwrap().1).into_owned()
    }

    /// Who opens the vault, and a wrong passphrase.
    fn vault(&mut self, outside: &Path) {
        // A vault has one passphrase: the second is refused, and not repeated.
        let second = ["vault", "recipient", "add", "Second", "--with-passphrase", "--new-passphrase", "env:SECOND_PASSPHRASE"];
        assert_ne!(self.run(&second), 0);
        let identity = age::x25519::Identity::generate();
        let file = outside.join("identity").display().to_string();
        std::fs::write(&file, identity.to_string().expose_secret()).unwrap();
        assert_eq!(self.run(&["vault", "recipient", "add", "Ada", "--public", &identity.to_public().to_string()]), 0, "{}", self.last());
        self.both(&["vault", "recipient", "list"]);
        let output = self.shell.command(&["vault", "unlock", "--passphrase", "env:WRONG_PASSPHRASE"]).envs(PLANTED).captured();
        self.keep("a wrong passphrase", &output);
        assert!(!output.status.success(), "{}", self.last());
        let output = self.shell.command(&["credential", "test", "header", "--identity", &file]).captured();
        self.keep("another way in", &output);
        assert!(output.status.success(), "{}", self.last());
        self.run(&["vault", "unlock"]);
        self.run(&["vault", "lock"]);
        self.both(&["vault", "status"]);
    }

    /// The plain console: a wrong key, then the right one, and its answers file.
    fn plain(&mut self, vendor: &Vendor) {
        let mut command = portable_pty::CommandBuilder::new(BINARY);
        command.arg("--plain");
        command.env_clear();
        command.env("INTERTIE_WORKSPACE", self.shell.workspace());
        let mut pty = Pty::start(160, 400, self.shell.home.path(), command);
        vendor.refuses.store(true, Ordering::SeqCst);
        let address = self.address.clone();
        for (question, text) in [
            ("What now", "Connect a system"),
            ("Which one", "Begin a new one"),
            ("Which system", "sown"),
            ("Which connector", "1"),
            ("How to authenticate", "Key in a header"),
            ("Passphrase", planted("PASSPHRASE")),
            ("Name of the credential", "In lines"),
            ("Address", &address),
            ("Client ID", ""),
            ("API key", planted("PLAIN_WRONG")),
            ("What now", "Change the answers"),
        ] {
            answer(&mut pty, question, text);
        }
        vendor.refuses.store(false, Ordering::SeqCst);
        for (question, text) in [
            ("Name of the credential", ""),
            ("Address", ""),
            ("Client ID", ""),
            ("API key", planted("PLAIN_KEY")),
            ("What now", "Credentials"),
            ("Which credential", "In lines, sown: valid"),
            ("What now", "Show its answers file"),
            ("What now", ""),
            ("Which credential", ""),
            ("What now", ""),
        ] {
            answer(&mut pty, question, text);
        }
        assert_eq!(pty.end(Duration::from_secs(30)), Some(0));
        let screen = pty.with_screen(|screen, _| screen.contents());
        assert!(screen.contains("INTERTIE_IN_LINES_API_KEY"), "no answers file was shown:\n{screen}");
        self.printed.push(("the plain console's screen".to_owned(), screen.into_bytes()));
        self.printed.push(("what the plain console wrote".to_owned(), pty.drawn()));
    }

    /// What a crash writes: panics with secrets in memory, in the console and in a command; and the console killed by SIGABRT.
    fn crash(&mut self) {
        let half = ["secrecy::panics_with_secrets_in_memory", "--exact", "--ignored", "--nocapture", "--test-threads=1"];
        let test = std::env::current_exe().unwrap();
        let mut command = Command::new(&test);
        command.args(half).current_dir(self.shell.home.path()).envs(PLANTED);
        let output = command.env("PLANTED_WORKSPACE", self.shell.workspace()).env("RUST_BACKTRACE", "full").captured();
        self.keep("a command that panics", &output);
        assert!(!output.status.success() && self.last().contains("the fault that was asked for"), "{}", self.last());

        let mut command = portable_pty::CommandBuilder::new("env");
        command.args(["RUST_BACKTRACE=full", test.to_str().unwrap()]);
        command.args(half);
        for (name, value) in PLANTED {
            command.env(name, value);
        }
        command.env("PLANTED_WORKSPACE", self.shell.workspace());
        command.env("PLANTED_CONSOLE", "1");
        let mut pty = Pty::start(200, 400, self.shell.home.path(), command);
        pty.see("the fault that was asked for");
        pty.restored();
        assert_ne!(pty.end(Duration::from_secs(30)), Some(0));
        self.printed.push(("a console that panics".to_owned(), pty.drawn()));

        let mut command = portable_pty::CommandBuilder::new(BINARY);
        command.env_clear();
        command.env("INTERTIE_WORKSPACE", self.shell.workspace());
        let mut pty = Pty::start(160, 50, self.shell.home.path(), command);
        pty.see("Sown");
        pty.keys("\x1b[F").see("Last test");
        pty.keys("t").see("Unlock the vault");
        pty.keys(planted("PASSPHRASE")).see("••••");
        pty.keys("\r").see_no_more("Unlock the vault");
        pty.signal(rustix::process::Signal::ABORT);
        assert_ne!(pty.end(Duration::from_secs(30)), Some(0));
        self.printed.push(("a console that is aborted".to_owned(), pty.drawn()));
    }

    /// The console on this workspace: unlocks the vault by keys, tests, looks at everything.
    fn console(&mut self) {
        let mut command = portable_pty::CommandBuilder::new(BINARY);
        command.env_clear();
        command.env("INTERTIE_WORKSPACE", self.shell.workspace());
        command.env("HTTPS_PROXY", format!("http://me:{}@127.0.0.1:9", planted("PROXY_WORD")));
        let mut pty = Pty::start(160, 50, self.shell.home.path(), command);
        pty.see("Overview");
        pty.keys("3").see("Sown");
        // Drafts come first; the last one is a credential.
        pty.keys("\x1b[F").see("Last test");
        pty.keys("t").see("Unlock the vault");
        pty.keys(planted("PASSPHRASE")).see("••••");
        pty.keys("\r").see_no_more("Unlock the vault");
        for _ in 0..3 {
            pty.keys("kt");
        }
        for pane in ["1", "2", "4", "5", "6", "3"] {
            pty.keys(pane);
        }
        pty.see("Sown");
        pty.keys("q");
        pty.end(Duration::from_secs(30));
        let screen = pty.with_screen(|screen, _| screen.contents());
        self.printed.push(("the console's screen".to_owned(), screen.into_bytes()));
        self.printed.push(("what the console drew".to_owned(), pty.drawn()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_of_any_kind_gets_out() {
    let server = MockServer::start().await;
    let vendor = Arc::new(Vendor::default());
    let for_server = Arc::clone(&vendor);
    Mock::given(any()).respond_with(move |request: &Request| for_server.answer(request)).mount(&server).await;

    let shell = Shell::new();
    std::fs::create_dir_all(shell.workspace().join("connectors")).unwrap();
    std::fs::write(shell.workspace().join("connectors/sown.toml"), DEFINITION).unwrap();
    // The key is the person's own file: outside of all that is searched.
    let outside = tempfile::tempdir().unwrap();
    let pem = rcgen::KeyPair::generate().unwrap().serialize_pem();
    let key_file = outside.path().join("key.pem").display().to_string();
    std::fs::write(&key_file, &pem).unwrap();
    let mut journey = Journey { shell, address: server.uri(), key_file, printed: Vec::new() };

    // Refused first, then well: what is told differs.
    for refuses in [true, false] {
        vendor.refuses.store(refuses, Ordering::SeqCst);
        for (method, secrets) in journey.methods() {
            let secrets: Vec<&str> = secrets.iter().map(String::as_str).collect();
            let name = if refuses { format!("{method} refused") } else { method.to_owned() };
            let code = journey.add(&name, method, &secrets);
            assert_eq!(code == 0, !refuses, "{name}: {}", String::from_utf8_lossy(&journey.printed.last().unwrap().1));
        }
        let code = journey.hand_over(if refuses { "code refused" } else { "code" });
        assert_eq!(code == 0, !refuses, "{}", String::from_utf8_lossy(&journey.printed.last().unwrap().1));
    }
    // Through the proxy, which is not there.
    let elsewhere = ["--set", "address=https://sown.invalid", "--set", "api_key=env:API_KEY"];
    assert_ne!(journey.add("elsewhere", "header", &elsewhere), 0);
    journey.both(&["doctor"]);
    // Secrets at the wrong place are not repeated.
    for arguments in [
        &["credential", "add", "sown", "--set", planted("API_KEY")][..],
        &["credential", "add", "sown", "--set", "api_key=planted-api-key/+&=%"],
        &["vault", "rekey", "--with-passphrase", "--new-passphrase", planted("API_KEY")],
    ] {
        let output = journey.shell.command(arguments).captured();
        assert_ne!(output.status.code(), Some(0), "{arguments:?}");
        journey.keep("a secret at the wrong place", &output);
    }
    journey.keep_house(&vendor, outside.path());
    for (refuses, credential) in
        [false, true].into_iter().flat_map(|refuses| ["header", "query", "basic", "client", "code"].map(|name| (refuses, name)))
    {
        vendor.refuses.store(refuses, Ordering::SeqCst);
        journey.both(&["credential", "test", credential]);
        journey.run(&["credential", "show", credential, "--json"]);
    }
    // Only now with a passphrase: it need not be tried for each command.
    assert_eq!(
        journey.run(&["vault", "rekey", "--with-passphrase", "--new-passphrase", "env:PASSPHRASE"]),
        0,
        "{}",
        String::from_utf8_lossy(&journey.printed.last().unwrap().1)
    );
    journey.console();
    vendor.refuses.store(false, Ordering::SeqCst);
    journey.vault(outside.path());
    journey.plain(&vendor);
    journey.crash();
    journey.run(&["integration", "new", "Users", "--credential", "query", "--resource", "users"]);
    journey.run(&["mapping", "preview", "Users", "--json"]);
    for arguments in [&["credential", "list"][..], &["integration", "export", "Users"], &["notice", "list"], &["overview"], &["vault", "verify"]] {
        journey.both(arguments);
    }

    // The vendor did see them; otherwise the search would prove nothing.
    let requests = server.received_requests().await.unwrap();
    let sent: String =
        requests.iter().map(|request| format!("{} {:?} {}", request.url, request.headers, String::from_utf8_lossy(&request.body))).collect();
    let base64 = |text: String| base64::engine::general_purpose::STANDARD.encode(text);
    for part in [
        planted("API_KEY").to_owned(),
        "planted%20query-key%3F".to_owned(),
        base64(format!("ada:{}", planted("PASSWORD"))),
        planted("TOKEN").to_owned(),
        planted("ROTATED_KEY").to_owned(),
        planted("REFERENCE_KEY").to_owned(),
        planted("INTERTIE_HEADER_API_KEY").to_owned(),
        planted("PLAIN_WRONG").to_owned(),
        planted("PLAIN_KEY").to_owned(),
        planted("GRANT_PASSWORD").to_owned(),
        "planted-code%2Fof.consent".to_owned(),
        "planted-client%2Bsecret%2F%3D".to_owned(),
    ] {
        assert!(sent.contains(&part) || sent.contains(&part.replace("%20", "+")), "the vendor was never sent {part}");
    }

    let mut secrets: Vec<String> = PLANTED.iter().map(|(_, secret)| (*secret).to_owned()).collect();
    secrets.extend(vendor.seen.lock().unwrap().iter().cloned());
    // Of the private key, its longest lines; they stand for all of it.
    secrets.extend(pem.lines().filter(|line| line.len() > 40 && !line.starts_with("-----")).map(str::to_owned));
    assert!(secrets.len() > 20, "{} secrets", secrets.len());
    let needles: Vec<Vec<u8>> = secrets.iter().flat_map(|secret| forms(secret)).collect();
    for (what, bytes) in &journey.printed {
        search(what, bytes, &needles);
        // The one-time keys of hand-offs, in the form that age gives them.
        search(what, bytes, &[b"AGE-SECRET-KEY-".to_vec()]);
    }
    let mut seen = 0;
    search_files(journey.shell.home.path(), &needles, &mut seen);
    assert!(seen > 8, "{seen} files");
    the_search_would_have_found_them(&journey, outside.path(), &needles);
}

/// The other half of [`Journey::crash`]: a panic of the real code's thread, with a vault that is open, a credential that was just used, and
/// all that can be printed of them.
#[test]
#[ignore = "run by no_secret_of_any_kind_gets_out, in a process of its own"]
fn panics_with_secrets_in_memory() {
    let read = |name: &str| std::env::var(name).unwrap();
    let ws = Workspace::open(Path::new(&read("PLANTED_WORKSPACE")), Config::default());
    intertie::ops::vault::unlock(&ws, &Secret::new(read("PASSPHRASE"))).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let held: Vec<Secret> = PLANTED.iter().map(|(name, _)| Secret::new(read(name))).collect();
    let tested = runtime.block_on(credentials::test(&ws, "header", &Sink::none())).unwrap();
    let credential = credentials::get(&ws, "header").unwrap();
    let _guard = std::env::var_os("PLANTED_CONSOLE").map(|_| {
        intertie::tui::term::guard::hook_panics();
        intertie::tui::term::guard::Guard::take(true).unwrap()
    });
    panic!("the fault that was asked for, with {} secrets held: {tested:?} {credential:?}", held.len());
}

/// Each secret, written into a copy of what was searched, is found there: the search can fail.
fn the_search_would_have_found_them(journey: &Journey, dir: &Path, needles: &[Vec<u8>]) {
    let mut log: Vec<u8> = journey.printed.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
    log.truncate(20_000);
    let dir = dir.join("copy");
    std::fs::create_dir_all(&dir).unwrap();
    for (_, secret) in PLANTED {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
        let standard = base64::engine::general_purpose::STANDARD.encode(format!("me:{secret}:x"));
        let hex: String = secret.bytes().map(|byte| format!("{byte:02X}")).collect();
        for hidden in [secret.to_owned(), encoded, standard, hex] {
            std::fs::write(dir.join("a.log"), [&log[..], hidden.as_bytes(), b"\n"].concat()).unwrap();
            let found = std::panic::catch_unwind(|| search_files(&dir, needles, &mut 0));
            assert!(found.is_err(), "{hidden} was not found");
        }
    }
}
