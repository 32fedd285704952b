//! What commands print: tables for people, one JSON document for scripts, three lines for a failure.
//!
//! Text from outside passes [`clean::line`] before it reaches a terminal; in JSON such characters are escaped, so nothing is lost.

use std::io::{self, IsTerminal as _, Write};

use serde::Serialize;
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::model::{Problem, Time};
use crate::ops::Result;
pub use crate::prompt::say::remark;
use crate::prompt::say::{self, LONGEST, coloured};
use crate::words::clean;
use crate::{problem, t};

/// Prints text and a line break on standard output. A reader that has gone away is not a failure.
pub fn line(text: &str) -> Result<()> {
    raw(&format!("{text}\n"))
}

/// Prints on standard output as it is. A reader that has gone away is not a failure.
pub fn raw(text: &str) -> Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(problem!(Failed, "cli.output", reason = error)),
        _ => Ok(()),
    }
}

/// Standard output as a writer that remembers whether its reader went away.
pub struct Pipe {
    inner: io::BufWriter<io::Stdout>,
    pub closed: bool,
}

impl Pipe {
    pub fn stdout() -> Self {
        Self { inner: io::BufWriter::with_capacity(1 << 16, io::stdout()), closed: false }
    }

    fn noted<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.closed |= result.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::BrokenPipe);
        result
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.noted(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.noted(result)
    }
}

/// Prints one JSON document.
pub fn json(value: &impl Serialize) -> Result<()> {
    raw(&(json_text(value, true)? + "\n"))
}

/// A JSON text in which every character that could act on a terminal is escaped.
pub fn json_text(value: &impl Serialize, pretty: bool) -> Result<String> {
    let mut out = Vec::new();
    let written = if pretty {
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Inert(PrettyFormatter::new())))
    } else {
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut out, Inert(CompactFormatter)))
    };
    written.map_err(|error| problem!(Failed, "cli.output", reason = error))?;
    String::from_utf8(out).map_err(|error| problem!(Failed, "cli.output", reason = error))
}

/// Writes what `F` writes, but escapes characters that are not fit to show (RFC 8259 §7 allows it for any character).
struct Inert<F>(F);

macro_rules! passed_on {
    ($($name:ident($($argument:ident: $kind:ty),*);)*) => {
        $(fn $name<W: ?Sized + Write>(&mut self, writer: &mut W $(, $argument: $kind)*) -> io::Result<()> {
            self.0.$name(writer $(, $argument)*)
        })*
    };
}

impl<F: Formatter> Formatter for Inert<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if clean::is_clean(fragment) {
            return writer.write_all(fragment.as_bytes());
        }
        for c in fragment.chars() {
            if clean::shown(c) == c {
                write!(writer, "{c}")?;
            } else {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            }
        }
        Ok(())
    }

    passed_on! {
        begin_array();
        end_array();
        begin_array_value(first: bool);
        end_array_value();
        begin_object();
        end_object();
        begin_object_key(first: bool);
        end_object_key();
        begin_object_value();
        end_object_value();
    }
}

/// Prints a failure: three lines on standard error, or with `--json` one document on standard output.
pub fn failure(problem: &Problem, as_json: bool) {
    if as_json {
        let error = serde_json::json!({ "error": {
            "what": problem.what, "why": problem.why, "next_step": problem.next_step, "code": problem.code,
        }});
        // Where nothing can be written, it is said at least to whoever reads standard error.
        if json(&error).is_ok() {
            return;
        }
    }
    say::failure(problem);
}

/// Prints a finding: how bad it is and where, then what, why and what to do.
pub fn finding((severity, tone): (&str, Tone), place: &str, problem: &Problem) -> Result<()> {
    let code = tone.code().filter(|_| coloured(io::stdout().is_terminal()));
    let severity = code.map_or_else(|| severity.to_owned(), |code| format!("{code}{severity}\u{1b}[0m"));
    let what = clean::line(&problem.what, LONGEST);
    line(&format!("{severity} {}: {what}", clean::line(place, LONGEST)))?;
    line(&format!("  {}", t!("cli.why", text = clean::line(&problem.why, 4 * LONGEST))))?;
    line(&format!("  {}", t!("cli.next", text = clean::line(&problem.next_step, 4 * LONGEST))))
}

