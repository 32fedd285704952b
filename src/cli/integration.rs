//! `intertie integration`: draft, validate, launch, pause; export and apply.

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::{self, Table, cell};
use super::{Context, args, labels};
use crate::model::{self, Finding, Installation, IntegrationKind, Preference, Schedule, Severity};
use crate::ops::{Result, credentials, integrations, mappings};
use crate::words::clean;
use crate::{problem, t};

#[derive(Subcommand)]
pub enum Integration {
    #[command(about = t!("cli.integration.new"))]
    New {
        #[arg(value_name = "NAME", help = t!("cli.integration.new_name"))]
        name: String,
        #[command(flatten)]
        wanted: Wanted,
    },
    #[command(about = t!("cli.integration.edit"))]
    Edit {
        #[arg(value_name = "NAME", help = t!("cli.arg.integration"))]
        integration: String,
        #[arg(long, value_name = "NEW", help = t!("cli.integration.rename"))]
        name: Option<String>,
        #[command(flatten)]
        wanted: Wanted,
    },
    #[command(about = t!("cli.integration.list"))]
    List,
    #[command(about = t!("cli.integration.show"))]
    Show {
        #[arg(value_name = "NAME", help = t!("cli.arg.integration"))]
        name: String,
    },
    #[command(about = t!("cli.integration.validate"))]
    Validate {
        #[arg(value_name = "NAME", help = t!("cli.arg.integration"))]
        name: String,
    },
    #[command(about = t!("cli.integration.launch"))]
    Launch {
        #[arg(value_name = "NAME", help = t!("cli.arg.integration"))]
        name: String,
    },
    #[command(about = t!("cli.integration.pause"))]
    Pause {
        #[arg(value_name = "NAME", help = t!("cli.arg.integration"))]
        name: String,
    },
    #[command(about = t!("cli.integration.delete"))]
    Delete {
        #[arg(value_name = "NAME", help = t!("cli.arg.integration"))]
        name: String,
    },
    #[command(about = t!("cli.integration.export"))]
    Export {
        #[arg(value_name = "NAME", help = t!("cli.arg.integration"))]
        name: String,
    },
    #[command(about = t!("cli.integration.apply"))]
    Apply {
        #[arg(value_name = "FILE", help = t!("cli.integration.file"))]
        file: String,
        #[arg(long, help = t!("cli.integration.dry_run"))]
        dry_run: bool,
    },
}

/// What an integration is to be; only what is named changes.
#[derive(Args)]
pub struct Wanted {
    #[arg(long, short, value_name = "NAME", help = t!("cli.integration.credential"))]
    credential: Option<String>,
    #[arg(long, value_name = "ID", requires = "credential", help = t!("cli.integration.resource"))]
    resource: Option<String>,
    #[arg(long, value_name = "KIND", value_parser = args::kind(), help = t!("cli.integration.kind"))]
    kind: Option<IntegrationKind>,
    #[arg(long, value_name = "NAME", help = t!("cli.integration.saas_application"))]
    saas_application: Option<String>,
    #[arg(long, value_name = "PREFERENCE", value_parser = args::preference(), help = t!("cli.integration.preference"))]
    preference: Option<Preference>,
    #[arg(long, value_name = "on|off", num_args = 0..=1, default_missing_value = "on", require_equals = true, value_parser = args::switch(), help = t!("cli.integration.deactivate"))]
    deactivate: Option<bool>,
    #[arg(long, value_name = "WHERE", value_parser = args::installation(), help = t!("cli.integration.installation"))]
    installation: Option<Installation>,
    #[arg(long = "contact", value_name = "EMAIL", help = t!("cli.integration.contact"))]
    contacts: Vec<String>,
    #[arg(long, value_name = "WHEN", value_parser = args::schedule, help = t!("cli.integration.schedule"))]
    schedule: Option<Schedule>,
    #[arg(long, value_name = "ZONE", help = t!("cli.integration.time_zone"))]
    time_zone: Option<String>,
    #[arg(long, value_name = "FIELD", value_delimiter = ',', help = t!("cli.integration.sync_key"))]
    sync_key: Vec<String>,
    #[arg(long, value_name = "EXPR", help = t!("cli.integration.filter"))]
    filter: Option<String>,
}

