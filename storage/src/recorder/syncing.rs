//! The syncing thread: what was written becomes recorded.

use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use tickpath_transport::{CounterPage, LatencyHistogram, now_ns};
use tracing::error;

use super::metrics::Metrics;
use crate::journal::{JournalError, Pending};

/// What the writing thread tells the syncing thread.
#[derive(Debug)]
pub struct Shared {
    state: Mutex<State>,
    stopping: Condvar,
}

#[derive(Debug)]
struct State {
    pending: Pending,
    stop: bool,
}

impl Shared {
    /// Nothing beyond `pending` is written yet.
    pub fn new(pending: Pending) -> Shared {
        Shared {
            state: Mutex::new(State { pending, stop: false }),
            stopping: Condvar::new(),
        }
    }

    /// So much is written.
    pub fn set(&self, pending: Pending) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).pending = pending;
    }

    /// Ends the thread.
    pub fn stop(&self) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.stopping.notify_all();
    }

    /// After `pause`, what is written then; `None` if the thread is to end.
    fn wait(&self, pause: Duration) -> Option<Pending> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, _) = self
            .stopping
            .wait_timeout_while(state, pause, |state| !state.stop)
            .unwrap_or_else(PoisonError::into_inner);
        (!state.stop).then(|| state.pending.clone())
    }
}

/// See the module.
#[derive(Debug)]
pub struct Syncer {
    shared: Arc<Shared>,
    every: Duration,
    metrics: Arc<Metrics>,
    duration: LatencyHistogram,
}

impl Syncer {
    /// Syncs `every` so often.
    pub fn new(shared: Arc<Shared>, every: Duration, metrics: Arc<Metrics>, page: &CounterPage) -> Syncer {
        Syncer {
            shared,
            every,
            metrics,
            duration: page.latency(
                "tickpath_recorder_sync_ns",
                "",
                "Duration of a sync to the journal's disk.",
            ),
        }
    }

    /// Works until it is told to end.
    pub fn run(self) {
        let mut synced = None;
        while let Some(pending) = self.shared.wait(self.every) {
            if synced == Some(pending.next_index()) {
                self.metrics.synced_ns.set(now_ns());
                continue;
            }
            let start = now_ns();
            match pending.sync() {
                Ok(recorded) => {
                    self.duration.record_between(start, recorded.synced_ns);
                    self.metrics.recorded_index.set(recorded.next_index as i64);
                    self.metrics.recorded_position.set(recorded.next_position as i64);
                    self.metrics.synced_ns.set(recorded.synced_ns);
                    synced = Some(pending.next_index());
                }
                // The writing thread sees it too and writes what was not synced again.
                Err(JournalError::Poisoned { .. }) => {}
                Err(error) => {
                    self.metrics.sync_errors.add(1);
                    error!("{error}");
                }
            }
        }
    }
}
