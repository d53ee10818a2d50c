//! The header of a segment: one page, written once, and a copy of it in the `.batches` file.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | 8 bytes | magic: `TPJOURN\x01`, in the `.batches` file `TPBATCH\x01` |
//! | 8 | u32 | version: 1 |
//! | 12 | u32 | header_bytes: offset of the first record, a multiple of 4096 |
//! | 16 | u64 | journal_id: the same in all segments of a directory, never 0 |
//! | 24 | u64 | run_id: the relay's |
//! | 32 | u64 | first_index: of its first record |
//! | 40 | u64 | first_position: of its first record in the relay's stream |
//! | 48 | i64 | created_ns: ns since the Unix epoch |
//! | 56 | u64 | record_capacity: records that fit |
//! | 64 | u32 | row_capacity: instrument rows that fit |
//! | 68 | u32 | record_bytes: 48 |
//! | 72 | u32 | producers: how many entries follow at 80 |
//! | 76 | u32 | 0 |
//! | 80 | 160 × 24 bytes | producers: venue code u64, run id i64, next sequence u64 (0: not known) |
//! | 3920 | 172 bytes | 0 |
//! | 4092 | u32 | header_crc32c: CRC32C of the page before it |
//!
//! The producers are what a reader of the stream knew when the segment began: with them a recorder that starts again tells a record that
//! comes twice from a new one. Two copies, because a header is all that makes its records readable: if one is damaged the other is used.

use std::path::Path;

use tickpath_protocol::{InstrumentRow, Record};

use super::error::JournalError;

/// Bytes of the header page, and what the record area is aligned to.
pub const PAGE_BYTES: usize = 4096;
/// The version of every file that this build writes and reads.
pub const VERSION: u32 = 1;
/// First bytes of a segment.
pub const MAGIC_RECORDS: [u8; 8] = *b"TPJOURN\x01";
/// First bytes of the file beside it.
pub const MAGIC_BATCHES: [u8; 8] = *b"TPBATCH\x01";
/// Most records of a segment.
pub const RECORD_CAPACITY_MAX: u64 = 1 << 32;
/// Highest index that a segment may begin with, so that the sums of a hostile header do not overflow.
const INDEX_MAX: u64 = 1 << 62;
/// Most instrument rows of a segment.
pub const ROW_CAPACITY_MAX: u32 = 1 << 20;
/// Most producers that a header names.
pub const PRODUCERS_MAX: usize = 160;

const PRODUCERS_OFFSET: usize = 80;
const PRODUCER_BYTES: usize = 24;
const CRC_OFFSET: usize = PAGE_BYTES - 4;
/// Names and offsets of the numbers that a header may not disagree with this build about.
pub const FIELDS: [(usize, &str, &str); 14] = [
    (0, "8 bytes", "magic"),
    (8, "u32", "version"),
    (12, "u32", "header_bytes"),
    (16, "u64", "journal_id"),
    (24, "u64", "run_id"),
    (32, "u64", "first_index"),
    (40, "u64", "first_position"),
    (48, "i64", "created_ns"),
    (56, "u64", "record_capacity"),
    (64, "u32", "row_capacity"),
    (68, "u32", "record_bytes"),
    (72, "u32", "producers"),
    (PRODUCERS_OFFSET, "160 × 24 bytes", "producer"),
    (CRC_OFFSET, "u32", "header_crc32c"),
];

/// What a segment says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The same in all segments of a directory.
    pub journal_id: u64,
    /// The relay's run.
    pub run_id: u64,
    /// Index of its first record.
    pub first_index: u64,
    /// Position of its first record in the relay's stream.
    pub first_position: u64,
    /// When it was made, ns since the Unix epoch.
    pub created_ns: i64,
    /// Records that fit.
    pub record_capacity: u64,
    /// Instrument rows that fit.
    pub row_capacity: u32,
    /// What was known of each producer when the segment began.
    pub producers: Vec<ProducerState>,
}

/// What is known of a producer at a point of the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerState {
    /// Its venue's code.
    pub venue: u8,
    /// Its run id; 0: not known.
    pub run_id: i64,
    /// The sequence that comes next; 0: not known.
    pub next_sequence: u64,
}

impl SegmentHeader {
    /// Offset of the first record.
    #[must_use]
    pub fn header_bytes(&self) -> u64 {
        let rows = self.row_capacity as usize * InstrumentRow::SIZE_BYTES;
        (PAGE_BYTES + rows).next_multiple_of(PAGE_BYTES) as u64
    }

    /// Offset of a record.
    #[must_use]
    pub fn record_offset(&self, record: u64) -> u64 {
        self.header_bytes() + record * Record::SIZE_BYTES as u64
    }

