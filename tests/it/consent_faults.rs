//! What a vendor does to a consent that is not as the book says: it refuses PKCE, names the scopes otherwise, ends a pushed request early, wants
//! to be asked less often, or nobody can answer it here.

use std::io::{BufRead as _, Read as _};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use intertie::model::{CredentialDraft, Problem, Sink};
use intertie::ops::{Config, Workspace, credentials};
use serde_json::{Value, json};
use url::Url;
use wiremock::matchers::{method, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::cli::Shell;
use crate::searched::Captured as _;

struct Stage {
    server: MockServer,
    shell: Shell,
    ws: Workspace,
}

impl Stage {
    async fn new() -> Self {
        let (server, shell) = (MockServer::start().await, Shell::new());
        let at = server.uri();
        let code = |key: &str, more: &str| {
            format!(
                "[auth.{key}]\nkind = \"oauth2_code\"\nname = \"{key}\"\nclient_auth = \"none\"\nauthorize_url = \"{at}/authorize\"\n\
                 token_url = \"{at}/token\"\n{more}\n"
            )
        };
        let methods = [
            code("tried", "pkce = \"try\""),
            code("known", &format!("pkce = \"try\"\nmetadata_url = \"{at}/takes\"")),
            code("plain", &format!("pkce = \"try\"\nmetadata_url = \"{at}/lacks\"")),
            code("wanted", &format!("pkce = \"require\"\nmetadata_url = \"{at}/lacks\"")),
            code(
                "named",
                &format!(
                    "device_url = \"{at}/device\"\nscopes = {{ default = [\"users:read\", \"team:read\"], separator = \",\", param = \"user_scope\" }}"
                ),
            ),
            code("named_push", &format!("par_url = \"{at}/par\"\nscopes = {{ default = [\"a\", \"b\"], param = \"user_scope\" }}")),
            code("pushed", &format!("par_url = \"{at}/par\"\nscopes = {{ default = [\"a\"] }}")),
            code("pasted", "redirect = { loopback = \"https_only\" }"),
            format!(
                "[auth.client]\nkind = \"client_credentials\"\nname = \"client\"\nclient_auth = \"none\"\ntoken_url = \"{at}/token\"\n\
                 scopes = {{ default = [\"a\", \"b\"], param = \"user_scope\", separator = \",\" }}\n"
            ),
            format!(
                "[auth.device]\nkind = \"device\"\nname = \"device\"\nclient_auth = \"none\"\ndevice_url = \"{at}/device\"\ntoken_url = \"{at}/token\"\n"
            ),
        ];
        let definition = format!(
            "schema = 1\nid = \"willful\"\nname = \"Willful\"\nrequest = {{ base_url = \"{at}/v1\" }}\n[[input]]\nkey = \"client_id\"\nlabel = \"Client id\"\n\
             {}[[check]]\npath = \"/me\"\nproves = \"The account can be read.\"\n",
            methods.concat()
        );
        std::fs::create_dir_all(shell.workspace().join("connectors")).unwrap();
        std::fs::write(shell.workspace().join("connectors/willful.toml"), definition).unwrap();
        for (place, methods) in [("/takes", json!(["plain", "S256"])), ("/lacks", json!([]))] {
            let document = json!({"issuer": at, "authorization_endpoint": format!("{at}/authorize"), "token_endpoint": format!("{at}/token"),
                "response_types_supported": ["code"], "code_challenge_methods_supported": methods});
            serve(&server, "GET", place, ResponseTemplate::new(200).set_body_json(document)).await;
        }
        serve(&server, "GET", "/v1/me", ResponseTemplate::new(200).set_body_json(json!({"id": 1}))).await;
        let ws = Workspace::open(&shell.workspace(), Config::default());
        Self { server, shell, ws }
    }

    fn draft(&self, method: &str) -> CredentialDraft {
        let mut draft = credentials::draft_new(&self.ws, "willful", Some(method)).unwrap();
        draft.settings.insert("client_id".to_owned(), "me".to_owned());
        credentials::draft_save(&self.ws, &draft).unwrap();
        draft
    }

    async fn begin(&self, draft: &CredentialDraft) -> credentials::Consent {
        credentials::consent_begin(&self.ws, &draft.id).await.unwrap()
    }

    /// The token endpoint gives a token.
    async fn gives(&self) {
        let token = json!({"access_token": "planted-access", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "planted-refresh"});
        serve(&self.server, "POST", "/token", ResponseTemplate::new(200).set_body_json(token)).await;
    }

    /// The bodies of what was sent to an address.
    async fn sent(&self, at: &str) -> Vec<Vec<(String, String)>> {
        let all = self.server.received_requests().await.unwrap().into_iter().filter(|request| request.url.path() == at);
        all.map(|request| url::form_urlencoded::parse(&request.body).into_owned().collect()).collect()
    }
}

async fn serve(server: &MockServer, verb: &str, at: &str, response: ResponseTemplate) {
    Mock::given(method(verb)).and(path(at)).respond_with(response).mount(server).await;
}

fn of(address: &str, name: &str) -> Option<String> {
    Url::parse(address).unwrap().query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
}

fn among<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// What the vendor sends a browser to, with these parameters.
fn redirected(address: &str, parameters: &[(&str, &str)]) -> String {
    let mut url = Url::parse(&of(address, "redirect_uri").unwrap()).unwrap();
    url.query_pairs_mut().extend_pairs(parameters).append_pair("state", &of(address, "state").unwrap());
    url.into()
}

const NO_CHALLENGE: [(&str, &str); 2] = [("error", "invalid_request"), ("error_description", "Unknown parameter: code_challenge")];

async fn answered(stage: &Stage, consent: &credentials::Consent, parameters: &[(&str, &str)]) -> Result<(), Problem> {
    consent.offer(&redirected(&consent.view.authorize_url, parameters))?;
    tokio::time::timeout(Duration::from_secs(30), consent.finish(&stage.ws, &Sink::none())).await.expect("the consent ends")
}

/// A vendor that does not know the challenge is asked without it, and the person is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_refuses_the_challenge_is_asked_without() {
    let stage = Stage::new().await;
    stage.gives().await;
    let draft = stage.draft("tried");
    let first = stage.begin(&draft).await;
    assert_eq!(of(&first.view.authorize_url, "code_challenge_method").as_deref(), Some("S256"));
    let problem = answered(&stage, &first, &NO_CHALLENGE).await.unwrap_err();
    assert_eq!((problem.code.as_deref(), problem.exit_code()), (Some("pkce_refused"), 3), "{problem:?}");
    assert!(problem.what.contains("refused PKCE") && problem.next_step.contains("without"), "{problem:?}");
    let second = stage.begin(&draft).await;
    let address = second.view.authorize_url.clone();
    assert!(of(&address, "code_challenge").is_none() && of(&address, "code_challenge_method").is_none(), "{address}");
    assert_ne!(of(&address, "state"), of(&first.view.authorize_url, "state"));
    // Without a verifier a bare code proves nothing about who asked: only the whole address counts.
    assert!(second.offer("a-bare-code").is_err());
    answered(&stage, &second, &[("code", "c-1")]).await.unwrap();
    assert!(!stage.sent("/token").await.iter().any(|form| among(form, "code_verifier").is_some()));
    assert!(credentials::draft_test(&stage.ws, &draft.id, &Sink::none()).await.unwrap().ok);

    // Another refusal is no reason.
    let draft = stage.draft("tried");
    let consent = stage.begin(&draft).await;
    let problem = answered(&stage, &consent, &[("error", "invalid_request"), ("error_description", "redirect_uri is wrong")]).await.unwrap_err();
    assert_ne!(problem.code.as_deref(), Some("pkce_refused"));
    assert!(of(&stage.begin(&draft).await.view.authorize_url, "code_challenge").is_some());
}

