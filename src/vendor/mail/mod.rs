//! Mailboxes: IMAP (RFC 9051) to read folders and envelopes, SMTP (RFC 5321) to prove that one may send. Nothing is changed and nothing is
//! sent.
//!
//! `imaps://` and `smtps://` begin with TLS (RFC 8314 §3); `imap://` and `smtp://` with STARTTLS, and without it only on this host.
//!
//! - `wire`: the connection. `guard`: watches what comes in. `sasl`: signing in. `imap`, `smtp`: the protocols, over async-imap and lettre.
//! - `record`, `words`: messages and folders as records. `explain`: what went wrong, for people.

mod explain;
mod guard;
mod imap;
mod record;
mod sasl;
mod smtp;
#[cfg(test)]
mod tests;
mod wire;
mod words;

use std::sync::Arc;

use serde_json::{Map, Value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use url::Url;

use self::guard::{Broken, Limits};
use self::imap::Imap;
use super::client::{Client, Login};
use super::http::Identity;
use super::source::Page;
use crate::mapping::projection::{Projection, Row};
use crate::model::{Problem, RecordError};
use crate::words::clean;
use crate::{problem, t};

/// Every resource but folders.
const FOLDERS: &str = "folders";

/// A mail server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    smtp: bool,
    host: String,
    port: u16,
    /// From the first byte; otherwise by STARTTLS.
    tls: bool,
}

impl Server {
    /// `None` where the address is not one of a mail server.
    fn parse(address: &str) -> Option<Self> {
        let url = Url::parse(address.trim()).ok()?;
        // RFC 8314 §7.3, RFC 6409 §3.1.
        let (smtp, tls, usual) = match url.scheme() {
            "imaps" => (false, true, 993),
            "imap" => (false, false, 143),
            "smtps" => (true, true, 465),
            "smtp" => (true, false, 587),
            _ => return None,
        };
        let host = url.host_str()?.trim_matches(['[', ']']).to_owned();
        Some(Self { smtp, host, port: url.port().unwrap_or(usual), tls })
    }

    fn is_imap(&self) -> bool {
        !self.smtp
    }

    fn shown(&self) -> String {
        let scheme = match (self.smtp, self.tls) {
            (false, true) => "imaps",
            (false, false) => "imap",
            (true, true) => "smtps",
            (true, false) => "smtp",
        };
        clean::line(&format!("{scheme}://{}:{}", self.host, self.port), 200)
    }
}

fn is_local(server: &Server) -> bool {
    server.host.eq_ignore_ascii_case("localhost") || server.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// What went wrong with a mail server. Texts are the server's words or the system's, cleaned.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Trouble {
    Unreachable(String),
    /// It took too long.
    Silent,
    Certificate(String),
    /// It speaks in the clear where TLS was to begin.
    NotTls,
    Tls(String),
    /// It offers no STARTTLS.
    NoTls,
    /// Another protocol; its first line.
    NotMail(String),
    Refused(String),
    /// For now.
    Busy(String),
    /// It hung up, with a word or without.
    Bye(String),
    Cut,
    Flood,
    Nonsense(String),
    /// What it sent stopped the library dead.
    Stopped,
    /// It offers no way to sign in that we know; those that it offers.
    NoWay(String),
    NoFolder {
        folder: String,
        said: String,
    },
    /// In a name that goes into a command.
    LineBreak,
}

impl From<Broken> for Trouble {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Flood => Self::Flood,
            Broken::Nonsense => Self::Nonsense(String::new()),
        }
    }
}

/// What is asked of a mailbox: where, and for what.
pub struct Mailbox {
    client: Client,
    reading: Option<Server>,
    sending: Option<Server>,
    identity: Option<Arc<Identity>>,
    folder: String,
    folders: bool,
    since: Option<jiff::civil::Date>,
    limits: Limits,
}

impl Mailbox {
    /// What a check looks at: a folder (INBOX when empty), and in `query` the sending server (`smtp`), where there is one.
    pub fn probe(client: &Client, path: &str, query: &[(String, String)]) -> Result<Self, Problem> {
        let mut mailbox = Self::prepared(client, path, "", query)?;
        if let Some(address) = value(query, "smtp") {
            let server = Server::parse(address).filter(|server| server.smtp);
            mailbox.sending =
                Some(server.ok_or_else(|| problem!(Usage, "mail.no_smtp", vendor = client.vendor(), address = clean::line(address, 200)))?);
        }
        Ok(mailbox)
    }

