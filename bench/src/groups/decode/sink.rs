//! Where every contender's records go: the ring that a collector publishes into.

use tickpath_protocol::{Flags, Record, Venue};
use tickpath_transport::producer_ring::{ProducerRing, RingOwner};
use tickpath_transport::spsc::{Consumer, Producer, RingCorrupt};

use crate::context::{BenchError, Result};

/// Slots: 192 KiB, as warm as a ring whose reader keeps up.
const CAPACITY: usize = 4_096;

/// When each frame was received.
const TS_RECV_NS: i64 = 1_783_465_203_977_459_000;

/// The writing end, and a reader that frees the whole ring when it is full, which costs nothing that shows.
pub struct Sink {
    producer: Producer<ProducerRing>,
    consumer: Consumer<ProducerRing>,
    venue: u8,
    sequence: u64,
}

impl Sink {
    /// An empty ring.
    ///
    /// # Errors
    /// If there is no memory for it.
    pub fn new(venue: Venue) -> Result<Sink> {
        let failed = |error: &dyn std::fmt::Display| BenchError::new("a ring for records", error.to_string());
        let owner = RingOwner {
            venue,
            name: "bench".into(),
            run_id: 1,
            pid: std::process::id(),
            first_sequence: 1,
        };
        let ring = ProducerRing::create(owner, CAPACITY).map_err(|error| failed(&error))?;
        Ok(Sink {
            producer: Producer::new(ring.clone()).map_err(|error| failed(&error))?,
            consumer: Consumer::new(ring).map_err(|error| failed(&error))?,
            venue: venue.0,
            sequence: 0,
        })
    }

    /// Completes a record and writes it.
    ///
    /// # Panics
    /// If the ring's own cursors contradict each other.
    #[inline(always)]
    pub fn put(&mut self, record: &Record) {
        self.sequence += 1;
        // As words: bytes that are written to memory one by one and read back as a word make the processor wait.
        let [mut head, _, mut ts_event, _, price, size] = record.to_words();
        head |= u64::from_le_bytes([0, self.venue, 0, 0, 0, 0, 0, 0]);
        if record.ts_event == Record::ABSENT {
            ts_event = TS_RECV_NS as u64;
            head |= u64::from_le_bytes([0, 0, Flags::NO_EVENT_TIME.0, 0, 0, 0, 0, 0]);
        }
        if self.producer.free(1).expect("nobody else has the ring") == 0 {
            self.free_all().expect("nobody else has the ring");
        }
        self.producer
            .push([head, self.sequence, ts_event, TS_RECV_NS as u64, price, size]);
    }

    /// Shows what was written: once a frame.
    #[inline]
    pub fn flush(&mut self) {
        self.producer.flush();
    }

    /// What was flushed since the last call, for those who compare. Sequences start from 0 again.
    ///
    /// # Panics
    /// If the ring's own cursors contradict each other.
    pub fn take(&mut self) -> Vec<Record> {
        let count = self.consumer.available().expect("nobody else has the ring");
        let records = (0..count)
            .map(|offset| Record::from_words(self.consumer.peek(offset)))
            .collect();
        self.consumer.commit(count);
        self.sequence = 0;
        records
    }

    #[cold]
    fn free_all(&mut self) -> std::result::Result<(), RingCorrupt> {
        self.producer.flush();
        loop {
            // What was counted before may be less than all.
            match self.consumer.available()? {
                0 => break,
                count => self.consumer.commit(count),
            }
        }
        self.producer.free(1).map(drop)
    }
}