/// A vendor that merely ignores the challenge gets it all the same, and its verifier.
#[tokio::test(flavor = "multi_thread")]
async fn a_vendor_that_ignores_the_challenge_gets_its_verifier() {
    let stage = Stage::new().await;
    stage.gives().await;
    let draft = stage.draft("tried");
    let consent = stage.begin(&draft).await;
    answered(&stage, &consent, &[("code", "c-1")]).await.unwrap();
    let forms = stage.sent("/token").await;
    let verifier = among(&forms[0], "code_verifier").unwrap();
    let challenge = oauth_challenge(verifier);
    assert_eq!(of(&consent.view.authorize_url, "code_challenge"), Some(challenge));
}

fn oauth_challenge(verifier: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(sha2::Sha256::digest(verifier.as_bytes()))
}

/// Downgrades: where the server's own document names S256, nobody on the way can talk it away; nor does a refusal of the verifier, which is
/// what a server says when somebody took the challenge out of the request (RFC 9700 §4.8.2).
#[tokio::test(flavor = "multi_thread")]
async fn a_downgrade_is_not_believed() {
    let stage = Stage::new().await;
    let draft = stage.draft("known");
    let consent = stage.begin(&draft).await;
    let problem = answered(&stage, &consent, &NO_CHALLENGE).await.unwrap_err();
    assert_ne!(problem.code.as_deref(), Some("pkce_refused"), "{problem:?}");
    assert!(of(&stage.begin(&draft).await.view.authorize_url, "code_challenge").is_some());

    let refusal = json!({"error": "invalid_grant", "error_description": "code_verifier was sent, and there was no code_challenge"});
    serve(&stage.server, "POST", "/token", ResponseTemplate::new(400).set_body_json(refusal)).await;
    for method in ["known", "tried"] {
        let draft = stage.draft(method);
        let consent = stage.begin(&draft).await;
        let problem = answered(&stage, &consent, &[("code", "c-1")]).await.unwrap_err();
        assert_ne!(problem.code.as_deref(), Some("pkce_refused"), "{problem:?}");
        assert!(credentials::needs_consent(&stage.ws, &draft).unwrap(), "nothing was kept");
        assert!(of(&stage.begin(&draft).await.view.authorize_url, "code_challenge").is_some(), "{method}");
    }

    // A document without S256: `try` goes without from the start, `require` does not go at all.
    let consent = stage.begin(&stage.draft("plain")).await;
    assert!(of(&consent.view.authorize_url, "code_challenge").is_none());
    let problem = credentials::consent_begin(&stage.ws, &stage.draft("wanted").id).await.err().unwrap();
    assert!(problem.what.contains("does not take PKCE") && problem.next_step.contains("definition"), "{problem:?}");
}

