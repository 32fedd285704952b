//! A person's consent in OAuth 1.0a (RFC 5849 §2), against a server that computes each signature itself, and that takes no nonce twice, no
//! other verifier, and no token that it did not give.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use intertie::model::{CredentialDraft, CredentialStatus, Problem, Secret, Sink};
use intertie::ops::{Config, Workspace, credentials};
use ring::hmac;
use url::form_urlencoded;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

const CONSUMER: (&str, &str) = ("consumer-key-1", "planted-consumer-secret&1");
const TEMPORARY: (&str, &str) = ("temporary-token-1/", "planted-temporary-secret=1");
const TOKEN: (&str, &str) = ("planted-token-id-1", "planted-token-secret+1");
const VERIFIER: &str = "planted/verifier+1";

const DEFINITION: &str = r#"
schema = 1
id = "photos"
name = "Photos"

[auth.three]
kind = "oauth1"
name = "OAuth 1.0a"
default = true
authorize_url = "AT/authorize?lang=en"
token_url = "AT/token"
params = { request = { access = "read only" } }
response = { capture = { user = "user_id" } }
oauth1 = { signature = "HMAC-SHA1", realm = "Photos", request_url = "AT/initiate" }
input = [
    { key = "consumer_key", label = "Consumer key" },
    { key = "consumer_secret", label = "Consumer secret", secret = true },
]

[auth.shown]
kind = "oauth1"
name = "OAuth 1.0a with a number"
authorize_url = "AT/authorize"
token_url = "AT/token"
redirect = { loopback = "https_only" }
oauth1 = { signature = "HMAC-SHA1", realm = "Photos", request_url = "AT/initiate" }
input = [
    { key = "consumer_key", label = "Consumer key" },
    { key = "consumer_secret", label = "Consumer secret", secret = true },
]

[request]
base_url = "AT"

[[check]]
path = "/me"
query = { q = "a b&c" }
proves = "Photos knows the token."
"#;

/// What the server remembers, and how it is told to behave.
#[derive(Default)]
struct Server {
    nonces: HashSet<String>,
    callback: String,
    /// The last request's header, to be sent again.
    header: String,
    spent: bool,
    revoked: bool,
    unconfirmed: bool,
    refusals: Vec<String>,
}

