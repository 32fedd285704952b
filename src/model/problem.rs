//! A failure that a person sees.

use serde::{Deserialize, Serialize};

/// What kind of failure it is; decides the exit code of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProblemKind {
    /// It failed; trying again may or may not help.
    Failed,
    /// The words of the command, or the values given, are wrong.
    Usage,
    /// A person has to act first: consent, an expired secret, an approval, a locked vault.
    PersonMustAct,
    /// Part of it was done; some records failed.
    Partial,
}

/// What happened to which object, why, and what to do. Made with [`problem!`](crate::problem!).
///
/// Never holds a secret, nor text from outside that was not cleaned: error bodies are cut and redacted where they arrive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{what}: {why}")]
pub struct Problem {
    pub kind: ProblemKind,
    pub what: String,
    pub why: String,
    pub next_step: String,
    /// The vendor's own code, such as `AADSTS7000215`, or the OAuth `error` value.
    pub code: Option<String>,
}

impl Problem {
    #[must_use]
    pub fn new(kind: ProblemKind, what: impl Into<String>, why: impl Into<String>, next_step: impl Into<String>) -> Self {
        Self { kind, what: what.into(), why: why.into(), next_step: next_step.into(), code: None }
    }

    #[must_use]
    pub fn with_code(mut self, code: impl Into<String>) -> Self {
        self.code = Some(code.into());
        self
    }

    /// The exit code that scripts see: 1 failed, 2 wrong usage, 3 a person has to act, 4 done in part.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            ProblemKind::Failed => 1,
            ProblemKind::Usage => 2,
            ProblemKind::PersonMustAct => 3,
            ProblemKind::Partial => 4,
        }
    }
}