/// Scopes under another name: in the address, in a device's request, in a pushed one, and where a client asks for itself.
#[tokio::test(flavor = "multi_thread")]
async fn scopes_go_under_the_vendors_own_name() {
    let stage = Stage::new().await;
    stage.gives().await;
    let code =
        json!({"device_code": "planted-device", "user_code": "ABCD", "verification_uri": format!("{}/go", stage.server.uri()), "expires_in": 600});
    serve(&stage.server, "POST", "/device", ResponseTemplate::new(200).set_body_json(code)).await;
    let pushed = json!({"request_uri": "urn:x:1", "expires_in": 90});
    serve(&stage.server, "POST", "/par", ResponseTemplate::new(201).set_body_json(pushed)).await;

    let consent = stage.begin(&stage.draft("named")).await;
    let address = &consent.view.authorize_url;
    assert_eq!((of(address, "user_scope").as_deref(), of(address, "scope")), (Some("users:read,team:read"), None));
    let form = &stage.sent("/device").await[0];
    assert_eq!((among(form, "user_scope"), among(form, "scope")), (Some("users:read,team:read"), None));
    drop(consent);

    let consent = stage.begin(&stage.draft("named_push")).await;
    assert!(consent.view.authorize_url.contains("request_uri="), "{}", consent.view.authorize_url);
    let form = &stage.sent("/par").await[0];
    assert_eq!((among(form, "user_scope"), among(form, "scope")), (Some("a b"), None));

    let draft = stage.draft("client");
    assert!(credentials::draft_test(&stage.ws, &draft.id, &Sink::none()).await.unwrap().ok);
    let forms = stage.sent("/token").await;
    let form = forms.iter().find(|form| among(form, "grant_type") == Some("client_credentials")).unwrap();
    assert_eq!((among(form, "user_scope"), among(form, "scope")), (Some("a,b"), None));
}

