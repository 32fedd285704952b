//! The built-in definitions at work: each against a server that answers in the shape that its vendor documents. What is asked, what is sent
//! along, how the list goes on, what counts as a failure.

use std::sync::Arc;

use intertie::catalog::Catalog;
use intertie::model::{Credential, CredentialDraft, Secret, Sink, TestOutcome};
use intertie::ops::{Config, Workspace, credentials};
use intertie::store::Store;
use intertie::vault::Vault;
use serde_json::{Value, json};
use wiremock::matchers::{any, body_json, body_string_contains, header, method, path, query_param, query_param_is_missing};
use wiremock::{Match, Mock, MockServer, Request, ResponseTemplate};

pub(super) const SECRET: &str = "s3cret-Value-0123";

pub(super) struct Desk {
    pub(super) dir: crate::searched::Place,
    pub(super) ws: Workspace,
}

impl Desk {
    pub(super) fn new() -> Self {
        let dir = crate::searched::place();
        let ws = Workspace::open(dir.path(), Config::default());
        Self { dir, ws }
    }

    /// Fills in a draft: `!key` is a secret.
    pub(super) fn draft(&self, connector: &str, how: &str, values: &[(&str, &str)]) -> CredentialDraft {
        let mut draft = credentials::draft_new(&self.ws, connector, Some(how)).unwrap();
        for (key, value) in values.iter().filter(|(key, _)| !key.starts_with('!')) {
            draft.settings.insert((*key).to_owned(), (*value).to_owned());
        }
        credentials::draft_save(&self.ws, &draft).unwrap();
        for (key, value) in values {
            if let Some(key) = key.strip_prefix('!') {
                draft = credentials::draft_secret(&self.ws, &draft.id, key, Secret::new(*value)).unwrap();
            }
        }
        let findings = credentials::draft_check(&self.ws, &draft).unwrap();
        assert!(findings.is_empty(), "{connector}.{how}: {findings:#?}");
        draft
    }

    pub(super) async fn test(&self, draft: &CredentialDraft) -> TestOutcome {
        credentials::draft_test(&self.ws, &draft.id, &Sink::none()).await.unwrap()
    }

    /// The test succeeds, and the draft becomes a credential.
    pub(super) async fn connect(&self, connector: &str, how: &str, values: &[(&str, &str)]) -> Credential {
        let draft = self.draft(connector, how, values);
        let outcome = self.test(&draft).await;
        assert!(outcome.ok && !outcome.proves.is_empty(), "{connector}.{how}: {outcome:#?}");
        credentials::draft_finish(&self.ws, &draft.id).unwrap()
    }

    /// Every record of a resource.
    pub(super) async fn read(&self, credential: &Credential, resource: &str) -> Result<Vec<Value>, intertie::model::Problem> {
        let catalog = Catalog::open(&self.dir.path().join("connectors"));
        let store = Arc::new(Store::open(self.dir.path()).unwrap());
        let vault = Arc::new(Vault::with_passphrase_file(&self.dir.path().join("vault"), None));
        let (client, context) = intertie::auth::connect(&store, &vault, &catalog, credential).unwrap();
        let connector = catalog.get(&credential.connector).unwrap();
        let resource = connector.resource(resource).unwrap().clone();
        intertie::vendor::source::sample(connector, &resource, &context, Some(client), 10_000, &Sink::none()).await.map(|(records, _)| records)
    }
}

pub(super) fn ok(body: Value) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(body)
}

fn ids(records: &[Value]) -> Vec<String> {
    records.iter().map(|record| record["id"].as_str().map_or_else(|| record["id"].to_string(), str::to_owned)).collect()
}

