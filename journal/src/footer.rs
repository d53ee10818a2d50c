//! The footer of a sealed segment: right after its last record, the last 96 bytes of the file.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 0 | 8 bytes | magic: `\0TPSEAL\x01` |
//! | 8 | u64 | records |
//! | 16 | u64 | batches |
//! | 24 | u64 | next_position: stream position after the last record |
//! | 32 | i64 | sealed_ns: ns since the Unix epoch |
//! | 40 | u32 | rows: instrument rows |
//! | 44 | 12 bytes | 0 |
//! | 56 | 32 bytes | content_blake3: of header page, rows and records |
//! | 88 | u32 | 0 |
//! | 92 | u32 | footer_crc32c: CRC32C of the footer before it |
//!
//! It is two records long and each half begins with a 0, which is no kind: whoever maps the file as records sees two that say nothing.

use super::header::{u32_at, u64_at};

/// Bytes of a footer.
pub const FOOTER_BYTES: usize = 96;
/// First bytes of a footer.
pub const MAGIC_FOOTER: [u8; 8] = *b"\0TPSEAL\x01";

const CRC_OFFSET: usize = 92;

/// Offsets, types and names, as `docs/journal.md` states them.
pub const FIELDS: [(usize, &str, &str); 8] = [
    (0, "8 bytes", "magic"),
    (8, "u64", "records"),
    (16, "u64", "batches"),
    (24, "u64", "next_position"),
    (32, "i64", "sealed_ns"),
    (40, "u32", "rows"),
    (56, "32 bytes", "content_blake3"),
    (CRC_OFFSET, "u32", "footer_crc32c"),
];

/// What a sealed segment says at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footer {
    /// Records.
    pub records: u64,
    /// Batches.
    pub batches: u64,
    /// Stream position after the last record.
    pub next_position: u64,
    /// When it was sealed, ns since the Unix epoch.
    pub sealed_ns: i64,
    /// Instrument rows.
    pub rows: u32,
    /// BLAKE3 of header page, rows and records.
    pub content_blake3: [u8; 32],
}

impl Footer {
    /// The bytes.
    #[must_use]
    pub fn encode(&self) -> [u8; FOOTER_BYTES] {
        let mut bytes = [0; FOOTER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC_FOOTER);
        bytes[8..16].copy_from_slice(&self.records.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.batches.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.next_position.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.sealed_ns.to_le_bytes());
        bytes[40..44].copy_from_slice(&self.rows.to_le_bytes());
        bytes[56..88].copy_from_slice(&self.content_blake3);
        let crc = crc32c::crc32c(&bytes[..CRC_OFFSET]);
        bytes[CRC_OFFSET..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The footer in these bytes, or `None` if they are none, or damaged.
    #[must_use]
    pub fn decode(bytes: &[u8; FOOTER_BYTES]) -> Option<Footer> {
        let is_footer = bytes[..8] == MAGIC_FOOTER && u32_at(bytes, CRC_OFFSET) == crc32c::crc32c(&bytes[..CRC_OFFSET]);
        is_footer.then(|| {
            let mut content_blake3 = [0; 32];
            content_blake3.copy_from_slice(&bytes[56..88]);
            Footer {
                records: u64_at(bytes, 8),
                batches: u64_at(bytes, 16),
                next_position: u64_at(bytes, 24),
                sealed_ns: u64_at(bytes, 32) as i64,
                rows: u32_at(bytes, 40),
                content_blake3,
            }
        })
    }
}
