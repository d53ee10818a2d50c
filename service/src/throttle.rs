//! Log lines at most so often: a hostile or broken peer must not fill the log.

use std::time::{Duration, Instant};

/// Lets one event through an interval and counts the others.
#[derive(Debug)]
pub struct Throttle {
    interval: Duration,
    last: Option<Instant>,
    suppressed: u64,
}

impl Throttle {
    /// One event an `interval`.
    #[must_use]
    pub fn new(interval: Duration) -> Throttle {
        Throttle {
            interval,
            last: None,
            suppressed: 0,
        }
    }

    /// One event a second.
    #[must_use]
    pub fn per_second() -> Throttle {
        Throttle::new(Duration::from_secs(1))
    }

    /// `Some(n)` if the event may pass, `n` being how many were held back since the last that did.
    pub fn pass(&mut self, now: Instant) -> Option<u64> {
        if self
            .last
            .is_some_and(|last| now.saturating_duration_since(last) < self.interval)
        {
            self.suppressed += 1;
            return None;
        }
        self.last = Some(now);
        Some(std::mem::take(&mut self.suppressed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_passes_and_the_rest_are_counted() {
        let mut throttle = Throttle::per_second();
        let start = Instant::now();
        assert_eq!(throttle.pass(start), Some(0));
        assert_eq!(throttle.pass(start + Duration::from_millis(10)), None);
        assert_eq!(throttle.pass(start + Duration::from_millis(999)), None);
        assert_eq!(throttle.pass(start + Duration::from_secs(1)), Some(2));
        assert_eq!(throttle.pass(start + Duration::from_secs(3)), Some(0));
    }
}
