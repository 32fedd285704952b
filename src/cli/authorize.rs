//! `intertie authorize`: consent on this machine for another one. Needs no workspace.

use std::io::{self, IsTerminal as _, Read as _};

use clap::Args;

use super::output;
use crate::ops::{Result, authorize};
use crate::prompt::pasting::Source;
use crate::prompt::{self, Waiting, ask, say};
use crate::words::clean;
use crate::{problem, t};

/// More than a request has, with all that may be around it.
const LONGEST: u64 = 1 << 20;

#[derive(Args)]
pub struct Authorize {
    #[arg(value_name = "REQUEST|FILE|-", help = t!("cli.authorize.request"))]
    request: Option<String>,
    #[arg(long, help = t!("cli.credential.no_browser"))]
    no_browser: bool,
}

pub fn run(authorize: &Authorize, as_json: bool) -> Result<u8> {
    let person = ask::possible();
    let (request, free) = match authorize.request.as_deref() {
        Some("-") => (read_all(io::stdin().lock(), "-")?, false),
        Some(text) if authorize::is_request(text) => (text.to_owned(), true),
        Some(file) => (read_all(open(file)?, file)?, true),
        None if person => (asked()?, true),
        None => return Err(problem!(Usage, "cli.authorize.nothing")),
    };
    let source = Source::of(person && io::stdin().is_terminal(), free);
    let answer = Waiting::default().run(!as_json, async |sink| prompt::authorize::follow(&request, source, !authorize.no_browser, &sink).await)?;
    if let Some(refused) = &answer.refused {
        say::failure(refused);
    }
    if as_json {
        return output::json(&answer).map(|()| 0);
    }
    output::remark(&format!("\n{}\n", t!("cli.authorize.carry", host = answer.host)));
    output::line(&answer.answer)?;
    Ok(0)
}

fn open(file: &str) -> Result<std::fs::File> {
    std::fs::File::open(file).map_err(|error| {
        if error.kind() == io::ErrorKind::NotFound {
            problem!(Usage, "authorize.request.none")
        } else {
            problem!(Usage, "cli.unreadable", file = clean::line(file, 200), reason = error)
        }
    })
}

fn read_all(source: impl io::Read, name: &str) -> Result<String> {
    let mut bytes = Vec::new();
    let read = source.take(LONGEST).read_to_end(&mut bytes);
    read.map_err(|error| problem!(Usage, "cli.unreadable", file = clean::line(name, 200), reason = error))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn asked() -> Result<String> {
    output::remark(t!("cli.authorize.ask"));
    let _terminal = ask::pasting()?;
    ask::pasted().ok_or_else(|| problem!(Usage, "cli.ask.ended"))
}
