//! The life of a credential through the real program: a secret rotated side by side, a consent given anew, what ends when, the end.

use base64::Engine as _;
use intertie::model::{CredentialDraft, Secret, Sink, Time};
use intertie::ops::{Config, Workspace, credentials};
use intertie::practice::{self, Practice};
use intertie::vault::Vault;
use jiff::SignedDuration;
use serde_json::{Value, json};
use wiremock::matchers::{header, method, path};
use wiremock::{Mock, MockServer, ResponseTemplate};

use crate::cli::Shell;
use crate::searched::{Captured as _, Ended as _};

/// A shell, and the workspace that its commands work in.
fn stage() -> (Shell, Workspace) {
    let shell = Shell::new();
    let ws = Workspace::open(&shell.workspace(), Config::default());
    (shell, ws)
}

/// Runs a command with a secret on standard input.
fn with_secret(shell: &Shell, arguments: &[&str], secret: &str, code: i32) -> Value {
    use std::io::Write as _;
    let mut command = shell.command(&[arguments, &["--json"]].concat());
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(secret.as_bytes()).unwrap();
    let output = child.captured();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}\n{text}\n{}", String::from_utf8_lossy(&output.stderr));
    assert!(!text.contains(secret) && !String::from_utf8_lossy(&output.stderr).contains(secret), "{text}");
    serde_json::from_str(&text).unwrap()
}

/// A vendor that takes these keys.
async fn keys(server: &MockServer, keys: &[&str]) {
    server.reset().await;
    for key in keys {
        let known = Mock::given(method("GET")).and(path("/me")).and(header("x-key", *key));
        known.respond_with(ResponseTemplate::new(200).set_body_json(json!({}))).mount(server).await;
    }
    Mock::given(method("GET")).respond_with(ResponseTemplate::new(401).set_body_json(json!({"error": "no"}))).with_priority(9).mount(server).await;
}

/// A connector of the workspace's own with a key and a certificate.
fn define(shell: &Shell, address: &str) {
    let definition = format!(
        r#"
        schema = 1
        id = "keyed"
        name = "Keyed"
        request = {{ base_url = "{address}" }}
        [auth.key]
        kind = "api_key"
        name = "Key"
        placement = {{ header = "X-Key" }}
        [[auth.key.input]]
        key = "api_key"
        label = "Key"
        secret = true
        [[auth.key.input]]
        key = "certificate"
        label = "Certificate"
        optional = true
        [[check]]
        path = "/me"
        proves = "The account can be read."
        "#
    );
    let dir = shell.workspace().join("connectors");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("keyed.toml"), definition).unwrap();
}

