//! Templates of definitions: addresses, paths, parameters. And whether the small expressions that say what an answer means can be read;
//! `vendor` evaluates them.
//!
//! Jinja-style, but expressions only: statements are refused, so that a definition can neither loop nor grow memory. A name without a
//! value is an error; `{{ input.tenant or 'organizations' }}` says what stands in its place.

use std::fmt;
use std::sync::LazyLock;

use base64::Engine as _;
use indexmap::IndexMap;
use minijinja::value::Value;
use minijinja::{Environment, UndefinedBehavior};

use crate::model::{Connector, Problem};
use crate::problem;
use crate::words::clean;

/// What a template can name.
#[derive(Clone, Default, PartialEq)]
pub struct Context {
    /// `input.KEY`: settings and, where a request needs them, secrets.
    pub input: IndexMap<String, String>,
    /// `found.KEY`: captured while connecting.
    pub found: IndexMap<String, String>,
    /// Names that are known in one kind of template only, as they are written there: `step.NAME` (what an earlier step of a login saved),
    /// `found.key.NAME` (members of a pasted key file), `key_fingerprint`, `since`.
    pub more: IndexMap<String, String>,
}

/// Keys only: values may be secrets.
impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys = |map: &IndexMap<String, String>| map.keys().cloned().collect::<Vec<_>>();
        f.debug_struct("Context").field("input", &keys(&self.input)).field("found", &keys(&self.found)).field("more", &keys(&self.more)).finish()
    }
}

impl Context {
    /// What a credential of `method` gives to templates: its settings, and the defaults of inputs that it leaves empty. An optional input
    /// without a value has no name here.
    #[must_use]
    pub fn new(connector: &Connector, method: &str, settings: &IndexMap<String, String>, found: &IndexMap<String, String>) -> Self {
        let mut input: IndexMap<String, String> =
            settings.iter().filter(|(_, value)| !value.is_empty()).map(|(key, value)| (key.clone(), value.clone())).collect();
        for one in connector.inputs_for(method) {
            if let Some(default) = one.default.as_ref().filter(|default| !default.is_empty()) {
                input.entry(one.key.clone()).or_insert_with(|| default.clone());
            }
        }
        Self { input, found: found.clone(), more: IndexMap::new() }
    }

    /// The same with one more name; see [`Context::more`].
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.more.insert(name.to_owned(), value.to_owned());
        self
    }

    fn value(&self) -> Value {
        let pairs = |map: &IndexMap<String, String>| map.iter().map(|(key, value)| (key.clone(), Value::from(value.clone()))).collect::<Vec<_>>();
        let more = |prefix: &str| -> Vec<(String, Value)> {
            let named = self.more.iter().filter_map(|(name, value)| Some((name.strip_prefix(prefix)?.to_owned(), Value::from(value.clone()))));
            named.filter(|(name, _)| !name.contains('.')).collect()
        };
        let mut found = pairs(&self.found);
        let key = more("found.key.");
        if !key.is_empty() {
            found.push(("key".to_owned(), Value::from_pairs(key)));
        }
        let mut all = more("");
        all.push(("input".to_owned(), Value::from_pairs(pairs(&self.input))));
        all.push(("found".to_owned(), Value::from_pairs(found)));
        all.push(("step".to_owned(), Value::from_pairs(more("step."))));
        Value::from_pairs(all)
    }

    fn has(&self, name: &str) -> bool {
        if self.more.contains_key(name) {
            return true;
        }
        match name.split_once('.') {
            Some(("input", key)) => self.input.contains_key(key),
            Some(("found", key)) => self.found.contains_key(key),
            // The name of a whole table, which an expression may ask for.
            None => matches!(name, "input" | "found" | "step"),
            _ => false,
        }
    }
}

/// Steps a template may take; an address takes a few dozen.
const FUEL: u64 = 20_000;
/// The longest result, in bytes.
const MAX_RESULT: usize = 64 << 10;

