//! The use cases: the only door through which the front ends reach the rest. Each takes a [`Workspace`], and a [`Sink`](crate::model::Sink)
//! where it may take long; returns a value; prints and draws nothing. Functions that may touch the network are `async`; all others finish
//! in milliseconds and may be called on a blocking thread.
//!
//! Wherever a `name` is taken, the identifier is taken too.

pub mod answers;
pub mod authorize;
pub mod checklist;
pub mod connectors;
pub mod consent;
pub mod console;
pub mod coverage;
pub mod credentials;
pub mod data;
pub mod demo;
pub mod discover;
pub mod doctor;
pub mod facets;
pub mod integrations;
pub mod mappings;
pub mod notices;
pub mod overview;
pub mod permissions;
pub mod runs;
pub mod schedule;
pub mod scopes;
pub mod token_view;
pub mod vault;
mod workspace;

pub use workspace::{Config, Workspace};

/// What every use case returns.
pub type Result<T, E = crate::model::Problem> = std::result::Result<T, E>;
