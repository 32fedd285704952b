//! How a list goes on: from a page that was read to the request for the next one. Pure: no I/O, no clock.
//!
//! Two things must never happen: a list that does not end, and a list that ends early without anybody noticing, because whoever is missing
//! from a complete read is deactivated. So a page that is shorter than asked for ends a list only when earlier pages were longer (vendors
//! cap the size of a page without saying so), and what the vendor says about the end (a flag, a total) goes before what can be guessed.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::Value;
use url::Url;

use crate::model::Paging;

/// What a page said, beside its records.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Whether there is more.
    pub more: Option<bool>,
    /// Records in all.
    pub total: Option<u64>,
    /// The next cursor, or the next page's address.
    pub next: Option<String>,
    /// Whether that was a number, and not a text.
    pub numeric: bool,
}

impl Facts {
    /// From the values at the paths of [`Pager::wanted`], in that order.
    #[must_use]
    pub fn new(more: &Value, total: &Value, next: &Value) -> Self {
        let more = match more {
            Value::Bool(more) => Some(*more),
            Value::Number(n) => n.as_f64().map(|n| n != 0.0),
            Value::String(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Value::String(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        };
        let total = total.as_u64().or_else(|| total.as_str().and_then(|text| text.trim().parse().ok()));
        let numeric = next.is_number();
        let next = match next {
            Value::String(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        Self { more, total, next, numeric }
    }
}

/// Parameters of a request: numbers stay numbers where they travel in JSON.
pub type Params = Vec<(String, Value)>;

/// A parameter as it travels in a query or a form.
#[must_use]
pub fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A page that was read.
#[derive(Debug, Clone)]
pub struct Seen<'a> {
    /// The address it was asked from.
    pub url: &'a Url,
    /// Its `Link` headers.
    pub links: Vec<&'a str>,
    pub facts: Facts,
    /// Records in it, unreadable ones included.
    pub records: u64,
    /// A hash of its body.
    pub print: u64,
}

/// The next request.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// The resource's address with these parameters set.
    Params(Params),
    /// The address at which the list goes on, with these parameters and nothing else.
    Continue(Params),
    /// This address as it is; on the origin of the page before.
    Url(Url),
}

/// Why a list cannot go on. The read is not complete then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The vendor named a page for the second time, or sent the same one again.
    Repeats,
    /// More pages than any list should have, or many empty ones in a row.
    Endless(u64),
    /// The next page's address is on another host.
    Elsewhere(String),
    /// The next page's address is none.
    NoAddress,
    /// There is more, the vendor says, but not where.
    Lost,
    /// Records read, and those the vendor speaks of.
    Short { read: u64, total: u64 },
}

/// No list has more pages.
const MOST_PAGES: u64 = 1_000_000;
/// Empty pages in a row, while the vendor says that there is more (Microsoft Graph: a page may be empty).
const MOST_EMPTY: u64 = 100;

/// Where a list stands.
#[derive(Debug)]
pub struct Pager {
    rule: Paging,
    most_pages: u64,
    pages: u64,
    read: u64,
    empty: u64,
    /// The longest page so far.
    longest: u64,
    last_print: Option<u64>,
    visited: HashSet<u64>,
}

impl Pager {
    #[must_use]
    pub fn new(rule: &Paging) -> Self {
        Self { rule: rule.clone(), most_pages: MOST_PAGES, pages: 0, read: 0, empty: 0, longest: 0, last_print: None, visited: HashSet::new() }
    }

    /// Paths in the body that it needs to see: the flag for more, the total, the next cursor or address.
    #[must_use]
    pub fn wanted(&self) -> [Option<&str>; 3] {
        match &self.rule {
            Paging::None | Paging::LinkHeader { .. } => [None, None, None],
            Paging::Page { more, total, .. } => [more.as_deref(), total.as_deref(), None],
            Paging::Offset { more, total, .. } => [more.as_deref(), total.as_deref(), None],
            Paging::Cursor { next, more, .. } => [more.as_deref(), None, Some(next)],
            Paging::NextUrl { next, total, .. } => [None, total.as_deref(), Some(next)],
            Paging::Scim { .. } => [None, Some("totalResults"), None],
        }
    }

    /// Whether the list of records may be missing from a body: SCIM leaves an empty one out (RFC 7644 §3.4.2).
    #[must_use]
    pub fn may_lack_list(&self) -> bool {
        matches!(self.rule, Paging::Scim { .. })
    }

