//! More vendors as their documentation describes them, beside `definitions`: how each is asked for all of its users over two pages, with what
//! authorization, and who of them is inactive by the definition's own rule.

use base64::Engine as _;
use intertie::catalog::Catalog;
use intertie::mapping::path::Path;
use intertie::mapping::{Spec, compile};
use intertie::model::{Credential, Severity, Sink, Time};
use intertie::ops::{credentials, discover};
use serde_json::{Value, json};
use wiremock::matchers::{body_string_contains, header, method, path, query_param, query_param_contains, query_param_is_missing};
use wiremock::{Mock, MockBuilder, MockServer, Request, ResponseTemplate};

use super::definitions::{Desk, SECRET, ok};

/// Who was read: all keys, and those of the inactive.
#[derive(Debug, PartialEq)]
struct People {
    keys: Vec<String>,
    inactive: Vec<String>,
}

impl People {
    fn are(&self, keys: &[&str], inactive: &[&str]) -> bool {
        self.keys == keys && self.inactive == inactive
    }
}

/// Reads a whole resource; its keys and its rule of activity are applied by the code of the runs.
async fn people(desk: &Desk, credential: &Credential, resource: &str) -> People {
    let records = desk.read(credential, resource).await.unwrap();
    let connector = Catalog::open(&desk.dir.path().join("connectors")).get(&credential.connector).unwrap();
    let resource = connector.resource(resource).unwrap();
    let key = Path::parse(&resource.key).unwrap();
    let spec = Spec {
        mappings: &[],
        fields: &[],
        saas_fields: None,
        filter: None,
        active: resource.active.as_ref(),
        credential: &credential.name,
        sync_time: Time::UNIX_EPOCH,
    };
    let rule = compile(&spec).unwrap();
    let (mut keys, mut inactive) = (Vec::new(), Vec::new());
    for record in &records {
        let found = key.get(record).unwrap();
        let found = found.as_str().map_or_else(|| found.to_string(), str::to_owned);
        if !rule.active(&rule.projection().record(record).unwrap()) {
            inactive.push(found.clone());
        }
        keys.push(found);
    }
    People { keys, inactive }
}

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}")))
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

/// A GET that carries this authorization.
fn get(at: &str, authorization: &str) -> MockBuilder {
    Mock::given(method("GET")).and(path(at)).and(header("authorization", authorization))
}

async fn serve(server: &MockServer, request: MockBuilder, body: Value) {
    request.respond_with(ok(body)).mount(server).await;
}

async fn serve_linked(server: &MockServer, request: MockBuilder, body: Value, link: &str) {
    request.respond_with(ok(body).insert_header("link", link)).mount(server).await;
}

/// https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm and
/// https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm
#[tokio::test]
async fn salesforce() {
    let (desk, login, home) = (Desk::new(), MockServer::start().await, MockServer::start().await);
    // The token response says where the organisation is.
    let token = json!({
        "access_token": "00Dxx!planted-granted", "signature": "c2ln", "scope": "api", "instance_url": home.uri(), "token_type": "Bearer",
        "id": "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS", "issued_at": "1747215473423"
    });
    let grant = Mock::given(method("POST"))
        .and(path("/services/oauth2/token"))
        .and(body_string_contains("grant_type=client_credentials"))
        .and(body_string_contains("client_id=3MVG9"))
        .and(body_string_contains(format!("client_secret={SECRET}")));
    serve(&login, grant, token).await;
    let authorization = bearer("00Dxx!planted-granted");
    let user = |id: &str, active: bool| {
        let address = format!("/services/data/v62.0/sobjects/User/{id}");
        json!({"attributes": {"type": "User", "url": address}, "Id": id, "Username": "a@acme.example", "IsActive": active, "UserType": "Standard"})
    };
    let query = || get("/services/data/v62.0/query", &authorization);
    let probe = json!({"totalSize": 1, "done": true, "records": [user("005a", true)]});
    serve(&home, query().and(query_param("q", "SELECT Id FROM User LIMIT 1")), probe).await;
    let next = "/services/data/v62.0/query/01gRO0000016PIAYA2-2000";
    let first = json!({"totalSize": 3, "done": false, "nextRecordsUrl": next, "records": [user("005a", true), user("005b", false)]});
    serve(&home, query().and(query_param_contains("q", "IsActive")).and(query_param_contains("q", "FROM User ORDER BY Id")), first).await;
    serve(&home, get(next, &authorization), json!({"totalSize": 3, "done": true, "records": [user("005c", true)]})).await;
    let token = format!("{}/services/oauth2/token", login.uri());
    let values = [("host", "acme.my.salesforce.com"), ("client_id", "3MVG9"), ("!client_secret", SECRET), ("token_url", &token)];
    let credential = desk.connect("salesforce", "client_credentials", &values).await;
    assert!(people(&desk, &credential, "users").await.are(&["005a", "005b", "005c"], &["005b"]));
}

