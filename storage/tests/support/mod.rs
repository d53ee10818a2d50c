//! What the tests of the journal share: records that certify themselves, and journals made of them.
#![allow(dead_code, reason = "each test file uses some of it")]

use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Scale, Venue};
use tickpath_storage::journal::file::{Disk, Medium, MediumFile};
use tickpath_storage::journal::{Appender, Batch, Journal, Settings};

/// The venue of every test record.
pub const VENUE: Venue = Venue::KRAKEN;
/// The relay's run of every test journal.
pub const RUN: u64 = 7_000_000;
/// When the first record was published, ns.
pub const START_NS: i64 = 1_795_261_313_123_456_789;

/// A trade that follows from its number.
pub fn trade(n: u64) -> Record {
    Record {
        kind: Kind::Trade as u8,
        venue: VENUE.0,
        flags: Flags::BID.with(Flags::LAST).0,
        scale: Scale::new(2, 8).unwrap().to_byte(),
        instrument: InstrumentId::new(VENUE, (n % 3) as u32).0,
        sequence: n + 1,
        ts_event: n as i64,
        ts_recv: START_NS + n as i64,
        price: (n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1) as i64,
        size: (n.wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 1) as i64,
    }
}

/// The instrument of that index.
pub fn instrument(index: u32) -> Instrument {
    Instrument {
        id: InstrumentId::new(VENUE, index),
        symbol: format!("SYM{index}/USD"),
        name: format!("SYM{index}/USD"),
        scale: Scale::new(2, 8).unwrap(),
        tick: 1,
        lot: 1,
    }
}

/// Small segments.
pub fn settings(segment_records: u64) -> Settings {
    Settings {
        segment_records,
        row_reserve: 4,
        ..Settings::default()
    }
}

/// A journal in `dir`, open to write, with three instruments.
pub fn appender(dir: &Path, settings: Settings) -> Appender {
    let mut appender = Appender::open(dir, settings).unwrap();
    appender.begin_run(RUN).unwrap();
    for index in 0..3 {
        appender.instrument(&instrument(index)).unwrap();
    }
    appender
}

/// Trades `from..to`, published 1 µs apart.
pub fn trades(from: u64, to: u64) -> (Vec<Record>, Vec<i64>) {
    (from..to).map(|n| (trade(n), START_NS + 1000 * n as i64)).unzip()
}

/// Appends trades `from..to` in one batch, whose positions are their numbers.
pub fn append(appender: &mut Appender, from: u64, to: u64) {
    let (records, published) = trades(from, to);
    appender.append(from, &records, &published).unwrap();
}

/// Every batch from `from` on.
pub fn read(dir: &Path, from: u64) -> Vec<Batch> {
    let mut cursor = Journal::open(dir).unwrap().cursor(from).unwrap();
    let mut batches = Vec::new();
    let mut batch = Batch::default();
    while cursor.next(&mut batch).unwrap() {
        batches.push(batch.clone());
    }
    batches
}

/// The records of batches.
pub fn records(batches: &[Batch]) -> Vec<Record> {
    batches.iter().flat_map(|batch| batch.records.iter().copied()).collect()
}

/// Files on a disk that a test can fill or break.
#[derive(Debug, Default)]
pub struct BrokenDisk {
    /// Nothing can be written.
    pub is_full: AtomicBool,
    /// Files that can be made before no descriptor is left.
    pub descriptors: Mutex<Option<u64>>,
    /// So many syncs fail.
    pub failing_syncs: AtomicU64,
    /// Bytes that writes may still take before the disk is full; `u64::MAX`: any.
    pub budget: Mutex<Option<u64>>,
}

#[derive(Debug)]
struct BrokenFile {
    disk: Arc<BrokenDisk>,
    file: Box<dyn MediumFile>,
}

/// The medium that a [`BrokenDisk`] is used through.
#[derive(Debug)]
pub struct Breaking(pub Arc<BrokenDisk>);

impl BrokenDisk {
    fn take(&self, bytes: usize) -> io::Result<()> {
        let full = || Err(io::ErrorKind::StorageFull.into());
        if self.is_full.load(Ordering::Relaxed) {
            return full();
        }
        match &mut *self.budget.lock().unwrap() {
            Some(left) if *left < bytes as u64 => full(),
            Some(left) => {
                *left -= bytes as u64;
                Ok(())
            }
            None => Ok(()),
        }
    }
}

impl Medium for Breaking {
    fn create(&self, path: &Path) -> io::Result<Box<dyn MediumFile>> {
        match &mut *self.0.descriptors.lock().unwrap() {
            Some(0) => return Err(io::Error::from_raw_os_error(24)),
            Some(left) => *left -= 1,
            None => {}
        }
        Ok(Box::new(BrokenFile {
            disk: self.0.clone(),
            file: Disk.create(path)?,
        }))
    }
}

impl MediumFile for BrokenFile {
    fn allocate(&self, bytes: u64, keep_length: bool) -> io::Result<()> {
        self.disk.take(0)?;
        self.file.allocate(bytes, keep_length)
    }

    fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.take(bytes.len())?;
        self.file.write_all_at(bytes, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        let left = &self.disk.failing_syncs;
        if left
            .try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
            .is_ok()
        {
            return Err(io::Error::from_raw_os_error(5));
        }
        self.file.sync_data()
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.file.truncate(bytes)
    }
}
