//! One producer: its ring in, checked records out.
//!
//! Every record takes one of four ways:
//!
//! | record | way |
//! |---|---|
//! | sequence below the next one due | a duplicate: left out, counted |
//! | of another venue, an unknown kind or instrument, a wrong scale, an absurd sequence, with a flag that is the relay's | refused: left out, counted, and missing |
//! | the next one due, or a Gap of the producer that stands in for what is missing | passed on |
//! | sequence above the next one due | a Gap of [`GapCause::RelayLoss`] stands in for what is missing, then it is passed on |
//!
//! So the records of a producer leave the relay numbered without holes, and readers count losses by sequence alone.
//!
//! A record stays in the ring until it stands in the stream. A relay that dies in between leaves it for the next one, which may repeat
//! it; readers know by its sequence.

use std::sync::atomic::Ordering;

use tickpath_protocol::instrument::InstrumentError;
use tickpath_protocol::{Flags, GapCause, InstrumentId, Kind, Record, StatusCode, Venue};
use tickpath_transport::TransportError;
use tickpath_transport::producer_ring::ProducerRing;
use tickpath_transport::spsc::{Consumer, SpscMemory};

use crate::BATCH_MAX;
use crate::metrics::IntakeMetrics;
use crate::outlet::Outlet;

/// Instrument rows copied at a turn, unless a record needs more.
const ROWS_PER_TURN_MAX: usize = 64;
/// How far a sequence may jump without a Gap of the producer. A producer that works never jumps: a higher one is a broken record, and to
/// believe it would make all that follow look like duplicates.
const JUMP_MAX: u64 = 1 << 20;

/// A producer's ring and what is known of its records.
#[derive(Debug)]
pub struct Intake {
    id: u64,
    venue: Venue,
    run_id: u64,
    ring: Consumer<ProducerRing>,
    rows_taken: usize,
    table_full: bool,
    /// The next sequence that the stream has no record of; all below are accounted for.
    due: u64,
    /// At or above `due`: what lies between is missing or was refused, and no Gap stands in for it yet.
    missing_to: u64,
    /// Set when the producer is gone: the position that its ring is read to.
    ends_at: Option<u64>,
    tally: Tally,
    metrics: IntakeMetrics,
}

/// What a batch adds to the counters.
#[derive(Debug, Default)]
struct Tally {
    lost_in_ring: u64,
    lost_at_relay: u64,
    refused: u64,
    duplicates: u64,
}

impl Intake {
    /// Takes over a ring where its last consumer stopped.
    pub fn new(id: u64, ring: ProducerRing, metrics: IntakeMetrics) -> Result<Intake, TransportError> {
        let due = ring.next_sequence();
        let owner = ring.owner();
        Ok(Intake {
            id,
            venue: owner.venue,
            run_id: owner.run_id,
            rows_taken: 0,
            table_full: false,
            due,
            missing_to: due,
            ends_at: None,
            tally: Tally::default(),
            metrics,
            ring: Consumer::new(ring)?,
        })
    }

    /// The number of the peer that brought it.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Tells readers that the producer is here.
    pub fn announce(&mut self, outlet: &mut Outlet) {
        outlet.set_producer_run(self.venue, self.run_id);
        self.metrics.attached.set(1);
        self.metrics.ring_capacity.set(self.ring.memory().capacity() as i64);
        outlet.begin_batch();
        self.write_status(StatusCode::ProducerAttached, self.due, outlet);
        outlet.end_batch();
    }

    /// The producer is gone: what it flushed until now is still to come.
    pub fn close(&mut self) {
        let produced = self.ring.memory().produced().load(Ordering::Acquire);
        // A ring that is broken is not read any further.
        let limit = self.ring.position().saturating_add(self.ring.memory().capacity());
        self.ends_at = Some(produced.min(limit));
    }

    /// Whether the producer is gone and all that it flushed was passed on.
    pub fn is_over(&self) -> bool {
        self.ends_at.is_some_and(|end| self.ring.position() >= end)
    }

    /// Tells readers that the producer is gone.
    pub fn bid_farewell(&mut self, outlet: &mut Outlet) {
        outlet.begin_batch();
        self.write_status(StatusCode::ProducerDetached, self.due - 1, outlet);
        outlet.end_batch();
        self.metrics.attached.set(0);
        self.metrics.ring_used.set(0);
    }

    /// Passes on up to [`BATCH_MAX`] records; how many there were.
    ///
    /// # Errors
    /// If the ring or its instrument rows cannot be: the producer is to be detached.
    pub fn turn(&mut self, outlet: &mut Outlet) -> Result<u64, TransportError> {
        let waiting = self.ring.available()?;
        self.take_rows(self.rows_taken + ROWS_PER_TURN_MAX, outlet)?;
        if waiting == 0 {
            return Ok(0);
        }
        let count = waiting.min(BATCH_MAX);
        outlet.begin_batch();
        for offset in 0..count {
            // Copied out of shared memory before a bit of it is looked at.
            let record = Record::from_words(self.ring.peek(offset));
            self.pass(&record, outlet)?;
        }
        if count == waiting {
            self.stand_in_for_missing(outlet.published_ns(), outlet);
        }
        outlet.end_batch();
        self.ring.commit(count);
        self.count(count, waiting);
        Ok(count)
    }

