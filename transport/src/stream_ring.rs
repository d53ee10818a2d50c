//! The broadcast ring in a memory file: created by the relay, mapped read-only by its readers.
//!
//! | offset | bytes | what | written by the relay |
//! |---|---|---|---|
//! | 0 | 8 | magic `TPSTREAM` | before it hands the file over |
//! | 8 | 8 | layout version | " |
//! | 16 | 8 | bytes in a slot (64) | " |
//! | 24 | 8 | capacity in records, a power of two | " |
//! | 32 | 8 | run id: differs for each life of the relay | " |
//! | 40 | 8 | process id | " |
//! | 48 | 8 | start of the relay, ns since the Unix epoch | " |
//! | 256 | 128 | `head`, see [`crate::broadcast`] | Release, once a batch |
//! | 384 | 128 | rows in the instrument table | Release, before a record that names a new one |
//! | 1024 | 256 × 16 | of each venue code: run id of its newest producer, position of its ProducerAttached record | Release, the position first |
//! | 8192 | 2 MiB | instrument rows, [`ROWS_MAX`] of 128 bytes | before the count |
//! | 8192 + 2 MiB | 64 × capacity | slots | as [`crate::broadcast`] says |
//!
//! F_SEAL_FUTURE_WRITE: nobody else can ever map the file writable, whatever descriptor they hold.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering, fence};

use crossbeam_utils::CachePadded;
use tickpath_protocol::{InstrumentRow, Venue};

use crate::LAYOUT_VERSION;
use crate::broadcast::{BroadcastMemory, Slot, WritableMemory};
use crate::error::{AttachError, TransportError};
use crate::header::{Header, check_capacity, check_size};
use crate::memory::{Access, Area, MemoryFile, Prefault};
use crate::rows::Rows;

/// Instruments in a run of the relay, those of all venues together.
pub const ROWS_MAX: usize = 16384;

const MAGIC: u64 = u64::from_le_bytes(*b"TPSTREAM");
const HEADER_WORDS: usize = 32;
const HEAD_OFFSET: usize = 256;
const ROW_COUNT_OFFSET: usize = 384;
const RUNS_OFFSET: usize = 1024;
const ROWS_OFFSET: usize = 8192;
const SLOTS_OFFSET: usize = ROWS_OFFSET + ROWS_MAX * InstrumentRow::SIZE_BYTES;
/// Two for each venue code.
const RUN_WORDS: usize = 2 * 256;

/// The stream, mapped here to read.
#[derive(Clone, Debug)]
pub struct StreamRing {
    file: MemoryFile,
    run_id: u64,
    capacity: u64,
    head: Area<CachePadded<AtomicU64>>,
    runs: Area<AtomicU64>,
    slots: Area<Slot>,
    rows: Rows,
}

impl StreamRing {
    /// The stream in a file that the relay handed over, every field checked.
    ///
    /// # Errors
    /// [`AttachError`] says which field is wrong.
    pub fn open(fd: OwnedFd) -> Result<StreamRing, AttachError> {
        let file = MemoryFile::open_read_only(fd)?;
        let header = Header::of(&file, HEADER_WORDS)?;
        header.expect(0, "magic", MAGIC)?;
        header.expect(1, "layout version", LAYOUT_VERSION.into())?;
        header.expect(2, "slot size", size_of::<Slot>() as u64)?;
        let capacity = header.capacity(3)?;
        check_size(&file, file_len(capacity))?;
        let run_id = header.get(4);
        let stream = StreamRing::map(file, run_id, capacity)?;
        stream.rows.len()?;
        Ok(stream)
    }

    fn map(file: MemoryFile, run_id: u64, capacity: usize) -> Result<StreamRing, AttachError> {
        let size = AttachError::Size {
            found: file.len() as u64,
            expected: file_len(capacity) as u64,
        };
        let areas = || {
            Some((
                file.area(HEAD_OFFSET, 1)?,
                file.area(RUNS_OFFSET, RUN_WORDS)?,
                file.area(SLOTS_OFFSET, capacity)?,
                Rows::of(&file, ROW_COUNT_OFFSET, ROWS_OFFSET, ROWS_MAX)?,
            ))
        };
        let (head, runs, slots, rows) = areas().ok_or(size)?;
        Ok(StreamRing {
            file,
            run_id,
            capacity: capacity as u64,
            head,
            runs,
            slots,
            rows,
        })
    }