/// What a cell means; carried by its words, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Plain,
    Good,
    Notice,
    Bad,
    Dim,
}

impl Tone {
    fn code(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("\u{1b}[32m"),
            Self::Notice => Some("\u{1b}[33m"),
            Self::Bad => Some("\u{1b}[31m"),
            Self::Dim => Some("\u{1b}[2m"),
        }
    }
}

pub struct Cell {
    text: String,
    tone: Tone,
    right: bool,
}

/// A cell of text from anywhere.
pub fn cell(text: impl AsRef<str>) -> Cell {
    Cell { text: clean::line(text.as_ref(), LONGEST), tone: Tone::Plain, right: false }
}

/// A number, at the right.
pub fn count(n: u64) -> Cell {
    Cell { text: crate::words::number(n), tone: if n == 0 { Tone::Dim } else { Tone::Plain }, right: true }
}

impl Cell {
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// Rows under titles, aligned by the width that characters take on a terminal.
pub struct Table {
    titles: Vec<String>,
    rows: Vec<Vec<Cell>>,
}

impl Table {
    pub fn new(titles: &[impl AsRef<str>]) -> Self {
        Self { titles: titles.iter().map(|title| title.as_ref().to_owned()).collect(), rows: Vec::new() }
    }

    pub fn row(&mut self, cells: Vec<Cell>) {
        self.rows.push(cells);
    }

    /// Prints the table, or `empty` on standard error where there is no row.
    pub fn print(&self, empty: &str) -> Result<()> {
        if self.rows.is_empty() {
            remark(empty);
            return Ok(());
        }
        let terminal = io::stdout().is_terminal();
        raw(&self.text(coloured(terminal), if terminal { columns() } else { None }))
    }

    /// The table as text. With a width, the widest columns give way until it fits.
    fn text(&self, colour: bool, width: Option<usize>) -> String {
        let mut widths: Vec<usize> = self.titles.iter().map(|title| title.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.text.width());
            }
        }
        if let Some(available) = width {
            while widths.iter().sum::<usize>() + 2 * widths.len().saturating_sub(1) > available {
                match widths.iter_mut().max() {
                    Some(widest) if *widest > 4 => *widest -= 1,
                    _ => break,
                }
            }
        }
        let right: Vec<bool> =
            (0..self.titles.len()).map(|i| self.rows.iter().all(|row| row.get(i).is_none_or(|c| c.right || c.text.is_empty()))).collect();
        let mut out = String::new();
        let titles = self.titles.iter().zip(&right).map(|(title, right)| (title.as_str(), Tone::Dim, *right));
        put_row(&mut out, titles, &widths, colour);
        for row in &self.rows {
            put_row(&mut out, row.iter().map(|cell| (cell.text.as_str(), cell.tone, cell.right)), &widths, colour);
        }
        out
    }
}

fn put_row<'a>(out: &mut String, cells: impl Iterator<Item = (&'a str, Tone, bool)>, widths: &[usize], colour: bool) {
    let mut line = String::new();
    for (i, ((text, tone, right), width)) in cells.zip(widths).enumerate() {
        if i > 0 {
            line.push_str("  ");
        }
        let text = fit(text, *width);
        let gap = " ".repeat(width.saturating_sub(text.width()));
        let (before, after) = if right { (gap.as_str(), "") } else { ("", gap.as_str()) };
        line.push_str(before);
        match tone.code().filter(|_| colour && !text.is_empty()) {
            Some(code) => {
                line.push_str(code);
                line.push_str(&text);
                line.push_str("\u{1b}[0m");
            }
            None => line.push_str(&text),
        }
        line.push_str(after);
    }
    out.push_str(line.trim_end());
    out.push('\n');
}

/// Cuts to a width in terminal cells; what is cut ends in `…`.
fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide + 1 > width {
            break;
        }
        used += wide;
        out.push(c);
    }
    out.push('…');
    out
}

