//! Integration tests: one binary, so that it links once.

mod console;
mod faults;
mod pty;
