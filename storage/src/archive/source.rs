//! The rows of a journal, in its order.

use tickpath_protocol::InstrumentTable;

use super::error::ArchiveError;
use super::names::{InstrumentKeys, Names};
use super::row::Row;
use crate::journal::{Batch, Cursor, Journal};

/// Reads rows of a journal from one index up to another.
#[derive(Debug)]
pub struct JournalRows {
    cursor: Cursor,
    batch: Batch,
    keys: InstrumentKeys,
    until: u64,
}

impl JournalRows {
    /// Rows from index `from` up to, not with, index `until`, of what is recorded.
    ///
    /// # Errors
    /// If the journal does not reach back to `from`.
    pub fn open(journal: &Journal, from: u64, until: u64) -> Result<JournalRows, ArchiveError> {
        let mut cursor = journal.cursor(from)?;
        // What is recorded ends with a batch; `until` may stand within one, which a cursor takes for damage.
        if let Some(recorded) = journal.recorded()? {
            cursor.set_limit(recorded.next_index);
        }
        Ok(JournalRows {
            cursor,
            batch: Batch::default(),
            keys: InstrumentKeys::default(),
            until,
        })
    }

    /// Hands over the rows of the next batch; `false` at the end.
    ///
    /// # Errors
    /// If the journal is damaged or cannot be read, or as `on` says.
    pub fn next(
        &mut self,
        names: &mut Names,
        mut on: impl FnMut(Row, &Names) -> Result<(), ArchiveError>,
    ) -> Result<bool, ArchiveError> {
        if self.cursor.position() >= self.until || !self.cursor.next(&mut self.batch)? {
            return Ok(false);
        }
        let run = names.run_key(self.batch.run_id);
        self.keys.enter_run(self.batch.run_id);
        let table = self.cursor.instruments();
        let wanted = usize::try_from(self.until - self.batch.first_index).unwrap_or(usize::MAX);
        let stamped = self.batch.records.iter().zip(&self.batch.published_ns).take(wanted);
        for (offset, (record, published_ns)) in stamped.enumerate() {
            let row = Row {
                record: *record,
                index: self.batch.first_index + offset as u64,
                position: self.batch.first_position + offset as u64,
                published_ns: *published_ns,
                run,
                text: self.keys.key(record.instrument(), table, names),
            };
            on(row, names)?;
        }
        Ok(true)
    }

    /// The instruments of the run that the last rows were of.
    #[must_use]
    pub fn instruments(&self) -> &InstrumentTable {
        self.cursor.instruments()
    }

    /// Records in the batch that was handed over last.
    #[must_use]
    pub fn batch_records(&self) -> u64 {
        self.batch.records.len() as u64
    }
}
