//! The process that appends the stream to the journal.
//!
//! ```text
//!  broadcast ring ─▶ reading ──chunks──▶ writing ──finished segments──▶ sealing
//!                      ▲                    │  written up to …
//!                      └── empty chunks ────┤
//!                                           ▼
//!                                        syncing, every `sync_ms`
//! ```
//!
//! | thread | does | waits for |
//! |---|---|---|
//! | [`reading`] | ring → chunks | nobody: without an empty chunk it stays behind the ring, and may be lapped, which is counted and written down |
//! | [`writing`] | chunks → segments; what cannot be written is owed as a Gap record | the disk |
//! | [`syncing`] | brings what was written to the disk, and says so | the disk |
//! | [`sealing`] | hashes and seals finished segments, deletes the oldest beyond the limit | the disk |
//!
//! It goes on where it stopped: at the last position of the same relay run if the ring still has it, else at the oldest record of the relay
//! that there is. What is missing between is a Gap record.

mod chunk;
mod metrics;
mod reading;
mod sealing;
mod syncing;
mod writing;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tickpath_service::config::{Config, Wait};
use tickpath_service::lifecycle::PinError;
use tickpath_service::{Pulse, Shutdown, pin_current_thread};
use tickpath_transport::{
    CounterPage, Start, Subscription, SubscriptionConfig, TransportError, Via, WaitStrategy, urgency,
};
use tracing::{error, info, warn};

use crate::journal::file::{Disk, Medium};
use crate::journal::{Appender, JournalError, Recovered, Settings};
use chunk::Pool;
use metrics::Metrics;

/// The name at the relay and of the counter page.
pub const NAME: &str = "recorder";
/// Finished segments that may wait to be sealed.
const SEAL_QUEUE: usize = 16;

/// What the recorder needs to know.
#[derive(Clone, Debug)]
pub struct RecorderConfig {
    /// The relay's socket.
    pub socket: PathBuf,
    /// The journal's directory.
    pub dir: PathBuf,
    /// Records of a segment.
    pub segment_records: u64,
    /// Between two syncs.
    pub sync_every: Duration,
    /// Bytes that the journal may take; 0: any.
    pub size_bytes_max: u64,
    /// How the reading thread waits.
    pub wait: WaitStrategy,
    /// Core of the reading thread.
    pub pin: Option<usize>,
    /// Where files are made.
    pub medium: Arc<dyn Medium>,
}

impl RecorderConfig {
    /// As the configuration has it.
    #[must_use]
    pub fn of(config: &Config) -> RecorderConfig {
        RecorderConfig {
            socket: config.relay_socket(),
            dir: config.journal_dir(),
            segment_records: config.recorder.segment_records,
            sync_every: Duration::from_millis(config.recorder.sync_ms),
            size_bytes_max: config.recorder.size_bytes_max,
            wait: match config.recorder.wait {
                Wait::Spin => WaitStrategy::Spin,
                Wait::Yield => WaitStrategy::Yield,
                Wait::Sleep => WaitStrategy::Sleep,
            },
            pin: config.recorder.pin,
            medium: Arc::new(Disk),
        }
    }
}

