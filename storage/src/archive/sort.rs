//! Rows in order, within [`super::SORT_ROWS_MAX`] rows of memory however long the day was: an external merge sort.
//!
//! Rows are collected a partition. When memory is full, the largest collection is sorted and written to an unnamed temporary file as a run, by a
//! thread of its own while further rows come in; at the end its runs and what is still in memory are merged. Journals are nearly sorted, so within a symbol sorting is a look.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;

use zerocopy::{FromZeros, IntoBytes};

use super::error::ArchiveError;
use super::names::{Names, Ranks};
use super::row::{Partition, Row};

/// Rows of a run that are read at once while runs are merged: 80 KiB a run.
const MERGE_ROWS: usize = 1 << 10;

/// Which order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Of a partition: symbol, receive time, journal index.
    Partition,
    /// Of the journal.
    Journal,
}

type Key = (u32, i64, u64);

fn key(order: Order, ranks: &Ranks, row: &Row) -> Key {
    match order {
        Order::Partition => ranks.key(row),
        Order::Journal => (0, 0, row.index),
    }
}

/// Collects rows.
#[derive(Debug)]
pub struct Sorter {
    order: Order,
    rows_max: usize,
    scratch: PathBuf,
    held: usize,
    open: BTreeMap<Partition, Collection>,
    /// A run that is sorted and written while further rows are collected.
    spilling: Option<(Partition, JoinHandle<Spill>)>,
    /// Where the last run was sorted into: memory that is there already is faster than new one.
    spare: Vec<Row>,
}

#[derive(Debug, Default)]
struct Collection {
    rows: Vec<Row>,
    spilled: Option<Spilled>,
    /// A run that could not be written: told when the rows are asked for.
    failed: Option<Box<ArchiveError>>,
}

type Spill = Result<(Spilled, Vec<Row>), ArchiveError>;

/// Sorted runs of one partition in one file, as rows.
#[derive(Debug)]
struct Spilled {
    file: File,
    path: PathBuf,
    /// First row and row after the last of each run.
    runs: Vec<(u64, u64)>,
}

impl Sorter {
    /// Holds up to `rows_max` rows in memory, and half as many while a run is sorted, and puts the rest into files in `scratch`, which vanish
    /// with the process.
    #[must_use]
    pub fn new(order: Order, rows_max: usize, scratch: &Path) -> Sorter {
        Sorter {
            order,
            // One half is collected while the other is sorted and written.
            rows_max: rows_max.div_ceil(2).max(1),
            scratch: scratch.to_owned(),
            held: 0,
            open: BTreeMap::new(),
            spilling: None,
            spare: Vec::new(),
        }
    }

    /// Takes a row of a partition.
    ///
    /// # Errors
    /// If an earlier run could not be written.
    pub fn push(&mut self, partition: Partition, row: Row, names: &Names) -> Result<(), ArchiveError> {
        if self.held >= self.rows_max {
            self.spill_largest(names)?;
        }
        self.open.entry(partition).or_default().rows.push(row);
        self.held += 1;
        Ok(())
    }

    fn spill_largest(&mut self, names: &Names) -> Result<(), ArchiveError> {
        self.join();
        let all = self.open.iter_mut();
        let Some((partition, largest)) = all.max_by_key(|(_, collection)| collection.rows.len()) else {
            return Ok(());
        };
        if let Some(error) = largest.failed.take() {
            return Err(*error);
        }
        let (order, ranks, scratch) = (self.order, names.ranks(), self.scratch.clone());
        let (rows, spilled) = (std::mem::take(&mut largest.rows), largest.spilled.take());
        let spare = std::mem::take(&mut self.spare);
        self.held -= rows.len();
        let spill = move || {
            let mut spilled = match spilled {
                Some(spilled) => spilled,
                None => Spilled::create(&scratch)?,
            };
            let rows = sorted(order, rows, spare, &ranks);
            spilled.append(&rows)?;
            Ok((spilled, rows))
        };
        let thread = std::thread::Builder::new().name("sort".into()).spawn(spill);
        let thread = thread.map_err(ArchiveError::io("cannot start a thread to sort in", &self.scratch))?;
        self.spilling = Some((*partition, thread));
        Ok(())
    }

