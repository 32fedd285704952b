//! What people paste when they are asked for the address they ended on: the address, wrapped by a terminal or a mail; its query; its
//! fragment; a `curl` line that a browser's developer tools copied; a body in JSON; or the code alone.

use serde_json::Value;

use super::callback::{self, Answer, Expected, Names, Reply};
use crate::model::{Problem, Secret, Time};
use crate::problem;
use crate::words::clean;

/// What a pasted text may mean, the likeliest first.
#[derive(Clone, PartialEq)]
pub enum Meaning {
    Reply(Box<Reply>),
    /// A code without anything around it.
    Code(String),
    /// An address of this host that holds nothing of an answer.
    Address(String),
}

/// RFC 6749 sets no limit; codes of several kilobytes exist.
const LONGEST: usize = 16 << 10;

/// The shortest text that is taken for a bare code. RFC 6749 §10.10 wants codes that cannot be guessed, which takes more.
const SHORTEST: usize = 8;
/// A verifier of OAuth 1.0a is good with its temporary token alone, and often a number that people can type.
const SHORTEST_VERIFIER: usize = 4;

/// The answer in a pasted text, and the text of that answer alone: a query, or a bare code.
pub fn judge(expected: &Expected, pasted: &str, now: Time) -> Result<(Answer, Secret), Problem> {
    let vendor = &expected.vendor;
    let mut first = None;
    for meaning in read(pasted, &expected.names) {
        let judged = match &meaning {
            Meaning::Reply(reply) => callback::judge(expected, reply, now).map(|answer| (answer, reply.query())),
            Meaning::Code(code) => callback::judge_bare(expected, code, now).map(|answer| (answer, Secret::new(code.as_str()))),
            Meaning::Address(host) => {
                let (code, state) = (expected.called("code"), expected.called("state"));
                Err(problem!(Usage, "auth.answer.address", vendor = vendor, host = clean::line(host, 200), code = code, state = state))
            }
        };
        match judged {
            Ok(answer) => return Ok(answer),
            Err(problem) => {
                first.get_or_insert(problem);
            }
        }
    }
    Err(first.unwrap_or_else(|| problem!(Usage, "auth.answer.unreadable", vendor = vendor)))
}

/// The meanings of a pasted text; none when it is not an answer of any kind.
#[must_use]
pub fn read(pasted: &str, names: &Names) -> Vec<Meaning> {
    let text = pasted
        .trim_matches(|c: char| c.is_whitespace() || matches!(c, '\u{feff}' | '\u{200b}' | '<' | '>' | '"' | '\'' | '`' | '‘' | '’' | '“' | '”'));
    if text.is_empty() || text.len() > LONGEST {
        return Vec::new();
    }
    let mut meanings: Vec<Meaning> = Vec::new();
    let mut add = |reply: Reply| {
        let meaning = Meaning::Reply(Box::new(reply));
        if !meanings.contains(&meaning) {
            meanings.push(meaning);
        }
    };
    let says = |reply: &Reply| reply.speaks() || reply.request || reply.state.is_some();
    if let Some(reply) = in_json(pasted.trim(), names).filter(says) {
        add(reply);
    }
    // A link that was encoded to be carried inside another one.
    let carried = (!text.contains("://") && !text.contains('=') && text.to_ascii_lowercase().contains("%3a%2f%2f")).then(|| decoded(&joined(text)));
    let text = carried.as_deref().unwrap_or(text);
    let addresses = addresses(text);
    let mut queries: Vec<String> = addresses.iter().flat_map(|address| parameters(address)).collect();
    if !text.contains("://") {
        // `?code=…`, `#code=…`, `/callback?code=…`, `code=…`, `code%3D…`
        let whole = unescape(&joined(text));
        queries.extend(parameters(&whole));
        let bare = whole.trim_start_matches(['?', '#', '&']);
        queries.push(if bare.contains('=') { bare.to_owned() } else { decoded(bare) });
        queries.extend(code_and_state(&whole));
    }
    for query in &queries {
        let encoded_twice = twice(query).then(|| decoded(query));
        for query in encoded_twice.iter().chain([query]) {
            let reply = Reply::read(query, names);
            if says(&reply) {
                add(reply);
            }
            // What another address carries inside: a mail filter's link, a sign-in page that would have led on.
            for (_, value) in url::form_urlencoded::parse(query.as_bytes()).filter(|(_, value)| value.contains("://") && value.contains('=')) {
                for inner in parameters(&value).iter().map(|inner| Reply::read(inner, names)).filter(Reply::speaks) {
                    add(inner);
                }
            }
        }
    }
    if !meanings.is_empty() {
        return meanings;
    }
    if let Some(host) = addresses.iter().find_map(|address| url::Url::parse(address).ok()?.host_str().map(str::to_owned)) {
        return vec![Meaning::Address(host)];
    }
    if !text.contains("://") {
        let bare = joined(text);
        let bare = without_label(&bare);
        // A word typed by chance is no code, and a code that is not one would end the wait.
        let shortest = if callback::is_oauth1(names) { SHORTEST_VERIFIER } else { SHORTEST };
        if bare.len() >= shortest
            && bare.bytes().all(|b| b.is_ascii_graphic())
            && !bare.contains(['?', '&', '<', '>', '"', '\'', '{', '}', '#'])
            && !bare.starts_with("-----")
        {
            return vec![Meaning::Code(bare.to_owned())];
        }
    }
    Vec::new()
}

