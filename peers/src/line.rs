//! The floor of every ring: one cache line with one atomic word that two threads write in turns.
//!
//! A hop is what the caches need to take the line from one core to the other: the writer's claim of the line, and the reader's fetch.
//! No ring in memory that both cores cache can be faster.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossbeam_utils::CachePadded;

use crate::ring::{Broken, End, Words};

/// One of the two that share a line.
#[derive(Debug)]
pub struct LineEnd {
    line: Arc<CachePadded<AtomicU64>>,
    seen: u64,
}

/// Two ends of one line.
#[must_use]
pub fn line_pair() -> (LineEnd, LineEnd) {
    let line = Arc::new(CachePadded::new(AtomicU64::new(0)));
    let end = |line| LineEnd { line, seen: 0 };
    (end(Arc::clone(&line)), end(line))
}

impl End for LineEnd {
    /// Writes the record's first word, all of it that gets across. It must be another than the last one that either wrote.
    #[inline(always)]
    fn send(&mut self, words: &Words) -> Result<(), Broken> {
        self.seen = words[0];
        self.line.store(self.seen, Ordering::Release);
        Ok(())
    }

    #[inline(always)]
    fn receive(&mut self, words: &mut Words) -> Result<bool, Broken> {
        let found = self.line.load(Ordering::Acquire);
        if found == self.seen {
            return Ok(false);
        }
        self.seen = found;
        words[0] = found;
        Ok(true)
    }
}
