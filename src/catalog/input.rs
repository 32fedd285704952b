//! One input's value: tidied when it is pasted, checked while it is typed.

use regex::RegexBuilder;

use super::addresses;
use crate::model::{Finding, Input, Problem, Severity};
use crate::problem;
use crate::words::clean;

/// Builds a pattern that must match the whole value. Patterns come from files: their compiled size is bounded.
pub fn pattern(pattern: &str) -> Result<regex::Regex, regex::Error> {
    RegexBuilder::new(&format!("^(?:{pattern})$")).size_limit(1 << 20).build()
}

/// What was meant by a pasted value: without the spaces and line breaks around it, and without the prefix and suffix that are shown beside
/// the field. With a suffix such as `.zendesk.com`, a whole pasted address gives just the part before it.
#[must_use]
pub fn tidy(input: &Input, value: &str) -> String {
    let mut value = value.trim();
    if !input.prefix.is_empty() {
        value = strip_prefix(value, &input.prefix);
    }
    if !input.suffix.is_empty() {
        value = strip_prefix(value, "https://");
        value = strip_prefix(value, "http://");
        let at = value.to_ascii_lowercase().find(&input.suffix.to_ascii_lowercase());
        if let Some(at) = at.filter(|at| value.is_char_boundary(*at)) {
            let after = &value[at + input.suffix.len()..];
            if after.is_empty() || after.starts_with(['/', '?', '#', ':']) {
                value = &value[..at];
            }
        }
    }
    value.to_owned()
}

fn strip_prefix<'v>(value: &'v str, prefix: &str) -> &'v str {
    match value.get(..prefix.len()) {
        Some(start) if start.eq_ignore_ascii_case(prefix) => &value[prefix.len()..],
        _ => value,
    }
}

/// What is wrong with a value, or probably wrong; `place` is `input.KEY`. The value itself is not repeated: it may be a secret.
#[must_use]
pub fn check(input: &Input, value: &str) -> Option<Finding> {
    let finding = |severity, problem: Problem| Some(Finding { severity, place: format!("input.{}", input.key), problem });
    let error = |problem| finding(Severity::Error, problem);
    let label = clean::line(&input.label, 80);
    let help = if input.help.is_empty() { crate::t!("catalog.input.see_vendor").to_owned() } else { clean::line(&input.help, 300) };
    if value.trim().is_empty() {
        let has_default = input.default.as_ref().is_some_and(|default| !default.is_empty());
        if input.optional || has_default {
            return None;
        }
        return error(problem!(Usage, "catalog.input.missing", label = label, help = help));
    }
    // A key or certificate has lines.
    let lines = value.starts_with("-----BEGIN");
    if !lines && value.chars().any(|c| matches!(c, '\n' | '\r')) {
        return error(problem!(Usage, "catalog.input.line_break", label = label));
    }
    if !value.split(['\n', '\r']).all(clean::is_clean) {
        return error(problem!(Usage, "catalog.input.invisible", label = label));
    }
    if value.trim() != value {
        return error(problem!(Usage, "catalog.input.spaces", label = label));
    }
    if !input.options.is_empty() && !input.options.iter().any(|option| option == value) {
        return error(problem!(Usage, "catalog.input.option", label = label, options = clean::line(&input.options.join(", "), 200)));
    }
    if let Some(source) = &input.pattern {
        match pattern(source) {
            Ok(regex) if !regex.is_match(value) => {
                let example =
                    if input.example.is_empty() { help } else { crate::t!("catalog.input.like", example = clean::line(&input.example, 120)) };
                return error(problem!(Usage, "catalog.input.pattern", label = label, example = example));
            }
            _ => {}
        }
    }
    if addresses::SETTINGS.contains(&input.key.as_str())
        && let Err(problem) = addresses::check(&input.key, value)
    {
        return error(problem);
    }
    // What begins like an address is meant as one: a port with letters, a host with a space.
    if value.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("http"))
        && value.contains("://")
        && let Err(reason) = url::Url::parse(value)
    {
        return error(problem!(Usage, "catalog.input.address", label = label, reason = reason));
    }
    for warning in &input.warnings {
        if pattern(&warning.pattern).is_ok_and(|regex| regex.is_match(value)) {
            return finding(Severity::Warning, problem!(Usage, "catalog.input.warning", label = label, message = clean::line(&warning.message, 300)));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn input() -> Input {
        Input {
            key: "subdomain".into(),
            label: "Subdomain".into(),
            pattern: Some("[a-z0-9-]+".into()),
            suffix: ".zendesk.com".into(),
            ..Input::default()
        }
    }

    #[test]
    fn pasted_values_are_tidied() {
        for (pasted, meant) in [
            ("acme", "acme"),
            (" acme\n", "acme"),
            ("acme.zendesk.com", "acme"),
            ("https://acme.zendesk.com/agent/dashboard", "acme"),
            ("HTTPS://Acme.Zendesk.com", "Acme"),
            ("acme.zendesk.company", "acme.zendesk.company"),
            ("é.zendesk.com", "é"),
        ] {
            assert_eq!(tidy(&input(), pasted), meant, "{pasted}");
        }
        let token = Input { key: "t".into(), prefix: "Bearer ".into(), ..Input::default() };
        assert_eq!(tidy(&token, "bearer abc"), "abc");
        assert_eq!(tidy(&token, "ü"), "ü");
    }

    #[test]
    fn wrong_values_are_found() {
        let plain = input();
        assert!(check(&plain, "acme").is_none());
        for value in ["", "Acme", "a b", "acme\nx", " acme", "ac\u{202e}me"] {
            let finding = check(&plain, value).unwrap();
            assert_eq!((finding.severity, finding.place.as_str()), (Severity::Error, "input.subdomain"), "{value}");
            assert!(!finding.problem.next_step.is_empty());
        }
        let optional = Input { optional: true, ..input() };
        assert!(check(&optional, "").is_none());
        let default = Input { default: Some("x".into()), ..input() };
        assert!(check(&default, "").is_none());
        let chosen = Input { key: "c".into(), options: vec!["a".into(), "b".into()], ..Input::default() };
        assert!(check(&chosen, "a").is_none() && check(&chosen, "c").is_some());
        let address = Input { key: "base_url".into(), ..Input::default() };
        assert!(check(&address, "https://x.example").is_none() && check(&address, "http://x.example").is_some());
        let host = Input { key: "address".into(), ..Input::default() };
        assert!(check(&host, "http://127.0.0.1:4010").is_none() && check(&host, "http://127.0.0.1:4010practice").is_some());
    }

    #[test]
    fn a_probable_mistake_is_a_warning() {
        let secret = Input {
            key: "client_secret".into(),
            secret: true,
            warnings: vec![crate::model::InputWarning { pattern: "[0-9a-f-]{36}".into(), message: "This looks like the Secret ID.".into() }],
            ..Input::default()
        };
        let finding = check(&secret, "1c7f6a52-0d35-4c7a-9d2c-5b6f0a1e2d3c").unwrap();
        assert_eq!(finding.severity, Severity::Warning);
        assert!(!format!("{finding:?}").contains("1c7f6a52"));
        assert!(check(&secret, "abc~def").is_none());
    }

    proptest::proptest! {
        #[test]
        fn nothing_panics(value in "(?s).{0,40}", suffix in ".{0,6}", prefix in ".{0,6}") {
            let input = Input { key: "k".into(), suffix, prefix, pattern: Some(".+".into()), ..Input::default() };
            let _ = check(&input, &tidy(&input, &value));
        }
    }
}