/// A server whose pushed requests last a second.
async fn brief_pushes(stage: &Stage) -> Arc<AtomicU64> {
    let pushes = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&pushes);
    let answer = move |_: &Request| {
        let n = count.fetch_add(1, Ordering::SeqCst) + 1;
        ResponseTemplate::new(201).set_body_json(json!({"request_uri": format!("urn:x:{n}"), "expires_in": 1}))
    };
    Mock::given(method("POST")).and(path("/par")).respond_with(answer).mount(&stage.server).await;
    pushes
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_request_that_has_ended_is_pushed_anew() {
    let stage = Stage::new().await;
    stage.gives().await;
    brief_pushes(&stage).await;
    let consent = stage.begin(&stage.draft("pushed")).await;
    let first = consent.view.authorize_url.clone();
    assert_eq!(of(&first, "request_uri").as_deref(), Some("urn:x:1"));
    assert!(consent.view.authorize_url_expires.unwrap() < consent.view.expires);
    let told = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let told = told.clone();
        Sink::new(move |progress| told.lock().unwrap().push(progress.doing), Default::default())
    };
    let person = async {
        // Twice: the second ends, too.
        let (second, ends) = consent.renewed(&first).await;
        assert_eq!(of(&second, "request_uri").as_deref(), Some("urn:x:2"));
        assert!(ends < consent.view.expires);
        let (third, _) = consent.renewed(&second).await;
        assert_eq!(of(&third, "request_uri").as_deref(), Some("urn:x:3"));
        // The same flow under another address: state and challenge are those of the first.
        let forms = stage.sent("/par").await;
        for name in ["state", "code_challenge", "redirect_uri"] {
            assert_eq!(among(&forms[0], name), among(&forms[2], name), "{name}");
        }
        let mut url = Url::parse(among(&forms[2], "redirect_uri").unwrap()).unwrap();
        url.query_pairs_mut().append_pair("code", "c-1").append_pair("state", among(&forms[2], "state").unwrap());
        consent.offer(url.as_str()).unwrap();
    };
    let (finished, ()) =
        tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(consent.finish(&stage.ws, &sink), person) }).await.expect("it ends");
    finished.unwrap();
    assert!(told.lock().unwrap().iter().any(|doing| doing.contains("has ended")), "{told:?}");
}

/// The command line prints the new address, whole.
#[tokio::test(flavor = "multi_thread")]
async fn the_new_address_is_shown_in_the_terminal() {
    let stage = Stage::new().await;
    stage.gives().await;
    brief_pushes(&stage).await;
    let mut child =
        stage.shell.command(&["credential", "add", "willful", "--method", "pushed", "--set", "client_id=me", "--no-browser", "--no-test"]);
    let mut child = Running(child.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap());
    let mut told = std::io::BufReader::new(child.0.stderr.take().unwrap());
    until(&mut told, "urn%3Ax%3A1");
    until(&mut told, "has ended");
    until(&mut told, "urn%3Ax%3A2");
}

/// A process that is ended with its test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Reads lines until one holds the text.
fn until(told: &mut std::io::BufReader<ChildStderr>, text: &str) -> String {
    let mut all = String::new();
    loop {
        let mut line = String::new();
        assert!(told.read_line(&mut line).unwrap() > 0, "{text} was not said:\n{all}");
        all.push_str(&line);
        if line.contains(text) {
            return all;
        }
    }
}

/// RFC 8628 §3.5: the slower pace is for all later requests, also those of the process that takes up the wait.
#[tokio::test(flavor = "multi_thread")]
async fn the_slower_pace_survives_a_restart() {
    let stage = Stage::new().await;
    let code = json!({"device_code": "planted-device", "user_code": "ABCD", "verification_uri": format!("{}/go", stage.server.uri()),
        "expires_in": 600, "interval": 1});
    serve(&stage.server, "POST", "/device", ResponseTemplate::new(200).set_body_json(code)).await;
    let polls: Arc<Mutex<Vec<Instant>>> = Arc::default();
    let noted = Arc::clone(&polls);
    let answer = move |_: &Request| {
        let mut polls = noted.lock().unwrap();
        polls.push(Instant::now());
        let error = if polls.len() == 1 { "slow_down" } else { "authorization_pending" };
        ResponseTemplate::new(400).set_body_json(json!({ "error": error }))
    };
    Mock::given(method("POST")).and(path("/token")).respond_with(answer).mount(&stage.server).await;
    let start = || {
        let mut command =
            stage.shell.command(&["credential", "add", "willful", "--method", "device", "--name", "TV", "--set", "client_id=me", "--no-browser"]);
        Running(command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap())
    };
    let kept = || -> Vec<(std::path::PathBuf, Vec<u8>)> {
        let entries = std::fs::read_dir(stage.shell.workspace().join("vault/entries")).into_iter().flatten().flatten();
        // Not what is still being written.
        let whole = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("draft_"));
        whole.filter_map(|entry| Some((entry.path(), std::fs::read(entry.path()).ok()?))).collect()
    };
    let wait = |what: &'static str, so: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !so() {
            assert!(Instant::now() < deadline, "{what}");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let mut first = start();
    let mut told = std::io::BufReader::new(first.0.stderr.take().unwrap());
    until(&mut told, "/go");
    let before = kept();
    assert!(!before.is_empty());
    wait("the first poll", &|| polls.lock().unwrap().len() == 1);
    wait("what is kept has changed", &|| kept() != before);
    drop(first);
    assert_eq!(polls.lock().unwrap().len(), 1);
    let began = Instant::now();
    let second = start();
    wait("the next poll", &|| polls.lock().unwrap().len() == 2);
    let asked = polls.lock().unwrap()[1];
    // One second, as the server named it at first, and five more.
    assert!(asked.duration_since(began) >= Duration::from_millis(5_900), "{:?}", asked.duration_since(began));
    assert_eq!(stage.sent("/device").await.len(), 1, "the same code");
    drop(second);
}

