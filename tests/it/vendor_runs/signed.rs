//! Requests that are signed, tokens that are signed here, and keys in odd places.

use serde_json::{Value, json};

use super::super::definitions::PRIVATE;
use super::super::grants::{rsa, verified};
use super::super::signing::{ACCESS, CONSUMER, TOKEN, wrong_oauth1, wrong_sigv4};
use super::{Ask, SECRET, Vendor, basic, cursor, cut, fine, list, read_all, reply};

/// https://docs.aws.amazon.com/singlesignon/latest/IdentityStoreAPIReference/API_ListUsers.html and
/// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html; throttling is a 400
#[tokio::test]
async fn amazon_web_services() {
    read_all(Vendor {
        inputs: &[
            ("region", "eu-central-1"),
            ("identity_store_id", "d-1234567890"),
            ("access_key_id", ACCESS.0),
            ("!secret_access_key", ACCESS.1),
            ("base_url", "{at}"),
        ],
        people: 101,
        tells: false,
        pages: 2,
        stumble: |ask| (!ask.body()["NextToken"].is_null()).then(|| reply(400, json!({"__type": "ThrottlingException", "Message": "Rate exceeded"}))),
        answer: |ask, people| {
            if let Some(wrong) = wrong_sigv4(ask.raw, "eu-central-1/identitystore") {
                return Some(reply(403, json!({"__type": "InvalidSignatureException", "message": wrong})));
            }
            ask.carries("content-type", "application/x-amz-json-1.1")?;
            ask.carries("x-amz-target", "AWSIdentityStore.ListUsers")?;
            let body = ask.is("POST /", &[]).then(|| ask.body())?;
            let (most, from) = match (body["MaxResults"].as_u64()?, body["NextToken"].as_str()) {
                (1, None) => (1, 0),
                (100, None) => (100, 0),
                (100, Some(token)) => (100, super::behind(token)?),
                _ => return None,
            };
            (body["IdentityStoreId"] == "d-1234567890").then_some(())?;
            let users = list(cut(people, from, most), |person| {
                json!({"UserName": person.id(), "UserId": format!("90677c608a-{}", person.n), "IdentityStoreId": "d-1234567890", "DisplayName": person.name(),
                    "Name": {"GivenName": person.first(), "FamilyName": person.last()}, "Emails": [{"Value": person.email(), "Type": "work", "Primary": true}]})
            });
            let mut answer = json!({ "Users": users });
            if let Some(next) = cursor(people, from + most) {
                answer["NextToken"] = next.into();
            }
            fine(answer)
        },
        ..Vendor::of("amazon-web-services", "access_key", "users")
    })
    .await;
}

/// https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_157909186990.html (SuiteQL: a POST, links, totalResults) and
/// https://docs.oracle.com/en/cloud/saas/netsuite/ns-online-help/section_4389727047.html (token-based authentication)
#[tokio::test]
async fn oracle_netsuite() {
    read_all(Vendor {
        inputs: &[
            ("account", "1234567-sb1"),
            ("consumer_key", CONSUMER.0),
            ("!consumer_secret", CONSUMER.1),
            ("token", TOKEN.0),
            ("!token_secret", TOKEN.1),
            ("base_url", "{at}/services/rest"),
        ],
        people: 1001,
        pages: 2,
        answer: |ask, people| {
            if let Some(wrong) = wrong_oauth1(ask.raw, ask.at) {
                let details = json!([{"detail": wrong, "o:errorCode": "INVALID_LOGIN"}]);
                return Some(reply(401, json!({"title": "Unauthorized", "status": 401, "o:errorDetails": details})));
            }
            ask.carries("prefer", "transient")?;
            let query = "POST /services/rest/query/v1/suiteql";
            let body = ask.body();
            let select = body["q"].as_str()?;
            if ask.is(query, &[("limit", "1")]) && select == "SELECT id FROM employee" {
                return fine(json!({"items": [{"id": "1"}], "hasMore": true}));
            }
            (select.starts_with("SELECT id, entityid, ") && select.ends_with(" FROM employee ORDER BY id")).then_some(())?;
            let from = if ask.is(query, &[("limit", "1000")]) { 0 } else { ask.place(query, &[("limit", "1000")], "offset")? };
            let items = list(cut(people, from, 1000), |person| {
                json!({"links": [], "id": person.n.to_string(), "entityid": person.name(), "firstname": person.first(), "lastname": person.last(),
                    "email": person.email(), "isinactive": person.state("F", "T"), "giveaccess": "T"})
            });
            let address = |from: usize| format!("{}/services/rest/query/v1/suiteql?limit=1000&offset={from}", ask.at);
            let mut links = vec![json!({"rel": "self", "href": address(from)})];
            let more = from + 1000 < people.len();
            if more {
                links.insert(0, json!({"rel": "next", "href": address(from + 1000)}));
            }
            fine(json!({"links": links, "count": 1000, "hasMore": more, "items": items, "offset": from, "totalResults": people.len()}))
        },
        ..Vendor::of("oracle-netsuite", "token", "users")
    })
    .await;
}

