//! The addresses of a vendor, as they come out for one credential: the settings that replace them, the templates of the definition, and the
//! rule that they are https. `auth` and `vendor` both take them from here.
//!
//! A credential may replace every address: [`SETTINGS`] among its settings. Whoever replaces the token address has another authorization
//! server in mind, so nothing is then sent to the definition's other addresses of its server.

use url::{Host, Url};

use super::template::{self, Context};
use crate::model::{AuthMethod, Connector, Problem};
use crate::problem;
use crate::words::clean;

/// The settings that replace an address.
pub const SETTINGS: [&str; 10] =
    ["base_url", "authorize_url", "token_url", "refresh_url", "revoke_url", "device_url", "par_url", "register_url", "metadata_url", "request_url"];

/// Where requests for records go, without a slash at the end. `None` when the connector has none (a file, absolute paths).
pub fn base_url(connector: &Connector, context: &Context) -> Result<Option<String>, Problem> {
    let Some(text) = one("base_url", &connector.request.base_url, context)? else { return Ok(None) };
    let url = check("base_url", &text)?;
    if url.query().is_some() {
        return Err(problem!(Usage, "catalog.address.query", setting = "base_url", url = shown(&text)));
    }
    Ok(Some(text.trim().trim_end_matches('/').to_owned()))
}

/// Where a person gives consent.
pub fn authorize_url(method: &AuthMethod, context: &Context) -> Result<String, Problem> {
    required("authorize_url", &method.authorize_url, context)
}

/// Where a grant is redeemed.
pub fn token_url(method: &AuthMethod, context: &Context) -> Result<String, Problem> {
    required("token_url", &method.token_url, context)
}

/// Where a refresh token is redeemed: the token address unless the definition or a setting names another.
pub fn refresh_url(method: &AuthMethod, context: &Context) -> Result<String, Problem> {
    let own: &[String] = if setting("token_url", context).is_some() { &[] } else { &method.refresh_url };
    match checked("refresh_url", own, context)? {
        Some(url) => Ok(url),
        None => token_url(method, context),
    }
}

/// Where a token is revoked (RFC 7009); `None` when nobody knows.
pub fn revoke_url(method: &AuthMethod, context: &Context) -> Result<Option<String>, Problem> {
    let own: &[String] = if setting("token_url", context).is_some() { &[] } else { &method.revoke_url };
    checked("revoke_url", own, context)
}

/// Where a device asks for a code (RFC 8628 §3.1); `None` when neither a setting nor the definition says.
pub fn device_url(method: &AuthMethod, context: &Context) -> Result<Option<String>, Problem> {
    let own: &[String] = if setting("token_url", context).is_some() { &[] } else { &method.device_url };
    checked("device_url", own, context)
}

/// Where an authorization request is pushed (RFC 9126).
pub fn par_url(method: &AuthMethod, context: &Context) -> Result<Option<String>, Problem> {
    checked("par_url", if replaced(context) { &[] } else { &method.par_url }, context)
}

/// Where temporary credentials of OAuth 1.0a are asked for (RFC 5849 §2.1).
pub fn request_url(method: &AuthMethod, context: &Context) -> Result<String, Problem> {
    let own: &[String] = match &method.oauth1 {
        Some(plain) if !replaced(context) => &plain.request_url,
        _ => &[],
    };
    required("request_url", own, context)
}

/// Where a client registers itself (RFC 7591).
pub fn register_url(method: &AuthMethod, context: &Context) -> Result<Option<String>, Problem> {
    checked("register_url", if replaced(context) { &[] } else { &method.register_url }, context)
}

/// Where the server's own document is (RFC 8414).
pub fn metadata_url(method: &AuthMethod, context: &Context) -> Result<Option<String>, Problem> {
    checked("metadata_url", if replaced(context) { &[] } else { &method.metadata_url }, context)
}

/// Whether settings lead to another server than the definition's.
fn replaced(context: &Context) -> bool {
    ["authorize_url", "token_url"].iter().any(|name| setting(name, context).is_some())
}

