//! `intertie credential`: draft, consent, test, save, keep.

mod life;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use indexmap::IndexMap;
use serde_json::json;

use super::output::{self, Table, Tone, cell};
use super::{Context, args, connector, context, labels};
use crate::model::{self, CredentialDraft, Problem, Secret, Severity, TestOutcome, Time};
use crate::ops::{Result, connectors, credentials, discover};
use crate::prompt::pasting::Source;
use crate::prompt::{ask, credential as prompt};
use crate::words::clean;
use crate::{problem, t};

#[derive(Subcommand)]
pub enum Credential {
    #[command(about = t!("cli.credential.add"), after_help = t!("cli.credential.after"))]
    Add {
        #[arg(value_name = "CONNECTOR", help = t!("cli.connector.id"))]
        connector: String,
        #[arg(long, value_name = "METHOD", help = t!("cli.connector.method"))]
        method: Option<String>,
        #[command(flatten)]
        given: Given,
    },
    #[command(about = t!("cli.credential.list"))]
    List,
    #[command(about = t!("cli.credential.show"))]
    Show {
        #[arg(value_name = "NAME", help = t!("cli.arg.credential"))]
        name: String,
    },
    #[command(about = t!("cli.credential.test"))]
    Test {
        #[arg(value_name = "NAME", help = t!("cli.arg.credential"))]
        name: String,
    },
    #[command(about = t!("cli.credential.renew"), after_help = t!("cli.credential.after"))]
    Renew {
        #[arg(value_name = "NAME", help = t!("cli.arg.credential"))]
        credential: String,
        #[command(flatten)]
        given: Given,
    },
    #[command(about = t!("cli.credential.edit"))]
    Edit {
        #[arg(value_name = "NAME", help = t!("cli.arg.credential"))]
        credential: String,
        #[arg(long, value_name = "NEW", help = t!("cli.credential.rename"))]
        name: Option<String>,
        #[arg(long, value_name = "DATE|never", help = t!("cli.credential.secret_expires"))]
        secret_expires: Option<String>,
    },
    #[command(about = t!("cli.credential.revoke"))]
    Revoke {
        #[arg(value_name = "NAME", help = t!("cli.arg.credential"))]
        name: String,
    },
    #[command(about = t!("cli.credential.delete"))]
    Delete {
        #[arg(value_name = "NAME", help = t!("cli.arg.credential"))]
        name: String,
        #[arg(long, help = t!("cli.credential.no_revoke"))]
        no_revoke: bool,
    },
    #[command(about = t!("cli.credential.rotate"), after_help = t!("cli.credential.rotate_after"))]
    Rotate(life::Rotate),
    #[command(about = t!("cli.credential.token"))]
    Token {
        #[arg(value_name = "NAME", help = t!("cli.arg.credential"))]
        name: String,
    },
    #[command(about = t!("cli.credential.scopes"))]
    Scopes {
        #[arg(value_name = "NAME", help = t!("cli.arg.credential"))]
        name: String,
    },
    #[command(about = t!("cli.credential.calendar"))]
    Calendar,
    #[command(about = t!("cli.credential.expiring"))]
    Expiring {
        #[arg(long, value_name = "TIME", value_parser = args::duration, help = t!("cli.credential.within"))]
        within: Option<Duration>,
    },
}

/// What answers the wizard's questions beforehand.
#[derive(Args)]
pub struct Given {
    #[arg(long, value_name = "NAME", help = t!("cli.credential.name"))]
    name: Option<String>,
    #[arg(long, value_name = "KEY=VALUE", value_parser = args::pair, help = t!("cli.credential.set"))]
    set: Vec<(String, String)>,
    #[arg(long, value_name = "FIELD", help = t!("cli.credential.secret_stdin"))]
    secret_stdin: Option<String>,
    #[arg(long = "reference", value_name = "KEY=REFERENCE", value_parser = args::pair, help = t!("cli.credential.reference"))]
    references: Vec<(String, String)>,
    #[arg(long = "scope", value_name = "SCOPE", help = t!("cli.credential.scope"))]
    scopes: Vec<String>,
    #[arg(long, value_name = "FILE", help = t!("cli.credential.answers"))]
    answers: Option<PathBuf>,
    #[arg(long, value_name = "DATE|never", help = t!("cli.credential.secret_expires"))]
    secret_expires: Option<String>,
    #[arg(long, help = t!("cli.credential.no_browser"))]
    no_browser: bool,
    #[arg(long, conflicts_with = "save_anyway", help = t!("cli.credential.no_test"))]
    no_test: bool,
    #[arg(long, help = t!("cli.credential.save_anyway"))]
    save_anyway: bool,
}

