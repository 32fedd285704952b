//! The one place where connections are made: TLS, HTTP/2, time-outs, redirects, proxies.

mod identity;

use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use url::{Host, Url};

pub use self::identity::{Identity, client_with};
use crate::model::Problem;
use crate::problem;
use crate::words::clean;

const CONNECT: Duration = Duration::from_secs(10);

/// How long an answer may pause between two bytes.
const SILENCE: Duration = Duration::from_secs(30);

/// How long a whole request may take, its body included.
pub const TIMEOUT: Duration = Duration::from_secs(60);

/// The largest body that is read.
pub const LARGEST: usize = 64 << 20;

/// An address that may be asked: `https`, or `http` on a loopback address; without a user name in it.
pub fn address(text: &str) -> Result<Url, Problem> {
    let shown = || clean::line(text, 200);
    let url = Url::parse(text.trim()).map_err(|error| problem!(Usage, "vendor.address", address = shown(), reason = error))?;
    allowed(&url)?;
    Ok(url)
}

/// See [`address`].
pub fn allowed(url: &Url) -> Result<(), Problem> {
    if !url.username().is_empty() || url.password().is_some() {
        return Err(problem!(Usage, "vendor.user_in_address", host = clean::line(url.host_str().unwrap_or_default(), 200)));
    }
    match url.scheme() {
        "https" if url.has_host() => Ok(()),
        "http" if is_loopback(url) => Ok(()),
        _ => Err(problem!(Usage, "vendor.plain_http", address = shown(url))),
    }
}

/// Whether an address is this machine's own: `127.0.0.0/8`, `::1`, or `localhost` and names under it (RFC 6761 §6.3).
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The client for an address. All of the program shares its connections. Loopback addresses are never asked through a proxy.
///
/// Redirects are followed on the same origin only, because a request carries a credential; any other redirect is an answer like any other.
pub fn client_for(url: &Url) -> Result<&'static reqwest::Client, Problem> {
    static LOOPBACK: LazyLock<Built> = LazyLock::new(|| build(false));
    allowed(url)?;
    if is_loopback(url) { usable(&LOOPBACK) } else { client() }
}

/// The same, but every redirect is an answer: a login's cookies and codes come with them.
pub fn client_staying(url: &Url) -> Result<&'static reqwest::Client, Problem> {
    static LOOPBACK: LazyLock<Built> = LazyLock::new(|| stay(false));
    static WORLD: LazyLock<Built> = LazyLock::new(|| stay(true));
    allowed(url)?;
    usable(if is_loopback(url) { &LOOPBACK } else { &WORLD })
}

fn stay(world: bool) -> Built {
    builder(world).redirect(reqwest::redirect::Policy::none()).build().map_err(|error| with_causes(&error))
}

/// The client for addresses elsewhere, unchecked: prefer [`client_for`], which refuses plain http and keeps loopback out of proxies.
pub fn client() -> Result<&'static reqwest::Client, Problem> {
    static WORLD: LazyLock<Built> = LazyLock::new(|| build(true));
    usable(&WORLD)
}

type Built = Result<reqwest::Client, String>;

