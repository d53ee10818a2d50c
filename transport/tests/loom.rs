//! Both rings under loom: every interleaving of two threads (up to the preemption bound) and every value that a weak load may return.
//!
//! ```text
//! RUSTFLAGS="--cfg loom" LOOM_MAX_PREEMPTIONS=3 CARGO_TARGET_DIR=target/loom cargo test -p tickpath-transport --release --test loom
//! ```
//!
//! Each model has canaries: the same model with one Release weakened to Relaxed. They must fail; if one passes, the model proves nothing.
//!
//! What loom does not do: it treats SeqCst as AcqRel (none is used here) and does not let a load return a later store (load buffering).
//! So the slots of the SPSC model are loom's `UnsafeCell`s, where an access that is not ordered is an error in itself.
#![cfg(loom)]
#![allow(unsafe_code, reason = "loom's UnsafeCell hands out pointers")]

use std::panic::{AssertUnwindSafe, catch_unwind};

use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU64, Ordering};
use loom::thread;
use tickpath_transport::broadcast::{
    self, BroadcastMemory, BroadcastOrders, Next, Reader, Slot, WritableMemory, Writer,
};
use tickpath_transport::spsc::{self, Consumer, Producer, SpscMemory, SpscOrders};

const CAPACITY: u64 = 2;

/// Runs a model with the bound of `LOOM_MAX_PREEMPTIONS`, 3 if it is not set.
fn check(model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(Some(3));
    builder.check(model);
}

/// A canary: the model must fail.
fn must_fail(model: impl Fn() + Sync + Send + 'static) {
    let outcome = catch_unwind(AssertUnwindSafe(|| check(model)));
    assert!(
        outcome.is_err(),
        "the model passes although a Release is missing: it proves nothing"
    );
}

/// The words of the `n`th record: every one tells which record it is of.
fn words(n: u64) -> [u64; 6] {
    std::array::from_fn(|index| n * 10 + index as u64)
}

struct SpscRing {
    produced: AtomicU64,
    consumed: AtomicU64,
    slots: [UnsafeCell<[u64; 6]>; CAPACITY as usize],
}

impl SpscRing {
    fn new() -> Arc<SpscRing> {
        Arc::new(SpscRing {
            produced: AtomicU64::new(0),
            consumed: AtomicU64::new(0),
            slots: std::array::from_fn(|_| UnsafeCell::new([0; 6])),
        })
    }
}

#[derive(Clone)]
struct SpscHandle(Arc<SpscRing>);

impl SpscMemory for SpscHandle {
    fn capacity(&self) -> u64 {
        CAPACITY
    }

    fn produced(&self) -> &AtomicU64 {
        &self.0.produced
    }

    fn consumed(&self) -> &AtomicU64 {
        &self.0.consumed
    }

    fn write(&self, position: u64, words: [u64; 6]) {
        self.0.slots[(position % CAPACITY) as usize].with_mut(|slot| {
            // SAFETY: loom checks that nobody else has the slot, which is what the model is about.
            unsafe { *slot = words }
        });
    }

    fn read(&self, position: u64) -> [u64; 6] {
        self.0.slots[(position % CAPACITY) as usize].with(|slot| {
            // SAFETY: as above.
            unsafe { *slot }
        })
    }
}

// SAFETY: the slots are shared under the protocol that loom checks.
unsafe impl Sync for SpscRing {}
// SAFETY: as above.
unsafe impl Send for SpscRing {}

/// Four records through two slots: full, empty and wrapped all occur.
fn spsc_model<O: SpscOrders + 'static>() {
    const COUNT: u64 = 4;
    let ring = SpscRing::new();
    let handle = SpscHandle(Arc::clone(&ring));
    let writer = thread::spawn(move || {
        let mut producer: Producer<_, O> = Producer::new(handle).unwrap();
        let mut pushed = 0;
        while pushed < COUNT {
            if producer.free(1).unwrap() == 0 {
                thread::yield_now();
                continue;
            }
            producer.push(words(pushed));
            producer.flush();
            pushed += 1;
        }
    });
    let mut consumer: Consumer<_, O> = Consumer::new(SpscHandle(ring)).unwrap();
    let mut taken = 0;
    while taken < COUNT {
        let available = consumer.available().unwrap();
        if available == 0 {
            thread::yield_now();
            continue;
        }
        for offset in 0..available {
            assert_eq!(consumer.peek(offset), words(taken + offset));
        }
        consumer.commit(available);
        taken += available;
    }
    writer.join().unwrap();
}

struct WeakPublish;
impl SpscOrders for WeakPublish {
    const PUBLISH: Ordering = Ordering::Relaxed;
    const FREE: Ordering = Ordering::Release;
}

struct WeakFree;
impl SpscOrders for WeakFree {
    const PUBLISH: Ordering = Ordering::Release;
    const FREE: Ordering = Ordering::Relaxed;
}

#[test]
fn spsc_delivers_every_record_whole_and_in_order() {
    check(spsc_model::<spsc::Strict>);
}

#[test]
fn canary_spsc_publish() {
    must_fail(spsc_model::<WeakPublish>);
}

#[test]
fn canary_spsc_free() {
    must_fail(spsc_model::<WeakFree>);
}

