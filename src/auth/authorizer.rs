//! What a credential puts on a request.

use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use jiff::SignedDuration;

use super::delegation;
use super::jws::{self, Purpose, Signed};
use super::keeper::Keeper;
use super::oauth1::{self, Once};
use super::subject::Subject;
use super::{identity, sigv4};
use crate::catalog::template;
use crate::model::{AuthKind, Placement, Problem, Secret, Time};
use crate::problem;
use crate::vendor::client::{Attached, Authorizer, Login, Outgoing};
use crate::vendor::http::Identity;
use crate::words::clean;

/// Whoever puts this credential on requests. `None`: nobody need.
pub fn of(subject: &Subject, keeper: Option<&Arc<Keeper>>) -> Result<Option<Arc<dyn Authorizer>>, Problem> {
    Ok(match (subject.method().kind, keeper) {
        (AuthKind::None, _) if identity::of(subject)?.is_none() => None,
        (AuthKind::OAuth1 | AuthKind::AwsSigv4, _) => Some(Arc::new(Signing::new(subject, keeper)?)),
        (_, Some(keeper)) => Some(Arc::new(OAuth::new(Arc::clone(keeper))?)),
        (AuthKind::SignedJwt, _) => Some(Arc::new(OwnToken::new(subject)?)),
        _ => Some(Arc::new(Fixed::new(subject)?)),
    })
}

/// A credential that stays as it is: a key, a token, a password, a certificate.
struct Fixed {
    attached: Attached,
    account: Option<(String, Secret)>,
    identity: Option<Arc<Identity>>,
}

impl Fixed {
    fn new(subject: &Subject) -> Result<Self, Problem> {
        let method = subject.method();
        let main = |input: &str| -> Result<Attached, Problem> {
            let at = filled(&method.placement, subject)?;
            Ok(place(&at, subject.required(at.input.as_deref().unwrap_or(input))?))
        };
        let attached = match method.kind {
            AuthKind::ApiKey => main("api_key")?,
            AuthKind::Bearer => main("token")?,
            AuthKind::Basic => basic(subject)?,
            _ => Attached::default(),
        };
        let account = if method.kind == AuthKind::Basic { Some(account(subject)?) } else { None };
        Ok(Self { account, attached: with_others(attached, subject)?, identity: identity::of(subject)? })
    }
}

impl Authorizer for Fixed {
    fn credentials<'a>(&'a self, _: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>> {
        std::future::ready(Ok(self.attached.clone())).boxed()
    }

    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
        std::future::ready(Ok(false)).boxed()
    }

    fn account(&self) -> Option<(&str, &Secret)> {
        self.account.as_ref().map(|(name, password)| (name.as_str(), password))
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.clone()
    }
}

/// An access token, kept fresh.
struct OAuth {
    keeper: Arc<Keeper>,
    identity: Option<Arc<Identity>>,
}

impl OAuth {
    fn new(keeper: Arc<Keeper>) -> Result<Self, Problem> {
        let identity = identity::of(&keeper.subject)?;
        Ok(Self { keeper, identity })
    }
}

impl Authorizer for OAuth {
    fn credentials<'a>(&'a self, _: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>> {
        async {
            let tokens = self.keeper.current().await.map_err(|failure| failure.problem)?;
            // What a place is called may have come with the token.
            let subject = &self.keeper.subject;
            with_others(place(&filled(&subject.method().placement, subject)?, &tokens.access), subject)
        }
        .boxed()
    }

    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
        async { self.keeper.refused().await.map_err(|failure| failure.problem) }.boxed()
    }

    fn login(&self) -> BoxFuture<'_, Result<Option<Login>, Problem>> {
        async {
            let tokens = self.keeper.current().await.map_err(|failure| failure.problem)?;
            let user = user(&self.keeper.subject)?;
            Ok(Some(Login::Token { user, secret: Secret::new(tokens.access.as_str()) }))
        }
        .boxed()
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.clone()
    }
}

