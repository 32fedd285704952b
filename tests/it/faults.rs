//! The practice vendor, honest and with faults: everything is read, or it is said why not.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use intertie::catalog::template::Context;
use intertie::mapping::path::Path;
use intertie::mapping::projection::{Projection, Row};
use intertie::model::{Connector, Problem, Secret, Sink};
use intertie::practice::{self, Fault, Options, Practice, When};
use intertie::vendor::client::{Attached, Authorizer, Client, Outgoing, Patience};
use intertie::vendor::source::{self, Source};
use serde_json::{Value, json};
use url::Url;

const DEFINITION: &str = "
schema = 1
id = 'practice'
name = 'Practice'
[[resource]]
id = 'members'
name = 'Members'
kind = 'users'
key = 'id'
path = '/v1.1/accounts/1/members'
records = 'data'
[resource.paging]
kind = 'page'
param = 'page'
size_param = 'per_page'
size = 50
more = 'has_more'
total = 'total_count'
";

/// Gets a new token by client credentials each time it is refused.
struct ByClientCredentials {
    base_url: String,
    token: tokio::sync::Mutex<Option<String>>,
    asked: AtomicU32,
}

impl ByClientCredentials {
    fn new(practice: &Practice) -> Arc<Self> {
        Arc::new(Self { base_url: practice.base_url.clone(), token: tokio::sync::Mutex::new(None), asked: AtomicU32::new(0) })
    }
}

impl Authorizer for ByClientCredentials {
    fn credentials<'a>(&'a self, _: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>> {
        Box::pin(async {
            let mut token = self.token.lock().await;
            if token.is_none() {
                self.asked.fetch_add(1, Ordering::SeqCst);
                *token = Some(text(&post(&self.base_url, "token", &[("grant_type", "client_credentials")]).await.1["access_token"]));
            }
            let headers = vec![("Authorization".to_owned(), Secret::new(format!("Bearer {}", token.as_deref().unwrap_or_default())))];
            Ok(Attached { headers, ..Attached::default() })
        })
    }

    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
        Box::pin(async {
            *self.token.lock().await = None;
            Ok(true)
        })
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn http(base_url: &str) -> &'static reqwest::Client {
    intertie::vendor::http::client_for(&Url::parse(base_url).unwrap()).unwrap()
}

