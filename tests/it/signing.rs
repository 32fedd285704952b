//! Requests that are signed, and connections that show a certificate: against servers that compute the signature themselves, from the request
//! as it came over the wire, and that let nobody in without a certificate of theirs.

use std::collections::HashSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use intertie::catalog::Catalog;
use intertie::model::{Credential, CredentialDraft, CredentialStatus, Problem, Secret, Sink, TestOutcome};
use intertie::ops::{Config, Workspace, credentials};
use intertie::store::Store;
use intertie::vault::Vault;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use ring::{digest, hmac};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A request as it was received.
#[derive(Clone, Debug)]
pub(super) struct Raw {
    pub(super) method: String,
    pub(super) target: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

impl Raw {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// As it stands in the target, still encoded.
    pub(super) fn query(&self) -> Vec<(String, String)> {
        pairs(self.target.split_once('?').map_or("", |(_, query)| query))
    }

    pub(super) fn param(&self, name: &str) -> Option<String> {
        self.query().into_iter().find(|(known, _)| plain(known) == name).map(|(_, value)| plain(&value))
    }
}

pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Value,
}

pub(super) fn reply(status: u16, body: Value) -> Reply {
    Reply { status, headers: Vec::new(), body }
}

type Handler = Arc<dyn Fn(&Raw) -> Reply + Send + Sync>;

/// Answers the requests of one connection.
async fn converse(mut stream: impl AsyncRead + AsyncWrite + Unpin, handler: Handler) {
    let mut read = Vec::new();
    loop {
        let head = loop {
            if let Some(end) = read.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            match stream.read_buf(&mut read).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        };
        let text = String::from_utf8(read[..head].to_vec()).unwrap();
        let mut lines = text.split("\r\n");
        let mut first = lines.next().unwrap().split(' ');
        let (method, target) = (first.next().unwrap().to_owned(), first.next().unwrap().to_owned());
        let headers: Vec<_> = lines.filter_map(|line| line.split_once(':')).map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect();
        let mut raw = Raw { method, target, headers, body: Vec::new() };
        let length: usize = raw.header("content-length").parse().unwrap_or(0);
        while read.len() < head + length {
            if matches!(stream.read_buf(&mut read).await, Ok(0) | Err(_)) {
                return;
            }
        }
        raw.body = read[head..head + length].to_vec();
        read.drain(..head + length);
        let Reply { status, headers, body } = handler(&raw);
        let body = if status == 204 { String::new() } else { body.to_string() };
        let mut answer = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n", body.len());
        for (name, value) in headers {
            let _ = write!(answer, "{name}: {value}\r\n");
        }
        let _ = write!(answer, "\r\n{body}");
        if stream.write_all(answer.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// A server on a free port; its address.
pub(super) async fn serve(handler: impl Fn(&Raw) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let handler: Handler = Arc::new(handler);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(converse(stream, Arc::clone(&handler)));
        }
    });
    at
}

pub(super) fn pairs(text: &str) -> Vec<(String, String)> {
    let parts = text.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').map_or((part.to_owned(), String::new()), |(name, value)| (name.to_owned(), value.to_owned()))).collect()
}

/// Decoded as forms are.
pub(super) fn plain(text: &str) -> String {
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while at < bytes.len() {
        match bytes[at] {
            b'+' => out.push(b' '),
            b'%' => {
                out.push(u8::from_str_radix(&text[at + 1..at + 3], 16).unwrap());
                at += 2;
            }
            byte => out.push(byte),
        }
        at += 1;
    }
    String::from_utf8(out).unwrap()
}

fn strict(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => write!(out, "%{byte:02X}").unwrap(),
        }
        out
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(super) const CONSUMER: (&str, &str) = ("consumer-key-1", "planted-consumer-secret&1");
pub(super) const TOKEN: (&str, &str) = ("token-id-1", "planted-token-secret=1");