    /// Differs for each life of the relay.
    #[must_use]
    pub fn run_id(&self) -> u64 {
        self.run_id
    }

    /// The file, to hand over.
    #[must_use]
    pub fn file(&self) -> &MemoryFile {
        &self.file
    }

    /// The producers whose ProducerAttached record lies before `position`, so that a reader who begins there will not see it: the venue
    /// code and run id of the newest of each. What a later one says stands in the stream.
    pub fn producers_before(&self, position: u64) -> impl Iterator<Item = (Venue, u64)> + '_ {
        (1..=u8::MAX).filter_map(move |venue| {
            let run = &self.runs[2 * usize::from(venue)..][..2];
            let run_id = run[0].load(Ordering::Relaxed);
            fence(Ordering::Acquire); // pairs with the Release of the run id: its position is this one, or a newer one's
            let attached_at = run[1].load(Ordering::Relaxed);
            (run_id != 0 && attached_at < position).then_some((Venue(venue), run_id))
        })
    }

    /// Instrument rows so far.
    ///
    /// # Errors
    /// If the count is above [`ROWS_MAX`].
    pub fn row_count(&self) -> Result<usize, AttachError> {
        self.rows.len()
    }

    /// Instrument row `index`, below [`StreamRing::row_count`].
    #[must_use]
    pub fn row(&self, index: usize) -> InstrumentRow {
        self.rows.get(index)
    }
}

impl BroadcastMemory for StreamRing {
    #[inline]
    fn capacity(&self) -> u64 {
        self.capacity
    }

    #[inline]
    fn head(&self) -> &AtomicU64 {
        &self.head[0]
    }

    #[inline]
    fn slot(&self, position: u64) -> &Slot {
        &self.slots[(position & (self.capacity - 1)) as usize]
    }
}

/// The stream in the relay that made it: the only type that writes.
#[derive(Debug)]
pub struct StreamOwner(StreamRing);

impl StreamOwner {
    /// A new, empty stream.
    ///
    /// # Errors
    /// If the capacity is out of range, or there is no memory.
    pub fn create(run_id: u64, capacity: usize) -> Result<StreamOwner, TransportError> {
        check_capacity(capacity)?;
        let file = MemoryFile::create(
            "tickpath-stream",
            file_len(capacity),
            Access::CreatorOnly,
            Prefault::All,
        )?;
        let header = Header::of(&file, HEADER_WORDS)?;
        header.set(1, LAYOUT_VERSION.into());
        header.set(2, size_of::<Slot>() as u64);
        header.set(3, capacity as u64);
        header.set(4, run_id);
        header.set(5, std::process::id().into());
        header.set(6, crate::now_ns() as u64);
        header.set(0, MAGIC);
        Ok(StreamOwner(StreamRing::map(file, run_id, capacity)?))
    }

    /// The stream as its readers see it.
    #[must_use]
    pub fn ring(&self) -> &StreamRing {
        &self.0
    }

    /// Notes which life of a producer the stream carries from `position` on, where its ProducerAttached record will stand.
    pub fn set_producer_run(&self, venue: Venue, run_id: u64, position: u64) {
        let run = &self.0.runs[2 * usize::from(venue.0)..][..2];
        run[1].store(position, Ordering::Release);
        run[0].store(run_id, Ordering::Release);
    }

    /// Appends an instrument row.
    ///
    /// # Errors
    /// If the table is full.
    pub fn push_row(&self, row: InstrumentRow) -> Result<(), TransportError> {
        self.0.rows.push(row)
    }
}

impl BroadcastMemory for StreamOwner {
    #[inline]
    fn capacity(&self) -> u64 {
        self.0.capacity()
    }

    #[inline]
    fn head(&self) -> &AtomicU64 {
        self.0.head()
    }

    #[inline]
    fn slot(&self, position: u64) -> &Slot {
        self.0.slot(position)
    }
}

impl WritableMemory for StreamOwner {}

fn file_len(capacity: usize) -> usize {
    SLOTS_OFFSET + capacity * size_of::<Slot>()
}
