//! Questions and answers line by line at a terminal: what the commands ask when something is missing, and what the plain console is made of.
//!
//! - `ask`: a line, a secret without echo, a long pasted answer. `say`: remarks and failures.
//! - `waiting`: a runtime, progress, Ctrl-C.
//! - `credential`: the questions of the credential wizard, consent included. `authorize`: consent for another host. `pasting`: pasted answers.

pub mod ask;
pub mod authorize;
pub mod credential;
pub mod pasting;
pub mod say;
mod waiting;

pub use waiting::{Waiting, runtime};
