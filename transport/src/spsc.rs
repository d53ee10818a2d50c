//! The single-producer single-consumer ring as an algorithm: two cursors, `capacity` slots.
//!
//! ```text
//!            consumed                produced
//!               │                       │
//!   slots   … f │ r   r   r   r   r   r │ f   f …        r: readable, f: free;   a position's slot is `position % capacity`
//! ```
//!
//! | word | written by | read by | meaning |
//! |---|---|---|---|
//! | `produced` | producer | consumer | records ever published; the next position to fill |
//! | `consumed` | consumer | producer | records ever taken; the next position to read |
//! | slot words | producer | consumer | a record; the consumer reads a slot only while `consumed <= position < produced` |
//!
//! Two edges order everything:
//!
//! - **publish**: [`Producer::flush`] stores `produced` with Release; [`Consumer::available`] loads it with Acquire. So the consumer sees
//!   the words of every slot below `produced`.
//! - **free**: [`Consumer::commit`] stores `consumed` with Release; [`Producer::free`] loads it with Acquire. So the consumer's reads
//!   of a slot are over before the producer fills it again.
//!
//! Cursors count up for ever and never wrap (2^64 records take 5,000 years at 100 million a second). Each side keeps the other's cursor
//! as it last saw it and loads it again only when that is not enough: in the common case a push or a read touches no line that the other
//! side writes.
//!
//! Neither side trusts the other: a cursor that leaves the range `consumed <= produced <= consumed + capacity` is [`RingCorrupt`].

use std::marker::PhantomData;

use crate::RECORD_WORDS;
use crate::atomics::{AtomicU64, Ordering};

/// Where a ring lives: shared memory, the heap, or loom's.
pub trait SpscMemory {
    /// Slots; a power of two.
    fn capacity(&self) -> u64;
    /// The producer's cursor.
    fn produced(&self) -> &AtomicU64;
    /// The consumer's cursor.
    fn consumed(&self) -> &AtomicU64;
    /// Fills the slot of a position.
    fn write(&self, position: u64, words: [u64; RECORD_WORDS]);
    /// Brings the slot of a position near, whose record is waited for.
    #[inline]
    fn approach(&self, _position: u64) {}
    /// Copies the slot of a position.
    fn read(&self, position: u64) -> [u64; RECORD_WORDS];
}

/// The memory orders of the two edges. [`Strict`] is the only correct choice; the loom canaries weaken one each, and must fail.
pub trait SpscOrders {
    /// Of the store to `produced`.
    const PUBLISH: Ordering;
    /// Of the store to `consumed`.
    const FREE: Ordering;
}

/// Release on both edges.
#[derive(Clone, Copy, Debug)]
pub struct Strict;

impl SpscOrders for Strict {
    const PUBLISH: Ordering = Ordering::Release;
    const FREE: Ordering = Ordering::Release;
}

/// The cursors contradict each other: the peer, or a stray write, broke the ring. Whoever sees it detaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "ring corrupt: produced {produced}, consumed {consumed}, capacity {capacity}; the peer is broken and must be restarted"
)]
pub struct RingCorrupt {
    /// The producer's cursor.
    pub produced: u64,
    /// The consumer's cursor.
    pub consumed: u64,
    /// Slots.
    pub capacity: u64,
}

#[inline]
fn check(produced: u64, consumed: u64, capacity: u64) -> Result<(), RingCorrupt> {
    match produced.checked_sub(consumed) {
        Some(filled) if filled <= capacity => Ok(()),
        _ => Err(RingCorrupt {
            produced,
            consumed,
            capacity,
        }),
    }
}

/// The writing end.
#[derive(Debug)]
pub struct Producer<M, O = Strict> {
    memory: M,
    /// Next position to fill; at or above `flushed`.
    next: u64,
    /// What `produced` holds.
    flushed: u64,
    /// `consumed` as last seen; at or below the true one.
    consumed: u64,
    orders: PhantomData<O>,
}

impl<M: SpscMemory, O: SpscOrders> Producer<M, O> {
    /// The writing end of a ring whose cursors are as they stand in memory.
    ///
    /// # Errors
    /// If they contradict each other.
    pub fn new(memory: M) -> Result<Producer<M, O>, RingCorrupt> {
        let next = memory.produced().load(Ordering::Acquire);
        let consumed = memory.consumed().load(Ordering::Acquire);
        check(next, consumed, memory.capacity())?;
        Ok(Producer {
            memory,
            next,
            flushed: next,
            consumed,
            orders: PhantomData,
        })
    }

