//! What an integration may do, as pure functions over its [`PermissionSet`].
//!
//! An action is granted globally, for every application and data source; an entity is granted in full, with all four actions. What an
//! integration may do is the union: a grant never takes another away. (Apporetum, "Global Permissions" and "Entity Level Permissions".)

use crate::model::{Action, Entity, EntityKind, Finding, PermissionSet, Reason, Severity, Verdict};
use crate::words::clean;
use crate::{problem, t};
use std::collections::BTreeSet;

/// The action's name for people, as the source document has it.
#[must_use]
pub fn action_name(action: Action) -> &'static str {
    match action {
        Action::AppRoleRead => t!("permission.action.app_role_read"),
        Action::CsvAppUserUpload => t!("permission.action.csv_app_user_upload"),
        Action::UpdateDataSourceUsers => t!("permission.action.update_data_source_users"),
        Action::AppMembershipWrite => t!("permission.action.app_membership_write"),
    }
}

/// What the action lets an integration do where it is granted: a whole sentence.
#[must_use]
pub fn action_meaning(action: Action) -> &'static str {
    match action {
        Action::AppRoleRead => t!("permission.meaning.app_role_read"),
        Action::CsvAppUserUpload => t!("permission.meaning.csv_app_user_upload"),
        Action::UpdateDataSourceUsers => t!("permission.meaning.update_data_source_users"),
        Action::AppMembershipWrite => t!("permission.meaning.app_membership_write"),
    }
}

/// Grants an action on every application and data source. The order is that of [`Action::ALL`], so that equal grants are equal sets.
#[must_use]
pub fn grant_action(set: &PermissionSet, action: Action) -> PermissionSet {
    let mut set = set.clone();
    set.global.push(action);
    set.global.sort_unstable();
    set.global.dedup();
    set
}

#[must_use]
pub fn revoke_action(set: &PermissionSet, action: Action) -> PermissionSet {
    let mut set = set.clone();
    set.global.retain(|granted| *granted != action);
    set
}

/// Grants all four actions on an entity.
#[must_use]
pub fn grant_entity(set: &PermissionSet, entity: &Entity) -> PermissionSet {
    let mut set = set.clone();
    set.known.retain(|known| !same(known, entity));
    if !holds(&set.granted, entity) {
        set.granted.push(entity.clone());
    }
    set
}

/// Takes an entity's grant back; it stays in the matrix.
#[must_use]
pub fn revoke_entity(set: &PermissionSet, entity: &Entity) -> PermissionSet {
    let mut set = set.clone();
    if let Some(at) = set.granted.iter().position(|granted| same(granted, entity)) {
        let entity = set.granted.remove(at);
        if !holds(&set.known, &entity) {
            set.known.push(entity);
        }
    }
    set
}

/// Makes an entity known, without granting it.
#[must_use]
pub fn add_entity(set: &PermissionSet, entity: &Entity) -> PermissionSet {
    let mut set = set.clone();
    if !holds(&set.granted, entity) && !holds(&set.known, entity) {
        set.known.push(entity.clone());
    }
    set
}

/// Names of applications are compared without case, as the inventory compares them.
fn same(a: &Entity, b: &Entity) -> bool {
    a.kind == b.kind && a.name.to_lowercase() == b.name.to_lowercase()
}

fn holds(list: &[Entity], entity: &Entity) -> bool {
    list.iter().any(|known| same(known, entity))
}

/// Why an action is allowed on an entity; with `entity` none, on all of them.
#[must_use]
pub fn reason(set: &PermissionSet, action: Action, entity: Option<&Entity>) -> Reason {
    match (set.global.contains(&action), entity.is_some_and(|entity| holds(&set.granted, entity))) {
        (true, true) => Reason::Both,
        (true, false) => Reason::Global,
        (false, true) => Reason::Entity,
        (false, false) => Reason::None,
    }
}

/// Answers for one action on one entity.
#[must_use]
pub fn check(set: &PermissionSet, action: Action, entity: &Entity) -> Verdict {
    let reason = reason(set, action, Some(entity));
    let (action, entity) = (action_name(action), clean::line(&entity.name, 100));
    let explanation = match reason {
        Reason::None => t!("permission.verdict.none", action = action, entity = entity),
        Reason::Global => t!("permission.verdict.global", action = action, entity = entity),
        Reason::Entity => t!("permission.verdict.entity", action = action, entity = entity),
        Reason::Both => t!("permission.verdict.both", action = action, entity = entity),
    };
    Verdict { allowed: reason != Reason::None, reason, explanation }
}

/// The entities of the matrix, applications first, each kind by name: those granted, those known, and `found` elsewhere.
#[must_use]
pub fn entities(set: &PermissionSet, found: &[Entity]) -> Vec<Entity> {
    let mut seen = BTreeSet::new();
    let mut all: Vec<Entity> =
        set.granted.iter().chain(&set.known).chain(found).filter(|entity| seen.insert((entity.kind, entity.name.to_lowercase()))).cloned().collect();
    all.sort_by_cached_key(|entity| (entity.kind, entity.name.to_lowercase()));
    all
}

