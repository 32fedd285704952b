//! `intertie data`: the inventory.

use std::io::Write as _;

use clap::{Args, ValueEnum};

use super::output::{self, Pipe, cell};
use super::{Context, args, labels};
use crate::model::{DataQuery, Sink, Sort, Table, Value};
use crate::ops::data::ExportFormat;
use crate::ops::{Result, data};
use crate::words::number;
use crate::{problem, t};

/// Records that a table shows when no limit is given; the other formats show all.
const PAGE: u64 = 50;

#[derive(Args)]
pub struct Data {
    #[arg(value_name = "TABLE", value_parser = args::table(), help = t!("cli.data.table"))]
    table: Table,
    #[arg(value_name = "KEY", help = t!("cli.data.key"))]
    key: Option<String>,
    #[arg(long = "where", value_name = "EXPR", help = t!("cli.data.where"))]
    where_: Option<String>,
    #[arg(long, short, value_name = "TEXT", help = t!("cli.data.search"))]
    search: Option<String>,
    #[arg(long, value_name = "NAME", help = t!("cli.data.application"))]
    application: Option<String>,
    #[arg(long, value_name = "FIELD[:desc]", help = t!("cli.data.sort"))]
    sort: Option<String>,
    #[arg(long, value_name = "N", help = t!("cli.data.limit"))]
    limit: Option<u64>,
    #[arg(long, value_name = "N", default_value_t = 0, help = t!("cli.arg.offset"))]
    offset: u64,
    #[arg(long, value_name = "FORMAT", default_value = "table", conflicts_with = "json", help = t!("cli.data.format"))]
    format: Format,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Csv,
    Jsonl,
}

pub fn run(context: &Context, command: Data) -> Result<u8> {
    let Data { table, key, where_, search, application, sort, limit, offset, format } = command;
    if let Some(key) = key {
        return one(context, table, &key);
    }
    let everything = context.json || format != Format::Table;
    let query = DataQuery {
        search: search.unwrap_or_default(),
        where_,
        application,
        sort: sort.map(|sort| parse_sort(&sort)).transpose()?,
        offset,
        limit: limit.unwrap_or(if everything { i64::MAX as u64 } else { PAGE }),
    };
    match format {
        Format::Csv => export(context, table, &query, ExportFormat::Csv),
        Format::Jsonl => export(context, table, &query, ExportFormat::Jsonl),
        Format::Table if context.json => output::json(&data::query(&context.ws, table, &query)?).map(|()| 0),
        Format::Table => show(context, table, &query),
    }
}

fn parse_sort(text: &str) -> Result<Sort> {
    match text.split_once(':') {
        None => Ok(Sort { field: text.to_owned(), descending: false }),
        Some((field, "asc")) => Ok(Sort { field: field.to_owned(), descending: false }),
        Some((field, "desc")) => Ok(Sort { field: field.to_owned(), descending: true }),
        Some(_) => Err(problem!(Usage, "cli.data.bad_sort", text = crate::words::clean::line(text, 80))),
    }
}

fn one(context: &Context, table: Table, key: &str) -> Result<u8> {
    let record = data::get(&context.ws, table, key)?;
    let columns = data::columns(&context.ws, table)?;
    context.print(&record, |record| {
        let mut pairs: Vec<(&str, String)> =
            vec![(t!("cli.column.key"), record.key.clone()), (t!("cli.column.active"), labels::yes_no(record.active).into())];
        for column in &columns {
            if let Some(value) = record.values.get(&column.key).filter(|value| !value.is_null()) {
                pairs.push((&column.label, value.to_string()));
            }
        }
        pairs.push((t!("cli.column.created"), record.created.to_string()));
        pairs.push((t!("cli.column.changed"), record.changed.to_string()));
        pairs.push((t!("cli.column.integration"), record.integration.clone()));
        pairs.push((t!("cli.column.run"), record.run.clone()));
        output::pairs(&pairs)
    })?;
    Ok(0)
}

fn show(context: &Context, table: Table, query: &DataQuery) -> Result<u8> {
    let page = data::query(&context.ws, table, query)?;
    // Columns in which no shown record has anything would only take room.
    let columns = data::columns(&context.ws, table)?;
    let columns: Vec<_> =
        columns.iter().filter(|column| page.records.iter().any(|r| r.values.get(&column.key).is_some_and(|v| !v.is_null()))).collect();
    let labels: Vec<String> = columns.iter().map(|column| crate::words::clean::line(&column.label, 40)).collect();
    let mut titles = vec![t!("cli.column.key").to_owned(), t!("cli.column.active").to_owned()];
    titles.extend(labels);
    let mut out = output::Table::new(&titles);
    for record in &page.records {
        let mut row = vec![cell(&record.key), cell(labels::yes_no(record.active))];
        row.extend(columns.iter().map(|column| match record.values.get(&column.key) {
            None | Some(Value::Null) => cell(""),
            Some(value @ (Value::Integer(_) | Value::Number(_))) => cell(value.to_string()).right(),
            Some(Value::Boolean(yes)) => cell(labels::yes_no(*yes)),
            Some(value) => cell(value.to_string()),
        }));
        out.row(row);
    }
    out.print(&t!("cli.data.none", table = labels::table(table)))?;
    let last = page.offset + page.records.len() as u64;
    if last < page.total {
        output::remark(&t!("cli.data.more", first = number(page.offset + 1), last = number(last), total = number(page.total)));
    }
    Ok(0)
}

fn export(context: &Context, table: Table, query: &DataQuery, format: ExportFormat) -> Result<u8> {
    let mut out = Pipe::stdout();
    let written = data::export(&context.ws, table, query, format, &mut out, &Sink::none()).and_then(|n| {
        out.flush().map_err(|error| problem!(Failed, "cli.output", reason = error))?;
        Ok(n)
    });
    match written {
        // The reader has seen enough.
        Err(_) if out.closed => Ok(0),
        Err(problem) => Err(problem),
        Ok(_) => Ok(0),
    }
}
