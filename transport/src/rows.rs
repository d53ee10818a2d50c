//! Instrument rows in a ring's own mapping: append-only, so whoever can read a record can name its instrument.
//!
//! One writer (the ring's owner) fills a row, then stores the count with Release; a reader loads the count, then an Acquire fence, and may
//! read every row below it: those never change again.

use std::sync::atomic::{AtomicU64, Ordering, fence};

use crossbeam_utils::CachePadded;
use tickpath_protocol::InstrumentRow;

use crate::error::{AttachError, TransportError};
use crate::memory::{Area, MemoryFile};

/// Words of 8 bytes in a row.
const ROW_WORDS: usize = InstrumentRow::SIZE_BYTES / 8;

/// The rows of one ring.
#[derive(Clone, Debug)]
pub struct Rows {
    count: Area<CachePadded<AtomicU64>>,
    words: Area<AtomicU64>,
    max: usize,
}

impl Rows {
    /// The rows of a file: their count at one offset, `max` rows at another.
    pub fn of(file: &MemoryFile, count_offset: usize, rows_offset: usize, max: usize) -> Option<Rows> {
        Some(Rows {
            count: file.area(count_offset, 1)?,
            words: file.area(rows_offset, max * ROW_WORDS)?,
            max,
        })
    }

    /// How many rows there are.
    ///
    /// # Errors
    /// If the count is above what the file holds.
    pub fn len(&self) -> Result<usize, AttachError> {
        let count = self.count[0].load(Ordering::Relaxed);
        fence(Ordering::Acquire); // pairs with the Release in `push`
        match usize::try_from(count) {
            Ok(count) if count <= self.max => Ok(count),
            _ => Err(AttachError::Header {
                field: "rows",
                found: count,
                expected: self.max as u64,
            }),
        }
    }

    /// A copy of row `index`, which must be below [`Rows::len`] to mean anything.
    pub fn get(&self, index: usize) -> InstrumentRow {
        let row = &self.words[index * ROW_WORDS..][..ROW_WORDS];
        let words: [u64; ROW_WORDS] = std::array::from_fn(|word| row[word].load(Ordering::Relaxed));
        zerocopy::transmute!(words)
    }

    /// Appends a row. The owner alone calls this.
    ///
    /// # Errors
    /// If the table is full.
    pub fn push(&self, row: InstrumentRow) -> Result<(), TransportError> {
        let count = self.len()?;
        if count == self.max {
            return Err(TransportError::TableFull(self.max));
        }
        let words: [u64; ROW_WORDS] = zerocopy::transmute!(row);
        for (target, word) in self.words[count * ROW_WORDS..].iter().zip(words) {
            target.store(word, Ordering::Relaxed);
        }
        // Pairs with the Acquire fence in `len`.
        self.count[0].store(count as u64 + 1, Ordering::Release);
        Ok(())
    }
}
