//! SMTP (RFC 5321) as far as one can go without sending anything: EHLO, TLS, AUTH (RFC 4954), NOOP, QUIT.

use std::future::Future;
use std::sync::Arc;

use lettre::transport::smtp::Error;
use lettre::transport::smtp::client::AsyncSmtpConnection;
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Response;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::guard::{Limits, Watch};
use super::sasl::{self, Mechanism};
use super::wire::Wire;
use super::{Server, Trouble, is_local};
use crate::vendor::client::Login;
use crate::words::clean;

/// The library waits for a greeting, also where the server has given it already: nobody greets again after STARTTLS (RFC 3207 §4.2).
const GREETED: &[u8] = b"220 -\r\n";
/// A conversation of this kind has a few hundred bytes. The library parses all lines of a reply again with every further one.
const BYTES: u64 = 12 << 10;

/// Connects, signs in where there is somebody to sign in, and takes leave.
pub async fn tried(server: &Server, login: &Login, trust: &Arc<rustls::ClientConfig>, limits: &Limits) -> Result<(), Trouble> {
    let limits = Limits { line: limits.line.min(8 << 10), bytes: limits.bytes.min(BYTES), ..*limits };
    let mut wire = Wire::dial(server, trust, &limits).await?;
    let mut watch = wire.watch();
    if !server.tls {
        wire = upgraded(wire, server, trust, &limits).await?;
        watch = wire.watch();
    }
    let hello = ClientId::default();
    let opened = AsyncSmtpConnection::connect_with_transport(Box::new(wire), &hello);
    let mut connection = timed(&watch, &limits, opened).await?;
    let said = timed(&watch, &limits, connection.command(format!("EHLO {hello}\r\n"))).await?;
    let done = async {
        signed_in(&mut connection, &said, server, login, &watch, &limits).await?;
        timed(&watch, &limits, connection.command("NOOP\r\n")).await.map(|_| ())
    }
    .await;
    let _ = tokio::time::timeout(limits.connect, connection.quit()).await;
    done
}

/// Greeting, EHLO and STARTTLS, read byte by byte: what somebody slips in behind the last answer meets the handshake, and ends there.
async fn upgraded(mut wire: Wire, server: &Server, trust: &Arc<rustls::ClientConfig>, limits: &Limits) -> Result<Wire, Trouble> {
    let watch = wire.watch();
    let talk = async {
        let greeting =
            reply(&mut wire).await.map_err(|trouble| if watch.greeting().is_empty() { trouble } else { Trouble::NotMail(watch.greeting()) })?;
        accepted(&greeting)?;
        let offer = asked(&mut wire, &format!("EHLO {}", ClientId::default())).await?;
        accepted(&offer)?;
        if !offer.iter().any(|line| line.get(4..).is_some_and(|word| word.trim().eq_ignore_ascii_case("STARTTLS"))) {
            return if is_local(server) { Ok(false) } else { Err(Trouble::NoTls) };
        }
        accepted(&asked(&mut wire, "STARTTLS").await?)?;
        Ok(true)
    };
    let told = tokio::time::timeout(limits.answer, talk).await;
    match told.map_err(|_| Trouble::Silent)? {
        Ok(true) => Ok(wire.secured(server, trust, limits).await?.with_ahead(GREETED)),
        Ok(false) => Ok(wire.with_ahead(GREETED)),
        Err(trouble) => Err(watch.broken().map_or(trouble, Into::into)),
    }
}

async fn asked(wire: &mut Wire, command: &str) -> Result<Vec<String>, Trouble> {
    let line = format!("{command}\r\n");
    wire.write_all(line.as_bytes()).await.map_err(|_| Trouble::Cut)?;
    wire.flush().await.map_err(|_| Trouble::Cut)?;
    reply(wire).await
}

