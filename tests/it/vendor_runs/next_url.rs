//! Lists whose body holds the address of the next page.

use serde_json::{Value, json};

use super::{BEARER, REDIRECT, SECRET, Vendor, cut, fine, limited, list, read_all, redeemed, reply};

/// https://developer.salesforce.com/docs/atlas.en-us.api_rest.meta/api_rest/resources_query.htm (`nextRecordsUrl`, a path) and
/// https://help.salesforce.com/s/articleView?id=xcloud.remoteaccess_oauth_client_credentials_flow.htm: the token says where the API is
#[tokio::test]
async fn salesforce() {
    read_all(Vendor {
        inputs: &[
            ("host", "acme.my.salesforce.com"),
            ("client_id", "3MVG9"),
            ("!client_secret", SECRET),
            ("token_url", "{at}/services/oauth2/token"),
        ],
        people: 12,
        pages: 3,
        answer: |ask, people| {
            let grant = [("grant_type", "client_credentials"), ("client_id", "3MVG9"), ("client_secret", SECRET)];
            if ask.form("POST /services/oauth2/token", &grant).is_some() {
                return fine(
                    json!({"access_token": "00Dxx!granted", "signature": "c2ln", "scope": "api", "instance_url": ask.at, "token_type": "Bearer",
                    "id": "https://login.salesforce.com/id/00Dxx0000001gPLEAY/005xx000001SwiUAAS", "issued_at": "1747215473423"}),
                );
            }
            ask.carries("authorization", "Bearer 00Dxx!granted")?;
            let query = "/services/data/v62.0/query";
            let from = if ask.to(&format!("GET {query}")) {
                let soql = ask.varies(&format!("GET {query}"), &[], "q")?;
                if soql == "SELECT Id FROM User LIMIT 1" {
                    return fine(json!({"totalSize": 1, "done": true, "records": [{"Id": "005a"}]}));
                }
                (soql.starts_with("SELECT Id, Username, Email, ") && soql.ends_with(" FROM User ORDER BY Id")).then_some(0)?
            } else {
                let place: usize = ask.raw.path().strip_prefix("/services/data/v62.0/query/01gRO0000016PIAYA2-")?.parse().ok()?;
                ask.is(&format!("GET {query}/01gRO0000016PIAYA2-{place}"), &[]).then_some(place)?
            };
            let records = list(cut(people, from, 5), |person| {
                json!({"attributes": {"type": "User", "url": "/services/data/v62.0/sobjects/User/005"}, "Id": person.id(), "Username": person.email(),
                    "Email": person.email(), "Name": person.name(), "FirstName": person.first(), "LastName": person.last(), "IsActive": person.active,
                    "UserType": "Standard", "Title": null, "LastLoginDate": "2026-01-02T03:04:05.000+0000"})
            });
            let mut body = json!({"totalSize": people.len(), "done": from + 5 >= people.len(), "records": records});
            if from + 5 < people.len() {
                body["nextRecordsUrl"] = format!("{query}/01gRO0000016PIAYA2-{}", from + 5).into();
            }
            fine(body)
        },
        ..Vendor::of("salesforce", "client_credentials", "users")
    })
    .await;
}

