//! Where the answer to an authorization request goes: the redirect URI by the vendor's rule, and the sockets that hear it.

use std::time::Duration;

use url::Url;

use super::listener::{self, Sockets};
use super::subject::{REDIRECT_URI, Subject};
use crate::model::{Loopback, Problem, Redirect};
use crate::problem;
use crate::vendor::http;
use crate::words::clean;

/// The port where a vendor wants one registered and the definition names none.
const PORT: u16 = 53_417;

/// How often, and after which pause, a port is tried again that was ours a moment ago.
const CLOSING: u32 = 25;
const PAUSE: Duration = Duration::from_millis(20);

/// Where the answer goes.
pub enum Target {
    /// This machine, where we listen.
    Loopback { host: String, port: Option<u16>, path: String },
    /// An address that nobody answers here: the person pastes where the browser ended.
    Elsewhere(String),
}

/// The redirect URI to register at the vendor, before any consent: a setting's, else as the definition's rule makes it. Where the vendor
/// accepts any loopback port (RFC 8252 §7.3), without one.
#[must_use]
pub fn registered(redirect: &Redirect, setting: Option<&str>) -> String {
    match (setting, by_rule(redirect)) {
        (Some(setting), _) => setting.to_owned(),
        (None, Target::Elsewhere(uri)) => uri,
        (None, Target::Loopback { host, port, path }) => {
            let port = port.map(|port| format!(":{port}")).unwrap_or_default();
            format!("http://{host}{port}{path}")
        }
    }
}

/// The redirect URI's rules: a setting's, else the definition's.
pub fn target(subject: &Subject) -> Result<Target, Problem> {
    if let Some(text) = subject.input(REDIRECT_URI) {
        let url = Url::parse(text).map_err(|error| problem!(Usage, "auth.redirect_uri", address = clean::line(text, 150), reason = error))?;
        return Ok(match (url.scheme(), url.port()) {
            ("http", Some(port)) if http::is_loopback(&url) => {
                Target::Loopback { host: url.host_str().unwrap_or_default().to_owned(), port: Some(port), path: url.path().to_owned() }
            }
            _ => Target::Elsewhere(text.to_owned()),
        });
    }
    Ok(by_rule(&subject.method().redirect))
}

fn by_rule(redirect: &Redirect) -> Target {
    let path = match redirect.path.as_deref() {
        None => "/callback".to_owned(),
        Some(path) if path.starts_with('/') => path.to_owned(),
        Some(path) => format!("/{path}"),
    };
    match redirect.loopback {
        Loopback::HttpsOnly => {
            let host = redirect.host.as_deref().unwrap_or("localhost");
            let port = redirect.port.map(|port| format!(":{port}")).unwrap_or_default();
            Target::Elsewhere(format!("https://{host}{port}{path}"))
        }
        rule => {
            let port = redirect.port.or((rule == Loopback::Fixed).then_some(PORT));
            Target::Loopback { host: redirect.host.clone().unwrap_or_else(|| "127.0.0.1".to_owned()), port, path }
        }
    }
}

/// The sockets for an address that was given out already. `Err`: its port is taken, so an answer there would go to somebody else.
pub async fn again(target: &Target, redirect_uri: &str) -> Result<Option<Sockets>, ()> {
    match target {
        Target::Elsewhere(uri) => {
            if uri == redirect_uri {
                Ok(None)
            } else {
                Err(())
            }
        }
        Target::Loopback { .. } => {
            let port = Url::parse(redirect_uri).ok().and_then(|uri| uri.port()).ok_or(())?;
            // Who listened until a moment ago may still be closing.
            for _ in 0..CLOSING {
                if let Some(sockets) = listener::bind(Some(port)).await {
                    return Ok(Some(sockets));
                }
                tokio::time::sleep(PAUSE).await;
            }
            Err(())
        }
    }
}

/// The redirect URI, and the sockets that hear it.
pub async fn place(target: &Target) -> (String, Option<Sockets>) {
    match target {
        Target::Elsewhere(uri) => (uri.clone(), None),
        Target::Loopback { host, port, path } => {
            let sockets = listener::bind(*port).await;
            // Where nothing can be bound the browser ends on an error page, whose address can be pasted.
            let port = sockets.as_ref().map_or(port.unwrap_or(PORT), |sockets| sockets.port);
            (format!("http://{host}:{port}{path}"), sockets)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_redirect_uri_to_register_follows_the_vendors_rule() {
        let rule = |loopback, port, host: Option<&str>| Redirect { loopback, port, host: host.map(str::to_owned), path: None };
        assert_eq!(registered(&rule(Loopback::AnyPort, None, None), None), "http://127.0.0.1/callback");
        assert_eq!(registered(&rule(Loopback::AnyPort, None, Some("localhost")), None), "http://localhost/callback");
        assert_eq!(registered(&rule(Loopback::Fixed, None, None), None), "http://127.0.0.1:53417/callback");
        assert_eq!(registered(&rule(Loopback::Fixed, Some(8080), None), None), "http://127.0.0.1:8080/callback");
        assert_eq!(registered(&rule(Loopback::HttpsOnly, None, None), None), "https://localhost/callback");
        assert_eq!(registered(&rule(Loopback::AnyPort, None, None), Some("https://x.example/cb")), "https://x.example/cb");
    }
}
