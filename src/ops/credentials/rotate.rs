//! A new secret beside the old one.

use crate::model::{Secret, Sink, TestOutcome, Time};
use crate::ops::{Result, Workspace};

/// Replaces one secret side by side: the new value is tested first, and takes the place of the old one only when it works.
/// The old one stays for `rotate_back` until the next rotation.
pub async fn rotate(ws: &Workspace, name: &str, key: &str, value: Secret, expires: Option<Time>, sink: &Sink) -> Result<TestOutcome> {
    let _ = (ws, name, key, value, expires, sink);
    todo!()
}
