//! From a journal to Parquet: whole days, each partition once.
//!
//! A first look through the journal says what belongs where. What an earlier export wrote and the journal still says is left alone; the rest is
//! read once more, a day at a time, sorted, written beside its place, synced, and put in its place in one step.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tickpath_protocol::Venue;
use tickpath_service::Shutdown;

use super::date::Date;
use super::day::Day;
use super::error::ArchiveError;
use super::manifest::{Manifest, Origin, hex};
use super::names::Names;
use super::place::{ArchiveLock, remove_leftovers};
use super::row::Partition;
use super::scan::{Scan, Share};
use super::sort::{Order, Sorted, Sorter};
use super::source::JournalRows;
use super::{PART_BYTES, Progress, SORT_ROWS_MAX};
use crate::journal::Journal;

/// How long after its end a UTC day is taken for complete: records that were received just before midnight reach the journal just after it.
pub const DAY_GRACE_NS: i64 = 5 * 60 * 1_000_000_000;

/// What to export, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// This day alone, even if it is not over; `None`: every complete day.
    pub date: Option<Date>,
    /// This venue alone.
    pub venue: Option<Venue>,
    /// Now, ns since the Unix epoch.
    pub now_ns: i64,
    /// A file is closed when it has reached this size.
    pub part_bytes: u64,
    /// Rows held in memory while sorting.
    pub sort_rows_max: usize,
}

impl Options {
    /// Every complete day and venue.
    #[must_use]
    pub fn at(now_ns: i64) -> Options {
        Options {
            date: None,
            venue: None,
            now_ns,
            part_bytes: PART_BYTES,
            sort_rows_max: SORT_ROWS_MAX,
        }
    }

    /// Whether a day is over, and what was received on it is in the journal.
    #[must_use]
    pub fn is_complete(&self, date: Date) -> bool {
        Date::of_ns(self.now_ns.saturating_sub(DAY_GRACE_NS)) > date
    }
}

/// What an export did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Done {
    /// Partitions written.
    pub written: u64,
    /// Partitions that were there already, equal in all.
    pub unchanged: u64,
    /// Partitions that are there and of which the journal no longer holds all records: left alone.
    pub kept: u64,
    /// Rows written.
    pub rows: u64,
    /// Bytes of the files written.
    pub bytes: u64,
    /// Days that are not over, and so were left for later.
    pub open_days: Vec<Date>,
}

/// Exports a journal to the archive in `root`.
///
/// # Errors
/// As [`ArchiveError`] says. Partitions that were put in their place stay; there is no half of one.
pub fn export(
    journal: &Journal,
    root: &Path,
    options: &Options,
    progress: &dyn Progress,
    stop: &Shutdown,
) -> Result<Done, ArchiveError> {
    let _lock = begin(root, progress)?;
    let mut names = Names::default();
    let scan = Scan::of(journal, &mut names, progress)?;
    let mut done = Done::default();
    for date in dates(&scan, options, &mut done)? {
        let wanted = plan(&scan, journal, root, date, options, &mut done)?;
        if wanted.is_empty() {
            continue;
        }
        let day = Day {
            root,
            origin: Origin::Journal,
            journal: hex(journal.id()),
            gaps: &scan.gaps,
            options,
            date,
            progress,
            stop,
        };
        let sorted = sort(journal, &scan, &day, &wanted, &mut names)?;
        day.write(sorted, &names, &mut done)?;
    }
    Ok(done)
}

