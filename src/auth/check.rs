//! Proves that a credential works: the connector's own harmless request, and what became of it.

use std::sync::Arc;
use std::time::Instant;

use super::authorizer;
use super::ends;
use super::keeper::Keeper;
use super::refusal::Failure;
use super::subject::Subject;
use crate::catalog::{Catalog, template};
use crate::model::{AuthKind, Check, Credential, CredentialStatus, End, Format, Problem, ProblemKind, Progress, Secret, Sink, TestOutcome, Time};
use crate::store::Store;
use crate::vault::Vault;
use crate::vendor::client::{Answer, Body, Call, Client};
use crate::vendor::ldap::Search;
use crate::vendor::mail::Mailbox;
use crate::vendor::{http, rules};
use crate::words::clean;
use crate::{problem, t};

/// A credential made ready for requests.
pub struct Link {
    pub client: Client,
    pub subject: Subject,
    /// For methods with tokens.
    pub keeper: Option<Arc<Keeper>>,
}

/// Reads what a credential needs. Makes no request.
pub fn link(store: &Arc<Store>, vault: &Arc<Vault>, catalog: &Catalog, credential: &Credential) -> Result<Link, Problem> {
    let subject = Subject::load(vault, catalog, credential)?;
    let keeper = subject.method().has_token().then(|| Arc::new(Keeper::new(Arc::clone(store), Arc::clone(vault), subject.clone())));
    linked(keeper, subject)
}

/// The same for a secret that the credential does not have yet: a token is obtained with it in any case, and what fails is not the
/// credential's fault.
pub fn trial(store: &Arc<Store>, vault: &Arc<Vault>, subject: Subject) -> Result<Link, Problem> {
    let keeper = subject.method().has_token().then(|| Arc::new(Keeper::for_trial(Arc::clone(store), Arc::clone(vault), subject.clone())));
    linked(keeper, subject)
}

/// A subject with tokens that are kept already.
pub fn linked(keeper: Option<Arc<Keeper>>, subject: Subject) -> Result<Link, Problem> {
    let authorizer = authorizer::of(&subject, keeper.as_ref())?;
    let client = Client::new(Arc::clone(&subject.connector), subject.context.clone(), authorizer)?;
    Ok(Link { client, subject, keeper })
}

/// What a test found, and what that makes of the credential.
pub struct Tested {
    pub outcome: TestOutcome,
    pub status: CredentialStatus,
    /// By how many seconds this host's clock is ahead of the vendor's, where the answer told the time.
    pub clock_ahead: Option<i64>,
    /// The scopes of the token, where the answer named them.
    pub granted: Option<Vec<String>>,
    /// When the secret ends, where the answer told it.
    pub secret_end: Option<End>,
}

/// Obtains a token where the method needs one; `Some` when none was to be had, which is a failed test. The values that a token response
/// brings are kept with the credential: read it again before its test request is made, whose address may name them.
pub async fn obtain(link: &Link, sink: &Sink) -> Result<Option<Tested>, Problem> {
    let Some(keeper) = &link.keeper else { return Ok(None) };
    let vendor = link.subject.vendor();
    report(sink, t!("auth.check.token", vendor = vendor));
    let tokens = tokio::select! {
        tokens = keeper.current() => tokens,
        () = sink.cancel.cancelled() => return Err(problem!(Failed, "auth.check.cancelled", vendor = vendor)),
    };
    Ok(tokens.err().map(failed))
}

/// Makes the first check that is for this method, with the token that [`obtain`] saw to. An error is one that kept the test from being made
/// at all.
pub async fn run(link: &Link, sink: &Sink) -> Result<Tested, Problem> {
    let subject = &link.subject;
    let check = subject.connector.checks.iter().find(|check| check.auth.is_empty() || check.auth.contains(&subject.method_key));
    match check {
        Some(check) if link.client.directory()?.is_some() => search(link, check, sink).await,
        Some(check) if link.client.mailbox()?.is_some() => look(link, check, sink).await,
        Some(check) => ask(link, check, sink).await,
        None => without_request(link),
    }
}

