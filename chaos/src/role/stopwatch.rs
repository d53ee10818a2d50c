//! From the publishing of certified records to their arrival at a reader.

use serde::{Deserialize, Serialize};
use tickpath_transport::now_ns;

/// Samples that are kept of one round; beyond it the rest is left out.
const SAMPLES_MAX: usize = 4_000_000;

/// What a round came to, ns.
#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize)]
pub struct Latency {
    /// Records.
    pub count: u64,
    /// Half of them took no longer.
    pub p50_ns: u64,
    /// 99 of 100.
    pub p99_ns: u64,
    /// 999 of 1,000.
    pub p999_ns: u64,
    /// The longest.
    pub max_ns: u64,
}

/// Takes samples between a beginning and an end.
#[derive(Debug, Default)]
pub struct Stopwatch {
    samples: Vec<u64>,
    runs: bool,
}

impl Stopwatch {
    /// A round begins.
    pub fn begin(&mut self) {
        self.samples.clear();
        self.runs = true;
    }

    /// A record came that was published then.
    pub fn add(&mut self, published_ns: i64) {
        if self.runs && self.samples.len() < SAMPLES_MAX {
            self.samples.push(u64::try_from(now_ns() - published_ns).unwrap_or(0));
        }
    }

    /// The round is over.
    pub fn end(&mut self) -> Latency {
        self.runs = false;
        self.samples.sort_unstable();
        let at = |share: f64| {
            let rank = (share * self.samples.len() as f64).ceil() as usize;
            self.samples.get(rank.saturating_sub(1)).copied().unwrap_or(0)
        };
        Latency {
            count: self.samples.len() as u64,
            p50_ns: at(0.5),
            p99_ns: at(0.99),
            p999_ns: at(0.999),
            max_ns: at(1.0),
        }
    }
}
