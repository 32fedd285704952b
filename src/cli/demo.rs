//! `intertie demo --headless`: the first journey, walked and counted.

use clap::Args;

use super::output::{self, Table, Tone, cell, count};
use super::{Context, labels};
use crate::ops::{Config, Result, demo};
use crate::t;
use crate::words::number;

#[derive(Args)]
pub struct Demo {
    #[arg(long, help = t!("cli.demo.headless"))]
    pub headless: bool,
}

pub fn run(context: &Context) -> Result<u8> {
    let walked = context.wait(async |sink| {
        let demo = demo::start(Config::default()).await?;
        demo::walk(&demo, &sink).await
    })?;
    context.print(&walked, |walked| {
        for step in &walked.steps {
            output::line(&format!("{} {}", if step.ok { "✓" } else { "✗" }, step.name))?;
            if let Some(problem) = &step.problem {
                output::failure(problem, false);
            }
        }
        output::line("")?;
        let mut table = Table::new(&[
            t!("cli.column.run"),
            t!("cli.column.state"),
            t!("cli.column.read"),
            t!("cli.fate.created"),
            t!("cli.fate.updated"),
            t!("cli.fate.unchanged"),
            t!("cli.fate.deactivated"),
            t!("cli.fate.reactivated"),
            t!("cli.fate.failed"),
        ]);
        for run in &walked.runs {
            let (state, tone) = labels::run_state(run.state);
            table.row(vec![
                cell(&run.run).tone(Tone::Dim),
                cell(state).tone(tone),
                count(run.read),
                count(run.created),
                count(run.updated),
                count(run.unchanged),
                count(run.deactivated),
                count(run.reactivated),
                count(run.failed),
            ]);
        }
        table.print("")?;
        output::line(&format!("\n{}", t!("cli.demo.people", n = number(walked.people))))
    })?;
    Ok(u8::from(walked.steps.iter().any(|step| !step.ok)))
}
