//! What a reader of the stream got, and why it did not get the rest. It follows sequences by itself, not with the code that it judges.
//!
//! For the certified producer, which numbers from 1 and is never started again, `published = delivered + counted` must hold to the record. Of all
//! other producers it is enough that no hole is unexplained, and that nothing comes twice or late within one life.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use tickpath_protocol::{Flags, GapCause, Kind, Record, StatusCode, Venue};

use crate::certified;

/// The certified records of one reader, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct Account {
    /// Certified records that came, each checked to the last bit.
    pub delivered: u64,
    /// Records that did not come, by the cause that was told. `silent`: nobody told anything.
    pub lost: BTreeMap<String, u64>,
    /// Newest sequence that is accounted for.
    pub last: u64,
    /// Records of the other producers.
    pub others: u64,
    /// Holes in the sequences of the others that nobody told of, records.
    pub others_silent: u64,
    /// Records of the certified venue that are none.
    pub torn: u64,
    /// Records that came before, or after a later one, of any producer.
    pub repeated: u64,
    /// The first things that were wrong, for people.
    pub examples: Vec<String>,
}

/// Cause of a loss that nobody told of.
pub const SILENT: &str = "silent";
/// Examples that are kept.
const EXAMPLES_MAX: usize = 8;

impl Account {
    /// Records lost for a cause.
    pub fn lose(&mut self, cause: &str, count: u64) {
        *self.lost.entry(cause.to_owned()).or_default() += count;
    }

