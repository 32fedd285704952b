//! Integration tests: one binary, so that it links once.

mod cli;
mod console;
mod definitions;
mod engine;
mod faults;
mod hostile;
mod kill;
mod oauth_faults;
mod oidc;
mod peers;
mod terminal;
mod pty;
mod vault;
