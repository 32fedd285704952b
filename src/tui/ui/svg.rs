//! A drawn buffer as an SVG picture: the characters and styles of the real screen, nothing else.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::{Color, Modifier};
use std::fmt::Write as _;

const COLUMN: f32 = 8.4;
const ROW: f32 = 17.0;
const MARGIN: f32 = 14.0;
const GROUND: &str = "#14171c";
const TEXT: &str = "#d7dbe2";

/// The picture of a buffer.
#[must_use]
pub fn picture(buffer: &Buffer, title: &str) -> String {
    let (columns, rows) = (f32::from(buffer.area.width), f32::from(buffer.area.height));
    let (width, height) = (columns * COLUMN + 2.0 * MARGIN, rows * ROW + 2.0 * MARGIN);
    let mut out = String::new();
    let _ = write!(
        out,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" \
         font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"{GROUND}\"/>\n",
        escaped(title)
    );
    for y in 0..buffer.area.height {
        let mut x = 0;
        while x < buffer.area.width {
            let first = &buffer[(x, y)];
            let start = x;
            let mut text = String::new();
            while x < buffer.area.width && same(first, &buffer[(x, y)]) {
                let symbol = buffer[(x, y)].symbol();
                text.push_str(symbol);
                x += u16::try_from(super::text::width(symbol).max(1)).unwrap_or(1);
            }
            run(&mut out, first, start, x - start, y, &text);
        }
    }
    out.push_str("</svg>\n");
    out
}

fn same(a: &Cell, b: &Cell) -> bool {
    (a.fg, a.bg, a.modifier) == (b.fg, b.bg, b.modifier)
}

/// One stretch of cells of one style.
fn run(out: &mut String, cell: &Cell, x: u16, columns: u16, y: u16, text: &str) {
    let (left, top, width) = (MARGIN + f32::from(x) * COLUMN, MARGIN + f32::from(y) * ROW, f32::from(columns) * COLUMN);
    let (mut ink, mut paper) = (colour(cell.fg, TEXT), colour(cell.bg, GROUND));
    if cell.modifier.contains(Modifier::REVERSED) {
        std::mem::swap(&mut ink, &mut paper);
    }
    if paper != GROUND {
        let _ = writeln!(out, "<rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{ROW}\" fill=\"{paper}\"/>");
    }
    let trimmed = text.trim_end();
    let lead = trimmed.len() - trimmed.trim_start().len();
    let shown = trimmed.trim_start();
    if shown.is_empty() {
        return;
    }
    let columns = super::text::width(shown);
    #[expect(clippy::cast_precision_loss, reason = "columns of a screen")]
    let (left, width) = (left + lead as f32 * COLUMN, columns as f32 * COLUMN);
    let weight = if cell.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
    let dim = if cell.modifier.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" };
    let line = if cell.modifier.contains(Modifier::UNDERLINED) { " text-decoration=\"underline\"" } else { "" };
    let _ = writeln!(
        out,
        "<text x=\"{left:.1}\" y=\"{:.1}\" textLength=\"{width:.1}\" lengthAdjust=\"spacingAndGlyphs\" xml:space=\"preserve\" fill=\"{ink}\"{weight}{dim}{line}>{}</text>",
        top + 13.0,
        escaped(shown)
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// The usual colours of a dark terminal.
fn colour(colour: Color, default: &str) -> String {
    match colour {
        Color::Rgb(r, g, b) => format!("#{r:02x}{g:02x}{b:02x}"),
        Color::Black => "#000000".to_owned(),
        Color::Red => "#e06c75".to_owned(),
        Color::Green => "#8cc570".to_owned(),
        Color::Yellow => "#e5c07b".to_owned(),
        Color::Blue => "#61afef".to_owned(),
        Color::Magenta => "#c678dd".to_owned(),
        Color::Cyan => "#56b6c2".to_owned(),
        Color::LightRed => "#f0808a".to_owned(),
        Color::LightCyan => "#6fd3e0".to_owned(),
        Color::Gray | Color::White => "#d7dbe2".to_owned(),
        _ => default.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    #[test]
    fn a_picture_holds_the_text_and_escapes_it() {
        let mut buffer = Buffer::empty(Rect::new(0, 0, 12, 2));
        buffer.set_string(0, 0, "a <b> & c", Style::new().add_modifier(Modifier::BOLD));
        let svg = picture(&buffer, "x");
        assert!(svg.contains("font-weight=\"bold\""));
        assert!(svg.contains("a &lt;b&gt; &amp; c"));
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
    }
}
