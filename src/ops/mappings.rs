//! Field mappings: what there is to map, from what, and what comes out.

use super::{Result, Workspace, integrations};
use crate::mapping::{self, Compiled, Fault, Spec, preview, sampled};
use crate::model::{
    DestinationField, FieldType, Format, Integration, IntegrationKind, Mapped, Preview, PreviewRecord, Problem, Resource, Sink, Suggestion, Table,
    Time,
};
use crate::store::fields::{Added, MOST};
use crate::words::clean;
use crate::{auth, problem, t, vendor};

/// Real records of the source, fetched once for the editor.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sample {
    pub records: Vec<serde_json::Value>,
    /// Records at the vendor, where it tells.
    pub total: Option<u64>,
}

/// Longest label of a custom field, in characters.
const LABEL: usize = 60;

/// Fetches up to `limit` records from the vendor (or the file).
pub async fn sample(ws: &Workspace, integration: &Integration, limit: usize, sink: &Sink) -> Result<Sample> {
    let (connector, resource) = integrations::source(ws, integration)?;
    let credential = integrations::credential(ws, integration)?;
    integrations::readable(&connector, &resource, &credential)?;
    let (client, context) = auth::connect(ws.store()?, ws.vault(), ws.catalog(), &credential)?;
    let client = (resource.format != Format::File).then_some(client);
    let (records, total) = vendor::source::sample(connector, &resource, &context, client, limit, sink).await?;
    Ok(Sample { records, total })
}

/// The fields of an inventory table, built-in ones first.
pub fn destination_fields(ws: &Workspace, table: Table) -> Result<Vec<DestinationField>> {
    Ok(ws.store()?.fields(table)?)
}

/// Everything that an integration's mappings can fill: the fields of its table and, for user plus SaaS user, those of the SaaS user record
/// under `saas.KEY`. These follow from the former and need a mapping only where another value is wanted; none of them is mandatory here.
pub fn fields(ws: &Workspace, integration: &Integration) -> Result<Vec<DestinationField>> {
    let tables = integrations::tables(integration.kind);
    let mut all = destination_fields(ws, tables[0])?;
    if let Some(table) = tables.get(1) {
        all.extend(destination_fields(ws, *table)?.into_iter().map(|field| DestinationField {
            key: format!("{}{}", mapping::compile::SAAS, field.key),
            label: t!("mapping.saas_label", field = field.label),
            mandatory: false,
            ..field
        }));
    }
    Ok(all)
}

/// Adds a custom field; its key is `custom_` and the label in lower case.
pub fn add_field(ws: &Workspace, table: Table, label: &str, kind: FieldType) -> Result<DestinationField> {
    let label = checked_label(label)?;
    added(ws.store()?.add_field(table, &label, kind)?, table, &label)
}

/// Changes the label of a custom field; its key and its values stay.
pub fn rename_field(ws: &Workspace, table: Table, key: &str, label: &str) -> Result<DestinationField> {
    let label = checked_label(label)?;
    match ws.store()?.rename_field(table, key, &label)? {
        Added::Unknown if destination_fields(ws, table)?.iter().any(|field| field.key == key) => {
            Err(problem!(Usage, "mapping.built_in", field = clean::line(key, 60)))
        }
        outcome => added(outcome, table, key),
    }
}

fn checked_label(label: &str) -> Result<String> {
    let label = label.trim();
    if label.is_empty() {
        return Err(problem!(Usage, "mapping.no_label"));
    }
    if label.chars().count() > LABEL || !clean::is_clean(label) {
        return Err(problem!(Usage, "mapping.bad_label", label = clean::line(label, LABEL), n = LABEL));
    }
    Ok(label.to_owned())
}

fn added(outcome: Added, table: Table, name: &str) -> Result<DestinationField> {
    let name = clean::line(name, LABEL);
    match outcome {
        Added::Field(field) => Ok(field),
        Added::Taken => Err(problem!(Usage, "mapping.label_taken", label = name, table = table.key())),
        Added::Full => Err(problem!(Usage, "mapping.table_full", table = table.key(), n = MOST)),
        Added::Unknown => Err(problem!(Usage, "mapping.no_field", field = name, table = table.key())),
    }
}