/// The address has a `#` in no place and a query exactly so.
struct Query(&'static str);

impl Match for Query {
    fn matches(&self, request: &Request) -> bool {
        request.url.query() == Some(self.0)
    }
}

#[tokio::test]
async fn ironclad_clickwrap() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    Mock::given(method("POST"))
        .and(path("/token"))
        .and(body_string_contains("grant_type=client_credentials"))
        .and(body_string_contains("client_id=cid"))
        .and(body_string_contains(format!("client_secret={SECRET}")))
        .respond_with(ok(json!({"access_token": "planted-granted", "token_type": "Bearer", "expires_in": 3600})))
        .mount(&server)
        .await;
    let members = || Mock::given(method("GET")).and(path("/accounts/7/members"));
    let member =
        |id: u32| json!({"id": id, "email": "a@b.example", "name": "A", "locale": "en-US", "time_zone": "EDT", "verified": true, "profiles": []});
    let page = |n: u32, more: bool| json!({"count": 1, "has_more": more, "page": n, "per_page": 100, "total_count": 2, "data": [member(n)]});
    for token in ["planted-granted", SECRET] {
        let authorized = || members().and(header("authorization", format!("Bearer {token}")));
        authorized().and(query_param("per_page", "1")).respond_with(ok(page(1, true))).mount(&server).await;
        authorized().and(query_param("page", "1")).and(query_param("per_page", "100")).respond_with(ok(page(1, true))).mount(&server).await;
        authorized().and(query_param("page", "2")).and(query_param("per_page", "100")).respond_with(ok(page(2, false))).mount(&server).await;
    }
    let (base, token) = (server.uri(), format!("{}/token", server.uri()));
    let client = [("account_id", "7"), ("client_id", "cid"), ("!client_secret", SECRET), ("token_url", &token), ("base_url", &base)];
    let credential = desk.connect("ironclad-clickwrap", "client_credentials", &client).await;
    assert_eq!(ids(&desk.read(&credential, "members").await.unwrap()), ["1", "2"]);
    let credential = desk.connect("ironclad-clickwrap", "bearer", &[("account_id", "7"), ("!token", SECRET), ("base_url", &base)]).await;
    assert_eq!(desk.read(&credential, "members").await.unwrap().len(), 2);
    // The optional input was not given: it is named.
    let problem = desk.read(&credential, "site-memberships").await.unwrap_err();
    assert!(problem.why.contains("site_id"), "{problem:?}");
}

#[tokio::test]
async fn microsoft_365() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    Mock::given(method("POST"))
        .and(path("/token"))
        .and(body_string_contains("scope=https%3A%2F%2Fgraph.microsoft.us%2F.default"))
        .respond_with(ok(json!({"access_token": "planted-granted", "token_type": "Bearer", "expires_in": 3599})))
        .mount(&server)
        .await;
    let users = || Mock::given(method("GET")).and(path("/v1.0/users")).and(header("authorization", "Bearer planted-granted"));
    users().and(query_param("$top", "1")).respond_with(ok(json!({"value": [{"id": "a"}]}))).mount(&server).await;
    let next = format!("{}/v1.0/users?$skiptoken=x", server.uri());
    let first = json!({"value": [{"id": "a", "accountEnabled": true}], "@odata.nextLink": next});
    users().and(query_param("$top", "999")).respond_with(ok(first)).mount(&server).await;
    users().and(query_param("$skiptoken", "x")).respond_with(ok(json!({"value": [{"id": "b"}]}))).mount(&server).await;
    let (base, token) = (format!("{}/v1.0", server.uri()), format!("{}/token", server.uri()));
    let id = "3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0";
    let values = [
        ("tenant", "contoso.onmicrosoft.us"),
        ("cloud", "us-government-l4"),
        ("client_id", id),
        ("!client_secret", SECRET),
        ("base_url", &base),
        ("token_url", &token),
    ];
    let credential = desk.connect("microsoft-365", "client_credentials", &values).await;
    assert_eq!(ids(&desk.read(&credential, "users").await.unwrap()), ["a", "b"]);
}

#[tokio::test]
async fn okta() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let users = || Mock::given(method("GET")).and(path("/api/v1/users")).and(header("authorization", format!("SSWS {SECRET}")));
    users().and(query_param("limit", "1")).respond_with(ok(json!([{"id": "a"}]))).mount(&server).await;
    let link = format!("<{0}/api/v1/users?limit=200>; rel=\"self\", <{0}/api/v1/users?after=z&limit=200>; rel=\"next\"", server.uri());
    let first = ok(json!([{"id": "a"}])).insert_header("link", link.as_str());
    users().and(query_param("limit", "200")).and(query_param_is_missing("after")).respond_with(first).mount(&server).await;
    users().and(query_param("after", "z")).respond_with(ok(json!([{"id": "b"}]))).mount(&server).await;
    let base = server.uri();
    let credential = desk.connect("okta", "api_key", &[("domain", "acme.okta.com"), ("!api_key", SECRET), ("base_url", &base)]).await;
    assert_eq!(ids(&desk.read(&credential, "users").await.unwrap()), ["a", "b"]);

    let refusing = MockServer::start().await;
    let body = json!({"errorCode": "E0000011", "errorSummary": "Invalid token provided"});
    Mock::given(any()).respond_with(ResponseTemplate::new(401).set_body_json(body)).mount(&refusing).await;
    let base = refusing.uri();
    let outcome = desk.test(&desk.draft("okta", "api_key", &[("domain", "acme.okta.com"), ("!api_key", SECRET), ("base_url", &base)])).await;
    assert!(!outcome.ok && format!("{outcome:?}").contains("30 days") && !format!("{outcome:?}").contains(SECRET), "{outcome:#?}");
}

