//! Images of all books for readers that came late: one book at a time, as far as the way out has room.

use std::collections::VecDeque;

use tickpath_protocol::InstrumentId;

use super::Outlet;
use super::hub::{Hub, Inner};

/// Free records that an image leaves, as a multiple of itself: what the venue sends meanwhile must not be dropped for it.
const ROOM_FACTOR: u64 = 2;
/// Pause after a look that found no room: each look takes a line of memory from the relay.
const ROOM_RETRY_NS: i64 = 1_000_000;
/// A round that lasts longer is given up with a warning: the ring is too small for what is left of it, or its reader stands still.
const ROUND_NS_MAX: i64 = 30_000_000_000;

/// The books of which an image is yet to be published.
#[derive(Debug, Default)]
pub(super) struct Round {
    /// Each instrument once.
    waiting: VecDeque<InstrumentId>,
    /// Readers asked while the round was under way: those published before lack for them.
    again: bool,
    until_ns: i64,
    next_look_ns: i64,
}

/// What is to be done next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing, now.
    Idle,
    /// The round is over, and another one is asked for.
    Again,
    /// Publish the image of this book.
    Publish(InstrumentId),
    /// So many images never found room.
    GivenUp(usize),
}

impl Round {
    /// Readers ask for the images of these books.
    pub fn request(&mut self, books: impl Iterator<Item = InstrumentId>, now_ns: i64) {
        if !self.waiting.is_empty() {
            self.again = true;
            return;
        }
        self.again = false;
        self.waiting.extend(books);
        self.until_ns = now_ns.saturating_add(ROUND_NS_MAX);
        self.next_look_ns = now_ns;
    }

    pub fn is_under_way(&self) -> bool {
        self.again || !self.waiting.is_empty()
    }

    /// Takes the next book whose image fits: one that does not goes to the end, as others may.
    pub fn step(
        &mut self,
        records_of: impl Fn(InstrumentId) -> usize,
        room: impl FnOnce() -> u64,
        now_ns: i64,
    ) -> Step {
        let Some(book) = self.waiting.front().copied() else {
            return match std::mem::take(&mut self.again) {
                true => Step::Again,
                false => Step::Idle,
            };
        };
        if now_ns >= self.until_ns {
            let left = self.waiting.len();
            self.waiting.clear();
            return Step::GivenUp(left);
        }
        if now_ns < self.next_look_ns {
            return Step::Idle;
        }
        self.waiting.pop_front();
        if room() < (records_of(book) as u64).saturating_mul(ROOM_FACTOR) {
            self.waiting.push_back(book);
            self.next_look_ns = now_ns + ROOM_RETRY_NS;
            return Step::Idle;
        }
        Step::Publish(book)
    }
}

impl<O: Outlet + 'static> Hub<O> {
    /// Whether images wait to be published.
    pub fn has_images(&self) -> bool {
        self.inner.borrow().round.is_under_way()
    }

    /// Publishes at most one image that readers asked for. Called between frames, so never between the records of an event.
    pub fn publish_images(&self) {
        let inner = &mut *self.inner.borrow_mut();
        let is_asked = inner.outlet.take_image_request();
        if !is_asked && !inner.round.is_under_way() {
            return;
        }
        let now_ns = inner.clock.now();
        if is_asked {
            inner.round.request(inner.feed.instruments_with_image(), now_ns);
        }
        let Inner {
            feed, outlet, round, ..
        } = inner;
        match round.step(|book| feed.image_records(book), || outlet.room(), now_ns) {
            Step::Idle => {}
            Step::Again => round.request(feed.instruments_with_image(), now_ns),
            Step::Publish(book) => inner.with_sink(|feed, sink| feed.publish_image(book, now_ns, sink)),
            Step::GivenUp(left) => tracing::warn!(
                "{}: {left} images of books were asked for and found no room in the ring: set `collectors.{}.ring_capacity` higher",
                self.venue,
                self.venue
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOKS: [InstrumentId; 3] = [InstrumentId(1), InstrumentId(2), InstrumentId(3)];

    fn step(round: &mut Round, room: u64, now_ns: i64) -> Step {
        round.step(|book| book.0 as usize * 10, || room, now_ns)
    }

    fn started() -> Round {
        let mut round = Round::default();
        assert_eq!(step(&mut round, u64::MAX, 0), Step::Idle);
        round.request(BOOKS.into_iter(), 0);
        round
    }

    #[test]
    fn each_book_has_its_turn() {
        let mut round = started();
        for book in BOOKS {
            assert_eq!(step(&mut round, 60, 0), Step::Publish(book));
        }
        assert!(!round.is_under_way());
        assert_eq!(step(&mut round, 60, 0), Step::Idle);
    }

    #[test]
    fn a_book_without_room_waits_and_holds_up_no_other() {
        let mut round = Round::default();
        round.request(BOOKS.into_iter().rev(), 0);
        assert_eq!(step(&mut round, 59, 0), Step::Idle);
        assert_eq!(step(&mut round, 60, ROOM_RETRY_NS - 1), Step::Idle);
        assert_eq!(step(&mut round, 59, ROOM_RETRY_NS), Step::Publish(BOOKS[1]));
        assert_eq!(step(&mut round, 59, ROOM_RETRY_NS), Step::Publish(BOOKS[0]));
        assert_eq!(step(&mut round, 59, ROOM_RETRY_NS), Step::Idle);
        assert_eq!(step(&mut round, 60, ROOM_RETRY_NS * 2), Step::Publish(BOOKS[2]));
    }

    #[test]
    fn requests_during_a_round_start_one_more() {
        let mut round = started();
        round.request(BOOKS.into_iter(), 1);
        round.request(BOOKS.into_iter(), 2);
        for book in BOOKS {
            assert_eq!(step(&mut round, 60, 3), Step::Publish(book));
        }
        assert!(round.is_under_way());
        assert_eq!(step(&mut round, 60, 3), Step::Again);
        assert_eq!(step(&mut round, 60, 3), Step::Idle);
    }

    #[test]
    fn a_round_without_room_ends() {
        let mut round = started();
        assert_eq!(step(&mut round, 0, ROUND_NS_MAX - 1), Step::Idle);
        assert_eq!(step(&mut round, 0, ROUND_NS_MAX), Step::GivenUp(3));
        assert!(!round.is_under_way());
    }
}
