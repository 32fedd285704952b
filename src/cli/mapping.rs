//! `intertie mapping`: where each destination field's value comes from.

use clap::Subcommand;
use serde_json::json;

use super::output::{self, Table as Rows, Tone, cell};
use super::{Context, args, labels};
use crate::model::{FieldType, Integration, Table};
use crate::ops::mappings::Sample;
use crate::ops::{Result, integrations, mappings};
use crate::words::clean;
use crate::{problem, t};

/// Records fetched for a suggestion or preview.
const SAMPLE: usize = 25;

#[derive(Subcommand)]
pub enum Mapping {
    #[command(about = t!("cli.mapping.show"))]
    Show {
        #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
        integration: String,
    },
    #[command(about = t!("cli.mapping.suggest"))]
    Suggest {
        #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
        integration: String,
        #[arg(long, help = t!("cli.mapping.apply"))]
        apply: bool,
    },
    #[command(about = t!("cli.mapping.preview"))]
    Preview {
        #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
        integration: String,
        #[arg(long, value_name = "N", default_value_t = 1, help = t!("cli.mapping.record"))]
        record: u64,
    },
    #[command(about = t!("cli.mapping.set"), after_help = t!("cli.mapping.after"))]
    Set {
        #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
        integration: String,
        #[arg(value_name = "FIELD=SPEC", required = true, value_parser = args::pair, help = t!("cli.mapping.spec"))]
        mappings: Vec<(String, String)>,
    },
    #[command(about = t!("cli.mapping.unset"))]
    Unset {
        #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
        integration: String,
        #[arg(value_name = "FIELD", required = true, help = t!("cli.mapping.field"))]
        fields: Vec<String>,
    },
    #[command(about = t!("cli.mapping.track"))]
    Track {
        #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
        integration: String,
    },
    #[command(about = t!("cli.mapping.add_field"))]
    AddField {
        #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
        integration: String,
        #[arg(value_name = "LABEL", help = t!("cli.mapping.label"))]
        label: String,
        #[arg(long = "type", value_name = "TYPE", default_value = "text", value_parser = args::field_type(), help = t!("cli.mapping.type"))]
        kind: FieldType,
    },
    #[command(about = t!("cli.mapping.rename_field"))]
    RenameField {
        #[arg(value_name = "INTEGRATION", help = t!("cli.arg.integration"))]
        integration: String,
        #[arg(value_name = "FIELD", help = t!("cli.mapping.field"))]
        field: String,
        #[arg(value_name = "LABEL", help = t!("cli.mapping.label"))]
        label: String,
    },
}

pub fn run(context: &Context, command: Mapping) -> Result<u8> {
    let ws = &context.ws;
    match command {
        Mapping::Show { integration } => show(context, &integrations::get(ws, &integration)?)?,
        Mapping::Suggest { integration, apply } => suggest(context, integrations::get(ws, &integration)?, apply)?,
        Mapping::Preview { integration, record } => preview(context, &integrations::get(ws, &integration)?, record)?,
        Mapping::Set { integration, mappings } => {
            let mut integration = integrations::get(ws, &integration)?;
            for (field, spec) in mappings {
                mappings::set(ws, &mut integration, &field, mappings::parse(&spec))?;
            }
            show(context, &integrations::save(ws, &integration)?)?;
        }
        Mapping::Unset { integration, fields } => {
            let mut integration = integrations::get(ws, &integration)?;
            for field in &fields {
                if !integration.mappings.iter().any(|mapping| mapping.field == *field) {
                    return Err(problem!(Usage, "cli.mapping.not_mapped", field = clean::line(field, 80)));
                }
                mappings::unset(&mut integration, field);
            }
            show(context, &integrations::save(ws, &integration)?)?;
        }
        Mapping::Track { integration } => {
            let mut integration = integrations::get(ws, &integration)?;
            mappings::add_tracking_fields(ws, &mut integration)?;
            show(context, &integrations::save(ws, &integration)?)?;
        }
        Mapping::AddField { integration, label, kind } => {
            let field = mappings::add_field(ws, table(&integrations::get(ws, &integration)?), &label, kind)?;
            context.print(&field, |field| output::line(&t!("cli.mapping.added", key = field.key, label = clean::line(&field.label, 80))))?;
        }
        Mapping::RenameField { integration, field, label } => {
            let field = mappings::rename_field(ws, table(&integrations::get(ws, &integration)?), &field, &label)?;
            context.print(&field, |field| output::line(&t!("cli.mapping.renamed", key = field.key, label = clean::line(&field.label, 80))))?;
        }
    }
    Ok(0)
}

/// The table whose fields the mappings of this integration fill.
fn table(integration: &Integration) -> Table {
    integrations::tables(integration.kind).first().copied().unwrap_or(Table::People)
}

