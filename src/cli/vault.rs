//! `intertie vault`: secrets at rest.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_json::json;

use super::output::{Table, Tone, cell};
use super::{Context, args, context, labels, output};
use crate::model::Secret;
use crate::ops::vault::{self, NewRecipient};
use crate::ops::{self, Result};
use crate::prompt::ask;
use crate::words::clean;
use crate::{problem, t};

#[derive(Subcommand)]
pub enum Vault {
    #[command(about = t!("cli.vault.init"))]
    Init {
        #[arg(long, help = t!("cli.vault.with_passphrase"))]
        with_passphrase: bool,
    },
    #[command(about = t!("cli.vault.status"))]
    Status,
    #[command(about = t!("cli.vault.unlock"))]
    Unlock {
        #[arg(long = "for", value_name = "TIME", default_value = "15m", value_parser = args::duration, help = t!("cli.vault.for_time"))]
        keep: Duration,
    },
    #[command(about = t!("cli.vault.lock"))]
    Lock,
    #[command(subcommand, about = t!("cli.vault.recipient"))]
    Recipient(Recipient),
    #[command(about = t!("cli.vault.rekey"))]
    Rekey {
        #[arg(long, help = t!("cli.vault.to_passphrase"))]
        with_passphrase: bool,
        #[arg(long, value_name = "REFERENCE", requires = "with_passphrase", help = t!("cli.vault.new_reference"))]
        new_passphrase: Option<String>,
    },
    #[command(about = t!("cli.vault.reseal"))]
    Reseal,
    #[command(about = t!("cli.vault.verify"), after_help = t!("cli.vault.after_verify"))]
    Verify,
}

#[derive(Subcommand)]
pub enum Recipient {
    #[command(about = t!("cli.vault.recipients.list"))]
    List,
    #[command(about = t!("cli.vault.recipients.add"))]
    Add {
        #[arg(value_name = "NAME", help = t!("cli.vault.recipients.name"))]
        name: Option<String>,
        #[command(flatten)]
        new: New,
        #[arg(long, value_name = "REFERENCE", requires = "with_passphrase", help = t!("cli.vault.new_reference"))]
        new_passphrase: Option<String>,
    },
    #[command(about = t!("cli.vault.recipients.remove"))]
    Remove {
        #[arg(value_name = "NAME", help = t!("cli.vault.recipients.name_of"))]
        name: String,
        #[arg(long, help = t!("cli.vault.recipients.reseal"))]
        reseal: bool,
    },
}

#[derive(Args)]
#[group(required = true, multiple = false)]
pub struct New {
    #[arg(long, value_name = "KEY", help = t!("cli.vault.recipients.public"))]
    public: Option<String>,
    #[arg(long, value_name = "FILE", help = t!("cli.vault.recipients.public_file"))]
    public_file: Option<PathBuf>,
    #[arg(long, help = t!("cli.vault.with_passphrase"))]
    with_passphrase: bool,
    #[arg(long, help = t!("cli.vault.recipients.key_file"))]
    key_file: bool,
    #[arg(long, help = t!("cli.vault.recipients.systemd_creds"))]
    systemd_creds: bool,
}

pub fn run(context: &Context, command: Vault) -> Result<u8> {
    let ws = &context.ws;
    match command {
        Vault::Init { with_passphrase } => {
            let passphrase = if with_passphrase { Some(context.new_passphrase()?) } else { None };
            vault::init(ws, passphrase)?;
            status(context)?;
        }
        Vault::Status => status(context)?,
        Vault::Unlock { keep } => return unlock(context, keep),
        Vault::Lock => {
            vault::lock(ws)?;
            let status = vault::status(ws)?;
            let text = if status.unlocked { t!("cli.vault.opens_still") } else { t!("cli.vault.is_locked") };
            context.print(&json!({ "unlocked": status.unlocked }), |_| output::line(text))?;
        }
        Vault::Recipient(command) => recipient(context, command)?,
        Vault::Rekey { with_passphrase, new_passphrase } => {
            context.unlock()?;
            let passphrase = if with_passphrase { Some(new_secret(context, new_passphrase.as_deref())?) } else { None };
            ops::vault::rekey(ws, passphrase)?;
            status(context)?;
        }
        Vault::Reseal => {
            let passphrase = for_reseal(context, None)?;
            context.unlock()?;
            let n = vault::reseal(ws, passphrase.as_ref())?;
            context.print(&json!({ "resealed": n }), |_| output::line(&t!("cli.vault.resealed", n = n)))?;
        }
        Vault::Verify => return verify(context),
    }
    Ok(0)
}