fn strict(text: &str) -> String {
    const PLAIN: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    text.bytes().map(|byte| if PLAIN.as_bytes().contains(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

impl Server {
    /// The protocol parameters of a request that is well signed with this token; else what is wrong (RFC 5849 §3.2).
    fn verified(&mut self, request: &Request, token: Option<(&str, &str)>) -> Result<Vec<(String, String)>, String> {
        let header = request.headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
        let given = header.strip_prefix("OAuth ").ok_or("consumer_key_unknown")?;
        let given: Vec<(String, String)> = given
            .split(", ")
            .filter_map(|part| part.split_once('='))
            .map(|(name, value)| (name.to_owned(), percent(value.trim_matches('"'))))
            .collect();
        let named = |name: &str| given.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default();
        if named("realm") != "Photos" || named("oauth_signature_method") != "HMAC-SHA1" || named("oauth_version") != "1.0" {
            return Err("parameter_rejected".to_owned());
        }
        if named("oauth_consumer_key") != CONSUMER.0 {
            return Err("consumer_key_unknown".to_owned());
        }
        if named("oauth_token") != token.map_or("", |(token, _)| token) {
            return Err("token_rejected".to_owned());
        }
        if !named("oauth_timestamp").parse::<i64>().is_ok_and(|stamp| (stamp - jiff::Timestamp::now().as_second()).abs() < 120) {
            return Err("timestamp_refused".to_owned());
        }
        let mut all: Vec<(String, String)> = given.iter().filter(|(name, _)| name != "realm" && name != "oauth_signature").cloned().collect();
        all.extend(request.url.query_pairs().into_owned());
        if request.headers.get("content-type").is_some_and(|kind| kind.to_str().unwrap().starts_with("application/x-www-form-urlencoded")) {
            all.extend(form_urlencoded::parse(&request.body).into_owned());
        }
        let mut all: Vec<String> = all.iter().map(|(name, value)| format!("{}={}", strict(name), strict(value))).collect();
        all.sort();
        let host = request.headers.get("host").unwrap().to_str().unwrap();
        let address = format!("http://{host}{}", request.url.path());
        let base = format!("{}&{}&{}", request.method, strict(&address), strict(&all.join("&")));
        let key = format!("{}&{}", strict(CONSUMER.1), strict(token.map_or("", |(_, secret)| secret)));
        let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, key.as_bytes()), base.as_bytes());
        if named("oauth_signature") != base64::engine::general_purpose::STANDARD.encode(expected) {
            return Err("signature_invalid".to_owned());
        }
        if !self.nonces.insert(format!("{} {}", named("oauth_timestamp"), named("oauth_nonce"))) {
            return Err("nonce_used".to_owned());
        }
        self.header = header;
        Ok(given)
    }

    fn answer(&mut self, request: &Request) -> ResponseTemplate {
        let form = |text: String| ResponseTemplate::new(200).set_body_raw(text, "text/html");
        let pair = |(token, secret): (&str, &str)| format!("oauth_token={}&oauth_token_secret={}", strict(token), strict(secret));
        let answered = match request.url.path() {
            "/initiate" => self.verified(request, None).map(|given| {
                self.callback = given.iter().find(|(name, _)| name == "oauth_callback").map(|(_, value)| value.clone()).unwrap_or_default();
                self.spent = false;
                form(format!("{}&oauth_callback_confirmed={}", pair(TEMPORARY), !self.unconfirmed))
            }),
            "/token" => self.verified(request, Some(TEMPORARY)).and_then(|given| {
                let verifier = given.iter().find(|(name, _)| name == "oauth_verifier").map(|(_, value)| value.as_str());
                if verifier != Some(VERIFIER) || std::mem::replace(&mut self.spent, true) {
                    // Careless: it repeats what it was sent.
                    return Err(format!("verifier_invalid&oauth_problem_advice={}", strict(&format!("{verifier:?} {}", TEMPORARY.1))));
                }
                Ok(form(format!("{}&user_id=ada", pair(TOKEN))))
            }),
            "/me" if self.revoked => Err("token_revoked".to_owned()),
            "/me" => self.verified(request, Some(TOKEN)).map(|_| ResponseTemplate::new(200).set_body_json(serde_json::json!({"id": 1}))),
            _ => Err("unknown".to_owned()),
        };
        answered.unwrap_or_else(|problem| {
            self.refusals.push(problem.clone());
            ResponseTemplate::new(401).set_body_raw(format!("oauth_problem={problem}"), "application/x-www-form-urlencoded")
        })
    }
}

fn percent(text: &str) -> String {
    let query = format!("v={}", text.replace('+', "%2B"));
    form_urlencoded::parse(query.as_bytes()).next().map(|(_, value)| value.into_owned()).unwrap_or_default()
}

struct Stage {
    server: MockServer,
    state: Arc<Mutex<Server>>,
    dir: crate::searched::Place,
    ws: Workspace,
}

impl Stage {
    async fn new() -> Self {
        let server = MockServer::start().await;
        let state = Arc::new(Mutex::new(Server::default()));
        let answering = Arc::clone(&state);
        Mock::given(any()).respond_with(move |request: &Request| answering.lock().unwrap().answer(request)).mount(&server).await;
        let dir = crate::searched::place();
        std::fs::create_dir(dir.path().join("connectors")).unwrap();
        std::fs::write(dir.path().join("connectors/photos.toml"), DEFINITION.replace("AT", &server.uri())).unwrap();
        let ws = Workspace::open(dir.path(), Config::default());
        Self { server, state, dir, ws }
    }

    fn draft(&self, method: &str, secret: &str) -> CredentialDraft {
        let mut draft = credentials::draft_new(&self.ws, "photos", Some(method)).unwrap();
        draft.settings.insert("consumer_key".to_owned(), CONSUMER.0.to_owned());
        credentials::draft_save(&self.ws, &draft).unwrap();
        credentials::draft_secret(&self.ws, &draft.id, "consumer_secret", Secret::new(secret)).unwrap()
    }

    /// Nothing secret is in what was told, or in any file but the sealed one.
    fn keeps_silent(&self, told: &[&Problem]) {
        let secrets = [CONSUMER.1, TEMPORARY.1, TOKEN.0, TOKEN.1, VERIFIER];
        let clean = |what: &str, text: &str| {
            for secret in secrets {
                assert!(!text.contains(secret) && !text.contains(&strict(secret)), "{what} holds {secret}");
            }
        };
        for problem in told {
            clean("a problem", &format!("{problem:?}"));
        }
        let (mut waiting, mut seen) = (vec![self.dir.path().to_owned()], 0);
        while let Some(dir) = waiting.pop() {
            for entry in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
                if entry.is_dir() {
                    waiting.push(entry);
                } else {
                    clean(&entry.display().to_string(), &String::from_utf8_lossy(&std::fs::read(&entry).unwrap()));
                    seen += 1;
                }
            }
        }
        assert!(seen > 1, "{seen} files");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_of_three_legs_from_the_first_request_to_the_signed_one() {
    let stage = Stage::new().await;
    let draft = stage.draft("three", CONSUMER.1);
    assert!(credentials::needs_consent(&stage.ws, &draft).unwrap());
    let lost = credentials::consent_begin(&stage.ws, &draft.id).await.unwrap();
    let address = lost.view.authorize_url.clone();
    assert_eq!(address, format!("{}/authorize?lang=en&oauth_token=temporary-token-1%2F", stage.server.uri()));
    assert!(lost.view.listening && lost.view.request.is_some() && lost.view.device.is_none(), "{:?}", lost.view);
    assert_eq!(stage.state.lock().unwrap().callback, lost.view.redirect_uri);
    // Taken up again: the same temporary credentials, the same port.
    let uri = lost.view.redirect_uri.clone();
    drop(lost);
    let consent = credentials::consent_begin(&stage.ws, &draft.id).await.unwrap();
    assert_eq!((&consent.view.authorize_url, &consent.view.redirect_uri), (&address, &uri));
    assert_eq!(stage.state.lock().unwrap().nonces.len(), 1);
    // Somebody else's answer is none.
    let wrong = consent.offer("oauth_token=another&oauth_verifier=x").unwrap_err();
    assert_eq!(wrong.code.as_deref(), Some("wrong_state"));

    let browser = tokio::spawn(async move {
        let query =
            form_urlencoded::Serializer::new(String::new()).append_pair("oauth_token", TEMPORARY.0).append_pair("oauth_verifier", VERIFIER).finish();
        reqwest::Client::builder().no_proxy().build().unwrap().get(format!("{uri}?{query}")).send().await.unwrap().status().as_u16()
    });
    consent.finish(&stage.ws, &Sink::none()).await.unwrap();
    assert_eq!(browser.await.unwrap(), 200);
    assert!(!credentials::needs_consent(&stage.ws, &draft).unwrap());
    let outcome = credentials::draft_test(&stage.ws, &draft.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?} {:?}", outcome.problem, stage.state.lock().unwrap().refusals);
    let credential = credentials::draft_finish(&stage.ws, &draft.id).unwrap();
    assert!(credential.access_expires.is_none() && !credential.refreshes);
    assert_eq!(credential.found.get("user").map(String::as_str), Some("ada"));

    // The server would have noticed a request that came twice.
    let header = stage.state.lock().unwrap().header.clone();
    let again = reqwest::Client::builder()
        .no_proxy()
        .build()
        .unwrap()
        .get(format!("{}/me?q=a%20b%26c", stage.server.uri()))
        .header("authorization", header)
        .send()
        .await
        .unwrap();
    assert!(again.text().await.unwrap().contains("nonce_used"));
    // It needs no other token for the next test, and says so when it is revoked.
    assert!(credentials::test(&stage.ws, &credential.id, &Sink::none()).await.unwrap().ok);
    stage.state.lock().unwrap().revoked = true;
    let refused = credentials::test(&stage.ws, &credential.id, &Sink::none()).await.unwrap();
    let problem = refused.problem.unwrap();
    assert!(!refused.ok && problem.next_step.contains("consent"), "{problem:?}");
    assert_ne!(credentials::get(&stage.ws, &credential.id).unwrap().status, CredentialStatus::Valid);
    stage.keeps_silent(&[&wrong, &problem]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verifier_that_is_shown_and_typed() {
    let stage = Stage::new().await;
    let draft = stage.draft("shown", CONSUMER.1);
    let consent = credentials::consent_begin(&stage.ws, &draft.id).await.unwrap();
    assert_eq!(stage.state.lock().unwrap().callback, "oob");
    assert!(!consent.view.listening && consent.view.request.is_none() && consent.view.redirect_uri.is_empty(), "{:?}", consent.view);
    // A wrong one is refused by the server, which repeats secrets; the next consent begins anew.
    consent.offer("1234").unwrap();
    let refused = consent.finish(&stage.ws, &Sink::none()).await.unwrap_err();
    assert_eq!(refused.code.as_deref(), Some("verifier_invalid"));
    drop(consent);
    let consent = credentials::consent_begin(&stage.ws, &draft.id).await.unwrap();
    assert_eq!(stage.state.lock().unwrap().refusals.len(), 1);
    consent.offer(&format!("  {VERIFIER}\n")).unwrap();
    consent.finish(&stage.ws, &Sink::none()).await.unwrap();
    assert!(credentials::draft_test(&stage.ws, &draft.id, &Sink::none()).await.unwrap().ok);
    stage.keeps_silent(&[&refused]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_a_consent() {
    let stage = Stage::new().await;
    // The consumer secret is wrong: told before anybody goes to the browser.
    let draft = stage.draft("three", "planted-wrong-secret");
    let unsigned = credentials::consent_begin(&stage.ws, &draft.id).await.err().unwrap();
    assert_eq!(unsigned.code.as_deref(), Some("signature_invalid"));
    assert!(unsigned.next_step.contains("consumer key and secret"), "{unsigned:?}");

    let draft = stage.draft("three", CONSUMER.1);
    stage.state.lock().unwrap().unconfirmed = true;
    let unsafe_ = credentials::consent_begin(&stage.ws, &draft.id).await.err().unwrap();
    assert!(unsafe_.why.contains("OAuth 1.0"), "{unsafe_:?}");
    stage.state.lock().unwrap().unconfirmed = false;

    for refusal in ["denied=temporary-token-1%2F", "oauth_token=temporary-token-1%2F&oauth_problem=permission_denied"] {
        let consent = credentials::consent_begin(&stage.ws, &draft.id).await.unwrap();
        consent.offer(&format!("{}?{refusal}", consent.view.redirect_uri)).unwrap();
        let refused = consent.finish(&stage.ws, &Sink::none()).await.unwrap_err();
        assert_eq!(refused.code.as_deref(), Some("access_denied"), "{refused:?}");
        assert!(credentials::needs_consent(&stage.ws, &draft).unwrap());
    }
    stage.keeps_silent(&[&unsigned, &unsafe_]);
}
