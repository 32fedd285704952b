//! Consent for another host, line by line.

use super::pasting::{self, Source};
use super::say;
use crate::model::Sink;
use crate::ops::authorize::{self, Answer};
use crate::ops::{Result, credentials};
use crate::words::clean;
use crate::{problem, t};

/// Shows what is asked, opens the browser where that is wanted, and waits for the answer.
pub async fn follow(request: &str, source: Source, browser: bool, sink: &Sink) -> Result<Answer> {
    let errand = authorize::begin(request).await?;
    let view = &errand.view;
    let at = url::Url::parse(&view.authorize_url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
    let at = clean::line(&at, 200);
    say::remark(&t!("authorize.asked", host = view.host, vendor = view.vendor, at = at));
    say::remark(&t!("authorize.warning", host = view.host));
    say::remark(&format!("\n{}\n\n  {}\n", t!("cli.consent.open"), clean::line(&view.authorize_url, 16_384)));
    if browser && view.browser_here && credentials::open_browser(&view.authorize_url).is_err() {
        say::remark(t!("cli.consent.no_browser"));
    }
    if !view.listening && source == Source::Nobody {
        return Err(problem!(PersonMustAct, "authorize.unreachable", address = clean::line(&view.redirect_uri, 200)));
    }
    let _terminal = source.ready()?;
    if source == Source::Terminal {
        say::remark(if view.listening { t!("cli.consent.paste") } else { t!("authorize.paste") });
    }
    let pasted = async {
        pasting::offers(source, |text| errand.offer(text)).await;
        if view.listening {
            return std::future::pending().await;
        }
        problem!(PersonMustAct, "authorize.unreachable", address = clean::line(&view.redirect_uri, 200))
    };
    tokio::select! {
        finished = errand.finish(sink) => finished,
        problem = pasted => Err(problem),
    }
}
