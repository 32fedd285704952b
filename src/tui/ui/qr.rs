//! QR codes in half blocks, with their quiet zone (ISO/IEC 18004 wants four modules around).

use super::text::{self, wrap};
use super::theme::Tone;
use super::view::line;
use crate::tui::app::key::{Code as KeyCode, Key};
use crate::tui::app::state::State;
use qrcode::{EcLevel, QrCode};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::widgets::Clear;

/// The quiet zone, and what most readers are content with.
const QUIET: usize = 4;
const LEAST_QUIET: usize = 2;

/// Something to be read with a camera.
pub struct Code {
    title: String,
    /// What it says, for `c`.
    pub text: String,
    notes: Vec<String>,
    /// Row by row, dark ones true; empty when the text is too long for any code.
    modules: Vec<bool>,
    width: usize,
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Code").field("title", &self.title).field("width", &self.width).finish_non_exhaustive()
    }
}

impl Code {
    /// `title` and `notes` are clean already; `text` is what the camera gets.
    #[must_use]
    pub fn new(title: impl Into<String>, text: &str, notes: Vec<String>) -> Self {
        // The screen is neither dirty nor torn: the lowest correction gives the smallest code.
        let (modules, width) = match QrCode::with_error_correction_level(text.as_bytes(), EcLevel::L) {
            Ok(code) => (code.to_colors().into_iter().map(|module| module == qrcode::Color::Dark).collect(), code.width()),
            Err(_) => (Vec::new(), 0),
        };
        Self { title: title.into(), text: text.to_owned(), notes, modules, width }
    }

    fn dark(&self, x: usize, y: usize, quiet: usize) -> bool {
        let (Some(x), Some(y)) = (x.checked_sub(quiet), y.checked_sub(quiet)) else { return false };
        x < self.width && y < self.width && self.modules[y * self.width + x]
    }
}

/// A layer of one or several codes.
#[derive(Debug)]
pub struct Qr {
    codes: Vec<Code>,
    at: usize,
}

/// What a key did.
#[derive(Debug, PartialEq, Eq)]
pub enum Did {
    Closed,
    Copy(String),
    Nothing,
}

impl Qr {
    #[must_use]
    pub fn new(codes: Vec<Code>) -> Self {
        Self { codes, at: 0 }
    }

    pub fn key(&mut self, key: Key) -> Option<Did> {
        Some(match key.code {
            KeyCode::Esc | KeyCode::Enter | KeyCode::Char('q') if !key.ctrl => Did::Closed,
            KeyCode::Tab | KeyCode::Right | KeyCode::Left | KeyCode::Char(' ') if !self.codes.is_empty() => {
                self.at = (self.at + 1) % self.codes.len();
                Did::Nothing
            }
            KeyCode::Char('c') if !key.ctrl => self.codes.get(self.at).map_or(Did::Nothing, |code| Did::Copy(code.text.clone())),
            _ => return None,
        })
    }
}

/// Columns and rows that a code takes: a module is one column and half a row, or two columns where there are no half blocks.
fn size(modules: usize, quiet: usize, unicode: bool) -> (usize, usize) {
    let across = modules + 2 * quiet;
    if unicode { (across, across.div_ceil(2)) } else { (across * 2, across) }
}

/// Draws the layer over everything but the footer.
pub fn draw(frame: &mut Frame<'_>, whole: Rect, qr: &Qr, state: &State) {
    let theme = &state.theme;
    let area = Rect { height: whole.height.saturating_sub(1), ..whole };
    frame.render_widget(Clear, area);
    let Some(code) = qr.codes.get(qr.at) else { return };
    line(frame, area, area.x + 1, area.y, &code.title, theme.style(Tone::Strong));
    if qr.codes.len() > 1 {
        let place = crate::t!("qr.place", n = qr.at + 1, of = qr.codes.len());
        let x = area.right().saturating_sub(u16::try_from(text::width(&place)).unwrap_or(0) + 1);
        line(frame, area, x, area.y, &place, theme.style(Tone::Dim));
    }
    let room = Rect { y: area.y + 1.min(area.height), height: area.height.saturating_sub(1), ..area };
    let fits = |quiet: usize| {
        let (columns, rows) = size(code.width, quiet, theme.unicode);
        columns <= usize::from(room.width) && rows <= usize::from(room.height)
    };
    let quiet = [QUIET, LEAST_QUIET].into_iter().find(|quiet| fits(*quiet)).filter(|_| code.width > 0);
    let Some(quiet) = quiet else {
        let said = if code.width == 0 {
            crate::t!("qr.too_long").to_owned()
        } else {
            let (columns, rows) = size(code.width, LEAST_QUIET, theme.unicode);
            crate::t!("qr.too_small", columns = columns, rows = rows + 2, have = whole.width, high = whole.height)
        };
        let said = format!("{said} {}", crate::t!("qr.too_small_do"));
        paragraph(frame, room, room.x + 1, room.y + u16::from(room.height > 4), &[said], state);
        return;
    };
    draw_code(frame, room, code, quiet, state);
    let (columns, rows) = size(code.width, quiet, theme.unicode);
    let (columns, rows) = (u16::try_from(columns).unwrap_or(u16::MAX), u16::try_from(rows).unwrap_or(u16::MAX));
    if room.width > columns + 22 {
        paragraph(frame, room, room.x + columns + 2, room.y + u16::from(room.height > 4), &code.notes, state);
    } else {
        paragraph(frame, room, room.x + 1, room.y + rows, &code.notes, state);
    }
}

