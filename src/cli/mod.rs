//! The headless front end: one file per noun, each a clap enum and a function that calls [`ops`](crate::ops) and prints.
//!
//! [`start`] reads the arguments. What needs no command tree (`intertie` alone, `--version`) does not build one.

mod args;
mod authorize;
mod connector;
mod context;
mod credential;
mod data;
mod demo;
mod doctor;
mod integration;
mod labels;
mod mapping;
mod notice;
mod output;
mod overview;
mod permission;
mod run;
mod schedule;
mod shell;
mod vault;

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

use crate::model::Problem;
use crate::ops::{Config, Result, Workspace};
use crate::words::clean;
use crate::{problem, t};
use context::Context;

/// What is left to do for `main` once the arguments are read.
pub enum Next {
    /// Everything is done and printed.
    Exit(u8),
    /// Open the console on this workspace.
    Console(Workspace),
    /// Open the console on a throw-away workspace with the practice vendor.
    Demo(Config),
    /// The same as lines of text.
    Plain(Workspace),
    /// Make pictures of the console.
    Pictures(PathBuf),
}

#[derive(Parser)]
#[command(name = "intertie", bin_name = "intertie", about = t!("cli.about"), disable_help_flag = true, disable_version_flag = true)]
#[command(disable_help_subcommand = true, after_help = t!("cli.after"), version, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
    #[arg(short = 'V', long, action = ArgAction::Version, help = t!("cli.flag.version"))]
    version: Option<bool>,
}

#[derive(Args, Clone, Default)]
struct Global {
    #[arg(long, global = true, value_name = "DIR", display_order = 900, help = t!("cli.flag.workspace"))]
    workspace: Option<PathBuf>,
    #[arg(long, global = true, value_name = "FILE", display_order = 901, help = t!("cli.flag.config"))]
    config: Option<PathBuf>,
    #[arg(long, global = true, value_name = "REFERENCE", display_order = 902, help = t!("cli.flag.passphrase"))]
    passphrase: Option<String>,
    #[arg(long, global = true, value_name = "FILE", display_order = 903, help = t!("cli.flag.identity"))]
    identity: Option<PathBuf>,
    #[arg(long, global = true, display_order = 903, help = t!("cli.flag.json"))]
    json: bool,
    #[arg(long, short = 'y', global = true, display_order = 904, help = t!("cli.flag.yes"))]
    yes: bool,
    #[arg(long, display_order = 905, help = t!("plain.about"))]
    plain: bool,
    #[arg(short, long, global = true, display_order = 906, action = ArgAction::Help, help = t!("cli.flag.help"))]
    help: Option<bool>,
}

#[derive(Subcommand)]
enum Command {
    #[command(about = t!("cli.demo.about"))]
    Demo(demo::Demo),
    #[command(about = t!("cli.pictures.about"), hide = true)]
    Pictures {
        #[arg(value_name = "DIR", help = t!("cli.pictures.dir"))]
        dir: PathBuf,
    },
    #[command(about = t!("cli.overview.about"))]
    Overview(overview::Overview),
    #[command(subcommand, about = t!("cli.connector.about"))]
    Connector(connector::Connector),
    #[command(subcommand, about = t!("cli.credential.about"))]
    Credential(credential::Credential),
    #[command(about = t!("cli.authorize.about"), after_help = t!("cli.authorize.after"))]
    Authorize(authorize::Authorize),
    #[command(subcommand, about = t!("cli.integration.about"))]
    Integration(integration::Integration),
    #[command(subcommand, about = t!("cli.mapping.about"))]
    Mapping(mapping::Mapping),
    #[command(subcommand, about = t!("cli.permission.about"))]
    Permission(permission::Permission),
    #[command(about = t!("cli.run.about"))]
    Run(run::Run),
    #[command(about = t!("cli.data.about"))]
    Data(data::Data),
    #[command(subcommand, about = t!("cli.notice.about"))]
    Notice(notice::Notice),
    #[command(subcommand, about = t!("cli.schedule.about"))]
    Schedule(schedule::Schedule),
    #[command(subcommand, about = t!("cli.vault.about"))]
    Vault(vault::Vault),
    #[command(about = t!("cli.doctor.about"))]
    Doctor,
    #[command(about = t!("cli.completions.about"))]
    Completions(shell::Completions),
    #[command(about = t!("cli.man.about"))]
    Man,
}

/// The command tree, for completions, the manual page and tests.
#[must_use]
pub fn command() -> clap::Command {
    Cli::command()
}

