//! Trying again: what is safe to repeat, how long to wait before, and when to give up.

use std::time::{Duration, SystemTime};

use super::attempt::Missed;
use super::{Answer, Ask, Client, Inner};
use crate::model::{Connector, ErrorAction, Problem, Progress, Secret, Sink};
use crate::vendor::http::{self, Trouble};
use crate::vendor::rules;
use crate::{problem, t};

/// The longest pause of our own choosing.
pub(super) const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

impl Client {
    /// Sends with retries, until there is a success or a Problem.
    pub(in crate::vendor) async fn ask(&self, ask: &Ask<'_>, sink: &Sink) -> Result<Answer, Problem> {
        let Inner { connector, authorizer, patience, .. } = &*self.inner;
        let shown = self.shown(ask);
        let repeatable = ask.harmless || !matches!(ask.method, "POST" | "PATCH");
        let (mut tries, mut requests, mut refreshed) = (0, 0, false);
        loop {
            tries += 1;
            requests += 1;
            let attempt = self.attempt(ask, &shown, sink).await?;
            let last = tries >= patience.tries.max(1);
            let (pause, reason) = match attempt {
                Err(missed) => {
                    let safe = repeatable || matches!(&missed, Missed::Trouble(Trouble::Connect | Trouble::Name, _));
                    let passes = matches!(&missed, Missed::Trouble(trouble, _) if trouble.passes());
                    let problem = self.unanswered(missed, &shown, ask);
                    if last || !safe || !passes {
                        return Err(tried(problem, tries));
                    }
                    (backoff(patience.base, tries), problem.what)
                }
                Ok((mut answer, hide)) => {
                    answer.requests = requests;
                    let verdict = rules::judge(connector, answer.status, &answer.headers, &answer.body);
                    let Some(action) = verdict.action() else { return Ok(answer) };
                    let hide: Vec<&str> = hide.iter().map(Secret::expose).collect();
                    let problem = || self.refusal(&verdict, &answer, &shown, &hide);
                    match action {
                        ErrorAction::Ignore => return Ok(answer),
                        // A token that has ended is answered like many other things: what a rule calls final is so only with a fresh one.
                        ErrorAction::Fail if answer.status != 401 => return Err(problem()),
                        ErrorAction::Fail | ErrorAction::Refresh => {
                            let renewed = match authorizer {
                                Some(authorizer) if !refreshed => until_cancelled(sink, self.vendor(), authorizer.refused()).await??,
                                _ => false,
                            };
                            if !renewed {
                                return Err(problem());
                            }
                            // A fresh token is a fresh start.
                            refreshed = true;
                            tries -= 1;
                            continue;
                        }
                        // The vendor said that it did not do it: safe for every method.
                        ErrorAction::RateLimited => {
                            let asked = wait_asked_for(connector, &verdict, &answer, SystemTime::now());
                            if let Some(asked) = asked.filter(|asked| *asked > patience.longest) {
                                let reason = self.reason(&verdict, &answer, &shown, &hide);
                                return Err(problem!(Failed, "vendor.too_long", vendor = connector.name, reason = reason, wait = span(asked)));
                            }
                            if last {
                                return Err(tried(problem(), tries));
                            }
                            let pause = asked.map_or_else(|| backoff(patience.base, tries), |asked| asked + jitter(patience.base));
                            self.inner.pace.hold(pause).await;
                            let doing = t!("vendor.waiting.limited", wait = span(pause), vendor = connector.name);
                            wait(pause, doing, self.vendor(), sink).await?;
                            continue;
                        }
                        ErrorAction::Retry => {
                            if last || !repeatable {
                                return Err(tried(problem(), tries));
                            }
                            let asked = wait_asked_for(connector, &verdict, &answer, SystemTime::now()).filter(|asked| *asked <= patience.longest);
                            (asked.unwrap_or_default().max(backoff(patience.base, tries)), problem().what)
                        }
                    }
                }
            };
            wait(pause, t!("vendor.waiting.again", wait = span(pause), reason = reason), self.vendor(), sink).await?;
        }
    }
}

