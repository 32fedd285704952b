//! What a token says about itself: claims of a JWT, never its signature, never the token.

use jiff::SignedDuration;
use serde_json::Value;

use super::{Result, Workspace, credentials};
use crate::auth::home::Home;
use crate::auth::jwt::{self, Decoded};
use crate::auth::subject::Subject;
use crate::catalog::addresses;
use crate::model::{AuthKind, Problem, Time};
use crate::words::clean;
use crate::{problem, t};

/// Clocks differ; RFC 7519 §4.1.4 allows "usually no more than a few minutes".
const LEEWAY: SignedDuration = SignedDuration::from_mins(1);
/// The longest value that is shown, in characters.
const LONGEST: usize = 200;
/// More claims than this are not shown.
const MOST: usize = 100;

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TokenView {
    /// `access_token`, `id_token`, or the input that holds it.
    pub what: String,
    /// Not a JWT: nothing can be read from it.
    pub opaque: bool,
    /// `RS256`.
    pub algorithm: Option<String>,
    /// Claims in the token's order, values fit to show.
    pub claims: Vec<Claim>,
    pub issued: Option<Time>,
    pub expires: Option<Time>,
    /// Issuer, audience, times and clock: what is not as it should be.
    pub findings: Vec<Problem>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Claim {
    pub name: String,
    pub value: String,
    /// What it means, for the registered ones (RFC 7519 §4.1) and those that vendors are known for.
    pub meaning: String,
}

/// The tokens that a credential holds, decoded here; nothing is sent anywhere.
pub fn view(ws: &Workspace, credential: &str) -> Result<Vec<TokenView>> {
    let credential = credentials::get(ws, credential)?;
    let subject = Subject::load(ws.vault(), ws.catalog(), &credential)?;
    let now = Time::now();
    let base = addresses::base_url(&subject.connector, &subject.context).ok().flatten();
    let mut expected = Expected {
        issuer: subject.issuer().ok().flatten(),
        client: None,
        api: base.as_deref().and_then(|base| url::Url::parse(base).ok()?.host_str().map(str::to_owned)),
        clock_ahead: credential.known.clock_ahead,
        now,
    };
    let mut views = Vec::new();
    if let Some(tokens) = Home::new(ws.store()?, ws.vault(), &credential)?.load_now()?.tokens {
        let mut access = look("access_token", &tokens.access, &expected);
        access.issued = access.issued.or(Some(tokens.obtained));
        if access.opaque || access.expires.is_none() {
            access.expires = tokens.expires;
            access.findings.extend(ended(tokens.expires, now).filter(|_| !credential.refreshes));
        }
        views.push(access);
        if let Some(token) = &tokens.id_token {
            // OpenID Connect Core §2: its audience is the client.
            expected.client = subject.input("client_id").map(str::to_owned);
            expected.api = None;
            let mut id = look("id_token", token, &expected);
            // It says who signed in, and is not sent anywhere: that it has ended means nothing.
            id.findings.retain(|problem| problem.code.as_deref() != Some("exp"));
            views.push(id);
        }
    } else if !subject.method().has_token() {
        expected.issuer = None;
        let inputs = subject.connector.inputs_for(&subject.method_key);
        for one in inputs.iter().filter(|one| one.secret) {
            let Some(value) = subject.input(&one.key) else { continue };
            let holds_token = matches!(subject.method().kind, AuthKind::Bearer | AuthKind::ApiKey);
            if holds_token || jwt::decode(value).is_some() {
                views.push(look(&one.key, value, &expected));
            }
        }
    }
    Ok(views)
}

/// What a token should say.
struct Expected {
    issuer: Option<String>,
    /// The client that an ID token is for.
    client: Option<String>,
    /// The host that requests go to.
    api: Option<String>,
    clock_ahead: Option<i64>,
    now: Time,
}

fn look(what: &str, token: &str, expected: &Expected) -> TokenView {
    let mut view =
        TokenView { what: what.to_owned(), opaque: true, algorithm: None, claims: Vec::new(), issued: None, expires: None, findings: Vec::new() };
    let Some(decoded) = jwt::decode(token) else { return view };
    view.opaque = false;
    view.algorithm = decoded.header.get("alg").and_then(Value::as_str).map(|alg| clean::line(alg, 20));
    view.issued = decoded.time("iat");
    view.expires = decoded.time("exp");
    view.claims = decoded.claims.iter().take(MOST).map(|(name, value)| claim(name, value)).collect();
    view.findings = findings(&decoded, expected);
    view
}

fn claim(name: &str, value: &Value) -> Claim {
    let shown = if is_secret(name, value) {
        t!("token.hidden").to_owned()
    } else {
        match (name, jwt::moment(value)) {
            ("exp" | "nbf" | "iat" | "auth_time" | "updated_at" | "xms_tcdt", Some(at)) => at.to_string(),
            _ => text(value),
        }
    };
    Claim { name: clean::line(name, 80), value: clean::line(&shown, LONGEST), meaning: meaning(name).to_owned() }
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(text).collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    }
}

