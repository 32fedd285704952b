//! Tokens that are kept in a KV store (HashiCorp Vault, OpenBao) and shared by hosts: two workspaces of the real program, a store with versions
//! and check-and-set, and a vendor that rotates refresh tokens and ends the family when one comes twice.

use std::collections::BTreeMap;
use std::io::{BufRead as _, Read as _, Write as _};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

use serde_json::{Map, Value, json};
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::cli::Shell;
use crate::searched::{Captured as _, Ended as _};
use crate::secrets::{forms, search_files};

const TOKEN: &str = "hvs.planted-store-token";
const PLACE: &str = "tokens_in=vault://kv%2Fit/hosts/rotary#tokens";
const PATH: &str = "hosts/rotary";

#[derive(Clone, Copy, PartialEq)]
enum Mood {
    Well,
    Sealed,
    /// The policy allows reading alone.
    ReadOnly,
    /// The policy does not allow what concerns all versions.
    NoMetadata,
}

type Hook = Box<dyn FnOnce() + Send>;

struct State {
    // The store: versions by path; an empty one was deleted.
    mood: Mood,
    secrets: BTreeMap<String, Vec<Option<Map<String, Value>>>>,
    conflicts: u32,
    // The vendor.
    alive: bool,
    now: u64,
    /// The API refuses access tokens up to this one.
    ended: u64,
    refreshes: u32,
    revoked: Vec<String>,
    /// Done while a request for tokens is answered.
    meanwhile: Option<Hook>,
    /// The tokens that the API was asked with.
    seen: Vec<String>,
}

struct Stage {
    state: Arc<Mutex<State>>,
    store: MockServer,
    /// Two doors to the same vendor: while one is held, the other is open.
    vendor: [MockServer; 2],
}

/// `/v1/MOUNT/data/PATH`, as the documentation of the KV secrets engine, version 2, describes it.
fn store(state: &Mutex<State>, request: &Request) -> ResponseTemplate {
    let errors = |status: u16, text: &str| ResponseTemplate::new(status).set_body_json(json!({"errors": [text]}));
    let mut state = state.lock().unwrap();
    if request.headers.get("x-vault-token").is_none_or(|token| token != TOKEN) {
        return errors(403, "permission denied");
    }
    let Some((part, path)) = request.url.path().strip_prefix("/v1/kv/it/").and_then(|rest| rest.split_once('/')) else {
        return errors(404, "no handler for route");
    };
    let writes = request.method != "GET";
    match state.mood {
        Mood::Sealed => return errors(503, "Vault is sealed"),
        Mood::ReadOnly if writes => return errors(403, "1 error occurred:\n\t* permission denied\n\n"),
        Mood::NoMetadata if part == "metadata" => return errors(403, "1 error occurred:\n\t* permission denied\n\n"),
        _ => {}
    }
    let versions = state.secrets.get(path).cloned().unwrap_or_default();
    let metadata = |version: usize, deleted: &str| json!({"created_time": "2026-01-01T00:00:00Z", "custom_metadata": null, "deletion_time": deleted, "destroyed": false, "version": version});
    match (request.method.as_str(), part) {
        ("GET", "data") => match versions.last() {
            Some(Some(fields)) => {
                ResponseTemplate::new(200).set_body_json(json!({"data": {"data": fields, "metadata": metadata(versions.len(), "")}}))
            }
            Some(None) => {
                let body = json!({"data": {"data": null, "metadata": metadata(versions.len(), "2026-01-01T00:00:00Z")}});
                ResponseTemplate::new(404).set_body_json(body)
            }
            None => ResponseTemplate::new(404).set_body_json(json!({"errors": []})),
        },
        ("POST", "data") => {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            if body["options"]["cas"] != json!(versions.len()) {
                state.conflicts += 1;
                return errors(400, "check-and-set parameter did not match the current version");
            }
            let versions = state.secrets.entry(path.to_owned()).or_default();
            versions.push(Some(body["data"].as_object().unwrap().clone()));
            ResponseTemplate::new(200).set_body_json(json!({"data": metadata(versions.len(), "")}))
        }
        ("DELETE", "data") => {
            state.secrets.entry(path.to_owned()).or_default().push(None);
            ResponseTemplate::new(204)
        }
        ("DELETE", "metadata") => {
            state.secrets.remove(path);
            ResponseTemplate::new(204)
        }
        _ => errors(405, "unsupported operation"),
    }
}

