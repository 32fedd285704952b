//! Lists whose next page stands in the `Link` header (RFC 8288).

use serde_json::json;

use super::super::signing::Reply;
use super::{REDIRECT, SECRET, Vendor, basic, cut, fine, limited, linked, list, read_all, redeemed, reply};

/// https://developer.okta.com/docs/api/#pagination (`after`, beside rel="self") and
/// https://developer.okta.com/docs/api/openapi/okta-management/management/tag/User/
#[tokio::test]
async fn okta() {
    read_all(Vendor {
        inputs: &[("domain", "acme.okta.com"), ("!api_key", SECRET), ("base_url", "{at}")],
        people: 401,
        pages: 3,
        stumble: |ask| {
            let soon = (jiff::Timestamp::now().as_second() + 1).to_string();
            let headers = vec![("x-rate-limit-limit", "600".to_owned()), ("x-rate-limit-remaining", "0".to_owned()), ("x-rate-limit-reset", soon)];
            let body = json!({"errorCode": "E0000047", "errorSummary": "API call exceeded rate limit due to too many requests."});
            ask.is("GET /api/v1/users", &[("after", "u199"), ("limit", "200")]).then_some(Reply { status: 429, headers, body })
        },
        answer: |ask, people| {
            ask.carries("authorization", "SSWS s3cret-Value-0123")?;
            let users = "GET /api/v1/users";
            let (limit, from) = if ask.is(users, &[("limit", "1")]) {
                (1, 0)
            } else if ask.is(users, &[("limit", "200")]) {
                (200, 0)
            } else {
                let after = ask.varies(users, &[("limit", "200")], "after")?;
                (200, people.iter().position(|person| person.id() == after)? + 1)
            };
            let page = cut(people, from, limit);
            let body = list(page, |person| {
                let profile = json!({"login": person.email(), "email": person.email(), "firstName": person.first(), "lastName": person.last(),
                    "displayName": person.name(), "mobilePhone": null, "department": "IT"});
                json!({"id": person.id(), "status": person.state("ACTIVE", "DEPROVISIONED"), "created": "2013-06-24T16:39:18.000Z", "profile": profile})
            });
            let address = |after: &str| format!("{}/api/v1/users?{after}limit={limit}", ask.at);
            let own = format!("<{}>; rel=\"self\"", address(""));
            let next = page.last().filter(|_| from + limit < people.len()).map(|last| format!("<{}>; rel=\"next\"", address(&format!("after={}&", last.id()))));
            let headers = [own].into_iter().chain(next).map(|link| ("link", link)).collect();
            Some(Reply { status: 200, headers, body })
        },
        ..Vendor::of("okta", "api_key", "users")
    })
    .await;
}

/// https://harvestdocs.greenhouse.io/docs/authentication, https://harvestdocs.greenhouse.io/docs/pagination (a cursor stands alone) and
/// https://harvestdocs.greenhouse.io/reference/get_v3-users
#[tokio::test]
async fn greenhouse() {
    read_all(Vendor {
        inputs: &[("client_id", "cid"), ("!client_secret", SECRET), ("user_id", "4212952002"), ("token_url", "{at}/token"), ("base_url", "{at}/v3")],
        people: 501,
        pages: 2,
        answer: |ask, people| {
            if ask.form("POST /token", &[("grant_type", "client_credentials"), ("sub", "4212952002")]).is_some() {
                ask.carries("authorization", &basic("cid", SECRET))?;
                return fine(json!({"access_token": "granted", "token_type": "Bearer", "expires_at": "2099-01-01T00:00:00Z"}));
            }
            ask.carries("authorization", "Bearer granted")?;
            let (size, from) = if ask.is("GET /v3/users", &[("per_page", "1")]) {
                (1, 0)
            } else if ask.is("GET /v3/users", &[("per_page", "500")]) {
                (500, 0)
            } else {
                (500, ask.place("GET /v3/users", &[], "cursor")?)
            };
            let body = list(cut(people, from, size), |person| {
                json!({"id": person.n, "first_name": person.first(), "last_name": person.last(), "primary_email": person.email(), "employee_id": null,
                    "emails": [person.email()], "deactivated": !person.active, "site_admin": false, "job_title": null, "department_ids": []})
            });
            let next = (from + size < people.len()).then(|| format!("{}/v3/users?cursor={}", ask.at, from + size));
            linked(body, next)
        },
        ..Vendor::of("greenhouse", "client_credentials", "users")
    })
    .await;
}

