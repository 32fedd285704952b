//! The loopback listener that a browser is sent back to (RFC 8252 §7.3). It answers everybody, believes only the request that carries the
//! right state, and is gone when the flow is over.

use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::consent::{Flow, Heard};
use crate::model::Problem;
use crate::t;

/// Connections answered at the same time; a browser opens a handful.
const CONNECTIONS: usize = 16;
/// How long a browser waits for the code to be redeemed before it is told to look at the terminal.
const PATIENCE: Duration = Duration::from_secs(25);

/// Sockets on 127.0.0.1 and, where the machine has it, ::1, on one port.
pub struct Sockets {
    pub port: u16,
    listeners: Vec<TcpListener>,
}

/// Binds the wanted port, or any free one. `None`: it is taken.
pub async fn bind(wanted: Option<u16>) -> Option<Sockets> {
    // A free port of one family may be taken in the other: then the next one.
    for _ in 0..8 {
        let four = TcpListener::bind((Ipv4Addr::LOCALHOST, wanted.unwrap_or(0))).await.ok()?;
        let port = four.local_addr().ok()?.port();
        match TcpListener::bind((Ipv6Addr::LOCALHOST, port)).await {
            Ok(six) => return Some(Sockets { port, listeners: vec![four, six] }),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && wanted.is_none() => {}
            // No IPv6 here, or somebody else's: 127.0.0.1 is what the redirect URI says.
            Err(_) => return Some(Sockets { port, listeners: vec![four] }),
        }
    }
    None
}

impl Sockets {
    /// Answers requests until `stop`.
    pub fn serve(self, flow: &Arc<Flow>, stop: &CancellationToken) {
        let room = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS));
        for listener in self.listeners {
            let (flow, stop, room) = (Arc::clone(flow), stop.clone(), Arc::clone(&room));
            tokio::spawn(async move {
                loop {
                    let accepted = tokio::select! {
                        () = stop.cancelled() => return,
                        accepted = listener.accept() => accepted,
                    };
                    let Ok((stream, _)) = accepted else {
                        // Out of file descriptors, say: a breath instead of a busy loop.
                        tokio::time::sleep(Duration::from_millis(50)).await;
                        continue;
                    };
                    let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
                    let (flow, stop) = (Arc::clone(&flow), stop.clone());
                    tokio::spawn(async move {
                        let service = service_fn(|request| answer(Arc::clone(&flow), request));
                        let connection = hyper::server::conn::http1::Builder::new()
                            .keep_alive(false)
                            .timer(TokioTimer::new())
                            .header_read_timeout(Duration::from_secs(10))
                            .max_buf_size(64 << 10)
                            .serve_connection(TokioIo::new(stream), service);
                        // The page with the outcome may still be on its way when the flow is over.
                        let last = async {
                            stop.cancelled().await;
                            tokio::time::sleep(Duration::from_secs(2)).await;
                        };
                        tokio::select! {
                            _ = connection => {}
                            () = last => {}
                        }
                        drop(permit);
                    });
                }
            });
        }
    }
}

async fn answer(flow: Arc<Flow>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path() != flow.path() || request.method() != Method::GET {
        return Ok(page(StatusCode::NOT_FOUND, &Page::stray()));
    }
    Ok(match flow.hear(request.uri().query().unwrap_or_default()) {
        Heard::Stray => page(StatusCode::NOT_FOUND, &Page::stray()),
        Heard::Rejected(problem) => page(StatusCode::BAD_REQUEST, &Page::failed(&problem)),
        Heard::Accepted => match tokio::time::timeout(PATIENCE, flow.outcome()).await {
            Ok(Some(Ok(()))) => page(StatusCode::OK, &Page::done(flow.vendor())),
            Ok(Some(Err(problem))) if flow.was_refused() => page(StatusCode::OK, &Page::refused(&problem)),
            Ok(Some(Err(problem))) => page(StatusCode::OK, &Page::failed(&problem)),
            Ok(None) | Err(_) => page(StatusCode::OK, &Page::received()),
        },
    })
}

/// What the browser ends on. Holds nothing secret: it stays in the browser's window, and perhaps in its cache.
struct Page {
    sign: &'static str,
    colour: &'static str,
    heading: String,
    text: String,
    next: String,
}

impl Page {
    fn done(vendor: &str) -> Self {
        Self {
            sign: "✓",
            colour: "#1a7f4b",
            heading: t!("auth.page.done.heading", vendor = vendor),
            text: t!("auth.page.done.text").to_owned(),
            next: t!("auth.page.done.next").to_owned(),
        }
    }

    fn received() -> Self {
        Self {
            sign: "…",
            colour: "#5a6675",
            heading: t!("auth.page.received.heading").to_owned(),
            text: t!("auth.page.received.text").to_owned(),
            next: t!("auth.page.received.next").to_owned(),
        }
    }

    fn refused(problem: &Problem) -> Self {
        Self {
            sign: "–", colour: "#a15c00", heading: problem.what.clone(), text: problem.why.clone(), next: t!("auth.page.refused.next").to_owned()
        }
    }

    fn failed(problem: &Problem) -> Self {
        Self { sign: "✕", colour: "#b3261e", heading: problem.what.clone(), text: problem.why.clone(), next: problem.next_step.clone() }
    }

    fn stray() -> Self {
        Self {
            sign: "?",
            colour: "#5a6675",
            heading: t!("auth.page.stray.heading").to_owned(),
            text: t!("auth.page.stray.text").to_owned(),
            next: t!("auth.page.stray.next").to_owned(),
        }
    }

    fn html(&self) -> String {
        include_str!("../../assets/oauth/page.html")
            .replace("{colour}", self.colour)
            .replace("{sign}", self.sign)
            .replace("{title}", t!("auth.page.title"))
            .replace("{heading}", &escape(&self.heading))
            .replace("{text}", &escape(&self.text))
            .replace("{next}", &escape(&self.next))
    }
}

fn escape(text: &str) -> String {
    // Braces too, so that no text can name a place of the page.
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('{', "&#123;").replace('}', "&#125;")
}

fn page(status: StatusCode, page: &Page) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(page.html())));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        // The address of this page holds the code: it must not travel on.
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"),
        ("x-content-type-options", "nosniff"),
        ("connection", "close"),
    ] {
        headers.insert(name, hyper::header::HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_stays_text() {
        let problem = Problem::new(crate::model::ProblemKind::Failed, "<script>alert(1)</script>", "{next} \"quoted\" & more", "n");
        let html = Page::failed(&problem).html();
        assert!(html.contains("&lt;script&gt;") && !html.contains("<script>") && html.contains("&#123;next&#125;"), "{html}");
        assert!(!Page::done("Contoso").html().contains('{') || !Page::done("Contoso").html().contains("{heading}"));
    }

    #[tokio::test]
    async fn both_loopback_addresses_share_a_port() {
        let sockets = bind(None).await.unwrap();
        assert_ne!(sockets.port, 0);
        assert!(bind(Some(sockets.port)).await.is_none(), "a port is taken once");
    }
}