/// Reads the arguments (the program's name first), does what they say, and tells what is left to do.
#[must_use]
pub fn start(arguments: &[OsString]) -> Next {
    match arguments {
        [] | [_] => return console(&Global::default()),
        [_, only] if only == "--version" || only == "-V" => {
            return Next::Exit(done(output::line(concat!("intertie ", env!("CARGO_PKG_VERSION"))).map(|()| 0), false));
        }
        _ => {}
    }
    let explained = explained(arguments);
    let arguments = explained.as_deref().unwrap_or(arguments);
    // A failure to read the arguments is told in the form that was asked for, too.
    let as_json = arguments.iter().take_while(|argument| *argument != "--").any(|argument| argument == "--json");
    let cli = match command().try_get_matches_from(arguments).and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return Next::Exit(done(misread(&error, as_json), as_json)),
    };
    let Cli { global, command, .. } = cli;
    let as_json = global.json;
    match command {
        None if global.plain => plain(&global),
        None => console(&global),
        Some(Command::Pictures { dir }) => Next::Pictures(dir),
        Some(Command::Demo(demo)) if !demo.headless => match needs_terminal().and_then(|()| context::config(&global)) {
            Ok(config) => Next::Demo(config),
            Err(problem) => Next::Exit(done(Err(problem), as_json)),
        },
        Some(command) => Next::Exit(done(dispatch(&global, command), as_json)),
    }
}

/// `intertie help run list` is `intertie run list --help`; `None` when it is not help that is asked for in this way.
fn explained(arguments: &[OsString]) -> Option<Vec<OsString>> {
    let [program, first, rest @ ..] = arguments else { return None };
    let words = rest.iter().filter(|word| *word != "help").cloned();
    (first == "help").then(|| std::iter::once(program.clone()).chain(words).chain(["--help".into()]).collect())
}

/// Prints a failure of the front end that `main` chose, and gives its exit code.
#[must_use]
pub fn failed(problem: &Problem) -> u8 {
    done(Err(problem.clone()), false)
}

fn done(result: Result<u8>, as_json: bool) -> u8 {
    result.unwrap_or_else(|problem| {
        output::failure(&problem, as_json);
        problem.exit_code()
    })
}

fn plain(global: &Global) -> Next {
    match context::open(global) {
        Ok(workspace) => Next::Plain(workspace),
        Err(problem) => Next::Exit(done(Err(problem), global.json)),
    }
}

fn console(global: &Global) -> Next {
    // Nothing can be drawn there.
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return plain(global);
    }
    match needs_terminal().and_then(|()| context::open(global)) {
        Ok(workspace) => Next::Console(workspace),
        Err(problem) => Next::Exit(done(Err(problem), global.json)),
    }
}

fn needs_terminal() -> Result<()> {
    if std::io::stdin().is_terminal() && std::io::stdout().is_terminal() { Ok(()) } else { Err(problem!(Usage, "cli.no_terminal")) }
}

fn dispatch(global: &Global, command: Command) -> Result<u8> {
    // These need no workspace.
    match &command {
        Command::Authorize(authorize) => return authorize::run(authorize, global.json),
        Command::Completions(completions) => return shell::completions(completions),
        // `start` leaves it to `main`.
        Command::Pictures { .. } => return Ok(0),
        Command::Man => return shell::man(),
        _ => {}
    }
    let context = Context::new(global)?;
    match command {
        Command::Demo(_) => demo::run(&context),
        Command::Overview(overview) => overview::run(&context, &overview),
        Command::Connector(connector) => connector::run(&context, connector),
        Command::Credential(credential) => credential::run(&context, credential),
        Command::Integration(integration) => integration::run(&context, integration),
        Command::Mapping(mapping) => mapping::run(&context, mapping),
        Command::Permission(permission) => permission::run(&context, permission),
        Command::Run(run) => run::run(&context, run),
        Command::Data(data) => data::run(&context, data),
        Command::Notice(notice) => notice::run(&context, notice),
        Command::Schedule(schedule) => schedule::run(&context, schedule),
        Command::Vault(vault) => vault::run(&context, vault),
        Command::Doctor => doctor::run(&context),
        Command::Authorize(_) | Command::Completions(_) | Command::Man | Command::Pictures { .. } => Ok(0),
    }
}

