//! What an answer means: the connector's own rules first, then the HTTP status.

use std::sync::LazyLock;
use std::time::Duration;

use minijinja::{Environment, UndefinedBehavior};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::model::{Connector, ErrorAction, ErrorRule, Problem};
use crate::problem;
use crate::words::clean;

/// What to make of an answer.
pub enum Verdict<'c> {
    Fine,
    /// By the HTTP status.
    Status(ErrorAction),
    /// By a rule of the connector.
    Rule(&'c ErrorRule),
}

impl Verdict<'_> {
    /// `None` when all is well.
    #[must_use]
    pub fn action(&self) -> Option<ErrorAction> {
        match self {
            Self::Fine => None,
            Self::Status(action) => Some(*action),
            Self::Rule(rule) => Some(rule.action),
        }
    }

    /// What the connector says that it means, for people.
    #[must_use]
    pub fn message(&self) -> Option<&str> {
        match self {
            Self::Rule(rule) => rule.message.as_deref(),
            _ => None,
        }
    }

    /// How long the rule that applies says to wait.
    #[must_use]
    pub fn wait(&self, status: u16, headers: &[(String, String)], body: &[u8]) -> Option<Duration> {
        let Self::Rule(ErrorRule { wait: Some(expression), .. }) = self else { return None };
        let value = evaluate(expression, &Said { status, headers, body: &visible(status, body) }).ok()?;
        let seconds = value.as_str().map_or_else(|| f64::try_from(value.clone()).ok(), |text| text.trim().parse().ok())?;
        Duration::try_from_secs_f64(seconds).ok()
    }
}

/// Expressions over `status`, `body` and `headers`: no loops to speak of, no functions that could run away.
static ENVIRONMENT: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    // A member of a member that is missing is just missing.
    environment.set_undefined_behavior(UndefinedBehavior::Chainable);
    environment.set_fuel(Some(20_000));
    environment.remove_global("range");
    // The library's own test takes whatever can be gone through for a sequence, and a member that is missing can: an error without `data`
    // would pass for an empty list.
    environment.add_test("sequence", |value: &minijinja::Value| value.kind() == minijinja::value::ValueKind::Seq);
    environment
});

/// Members of a success body longer than this are not shown to rules: they are the records.
const LONGEST_MEMBER: usize = 32 << 10;

/// Judges an answer. The first rule that applies wins; an expression that fails does not apply.
#[must_use]
pub fn judge<'c>(connector: &'c Connector, status: u16, headers: &[(String, String)], body: &[u8]) -> Verdict<'c> {
    let mut seen: Option<Value> = None;
    for rule in connector.errors.iter().filter(|rule| rule.status.is_none_or(|wanted| wanted == status)) {
        let applies = match &rule.when {
            // A rule without any condition is for errors.
            None => rule.status.is_some() || status >= 400,
            Some(when) => {
                let body = seen.get_or_insert_with(|| visible(status, body));
                evaluate(when, &Said { status, headers, body }).is_ok_and(|value| value.is_true())
            }
        };
        if applies {
            return Verdict::Rule(rule);
        }
    }
    match status {
        200..300 => Verdict::Fine,
        401 => Verdict::Status(ErrorAction::Refresh),
        429 => Verdict::Status(ErrorAction::RateLimited),
        // 503 with Retry-After is how many say that there were too many requests (RFC 9110 §15.6.4); without, it is waited for all the same.
        503 => Verdict::Status(ErrorAction::RateLimited),
        408 | 500 | 502 | 504 => Verdict::Status(ErrorAction::Retry),
        _ => Verdict::Status(ErrorAction::Fail),
    }
}

/// Whether `expression` (over `status` and `body`) holds for an answer: the `ok` of a connector's check.
pub fn holds(connector: &Connector, expression: &str, status: u16, body: &[u8]) -> Result<bool, Problem> {
    // All of it: a check asks for little, and a member that was left out would decide wrongly.
    let body = serde_json::from_slice(body).unwrap_or_else(|_| visible(status, body));
    let value = evaluate(expression, &Said { status, headers: &[], body: &body }).map_err(|error| unusable(connector, expression, &error))?;
    Ok(value.is_true())
}

