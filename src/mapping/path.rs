//! Paths into a record: `profile.email`, `emails[0].value`, `emails[type=work].value`, `urn:…:User.department`, `["odd.key"]`.

/// A parsed path.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Path {
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Step {
    Key(String),
    Index(usize),
    /// The first element of a list whose member `key` is `value`.
    Where {
        key: String,
        value: String,
    },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {reason}")]
pub struct PathError {
    /// 1-based.
    pub at: usize,
    pub reason: String,
}

impl Path {
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let _ = text;
        todo!()
    }

    /// The value there, if any.
    #[must_use]
    pub fn get<'v>(&self, value: &'v serde_json::Value) -> Option<&'v serde_json::Value> {
        let _ = value;
        todo!()
    }
}