/// Makes the two custom fields that track which credential brought a record and when (`Connect: Credentials`, `Connector: Sync Time`), where
/// they are not there yet, and maps them. Returns both.
pub fn add_tracking_fields(ws: &Workspace, integration: &mut Integration) -> Result<Vec<DestinationField>> {
    let table = integrations::tables(integration.kind)[0];
    let wanted = [
        (t!("mapping.tracking.credentials"), FieldType::Text, Mapped::CredentialName),
        (t!("mapping.tracking.sync_time"), FieldType::Time, Mapped::SyncTime),
    ];
    let mut fields = Vec::new();
    for (label, kind, from) in wanted {
        let known =
            destination_fields(ws, table)?.into_iter().find(|field| field.custom && mapping::suggest::tracking(&field.label).as_ref() == Some(&from));
        let field = match known {
            Some(field) => field,
            None => add_field(ws, table, label, kind)?,
        };
        set(ws, integration, &field.key, from)?;
        fields.push(field);
    }
    Ok(fields)
}

/// The mappings as a run executes them.
///
/// The problem is the first of all faults; [`integrations::validate`] has them all.
pub fn compile(ws: &Workspace, integration: &Integration, sync_time: Time) -> Result<Compiled> {
    let (_, resource) = integrations::source(ws, integration)?;
    let credential = integrations::credential(ws, integration).map(|credential| credential.name).unwrap_or_default();
    compiled(ws, integration, Some(&resource), &credential, sync_time)?.map_err(first)
}

fn first(mut faults: Vec<Fault>) -> Problem {
    // There is at least one: that is why it did not compile.
    faults.swap_remove(0).problem
}

/// As [`compile`], with every fault, and whether or not the source is there.
pub(super) fn compiled(
    ws: &Workspace,
    integration: &Integration,
    resource: Option<&Resource>,
    credential: &str,
    sync_time: Time,
) -> Result<std::result::Result<Compiled, Vec<Fault>>> {
    let tables = integrations::tables(integration.kind);
    let fields = destination_fields(ws, tables[0])?;
    let saas_fields = tables.get(1).map(|table| destination_fields(ws, *table)).transpose()?;
    Ok(mapping::compile(&Spec {
        mappings: &integration.mappings,
        fields: &fields,
        saas_fields: saas_fields.as_deref(),
        filter: integration.filter.as_deref(),
        active: resource.and_then(|resource| resource.active.as_ref()),
        credential,
        sync_time,
    }))
}

/// What the sampled records hold, and what they would become with these mappings. Quick: no network. A mapping that does not compile is
/// left out here: [`check`] and `validate` say what is wrong with it.
pub fn preview(ws: &Workspace, integration: &Integration, sample: &Sample) -> Result<Preview> {
    let resource = integrations::source(ws, integration).ok().map(|(_, resource)| resource);
    let declared = resource.as_ref().map_or(&[][..], |resource| &resource.fields);
    let fields = sampled::fields(declared, &sample.records);
    let credential = integrations::credential(ws, integration).map(|credential| credential.name).unwrap_or_default();
    let now = Time::now();
    let (compiled, faults) = match compiled(ws, integration, resource.as_ref(), &credential, now)? {
        Ok(compiled) => (Some(compiled), Vec::new()),
        Err(faults) => {
            let wrong = |place: &str| faults.iter().any(|fault| fault.place == place);
            let mut rest = integration.clone();
            rest.mappings.retain(|mapping| !wrong(&format!("mapping.{}", mapping.field)));
            if wrong("filter") {
                rest.filter = None;
            }
            (compiled(ws, &rest, resource.as_ref().filter(|_| !wrong("resource")), &credential, now)?.ok(), faults)
        }
    };
    let store = ws.store()?;
    let table = integrations::tables(integration.kind)[0];
    let mut records = Vec::with_capacity(sample.records.len());
    for (number, source) in (1..).zip(&sample.records) {
        let mut record = match &compiled {
            Some(compiled) => preview::record(compiled, integration, (number, source), |key| store.inventory_find(table, key))?,
            None => PreviewRecord { number, source: source.clone(), cells: Vec::new(), fate: crate::model::Fate::Failed },
        };
        for fault in &faults {
            record.fate = crate::model::Fate::Failed;
            if let Some(field) = fault.place.strip_prefix("mapping.") {
                record.cells.push(crate::model::PreviewCell {
                    field: field.to_owned(),
                    sample: String::new(),
                    result: crate::model::Value::Null,
                    stored: None,
                    error: Some(fault.problem.why.clone()),
                });
            }
        }
        records.push(record);
    }
    Ok(Preview { fields, records, total: sample.total })
}

