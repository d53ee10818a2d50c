//! Walks the batches of a journal in order, over its segments, also while it is being written.

use std::path::{Path, PathBuf};

use tickpath_protocol::InstrumentTable;

use super::batch::Batch;
use super::directory::segment_paths;
use super::error::JournalError;
use super::name::first_index;
use super::segment::{Found, SegmentReader};

/// A reader of a journal.
///
/// A segment counts up to the first index of the next one: what a writer could not bring to the disk it writes again there.
#[derive(Debug)]
pub struct Cursor {
    dir: PathBuf,
    journal_id: u64,
    reader: Option<SegmentReader>,
    index: u64,
    limit: u64,
    /// Where the next segment begins, if there was one when the directory was last looked at.
    following: u64,
    /// The limit that the directory was last looked at for.
    looked_for: u64,
    empty: InstrumentTable,
}

impl Cursor {
    pub(super) fn open(dir: &Path, journal_id: u64, from_index: u64) -> Result<Cursor, JournalError> {
        let mut cursor = Cursor {
            dir: dir.to_owned(),
            journal_id,
            reader: None,
            index: from_index,
            limit: u64::MAX,
            following: u64::MAX,
            looked_for: u64::MAX,
            empty: InstrumentTable::new(),
        };
        let segments = segment_paths(dir)?;
        let first = segments.first().and_then(|path| first_index(path));
        match first {
            Some(first) if from_index < first => {
                return Err(JournalError::Deleted {
                    path: dir.to_owned(),
                    index: from_index,
                    first,
                });
            }
            None if from_index > 0 => return Err(cursor.not_written(0)),
            _ => {}
        }
        cursor.advance(&segments)?;
        if let Some(reader) = &mut cursor.reader {
            // Up to where it begins, no record is looked at.
            reader.next(&mut Batch::default(), from_index, from_index)?;
            let next = reader.next_index();
            if next == from_index {
                return Ok(cursor);
            }
            if reader.next(&mut Batch::default(), from_index, u64::MAX)? == Found::End {
                return Err(cursor.not_written(next));
            }
            // It begins within that batch, which is read again when it is asked for.
            cursor.reader = None;
        }
        Ok(cursor)
    }

    fn not_written(&self, next: u64) -> JournalError {
        JournalError::NotWritten {
            path: self.dir.clone(),
            index: self.index,
            next,
        }
    }

    /// The next batch; `false` if there is none for now. Whole batches only, except that the first begins where the cursor was asked to.
    ///
    /// # Errors
    /// If the journal is damaged before its end, or cannot be read.
    pub fn next(&mut self, batch: &mut Batch) -> Result<bool, JournalError> {
        self.look_for_following()?;
        loop {
            if self.read(batch)? {
                return Ok(true);
            }
            if self.index >= self.limit {
                return Ok(false);
            }
            let segments = segment_paths(&self.dir)?;
            if self.advance(&segments)? {
                continue;
            }
            // There may be a segment that begins behind what was read of this one, which got longer meanwhile.
            if self.read(batch)? {
                return Ok(true);
            }
            return self.judge_end(&segments).map(|()| false);
        }
    }

    /// Once a limit: what the last segment holds beyond the old one may have been given up since, and other records be recorded in its place. The segment
    /// that has them was there before the limit rose.
    fn look_for_following(&mut self) -> Result<(), JournalError> {
        if self.limit == self.looked_for || self.following < u64::MAX {
            return Ok(());
        }
        let segments = segment_paths(&self.dir)?;
        if !self.advance(&segments)?
            && let Some(reader) = &self.reader
        {
            self.following = begin_after(&segments, reader.header().first_index).unwrap_or(u64::MAX);
        }
        self.looked_for = self.limit;
        Ok(())
    }

    fn read(&mut self, batch: &mut Batch) -> Result<bool, JournalError> {
        let limit = self.limit.min(self.following);
        let Some(reader) = &mut self.reader else {
            return Ok(false);
        };
        if reader.next(batch, self.index, limit)? == Found::End {
            return Ok(false);
        }
        self.index = batch.next_index();
        Ok(true)
    }

    /// Opens the newest segment that begins at or before the index wanted, if it is not the one that is open.
    fn advance(&mut self, segments: &[PathBuf]) -> Result<bool, JournalError> {
        let newest = segments
            .iter()
            .rev()
            .find(|path| first_index(path).is_some_and(|first| first <= self.index));
        let Some(path) = newest else { return Ok(false) };
        if self
            .reader
            .as_ref()
            .is_some_and(|reader| reader.path() >= path.as_path())
        {
            return Ok(false);
        }
        let reader = SegmentReader::open(path)?;
        if reader.header().journal_id != self.journal_id {
            return Err(JournalError::Foreign {
                path: path.clone(),
                field: "journal_id",
                found: reader.header().journal_id,
                expected: self.journal_id,
            });
        }
        self.following = begin_after(segments, reader.header().first_index).unwrap_or(u64::MAX);
        self.reader = Some(reader);
        Ok(true)
    }

    /// Nothing more can be read: whether that is the end for now, or records are missing.
    fn judge_end(&self, segments: &[PathBuf]) -> Result<(), JournalError> {
        let Some(reader) = &self.reader else { return Ok(()) };
        // A batch that goes on beyond the limit waits for a higher one.
        if reader.is_at_limit() && self.limit < self.following {
            return Ok(());
        }
        let following = begin_after(segments, self.index);
        let sealed = reader
            .footer()?
            .map(|footer| reader.header().first_index + footer.records);
        let known = following.or(sealed).unwrap_or(0);
        if known.min(self.limit) > self.index {
            return Err(JournalError::Damaged {
                path: reader.path().to_owned(),
                index: self.index,
                goes_on: Some(known),
                reason: format!("{}, and records up to {known} are missing", reader.stop()),
            });
        }
        Ok(())
    }

    /// The instruments that the records so far can name, of the current segment's run.
    #[must_use]
    pub fn instruments(&self) -> &InstrumentTable {
        self.reader.as_ref().map_or(&self.empty, SegmentReader::instruments)
    }

    /// Index of the record that comes next.
    #[must_use]
    pub fn position(&self) -> u64 {
        self.index
    }

    /// Delivers nothing from record `index` on: whoever must not see what a power loss can take sets [`super::Recorded::next_index`].
    pub fn set_limit(&mut self, index: u64) {
        self.limit = index;
    }
}

/// Where the first segment begins that begins behind `index`.
fn begin_after(segments: &[PathBuf], index: u64) -> Option<u64> {
    let mut firsts = segments.iter().filter_map(|path| first_index(path));
    firsts.find(|first| *first > index)
}
