//! Reads the arguments, chooses a front end, and ends with its exit code.

use std::process::ExitCode;
use std::sync::Arc;

use intertie::cli::{self, Next};
use intertie::model::Problem;
use intertie::ops::{Config, demo};
use intertie::{plain, prompt, tui};

fn main() -> ExitCode {
    keep_memory_private();
    // A limit on the size of files is an error of the write, told like a full disk; by default it would kill the program.
    let _ = signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default());
    let arguments: Vec<_> = std::env::args_os().collect();
    let ended = match cli::start(&arguments) {
        Next::Exit(code) => return ExitCode::from(code),
        Next::Console(workspace) => tui::run(workspace, tui::Options::default()),
        Next::Plain(workspace) => plain::run(workspace),
        Next::Demo(config) => practise(config),
        Next::Pictures(dir) => prompt::runtime().and_then(|runtime| runtime.block_on(tui::pictures::write(&dir))),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => ExitCode::from(cli::failed(&problem)),
    }
}

/// Secrets pass through the memory: no image of it is written in a crash, and no other program of the same user reads it (prctl(2)).
fn keep_memory_private() {
    use rustix::process::{Resource, Rlimit, setrlimit};
    let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) });
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// The console beside the practice vendor, which lives as long as its runtime and the demo do.
fn practise(config: Config) -> Result<(), Problem> {
    let runtime = prompt::runtime()?;
    let demo = Arc::new(runtime.block_on(demo::start(config))?);
    tui::run(demo.workspace.clone(), tui::Options { demo: Some(demo) })
}