/// https://api.freshservice.com/v2/#view_list_of_agents, https://api.freshservice.com/v2/#pagination and https://api.freshservice.com/v2/#rate_limit
#[tokio::test]
async fn freshservice() {
    read_all(Vendor {
        inputs: &[("domain", "acme"), ("!api_key", SECRET), ("base_url", "{at}/api/v2")],
        people: 150,
        pages: 2,
        stumble: |ask| ask.is("GET /api/v2/agents", &[("per_page", "100"), ("page", "2")]).then(|| limited(json!({"message": "You have exceeded the limit"})))?,
        answer: |ask, people| {
            ask.carries("authorization", &basic(SECRET, "X"))?;
            let agents = "GET /api/v2/agents";
            if ask.is("GET /api/v2/requesters", &[("per_page", "1")]) {
                return fine(json!({"requesters": []}));
            }
            let (size, page) = if ask.is(agents, &[("per_page", "1")]) {
                (1, 1)
            } else if ask.is(agents, &[("per_page", "100")]) {
                (100, 1)
            } else {
                (100, ask.place(agents, &[("per_page", "100")], "page")?)
            };
            let body = list(cut(people, page.checked_sub(1)? * size, size), |person| {
                json!({"id": 1000 + person.n, "email": person.email(), "first_name": person.first(), "last_name": person.last(), "active": person.active,
                    "occasional": false, "job_title": "Agent", "time_zone": "Berlin", "language": "en", "department_ids": [7], "has_logged_in": true})
            });
            let next = (page * size < people.len()).then(|| format!("{}/api/v2/agents?per_page={size}&page={}", ask.at, page + 1));
            linked(json!({ "agents": body }), next)
        },
        ..Vendor::of("freshservice", "api_key", "agents")
    })
    .await;
}

/// https://www.servicenow.com/docs/bundle/zurich-api-reference/page/integrate/inbound-rest/concept/c_TableAPI.html: the links are in one header,
/// with first and last; activity is a text
#[tokio::test]
async fn servicenow() {
    read_all(Vendor {
        inputs: &[("instance", "acme.service-now.com"), ("username", "intertie.integration"), ("!password", SECRET), ("base_url", "{at}/api/now")],
        people: 2001,
        pages: 3,
        answer: |ask, people| {
            ask.carries("authorization", &basic("intertie.integration", SECRET))?;
            ask.carries("accept", "application/json")?;
            let users = "GET /api/now/table/sys_user";
            if ask.is("GET /api/now/table/sys_user_group", &[("sysparm_limit", "1"), ("sysparm_fields", "sys_id")]) {
                return fine(json!({"result": []}));
            }
            if ask.is(users, &[("sysparm_limit", "1"), ("sysparm_fields", "sys_id")]) {
                return fine(json!({"result": [{"sys_id": "a"}]}));
            }
            let order = [("sysparm_query", "ORDERBYsys_id"), ("sysparm_exclude_reference_link", "true"), ("sysparm_limit", "1000")];
            let rest = ask.beside(&order).filter(|_| ask.to(users))?;
            let given = |name: &str| rest.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
            let fields = given("sysparm_fields").filter(|fields| fields.split(',').any(|field| field == "department.name"))?;
            let from: usize = match (rest.len(), given("sysparm_offset")) {
                (1, None) => 0,
                (2, Some(offset)) => offset.parse().ok()?,
                _ => return None,
            };
            let result = list(cut(people, from, 1000), |person| {
                json!({"sys_id": person.id(), "user_name": person.id(), "name": person.name(), "first_name": person.first(), "last_name": person.last(),
                    "email": person.email(), "active": person.state("true", "false"), "title": "", "department.name": "IT", "manager.email": "boss@acme.example",
                    "vip": "false", "last_login_time": "2026-01-02 03:04:05"})
            });
            let address = |from: usize| {
                format!("{}/api/now/table/sys_user?sysparm_query=ORDERBYsys_id&sysparm_exclude_reference_link=true&sysparm_fields={}&sysparm_limit=1000&sysparm_offset={from}",
                    ask.at, fields.replace(',', "%2C"))
            };
            let mut links = vec![format!("<{}>;rel=\"first\"", address(0))];
            if from + 1000 < people.len() {
                links.push(format!("<{}>;rel=\"next\"", address(from + 1000)));
            }
            links.push(format!("<{}>;rel=\"last\"", address(2000)));
            Some(Reply { status: 200, headers: vec![("link", links.join(",")), ("x-total-count", people.len().to_string())], body: json!({ "result": result }) })
        },
        ..Vendor::of("servicenow", "basic", "users")
    })
    .await;
}