/// What is wrong with the signature of a request (RFC 5849 §3.2), if anything.
pub(super) fn wrong_oauth1(raw: &Raw, at: &str) -> Option<String> {
    let Some(given) = raw.header("authorization").strip_prefix("OAuth ") else { return Some("it is not signed".to_owned()) };
    let given: Vec<(String, String)> = given
        .split(", ")
        .map(|part| part.split_once('=').unwrap())
        .map(|(name, value)| (name.to_owned(), plain(&value.trim_matches('"').replace('+', "%2B"))))
        .collect();
    let named = |name: &str| given.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str()).unwrap_or_default();
    for (name, expected) in [
        ("realm", "1234567_SB1"),
        ("oauth_consumer_key", CONSUMER.0),
        ("oauth_token", TOKEN.0),
        ("oauth_signature_method", "HMAC-SHA256"),
        ("oauth_version", "1.0"),
    ] {
        if named(name) != expected {
            return Some(format!("{name} is {}", named(name)));
        }
    }
    let now = jiff::Timestamp::now().as_second();
    if !named("oauth_timestamp").parse::<i64>().is_ok_and(|stamp| (stamp - now).abs() < 60) {
        return Some("the time is wrong".to_owned());
    }
    let mut all: Vec<(String, String)> = given.iter().filter(|(name, _)| name != "realm" && name != "oauth_signature").cloned().collect();
    all.extend(raw.query().iter().map(|(name, value)| (plain(name), plain(value))));
    if raw.header("content-type").starts_with("application/x-www-form-urlencoded") {
        all.extend(pairs(std::str::from_utf8(&raw.body).unwrap()).iter().map(|(name, value)| (plain(name), plain(value))));
    }
    let mut all: Vec<String> = all.iter().map(|(name, value)| format!("{}={}", strict(name), strict(value))).collect();
    all.sort();
    let base = format!("{}&{}&{}", raw.method, strict(&format!("{at}{}", raw.path())), strict(&all.join("&")));
    let key = format!("{}&{}", strict(CONSUMER.1), strict(TOKEN.1));
    let expected = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), base.as_bytes());
    let expected = base64::engine::general_purpose::STANDARD.encode(expected);
    (named("oauth_signature") != expected).then(|| format!("{base} gives {expected}, not {}", named("oauth_signature")))
}

const SCOPE: &str = "eu-west-3/execute-api";
pub(super) const ACCESS: (&str, &str) = ("AKIDEXAMPLE00000", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY");

/// What is wrong with the signature of a request (AWS Signature Version 4), if anything.
pub(super) fn wrong_sigv4(raw: &Raw, within: &str) -> Option<String> {
    let Some(given) = raw.header("authorization").strip_prefix("AWS4-HMAC-SHA256 ") else { return Some("it is not signed".to_owned()) };
    let named = |name: &str| given.split(", ").find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    let moment = raw.header("x-amz-date");
    let now = jiff::Timestamp::now().strftime("%Y%m%dT%H%M").to_string();
    if moment.len() != 16 || moment[..11] != now[..11] {
        return Some(format!("the time is {moment}"));
    }
    let scope = format!("{}/{within}/aws4_request", &moment[..8]);
    if named("Credential") != format!("{}/{scope}", ACCESS.0) {
        return Some(format!("the credential is {}", named("Credential")));
    }
    let signed: Vec<&str> = named("SignedHeaders").split(';').collect();
    for must in ["host", "x-amz-date", "x-amz-security-token", "content-type", "x-amz-target"] {
        if !raw.header(must).is_empty() && !signed.contains(&must) {
            return Some(format!("{must} is not signed"));
        }
    }
    let mut query = raw.query();
    if query.iter().any(|(name, value)| strict(&plain(name)) != *name || strict(&plain(value)) != *value) {
        return Some(format!("{} could be encoded better", raw.target));
    }
    query.sort();
    let query: Vec<String> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = raw.path().split('/').map(strict).collect::<Vec<_>>().join("/");
    let mut canonical = format!("{}\n{path}\n{}\n", raw.method, query.join("&"));
    for name in &signed {
        let _ = writeln!(canonical, "{name}:{}", raw.header(name));
    }
    let _ = write!(canonical, "\n{}\n{}", signed.join(";"), hex(digest::digest(&digest::SHA256, &raw.body).as_ref()));
    let to_sign = format!("AWS4-HMAC-SHA256\n{moment}\n{scope}\n{}", hex(digest::digest(&digest::SHA256, canonical.as_bytes()).as_ref()));
    let mut key = format!("AWS4{}", ACCESS.1).into_bytes();
    for part in scope.split('/').chain([to_sign.as_str()]) {
        key = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &key), part.as_bytes()).as_ref().to_vec();
    }
    (named("Signature") != hex(&key)).then(|| format!("{canonical}\ngives {}, not {}", hex(&key), named("Signature")))
}