fn new_secret(context: &Context, reference: Option<&str>) -> Result<Secret> {
    match reference {
        Some(reference) => ask::secret_by_reference("new-passphrase", reference),
        None => context.asked_passphrase(),
    }
}

fn unlock(context: &Context, keep: Duration) -> Result<u8> {
    // Unlocked already, it is kept for longer; the passphrase is asked for all the same, so that who finds a terminal cannot do that.
    let status = vault::status(&context.ws)?;
    let by_passphrase = status.asks.is_some() || (status.unlocked_until.is_some() && status.protection.as_deref() == Some("passphrase"));
    if status.exists && !by_passphrase {
        context.print(&json!({ "unlocked": status.unlocked, "until": null }), |_| output::line(t!("cli.vault.needs_none")))?;
        return Ok(0);
    }
    let question = if status.asks.as_deref() == Some("identity") { t!("cli.vault.identity_passphrase") } else { t!("cli.vault.passphrase") };
    let passphrase = context.passphrase(question)?;
    let kept = vault::unlock_for(&context.ws, &passphrase, keep)?;
    context.print(&kept, |kept| match (&kept.until, &kept.why_not) {
        (Some(at), _) => output::line(&t!("cli.vault.unlocked", at = at.strftime("%Y-%m-%d %H:%M:%SZ"))),
        (None, why) => output::line(&t!("cli.vault.unlocked_alone", why = why.as_deref().unwrap_or("–"))),
    })?;
    // What was asked for did not come about.
    Ok(if kept.until.is_some() { 0 } else { 1 })
}

/// The passphrase that a fresh data key has to be wrapped with, where one is among the recipients that stay.
fn for_reseal(context: &Context, goes: Option<&str>) -> Result<Option<Secret>> {
    let stays = |name: &str| goes.is_none_or(|goes| !goes.eq_ignore_ascii_case(name));
    let needed = vault::recipients(&context.ws)?.iter().any(|one| one.kind == "passphrase" && stays(&one.name));
    if !needed {
        return Ok(None);
    }
    let given = context.given_passphrase()?;
    if given.is_none() && context.person { ask::secret(t!("cli.vault.passphrase")).map(Some) } else { Ok(given) }
}

fn recipient(context: &Context, command: Recipient) -> Result<()> {
    let ws = &context.ws;
    match command {
        Recipient::List => list(context, &vault::recipients(ws)?),
        Recipient::Add { name, new, new_passphrase } => {
            let new = if let Some(key) = new.public {
                NewRecipient::Public(key)
            } else if let Some(file) = &new.public_file {
                NewRecipient::Public(first_line(file)?)
            } else if new.with_passphrase {
                NewRecipient::Passphrase(new_secret(context, new_passphrase.as_deref())?)
            } else if new.key_file {
                NewRecipient::KeyFile
            } else {
                NewRecipient::SystemdCreds
            };
            context.unlock()?;
            list(context, &vault::recipient_add(ws, name.as_deref().unwrap_or_default(), new)?)
        }
        Recipient::Remove { name, reseal } => {
            context.confirm(&t!("cli.vault.recipients.confirm_remove", name = clean::line(&name, 80)))?;
            let passphrase = if reseal { for_reseal(context, Some(&name))? } else { None };
            context.unlock()?;
            if reseal {
                return list(context, &vault::recipient_remove_and_reseal(ws, &name, passphrase.as_ref())?);
            }
            let left = vault::recipient_remove(ws, &name)?;
            output::remark(t!("cli.vault.recipients.kept"));
            list(context, &left)
        }
    }
}

