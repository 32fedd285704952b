//! IMAP (RFC 9051, RFC 3501): signing in, looking into a folder without touching it, reading envelopes and folders.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_imap::imap_proto::{AttributeValue, MailboxDatum, MailboxListData, Response, Status};
use async_imap::types::Mailbox;
use async_imap::{Client, Session};
use futures_util::FutureExt as _;

use super::guard::{Limits, Watch};
use super::sasl::{Mechanism, Spoken};
use super::wire::Wire;
use super::{Server, Trouble, is_local, words};
use crate::vendor::client::Login;

/// Messages in one FETCH.
pub const PAGE: u32 = 500;
/// Messages among which one SEARCH looks: its answer is a single line.
const WINDOW: u32 = 50_000;
/// What is asked of a message: what an envelope says, never a body.
const ITEMS: &str = "(UID FLAGS INTERNALDATE RFC822.SIZE ENVELOPE)";

/// A connection that has signed in.
pub struct Imap {
    session: Session<Wire>,
    watch: Watch,
    limits: Limits,
}

/// A folder that was opened for reading only.
pub struct Opened {
    pub messages: u32,
    pub validity: u32,
}

impl Imap {
    /// Connects and signs in.
    pub async fn open(server: &Server, login: &Login, trust: &Arc<rustls::ClientConfig>, limits: &Limits) -> Result<Self, Trouble> {
        let wire = Wire::dial(server, trust, limits).await?;
        let mut watch = wire.watch();
        let mut client = Client::new(wire);
        greeted(&mut client, &watch, limits).await?;
        if !server.tls {
            let offered = capabilities(&mut client, &watch, limits).await?;
            if offered.iter().any(|one| one == "STARTTLS") {
                timed(&watch, limits, client.run_command_and_check_ok("STARTTLS", None)).await?;
                // What came behind the answer stays in the client that ends here (RFC 9051 §6.2.1).
                let wire = client.into_inner().secured(server, trust, limits).await?;
                watch = wire.watch();
                client = Client::new(wire);
            } else if !is_local(server) {
                return Err(Trouble::NoTls);
            }
        }
        let offered = capabilities(&mut client, &watch, limits).await?;
        let session = signed_in(client, server, login, &offered, &watch, limits).await?;
        Ok(Self { session, watch, limits: *limits })
    }

    /// Opens a folder, for reading only: EXAMINE changes nothing, not even what is new (RFC 9051 §6.3.3).
    pub async fn examine(&mut self, folder: &str) -> Result<Opened, Trouble> {
        self.watch.begin();
        let code = words::folder_code(folder);
        let found: Mailbox = timed(&self.watch, &self.limits, self.session.examine(&code)).await.map_err(|trouble| match trouble {
            Trouble::Refused(said) => Trouble::NoFolder { folder: folder.to_owned(), said },
            other => other,
        })?;
        // Without it a UID means nothing for long; every server has it, but may say that it does not last (RFC 4315 §2).
        Ok(Opened { messages: found.exists, validity: found.uid_validity.unwrap_or_default() })
    }

    /// Those messages of the folder that came on a day (`2026-11-21`) or later, by their numbers in the folder; rising.
    pub async fn since(&mut self, messages: u32, day: jiff::civil::Date) -> Result<Vec<u32>, Trouble> {
        let day = day.strftime("%-d-%b-%Y").to_string();
        let mut all = BTreeSet::new();
        let mut from = 1;
        while from <= messages {
            let to = from.saturating_add(WINDOW - 1).min(messages);
            let command = format!("SEARCH {from}:{to} SINCE {day}");
            let mut found = Vec::new();
            self.asked(&command, |response| {
                if let Response::MailboxData(MailboxDatum::Search(numbers)) = response {
                    found.extend(numbers.iter().copied().filter(|number| (from..=to).contains(number)));
                }
                Ok(())
            })
            .await?;
            all.extend(found);
            from = to.saturating_add(1);
        }
        Ok(all.into_iter().collect())
    }

