//! The inventory's tables: read in windows, written by runs.
//!
//! Reading: a view (table, condition, search, order) is evaluated once to the list of its row ids, which is kept until the database changes,
//! so that scrolling through any view costs only the rows shown. Writing: a [`Target`] knows the statements of one run for one table; its
//! [`Page`] holds them prepared for one transaction.

use rusqlite::types::{ToSql, ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, OptionalExtension as _, Row, Transaction, params};

use super::{Store, StoreError, condition};
use crate::model::{DataPage, DataQuery, FieldType, Problem, Record, Table, Time, Value};
use crate::problem;
use crate::words::clean;

use FieldType::{Boolean, Email, Text, Time as Moment};

/// The built-in fields of a table, in their order: key and type.
#[must_use]
pub fn built_in(table: Table) -> &'static [(&'static str, FieldType)] {
    match table {
        Table::People => &[
            ("email", Email),
            ("full_name", Text),
            ("user_type", Text),
            ("username", Text),
            ("first_name", Text),
            ("last_name", Text),
            ("position", Text),
            ("department", Text),
            ("manager", Text),
            ("phone", Text),
            ("locale", Text),
            ("time_zone", Text),
            ("external_id", Text),
            ("verified", Boolean),
            ("verified_time", Moment),
            ("last_login", Moment),
            ("employee_number", Text),
            ("location", Text),
        ],
        Table::SaasUsers => &[
            ("user_name", Text),
            ("email", Email),
            ("full_name", Text),
            ("external_id", Text),
            ("role", Text),
            ("last_activity", Moment),
            ("verified", Boolean),
        ],
        Table::Hardware => &[
            ("serial_number", Text),
            ("name", Text),
            ("model", Text),
            ("manufacturer", Text),
            ("type", Text),
            ("os", Text),
            ("assigned_to", Text),
            ("last_seen", Moment),
            ("location", Text),
        ],
        Table::Software => &[("name", Text), ("version", Text), ("publisher", Text), ("installed_on", Text), ("category", Text)],
        Table::Applications => &[("name", Text), ("vendor", Text), ("category", Text), ("owner", Text), ("url", Text)],
    }
}

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
pub(super) enum Shape {
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

    pub(super) fn sql(&self) -> String {
        if self.own { format!("\"_{}\"", self.key) } else { quoted(&self.key) }
    }

