//! Lines of a file, by number, none longer than a limit.

use std::collections::VecDeque;
use std::io::{self, BufRead, Read};

/// The longest line, and the longest record over several lines.
pub const LONGEST: usize = 16 << 20;

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// 1-based.
    pub number: u64,
    /// With its line end, where it has one. Cut when `too_long`.
    pub bytes: Vec<u8>,
    pub too_long: bool,
}

impl Line {
    /// The line without `\n` or `\r\n`.
    pub fn content(&self) -> &[u8] {
        let line = self.bytes.strip_suffix(b"\n").unwrap_or(&self.bytes);
        line.strip_suffix(b"\r").unwrap_or(line)
    }

    pub fn end(&self) -> &[u8] {
        &self.bytes[self.content().len()..]
    }
}

pub struct Lines<R> {
    reader: R,
    number: u64,
    given_back: VecDeque<Line>,
}

impl<R: BufRead> Lines<R> {
    pub fn new(reader: R) -> Self {
        Self { reader, number: 0, given_back: VecDeque::new() }
    }

    /// The next line, or `None` at the end.
    pub fn next(&mut self) -> io::Result<Option<Line>> {
        if let Some(line) = self.given_back.pop_front() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        (&mut self.reader).take(LONGEST as u64).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.number += 1;
        let too_long = bytes.len() >= LONGEST && !bytes.ends_with(b"\n");
        if too_long {
            bytes.truncate(100);
            let mut rest = Vec::new();
            while !rest.ends_with(b"\n") {
                rest.clear();
                if (&mut self.reader).take(64 << 10).read_until(b'\n', &mut rest)? == 0 {
                    break;
                }
            }
        }
        Ok(Some(Line { number: self.number, bytes, too_long }))
    }

    /// Lines that were read too far; they come again, in this order.
    pub fn give_back(&mut self, lines: Vec<Line>) {
        for line in lines.into_iter().rev() {
            self.given_back.push_front(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_and_their_ends() {
        let mut lines = Lines::new(&b"a\r\n\nb\rc\nlast"[..]);
        let mut seen = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            seen.push((line.number, String::from_utf8(line.content().to_vec()).unwrap(), line.end().len()));
        }
        assert_eq!(seen, [(1, "a".to_owned(), 2), (2, String::new(), 1), (3, "b\rc".to_owned(), 1), (4, "last".to_owned(), 0)]);
    }

    #[test]
    fn a_line_that_is_too_long_is_passed_over() {
        let mut text = vec![b'x'; LONGEST + 5];
        text.extend_from_slice(b"\nnext\n");
        let mut lines = Lines::new(&text[..]);
        let long = lines.next().unwrap().unwrap();
        assert!(long.too_long && long.bytes.len() == 100);
        let next = lines.next().unwrap().unwrap();
        assert_eq!((next.number, next.content()), (2, &b"next"[..]));
        lines.give_back(vec![next.clone()]);
        assert_eq!(lines.next().unwrap(), Some(next));
        assert_eq!(lines.next().unwrap(), None);
    }
}
