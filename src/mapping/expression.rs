//! Expressions over a source record, in minijinja: `email | lower`, `first ~ ' ' ~ last`, `{'a': 'Admin'}[role] | default('User')`.
//!
//! The record's members are the names; `record` is the whole record, for names that are no identifiers: `record["User Name"]`. What the
//! record does not hold, or holds as null, is undefined: it renders as nothing, has undefined members, and is false. A filter, test or
//! function that does not exist is an error when the expression is parsed.
//!
//! An expression has no loops, no `range`, no access to anything but the record, and a budget: of steps, and of bytes made by filters
//! that can make much out of little.

use super::convert;
use crate::t;
use crate::words::clean;
use minijinja::value::{Rest, ValueKind};
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde_json::Value as Json;
use std::cell::Cell;
use std::sync::LazyLock;

/// Longest expression, in bytes.
const MAX_BYTES: usize = 4000;
/// Steps of the virtual machine per evaluation.
const FUEL: u64 = 20_000;
/// Bytes that filters may make per evaluation.
const BUDGET: usize = 4 << 20;

/// The name of the whole record.
pub const RECORD: &str = "record";

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ExpressionError {
    /// Where, in characters from 1, when it is known.
    pub at: Option<usize>,
    /// A whole sentence.
    pub reason: String,
}

/// A parsed expression.
#[derive(Debug)]
pub struct Expression {
    compiled: minijinja::Expression<'static, 'static>,
    names: Vec<String>,
}

impl Expression {
    pub fn parse(text: &str) -> Result<Self, ExpressionError> {
        if text.trim().is_empty() {
            return Err(ExpressionError { at: None, reason: t!("mapping.expression.empty").to_owned() });
        }
        if text.len() > MAX_BYTES {
            return Err(ExpressionError { at: None, reason: t!("mapping.expression.too_long", n = MAX_BYTES) });
        }
        let compiled = ENVIRONMENT.compile_expression_owned(text.to_owned()).map_err(|error| ExpressionError {
            // minijinja keeps places only for its debug reports.
            at: None,
            reason: t!("mapping.expression.syntax", detail = clean::line(error.detail().unwrap_or(t!("mapping.expression.unreadable")), 200)),
        })?;
        known(text)?;
        let mut names: Vec<String> = compiled.undeclared_variables(false).into_iter().filter(|name| !FUNCTIONS.contains(&name.as_str())).collect();
        names.sort();
        Ok(Self { compiled, names })
    }

    /// The record's members that it reads, sorted; [`RECORD`] when it reads the whole.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Evaluates it; `value` gives the record's member of each of [`Expression::names`]. `Err` is a whole sentence.
    pub fn evaluate<'v>(&self, mut value: impl FnMut(usize) -> &'v Json) -> Result<Value, String> {
        let context = Value::from_pairs(self.names.iter().enumerate().map(|(i, name)| (name.as_str(), lift(value(i)))));
        SPENT.set(0);
        self.compiled.eval(context).map_err(|error| explain(&error))
    }
}

/// What an expression came to, as a record would hold it.
pub fn lower(value: &Value) -> Result<Json, String> {
    if value.is_undefined() || value.is_none() {
        return Ok(Json::Null);
    }
    if let Some(text) = value.as_str() {
        return Ok(Json::from(text));
    }
    match value.kind() {
        ValueKind::Bool => Ok(Json::from(value.is_true())),
        _ => serde_json::to_value(value).map_err(|_| t!("mapping.expression.no_value").to_owned()),
    }
}

/// A record's value as expressions see it: null and absent are the same, undefined.
fn lift(value: &Json) -> Value {
    match value {
        Json::Null => Value::UNDEFINED,
        Json::Bool(value) => Value::from(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(n), _, _) => Value::from(n),
            (_, Some(n), _) => Value::from(n),
            (_, _, Some(n)) => Value::from(n),
            _ => Value::UNDEFINED,
        },
        Json::String(text) => Value::from(text.as_str()),
        Json::Array(list) => list.iter().map(lift).collect(),
        Json::Object(object) => {
            Value::from_pairs(object.iter().filter(|(_, value)| !value.is_null()).map(|(key, value)| (key.as_str(), lift(value))))
        }
    }
}