fn show(context: &Context, integration: &Integration) -> Result<()> {
    let fields = mappings::fields(&context.ws, integration)?;
    let from = |key: &str| integration.mappings.iter().find(|mapping| mapping.field == key).map(|mapping| mappings::written(&mapping.from));
    let rows: Vec<_> = fields
        .iter()
        .map(|field| {
            json!({
                "field": field.key, "label": field.label, "type": field.kind, "mandatory": field.mandatory, "custom": field.custom,
                "sync_key": integration.sync_key.contains(&field.key), "from": from(&field.key),
            })
        })
        .collect();
    context.print(&rows, |_| {
        let mut out =
            Rows::new(&[t!("cli.column.field"), t!("cli.column.label"), t!("cli.column.type"), t!("cli.column.needed"), t!("cli.column.from")]);
        for field in &fields {
            let from = from(&field.key);
            let needed = match (integration.sync_key.contains(&field.key), field.mandatory) {
                (true, _) => t!("cli.mapping.key"),
                (_, true) => t!("cli.mapping.mandatory"),
                _ => "",
            };
            let missing = if field.mandatory { t!("cli.mapping.missing") } else { "–" };
            let tone = if from.is_some() {
                Tone::Plain
            } else if field.mandatory {
                Tone::Bad
            } else {
                Tone::Dim
            };
            out.row(vec![
                cell(&field.key),
                cell(&field.label),
                cell(labels::field_type(field.kind)).tone(Tone::Dim),
                cell(needed),
                cell(from.as_deref().unwrap_or(missing)).tone(tone),
            ]);
        }
        out.print(t!("cli.mapping.no_fields"))
    })
}

fn sampled(context: &Context, integration: &Integration, limit: usize) -> Result<Sample> {
    context.unlock()?;
    context.wait(async |sink| mappings::sample(&context.ws, integration, limit, &sink).await)
}

fn suggest(context: &Context, mut integration: Integration, apply: bool) -> Result<()> {
    let sample = sampled(context, &integration, SAMPLE)?;
    let suggestions = mappings::suggest(&context.ws, &integration, &sample)?;
    if apply {
        for suggestion in &suggestions {
            mappings::set(&context.ws, &mut integration, &suggestion.field, suggestion.from.clone())?;
        }
        integrations::save(&context.ws, &integration)?;
    }
    let rows: Vec<_> = suggestions
        .iter()
        .map(|s| json!({ "field": s.field, "from": mappings::written(&s.from), "score": s.score, "reason": s.reason, "applied": apply }))
        .collect();
    context.print(&rows, |_| {
        let mut out = Rows::new(&[t!("cli.column.field"), t!("cli.column.from"), t!("cli.column.score"), t!("cli.column.reason")]);
        for suggestion in &suggestions {
            out.row(vec![
                cell(&suggestion.field),
                cell(mappings::written(&suggestion.from)),
                cell(suggestion.score.to_string()).right(),
                cell(&suggestion.reason).tone(Tone::Dim),
            ]);
        }
        out.print(t!("cli.mapping.nothing_to_suggest"))?;
        if apply && !suggestions.is_empty() {
            output::remark(&t!("cli.mapping.applied", n = suggestions.len()));
        }
        Ok(())
    })
}

fn preview(context: &Context, integration: &Integration, record: u64) -> Result<()> {
    let limit = usize::try_from(record).unwrap_or(usize::MAX).max(SAMPLE);
    // Everything before the wanted record has to be read, too.
    if record == 0 || limit > 10_000 {
        return Err(problem!(Usage, "cli.mapping.bad_record"));
    }
    let sample = sampled(context, integration, limit)?;
    let preview = mappings::preview(&context.ws, integration, &sample)?;
    let Some(wanted) = preview.records.iter().find(|preview| preview.number == record) else {
        return Err(problem!(Usage, "cli.mapping.no_record", record = record, n = preview.records.len()));
    };
    let document = json!({ "record": wanted, "fields": preview.fields, "sampled": preview.records.len(), "total": preview.total });
    context.print(&document, |_| {
        let mut out = Rows::new(&[t!("cli.column.field"), t!("cli.column.sample"), t!("cli.column.result"), t!("cli.column.stored")]);
        for shown in &wanted.cells {
            let result = match &shown.error {
                Some(error) => cell(error).tone(Tone::Bad),
                None => cell(shown.result.to_string()),
            };
            out.row(vec![
                cell(&shown.field),
                cell(&shown.sample).tone(Tone::Dim),
                result,
                cell(shown.stored.as_ref().map_or_else(|| "–".to_owned(), ToString::to_string)).tone(Tone::Dim),
            ]);
        }
        out.print(t!("cli.mapping.no_fields"))?;
        output::line(&t!("cli.mapping.fate", record = record, fate = labels::fate(wanted.fate).0))
    })
}
