//! Lists whose pages name the next one by a cursor.

use serde_json::json;

use super::super::signing::Reply;
use super::{BEARER, SECRET, Vendor, basic, cursor, cut, fine, limited, list, read_all, reply};

/// https://docs.slack.dev/reference/methods/users.list, https://docs.slack.dev/apis/web-api/pagination (an empty cursor ends the list) and
/// https://docs.slack.dev/apis/web-api/rate-limits (429 with Retry-After). Bots are members without an address: a filter leaves them out.
#[tokio::test]
async fn slack() {
    read_all(Vendor {
        inputs: &[("!token", "xoxb-s3cret-Value-0123"), ("base_url", "{at}/api")],
        people: 201,
        filter: "not is_bot and id != 'USLACKBOT'",
        others: 1,
        pages: 2,
        stumble: |ask| {
            let list = [("limit", "200"), ("include_locale", "true")];
            ask.varies("GET /api/users.list", &list, "cursor").and_then(|_| limited(json!({"ok": false, "error": "ratelimited"})))
        },
        answer: |ask, people| {
            ask.carries("authorization", "Bearer xoxb-s3cret-Value-0123")?;
            if ask.is("GET /api/auth.test", &[]) {
                return fine(json!({"ok": true, "url": "https://acme.slack.com/", "team": "Acme", "user": "intertie", "team_id": "T1", "user_id": "U0"}));
            }
            let (limit, from) = match ask.is("GET /api/users.list", &[("limit", "1")]) {
                true => (1, 0),
                false => (200, ask.after("GET /api/users.list", &[("limit", "200"), ("include_locale", "true")], "cursor")?),
            };
            let mut members = list(cut(people, from, limit), |person| {
                let profile = json!({"real_name": person.name(), "email": person.email(), "display_name": person.id(), "first_name": person.first(),
                    "last_name": person.last(), "title": "", "phone": ""});
                json!({"id": person.id(), "team_id": "T1", "name": person.id(), "deleted": !person.active, "real_name": person.name(), "tz": "Europe/Berlin",
                    "profile": profile, "is_admin": false, "is_bot": false, "locale": "en-US", "updated": 1_502_138_686})
            });
            if from == 0 && limit > 1 {
                let bot = json!({"id": "USLACKBOT", "team_id": "T1", "name": "slackbot", "deleted": false, "real_name": "Slackbot", "is_bot": false,
                    "profile": {"real_name": "Slackbot", "display_name": "Slackbot"}});
                members.as_array_mut()?.push(bot);
            }
            let next = cursor(people, from + limit).unwrap_or_default();
            fine(json!({"ok": true, "members": members, "cache_ts": 1_498_777_272, "response_metadata": {"next_cursor": next}}))
        },
        ..Vendor::of("slack", "bearer", "members")
    })
    .await;
}

/// https://developers.zoom.us/docs/internal-apps/s2s-oauth/ and https://developers.zoom.us/docs/api/users/#tag/users/get/users
#[tokio::test]
async fn zoom() {
    read_all(Vendor {
        inputs: &[
            ("account_id", "aB3dE6gH9jK2"),
            ("client_id", "cid"),
            ("!client_secret", SECRET),
            ("token_url", "{at}/oauth/token"),
            ("base_url", "{at}/v2"),
        ],
        people: 301,
        // The list of those who are active.
        tells: false,
        pages: 2,
        answer: |ask, people| {
            if ask.form("POST /oauth/token", &[("grant_type", "account_credentials"), ("account_id", "aB3dE6gH9jK2")]).is_some() {
                ask.carries("authorization", &basic("cid", SECRET))?;
                return fine(json!({"access_token": "granted", "token_type": "bearer", "expires_in": 3600, "scope": "user:read:list_users:admin"}));
            }
            ask.carries("authorization", "Bearer granted")?;
            let (size, from) = match ask.is("GET /v2/users", &[("page_size", "1")]) {
                true => (1, 0),
                false => (300, ask.after("GET /v2/users", &[("page_size", "300"), ("status", "active")], "next_page_token")?),
            };
            let users = list(cut(people, from, size), |person| {
                json!({"id": person.id(), "first_name": person.first(), "last_name": person.last(), "display_name": person.name(), "email": person.email(),
                    "type": 2, "status": "active", "dept": "", "verified": 1, "timezone": "Europe/Berlin", "last_login_time": "2026-01-02T03:04:05Z"})
            });
            let next = cursor(people, from + size).unwrap_or_default();
            fine(json!({"page_count": 2, "page_number": 1, "page_size": size, "total_records": people.len(), "next_page_token": next, "users": users}))
        },
        ..Vendor::of("zoom", "server_to_server", "users")
    })
    .await;
}

