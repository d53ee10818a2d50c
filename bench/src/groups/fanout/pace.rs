//! A fixed rate, kept whatever happens meanwhile: what is late is due at once (open loop).

use std::time::{Duration, Instant};

/// Shortest pause: the kernel's timer is no finer.
const PAUSE_MIN: Duration = Duration::from_micros(100);

/// How many messages are due.
#[derive(Debug)]
pub struct Pace {
    start: Instant,
    rate: u64,
    done: u64,
}

impl Pace {
    /// `rate` a second, from now on.
    #[must_use]
    pub fn new(rate: u64) -> Pace {
        Pace {
            start: Instant::now(),
            rate,
            done: 0,
        }
    }

    /// How many have become due since the last call.
    pub fn due(&mut self) -> u64 {
        let total = (self.start.elapsed().as_nanos() * u128::from(self.rate) / 1_000_000_000) as u64;
        let due = total - self.done;
        self.done = total;
        due
    }

    /// Until the next one is due.
    #[must_use]
    pub fn pause(&self) -> Duration {
        let next = Duration::from_nanos((u128::from(self.done + 1) * 1_000_000_000 / u128::from(self.rate)) as u64);
        next.saturating_sub(self.start.elapsed()).max(PAUSE_MIN)
    }
}
