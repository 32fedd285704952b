//! The other ways to consent and to prove a client, against npm `oidc-provider`: metadata, device codes, pushed requests, registration,
//! `private_key_jwt`.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use intertie::model::{CredentialStatus, ProblemKind, Secret, Sink};
use intertie::ops::credentials;

use crate::oidc::Stage;
use crate::peers::{browse, browse_device};

/// What the person who waits is told.
fn listening() -> (Arc<Mutex<Vec<String>>>, Sink) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sink = {
        let heard = heard.clone();
        Sink::new(move |progress| heard.lock().unwrap().push(progress.doing), Default::default())
    };
    (heard, sink)
}

/// Waits for the end of a consent, and no longer than a minute: a browser that got stuck must not hold up the tests.
async fn finished(consent: &credentials::Consent, ws: &intertie::ops::Workspace, sink: &Sink) -> Result<(), intertie::model::Problem> {
    tokio::time::timeout(Duration::from_secs(60), consent.finish(ws, sink)).await.expect("the consent ends")
}

/// The address in a request for another machine.
fn carried(request: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(request.strip_prefix("intertie-request-1-").unwrap()).unwrap();
    let wire: serde_json::Value = serde_json::from_slice(&bytes[..bytes.len() - 4]).unwrap();
    wire["u"].as_str().unwrap().to_owned()
}

async fn polls(stage: &Stage) -> u64 {
    stage.control("polls").await["polls"].as_u64().unwrap()
}

/// Until something is so, half a minute at most.
async fn until<F: Future<Output = bool>>(what: &str, so: impl Fn() -> F) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !so().await {
        assert!(Instant::now() < deadline, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_confirmed_in_a_real_browser() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "device", "tv", None);
    assert!(credentials::needs_consent(&ws, &draft).unwrap());
    let lost = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let shown = lost.view.device.clone().unwrap();
    assert!(!lost.view.listening && lost.view.redirect_uri.is_empty() && lost.view.request.is_none(), "{:?}", lost.view);
    assert_eq!(Some(&lost.view.authorize_url), shown.verification_uri_complete.as_ref());
    assert!(lost.offer("http://127.0.0.1/callback?code=abc&state=xyz").unwrap_err().why.contains("by itself"));
    // The connection is lost, and the wait is taken up again elsewhere: with the same code.
    drop(lost);
    let ws = stage.workspace();
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    assert_eq!(consent.view.device.as_ref(), Some(&shown));
    let (url, code) = (shown.verification_uri_complete.clone().unwrap(), shown.user_code.clone());
    let browser = tokio::task::spawn_blocking(move || browse_device(&url, "allow", &code));
    finished(&consent, &ws, &Sink::none()).await.unwrap();
    let ended = browser.await.unwrap();
    assert!(ended.text.contains("Success"), "{} {}", ended.heading, ended.text);

    let outcome = credentials::draft_test(&ws, &draft.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    assert_eq!(outcome.proves, "The token is ada's.");
    let credential = credentials::draft_finish(&ws, &draft.id).unwrap();
    assert!(credential.refreshes);
    stage.control("end-access").await;
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok, "refreshed");
    assert_eq!(stage.granted("refresh_token").await, 1);
    // A code is good once: the next consent shows another.
    let renewal = credentials::renew(&ws, &credential.id).unwrap();
    let again = credentials::consent_begin(&ws, &renewal.id).await.unwrap();
    assert_ne!(again.view.device.unwrap().user_code, shown.user_code);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_refused_in_a_real_browser() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "device", "tv", None);
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let shown = consent.view.device.clone().unwrap();
    // Typed by hand, without the complete address.
    let browser = tokio::task::spawn_blocking(move || browse_device(&shown.verification_uri, "deny", &shown.user_code));
    let problem = finished(&consent, &ws, &Sink::none()).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_deref()), (ProblemKind::PersonMustAct, Some("access_denied")));
    browser.await.unwrap();
    assert!(credentials::needs_consent(&ws, &draft).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_code_that_ended() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "device", "brief", None);
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let problem = finished(&consent, &ws, &Sink::none()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::PersonMustAct);
    assert!(problem.why.contains("ended") || problem.what.contains("ended"), "{problem:?}");
    assert!(credentials::needs_consent(&ws, &draft).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_down_is_heeded_for_good() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "device", "tv", None);
    stage.control("slow-down").await;
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let shown = consent.view.device.clone().unwrap();
    until("a first poll", || async { polls(&stage).await == 1 }).await;
    let first = Instant::now();
    until("a second poll", || async { polls(&stage).await == 2 }).await;
    // RFC 8628 §3.2, §3.5: five seconds where the server names no interval, and five more.
    assert!(first.elapsed() > Duration::from_millis(9_500), "{:?}", first.elapsed());
    let (url, code) = (shown.verification_uri_complete.unwrap(), shown.user_code);
    let browser = tokio::task::spawn_blocking(move || browse_device(&url, "allow", &code));
    finished(&consent, &ws, &Sink::none()).await.unwrap();
    browser.await.unwrap();
    assert!(!credentials::needs_consent(&ws, &draft).unwrap());
}