/// https://developers.asana.com/reference/getworkspacemembershipsforworkspace and https://developers.asana.com/docs/pagination: the person is
/// nested in the membership
#[tokio::test]
async fn asana() {
    read_all(Vendor {
        inputs: &[("workspace", "1200000000000001"), ("!token", SECRET), ("base_url", "{at}/api/1.0")],
        people: 250,
        pages: 3,
        answer: |ask, people| {
            ask.carries("authorization", BEARER)?;
            let user = |n: usize| json!({"gid": n.to_string(), "resource_type": "user", "name": "Ada"});
            if ask.is("GET /api/1.0/users", &[("workspace", "1200000000000001"), ("limit", "1")]) {
                return fine(json!({"data": [user(1)], "next_page": null}));
            }
            let members = "GET /api/1.0/workspaces/1200000000000001/workspace_memberships";
            let fields = [("opt_fields", "is_active,is_admin,is_guest,is_view_only,user.name,user.email"), ("limit", "100")];
            let (limit, from) = match ask.is(members, &[("limit", "1")]) {
                true => (1, 0),
                false => (100, ask.after(members, &fields, "offset")?),
            };
            let data = list(cut(people, from, limit), |person| {
                json!({"gid": format!("9{}", person.n), "is_active": person.active, "is_admin": false, "is_guest": false, "is_view_only": false,
                    "user": {"gid": person.id(), "name": person.name(), "email": person.email()}})
            });
            let next = cursor(people, from + limit)
                .map(|offset| json!({"offset": offset, "path": "/workspace_memberships?limit=100", "uri": "https://app.asana.com"}));
            fine(json!({"data": data, "next_page": next}))
        },
        ..Vendor::of("asana", "bearer", "members")
    })
    .await;
}

/// https://documentation.bamboohr.com/reference/list-employees and https://documentation.bamboohr.com/docs/api-details (503 when it is too much)
#[tokio::test]
async fn bamboohr() {
    read_all(Vendor {
        inputs: &[("company", "acme"), ("!api_key", SECRET), ("base_url", "{at}/api/v1")],
        people: 251,
        pages: 2,
        stumble: |ask| {
            let list = [("fields", "workEmail,mobilePhone,departmentName"), ("page[limit]", "250")];
            let wait = vec![("retry-after", "1".to_owned())];
            ask.is("GET /api/v1/employees", &list).then_some(Reply { status: 503, headers: wait, body: json!({}) })
        },
        answer: |ask, people| {
            ask.carries("authorization", &basic(SECRET, "x"))?;
            ask.carries("accept", "application/json")?;
            let fields = [("fields", "workEmail,mobilePhone,departmentName"), ("page[limit]", "250")];
            let (size, from) = match ask.is("GET /api/v1/employees", &[("page[limit]", "1")]) {
                true => (1, 0),
                false => (250, ask.after("GET /api/v1/employees", &fields, "page[after]")?),
            };
            let data = list(cut(people, from, size), |person| {
                json!({"employeeId": person.n.to_string(), "firstName": person.first(), "lastName": person.last(), "preferredName": null,
                    "workEmail": person.email(), "status": person.state("Active", "Inactive"), "jobTitleName": "Analyst", "departmentName": "IT"})
            });
            fine(json!({"data": data, "meta": {"page": {"nextCursor": cursor(people, from + size)}}}))
        },
        ..Vendor::of("bamboohr", "api_key", "employees")
    })
    .await;
}