/// The lines of a reply (RFC 5321 §4.2.1).
async fn reply(wire: &mut Wire) -> Result<Vec<String>, Trouble> {
    let mut lines = Vec::new();
    loop {
        let mut line = Vec::new();
        loop {
            match wire.read_u8().await.map_err(|_| Trouble::Cut)? {
                b'\n' => break,
                byte => line.push(byte),
            }
        }
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        let code = line.get(..3).is_some_and(|code| code.bytes().all(|b| b.is_ascii_digit()));
        let more = line.as_bytes().get(3) == Some(&b'-');
        if !code || !matches!(line.as_bytes().get(3), None | Some(b' ' | b'-')) {
            return Err(Trouble::Nonsense(clean::line(&line, 120)));
        }
        lines.push(line);
        if !more {
            return Ok(lines);
        }
    }
}

fn accepted(lines: &[String]) -> Result<(), Trouble> {
    let all = lines.join(" ");
    match all.as_bytes().first() {
        Some(b'2') => Ok(()),
        Some(b'4') => Err(Trouble::Busy(clean::line(&all, 300))),
        _ => Err(Trouble::Refused(clean::line(&all, 300))),
    }
}

async fn signed_in(
    connection: &mut AsyncSmtpConnection,
    said: &Response,
    server: &Server,
    login: &Login,
    watch: &Watch,
    limits: &Limits,
) -> Result<(), Trouble> {
    // `AUTH=` is what servers said before there was a standard.
    let auth = said.message().map(str::to_ascii_uppercase).find_map(|line| line.strip_prefix("AUTH").map(|rest| rest.replace('=', " ")));
    let offered: Vec<&str> = auth.as_deref().unwrap_or_default().split_whitespace().collect();
    let Some(mechanism) = Mechanism::choose(login, &offered) else { return Err(Trouble::NoWay(offered.join(", "))) };
    let first = sasl::encoded(mechanism.first(login, server).expose());
    let command = match mechanism {
        Mechanism::Login => "AUTH LOGIN\r\n".to_owned(),
        other => format!("AUTH {} {}\r\n", other.name(), first.expose()),
    };
    let mut answer = timed(watch, limits, connection.command(command)).await?;
    let mut report = None;
    let mut replies: Vec<String> = match (mechanism, login) {
        (Mechanism::Login, Login::Password { user, secret }) => vec![secret.expose().to_owned(), user.clone()],
        // A server that does not take the first message with the command asks for it.
        (Mechanism::Plain, _) => vec![mechanism.first(login, server).expose().to_owned()],
        _ => vec![mechanism.giving_up().to_owned()],
    };
    while answer.has_code(334) {
        let Some(next) = replies.pop() else { return Err(Trouble::Nonsense(watch.last())) };
        if matches!(login, Login::Token { .. }) {
            report = sasl::report(&sasl::decoded(answer.first_line().unwrap_or_default()));
        }
        let line = format!("{}\r\n", sasl::encoded(&next).expose());
        answer = match (timed(watch, limits, connection.command(line)).await, &report) {
            (Err(Trouble::Refused(said)), Some(report)) => return Err(Trouble::Refused(format!("{said} ({report})"))),
            (answer, _) => answer?,
        };
    }
    Ok(())
}

async fn timed<T>(watch: &Watch, limits: &Limits, talk: impl Future<Output = Result<T, Error>>) -> Result<T, Trouble> {
    let told = tokio::time::timeout(limits.answer, talk).await.map_err(|_| Trouble::Silent)?;
    told.map_err(|error| {
        if let Some(broken) = watch.broken() {
            return broken.into();
        }
        let words = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
        match error.status() {
            Some(code) => {
                let said = clean::line(format!("{code} {words}").trim(), 300);
                if error.is_transient() { Trouble::Busy(said) } else { Trouble::Refused(said) }
            }
            None if error.is_timeout() => Trouble::Silent,
            // A reply begins with three digits.
            None if !watch.greeting().is_empty() && !watch.greeting().starts_with(|c: char| c.is_ascii_digit()) => Trouble::NotMail(watch.greeting()),
            None if words.ends_with("too long") || words.ends_with("too large") => Trouble::Flood,
            None if error.is_response() && words != "incomplete response" => Trouble::Nonsense(watch.last()),
            None => Trouble::Cut,
        }
    })
}
