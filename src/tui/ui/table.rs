//! Tables: only the rows in sight are built; which columns are shown depends on the room.

use super::list::{List, Listed, window};
use super::text;
use super::theme::{Symbol, Theme, Tone};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use std::cell::Cell as StdCell;

pub struct Column {
    pub title: String,
    pub width: Width,
    pub align: Align,
    /// 0 is always shown; higher ones go first when room is short.
    pub rank: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// That many columns.
    Fixed(u16),
    /// What is left, shared by weight, and at least so many.
    Grow { weight: u16, least: u16 },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    Left,
    Right,
}

impl Column {
    #[must_use]
    pub fn fixed(title: &str, columns: u16, rank: u8) -> Self {
        Self { title: title.to_owned(), width: Width::Fixed(columns), align: Align::Left, rank }
    }

    #[must_use]
    pub fn grow(title: &str, least: u16, rank: u8) -> Self {
        Self { title: title.to_owned(), width: Width::Grow { weight: 1, least }, align: Align::Left, rank }
    }

    #[must_use]
    pub fn right(mut self) -> Self {
        self.align = Align::Right;
        self
    }
}

/// One cell: its text (cleaned by whoever made it) and what it means.
pub struct Cell {
    pub text: String,
    pub tone: Tone,
    /// Cut in the middle instead of at the end.
    pub middle: bool,
    /// Characters that stand out, by their place in the text: what a search matched. Not for one that is cut in the middle.
    pub marks: Vec<usize>,
}

impl Cell {
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), tone: Tone::Plain, middle: false, marks: Vec::new() }
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
    pub fn marked(mut self, marks: Vec<usize>) -> Self {
        self.marks = marks;
        self
    }
}

pub struct Table<'a> {
    pub columns: &'a [Column],
    pub rows: usize,
    pub selected: Option<usize>,
    pub focused: bool,
    /// The title line is left out when false.
    pub header: bool,
    /// Window over the rows; see [`super::list::List`].
    pub offset: &'a StdCell<usize>,
    pub height: &'a StdCell<usize>,
    /// Lines between the rows, by the row that they stand above, in order. With them, the window is counted in lines.
    pub headings: &'a [(usize, String)],
}

/// A line of the body of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    Heading(usize),
    Row(usize),
}

impl<'a> Table<'a> {
    /// The table of a list, with its titles: its rows, its selection and its window.
    #[must_use]
    pub fn of<T: Listed>(list: &'a List<T>, columns: &'a [Column], focused: bool) -> Self {
        Self {
            columns,
            rows: list.len(),
            selected: Some(list.selected_index()),
            focused,
            header: true,
            offset: &list.offset,
            height: &list.height,
            headings: &[],
        }
    }
}

