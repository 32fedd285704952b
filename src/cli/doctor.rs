//! `intertie doctor`.

use std::io::IsTerminal as _;

use super::output::{self, Table, Tone, cell};
use super::{Context, labels};
use crate::model::Severity;
use crate::ops::Result;
use crate::ops::doctor::{self, Examined};
use crate::t;
use crate::words::clean;

pub fn run(context: &Context) -> Result<u8> {
    let mut examined = doctor::examine(&context.ws)?;
    examined.insert(0, terminal());
    context.print(&examined, |examined| {
        let mut table = Table::new(&[t!("cli.column.check"), t!("cli.column.state"), t!("cli.column.found")]);
        for one in examined {
            let state = match &one.finding {
                _ if one.ok => (t!("cli.doctor.ok"), Tone::Good),
                Some(finding) => labels::severity(finding.severity),
                None => (t!("cli.label.error"), Tone::Bad),
            };
            table.row(vec![cell(&one.name), cell(state.0).tone(state.1), cell(&one.detail)]);
        }
        table.print("")?;
        for finding in examined.iter().filter_map(|one| one.finding.as_ref()) {
            output::remark(&format!("{}: {}", clean::line(&finding.problem.what, 300), clean::line(&finding.problem.next_step, 300)));
        }
        Ok(())
    })?;
    let worst = examined.iter().filter(|one| !one.ok).filter_map(|one| one.finding.as_ref()).find(|finding| finding.severity == Severity::Error);
    Ok(worst.map_or(0, |finding| finding.problem.exit_code()))
}

/// What the console would find; only a front end knows it.
fn terminal() -> Examined {
    let kind = std::env::var("TERM").unwrap_or_default();
    let (out, size) = (std::io::stdout().is_terminal(), rustix::termios::tcgetwinsize(std::io::stdout()));
    let detail = match size {
        Ok(size) if out => t!("cli.doctor.terminal", kind = clean::line(&kind, 60), columns = size.ws_col, rows = size.ws_row),
        _ => t!("cli.doctor.no_terminal").to_owned(),
    };
    Examined { name: "terminal".to_owned(), ok: true, detail, finding: None }
}
