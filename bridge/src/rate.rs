//! How often a client may ask: a token bucket, and a measure of how stubbornly it asks on. Pings have a bucket of their own, since the protocol layer answers each of them with a
//! write to the socket before anything here sees it.

use std::time::{Duration, Instant};

/// Requests refused in a row of busy seconds before the connection is closed.
pub const STRIKES_MAX: u32 = 32;

/// Pings of a client a second, and as many at once. One in ten seconds is what libraries send that look after their connection.
pub const PINGS_PER_SECOND_MAX: u32 = 5;

/// What to do with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Do it.
    Allow,
    /// Refuse it.
    Refuse,
    /// Close the connection.
    Close,
}

/// A token bucket: so many at once, refilled steadily.
#[derive(Clone, Debug)]
pub struct Bucket {
    capacity: f64,
    per_second: f64,
    tokens: f64,
    refilled: Instant,
}

impl Bucket {
    /// `count` in each `period`, all of them at once if they were saved up.
    #[must_use]
    pub fn new(count: u32, period: Duration, now: Instant) -> Bucket {
        let capacity = f64::from(count);
        Bucket {
            capacity,
            per_second: capacity / period.as_secs_f64(),
            tokens: capacity,
            refilled: now,
        }
    }

    /// Whether nothing was taken, or all has come back.
    pub fn is_full(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens >= self.capacity
    }

    /// Whether [`Bucket::take`] would give one.
    pub fn has_one(&mut self, now: Instant) -> bool {
        self.refill(now);
        self.tokens >= 1.0
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, now: Instant) -> bool {
        let has_one = self.has_one(now);
        if has_one {
            self.tokens -= 1.0;
        }
        has_one
    }

    fn refill(&mut self, now: Instant) {
        let elapsed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.capacity);
    }
}

/// A second's worth of requests at once, refilled steadily.
#[derive(Debug)]
pub struct RateLimit {
    bucket: Bucket,
    pings: Bucket,
    strikes: u32,
}

impl RateLimit {
    /// `per_second` requests a second.
    #[must_use]
    pub fn new(per_second: u32, now: Instant) -> RateLimit {
        RateLimit {
            bucket: Bucket::new(per_second, Duration::from_secs(1), now),
            pings: Bucket::new(PINGS_PER_SECOND_MAX, Duration::from_secs(1), now),
            strikes: 0,
        }
    }

    /// Judges a ping, which is a request too.
    pub fn judge_ping(&mut self, now: Instant) -> Verdict {
        if self.pings.take(now) {
            self.judge(now)
        } else {
            Verdict::Close
        }
    }

    /// Judges a request.
    pub fn judge(&mut self, now: Instant) -> Verdict {
        if self.bucket.is_full(now) {
            self.strikes = 0;
        }
        if self.bucket.take(now) {
            return Verdict::Allow;
        }
        self.strikes += 1;
        if self.strikes > STRIKES_MAX {
            Verdict::Close
        } else {
            Verdict::Refuse
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_then_a_rate_then_the_end() {
        let start = Instant::now();
        let mut rate = RateLimit::new(2, start);
        assert_eq!(rate.judge(start), Verdict::Allow);
        assert_eq!(rate.judge(start), Verdict::Allow);
        assert_eq!(rate.judge(start), Verdict::Refuse);
        assert_eq!(rate.judge(start + Duration::from_millis(500)), Verdict::Allow);
        for _ in 1..STRIKES_MAX {
            assert_eq!(rate.judge(start + Duration::from_millis(500)), Verdict::Refuse);
        }
        assert_eq!(rate.judge(start + Duration::from_millis(500)), Verdict::Close);
    }

    #[test]
    fn a_few_pings_and_no_flood_of_them() {
        let start = Instant::now();
        let mut rate = RateLimit::new(1000, start);
        let mut now = start;
        for _ in 0..3 * PINGS_PER_SECOND_MAX {
            now += Duration::from_secs(1) / PINGS_PER_SECOND_MAX;
            assert_eq!(rate.judge_ping(now), Verdict::Allow);
        }
        for _ in 1..PINGS_PER_SECOND_MAX {
            assert_eq!(rate.judge_ping(now), Verdict::Allow);
        }
        assert_eq!(rate.judge_ping(now), Verdict::Close);
        assert_eq!(rate.judge(now), Verdict::Allow, "requests are counted apart");
    }

    #[test]
    fn who_pauses_is_forgiven() {
        let start = Instant::now();
        let mut rate = RateLimit::new(1, start);
        for second in 0..3 * u64::from(STRIKES_MAX) {
            let now = start + Duration::from_secs(2 * second);
            assert_eq!(rate.judge(now), Verdict::Allow);
            assert_eq!(rate.judge(now), Verdict::Refuse);
        }
    }
}