/// https://developer.zendesk.com/api-reference/introduction/pagination/#using-cursor-pagination (the last page has a cursor, too) and
/// https://developer.zendesk.com/api-reference/ticketing/users/users/
#[tokio::test]
async fn zendesk() {
    read_all(Vendor {
        inputs: &[("subdomain", "acme"), ("email", "me@acme.example"), ("!api_token", SECRET), ("base_url", "{at}")],
        people: 150,
        pages: 2,
        stumble: |ask| {
            let list = [("role[]", "agent"), ("role[]", "admin"), ("page[size]", "100")];
            ask.varies("GET /api/v2/users", &list, "page[after]").and_then(|_| limited(json!({"error": "APIRateLimitExceeded"})))
        },
        answer: |ask, people| {
            ask.carries("authorization", &basic("me@acme.example/token", SECRET))?;
            if ask.is("GET /api/v2/users/me", &[]) {
                return fine(json!({"user": {"id": 5, "name": "Me", "email": "me@acme.example"}}));
            }
            let roles = [("role[]", "agent"), ("role[]", "admin"), ("page[size]", "100")];
            let (size, from) = match ask.is("GET /api/v2/users", &[("page[size]", "1")]) {
                true => (1, 0),
                false => (100, ask.after("GET /api/v2/users", &roles, "page[after]")?),
            };
            let page = cut(people, from, size);
            let users = list(page, |person| {
                json!({"id": person.n, "url": "https://acme.zendesk.com/api/v2/users/1.json", "name": person.name(), "email": person.email(), "role": "agent",
                    "active": person.active, "verified": true, "suspended": false, "locale": "en-US", "time_zone": "Berlin", "phone": null, "tags": []})
            });
            let after = format!("c+{}/=&%41", from + page.len());
            let meta = json!({"has_more": from + size < people.len(), "after_cursor": after, "before_cursor": "b"});
            fine(json!({"users": users, "meta": meta, "links": {"next": "https://acme.zendesk.com/api/v2/users", "prev": null}}))
        },
        ..Vendor::of("zendesk", "api_token", "agents")
    })
    .await;
}

/// https://www.dropbox.com/developers/documentation/http/teams#team-members-list (JSON bodies; goes on at another address, with the cursor alone)
#[tokio::test]
async fn dropbox_business() {
    read_all(Vendor {
        inputs: &[("!token", SECRET), ("base_url", "{at}/2")],
        people: 1001,
        pages: 2,
        stumble: |ask| {
            let wait = json!({"error_summary": "too_many_requests/...", "error": {"reason": {".tag": "too_many_requests"}, "retry_after": 1}});
            ask.to("POST /2/team/members/list/continue_v2").then(|| reply(429, wait))
        },
        answer: |ask, people| {
            ask.carries("authorization", BEARER)?;
            ask.carries("content-type", "application/json")?;
            let (body, first) = (ask.body(), ask.is("POST /2/team/members/list_v2", &[]));
            let (limit, from) = match (first, ask.is("POST /2/team/members/list/continue_v2", &[])) {
                (true, _) if body == json!({"limit": 1}) => (1, 0),
                (true, _) if body == json!({"include_removed": false, "limit": 1000}) => (1000, 0),
                (_, true) if body.as_object()?.len() == 1 => (1000, super::behind(body["cursor"].as_str()?)?),
                _ => return None,
            };
            let members = list(cut(people, from, limit), |person| {
                let name =
                    json!({"given_name": person.first(), "surname": person.last(), "familiar_name": person.first(), "display_name": person.name()});
                json!({"profile": {"team_member_id": person.id(), "email": person.email(), "email_verified": true, "name": name, "groups": ["g:1"],
                    "status": {".tag": person.state("active", "suspended")}, "membership_type": {".tag": "full"}}, "roles": []})
            });
            let after = cursor(people, from + limit);
            fine(json!({"members": members, "has_more": after.is_some(), "cursor": after.unwrap_or_else(|| "end".to_owned())}))
        },
        ..Vendor::of("dropbox-business", "bearer", "users")
    })
    .await;
}

