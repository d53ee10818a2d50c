//! Latency histograms that one thread writes and any process reads.
//!
//! Buckets are log-linear, as HDR histograms are: 32 to an octave, so a bucket is at most 1/32 (3.1 %) wide, and its middle at most 1.6 %
//! off. Values of up to 2^40 ns (18 minutes) have their own bucket; longer ones share the last.
//!
//! | word | what |
//! |---|---|
//! | 0 | sum of all values, ns |
//! | 1 | largest value, ns |
//! | 2 … | how many values fell into each bucket |
//!
//! The writer is alone, so it adds with a load and a store: no read-modify-write, no lock, no allocation. A reader may see a
//! value counted in its bucket and not yet in the sum; counts never go down.

use std::cell::Cell;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::memory::Area;

/// Buckets to an octave.
const SUB_BUCKETS: usize = 1 << SUB_BITS;
const SUB_BITS: u32 = 5;
/// Values below 2^40 have a bucket of their own size.
const VALUE_BITS: u32 = 40;
const BUCKETS: usize = (VALUE_BITS - SUB_BITS + 1) as usize * SUB_BUCKETS;
const SUM: usize = 0;
const MAX: usize = 1;
const FIRST_BUCKET: usize = 2;
/// Words of a histogram.
pub const WORDS: usize = FIRST_BUCKET + BUCKETS;

/// The bucket of a value: its highest bit names the octave, the five bits below it the bucket.
fn bucket_of(value: u64) -> usize {
    let value = value.min((1 << VALUE_BITS) - 1);
    let octave = (u64::BITS - (value >> SUB_BITS).leading_zeros()) as usize;
    let shift = octave.saturating_sub(1);
    let within = (value >> shift) as usize - if octave == 0 { 0 } else { SUB_BUCKETS };
    octave * SUB_BUCKETS + within
}

/// The middle of a bucket.
fn middle_of(bucket: usize) -> u64 {
    let (octave, within) = (bucket / SUB_BUCKETS, bucket % SUB_BUCKETS);
    if octave == 0 {
        return within as u64;
    }
    let width = 1_u64 << (octave - 1);
    (SUB_BUCKETS + within) as u64 * width + width / 2
}

/// The writing end; one thread's. Not `Sync`, because it adds with a load and a store.
#[derive(Debug)]
pub struct LatencyHistogram {
    words: Area<AtomicU64>,
    one_thread: PhantomData<Cell<()>>,
}

impl LatencyHistogram {
    pub(super) fn new(words: Area<AtomicU64>) -> LatencyHistogram {
        LatencyHistogram {
            words,
            one_thread: PhantomData,
        }
    }

    /// Counts a latency of so many ns.
    pub fn record(&self, ns: u64) {
        self.add(FIRST_BUCKET + bucket_of(ns), 1);
        self.add(SUM, ns);
        if ns > self.words[MAX].load(Ordering::Relaxed) {
            self.words[MAX].store(ns, Ordering::Relaxed);
        }
    }

    /// Counts the time from one stamp to a later one; 0 if clocks make it negative.
    pub fn record_between(&self, from_ns: i64, to_ns: i64) {
        self.record(u64::try_from(to_ns.saturating_sub(from_ns)).unwrap_or(0));
    }

    fn add(&self, word: usize, n: u64) {
        let word = &self.words[word];
        word.store(word.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
    }
}

/// A histogram as it was at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencySnapshot {
    buckets: Vec<u64>,
    count: u64,
    sum_ns: u64,
    max_ns: u64,
}

impl LatencySnapshot {
    pub(super) fn read(words: &[AtomicU64]) -> LatencySnapshot {
        let load = |word: &AtomicU64| word.load(Ordering::Relaxed);
        let buckets: Vec<u64> = words[FIRST_BUCKET..].iter().map(load).collect();
        LatencySnapshot {
            count: buckets.iter().fold(0, |sum: u64, bucket| sum.saturating_add(*bucket)),
            buckets,
            sum_ns: load(&words[SUM]),
            max_ns: load(&words[MAX]),
        }
    }

    /// Values counted.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Sum of the values, ns.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum_ns
    }

    /// The largest value, ns. In a window made by [`LatencySnapshot::minus`]: of its largest bucket.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max_ns
    }

    /// How many values are below `ns`; exact if a bucket begins there, as one does at every power of two and at the middle of each octave.
    #[must_use]
    pub fn count_below(&self, ns: u64) -> u64 {
        let below = self.buckets.iter().take(bucket_of(ns));
        below.fold(0, |sum: u64, count| sum.saturating_add(*count))
    }

    /// The value, ns, that `percent` of the values do not exceed: 50.0 for the median. 0 if there are none.
    #[must_use]
    pub fn percentile(&self, percent: f64) -> u64 {
        let rank = (percent.clamp(0.0, 100.0) / 100.0 * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0_u64;
        for (bucket, count) in self.buckets.iter().enumerate() {
            seen = seen.saturating_add(*count);
            if seen >= rank {
                return middle_of(bucket).min(self.max_ns);
            }
        }
        0
    }

    /// What was counted since an earlier snapshot of the same histogram.
    #[must_use]
    pub fn minus(&self, earlier: &LatencySnapshot) -> LatencySnapshot {
        let buckets: Vec<u64> = self
            .buckets
            .iter()
            .zip(&earlier.buckets)
            .map(|(now, then)| now.saturating_sub(*then))
            .collect();
        let highest = buckets.iter().rposition(|count| *count > 0);
        let max_ns = match highest {
            Some(_) if self.max_ns != earlier.max_ns => self.max_ns,
            Some(bucket) => middle_of(bucket).min(self.max_ns),
            None => 0,
        };
        LatencySnapshot {
            count: buckets.iter().fold(0, |sum: u64, bucket| sum.saturating_add(*bucket)),
            buckets,
            sum_ns: self.sum_ns.saturating_sub(earlier.sum_ns),
            max_ns,
        }
    }

    /// Adds what another histogram counted, so that several are seen as one.
    #[must_use]
    pub fn plus(&self, other: &LatencySnapshot) -> LatencySnapshot {
        LatencySnapshot {
            buckets: self
                .buckets
                .iter()
                .zip(&other.buckets)
                .map(|(ours, theirs)| ours.saturating_add(*theirs))
                .collect(),
            count: self.count.saturating_add(other.count),
            sum_ns: self.sum_ns.saturating_add(other.sum_ns),
            max_ns: self.max_ns.max(other.max_ns),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn buckets_follow_each_other_without_hole_or_overlap() {
        let mut last = 0;
        for value in (0..10_000).chain((10_000..2_000_000_000).step_by(999_983)) {
            let bucket = bucket_of(value);
            assert!(bucket >= last, "{value}");
            last = bucket;
        }
        for value in 0..31 {
            assert_eq!(bucket_of(value) + 1, bucket_of(value + 1));
        }
        for octave in 5..VALUE_BITS {
            assert_eq!(bucket_of((1 << octave) - 1) + 1, bucket_of(1 << octave));
        }
        assert_eq!(bucket_of(u64::MAX), BUCKETS - 1);
    }

    proptest! {
        #[test]
        fn the_middle_of_a_bucket_is_near(value in 0_u64..1 << VALUE_BITS) {
            let middle = middle_of(bucket_of(value));
            prop_assert_eq!(bucket_of(middle), bucket_of(value));
            prop_assert!(middle.abs_diff(value) * 32 <= value.max(31), "{} {}", middle, value);
        }
    }
}