fn vendor(state: &Mutex<State>, request: &Request) -> ResponseTemplate {
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&request.body).into_owned().collect();
    let of = |key: &str| form.get(key).map_or("", String::as_str).to_owned();
    match request.url.path() {
        "/token" => {
            let (answer, meanwhile) = {
                let mut state = state.lock().unwrap();
                let grant = of("grant_type");
                let good = match grant.as_str() {
                    "refresh_token" => {
                        state.refreshes += 1;
                        state.alive = state.alive && of("refresh_token") == format!("planted-r-{}", state.now);
                        state.alive
                    }
                    "authorization_code" => {
                        state.alive = true;
                        true
                    }
                    _ => true,
                };
                if !good {
                    return ResponseTemplate::new(400).set_body_json(json!({"error": "invalid_grant"}));
                }
                state.now += 1;
                let n = state.now;
                let mut body = json!({"access_token": format!("planted-a-{n}"), "token_type": "Bearer", "expires_in": 3600, "site": "eu-7"});
                if grant != "client_credentials" {
                    body["refresh_token"] = json!(format!("planted-r-{n}"));
                }
                (ResponseTemplate::new(200).set_body_json(body), state.meanwhile.take())
            };
            if let Some(meanwhile) = meanwhile {
                meanwhile();
            }
            answer
        }
        "/revoke" => {
            state.lock().unwrap().revoked.push(of("token"));
            ResponseTemplate::new(200)
        }
        path => {
            let mut state = state.lock().unwrap();
            let token = request.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().replace("Bearer ", "");
            state.seen.push(token.clone());
            let number: u64 = token.rsplit('-').next().and_then(|n| n.parse().ok()).unwrap_or(0);
            // Where it is a part of the path, the site that came with the tokens is known.
            let known = path == "/sites/eu-7/me";
            ResponseTemplate::new(if known && number > state.ended { 200 } else { 401 }).set_body_json(json!({"id": 1}))
        }
    }
}

