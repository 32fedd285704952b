//! The answer of a consent, pasted line by line while something else waits for it, too.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};

use super::{ask, say};
use crate::ops::Result;
use crate::t;

/// Longer lines are no answers.
const LONGEST: u64 = 1 << 20;

/// Where pasted answers come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Somebody at a terminal.
    Terminal,
    /// The lines of standard input, from a pipe or a file.
    Lines,
    Nobody,
}

impl Source {
    /// `person`: whether somebody can be asked. `free`: whether standard input was not read for something else.
    #[must_use]
    pub fn of(person: bool, free: bool) -> Self {
        match (person, free && !io::stdin().is_terminal()) {
            (true, _) => Self::Terminal,
            (false, true) => Self::Lines,
            (false, false) => Self::Nobody,
        }
    }

    /// The terminal made ready, until what is returned is dropped.
    pub fn ready(self) -> Result<Option<ask::Quiet>> {
        if self == Self::Terminal { ask::pasting().map(Some) } else { Ok(None) }
    }
}

/// Offers what is pasted until something is accepted, and then waits for ever. Comes back when nothing more can be pasted.
pub async fn offers(source: Source, offer: impl Fn(&str) -> Result<()>) {
    if source == Source::Nobody {
        return;
    }
    let read = match source {
        Source::Terminal => ask::pasted,
        _ => line,
    };
    while let Ok(Some(text)) = tokio::task::spawn_blocking(read).await {
        let text = text.trim();
        if text.is_empty() {
            continue;
        }
        if source == Source::Terminal {
            say::remark(&t!("cli.credential.taken", n = text.chars().count()));
        }
        match offer(text) {
            Ok(()) => return std::future::pending().await,
            Err(problem) => say::failure(&problem),
        }
    }
}

fn line() -> Option<String> {
    let mut line = Vec::new();
    let read = io::stdin().lock().take(LONGEST).read_until(b'\n', &mut line).ok()?;
    (read > 0).then(|| String::from_utf8_lossy(&line).into_owned())
}