/// Runs until it is done or the sink says stop.
pub(in crate::vendor) async fn until_cancelled<T>(sink: &Sink, vendor: &str, work: impl Future<Output = T>) -> Result<T, Problem> {
    tokio::select! {
        biased;
        () = sink.cancel.cancelled() => Err(problem!(Failed, "vendor.cancelled", vendor = vendor)),
        done = work => Ok(done),
    }
}

/// Waits, and says so.
pub(in crate::vendor) async fn wait(pause: Duration, doing: String, vendor: &str, sink: &Sink) -> Result<(), Problem> {
    sink.report(Progress { doing, records: 0, pages: 0, total: None, rate: 0.0, seconds_left: Some(pause.as_secs()) });
    until_cancelled(sink, vendor, tokio::time::sleep(pause)).await
}

fn tried(mut problem: Problem, tries: u32) -> Problem {
    if tries > 1 {
        problem.why = t!("vendor.answer.tried", reason = problem.why.trim_end_matches('.'), n = tries);
    }
    problem
}

/// The pause after the `tries`th try: doubling, with jitter, so that many clients do not come back together.
pub(in crate::vendor) fn backoff(base: Duration, tries: u32) -> Duration {
    let full = base.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(LONGEST_BACKOFF);
    full / 2 + jitter(full) / 2
}

/// Between nothing and `most`.
fn jitter(most: Duration) -> Duration {
    use std::hash::{BuildHasher, Hasher};
    let random = std::hash::RandomState::new().build_hasher().finish();
    #[allow(clippy::cast_precision_loss)] // a fraction needs no more
    most.mul_f64(random as f64 / u64::MAX as f64)
}

/// How long the vendor asks to wait: as the rule that applies says, else `Retry-After` (RFC 9110 §10.2.3: seconds, or a date), or the headers
/// that the connector names.
pub(super) fn wait_asked_for(connector: &Connector, verdict: &rules::Verdict<'_>, answer: &Answer, now: SystemTime) -> Option<Duration> {
    if let Some(said) = verdict.wait(answer.status, &answer.headers, &answer.body) {
        return Some(said);
    }
    let seconds = |text: &str| text.trim().parse::<f64>().ok().and_then(|n| Duration::try_from_secs_f64(n).ok());
    let retry_after = answer.header("retry-after").and_then(|text| seconds(text).or_else(|| until_date(text, now)));
    retry_after
        .or_else(|| connector.limit.after.iter().filter_map(|name| answer.header(name)).find_map(seconds))
        .or_else(|| connector.limit.until.iter().filter_map(|name| answer.header(name)).find_map(|text| until(text, now)))
}

fn until_date(text: &str, now: SystemTime) -> Option<Duration> {
    Some(SystemTime::from(http::date(text)?).duration_since(now).unwrap_or_default())
}

/// A moment as seconds since 1970, in milliseconds where it is too large for that, or as a date. A number that is too small for a moment is
/// a number of seconds.
fn until(text: &str, now: SystemTime) -> Option<Duration> {
    let Ok(number) = text.trim().parse::<f64>() else { return until_date(text, now) };
    let at = if number >= 1e11 { number / 1000.0 } else { number };
    let after = Duration::try_from_secs_f64(at).ok()?;
    if at < 1e9 {
        return Some(after);
    }
    Some(SystemTime::UNIX_EPOCH.checked_add(after)?.duration_since(now).unwrap_or_default())
}

/// A pause, for people: `3 s`, `2 min 5 s`.
pub(in crate::vendor) fn span(pause: Duration) -> String {
    let seconds = pause.as_secs_f64().ceil().max(1.0);
    #[allow(clippy::cast_possible_truncation)] // the longest pause is an hour or so
    let span = jiff::SignedDuration::from_secs(seconds as i64);
    format!("{span:#}")
}
