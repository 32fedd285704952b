//! References to secrets.
