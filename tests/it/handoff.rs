//! Consent on another machine: the real program on both sides, each with a home of its own, against the practice vendor; the browser is
//! played by requests.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::{Child, ChildStderr, Command, Stdio};

use intertie::practice::{self, Practice};
use serde_json::Value;
use url::Url;

use crate::cli::{BINARY, Shell, with_practice};
use crate::searched::Ended as _;

/// The program, with its standard error read line by line.
struct Side {
    child: Child,
    told: BufReader<ChildStderr>,
    all: String,
}

impl Side {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let told = BufReader::new(child.stderr.take().unwrap());
        Self { child, told, all: String::new() }
    }

    /// The next line that begins so, without it.
    fn line(&mut self, start: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.told.read_line(&mut line).unwrap() > 0, "no line begins with “{start}”:\n{}", self.all);
            self.all.push_str(&line);
            if let Some(rest) = line.trim().strip_prefix(start) {
                return rest.to_owned();
            }
        }
    }

    fn say(&mut self, text: &str) {
        let stdin = self.child.stdin.as_mut().unwrap();
        writeln!(stdin, "{text}").and_then(|()| stdin.flush()).unwrap();
    }

    /// Everything that anybody on the host can read of it while it runs.
    fn seen_from_outside(&self) -> String {
        let read = |what: &str| String::from_utf8_lossy(&std::fs::read(format!("/proc/{}/{what}", self.child.id())).unwrap()).into_owned();
        read("cmdline") + &read("environ")
    }

    /// Its exit code, what it printed, and what it told.
    fn end(mut self) -> (i32, String, String) {
        drop(self.child.stdin.take());
        self.told.read_to_string(&mut self.all).unwrap();
        crate::searched::seen("what was told", self.all.as_bytes());
        let output = self.child.captured();
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap(), self.all)
    }
}

/// The host that asks. Nothing can be heard there: the answer has to come from elsewhere.
struct Asking {
    shell: Shell,
    side: Side,
    request: String,
    port: u16,
}

fn ask(vendor: &Practice, shell: Shell, name: &str) -> Asking {
    // Taken while it starts, and free again for the other machine, which is the same one here.
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let secret = shell.home.path().join("secret");
    std::fs::write(&secret, practice::CLIENT_SECRET).unwrap();
    crate::searched::own(&secret, "a reference to it is kept; the file is the person's");
    let (address, client) = (format!("address={}", vendor.base_url), format!("client_id={}", practice::CLIENT_ID));
    let (secret, redirect) = (format!("client_secret=file:{}", secret.display()), format!("redirect_uri=http://127.0.0.1:{port}/callback"));
    // An address of its own keeps to the one way that these tests are about: no pushed request, no device code.
    let authorize = format!("authorize_url={}/oauth/authorize", vendor.base_url);
    let add = ["credential", "add", "practice-clickwrap", "--method", "oauth2_code", "--no-browser", "--json", "--name", name];
    let mut command =
        shell.command(&[&add[..], &["--set", &address, "--set", &client, "--set", &secret, "--set", &redirect, "--set", &authorize]].concat());
    command.env_remove("CLIENT_SECRET").env_remove("OTHER_SECRET");
    let mut side = Side::start(command);
    let request = side.line("intertie authorize ");
    Asking { shell, side, request, port }
}

/// The machine with the browser: a home that stays empty, no workspace.
fn elsewhere(home: &crate::searched::Place, arguments: &[&str]) -> Side {
    let mut command = Command::new(BINARY);
    command.args(["authorize", "--no-browser"]).args(arguments).env_clear().env("HOME", home.path());
    Side::start(command)
}