/// https://shopify.dev/docs/api/admin-graphql/latest/queries/staffMembers (GraphQL: a POST, nodes, pageInfo) and
/// https://shopify.dev/docs/api/usage/limits: out of points is said inside a 200
#[tokio::test]
async fn shopify() {
    read_all(Vendor {
        inputs: &[("shop", "acme"), ("!api_key", "shpat_0123456789abcdef"), ("base_url", "{at}/admin/api/2026-07")],
        people: 120,
        pages: 2,
        stumble: |ask| {
            let throttled = json!({"errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED", "documentation": "https://shopify.dev/api/usage/rate-limits"}}]});
            let wait = vec![("retry-after", "1".to_owned())];
            (!ask.body()["variables"]["after"].is_null()).then_some(Reply { status: 200, headers: wait, body: throttled })
        },
        answer: |ask, people| {
            ask.carries("x-shopify-access-token", "shpat_0123456789abcdef")?;
            let asked = ask.is("POST /admin/api/2026-07/graphql.json", &[]).then(|| ask.body())?;
            let query = asked["query"].as_str()?;
            if query.starts_with("{ shop {") {
                return fine(json!({"data": {"shop": {"name": "Acme", "myshopifyDomain": "acme.myshopify.com"}}}));
            }
            let variables = asked["variables"].as_object();
            let (first, from) = match variables {
                None if query.contains("staffMembers(first: 1)") => (1, 0),
                Some(given) if given["first"] == 100 => match (given.len(), given.get("after").and_then(|after| after.as_str())) {
                    (1, None) => (100, 0),
                    (2, Some(after)) => (100, super::behind(after)?),
                    _ => return None,
                },
                _ => return None,
            };
            let nodes = list(cut(people, from, first), |person| {
                json!({"id": format!("gid://shopify/StaffMember/{}", person.n), "name": person.name(), "firstName": person.first(), "lastName": person.last(),
                    "email": person.email(), "phone": null, "locale": "en", "accountType": "REGULAR", "active": person.active, "exists": true, "isShopOwner": false})
            });
            let end = format!("c+{}/=&%41", from + first);
            let info = json!({"hasNextPage": from + first < people.len(), "endCursor": end});
            fine(json!({"data": {"staffMembers": {"nodes": nodes, "pageInfo": info}}, "extensions": {"cost": {"requestedQueryCost": 12}}}))
        },
        ..Vendor::of("shopify", "access_token", "staff")
    })
    .await;
}

/// https://developers.hubspot.com/docs/api-reference/settings-user-provisioning-v3/guide
#[tokio::test]
async fn hubspot() {
    read_all(Vendor {
        inputs: &[("!token", SECRET), ("base_url", "{at}")],
        people: 101,
        tells: false,
        pages: 2,
        answer: |ask, people| {
            ask.carries("authorization", BEARER)?;
            if ask.is("GET /crm/v3/owners/", &[("limit", "1")]) {
                return fine(json!({"results": []}));
            }
            let (limit, from) = match ask.is("GET /settings/v3/users/", &[("limit", "1")]) {
                true => (1, 0),
                false => (100, ask.after("GET /settings/v3/users/", &[("limit", "100")], "after")?),
            };
            let results = list(cut(people, from, limit), |person| {
                json!({"id": person.n.to_string(), "email": person.email(), "firstName": person.first(), "lastName": person.last(), "roleIds": ["7"], "superAdmin": false})
            });
            let Some(after) = cursor(people, from + limit) else { return fine(json!({ "results": results })) };
            fine(json!({"results": results, "paging": {"next": {"after": after, "link": "?after=NTI1Cg%3D%3D"}}}))
        },
        ..Vendor::of("hubspot-crm", "bearer", "users")
    })
    .await;
}

