//! Counting what is missing from a stream of records, exactly.
//!
//! A producer numbers its records without holes, so a reader that follows each producer's sequence knows what it did not get. Three
//! things need care, and all readers share this one answer to them:
//!
//! - a Gap record of [`GapCause::is_of_producer`] stands in for the records that are missing up to its own sequence;
//! - after the relay was killed its successor may repeat a few records that the old one had passed on already: they are duplicates;
//! - a producer that was started again counts from 1 again, which its [`StatusCode::ProducerAttached`] record announces by a new run id.

use crate::control::{GapCause, StatusCode};
use crate::record::{Flags, Record};
use crate::venue::Venue;

/// What a record says about the ones before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Observation {
    /// Nothing is missing, or it is the first of its producer.
    InOrder,
    /// So many records of its producer are missing before it, or are those that a Gap record names.
    Missing(u64),
    /// It came before: skip it.
    Duplicate,
}

#[derive(Clone, Copy, Debug, Default)]
struct Producer {
    run_id: i64,
    expected: Option<u64>,
}

/// Follows the sequence of every producer in a stream.
#[derive(Clone, Debug)]
pub struct SequenceTracker {
    producers: Vec<Producer>,
    missing: u64,
    duplicates: u64,
}

impl Default for SequenceTracker {
    fn default() -> Self {
        SequenceTracker {
            producers: vec![Producer::default(); 256],
            missing: 0,
            duplicates: 0,
        }
    }
}

impl SequenceTracker {
    /// A tracker that has seen nothing.
    #[must_use]
    pub fn new() -> SequenceTracker {
        SequenceTracker::default()
    }

    /// Goes on where another tracker was: the producer of `venue`, in its life `run_id`, sends `next` as its next sequence. A run id of 0 or a
    /// sequence of 0 is not known.
    pub fn resume(&mut self, venue: Venue, run_id: i64, next: u64) {
        self.producers[usize::from(venue.0)] = Producer {
            run_id,
            expected: (next != 0).then_some(next),
        };
    }

    /// Takes note of the next record of the stream.
    pub fn observe(&mut self, record: &Record) -> Observation {
        if GapCause::of(record) == Some(GapCause::NotRecorded) && record.venue() == Venue::NONE {
            let count = record.size.saturating_sub(record.price).saturating_add(1);
            let count = u64::try_from(count).unwrap_or(0);
            self.lapped(count);
            return Observation::Missing(count);
        }
        let producer = &mut self.producers[usize::from(record.venue)];
        if record.flags().contains(Flags::FROM_RELAY) && GapCause::of(record).is_none() {
            if StatusCode::of(record) == Some(StatusCode::ProducerAttached) && producer.run_id != record.price {
                *producer = Producer {
                    run_id: record.price,
                    expected: u64::try_from(record.size).ok(),
                };
            }
            return Observation::InOrder;
        }
        let stands_in = GapCause::of(record).is_some_and(GapCause::is_of_producer);
        let expected = producer.expected.unwrap_or(record.sequence);
        if record.sequence < expected {
            self.duplicates += 1;
            return Observation::Duplicate;
        }
        let missing = match (stands_in, producer.expected) {
            (true, None) => u64::try_from(record.size.saturating_sub(record.price))
                .unwrap_or(0)
                .saturating_add(1),
            (true, Some(_)) => record.sequence - expected + 1,
            (false, _) => record.sequence - expected,
        };
        producer.expected = Some(record.sequence.wrapping_add(1));
        self.missing = self.missing.saturating_add(missing);
        if missing == 0 {
            Observation::InOrder
        } else {
            Observation::Missing(missing)
        }
    }

    /// The reader was lapped and missed `count` records of unknown producers: they are counted as missing, and every sequence is taken
    /// as it comes next, so that nothing is counted twice.
    pub fn lapped(&mut self, count: u64) {
        self.missing = self.missing.saturating_add(count);
        for producer in &mut self.producers {
            producer.expected = None;
        }
    }

    /// Records missing so far.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.missing
    }

    /// Records seen twice so far.
    #[must_use]
    pub fn duplicates(&self) -> u64 {
        self.duplicates
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::instrument::InstrumentId;

    fn trade(sequence: u64) -> Record {
        Record {
            kind: 1,
            venue: Venue::KRAKEN.0,
            sequence,
            ..Record::default()
        }
    }

    fn gap(first: i64, last: i64) -> Record {
        let record = GapCause::RingFull.record(Venue::KRAKEN, InstrumentId::NONE, 0, 0, first, last);
        Record {
            sequence: last as u64,
            ..record
        }
    }

    fn attached(run_id: i64, first: i64) -> Record {
        let record = StatusCode::ProducerAttached.record(Venue::KRAKEN, InstrumentId::NONE, 0, run_id, first);
        Record {
            flags: record.flags | Flags::FROM_RELAY.0,
            ..record
        }
    }

    #[test]
    fn a_jump_is_counted() {
        let mut tracker = SequenceTracker::new();
        assert_eq!(tracker.observe(&trade(41)), Observation::InOrder);
        assert_eq!(tracker.observe(&trade(42)), Observation::InOrder);
        assert_eq!(tracker.observe(&trade(45)), Observation::Missing(2));
        assert_eq!(tracker.missing(), 2);
    }

    #[test]
    fn a_gap_stands_in_for_what_it_names() {
        let mut tracker = SequenceTracker::new();
        tracker.observe(&trade(10));
        assert_eq!(tracker.observe(&gap(11, 14)), Observation::Missing(4));
        assert_eq!(tracker.observe(&trade(15)), Observation::InOrder);
        let mut late = SequenceTracker::new();
        assert_eq!(late.observe(&gap(11, 14)), Observation::Missing(4));
    }

    #[test]
    fn a_new_relay_may_repeat_and_a_new_run_starts_over() {
        let mut tracker = SequenceTracker::new();
        tracker.observe(&attached(7, 1));
        tracker.observe(&trade(1));
        tracker.observe(&trade(2));
        assert_eq!(tracker.observe(&attached(7, 2)), Observation::InOrder);
        assert_eq!(tracker.observe(&trade(2)), Observation::Duplicate);
        assert_eq!(tracker.observe(&trade(3)), Observation::InOrder);
        tracker.observe(&attached(8, 1));
        assert_eq!(tracker.observe(&trade(1)), Observation::InOrder);
        assert_eq!((tracker.missing(), tracker.duplicates()), (0, 1));
    }

    #[test]
    fn a_lap_is_counted_once() {
        let mut tracker = SequenceTracker::new();
        tracker.observe(&trade(1));
        tracker.lapped(100);
        assert_eq!(tracker.observe(&trade(102)), Observation::InOrder);
        assert_eq!(tracker.missing(), 100);
    }

    #[test]
    fn absurd_numbers_do_no_harm() {
        let mut tracker = SequenceTracker::new();
        tracker.observe(&gap(i64::MIN, i64::MAX));
        tracker.observe(&trade(u64::MAX));
        tracker.observe(&trade(0));
        tracker.lapped(u64::MAX);
    }
}
