//! `intertie overview`: Monday morning on one screen, with an exit code.

use clap::Args;

use super::output::{self, Table, Tone, cell};
use super::{Context, labels};
use crate::ops::Result;
use crate::ops::overview::{self, Overview as Summary};
use crate::t;
use crate::words::{clean, number};

#[derive(Args)]
pub struct Overview {
    #[arg(long, help = t!("cli.overview.check"))]
    check: bool,
}

pub fn run(context: &Context, command: &Overview) -> Result<u8> {
    let summary = overview::summary(&context.ws)?;
    context.print(&summary, human)?;
    let urgent = !summary.failed.is_empty() || !summary.broken_credentials.is_empty() || !summary.expiring.is_empty();
    Ok(if command.check && urgent { 3 } else { 0 })
}

fn human(summary: &Summary) -> Result<()> {
    output::pairs(&[
        (t!("cli.overview.credentials"), number(summary.credentials)),
        (t!("cli.overview.integrations"), number(summary.integrations.len() as u64)),
        (t!("cli.overview.people"), number(summary.people)),
        (t!("cli.overview.saas_users"), number(summary.saas_users)),
        (t!("cli.overview.unread"), number(summary.unread)),
    ])?;
    if !summary.integrations.is_empty() {
        output::line("")?;
        let mut table = Table::new(&[t!("cli.column.integration"), t!("cli.column.state"), t!("cli.column.last_run"), t!("cli.column.next")]);
        for row in &summary.integrations {
            let (state, tone) = labels::integration_state(row.integration.state);
            let last = match &row.last {
                Some(run) => {
                    let (text, tone) = labels::run_state(run.state);
                    cell(format!("{text}, {}", output::when(Some(run.started)))).tone(tone)
                }
                None => cell("–").tone(Tone::Dim),
            };
            table.row(vec![cell(&row.integration.name), cell(state).tone(tone), last, cell(output::when(row.next))]);
        }
        table.print("")?;
    }
    for name in &summary.broken_credentials {
        output::line(&t!("cli.overview.broken", name = clean::line(name, 120)))?;
    }
    for expiry in &summary.expiring {
        output::line(&t!("cli.overview.expires", name = clean::line(&expiry.name, 120), when = output::when(Some(expiry.at))))?;
    }
    if !summary.next_steps.is_empty() {
        output::line(&format!("\n{}", t!("cli.overview.next")))?;
        for step in &summary.next_steps {
            output::line(&format!("  {}", clean::line(&step.text, 300)))?;
        }
    }
    Ok(())
}
