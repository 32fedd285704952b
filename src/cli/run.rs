//! `intertie run`: start, watch, cancel, look back.

use clap::{Args, Subcommand};

use super::output::{self, Cell, Table, Tone, cell, count};
use super::{Context, args, labels};
use crate::model::{self, RunOptions, RunState};
use crate::ops::{Result, runs};
use crate::words::number;
use crate::{problem, t};

#[derive(Args)]
#[command(subcommand_negates_reqs = true, after_help = t!("cli.run.after"))]
pub struct Run {
    #[command(subcommand)]
    pub command: Option<RunCommand>,
    #[arg(value_name = "INTEGRATION", required = true, help = t!("cli.arg.integration"))]
    pub integration: Option<String>,
    #[arg(long, help = t!("cli.run.dry_run"))]
    pub dry_run: bool,
    #[arg(long, value_name = "N", help = t!("cli.run.limit"))]
    pub limit: Option<u64>,
    #[arg(long, value_name = "TIME", value_parser = args::moment, help = t!("cli.run.since"))]
    pub since: Option<model::Time>,
}

#[derive(Subcommand)]
pub enum RunCommand {
    #[command(about = t!("cli.run.list"))]
    List {
        #[arg(long, value_name = "INTEGRATION", help = t!("cli.run.of"))]
        integration: Option<String>,
        #[arg(long, value_name = "N", default_value_t = 50, help = t!("cli.arg.limit"))]
        limit: usize,
    },
    #[command(about = t!("cli.run.show"))]
    Show {
        #[arg(value_name = "RUN", help = t!("cli.run.id"))]
        run: String,
    },
    #[command(about = t!("cli.run.errors"))]
    Errors {
        #[arg(value_name = "RUN", help = t!("cli.run.id"))]
        run: String,
        #[arg(long, value_name = "N", default_value_t = 0, help = t!("cli.arg.offset"))]
        offset: u64,
        #[arg(long, value_name = "N", default_value_t = 100, help = t!("cli.arg.limit"))]
        limit: u64,
    },
    #[command(about = t!("cli.run.resume"))]
    Resume {
        #[arg(value_name = "RUN", help = t!("cli.run.id"))]
        run: String,
    },
    #[command(about = t!("cli.run.cancel"))]
    Cancel {
        #[arg(value_name = "RUN", help = t!("cli.run.id"))]
        run: String,
    },
}

pub fn run(context: &Context, command: Run) -> Result<u8> {
    match command.command {
        None => start(
            context,
            &command.integration.unwrap_or_default(),
            RunOptions { dry_run: command.dry_run, limit: command.limit, since: command.since },
        ),
        Some(_) if command.integration.is_some() || command.dry_run || command.limit.is_some() || command.since.is_some() => {
            Err(problem!(Usage, "cli.run.both"))
        }
        Some(RunCommand::List { integration, limit }) => list(context, integration.as_deref(), limit),
        Some(RunCommand::Show { run }) => {
            let run = runs::get(&context.ws, &run)?;
            context.print(&run, show)?;
            Ok(0)
        }
        Some(RunCommand::Errors { run, offset, limit }) => errors(context, &run, offset, limit),
        Some(RunCommand::Resume { run }) => {
            context.unlock()?;
            let ended = context.wait(async |sink| runs::resume(&context.ws, &run, &sink).await)?;
            report(context, &ended)
        }
        Some(RunCommand::Cancel { run }) => {
            runs::cancel(&context.ws, &run)?;
            let run = runs::get(&context.ws, &run)?;
            context.print(&run, |run| output::line(&t!("cli.run.asked_to_stop", run = run.run)))?;
            Ok(0)
        }
    }
}

fn start(context: &Context, integration: &str, options: RunOptions) -> Result<u8> {
    context.unlock()?;
    let run = context.wait(async |sink| runs::start(&context.ws, integration, &options, &sink).await)?;
    report(context, &run)
}

/// Prints a run that ended; the exit code says how.
pub fn report(context: &Context, run: &model::Run) -> Result<u8> {
    context.print(run, show)?;
    Ok(exit_code(run))
}

