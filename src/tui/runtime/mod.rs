//! The console's connection to the world: the event loop, input, signals, and the tasks that effects start.

pub mod effects;
pub mod event_loop;
mod input;
mod signals;
pub mod tasks;