/// https://platform.claude.com/docs/en/api/admin/users/list (`has_more`; the cursor is the last identifier of the page)
#[tokio::test]
async fn anthropic() {
    read_all(Vendor {
        inputs: &[("!api_key", SECRET), ("base_url", "{at}")],
        people: 101,
        tells: false,
        pages: 2,
        answer: |ask, people| {
            ask.carries("x-api-key", SECRET)?;
            ask.carries("anthropic-version", "2023-06-01")?;
            if ask.is("GET /v1/organizations/me", &[]) {
                return fine(json!({"id": "o1", "type": "organization", "name": "Acme"}));
            }
            let users = "GET /v1/organizations/users";
            let (limit, from) = if ask.is(users, &[("limit", "1")]) {
                (1, 0)
            } else if ask.is(users, &[("limit", "100")]) {
                (100, 0)
            } else {
                let after = ask.varies(users, &[("limit", "100")], "after_id")?;
                (100, people.iter().position(|person| person.id() == after)? + 1)
            };
            let page = cut(people, from, limit);
            let data = list(page, |person| {
                json!({"id": person.id(), "type": "user", "email": person.email(), "name": person.name(), "role": "developer", "added_at": "2024-10-30T23:58:27Z"})
            });
            let ends = (page.first().map(super::Person::id), page.last().map(super::Person::id));
            fine(json!({"data": data, "first_id": ends.0, "last_id": ends.1, "has_more": from + page.len() < people.len()}))
        },
        ..Vendor::of("anthropic-claude", "api_key", "users")
    })
    .await;
}

/// https://developer.concur.com/api-reference/authentication/getting-started.html (password grant with a company's request token; the
/// address comes with the token) and https://developer.concur.com/api-reference/profile/v4.1.identity.html (SCIM records, `nextCursor`)
#[tokio::test]
async fn sap_concur() {
    const COMPANY: &str = "0a1b2c3d-0000-1111-2222-333344445555";
    read_all(Vendor {
        inputs: &[
            ("data_center", "us.api.concursolutions.com"),
            ("client_id", "cid"),
            ("!client_secret", SECRET),
            ("username", COMPANY),
            ("!password", "at-request-token"),
            ("token_url", "{at}/oauth2/v0/token"),
        ],
        people: 1001,
        pages: 2,
        answer: |ask, people| {
            let grant = [
                ("grant_type", "password"),
                ("credtype", "authtoken"),
                ("username", COMPANY),
                ("password", "at-request-token"),
                ("client_id", "cid"),
                ("client_secret", SECRET),
            ];
            if ask.has("POST /oauth2/v0/token", &grant).is_some() {
                return fine(json!({"expires_in": "3600", "scope": "identity.user.core.read", "token_type": "Bearer", "access_token": "granted",
                    "refresh_token": "r", "refresh_expires_in": "1735689600", "geolocation": ask.at}));
            }
            ask.carries("authorization", "Bearer granted")?;
            let users = "GET /profile/identity/v4.1/Users";
            let (count, from) = match ask.is(users, &[("count", "1")]) {
                true => (1, 0),
                false => (1000, ask.after(users, &[("count", "1000")], "cursor")?),
            };
            let resources = list(cut(people, from, count), |person| {
                json!({"id": person.id(), "userName": person.email(), "displayName": person.name(), "active": person.active, "title": "Analyst",
                    "name": {"givenName": person.first(), "familyName": person.last(), "formatted": "last, first"},
                    "emails": [{"value": person.email(), "type": "work", "verified": false}], "preferredLanguage": "en-US", "timezone": "America/New_York",
                    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"employeeNumber": "7", "department": "IT"}})
            });
            let next = cursor(people, from + count);
            fine(json!({"schemas": ["urn:ietf:params:scim:api:messages:concur:2.0:SearchRequest"], "totalResults": people.len(), "itemsPerPage": count,
                "nextCursor": next, "Resources": resources}))
        },
        ..Vendor::of("sap-concur", "company", "users")
    })
    .await;
}
