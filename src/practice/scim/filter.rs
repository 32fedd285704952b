//! Filters and attribute paths (RFC 7644 §3.4.2.2, §3.5.2).

use serde_json::{Map, Value};

use super::schema::{Attribute, Kind, Type, find, get};

/// Why a filter or a path is not one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid(pub String);

#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    And(Box<Filter>, Box<Filter>),
    Or(Box<Filter>, Box<Filter>),
    Not(Box<Filter>),
    Present(AttributePath),
    Compare(AttributePath, Compare, Value),
    /// An element of a multi-valued attribute for which the filter holds.
    Element(AttributePath, Box<Filter>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compare {
    Equal,
    NotEqual,
    Contains,
    Starts,
    Ends,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// `name.givenName`, `urn:…:User:manager.value`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AttributePath {
    /// The URN of an extension; `None` for the resource itself.
    pub extension: Option<&'static str>,
    pub name: String,
    pub sub: Option<String>,
}

/// What a PATCH operation points at: `emails[type eq "work"].value`.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    pub path: AttributePath,
    pub filter: Option<Filter>,
    /// After the filter.
    pub sub: Option<String>,
}

impl AttributePath {
    pub fn parse(text: &str, of: Type) -> Result<Self, Invalid> {
        let invalid = || Invalid(format!("“{}” is no attribute.", crate::words::clean::line(text, 80)));
        let strip = |urn: &str| {
            let head = text.get(..urn.len())?;
            head.eq_ignore_ascii_case(urn).then(|| &text[urn.len()..])
        };
        let (extension, rest) = if let Some(rest) = strip(of.schema()) {
            (None, rest.strip_prefix(':').ok_or_else(invalid)?)
        } else if let Some((urn, rest)) = of.extensions().iter().find_map(|(urn, _)| Some((*urn, strip(urn)?))) {
            (Some(urn), rest.strip_prefix(':').unwrap_or(rest))
        } else {
            (None, text)
        };
        let (name, sub) = rest.split_once('.').map_or((rest, None), |(name, sub)| (name, Some(sub)));
        let word = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "$-_".contains(c));
        let whole_extension = extension.is_some() && name.is_empty() && sub.is_none();
        if !(whole_extension || word(name) && sub.is_none_or(word)) {
            return Err(invalid());
        }
        Ok(Self { extension, name: name.to_owned(), sub: sub.map(str::to_owned) })
    }

    /// Its attribute in the schema.
    pub fn attribute(&self, of: Type) -> Option<&'static Attribute> {
        match self.extension {
            None => of.attribute(&self.name),
            Some(urn) => of.extensions().iter().find(|(known, _)| *known == urn).and_then(|(_, attributes)| find(attributes, &self.name)),
        }
    }
}

impl Target {
    pub fn parse(text: &str, of: Type) -> Result<Self, Invalid> {
        let Some(open) = text.find('[') else {
            return Ok(Self { path: AttributePath::parse(text.trim(), of)?, filter: None, sub: None });
        };
        let close = text.rfind(']').filter(|close| *close > open).ok_or_else(|| Invalid("A bracket is not closed.".to_owned()))?;
        let sub = match &text[close + 1..] {
            "" => None,
            rest => Some(
                rest.strip_prefix('.').filter(|sub| !sub.is_empty()).ok_or_else(|| Invalid("After a bracket comes a dot.".to_owned()))?.to_owned(),
            ),
        };
        Ok(Self { path: AttributePath::parse(text[..open].trim(), of)?, filter: Some(Filter::parse(&text[open + 1..close], of)?), sub })
    }
}

impl Filter {
    pub fn parse(text: &str, of: Type) -> Result<Self, Invalid> {
        let mut parser = Parser { rest: text, of, depth: 0 };
        let filter = parser.or()?;
        if parser.rest.trim().is_empty() { Ok(filter) } else { Err(parser.invalid("the end")) }
    }

    /// Whether it holds for a resource, or for an element of a multi-valued attribute.
    pub fn holds(&self, object: &Map<String, Value>, of: Type) -> bool {
        match self {
            Self::And(a, b) => a.holds(object, of) && b.holds(object, of),
            Self::Or(a, b) => a.holds(object, of) || b.holds(object, of),
            Self::Not(filter) => !filter.holds(object, of),
            Self::Present(path) => values(object, path).iter().any(|value| !is_nothing(value)),
            Self::Element(path, filter) => elements(object, path).iter().any(|element| match element {
                Value::Object(element) => filter.holds(element, of),
                _ => false,
            }),
            Self::Compare(path, Compare::NotEqual, wanted) => {
                let exact = exact(path, of);
                values(object, path).iter().all(|value| !compare(value, Compare::Equal, wanted, exact))
            }
            Self::Compare(path, how, wanted) => {
                let exact = exact(path, of);
                let found = values(object, path);
                found.iter().any(|value| compare(value, *how, wanted, exact)) || wanted.is_null() && found.is_empty()
            }
        }
    }
}

fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn exact(path: &AttributePath, of: Type) -> bool {
    let Some(attribute) = path.attribute(of) else { return false };
    path.sub.as_deref().and_then(|sub| find(attribute.sub, sub)).map_or(attribute.case_exact && attribute.kind != Kind::Complex, |sub| sub.case_exact)
}

/// What stands at the attribute, each element of a list by itself.
fn elements<'v>(object: &'v Map<String, Value>, path: &AttributePath) -> Vec<&'v Value> {
    let object = match path.extension {
        None => Some(object),
        Some(urn) => get(object, urn).and_then(Value::as_object),
    };
    match object.and_then(|object| get(object, &path.name)) {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().collect(),
        Some(value) => vec![value],
    }
}

/// The values to compare: of a complex attribute its `value`, unless the path says which.
fn values<'v>(object: &'v Map<String, Value>, path: &AttributePath) -> Vec<&'v Value> {
    let sub = path.sub.as_deref();
    elements(object, path)
        .into_iter()
        .filter_map(|element| match (element, sub) {
            (Value::Object(element), sub) => get(element, sub.unwrap_or("value")).or_else(|| element.values().next().filter(|_| sub.is_none())),
            (value, None) => Some(value),
            (_, Some(_)) => None,
        })
        .collect()
}

fn compare(value: &Value, how: Compare, wanted: &Value, exact: bool) -> bool {
    use std::cmp::Ordering::{Equal, Greater, Less};
    match (value, wanted) {
        (Value::String(value), Value::String(wanted)) => {
            let fold = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
            let (value, wanted) = (fold(value), fold(wanted));
            match how {
                Compare::Equal => value == wanted,
                Compare::NotEqual => value != wanted,
                Compare::Contains => value.contains(&wanted),
                Compare::Starts => value.starts_with(&wanted),
                Compare::Ends => value.ends_with(&wanted),
                Compare::Greater => value > wanted,
                Compare::GreaterOrEqual => value >= wanted,
                Compare::Less => value < wanted,
                Compare::LessOrEqual => value <= wanted,
            }
        }
        // Entra sends booleans as words.
        (Value::Bool(value), Value::String(wanted)) => how == Compare::Equal && wanted.eq_ignore_ascii_case(if *value { "true" } else { "false" }),
        (Value::Number(value), Value::Number(wanted)) => {
            let order = value.as_f64().partial_cmp(&wanted.as_f64());
            match how {
                Compare::Equal => order == Some(Equal),
                Compare::NotEqual => order != Some(Equal),
                Compare::Greater => order == Some(Greater),
                Compare::GreaterOrEqual => matches!(order, Some(Greater | Equal)),
                Compare::Less => order == Some(Less),
                Compare::LessOrEqual => matches!(order, Some(Less | Equal)),
                _ => false,
            }
        }
        (value, wanted) => how == Compare::Equal && value == wanted,
    }
}

/// Deeper nesting than any real filter has.
const DEEPEST: u32 = 32;

struct Parser<'t> {
    rest: &'t str,
    of: Type,
    depth: u32,
}