/// The check of a directory: a bind, and a search for one entry.
async fn search(link: &Link, check: &Check, sink: &Sink) -> Result<Tested, Problem> {
    let subject = &link.subject;
    report(sink, t!("auth.check.asking", vendor = subject.vendor()));
    let base = template::render(&check.path, &subject.context)?;
    let search = Search::probe(&link.client, &base, &template::pairs(&check.query, &subject.context)?)?;
    let request = search.shown();
    spoken(link, request, sink, async { search.tried().await.map(|()| check.proves.clone()) }).await
}

/// The check of a mailbox: a look into a folder, and the sending server's word.
async fn look(link: &Link, check: &Check, sink: &Sink) -> Result<Tested, Problem> {
    let subject = &link.subject;
    report(sink, t!("auth.check.asking", vendor = subject.vendor()));
    let folder = template::render(&check.path, &subject.context)?;
    let mailbox = Mailbox::probe(&link.client, &folder, &template::pairs(&check.query, &subject.context)?)?;
    spoken(link, mailbox.shown(), sink, async { mailbox.tried().await.map(|found| format!("{} {found}", check.proves)) }).await
}

/// A test in another protocol than HTTP, which says what it proves.
async fn spoken(link: &Link, request: String, sink: &Sink, talk: impl Future<Output = Result<String, Problem>>) -> Result<Tested, Problem> {
    let started = Instant::now();
    let tried = tokio::select! {
        tried = talk => tried,
        () = sink.cancel.cancelled() => return Err(problem!(Failed, "auth.check.cancelled", vendor = link.subject.vendor())),
    };
    let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let (proves, problem) = match tried {
        Ok(proves) => (proves, None),
        Err(problem) => (String::new(), Some(redacted(problem, &hidden(link)))),
    };
    let status = match &problem {
        None => CredentialStatus::Valid,
        Some(problem) if problem.kind == ProblemKind::PersonMustAct => CredentialStatus::Refused,
        Some(_) => CredentialStatus::Unknown,
    };
    let outcome = TestOutcome { ok: problem.is_none(), at: Time::now(), request, status: None, milliseconds, proves, problem };
    Ok(Tested { clock_ahead: None, granted: None, secret_end: None, outcome, status })
}

async fn ask(link: &Link, check: &Check, sink: &Sink) -> Result<Tested, Problem> {
    let subject = &link.subject;
    report(sink, t!("auth.check.asking", vendor = subject.vendor()));
    let context = &subject.context;
    let (query, headers) = (template::pairs(&check.query, context)?, template::pairs(&check.headers, context)?);
    let form = template::pairs(&check.form, context)?;
    let json = check.body.as_ref().map(|body| template::json(body, context)).transpose()?;
    let send = || {
        let body = match &json {
            Some(json) => Some(Body::Json(json.clone())),
            None if form.is_empty() => None,
            None => Some(Body::Form(form.iter().map(|(name, value)| (name.clone(), Secret::new(value.as_str()))).collect())),
        };
        let (method, path, query, headers) = (check.method.as_str(), check.path.as_str(), query.as_slice(), headers.as_slice());
        async move { link.client.call_once(&Call { method, path, query, headers, body }, sink).await }
    };
    let started = Instant::now();
    let mut sent = send().await;
    if let (Ok(Answer { status: 401, .. }), Some(keeper)) = (&sent, &link.keeper) {
        // The token may have been revoked early; a fresh one decides.
        match keeper.refused().await {
            Ok(true) => sent = send().await,
            Ok(false) => {}
            Err(failure) if failure.passes() && failure.request.is_some() => {}
            // Nobody at the vendor was asked: it is the place where the tokens are kept.
            Err(failure) => return Ok(failed(failure)),
        }
    }
    let hide = hidden(link);
    let answer = match sent {
        Ok(answer) => answer,
        Err(problem) if sink.cancelled() => return Err(problem),
        Err(problem) => {
            let milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
            let request = format!("{} {}", check.method, clean::line(&check.path, 200));
            let outcome = TestOutcome { ok: false, at: Time::now(), request, status: None, milliseconds, proves: String::new(), problem: None };
            // What is wrong with the settings is wrong before anything was sent.
            let status = match problem.kind {
                ProblemKind::Usage => CredentialStatus::Untested,
                // The client's certificate, say.
                ProblemKind::PersonMustAct => CredentialStatus::Refused,
                _ => CredentialStatus::Unknown,
            };
            return Ok(Tested {
                clock_ahead: None,
                granted: None,
                secret_end: None,
                outcome: TestOutcome { problem: Some(redacted(problem, &hide)), ..outcome },
                status,
            });
        }
    };
    let problem = judge(link, check, &answer);
    let status = match (&problem, answer.status) {
        (None, _) => CredentialStatus::Valid,
        (Some(_), _) if is_page(&answer) => CredentialStatus::Unknown,
        (Some(_), 401 | 403) => CredentialStatus::Refused,
        (Some(_), 300..=399 | 404 | 429 | 500..) => CredentialStatus::Unknown,
        // An expression of the definition, or an error rule, says no to a success.
        (Some(_), _) => CredentialStatus::Refused,
    };
    Ok(Tested {
        outcome: TestOutcome {
            ok: problem.is_none(),
            at: Time::now(),
            request: format!("{} {}", check.method, answer.url),
            status: Some(answer.status),
            milliseconds: answer.milliseconds,
            proves: if problem.is_none() { check.proves.clone() } else { String::new() },
            problem: problem.map(|problem| redacted(problem, &hide)),
        },
        status,
        clock_ahead: clock_ahead(&answer),
        granted: granted(link, &answer),
        secret_end: secret_end(link, &answer),
    })
}

