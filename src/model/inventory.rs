//! The built-in destination: People, SaaS users, Hardware, Software, Applications.

use super::{FieldType, Time, Value};
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Table {
    People,
    SaasUsers,
    Hardware,
    Software,
    Applications,
}

impl Table {
    pub const ALL: [Self; 5] = [Self::People, Self::SaasUsers, Self::Hardware, Self::Software, Self::Applications];

    /// The name in commands and in the database.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::People => "people",
            Self::SaasUsers => "saas-users",
            Self::Hardware => "hardware",
            Self::Software => "software",
            Self::Applications => "applications",
        }
    }

    /// Its built-in fields, in their order: key and type.
    #[must_use]
    pub fn built_in(self) -> &'static [(&'static str, FieldType)] {
        match self {
            Self::People => &[
                ("email", FieldType::Email),
                ("full_name", FieldType::Text),
                ("user_type", FieldType::Text),
                ("username", FieldType::Text),
                ("first_name", FieldType::Text),
                ("last_name", FieldType::Text),
                ("position", FieldType::Text),
                ("department", FieldType::Text),
                ("manager", FieldType::Text),
                ("phone", FieldType::Text),
                ("locale", FieldType::Text),
                ("time_zone", FieldType::Text),
                ("external_id", FieldType::Text),
                ("verified", FieldType::Boolean),
                ("verified_time", FieldType::Time),
                ("last_login", FieldType::Time),
                ("employee_number", FieldType::Text),
                ("location", FieldType::Text),
            ],
            Self::SaasUsers => &[
                ("user_name", FieldType::Text),
                ("email", FieldType::Email),
                ("full_name", FieldType::Text),
                ("external_id", FieldType::Text),
                ("role", FieldType::Text),
                ("last_activity", FieldType::Time),
                ("verified", FieldType::Boolean),
            ],
            Self::Hardware => &[
                ("serial_number", FieldType::Text),
                ("name", FieldType::Text),
                ("model", FieldType::Text),
                ("manufacturer", FieldType::Text),
                ("type", FieldType::Text),
                ("os", FieldType::Text),
                ("assigned_to", FieldType::Text),
                ("last_seen", FieldType::Time),
                ("location", FieldType::Text),
            ],
            Self::Software => &[
                ("name", FieldType::Text),
                ("version", FieldType::Text),
                ("publisher", FieldType::Text),
                ("installed_on", FieldType::Text),
                ("category", FieldType::Text),
            ],
            Self::Applications => &[
                ("name", FieldType::Text),
                ("vendor", FieldType::Text),
                ("category", FieldType::Text),
                ("owner", FieldType::Text),
                ("url", FieldType::Text),
            ],
        }
    }
}

/// A field of an inventory table.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DestinationField {
    /// `email`; custom ones start with `custom_`.
    pub key: String,
    pub label: String,
    #[serde(rename = "type")]
    pub kind: FieldType,
    pub mandatory: bool,
    pub custom: bool,
}

/// One record of the inventory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub id: i64,
    /// The sync key value, for `TABLE:KEY` addresses.
    pub key: String,
    pub active: bool,
    /// Id of the integration that brought it.
    pub integration: String,
    /// Id of the run that last changed it.
    pub run: String,
    pub created: Time,
    pub changed: Time,
    pub values: IndexMap<String, Value>,
}

/// Which records, in which order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DataQuery {
    /// Free text that any shown field contains, ignoring case.
    pub search: String,
    /// A condition such as `active = true and locale = "en-US"`.
    pub where_: Option<String>,
    /// For SaaS users: the application's name.
    pub application: Option<String>,
    pub sort: Option<Sort>,
    pub offset: u64,
    /// At most this many; 0 means none, only the count.
    pub limit: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sort {
    pub field: String,
    pub descending: bool,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DataPage {
    /// Records that match, in all.
    pub total: u64,
    pub offset: u64,
    pub records: Vec<Record>,
}
