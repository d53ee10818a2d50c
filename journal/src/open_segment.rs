//! The segment that is being written.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tickpath_protocol::{Instrument, InstrumentRow, InstrumentTable, Record};
use zerocopy::IntoBytes;

use super::batch::Entry;
use super::directory::TEMPORARY_EXTENSION;
use super::error::JournalError;
use super::file::{Medium, MediumFile, SegmentFiles, sync_directory};
use super::header::{MAGIC_BATCHES, MAGIC_RECORDS, PAGE_BYTES, SegmentHeader};
use super::name::{BATCHES_EXTENSION, RECORDS_EXTENSION, stem};
use super::seal::SealJob;

/// Bytes of entries that are allocated for each record: its stamp, and the entries of batches of 16.
const ENTRY_BYTES_PER_RECORD: u64 = 8;

/// A segment with room.
#[derive(Debug)]
pub(super) struct OpenSegment {
    files: Arc<SegmentFiles>,
    header: SegmentHeader,
    records: u64,
    batches: u64,
    /// Where the next entry goes.
    at: u64,
    next_position: u64,
    rows: u32,
    rows_crc32c: u32,
    entry: Vec<u8>,
}

impl OpenSegment {
    /// Makes the files under temporary names, brings them to the disk, gives them their names: a segment with a name has a whole header. If that fails nothing is
    /// left: a full disk gets its room back, and the next attempt, which has the same name where the clock was set back, is not in its own way.
    pub(super) fn create(
        dir: &Path,
        header: SegmentHeader,
        instruments: &InstrumentTable,
        medium: &dyn Medium,
    ) -> Result<OpenSegment, JournalError> {
        let stem = dir.join(stem(header.created_ns, header.first_index));
        let named = |extension: &str| PathBuf::from(format!("{}.{extension}", stem.display()));
        let (path, batches_path) = (named(RECORDS_EXTENSION), named(BATCHES_EXTENSION));
        let mut rows = Vec::with_capacity(instruments.len() * InstrumentRow::SIZE_BYTES);
        for instrument in instruments.iter() {
            rows.extend_from_slice(InstrumentRow::encode(instrument)?.as_bytes());
        }
        let unfinished = Unfinished(vec![
            temporary(&path),
            temporary(&batches_path),
            path.clone(),
            batches_path.clone(),
        ]);
        let records = create(medium, &path, |file| {
            file.allocate(header.record_offset(header.record_capacity), false)?;
            file.write_all_at(&header.encode(MAGIC_RECORDS), 0)?;
            file.write_all_at(&rows, PAGE_BYTES as u64)
        })?;
        let batches = create(medium, &batches_path, |file| {
            let bytes = PAGE_BYTES as u64 + header.record_capacity * ENTRY_BYTES_PER_RECORD;
            file.allocate(bytes, true)?;
            file.write_all_at(&header.encode(MAGIC_BATCHES), 0)
        })?;
        // The segment counts once its records have their name.
        for path in [&batches_path, &path] {
            fs::rename(temporary(path), path).map_err(JournalError::io("cannot rename", path))?;
        }
        sync_directory(dir)?;
        unfinished.keep();
        Ok(OpenSegment {
            files: Arc::new(SegmentFiles::new(path, records, batches)),
            records: 0,
            batches: 0,
            at: PAGE_BYTES as u64,
            next_position: header.first_position,
            rows: instruments.len() as u32,
            rows_crc32c: crc32c::crc32c(&rows),
            entry: Vec::new(),
            header,
        })
    }

    /// Records for which there is room.
    pub(super) fn room(&self) -> u64 {
        self.header.record_capacity - self.records
    }

    /// Whether another instrument fits.
    pub(super) fn has_row(&self) -> bool {
        self.rows < self.header.row_capacity
    }

    /// Adds an instrument, which the batches that follow may name.
    pub(super) fn push_row(&mut self, instrument: &Instrument) -> Result<(), JournalError> {
        let row = InstrumentRow::encode(instrument)?;
        let offset = PAGE_BYTES + self.rows as usize * InstrumentRow::SIZE_BYTES;
        self.files
            .records
            .write_all_at(row.as_bytes(), offset as u64)
            .map_err(JournalError::io("cannot write", &self.files.path))?;
        self.rows += 1;
        self.rows_crc32c = crc32c::crc32c_append(self.rows_crc32c, row.as_bytes());
        Ok(())
    }

    /// Appends a batch: first its records, then the entry that makes them count.
    pub(super) fn write(
        &mut self,
        first_position: u64,
        span: u64,
        records: &[Record],
        published_ns: &[i64],
    ) -> Result<(), JournalError> {
        let bytes = records.as_bytes();
        let offset = self.header.record_offset(self.records);
        self.files
            .records
            .write_all_at(bytes, offset)
            .map_err(JournalError::io("cannot write", &self.files.path))?;
        let entry = Entry {
            count: records.len() as u32,
            journal_id: self.header.journal_id,
            first_index: self.header.first_index + self.records,
            first_position,
            span,
            base_published_ns: published_ns.iter().copied().min().unwrap_or(0),
            rows: self.rows,
            rows_crc32c: self.rows_crc32c,
            records_crc32c: crc32c::crc32c(bytes),
            entry_crc32c: 0,
        };
        self.entry.clear();
        entry.encode(published_ns, &mut self.entry);
        self.files
            .batches
            .write_all_at(&self.entry, self.at)
            .map_err(|source| JournalError::Io {
                what: "cannot write",
                path: self.files.path.with_extension(BATCHES_EXTENSION),
                source,
            })?;
        self.at += self.entry.len() as u64;
        self.records += records.len() as u64;
        self.batches += 1;
        self.next_position = first_position.saturating_add(span);
        Ok(())
    }

    /// Its files, to sync them.
    pub(super) fn files(&self) -> &Arc<SegmentFiles> {
        &self.files
    }

    /// Where it is.
    pub(super) fn path(&self) -> &Path {
        &self.files.path
    }

    /// What remains to be done once nothing more is written to it.
    pub(super) fn into_seal_job(self) -> SealJob {
        SealJob {
            files: self.files,
            header: self.header,
            records: self.records,
            batches: self.batches,
            next_position: self.next_position,
            rows: self.rows,
        }
    }
}

/// A file under its temporary name, filled and synced.
fn create(
    medium: &dyn Medium,
    path: &Path,
    fill: impl FnOnce(&dyn MediumFile) -> std::io::Result<()>,
) -> Result<Box<dyn MediumFile>, JournalError> {
    let temporary = temporary(path);
    let file = medium
        .create(&temporary)
        .map_err(JournalError::io("cannot create", &temporary))?;
    fill(&*file)
        .and_then(|()| file.sync_data())
        .map_err(JournalError::io("cannot make a segment", path))?;
    Ok(file)
}

/// Files of a segment that does not count yet; gone if this is dropped. Those that make it count go first.
struct Unfinished(Vec<PathBuf>);

impl Unfinished {
    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        for path in &self.0 {
            match fs::remove_file(path) {
                Err(error) if error.kind() != ErrorKind::NotFound => {
                    tracing::warn!(path = %path.display(), "cannot delete it: {error}");
                }
                _ => {}
            }
        }
    }
}

fn temporary(path: &Path) -> PathBuf {
    PathBuf::from(format!("{}.{TEMPORARY_EXTENSION}", path.display()))
}
