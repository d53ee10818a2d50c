//! Every manifest derived again: from the Parquet files, and record by record from the journal where it still has them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use tickpath_protocol::Venue;

use super::Progress;
use super::date::Date;
use super::error::ArchiveError;
use super::expected::Expected;
use super::export::Options;
use super::manifest::{Checksums, Contents, Gap, Gaps, MANIFEST, Manifest, PartFile, hex};
use super::names::Names;
use super::place::{entries, inventory};
use super::reader::PartReader;
use super::row::{Partition, Row};
use super::scan::{Scan, gaps_of};
use super::sort::{Order, Sorted, Sorter};
use super::source::JournalRows;
use crate::journal::Journal;

/// Something that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The partition; `None` for what belongs to none.
    pub partition: Option<Partition>,
    /// What differs.
    pub what: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.partition {
            Some(partition) => write!(f, "{partition}: {}", self.what),
            None => f.write_str(&self.what),
        }
    }
}

/// What a verification found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Partitions of which everything is as it should be.
    pub verified: BTreeSet<Partition>,
    /// Rows of them that were compared with the journal.
    pub compared: u64,
    /// Rows in the archive.
    pub rows: u64,
    /// What is not as it should be.
    pub differences: Vec<Difference>,
    /// Complete days' partitions that the journal has and the archive has not.
    pub missing: BTreeSet<Partition>,
}

impl Report {
    pub(super) fn differs(&mut self, partition: &Partition, what: impl Into<String>) {
        self.differences.push(Difference {
            partition: Some(*partition),
            what: what.into(),
        });
    }
}

/// Verifies the archive in `root`, against `journal` too if there is one.
///
/// # Errors
/// If a folder, or the journal, cannot be read. Damaged and foreign files are differences, not errors.
pub fn verify(
    root: &Path,
    journal: Option<&Journal>,
    now_ns: i64,
    progress: &dyn Progress,
) -> Result<Report, ArchiveError> {
    let mut names = Names::default();
    let scan = journal
        .map(|journal| Scan::of(journal, &mut names, progress))
        .transpose()?;
    let mut report = Report::default();
    let found = inventory(root)?;
    for path in found.leftovers.iter().chain(&found.foreign) {
        let what = format!(
            "{} is no partition: an export that did not end left it, or somebody put it there",
            path.display()
        );
        report.differences.push(Difference { partition: None, what });
    }
    let mut gaps = BTreeMap::new();
    let mut derived = Vec::new();
    for day in found.partitions.chunk_by(|a, b| a.date == b.date) {
        let mut expected = match journal.zip(scan.as_ref()) {
            Some((journal, scan)) => expected_of(root, journal, scan, day, &mut names, progress)?,
            None => BTreeMap::new(),
        };
        for partition in day {
            let check = Check {
                root,
                partition,
                journal: journal.zip(scan.as_ref()),
            };
            let before = report.differences.len();
            if let Some(manifest) =
                check.files(expected.remove(partition), &mut names, &mut gaps, &mut report, progress)?
            {
                derived.push((*partition, manifest, report.differences.len() == before));
            }
        }
    }
    for (partition, manifest, is_whole) in derived {
        let is_same = compare_gaps(&manifest, &gaps_of(&gaps, &partition), &partition, &mut report);
        if is_whole && is_same {
            report.verified.insert(partition);
        }
    }
    if let Some(scan) = &scan {
        find_missing(scan, root, now_ns, &found.partitions, &mut report);
    }
    Ok(report)
}

/// The rows that the journal has of a day's partitions, up to where each was exported, in one reading.
fn expected_of(
    root: &Path,
    journal: &Journal,
    scan: &Scan,
    day: &[Partition],
    names: &mut Names,
    progress: &dyn Progress,
) -> Result<BTreeMap<Partition, Expected>, ArchiveError> {
    let mut limits = BTreeMap::new();
    let (mut from, mut until) = (u64::MAX, 0);
    for partition in day {
        // What cannot be read is a difference, which is told when the partition's turn comes.
        let Ok(Some(manifest)) = Manifest::read(&root.join(partition.path())) else {
            continue;
        };
        let (Some(share), Some(last)) = (scan.partitions.get(partition), manifest.contents.last) else {
            continue;
        };
        if manifest.journal == hex(journal.id()) {
            limits.insert(*partition, (last.journal_index, manifest.source));
            from = from.min(share.first);
            until = until.max(share.last.min(last.journal_index) + 1);
        }
    }
    let mut sorter = Sorter::new(Order::Partition, super::SORT_ROWS_MAX, root);
    if from < until {
        progress.begin("reading the journal", until - from);
        let mut rows = JournalRows::open(journal, from, until)?;
        while rows.next(names, |row, names| {
            let partition = Partition::of(&row.record);
            let is_wanted = limits.get(&partition).is_some_and(|(last, _)| row.index <= *last);
            if is_wanted {
                sorter.push(partition, row, names)
            } else {
                Ok(())
            }
        })? {
            progress.advance(rows.batch_records());
        }
    }
    let mut sorted: BTreeMap<Partition, Sorted> = sorter.finish(names).into_iter().collect();
    let expected = limits.iter().map(|(partition, (_, origin))| {
        let expected = Expected::new(sorted.remove(partition), scan.first_index, *origin);
        (*partition, expected)
    });
    Ok(expected.collect())
}

