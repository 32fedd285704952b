//! What is told on standard error: remarks and failures.

use std::io::{self, IsTerminal as _, Write as _};

use crate::model::Problem;
use crate::t;
use crate::words::clean;

/// A text from outside that is longer is cut, in characters.
pub const LONGEST: usize = 300;

/// Prints a remark on standard error; where that is closed there is nobody to tell.
pub fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

/// Prints a failure: what happened, why, and what to do.
pub fn failure(problem: &Problem) {
    let bad = if coloured(io::stderr().is_terminal()) { ("\u{1b}[31m", "\u{1b}[0m") } else { ("", "") };
    let what = clean::line(&problem.what, LONGEST);
    let what = match &problem.code {
        Some(code) if !what.contains(code.as_str()) => format!("{what} ({})", clean::line(code, 80)),
        _ => what,
    };
    remark(&format!("{}✗{} {what}", bad.0, bad.1));
    remark(&format!("  {}", t!("cli.why", text = clean::line(&problem.why, 4 * LONGEST))));
    remark(&format!("  {}", t!("cli.next", text = clean::line(&problem.next_step, 4 * LONGEST))));
}

/// Whether to use colour, for an output that is a terminal or not (<https://no-color.org>).
#[must_use]
pub fn coloured(terminal: bool) -> bool {
    let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    terminal && !set("NO_COLOR") && std::env::var_os("TERM").is_none_or(|term| term != "dumb")
}