impl Parser<'_> {
    fn invalid(&self, wanted: &str) -> Invalid {
        Invalid(format!("The filter should have {wanted} at “{}”.", crate::words::clean::line(self.rest.trim(), 40)))
    }

    fn keyword(&mut self, word: &str) -> bool {
        let rest = self.rest.trim_start();
        let Some(head) = rest.get(..word.len()) else { return false };
        let after = &rest[word.len()..];
        if head.eq_ignore_ascii_case(word) && after.chars().next().is_none_or(|c| c == ' ' || c == '(' || c == ')' || c == ']') {
            self.rest = after;
            return true;
        }
        false
    }

    fn symbol(&mut self, symbol: char) -> bool {
        match self.rest.trim_start().strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn or(&mut self) -> Result<Filter, Invalid> {
        let mut left = self.and()?;
        while self.keyword("or") {
            left = Filter::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Filter, Invalid> {
        let mut left = self.term()?;
        while self.keyword("and") {
            left = Filter::And(Box::new(left), Box::new(self.term()?));
        }
        Ok(left)
    }

    fn group(&mut self, end: char) -> Result<Filter, Invalid> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err(Invalid("The filter is nested too deeply.".to_owned()));
        }
        let filter = self.or()?;
        self.depth -= 1;
        if self.symbol(end) { Ok(filter) } else { Err(self.invalid(&end.to_string())) }
    }

    fn term(&mut self) -> Result<Filter, Invalid> {
        if self.keyword("not") {
            if !self.symbol('(') {
                return Err(self.invalid("("));
            }
            return Ok(Filter::Not(Box::new(self.group(')')?)));
        }
        if self.symbol('(') {
            return self.group(')');
        }
        let path = self.path()?;
        if self.symbol('[') {
            return Ok(Filter::Element(path, Box::new(self.group(']')?)));
        }
        if self.keyword("pr") {
            return Ok(Filter::Present(path));
        }
        let how = self.comparison()?;
        Ok(Filter::Compare(path, how, self.value()?))
    }

    fn path(&mut self) -> Result<AttributePath, Invalid> {
        let rest = self.rest.trim_start();
        let end = rest.find([' ', '[', '(', ')', ']']).unwrap_or(rest.len());
        let path = AttributePath::parse(&rest[..end], self.of)?;
        self.rest = &rest[end..];
        Ok(path)
    }

    fn comparison(&mut self) -> Result<Compare, Invalid> {
        #[rustfmt::skip]
        let words = [
            ("eq", Compare::Equal), ("ne", Compare::NotEqual), ("co", Compare::Contains), ("sw", Compare::Starts), ("ew", Compare::Ends),
            ("gt", Compare::Greater), ("ge", Compare::GreaterOrEqual), ("lt", Compare::Less), ("le", Compare::LessOrEqual),
        ];
        words.into_iter().find(|(word, _)| self.keyword(word)).map(|(_, how)| how).ok_or_else(|| self.invalid("a comparison"))
    }

    /// A JSON literal.
    fn value(&mut self) -> Result<Value, Invalid> {
        let rest = self.rest.trim_start();
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Value>();
        match values.next() {
            Some(Ok(value)) if !value.is_array() && !value.is_object() => {
                self.rest = &rest[values.byte_offset()..];
                Ok(value)
            }
            // `true)` is a word to the JSON reader, so it is looked at by hand.
            _ => {
                for (word, value) in [("true", Value::Bool(true)), ("false", Value::Bool(false)), ("null", Value::Null)] {
                    if self.keyword(word) {
                        return Ok(value);
                    }
                }
                Err(self.invalid("a value"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn holds(filter: &str) -> bool {
        let user = json!({
            "id": "Ab1", "userName": "Ada@X.example", "active": true, "title": "",
            "name": {"givenName": "Ada", "familyName": "King"},
            "emails": [{"value": "ada@x.example", "type": "work", "primary": true}, {"value": "a@home.example", "type": "home"}],
            "meta": {"lastModified": "2026-01-02T00:00:00Z"},
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": {"department": "R&D", "manager": {"value": "7"}},
        });
        Filter::parse(filter, Type::User).unwrap_or_else(|error| panic!("{filter}: {error:?}")).holds(user.as_object().unwrap(), Type::User)
    }

    #[test]
    fn filters() {
        for filter in [
            r#"userName eq "ada@x.example""#,
            r#"USERNAME Eq "ADA@X.EXAMPLE""#,
            r#"id eq "Ab1" and active eq true"#,
            r#"active eq "True""#,
            r#"(userName sw "ada") and (not (name.familyName eq "Smith"))"#,
            r#"emails eq "a@home.example""#,
            r#"emails.type eq "home""#,
            r#"emails[type eq "work" and value co "x.ex"]"#,
            r#"urn:ietf:params:scim:schemas:core:2.0:User:userName ew "example""#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "r&d""#,
            r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "7""#,
            r#"meta.lastModified gt "2026-01-01T00:00:00Z""#,
            "name.givenName pr",
            r#"userName eq "nobody" or active eq true and id pr"#,
            r#"nickName eq null"#,
            r#"title ne "Boss""#,
        ] {
            assert!(holds(filter), "{filter}");
        }
        for filter in [
            r#"id eq "ab1""#,
            r#"userName eq "ada""#,
            "title pr",
            "nickName pr",
            r#"emails[type eq "home" and value co "x.ex"]"#,
            "not (active eq true)",
            r#"userName eq "ada@x.example" and (active eq false or id eq "x")"#,
        ] {
            assert!(!holds(filter), "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter() {
        for filter in [
            "",
            "userName",
            "userName eq",
            "userName xx \"a\"",
            "userName eq a",
            "(userName pr",
            "userName pr)",
            "a b c",
            "emails[type eq \"x\"",
            "userName eq [1]",
        ] {
            assert!(Filter::parse(filter, Type::User).is_err(), "{filter}");
        }
        assert!(Filter::parse(&"(".repeat(100_000), Type::User).is_err());
        assert!(Filter::parse(&"not (".repeat(100_000), Type::User).is_err());
    }

    #[test]
    fn targets() {
        let target = Target::parse(r#"emails[type eq "work"].value"#, Type::User).unwrap();
        assert_eq!((target.path.name.as_str(), target.filter.is_some(), target.sub.as_deref()), ("emails", true, Some("value")));
        let manager = Target::parse("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager", Type::User).unwrap();
        assert_eq!((manager.path.extension.is_some(), manager.path.name.as_str()), (true, "manager"));
        for bad in ["emails[", "emails[type eq \"x\"]value", "a b", "", "emails]x["] {
            assert!(Target::parse(bad, Type::User).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_parsed(text in "(userName|emails|eq|pr|and|or|not| |\\(|\\)|\\[|\\]|\"a\"|true|\\.|é|urn:ietf:params:scim:schemas:core:2.0:User){0,12}") {
            let _ = Filter::parse(&text, Type::User);
            let _ = Target::parse(&text, Type::User);
        }
    }
}