impl Stage {
    async fn new() -> Self {
        let state = State {
            mood: Mood::Well,
            secrets: BTreeMap::new(),
            conflicts: 0,
            alive: true,
            now: 0,
            ended: 0,
            refreshes: 0,
            revoked: Vec::new(),
            meanwhile: None,
            seen: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let (kv, api) = (MockServer::start().await, [MockServer::start().await, MockServer::start().await]);
        let for_store = Arc::clone(&state);
        Mock::given(any()).respond_with(move |request: &Request| store(&for_store, request)).mount(&kv).await;
        for door in &api {
            let state = Arc::clone(&state);
            Mock::given(any()).respond_with(move |request: &Request| vendor(&state, request)).mount(door).await;
        }
        Self { state, store: kv, vendor: api }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn refreshes(&self) -> u32 {
        self.lock().refreshes
    }

    fn alive(&self) -> bool {
        self.lock().alive
    }

    fn now(&self) -> u64 {
        self.lock().now
    }

    fn conflicts(&self) -> u32 {
        self.lock().conflicts
    }

    /// What lies in the place, as fields; the tokens read.
    fn there(&self) -> Option<(Map<String, Value>, Value)> {
        let fields = self.lock().secrets.get(PATH)?.last()?.clone()?;
        let tokens = fields.get("tokens").and_then(Value::as_str).map(|text| serde_json::from_str(text).unwrap()).unwrap_or_default();
        Some((fields, tokens))
    }

    /// The vendor refuses every access token that it gave so far.
    fn end(&self) {
        let mut state = self.lock();
        state.ended = state.now;
        state.refreshes = 0;
    }

    /// A host with a workspace of its own, which knows the vendor.
    fn host(&self, door: usize) -> Host {
        let shell = Shell::new();
        std::fs::create_dir_all(shell.workspace().join("connectors")).unwrap();
        let at = self.vendor[door].uri();
        let definition = format!(
            r#"
            schema = 1
            id = "rotary"
            name = "Rotary"
            request = {{ base_url = "{at}" }}
            [auth.code]
            kind = "oauth2_code"
            name = "Code"
            authorize_url = "{at}/authorize"
            token_url = "{at}/token"
            revoke_url = "{at}/revoke"
            revokes_grant = false
            client_auth = "none"
            response = {{ capture = {{ site = "site" }} }}
            [[auth.code.input]]
            key = "client_id"
            label = "Client id"
            [auth.client]
            kind = "client_credentials"
            name = "Client"
            token_url = "{at}/token"
            response = {{ capture = {{ site = "site" }} }}
            [[auth.client.input]]
            key = "client_id"
            label = "Client id"
            [[auth.client.input]]
            key = "client_secret"
            label = "Client secret"
            secret = true
            [auth.key]
            kind = "api_key"
            name = "Key"
            [[auth.key.input]]
            key = "api_key"
            label = "Key"
            secret = true
            [[check]]
            path = "/sites/{{{{ found.site }}}}/me"
            proves = "The account can be read."
            "#
        );
        std::fs::write(shell.workspace().join("connectors/rotary.toml"), definition).unwrap();
        Host { shell, store: self.store.uri() }
    }
}

struct Host {
    shell: Shell,
    store: String,
}

const ADD: [&str; 11] = ["credential", "add", "rotary", "--method", "code", "--name", "Rotary", "--no-browser", "--set", "client_id=me", "--set"];
const TEST: [&str; 3] = ["credential", "test", "Rotary"];

impl Host {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.shell.command(&[arguments, &["--json"]].concat());
        command.env("BAO_ADDR", &self.store).env("BAO_TOKEN", TOKEN);
        command
    }

    fn run(&self, arguments: &[&str], code: i32) -> (Value, String) {
        read(arguments, &self.command(arguments).captured(), code)
    }

    /// Adds the credential as a browser does it: the code comes by the loopback.
    fn consent(&self, arguments: &[&str], code: i32) -> (Value, String) {
        let mut child = self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut told = std::io::BufReader::new(child.stderr.take().unwrap());
        let (mut line, mut all) = (String::new(), String::new());
        while !line.trim().starts_with("http") || !line.contains("redirect_uri") {
            line.clear();
            if told.read_line(&mut line).unwrap() == 0 {
                let output = child.captured();
                panic!("no address was shown: {all} {}", String::from_utf8_lossy(&output.stdout));
            }
            all.push_str(&line);
        }
        let url = url::Url::parse(line.trim()).unwrap();
        let asked = |key: &str| url.query_pairs().find(|(known, _)| known == key).unwrap().1.into_owned();
        let mut target = url::Url::parse(&asked("redirect_uri")).unwrap();
        target.query_pairs_mut().append_pair("code", "planted-code").append_pair("state", &asked("state"));
        let host = format!("{}:{}", target.host_str().unwrap(), target.port().unwrap());
        let mut stream = std::net::TcpStream::connect(&host).unwrap();
        write!(stream, "GET {}?{} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n", target.path(), target.query().unwrap()).unwrap();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).unwrap();
        let mut told_then = String::new();
        told.read_to_string(&mut told_then).unwrap();
        let mut output = child.captured();
        crate::searched::seen("what was told", format!("{all}{told_then}").as_bytes());
        output.stderr = told_then.into_bytes();
        read(arguments, &output, code)
    }

    fn credential(&self) -> Value {
        self.run(&["credential", "show", "Rotary"], 0).0
    }

    /// The names of what is sealed in the workspace's own vault.
    fn fields(&self) -> Vec<String> {
        let id = self.credential()["id"].as_str().unwrap().to_owned();
        let bytes = std::fs::read(self.shell.workspace().join(format!("vault/entries/{id}.json"))).unwrap_or_default();
        let entry: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        entry["fields"].as_object().map(|fields| fields.keys().cloned().collect()).unwrap_or_default()
    }
}

fn read(arguments: &[&str], output: &Output, code: i32) -> (Value, String) {
    let (out, err) = (String::from_utf8_lossy(&output.stdout).into_owned(), String::from_utf8_lossy(&output.stderr).into_owned());
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{out}\n{err}");
    assert!(!out.contains("planted-") && !err.contains("planted-"), "{arguments:?}\n{out}\n{err}");
    (serde_json::from_str(&out).unwrap_or_default(), err)
}

