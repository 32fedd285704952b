//! Windows into the inventory.
//!
//! A view (table, condition, search, order) is evaluated once to the list of its row ids, which is kept until the database changes, so that
//! scrolling through any view costs only the rows shown. A large table is evaluated in ranges of ids, on several processors, and sorted here:
//! the database would use one, and its sorter takes twice as long.

use std::cmp::Ordering;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension as _};

use super::{Bound, Column, Shape, columns, counted, record, searchable, selection, sql_name};
use crate::model::{DataPage, DataQuery, Problem, Record, Table, Value};
use crate::problem;
use crate::store::{Store, StoreError, WORDS, condition};
use crate::words::clean;

/// The `where` and `order by` of a view.
struct View {
    table: Table,
    columns: Vec<Column>,
    condition: String,
    order: String,
    sort: Option<Order>,
    values: Vec<Value>,
}

/// What a view is sorted by: a column, in SQL.
struct Order {
    column: String,
    /// Upper and lower case are the same.
    text: bool,
    descending: bool,
}

impl View {
    fn new(connection: &Connection, table: Table, query: &DataQuery) -> Result<Self, Problem> {
        let columns = columns(connection, table)?;
        let all = searchable(table, &columns[table.built_in().len()..]);
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
        let words: Vec<&str> = query.search.split_whitespace().collect();
        for words in words.chunks(WORDS) {
            let fields = columns.iter().map(Column::sql).collect::<Vec<_>>().join(", ");
            parts.push(format!("holds_all(?, {fields})"));
            values.push(Value::Text(words.join(" ")));
        }
        let condition = if parts.is_empty() { String::new() } else { format!(" where {}", parts.join(" and ")) };
        let (order, sort) = match &query.sort {
            None => (" order by _id".to_owned(), None),
            Some(sort) => {
                let Some(column) = all.iter().find(|column| column.key.eq_ignore_ascii_case(&sort.field)) else {
                    let known = all.iter().map(|column| column.key.as_str()).collect::<Vec<_>>().join(", ");
                    return Err(problem!(Usage, "data.sort", field = clean::line(&sort.field, 40), known = known));
                };
                let text = column.shape() == Shape::Text;
                let collate = if text { " collate nocase" } else { "" };
                let direction = if sort.descending { " desc" } else { "" };
                // Empty fields come last either way: nobody sorts to look at them.
                let order = format!(" order by {sql}{collate}{direction} nulls last, _id", sql = column.sql());
                (order, Some(Order { column: column.sql(), text, descending: sort.descending }))
            }
        };
        Ok(Self { table, columns, condition, order, sort, values })
    }

