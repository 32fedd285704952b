//! The mapping wizard: each field with a real record in view.

use super::{Session, pick};
use crate::model::{Integration, labels};
use crate::ops::{Result, integrations, mappings};
use crate::prompt::{ask, say};
use crate::t;
use crate::words::clean;

/// Records that are looked at.
const SAMPLE: usize = 25;

/// Suggestions first, then field by field until the person goes back. Every change is saved.
pub fn walk(session: &Session, id: &str) -> Result<()> {
    let ws = &session.ws;
    session.unlock()?;
    say::remark(t!("plain.mapping.sampling"));
    let integration = integrations::get(ws, id)?;
    let sample = session.wait(async |sink| mappings::sample(ws, &integration, SAMPLE, &sink).await)?;
    suggest(session, integration, &sample)?;
    let mut number = 0;
    loop {
        let mut integration = integrations::get(ws, id)?;
        let preview = mappings::preview(ws, &integration, &sample)?;
        let record = preview.records.get(number);
        let fields = mappings::fields(ws, &integration)?;
        let mut items: Vec<String> = Vec::with_capacity(fields.len() + 1);
        for field in &fields {
            let from = integration.mappings.iter().find(|mapping| mapping.field == field.key).map(|mapping| mappings::written(&mapping.from));
            let cell = record.and_then(|record| record.cells.iter().find(|cell| cell.field == field.key));
            items.push(match (from, cell) {
                (Some(from), Some(cell)) => match &cell.error {
                    Some(error) => t!("plain.mapping.wrong", field = field.label, from = from, reason = error),
                    None => t!("plain.mapping.mapped", field = field.label, from = from, value = cell.result),
                },
                (Some(from), None) => t!("plain.mapping.from", field = field.label, from = from),
                (None, _) if field.mandatory => t!("plain.mapping.missing", field = field.label),
                (None, _) => t!("plain.mapping.unmapped", field = field.label),
            });
        }
        items.push(t!("plain.mapping.next_record").to_owned());
        if let Some(record) = record {
            say::remark(&t!("plain.mapping.record", n = record.number, of = preview.records.len(), fate = labels::fate(record.fate)));
        }
        let Some(at) = pick::one(t!("plain.mapping.which"), &items)? else { break };
        if at == fields.len() {
            number = (number + 1) % preview.records.len().max(1);
            continue;
        }
        let field = &fields[at];
        for source in preview.fields.iter().take(60) {
            let example = source.samples.first().map(String::as_str).unwrap_or_default();
            say::remark(&t!("plain.pair", name = clean::line(&source.path, 100), value = clean::line(example, 100)));
        }
        let now = integration.mappings.iter().find(|mapping| mapping.field == field.key).map(|mapping| mappings::written(&mapping.from));
        let wanted = pick::text(t!("plain.mapping.source"), now.as_deref().unwrap_or_default())?;
        match wanted.as_str() {
            "" => continue,
            "-" => mappings::unset(&mut integration, &field.key),
            spec => {
                if let Err(problem) = mappings::set(ws, &mut integration, &field.key, mappings::parse(spec)) {
                    say::failure(&problem);
                    continue;
                }
            }
        }
        integrations::save(ws, &integration)?;
    }
    let integration = integrations::get(ws, id)?;
    pick::findings(&integrations::validate(ws, &integration)?);
    Ok(())
}

fn suggest(session: &Session, mut integration: Integration, sample: &mappings::Sample) -> Result<()> {
    let open: Vec<_> = mappings::suggest(&session.ws, &integration, sample)?
        .into_iter()
        .filter(|one| integration.mappings.iter().all(|mapping| mapping.field != one.field || mapping.from != one.from))
        .collect();
    if open.is_empty() {
        return Ok(());
    }
    for one in &open {
        say::remark(&t!("plain.mapping.suggestion", field = one.field, from = mappings::written(&one.from), reason = clean::line(&one.reason, 200)));
    }
    if ask::yes(&t!("plain.mapping.take", n = open.len()))? {
        for one in open {
            mappings::set(&session.ws, &mut integration, &one.field, one.from)?;
        }
        integrations::save(&session.ws, &integration)?;
    }
    Ok(())
}
