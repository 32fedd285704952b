//! The life of a credential: what ends when, what its tokens say, which scopes it lacks, a new secret, its end.

use std::time::Duration;

use clap::Args;
use serde_json::json;

use super::super::output::{self, Table, Tone, cell};
use super::super::{Context, args, labels};
use super::{outcome_code, parse_day, told};
use crate::model::{Problem, Secret};
use crate::ops::{Result, credentials, scopes, token_view};
use crate::prompt::ask;
use crate::words::clean;
use crate::{problem, t};

/// The new value of a secret, or the way back to the old one.
#[derive(Args)]
pub struct Rotate {
    #[arg(value_name = "NAME", help = t!("cli.arg.credential"))]
    name: String,
    #[arg(long, value_name = "FIELD", help = t!("cli.credential.secret_stdin"))]
    secret_stdin: Option<String>,
    #[arg(long, value_name = "FIELD=REFERENCE", value_parser = args::pair, conflicts_with = "secret_stdin", help = t!("cli.credential.rotate_set"))]
    set: Option<(String, String)>,
    #[arg(long, value_name = "DATE|never", help = t!("cli.credential.secret_expires"))]
    secret_expires: Option<String>,
    #[arg(long, value_name = "FIELD", conflicts_with_all = ["secret_stdin", "set", "secret_expires"], help = t!("cli.credential.rotate_back"))]
    back: Option<String>,
}

fn shown(text: &str) -> String {
    clean::line(text, 120)
}

/// The word for what ends.
fn what(kind: &str) -> &'static str {
    match kind {
        "access_token" => t!("cli.credential.access_token"),
        "refresh_token" => t!("cli.credential.refresh_token"),
        "id_token" => t!("cli.credential.id_token"),
        "certificate" => t!("cli.credential.certificate"),
        "key" => t!("cli.credential.key"),
        _ => t!("cli.credential.secret"),
    }
}

/// From where an end is known.
fn known_from(source: &str) -> &'static str {
    match source {
        "vendor" => t!("cli.credential.from_vendor"),
        "guess" => t!("cli.credential.from_guess"),
        "typed" => t!("cli.credential.from_typed"),
        "token" => t!("cli.credential.from_token"),
        _ => t!("cli.credential.from_lifetime"),
    }
}

pub fn expiring(context: &Context, within: Duration) -> Result<u8> {
    let expiring = credentials::expiring(&context.ws, within)?;
    context.print(&expiring, |expiring| {
        let mut table =
            Table::new(&[t!("cli.column.name"), t!("cli.column.what"), t!("cli.column.expires"), t!("cli.column.at"), t!("cli.column.known_from")]);
        for expiry in expiring {
            table.row(vec![
                cell(&expiry.name),
                cell(what(&expiry.what)),
                cell(output::when(Some(expiry.at))).tone(Tone::Notice),
                cell(expiry.at.to_string()).tone(Tone::Dim),
                cell(known_from(&expiry.known_from)).tone(Tone::Dim),
            ]);
        }
        table.print(t!("cli.credential.nothing_expires"))
    })?;
    Ok(if expiring.is_empty() { 0 } else { 3 })
}

pub fn calendar(context: &Context) -> Result<u8> {
    let rows = credentials::calendar(&context.ws)?;
    context.print(&rows, |rows| {
        let mut table = Table::new(&[
            t!("cli.column.at"),
            t!("cli.column.expires"),
            t!("cli.column.name"),
            t!("cli.column.what"),
            t!("cli.column.known_from"),
            t!("cli.column.renews"),
            t!("cli.column.used_by"),
        ]);
        for row in rows {
            table.row(vec![
                cell(row.at.strftime("%Y-%m-%d %H:%M").to_string()),
                cell(output::when(Some(row.at))).tone(if row.automatic { Tone::Dim } else { Tone::Notice }),
                cell(&row.name),
                cell(what(&row.what)),
                cell(known_from(&row.known_from)).tone(Tone::Dim),
                cell(labels::yes_no(row.automatic)),
                cell(row.used_by.join(", ")).tone(Tone::Dim),
            ]);
        }
        table.print(t!("cli.credential.no_ends"))
    })?;
    Ok(0)
}

/// Exit 3 where an integration lacks a scope.
pub fn scopes(context: &Context, name: &str) -> Result<u8> {
    // A token may name its scopes itself; a locked vault keeps that back, and the rest is still worth showing.
    let report = scopes::report(&context.ws, name)?;
    context.print(&report, |report| {
        let mut table = Table::new(&[
            t!("cli.column.scope"),
            t!("cli.column.asked"),
            t!("cli.column.granted"),
            t!("cli.column.needed_by"),
            t!("cli.column.meaning"),
        ]);
        for row in &report.rows {
            let lacking = !row.granted && !row.needed_by.is_empty() && !report.broken.is_empty();
            table.row(vec![
                cell(&row.scope),
                cell(labels::yes_no(row.asked)),
                cell(labels::yes_no(row.granted)).tone(if lacking { Tone::Bad } else { Tone::Plain }),
                cell(row.needed_by.join(", ")),
                cell(&row.meaning).tone(Tone::Dim),
            ]);
        }
        table.print(t!("cli.credential.no_scopes"))?;
        if !report.said && !report.rows.is_empty() {
            output::line(t!("cli.credential.scopes_unsaid"))?;
        }
        for broken in &report.broken {
            let (integration, scope) = (shown(&broken.integration), shown(&broken.scope));
            output::line(&if broken.field.is_empty() {
                t!("cli.credential.breaks_all", integration = integration, scope = scope)
            } else {
                t!("cli.credential.breaks", integration = integration, field = shown(&broken.field), scope = scope)
            })?;
        }
        Ok(())
    })?;
    Ok(if report.broken.is_empty() { 0 } else { 3 })
}

