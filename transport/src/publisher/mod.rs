//! The producer's side: a ring of its own, kept attached to whatever relay there is.
//!
//! [`Publisher::publish`] and [`Publisher::flush`] touch memory alone. A small thread (`link.rs`) holds the socket: it says hello,
//! notices when the relay dies, and hands the same ring to the next one, which continues where the last one stopped.
//!
//! A full ring costs the newest records, never time: they are counted, and as soon as there is room one Gap record of
//! [`GapCause::RingFull`] takes their place in the sequence. So `sequence == records in the ring ever − gap records + dropped`.

mod link;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tickpath_protocol::{GapCause, Instrument, InstrumentId, InstrumentRow, InstrumentTable, Record, Scale, Venue};
use tracing::warn;

use self::link::{Link, LinkState};
use crate::clock::new_run_id;
use crate::counters::{Counter, CounterPage, Gauge};
use crate::error::TransportError;
use crate::message::Via;
use crate::producer_ring::{ProducerRing, RingOwner};
use crate::spsc::Producer;

/// How long a new publisher waits for a relay that may already know its instruments.
const FIRST_ATTACH_LIMIT: Duration = Duration::from_millis(500);
/// Flushes between two looks at how full the ring is.
const FLUSHES_PER_LOOK: u64 = 16;

/// What a publisher needs to know.
#[derive(Clone, Debug)]
pub struct PublisherConfig {
    /// The relay's socket.
    pub socket: PathBuf,
    /// The code that all its records carry; one live producer has it.
    pub venue: Venue,
    /// Its name, for people: `collector-kraken`.
    pub name: String,
    /// Records that fit the ring; a power of two.
    pub capacity: usize,
    /// How records get to the relay.
    pub via: Via,
}

/// Records that found the ring full and no Gap stands in for yet.
#[derive(Clone, Copy, Debug)]
struct OpenGap {
    first: u64,
    last: u64,
    since_ns: i64,
    until_ns: i64,
}

/// The one writer of a venue's records.
#[derive(Debug)]
pub struct Publisher {
    venue: Venue,
    run_id: u64,
    ring: Producer<ProducerRing>,
    instruments: InstrumentTable,
    /// Of the newest record, 0 before the first.
    sequence: u64,
    dropped: u64,
    gap: Option<OpenGap>,
    counted_sequence: u64,
    flushes: u64,
    /// The ring's `images_wanted` as last seen.
    images_seen: u64,
    counters: Counters,
    link: Arc<LinkState>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Counters {
    records: Counter,
    dropped: Counter,
    capacity: Gauge,
    used: Gauge,
}

impl Publisher {
    /// A publisher with an empty ring. Waits for a relay, half a second at most, to learn the instruments that it knows of this venue from
    /// an earlier life: their ids stay what they were. Works without a relay: records then wait in the ring.
    ///
    /// # Errors
    /// If there is no memory, or a relay refuses for good.
    pub fn new(config: PublisherConfig, page: &CounterPage) -> Result<Publisher, TransportError> {
        let owner = RingOwner {
            venue: config.venue,
            name: config.name,
            run_id: new_run_id(),
            pid: std::process::id(),
            first_sequence: 1,
        };
        let run_id = owner.run_id;
        let ring = ProducerRing::create(owner, config.capacity)?;
        let labels = format!("venue=\"{}\"", config.venue);
        let (link, thread) = Link::start(config.socket, config.via, ring.clone(), page, &labels)?;
        let counters = Counters {
            records: page.counter(
                "tickpath_publisher_records_total",
                &labels,
                "Records numbered, dropped ones too.",
            ),
            dropped: page.counter(
                "tickpath_publisher_dropped_total",
                &labels,
                "Records dropped because the ring was full.",
            ),
            capacity: page.gauge(
                "tickpath_publisher_ring_capacity_records",
                &labels,
                "Records that fit the ring.",
            ),
            used: page.gauge(
                "tickpath_publisher_ring_used_records",
                &labels,
                "Records in the ring as last seen.",
            ),
        };
        counters.capacity.set(config.capacity as i64);
        let mut publisher = Publisher {
            venue: config.venue,
            run_id,
            ring: Producer::new(ring)?,
            instruments: InstrumentTable::new(),
            sequence: 0,
            dropped: 0,
            gap: None,
            counted_sequence: 0,
            flushes: 0,
            images_seen: 0,
            counters,
            link,
            thread: Some(thread),
        };
        for row in publisher.link.wait_for_rows(FIRST_ATTACH_LIMIT)? {
            publisher.instruments.insert(row.decode()?)?;
            publisher.ring.memory().push_row(row)?;
        }
        Ok(publisher)
    }

    /// The id of an instrument: the one that it has, if all of this is known of it already, else a new one.
    ///
    /// # Errors
    /// If a text does not fit or the table is full.
    pub fn instrument(
        &mut self,
        symbol: &str,
        name: &str,
        scale: Scale,
        tick: i64,
        lot: i64,
    ) -> Result<InstrumentId, TransportError> {
        if let Some(known) = self.instruments.find(self.venue, symbol)
            && (known.name.as_str(), known.scale, known.tick, known.lot) == (name, scale, tick, lot)
        {
            return Ok(known.id);
        }
        let index = self.instruments.venue(self.venue).len() as u32;
        let instrument = Instrument {
            id: InstrumentId::new(self.venue, index),
            symbol: symbol.to_owned(),
            name: name.to_owned(),
            scale,
            tick,
            lot,
        };
        self.ring.memory().push_row(InstrumentRow::encode(&instrument)?)?;
        let id = instrument.id;
        self.instruments.insert(instrument)?;
        Ok(id)
    }

