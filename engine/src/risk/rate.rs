//! At most so many within any second, exactly.

use crate::units::Time;

const SECOND_NS: i64 = 1_000_000_000;

/// The times of the last orders, as many as a second may have.
#[derive(Debug)]
pub(super) struct RateWindow {
    times: Box<[Time]>,
    /// The oldest of them.
    at: usize,
}

impl RateWindow {
    pub(super) fn new(per_second_max: u32) -> RateWindow {
        RateWindow {
            times: vec![Time(i64::MIN); per_second_max as usize].into_boxed_slice(),
            at: 0,
        }
    }

    /// Whether one more is allowed now.
    pub(super) fn allows(&self, now: Time) -> bool {
        now.since_ns(self.times[self.at]) >= SECOND_NS
    }

    /// One more was sent.
    pub(super) fn count(&mut self, now: Time) {
        self.times[self.at] = now;
        self.at = (self.at + 1) % self.times.len();
    }
}