/// A token that is signed here, and good for a while.
struct OwnToken {
    subject: Subject,
    held: Mutex<Option<(Signed, Time)>>,
    identity: Option<Arc<Identity>>,
}

impl OwnToken {
    fn new(subject: &Subject) -> Result<Self, Problem> {
        // A key that cannot be used is told before anything is sent.
        let signed = (jws::sign(subject, Purpose::Subject)?, Time::now());
        Ok(Self { subject: subject.clone(), held: Mutex::new(Some(signed)), identity: identity::of(subject)? })
    }

    fn attached(&self) -> Result<Attached, Problem> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Time::now();
        // The last quarter of its life is left for clocks that differ.
        let fresh = |(signed, since): &(Signed, Time)| signed.expires.duration_since(now) > signed.expires.duration_since(*since) / 4;
        if !held.as_ref().is_some_and(fresh) {
            *held = Some((jws::sign(&self.subject, Purpose::Subject)?, now));
        }
        let token = held.as_ref().map_or("", |(signed, _)| signed.token.expose());
        with_others(place(&filled(&self.subject.method().placement, &self.subject)?, token), &self.subject)
    }
}

impl Authorizer for OwnToken {
    fn credentials<'a>(&'a self, _: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>> {
        std::future::ready(self.attached()).boxed()
    }

    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
        // Another one helps only where this one is not new.
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let old = held.is_some_and(|(_, since)| Time::now().duration_since(since) > SignedDuration::from_secs(30));
        std::future::ready(Ok(old)).boxed()
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.clone()
    }
}

/// A credential that signs each request, and itself never travels.
struct Signing {
    how: How,
    others: Attached,
    identity: Option<Arc<Identity>>,
    /// Where the token of OAuth 1.0a comes from a consent.
    keeper: Option<Arc<Keeper>>,
}

enum How {
    OAuth1(delegation::Client),
    Sigv4 { keys: sigv4::Keys, scope: sigv4::Scope },
}

impl Signing {
    fn new(subject: &Subject, keeper: Option<&Arc<Keeper>>) -> Result<Self, Problem> {
        let method = subject.method();
        let no_part = |table: &str| {
            let connector = clean::line(&subject.connector.name, 80);
            problem!(Usage, "signing.no_part", connector = connector, method = clean::line(&method.name, 80), table = table)
        };
        let secret = |key: &str| subject.input(key).map(Secret::new);
        let text = |key: &str| subject.required(key).map(str::to_owned);
        let how = if method.kind == AuthKind::OAuth1 {
            let mut client = delegation::client(subject)?;
            if !method.delegates() {
                // A client may speak for itself alone; half a token is a mistake.
                client.keys.token = subject.input("token").or_else(|| subject.input("token_secret")).map(|_| text("token")).transpose()?;
                client.keys.token_secret = if client.keys.token.is_some() { Some(Secret::new(text("token_secret")?)) } else { None };
            }
            How::OAuth1(client)
        } else {
            let given = method.sigv4.as_ref().ok_or_else(|| no_part("sigv4"))?;
            let render = |text: &str| Ok::<_, Problem>(template::render(text, &subject.context)?.trim().to_owned());
            let scope = sigv4::Scope { region: render(&given.region)?, service: render(&given.service)? };
            let (access_key_id, secret_access_key) = (text("access_key_id")?, Secret::new(text("secret_access_key")?));
            How::Sigv4 { keys: sigv4::Keys { access_key_id, secret_access_key, session_token: secret("session_token") }, scope }
        };
        let keeper = keeper.filter(|_| method.delegates()).cloned();
        Ok(Self { how, others: with_others(Attached::default(), subject)?, identity: identity::of(subject)?, keeper })
    }