/// Printing a name without a value fails; asking whether it has one does not. Nothing that could grow a text is available.
static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::empty();
    env.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    env.set_fuel(Some(FUEL));
    env.add_filter("lower", |text: String| text.to_lowercase());
    env.add_filter("upper", |text: String| text.to_uppercase());
    env.add_filter("trim", |text: String| text.trim().to_owned());
    env.add_filter("replace", replace);
    env.add_filter("urlencode", |text: String| urlencode(&text));
    env.add_filter("base64", base64);
    env.add_filter("default", minijinja::filters::default);
    env.add_test("defined", minijinja::tests::is_defined);
    env.add_test("startingwith", minijinja::tests::is_startingwith);
    env.add_test("endingwith", minijinja::tests::is_endingwith);
    env
});

/// Only ever compiles.
static EXPRESSIONS: LazyLock<Environment<'static>> = LazyLock::new(Environment::new);

/// Never makes a text longer: several in a row could otherwise grow it without bounds.
fn replace(text: String, from: String, to: String) -> Result<String, minijinja::Error> {
    if from.is_empty() || to.len() > from.len() {
        return Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, crate::t!("catalog.replace")));
    }
    Ok(text.replace(&from, &to))
}

/// The longest text that is written in base64.
const MAX_BASE64: usize = 16 << 10;

/// RFC 4648 §4, with padding: the credentials of a login that are those of RFC 7617. Longer texts are refused: several filters in a row could
/// otherwise grow one without bounds.
fn base64(text: String) -> Result<String, minijinja::Error> {
    if text.len() > MAX_BASE64 {
        return Err(minijinja::Error::new(minijinja::ErrorKind::InvalidOperation, crate::t!("catalog.base64")));
    }
    Ok(base64::engine::general_purpose::STANDARD.encode(text))
}