    fn pass(&mut self, record: &Record, outlet: &mut Outlet) -> Result<(), TransportError> {
        let sequence = record.sequence;
        if sequence < self.missing_to {
            self.tally.duplicates += 1;
            return Ok(());
        }
        if !self.is_acceptable(record, outlet)? {
            self.tally.refused += 1;
            if sequence - self.due <= JUMP_MAX {
                self.missing_to = sequence + 1;
            }
            return Ok(());
        }
        if GapCause::of(record).is_some_and(GapCause::is_of_producer) {
            self.tally.lost_in_ring += sequence - self.due + 1;
        } else {
            self.missing_to = sequence;
            self.stand_in_for_missing(record.ts_recv, outlet);
        }
        self.metrics
            .recv_to_publish
            .record_between(record.ts_recv, outlet.published_ns());
        outlet.write(record);
        self.due = sequence + 1;
        self.missing_to = self.due;
        Ok(())
    }

    /// Writes a Gap for everything from `due` up to `missing_to`, if there is anything; open since `since_ns`, as far as anyone knows.
    fn stand_in_for_missing(&mut self, since_ns: i64, outlet: &mut Outlet) {
        if self.missing_to <= self.due {
            return;
        }
        let (first, last) = (self.due, self.missing_to - 1);
        let (cause, now_ns) = (GapCause::RelayLoss, outlet.published_ns());
        let gap = cause.record(
            self.venue,
            InstrumentId::NONE,
            since_ns,
            now_ns,
            first as i64,
            last as i64,
        );
        outlet.write(&Record {
            sequence: last,
            flags: gap.flags | Flags::FROM_RELAY.0,
            ..gap
        });
        self.tally.lost_at_relay += last - first + 1;
        self.due = self.missing_to;
    }

    /// Whether a producer of this venue may send this record.
    fn is_acceptable(&mut self, record: &Record, outlet: &mut Outlet) -> Result<bool, TransportError> {
        let Some(kind) = record.kind() else {
            return Ok(false);
        };
        if record.venue() != self.venue || record.flags().contains(Flags::FROM_RELAY) {
            return Ok(false);
        }
        let due = self.due as i64;
        if GapCause::of(record).is_some_and(GapCause::is_of_producer) {
            let stands_in = record.size == record.sequence as i64 && (1..=record.size).contains(&record.price);
            let begins_here = record.price.saturating_sub(due) <= JUMP_MAX as i64;
            let has_successor = record.sequence < i64::MAX as u64;
            return Ok(stands_in && begins_here && has_successor && record.instrument() == InstrumentId::NONE);
        }
        if record.sequence - self.due > JUMP_MAX {
            return Ok(false);
        }
        let id = record.instrument();
        let is_market_data = matches!(kind, Kind::Trade | Kind::Quote | Kind::BookLevel | Kind::BookClear);
        if id == InstrumentId::NONE {
            return Ok(!is_market_data);
        }
        // Orders name the instruments of other venues; market data never does.
        if is_market_data && id.venue() != self.venue {
            return Ok(false);
        }
        if id.venue() == self.venue && id.index() >= self.rows_taken {
            self.take_rows(id.index() + 1, outlet)?;
        }
        Ok(match outlet.scale_of(id) {
            Some(scale) => !is_market_data || !kind.has_decimals() || record.scale == scale,
            None => false,
        })
    }

    /// Copies instrument rows of the ring to the stream, up to `wanted` in all.
    fn take_rows(&mut self, wanted: usize, outlet: &mut Outlet) -> Result<(), TransportError> {
        if self.table_full {
            return Ok(());
        }
        let count = self.ring.memory().row_count()?.min(wanted);
        while self.rows_taken < count {
            let instrument = self.ring.memory().row(self.rows_taken).decode()?;
            if instrument.venue() != self.venue {
                return Err(InstrumentError::Id(instrument.id.0).into());
            }
            match outlet.add_instrument(self.rows_taken, &instrument) {
                Ok(()) => self.rows_taken += 1,
                // The records of the instruments that found no room are refused one by one; the others go on.
                Err(TransportError::TableFull(_)) => {
                    self.table_full = true;
                    return Ok(());
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn write_status(&self, status: StatusCode, argument: u64, outlet: &mut Outlet) {
        let now_ns = outlet.published_ns();
        let (run_id, argument) = (self.run_id as i64, argument as i64);
        let record = status.record(self.venue, InstrumentId::NONE, now_ns, run_id, argument);
        outlet.write(&Record {
            sequence: self.due - 1,
            flags: record.flags | Flags::FROM_RELAY.0,
            ..record
        });
    }

    fn count(&mut self, taken: u64, waiting: u64) {
        let tally = std::mem::take(&mut self.tally);
        self.metrics.records_in.add(taken);
        self.metrics.ring_used.set((waiting - taken) as i64);
        for (counter, n) in [
            (&self.metrics.lost_in_ring, tally.lost_in_ring),
            (&self.metrics.lost_at_relay, tally.lost_at_relay),
            (&self.metrics.refused, tally.refused),
            (&self.metrics.duplicates, tally.duplicates),
        ] {
            if n > 0 {
                counter.add(n);
            }
        }
    }
}