    /// The parameters of the first request.
    #[must_use]
    pub fn first(&self) -> Params {
        match &self.rule {
            Paging::None => Vec::new(),
            Paging::Page { param, first, size_param, size, .. } => with_size(vec![(param.clone(), (*first).into())], size_param.as_deref(), *size),
            Paging::Offset { param, size_param, size, .. } => with_size(vec![(param.clone(), 0.into())], size_param.as_deref(), Some(*size)),
            Paging::Cursor { size_param, size, .. } | Paging::LinkHeader { size_param, size } | Paging::NextUrl { size_param, size, .. } => {
                with_size(Vec::new(), size_param.as_deref(), *size)
            }
            Paging::Scim { size } => scim(1, *size),
        }
    }

    /// The next request after a page, or `None` at the end of the list.
    pub fn next(&mut self, seen: &Seen<'_>) -> Result<Option<Turn>, Fault> {
        self.pages += 1;
        self.read += seen.records;
        self.empty = if seen.records == 0 { self.empty + 1 } else { 0 };
        let repeated = seen.records > 0 && self.last_print.replace(seen.print) == Some(seen.print);
        let turn = self.turn(seen)?;
        self.longest = self.longest.max(seen.records);
        if turn.is_some() {
            if repeated {
                return Err(Fault::Repeats);
            }
            if self.pages >= self.most_pages || self.empty >= MOST_EMPTY {
                return Err(Fault::Endless(self.pages));
            }
        }
        Ok(turn)
    }

    fn turn(&mut self, seen: &Seen<'_>) -> Result<Option<Turn>, Fault> {
        let facts = &seen.facts;
        match &self.rule {
            Paging::None => Ok(None),
            Paging::Page { param, first, size_param, size, .. } => {
                let go_on = match facts.more {
                    Some(more) => more,
                    None => self.more_by_count(seen, *size)?,
                };
                let params = || vec![(param.clone(), (first + self.pages).into())];
                Ok(go_on.then(|| Turn::Params(with_size(params(), size_param.as_deref(), *size))))
            }
            Paging::Offset { param, size_param, size, .. } => {
                let go_on = match facts.more {
                    // There is more, and it would be asked for in the same place again.
                    Some(true) if seen.records == 0 => return Err(Fault::Lost),
                    Some(more) => more,
                    None => self.more_by_count(seen, Some(*size))?,
                };
                let params = || vec![(param.clone(), self.read.into())];
                Ok(go_on.then(|| Turn::Params(with_size(params(), size_param.as_deref(), Some(*size)))))
            }
            Paging::Scim { size } => {
                let go_on = self.more_by_count(seen, None)?;
                Ok(go_on.then(|| Turn::Params(scim(self.read + 1, *size))))
            }
            Paging::Cursor { param, size_param, size, path, .. } => match (&facts.next, facts.more) {
                (_, Some(false)) | (None, None) => Ok(None),
                (None, Some(true)) => Err(Fault::Lost),
                (Some(next), _) => {
                    let number = if facts.numeric { serde_json::from_str(next).ok() } else { None };
                    let cursor = vec![(param.clone(), number.unwrap_or_else(|| Value::String(next.clone())))];
                    let turn = match path {
                        Some(_) => Turn::Continue(cursor),
                        None => Turn::Params(with_size(cursor, size_param.as_deref(), *size)),
                    };
                    self.visit(next)?;
                    Ok(Some(turn))
                }
            },
            Paging::LinkHeader { .. } => match seen.links.iter().find_map(|link| next_link(link)) {
                None => Ok(None),
                Some(next) => self.follow(seen.url, &next),
            },
            Paging::NextUrl { .. } => match &facts.next {
                None => Ok(None),
                Some(next) => self.follow(seen.url, next),
            },
        }
    }

    /// By the total, where there is one; else by the length of the page.
    fn more_by_count(&self, seen: &Seen<'_>, size: Option<u64>) -> Result<bool, Fault> {
        if let Some(total) = seen.facts.total {
            return match self.read {
                read if read >= total => Ok(false),
                read if seen.records == 0 => Err(Fault::Short { read, total }),
                _ => Ok(true),
            };
        }
        // As long as no page was longer, a short one may be all that the vendor gives at once.
        let usual = size.map_or(0, |size| size.min(self.longest));
        Ok(seen.records > 0 && seen.records >= usual)
    }

    fn visit(&mut self, place: &str) -> Result<(), Fault> {
        let mut hasher = DefaultHasher::new();
        place.hash(&mut hasher);
        if self.visited.insert(hasher.finish()) { Ok(()) } else { Err(Fault::Repeats) }
    }

