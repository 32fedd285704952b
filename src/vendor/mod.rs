//! The HTTP edge, and files: one client with retry, rate limits and redaction; paging; reading records.

pub mod client;
pub mod fault;
pub mod http;
pub mod rules;
pub mod source;
