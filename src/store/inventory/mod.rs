//! The inventory's tables: read in windows, written by runs.
//!
//! Its columns and values are here; `view` reads windows, `write` is what runs write with.

#[cfg(test)]
mod tests;
mod view;
mod write;

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OptionalExtension as _, Row, Transaction, params};

use super::{Store, StoreError};
use crate::model::{FieldType, Record, Table, Time, Value};

pub(super) use view::Viewer;
pub use view::{each, query};
pub use write::{Found, Match, Page, Target};

/// The name of a table in SQL.
#[must_use]
pub fn sql_name(table: Table) -> &'static str {
    match table {
        Table::People => "people",
        Table::SaasUsers => "saas_users",
        Table::Hardware => "hardware",
        Table::Software => "software",
        Table::Applications => "applications",
    }
}

/// An identifier in SQL.
#[must_use]
pub fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A column that can be read, sorted by, and compared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub key: String,
    pub kind: FieldType,
    /// One of ours, such as `active`, not a field.
    pub own: bool,
}

/// How the values of a column compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Shape {
    Text,
    Boolean,
    Integer,
    Number,
    /// Microseconds since 1970.
    Stamp,
}

impl Column {
    fn new(key: &str, kind: FieldType) -> Self {
        Self { key: key.to_owned(), kind, own: false }
    }

    pub(in crate::store) fn sql(&self) -> String {
        if self.own { format!("\"_{}\"", self.key) } else { quoted(&self.key) }
    }

    pub(in crate::store) fn shape(&self) -> Shape {
        match self.kind {
            FieldType::Boolean => Shape::Boolean,
            FieldType::Integer => Shape::Integer,
            FieldType::Number => Shape::Number,
            FieldType::Time if self.own => Shape::Stamp,
            FieldType::Text | FieldType::Time | FieldType::Email => Shape::Text,
        }
    }
}

impl Shape {
    /// A value as people write it.
    pub(in crate::store) fn value(self, text: &str) -> Option<Value> {
        match self {
            Self::Text => Some(Value::Text(text.to_owned())),
            Self::Boolean => match text.to_ascii_lowercase().as_str() {
                "true" | "yes" | "1" => Some(Value::Boolean(true)),
                "false" | "no" | "0" => Some(Value::Boolean(false)),
                _ => None,
            },
            Self::Integer => text.parse().ok().map(Value::Integer).or_else(|| Self::Number.value(text)),
            Self::Number => text.parse().ok().filter(|number: &f64| number.is_finite()).map(Value::Number),
            Self::Stamp => {
                let day = || text.parse::<jiff::civil::Date>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|day| day.timestamp());
                let time = text.parse::<Time>().ok().or_else(day)?;
                Some(Value::Integer(time.as_microsecond()))
            }
        }
    }

    pub(in crate::store) fn expected(self) -> &'static str {
        match self {
            Self::Text => crate::t!("data.expected.text"),
            Self::Boolean => crate::t!("data.expected.boolean"),
            Self::Integer | Self::Number => crate::t!("data.expected.number"),
            Self::Stamp => crate::t!("data.expected.time"),
        }
    }
}

/// The fields of a table, custom ones last.
pub fn columns(connection: &Connection, table: Table) -> Result<Vec<Column>, StoreError> {
    let mut columns: Vec<Column> = table.built_in().iter().map(|(key, kind)| Column::new(key, *kind)).collect();
    let mut custom = connection.prepare_cached("select key, type from fields where tbl = ? and custom = 1 order by position, key")?;
    let mut rows = custom.query([table.key()])?;
    while let Some(row) = rows.next()? {
        let kind: String = row.get(1)?;
        columns.push(Column::new(&row.get::<_, String>(0)?, serde_json::from_value(kind.into())?));
    }
    Ok(columns)
}

/// Everything that a condition can name: the fields, then what every record has.
pub(in crate::store) fn searchable(table: Table, custom: &[Column]) -> Vec<Column> {
    let mut columns: Vec<Column> = table.built_in().iter().map(|(key, kind)| Column::new(key, *kind)).collect();
    columns.extend(custom.iter().cloned());
    let own = |key: &str, kind| Column { key: key.to_owned(), kind, own: true };
    columns.extend([
        own("key", FieldType::Text),
        own("active", FieldType::Boolean),
        own("integration", FieldType::Text),
        own("run", FieldType::Text),
    ]);
    columns.extend([own("created", FieldType::Time), own("changed", FieldType::Time)]);
    if table == Table::SaasUsers {
        columns.push(own("application", FieldType::Text));
    }
    columns
}

/// A value on its way into a statement, borrowed.
pub(super) struct Bound<'v>(pub &'v Value);

impl ToSql for Bound<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self.0 {
            Value::Null => ValueRef::Null,
            Value::Boolean(value) => ValueRef::Integer(i64::from(*value)),
            Value::Integer(value) => ValueRef::Integer(*value),
            Value::Number(value) => ValueRef::Real(*value),
            Value::Text(value) => ValueRef::Text(value.as_bytes()),
        }))
    }
}

fn value_of(stored: ValueRef<'_>, kind: FieldType) -> Value {
    match stored {
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
        ValueRef::Integer(value) if kind == FieldType::Boolean => Value::Boolean(value != 0),
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Number(value),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
    }
}

fn time_of(microseconds: i64) -> Time {
    Time::from_microsecond(microseconds).unwrap_or_default()
}

/// What is selected before the fields.
const HEAD: &str = "_id, _key, _active, _integration, _run, _created, _changed";
const HEAD_LEN: usize = 7;

