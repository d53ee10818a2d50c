//! Seals a segment that nothing more is written to: cuts it behind its last record and adds the footer with the hash of its content.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tickpath_protocol::InstrumentRow;

use super::error::JournalError;
use super::file::SegmentFiles;
use super::footer::Footer;
use super::header::{PAGE_BYTES, SegmentHeader};

/// Bytes that are hashed at once.
const BLOCK_BYTES: usize = 1 << 20;

/// A finished segment that waits to be sealed. Takes as long as reading and hashing it: no business of a thread that appends.
#[derive(Debug)]
pub struct SealJob {
    pub(super) files: Arc<SegmentFiles>,
    pub(super) header: SegmentHeader,
    pub(super) records: u64,
    pub(super) batches: u64,
    pub(super) next_position: u64,
    pub(super) rows: u32,
}

impl SealJob {
    /// Seals it.
    ///
    /// # Errors
    /// If it cannot be read or written; the segment is as good as before, unsealed.
    pub fn run(&self) -> Result<(), JournalError> {
        let path = &self.files.path;
        let error = || JournalError::io("cannot seal", path);
        let footer = Footer {
            records: self.records,
            batches: self.batches,
            next_position: self.next_position,
            sealed_ns: tickpath_transport::now_ns(),
            rows: self.rows,
            content_blake3: content_hash(path, &self.header, self.rows, self.records).map_err(error())?,
        };
        let end = self.header.record_offset(self.records);
        let file = &self.files.records;
        file.truncate(end).map_err(error())?;
        file.write_all_at(&footer.encode(), end).map_err(error())?;
        self.files.sync()
    }

    /// The segment.
    #[must_use]
    pub fn path(&self) -> &PathBuf {
        &self.files.path
    }
}

/// BLAKE3 of header page, the first `rows` instrument rows and the first `records` records of the segment at `path`.
///
/// # Errors
/// If it cannot be read or is too short.
pub fn content_hash(path: &Path, header: &SegmentHeader, rows: u32, records: u64) -> io::Result<[u8; 32]> {
    let file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut block = vec![0; BLOCK_BYTES];
    let head = (PAGE_BYTES + rows as usize * InstrumentRow::SIZE_BYTES) as u64;
    for (start, end) in [(0, head), (header.record_offset(0), header.record_offset(records))] {
        let mut at = start;
        while at < end {
            let len = (end - at).min(BLOCK_BYTES as u64) as usize;
            file.read_exact_at(&mut block[..len], at)?;
            hasher.update(&block[..len]);
            at += len as u64;
        }
    }
    Ok(*hasher.finalize().as_bytes())
}