/// https://learn.microsoft.com/graph/paging (`@odata.nextLink`; a page may be empty), https://learn.microsoft.com/graph/throttling and
/// https://learn.microsoft.com/graph/api/user-list
#[tokio::test]
async fn microsoft_365() {
    read_all(Vendor {
        inputs: &[
            ("tenant", "contoso.onmicrosoft.com"),
            ("client_id", "3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0"),
            ("!client_secret", SECRET),
            ("token_url", "{at}/contoso.onmicrosoft.com/oauth2/v2.0/token"),
            ("base_url", "{at}/v1.0"),
        ],
        people: 14,
        // Five a page, and an empty one in the middle.
        pages: 4,
        stumble: |ask| ask.is("GET /v1.0/users", &[("$skiptoken", "p-5")]).then(|| limited(json!({"error": {"code": "TooManyRequests"}})))?,
        answer: |ask, people| {
            let grant = [
                ("grant_type", "client_credentials"),
                ("client_id", "3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0"),
                ("client_secret", SECRET),
                ("scope", "https://graph.microsoft.com/.default"),
            ];
            if ask.form("POST /contoso.onmicrosoft.com/oauth2/v2.0/token", &grant).is_some() {
                return fine(json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "granted"}));
            }
            ask.carries("authorization", "Bearer granted")?;
            // The application may not read its own registration: when the secret ends stays unknown.
            if ask.raw.path().starts_with("/v1.0/applications") {
                return Some(reply(403, json!({"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges"}})));
            }
            let users = "GET /v1.0/users";
            if ask.is(users, &[("$top", "1"), ("$select", "id")]) {
                return fine(json!({"value": [{"id": "a"}]}));
            }
            let next = |token: &str| format!("{}/v1.0/users?$skiptoken={token}", ask.at);
            let (from, first) = match ask.varies(users, &[("$top", "999")], "$select") {
                Some(select) => (select.contains("accountEnabled").then_some(0)?, true),
                None => (ask.varies(users, &[], "$skiptoken")?.strip_prefix("p-")?.parse().ok()?, false),
            };
            if from == 10 && !first && ask.beside(&[("$skiptoken", "p-10")]).is_some() {
                return fine(json!({"value": [], "@odata.nextLink": next("p-010")}));
            }
            let value = list(cut(people, from, 5), |person| {
                json!({"id": person.id(), "userPrincipalName": person.email(), "mail": person.email(), "displayName": person.name(), "givenName": person.first(),
                    "surname": person.last(), "accountEnabled": person.active, "userType": "Member", "jobTitle": null, "createdDateTime": "2020-01-02T03:04:05Z"})
            });
            let mut body = json!({"@odata.context": "https://graph.microsoft.com/v1.0/$metadata#users", "value": value});
            if from + 5 < people.len() {
                body["@odata.nextLink"] = next(&format!("p-{}", from + 5)).into();
            }
            fine(body)
        },
        ..Vendor::of("microsoft-365", "client_credentials", "users")
    })
    .await;
}

/// https://learn.microsoft.com/power-apps/developer/data-platform/webapi/query/page-results (`Prefer: odata.maxpagesize`, on every page) and
/// https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow; the first token is refused, and renewed
#[tokio::test]
async fn dynamics_365() {
    read_all(Vendor {
        inputs: &[
            ("environment", "acme.crm4.dynamics.com"),
            ("tenant", "contoso.onmicrosoft.com"),
            ("client_id", "3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0"),
            ("!client_secret", SECRET),
            ("token_url", "{at}/token"),
            ("base_url", "{at}/api/data/v9.2"),
            REDIRECT,
        ],
        consent: true,
        people: 13,
        pages: 3,
        answer: |ask, people| {
            if let Some(token) = redeemed(ask, "POST /token", &[("client_id", "3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0"), ("client_secret", SECRET)]) {
                return Some(token);
            }
            if ask.carries("authorization", "Bearer first").is_some() {
                return Some(reply(401, json!({"error": {"code": "0x80072560", "message": "The token has expired."}})));
            }
            ask.carries("authorization", "Bearer second")?;
            ask.carries("odata-version", "4.0")?;
            if ask.is("GET /api/data/v9.2/WhoAmI", &[]) {
                return fine(json!({"UserId": "u", "BusinessUnitId": "b", "OrganizationId": "o"}));
            }
            let users = "GET /api/data/v9.2/systemusers";
            if ask.is(users, &[("$top", "1"), ("$select", "systemuserid")]) {
                return fine(json!({"value": [{"systemuserid": "a"}]}));
            }
            ask.carries("prefer", "odata.maxpagesize=1000")?;
            let from = match ask.varies(users, &[], "$select") {
                Some(select) => select.contains("internalemailaddress").then_some(0)?,
                None => ask.place(users, &[("$select", "x")], "$skiptoken")?,
            };
            let value = list(cut(people, from, 5), |person| {
                json!({"@odata.etag": "W/\"1\"", "systemuserid": person.id(), "fullname": person.name(), "firstname": person.first(), "lastname": person.last(),
                    "internalemailaddress": person.email(), "domainname": person.email(), "isdisabled": !person.active, "accessmode": 0, "islicensed": true,
                    "_businessunitid_value": "b", "createdon": "2020-01-02T03:04:05Z"})
            });
            let mut body = json!({"@odata.context": "x", "value": value});
            if from + 5 < people.len() {
                body["@odata.nextLink"] = format!("{}/api/data/v9.2/systemusers?$select=x&$skiptoken={}", ask.at, from + 5).into();
            }
            fine(body)
        },
        ..Vendor::of("microsoft-dynamics-365-crm", "oauth2_code", "users")
    })
    .await;
}

