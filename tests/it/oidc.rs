//! Authorization code, client credentials, refresh and revocation against npm `oidc-provider`, which nobody here wrote.

use std::collections::HashMap;
use std::time::Duration;

use intertie::model::{CredentialDraft, CredentialStatus, ProblemKind, Secret, Sink};
use intertie::ops::{Config, Workspace, credentials};
use url::Url;

use crate::peers::{Provider, browse};
use crate::searched::Ended as _;

pub struct Stage {
    pub provider: Provider,
    pub dir: crate::searched::Place,
    pub http: reqwest::Client,
}

impl Stage {
    pub fn new() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let (provider, dir) = (Provider::start(), crate::searched::place());
        let issuer = &provider.issuer;
        std::fs::create_dir(dir.path().join("connectors")).unwrap();
        let definition = format!(
            r#"
            schema = 1
            id = "oidc"
            name = "Certified"
            request = {{ base_url = "{issuer}" }}
            [[input]]
            key = "client_id"
            label = "Client id"
            [[input]]
            key = "client_secret"
            label = "Client secret"
            secret = true
            optional = true
            [auth.code]
            kind = "oauth2_code"
            name = "Code"
            issuer = "{issuer}"
            authorize_url = "{issuer}/auth"
            token_url = "{issuer}/token"
            revoke_url = "{issuer}/token/revocation"
            params = {{ authorize = {{ prompt = "consent" }} }}
            scopes = {{ default = ["openid", "offline_access"] }}
            [auth.client]
            kind = "client_credentials"
            name = "Client"
            token_url = "{issuer}/token"
            revoke_url = "{issuer}/token/revocation"
            [auth.client_basic]
            kind = "client_credentials"
            name = "Client, basic"
            client_auth = "basic"
            token_url = "{issuer}/token"
            scopes = {{ default = ["members:read"] }}
            [auth.bare]
            kind = "oauth2_code"
            name = "Code, by metadata"
            client_auth = "none"
            issuer = "{issuer}"
            params = {{ authorize = {{ prompt = "consent" }} }}
            scopes = {{ default = ["openid", "offline_access"] }}
            [auth.elsewhere]
            kind = "oauth2_code"
            name = "Code, of another server"
            client_auth = "none"
            authorize_url = "https://nowhere.invalid/authorize"
            token_url = "https://nowhere.invalid/token"
            revoke_url = "https://nowhere.invalid/revoke"
            params = {{ authorize = {{ prompt = "consent" }} }}
            scopes = {{ default = ["openid"] }}
            [auth.pushed]
            kind = "oauth2_code"
            name = "Code, pushed"
            issuer = "{issuer}"
            scopes = {{ default = ["openid"] }}
            [auth.device]
            kind = "device"
            name = "Device code"
            client_auth = "none"
            issuer = "{issuer}"
            params = {{ device = {{ prompt = "consent" }} }}
            scopes = {{ default = ["openid", "offline_access"] }}
            [auth.keyed]
            kind = "client_credentials"
            name = "Client, signed"
            client_auth = "private_key_jwt"
            issuer = "{issuer}"
            [[auth.keyed.input]]
            key = "private_key"
            label = "Private key"
            secret = true
            [[check]]
            path = "/api/whoami"
            auth = ["code", "bare", "elsewhere", "device"]
            ok = "body.sub == 'ada'"
            proves = "The token is ada's."
            [[check]]
            path = "/api/whoami"
            proves = "The token is the client's."
            "#
        );
        std::fs::write(dir.path().join("connectors/oidc.toml"), definition).unwrap();
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).no_proxy().build().unwrap();
        Self { provider, dir, http }
    }

    /// A process of its own, as far as the workspace can tell.
    pub fn workspace(&self) -> Workspace {
        Workspace::open(self.dir.path(), Config::default())
    }

    pub fn draft(&self, ws: &Workspace, method: &str, client: &str, secret: Option<&str>) -> CredentialDraft {
        let mut draft = credentials::draft_new(ws, "oidc", Some(method)).unwrap();
        draft.settings.insert("client_id".to_owned(), client.to_owned());
        credentials::draft_save(ws, &draft).unwrap();
        if let Some(secret) = secret {
            credentials::draft_secret(ws, &draft.id, "client_secret", Secret::new(secret)).unwrap();
        }
        credentials::draft_get(ws, &draft.id).unwrap()
    }

    pub async fn control(&self, path: &str) -> serde_json::Value {
        let text = self.http.get(format!("{}/control/{path}", self.provider.issuer)).send().await.unwrap().text().await.unwrap();
        serde_json::from_str(&text).unwrap()
    }

    pub async fn granted(&self, grant: &str) -> u64 {
        self.control("granted").await[grant].as_u64().unwrap_or(0)
    }

    /// Signs in and consents as a browser does, up to the redirect, which is returned and not followed.
    pub async fn walk(&self, url: &str) -> Url {
        let mut jar: HashMap<String, String> = HashMap::new();
        let mut at = Url::parse(url).unwrap();
        let mut form: Option<&str> = None;
        for _ in 0..20 {
            let cookies = jar.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
            let request = match form.take() {
                Some(body) => self.http.post(at.clone()).header("content-type", "application/x-www-form-urlencoded").body(body.to_owned()),
                None => self.http.get(at.clone()),
            };
            let response = request.header("cookie", cookies).send().await.unwrap();
            for cookie in response.headers().get_all("set-cookie") {
                let (name, value) = cookie.to_str().unwrap().split(';').next().unwrap().split_once('=').unwrap();
                jar.insert(name.to_owned(), value.to_owned());
            }
            if let Some(to) = response.headers().get("location") {
                at = at.join(to.to_str().unwrap()).unwrap();
                if at.path() == "/callback" {
                    return at;
                }
                continue;
            }
            let page = response.text().await.unwrap();
            form = Some(if page.contains("name=\"login\"") { "prompt=login&login=ada&password=x" } else { "prompt=consent" });
        }
        panic!("no redirect from {url}");
    }

    /// A consented draft, without a browser.
    async fn consented(&self, ws: &Workspace) -> CredentialDraft {
        let draft = self.draft(ws, "code", "web", Some("web-secret"));
        let consent = credentials::consent_begin(ws, &draft.id).await.unwrap();
        consent.offer(self.walk(&consent.view.authorize_url).await.as_str()).unwrap();
        consent.finish(ws, &Sink::none()).await.unwrap();
        draft
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_given_in_a_real_browser() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "code", "native", None);
    assert!(credentials::needs_consent(&ws, &draft).unwrap());
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    assert!(consent.view.listening);
    let url = consent.view.authorize_url.clone();
    let redirect = Url::parse(&consent.view.redirect_uri).unwrap();
    let browser = tokio::task::spawn_blocking(move || browse(&url, "allow"));
    consent.finish(&ws, &Sink::none()).await.unwrap();
    let ended = browser.await.unwrap();
    assert!(ended.heading.contains("Certified is connected"), "{} {}", ended.heading, ended.text);
    assert!(ended.url.starts_with(consent.view.redirect_uri.as_str()));
    // The listener is gone.
    let port = redirect.port().unwrap();
    assert!(tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err());

    assert!(!credentials::needs_consent(&ws, &draft).unwrap());
    let outcome = credentials::draft_test(&ws, &draft.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    assert_eq!((outcome.status, outcome.proves.as_str()), (Some(200), "The token is ada's."));
    let credential = credentials::draft_finish(&ws, &draft.id).unwrap();
    assert_eq!(credential.status, CredentialStatus::Valid);
    assert_eq!(credential.granted, ["openid", "offline_access"]);
    assert!(credential.refreshes && credential.access_expires.is_some());
    assert!(credentials::drafts(&ws).unwrap().is_empty());
    // Another process finds it as it is.
    assert!(credentials::test(&stage.workspace(), &credential.name, &Sink::none()).await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn consent_refused_in_a_real_browser() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "code", "native", None);
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let url = consent.view.authorize_url.clone();
    let browser = tokio::task::spawn_blocking(move || browse(&url, "deny"));
    let problem = consent.finish(&ws, &Sink::none()).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_deref()), (ProblemKind::PersonMustAct, Some("access_denied")));
    assert!(problem.what.contains("refused"), "{problem:?}");
    let ended = browser.await.unwrap();
    assert!(ended.heading.contains("refused") && ended.text.contains("Nothing was connected"), "{}", ended.text);
    assert!(credentials::needs_consent(&ws, &draft).unwrap());
    assert_eq!(credentials::draft_finish(&ws, &draft.id).unwrap().status, CredentialStatus::NeedsConsent);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_wrong_states_do_not_end_the_wait() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "code", "native", None);
    let consent = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let answer = stage.walk(&consent.view.authorize_url).await;
    assert!(answer.query().unwrap().contains("iss="), "the provider names itself");
    let with = |name: &str, value: Option<&str>| {
        let mut url = answer.clone();
        let pairs: Vec<(String, String)> = answer.query_pairs().into_owned().filter(|(known, _)| known != name).collect();
        url.query_pairs_mut().clear().extend_pairs(pairs);
        if let Some(value) = value {
            url.query_pairs_mut().append_pair(name, value);
        }
        url
    };
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = {
        let heard = heard.clone();
        Sink::new(move |progress| heard.lock().unwrap().push(progress.doing), Default::default())
    };
    let wait = consent.finish(&ws, &sink);
    let strangers = async {
        let get = |url: Url| {
            let http = &stage.http;
            async move {
                let response = http.get(url).send().await.unwrap();
                (response.status().as_u16(), response.text().await.unwrap())
            }
        };
        assert_eq!(get(answer.join("/favicon.ico").unwrap()).await.0, 404);
        assert_eq!(get(answer.join("/callback").unwrap()).await.0, 404);
        let (status, page) = get(with("state", Some("somebody-else"))).await;
        assert!(status == 400 && page.contains("another request") && !page.contains("somebody-else"), "{page}");
        assert!(get(with("state", None)).await.1.contains("no state"));
        assert!(get(with("iss", Some("https://evil.example"))).await.1.contains("https://evil.example"));
        assert!(get(with("iss", None)).await.1.contains("did not name"));
        // Pasted, each has a Problem of its own.
        let code = |url: Url| consent.offer(url.as_str()).unwrap_err();
        assert_eq!(code(with("state", Some("x"))).code.as_deref(), Some("wrong_state"));
        assert_eq!(code(with("iss", Some("https://evil.example"))).code.as_deref(), Some("wrong_issuer"));
        assert!(code(Url::parse(&consent.view.authorize_url).unwrap()).why.contains("was opened"));
        // The right one, wrapped by a terminal, still counts.
        let (head, tail) = answer.as_str().split_at(60);
        consent.offer(&format!("  {head}\n  {tail}\r\n")).unwrap();
    };
    let (outcome, ()) = tokio::join!(wait, strangers);
    outcome.unwrap();
    assert!(heard.lock().unwrap().iter().any(|doing| doing.contains("another request")), "{heard:?}");
    assert!(credentials::draft_test(&ws, &draft.id, &Sink::none()).await.unwrap().ok);
    assert!(consent.offer(answer.as_str()).unwrap_err().why.contains("one answer"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replayed_code_and_a_wrong_verifier_name_their_cause() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let code = |url: &Url| url.query_pairs().find(|(name, _)| name == "code").unwrap().1.into_owned();

    // Redeemed once already.
    let draft = stage.draft(&ws, "code", "native", None);
    let first = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let answer = stage.walk(&first.view.authorize_url).await;
    first.offer(answer.as_str()).unwrap();
    first.finish(&ws, &Sink::none()).await.unwrap();
    let again = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    assert_eq!(again.offer(answer.as_str()).unwrap_err().code.as_deref(), Some("wrong_state"), "a state is good once");
    again.offer(&code(&answer)).unwrap();
    let problem = again.finish(&ws, &Sink::none()).await.unwrap_err();
    assert_eq!(problem.code.as_deref(), Some("invalid_grant"));
    assert!(problem.why.contains("used before") && !problem.why.contains(&code(&answer)), "{problem:?}");

    // Issued for another request, hence another verifier.
    let (one, two) = (stage.draft(&ws, "code", "native", None), stage.draft(&ws, "code", "native", None));
    let begun_one = credentials::consent_begin(&ws, &one.id).await.unwrap();
    let begun_two = credentials::consent_begin(&ws, &two.id).await.unwrap();
    let fresh = stage.walk(&begun_one.view.authorize_url).await;
    begun_two.offer(&code(&fresh)).unwrap();
    let problem = begun_two.finish(&ws, &Sink::none()).await.unwrap_err();
    assert_eq!(problem.code.as_deref(), Some("invalid_grant"));
    assert!(problem.why.contains("another request"), "{problem:?}");
    assert!(credentials::needs_consent(&ws, &two).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_can_be_pasted_after_a_lost_connection() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.draft(&ws, "code", "native", None);
    let before = credentials::consent_begin(&ws, &draft.id).await.unwrap();
    let view = before.view.clone();
    let answer = stage.walk(&view.authorize_url).await;
    drop(before);
    // The port is free again once the listener has noticed.
    let port = Url::parse(&view.redirect_uri).unwrap().port().unwrap();
    tokio::time::timeout(Duration::from_secs(5), async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
    let later = stage.workspace();
    let resumed = credentials::consent_begin(&later, &draft.id).await.unwrap();
    assert_eq!((&resumed.view.redirect_uri, resumed.view.expires), (&view.redirect_uri, view.expires));
    // The request was pushed, and a pushed request is good for one opening (RFC 9126 §4).
    assert!(view.authorize_url.contains("request_uri=") && resumed.view.authorize_url != view.authorize_url);
    resumed.offer(answer.as_str()).unwrap();
    resumed.finish(&later, &Sink::none()).await.unwrap();
    assert!(credentials::draft_test(&later, &draft.id, &Sink::none()).await.unwrap().ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn refresh_tokens_rotate_and_many_who_need_one_make_one_request() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let credential = {
        let draft = stage.consented(&ws).await;
        credentials::draft_finish(&ws, &draft.id).unwrap()
    };
    for round in 1..=3 {
        stage.control("end-access").await;
        // Eight tasks in what looks like four processes.
        let tests: Vec<_> = (0..8)
            .map(|i| {
                let ws = if i % 2 == 0 { stage.workspace() } else { ws.clone() };
                let name = credential.name.clone();
                tokio::spawn(async move { credentials::test(&ws, &name, &Sink::none()).await.unwrap() })
            })
            .collect();
        for test in tests {
            let outcome = test.await.unwrap();
            assert!(outcome.ok, "{:?}", outcome.problem);
        }
        assert_eq!(stage.granted("refresh_token").await, round, "one refresh for all; a second with the same token would end the family");
    }
    assert_eq!(credentials::get(&ws, &credential.id).unwrap().status, CredentialStatus::Valid);
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_here_and_revoked_there() {
    let stage = Stage::new();
    let ws = stage.workspace();
    // There: an administrator ends all access.
    let draft = stage.consented(&ws).await;
    let credential = credentials::draft_finish(&ws, &draft.id).unwrap();
    stage.control("end-all").await;
    let outcome = credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap();
    let problem = outcome.problem.unwrap();
    assert_eq!((problem.kind, problem.code.as_deref()), (ProblemKind::PersonMustAct, Some("invalid_grant")));
    assert!(problem.why.contains("revoked"), "{problem:?}");
    assert_eq!(credentials::get(&ws, &credential.id).unwrap().status, CredentialStatus::NeedsConsent);

    // Renewed: the same credential works again.
    let renewal = credentials::renew(&ws, &credential.id).unwrap();
    assert!(credentials::needs_consent(&ws, &renewal).unwrap());
    let consent = credentials::consent_begin(&ws, &renewal.id).await.unwrap();
    consent.offer(stage.walk(&consent.view.authorize_url).await.as_str()).unwrap();
    consent.finish(&ws, &Sink::none()).await.unwrap();
    let renewed = credentials::draft_finish(&ws, &renewal.id).unwrap();
    assert_eq!((&renewed.id, &renewed.name), (&credential.id, &credential.name));
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok);

    // Here.
    assert!(credentials::revoke(&ws, &credential.id).await.unwrap());
    assert_eq!(credentials::get(&ws, &credential.id).unwrap().status, CredentialStatus::NeedsConsent);
    let outcome = credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap();
    assert!(outcome.problem.unwrap().why.contains("consent") || !outcome.ok);
    assert!(!credentials::revoke(&ws, &credential.id).await.unwrap(), "nothing is left to revoke");
}

#[tokio::test(flavor = "multi_thread")]
async fn client_credentials() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let post = stage.draft(&ws, "client", "svc", Some("svc-secret\n"));
    assert!(!credentials::needs_consent(&ws, &post).unwrap());
    let outcome = credentials::draft_test(&ws, &post.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    assert_eq!(outcome.proves, "The token is the client's.");
    let credential = credentials::draft_finish(&ws, &post.id).unwrap();
    // The token lasts; a token that was ended early is replaced.
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok);
    assert_eq!(stage.granted("client_credentials").await, 1);
    stage.control("end-access").await;
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok);
    assert_eq!(stage.granted("client_credentials").await, 2);
    assert!(credentials::revoke(&ws, &credential.id).await.unwrap());

    // RFC 6749 §2.3.1: both parts are encoded before they are joined.
    let basic = stage.draft(&ws, "client_basic", "svc basic", Some("a:b c/+%&=~"));
    let outcome = credentials::draft_test(&ws, &basic.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);

    let wrong = stage.draft(&ws, "client", "svc", Some("not-the-secret"));
    let outcome = credentials::draft_test(&ws, &wrong.id, &Sink::none()).await.unwrap();
    let problem = outcome.problem.unwrap();
    assert_eq!((outcome.ok, outcome.status, problem.code.as_deref()), (false, Some(401), Some("invalid_client")));
    assert!(problem.why.contains("client secret") && !format!("{problem:?}").contains("not-the-secret"), "{problem:?}");
    assert!(outcome.request.starts_with("POST http://127.0.0.1:"), "{}", outcome.request);
    assert_eq!(credentials::draft_finish(&ws, &wrong.id).unwrap().status, CredentialStatus::Refused);
}

/// Real processes share one workspace: whoever comes first refreshes, the others wait and read what he kept. The provider ends the whole
/// grant when a refresh token comes twice, so a second request would show.
#[tokio::test(flavor = "multi_thread")]
async fn processes_that_need_a_token_at_once_make_one_request() {
    let stage = Stage::new();
    let ws = stage.workspace();
    let draft = stage.consented(&ws).await;
    let credential = credentials::draft_finish(&ws, &draft.id).unwrap();
    for round in 1..=2 {
        stage.control("end-access").await;
        let processes: Vec<_> = (0..6)
            .map(|_| {
                std::process::Command::new(env!("CARGO_BIN_EXE_intertie"))
                    .arg("--workspace")
                    .arg(stage.dir.path())
                    .args(["credential", "test", &credential.name, "--json"])
                    .stdin(std::process::Stdio::null())
                    .stdout(std::process::Stdio::piped())
                    .stderr(std::process::Stdio::piped())
                    .spawn()
                    .unwrap()
            })
            .collect();
        for process in processes {
            let output = tokio::task::spawn_blocking(|| process.captured()).await.unwrap();
            assert!(output.status.success(), "{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        }
        assert_eq!(stage.granted("refresh_token").await, round);
    }
    assert!(credentials::test(&ws, &credential.id, &Sink::none()).await.unwrap().ok);
}