/// Proposals for the unmapped fields, by name, type and sampled values; best first, at most one a field.
pub fn suggest(ws: &Workspace, integration: &Integration, sample: &Sample) -> Result<Vec<Suggestion>> {
    let resource = integrations::source(ws, integration).ok().map(|(_, resource)| resource);
    let declared = resource.as_ref().map_or(&[][..], |resource| &resource.fields);
    let source = sampled::fields(declared, &sample.records);
    let tables = integrations::tables(integration.kind);
    let fields = destination_fields(ws, tables[0])?;
    let mut all = mapping::suggest::suggest(&fields, &integration.mappings, &source);
    // SaaS users have two fields that no People field answers for.
    if integration.kind == IntegrationKind::UserAndSaasUser {
        let mut fields = destination_fields(ws, Table::SaasUsers)?;
        fields.retain(|field| field.key == "role" || field.custom);
        for field in &mut fields {
            field.label = t!("mapping.saas_label", field = field.label);
        }
        let mapped: Vec<_> = integration
            .mappings
            .iter()
            .filter_map(|m| {
                Some(crate::model::FieldMapping { field: m.field.strip_prefix(mapping::compile::SAAS)?.to_owned(), from: m.from.clone() })
            })
            .collect();
        for mut suggestion in mapping::suggest::suggest(&fields, &mapped, &source) {
            suggestion.field = format!("{}{}", mapping::compile::SAAS, suggestion.field);
            all.push(suggestion);
        }
        all.sort_by_key(|suggestion| std::cmp::Reverse(suggestion.score));
    }
    Ok(all)
}

/// Sets one mapping (replacing the field's former one) after checking that it compiles and that there is such a field.
pub fn set(ws: &Workspace, integration: &mut Integration, field: &str, from: Mapped) -> Result<()> {
    check(&from)?;
    let tables = integrations::tables(integration.kind);
    let (table, key) = match (field.strip_prefix(mapping::compile::SAAS), tables.get(1)) {
        (Some(key), Some(table)) => (*table, key),
        _ => (tables[0], field),
    };
    if destination_fields(ws, table)?.iter().all(|known| known.key != key) {
        return Err(problem!(Usage, "mapping.no_field", field = clean::line(key, LABEL), table = table.key()));
    }
    match integration.mappings.iter_mut().find(|mapping| mapping.field == field) {
        Some(mapping) => mapping.from = from,
        None => integration.mappings.push(crate::model::FieldMapping { field: field.to_owned(), from }),
    }
    Ok(())
}

pub fn unset(integration: &mut Integration, field: &str) {
    integration.mappings.retain(|mapping| mapping.field != field);
}

/// Whether a mapping compiles: the problem says where and what.
pub fn check(from: &Mapped) -> Result<()> {
    mapping::compile::check(from)
}

/// Whether a filter compiles.
pub fn check_filter(expression: &str) -> Result<()> {
    mapping::compile::check_filter(expression)
}

/// Reads a mapping as people write it: `=constant`, `{{ expression }}`, `@credential`, `@sync-time`, otherwise a path. The inverse of
/// [`written`].
#[must_use]
pub fn parse(text: &str) -> Mapped {
    let text = text.trim();
    if let Some(constant) = text.strip_prefix('=') {
        Mapped::Constant(constant.to_owned())
    } else if let Some(inner) = text.strip_prefix("{{") {
        // Without its end it is still meant as an expression, and told to be a wrong one.
        Mapped::Expression(inner.strip_suffix("}}").unwrap_or(inner).trim().to_owned())
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