    fn follow(&mut self, from: &Url, next: &str) -> Result<Option<Turn>, Fault> {
        let mut url = from.join(next.trim()).map_err(|_| Fault::NoAddress)?;
        // Behind a proxy that ends TLS, servers write http of their own https address.
        if from.scheme() == "https" && url.scheme() == "http" && url.host() == from.host() {
            let _ = url.set_scheme("https");
        }
        if url.origin() != from.origin() || !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::Elsewhere(url.host_str().unwrap_or_default().to_owned()));
        }
        self.visit(url.as_str())?;
        Ok(Some(Turn::Url(url)))
    }
}

fn with_size(mut params: Params, name: Option<&str>, size: Option<u64>) -> Params {
    if let (Some(name), Some(size)) = (name, size) {
        params.push((name.to_owned(), size.into()));
    }
    params
}

fn scim(start: u64, size: u64) -> Params {
    vec![("startIndex".to_owned(), start.into()), ("count".to_owned(), size.into())]
}

/// The target of `rel="next"` in a `Link` header (RFC 8288 §3), if there is one.
fn next_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some(open) = rest.find('<') {
        let close = open + rest[open..].find('>')?;
        let target = &rest[open + 1..close];
        let (parameters, after) = until_comma(&rest[close + 1..]);
        let is_next = split_outside_quotes(parameters, ';').into_iter().any(|parameter| {
            let Some((name, value)) = parameter.split_once('=') else { return false };
            let value = value.trim().trim_matches('"');
            name.trim().eq_ignore_ascii_case("rel") && value.split_ascii_whitespace().any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(target.trim().to_owned());
        }
        rest = after;
    }
    None
}

/// The parameters of one link, and what comes after the comma that ends it.
fn until_comma(text: &str) -> (&str, &str) {
    let first = split_outside_quotes(text, ',')[0];
    (first, text.get(first.len() + 1..).unwrap_or(""))
}

