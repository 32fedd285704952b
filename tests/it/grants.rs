//! Tokens without a person, end to end: what each kind of method sends to the token endpoint, how the client proves itself, and what is left
//! in the store.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use intertie::model::{CredentialDraft, CredentialStatus, ProblemKind, Secret, Sink, TestOutcome};
use intertie::ops::{Config, Workspace, credentials};
use ring::signature;
use serde_json::{Value, json};
use wiremock::matchers::{header, path};
use wiremock::{Mock, MockServer, Request, ResponseTemplate};
use x509_cert::der::Decode as _;

const PASSWORD: &str = "planted-Password-0";
const PASSPHRASE: &str = "open-Sesame";
const RSA: &str = include_str!("../keys/rsa.pkcs8.pem");
const RSA_LOCKED: &str = include_str!("../keys/rsa.des3.pem");
const EC: &str = include_str!("../keys/ec.sec1.pem");
const CERTIFICATE: &str = include_str!("../keys/cert.pem");

struct Stage {
    server: MockServer,
    dir: crate::searched::Place,
    ws: Workspace,
}

/// A definition with a method for each way; `{{at}}` is the server.
const DEFINITION: &str = r#"
    schema = 1
    id = "grants"
    name = "Grantly"
    request = { base_url = "AT/v1" }

    [auth.client_key]
    kind = "client_credentials"
    name = "Client with a key"
    token_url = "AT/token"
    client_auth = "private_key_jwt"
    scopes = { default = ["read", "write"], separator = ",", param = "permissions" }
    token_headers = { X-Version = "2", X-Site = "{{ input.site or '' }}" }
    [[auth.client_key.input]]
    key = "client_id"
    label = "Client id"
    [[auth.client_key.input]]
    key = "site"
    label = "Site"
    optional = true
    [[auth.client_key.input]]
    key = "key_id"
    label = "Key id"
    optional = true
    [[auth.client_key.input]]
    key = "private_key"
    label = "Signing key"
    secret = true
    [[auth.client_key.input]]
    key = "private_key_passphrase"
    label = "Passphrase"
    secret = true
    optional = true

    [auth.client_certificate]
    kind = "client_credentials"
    name = "Client with a certificate"
    token_url = "AT/token"
    client_auth = "private_key_jwt"
    token_body = "json"
    rename = { client_id = "clientId", grant_type = "grantType" }
    params = { token = { audience = "{{ input.audience or '' }}", tenant = "t1" } }
    [auth.client_certificate.jwt]
    alg = "PS256"
    ttl = "1m"
    header = { x5t = "certificate", "x5t#S256" = "certificate", typ = "" }
    claims = { aud = "https://issuer.example", nbf = "1700000000", jti = "" }
    [[auth.client_certificate.input]]
    key = "client_id"
    label = "Client id"
    [[auth.client_certificate.input]]
    key = "audience"
    label = "Audience"
    optional = true
    [[auth.client_certificate.input]]
    key = "certificate"
    label = "Certificate"
    [[auth.client_certificate.input]]
    key = "private_key"
    label = "Signing key"
    secret = true

    [auth.key_file]
    kind = "jwt_bearer"
    name = "Service account"
    token_url = "{{ found.key.token_uri }}"
    client_auth = "none"
    scopes = { default = ["a.readonly", "b.readonly"] }
    [auth.key_file.jwt]
    alg = "RS256"
    key = "key_file"
    key_member = "private_key"
    ttl = "10m"
    scope_claim = "scope"
    header = { kid = "{{ found.key.private_key_id }}" }
    claims = { iss = "{{ found.key.client_email }}", sub = "{{ input.subject or '' }}", aud = "{{ found.key.token_uri }}" }
    [[auth.key_file.input]]
    key = "key_file"
    label = "Key file"
    secret = true
    [[auth.key_file.input]]
    key = "subject"
    label = "Subject"
    optional = true

    [auth.region]
    kind = "oauth2_code"
    name = "Code, redeemed where the callback says"
    client_auth = "none"
    authorize_url = "AT/authorize"
    token_url = "AT/{{ found.dc }}/token"
    response = { callback = { dc = "location" } }
    [[auth.region.input]]
    key = "client_id"
    label = "Client id"

    [auth.nowhere]
    kind = "oauth2_code"
    name = "Code, redeemed nobody knows where"
    client_auth = "none"
    authorize_url = "AT/authorize"
    token_url = "AT/{{ found.dc }}/token"
    response = { callback = { other = "location" } }
    [[auth.nowhere.input]]
    key = "client_id"
    label = "Client id"

    [auth.assertion]
    kind = "jwt_bearer"
    name = "Assertion"
    token_url = "AT/token"
    scopes = { default = ["x"] }
    [auth.assertion.jwt]
    alg = "ES256"
    claims = { iss = "{{ input.client_id }}", sub = "{{ input.username }}", aud = "AT", print = "{{ key_fingerprint }}" }
    [[auth.assertion.input]]
    key = "client_id"
    label = "Client id"
    [[auth.assertion.input]]
    key = "client_secret"
    label = "Client secret"
    secret = true
    [[auth.assertion.input]]
    key = "username"
    label = "User name"
    [[auth.assertion.input]]
    key = "private_key"
    label = "Signing key"
    secret = true

    [auth.password]
    kind = "password"
    name = "Password"
    token_url = "AT/token"
    client_auth = "basic"
    token_body = "query"
    username = "{{ input.user }}@contoso"
    [[auth.password.input]]
    key = "user"
    label = "User name"
    [[auth.password.input]]
    key = "password"
    label = "Password"
    secret = true
    [[auth.password.input]]
    key = "client_id"
    label = "Client id"
    [[auth.password.input]]
    key = "client_secret"
    label = "Client secret"
    secret = true

    [[check]]
    path = "/me"
    proves = "The account can be read."