/// A claim that another could use: by its name, or because it is a token itself.
fn is_secret(name: &str, value: &Value) -> bool {
    let name = name.to_ascii_lowercase();
    let named = ["password", "passwd", "secret", "private", "refresh_token", "access_token", "api_key", "apikey", "session_token", "assertion"];
    let tokens = |value: &Value| value.as_str().is_some_and(|text| jwt::decode(text).is_some() || text.contains("-----BEGIN"));
    let inside = match value {
        Value::Object(map) => map.iter().any(|(name, value)| is_secret(name, value)),
        Value::Array(items) => items.iter().any(|item| is_secret("", item)),
        other => tokens(other),
    };
    named.iter().any(|part| name.contains(part)) || inside
}

fn findings(token: &Decoded, expected: &Expected) -> Vec<Problem> {
    let mut findings = Vec::new();
    let now = expected.now;
    findings.extend(ended(token.time("exp"), now));
    let later = |at: Option<Time>| at.filter(|at| at.duration_since(now) > LEEWAY);
    if let Some(at) = later(token.time("nbf")).or(later(token.time("iat"))) {
        findings.push(problem!(Failed, "token.early", at = at).with_code("nbf"));
    }
    if let Some(seconds) = expected.clock_ahead.filter(|seconds| seconds.unsigned_abs() > LEEWAY.as_secs().unsigned_abs()) {
        let n = seconds.unsigned_abs();
        findings.push(if seconds > 0 {
            problem!(PersonMustAct, "token.clock_ahead", n = n)
        } else {
            problem!(PersonMustAct, "token.clock_behind", n = n)
        });
    }
    if let (Some(known), Some(said)) = (&expected.issuer, token.text("iss"))
        && !same_issuer(known, said)
    {
        findings.push(problem!(PersonMustAct, "token.issuer", said = clean::line(said, 120), expected = clean::line(known, 120)).with_code("iss"));
    }
    let audience = token.list("aud");
    if let Some(client) = expected.client.as_ref().filter(|client| !audience.is_empty() && !audience.contains(client)) {
        let said = clean::line(&audience.join(", "), 120);
        findings.push(problem!(PersonMustAct, "token.client", said = said, expected = clean::line(client, 80)).with_code("aud"));
    }
    if let (Some(api), Some(other)) = (&expected.api, other_api(&audience, expected.api.as_deref())) {
        findings.push(problem!(PersonMustAct, "token.audience", said = clean::line(&other, 120), api = clean::line(api, 100)).with_code("aud"));
    }
    if token.header.get("alg").and_then(Value::as_str).is_some_and(|alg| alg.eq_ignore_ascii_case("none")) {
        findings.push(problem!(PersonMustAct, "token.unsigned").with_code("alg"));
    }
    findings
}

fn ended(at: Option<Time>, now: Time) -> impl Iterator<Item = Problem> {
    at.filter(|at| *at <= now).map(|at| problem!(Failed, "token.ended", at = at).with_code("exp")).into_iter()
}

