//! The HTTP edge, and files: one client with retry, rate limits and redaction; paging; reading records.

pub mod client;
pub mod fault;
mod files;
pub mod http;
pub mod ldap;
mod paging;
pub mod rules;
pub mod source;

pub(crate) use files::expand;
