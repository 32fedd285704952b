//! `intertie schedule`: what runs by itself.

use clap::Subcommand;
use serde_json::json;

use super::output::{self, Table, cell};
use super::run as runs;
use super::{Context, labels};
use crate::model::{self, Time};
use crate::ops::{Result, schedule};
use crate::words::clean;
use crate::{problem, t};

#[derive(Subcommand)]
pub enum Schedule {
    #[command(about = t!("cli.schedule.list"))]
    List,
    #[command(about = t!("cli.schedule.due"))]
    Due,
    #[command(about = t!("cli.schedule.run"))]
    Run {
        #[arg(long, help = t!("cli.schedule.once"))]
        once: bool,
    },
    #[command(about = t!("cli.schedule.unit"))]
    Unit,
}

pub fn run(context: &Context, command: Schedule) -> Result<u8> {
    let ws = &context.ws;
    match command {
        Schedule::List => {
            let upcoming = schedule::upcoming(ws)?;
            let document: Vec<_> = upcoming.iter().map(|(integration, next)| row(integration, *next)).collect();
            context.print(&document, |_| {
                let mut table = Table::new(&[t!("cli.column.name"), t!("cli.column.schedule"), t!("cli.column.next"), t!("cli.column.at")]);
                for (integration, next) in &upcoming {
                    table.row(vec![
                        cell(&integration.name),
                        cell(labels::schedule(&integration.schedule)),
                        cell(output::when(Some(*next))),
                        cell(next.to_string()),
                    ]);
                }
                table.print(t!("cli.schedule.none"))
            })?;
            Ok(0)
        }
        Schedule::Due => {
            let due = schedule::due(ws)?;
            let document: Vec<_> = due.iter().map(|integration| json!({ "id": integration.id, "name": integration.name })).collect();
            context.print(&document, |_| {
                let mut table = Table::new(&[t!("cli.column.name"), t!("cli.column.schedule")]);
                for integration in &due {
                    table.row(vec![cell(&integration.name), cell(labels::schedule(&integration.schedule))]);
                }
                table.print(t!("cli.schedule.nothing_due"))
            })?;
            Ok(0)
        }
        Schedule::Run { once: true } => {
            context.unlock()?;
            let ended = context.wait(async |sink| schedule::run_due(ws, &sink).await)?;
            context.print(&ended, |ended| ended.iter().try_for_each(tell))?;
            Ok(worst(&ended))
        }
        Schedule::Run { once: false } => {
            context.unlock()?;
            let as_json = context.json;
            output::remark(t!("cli.schedule.staying"));
            // One document a line: it has no end at which one could be closed.
            context.wait(async |sink| {
                let on_run = move |run: &model::Run| {
                    let told = if as_json { output::json_text(run, false).and_then(|text| output::line(&text)) } else { tell(run) };
                    if let Err(problem) = told {
                        output::failure(&problem, false);
                    }
                };
                schedule::stay(ws, &sink, &on_run).await
            })?;
            Ok(0)
        }
        Schedule::Unit => {
            let program = std::env::current_exe().map_err(|error| problem!(Failed, "cli.schedule.no_program", reason = error))?;
            let unit = schedule::unit(ws, &program.display().to_string());
            context.print(&json!({ "unit": unit }), |_| output::raw(&unit))?;
            Ok(0)
        }
    }
}

fn row(integration: &model::Integration, next: Time) -> serde_json::Value {
    json!({ "id": integration.id, "name": integration.name, "schedule": integration.schedule, "next": next })
}

fn tell(run: &model::Run) -> Result<()> {
    output::line(&t!(
        "cli.schedule.ran",
        at = run.started.strftime("%Y-%m-%d %H:%M:%SZ"),
        name = clean::line(&run.integration_name, 120),
        state = labels::run_state(run.state).0,
        read = crate::words::number(run.read),
        created = crate::words::number(run.created),
        updated = crate::words::number(run.updated),
        failed = crate::words::number(run.failed)
    ))
}

/// The first code that is not 0.
fn worst(ended: &[model::Run]) -> u8 {
    ended.iter().map(runs::exit_code).find(|code| *code != 0).unwrap_or(0)
}
