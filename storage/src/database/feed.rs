//! The journal as batches of rows that are ready to be sent: a thread of its own, so that the next batch is made while one is sent.
//!
//! The thread does not talk to the database. What it needs of it, keys of runs and instruments, it asks for in the channel that it sends
//! batches by, and waits; this happens once an instrument and run.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tickpath_protocol::{Instrument, InstrumentId, Record};
use tokio::sync::{mpsc, oneshot};

use super::copy::{HEADER, Keys, TRAILER, append_row, filed_ns};
use super::error::DatabaseError;
use super::tables::Table;
use super::upkeep::day_of;
use crate::journal::{Batch, Cursor, Journal};

/// How long the thread sleeps when there is nothing new in the journal.
const NAP: Duration = Duration::from_millis(10);
/// Batches that may wait to be sent; one more is being made and one is being sent.
pub const BATCHES_AHEAD: usize = 1;

/// Rows of consecutive records, in the binary COPY format, by table.
#[derive(Debug, Default)]
pub struct Encoded {
    /// What is sent for each table; empty if there are no rows.
    pub bytes: [Vec<u8>; Table::COUNT],
    /// Rows for each table.
    pub rows: [u64; Table::COUNT],
    /// Index of the first record.
    pub first_index: u64,
    /// Index after the last record.
    pub next_index: u64,
    /// Days that there are rows of.
    pub days: Vec<(Table, i32)>,
    /// Times under which the oldest and the newest trade are filed.
    pub trades_ns: Option<(i64, i64)>,
    /// `ts_recv` of the last record.
    pub last_recv_ns: i64,
}

impl Encoded {
    /// Records in it.
    #[must_use]
    pub fn records(&self) -> u64 {
        self.next_index - self.first_index
    }

    fn clear(&mut self) {
        self.bytes.iter_mut().for_each(Vec::clear);
        self.rows = [0; Table::COUNT];
        self.days.clear();
        self.trades_ns = None;
    }

    /// Adds the row of a record.
    pub fn append(&mut self, record: &Record, keys: Keys) {
        let table = Table::of(record);
        let bytes = &mut self.bytes[table as usize];
        if bytes.is_empty() {
            bytes.extend_from_slice(&HEADER);
        }
        let filed = filed_ns(record);
        append_row(bytes, table, record, filed, keys);
        self.rows[table as usize] += 1;
        let day = (table, day_of(filed));
        if self.days.last() != Some(&day) && !self.days.contains(&day) {
            self.days.push(day);
        }
        if table == Table::Trades {
            let (oldest, newest) = self.trades_ns.unwrap_or((filed, filed));
            self.trades_ns = Some((oldest.min(filed), newest.max(filed)));
        }
        self.last_recv_ns = record.ts_recv;
    }

    /// Ends every COPY.
    pub fn finish(&mut self) {
        for bytes in self.bytes.iter_mut().filter(|bytes| !bytes.is_empty()) {
            bytes.extend_from_slice(&TRAILER);
        }
    }
}

/// What the thread says.
#[derive(Debug)]
pub enum Message {
    /// Rows to send.
    Rows(Box<Encoded>),
    /// The key of a run is wanted.
    Run(Run, oneshot::Sender<i32>),
    /// The keys of these instruments are wanted, in their order.
    Instruments(Vec<Instrument>, oneshot::Sender<Vec<i32>>),
    /// The journal could not be read; nothing follows.
    Failed(DatabaseError),
}

/// A run of the relay, as the journal has it from one of its batches on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// The relay's number of it.
    pub run_id: u64,
    /// Index of the first record of it that is brought.
    pub first_index: u64,
    /// Position of that record.
    pub first_position: u64,
}

/// How much goes into a batch.
#[derive(Clone, Copy, Debug)]
pub struct BatchLimits {
    /// Rows, about.
    pub rows: usize,
    /// How long a record waits for others.
    pub wait: Duration,
}

/// The thread's ends of its channels.
#[derive(Debug)]
pub struct Channels {
    /// What it says.
    pub messages: mpsc::Sender<Message>,
    /// Batches that were sent: their memory is used again.
    pub spent: std::sync::mpsc::Receiver<Box<Encoded>>,
    /// Set when it is to read what is recorded now, and end.
    pub finish: Arc<AtomicBool>,
}

/// The session has ended: there is nobody to tell.
#[derive(Debug)]
struct Hangup;

/// Reads the journal from `from_index` on until it is told to finish or nobody listens.
pub fn feed(journal: &Journal, from_index: u64, limits: BatchLimits, channels: Channels) {
    let messages = channels.messages.clone();
    let outcome = journal
        .cursor(from_index)
        .map_err(DatabaseError::from)
        .and_then(|cursor| {
            let mut feed = Feed {
                journal,
                cursor,
                limits,
                channels,
                batch: Batch::default(),
                keys: KeyCache::default(),
            };
            feed.run()
        });
    if let Err(error) = outcome
        && messages.blocking_send(Message::Failed(error)).is_err()
    {
        tracing::debug!("the session ended before the reader of the journal");
    }
}

struct Feed<'a> {
    journal: &'a Journal,
    cursor: Cursor,
    limits: BatchLimits,
    channels: Channels,
    batch: Batch,
    keys: KeyCache,
}

