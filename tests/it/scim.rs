//! SCIM 2.0 against peers that nobody here wrote: `scim2-server` as a source, and the compliance suite `scim2` against the practice vendor.
//! `tests/run` installs both; without them these tests fail.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use intertie::catalog::{Catalog, template::Context};
use intertie::mapping::{path::Path, projection::Projection};
use intertie::model::{Connector, Problem, Secret, Sink};
use intertie::practice::{self, Fault, Options, When};
use intertie::vendor::client::{Attached, Authorizer, Client, Outgoing, Patience};
use intertie::vendor::source::Source;
use serde_json::{Value, json};
use url::Url;

fn peer(name: &str) -> PathBuf {
    let peers = std::env::var_os("INTERTIE_TEST_PEERS");
    let peers = peers.map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("target/peers"), PathBuf::from);
    let path = peers.join("python/bin").join(name);
    assert!(path.exists(), "{} is not there: run tests/run once", path.display());
    path
}

/// Ends its process when it goes.
struct Server {
    child: Child,
    base_url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

const SECRET: &str = "peer-token-for-tests";

async fn scim2_server() -> Server {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let child = Command::new(peer("scim2-server"))
        .args(["--port", &port.to_string(), "--bearer-token", SECRET])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let server = Server { child, base_url: format!("http://127.0.0.1:{port}/v2") };
    let deadline = Instant::now() + Duration::from_secs(60);
    while http().get(format!("{}/ServiceProviderConfig", server.base_url)).send().await.is_err() {
        assert!(Instant::now() < deadline, "scim2-server does not answer");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server
}

fn http() -> &'static reqwest::Client {
    intertie::vendor::http::client_for(&Url::parse("http://127.0.0.1/").unwrap()).unwrap()
}

struct Token(&'static str);

impl Authorizer for Token {
    fn credentials<'a>(&'a self, _: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>> {
        let headers = vec![("Authorization".to_owned(), Secret::new(format!("Bearer {}", self.0)))];
        Box::pin(async { Ok(Attached { headers, ..Attached::default() }) })
    }

    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
        Box::pin(async { Ok(false) })
    }
}

struct Scim {
    connector: Arc<Connector>,
    context: Context,
    client: Client,
}

impl Scim {
    /// The generic connector, as it is in the catalog.
    fn new(base_url: &str, token: &'static str) -> Self {
        let dir = crate::searched::place();
        let connector = Catalog::open(dir.path()).get("scim").unwrap();
        let mut context = Context::default();
        context.input.insert("base_url".to_owned(), base_url.to_owned());
        let patience = Patience { base: Duration::from_millis(5), ..Patience::default() };
        let client = Client::new(connector.clone(), context.clone(), Some(Arc::new(Token(token)))).unwrap().with_patience(patience);
        Self { connector, context, client }
    }

