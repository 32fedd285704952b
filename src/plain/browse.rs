//! Runs, stored records, the inbox and the vault, read out.

use super::{Session, pick};
use crate::model::{DataQuery, Run, Table, labels};
use crate::ops::{self, Result, data, notices, runs as all_runs};
use crate::prompt::{ask, say};
use crate::t;
use crate::words::{clean, number};

/// Newest runs that are offered, records and notices that are read out at once.
const SOME: usize = 20;

pub fn runs(session: &Session) -> Result<()> {
    loop {
        let all = all_runs::list(&session.ws, None, SOME)?;
        if all.is_empty() {
            say::remark(t!("cli.run.none"));
            return Ok(());
        }
        let row = |run: &Run| {
            t!("plain.run.row", name = run.integration_name, state = labels::run_state(run.state), at = run.started.strftime("%Y-%m-%d %H:%MZ"))
        };
        let Some(at) = pick::one(t!("plain.run.which"), &all.iter().map(row).collect::<Vec<_>>())? else { return Ok(()) };
        run(session, &all[at])?;
    }
}

/// What a run did, its problem, and its first failed records.
pub fn run(session: &Session, run: &Run) -> Result<()> {
    let state = labels::run_state(run.state);
    say::remark(&if run.dry_run { t!("cli.run.rehearsed", state = state) } else { state.to_owned() });
    for (name, n) in [
        (t!("cli.column.read"), run.read),
        (t!("cli.fate.filtered"), run.filtered),
        (t!("cli.fate.created"), run.created),
        (t!("cli.fate.updated"), run.updated),
        (t!("cli.fate.unchanged"), run.unchanged),
        (t!("cli.fate.deactivated"), run.deactivated),
        (t!("cli.fate.reactivated"), run.reactivated),
        (t!("cli.fate.skipped"), run.skipped),
        (t!("cli.fate.failed"), run.failed),
    ] {
        if n > 0 {
            say::remark(&t!("plain.pair", name = name, value = number(n)));
        }
    }
    if let Some(problem) = &run.problem {
        say::failure(problem);
    }
    if run.failed > 0 {
        for error in all_runs::errors(&session.ws, &run.run, 0, SOME as u64)? {
            say::remark(&t!("plain.run.error", n = error.number, key = clean::line(&error.key, 80), text = clean::line(&error.message, 200)));
        }
    }
    Ok(())
}

pub fn data(session: &Session) -> Result<()> {
    let tables = [Table::People, Table::SaasUsers, Table::Hardware, Table::Software, Table::Applications];
    let Some(at) = pick::one(t!("plain.data.which"), &tables.map(|table| labels::table(table).to_owned()))? else { return Ok(()) };
    let search = ask::text(t!("plain.data.search"), None)?;
    let mut query = DataQuery { search, limit: SOME as u64, ..DataQuery::default() };
    let columns = data::columns(&session.ws, tables[at])?;
    loop {
        let page = data::query(&session.ws, tables[at], &query)?;
        say::remark(&t!("plain.data.found", n = page.total));
        for record in &page.records {
            say::remark("");
            for column in &columns {
                if let Some(value) = record.values.get(&column.key).filter(|value| !value.is_null()) {
                    say::remark(&t!("plain.pair", name = clean::line(&column.label, 80), value = clean::line(&value.to_string(), 200)));
                }
            }
        }
        query.offset += page.records.len() as u64;
        if page.records.is_empty() || query.offset >= page.total || !ask::yes(t!("plain.data.more"))? {
            return Ok(());
        }
    }
}

pub fn inbox(session: &Session) -> Result<()> {
    let all = notices::list(&session.ws, true, SOME)?;
    for notice in &all {
        say::remark(&t!("plain.inbox.row", at = notice.at.strftime("%Y-%m-%d %H:%MZ"), title = clean::line(&notice.title, 200)));
        say::remark(&clean::line(&notice.body, 600));
    }
    if all.is_empty() {
        say::remark(t!("plain.inbox.empty"));
    } else if ask::yes(t!("plain.inbox.read"))? {
        notices::mark(&session.ws, None, true)?;
    }
    Ok(())
}

pub fn vault(session: &Session) -> Result<()> {
    let status = ops::vault::status(&session.ws)?;
    say::remark(&t!("plain.vault.secrets", n = status.secrets));
    if !status.exists {
        return Ok(());
    }
    let ways = [t!("plain.vault.unlock"), t!("plain.vault.lock"), t!("plain.vault.verify")].map(str::to_owned);
    match pick::one(t!("plain.what"), &ways)? {
        Some(0) => {
            session.unlock()?;
            say::remark(t!("plain.vault.unlocked"));
        }
        Some(1) => {
            ops::vault::lock(&session.ws)?;
            say::remark(t!("plain.vault.locked"));
        }
        Some(_) => {
            session.unlock()?;
            say::remark(&t!("cli.vault.verified", n = ops::vault::verify(&session.ws)?));
        }
        None => {}
    }
    Ok(())
}
