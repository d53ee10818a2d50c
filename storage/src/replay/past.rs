//! Where the past comes from: a journal, or the Parquet files of an archive, in the order in which it happened.

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};

use tickpath_protocol::{Instrument, InstrumentId, Kind, Scale, Venue};

use super::error::ReplayError;
use super::range::Range;
use crate::archive::place::inventory;
use crate::archive::reader::PartReader;
use crate::archive::sort::{Order, Sorted, Sorter};
use crate::archive::source::JournalRows;
use crate::archive::verify::hash_of;
use crate::archive::{ArchiveError, Date, Manifest, Names, Partition, Row, SORT_ROWS_MAX, Table};
use crate::journal::Journal;

/// Records in the order of their journal.
pub struct Past {
    path: PathBuf,
    range: Range,
    venue: Option<Venue>,
    names: Names,
    from: Source,
    rows: Vec<Row>,
    found: bool,
}

enum Source {
    Journal(Box<JournalRows>),
    /// Days that are left, newest first, and the one that is being read.
    Archive(Vec<Date>, Option<Box<Sorted>>, Scales),
}

/// Decimals of each symbol, by its key: in an archive only records with prices state them.
type Scales = HashMap<u32, Scale>;

impl Past {
    /// Opens a journal's or an archive's folder, or a folder within an archive.
    ///
    /// # Errors
    /// If it is neither, or cannot be read.
    pub fn open(path: &Path, range: Range, venue: Option<Venue>) -> Result<Past, ReplayError> {
        let from = if is_archive(path) {
            let mut dates: Vec<Date> = partitions(path, range, venue)?
                .iter()
                .map(|partition| partition.date)
                .collect();
            dates.dedup();
            dates.reverse();
            Source::Archive(dates, None, Scales::new())
        } else if is_journal(path) {
            let journal = Journal::open(path).map_err(ArchiveError::from)?;
            let first = journal.first_index().map_err(ArchiveError::from)?.unwrap_or(0);
            let recorded = journal.recorded().map_err(ArchiveError::from)?;
            let until = recorded.map_or(u64::MAX, |recorded| recorded.next_index);
            Source::Journal(Box::new(JournalRows::open(&journal, first, until)?))
        } else {
            return Err(ReplayError::Neither(path.to_owned()));
        };
        Ok(Past {
            path: path.to_owned(),
            range,
            venue,
            names: Names::default(),
            from,
            rows: Vec::new(),
            found: false,
        })
    }

    /// The next records, some thousand at most; none at the end.
    ///
    /// # Errors
    /// If the past cannot be read, or there is nothing of it in the range: [`ReplayError::Empty`].
    pub fn next_rows(&mut self) -> Result<&[Row], ReplayError> {
        loop {
            self.rows.clear();
            let is_over = !self.read()?;
            let (range, venue) = (self.range, self.venue);
            self.rows
                .retain(|row| range.holds(row.record.ts_recv) && venue.is_none_or(|venue| row.record.venue() == venue));
            self.found |= !self.rows.is_empty();
            if is_over && !self.found {
                return Err(ReplayError::Empty {
                    path: self.path.clone(),
                    range,
                });
            }
            if is_over || !self.rows.is_empty() {
                return Ok(&self.rows);
            }
        }
    }

    fn read(&mut self) -> Result<bool, ReplayError> {
        let rows = &mut self.rows;
        match &mut self.from {
            Source::Journal(journal) => Ok(journal.next(&mut self.names, |row, _| {
                rows.push(row);
                Ok(())
            })?),
            Source::Archive(days, open, scales) => {
                if let Some(day) = open {
                    day.next(1 << 14, rows)?;
                    if !rows.is_empty() {
                        return Ok(true);
                    }
                }
                let Some(date) = days.pop() else { return Ok(false) };
                *open = day(&self.path, date, self.range, self.venue, &mut self.names, scales)?.map(Box::new);
                Ok(true)
            }
        }
    }

    /// What is known of a row's instrument: all of it in a journal; without tick and lot, which Parquet does not hold, in an archive. `None`
    /// if nothing says its name or its decimals.
    #[must_use]
    pub fn instrument(&self, row: &Row) -> Option<Instrument> {
        let id = row.record.instrument();
        if id == InstrumentId::NONE {
            return None;
        }
        let scales = match &self.from {
            Source::Journal(journal) => return journal.instruments().get(id).cloned(),
            Source::Archive(_, _, scales) => scales,
        };
        let text = self.names.text(row.text)?;
        let name = text.name.as_ref().unwrap_or(&text.symbol);
        let scale = scale_of(row).or_else(|| scales.get(&row.text).copied())?;
        Some(Instrument {
            id,
            symbol: text.symbol.to_string(),
            name: name.to_string(),
            scale,
            tick: 0,
            lot: 0,
        })
    }
}

fn scale_of(row: &Row) -> Option<Scale> {
    let has_scale = row.record.kind().is_some_and(Kind::has_instrument_scale);
    has_scale.then(|| row.record.scale())
}

/// Every row of a day in the order of the journal.
fn day(
    root: &Path,
    date: Date,
    range: Range,
    venue: Option<Venue>,
    names: &mut Names,
    scales: &mut Scales,
) -> Result<Option<Sorted>, ReplayError> {
    let mut sorter = Sorter::new(Order::Journal, SORT_ROWS_MAX, root);
    // All of a day are one collection, whatever partition they come from.
    let all = Partition {
        date,
        venue: Venue::NONE,
        table: Table::Status,
    };
    for partition in partitions(root, range, venue)?
        .into_iter()
        .filter(|partition| partition.date == date)
    {
        let folder = root.join(partition.path());
        let manifest = Manifest::read(&folder)?.ok_or_else(|| ReplayError::not_whole(&folder))?;
        for file in &manifest.files {
            let path = folder.join(&file.name);
            if hash_of(&path)? != (file.bytes, file.blake3.clone()) {
                return Err(ReplayError::Damaged(path));
            }
            let mut reader = PartReader::open(&path, partition)?;
            while let Some(rows) = reader.next_group(names)? {
                for row in rows.into_iter().filter(|row| range.holds(row.record.ts_recv)) {
                    if let (Some(scale), true) = (scale_of(&row), row.text != Row::NO_TEXT) {
                        scales.entry(row.text).or_insert(scale);
                    }
                    sorter.push(all, row, names)?;
                }
            }
        }
    }
    Ok(sorter.finish(names).pop().map(|(_, sorted)| sorted))
}

fn partitions(root: &Path, range: Range, venue: Option<Venue>) -> Result<BTreeSet<Partition>, ReplayError> {
    let all = inventory(root)?.partitions.into_iter();
    let wanted =
        all.filter(|partition| range.meets(partition.date) && venue.is_none_or(|venue| partition.venue == venue));
    Ok(wanted.collect())
}

fn is_archive(path: &Path) -> bool {
    Table::ALL.iter().any(|table| path.join(table.name()).is_dir())
}

fn is_journal(path: &Path) -> bool {
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    entries
        .into_iter()
        .any(|entry| entry.path().extension().is_some_and(|extension| extension == "journal"))
}