pub fn run(context: &Context, command: Integration) -> Result<u8> {
    let ws = &context.ws;
    match command {
        Integration::New { name, wanted } => new(context, &name, wanted),
        Integration::Edit { integration, name, wanted } => {
            let mut changed = integrations::get(ws, &integration)?;
            if let Some(name) = name {
                changed.name = name;
            }
            set(context, &mut changed, wanted)?;
            let saved = integrations::save(ws, &changed)?;
            saved_and_found(context, &saved)
        }
        Integration::List => list(context),
        Integration::Show { name } => {
            let integration = integrations::get(ws, &name)?;
            context.print(&integration, |integration| show(context, integration))?;
            Ok(0)
        }
        Integration::Validate { name } => {
            let findings = integrations::validate(ws, &integrations::get(ws, &name)?)?;
            context.print(&findings, |findings| print_findings(findings))?;
            Ok(u8::from(findings.iter().any(|finding| finding.severity == Severity::Error)))
        }
        Integration::Launch { name } => {
            context.unlock()?;
            let launched = context.wait(async |sink| integrations::launch(ws, &name, &sink).await)?;
            context.print(&launched, |launched| output::line(&t!("cli.integration.launched", name = clean::line(&launched.name, 120))))?;
            Ok(0)
        }
        Integration::Pause { name } => {
            let paused = integrations::pause(ws, &name)?;
            context.print(&paused, |paused| output::line(&t!("cli.integration.paused", name = clean::line(&paused.name, 120))))?;
            Ok(0)
        }
        Integration::Delete { name } => {
            let integration = integrations::get(ws, &name)?;
            context.confirm(&t!("cli.confirm.delete_integration", name = clean::line(&integration.name, 120)))?;
            integrations::delete(ws, &integration.id)?;
            let text = t!("cli.deleted", name = clean::line(&integration.name, 120));
            context.print(&json!({ "id": integration.id, "name": integration.name, "deleted": true }), |_| output::line(&text))?;
            Ok(0)
        }
        Integration::Export { name } => {
            let toml = integrations::export(ws, &name)?;
            if context.json {
                output::json(&json!({ "toml": toml }))?
            } else {
                output::raw(&toml)?
            }
            Ok(0)
        }
        Integration::Apply { file, dry_run } => apply(context, &file, dry_run),
    }
}

fn new(context: &Context, name: &str, wanted: Wanted) -> Result<u8> {
    let ws = &context.ws;
    // A script that is run again means the same integration, not a second one with a number behind its name.
    if integrations::get(ws, name).is_ok() {
        return Err(problem!(Usage, "cli.integration.taken", name = clean::line(name, 120)));
    }
    // Before anything is made: a draft without a source would be left behind by a misspelt name.
    if let Some(credential) = &wanted.credential {
        credentials::get(ws, credential)?;
    }
    let mut integration = integrations::new(ws, name)?;
    let saved = set(context, &mut integration, wanted).and_then(|()| integrations::save(ws, &integration));
    match saved {
        Ok(saved) => saved_and_found(context, &saved),
        Err(problem) => {
            integrations::delete(ws, &integration.id)?;
            Err(problem)
        }
    }
}

fn set(context: &Context, integration: &mut model::Integration, wanted: Wanted) -> Result<()> {
    if let Some(credential) = &wanted.credential {
        integrations::set_source(&context.ws, integration, credential, wanted.resource.as_deref())?;
    }
    if let Some(kind) = wanted.kind {
        integrations::set_kind(&context.ws, integration, kind)?;
    }
    if let Some(name) = wanted.saas_application {
        integration.saas_application = Some(name).filter(|name| !name.is_empty());
    }
    if let Some(preference) = wanted.preference {
        integration.preference = preference;
    }
    if let Some(on) = wanted.deactivate {
        integration.deactivate = on;
    }
    if let Some(installation) = wanted.installation {
        integration.installation = installation;
    }
    if !wanted.contacts.is_empty() {
        integration.contacts = wanted.contacts.into_iter().filter(|contact| !contact.is_empty()).collect();
    }
    if let Some(schedule) = wanted.schedule {
        integration.schedule = Schedule { time_zone: integration.schedule.time_zone.clone(), ..schedule };
    }
    if let Some(zone) = wanted.time_zone {
        integration.schedule.time_zone = zone;
    }
    if !wanted.sync_key.is_empty() {
        integration.sync_key = wanted.sync_key;
    }
    if let Some(filter) = wanted.filter {
        if !filter.is_empty() {
            mappings::check_filter(&filter)?;
        }
        integration.filter = Some(filter).filter(|filter| !filter.is_empty());
    }
    Ok(())
}