    async fn signed(&self, request: &Outgoing<'_>) -> Result<Attached, Problem> {
        Ok(match &self.how {
            How::OAuth1(client) => {
                let mut keys = client.keys.clone();
                if let Some(keeper) = &self.keeper {
                    let tokens = keeper.current().await.map_err(|failure| failure.problem)?;
                    keys.token = Some(tokens.access.clone());
                    keys.token_secret = tokens.token_secret.as_deref().map(Secret::new);
                }
                let value = oauth1::authorization(&keys, client.method, client.realm.as_deref(), request, &Once::now()?);
                Attached { headers: vec![("Authorization".to_owned(), value)], ..Attached::default() }
            }
            How::Sigv4 { keys, scope } => sigv4::sign(request, keys, scope, jiff::Timestamp::now()),
        })
    }
}

impl Authorizer for Signing {
    fn credentials<'a>(&'a self, request: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>> {
        async { Ok(joined(self.signed(request).await?, self.others.clone())) }.boxed()
    }

    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
        async {
            match &self.keeper {
                Some(keeper) => keeper.refused().await.map_err(|failure| failure.problem),
                None => Ok(false),
            }
        }
        .boxed()
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.clone()
    }
}

/// A placement with its templates filled in: the name of a header may be an input.
fn filled(at: &Placement, subject: &Subject) -> Result<Placement, Problem> {
    let filled = |template: &Option<String>| template.as_deref().map(|text| template::render(text, &subject.context)).transpose();
    Ok(Placement {
        header: filled(&at.header)?,
        query: filled(&at.query)?,
        prefix: filled(&at.prefix)?,
        input: at.input.clone(),
        body: filled(&at.body)?,
    })
}

/// The method's further keys beside what is there already. One that is not asked for, or is left empty where that is allowed, has no place.
fn with_others(mut attached: Attached, subject: &Subject) -> Result<Attached, Problem> {
    for other in &subject.method().also {
        let at = filled(other, subject)?;
        let input = at.input.as_deref().unwrap_or("api_key");
        let inputs = subject.connector.inputs_for(&subject.method_key);
        let optional = inputs.iter().any(|one| one.key == input && one.optional);
        match subject.input(input) {
            None if optional => {}
            _ => attached = joined(attached, place(&at, subject.required(input)?)),
        }
    }
    Ok(attached)
}

fn joined(mut one: Attached, other: Attached) -> Attached {
    for (name, value) in other.headers {
        // Cookies share one header (RFC 6265 §5.4).
        match one.headers.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case("cookie") && name.eq_ignore_ascii_case("cookie")) {
            Some((_, cookies)) => *cookies = Secret::new(format!("{}; {}", cookies.expose(), value.expose())),
            None => one.headers.push((name, value)),
        }
    }
    one.query.extend(other.query);
    one.body.extend(other.body);
    one.url = one.url.or(other.url);
    one
}

/// Where the definition says; `Authorization: Bearer` where it says nothing.
fn place(at: &Placement, value: &str) -> Attached {
    let mut attached = Attached::default();
    // What stands before the key may have been pasted with it.
    let with = |prefix: &str| {
        let bare = match value.get(..prefix.len()) {
            Some(start) if !prefix.trim().is_empty() && start.eq_ignore_ascii_case(prefix) => value[prefix.len()..].trim_start(),
            _ => value,
        };
        Secret::new(format!("{prefix}{bare}"))
    };
    let prefix = at.prefix.as_deref();
    match (&at.header, &at.query, &at.body) {
        (Some(header), ..) => attached.headers.push((header.clone(), with(prefix.unwrap_or_default()))),
        (None, Some(query), _) => attached.query.push((query.clone(), with(prefix.unwrap_or_default()))),
        (None, None, Some(path)) => attached.body.push((path.clone(), with(prefix.unwrap_or_default()))),
        (None, None, None) => attached.headers.push(("Authorization".to_owned(), with(prefix.unwrap_or("Bearer ")))),
    }
    attached
}

