//! One look through a journal: what of it belongs where. What was exported is compared with it, so that nothing is written twice.

use std::collections::BTreeMap;

use tickpath_protocol::Venue;

use super::Progress;
use super::date::Date;
use super::error::ArchiveError;
use super::manifest::{Gap, Gaps};
use super::names::Names;
use super::row::Partition;
use super::source::JournalRows;
use crate::journal::Journal;

/// How much of a partition the journal holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// Records.
    pub rows: u64,
    /// Lowest journal index.
    pub first: u64,
    /// Highest.
    pub last: u64,
}

/// What a journal holds.
#[derive(Debug, Default)]
pub struct Scan {
    /// Up to here, not with, the journal was read.
    pub next_index: u64,
    /// The oldest index that the journal still has.
    pub first_index: u64,
    /// Partitions.
    pub partitions: BTreeMap<Partition, Share>,
    /// Gap records by day and venue.
    pub gaps: BTreeMap<(Date, Venue), Gaps>,
}

impl Scan {
    /// Reads the whole journal up to what is recorded.
    ///
    /// # Errors
    /// If it is damaged or cannot be read.
    pub fn of(journal: &Journal, names: &mut Names, progress: &dyn Progress) -> Result<Scan, ArchiveError> {
        let first_index = journal.first_index()?.unwrap_or(0);
        let recorded = journal.recorded()?.map_or(u64::MAX, |recorded| recorded.next_index);
        let mut scan = Scan {
            first_index,
            next_index: first_index,
            ..Scan::default()
        };
        let known = if recorded == u64::MAX {
            0
        } else {
            recorded.saturating_sub(first_index)
        };
        progress.begin("looking through the journal", known);
        let mut rows = JournalRows::open(journal, first_index, recorded)?;
        // Records of one partition come in groups: the map is asked once for each.
        let mut group: Option<(Partition, Share)> = None;
        while rows.next(names, |row, names| {
            let partition = Partition::of(&row.record);
            match &mut group {
                Some((known, share)) if *known == partition => {
                    share.rows += 1;
                    share.last = row.index;
                }
                _ => {
                    let begun = Share {
                        rows: 1,
                        first: row.index,
                        last: row.index,
                    };
                    scan.add(group.replace((partition, begun)));
                }
            }
            if let Some(gap) = Gap::of(&row, names) {
                scan.gaps.entry((partition.date, partition.venue)).or_default().add(gap);
            }
            scan.next_index = row.index + 1;
            Ok(())
        })? {
            progress.advance(rows.batch_records());
        }
        scan.add(group);
        Ok(scan)
    }

    fn add(&mut self, group: Option<(Partition, Share)>) {
        let Some((partition, more)) = group else { return };
        let share = self.partitions.entry(partition).or_insert(Share { rows: 0, ..more });
        share.rows += more.rows;
        share.last = more.last;
    }

    /// The days that there are, in order.
    #[must_use]
    pub fn dates(&self) -> Vec<Date> {
        let mut dates: Vec<Date> = self.partitions.keys().map(|partition| partition.date).collect();
        dates.dedup();
        dates
    }

    /// The partitions of a day.
    pub fn of_date(&self, date: Date) -> impl Iterator<Item = (&Partition, &Share)> {
        self.partitions
            .iter()
            .filter(move |(partition, _)| partition.date == date)
    }

    /// What is missing from a venue's day: its own gaps and those of the whole stream, which name no venue.
    #[must_use]
    pub fn gaps(&self, partition: &Partition) -> Gaps {
        gaps_of(&self.gaps, partition)
    }
}

/// A venue's gaps of a day and, for a venue, those of the whole stream.
#[must_use]
pub fn gaps_of(gaps: &BTreeMap<(Date, Venue), Gaps>, partition: &Partition) -> Gaps {
    let of = |venue: Venue| gaps.get(&(partition.date, venue)).cloned().unwrap_or_default();
    let own = of(partition.venue);
    if partition.venue == Venue::NONE {
        own
    } else {
        own.with(&of(Venue::NONE))
    }
}
