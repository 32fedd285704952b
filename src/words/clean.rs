//! Text from outside made fit to show: control, escape and bidirectional characters are made visible, never sent.

/// One line of at most `max` characters: line breaks become spaces, control characters their picture (`␛`), bidirectional and other
/// invisible characters `·`; what is cut ends in `…`.
#[must_use]
pub fn line(text: &str, max: usize) -> String {
    let mut out = String::new();
    // A megabyte of text costs no more than what is shown of it.
    for (i, c) in text.chars().enumerate() {
        if i >= max {
            out.pop();
            out.push('…');
            break;
        }
        out.push(shown(c));
    }
    out
}

/// The character that stands for `c` on a screen.
#[must_use]
pub fn shown(c: char) -> char {
    match c {
        '\n' | '\r' | '\t' => ' ',
        '\u{0}'..='\u{1f}' => char::from_u32(0x2400 + u32::from(c)).unwrap_or('·'),
        '\u{7f}' => '␡',
        '\u{80}'..='\u{9f}' => '·',
        // Marks that change direction, join, or take no room: what is read must be what is stored (Unicode TR36).
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' => '·',
        '\u{e0000}'..='\u{e0fff}' => '·',
        c => c,
    }
}

/// Whether a text can be shown as it is.
#[must_use]
pub fn is_clean(text: &str) -> bool {
    text.chars().all(|c| shown(c) == c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_and_marks_become_visible() {
        assert_eq!(line("a\u{1b}[31mb\u{202e}c\r\nd", 100), "a␛[31mb·c  d");
        assert_eq!(line("\u{9b}31m\u{7f}", 100), "·31m␡");
    }

    #[test]
    fn long_text_is_cut() {
        assert_eq!(line("abcdef", 4), "abc…");
        assert_eq!(line("abcd", 4), "abcd");
        assert_eq!(line(&"x".repeat(1 << 20), 3), "xx…");
    }
}