fn explain(error: &Error) -> String {
    match error.kind() {
        ErrorKind::OutOfFuel => t!("mapping.expression.too_much").to_owned(),
        _ => {
            let detail = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
            t!("mapping.expression.failed", detail = clean::line(&detail, 200))
        }
    }
}

thread_local! {
    /// Bytes made by filters in the evaluation under way on this thread.
    static SPENT: Cell<usize> = const { Cell::new(0) };
}

fn spend(bytes: usize) -> Result<(), Error> {
    let spent = SPENT.get().saturating_add(bytes);
    SPENT.set(spent);
    if spent > BUDGET { Err(Error::from(ErrorKind::OutOfFuel)) } else { Ok(()) }
}

/// The filters, for help texts and for the check of names.
pub const FILTERS: [&str; 39] = [
    "abs",
    "add_days",
    "after",
    "attr",
    "before",
    "bool",
    "capitalize",
    "coalesce",
    "d",
    "date",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "map",
    "max",
    "min",
    "reject",
    "rejectattr",
    "replace",
    "reverse",
    "round",
    "select",
    "selectattr",
    "sort",
    "split",
    "strftime",
    "string",
    "time",
    "times",
    "title",
    "trim",
    "unique",
    "upper",
];
/// The tests that may follow `is`.
pub const TESTS: [&str; 15] = [
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "false",
    "in",
    "mapping",
    "none",
    "number",
    "sequence",
    "startingwith",
    "true",
    "undefined",
];
/// The functions.
pub const FUNCTIONS: [&str; 1] = ["coalesce"];

static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    use minijinja::{filters, tests};
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::Chainable);
    env.set_fuel(Some(FUEL));
    env.set_recursion_limit(50);

    env.add_filter("lower", |text: &Value| map_text(text, str::to_lowercase));
    env.add_filter("upper", |text: &Value| map_text(text, str::to_uppercase));
    env.add_filter("title", |text: &Value| map_text(text, |text| filters::title(text.into())));
    env.add_filter("capitalize", |text: &Value| {
        map_text(text, |text| {
            let mut chars = text.chars();
            chars.next().map_or_else(String::new, |first| first.to_uppercase().collect::<String>() + &chars.as_str().to_lowercase())
        })
    });
    env.add_filter("trim", |text: &Value, marks: Option<String>| {
        map_text(text, |text| match &marks {
            Some(marks) => text.trim_matches(|c| marks.contains(c)).to_owned(),
            None => text.trim().to_owned(),
        })
    });
    env.add_filter("before", |text: &Value, mark: String| {
        map_text(text, |text| text.split_once(&mark).map_or(text, |(before, _)| before).to_owned())
    });
    env.add_filter("after", |text: &Value, mark: String| map_text(text, |text| text.split_once(&mark).map_or("", |(_, after)| after).to_owned()));
    env.add_filter("replace", replace);
    env.add_filter("split", split);
    env.add_filter("join", join);
    env.add_filter("default", otherwise);
    env.add_filter("d", otherwise);
    env.add_filter("coalesce", coalesce);
    env.add_function("coalesce", coalesce);
    env.add_filter("first", |value: &Value| end(value, false));
    env.add_filter("last", |value: &Value| end(value, true));
    env.add_filter("time", time);
    env.add_filter("date", date);
    env.add_filter("strftime", strftime);
    env.add_filter("add_days", add_days);
    env.add_filter("string", |value: &Value| map_text(value, str::to_owned));
    env.add_filter("length", |value: &Value| if value.is_undefined() { Ok(0) } else { filters::length(value) });
    env.add_filter("times", times);
    env.add_filter("abs", filters::abs);
    env.add_filter("attr", filters::attr);
    env.add_filter("bool", filters::bool);
    env.add_filter("float", filters::float);
    env.add_filter("int", filters::int);
    env.add_filter("list", filters::list);
    env.add_filter("map", filters::map);
    env.add_filter("max", filters::max);
    env.add_filter("min", filters::min);
    env.add_filter("reject", filters::reject);
    env.add_filter("rejectattr", filters::rejectattr);
    env.add_filter("reverse", filters::reverse);
    env.add_filter("round", filters::round);
    env.add_filter("select", filters::select);
    env.add_filter("selectattr", filters::selectattr);
    env.add_filter("sort", filters::sort);
    env.add_filter("unique", filters::unique);

    env.add_test("defined", |value: &Value| !value.is_undefined());
    env.add_test("undefined", Value::is_undefined);
    // Null and absent are one.
    env.add_test("none", |value: &Value| value.is_undefined() || value.is_none());
    env.add_test("boolean", tests::is_boolean);
    env.add_test("divisibleby", tests::is_divisibleby);
    env.add_test("endingwith", |value: &Value, end: String| value.as_str().is_some_and(|text| text.ends_with(&end)));
    env.add_test("startingwith", |value: &Value, start: String| value.as_str().is_some_and(|text| text.starts_with(&start)));
    env.add_test("eq", tests::is_eq);
    env.add_test("equalto", tests::is_eq);
    env.add_test("false", tests::is_false);
    env.add_test("in", tests::is_in);
    env.add_test("mapping", tests::is_mapping);
    env.add_test("number", tests::is_number);
    // Not the library's own: to that a missing value is a sequence, because it can be gone through.
    env.add_test("sequence", |value: &Value| value.kind() == ValueKind::Seq);
    env.add_test("true", tests::is_true);
    env
});