/// What a browser does with an address: the page it ends on, headers and all.
pub fn visit(address: &str) -> String {
    let url = Url::parse(address).unwrap();
    let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
    let mut stream = TcpStream::connect(&host).unwrap();
    write!(stream, "GET {}?{} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", url.path(), url.query().unwrap()).unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

fn parameter(address: &str, name: &str) -> String {
    Url::parse(address).unwrap().query_pairs().find(|(known, _)| known == name).unwrap_or_else(|| panic!("{name}: {address}")).1.into_owned()
}

fn error(stdout: &str) -> Value {
    serde_json::from_str::<Value>(stdout).unwrap_or_else(|error| panic!("{error}: {stdout}"))["error"].clone()
}

#[test]
fn consent_is_given_on_another_machine() {
    with_practice(|vendor| {
        let mut here = ask(vendor, Shell::new(), "Handed over");
        let home = crate::searched::place();
        let mut there = elsewhere(&home, &[&here.request]);
        let url = there.line("http");
        let url = format!("http{url}");
        assert_eq!(parameter(&url, "redirect_uri"), format!("http://127.0.0.1:{}/callback", here.port));
        let callback = vendor.consent(&url, true).unwrap();
        let code = parameter(&callback, "code");
        for side in [&here.side, &there] {
            let seen = side.seen_from_outside();
            assert!(seen.contains("intertie") && !seen.contains(practice::CLIENT_SECRET) && !seen.contains(&code), "{seen}");
        }
        // A stranger's request, and one with another state, change nothing.
        assert!(visit(&format!("http://127.0.0.1:{}/callback?utm=1", here.port)).starts_with("HTTP/1.1 404"));
        assert!(visit(&format!("http://127.0.0.1:{}/callback?code=evil&state=evil", here.port)).starts_with("HTTP/1.1 400"));
        let page = visit(&callback);
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("the answer is ready"), "{page}");
        assert!(!page.contains(&code) && page.contains("referrer-policy: no-referrer") && page.contains("cache-control: no-store"), "{page}");
        let (ended, sealed, told) = there.end();
        assert_eq!(ended, 0, "{told}");
        assert!(told.contains("Practice") && !told.contains(&code) && !sealed.contains(&code), "{told}");
        assert_eq!(sealed.lines().count(), 1, "{sealed}");
        assert!(sealed.len() < 1_000, "{} characters", sealed.len());
        assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0, "something was kept where consent was given");

        // Wrapped on its way back.
        here.side.say(&format!("  \"{}\"  ", sealed.trim()));
        let (ended, saved, told) = here.side.end();
        assert_eq!(ended, 0, "{told}");
        assert_eq!(serde_json::from_str::<Value>(&saved).unwrap()["status"], "valid", "{saved}");

        // The same answer again opens nothing.
        let mut again = ask(vendor, here.shell, "Again");
        again.side.say(sealed.trim());
        let (ended, stdout, told) = again.side.end();
        assert!(told.contains("another request"), "{told}");
        assert_eq!((ended, error(&stdout)["what"].is_string()), (3, true), "{stdout}");
    });
}