/// Prints what was saved, and what still stands in the way of launching it.
fn saved_and_found(context: &Context, saved: &model::Integration) -> Result<u8> {
    context.print(saved, |saved| {
        output::line(&t!("cli.integration.saved", name = clean::line(&saved.name, 120), state = labels::integration_state(saved.state).0))?;
        for finding in integrations::validate(&context.ws, saved)? {
            output::remark(&format!("  {}: {}", labels::severity(finding.severity).0, clean::line(&finding.problem.what, 300)));
        }
        Ok(())
    })?;
    Ok(0)
}

pub fn print_findings(findings: &[Finding]) -> Result<()> {
    // Whole sentences, which no column of a terminal holds.
    for finding in findings {
        output::finding(labels::severity(finding.severity), &finding.place, &finding.problem)?;
    }
    if findings.is_empty() {
        output::remark(t!("cli.integration.sound"));
    }
    Ok(())
}

fn list(context: &Context) -> Result<u8> {
    let integrations = integrations::list(&context.ws)?;
    context.print(&integrations, |integrations| {
        let mut table = Table::new(&[
            t!("cli.column.name"),
            t!("cli.column.state"),
            t!("cli.column.connector"),
            t!("cli.column.kind"),
            t!("cli.column.schedule"),
            t!("cli.column.last_run"),
        ]);
        for integration in integrations {
            let (state, tone) = labels::integration_state(integration.state);
            table.row(vec![
                cell(&integration.name),
                cell(state).tone(tone),
                cell(&integration.connector),
                cell(labels::kind(integration.kind)),
                cell(labels::schedule(&integration.schedule)),
                cell(integration.last_run.as_deref().unwrap_or("–")),
            ]);
        }
        table.print(t!("cli.integration.none"))
    })?;
    Ok(0)
}

fn show(context: &Context, integration: &model::Integration) -> Result<()> {
    // The identifier serves where the credential is gone.
    let credential =
        credentials::get(&context.ws, &integration.credential).map_or_else(|_| integration.credential.clone(), |credential| credential.name);
    let mut pairs = vec![
        (t!("cli.column.id"), integration.id.clone()),
        (t!("cli.column.name"), integration.name.clone()),
        (t!("cli.column.state"), labels::integration_state(integration.state).0.to_owned()),
        (t!("cli.column.credential"), credential),
        (t!("cli.column.connector"), integration.connector.clone()),
        (t!("cli.column.resource"), integration.resource.clone()),
        (t!("cli.column.kind"), labels::kind(integration.kind).to_owned()),
    ];
    if let Some(name) = &integration.saas_application {
        pairs.push((t!("cli.column.saas_application"), name.clone()));
    }
    pairs.extend([
        (t!("cli.column.preference"), labels::preference(integration.preference).to_owned()),
        (t!("cli.column.deactivate"), labels::yes_no(integration.deactivate).to_owned()),
        (t!("cli.column.installation"), labels::installation(integration.installation).to_owned()),
        (t!("cli.column.contacts"), integration.contacts.join(", ")),
        (t!("cli.column.schedule"), labels::schedule(&integration.schedule)),
        (t!("cli.column.sync_key"), integration.sync_key.join(", ")),
    ]);
    if let Some(filter) = &integration.filter {
        pairs.push((t!("cli.column.filter"), filter.clone()));
    }
    pairs.push((t!("cli.column.mappings"), integration.mappings.len().to_string()));
    output::pairs(&pairs)
}

fn apply(context: &Context, file: &str, dry_run: bool) -> Result<u8> {
    let text = if file == "-" { std::io::read_to_string(std::io::stdin().lock()) } else { std::fs::read_to_string(file) };
    let text = text.map_err(|error| problem!(Usage, "cli.unreadable", file = clean::line(file, 200), reason = error))?;
    let plan = integrations::apply(&context.ws, &text, true)?;
    if !context.json {
        for line in &plan {
            output::line(&clean::line(line, 300))?;
        }
        if plan.is_empty() {
            output::remark(t!("cli.integration.no_change"));
        }
    }
    if !dry_run && !plan.is_empty() {
        integrations::apply(&context.ws, &text, false)?;
    }
    if context.json {
        output::json(&json!({ "changes": plan, "applied": !dry_run && !plan.is_empty() }))?;
    }
    Ok(0)
}
