//! What definitions can say, at work: a workspace with definitions of its own against a server.

use intertie::model::{Credential, Mapped, RunOptions, RunState, Secret, Sink};
use intertie::ops::{Config, Workspace, credentials, integrations, mappings, runs};
use serde_json::json;
use wiremock::matchers::{body_json, body_string, header, method, path, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

const SECRET: &str = "s3cret-Value-0123";

const ACME: &str = r#"
schema = 1
id = "acme"
name = "Acme"
[[input]]
key = "site"
label = "Site"
help = "The site."
[auth.token]
kind = "bearer"
name = "Token"
[[auth.token.input]]
key = "token"
label = "Token"
help = "The token."
secret = true
[auth.key]
kind = "api_key"
name = "Key"
placement = { header = "X-Key" }
[[auth.key.input]]
key = "api_key"
label = "Key"
help = "The key."
secret = true
[request]
base_url = "BASE"
headers = { X-Version = "1" }
[[check]]
method = "POST"
path = "/graphql"
headers = { X-Version = "2", X-Site = "{{ input.site }}" }
body = { query = "{ me { id } }", variables = { site = "{{ input.site }}" } }
ok = "status == 200 and body.data.me.id"
proves = "The token works."
auth = ["token"]
[[check]]
method = "POST"
path = "/whoami"
form = { site = "{{ input.site }}", none = "{{ input.none or '' }}" }
proves = "The key works."
auth = ["key"]
[[resource]]
id = "owners"
name = "Owners"
kind = "users"
path = "/owners"
key = "id"
auth = ["key"]
changed = { updated_after = "{{ since_unix }}" }
[[resource]]
id = "users"
name = "Users"
kind = "users"
path = "/users"
key = "id"
"#;

/// A workspace with the connector `acme`, whose base is `server`.
fn workspace(server: &MockServer) -> (crate::searched::Place, Workspace) {
    let dir = crate::searched::place();
    std::fs::create_dir(dir.path().join("connectors")).unwrap();
    let text = ACME
        .replace("BASE", &server.uri())
        .replace("key = \"site\"", "key = \"none\"\nlabel = \"None\"\nhelp = \"N.\"\noptional = true\n[[input]]\nkey = \"site\"");
    std::fs::write(dir.path().join("connectors/acme.toml"), text).unwrap();
    let ws = Workspace::open(dir.path(), Config::default());
    assert_eq!(intertie::ops::connectors::check(&ws, &[dir.path().join("connectors/acme.toml")]).unwrap(), []);
    (dir, ws)
}

async fn connect(ws: &Workspace, name: &str, how: &str, secret: &str) -> Credential {
    let mut draft = credentials::draft_new(ws, "acme", Some(how)).unwrap();
    draft.name = name.to_owned();
    draft.settings.insert("site".to_owned(), "contoso".to_owned());
    credentials::draft_save(ws, &draft).unwrap();
    let draft = credentials::draft_secret(ws, &draft.id, secret, Secret::new(SECRET)).unwrap();
    let outcome = credentials::draft_test(ws, &draft.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{outcome:#?}");
    credentials::draft_finish(ws, &draft.id).unwrap()
}

async fn serve(server: &MockServer) {
    Mock::given(method("POST"))
        .and(path("/graphql"))
        .and(header("authorization", format!("Bearer {SECRET}")))
        .and(header("x-version", "2"))
        .and(header("x-site", "contoso"))
        .and(body_json(json!({"query": "{ me { id } }", "variables": {"site": "contoso"}})))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": {"me": {"id": 1}}})))
        .expect(1)
        .mount(server)
        .await;
    Mock::given(method("POST"))
        .and(path("/whoami"))
        .and(header("x-key", SECRET))
        .and(header("x-version", "1"))
        .and(body_string("site=contoso"))
        .respond_with(ResponseTemplate::new(200).set_body_json(json!({})))
        .expect(1)
        .mount(server)
        .await;
}

#[tokio::test]
async fn tests_send_bodies_and_resources_ask_for_their_method() {
    let server = MockServer::start().await;
    serve(&server).await;
    let (_dir, ws) = workspace(&server);
    let (token, key) = (connect(&ws, "token", "token", "token").await, connect(&ws, "key", "key", "api_key").await);

    let mut with_token = integrations::new(&ws, "With a token").unwrap();
    integrations::set_source(&ws, &mut with_token, &token.name, None).unwrap();
    assert_eq!(with_token.resource, "users", "the first that this credential can read");
    let refused = integrations::set_source(&ws, &mut with_token, &token.name, Some("owners")).unwrap_err();
    assert!(refused.what.contains("Owners") && refused.why.contains("Key") && !refused.next_step.is_empty(), "{refused:?}");
    let mut with_key = integrations::new(&ws, "With a key").unwrap();
    integrations::set_source(&ws, &mut with_key, &key.name, None).unwrap();
    assert_eq!(with_key.resource, "owners");

    // A credential that is put in the other's place is found out, and reads nothing.
    with_key.credential = token.id.clone();
    let findings = integrations::validate(&ws, &with_key).unwrap();
    assert!(findings.iter().any(|finding| finding.place == "resource" && finding.problem == refused), "{findings:#?}");
    assert_eq!(mappings::sample(&ws, &with_key, 5, &Sink::none()).await.unwrap_err(), refused);
}

#[tokio::test]
async fn a_run_asks_for_what_changed() {
    let server = MockServer::start().await;
    serve(&server).await;
    let (_dir, ws) = workspace(&server);
    let (token, key) = (connect(&ws, "token", "token", "token").await, connect(&ws, "key", "key", "api_key").await);
    let owners = ResponseTemplate::new(200).set_body_json(json!([]));
    Mock::given(path("/owners")).and(query_param("updated_after", "1770091506")).respond_with(owners).expect(1).mount(&server).await;
    let since = Some("2026-02-03T04:05:06Z".parse().unwrap());
    let options = RunOptions { dry_run: true, since, ..RunOptions::default() };
    for (name, credential, resource) in [("Owners", &key, "owners"), ("Users", &token, "users")] {
        let mut integration = integrations::new(&ws, name).unwrap();
        integrations::set_source(&ws, &mut integration, &credential.name, Some(resource)).unwrap();
        mappings::set(&ws, &mut integration, "email", Mapped::Path("email".to_owned())).unwrap();
        integrations::save(&ws, &integration).unwrap();
        let run = runs::start(&ws, name, &options, &Sink::none()).await.unwrap();
        if resource == "owners" {
            assert_eq!((run.state, run.read, run.requests), (RunState::Succeeded, 0, 1), "{run:?}");
        } else {
            // Where the definition does not say how, nothing is asked at all.
            assert!(run.state == RunState::Failed && run.problem.as_ref().unwrap().what.contains("changed"), "{run:?}");
        }
    }
}
