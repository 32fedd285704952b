//! The inventory, for people and scripts.

use super::{Result, Workspace};
use crate::model::{DataPage, DataQuery, DestinationField, Record, Sink, Table};

/// The columns of a table in their order: its fields, custom ones last.
pub fn columns(ws: &Workspace, table: Table) -> Result<Vec<DestinationField>> {
    let _ = (ws, table);
    todo!()
}

/// A window of the records that match. Milliseconds with 100,000 records.
pub fn query(ws: &Workspace, table: Table, query: &DataQuery) -> Result<DataPage> {
    let _ = (ws, table, query);
    todo!()
}

pub fn get(ws: &Workspace, table: Table, key: &str) -> Result<Record> {
    let _ = (ws, table, key);
    todo!()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportFormat {
    Csv,
    Jsonl,
}

/// Writes all records that match, in constant memory; returns how many. Cells that a spreadsheet would run as a formula are quoted.
pub fn export(ws: &Workspace, table: Table, query: &DataQuery, format: ExportFormat, out: &mut dyn std::io::Write, sink: &Sink) -> Result<u64> {
    let _ = (ws, table, query, format, out, sink);
    todo!()
}

/// The SaaS applications in the inventory, with how many active users each has.
pub fn saas_applications(ws: &Workspace) -> Result<Vec<(String, u64)>> {
    let _ = ws;
    todo!()
}
