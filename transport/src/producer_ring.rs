//! The SPSC ring in a memory file: created by a producer, handed to the relay, handed to its successor when the relay was killed.
//!
//! | offset | bytes | what | written by |
//! |---|---|---|---|
//! | 0 | 8 | magic `TPRING\0\0` | producer, before it hands the file over |
//! | 8 | 8 | layout version | " |
//! | 16 | 8 | bytes in a record (48) | " |
//! | 24 | 8 | capacity in records, a power of two | " |
//! | 32 | 8 | venue code | " |
//! | 40 | 8 | run id: differs for each life of a producer | " |
//! | 48 | 8 | process id | " |
//! | 56 | 8 | sequence of the first record that was ever put in | " |
//! | 64 | 8 + 64 | name: length, bytes | " |
//! | 256 | 128 | `produced`, see [`crate::spsc`] | producer |
//! | 384 | 128 | `consumed`, see [`crate::spsc`] | relay |
//! | 512 | 128 | rows in the instrument table | producer, Release |
//! | 640 | 128 | `images_wanted`: goes up when readers want the books whole, any value | consumer, Relaxed |
//! | 1024 | 1 MiB | instrument rows, [`ROWS_MAX`] of 128 bytes | producer, before the count |
//! | 1024 + 1 MiB | 48 × capacity | slots | producer, before `produced` |
//!
//! The size seals make truncation impossible; every header field is checked by [`ProducerRing::open`], the cursors on each use.
//!
//! `images_wanted` has a line of its own: the producer looks at it often and finds it in its cache, whatever happens to the cursors. The
//! consumer is the relay; of a producer that streams over a socket, its own link thread.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;
use tickpath_protocol::{GapCause, InstrumentRow, Record, Venue};

use crate::error::{AttachError, TransportError};
use crate::header::{Header, check_capacity, check_name, check_size};
use crate::memory::{Access, Area, MemoryFile, Prefault};
use crate::rows::Rows;
use crate::spsc::{Consumer, SpscMemory};
use crate::{LAYOUT_VERSION, RECORD_WORDS};

/// Instruments that one producer can have.
pub const ROWS_MAX: usize = 8192;

const MAGIC: u64 = u64::from_le_bytes(*b"TPRING\0\0");
const HEADER_WORDS: usize = 32;
const PRODUCED_OFFSET: usize = 256;
const CONSUMED_OFFSET: usize = 384;
const ROW_COUNT_OFFSET: usize = 512;
const IMAGES_WANTED_OFFSET: usize = 640;
const ROWS_OFFSET: usize = 1024;
const SLOTS_OFFSET: usize = ROWS_OFFSET + ROWS_MAX * InstrumentRow::SIZE_BYTES;

const _: () = assert!(
    size_of::<CachePadded<AtomicU64>>() == 128,
    "the layout is that of x86-64 and AArch64"
);

/// Whose ring it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RingOwner {
    /// Whose records.
    pub venue: Venue,
    /// The producer's name, for people.
    pub name: String,
    /// Differs for each life of a producer.
    pub run_id: u64,
    /// The producer's process.
    pub pid: u32,
    /// The sequence of the first record that was ever put in.
    pub first_sequence: u64,
}

/// A producer's ring, mapped here.
#[derive(Clone, Debug)]
pub struct ProducerRing {
    file: MemoryFile,
    owner: RingOwner,
    capacity: u64,
    produced: Area<CachePadded<AtomicU64>>,
    consumed: Area<CachePadded<AtomicU64>>,
    images_wanted: Area<CachePadded<AtomicU64>>,
    slots: Area<[AtomicU64; RECORD_WORDS]>,
    rows: Rows,
}