/// `CODE#STATE`, as some vendors show it to be copied.
fn code_and_state(text: &str) -> Option<String> {
    let (code, state) = text.split_once('#')?;
    let plain =
        |text: &str| text.len() >= SHORTEST && text.bytes().all(|b| b.is_ascii_graphic()) && !text.contains(['?', '&', '=', '#', '<', '>', '"']);
    (plain(code) && plain(state))
        .then(|| url::form_urlencoded::Serializer::new(String::new()).append_pair("code", code).append_pair("state", state).finish())
}

/// `Code: …`, as it is copied together with what stands before it.
fn without_label(text: &str) -> &str {
    let lower = text.to_ascii_lowercase();
    ["authorization code:", "auth code:", "code:"]
        .into_iter()
        .find(|label| lower.starts_with(label))
        .map_or(text, |label| text[label.len()..].trim_start())
}

/// The members of a JSON object as parameters; also of the one object inside it, where the vendor wraps its answer.
fn in_json(text: &str, names: &Names) -> Option<Reply> {
    let Value::Object(object) = serde_json::from_str(text).ok()? else { return None };
    let inner = object.values().find_map(Value::as_object);
    [Some(&object), inner].into_iter().flatten().find_map(|object| {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in object {
            match value {
                Value::String(text) => query.append_pair(name, text),
                Value::Number(number) => query.append_pair(name, &number.to_string()),
                _ => continue,
            };
        }
        Some(Reply::read(&query.finish(), names)).filter(Reply::speaks)
    })
}

/// Whether every escape in a query is itself escaped: it was encoded once more on its way.
fn twice(query: &str) -> bool {
    let mut escapes = query.match_indices('%').map(|(at, _)| &query.as_bytes()[at + 1..]).peekable();
    let hex = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_hexdigit);
    escapes.peek().is_some() && escapes.all(|rest| rest.starts_with(b"25") && hex(rest.get(2)) && hex(rest.get(3)))
}

/// With its percent escapes undone, once.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let digit = |at: usize| bytes.get(at).and_then(|byte| char::from(*byte).to_digit(16)).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        match (bytes[at], digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push(high * 16 + low);
                at += 3;
            }
            (byte, ..) => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
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
            Some('*') => Some('*'),
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
    text.replace("\\u0026", "&")
        .replace('\\', "")
        .replace("&amp;", "&")
        .replace("&#38;", "&")
        .replace("&#x26;", "&")
        .trim_end_matches(['"', '\'', '`', '>', ')', ',', ';'])
        .to_owned()
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
        match read(text, &Names::new()).into_iter().next() {
            None => "nothing".to_owned(),
            Some(Meaning::Address(host)) => format!("at {host}"),
            Some(Meaning::Reply(reply)) if reply.implicit => "implicit".to_owned(),
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
            ("https://id.example/login", "at id.example"),
            ("http://127.0.0.1:5000/callback", "at 127.0.0.1"),
            ("[the page](http://127.0.0.1:1/callback?code=abc&state=xyz)", "abc/xyz/"),
            ("**http://127.0.0.1:1/callback?code=abc&state=xyz**", "abc/xyz/"),
            ("<a href=\"http://127.0.0.1:1/callback?code=abc&#38;state=xyz\">here</a>", "abc/xyz/"),
            ("http%3A%2F%2F127.0.0.1%3A1%2Fcallback%3Fcode%3Dabc%26state%3Dxyz", "abc/xyz/"),
            ("code%3Dabc%26state%3Dxyz", "abc/xyz/"),
            ("http://127.0.0.1:1/callback?code=4%252F0A&state=xyz", "4/0A/xyz/"),
            ("http://127.0.0.1:1/callback?code=4%252F0A&state=xyz&iss=https%3A%2F%2Fid.example", "4%2F0A/xyz/"),
            ("https://safe.example/?url=http%3A%2F%2F127.0.0.1%3A1%2Fcb%3Fcode%3Dabc%26state%3Dxyz&data=1", "abc/xyz/"),
            ("http://localhost/cb#access_token=secret&token_type=bearer&state=xyz", "implicit"),
            ("{\"code\": \"abc\", \"state\": \"xyz\"}", "abc/xyz/"),
            ("{\"data\": {\"code\": \"abc\", \"state\": \"xyz\"}, \"ok\": true}", "abc/xyz/"),
            ("{\"url\": \"http://127.0.0.1:1/cb?code=abc\\u0026state=xyz\"}", "abc/xyz/"),
            ("{\"error\": \"access_denied\", \"state\": \"xyz\"}", "/xyz/access_denied"),
            ("aBcDeFgHiJ#xYz12345", "aBcDeFgHiJ/xYz12345/"),
            ("Authorization code: 4/0AdeuXyz-abc_def", "bare 4/0AdeuXyz-abc_def"),
            ("-----BEGIN", "nothing"),
            ("hello world, it did not work", "nothing"),
            ("done", "nothing"),
            ("", "nothing"),
            (" \n ", "nothing"),
        ] {
            assert_eq!(first(text), expected, "{text}");
        }
        assert!(read(&"x".repeat(100_000), &Names::new()).is_empty());
    }

    #[test]
    fn a_line_break_may_end_the_address() {
        let meanings = read("http://127.0.0.1:1/callback?code=abc&state=xyz\nThat is what I see.", &Names::new());
        let states: Vec<_> = meanings.into_iter().filter_map(|m| if let Meaning::Reply(reply) = m { reply.state } else { None }).collect();
        assert!(states.contains(&"xyz".to_owned()), "{states:?}");
    }

    proptest! {
        #[test]
        fn nothing_panics(text in "(?s).{0,120}") {
            let _ = read(&text, &Names::new());
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