/// Asks the authorization server, as the practice client.
async fn post(base_url: &str, what: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let form = [form, &[("client_id", practice::CLIENT_ID), ("client_secret", practice::CLIENT_SECRET)]].concat();
    let answer = http(base_url).post(format!("{base_url}/oauth/{what}")).form(&form).send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

struct Reading {
    connector: Arc<Connector>,
    context: Context,
    client: Client,
}

impl Reading {
    fn new(practice: &Practice, authorizer: Arc<dyn Authorizer>) -> Self {
        let connector: Arc<Connector> = Arc::new(toml::from_str(DEFINITION).unwrap());
        let mut context = Context::default();
        context.input.insert("base_url".to_owned(), practice.base_url.clone());
        let patience = Patience { base: Duration::from_millis(5), timeout: Duration::from_secs(2), ..Patience::default() };
        let client = Client::new(connector.clone(), context.clone(), Some(authorizer)).unwrap().with_patience(patience);
        Self { connector, context, client }
    }

    fn open(&self) -> Source {
        let projection = Projection::new(["id", "name", "verified"].iter().map(|path| Path::parse(path).unwrap()).collect());
        let (resource, client) = (&self.connector.resources[0], Some(self.client.clone()));
        Source::open(self.connector.clone(), resource, &self.context, client, projection, &Sink::none()).unwrap()
    }

    async fn all(&self) -> Result<(Vec<Row>, u64), Problem> {
        let (mut source, mut rows, mut requests) = (self.open(), Vec::new(), 0);
        while let Some(page) = source.next().await? {
            assert_eq!(page.bad, []);
            rows.extend(page.rows);
            requests += page.requests;
        }
        Ok((rows, requests))
    }
}

fn expected(practice: &Practice) -> Vec<Vec<Value>> {
    practice.expected().into_iter().map(|person| vec![json!(person.id), json!(person.name), json!(person.verified)]).collect()
}

async fn started() -> (Practice, Reading, Arc<ByClientCredentials>) {
    let practice = practice::start(Options::default()).await.unwrap();
    let authorizer = ByClientCredentials::new(&practice);
    let reading = Reading::new(&practice, authorizer.clone());
    (practice, reading, authorizer)
}

#[tokio::test]
async fn everybody_is_read_day_after_day() {
    let (practice, reading, _) = started().await;
    for _ in 0..4 {
        let (rows, requests) = reading.all().await.unwrap();
        assert_eq!(rows.into_iter().map(|row| row.slots).collect::<Vec<_>>(), expected(&practice));
        assert_eq!(requests, practice.people().div_ceil(50));
        practice.pass_a_day();
    }
}

#[tokio::test]
async fn faults_that_pass_are_got_over() {
    #[rustfmt::skip]
    let table = [
        (Fault::TooMany { retry_after: 0 }, When::Times(3)),
        (Fault::TooMany { retry_after: 1 }, When::PageOnce(2)),
        (Fault::ServerError, When::EveryNth(2)),
        (Fault::Truncated, When::PageOnce(3)),
        (Fault::Reset, When::PageOnce(4)),
        (Fault::Malformed, When::PageOnce(5)),
        (Fault::Slow(Duration::from_secs(60)), When::PageOnce(1)),
        (Fault::Expired, When::PageOnce(3)),
    ];
    for (fault, when) in table {
        let (practice, reading, authorizer) = started().await;
        practice.faults.set(fault.clone(), when);
        let (rows, requests) = reading.all().await.unwrap_or_else(|problem| panic!("{fault:?}: {problem:?}"));
        assert_eq!(rows.into_iter().map(|row| row.slots).collect::<Vec<_>>(), expected(&practice), "{fault:?}");
        assert!(requests > 5, "{fault:?}: {requests}");
        assert_eq!(authorizer.asked.load(Ordering::SeqCst), if fault == Fault::Expired { 2 } else { 1 }, "{fault:?}");
    }
}

#[tokio::test]
async fn faults_that_stay_are_reported_and_never_taken_for_the_end() {
    #[rustfmt::skip]
    let table = [
        (Fault::TooMany { retry_after: 0 }, "allows no more requests"),
        (Fault::TooMany { retry_after: 100_000 }, "longer than a run should"),
        (Fault::ServerError, "trouble of its own"),
        (Fault::Forbidden, "does not allow this"),
        (Fault::Truncated, "cut short"),
        (Fault::Reset, "cut short"),
        (Fault::Malformed, "cannot be read"),
        (Fault::WebPage, "a web page"),
    ];
    for (fault, words) in table {
        let (practice, reading, _) = started().await;
        practice.faults.set(fault.clone(), When::Page(3));
        let (mut source, mut read) = (reading.open(), 0);
        let problem = loop {
            match source.next().await {
                Ok(Some(page)) => read += page.rows.len(),
                Ok(None) => panic!("{fault:?}: taken for the end"),
                Err(problem) => break problem,
            }
        };
        assert_eq!(read, 100, "{fault:?}");
        assert!(problem.what.contains(words), "{fault:?}: {problem:?}");
        assert!(source.next().await.is_err());
        // It is over when the vendor is well again.
        practice.faults.clear();
        assert_eq!(reading.all().await.unwrap().0.len(), 250);
    }
}

#[tokio::test]
async fn an_empty_list_and_hostile_names_are_read_as_they_are() {
    let (practice, reading, _) = started().await;
    practice.faults.set(Fault::Empty, When::Once);
    assert_eq!(reading.all().await.unwrap().0, []);
    practice.faults.set(Fault::Hostile, When::Always);
    let (rows, _) = reading.all().await.unwrap();
    assert_eq!(rows.len(), 250);
    let names: Vec<&str> = rows.iter().filter_map(|row| row.slots[1].as_str()).collect();
    assert!(names.iter().any(|name| name.contains('\u{1b}')) && names.iter().any(|name| name.len() == 1 << 20));
}

#[tokio::test]
async fn a_revoked_credential_asks_for_a_person() {
    let (practice, _, _) = started().await;
    struct Stale;
    impl Authorizer for Stale {
        fn credentials<'a>(&'a self, _: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>> {
            let headers = vec![("Authorization".to_owned(), Secret::new("Bearer stale-and-secret"))];
            Box::pin(async { Ok(Attached { headers, ..Attached::default() }) })
        }
        fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
            Box::pin(async { Ok(false) })
        }
    }
    let problem = Reading::new(&practice, Arc::new(Stale)).all().await.unwrap_err();
    assert_eq!((problem.exit_code(), problem.code.as_deref()), (3, Some("invalid_token")));
    assert!(!format!("{problem:?}").contains("stale-and-secret"));
}

