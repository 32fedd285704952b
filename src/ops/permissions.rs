//! What an integration may do.

use super::{Result, Workspace};
use crate::model::{Action, DataQuery, Entity, EntityKind, Finding, Integration, Reason, Table, Value, Verdict};
use crate::permission;
use crate::problem;
use crate::store::inventory;
use crate::words::clean;

/// One line of the matrix: an entity, and for each action why it is allowed.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct MatrixRow {
    /// `None` is the line "All", the global grants.
    pub entity: Option<Entity>,
    /// In the order of [`Action::ALL`].
    pub cells: [Reason; 4],
}

/// Applications of the inventory that are offered, at most: the matrix is read by people.
const APPLICATIONS: u64 = 500;

/// The action's name for people.
#[must_use]
pub fn action_name(action: Action) -> &'static str {
    permission::action_name(action)
}

/// What an action lets an integration do: a whole sentence.
#[must_use]
pub fn action_meaning(action: Action) -> &'static str {
    permission::action_meaning(action)
}

/// The line "All" first, then applications, then data sources: those granted, those known, those of the inventory. The workspace's
/// credentials count as data sources: each leads into one.
pub fn matrix(ws: &Workspace, integration: &Integration) -> Result<Vec<MatrixRow>> {
    let set = &integration.permissions;
    let store = ws.store()?;
    let query = DataQuery { limit: APPLICATIONS, ..DataQuery::default() };
    let page = inventory::query(store, Table::Applications, &query)?;
    let application = |name: String| Entity { kind: EntityKind::Application, name };
    let mut found: Vec<Entity> = page
        .records
        .into_iter()
        .filter_map(|mut record| match record.values.swap_remove("name") {
            Some(Value::Text(name)) => Some(application(name)),
            _ => None,
        })
        .collect();
    found.extend(store.saas_applications()?.into_iter().map(|(name, _)| application(name)));
    found.extend(store.credentials()?.into_iter().map(|credential| Entity { kind: EntityKind::DataSource, name: credential.name }));
    let row = |entity: Option<Entity>| MatrixRow { cells: Action::ALL.map(|action| permission::reason(set, action, entity.as_ref())), entity };
    Ok(std::iter::once(None).chain(permission::entities(set, &found).into_iter().map(Some)).map(row).collect())
}

/// Grants an action globally (`entity` none), or all four on an entity (`action` none). Granting one action on one entity is not
/// possible, and the problem says so.
pub fn grant(integration: &mut Integration, action: Option<Action>, entity: Option<Entity>) -> Result<()> {
    change(integration, action, entity, permission::grant_action, permission::grant_entity)
}

/// Takes a grant back, in the same two ways. Revoking what is not granted changes nothing.
pub fn revoke(integration: &mut Integration, action: Option<Action>, entity: Option<Entity>) -> Result<()> {
    change(integration, action, entity, permission::revoke_action, permission::revoke_entity)
}

fn change(
    integration: &mut Integration,
    action: Option<Action>,
    entity: Option<Entity>,
    by_action: impl Fn(&crate::model::PermissionSet, Action) -> crate::model::PermissionSet,
    by_entity: impl Fn(&crate::model::PermissionSet, &Entity) -> crate::model::PermissionSet,
) -> Result<()> {
    integration.permissions = match (action, entity) {
        (Some(action), None) => by_action(&integration.permissions, action),
        (None, Some(entity)) => by_entity(&integration.permissions, &named(entity)?),
        (Some(action), Some(entity)) => {
            let entity = clean::line(&entity.name, 100);
            return Err(problem!(Usage, "permission.one_on_one", action = permission::action_name(action), entity = entity));
        }
        (None, None) => return Err(problem!(Usage, "permission.nothing_named")),
    };
    Ok(())
}

fn named(entity: Entity) -> Result<Entity> {
    let name = entity.name.trim();
    if name.is_empty() { Err(problem!(Usage, "permission.no_name")) } else { Ok(Entity { kind: entity.kind, name: name.to_owned() }) }
}

/// Adds an entity to the matrix without granting it.
pub fn add_entity(integration: &mut Integration, entity: Entity) -> Result<()> {
    integration.permissions = permission::add_entity(&integration.permissions, &named(entity)?);
    Ok(())
}

#[must_use]
pub fn check(integration: &Integration, action: Action, entity: &Entity) -> Verdict {
    permission::check(&integration.permissions, action, entity)
}

/// Warnings: global grants, grants that nothing needs.
#[must_use]
pub fn advise(integration: &Integration) -> Vec<Finding> {
    permission::advise(&integration.permissions, needed(integration))
}

/// What an integration into the inventory makes use of: one that reads applications reads them, all others touch none.
fn needed(integration: &Integration) -> &'static [Action] {
    match integration.kind {
        crate::model::IntegrationKind::Applications => &[Action::AppRoleRead],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Time;

    #[test]
    fn one_action_on_one_entity_is_refused() {
        let mut integration = Integration::draft("int_a", "A", Vec::new(), Time::UNIX_EPOCH);
        let entity = |name: &str| Entity { kind: EntityKind::Application, name: name.to_owned() };
        let before = integration.clone();
        assert!(grant(&mut integration, Some(Action::AppRoleRead), Some(entity("x"))).unwrap_err().what.contains("App & Role Read"));
        assert!(grant(&mut integration, None, None).is_err() && revoke(&mut integration, None, None).is_err());
        assert!(grant(&mut integration, None, Some(entity("  "))).is_err());
        assert_eq!(integration, before);
        grant(&mut integration, Some(Action::AppRoleRead), None).unwrap();
        grant(&mut integration, None, Some(entity(" Slack "))).unwrap();
        assert_eq!(check(&integration, Action::AppRoleRead, &entity("Slack")).reason, Reason::Both);
        revoke(&mut integration, Some(Action::AppRoleRead), None).unwrap();
        revoke(&mut integration, None, Some(entity("Slack"))).unwrap();
        assert_eq!(check(&integration, Action::AppRoleRead, &entity("Slack")).reason, Reason::None);
        assert_eq!(integration.permissions.known, [entity("Slack")]);
    }
}
