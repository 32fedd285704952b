//! The last step: what the test found, and the saved credential.

pub mod view;

use crate::model::{Problem, TestOutcome};

#[derive(Debug)]
pub enum Test {
    /// Not made with what is typed now.
    Untested,
    /// Waits until everything typed is saved.
    Waiting,
    Running,
    Done(Box<TestOutcome>),
    /// It could not be made.
    Failed(Problem),
}

impl Test {
    #[must_use]
    pub fn passed(&self) -> bool {
        matches!(self, Self::Done(outcome) if outcome.ok)
    }
}
