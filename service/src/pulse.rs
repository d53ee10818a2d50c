//! A working loop's sign of life: one word that it moves on every turn.
//!
//! The loop stores, anybody may look. There is no system call and no clock in it, so that the hottest loop can afford it; who looks decides
//! what a word that stands still means. One loop has one pulse: two writers would hide each other's end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// See the module. All clones are one word.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<Word>);

/// On cache lines of its own, so that nobody's looking or writing next to it slows the loop.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Word(AtomicU64);

impl Pulse {
    /// A pulse that did not beat yet.
    #[must_use]
    pub fn new() -> Pulse {
        Pulse::default()
    }

    /// The loop made a turn. For its own thread alone.
    #[inline]
    pub fn beat(&self) {
        let turns = self.0.0.load(Ordering::Relaxed);
        self.0.0.store(turns.wrapping_add(1), Ordering::Relaxed);
    }

    /// Turns so far.
    #[must_use]
    pub fn turns(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }
}