    /// The page, beginning with `magic`. Producers beyond [`PRODUCERS_MAX`] are left out.
    #[must_use]
    pub fn encode(&self, magic: [u8; 8]) -> [u8; PAGE_BYTES] {
        let mut page = [0; PAGE_BYTES];
        let mut put = |offset: usize, bytes: &[u8]| page[offset..offset + bytes.len()].copy_from_slice(bytes);
        put(0, &magic);
        put(8, &VERSION.to_le_bytes());
        put(12, &(self.header_bytes() as u32).to_le_bytes());
        put(16, &self.journal_id.to_le_bytes());
        put(24, &self.run_id.to_le_bytes());
        put(32, &self.first_index.to_le_bytes());
        put(40, &self.first_position.to_le_bytes());
        put(48, &self.created_ns.to_le_bytes());
        put(56, &self.record_capacity.to_le_bytes());
        put(64, &self.row_capacity.to_le_bytes());
        put(68, &(Record::SIZE_BYTES as u32).to_le_bytes());
        let producers = &self.producers[..self.producers.len().min(PRODUCERS_MAX)];
        put(72, &(producers.len() as u32).to_le_bytes());
        for (index, producer) in producers.iter().enumerate() {
            let offset = PRODUCERS_OFFSET + index * PRODUCER_BYTES;
            put(offset, &u64::from(producer.venue).to_le_bytes());
            put(offset + 8, &producer.run_id.to_le_bytes());
            put(offset + 16, &producer.next_sequence.to_le_bytes());
        }
        let crc = crc32c::crc32c(&page[..CRC_OFFSET]);
        page[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        page
    }

    /// The header in a page of `path`.
    ///
    /// # Errors
    /// [`JournalError::Foreign`] names the first field that is not as it must be.
    pub fn decode(page: &[u8; PAGE_BYTES], magic: [u8; 8], path: &Path) -> Result<SegmentHeader, JournalError> {
        let expect = |field: &'static str, found: u64, expected: u64| match found == expected {
            true => Ok(()),
            false => Err(JournalError::Foreign {
                path: path.to_owned(),
                field,
                found,
                expected,
            }),
        };
        let magic_found = u64_at(page, 0);
        expect("magic", magic_found, u64::from_le_bytes(magic))?;
        expect("version", u32_at(page, 8).into(), VERSION.into())?;
        let crc = crc32c::crc32c(&page[..CRC_OFFSET]);
        expect("header_crc32c", u32_at(page, CRC_OFFSET).into(), crc.into())?;
        expect("record_bytes", u32_at(page, 68).into(), Record::SIZE_BYTES as u64)?;
        let record_capacity = u64_at(page, 56);
        expect(
            "record_capacity",
            record_capacity,
            record_capacity.clamp(1, RECORD_CAPACITY_MAX),
        )?;
        let row_capacity = u32_at(page, 64);
        expect(
            "row_capacity",
            row_capacity.into(),
            row_capacity.min(ROW_CAPACITY_MAX).into(),
        )?;
        let producers = u32_at(page, 72);
        expect(
            "producers",
            producers.into(),
            producers.min(PRODUCERS_MAX as u32).into(),
        )?;
        let journal_id = u64_at(page, 16);
        expect("journal_id", journal_id, journal_id.max(1))?;
        let first_index = u64_at(page, 32);
        expect("first_index", first_index, first_index.min(INDEX_MAX))?;
        let header = SegmentHeader {
            journal_id,
            run_id: u64_at(page, 24),
            first_index,
            first_position: u64_at(page, 40),
            created_ns: u64_at(page, 48) as i64,
            record_capacity,
            row_capacity,
            producers: (0..producers as usize).map(|index| producer_at(page, index)).collect(),
        };
        expect("header_bytes", u32_at(page, 12).into(), header.header_bytes())?;
        Ok(header)
    }
}

fn producer_at(page: &[u8; PAGE_BYTES], index: usize) -> ProducerState {
    let offset = PRODUCERS_OFFSET + index * PRODUCER_BYTES;
    ProducerState {
        venue: u64_at(page, offset) as u8,
        run_id: u64_at(page, offset + 8) as i64,
        next_sequence: u64_at(page, offset + 16),
    }
}

/// The little-endian number at an offset that the caller knows to be inside.
pub(super) fn u64_at(bytes: &[u8], offset: usize) -> u64 {
    let mut word = [0; 8];
    word.copy_from_slice(&bytes[offset..offset + 8]);
    u64::from_le_bytes(word)
}

/// The little-endian number at an offset that the caller knows to be inside.
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    let mut word = [0; 4];
    word.copy_from_slice(&bytes[offset..offset + 4]);
    u32::from_le_bytes(word)
}