/// Applies to a text, or to a number or boolean written out. Nothing stays nothing, so that a missing field is not an error.
fn map_text(value: &Value, work: impl FnOnce(&str) -> String) -> Result<Value, Error> {
    if value.is_undefined() || value.is_none() {
        return Ok(Value::UNDEFINED);
    }
    let made = match value.as_str() {
        Some(text) => work(text),
        None if matches!(value.kind(), ValueKind::Number | ValueKind::Bool) => work(&value.to_string()),
        None => return Err(Error::new(ErrorKind::InvalidOperation, t!("mapping.expression.no_text"))),
    };
    spend(made.len())?;
    Ok(Value::from(made))
}

fn replace(text: &Value, from: String, to: String) -> Result<Value, Error> {
    // Known before it is made.
    if let Some(text) = text.as_str() {
        spend(text.len() + text.matches(&*from).count().saturating_mul(to.len()))?;
    }
    map_text(text, |text| text.replace(&from, &to))
}

fn split(text: &Value, mark: Option<String>) -> Result<Value, Error> {
    let Some(text) = text.as_str() else {
        return if text.is_undefined() {
            Ok(Value::from(Vec::<Value>::new()))
        } else {
            Err(Error::new(ErrorKind::InvalidOperation, t!("mapping.expression.no_text")))
        };
    };
    let parts = |parts: &mut dyn Iterator<Item = &str>| -> Result<Value, Error> {
        let mut list = Vec::new();
        for part in parts {
            spend(part.len() + size_of::<Value>())?;
            list.push(Value::from(part));
        }
        Ok(Value::from(list))
    };
    match mark.as_deref() {
        None | Some("") => parts(&mut text.split_whitespace()),
        Some(mark) => parts(&mut text.split(mark)),
    }
}

fn join(list: &Value, mark: Option<String>) -> Result<Value, Error> {
    let mark = mark.unwrap_or_default();
    let mut out = String::new();
    if !list.is_undefined() {
        for part in list.try_iter()?.filter(|part| !part.is_undefined() && !part.is_none()) {
            let part = part.to_string();
            spend(part.len() + mark.len())?;
            if !out.is_empty() {
                out.push_str(&mark);
            }
            out.push_str(&part);
        }
    }
    Ok(Value::from(out))
}

fn is_empty(value: &Value) -> bool {
    value.is_undefined() || value.is_none() || value.as_str().is_some_and(|text| text.trim().is_empty())
}

/// `value | default('x')`: for what is absent, null or an empty text.
fn otherwise(value: &Value, other: Option<Value>) -> Value {
    if is_empty(value) { other.unwrap_or_else(|| Value::from("")) } else { value.clone() }
}

