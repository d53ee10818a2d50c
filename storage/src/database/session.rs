//! One connection's time: the schema, where to resume, then batch after batch, each in one transaction with the journal's progress.
//!
//! *Invariant:* a row is visible if and only if `journal_progress` says so, because one COMMIT makes both so. After anything goes wrong
//! the session ends, and the next one begins at what stands in the database; nothing that was made ready here is kept. A commit
//! whose answer was lost is thus found out by reading. A server process that still works on it holds the progress row's lock, so the
//! next transaction waits for it and then sees that the progress is not what it expected.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::SinkExt;
use tokio::sync::mpsc;
use tokio_postgres::{Client, SimpleQueryMessage, Statement};
use tracing::info;

use super::Settings;
use super::error::DatabaseError;
use super::feed::{BATCHES_AHEAD, BatchLimits, Channels, Encoded, Message, feed};
use super::keys;
use super::metrics::Metrics;
use super::schema;
use super::server::Server;
use super::tables::Table;
use super::upkeep::Upkeep;
use crate::journal::Journal;

/// Bytes of one message of a COPY: large enough that its header is nothing, small enough that the server is never idle.
const CHUNK_BYTES: usize = 256 << 10;
/// How often upkeep is looked at while no rows come.
const TEND_EVERY: Duration = Duration::from_millis(500);

/// How long the server may be silent within a batch. It may be waiting for a lock that somebody holds; much longer, and it is a connection on
/// which nothing comes any more although nobody closed it.
const ANSWER_MAX: Duration = Duration::from_secs(120);
/// The same for the schema and for upkeep, which may have to work through days of trades.
const UPKEEP_MAX: Duration = Duration::from_secs(1_800);

/// What has been committed, for whoever shows how far the database is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Committed {
    /// Index after the last record.
    pub next_index: u64,
    /// `ts_recv` of the last record that this process brought; 0 if none.
    pub last_recv_ns: i64,
}

/// A session's surroundings.
pub struct Surroundings<'a> {
    /// Where to, and how much at once.
    pub settings: &'a Settings,
    /// Counters.
    pub metrics: &'a Metrics,
    /// Set when what is recorded is to be brought, and then no more.
    pub finish: Arc<AtomicBool>,
    /// Told what is committed.
    pub committed: &'a std::cell::Cell<Committed>,
}

/// Brings rows until told to finish.
///
/// # Errors
/// Whatever ends the session.
pub async fn session(around: &Surroundings<'_>, connected: impl FnOnce(&str)) -> Result<(), DatabaseError> {
    let journal = Journal::open(&around.settings.journal)?;
    let server = Server::at(&around.settings.url)?;
    let mut connection = server.connect().await?;
    let client = &mut connection.client;
    let preparing = async {
        let schema = schema::prepare(client).await?;
        let upkeep = Upkeep::start(client, schema.flavor, around.settings.retention_days).await?;
        let next_index = keys::resume_at(client, &journal, around.metrics).await?;
        Ok((schema, upkeep, next_index, prepare_copies(client).await?))
    };
    let (schema, upkeep, next_index, copies) = within(UPKEEP_MAX, "preparing the tables", preparing).await?;
    around.committed.set(Committed {
        next_index,
        ..around.committed.get()
    });
    around.metrics.connected.set(1);
    connected(&format!(
        "{} ({}, from record {next_index})",
        server.name(),
        schema.flavor.name()
    ));

    let (sender, messages) = mpsc::channel(BATCHES_AHEAD);
    let (spent, returned) = std::sync::mpsc::channel();
    let channels = Channels {
        messages: sender,
        spent: returned,
        finish: around.finish.clone(),
    };
    let limits = BatchLimits {
        rows: around.settings.batch_rows,
        wait: around.settings.flush,
    };
    let reader = {
        let journal = journal.clone();
        std::thread::Builder::new()
            .name("database-feed".into())
            .spawn(move || feed(&journal, next_index, limits, channels))?
    };
    let mut session = Session {
        client,
        copies,
        upkeep,
        journal_id: journal.id(),
        around,
        spent,
    };
    let outcome = session.run(messages).await;
    // The receiver is gone with `run`, so the thread ends at its next message.
    if reader.join().is_err() {
        return Err(DatabaseError::FeedEnded);
    }
    outcome
}

async fn prepare_copies(client: &Client) -> Result<Vec<Statement>, DatabaseError> {
    let mut copies = Vec::with_capacity(Table::COUNT);
    for table in Table::ALL {
        let statement = client
            .prepare(&table.copy_statement())
            .await
            .map_err(DatabaseError::statement(format!("preparing COPY {}", table.name())))?;
        copies.push(statement);
    }
    Ok(copies)
}

struct Session<'a> {
    client: &'a mut Client,
    copies: Vec<Statement>,
    upkeep: Upkeep,
    journal_id: u64,
    around: &'a Surroundings<'a>,
    spent: std::sync::mpsc::Sender<Box<Encoded>>,
}

