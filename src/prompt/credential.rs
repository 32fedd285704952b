//! The credential wizard's questions, one line each.

use std::convert::Infallible;

use indexmap::IndexMap;

use super::pasting::{self, Source};
use super::{ask, say};
use crate::model::{CredentialDraft, Input, Secret, Sink};
use crate::ops::discover::Choice;
use crate::ops::{Result, Workspace, connectors, credentials};
use crate::words::clean;
use crate::{problem, t};

/// Asks for one input until the answer fits, or is left out where that is allowed.
pub fn question(input: &Input, kept: bool, draft: &mut CredentialDraft, secrets: &mut IndexMap<String, Secret>) -> Result<()> {
    if !input.help.is_empty() {
        say::remark(&format!("  {}", clean::line(&input.help, 300)));
    }
    let label = if input.optional { t!("cli.credential.optional", label = input.label) } else { input.label.clone() };
    loop {
        let skippable = input.optional || kept;
        let wrong = if input.secret {
            let question = if kept { t!("cli.credential.keep", label = label) } else { label.clone() };
            let value = ask::secret(&question)?;
            if value.is_empty() && skippable {
                return Ok(());
            }
            match connectors::check_input(input, value.expose()) {
                None if !value.is_empty() => {
                    say::remark(&t!("cli.credential.taken", n = value.chars()));
                    secrets.insert(input.key.clone(), value);
                    return Ok(());
                }
                found => found,
            }
        } else {
            let shown = match input.options.as_slice() {
                [] => label.clone(),
                options => format!("{label} ({})", options.join(", ")),
            };
            let default = draft.settings.get(&input.key).filter(|given| !given.is_empty()).or(input.default.as_ref());
            let value = connectors::tidy_input(input, &ask::text(&shown, default.map(String::as_str))?);
            if value.is_empty() && skippable {
                return Ok(());
            }
            match connectors::check_input(input, &value) {
                None if !value.is_empty() => {
                    draft.settings.insert(input.key.clone(), value);
                    return Ok(());
                }
                found => found,
            }
        };
        let wrong = wrong.map_or_else(|| t!("cli.credential.empty").to_owned(), |finding| finding.problem.why);
        say::remark(&format!("  ✗ {}", clean::line(&wrong, 300)));
    }
}

/// Asks which of several things is meant, by its number.
pub fn choice(choice: &Choice) -> Result<String> {
    for (i, option) in choice.options.iter().enumerate() {
        let value = clean::line(&option.value, 80);
        let shown = if option.label == option.value { value } else { format!("{} ({value})", clean::line(&option.label, 120)) };
        say::remark(&format!("  {}. {shown}", i + 1));
    }
    loop {
        let answer = ask::text(&clean::line(&choice.title, 80), None)?;
        let by_number = answer.parse::<usize>().ok().and_then(|n| choice.options.get(n.checked_sub(1)?));
        let by_name = || choice.options.iter().find(|option| option.value == answer || option.label.eq_ignore_ascii_case(&answer));
        match by_number.or_else(by_name) {
            Some(option) => return Ok(option.value.clone()),
            None => say::remark(&format!("  ✗ {}", t!("cli.credential.no_choice", n = choice.options.len()))),
        }
    }
}

/// Shows where to consent and waits for the answer on loopback or pasted.
///
/// `source`: where pasted answers come from; `browser`: whether one may be opened.
pub async fn consent(ws: &Workspace, draft: &CredentialDraft, source: Source, browser: bool, sink: &Sink) -> Result<()> {
    let consent = credentials::consent_begin(ws, &draft.id).await?;
    let view = &consent.view;
    // Whole and on a line of its own, so that it can be copied; it was made here and holds nothing but what a URL may.
    say::remark(&format!("{}\n\n  {}\n", t!("cli.consent.open"), clean::line(&view.authorize_url, 16_384)));
    if let Some(line) = &view.ssh_line {
        say::remark(&format!("{}\n\n  {}\n", t!("cli.consent.ssh"), clean::line(line, 300)));
    }
    if let Some(request) = &view.request {
        say::remark(&format!("{}\n\n  intertie authorize {request}\n", t!("cli.consent.elsewhere")));
    }
    if browser && view.browser_here && credentials::open_browser(&view.authorize_url).is_err() {
        say::remark(t!("cli.consent.no_browser"));
    }
    let reachable = view.listening || view.device.is_some();
    if !reachable && source == Source::Nobody {
        return Err(problem!(PersonMustAct, "cli.consent.unreachable"));
    }
    // Held until the consent is over, whoever answered.
    let _terminal = source.ready()?;
    if source == Source::Terminal {
        say::remark(t!("cli.consent.paste"));
    }
    let pasted = async {
        pasting::offers(source, |text| consent.offer(text)).await;
        if !reachable {
            return problem!(PersonMustAct, "cli.consent.unreachable");
        }
        if source != Source::Nobody {
            say::remark(&still_open(view));
        }
        std::future::pending().await
    };
    tokio::select! {
        finished = consent.finish(ws, sink) => finished?,
        problem = pasted => return Err(problem),
        never = readdressed(&consent) => match never {},
    }
    say::remark(t!("cli.consent.given"));
    Ok(())
}

/// Which ways are open when nothing can be pasted any more, because standard input has ended; and until when.
fn still_open(view: &credentials::ConsentView) -> String {
    let until = view.expires.strftime("%H:%M:%S UTC");
    match (view.listening, view.device.is_some()) {
        (true, true) => t!("cli.consent.ended_both", until = until),
        (true, false) => t!("cli.consent.ended_browser", until = until),
        (false, _) => t!("cli.consent.ended_device", until = until),
    }
}

/// Shows each address that takes the place of one that has ended.
async fn readdressed(consent: &credentials::Consent) -> Infallible {
    let mut shown = consent.view.authorize_url.clone();
    loop {
        (shown, _) = consent.renewed(&shown).await;
        say::remark(&format!("\n{}\n\n  {}\n", t!("cli.consent.readdressed"), clean::line(&shown, 16_384)));
    }
}