impl Table<'_> {
    /// Draws the rows in sight, built by `row`; cells beyond the columns are ignored. Returns the areas of the rows, for the mouse.
    pub fn draw(&self, frame: &mut Frame<'_>, area: Rect, theme: &Theme, row: impl Fn(usize) -> Vec<Cell>) {
        if area.width < 4 || area.height == 0 {
            return;
        }
        let layout = self.layout(area.width.saturating_sub(2));
        let mut top = area.y;
        if self.header && area.height > 1 {
            let cells: Vec<Cell> = self.columns.iter().map(|column| Cell::new(column.title.clone()).tone(Tone::Dim)).collect();
            self.draw_row(frame, Rect { height: 1, ..area }, &layout, &cells, theme, None);
            top += 1;
        }
        let height = usize::from(area.bottom() - top);
        self.height.set(height.max(1));
        let line = self.selected.map(|selected| selected + self.headings.iter().filter(|(above, _)| *above <= selected).count());
        let mut offset = window(self.offset.get(), self.rows + self.headings.len(), line, height);
        // The heading right above the selected row is seen with it.
        if height > 1 && line == Some(offset) && self.headings.iter().any(|(above, _)| Some(*above) == self.selected) {
            offset = offset.saturating_sub(1);
        }
        self.offset.set(offset);
        for (line, what) in self.body(offset, height).into_iter().enumerate() {
            let rect = Rect { y: top + u16::try_from(line).unwrap_or(0), height: 1, ..area };
            let index = match what {
                Line::Row(index) => index,
                Line::Heading(at) => {
                    let title = self.headings.get(at).map_or("", |(_, title)| title.as_str());
                    let room = usize::from(area.width.saturating_sub(2));
                    frame.buffer_mut().set_stringn(area.x + 2, rect.y, text::cut(title, room), room, theme.style(Tone::Dim));
                    continue;
                }
            };
            let selected = (self.selected == Some(index)).then(|| if self.focused { theme.selected() } else { theme.selected_elsewhere() });
            self.draw_row(frame, rect, &layout, &row(index), theme, selected);
        }
    }

    /// The rows of the lines in sight from `offset` on; `None` for a heading.
    #[must_use]
    pub fn lines(&self, offset: usize, height: usize) -> Vec<Option<usize>> {
        self.body(offset, height).into_iter().map(|line| if let Line::Row(row) = line { Some(row) } else { None }).collect()
    }

    fn body(&self, offset: usize, height: usize) -> Vec<Line> {
        if self.headings.is_empty() {
            return (offset..self.rows.min(offset + height)).map(Line::Row).collect();
        }
        let above = |row: usize| self.headings.iter().enumerate().filter(move |(_, (above, _))| *above == row).map(|(at, _)| Line::Heading(at));
        (0..self.rows).flat_map(|row| above(row).chain([Line::Row(row)])).skip(offset).take(height).collect()
    }

    fn draw_row(&self, frame: &mut Frame<'_>, area: Rect, layout: &[Option<(u16, u16)>], cells: &[Cell], theme: &Theme, selected: Option<Style>) {
        let buffer = frame.buffer_mut();
        if let Some(style) = selected {
            buffer.set_style(area, style);
            buffer.set_string(area.x, area.y, theme.symbol(Symbol::Cursor), theme.style(Tone::Accent));
        }
        for ((column, place), cell) in self.columns.iter().zip(layout).zip(cells) {
            let Some((x, width)) = *place else { continue };
            let shown = if cell.middle { text::cut_middle(&cell.text, width.into()) } else { text::cut(&cell.text, width.into()) };
            let pad = match column.align {
                Align::Left => 0,
                Align::Right => usize::from(width).saturating_sub(text::width(&shown)),
            };
            let style = selected.unwrap_or_default().patch(theme.style(cell.tone));
            let left = area.x + 2 + x + u16::try_from(pad).unwrap_or(0);
            buffer.set_stringn(left, area.y, &shown, width.into(), style);
            if cell.middle || cell.marks.is_empty() {
                continue;
            }
            // A text that was cut ends in a character of its own.
            let last = if shown == cell.text { usize::MAX } else { shown.chars().count().saturating_sub(1) };
            let mut column = 0;
            for (place, c) in shown.chars().enumerate().take_while(|(place, _)| *place < last) {
                let columns = text::width(c.encode_utf8(&mut [0; 4]));
                if cell.marks.contains(&place) {
                    let at = Rect { x: left + u16::try_from(column).unwrap_or(0), y: area.y, width: u16::try_from(columns).unwrap_or(1), height: 1 };
                    buffer.set_style(at.intersection(area), theme.marked());
                }
                column += columns;
            }
        }
    }

    /// Where each column begins and how wide it is; `None` for those that find no room.
    fn layout(&self, room: u16) -> Vec<Option<(u16, u16)>> {
        const GAP: u16 = 2;
        let least = |column: &Column| match column.width {
            Width::Fixed(columns) => columns,
            Width::Grow { least, .. } => least,
        };
        let mut shown: Vec<bool> = vec![true; self.columns.len()];
        loop {
            let used: u32 = self.columns.iter().zip(&shown).filter(|(_, shown)| **shown).map(|(column, _)| u32::from(least(column) + GAP)).sum();
            if used <= u32::from(room + GAP) {
                break;
            }
            let worst = (0..self.columns.len()).filter(|&i| shown[i] && self.columns[i].rank > 0).max_by_key(|&i| (self.columns[i].rank, i));
            match worst {
                Some(i) => shown[i] = false,
                None => break,
            }
        }
        let gaps = GAP * u16::try_from(shown.iter().filter(|shown| **shown).count().saturating_sub(1)).unwrap_or(0);
        let taken: u16 = self.columns.iter().zip(&shown).filter(|(_, shown)| **shown).map(|(column, _)| least(column)).sum();
        let spare = room.saturating_sub(taken + gaps);
        let weights: u16 = self
            .columns
            .iter()
            .zip(&shown)
            .filter(|(_, shown)| **shown)
            .map(|(column, _)| if let Width::Grow { weight, .. } = column.width { weight } else { 0 })
            .sum();
        let mut x = 0;
        self.columns
            .iter()
            .zip(shown)
            .map(|(column, shown)| {
                if !shown || x >= room {
                    return None;
                }
                let width = match column.width {
                    Width::Fixed(columns) => columns,
                    Width::Grow { weight, least } => least + (spare * weight).checked_div(weights).unwrap_or(0),
                }
                .min(room - x);
                let place = (x, width);
                x += width + GAP;
                Some(place)
            })
            .collect()
    }
}