"#;

fn answer(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

impl Stage {
    async fn new() -> Self {
        let (server, dir) = (MockServer::start().await, crate::searched::place());
        std::fs::create_dir(dir.path().join("connectors")).unwrap();
        std::fs::write(dir.path().join("connectors/grants.toml"), DEFINITION.replace("AT", &server.uri())).unwrap();
        let ws = Workspace::open(dir.path(), Config::default());
        Self { server, dir, ws }
    }

    fn draft(&self, method: &str, settings: &[(&str, &str)], secrets: &[(&str, &str)]) -> CredentialDraft {
        let mut draft = credentials::draft_new(&self.ws, "grants", Some(method)).unwrap();
        draft.settings.extend(settings.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        credentials::draft_save(&self.ws, &draft).unwrap();
        for (key, value) in secrets {
            credentials::draft_secret(&self.ws, &draft.id, key, Secret::new(*value)).unwrap();
        }
        draft
    }

    async fn test(&self, draft: &CredentialDraft) -> TestOutcome {
        credentials::draft_test(&self.ws, &draft.id, &Sink::none()).await.unwrap()
    }

    /// Tokens `t-1`, `t-2` … and an API that takes them.
    async fn serve(&self, token: Value) {
        self.server.reset().await;
        let count = std::sync::atomic::AtomicU32::new(0);
        let tokens = move |_: &Request| {
            let n = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            let mut body = token.clone();
            body["access_token"] = json!(format!("planted-access-{n}"));
            answer(200, body)
        };
        Mock::given(path("/token")).respond_with(tokens).mount(&self.server).await;
        for n in 1..4 {
            let bearer = format!("Bearer planted-access-{n}");
            Mock::given(path("/v1/me")).and(header("authorization", bearer.as_str())).respond_with(answer(200, json!({}))).mount(&self.server).await;
        }
    }

    /// The token requests so far.
    async fn asked(&self) -> Vec<Request> {
        self.server.received_requests().await.unwrap().into_iter().filter(|request| request.url.path() == "/token").collect()
    }

    /// Nothing that was planted stands in a file of the workspace but sealed.
    fn assert_sealed(&self, secrets: &[&str]) {
        let mut looked = 0;
        let mut dirs = vec![self.dir.path().to_owned()];
        while let Some(dir) = dirs.pop() {
            for entry in std::fs::read_dir(dir).unwrap().flatten() {
                if entry.path().is_dir() {
                    dirs.push(entry.path());
                    continue;
                }
                let bytes = std::fs::read(entry.path()).unwrap();
                looked += 1;
                for secret in secrets {
                    assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()), "{}: {secret}", entry.path().display());
                }
            }
        }
        assert!(looked > 3, "the workspace was not found");
    }
}

