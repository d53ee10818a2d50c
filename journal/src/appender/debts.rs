//! What an appender owes: Gap records for what was not kept, which come before anything else that is written.

use tickpath_protocol::{Flags, GapCause, InstrumentId, Record, Venue};

use super::Appender;
use crate::error::JournalError;

/// Gap records that may be owed at one time; beyond it what is lost of a further run is counted alone.
const OWED_MAX: usize = 64;

/// A Gap record that is to be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Owed {
    /// It stands in for stream positions of a run.
    Positions {
        /// The run.
        run_id: u64,
        /// The first.
        first: u64,
        /// The one after the last.
        next: u64,
        /// When the first was lost, ns since the Unix epoch.
        since_ns: i64,
    },
    /// It is made already, and covers no position.
    Record {
        /// The run before whose record it comes.
        run_id: u64,
        /// That record's position.
        position: u64,
        /// The Gap record.
        record: Record,
    },
}

impl Owed {
    fn run_id(&self) -> u64 {
        match self {
            Owed::Positions { run_id, .. } | Owed::Record { run_id, .. } => *run_id,
        }
    }

    /// Position, span and the record.
    fn gap(&self, now_ns: i64) -> (u64, u64, Record) {
        match *self {
            Owed::Record { position, record, .. } => (position, 0, record),
            Owed::Positions {
                first, next, since_ns, ..
            } => {
                let last = next - 1;
                let cause = GapCause::NotRecorded;
                let gap = cause.record(
                    Venue::NONE,
                    InstrumentId::NONE,
                    since_ns,
                    now_ns,
                    first as i64,
                    last as i64,
                );
                let record = Record {
                    flags: Flags::LAST.0,
                    sequence: last,
                    ..gap
                };
                (first, next - first, record)
            }
        }
    }
}

impl Appender {
    /// Does not keep `count` positions from `first_position` on: before the next records a Gap record is written that covers them.
    pub fn skip(&mut self, first_position: u64, count: u64) {
        let end = first_position.saturating_add(count);
        // What is written already was not lost.
        let first = first_position.max(self.next_position);
        if end <= first {
            return;
        }
        self.lost += end - first;
        let of_run = self.run_id;
        match self.owed.last_mut() {
            // A stream only goes on: what lies between two losses of a run is lost as well.
            Some(Owed::Positions { run_id, next, .. }) if *run_id == of_run => *next = end.max(*next),
            _ => self.owe(Owed::Positions {
                run_id: of_run,
                first,
                next: end,
                since_ns: tickpath_transport::now_ns(),
            }),
        }
    }

    /// Owes a Gap record that is not of the stream, before the record of `position`: it stands in for what an earlier run had.
    pub fn insert(&mut self, position: u64, record: &Record) {
        self.owe(Owed::Record {
            run_id: self.run_id,
            position,
            record: *record,
        });
    }

    fn owe(&mut self, owed: Owed) {
        if self.owed.len() < OWED_MAX {
            self.owed.push(owed);
        }
    }

    /// What was written from the next index and position up to these is gone. Older than anything that is owed already.
    pub(super) fn owe_rest(&mut self, to_index: u64, to: u64) {
        let (first_index, first) = (self.next_index, self.next_position);
        if first_index == to_index {
            return;
        }
        // What a Gap record stood in for was counted when it was lost.
        let gaps = self.gaps.iter().filter(|index| **index >= first_index).count() as u64;
        self.gaps.retain(|index| *index < first_index);
        self.lost += (to_index - first_index).saturating_sub(gaps);
        self.owed.insert(
            0,
            Owed::Positions {
                run_id: self.run_id,
                first,
                next: to.max(first + 1),
                since_ns: tickpath_transport::now_ns(),
            },
        );
    }

    /// Stream positions that were not kept so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Whether a Gap record is owed.
    #[must_use]
    pub fn is_owing(&self) -> bool {
        !self.owed.is_empty()
    }

    /// Writes the Gap records that are owed. The segment has room for a record then, or there is none.
    ///
    /// # Errors
    /// If they cannot be written yet.
    pub fn pay(&mut self) -> Result<(), JournalError> {
        loop {
            self.rescue()?;
            if self.segment.as_ref().is_some_and(|segment| segment.room() == 0) {
                self.finish()?;
                continue;
            }
            let Some(owed) = self.owed.first().copied() else {
                return Ok(());
            };
            self.write_gap(owed)?;
        }
    }

    /// A Gap of an earlier run gets a segment of its own: a segment is of one run.
    fn write_gap(&mut self, owed: Owed) -> Result<(), JournalError> {
        let now_ns = tickpath_transport::now_ns();
        let (position, span, record) = owed.gap(now_ns);
        let current = self.run_id;
        if owed.run_id() == current {
            self.write(position, span, &[record], &[now_ns])?;
            self.paid(owed);
            return Ok(());
        }
        self.finish()?;
        (self.run_id, self.next_position) = (owed.run_id(), 0);
        let mut result = self.write(position, span, &[record], &[now_ns]);
        if result.is_ok() {
            self.paid(owed);
            result = self.finish();
            self.abandon();
        }
        (self.run_id, self.next_position) = (current, 0);
        result
    }

    fn paid(&mut self, owed: Owed) {
        self.owed.retain(|other| *other != owed);
        let recorded = self.recorded.newest().next_index;
        self.gaps.retain(|index| *index >= recorded);
        self.gaps.push(self.next_index - 1);
    }
}