    /// The instruments of this venue so far.
    #[must_use]
    pub fn instruments(&self) -> &InstrumentTable {
        &self.instruments
    }

    /// Puts a record into the ring under this venue and the next sequence; visible after [`Publisher::flush`].
    ///
    /// Never blocks, allocates or makes a system call. If the ring is full the record is dropped and counted.
    pub fn publish(&mut self, mut record: Record) {
        self.sequence += 1;
        record.venue = self.venue.0;
        record.sequence = self.sequence;
        if self.gap.is_none() && self.has_room(1) {
            self.ring.push(record.to_words());
        } else {
            self.publish_tight(&record);
        }
    }

    /// Puts the records of one event into the ring, in order, as [`Publisher::publish`] does each: with one look at the free room for all.
    pub fn publish_all(&mut self, records: &[Record]) {
        if self.gap.is_some() || !self.has_room(records.len() as u64) {
            records.iter().for_each(|record| self.publish(*record));
            return;
        }
        let (venue, before) = (self.venue.0, self.sequence);
        self.sequence += records.len() as u64;
        self.ring
            .push_all(records.iter().zip(before + 1..).map(|(record, sequence)| {
                let record = Record {
                    venue,
                    sequence,
                    ..*record
                };
                record.to_words()
            }));
    }

    /// Shows everything published to the relay: one store with Release.
    pub fn flush(&mut self) {
        if self.gap.is_some() && self.has_room(1) {
            self.close_gap();
        }
        self.ring.flush();
        if self.counted_sequence != self.sequence {
            self.counters.records.add(self.sequence - self.counted_sequence);
            self.counted_sequence = self.sequence;
        }
        self.count_used();
    }

    /// Whether readers asked for whole books since the last call: publish an image of each. One relaxed load of a word that rarely changes,
    /// so it may stand in a loop.
    ///
    /// The relay passes requests on once a second at most. Those that came since the last call are one: the next images serve them all.
    pub fn take_image_request(&mut self) -> bool {
        let wanted = self.ring.memory().images_wanted();
        std::mem::replace(&mut self.images_seen, wanted) != wanted
    }

    /// Free slots by a fresh look at the relay's cursor, for those who can wait with what does not fit; 0 if the ring is broken.
    ///
    /// The look touches a line that the relay writes: it is for what is published now and then, not for every record.
    pub fn room(&mut self) -> u64 {
        self.free(u64::MAX)
    }

    /// Whether a relay has the ring.
    #[must_use]
    pub fn is_attached(&self) -> bool {
        self.link.is_attached()
    }

    /// Differs for each publisher ever made.
    #[must_use]
    pub fn run_id(&self) -> u64 {
        self.run_id
    }

    /// The sequence of the newest record, dropped or not; 0 before the first.
    #[must_use]
    pub fn sequence(&self) -> u64 {
        self.sequence
    }

    /// Records dropped because the ring was full.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Why no relay will ever take this publisher's records, if so: end the process and let it be started again.
    #[must_use]
    pub fn fatal(&self) -> Option<TransportError> {
        self.link.fatal()
    }

    /// Counts what waits in the ring. The relay's cursor stands on a line that the relay writes, so it is looked at now and then only.
    fn count_used(&mut self) {
        self.flushes = self.flushes.wrapping_add(1);
        if !self.flushes.is_multiple_of(FLUSHES_PER_LOOK) {
            return;
        }
        self.room();
        self.counters.used.set(self.ring.used() as i64);
    }

    /// Whether `wanted` slots are free. Before the answer is no, the relay is shown what waits, so that it can make room.
    fn has_room(&mut self, wanted: u64) -> bool {
        let has_room = self.free(wanted) >= wanted;
        if !has_room {
            self.ring.flush();
        }
        has_room
    }

    /// Free slots, at least `wanted` if there are so many; none in a broken ring, which ends this publisher.
    fn free(&mut self, wanted: u64) -> u64 {
        match self.ring.free(wanted) {
            Ok(free) => free,
            Err(corrupt) => {
                self.link.fail(corrupt.into());
                0
            }
        }
    }

    /// The ring is or was full: the record follows the Gap of those dropped before it, or joins them.
    #[cold]
    fn publish_tight(&mut self, record: &Record) {
        if self.gap.is_some() && self.has_room(2) {
            self.close_gap();
            self.ring.push(record.to_words());
            return;
        }
        let gap = self.gap.get_or_insert(OpenGap {
            first: record.sequence,
            last: record.sequence,
            since_ns: record.ts_recv,
            until_ns: record.ts_recv,
        });
        gap.last = record.sequence;
        gap.until_ns = record.ts_recv;
        self.dropped += 1;
        self.counters.dropped.add(1);
    }

    /// Puts the Gap that stands in for the dropped records into the ring, under the last one's sequence.
    fn close_gap(&mut self) {
        if let Some(gap) = self.gap.take() {
            let (first, last) = (gap.first as i64, gap.last as i64);
            let cause = GapCause::RingFull;
            let mut record = cause.record(self.venue, InstrumentId::NONE, gap.since_ns, gap.until_ns, first, last);
            record.sequence = gap.last;
            self.ring.push(record.to_words());
        }
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.flush();
        self.link.stop();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            warn!("the publisher's link thread panicked");
        }
    }
}