/// https://developers.hubspot.com/docs/api-reference/settings-user-provisioning-v3/users/get-settings-v3-users- and
/// https://developers.hubspot.com/docs/api-reference/crm-owners-v3/guide
#[tokio::test]
async fn hubspot_crm() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let authorization = bearer(SECRET);
    let user = |id: &str| json!({"id": id, "email": "a@acme.example", "firstName": "Ada", "roleIds": ["7"], "superAdmin": false});
    let owner = |id: &str, archived: bool| json!({"id": id, "email": "a@acme.example", "userId": 1, "archived": archived, "teams": []});
    let paging = json!({"next": {"after": "NTI1Cg%3D%3D", "link": "?after=NTI1Cg%3D%3D"}});
    for (at, one, two) in [("/settings/v3/users/", user("11"), user("12")), ("/crm/v3/owners/", owner("21", false), owner("22", true))] {
        let list = || get(at, &authorization);
        serve(&server, list().and(query_param("limit", "1")), json!({"results": [one.clone()], "paging": paging})).await;
        let first = list().and(query_param("limit", "100")).and(query_param_is_missing("after"));
        serve(&server, first, json!({"results": [one], "paging": paging})).await;
        // The cursor goes back as it came, encoded once more for the address.
        let second = list().and(query_param("limit", "100")).and(query_param("after", "NTI1Cg%3D%3D"));
        serve(&server, second, json!({"results": [two]})).await;
    }
    let credential = desk.connect("hubspot-crm", "bearer", &[("!token", SECRET), ("base_url", &server.uri())]).await;
    assert!(people(&desk, &credential, "users").await.are(&["11", "12"], &[]));
    assert!(people(&desk, &credential, "owners").await.are(&["21", "22"], &["22"]));
}

/// https://developer.pagerduty.com/docs/pagination (classic pagination) and https://developer.pagerduty.com/docs/authentication
#[tokio::test]
async fn pagerduty() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let users = || get("/users", &format!("Token token={SECRET}")).and(header("accept", "application/vnd.pagerduty+json;version=2"));
    let user = |n: u32| json!({"id": format!("P{n}"), "type": "user", "name": "Ada", "email": "a@acme.example", "role": "user", "teams": []});
    let page = |from: u32, n: u32, limit: u32, more: bool| {
        let users: Vec<Value> = (from..from + n).map(user).collect();
        json!({"users": users, "limit": limit, "offset": from, "total": null, "more": more})
    };
    serve(&server, users().and(query_param("limit", "1")), page(0, 1, 1, true)).await;
    let list = || users().and(query_param("limit", "100"));
    serve(&server, list().and(query_param("offset", "0")), page(0, 100, 100, true)).await;
    serve(&server, list().and(query_param("offset", "100")), page(100, 2, 100, false)).await;
    let credential = desk.connect("pagerduty", "api_key", &[("!api_key", SECRET), ("base_url", &server.uri())]).await;
    let expected: Vec<String> = (0..102).map(|n| format!("P{n}")).collect();
    assert_eq!(people(&desk, &credential, "users").await.keys, expected);
}

/// https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html
#[tokio::test]
async fn servicenow() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let authorization = basic("intertie.integration", SECRET);
    let table = |of: &str| get(&format!("/api/now/table/{of}"), &authorization).and(header("accept", "application/json"));
    let user =
        |id: &str, active: &str| json!({"sys_id": id, "user_name": "ada", "email": "a@acme.example", "active": active, "department.name": "IT"});
    for of in ["sys_user", "sys_user_group"] {
        serve(&server, table(of).and(query_param("sysparm_limit", "1")), json!({"result": [{"sys_id": "a"}]})).await;
    }
    let address = |from: u32| format!("{}/api/now/table/sys_user?sysparm_limit=1000&sysparm_offset={from}&sysparm_query=ORDERBYsys_id", server.uri());
    let link = format!("<{0}>;rel=\"first\",<{1}>;rel=\"next\",<{1}>;rel=\"last\"", address(0), address(1000));
    let first = table("sys_user").and(query_param("sysparm_query", "ORDERBYsys_id")).and(query_param("sysparm_limit", "1000"));
    let first = first.and(query_param("sysparm_exclude_reference_link", "true")).and(query_param_is_missing("sysparm_offset"));
    serve_linked(&server, first, json!({"result": [user("a", "true"), user("b", "false")]}), &link).await;
    let last = format!("<{0}>;rel=\"first\",<{0}>;rel=\"prev\",<{1}>;rel=\"last\"", address(0), address(1000));
    serve_linked(&server, table("sys_user").and(query_param("sysparm_offset", "1000")), json!({"result": [user("c", "true")]}), &last).await;
    let base = format!("{}/api/now", server.uri());
    let values = [("instance", "acme.service-now.com"), ("username", "intertie.integration"), ("!password", SECRET), ("base_url", &base)];
    let credential = desk.connect("servicenow", "basic", &values).await;
    assert!(people(&desk, &credential, "users").await.are(&["a", "b", "c"], &["b"]));
}

fn atlassian(id: &str, active: bool) -> Value {
    json!({"accountId": id, "accountType": "atlassian", "active": active, "displayName": "Ada", "avatarUrls": {}})
}

async fn jira_site(server: &MockServer, base: &str, authorization: &str) {
    serve(server, get(&format!("{base}/rest/api/3/myself"), authorization), atlassian("me", true)).await;
    let users = || get(&format!("{base}/rest/api/3/users/search"), authorization).and(header("accept", "application/json"));
    serve(server, users().and(query_param("maxResults", "1")), json!([atlassian("0", true)])).await;
    let list = || users().and(query_param("maxResults", "500"));
    // A page may be shorter than asked for; an empty one ends the list.
    serve(server, list().and(query_param("startAt", "0")), json!([atlassian("a", true), atlassian("b", false)])).await;
    serve(server, list().and(query_param("startAt", "2")), json!([atlassian("c", true), atlassian("d", true)])).await;
    serve(server, list().and(query_param("startAt", "4")), json!([])).await;
}