    pub(super) fn shape(&self) -> Shape {
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
    pub(super) fn value(self, text: &str) -> Option<Value> {
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

    pub(super) fn expected(self) -> &'static str {
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
    let mut columns: Vec<Column> = built_in(table).iter().map(|(key, kind)| Column::new(key, *kind)).collect();
    let mut custom = connection.prepare_cached("select key, type from fields where tbl = ? and custom = 1 order by position, key")?;
    let mut rows = custom.query([table.key()])?;
    while let Some(row) = rows.next()? {
        let kind: String = row.get(1)?;
        columns.push(Column::new(&row.get::<_, String>(0)?, serde_json::from_value(kind.into())?));
    }
    Ok(columns)
}

/// Everything that a condition can name: the fields, then what every record has.
pub(super) fn searchable(table: Table, custom: &[Column]) -> Vec<Column> {
    let mut columns: Vec<Column> = built_in(table).iter().map(|(key, kind)| Column::new(key, *kind)).collect();
    columns.extend(custom.iter().cloned());
    let own = |key: &str, kind| Column { key: key.to_owned(), kind, own: true };
    columns.extend([own("key", Text), own("active", Boolean), own("integration", Text), own("run", Text)]);
    columns.extend([own("created", Moment), own("changed", Moment)]);
    if table == Table::SaasUsers {
        columns.push(own("application", Text));
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

/// Whether the database would give back this value for what it holds.
fn same(stored: ValueRef<'_>, value: &Value) -> bool {
    match (stored, value) {
        (ValueRef::Null, Value::Null) => true,
        (ValueRef::Text(a), Value::Text(b)) => a == b.as_bytes(),
        (ValueRef::Integer(a), Value::Integer(b)) => a == *b,
        (ValueRef::Integer(a), Value::Boolean(b)) => a == i64::from(*b),
        #[expect(clippy::cast_precision_loss, reason = "the column keeps a whole number as an integer; beyond 2^53 both sides lose the same")]
        (ValueRef::Integer(a), Value::Number(b)) => a as f64 == *b,
        (ValueRef::Real(a), Value::Number(b)) => a.to_bits() == b.to_bits() || a == *b,
        #[expect(clippy::cast_precision_loss, reason = "as above")]
        (ValueRef::Real(a), Value::Integer(b)) => a == *b as f64,
        // A text column keeps numbers and truth values as text.
        (ValueRef::Text(a), Value::Integer(_) | Value::Number(_)) => a == value.to_string().as_bytes(),
        (ValueRef::Text(a), Value::Boolean(b)) => a == if *b { b"1" } else { b"0" },
        _ => false,
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
        values.insert("application".to_owned(), value_of(row.get_ref(HEAD_LEN + columns.len())?, Text));
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
pub(super) struct Viewer {
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
    if view.plain() && offset <= NEAR {
        page.total = counted(snapshot, table)?;
        let sql = format!("{} order by _id limit ? offset ?", selection(table, &view.columns));
        let mut statement = snapshot.prepare_cached(&sql)?;
        let limit = i64::try_from(query.limit).unwrap_or(i64::MAX);
        let mut rows = statement.query(params![limit, i64::try_from(offset).unwrap_or(i64::MAX)])?;
        while let Some(row) = rows.next()? {
            page.records.push(record(row, table, &view.columns)?);
        }
        return Ok(page);
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

/// The record with this key, ignoring case; for SaaS users also `APPLICATION/KEY`. The oldest where several have it.
pub fn by_key(connection: &Connection, table: Table, key: &str) -> Result<Option<Record>, StoreError> {
    let columns = columns(connection, table)?;
    let select = selection(table, &columns);
    if table == Table::SaasUsers {
        if let Some((application, user)) = key.split_once('/') {
            let sql = format!("{select} where _application = ? collate nocase and _key = ? collate nocase order by _id limit 1");
            let found = connection.query_row(&sql, [application, user], |row| record(row, table, &columns)).optional()?;
            if found.is_some() {
                return Ok(found);
            }
        }
    }
    let sql = format!("{select} where _key = ? collate nocase order by _id limit 1");
    Ok(connection.query_row(&sql, [key], |row| record(row, table, &columns)).optional()?)
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

/// What one run writes into one table: which fields, found by which of them.
pub struct Target {
    table: Table,
    application: Option<String>,
    integration: String,
    run: String,
    /// Places of the sync key in the fields.
    sync: Vec<usize>,
    sync_key: Vec<String>,
    fields: usize,
    /// Places of the fields whose change does not count, such as the time of the run.
    tracked: Vec<usize>,
    find: String,
    insert: String,
    update: String,
    track: Option<String>,
}

/// A record that is already there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    pub id: i64,
    pub active: bool,
    /// Brought by this integration.
    pub own: bool,
    /// Every field of the run (those that are only tracked apart) already has its value.
    pub same: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Match {
    None,
    One(Found),
    /// Several records have this sync key.
    Several,
}

impl Target {
    /// `fields` are those that the run fills, `sync` those of them that find the record, `tracked` those whose change does not make the
    /// record a changed one. Makes the index that finding needs.
    #[expect(clippy::too_many_arguments, reason = "each is a different thing, and this is called once a run")]
    pub fn new(
        transaction: &Transaction<'_>,
        table: Table,
        application: Option<&str>,
        integration: &str,
        run: &str,
        fields: &[String],
        sync: &[String],
        tracked: &[String],
    ) -> Result<Self, StoreError> {
        let known = columns(transaction, table)?;
        let column = |key: &String| {
            known.iter().find(|column| column.key == *key).ok_or_else(|| StoreError::NoColumn { table: table.key(), key: key.clone() })
        };
        let used = fields.iter().map(column).collect::<Result<Vec<_>, _>>()?;
        let places = sync
            .iter()
            .map(|key| fields.iter().position(|field| field == key).ok_or_else(|| StoreError::NoColumn { table: table.key(), key: key.clone() }))
            .collect::<Result<Vec<_>, _>>()?;
        let name = sql_name(table);
        let mut indexed = Vec::new();
        let mut found_by = Vec::new();
        if application.is_some() {
            indexed.push("_application".to_owned());
            found_by.push(format!("_application = ?{}", places.len() + 1));
        }
        for (i, place) in places.iter().enumerate() {
            let column = used[*place];
            indexed.push(format!("{}{}", column.sql(), collation(column)));
            found_by.push(format!("{} = ?{}{}", column.sql(), i + 1, collation(column)));
        }
        let index = format!("{name}_by_{}", sync.join("_and_"));
        transaction.execute_batch(&format!("create index if not exists {} on {name} ({})", quoted(&index), indexed.join(", ")))?;

        let list = used.iter().map(|column| column.sql()).collect::<Vec<_>>();
        let selected = list.iter().map(|field| format!(", {field}")).collect::<String>();
        let find = format!("select _id, _active, _integration{selected} from {name} where {} limit 2", found_by.join(" and "));
        // Only SaaS users have an application.
        let application_column = if application.is_some() { "_application, " } else { "" };
        let marks = ", ?".repeat(5 + usize::from(application.is_some()) + list.len());
        let insert =
            format!("insert into {name} (_key, {application_column}_active, _integration, _run, _created, _changed{selected}) values (?{marks})");
        let set = list.iter().map(|field| format!("{field} = ?, ")).collect::<String>();
        let update = format!("update {name} set {set}_active = ?, _run = ?, _changed = ? where _id = ?");
        let tracked: Vec<usize> = (0..fields.len()).filter(|i| tracked.contains(&fields[*i]) && !places.contains(i)).collect();
        let track = (!tracked.is_empty()).then(|| {
            let set = tracked.iter().map(|i| format!("{} = ?", list[*i])).collect::<Vec<_>>().join(", ");
            format!("update {name} set {set} where _id = ?")
        });
        Ok(Self {
            table,
            tracked,
            track,
            application: application.map(str::to_owned),
            integration: integration.to_owned(),
            run: run.to_owned(),
            sync: places,
            sync_key: sync.to_vec(),
            fields: fields.len(),
            find,
            insert,
            update,
        })
    }

    #[must_use]
    pub fn sync_key(&self) -> &[String] {
        &self.sync_key
    }

    /// The sync key of these values as text, or `None` when a part of it is empty.
    #[must_use]
    pub fn key(&self, values: &[Value]) -> Option<String> {
        let mut key = String::new();
        for (i, place) in self.sync.iter().enumerate() {
            if i > 0 {
                key.push('|');
            }
            match values.get(*place)? {
                Value::Null => return None,
                Value::Text(text) if text.is_empty() => return None,
                Value::Text(text) => key.push_str(text),
                other => key.push_str(&other.to_string()),
            }
        }
        Some(key)
    }

    /// The statements, prepared for one transaction.
    pub fn page<'t>(&'t self, transaction: &'t Transaction<'_>) -> Result<Page<'t>, StoreError> {
        Ok(Page {
            target: self,
            transaction,
            now: Time::now().as_microsecond(),
            find: transaction.prepare_cached(&self.find)?,
            insert: transaction.prepare_cached(&self.insert)?,
            update: transaction.prepare_cached(&self.update)?,
            track: self.track.as_ref().map(|track| transaction.prepare_cached(track)).transpose()?,
        })
    }

    /// Ids of the active records that this integration brought (to its application).
    pub fn each_own_active(&self, connection: &Connection, mut each: impl FnMut(i64)) -> Result<(), StoreError> {
        let and = if self.application.is_some() { " and _application = ?2" } else { "" };
        let sql = format!("select _id from {} where _integration = ?1 and _active = 1{and} order by _id", sql_name(self.table));
        let mut statement = connection.prepare_cached(&sql)?;
        let mut rows = match &self.application {
            Some(application) => statement.query(params![self.integration, application])?,
            None => statement.query(params![self.integration])?,
        };
        while let Some(row) = rows.next()? {
            each(row.get(0)?);
        }
        Ok(())
    }

    pub fn deactivate(&self, transaction: &Transaction<'_>, id: i64) -> Result<(), StoreError> {
        let sql = format!("update {} set _active = 0, _run = ?, _changed = ? where _id = ?", sql_name(self.table));
        transaction.prepare_cached(&sql)?.execute(params![self.run, Time::now().as_microsecond(), id])?;
        Ok(())
    }
}

/// A [`Target`] in one transaction.
pub struct Page<'t> {
    target: &'t Target,
    transaction: &'t Transaction<'t>,
    now: i64,
    find: CachedStatement<'t>,
    insert: CachedStatement<'t>,
    update: CachedStatement<'t>,
    track: Option<CachedStatement<'t>>,
}

impl Page<'_> {
    /// Finds the record that has the sync key of these values, and compares. `values` are in the order of the fields.
    pub fn find(&mut self, values: &[Value]) -> Result<Match, StoreError> {
        let target = self.target;
        for (i, place) in target.sync.iter().enumerate() {
            self.find.raw_bind_parameter(i + 1, Bound(&values[*place]))?;
        }
        if let Some(application) = &target.application {
            self.find.raw_bind_parameter(target.sync.len() + 1, application)?;
        }
        let mut rows = self.find.raw_query();
        let Some(row) = rows.next()? else { return Ok(Match::None) };
        let found = Found {
            id: row.get(0)?,
            active: row.get(1)?,
            own: row.get_ref(2)?.as_bytes().is_ok_and(|owner| owner == target.integration.as_bytes()),
            same: (0..target.fields).all(|i| target.tracked.contains(&i) || row.get_ref(3 + i).is_ok_and(|stored| same(stored, &values[i]))),
        };
        Ok(if rows.next()?.is_some() { Match::Several } else { Match::One(found) })
    }

    /// Adds a record and returns its id.
    pub fn insert(&mut self, key: &str, values: &[Value], active: bool) -> Result<i64, StoreError> {
        let target = self.target;
        let mut place = 0;
        let statement = &mut self.insert;
        let mut bind = |value: &dyn ToSql| {
            place += 1;
            statement.raw_bind_parameter(place, value)
        };
        bind(&key)?;
        if let Some(application) = &target.application {
            bind(application)?;
        }
        bind(&active)?;
        bind(&target.integration)?;
        bind(&target.run)?;
        bind(&self.now)?;
        bind(&self.now)?;
        for value in values {
            bind(&Bound(value))?;
        }
        statement.raw_execute()?;
        Ok(self.transaction.last_insert_rowid())
    }

    /// Stores the tracked fields of a record that is otherwise unchanged.
    pub fn track(&mut self, found: &Found, values: &[Value]) -> Result<(), StoreError> {
        let Some(statement) = &mut self.track else { return Ok(()) };
        for (i, place) in self.target.tracked.iter().enumerate() {
            statement.raw_bind_parameter(i + 1, Bound(&values[*place]))?;
        }
        statement.raw_bind_parameter(self.target.tracked.len() + 1, found.id)?;
        statement.raw_execute()?;
        Ok(())
    }

    /// Changes a record; it stays its integration's.
    pub fn update(&mut self, found: &Found, values: &[Value], active: bool) -> Result<(), StoreError> {
        let target = self.target;
        let mut place = 0;
        let statement = &mut self.update;
        let mut bind = |value: &dyn ToSql| {
            place += 1;
            statement.raw_bind_parameter(place, value)
        };
        for value in values {
            bind(&Bound(value))?;
        }
        bind(&active)?;
        bind(&target.run)?;
        bind(&self.now)?;
        bind(&found.id)?;
        statement.raw_execute()?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Sort;

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    fn strings(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|&text| text.to_owned()).collect()
    }

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        (dir, store)
    }

    /// People with an address, a department and a mark.
    fn fill(store: &Store, n: usize) {
        let fields = strings(&["email", "department", "verified"]);
        store
            .write(|tx| {
                let target = Target::new(tx, Table::People, None, "int_a", "run_a", &fields, &fields[..1], &[])?;
                let mut page = target.page(tx)?;
                for i in 0..n {
                    let department = ["Sales", "sales", "Research", ""][i % 4];
                    let department = if department.is_empty() { Value::Null } else { text(department) };
                    let email = format!("Person{i:06}@example.com");
                    page.insert(&email, &[text(&email), department, Value::Boolean(i % 3 == 0)], i % 10 != 0)?;
                }
                Ok(())
            })
            .unwrap();
    }

    fn keys(page: &DataPage) -> Vec<&str> {
        page.records.iter().map(|record| record.key.as_str()).collect()
    }

    fn ask(limit: u64) -> DataQuery {
        DataQuery { limit, ..DataQuery::default() }
    }

    #[test]
    fn every_built_in_field_is_a_column() {
        let (_dir, store) = store();
        for table in Table::ALL {
            let page = query(&store, table, &ask(1)).unwrap();
            assert_eq!((page.total, page.records.len()), (0, 0), "{table:?}");
            let known: Vec<String> = store
                .read(|c| {
                    let mut statement =
                        c.prepare(&format!("select name from pragma_table_info('{}') where name not like '\\_%' escape '\\'", sql_name(table)))?;
                    Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
                })
                .unwrap();
            assert_eq!(known, built_in(table).iter().map(|(key, _)| (*key).to_owned()).collect::<Vec<_>>());
        }
    }

    #[test]
    fn views_are_searched_filtered_sorted_and_windowed() {
        let (_dir, store) = store();
        fill(&store, 5_000);
        let page = query(&store, Table::People, &ask(2)).unwrap();
        assert_eq!((page.total, keys(&page)), (5_000, vec!["Person000000@example.com", "Person000001@example.com"]));
        assert_eq!(page.records[0].values["verified"], Value::Boolean(true));
        assert_eq!(page.records[0].values["phone"], Value::Null);
        // Far into the plain view.
        let page = query(&store, Table::People, &DataQuery { offset: 4_999, ..ask(9) }).unwrap();
        assert_eq!((page.total, keys(&page)), (5_000, vec!["Person004999@example.com"]));
        assert_eq!(query(&store, Table::People, &DataQuery { offset: 9_999, ..ask(9) }).unwrap().records.len(), 0);
        // Search ignores case and looks for each word.
        let page = query(&store, Table::People, &DataQuery { search: "person00123 RESEARCH".to_owned(), ..ask(10) }).unwrap();
        assert_eq!(keys(&page), ["Person001230@example.com", "Person001234@example.com", "Person001238@example.com"]);
        // Conditions.
        for (condition, total) in [
            ("active = false", 500),
            ("department = SALES", 2_500),
            ("department is null", 1_250),
            ("department != research", 3_750),
            ("not department ~ sal", 2_500),
            ("verified = true and active = true", 1_667 - 167),
            ("key = person000007@EXAMPLE.com or email ~ 000008", 2),
            ("changed > 2020-01-01 and integration = int_a", 5_000),
            ("created < 2020-01-01", 0),
        ] {
            let page = query(&store, Table::People, &DataQuery { where_: Some(condition.to_owned()), ..ask(0) }).unwrap();
            assert_eq!((page.total, page.records.len()), (total, 0), "{condition}");
        }
        // Order: empty last, either way; then by age.
        let sorted = |field: &str, descending, offset| {
            let sort = Some(Sort { field: field.to_owned(), descending });
            query(&store, Table::People, &DataQuery { sort, offset, ..ask(2) }).unwrap()
        };
        assert_eq!(keys(&sorted("email", true, 0))[0], "Person004999@example.com");
        assert_eq!(sorted("department", false, 0).records[0].values["department"], text("Research"));
        assert_eq!(sorted("department", true, 0).records[0].values["department"], text("Sales"));
        for descending in [false, true] {
            assert_eq!(sorted("department", descending, 4_998).records[1].values["department"], Value::Null);
        }
        let refused = query(&store, Table::People, &DataQuery { sort: Some(Sort { field: "nix".to_owned(), descending: false }), ..ask(1) });
        assert!(refused.unwrap_err().why.contains("full_name"));
    }

    #[test]
    fn a_view_sees_what_was_written_since() {
        let (_dir, store) = store();
        fill(&store, 10);
        let view = DataQuery { search: "person".to_owned(), ..ask(1) };
        assert_eq!(query(&store, Table::People, &view).unwrap().total, 10);
        fill(&store, 5);
        assert_eq!(query(&store, Table::People, &view).unwrap().total, 15);
        assert_eq!(query(&store, Table::People, &view).unwrap().total, 15);
    }

    #[test]
    fn a_sync_key_finds_compares_and_changes() {
        let (_dir, store) = store();
        let fields = strings(&["email", "full_name", "verified"]);
        let ada = |name: &str| vec![text("ADA@example.com"), text(name), Value::Boolean(true)];
        store
            .write(|tx| {
                let target = Target::new(tx, Table::People, None, "int_a", "run_a", &fields, &fields[..1], &[])?;
                let mut page = target.page(tx)?;
                assert_eq!(page.find(&ada("Ada"))?, Match::None);
                let id = page.insert("ADA@example.com", &ada("Ada"), true)?;
                let Match::One(found) = page.find(&ada("Ada"))? else { panic!("not found") };
                assert_eq!(found, Found { id, active: true, own: true, same: true });
                let lower = vec![text("ada@EXAMPLE.com"), text("Ada"), Value::Boolean(true)];
                let Match::One(found) = page.find(&lower)? else { panic!("not found in another case") };
                assert!(!found.same);
                page.update(&found, &ada("Ada Lovelace"), false)?;
                let Match::One(found) = page.find(&ada("Ada Lovelace"))? else { panic!("lost") };
                assert_eq!((found.active, found.same), (false, true));
                page.insert("ada@example.com", &lower, true)?;
                assert_eq!(page.find(&lower)?, Match::Several);
                Ok(())
            })
            .unwrap();
        let found =
            store.inventory_find(Table::People, &[("email", &text("ada@example.COM")), ("full_name", &text("Ada Lovelace"))]).unwrap().unwrap();
        assert_eq!((found.active, &found.values["full_name"]), (false, &text("Ada Lovelace")));
        assert_eq!(store.inventory_find(Table::People, &[("full_name", &text("ADA LOVELACE"))]).unwrap(), None);
        assert_eq!(store.inventory_find(Table::People, &[("nix", &text("x"))]).unwrap(), None);
    }

    #[test]
    fn saas_users_belong_to_their_application() {
        let (_dir, store) = store();
        let fields = strings(&["user_name"]);
        let add = |application: &str, n: usize| {
            store
                .write(|tx| {
                    ensure_application(tx, application, "int_a")?;
                    let target = Target::new(tx, Table::SaasUsers, Some(application), "int_a", "run_a", &fields, &fields, &[])?;
                    let mut page = target.page(tx)?;
                    for i in 0..n {
                        let name = format!("user{i}");
                        assert_eq!(page.find(&[text(&name)])?, Match::None);
                        page.insert(&name, &[text(&name)], i != 0)?;
                    }
                    Ok(())
                })
                .unwrap();
        };
        add("Clickwrap", 3);
        add("Slack", 5);
        let made = store.write(|tx| Ok((ensure_application(tx, "slack", "int_a")?, ensure_application(tx, "Zoom", "int_a")?))).unwrap();
        assert_eq!(made, (false, true));
        assert_eq!(store.saas_applications().unwrap(), [("Clickwrap".to_owned(), 2), ("Slack".to_owned(), 4), ("Zoom".to_owned(), 0)]);
        let page = query(&store, Table::SaasUsers, &DataQuery { application: Some("slack".to_owned()), ..ask(1) }).unwrap();
        assert_eq!((page.total, &page.records[0].values["application"]), (5, &text("Slack")));
        let get = |key: &str| store.read(|c| by_key(c, Table::SaasUsers, key)).unwrap().map(|record| record.values["application"].to_string());
        assert_eq!(get("USER1").as_deref(), Some("Clickwrap"));
        assert_eq!(get("Slack/user1").as_deref(), Some("Slack"));
        assert_eq!(get("Slack/user9"), None);
    }

    #[test]
    fn custom_fields_take_part() {
        let (_dir, store) = store();
        store
            .write(|tx| {
                tx.execute("insert into fields values ('people', 'custom_cost', 'Cost', 'number', 0, 1, 100)", [])?;
                Ok(tx.execute_batch("alter table people add column custom_cost real")?)
            })
            .unwrap();
        let fields = strings(&["email", "custom_cost"]);
        store
            .write(|tx| {
                let target = Target::new(tx, Table::People, None, "int_a", "run_a", &fields, &fields[..1], &[])?;
                target.page(tx)?.insert("a", &[text("a"), Value::Number(2.5)], true)?;
                target.page(tx)?.insert("b", &[text("b"), Value::Integer(3)], true)?;
                let Match::One(found) = target.page(tx)?.find(&[text("b"), Value::Integer(3)])? else { panic!("lost") };
                assert!(found.same);
                Ok(())
            })
            .unwrap();
        let page = query(&store, Table::People, &DataQuery { where_: Some("custom_cost > 2.6".to_owned()), ..ask(9) }).unwrap();
        assert_eq!((keys(&page), &page.records[0].values["custom_cost"]), (vec!["b"], &Value::Number(3.0)));
    }
}
