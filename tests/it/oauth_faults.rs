//! What a token endpoint or an API can do wrong, and what people are told; what each method puts on a request; the life of drafts.

use std::time::{Duration, Instant};

use intertie::model::{CredentialDraft, CredentialStatus, ProblemKind, Secret, Severity, Sink, TestOutcome, Time};
use intertie::ops::{Config, Workspace, credentials};
use serde_json::json;
use wiremock::matchers::{body_string_contains, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

struct Stage {
    server: MockServer,
    _dir: crate::searched::Place,
    ws: Workspace,
}

const SECRET: &str = "s3cret-Value-0123";

impl Stage {
    async fn new() -> Self {
        let (server, dir) = (MockServer::start().await, crate::searched::place());
        std::fs::create_dir(dir.path().join("connectors")).unwrap();
        let at = server.uri();
        let definition = format!(
            r#"
            schema = 1
            id = "odd"
            name = "Oddly"
            request = {{ base_url = "{at}/v1" }}
            [[input]]
            key = "site"
            label = "Site"
            pattern = "[a-z]+"
            suffix = ".oddly.example"
            optional = true
            [auth.client]
            kind = "client_credentials"
            name = "Client"
            default = true
            token_url = "{at}/token"
            params = {{ token = {{ audience = "https://{{{{ input.site or 'none' }}}}.example" }} }}
            [[auth.client.input]]
            key = "client_id"
            label = "Client id"
            [[auth.client.input]]
            key = "client_secret"
            label = "Client secret"
            secret = true
            [auth.code]
            kind = "oauth2_code"
            name = "Code"
            authorize_url = "{at}/authorize"
            token_url = "{at}/token"
            pkce = "off"
            scopes = {{ default = ["read", "write"], separator = "," }}
            params = {{ authorize = {{ access_type = "offline" }} }}
            [auth.code.response]
            access = "user.token"
            refresh = "user.again"
            capture = {{ instance = "instance_url" }}
            [[auth.code.input]]
            key = "client_id"
            label = "Client id"
            [auth.pasted]
            kind = "oauth2_code"
            name = "Code, https only"
            authorize_url = "{at}/authorize?theme=dark"
            token_url = "{at}/token"
            redirect = {{ loopback = "https_only", path = "back" }}
            scopes = {{ default = ["api://{{{{ input.client_id }}}}/read"] }}
            [[auth.pasted.input]]
            key = "client_id"
            label = "Client id"
            [auth.header]
            kind = "api_key"
            name = "Key in a header"
            placement = {{ header = "X-Key", prefix = "Odd " }}
            [[auth.header.input]]
            key = "api_key"
            label = "API key"
            secret = true
            [auth.query]
            kind = "api_key"
            name = "Key in the query"
            placement = {{ query = "key" }}
            [[auth.query.input]]
            key = "api_key"
            label = "API key"
            secret = true
            [auth.bearer]
            kind = "bearer"
            name = "Token"
            [[auth.bearer.input]]
            key = "token"
            label = "Token"
            secret = true
            [auth.basic]
            kind = "basic"
            name = "Password"
            [[auth.basic.input]]
            key = "username"
            label = "User name"
            [[auth.basic.input]]
            key = "password"
            label = "Password"
            secret = true
            [auth.none]
            kind = "none"
            name = "Open"
            [[check]]
            path = "/me"
            query = {{ site = "{{{{ input.site or 'main' }}}}" }}
            proves = "The account can be read."
            "#
        );
        std::fs::write(dir.path().join("connectors/odd.toml"), definition).unwrap();
        let ws = Workspace::open(dir.path(), Config::default());
        Self { server, _dir: dir, ws }
    }

    fn draft(&self, method: &str, settings: &[(&str, &str)], secrets: &[(&str, &str)]) -> CredentialDraft {
        let mut draft = credentials::draft_new(&self.ws, "odd", Some(method)).unwrap();
        draft.settings.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        credentials::draft_save(&self.ws, &draft).unwrap();
        for (key, value) in secrets {
            credentials::draft_secret(&self.ws, &draft.id, key, Secret::new(*value)).unwrap();
        }
        credentials::draft_get(&self.ws, &draft.id).unwrap()
    }

    fn client(&self) -> CredentialDraft {
        self.draft("client", &[("client_id", "me")], &[("client_secret", SECRET)])
    }

    async fn test(&self, draft: &CredentialDraft) -> TestOutcome {
        credentials::draft_test(&self.ws, &draft.id, &Sink::none()).await.unwrap()
    }

    async fn answer(&self, at: &str, response: ResponseTemplate) {
        self.server.reset().await;
        Mock::given(path(at)).respond_with(response).mount(&self.server).await;
    }

    fn status(&self, draft: &CredentialDraft) -> CredentialStatus {
        let saved = credentials::draft_finish(&self.ws, &draft.id).unwrap();
        credentials::delete(&self.ws, &saved.id).unwrap();
        saved.status
    }
}

fn json_answer(status: u16, body: serde_json::Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_a_token_endpoint() {
    use CredentialStatus::{Expired, Refused, Unknown};
    let stage = Stage::new().await;
    let html = "<html><head><title>Log in</title></head></html>";
    let entra = json!({"error": "invalid_client", "error_description": "AADSTS7000222: The provided client secret keys are expired.\r\nTrace ID: x", "error_codes": [7_000_222]});
    #[rustfmt::skip]
    let table = [
        (json_answer(401, json!({"error": "invalid_client", "error_description": format!("bad secret {SECRET} \u{1b}]0;x")})), "client secret", Refused, Some("invalid_client")),
        (json_answer(401, entra), "has ended", Expired, Some("AADSTS7000222")),
        (json_answer(400, json!({"error": "invalid_scope"})), "scopes", Refused, Some("invalid_scope")),
        (json_answer(200, json!({"error": "bad_client", "error_description": "in a success"})), "in a success", Unknown, Some("bad_client")),
        (json_answer(200, json!({"token": "elsewhere"})), "no access token", Unknown, None),
        (ResponseTemplate::new(200).set_body_raw(html, "text/html"), "“Log in”", Unknown, None),
        (ResponseTemplate::new(502).set_body_raw("<h1>Bad gateway", "text/html; charset=utf-8"), "web page", Unknown, None),
        (ResponseTemplate::new(503), "503", Unknown, None),
        (ResponseTemplate::new(404).set_body_string("nothing here"), "nothing here", Unknown, None),
        (ResponseTemplate::new(302).insert_header("location", "https://elsewhere.example/"), "elsewhere", Unknown, None),
        (ResponseTemplate::new(400).set_body_bytes(vec![0xff, 0xfe, 0x00]), "400", Refused, None),
        (ResponseTemplate::new(400).set_body_bytes(vec![b'x'; 3 << 20]), "400", Refused, None),
    ];
    for (response, part, status, code) in table {
        stage.answer("/token", response).await;
        let draft = stage.client();
        let outcome = stage.test(&draft).await;
        let problem = outcome.problem.expect("it failed");
        let text = format!("{} {} {}", problem.what, problem.why, problem.next_step);
        assert!(!outcome.ok && text.contains(part), "{part}: {text}");
        assert_eq!(problem.code.as_deref(), code, "{text}");
        assert!(!text.contains(SECRET) && !text.contains('\u{1b}') && text.len() < 1500, "{text}");
        assert_eq!(outcome.request, format!("POST {}/token", stage.server.uri()));
        assert_eq!(stage.status(&draft), status, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_endpoint_that_cannot_be_reached() {
    let stage = Stage::new().await;
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let plain = stage.server.address();
    for (address, key) in [
        (format!("http://{closed}/token"), "could not be reached"),
        (format!("https://{plain}/token"), "not safe"),
        ("https://no-such-host.invalid/token".to_owned(), "could not be found"),
    ] {
        let draft = stage.draft("client", &[("client_id", "me"), ("token_url", &address)], &[("client_secret", SECRET)]);
        let outcome = stage.test(&draft).await;
        let problem = outcome.problem.unwrap();
        // Without a resolver, a name that does not exist and a network that does not are one.
        assert!(problem.what.contains(key) || (key.contains("found") && problem.what.contains("reached")), "{problem:?}");
        assert_eq!((outcome.status, stage.status(&draft)), (None, CredentialStatus::Unknown));
    }
    let plain = stage.draft("client", &[("client_id", "me"), ("token_url", "http://id.example/token")], &[("client_secret", SECRET)]);
    let findings = credentials::draft_check(&stage.ws, &plain).unwrap();
    assert!(findings.iter().any(|finding| finding.place == "input.token_url" && finding.severity == Severity::Error), "{findings:?}");
    assert_eq!(credentials::draft_test(&stage.ws, &plain.id, &Sink::none()).await.unwrap_err().kind, ProblemKind::Usage);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_each_method_sends() {
    let stage = Stage::new().await;
    let ok = || json_answer(200, json!({"id": 1}));
    let at = || Mock::given(method("GET")).and(path("/v1/me")).and(query_param("site", "main"));
    for (kind, settings, secrets, mock) in [
        ("header", vec![], vec![("api_key", " k-1\n23\r\n")], at().and(header("x-key", "Odd k-123"))),
        ("query", vec![], vec![("api_key", "k&=1")], at().and(query_param("key", "k&=1"))),
        ("bearer", vec![], vec![("token", "Bearer abc")], at().and(header("authorization", "Bearer abc"))),
        ("basic", vec![("username", "ada")], vec![("password", "p:w")], at().and(header("authorization", "Basic YWRhOnA6dw=="))),
        ("none", vec![], vec![], at()),
    ] {
        stage.server.reset().await;
        mock.respond_with(ok()).expect(1).mount(&stage.server).await;
        let draft = stage.draft(kind, &settings, &secrets);
        let outcome = stage.test(&draft).await;
        assert!(outcome.ok, "{kind}: {:?}", outcome.problem);
        assert_eq!((outcome.status, outcome.proves.as_str()), (Some(200), "The account can be read."));
        assert!(!outcome.request.contains("k&=1") && !outcome.request.contains("k%26"), "{}", outcome.request);
        assert_eq!(stage.status(&draft), CredentialStatus::Valid);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_the_test_request() {
    use CredentialStatus::{Refused, Unknown};
    let stage = Stage::new().await;
    let html = "<!DOCTYPE html><title>Welcome</title>";
    #[rustfmt::skip]
    let table = [
        (json_answer(401, json!({"message": format!("{SECRET} is not a key")})), "whole key", Refused),
        (json_answer(403, json!({"message": "not for you"})), "not for you", Refused),
        (json_answer(404, json!({})), "404", Unknown),
        (ResponseTemplate::new(429), "429", Unknown),
        (ResponseTemplate::new(500), "500", Unknown),
        (ResponseTemplate::new(200).set_body_raw(html, "text/html"), "web page", Unknown),
        (ResponseTemplate::new(302).insert_header("location", "https://sso.example/login"), "sso.example", Unknown),
    ];
    for (response, part, status) in table {
        stage.answer("/v1/me", response).await;
        let draft = stage.draft("header", &[], &[("api_key", SECRET)]);
        let outcome = stage.test(&draft).await;
        let problem = outcome.problem.expect("it failed");
        let text = format!("{} {} {}", problem.what, problem.why, problem.next_step);
        assert!(!outcome.ok && outcome.proves.is_empty() && text.contains(part), "{part}: {text}");
        assert!(!text.contains(SECRET), "{text}");
        assert_eq!(stage.status(&draft), status, "{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_responses_are_read_and_refreshed_before_they_end() {
    let stage = Stage::new().await;
    let first = json!({"user": {"token": "t-1", "again": "r-1"}, "expires_in": "1", "instance_url": "https://eu1.example", "scope": "read"});
    let second = json!({"user": {"token": "t-2", "again": "r-2"}, "expires_in": 3600});
    let token = |grant: &str| Mock::given(path("/token")).and(body_string_contains(format!("grant_type={grant}")));
    token("authorization_code").respond_with(json_answer(200, first)).expect(1).mount(&stage.server).await;
    token("refresh_token").and(body_string_contains("refresh_token=r-1")).respond_with(json_answer(200, second)).expect(1).mount(&stage.server).await;
    for value in ["t-1", "t-2"] {
        let bearer = format!("Bearer {value}");
        Mock::given(path("/v1/me"))
            .and(header("authorization", bearer.as_str()))
            .respond_with(json_answer(200, json!({"t": value})))
            .mount(&stage.server)
            .await;
    }
    let draft = stage.draft("code", &[("client_id", "me")], &[]);
    let consent = credentials::consent_begin(&stage.ws, &draft.id).await.unwrap();
    let asked = url::Url::parse(&consent.view.authorize_url).unwrap();
    let asked = |name: &str| asked.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    assert_eq!(asked("scope").as_deref(), Some("read,write"));
    assert_eq!(asked("access_type").as_deref(), Some("offline"));
    assert_eq!(asked("code_challenge"), None);
    let state = asked("state").unwrap();
    assert!(consent.offer("yes").unwrap_err().why.contains("neither"));
    assert!(consent.offer("a-code-alone").unwrap_err().why.contains("PKCE"), "without PKCE a bare code proves nothing");
    consent.offer(&format!("curl '{}?code=c1&state={state}' -H 'Accept: */*'", consent.view.redirect_uri)).unwrap();
    consent.finish(&stage.ws, &Sink::none()).await.unwrap();
    let credential = credentials::draft_finish(&stage.ws, &draft.id).unwrap();
    assert_eq!(credential.found.get("instance").map(String::as_str), Some("https://eu1.example"));
    assert_eq!(credential.granted, ["read"]);

    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        assert!(credentials::test(&stage.ws, &credential.id, &Sink::none()).await.unwrap().ok);
        let requests = stage.server.received_requests().await.unwrap();
        if requests.iter().any(|request| String::from_utf8_lossy(&request.body).contains("r-1")) {
            break;
        }
        assert!(Instant::now() < deadline, "the token was never replaced");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let last = stage.server.received_requests().await.unwrap().pop().unwrap();
    assert_eq!(last.headers.get("authorization").unwrap(), "Bearer t-2");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_that_was_cut_off_is_told_apart() {
    let stage = Stage::new().await;
    let first = json!({"user": {"token": "t-1", "again": "r-1"}});
    Mock::given(path("/token")).and(body_string_contains("authorization_code")).respond_with(json_answer(200, first)).mount(&stage.server).await;
    let draft = stage.draft("code", &[("client_id", "me")], &[]);
    let consent = credentials::consent_begin(&stage.ws, &draft.id).await.unwrap();
    let url = url::Url::parse(&consent.view.authorize_url).unwrap();
    let state = url.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    consent.offer(&format!("?code=c1&state={state}")).unwrap();
    consent.finish(&stage.ws, &Sink::none()).await.unwrap();
    let credential = credentials::draft_finish(&stage.ws, &draft.id).unwrap();

    // The API refuses the token; the refresh gets no answer.
    Mock::given(path("/v1/me")).respond_with(ResponseTemplate::new(401)).mount(&stage.server).await;
    let refresh = || Mock::given(path("/token")).and(body_string_contains("refresh_token=r-1"));
    let broken = refresh().respond_with(ResponseTemplate::new(502)).mount_as_scoped(&stage.server).await;
    credentials::test(&stage.ws, &credential.id, &Sink::none()).await.unwrap();
    drop(broken);
    // Later the server says that the token was spent.
    refresh().respond_with(json_answer(400, json!({"error": "invalid_grant"}))).mount(&stage.server).await;
    let problem = credentials::test(&stage.ws, &credential.id, &Sink::none()).await.unwrap().problem.unwrap();
    assert!(problem.why.contains("cut off") && problem.kind == ProblemKind::PersonMustAct, "{problem:?}");
    let kept = credentials::get(&stage.ws, &credential.id).unwrap();
    assert_eq!((kept.status, kept.last_test.unwrap().problem.unwrap()), (CredentialStatus::NeedsConsent, problem));
}

#[tokio::test(flavor = "multi_thread")]
async fn drafts_keep_what_was_typed_and_say_what_is_wrong() {
    let stage = Stage::new().await;
    let ws = &stage.ws;
    let mut draft = credentials::draft_new(ws, "odd", None).unwrap();
    assert_eq!((draft.name.as_str(), draft.method.as_str()), ("Oddly", "client"));
    let places = |draft: &CredentialDraft| {
        let mut places: Vec<String> = credentials::draft_check(ws, draft).unwrap().into_iter().map(|finding| finding.place).collect();
        places.sort();
        places
    };
    assert_eq!(places(&draft), ["input.client_id", "input.client_secret"]);
    draft.name = String::new();
    draft.settings.insert("site".to_owned(), "Not A Site".to_owned());
    draft.settings.insert("sight".to_owned(), "x".to_owned());
    draft.settings.insert("client_secret".to_owned(), "in the open".to_owned());
    draft.scopes = vec!["two words".to_owned()];
    credentials::draft_save(ws, &draft).unwrap();
    assert_eq!(credentials::drafts(ws).unwrap(), [credentials::draft_get(ws, &draft.id).unwrap()]);
    assert_eq!(credentials::draft_get(ws, &draft.id).unwrap().settings["site"], "Not A Site");
    assert_eq!(places(&draft), ["input.client_id", "input.client_secret", "input.client_secret", "input.sight", "input.site", "name", "scopes"]);
    assert_eq!(credentials::draft_finish(ws, &draft.id).unwrap_err().kind, ProblemKind::Usage);
    assert_eq!(credentials::draft_secret(ws, &draft.id, "client_id", Secret::new("x")).unwrap_err().kind, ProblemKind::Usage);

    draft.settings.shift_remove("sight");
    draft.settings.shift_remove("client_secret");
    draft.settings.insert("site".to_owned(), "https://acme.oddly.example/login\n".to_owned());
    draft.settings.insert("client_id".to_owned(), " me ".to_owned());
    draft.scopes.clear();
    draft.name = " Main ".to_owned();
    credentials::draft_save(ws, &draft).unwrap();
    let with_secret = credentials::draft_secret(ws, &draft.id, "client_secret", Secret::new(SECRET)).unwrap();
    assert_eq!(with_secret.secrets, ["client_secret"]);
    // A front end that holds an older copy loses no secret.
    credentials::draft_save(ws, &draft).unwrap();
    assert_eq!(credentials::draft_get(ws, &draft.id).unwrap().secrets, ["client_secret"]);
    let credential = credentials::draft_finish(ws, &draft.id).unwrap();
    assert_eq!((credential.name.as_str(), credential.status), ("Main", CredentialStatus::Untested));
    assert_eq!((credential.settings["site"].as_str(), credential.settings["client_id"].as_str()), ("acme", "me"));
    assert!(credential.id.starts_with("cred_") && credentials::drafts(ws).unwrap().is_empty());

    let second = stage.client();
    assert_eq!(second.name, "Oddly");
    let second = credentials::draft_finish(ws, &second.id).unwrap();
    assert!(credentials::rename(ws, &second.id, "MAIN").unwrap_err().what.contains("already"));
    assert_eq!(credentials::rename(ws, "oddly", "Other").unwrap().id, second.id);
    assert_eq!(credentials::list(ws).unwrap().iter().map(|c| c.name.as_str()).collect::<Vec<_>>(), ["Main", "Other"]);
    let third = stage.client();
    credentials::draft_discard(ws, &third.id).unwrap();
    assert!(credentials::draft_get(ws, &third.id).is_err());
    credentials::delete(ws, "Other").unwrap();
    assert!(credentials::get(ws, "Other").unwrap_err().why.contains("Nothing"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_value_takes_the_test_back_and_a_secret_ends_on_its_day() {
    let stage = Stage::new().await;
    let ws = &stage.ws;
    Mock::given(path("/v1/me")).respond_with(json_answer(200, json!({}))).mount(&stage.server).await;
    let mut draft = stage.draft("header", &[], &[("api_key", SECRET)]);
    assert!(stage.test(&draft).await.ok);
    draft.settings.insert("site".to_owned(), "acme".to_owned());
    credentials::draft_save(ws, &draft).unwrap();
    let credential = credentials::draft_finish(ws, &draft.id).unwrap();
    assert_eq!((credential.status, credential.last_test), (CredentialStatus::Untested, None));
    assert!(credentials::test(ws, &credential.id, &Sink::none()).await.unwrap().ok);
    assert_eq!(credentials::get(ws, &credential.id).unwrap().status, CredentialStatus::Valid);

    let soon = Time::now() + jiff::SignedDuration::from_hours(24);
    credentials::set_secret_expiry(ws, &credential.id, Some(soon)).unwrap();
    let day = Duration::from_secs(86_400);
    assert!(credentials::expiring(ws, day / 2).unwrap().is_empty());
    let expiring = credentials::expiring(ws, day * 2).unwrap();
    assert_eq!((expiring.len(), expiring[0].what.as_str(), expiring[0].at), (1, "secret", soon));
    let renewal = credentials::renew(ws, &credential.id).unwrap();
    assert_eq!(renewal.secrets, ["api_key"]);
    credentials::set_secret_expiry(ws, &credential.id, Some(Time::now() - jiff::SignedDuration::from_secs(1))).unwrap();
    assert_eq!(credentials::get(ws, &credential.id).unwrap().status, CredentialStatus::Expired);
    let renewed = credentials::draft_finish(ws, &renewal.id).unwrap();
    assert_eq!(renewed.id, credential.id);
    assert!(credentials::test(ws, &credential.id, &Sink::none()).await.unwrap().ok, "the key came along");
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_can_listen_the_answer_is_pasted() {
    let stage = Stage::new().await;
    let ws = &stage.ws;
    Mock::given(path("/token")).respond_with(json_answer(200, json!({"access_token": "planted-t-1", "expires_in": 60}))).mount(&stage.server).await;
    let parameter =
        |url: &str, name: &str| url::Url::parse(url).unwrap().query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned());
    let draft = stage.draft("pasted", &[("client_id", "me")], &[]);
    let consent = credentials::consent_begin(ws, &draft.id).await.unwrap();
    let view = &consent.view;
    assert_eq!((view.redirect_uri.as_str(), view.listening, &view.ssh_line), ("https://localhost/back", false, &None));
    assert_eq!(parameter(&view.authorize_url, "theme").as_deref(), Some("dark"));
    assert_eq!(parameter(&view.authorize_url, "scope").as_deref(), Some("api://me/read"));
    assert_eq!(parameter(&view.authorize_url, "code_challenge_method").as_deref(), Some("S256"));
    consent.offer("a-bare-code").unwrap();
    consent.finish(ws, &Sink::none()).await.unwrap();
    let body = String::from_utf8(stage.server.received_requests().await.unwrap().pop().unwrap().body).unwrap();
    assert!(body.contains("code=a-bare-code") && body.contains("code_verifier=") && body.contains("localhost%2Fback"), "{body}");
    let credential = credentials::draft_finish(ws, &draft.id).unwrap();
    assert_eq!(credential.scopes, ["api://me/read"]);
    // Without a refresh token it needs a person when it ends.
    assert!(!credential.refreshes);
    assert_eq!(credentials::expiring(ws, Duration::from_secs(120)).unwrap()[0].what, "access_token");
    let renewal = credentials::renew(ws, &credential.id).unwrap();
    assert_eq!(renewal.scopes, ["api://{{ input.client_id }}/read"], "default scopes follow the inputs again");

    // A registered port that somebody else holds.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let uri = format!("http://localhost:{}/cb", taken.local_addr().unwrap().port());
    let busy = stage.draft("code", &[("client_id", "me"), ("redirect_uri", &uri)], &[]);
    let consent = credentials::consent_begin(ws, &busy.id).await.unwrap();
    assert_eq!((consent.view.redirect_uri.as_str(), consent.view.listening), (uri.as_str(), false));
    drop((consent, taken));
    let free = credentials::consent_begin(ws, &busy.id).await.unwrap();
    assert!(free.view.listening, "the port is free now");
    // Stopped by the person: the wait ends at once.
    let cancel = intertie::model::CancellationToken::new();
    let sink = Sink::new(|_| {}, cancel.clone());
    cancel.cancel();
    assert!(free.finish(ws, &sink).await.unwrap_err().what.contains("stopped"));
}