/// Why the recorder does not start, or stopped.
#[derive(Debug, thiserror::Error)]
pub enum RecorderError {
    /// The journal cannot be written.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is no memory for counters.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// The core is not there.
    #[error(transparent)]
    Pin(#[from] PinError),
    /// A thread could not be started, or broke.
    #[error("thread {0}: {1}")]
    Thread(&'static str, String),
}

/// A recorder at work.
#[derive(Debug)]
pub struct Recorder {
    shutdown: Shutdown,
    reading: JoinHandle<Result<(), PinError>>,
    writing: JoinHandle<()>,
    syncing: JoinHandle<()>,
    sealing: JoinHandle<()>,
    synced: Arc<syncing::Shared>,
    page: CounterPage,
    pulses: [Pulse; 2],
}

impl Recorder {
    /// Opens the journal and starts the threads.
    ///
    /// # Errors
    /// If the journal cannot be had or a thread cannot be started.
    pub fn start(config: &RecorderConfig) -> Result<Recorder, RecorderError> {
        let page = CounterPage::create(NAME)?;
        let metrics = Arc::new(Metrics::new(&page));
        metrics.bytes_max.set(config.size_bytes_max as i64);
        let (seal_jobs, jobs) = mpsc::sync_channel(SEAL_QUEUE);
        let settings = Settings {
            segment_records: config.segment_records,
            medium: config.medium.clone(),
            sealer: Some(seal_jobs),
            ..Settings::default()
        };
        let appender = Appender::open(&config.dir, settings)?;
        tell(appender.recovered(), config, &metrics);
        let subscription = subscribe(config, &appender, &page);
        let has_past = appender.recovered().newest.is_some();

        let shutdown = Shutdown::new();
        let synced = Arc::new(syncing::Shared::new(appender.pending()));
        let (pool, chunks, writer_end) = Pool::new();
        let reader = reading::Reader::new(subscription, pool, chunks, metrics.clone(), &page, has_past);
        let pulses = [Pulse::new(), Pulse::new()];
        let [reading_pulse, writing_pulse] = pulses.clone();
        let (wait, pin, stop) = (config.wait, config.pin, shutdown.clone());
        let reading = spawn("reading", move || {
            pin_current_thread(pin)?;
            urgency::prompt();
            reader.run(wait, &stop, &reading_pulse);
            Ok(())
        })?;
        let writer = writing::Writer::new(appender, writer_end, synced.clone(), metrics.clone());
        let writing = spawn("writing", move || writer.run(&writing_pulse))?;
        let syncer = syncing::Syncer::new(synced.clone(), config.sync_every, metrics.clone(), &page);
        let syncing = spawn("syncing", move || syncer.run())?;
        let sealer = sealing::Sealer::new(config.dir.clone(), config.size_bytes_max, metrics);
        let sealing = spawn("sealing", move || sealer.run(&jobs))?;
        Ok(Recorder {
            shutdown,
            reading,
            writing,
            syncing,
            sealing,
            synced,
            page,
            pulses,
        })
    }

    /// Whether a thread ended that should not have.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.reading.is_finished() || self.writing.is_finished() || self.syncing.is_finished()
    }

    /// Its counters.
    #[must_use]
    pub fn page(&self) -> &CounterPage {
        &self.page
    }

    /// Of the reading and of the writing thread. The syncing and the sealing thread may wait for the disk as long as the disk takes.
    #[must_use]
    pub fn pulses(&self) -> &[Pulse] {
        &self.pulses
    }

    /// Stops reading, writes, syncs and seals what was read.
    ///
    /// # Errors
    /// If a thread broke, or the reading thread's core is not there.
    pub fn stop(self) -> Result<(), RecorderError> {
        let broke =
            |name: &'static str| move |_| RecorderError::Thread(name, "it panicked; its message is above".into());
        self.shutdown.request();
        let read = self.reading.join().map_err(broke("reading"))?;
        self.writing.join().map_err(broke("writing"))?;
        self.synced.stop();
        self.syncing.join().map_err(broke("syncing"))?;
        self.sealing.join().map_err(broke("sealing"))?;
        Ok(read?)
    }
}

fn subscribe(config: &RecorderConfig, appender: &Appender, page: &CounterPage) -> Subscription {
    let subscription = Subscription::new(
        SubscriptionConfig {
            socket: config.socket.clone(),
            name: NAME.to_owned(),
            start: Start::Oldest,
            via: Via::SharedMemory,
        },
        page,
    );
    let recovered = appender.recovered();
    match recovered.newest {
        Some(_) => {
            let recorded = recovered.recorded;
            subscription.resuming(recorded.run_id, recorded.next_position, recovered.producers.tracker())
        }
        None => subscription,
    }
}

fn spawn<T: Send + 'static>(
    name: &'static str,
    body: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, RecorderError> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(body)
        .map_err(|error| RecorderError::Thread(name, error.to_string()))
}

/// Says what was found in the directory.
fn tell(recovered: &Recovered, config: &RecorderConfig, metrics: &Metrics) {
    let dir = config.dir.display();
    let Some(newest) = &recovered.newest else {
        info!(%dir, "a new journal");
        return;
    };
    let segment = newest.display();
    let recorded = recovered.recorded;
    info!(%dir, next_index = recorded.next_index, run_id = recorded.run_id, position = recorded.next_position, "the journal goes on");
    if recovered.cut_bytes > 0 || recovered.leftovers > 0 {
        metrics.cut_bytes.add(recovered.cut_bytes);
        warn!(
            %segment,
            cut_bytes = recovered.cut_bytes,
            leftovers = recovered.leftovers,
            "the last recorder was cut off: what lies behind the last whole batch is left out"
        );
    }
    if recovered.header_repaired {
        metrics.damaged.add(1);
        error!(%segment, "one of the two copies of its header is damaged; the other is used");
    }
    if recovered.damaged_records > 0 {
        metrics.damaged.add(recovered.damaged_records);
        error!(%segment, records = recovered.damaged_records, "the newest segment is damaged: records that were on the disk cannot be read any more");
    }
}
