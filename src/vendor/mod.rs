//! The HTTP edge, and files: one client with retry, rate limits and redaction; paging; reading records.

pub mod client;
pub mod source;
