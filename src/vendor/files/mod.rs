//! Reading a local file of records: CSV, one JSON object a line, or one JSON array, in constant memory.
//!
//! What cannot be read is reported with its line, and the rest arrives.

mod csv;
mod json;
mod lines;

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::source::Page;
use crate::mapping::projection::{Projection, Row};
use crate::model::{Problem, RecordError};
use crate::words::clean;
use crate::{problem, t};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Csv,
    Lines,
    Array,
}

/// Rows in a page.
const PAGE_ROWS: usize = 1_000;
/// A page of large records ends earlier.
const PAGE_BYTES: u64 = 4 << 20;

/// Where pages go; says whether to go on.
pub type Emit<'e> = dyn FnMut(Page) -> ControlFlow<()> + 'e;

/// Why reading ended before the file did.
enum Stop {
    /// The receiver has enough.
    Enough,
    Problem(Problem),
}

impl From<ControlFlow<()>> for Stop {
    fn from(_: ControlFlow<()>) -> Self {
        Self::Enough
    }
}

/// Reads a file to its end, or until the receiver has enough. Blocking.
pub fn read(path: &Path, projection: &Projection, emit: &mut Emit<'_>) -> Result<(), Problem> {
    let shown = clean::line(&path.display().to_string(), 300);
    let failed = |error: &std::io::Error| problem!(Failed, "vendor.file_unreadable", file = shown, reason = clean::line(&error.to_string(), 200));
    let file = File::open(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => problem!(Usage, "vendor.file_missing", file = shown),
        _ => failed(&error),
    })?;
    // A pipe or a device could keep us waiting forever.
    if !file.metadata().map_err(|error| failed(&error))?.is_file() {
        return Err(problem!(Usage, "vendor.file_not_regular", file = shown));
    }
    let mut reader = BufReader::with_capacity(256 << 10, file);
    let start = reader.fill_buf().map_err(|error| failed(&error))?;
    if start.starts_with(b"\xff\xfe") || start.starts_with(b"\xfe\xff") {
        return Err(problem!(Usage, "vendor.file_utf16", file = shown));
    }
    let mark = if start.starts_with(b"\xef\xbb\xbf") { 3 } else { 0 };
    let form = form(path, &start[mark..]);
    reader.consume(mark);
    let mut pages = Pages { page: Page::default(), emit };
    let done = match form {
        Form::Csv => csv::read(reader, projection, &mut pages, &shown),
        Form::Lines => json::read_lines(reader, projection, &mut pages, &shown),
        Form::Array => json::read_array(reader, projection, &mut pages, &shown),
    };
    match done {
        Ok(()) => {
            let _ = pages.flush();
            Ok(())
        }
        Err(Stop::Enough) => Ok(()),
        Err(Stop::Problem(problem)) => Err(problem),
    }
}

/// By its name, and where the name does not say, by its first character.
fn form(path: &Path, start: &[u8]) -> Form {
    let name = path.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
    let first = start.iter().find(|byte| !byte.is_ascii_whitespace());
    match (name.as_str(), first) {
        ("csv" | "tsv" | "tab", _) => Form::Csv,
        (_, Some(b'[')) => Form::Array,
        ("jsonl" | "ndjson" | "json", _) | (_, Some(b'{')) => Form::Lines,
        _ => Form::Csv,
    }
}

/// `~/x` is in the home directory, as in a shell.
#[must_use]
pub fn expand(path: &str) -> PathBuf {
    let path = path.trim();
    if let Some(rest) = path.strip_prefix("~/")
        && let Some(home) = std::env::var_os("HOME")
    {
        return Path::new(&home).join(rest);
    }
    PathBuf::from(path)
}

/// Collects rows into pages.
struct Pages<'p, 'e> {
    page: Page,
    emit: &'p mut Emit<'e>,
}

impl Pages<'_, '_> {
    fn row(&mut self, number: u64, slots: Vec<serde_json::Value>, bytes: usize) -> Result<(), Stop> {
        self.page.rows.push(Row { number, slots });
        self.count(bytes)
    }