/// https://developer.atlassian.com/cloud/jira/platform/rest/v3/api-group-users/#api-rest-api-3-users-search-get
#[tokio::test]
async fn jira_with_an_api_token() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    jira_site(&server, "", &basic("me@acme.example", SECRET)).await;
    let values = [("site", "acme"), ("email", "me@acme.example"), ("!api_token", SECRET), ("base_url", &server.uri())];
    let credential = desk.connect("jira", "api_token", &values).await;
    assert!(people(&desk, &credential, "users").await.are(&["a", "b", "c", "d"], &["b"]));
}

/// https://developers.zoom.us/docs/internal-apps/s2s-oauth/ and https://developers.zoom.us/docs/api/users/#tag/users/get/users
#[tokio::test]
async fn zoom() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let grant = Mock::given(method("POST"))
        .and(path("/oauth/token"))
        .and(header("authorization", basic("cid", SECRET)))
        .and(body_string_contains("grant_type=account_credentials"))
        .and(body_string_contains("account_id=aB3dE6gH9jK2"));
    serve(
        &server,
        grant,
        json!({"access_token": "planted-granted", "token_type": "bearer", "expires_in": 3600, "scope": "user:read:list_users:admin"}),
    )
    .await;
    let users = || get("/v2/users", "Bearer planted-granted");
    let page = |id: &str, status: &str, next: &str| {
        let user = json!({"id": id, "email": "a@acme.example", "type": 2, "status": status, "dept": "", "verified": 1});
        json!({"page_size": 300, "page_count": 1, "page_number": 1, "total_records": 2, "next_page_token": next, "users": [user]})
    };
    serve(&server, users().and(query_param("page_size", "1")), page("a", "active", "t0")).await;
    for (status, ids) in [("active", ["a", "b"]), ("inactive", ["x", "y"])] {
        let list = || users().and(query_param("status", status)).and(query_param("page_size", "300"));
        serve(&server, list().and(query_param_is_missing("next_page_token")), page(ids[0], status, "t1")).await;
        serve(&server, list().and(query_param("next_page_token", "t1")), page(ids[1], status, "")).await;
    }
    let (base, token) = (format!("{}/v2", server.uri()), format!("{}/oauth/token", server.uri()));
    let values = [("account_id", "aB3dE6gH9jK2"), ("client_id", "cid"), ("!client_secret", SECRET), ("token_url", &token), ("base_url", &base)];
    let credential = desk.connect("zoom", "server_to_server", &values).await;
    assert!(people(&desk, &credential, "users").await.are(&["a", "b"], &[]));
    assert!(people(&desk, &credential, "inactive-users").await.are(&["x", "y"], &["x", "y"]));
}

/// https://developers.asana.com/reference/getworkspacemembershipsforworkspace and https://developers.asana.com/docs/pagination
#[tokio::test]
async fn asana() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let authorization = bearer(SECRET);
    let at = "/workspaces/1200000000000001/workspace_memberships";
    let member = |id: &str, active: bool| json!({"gid": format!("9{id}"), "is_active": active, "is_admin": false, "is_guest": false, "user": {"gid": id, "name": "Ada", "email": "a@acme.example"}});
    let next = json!({"offset": "eyJ0eXAiOiJKV1Q", "path": format!("{at}?limit=100&offset=eyJ0eXAiOiJKV1Q"), "uri": "https://app.asana.com/api/1.0"});
    let probe = get("/users", &authorization).and(query_param("workspace", "1200000000000001")).and(query_param("limit", "1"));
    serve(&server, probe, json!({"data": [{"gid": "1", "name": "Ada", "resource_type": "user"}], "next_page": next})).await;
    let list = || get(at, &authorization);
    serve(&server, list().and(query_param("limit", "1")), json!({"data": [member("1", true)], "next_page": next})).await;
    let list = || {
        list()
            .and(query_param("limit", "100"))
            .and(query_param_contains("opt_fields", "is_active"))
            .and(query_param_contains("opt_fields", "user.email"))
    };
    serve(&server, list().and(query_param_is_missing("offset")), json!({"data": [member("1", true)], "next_page": next})).await;
    serve(&server, list().and(query_param("offset", "eyJ0eXAiOiJKV1Q")), json!({"data": [member("2", false)], "next_page": null})).await;
    let credential = desk.connect("asana", "bearer", &[("workspace", "1200000000000001"), ("!token", SECRET), ("base_url", &server.uri())]).await;
    assert!(people(&desk, &credential, "members").await.are(&["1", "2"], &["2"]));
}

