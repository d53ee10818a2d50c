//! Pauses between attempts: full jitter over exponential steps.

use std::time::Duration;

use rand::RngExt;

use crate::sync::exponential_ns;

/// The longest pause.
const CAP: Duration = Duration::from_secs(30);
/// Most of the pause before the first attempt, at the start and after a healthy session: enough that many clients do not come back at once.
const FIRST: Duration = Duration::from_millis(250);
/// A session of this length that brought data starts over with short pauses. One that only connected does not: a venue that accepts and
/// drops would be called without pause.
const HEALTHY: Duration = Duration::from_secs(30);

/// The pauses of one connection.
#[derive(Debug)]
pub(super) struct Backoff {
    floor: Duration,
    attempts: u32,
}

impl Backoff {
    pub fn new(floor: Duration) -> Backoff {
        Backoff { floor, attempts: 0 }
    }

    /// The pause before the first attempt of all.
    pub fn start() -> Duration {
        random(Duration::ZERO, FIRST)
    }

    /// The pause after an attempt or a session that ended, at least `at_least` (where the venue said when to come back).
    pub fn pause(&mut self, at_least: Duration) -> Duration {
        let attempt = self.attempts;
        self.attempts = self.attempts.saturating_add(1);
        let pause = if attempt == 0 {
            random(Duration::ZERO, FIRST)
        } else {
            let floor_ns = nanos(self.floor);
            let most_ns = exponential_ns(attempt.saturating_add(1), floor_ns, nanos(CAP)).max(floor_ns);
            random(self.floor, Duration::from_nanos(most_ns.unsigned_abs()))
        };
        pause.max(at_least)
    }

    /// A session ended after `lasted`, having brought data or not.
    pub fn ended(&mut self, lasted: Duration, brought_data: bool) {
        if brought_data && lasted >= HEALTHY {
            self.attempts = 0;
        }
    }

    /// The number, from 1, of the coming attempt since the last healthy session.
    pub fn attempt(&self) -> u32 {
        self.attempts.saturating_add(1)
    }
}

pub(super) fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

/// A duration from `from` to `to`.
pub(super) fn random(from: Duration, to: Duration) -> Duration {
    from + to.saturating_sub(from).mul_f64(rand::rng().random::<f64>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_pause_is_short_and_the_others_grow() {
        let floor = Duration::from_millis(500);
        for _ in 0..50 {
            let mut backoff = Backoff::new(floor);
            assert!(backoff.pause(Duration::ZERO) <= FIRST);
            for most_ms in [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000] {
                let pause = backoff.pause(Duration::ZERO);
                assert!(
                    pause >= floor && pause <= Duration::from_millis(most_ms),
                    "{pause:?} {most_ms}"
                );
            }
            assert_eq!(backoff.attempt(), 9);
            backoff.ended(Duration::from_secs(29), true);
            backoff.ended(Duration::from_secs(300), false);
            assert_eq!(backoff.attempt(), 9);
            backoff.ended(Duration::from_secs(30), true);
            assert_eq!(backoff.attempt(), 1);
            assert!(backoff.pause(Duration::from_secs(7)) >= Duration::from_secs(7));
        }
    }
}
