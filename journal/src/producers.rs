//! What each producer of the stream did last: enough for a recorder that starts again to tell what comes twice.

use tickpath_protocol::{Flags, GapCause, Kind, Record, SequenceTracker, StatusCode, Venue};

use super::header::ProducerState;

/// Follows every producer, as cheaply as can be: one store a record.
#[derive(Clone, Debug)]
pub struct Producers {
    runs: [i64; 256],
    next: [u64; 256],
}

impl Default for Producers {
    fn default() -> Self {
        Producers {
            runs: [0; 256],
            next: [0; 256],
        }
    }
}

impl Producers {
    /// Those of a header.
    #[must_use]
    pub fn of(states: &[ProducerState]) -> Producers {
        let mut producers = Producers::default();
        for state in states {
            producers.runs[usize::from(state.venue)] = state.run_id;
            producers.next[usize::from(state.venue)] = state.next_sequence;
        }
        producers
    }

    /// Takes note of records.
    pub fn note(&mut self, records: &[Record]) {
        for record in records {
            if record.kind == Kind::Status as u8 || record.kind == Kind::Gap as u8 {
                self.note_control(record);
            } else {
                self.next[usize::from(record.venue)] = record.sequence.wrapping_add(1);
            }
        }
    }

    fn note_control(&mut self, record: &Record) {
        let venue = usize::from(record.venue);
        match GapCause::of(record) {
            // What is missing there is unknown: every sequence is taken as it comes.
            Some(GapCause::NotRecorded) => self.next = [0; 256],
            None if record.flags().contains(Flags::FROM_RELAY) => {
                if StatusCode::of(record) == Some(StatusCode::ProducerAttached) && self.runs[venue] != record.price {
                    self.runs[venue] = record.price;
                    self.next[venue] = u64::try_from(record.size).unwrap_or(0);
                }
            }
            _ => self.next[venue] = record.sequence.wrapping_add(1),
        }
    }

    /// All that are known, in the form of a header.
    #[must_use]
    pub fn states(&self) -> Vec<ProducerState> {
        (1..=u8::MAX)
            .map(|venue| ProducerState {
                venue,
                run_id: self.runs[usize::from(venue)],
                next_sequence: self.next[usize::from(venue)],
            })
            .filter(|state| state.run_id != 0 || state.next_sequence != 0)
            .collect()
    }

    /// A tracker that goes on from here.
    #[must_use]
    pub fn tracker(&self) -> SequenceTracker {
        let mut tracker = SequenceTracker::new();
        for state in self.states() {
            tracker.resume(Venue(state.venue), state.run_id, state.next_sequence);
        }
        tracker
    }
}
