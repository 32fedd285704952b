//! Lists that go on by the number of records that were read.

use serde_json::json;

use super::super::signing::Reply;
use super::{BEARER, REDIRECT, SECRET, Vendor, basic, cut, fine, limited, list, read_all, redeemed, reply};

/// https://developer.pagerduty.com/docs/pagination (classic pagination: `more`, and no total) and
/// https://developer.pagerduty.com/docs/rest-api-rate-limits (`ratelimit-reset`, in seconds)
#[tokio::test]
async fn pagerduty() {
    read_all(Vendor {
        inputs: &[("!api_key", SECRET), ("base_url", "{at}")],
        people: 200,
        tells: false,
        pages: 2,
        stumble: |ask| {
            let wait = vec![("ratelimit-limit", "960".to_owned()), ("ratelimit-remaining", "0".to_owned()), ("ratelimit-reset", "1".to_owned())];
            let body = json!({"error": {"message": "Rate Limit Exceeded", "code": 2020}});
            ask.is("GET /users", &[("limit", "100"), ("offset", "100")]).then_some(Reply { status: 429, headers: wait, body })
        },
        answer: |ask, people| {
            ask.carries("authorization", "Token token=s3cret-Value-0123")?;
            ask.carries("accept", "application/vnd.pagerduty+json;version=2")?;
            let (limit, from) = match ask.is("GET /users", &[("limit", "1")]) {
                true => (1, 0),
                false => (100, ask.place("GET /users", &[("limit", "100")], "offset")?),
            };
            if ask.is("GET /teams", &[("limit", "1")]) {
                return fine(json!({"teams": [], "limit": 1, "offset": 0, "total": null, "more": false}));
            }
            let page = cut(people, from, limit);
            let more = from + page.len() < people.len();
            let users = list(page, |person| {
                json!({"id": person.id(), "type": "user", "name": person.name(), "email": person.email(), "role": "user", "job_title": "Engineer",
                    "time_zone": "America/Lima", "teams": [{"id": "PQ9K7I8", "type": "team_reference", "summary": "Engineering"}], "invitation_sent": false})
            });
            fine(json!({"users": users, "limit": limit, "offset": from, "total": null, "more": more}))
        },
        ..Vendor::of("pagerduty", "api_key", "users")
    })
    .await;
}

/// https://oomnitza.zendesk.com/hc/en-us/articles/17200339347991 (header Authorization2, limit and skip): a full page is followed by an empty one
#[tokio::test]
async fn oomnitza() {
    read_all(Vendor {
        inputs: &[("subdomain", "acme"), ("!api_key", SECRET), ("base_url", "{at}")],
        people: 200,
        pages: 3,
        answer: |ask, people| {
            ask.carries("authorization2", SECRET)?;
            let (limit, from) = match ask.is("GET /api/v3/users", &[("limit", "1")]) {
                true => (1, 0),
                false => (100, ask.place("GET /api/v3/users", &[("limit", "100")], "skip")?),
            };
            fine(list(cut(people, from, limit), |person| {
                json!({"id": person.id(), "username": person.email(), "email": person.email(), "full_name": person.name(), "first_name": person.first(),
                    "last_name": person.last(), "suspended": !person.active, "role": 3, "position": "Analyst", "creation_date": 1_700_000_000})
            }))
        },
        ..Vendor::of("oomnitza", "api_key", "users")
    })
    .await;
}

/// https://community.workday.com/sites/default/files/file-hosting/restapi/index.html (workers of the Common service)
#[tokio::test]
async fn workday_rest() {
    read_all(Vendor {
        inputs: &[
            ("host", "wd5-services1.myworkday.com"),
            ("tenant", "acme"),
            ("client_id", "cid"),
            ("!client_secret", SECRET),
            ("!refresh_token", "the-refresh-token"),
            ("token_url", "{at}/ccx/oauth2/acme/token"),
            ("base_url", "{at}/ccx/api/v1/acme"),
        ],
        people: 203,
        tells: false,
        pages: 3,
        answer: |ask, people| {
            let grant = [("grant_type", "refresh_token"), ("refresh_token", "the-refresh-token")];
            if ask.form("POST /ccx/oauth2/acme/token", &grant).is_some() {
                ask.carries("authorization", &basic("cid", SECRET))?;
                return fine(json!({"access_token": "granted", "token_type": "Bearer", "expires_in": 14400, "refresh_token": "the-refresh-token"}));
            }
            ask.carries("authorization", "Bearer granted")?;
            let workers = "GET /ccx/api/v1/acme/workers";
            let (limit, from) = match ask.is(workers, &[("limit", "1")]) {
                true => (1, 0),
                false => (100, ask.place(workers, &[("limit", "100")], "offset")?),
            };
            let data = list(cut(people, from, limit), |person| {
                json!({"id": person.id(), "descriptor": person.name(), "primaryWorkEmail": person.email(), "isManager": false, "businessTitle": "Analyst",
                    "href": "https://wd5-services1.myworkday.com/ccx/api/v1/acme/workers/1", "primarySupervisoryOrganization": {"id": "o", "descriptor": "IT"}})
            });
            fine(json!({"data": data, "total": people.len()}))
        },
        ..Vendor::of("workday-rest", "integration_client", "workers")
    })
    .await;
}

