//! What a credential puts on a request.

use std::sync::Arc;

use base64::Engine as _;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

use super::identity;
use super::keeper::Keeper;
use super::subject::Subject;
use crate::catalog::template;
use crate::model::{AuthKind, Placement, Problem, Secret};
use crate::problem;
use crate::vendor::client::{Attached, Authorizer, Outgoing};
use crate::vendor::http::Identity;

/// A credential that stays as it is: a key, a token, a password.
pub struct Fixed {
    attached: Attached,
    identity: Option<Arc<Identity>>,
}

impl Fixed {
    pub fn new(subject: &Subject) -> Result<Self, Problem> {
        let method = subject.method();
        let at = placement(subject)?;
        let attached = match method.kind {
            AuthKind::ApiKey => place(&at, subject.required(at.input.as_deref().unwrap_or("api_key"))?),
            AuthKind::Bearer => place(&at, subject.required(at.input.as_deref().unwrap_or("token"))?),
            AuthKind::Basic => basic(subject)?,
            _ => Attached::default(),
        };
        Ok(Self { attached, identity: identity::of(subject)? })
    }
}

impl Authorizer for Fixed {
    fn credentials<'a>(&'a self, _: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>> {
        std::future::ready(Ok(self.attached.clone())).boxed()
    }

    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
        std::future::ready(Ok(false)).boxed()
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.clone()
    }
}

/// An access token, kept fresh.
pub struct OAuth {
    keeper: Arc<Keeper>,
    identity: Option<Arc<Identity>>,
}

impl OAuth {
    pub fn new(keeper: Arc<Keeper>) -> Result<Self, Problem> {
        let identity = identity::of(&keeper.subject)?;
        Ok(Self { keeper, identity })
    }
}

impl Authorizer for OAuth {
    fn credentials<'a>(&'a self, _: &'a Outgoing<'a>) -> BoxFuture<'a, Result<Attached, Problem>> {
        async {
            let tokens = self.keeper.current().await.map_err(|failure| failure.problem)?;
            Ok(place(&placement(&self.keeper.subject)?, &tokens.access))
        }
        .boxed()
    }

    fn refused(&self) -> BoxFuture<'_, Result<bool, Problem>> {
        async { self.keeper.refused().await.map_err(|failure| failure.problem) }.boxed()
    }

    fn identity(&self) -> Option<Arc<Identity>> {
        self.identity.clone()
    }
}

/// The method's placement with its templates filled in: the name of a header may be an input.
fn placement(subject: &Subject) -> Result<Placement, Problem> {
    let filled = |template: &Option<String>| template.as_deref().map(|text| template::render(text, &subject.context)).transpose();
    let at = &subject.method().placement;
    Ok(Placement {
        header: filled(&at.header)?,
        query: filled(&at.query)?,
        prefix: filled(&at.prefix)?,
        input: at.input.clone(),
        body: at.body.clone(),
    })
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
    match (&at.header, &at.query) {
        (Some(header), _) => attached.headers.push((header.clone(), with(prefix.unwrap_or_default()))),
        (None, Some(query)) => attached.query.push((query.clone(), with(prefix.unwrap_or_default()))),
        (None, None) => attached.headers.push(("Authorization".to_owned(), with(prefix.unwrap_or("Bearer ")))),
    }
    attached
}

/// RFC 7617.
fn basic(subject: &Subject) -> Result<Attached, Problem> {
    let method = subject.method();
    let user = match &method.username {
        Some(template) => template::render(template, &subject.context)?,
        None => subject.required("username")?.to_owned(),
    };
    let password = match &method.password {
        Some(template) => Secret::new(template::render(template, &subject.context)?),
        None => Secret::new(subject.input("password").unwrap_or_default()),
    };
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
    #[test]
    fn a_key_goes_where_the_definition_says() {
        let some = |text: &str| Some(text.to_owned());
        #[rustfmt::skip]
        let table = [
            (Placement::default(), "k", "Authorization: Bearer k"),
            (Placement::default(), "bearer k", "Authorization: Bearer k"),
            (Placement { header: some("X-Api-Key"), ..Placement::default() }, "k", "X-Api-Key: k"),
            (Placement { header: some("Authorization"), prefix: some("SSWS "), ..Placement::default() }, "k", "Authorization: SSWS k"),
            (Placement { header: some("Authorization"), prefix: some("SSWS "), ..Placement::default() }, "SSWS k", "Authorization: SSWS k"),
            (Placement { query: some("api_key"), ..Placement::default() }, "ü", "?api_key=ü"),
        ];
        for (placement, value, expected) in table {
            let attached = place(&placement, value);
            let mut all: Vec<String> = attached.headers.iter().map(|(name, value)| format!("{name}: {}", value.expose())).collect();
            all.extend(attached.query.iter().map(|(name, value)| format!("?{name}={}", value.expose())));
            assert_eq!(all, [expected]);
        }
    }
}