struct Desk {
    dir: crate::searched::Place,
    ws: Workspace,
}

const DEFINITION: &str = r#"
schema = 1
id = "signed"
name = "Signet"

[auth.tba]
kind = "oauth1"
name = "Token"
default = true
oauth1 = { realm = "{{ input.account | upper | replace('-', '_') }}" }
input = [
    { key = "account", label = "Account" },
    { key = "consumer_key", label = "Consumer key" },
    { key = "consumer_secret", label = "Consumer secret", secret = true },
    { key = "token", label = "Token" },
    { key = "token_secret", label = "Token secret", secret = true },
]

[auth.aws]
kind = "aws_sigv4"
name = "Access key"
sigv4 = { service = "execute-api", region = "{{ input.region }}" }
input = [
    { key = "region", label = "Region" },
    { key = "access_key_id", label = "Access key id" },
    { key = "secret_access_key", label = "Secret access key", secret = true },
    { key = "session_token", label = "Session token", secret = true, optional = true },
]

[auth.certificate]
kind = "mtls"
name = "Certificate"
input = [
    { key = "certificate", label = "Certificate" },
    { key = "private_key", label = "Private key", secret = true },
]

[auth.client]
kind = "client_credentials"
name = "Client with a certificate"
client_auth = "mtls"
token_url = "{{ input.base_url }}/token"
input = [
    { key = "client_id", label = "Client id" },
    { key = "certificate", label = "Certificate" },
    { key = "private_key", label = "Private key", secret = true },
]

[auth.keys]
kind = "api_key"
name = "Three keys"
placement = { body = "auth.key" }
also = [{ header = "Cookie", prefix = "JSESSIONID=", input = "session" }, { query = "k", input = "third" }]
input = [
    { key = "api_key", label = "Key", secret = true },
    { key = "session", label = "Session", secret = true },
    { key = "third", label = "Third", secret = true },
]

[request]
base_url = "https://signet.example/v(1)"

[[check]]
method = "POST"
path = "/search me"
query = { q = "a b+c&ü*'()" }
body = { first = "{{ input.account }}", list = [1, 2] }
proves = "Signet knows the token."
auth = ["tba"]

[[check]]
method = "POST"
path = "/search me"
query = { q = "a b+c&ü*'()", a = "%" }
headers = { "X-Amz-Target" = "Signet.Search", "Content-Type" = "application/x-amz-json-1.1" }
body = { first = "{{ input.region }}" }
proves = "Signet knows the key."
auth = ["aws"]

[[check]]
method = "POST"
path = "/keys"
body = { auth = { kind = "key" }, page = 1 }
proves = "Signet knows the keys."
auth = ["keys"]

[[check]]
path = "/me"
proves = "Signet knows the certificate."

[[resource]]
id = "users"
name = "Users"
kind = "users"
path = "/users"
records = "data"
key = "id"
paging = { kind = "cursor", param = "after", next = "next", size_param = "limit", size = 2 }
query = { filter = "name eq \"Ö +1\"" }
"#;

impl Desk {
    fn new(definition: &str) -> Self {
        let dir = crate::searched::place();
        std::fs::create_dir(dir.path().join("connectors")).unwrap();
        std::fs::write(dir.path().join("connectors/signed.toml"), definition).unwrap();
        let ws = Workspace::open(dir.path(), Config::default());
        Self { dir, ws }
    }