/// A batch becomes visible as a whole, and a second consumer goes on where the first one stopped, as a new relay does.
#[test]
fn spsc_survives_a_change_of_consumer() {
    check(|| {
        let ring = SpscRing::new();
        let handle = SpscHandle(Arc::clone(&ring));
        let writer = thread::spawn(move || {
            let mut producer: Producer<_> = Producer::new(handle).unwrap();
            producer.push_all([words(0), words(1)]);
            producer.flush();
            while producer.free(1).unwrap() == 0 {
                thread::yield_now();
            }
            producer.push(words(2));
            producer.flush();
        });
        let mut taken = 0;
        while taken < 3 {
            // One record a life.
            let mut consumer: Consumer<_> = Consumer::new(SpscHandle(Arc::clone(&ring))).unwrap();
            if consumer.available().unwrap() == 0 {
                thread::yield_now();
                continue;
            }
            assert_eq!(consumer.peek(0), words(taken));
            consumer.commit(1);
            taken += 1;
        }
        writer.join().unwrap();
    });
}

struct BroadcastRing {
    head: AtomicU64,
    slots: [Slot; CAPACITY as usize],
}

#[derive(Clone)]
struct BroadcastHandle(Arc<BroadcastRing>);

impl BroadcastHandle {
    fn new() -> BroadcastHandle {
        BroadcastHandle(Arc::new(BroadcastRing {
            head: AtomicU64::new(0),
            slots: std::array::from_fn(|_| Slot::default()),
        }))
    }
}

impl BroadcastMemory for BroadcastHandle {
    fn capacity(&self) -> u64 {
        CAPACITY
    }

    fn head(&self) -> &AtomicU64 {
        &self.0.head
    }

    fn slot(&self, position: u64) -> &Slot {
        &self.0.slots[(position % CAPACITY) as usize]
    }
}

impl WritableMemory for BroadcastHandle {}

/// Three records over two slots while a reader reads: it may be lapped, but what it gets is whole and is the record of its position, and
/// positions read plus positions missed leave no hole.
fn broadcast_model<O: BroadcastOrders + 'static>() {
    const COUNT: u64 = 3;
    let ring = BroadcastHandle::new();
    let mut writer: Writer<_, O> = Writer::new(ring.clone());
    // The first lap is history: the reader meets a slot that is overwritten.
    writer.write(words(1), 1);
    writer.publish_head();
    let mut reader = Reader::at(ring, 0);
    let writing = thread::spawn(move || {
        for n in 2..=COUNT {
            writer.write(words(n), n as i64);
            writer.publish_head();
        }
    });
    let mut accounted = 0;
    for _ in 0..3 {
        match reader.next() {
            Next::Record {
                words: found,
                published_ns,
            } => {
                accounted += 1;
                assert_eq!(found, words(accounted));
                assert_eq!(published_ns, accounted as i64);
            }
            Next::Lapped(missed) => {
                assert!(missed > 0);
                accounted += missed;
            }
            Next::Empty => thread::yield_now(),
        }
        assert_eq!(reader.position(), accounted);
    }
    writing.join().unwrap();
    while accounted < COUNT {
        match reader.next() {
            Next::Record { words: found, .. } => {
                accounted += 1;
                assert_eq!(found, words(accounted));
            }
            Next::Lapped(missed) => accounted += missed,
            Next::Empty => panic!("position {accounted} of {COUNT} is nowhere"),
        }
    }
    assert_eq!(reader.next(), Next::Empty);
}

struct WeakOpen;
impl BroadcastOrders for WeakOpen {
    const OPEN: Ordering = Ordering::Relaxed;
    const CLOSE: Ordering = Ordering::Release;
}

struct WeakClose;
impl BroadcastOrders for WeakClose {
    const OPEN: Ordering = Ordering::Release;
    const CLOSE: Ordering = Ordering::Relaxed;
}

#[test]
fn broadcast_readers_get_whole_records_or_know_what_they_missed() {
    check(broadcast_model::<broadcast::Strict>);
}

#[test]
fn canary_broadcast_open() {
    must_fail(broadcast_model::<WeakOpen>);
}

#[test]
fn canary_broadcast_close() {
    must_fail(broadcast_model::<WeakClose>);
}

/// A reader whose records were never overwritten is never told that they were, at whatever moment it looks.
#[test]
fn broadcast_tells_nobody_in_vain_that_it_was_lapped() {
    check(|| {
        let ring = BroadcastHandle::new();
        let mut writer: Writer<_> = Writer::new(ring.clone());
        let mut reader = Reader::at(ring, 0);
        let writing = thread::spawn(move || {
            for n in 1..=CAPACITY {
                writer.write(words(n), n as i64);
                writer.publish_head();
            }
        });
        for _ in 0..3 {
            let expected = words(reader.position() + 1);
            match reader.next() {
                Next::Record { words: found, .. } => assert_eq!(found, expected),
                Next::Lapped(missed) => panic!("lapped by {missed} at a ring that was filled once"),
                Next::Empty => thread::yield_now(),
            }
        }
        writing.join().unwrap();
    });
}

/// Whoever joins at `head` finds the next record, not an older one.
#[test]
fn broadcast_joins_live() {
    check(|| {
        let ring = BroadcastHandle::new();
        let mut writer: Writer<_> = Writer::new(ring.clone());
        let writing = thread::spawn(move || {
            for n in 1..=2 {
                writer.write(words(n), n as i64);
                writer.publish_head();
            }
        });
        let mut reader = Reader::live(ring);
        let joined = reader.position();
        if let Next::Record { words: found, .. } = reader.next() {
            assert_eq!(found, words(joined + 1));
        }
        writing.join().unwrap();
    });
}
