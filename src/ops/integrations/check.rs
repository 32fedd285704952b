//! What is wrong or noteworthy about an integration.

use super::super::{Result, Workspace, mappings, permissions};
use super::{auth_kind, kinds, tables, timing};
use crate::mapping::compile::SAAS;
use crate::mapping::convert::is_email;
use crate::model::{
    AuthKind, CredentialStatus, Every, Finding, Installation, Integration, IntegrationKind, Problem, ProblemKind, Severity, Table, Time, Value,
};
use crate::problem;
use crate::words::clean;

/// Where an integration's records go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Destination {
    /// The workspace's own database.
    Inventory,
    Oomnitza,
}

/// Whether a credential of that kind may be used with that installation. `false` is Oomnitza's own rule: its local installations do not
/// support OAuth (or AWS) authentication. The vault of this host has no such limit.
#[must_use]
pub fn installation_rule(destination: Destination, installation: Installation, kind: AuthKind) -> bool {
    let oauth = match kind {
        AuthKind::OAuth2Code
        | AuthKind::Device
        | AuthKind::ClientCredentials
        | AuthKind::JwtBearer
        | AuthKind::Password
        | AuthKind::OAuth1
        | AuthKind::AwsSigv4 => true,
        AuthKind::SignedJwt | AuthKind::Login | AuthKind::ApiKey | AuthKind::Bearer | AuthKind::Basic | AuthKind::Mtls | AuthKind::None => false,
    };
    !(destination == Destination::Oomnitza && installation == Installation::Local && oauth)
}

/// Bounds of an interval: often enough for anybody, and no busier than a vendor bears; at least once a week.
const MINUTES: std::ops::RangeInclusive<u32> = 5..=1440;
const HOURS: std::ops::RangeInclusive<u32> = 1..=168;

struct Findings(Vec<Finding>);

impl Findings {
    fn add(&mut self, severity: Severity, place: &str, problem: Problem) {
        self.0.push(Finding { severity, place: place.to_owned(), problem });
    }

    fn error(&mut self, place: &str, problem: Problem) {
        self.add(Severity::Error, place, problem);
    }

    fn warning(&mut self, place: &str, problem: Problem) {
        self.add(Severity::Warning, place, problem);
    }

    fn hint(&mut self, place: &str, problem: Problem) {
        self.add(Severity::Hint, place, problem);
    }
}

pub(super) fn validate(ws: &Workspace, integration: &Integration) -> Result<Vec<Finding>> {
    let mut out = Findings(Vec::new());
    name(ws, integration, &mut out)?;
    source(ws, integration, &mut out)?;
    if integration.kind == IntegrationKind::UserAndSaasUser {
        saas_application(ws, integration, &mut out)?;
    }
    mapping(ws, integration, &mut out)?;
    schedule(integration, &mut out);
    contacts(integration, &mut out);
    out.0.extend(permissions::advise(integration));
    out.0.sort_by_key(|finding| match finding.severity {
        Severity::Error => 0,
        Severity::Warning => 1,
        Severity::Hint => 2,
    });
    Ok(out.0)
}

/// Whether a launch finds out by itself whether this still holds: it tests the credential.
pub(super) fn will_be_tested(finding: &Finding) -> bool {
    finding.place == "credential" && finding.problem.kind == ProblemKind::PersonMustAct
}

fn name(ws: &Workspace, integration: &Integration, out: &mut Findings) -> Result<()> {
    let name = integration.name.trim();
    if name.is_empty() {
        out.error("name", problem!(Usage, "integration.no_name"));
    } else if ws.store()?.integration(name)?.is_some_and(|other| other.id != integration.id && other.name.eq_ignore_ascii_case(name)) {
        out.error("name", problem!(Usage, "integration.name_taken", name = clean::line(name, 100)));
    }
    Ok(())
}

