//! CSV (RFC 4180), as it is found: with a byte-order mark or without, commas, semicolons or tabs, any line ends, quotes over several lines.
//!
//! The crate `csv` reads well-formed files the same way (a test compares the two). This reader exists for the others: it knows the line of
//! every record, and a quotation mark that was opened by mistake costs one line, not all that follow.

use std::io::BufRead;

use serde_json::{Map, Value};

use super::lines::{LONGEST, Line, Lines};
use super::{Pages, Stop, broken};
use crate::mapping::path::Step;
use crate::mapping::projection::Projection;
use crate::words::clean;
use crate::{problem, t};

/// Lines that one record may go over.
const MOST_LINES: usize = 10_000;

pub fn read<R: BufRead>(reader: R, projection: &Projection, pages: &mut Pages<'_, '_>, file: &str) -> Result<(), Stop> {
    let mut lines = Lines::new(reader);
    let failed = |error: &std::io::Error| broken(file, error);
    let delimiter = delimiter(&mut lines).map_err(|error| failed(&error))?;
    let mut records = Records { lines, scanner: Scanner::new(delimiter) };
    let no_header = || Stop::Problem(problem!(Usage, "vendor.file_no_header", file = file));
    let header = match records.next().map_err(|error| failed(&error))?.ok_or_else(no_header)?.what {
        Ok(()) => names(&records.scanner.fields()).ok_or_else(no_header)?,
        Err(_) => return Err(no_header()),
    };
    let columns: Vec<Column> = projection.paths().iter().map(|path| Column::of(&path.steps, &header)).collect();
    while let Some(Record { line, what, bytes }) = records.next().map_err(|error| failed(&error))? {
        if let Err(bad) = what {
            pages.bad(line, bad, bytes)?;
            continue;
        }
        let fields = records.scanner.fields();
        if fields.len() != header.len() {
            pages.bad(line, t!("vendor.record.ragged", found = fields.len(), wanted = header.len()), bytes)?;
            continue;
        }
        match texts(&fields) {
            Ok(texts) => pages.row(line, columns.iter().map(|column| column.value(&texts, &header)).collect(), bytes)?,
            Err(column) => pages.bad(line, t!("vendor.record.not_utf8", column = clean::line(&header[column], 60)), bytes)?,
        }
    }
    Ok(())
}

/// What separates fields: what Excel's own `sep=` line says, else whichever there is most of outside quotes in the first line.
fn delimiter<R: BufRead>(lines: &mut Lines<R>) -> std::io::Result<u8> {
    let Some(first) = lines.next()? else { return Ok(b',') };
    if let [b's' | b'S', b'e' | b'E', b'p' | b'P', b'=', delimiter] = first.content() {
        return Ok(*delimiter);
    }
    let mut quoted = false;
    let mut counts = [(b',', 0), (b';', 0), (b'\t', 0)];
    for byte in first.content() {
        quoted ^= *byte == b'"';
        if !quoted && let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| delimiter == byte) {
            *count += 1;
        }
    }
    lines.give_back(vec![first]);
    // The first of those that are most: a comma when there is none of any.
    let most = counts.iter().map(|(_, count)| *count).max().unwrap_or(0);
    Ok(counts.iter().find(|(_, count)| *count == most).map_or(b',', |(delimiter, _)| *delimiter))
}

/// Names of the columns, each different and none empty; `None` when they are not text or there are none.
fn names(fields: &[&[u8]]) -> Option<Vec<String>> {
    let mut names: Vec<String> = Vec::with_capacity(fields.len());
    for (i, field) in fields.iter().enumerate() {
        let text = std::str::from_utf8(field).ok()?.trim();
        let mut name = if text.is_empty() { t!("vendor.record.column", n = i + 1) } else { text.to_owned() };
        let mut again = 2;
        while names.contains(&name) {
            name = format!("{text} ({again})");
            again += 1;
        }
        names.push(name);
    }
    (!names.is_empty()).then_some(names)
}

fn texts<'f>(fields: &[&'f [u8]]) -> Result<Vec<&'f str>, usize> {
    fields.iter().enumerate().map(|(i, field)| std::str::from_utf8(field).map_err(|_| i)).collect()
}

/// What a slot of a row holds.
enum Column {
    At(usize),
    /// The whole record, for samples.
    Whole,
    Missing,
}

impl Column {
    /// A column's name may hold dots, which in a path separate members.
    fn of(steps: &[Step], header: &[String]) -> Self {
        if steps.is_empty() {
            return Self::Whole;
        }
        let keys: Option<Vec<&str>> = steps.iter().map(|step| if let Step::Key(key) = step { Some(key.as_str()) } else { None }).collect();
        let Some(keys) = keys else { return Self::Missing };
        let name = keys.join(".");
        header.iter().position(|known| *known == name).map_or(Self::Missing, Self::At)
    }

