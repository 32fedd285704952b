//! What an issuer says about itself (RFC 8414, OpenID Connect Discovery 1.0).

use std::time::Duration;

use serde_json::Value;
use url::Url;

use crate::vendor::http;

/// Whether the issuer promises to name itself in each authorization response (RFC 9207 §3). `false` when it does not say, cannot be asked,
/// or its document is another issuer's (RFC 8414 §3.3).
pub async fn names_itself(issuer: &str) -> bool {
    for address in addresses(issuer) {
        if let Some(document) = fetch(&address).await {
            return document.get("issuer").and_then(Value::as_str) == Some(issuer)
                && document.get("authorization_response_iss_parameter_supported").and_then(Value::as_bool) == Some(true);
        }
    }
    false
}

/// OpenID Connect puts the well-known part behind the issuer's path, RFC 8414 before it.
fn addresses(issuer: &str) -> Vec<Url> {
    let Ok(url) = Url::parse(issuer) else { return Vec::new() };
    let path = url.path().trim_end_matches('/').to_owned();
    [format!("{path}/.well-known/openid-configuration"), format!("/.well-known/oauth-authorization-server{path}")]
        .into_iter()
        .map(|path| {
            let mut url = url.clone();
            url.set_path(&path);
            url.set_query(None);
            url
        })
        .collect()
}

async fn fetch(address: &Url) -> Option<Value> {
    let request = http::client_for(address).ok()?.get(address.clone()).header("accept", "application/json").timeout(Duration::from_secs(8));
    let response = request.send().await.ok().filter(|response| response.status().is_success())?;
    serde_json::from_slice(&http::body(response, 1 << 20).await.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};

    #[test]
    fn where_the_document_may_be() {
        let shown = |issuer: &str| addresses(issuer).iter().map(Url::to_string).collect::<Vec<_>>();
        assert_eq!(
            shown("https://id.example/tenant/"),
            ["https://id.example/tenant/.well-known/openid-configuration", "https://id.example/.well-known/oauth-authorization-server/tenant"]
        );
        assert_eq!(shown("https://id.example")[0], "https://id.example/.well-known/openid-configuration");
        assert!(shown("nonsense").is_empty());
    }

    #[tokio::test]
    async fn the_promise_counts_only_from_the_issuer_itself() {
        let server = MockServer::start().await;
        let document = |issuer: String| serde_json::json!({"issuer": issuer, "authorization_response_iss_parameter_supported": true});
        let serve = |at: &str, body: Value| Mock::given(path(at.to_owned())).respond_with(ResponseTemplate::new(200).set_body_json(body));
        serve("/a/.well-known/openid-configuration", document(format!("{}/a", server.uri()))).mount(&server).await;
        serve("/b/.well-known/openid-configuration", document("https://evil.example".into())).mount(&server).await;
        serve("/.well-known/oauth-authorization-server/c", document(format!("{}/c", server.uri()))).mount(&server).await;
        assert!(names_itself(&format!("{}/a", server.uri())).await);
        assert!(!names_itself(&format!("{}/b", server.uri())).await);
        assert!(names_itself(&format!("{}/c", server.uri())).await);
        assert!(!names_itself(&format!("{}/d", server.uri())).await);
    }
}