/// https://developers.freshdesk.com/api/#list_all_agents and https://developers.freshdesk.com/api/#pagination
#[tokio::test]
async fn freshdesk() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    // The key is the user name; the password is any.
    let agents = || get("/api/v2/agents", &basic(SECRET, "X"));
    let agent = |id: u32| {
        let contact = json!({"active": true, "email": "a@acme.example", "name": "Ada", "language": "en"});
        json!({"available": true, "occasional": false, "id": id, "ticket_scope": 1, "contact": contact, "type": "support_agent"})
    };
    serve(&server, get("/api/v2/agents/me", &basic(SECRET, "X")), agent(1)).await;
    serve(&server, agents().and(query_param("per_page", "1")), json!([agent(1)])).await;
    let link = format!("<{}/api/v2/agents?per_page=100&page=2>;rel=\"next\"", server.uri());
    let first = agents().and(query_param("per_page", "100")).and(query_param_is_missing("page"));
    serve_linked(&server, first, json!([agent(1), agent(2)]), &link).await;
    serve(&server, agents().and(query_param("page", "2")), json!([agent(3)])).await;
    let base = format!("{}/api/v2", server.uri());
    let credential = desk.connect("freshdesk", "api_key", &[("domain", "acme"), ("!api_key", SECRET), ("base_url", &base)]).await;
    assert!(people(&desk, &credential, "agents").await.are(&["1", "2", "3"], &[]));
}

/// https://harvestdocs.greenhouse.io/docs/authentication, https://harvestdocs.greenhouse.io/docs/pagination and
/// https://harvestdocs.greenhouse.io/reference/get_v3-users
#[tokio::test]
async fn greenhouse() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let grant = Mock::given(method("POST"))
        .and(path("/token"))
        .and(header("authorization", basic("cid", SECRET)))
        .and(body_string_contains("grant_type=client_credentials"))
        .and(body_string_contains("sub=4212952002"));
    serve(&server, grant, json!({"access_token": "planted-granted", "token_type": "Bearer", "expires_at": "2099-01-01T00:00:00Z"})).await;
    let users = || get("/v3/users", "Bearer planted-granted");
    let user =
        |id: u32, gone: bool| json!({"id": id, "first_name": "Ada", "primary_email": "a@acme.example", "deactivated": gone, "site_admin": false});
    serve(&server, users().and(query_param("per_page", "1")), json!([user(1, false)])).await;
    // A cursor stands alone: the address in the header is asked as it is.
    let link = format!("<{}/v3/users?cursor=eyJpZCI6Mn0>; rel=\"next\"", server.uri());
    serve_linked(&server, users().and(query_param("per_page", "500")), json!([user(1, false), user(2, true)]), &link).await;
    let second = users().and(query_param("cursor", "eyJpZCI6Mn0")).and(query_param_is_missing("per_page"));
    serve(&server, second, json!([user(3, false)])).await;
    let (base, token) = (format!("{}/v3", server.uri()), format!("{}/token", server.uri()));
    let values = [("client_id", "cid"), ("!client_secret", SECRET), ("user_id", "4212952002"), ("token_url", &token), ("base_url", &base)];
    let credential = desk.connect("greenhouse", "client_credentials", &values).await;
    assert!(people(&desk, &credential, "users").await.are(&["1", "2", "3"], &["2"]));
}

/// https://developers.smartsheet.com/api/smartsheet/openapi/users/list-users and
/// https://developers.smartsheet.com/api/smartsheet/guides/basics/pagination
#[tokio::test]
async fn smartsheet() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let authorization = bearer(SECRET);
    let user = |id: u32| json!({"id": id, "email": "a@acme.example", "name": "Ada", "admin": false, "status": if id == 100 { "DEACTIVATED" } else { "ACTIVE" }});
    let page = |n: u32, ids: std::ops::Range<u32>| {
        let data: Vec<Value> = ids.map(user).collect();
        json!({"pageNumber": n, "pageSize": 100, "totalPages": 2, "totalCount": 102, "data": data})
    };
    let users = || get("/2.0/users", &authorization);
    serve(&server, get("/2.0/users/me", &authorization), json!({"id": 1, "email": "me@acme.example"})).await;
    serve(&server, users().and(query_param("pageSize", "1")), page(1, 0..1)).await;
    let list = || users().and(query_param("pageSize", "100")).and(query_param("include", "lastLogin"));
    serve(&server, list().and(query_param("page", "1")), page(1, 0..100)).await;
    serve(&server, list().and(query_param("page", "2")), page(2, 100..102)).await;
    let base = format!("{}/2.0", server.uri());
    let credential = desk.connect("smartsheet", "bearer", &[("!token", SECRET), ("base_url", &base)]).await;
    let read = people(&desk, &credential, "users").await;
    let expected: Vec<String> = (0..102).map(|id| id.to_string()).collect();
    assert_eq!(read, People { keys: expected, inactive: vec!["100".to_owned()] });
}

/// https://documentation.bamboohr.com/reference/list-employees and https://documentation.bamboohr.com/docs/getting-started
#[tokio::test]
async fn bamboohr() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let employees = || get("/api/v1/employees", &basic(SECRET, "x")).and(header("accept", "application/json"));
    let page = |id: &str, status: &str, next: Value| {
        let employee = json!({"employeeId": id, "firstName": "Ada", "workEmail": "a@acme.example", "status": status, "departmentName": "IT"});
        json!({"data": [employee], "meta": {"page": {"nextCursor": next}}})
    };
    serve(&server, employees().and(query_param("page[limit]", "1")), page("1", "Active", json!("c0"))).await;
    let list = || employees().and(query_param("page[limit]", "250")).and(query_param("fields", "workEmail,mobilePhone,departmentName"));
    serve(&server, list().and(query_param_is_missing("page[after]")), page("1", "Active", json!("c1"))).await;
    serve(&server, list().and(query_param("page[after]", "c1")), page("2", "Inactive", Value::Null)).await;
    let base = format!("{}/api/v1", server.uri());
    let credential = desk.connect("bamboohr", "api_key", &[("company", "acme"), ("!api_key", SECRET), ("base_url", &base)]).await;
    assert!(people(&desk, &credential, "employees").await.are(&["1", "2"], &["2"]));
}

