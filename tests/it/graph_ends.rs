//! When a secret or certificate of an app registration ends, as Microsoft Graph tells it: `passwordCredentials` and `keyCredentials` in the
//! documented shape (graph/api/application-get, graph/resources/keycredential, graph/resources/passwordcredential).

use std::process::Command;

use base64::Engine as _;
use intertie::model::Time;
use jiff::SignedDuration;
use serde_json::{Value, json};
use wiremock::matchers::{method, path, path_regex, query_param};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::cli::Shell;
use crate::searched::Captured as _;

const APP: &str = "3f2a51c0-7d84-4a1e-9c57-2b6d1e0f91c0";
const SECRET: &str = "abc8Q~planted-graph-secret";

fn in_days(days: i64) -> Time {
    Time::from_second(Time::now().as_second()).unwrap() + SignedDuration::from_hours(24 * days)
}

/// A tenant whose app registration has these credentials; `None`: it may not be read.
async fn tenant(server: &MockServer, member: &str, list: Option<Value>) {
    server.reset().await;
    let token = json!({"token_type": "Bearer", "expires_in": 3599, "ext_expires_in": 3599, "access_token": "planted-access"});
    Mock::given(method("POST")).and(path("/token")).respond_with(ResponseTemplate::new(200).set_body_json(token)).mount(server).await;
    let answer = match list {
        Some(list) => {
            let context = format!("https://graph.microsoft.com/v1.0/$metadata#applications({member})/$entity");
            ResponseTemplate::new(200).set_body_json(json!({"@odata.context": context, member: list}))
        }
        None => ResponseTemplate::new(403)
            .set_body_json(json!({"error": {"code": "Authorization_RequestDenied", "message": "Insufficient privileges",
            "innerError": {"date": "2026-01-01T00:00:00", "request-id": "r", "client-request-id": "c"}}})),
    };
    let asked = Mock::given(method("GET")).and(path_regex(format!(r"^/v1\.0/applications\(appId='{APP}'\)$"))).and(query_param("$select", member));
    asked.respond_with(answer).mount(server).await;
    let all = ResponseTemplate::new(200).set_body_json(json!({"@odata.context": "c", "value": []}));
    Mock::given(method("GET")).respond_with(all).with_priority(9).mount(server).await;
}

fn password(hint: Option<&str>, ends: Time) -> Value {
    json!({"customKeyIdentifier": null, "displayName": "one of several", "endDateTime": ends.to_string(), "hint": hint,
        "keyId": "f0b0b335-1d71-4883-8f98-567911bfdca6", "secretText": null, "startDateTime": "2026-01-01T00:00:00Z"})
}

fn key(der: Option<&[u8]>, mark: &str, ends: Time) -> Value {
    let key = der.map(|der| base64::engine::general_purpose::STANDARD.encode(der));
    json!({"customKeyIdentifier": mark, "displayName": "CN=one of several", "endDateTime": ends.to_string(), "key": key,
        "keyId": "f0b0b335-1d71-4883-8f98-567911bfdca6", "startDateTime": "2026-01-01T00:00:00Z", "type": "AsymmetricX509Cert", "usage": "Verify"})
}

struct Admin {
    shell: Shell,
    server: MockServer,
}

impl Admin {
    async fn new() -> Self {
        Self { shell: Shell::new(), server: MockServer::start().await }
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.shell.command(arguments);
        command.env("GRAPH_SECRET", SECRET);
        command
    }

    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let output = self.command(&[arguments, &["--json"]].concat()).captured();
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains("planted"), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    fn add(&self, method: &str, secrets: &[&str]) {
        let (base, token) = (format!("base_url={}/v1.0", self.server.uri()), format!("token_url={}/token", self.server.uri()));
        let id = format!("client_id={APP}");
        let mut arguments = vec!["credential", "add", "microsoft-365", "--method", method, "--name", "Graph", "--set", &base, "--set", &token];
        arguments.extend(["--set", &id, "--set", "tenant=contoso.onmicrosoft.com"]);
        for secret in secrets {
            arguments.extend(["--set", secret]);
        }
        self.json(&arguments, 0);
    }

    /// What ends, but for tokens: what, when, from where that is known.
    fn calendar(&self) -> Vec<(String, String, String)> {
        let rows = self.json(&["credential", "calendar"], 0);
        let rows = rows.as_array().unwrap().iter().filter(|row| row["what"] != "access_token");
        let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
        rows.map(|row| (text(row, "what"), text(row, "at"), text(row, "known_from"))).collect()
    }
}

