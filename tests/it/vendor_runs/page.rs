//! Lists that go on by the number of the page.

use serde_json::json;

use super::{BEARER, SECRET, Vendor, basic, cut, fine, limited, list, read_all};

/// https://clickwrap-developer.ironcladapp.com/ (members of an account: `has_more`, `total_count`)
#[tokio::test]
async fn ironclad_clickwrap() {
    read_all(Vendor {
        inputs: &[("account_id", "7"), ("client_id", "cid"), ("!client_secret", SECRET), ("token_url", "{at}/token"), ("base_url", "{at}/v1.1")],
        people: 200,
        tells: false,
        pages: 2,
        answer: |ask, people| {
            let grant = [("grant_type", "client_credentials"), ("client_id", "cid"), ("client_secret", SECRET)];
            if ask.form("POST /token", &grant).is_some() {
                return fine(json!({"access_token": "granted", "token_type": "Bearer", "expires_in": 3600}));
            }
            ask.carries("authorization", "Bearer granted")?;
            let members = "GET /v1.1/accounts/7/members";
            let (size, page) = match ask.is(members, &[("page", "1"), ("per_page", "1")]) {
                true => (1, 1),
                false => (100, ask.place(members, &[("per_page", "100")], "page")?),
            };
            let from = page.checked_sub(1)? * size;
            let data = list(cut(people, from, size), |person| {
                json!({"id": person.n, "email": person.email(), "name": person.name(), "locale": "en-US", "time_zone": "EDT", "verified": true,
                    "verified_time": "2024-01-02T03:04:05.000Z", "profiles": []})
            });
            let more = from + size < people.len();
            fine(json!({"count": size, "has_more": more, "page": page, "per_page": size, "total_count": people.len(), "data": data}))
        },
        ..Vendor::of("ironclad-clickwrap", "client_credentials", "members")
    })
    .await;
}

/// https://developers.smartsheet.com/api/smartsheet/openapi/users/list-users and
/// https://developers.smartsheet.com/api/smartsheet/guides/basics/pagination
#[tokio::test]
async fn smartsheet() {
    read_all(Vendor {
        inputs: &[("!token", SECRET), ("base_url", "{at}/2.0")],
        people: 102,
        pages: 2,
        stumble: |ask| {
            let limit = json!({"errorCode": 4003, "message": "Rate limit exceeded.", "refId": "1"});
            ask.is("GET /2.0/users", &[("include", "lastLogin"), ("page", "2"), ("pageSize", "100")]).then(|| limited(limit))?
        },
        answer: |ask, people| {
            ask.carries("authorization", BEARER)?;
            if ask.is("GET /2.0/users/me", &[]) {
                return fine(json!({"id": 1, "email": "me@acme.example"}));
            }
            let (size, page) = match ask.is("GET /2.0/users", &[("page", "1"), ("pageSize", "1")]) {
                true => (1, 1),
                false => (100, ask.place("GET /2.0/users", &[("include", "lastLogin"), ("pageSize", "100")], "page")?),
            };
            let data = list(cut(people, page.checked_sub(1)? * size, size), |person| {
                json!({"id": 48_569_348_493_401_200_u64 + person.n as u64, "email": person.email(), "name": person.name(), "firstName": person.first(),
                    "lastName": person.last(), "admin": false, "licensedSheetCreator": true, "status": person.state("ACTIVE", "DEACTIVATED")})
            });
            fine(json!({"pageNumber": page, "pageSize": size, "totalPages": 2, "totalCount": people.len(), "data": data}))
        },
        ..Vendor::of("smartsheet", "bearer", "users")
    })
    .await;
}