/// https://docs.datadoghq.com/api/latest/users/list-all-users/ and https://docs.datadoghq.com/api/latest/authentication/
#[tokio::test]
async fn datadog() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let keyed =
        |at: &str| Mock::given(method("GET")).and(path(at)).and(header("dd-api-key", "the-api-key")).and(header("dd-application-key", SECRET));
    let page = |id: &str, disabled: bool| {
        let attributes = json!({"email": "a@acme.example", "handle": "a@acme.example", "disabled": disabled, "status": "Active", "verified": true});
        json!({"data": [{"id": id, "type": "users", "attributes": attributes}], "meta": {"page": {"total_count": 9, "total_filtered_count": 2}}})
    };
    serve(&server, keyed("/api/v1/validate"), json!({"valid": true})).await;
    let users = || keyed("/api/v2/users");
    serve(&server, users().and(query_param("page[size]", "1")), page("a", false)).await;
    let list = || users().and(query_param("page[size]", "100"));
    serve(&server, list().and(query_param("page[number]", "0")), page("a", false)).await;
    serve(&server, list().and(query_param("page[number]", "1")), page("b", true)).await;
    let values = [("!api_key", "the-api-key"), ("!application_key", SECRET), ("base_url", &server.uri())];
    let credential = desk.connect("datadog", "keys", &values).await;
    assert!(people(&desk, &credential, "users").await.are(&["a", "b"], &["b"]));
}

/// https://shopify.dev/docs/api/admin-graphql/latest/queries/staffMembers and https://shopify.dev/docs/api/admin-graphql
#[tokio::test]
async fn shopify() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let token = "shpat_0123456789abcdef";
    let asked = |what: fn(&Value) -> bool| {
        Mock::given(method("POST"))
            .and(path("/admin/api/2026-07/graphql.json"))
            .and(header("x-shopify-access-token", token))
            .and(move |request: &Request| request.body_json::<Value>().is_ok_and(|body| what(&body)))
    };
    let shop = asked(|body| body["query"].as_str().is_some_and(|query| query.contains("shop {")));
    serve(&server, shop, json!({"data": {"shop": {"name": "Acme", "myshopifyDomain": "acme.myshopify.com"}}})).await;
    let page = |id: &str, active: bool, next: Value| {
        let node = json!({"id": format!("gid://shopify/StaffMember/{id}"), "email": "a@acme.example", "active": active, "exists": true});
        json!({"data": {"staffMembers": {"nodes": [node], "pageInfo": {"hasNextPage": !next.is_null(), "endCursor": "c1"}}}})
    };
    // Out of points: said inside a 200, and asked again.
    let throttled = json!({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}]});
    let limited = ok(throttled).insert_header("retry-after", "0");
    asked(|body| body["variables"] == json!({"first": 100})).respond_with(limited).up_to_n_times(1).mount(&server).await;
    serve(&server, asked(|body| body["variables"] == json!({"first": 100})), page("1", true, json!("c1"))).await;
    serve(&server, asked(|body| body["variables"] == json!({"first": 100, "after": "c1"})), page("2", false, Value::Null)).await;
    serve(&server, asked(|body| body["query"].as_str().is_some_and(|query| query.contains("first: 1)"))), page("1", true, Value::Null)).await;
    let base = format!("{}/admin/api/2026-07", server.uri());
    let credential = desk.connect("shopify", "access_token", &[("shop", "acme"), ("!api_key", token), ("base_url", &base)]).await;
    let [one, two] = ["gid://shopify/StaffMember/1", "gid://shopify/StaffMember/2"];
    assert!(people(&desk, &credential, "staff").await.are(&[one, two], &[two]));
}

/// https://community.workday.com/sites/default/files/file-hosting/restapi/index.html (workers of the Common service)
#[tokio::test]
async fn workday_rest() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let grant = Mock::given(method("POST"))
        .and(path("/ccx/oauth2/acme/token"))
        .and(header("authorization", basic("cid", SECRET)))
        .and(body_string_contains("grant_type=refresh_token"))
        .and(body_string_contains("refresh_token=planted-the-refresh-token"));
    serve(
        &server,
        grant,
        json!({"access_token": "planted-granted", "token_type": "Bearer", "expires_in": 14400, "refresh_token": "planted-the-refresh-token"}),
    )
    .await;
    let workers = || get("/ccx/api/v1/acme/workers", "Bearer planted-granted");
    let page = |ids: std::ops::Range<u32>| {
        let data: Vec<Value> =
            ids.map(|id| json!({"id": format!("w{id}"), "descriptor": "Ada Lovelace", "primaryWorkEmail": "a@acme.example"})).collect();
        json!({"data": data, "total": 103})
    };
    serve(&server, workers().and(query_param("limit", "1")), page(0..1)).await;
    serve(&server, workers().and(query_param("limit", "100")).and(query_param("offset", "0")), page(0..100)).await;
    serve(&server, workers().and(query_param("limit", "100")).and(query_param("offset", "100")), page(100..103)).await;
    let (base, token) = (format!("{}/ccx/api/v1/acme", server.uri()), format!("{}/ccx/oauth2/acme/token", server.uri()));
    let values = [
        ("host", "wd5-services1.myworkday.com"),
        ("tenant", "acme"),
        ("client_id", "cid"),
        ("!client_secret", SECRET),
        ("!refresh_token", "planted-the-refresh-token"),
        ("token_url", &token),
        ("base_url", &base),
    ];
    let credential = desk.connect("workday-rest", "integration_client", &values).await;
    let expected: Vec<String> = (0..103).map(|id| format!("w{id}")).collect();
    assert_eq!(people(&desk, &credential, "workers").await.keys, expected);
}

