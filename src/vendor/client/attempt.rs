//! One request: its parts put together, the credential put on it, the answer read.

use std::time::Instant;

use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::form_urlencoded;

use super::retry::until_cancelled;
use super::{Answer, Ask, Attached, Body, Client, Inner, Outgoing, rendered};
use crate::model::{Problem, Secret, Sink};
use crate::problem;
use crate::vendor::http::{self, Trouble};
use crate::words::clean;

impl Client {
    /// One request and its answer. The outer error ends everything; the inner one may be tried again. Beside the answer: what must not be
    /// repeated to anybody.
    pub(super) async fn attempt(&self, ask: &Ask<'_>, shown: &str, sink: &Sink) -> Result<Result<(Answer, Vec<Secret>), Missed>, Problem> {
        let Inner { connector, context, authorizer, patience, pace } = &*self.inner;
        let vendor = self.vendor();
        let permit = until_cancelled(sink, vendor, pace.turn(vendor, sink)).await??;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        let own = |name: &str| ask.headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name));
        for (name, value) in connector.request.headers.iter().filter(|(name, _)| !own(name)) {
            // Without a value there is no header: an optional input can steer it.
            let value = rendered(value, context)?;
            if !value.is_empty() {
                put(&mut headers, name, &value, false, vendor)?;
            }
        }
        for (name, value) in ask.headers {
            put(&mut headers, name, value, false, vendor)?;
        }
        let mut body = ask.body.map(|body| body.encoded(&[]));
        if let Some(body) = ask.body
            && !headers.contains_key(CONTENT_TYPE)
        {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(body.content_type()));
        }
        let attached = match authorizer {
            Some(authorizer) => {
                let content_type = headers.get(CONTENT_TYPE).filter(|_| body.is_some()).and_then(|value| value.to_str().ok());
                let bytes = body.as_deref().unwrap_or_default();
                let request = Outgoing { method: ask.method, url: &ask.url, headers: &headers, body: bytes, content_type };
                until_cancelled(sink, vendor, authorizer.credentials(&request)).await??
            }
            None => Attached::default(),
        };
        let mut url = attached.url.clone().unwrap_or_else(|| ask.url.clone());
        if !attached.query.is_empty() {
            url.query_pairs_mut().extend_pairs(attached.query.iter().map(|(name, value)| (name.as_str(), value.expose())));
        }
        for (name, value) in &attached.headers {
            put(&mut headers, name, value.expose(), true, vendor)?;
        }
        if !attached.body.is_empty() {
            // A key that travels in the body needs one.
            let empty = Body::Json(Value::Object(serde_json::Map::new()));
            let with = ask.body.unwrap_or(&empty);
            if !headers.contains_key(CONTENT_TYPE) {
                headers.insert(CONTENT_TYPE, HeaderValue::from_static(with.content_type()));
            }
            body = Some(with.encoded(&attached.body));
        }
        let client = match authorizer.as_ref().and_then(|authorizer| authorizer.identity()) {
            Some(identity) => http::client_with(&url, &identity)?,
            None => http::client_for(&url)?.clone(),
        };
        let method = reqwest::Method::from_bytes(ask.method.as_bytes()).unwrap_or(reqwest::Method::GET);
        let mut request = client.request(method, url).timeout(patience.timeout).headers(headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        let started = Instant::now();
        let exchange = async {
            let response = request.send().await.map_err(|error| Missed::trouble(&error))?;
            let status = response.status().as_u16();
            let headers: Vec<(String, String)> = response
                .headers()
                .iter()
                .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
                .collect();
            let body = http::body(response, http::LARGEST).await.map_err(|error| match error {
                http::BodyError::TooLarge(_) => Missed::TooLarge,
                http::BodyError::Broken(error) => Missed::trouble(&error),
            })?;
            Ok((status, headers, body))
        };
        let exchanged = until_cancelled(sink, vendor, exchange).await?;
        drop(permit);
        Ok(exchanged.map(|(status, headers, body)| {
            let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let url = shown.split_once(' ').map_or(shown, |(_, url)| url).to_owned();
            let mut hide: Vec<Secret> = attached.headers.into_iter().chain(attached.query).chain(attached.body).map(|(_, secret)| secret).collect();
            // A template of the definition may have sent an input as it is.
            let inputs = connector.inputs.iter().chain(connector.auth.values().flat_map(|method| &method.inputs)).filter(|input| input.secret);
            hide.extend(
                inputs.filter_map(|input| context.input.get(&input.key)).filter(|value| !value.is_empty()).map(|value| Secret::new(value.as_str())),
            );
            (Answer { status, headers, body, url, milliseconds, requests: 1 }, hide)
        }))
    }
}

impl Body {
    fn content_type(&self) -> &'static str {
        match self {
            Self::Json(_) => "application/json",
            Self::Form(_) => "application/x-www-form-urlencoded",
        }
    }

    /// As it travels, with these values in it: in JSON by path of member names, in a form by field.
    fn encoded(&self, with: &[(String, Secret)]) -> Vec<u8> {
        match self {
            Self::Json(value) if with.is_empty() => value.to_string().into_bytes(),
            Self::Json(value) => {
                let mut value = value.clone();
                for (path, secret) in with {
                    set(&mut value, path, secret.expose());
                }
                value.to_string().into_bytes()
            }
            Self::Form(fields) => {
                let own = fields.iter().filter(|(name, _)| with.iter().all(|(other, _)| other != name));
                let fields = own.chain(with).map(|(name, value)| (name.as_str(), value.expose()));
                form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish().into_bytes()
            }
        }
    }
}

/// Sets a member of an object; objects on the way there are made. What is no object is left alone.
fn set(mut value: &mut Value, path: &str, text: &str) {
    let mut names = path.split('.').peekable();
    while let Some(name) = names.next() {
        let Value::Object(members) = value else { return };
        if names.peek().is_none() {
            members.insert(name.to_owned(), Value::String(text.to_owned()));
            return;
        }
        value = members.entry(name).or_insert_with(|| Value::Object(serde_json::Map::new()));
    }
}

/// Why there is no answer.
pub(super) enum Missed {
    Trouble(Trouble, String),
    TooLarge,
}

impl Missed {
    fn trouble(error: &reqwest::Error) -> Self {
        Self::Trouble(Trouble::of(error), http::innermost(error))
    }
}

fn put(headers: &mut HeaderMap, name: &str, value: &str, secret: bool, vendor: &str) -> Result<(), Problem> {
    let bad = || problem!(Usage, "vendor.header", vendor = vendor, name = clean::line(name, 60));
    let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
    let mut value = HeaderValue::from_str(value).map_err(|_| bad())?;
    value.set_sensitive(secret);
    headers.insert(header, value);
    Ok(())
}
