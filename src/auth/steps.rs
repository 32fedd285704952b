//! A login in requests of the vendor's own shape, one after another; the last values named `access`, `refresh` and `expires` are the token.
//!
//! Redirects are answers here, so that nothing is sent where the definition does not say; cookies go on only where it says.

use std::time::{Duration, Instant};

use indexmap::IndexMap;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::identity;
use super::refusal::Failure;
use super::request::unsent;
use super::subject::Subject;
use super::tokens::{self, Received, Shape};
use crate::catalog::addresses;
use crate::catalog::template::{self, Context};
use crate::model::{CredentialStatus, Problem, Secret, Step, Time, TokenResponse};
use crate::vendor::http::{self, Trouble};
use crate::vendor::{fault, rules};
use crate::words::clean;
use crate::{problem, t};

/// A login's answers are small.
const LARGEST: usize = 4 << 20;
const TIMEOUT: Duration = Duration::from_secs(30);

/// All steps but those for a refresh.
pub async fn login(subject: &Subject) -> Result<Received, Failure> {
    let steps: Vec<&Step> = subject.method().steps.iter().filter(|step| !step.refresh).collect();
    run(subject, &steps, subject.context.clone()).await
}

/// The steps for a refresh, which have the refresh token as `step.refresh`.
pub async fn refresh(subject: &Subject, token: &str) -> Result<Received, Failure> {
    let steps: Vec<&Step> = subject.method().steps.iter().filter(|step| step.refresh).collect();
    run(subject, &steps, subject.context.clone().with("step.refresh", token)).await
}

async fn run(subject: &Subject, steps: &[&Step], mut context: Context) -> Result<Received, Failure> {
    let mut saved: IndexMap<String, Secret> = IndexMap::new();
    let mut found = IndexMap::new();
    let mut last = None;
    for (i, step) in steps.iter().enumerate() {
        let walk = Walk { subject, step, number: i + 1, of: steps.len(), context: &context };
        let answer = walk.ask().await?;
        let lacking = |problem| walk.failure(&answer, problem, CredentialStatus::Refused);
        let taken = walk.take(&answer, &step.save).map_err(lacking)?;
        found.extend(walk.take(&answer, &step.capture).map_err(lacking)?);
        for (name, value) in taken {
            context = context.with(&format!("step.{name}"), &value);
            saved.insert(name, Secret::new(value));
        }
        last = Some(answer);
    }
    let method = subject.method();
    let body: serde_json::Map<String, Value> = [("access", "access_token"), ("refresh", "refresh_token"), ("expires", "expires_in")]
        .into_iter()
        .filter_map(|(name, member)| Some((member.to_owned(), Value::String(saved.get(name)?.expose().to_owned()))))
        .collect();
    let response = TokenResponse { claims: method.response.claims.clone(), ..TokenResponse::default() };
    let shape = Shape {
        response: &response,
        separator: " ",
        access_lifetime: tokens::lifetime(method.lifetime.access.as_deref()),
        refresh_lifetime: tokens::lifetime(method.lifetime.refresh.as_deref()),
    };
    let received = tokens::read(&json!(body), &shape, Time::now());
    let mut received = received.ok_or_else(|| {
        let failure = Failure::new(problem!(Failed, "steps.no_token", vendor = subject.vendor()), CredentialStatus::Refused);
        last.map_or(failure.clone(), |answer| Failure { request: Some(answer.request), http: Some(answer.status), ..failure })
    })?;
    received.found.extend(found);
    Ok(received)
}

/// One step on its way.
struct Walk<'a> {
    subject: &'a Subject,
    step: &'a Step,
    number: usize,
    of: usize,
    context: &'a Context,
}

struct Answer {
    /// `POST https://…`, without what a query may hold.
    request: String,
    status: u16,
    headers: HeaderMap,
    body: bytes::Bytes,
    milliseconds: u64,
}