#[tokio::test]
async fn github() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let given = |place: &'static str| {
        Mock::given(method("GET"))
            .and(path(place))
            .and(header("authorization", format!("Bearer {SECRET}")))
            .and(header("accept", "application/vnd.github+json"))
            .and(header("x-github-api-version", "2022-11-28"))
    };
    given("/orgs/acme/teams").and(query_param("per_page", "1")).respond_with(ok(json!([]))).mount(&server).await;
    let link = format!("<{}/orgs/acme/members?per_page=100&page=2>; rel=\"next\"", server.uri());
    let first = ok(json!([{"id": 1, "login": "a"}])).insert_header("link", link.as_str());
    given("/orgs/acme/members").and(Query("per_page=100")).respond_with(first).mount(&server).await;
    given("/orgs/acme/members").and(query_param("page", "2")).respond_with(ok(json!([{"id": 2, "login": "b"}]))).mount(&server).await;
    let scim = json!({"totalResults": 1, "startIndex": 1, "itemsPerPage": 1, "Resources": [{"id": "x", "userName": "a"}]});
    given("/scim/v2/organizations/acme/Users").respond_with(ok(scim)).mount(&server).await;
    let base = server.uri();
    let credential = desk.connect("github", "bearer", &[("org", "https://github.com/acme"), ("!token", SECRET), ("base_url", &base)]).await;
    assert_eq!(ids(&desk.read(&credential, "members").await.unwrap()), ["1", "2"]);
    assert_eq!(ids(&desk.read(&credential, "scim-users").await.unwrap()), ["x"]);
}

#[tokio::test]
async fn zendesk() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    // base64("me@acme.example/token:" + SECRET)
    let authorization = "Basic bWVAYWNtZS5leGFtcGxlL3Rva2VuOnMzY3JldC1WYWx1ZS0wMTIz";
    let given = |place: &'static str| Mock::given(method("GET")).and(path(place)).and(header("authorization", authorization));
    given("/api/v2/users/me").respond_with(ok(json!({"user": {"id": 5}}))).mount(&server).await;
    let page = |id: u32, more: bool| json!({"users": [{"id": id}], "meta": {"has_more": more, "after_cursor": "c1", "before_cursor": "c0"}});
    let users = || given("/api/v2/users").and(query_param("page[size]", "100"));
    users().and(query_param_is_missing("page[after]")).and(query_param_is_missing("role[]")).respond_with(ok(page(1, true))).mount(&server).await;
    users().and(query_param("page[after]", "c1")).respond_with(ok(page(2, false))).mount(&server).await;
    users().and(query_param("role[]", "agent")).and(query_param("role[]", "admin")).respond_with(ok(page(9, false))).mount(&server).await;
    let base = server.uri();
    let values = [("subdomain", "https://acme.zendesk.com/agent"), ("email", "me@acme.example"), ("!api_token", SECRET), ("base_url", &base)];
    let credential = desk.connect("zendesk", "api_token", &values).await;
    assert_eq!(ids(&desk.read(&credential, "users").await.unwrap()), ["1", "2"]);
    assert_eq!(ids(&desk.read(&credential, "agents").await.unwrap()), ["9"]);

    // Without a valid token Zendesk answers 200 with nobody.
    let refusing = MockServer::start().await;
    Mock::given(any()).respond_with(ok(json!({"user": {"id": null, "name": "Anonymous user"}}))).mount(&refusing).await;
    let base = refusing.uri();
    let values = [("subdomain", "acme"), ("email", "me@acme.example"), ("!api_token", SECRET), ("base_url", &base)];
    assert!(!desk.test(&desk.draft("zendesk", "api_token", &values)).await.ok);
}

