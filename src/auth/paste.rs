//! What people paste when they are asked for the address they ended on: the address, wrapped by a terminal or a mail; its query; its
//! fragment; a `curl` line that a browser's developer tools copied; or the code alone.

use indexmap::IndexMap;

use super::callback::Reply;

/// What a pasted text may mean, the likeliest first.
#[derive(Clone, PartialEq)]
pub enum Meaning {
    Reply(Box<Reply>),
    /// A code without anything around it.
    Code(String),
}

/// RFC 6749 sets no limit; codes of several kilobytes exist.
const LONGEST: usize = 16 << 10;

/// The shortest text that is taken for a bare code. RFC 6749 §10.10 wants codes that cannot be guessed, which takes more.
const SHORTEST: usize = 8;

/// The meanings of a pasted text; none when it is not an answer of any kind. `names` as for [`Reply::read`].
#[must_use]
pub fn read(pasted: &str, names: &IndexMap<String, String>) -> Vec<Meaning> {
    let text = pasted
        .trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '<' | '>' | '"' | '\'' | '`' | '‘' | '’' | '“' | '”'));
    if text.is_empty() || text.len() > LONGEST {
        return Vec::new();
    }
    let mut queries: Vec<String> = addresses(text).iter().flat_map(|address| parameters(address)).collect();
    if !text.contains("://") {
        // `?code=…`, `#code=…`, `/callback?code=…`, `code=…`
        let whole = unescape(&joined(text));
        queries.extend(parameters(&whole));
        queries.push(whole.trim_start_matches(['?', '#', '&']).to_owned());
    }
    let mut meanings = Vec::new();
    for reply in queries.iter().map(|query| Reply::read(query, names)) {
        let meaning = Meaning::Reply(Box::new(reply.clone()));
        if (reply.speaks() || reply.request || reply.state.is_some()) && !meanings.contains(&meaning) {
            meanings.push(meaning);
        }
    }
    if meanings.is_empty() && !text.contains("://") {
        let bare = joined(text);
        // A word typed by chance is no code, and a code that is not one would end the wait.
        if bare.len() >= SHORTEST && bare.bytes().all(|b| b.is_ascii_graphic()) && !bare.contains(['?', '&', '<', '>', '"', '\'']) {
            meanings.push(Meaning::Code(bare));
        }
    }
    meanings
}

/// The addresses in a text. Where line breaks may or may not belong to it, both readings.
fn addresses(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("://") {
        let start = text[..at]
            .rfind(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '+' | '-' | '.'))
            .map_or(0, |i| i + text[i..].chars().next().map_or(1, char::len_utf8));
        let rest = &text[start..];
        let close = match text[..start].chars().next_back() {
            Some(quote @ ('"' | '\'' | '`')) => Some(quote),
            Some('<') => Some('>'),
            Some('(') => Some(')'),
            Some('“') => Some('”'),
            _ => None,
        };
        if let Some(end) = close.and_then(|close| rest.find(close)) {
            found.push(unescape(&joined(&rest[..end])));
            continue;
        }
        // Wrapped at the width of a window, it goes on after each line break; or the line break ends it.
        let whole = joined(rest);
        found.push(unescape(until_blank(&whole)));
        found.push(unescape(until_blank(rest)));
    }
    found
}

fn until_blank(text: &str) -> &str {
    text.split(char::is_whitespace).next().unwrap_or_default()
}

/// Without line breaks, and without the indentation around them.
fn joined(text: &str) -> String {
    text.split(['\n', '\r']).map(|line| line.trim().trim_end_matches('\\')).collect()
}

/// Undoes what shells (`\?`, `\&`) and web pages (`&amp;`) did to it.
fn unescape(text: &str) -> String {
    text.replace('\\', "").replace("&amp;", "&").trim_end_matches(['"', '\'', '`', '>', ')', ',', ';']).to_owned()
}