/// https://developer.webex.com/docs/basics#pagination, https://developer.webex.com/docs/api/v1/people/list-people and
/// https://developer.webex.com/docs/integrations; the first token is refused, and renewed
#[tokio::test]
async fn webex() {
    read_all(Vendor {
        inputs: &[("client_id", "cid"), ("!client_secret", SECRET), ("token_url", "{at}/v1/access_token"), ("base_url", "{at}/v1"), REDIRECT],
        consent: true,
        people: 150,
        pages: 2,
        stumble: |ask| ask.place("GET /v1/people", &[("max", "100")], "cursor").and_then(|_| limited(json!({"message": "Too many requests"}))),
        answer: |ask, people| {
            if let Some(token) = redeemed(ask, "POST /v1/access_token", &[("client_id", "cid"), ("client_secret", SECRET)]) {
                return Some(token);
            }
            if ask.carries("authorization", "Bearer first").is_some() {
                return Some(reply(401, json!({"message": "The request requires a valid access token set in the Authorization request header.", "errors": []})));
            }
            ask.carries("authorization", "Bearer second")?;
            if ask.is("GET /v1/people/me", &[]) {
                return fine(json!({"id": "me"}));
            }
            let (size, from) = if ask.is("GET /v1/people", &[("max", "1")]) {
                (1, 0)
            } else if ask.is("GET /v1/people", &[("max", "100")]) {
                (100, 0)
            } else {
                (100, ask.place("GET /v1/people", &[("max", "100")], "cursor")?)
            };
            let items = list(cut(people, from, size), |person| {
                json!({"id": person.id(), "emails": [person.email()], "displayName": person.name(), "firstName": person.first(), "lastName": person.last(),
                    "loginEnabled": person.active, "invitePending": false, "type": "person", "status": "unknown", "orgId": "o",
                    "phoneNumbers": [{"type": "work", "value": "+1 555"}], "created": "2015-10-18T14:26:16.000Z"})
            });
            let next = (from + size < people.len()).then(|| format!("{}/v1/people?max={size}&cursor={}", ask.at, from + size));
            linked(json!({"notFoundIds": [], "items": items}), next)
        },
        ..Vendor::of("cisco-webex-teams", "oauth2_code", "people")
    })
    .await;
}

/// https://developer.wordpress.org/rest-api/using-the-rest-api/pagination/ (Link, and X-WP-Total) and
/// https://developer.wordpress.org/rest-api/reference/users/
#[tokio::test]
async fn wordpress() {
    read_all(Vendor {
        inputs: &[("store", "shop.acme.example"), ("username", "ada"), ("!password", SECRET), ("base_url", "{at}/wp-json")],
        people: 101,
        tells: false,
        pages: 2,
        answer: |ask, people| {
            ask.carries("authorization", &basic("ada", SECRET))?;
            let users = "GET /wp-json/wp/v2/users";
            let order = [("context", "edit"), ("orderby", "id"), ("order", "asc"), ("per_page", "100")];
            let (size, page) = if ask.is(users, &[("per_page", "1"), ("context", "edit")]) {
                (1, 1)
            } else if ask.is(users, &order) {
                (100, 1)
            } else {
                (100, ask.place(users, &order, "page")?)
            };
            let body = list(cut(people, page.checked_sub(1)? * size, size), |person| {
                json!({"id": person.n + 1, "username": person.id(), "name": person.name(), "first_name": person.first(), "last_name": person.last(),
                    "email": person.email(), "nickname": person.id(), "roles": ["customer"], "locale": "en_US", "registered_date": "2020-01-02T03:04:05+00:00"})
            });
            let next = (page * size < people.len()).then(|| format!("{}/wp-json/wp/v2/users?context=edit&orderby=id&order=asc&per_page={size}&page={}", ask.at, page + 1));
            linked(body, next)
        },
        ..Vendor::of("woocommerce", "application_password", "users")
    })
    .await;
}
