//! The rows of the editor: the destination's fields, what must be filled first.

use crate::model::{DestinationField, FieldMapping, FieldType, Integration, IntegrationKind, Mapped};
use crate::tui::ui::list::Listed;
use crate::tui::wizard::words::SAAS;

/// A line of the list.
#[derive(Debug, Clone, PartialEq)]
pub enum Row {
    /// Begins the fields of SaaS users.
    Heading(String),
    Field(FieldRow),
}

#[derive(Debug, Clone, PartialEq)]
pub struct FieldRow {
    /// As mappings name it: with the prefix `saas.` for a SaaS user's field.
    pub key: String,
    pub label: String,
    pub kind: FieldType,
    pub mandatory: bool,
    pub custom: bool,
    pub saas: bool,
    /// Part of the sync key.
    pub syncs: bool,
}

impl FieldRow {
    /// Without the prefix: as the table names it.
    #[must_use]
    pub fn column(&self) -> &str {
        self.key.strip_prefix(SAAS).unwrap_or(&self.key)
    }
}

impl Listed for Row {
    fn id(&self) -> String {
        match self {
            Self::Heading(_) => "#saas".to_owned(),
            Self::Field(field) => field.key.clone(),
        }
    }

    fn text(&self) -> String {
        match self {
            Self::Heading(_) => String::new(),
            Self::Field(field) => format!("{} {}", field.label, field.key),
        }
    }
}

/// The rows of an integration: sync key, mandatory fields, the others in their order; then those of SaaS users.
#[must_use]
pub fn rows(integration: &Integration, fields: &[DestinationField], saas: &[DestinationField]) -> Vec<Row> {
    let row = |field: &DestinationField, of_saas: bool| FieldRow {
        key: if of_saas { format!("{SAAS}{}", field.key) } else { field.key.clone() },
        label: field.label.clone(),
        kind: field.kind,
        mandatory: field.mandatory,
        custom: field.custom,
        saas: of_saas,
        syncs: !of_saas && integration.sync_key.contains(&field.key),
    };
    let mut first: Vec<FieldRow> = fields.iter().map(|field| row(field, false)).collect();
    first.sort_by_key(|field| (!field.syncs, !field.mandatory));
    let mut rows: Vec<Row> = first.into_iter().map(Row::Field).collect();
    if integration.kind == IntegrationKind::UserAndSaasUser && !saas.is_empty() {
        let application = integration.saas_application.as_deref().unwrap_or_default();
        rows.push(Row::Heading(crate::t!("tui.mapping.saas_heading", application = crate::words::clean::line(application, 60))));
        rows.extend(saas.iter().map(|field| Row::Field(row(field, true))));
    }
    rows
}

/// The mapping of a field.
#[must_use]
pub fn mapped<'i>(integration: &'i Integration, key: &str) -> Option<&'i Mapped> {
    integration.mappings.iter().find(|mapping| mapping.field == key).map(|mapping| &mapping.from)
}

/// The field of People whose mapping also fills this field of SaaS users, unless it has one of its own.
#[must_use]
pub fn follows<'i>(integration: &'i Integration, field: &FieldRow) -> Option<&'i str> {
    if !field.saas {
        return None;
    }
    // As the compiler of mappings has it: the field of the same name, and two that are called otherwise.
    let from: &[&str] = match field.column() {
        "user_name" => &["username", "email"],
        "last_activity" => &["last_login"],
        column => &[column],
    };
    from.iter().find_map(|key| integration.mappings.iter().find(|mapping| mapping.field == *key)).map(|mapping| mapping.field.as_str())
}

/// Sets, replaces or takes away a mapping; the place of the others stays.
pub fn set(mappings: &mut Vec<FieldMapping>, key: &str, from: Option<Mapped>) {
    match (mappings.iter_mut().find(|mapping| mapping.field == key), from) {
        (Some(mapping), Some(from)) => mapping.from = from,
        (None, Some(from)) => mappings.push(FieldMapping { field: key.to_owned(), from }),
        (_, None) => mappings.retain(|mapping| mapping.field != key),
    }
}