    /// Fills in a draft: `!key` is a secret.
    fn draft(&self, how: &str, values: &[(&str, &str)]) -> CredentialDraft {
        // `connector.method` for one that is built in.
        let (connector, how) = how.split_once('.').unwrap_or(("signed", how));
        let mut draft = credentials::draft_new(&self.ws, connector, Some(how)).unwrap();
        for (key, value) in values.iter().filter(|(key, _)| !key.starts_with('!')) {
            draft.settings.insert((*key).to_owned(), (*value).to_owned());
        }
        credentials::draft_save(&self.ws, &draft).unwrap();
        for (key, value) in values {
            if let Some(key) = key.strip_prefix('!') {
                draft = credentials::draft_secret(&self.ws, &draft.id, key, Secret::new(*value)).unwrap();
            }
        }
        draft
    }

    async fn test(&self, how: &str, values: &[(&str, &str)]) -> Result<(CredentialDraft, TestOutcome), Problem> {
        let draft = self.draft(how, values);
        let outcome = credentials::draft_test(&self.ws, &draft.id, &Sink::none()).await?;
        Ok((draft, outcome))
    }

    async fn connect(&self, how: &str, values: &[(&str, &str)]) -> Credential {
        let (draft, outcome) = self.test(how, values).await.unwrap();
        assert!(outcome.ok, "{how}: {outcome:#?}");
        credentials::draft_finish(&self.ws, &draft.id).unwrap()
    }

    async fn read(&self, credential: &Credential, resource: &str) -> Vec<Value> {
        let catalog = Catalog::open(&self.dir.path().join("connectors"));
        let store = Arc::new(Store::open(self.dir.path()).unwrap());
        let vault = Arc::new(Vault::with_passphrase_file(&self.dir.path().join("vault"), None));
        let (client, context) = intertie::auth::connect(&store, &vault, &catalog, credential).unwrap();
        let connector = catalog.get(&credential.connector).unwrap();
        let resource = connector.resource(resource).unwrap().clone();
        let sample = intertie::vendor::source::sample(connector, &resource, &context, Some(client), 100, &Sink::none()).await;
        sample.unwrap().0
    }

    async fn ids(&self, credential: &Credential) -> Vec<u64> {
        self.read(credential, "users").await.iter().map(|record| record["id"].as_u64().unwrap()).collect()
    }
}

/// Characters that must be encoded, and that are decoded differently where somebody is careless.
const CURSOR: &str = "a+b/c=%41&é ü~*";

/// Two pages of users; before the second, one answer of 429.
fn users(raw: &Raw, seen: &Mutex<Vec<Raw>>) -> Reply {
    assert_eq!(raw.param("filter").as_deref(), Some("name eq \"Ö +1\""));
    let mut seen = seen.lock().unwrap();
    seen.push(raw.clone());
    match raw.param("after") {
        None => reply(200, json!({"data": [{"id": 1}, {"id": 2}], "next": CURSOR})),
        Some(cursor) => {
            assert_eq!(cursor, CURSOR);
            if seen.iter().filter(|raw| raw.param("after").is_some()).count() == 1 {
                return Reply { status: 429, headers: vec![("retry-after", "1".to_owned())], body: json!({"message": "slow down"}) };
            }
            reply(200, json!({"data": [{"id": 3}], "next": null}))
        }
    }
}

