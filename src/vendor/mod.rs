//! The edge to vendors: HTTP, directories, mailboxes, and files. One client with retry, rate limits and redaction; paging; reading records.

pub mod client;
pub mod fault;
mod files;
pub mod http;
pub mod ldap;
pub mod mail;
mod paging;
pub mod rules;
pub mod source;
mod tls;

pub(crate) use files::expand;
