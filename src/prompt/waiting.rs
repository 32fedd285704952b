//! Waiting for what may touch the network: a runtime, a line of progress, and what Ctrl-C does meanwhile.

use std::cell::OnceCell;
use std::future::Future;
use std::io::{self, IsTerminal as _, Write as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tokio::runtime::Runtime;

use super::{ask, say};
use crate::model::{CancellationToken, Progress, Sink};
use crate::ops::Result;
use crate::words::{clean, number};
use crate::{problem, t};

/// A runtime for work that may touch the network.
pub fn runtime() -> Result<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| problem!(Failed, "cli.runtime", reason = error))
}

/// One runtime for a whole command: connections are kept between waits, and end with the runtime that made them.
#[derive(Default)]
pub struct Waiting(OnceCell<Runtime>);

impl Drop for Waiting {
    fn drop(&mut self) {
        // A blocking read of standard input may still wait for a line; it must not keep the process.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl Waiting {
    /// Runs it to its end; `told` shows progress on a terminal. Ctrl-C or SIGTERM asks it to stop; a second one ends the process.
    pub fn run<T, F: Future<Output = Result<T>>>(&self, told: bool, work: impl FnOnce(Sink) -> F) -> Result<T> {
        let runtime = match self.0.get() {
            Some(runtime) => runtime,
            None => {
                let runtime = runtime()?;
                self.0.get_or_init(|| runtime)
            }
        };
        let cancel = CancellationToken::new();
        let meter = Meter::new(io::stderr().is_terminal() && told);
        let sink = match &meter {
            Some(meter) => {
                let meter = meter.clone();
                Sink::new(move |progress| meter.show(&progress), cancel.clone())
            }
            None => Sink::new(|_| {}, cancel.clone()),
        };
        let result = runtime.block_on(async {
            let watch = tokio::spawn(stop_on_signal(cancel));
            let result = work(sink).await;
            // Whoever did not wait for a refresh to end must not cut it off by ending.
            crate::ops::credentials::settled().await;
            watch.abort();
            result
        });
        if let Some(meter) = meter {
            meter.clear();
        }
        result
    }
}

async fn stop_on_signal(cancel: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return };
    let mut first = true;
    loop {
        tokio::select! {
            heard = tokio::signal::ctrl_c() => if heard.is_err() { return },
            _ = terminate.recv() => {}
        }
        if !first {
            // Nothing is dropped on this way out.
            ask::restore();
            std::process::exit(1);
        }
        first = false;
        say::remark(&format!("\n{}", t!("cli.stopping")));
        cancel.cancel();
    }
}

/// One line on standard error that says how far it is; redrawn at most ten times a second.
#[derive(Clone)]
struct Meter(std::sync::Arc<Mutex<Option<Instant>>>);

impl Meter {
    fn new(shown: bool) -> Option<Self> {
        shown.then(|| Self(std::sync::Arc::default()))
    }

    fn show(&self, progress: &Progress) {
        let mut last = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.is_some_and(|last| last.elapsed() < Duration::from_millis(100)) {
            return;
        }
        *last = Some(Instant::now());
        let _ = write!(io::stderr().lock(), "\r\u{1b}[K{}", progress_line(progress));
    }

    fn clear(&self) {
        if self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_some() {
            let _ = write!(io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}

fn progress_line(progress: &Progress) -> String {
    let mut parts = vec![clean::line(&progress.doing, 60)];
    match progress.total {
        Some(total) => parts.push(t!("cli.progress.of", n = number(progress.records), total = number(total))),
        None if progress.records > 0 => parts.push(t!("cli.progress.records", n = number(progress.records))),
        None => {}
    }
    if progress.rate >= 1.0 {
        parts.push(t!("cli.progress.rate", n = number(progress.rate as u64)));
    }
    if let Some(seconds) = progress.seconds_left {
        parts.push(t!("cli.progress.left", n = number(seconds)));
    }
    parts.join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_one_line() {
        let progress = Progress { doing: "reading page 3".into(), records: 1200, pages: 3, total: Some(2500), rate: 412.0, seconds_left: Some(4) };
        assert_eq!(progress_line(&progress), "reading page 3 · 1,200 of 2,500 · 412/s · 4 s left");
    }
}
