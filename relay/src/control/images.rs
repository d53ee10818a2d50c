//! Book images on demand: readers ask, producers are asked, once a second at most.
//!
//! ```text
//!   reader ──frame──▶ control thread ──word in the ring──▶ producer
//!                                    ──frame─────────────▶ stream producer
//! ```
//!
//! An image answers everyone who asked before it, so requests add up to one. However many come, from whomever, producers are asked no
//! more often than [`ASK_EVERY`]; a request that comes too early waits for its turn.

use std::time::{Duration, Instant};

use tickpath_transport::TransportError;
use tickpath_transport::frame::{FrameError, encode};
use tickpath_transport::message::kind;
use tracing::debug;

use super::Control;
use super::peer::State;

/// Time between two requests to producers: an image of every book is a burst of records.
const ASK_EVERY: Duration = Duration::from_secs(1);

/// Whether a request waits, and when the next may go.
#[derive(Debug, Default)]
pub struct ImageRequests {
    is_waiting: bool,
    asked_at: Option<Instant>,
}

impl ImageRequests {
    /// A reader asks.
    pub fn add(&mut self) {
        self.is_waiting = true;
    }

    /// Time until producers are to be asked; `None` if nobody wants them to be.
    pub fn due_in(&self, now: Instant) -> Option<Duration> {
        let due = |asked_at: Instant| (asked_at + ASK_EVERY).saturating_duration_since(now);
        self.is_waiting.then(|| self.asked_at.map_or(Duration::ZERO, due))
    }

    /// Whether producers are to be asked now; then the requests so far are done with.
    pub fn take(&mut self, now: Instant) -> bool {
        let is_due = self.due_in(now) == Some(Duration::ZERO);
        if is_due {
            self.is_waiting = false;
            self.asked_at = Some(now);
        }
        is_due
    }
}

impl Control {
    /// A reader's request came.
    pub(super) fn take_image_request(&mut self, payload: &[u8]) -> Result<(), TransportError> {
        if !payload.is_empty() {
            return Err(FrameError::Malformed {
                kind: "images wanted",
                len: payload.len(),
                reason: "not empty",
            }
            .into());
        }
        self.metrics.image_requests.add(1);
        self.images.add();
        Ok(())
    }

    /// Asks every attached producer, if readers want it and it is time.
    pub(super) fn pass_image_requests(&mut self) {
        if !self.images.take(Instant::now()) {
            return;
        }
        for peer in self.peers.values_mut() {
            match &peer.state {
                State::Producer { ring } => ring.want_images(),
                State::StreamProducer(_) => {
                    encode(peer.connection.output(), kind::IMAGES_WANTED, |_| {});
                    if let Err(error) = peer.connection.flush() {
                        // Its bytes stay unsent, so the next look at the peer meets the same error and cuts it off.
                        debug!(peer = peer.name, %error, "cannot ask a producer for images");
                    }
                }
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_within_a_second_are_one_and_none_is_forgotten() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut requests = ImageRequests::default();
        assert_eq!(requests.due_in(start), None);
        assert!(!requests.take(start));
        requests.add();
        requests.add();
        assert!(requests.take(start));
        assert!(!requests.take(start));
        for ms in [1, 400, 999] {
            requests.add();
            assert_eq!(requests.due_in(at(ms)), Some(Duration::from_millis(1000 - ms)));
            assert!(!requests.take(at(ms)));
        }
        assert!(requests.take(at(1000)));
        assert_eq!(requests.due_in(at(1500)), None);
        assert!(!requests.take(at(5000)));
        requests.add();
        assert!(requests.take(at(5000)));
    }
}