/// Scopes in a header; only what worked is believed.
fn granted(link: &Link, answer: &Answer) -> Option<Vec<String>> {
    let header = link.subject.method().scopes.granted_header.as_deref().filter(|_| answer.status < 400)?;
    let scopes = answer.header(header)?.split([',', ' ']).filter(|scope| !scope.is_empty());
    Some(scopes.map(|scope| clean::line(scope, 200)).collect())
}

fn secret_end(link: &Link, answer: &Answer) -> Option<End> {
    let expiry = link.subject.method().expiry.as_ref().filter(|_| answer.status < 400)?;
    let at = ends::moment(answer.header(expiry.header.as_deref()?)?)?;
    Some(End { what: "secret".to_owned(), field: expiry.input.clone(), at, known_from: "vendor".to_owned() })
}

/// The `Date` of an answer that came just now. One from a cache is as old as its `Age` says, and tells nothing.
fn clock_ahead(answer: &Answer) -> Option<i64> {
    if answer.header("age").is_some() {
        return None;
    }
    http::behind(answer.header("date")?, std::time::SystemTime::now()).map(|behind| -behind.as_secs())
}

/// Why an answer does not prove anything; `None` when it does.
fn judge(link: &Link, check: &Check, answer: &Answer) -> Option<Problem> {
    let vendor = link.subject.vendor();
    let host = answer.url.split('/').nth(2).unwrap_or_default();
    if is_page(answer) && matches!(answer.status, 200..=399 | 404) && check.ok.is_none() {
        return Some(problem!(Failed, "auth.check.page", vendor = vendor, host = host, status = answer.status));
    }
    let said = link.client.judge(&check.method, answer);
    if let Some(expression) = &check.ok {
        return match rules::holds(&link.subject.connector, expression, answer.status, &answer.body) {
            // What was refused proves nothing, unless the definition says which status it waits for.
            Ok(true) if answer.status < 400 || expression.contains("status") => None,
            Ok(true) => said.map(|said| advised(link, answer, said)),
            Ok(false) => {
                Some(said.map_or_else(
                    || problem!(Failed, "auth.check.not_ok", vendor = vendor, status = answer.status),
                    |said| advised(link, answer, said),
                ))
            }
            Err(problem) => Some(problem),
        };
    }
    said.map(|said| advised(link, answer, said))
}

/// A refusal with what to do about it for this method.
fn advised(link: &Link, answer: &Answer, said: Problem) -> Problem {
    // What a person can do about a 401 depends on what was sent.
    let advice = match (answer.status, link.subject.method().kind) {
        (401, AuthKind::ApiKey) => t!("auth.check.advice.key"),
        (401, AuthKind::Bearer) => t!("auth.check.advice.token"),
        (401, AuthKind::Basic) => t!("auth.check.advice.password"),
        (401, AuthKind::OAuth2Code | AuthKind::ClientCredentials) => t!("auth.check.advice.oauth"),
        (401, AuthKind::OAuth1) if link.keeper.is_some() => t!("oauth1.advice"),
        (401, AuthKind::None) => t!("auth.check.advice.none"),
        (403, AuthKind::OAuth2Code | AuthKind::ClientCredentials) => t!("auth.check.advice.scopes"),
        _ => return said,
    };
    Problem { next_step: advice.to_owned(), ..said }
}

