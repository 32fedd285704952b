//! Obtain and keep credentials.

use crate::catalog::{Catalog, template::Context};
use crate::model::{Credential, Problem};
use crate::store::Store;
use crate::vault::Vault;
use crate::vendor::client::Client;

/// What a request for this credential can name, and a client that attaches and refreshes it.
pub fn connect(
    store: &std::sync::Arc<Store>,
    vault: &std::sync::Arc<Vault>,
    catalog: &Catalog,
    credential: &Credential,
) -> Result<(Client, Context), Problem> {
    let _ = (store, vault, catalog, credential);
    todo!()
}