/// The rows of a day's partitions, read in one go.
fn sort(
    journal: &Journal,
    scan: &Scan,
    day: &Day<'_>,
    wanted: &BTreeSet<Partition>,
    names: &mut Names,
) -> Result<Vec<(Partition, Sorted)>, ArchiveError> {
    let shares = scan
        .of_date(day.date)
        .filter(|(partition, _)| wanted.contains(*partition));
    let (mut from, mut until) = (u64::MAX, 0);
    for (_, share) in shares {
        from = from.min(share.first);
        until = until.max(share.last + 1);
    }
    day.progress
        .begin(&format!("reading {}", day.date), until.saturating_sub(from));
    let mut sorter = Sorter::new(Order::Partition, day.options.sort_rows_max, day.root);
    let mut rows = JournalRows::open(journal, from, until)?;
    while rows.next(names, |row, names| {
        let partition = Partition::of(&row.record);
        if wanted.contains(&partition) {
            sorter.push(partition, row, names)
        } else {
            Ok(())
        }
    })? {
        day.progress.advance(rows.batch_records());
        day.go_on()?;
    }
    Ok(sorter.finish(names))
}

/// Locks an archive and clears away what an interrupted export left in it.
pub(super) fn begin(root: &Path, progress: &dyn Progress) -> Result<ArchiveLock, ArchiveError> {
    let lock = ArchiveLock::acquire(root)?;
    let leftovers = remove_leftovers(root)?;
    if leftovers > 0 {
        progress.note(&format!("deleted what an interrupted export left: {leftovers} folders"));
    }
    Ok(lock)
}

fn dates(scan: &Scan, options: &Options, done: &mut Done) -> Result<Vec<Date>, ArchiveError> {
    let dates = scan.dates();
    if let Some(date) = options.date {
        if !dates.contains(&date) {
            return Err(ArchiveError::NoData {
                origin: Origin::Journal,
                date,
                first: dates.first().copied(),
                last: dates.last().copied(),
            });
        }
        return Ok(vec![date]);
    }
    let (complete, open) = dates.into_iter().partition(|date| options.is_complete(*date));
    done.open_days = open;
    Ok(complete)
}

/// The partitions of a day that are to be written.
fn plan(
    scan: &Scan,
    journal: &Journal,
    root: &Path,
    date: Date,
    options: &Options,
    done: &mut Done,
) -> Result<BTreeSet<Partition>, ArchiveError> {
    let mut manifests = BTreeMap::new();
    for (partition, _) in scan.of_date(date) {
        if let Some(manifest) = Manifest::read(&root.join(partition.path()))? {
            if manifest.journal != hex(journal.id()) {
                let (known, journal) = (manifest.journal, hex(journal.id()));
                return Err(ArchiveError::OtherJournal {
                    partition: *partition,
                    known,
                    journal,
                });
            }
            manifests.insert(*partition, manifest);
        }
    }
    // The oldest segments may be gone. Then what is left of that day must not replace what was exported of all of it.
    let reaches_back = |manifest: &Manifest| {
        manifest
            .contents
            .first
            .is_none_or(|first| first.journal_index >= scan.first_index)
    };
    let is_cut = !manifests.values().all(reaches_back);
    let mut wanted = BTreeSet::new();
    for (partition, share) in scan.of_date(date) {
        if options.venue.is_some_and(|venue| venue != partition.venue) {
            continue;
        }
        match manifests.get(partition) {
            Some(manifest) if is_cut => {
                let exported = manifest.contents.last.map_or(0, |last| last.journal_index);
                if share.last > exported {
                    return Err(ArchiveError::Late {
                        partition: *partition,
                        exported,
                        found: share.last,
                    });
                }
                done.kept += 1;
            }
            Some(manifest) if is_current(manifest, scan, partition, share, options) => done.unchanged += 1,
            _ => {
                wanted.insert(*partition);
            }
        }
    }
    Ok(wanted)
}

fn is_current(manifest: &Manifest, scan: &Scan, partition: &Partition, share: &Share, options: &Options) -> bool {
    let contents = &manifest.contents;
    let (Some(first), Some(last)) = (contents.first, contents.last) else {
        return false;
    };
    // Records of a journal never change and their indexes are never reused: as many between the same two are the same.
    (contents.rows, first.journal_index, last.journal_index) == (share.rows, share.first, share.last)
        && manifest.partial != options.is_complete(partition.date)
        && manifest.gaps == scan.gaps(partition)
        && manifest.source == Origin::Journal
}
