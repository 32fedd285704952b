//! The inventory, for people and scripts.

use std::io::Write;

use super::{Result, Workspace};
use crate::model::{DataPage, DataQuery, DestinationField, Problem, Progress, Record, Sink, Table, Value};
use crate::store::{StoreError, inventory};
use crate::{problem, t, words};

/// The columns of a table in their order: its fields, custom ones last.
pub fn columns(ws: &Workspace, table: Table) -> Result<Vec<DestinationField>> {
    super::mappings::destination_fields(ws, table)
}

/// A window of the records that match. Milliseconds with 100,000 records.
pub fn query(ws: &Workspace, table: Table, query: &DataQuery) -> Result<DataPage> {
    inventory::query(ws.store()?, table, query)
}

pub fn get(ws: &Workspace, table: Table, key: &str) -> Result<Record> {
    let found = ws.store()?.read(|connection| inventory::by_key(connection, table, key))?;
    found.ok_or_else(|| problem!(Usage, "data.not_found", key = words::clean::line(key, 100), table = table.key()))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    Csv,
    Jsonl,
}

/// Writes all records that match, in constant memory; returns how many. Cells that a spreadsheet would run as a formula are quoted.
pub fn export(ws: &Workspace, table: Table, query: &DataQuery, format: ExportFormat, out: &mut dyn Write, sink: &Sink) -> Result<u64> {
    let store = ws.store()?;
    let started = std::time::Instant::now();
    let mut columns: Vec<String> = store.read(|c| inventory::columns(c, table))?.into_iter().map(|column| column.key).collect();
    if table == Table::SaasUsers {
        columns.push("application".to_owned());
    }
    let mut writer = match format {
        ExportFormat::Csv => Writer::Csv(Box::new(csv::Writer::from_writer(out))),
        ExportFormat::Jsonl => Writer::Jsonl(std::io::BufWriter::new(out)),
    };
    writer.head(&columns).map_err(failed)?;
    let (mut count, mut fault) = (0_u64, None);
    inventory::each(store, table, query, |record| {
        if sink.cancelled() {
            fault = Some(problem!(Failed, "data.cancelled", count = words::number(count)));
            return Ok(false);
        }
        if let Err(error) = writer.record(&columns, &record) {
            fault = Some(failed(error));
            return Ok(false);
        }
        count += 1;
        if count.is_multiple_of(10_000) {
            let seconds = started.elapsed().as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
            let rate = count as f64 / seconds.max(0.001);
            sink.report(Progress { doing: t!("data.doing.export").to_owned(), records: count, pages: 0, total: None, rate, seconds_left: None });
        }
        Ok::<_, StoreError>(true)
    })?;
    if let Some(problem) = fault {
        return Err(problem);
    }
    writer.end().map_err(failed)?;
    Ok(count)
}

fn failed(error: std::io::Error) -> Problem {
    problem!(Failed, "data.export", reason = words::clean::line(&error.to_string(), 200))
}

enum Writer<W: Write> {
    Csv(Box<csv::Writer<W>>),
    Jsonl(std::io::BufWriter<W>),
}

impl<W: Write> Writer<W> {
    fn head(&mut self, columns: &[String]) -> std::io::Result<()> {
        if let Self::Csv(csv) = self {
            csv.write_record(columns.iter().map(String::as_str).chain(["active"]))?;
        }
        Ok(())
    }

    fn record(&mut self, columns: &[String], record: &Record) -> std::io::Result<()> {
        match self {
            Self::Csv(csv) => {
                for column in columns {
                    csv.write_field(cell(record.values.get(column).unwrap_or(&Value::Null)).as_bytes())?;
                }
                csv.write_field(if record.active { "true" } else { "false" })?;
                csv.write_record(None::<&[u8]>)?;
            }
            Self::Jsonl(out) => {
                let mut object = serde_json::Map::with_capacity(columns.len() + 2);
                for column in columns {
                    object.insert(column.clone(), serde_json::to_value(record.values.get(column))?);
                }
                object.insert("active".to_owned(), record.active.into());
                serde_json::to_writer(&mut *out, &object)?;
                out.write_all(b"\n")?;
            }
        }
        Ok(())
    }

    fn end(self) -> std::io::Result<()> {
        match self {
            Self::Csv(mut csv) => csv.flush(),
            Self::Jsonl(mut out) => out.flush(),
        }
    }
}

/// A value as a CSV cell. A text that a spreadsheet would take for a formula gets an apostrophe before it (OWASP, "CSV Injection").
fn cell(value: &Value) -> String {
    match value {
        Value::Text(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        other => other.to_string(),
    }
}

/// The SaaS applications in the inventory, with how many active users each has.
pub fn saas_applications(ws: &Workspace) -> Result<Vec<(String, u64)>> {
    Ok(ws.store()?.saas_applications()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_become_text() {
        for (value, written) in
            [("=1+1", "'=1+1"), ("+1", "'+1"), ("-1", "'-1"), ("@a", "'@a"), ("\tx", "'\tx"), ("\rx", "'\rx"), ("a=b", "a=b"), ("", "")]
        {
            assert_eq!(cell(&Value::Text(value.to_owned())), written);
        }
        assert_eq!(cell(&Value::Integer(-5)), "-5");
        assert_eq!(cell(&Value::Boolean(true)), "true");
    }
}
