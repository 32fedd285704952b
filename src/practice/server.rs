//! HTTP/1.1 on a loopback port: from a request to the part that answers it.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, Limited, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::faults::Fault;
use super::{Shared, TOKEN, clients, device, lock, members, oauth, page, scim};

/// The largest request body that is read.
const LARGEST: usize = 1 << 20;

/// A request, taken apart.
pub struct Call {
    pub method: String,
    /// Without empty segments, percent-decoded.
    pub path: Vec<String>,
    pub query: Vec<(String, String)>,
    headers: hyper::HeaderMap,
    pub body: Bytes,
}

impl Call {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub fn param(&self, name: &str) -> Option<&str> {
        find(&self.query, name)
    }

    pub fn form(&self) -> Vec<(String, String)> {
        url::form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

pub fn find<'q>(pairs: &'q [(String, String)], name: &str) -> Option<&'q str> {
    pairs.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// An answer.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Bytes,
    /// The connection ends in the middle of the body.
    pub cut: bool,
}

impl Reply {
    pub fn json(status: u16, value: &Value) -> Self {
        Self::of(status, "application/json", value.to_string())
    }

    pub fn html(status: u16, html: String) -> Self {
        let mut reply = Self::of(status, "text/html; charset=utf-8", html);
        reply.headers.push(("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'".to_owned()));
        reply.headers.push(("referrer-policy", "no-referrer".to_owned()));
        reply
    }

    pub fn of(status: u16, kind: &str, body: impl Into<Bytes>) -> Self {
        Self { status, headers: vec![("content-type", kind.to_owned())], body: body.into(), cut: false }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new(), cut: false }
    }

    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// See Other (RFC 9110 §15.4.4): the browser follows with a GET.
    pub fn to(address: String) -> Self {
        Self::empty(303).with("location", address).with("cache-control", "no-store")
    }

    /// An error of the API. The form is an assumption: no public document gives it.
    pub fn error(status: u16, code: &str, message: &str) -> Self {
        Self::json(status, &json!({"error": {"code": code, "message": message}}))
    }
}

/// Serves until it is told to stop.
pub async fn run(listener: TcpListener, shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of file descriptors, or a connection that was gone at once.
                Err(_) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let (shared, stop) = (shared.clone(), stop.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request| answer(shared.clone(), request));
            let connection = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                _ = connection => {}
            }
        });
    }
}

type Body = BoxBody<Bytes, io::Error>;

async fn answer(shared: Arc<Shared>, request: hyper::Request<Incoming>) -> Result<hyper::Response<Body>, io::Error> {
    shared.requests.fetch_add(1, Ordering::Relaxed);
    let (head, body) = request.into_parts();
    let reply = match Limited::new(body, LARGEST).collect().await {
        Err(_) => Reply::error(413, "too_large", "The request is too large."),
        Ok(body) => {
            let decoded = |segment: &str| {
                let pairs =
                    url::form_urlencoded::parse(segment.replace('+', "%2B").replace('&', "%26").replace('=', "%3D").as_bytes()).into_owned().next();
                pairs.map_or_else(String::new, |(text, _)| text)
            };
            let call = Call {
                method: head.method.as_str().to_owned(),
                path: head.uri.path().split('/').filter(|segment| !segment.is_empty()).map(decoded).collect(),
                query: url::form_urlencoded::parse(head.uri.query().unwrap_or("").as_bytes()).into_owned().collect(),
                headers: head.headers,
                body: body.to_bytes(),
            };
            route(&shared, &call).await?
        }
    };
    let mut response = hyper::Response::builder().status(reply.status).header("x-practice-vendor", "nothing here is real");
    for (name, value) in &reply.headers {
        response = response.header(*name, value);
    }
    let body = if reply.cut {
        response = response.header("content-length", reply.body.len());
        let half = reply.body.slice(..reply.body.len() / 2);
        let parts = [Ok(Frame::data(half)), Err(io::Error::other("cut on purpose"))];
        BodyExt::boxed(StreamBody::new(futures_util::stream::iter(parts)))
    } else {
        Full::new(reply.body).map_err(|never: Infallible| match never {}).boxed()
    };
    response.body(body).map_err(io::Error::other)
}