impl Feed<'_> {
    fn run(&mut self) -> Result<(), DatabaseError> {
        loop {
            let mut encoded = self.channels.spent.try_recv().unwrap_or_default();
            encoded.clear();
            let more = match self.fill(&mut encoded)? {
                Ok(more) => more,
                Err(Hangup) => return Ok(()),
            };
            encoded.finish();
            let is_empty = encoded.first_index == encoded.next_index;
            if !is_empty && self.channels.messages.blocking_send(Message::Rows(encoded)).is_err() {
                return Ok(());
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Fills a batch until it is large enough or its first record has waited long enough; `false` if nothing will follow.
    fn fill(&mut self, encoded: &mut Encoded) -> Result<Result<bool, Hangup>, DatabaseError> {
        encoded.first_index = self.cursor.position();
        encoded.next_index = encoded.first_index;
        let mut since = None;
        loop {
            // Asked before the end is looked for: what is recorded later need not be read any more.
            let finishing = self.channels.finish.load(Ordering::Acquire);
            let recorded = self.journal.recorded()?.map_or(0, |recorded| recorded.next_index);
            self.cursor.set_limit(recorded);
            while self.cursor.next(&mut self.batch)? {
                since.get_or_insert_with(Instant::now);
                if self.encode(encoded).is_err() {
                    return Ok(Err(Hangup));
                }
                if encoded.records() >= self.limits.rows as u64 {
                    return Ok(Ok(true));
                }
            }
            if finishing {
                return Ok(Ok(false));
            }
            if since.is_some_and(|since: Instant| since.elapsed() >= self.limits.wait) {
                return Ok(Ok(true));
            }
            if self.channels.messages.is_closed() {
                return Ok(Err(Hangup));
            }
            std::thread::sleep(NAP);
        }
    }

    fn encode(&mut self, encoded: &mut Encoded) -> Result<(), Hangup> {
        let batch = &self.batch;
        let run = self.keys.run(batch, &self.channels.messages)?;
        for (offset, record) in batch.records.iter().enumerate() {
            let instrument = match record.instrument() {
                InstrumentId::NONE => None,
                id => Some(match self.keys.instruments.get(id) {
                    Some(key) => key,
                    None => self.keys.learn(id, &self.cursor, &self.channels.messages)?,
                }),
            };
            let keys = Keys {
                run,
                instrument,
                position: batch.first_position + offset as u64,
            };
            encoded.append(record, keys);
        }
        encoded.next_index = batch.first_index + batch.records.len() as u64;
        Ok(())
    }
}

/// The database's keys of the current run and its instruments.
#[derive(Default)]
struct KeyCache {
    run: Option<(u64, i32)>,
    instruments: InstrumentKeys,
}

/// Keys by id, in two steps of indexing; 0, which the database gives to nothing, stands for an unknown one.
#[derive(Default)]
struct InstrumentKeys(Vec<Vec<i32>>);

impl InstrumentKeys {
    fn get(&self, id: InstrumentId) -> Option<i32> {
        let key = self.0.get(usize::from(id.venue().0))?.get(id.index())?;
        (*key != 0).then_some(*key)
    }

    fn set(&mut self, id: InstrumentId, key: i32) {
        let venue = usize::from(id.venue().0);
        if self.0.len() <= venue {
            self.0.resize_with(venue + 1, Vec::new);
        }
        let keys = &mut self.0[venue];
        if keys.len() <= id.index() {
            keys.resize(id.index() + 1, 0);
        }
        keys[id.index()] = key;
    }
}

impl KeyCache {
    fn run(&mut self, batch: &Batch, messages: &mpsc::Sender<Message>) -> Result<i32, Hangup> {
        if let Some((run_id, key)) = self.run
            && run_id == batch.run_id
        {
            return Ok(key);
        }
        let run = Run {
            run_id: batch.run_id,
            first_index: batch.first_index,
            first_position: batch.first_position,
        };
        let key = ask(messages, |reply| Message::Run(run, reply))?;
        // Another run may mean something else by the same ids.
        self.instruments = InstrumentKeys::default();
        self.run = Some((batch.run_id, key));
        Ok(key)
    }

    /// Asks for every instrument that has no key yet, so that a venue with thousands of them costs one question.
    fn learn(&mut self, id: InstrumentId, cursor: &Cursor, messages: &mpsc::Sender<Message>) -> Result<i32, Hangup> {
        let unknown = cursor
            .instruments()
            .iter()
            .filter(|known| self.instruments.get(known.id).is_none());
        let mut wanted: Vec<Instrument> = unknown.cloned().collect();
        if cursor.instruments().get(id).is_none() {
            wanted.push(nameless(id));
        }
        let ids: Vec<InstrumentId> = wanted.iter().map(|instrument| instrument.id).collect();
        let keys = ask(messages, |reply| Message::Instruments(wanted, reply))?;
        for (id, key) in ids.into_iter().zip(keys) {
            self.instruments.set(id, key);
        }
        self.instruments.get(id).ok_or(Hangup)
    }
}

/// A record that names an instrument which the journal has no row of is kept all the same, under the id's own text.
fn nameless(id: InstrumentId) -> Instrument {
    let text = format!("#{}", id.index());
    Instrument {
        id,
        symbol: text.clone(),
        name: text,
        scale: Default::default(),
        tick: 0,
        lot: 0,
    }
}

fn ask<T>(messages: &mpsc::Sender<Message>, question: impl FnOnce(oneshot::Sender<T>) -> Message) -> Result<T, Hangup> {
    let (reply, answer) = oneshot::channel();
    messages.blocking_send(question(reply)).map_err(|_| Hangup)?;
    answer.blocking_recv().map_err(|_| Hangup)
}
