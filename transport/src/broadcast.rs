//! The broadcast ring as an algorithm: one writer that looks at nobody, readers that write nothing.
//!
//! A slot is one cache line, a seqlock of its own:
//!
//! | offset | word | written by the writer as |
//! |---|---|---|
//! | 0 | `sequence` | [`BUSY`] before the words change, `position + 1` after; 0 in a slot never used |
//! | 8 | `words[6]` | the record |
//! | 56 | `published` | when the relay published it, ns since the Unix epoch |
//!
//! ```text
//!  writer                                     reader at `position`
//!  ──────                                     ────────────────────
//!  sequence = BUSY          Relaxed           before = sequence        Relaxed, then fence Acquire  ◀─┐ (2)
//!  fence Release            (1) ─────────┐    copy words, published    Relaxed                        │
//!  words, published         Relaxed      └──▶ fence Acquire                                           │
//!  sequence = position + 1  Release (2) ─┐    after  = sequence        Relaxed                        │
//!                                        └────────────────────────────────────────────────────────────┘
//! ```
//!
//! Edge (2): a reader that finds `position + 1` sees the words that belong to it. Edge (1): a reader whose copy holds a word of a later lap
//! finds BUSY or that lap's number in `after`, and throws the copy away. So what [`Reader::next`] returns is whole and is the record of its position.
//!
//! Readers map the ring read-only, where the language allows Relaxed loads only: hence a fence after the load instead of a load with Acquire.
//!
//! `head` is the position after the newest record, stored with Release once per batch; a reader needs it to join, to measure how far it is
//! behind, and to find its way when it was lapped.

use std::marker::PhantomData;

use crate::RECORD_WORDS;
use crate::atomics::{AtomicU64, Ordering, fence};

/// In `sequence`: the slot is being written.
pub const BUSY: u64 = u64::MAX;

/// Further looks at a slot that is being written before its reader asks where the writer is. Loom tries every order of one.
const BUSY_LOOKS: u32 = if cfg!(loom) { 1 } else { 8 };

/// One slot; see the module.
#[derive(Debug, Default)]
#[repr(C, align(64))]
pub struct Slot {
    sequence: AtomicU64,
    words: [AtomicU64; RECORD_WORDS],
    published: AtomicU64,
}

#[cfg(not(loom))]
const _: () = assert!(size_of::<Slot>() == 64);

/// Where a ring lives: shared memory, the heap, or loom's.
pub trait BroadcastMemory {
    /// Slots; a power of two.
    fn capacity(&self) -> u64;
    /// The position after the newest record.
    fn head(&self) -> &AtomicU64;
    /// The slot of a position.
    fn slot(&self, position: u64) -> &Slot;
}

/// Memory that may be written: the creator's, never a reader's mapping, where a store would be a fault.
pub trait WritableMemory: BroadcastMemory {}

/// The memory orders of the two edges. [`Strict`] is the only correct choice; the loom canaries weaken one each, and must fail.
pub trait BroadcastOrders {
    /// Of the fence after BUSY, edge (1).
    const OPEN: Ordering;
    /// Of the store of `position + 1`, edge (2).
    const CLOSE: Ordering;
}

/// Release on both edges.
#[derive(Clone, Copy, Debug)]
pub struct Strict;

impl BroadcastOrders for Strict {
    const OPEN: Ordering = Ordering::Release;
    const CLOSE: Ordering = Ordering::Release;
}

/// The writing end; there is one.
#[derive(Debug)]
pub struct Writer<M, O = Strict> {
    memory: M,
    next: u64,
    orders: PhantomData<O>,
}

impl<M: WritableMemory, O: BroadcastOrders> Writer<M, O> {
    /// The writing end of a ring that nobody has written to.
    pub fn new(memory: M) -> Writer<M, O> {
        Writer {
            memory,
            next: 0,
            orders: PhantomData,
        }
    }

    /// Writes the next record; readers may see it at once.
    #[inline]
    pub fn write(&mut self, words: [u64; RECORD_WORDS], published_ns: i64) {
        let slot = self.memory.slot(self.next);
        slot.sequence.store(BUSY, Ordering::Relaxed);
        // Edge (1): pairs with the second Acquire fence in `Reader::next`.
        if O::OPEN != Ordering::Relaxed {
            fence(O::OPEN);
        }
        for (target, word) in slot.words.iter().zip(words) {
            target.store(word, Ordering::Relaxed);
        }
        slot.published.store(published_ns as u64, Ordering::Relaxed);
        self.next += 1;
        // Edge (2): pairs with the first Acquire fence in `Reader::next`.
        slot.sequence.store(self.next, O::CLOSE);
    }

