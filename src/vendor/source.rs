//! Reading the records of a resource, page by page, cut down to a projection.

use super::client::Client;
use crate::catalog::template::Context;
use crate::mapping::projection::{Projection, Row};
use crate::model::{Connector, Problem, RecordError, Resource, Sink};
use std::sync::Arc;

/// A page of rows.
#[derive(Debug, Default)]
pub struct Page {
    pub rows: Vec<Row>,
    /// Records that could not be read, by line or place.
    pub bad: Vec<RecordError>,
    /// Records in all, where the vendor tells.
    pub total: Option<u64>,
    /// Body bytes of this page.
    pub bytes: u64,
    /// Requests made for it, retries included.
    pub requests: u64,
}

/// An open read. Pages are fetched ahead by one while the caller works.
pub struct Source {
    _todo: (),
}

impl Source {
    /// A resource behind HTTP, or a file (`format = "file"`: no client needed).
    pub fn open(
        connector: Arc<Connector>,
        resource: &Resource,
        context: &Context,
        client: Option<Client>,
        projection: Projection,
        sink: &Sink,
    ) -> Result<Self, Problem> {
        let _ = (connector, resource, context, client, projection, sink);
        todo!()
    }

    /// The next page, or `None` at the end. After an error the read is over, and it was not complete.
    pub async fn next(&mut self) -> Result<Option<Page>, Problem> {
        todo!()
    }
}

/// The first records as they are, for samples. At most `limit`; follows pages as needed.
pub async fn sample(
    connector: Arc<Connector>,
    resource: &Resource,
    context: &Context,
    client: Option<Client>,
    limit: usize,
    sink: &Sink,
) -> Result<(Vec<serde_json::Value>, Option<u64>), Problem> {
    let _ = (connector, resource, context, client, limit, sink);
    todo!()
}