/// Header and claims of a token that is signed with the key of the tests.
fn proved(token: &str) -> (Value, Value) {
    verified(token, &ring::signature::RSA_PKCS1_2048_8192_SHA256, &rsa())
}

/// The same of the assertion in a form to the token address.
fn assertion(ask: &Ask<'_>, target: &str) -> Option<(Value, Value)> {
    ask.has(target, &[("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer")])?;
    let token = ask.fields().into_iter().find(|(name, _)| name == "assertion")?.1;
    Some(proved(&token))
}

/// https://developers.google.com/identity/protocols/oauth2/service-account (JWT bearer, domain-wide delegation),
/// https://developers.google.com/workspace/admin/directory/reference/rest/v1/users/list and
/// https://developers.google.com/workspace/admin/directory/v1/limits (too much is a 403 with a reason)
#[tokio::test]
async fn google_workspace() {
    read_all(Vendor {
        inputs: &[("base_url", "{at}"), ("token_url", "{at}/token"), ("admin", "reader@acme.example"), ("!key_file", "{key_file}")],
        people: 501,
        pages: 2,
        stumble: |ask| {
            let reason = json!({"error": {"code": 403, "message": "Quota exceeded", "errors": [{"domain": "usageLimits", "reason": "userRateLimitExceeded"}]}});
            let list = [("customer", "my_customer"), ("orderBy", "email"), ("maxResults", "500")];
            let wait = vec![("retry-after", "1".to_owned())];
            ask.varies("GET /admin/directory/v1/users", &list, "pageToken").map(|_| super::Reply { status: 403, headers: wait, body: reason })
        },
        answer: |ask, people| {
            if let Some((header, claims)) = assertion(ask, "POST /token") {
                let right = header["alg"] == "RS256" && header["kid"] == "k1" && claims["iss"] == "i@p.iam.gserviceaccount.com"
                    && claims["sub"] == "reader@acme.example" && claims["aud"] == "https://oauth2.googleapis.com/token"
                    && claims["scope"] == "https://www.googleapis.com/auth/admin.directory.user.readonly";
                return right.then(|| reply(200, json!({"access_token": "granted", "token_type": "Bearer", "expires_in": 3599})));
            }
            ask.carries("authorization", "Bearer granted")?;
            let users = "GET /admin/directory/v1/users";
            let order = [("customer", "my_customer"), ("orderBy", "email"), ("maxResults", "500")];
            let (most, from) = match ask.is(users, &[("customer", "my_customer"), ("maxResults", "1")]) {
                true => (1, 0),
                false => (500, ask.after(users, &order, "pageToken")?),
            };
            let list = list(cut(people, from, most), |person| {
                json!({"kind": "admin#directory#user", "id": person.id(), "primaryEmail": person.email(), "suspended": !person.active, "archived": false,
                    "name": {"givenName": person.first(), "familyName": person.last(), "fullName": person.name()}, "isAdmin": false, "orgUnitPath": "/",
                    "lastLoginTime": "2026-01-02T03:04:05.000Z", "organizations": [{"title": "Analyst", "primary": true, "department": "IT"}]})
            });
            let mut body = json!({"kind": "admin#directory#users", "etag": "\"e\"", "users": list});
            if let Some(next) = cursor(people, from + most) {
                body["nextPageToken"] = next.into();
            }
            fine(body)
        },
        ..Vendor::of("google-workspace", "service_account", "users")
    })
    .await;
}

/// https://developer.box.com/guides/authentication/jwt/without-sdk/ and https://developer.box.com/guides/api-calls/pagination/marker-based/
#[tokio::test]
async fn box_enterprise() {
    read_all(Vendor {
        inputs: &[
            ("enterprise_id", "42"),
            ("client_id", "cid"),
            ("!client_secret", SECRET),
            ("key_id", "k9"),
            ("!private_key", PRIVATE),
            ("token_url", "{at}/oauth2/token"),
            ("base_url", "{at}/2.0"),
        ],
        people: 1001,
        pages: 2,
        answer: |ask, people| {
            if let Some((header, claims)) = assertion(ask, "POST /oauth2/token") {
                ask.has("POST /oauth2/token", &[("client_id", "cid"), ("client_secret", SECRET)])?;
                let right = header["kid"] == "k9" && claims["box_sub_type"] == "enterprise" && claims["sub"] == "42" && claims["iss"] == "cid";
                return right.then(|| reply(200, json!({"access_token": "granted", "expires_in": 3600, "restricted_to": [], "token_type": "bearer"})));
            }
            ask.carries("authorization", "Bearer granted")?;
            let users = "GET /2.0/users";
            if ask.is("GET /2.0/users/me", &[]) {
                return fine(json!({"id": "1", "type": "user"}));
            }
            let rest = ask.beside(&[]).filter(|_| ask.to(users))?;
            let given = |name: &str| rest.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            let (limit, from) = match (rest.len(), given("limit")?, given("marker")) {
                (1, "1", None) => (1, 0),
                (4, "1000", None) => (1000, 0),
                (5, "1000", Some(marker)) => (1000, super::behind(marker)?),
                _ => return None,
            };
            (limit == 1 || (given("usemarker") == Some("true") && given("user_type") == Some("managed") && given("fields")?.contains("login"))).then_some(())?;
            let entries = list(cut(people, from, limit), |person| {
                json!({"type": "user", "id": person.n.to_string(), "name": person.name(), "login": person.email(), "status": person.state("active", "inactive"),
                    "role": "user", "language": "en", "timezone": "Europe/Berlin", "job_title": "", "created_at": "2012-12-12T10:53:43-08:00"})
            });
            fine(json!({"limit": limit, "next_marker": cursor(people, from + limit), "entries": entries}))
        },
        ..Vendor::of("box", "jwt", "users")
    })
    .await;
}