    /// What a resource reads. `path` is the folder, or the pattern of folders; `records` says which of the two.
    pub fn resource(client: &Client, path: &str, records: &str, query: &[(String, String)]) -> Result<Self, Problem> {
        Self::prepared(client, path, records, query)
    }

    fn prepared(client: &Client, path: &str, records: &str, query: &[(String, String)]) -> Result<Self, Problem> {
        let vendor = client.vendor();
        let address = client.mailbox()?.ok_or_else(|| problem!(Usage, "mail.no_address", vendor = vendor))?;
        let server = Server::parse(address.as_str()).ok_or_else(|| problem!(Usage, "mail.no_address", vendor = vendor))?;
        let (reading, sending) = if server.smtp { (None, Some(server)) } else { (Some(server), None) };
        let folders = records.trim() == FOLDERS;
        let since = match value(query, "since") {
            Some(day) => {
                let date = day.get(..10).unwrap_or(day).parse::<jiff::civil::Date>();
                let date = date.map_err(|_| problem!(Usage, "mail.since", vendor = vendor, day = clean::line(day, 60)))?;
                // The server compares days of its own time zone (RFC 9051 §6.4.4): the day before catches them all.
                Some(date.yesterday().unwrap_or(date))
            }
            None => None,
        };
        let folder = path.trim().trim_start_matches('/');
        let folder = if folder.is_empty() { if folders { "*" } else { "INBOX" } } else { folder };
        if folder.contains(['\r', '\n', '\0']) {
            return Err(problem!(Usage, "mail.line_break", vendor = vendor));
        }
        Ok(Self {
            reading,
            sending,
            identity: client.identity(),
            folder: folder.to_owned(),
            folders,
            since,
            limits: Limits::default(),
            client: client.clone(),
        })
    }

    /// `EXAMINE imaps://host:993/INBOX`, fit to show.
    #[must_use]
    pub fn shown(&self) -> String {
        let reading = self.reading.as_ref().map(|server| format!("EXAMINE {}/{}", server.shown(), clean::line(&self.folder, 100)));
        let sending = self.sending.as_ref().map(|server| format!("AUTH {}", server.shown()));
        reading.into_iter().chain(sending).collect::<Vec<_>>().join(", ")
    }

    /// Signs in, looks into the folder, and signs in to the sending server. What was found, in whole sentences.
    pub async fn tried(&self) -> Result<String, Problem> {
        let mut found = Vec::new();
        if let Some(server) = &self.reading {
            let mut imap = self.signed_in(server).await?;
            let opened = imap.examine(&self.folder).await.map_err(|trouble| self.explained(&trouble, server))?;
            imap.close().await;
            found.push(t!("mail.found.messages", folder = clean::line(&self.folder, 60), n = opened.messages));
        }
        if let Some(server) = &self.sending {
            let sent = self.may_send(server).await.map_err(|problem| match found.first() {
                Some(read) => Problem { why: format!("{} {read}", problem.why), ..problem },
                None => problem,
            });
            sent?;
            found.push(t!("mail.found.sending", host = clean::line(&server.host, 100)));
        }
        Ok(found.join(" "))
    }