    /// An empty field holds nothing.
    fn value(&self, texts: &[&str], header: &[String]) -> Value {
        let value = |text: &str| if text.is_empty() { Value::Null } else { Value::String(text.to_owned()) };
        match self {
            Self::At(i) => value(texts[*i]),
            Self::Whole => Value::Object(header.iter().zip(texts).map(|(name, text)| (name.clone(), value(text))).collect::<Map<_, _>>()),
            Self::Missing => Value::Null,
        }
    }
}

/// A record; its fields are in the scanner.
struct Record {
    /// Where it begins.
    line: u64,
    what: Result<(), String>,
    bytes: usize,
}

struct Records<R> {
    lines: Lines<R>,
    scanner: Scanner,
}

impl<R: BufRead> Records<R> {
    fn next(&mut self) -> std::io::Result<Option<Record>> {
        loop {
            let Some(first) = self.lines.next()? else { return Ok(None) };
            if !first.content().is_empty() {
                return self.record(first).map(Some);
            }
        }
    }

    fn record(&mut self, first: Line) -> std::io::Result<Record> {
        let (line, mut bytes) = (first.number, first.bytes.len());
        if first.too_long {
            return Ok(Record { line, what: Err(t!("vendor.record.too_long", limit = LONGEST >> 20)), bytes });
        }
        self.scanner.begin();
        if self.scanner.feed(&first) {
            return Ok(Record { line, what: Ok(()), bytes });
        }
        // A quoted field goes over the line's end.
        let mut held: Vec<Line> = Vec::new();
        loop {
            let next = self.lines.next()?;
            let closed = match &next {
                None => false,
                Some(next) => !next.too_long && self.scanner.feed(next),
            };
            let over = next.is_none();
            if let Some(next) = next {
                bytes += next.bytes.len();
                held.push(next);
            }
            if closed && !self.scanner.malformed {
                return Ok(Record { line, what: Ok(()), bytes });
            }
            // Text right after a closing quotation mark: it was an opening one, and this record's was never closed.
            if over || self.scanner.malformed || held.len() >= MOST_LINES || bytes > LONGEST {
                self.lines.give_back(held);
                return Ok(Record { line, what: Err(t!("vendor.record.quote").to_owned()), bytes: first.bytes.len() });
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Start,
    Plain,
    Quoted,
    /// After a quotation mark in a quoted field: its end, or half of an escaped one.
    Closing,
}

/// Splits lines into fields.
struct Scanner {
    delimiter: u8,
    state: State,
    /// A closing quotation mark was followed by something else than the end of the field.
    malformed: bool,
    text: Vec<u8>,
    ends: Vec<usize>,
}

impl Scanner {
    fn new(delimiter: u8) -> Self {
        Self { delimiter, state: State::Start, malformed: false, text: Vec::new(), ends: Vec::new() }
    }

    fn begin(&mut self) {
        self.state = State::Start;
        self.malformed = false;
        self.text.clear();
        self.ends.clear();
    }

    /// Takes a line; `true` when the record ends with it.
    fn feed(&mut self, line: &Line) -> bool {
        for &byte in line.content() {
            self.state = match (self.state, byte) {
                (State::Start, b'"') => State::Quoted,
                (State::Quoted, b'"') => State::Closing,
                (State::Closing, b'"') => {
                    self.text.push(byte);
                    State::Quoted
                }
                (State::Quoted, _) => {
                    self.text.push(byte);
                    State::Quoted
                }
                (_, byte) if byte == self.delimiter => {
                    self.ends.push(self.text.len());
                    State::Start
                }
                (state, _) => {
                    self.malformed |= state == State::Closing;
                    self.text.push(byte);
                    State::Plain
                }
            };
        }
        if self.state == State::Quoted {
            self.text.extend_from_slice(line.end());
            return false;
        }
        self.ends.push(self.text.len());
        true
    }

    fn fields(&self) -> Vec<&[u8]> {
        let mut start = 0;
        self.ends.iter().map(|end| &self.text[std::mem::replace(&mut start, *end)..*end]).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn rows(content: &str, paths: &[&str]) -> Vec<(u64, Vec<Value>)> {
        let (rows, bad) = all("x.csv", content.as_bytes(), paths).unwrap();
        assert_eq!(bad, []);
        rows
    }

    #[test]
    fn files_as_they_are_found() {
        let expected = vec![(2, vec![json!("1"), json!("Ada")]), (3, vec![json!("2"), json!(null)])];
        for content in [
            "id,name\n1,Ada\n2,\n",
            "\u{feff}id,name\r\n1,Ada\r\n2,\r\n",
            "id;name\n1;Ada\n2;",
            "id\tname\n1\tAda\n2\t\n",
            "\"id\",\"name\"\n\"1\",\"Ada\"\n\"2\",\"\"\n",
            " id , name \n1,Ada\n2,",
        ] {
            assert_eq!(rows(content, &["id", "name"]), expected, "{content:?}");
        }
        assert_eq!(rows("sep=|\nid|name\n1|Ada\n", &["name"]), [(3, vec![json!("Ada")])]);
        assert_eq!(rows("id,name\n\n\n1,Ada\n", &["id"]), [(4, vec![json!("1")])]);
        assert_eq!(rows("id\n", &["id"]), []);
    }

    #[test]
    fn quotes() {
        assert_eq!(
            rows("a,b\n\"x, \"\"y\"\"\",\"two\r\nlines\"\n5\" pipe,z\n", &["a", "b"]),
            [(2, vec![json!("x, \"y\""), json!("two\r\nlines")]), (4, vec![json!("5\" pipe"), json!("z")])]
        );
    }

    #[test]
    fn columns() {
        assert_eq!(
            rows("user.name,Mail,Mail,\nada,a@x,b@x,4\n", &["user.name", "[\"Mail (2)\"]", "nothing"])[0].1,
            [json!("ada"), json!("b@x"), json!(null)]
        );
        let whole = Projection::new(vec![crate::mapping::path::Path { steps: Vec::new() }]);
        assert!(matches!(Column::of(&whole.paths()[0].steps, &[]), Column::Whole));
        assert!(all("x.csv", b"", &["id"]).is_err());
        assert!(all("x.csv", b"\n\n", &["id"]).is_err());
    }

    #[test]
    fn what_is_bad_is_reported_by_line_and_the_rest_arrives() {
        let content = b"id,name\n1,Ada\n2\n3,Bo,extra\n4,\xff\xfe\n5,\"never closed\n6,\"Smith, Jo\"\n7,plain\n8,\"at the end\n9,Zoe\n";
        let (rows, bad) = all("x.csv", content, &["id", "name"]).unwrap();
        assert_eq!(
            rows.iter().map(|(line, slots)| (*line, slots[0].as_str().unwrap())).collect::<Vec<_>>(),
            [(2, "1"), (7, "6"), (8, "7"), (10, "9")]
        );
        assert_eq!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 5, 6, 9]);
        assert!(bad[0].1.contains('1') && bad[0].1.contains('2'), "{}", bad[0].1);
        assert!(bad[2].1.contains("name"), "{}", bad[2].1);
        assert!(bad[3].1.contains("quotation mark"), "{}", bad[3].1);
    }

    proptest! {
        /// What the `csv` crate writes is read as it was written.
        #[test]
        fn well_formed_files_are_read_as_they_are(table in proptest::collection::vec(proptest::collection::vec("[a-z\",;\n\r é]{0,6}", 3), 0..8)) {
            let mut writer = ::csv::WriterBuilder::new().quote_style(::csv::QuoteStyle::Always).from_writer(Vec::new());
            writer.write_record(["a", "b", "c"]).unwrap();
            for record in &table {
                writer.write_record(record).unwrap();
            }
            let text = writer.into_inner().unwrap();
            let (rows, bad) = all("x.csv", &text, &["a", "b", "c"]).unwrap();
            prop_assert_eq!(bad, vec![]);
            let read: Vec<Vec<String>> = rows.into_iter().map(|(_, slots)| slots.iter().map(|slot| slot.as_str().unwrap_or("").to_owned()).collect()).collect();
            prop_assert_eq!(read, table);
        }

        /// And so is what anybody writes, as long as the `csv` crate sees the same number of fields in each record.
        #[test]
        fn it_agrees_with_the_csv_crate(text in "([a-c]|,|\n){0,40}") {
            let text = format!("x,y\n{text}");
            let mut reader = ::csv::ReaderBuilder::new().flexible(true).from_reader(text.as_bytes());
            let theirs: Vec<Vec<String>> = reader.records().map(|record| record.unwrap().iter().map(str::to_owned).collect()).collect();
            let (rows, bad) = all("x.csv", text.as_bytes(), &["x", "y"]).unwrap();
            prop_assert_eq!(bad.len(), theirs.iter().filter(|record| record.len() != 2).count());
            let ours: Vec<Vec<String>> = rows.into_iter().map(|(_, slots)| slots.iter().map(|slot| slot.as_str().unwrap_or("").to_owned()).collect()).collect();
            prop_assert_eq!(ours, theirs.into_iter().filter(|record| record.len() == 2).collect::<Vec<_>>());
        }

        /// Any bytes are read to their end, and every line is accounted for once at most.
        #[test]
        fn any_bytes_are_read(content in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'\n'), Just(b'\r'), any::<u8>()], 0..200)) {
            if let Ok((rows, bad)) = all("x.csv", &content, &["a"]) {
                let mut numbers: Vec<u64> = rows.iter().map(|(n, _)| *n).chain(bad.iter().map(|(n, _)| *n)).collect();
                let before = numbers.len();
                numbers.sort_unstable();
                numbers.dedup();
                prop_assert_eq!(numbers.len(), before);
            }
        }
    }
}
