//! Sorted rows of a day to their partitions, several at a time, each whole or not at all.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tickpath_protocol::Venue;
use tickpath_service::Shutdown;

use super::date::Date;
use super::error::ArchiveError;
use super::export::{Done, Options};
use super::manifest::{Contents, Gaps, Manifest, Origin, PartFile};
use super::names::Names;
use super::part::PartWriter;
use super::place::Staging;
use super::row::Partition;
use super::scan::gaps_of;
use super::sort::Sorted;
use super::{Progress, ROW_GROUP_ROWS};

/// Threads that encode partitions. Sorting and reading are one thread's.
const ENCODERS_MAX: usize = 4;

/// The threads of a day: whoever has no partition left helps to encode those of others.
struct Crew {
    threads: usize,
    idle: AtomicUsize,
}

impl Crew {
    /// How many help each of those that have one.
    fn helpers(&self) -> usize {
        let idle = self.idle.load(Ordering::Relaxed);
        idle / (self.threads - idle).max(1)
    }
}

/// One day's export.
pub(super) struct Day<'a> {
    pub root: &'a Path,
    pub origin: Origin,
    /// The journal's id as manifests have it.
    pub journal: String,
    pub gaps: &'a BTreeMap<(Date, Venue), Gaps>,
    pub options: &'a Options,
    pub date: Date,
    pub progress: &'a dyn Progress,
    pub stop: &'a Shutdown,
}

impl Day<'_> {
    /// Writes partitions and adds them to `done`. Those that were put in their place before an error stay.
    pub fn write(&self, sorted: Vec<(Partition, Sorted)>, names: &Names, done: &mut Done) -> Result<(), ArchiveError> {
        let rows = sorted.iter().map(|(_, rows)| rows.total()).sum();
        self.progress.begin(&format!("writing {}", self.date), rows);
        let mut queue = sorted;
        // The largest is taken first, so that no thread is left with it at the end.
        queue.sort_by_key(|(_, rows)| rows.total());
        let (queue, done, result) = (Mutex::new(queue), Mutex::new(done), Mutex::new(Ok(())));
        let threads = std::thread::available_parallelism()
            .map_or(1, usize::from)
            .min(ENCODERS_MAX);
        let crew = Crew {
            threads,
            idle: AtomicUsize::new(0),
        };
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    while let Some((partition, rows)) = take(&queue) {
                        match self.partition(&partition, rows, names, &crew) {
                            Ok((rows, bytes)) => {
                                let mut done = lock(&done);
                                done.written += 1;
                                done.rows += rows;
                                done.bytes += bytes;
                            }
                            Err(error) => {
                                lock(&queue).clear();
                                let mut first = lock(&result);
                                if first.is_ok() {
                                    *first = Err(error);
                                }
                            }
                        }
                    }
                    crew.idle.fetch_add(1, Ordering::Relaxed);
                });
            }
        });
        result.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// An error if somebody wants an end.
    pub fn go_on(&self) -> Result<(), ArchiveError> {
        if self.stop.is_requested() {
            Err(ArchiveError::Stopped)
        } else {
            Ok(())
        }
    }

    /// Writes a partition and puts it in its place; rows and bytes.
    fn partition(
        &self,
        partition: &Partition,
        mut sorted: Sorted,
        names: &Names,
        crew: &Crew,
    ) -> Result<(u64, u64), ArchiveError> {
        let staging = Staging::begin(self.root, partition)?;
        let mut contents = Contents::default();
        let mut files = Vec::new();
        let mut group = Vec::with_capacity(ROW_GROUP_ROWS);
        sorted.next(ROW_GROUP_ROWS, &mut group)?;
        while !group.is_empty() {
            let name = format!("part-{}.parquet", files.len());
            let path = staging.path(&name);
            let mut part = PartWriter::create(&path, partition, names).map_err(ArchiveError::parquet(&path))?;
            // However small a part may be, it holds one group: else no part would ever end the rows.
            loop {
                self.go_on()?;
                part.write_group(&group, crew.helpers())
                    .map_err(ArchiveError::parquet(&path))?;
                group.iter().for_each(|row| contents.add(row, names));
                self.progress.advance(group.len() as u64);
                sorted.next(ROW_GROUP_ROWS, &mut group)?;
                if group.is_empty() || part.bytes() >= self.options.part_bytes {
                    break;
                }
            }
            let done = part.finish().map_err(ArchiveError::parquet(&path))?;
            files.push(PartFile {
                name,
                rows: done.rows,
                bytes: done.bytes,
                blake3: done.hash.to_hex().to_string(),
            });
        }
        let (rows, bytes) = (contents.rows, files.iter().map(|file| file.bytes).sum());
        let partial = !self.options.is_complete(partition.date);
        let gaps = gaps_of(self.gaps, partition);
        let from = (self.origin, self.journal.clone());
        let manifest = Manifest::new(partition, from, partial, contents, gaps, files);
        staging.commit(&manifest.encode())?;
        Ok((rows, bytes))
    }
}

fn take(queue: &Mutex<Vec<(Partition, Sorted)>>) -> Option<(Partition, Sorted)> {
    lock(queue).pop()
}

/// A thread that panicked has spoilt nothing that is behind these locks.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