#[tokio::test]
async fn slack() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let given = |place: &'static str| Mock::given(method("GET")).and(path(place)).and(header("authorization", format!("Bearer xoxb-{SECRET}")));
    given("/auth.test").respond_with(ok(json!({"ok": true, "team": "Acme"}))).mount(&server).await;
    let page = |id: &str, next: &str| json!({"ok": true, "members": [{"id": id, "deleted": false}], "response_metadata": {"next_cursor": next}});
    // No workspace id was given, so none is sent.
    let list = || given("/users.list").and(query_param("limit", "200")).and(query_param_is_missing("team_id"));
    let limited = ResponseTemplate::new(200).set_body_json(json!({"ok": false, "error": "ratelimited"})).insert_header("retry-after", "0");
    list().and(query_param_is_missing("cursor")).respond_with(limited).up_to_n_times(1).mount(&server).await;
    list().and(query_param_is_missing("cursor")).respond_with(ok(page("U1", "c="))).mount(&server).await;
    list().and(query_param("cursor", "c=")).respond_with(ok(page("U2", ""))).mount(&server).await;
    let base = server.uri();
    let token = format!("xoxb-{SECRET}");
    let credential = desk.connect("slack", "bearer", &[("!token", &token), ("base_url", &base)]).await;
    assert_eq!(ids(&desk.read(&credential, "members").await.unwrap()), ["U1", "U2"]);

    let refusing = MockServer::start().await;
    Mock::given(any()).respond_with(ok(json!({"ok": false, "error": "token_revoked"}))).mount(&refusing).await;
    let base = refusing.uri();
    let outcome = desk.test(&desk.draft("slack", "bearer", &[("!token", &token), ("base_url", &base)])).await;
    assert!(!outcome.ok && format!("{outcome:?}").contains("revoked"), "{outcome:#?}");
}

#[tokio::test]
async fn oomnitza() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let users = || Mock::given(method("GET")).and(path("/api/v3/users")).and(header("authorization2", SECRET));
    let list = |from: u32, n: u32| ok(Value::Array((from..from + n).map(|id| json!({"id": id.to_string(), "suspended": false})).collect()));
    users().and(query_param("limit", "1")).respond_with(list(0, 1)).mount(&server).await;
    users().and(query_param("limit", "100")).and(query_param("skip", "0")).respond_with(list(0, 100)).mount(&server).await;
    users().and(query_param("limit", "100")).and(query_param("skip", "100")).respond_with(list(100, 3)).mount(&server).await;
    let base = server.uri();
    let credential = desk.connect("oomnitza", "api_key", &[("subdomain", "acme"), ("!api_key", SECRET), ("base_url", &base)]).await;
    assert_eq!(desk.read(&credential, "users").await.unwrap().len(), 103);
}

#[tokio::test]
async fn contractbook_and_scim() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let users = || Mock::given(method("GET")).and(path("/scim/Users")).and(header("authorization", format!("Bearer {SECRET}")));
    let list = |body: Value| ok(json!({"schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"], "totalResults": 2, "Resources": body}));
    // What Entra asks: an equality on userName, with its spaces as pluses.
    let nobody = ok(json!({"totalResults": 0, "Resources": []}));
    users().and(Query("filter=userName+eq+%22intertie-connection-test%22")).respond_with(nobody).mount(&server).await;
    users().and(query_param("startIndex", "1")).and(query_param("count", "1")).respond_with(list(json!([{"id": "a"}]))).mount(&server).await;
    users().and(query_param("startIndex", "1")).and(query_param("count", "100")).respond_with(list(json!([{"id": "a"}]))).mount(&server).await;
    users().and(query_param("startIndex", "2")).respond_with(list(json!([{"id": "b"}]))).mount(&server).await;
    let base = format!("{}/scim", server.uri());
    let credential = desk.connect("contractbook", "bearer", &[("tenant_url", &base), ("!token", SECRET)]).await;
    assert_eq!(ids(&desk.read(&credential, "users").await.unwrap()), ["a", "b"]);
    let credential = desk.connect("scim", "bearer", &[("base_url", &base), ("!token", SECRET)]).await;
    assert_eq!(ids(&desk.read(&credential, "users").await.unwrap()), ["a", "b"]);
}

