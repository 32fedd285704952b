//! A wizard as a file: everything that was answered, secrets as references only. The same file gives the same credential again.

use super::{Result, Workspace};

/// The answers of a draft or of a credential, as TOML: connector, method, name, settings, scopes. Secrets become references to be filled in
/// (`env:NAME`), or the references that they are already.
pub fn of(ws: &Workspace, draft_or_credential: &str) -> Result<String> {
    let _ = (ws, draft_or_credential);
    todo!()
}