/// Standard input is at its end at once.
fn add(stage: &Stage, method: &str) -> (Option<i32>, String, Value) {
    let arguments = ["credential", "add", "willful", "--method", method, "--set", "client_id=me", "--no-browser", "--json"];
    let output = stage.shell.command(&arguments).captured();
    let told = String::from_utf8(output.stderr).unwrap();
    (output.status.code(), told, serde_json::from_slice(&output.stdout).unwrap_or_default())
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_can_be_typed_any_more_the_other_ways_stay_open_and_that_is_said() {
    let stage = Stage::new().await;
    // No address here, no code: nobody can finish it.
    let began = Instant::now();
    let (code, told, answer) = add(&stage, "pasted");
    assert!(code == Some(3) && began.elapsed() < Duration::from_secs(20), "{code:?} {told}");
    assert!(answer["error"]["next_step"].as_str().unwrap().contains("terminal"), "{answer}");
    assert!(!told.contains("Standard input has ended"), "{told}");

    // A device code that lasts three seconds, and nobody comes.
    let code = json!({"device_code": "planted-device", "user_code": "ABCD", "verification_uri": format!("{}/go", stage.server.uri()),
        "expires_in": 3, "interval": 1});
    serve(&stage.server, "POST", "/device", ResponseTemplate::new(200).set_body_json(code)).await;
    let pending = ResponseTemplate::new(400).set_body_json(json!({"error": "authorization_pending"}));
    Mock::given(method("POST")).and(path("/token")).respond_with(pending).up_to_n_times(5).mount(&stage.server).await;
    let (code, told, answer) = add(&stage, "device");
    assert_eq!(code, Some(3), "{told} {answer}");
    assert!(told.contains("Standard input has ended") && told.contains("device code can bring the answer until"), "{told}");
    assert!(!answer["error"]["next_step"].as_str().unwrap().is_empty(), "{answer}");

    // A browser that comes afterwards is heard.
    stage.server.reset().await;
    stage.gives().await;
    serve(&stage.server, "GET", "/v1/me", ResponseTemplate::new(200).set_body_json(json!({"id": 1}))).await;
    let arguments = ["credential", "add", "willful", "--method", "tried", "--set", "client_id=me", "--no-browser", "--json"];
    let mut child = Running(stage.shell.command(&arguments).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap());
    let mut told = std::io::BufReader::new(child.0.stderr.take().unwrap());
    let said = until(&mut told, "Standard input has ended");
    assert!(said.contains("browser that reaches this host"), "{said}");
    let address = said.lines().map(str::trim).find(|line| line.starts_with("http") && line.contains("authorize?")).unwrap();
    let back = redirected(address, &[("code", "c-1")]);
    let _ = rustls::crypto::ring::default_provider().install_default();
    let page = reqwest::Client::builder().no_proxy().build().unwrap().get(back).send().await.unwrap();
    assert_eq!(page.status(), 200);
    let mut out = String::new();
    child.0.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    assert_eq!(child.0.wait().unwrap().code(), Some(0), "{out}");
    let saved: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(saved["status"], "valid", "{saved}");
}