    /// Waits for the run that is being written.
    fn join(&mut self) {
        let Some((partition, thread)) = self.spilling.take() else {
            return;
        };
        let collection = self.open.entry(partition).or_default();
        match thread.join() {
            Ok(Ok((spilled, rows))) => {
                collection.spilled = Some(spilled);
                self.spare = rows;
            }
            Ok(Err(error)) => collection.failed = Some(Box::new(error)),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    }

    /// Every partition with its rows, each in order.
    #[must_use]
    pub fn finish(mut self, names: &Names) -> Vec<(Partition, Sorted)> {
        self.join();
        let ranks = names.ranks();
        let order = self.order;
        let open = self.open.into_iter();
        open.map(|(partition, collection)| (partition, Sorted::new(order, collection, ranks.clone())))
            .collect()
    }
}

impl Spilled {
    fn create(scratch: &Path) -> Result<Spilled, ArchiveError> {
        let file =
            tempfile::tempfile_in(scratch).map_err(ArchiveError::io("cannot make a temporary file in", scratch))?;
        Ok(Spilled {
            file,
            path: scratch.to_owned(),
            runs: Vec::new(),
        })
    }

    fn append(&mut self, rows: &[Row]) -> Result<(), ArchiveError> {
        let first = self.runs.last().map_or(0, |(_, end)| *end);
        self.file
            .write_all(rows.as_bytes())
            .map_err(ArchiveError::io("cannot write a temporary file in", &self.path))?;
        self.runs.push((first, first + rows.len() as u64));
        Ok(())
    }

    fn read(&self, from: u64, rows: &mut [Row]) -> Result<(), ArchiveError> {
        self.file
            .read_exact_at(rows.as_mut_bytes(), from * Row::SIZE_BYTES as u64)
            .map_err(ArchiveError::io("cannot read a temporary file in", &self.path))
    }
}

/// Rows in order: scattered by symbol, which keeps the journal's order within a symbol, then sorted where that is not yet the order.
fn sorted(order: Order, mut rows: Vec<Row>, mut scattered: Vec<Row>, ranks: &Ranks) -> Vec<Row> {
    if order == Order::Journal {
        sort_if_needed(&mut rows, |row| (0, 0, row.index));
        return rows;
    }
    let mut ends = vec![0usize; ranks.count() + 1];
    for row in &rows {
        ends[ranks.of(row) as usize + 1] += 1;
    }
    for rank in 1..ends.len() {
        ends[rank] += ends[rank - 1];
    }
    let starts = ends.clone();
    // Every place is written below.
    scattered.resize(rows.len(), Row::new_zeroed());
    for row in &rows {
        let at = &mut ends[ranks.of(row) as usize];
        scattered[*at] = *row;
        *at += 1;
    }
    for rank in 0..ranks.count() {
        sort_if_needed(&mut scattered[starts[rank]..starts[rank + 1]], |row| {
            (0, row.record.ts_recv, row.index)
        });
    }
    scattered
}

fn sort_if_needed(rows: &mut [Row], key: impl Fn(&Row) -> Key) {
    if !rows.is_sorted_by_key(&key) {
        rows.sort_by_key(key);
    }
}

/// The rows of one partition, in order.
#[derive(Debug)]
pub struct Sorted {
    order: Order,
    ranks: Ranks,
    rows: Vec<Row>,
    spilled: Option<Spilled>,
    failed: Option<Box<ArchiveError>>,
    total: u64,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was read yet.
    Fresh,
    /// All in memory, read up to here.
    Memory(usize),
    /// Runs in a file and one in memory.
    Merge(Vec<Run>, BinaryHeap<Reverse<(Key, usize)>>),
}

/// A run while it is merged: `rows[at]` is its next row.
#[derive(Debug)]
struct Run {
    rows: Vec<Row>,
    at: usize,
    next: u64,
    end: u64,
}

impl Sorted {
    fn new(order: Order, collection: Collection, ranks: Ranks) -> Sorted {
        let spilled = collection
            .spilled
            .as_ref()
            .and_then(|spilled| spilled.runs.last())
            .map_or(0, |(_, end)| *end);
        Sorted {
            order,
            ranks,
            total: spilled + collection.rows.len() as u64,
            rows: collection.rows,
            spilled: collection.spilled,
            failed: collection.failed,
            state: State::Fresh,
        }
    }