/// The query and the fragment of an address.
fn parameters(address: &str) -> Vec<String> {
    let (before, fragment) = address.split_once('#').map_or((address, None), |(before, fragment)| (before, Some(fragment)));
    let query = before.split_once('?').map(|(_, query)| query);
    query.into_iter().chain(fragment).filter(|part| part.contains('=')).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn first(text: &str) -> String {
        match read(text, &IndexMap::new()).into_iter().next() {
            None => "nothing".to_owned(),
            Some(Meaning::Code(code)) => format!("bare {code}"),
            Some(Meaning::Reply(reply)) if reply.request => "request".to_owned(),
            Some(Meaning::Reply(reply)) => {
                format!("{}/{}/{}", reply.code.unwrap_or_default(), reply.state.unwrap_or_default(), reply.error.unwrap_or_default())
            }
        }
    }

    #[test]
    fn whatever_is_pasted() {
        for (text, expected) in [
            ("http://127.0.0.1:5000/callback?code=abc&state=xyz", "abc/xyz/"),
            ("  \"http://127.0.0.1:5000/callback?code=abc&state=xyz\"\n", "abc/xyz/"),
            ("<http://127.0.0.1:5000/callback?code=abc&state=xyz>", "abc/xyz/"),
            ("http://127.0.0.1:5000/callback?code=ab\n  c&sta\nte=xyz", "abc/xyz/"),
            ("http://127.0.0.1:5000/callback?code=ab\r\nc&state=xyz\r\n", "abc/xyz/"),
            ("http://localhost/cb#code=abc&state=xyz", "abc/xyz/"),
            ("http://localhost/cb?tenant=1#code=abc&state=xyz", "abc/xyz/"),
            ("?code=abc&state=xyz", "abc/xyz/"),
            ("#code=abc&state=xyz", "abc/xyz/"),
            ("code=abc&state=xyz", "abc/xyz/"),
            ("state=xyz&code=abc", "abc/xyz/"),
            ("/callback?code=abc&state=xyz", "abc/xyz/"),
            ("127.0.0.1:5000/callback?code=abc&state=xyz", "abc/xyz/"),
            ("http://127.0.0.1:1/callback?error=access_denied&state=xyz", "/xyz/access_denied"),
            ("curl 'http://127.0.0.1:1/callback?code=abc&state=xyz' \\\n  -H 'Accept: text/html' --compressed", "abc/xyz/"),
            ("curl \"http://127.0.0.1:1/callback?code=abc&state=xyz\" -H \"Referer: https://id.example/?code=no\"", "abc/xyz/"),
            ("curl http://127.0.0.1:1/callback\\?code\\=abc\\&state\\=xyz -v", "abc/xyz/"),
            ("http://127.0.0.1:1/callback?code=abc&amp;state=xyz", "abc/xyz/"),
            ("GET http://127.0.0.1:1/callback?code=abc&state=xyz HTTP/1.1", "abc/xyz/"),
            ("it says (http://127.0.0.1:1/callback?code=abc&state=xyz).", "abc/xyz/"),
            ("urn:ietf:wg:oauth:2.0:oob?code=abc&state=xyz", "abc/xyz/"),
            ("myapp://callback?code=abc&state=xyz", "abc/xyz/"),
            ("http://x/cb?code=a%2Fb%3D&state=xyz", "a/b=/xyz/"),
            ("4/0AdeuXyz-abc_def", "bare 4/0AdeuXyz-abc_def"),
            ("0.AXoA.abc\n  def", "bare 0.AXoA.abcdef"),
            ("https://id.example/authorize?response_type=code&client_id=x&state=y", "request"),
            ("https://id.example/login", "nothing"),
            ("hello world, it did not work", "nothing"),
            ("done", "nothing"),
            ("", "nothing"),
            (" \n ", "nothing"),
        ] {
            assert_eq!(first(text), expected, "{text}");
        }
        assert!(read(&"x".repeat(100_000), &IndexMap::new()).is_empty());
    }

    #[test]
    fn a_line_break_may_end_the_address() {
        let meanings = read("http://127.0.0.1:1/callback?code=abc&state=xyz\nThat is what I see.", &IndexMap::new());
        let states: Vec<_> = meanings.into_iter().filter_map(|m| if let Meaning::Reply(reply) = m { reply.state } else { None }).collect();
        assert!(states.contains(&"xyz".to_owned()), "{states:?}");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,120}") {
            let _ = read(&text, &IndexMap::new());
        }

        #[test]
        fn wrapping_anywhere_changes_nothing(code in "[A-Za-z0-9._~-]{4,80}", state in "[A-Za-z0-9_-]{8,43}", at in 0usize..200, indent in " {0,4}") {
            let address = format!("http://127.0.0.1:53417/callback?code={code}&state={state}");
            let at = at.min(address.len());
            let wrapped = format!("{}\n{indent}{}", &address[..at], &address[at..]);
            prop_assert_eq!(first(&wrapped), format!("{code}/{state}/"));
        }
    }
}