fn usable(built: &'static Built) -> Result<&'static reqwest::Client, Problem> {
    built.as_ref().map_err(|reason| problem!(Failed, "vendor.no_client", reason = clean::line(reason, 300)))
}

fn build(world: bool) -> Built {
    builder(world).build().map_err(|error| with_causes(&error))
}

fn builder(world: bool) -> reqwest::ClientBuilder {
    // Fails when a provider is there already, which is just as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = reqwest::Client::builder()
        .user_agent(concat!("intertie/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .read_timeout(SILENCE)
        .timeout(TIMEOUT)
        .gzip(true)
        .tcp_nodelay(true)
        .redirect(reqwest::redirect::Policy::custom(|attempt| {
            let same = attempt.previous().last().is_some_and(|from| from.origin() == attempt.url().origin());
            if same && attempt.previous().len() <= 5 { attempt.follow() } else { attempt.stop() }
        }));
    if world { builder } else { builder.no_proxy() }
}

/// An address fit to show: without user name, fragment, and the values of parameters that may be secret.
#[must_use]
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_fragment(None);
    if url.query().is_some() {
        let pairs: Vec<(String, String)> =
            url.query_pairs().map(|(name, value)| (name.to_string(), if secret_name(&name) { "…".to_owned() } else { value.into_owned() })).collect();
        // Values stay readable: they are for people.
        let query: Vec<String> = pairs.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        url.set_query(None);
        return clean::line(&format!("{url}?{}", query.join("&")), 300);
    }
    clean::line(url.as_str(), 300)
}

/// Names of parameters whose values are not shown, whoever put them there.
fn secret_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    ["token", "secret", "password", "passwd", "apikey", "api_key", "api-key", "signature", "assertion", "verifier"]
        .iter()
        .any(|part| name.contains(part))
        || ["key", "code", "auth", "sig", "sid", "session"].contains(&name.as_str())
}

/// Why a body could not be read.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    #[error(transparent)]
    Broken(#[from] reqwest::Error),
}

/// A whole body, up to `largest` bytes.
pub async fn body(mut response: reqwest::Response, largest: usize) -> Result<bytes::Bytes, BodyError> {
    let announced = response.content_length().and_then(|n| usize::try_from(n).ok()).unwrap_or(0);
    if announced > largest {
        return Err(BodyError::TooLarge(largest));
    }
    let mut all = bytes::BytesMut::with_capacity(announced);
    while let Some(chunk) = response.chunk().await? {
        if all.len() + chunk.len() > largest {
            return Err(BodyError::TooLarge(largest));
        }
        all.extend_from_slice(&chunk);
    }
    Ok(all.freeze())
}

/// A date of a header (RFC 9110 §5.6.7).
#[must_use]
pub fn date(text: &str) -> Option<jiff::Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().relaxed_weekday(true).parse_timestamp(text.trim()).ok()
}

/// How far this host's clock is behind the `Date` of an answer that has just come; negative when it is ahead.
#[must_use]
pub fn behind(date: &str, now: SystemTime) -> Option<jiff::SignedDuration> {
    Some(self::date(date)?.duration_since(jiff::Timestamp::try_from(now).ok()?))
}

/// What kept a request from being answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    Timeout,
    /// No such host.
    Name,
    /// The server's certificate, or the handshake.
    Tls,
    /// The server hung up over the client's certificate: none was shown, or not one that it knows.
    Certificate,
    /// Nobody listens, or there is no way there.
    Connect,
    /// The connection ended before the answer did.
    Cut,
    Other,
}

