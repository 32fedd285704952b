//! Secrets by reference, read when they are used: nothing is written to disk, and memory keeps a value for a minute.
//!
//! `vault://` is the KV store, version 2, of HashiCorp Vault and OpenBao, whose HTTP API is the same: `GET /v1/MOUNT/data/PATH` with the token
//! in `X-Vault-Token`. Address and token come from where their own programs take them: `BAO_ADDR`, `BAO_TOKEN`, `BAO_NAMESPACE`, `BAO_CACERT`,
//! else the same with `VAULT_`, and the token that a login left in `~/.vault-token`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use reqwest::Method;
use reqwest::header::HeaderValue;
use serde_json::{Value, json};
use url::Url;
use zeroize::Zeroizing;

use crate::model::{Problem, Secret};
use crate::vault::reference::{self, Kv, Reference};
use crate::vendor::http::{self, Identity, Trouble};
use crate::words::clean;
use crate::{problem, t};

/// How long a value is kept in memory.
const KEPT: Duration = Duration::from_secs(60);
/// An answer of the store is a few kilobytes.
const LARGEST: usize = 1 << 20;

type Cache = Mutex<HashMap<String, (Instant, Secret)>>;
static CACHE: LazyLock<Cache> = LazyLock::new(Mutex::default);

/// The value that a reference leads to; waits up to ten seconds, for a program or another host.
pub fn resolve(text: &str) -> Result<Secret, Problem> {
    let parsed = Reference::parse(text)?;
    let now = Instant::now();
    {
        let mut cache = CACHE.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|_, (at, _)| now.duration_since(*at) < KEPT);
        if let Some((_, secret)) = cache.get(text) {
            return Ok(secret.clone());
        }
    }
    let secret = match &parsed {
        // At hand at once.
        Reference::Env(_) => return parsed.local().unwrap_or_else(|| Err(problem!(Usage, "reference.unknown"))),
        _ => aside(move || follow(&parsed))?,
    };
    CACHE.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned(), (now, secret.clone()));
    Ok(secret)
}

/// Forgets what is kept in memory: a vendor refused it, or it was changed.
pub fn forget(text: &str) {
    CACHE.lock().unwrap_or_else(PoisonError::into_inner).remove(text);
}

fn follow(parsed: &Reference) -> Result<Secret, Problem> {
    match parsed {
        Reference::Vault(kv) => alone(Server::from_environment()?.read(kv)),
        other => other.local().unwrap_or_else(|| Err(problem!(Usage, "reference.unknown"))),
    }
}

/// Waits for something of the store, for who is not in a task.
pub(super) fn now<T, F>(work: impl FnOnce() -> F + Send + 'static) -> Result<T, Problem>
where
    T: Send + 'static,
    F: Future<Output = Result<T, Problem>>,
{
    aside(move || alone(work()))
}

/// Runs what blocks on a thread of its own: whoever asks may be a task of a runtime, which must go on meanwhile.
fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Problem> + Send + 'static) -> Result<T, Problem> {
    let wait = move || match std::thread::spawn(work).join() {
        Ok(done) => done,
        Err(_) => Err(problem!(Failed, "reference.stopped")),
    };
    match tokio::runtime::Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(wait),
        _ => wait(),
    }
}

fn alone<T>(work: impl Future<Output = Result<T, Problem>>) -> Result<T, Problem> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| problem!(Failed, "reference.no_runtime", reason = error))?.block_on(work)
}

/// A KV store that can be asked.
pub struct Server {
    address: Url,
    token: Secret,
    namespace: Option<String>,
    authorities: Option<PathBuf>,
}

/// A secret as it lies in the store: its fields (none when there is no secret, or its newest version was deleted), and the version that a
/// write has to name.
pub struct Stored {
    pub fields: serde_json::Map<String, Value>,
    pub version: u64,
}

impl Server {
    pub fn new(address: &str, token: Secret, namespace: Option<String>, authorities: Option<PathBuf>) -> Result<Self, Problem> {
        Ok(Self { address: http::address(address)?, token, namespace, authorities })
    }

