//! The fields of the inventory's tables: the built-in ones, known to the program, and custom ones, kept in the table `fields` and as a column
//! of their own.

use rusqlite::{OptionalExtension as _, Transaction, params};

use super::inventory::{quoted, sql_name};
use super::{Store, StoreError};
use crate::model::{DestinationField, FieldType, Table};
use crate::t;

/// Custom fields of one table, at most: each is a column (SQLite has room for 2000).
pub const MOST: usize = 200;

/// What became of a custom field that was to be added or renamed.
#[derive(Debug, Clone, PartialEq)]
pub enum Added {
    Field(DestinationField),
    /// Another field of the table has that label.
    Taken,
    /// The table has as many custom fields as it can hold.
    Full,
    /// There is no custom field of that key.
    Unknown,
}

fn mandatory(table: Table, key: &str) -> bool {
    match table {
        Table::People => matches!(key, "email" | "full_name" | "user_type"),
        Table::SaasUsers => key == "user_name",
        Table::Hardware => matches!(key, "serial_number" | "name"),
        Table::Software | Table::Applications => key == "name",
    }
}

fn label(table: Table, key: &str) -> &'static str {
    match (table, key) {
        (Table::People, "username") | (Table::SaasUsers, "user_name") => t!("field.user_name"),
        (Table::People | Table::SaasUsers, "full_name") => t!("field.full_name"),
        (_, "email") => t!("field.email"),
        (_, "user_type") => t!("field.user_type"),
        (_, "first_name") => t!("field.first_name"),
        (_, "last_name") => t!("field.last_name"),
        (_, "position") => t!("field.position"),
        (_, "department") => t!("field.department"),
        (_, "manager") => t!("field.manager"),
        (_, "phone") => t!("field.phone"),
        (_, "locale") => t!("field.locale"),
        (_, "time_zone") => t!("field.time_zone"),
        (_, "external_id") => t!("field.external_id"),
        (_, "verified") => t!("field.verified"),
        (_, "verified_time") => t!("field.verified_time"),
        (_, "last_login") => t!("field.last_login"),
        (_, "employee_number") => t!("field.employee_number"),
        (_, "location") => t!("field.location"),
        (_, "role") => t!("field.role"),
        (_, "last_activity") => t!("field.last_activity"),
        (_, "serial_number") => t!("field.serial_number"),
        (_, "name") => t!("field.name"),
        (_, "model") => t!("field.model"),
        (_, "manufacturer") => t!("field.manufacturer"),
        (_, "type") => t!("field.type"),
        (_, "os") => t!("field.os"),
        (_, "assigned_to") => t!("field.assigned_to"),
        (_, "last_seen") => t!("field.last_seen"),
        (_, "version") => t!("field.version"),
        (_, "publisher") => t!("field.publisher"),
        (_, "installed_on") => t!("field.installed_on"),
        (_, "category") => t!("field.category"),
        (_, "vendor") => t!("field.vendor"),
        (_, "owner") => t!("field.owner"),
        (_, "url") => t!("field.url"),
        // Every built-in field has a label; the test below goes through them.
        _ => "",
    }
}

fn built_in_fields(table: Table) -> impl Iterator<Item = DestinationField> {
    table.built_in().iter().map(move |(key, kind)| DestinationField {
        key: (*key).to_owned(),
        label: label(table, key).to_owned(),
        kind: *kind,
        mandatory: mandatory(table, key),
        custom: false,
    })
}

impl Store {
    /// The fields of a table, built-in ones first, custom ones in the order in which they were added.
    pub fn fields(&self, table: Table) -> Result<Vec<DestinationField>, StoreError> {
        self.read(|connection| fields(connection, table))
    }

    /// Adds a custom field and its column. The label is taken as it is.
    pub fn add_field(&self, table: Table, label: &str, kind: FieldType) -> Result<Added, StoreError> {
        self.write(|tx| {
            let known = fields(tx, table)?;
            if known.iter().any(|field| same_label(&field.label, label)) {
                return Ok(Added::Taken);
            }
            let custom = known.iter().filter(|field| field.custom).count();
            if custom >= MOST {
                return Ok(Added::Full);
            }
            let base = format!("custom_{}", slug(label));
            let free = |key: &String| known.iter().all(|field| field.key != *key);
            let key = std::iter::once(base.clone()).chain((2..).map(|n| format!("{base}_{n}"))).find(free).unwrap_or(base);
            let field = DestinationField { key, label: label.to_owned(), kind, mandatory: false, custom: true };
            insert(tx, table, &field, custom)?;
            Ok(Added::Field(field))
        })
    }

    /// Changes the label of a custom field.
    pub fn rename_field(&self, table: Table, key: &str, label: &str) -> Result<Added, StoreError> {
        self.write(|tx| {
            let known = fields(tx, table)?;
            let Some(field) = known.iter().find(|field| field.custom && field.key == key) else { return Ok(Added::Unknown) };
            if known.iter().any(|other| other.key != key && same_label(&other.label, label)) {
                return Ok(Added::Taken);
            }
            tx.execute("update fields set label = ?3 where tbl = ?1 and key = ?2", params![table.key(), key, label])?;
            Ok(Added::Field(DestinationField { label: label.to_owned(), ..field.clone() }))
        })
    }
}

