//! What an authorization server says about itself (RFC 8414, OpenID Connect Discovery 1.0).

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::Value;
use url::Url;

use crate::model::Problem;
use crate::problem;
use crate::vendor::http::{self, Trouble};
use crate::words::clean;

/// How long a document counts, and how long a failure to get one: long enough that one task does not wait for the same server again and
/// again, short enough for a person who tries again.
const GOOD: Duration = Duration::from_hours(1);
const BAD: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(8);
/// Documents are a few kilobytes.
const LARGEST: usize = 1 << 20;
const BEFORE: &str = "/.well-known/oauth-authorization-server";
const BEHIND: &str = "/.well-known/openid-configuration";

/// Whose document is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Whose {
    /// Where its document is follows from its name.
    Issuer(String),
    /// The address of the document, and the issuer it must be of, where that is known.
    At(String, Option<String>),
}

/// A server's document, as it came; its addresses are checked when they are used.
pub struct Document(Value);

impl Document {
    fn text(&self, member: &str) -> Option<&str> {
        self.0.get(member)?.as_str().filter(|text| !text.is_empty())
    }

    /// An address by its member: `token_endpoint`. `mtls`: for clients that prove themselves with a certificate (RFC 8705 §5).
    #[must_use]
    pub fn endpoint(&self, member: &str, mtls: bool) -> Option<&str> {
        let alias = || self.0.get("mtls_endpoint_aliases")?.get(member)?.as_str().filter(|text| !text.is_empty());
        if mtls { alias().or_else(|| self.text(member)) } else { self.text(member) }
    }

    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.text("issuer")
    }

    /// Whether the server promises to name itself in each authorization response (RFC 9207 §3).
    #[must_use]
    pub fn names_itself(&self) -> bool {
        self.is_true("authorization_response_iss_parameter_supported")
    }

    /// Whether it takes no authorization request that was not pushed (RFC 9126 §5).
    #[must_use]
    pub fn requires_push(&self) -> bool {
        self.is_true("require_pushed_authorization_requests")
    }

    /// Whether it takes PKCE with SHA-256 (RFC 8414 §2); `None` when it does not say.
    #[must_use]
    pub fn takes_pkce(&self) -> Option<bool> {
        let methods = self.0.get("code_challenge_methods_supported")?.as_array()?;
        Some(methods.iter().any(|method| method.as_str() == Some("S256")))
    }

    fn is_true(&self, member: &str) -> bool {
        self.0.get(member).and_then(Value::as_bool) == Some(true)
    }
}

/// `Ok(None)`: the server answers, and has no document.
type Found = Result<Option<Arc<Document>>, Problem>;
type Slot = Arc<tokio::sync::Mutex<Option<(Instant, Found)>>>;

static KNOWN: LazyLock<Mutex<HashMap<Whose, Slot>>> = LazyLock::new(Mutex::default);

fn slot(whose: &Whose) -> Slot {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    Arc::clone(known.entry(whose.clone()).or_default())
}

/// A server's document: asked for once an hour, whoever wants it.
pub async fn document(whose: &Whose) -> Found {
    let slot = slot(whose);
    let mut held = slot.lock().await;
    if let Some((at, found)) = &*held
        && at.elapsed() < if matches!(found, Ok(Some(_))) { GOOD } else { BAD }
    {
        return found.clone();
    }
    let found = fetch(whose).await;
    *held = Some((Instant::now(), found.clone()));
    found
}

/// The document where it was fetched already; nobody is asked.
#[must_use]
pub fn held(whose: &Whose) -> Option<Arc<Document>> {
    slot(whose).try_lock().ok()?.as_ref().and_then(|(_, found)| found.clone().ok().flatten())
}

async fn fetch(whose: &Whose) -> Found {
    let (places, expected) = match whose {
        Whose::Issuer(issuer) => {
            http::address(issuer)?;
            (places(issuer), Some(issuer.clone()))
        }
        Whose::At(address, issuer) => {
            let url = http::address(address)?;
            let expected = issuer.clone();
            (vec![url], expected)
        }
    };
    for place in places {
        if let Some(document) = ask(&place).await? {
            check_issuer(&document, expected.as_deref(), &place)?;
            return Ok(Some(Arc::new(document)));
        }
    }
    Ok(None)
}

/// RFC 8414 §3.3: the document is the asked server's own, or it is not used.
fn check_issuer(document: &Document, expected: Option<&str>, place: &Url) -> Result<(), Problem> {
    let found = document.issuer().unwrap_or_default();
    let agrees = match expected {
        Some(expected) => found == expected,
        // Nobody was named: the document must at least be where its issuer would have it.
        None => {
            !found.is_empty()
                && (!place.path().contains("/.well-known/")
                    || places(found).iter().any(|known| known.path() == place.path() && known.origin() == place.origin()))
        }
    };
    if agrees {
        return Ok(());
    }
    let (address, found) = (http::shown(place), clean::line(found, 150));
    Err(match expected {
        Some(expected) => problem!(Failed, "auth.metadata.other_issuer", address = address, issuer = clean::line(expected, 150), found = found),
        None => problem!(Failed, "auth.metadata.other_place", address = address, found = found),
    }
    .with_code("wrong_issuer"))
}

/// OpenID Connect puts the well-known part behind the issuer's path, RFC 8414 before it.
fn places(issuer: &str) -> Vec<Url> {
    let Ok(url) = Url::parse(issuer) else { return Vec::new() };
    let path = url.path().trim_end_matches('/').to_owned();
    [format!("{path}{BEHIND}"), format!("{BEFORE}{path}")]
        .into_iter()
        .map(|path| {
            let mut url = url.clone();
            url.set_path(&path);
            url.set_query(None);
            url.set_fragment(None);
            url
        })
        .collect()
}