fn source(ws: &Workspace, integration: &Integration, out: &mut Findings) -> Result<()> {
    let credential = match super::credential(ws, integration) {
        Ok(credential) => credential,
        Err(problem) => {
            out.error("credential", problem);
            return Ok(());
        }
    };
    let (label, name) = (clean::line(&credential.name, 100), clean::line(&integration.name, 100));
    match credential.status {
        CredentialStatus::Valid => {}
        CredentialStatus::Expiring => out.hint("credential", problem!(PersonMustAct, "integration.credential_expiring", credential = label)),
        CredentialStatus::Untested | CredentialStatus::Unknown => {
            out.hint("credential", problem!(Usage, "integration.credential_untested", credential = label));
        }
        CredentialStatus::Refused => out.error("credential", problem!(PersonMustAct, "integration.credential_refused", credential = label)),
        CredentialStatus::Expired => out.error("credential", problem!(PersonMustAct, "integration.credential_expired", credential = label)),
        CredentialStatus::NeedsConsent => out.error("credential", problem!(PersonMustAct, "integration.credential_consent", credential = label)),
    }
    if credential.connector != integration.connector {
        out.error("credential", problem!(Usage, "integration.other_connector", name = name, credential = label));
        return Ok(());
    }
    let connector = match ws.catalog().get(&integration.connector) {
        Ok(connector) => connector,
        Err(problem) => {
            out.error("credential", problem);
            return Ok(());
        }
    };
    match connector.resource(&integration.resource) {
        None => out.error("resource", super::no_resource(&connector, &integration.resource)),
        Some(resource) if !resource.read_by(&credential.method) => {
            if let Err(problem) = super::readable(&connector, resource, &credential) {
                out.error("resource", problem);
            }
        }
        Some(resource) if kinds(resource.kind).is_empty() => out.error("resource", problem!(Usage, "integration.no_table", resource = resource.name)),
        Some(resource) if !kinds(resource.kind).contains(&integration.kind) => {
            out.error("kind", problem!(Usage, "integration.kind_unfit", resource = resource.name));
        }
        Some(resource) if integration.deactivate && resource.active.is_none() => {
            out.hint("deactivate", problem!(Usage, "integration.absence_only", connector = connector.name));
        }
        Some(_) => {}
    }
    match (auth_kind(&connector, &credential), integration.installation) {
        (None, _) => {
            out.error("credential", problem!(Usage, "integration.method_gone", credential = label, method = clean::line(&credential.method, 60)))
        }
        (Some(_), Installation::Cloud) => out.hint("installation", problem!(Usage, "integration.cloud", credential = label)),
        (Some(kind), installation) => {
            if !installation_rule(Destination::Inventory, installation, kind) {
                out.error("installation", problem!(Usage, "integration.local_refused", credential = label));
            } else if !installation_rule(Destination::Oomnitza, installation, kind) {
                out.hint("installation", problem!(Usage, "integration.local_oauth", credential = label));
            }
        }
    }
    Ok(())
}

fn saas_application(ws: &Workspace, integration: &Integration, out: &mut Findings) -> Result<()> {
    let name = integration.saas_application.as_deref().map(str::trim).unwrap_or_default();
    if name.is_empty() {
        out.error("saas_application", problem!(Usage, "integration.no_application"));
        return Ok(());
    }
    let shown = clean::line(name, 100);
    match ws.store()?.inventory_find(Table::Applications, &[("name", &Value::Text(name.to_owned()))])? {
        None => out.hint("saas_application", problem!(Usage, "integration.application_missing", application = shown)),
        Some(record) if record.integration == integration.id => {
            out.hint("saas_application", problem!(Usage, "integration.application_made", application = shown));
        }
        Some(_) => {}
    }
    Ok(())
}

