//! The console.
//!
//! One loop: input, signals and finished tasks arrive as [`app::msg::Msg`]; [`app::update::update`] is the only place where state changes, and it does
//! no I/O; what has to be done outside comes back as [`app::effect::Effect`]s, plain data, which [`runtime`] carries out. Views take `&State` and draw.
//!
//! - [`app`]: state, messages, effects, commands (the registry), layers, tasks.
//! - [`panes`]: the numbered panes; they never import each other.
//! - [`wizard`]: guided flows and full-screen editors, each a layer of its own.
//! - [`ui`]: what views are made of: text, lists, tables, forms, theme.
//! - [`runtime`]: the event loop, input, signals, tasks.
//! - [`term`]: the only writers to the terminal.

pub mod app;
pub mod harness;
pub mod panes;
pub mod pictures;
pub mod runtime;
pub mod term;
pub mod ui;
pub mod wizard;

use crate::model::Problem;
use crate::ops::Workspace;
use crate::ops::demo::Demo;
use std::sync::Arc;

/// How the console is started.
#[derive(Default)]
pub struct Options {
    /// A demo under way: its checklist is shown, and a day can be let pass at the practice vendor.
    pub demo: Option<Arc<Demo>>,
}

/// Opens the console and returns when the user leaves it. Restores the terminal whatever happens.
pub fn run(ws: Workspace, options: Options) -> Result<(), Problem> {
    runtime::event_loop::run(ws, options)
}