/// At least one part.
fn split_outside_quotes(text: &str, at: char) -> Vec<&str> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    for (i, c) in text.char_indices() {
        if c == '"' {
            quoted = !quoted;
        } else if c == at && !quoted {
            parts.push(&text[start..i]);
            start = i + c.len_utf8();
        }
    }
    parts.push(&text[start..]);
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn rule(toml: &str) -> Paging {
        toml::from_str(toml).unwrap()
    }

    /// What a vendor answers, in short: records, more, total, next.
    type Reply = (u64, Option<bool>, Option<u64>, Option<&'static str>);

    /// The requests made, in short, and how it ended.
    fn walk(rule: &Paging, replies: &[Reply]) -> (Vec<String>, Result<(), Fault>) {
        let base = Url::parse("https://api.example/v1/users").unwrap();
        let mut pager = Pager::new(rule);
        let show = |params: &[(String, Value)]| params.iter().map(|(name, value)| format!("{name}={}", text(value))).collect::<Vec<_>>().join("&");
        let mut asked = vec![show(&pager.first())];
        for (i, (records, more, total, next)) in replies.iter().enumerate() {
            let facts = Facts { more: *more, total: *total, next: next.map(str::to_owned), numeric: false };
            let seen = Seen { url: &base, links: next.iter().copied().collect(), facts, records: *records, print: i as u64 };
            match pager.next(&seen) {
                Ok(Some(Turn::Params(params))) => asked.push(show(&params)),
                Ok(Some(Turn::Continue(params))) => asked.push(format!("… {}", show(&params))),
                Ok(Some(Turn::Url(url))) => asked.push(url.to_string()),
                Ok(None) => return (asked, Ok(())),
                Err(fault) => return (asked, Err(fault)),
            }
        }
        panic!("the list goes on: {asked:?}");
    }

    fn requests(rule: &Paging, replies: &[Reply]) -> Vec<String> {
        let (asked, end) = walk(rule, replies);
        end.unwrap();
        asked
    }

    #[test]
    fn pages() {
        let plain = rule("kind = 'page'\nparam = 'page'\nsize_param = 'per_page'\nsize = 100\nmore = 'has_more'\ntotal = 'total_count'");
        assert_eq!(requests(&plain, &[(100, Some(true), None, None), (50, Some(false), None, None)]), ["page=1&per_page=100", "page=2&per_page=100"]);
        // An empty page in the middle does not end the list when the vendor says that there is more.
        assert_eq!(requests(&plain, &[(100, Some(true), None, None), (0, Some(true), None, None), (1, Some(false), None, None)]).len(), 3);
        // Without the flag, the total decides.
        assert_eq!(requests(&plain, &[(100, None, Some(150), None), (50, None, Some(150), None)]).len(), 2);
        let from_zero = rule("kind = 'page'\nparam = 'p'\nfirst = 0");
        assert_eq!(requests(&from_zero, &[(3, None, None, None), (3, None, None, None), (0, None, None, None)]), ["p=0", "p=1", "p=2"]);
    }

    #[test]
    fn offsets() {
        let plain = rule("kind = 'offset'\nparam = 'skip'\nsize_param = 'limit'\nsize = 100");
        assert_eq!(requests(&plain, &[(100, None, None, None), (40, None, None, None)]), ["skip=0&limit=100", "skip=100&limit=100"]);
        // A vendor that gives no more than 50 at once, whatever was asked for: nothing is missed.
        assert_eq!(
            requests(&plain, &[(50, None, None, None), (50, None, None, None), (20, None, None, None)]),
            ["skip=0&limit=100", "skip=50&limit=100", "skip=100&limit=100"]
        );
        assert_eq!(requests(&plain, &[(20, None, None, None), (0, None, None, None)]).len(), 2);
        let total = rule("kind = 'offset'\nparam = 'skip'\nsize = 10\ntotal = 'n'");
        assert_eq!(requests(&total, &[(10, None, Some(20), None), (10, None, Some(20), None)]), ["skip=0", "skip=10"]);
        // A flag says it before any guess: a short page does not end the list, and a full one may (PagerDuty).
        let flag = rule("kind = 'offset'\nparam = 'skip'\nsize = 10\nmore = 'more'");
        assert_eq!(requests(&flag, &[(3, Some(true), None, None), (10, Some(false), None, None)]), ["skip=0", "skip=3"]);
        assert_eq!(walk(&flag, &[(10, Some(true), None, None), (0, Some(true), None, None)]).1, Err(Fault::Lost));
    }

    #[test]
    fn scim_servers_may_return_fewer_than_asked() {
        let scim = rule("kind = 'scim'\nsize = 100");
        assert_eq!(
            requests(&scim, &[(25, None, Some(60), None), (25, None, Some(60), None), (10, None, Some(60), None)]),
            ["startIndex=1&count=100", "startIndex=26&count=100", "startIndex=51&count=100"]
        );
        assert_eq!(requests(&scim, &[(0, None, Some(0), None)]).len(), 1);
        let (_, end) = walk(&scim, &[(25, None, Some(60), None), (0, None, Some(60), None)]);
        assert_eq!(end, Err(Fault::Short { read: 25, total: 60 }));
    }

    #[test]
    fn cursors() {
        let slack = rule("kind = 'cursor'\nparam = 'cursor'\nnext = 'response_metadata.next_cursor'\nsize_param = 'limit'\nsize = 200");
        assert_eq!(requests(&slack, &[(200, None, None, Some("abc=")), (1, None, None, None)]), ["limit=200", "cursor=abc=&limit=200"]);
        let (_, end) = walk(&slack, &[(1, None, None, Some("a")), (1, None, None, Some("b")), (1, None, None, Some("a"))]);
        assert_eq!(end, Err(Fault::Repeats));
        assert_eq!(walk(&slack, &[(1, Some(true), None, None)]).1, Err(Fault::Lost));
        assert_eq!(walk(&slack, &[(1, Some(false), None, Some("x"))]).1, Ok(()));
    }

    #[test]
    fn addresses_are_followed_on_the_same_origin_only() {
        let odata = rule("kind = 'next_url'\nnext = '[\"@odata.nextLink\"]'");
        assert_eq!(
            requests(&odata, &[(1, None, None, Some("https://api.example/v1/users?$skiptoken=x")), (1, None, None, None)])[1],
            "https://api.example/v1/users?$skiptoken=x"
        );
        assert_eq!(requests(&odata, &[(1, None, None, Some("/v1/users?p=2")), (1, None, None, None)])[1], "https://api.example/v1/users?p=2");
        assert_eq!(requests(&odata, &[(1, None, None, Some("http://api.example/x")), (1, None, None, None)])[1], "https://api.example/x");
        for elsewhere in
            ["https://evil.example/x", "https://api.example:8443/x", "//evil.example/x", "https://u:p@api.example/x", "ftp://api.example/x"]
        {
            assert!(matches!(walk(&odata, &[(1, None, None, Some(elsewhere))]).1, Err(Fault::Elsewhere(_))), "{elsewhere}");
        }
        assert_eq!(walk(&odata, &[(1, None, None, Some("https://["))]).1, Err(Fault::NoAddress));
        let (_, end) = walk(&odata, &[(1, None, None, Some("?p=2")), (1, None, None, Some("?p=2"))]);
        assert_eq!(end, Err(Fault::Repeats));
    }

    #[test]
    fn link_headers() {
        for (header, next) in [
            (r#"<https://a/2>; rel="next", <https://a/9>; rel="last""#, Some("https://a/2")),
            (r#"<https://a/1>; rel="prev", <https://a/3>; rel=next"#, Some("https://a/3")),
            (r#"<https://a/1>; title="x, rel=next; y"; rel="prev""#, None),
            (r#"<https://a/3>; title="a, b" ; rel="first next""#, Some("https://a/3")),
            (r#"<https://a/?q=1,2;3>; rel="next""#, Some("https://a/?q=1,2;3")),
            ("<https://a/3", None),
            ("nonsense", None),
            ("", None),
        ] {
            assert_eq!(next_link(header).as_deref(), next, "{header}");
        }
    }

    #[test]
    fn a_server_that_ignores_the_parameter_is_found_out() {
        let plain = rule("kind = 'page'\nparam = 'page'");
        let url = Url::parse("https://api.example/").unwrap();
        let mut pager = Pager::new(&plain);
        let seen = Seen { url: &url, links: Vec::new(), facts: Facts::default(), records: 5, print: 42 };
        assert!(pager.next(&seen).unwrap().is_some());
        assert_eq!(pager.next(&seen), Err(Fault::Repeats));
    }

    #[test]
    fn facts_in_the_forms_that_vendors_use() {
        assert_eq!(
            Facts::new(&json!("True"), &json!("12"), &json!(7)),
            Facts { more: Some(true), total: Some(12), next: Some("7".to_owned()), numeric: true }
        );
        assert_eq!(Facts::new(&json!(0), &json!(-1), &json!("  ")), Facts { more: Some(false), ..Facts::default() });
        assert_eq!(Facts::new(&json!(null), &json!({}), &json!([])), Facts::default());
    }

    proptest! {
        /// Whatever a vendor answers, forever, the list ends.
        #[test]
        fn no_list_goes_on_forever(
            which in 0..7usize,
            replies in proptest::collection::vec(
                (0..4u64, proptest::option::of(any::<bool>()), proptest::option::of(0..50u64), proptest::option::of("[a-c?/]{0,3}"), 0..3u64), 1..12),
        ) {
            let rules = ["kind = 'none'", "kind = 'page'\nparam = 'p'\nsize = 3", "kind = 'offset'\nparam = 'o'\nsize = 3",
                "kind = 'cursor'\nparam = 'c'\nnext = 'n'", "kind = 'link_header'", "kind = 'next_url'\nnext = 'n'", "kind = 'scim'"];
            let mut pager = Pager::new(&rule(rules[which]));
            pager.most_pages = 500;
            let mut url = Url::parse("https://api.example/a").unwrap();
            let mut pages = 0;
            for (records, more, total, next, print) in replies.iter().cycle() {
                pages += 1;
                prop_assert!(pages <= 500);
                let link = next.as_ref().map(|next| format!("<{next}>; rel=next"));
                let facts = Facts { more: *more, total: *total, next: next.clone(), numeric: false };
                let seen = Seen { url: &url, links: link.iter().map(String::as_str).collect(), facts, records: *records, print: *print };
                match pager.next(&seen) {
                    Ok(Some(Turn::Url(next))) => url = next,
                    Ok(Some(Turn::Params(_) | Turn::Continue(_))) => {}
                    Ok(None) | Err(_) => break,
                }
            }
        }

        #[test]
        fn any_link_header_is_read(header in "(<|>|;|,|\"|rel|=|next| |é|a){0,20}") {
            let _ = next_link(&header);
        }

        /// A well-behaved vendor is read to its end, whatever size it caps its pages at.
        #[test]
        fn everything_is_read(people in 0..500u64, cap in 1..60u64, tells in any::<bool>(), scim in any::<bool>()) {
            let rule = if scim { rule("kind = 'scim'\nsize = 50") } else { rule("kind = 'offset'\nparam = 'o'\nsize = 50") };
            let url = Url::parse("https://api.example/a").unwrap();
            let mut pager = Pager::new(&rule);
            let mut offset = 0;
            loop {
                let records = cap.min(50).min(people - offset);
                let facts = Facts { total: (tells || scim).then_some(people), ..Facts::default() };
                match pager.next(&Seen { url: &url, links: Vec::new(), facts, records, print: offset }).unwrap() {
                    None => { offset += records; break }
                    Some(Turn::Params(params)) => {
                        let start: u64 = params[0].1.as_u64().unwrap();
                        prop_assert_eq!(start - u64::from(scim), offset + records);
                        offset += records;
                    }
                    Some(Turn::Url(_) | Turn::Continue(_)) => unreachable!(),
                }
            }
            prop_assert_eq!(offset, people);
        }
    }
}
