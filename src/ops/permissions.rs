//! What an integration may do.

use super::{Result, Workspace};
use crate::model::{Action, Entity, Finding, Integration, Reason, Verdict};

/// One line of the matrix: an entity, and for each action why it is allowed.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct MatrixRow {
    /// `None` is the line "All", the global grants.
    pub entity: Option<Entity>,
    /// In the order of [`Action::ALL`].
    pub cells: [Reason; 4],
}

/// The line "All" first, then applications, then data sources: those granted, those known, those of the inventory.
pub fn matrix(ws: &Workspace, integration: &Integration) -> Result<Vec<MatrixRow>> {
    let _ = (ws, integration);
    todo!()
}

/// Grants an action globally (`entity` none), or all four on an entity (`action` none). Granting one action on one entity is not
/// possible, and the problem says so.
pub fn grant(integration: &mut Integration, action: Option<Action>, entity: Option<Entity>) -> Result<()> {
    let _ = (integration, action, entity);
    todo!()
}

pub fn revoke(integration: &mut Integration, action: Option<Action>, entity: Option<Entity>) -> Result<()> {
    let _ = (integration, action, entity);
    todo!()
}

/// Adds an entity to the matrix without granting it.
pub fn add_entity(integration: &mut Integration, entity: Entity) -> Result<()> {
    let _ = (integration, entity);
    todo!()
}

#[must_use]
pub fn check(integration: &Integration, action: Action, entity: &Entity) -> Verdict {
    let _ = (integration, action, entity);
    todo!()
}

/// Warnings: global grants, grants that nothing needs.
#[must_use]
pub fn advise(integration: &Integration) -> Vec<Finding> {
    let _ = integration;
    todo!()
}
