//! When the collectors are asked for whole books.
//!
//! A bridge that comes late, or missed records, has books that only an image makes whole. It asks when it attaches and after every loss, and
//! goes on asking while a book still waits: a producer may have been away, or the image itself may have been lost. Asking is cheap here and
//! dear at the collectors, who then publish every book they have, so bursts of losses become one request.

use std::time::{Duration, Instant};

/// Between two requests.
pub const REQUEST_INTERVAL_MIN: Duration = Duration::from_secs(1);
/// How often is looked for books that wait for an image.
pub const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// See the module.
#[derive(Debug, Default)]
pub struct ImageRequests {
    is_wanted: bool,
    requested: Option<Instant>,
    looked: Option<Instant>,
}

impl ImageRequests {
    /// The relay was attached, or records were missed.
    pub fn want(&mut self) {
        self.is_wanted = true;
    }

    /// Whether to ask now. `does_any_wait` looks through the books; it is called once in [`LOOK_INTERVAL`].
    pub fn is_due(&mut self, now: Instant, does_any_wait: impl FnOnce() -> bool) -> bool {
        let has_passed = |interval: Duration, since: Option<Instant>| {
            since.is_none_or(|since| now.saturating_duration_since(since) >= interval)
        };
        if !self.is_wanted && has_passed(LOOK_INTERVAL, self.looked) {
            self.looked = Some(now);
            self.is_wanted = does_any_wait();
        }
        if !self.is_wanted || !has_passed(REQUEST_INTERVAL_MIN, self.requested) {
            return false;
        }
        *self = ImageRequests {
            is_wanted: false,
            requested: Some(now),
            looked: Some(now),
        };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_answered_at_once_and_a_burst_once_a_second() {
        let (mut requests, start) = (ImageRequests::default(), Instant::now());
        let mut asked = Vec::new();
        for ms in 0..2_500 {
            requests.want();
            if requests.is_due(start + Duration::from_millis(ms), || false) {
                asked.push(ms);
            }
        }
        assert_eq!(asked, [0, 1_000, 2_000]);
        assert!(
            requests.is_due(start + Duration::from_secs(3), || false),
            "the last loss counts"
        );
        assert!(!requests.is_due(start + Duration::from_secs(60), || false));
    }

    #[test]
    fn books_that_wait_are_asked_for_again_and_again() {
        let (mut requests, start) = (ImageRequests::default(), Instant::now());
        let mut asked = Vec::new();
        let mut looks = 0;
        for second in 0..20 {
            let does_any_wait = || {
                looks += 1;
                second < 12
            };
            if requests.is_due(start + Duration::from_secs(second), does_any_wait) {
                asked.push(second);
            }
        }
        assert_eq!((asked, looks), (vec![0, 5, 10], 4));
    }
}