fn no_plaintext(host: &Host) {
    let mut seen = 0;
    search_files(host.shell.home.path(), &forms("planted-"), &mut seen);
    assert!(seen > 2);
}

fn with(place: &'static str) -> Vec<&'static str> {
    [&ADD[..], &[place]].concat()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hosts_share_one_token_set() {
    let stage = Stage::new().await;
    let others: Map<String, Value> = json!({"owner": "it"}).as_object().unwrap().clone();
    stage.lock().secrets.insert(PATH.to_owned(), vec![Some(others)]);
    let (a, b) = (stage.host(0), stage.host(1));
    let (credential, _) = a.consent(&with(PLACE), 0);
    assert_eq!(credential["settings"]["tokens_in"], "vault://kv%2Fit/hosts/rotary#tokens");
    let (fields, tokens) = stage.there().unwrap();
    assert_eq!((fields["owner"].as_str(), &tokens["access"], &tokens["found"]["site"]), (Some("it"), &json!("planted-a-1"), &json!("eu-7")));
    assert!(!a.fields().iter().any(|field| field.starts_with("oauth")), "{:?}", a.fields());

    // The other host needs no consent: it finds the tokens, and what came beside them.
    let (credential, _) = b.run(&with(PLACE), 0);
    assert_eq!((&credential["test"]["ok"], &credential["status"]), (&json!(true), &json!("valid")));
    assert_eq!((stage.refreshes(), stage.now()), (0, 1));

    // What one host renews, the other uses.
    stage.end();
    a.run(&TEST, 0);
    b.run(&TEST, 0);
    assert_eq!((stage.refreshes(), stage.there().unwrap().1["generation"].as_u64()), (1, Some(2)));

    // All at once: the token is spent once, by whoever came first.
    for _ in 0..3 {
        stage.end();
        let hosts = (0..8).map(|i| if i % 2 == 0 { &a } else { &b });
        let children: Vec<_> = hosts.map(|host| host.command(&TEST).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()).collect();
        for child in children {
            read(&TEST, &child.captured(), 0);
        }
        assert_eq!((stage.refreshes(), stage.alive()), (1, true));
    }
    let (fields, tokens) = stage.there().unwrap();
    assert_eq!((fields["owner"].as_str(), tokens["generation"].as_u64(), tokens.get("refreshing")), (Some("it"), Some(5), None));
    for host in [&a, &b] {
        assert!(!host.fields().iter().any(|field| field.starts_with("oauth")));
        no_plaintext(host);
    }

    // Revoked at the vendor and taken out of the store; what else lies there stays.
    a.run(&["credential", "revoke", "Rotary", "--yes"], 0);
    assert_eq!(stage.lock().revoked, ["planted-r-5", "planted-a-5"]);
    let (fields, _) = stage.there().unwrap();
    assert_eq!(fields.keys().collect::<Vec<_>>(), ["owner"]);
    let (told, _) = b.run(&TEST, 3);
    assert!(told["problem"]["next_step"].is_string(), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_another_host_did_not_end_is_taken_up() {
    let stage = Stage::new().await;
    let host = stage.host(0);
    host.consent(&with(PLACE), 0);
    stage.end();
    let claimed = |until: &str| {
        let (mut fields, mut tokens) = stage.there().unwrap();
        tokens["refreshing"] = json!({"by": "cred_other@elsewhere", "at": "2026-01-01T00:00:00Z", "until": until});
        fields.insert("tokens".to_owned(), json!(tokens.to_string()));
        stage.lock().secrets.get_mut(PATH).unwrap().push(Some(fields));
    };
    claimed("2026-01-01T00:00:40Z");
    host.run(&TEST, 0);
    assert_eq!((stage.refreshes(), stage.there().unwrap().1.get("refreshing")), (1, None));
    // It had spent the token, and nobody kept the answer: that this was so is said.
    claimed("2026-01-01T00:00:40Z");
    stage.end();
    stage.lock().alive = false;
    let (told, _) = host.run(&TEST, 3);
    assert_eq!((&told["problem"]["code"], stage.refreshes()), (&json!("refresh_interrupted"), 1), "{told}");
    assert!(told["problem"]["why"].as_str().unwrap().contains("2026-01-01"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_spent_where_it_could_not_be_kept() {
    let stage = Stage::new().await;
    let host = stage.host(0);
    host.consent(&with(PLACE), 0);
    stage.end();
    for (mood, says) in [(Mood::Sealed, "sealed"), (Mood::ReadOnly, "permission denied")] {
        stage.lock().mood = mood;
        let output = host.command(&TEST).captured();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(!output.status.success() && told.contains(says), "{told}");
        assert_eq!((stage.refreshes(), host.fields()), (0, Vec::new()));
    }
    stage.lock().mood = Mood::Well;
    host.run(&TEST, 0);
    assert_eq!(stage.refreshes(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_store_does_not_take_is_sealed_here_and_written_back() {
    let stage = Stage::new().await;
    let (a, b) = (stage.host(0), stage.host(1));
    a.consent(&with(PLACE), 0);
    b.run(&with(PLACE), 0);
    stage.end();
    // Sealed while the vendor answers: the old token is spent, and the new one has no place.
    let state = Arc::clone(&stage.state);
    stage.lock().meanwhile = Some(Box::new(move || state.lock().unwrap().mood = Mood::Sealed));
    let (told, remark) = a.run(&TEST, 0);
    assert!(told["ok"] == true && remark.contains("wait to be written") && remark.contains("sealed"), "{told} {remark}");
    assert_eq!(a.fields(), ["oauth.tokens"]);
    let credential = a.credential();
    assert!(credential["known"]["tokens_waiting"]["why"].as_str().unwrap().contains("vault://kv%2Fit/hosts/rotary#tokens"), "{credential}");
    a.run(&["overview"], 0);
    let (notices, _) = a.run(&["notice", "list"], 0);
    assert!(notices.to_string().contains("are not in the KV store"), "{notices}");
    // It goes on from here, as often as needed.
    a.run(&TEST, 0);
    stage.end();
    a.run(&TEST, 0);
    assert_eq!((stage.refreshes(), stage.alive()), (1, true));
    no_plaintext(&a);
    // The store answers again.
    stage.lock().mood = Mood::Well;
    let (_, remark) = a.run(&TEST, 0);
    assert!(!remark.contains("wait to be written"), "{remark}");
    assert_eq!(stage.there().unwrap().1["access"], "planted-a-3");
    assert!(a.fields().is_empty() && a.credential()["known"]["tokens_waiting"].is_null());
    b.run(&TEST, 0);
    assert_eq!((stage.refreshes(), stage.alive()), (1, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_race_uses_what_the_other_wrote() {
    let stage = Stage::new().await;
    let (a, b) = (stage.host(0), Arc::new(stage.host(1)));
    let add = [
        "credential",
        "add",
        "rotary",
        "--method",
        "client",
        "--name",
        "Rotary",
        "--set",
        "client_id=me",
        "--set",
        "client_secret=env:CLIENT_SECRET",
        "--set",
        PLACE,
    ];
    a.run(&add, 0);
    b.run(&add, 0);
    stage.end();
    stage.lock().seen.clear();
    let before = stage.conflicts();
    let other = Arc::clone(&b);
    // While the first waits for its token, the second gets one and writes it down.
    stage.lock().meanwhile = Some(Box::new(move || {
        other.run(&TEST, 0);
    }));
    a.run(&TEST, 0);
    assert_eq!(stage.conflicts(), before + 1);
    let (_, tokens) = stage.there().unwrap();
    assert_eq!(stage.lock().seen.last().unwrap(), tokens["access"].as_str().unwrap());
    let last = format!("planted-a-{}", stage.now());
    assert_eq!(tokens["access"], last.as_str(), "the one that came second stays");
    assert!(a.fields().iter().all(|field| field == "client_secret"), "{:?}", a.fields());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_credential_leaves_nothing_or_says_so() {
    let stage = Stage::new().await;
    let host = stage.host(0);
    host.consent(&with(PLACE), 0);
    host.run(&["credential", "delete", "Rotary", "--yes"], 0);
    assert!(stage.lock().secrets.is_empty(), "no version is left");
    for (mood, left, hint) in [(Mood::NoMetadata, false, "older versions"), (Mood::Sealed, true, "sealed")] {
        stage.lock().mood = Mood::Well;
        host.consent(&with(PLACE), 0);
        stage.lock().mood = mood;
        let mut delete = vec!["credential", "delete", "Rotary", "--yes"];
        if left {
            let (told, _) = host.run(&delete, 3);
            assert!(told["error"]["next_step"].as_str().unwrap().contains("--no-revoke"), "{told}");
            delete.push("--no-revoke");
        }
        let output = host.command(&delete).captured();
        let told = String::from_utf8_lossy(&output.stderr).to_lowercase();
        assert!(output.status.code() == Some(4) && told.contains("left in the kv store") && told.contains(hint), "{told}");
        assert_eq!(stage.there().is_some(), left);
        assert_eq!(host.run(&["credential", "list"], 0).0, json!([]));
        if left {
            stage.lock().secrets.clear();
        }
    }
}

/// The refresh token that a new consent replaces lay in the store; it is revoked once the new ones are there, and not before.
#[tokio::test(flavor = "multi_thread")]
async fn a_consent_given_anew_ends_the_one_in_the_store() {
    const RENEW: [&str; 4] = ["credential", "renew", "Rotary", "--no-browser"];
    let stage = Stage::new().await;
    let (a, b) = (stage.host(0), stage.host(1));
    a.consent(&with(PLACE), 0);
    b.run(&with(PLACE), 0);
    let (_, told) = a.consent(&RENEW, 0);
    assert_eq!(stage.lock().revoked, ["planted-r-1"], "{told}");
    assert!(told.contains("and did"), "{told}");
    assert_eq!(stage.there().unwrap().1["refresh"], "planted-r-2");
    // The other host goes on with what is there now.
    stage.end();
    b.run(&TEST, 0);
    a.run(&TEST, 0);
    assert_eq!((stage.refreshes(), stage.alive()), (1, true));

    // The new tokens do not come into the store: other hosts still live on the old one, which is left alone, and that is told.
    stage.lock().revoked.clear();
    let state = Arc::clone(&stage.state);
    stage.lock().meanwhile = Some(Box::new(move || state.lock().unwrap().mood = Mood::ReadOnly));
    let (_, told) = a.consent(&RENEW, 0);
    assert_eq!(stage.lock().revoked, Vec::<String>::new());
    assert!(told.contains("may still be valid") && told.contains("wait to be written"), "{told}");
    assert_eq!(stage.there().unwrap().1["refresh"], "planted-r-3");

    // Nor is anything revoked that could not be read.
    stage.lock().mood = Mood::Well;
    a.run(&TEST, 0);
    let state = Arc::clone(&stage.state);
    stage.lock().meanwhile = Some(Box::new(move || state.lock().unwrap().mood = Mood::Sealed));
    let (_, told) = a.consent(&RENEW, 0);
    assert_eq!(stage.lock().revoked, Vec::<String>::new());
    assert!(told.contains("may still be valid") && told.contains("sealed"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_place_that_takes_tokens_back_is_accepted() {
    let stage = Stage::new().await;
    let host = stage.host(0);
    for place in ["tokens_in=file:/tmp/t", "tokens_in=env:T", "tokens_in=pass:t", "tokens_in=op://a/b/c"] {
        let (told, _) = host.run(&with(place), 2);
        let (why, next) = (told["error"]["why"].as_str().unwrap(), told["error"]["next_step"].as_str().unwrap());
        assert!(why.contains(&place[10..]) && next.contains("OpenBao") && next.contains("vault://"), "{told}");
    }
    host.run(&with("tokens_in=vault://kv"), 2);
    let (told, _) = host.run(&["credential", "add", "rotary", "--method", "key", "--set", "api_key=env:CLIENT_SECRET", "--set", PLACE], 2);
    assert!(told["error"]["why"].as_str().unwrap().contains("tokens_in"), "{told}");
    // Somebody's password is not overwritten, and nobody is asked for a consent that could not be kept.
    let others: Map<String, Value> = json!({"tokens": "planted-hunter2"}).as_object().unwrap().clone();
    stage.lock().secrets.insert(PATH.to_owned(), vec![Some(others.clone())]);
    let (told, _) = host.run(&with(PLACE), 2);
    assert!(told["error"]["what"].as_str().unwrap().contains("something else"), "{told}");
    assert_eq!(stage.lock().secrets[PATH], [Some(others)]);
    assert_eq!(stage.now(), 0);
    assert!(Path::new(&host.shell.workspace()).exists());
}