    fn bad(&mut self, number: u64, message: String, bytes: usize) -> Result<(), Stop> {
        self.page.bad.push(RecordError { number, key: String::new(), field: None, message });
        self.count(bytes)
    }

    fn count(&mut self, bytes: usize) -> Result<(), Stop> {
        self.page.bytes += bytes as u64;
        if self.page.rows.len() + self.page.bad.len() >= PAGE_ROWS || self.page.bytes >= PAGE_BYTES {
            return self.flush();
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Stop> {
        if self.page.rows.is_empty() && self.page.bad.is_empty() {
            return Ok(());
        }
        match (self.emit)(std::mem::take(&mut self.page)) {
            ControlFlow::Continue(()) => Ok(()),
            stop @ ControlFlow::Break(()) => Err(stop.into()),
        }
    }
}

fn broken(file: &str, error: &std::io::Error) -> Stop {
    Stop::Problem(problem!(Failed, "vendor.file_unreadable", file = file, reason = clean::line(&error.to_string(), 200)))
}

/// What is wrong with a record of JSON, with the column where there is one.
fn json_reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    // serde_json adds the line, which here is always the first.
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    let text = clean::line(text, 200);
    if error.is_data() || error.column() == 0 { text } else { t!("vendor.record.json", column = error.column(), reason = text) }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::mapping::path::Path as Field;
    use serde_json::Value;

    /// Rows as (number, slots), bad ones as (number, message).
    type Read = (Vec<(u64, Vec<Value>)>, Vec<(u64, String)>);

    pub fn all(name: &str, content: &[u8], paths: &[&str]) -> Result<Read, Problem> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(name);
        std::fs::write(&path, content).unwrap();
        let projection = Projection::new(paths.iter().map(|path| Field::parse(path).unwrap()).collect());
        let (mut rows, mut bad) = (Vec::new(), Vec::new());
        read(&path, &projection, &mut |page: Page| {
            rows.extend(page.rows.into_iter().map(|row| (row.number, row.slots)));
            bad.extend(page.bad.into_iter().map(|error| (error.number, error.message)));
            ControlFlow::Continue(())
        })?;
        Ok((rows, bad))
    }

    #[test]
    fn forms_by_name_and_content() {
        let of = |name: &str, start: &str| form(Path::new(name), start.as_bytes());
        assert_eq!(of("a.csv", "[1]"), Form::Csv);
        assert_eq!(of("a.CSV", "id,name"), Form::Csv);
        assert_eq!(of("a.jsonl", "{}"), Form::Lines);
        assert_eq!(of("a.json", "  [\n{}"), Form::Array);
        assert_eq!(of("a.json", "{}\n{}"), Form::Lines);
        assert_eq!(of("people", "{\"id\":1}"), Form::Lines);
        assert_eq!(of("people.txt", "id;name"), Form::Csv);
        assert_eq!(of("empty.jsonl", ""), Form::Lines);
    }

    #[test]
    fn what_is_not_a_file() {
        let none = Projection::new(Vec::new());
        let problem = read(Path::new("/nonexistent/x.csv"), &none, &mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(problem.what.contains("not there"), "{problem:?}");
        let dir = tempfile::tempdir().unwrap();
        assert!(read(dir.path(), &none, &mut |_| ControlFlow::Continue(())).is_err());
        assert!(all("x.csv", b"\xff\xfei\0d\0", &["id"]).is_err());
    }

    #[test]
    fn reading_stops_when_there_is_enough() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.csv");
        std::fs::write(&path, format!("id\n{}", "7\n".repeat(10_000))).unwrap();
        let mut pages = 0;
        let projection = Projection::new(vec![Field::key("id")]);
        read(&path, &projection, &mut |_| {
            pages += 1;
            ControlFlow::Break(())
        })
        .unwrap();
        assert_eq!(pages, 1);
    }
}