    /// Moves `head` to the newest record. Call it at least once every quarter of the capacity.
    #[inline]
    pub fn publish_head(&mut self) {
        // Pairs with the Acquire fence in `head`.
        self.memory.head().store(self.next, Ordering::Release);
    }

    /// The position that the next record will have.
    #[inline]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// The memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }
}

/// What a reader found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The record at the reader's position, which moved on by one.
    Record {
        /// The record.
        words: [u64; RECORD_WORDS],
        /// When the relay published it, ns since the Unix epoch.
        published_ns: i64,
    },
    /// Nothing new.
    Empty,
    /// The writer overwrote the reader's position, which moved on by so many that are lost to this reader.
    Lapped(u64),
}

/// A reading end; there are any number.
#[derive(Debug)]
pub struct Reader<M> {
    memory: M,
    position: u64,
}

impl<M: BroadcastMemory> Reader<M> {
    /// A reader of what comes from now on.
    pub fn live(memory: M) -> Reader<M> {
        let position = head(&memory);
        Reader { memory, position }
    }

    /// A reader of everything that is still there: from position 0 while the ring was never filled, else from an eighth of the
    /// capacity above the oldest, so that the writer does not lap it at once.
    pub fn oldest(memory: M) -> Reader<M> {
        let capacity = memory.capacity();
        let newest = head(&memory);
        let position = if newest <= capacity {
            0
        } else {
            newest - (capacity - capacity / 8)
        };
        Reader { memory, position }
    }

    /// A reader from `position` on, which may be overwritten already; from `head` if it has not come yet.
    pub fn at(memory: M, position: u64) -> Reader<M> {
        let position = position.min(head(&memory));
        Reader { memory, position }
    }

    /// The record at the reader's position, if it is there.
    #[allow(clippy::should_implement_trait, reason = "an iterator ends; this only pauses")]
    #[inline]
    pub fn next(&mut self) -> Next {
        let expected = self.position.wrapping_add(1);
        let before = self.sequence();
        if before == expected {
            self.copy(before)
        } else if before < expected {
            // Of an earlier lap, or of none.
            Next::Empty
        } else {
            self.next_of_changing(expected)
        }
    }

    /// The slot is being written, or holds a later lap.
    #[cold]
    fn next_of_changing(&mut self, expected: u64) -> Next {
        let mut before = self.sequence();
        for _ in 0..BUSY_LOOKS {
            if before != BUSY {
                break;
            }
            // The writer needs its line for some ns more: to ask for it, or for `head`, at once would only keep it from finishing.
            std::hint::spin_loop();
            before = self.sequence();
        }
        // BUSY is of our lap or of a later one. If `head` is past our position ours was finished before, so what another look
        // finds is the record, or the trace of a later lap.
        let was_written = before == BUSY && head(&self.memory) > self.position;
        if was_written {
            before = self.sequence();
        }
        if before == expected {
            return self.copy(before);
        }
        let overwritten = match before {
            BUSY => was_written,
            later => later > expected,
        };
        if overwritten { self.lapped() } else { Next::Empty }
    }

    /// The sequence word of the reader's slot, with the words that belong to it.
    #[inline]
    fn sequence(&self) -> u64 {
        let sequence = self.memory.slot(self.position).sequence.load(Ordering::Relaxed);
        fence(Ordering::Acquire); // edge (2)
        sequence
    }

    /// Copies the reader's slot, whose sequence word was `before`.
    #[inline]
    fn copy(&mut self, before: u64) -> Next {
        let slot = self.memory.slot(self.position);
        let words = std::array::from_fn(|index| slot.words[index].load(Ordering::Relaxed));
        let published_ns = slot.published.load(Ordering::Relaxed) as i64;
        fence(Ordering::Acquire); // edge (1)
        if slot.sequence.load(Ordering::Relaxed) != before {
            return self.lapped();
        }
        self.position = before;
        Next::Record { words, published_ns }
    }

    /// Goes to half the capacity behind the writer: near enough to lose little, far enough not to be lapped again at once.
    #[cold]
    fn lapped(&mut self) -> Next {
        let target = head(&self.memory).saturating_sub(self.memory.capacity() / 2);
        let target = target.max(self.position + 1);
        let missed = target - self.position;
        self.position = target;
        Next::Lapped(missed)
    }

    /// The position of the record that [`Reader::next`] will return.
    #[inline]
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Records between this reader and the newest.
    pub fn lag(&self) -> u64 {
        head(&self.memory).saturating_sub(self.position)
    }

    /// The memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }
}

/// `head`, with all that was written before it.
fn head<M: BroadcastMemory>(memory: &M) -> u64 {
    let head = memory.head().load(Ordering::Relaxed);
    fence(Ordering::Acquire); // pairs with the Release in `Writer::publish_head`
    head
}