/// A public key is no secret, so it may come from any file.
fn first_line(file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| problem!(Usage, "cli.vault.bad_public_file", file = context::shown(file), reason = error))?;
    Ok(text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or_default().to_owned())
}

fn kind(kind: &str) -> &'static str {
    match kind {
        "passphrase" => t!("cli.vault.by_passphrase"),
        "key_file" => t!("cli.vault.by_key_file"),
        "age" => "age",
        "ssh" => "ssh-ed25519",
        "systemd_creds" => t!("cli.vault.by_systemd_creds"),
        _ => "–",
    }
}

fn list(context: &Context, recipients: &[vault::Recipient]) -> Result<()> {
    context.print(&recipients, |recipients| {
        let mut table = Table::new(&[t!("cli.column.name"), t!("cli.column.kind"), t!("cli.column.public")]);
        for one in *recipients {
            let public = one.public.as_deref().map_or_else(|| "–".to_owned(), |key| clean::line(key, 120));
            table.row(vec![cell(clean::line(&one.name, 80)), cell(kind(&one.kind)), cell(public).tone(Tone::Dim)]);
        }
        table.print(t!("cli.vault.recipients.none"))
    })
}

fn verify(context: &Context) -> Result<u8> {
    let given = context.given_passphrase()?;
    let typed = context.unlocking()?;
    if let Some(passphrase) = &typed {
        vault::unlock(&context.ws, passphrase)?;
    }
    let rehearsal = vault::rehearse(&context.ws, given.or(typed).as_ref())?;
    let fails = rehearsal.ways.iter().any(|way| way.problem.is_some());
    let mut document = json!(rehearsal);
    document["verified"] = json!(rehearsal.secrets);
    context.print(&document, |_| {
        output::line(&t!("cli.vault.verified", n = rehearsal.secrets))?;
        let mut table = Table::new(&[t!("cli.column.name"), t!("cli.column.kind"), t!("cli.column.what")]);
        for way in &rehearsal.ways {
            let (text, tone) = match way.outcome.as_str() {
                "opens" => (t!("cli.vault.opens"), Tone::Good),
                "fails" => (t!("cli.vault.fails"), Tone::Bad),
                _ => (t!("cli.vault.not_here"), Tone::Dim),
            };
            table.row(vec![cell(clean::line(&way.recipient.name, 80)), cell(kind(&way.recipient.kind)), cell(text).tone(tone)]);
        }
        table.print(t!("cli.vault.recipients.none"))?;
        if !rehearsal.damaged.is_empty() {
            output::line(&t!("cli.vault.damaged", n = rehearsal.damaged.len()))?;
        }
        for problem in rehearsal.damaged.iter().chain(rehearsal.ways.iter().filter_map(|way| way.problem.as_ref())) {
            output::failure(problem, false);
        }
        Ok(())
    })?;
    Ok(if rehearsal.damaged.is_empty() && !fails { 0 } else { 1 })
}

fn status(context: &Context) -> Result<()> {
    let status = vault::status(&context.ws)?;
    context.print(&status, |status| {
        let protection = match status.protection.as_deref() {
            Some("identity") => t!("cli.vault.by_identity"),
            Some(word) => kind(word),
            None => "–",
        };
        let unlocked = match status.unlocked_until {
            Some(at) => format!("{} ({})", labels::yes_no(status.unlocked), at.strftime("%Y-%m-%d %H:%M:%SZ")),
            None => labels::yes_no(status.unlocked).to_owned(),
        };
        let mut pairs = vec![
            (t!("cli.column.exists"), labels::yes_no(status.exists).to_owned()),
            (t!("cli.column.unlocked"), unlocked),
            (t!("cli.column.protection"), protection.to_owned()),
        ];
        if let Some(file) = &status.key_file {
            pairs.push((t!("cli.column.key_file"), file.clone()));
        }
        let names: Vec<String> = status.recipients.iter().map(|one| clean::line(&one.name, 80)).collect();
        pairs.push((t!("cli.column.recipients"), names.join(", ")));
        pairs.push((t!("cli.column.secrets"), crate::words::number(status.secrets)));
        output::pairs(&pairs)
    })
}
