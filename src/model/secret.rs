//! A value that must not leave the program by accident.

use zeroize::Zeroizing;

/// A secret string: no `Debug`, no `Display`, no serde, wiped from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    #[must_use]
    pub fn new(value: impl Into<String>) -> Self {
        Self(Zeroizing::new(value.into()))
    }

    /// The value itself. Each call is a place where it could leak: keep them few, at the rim.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Length in characters, shown beside a masked field.
    #[must_use]
    pub fn chars(&self) -> usize {
        self.0.chars().count()
    }
}
