//! (to be told by who builds it)

pub mod view;

use super::{Context, Event, Handled};
use crate::tui::app::command::Command;
use crate::tui::app::effect::Effects;
use crate::tui::app::state::State;

pub const COMMANDS: &[Command] = &[];

#[derive(Debug)]
pub struct Machine {}

impl Machine {
    pub fn handle(&mut self, event: &Event, context: Context) -> Handled {
        let _ = (event, context);
        None
    }

    #[must_use]
    pub fn crumbs(&self) -> Vec<String> {
        Vec::new()
    }

    #[must_use]
    pub fn explain(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }

    #[must_use]
    pub fn remembered(&self) -> Option<String> {
        None
    }
}

pub fn open(state: &mut State, id: &str) -> Effects {
    let _ = (state, id);
    Vec::new()
}