    pub(super) fn from_environment() -> Result<Self, Problem> {
        let variable = |name: &str| {
            let of = |prefix: &str| std::env::var(format!("{prefix}_{name}")).ok().filter(|value| !value.trim().is_empty());
            of("BAO").or_else(|| of("VAULT"))
        };
        let address = variable("ADDR").ok_or_else(|| problem!(PersonMustAct, "reference.kv.no_address"))?;
        let token = match variable("TOKEN") {
            Some(token) => Some(Secret::new(token.trim())),
            None => std::env::var_os("HOME").and_then(|home| {
                let text = Zeroizing::new(std::fs::read_to_string(PathBuf::from(home).join(".vault-token")).ok()?);
                Some(Secret::new(text.trim())).filter(|token| !token.is_empty())
            }),
        };
        let token = token.ok_or_else(|| problem!(PersonMustAct, "reference.kv.no_token"))?;
        Self::new(&address, token, variable("NAMESPACE"), variable("CACERT").map(PathBuf::from))
    }

    /// One field of a secret.
    pub async fn read(&self, kv: &Kv) -> Result<Secret, Problem> {
        let stored = self.read_all(kv).await?;
        if stored.fields.is_empty() {
            return Err(problem!(PersonMustAct, "reference.kv.missing", place = self.place(kv)));
        }
        match stored.fields.get(&kv.field) {
            Some(Value::String(text)) if !text.is_empty() => Ok(Secret::new(text.as_str())),
            Some(Value::Number(number)) => Ok(Secret::new(number.to_string())),
            Some(Value::String(_)) => Err(problem!(PersonMustAct, "reference.empty", reference = clean::line(&format!("vault://{kv}"), 200))),
            Some(_) => Err(problem!(Failed, "reference.kv.not_text", field = clean::line(&kv.field, 80), place = self.place(kv))),
            None => {
                let names: Vec<&str> = stored.fields.keys().map(String::as_str).collect();
                let field = clean::line(&kv.field, 80);
                Err(problem!(
                    PersonMustAct,
                    "reference.kv.no_field",
                    field = field,
                    place = self.place(kv),
                    names = clean::line(&names.join(", "), 200)
                ))
            }
        }
    }

    /// All fields of a secret.
    pub async fn read_all(&self, kv: &Kv) -> Result<Stored, Problem> {
        let (status, body) = self.ask(Method::GET, kv, "data", None).await?;
        // One that was deleted still has a version, which a write has to name.
        let version = body.pointer("/data/metadata/version").and_then(Value::as_u64).unwrap_or(0);
        if status == 404 {
            return Ok(Stored { fields: serde_json::Map::new(), version });
        }
        if status != 200 {
            return Err(self.refused(kv, status, &body));
        }
        let fields = match body.pointer("/data/data") {
            Some(Value::Object(fields)) => fields.clone(),
            Some(Value::Null) => serde_json::Map::new(),
            // Version 1 of the store has the fields one level higher, and no versions.
            _ => return Err(problem!(Failed, "reference.kv.not_kv2", place = self.place(kv))),
        };
        Ok(Stored { fields, version })
    }

    /// Writes all fields of a secret, if its version is still that one (0: there is none yet); the new version. `None`: somebody else was
    /// faster, and nothing was written.
    pub async fn write(&self, kv: &Kv, fields: &serde_json::Map<String, Value>, version: u64) -> Result<Option<u64>, Problem> {
        let (status, body) = self.ask(Method::POST, kv, "data", Some(json!({ "options": { "cas": version }, "data": fields }))).await?;
        match status {
            200 | 204 => Ok(Some(body.pointer("/data/version").and_then(Value::as_u64).unwrap_or(version + 1))),
            400 if said(&body).contains("check-and-set") => Ok(None),
            _ => Err(self.refused(kv, status, &body)),
        }
    }

    /// Takes a secret away with all its versions. Where only its newest version may be deleted, that is done, and said.
    pub async fn delete(&self, kv: &Kv) -> Result<(), Problem> {
        let (status, body) = self.ask(Method::DELETE, kv, "metadata", None).await?;
        if matches!(status, 200 | 204 | 404) {
            return Ok(());
        }
        let refused = self.refused(kv, status, &body);
        if status == 403 && matches!(self.ask(Method::DELETE, kv, "data", None).await?.0, 200 | 204) {
            return Err(problem!(Failed, "reference.kv.versions_stay", place = self.place(kv), said = said(&body)));
        }
        Err(refused)
    }

