//! Connector definitions: the built-in ones, compiled in, and the user's own in the workspace's `connectors/` directory, which override
//! and extend them.

use std::path::Path;
use std::sync::Arc;

use crate::model::{Connector, Problem};

pub mod template;

include!(concat!(env!("OUT_DIR"), "/connectors.rs"));

/// All definitions a workspace can see. Opening it reads nothing; rows and definitions are parsed when they are asked for.
pub struct Catalog {
    user_dir: std::path::PathBuf,
}

impl Catalog {
    #[must_use]
    pub fn open(user_dir: &Path) -> Self {
        Self { user_dir: user_dir.to_owned() }
    }

    pub fn get(&self, id: &str) -> Result<Arc<Connector>, Problem> {
        let _ = (id, &self.user_dir, BUILT_IN);
        todo!()
    }
}