/// Every way is open at once; the first answer wins, and the others end.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_first_ends_the_others() {
    let stage = Stage::new();
    let ws = stage.workspace();

    // The device, while a browser could still come to the listener.
    let draft = stage.draft(&ws, "bare", "both", None);
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    assert!(consent.view.listening);
    let port = url::Url::parse(&consent.view.redirect_uri).unwrap().port().unwrap();
    let shown = consent.view.device.clone().unwrap();
    let other_way = consent.view.authorize_url.clone();
    let browser = tokio::task::spawn_blocking(move || browse_device(&shown.verification_uri_complete.unwrap(), "allow", &shown.user_code));
    finished(&consent, &ws, &Sink::none()).await.unwrap();
    let won = Instant::now();
    until("the listener is closed", || async { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() }).await;
    assert!(won.elapsed() < Duration::from_secs(1), "{:?}", won.elapsed());
    browser.await.unwrap();
    let late = stage.walk(&other_way).await;
    assert!(consent.offer(late.as_str()).unwrap_err().why.contains("one answer"));
    assert!(credentials::draft_test(&ws, &draft.id, &Sink::none()).await.unwrap().ok);

    // A pasted answer, while the device is being asked about.
    let draft = stage.draft(&ws, "bare", "both", None);
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let port = url::Url::parse(&consent.view.redirect_uri).unwrap().port().unwrap();
    let before = polls(&stage).await;
    until("the device is asked about", || async { polls(&stage).await > before }).await;
    consent.offer(stage.walk(&consent.view.authorize_url).await.as_str()).unwrap();
    let won = Instant::now();
    let asked = polls(&stage).await;
    until("the listener is closed", || async { tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() }).await;
    assert!(won.elapsed() < Duration::from_secs(1), "{:?}", won.elapsed());
    finished(&consent, &ws, &Sink::none()).await.unwrap();
    // Longer than the interval of five seconds: nobody asks any more.
    until("the interval is over", || async { won.elapsed() > Duration::from_secs(6) }).await;
    assert_eq!(polls(&stage).await, asked);
    assert!(credentials::draft_test(&ws, &draft.id, &Sink::none()).await.unwrap().ok);
}

