//! Terms and what is said of them, one below the other: details, problems, outcomes.

use super::text;
use super::theme::{Symbol, Theme, Tone};
use super::view::line;
use crate::model::{Problem, TestOutcome};
use ratatui::Frame;
use ratatui::layout::Rect;

/// A term and its text. Without a term, the text takes the whole width.
#[derive(Debug, Clone)]
pub struct Row {
    pub term: String,
    pub text: String,
    pub tone: Tone,
    /// One line, cut in the middle: an address, an identifier.
    pub middle: bool,
    /// Columns by which a text without a term is moved to the right.
    pub indent: usize,
}

impl Row {
    #[must_use]
    pub fn new(term: &str, said: impl Into<String>) -> Self {
        Self { term: term.to_owned(), text: said.into(), tone: Tone::Plain, middle: false, indent: 0 }
    }

    /// A line of its own.
    #[must_use]
    pub fn whole(tone: Tone, said: impl Into<String>) -> Self {
        Self { tone, ..Self::new("", said) }
    }

    #[must_use]
    pub fn gap() -> Self {
        Self::new("", "")
    }

    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    #[must_use]
    pub fn middle(mut self) -> Self {
        self.middle = true;
        self
    }

    #[must_use]
    pub fn indent(mut self, columns: usize) -> Self {
        self.indent = columns;
        self
    }
}

/// Why, with the vendor's code where the words do not say it.
#[must_use]
pub fn why(problem: &Problem) -> String {
    match problem.code.as_deref().filter(|code| !problem.why.contains(code)) {
        Some(code) => format!("{} ({})", text::clean(&problem.why), text::clean(code)),
        None => text::clean(&problem.why),
    }
}

/// What, why, what to do.
#[must_use]
pub fn problem(problem: &Problem, theme: &Theme) -> Vec<Row> {
    let why = why(problem);
    let mut rows = vec![Row::whole(Tone::Bad, format!("{} {}", theme.symbol(Symbol::Bad), text::clean(&problem.what)))];
    rows.push(Row::new(crate::t!("problem.why"), why).indent(2));
    rows.push(Row::new(crate::t!("problem.do"), text::clean(&problem.next_step)).indent(2));
    rows
}

/// What a test request found: the request, the answer and how long it took, and what that proves.
#[must_use]
pub fn outcome(outcome: &TestOutcome, theme: &Theme) -> Vec<Row> {
    let mut rows = match &outcome.problem {
        Some(failure) => problem(failure, theme),
        None if outcome.ok => vec![Row::whole(Tone::Good, format!("{} {}", theme.symbol(Symbol::Good), text::clean(&outcome.proves)))],
        None => Vec::new(),
    };
    rows.push(Row::new(crate::t!("terms.request"), text::clean(&outcome.request)).middle().tone(Tone::Dim).indent(2));
    let answer = match outcome.status {
        Some(status) => crate::t!("terms.answered", status = status, ms = crate::words::number(outcome.milliseconds)),
        None => crate::t!("terms.no_answer", ms = crate::words::number(outcome.milliseconds)),
    };
    rows.push(Row::new(crate::t!("terms.answer"), answer).tone(Tone::Dim).indent(2));
    rows
}

/// A line of a row, as it is drawn.
struct Line {
    /// The column of the term and the term, in front of the first line of its text.
    term: Option<(usize, String)>,
    at: usize,
    tone: Tone,
    text: String,
}

/// Rows broken into lines of a width.
fn lines(rows: &[Row], columns: usize) -> Vec<Line> {
    let term = rows.iter().filter(|row| !row.term.is_empty()).map(|row| text::width(&row.term)).max().unwrap_or(0).min(columns / 3);
    let mut out = Vec::new();
    for row in rows {
        let at = if row.term.is_empty() { row.indent } else { row.indent + term + 2 };
        let room = columns.saturating_sub(at);
        if room < 8 && !row.term.is_empty() && columns > 0 {
            // No room beside the term: below it.
            out.push(Line { term: None, at: 0, tone: Tone::Dim, text: row.term.clone() });
            out.extend(text::wrap(&row.text, columns).into_iter().map(|text| Line { term: None, at: 0, tone: row.tone, text }));
            continue;
        }
        let parts = if row.middle { vec![text::cut_middle(&row.text, room)] } else { text::wrap(&row.text, room.max(1)) };
        for (i, text) in parts.into_iter().enumerate() {
            let term = (i == 0 && !row.term.is_empty()).then(|| (row.indent, text::cut(&row.term, term)));
            out.push(Line { term, at, tone: row.tone, text });
        }
    }
    out
}

/// How many lines the rows take at a width.
#[must_use]
pub fn height(rows: &[Row], columns: u16) -> u16 {
    u16::try_from(lines(rows, columns.into()).len()).unwrap_or(u16::MAX)
}

/// Draws as many lines as there is room for, from `top` on; returns the line below the last.
pub fn draw(frame: &mut Frame<'_>, area: Rect, top: u16, rows: &[Row], theme: &Theme) -> u16 {
    draw_lines(frame, area, top, lines(rows, area.width.into()), theme)
}

/// Draws what there is room for, without the first `skipped` lines.
pub fn draw_from(frame: &mut Frame<'_>, area: Rect, skipped: usize, rows: &[Row], theme: &Theme) {
    draw_lines(frame, area, area.y, lines(rows, area.width.into()).into_iter().skip(skipped), theme);
}

fn draw_lines(frame: &mut Frame<'_>, area: Rect, top: u16, lines: impl IntoIterator<Item = Line>, theme: &Theme) -> u16 {
    let mut y = top;
    for Line { term, at, tone, text } in lines {
        if y >= area.bottom() {
            break;
        }
        if let Some((indent, term)) = term {
            line(frame, area, area.x + u16::try_from(indent).unwrap_or(0), y, &term, theme.style(Tone::Dim));
        }
        line(frame, area, area.x + u16::try_from(at).unwrap_or(0), y, &text, theme.style(tone));
        y += 1;
    }
    y
}