/// Whether an answer is a page for browsers: a sign-in form, a proxy's notice.
fn is_page(answer: &Answer) -> bool {
    answer.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("html"))
        || answer.body.trim_ascii_start().get(..9).is_some_and(|start| start.eq_ignore_ascii_case(b"<!doctype"))
}

/// A connector without a request to make: a file is looked at; a token that was obtained is a proof of its own.
fn without_request(link: &Link) -> Result<Tested, Problem> {
    let subject = &link.subject;
    let started = Instant::now();
    let outcome = |ok, request: String, proves: &str, problem| TestOutcome {
        ok,
        at: Time::now(),
        request,
        status: None,
        milliseconds: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        proves: proves.to_owned(),
        problem,
    };
    if let Some(resource) = subject.connector.resources_for(&subject.method_key).find(|resource| resource.format == Format::File) {
        let path = crate::vendor::expand(&template::render(&resource.path, &subject.context)?);
        let shown = clean::line(&path.display().to_string(), 200);
        let opened = std::fs::File::open(&path).and_then(|file| file.metadata());
        return Ok(match opened {
            Ok(metadata) if metadata.is_file() => Tested {
                clock_ahead: None,
                granted: None,
                secret_end: None,
                outcome: outcome(true, shown, t!("auth.check.file_there"), None),
                status: CredentialStatus::Valid,
            },
            Ok(_) => {
                let problem = problem!(Usage, "auth.check.no_file", path = shown);
                Tested {
                    clock_ahead: None,
                    granted: None,
                    secret_end: None,
                    outcome: outcome(false, shown, "", Some(problem)),
                    status: CredentialStatus::Refused,
                }
            }
            Err(error) => {
                let problem = problem!(Usage, "auth.check.file", path = shown, reason = error);
                Tested {
                    clock_ahead: None,
                    granted: None,
                    secret_end: None,
                    outcome: outcome(false, shown, "", Some(problem)),
                    status: CredentialStatus::Refused,
                }
            }
        });
    }
    if link.keeper.is_some() {
        return Ok(Tested {
            clock_ahead: None,
            granted: None,
            secret_end: None,
            outcome: outcome(true, String::new(), t!("auth.check.token_only"), None),
            status: CredentialStatus::Valid,
        });
    }
    Err(problem!(Failed, "auth.check.none", vendor = subject.vendor()))
}

/// A test that ended before its request: a lookup on the way failed.
#[must_use]
pub fn ended(link: &Link, problem: Problem) -> Tested {
    let status = match problem.kind {
        ProblemKind::Usage => CredentialStatus::Untested,
        ProblemKind::PersonMustAct => CredentialStatus::Refused,
        ProblemKind::Failed | ProblemKind::Partial => CredentialStatus::Unknown,
    };
    failed(Failure::new(redacted(problem, &hidden(link)), status))
}

fn failed(failure: Failure) -> Tested {
    Tested { clock_ahead: None, granted: None, secret_end: None, status: failure.status, outcome: failure.outcome() }
}

/// Everything that was sent and must not be told.
fn hidden(link: &Link) -> Vec<Secret> {
    let mut hide: Vec<Secret> = link.subject.hide().into_iter().map(Secret::new).collect();
    if let Some(keeper) = &link.keeper {
        hide.extend(keeper.secrets());
    }
    hide
}

fn redacted(mut problem: Problem, hide: &[Secret]) -> Problem {
    let hide: Vec<&str> = hide.iter().map(Secret::expose).collect();
    for text in [&mut problem.what, &mut problem.why, &mut problem.next_step] {
        *text = crate::words::hide::hide(text, &hide);
    }
    problem.code = problem.code.filter(|code| crate::words::hide::hide(code, &hide) == *code);
    problem
}

pub(super) fn report(sink: &Sink, doing: String) {
    sink.report(Progress { doing, records: 0, pages: 0, total: None, rate: 0.0, seconds_left: None });
}