/// https://docs.snowflake.com/en/developer-guide/sql-api/authenticating (the token is signed here) and
/// https://github.com/snowflakedb/snowflake-rest-api-specs (specifications/common.yaml: 202 while it works; Link, relative)
#[tokio::test]
async fn snowflake() {
    read_all(Vendor {
        inputs: &[("base_url", "{at}"), ("account", "acmeorg-prod"), ("user", "intertie"), ("!private_key", PRIVATE)],
        people: 12,
        pages: 2,
        stumble: |ask| {
            ask.is("GET /api/v2/results/r1", &[("page", "1")])
                .then(|| reply(202, json!({"code": "391908", "message": "Request is being processed."})))
        },
        answer: |ask, people| {
            ask.carries("x-snowflake-authorization-token-type", "KEYPAIR_JWT")?;
            let (_, claims) = proved(ask.raw.header("authorization").strip_prefix("Bearer ")?);
            (claims["sub"] == "ACMEORG-PROD.INTERTIE" && claims["iss"].as_str()?.starts_with("ACMEORG-PROD.INTERTIE.SHA256:")).then_some(())?;
            let from = if ask.is("GET /api/v2/users", &[("showLimit", "1")]) || ask.is("GET /api/v2/users", &[]) {
                0
            } else {
                ask.is("GET /api/v2/results/r1", &[("page", "1")]).then_some(7)?
            };
            let body = list(cut(people, from, 7), |person| {
                json!({"name": person.id().to_uppercase(), "login_name": person.id(), "display_name": person.name(), "first_name": person.first(),
                    "last_name": person.last(), "email": person.email(), "disabled": !person.active, "type": "PERSON", "default_role": "PUBLIC"})
            });
            super::linked(body, (from == 0).then(|| "/api/v2/results/r1?page=1".to_owned()))
        },
        ..Vendor::of("snowflake", "key_pair", "users")
    })
    .await;
}

/// https://v24.actweb.me/act.web.api (a login in a step: Basic gives a token, as a JSON text or bare) and its list of users, without pages
#[tokio::test]
async fn act_premium() {
    read_all(Vendor {
        inputs: &[("server", "apius.act.com/act.web.api"), ("database", "Acme"), ("username", "intertie"), ("!password", SECRET), ("base_url", "{at}/act.web.api")],
        people: 12,
        answer: |ask, people| {
            ask.carries("act-database-name", "Acme")?;
            if ask.is("GET /act.web.api/authorize", &[]) {
                ask.carries("authorization", &basic("intertie", SECRET))?;
                return fine(json!("eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJpIn0.c2ln"));
            }
            ask.carries("authorization", "Bearer eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiJpIn0.c2ln")?;
            ask.is("GET /act.web.api/api/users", &[]).then_some(())?;
            fine(list(people, |person| {
                json!({"id": person.id(), "username": person.id(), "displayName": person.name(), "firstName": person.first(), "lastName": person.last(),
                    "email": person.email(), "role": "Standard", "status": person.state("Active", "Inactive")})
            }))
        },
        ..Vendor::of("act-365", "web_api", "users")
    })
    .await;
}

/// https://developer.atlassian.com/cloud/trello/guides/rest-api/authorization/ (key and token in the query) and
/// https://developer.atlassian.com/cloud/trello/rest/api-group-organizations/: the person is nested, and has no address, so one is made by hand
#[tokio::test]
async fn trello() {
    read_all(Vendor {
        inputs: &[("organization", "acme"), ("app_key", "0123456789abcdef0123456789abcdef"), ("!token", SECRET), ("base_url", "{at}/1")],
        by_hand: &[("email", "{{ member.username ~ '@acme.example' }}")],
        people: 12,
        answer: |ask, people| {
            let keys = [("key", "0123456789abcdef0123456789abcdef"), ("token", SECRET)];
            let members = "GET /1/organizations/acme/memberships";
            if ask.is("GET /1/members/me", &keys) {
                return fine(json!({"id": "me"}));
            }
            (ask.is(members, &keys) || ask.is(members, &[keys[0], keys[1], ("filter", "all"), ("member", "true")])).then_some(())?;
            fine(list(people, |person| {
                json!({"id": format!("m{}", person.n), "idMember": person.id(), "memberType": "normal", "unconfirmed": false, "deactivated": !person.active,
                    "member": {"id": person.id(), "fullName": person.name(), "username": format!("person{}", person.n), "avatarUrl": null}})
            }))
        },
        ..Vendor::of("trello", "token", "users")
    })
    .await;
}