#[tokio::test]
async fn a_million_people_cost_nothing_until_they_are_asked_for() {
    let started = Instant::now();
    let practice = practice::start(Options { people: 1_000_000, ..Options::default() }).await.unwrap();
    let url = format!("{}/v1.1/accounts/1/members?page=1000&per_page=1000", practice.base_url);
    let body: Value = http(&url).get(&url).bearer_auth(practice::TOKEN).send().await.unwrap().json().await.unwrap();
    assert_eq!((&body["count"], &body["has_more"], &body["total_count"]), (&json!(1000), &json!(false), &json!(1_000_000)));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn samples_are_whole_members() {
    let (_practice, reading, _) = started().await;
    let (resource, client) = (&reading.connector.resources[0], Some(reading.client.clone()));
    let sample = source::sample(reading.connector.clone(), resource, &reading.context, client, 60, &Sink::none()).await;
    let (records, total) = sample.unwrap();
    assert_eq!((records.len(), total), (60, Some(250)));
    let keys: Vec<&String> = records[0].as_object().unwrap().keys().collect();
    assert_eq!(keys, ["id", "email", "name", "locale", "time_zone", "verified", "verified_time", "profiles"]);
}

/// A PKCE pair that is known: the example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http://127.0.0.1:9/callback";

fn authorize_url(practice: &Practice, change: &[(&str, &str)]) -> String {
    let mut params = vec![
        ("response_type", "code"),
        ("client_id", practice::CLIENT_ID),
        ("redirect_uri", REDIRECT),
        ("scope", "members.read  offline"),
        ("state", "s t&te"),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
    ];
    for (name, value) in change {
        params.retain(|(known, _)| known != name);
        if !value.is_empty() {
            params.push((name, value));
        }
    }
    Url::parse_with_params(&format!("{}/oauth/authorize", practice.base_url), params).unwrap().into()
}

fn answer(address: &str) -> HashMap<String, String> {
    assert!(address.starts_with(REDIRECT), "{address}");
    Url::parse(address).unwrap().query_pairs().into_owned().collect()
}

/// What a browser does: shows the page, presses a button, and is sent on.
async fn press(practice: &Practice, decision: &str) -> HashMap<String, String> {
    let page = http(&practice.base_url).get(authorize_url(practice, &[])).send().await.unwrap();
    assert_eq!((page.status().as_u16(), page.headers()["cache-control"].to_str().unwrap()), (200, "no-store"));
    let html = page.text().await.unwrap();
    assert!(html.contains("Practice vendor") && html.contains("members.read") && html.contains(REDIRECT), "{html}");
    let ticket = html.split("name=\"ticket\" value=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap();
    let form = [("ticket", ticket), ("decision", decision)];
    let sent = || http(&practice.base_url).post(format!("{}/oauth/authorize", practice.base_url)).form(&form).send();
    let reply = sent().await.unwrap();
    assert_eq!(reply.status(), 303);
    let answer = answer(reply.headers()["location"].to_str().unwrap());
    assert_eq!((answer["state"].as_str(), answer["iss"].as_str()), ("s t&te", practice.base_url.as_str()));
    // The page works once.
    assert_eq!(sent().await.unwrap().status(), 400);
    answer
}

async fn redeem(practice: &Practice, code: &str, verifier: &str) -> (u16, Value) {
    let form = [("grant_type", "authorization_code"), ("code", code), ("redirect_uri", REDIRECT), ("code_verifier", verifier)];
    post(&practice.base_url, "token", &form).await
}

async fn refresh(practice: &Practice, token: &str) -> (u16, Value) {
    post(&practice.base_url, "token", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

async fn works(practice: &Practice, token: &str) -> bool {
    let url = format!("{}/v1.1/accounts/1/members?per_page=1", practice.base_url);
    http(&url).get(&url).bearer_auth(token).send().await.unwrap().status() == 200
}

#[tokio::test]
async fn consent_gives_tokens_that_rotate() {
    let (practice, ..) = started().await;
    let code = press(&practice, "approve").await["code"].clone();
    assert_eq!(redeem(&practice, &code, "wrong-verifier").await.1["error"], "invalid_grant");
    let (status, first) = redeem(&practice, &code, VERIFIER).await;
    assert_eq!(
        (status, &first["token_type"], &first["scope"], &first["expires_in"]),
        (200, &json!("Bearer"), &json!("members.read offline"), &json!(3600))
    );
    assert!(works(&practice, &text(&first["access_token"])).await);
    let (_, second) = refresh(&practice, &text(&first["refresh_token"])).await;
    assert!(works(&practice, &text(&second["access_token"])).await);
    assert_ne!(first["refresh_token"], second["refresh_token"]);
    // The old one again: everything is revoked.
    assert_eq!(refresh(&practice, &text(&first["refresh_token"])).await.1["error"], "invalid_grant");
    assert!(!works(&practice, &text(&second["access_token"])).await);
    assert_eq!(refresh(&practice, &text(&second["refresh_token"])).await.0, 400);
}

#[tokio::test]
async fn a_code_works_once() {
    let (practice, ..) = started().await;
    let code = press(&practice, "approve").await["code"].clone();
    let (_, tokens) = redeem(&practice, &code, VERIFIER).await;
    assert_eq!(redeem(&practice, &code, VERIFIER).await.1["error"], "invalid_grant");
    assert!(!works(&practice, &text(&tokens["access_token"])).await);
}

#[tokio::test]
async fn what_is_revoked_is_over() {
    let (practice, ..) = started().await;
    let address = practice.consent(&authorize_url(&practice, &[]), true).unwrap();
    let (_, tokens) = redeem(&practice, &answer(&address)["code"], VERIFIER).await;
    let token = text(&tokens["refresh_token"]);
    assert_eq!(post(&practice.base_url, "revoke", &[("token", &token)]).await.0, 200);
    assert_eq!(post(&practice.base_url, "revoke", &[("token", "unknown")]).await.0, 200);
    assert_eq!(refresh(&practice, &token).await.0, 400);
    assert!(!works(&practice, &text(&tokens["access_token"])).await);
}

#[tokio::test]
async fn requests_that_are_not_in_order() {
    let (practice, ..) = started().await;
    assert_eq!(press(&practice, "refuse").await["error"], "access_denied");
    for (name, value, error) in [
        ("response_type", "token", "unsupported_response_type"),
        ("code_challenge", "", "invalid_request"),
        ("code_challenge_method", "plain", "invalid_request"),
        ("scope", "a\"b", "invalid_scope"),
    ] {
        let address = practice.consent(&authorize_url(&practice, &[(name, value)]), true).unwrap();
        assert_eq!(answer(&address)["error"], error, "{name}={value}");
    }
    for (name, value) in [("client_id", "somebody"), ("redirect_uri", "https://evil.example/"), ("redirect_uri", "")] {
        assert!(practice.consent(&authorize_url(&practice, &[(name, value)]), true).is_err(), "{name}={value}");
    }
    let form = [("grant_type", "client_credentials"), ("client_id", practice::CLIENT_ID), ("client_secret", "wrong")];
    let answer = http(&practice.base_url).post(format!("{}/oauth/token", practice.base_url)).form(&form).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.json::<Value>().await.unwrap()["error"].clone()), (401, json!("invalid_client")));
    let basic = http(&practice.base_url)
        .post(format!("{}/oauth/token", practice.base_url))
        .basic_auth(practice::CLIENT_ID, Some(practice::CLIENT_SECRET))
        .form(&[("grant_type", "client_credentials"), ("scope", "members.read")]);
    assert_eq!(basic.send().await.unwrap().json::<Value>().await.unwrap()["scope"], "members.read");
    let metadata: Value = http(&practice.base_url)
        .get(format!("{}/.well-known/oauth-authorization-server", practice.base_url))
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(metadata["issuer"], practice.base_url.as_str());
}

#[tokio::test]
async fn it_stops_when_it_is_dropped() {
    let practice = practice::start(Options::default()).await.unwrap();
    let address = practice.base_url.strip_prefix("http://").unwrap().to_owned();
    assert!(tokio::net::TcpStream::connect(&address).await.is_ok());
    drop(practice);
    let deadline = Instant::now() + Duration::from_secs(5);
    while tokio::net::TcpStream::connect(&address).await.is_ok() {
        assert!(Instant::now() < deadline, "still there");
        tokio::task::yield_now().await;
    }
}
