use std::time::Instant;

use super::retry::{LONGEST_BACKOFF, wait_asked_for};
use super::*;
use std::sync::Mutex as StdMutex;
use std::sync::atomic::{AtomicU32, Ordering};
use wiremock::matchers::{header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const QUICK: Patience = Patience { tries: 5, base: Duration::from_millis(5), longest: Duration::from_secs(5), timeout: Duration::from_millis(800) };

fn connector(rest: &str) -> Arc<Connector> {
    Arc::new(toml::from_str(&format!("schema = 1\nid = 'acme'\nname = 'Acme'\n{rest}")).unwrap())
}

fn client(server: &MockServer, rest: &str, authorizer: Option<Arc<dyn Authorizer>>) -> Client {
    let mut context = Context::default();
    context.input.insert("base_url".to_owned(), format!("{}/api/", server.uri()));
    Client::new(connector(rest), context, authorizer).unwrap().with_patience(QUICK)
}

/// Hands out `old` until it is refused, then `new`.
struct Renewing {
    refused: AtomicU32,
    asked: AtomicU32,
    can: bool,
}

impl Renewing {
    fn new(can: bool) -> Arc<Self> {
        Arc::new(Self { refused: AtomicU32::new(0), asked: AtomicU32::new(0), can })
    }
}

impl Authorizer for Renewing {
    fn credentials<'a>(&'a self, _: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let token = if self.refused.load(Ordering::SeqCst) == 0 { "old-token-value" } else { "new-token-value" };
        let attached = Attached {
            headers: vec![("Authorization".to_owned(), Secret::new(format!("Bearer {token}")))],
            query: vec![("sig".to_owned(), Secret::new("query-secret"))],
            ..Attached::default()
        };
        Box::pin(async { Ok(attached) })
    }

    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
        self.refused.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { Ok(self.can) })
    }
}

async fn get(client: &Client) -> Result<Answer, Problem> {
    client.send("GET", "/users", &[("page".to_owned(), "1".to_owned())], None, &Sink::none()).await
}

async fn serve(server: &MockServer, times: u64, response: ResponseTemplate) {
    Mock::given(path("/api/users")).respond_with(response).up_to_n_times(times).mount(server).await;
}

