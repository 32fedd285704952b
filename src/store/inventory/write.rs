//! What runs write with: a [`Target`] knows the statements of one run for one table, a [`Page`] holds them prepared for one transaction.

use std::borrow::Cow;

use rusqlite::types::{ToSql, ValueRef};
use rusqlite::{CachedStatement, Connection, Transaction, params};

use super::{Bound, collation, columns, quoted, sql_name};
use crate::model::{Table, Time, Value};
use crate::store::StoreError;

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
        let marks = ", ?".repeat(1 + list.len());
        // What is the same for all records of a transaction comes first, and is bound once.
        let application_mark = if application.is_some() { "?4, " } else { "" };
        let insert = format!(
            "insert into {name} (_integration, _run, _created, _changed, {application_column}_key, _active{selected})
             values (?1, ?2, ?3, ?3, {application_mark}?{}{marks})",
            4 + usize::from(application.is_some())
        );
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
    pub fn key<'v>(&self, values: &'v [Value]) -> Option<Cow<'v, str>> {
        if let [place] = self.sync[..]
            && let Value::Text(text) = values.get(place)?
        {
            return Some(Cow::Borrowed(text.as_str())).filter(|text| !text.is_empty());
        }
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
        Some(Cow::Owned(key))
    }

    /// The statements, prepared for one transaction.
    pub fn page<'t>(&'t self, transaction: &'t Transaction<'_>) -> Result<Page<'t>, StoreError> {
        let now = Time::now().as_microsecond();
        let mut find = transaction.prepare_cached(&self.find)?;
        let mut insert = transaction.prepare_cached(&self.insert)?;
        insert.raw_bind_parameter(1, &self.integration)?;
        insert.raw_bind_parameter(2, &self.run)?;
        insert.raw_bind_parameter(3, now)?;
        if let Some(application) = &self.application {
            find.raw_bind_parameter(self.sync.len() + 1, application)?;
            insert.raw_bind_parameter(4, application)?;
        }
        Ok(Page {
            target: self,
            transaction,
            now,
            find,
            insert,
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
        let mut place = 3 + usize::from(target.application.is_some());
        let statement = &mut self.insert;
        let mut bind = |value: &dyn ToSql| {
            place += 1;
            statement.raw_bind_parameter(place, value)
        };
        bind(&key)?;
        bind(&active)?;
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
