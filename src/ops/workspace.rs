//! A workspace: one directory with everything in it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::Result;
use crate::catalog::Catalog;
use crate::store::Store;
use crate::vault::Vault;

/// What `config.toml` says; every value has a default.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// `dark`, `light`, `mono`, `colour-blind`, or the name of a theme file in the configuration directory.
    pub theme: Option<String>,
    /// Whether the console follows the mouse.
    pub mouse: Option<bool>,
    /// The share of an integration's active records, in percent, that one run may deactivate; 30 when absent.
    pub deactivate_share: Option<u8>,
    /// Key bindings by command id: `"credential.test" = "t"`.
    pub keys: indexmap::IndexMap<String, String>,
}

/// Everything is opened when it is first needed: the database, the catalog and the vault are not on the start-up path.
#[derive(Clone)]
pub struct Workspace(Arc<Inner>);

struct Inner {
    dir: PathBuf,
    config: Config,
    store: OnceLock<Arc<Store>>,
    vault: OnceLock<Arc<Vault>>,
    catalog: OnceLock<Arc<Catalog>>,
}

impl Workspace {
    /// A workspace in a directory, which need not exist yet. Reads and writes nothing.
    #[must_use]
    pub fn open(dir: &Path, config: Config) -> Self {
        Self(Arc::new(Inner { dir: dir.to_owned(), config, store: OnceLock::new(), vault: OnceLock::new(), catalog: OnceLock::new() }))
    }

    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.0.dir
    }

    /// The name people see in the header: the last part of the directory.
    #[must_use]
    pub fn name(&self) -> String {
        self.0.dir.file_name().map_or_else(|| self.0.dir.display().to_string(), |name| name.to_string_lossy().into_owned())
    }

    #[must_use]
    pub fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn store(&self) -> Result<&Arc<Store>> {
        if let Some(store) = self.0.store.get() {
            return Ok(store);
        }
        let store = Arc::new(Store::open(&self.0.dir)?);
        Ok(self.0.store.get_or_init(|| store))
    }

    pub(crate) fn vault(&self) -> &Arc<Vault> {
        self.0.vault.get_or_init(|| Arc::new(Vault::open(&self.0.dir.join("vault"))))
    }

    pub(crate) fn catalog(&self) -> &Arc<Catalog> {
        self.0.catalog.get_or_init(|| Arc::new(Catalog::open(&self.0.dir.join("connectors"))))
    }
}