impl Walk<'_> {
    /// Sends the request; an answer that is not as the step wants it is a failure.
    async fn ask(&self) -> Result<Answer, Failure> {
        let early = |problem: Problem| unsent(self.named(problem));
        let (url, request) = self.address().map_err(early)?;
        let (kind, body) = self.body().map_err(early)?;
        let headers = self.headers(kind).map_err(early)?;
        let method = reqwest::Method::from_bytes(self.step.method.as_bytes()).unwrap_or(reqwest::Method::POST);
        let client = match identity::of(self.subject).map_err(early)? {
            Some(identity) => http::client_with(&url, &identity).map_err(early)?,
            None => http::client_staying(&url).map_err(early)?.clone(),
        };
        let started = Instant::now();
        let trouble = |error: &reqwest::Error| {
            let host = clean::line(url.host_str().unwrap_or_default(), 200);
            let problem = Trouble::of(error).problem(&self.subject.vendor(), &request, &host, &http::innermost(error));
            let failure = Failure::new(self.named(problem), CredentialStatus::Unknown);
            Failure { request: Some(request.clone()), milliseconds: millis(started), ..failure }
        };
        let mut sending = client.request(method, url.clone()).timeout(TIMEOUT).headers(headers);
        if let Some(body) = body {
            sending = sending.body(body.as_bytes().to_vec());
        }
        let response = sending.send().await.map_err(|error| trouble(&error))?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = match http::body(response, LARGEST).await {
            Ok(body) => body,
            Err(http::BodyError::Broken(error)) => return Err(trouble(&error)),
            Err(http::BodyError::TooLarge(_)) => bytes::Bytes::new(),
        };
        let milliseconds = millis(started);
        let answer = Answer { request, status, headers, body, milliseconds };
        let ok = match &self.step.ok {
            Some(condition) => rules::holds(&self.subject.connector, condition, status, &answer.body).map_err(early)?,
            None => (200..300).contains(&status),
        };
        if ok { Ok(answer) } else { Err(self.refused(&answer)) }
    }

    fn address(&self) -> Result<(Url, String), Problem> {
        let path = template::render(&self.step.url, self.context)?;
        let absolute = path.starts_with("https://") || path.starts_with("http://");
        let base = if absolute { None } else { addresses::base_url(&self.subject.connector, self.context)? };
        let mut url = http::address(&addresses::join(base.as_deref(), &path)?)?;
        let query = template::pairs(&self.step.query, self.context)?;
        let mut shown = url.clone();
        shown.set_query(None);
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok((url, format!("{} {}", clean::line(&self.step.method, 20), http::shown(&shown))))
    }

    fn body(&self) -> Result<(&'static str, Option<Zeroizing<String>>), Problem> {
        let step = self.step;
        Ok(if let Some(json) = &step.json {
            ("application/json", Some(Zeroizing::new(template::json(json, self.context)?.to_string())))
        } else if let Some(text) = &step.text {
            ("", Some(Zeroizing::new(template::render(text, self.context)?)))
        } else if step.form.is_empty() {
            ("", None)
        } else {
            let mut form = form_urlencoded::Serializer::new(String::new());
            form.extend_pairs(template::pairs(&step.form, self.context)?);
            ("application/x-www-form-urlencoded", Some(Zeroizing::new(form.finish())))
        })
    }

    fn headers(&self, kind: &'static str) -> Result<HeaderMap, Problem> {
        let mut headers = HeaderMap::new();
        let given = template::pairs(&self.step.headers, self.context)?;
        let own = [("accept", "application/json"), ("content-type", kind)].into_iter().filter(|(_, value)| !value.is_empty());
        for (name, value) in own.chain(given.iter().map(|(name, value)| (name.as_str(), value.as_str()))) {
            let bad = || problem!(Usage, "vendor.header", vendor = self.subject.vendor(), name = clean::line(name, 60));
            let mut header = HeaderValue::from_str(value).map_err(|_| bad())?;
            header.set_sensitive(true);
            headers.insert(HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?, header);
        }
        Ok(headers)
    }

    /// What the answer holds, by the names that the step gives it.
    fn take(&self, answer: &Answer, wanted: &IndexMap<String, String>) -> Result<Vec<(String, String)>, Problem> {
        let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        let mut taken = Vec::with_capacity(wanted.len());
        for (name, path) in wanted {
            match value(answer, &body, path) {
                Some(value) => taken.push((name.clone(), value)),
                // A step may bring a refresh token, or say when the token ends; it need not.
                None if matches!(name.as_str(), "refresh" | "expires") => {}
                None => {
                    let (name, path) = (clean::line(name, 40), clean::line(path, 100));
                    return Err(problem!(
                        Failed,
                        "steps.missing",
                        vendor = self.subject.vendor(),
                        n = self.number,
                        of = self.of,
                        name = name,
                        path = path
                    ));
                }
            }
        }
        Ok(taken)
    }

    fn refused(&self, answer: &Answer) -> Failure {
        let hide: Vec<&str> = self.subject.hide().into_iter().chain(self.context.more.values().map(String::as_str)).collect();
        let said = fault::said(&answer.body, &hide);
        let (vendor, n, of, status) = (self.subject.vendor(), self.number, self.of, answer.status);
        let message = said.message.as_deref().map(|text| text.trim_end_matches('.')).filter(|text| !text.is_empty());
        let reason = match message {
            Some(message) => t!("steps.said", request = answer.request, status = status, message = message),
            None => t!("steps.silent", request = answer.request, status = status),
        };
        let (problem, becomes) = match status {
            300..=399 => {
                let elsewhere = answer.headers.get("location").and_then(|to| to.to_str().ok()).unwrap_or_default();
                let elsewhere = elsewhere.split(['?', '#']).next().unwrap_or_default();
                let problem =
                    problem!(Failed, "steps.redirected", vendor = vendor, n = n, of = of, reason = reason, elsewhere = clean::line(elsewhere, 150));
                (problem, CredentialStatus::Unknown)
            }
            404 | 405 | 410 => (problem!(Failed, "steps.not_found", vendor = vendor, n = n, of = of, reason = reason), CredentialStatus::Unknown),
            408 | 429 | 500.. => (problem!(Failed, "steps.busy", vendor = vendor, n = n, of = of, reason = reason), CredentialStatus::Unknown),
            200..=299 => (problem!(PersonMustAct, "steps.not_ok", vendor = vendor, n = n, of = of, reason = reason), CredentialStatus::Refused),
            _ => (problem!(PersonMustAct, "steps.refused", vendor = vendor, n = n, of = of, reason = reason), CredentialStatus::Refused),
        };
        let problem = match said.code {
            Some(code) => problem.with_code(code),
            None => problem,
        };
        self.failure(answer, problem, becomes)
    }

    /// Something else that went wrong, told as this step's.
    fn named(&self, problem: Problem) -> Problem {
        Problem { what: t!("steps.what", vendor = self.subject.vendor(), n = self.number, of = self.of), ..problem }
    }

    fn failure(&self, answer: &Answer, problem: Problem, status: CredentialStatus) -> Failure {
        let (request, milliseconds) = (Some(answer.request.clone()), answer.milliseconds);
        Failure { request, http: Some(answer.status), milliseconds, ..Failure::new(problem, status) }
    }
}