/// The issuer as it should be; Entra's older tokens name `https://sts.windows.net/TENANT/` for the same tenant
/// (learn.microsoft.com/entra/identity-platform/access-tokens).
fn same_issuer(expected: &str, said: &str) -> bool {
    if expected.trim_end_matches('/') == said.trim_end_matches('/') {
        return true;
    }
    let tenant = |text: &str| {
        let url = url::Url::parse(text).ok()?;
        let entra = matches!(
            url.host_str()?,
            "sts.windows.net"
                | "login.microsoftonline.com"
                | "login.microsoftonline.us"
                | "login.partner.microsoftonline.cn"
                | "sts.chinacloudapi.cn"
        );
        entra.then(|| url.path_segments()?.next().map(str::to_ascii_lowercase)).flatten()
    };
    match (tenant(expected), tenant(said)) {
        // A name of several tenants, or a domain, says nothing about the identifier.
        (Some(expected), Some(said)) => expected == said || !is_tenant_id(&expected),
        _ => false,
    }
}

fn is_tenant_id(text: &str) -> bool {
    text.len() == 36 && text.bytes().enumerate().all(|(i, b)| if matches!(i, 8 | 13 | 18 | 23) { b == b'-' } else { b.is_ascii_hexdigit() })
}

/// The API that a token is for, where it names one by address and requests go to quite another.
fn other_api(audience: &[String], api: Option<&str>) -> Option<String> {
    let api = site(api?);
    let hosts: Vec<(String, String)> = audience
        .iter()
        .filter_map(|one| Some((one.clone(), site(url::Url::parse(one).ok().filter(|url| url.scheme().starts_with("http"))?.host_str()?))))
        .collect();
    // One without an address is an identifier, and may be this API's.
    if hosts.len() < audience.len() || hosts.iter().any(|(_, host)| *host == api) {
        return None;
    }
    hosts.into_iter().next().map(|(audience, _)| audience)
}

/// The last two labels: `graph.microsoft.com` and `login.microsoft.com` are one site.
fn site(host: &str) -> String {
    let labels: Vec<&str> = host.rsplit('.').take(2).collect();
    labels.into_iter().rev().collect::<Vec<_>>().join(".").to_ascii_lowercase()
}