/// An answers file: what `--method`, `--name`, `--set` and `--scope` say otherwise; secrets are references.
#[derive(Default, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Answers {
    connector: Option<String>,
    method: Option<String>,
    name: Option<String>,
    settings: IndexMap<String, String>,
    secrets: IndexMap<String, String>,
    /// Secrets that are not copied but read each time: what `--reference` says otherwise.
    references: IndexMap<String, String>,
    scopes: Vec<String>,
}

pub fn run(context: &Context, command: Credential) -> Result<u8> {
    let ws = &context.ws;
    match command {
        Credential::Add { connector, method, given } => add(context, &connector, method.as_deref(), given),
        Credential::Renew { credential, given } => renew(context, &credential, given),
        Credential::List => list(context),
        Credential::Show { name } => {
            let credential = credentials::get(ws, &name)?;
            let used_by: Vec<String> = credentials::used_by(ws, &name)?.into_iter().map(|integration| integration.name).collect();
            context.print(&document(&credential, Some(&used_by)), |_| show(&credential, &used_by))?;
            Ok(0)
        }
        Credential::Test { name } => {
            context.unlock()?;
            let outcome = context.wait(async |sink| credentials::test(ws, &name, &sink).await)?;
            context.print(&outcome, told)?;
            waiting(&credentials::get(ws, &name)?);
            Ok(outcome_code(&outcome))
        }
        Credential::Edit { credential, name, secret_expires } => {
            if name.is_none() && secret_expires.is_none() {
                return Err(problem!(Usage, "cli.credential.nothing"));
            }
            // The new name last: until then the credential is found by the one that was given.
            let expires = secret_expires.as_deref().map(parse_day).transpose()?;
            let mut changed = credentials::get(ws, &credential)?;
            if let Some(at) = expires {
                changed = credentials::set_secret_expiry(ws, &changed.id, at)?;
            }
            if let Some(name) = name {
                changed = credentials::rename(ws, &changed.id, &name)?;
            }
            context.print(&document(&changed, None), |_| output::line(&t!("cli.credential.saved", name = clean::line(&changed.name, 120))))?;
            Ok(0)
        }
        Credential::Revoke { name } => {
            let credential = credentials::get(ws, &name)?;
            context.confirm(&t!("cli.credential.confirm_revoke", name = clean::line(&credential.name, 120)))?;
            context.unlock()?;
            let revoked = context.wait(async |_| credentials::revoke(ws, &credential.id).await)?;
            let text = if revoked {
                t!("cli.credential.revoked", name = clean::line(&credential.name, 120))
            } else {
                t!("cli.credential.not_revoked", name = clean::line(&credential.name, 120))
            };
            context.print(&json!({ "id": credential.id, "name": credential.name, "revoked": revoked }), |_| output::line(&text))?;
            Ok(0)
        }
        Credential::Delete { name, no_revoke } => life::delete(context, &name, no_revoke),
        Credential::Rotate(given) => life::rotate(context, given),
        Credential::Token { name } => life::token(context, &name),
        Credential::Scopes { name } => life::scopes(context, &name),
        Credential::Calendar => life::calendar(context),
        Credential::Expiring { within } => life::expiring(context, within.unwrap_or_else(|| credentials::soon(ws))),
    }
}

