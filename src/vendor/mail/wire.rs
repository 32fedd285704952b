//! The connection to a mail server: plain, or TLS (RFC 8314), with a [`Watch`] on what comes in.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::guard::{Limits, Watch};
use super::{Server, Trouble};

#[derive(Debug)]
enum Io {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection. What the watch refuses is an error of reading.
#[derive(Debug)]
pub struct Wire {
    io: Io,
    watch: Watch,
    peer: SocketAddr,
    /// Is read before what the server sends.
    ahead: &'static [u8],
}

impl Wire {
    /// Connects; with TLS at once where the address says so.
    pub async fn dial(server: &Server, trust: &Arc<rustls::ClientConfig>, limits: &Limits) -> Result<Self, Trouble> {
        let dialled = tokio::time::timeout(limits.connect, TcpStream::connect((server.host.as_str(), server.port)));
        let unreachable = |error: &io::Error| Trouble::Unreachable(error.to_string());
        let tcp =
            dialled.await.map_err(|_| Trouble::Unreachable(crate::t!("mail.no_connection").to_owned()))?.map_err(|error| unreachable(&error))?;
        let peer = tcp.peer_addr().map_err(|error| unreachable(&error))?;
        let wire = Self { io: Io::Plain(tcp), watch: Watch::new(server.is_imap(), *limits), peer, ahead: b"" };
        if server.tls { wire.secured(server, trust, limits).await } else { Ok(wire) }
    }

    /// The same connection behind TLS. What was heard before counts no more: anybody could have said it (RFC 3207 §4.2).
    pub async fn secured(self, server: &Server, trust: &Arc<rustls::ClientConfig>, limits: &Limits) -> Result<Self, Trouble> {
        let Io::Plain(tcp) = self.io else { return Ok(self) };
        let name = ServerName::try_from(server.host.clone()).map_err(|error| Trouble::Certificate(error.to_string()))?;
        let shaken = tokio::time::timeout(limits.connect, TlsConnector::from(Arc::clone(trust)).connect(name, tcp)).await;
        let stream = shaken.map_err(|_| Trouble::Silent)?.map_err(|error| handshake(&error))?;
        Ok(Self { io: Io::Tls(Box::new(stream)), watch: Watch::new(server.is_imap(), *limits), peer: self.peer, ahead: b"" })
    }

    pub fn watch(&self) -> Watch {
        self.watch.clone()
    }

    /// The same connection, on which this is read first.
    pub fn with_ahead(self, ahead: &'static [u8]) -> Self {
        Self { ahead, ..self }
    }
}

/// What went wrong in a handshake. An answer that is no TLS comes from a port that speaks in the clear at first.
fn handshake(error: &io::Error) -> Trouble {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(reason)) => Trouble::Certificate(format!("{reason}")),
        Some(rustls::Error::InvalidMessage(_)) => Trouble::NotTls,
        _ => Trouble::Tls(error.to_string()),
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.ahead.is_empty() {
            let (now, later) = this.ahead.split_at(this.ahead.len().min(buf.remaining()));
            buf.put_slice(now);
            this.ahead = later;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        let read = match &mut this.io {
            Io::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Io::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        };
        if let Poll::Ready(Ok(())) = read
            && this.watch.feed(buf.filled().get(before..).unwrap_or_default()).is_err()
        {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        read
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Io::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Io::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.get_mut().io {
            Io::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Io::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}

impl lettre::transport::smtp::client::AsyncTokioStream for Wire {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