impl ProducerRing {
    /// A new, empty ring.
    ///
    /// # Errors
    /// If capacity or name are out of range, or there is no memory.
    pub fn create(owner: RingOwner, capacity: usize) -> Result<ProducerRing, TransportError> {
        check_capacity(capacity)?;
        check_name(&owner.name)?;
        let file = MemoryFile::create("tickpath-ring", file_len(capacity), Access::Peers, Prefault::All)?;
        let header = Header::of(&file, HEADER_WORDS)?;
        header.set(1, LAYOUT_VERSION.into());
        header.set(2, Record::SIZE_BYTES as u64);
        header.set(3, capacity as u64);
        header.set(4, owner.venue.0.into());
        header.set(5, owner.run_id);
        header.set(6, owner.pid.into());
        header.set(7, owner.first_sequence);
        header.set_name(8, &owner.name)?;
        header.set(0, MAGIC);
        Ok(ProducerRing::map(file, owner, capacity)?)
    }

    /// The ring in a file that a producer handed over, every field checked.
    ///
    /// # Errors
    /// [`AttachError`] says which field is wrong.
    pub fn open(fd: OwnedFd) -> Result<ProducerRing, AttachError> {
        let file = MemoryFile::open(fd)?;
        let header = Header::of(&file, HEADER_WORDS)?;
        header.expect(0, "magic", MAGIC)?;
        header.expect(1, "layout version", LAYOUT_VERSION.into())?;
        header.expect(2, "record size", Record::SIZE_BYTES as u64)?;
        let capacity = header.capacity(3)?;
        check_size(&file, file_len(capacity))?;
        let owner = RingOwner {
            venue: Venue(small(&header, 4, "venue", 1)?),
            run_id: header.get(5),
            pid: small(&header, 6, "pid", 1)?,
            first_sequence: header.get(7),
            name: header.name(8)?,
        };
        // A run id and a sequence travel in signed fields of Status records.
        for (word, field) in [(5, "run id"), (7, "first sequence")] {
            if header.get(word) == 0 || i64::try_from(header.get(word)).is_err() {
                return Err(AttachError::Header {
                    field,
                    found: header.get(word),
                    expected: 1,
                });
            }
        }
        let ring = ProducerRing::map(file, owner, capacity)?;
        ring.rows.len()?;
        Consumer::<_>::new(&ring).map(|_: Consumer<&ProducerRing>| ())?;
        Ok(ring)
    }

    fn map(file: MemoryFile, owner: RingOwner, capacity: usize) -> Result<ProducerRing, AttachError> {
        let size = AttachError::Size {
            found: file.len() as u64,
            expected: file_len(capacity) as u64,
        };
        let areas = || {
            Some((
                file.area(PRODUCED_OFFSET, 1)?,
                file.area(CONSUMED_OFFSET, 1)?,
                file.area(IMAGES_WANTED_OFFSET, 1)?,
                file.area(SLOTS_OFFSET, capacity)?,
                Rows::of(&file, ROW_COUNT_OFFSET, ROWS_OFFSET, ROWS_MAX)?,
            ))
        };
        let (produced, consumed, images_wanted, slots, rows) = areas().ok_or(size)?;
        Ok(ProducerRing {
            file,
            owner,
            capacity: capacity as u64,
            produced,
            consumed,
            images_wanted,
            slots,
            rows,
        })
    }

    /// Whose ring it is, as read at attach.
    #[must_use]
    pub fn owner(&self) -> &RingOwner {
        &self.owner
    }

    /// The file, to hand over.
    #[must_use]
    pub fn file(&self) -> &MemoryFile {
        &self.file
    }

    /// Instrument rows so far.
    ///
    /// # Errors
    /// If the count is above [`ROWS_MAX`].
    pub fn row_count(&self) -> Result<usize, AttachError> {
        self.rows.len()
    }

    /// Instrument row `index`, below [`ProducerRing::row_count`].
    #[must_use]
    pub fn row(&self, index: usize) -> InstrumentRow {
        self.rows.get(index)
    }

    /// Appends an instrument row; the producer alone does this.
    ///
    /// # Errors
    /// If the table is full.
    pub fn push_row(&self, row: InstrumentRow) -> Result<(), TransportError> {
        self.rows.push(row)
    }