fn row(what: &str, at: Time, known_from: &str) -> Vec<(String, String, String)> {
    vec![(what.to_owned(), at.to_string(), known_from.to_owned())]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_client_secret() {
    let admin = Admin::new().await;
    let (soon, later) = (in_days(9), in_days(200));
    tenant(&admin.server, "passwordCredentials", Some(json!([password(Some("xyz"), soon), password(Some("abc"), later)]))).await;
    admin.add("client_credentials", &["client_secret=env:GRAPH_SECRET"]);
    // Known by its first three characters.
    assert_eq!(admin.calendar(), row("secret", later, "vendor"));
    assert_eq!(admin.json(&["credential", "expiring"], 0), json!([]));

    // No characters, two ends: the sooner, and that it is a guess.
    tenant(&admin.server, "passwordCredentials", Some(json!([password(None, later), password(None, soon), password(Some("xyz"), in_days(2))]))).await;
    admin.json(&["credential", "test", "Graph"], 0);
    assert_eq!(admin.calendar(), row("secret", soon, "guess"));
    let expiring = admin.json(&["credential", "expiring"], 3);
    assert_eq!((&expiring[0]["what"], &expiring[0]["known_from"]), (&json!("secret"), &json!("guess")), "{expiring}");
    assert_eq!(admin.json(&["credential", "show", "Graph"], 0)["status"], "expiring");
    for noun in ["calendar", "expiring"] {
        let output = admin.command(&["credential", noun]).captured();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(text.contains("guessed: the first to end of several"), "{text}");
    }
    // A person who knows is believed before a guess.
    let typed = in_days(100).strftime("%Y-%m-%d").to_string();
    admin.json(&["credential", "edit", "Graph", "--secret-expires", &typed], 0);
    assert_eq!(admin.calendar(), row("secret", format!("{typed}T00:00:00Z").parse().unwrap(), "typed"));
    admin.json(&["credential", "edit", "Graph", "--secret-expires", "never"], 0);

    // What was said once stays when it may not be read any more.
    tenant(&admin.server, "passwordCredentials", None).await;
    admin.json(&["credential", "test", "Graph"], 0);
    assert_eq!(admin.calendar(), row("secret", soon, "guess"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_certificate() {
    let admin = Admin::new().await;
    let pair = rcgen::KeyPair::from_pem_and_sign_algo(include_str!("../keys/rsa.pkcs8.pem"), &rcgen::PKCS_RSA_SHA256).unwrap();
    let own_end = in_days(300).to_zoned(jiff::tz::TimeZone::UTC).date();
    let mut params = rcgen::CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(own_end.year().into(), own_end.month().unsigned_abs(), own_end.day().unsigned_abs());
    let certificate = params.self_signed(&pair).unwrap();
    let own_end = own_end.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp();
    let key_file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/keys/rsa.pkcs8.pem");
    let (pem, private) = (format!("certificate={}", certificate.pem()), format!("private_key=file:{key_file}"));
    let other = key(Some(b"another certificate"), "52ED9B5038A47B9E2E2190715CC238359D4F8F73", in_days(3));

    // The certificate itself is told: its own entry counts, and ends before it does.
    let said = in_days(100);
    tenant(&admin.server, "keyCredentials", Some(json!([other, key(Some(certificate.der()), "somebody's own mark", said)]))).await;
    admin.add("certificate", &[&pem, &private]);
    assert_eq!(admin.calendar(), row("certificate", said, "vendor"));

    // Known by its thumbprint alone.
    let thumbprint: String = ring::digest::digest(&ring::digest::SHA1_FOR_LEGACY_USE_ONLY, certificate.der())
        .as_ref()
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02X}"));
    let said = in_days(10);
    tenant(&admin.server, "keyCredentials", Some(json!([key(None, "AAAA", in_days(3)), key(None, &thumbprint, said)]))).await;
    admin.json(&["credential", "test", "Graph"], 0);
    assert_eq!(admin.calendar(), row("certificate", said, "vendor"));
    assert_eq!(admin.json(&["credential", "expiring"], 3)[0]["what"], "certificate");

    // Nothing tells them apart: what stands in the certificate is better than a guess.
    tenant(&admin.server, "keyCredentials", Some(json!([key(None, "AAAA", in_days(3)), key(None, "BBBB", in_days(200))]))).await;
    admin.json(&["credential", "test", "Graph"], 0);
    assert_eq!(admin.calendar(), row("certificate", own_end, "token"));
}
