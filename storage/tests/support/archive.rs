//! A journal and an archive in a folder of their own.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tempfile::TempDir;
use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_service::Shutdown;
use tickpath_storage::archive::export::{Done, Options, export};
use tickpath_storage::archive::place::inventory;
use tickpath_storage::archive::reader::PartReader;
use tickpath_storage::archive::verify::{Report, verify};
use tickpath_storage::archive::{ArchiveError, Manifest, Names, Partition, Quiet, Row, Table};
use tickpath_storage::journal::{Appender, Journal, Settings};

/// Nanoseconds of a day.
pub const DAY_NS: i64 = 86_400_000_000_000;

/// The folder.
pub struct Place {
    dir: TempDir,
}

impl Place {
    pub fn new() -> Place {
        Place {
            dir: tempfile::tempdir().unwrap(),
        }
    }

    pub fn journal_dir(&self) -> PathBuf {
        self.dir.path().join("journal")
    }

    pub fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    pub fn journal(&self) -> Journal {
        Journal::open(&self.journal_dir()).unwrap()
    }

    /// Appends records to the journal as a segment of their own, sealed, in batches of different sizes.
    pub fn append(&self, run_id: u64, records: &[Record]) {
        let settings = Settings {
            segment_records: 1 << 12,
            ..Settings::default()
        };
        let mut appender = Appender::open(&self.journal_dir(), settings).unwrap();
        appender.begin_run(run_id).unwrap();
        for venue in 1..=5 {
            for index in 0..3 {
                appender.instrument(&instrument(Venue(venue), index)).unwrap();
            }
        }
        let mut position = appender.next_position();
        for (at, records) in records.chunks(7).enumerate() {
            let published: Vec<i64> = records
                .iter()
                .map(|record| (record.ts_recv + 1_000 + at as i64).clamp(0, 200 * DAY_NS))
                .collect();
            appender.append(position, records, &published).unwrap();
            position += records.len() as u64;
        }
        appender.seal().unwrap();
    }

    pub fn export(&self, options: &Options) -> Result<Done, ArchiveError> {
        self.export_to(&self.archive(), options)
    }

    pub fn export_to(&self, archive: &Path, options: &Options) -> Result<Done, ArchiveError> {
        export(&self.journal(), archive, options, &Quiet, &Shutdown::new())
    }

    /// As long after every record.
    pub fn verify(&self, with_journal: bool) -> Report {
        let journal = with_journal.then(|| self.journal());
        verify(&self.archive(), journal.as_ref(), i64::MAX, &Quiet).unwrap()
    }

    /// With the journal, as if it were then.
    pub fn verify_at(&self, now_ns: i64) -> Report {
        verify(&self.archive(), Some(&self.journal()), now_ns, &Quiet).unwrap()
    }

    pub fn folder(&self, table: Table) -> PathBuf {
        self.archive().join(table.name()).join("venue=kraken/date=1970-01-01")
    }

    pub fn part(&self, table: Table) -> PathBuf {
        self.folder(table).join("part-0.parquet")
    }

    pub fn manifest(&self, table: Table, ns: i64) -> Manifest {
        let record = Record {
            ts_recv: ns,
            venue: Venue::KRAKEN.0,
            kind: Kind::Trade as u8,
            ..Record::default()
        };
        let partition = Partition {
            table,
            ..Partition::of(&record)
        };
        Manifest::read(&self.archive().join(partition.path())).unwrap().unwrap()
    }

    /// Every file of the archive's tables with its time and bytes, in order.
    pub fn files(&self) -> Vec<(PathBuf, SystemTime, Vec<u8>)> {
        let mut files = Vec::new();
        for partition in inventory(&self.archive()).unwrap().partitions {
            let folder = self.archive().join(partition.path());
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                files.push((
                    path.clone(),
                    fs::metadata(&path).unwrap().modified().unwrap(),
                    fs::read(&path).unwrap(),
                ));
            }
        }
        files.sort();
        files
    }

    /// Every record of the archive in the journal's order, read from Parquet alone.
    pub fn records(&self) -> Vec<Record> {
        let mut rows: Vec<Row> = Vec::new();
        let mut names = Names::default();
        for partition in inventory(&self.archive()).unwrap().partitions {
            let folder = self.archive().join(partition.path());
            for file in Manifest::read(&folder).unwrap().unwrap().files {
                let mut reader = PartReader::open(&folder.join(file.name), partition).unwrap();
                while let Some(group) = reader.next_group(&mut names).unwrap() {
                    rows.extend(group);
                }
            }
        }
        rows.sort_by_key(|row| row.index);
        rows.into_iter().map(|row| row.record).collect()
    }
}

/// Instrument number `index` of a venue.
pub fn instrument(venue: Venue, index: u32) -> Instrument {
    Instrument {
        id: InstrumentId::new(venue, index),
        symbol: format!("S{}", 9 - index),
        name: format!("S{}/USD", 9 - index),
        scale: Scale::new(2, 8).unwrap(),
        tick: 1,
        lot: 1,
    }
}

/// A trade of Kraken's instrument 0 to 2.
pub fn trade(sequence: u64, ts_recv: i64) -> Record {
    Record {
        kind: Kind::Trade as u8,
        venue: Venue::KRAKEN.0,
        flags: Flags::BID.with(Flags::LAST).0,
        scale: 0x28,
        instrument: InstrumentId::new(Venue::KRAKEN, (sequence % 3) as u32).0,
        sequence,
        ts_event: ts_recv - 5,
        ts_recv,
        price: 10_000 + sequence as i64,
        size: 100_000_000,
    }
}