    /// Free slots, at least `wanted` if there are so many: the consumer's cursor is loaded only if the last one seen leaves fewer.
    ///
    /// # Errors
    /// If the consumer's cursor cannot be.
    #[inline]
    pub fn free(&mut self, wanted: u64) -> Result<u64, RingCorrupt> {
        let capacity = self.memory.capacity();
        let mut free = capacity - (self.next - self.consumed);
        if free < wanted {
            // Pairs with the Release in `Consumer::commit`.
            let consumed = self.memory.consumed().load(Ordering::Acquire);
            if consumed < self.consumed {
                return Err(RingCorrupt {
                    produced: self.next,
                    consumed,
                    capacity,
                });
            }
            check(self.next, consumed, capacity)?;
            self.consumed = consumed;
            free = capacity - (self.next - consumed);
        }
        Ok(free)
    }

    /// Fills the next slot, which [`Producer::free`] must have said is free; the consumer sees it after [`Producer::flush`].
    ///
    /// # Panics
    /// In debug builds, if no slot is free.
    #[inline]
    pub fn push(&mut self, words: [u64; RECORD_WORDS]) {
        debug_assert!(self.next - self.consumed < self.memory.capacity());
        self.memory.write(self.next, words);
        self.next += 1;
    }

    /// Fills a slot with each of `records`, of which there are at most as many as [`Producer::free`] said.
    ///
    /// Faster than a push each: the position stays in a register, so that a record's stores do not wait for the count of the one before
    /// (1.6 times the rate of pushes between two cores; `ring.spsc.throughput.batched` measures it).
    ///
    /// # Panics
    /// In debug builds, if there are more.
    #[inline]
    pub fn push_all(&mut self, records: impl IntoIterator<Item = [u64; RECORD_WORDS]>) {
        let mut next = self.next;
        for words in records {
            debug_assert!(next - self.consumed < self.memory.capacity());
            self.memory.write(next, words);
            next += 1;
        }
        self.next = next;
    }

    /// Shows the consumer everything pushed.
    #[inline]
    pub fn flush(&mut self) {
        if self.flushed != self.next {
            // Pairs with the Acquire in `Consumer::available`.
            self.memory.produced().store(self.next, O::PUBLISH);
            self.flushed = self.next;
        }
    }

    /// Records pushed ever, flushed or not.
    #[inline]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// Records in the ring by the consumer's cursor as last seen.
    #[inline]
    pub fn used(&self) -> u64 {
        self.next - self.consumed
    }

    /// The memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }
}

/// The reading end.
#[derive(Debug)]
pub struct Consumer<M, O = Strict> {
    memory: M,
    /// Next position to read; what `consumed` holds.
    next: u64,
    /// `produced` as last seen; at or below the true one.
    produced: u64,
    orders: PhantomData<O>,
}

impl<M: SpscMemory, O: SpscOrders> Consumer<M, O> {
    /// The reading end, continuing where the cursor in memory stands: a consumer that died leaves it at the first record not taken.
    ///
    /// # Errors
    /// If the cursors contradict each other.
    pub fn new(memory: M) -> Result<Consumer<M, O>, RingCorrupt> {
        let next = memory.consumed().load(Ordering::Acquire);
        let produced = memory.produced().load(Ordering::Acquire);
        check(produced, next, memory.capacity())?;
        Ok(Consumer {
            memory,
            next,
            produced,
            orders: PhantomData,
        })
    }

    /// Records that can be read, counted again when none was left of the last count.
    ///
    /// # Errors
    /// If the producer's cursor cannot be.
    #[inline]
    pub fn available(&mut self) -> Result<u64, RingCorrupt> {
        if self.produced == self.next {
            // The record and the cursor lie on different lines. Asked for together they arrive together; else the one waits for the other.
            self.memory.approach(self.next);
            // Pairs with the Release in `Producer::flush`.
            let produced = self.memory.produced().load(Ordering::Acquire);
            check(produced, self.next, self.memory.capacity())?;
            self.produced = produced;
        }
        Ok(self.produced - self.next)
    }

    /// A copy of the record `offset` places ahead; below what [`Consumer::available`] said. It stays in the ring.
    ///
    /// # Panics
    /// In debug builds, if there is no such record.
    #[inline]
    pub fn peek(&self, offset: u64) -> [u64; RECORD_WORDS] {
        debug_assert!(self.next + offset < self.produced);
        self.memory.read(self.next + offset)
    }

    /// Gives `count` slots back to the producer.
    ///
    /// # Panics
    /// In debug builds, if so many were not available.
    #[inline]
    pub fn commit(&mut self, count: u64) {
        debug_assert!(self.next + count <= self.produced);
        self.next += count;
        // Pairs with the Acquire in `Producer::free`.
        self.memory.consumed().store(self.next, O::FREE);
    }

    /// Records taken ever, by every consumer that this ring had.
    #[inline]
    pub fn position(&self) -> u64 {
        self.next
    }

    /// The memory.
    pub fn memory(&self) -> &M {
        &self.memory
    }
}
