//! Field mappings: what there is to map, from what, and what comes out.

use super::{Result, Workspace};
use crate::model::{DestinationField, FieldType, Integration, Mapped, Preview, Sink, Suggestion, Table};

/// Real records of the source, fetched once for the editor.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    pub records: Vec<serde_json::Value>,
    /// Records at the vendor, where it tells.
    pub total: Option<u64>,
}

/// Fetches up to `limit` records from the vendor (or the file).
pub async fn sample(ws: &Workspace, integration: &Integration, limit: usize, sink: &Sink) -> Result<Sample> {
    let _ = (ws, integration, limit, sink);
    todo!()
}

/// The fields of an inventory table, built-in ones first.
pub fn destination_fields(ws: &Workspace, table: Table) -> Result<Vec<DestinationField>> {
    let _ = (ws, table);
    todo!()
}

/// Adds a custom field; its key is `custom_` and the label in lower case.
pub fn add_field(ws: &Workspace, table: Table, label: &str, kind: FieldType) -> Result<DestinationField> {
    let _ = (ws, table, label, kind);
    todo!()
}

/// Changes the label of a custom field; its key and its values stay.
pub fn rename_field(ws: &Workspace, table: Table, key: &str, label: &str) -> Result<DestinationField> {
    let _ = (ws, table, key, label);
    todo!()
}

/// What the sampled records hold, and what they would become with these mappings. Quick: no network.
pub fn preview(ws: &Workspace, integration: &Integration, sample: &Sample) -> Result<Preview> {
    let _ = (ws, integration, sample);
    todo!()
}

/// Proposals for the unmapped fields, by name, type and sampled values; best first, at most one a field.
pub fn suggest(ws: &Workspace, integration: &Integration, sample: &Sample) -> Result<Vec<Suggestion>> {
    let _ = (ws, integration, sample);
    todo!()
}

/// Sets one mapping (replacing the field's former one) after checking that it compiles.
pub fn set(ws: &Workspace, integration: &mut Integration, field: &str, from: Mapped) -> Result<()> {
    let _ = (ws, integration, field, from);
    todo!()
}

pub fn unset(integration: &mut Integration, field: &str) {
    integration.mappings.retain(|mapping| mapping.field != field);
}

/// Whether a mapping compiles: the problem says where and what.
pub fn check(from: &Mapped) -> Result<()> {
    let _ = from;
    todo!()
}

/// Whether a filter compiles.
pub fn check_filter(expression: &str) -> Result<()> {
    let _ = expression;
    todo!()
}

/// Reads a mapping as people write it: `=constant`, `{{ expression }}`, `@credential`, `@sync-time`, otherwise a path. The inverse of
/// [`written`].
#[must_use]
pub fn parse(text: &str) -> Mapped {
    let text = text.trim();
    if let Some(constant) = text.strip_prefix('=') {
        Mapped::Constant(constant.to_owned())
    } else if let Some(inner) = text.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}")) {
        Mapped::Expression(inner.trim().to_owned())
    } else if text == "@credential" {
        Mapped::CredentialName
    } else if text == "@sync-time" {
        Mapped::SyncTime
    } else {
        Mapped::Path(text.to_owned())
    }
}

/// A mapping as people write it.
#[must_use]
pub fn written(from: &Mapped) -> String {
    match from {
        Mapped::Path(path) => path.clone(),
        Mapped::Constant(text) => format!("={text}"),
        Mapped::Expression(text) => format!("{{{{ {text} }}}}"),
        Mapped::CredentialName => "@credential".to_owned(),
        Mapped::SyncTime => "@sync-time".to_owned(),
    }
}