#[tokio::test]
async fn oauth1_is_understood_by_a_server_that_computes_it_itself() {
    let (seen, own): (Arc<Mutex<Vec<Raw>>>, Arc<Mutex<String>>) = Default::default();
    let (log, name) = (Arc::clone(&seen), Arc::clone(&own));
    let at = serve(move |raw| match wrong_oauth1(raw, &name.lock().unwrap()) {
        Some(wrong) => reply(401, json!({"title": "Unauthorized", "detail": wrong})),
        None if raw.header("authorization").is_empty() => reply(401, json!({})),
        None if raw.path().ends_with("/users") => users(raw, &log),
        None => {
            assert_eq!((raw.path(), raw.param("q").as_deref()), ("/v(1)/search%20me", Some("a b+c&ü*'()")));
            assert_eq!(serde_json::from_slice::<Value>(&raw.body).unwrap(), json!({"first": "1234567-sb1", "list": [1, 2]}));
            reply(200, json!({}))
        }
    })
    .await;
    own.lock().unwrap().clone_from(&at);
    let base = format!("{at}/v(1)");
    let values = [
        ("account", "1234567-sb1"),
        ("consumer_key", CONSUMER.0),
        ("!consumer_secret", CONSUMER.1),
        ("token", TOKEN.0),
        ("!token_secret", TOKEN.1),
        ("base_url", &base),
    ];
    let desk = Desk::new(DEFINITION);
    let credential = desk.connect("tba", &values).await;
    assert_eq!(desk.ids(&credential).await, [1, 2, 3]);
    {
        let seen = seen.lock().unwrap();
        let signatures: HashSet<&str> = seen.iter().map(|raw| raw.header("authorization")).collect();
        // Two pages and one that was tried again: each signed for itself.
        assert_eq!((seen.len(), signatures.len()), (3, 3));
    }

    let mut wrong = values;
    wrong[4] = ("!token_secret", "planted-another-token-secret");
    let (_, outcome) = desk.test("tba", &wrong).await.unwrap();
    assert_eq!((outcome.ok, outcome.status), (false, Some(401)));
    assert!(!format!("{outcome:?}").contains("planted-another-token-secret"));

    // The same with a form.
    let form = DEFINITION
        .replace(r#"body = { first = "{{ input.account }}", list = [1, 2] }"#, r#"form = { "c d" = "x=y&z +", c2 = "{{ input.account }}" }"#);
    let (name, got) = (Arc::clone(&own), Arc::new(Mutex::new(Vec::new())));
    let log = Arc::clone(&got);
    let at = serve(move |raw| match wrong_oauth1(raw, &name.lock().unwrap()) {
        Some(wrong) => reply(401, json!({"detail": wrong})),
        None => {
            log.lock().unwrap().extend(pairs(std::str::from_utf8(&raw.body).unwrap()));
            reply(200, json!({}))
        }
    })
    .await;
    own.lock().unwrap().clone_from(&at);
    let mut values = values;
    let base = format!("{at}/v(1)");
    values[5] = ("base_url", &base);
    Desk::new(&form).connect("tba", &values).await;
    let got: Vec<_> = got.lock().unwrap().iter().map(|(name, value)| (plain(name), plain(value))).collect();
    assert_eq!(got, [("c d".to_owned(), "x=y&z +".to_owned()), ("c2".to_owned(), "1234567-sb1".to_owned())]);
}

#[tokio::test]
async fn signature_version_4_is_understood_by_a_server_that_computes_it_itself() {
    let seen: Arc<Mutex<Vec<Raw>>> = Arc::default();
    let log = Arc::clone(&seen);
    let at = serve(move |raw| match wrong_sigv4(raw, SCOPE) {
        Some(wrong) => {
            let ahead = jiff::Timestamp::now() + jiff::SignedDuration::from_mins(17);
            let date = ahead.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string();
            let body = json!({"__type": "com.amazon.coral.service#InvalidSignatureException", "message": wrong});
            Reply { status: 403, headers: vec![("date", date)], body }
        }
        None if raw.header("authorization").is_empty() => reply(403, json!({})),
        None if raw.path().ends_with("/users") => users(raw, &log),
        None => {
            assert_eq!((raw.path(), raw.param("q").as_deref()), ("/v%281%29/search%20me", Some("a b+c&ü*'()")));
            assert_eq!((raw.param("a").as_deref(), raw.header("content-type")), (Some("%"), "application/x-amz-json-1.1"));
            assert_eq!(raw.header("x-amz-security-token"), "session/token+=");
            reply(200, json!({}))
        }
    })
    .await;
    let base = format!("{at}/v(1)");
    let values = [
        ("region", "eu-west-3"),
        ("access_key_id", ACCESS.0),
        ("!secret_access_key", ACCESS.1),
        ("!session_token", "session/token+="),
        ("base_url", &base),
    ];
    let desk = Desk::new(DEFINITION);
    let credential = desk.connect("aws", &values).await;
    assert_eq!(desk.ids(&credential).await, [1, 2, 3]);
    {
        let seen = seen.lock().unwrap();
        let dates: Vec<&str> = seen.iter().map(|raw| raw.header("x-amz-date")).collect();
        assert_eq!(seen.len(), 3);
        // Tried again a second later: with the time of then.
        assert!(dates[1] < dates[2], "{dates:?}");
    }
    let mut wrong = values;
    wrong[2] = ("!secret_access_key", "not-the-secret-access-key");
    let (_, outcome) = desk.test("aws", &wrong).await.unwrap();
    let problem = outcome.problem.unwrap();
    assert_eq!(outcome.status, Some(403));
    assert!(problem.why.contains("clock is 17m behind") || problem.why.contains("clock is 16m"), "{problem:?}");
    assert_eq!(problem.code.as_deref(), Some("InvalidSignatureException"));

    let form = DEFINITION.replace(r#"headers = { "X-Amz-Target" = "Signet.Search", "Content-Type" = "application/x-amz-json-1.1" }"#, "");
    let form = form.replace(r#"body = { first = "{{ input.region }}" }"#, r#"form = { Action = "ListUsers", Version = "2010-05-08" }"#);
    let at = serve(|raw| match wrong_sigv4(raw, SCOPE) {
        Some(wrong) => reply(403, json!({"message": wrong})),
        None => {
            assert_eq!(raw.body, b"Action=ListUsers&Version=2010-05-08");
            reply(200, json!({}))
        }
    })
    .await;
    let base = format!("{at}/v(1)");
    let mut values = values;
    values[4] = ("base_url", &base);
    Desk::new(&form).connect("aws", &values).await;
}

#[tokio::test]
async fn keys_go_to_three_places_at_once() {
    let at = serve(|raw| {
        assert_eq!((raw.header("cookie"), raw.param("k").as_deref()), ("JSESSIONID=session-1", Some("third-1")));
        assert_eq!(serde_json::from_slice::<Value>(&raw.body).unwrap(), json!({"auth": {"kind": "key", "key": "first-1"}, "page": 1}));
        reply(200, json!({}))
    })
    .await;
    let values = [("!api_key", "first-1"), ("!session", "session-1"), ("!third", "third-1"), ("base_url", at.as_str())];
    Desk::new(DEFINITION).connect("keys", &values).await;
}

/// An authority, and a pair that it signed.
fn issued(name: &str, for_server: bool) -> (String, impl Fn() -> (String, String)) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    let root = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let names = if for_server { vec!["127.0.0.1".to_owned()] } else { vec!["client.example".to_owned()] };
    (root, move || {
        let key = KeyPair::generate().unwrap();
        (CertificateParams::new(names.clone()).unwrap().signed_by(&key, &issuer).unwrap().pem(), key.serialize_pem())
    })
}

/// A server that lets in who shows a certificate of `clients`; its address.
async fn guarded(clients: &str, own: (String, String), handler: impl Fn(&Raw) -> Reply + Send + Sync + 'static) -> String {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(clients.as_bytes()).unwrap()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build().unwrap();
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let chain = vec![CertificateDer::from_pem_slice(own.0.as_bytes()).unwrap()];
    let config =
        config.with_client_cert_verifier(verifier).with_single_cert(chain, PrivateKeyDer::from_pem_slice(own.1.as_bytes()).unwrap()).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at = format!("https://{}", listener.local_addr().unwrap());
    let handler: Handler = Arc::new(handler);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, handler) = (acceptor.clone(), Arc::clone(&handler));
            tokio::spawn(async move {
                match acceptor.accept(stream).into_fallible().await {
                    Ok(stream) => converse(stream, handler).await,
                    Err((_, mut stream)) => {
                        // The alert is under way: whoever hangs up on unread bytes takes it back.
                        let _ = stream.shutdown().await;
                        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
                    }
                }
            });
        }
    });
    at
}

