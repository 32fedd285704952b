//! Where the user was when the console ended, so that the next start returns there.

use super::{Result, Workspace};

/// What was saved last; `None` on a first start or when it cannot be read.
pub fn load(ws: &Workspace) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(ws.dir().join("console.json")).ok()?;
    serde_json::from_str(&text).ok()
}

/// Written atomically.
pub fn save(ws: &Workspace, state: &serde_json::Value) -> Result<()> {
    let _ = (ws, state);
    todo!()
}