#[tokio::test]
async fn icertis() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let given = || Mock::given(method("GET")).and(path("/agreements/ICM%20MSA")).and(Query("Page=1&PageSize=1"));
    given().and(header("icmauthtoken", SECRET)).and(header("ici-product-key", "product")).respond_with(ok(json!({"Data": []}))).mount(&server).await;
    let base = server.uri();
    let values = [("instance", "acme"), ("contract_type", "ICM MSA"), ("base_url", &base), ("!product_key", "product"), ("!api_key", SECRET)];
    desk.connect("icertis", "api_key", &values).await;
    // Without the product key there is no such header; and a page that is not JSON proves nothing.
    let page = ResponseTemplate::new(200).set_body_raw("<html>Sign in</html>", "text/html");
    given().and(header("icmauthtoken", "other")).respond_with(page).mount(&server).await;
    let values = [("instance", "acme"), ("contract_type", "ICM MSA"), ("base_url", &base), ("!api_key", "other")];
    assert!(!desk.test(&desk.draft("icertis", "api_key", &values)).await.ok);
    let received = server.received_requests().await.unwrap();
    assert!(!received.last().unwrap().headers.contains_key("ici-product-key"));
}

#[tokio::test]
async fn apporetum() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let app = "6d1f0c52-93b7-4b7e-8a40-0d5c7f3e2a11";
    Mock::given(method("POST"))
        .and(path("/token"))
        .and(body_string_contains(format!("scope=api%3A%2F%2F{app}%2F.default")))
        .respond_with(ok(json!({"access_token": "planted-granted", "token_type": "Bearer", "expires_in": 3599})))
        .mount(&server)
        .await;
    let given = Mock::given(method("GET")).and(path("/api/apps")).and(header("authorization", "Bearer planted-granted"));
    given.respond_with(ok(json!({"items": [{"id": "a"}]}))).mount(&server).await;
    let (base, token) = (format!("{}/api", server.uri()), format!("{}/token", server.uri()));
    let values = [
        ("tenant", "9188040d-6c67-4c5b-b112-36a304b66dad"),
        ("apporetum_client_id", app),
        ("client_id", "3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0"),
        ("!client_secret", SECRET),
        ("base_url", &base),
        ("token_url", &token),
        ("check_path", "/apps"),
        ("applications_path", "/apps"),
        ("records", "items"),
    ];
    let credential = desk.connect("apporetum", "client_credentials", &values).await;
    assert_eq!(ids(&desk.read(&credential, "applications").await.unwrap()), ["a"]);
}

#[tokio::test]
async fn any_http_api() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    Mock::given(path("/me")).and(header("x-token", format!("Key {SECRET}"))).respond_with(ok(json!({}))).mount(&server).await;
    Mock::given(path("/me")).and(query_param("k", SECRET)).respond_with(ok(json!({}))).mount(&server).await;
    let people = || Mock::given(method("GET")).and(path("/people"));
    let page = |id: u32, next: Value| ok(json!({"data": {"list": [{"id": id}]}, "meta": {"next": next}}));
    people().and(Query("all=1&cursor=two&n=100")).respond_with(page(2, Value::Null)).mount(&server).await;
    people().and(Query("all=1&n=100")).respond_with(page(1, json!("two"))).mount(&server).await;
    people().and(query_param("p", "1")).respond_with(page(1, Value::Null)).mount(&server).await;
    people().and(query_param("p", "2")).respond_with(page(2, Value::Null)).mount(&server).await;
    people().and(query_param("p", "3")).respond_with(ok(json!({"data": {"list": []}}))).mount(&server).await;
    let base = server.uri();
    let common = [("base_url", base.as_str()), ("check_path", "/me"), ("path", "/people?all=1"), ("records", "data.list"), ("!api_key", SECRET)];
    let cursor = [("header_name", "X-Token"), ("header_prefix", "Key"), ("paging", "cursor"), ("next_path", "meta.next"), ("size_param", "n")];
    let credential = desk.connect("http", "api_key_header", &[&common[..], &cursor[..]].concat()).await;
    assert_eq!(ids(&desk.read(&credential, "users").await.unwrap()), ["1", "2"]);
    let pages = [("query_name", "k"), ("paging", "page"), ("page_param", "p")];
    let credential = desk.connect("http", "api_key_query", &[&common[..], &pages[..]].concat()).await;
    assert_eq!(ids(&desk.read(&credential, "hardware").await.unwrap()), ["1", "2"]);
}

#[tokio::test]
async fn a_file() {
    let desk = Desk::new();
    let file = desk.dir.path().join("people.csv");
    std::fs::write(&file, "\u{feff}id,email\n1,\"a, b@c.example\"\n2,d@e.example\n").unwrap();
    let path = file.display().to_string();
    let credential = desk.connect("file", "none", &[("path", &path)]).await;
    assert_eq!(ids(&desk.read(&credential, "users").await.unwrap()), ["1", "2"]);
    assert_eq!(desk.read(&credential, "hardware").await.unwrap()[0]["email"], "a, b@c.example");
}