async fn route(shared: &Shared, call: &Call) -> Result<Reply, io::Error> {
    let path: Vec<&str> = call.path.iter().map(String::as_str).collect();
    Ok(match (call.method.as_str(), path.as_slice()) {
        ("GET", []) => Reply::html(200, page::welcome(&shared.base_url)),
        ("GET", [".well-known", "oauth-authorization-server"]) => Reply::json(200, &oauth::metadata(&shared.base_url)),
        ("GET", ["oauth", "authorize"]) => oauth::authorize(&mut lock(&shared.oauth), call),
        ("POST", ["oauth", "authorize"]) => oauth::decided(&mut lock(&shared.oauth), call),
        ("POST", ["oauth", "token"]) => oauth::token(&mut lock(&shared.oauth), call),
        ("POST", ["oauth", "revoke"]) => oauth::revoke(&mut lock(&shared.oauth), call),
        ("POST", ["oauth", "device_authorization"]) => device::authorize(&mut lock(&shared.oauth), call),
        ("POST", ["oauth", "par"]) => clients::push(&mut lock(&shared.oauth), call),
        ("POST", ["oauth", "register"]) => clients::register(&mut lock(&shared.oauth), call),
        ("DELETE", ["oauth", "register", id]) => clients::withdraw(&mut lock(&shared.oauth), call, id),
        ("GET", ["device"]) => device::show(&mut lock(&shared.oauth), call),
        ("POST", ["device"]) => device::decided(shared, call),
        (_, ["oauth", "authorize" | "token" | "revoke" | "device_authorization" | "par" | "register"] | ["device"]) => {
            Reply::error(405, "method_not_allowed", "This address takes another method.")
        }
        ("GET", ["v1.1", rest @ ..]) => return MEMBERS.answer(shared, call, rest).await,
        (_, ["v1.1", ..]) => Reply::error(405, "method_not_allowed", "The practice vendor's members are read only."),
        (_, ["scim", "v2", rest @ ..]) => return SCIM.answer(shared, call, rest).await,
        _ => Reply::error(404, "not_found", "The practice vendor has nothing at this address."),
    })
}

/// What a part of the API is given beside the call: whether to make names hostile, and whether to leave everybody out.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bent {
    pub hostile: bool,
    pub empty: bool,
}

/// A part of the API that takes a token and has faults.
struct Part {
    page_asked: fn(&Call) -> u64,
    answer: fn(&Shared, &Call, &[&str], Bent) -> Reply,
    error: fn(u16, &str, &str) -> Reply,
}

const MEMBERS: Part = Part { page_asked: members::page_asked, answer: members::answer, error: Reply::error };
const SCIM: Part = Part { page_asked: scim::page_asked, answer: scim::answer, error: |status, _, detail| scim::error(status, "", detail) };

impl Part {
    /// Faults and the credential first, then the answer.
    async fn answer(&self, shared: &Shared, call: &Call, path: &[&str]) -> Result<Reply, io::Error> {
        let fault = shared.faults.next((self.page_asked)(call));
        if fault == Some(Fault::Expired) {
            lock(&shared.oauth).expire_access_tokens();
        }
        if let Err((code, text, challenge)) = allowed(shared, call) {
            return Ok((self.error)(401, code, text).with("www-authenticate", challenge));
        }
        let honest = |bent| (self.answer)(shared, call, path, bent);
        Ok(match fault {
            None | Some(Fault::Expired) => honest(Bent::default()),
            Some(Fault::TooMany { retry_after }) => {
                (self.error)(429, "too_many_requests", "Too many requests.").with("retry-after", retry_after.to_string())
            }
            Some(Fault::ServerError) => (self.error)(500, "internal_error", "Something went wrong on purpose."),
            Some(Fault::Forbidden) => (self.error)(403, "forbidden", "This token may not read members."),
            Some(Fault::Truncated) => Reply { cut: true, ..honest(Bent::default()) },
            Some(Fault::Reset) => return Err(io::Error::other("reset on purpose")),
            Some(Fault::Slow(pause)) => {
                tokio::time::sleep(pause).await;
                honest(Bent::default())
            }
            Some(Fault::Malformed) => {
                let whole = honest(Bent::default()).body;
                Reply::of(200, "application/json", whole.slice(..whole.len() - whole.len() / 3))
            }
            Some(Fault::WebPage) => Reply::html(200, page::welcome(&shared.base_url)),
            Some(Fault::Hostile) => honest(Bent { hostile: true, ..Bent::default() }),
            Some(Fault::Empty) => honest(Bent { empty: true, ..Bent::default() }),
        })
    }
}

/// RFC 6750 §3; on refusal a code, a text and the challenge.
fn allowed(shared: &Shared, call: &Call) -> Result<(), (&'static str, &'static str, String)> {
    let invalid = |text: &'static str| {
        Err(("invalid_token", text, format!("Bearer realm=\"practice\", error=\"invalid_token\", error_description=\"{text}\"")))
    };
    match call.header("authorization").and_then(|value| value.split_once(' ')) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => match (token.trim(), lock(&shared.oauth).check(token.trim())) {
            (TOKEN, _) | (_, oauth::Checked::Valid) => Ok(()),
            (_, oauth::Checked::Expired) => invalid("The access token has expired."),
            (_, oauth::Checked::Unknown) => invalid("The access token is unknown or was revoked."),
        },
        _ => Err(("unauthorized", "A bearer token is needed.", "Bearer realm=\"practice\"".to_owned())),
    }
}