/// Whether `expression` (over `item` and `input`) holds for one of the things that were looked up: the `when` of a connector's `discover`.
pub fn picks(connector: &Connector, expression: &str, item: &Value, input: &indexmap::IndexMap<String, String>) -> Result<bool, Problem> {
    let context = minijinja::context! { item => minijinja::value::Serde(item), input => minijinja::value::Serde(input) };
    let value = ENVIRONMENT.compile_expression(expression).and_then(|compiled| compiled.eval(context));
    Ok(value.map_err(|error| unusable(connector, expression, &error))?.is_true())
}

/// Whether all expressions of a connector can be used.
pub fn check(connector: &Connector) -> Result<(), Problem> {
    for expression in connector.errors.iter().flat_map(|rule| rule.when.iter().chain(&rule.wait)) {
        ENVIRONMENT.compile_expression(expression).map_err(|error| unusable(connector, expression, &error))?;
    }
    Ok(())
}

fn unusable(connector: &Connector, expression: &str, error: &minijinja::Error) -> Problem {
    let reason = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    problem!(
        Usage,
        "vendor.expression",
        connector = clean::line(&connector.name, 100),
        expression = clean::line(expression, 200),
        reason = clean::line(&reason, 200)
    )
}

/// An answer as expressions see it.
struct Said<'s> {
    status: u16,
    headers: &'s [(String, String)],
    body: &'s Value,
}

fn evaluate(expression: &str, said: &Said<'_>) -> Result<minijinja::Value, minijinja::Error> {
    let compiled = ENVIRONMENT.compile_expression(expression)?;
    let lower = |(name, value): &(String, String)| (name.to_ascii_lowercase(), value.clone());
    let headers = minijinja::Value::from_pairs(said.headers.iter().map(lower));
    compiled.eval(minijinja::context! { status => said.status, headers, body => minijinja::value::Serde(said.body) })
}