    /// Tells the producer that readers want its books whole; the consumer alone does this.
    pub fn want_images(&self) {
        // Relaxed: the word is all there is to see.
        self.images_wanted[0].fetch_add(1, Ordering::Relaxed);
    }

    /// A number that is another one after each [`ProducerRing::want_images`].
    #[must_use]
    #[inline]
    pub fn images_wanted(&self) -> u64 {
        self.images_wanted[0].load(Ordering::Relaxed)
    }

    /// The sequence of the next record to come out of the ring, for a consumer that attaches.
    ///
    /// The ring remembers it: a record still in there names it; of an emptied ring, the last slot taken holds the one before.
    #[must_use]
    pub fn next_sequence(&self) -> u64 {
        let consumed = self.consumed().load(Ordering::Acquire);
        let produced = self.produced().load(Ordering::Acquire);
        let record = |position| Record::from_words(self.read(position));
        let next = match (consumed < produced, consumed) {
            (true, _) => first_accounted_by(&record(consumed)),
            (false, 0) => self.owner.first_sequence,
            (false, taken) => record(taken - 1).sequence.wrapping_add(1),
        };
        // Hostile memory may hold any number; what follows is then refused record by record.
        next.clamp(1, i64::MAX as u64)
    }
}

impl SpscMemory for ProducerRing {
    #[inline]
    fn capacity(&self) -> u64 {
        self.capacity
    }

    #[inline]
    fn produced(&self) -> &AtomicU64 {
        &self.produced[0]
    }

    #[inline]
    fn consumed(&self) -> &AtomicU64 {
        &self.consumed[0]
    }

    #[inline]
    fn write(&self, position: u64, words: [u64; RECORD_WORDS]) {
        let slot = &self.slots[(position & (self.capacity - 1)) as usize];
        for (target, word) in slot.iter().zip(words) {
            target.store(word, Ordering::Relaxed);
        }
    }

    #[inline]
    fn approach(&self, position: u64) {
        // A slot may lie on two lines. What is loaded may be half written: it is not used.
        let slot = &self.slots[(position & (self.capacity - 1)) as usize];
        slot[0].load(Ordering::Relaxed);
        slot[RECORD_WORDS - 1].load(Ordering::Relaxed);
    }

    #[inline]
    fn read(&self, position: u64) -> [u64; RECORD_WORDS] {
        let slot = &self.slots[(position & (self.capacity - 1)) as usize];
        std::array::from_fn(|word| slot[word].load(Ordering::Relaxed))
    }
}

impl<M: SpscMemory> SpscMemory for &M {
    #[inline]
    fn capacity(&self) -> u64 {
        (**self).capacity()
    }

    #[inline]
    fn produced(&self) -> &AtomicU64 {
        (**self).produced()
    }

    #[inline]
    fn consumed(&self) -> &AtomicU64 {
        (**self).consumed()
    }

    #[inline]
    fn write(&self, position: u64, words: [u64; RECORD_WORDS]) {
        (**self).write(position, words);
    }

    #[inline]
    fn approach(&self, position: u64) {
        (**self).approach(position);
    }

    #[inline]
    fn read(&self, position: u64) -> [u64; RECORD_WORDS] {
        (**self).read(position)
    }
}

/// A record accounts for its own sequence; a Gap that stands in for others, for all of theirs.
fn first_accounted_by(record: &Record) -> u64 {
    match GapCause::of(record) {
        Some(cause) if cause.is_of_producer() => record.price.max(1) as u64,
        _ => record.sequence,
    }
}

fn file_len(capacity: usize) -> usize {
    SLOTS_OFFSET + capacity * Record::SIZE_BYTES
}

/// A word that must fit a smaller type and be at least `min`.
fn small<T: TryFrom<u64> + PartialOrd + From<u8>>(
    header: &Header,
    word: usize,
    field: &'static str,
    min: u8,
) -> Result<T, AttachError> {
    T::try_from(header.get(word))
        .ok()
        .filter(|value| *value >= T::from(min))
        .ok_or(AttachError::Header {
            field,
            found: header.get(word),
            expected: min.into(),
        })
}
