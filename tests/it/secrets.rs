//! No secret leaves the vault: a whole journey by commands, with a vendor that repeats in its errors whatever it was sent, and then every byte
//! that was printed or written is searched.

use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use serde_json::json;
use wiremock::matchers::{method, path, path_regex};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::cli::Shell;
use crate::searched::{Captured as _, Ended as _};

/// Every secret of the journey begins with this, so that the search finds a part of one, too.
const MARK: &str = "planted-";
const CLIENT_SECRET: &str = "planted-client/+&=% secret";
const WRONG_SECRET: &str = "planted-wrong-secret";
const PASSPHRASE: &str = "planted-passphrase";

/// What the vendor does next.
#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    /// The token endpoint refuses, and repeats the request.
    NoToken,
    /// The API refuses the token, and repeats it; the body has two megabytes.
    NoApi(u16),
}

#[derive(Default)]
struct Vendor {
    mood: Option<Mood>,
    issued: u32,
    /// What was sent and is as secret as what was planted: the verifiers of PKCE.
    verifiers: Vec<String>,
}

/// All of a request that holds a secret: its body and its `Authorization` header.
fn repeated(request: &Request) -> String {
    let header = request.headers.get("authorization").map_or("", |value| value.to_str().unwrap());
    format!("{} {header}", String::from_utf8_lossy(&request.body))
}

fn token(vendor: &Mutex<Vendor>, request: &Request) -> ResponseTemplate {
    let mut vendor = vendor.lock().unwrap();
    for (key, value) in url::form_urlencoded::parse(&request.body) {
        if key == "code_verifier" {
            vendor.verifiers.push(value.into_owned());
        }
    }
    if vendor.mood == Some(Mood::NoToken) {
        let error = json!({ "error": "invalid_client", "error_description": format!("I was sent {}", repeated(request)), "sent": repeated(request) });
        return ResponseTemplate::new(401).set_body_json(error);
    }
    vendor.issued += 1;
    let n = vendor.issued;
    ResponseTemplate::new(200).set_body_json(json!({
        "access_token": format!("planted-access-{n}"),
        "refresh_token": format!("planted-refresh-{n}"),
        "id_token": format!("planted-id-{n}"),
        "token_type": "Bearer",
        "expires_in": 3600,
        "scope": "members:read offline_access",
    }))
}

fn members(vendor: &Mutex<Vendor>, request: &Request) -> ResponseTemplate {
    if let Some(Mood::NoApi(status)) = vendor.lock().unwrap().mood {
        let said = format!("refused: {} ", repeated(request));
        let header = format!("Bearer error=\"invalid_token\", error_description=\"{said}\"");
        let body = json!({ "error": { "code": said, "message": said.repeat(2_000_000 / said.len()) }, "message": said });
        return ResponseTemplate::new(status).insert_header("WWW-Authenticate", header.as_str()).set_body_json(body);
    }
    let member = json!({ "id": 1, "email": "ada@example.org", "name": "Ada", "status": "active" });
    ResponseTemplate::new(200).set_body_json(json!({ "data": [member], "has_more": false, "total_count": 1 }))
}

/// The journey's commands, and everything that they printed.
struct Journey {
    shell: Shell,
    printed: Vec<(String, Vec<u8>)>,
}

impl Journey {
    fn command(&self, arguments: &[&str]) -> std::process::Command {
        let mut command = self.shell.command(&[arguments, &["--passphrase", "env:PASSPHRASE"]].concat());
        command.env("RIGHT", CLIENT_SECRET).env("WRONG", WRONG_SECRET).env("PASSPHRASE", PASSPHRASE).env("RUST_BACKTRACE", "1");
        command
    }

    fn keep(&mut self, arguments: &[&str], output: &Output) {
        self.printed.push((arguments.join(" "), [output.stdout.clone(), output.stderr.clone()].concat()));
    }

    /// For people and as JSON, where a second time does no harm.
    fn run(&mut self, arguments: &[&str], ends: impl Fn(i32) -> bool) {
        let output = self.command(arguments).captured();
        let code = output.status.code().unwrap();
        assert!(ends(code), "{arguments:?} ended with {code}: {}", String::from_utf8_lossy(&[output.stdout, output.stderr].concat()));
        self.keep(arguments, &output);
    }

    fn both(&mut self, arguments: &[&str], ends: impl Fn(i32) -> bool) {
        self.run(arguments, &ends);
        self.run(&[arguments, &["--json"]].concat(), &ends);
    }