#[test]
fn a_captured_request_and_answer_redeem_nothing() {
    with_practice(|vendor| {
        let here = ask(vendor, Shell::new(), "Captured");
        let home = crate::searched::place();
        let mut there = elsewhere(&home, &["--json", &here.request]);
        let url = format!("http{}", there.line("http"));
        let callback = vendor.consent(&url, true).unwrap();
        visit(&callback);
        let (ended, answer, _) = there.end();
        assert_eq!(ended, 0);
        let answer: Value = serde_json::from_str(&answer).unwrap();
        let sealed = answer["answer"].as_str().unwrap();
        assert_eq!(answer["refused"], Value::Null);

        // Whoever has both cannot read the code: the answer is refused by everybody but the host that asked.
        let mut thief = ask(vendor, Shell::new(), "Thief");
        thief.side.say(sealed);
        let (ended, stdout, told) = thief.side.end();
        assert!(ended == 3 && told.contains("another request") && !stdout.contains("valid"), "{told}{stdout}");

        // And even with the code, and the client's own secret: no verifier, no tokens.
        let code = parameter(&callback, "code");
        let redirect = format!("http://127.0.0.1:{}/callback", here.port);
        let form = |verifier: Option<&str>| {
            let mut form = url::form_urlencoded::Serializer::new(String::new());
            form.append_pair("grant_type", "authorization_code").append_pair("code", &code).append_pair("redirect_uri", &redirect);
            form.append_pair("client_id", practice::CLIENT_ID).append_pair("client_secret", practice::CLIENT_SECRET);
            if let Some(verifier) = verifier {
                form.append_pair("code_verifier", verifier);
            }
            form.finish()
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for verifier in [None, Some("guessed-guessed-guessed-guessed-guessed-guessed"), Some(parameter(&url, "code_challenge").as_str())] {
            let address = Url::parse(&format!("{}/oauth/token", vendor.base_url)).unwrap();
            let request = intertie::vendor::http::client_for(&address)
                .unwrap()
                .post(address)
                .header("content-type", "application/x-www-form-urlencoded")
                .body(form(verifier));
            let answer = runtime.block_on(async { request.send().await.unwrap() });
            assert_eq!(answer.status(), 400);
            let body = runtime.block_on(async { answer.text().await.unwrap() });
            assert!(body.contains("invalid_grant") && body.contains("verifier"), "{body}");
        }
        // The host that asked still can.
        let mut side = here.side;
        side.say(sealed);
        let (ended, _, told) = side.end();
        assert_eq!(ended, 0, "{told}");
    });
}

#[test]
fn a_refusal_travels_too() {
    with_practice(|vendor| {
        let here = ask(vendor, Shell::new(), "Refused");
        let home = crate::searched::place();
        // From a file, wrapped and quoted as a mail would.
        let file = home.path().join("request.txt");
        let wrapped: Vec<String> = here.request.as_bytes().chunks(64).map(|line| format!("> {}", String::from_utf8_lossy(line))).collect();
        std::fs::write(&file, format!("Ada wrote:\n\n{}\n", wrapped.join("\n"))).unwrap();
        let mut there = elsewhere(&home, &[file.to_str().unwrap()]);
        let url = format!("http{}", there.line("http"));
        let page = visit(&vendor.consent(&url, false).unwrap());
        assert!(page.contains("consent was refused") && page.contains("class=\"refused\""), "{page}");
        let (ended, sealed, told) = there.end();
        assert!(ended == 0 && told.contains("refused"), "{told}");
        let mut side = here.side;
        side.say(sealed.trim());
        let (ended, stdout, _) = side.end();
        assert_eq!((ended, error(&stdout)["code"].as_str()), (3, Some("access_denied")), "{stdout}");
    });
}

#[test]
fn what_cannot_be_followed_says_why() {
    let home = crate::searched::place();
    for (arguments, stdin, code, part) in [
        (&["--json", "nothing-of-the-kind"][..], "", 2, "intertie-request-"),
        (&["--json", "intertie-request-1-AAAAAAAAAAAA"], "", 2, "incomplete"),
        (&["--json", "intertie-request-9-AAAAAAAAAAAA"], "", 2, "not known"),
        (&["--json", "intertie-answer-1-AAAAAAAAAAAA"], "", 2, "sealed answer"),
        (&["--json", "-"], "intertie-request-1-AAAA\nBBBB", 2, "incomplete"),
        (&["--json"], "", 2, "no terminal"),
    ] {
        let mut side = elsewhere(&home, arguments);
        side.child.stdin.as_mut().unwrap().write_all(stdin.as_bytes()).unwrap();
        let (ended, stdout, _) = side.end();
        assert_eq!(ended, code, "{arguments:?}: {stdout}");
        assert!(error(&stdout)["why"].as_str().unwrap().contains(part), "{arguments:?}: {stdout}");
    }
    assert_eq!(std::fs::read_dir(home.path()).unwrap().count(), 0);
}

#[test]
fn where_nothing_can_be_heard_the_answer_is_pasted() {
    with_practice(|vendor| {
        let here = ask(vendor, Shell::new(), "Pasted there");
        let home = crate::searched::place();
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, here.port)).unwrap();
        let mut there = elsewhere(&home, &[&here.request]);
        let url = format!("http{}", there.line("http"));
        let callback = vendor.consent(&url, true).unwrap();
        there.say(&url);
        there.say("https://example.org/?code=somebody-elses&state=no");
        there.say(&callback);
        let (ended, sealed, told) = there.end();
        assert_eq!(ended, 0, "{told}");
        assert!(told.contains("the one that was opened") && told.contains("another request"), "{told}");
        let mut side = here.side;
        side.say(sealed.trim());
        let (ended, _, told) = side.end();
        assert_eq!(ended, 0, "{told}");
    });
}
