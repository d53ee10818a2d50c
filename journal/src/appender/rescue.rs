//! How a segment ends: finished and sealed, or given up after a failed sync and written again.

use std::path::{Path, PathBuf};
use std::sync::mpsc::TrySendError;

use super::Appender;
use crate::batch::Batch;
use crate::error::JournalError;
use crate::segment::{Found, SegmentReader};

/// Segments that are made one after the other for the same records before the disk is taken to have failed for now.
const ATTEMPTS: usize = 3;

impl Appender {
    pub(super) fn is_poisoned(&self) -> bool {
        self.segment
            .as_ref()
            .is_some_and(|segment| segment.files().is_poisoned())
    }

    /// Ends the segment. If its sync fails, its records go to another one, which is ended in its turn; after an error the segment may
    /// still be there.
    pub(super) fn finish(&mut self) -> Result<(), JournalError> {
        let mut attempts = 1..=ATTEMPTS;
        while self.segment.is_some() {
            match self.pending().sync() {
                Ok(_) => return self.hand_on(),
                Err(error) if !self.is_poisoned() || attempts.next().is_none() => return Err(error),
                Err(_) => self.rescue()?,
            }
        }
        Ok(())
    }

    /// Gives the segment, which is synced, to the sealer.
    fn hand_on(&mut self) -> Result<(), JournalError> {
        let Some(segment) = self.segment.take() else {
            return Ok(());
        };
        let job = segment.into_seal_job();
        match &self.settings.sealer {
            Some(sealer) => match sealer.try_send(job) {
                Ok(()) => Ok(()),
                Err(TrySendError::Full(job) | TrySendError::Disconnected(job)) => job.run(),
            },
            None => job.run(),
        }
    }

    /// After a failed sync: gives the segment up, and writes what was not synced again to a new one, with the same indexes, as far as it
    /// can still be read. What cannot is owed.
    pub(super) fn rescue(&mut self) -> Result<(), JournalError> {
        if !self.is_poisoned() {
            return Ok(());
        }
        let (written_index, written_position) = (self.next_index, self.next_position);
        let Some(path) = self.give_up() else { return Ok(()) };
        let recorded_index = self.next_index;
        let copied = self.copy_from(&path, written_index);
        tracing::error!(
            path = %path.display(),
            recorded = recorded_index,
            written_again = self.next_index - recorded_index,
            lost = written_index - self.next_index,
            "a sync failed: the segment is given up"
        );
        self.owe_rest(written_index, written_position);
        copied
    }

    /// Gives a segment up that could not be finished; what was not synced of it is owed.
    pub(super) fn abandon(&mut self) {
        let (written_index, written_position) = (self.next_index, self.next_position);
        let Some(path) = self.give_up() else { return };
        tracing::error!(
            path = %path.display(),
            recorded = self.next_index,
            lost = written_index - self.next_index,
            "the segment cannot be finished and is given up"
        );
        self.owe_rest(written_index, written_position);
    }

    /// Leaves the segment as it is and goes back to what is recorded.
    fn give_up(&mut self) -> Option<PathBuf> {
        let segment = self.segment.take()?;
        let path = segment.path().to_owned();
        let header = segment.into_seal_job().header;
        let recorded = self.recorded.newest();
        // A sync of this segment may never have succeeded: then the last one was of another run.
        (self.next_index, self.next_position) = match recorded.next_index > header.first_index {
            true => (recorded.next_index, recorded.next_position),
            false => (header.first_index, header.first_position),
        };
        Some(path)
    }

    /// Appends the batches of another segment from the next index on.
    fn copy_from(&mut self, path: &Path, to_index: u64) -> Result<(), JournalError> {
        let mut reader = SegmentReader::open(path)?;
        let mut batch = Batch::default();
        while reader.next(&mut batch, self.next_index, to_index)? == Found::Batch {
            self.write(batch.first_position, batch.span, &batch.records, &batch.published_ns)?;
        }
        Ok(())
    }
}