pub fn token(context: &Context, name: &str) -> Result<u8> {
    context.unlock()?;
    let views = token_view::view(&context.ws, name)?;
    context.print(&views, |views| {
        if views.is_empty() {
            return output::line(t!("cli.credential.no_token"));
        }
        for (i, view) in views.iter().enumerate() {
            if i > 0 {
                output::line("")?;
            }
            let title = if view.what.ends_with("_token") { what(&view.what).to_owned() } else { shown(&view.what) };
            let form = match &view.algorithm {
                Some(algorithm) => t!("cli.credential.signed", algorithm = algorithm),
                None => t!("cli.credential.opaque").to_owned(),
            };
            output::line(&format!("{} · {form}", output::heading(&title)))?;
            let ends = [(t!("cli.column.issued"), view.issued), (t!("cli.column.expires"), view.expires)];
            let ends: Vec<(&str, String)> =
                ends.into_iter().filter_map(|(label, at)| Some((label, format!("{} ({})", at?, output::when(at))))).collect();
            output::pairs(&ends)?;
            if !view.claims.is_empty() {
                let mut table = Table::new(&[t!("cli.column.claim"), t!("cli.column.value"), t!("cli.column.meaning")]);
                for claim in &view.claims {
                    table.row(vec![cell(&claim.name), cell(&claim.value), cell(&claim.meaning).tone(Tone::Dim)]);
                }
                table.print("")?;
            }
            for problem in &view.findings {
                output::failure(problem, false);
            }
        }
        Ok(())
    })?;
    Ok(0)
}

pub fn rotate(context: &Context, given: Rotate) -> Result<u8> {
    let ws = &context.ws;
    let credential = credentials::get(ws, &given.name)?;
    context.unlock()?;
    let (id, expires) = (credential.id.as_str(), given.secret_expires.as_deref().map(parse_day).transpose()?.flatten());
    let outcome = if let Some(field) = &given.back {
        context.wait(async |sink| credentials::rotate_back(ws, id, field, &sink).await)?
    } else {
        let (field, value): (String, Secret) = match (given.secret_stdin, given.set) {
            (Some(field), _) => (field, ask::secret_from_stdin()?),
            (None, Some((field, reference))) => {
                let value = ask::secret_by_reference(&field, &reference)?;
                (field, value)
            }
            (None, None) => match (credential.secrets.as_slice(), context.person) {
                ([only], true) => (only.clone(), ask::secret(&t!("cli.credential.new_value", field = shown(only)))?),
                (fields, _) => return Err(problem!(Usage, "cli.credential.which_secret", fields = clean::line(&fields.join(", "), 200))),
            },
        };
        context.wait(async |sink| credentials::rotate(ws, id, &field, value, expires, &sink).await)?
    };
    let back = given.back.is_some();
    context.print(&outcome, |outcome| {
        told(outcome)?;
        match (outcome.ok, back) {
            (true, false) => output::line(&t!("cli.credential.rotated", name = shown(&credential.name))),
            (false, false) => output::line(&t!("cli.credential.not_rotated", name = shown(&credential.name))),
            (_, true) => output::line(&t!("cli.credential.went_back", name = shown(&credential.name))),
        }
    })?;
    Ok(outcome_code(&outcome))
}

/// Deletes a credential; what the vendor holds for it is ended there first, where that is possible and was not refused with `--no-revoke`.
pub fn delete(context: &Context, name: &str, no_revoke: bool) -> Result<u8> {
    let ws = &context.ws;
    let credential = credentials::get(ws, name)?;
    credentials::unused(ws, &credential.id)?;
    context.confirm(&t!("cli.confirm.delete_credential", name = shown(&credential.name)))?;
    let at_vendor = !no_revoke && credentials::held_at_vendor(ws, &credential.id)?;
    if at_vendor {
        context.unlock()?;
    }
    let retire = |at_vendor: bool| context.wait(async |_| credentials::retire(ws, &credential.id, at_vendor).await);
    let done = match retire(at_vendor) {
        Err(problem) if at_vendor && context.person && !context.yes => {
            output::failure(&problem, false);
            context.confirm(t!("cli.credential.delete_anyway"))?;
            retire(false)?
        }
        Err(Problem { what, why, kind, code, .. }) if at_vendor => {
            return Err(Problem { what, why, kind, code, next_step: t!("cli.credential.delete_no_revoke").to_owned() });
        }
        other => other?,
    };
    let (revoked, withdrawn) = (done.revoked, done.withdrawn);
    let document = json!({ "id": credential.id, "name": credential.name, "deleted": true, "revoked": revoked, "withdrawn": withdrawn });
    context.print(&document, |_| {
        if revoked {
            output::line(&t!("cli.credential.revoked", name = shown(&credential.name)))?;
        }
        if withdrawn {
            output::line(&t!("cli.credential.withdrawn", name = shown(&credential.name)))?;
        }
        output::line(&t!("cli.deleted", name = shown(&credential.name)))
    })?;
    for problem in &done.left {
        output::failure(problem, false);
    }
    Ok(done.left.first().map_or(0, Problem::exit_code))
}
