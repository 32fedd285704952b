//! `intertie notice`: the inbox.

use clap::Subcommand;
use serde_json::json;

use super::output::{self, Table, Tone, cell};
use super::{Context, labels};
use crate::ops::{Result, notices};
use crate::{problem, t};

#[derive(Subcommand)]
pub enum Notice {
    #[command(about = t!("cli.notice.list"))]
    List {
        #[arg(long, help = t!("cli.notice.unread"))]
        unread: bool,
        #[arg(long, value_name = "N", default_value_t = 50, help = t!("cli.arg.limit"))]
        limit: usize,
    },
    #[command(about = t!("cli.notice.read"))]
    Read {
        #[arg(value_name = "ID", help = t!("cli.notice.id"))]
        id: Option<i64>,
        #[arg(long, conflicts_with = "id", help = t!("cli.notice.all"))]
        all: bool,
    },
}

pub fn run(context: &Context, command: Notice) -> Result<u8> {
    match command {
        Notice::List { unread, limit } => {
            let notices = notices::list(&context.ws, unread, limit)?;
            context.print(&notices, |notices| {
                let mut table = Table::new(&[
                    t!("cli.column.id"),
                    t!("cli.column.when"),
                    t!("cli.column.severity"),
                    t!("cli.column.title"),
                    t!("cli.column.body"),
                ]);
                for notice in notices {
                    let (severity, tone) = labels::severity(notice.severity);
                    table.row(vec![
                        cell(notice.id.to_string()).right(),
                        cell(output::when(Some(notice.at))),
                        cell(severity).tone(tone),
                        cell(&notice.title).tone(if notice.read { Tone::Dim } else { Tone::Plain }),
                        cell(&notice.body).tone(Tone::Dim),
                    ]);
                }
                table.print(t!("cli.notice.none"))
            })?;
        }
        Notice::Read { id: None, all: false } => return Err(problem!(Usage, "cli.notice.which")),
        Notice::Read { id, .. } => {
            notices::mark(&context.ws, id, true)?;
            context.print(&json!({ "read": id }), |_| output::line(t!("cli.notice.marked")))?;
        }
    }
    Ok(0)
}
