//! `intertie demo`: a throw-away workspace and the practice vendor.

mod walk;

use std::path::Path;

use super::{Config, Result, Workspace};
use crate::catalog;
use crate::model::{Problem, Run, Sink};
use crate::practice::{self, Practice};
use crate::problem;
use crate::store::private_dir;

/// The connector of the members API, whose journey the demo is.
pub const CONNECTOR: &str = "practice-clickwrap";

/// A demo under way. Dropping it stops the practice vendor and removes the workspace.
pub struct Demo {
    pub workspace: Workspace,
    practice: Practice,
    _dir: tempfile::TempDir,
}

impl Demo {
    /// Lets a day pass at the practice vendor: some people leave, return, are renamed.
    pub fn pass_a_day(&self) {
        self.practice.pass_a_day();
    }
}

/// Starts the practice vendor on a free loopback port and makes a workspace whose practice connector points there.
pub async fn start(config: Config) -> Result<Demo> {
    let practice = practice::start(practice::Options::default()).await?;
    let failed = |error: std::io::Error| problem!(Failed, "demo.no_place", reason = error);
    // Made for its owner alone (0700); the directory in it gives the workspace a name that people can read.
    let dir = tempfile::Builder::new().prefix("intertie-").tempdir().map_err(failed)?;
    let home = dir.path().join("demo");
    for (id, defaults) in [
        (CONNECTOR, [("address", practice.base_url.as_str()), ("account_id", practice::ACCOUNT), ("client_id", practice::CLIENT_ID)].as_slice()),
        ("practice-scim", [("address", practice.base_url.as_str())].as_slice()),
    ] {
        point(&home.join("connectors"), id, defaults).map_err(failed)?;
    }
    Ok(Demo { workspace: Workspace::open(&home, config), practice, _dir: dir })
}

/// Writes the built-in definition into the workspace with these defaults for its inputs, so that nobody has to type an address.
fn point(dir: &Path, id: &str, defaults: &[(&str, &str)]) -> std::io::Result<()> {
    let broken = |reason: &str| std::io::Error::other(format!("{id}: {reason}"));
    let text = catalog::built_in(id).ok_or_else(|| broken("no such definition"))?;
    let mut definition: toml::Table = text.parse().map_err(|error| broken(&format!("{error}")))?;
    let inputs = definition.get_mut("input").and_then(toml::Value::as_array_mut).ok_or_else(|| broken("no inputs"))?;
    for input in inputs.iter_mut().filter_map(toml::Value::as_table_mut) {
        let key = input.get("key").and_then(toml::Value::as_str).unwrap_or_default();
        if let Some((_, value)) = defaults.iter().find(|(known, _)| *known == key) {
            input.insert("default".to_owned(), toml::Value::String((*value).to_owned()));
        }
    }
    private_dir(dir)?;
    std::fs::write(dir.join(format!("{id}.toml")), definition.to_string())
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Walked {
    pub runs: Vec<Run>,
    /// People in the inventory at the end, active or not.
    pub people: u64,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Step {
    pub name: String,
    pub ok: bool,
    /// Why it went wrong; the walk ends there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// Walks the whole first journey without a terminal, through the same use cases as the console. A step that goes wrong ends the walk and is
/// its last.
pub async fn walk(demo: &Demo, sink: &Sink) -> Result<Walked> {
    Ok(walk::Walk::new(demo, sink).walked().await)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ConnectorStatus;
    use crate::ops::connectors;

    #[tokio::test]
    async fn the_demo_points_at_its_vendor_and_leaves_nothing_behind() {
        let demo = start(Config::default()).await.unwrap();
        let dir = demo._dir.path().to_owned();
        let connector = connectors::get(&demo.workspace, CONNECTOR).unwrap();
        let address = connector.inputs.iter().find(|input| input.key == "address").unwrap();
        assert_eq!(address.default.as_deref(), Some(demo.practice.base_url.as_str()));
        assert_eq!(connector.status, ConnectorStatus::Practice);
        assert_eq!(connectors::check(&demo.workspace, &[]).unwrap(), []);
        drop(demo);
        assert!(!dir.exists());
    }
}