/// `None`: there is nothing at this address.
async fn ask(place: &Url) -> Result<Option<Document>, Problem> {
    let address = http::shown(place);
    let host = clean::line(place.host_str().unwrap_or_default(), 200);
    let trouble = |error: &reqwest::Error| Trouble::of(error).problem(&host, &format!("GET {address}"), &host, &http::innermost(error));
    let client = http::client_for(place)?;
    let get = || client.get(place.clone()).header("accept", "application/json").timeout(TIMEOUT).send();
    let response = match get().await {
        // A connection that the server had closed meanwhile; nothing is changed by asking twice.
        Err(error) if Trouble::of(&error) == Trouble::Cut => get().await,
        answered => answered,
    };
    let response = response.map_err(|error| trouble(&error))?;
    let status = response.status().as_u16();
    match status {
        200..=299 => {}
        // A server that has no such page answers in many ways; trouble of its own is another matter.
        300..=499 if status != 429 => return Ok(None),
        _ => return Err(problem!(Failed, "auth.metadata.busy", address = address, status = status)),
    }
    let unreadable = || problem!(Failed, "auth.metadata.unreadable", address = address.as_str());
    let body = match http::body(response, LARGEST).await {
        Ok(body) => body,
        Err(http::BodyError::Broken(error)) => return Err(trouble(&error)),
        Err(http::BodyError::TooLarge(_)) => return Err(unreadable()),
    };
    match serde_json::from_slice::<Value>(&body) {
        Ok(value) if value.is_object() => Ok(Some(Document(value))),
        // A web page where everything is found: an application with one page for all addresses.
        _ if body.trim_ascii_start().starts_with(b"<") => Ok(None),
        _ => Err(unreadable()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

    #[test]
    fn where_the_document_may_be() {
        let shown = |issuer: &str| places(issuer).iter().map(Url::to_string).collect::<Vec<_>>();
        assert_eq!(
            shown("https://id.example/tenant/"),
            ["https://id.example/tenant/.well-known/openid-configuration", "https://id.example/.well-known/oauth-authorization-server/tenant"]
        );
        assert_eq!(shown("https://id.example")[0], "https://id.example/.well-known/openid-configuration");
        assert!(shown("nonsense").is_empty());
    }

    #[test]
    fn what_a_document_says() {
        let document = Document(json!({
            "token_endpoint": "https://a/t",
            "mtls_endpoint_aliases": {"token_endpoint": "https://mtls.a/t"},
            "code_challenge_methods_supported": ["plain"],
            "require_pushed_authorization_requests": true,
            "authorization_response_iss_parameter_supported": "true",
            "revocation_endpoint": ""
        }));
        assert_eq!(document.endpoint("token_endpoint", false), Some("https://a/t"));
        assert_eq!(document.endpoint("token_endpoint", true), Some("https://mtls.a/t"));
        assert_eq!(document.endpoint("revocation_endpoint", true), None);
        assert_eq!((document.takes_pkce(), document.requires_push(), document.names_itself()), (Some(false), true, false));
        assert_eq!(Document(json!({})).takes_pkce(), None);
    }

    #[tokio::test]
    async fn only_the_servers_own_document_counts() {
        let server = MockServer::start().await;
        let root = server.uri();
        let serve =
            |at: &str, status: u16, body: Value| Mock::given(path(at.to_owned())).respond_with(ResponseTemplate::new(status).set_body_json(body));
        let document = |issuer: &str| json!({"issuer": issuer, "token_endpoint": format!("{issuer}/token"), "authorization_response_iss_parameter_supported": true});
        serve("/own/.well-known/openid-configuration", 200, document(&format!("{root}/own"))).expect(1).mount(&server).await;
        serve("/other/.well-known/openid-configuration", 200, document("https://evil.example")).mount(&server).await;
        serve("/.well-known/oauth-authorization-server/new", 200, document(&format!("{root}/new"))).mount(&server).await;
        serve("/busy/.well-known/openid-configuration", 503, json!({})).mount(&server).await;
        serve("/list/.well-known/openid-configuration", 200, json!([])).mount(&server).await;
        let of = |name: &str| {
            let whose = Whose::Issuer(format!("{root}/{name}"));
            async move { super::document(&whose).await }
        };
        // Asked once, however many want it.
        let (first, second) = tokio::join!(of("own"), of("own"));
        assert!(first.unwrap().unwrap().names_itself() && second.unwrap().is_some());
        assert!(held(&Whose::Issuer(format!("{root}/own"))).is_some());
        let refused = of("other").await.err().unwrap();
        assert_eq!(refused.code.as_deref(), Some("wrong_issuer"));
        assert!(refused.why.contains("https://evil.example"), "{refused:?}");
        assert!(of("new").await.unwrap().is_some());
        assert!(of("none").await.unwrap().is_none());
        assert!(of("busy").await.err().unwrap().why.contains("503"));
        assert!(of("list").await.is_err());
        // By its address: of the issuer that was named, or of the one whose place it is.
        let at = |name: &str, issuer: Option<&str>| {
            let whose = Whose::At(format!("{root}{name}"), issuer.map(str::to_owned));
            async move { super::document(&whose).await.map(|found| found.is_some()).map_err(|problem| problem.code) }
        };
        assert_eq!(at("/.well-known/oauth-authorization-server/new", None).await, Ok(true));
        assert_eq!(at("/.well-known/oauth-authorization-server/new", Some("https://b")).await, Err(Some("wrong_issuer".to_owned())));
        assert_eq!(at("/other/.well-known/openid-configuration", None).await, Err(Some("wrong_issuer".to_owned())));
        assert_eq!(super::document(&Whose::Issuer("http://id.example".to_owned())).await.err().map(|p| p.next_step.is_empty()), Some(false));
    }
}