/// Help and version are what was asked for; everything else is a [`Problem`] like any other.
fn misread(error: &clap::Error, as_json: bool) -> Result<u8> {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => output::raw(&error.to_string()).map(|()| 0),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand if as_json => Err(problem!(Usage, "cli.incomplete")),
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            output::remark(error.to_string().trim_end());
            Ok(2)
        }
        // The value is not repeated: it may be a secret that was meant for elsewhere.
        ErrorKind::ValueValidation => {
            let flag = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
            let reason = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
            Err(problem!(Usage, "cli.bad_value", flag = clean::line(&flag, 80), reason = clean::line(&reason, 300)))
        }
        ErrorKind::InvalidSubcommand => {
            let given = context_text(error, ContextKind::InvalidSubcommand).unwrap_or_default();
            Err(problem!(Usage, "cli.no_command", given = clean::line(&given, 80), hint = hint(error)))
        }
        _ => {
            let text = error.to_string();
            let text = text.strip_prefix("error: ").unwrap_or(&text);
            let reason: Vec<&str> = text
                .lines()
                .map(str::trim)
                .take_while(|line| !["Usage:", "For more", "tip:"].iter().any(|end| line.starts_with(end)))
                .filter(|line| !line.is_empty())
                .collect();
            Err(problem!(Usage, "cli.misread", reason = clean::line(&reason.join(" "), 300).trim_end_matches('.'), hint = hint(error)))
        }
    }
}

/// What to do about words that were not understood: what was probably meant, where there is such a thing.
fn hint(error: &clap::Error) -> String {
    let near = [ContextKind::SuggestedSubcommand, ContextKind::SuggestedArg, ContextKind::SuggestedValue];
    match near.into_iter().find_map(|kind| context_text(error, kind)) {
        Some(near) => t!("cli.did_you_mean", near = clean::line(&near, 80)),
        None => t!("cli.add_help").to_owned(),
    }
}

/// What the error knows of this kind; of several texts, the first, which fits best.
fn context_text(error: &clap::Error, kind: ContextKind) -> Option<String> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text.clone()),
        ContextValue::Strings(texts) => texts.first().cloned(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_tree_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn words_of_run_win_over_names_of_integrations() {
        let parse = |line: &str| {
            let matches = command().try_get_matches_from(line.split(' ')).unwrap();
            match Cli::from_arg_matches(&matches).unwrap().command.unwrap() {
                Command::Run(run) => (run.integration.clone(), run.command.is_some()),
                _ => unreachable!(),
            }
        };
        assert_eq!(parse("intertie run list --json"), (None, true));
        assert_eq!(parse("intertie run --json list"), (None, true));
        assert_eq!(parse("intertie run Clickwrap --dry-run --limit 5"), (Some("Clickwrap".to_owned()), false));
    }

    #[test]
    fn help_can_be_asked_for_by_its_word() {
        let explained = |line: &str| explained(&line.split(' ').map(OsString::from).collect::<Vec<_>>()).map(|words| words.join(" ".as_ref()));
        assert_eq!(explained("intertie help"), Some("intertie --help".into()));
        assert_eq!(explained("intertie help run list"), Some("intertie run list --help".into()));
        assert_eq!(explained("intertie help help"), Some("intertie --help".into()));
        assert_eq!(explained("intertie run help"), None, "an integration may be called that");
    }

    #[test]
    fn a_misspelt_word_is_told_with_what_was_meant() {
        for (line, near) in [("intertie runn", "run"), ("intertie data peolpe", "people"), ("intertie run X --dry-runn", "--dry-run")] {
            let error = command().try_get_matches_from(line.split(' ')).unwrap_err();
            let problem = misread(&error, false).unwrap_err();
            assert!(problem.next_step.contains(near) && !problem.why.contains("tip"), "{problem:?}");
        }
    }

    #[test]
    fn what_clap_says_becomes_a_problem_with_exit_code_two() {
        let error = command().try_get_matches_from(["intertie", "connector", "lits"]).unwrap_err();
        let problem = misread(&error, false).unwrap_err();
        assert_eq!(problem.exit_code(), 2);
        assert!(problem.what.contains("lits") && problem.next_step.contains("list"), "{problem:?}");
        // A secret at the wrong place is not repeated.
        let error = command().try_get_matches_from(["intertie", "credential", "add", "okta", "--set", "hunter2"]).unwrap_err();
        let problem = misread(&error, false).unwrap_err();
        assert!(!format!("{problem:?}").contains("hunter2") && problem.what.contains("--set"), "{problem:?}");
    }
}