/// https://workable.readme.io/reference/members and https://workable.readme.io/reference/pagination
#[tokio::test]
async fn workable() {
    read_all(Vendor {
        inputs: &[("subdomain", "acme"), ("!token", SECRET), ("base_url", "{at}/spi/v3")],
        people: 150,
        pages: 2,
        answer: |ask, people| {
            ask.carries("authorization", BEARER)?;
            let members = "GET /spi/v3/members";
            let (limit, from) = if ask.is(members, &[("limit", "1")]) {
                (1, 0)
            } else if ask.is(members, &[("status", "all"), ("limit", "100")]) {
                (100, 0)
            } else {
                (100, ask.place(members, &[("status", "all"), ("limit", "100")], "since_id")?)
            };
            let list = list(cut(people, from, limit), |person| {
                json!({"id": person.id(), "name": person.name(), "headline": "Recruiter", "email": person.email(), "role": "simple", "roles": ["simple"],
                    "hris_role": "none", "active": person.active})
            });
            let mut body = json!({ "members": list });
            if from + limit < people.len() {
                body["paging"] = json!({"next": format!("{}/spi/v3/members?status=all&limit={limit}&since_id={}", ask.at, from + limit)});
            }
            fine(body)
        },
        ..Vendor::of("workable", "bearer", "members")
    })
    .await;
}

/// https://cloud.ibm.com/docs/account?topic=account-iamtoken_from_apikey (a login in a step: the key becomes a token) and
/// https://cloud.ibm.com/apidocs/user-management#list-users (`next_url`, a path)
#[tokio::test]
async fn watsonx() {
    read_all(Vendor {
        inputs: &[
            ("account_id", "0123456789abcdef0123456789abcdef"),
            ("project_id", "3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0"),
            ("!api_key", SECRET),
            ("base_url", "{at}"),
        ],
        moved: &[("https://iam.cloud.ibm.com", "{at}"), ("https://user-management.cloud.ibm.com", "{at}")],
        people: 12,
        pages: 3,
        answer: |ask, people| {
            let grant = [("grant_type", "urn:ibm:params:oauth:grant-type:apikey"), ("apikey", SECRET)];
            if ask.form("POST /identity/token", &grant).is_some() {
                let ends = jiff::Timestamp::now().as_second() + 3600;
                return fine(json!({"access_token": "granted", "refresh_token": "not_supported", "token_type": "Bearer", "expires_in": 3600, "expiration": ends, "scope": "ibm openid"}));
            }
            ask.carries("authorization", "Bearer granted")?;
            if ask.raw.path() == "/ml/v4/deployments" {
                return fine(json!({"resources": []}));
            }
            let path = "/v2/accounts/0123456789abcdef0123456789abcdef/users";
            let from = if ask.is(&format!("GET {path}"), &[]) { 0 } else { ask.place(&format!("GET {path}"), &[("limit", "5")], "_start")? };
            let resources = list(cut(people, from, 5), |person| {
                json!({"id": person.id(), "iam_id": format!("IBMid-{}", person.n), "realm": "IBMid", "user_id": person.email(), "firstname": person.first(),
                    "lastname": person.last(), "state": person.state("ACTIVE", "DISABLED_CLASSIC_INFRASTRUCTURE"), "email": person.email(), "phonenumber": "",
                    "account_id": "0123456789abcdef0123456789abcdef"})
            });
            let next = (from + 5 < people.len()).then(|| format!("{path}?limit=5&_start={}", from + 5));
            fine(json!({"total_results": people.len(), "limit": 5, "first_url": path, "next_url": next.map_or(Value::Null, Value::from), "resources": resources}))
        },
        ..Vendor::of("watsonx-ai", "api_key", "users")
    })
    .await;
}