/// https://developers.docusign.com/docs/esign-rest-api/reference/users/users/list/ (numbers are texts) and
/// https://developers.docusign.com/platform/auth/reference/user-info/; the first token is refused at once, and renewed
#[tokio::test]
async fn docusign() {
    const ACCOUNT: &str = "66666666-7777-8888-9999-000000000000";
    read_all(Vendor {
        inputs: &[
            ("account_id", ACCOUNT),
            ("client_id", "11111111-2222-3333-4444-555555555555"),
            ("!client_secret", SECRET),
            ("token_url", "{at}/oauth/token"),
            REDIRECT,
        ],
        moved: &[("https://{{ input.environment }}/oauth/userinfo", "{at}/oauth/userinfo")],
        consent: true,
        people: 103,
        pages: 2,
        answer: |ask, people| {
            if let Some(token) = redeemed(ask, "POST /oauth/token", &[]) {
                ask.carries("authorization", &basic("11111111-2222-3333-4444-555555555555", SECRET))?;
                return Some(token);
            }
            if ask.carries("authorization", "Bearer first").is_some() {
                return Some(reply(401, json!({"errorCode": "USER_AUTHENTICATION_FAILED", "message": "One or both of Username and Password are invalid."})));
            }
            ask.carries("authorization", "Bearer second")?;
            if ask.is("GET /oauth/userinfo", &[]) {
                let account = |id: &str, default: bool, at: &str| json!({"account_id": id, "is_default": default, "account_name": "Acme", "base_uri": at});
                let accounts = [account("11111111-0000-0000-0000-000000000000", true, "https://na3.docusign.example"), account(ACCOUNT, false, ask.at)];
                return fine(json!({"sub": "50d89ab1", "name": "Ada", "email": "a@acme.example", "accounts": accounts}));
            }
            let users = format!("GET /restapi/v2.1/accounts/{ACCOUNT}/users");
            let (count, from) = match ask.is(&users, &[("count", "1")]) {
                true => (1, 0),
                false => (100, ask.place(&users, &[("count", "100"), ("additional_info", "true")], "start_position")?),
            };
            let page = cut(people, from, count);
            let records = list(page, |person| {
                json!({"userId": person.id(), "userName": person.name(), "email": person.email(), "firstName": person.first(), "lastName": person.last(),
                    "userStatus": person.state("Active", "Closed"), "isAdmin": "False", "userType": "CompanyUser", "uri": "/users/1"})
            });
            let (size, total, end) = (page.len().to_string(), people.len().to_string(), (from + page.len()).saturating_sub(1).to_string());
            fine(json!({"users": records, "resultSetSize": size, "totalSetSize": total, "startPosition": from.to_string(), "endPosition": end}))
        },
        ..Vendor::of("docusign", "oauth2_code", "users")
    })
    .await;
}

