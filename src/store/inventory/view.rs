//! Windows into the inventory.
//!
//! A view (table, condition, search, order) is evaluated once to the list of its row ids, which is kept until the database changes, so that
//! scrolling through any view costs only the rows shown.

use rusqlite::Connection;

use super::{Bound, Column, Shape, built_in, columns, counted, record, searchable, selection, sql_name};
use crate::model::{DataPage, DataQuery, Problem, Record, Table, Value};
use crate::problem;
use crate::store::{Store, StoreError, condition};
use crate::words::clean;

/// The `where` and `order by` of a view.
struct View {
    table: Table,
    columns: Vec<Column>,
    condition: String,
    order: String,
    values: Vec<Value>,
}

impl View {
    fn new(connection: &Connection, table: Table, query: &DataQuery) -> Result<Self, Problem> {
        let columns = columns(connection, table)?;
        let all = searchable(table, &columns[built_in(table).len()..]);
        let mut parts = Vec::new();
        let mut values = Vec::new();
        if let Some(application) = query.application.as_ref().filter(|_| table == Table::SaasUsers) {
            parts.push("_application = ? collate nocase".to_owned());
            values.push(Value::Text(application.clone()));
        }
        if let Some(text) = query.where_.as_ref().filter(|text| !text.trim().is_empty()) {
            let condition = condition::parse(text, &all)?;
            parts.push(condition.sql);
            values.extend(condition.values);
        }
        // Every word must be somewhere in the record.
        for word in query.search.split_whitespace() {
            let fields = columns.iter().map(Column::sql).collect::<Vec<_>>().join(", ");
            parts.push(format!("holds(?, {fields})"));
            values.push(Value::Text(word.to_owned()));
        }
        let condition = if parts.is_empty() { String::new() } else { format!(" where {}", parts.join(" and ")) };
        let order = match &query.sort {
            None => " order by _id".to_owned(),
            Some(sort) => {
                let Some(column) = all.iter().find(|column| column.key.eq_ignore_ascii_case(&sort.field)) else {
                    let known = all.iter().map(|column| column.key.as_str()).collect::<Vec<_>>().join(", ");
                    return Err(problem!(Usage, "data.sort", field = clean::line(&sort.field, 40), known = known));
                };
                let collate = if column.shape() == Shape::Text { " collate nocase" } else { "" };
                let direction = if sort.descending { " desc" } else { "" };
                // Empty fields come last either way: nobody sorts to look at them.
                format!(" order by {sql}{collate}{direction} nulls last, _id", sql = column.sql())
            }
        };
        Ok(Self { table, columns, condition, order, values })
    }

    fn bound(&self) -> Vec<Bound<'_>> {
        self.values.iter().map(Bound).collect()
    }

    fn plain(&self) -> bool {
        self.condition.is_empty() && self.order == " order by _id"
    }

    fn ids(&self, connection: &Connection) -> Result<Vec<i64>, StoreError> {
        let sql = format!("select _id from {}{}{}", sql_name(self.table), self.condition, self.order);
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(self.bound()))?;
        let mut ids = Vec::new();
        while let Some(row) = rows.next()? {
            ids.push(row.get(0)?);
        }
        Ok(ids)
    }
}

/// The connection behind the views, and the lists of row ids that it evaluated last.
#[derive(Default)]
pub(in crate::store) struct Viewer {
    connection: Option<Connection>,
    version: i64,
    /// Newest last; few, because each costs eight bytes a record.
    lists: Vec<(String, Vec<i64>)>,
}

const LISTS: usize = 2;
/// Up to this offset a view without condition and order is read without a list.
const NEAR: u64 = 2_000;

/// A window of the records that match, and how many there are.
pub fn query(store: &Store, table: Table, query: &DataQuery) -> Result<DataPage, Problem> {
    let mut viewer = store.viewer.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let viewer = &mut *viewer;
    let connection = match &mut viewer.connection {
        Some(connection) => connection,
        none => none.insert(store.reader()?),
    };
    let snapshot = connection.transaction().map_err(StoreError::from)?;
    // Changes whenever another connection has committed, and this one never writes.
    let version: i64 = snapshot.query_row("pragma data_version", [], |row| row.get(0)).map_err(StoreError::from)?;
    if version != viewer.version {
        viewer.lists.clear();
        viewer.version = version;
    }
    let view = View::new(&snapshot, table, query)?;
    Ok(window(&snapshot, &view, query, &mut viewer.lists)?)
}

fn window(snapshot: &Connection, view: &View, query: &DataQuery, lists: &mut Vec<(String, Vec<i64>)>) -> Result<DataPage, StoreError> {
    let (table, offset) = (view.table, query.offset);
    let mut page = DataPage { total: 0, offset, records: Vec::new() };
    if view.plain() {
        let (total, last) = (counted(snapshot, table)?, last_id(snapshot, table)?);
        page.total = total;
        // Nothing is ever deleted, so ids have no gaps, and any place is found at once. Where they have, only the beginning is near.
        let near = if total == last { Some((" where _id > ?2 order by _id limit ?1", offset)) } else { None };
        if let Some((condition, after)) = near.or_else(|| (offset <= NEAR).then_some((" order by _id limit ?1 offset ?2", offset))) {
            let clamp = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
            let mut statement = snapshot.prepare_cached(&format!("{}{condition}", selection(table, &view.columns)))?;
            let mut rows = statement.query([clamp(query.limit), clamp(after)])?;
            while let Some(row) = rows.next()? {
                page.records.push(record(row, table, &view.columns)?);
            }
            return Ok(page);
        }
    }
    let name = format!("{}{}{}{:?}", table.key(), view.condition, view.order, view.values);
    if let Some(i) = lists.iter().position(|(known, _)| *known == name) {
        let list = lists.remove(i);
        lists.push(list);
    } else {
        let ids = view.ids(snapshot)?;
        if lists.len() >= LISTS {
            lists.remove(0);
        }
        lists.push((name, ids));
    }
    let ids = lists.last().map_or(&[][..], |(_, ids)| ids.as_slice());
    page.total = ids.len() as u64;
    let start = usize::try_from(offset).unwrap_or(usize::MAX).min(ids.len());
    let end = start.saturating_add(usize::try_from(query.limit).unwrap_or(usize::MAX)).min(ids.len());
    let mut statement = snapshot.prepare_cached(&format!("{} where _id = ?", selection(table, &view.columns)))?;
    for id in &ids[start..end] {
        page.records.push(statement.query_row([id], |row| record(row, table, &view.columns))?);
    }
    Ok(page)
}

fn last_id(connection: &Connection, table: Table) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(&format!("select ifnull(max(_id), 0) from {}", sql_name(table)))?;
    Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Hands every record that matches to `each`, in order and in constant memory (sorting apart). `each` returns whether to go on.
pub fn each(store: &Store, table: Table, query: &DataQuery, mut each: impl FnMut(Record) -> Result<bool, StoreError>) -> Result<(), Problem> {
    let view = store.read(|connection| Ok(View::new(connection, table, query)))??;
    store.read(|connection| {
        let sql = format!("{}{}{}", selection(table, &view.columns), view.condition, view.order);
        let mut statement = connection.prepare(&sql)?;
        let mut rows = statement.query(rusqlite::params_from_iter(view.bound()))?;
        while let Some(row) = rows.next()? {
            if !each(record(row, table, &view.columns)?)? {
                break;
            }
        }
        Ok(())
    })?;
    Ok(())
}