    fn bound(&self) -> Vec<Bound<'_>> {
        self.values.iter().map(Bound).collect()
    }

    fn plain(&self) -> bool {
        self.condition.is_empty() && self.order == " order by _id"
    }

    /// The ids of all records of the view, in its order.
    fn ids(&self, store: &Store, connection: &Connection) -> Result<Vec<i64>, StoreError> {
        let last = i64::try_from(last_id(connection, self.table)?).unwrap_or(i64::MAX);
        let workers = std::thread::available_parallelism().map_or(1, usize::from).min(WORKERS);
        let parts = i64::try_from(workers).unwrap_or(1).min(last / PART).max(1);
        let ends: Vec<i64> = (0..=parts).map(|part| if part == parts { last } else { last / parts * part }).collect();
        let mut all = std::thread::scope(|scope| {
            let elsewhere: Vec<_> =
                ends.windows(2).skip(1).map(|range| scope.spawn(move || self.part_elsewhere(store, range[0], range[1]))).collect();
            let mut all = self.part(connection, 0, ends[1])?;
            for worker in elsewhere {
                let part = worker.join().map_err(|_| std::io::Error::other("a thread that reads the inventory has panicked"))??;
                all.keyed.extend(part.keyed);
                all.plain.extend(part.plain);
            }
            Ok::<_, StoreError>(all)
        })?;
        // The parts are sorted, and a stable sort makes use of that.
        if let Some(order) = self.sort.as_ref().filter(|_| parts > 1) {
            all.keyed.sort_by(|a, b| order.compare(a, b));
        }
        let mut ids = Vec::with_capacity(all.keyed.len() + all.plain.len());
        ids.extend(all.keyed.iter().map(|(_, id)| *id));
        ids.extend(all.plain);
        Ok(ids)
    }

    /// With a connection from the pool. It may see a later state than the view's; that state's version then discards the list.
    fn part_elsewhere(&self, store: &Store, after: i64, to: i64) -> Result<Part, StoreError> {
        store.read(|connection| {
            let part = self.part(connection, after, to)?;
            // Its cache has served its purpose.
            connection.execute_batch("pragma shrink_memory")?;
            Ok(part)
        })
    }

    /// The records with these ids (the first excluded, the last included), in the order of the view.
    fn part(&self, connection: &Connection, after: i64, to: i64) -> Result<Part, StoreError> {
        let and = if self.condition.is_empty() { " where" } else { " and" };
        let key = self.sort.as_ref().map_or_else(String::new, |order| format!(", {}", order.column));
        let sql = format!("select _id{key} from {}{}{and} _id > ? and _id <= ? order by _id", sql_name(self.table), self.condition);
        let mut statement = connection.prepare_cached(&sql)?;
        let (after, to) = (Value::Integer(after), Value::Integer(to));
        let bound = self.values.iter().chain([&after, &to]).map(Bound);
        let mut rows = statement.query(rusqlite::params_from_iter(bound))?;
        let mut part = Part::default();
        while let Some(row) = rows.next()? {
            let id = row.get(0)?;
            let key = match &self.sort {
                Some(order) => Key::new(row.get_ref(1)?, order.text),
                None => None,
            };
            match key {
                Some(key) => part.keyed.push((key, id)),
                None => part.plain.push(id),
            }
        }
        if let Some(order) = &self.sort {
            part.keyed.sort_unstable_by(|a, b| order.compare(a, b));
        }
        Ok(part)
    }
}

/// At most so many threads evaluate a view, each at least so many records.
const WORKERS: usize = 4;
const PART: i64 = 10_000;

/// Ids of records: those with something to sort by, sorted; then the others, by id.
#[derive(Default)]
struct Part {
    keyed: Vec<(Key, i64)>,
    plain: Vec<i64>,
}

/// What a record is sorted by, ordered as SQLite orders: numbers before texts, texts by their bytes.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// A float so that bits order as numbers, and what it says of an integer that is too long for it.
    Number(u64, i64),
    /// Most texts differ in their first eight bytes; the rest is beside them.
    Text(u64, Box<[u8]>),
}

impl Key {
    /// `None` for nothing.
    pub(super) fn new(value: ValueRef<'_>, text: bool) -> Option<Self> {
        Some(match value {
            ValueRef::Null => return None,
            #[expect(clippy::cast_precision_loss, reason = "what is lost comes beside it")]
            ValueRef::Integer(number) => Self::Number(ordered(number as f64), number),
            #[expect(clippy::cast_possible_truncation, reason = "saturates, in order")]
            ValueRef::Real(number) => Self::Number(ordered(number), number as i64),
            ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                let (first, rest) = bytes.split_at(bytes.len().min(8));
                let mut start = [0; 8];
                start[..first.len()].copy_from_slice(first);
                let mut rest: Box<[u8]> = rest.into();
                if text {
                    start.make_ascii_lowercase();
                    rest.make_ascii_lowercase();
                }
                Self::Text(u64::from_be_bytes(start), rest)
            }
        })
    }
}

/// The bits of a float, ordered as floats are.
fn ordered(number: f64) -> u64 {
    // Zero has two signs.
    let bits = (number + 0.0).to_bits();
    if bits >> 63 == 0 { bits | 1 << 63 } else { !bits }
}

impl Order {
    fn compare(&self, a: &(Key, i64), b: &(Key, i64)) -> Ordering {
        let by_key = a.0.cmp(&b.0);
        (if self.descending { by_key.reverse() } else { by_key }).then(a.1.cmp(&b.1))
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
    Ok(window(store, &snapshot, &view, query, &mut viewer.lists)?)
}

fn window(store: &Store, snapshot: &Connection, view: &View, query: &DataQuery, lists: &mut Vec<(String, Vec<i64>)>) -> Result<DataPage, StoreError> {
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
        let ids = view.ids(store, snapshot)?;
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
        page.records.extend(statement.query_row([id], |row| record(row, table, &view.columns)).optional()?);
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