/// https://desk.zoho.com/DeskAPIDocument#Agents_Listagents and https://desk.zoho.com/DeskAPIDocument#Organizations: after the last page, no content
#[tokio::test]
async fn zoho_desk() {
    read_all(Vendor {
        inputs: &[
            ("data_center", "eu"),
            ("client_id", "1000.ABC"),
            ("!client_secret", SECRET),
            ("token_url", "{at}/oauth/v2/token"),
            REDIRECT,
        ],
        moved: &[("https://desk.{{ 'zohocloud.ca' if input.data_center == 'ca' else 'zoho.' ~ input.data_center }}", "{at}")],
        consent: true,
        people: 400,
        pages: 3,
        answer: |ask, people| {
            if let Some(token) = redeemed(ask, "POST /oauth/v2/token", &[("client_id", "1000.ABC"), ("client_secret", SECRET)]) {
                return Some(token);
            }
            if ask.carries("authorization", "Zoho-oauthtoken first").is_some() {
                return Some(reply(401, json!({"errorCode": "INVALID_OAUTH", "message": "The OAuth Token you provided is invalid."})));
            }
            ask.carries("authorization", "Zoho-oauthtoken second")?;
            if ask.is("GET /api/v1/organizations", &[]) {
                return fine(json!({"data": [{"id": 2_389_290, "companyName": "Acme", "portalName": "acme"}]}));
            }
            ask.carries("orgid", "2389290")?;
            let agents = "GET /api/v1/agents";
            let (limit, from) = match ask.is(agents, &[("limit", "1")]) {
                true => (1, 0),
                false => (200, ask.place(agents, &[("limit", "200")], "from")?),
            };
            match cut(people, from, limit) {
                [] => Some(reply(204, json!(null))),
                page => {
                    let data = list(page, |person| {
                        json!({"id": person.id(), "emailId": person.email(), "name": person.name(), "firstName": person.first(), "lastName": person.last(),
                            "status": person.state("ACTIVE", "DISABLED"), "isConfirmed": true, "timeZone": "Europe/Berlin", "langCode": "en_US"})
                    });
                    fine(json!({ "data": data }))
                }
            }
        },
        ..Vendor::of("zoho-desk", "oauth2_code", "agents")
    })
    .await;
}

/// https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/users
#[tokio::test]
async fn mailgun() {
    read_all(Vendor {
        inputs: &[("!api_key", SECRET), ("base_url", "{at}")],
        people: 150,
        pages: 2,
        answer: |ask, people| {
            ask.carries("authorization", &basic("api", SECRET))?;
            if ask.is("GET /v4/domains", &[("limit", "1")]) {
                return fine(json!({"items": [], "total_count": 0}));
            }
            let (limit, from) = match ask.is("GET /v5/users", &[("limit", "1")]) {
                true => (1, 0),
                false => (100, ask.place("GET /v5/users", &[("limit", "100")], "skip")?),
            };
            let users = list(cut(people, from, limit), |person| {
                json!({"id": person.id(), "account_id": "a1", "activated": true, "email": person.email(), "name": person.name(), "role": "developer",
                    "is_disabled": !person.active, "is_master": false, "tfa_enabled": false, "tfa_active": false, "metadata": {}, "preferences": {}})
            });
            fine(json!({"users": users, "total": people.len()}))
        },
        ..Vendor::of("mailgun", "basic", "users")
    })
    .await;
}

/// https://compass.coupa.com/en-us/products/product-documentation/integration-technical-documentation/the-coupa-core-api/resources/reference-data-resources/users-api-(users)
/// (names with hyphens; pages of at most 50)
#[tokio::test]
async fn coupa() {
    read_all(Vendor {
        inputs: &[
            ("host", "acme.coupahost.com"),
            ("client_id", "cid"),
            ("!client_secret", SECRET),
            ("token_url", "{at}/oauth2/token"),
            ("base_url", "{at}/api"),
        ],
        people: 101,
        pages: 3,
        answer: |ask, people| {
            let grant = [
                ("grant_type", "client_credentials"),
                ("client_id", "cid"),
                ("client_secret", SECRET),
                ("scope", "core.user.read core.user_group.read"),
            ];
            if ask.form("POST /oauth2/token", &grant).is_some() {
                return fine(json!({"access_token": "granted", "token_type": "bearer", "expires_in": 86399, "scope": "core.user.read core.user_group.read"}));
            }
            ask.carries("authorization", "Bearer granted")?;
            ask.carries("accept", "application/json")?;
            let (limit, from) = match ask.is("GET /api/users", &[("limit", "1")]) {
                true => (1, 0),
                false => (50, ask.place("GET /api/users", &[("limit", "50")], "offset")?),
            };
            fine(list(cut(people, from, limit), |person| {
                json!({"id": person.n, "login": person.id(), "email": person.email(), "fullname": person.name(), "firstname": person.first(),
                    "lastname": person.last(), "active": person.active, "employee-number": "7", "manager": {"id": 1, "login": "boss", "email": "boss@acme.example"}})
            }))
        },
        ..Vendor::of("coupa", "client_credentials", "users")
    })
    .await;
}