    /// `part`: `data`, or `metadata`.
    async fn ask(&self, method: Method, kv: &Kv, part: &str, body: Option<Value>) -> Result<(u16, Value), Problem> {
        let mut url = self.address.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().push("v1").extend(kv.mount.split('/')).push(part).extend(kv.path.split('/'));
        }
        let client = match &self.authorities {
            Some(file) => http::client_with(&url, &Identity::anonymous().with_authorities(file)?)?,
            None => http::client_for(&url)?.clone(),
        };
        let mut token = HeaderValue::from_str(self.token.expose()).map_err(|_| problem!(PersonMustAct, "reference.kv.no_token"))?;
        token.set_sensitive(true);
        // The second keeps requests that somebody else's server was tricked into away from agents that add a token (Vault Agent).
        let mut request = client.request(method.clone(), url.clone()).timeout(reference::LIMIT).header("x-vault-token", token);
        request = request.header("x-vault-request", "true");
        if let Some(namespace) = &self.namespace {
            request = request.header("x-vault-namespace", namespace);
        }
        if let Some(body) = &body {
            request = request.json(body);
        }
        let host = clean::line(url.host_str().unwrap_or_default(), 200);
        let failed = |error: &reqwest::Error| {
            let request = format!("{method} {}", http::shown(&url));
            Trouble::of(error).problem(t!("reference.kv.store"), &request, &host, &http::innermost(error))
        };
        let response = request.send().await.map_err(|error| failed(&error))?;
        let status = response.status().as_u16();
        let bytes = match http::body(response, LARGEST).await {
            Ok(bytes) => bytes,
            Err(http::BodyError::Broken(error)) => return Err(failed(&error)),
            Err(error @ http::BodyError::TooLarge(_)) => {
                return Err(problem!(Failed, "reference.kv.strange", place = self.place(kv), status = status, said = error));
            }
        };
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// Where it was looked for: host and path, no secret.
    fn place(&self, kv: &Kv) -> String {
        clean::line(&format!("{} {}/{}", self.address.host_str().unwrap_or_default(), kv.mount, kv.path), 250)
    }

    fn refused(&self, kv: &Kv, status: u16, body: &Value) -> Problem {
        let (place, said) = (self.place(kv), said(body));
        let sealed = said.to_ascii_lowercase().contains("sealed");
        match status {
            403 if said.contains("invalid token") || said.contains("bad token") || said.contains("token expired") => {
                problem!(PersonMustAct, "reference.kv.bad_token", place = place, said = said)
            }
            403 => problem!(PersonMustAct, "reference.kv.denied", place = place, said = said),
            503 if sealed || said.is_empty() => problem!(PersonMustAct, "reference.kv.sealed", place = place),
            429 => problem!(Failed, "reference.kv.busy", place = place),
            _ => problem!(Failed, "reference.kv.strange", place = place, status = status, said = said),
        }
    }
}

