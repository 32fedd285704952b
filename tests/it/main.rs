//! Integration tests: one binary, so that it links once.

mod answers;
mod cli;
mod console;
mod definitions;
mod engine;
mod faults;
mod files;
mod grants;
mod handoff;
mod hostile;
mod kill;
mod login;
mod oauth_faults;
mod oidc;
mod peers;
mod plain;
mod practice_credentials;
mod pty;
mod rotation;
mod schema;
mod scim;
mod secrecy;
mod secrets;
mod signing;
mod terminal;
mod vault;