/// A built-in definition whose fixed addresses are those of the server that stands for the vendor.
fn moved(desk: &Desk, id: &str, definition: &str, from: &str, to: &str) {
    assert!(definition.contains(from), "{id} has no {from}");
    std::fs::create_dir_all(desk.dir.path().join("connectors")).unwrap();
    std::fs::write(desk.dir.path().join("connectors").join(format!("{id}.toml")), definition.replace(from, to)).unwrap();
}

/// Consents as a person would who pastes the address that the browser ended on. Gives the draft's id.
pub(super) async fn consented(desk: &Desk, connector: &str, how: &str, values: &[(&str, &str)], beside: &str) -> String {
    let draft = desk.draft(connector, how, values);
    let consent = credentials::consent_begin(&desk.ws, &draft.id).await.unwrap();
    let asked = url::Url::parse(&consent.view.authorize_url).unwrap();
    let state = asked.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    consent.offer(&format!("{}?code=the-code&state={state}&{beside}", consent.view.redirect_uri)).unwrap();
    consent.finish(&desk.ws, &Sink::none()).await.unwrap();
    draft.id
}

/// Redeems the code of `consented` for a token.
async fn redeem(server: &MockServer, at: &str) {
    let grant = Mock::given(method("POST")).and(path(at)).and(body_string_contains("code=the-code"));
    let token = json!({"access_token": "planted-granted", "token_type": "Bearer", "expires_in": 3600, "refresh_token": "planted-again"});
    serve(server, grant.and(body_string_contains("grant_type=authorization_code")), token).await;
}

pub(super) async fn finished(desk: &Desk, draft: &str) -> Credential {
    let outcome = credentials::draft_test(&desk.ws, draft, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{outcome:#?}");
    credentials::draft_finish(&desk.ws, draft).unwrap()
}

const REDIRECT: (&str, &str) = ("redirect_uri", "https://acme.example/intertie");

/// https://developer.atlassian.com/cloud/jira/platform/oauth-2-3lo-apps/ (accessible-resources, ex/jira/CLOUDID)
#[tokio::test]
async fn jira_with_consent() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    moved(&desk, "jira", include_str!("../../assets/connectors/jira.toml"), "https://api.atlassian.com", &server.uri());
    redeem(&server, "/oauth/token").await;
    let site = |id: &str, name: &str| json!({"id": id, "name": name, "url": format!("https://{name}.atlassian.net"), "scopes": ["read:jira-user"]});
    let sites = json!([site("1324a887", "acme"), site("9e8d7c6b", "other")]);
    serve(&server, get("/oauth/token/accessible-resources", "Bearer planted-granted"), sites).await;
    jira_site(&server, "/ex/jira/1324a887", "Bearer planted-granted").await;
    let token = format!("{}/oauth/token", server.uri());
    let values = [("site_name", "acme"), ("client_id", "cid"), ("!client_secret", SECRET), ("token_url", &token), REDIRECT];
    let draft = consented(&desk, "jira", "oauth2_code", &values, "").await;
    let credential = finished(&desk, &draft).await;
    assert_eq!(credential.found["cloud"], "1324a887");
    assert!(people(&desk, &credential, "users").await.are(&["a", "b", "c", "d"], &["b"]));
}

/// https://developer.atlassian.com/cloud/confluence/oauth-2-3lo-apps/ (accessible-resources, ex/confluence/CLOUDID) and
/// https://developer.atlassian.com/cloud/confluence/rest/v1/api-group-search/
#[tokio::test]
async fn confluence_asks_which_site() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    moved(&desk, "confluence-cloud", include_str!("../../assets/connectors/confluence-cloud.toml"), "https://api.atlassian.com", &server.uri());
    redeem(&server, "/oauth/token").await;
    let site = |id: &str, name: &str| json!({"id": id, "name": name, "url": format!("https://{name}.atlassian.net"), "scopes": []});
    let sites = json!([site("1324a887", "acme"), site("9e8d7c6b", "other")]);
    serve(&server, get("/oauth/token/accessible-resources", "Bearer planted-granted"), sites).await;
    let at = |rest: &str| get(&format!("/ex/confluence/9e8d7c6b/wiki/rest/api/{rest}"), "Bearer planted-granted");
    serve(&server, at("user/current"), json!({"type": "known", "accountId": "a"})).await;
    let found = |id: &str| json!({"user": {"accountId": id, "displayName": "Ada", "accountType": "atlassian"}, "entityType": "user"});
    let search = || at("search/user").and(query_param("cql", "type=user"));
    serve(&server, search().and(query_param("limit", "1")), json!({"results": [found("a")]})).await;
    serve(&server, search().and(query_param("start", "0")), json!({"results": [found("a"), found("b")], "size": 2})).await;
    serve(&server, search().and(query_param("start", "2")), json!({"results": [], "size": 0})).await;
    let token = format!("{}/oauth/token", server.uri());
    let values = [("client_id", "cid"), ("!client_secret", SECRET), ("token_url", &*token), REDIRECT];
    let id = consented(&desk, "confluence-cloud", "oauth2_code", &values, "").await;
    let open = discover::discover(&desk.ws, &id, &Sink::none()).await.unwrap();
    let labels: Vec<&str> = open[0].options.iter().map(|option| option.label.as_str()).collect();
    assert_eq!(labels, ["https://acme.atlassian.net", "https://other.atlassian.net"]);
    let mut draft = credentials::draft_get(&desk.ws, &id).unwrap();
    draft.settings.insert(open[0].id.clone(), "9e8d7c6b".to_owned());
    credentials::draft_save(&desk.ws, &draft).unwrap();
    let credential = finished(&desk, &id).await;
    assert_eq!(credential.found["cloud"], "9e8d7c6b");
    assert!(people(&desk, &credential, "users").await.are(&["a", "b"], &[]));
}