/// What the store says of an error: the texts of its `errors`.
fn said(body: &Value) -> String {
    let texts: Vec<&str> = body["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    clean::line(texts.join("; ").trim(), 300)
}

#[cfg(test)]
mod tests {
    use super::*;
    use wiremock::matchers::{body_json, header, method, path};
    use wiremock::{Mock, MockServer, ResponseTemplate};

    fn kv(text: &str) -> Kv {
        match Reference::parse(text).unwrap() {
            Reference::Vault(kv) => kv,
            _ => panic!("{text}"),
        }
    }

    async fn store() -> (MockServer, Server) {
        let mock = MockServer::start().await;
        let server = Server::new(&mock.uri(), Secret::new("hvs.s3cret"), Some("admin/it".to_owned()), None).unwrap();
        (mock, server)
    }

    /// As the documentation shows it: fields under `data.data`, the version under `data.metadata`.
    fn secret(fields: &Value, version: u64) -> Value {
        let metadata =
            json!({"created_time": "2026-01-01T00:00:00.1Z", "custom_metadata": null, "deletion_time": "", "destroyed": false, "version": version});
        json!({"request_id": "r", "lease_id": "", "renewable": false, "lease_duration": 0, "data": {"data": fields, "metadata": metadata}, "warnings": null})
    }

    #[tokio::test]
    async fn a_field_is_read() {
        let (mock, server) = store().await;
        Mock::given(method("GET"))
            .and(path("/v1/kv/team/data/it/click%20wrap"))
            .and(header("x-vault-token", "hvs.s3cret"))
            .and(header("x-vault-namespace", "admin/it"))
            .and(header("x-vault-request", "true"))
            .respond_with(ResponseTemplate::new(200).set_body_json(secret(&json!({"client_secret": "s", "port": 8, "more": {}, "none": ""}), 3)))
            .mount(&mock)
            .await;
        let read = async |field: &str| server.read(&kv(&format!("vault://kv%2Fteam/it/click wrap#{field}"))).await;
        assert_eq!(read("client_secret").await.ok().unwrap().expose(), "s");
        assert_eq!(read("port").await.ok().unwrap().expose(), "8");
        assert!(read("more").await.is_err() && read("none").await.is_err());
        let problem = read("password").await.err().unwrap();
        assert!(problem.why.contains("client_secret"), "{problem:?}");
        assert_eq!(server.read_all(&kv("vault://kv%2Fteam/it/click wrap#x")).await.unwrap().version, 3);
    }

    #[tokio::test]
    async fn what_the_store_refuses_is_explained() {
        let cases = [
            (403, json!({"errors": ["1 error occurred:\n\t* permission denied\n\n"]}), "reference.kv.denied", "policy"),
            (403, json!({"errors": ["2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n"]}), "reference.kv.bad_token", "log in"),
            (503, json!({"errors": ["Vault is sealed"]}), "reference.kv.sealed", "seal"),
            (404, json!({"errors": []}), "reference.kv.missing", "kv"),
            // A version that was deleted.
            (404, json!({"data": {"data": null, "metadata": {"deletion_time": "2026-01-01T00:00:00Z", "version": 2}}}), "reference.kv.missing", "kv"),
            (200, json!({"data": {"client_secret": "version 1 of the store"}}), "reference.kv.not_kv2", "version 2"),
            (500, json!({"errors": ["1 error occurred:\n\t* \u{1b}[31mboom\n\n"]}), "reference.kv.strange", "boom"),
            (502, json!("<html>"), "reference.kv.strange", "502"),
            (429, json!({"errors": []}), "reference.kv.busy", "again"),
        ];
        for (status, body, key, hint) in cases {
            let (mock, server) = store().await;
            Mock::given(path("/v1/secret/data/a")).respond_with(ResponseTemplate::new(status).set_body_json(&body)).mount(&mock).await;
            let problem = server.read(&kv("vault://secret/a#b")).await.err().unwrap();
            let text = format!("{problem:?}");
            assert!(text.to_lowercase().contains(hint), "{key}: {text}");
            assert!(!text.contains("hvs.") && !text.contains("version 1 of the store") && !text.contains('\u{1b}'), "{text}");
        }
        let gone = Server::new("http://127.0.0.1:9", Secret::new("t"), None, None).unwrap();
        assert!(gone.read(&kv("vault://secret/a#b")).await.is_err());
        assert!(Server::new("http://vault.example.com:8200", Secret::new("t"), None, None).is_err(), "a token in the clear");
    }

    #[tokio::test]
    async fn a_write_names_the_version_it_replaces() {
        let (mock, server) = store().await;
        let fields = json!({"refresh_token": "r2"});
        Mock::given(method("POST"))
            .and(path("/v1/secret/data/a"))
            .and(body_json(json!({"options": {"cas": 1}, "data": fields})))
            .respond_with(ResponseTemplate::new(200).set_body_json(json!({"data": {"created_time": "2026-01-01T00:00:00Z", "version": 2}})))
            .mount(&mock)
            .await;
        let other = json!({"errors": ["check-and-set parameter did not match the current version"]});
        Mock::given(method("POST")).respond_with(ResponseTemplate::new(400).set_body_json(other)).with_priority(9).mount(&mock).await;
        let place = kv("vault://secret/a#x");
        let fields = fields.as_object().unwrap();
        assert_eq!(server.write(&place, fields, 1).await.unwrap(), Some(2));
        assert_eq!(server.write(&place, fields, 0).await.unwrap(), None, "somebody was faster");
    }

    /// From a task of a runtime, and from no runtime at all.
    #[test]
    fn a_value_is_kept_for_a_minute() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        std::fs::write(&path, "one\n").unwrap();
        let text = format!("file:{}", path.display());
        assert_eq!(resolve(&text).ok().unwrap().expose(), "one");
        std::fs::write(&path, "two\n").unwrap();
        assert_eq!(resolve(&text).ok().unwrap().expose(), "one");
        forget(&text);
        for threads in [1, 2] {
            let mut runtime = tokio::runtime::Builder::new_multi_thread();
            let runtime = runtime.worker_threads(threads).build().unwrap();
            assert_eq!(
                runtime
                    .block_on(async {
                        tokio::spawn({
                            let text = text.clone();
                            async move { resolve(&text) }
                        })
                        .await
                        .unwrap()
                    })
                    .ok()
                    .unwrap()
                    .expose(),
                "two"
            );
        }
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(runtime.block_on(async { resolve(&text) }).ok().unwrap().expose(), "two");
        // A failure is not kept.
        let missing = dir.path().join("later");
        let text = format!("file:{}", missing.display());
        assert!(resolve(&text).is_err());
        std::fs::write(&missing, "x").unwrap();
        assert!(resolve(&text).is_ok());
    }
}