    /// Reads all records, a page at a time.
    pub async fn read(self, projection: &Projection, cancel: &CancellationToken, pages: &mpsc::Sender<Result<Option<Page>, Problem>>) {
        let done = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(problem!(Failed, "vendor.cancelled", vendor = self.client.vendor())),
            done = self.pages(projection, pages) => done,
        };
        // Nobody listens any more, or it is the last word.
        let _ = pages.send(done.map(|()| None)).await;
    }

    async fn pages(&self, projection: &Projection, pages: &mpsc::Sender<Result<Option<Page>, Problem>>) -> Result<(), Problem> {
        let vendor = self.client.vendor();
        let server = self.reading.as_ref().ok_or_else(|| problem!(Usage, "mail.no_reading", vendor = vendor))?;
        let explained = |trouble: Trouble| self.explained(&trouble, server);
        let mut imap = self.signed_in(server).await?;
        if self.folders {
            let mut whole = Batch::new(0, None);
            imap.folders(&self.folder, |found| whole.take(record::folder(found), projection)).await.map_err(explained)?;
            let _ = pages.send(Ok(Some(whole.page))).await;
            imap.close().await;
            return Ok(());
        }
        let opened = imap.examine(&self.folder).await.map_err(explained)?;
        let sets = match self.since {
            Some(day) => {
                let numbers = imap.since(opened.messages, day).await.map_err(explained)?;
                numbers.chunks(imap::PAGE as usize).map(set).collect()
            }
            None => ranges(opened.messages),
        };
        // What is left out by a date is not counted.
        let total = self.since.is_none().then_some(u64::from(opened.messages));
        let mut read = 0;
        for set in sets {
            let mut batch = Batch::new(read, total);
            imap.fetch(&set, |attributes| match record::message(&self.folder, opened.validity, attributes) {
                Some(record) => {
                    batch.take(record, projection);
                    true
                }
                None => false,
            })
            .await
            .map_err(explained)?;
            read = batch.number;
            if pages.send(Ok(Some(batch.page))).await.is_err() {
                return Ok(());
            }
        }
        imap.close().await;
        Ok(())
    }

    /// A token may have been revoked early, or run out on the way: a fresh one decides.
    async fn signed_in(&self, server: &Server) -> Result<Imap, Problem> {
        let trust = super::tls::trust(self.identity.as_deref())?;
        let login = self.login().await?;
        match Imap::open(server, &login, &trust, &self.limits).await {
            Ok(imap) => Ok(imap),
            Err(Trouble::Refused(said)) if login.is_token() => {
                if !self.client.login_refused().await? {
                    return Err(explain::problem(&Trouble::Refused(said), self.client.vendor(), server, Some(&login)));
                }
                let login = self.login().await?;
                let again = Imap::open(server, &login, &trust, &self.limits).await;
                again.map_err(|trouble| explain::problem(&trouble, self.client.vendor(), server, Some(&login)))
            }
            Err(trouble) => Err(explain::problem(&trouble, self.client.vendor(), server, Some(&login))),
        }
    }

    async fn may_send(&self, server: &Server) -> Result<(), Problem> {
        let trust = super::tls::trust(self.identity.as_deref())?;
        let login = self.login().await?;
        let mut tried = smtp::tried(server, &login, &trust, &self.limits).await;
        if matches!(tried, Err(Trouble::Refused(_))) && login.is_token() && self.client.login_refused().await? {
            tried = smtp::tried(server, &self.login().await?, &trust, &self.limits).await;
        }
        tried.map_err(|trouble| explain::problem(&trouble, self.client.vendor(), server, Some(&login)))
    }

    async fn login(&self) -> Result<Login, Problem> {
        let vendor = self.client.vendor();
        let login = self.client.login().await?.ok_or_else(|| problem!(Usage, "mail.no_account", vendor = vendor))?;
        let (Login::Password { user, secret } | Login::Token { user, secret }) = &login;
        if user.is_empty() || secret.is_empty() {
            return Err(problem!(Usage, "mail.no_account", vendor = vendor));
        }
        // They end a line of the protocol, or a part of a SASL message.
        if user.contains(|c: char| c.is_control()) || secret.expose().contains(['\r', '\n', '\0', '\x01']) {
            return Err(problem!(Usage, "mail.line_break", vendor = vendor));
        }
        Ok(login)
    }

    fn explained(&self, trouble: &Trouble, server: &Server) -> Problem {
        explain::problem(trouble, self.client.vendor(), server, None)
    }
}

/// A page in the making.
struct Batch {
    page: Page,
    number: u64,
}

impl Batch {
    fn new(number: u64, total: Option<u64>) -> Self {
        Self { page: Page { requests: 1, total, ..Page::default() }, number }
    }

    fn take(&mut self, record: Map<String, Value>, projection: &Projection) {
        self.number += 1;
        let number = self.number;
        self.page.bytes += record.values().map(|value| value.as_str().map_or(8, str::len) as u64).sum::<u64>();
        match projection.record(&Value::Object(record)) {
            Ok(slots) => self.page.rows.push(Row { number, slots }),
            Err(error) => {
                let message = clean::line(&error.to_string(), 300);
                self.page.bad.push(RecordError { number, key: String::new(), field: None, message });
            }
        }
    }
}

/// All numbers of a folder, in pages.
fn ranges(messages: u32) -> Vec<String> {
    let starts = (1..=messages).step_by(imap::PAGE as usize);
    starts.map(|from| format!("{from}:{}", from.saturating_add(imap::PAGE - 1).min(messages))).collect()
}

/// `1:3,7,9:10` of rising numbers.
fn set(numbers: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for number in numbers {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(*number) => *last = *number,
            _ => runs.push((*number, *number)),
        }
    }
    let shown = runs.into_iter().map(|(from, to)| if from == to { from.to_string() } else { format!("{from}:{to}") });
    shown.collect::<Vec<_>>().join(",")
}

fn value<'q>(query: &'q [(String, String)], key: &str) -> Option<&'q str> {
    query.iter().find(|(name, _)| name == key).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
}