/// The issuer that an answer must name (RFC 9207), where the definition knows it and no setting leads elsewhere.
pub fn issuer(method: &AuthMethod, context: &Context) -> Result<Option<String>, Problem> {
    if replaced(context) || setting("metadata_url", context).is_some() {
        return Ok(None);
    }
    method.issuer.as_ref().map(|template| template::render(template, context)).transpose()
}

/// The scopes to ask for: those chosen, or the method's default ones; templates are filled in.
pub fn scopes(method: &AuthMethod, chosen: &[String], context: &Context) -> Result<Vec<String>, Problem> {
    let wanted = if chosen.is_empty() { &method.scopes.default } else { chosen };
    let mut scopes = Vec::with_capacity(wanted.len());
    for scope in wanted {
        let scope = template::render(scope, context)?;
        // An input may hold several, separated by spaces.
        scopes.extend(scope.split_whitespace().map(str::to_owned));
    }
    Ok(scopes)
}

/// The whole address of a request: `path` (already rendered) behind the base, or alone when it is absolute. An absolute path has to pass
/// the same rules as any other address.
pub fn join(base: Option<&str>, path: &str) -> Result<String, Problem> {
    if path.starts_with("https://") || path.starts_with("http://") {
        check("path", path)?;
        return Ok(path.to_owned());
    }
    let Some(base) = base else {
        return Err(problem!(Usage, "catalog.address.missing", setting = "base_url"));
    };
    let whole = match path.as_bytes().first() {
        None => base.to_owned(),
        Some(b'/' | b'?') => format!("{base}{path}"),
        Some(_) => format!("{base}/{path}"),
    };
    check("path", &whole)?;
    Ok(whole)
}

/// Whether an address may be used: absolute, https (plain http for this host only), nothing secret in it.
pub fn check(setting: &str, text: &str) -> Result<Url, Problem> {
    let text = text.trim();
    let url =
        Url::parse(text).map_err(|error| problem!(Usage, "catalog.address.unreadable", setting = setting, url = shown(text), reason = error))?;
    match url.scheme() {
        "https" | "ldaps" | "imaps" | "smtps" => {}
        // StartTLS comes before anything else is said.
        "ldap" | "imap" | "smtp" => {}
        "http" if is_loopback(&url) => {}
        "http" => return Err(problem!(Usage, "catalog.address.plain", setting = setting, url = shown(text))),
        scheme => return Err(problem!(Usage, "catalog.address.scheme", setting = setting, url = shown(text), scheme = clean::line(scheme, 20))),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(problem!(Usage, "catalog.address.secret", setting = setting));
    }
    if url.fragment().is_some() {
        return Err(problem!(Usage, "catalog.address.fragment", setting = setting, url = shown(text)));
    }
    Ok(url)
}

/// 127.0.0.0/8, ::1 and `localhost` (RFC 6761 §6.3).
#[must_use]
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        None => false,
    }
}

fn setting<'c>(name: &str, context: &'c Context) -> Option<&'c str> {
    context.input.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

fn one(name: &str, templates: &[String], context: &Context) -> Result<Option<String>, Problem> {
    match setting(name, context) {
        Some(value) => Ok(Some(value.to_owned())),
        None => template::first(templates, context),
    }
}

fn checked(name: &str, templates: &[String], context: &Context) -> Result<Option<String>, Problem> {
    let Some(text) = one(name, templates, context)? else { return Ok(None) };
    check(name, &text)?;
    Ok(Some(text.trim().to_owned()))
}

fn required(name: &str, templates: &[String], context: &Context) -> Result<String, Problem> {
    checked(name, templates, context)?.ok_or_else(|| problem!(Usage, "catalog.address.missing", setting = name))
}