/// The user name, as the definition makes it of the inputs.
fn user(subject: &Subject) -> Result<String, Problem> {
    match &subject.method().username {
        Some(template) => template::render(template, &subject.context),
        None => Ok(subject.required("username")?.to_owned()),
    }
}

/// User name and password, as the definition makes them of the inputs.
fn account(subject: &Subject) -> Result<(String, Secret), Problem> {
    let method = subject.method();
    let user = user(subject)?;
    let password = match &method.password {
        Some(template) => Secret::new(template::render(template, &subject.context)?),
        None => Secret::new(subject.input("password").unwrap_or_default()),
    };
    Ok((user, password))
}

/// RFC 7617.
fn basic(subject: &Subject) -> Result<Attached, Problem> {
    let (user, password) = account(subject)?;
    if user.contains(':') {
        return Err(problem!(Usage, "auth.colon", vendor = subject.vendor()));
    }
    let pair = Secret::new(format!("{user}:{}", password.expose()));
    let value = Secret::new(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair.expose())));
    Ok(Attached { headers: vec![("Authorization".to_owned(), value)], ..Attached::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(attached: &Attached) -> Vec<String> {
        let mut all: Vec<String> = attached.headers.iter().map(|(name, value)| format!("{name}: {}", value.expose())).collect();
        all.extend(attached.query.iter().map(|(name, value)| format!("?{name}={}", value.expose())));
        all.extend(attached.body.iter().map(|(path, value)| format!("{path} = {}", value.expose())));
        all
    }

    fn some(text: &str) -> Option<String> {
        Some(text.to_owned())
    }

    #[test]
    fn a_key_goes_where_the_definition_says() {
        #[rustfmt::skip]
        let table = [
            (Placement::default(), "k", "Authorization: Bearer k"),
            (Placement::default(), "bearer k", "Authorization: Bearer k"),
            (Placement { header: some("X-Api-Key"), ..Placement::default() }, "k", "X-Api-Key: k"),
            (Placement { header: some("Authorization"), prefix: some("SSWS "), ..Placement::default() }, "k", "Authorization: SSWS k"),
            (Placement { header: some("Authorization"), prefix: some("SSWS "), ..Placement::default() }, "SSWS k", "Authorization: SSWS k"),
            (Placement { header: some("Cookie"), prefix: some("JSESSIONID="), ..Placement::default() }, "k", "Cookie: JSESSIONID=k"),
            (Placement { header: some("Cookie"), prefix: some("JSESSIONID="), ..Placement::default() }, "JSESSIONID=k", "Cookie: JSESSIONID=k"),
            (Placement { query: some("api_key"), ..Placement::default() }, "ü", "?api_key=ü"),
            (Placement { body: some("auth.key"), ..Placement::default() }, "k", "auth.key = k"),
        ];
        for (placement, value, expected) in table {
            assert_eq!(all(&place(&placement, value)), [expected]);
        }
    }

    #[test]
    fn cookies_share_a_header() {
        let cookie = |name: &str| place(&Placement { header: some("Cookie"), prefix: Some(format!("{name}=")), ..Placement::default() }, "v");
        let key = place(&Placement { header: some("X-Key"), ..Placement::default() }, "k");
        assert_eq!(all(&joined(joined(cookie("A"), key), cookie("B"))), ["Cookie: A=v; B=v", "X-Key: k"]);
    }

    fn subject(method: &str, inputs: &[(&str, &str)]) -> Subject {
        let text = format!("schema = 1\nid = 'acme'\nname = 'Acme'\n[auth.it]\nname = 'It'\n{method}");
        let connector: crate::model::Connector = toml::from_str(&text).unwrap();
        Subject::for_tests(connector, "it", inputs)
    }

    async fn sent(method: &str, inputs: &[(&str, &str)]) -> Result<Vec<String>, Problem> {
        let (url, headers) = (url::Url::parse("https://a.example/x?b=1").unwrap(), reqwest::header::HeaderMap::new());
        let request = Outgoing { method: "GET", url: &url, headers: &headers, body: &[], content_type: None };
        let authorizer = of(&subject(method, inputs), None)?.unwrap();
        Ok(all(&authorizer.credentials(&request).await?))
    }

    #[tokio::test]
    async fn several_keys_at_once() {
        let method = "kind = 'api_key'\nplacement = { header = 'DD-API-KEY' }
            also = [{ header = 'DD-APPLICATION-KEY', input = 'app_key' }, { query = 'site', input = 'site' }, { body = 'k', input = 'third' }]
            [[auth.it.input]]\nkey = 'site'\nlabel = 'Site'\noptional = true";
        let given = [("api_key", "one"), ("app_key", "two"), ("third", "three")];
        assert_eq!(sent(method, &given).await.unwrap(), ["DD-API-KEY: one", "DD-APPLICATION-KEY: two", "k = three"]);
        let problem = sent(method, &given[..1]).await.unwrap_err();
        assert!(problem.why.contains("app_key") || problem.what.contains("app_key"), "{problem:?}");
    }

    #[tokio::test]
    async fn a_signed_token_is_kept_while_it_is_good() {
        let method = "kind = 'signed_jwt'\njwt = { alg = 'HS256', key = 'secret', claims = { iss = '{{ input.id }}' }, ttl = '10m' }\n";
        let subject = subject(method, &[("secret", "0123456789abcdef0123456789abcdef"), ("id", "acme")]);
        let own = OwnToken::new(&subject).unwrap();
        let token = || own.attached().unwrap().headers[0].1.expose().to_owned();
        let first = token();
        assert!(first.starts_with("Bearer ") && first.split('.').count() == 3, "{first}");
        assert_eq!(token(), first);
        // It was made just now: another would be refused as well.
        assert!(!own.refused().await.unwrap());
        assert_ne!(token(), first);
        let age = |own: &OwnToken, by: i64| {
            let mut held = own.held.lock().unwrap();
            let (signed, since) = held.take().unwrap();
            *held = Some((Signed { expires: signed.expires - SignedDuration::from_secs(by), ..signed }, since - SignedDuration::from_secs(by)));
        };
        let second = token();
        age(&own, 440);
        assert_eq!(token(), second);
        age(&own, 20);
        assert_ne!(token(), second);
        age(&own, 60);
        assert!(own.refused().await.unwrap());
        assert!(of(&super::tests::subject(method, &[("id", "acme")]), None).is_err());
    }

    #[tokio::test]
    async fn signers_want_all_that_they_sign_with() {
        let oauth1 = "kind = 'oauth1'\noauth1 = { realm = \"{{ input.account | upper | replace('-', '_') }}\" }";
        let pair = [("account", "123-sb1"), ("consumer_key", "ck"), ("consumer_secret", "cs")];
        let made = sent(oauth1, &pair).await.unwrap();
        assert!(made[0].starts_with("Authorization: OAuth realm=\"123_SB1\", oauth_consumer_key=\"ck\", oauth_signature_method=\"HMAC-SHA256\""));
        let half = [&pair[..], &[("token", "t")]].concat();
        assert!(sent(oauth1, &half).await.is_err());
        let sigv4 = "kind = 'aws_sigv4'\nsigv4 = { service = 'iam', region = '{{ input.region }}' }";
        let keys = [("region", " eu-west-1 "), ("access_key_id", "AK"), ("secret_access_key", "sk"), ("session_token", "st")];
        let made = sent(sigv4, &keys).await.unwrap();
        assert!(made.iter().any(|line| line == "X-Amz-Security-Token: st"), "{made:?}");
        assert!(made.iter().any(|line| line.contains("Credential=AK/") && line.contains("/eu-west-1/iam/aws4_request")), "{made:?}");
        assert!(sent(sigv4, &keys[..2]).await.is_err());
        assert!(sent("kind = 'aws_sigv4'", &keys).await.unwrap_err().to_string().contains("[sigv4]"));
    }
}