/// https://docs.uipath.com/orchestrator/automation-cloud/latest/api-guide/users-requests (OData with a count)
#[tokio::test]
async fn uipath_orchestrator() {
    read_all(Vendor {
        inputs: &[("organization", "acme"), ("tenant", "default"), ("!token", SECRET), ("base_url", "{at}/acme/default/orchestrator_")],
        people: 101,
        pages: 2,
        answer: |ask, people| {
            ask.carries("authorization", BEARER)?;
            let users = "GET /acme/default/orchestrator_/odata/Users";
            let order = [("$filter", "Type ne 'DirectoryGroup'"), ("$orderby", "Id"), ("$count", "true"), ("$top", "100")];
            let (top, from) = match ask.is(users, &[("$top", "1")]) {
                true => (1, 0),
                false => (100, ask.place(users, &order, "$skip")?),
            };
            let value = list(cut(people, from, top), |person| {
                json!({"Id": person.n, "Key": person.id(), "UserName": person.email(), "FullName": person.name(), "Name": person.first(),
                    "Surname": person.last(), "EmailAddress": person.email(), "Domain": null, "Type": "User", "IsActive": person.active,
                    "LicenseType": null, "LastLoginTime": "2026-01-02T03:04:05.67Z"})
            });
            fine(json!({"@odata.context": "https://cloud.uipath.com/odata/$metadata#Users", "@odata.count": people.len(), "value": value}))
        },
        ..Vendor::of("uipath-orchestrator", "bearer", "users")
    })
    .await;
}

/// https://support.sugarcrm.com/documentation/sugar_developer/ (REST API: oauth2/token with a JSON body, OAuth-Token, next_offset -1 at the end)
#[tokio::test]
async fn sugar() {
    const FIELDS: &str = "user_name,full_name,first_name,last_name,email,title,department,status,employee_status,is_admin,phone_work,phone_mobile,address_city,address_country,reports_to_id,reports_to_name,date_entered,date_modified";
    read_all(Vendor {
        inputs: &[
            ("host", "acme.sugarondemand.com"),
            ("username", "intertie"),
            ("!password", SECRET),
            ("token_url", "{at}/rest/v11/oauth2/token"),
            ("base_url", "{at}/rest/v11"),
        ],
        people: 150,
        pages: 2,
        answer: |ask, people| {
            if ask.is("POST /rest/v11/oauth2/token", &[]) {
                let sent = ask.body();
                let right = sent["grant_type"] == "password" && sent["username"] == "intertie" && sent["password"] == SECRET;
                return (right && sent["client_id"] == "sugar" && sent["platform"] == "base").then(|| {
                    let token = json!({"access_token": "granted", "expires_in": 3600, "token_type": "bearer", "scope": null, "refresh_token": "r", "refresh_expires_in": 1_209_600});
                    reply(200, token)
                });
            }
            ask.carries("oauth-token", "granted")?;
            if ask.is("GET /rest/v11/me", &[]) {
                return fine(json!({"current_user": {"id": "1", "user_name": "intertie"}}));
            }
            let users = "GET /rest/v11/Users";
            let (most, from) = match ask.is(users, &[("max_num", "1"), ("fields", "user_name")]) {
                true => (1, 0),
                false => (100, ask.place(users, &[("fields", FIELDS), ("order_by", "date_entered:asc"), ("max_num", "100")], "offset")?),
            };
            let page = cut(people, from, most);
            let records = list(page, |person| {
                let email = json!([{"email_address": person.email(), "primary_address": true, "reply_to_address": false, "invalid_email": false, "opt_out": false}]);
                json!({"id": person.id(), "user_name": person.id(), "full_name": person.name(), "first_name": person.first(), "last_name": person.last(),
                    "email": email, "status": person.state("Active", "Inactive"), "is_admin": false, "title": "", "_module": "Users"})
            });
            let next = from + page.len();
            fine(json!({"next_offset": if next < people.len() { json!(next) } else { json!(-1) }, "records": records}))
        },
        ..Vendor::of("sugar-enterprise", "password", "users")
    })
    .await;
}

