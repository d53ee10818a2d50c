//! What travels from the reading to the writing thread, in a fixed number of reused chunks.

use std::sync::mpsc::{self, Receiver, SyncSender};

use tickpath_protocol::{Instrument, Record};

/// Records of a chunk.
pub const CHUNK_RECORDS: usize = 8192;
/// Chunks: together they hold what the broadcast ring holds by default.
pub const CHUNKS: usize = 32;

/// Part of the stream, in order.
#[derive(Debug)]
pub enum Part {
    /// What follows is of this run of the relay.
    Run(u64),
    /// What follows may name these.
    Instruments(Vec<Instrument>),
    /// So many of the chunk's records, with positions that run on by one.
    Records {
        /// Position of the first.
        first_position: u64,
        /// How many.
        count: usize,
    },
    /// Positions that were missed.
    Missed {
        /// The first.
        first_position: u64,
        /// How many.
        count: u64,
    },
    /// A Gap record of our own for what is missing before a position.
    Gap {
        /// The position.
        position: u64,
        /// The record.
        record: Record,
    },
}

/// Parts with their records.
#[derive(Debug)]
pub struct Chunk {
    /// In order.
    pub parts: Vec<Part>,
    /// Those of [`Part::Records`], one after the other.
    pub records: Vec<Record>,
    /// When each was published.
    pub published_ns: Vec<i64>,
}

impl Chunk {
    fn new() -> Chunk {
        Chunk {
            parts: Vec::with_capacity(64),
            records: Vec::with_capacity(CHUNK_RECORDS),
            published_ns: Vec::with_capacity(CHUNK_RECORDS),
        }
    }

    /// Adds a record.
    pub fn push(&mut self, position: u64, record: Record, published_ns: i64) {
        match self.parts.last_mut() {
            Some(Part::Records { first_position, count }) if *first_position + *count as u64 == position => *count += 1,
            _ => self.parts.push(Part::Records {
                first_position: position,
                count: 1,
            }),
        }
        self.records.push(record);
        self.published_ns.push(published_ns);
    }

    /// Records that still fit.
    pub fn room(&self) -> usize {
        CHUNK_RECORDS - self.records.len()
    }

    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Makes it empty.
    pub fn clear(&mut self) {
        self.parts.clear();
        self.records.clear();
        self.published_ns.clear();
    }
}

/// The reading thread's empty chunks.
#[derive(Debug)]
pub struct Pool(Receiver<Box<Chunk>>);

/// The reading thread's way to the writing thread: holds all chunks there are, so that sending never waits.
pub type FullChunks = SyncSender<Box<Chunk>>;

/// What the writing thread holds.
#[derive(Debug)]
pub struct WriterEnd {
    /// Full chunks come here.
    pub full: Receiver<Box<Chunk>>,
    /// Empty ones go here.
    pub empty: SyncSender<Box<Chunk>>,
}

impl Pool {
    /// All chunks, empty.
    pub fn new() -> (Pool, FullChunks, WriterEnd) {
        let (empty, pool) = mpsc::sync_channel(CHUNKS);
        let (chunks, full) = mpsc::sync_channel(CHUNKS);
        for _ in 0..CHUNKS {
            // There is room for all, and the other end is at hand.
            let sent = empty.try_send(Box::new(Chunk::new()));
            debug_assert!(sent.is_ok());
        }
        (Pool(pool), chunks, WriterEnd { full, empty })
    }

    /// An empty chunk, if there is one now.
    pub fn take(&self) -> Option<Box<Chunk>> {
        self.0.try_recv().ok()
    }
}