/// https://www.twilio.com/docs/usage/requests-to-twilio: the SID is the user name, of the account or of one of its keys.
#[tokio::test]
async fn twilio_knows_people_by_a_sid() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    moved(&desk, "twilio", include_str!("../../assets/connectors/twilio.toml"), "https://api.twilio.com", &server.uri());
    let (account, key) = (format!("AC{}", "0a".repeat(16)), format!("SK{}", "1b".repeat(16)));
    for user in [&account, &key] {
        let at = format!("/2010-04-01/Accounts/{account}.json");
        serve(&server, get(&at, &basic(user, SECRET)), json!({"sid": account, "friendly_name": "Acme", "status": "active"})).await;
    }
    let values = [("account_sid", account.as_str()), ("!secret", SECRET)];
    desk.connect("twilio", "account", &values).await;
    desk.connect("twilio", "account", &[&values[..], &[("key_sid", key.as_str())]].concat()).await;
}

/// https://docs.stripe.com/keys: what a key begins with tells what it is.
#[tokio::test]
async fn stripe_keys_tell_live_from_test() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let connector = intertie::ops::connectors::get(&desk.ws, "stripe").unwrap();
    let input = connector.auth["bearer"].inputs.iter().find(|input| input.key == "token").unwrap();
    let said = |key: &str| intertie::catalog::input::check(input, key).map(|finding| (finding.severity, finding.problem.why));
    assert_eq!(said("rk_live_0123"), None);
    for (key, word) in
        [("rk_test_0123", "sandbox"), ("sk_test_0123", "sandbox"), ("sk_live_0123", "may do everything"), ("sk_org_0123", "organisation")]
    {
        assert!(said(key).is_some_and(|(severity, why)| severity == Severity::Warning && why.contains(word)), "{key}");
    }
    assert!(said("pk_live_0123").is_some_and(|(severity, _)| severity == Severity::Error), "a publishable key reads nothing");
    let key = "rk_live_planted0123";
    serve(&server, get("/v1/balance", &bearer(key)), json!({"object": "balance", "livemode": true})).await;
    desk.connect("stripe", "bearer", &[("!token", key), ("base_url", &server.uri())]).await;
}

/// https://developer.xero.com/documentation/guides/oauth2/auth-flow (connections) and https://developer.xero.com/documentation/api/accounting/users
#[tokio::test]
async fn xero() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    moved(&desk, "xero", include_str!("../../assets/connectors/xero.toml"), "https://api.xero.com", &server.uri());
    redeem(&server, "/connect/token").await;
    let tenant = |id: &str, name: &str| json!({"id": "e1eede29", "tenantId": id, "tenantType": "ORGANISATION", "tenantName": name});
    let tenants = json!([tenant("45e4708e", "Maple Florists"), tenant("0daf5a3e", "Adam Demo")]);
    serve(&server, get("/connections", "Bearer planted-granted"), tenants).await;
    let given = |at: &str| get(at, "Bearer planted-granted").and(header("xero-tenant-id", "0daf5a3e")).and(header("accept", "application/json"));
    let user = |id: &str| json!({"UserID": id, "EmailAddress": "a@acme.example", "IsSubscriber": false, "OrganisationRole": "STANDARD"});
    serve(&server, given("/api.xro/2.0/Users"), json!({"Id": "1", "Status": "OK", "Users": [user("a"), user("b")]})).await;
    serve(&server, given("/api.xro/2.0/Organisation"), json!({"Status": "OK", "Organisations": [{"Name": "Adam Demo"}]})).await;
    let token = format!("{}/connect/token", server.uri());
    let values = [("client_id", "0123456789ABCDEF0123456789ABCDEF"), ("!client_secret", SECRET), ("token_url", &token), REDIRECT];
    let id = consented(&desk, "xero", "oauth2_code", &values, "").await;
    // Two organisations: it is asked which.
    let open = discover::discover(&desk.ws, &id, &Sink::none()).await.unwrap();
    let labels: Vec<&str> = open[0].options.iter().map(|option| option.label.as_str()).collect();
    assert_eq!(labels, ["Maple Florists", "Adam Demo"]);
    let mut draft = credentials::draft_get(&desk.ws, &id).unwrap();
    draft.settings.insert("organisation".to_owned(), "0daf5a3e".to_owned());
    credentials::draft_save(&desk.ws, &draft).unwrap();
    let credential = finished(&desk, &id).await;
    assert!(people(&desk, &credential, "users").await.are(&["a", "b"], &[]));
}