/// https://docs.datadoghq.com/api/latest/users/list-all-users/ (pages from 0, records nested in `attributes`),
/// https://docs.datadoghq.com/api/latest/authentication/ (two keys) and https://docs.datadoghq.com/api/latest/rate-limits/
#[tokio::test]
async fn datadog() {
    read_all(Vendor {
        inputs: &[("!api_key", "the-api-key"), ("!application_key", SECRET), ("base_url", "{at}")],
        people: 250,
        pages: 3,
        stumble: |ask| {
            let headers =
                vec![("x-ratelimit-limit", "30".to_owned()), ("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", "1".to_owned())];
            let limit = super::Reply { status: 429, headers, body: json!({"errors": ["Rate limit of 30 requests in 10 seconds reached"]}) };
            ask.is("GET /api/v2/users", &[("page[number]", "1"), ("page[size]", "100")]).then_some(limit)
        },
        answer: |ask, people| {
            ask.carries("dd-api-key", "the-api-key")?;
            ask.carries("dd-application-key", SECRET)?;
            if ask.is("GET /api/v1/validate", &[]) {
                return fine(json!({"valid": true}));
            }
            let (size, page) = match ask.is("GET /api/v2/users", &[("page[size]", "1"), ("page[number]", "0")]) {
                true => (1, 0),
                false => (100, ask.place("GET /api/v2/users", &[("page[size]", "100")], "page[number]")?),
            };
            let data = list(cut(people, page * size, size), |person| {
                let attributes = json!({"name": person.name(), "handle": person.email(), "email": person.email(), "disabled": !person.active,
                    "status": person.state("Active", "Disabled"), "verified": true, "service_account": false, "title": null,
                    "created_at": "2020-01-02T03:04:05.000000+00:00"});
                json!({"id": person.id(), "type": "users", "attributes": attributes, "relationships": {"roles": {"data": []}}})
            });
            fine(json!({"data": data, "included": [], "meta": {"page": {"total_count": 999, "total_filtered_count": people.len()}}}))
        },
        ..Vendor::of("datadog", "keys", "users")
    })
    .await;
}

/// https://docs.oracle.com/en/cloud/saas/marketing/eloqua-rest-api/op-api-rest-2.0-system-users-get.html (at most 1,000 a page, a total) and
/// https://docs.oracle.com/en/cloud/saas/marketing/eloqua-rest-api/authentication_basic.html (site and user name)
#[tokio::test]
async fn oracle_eloqua() {
    read_all(Vendor {
        inputs: &[("host", "secure.p03.eloqua.com"), ("site", "Acme"), ("username", "Ada.Lovelace"), ("!password", SECRET), ("base_url", "{at}")],
        people: 1003,
        tells: false,
        pages: 2,
        answer: |ask, people| {
            ask.carries("authorization", &basic("Acme\\Ada.Lovelace", SECRET))?;
            let users = "GET /api/REST/2.0/system/users";
            let (size, page) = match ask.is(users, &[("count", "1"), ("depth", "minimal")]) {
                true => (1, 1),
                false => (1000, ask.place(users, &[("count", "1000"), ("depth", "complete")], "page")?),
            };
            let elements = list(cut(people, page.checked_sub(1)? * size, size), |person| {
                json!({"type": "User", "id": person.n.to_string(), "name": person.name(), "loginName": person.id(), "emailAddress": person.email(),
                    "company": "Acme", "createdAt": "1400000000", "updatedAt": "1500000000", "depth": "complete"})
            });
            fine(json!({"elements": elements, "page": page, "pageSize": size, "total": people.len()}))
        },
        ..Vendor::of("oracle-eloqua", "basic", "users")
    })
    .await;
}

/// https://woocommerce.github.io/woocommerce-rest-api-docs/#list-all-customers and #pagination: no total in the body, the page after a full one
/// may be empty
#[tokio::test]
async fn woocommerce() {
    read_all(Vendor {
        inputs: &[
            ("store", "shop.acme.example"),
            ("!consumer_key", "ck_0123456789abcdef"),
            ("!consumer_secret", "cs_0123456789abcdef"),
            ("base_url", "{at}/wp-json"),
        ],
        people: 100,
        tells: false,
        pages: 2,
        answer: |ask, people| {
            ask.carries("authorization", &basic("ck_0123456789abcdef", "cs_0123456789abcdef"))?;
            let customers = "GET /wp-json/wc/v3/customers";
            let order = [("role", "all"), ("orderby", "id"), ("order", "asc"), ("per_page", "100")];
            let (size, page) = match ask.is(customers, &[("per_page", "1"), ("role", "all")]) {
                true => (1, 1),
                false => (100, ask.place(customers, &order, "page")?),
            };
            fine(list(cut(people, page.checked_sub(1)? * size, size), |person| {
                json!({"id": person.n + 1, "email": person.email(), "first_name": person.first(), "last_name": person.last(), "username": person.id(),
                    "role": "customer", "is_paying_customer": false, "billing": {"first_name": "", "company": "Acme", "phone": "", "email": person.email()},
                    "date_created_gmt": "2017-03-21T19:09:28"})
            }))
        },
        ..Vendor::of("woocommerce", "rest_key", "accounts")
    })
    .await;
}