#[tokio::test]
async fn a_certificate_opens_the_door() {
    let (house, server_pair) = issued("House", true);
    let (clients, client_pair) = issued("Clients", false);
    let (_, strangers_pair) = issued("Strangers", false);
    let at = guarded(&clients, server_pair(), |raw| match raw.path() {
        "/token" => {
            assert!(raw.body.starts_with(b"grant_type=client_credentials"), "{raw:?}");
            assert!(!String::from_utf8_lossy(&raw.body).contains("secret"));
            reply(200, json!({"access_token": "planted-bound-token", "token_type": "Bearer", "expires_in": 600}))
        }
        "/me" => reply(200, json!({"token": raw.header("authorization")})),
        _ => reply(404, json!({})),
    })
    .await;
    let desk = Desk::new(DEFINITION);
    let file = desk.dir.path().join("house.pem");
    std::fs::write(&file, &house).unwrap();
    let file = file.display().to_string();
    let (certificate, key) = client_pair();
    let values = [("certificate", certificate.as_str()), ("!private_key", key.as_str()), ("base_url", &at), ("ca_file", &file)];
    let (_, outcome) = desk.test("certificate", &values).await.unwrap();
    assert!(outcome.ok, "{outcome:#?}");

    // The token is asked for, and used, over the same certificate.
    let client = [&values[..], &[("client_id", "cid")]].concat();
    let (_, outcome) = desk.test("client", &client).await.unwrap();
    assert!(outcome.ok, "{outcome:#?}");

    // A certificate that nobody there knows.
    let (other, other_key) = strangers_pair();
    let strange = [("certificate", other.as_str()), ("!private_key", other_key.as_str()), values[2], values[3]];
    let (draft, outcome) = desk.test("certificate", &strange).await.unwrap();
    let problem = outcome.problem.unwrap();
    assert!(problem.what.contains("does not accept the client certificate"), "{problem:?}");
    let status = credentials::draft_finish(&desk.ws, &draft.id).unwrap().status;
    assert_eq!(status, CredentialStatus::Refused);

    // Half a pair is found out before anything is sent.
    let halves = [("certificate", certificate.as_str()), ("!private_key", other_key.as_str()), values[2], values[3]];
    let problem = desk.test("certificate", &halves).await.err().unwrap();
    assert!(problem.what.contains("does not belong to the certificate"), "{problem:?}");

    // Without the authority of the house, the server is not believed.
    let (_, outcome) = desk.test("certificate", &values[..3]).await.unwrap();
    let problem = outcome.problem.unwrap();
    assert!(problem.what.contains("is not safe"), "{problem:?}");
    let absent = [values[0], values[1], values[2], ("ca_file", "/nowhere/ca.pem")];
    let problem = desk.test("certificate", &absent).await.err().unwrap();
    assert!(problem.why.contains("/nowhere/ca.pem"), "{problem:?}");
}

