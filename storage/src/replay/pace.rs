//! When a record is due: as long after the first one as it was published then, divided by the speed.

use std::time::{Duration, Instant};

use tickpath_service::config::Speed;

/// Keeps a replay's time.
#[derive(Debug)]
pub struct Pace {
    speed: Speed,
    start: Option<(Instant, i64)>,
}

impl Pace {
    /// From the first record on.
    #[must_use]
    pub fn new(speed: Speed) -> Pace {
        Pace { speed, start: None }
    }

    /// How long to wait before the record that was published at `published_ns`; a record published earlier than the one before is due at once.
    pub fn wait(&mut self, published_ns: i64, now: Instant) -> Duration {
        let Speed::Times(times) = self.speed else {
            return Duration::ZERO;
        };
        let (start, first_ns) = *self.start.get_or_insert((now, published_ns));
        let since_ns = u64::try_from(published_ns.saturating_sub(first_ns)).unwrap_or(0);
        let due = Duration::from_nanos(since_ns).div_f64(times);
        due.saturating_sub(now.duration_since(start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn due_times_follow_the_speed() {
        let now = Instant::now();
        let mut pace = Pace::new(Speed::Times(10.0));
        assert_eq!(pace.wait(5_000_000_000, now), Duration::ZERO);
        assert_eq!(pace.wait(6_000_000_000, now), Duration::from_millis(100));
        assert_eq!(
            pace.wait(6_000_000_000, now + Duration::from_millis(60)),
            Duration::from_millis(40)
        );
        assert_eq!(pace.wait(4_000_000_000, now), Duration::ZERO);
        assert_eq!(Pace::new(Speed::Max).wait(i64::MAX, now), Duration::ZERO);
    }
}
