//! The loopback listener that a browser is sent back to (RFC 8252 §7.3). It answers everybody, believes only the request that carries the
//! right state, and is gone when the flow is over.

use std::convert::Infallible;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::consent::{Flow, Heard};
use super::page::Page;

/// Connections answered at the same time; a browser opens a handful.
const CONNECTIONS: usize = 16;
/// How long a browser waits for the code to be redeemed before it is told to look at the terminal.
const PATIENCE: Duration = Duration::from_secs(25);

/// Who waits for an answer here.
pub trait Ear: Send + Sync + 'static {
    /// The path of the redirect URI.
    fn path(&self) -> &str;
    /// A request to that path, by its query.
    fn hear(&self, query: &str) -> Heard;
    /// After an accepted answer: what came of it.
    fn ending(&self) -> impl Future<Output = Page> + Send;
}

/// How long a page may take on its way when the flow is over.
const LAST: Duration = Duration::from_secs(2);

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

/// Pages that are on their way to a browser.
pub struct Pages(Arc<Semaphore>);

impl Pages {
    /// Waits until they have arrived, two seconds at most: the end of the program would cut them off.
    pub async fn sent(&self) {
        let all = self.0.acquire_many(u32::try_from(CONNECTIONS).unwrap_or(1));
        let _ = tokio::time::timeout(LAST, all).await;
    }
}

impl Sockets {
    /// Answers requests until `stop`.
    pub fn serve<E: Ear>(self, ear: &Arc<E>, stop: &CancellationToken) -> Pages {
        let pages = Arc::new(Semaphore::new(CONNECTIONS));
        let room = Arc::new(Semaphore::new(CONNECTIONS));
        for listener in self.listeners {
            let (ear, stop, room, pages) = (Arc::clone(ear), stop.clone(), Arc::clone(&room), Arc::clone(&pages));
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
                    let (ear, stop, pages) = (Arc::clone(&ear), stop.clone(), Arc::clone(&pages));
                    tokio::spawn(async move {
                        // A browser opens connections on which it asks nothing; only those with a request hold up the end.
                        let page = std::sync::Mutex::new(None);
                        let service = service_fn(|request| {
                            if let Ok(mut page) = page.lock() {
                                *page = Arc::clone(&pages).try_acquire_owned().ok();
                            }
                            answer(Arc::clone(&ear), request)
                        });
                        let connection = hyper::server::conn::http1::Builder::new()
                            .keep_alive(false)
                            .timer(TokioTimer::new())
                            .header_read_timeout(Duration::from_secs(10))
                            .max_buf_size(64 << 10)
                            .serve_connection(TokioIo::new(stream), service);
                        // The page with the outcome may still be on its way when the flow is over.
                        let last = async {
                            stop.cancelled().await;
                            tokio::time::sleep(LAST).await;
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
        Pages(pages)
    }
}

async fn answer<E: Ear>(ear: Arc<E>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let page = if request.uri().path() != ear.path() || request.method() != Method::GET {
        Page::stray()
    } else {
        match ear.hear(request.uri().query().unwrap_or_default()) {
            Heard::Stray => Page::stray(),
            Heard::Rejected(problem) => Page::rejected(&problem),
            Heard::Accepted => tokio::time::timeout(PATIENCE, ear.ending()).await.unwrap_or_else(|_| Page::received()),
        }
    };
    Ok(page.response())
}

impl Ear for Flow {
    fn path(&self) -> &str {
        self.path()
    }

    fn hear(&self, query: &str) -> Heard {
        self.hear(query)
    }

    async fn ending(&self) -> Page {
        match self.outcome().await {
            Some(Ok(())) => Page::done(self.vendor()),
            Some(Err(problem)) if self.was_refused() => Page::refused(&problem),
            Some(Err(problem)) => Page::failed(&problem),
            None => Page::received(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn both_loopback_addresses_share_a_port() {
        let sockets = bind(None).await.unwrap();
        assert_ne!(sockets.port, 0);
        assert!(bind(Some(sockets.port)).await.is_none(), "a port is taken once");
    }
}
