//! Integration tests: one binary, so that it links once.

mod console;
mod cli;
mod faults;
mod kill;
mod oauth_faults;
mod oidc;
mod peers;
mod pty;
mod vault;