/// A credential as scripts see it. It holds no secret: only which are kept.
fn document(credential: &model::Credential, used_by: Option<&[String]>) -> serde_json::Value {
    let mut document = json!(credential);
    if let Some(used_by) = used_by {
        document["used_by"] = json!(used_by);
    }
    document
}

fn list(context: &Context) -> Result<u8> {
    let credentials = credentials::list(&context.ws)?;
    context.print(&credentials, |credentials| {
        let mut table = Table::new(&[
            t!("cli.column.name"),
            t!("cli.column.connector"),
            t!("cli.column.method"),
            t!("cli.column.status"),
            t!("cli.column.tested"),
            t!("cli.column.expires"),
        ]);
        for credential in credentials {
            let (status, tone) = labels::credential_status(credential.status);
            let read = credential.known.ends.iter().map(|end| end.at);
            let expires = [credential.secret_expires, credential.refresh_expires].into_iter().flatten().chain(read).min();
            table.row(vec![
                cell(&credential.name),
                cell(&credential.connector),
                cell(&credential.method),
                cell(status).tone(tone),
                cell(output::when(credential.tested)).tone(Tone::Dim),
                cell(output::when(expires)),
            ]);
        }
        table.print(t!("cli.credential.none"))
    })?;
    Ok(0)
}

fn show(credential: &model::Credential, used_by: &[String]) -> Result<()> {
    let mut pairs = vec![
        (t!("cli.column.id"), credential.id.clone()),
        (t!("cli.column.name"), credential.name.clone()),
        (t!("cli.column.connector"), credential.connector.clone()),
        (t!("cli.column.method"), credential.method.clone()),
        (t!("cli.column.status"), labels::credential_status(credential.status).0.to_owned()),
    ];
    for (key, value) in &credential.settings {
        pairs.push((key, value.clone()));
    }
    for key in &credential.secrets {
        pairs.push((key, t!("cli.credential.kept").to_owned()));
    }
    for (key, reference) in &credential.references {
        pairs.push((key, clean::line(reference, 300)));
    }
    for (label, scopes) in [(t!("cli.column.scopes"), &credential.scopes), (t!("cli.column.granted"), &credential.granted)] {
        if !scopes.is_empty() {
            pairs.push((label, scopes.join(" ")));
        }
    }
    for (label, at) in [
        (t!("cli.column.access_expires"), credential.access_expires),
        (t!("cli.column.refresh_expires"), credential.refresh_expires),
        (t!("cli.column.secret_expires"), credential.secret_expires),
        (t!("cli.column.tested"), credential.tested),
    ] {
        if let Some(at) = at {
            pairs.push((label, format!("{at} ({})", output::when(Some(at)))));
        }
    }
    for end in &credential.known.ends {
        pairs.push((&end.field, t!("cli.credential.ends", at = end.at, when = output::when(Some(end.at)))));
    }
    for rotated in &credential.known.rotated {
        pairs.push((&rotated.field, t!("cli.credential.rotated_at", when = output::when(Some(rotated.at)))));
    }
    pairs.push((t!("cli.column.used_by"), if used_by.is_empty() { "–".to_owned() } else { used_by.join(", ") }));
    output::pairs(&pairs)?;
    if let Some(problem) = credential.last_test.as_ref().and_then(|outcome| outcome.problem.as_ref()) {
        output::failure(problem, false);
    }
    waiting(credential);
    Ok(())
}

/// Tells of tokens that the store did not take.
fn waiting(credential: &model::Credential) {
    if let Some(problem) = &credential.known.tokens_waiting {
        output::failure(problem, false);
    }
}

fn told(outcome: &TestOutcome) -> Result<()> {
    let status = outcome.status.map_or_else(|| "–".to_owned(), |status| status.to_string());
    let facts = t!("cli.credential.outcome", request = clean::line(&outcome.request, 300), status = status, n = outcome.milliseconds);
    output::line(&facts)?;
    if outcome.ok {
        output::line(&t!("cli.credential.works", proves = clean::line(&outcome.proves, 300)))?;
    } else if let Some(problem) = &outcome.problem {
        output::failure(problem, false);
    }
    Ok(())
}