/// https://api.insightly.com/v3.1/Help#!/Users: the key as user name, without a password; 429 when it is too fast
#[tokio::test]
async fn insightly() {
    const KEY: &str = "0f0e0d0c-0b0a-0908-0706-050403020100";
    read_all(Vendor {
        inputs: &[("pod", "na1"), ("!api_key", KEY), ("base_url", "{at}/v3.1")],
        // A page that is shorter than asked for may be all that is given at once: an empty one ends the list.
        people: 7,
        pages: 2,
        stumble: |ask| ask.place("GET /v3.1/Users", &[("top", "500")], "skip").and_then(|_| limited(json!({"Message": "API calls quota exceeded"}))),
        answer: |ask, people| {
            ask.carries("authorization", &basic(KEY, ""))?;
            if ask.is("GET /v3.1/Users/Me", &[]) {
                return fine(json!({"USER_ID": 1, "EMAIL_ADDRESS": "me@acme.example"}));
            }
            let (top, from) = match ask.is("GET /v3.1/Users", &[("top", "1")]) {
                true => (1, 0),
                false => (500, ask.place("GET /v3.1/Users", &[("top", "500")], "skip")?),
            };
            fine(list(cut(people, from, top), |person| {
                json!({"USER_ID": 7000 + person.n, "CONTACT_ID": 0, "FIRST_NAME": person.first(), "LAST_NAME": person.last(), "EMAIL_ADDRESS": person.email(),
                    "ACTIVE": person.active, "ADMINISTRATOR": false, "TIMEZONE_ID": "Pacific Standard Time", "EMAIL_DROPBOX_ADDRESS": "drop@mailbox.insight.ly",
                    "DATE_CREATED_UTC": "2020-01-02 03:04:05"})
            }))
        },
        ..Vendor::of("insightly-crm", "api_key", "users")
    })
    .await;
}

/// https://developer.intuit.com/app/developer/qbo/docs/learn/explore-the-quickbooks-online-api/data-queries (the place is part of the query; an
/// empty answer has no list) and https://developer.intuit.com/app/developer/qbo/docs/api/accounting/all-entities/employee
#[tokio::test]
async fn quickbooks_online() {
    const QUERY: &str = "select * from Employee where Active in (true, false) orderby Id startposition ";
    read_all(Vendor {
        inputs: &[
            ("client_id", "ABAbCdEfGhIjKl"),
            ("!client_secret", SECRET),
            ("token_url", "{at}/oauth2/v1/tokens/bearer"),
            ("base_url", "{at}/v3/company/4620816365"),
            REDIRECT,
        ],
        consent: true,
        beside_code: "realmId=4620816365",
        people: 2000,
        pages: 3,
        stumble: |ask| {
            let query = format!("{QUERY}1001 maxresults 1000");
            let fault = json!({"fault": {"error": [{"message": "message=ThrottleExceeded; errorCode=003001; statusCode=429"}], "type": "THROTTLE"}});
            ask.is("GET /v3/company/4620816365/query", &[("minorversion", "75"), ("query", &query)]).then(|| limited(fault))?
        },
        answer: |ask, people| {
            if let Some(token) = redeemed(ask, "POST /oauth2/v1/tokens/bearer", &[]) {
                ask.carries("authorization", &basic("ABAbCdEfGhIjKl", SECRET))?;
                return Some(token);
            }
            if ask.carries("authorization", "Bearer first").is_some() {
                let error = json!([{"Message": "message=AuthenticationFailed; errorCode=003200; statusCode=401", "code": "3200"}]);
                return Some(reply(401, json!({"Fault": {"Error": error, "type": "AUTHENTICATION"}, "time": "2026-01-02T03:04:05.000-07:00"})));
            }
            ask.carries("authorization", "Bearer second")?;
            if ask.is("GET /v3/company/4620816365/companyinfo/4620816365", &[("minorversion", "75")]) {
                return fine(json!({"CompanyInfo": {"CompanyName": "Acme", "Id": "1"}}));
            }
            let query = ask.varies("GET /v3/company/4620816365/query", &[("minorversion", "75")], "query")?;
            let (start, most) = match query.as_str() {
                "select Id from Employee maxresults 1" => (1, 1),
                _ => (query.strip_prefix(QUERY)?.strip_suffix(" maxresults 1000")?.parse::<usize>().ok()?, 1000),
            };
            let page = cut(people, start.checked_sub(1)?, most);
            if page.is_empty() {
                return fine(json!({"QueryResponse": {}, "time": "2026-01-02T03:04:05.000-07:00"}));
            }
            let employees = list(page, |person| {
                json!({"Id": person.n.to_string(), "SyncToken": "0", "domain": "QBO", "sparse": false, "DisplayName": person.name(), "GivenName": person.first(),
                    "FamilyName": person.last(), "Active": person.active, "PrimaryEmailAddr": {"Address": person.email()}, "BillableTime": false,
                    "PrimaryAddr": {"City": "Middlefield"}, "MetaData": {"CreateTime": "2014-11-03T19:03:06-08:00"}})
            });
            fine(json!({"QueryResponse": {"Employee": employees, "startPosition": start, "maxResults": page.len()}, "time": "2026-01-02T03:04:05.000-07:00"}))
        },
        ..Vendor::of("quickbooks-online", "oauth2_code", "employees")
    })
    .await;
}