/// An address in an error: without its query, which may hold a secret, and without a user name and password.
fn shown(text: &str) -> String {
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let text = match (text.find("://"), text.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}://…{}", &text[..scheme], &text[at..]),
        _ => text.to_owned(),
    };
    clean::line(&text, 120)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(pairs: &[(&str, &str)]) -> Context {
        Context { input: pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(), ..Context::default() }
    }

    fn connector() -> Connector {
        toml::from_str(
            r#"
            schema = 1
            id = "x"
            name = "X"
            [auth.oauth]
            kind = "oauth2_code"
            name = "OAuth"
            issuer = "https://id.example"
            authorize_url = "https://id.example/authorize"
            token_url = ["https://{{ input.tenant }}.example/token", "https://id.example/token"]
            refresh_url = "https://id.example/refresh"
            revoke_url = "https://id.example/revoke"
            device_url = "https://id.example/device"
            par_url = "https://id.example/par"
            register_url = "https://id.example/register"
            metadata_url = "https://id.example/about"
            scopes = { default = ["{{ input.scope }}", "openid"] }
            [request]
            base_url = "https://{{ input.host }}/v1/"
            "#,
        )
        .unwrap()
    }

    #[test]
    fn the_definition_speaks_unless_a_setting_does() {
        let c = connector();
        let method = &c.auth["oauth"];
        let plain = context(&[("host", "api.example")]);
        assert_eq!(base_url(&c, &plain).unwrap().unwrap(), "https://api.example/v1");
        assert_eq!(token_url(method, &plain).unwrap(), "https://id.example/token");
        assert_eq!(refresh_url(method, &plain).unwrap(), "https://id.example/refresh");
        assert_eq!(revoke_url(method, &plain).unwrap().unwrap(), "https://id.example/revoke");
        assert_eq!(issuer(method, &plain).unwrap().unwrap(), "https://id.example");
        let own = context(&[("base_url", "http://127.0.0.1:8080/"), ("token_url", "http://localhost:1/t"), ("authorize_url", "http://[::1]:2/a")]);
        assert_eq!(base_url(&c, &own).unwrap().unwrap(), "http://127.0.0.1:8080");
        assert_eq!(token_url(method, &own).unwrap(), "http://localhost:1/t");
        assert_eq!(authorize_url(method, &own).unwrap(), "http://[::1]:2/a");
        // Tokens of another server are nothing that the definition's own addresses may see.
        assert_eq!(refresh_url(method, &own).unwrap(), "http://localhost:1/t");
        assert_eq!(revoke_url(method, &own).unwrap(), None);
        assert_eq!(issuer(method, &own).unwrap(), None);
        for address in [device_url, par_url, register_url, metadata_url] {
            assert!(address(method, &plain).unwrap().unwrap().starts_with("https://id.example/"));
            assert_eq!(address(method, &own).unwrap(), None);
        }
        assert!(par_url(method, &context(&[("par_url", "http://par.example")])).is_err());
        assert_eq!(issuer(method, &context(&[("metadata_url", "https://other.example/about")])).unwrap(), None);
    }

    #[test]
    fn addresses_that_are_refused() {
        let c = connector();
        for url in [
            "http://api.example",
            "http://127.0.0.1.example",
            "http://localhost.example",
            "ftp://x",
            "api.example/v1",
            "https://u:p@api.example",
            "https://x#y",
            "https://x?y",
            "file:///etc/passwd",
        ] {
            let problem = base_url(&c, &context(&[("base_url", url)])).unwrap_err();
            assert!(!problem.next_step.is_empty() && !format!("{problem:?}").contains("u:p"), "{problem:?}");
        }
        assert!(base_url(&c, &context(&[])).unwrap_err().why.contains("host"));
    }

    #[test]
    fn paths_join() {
        for (base, path, expected) in [
            ("https://a/v1", "/users", "https://a/v1/users"),
            ("https://a/v1", "users", "https://a/v1/users"),
            ("https://a/v1", "", "https://a/v1"),
            ("https://a", "?x=1", "https://a?x=1"),
            ("https://a", "https://b/users", "https://b/users"),
        ] {
            assert_eq!(join(Some(base), path).unwrap(), expected);
        }
        assert!(join(None, "/users").is_err());
        assert!(join(Some("https://a"), "http://b/users").is_err());
    }

    #[test]
    fn scopes_are_templates_and_may_be_chosen() {
        let c = connector();
        let method = &c.auth["oauth"];
        let context = context(&[("scope", "api://x/.default offline_access")]);
        assert_eq!(scopes(method, &[], &context).unwrap(), ["api://x/.default", "offline_access", "openid"]);
        assert_eq!(scopes(method, &["a".to_owned()], &context).unwrap(), ["a"]);
    }
}