fn outcome_code(outcome: &TestOutcome) -> u8 {
    if outcome.ok { 0 } else { outcome.problem.as_ref().map_or(1, Problem::exit_code) }
}

/// `2027-03-31`, an RFC 3339 time, or `never`.
fn parse_day(text: &str) -> Result<Option<Time>> {
    if text == "never" {
        return Ok(None);
    }
    let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    match text.parse::<Time>().ok().or_else(|| Some(day()?.timestamp())) {
        Some(at) => Ok(Some(at)),
        None => Err(problem!(Usage, "cli.credential.bad_day", text = clean::line(text, 60))),
    }
}

fn add(context: &Context, id: &str, method: Option<&str>, mut given: Given) -> Result<u8> {
    let answers = read_answers(&given)?;
    if let Some(other) = answers.connector.as_deref().filter(|other| *other != id) {
        return Err(problem!(Usage, "cli.credential.other_connector", connector = clean::line(id, 80), other = clean::line(other, 80)));
    }
    let connector = connectors::get(&context.ws, id)?;
    let method = method.or(answers.method.as_deref());
    if let Some(method) = method.filter(|method| !connector.auth.contains_key(*method)) {
        return Err(connector::unknown_method(&connector, method));
    }
    given.name = given.name.or_else(|| answers.name.clone());
    context.unlock()?;
    // The same command again goes on from the draft that it left.
    let left = match &given.name {
        Some(name) => credentials::drafts(&context.ws)?.into_iter().find(|draft| {
            draft.replaces.is_none() && draft.connector == connector.id && draft.name == *name && method.is_none_or(|m| draft.method == m)
        }),
        None => None,
    };
    let draft = match left {
        Some(draft) => draft,
        None => credentials::draft_new(&context.ws, &connector.id, method)?,
    };
    walk(context, &connector, draft, given, answers)
}

fn renew(context: &Context, name: &str, mut given: Given) -> Result<u8> {
    let answers = read_answers(&given)?;
    given.name = given.name.or_else(|| answers.name.clone());
    context.unlock()?;
    let draft = credentials::renew(&context.ws, name)?;
    let connector = connectors::get(&context.ws, &draft.connector)?;
    walk(context, &connector, draft, given, answers)
}

fn read_answers(given: &Given) -> Result<Answers> {
    let Some(file) = &given.answers else { return Ok(Answers::default()) };
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| problem!(Usage, "cli.unreadable", file = context::shown(file), reason = error))?;
    context::parse_toml(&text, &context::shown(file))
}