#[tokio::test]
async fn amazon_web_services() {
    let at = serve(|raw| {
        if let Some(wrong) = wrong_sigv4(raw, "eu-central-1/identitystore") {
            return reply(400, json!({"__type": "InvalidSignatureException", "message": wrong}));
        }
        assert_eq!((raw.method.as_str(), raw.target.as_str(), raw.header("content-type")), ("POST", "/", "application/x-amz-json-1.1"));
        let body: Value = serde_json::from_slice(&raw.body).unwrap();
        assert_eq!(body["IdentityStoreId"], "d-1234567890");
        match (raw.header("x-amz-target"), body["MaxResults"].as_u64(), body["NextToken"].as_str()) {
            ("AWSIdentityStore.ListUsers", Some(1), None) => reply(200, json!({"Users": [{"UserId": "a"}], "NextToken": "x"})),
            ("AWSIdentityStore.ListUsers", Some(100), None) => reply(200, json!({"Users": [{"UserId": "a"}, {"UserId": "b"}], "NextToken": "t+/="})),
            ("AWSIdentityStore.ListUsers", Some(100), Some("t+/=")) => reply(200, json!({"Users": [{"UserId": "c"}]})),
            ("AWSIdentityStore.ListGroups", Some(100), None) => reply(200, json!({"Groups": [{"GroupId": "g"}]})),
            other => panic!("{other:?}"),
        }
    })
    .await;
    let values = [
        ("region", "eu-central-1"),
        ("identity_store_id", "d-1234567890"),
        ("access_key_id", ACCESS.0),
        ("!secret_access_key", ACCESS.1),
        ("base_url", at.as_str()),
    ];
    let desk = Desk::new(DEFINITION);
    let credential = desk.connect("amazon-web-services.access_key", &values).await;
    let named = |records: Vec<Value>, key: &str| records.iter().map(|record| record[key].as_str().unwrap().to_owned()).collect::<Vec<_>>();
    assert_eq!(named(desk.read(&credential, "users").await, "UserId"), ["a", "b", "c"]);
    assert_eq!(named(desk.read(&credential, "groups").await, "GroupId"), ["g"]);
    let mut wrong = values;
    wrong[3] = ("!secret_access_key", "of-another-access-key-id");
    let (_, outcome) = desk.test("amazon-web-services.access_key", &wrong).await.unwrap();
    let problem = outcome.problem.unwrap();
    assert_eq!((outcome.status, problem.code.as_deref()), (Some(400), Some("InvalidSignatureException")));
    assert!(problem.why.contains("does not belong to the access key ID"), "{problem:?}");
}

