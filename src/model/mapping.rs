//! For each destination field, where its value comes from.

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FieldMapping {
    /// Key of the destination field.
    pub field: String,
    pub from: Mapped,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mapped {
    /// A path in the source record: `profile.email`, `emails[type=work].value`.
    Path(String),
    /// The same value for every record.
    Constant(String),
    /// A minijinja expression over the source record's fields: `email | lower`, `first ~ ' ' ~ last`.
    Expression(String),
    /// Tracking: the name of the credential (`Connect: Credentials`).
    CredentialName,
    /// Tracking: when the run started (`Connector: Sync Time`).
    SyncTime,
}

/// A value in the inventory or in a preview.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    Null,
    Boolean(bool),
    Integer(i64),
    Number(f64),
    Text(String),
}

impl Value {
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }
}

impl std::fmt::Display for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Null => Ok(()),
            Self::Boolean(value) => value.fmt(f),
            Self::Integer(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

/// A proposal for one destination field.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Suggestion {
    pub field: String,
    pub from: Mapped,
    /// 0 to 100.
    pub score: u8,
    /// Why: a whole sentence.
    pub reason: String,
}

/// One destination field of one previewed record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreviewCell {
    pub field: String,
    /// What the source record holds there, as text; empty when it holds nothing.
    pub sample: String,
    /// What would be stored.
    pub result: Value,
    /// What is stored now, where the record exists.
    pub stored: Option<Value>,
    pub error: Option<String>,
}

/// What a run would do with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    Created,
    Updated,
    Unchanged,
    Deactivated,
    Reactivated,
    Skipped,
    Filtered,
    Failed,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreviewRecord {
    /// 1-based place in the sample.
    pub number: u64,
    /// The source record as the vendor sent it, for the source side of the editor.
    pub source: serde_json::Value,
    pub cells: Vec<PreviewCell>,
    pub fate: Fate,
}

/// A field found in sampled records.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SampledField {
    pub path: String,
    pub label: String,
    #[serde(rename = "type")]
    pub kind: super::FieldType,
    /// Up to a few values, as text.
    pub samples: Vec<String>,
    /// How many of the sampled records have it.
    pub present: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preview {
    pub fields: Vec<SampledField>,
    pub records: Vec<PreviewRecord>,
    /// Records at the vendor, where it tells.
    pub total: Option<u64>,
}
