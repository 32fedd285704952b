//! Where the user was when the console ended, so that the next start returns there.

use std::io::Write as _;

use super::{Result, Workspace};
use crate::store::{StoreError, private_dir};

const FILE: &str = "console.json";

/// What was saved last; `None` on a first start or when it cannot be read.
pub fn load(ws: &Workspace) -> Option<serde_json::Value> {
    let text = std::fs::read_to_string(ws.dir().join(FILE)).ok()?;
    serde_json::from_str(&text).ok()
}

/// Written atomically.
pub fn save(ws: &Workspace, state: &serde_json::Value) -> Result<()> {
    Ok(write(ws, state).map_err(StoreError::from)?)
}

fn write(ws: &Workspace, state: &serde_json::Value) -> std::io::Result<()> {
    private_dir(ws.dir())?;
    // A temporary file is made with mode 0600, and takes the place of the old one in one step.
    let mut file = tempfile::NamedTempFile::new_in(ws.dir())?;
    serde_json::to_writer(&mut file, state)?;
    file.flush()?;
    file.as_file().sync_all()?;
    file.persist(ws.dir().join(FILE)).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_saved_comes_back_and_only_the_owner_reads_it() {
        let dir = tempfile::tempdir().unwrap();
        let ws = Workspace::open(&dir.path().join("new"), super::super::Config::default());
        assert_eq!(load(&ws), None);
        for state in [serde_json::json!({"pane": "data"}), serde_json::json!({"pane": "runs"})] {
            save(&ws, &state).unwrap();
            assert_eq!(load(&ws), Some(state));
        }
        let mode = std::fs::metadata(ws.dir().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(ws.dir()).unwrap().count(), 1);
        std::fs::write(ws.dir().join(FILE), "{").unwrap();
        assert_eq!(load(&ws), None);
    }
}