    /// Adds a credential with consent, as a browser gives it: the code comes by the loopback.
    fn consent(&mut self, name: &str, secret: &str, issuer: &str, ends: impl Fn(i32) -> bool) {
        let (address, secret) = (format!("address={issuer}"), format!("client_secret=env:{secret}"));
        let add = ["credential", "add", "practice-clickwrap", "--method", "oauth2_code", "--no-browser", "--json", "--name", name];
        let arguments = [&add[..], &["--set", &address, "--set", "client_id=me", "--set", &secret]].concat();
        let mut child = self.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = std::io::BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut all) = (String::new(), String::new());
        while !line.trim().starts_with("http") {
            line.clear();
            assert!(told.read_line(&mut line).unwrap() > 0, "no address was shown: {all}");
            all.push_str(&line);
        }
        // While it waits, anybody on the host can read its arguments.
        let argv = std::fs::read(format!("/proc/{}/cmdline", child.id())).unwrap();
        self.printed.push(("argv".to_owned(), argv));
        let url = url::Url::parse(line.trim()).unwrap();
        let asked = |key: &str| url.query_pairs().find(|(known, _)| known == key).unwrap().1.into_owned();
        let mut target = url::Url::parse(&asked("redirect_uri")).unwrap();
        target.query_pairs_mut().append_pair("code", "planted-code").append_pair("state", &asked("state")).append_pair("iss", issuer);
        let mut stream = std::net::TcpStream::connect((target.host_str().unwrap(), target.port().unwrap())).unwrap();
        let host = format!("{}:{}", target.host_str().unwrap(), target.port().unwrap());
        write!(stream, "GET {}?{} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", target.path(), target.query().unwrap()).unwrap();
        let mut page = Vec::new();
        stream.read_to_end(&mut page).unwrap();
        self.printed.push(("the page in the browser".to_owned(), page));
        told.read_to_string(&mut all).unwrap();
        self.printed.push(("consent".to_owned(), all.into_bytes()));
        let output = child.captured();
        let code = output.status.code().unwrap();
        assert!(ends(code), "consent ended with {code}: {}", String::from_utf8_lossy(&output.stdout));
        self.keep(&arguments, &output);
    }
}

/// The forms in which a secret might lie about: as it is, in hexadecimal, percent-encoded, escaped in JSON, and in Base64 at each of the three
/// places where it can begin.
pub fn forms(secret: &str) -> Vec<Vec<u8>> {
    let hex: String = secret.bytes().map(|byte| format!("{byte:02x}")).collect();
    let encoded: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let json = serde_json::to_string(secret).unwrap();
    let plain = [secret, &hex, &hex.to_uppercase(), &encoded, &encoded.replace('+', "%20"), &encoded.to_lowercase(), json.trim_matches('"')];
    let mut forms: Vec<Vec<u8>> = plain.iter().map(|form| form.as_bytes().to_vec()).collect();
    for before in 0..3 {
        let padded = [&b"..."[..before], secret.as_bytes()].concat();
        let encoded = base64::engine::general_purpose::STANDARD_NO_PAD.encode(padded);
        // The first and the last characters depend on what is beside it.
        let from = (before * 8).div_ceil(6);
        forms.push(encoded.as_bytes()[from..encoded.len() - 1].to_vec());
    }
    forms.sort();
    forms.dedup();
    forms
}

fn find(bytes: &[u8], needle: &[u8]) -> Option<usize> {
    let (first, mut from) = (*needle.first()?, 0);
    loop {
        from += bytes.get(from..)?.iter().position(|byte| *byte == first)?;
        if bytes[from..].starts_with(needle) {
            return Some(from);
        }
        from += 1;
    }
}

pub fn search(place: &str, bytes: &[u8], needles: &[Vec<u8>]) {
    for needle in needles {
        if let Some(at) = find(bytes, needle) {
            let around = &bytes[at.saturating_sub(200)..(at + 100).min(bytes.len())];
            panic!("{place} holds {}:\n{}", String::from_utf8_lossy(needle), String::from_utf8_lossy(around));
        }
    }
}

