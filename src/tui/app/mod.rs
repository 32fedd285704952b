//! What the console is, without a terminal, a clock or a network.

pub mod answers;
pub mod command;
pub mod effect;
pub mod global;
pub mod key;
pub mod layers;
pub mod msg;
pub mod navigate;
pub mod state;
pub mod tasks;
pub mod update;