    /// All that is missing.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.lost.values().sum()
    }

    /// Notes something that must not be.
    pub fn example(&mut self, text: impl FnOnce() -> String) {
        if self.examples.len() < EXAMPLES_MAX {
            self.examples.push(text());
        }
    }

    /// What breaks the promises, if `published` certified records were published.
    #[must_use]
    pub fn problems(&self, published: u64) -> Vec<String> {
        let mut problems = Vec::new();
        let mut check = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        let silent = self.lost.get(SILENT).copied().unwrap_or(0);
        check(silent == 0, format!("{silent} records lost silently"));
        check(
            self.others_silent == 0,
            format!("{} records of other producers lost silently", self.others_silent),
        );
        check(self.torn == 0, format!("{} records torn or foreign", self.torn));
        check(
            self.repeated == 0,
            format!("{} records repeated or late", self.repeated),
        );
        check(
            published == self.delivered + self.missing(),
            format!(
                "published {published} ≠ delivered {} + counted {}",
                self.delivered,
                self.missing()
            ),
        );
        if !problems.is_empty() {
            problems.extend(self.examples.iter().cloned());
        }
        problems
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Producer {
    run_id: i64,
    /// Next sequence; `None`: whatever comes.
    expected: Option<u64>,
    /// Records that the reader was told are missing before the next one.
    owed: u64,
    /// It was told that records of unknown producers are missing.
    overtaken: bool,
}

/// Follows the stream of one reader.
#[derive(Debug)]
pub struct Ledger {
    seed: u64,
    producers: Vec<Producer>,
    account: Account,
}

impl Ledger {
    /// Of a reader that was there before the certified producer began.
    #[must_use]
    pub fn new(seed: u64) -> Ledger {
        let mut producers = vec![Producer::default(); 256];
        producers[usize::from(certified::VENUE.0)].expected = Some(1);
        Ledger {
            seed,
            producers,
            account: Account::default(),
        }
    }

    /// What came out of it so far.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// The reader was told that records of a producer are missing before the next one.
    pub fn owe(&mut self, venue: Venue, count: u64) {
        self.producers[usize::from(venue.0)].owed += count;
    }

    /// The reader was told that records of whatever producers are missing here.
    pub fn overtaken(&mut self) {
        for producer in &mut self.producers {
            producer.overtaken = true;
        }
        self.forget_others();
    }

    /// Another relay: it may repeat no record, but the lives of the other producers may have changed unseen.
    pub fn forget_others(&mut self) {
        for (code, producer) in self.producers.iter_mut().enumerate() {
            if code != usize::from(certified::VENUE.0) {
                producer.expected = None;
            }
        }
    }

    /// The next record.
    pub fn observe(&mut self, record: &Record) {
        if GapCause::of(record) == Some(GapCause::NotRecorded) && record.venue() == Venue::NONE {
            return self.overtaken();
        }
        let cause = GapCause::of(record).filter(|cause| cause.is_of_producer());
        if record.flags().contains(Flags::FROM_RELAY) && cause.is_none() {
            return self.relay_says(record);
        }
        let is_certified = record.venue() == certified::VENUE;
        if is_certified && cause.is_none() {
            // Only trades are published under this venue: anything else is foreign.
            if record.kind() != Some(Kind::Trade) || !certified::is_certified(self.seed, record) {
                self.account.torn += 1;
                self.account.example(|| format!("torn or foreign: {record:?}"));
            }
        }
        self.count(record, cause, is_certified);
    }

    fn relay_says(&mut self, record: &Record) {
        let producer = &mut self.producers[usize::from(record.venue)];
        if StatusCode::of(record) == Some(StatusCode::ProducerAttached) && producer.run_id != record.price {
            producer.run_id = record.price;
            if record.venue() != certified::VENUE {
                producer.expected = u64::try_from(record.size).ok();
            }
        }
    }

    fn count(&mut self, record: &Record, cause: Option<GapCause>, is_certified: bool) {
        let producer = &mut self.producers[usize::from(record.venue)];
        let expected = producer.expected.unwrap_or(record.sequence);
        let (owed, overtaken) = (
            std::mem::take(&mut producer.owed),
            std::mem::take(&mut producer.overtaken),
        );
        let account = &mut self.account;
        if record.sequence < expected {
            account.repeated += 1;
            account.example(|| format!("expected {expected}, came {record:?}"));
            return;
        }
        producer.expected = Some(record.sequence + 1);
        let hole = record.sequence - expected;
        // A Gap record stands in for all up to its own sequence, and is itself no record of the producer.
        let (missing, told) = match cause {
            Some(cause) => (hole + 1, Some(cause.name())),
            None if hole > 0 && owed == hole => (hole, Some("missing")),
            None if overtaken => (hole, Some("overtaken")),
            None => (hole, None),
        };
        if missing > 0 && told.is_none() {
            account.example(|| format!("{missing} missing before {record:?}, told {owed}"));
        }
        if !is_certified {
            account.others += 1;
            account.others_silent += if told.is_none() { missing } else { 0 };
            return;
        }
        if missing > 0 {
            account.lose(told.unwrap_or(SILENT), missing);
        }
        account.delivered += u64::from(cause.is_none());
        account.last = record.sequence;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tickpath_protocol::InstrumentId;

    fn trade(sequence: u64) -> Record {
        certified::record(5, sequence, 1_700_000_000_000_000_000 + sequence as i64)
    }

    fn gap(cause: GapCause, first: i64, last: i64) -> Record {
        let record = cause.record(certified::VENUE, InstrumentId::NONE, 0, 0, first, last);
        Record {
            sequence: last as u64,
            ..record
        }
    }

    #[track_caller]
    fn check(feed: impl FnOnce(&mut Ledger), published: u64, problems: &[&str]) {
        let mut ledger = Ledger::new(5);
        feed(&mut ledger);
        let found = ledger.account().problems(published);
        for expected in problems {
            assert!(
                found.iter().any(|found| found.contains(expected)),
                "{expected} in {found:?}"
            );
        }
        assert_eq!(found.is_empty(), problems.is_empty(), "{found:?}");
    }

    #[test]
    fn every_loss_that_is_told_is_counted() {
        check(|ledger| (1..=9).for_each(|n| ledger.observe(&trade(n))), 9, &[]);
        let told = |ledger: &mut Ledger| {
            ledger.observe(&trade(1));
            ledger.observe(&gap(GapCause::RingFull, 2, 4));
            ledger.owe(certified::VENUE, 2);
            ledger.observe(&trade(7));
            ledger.overtaken();
            ledger.observe(&trade(10));
        };
        check(told, 10, &[]);
    }

    #[test]
    fn what_must_not_be_is_found() {
        let drops = |ledger: &mut Ledger| [1, 2, 4].into_iter().for_each(|n| ledger.observe(&trade(n)));
        check(drops, 4, &["1 records lost silently"]);
        let wrong_count = |ledger: &mut Ledger| {
            ledger.observe(&trade(1));
            ledger.owe(certified::VENUE, 1);
            ledger.observe(&trade(4));
        };
        check(wrong_count, 4, &["2 records lost silently"]);
        check(
            |ledger| [1, 2, 2].into_iter().for_each(|n| ledger.observe(&trade(n))),
            2,
            &["repeated"],
        );
        check(
            |ledger| [1, 3, 2].into_iter().for_each(|n| ledger.observe(&trade(n))),
            3,
            &["late"],
        );
        check(|ledger| ledger.observe(&trade(1)), 2, &["published 2 ≠ delivered 1"]);
        let torn = |ledger: &mut Ledger| ledger.observe(&Record { price: 1, ..trade(1) });
        check(torn, 1, &["torn"]);
        let foreign = |ledger: &mut Ledger| {
            ledger.observe(&Record {
                kind: Kind::Quote as u8,
                ..trade(1)
            });
        };
        check(foreign, 1, &["foreign"]);
    }

    #[test]
    fn other_producers_may_start_again_but_not_leave_holes() {
        let other = |sequence| Record {
            kind: Kind::Trade as u8,
            venue: Venue::KRAKEN.0,
            sequence,
            ..Record::default()
        };
        let attached = |run_id| {
            let record = StatusCode::ProducerAttached.record(Venue::KRAKEN, InstrumentId::NONE, 0, run_id, 1);
            Record {
                flags: record.flags | Flags::FROM_RELAY.0,
                ..record
            }
        };
        let restarted = |ledger: &mut Ledger| {
            [attached(1), other(1), other(2), attached(2), other(1)]
                .iter()
                .for_each(|record| ledger.observe(record));
        };
        check(restarted, 0, &[]);
        let hole = |ledger: &mut Ledger| {
            [attached(1), other(1), other(3)]
                .iter()
                .for_each(|record| ledger.observe(record))
        };
        check(hole, 0, &["1 records of other producers lost silently"]);
    }
}
