//! The pace that a vendor allows, kept by all who ask it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedSemaphorePermit, Semaphore};

use super::retry::wait;
use crate::model::{Connector, Problem, Sink};
use crate::t;

/// The pace that the vendor allows, shared by all who ask it.
pub(super) struct Pace {
    lanes: Option<Arc<Semaphore>>,
    /// Requests in a window of time.
    window: Option<(usize, Duration)>,
    state: Mutex<PaceState>,
}

#[derive(Default)]
struct PaceState {
    /// When the last requests of the window began.
    begun: VecDeque<Instant>,
    /// The vendor asked all of us to wait until then.
    not_before: Option<Instant>,
}

impl Pace {
    pub(super) fn new(connector: &Connector) -> Self {
        let limit = &connector.limit;
        let lanes = limit.concurrency.filter(|n| *n > 0).map(|n| Arc::new(Semaphore::new(n as usize)));
        let window = limit.requests.filter(|n| *n > 0).map(|n| (n as usize, Duration::from_secs(limit.per.unwrap_or(1).max(1).into())));
        Self { lanes, window, state: Mutex::default() }
    }

    /// Waits until it is this request's turn. The permit is held while the request is under way.
    pub(super) async fn turn(&self, vendor: &str, sink: &Sink) -> Result<Option<OwnedSemaphorePermit>, Problem> {
        let permit = match &self.lanes {
            // The semaphore is never closed.
            Some(lanes) => Arc::clone(lanes).acquire_owned().await.ok(),
            None => None,
        };
        loop {
            let pause = self.claim(Instant::now()).await;
            if pause.is_zero() {
                return Ok(permit);
            }
            if pause < Duration::from_secs(1) {
                tokio::time::sleep(pause).await;
            } else {
                wait(pause, t!("vendor.waiting.pacing", vendor = vendor), vendor, sink).await?;
            }
        }
    }

    /// Takes a place in the window and returns zero, or says how long to wait before asking again.
    async fn claim(&self, now: Instant) -> Duration {
        let mut state = self.state.lock().await;
        if let Some(until) = state.not_before {
            if until > now {
                return until - now;
            }
            state.not_before = None;
        }
        if let Some((requests, per)) = self.window {
            while state.begun.front().is_some_and(|first| now.duration_since(*first) >= per) {
                state.begun.pop_front();
            }
            if state.begun.len() >= requests {
                return state.begun.front().map_or(Duration::ZERO, |first| per.saturating_sub(now.duration_since(*first)));
            }
            state.begun.push_back(now);
        }
        Duration::ZERO
    }

    pub(super) async fn hold(&self, pause: Duration) {
        let until = Instant::now() + pause;
        let mut state = self.state.lock().await;
        state.not_before = Some(state.not_before.map_or(until, |known| known.max(until)));
    }
}