fn form(request: &Request) -> Vec<(String, String)> {
    url::form_urlencoded::parse(&request.body).into_owned().collect()
}

fn of<'p>(pairs: &'p [(String, String)], name: &str) -> Option<&'p str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// The header and claims of a token whose signature is right.
pub(super) fn verified(token: &str, algorithm: &'static dyn signature::VerificationAlgorithm, key: &[u8]) -> (Value, Value) {
    let (input, signed) = token.rsplit_once('.').unwrap();
    let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    signature::UnparsedPublicKey::new(algorithm, key).verify(input.as_bytes(), &decode(signed)).expect("the signature is right");
    let (head, claims) = input.split_once('.').unwrap();
    (serde_json::from_slice(&decode(head)).unwrap(), serde_json::from_slice(&decode(claims)).unwrap())
}

/// The public part of the RSA key.
pub(super) fn rsa() -> Vec<u8> {
    let body: String = include_str!("../keys/rsa.pub.pem").lines().filter(|line| !line.starts_with('-')).collect();
    let spki = x509_cert::spki::SubjectPublicKeyInfoOwned::from_der(&STANDARD.decode(body).unwrap()).unwrap();
    spki.subject_public_key.raw_bytes().to_vec()
}

/// The public point of the EC key (RFC 7515, appendix A.3).
fn ec() -> Vec<u8> {
    let part = |text: &str| URL_SAFE_NO_PAD.decode(text).unwrap();
    [vec![4], part("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU"), part("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")].concat()
}

