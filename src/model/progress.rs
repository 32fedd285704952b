//! How a long operation reports, and how it is told to stop.

use std::sync::Arc;

pub use tokio_util::sync::CancellationToken;

/// Where a long operation stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Progress {
    /// What it is doing now, a whole sentence fragment for people: `reading page 3`.
    pub doing: String,
    pub records: u64,
    pub pages: u64,
    /// Total records where the vendor tells.
    pub total: Option<u64>,
    /// Records per second since the start.
    pub rate: f64,
    /// Seconds left, where it can be estimated.
    pub seconds_left: Option<u64>,
}

/// Given to every long operation: report to it, and stop when it says so.
#[derive(Clone, Default)]
pub struct Sink {
    report: Option<Arc<dyn Fn(Progress) + Send + Sync>>,
    pub cancel: CancellationToken,
}

impl Sink {
    #[must_use]
    pub fn new(report: impl Fn(Progress) + Send + Sync + 'static, cancel: CancellationToken) -> Self {
        Self { report: Some(Arc::new(report)), cancel }
    }

    /// A sink that nobody watches.
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    pub fn report(&self, progress: Progress) {
        if let Some(report) = &self.report {
            report(progress);
        }
    }

    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.cancel.is_cancelled()
    }
}
