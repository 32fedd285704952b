//! `intertie vault`: secrets at rest.

use clap::Subcommand;
use serde_json::json;

use super::{Context, labels, output};
use crate::ops::{self, Result, vault};
use crate::t;

#[derive(Subcommand)]
pub enum Vault {
    #[command(about = t!("cli.vault.init"))]
    Init {
        #[arg(long, help = t!("cli.vault.with_passphrase"))]
        with_passphrase: bool,
    },
    #[command(about = t!("cli.vault.status"))]
    Status,
    #[command(about = t!("cli.vault.rekey"))]
    Rekey {
        #[arg(long, help = t!("cli.vault.to_passphrase"))]
        with_passphrase: bool,
        #[arg(long, value_name = "REFERENCE", requires = "with_passphrase", help = t!("cli.vault.new_reference"))]
        new_passphrase: Option<String>,
    },
    #[command(about = t!("cli.vault.verify"))]
    Verify,
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
        Vault::Rekey { with_passphrase, new_passphrase } => {
            context.unlock()?;
            let passphrase = match (with_passphrase, new_passphrase) {
                (false, _) => None,
                (true, Some(reference)) => Some(crate::prompt::ask::secret_by_reference("new-passphrase", &reference)?),
                (true, None) => Some(context.asked_passphrase()?),
            };
            ops::vault::rekey(ws, passphrase)?;
            status(context)?;
        }
        Vault::Verify => {
            context.unlock()?;
            let n = vault::verify(ws)?;
            context.print(&json!({ "verified": n }), |_| output::line(&t!("cli.vault.verified", n = n)))?;
        }
    }
    Ok(0)
}

fn status(context: &Context) -> Result<()> {
    let status = vault::status(&context.ws)?;
    context.print(&status, |status| {
        let protection = match status.protection.as_deref() {
            Some("passphrase") => t!("cli.vault.by_passphrase"),
            Some("key_file") => t!("cli.vault.by_key_file"),
            _ => "–",
        };
        let mut pairs = vec![
            (t!("cli.column.exists"), labels::yes_no(status.exists).to_owned()),
            (t!("cli.column.unlocked"), labels::yes_no(status.unlocked).to_owned()),
            (t!("cli.column.protection"), protection.to_owned()),
        ];
        if let Some(file) = &status.key_file {
            pairs.push((t!("cli.column.key_file"), file.clone()));
        }
        pairs.push((t!("cli.column.secrets"), crate::words::number(status.secrets)));
        output::pairs(&pairs)
    })
}