fn insert(tx: &Transaction<'_>, table: Table, field: &DestinationField, position: usize) -> Result<(), StoreError> {
    let kind = serde_json::to_value(field.kind)?;
    tx.execute(
        "insert into fields (tbl, key, label, type, mandatory, custom, position) values (?1, ?2, ?3, ?4, 0, 1, ?5)",
        params![table.key(), field.key, field.label, kind.as_str(), i64::try_from(position).unwrap_or(i64::MAX)],
    )?;
    let column = match field.kind {
        FieldType::Boolean => "boolean",
        FieldType::Integer => "integer",
        FieldType::Number => "real",
        FieldType::Text | FieldType::Time | FieldType::Email => "text",
    };
    let name = sql_name(table);
    // The column stays when a database is brought back to a backup of `fields` alone.
    let there: Option<i64> =
        tx.query_row("select 1 from pragma_table_info(?1) where name = ?2 collate nocase", [name, &field.key], |row| row.get(0)).optional()?;
    if there.is_none() {
        tx.execute_batch(&format!("alter table {name} add column {} {column}", quoted(&field.key)))?;
    }
    Ok(())
}

fn fields(connection: &rusqlite::Connection, table: Table) -> Result<Vec<DestinationField>, StoreError> {
    let mut all: Vec<DestinationField> = built_in_fields(table).collect();
    let mut statement = connection.prepare_cached("select key, label, type from fields where tbl = ? and custom = 1 order by position, key")?;
    let mut rows = statement.query([table.key()])?;
    while let Some(row) = rows.next()? {
        let kind: String = row.get(2)?;
        all.push(DestinationField {
            key: row.get(0)?,
            label: row.get(1)?,
            kind: serde_json::from_value(kind.into())?,
            mandatory: false,
            custom: true,
        });
    }
    Ok(all)
}

fn same_label(a: &str, b: &str) -> bool {
    a.trim().to_lowercase() == b.trim().to_lowercase()
}

/// Lower-case ASCII letters and digits, everything else one underscore: what a condition can name without quotation marks.
fn slug(label: &str) -> String {
    let mut out = String::new();
    for c in label.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(c.to_ascii_lowercase());
        } else if !out.is_empty() && !out.ends_with('_') {
            out.push('_');
        }
        if out.len() >= 40 {
            break;
        }
    }
    let out = out.trim_end_matches('_');
    if out.is_empty() { "field".to_owned() } else { out.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_field_has_a_label_of_its_own() {
        for table in Table::ALL {
            let fields: Vec<_> = built_in_fields(table).collect();
            let labels: std::collections::HashSet<&str> = fields.iter().map(|field| field.label.as_str()).collect();
            assert_eq!(labels.len(), fields.len(), "{table:?}");
            assert!(!labels.contains(""), "{table:?}");
            assert!(fields.iter().any(|field| field.mandatory), "{table:?}");
        }
    }

    #[test]
    fn custom_fields_become_columns() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        let add = |label: &str, kind| store.add_field(Table::People, label, kind).unwrap();
        let Added::Field(first) = add("Connect: Credentials", FieldType::Text) else { panic!() };
        assert_eq!((first.key.as_str(), first.custom), ("custom_connect_credentials", true));
        let Added::Field(second) = add("Connect Credentials", FieldType::Boolean) else { panic!() };
        assert_eq!(second.key, "custom_connect_credentials_2");
        assert_eq!(add("connect: credentials", FieldType::Text), Added::Taken);
        assert_eq!(add("EMAIL", FieldType::Text), Added::Taken);
        let Added::Field(third) = add("日本 \" ; drop", FieldType::Number) else { panic!() };
        assert_eq!(third.key, "custom_drop");
        store.write(|tx| Ok(tx.execute("insert into people (_key, _active, _integration, _run, _created, _changed, custom_connect_credentials_2) values ('a', 1, '', '', 0, 0, 1)", [])?)).unwrap();
        let renamed = store.rename_field(Table::People, &first.key, "Source").unwrap();
        assert_eq!(renamed, Added::Field(DestinationField { label: "Source".into(), ..first.clone() }));
        assert_eq!(store.rename_field(Table::People, &first.key, "connect credentials").unwrap(), Added::Taken);
        assert_eq!(store.rename_field(Table::People, "email", "Mail").unwrap(), Added::Unknown);
        let again = Store::open(dir.path()).unwrap();
        let custom: Vec<_> =
            again.fields(Table::People).unwrap().into_iter().filter(|field| field.custom).map(|field| (field.label, field.kind)).collect();
        assert_eq!(
            custom,
            [("Source".into(), FieldType::Text), ("Connect Credentials".into(), FieldType::Boolean), ("日本 \" ; drop".into(), FieldType::Number)]
        );
        assert!(again.fields(Table::Hardware).unwrap().iter().all(|field| !field.custom));
    }

    #[test]
    fn a_table_fills_up() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path()).unwrap();
        for n in 0..MOST {
            assert!(matches!(store.add_field(Table::Software, &format!("Field {n}"), FieldType::Text).unwrap(), Added::Field(_)));
        }
        assert_eq!(store.add_field(Table::Software, "One more", FieldType::Text).unwrap(), Added::Full);
    }
}
