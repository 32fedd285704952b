//! `intertie permission`: what an integration may do, and why.

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::{self, Table, cell};
use super::{Context, args, integration, labels};
use crate::model::{Action, Entity, EntityKind, Integration};
use crate::ops::{Result, integrations, permissions};
use crate::words::clean;
use crate::{problem, t};

#[derive(Subcommand)]
pub enum Permission {
    #[command(about = t!("cli.permission.show"))]
    Show {
        #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
        integration: String,
    },
    #[command(about = t!("cli.permission.grant"), after_help = t!("cli.permission.after"))]
    Grant(Target),
    #[command(about = t!("cli.permission.revoke"))]
    Revoke(Target),
    #[command(about = t!("cli.permission.add"))]
    Add(Target),
    #[command(about = t!("cli.permission.check"))]
    Check(Target),
    #[command(about = t!("cli.permission.advise"))]
    Advise {
        #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
        integration: String,
    },
}

#[derive(Args)]
pub struct Target {
    #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
    integration: String,
    #[arg(long, value_name = "ACTION", value_parser = args::action(), help = t!("cli.permission.action"))]
    action: Option<Action>,
    #[arg(long, value_name = "NAME", help = t!("cli.permission.application"))]
    application: Option<String>,
    #[arg(long, value_name = "NAME", conflicts_with = "application", help = t!("cli.permission.data_source"))]
    data_source: Option<String>,
    #[arg(long, conflicts_with_all = ["application", "data_source"], help = t!("cli.permission.global"))]
    global: bool,
}

impl Target {
    fn entity(&self) -> Option<Entity> {
        let application = self.application.as_ref().map(|name| Entity { kind: EntityKind::Application, name: name.clone() });
        application.or_else(|| self.data_source.as_ref().map(|name| Entity { kind: EntityKind::DataSource, name: name.clone() }))
    }

    /// Granting or revoking needs to know where: nothing is taken for "everywhere" in silence.
    fn placed(&self) -> Result<(Option<Action>, Option<Entity>)> {
        let entity = self.entity();
        if entity.is_none() && !self.global { Err(problem!(Usage, "cli.permission.where_missing")) } else { Ok((self.action, entity)) }
    }
}

pub fn run(context: &Context, command: Permission) -> Result<u8> {
    let ws = &context.ws;
    match command {
        Permission::Show { integration } => show(context, &integrations::get(ws, &integration)?)?,
        Permission::Grant(target) => {
            let (action, entity) = target.placed()?;
            change(context, &target.integration, |integration| permissions::grant(integration, action, entity))?;
        }
        Permission::Revoke(target) => {
            let (action, entity) = target.placed()?;
            change(context, &target.integration, |integration| permissions::revoke(integration, action, entity))?;
        }
        Permission::Add(target) => {
            let Some(entity) = target.entity() else { return Err(problem!(Usage, "cli.permission.entity_missing")) };
            change(context, &target.integration, |integration| permissions::add_entity(integration, entity))?;
        }
        Permission::Check(target) => {
            let (Some(action), Some(entity)) = (target.action, target.entity()) else { return Err(problem!(Usage, "cli.permission.question")) };
            let verdict = permissions::check(&integrations::get(ws, &target.integration)?, action, &entity);
            context.print(&verdict, |verdict| output::line(&clean::line(&verdict.explanation, 300)))?;
            return Ok(u8::from(!verdict.allowed));
        }
        Permission::Advise { integration } => {
            let findings = permissions::advise(&integrations::get(ws, &integration)?);
            context.print(&findings, |findings| {
                if findings.is_empty() {
                    output::remark(t!("cli.permission.no_advice"));
                    return Ok(());
                }
                integration::print_findings(findings)
            })?;
        }
    }
    Ok(0)
}

fn change(context: &Context, name: &str, change: impl FnOnce(&mut Integration) -> Result<()>) -> Result<()> {
    let mut integration = integrations::get(&context.ws, name)?;
    change(&mut integration)?;
    let saved = integrations::save(&context.ws, &integration)?;
    show(context, &saved)?;
    for finding in permissions::advise(&saved) {
        output::remark(&format!("{}: {}", labels::severity(finding.severity).0, clean::line(&finding.problem.what, 300)));
    }
    Ok(())
}

fn show(context: &Context, integration: &Integration) -> Result<()> {
    let matrix = permissions::matrix(&context.ws, integration)?;
    let rows: Vec<_> = matrix
        .iter()
        .map(|row| {
            let actions: serde_json::Map<_, _> =
                Action::ALL.iter().zip(&row.cells).map(|(action, reason)| (action.key().to_owned(), json!(reason))).collect();
            json!({ "entity": row.entity, "actions": actions })
        })
        .collect();
    context.print(&rows, |_| {
        let mut titles = vec![t!("cli.column.entity")];
        titles.extend(Action::ALL.map(permissions::action_name));
        let mut table = Table::new(&titles);
        for row in &matrix {
            let name = match &row.entity {
                None => cell(t!("cli.permission.all")),
                Some(Entity { kind: EntityKind::Application, name }) => cell(t!("cli.permission.named_application", name = clean::line(name, 120))),
                Some(Entity { kind: EntityKind::DataSource, name }) => cell(t!("cli.permission.named_data_source", name = clean::line(name, 120))),
            };
            let mut cells = vec![name];
            for reason in row.cells {
                let (text, tone) = labels::reason(reason);
                cells.push(cell(text).tone(tone));
            }
            table.row(cells);
        }
        table.print(t!("cli.permission.none"))
    })
}