impl Trouble {
    #[must_use]
    pub fn of(error: &reqwest::Error) -> Self {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
        while let Some(error) = cause {
            // An `io::Error` hides what it wraps from `source`.
            let inner = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
            let tls = error.downcast_ref::<rustls::Error>().or_else(|| inner.and_then(|inner| inner.downcast_ref()));
            if let Some(tls) = tls {
                return if about_client(tls) { Self::Certificate } else { Self::Tls };
            }
            cause = inner.map(|inner| inner as &(dyn std::error::Error + 'static)).or_else(|| error.source());
        }
        if error.is_timeout() {
            Self::Timeout
        } else if error.is_dns() {
            Self::Name
        } else if error.is_connect() {
            Self::Connect
        } else if error.is_body() || error.is_decode() || error.is_request() {
            Self::Cut
        } else {
            Self::Other
        }
    }

    /// Whether asking again may help.
    #[must_use]
    pub fn passes(self) -> bool {
        matches!(self, Self::Timeout | Self::Connect | Self::Cut | Self::Name)
    }

    /// The Problem for a request (already fit to show) that was not answered, with the [`innermost`] reason.
    #[must_use]
    pub fn problem(self, vendor: &str, request: &str, host: &str, reason: &str) -> Problem {
        let reason = clean::line(reason, 200);
        match self {
            Self::Timeout => problem!(Failed, "vendor.timeout", vendor = vendor, request = request),
            Self::Name => problem!(Failed, "vendor.no_such_host", vendor = vendor, host = host),
            Self::Tls => problem!(Failed, "vendor.tls", vendor = vendor, host = host, reason = reason),
            Self::Certificate => problem!(PersonMustAct, "vendor.client_certificate", vendor = vendor, host = host, reason = reason),
            Self::Connect => problem!(Failed, "vendor.no_connection", vendor = vendor, host = host, reason = reason),
            Self::Cut | Self::Other => problem!(Failed, "vendor.cut", vendor = vendor, request = request, reason = reason),
        }
    }
}

/// Alerts that a server sends over a client's certificate (RFC 8446 §6.2).
fn about_client(error: &rustls::Error) -> bool {
    use rustls::AlertDescription as Alert;
    let rustls::Error::AlertReceived(alert) = error else { return false };
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired
    )
}

/// The last cause in the chain, which is the one that says something. Addresses are left out: they may hold secrets.
#[must_use]
pub fn innermost(error: &reqwest::Error) -> String {
    let mut last: &dyn std::error::Error = error;
    while let Some(next) = last.source() {
        last = next;
    }
    if std::ptr::addr_eq(last, error) { "no answer".to_owned() } else { last.to_string() }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in
            ["https://example.com/x", "http://127.0.0.1:8080/", "http://127.9.9.9/", "http://[::1]:1/", "http://localhost:3/", "http://a.localhost/"]
        {
            assert!(address(good).is_ok(), "{good}");
        }
        for bad in
            ["http://example.com/", "http://10.0.0.1/", "http://localhost.example.com/", "ftp://127.0.0.1/", "file:///etc/passwd", "nonsense", ""]
        {
            assert!(address(bad).is_err(), "{bad}");
        }
        assert!(address("https://user:pass@example.com/").is_err());
        assert!(!address("https://user:hunter2@example.com/").unwrap_err().to_string().contains("hunter2"));
    }

    #[test]
    fn addresses_are_shown_without_secrets() {
        let shown = |text: &str| shown(&Url::parse(text).unwrap());
        assert_eq!(shown("https://a.example/x?page=2&access_token=abc&key=k#f"), "https://a.example/x?page=2&access_token=…&key=…");
        assert_eq!(shown("https://a.example/x?filter=userName+eq+%22a%22"), "https://a.example/x?filter=userName eq \"a\"");
        assert_eq!(shown("https://me:pw@a.example/x"), "https://a.example/x");
    }

    #[tokio::test]
    async fn a_redirect_to_another_origin_is_not_followed() {
        use wiremock::{Mock, MockServer, ResponseTemplate, matchers::path};
        let (here, there) = (MockServer::start().await, MockServer::start().await);
        let elsewhere = ResponseTemplate::new(302).insert_header("Location", format!("{}/x", there.uri()));
        Mock::given(path("/away")).respond_with(elsewhere).mount(&here).await;
        Mock::given(path("/near")).respond_with(ResponseTemplate::new(302).insert_header("Location", "/here")).mount(&here).await;
        Mock::given(path("/here")).respond_with(ResponseTemplate::new(200)).mount(&here).await;
        let client = client_for(&Url::parse(&here.uri()).unwrap()).unwrap();
        assert_eq!(client.get(format!("{}/away", here.uri())).send().await.unwrap().status(), 302);
        assert_eq!(client.get(format!("{}/near", here.uri())).send().await.unwrap().status(), 200);
        assert!(there.received_requests().await.unwrap().is_empty());
    }

    #[test]
    fn clients_can_be_built() {
        assert!(client_for(&Url::parse("https://example.com/").unwrap()).is_ok());
        assert!(client_for(&Url::parse("http://127.0.0.1:1/").unwrap()).is_ok());
        assert!(client_for(&Url::parse("http://example.com/").unwrap()).is_err());
    }
}