/// The first that is not empty.
fn coalesce(values: Rest<Value>) -> Value {
    values.iter().find(|value| !is_empty(value)).cloned().unwrap_or(Value::UNDEFINED)
}

fn end(value: &Value, last: bool) -> Result<Value, Error> {
    if value.is_undefined() {
        return Ok(Value::UNDEFINED);
    }
    if let Some(text) = value.as_str() {
        let mut chars = text.chars();
        return Ok(if last { chars.next_back() } else { chars.next() }.map_or(Value::UNDEFINED, Value::from));
    }
    let mut parts = value.try_iter()?;
    Ok(if last { parts.last() } else { parts.next() }.unwrap_or(Value::UNDEFINED))
}

/// Reads a time: in the given format, or in any that a field of type time takes.
fn read_time(value: &Value, format: Option<&str>) -> Result<Option<jiff::Timestamp>, Error> {
    if is_empty(value) {
        return Ok(None);
    }
    let json = lower(value).map_err(|reason| Error::new(ErrorKind::InvalidOperation, reason))?;
    let found = match (format, json.as_str()) {
        (Some(format), Some(text)) => convert::by_format(format, text.trim()),
        _ => convert::read_time(&json),
    };
    found.map(Some).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, t!("mapping.expression.no_time", value = convert::shown(&json))))
}

fn written(time: Option<jiff::Timestamp>) -> Value {
    time.map_or(Value::UNDEFINED, |time| Value::from(convert::rfc3339(time)))
}

/// `started | time`, `started | time('%m/%d/%Y')`.
fn time(value: &Value, format: Option<String>) -> Result<Value, Error> {
    Ok(written(read_time(value, format.as_deref())?))
}

/// The day, in UTC: `2025-03-01`.
fn date(value: &Value, format: Option<String>) -> Result<Value, Error> {
    let time = read_time(value, format.as_deref())?;
    Ok(time.map_or(Value::UNDEFINED, |time| Value::from(time.to_zoned(jiff::tz::TimeZone::UTC).date().to_string())))
}

/// `last_login | strftime('%Y-%m')`, in UTC.
fn strftime(value: &Value, format: String) -> Result<Value, Error> {
    let Some(time) = read_time(value, None)? else { return Ok(Value::UNDEFINED) };
    // Widths such as `%999999999d` make much out of little.
    if format.len() > 100 || format.bytes().filter(u8::is_ascii_digit).count() > 6 {
        return Err(Error::new(ErrorKind::InvalidOperation, t!("mapping.expression.bad_format")));
    }
    let made = jiff::fmt::strtime::format(&format, &time.to_zoned(jiff::tz::TimeZone::UTC))
        .map_err(|_| Error::new(ErrorKind::InvalidOperation, t!("mapping.expression.bad_format")))?;
    spend(made.len())?;
    Ok(Value::from(made))
}

/// `seconds | times(1000)`.
fn times(value: &Value, by: f64) -> Result<Value, Error> {
    if is_empty(value) {
        return Ok(Value::UNDEFINED);
    }
    let number = f64::try_from(value.clone())? * by;
    // A whole number stays one, so that it is not written with a fraction.
    #[allow(clippy::cast_possible_truncation)]
    Ok(if number.fract() == 0.0 && number.abs() < 9e15 { Value::from(number as i64) } else { Value::from(number) })
}

