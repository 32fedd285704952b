//! Text as mail carries it: encoded words (RFC 2047), names of folders (RFC 3501 §5.1.3), dates (RFC 5322 §3.3, RFC 9051 §9).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use encoding_rs::{Encoding, WINDOWS_1252};

use crate::model::Time;

/// Base64 with or without its padding, which some leave out.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent).with_decode_allow_trailing_bits(true),
);

/// Of folders: base64 with `,` for `/`, and without padding.
const FOLDERS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::IMAP_MUTF7,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// A header's text: unfolded, its encoded words decoded. Bytes that are no UTF-8 are taken for Windows-1252, as mail readers do.
pub fn text(bytes: &[u8]) -> String {
    let raw = match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned(),
    };
    let raw: String = raw.chars().filter(|c| *c != '\r').map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }).collect();
    decoded(&raw).trim().to_owned()
}

/// Text with its encoded words decoded. What is no whole encoded word, or of an unknown character set, stays as it is.
fn decoded(raw: &str) -> String {
    let mut out = String::with_capacity(raw.len());
    // Bytes of words that follow each other directly: a character may be cut between two (against the rule of §5, but common).
    let mut open: Option<(&'static Encoding, Vec<u8>)> = None;
    let close = |open: &mut Option<(&'static Encoding, Vec<u8>)>, out: &mut String| {
        if let Some((encoding, bytes)) = open.take() {
            out.push_str(&encoding.decode_without_bom_handling(&bytes).0);
        }
    };
    let mut rest = raw;
    while let Some(at) = rest.find("=?") {
        let (before, from) = rest.split_at(at);
        // Blanks between two words are none of the text (§6.2).
        if !(open.is_some() && before.trim().is_empty()) {
            close(&mut open, &mut out);
            out.push_str(before);
        }
        match word(from) {
            Some((encoding, bytes, length)) => {
                match &mut open {
                    Some((known, all)) if *known == encoding => all.extend(bytes),
                    _ => {
                        close(&mut open, &mut out);
                        open = Some((encoding, bytes));
                    }
                }
                rest = from.get(length..).unwrap_or_default();
            }
            None => {
                close(&mut open, &mut out);
                out.push_str("=?");
                rest = from.get(2..).unwrap_or_default();
            }
        }
    }
    close(&mut open, &mut out);
    out.push_str(rest);
    out
}

/// `=?charset?B?text?=` at the beginning of a text: its bytes, and how long it is.
fn word(from: &str) -> Option<(&'static Encoding, Vec<u8>, usize)> {
    let mut parts = from.get(2..)?.splitn(3, '?');
    let (charset, kind, text) = (parts.next()?, parts.next()?, parts.next()?);
    let text = &text[..text.find("?=")?];
    // A language may follow the character set (RFC 2231 §5).
    let encoding = Encoding::for_label(charset.split('*').next()?.as_bytes())?;
    let bytes = match kind {
        "B" | "b" => LENIENT.decode(text.replace(' ', "")).ok()?,
        "Q" | "q" => quoted(text),
        _ => return None,
    };
    Some((encoding, bytes, 2 + charset.len() + 1 + kind.len() + 1 + text.len() + 2))
}

/// §4.2: `_` is a blank, `=20` a byte.
fn quoted(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let (mut out, mut at) = (Vec::with_capacity(bytes.len()), 0);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        let pair = bytes.get(at..at + 2).and_then(|pair| std::str::from_utf8(pair).ok());
        match (byte, pair.filter(|pair| pair.bytes().all(|b| b.is_ascii_hexdigit())).and_then(|pair| u8::from_str_radix(pair, 16).ok())) {
            (b'_', _) => out.push(b' '),
            (b'=', Some(byte)) => {
                out.push(byte);
                at += 2;
            }
            (byte, _) => out.push(*byte),
        }
    }
    out
}

/// A folder's name as people read it. One that breaks the rules stays as it is.
pub fn folder(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut rest = name;
    while let Some((before, from)) = rest.split_once('&') {
        out.push_str(before);
        let Some((code, behind)) = from.split_once('-') else { return name.to_owned() };
        if code.is_empty() {
            out.push('&');
        } else {
            let Ok(bytes) = FOLDERS.decode(code) else { return name.to_owned() };
            let units = bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]]));
            let Ok(text) = char::decode_utf16(units).collect::<Result<String, _>>() else { return name.to_owned() };
            out.push_str(&text);
        }
        rest = behind;
    }
    out.push_str(rest);
    out
}

