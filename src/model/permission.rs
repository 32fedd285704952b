//! What an integration may do: four actions granted globally, entities granted in full; the effect is the union, never less.
//! (Apporetum: "Global Permissions", "Entity Level Permissions".)

use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// App & Role Read.
    AppRoleRead,
    /// CSV App User Upload.
    CsvAppUserUpload,
    /// Update Data Source Users.
    UpdateDataSourceUsers,
    /// App Membership Write: grant, extend, renew, delete.
    AppMembershipWrite,
}

impl Action {
    pub const ALL: [Self; 4] = [Self::AppRoleRead, Self::CsvAppUserUpload, Self::UpdateDataSourceUsers, Self::AppMembershipWrite];

    /// The name in commands and files.
    #[must_use]
    pub fn key(self) -> &'static str {
        match self {
            Self::AppRoleRead => "app_role_read",
            Self::CsvAppUserUpload => "csv_app_user_upload",
            Self::UpdateDataSourceUsers => "update_data_source_users",
            Self::AppMembershipWrite => "app_membership_write",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntityKind {
    Application,
    DataSource,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Entity {
    pub kind: EntityKind,
    pub name: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PermissionSet {
    /// Actions allowed on every application and data source.
    #[serde(default)]
    pub global: Vec<Action>,
    /// Entities on which all four actions are allowed.
    #[serde(default)]
    pub granted: Vec<Entity>,
    /// Entities that are known (shown in the matrix) but not granted.
    #[serde(default)]
    pub known: Vec<Entity>,
}

/// Why an action is allowed on an entity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    None,
    Global,
    Entity,
    Both,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    pub allowed: bool,
    pub reason: Reason,
    /// A whole sentence for people.
    pub explanation: String,
}
