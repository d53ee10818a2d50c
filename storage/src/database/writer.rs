//! The thread that keeps a session going: it begins one after the other until it is told to finish.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tickpath_service::room_for_runtime;
use tickpath_transport::CounterPage;
use tracing::{error, info, warn};

use super::Settings;
use super::error::DatabaseError;
use super::metrics::Metrics;
use super::schema;
use super::server::Server;
use super::session::{Committed, Surroundings, session};
use crate::journal::{Journal, JournalError};

/// First pause after a failure; each further one doubles it.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often the lag is published, and the request to finish looked for.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// The running writer. Dropping it without [`Writer::finish`] lets the thread go on until the process ends.
#[derive(Debug)]
pub struct Writer {
    thread: JoinHandle<()>,
    end: Arc<End>,
}

/// The request to finish.
#[derive(Debug, Default)]
struct End {
    wanted: Arc<AtomicBool>,
    deadline: Mutex<Option<Instant>>,
}

impl End {
    fn is_overdue(&self) -> bool {
        let deadline = *self.deadline.lock().unwrap_or_else(PoisonError::into_inner);
        deadline.is_some_and(|deadline| Instant::now() >= deadline)
    }
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// If thread or runtime cannot be made.
    pub fn start(settings: Settings, page: &CounterPage) -> Result<Writer, DatabaseError> {
        let page = page.clone();
        let end = Arc::new(End::default());
        let runtime = runtime()?;
        let thread = {
            let end = end.clone();
            std::thread::Builder::new().name("database".into()).spawn(move || {
                let metrics = Metrics::register(&page);
                runtime.block_on(keep_going(&settings, &metrics, &end));
            })?
        };
        Ok(Writer { thread, end })
    }

    /// Brings what is recorded by now, if that is done within `patience`, and ends. What is left is brought after the next start.
    pub fn finish(self, patience: Duration) {
        *self.end.deadline.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + patience);
        self.end.wanted.store(true, Ordering::Release);
        if self.thread.join().is_err() {
            error!("the database writer panicked");
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, DatabaseError> {
    room_for_runtime()?;
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}

/// Connects and looks at the schema, which it brings forward if `migrate`; says what is there.
///
/// # Errors
/// As connecting and looking do.
pub(super) fn probe(settings: &Settings, migrate: bool) -> Result<String, DatabaseError> {
    runtime()?.block_on(async {
        let server = Server::at(&settings.url)?;
        let mut connection = server.connect().await?;
        let schema = if migrate {
            schema::prepare(&mut connection.client).await?
        } else {
            schema::look(&connection.client).await?
        };
        let kept = match schema.flavor {
            schema::Flavor::Plain => "plain PostgreSQL, a partition a day",
            schema::Flavor::Timescale => "TimescaleDB",
        };
        let (found, known) = (schema.found, schema.known);
        Ok(format!(
            "{}: {kept}; {found} of {known} migrations were there",
            server.name()
        ))
    })
}

/// What was last said about the database, so that it is said once.
#[derive(Debug, Default)]
struct Health {
    trouble: Option<String>,
    since: Option<Instant>,
}

impl Health {
    fn failed(&mut self, failure: &DatabaseError) {
        let text = failure.to_string();
        self.since.get_or_insert_with(Instant::now);
        if self.trouble.as_ref() == Some(&text) {
            return;
        }
        if failure.is_configuration() {
            error!("{text}; recording goes on, and the database is tried again until this is mended");
        } else {
            warn!("{text}; recording goes on, and the database is tried again until it is there");
        }
        self.trouble = Some(text);
    }

    fn is_well(&mut self, what: &str) {
        self.trouble = None;
        match self.since.take() {
            Some(since) => info!(
                down_ms = since.elapsed().as_millis() as u64,
                "the database takes rows again: {what}"
            ),
            None => info!("the database takes rows: {what}"),
        }
    }
}

async fn keep_going(settings: &Settings, metrics: &Metrics, end: &End) {
    let committed = Cell::new(Committed::default());
    tokio::select! {
        () = sessions(settings, metrics, end, &committed) => {}
        () = watch(settings, metrics, end, &committed) => {
            warn!("the database did not take everything in time; the rest is brought after the next start");
        }
    }
    metrics.connected.set(0);
    publish(settings, metrics, committed.get());
}

/// Session after session; ends only if a finish is wanted.
async fn sessions(settings: &Settings, metrics: &Metrics, end: &End, committed: &Cell<Committed>) {
    let mut health = Health::default();
    let mut pause = PAUSE_MIN;
    loop {
        if !journal_begins(settings, end).await {
            return;
        }
        let around = Surroundings {
            settings,
            metrics,
            finish: end.wanted.clone(),
            committed,
        };
        let before = metrics.transactions.get();
        let mut was_there = false;
        let outcome = session(&around, |what| {
            was_there = true;
            health.is_well(what);
        })
        .await;
        metrics.connected.set(0);
        match outcome {
            Ok(()) => return,
            Err(failure) => {
                metrics.failures.add(1);
                health.failed(&failure);
            }
        }
        if metrics.transactions.get() > before {
            pause = PAUSE_MIN;
        }
        // At the end a database that was there a moment ago is worth another try; one that is away is not waited for.
        if end.wanted.load(Ordering::Acquire) {
            if !was_there {
                return;
            }
            pause = PAUSE_MIN;
        }
        let until = Instant::now() + pause;
        while Instant::now() < until && (!end.wanted.load(Ordering::Acquire) || pause == PAUSE_MIN) {
            tokio::time::sleep(LOOK_EVERY.min(pause)).await;
        }
        pause = (2 * pause).min(PAUSE_MAX);
    }
}

/// Waits for the first record ever: before it there is no journal, which is nothing to warn of. False if a finish is wanted instead.
async fn journal_begins(settings: &Settings, end: &End) -> bool {
    loop {
        match Journal::open(&settings.journal) {
            Err(JournalError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {}
            _ => return true,
        }
        if end.wanted.load(Ordering::Acquire) {
            return false;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Publishes how far the database is behind; ends when the time to finish is over.
async fn watch(settings: &Settings, metrics: &Metrics, end: &End, committed: &Cell<Committed>) {
    while !end.is_overdue() {
        publish(settings, metrics, committed.get());
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

fn publish(settings: &Settings, metrics: &Metrics, committed: Committed) {
    // A journal that cannot be read is the session's error to tell.
    let recorded = Journal::open(&settings.journal)
        .and_then(|journal| journal.recorded())
        .ok()
        .flatten();
    let Some(recorded) = recorded else { return };
    let behind = recorded.next_index.saturating_sub(committed.next_index);
    metrics.next_index.set(committed.next_index as i64);
    metrics.behind_records.set(behind as i64);
    let age_ns = match committed.last_recv_ns {
        0 => 0,
        last => tickpath_transport::now_ns().saturating_sub(last).max(0),
    };
    metrics.behind_ms.set(if behind == 0 { 0 } else { age_ns / 1_000_000 });
}