/// The body as rules see it: JSON as it is, other text as text. Of a success only what is small, so that a page of records is not built
/// twice.
fn visible(status: u16, body: &[u8]) -> Value {
    if status >= 300 || body.len() <= LONGEST_MEMBER {
        let body = &body[..body.len().min(1 << 20)];
        return serde_json::from_slice(body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(body).into_owned()));
    }
    #[derive(Deserialize)]
    struct Members<'a>(#[serde(borrow)] indexmap::IndexMap<std::borrow::Cow<'a, str>, &'a RawValue>);
    let Ok(Members(members)) = serde_json::from_slice(body) else { return Value::Null };
    let small = members.into_iter().filter(|(_, raw)| raw.get().len() <= LONGEST_MEMBER);
    Value::Object(small.filter_map(|(name, raw)| Some((name.into_owned(), serde_json::from_str(raw.get()).ok()?))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connector(rules: &str) -> Connector {
        toml::from_str(&format!("schema = 1\nid = 'x'\nname = 'X'\n{rules}")).unwrap()
    }

    #[test]
    fn what_is_missing_is_no_sequence() {
        let none = connector("");
        for body in [&br#"{"error": {"code": 1}}"#[..], b"not JSON", b"", b"null", br#"{"data": null}"#, br#"{"data": "text"}"#, b"{\"cut"] {
            assert!(!holds(&none, "body.data is sequence", 403, body).unwrap(), "{}", String::from_utf8_lossy(body));
        }
        assert!(holds(&none, "body.data is sequence", 200, br#"{"data": []}"#).unwrap());
        let long = format!(r#"{{"data": ["{}"]}}"#, "x".repeat(3 * LONGEST_MEMBER));
        assert!(holds(&none, "body.data is sequence", 200, long.as_bytes()).unwrap());
    }

    #[test]
    fn statuses_without_rules() {
        let none = connector("");
        let action = |status| judge(&none, status, &[], b"{}").action();
        assert_eq!(action(200), None);
        assert_eq!(action(204), None);
        assert_eq!(action(302), Some(ErrorAction::Fail));
        assert_eq!(action(401), Some(ErrorAction::Refresh));
        assert_eq!(action(403), Some(ErrorAction::Fail));
        assert_eq!(action(429), Some(ErrorAction::RateLimited));
        assert_eq!(action(500), Some(ErrorAction::Retry));
        assert_eq!(action(503), Some(ErrorAction::RateLimited));
    }

    #[test]
    fn rules_see_errors_inside_a_success() {
        let slack = connector(
            "[[error]]\nwhen = \"body.ok == false and body.error == 'ratelimited'\"\naction = 'rate_limited'\n\
             [[error]]\nwhen = 'body.ok == false'\naction = 'fail'\nmessage = 'Slack said no'\n\
             [[error]]\nstatus = 404\naction = 'ignore'",
        );
        let action = |status, body: &str| judge(&slack, status, &[], body.as_bytes()).action();
        assert_eq!(action(200, r#"{"ok":false,"error":"ratelimited"}"#), Some(ErrorAction::RateLimited));
        assert_eq!(action(200, r#"{"ok":false,"error":"x"}"#), Some(ErrorAction::Fail));
        assert_eq!(action(200, r#"{"ok":true}"#), None);
        assert_eq!(action(404, "nothing"), Some(ErrorAction::Ignore));
        // The flag is seen beside a large list, which is not.
        let large = format!(r#"{{"members":["{}"],"ok":false,"error":"x"}}"#, "y".repeat(100_000));
        assert_eq!(action(200, &large), Some(ErrorAction::Fail));
        assert_eq!(judge(&slack, 200, &[], large.as_bytes()).message(), Some("Slack said no"));
    }

    #[test]
    fn rules_see_headers_and_say_how_long_to_wait() {
        let vendor = connector(
            "[[error]]\nstatus = 403\nwhen = \"headers['x-remaining'] == '0'\"\naction = 'rate_limited'\n\
             [[error]]\nwhen = \"body.code == 'slow'\"\naction = 'rate_limited'\nwait = 'body.seconds'\n\
             [[error]]\nwhen = \"body.code == 'later'\"\naction = 'rate_limited'\nwait = \"headers['x-in'] | float + 1\"",
        );
        let none = [("X-Remaining".to_owned(), "0".to_owned()), ("X-In".to_owned(), "2.5".to_owned())];
        assert_eq!(judge(&vendor, 403, &none, b"").action(), Some(ErrorAction::RateLimited));
        assert_eq!(judge(&vendor, 403, &[], b"").action(), Some(ErrorAction::Fail));
        let wait = |body: &str| judge(&vendor, 200, &none, body.as_bytes()).wait(200, &none, body.as_bytes()).map(|wait| wait.as_secs_f64());
        for (body, seconds) in [
            (r#"{"code":"slow","seconds":12}"#, Some(12.0)),
            (r#"{"code":"slow","seconds":"1.5"}"#, Some(1.5)),
            (r#"{"code":"slow","seconds":-1}"#, None),
            (r#"{"code":"slow","seconds":"soon"}"#, None),
            (r#"{"code":"slow"}"#, None),
            (r#"{"code":"later"}"#, Some(3.5)),
            (r#"{"code":"fine"}"#, None),
        ] {
            assert_eq!(wait(body), seconds, "{body}");
        }
    }

    #[test]
    fn what_was_looked_up_is_told_apart_by_the_inputs() {
        let none = connector("");
        let input = [("site".to_owned(), "contoso".to_owned())].into_iter().collect();
        let picked =
            |url: &str| picks(&none, "item.url == 'https://' ~ input.site ~ '.example'", &serde_json::json!({ "url": url }), &input).unwrap();
        assert!(picked("https://contoso.example") && !picked("https://fabrikam.example"));
        assert!(picks(&none, "item.(", &Value::Null, &input).is_err());
    }

    #[test]
    fn expressions_are_checked_and_bounded() {
        assert!(check(&connector("[[error]]\nwhen = 'body.ok =='\naction = 'fail'")).is_err());
        let x = connector("");
        assert!(holds(&x, "status == 200 and body.id", 200, br#"{"id":7}"#).unwrap());
        assert!(!holds(&x, "body.a.b.c", 200, b"[]").unwrap());
        assert!(holds(&x, "range(10)", 200, b"{}").is_err());
    }
}