    async fn users(&self) -> Result<Vec<Vec<Value>>, Problem> {
        let paths = ["id", "userName", "active", "emails[type=work].value", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User.department"];
        let projection = Projection::new(paths.iter().map(|path| Path::parse(path).unwrap()).collect());
        let resource = self.connector.resource("users").unwrap();
        let client = Some(self.client.clone());
        let mut source = Source::open(self.connector.clone(), resource, &self.context, client, projection, &Sink::none()).unwrap();
        let mut rows = Vec::new();
        while let Some(page) = source.next().await? {
            assert_eq!(page.bad, []);
            rows.extend(page.rows.into_iter().map(|row| row.slots));
        }
        Ok(rows)
    }
}

#[tokio::test]
async fn users_of_a_server_nobody_here_wrote_are_read() {
    let server = scim2_server().await;
    let scim = Scim::new(&server.base_url, SECRET);
    assert_eq!(scim.users().await.unwrap(), Vec::<Vec<Value>>::new());
    let mut made = Vec::new();
    for i in 0..230 {
        let user = json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"],
            "userName": format!("user{i}@example.org"),
            "active": i % 10 != 0,
            "emails": [{"value": format!("home{i}@example.net"), "type": "home"}, {"value": format!("Ünï{i}@example.org"), "type": "work"}],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": format!("D{}", i % 3)},
        });
        let request = http().post(format!("{}/Users", server.base_url)).bearer_auth(SECRET).header("Content-Type", "application/scim+json");
        let answer = request.body(user.to_string()).send().await.unwrap();
        assert_eq!(answer.status(), 201);
        let id = answer.json::<Value>().await.unwrap()["id"].clone();
        made.push(vec![
            id,
            json!(format!("user{i}@example.org")),
            json!(i % 10 != 0),
            json!(format!("Ünï{i}@example.org")),
            json!(format!("D{}", i % 3)),
        ]);
    }
    let by_name = |rows: Vec<Vec<Value>>| {
        let mut rows = rows;
        rows.sort_by_key(|row| row[1].to_string());
        rows
    };
    assert_eq!(by_name(scim.users().await.unwrap()), by_name(made));
    let refused = Scim::new(&server.base_url, "some-other-token").users().await.unwrap_err();
    assert_eq!(refused.exit_code(), 3, "{refused:?}");
    assert!(!format!("{refused:?}").contains("some-other-token"));
}

#[tokio::test]
async fn the_practice_vendor_passes_the_compliance_suite() {
    let practice = practice::start(Options { people: 20, ..Options::default() }).await.unwrap();
    let mut suite = Command::new(peer("scim2"));
    suite.args(["--url", &format!("{}/scim/v2", practice.base_url), "test"]);
    suite.env("SCIM_CLI_HEADERS", format!("Authorization: Bearer {}", practice::TOKEN)).env("NO_COLOR", "1").stdin(Stdio::null());
    let output = tokio::task::spawn_blocking(move || suite.output().unwrap()).await.unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}");
    assert!(text.matches("SUCCESS").count() > 50, "{text}");
    for bad in ["ERROR", "CRITICAL"] {
        assert!(!text.contains(bad), "{text}");
    }
}

/// A request to the practice vendor's SCIM, as a provisioning client sends it.
async fn send(base_url: &str, method: &str, path: &str, body: Option<Value>) -> (u16, Value) {
    let mut request = http().request(method.parse().unwrap(), format!("{base_url}/scim/v2{path}")).bearer_auth(practice::TOKEN);
    if let Some(body) = body {
        request = request.header("Content-Type", "application/scim+json").body(body.to_string());
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
}

fn patch(operations: Value) -> Option<Value> {
    Some(json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations}))
}

#[tokio::test]
async fn people_of_the_practice_vendor_come_and_go_in_scim_too() {
    let practice = practice::start(Options::default()).await.unwrap();
    let scim = Scim::new(&format!("{}/scim/v2", practice.base_url), practice::TOKEN);
    let active = |rows: &[Vec<Value>]| rows.iter().filter(|row| row[2] == true).count() as u64;
    let rows = scim.users().await.unwrap();
    assert_eq!((rows.len(), active(&rows)), (250, 250));
    for _ in 0..3 {
        practice.pass_a_day();
        assert_eq!(active(&scim.users().await.unwrap()), practice.people());
    }
    practice.faults.set(Fault::TooMany { retry_after: 0 }, When::PageOnce(2));
    practice.faults.set(Fault::Truncated, When::PageOnce(3));
    assert_eq!(active(&scim.users().await.unwrap()), practice.people());
}