/// Warnings and hints: least privilege. `needed` are the actions that the integration makes use of.
#[must_use]
pub fn advise(set: &PermissionSet, needed: &[Action]) -> Vec<Finding> {
    let finding = |severity, problem| Finding { severity, place: "permissions".to_owned(), problem };
    let mut findings = Vec::new();
    for action in &set.global {
        let name = action_name(*action);
        let problem = if needed.contains(action) {
            problem!(Usage, "permission.global", action = name)
        } else {
            problem!(Usage, "permission.global_unneeded", action = name)
        };
        findings.push(finding(Severity::Warning, problem));
    }
    let all_globally = Action::ALL.iter().all(|action| set.global.contains(action));
    for entity in &set.granted {
        let name = clean::line(&entity.name, 100);
        if all_globally {
            findings.push(finding(Severity::Hint, problem!(Usage, "permission.redundant", entity = name)));
        } else if needed.is_empty() {
            let problem = match entity.kind {
                EntityKind::Application => problem!(Usage, "permission.application_unneeded", entity = name),
                EntityKind::DataSource => problem!(Usage, "permission.data_source_unneeded", entity = name),
            };
            findings.push(finding(Severity::Hint, problem));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn app(name: &str) -> Entity {
        Entity { kind: EntityKind::Application, name: name.to_owned() }
    }

    fn source(name: &str) -> Entity {
        Entity { kind: EntityKind::DataSource, name: name.to_owned() }
    }

    /// The example of the source document.
    #[test]
    fn grants_add_up() {
        let mut set = PermissionSet::default();
        for action in [Action::CsvAppUserUpload, Action::AppRoleRead] {
            set = grant_action(&set, action);
        }
        set = grant_entity(&grant_entity(&set, &app("Advanced Targeting")), &source("Entra ID"));
        for (action, entity, expected) in [
            (Action::AppRoleRead, app("Advanced Targeting"), Reason::Both),
            (Action::AppMembershipWrite, app("advanced targeting"), Reason::Entity),
            (Action::UpdateDataSourceUsers, source("Entra ID"), Reason::Entity),
            (Action::CsvAppUserUpload, app("Other"), Reason::Global),
            (Action::AppMembershipWrite, app("Other"), Reason::None),
            // An application and a data source of one name are two.
            (Action::AppMembershipWrite, app("Entra ID"), Reason::None),
        ] {
            let verdict = check(&set, action, &entity);
            assert_eq!((verdict.reason, verdict.allowed), (expected, expected != Reason::None), "{action:?} {entity:?}");
            assert!(verdict.explanation.contains(&entity.name) && verdict.explanation.ends_with('.'));
        }
        assert_eq!(set.global, [Action::AppRoleRead, Action::CsvAppUserUpload]);
    }

    #[test]
    fn a_revoked_entity_stays_in_the_matrix() {
        let set = grant_entity(&PermissionSet::default(), &app("B"));
        let set = revoke_entity(&set, &app("b"));
        assert_eq!((set.granted.len(), set.known.clone()), (0, vec![app("B")]));
        let found = [source("x"), app("a"), app("B")];
        assert_eq!(entities(&set, &found), [app("a"), app("B"), source("x")]);
        assert_eq!(add_entity(&set, &app("B")), set);
        assert_eq!(grant_entity(&set, &app("B")).known, []);
    }

    #[test]
    fn advice() {
        let mut set = grant_action(&PermissionSet::default(), Action::AppRoleRead);
        set = grant_action(&set, Action::AppMembershipWrite);
        set = grant_entity(&set, &app("A"));
        let severities = |needed: &[Action]| advise(&set, needed).iter().map(|finding| finding.severity).collect::<Vec<_>>();
        assert_eq!(severities(&[Action::AppRoleRead]), [Severity::Warning, Severity::Warning]);
        assert_eq!(severities(&[]), [Severity::Warning, Severity::Warning, Severity::Hint]);
        assert_ne!(advise(&set, &[Action::AppRoleRead])[0].problem, advise(&set, &[])[0].problem);
        for action in Action::ALL {
            set = grant_action(&set, action);
        }
        assert_eq!(advise(&set, &Action::ALL).iter().filter(|finding| finding.severity == Severity::Hint).count(), 1);
        assert_eq!(advise(&PermissionSet::default(), &[]), []);
    }

    proptest! {
        #[test]
        fn granting_and_revoking_undo_each_other(actions in proptest::collection::vec(0usize..4, 0..6), names in proptest::collection::vec("[a-c]", 0..4), name in "[a-d]", action in 0usize..4) {
            let mut set = PermissionSet::default();
            for action in actions {
                set = grant_action(&set, Action::ALL[action]);
            }
            for name in &names {
                set = grant_entity(&set, &app(name));
            }
            let action = Action::ALL[action];
            if !set.global.contains(&action) {
                prop_assert_eq!(revoke_action(&grant_action(&set, action), action), set.clone());
            }
            // A grant never takes anything away.
            let more = grant_entity(&set, &app(&name));
            for action in Action::ALL {
                for entity in ["a", "b", "c", "d"] {
                    prop_assert!(check(&more, action, &app(entity)).allowed >= check(&set, action, &app(entity)).allowed);
                }
                prop_assert!(check(&more, action, &app(&name)).allowed);
            }
        }
    }
}