fn mapping(ws: &Workspace, integration: &Integration, out: &mut Findings) -> Result<()> {
    let resource = super::source(ws, integration).ok().map(|(_, resource)| resource);
    let compiled = mappings::compiled(ws, integration, resource.as_ref(), "", Time::now())?;
    let tables = tables(integration.kind);
    let fields = mappings::destination_fields(ws, tables[0])?;
    let is_mapped = |key: &str| integration.mappings.iter().any(|mapping| mapping.field == key);
    let unmapped = |place: String, label: &str, out: &mut Findings| {
        out.error(&place, problem!(Usage, "integration.unmapped", field = label, name = clean::line(&integration.name, 100)));
    };
    for field in fields.iter().filter(|field| field.mandatory && !is_mapped(&field.key)) {
        unmapped(format!("mapping.{}", field.key), &field.label, out);
    }
    match &compiled {
        Err(faults) => {
            out.0.extend(faults.iter().map(|fault| Finding { severity: Severity::Error, place: fault.place.clone(), problem: fault.problem.clone() }))
        }
        Ok(compiled) => {
            if let Some(table) = tables.get(1) {
                let filled = |key: &str| compiled.saas_columns().iter().any(|column| column.field.key == key);
                // What follows from a mandatory People field is told there.
                for field in mappings::destination_fields(ws, *table)?.iter().filter(|field| field.mandatory && !filled(&field.key)) {
                    unmapped(format!("mapping.{SAAS}{}", field.key), &field.label, out);
                }
            }
        }
    }
    if integration.sync_key.is_empty() {
        out.error("sync_key", problem!(Usage, "integration.no_sync_key"));
    }
    for key in &integration.sync_key {
        match fields.iter().find(|field| field.key == *key) {
            None => out.error("sync_key", problem!(Usage, "mapping.no_field", field = clean::line(key, 60), table = tables[0].key())),
            Some(field) if !is_mapped(key) => out.error("sync_key", problem!(Usage, "integration.sync_key_unmapped", field = field.label)),
            Some(_) => {}
        }
    }
    Ok(())
}

fn schedule(integration: &Integration, out: &mut Findings) {
    let schedule = &integration.schedule;
    match schedule.every {
        Every::Minutes(n) if !MINUTES.contains(&n) => {
            out.error("schedule.every", problem!(Usage, "integration.minutes", n = n, least = MINUTES.start(), most = MINUTES.end()));
        }
        Every::Hours(n) if !HOURS.contains(&n) => {
            out.error("schedule.every", problem!(Usage, "integration.hours", n = n, least = HOURS.start(), most = HOURS.end()));
        }
        Every::Daily | Every::Weekly if timing::time_of_day(&schedule.at).is_none() => {
            out.error("schedule.at", problem!(Usage, "integration.at", at = clean::line(&schedule.at, 30)));
        }
        _ => {}
    }
    if timing::time_zone(&schedule.time_zone).is_none() {
        out.error("schedule.time_zone", problem!(Usage, "integration.time_zone", zone = clean::line(&schedule.time_zone, 60)));
    }
}

fn contacts(integration: &Integration, out: &mut Findings) {
    for contact in &integration.contacts {
        if !is_email(contact.trim()) {
            out.warning("contacts", problem!(Usage, "integration.contact", contact = clean::line(contact, 80)));
        }
    }
    if integration.contacts.is_empty() {
        out.hint("contacts", problem!(Usage, "integration.no_contacts"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rule_of_the_installation() {
        use {AuthKind::*, Destination::*, Installation::*};
        for (destination, installation, kind, allowed) in [
            (Inventory, Local, OAuth2Code, true),
            (Inventory, Cloud, ClientCredentials, true),
            (Oomnitza, Local, OAuth2Code, false),
            (Oomnitza, Local, ClientCredentials, false),
            (Oomnitza, Local, ApiKey, true),
            (Oomnitza, Local, Bearer, true),
            (Oomnitza, Local, Basic, true),
            (Oomnitza, Cloud, OAuth2Code, true),
        ] {
            assert_eq!(installation_rule(destination, installation, kind), allowed, "{destination:?} {installation:?} {kind:?}");
        }
    }
}
