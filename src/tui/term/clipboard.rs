//! Copying through the terminal (OSC 52), also from inside tmux and screen.

use base64::Engine as _;
use std::io::Write;

/// The sequence that asks the terminal to put `text` on its clipboard. The text travels as base64, so nothing in it is ever interpreted.
/// tmux and screen pass it on when wrapped (tmux: `DCS tmux;`, with ESC doubled; screen: DCS in pieces of at most 768 bytes).
#[must_use]
pub fn sequence(text: &str, tmux: bool, screen: bool) -> Vec<u8> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    let plain = format!("\x1b]52;c;{encoded}\x07");
    if tmux {
        return format!("\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")).into_bytes();
    }
    if screen {
        let mut out = Vec::new();
        for piece in plain.as_bytes().chunks(760) {
            out.extend_from_slice(b"\x1bP");
            out.extend_from_slice(piece);
            out.extend_from_slice(b"\x1b\\");
        }
        return out;
    }
    plain.into_bytes()
}

/// Sends it. Whether the terminal obeyed cannot be known.
pub fn copy(out: &mut impl Write, text: &str) -> std::io::Result<()> {
    let tmux = std::env::var_os("TMUX").is_some();
    let screen = !tmux && std::env::var_os("STY").is_some();
    out.write_all(&sequence(text, tmux, screen))?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_cannot_end_the_sequence() {
        let sequence = sequence("a\x07\x1b]0;owned\x07", false, false);
        assert_eq!(sequence.iter().filter(|byte| **byte == 0x1b).count(), 1);
        assert_eq!(sequence.iter().filter(|byte| **byte == 0x07).count(), 1);
    }

    #[test]
    fn tmux_gets_it_wrapped() {
        let sequence = String::from_utf8(sequence("x", true, false)).unwrap();
        assert!(sequence.starts_with("\x1bPtmux;\x1b\x1b]52;c;"));
        assert!(sequence.ends_with("\x07\x1b\\"));
    }
}