fn in_days(days: i64) -> Time {
    Time::now() + SignedDuration::from_hours(24 * days)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_rotated_side_by_side() {
    let (shell, server) = (Shell::new(), MockServer::start().await);
    define(&shell, &server.uri());
    keys(&server, &["planted-old"]).await;
    with_secret(&shell, &["credential", "add", "keyed", "--name", "Key", "--secret-stdin", "api_key"], "planted-old", 0);
    let rotate = ["credential", "rotate", "Key", "--secret-stdin", "api_key"];

    // A wrong one: nothing has changed.
    let outcome = with_secret(&shell, &rotate, "planted-wrong", 3);
    assert_eq!((&outcome["ok"], &outcome["status"]), (&json!(false), &json!(401)), "{outcome}");
    assert_eq!(shell.json(&["credential", "test", "Key"], 0)["ok"], true);
    let shown = shell.json(&["credential", "show", "Key"], 0);
    assert_eq!((&shown["status"], &shown["known"]["rotated"]), (&json!("valid"), &json!([])), "{shown}");
    shell.json(&["credential", "rotate", "Key", "--back", "api_key"], 2);
    with_secret(&shell, &rotate, "planted-old", 2);

    // Both hold at the vendor, and then only the new one.
    keys(&server, &["planted-old", "planted-new"]).await;
    let day = in_days(200).strftime("%Y-%m-%d").to_string();
    let outcome = with_secret(&shell, &[&rotate[..], &["--secret-expires", &day]].concat(), "planted-new", 0);
    assert_eq!(outcome["ok"], true, "{outcome}");
    keys(&server, &["planted-new"]).await;
    assert_eq!(shell.json(&["credential", "test", "Key"], 0)["ok"], true);
    let shown = shell.json(&["credential", "show", "Key"], 0);
    assert_eq!((&shown["known"]["rotated"][0]["field"], &shown["secret_expires"]), (&json!("api_key"), &json!(format!("{day}T00:00:00Z"))));

    // The way back is gone through whatever the test says: the person knows why.
    let outcome = shell.json(&["credential", "rotate", "Key", "--back", "api_key"], 3);
    assert_eq!(outcome["ok"], false, "{outcome}");
    assert_eq!(shell.json(&["credential", "show", "Key"], 0)["status"], "refused");
    keys(&server, &["planted-old"]).await;
    assert_eq!(shell.json(&["credential", "test", "Key"], 0)["ok"], true);
    // And forth again.
    keys(&server, &["planted-new"]).await;
    assert_eq!(shell.json(&["credential", "rotate", "Key", "--back", "api_key"], 0)["ok"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_is_in_the_calendar_and_found_by_scripts() {
    let (shell, server) = (Shell::new(), MockServer::start().await);
    define(&shell, &server.uri());
    // A key that is a token, and a certificate: both say when they end.
    let part = |value: Value| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(value.to_string());
    let key_ends = in_days(20);
    let claims = json!({"sub": "ada", "exp": key_ends.as_second()});
    let key = format!("{}.{}.planted-signature", part(json!({"alg": "RS256"})), part(claims));
    let mut params = rcgen::CertificateParams::new(vec!["client.example".to_owned()]).unwrap();
    let day = in_days(6).to_zoned(jiff::tz::TimeZone::UTC).date();
    params.not_after = rcgen::date_time_ymd(day.year().into(), day.month().unsigned_abs(), day.day().unsigned_abs());
    let certificate = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    keys(&server, &[&key]).await;
    let setting = format!("certificate={certificate}");
    with_secret(&shell, &["credential", "add", "keyed", "--name", "Key", "--set", &setting, "--secret-stdin", "api_key"], &key, 0);

    let rows = shell.json(&["credential", "calendar"], 0);
    let of = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap().to_owned();
        (text("name"), text("what"), text("at").parse::<Time>().unwrap().as_second(), text("known_from"), row["automatic"] == true)
    };
    let rows: Vec<_> = rows.as_array().unwrap().iter().map(of).collect();
    let midnight = day.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second();
    let row = |what: &str, at: i64| ("Key".to_owned(), what.to_owned(), at, "token".to_owned(), false);
    assert_eq!(rows, [row("certificate", midnight), row("key", key_ends.as_second())]);
    assert_eq!(shell.json(&["credential", "show", "Key"], 0)["status"], "expiring");

    assert_eq!(shell.json(&["credential", "expiring", "--within", "2d"], 0), json!([]));
    let what = |within: &str| {
        let rows = shell.json(&["credential", "expiring", "--within", within], 3);
        rows.as_array().unwrap().iter().map(|row| row["what"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!((what("7d"), what("30d")), (vec!["certificate".to_owned()], vec!["certificate".to_owned(), "key".to_owned()]));

    // What the key says, without its signature.
    let views = shell.json(&["credential", "token", "Key"], 0);
    let view = views.as_array().unwrap().iter().find(|view| view["what"] == "api_key").unwrap_or_else(|| panic!("{views}"));
    assert_eq!((&view["opaque"], &view["algorithm"]), (&json!(false), &json!("RS256")), "{view}");
    let claim = view["claims"].as_array().unwrap().iter().find(|claim| claim["name"] == "sub").unwrap();
    assert_eq!(claim["value"], "ada");
    assert!(!claim["meaning"].as_str().unwrap().is_empty() && !views.to_string().contains("planted-signature"), "{views}");
}

/// Addresses and client of a practice vendor.
fn draft(ws: &Workspace, practice: &Practice, connector: &str, revoke_url: Option<&str>) -> CredentialDraft {
    let mut draft = credentials::draft_new(ws, connector, Some("oauth2_code")).unwrap();
    draft.name = "Practice".to_owned();
    draft.settings.insert("address".to_owned(), practice.base_url.clone());
    draft.settings.insert("client_id".to_owned(), practice::CLIENT_ID.to_owned());
    draft.settings.extend(revoke_url.map(|url| ("revoke_url".to_owned(), url.to_owned())));
    credentials::draft_save(ws, &draft).unwrap();
    credentials::draft_secret(ws, &draft.id, "client_secret", Secret::new(practice::CLIENT_SECRET)).unwrap()
}

async fn consent(ws: &Workspace, practice: &Practice, draft: &str) {
    let consent = credentials::consent_begin(ws, draft).await.unwrap();
    consent.offer(&practice.consent(&consent.view.authorize_url, true).unwrap()).unwrap();
    consent.finish(ws, &Sink::none()).await.unwrap();
    assert!(credentials::draft_test(ws, draft, &Sink::none()).await.unwrap().ok);
}

/// The access and the refresh token of a credential.
fn tokens(ws: &Workspace, id: &str) -> (String, String) {
    let vault = Vault::open(&ws.dir().join("vault"));
    let text = vault.get(id, "oauth.tokens").unwrap().unwrap();
    let tokens: Value = serde_json::from_str(text.expose()).unwrap();
    (tokens["access"].as_str().unwrap().to_owned(), tokens["refresh"].as_str().unwrap_or_default().to_owned())
}

/// Whether the practice vendor still takes this access token.
async fn works(practice: &Practice, access: &str) -> bool {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!("{}/v1.1/accounts/1/members?per_page=1", practice.base_url);
    http.get(url).bearer_auth(access).send().await.unwrap().status() == 200
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consent_given_anew_ends_the_one_before() {
    let practice = practice::start(practice::Options::default()).await.unwrap();
    let own = include_str!("../../assets/connectors/practice-clickwrap.toml");
    let whole = own.replace("id = \"practice-clickwrap\"", "id = \"whole\"").replace("revokes_grant = false", "revokes_grant = true");
    let unsure = own.replace("id = \"practice-clickwrap\"", "id = \"unsure\"").replace("revokes_grant = false", "");
    assert!(whole.contains("revokes_grant = true") && !unsure.contains("revokes_grant"));
    for (connector, revoke_url, old_works, said) in [
        ("practice-clickwrap", None, false, Some("and did")),
        // The vendor would end the new tokens, too.
        ("whole", None, true, None),
        // Nobody knows whether it would: the old token is left over, and that is told.
        ("unsure", None, true, Some("left alone")),
        // Nobody is there: the credential is renewed all the same.
        ("practice-clickwrap", Some("http://127.0.0.1:9/revoke"), true, Some("may still be valid")),
    ] {
        let (shell, ws) = stage();
        std::fs::create_dir_all(shell.workspace().join("connectors")).unwrap();
        std::fs::write(shell.workspace().join("connectors/whole.toml"), &whole).unwrap();
        std::fs::write(shell.workspace().join("connectors/unsure.toml"), &unsure).unwrap();
        let first = draft(&ws, &practice, connector, revoke_url);
        consent(&ws, &practice, &first.id).await;
        let saved = credentials::save(&ws, &first.id).await.unwrap();
        assert_eq!(saved.remark, None, "nothing was there before");
        let id = saved.credential.id;
        shell.draft();
        let before = tokens(&ws, &id);

        let renewal = credentials::renew(&ws, &id).unwrap();
        consent(&ws, &practice, &renewal.id).await;
        let saved = credentials::save(&ws, &renewal.id).await.unwrap();
        match said {
            Some(said) => assert!(saved.remark.as_ref().is_some_and(|remark| remark.contains(said)), "{:?}", saved.remark),
            None => assert_eq!(saved.remark, None),
        }
        let after = tokens(&ws, &id);
        assert!(before.0 != after.0 && before.1 != after.1);
        assert_eq!((works(&practice, &before.0).await, works(&practice, &after.0).await), (old_works, true), "{connector}");
        // Its integrations keep it, and it goes on by itself.
        assert_eq!(shell.json(&["credential", "show", "Practice"], 0)["used_by"], json!(["Members"]));
        assert_eq!(saved.credential.id, id);
        practice.expire_access_tokens();
        assert_eq!(shell.json(&["credential", "test", "Practice"], 0)["ok"], true);

        // Without another consent nothing is revoked.
        let again = credentials::renew(&ws, &id).unwrap();
        assert_eq!(credentials::save(&ws, &again.id).await.unwrap().remark, None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_ends_at_the_vendor_too() {
    let practice = practice::start(practice::Options::default()).await.unwrap();
    let (gone, dead) = (["credential", "delete", "Practice", "--yes"], "http://127.0.0.1:9/revoke");
    for (revoke_url, extra, revoked) in [(None, &[][..], true), (None, &["--no-revoke"], false), (Some(dead), &["--no-revoke"], false)] {
        let (shell, ws) = stage();
        let first = draft(&ws, &practice, "practice-clickwrap", revoke_url);
        consent(&ws, &practice, &first.id).await;
        let id = credentials::draft_finish(&ws, &first.id).unwrap().id;
        shell.draft();
        let (access, _) = tokens(&ws, &id);
        // In use: nothing is revoked, nothing deleted, and the users are named.
        let error = shell.json(&gone, 1);
        assert!(error["error"]["why"].as_str().unwrap().contains("Members"), "{error}");
        assert!(works(&practice, &access).await);
        let scopes = shell.json(&["credential", "scopes", "Practice"], 0);
        assert_eq!((&scopes["said"], &scopes["broken"]), (&json!(true), &json!([])), "{scopes}");
        let row = scopes["rows"].as_array().unwrap().iter().find(|row| row["scope"] == "members:read").unwrap();
        assert_eq!((&row["asked"], &row["granted"]), (&json!(true), &json!(true)), "{scopes}");
        let calendar = shell.json(&["credential", "calendar"], 0);
        let row = calendar.as_array().unwrap().iter().find(|row| row["what"] == "access_token").unwrap();
        assert_eq!((&row["automatic"], &row["known_from"], &row["used_by"]), (&json!(true), &json!("vendor"), &json!(["Members"])), "{calendar}");
        shell.json(&["integration", "delete", "Members", "--yes"], 0);

        if revoke_url.is_some() {
            // Whoever wants it revoked is told that it was not, and how to go on.
            let error = shell.json(&gone, 1);
            assert!(error["error"]["next_step"].as_str().unwrap().contains("--no-revoke"), "{error}");
            assert_eq!(shell.json(&["credential", "list"], 0)[0]["name"], "Practice");
        }
        let deleted = shell.json(&[&gone[..], extra].concat(), 0);
        assert_eq!((&deleted["deleted"], &deleted["revoked"]), (&json!(true), &json!(revoked)), "{deleted}");
        assert_eq!(works(&practice, &access).await, !revoked);
        assert_eq!(shell.json(&["credential", "list"], 0), json!([]));
        assert!(!shell.workspace().join("vault/entries").join(format!("{id}.json")).exists(), "its secrets are gone");
    }
}

/// A client that was registered for one credential is taken back with it (RFC 7592 §2.3).
#[tokio::test(flavor = "multi_thread")]
async fn a_registered_client_ends_with_its_credential() {
    let practice = practice::start(practice::Options::default()).await.unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let known = async |client: &str| {
        let form = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", "wrong")];
        let answer = http.post(format!("{}/oauth/token", practice.base_url)).form(&form).send().await.unwrap().text().await.unwrap();
        !answer.contains("no such client")
    };
    let shell = Shell::new();
    let (address, register) = (format!("address={}", practice.base_url), format!("register_url={}/oauth/register", practice.base_url));
    let add = |name: &str, more: &[&str]| {
        let add = ["credential", "add", "practice-clickwrap", "--method", "client_credentials", "--name", name, "--set", &address];
        shell.json(&[&add[..], more].concat(), 0)["settings"]["client_id"].as_str().unwrap().to_owned()
    };
    let client = add("Own", &["--set", &register]);
    assert!(client != practice::CLIENT_ID && known(&client).await);
    let deleted = shell.json(&["credential", "delete", "Own", "--yes"], 0);
    assert_eq!((&deleted["deleted"], &deleted["revoked"], &deleted["withdrawn"]), (&json!(true), &json!(true), &json!(true)), "{deleted}");
    assert!(!known(&client).await, "gone at the vendor");

    // Left there because it was wished, and because another credential uses it as well.
    let client = add("Kept", &["--set", &register]);
    let deleted = shell.json(&["credential", "delete", "Kept", "--yes", "--no-revoke"], 0);
    assert_eq!((&deleted["withdrawn"], known(&client).await), (&json!(false), true), "{deleted}");
    let client = add("First", &["--set", &register]);
    shell.json(
        &[
            "credential",
            "add",
            "practice-clickwrap",
            "--name",
            "Second",
            "--no-test",
            "--method",
            "client_credentials",
            "--set",
            &address,
            "--set",
            &format!("client_id={client}"),
            "--set",
            "client_secret=env:CLIENT_SECRET",
        ],
        0,
    );
    let output = shell.command(&["credential", "delete", "First", "--yes"]).captured();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(4) && told.contains(&client) && told.contains("Second"), "{told}");
    assert!(known(&client).await);
    // A client that a person typed is the person's.
    let deleted = shell.json(&["credential", "delete", "Second", "--yes", "--no-revoke"], 0);
    assert_eq!((&deleted["withdrawn"], known(&client).await), (&json!(false), true), "{deleted}");
}

/// A vendor that does not take the client back is told, and the credential is deleted as it was wished.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_stays_is_told_and_keeps_nobody() {
    let (shell, server) = (Shell::new(), MockServer::start().await);
    let at = server.uri();
    let definition = format!(
        r#"
        schema = 1
        id = "registrar"
        name = "Registrar"
        request = {{ base_url = "{at}" }}
        [auth.client]
        kind = "client_credentials"
        name = "Client"
        token_url = "{at}/token"
        register_url = "{at}/register"
        [[auth.client.input]]
        key = "client_id"
        label = "Client id"
        [[check]]
        path = "/me"
        proves = "The account can be read."
        "#
    );
    std::fs::create_dir_all(shell.workspace().join("connectors")).unwrap();
    std::fs::write(shell.workspace().join("connectors/registrar.toml"), definition).unwrap();
    for (status, uri, hint) in
        [(Some(403), true, "not allowed here"), (Some(500), true, "500"), (None, true, "Registrar"), (Some(204), false, "RFC 7592")]
    {
        server.reset().await;
        let gone = MockServer::start().await;
        let manage = if status.is_some() { format!("{at}/register/c-1") } else { format!("{}/register/c-1", gone.uri()) };
        let mut made = json!({"client_id": "c-1", "client_secret": "planted-made", "client_secret_expires_at": 0});
        if uri {
            made["registration_client_uri"] = json!(manage);
            made["registration_access_token"] = json!("planted-management");
        }
        drop(gone);
        let mount = async |verb: &str, place: &str, response: ResponseTemplate| {
            Mock::given(method(verb)).and(path(place)).respond_with(response).mount(&server).await;
        };
        mount("POST", "/register", ResponseTemplate::new(201).set_body_json(made)).await;
        mount("POST", "/token", ResponseTemplate::new(200).set_body_json(json!({"access_token": "planted-access", "expires_in": 600}))).await;
        mount("GET", "/me", ResponseTemplate::new(200).set_body_json(json!({}))).await;
        let no = json!({"error": "access_denied", "error_description": "not allowed here for planted-management"});
        mount("DELETE", "/register/c-1", ResponseTemplate::new(status.unwrap_or(204)).set_body_json(no)).await;
        let added = shell.json(&["credential", "add", "registrar", "--name", "R"], 0);
        assert_eq!(added["settings"]["client_id"], "c-1", "{added}");
        let output = shell.command(&["credential", "delete", "R", "--yes"]).captured();
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(4), "{told}");
        assert!(told.contains("c-1 stays registered at Registrar") && told.contains(hint) && told.contains("vendor's own settings"), "{told}");
        assert!(!told.contains("planted"), "{told}");
        assert_eq!(shell.json(&["credential", "list"], 0), json!([]));
        let asked = server.received_requests().await.unwrap();
        let asked = asked.iter().find(|request| request.method == "DELETE");
        assert_eq!(asked.is_some(), status.is_some() && uri);
        if let Some(asked) = asked {
            assert_eq!(asked.headers["authorization"], "Bearer planted-management");
        }
    }
}

/// How far ahead lists and the overview look is a setting.
#[tokio::test(flavor = "multi_thread")]
async fn the_horizon_is_a_setting() {
    let (shell, server) = (Shell::new(), MockServer::start().await);
    define(&shell, &server.uri());
    keys(&server, &["planted"]).await;
    with_secret(&shell, &["credential", "add", "keyed", "--name", "Key", "--secret-stdin", "api_key"], "planted", 0);
    let day = in_days(20).strftime("%Y-%m-%d").to_string();
    shell.json(&["credential", "edit", "Key", "--secret-expires", &day], 0);
    let dir = shell.home.path().join(".config/intertie");
    std::fs::create_dir_all(&dir).unwrap();
    let config = dir.join("config.toml");
    // Days for lists and for the overview; what is then expiring, and what the overview shows.
    for (text, expiring, shown) in [
        ("", false, true),
        ("expiring_days = 30\n", true, true),
        ("overview_days = 3\n", false, false),
        ("expiring_days = 21\noverview_days = 19\n", true, false),
    ] {
        std::fs::write(&config, text).unwrap();
        let status = if expiring { "expiring" } else { "valid" };
        assert_eq!(shell.json(&["credential", "show", "Key"], 0)["status"], status, "{text}");
        assert_eq!(shell.json(&["credential", "expiring"], if expiring { 3 } else { 0 }).as_array().unwrap().len(), usize::from(expiring), "{text}");
        let output = shell.command(&["overview", "--json"]).captured();
        let overview: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(overview["expiring"].as_array().unwrap().len(), usize::from(shown), "{text}");
        // What is asked for on the command line wins.
        assert_eq!(shell.json(&["credential", "expiring", "--within", "10d"], 0), json!([]));
    }
    for text in ["expiring_days = 0\n", "overview_days = -1\n", "expiring_days = \"soon\"\n"] {
        std::fs::write(&config, text).unwrap();
        let error = shell.json(&["credential", "list"], 2);
        assert!(error["error"]["what"].as_str().unwrap().contains("config.toml"), "{error}");
    }
}