fn add_days(value: &Value, days: i64) -> Result<Value, Error> {
    let Some(time) = read_time(value, None)? else { return Ok(Value::UNDEFINED) };
    let moved = days.checked_mul(86_400).and_then(|seconds| time.checked_add(jiff::SignedDuration::from_secs(seconds)).ok());
    moved.map(|time| written(Some(time))).ok_or_else(|| Error::new(ErrorKind::InvalidOperation, t!("mapping.expression.far_day")))
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Token<'t> {
    Word(&'t str),
    Mark(char),
    Literal,
}

/// Finds names of filters, tests and functions that do not exist: minijinja itself would tell only when it gets there.
fn known(text: &str) -> Result<(), ExpressionError> {
    let tokens = tokens(text);
    let fail = |at: usize, reason: String| Err(ExpressionError { at: Some(text.get(..at).map_or(0, |before| before.chars().count()) + 1), reason });
    for (i, (at, token)) in tokens.iter().enumerate() {
        let back = |n: usize| i.checked_sub(n).map(|i| tokens[i].1);
        if *token == Token::Mark('*') {
            // In minijinja it also repeats texts and lists, up to gigabytes.
            return fail(*at, t!("mapping.expression.star").to_owned());
        }
        let Token::Word(word) = *token else { continue };
        let called = tokens.get(i + 1).is_some_and(|(_, next)| *next == Token::Mark('('));
        if back(1) == Some(Token::Mark('|')) {
            if !FILTERS.contains(&word) {
                return fail(*at, t!("mapping.expression.unknown_filter", name = word, known = FILTERS.join(", ")));
            }
        } else if back(1) == Some(Token::Word("is")) && word != "not" || (back(1) == Some(Token::Word("not")) && back(2) == Some(Token::Word("is"))) {
            // `is` can be a member's name, too: `x.is`.
            if back(2) != Some(Token::Mark('.')) && !TESTS.contains(&word) {
                return fail(*at, t!("mapping.expression.unknown_test", name = word, known = TESTS.join(", ")));
            }
        } else if called && back(1) == Some(Token::Mark('.')) {
            return fail(*at, t!("mapping.expression.method", name = word));
        } else if called && !FUNCTIONS.contains(&word) && !matches!(word, "and" | "or" | "not" | "in" | "if" | "else" | "is") {
            return fail(*at, t!("mapping.expression.unknown_function", name = word, known = FUNCTIONS.join(", ")));
        }
    }
    Ok(())
}

fn tokens(text: &str) -> Vec<(usize, Token<'_>)> {
    let mut out = Vec::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '"' || c == '\'' {
            let mut escaped = false;
            for (_, inner) in chars.by_ref() {
                if inner == c && !escaped {
                    break;
                }
                escaped = inner == '\\' && !escaped;
            }
            out.push((at, Token::Literal));
        } else if c.is_alphanumeric() || c == '_' {
            let mut end = at + c.len_utf8();
            while let Some((next, c)) = chars.next_if(|(_, c)| c.is_alphanumeric() || *c == '_') {
                end = next + c.len_utf8();
            }
            out.push((at, if c.is_ascii_digit() { Token::Literal } else { Token::Word(&text[at..end]) }));
        } else if !c.is_whitespace() {
            out.push((at, Token::Mark(c)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn run(text: &str, record: &Json) -> Result<Json, String> {
        let expression = Expression::parse(text).map_err(|error| format!("{error:?}"))?;
        let null = Json::Null;
        let value = expression.evaluate(|i| match expression.names()[i].as_str() {
            RECORD => record,
            name => record.get(name).unwrap_or(&null),
        })?;
        lower(&value)
    }

    #[test]
    fn what_expressions_come_to() {
        let record = json!({
            "email": " Ada@Example.com ", "first": "ada", "last": "LOVELACE", "nil": null, "n": 3, "ok": true, "User Name": "al",
            "profile": {"dept": "Engines", "none": null}, "roles": ["admin", "user"], "started": "03/04/2025", "seen": 1_740_823_200,
            "empty": " ", "emails": [{"type": "home", "value": "h"}, {"type": "work", "value": "w"}],
        });
        for (text, expected) in [
            ("email | trim | lower", json!("ada@example.com")),
            ("first | title ~ ' ' ~ last | title", json!("Ada Lovelace")),
            ("first ~ ' ' ~ nil ~ absent", json!("ada ")),
            ("absent", json!(null)),
            ("absent | lower | trim", json!(null)),
            ("absent.deeper.still", json!(null)),
            ("profile.none.x | default('d')", json!("d")),
            ("nil | default('d')", json!("d")),
            ("empty | default('d')", json!("d")),
            ("ok | default('d')", json!(true)),
            ("coalesce(absent, nil, empty, first)", json!("ada")),
            ("absent | coalesce(nil, last)", json!("LOVELACE")),
            ("profile.dept | upper", json!("ENGINES")),
            ("record['User Name']", json!("al")),
            ("record.profile.dept", json!("Engines")),
            ("'Staff' if ok else 'Guest'", json!("Staff")),
            ("{'ada': 'A'}[first] | default('B')", json!("A")),
            ("{'x': 'A'}[first] | default('B')", json!("B")),
            ("roles | join(', ')", json!("admin, user")),
            ("roles | first", json!("admin")),
            ("roles | last", json!("user")),
            ("'admin' in roles", json!(true)),
            ("roles", json!(["admin", "user"])),
            ("email | trim | before('@')", json!("Ada")),
            ("email | trim | after('@')", json!("Example.com")),
            ("(email | trim | split('@'))[1]", json!("Example.com")),
            ("absent | split('@') | first", json!(null)),
            ("first | replace('a', 'oo')", json!("oodoo")),
            ("n + 1", json!(4)),
            ("n | times(1000)", json!(3000)),
            ("absent | times(2)", json!(null)),
            ("n is number and not n is none", json!(true)),
            ("nothing is sequence", json!(false)),
            ("n is sequence", json!(false)),
            ("absent is defined", json!(false)),
            ("first is startingwith('a')", json!(true)),
            ("(emails | selectattr('type', 'eq', 'work') | first).value", json!("w")),
            ("emails | map(attribute='value') | join('+')", json!("h+w")),
            ("started | time('%d/%m/%Y')", json!("2025-04-03T00:00:00Z")),
            ("seen | date", json!("2025-03-01")),
            ("seen | strftime('%Y-%m')", json!("2025-03")),
            ("seen | add_days(1) | date", json!("2025-03-02")),
            ("absent | date", json!(null)),
            ("ok and n > 2", json!(true)),
        ] {
            assert_eq!(run(text, &record), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_does_not_parse() {
        for (text, at) in [
            ("", None),
            ("email | nope", Some(9)),
            ("'é' ~ email | nope", Some(15)),
            ("x is funny", Some(6)),
            ("x is not funny", Some(10)),
            ("range(9)", Some(1)),
            ("email.lower()", Some(7)),
            ("x | tojson", Some(5)),
            ("x | indent", Some(5)),
            ("x | format", Some(5)),
            ("x * 9", Some(3)),
        ] {
            let error = Expression::parse(text).expect_err(text);
            assert_eq!(error.at, at, "{text}: {error}");
            assert!(error.reason.ends_with('.'), "{error}");
        }
        for text in ["email |", "a b", "(", "'open", "{% if x %}", "x ~", "x**9", &"a".repeat(MAX_BYTES + 1)] {
            assert!(Expression::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_read() {
        let names = |text: &str| Expression::parse(text).unwrap().names().to_vec();
        assert_eq!(names("first ~ profile.last | default(other)"), ["first", "other", "profile"]);
        assert_eq!(names("coalesce(a, b)"), ["a", "b"]);
        assert_eq!(names("record['x']"), ["record"]);
        assert_eq!(names("'constant'"), Vec::<String>::new());
    }

    #[test]
    fn what_would_take_too_much_stops() {
        let record = json!({"x": "aaaaaaaaaaaaaaaaaaaaaaaa".repeat(1000), "list": vec!["b"; 10_000]});
        for text in ["x | replace('a', x) | replace('a', x)", "list | join(x)", "list | map('replace', 'b', x) | list", "x | replace('', x)"] {
            let error = run(text, &record).expect_err(text);
            assert!(error.ends_with('.'), "{error}");
        }
        // The budget is for one evaluation, not for all.
        assert!((0..1000).all(|_| run("x | upper", &record).is_ok()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1000))]
        #[test]
        fn parsing_and_running_never_panic(text in "\\PC{0,40}|[a-c|()'. ~*0-9\\[\\]]{0,30}|(a|b|c| \\| lower| \\| time| \\| split| \\| first|\\.a|\\[0\\]| ~ | \\+ | is none|'x'){1,8}",
            record in crate::mapping::path::tests::value()) {
            let _ = run(&text, &json!({"a": record, "b": "2025-01-01"}));
        }
    }
}