#[tokio::test]
async fn what_entra_sends_is_understood() {
    let practice = practice::start(Options { people: 0, ..Options::default() }).await.unwrap();
    let base = practice.base_url.as_str();
    // Test connection: spaces as `+`, and nobody of that name.
    let (status, list) = send(base, "GET", "/Users?filter=userName+eq+%22c9c1f0c4-2f1e-4a5e-9a4e%22", None).await;
    assert_eq!((status, &list["totalResults"], &list["schemas"]), (200, &json!(0), &json!(["urn:ietf:params:scim:api:messages:2.0:ListResponse"])));
    let enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
    let user = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User", enterprise], "externalId": "ada", "userName": "Ada@example.org", "active": true,
        "displayName": "Ada", "name": {"givenName": "Ada", "familyName": null}, "roles": [], "title": null,
        "emails": [{"primary": true, "type": "work", "value": "ada@example.org"}], "meta": {"resourceType": "User"},
    });
    let (status, made) = send(base, "POST", "/Users", Some(user.clone())).await;
    assert_eq!((status, &made["userName"], made.get("title"), made.get("roles")), (201, &json!("Ada@example.org"), None, None));
    let id = made["id"].as_str().unwrap();
    let (status, error) = send(base, "POST", "/Users", Some(user)).await;
    assert_eq!((status, &error["status"], &error["scimType"]), (409, &json!("409"), &json!("uniqueness")));
    let (_, found) = send(base, "GET", "/Users?filter=userName+eq+%22ada%40EXAMPLE.org%22", None).await;
    assert_eq!((&found["totalResults"], &found["Resources"][0]["id"]), (&json!(1), &json!(id)));
    // Both dialects of Entra, and Okta's.
    let path = format!("/Users/{id}");
    let operations = json!([
        {"op": "Replace", "path": "active", "value": "False"},
        {"op": "Add", "path": "phoneNumbers[type eq \"mobile\"].value", "value": "+1 555"},
        {"op": "Replace", "path": "emails[type eq \"work\"].value", "value": "a.king@example.org"},
        {"op": "Add", "path": format!("{enterprise}:manager"), "value": "boss-1"},
    ]);
    let (status, changed) = send(base, "PATCH", &path, patch(operations)).await;
    assert_eq!((status, &changed["active"], &changed["phoneNumbers"]), (200, &json!(false), &json!([{"type": "mobile", "value": "+1 555"}])));
    assert_eq!((&changed["emails"][0]["value"], &changed[enterprise]["manager"]["value"]), (&json!("a.king@example.org"), &json!("boss-1")));
    let operations = json!([{"op": "replace", "value": {"active": true, "name.givenName": "A.", format!("{enterprise}:department"): "R&D"}}]);
    let (_, changed) = send(base, "PATCH", &path, patch(operations)).await;
    assert_eq!((&changed["active"], &changed["name"]["givenName"], &changed[enterprise]["department"]), (&json!(true), &json!("A."), &json!("R&D")));
    assert_eq!(changed[enterprise]["manager"]["value"], "boss-1");
    // All or nothing.
    let operations = json!([{"op": "replace", "path": "displayName", "value": "Lost"}, {"op": "remove"}]);
    assert_eq!(send(base, "PATCH", &path, patch(operations)).await.0, 400);
    assert_eq!(send(base, "GET", &path, None).await.1["displayName"], "Ada");
    // A group, made without members and with a schema of Entra's own.
    let group = json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group", "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "displayName": "Admins", "externalId": "g",
    });
    let group = format!("/Groups/{}", send(base, "POST", "/Groups", Some(group)).await.1["id"].as_str().unwrap());
    let member = |op: &str| json!([{"op": op, "path": "members", "value": [{"$ref": null, "value": id}]}]);
    assert_eq!(send(base, "PATCH", &group, patch(member("Add"))).await.1["members"], json!([{"value": id}]));
    assert_eq!(send(base, "GET", &path, None).await.1["groups"][0]["display"], "Admins");
    assert_eq!(send(base, "GET", &format!("{group}?excludedAttributes=members"), None).await.1.get("members"), None);
    assert_eq!(send(base, "PATCH", &group, patch(member("Remove"))).await.1.get("members"), None);
    assert_eq!(send(base, "DELETE", &path, None).await.0, 204);
    assert_eq!(send(base, "GET", &path, None).await.0, 404);
    // Without a token.
    let answer = http().get(format!("{base}/scim/v2/Users")).send().await.unwrap();
    assert_eq!((answer.status().as_u16(), answer.headers().contains_key("www-authenticate")), (401, true));
}
