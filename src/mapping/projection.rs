//! Which parts of a record are needed: only these are materialised when a page of records is read.

use super::path::Path;

/// The paths a run needs; slot `i` of a row holds the value at `paths[i]`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Projection {
    pub paths: Vec<Path>,
}

/// One source record, cut down to what is needed.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Line in a file, or place in the whole read; 1-based.
    pub number: u64,
    /// `Null` where the record has nothing.
    pub slots: Vec<serde_json::Value>,
}

impl Projection {
    /// Reads one record from a deserializer, skipping what no path names.
    pub fn record<'de, D: serde::Deserializer<'de>>(&self, deserializer: D) -> Result<Vec<serde_json::Value>, D::Error> {
        let _ = deserializer;
        todo!()
    }

    /// Reads all records of a JSON body: the list at `records` (the body itself when empty). A body that is cut short is an error; a record
    /// that is not an object is an entry of its own in the second list: its index and why.
    pub fn body(&self, body: &[u8], records: Option<&Path>) -> Result<(Vec<Vec<serde_json::Value>>, Vec<(usize, String)>), serde_json::Error> {
        let _ = (body, records);
        todo!()
    }
}
