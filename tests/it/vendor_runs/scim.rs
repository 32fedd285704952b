//! SCIM 2.0 (RFC 7644 §3.4.2.4): `startIndex` from 1, `count`, `totalResults`; a server may return fewer than asked for.

use serde_json::{Value, json};

use super::{Ask, BEARER, Person, SECRET, Vendor, basic, cut, fine, limited, list, read_all};

const LIST: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

fn user(person: &Person) -> Value {
    json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": person.id(), "externalId": format!("x{}", person.n), "userName": person.email(),
        "displayName": person.name(), "name": {"givenName": person.first(), "familyName": person.last()}, "active": person.active,
        "emails": [{"value": person.email(), "type": "work", "primary": true}], "meta": {"resourceType": "User", "lastModified": "2026-01-02T03:04:05Z"}})
}

/// The page that is asked for, with at most so many.
fn page(ask: &Ask<'_>, target: &str, most: usize, people: &[Person]) -> Option<Value> {
    let start = if ask.is(target, &[("startIndex", "1"), ("count", "1")]) || ask.is(target, &[("count", "1")]) {
        return Some(
            json!({"schemas": [LIST], "totalResults": people.len(), "startIndex": 1, "itemsPerPage": 1, "Resources": list(cut(people, 0, 1), user)}),
        );
    } else {
        ask.place(target, &[("count", "100")], "startIndex")?
    };
    let records = cut(people, start.checked_sub(1)?, most);
    Some(
        json!({"schemas": [LIST], "totalResults": people.len(), "startIndex": start, "itemsPerPage": records.len(), "Resources": list(records, user)}),
    )
}

/// RFC 7644 §3.4.2.4, with basic authentication; 40 at most, whatever is asked for
#[tokio::test]
async fn any_server() {
    read_all(Vendor {
        inputs: &[("base_url", "{at}/scim/v2"), ("username", "intertie"), ("!password", SECRET)],
        people: 90,
        pages: 3,
        answer: |ask, people| {
            ask.carries("authorization", &basic("intertie", SECRET))?;
            if ask.is("GET /scim/v2/ServiceProviderConfig", &[]) {
                return fine(json!({"schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"], "patch": {"supported": true}}));
            }
            fine(page(ask, "GET /scim/v2/Users", 40, people)?)
        },
        ..Vendor::of("scim", "basic", "users")
    })
    .await;
}

/// https://contractbook.freshdesk.com/support/solutions/articles/206000046227 (what Entra asks)
#[tokio::test]
async fn contractbook() {
    read_all(Vendor {
        inputs: &[("tenant_url", "{at}/scim"), ("!token", SECRET)],
        people: 101,
        pages: 2,
        stumble: |ask| ask.is("GET /scim/Users", &[("startIndex", "101"), ("count", "100")]).then(|| limited(json!({"status": "429"})))?,
        answer: |ask, people| {
            ask.carries("authorization", BEARER)?;
            if ask.is("GET /scim/Users", &[("filter", "userName eq \"intertie-connection-test\"")]) {
                return fine(json!({"schemas": [LIST], "totalResults": 0}));
            }
            fine(page(ask, "GET /scim/Users", 100, people)?)
        },
        ..Vendor::of("contractbook", "bearer", "users")
    })
    .await;
}

/// https://docs.databricks.com/api/workspace/users/list and https://docs.databricks.com/dev-tools/auth/oauth-m2m (client credentials)
#[tokio::test]
async fn databricks() {
    read_all(Vendor {
        inputs: &[
            ("host", "dbc-a1b2345c-d6e7.cloud.databricks.com"),
            ("client_id", "cid"),
            ("!client_secret", SECRET),
            ("token_url", "{at}/oidc/v1/token"),
            ("base_url", "{at}/api/2.0"),
        ],
        people: 150,
        pages: 2,
        answer: |ask, people| {
            if ask.form("POST /oidc/v1/token", &[("grant_type", "client_credentials"), ("scope", "all-apis")]).is_some() {
                ask.carries("authorization", &basic("cid", SECRET))?;
                return fine(json!({"access_token": "granted", "scope": "all-apis", "token_type": "Bearer", "expires_in": 3600}));
            }
            ask.carries("authorization", "Bearer granted")?;
            if ask.is("GET /api/2.0/serving-endpoints", &[]) {
                return fine(json!({"endpoints": []}));
            }
            fine(page(ask, "GET /api/2.0/preview/scim/v2/Users", 100, people)?)
        },
        ..Vendor::of("databricks-agent", "client_credentials", "users")
    })
    .await;
}

/// https://docs.github.com/enterprise-cloud@latest/rest/scim/scim
#[tokio::test]
async fn github() {
    read_all(Vendor {
        inputs: &[("org", "acme"), ("!token", SECRET), ("base_url", "{at}")],
        people: 101,
        pages: 2,
        answer: |ask, people| {
            ask.carries("authorization", BEARER)?;
            ask.carries("x-github-api-version", "2022-11-28")?;
            if ask.is("GET /orgs/acme/teams", &[("per_page", "1")]) {
                return fine(json!([]));
            }
            if ask.is("GET /user", &[]) {
                return fine(json!({"login": "ada", "id": 1}));
            }
            fine(page(ask, "GET /scim/v2/organizations/acme/Users", 100, people)?)
        },
        ..Vendor::of("github", "bearer", "scim-users")
    })
    .await;
}