    /// Reads the messages of a set of numbers (`1:500`). While nothing but FETCH and SEARCH is sent these numbers do not move (RFC 9051
    /// §7.5.1), so pages are full however far the UIDs are apart, and nothing is read twice or left out.
    pub async fn fetch(&mut self, set: &str, mut take: impl FnMut(&[AttributeValue<'_>]) -> bool) -> Result<(), Trouble> {
        let mut taken = 0;
        let command = format!("FETCH {set} {ITEMS}");
        let watch = self.watch.clone();
        let done = self
            .asked(&command, |response| {
                if let Response::Fetch(_, attributes) = response
                    && take(attributes)
                {
                    taken += 1;
                    if taken > PAGE {
                        return Err(Trouble::Flood);
                    }
                }
                Ok(())
            })
            .await;
        match done {
            // Some of them were deleted meanwhile, which is nobody's fault (RFC 5530 §3).
            Err(Trouble::Refused(_)) if watch.refusal().is_some_and(|said| said.contains("[EXPUNGEISSUED]")) => Ok(()),
            done => done,
        }
    }

    /// The folders whose names fit (`*`: all).
    pub async fn folders(&mut self, pattern: &str, mut take: impl FnMut(&MailboxListData<'_>)) -> Result<(), Trouble> {
        let pattern = words::folder_code(pattern).replace(['\\', '"', '\r', '\n'], "");
        let command = format!("LIST \"\" \"{pattern}\"");
        self.asked(&command, |response| {
            if let Response::MailboxData(MailboxDatum::List(found)) = response {
                take(found);
            }
            Ok(())
        })
        .await
    }

    /// Says goodbye; whether it is heard does not matter.
    pub async fn close(mut self) {
        let _ = tokio::time::timeout(self.limits.connect, self.session.logout()).await;
    }

    /// Sends a command, and hands over everything that is answered until it is done. A refusal in the middle is an error: what came before
    /// is not the whole.
    async fn asked(&mut self, command: &str, mut take: impl FnMut(&Response<'_>) -> Result<(), Trouble>) -> Result<(), Trouble> {
        self.watch.begin();
        let Self { session, watch, limits } = self;
        let mut trouble = None;
        let talk = async {
            let id = session.run_command(command).await?;
            while let Some(answer) = session.read_response().await? {
                match answer.parsed() {
                    Response::Done { tag, status, .. } if *tag == id => {
                        return match status {
                            Status::Ok => Ok(()),
                            _ => Err(async_imap::error::Error::No(String::new())),
                        };
                    }
                    Response::Data { status: Status::Bye, .. } => return Err(async_imap::error::Error::ConnectionLost),
                    response => {
                        if let Err(found) = take(response) {
                            trouble = Some(found);
                            return Ok(());
                        }
                    }
                }
            }
            Err(async_imap::error::Error::ConnectionLost)
        };
        timed(watch, limits, talk).await?;
        trouble.map_or(Ok(()), Err)
    }
}

/// The first line of a server decides whether it is one (RFC 9051 §7.1).
async fn greeted(client: &mut Client<Wire>, watch: &Watch, limits: &Limits) -> Result<(), Trouble> {
    let read = async { client.read_response().await.map_err(async_imap::error::Error::from) };
    let unlike = |watch: &Watch| Trouble::NotMail(watch.greeting());
    let answer = timed(watch, limits, read).await.map_err(|trouble| match trouble {
        Trouble::Nonsense(_) | Trouble::Flood => unlike(watch),
        // Whoever waits to be asked first speaks another protocol, but a slow server is silent as well.
        other => other,
    })?;
    match answer.as_ref().map(|answer| answer.parsed()) {
        Some(Response::Data { status: Status::Ok, .. }) => Ok(()),
        Some(Response::Data { status: Status::Bye, .. }) => Err(Trouble::Bye(watch.bye().unwrap_or_default())),
        None if watch.greeting().is_empty() => Err(Trouble::Cut),
        // PREAUTH: signed in already, as nobody knows whom. It would prove nothing, and TLS could not begin any more.
        _ => Err(unlike(watch)),
    }
}

async fn capabilities(client: &mut Client<Wire>, watch: &Watch, limits: &Limits) -> Result<Vec<String>, Trouble> {
    watch.begin();
    timed(watch, limits, client.run_command_and_check_ok("CAPABILITY", None)).await?;
    Ok(watch.capabilities().unwrap_or_default().split_whitespace().map(str::to_owned).collect())
}

async fn signed_in(
    client: Client<Wire>,
    server: &Server,
    login: &Login,
    offered: &[String],
    watch: &Watch,
    limits: &Limits,
) -> Result<Session<Wire>, Trouble> {
    let mechanisms: Vec<&str> = offered.iter().filter_map(|one| one.strip_prefix("AUTH=")).collect();
    let mut chosen = Mechanism::choose(login, &mechanisms);
    let disabled = offered.iter().any(|one| one == "LOGINDISABLED");
    // The command LOGIN is always there, unless the server says no.
    if let Login::Password { .. } = login
        && chosen != Some(Mechanism::Plain)
        && !disabled
    {
        chosen = Some(Mechanism::Login);
    }
    let Some(mechanism) = chosen else { return Err(Trouble::NoWay(mechanisms.join(", "))) };
    watch.begin();
    if mechanism == Mechanism::Login {
        let Login::Password { user, secret } = login else { return Err(Trouble::NoWay(mechanisms.join(", "))) };
        let tried = async { client.login(user, secret.expose()).await.map_err(|(error, _)| error) };
        return timed(watch, limits, tried).await;
    }
    let mut report = None;
    let spoken = Spoken { mechanism, first: mechanism.first(login, server), said: false, report: &mut report };
    let tried = async { client.authenticate(mechanism.name(), spoken).await.map_err(|(error, _)| error) };
    timed(watch, limits, tried).await.map_err(|trouble| match (trouble, report) {
        (Trouble::Refused(said), Some(report)) => Trouble::Refused(format!("{said} ({report})")),
        (trouble, _) => trouble,
    })
}

/// What a server made of a command, within its time, in our terms.
async fn timed<T>(watch: &Watch, limits: &Limits, talk: impl Future<Output = async_imap::error::Result<T>>) -> Result<T, Trouble> {
    use async_imap::error::Error;
    // The library trusts servers more than one should: what stops it dead is nonsense as well.
    let talk = AssertUnwindSafe(talk).catch_unwind();
    let Ok(told) = tokio::time::timeout(limits.answer, talk).await else { return Err(Trouble::Silent) };
    let Ok(told) = told else { return Err(Trouble::Stopped) };
    told.map_err(|error| {
        if let Some(broken) = watch.broken() {
            return broken.into();
        }
        let gone = || watch.bye().map_or(Trouble::Cut, Trouble::Bye);
        match error {
            Error::No(_) | Error::Bad(_) => Trouble::Refused(watch.refusal().unwrap_or_default()),
            Error::ConnectionLost => gone(),
            Error::Io(error) => match error.kind() {
                std::io::ErrorKind::Other | std::io::ErrorKind::InvalidData => Trouble::Nonsense(watch.last()),
                _ => gone(),
            },
            Error::Validate(_) => Trouble::LineBreak,
            _ => Trouble::Nonsense(watch.last()),
        }
    })
}