/// Registered claims (RFC 7519 §4.1, RFC 8693 §4, RFC 9068 §2.2, OpenID Connect Core §2 and §5.1), Microsoft Entra's
/// (learn.microsoft.com/entra/identity-platform/access-token-claims-reference), Google's and Okta's.
fn meaning(claim: &str) -> &'static str {
    match claim {
        "iss" => t!("token.claim.iss"),
        "sub" => t!("token.claim.sub"),
        "aud" => t!("token.claim.aud"),
        "exp" => t!("token.claim.exp"),
        "nbf" => t!("token.claim.nbf"),
        "iat" => t!("token.claim.iat"),
        "jti" | "uti" => t!("token.claim.jti"),
        "azp" | "appid" | "client_id" | "cid" => t!("token.claim.client"),
        "app_displayname" => t!("token.claim.app_name"),
        "scp" | "scope" => t!("token.claim.scp"),
        "roles" => t!("token.claim.roles"),
        "wids" => t!("token.claim.wids"),
        "groups" => t!("token.claim.groups"),
        "tid" => t!("token.claim.tid"),
        "oid" => t!("token.claim.oid"),
        "uid" => t!("token.claim.uid"),
        "idtyp" => t!("token.claim.idtyp"),
        "azpacr" | "appidacr" => t!("token.claim.proof"),
        "acr" => t!("token.claim.acr"),
        "amr" => t!("token.claim.amr"),
        "auth_time" => t!("token.claim.auth_time"),
        "nonce" => t!("token.claim.nonce"),
        "at_hash" => t!("token.claim.at_hash"),
        "ver" => t!("token.claim.ver"),
        "upn" | "unique_name" | "preferred_username" => t!("token.claim.username"),
        "name" => t!("token.claim.name"),
        "email" => t!("token.claim.email"),
        "email_verified" => t!("token.claim.email_verified"),
        "hd" => t!("token.claim.hd"),
        "act" => t!("token.claim.act"),
        "cnf" => t!("token.claim.cnf"),
        "sid" => t!("token.claim.sid"),
        "ipaddr" => t!("token.claim.ipaddr"),
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use serde_json::json;

    const TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

    fn token(claims: &Value) -> String {
        let part = |value: &Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
        format!("{}.{}.c2ln", part(&json!({"alg": "RS256", "kid": "k"})), part(claims))
    }

    fn expected() -> Expected {
        Expected { issuer: None, client: None, api: None, clock_ahead: None, now: Time::from_second(1_700_000_000).unwrap() }
    }

    fn codes(claims: &Value, expected: &Expected) -> Vec<String> {
        look("access_token", &token(claims), expected).findings.into_iter().map(|problem| problem.code.unwrap_or(problem.what)).collect()
    }

    #[test]
    fn claims_are_shown_with_their_meaning_and_without_secrets() {
        let nested = token(&json!({"a": 1}));
        let claims = json!({"iss": "https://id.example", "exp": 1_700_003_600, "iat": 1_700_000_000, "roles": ["User.Read.All", "x"], "long": "y".repeat(500),
            "client_secret": "s3cret", "inner": nested, "deep": {"password": "s3cret"}, "evil": "a\u{1b}[31mb", "n": {"a": [1]}});
        let view = look("access_token", &token(&claims), &expected());
        let value = |name: &str| view.claims.iter().find(|claim| claim.name == name).unwrap().value.clone();
        assert_eq!(view.claims.iter().map(|claim| claim.name.as_str()).take(3).collect::<Vec<_>>(), ["iss", "exp", "iat"]);
        assert_eq!(
            (value("exp").as_str(), value("roles").as_str(), value("n").as_str()),
            ("2023-11-14T23:13:20Z", "User.Read.All, x", "{\"a\":[1]}")
        );
        assert!(value("long").chars().count() <= LONGEST && !value("evil").contains('\u{1b}'));
        let text = format!("{view:?}");
        assert!(!text.contains("s3cret") && !text.contains(&nested) && !text.contains("c2ln"), "{text}");
        assert!(!view.claims[0].meaning.is_empty() && view.algorithm.as_deref() == Some("RS256") && !view.opaque);
        assert_eq!((view.issued.unwrap().as_second(), view.expires.unwrap().as_second()), (1_700_000_000, 1_700_003_600));
        assert!(look("token", "xoxb-1-2", &expected()).opaque);
    }

    #[test]
    fn times_and_clock() {
        for (claims, found) in [
            (json!({"exp": 1_700_000_000}), vec!["exp"]),
            (json!({"exp": 1_700_000_001, "nbf": 1_700_000_060, "iat": 1_700_000_030}), vec![]),
            (json!({"nbf": 1_700_000_061}), vec!["nbf"]),
            (json!({"iat": 1_700_009_000}), vec!["nbf"]),
        ] {
            assert_eq!(codes(&claims, &expected()), found, "{claims}");
        }
        for (ahead, n) in [(0, 0), (60, 0), (-60, 0), (61, 1), (-4000, 1)] {
            assert_eq!(codes(&json!({}), &Expected { clock_ahead: Some(ahead), ..expected() }).len(), n, "{ahead}");
        }
    }

    #[test]
    fn issuer_and_audience() {
        let v2 = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
        let v1 = format!("https://sts.windows.net/{TENANT}/");
        let other = "https://sts.windows.net/00000000-6c67-4c5b-b112-36a304b66dad/";
        for (known, said, same) in [
            ("https://id.example", "https://id.example/", true),
            ("https://id.example", "https://id.example.evil", false),
            (&v2, &v1, true),
            (&v2, other, false),
            ("https://login.microsoftonline.com/contoso.com/v2.0", &v1, true),
            ("https://id.example", &v1, false),
        ] {
            let expected = Expected { issuer: Some(known.to_owned()), ..expected() };
            assert_eq!(codes(&json!({"iss": said}), &expected).is_empty(), same, "{known} {said}");
        }
        let api = Expected { api: Some("graph.microsoft.com".to_owned()), ..expected() };
        for (aud, found) in [
            (json!("https://graph.microsoft.com"), false),
            (json!("00000003-0000-0000-c000-000000000000"), false),
            (json!("https://vault.azure.net"), true),
            (json!(["https://vault.azure.net", "https://graph.microsoft.com/"]), false),
            (json!("api://abc"), false),
        ] {
            assert_eq!(codes(&json!({"aud": aud}), &api) == ["aud"], found, "{aud}");
        }
        let client = Expected { client: Some("me".to_owned()), ..expected() };
        assert_eq!((codes(&json!({"aud": ["me", "x"]}), &client).len(), codes(&json!({"aud": "x"}), &client).len()), (0, 1));
    }
}
