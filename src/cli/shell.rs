//! What shells and `man` want to know about the commands.

use clap::Args;
use clap_complete::Shell;

use super::{command, output};
use crate::ops::Result;
use crate::{problem, t};

#[derive(Args)]
pub struct Completions {
    #[arg(value_name = "SHELL", help = t!("cli.completions.shell"))]
    shell: Shell,
}

pub fn completions(completions: &Completions) -> Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(completions.shell, &mut command(), "intertie", &mut script);
    output::raw(&String::from_utf8_lossy(&script)).map(|()| 0)
}

/// One page: the program's, followed by those of its commands.
pub fn man() -> Result<u8> {
    let mut page = Vec::new();
    let mut root = command();
    root.build();
    render(&root, &mut page).map_err(|error| problem!(Failed, "cli.output", reason = error))?;
    output::raw(&String::from_utf8_lossy(&page)).map(|()| 0)
}

/// `build` gave each command its whole way as a display name: `intertie-credential-add`.
fn render(command: &clap::Command, page: &mut Vec<u8>) -> std::io::Result<()> {
    clap_mangen::Man::new(command.clone().disable_help_flag(true)).render(page)?;
    command.get_subcommands().filter(|inner| !inner.is_hide_set()).try_for_each(|inner| render(inner, page))
}
