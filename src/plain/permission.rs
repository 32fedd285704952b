//! The permission wizard: what an integration may do, entity by entity.

use super::{Session, pick};
use crate::model::{Action, Entity, EntityKind, Reason, labels};
use crate::ops::{Result, integrations, permissions};
use crate::prompt::{ask, say};
use crate::t;
use crate::words::clean;

pub fn walk(session: &Session, id: &str) -> Result<()> {
    let ws = &session.ws;
    loop {
        let mut integration = integrations::get(ws, id)?;
        let matrix = permissions::matrix(ws, &integration)?;
        let mut items: Vec<String> = matrix
            .iter()
            .map(|row| {
                let allowed: Vec<String> = Action::ALL
                    .iter()
                    .zip(row.cells)
                    .filter(|(_, reason)| *reason != Reason::None)
                    .map(|(action, reason)| {
                        t!("plain.permission.allowed", action = permissions::action_name(*action), reason = labels::reason(reason))
                    })
                    .collect();
                let allowed = if allowed.is_empty() { t!("plain.permission.nothing").to_owned() } else { allowed.join("; ") };
                t!("plain.pair", name = entity_name(row.entity.as_ref()), value = allowed)
            })
            .collect();
        items.push(t!("plain.permission.add_application").to_owned());
        items.push(t!("plain.permission.add_data_source").to_owned());
        let Some(at) = pick::one(t!("plain.permission.which"), &items)? else { break };
        if let Some(row) = matrix.get(at) {
            match &row.entity {
                // Entities are granted in full, actions for everything.
                Some(entity) => {
                    toggle(&mut integration, None, Some(entity.clone()), row.cells.contains(&Reason::Entity) || row.cells.contains(&Reason::Both))?
                }
                None => {
                    let names = Action::ALL.map(|action| permissions::action_meaning(action).to_owned());
                    let Some(chosen) = pick::one(t!("plain.permission.action"), &names)? else { continue };
                    toggle(&mut integration, Some(Action::ALL[chosen]), None, row.cells[chosen] != Reason::None)?;
                }
            }
        } else {
            let kind = if at == matrix.len() { EntityKind::Application } else { EntityKind::DataSource };
            let name = ask::text(t!("plain.permission.name"), None)?;
            if name.is_empty() {
                continue;
            }
            permissions::add_entity(&mut integration, Entity { kind, name })?;
        }
        integrations::save(ws, &integration)?;
    }
    let advice = permissions::advise(&integrations::get(ws, id)?);
    pick::findings(&advice);
    if advice.is_empty() {
        say::remark(t!("cli.permission.no_advice"));
    }
    Ok(())
}

fn toggle(integration: &mut crate::model::Integration, action: Option<Action>, entity: Option<Entity>, granted: bool) -> Result<()> {
    if granted { permissions::revoke(integration, action, entity) } else { permissions::grant(integration, action, entity) }
}

fn entity_name(entity: Option<&Entity>) -> String {
    match entity {
        None => t!("cli.permission.all").to_owned(),
        Some(Entity { kind: EntityKind::Application, name }) => t!("cli.permission.named_application", name = clean::line(name, 120)),
        Some(Entity { kind: EntityKind::DataSource, name }) => t!("cli.permission.named_data_source", name = clean::line(name, 120)),
    }
}
