//! The disruptor crate: a ring for threads of one process whose consumers see every event. Its producer waits for the slowest of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use disruptor::{BusySpin, ProcessorSettings, Producer, build_single_producer};

use crate::ring::{Step, Words, checked, numbered};

/// Carries records numbered `0..count` to one consumer pinned to `core`: how long it takes until the last was seen.
///
/// `capacity` is a power of two. The calling thread produces. It calls `begin` when the consumer stands, to move to a core of its own: the library
/// refuses to pin a consumer to a core that the calling thread may not run on.
///
/// # Panics
/// If the core cannot be had: that is the library's way to say so.
#[must_use]
pub fn carry(capacity: usize, core: usize, count: u64, step: Step, begin: impl FnOnce()) -> Duration {
    let is_over = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&is_over);
    let (mut seen, mut sum) = (0_u64, 0_u64);
    let consume = move |words: &Words, _sequence, _end_of_batch| {
        sum = sum.wrapping_add(checked(words));
        seen += 1;
        if seen == count {
            std::hint::black_box(sum);
            told.store(true, Ordering::Release);
        }
    };
    let mut producer = build_single_producer(capacity, Words::default, BusySpin)
        .pin_at_core(core)
        .handle_events_with(consume)
        .build();
    begin();
    let start = Instant::now();
    let mut next = 0;
    while next < count {
        match step {
            Step::Single => {
                producer.publish(|words| *words = numbered(next));
                next += 1;
            }
            Step::Batch(size) => {
                let size = size.min((count - next) as usize);
                producer.batch_publish(size, |events| {
                    for (words, n) in events.zip(next..) {
                        *words = numbered(n);
                    }
                });
                next += size as u64;
            }
        }
    }
    while !is_over.load(Ordering::Acquire) {
        std::hint::spin_loop();
    }
    start.elapsed()
}
