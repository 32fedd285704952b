//! One JSON object a line, or one JSON array.

use std::fmt;
use std::io::BufRead;

use serde::de::{DeserializeSeed, Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::lines::{LONGEST, Lines};
use super::{Pages, Stop, broken, json_reason};
use crate::mapping::projection::Projection;
use crate::words::clean;
use crate::{problem, t};

pub fn read_lines<R: BufRead>(reader: R, projection: &Projection, pages: &mut Pages<'_, '_>, file: &str) -> Result<(), Stop> {
    let mut lines = Lines::new(reader);
    while let Some(line) = lines.next().map_err(|error| broken(file, &error))? {
        if line.too_long {
            pages.bad(line.number, t!("vendor.record.too_long", limit = LONGEST >> 20), line.bytes.len())?;
            continue;
        }
        if line.content().trim_ascii().is_empty() {
            continue;
        }
        match record(projection, line.content()) {
            Ok(slots) => pages.row(line.number, slots, line.bytes.len())?,
            Err(error) => pages.bad(line.number, json_reason(&error), line.bytes.len())?,
        }
    }
    Ok(())
}

fn record(projection: &Projection, text: &[u8]) -> Result<Vec<serde_json::Value>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let slots = projection.record(&mut deserializer)?;
    deserializer.end()?;
    Ok(slots)
}

/// An element that is no record is reported by its place; text that is no JSON ends the read.
pub fn read_array<R: BufRead>(reader: R, projection: &Projection, pages: &mut Pages<'_, '_>, file: &str) -> Result<(), Stop> {
    let mut deserializer = serde_json::Deserializer::from_reader(reader);
    let mut stop = None;
    let read = Elements { projection, pages, stop: &mut stop }.deserialize(&mut deserializer).and_then(|()| deserializer.end());
    match (stop, read) {
        (Some(stop), _) => Err(stop),
        (None, Ok(())) => Ok(()),
        (None, Err(error)) if error.is_io() => Err(broken(file, &error.into())),
        (None, Err(error)) => {
            let reason = clean::line(&error.to_string(), 200);
            Err(Stop::Problem(problem!(Failed, "vendor.file_not_json", file = file, reason = reason)))
        }
    }
}

struct Elements<'a, 'p, 'e> {
    projection: &'a Projection,
    pages: &'a mut Pages<'p, 'e>,
    stop: &'a mut Option<Stop>,
}

impl<'de> DeserializeSeed<'de> for Elements<'_, '_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_, '_, '_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a list of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        let mut number = 0;
        while let Some(raw) = elements.next_element::<Box<RawValue>>()? {
            number += 1;
            let bytes = raw.get().len();
            let taken = match record(self.projection, raw.get().as_bytes()) {
                Ok(slots) => self.pages.row(number, slots, bytes),
                Err(error) => self.pages.bad(number, json_reason(&error), bytes),
            };
            if let Err(stop) = taken {
                *self.stop = Some(stop);
                return Err(A::Error::custom("stopped"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::all;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn bad_lines_are_reported_and_the_rest_arrives() {
        let content = b"\xef\xbb\xbf{\"id\":1,\"n\":\"a\"}\r\n\n{\"id\":2,\n[3]\n{\"id\":4} x\n{\"id\":\"\xff\"}\n{\"id\":5}\n{\"id\":6";
        let (rows, bad) = all("x.jsonl", content, &["id", "n"]).unwrap();
        assert_eq!(rows, [(1, vec![json!(1), json!("a")]), (7, vec![json!(5), json!(null)])]);
        assert_eq!(bad.iter().map(|(line, _)| *line).collect::<Vec<_>>(), [3, 4, 5, 6, 8]);
        assert!(bad[0].1.contains("column"), "{}", bad[0].1);
        assert!(!bad[1].1.contains("line"), "{}", bad[1].1);
    }

    #[test]
    fn arrays() {
        let (rows, bad) = all("x.json", b"\xef\xbb\xbf [ {\"id\":1}, 7, null, {\"id\":2, \"deep\":[{}]} ]\n", &["id"]).unwrap();
        assert_eq!(rows, [(1, vec![json!(1)]), (4, vec![json!(2)])]);
        assert_eq!(bad.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [2, 3]);
        // Cut short: not a complete read.
        let problem = all("x.json", b"[{\"id\":1},{\"id\":", &["id"]).unwrap_err();
        assert!(problem.why.contains("EOF"), "{problem:?}");
        assert_eq!(all("x.json", b"[]", &["id"]).unwrap().0, []);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(content in proptest::collection::vec(prop_oneof![Just(b'{'), Just(b'['), Just(b'"'), Just(b'\n'), any::<u8>()], 0..200), array in any::<bool>()) {
            let _ = all(if array { "x.json" } else { "x.jsonl" }, &content, &["a.b", "c"]);
        }
    }
}