    /// How many rows there are in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The next rows, `max` at most; none at the end.
    ///
    /// # Errors
    /// If a run cannot be read.
    pub fn next(&mut self, max: usize, out: &mut Vec<Row>) -> Result<(), ArchiveError> {
        out.clear();
        if matches!(self.state, State::Fresh) {
            self.start()?;
        }
        match &mut self.state {
            State::Fresh => {}
            State::Memory(at) => {
                let end = (*at + max).min(self.rows.len());
                out.extend_from_slice(&self.rows[*at..end]);
                *at = end;
            }
            State::Merge(runs, heap) => {
                while out.len() < max {
                    let Some(Reverse((_, which))) = heap.pop() else { break };
                    let run = &mut runs[which];
                    out.push(run.rows[run.at]);
                    run.at += 1;
                    if run.at == run.rows.len() {
                        run.fill(self.spilled.as_ref())?;
                    }
                    if let Some(row) = run.rows.get(run.at) {
                        heap.push(Reverse((key(self.order, &self.ranks, row), which)));
                    }
                }
            }
        }
        Ok(())
    }

    fn start(&mut self) -> Result<(), ArchiveError> {
        if let Some(error) = self.failed.take() {
            return Err(*error);
        }
        self.rows = sorted(self.order, std::mem::take(&mut self.rows), Vec::new(), &self.ranks);
        let Some(spilled) = &self.spilled else {
            self.state = State::Memory(0);
            return Ok(());
        };
        let mut runs: Vec<Run> = Vec::new();
        for (first, end) in &spilled.runs {
            let mut run = Run {
                rows: Vec::new(),
                at: 0,
                next: *first,
                end: *end,
            };
            run.fill(Some(spilled))?;
            runs.push(run);
        }
        runs.push(Run {
            rows: std::mem::take(&mut self.rows),
            at: 0,
            next: 0,
            end: 0,
        });
        let firsts = runs.iter().enumerate();
        let heap =
            firsts.filter_map(|(which, run)| Some(Reverse((key(self.order, &self.ranks, run.rows.first()?), which))));
        let heap = heap.collect();
        self.state = State::Merge(runs, heap);
        Ok(())
    }
}

impl Run {
    fn fill(&mut self, spilled: Option<&Spilled>) -> Result<(), ArchiveError> {
        let count = (self.end - self.next).min(MERGE_ROWS as u64);
        self.at = 0;
        self.rows.clear();
        if let (Some(spilled), 1..) = (spilled, count) {
            self.rows.resize(count as usize, Row::new_zeroed());
            spilled.read(self.next, &mut self.rows)?;
            self.next += count;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tickpath_protocol::Record;

    use super::*;
    use crate::archive::names::Text;

    fn collect(sorter: Sorter, names: &Names) -> Vec<Row> {
        let mut all = Vec::new();
        let mut some = Vec::new();
        for (_, mut sorted) in sorter.finish(names) {
            let before = all.len();
            while {
                sorted.next(7, &mut some).unwrap();
                !some.is_empty()
            } {
                all.extend_from_slice(&some);
            }
            assert_eq!(sorted.total(), (all.len() - before) as u64);
        }
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// However small the memory, the order is the one of a plain sort, and no row is lost.
        #[test]
        fn spilling_changes_nothing(keys in prop::collection::vec((0u32..5, 0i64..20), 0..300), rows_max in 1usize..50, by_journal: bool) {
            let scratch = tempfile::tempdir().unwrap();
            let order = if by_journal { Order::Journal } else { Order::Partition };
            let mut names = Names::default();
            let mut sorter = Sorter::new(order, rows_max, scratch.path());
            let mut expected = Vec::new();
            for (index, (symbol, ts_recv)) in keys.into_iter().enumerate() {
                // Symbols become known while rows come in, and some rows have none.
                let text = match symbol {
                    0 => Row::NO_TEXT,
                    n => names.text_key(Text { symbol: format!("S{}", 9 - n).into(), name: None }),
                };
                let record = Record { ts_recv, kind: 1, ..Record::default() };
                let row = Row { record, index: index as u64, position: 0, published_ns: 0, run: 0, text };
                sorter.push(Partition::of(&record), row, &names).unwrap();
                expected.push(row);
            }
            let ranks = names.ranks();
            expected.sort_by_key(|row| key(order, &ranks, row));
            prop_assert_eq!(collect(sorter, &names), expected);
        }
    }
}