#[tokio::test]
async fn the_practice_vendor() {
    use intertie::practice::{CLIENT_ID, CLIENT_SECRET, Options, TOKEN};
    let (desk, practice) = (Desk::new(), intertie::practice::start(Options::default()).await.unwrap());
    let address = practice.base_url.clone();
    let values = [("address", address.as_str()), ("client_id", CLIENT_ID), ("!client_secret", CLIENT_SECRET)];
    let credential = desk.connect("practice-clickwrap", "client_credentials", &values).await;
    assert_eq!(desk.read(&credential, "members").await.unwrap().len(), 250);
    assert!(credentials::revoke(&desk.ws, &credential.name).await.unwrap());
    let credential = desk.connect("practice-scim", "bearer", &[("address", &address), ("!token", TOKEN)]).await;
    assert_eq!(desk.read(&credential, "users").await.unwrap().len(), 250);
    // The generic definition reads the same server.
    let base = format!("{address}/scim/v2");
    let credential = desk.connect("scim", "bearer", &[("base_url", base.as_str()), ("!token", TOKEN)]).await;
    assert_eq!(desk.read(&credential, "users").await.unwrap().len(), 250);
}

/// What a token response brings is there for the very first test: where the vendor's address comes with the token, it is asked there.
#[tokio::test]
async fn an_address_that_comes_with_the_first_token_is_asked_at_once() {
    let (login, home) = (MockServer::start().await, MockServer::start().await);
    let desk = Desk::new();
    let definition = format!(
        r#"
        schema = 1
        id = "moving"
        name = "Moving"
        categories = ["test"]
        [auth.client]
        kind = "client_credentials"
        name = "Client credentials"
        token_url = "{}/token"
        response = {{ capture = {{ home = "home" }} }}
        [[auth.client.input]]
        key = "client_id"
        label = "Client ID"
        help = "Any."
        [[auth.client.input]]
        key = "client_secret"
        label = "Client secret"
        help = "Any."
        secret = true
        [request]
        base_url = "{{{{ found.home }}}}"
        [[check]]
        path = "/me"
        proves = "The address of the token is asked."
        "#,
        login.uri()
    );
    std::fs::create_dir_all(desk.dir.path().join("connectors")).unwrap();
    std::fs::write(desk.dir.path().join("connectors/moving.toml"), definition).unwrap();
    let token = json!({ "access_token": "t", "token_type": "Bearer", "expires_in": 3600, "home": home.uri() });
    Mock::given(method("POST")).and(path("/token")).respond_with(ok(token)).expect(1).mount(&login).await;
    Mock::given(method("GET")).and(path("/me")).respond_with(ok(json!({}))).expect(1).mount(&home).await;
    desk.connect("moving", "client", &[("client_id", "me"), ("!client_secret", SECRET)]).await;
}

pub(super) const PRIVATE: &str = include_str!("../keys/rsa.pkcs8.pem");

/// What a JSON Web Token says: header and claims.
fn opened(token: &str) -> (Value, Value) {
    use base64::Engine as _;
    let part = |text: &str| serde_json::from_slice(&base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(text).unwrap()).unwrap();
    let mut parts = token.split('.');
    (part(parts.next().unwrap()), part(parts.next().unwrap()))
}

/// The form of the only request to a path.
async fn form(server: &MockServer, at: &str) -> std::collections::HashMap<String, String> {
    let requests = server.received_requests().await.unwrap();
    let request = requests.iter().find(|request| request.url.path() == at).unwrap();
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

/// https://www.dropbox.com/developers/documentation/http/teams#team-members-list
#[tokio::test]
async fn dropbox_business() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let member = |id: &str, status: &str| {
        let name = json!({"given_name": "Ada", "surname": "Lovelace", "display_name": "Ada Lovelace"});
        json!({"profile": {"team_member_id": id, "email": "ada@acme.example", "status": {".tag": status}, "name": name, "groups": ["g:1"]}, "roles": []})
    };
    let post = |at: &str, body: Value| {
        Mock::given(method("POST")).and(path(at)).and(body_json(body)).and(header("authorization", format!("Bearer {SECRET}")))
    };
    let page = |members: Value, more: bool| ok(json!({"members": members, "cursor": "ZtkX", "has_more": more}));
    post("/team/members/list_v2", json!({"limit": 1})).respond_with(page(json!([member("dbmid:1", "active")]), true)).mount(&server).await;
    post("/team/members/list_v2", json!({"include_removed": false, "limit": 1000}))
        .respond_with(page(json!([member("dbmid:1", "active")]), true))
        .mount(&server)
        .await;
    post("/team/members/list/continue_v2", json!({"cursor": "ZtkX"}))
        .respond_with(page(json!([member("dbmid:2", "suspended")]), false))
        .mount(&server)
        .await;
    let credential = desk.connect("dropbox-business", "bearer", &[("base_url", &server.uri()), ("!token", SECRET)]).await;
    let users = desk.read(&credential, "users").await.unwrap();
    assert_eq!(users.iter().map(|user| user["team_member_id"].as_str().unwrap()).collect::<Vec<_>>(), ["dbmid:1", "dbmid:2"]);
    assert_eq!(users[0]["name"]["display_name"], "Ada Lovelace");
}