/// Fills a draft from flags, answers and questions, gets consent, tests and saves. What goes wrong leaves the draft as it is then.
fn walk(context: &Context, connector: &model::Connector, mut draft: CredentialDraft, given: Given, answers: Answers) -> Result<u8> {
    let ws = &context.ws;
    let renewing = draft.replaces.is_some();
    let expires = given.secret_expires.as_deref().map(parse_day).transpose()?;
    let references: IndexMap<String, String> = answers.references.clone().into_iter().chain(given.references.iter().cloned()).collect();
    let filled = fill(context, connector, &mut draft, &given, answers, &references, renewing);
    let secrets = match filled {
        Ok(secrets) => secrets,
        Err(problem) => {
            // Nothing was kept yet, so nothing is left behind.
            credentials::draft_discard(ws, &draft.id)?;
            return Err(problem);
        }
    };
    credentials::draft_save(ws, &draft)?;
    for (key, secret) in secrets {
        draft = credentials::draft_secret(ws, &draft.id, &key, secret)?;
    }
    for (key, reference) in &references {
        draft = credentials::draft_reference(ws, &draft.id, key, reference)?;
    }
    let findings = credentials::draft_check(ws, &draft)?;
    if let Some(first) = findings.iter().find(|finding| finding.severity == Severity::Error) {
        for other in findings.iter().filter(|finding| finding.severity == Severity::Error).skip(1) {
            output::remark(&t!("cli.credential.also", what = clean::line(&other.problem.what, 300), why = clean::line(&other.problem.why, 300)));
        }
        let mut problem = first.problem.clone();
        problem.kind = model::ProblemKind::Usage;
        return Err(problem);
    }
    if credentials::needs_consent(ws, &draft)? {
        let source = Source::of(context.person, given.secret_stdin.is_none());
        if let Some(redirect) = credentials::redirect_uri(connector, &draft) {
            let uri = clean::line(&redirect.uri, 300);
            output::remark(&format!("{}\n{}\n", t!("redirect.register", uri = uri), redirect.rule));
            if let Some(problem) = &redirect.breaks {
                output::failure(problem, false);
            }
        }
        context.wait(async |sink| prompt::consent(ws, &draft, source, !given.no_browser, &sink).await)?;
    }
    if !given.no_test {
        lookups(context, &mut draft, given.save_anyway)?;
    }
    let outcome = if given.no_test { None } else { Some(context.wait(async |sink| credentials::draft_test(ws, &draft.id, &sink).await)?) };
    if let Some(outcome) = outcome.as_ref().filter(|outcome| !outcome.ok && !given.save_anyway) {
        let kept = t!("cli.credential.draft_kept", name = clean::line(&draft.name, 120));
        output::remark(&kept);
        let failed = || problem!(Failed, "cli.credential.failed_test", connector = connector.name, request = clean::line(&outcome.request, 300));
        return Err(outcome.problem.clone().unwrap_or_else(failed));
    }
    let credentials::Saved { mut credential, remark } = context.wait(async |_| credentials::save(ws, &draft.id).await)?;
    if let Some(remark) = remark {
        output::remark(&remark);
    }
    if let Some(at) = expires {
        credential = credentials::set_secret_expiry(ws, &credential.id, at)?;
    }
    let mut document = document(&credential, None);
    document["test"] = json!(outcome);
    context.print(&document, |_| {
        if let Some(outcome) = &outcome {
            told(outcome)?;
        }
        output::line(&t!("cli.credential.saved", name = clean::line(&credential.name, 120)))
    })?;
    waiting(&credential);
    Ok(outcome.as_ref().map_or(0, outcome_code))
}

/// What the vendor has to tell before the test: several sites, say. A person chooses; without one the settings have to.
fn lookups(context: &Context, draft: &mut CredentialDraft, save_anyway: bool) -> Result<()> {
    let ws = &context.ws;
    loop {
        let choices = match context.wait(async |sink| discover::discover(ws, &draft.id, &sink).await) {
            // The test tells why.
            Err(_) if save_anyway => return Ok(()),
            choices => choices,
        };
        let kept = || output::remark(&t!("cli.credential.draft_kept", name = clean::line(&draft.name, 120)));
        let Some(choice) = choices.inspect_err(|_| kept())?.into_iter().next() else { return Ok(()) };
        if !context.person {
            kept();
            return Err(choice.unanswered());
        }
        let chosen = prompt::choice(&choice)?;
        draft.settings.insert(choice.id, chosen);
        credentials::draft_save(ws, draft)?;
    }
}