fn paragraph(frame: &mut Frame<'_>, area: Rect, x: u16, y: u16, notes: &[String], state: &State) {
    let columns = usize::from(area.right().saturating_sub(x + 1)).min(76);
    let mut y = y;
    for note in notes {
        for part in wrap(note, columns.max(1)) {
            line(frame, area, x, y, &part, state.theme.style(Tone::Plain));
            y = y.saturating_add(1);
        }
        y = y.saturating_add(1);
    }
}

/// Dark on light whatever the terminal's colours are. Without colours the light modules are blocks, as on a dark terminal.
fn draw_code(frame: &mut Frame<'_>, room: Rect, code: &Code, quiet: usize, state: &State) {
    let theme = &state.theme;
    let across = code.width + 2 * quiet;
    let style = if theme.has_colour() { Style::new().fg(Color::Black).bg(Color::White) } else { Style::new() };
    // What is inked: the dark modules, or without colours the light ones.
    let ink = |x: usize, y: usize| (y < across && code.dark(x, y, quiet)) == theme.has_colour();
    let (columns, rows) = size(code.width, quiet, theme.unicode);
    for row in 0..rows {
        let mut shown = String::with_capacity(columns * 3);
        for x in 0..across {
            if theme.unicode {
                // Below an odd last row is nothing: as light as the quiet zone.
                shown.push(match (ink(x, row * 2), ink(x, row * 2 + 1)) {
                    (true, true) => '█',
                    (true, false) => '▀',
                    (false, true) => '▄',
                    (false, false) => ' ',
                });
            } else {
                shown.push_str(if ink(x, row) { "##" } else { "  " });
            }
        }
        let y = room.y + u16::try_from(row).unwrap_or(u16::MAX);
        if y < room.bottom() {
            frame.buffer_mut().set_stringn(room.x, y, &shown, columns.min(room.width.into()), style);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::app::layers::Layer;
    use crate::tui::harness::Harness;

    /// The modules of a drawn code, read back from its half blocks.
    fn read_back(screen: &str, across: usize) -> Vec<Vec<bool>> {
        let mut rows = Vec::new();
        for line in screen.lines().skip(1).take(across.div_ceil(2)) {
            let cells: Vec<char> = line.chars().chain(std::iter::repeat(' ')).take(across).collect();
            rows.push(cells.iter().map(|c| matches!(c, '█' | '▀')).collect());
            rows.push(cells.iter().map(|c| matches!(c, '█' | '▄')).collect());
        }
        rows.truncate(across);
        rows
    }

    #[test]
    fn what_is_drawn_is_the_code_with_its_quiet_zone() {
        let text = "https://microsoft.com/devicelogin?code=WDJB-MJHT";
        let mut harness = Harness::new(80, 24);
        harness.state.layers.push(Layer::Qr(Qr::new(vec![Code::new("Device code", text, vec!["Compare the code.".to_owned()])])));
        let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        let across = code.width() + 2 * QUIET;
        let rows = read_back(&harness.screen(), across);
        for (y, row) in rows.iter().enumerate() {
            for (x, dark) in row.iter().enumerate() {
                let inside = (QUIET..QUIET + code.width()).contains(&x) && (QUIET..QUIET + code.width()).contains(&y);
                let expected = inside && code[(x - QUIET, y - QUIET)] == qrcode::Color::Dark;
                assert_eq!(*dark, expected, "{x}, {y}");
            }
        }
    }

    /// A camera's picture of the screen: what is on it, read by a library that did not make it.
    #[test]
    fn a_camera_reads_what_is_drawn() {
        let authorize = format!("https://login.example.com/authorize?response_type=code&client_id=3f2a&state={}", "x".repeat(300));
        for (text, size) in [("https://microsoft.com/devicelogin?code=WDJB-MJHT", (80, 24)), (&authorize, (160, 50))] {
            let mut harness = Harness::new(size.0, size.1);
            harness.state.layers.push(Layer::Qr(Qr::new(vec![Code::new("Link", text, Vec::new())])));
            let across = QrCode::with_error_correction_level(text, EcLevel::L).unwrap().width() + 2 * QUIET;
            let rows = read_back(&harness.screen(), across);
            // Four points of the picture for a module.
            let mut picture = rqrr::PreparedImage::prepare_from_greyscale(across * 4, across * 4, |x, y| if rows[y / 4][x / 4] { 20 } else { 230 });
            let found = picture.detect_grids();
            assert_eq!(found.len(), 1, "{text}");
            assert_eq!(found[0].decode().unwrap().1, text);
        }
    }

    #[test]
    fn what_does_not_fit_says_how_large_it_would_be() {
        let long = format!("https://login.example.com/authorize?state={}", "x".repeat(500));
        for size in [(80, 24), (40, 12), (3, 2), (0, 0)] {
            let mut harness = Harness::new(size.0, size.1);
            harness.state.layers.push(Layer::Qr(Qr::new(vec![Code::new("Link", &long, Vec::new())])));
            let screen = harness.screen();
            assert!(size.0 < 80 || screen.contains("this one has 80 × 24"), "{screen}");
            harness.keys("c<esc>");
            assert!(harness.state.layers.is_empty());
            assert!(matches!(harness.effects.last(), Some(crate::tui::app::effect::Effect::Copy(text)) if *text == long));
        }
        let mut harness = Harness::new(80, 24);
        harness.state.layers.push(Layer::Qr(Qr::new(vec![Code::new("Link", &"x".repeat(4_000), Vec::new())])));
        assert!(harness.screen().contains("too long"));
    }
}