fn find_missing(scan: &Scan, root: &Path, now_ns: i64, there: &[Partition], report: &mut Report) {
    let options = Options::at(now_ns);
    for partition in scan.partitions.keys() {
        let is_there = there.binary_search(partition).is_ok();
        if !is_there && options.is_complete(partition.date) {
            report.missing.insert(*partition);
            report.differs(
                partition,
                format!(
                    "the journal has it and {} has not: run `tickpath export`",
                    root.display()
                ),
            );
        }
    }
}

fn compare_gaps(manifest: &Manifest, derived: &Gaps, partition: &Partition, report: &mut Report) -> bool {
    if manifest.gaps == *derived {
        return true;
    }
    let what = format!(
        "the manifest states {} gaps, the status table has {}",
        manifest.gaps.count, derived.count
    );
    report.differs(partition, what);
    false
}

/// One partition under examination.
struct Check<'a> {
    root: &'a Path,
    partition: &'a Partition,
    journal: Option<(&'a Journal, &'a Scan)>,
}

impl Check<'_> {
    /// Examines the files; the stored manifest, if there is one that can be read.
    fn files(
        &self,
        mut expected: Option<Expected>,
        names: &mut Names,
        gaps: &mut BTreeMap<(Date, Venue), Gaps>,
        report: &mut Report,
        progress: &dyn Progress,
    ) -> Result<Option<Manifest>, ArchiveError> {
        let folder = self.root.join(self.partition.path());
        let manifest = match Manifest::read(&folder) {
            Ok(Some(manifest)) => manifest,
            Ok(None) => {
                report.differs(self.partition, "it has no manifest, so it is not whole");
                return Ok(None);
            }
            Err(error) => {
                report.differs(self.partition, error.to_string());
                return Ok(None);
            }
        };
        self.names_in(&folder, &manifest, report)?;
        progress.begin(&self.partition.to_string(), manifest.contents.rows);
        let mut contents = Contents::default();
        self.against_journal(&manifest, report);
        for file in &manifest.files {
            let mut on_row = |row: &Row, names: &Names| {
                contents.add(row, names);
                if let Some(gap) = Gap::of(row, names) {
                    gaps.entry((self.partition.date, self.partition.venue))
                        .or_default()
                        .add(gap);
                }
            };
            self.file(
                &folder.join(&file.name),
                file,
                names,
                &mut on_row,
                expected.as_mut(),
                report,
                progress,
            )?;
        }
        if let Some(expected) = &mut expected {
            expected.finish(self.partition, report)?;
        }
        report.rows += contents.rows;
        self.compare(&manifest, &contents, report);
        Ok(Some(manifest))
    }

    fn names_in(&self, folder: &Path, manifest: &Manifest, report: &mut Report) -> Result<(), ArchiveError> {
        let parts = manifest.files.iter().map(|file| file.name.as_str());
        let known: BTreeSet<&str> = parts.chain([MANIFEST]).collect();
        for (name, _) in entries(folder)? {
            if !known.contains(name.as_str()) {
                report.differs(self.partition, format!("{name} is not in the manifest"));
            }
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "what is gathered on the way has many owners")]
    fn file(
        &self,
        path: &Path,
        file: &PartFile,
        names: &mut Names,
        on_row: &mut dyn FnMut(&Row, &Names),
        mut expected: Option<&mut Expected>,
        report: &mut Report,
        progress: &dyn Progress,
    ) -> Result<(), ArchiveError> {
        // A file that is not the one that was written is not decoded: its hash says all that there is to say.
        match hash_of(path) {
            Ok((bytes, hash)) if (bytes, hash.as_str()) == (file.bytes, file.blake3.as_str()) => {}
            Ok((bytes, _)) => {
                let what = format!(
                    "{} differs from its content hash: it has {bytes} bytes, {} were written",
                    file.name, file.bytes
                );
                report.differs(self.partition, what);
                return Ok(());
            }
            Err(error) => {
                report.differs(self.partition, error.to_string());
                return Ok(());
            }
        }
        let mut read = || -> Result<u64, ArchiveError> {
            let mut reader = PartReader::open(path, *self.partition)?;
            let mut rows = 0;
            while let Some(group) = reader.next_group(names)? {
                rows += group.len() as u64;
                group.iter().for_each(|row| on_row(row, names));
                if let Some(expected) = &mut expected {
                    expected.take(&group, self.partition, report)?;
                }
                progress.advance(group.len() as u64);
            }
            Ok(rows)
        };
        match read() {
            Ok(rows) if rows == file.rows => {}
            Ok(rows) => report.differs(
                self.partition,
                format!("{} has {rows} rows, the manifest states {}", file.name, file.rows),
            ),
            Err(error) => report.differs(self.partition, error.to_string()),
        }
        Ok(())
    }

    /// Whether the partition is of this journal, and up to date with it.
    fn against_journal(&self, manifest: &Manifest, report: &mut Report) {
        let Some((journal, scan)) = self.journal else { return };
        if manifest.journal != hex(journal.id()) {
            report.differs(
                self.partition,
                format!("it is of journal {}, not of {}", manifest.journal, hex(journal.id())),
            );
            return;
        }
        let last = manifest.contents.last.map_or(0, |last| last.journal_index);
        let behind = scan
            .partitions
            .get(self.partition)
            .filter(|share| share.last > last && !manifest.partial);
        if let Some(share) = behind {
            let what = format!(
                "the journal has records of it up to index {}, it ends at {last}: run `tickpath export`",
                share.last
            );
            report.differs(self.partition, what);
        }
    }

    fn compare(&self, manifest: &Manifest, derived: &Contents, report: &mut Report) {
        let stored = &manifest.contents;
        let names = [
            ("table", &manifest.table, self.partition.table.to_string()),
            ("venue", &manifest.venue, self.partition.venue.to_string()),
            ("date", &manifest.date, self.partition.date.to_string()),
        ];
        for (field, stored, derived) in names {
            if *stored != derived {
                report.differs(self.partition, format!("the manifest's {field} is {stored}"));
            }
        }
        let mut differs = |field: &str, stored: &dyn fmt::Debug, derived: &dyn fmt::Debug| {
            report.differs(
                self.partition,
                format!("the manifest states {field} {stored:?}, the files have {derived:?}"),
            );
        };
        if stored.rows != derived.rows {
            differs("rows", &stored.rows, &derived.rows);
        }
        if (stored.first, stored.last) != (derived.first, derived.last) {
            differs(
                "first and last",
                &(stored.first, stored.last),
                &(derived.first, derived.last),
            );
        }
        if (stored.ts_recv_min, stored.ts_recv_max) != (derived.ts_recv_min, derived.ts_recv_max) {
            differs(
                "receive times",
                &(stored.ts_recv_min, stored.ts_recv_max),
                &(derived.ts_recv_min, derived.ts_recv_max),
            );
        }
        if stored.kinds != derived.kinds {
            differs("kinds", &stored.kinds, &derived.kinds);
        }
        if stored.runs != derived.runs {
            differs("runs", &stored.runs, &derived.runs);
        }
        if stored.book_updates_proven != derived.book_updates_proven {
            differs(
                "proven book updates",
                &stored.book_updates_proven,
                &derived.book_updates_proven,
            );
        }
        let checksums = Checksums::of(self.partition, derived, &manifest.gaps);
        if manifest.checksums != checksums {
            differs("checksums", &manifest.checksums, &checksums);
        }
    }
}

/// Length and BLAKE3 of a file.
///
/// # Errors
/// If it cannot be read.
pub fn hash_of(path: &Path) -> Result<(u64, String), ArchiveError> {
    let mut hasher = blake3::Hasher::new();
    let mut file = std::fs::File::open(path).map_err(ArchiveError::io("cannot open", path))?;
    let bytes = std::io::copy(&mut file, &mut hasher).map_err(ArchiveError::io("cannot read", path))?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}