fn selection(table: Table, columns: &[Column]) -> String {
    let mut sql = format!("select {HEAD}");
    for column in columns {
        sql.push_str(", ");
        sql.push_str(&column.sql());
    }
    if table == Table::SaasUsers {
        sql.push_str(", _application");
    }
    sql.push_str(" from ");
    sql.push_str(sql_name(table));
    sql
}

fn record(row: &Row<'_>, table: Table, columns: &[Column]) -> rusqlite::Result<Record> {
    let mut values: indexmap::IndexMap<String, Value> = indexmap::IndexMap::with_capacity(columns.len() + 1);
    for (i, column) in columns.iter().enumerate() {
        values.insert(column.key.clone(), value_of(row.get_ref(HEAD_LEN + i)?, column.kind));
    }
    if table == Table::SaasUsers {
        values.insert("application".to_owned(), value_of(row.get_ref(HEAD_LEN + columns.len())?, FieldType::Text));
    }
    Ok(Record {
        id: row.get(0)?,
        key: row.get(1)?,
        active: row.get(2)?,
        integration: row.get(3)?,
        run: row.get(4)?,
        created: time_of(row.get(5)?),
        changed: time_of(row.get(6)?),
        values,
    })
}

/// The record with this key, ignoring case; for SaaS users also `APPLICATION/KEY`. The oldest where several have it.
///
/// A key is the value of the sync key by which the record was found, and that has an index; only a record whose sync key was renamed since,
/// or has several parts, is searched for in the whole table.
pub fn by_key(connection: &Connection, table: Table, key: &str) -> Result<Option<Record>, StoreError> {
    let columns = columns(connection, table)?;
    let select = selection(table, &columns);
    let mut statement = connection.prepare_cached("select substr(name, length(?1) + 5) from sqlite_master where type = 'index' and tbl_name = ?1")?;
    let indexed = statement.query_map([sql_name(table)], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
    let mut conditions: Vec<String> = Vec::new();
    for column in columns.iter().filter(|column| indexed.contains(&column.key) && table != Table::SaasUsers) {
        conditions.push(format!("{}{} = ?1 and _key = ?1 collate nocase", column.sql(), collation(column)));
    }
    conditions.push("_key = ?1 collate nocase".to_owned());
    for condition in conditions {
        let sql = format!("{select} where {condition} order by _id limit 1");
        let found = connection.query_row(&sql, [key], |row| record(row, table, &columns)).optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let Some((application, user)) = key.split_once('/').filter(|_| table == Table::SaasUsers) else { return Ok(None) };
    let sql = format!("{select} where _application = ?1 collate nocase and _key = ?2 collate nocase order by _id limit 1");
    Ok(connection.query_row(&sql, [application, user], |row| record(row, table, &columns)).optional()?)
}

impl Store {
    /// The record that a run would match by these fields, ignoring case in addresses and user names. `application` names a SaaS user's
    /// application.
    pub fn inventory_find(&self, table: Table, fields: &[(&str, &Value)]) -> Result<Option<Record>, StoreError> {
        if fields.is_empty() {
            return Ok(None);
        }
        self.read(|connection| {
            let columns = columns(connection, table)?;
            let mut parts = Vec::new();
            for (key, _) in fields {
                match columns.iter().find(|column| column.key == *key) {
                    Some(column) => parts.push(format!("{} = ?{}", column.sql(), collation(column))),
                    None if table == Table::SaasUsers && *key == "application" => parts.push("_application = ? collate nocase".to_owned()),
                    None => return Ok(None),
                }
            }
            let sql = format!("{} where {} order by _id limit 1", selection(table, &columns), parts.join(" and "));
            let values = fields.iter().map(|(_, value)| Bound(value));
            let mut statement = connection.prepare_cached(&sql)?;
            Ok(statement.query_row(rusqlite::params_from_iter(values), |row| record(row, table, &columns)).optional()?)
        })
    }

    /// The applications of the inventory by name, with how many active SaaS users each has.
    pub fn saas_applications(&self) -> Result<Vec<(String, u64)>, StoreError> {
        self.read(|connection| {
            let sql = "select name, sum(n) from (
                    select _application as name, sum(_active) as n from saas_users group by _application
                    union all select name, 0 from applications where name is not null and _active = 1)
                group by name collate nocase order by name collate nocase";
            let mut statement = connection.prepare_cached(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
    }

    /// How many records a table has.
    pub fn count(&self, table: Table) -> Result<u64, StoreError> {
        self.read(|connection| counted(connection, table))
    }
}

fn counted(connection: &Connection, table: Table) -> Result<u64, StoreError> {
    let mut statement = connection.prepare_cached(&format!("select count(*) from {}", sql_name(table)))?;
    Ok(statement.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// Makes the inventory's entry of an application unless it is there; returns whether it was made.
pub fn ensure_application(transaction: &Transaction<'_>, name: &str, integration: &str) -> Result<bool, StoreError> {
    let now = Time::now().as_microsecond();
    let made = transaction.execute(
        "insert into applications (_key, _active, _integration, _run, _created, _changed, name)
         select ?1, 1, ?2, '', ?3, ?3, ?1 where not exists (select 1 from applications where name = ?1 collate nocase)",
        params![name, integration, now],
    )?;
    Ok(made > 0)
}

/// Addresses and user names match whatever their case.
fn collation(column: &Column) -> &'static str {
    if column.kind == FieldType::Email || matches!(column.key.as_str(), "username" | "user_name") { " collate nocase" } else { "" }
}