impl Session<'_> {
    async fn run(&mut self, mut messages: mpsc::Receiver<Message>) -> Result<(), DatabaseError> {
        loop {
            let Ok(message) = tokio::time::timeout(TEND_EVERY, messages.recv()).await else {
                within(ANSWER_MAX, "asking whether it is there", self.check_alive()).await?;
                self.tend().await?;
                continue;
            };
            match message {
                Some(Message::Rows(batch)) => {
                    self.bring(batch).await?;
                    self.tend().await?;
                }
                Some(Message::Run(run, reply)) => {
                    let asking = keys::run_key(self.client, self.journal_id, &run);
                    let key = within(ANSWER_MAX, "making the key of a run", asking).await?;
                    info!(run = key, run_id = run.run_id, "a run of the relay in the database");
                    answer(reply, key)?;
                }
                Some(Message::Instruments(instruments, reply)) => {
                    let asking = keys::instrument_keys(self.client, &instruments);
                    answer(
                        reply,
                        within(ANSWER_MAX, "making the keys of instruments", asking).await?,
                    )?;
                }
                Some(Message::Failed(error)) => return Err(error),
                None if self.around.finish.load(Ordering::Acquire) => return Ok(()),
                None => return Err(DatabaseError::FeedEnded),
            }
        }
    }

    async fn tend(&mut self) -> Result<(), DatabaseError> {
        within(UPKEEP_MAX, "upkeep", self.upkeep.tend(self.client)).await
    }

    /// A connection that died while nothing was to be sent is noticed all the same.
    async fn check_alive(&self) -> Result<(), DatabaseError> {
        self.client
            .batch_execute("")
            .await
            .map_err(DatabaseError::statement("asking whether the database is there"))
    }

    async fn bring(&mut self, mut batch: Box<Encoded>) -> Result<(), DatabaseError> {
        let started = Instant::now();
        within(ANSWER_MAX, "beginning a transaction", self.begin(&batch)).await?;
        let before = self.upkeep.before(self.client, &batch);
        within(ANSWER_MAX, "making room for a batch", before).await?;
        let mut sent_bytes = 0;
        for table in Table::ALL {
            let bytes = std::mem::take(&mut batch.bytes[table as usize]);
            if bytes.is_empty() {
                continue;
            }
            sent_bytes += bytes.len();
            let bytes = self.copy(table, bytes, batch.rows[table as usize]).await?;
            batch.bytes[table as usize] = bytes;
        }
        within(ANSWER_MAX, "COMMIT", async {
            let commit = self.client.batch_execute("COMMIT").await;
            commit.map_err(DatabaseError::statement("COMMIT"))
        })
        .await?;
        let metrics = self.around.metrics;
        metrics
            .transaction_ns
            .record(u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX));
        metrics.transactions.add(1);
        metrics.rows.add(batch.records());
        metrics.bytes.add(sent_bytes as u64);
        self.around.committed.set(Committed {
            next_index: batch.next_index,
            last_recv_ns: batch.last_recv_ns,
        });
        // The reader may have ended; then the memory is not needed again.
        drop(self.spent.send(batch));
        Ok(())
    }

    /// Begins the transaction with the progress, so that of two writers the second finds out before it sends a row.
    async fn begin(&self, batch: &Encoded) -> Result<(), DatabaseError> {
        let statement = format!(
            "BEGIN; UPDATE journal_progress SET next_index = {}, updated_at = now() WHERE journal_id = {} AND next_index = {}",
            batch.next_index, self.journal_id, batch.first_index
        );
        let answers = self
            .client
            .simple_query(&statement)
            .await
            .map_err(DatabaseError::statement("moving journal_progress"))?;
        match answers.last() {
            Some(SimpleQueryMessage::CommandComplete(1)) => Ok(()),
            _ => Err(DatabaseError::OtherWriter),
        }
    }

    /// Sends the rows of one table and gives the memory back.
    async fn copy(&self, table: Table, bytes: Vec<u8>, rows: u64) -> Result<Vec<u8>, DatabaseError> {
        let what = || DatabaseError::statement(format!("COPY {}", table.name()));
        let opening = async { self.client.copy_in(&self.copies[table as usize]).await.map_err(what()) };
        let mut sink = pin!(within(ANSWER_MAX, table.name(), opening).await?);
        let bytes = Bytes::from(bytes);
        let mut at = 0;
        while at < bytes.len() {
            let end = bytes.len().min(at + CHUNK_BYTES);
            let chunk = bytes.slice(at..end);
            within(ANSWER_MAX, table.name(), async {
                sink.feed(chunk).await.map_err(what())
            })
            .await?;
            at = end;
        }
        let taken = within(ANSWER_MAX, table.name(), async { sink.finish().await.map_err(what()) }).await?;
        if taken != rows {
            // A trigger or rule that swallows rows: they would be missing, so they are not committed.
            return Err(DatabaseError::Altered {
                table: table.name().to_owned(),
                problem: format!("of {rows} rows it took {taken}; a trigger or rule may swallow them"),
            });
        }
        Ok(bytes.into())
    }
}

/// What the server answers, if it does in time.
async fn within<T>(
    limit: Duration,
    what: &str,
    asking: impl Future<Output = Result<T, DatabaseError>>,
) -> Result<T, DatabaseError> {
    let overdue = |_| DatabaseError::Timeout {
        what: what.to_owned(),
        limit,
    };
    tokio::time::timeout(limit, asking).await.map_err(overdue)?
}

/// Whoever asked has ended only if the whole session is about to.
fn answer<T>(reply: tokio::sync::oneshot::Sender<T>, value: T) -> Result<(), DatabaseError> {
    reply.send(value).map_err(|_| DatabaseError::FeedEnded)
}