/// Puts answers into the draft and gives back the secrets. Flags win over the answers file, that over questions.
fn fill(
    context: &Context,
    connector: &model::Connector,
    draft: &mut CredentialDraft,
    given: &Given,
    answers: Answers,
    references: &IndexMap<String, String>,
    renewing: bool,
) -> Result<Vec<(String, Secret)>> {
    let inputs = connector.inputs_for(&draft.method);
    if let Some(name) = &given.name {
        draft.name.clone_from(name);
    }
    for scopes in [&answers.scopes, &given.scopes] {
        if !scopes.is_empty() {
            draft.scopes.clone_from(scopes);
        }
    }
    let mut secrets: IndexMap<String, Secret> = IndexMap::new();
    // All names first, so that a misspelt one is told before anything is asked.
    let named = answers.settings.keys().chain(answers.secrets.keys()).chain(given.set.iter().map(|(key, _)| key)).chain(&given.secret_stdin);
    for key in named.chain(references.keys()) {
        let input = inputs.iter().find(|input| input.key == *key);
        let choices = || connector.auth.get(&draft.method).into_iter().flat_map(discover::settings);
        if input.is_none() && !credentials::settings().contains(&key.as_str()) && !choices().any(|id| id == key) {
            let known = inputs.iter().map(|input| input.key.as_str()).chain(choices()).chain(credentials::settings()).collect::<Vec<_>>().join(", ");
            // What does not look like a name may be the beginning of a secret that was meant for elsewhere.
            if key.len() > 40 || !key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_') {
                return Err(problem!(Usage, "cli.credential.unnamed_input", known = known));
            }
            return Err(problem!(Usage, "cli.credential.unknown_input", key = key, known = known));
        }
    }
    let secret = |key: &str| inputs.iter().any(|input| input.key == key && input.secret);
    if let Some(key) = references.keys().find(|key| !secret(key)) {
        return Err(problem!(Usage, "cli.credential.not_secret", key = clean::line(key, 80)));
    }
    for (key, value) in answers.settings.into_iter().chain(answers.secrets).chain(given.set.iter().cloned()) {
        if secret(&key) {
            secrets.insert(key.clone(), ask::secret_by_reference(&key, &value)?);
        } else {
            let value = inputs.iter().find(|input| input.key == key).map_or(value.clone(), |input| connectors::tidy_input(input, &value));
            draft.settings.insert(key, value);
        }
    }
    if let Some(key) = &given.secret_stdin {
        if !secret(key) {
            return Err(problem!(Usage, "cli.credential.not_secret", key = key));
        }
        secrets.insert(key.clone(), ask::secret_from_stdin()?);
    }
    // Standard input that gave a secret can answer nothing more.
    let person = context.person && given.secret_stdin.is_none();
    let mut missing = Vec::new();
    for input in inputs {
        if references.contains_key(&input.key) {
            continue;
        }
        let input = &credentials::asked(&context.ws, connector, draft, input);
        let kept = draft.secrets.contains(&input.key) || draft.references.contains_key(&input.key);
        let has = if input.secret { kept || secrets.contains_key(&input.key) } else { draft.settings.get(&input.key).is_some_and(|v| !v.is_empty()) };
        let answered = secrets.contains_key(&input.key) || given.set.iter().any(|(key, _)| *key == input.key);
        if person && !answered && (!has || (renewing && input.secret)) {
            prompt::question(input, kept, draft, &mut secrets)?;
        } else if !has && !input.optional && input.default.is_none() {
            missing.push(if input.secret { format!("--set {0}=env:NAME", input.key) } else { format!("--set {0}=…", input.key) });
        }
    }
    if missing.is_empty() { Ok(secrets.into_iter().collect()) } else { Err(problem!(Usage, "cli.credential.missing", flags = missing.join(" "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_read() {
        assert_eq!(parse_day("2027-03-31").unwrap().unwrap().to_string(), "2027-03-31T00:00:00Z");
        assert_eq!(parse_day("2027-03-31T10:00:00Z").unwrap().unwrap().to_string(), "2027-03-31T10:00:00Z");
        assert_eq!(parse_day("never").unwrap(), None);
        assert_eq!(parse_day("soon").unwrap_err().exit_code(), 2);
    }

    #[test]
    fn an_answers_file_says_what_it_may() {
        let text = "method = \"client_credentials\"\nname = \"Clickwrap\"\n[settings]\nclient_id = \"a\"\n[secrets]\nclient_secret = \"env:S\"\n";
        let answers: Answers = context::parse_toml(text, "answers.toml").unwrap();
        assert_eq!(answers.secrets["client_secret"], "env:S");
        assert!(context::parse_toml::<Answers>("secret = 1", "answers.toml").is_err_and(|problem| problem.exit_code() == 2));
    }
}
