//! The integration wizard, and what can be done with integrations.

use super::{Session, browse, mapping, permission, pick};
use crate::model::{Every, Installation, Integration, Preference, RunOptions, Schedule, labels};
use crate::ops::integrations::{self, kinds};
use crate::ops::runs;
use crate::ops::{Result, connectors, credentials, mappings};
use crate::prompt::{ask, say};
use crate::t;
use crate::words::clean;

/// A new integration, from its name to its launch.
pub fn draft(session: &Session) -> Result<()> {
    let ws = &session.ws;
    if credentials::list(ws)?.is_empty() {
        say::remark(t!("plain.integration.no_credential"));
        return Ok(());
    }
    let name = ask::text(t!("plain.integration.name"), None)?;
    if name.is_empty() {
        return Ok(());
    }
    let integration = integrations::new(ws, &name)?;
    if let Some(saved) = details(session, integration)? {
        mapping::walk(session, &saved.id)?;
        one(session, &saved.id)?;
    }
    Ok(())
}

/// Source, kind, preferences, schedule, contacts; `None` when it was left before it had a source.
fn details(session: &Session, mut integration: Integration) -> Result<Option<Integration>> {
    let ws = &session.ws;
    let all = credentials::list(ws)?;
    let named: Vec<String> =
        all.iter().map(|one| if one.id == integration.credential { t!("plain.now", text = one.name) } else { one.name.clone() }).collect();
    let chosen = pick::one(t!("plain.integration.credential"), &named)?;
    let credential = match chosen {
        Some(at) => &all[at],
        None => match all.iter().find(|one| one.id == integration.credential) {
            Some(now) => now,
            None => {
                integrations::delete(ws, &integration.id)?;
                say::remark(t!("plain.integration.left"));
                return Ok(None);
            }
        },
    };
    let connector = connectors::get(ws, &credential.connector)?;
    let resource = match connector.resources.as_slice() {
        [] | [_] => None,
        many => {
            let names: Vec<String> = many.iter().map(|resource| resource.name.clone()).collect();
            pick::one(t!("plain.integration.resource"), &names)?.map(|at| many[at].id.clone())
        }
    };
    if chosen.is_some() || resource.is_some() {
        integrations::set_source(ws, &mut integration, &credential.id, resource.as_deref())?;
    }
    let offered = connector.resource(&integration.resource).map_or(&[][..], |resource| kinds(resource.kind));
    if offered.len() > 1 {
        let kind = pick::value(t!("plain.integration.kind"), offered, |kind| labels::kind(kind).to_owned(), integration.kind)?;
        integrations::set_kind(ws, &mut integration, kind)?;
    }
    let application = pick::text(t!("plain.integration.application"), integration.saas_application.as_deref().unwrap_or_default())?;
    integration.saas_application = Some(application).filter(|name| !name.is_empty());
    let preferences = [Preference::CreateAndUpdate, Preference::CreateOnly, Preference::UpdateOnly];
    integration.preference =
        pick::value(t!("plain.integration.preference"), &preferences, |one| labels::preference(one).to_owned(), integration.preference)?;
    integration.deactivate = ask::yes(t!("plain.integration.deactivate"))?;
    integration.installation = pick::value(
        t!("plain.integration.installation"),
        &[Installation::Local, Installation::Cloud],
        |one| labels::installation(one).to_owned(),
        integration.installation,
    )?;
    integration.schedule = schedule(&integration.schedule)?;
    let contacts = pick::text(t!("plain.integration.contacts"), &integration.contacts.join(", "))?;
    integration.contacts = contacts.split([',', ';', ' ']).map(str::trim).filter(|contact| !contact.is_empty()).map(str::to_owned).collect();
    let saved = integrations::save(ws, &integration)?;
    pick::findings(&integrations::validate(ws, &saved)?);
    Ok(Some(saved))
}

fn schedule(now: &Schedule) -> Result<Schedule> {
    let mut ways = vec![Every::Manual, Every::Minutes(15), Every::Hours(1), Every::Hours(4), Every::Daily, Every::Weekly];
    if !ways.contains(&now.every) {
        ways.push(now.every);
    }
    let name = |every| labels::schedule(&Schedule { every, ..now.clone() });
    let mut wanted = now.clone();
    wanted.every = pick::value(t!("plain.integration.schedule"), &ways, name, now.every)?;
    if matches!(wanted.every, Every::Daily | Every::Weekly) {
        loop {
            wanted.at = pick::text(t!("plain.integration.at"), &wanted.at)?;
            if integrations::time_of_day(&wanted.at).is_some() {
                break;
            }
            say::remark(t!("plain.integration.bad_time"));
        }
        loop {
            wanted.time_zone = pick::text(t!("plain.integration.zone"), &wanted.time_zone)?;
            if integrations::time_zone(&wanted.time_zone).is_some() {
                break;
            }
            say::remark(t!("plain.integration.bad_zone"));
        }
    }
    Ok(wanted)
}

