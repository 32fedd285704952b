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
    /// What ends within so many days, and does not replace itself, makes a credential `expiring`; 14 when absent.
    #[serde(deserialize_with = "days")]
    pub expiring_days: Option<u16>,
    /// The overview shows what ends within so many days; 30 when absent.
    #[serde(deserialize_with = "days")]
    pub overview_days: Option<u16>,
    /// Key bindings by command id: `"credential.test" = "t"`.
    pub keys: indexmap::IndexMap<String, String>,
}

/// The most days that somebody can mean: ten years.
const MOST_DAYS: u16 = 3_650;

fn days<'de, D: serde::Deserializer<'de>>(from: D) -> std::result::Result<Option<u16>, D::Error> {
    use serde::Deserialize as _;
    use serde::de::Error as _;
    let days = i64::deserialize(from)?;
    let fits = u16::try_from(days).ok().filter(|days| (1..=MOST_DAYS).contains(days));
    fits.map(Some).ok_or_else(|| D::Error::custom(crate::t!("config.days", n = days, most = MOST_DAYS)))
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

    /// Whether there is a database already: opening one makes it.
    pub(crate) fn has_store(&self) -> bool {
        self.0.store.get().is_some() || Store::exists(&self.0.dir)
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
