//! Copying through the terminal (OSC 52), also from inside tmux and screen.

use base64::Engine as _;
use std::io::Write;
use std::process::{Command, Stdio};

/// Where the terminal of this process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Within {
    Terminal,
    Tmux,
    Screen,
}

/// What became of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Copied {
    /// The terminal was asked; whether it obeyed cannot be known.
    Sent,
    /// tmux has it in its buffer, and asked the terminal, too.
    Buffered,
}

/// The sequence that asks the terminal to put `text` on its clipboard. The text travels as base64, so nothing in it is ever interpreted.
/// tmux takes it with `set-clipboard on`, and passes it on when wrapped (`DCS tmux;`, with ESC doubled) with `allow-passthrough on`: it gets
/// both. screen passes it on when wrapped, in pieces of at most 768 bytes.
fn sequence(text: &str, within: Within) -> Vec<u8> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(text);
    let plain = format!("\x1b]52;c;{encoded}\x07");
    match within {
        Within::Terminal => plain.into_bytes(),
        Within::Tmux => format!("{plain}\x1bPtmux;{}\x1b\\", plain.replace('\x1b', "\x1b\x1b")).into_bytes(),
        Within::Screen => {
            let mut out = Vec::new();
            for piece in plain.as_bytes().chunks(760) {
                out.extend_from_slice(b"\x1bP");
                out.extend_from_slice(piece);
                out.extend_from_slice(b"\x1b\\");
            }
            out
        }
    }
}

/// Copies it.
pub fn copy(out: &mut impl Write, text: &str) -> std::io::Result<Copied> {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let within = if set("TMUX") {
        Within::Tmux
    } else if set("STY") {
        Within::Screen
    } else {
        Within::Terminal
    };
    // As tmux comes, it takes no sequence from a program; it takes the text on its standard input.
    if within == Within::Tmux && load_buffer(text).is_ok_and(|taken| taken) {
        return Ok(Copied::Buffered);
    }
    out.write_all(&sequence(text, within))?;
    out.flush()?;
    Ok(Copied::Sent)
}

/// `tmux load-buffer -w`: into tmux's buffer, and on to the clipboard of the terminal around it (tmux 3.2).
fn load_buffer(text: &str) -> std::io::Result<bool> {
    let quiet = Stdio::null;
    let mut tmux = Command::new("tmux").args(["load-buffer", "-w", "-"]).stdin(Stdio::piped()).stdout(quiet()).stderr(quiet()).spawn()?;
    // Its standard input ends here, and it with it.
    let written = tmux.stdin.take().map_or(Ok(()), |mut input| input.write_all(text.as_bytes()));
    Ok(tmux.wait()?.success() && written.is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_cannot_end_the_sequence() {
        let sequence = sequence("a\x07\x1b]0;owned\x07", Within::Terminal);
        assert_eq!(sequence.iter().filter(|byte| **byte == 0x1b).count(), 1);
        assert_eq!(sequence.iter().filter(|byte| **byte == 0x07).count(), 1);
    }

    #[test]
    fn tmux_gets_it_plain_and_wrapped() {
        let sequence = String::from_utf8(sequence("x", Within::Tmux)).unwrap();
        assert_eq!(sequence, "\x1b]52;c;eA==\x07\x1bPtmux;\x1b\x1b]52;c;eA==\x07\x1b\\");
    }

    #[test]
    fn screen_gets_it_in_pieces_that_it_can_hold() {
        let sequence = String::from_utf8(sequence(&"x".repeat(2_000), Within::Screen)).unwrap();
        let pieces: Vec<&str> = sequence.split("\x1bP").skip(1).collect();
        assert!(pieces.len() > 3 && pieces.iter().all(|piece| piece.len() <= 768 && piece.ends_with("\x1b\\")));
    }
}
