//! A batch of records and its entry in the `.batches` file.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | u32 | magic: `TPBE` |
//! | 4 | u32 | count: records, 1 to 2^20 |
//! | 8 | u64 | journal_id |
//! | 16 | u64 | first_index |
//! | 24 | u64 | first_position |
//! | 32 | u64 | span: stream positions that the batch covers: count; of a batch of 1, which may be the recorder's Gap record, any number |
//! | 40 | i64 | base_published_ns: earliest publish time in the batch |
//! | 48 | u32 | rows: instrument rows of the segment before the batch |
//! | 52 | u32 | rows_crc32c: of those rows |
//! | 56 | u32 | records_crc32c: of its records |
//! | 60 | u32 | entry_crc32c: of the entry before it, then of the stamps |
//! | 64 | u32 × count | stamps: publish time of each record, ns since base_published_ns |
//!
//! A batch is valid if its checksums hold and it continues the one before: index after index, position not before position. The valid
//! prefix of a segment is its valid batches.

use tickpath_protocol::Record;

use super::header::{u32_at, u64_at};

/// Bytes of an entry without its stamps.
pub const ENTRY_BYTES: usize = 64;
/// Most records of a batch: what a reader allocates at most for one, whatever an entry says.
pub const BATCH_RECORDS_MAX: usize = 1 << 20;
/// First bytes of an entry.
pub const ENTRY_MAGIC: u32 = u32::from_le_bytes(*b"TPBE");

const CRC_OFFSET: usize = 60;

/// Offsets, types and names, as `docs/journal.md` states them.
pub const FIELDS: [(usize, &str, &str); 12] = [
    (0, "u32", "magic"),
    (4, "u32", "count"),
    (8, "u64", "journal_id"),
    (16, "u64", "first_index"),
    (24, "u64", "first_position"),
    (32, "u64", "span"),
    (40, "i64", "base_published_ns"),
    (48, "u32", "rows"),
    (52, "u32", "rows_crc32c"),
    (56, "u32", "records_crc32c"),
    (CRC_OFFSET, "u32", "entry_crc32c"),
    (ENTRY_BYTES, "u32 × count", "stamps"),
];

/// Records that were appended together; index and position run on by one from record to record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// The relay's run.
    pub run_id: u64,
    /// Index of the first record in the journal.
    pub first_index: u64,
    /// Position of the first record in the relay's stream.
    pub first_position: u64,
    /// Stream positions that it covers: as many as records, except for a Gap record of the recorder's own, which is alone in its batch: it
    /// covers the positions that were missed, none if what is missing was of another run.
    pub span: u64,
    /// The records.
    pub records: Vec<Record>,
    /// When the relay published each, ns since the Unix epoch.
    pub published_ns: Vec<i64>,
}

impl Batch {
    /// The index after its last record.
    #[must_use]
    pub fn next_index(&self) -> u64 {
        self.first_index + self.records.len() as u64
    }

    /// The stream position after what it covers.
    #[must_use]
    pub fn next_position(&self) -> u64 {
        self.first_position.saturating_add(self.span)
    }

    /// Leaves out what comes before `index`.
    pub(super) fn cut_before(&mut self, index: u64) {
        let cut = index.saturating_sub(self.first_index).min(self.records.len() as u64);
        self.records.drain(..cut as usize);
        self.published_ns.drain(..cut as usize);
        self.first_index += cut;
        self.first_position += cut;
        self.span -= cut.min(self.span);
    }
}

/// An entry without its stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Records.
    pub count: u32,
    /// The journal's id.
    pub journal_id: u64,
    /// Index of the first record.
    pub first_index: u64,
    /// Stream position of the first record.
    pub first_position: u64,
    /// Stream positions covered.
    pub span: u64,
    /// What the stamps count from.
    pub base_published_ns: i64,
    /// Instrument rows before the batch.
    pub rows: u32,
    /// CRC32C of those rows.
    pub rows_crc32c: u32,
    /// CRC32C of the records.
    pub records_crc32c: u32,
    /// CRC32C of the entry and its stamps.
    pub entry_crc32c: u32,
}

impl Entry {
    /// The entry in the first [`ENTRY_BYTES`], if it could be one: its checksum is not looked at here.
    #[must_use]
    pub fn peek(bytes: &[u8; ENTRY_BYTES]) -> Option<Entry> {
        let count = u32_at(bytes, 4);
        let is_entry = u32_at(bytes, 0) == ENTRY_MAGIC && (1..=BATCH_RECORDS_MAX as u32).contains(&count);
        is_entry.then(|| Entry {
            count,
            journal_id: u64_at(bytes, 8),
            first_index: u64_at(bytes, 16),
            first_position: u64_at(bytes, 24),
            span: u64_at(bytes, 32),
            base_published_ns: u64_at(bytes, 40) as i64,
            rows: u32_at(bytes, 48),
            rows_crc32c: u32_at(bytes, 52),
            records_crc32c: u32_at(bytes, 56),
            entry_crc32c: u32_at(bytes, CRC_OFFSET),
        })
    }

    /// Bytes of the entry with its stamps.
    #[must_use]
    pub fn len_bytes(&self) -> usize {
        ENTRY_BYTES + 4 * self.count as usize
    }

    /// Whether the entry with its stamps in `bytes` is what was written.
    #[must_use]
    pub fn holds(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.len_bytes() && self.entry_crc32c == checksum(bytes)
    }

    /// Appends the entry with its stamps to `out`; `entry_crc32c` is computed here. Every publish time must lie within 2^32 ns above
    /// `base_published_ns`.
    pub fn encode(&self, published_ns: &[i64], out: &mut Vec<u8>) {
        let start = out.len();
        out.reserve(ENTRY_BYTES + 4 * published_ns.len());
        out.extend_from_slice(&ENTRY_MAGIC.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        for word in [self.journal_id, self.first_index, self.first_position, self.span] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        out.extend_from_slice(&self.base_published_ns.to_le_bytes());
        for word in [self.rows, self.rows_crc32c, self.records_crc32c, 0] {
            out.extend_from_slice(&word.to_le_bytes());
        }
        let base = self.base_published_ns;
        let stamps = out.len();
        out.resize(stamps + 4 * published_ns.len(), 0);
        // Whole words at once: an iterator of bytes takes as long as the checksum.
        for (stamp, ns) in out[stamps..].as_chunks_mut::<4>().0.iter_mut().zip(published_ns) {
            *stamp = (ns.wrapping_sub(base) as u32).to_le_bytes();
        }
        let crc = checksum(&out[start..]);
        out[start + CRC_OFFSET..start + ENTRY_BYTES].copy_from_slice(&crc.to_le_bytes());
    }
}

/// Of the entry before its checksum, then of the stamps.
fn checksum(bytes: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..CRC_OFFSET]), &bytes[ENTRY_BYTES..])
}

/// The publish times in the stamps of an entry.
pub(super) fn stamps(entry: &Entry, bytes: &[u8], out: &mut Vec<i64>) {
    out.clear();
    let stamps = bytes[ENTRY_BYTES..].as_chunks::<4>().0;
    let base = entry.base_published_ns;
    out.extend(
        stamps
            .iter()
            .map(|stamp| base.wrapping_add(u32::from_le_bytes(*stamp).into())),
    );
}
