//! Logins in the vendor's own steps, and what is looked up afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use intertie::model::{CredentialDraft, CredentialStatus, ProblemKind, Secret, Severity, Sink, TestOutcome};
use intertie::ops::{Config, Workspace, credentials, discover};
use serde_json::{Value, json};
use wiremock::matchers::{body_string, body_string_contains, header, method, path, query_param};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::cli::Shell;
use crate::searched::Captured as _;

const PASSWORD: &str = "planted-Pass&word";

const DEFINITION: &str = r#"
    schema = 1
    id = "steps"
    name = "Steply"
    request = { base_url = "{{ found.home or 'AT' }}" }

    [auth.session]
    kind = "login"
    name = "Session"
    placement = { header = "Cookie", prefix = "SID=" }
    [[auth.session.input]]
    key = "username"
    label = "User name"
    [[auth.session.input]]
    key = "password"
    label = "Password"
    secret = true
    [[auth.session.input]]
    key = "domain"
    label = "Domain"
    optional = true
    [[auth.session.step]]
    method = "GET"
    url = "AT/login"
    save = { csrf = "regex:name=.csrf. value=.([a-z0-9-]+)", first = "cookie:SID" }
    [[auth.session.step]]
    url = "/login"
    headers = { Cookie = "SID={{ step.first }}", X-Version = "3" }
    query = { lang = "en", domain = "{{ input.domain or '' }}" }
    form = { user = "{{ input.username }}", pass = "{{ input.password }}", csrf = "{{ step.csrf }}" }
    ok = "status == 302"
    save = { ticket = "header:X-Ticket" }
    [[auth.session.step]]
    method = "PUT"
    url = "/session"
    json = { ticket = "{{ step.ticket }}", options = { domain = "{{ input.domain or '' }}", long = true } }
    ok = "status == 200 and body.ok"
    save = { access = "cookie:SID", refresh = "data.renew", expires = "data.until" }
    capture = { account = "data.account" }
    [[auth.session.step]]
    refresh = true
    url = "/renew"
    text = "<renew>{{ step.refresh }}</renew>"
    headers = { Content-Type = "text/xml" }
    save = { access = "regex:<token>(.*)</token>", expires = "regex:<seconds>(.*)</seconds>" }

    [auth.key]
    kind = "bearer"
    name = "Token"
    [[auth.key.input]]
    key = "token"
    label = "Token"
    secret = true
    [[auth.key.input]]
    key = "domain"
    label = "Domain"
    optional = true
    [[auth.key.discover]]
    id = "site"
    title = "Site"
    path = "AT/sites"
    query = { only = "{{ input.domain or '' }}" }
    records = "data.sites"
    value = "id"
    label = "name"
    save = { site_id = "id", home = "url" }
    [[auth.key.discover]]
    id = "plan"
    title = "Plan"
    path = "/plans/{{ found.site_id }}"
    value = "code"
    choose = "match"
    when = "item.domain == input.domain"
    save = { plan = "code" }
    [[auth.key.discover]]
    id = "owner"
    title = "Owner"
    path = "/me"
    value = "id"
    choose = "first"
    save = { owner = "id" }

    [[check]]
    path = "/me"
    proves = "The account can be read."
"#;

struct Stage {
    server: MockServer,
    dir: crate::searched::Place,
    ws: Workspace,
}