pub fn browse(session: &Session) -> Result<()> {
    let ws = &session.ws;
    loop {
        let all = integrations::list(ws)?;
        if all.is_empty() {
            say::remark(t!("cli.integration.none"));
            return Ok(());
        }
        let row = |one: &Integration| t!("plain.integration.row", name = one.name, state = labels::integration_state(one.state));
        let Some(at) = pick::one(t!("plain.integration.which"), &all.iter().map(row).collect::<Vec<_>>())? else { return Ok(()) };
        one(session, &all[at].id)?;
    }
}

/// One integration and what can be done with it, until the person goes back.
fn one(session: &Session, id: &str) -> Result<()> {
    let ws = &session.ws;
    loop {
        let integration = integrations::get(ws, id)?;
        read_out(session, &integration)?;
        let ways = [
            t!("plain.integration.edit"),
            t!("plain.integration.map"),
            t!("plain.integration.permit"),
            t!("plain.integration.check"),
            t!("plain.integration.rehearse"),
            t!("plain.integration.launch"),
            t!("plain.integration.run"),
            t!("plain.integration.pause"),
            t!("plain.integration.export"),
            t!("plain.integration.delete"),
        ];
        let Some(way) = pick::one(t!("plain.what"), &ways.map(str::to_owned))? else { return Ok(()) };
        let done = match way {
            0 => details(session, integration).map(|_| ()),
            1 => mapping::walk(session, id),
            2 => permission::walk(session, id),
            3 => integrations::validate(ws, &integration).map(|found| {
                pick::findings(&found);
                if found.is_empty() {
                    say::remark(t!("cli.integration.sound"));
                }
            }),
            4 => run(session, id, true),
            5 => launch(session, &integration),
            6 => run(session, id, false),
            7 => integrations::pause(ws, id).map(|paused| say::remark(&t!("cli.integration.paused", name = clean::line(&paused.name, 120)))),
            8 => integrations::export(ws, id).map(|text| say::remark(&text)),
            _ => {
                if ask::yes(&t!("cli.confirm.delete_integration", name = clean::line(&integration.name, 120)))? {
                    integrations::delete(ws, id)?;
                    say::remark(&t!("cli.deleted", name = clean::line(&integration.name, 120)));
                    return Ok(());
                }
                Ok(())
            }
        };
        // What fails here leaves the person where he is.
        match done {
            Err(problem) if ask::has_ended(&problem) => return Err(problem),
            Err(problem) => say::failure(&problem),
            Ok(()) => {}
        }
    }
}

fn read_out(session: &Session, integration: &Integration) -> Result<()> {
    say::remark("");
    say::remark(&t!("plain.integration.row", name = clean::line(&integration.name, 120), state = labels::integration_state(integration.state)));
    let credential = credentials::get(&session.ws, &integration.credential).map_or_else(|_| integration.credential.clone(), |one| one.name);
    let mapped = integration.mappings.len();
    let fields = mappings::fields(&session.ws, integration)?.len();
    for (name, value) in [
        (t!("cli.column.credential"), credential),
        (t!("cli.column.kind"), labels::kind(integration.kind).to_owned()),
        (t!("cli.column.preference"), labels::preference(integration.preference).to_owned()),
        (t!("cli.column.schedule"), labels::schedule(&integration.schedule)),
        (t!("cli.column.mappings"), t!("plain.integration.mapped", n = mapped, all = fields)),
    ] {
        say::remark(&t!("plain.pair", name = name, value = clean::line(&value, 200)));
    }
    Ok(())
}

fn launch(session: &Session, integration: &Integration) -> Result<()> {
    if !ask::yes(&t!("plain.integration.confirm_launch", name = clean::line(&integration.name, 120)))? {
        return Ok(());
    }
    session.unlock()?;
    let launched = session.wait(async |sink| integrations::launch(&session.ws, &integration.id, &sink).await)?;
    say::remark(&t!("cli.integration.launched", name = clean::line(&launched.name, 120)));
    Ok(())
}

fn run(session: &Session, id: &str, dry_run: bool) -> Result<()> {
    session.unlock()?;
    say::remark(t!("plain.run.started"));
    let options = RunOptions { dry_run, ..RunOptions::default() };
    let run = session.wait(async |sink| runs::start(&session.ws, id, &options, &sink).await)?;
    browse::run(session, &run)
}