/// Columns of the terminal at standard output.
fn columns() -> Option<usize> {
    rustix::termios::tcgetwinsize(io::stdout()).ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// Pairs of a label and a value, one a line, the values under each other.
pub fn pairs(pairs: &[(&str, String)]) -> Result<()> {
    let width = pairs.iter().map(|(label, _)| label.width()).max().unwrap_or(0);
    let dim = if coloured(io::stdout().is_terminal()) { ("\u{1b}[2m", "\u{1b}[0m") } else { ("", "") };
    let mut out = String::new();
    for (label, value) in pairs {
        let gap = " ".repeat(width - label.width());
        let value = if value.is_empty() { "–".to_owned() } else { clean::line(value, 4 * LONGEST) };
        out.push_str(format!("{}{label}{}{gap}  {value}", dim.0, dim.1).trim_end());
        out.push('\n');
    }
    raw(&out)
}

/// A word of ours as a heading: with a capital.
pub fn heading(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

/// A moment as people say it: `3 min ago`, `in 6 d`.
pub fn relative(at: Time, now: Time) -> String {
    let seconds = at.as_second() - now.as_second();
    let (n, unit) = match seconds.unsigned_abs() {
        0..=59 => return t!("cli.time.now").to_owned(),
        s @ 60..=3_599 => (s / 60, t!("cli.time.minutes")),
        s @ 3_600..=86_399 => (s / 3_600, t!("cli.time.hours")),
        s => (s / 86_400, t!("cli.time.days")),
    };
    if seconds < 0 { t!("cli.time.ago", n = n, unit = unit) } else { t!("cli.time.in", n = n, unit = unit) }
}

/// [`relative`] to now, or a dash.
pub fn when(at: Option<Time>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| relative(at, Time::now()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_by_the_room_that_characters_take() {
        let mut table = Table::new(&["Name", "Read"]);
        table.row(vec![cell("日本"), count(7)]);
        table.row(vec![cell("Zoë"), count(1200)]);
        assert_eq!(table.text(false, None), "Name   Read\n日本      7\nZoë   1,200\n");
    }

    #[test]
    fn the_widest_column_gives_way() {
        let mut table = Table::new(&["Name", "Id"]);
        table.row(vec![cell("a very long name indeed"), cell("x1")]);
        assert_eq!(table.text(false, Some(14)), "Name        Id\na very lo…  x1\n");
        // However narrow, something is printed.
        assert!(!table.text(false, Some(0)).is_empty());
    }

    #[test]
    fn text_from_outside_cannot_act_on_the_terminal() {
        let mut table = Table::new(&["Name"]);
        table.row(vec![cell("a\u{1b}]0;owned\u{7}b\u{202e}c")]);
        let text = table.text(false, None);
        assert!(clean::is_clean(&text.replace('\n', "")), "{text:?}");
        let document = json_text(&"a\u{1b}\u{9b}\u{202e}\u{e0041}é", false).unwrap();
        assert!(clean::is_clean(&document), "{document:?}");
        assert_eq!(serde_json::from_str::<String>(&document).unwrap(), "a\u{1b}\u{9b}\u{202e}\u{e0041}é");
    }

    #[test]
    fn colour_wraps_the_text_and_not_the_gap() {
        let mut table = Table::new(&["S", "T"]);
        table.row(vec![cell("ok").tone(Tone::Good), cell("x")]);
        assert!(table.text(true, None).contains("\u{1b}[32mok\u{1b}[0m  x"));
    }

    #[test]
    fn moments_are_said_as_people_say_them() {
        let now: Time = "2026-03-01T12:00:00Z".parse().unwrap();
        for (at, said) in [
            ("2026-03-01T12:00:30Z", "now"),
            ("2026-03-01T11:57:00Z", "3 min ago"),
            ("2026-03-01T14:00:00Z", "in 2 h"),
            ("2026-02-20T12:00:00Z", "9 d ago"),
        ] {
            assert_eq!(relative(at.parse().unwrap(), now), said);
        }
    }
}
