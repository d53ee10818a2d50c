//! What a writer finds: how far the journal that an earlier one left can be trusted.

use std::path::{Path, PathBuf};

use super::batch::Batch;
use super::directory::{Recorded, RecordedFile, segment_paths};
use super::error::JournalError;
use super::producers::Producers;
use super::segment::{Found, SegmentReader};

/// Where a journal goes on, and what was cut to get there. Nothing is written to the old segments: what is cut is ignored, not deleted.
#[derive(Clone, Debug, Default)]
pub struct Recovered {
    /// Up to where there are records; `journal_id` is 0 in an empty directory.
    pub recorded: Recorded,
    /// What each producer did last.
    pub producers: Producers,
    /// The newest segment.
    pub newest: Option<PathBuf>,
    /// When that was made, ns since the Unix epoch.
    pub created_ns: i64,
    /// Bytes behind its longest valid prefix: batches that were being written when the writer died.
    pub cut_bytes: u64,
    /// Records that were recorded and do not hold any more. Their indexes are not given out again: a cursor names them as damaged.
    pub damaged_records: u64,
    /// Whether one of the two copies of its header is damaged.
    pub header_repaired: bool,
    /// Half-made files that were deleted.
    pub leftovers: usize,
}

impl Recovered {
    /// Validates the newest segment of `dir` and brings it to the disk.
    ///
    /// # Errors
    /// If it cannot be read, or is no segment: then nothing can be said of what comes next, and nothing is written.
    pub(super) fn look(dir: &Path) -> Result<Recovered, JournalError> {
        let Some(path) = segment_paths(dir)?.pop() else {
            return Ok(Recovered::default());
        };
        let mut reader = SegmentReader::open(&path)?;
        let mut producers = Producers::of(&reader.header().producers);
        let mut batch = Batch::default();
        while reader.next(&mut batch, 0, u64::MAX)? == Found::Batch {
            producers.note(&batch.records);
        }
        reader.sync()?;
        let header = reader.header();
        let footer = reader.footer()?;
        let sealed = footer.map_or(0, |footer| header.first_index + footer.records);
        let before = RecordedFile::read(dir)?.filter(|before| before.journal_id == header.journal_id);
        // An index that was given out once is never given out again, even if its record is damaged.
        let recorded = before.map_or(0, |before| before.next_index).max(sealed);
        Ok(Recovered {
            recorded: Recorded {
                journal_id: header.journal_id,
                next_index: reader.next_index().max(recorded),
                run_id: header.run_id,
                next_position: reader
                    .next_position()
                    .max(footer.map_or(0, |footer| footer.next_position)),
                synced_ns: tickpath_transport::now_ns(),
            },
            producers,
            created_ns: header.created_ns,
            cut_bytes: if footer.is_some() { 0 } else { reader.bytes_behind()? },
            damaged_records: recorded.saturating_sub(reader.next_index()),
            header_repaired: reader.is_repaired(),
            newest: Some(path),
            leftovers: 0,
        })
    }
}
