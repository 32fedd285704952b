//! # The map of the house
//!
//! intertie connects business systems from a terminal. One core, and front ends that call the same use cases in [`ops`] and nothing else:
//! the console ([`tui`]), the command line ([`cli`]), and the console in lines of text ([`plain`]).
//!
//! From the street inwards:
//!
//! - [`cli`]: the headless front end, one file per noun; tables and JSON.
//! - [`plain`]: the same wizards as lines of text.
//! - [`prompt`]: questions line by line, for `cli` and `plain`.
//! - [`tui`]: the console. State changes only in its `update`; work runs as tasks.
//! - [`ops`]: the use cases and the [`ops::Workspace`]. No printing, no drawing.
//! - [`engine`]: a run: extract, filter, map, match, load; journal, deactivation, schedule, notices.
//! - [`mapping`]: field mappings: compile, evaluate, suggest, preview.
//! - [`permission`]: what an integration may do, and why.
//! - [`auth`]: obtain and keep credentials.
//! - [`vendor`]: the edge to vendors, over HTTP, LDAP, IMAP and SMTP, and files: client, paging, reading records.
//! - [`catalog`]: connector definitions: loading, validation, templates, search.
//! - [`vault`]: secrets at rest.
//! - [`store`]: the workspace's database.
//! - [`model`]: the nouns.
//! - [`practice`]: the built-in practice vendor.
//! - [`words`]: every text that people read.
//!
//! Who may import whom is checked by `tests/architecture.rs`.

#![forbid(unsafe_code)]

pub mod auth;
pub mod catalog;
pub mod cli;
pub mod engine;
pub mod mapping;
pub mod model;
pub mod ops;
pub mod permission;
pub mod plain;
pub mod practice;
pub mod prompt;
pub mod store;
pub mod tui;
pub mod vault;
pub mod vendor;
pub mod words;