/// A server that does not let this client use device codes says so; the other ways do not mind.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_way_is_reported_and_the_others_go_on() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "bare", "native", None);
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    assert!(consent.view.device.is_none() && consent.view.listening);
    let (heard, sink) = listening();
    let url = consent.view.authorize_url.clone();
    let browser = tokio::task::spawn_blocking(move || browse(&url, "allow"));
    finished(&consent, &ws, &sink).await.unwrap();
    assert!(browser.await.unwrap().heading.contains("is connected"));
    assert!(heard.lock().unwrap().iter().any(|doing| doing.contains("no device code") && doing.contains("grant")), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_comes_from_the_servers_own_document() {
    let stage = Stage::new();
    let ws = stage.workspace();
    // The person names the server; the definition's addresses are another's.
    let mut draft = stage.draft(&ws, "elsewhere", "native", None);
    draft.settings.insert("issuer".to_owned(), format!("{}/", stage.provider.issuer));
    credentials::draft_save(&ws, &draft).unwrap();
    let problem = credentials::consent_begin(&ws, &draft.id).await.err().unwrap();
    assert_eq!(problem.code.as_deref(), Some("wrong_issuer"), "{problem:?}");
    assert!(problem.why.contains(&format!("“{}”", stage.provider.issuer)), "{problem:?}");

    draft.settings.insert("issuer".to_owned(), stage.provider.issuer.clone());
    credentials::draft_save(&ws, &draft).unwrap();
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    consent.offer(stage.walk(&consent.view.authorize_url).await.as_str()).unwrap();
    finished(&consent, &ws, &Sink::none()).await.unwrap();
    let outcome = credentials::draft_test(&ws, &draft.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    let credential = credentials::draft_finish(&ws, &draft.id).unwrap();
    assert!(credentials::revoke(&ws, &credential.id).await.unwrap(), "at the document's address");

    // By the address of the document.
    let mut draft = stage.draft(&ws, "elsewhere", "native", None);
    draft.settings.insert("metadata_url".to_owned(), format!("{}/.well-known/openid-configuration", stage.provider.issuer));
    credentials::draft_save(&ws, &draft).unwrap();
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    assert!(consent.view.authorize_url.starts_with(&stage.provider.issuer), "{}", consent.view.authorize_url);
    // Mix-up: the document's issuer is the one that the answer must name.
    let mut answer = stage.walk(&consent.view.authorize_url).await;
    let pairs: Vec<(String, String)> = answer
        .query_pairs()
        .map(|(name, value)| (name.to_string(), if name == "iss" { "https://evil.example".to_owned() } else { value.to_string() }))
        .collect();
    answer.query_pairs_mut().clear().extend_pairs(pairs);
    assert_eq!(consent.offer(answer.as_str()).unwrap_err().code.as_deref(), Some("wrong_issuer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pushed_request_in_a_real_browser() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "pushed", "pushed", Some("pushed-secret"));
    let first = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let url = url::Url::parse(&first.view.authorize_url).unwrap();
    let names: Vec<String> = url.query_pairs().map(|(name, _)| name.into_owned()).collect();
    assert_eq!(names, ["client_id", "request_uri"]);
    assert!(first.view.authorize_url.len() < 200 && first.view.authorize_url_expires.is_some_and(|ends| ends < first.view.expires));
    // The provider takes nothing else from this client.
    let plain = format!(
        "{}/auth?response_type=code&client_id=pushed&scope=openid&state=s&code_challenge_method=S256&code_challenge={}&redirect_uri={}",
        stage.provider.issuer,
        "x".repeat(43),
        first.view.redirect_uri
    );
    let refused = stage.http.get(plain).send().await.unwrap();
    let to = format!("{:?}", refused.headers().get("location"));
    let said = format!("{to} {}", refused.text().await.unwrap());
    assert!(said.contains("Pushed") || said.contains("pushed"), "{said}");
    drop(first);
    // Each beginning pushes anew.
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    assert_ne!(consent.view.authorize_url, url.as_str());
    let open = consent.view.authorize_url.clone();
    let browser = tokio::task::spawn_blocking(move || browse(&open, "allow"));
    finished(&consent, &ws, &Sink::none()).await.unwrap();
    assert!(browser.await.unwrap().heading.contains("is connected"));
    assert!(!credentials::needs_consent(&ws, &draft).unwrap());

    // What goes to another machine would outlive a pushed request: it carries the plain address.
    let other = stage.draft(&ws, "pushed", "web", Some("web-secret"));
    let consent = credentials::consent_begin(&ws, &other.id).await.unwrap();
    assert!(consent.view.authorize_url.contains("request_uri="), "{}", consent.view.authorize_url);
    let carried = carried(consent.view.request.as_deref().unwrap());
    assert!(carried.contains("code_challenge=") && !carried.contains("request_uri="), "{carried}");
    consent.offer(stage.walk(&carried).await.as_str()).unwrap();
    finished(&consent, &ws, &Sink::none()).await.unwrap();

    // With a wrong secret nothing can be pushed; where the server does not insist, the plain address serves, and says why.
    let wrong = stage.draft(&ws, "pushed", "web", Some("not-the-secret"));
    let consent = credentials::consent_begin(&ws, &wrong.id).await.unwrap();
    assert!(consent.view.authorize_url.contains("code_challenge=") && consent.view.authorize_url_expires.is_none());
    let (heard, sink) = listening();
    consent.offer(stage.walk(&consent.view.authorize_url).await.as_str()).unwrap();
    assert_eq!(finished(&consent, &ws, &sink).await.unwrap_err().code.as_deref(), Some("invalid_client"));
    assert!(heard.lock().unwrap().iter().any(|doing| doing.contains("beforehand")), "{heard:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_registers_itself() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let made = || async { stage.control("clients").await["made"].as_u64().unwrap() };
    let mut draft = credentials::draft_new(&ws, "oidc", Some("elsewhere")).unwrap();
    let missing = |draft: &_| credentials::draft_check(&ws, draft).unwrap().iter().any(|finding| finding.place == "input.client_id");
    assert!(missing(&draft), "where no server registers clients");
    draft.settings.insert("issuer".to_owned(), stage.provider.issuer.clone());
    credentials::draft_save(&ws, &draft).unwrap();
    assert!(!missing(&draft));
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let known = credentials::draft_get(&ws, &draft.id).unwrap();
    let client = known.settings["client_id"].clone();
    assert!(consent.view.authorize_url.contains(&client) && made().await == 1);
    // A form that was filled in before knows nothing of it.
    credentials::draft_save(&ws, &draft).unwrap();
    assert_eq!(credentials::draft_get(&ws, &draft.id).unwrap().settings["client_id"], client);
    drop(consent);
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    assert_eq!(made().await, 1, "once");
    consent.offer(stage.walk(&consent.view.authorize_url).await.as_str()).unwrap();
    finished(&consent, &ws, &Sink::none()).await.unwrap();
    let outcome = credentials::draft_test(&ws, &draft.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    let credential = credentials::draft_finish(&ws, &draft.id).unwrap();
    assert_eq!((credential.status, &credential.settings["client_id"]), (CredentialStatus::Valid, &client));
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok);
    // It ends with its credential (RFC 7592): the server knows it no more.
    let asked = consent.view.authorize_url.clone();
    let status = async || stage.http.get(&asked).send().await.unwrap().status().as_u16();
    assert_ne!(status().await, 400);
    let done = credentials::retire(&ws, &credential.id, true).await.unwrap();
    assert!(done.revoked && done.withdrawn && done.left.is_empty(), "{done:?}");
    assert_eq!(status().await, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_proves_itself_with_a_key() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "keyed", "keyed", None);
    credentials::draft_secret(&ws, &draft.id, "private_key", Secret::new(include_str!("../keys/rsa.pkcs8.pem"))).unwrap();
    let outcome = credentials::draft_test(&ws, &draft.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    assert_eq!(stage.granted("client_credentials").await, 1);
    // Another client's key.
    let wrong = stage.draft(&ws, "keyed", "stranger", None);
    credentials::draft_secret(&ws, &wrong.id, "private_key", Secret::new(include_str!("../keys/rsa.pkcs8.pem"))).unwrap();
    let outcome = credentials::draft_test(&ws, &wrong.id, &Sink::none()).await.unwrap();
    assert_eq!((outcome.ok, outcome.problem.unwrap().code.as_deref()), (false, Some("invalid_client")));
}
