//! When to ask for a fresh image of a book that is proven.
//!
//! A REST image of Binance has 5,000 levels a side at most, and what lies beyond is not known until it changes. As the price moves, the book
//! that is built on it becomes less whole, while its update ids stay without holes. So a fresh image is asked for now and then, and
//! replaces the book if it bridges; if not, the book is as good as it was.

const MINUTE_NS: i64 = 60_000_000_000;

/// The times of one book.
#[derive(Clone, Debug, Default)]
pub(super) struct Refresh {
    due_ns: Option<i64>,
    /// Number of the request that is under way.
    request: Option<u64>,
}

impl Refresh {
    /// From one fresh image to the next.
    pub const EVERY_NS: i64 = 30 * MINUTE_NS;
    /// After an image that did not come or did not bridge.
    pub const RETRY_NS: i64 = 5 * MINUTE_NS;
    /// Books proven at the same time are due in so many steps: those that connect together would be renewed together.
    const STEPS: i64 = 64;

    /// The book was proven by an image; `index` is that of its instrument.
    pub fn proven(&mut self, index: usize, now_ns: i64) {
        let half_ns = Refresh::EVERY_NS / 2;
        let step = index as i64 % Refresh::STEPS;
        self.due_ns = Some(now_ns + half_ns + half_ns / Refresh::STEPS * step);
        self.request = None;
    }

    /// The book is not proven any more: that is seen to by others.
    pub fn forget(&mut self) {
        *self = Refresh::default();
    }

    /// When it is due, if that is now.
    pub fn due(&self, now_ns: i64) -> Option<i64> {
        self.due_ns.filter(|due_ns| *due_ns <= now_ns)
    }

    /// An image is asked for; one whose answer never comes is asked for again in time.
    pub fn asked(&mut self, request: u64, now_ns: i64) {
        self.request = Some(request);
        self.due_ns = Some(now_ns + Refresh::EVERY_NS);
    }

    /// The answer to the request that is under way has come; `false` for an answer that nobody waits for.
    pub fn answered(&mut self, request: u64) -> bool {
        let expected = self.request == Some(request);
        if expected {
            self.request = None;
        }
        expected
    }

    /// The image was of no use.
    pub fn failed(&mut self, now_ns: i64) {
        self.due_ns = Some(now_ns + Refresh::RETRY_NS);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_proven_together_are_renewed_at_different_times() {
        let due: Vec<_> = (0..100)
            .map(|index| {
                let mut refresh = Refresh::default();
                refresh.proven(index, 7);
                refresh.due(i64::MAX).unwrap() - 7
            })
            .collect();
        assert!(
            due.iter().all(|ns| (15 * MINUTE_NS..30 * MINUTE_NS).contains(ns)),
            "{due:?}"
        );
        assert!(due[..64].windows(2).all(|pair| pair[1] - pair[0] > 10_000_000_000));
    }

    #[test]
    fn an_answer_counts_once() {
        let mut refresh = Refresh::default();
        assert!(!refresh.answered(1));
        refresh.asked(1, 0);
        assert_eq!(refresh.due(Refresh::EVERY_NS - 1), None);
        assert!(!refresh.answered(2) && refresh.answered(1) && !refresh.answered(1));
        refresh.failed(0);
        assert!(refresh.due(Refresh::RETRY_NS).is_some());
        refresh.asked(3, 0);
        refresh.forget();
        assert!(!refresh.answered(3) && refresh.due(i64::MAX).is_none());
    }
}
