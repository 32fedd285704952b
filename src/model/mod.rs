//! The nouns: plain data with serde, no I/O. Everything else imports these; they import nothing of ours but the words.

mod connector;
mod credential;
mod integration;
mod inventory;
pub mod labels;
mod mapping;
mod method;
mod notice;
mod permission;
mod problem;
mod progress;
mod run;
mod secret;

pub use connector::*;
pub use credential::*;
pub use integration::*;
pub use inventory::*;
pub use mapping::*;
pub use method::*;
pub use notice::*;
pub use permission::*;
pub use problem::*;
pub use progress::*;
pub use run::*;
pub use secret::*;

/// A moment, in UTC. Serialised as RFC 3339.
pub type Time = jiff::Timestamp;