fn value(answer: &Answer, body: &Value, path: &str) -> Option<String> {
    let text = || String::from_utf8_lossy(&answer.body);
    let value = if let Some(name) = path.strip_prefix("header:") {
        answer.headers.get(name.trim())?.to_str().ok()?.trim().to_owned()
    } else if let Some(name) = path.strip_prefix("cookie:") {
        cookie(&answer.headers, name.trim())?
    } else if path == "text" {
        text().trim().to_owned()
    } else if let Some(pattern) = path.strip_prefix("regex:") {
        let pattern = regex::RegexBuilder::new(pattern).size_limit(1 << 20).build().ok()?;
        pattern.captures(&text())?.get(1)?.as_str().to_owned()
    } else {
        tokens::at(body, path).and_then(tokens::as_text)?
    };
    Some(value).filter(|value| !value.is_empty())
}

/// RFC 6265 §5.2: the name runs to the first `=`, the value to the first `;`. The last one of a name counts.
fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let set = headers.get_all("set-cookie").iter().filter_map(|header| header.to_str().ok());
    let pairs = set.filter_map(|line| line.split(';').next()?.split_once('='));
    pairs.filter(|(known, _)| known.trim() == name).map(|(_, value)| value.trim().trim_matches('"').to_owned()).next_back()
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_the_step_says() {
        let mut headers = HeaderMap::new();
        for (name, line) in
            [("x-auth-token", "h1"), ("set-cookie", "sid=old; Path=/"), ("set-cookie", "sid=\"c=1\"; HttpOnly; Secure"), ("set-cookie", "other=x")]
        {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(line));
        }
        let body = br#"{"data": {"token": "t", "n": 7, "list": [{"id": "a"}]}, "html": "name='csrf' value='abc'"}"#;
        let answer = Answer { request: String::new(), status: 200, headers, body: bytes::Bytes::from_static(body), milliseconds: 0 };
        let json: Value = serde_json::from_slice(body).unwrap();
        for (path, expected) in [
            ("data.token", Some("t")),
            ("data.n", Some("7")),
            ("data.list[0].id", Some("a")),
            ("data.absent | data.token", Some("t")),
            ("data", None),
            ("header:X-Auth-Token", Some("h1")),
            ("header:absent", None),
            ("cookie:sid", Some("c=1")),
            ("cookie:none", None),
            ("regex:name='csrf' value='([^']+)'", Some("abc")),
            ("regex:nothing(x)", None),
            ("regex:(", None),
        ] {
            assert_eq!(value(&answer, &json, path).as_deref(), expected, "{path}");
        }
        assert!(value(&answer, &json, "text").is_some_and(|text| text.starts_with('{')));
    }
}