/// https://desk.zoho.com/DeskAPIDocument#Agents_Listagents and https://desk.zoho.com/DeskAPIDocument#Organizations
#[tokio::test]
async fn zoho_desk() {
    let (desk, server) = (Desk::new(), MockServer::start().await);
    let address = "https://desk.{{ 'zohocloud.ca' if input.data_center == 'ca' else 'zoho.' ~ input.data_center }}";
    moved(&desk, "zoho-desk", include_str!("../../assets/connectors/zoho-desk.toml"), address, &server.uri());
    redeem(&server, "/oauth/v2/token").await;
    let authorization = "Zoho-oauthtoken planted-granted";
    let portal = json!({"id": 2389290, "companyName": "Acme", "portalName": "acme"});
    serve(&server, get("/api/v1/organizations", authorization), json!({"data": [portal]})).await;
    let agents = || get("/api/v1/agents", authorization).and(header("orgid", "2389290"));
    let page = |ids: std::ops::Range<u32>| {
        let status = |id: u32| if id == 200 { "DISABLED" } else { "ACTIVE" };
        let data: Vec<Value> = ids.map(|id| json!({"id": format!("4000{id}"), "emailId": "a@acme.example", "status": status(id)})).collect();
        json!({ "data": data })
    };
    serve(&server, agents().and(query_param("limit", "1")), page(0..1)).await;
    serve(&server, agents().and(query_param("limit", "200")).and(query_param("from", "0")), page(0..200)).await;
    serve(&server, agents().and(query_param("limit", "200")).and(query_param("from", "200")), page(200..400)).await;
    // After the last full page: no content.
    agents().and(query_param("from", "400")).respond_with(ResponseTemplate::new(204)).mount(&server).await;
    let token = format!("{}/oauth/v2/token", server.uri());
    let values = [("data_center", "eu"), ("client_id", "1000.ABC"), ("!client_secret", SECRET), ("token_url", &token), REDIRECT];
    let draft = consented(&desk, "zoho-desk", "oauth2_code", &values, "").await;
    let credential = finished(&desk, &draft).await;
    let read = people(&desk, &credential, "agents").await;
    assert_eq!((read.keys.len(), read.inactive), (400, vec!["4000200".to_owned()]));
}

/// https://developers.docusign.com/platform/auth/reference/user-info/ and
/// https://developers.docusign.com/docs/esign-rest-api/reference/users/users/list/
#[tokio::test]
async fn docusign() {
    let (desk, login, home) = (Desk::new(), MockServer::start().await, MockServer::start().await);
    let userinfo = "https://{{ input.environment }}/oauth/userinfo";
    moved(&desk, "docusign", include_str!("../../assets/connectors/docusign.toml"), userinfo, &format!("{}/oauth/userinfo", login.uri()));
    redeem(&login, "/oauth/token").await;
    let [one, two] = ["11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"];
    // Each account has its own base URI; the one that was given is taken, default or not.
    let account = |id: &str, default: bool, base: &str| json!({"account_id": id, "is_default": default, "account_name": "Acme", "base_uri": base});
    let accounts = [account(one, true, "https://na3.docusign.example"), account(two, false, &home.uri())];
    serve(
        &login,
        get("/oauth/userinfo", "Bearer planted-granted"),
        json!({"sub": "50d89ab1", "name": "Ada", "email": "a@acme.example", "accounts": accounts}),
    )
    .await;
    let users = || get(&format!("/restapi/v2.1/accounts/{two}/users"), "Bearer planted-granted");
    // Counts are texts.
    let page = |id: &str, status: &str, from: u32| {
        let user = json!({"userId": id, "userName": "Ada Lovelace", "email": "a@acme.example", "userStatus": status, "isAdmin": "False"});
        let (from, total) = (from.to_string(), "2");
        json!({"users": [user], "resultSetSize": "1", "totalSetSize": total, "startPosition": from, "endPosition": from})
    };
    serve(&home, users().and(query_param("count", "1")), page("a", "Active", 0)).await;
    let list = || users().and(query_param("count", "100")).and(query_param("additional_info", "true"));
    serve(&home, list().and(query_param("start_position", "0")), page("a", "Active", 0)).await;
    serve(&home, list().and(query_param("start_position", "1")), page("b", "Closed", 1)).await;
    let token = format!("{}/oauth/token", login.uri());
    let values = [("account_id", two), ("client_id", one), ("!client_secret", SECRET), ("token_url", &token), REDIRECT];
    let draft = consented(&desk, "docusign", "oauth2_code", &values, "").await;
    let credential = finished(&desk, &draft).await;
    assert!(people(&desk, &credential, "users").await.are(&["a", "b"], &["b"]));
}