pub fn search_files(dir: &Path, needles: &[Vec<u8>], seen: &mut usize) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        search("a file's name", path.file_name().unwrap().as_encoded_bytes(), needles);
        if path.is_dir() {
            search_files(&path, needles, seen);
        } else {
            *seen += 1;
            search(&path.display().to_string(), &std::fs::read(&path).unwrap(), needles);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_printed_or_written_holds_a_secret() {
    let server = MockServer::start().await;
    let vendor = Arc::new(Mutex::new(Vendor::default()));
    let (for_token, for_members) = (vendor.clone(), vendor.clone());
    Mock::given(method("POST")).and(path("/oauth/token")).respond_with(move |request: &Request| token(&for_token, request)).mount(&server).await;
    Mock::given(method("GET"))
        .and(path_regex("^/v1.1/accounts/[^/]+/members$"))
        .respond_with(move |request: &Request| members(&for_members, request))
        .mount(&server)
        .await;
    let mood = |mood| vendor.lock().unwrap().mood = Some(mood);
    let uri = server.uri();
    let mut journey = Journey { shell: Shell::new(), printed: Vec::new() };
    let (good, bad) = (|code| code == 0, |code| matches!(code, 1 | 3));

    journey.run(&["vault", "init", "--with-passphrase"], good);
    let wrong = journey.shell.command(&["vault", "verify", "--passphrase", "env:WRONG"]).env("WRONG", WRONG_SECRET).captured();
    assert_ne!(wrong.status.code(), Some(0));
    journey.keep(&["a wrong passphrase"], &wrong);

    mood(Mood::NoToken);
    journey.consent("Refused", "WRONG", &uri, bad);
    let address = format!("address={uri}");
    let client = ["credential", "add", "practice-clickwrap", "--set", &address, "--set", "client_id=me", "--name"];
    journey.both(&[&client[..], &["Refused client", "--set", "client_secret=env:WRONG"]].concat(), bad);
    mood(Mood::NoApi(403));
    journey.consent("Without rights", "RIGHT", &uri, bad);
    journey.both(&[&client[..], &["Client without rights", "--set", "client_secret=env:RIGHT"]].concat(), bad);
    mood(Mood::Well);
    journey.consent("Practice", "RIGHT", &uri, good);
    journey.run(&[&client[..], &["Client", "--set", "client_secret=env:RIGHT", "--json"]].concat(), good);

    // The rest with a key file: it need not derive a key for each command.
    journey.run(&["vault", "rekey"], good);

    for credential in ["Practice", "Client"] {
        journey.run(&["integration", "new", credential, "--credential", credential, "--resource", "members", "--deactivate"], good);
        journey.run(&["mapping", "suggest", credential, "--apply"], good);
        journey.run(&["mapping", "set", credential, "user_type==employee"], good);
        journey.both(&["mapping", "preview", credential], good);
        journey.run(&["integration", "launch", credential], good);
        journey.both(&["run", credential], good);
        for mood_of_failure in [Mood::NoApi(403), Mood::NoApi(401), Mood::NoToken] {
            mood(mood_of_failure);
            // With `NoToken`, what the vendor refuses is the refresh after a 401: the token has to be refused first.
            let ends = |code| if mood_of_failure == Mood::NoToken { matches!(code, 0 | 1 | 3) } else { matches!(code, 1 | 3) };
            journey.both(&["run", credential], ends);
            journey.both(&["credential", "test", credential], ends);
            journey.both(&["mapping", "preview", credential], |_| true);
        }
        mood(Mood::Well);
    }

    for arguments in [
        &["credential", "list"][..],
        &["credential", "show", "Practice"],
        &["integration", "list"],
        &["integration", "show", "Practice"],
        &["integration", "export", "Practice"],
        &["run", "list"],
        &["notice", "list"],
        &["overview"],
        &["data", "people"],
        &["schedule", "unit"],
        &["vault", "verify"],
        &["doctor"],
    ] {
        journey.both(arguments, |_| true);
    }

    // The vendor did see the secrets: otherwise the search would prove nothing.
    let sent: String = server.received_requests().await.unwrap().iter().map(repeated).collect();
    for secret in ["planted-client%2F", "planted-wrong-secret", "planted-code", "planted-access-1", "planted-refresh-"] {
        assert!(sent.contains(secret), "the vendor was never sent {secret}");
    }
    let mut needles = forms(MARK);
    let verifiers = vendor.lock().unwrap().verifiers.clone();
    assert_eq!(verifiers.len(), 3, "one for each consent");
    needles.extend(verifiers.iter().flat_map(|verifier| forms(verifier)));
    for (what, bytes) in &journey.printed {
        search(what, bytes, &needles);
    }
    let mut seen = 0;
    search_files(journey.shell.home.path(), &needles, &mut seen);
    assert!(seen > 5, "{seen} files");
}

#[test]
fn the_search_finds_what_it_looks_for() {
    let needles = forms("planted-");
    for hidden in ["x planted-y", "706c616e7465642d", "bWU6cGxhbnRlZC1zZWNyZXQ=", "cGxhbnRlZC1h", "OnBsYW50ZWQtYWI="] {
        assert!(std::panic::catch_unwind(|| search("here", hidden.as_bytes(), &needles)).is_err(), "{hidden}");
    }
    search("here", b"nothing of the kind: plant-ed", &needles);
}