fn seconds(claims: &Value, name: &str) -> i64 {
    claims[name].as_i64().unwrap_or_else(|| panic!("{name} is no number: {claims}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_proves_itself_with_a_key() {
    let stage = Stage::new().await;
    stage.serve(json!({"expires_in": 3600, "refresh_token": "planted-refresh"})).await;
    let draft = stage.draft(
        "client_key",
        &[("client_id", "app-1"), ("key_id", "k-7")],
        &[("private_key", RSA_LOCKED), ("private_key_passphrase", PASSPHRASE)],
    );
    let outcome = stage.test(&draft).await;
    assert!(outcome.ok, "{:?}", outcome.problem);
    let asked = stage.asked().await;
    let sent = form(&asked[0]);
    assert_eq!(of(&sent, "grant_type"), Some("client_credentials"));
    assert_eq!(of(&sent, "client_id"), Some("app-1"));
    assert_eq!((of(&sent, "permissions"), of(&sent, "scope"), of(&sent, "client_secret")), (Some("read,write"), None, None));
    assert_eq!(of(&sent, "client_assertion_type"), Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer"));
    assert_eq!(asked[0].headers["x-version"], "2");
    assert!(asked[0].headers.get("x-site").is_none() && asked[0].headers.get("authorization").is_none());
    let (head, claims) = verified(of(&sent, "client_assertion").unwrap(), &signature::RSA_PKCS1_2048_8192_SHA256, &rsa());
    assert_eq!(head, json!({"alg": "RS256", "typ": "JWT", "kid": "k-7"}));
    assert_eq!((claims["iss"].as_str(), claims["sub"].as_str()), (Some("app-1"), Some("app-1")));
    assert_eq!(claims["aud"], json!(format!("{}/token", stage.server.uri())));
    assert_eq!(seconds(&claims, "exp") - seconds(&claims, "iat"), 300);
    assert!(claims["jti"].as_str().is_some_and(|jti| jti.len() >= 20));

    // What is obtained without a person is obtained again, refresh token or not.
    let credential = credentials::draft_finish(&stage.ws, &draft.id).unwrap();
    assert!(credential.refreshes && credential.refresh_expires.is_none());
    Mock::given(path("/v1/me")).respond_with(answer(401, json!({}))).up_to_n_times(1).with_priority(1).mount(&stage.server).await;
    assert!(credentials::test(&stage.ws, &credential.id, &Sink::none()).await.unwrap().ok);
    let asked = stage.asked().await;
    assert_eq!(asked.len(), 2);
    let again = form(&asked[1]);
    assert_eq!((of(&again, "grant_type"), of(&again, "refresh_token")), (Some("client_credentials"), None));
    assert_ne!(of(&again, "client_assertion"), of(&sent, "client_assertion"), "each has an id of its own");
    stage.assert_sealed(&["planted-", PASSPHRASE, "ENCRYPTED PRIVATE KEY", "MIIFNTBfBgkqhkiG"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_definition_says_what_the_assertion_and_the_request_look_like() {
    let stage = Stage::new().await;
    stage.serve(json!({})).await;
    let draft = stage.draft("client_certificate", &[("client_id", "app-2"), ("certificate", CERTIFICATE)], &[("private_key", RSA)]);
    let outcome = stage.test(&draft).await;
    assert!(outcome.ok, "{:?}", outcome.problem);
    let asked = stage.asked().await;
    assert_eq!(asked[0].headers["content-type"], "application/json");
    let sent: Value = serde_json::from_slice(&asked[0].body).unwrap();
    let members: Vec<&str> = sent.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(members, ["grantType", "clientId", "client_assertion_type", "client_assertion", "tenant"], "an empty parameter is not sent");
    let (head, claims) = verified(sent["client_assertion"].as_str().unwrap(), &signature::RSA_PSS_2048_8192_SHA256, &rsa());
    let prints = json!({"alg": "PS256", "x5t": "53fXxruW0oPP0vfKzttTlHaLyrE", "x5t#S256": "8lOsPm2XmJENhWJUeBXT-lV2y8pDccB_eqglLCKBAH0"});
    assert_eq!(head, prints);
    assert_eq!((claims["aud"].as_str(), seconds(&claims, "nbf"), claims.get("jti")), (Some("https://issuer.example"), 1_700_000_000, None));
    assert_eq!(seconds(&claims, "exp") - seconds(&claims, "iat"), 60);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_file_is_pasted_whole() {
    let stage = Stage::new().await;
    stage.serve(json!({"expires_in": 3599})).await;
    let file = json!({"type": "service_account", "private_key_id": "kid-9", "private_key": RSA, "client_email": "robot@contoso.example",
        "token_uri": format!("{}/token", stage.server.uri())});
    let pretty = serde_json::to_string_pretty(&file).unwrap();
    let draft = stage.draft("key_file", &[("subject", "admin@contoso.example")], &[("key_file", &pretty)]);
    let outcome = stage.test(&draft).await;
    assert!(outcome.ok, "{:?}", outcome.problem);
    let sent = form(&stage.asked().await[0]);
    let names: Vec<&str> = sent.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["grant_type", "assertion"], "the assertion asks for the scopes");
    assert_eq!(of(&sent, "grant_type"), Some("urn:ietf:params:oauth:grant-type:jwt-bearer"));
    let (head, claims) = verified(of(&sent, "assertion").unwrap(), &signature::RSA_PKCS1_2048_8192_SHA256, &rsa());
    assert_eq!(head["kid"], "kid-9");
    assert_eq!(claims["iss"], "robot@contoso.example");
    assert_eq!(claims["sub"], "admin@contoso.example");
    assert_eq!(claims["aud"], file["token_uri"]);
    assert_eq!(claims["scope"], "a.readonly b.readonly");
    assert_eq!(seconds(&claims, "exp") - seconds(&claims, "iat"), 600);
    credentials::draft_finish(&stage.ws, &draft.id).unwrap();
    stage.assert_sealed(&["planted-", "BEGIN PRIVATE KEY", "robot@contoso.example"]);

    for (pasted, part) in [("{\"type\": \"authorized_user\"}", "private_key"), (RSA, "private_key")] {
        let draft = stage.draft("key_file", &[], &[("key_file", pasted)]);
        let outcome = stage.test(&draft).await;
        let problem = outcome.problem.unwrap();
        assert_eq!(problem.kind, ProblemKind::Usage);
        assert!(format!("{} {}", problem.why, problem.next_step).contains(part), "{problem:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assertion_beside_a_clients_secret() {
    let stage = Stage::new().await;
    stage.serve(json!({})).await;
    let settings = [("client_id", "app-3"), ("username", "ada@contoso.example")];
    let draft = stage.draft("assertion", &settings, &[("private_key", EC), ("client_secret", "planted-secret")]);
    let outcome = stage.test(&draft).await;
    assert!(outcome.ok, "{:?}", outcome.problem);
    let sent = form(&stage.asked().await[0]);
    assert_eq!((of(&sent, "scope"), of(&sent, "client_id"), of(&sent, "client_secret")), (Some("x"), Some("app-3"), Some("planted-secret")));
    let (_, claims) = verified(of(&sent, "assertion").unwrap(), &signature::ECDSA_P256_SHA256_FIXED, &ec());
    assert_eq!((claims["sub"].as_str(), claims["aud"].as_str()), (Some("ada@contoso.example"), Some(stage.server.uri().as_str())));
    assert_eq!(claims["print"], "K9G7DESol8MKeqCZHN442AYv5EHeUNoPRoJTRPYC6Cc=");

    // What the server says about it is told, and holds nothing of what was sent.
    stage.server.reset().await;
    let echo = |request: &Request| {
        answer(400, json!({"error": "invalid_grant", "error_description": format!("bad {}", of(&form(request), "assertion").unwrap())}))
    };
    Mock::given(path("/token")).respond_with(echo).mount(&stage.server).await;
    credentials::draft_secret(&stage.ws, &draft.id, "client_secret", Secret::new("planted-secret-2")).unwrap();
    let outcome = stage.test(&draft).await;
    let problem = outcome.problem.unwrap();
    assert_eq!((problem.code.as_deref(), problem.kind), (Some("invalid_grant"), ProblemKind::PersonMustAct));
    assert!(!format!("{problem:?}").contains("eyJ"), "{problem:?}");
    let unfit = stage.draft("assertion", &settings, &[("private_key", RSA), ("client_secret", "planted-secret")]);
    let problem = stage.test(&unfit).await.problem.unwrap();
    assert!(problem.what.contains("Signing key") && problem.why.contains("ES256"), "{problem:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_asked_for_again_when_the_refresh_is_refused() {
    let stage = Stage::new().await;
    let tokens = |request: &Request| {
        let pairs: Vec<(String, String)> = request.url.query_pairs().into_owned().collect();
        match of(&pairs, "grant_type") {
            Some("password") => answer(200, json!({"access_token": "planted-access-1", "refresh_token": "planted-refresh-1", "expires_in": 3600})),
            _ => answer(400, json!({"error": "invalid_grant"})),
        }
    };
    Mock::given(path("/token")).respond_with(tokens).mount(&stage.server).await;
    Mock::given(path("/v1/me")).respond_with(answer(200, json!({}))).mount(&stage.server).await;
    let settings = [("user", "ada"), ("client_id", "app:4")];
    let draft = stage.draft("password", &settings, &[("password", PASSWORD), ("client_secret", "planted secret")]);
    assert!(stage.test(&draft).await.ok);
    let asked = stage.asked().await;
    let sent: Vec<(String, String)> = asked[0].url.query_pairs().into_owned().collect();
    assert_eq!((of(&sent, "username"), of(&sent, "password"), of(&sent, "client_id")), (Some("ada@contoso"), Some(PASSWORD), None));
    assert!(asked[0].body.is_empty());
    let basic = asked[0].headers["authorization"].to_str().unwrap().strip_prefix("Basic ").unwrap().to_owned();
    assert_eq!(STANDARD.decode(basic).unwrap(), b"app%3A4:planted+secret");

    let credential = credentials::draft_finish(&stage.ws, &draft.id).unwrap();
    assert_eq!(credential.status, CredentialStatus::Valid);
    Mock::given(path("/v1/me")).respond_with(answer(401, json!({}))).up_to_n_times(1).with_priority(1).mount(&stage.server).await;
    let outcome = credentials::test(&stage.ws, &credential.id, &Sink::none()).await.unwrap();
    assert!(outcome.ok, "{:?}", outcome.problem);
    let kinds: Vec<String> = stage
        .asked()
        .await
        .iter()
        .map(|request| of(&request.url.query_pairs().into_owned().collect::<Vec<_>>(), "grant_type").unwrap().to_owned())
        .collect();
    assert_eq!(kinds, ["password", "refresh_token", "password"]);
    stage.assert_sealed(&["planted-", PASSWORD]);

    // The address that is shown holds nothing of the query.
    stage.server.reset().await;
    Mock::given(path("/token"))
        .respond_with(answer(401, json!({"error": "invalid_client", "error_description": format!("{PASSWORD}?")})))
        .mount(&stage.server)
        .await;
    let wrong = stage.draft("password", &settings, &[("password", PASSWORD), ("client_secret", "planted secret")]);
    let outcome = stage.test(&wrong).await;
    assert!(!outcome.ok && outcome.request.ends_with("/token"), "{}", outcome.request);
    assert!(!format!("{outcome:?}").contains("planted"), "{outcome:?}");
}

/// Some vendors name the region of an account in the callback alone.
#[tokio::test(flavor = "multi_thread")]
async fn the_callback_may_complete_the_token_address() {
    let stage = Stage::new().await;
    stage.serve(json!({"token_type": "Bearer"})).await;
    Mock::given(path("/eu/token")).respond_with(answer(200, json!({"access_token": "planted-access-1"}))).mount(&stage.server).await;
    let draft = stage.draft("region", &[("client_id", "me")], &[]);
    let consent = credentials::consent_begin(&stage.ws, &draft.id).await.unwrap();
    let asked = url::Url::parse(&consent.view.authorize_url).unwrap();
    let state = asked.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
    consent.offer(&format!("{}?code=c-1&state={state}&location=eu", consent.view.redirect_uri)).unwrap();
    consent.finish(&stage.ws, &Sink::none()).await.unwrap();
    let redeemed = stage.server.received_requests().await.unwrap().into_iter().filter(|request| request.url.path() == "/eu/token").count();
    assert_eq!(redeemed, 1);
    assert!(stage.test(&draft).await.ok);
    assert_eq!(credentials::draft_finish(&stage.ws, &draft.id).unwrap().found["dc"], "eu");

    // What nothing will bring is told before anybody is sent to a browser.
    let draft = stage.draft("nowhere", &[("client_id", "me")], &[]);
    let problem = credentials::consent_begin(&stage.ws, &draft.id).await.err().unwrap();
    assert!(problem.why.contains("found.dc"), "{problem:?}");
}
