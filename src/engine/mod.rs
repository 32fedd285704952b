//! (room of the house; see lib.rs)