#[tokio::test]
async fn what_passes_is_tried_again() {
    for status in [500, 502, 503, 504, 429, 408] {
        let server = MockServer::start().await;
        serve(&server, 2, ResponseTemplate::new(status)).await;
        Mock::given(path("/api/users")).and(query_param("page", "1")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
        let answer = get(&client(&server, "", None)).await.unwrap();
        assert_eq!((answer.status, answer.requests), (200, 3), "{status}");
    }
}

#[tokio::test]
async fn it_gives_up_after_five_tries_and_says_so() {
    let server = MockServer::start().await;
    serve(&server, 100, ResponseTemplate::new(500).set_body_string(r#"{"error":{"code":"Oops","message":"it broke."}}"#)).await;
    let problem = get(&client(&server, "", None)).await.err().unwrap();
    assert_eq!(server.received_requests().await.unwrap().len(), 5);
    assert_eq!(problem.code.as_deref(), Some("Oops"));
    assert!(problem.why.contains("was answered with 500: it broke (5 tries)"), "{}", problem.why);
}

#[tokio::test]
async fn what_does_not_pass_is_not_tried_again() {
    for (status, word) in [(400, "refused"), (403, "does not allow"), (404, "does not know")] {
        let server = MockServer::start().await;
        serve(&server, 100, ResponseTemplate::new(status)).await;
        let problem = get(&client(&server, "", None)).await.err().unwrap();
        assert_eq!(server.received_requests().await.unwrap().len(), 1);
        assert!(problem.what.contains(word), "{status}: {}", problem.what);
    }
}

#[tokio::test]
async fn changes_are_not_sent_twice() {
    let server = MockServer::start().await;
    serve(&server, 1, ResponseTemplate::new(500)).await;
    let client = client(&server, "", None);
    let body = || Some(Body::Json(serde_json::json!({"a": 1})));
    assert!(client.send("POST", "users", &[], body(), &Sink::none()).await.is_err());
    assert_eq!(server.received_requests().await.unwrap().len(), 1);
    // Too many requests means that it was not done.
    serve(&server, 1, ResponseTemplate::new(429)).await;
    serve(&server, 1, ResponseTemplate::new(201)).await;
    assert_eq!(client.send("POST", "users", &[], body(), &Sink::none()).await.unwrap().status, 201);
}

#[tokio::test]
async fn a_pause_that_the_vendor_asks_for_is_kept_and_reported() {
    let server = MockServer::start().await;
    serve(&server, 1, ResponseTemplate::new(429).insert_header("Retry-After", "1")).await;
    serve(&server, 1, ResponseTemplate::new(200)).await;
    let said = Arc::new(StdMutex::new(Vec::new()));
    let log = said.clone();
    let sink = Sink::new(move |progress| log.lock().unwrap().push(progress.doing), Default::default());
    let started = Instant::now();
    let renewing = Renewing::new(true);
    let client = client(&server, "", Some(renewing.clone()));
    client.send("GET", "/users", &[], None, &sink).await.unwrap();
    assert!(started.elapsed() >= Duration::from_secs(1));
    assert!(said.lock().unwrap().iter().any(|doing| doing.contains("Acme asked for a pause")));
    // The credential was asked for anew after the wait.
    assert_eq!(renewing.asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_wait_can_be_cancelled() {
    let server = MockServer::start().await;
    serve(&server, 9, ResponseTemplate::new(429).insert_header("Retry-After", "4")).await;
    let (client, sink) = (client(&server, "", None), Sink::none());
    let cancel = sink.cancel.clone();
    let sink = Sink::new(move |_| cancel.cancel(), sink.cancel.clone());
    let started = Instant::now();
    assert!(client.send("GET", "/users", &[], None, &sink).await.is_err());
    assert!(started.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_pause_beyond_reason_is_a_problem() {
    let server = MockServer::start().await;
    serve(&server, 9, ResponseTemplate::new(429).insert_header("Retry-After", "86400")).await;
    let problem = get(&client(&server, "", None)).await.err().unwrap();
    assert!(problem.why.contains("24h"), "{}", problem.why);
}

#[tokio::test]
async fn a_refused_token_is_renewed_once() {
    let server = MockServer::start().await;
    Mock::given(header("Authorization", "Bearer new-token-value")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    let refusal =
        ResponseTemplate::new(401).set_body_string(r#"{"error":"invalid_token","error_description":"old-token-value and query-secret are dead"}"#);
    Mock::given(header("Authorization", "Bearer old-token-value")).respond_with(refusal).mount(&server).await;
    let renewing = Renewing::new(true);
    assert_eq!(get(&client(&server, "", Some(renewing.clone()))).await.unwrap().requests, 2);
    let stuck = Renewing::new(false);
    let problem = get(&client(&server, "", Some(stuck.clone()))).await.err().unwrap();
    assert_eq!(stuck.refused.load(Ordering::SeqCst), 1);
    assert_eq!((problem.exit_code(), problem.code.as_deref()), (3, Some("invalid_token")));
    // What the vendor echoed is not repeated.
    assert!(problem.why.contains("… and … are dead"), "{}", problem.why);
    assert!(!problem.why.contains("sig="));
}

/// Ended tokens and missing rights often look the same: a rule that calls all of them final must not keep a credential from being renewed.
#[tokio::test]
async fn a_rule_that_fails_on_401_is_believed_of_a_fresh_token_only() {
    let server = MockServer::start().await;
    Mock::given(header("Authorization", "Bearer new-token-value")).respond_with(ResponseTemplate::new(200)).mount(&server).await;
    serve(&server, 9, ResponseTemplate::new(401)).await;
    let rule = "[[error]]\nstatus = 401\naction = \"fail\"\nmessage = \"The app is not installed.\"";
    let renewing = Renewing::new(true);
    assert_eq!(get(&client(&server, rule, Some(renewing.clone()))).await.unwrap().requests, 2);
    let stuck = Renewing::new(false);
    let problem = get(&client(&server, rule, Some(stuck.clone()))).await.err().unwrap();
    assert!(problem.why.contains("The app is not installed."), "{problem:?}");
    assert_eq!(stuck.refused.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_slow_answer_is_a_time_out() {
    let server = MockServer::start().await;
    serve(&server, 1, ResponseTemplate::new(200).set_delay(Duration::from_secs(5))).await;
    serve(&server, 1, ResponseTemplate::new(200)).await;
    assert_eq!(get(&client(&server, "", None)).await.unwrap().requests, 2);
}

#[tokio::test]
async fn nobody_there() {
    let mut context = Context::default();
    // Bound, then closed: nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    context.input.insert("base_url".to_owned(), format!("http://127.0.0.1:{port}"));
    let client = Client::new(connector(""), context, None).unwrap().with_patience(Patience { tries: 2, ..QUICK });
    let problem = get(&client).await.err().unwrap();
    assert!(problem.what.contains("could not be reached"), "{problem:?}");
}

#[tokio::test]
async fn a_redirect_elsewhere_is_named() {
    let server = MockServer::start().await;
    serve(&server, 9, ResponseTemplate::new(302).insert_header("Location", "https://elsewhere.example/login")).await;
    let problem = get(&client(&server, "", None)).await.err().unwrap();
    assert!(problem.why.contains("https://elsewhere.example/login"), "{problem:?}");
}

#[tokio::test]
async fn the_pace_of_the_vendor_is_kept() {
    let server = MockServer::start().await;
    serve(&server, 99, ResponseTemplate::new(200)).await;
    let client = client(&server, "[limit]\nrequests = 2\nper = 1\nconcurrency = 1", None);
    let started = Instant::now();
    for _ in 0..3 {
        get(&client).await.unwrap();
    }
    assert!(started.elapsed() >= Duration::from_millis(900));
}

#[tokio::test]
async fn defaults_of_the_connector_are_sent() {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/api/users"))
        .and(query_param("v", "2"))
        .and(header("accept", "application/scim+json"))
        .and(header("user-agent", concat!("intertie/", env!("CARGO_PKG_VERSION"))))
        .respond_with(ResponseTemplate::new(200))
        .mount(&server)
        .await;
    let client = client(&server, "[request]\nheaders = { Accept = 'application/scim+json' }\nquery = { v = '2', page = '9' }", None);
    assert_eq!(get(&client).await.unwrap().url, format!("{}/api/users?v=2&page=1", server.uri()));
    let missing = client.send_once("GET", "/nothing", &[], None, &Sink::none()).await.unwrap();
    assert_eq!(missing.status, 404);
    assert!(client.judge("GET", &missing).unwrap().what.contains("does not know"));
}

#[test]
fn pauses_asked_for() {
    let connector = connector("[limit]\nafter = ['X-Wait']\nuntil = ['X-Reset']");
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let asked = |name: &str, value: &str| {
        let headers = vec![(name.to_owned(), value.to_owned())];
        let answer = Answer { status: 429, headers, body: Bytes::new(), url: String::new(), milliseconds: 0, requests: 1 };
        wait_asked_for(&connector, &rules::Verdict::Fine, &answer, now).map(|pause| pause.as_secs())
    };
    assert_eq!(asked("Retry-After", "7"), Some(7));
    assert_eq!(asked("retry-after", " 1.5 "), Some(1));
    assert_eq!(asked("Retry-After", "Fri, 15 Jan 2027 08:00:30 GMT"), Some(30));
    assert_eq!(asked("Retry-After", "Fri, 15 Jan 2027 07:00:00 GMT"), Some(0));
    assert_eq!(asked("Retry-After", "soon"), None);
    assert_eq!(asked("Retry-After", "-3"), None);
    assert_eq!(asked("Retry-After", "1e300"), None);
    assert_eq!(asked("X-Wait", "9"), Some(9));
    assert_eq!(asked("X-Reset", "1800000060"), Some(60));
    assert_eq!(asked("X-Reset", "1800000060000"), Some(60));
    assert_eq!(asked("X-Reset", "42"), Some(42));
    assert_eq!(asked("X-Other", "42"), None);
}

#[test]
fn pauses_double_and_end_somewhere() {
    let base = Duration::from_secs(1);
    for tries in 1..40 {
        let pause = backoff(base, tries);
        let full = base.saturating_mul(1 << (tries - 1).min(16)).min(LONGEST_BACKOFF);
        assert!(pause >= full / 2 && pause <= full, "{tries}: {pause:?}");
    }
}

#[test]
fn a_clock_that_is_off_is_named_where_it_matters() {
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
    let said = |status: u16, date: &str, code: Option<&str>| {
        let headers = vec![("Date".to_owned(), date.to_owned())];
        let answer = Answer { status, headers, body: Bytes::new(), url: String::new(), milliseconds: 0, requests: 1 };
        skew(&answer, code, now)
    };
    let (ahead, close, behind) = ("Fri, 15 Jan 2027 08:05:00 GMT", "Fri, 15 Jan 2027 08:01:59 GMT", "Fri, 15 Jan 2027 06:00:00 GMT");
    assert_eq!(said(401, ahead, None).as_deref(), Some("This host's clock is 5m behind the vendor's."));
    assert_eq!(said(403, behind, None).as_deref(), Some("This host's clock is 2h ahead of the vendor's."));
    assert_eq!(said(400, ahead, Some("InvalidSignatureException")).as_deref(), Some("This host's clock is 5m behind the vendor's."));
    for (status, date, code) in
        [(401, close, None), (400, ahead, Some("ValidationException")), (400, ahead, None), (500, ahead, None), (401, "", None)]
    {
        assert_eq!(said(status, date, code), None, "{status} {date}");
    }
}