/// https://developers.google.com/identity/protocols/oauth2/service-account
#[tokio::test]
async fn google_workspace_service_account() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let granted = ok(json!({"access_token": "planted-granted", "token_type": "Bearer", "expires_in": 3599}));
    Mock::given(method("POST")).and(path("/token")).respond_with(granted).mount(&server).await;
    let users = ok(json!({"kind": "admin#directory#users", "users": [{"id": "1", "primaryEmail": "a@acme.example"}]}));
    Mock::given(path("/admin/directory/v1/users")).and(header("authorization", "Bearer planted-granted")).respond_with(users).mount(&server).await;
    let file = json!({"type": "service_account", "private_key_id": "k1", "private_key": PRIVATE, "client_email": "i@p.iam.gserviceaccount.com"});
    let token = format!("{}/token", server.uri());
    let settings = [("base_url", server.uri()), ("token_url", token), ("admin", "reader@acme.example".into()), ("!key_file", file.to_string())];
    let settings: Vec<(&str, &str)> = settings.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let credential = desk.connect("google-workspace", "service_account", &settings).await;
    assert_eq!(ids(&desk.read(&credential, "users").await.unwrap()), ["1"]);
    let form = form(&server, "/token").await;
    assert_eq!(form["grant_type"], "urn:ietf:params:oauth:grant-type:jwt-bearer");
    let (header, claims) = opened(&form["assertion"]);
    assert_eq!((&header["alg"], &header["kid"]), (&json!("RS256"), &json!("k1")));
    assert_eq!((&claims["iss"], &claims["sub"]), (&json!("i@p.iam.gserviceaccount.com"), &json!("reader@acme.example")));
    assert_eq!(claims["aud"], "https://oauth2.googleapis.com/token");
    assert_eq!(claims["scope"], "https://www.googleapis.com/auth/admin.directory.user.readonly");
}

/// https://docs.snowflake.com/en/developer-guide/sql-api/authenticating
#[tokio::test]
async fn snowflake_key_pair() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let users = ok(json!([{"name": "ADA", "disabled": false}]));
    Mock::given(path("/api/v2/users")).and(header("x-snowflake-authorization-token-type", "KEYPAIR_JWT")).respond_with(users).mount(&server).await;
    let uri = server.uri();
    let settings = [("base_url", uri.as_str()), ("account", "acmeorg-prod"), ("user", "intertie"), ("!private_key", PRIVATE)];
    let credential = desk.connect("snowflake", "key_pair", &settings).await;
    assert_eq!(desk.read(&credential, "users").await.unwrap()[0]["name"], "ADA");
    let requests = server.received_requests().await.unwrap();
    let bearer = requests[0].headers["authorization"].to_str().unwrap().strip_prefix("Bearer ").unwrap();
    let (_, claims) = opened(bearer);
    assert_eq!(claims["sub"], "ACMEORG-PROD.INTERTIE");
    let issuer = claims["iss"].as_str().unwrap();
    assert!(issuer.starts_with("ACMEORG-PROD.INTERTIE.SHA256:") && issuer.ends_with('='), "{issuer}");
    assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 3600);
}