/// Everything but unreserved characters (RFC 3986 §2.3) as `%XX`: one segment of a path, one value of a query.
fn urlencode(text: &str) -> String {
    use fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Renders one template. A name without a value is an error that says which. Values are never part of the error.
pub fn render(template: &str, context: &Context) -> Result<String, Problem> {
    if is_plain(template) {
        return Ok(template.to_owned());
    }
    let wrong = |reason: String| problem!(Failed, "catalog.template", template = clean::line(template, 120), reason = reason);
    if template.contains("{%") {
        return Err(wrong(crate::t!("catalog.statement").to_owned()));
    }
    let compiled = TEMPLATES.template_from_str(template).map_err(|error| wrong(reason(&error)))?;
    match compiled.render(context.value()) {
        Ok(text) if text.len() > MAX_RESULT => Err(wrong(crate::t!("catalog.long_result").to_owned())),
        Ok(text) => Ok(text),
        Err(error) if error.kind() == minijinja::ErrorKind::UndefinedError => {
            let missing = missing(template, context);
            // As the person knows them: the key of an input.
            let names: Vec<&str> = missing.iter().map(|name| name.strip_prefix("input.").unwrap_or(name)).collect();
            Err(problem!(Usage, "catalog.no_value", names = clean::line(&names.join(", "), 200)))
        }
        Err(error) => Err(wrong(reason(&error))),
    }
}

/// Renders the values of a query, a form or headers. One that comes out empty is left out, so that an optional input can steer it.
pub fn pairs(templates: &IndexMap<String, String>, context: &Context) -> Result<Vec<(String, String)>, Problem> {
    let rendered = templates.iter().map(|(name, value)| Ok((name.clone(), render(value, context)?)));
    rendered.filter(|pair: &Result<(String, String), Problem>| pair.as_ref().map_or(true, |(_, value)| !value.is_empty())).collect()
}

/// Renders the texts of a JSON value: of its members and elements, not their names. A member or element whose template comes out empty is left
/// out, so that an optional input can steer it.
pub fn json(value: &serde_json::Value, context: &Context) -> Result<serde_json::Value, Problem> {
    use serde_json::Value as Json;
    let kept = |value: &Json| -> Result<Option<Json>, Problem> {
        match value {
            Json::String(text) if !is_plain(text) => Ok(Some(render(text, context)?).filter(|text| !text.is_empty()).map(Json::String)),
            other => json(other, context).map(Some),
        }
    };
    Ok(match value {
        Json::String(text) => Json::String(render(text, context)?),
        Json::Array(list) => Json::Array(list.iter().filter_map(|one| kept(one).transpose()).collect::<Result<_, _>>()?),
        Json::Object(members) => {
            let rendered = members.iter().filter_map(|(name, one)| kept(one).transpose().map(|one| one.map(|one| (name.clone(), one))));
            Json::Object(rendered.collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}

/// The first that renders completely and non-empty; `None` when the list is empty, or when all come out empty. When none renders, the
/// error of the first one.
pub fn first(templates: &[String], context: &Context) -> Result<Option<String>, Problem> {
    let mut problem = None;
    for template in templates {
        match render(template, context) {
            Ok(text) if !text.trim().is_empty() => return Ok(Some(text)),
            Ok(_) => {}
            Err(error) => {
                problem.get_or_insert(error);
            }
        }
    }
    problem.map_or(Ok(None), Err)
}

/// Whether a text needs no engine.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    !text.contains("{{") && !text.contains("{%") && !text.contains("{#")
}

/// The names a template uses (`input.tenant`), or why it cannot be read.
pub fn names(template: &str) -> Result<Vec<String>, String> {
    if is_plain(template) {
        return Ok(Vec::new());
    }
    if template.contains("{%") {
        return Err(crate::t!("catalog.statement").to_owned());
    }
    let compiled = TEMPLATES.template_from_str(template).map_err(|error| reason(&error))?;
    let mut names: Vec<String> = compiled.undeclared_variables(true).into_iter().collect();
    names.sort();
    Ok(names)
}

/// The names a template uses that have no value.
#[must_use]
pub fn missing(template: &str, context: &Context) -> Vec<String> {
    names(template).unwrap_or_default().into_iter().filter(|name| !context.has(name)).collect()
}

/// Whether an expression can be read, and names nothing but `known`.
pub fn check_expression(expression: &str, known: &[&str]) -> Result<(), String> {
    let compiled = EXPRESSIONS.compile_expression(expression).map_err(|error| reason(&error))?;
    let mut unknown: Vec<String> = compiled.undeclared_variables(false).into_iter().filter(|name| !known.contains(&name.as_str())).collect();
    unknown.sort();
    match unknown.first() {
        Some(name) => Err(crate::t!("catalog.expression_name", name = clean::line(name, 80), known = known.join(", "))),
        None => Ok(()),
    }
}

/// The engine's own words, cut and cleaned. They name parts of the template, not values.
fn reason(error: &minijinja::Error) -> String {
    let text = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    clean::line(&text, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pairs: &[(&str, &str)]) -> Context {
        Context { input: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), ..Context::default() }
    }

    #[test]
    fn templates_render() {
        let c = context(&[("tenant", "contoso"), ("name", "A b/c"), ("empty", "")]);
        for (template, expected) in [
            ("https://plain.example/x", "https://plain.example/x"),
            ("Basic {{ (input.tenant ~ ':' ~ input.name) | base64 }}", "Basic Y29udG9zbzpBIGIvYw=="),
            ("https://{{ input.tenant }}.example", "https://contoso.example"),
            ("{{ input.other or 'organizations' }}", "organizations"),
            ("{{ input.empty or 'x' }}", "x"),
            ("{{ input.name | urlencode }}", "A%20b%2Fc"),
            ("{{ input.tenant | upper }}", "CONTOSO"),
            ("{{ input.tenant | replace('so', '_') }}", "conto_"),
            ("{{ 'eu' if input.tenant == 'contoso' else 'us' }}", "eu"),
            ("a { b } c", "a { b } c"),
        ] {
            assert_eq!(render(template, &c).unwrap(), expected, "{template}");
        }
    }

    #[test]
    fn names_of_one_kind_of_template() {
        let c = context(&[("a", "1")]).with("step.ticket", "t-1").with("found.key.client_email", "x@y").with("key_fingerprint", "f=");
        assert_eq!(render("{{ step.ticket }} {{ found.key.client_email }} {{ key_fingerprint }} {{ input.a }}", &c).unwrap(), "t-1 x@y f= 1");
        let problem = render("{{ step.ticket }}{{ step.cookie }}", &c).unwrap_err();
        assert!(problem.why.contains("step.cookie, which") && !format!("{problem:?}{c:?}").contains("t-1"), "{problem:?}");
        assert_eq!(render("{{ step.cookie or 'none' }}{{ found.site or '' }}", &c).unwrap(), "none");
    }

    #[test]
    fn json_is_filled_in() {
        let c = context(&[("a", "1"), ("quote", "\"}")]);
        let body = serde_json::json!({"n": 1, "a": "{{ input.a }}", "plain": "", "gone": "{{ input.b or '' }}", "{{ input.a }}": ["{{ input.quote }}", null]});
        let expected = serde_json::json!({"n": 1, "a": "1", "plain": "", "{{ input.a }}": ["\"}", null]});
        assert_eq!(json(&body, &c).unwrap(), expected);
        assert!(json(&serde_json::json!(["{{ input.b }}"]), &c).is_err());
    }

    #[test]
    fn a_missing_name_is_said() {
        let problem = render("https://{{ input.tenant }}/{{ input.tenante }}", &context(&[("tenant", "x")])).unwrap_err();
        assert!(problem.why.contains("tenante"), "{problem:?}");
        assert!(!problem.why.contains(" tenant,"), "{problem:?}");
    }

    #[test]
    fn statements_and_dangerous_builtins_are_refused() {
        for template in [
            "{% for x in [1] %}{% endfor %}",
            "{{ range(10) }}",
            "{{ [1,2]|join(',') }}",
            "{{ 'a'|replace('a','bb') }}",
            "{{ 'a'|replace('','b') }}",
            "{{ '%s'|format(1) }}",
        ] {
            assert!(render(template, &Context::default()).is_err(), "{template}");
        }
    }

    #[test]
    fn a_value_is_no_template() {
        assert_eq!(render("{{ input.a }}", &context(&[("a", "{{ input.b }}")])).unwrap(), "{{ input.b }}");
    }

    #[test]
    fn a_secret_is_not_in_an_error() {
        let problem = render("{{ input.token }}{{ input.token + 1 }}", &context(&[("token", "s3cret-value")])).unwrap_err();
        assert!(!format!("{problem:?}").contains("s3cret-value"), "{problem:?}");
        assert!(!format!("{:?}", context(&[("token", "s3cret-value")])).contains("s3cret"));
    }

    #[test]
    fn the_first_complete_one_wins() {
        let list = |items: &[&str]| items.iter().map(|s| (*s).to_owned()).collect::<Vec<_>>();
        let c = context(&[("a", "1"), ("e", "")]);
        assert_eq!(first(&list(&["{{ input.b }}", "{{ input.e }}", "x{{ input.a }}"]), &c).unwrap().as_deref(), Some("x1"));
        assert_eq!(first(&[], &c).unwrap(), None);
        assert_eq!(first(&list(&["{{ input.e }}"]), &c).unwrap(), None);
        assert!(first(&list(&["{{ input.b }}"]), &c).is_err());
    }

    #[test]
    fn expressions_name_status_and_body_only() {
        for (expression, right) in [
            ("not body.ok and body.error == 'ratelimited'", true),
            ("status in [401, 403]", true),
            ("body.list | length == 2", true),
            ("bodi.ok", false),
            ("body.(", false),
        ] {
            assert_eq!(check_expression(expression, &["status", "body"]).is_ok(), right, "{expression}");
        }
    }

    #[test]
    fn base64_in_a_row_cannot_grow_a_text_without_bounds() {
        let many = format!("{{{{ input.a{} }}}}", " | base64".repeat(60));
        let problem = render(&many, &context(&[("a", "0123456789")])).unwrap_err();
        assert!(problem.why.contains("16 KiB"), "{problem:?}");
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(template in "(?s).{0,60}", open in "\\PC{0,30}") {
            let _ = render(&template, &Context::default());
            let _ = render(&format!("{{{{ {open} }}}}"), &Context::default());
            let _ = names(&template);
            let _ = check_expression(&open, &[]);
        }
    }
}
