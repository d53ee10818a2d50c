//! How often a client may ask: a token bucket, and a measure of how stubbornly it asks on.

use std::time::Instant;

/// Requests refused in a row of busy seconds before the connection is closed.
pub const STRIKES_MAX: u32 = 32;

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

/// A second's worth of requests at once, refilled steadily.
#[derive(Debug)]
pub struct RateLimit {
    per_second: f64,
    tokens: f64,
    strikes: u32,
    refilled: Instant,
}

impl RateLimit {
    /// `per_second` requests a second.
    #[must_use]
    pub fn new(per_second: u32, now: Instant) -> RateLimit {
        let per_second = f64::from(per_second);
        RateLimit {
            per_second,
            tokens: per_second,
            strikes: 0,
            refilled: now,
        }
    }

    /// Judges a request.
    pub fn judge(&mut self, now: Instant) -> Verdict {
        let elapsed = now.saturating_duration_since(self.refilled).as_secs_f64();
        self.refilled = now;
        self.tokens = (self.tokens + elapsed * self.per_second).min(self.per_second);
        if self.tokens >= self.per_second {
            self.strikes = 0;
        }
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
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
    use std::time::Duration;

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