/// https://developer.box.com/guides/authentication/jwt/without-sdk/
#[tokio::test]
async fn box_service_account() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let granted = ok(json!({"access_token": "planted-granted", "token_type": "bearer", "expires_in": 3600}));
    Mock::given(method("POST")).and(path("/token")).and(body_string_contains("client_id=cid")).respond_with(granted).mount(&server).await;
    let users = ok(json!({"entries": [{"id": "7", "login": "a@acme.example"}]}));
    Mock::given(path("/users")).and(header("authorization", "Bearer planted-granted")).respond_with(users).mount(&server).await;
    let (uri, token) = (server.uri(), format!("{}/token", server.uri()));
    let settings = [
        ("base_url", uri.as_str()),
        ("token_url", token.as_str()),
        ("enterprise_id", "42"),
        ("client_id", "cid"),
        ("key_id", "k9"),
        ("!client_secret", SECRET),
        ("!private_key", PRIVATE),
    ];
    desk.connect("box", "jwt", &settings).await;
    let form = form(&server, "/token").await;
    assert_eq!(form["client_secret"], SECRET);
    let (header, claims) = opened(&form["assertion"]);
    assert_eq!((&header["kid"], &claims["box_sub_type"], &claims["sub"]), (&json!("k9"), &json!("enterprise"), &json!("42")));
    assert!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap() <= 60 && claims["jti"].as_str().unwrap().len() >= 16);
}

/// https://learn.microsoft.com/entra/identity-platform/certificate-credentials
#[tokio::test]
async fn microsoft_365_with_a_certificate() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let granted = ok(json!({"access_token": "planted-granted", "token_type": "Bearer", "expires_in": 3599}));
    Mock::given(method("POST")).and(path("/token")).respond_with(granted).mount(&server).await;
    let users = ok(json!({"value": [{"id": "u1"}]}));
    Mock::given(path("/users")).and(header("authorization", "Bearer planted-granted")).respond_with(users).mount(&server).await;
    let (uri, token) = (server.uri(), format!("{}/token", server.uri()));
    let settings = [
        ("base_url", uri.as_str()),
        ("token_url", token.as_str()),
        ("tenant", "contoso.onmicrosoft.com"),
        ("client_id", "3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0"),
        ("certificate", include_str!("../keys/cert.pem")),
        ("!private_key", PRIVATE),
    ];
    desk.connect("microsoft-365", "certificate", &settings).await;
    let form = form(&server, "/token").await;
    assert_eq!((form["grant_type"].as_str(), form.contains_key("client_secret")), ("client_credentials", false));
    assert_eq!(form["client_assertion_type"], "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
    let (header, claims) = opened(&form["client_assertion"]);
    assert_eq!(header["alg"], "PS256");
    assert_eq!(header["x5t#S256"].as_str().unwrap().len(), 43);
    assert_eq!((&claims["iss"], &claims["aud"]), (&json!("3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0"), &json!(token)));
}

/// https://developer.broadcom.com/xapis/vsphere-automation-api/latest/api/session/post/ (before 8.0 Update 3: Basic, and the session as a JSON text)
#[tokio::test]
async fn vsphere_with_a_session_of_its_own() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    // base64("intertie@vsphere.local:" + SECRET)
    let authorization = "Basic aW50ZXJ0aWVAdnNwaGVyZS5sb2NhbDpzM2NyZXQtVmFsdWUtMDEyMw==";
    let session = ResponseTemplate::new(201).set_body_json("b00db39f948d13ea1e59b4d6fce56389");
    Mock::given(method("POST")).and(path("/api/session")).and(header("authorization", authorization)).respond_with(session).mount(&server).await;
    let given = |at: &'static str| Mock::given(method("GET")).and(path(at)).and(header("vmware-api-session-id", "b00db39f948d13ea1e59b4d6fce56389"));
    given("/api/vcenter/host").respond_with(ok(json!([{"host": "host-1", "name": "esx1", "power_state": "POWERED_ON"}]))).mount(&server).await;
    given("/api/vcenter/vm").respond_with(ok(json!([{"vm": "vm-1", "name": "one", "power_state": "POWERED_ON"}]))).mount(&server).await;
    let values = [("host", "vcenter.corp.contoso.com"), ("username", "intertie@vsphere.local"), ("!password", SECRET), ("base_url", &server.uri())];
    let credential = desk.connect("vmware-esxi-vsphere", "session", &values).await;
    let machines = Catalog::open(&desk.dir.path().join("connectors")).get("vmware-esxi-vsphere").unwrap();
    let machines = machines.resources.iter().find(|resource| resource.path == "/api/vcenter/vm").unwrap().id.clone();
    assert_eq!(desk.read(&credential, &machines).await.unwrap()[0]["vm"], "vm-1");
}