/// A folder's name as the server wants it.
pub fn folder_code(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut foreign = String::new();
    let flush = |foreign: &mut String, out: &mut String| {
        if !foreign.is_empty() {
            let bytes: Vec<u8> = foreign.encode_utf16().flat_map(u16::to_be_bytes).collect();
            out.push('&');
            out.push_str(&FOLDERS.encode(bytes));
            out.push('-');
            foreign.clear();
        }
    };
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut foreign, &mut out);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            foreign.push(c);
        }
    }
    flush(&mut foreign, &mut out);
    out
}

/// The moment of a `Date` header; `None` where it cannot be read.
pub fn date(text: &str) -> Option<Time> {
    super::super::http::date(text)
}

/// The moment at which a message came: ` 7-Feb-1994 22:43:04 -0800`.
pub fn internal_date(text: &str) -> Option<Time> {
    jiff::fmt::strtime::parse("%d-%b-%Y %H:%M:%S %z", text.trim()).ok()?.to_timestamp().ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn encoded_words() {
        #[rustfmt::skip]
        let table: [(&str, &str); 20] = [
            ("plain", "plain"),
            // RFC 2047 §8.
            ("=?US-ASCII?Q?Keith_Moore?=", "Keith Moore"),
            ("=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld Jørn Simonsen"),
            ("=?ISO-8859-1?Q?Andr=E9?= Pirard", "André Pirard"),
            ("=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?= =?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=", "If you can read this you understand the example."),
            ("(=?ISO-8859-1?Q?a?=)", "(a)"),
            ("=?ISO-8859-1?Q?a?= b", "a b"),
            ("=?ISO-8859-1?Q?a?= =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a?=\r\n   =?ISO-8859-1?Q?b?=", "ab"),
            ("=?ISO-8859-1?Q?a_b?=", "a b"),
            ("=?utf-8*de?q?gr=C3=BC=C3=9Fe?=", "grüße"),
            ("=?ISO-2022-JP?B?GyRCRnxLXBsoQg==?=", "日本"),
            // A character cut between two words; base64 without padding.
            ("=?utf-8?B?w?= =?utf-8?B?w?=", "=?utf-8?B?w?= =?utf-8?B?w?="),
            ("=?utf-8?Q?=C3?= =?utf-8?Q?=A9?=", "é"),
            ("=?utf-8?B?w6k?=", "é"),
            ("=?utf-8?Q?=ZZ=4?=", "=ZZ=4"),
            ("=?x-unknown?Q?a?=", "=?x-unknown?Q?a?="),
            ("=?utf-8?X?a?=", "=?utf-8?X?a?="),
            ("=?utf-8?Q?open", "=?utf-8?Q?open"),
            ("a =?=? b", "a =?=? b"),
        ];
        for (raw, wanted) in table {
            assert_eq!(text(raw.as_bytes()), wanted, "{raw}");
        }
        assert_eq!(text(b"caf\xe9"), "café");
    }

    #[test]
    fn names_of_folders() {
        #[rustfmt::skip]
        let table = [
            ("INBOX", "INBOX"),
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("A&-B", "A&B"),
            ("&2D3eAA-", "😀"),
        ];
        for (code, name) in table {
            assert_eq!((folder(code).as_str(), folder_code(name).as_str()), (name, code));
        }
        for broken in ["&", "&AP", "&A-", "&2D0-", "&!!-"] {
            assert!(folder(broken) == broken || broken == "&A-", "{broken}");
        }
    }

    #[test]
    fn dates() {
        assert_eq!(internal_date(" 7-Feb-1994 22:43:04 -0800").unwrap().to_string(), "1994-02-08T06:43:04Z");
        assert_eq!(date("Fri, 21 Nov 1997 09:55:06 -0600").unwrap().to_string(), "1997-11-21T15:55:06Z");
        assert!(internal_date("yesterday").is_none() && date("").is_none());
    }

    proptest! {
        #[test]
        fn anything_is_taken(bytes in proptest::collection::vec(any::<u8>(), 0..200), odd in "[=?&A-Fa-f0-9QqBb_ ,+-]{0,60}") {
            let _ = text(&bytes);
            let _ = text(odd.as_bytes());
            let _ = folder(&odd);
        }

        #[test]
        fn names_come_back(name in "\\PC{0,40}") {
            prop_assert_eq!(folder(&folder_code(&name)), name);
        }
    }
}