#[tokio::test]
async fn oracle_netsuite() {
    let own: Arc<Mutex<String>> = Arc::default();
    let name = Arc::clone(&own);
    let at = serve(move |raw| {
        let own = name.lock().unwrap().clone();
        if wrong_oauth1(raw, &own).is_some() {
            let details = json!([{"detail": "Invalid login attempt.", "o:errorCode": "INVALID_LOGIN"}]);
            return reply(
                401,
                json!({"type": "https://www.rfc-editor.org/rfc/rfc9110.html", "title": "Unauthorized", "status": 401, "o:errorDetails": details}),
            );
        }
        assert_eq!((raw.method.as_str(), raw.path(), raw.header("prefer")), ("POST", "/services/rest/query/v1/suiteql", "transient"));
        let body: Value = serde_json::from_slice(&raw.body).unwrap();
        let select = body["q"].as_str().unwrap();
        assert!(select.starts_with("SELECT id") && select.contains(" FROM employee"), "{select}");
        match (raw.param("limit").as_deref(), raw.param("offset").as_deref()) {
            (Some("1"), None) => reply(200, json!({"items": [{"id": "1"}], "hasMore": true})),
            (Some("1000"), None) => {
                let next = format!("{own}/services/rest/query/v1/suiteql?limit=1000&offset=1000");
                let links = json!([{"rel": "next", "href": next}, {"rel": "self", "href": own}]);
                reply(200, json!({"links": links, "items": [{"id": "1", "isinactive": "F"}], "hasMore": true, "totalResults": 2}))
            }
            (Some("1000"), Some("1000")) => {
                let links = json!([{"rel": "self", "href": own}]);
                reply(200, json!({"links": links, "items": [{"id": "2", "isinactive": "T"}], "hasMore": false, "totalResults": 2}))
            }
            other => panic!("{other:?}"),
        }
    })
    .await;
    own.lock().unwrap().clone_from(&at);
    let base = format!("{at}/services/rest");
    let values = [
        ("account", "https://1234567-sb1.app.netsuite.com/"),
        ("consumer_key", CONSUMER.0),
        ("!consumer_secret", CONSUMER.1),
        ("token", TOKEN.0),
        ("!token_secret", TOKEN.1),
        ("base_url", &base),
    ];
    let desk = Desk::new(DEFINITION);
    let credential = desk.connect("oracle-netsuite.token", &values).await;
    let ids: Vec<Value> = desk.read(&credential, "users").await.iter().map(|record| record["id"].clone()).collect();
    assert_eq!(ids, ["1", "2"]);
    let mut wrong = values;
    wrong[4] = ("!token_secret", "planted-of-another-token");
    let problem = desk.test("oracle-netsuite.token", &wrong).await.unwrap().1.problem.unwrap();
    assert_eq!(problem.code.as_deref(), Some("INVALID_LOGIN"));
    assert!(problem.why.contains("Login Audit Trail"), "{problem:?}");
}