/// 0 succeeded, 4 in part, otherwise what its problem asks for.
pub fn exit_code(run: &model::Run) -> u8 {
    match run.state {
        RunState::Succeeded | RunState::Running => 0,
        RunState::Partial => 4,
        RunState::Failed | RunState::Cancelled | RunState::Interrupted => run.problem.as_ref().map_or(1, model::Problem::exit_code),
    }
}

fn show(run: &model::Run) -> Result<()> {
    let state = labels::run_state(run.state).0;
    let state = if run.dry_run { t!("cli.run.rehearsed", state = state) } else { state.to_owned() };
    let mut pairs = vec![
        (t!("cli.column.run"), run.run.clone()),
        (t!("cli.column.integration"), run.integration_name.clone()),
        (t!("cli.column.state"), state),
        (t!("cli.column.started"), run.started.strftime("%Y-%m-%d %H:%M:%SZ").to_string()),
    ];
    if let Some(ended) = run.ended {
        let milliseconds = ended.as_millisecond() - run.started.as_millisecond();
        pairs.push((t!("cli.column.took"), t!("cli.run.seconds", n = format!("{:.1}", milliseconds as f64 / 1000.0))));
    }
    for (label, n) in [
        (t!("cli.column.read"), run.read),
        (t!("cli.fate.filtered"), run.filtered),
        (t!("cli.fate.created"), run.created),
        (t!("cli.fate.updated"), run.updated),
        (t!("cli.fate.unchanged"), run.unchanged),
        (t!("cli.fate.deactivated"), run.deactivated),
        (t!("cli.fate.reactivated"), run.reactivated),
        (t!("cli.fate.skipped"), run.skipped),
        (t!("cli.fate.failed"), run.failed),
        (t!("cli.column.pages"), run.pages),
        (t!("cli.column.requests"), run.requests),
        (t!("cli.column.bytes"), run.bytes),
    ] {
        pairs.push((label, number(n)));
    }
    let headings: Vec<String> = pairs.iter().map(|(label, _)| output::heading(label)).collect();
    let pairs: Vec<_> = headings.iter().map(String::as_str).zip(pairs.into_iter().map(|(_, value)| value)).collect();
    output::pairs(&pairs)?;
    if let Some(problem) = &run.problem {
        output::failure(problem, false);
    }
    if run.failed > 0 {
        output::remark(&t!("cli.run.see_errors", n = run.failed, run = run.run));
    }
    Ok(())
}

fn list(context: &Context, integration: Option<&str>, limit: usize) -> Result<u8> {
    let runs = runs::list(&context.ws, integration, limit)?;
    context.print(&runs, |runs| {
        let mut table = Table::new(
            &[
                t!("cli.column.run"),
                t!("cli.column.integration"),
                t!("cli.column.state"),
                t!("cli.column.started"),
                t!("cli.column.read"),
                t!("cli.fate.created"),
                t!("cli.fate.updated"),
                t!("cli.fate.deactivated"),
                t!("cli.fate.failed"),
            ]
            .map(output::heading),
        );
        for run in runs {
            table.row(row(run));
        }
        table.print(t!("cli.run.none"))
    })?;
    Ok(0)
}

fn row(run: &model::Run) -> Vec<Cell> {
    let (state, tone) = labels::run_state(run.state);
    let failed = count(run.failed);
    vec![
        cell(&run.run),
        cell(&run.integration_name),
        cell(state).tone(tone),
        cell(output::when(Some(run.started))),
        count(run.read),
        count(run.created),
        count(run.updated),
        count(run.deactivated),
        if run.failed > 0 { failed.tone(Tone::Bad) } else { failed },
    ]
}

fn errors(context: &Context, run: &str, offset: u64, limit: u64) -> Result<u8> {
    let errors = runs::errors(&context.ws, run, offset, limit)?;
    context.print(&errors, |errors| {
        let mut table = Table::new(&[t!("cli.column.record"), t!("cli.column.key"), t!("cli.column.field"), t!("cli.column.message")]);
        for error in errors {
            table.row(vec![count(error.number), cell(&error.key), cell(error.field.as_deref().unwrap_or("–")), cell(&error.message)]);
        }
        table.print(t!("cli.run.no_errors"))
    })?;
    Ok(0)
}