fn answer(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

impl Stage {
    async fn new() -> Self {
        let (server, dir) = (MockServer::start().await, crate::searched::place());
        std::fs::create_dir(dir.path().join("connectors")).unwrap();
        std::fs::write(dir.path().join("connectors/steps.toml"), DEFINITION.replace("AT", &server.uri())).unwrap();
        let ws = Workspace::open(dir.path(), Config::default());
        Self { server, dir, ws }
    }

    fn draft(&self, method: &str, settings: &[(&str, &str)], secrets: &[(&str, &str)]) -> CredentialDraft {
        let mut draft = credentials::draft_new(&self.ws, "steps", Some(method)).unwrap();
        draft.settings.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        credentials::draft_save(&self.ws, &draft).unwrap();
        for (key, value) in secrets {
            credentials::draft_secret(&self.ws, &draft.id, key, Secret::new(*value)).unwrap();
        }
        credentials::draft_get(&self.ws, &draft.id).unwrap()
    }

    fn session(&self) -> CredentialDraft {
        self.draft("session", &[("username", "ada")], &[("password", PASSWORD)])
    }

    async fn test(&self, draft: &CredentialDraft) -> TestOutcome {
        credentials::draft_test(&self.ws, &draft.id, &Sink::none()).await.unwrap()
    }

    async fn mount(&self, mock: Mock) {
        mock.mount(&self.server).await;
    }

    /// A vendor that knows the way.
    async fn serve(&self) {
        let page = ResponseTemplate::new(200)
            .insert_header("set-cookie", "SID=planted-first; Path=/; HttpOnly")
            .set_body_string("<form><input name='csrf' value='planted-csrf-1'></form>");
        self.mount(Mock::given(method("GET")).and(path("/login")).respond_with(page)).await;
        let form = "user=ada&pass=planted-Pass%26word&csrf=planted-csrf-1";
        let through =
            ResponseTemplate::new(302).insert_header("location", "https://elsewhere.example/?x=planted").insert_header("x-ticket", "planted-ticket");
        let second = Mock::given(method("POST")).and(path("/login")).and(query_param("lang", "en")).and(header("x-version", "3"));
        self.mount(second.and(header("cookie", "SID=planted-first")).and(body_string(form)).respond_with(through)).await;
        let done = ResponseTemplate::new(200)
            .append_header("set-cookie", "other=1")
            .append_header("set-cookie", "SID=planted-session-1; Secure")
            .set_body_json(json!({"ok": true, "data": {"renew": "planted-renew", "until": 1_600, "account": "Contoso"}}));
        let third = r#"{"ticket":"planted-ticket","options":{"long":true}}"#;
        self.mount(
            Mock::given(method("PUT"))
                .and(path("/session"))
                .and(header("content-type", "application/json"))
                .and(body_string(third))
                .respond_with(done),
        )
        .await;
        for n in 1..4 {
            let cookie = format!("SID=planted-session-{n}");
            self.mount(Mock::given(path("/me")).and(header("cookie", cookie.as_str())).respond_with(answer(200, json!({"id": 1})))).await;
        }
    }

    async fn walked(&self) -> Vec<String> {
        self.server.received_requests().await.unwrap().iter().map(|request| format!("{} {}", request.method, request.url.path())).collect()
    }

    fn assert_sealed(&self) {
        let mut dirs = vec![self.dir.path().to_owned()];
        let mut looked = 0;
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                if entry.path().is_dir() {
                    dirs.push(entry.path());
                    continue;
                }
                looked += 1;
                let bytes = std::fs::read(entry.path()).unwrap();
                assert!(!bytes.windows(8).any(|part| part == b"planted-"), "{}", entry.path().display());
            }
        }
        assert!(looked > 3, "the workspace was not found");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_gets_what_the_one_before_saved() {
    let stage = Stage::new().await;
    stage.serve().await;
    let draft = stage.session();
    let outcome = stage.test(&draft).await;
    assert!(outcome.ok, "{:?}", outcome.problem);
    assert_eq!(stage.walked().await, ["GET /login", "POST /login", "PUT /session", "GET /me"]);
    let credential = credentials::draft_finish(&stage.ws, &draft.id).unwrap();
    assert_eq!(credential.found["account"], "Contoso");
    assert_eq!((credential.status, credential.refreshes), (CredentialStatus::Valid, true));
    let life = credential.access_expires.unwrap().duration_since(intertie::model::Time::now()).as_secs();
    assert!((1_500..=1_600).contains(&life), "{life}");

    // The refresh step replaces the login while the vendor accepts it.
    let renewed = ResponseTemplate::new(200).set_body_string("<answer><token>planted-session-2</token><seconds>900</seconds></answer>");
    let renew = Mock::given(path("/renew")).and(header("content-type", "text/xml")).and(body_string("<renew>planted-renew</renew>"));
    stage.mount(renew.respond_with(renewed).up_to_n_times(1)).await;
    let once = || Mock::given(path("/me")).respond_with(answer(401, json!({}))).up_to_n_times(1).with_priority(1);
    stage.mount(once()).await;
    assert!(credentials::test(&stage.ws, &credential.id, &Sink::none()).await.unwrap().ok);
    assert_eq!(stage.walked().await[4..], ["GET /me", "POST /renew", "GET /me"]);
    // When it no longer does, everything is there to log in again.
    stage.mount(Mock::given(path("/renew")).respond_with(answer(403, json!({"message": "too old"})))).await;
    stage.mount(once()).await;
    assert!(credentials::test(&stage.ws, &credential.id, &Sink::none()).await.unwrap().ok);
    assert_eq!(stage.walked().await[7..], ["GET /me", "POST /renew", "GET /login", "POST /login", "PUT /session", "GET /me"]);
    stage.assert_sealed();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_names_the_step_and_no_secret() {
    use CredentialStatus::{Refused, Unknown};
    let stage = Stage::new().await;
    let echo = |status: u16| {
        move |request: &Request| answer(status, json!({"message": format!("sent {}", String::from_utf8_lossy(&request.body)), "code": "E7"}))
    };
    let third = |body: Value| ResponseTemplate::new(200).set_body_json(body);
    // (method, path, what it answers with, step, words, status)
    let table: Vec<(&str, &str, Mock, &str, &str, CredentialStatus)> = vec![
        ("GET", "/login", Mock::given(method("GET")).and(path("/login")).respond_with(answer(500, json!({}))), "step 1 of 3", "500", Unknown),
        ("GET", "/login", Mock::given(method("GET")).and(path("/login")).respond_with(answer(404, json!({}))), "step 1 of 3", "404", Unknown),
        ("GET", "/login", Mock::given(method("GET")).and(path("/login")).respond_with(third(json!({}))), "step 1 of 3", "csrf", Refused),
        (
            "GET",
            "/login",
            Mock::given(method("GET"))
                .and(path("/login"))
                .respond_with(ResponseTemplate::new(301).insert_header("location", "https://new.example/login?s=planted-x")),
            "step 1 of 3",
            "new.example/login",
            Unknown,
        ),
        ("POST", "/login", Mock::given(method("POST")).and(path("/login")).respond_with(echo(401)), "step 2 of 3", "401", Refused),
        ("PUT", "/session", Mock::given(path("/session")).respond_with(echo(429)), "step 3 of 3", "429", Unknown),
        (
            "PUT",
            "/session",
            Mock::given(path("/session")).respond_with(third(json!({"ok": false, "error": "locked planted-ticket"}))),
            "step 3 of 3",
            "locked …",
            Refused,
        ),
        ("PUT", "/session", Mock::given(path("/session")).respond_with(third(json!({"ok": true, "data": {}}))), "step 3 of 3", "access", Refused),
    ];
    for (verb, at, mock, step, part, status) in table {
        stage.server.reset().await;
        mock.with_priority(1).mount(&stage.server).await;
        stage.serve().await;
        let draft = stage.session();
        let outcome = stage.test(&draft).await;
        let problem = outcome.problem.clone().expect("it failed");
        let text = format!("{} {} {}", problem.what, problem.why, problem.next_step);
        assert!(!outcome.ok && problem.what.contains(step) && text.contains(part), "{verb} {at}: {text}");
        assert!(outcome.request.starts_with(verb) && outcome.request.ends_with(at), "{}", outcome.request);
        assert!(!format!("{outcome:?}").contains("planted") && !text.contains("Pass%26word"), "{text}");
        let saved = credentials::draft_finish(&stage.ws, &draft.id).unwrap();
        assert_eq!(saved.status, status, "{text}");
        credentials::delete(&stage.ws, &saved.id).unwrap();
    }
    stage.assert_sealed();
}

/// Sites for the lookups, each with an API of its own under the server.
async fn sites(stage: &Stage, sites: Value) {
    stage.server.reset().await;
    stage
        .mount(
            Mock::given(path("/sites"))
                .and(header("authorization", "Bearer planted-token"))
                .respond_with(answer(200, json!({"data": {"sites": sites}}))),
        )
        .await;
    for site in ["eu", "us"] {
        let plans = json!([{"code": format!("{site}-free"), "domain": "a.example"}, {"code": format!("{site}-paid"), "domain": "b.example"}]);
        stage.mount(Mock::given(path(format!("/{site}/plans/{site}"))).respond_with(answer(200, plans))).await;
        stage.mount(Mock::given(path(format!("/{site}/me"))).respond_with(answer(200, json!({"id": format!("owner-{site}")})))).await;
    }
}

fn site(stage: &Stage, id: &str) -> Value {
    json!({"id": id, "name": format!("Site {}", id.to_uppercase()), "url": format!("{}/{id}", stage.server.uri())})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_clear_is_looked_up_and_the_rest_is_asked() {
    let stage = Stage::new().await;
    sites(&stage, json!([site(&stage, "eu"), site(&stage, "us")])).await;
    let mut draft = stage.draft("key", &[("domain", "b.example")], &[("token", "planted-token")]);
    let look = async |draft: &CredentialDraft| discover::discover(&stage.ws, &draft.id, &Sink::none()).await;
    let open = look(&draft).await.unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].id.as_str(), open[0].title.as_str()), ("site", "Site"));
    let options: Vec<(&str, &str)> = open[0].options.iter().map(|one| (one.value.as_str(), one.label.as_str())).collect();
    assert_eq!(options, [("eu", "Site EU"), ("us", "Site US")]);
    // The test waits for the choice.
    let problem = credentials::draft_test(&stage.ws, &draft.id, &Sink::none()).await.unwrap_err();
    assert_eq!(problem.kind, ProblemKind::PersonMustAct);
    assert!(problem.what.contains("Site") && problem.why.contains("eu (Site EU)") && problem.next_step.contains("--set site="), "{problem:?}");

    draft.settings.insert("site".to_owned(), "mars".to_owned());
    credentials::draft_save(&stage.ws, &draft).unwrap();
    assert!(credentials::draft_check(&stage.ws, &draft).unwrap().iter().all(|finding| finding.severity != Severity::Error));
    let problem = look(&draft).await.unwrap_err();
    assert!(problem.kind == ProblemKind::Usage && problem.what.contains("mars") && problem.why.contains("us (Site US)"), "{problem:?}");

    // The one that the condition names needs no question.
    draft.settings.insert("site".to_owned(), "eu".to_owned());
    credentials::draft_save(&stage.ws, &draft).unwrap();
    assert_eq!(look(&draft).await.unwrap(), []);
    let outcome = stage.test(&draft).await;
    assert!(outcome.ok && outcome.request.ends_with("/eu/me"), "{outcome:?}");

    // Another choice is looked up anew, and so is what hangs on it.
    draft.settings.insert("site".to_owned(), "site us".to_owned());
    credentials::draft_save(&stage.ws, &draft).unwrap();
    assert!(stage.test(&draft).await.request.ends_with("/us/me"));
    let credential = credentials::draft_finish(&stage.ws, &draft.id).unwrap();
    let found = |name: &str| credential.found.get(name).map(String::as_str);
    assert_eq!((found("site_id"), found("plan"), found("owner")), (Some("us"), Some("us-paid"), Some("owner-us")));
    let before = stage.walked().await.len();
    assert!(credentials::test(&stage.ws, &credential.id, &Sink::none()).await.unwrap().ok);
    assert_eq!(stage.walked().await[before..], ["GET /us/me"], "what is known is not asked again");

    // A renewed one keeps the choice, and looks up the rest.
    let renewed = credentials::renew(&stage.ws, &credential.id).unwrap();
    assert!(stage.test(&renewed).await.request.ends_with("/us/me"));
    stage.assert_sealed();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_only_one_is_taken_and_none_is_said() {
    let stage = Stage::new().await;
    sites(&stage, site(&stage, "eu")).await;
    let one = stage.draft("key", &[("domain", "a.example")], &[("token", "planted-token")]);
    assert!(stage.test(&one).await.ok, "one object counts as a list of one");
    // Without a match the person is asked.
    let none = stage.draft("key", &[("domain", "c.example")], &[("token", "planted-token")]);
    let open = discover::discover(&stage.ws, &none.id, &Sink::none()).await.unwrap();
    assert_eq!((open[0].id.as_str(), open[0].options.len()), ("plan", 2));
    sites(&stage, json!([])).await;
    let nothing = stage.draft("key", &[], &[("token", "planted-token")]);
    let outcome = stage.test(&nothing).await;
    assert!(!outcome.ok && outcome.problem.unwrap().what.contains("Site"));
    stage.server.reset().await;
    stage.mount(Mock::given(path("/sites")).respond_with(answer(401, json!({"message": "bad planted-token"})))).await;
    let refused = stage.draft("key", &[], &[("token", "planted-token")]);
    let outcome = stage.test(&refused).await;
    assert!(!outcome.ok && !format!("{outcome:?}").contains("planted"), "{outcome:?}");
    assert_eq!(credentials::draft_finish(&stage.ws, &refused.id).unwrap().status, CredentialStatus::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_terminal_a_choice_is_a_flag() {
    let stage = Stage::new().await;
    sites(&stage, json!([site(&stage, "eu"), site(&stage, "us")])).await;
    let shell = Shell::new();
    let add = |more: &[&str]| {
        let args = ["credential", "add", "steps", "--method", "key", "--name", "Mine", "--set", "domain=a.example", "--set", "token=env:TOKEN"];
        let mut command = shell.command(&[&args, more].concat());
        command.env("INTERTIE_WORKSPACE", stage.dir.path()).env("TOKEN", "planted-token");
        tokio::task::block_in_place(|| command.captured())
    };
    let output = add(&[]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{told}");
    assert!(told.contains("--set site=") && told.contains("us (Site US)"), "{told}");
    let output = add(&["--set", "site=us"]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(credentials::get(&stage.ws, "Mine").unwrap().found["plan"], "us-free");
    assert!(credentials::drafts(&stage.ws).unwrap().is_empty(), "the same command went on from the draft");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_login_goes_nowhere_it_was_not_sent() {
    let stage = Stage::new().await;
    let elsewhere = MockServer::start().await;
    let seen = Arc::new(AtomicU32::new(0));
    let counter = Arc::clone(&seen);
    Mock::given(path("/login"))
        .respond_with(move |_: &Request| {
            counter.fetch_add(1, Ordering::Relaxed);
            answer(200, json!({}))
        })
        .mount(&elsewhere)
        .await;
    stage.serve().await;
    let away = ResponseTemplate::new(307).insert_header("location", format!("{}/login", elsewhere.uri()));
    stage.mount(Mock::given(method("POST")).and(path("/login")).and(body_string_contains("pass=")).respond_with(away).with_priority(1)).await;
    let outcome = stage.test(&stage.session()).await;
    assert!(!outcome.ok && outcome.problem.unwrap().what.contains("step 2 of 3"));
    assert_eq!(seen.load(Ordering::Relaxed), 0);
}
