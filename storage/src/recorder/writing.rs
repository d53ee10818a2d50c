//! The writing thread: from chunks to segments.

use std::sync::Arc;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use tickpath_service::Pulse;
use tracing::{error, info};

use super::chunk::{Chunk, Part, WriterEnd};
use super::metrics::Metrics;
use super::syncing::Shared;
use crate::journal::{Appender, JournalError};

/// How often an idle writer looks whether something is owed or a sync failed.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// First and longest pause before a disk that refused is tried again.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug)]
pub struct Writer {
    appender: Appender,
    chunks: WriterEnd,
    synced: Arc<Shared>,
    metrics: Arc<Metrics>,
    /// Since the disk refused: when to try again, and the pause after that.
    stopped: Option<(Instant, Duration)>,
    lost: u64,
}

impl Writer {
    /// Writes with `appender` what comes in `chunks`.
    pub fn new(appender: Appender, chunks: WriterEnd, synced: Arc<Shared>, metrics: Arc<Metrics>) -> Writer {
        Writer {
            appender,
            chunks,
            synced,
            metrics,
            stopped: None,
            lost: 0,
        }
    }

    /// Works until the reading thread is gone and all is written, a beat a chunk; then syncs and seals.
    pub fn run(mut self, pulse: &Pulse) {
        loop {
            pulse.beat();
            match self.chunks.full.recv_timeout(LOOK_EVERY) {
                Ok(mut chunk) => {
                    self.write(&chunk);
                    chunk.clear();
                    if self.chunks.empty.try_send(chunk).is_err() {
                        // The reading thread ended; what it sent before still comes.
                    }
                }
                Err(RecvTimeoutError::Timeout) => self.attempt(Appender::pay),
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.tell();
        }
        self.stopped = None;
        self.attempt(Appender::pay);
        self.attempt(Appender::seal);
        self.tell();
    }

    fn write(&mut self, chunk: &Chunk) {
        let (mut records, mut published_ns) = (chunk.records.as_slice(), chunk.published_ns.as_slice());
        for part in &chunk.parts {
            match part {
                Part::Run(run_id) => self.always(|appender| appender.begin_run(*run_id)),
                Part::Instruments(instruments) => {
                    for instrument in instruments {
                        self.always(|appender| appender.instrument(instrument));
                    }
                }
                Part::Missed { first_position, count } => self.appender.skip(*first_position, *count),
                Part::Gap { position, record } => self.appender.insert(*position, record),
                Part::Records { first_position, count } => {
                    let (these, rest) = records.split_at(*count);
                    let (times, times_rest) = published_ns.split_at(*count);
                    (records, published_ns) = (rest, times_rest);
                    self.append(*first_position, these, times);
                }
            }
        }
    }

    fn append(&mut self, first_position: u64, records: &[tickpath_protocol::Record], published_ns: &[i64]) {
        if self.is_pausing() {
            self.appender.skip(first_position, records.len() as u64);
        } else {
            self.attempt(|appender| appender.append(first_position, records, published_ns));
        }
    }

    fn is_pausing(&self) -> bool {
        self.stopped.is_some_and(|(until, _)| Instant::now() < until)
    }

    /// Does something that must be done even while the disk refuses.
    fn always(&mut self, action: impl FnOnce(&mut Appender) -> Result<(), JournalError>) {
        if let Err(error) = action(&mut self.appender) {
            self.stop(&error);
        }
    }

    /// Does something that writes, unless the disk refused a short time ago.
    fn attempt(&mut self, action: impl FnOnce(&mut Appender) -> Result<(), JournalError>) {
        if self.is_pausing() {
            return;
        }
        match action(&mut self.appender) {
            Ok(()) if self.stopped.is_some() && !self.appender.is_owing() => {
                self.stopped = None;
                self.metrics.stopped.set(0);
                info!(
                    next_index = self.appender.next_index(),
                    lost = self.appender.lost(),
                    "recording goes on"
                );
            }
            Ok(()) => {}
            Err(error) => self.stop(&error),
        }
    }

    /// The disk refused: said once, counted each time, tried again after a pause.
    fn stop(&mut self, error: &JournalError) {
        self.metrics.write_errors.add(1);
        let pause = match self.stopped {
            None => {
                let what = if error.is_full() {
                    "there is no room"
                } else {
                    "it cannot be written"
                };
                error!(
                    next_index = self.appender.next_index(),
                    "the journal stops at its last whole batch: {what}: {error}; the stream is read on, what is lost is counted, and it is tried again"
                );
                PAUSE_MIN
            }
            Some((_, pause)) => (pause * 2).min(PAUSE_MAX),
        };
        self.metrics.stopped.set(1);
        self.stopped = Some((Instant::now() + pause, pause));
    }

    fn tell(&mut self) {
        self.synced.set(self.appender.pending());
        let lost = self.appender.lost();
        self.metrics.lost.add(lost - std::mem::replace(&mut self.lost, lost));
        self.metrics.written_index.set(self.appender.next_index() as i64);
        let recorded = self.appender.recorded();
        self.metrics.recorded_index.set(recorded.next_index as i64);
        self.metrics.recorded_position.set(recorded.next_position as i64);
    }
}
