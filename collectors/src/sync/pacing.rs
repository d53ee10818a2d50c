//! How often we may ask: exponential pauses and token buckets, on times that are given.

const SECOND_NS: i64 = 1_000_000_000;

/// `floor` doubled with each attempt after the first, at most `cap`.
pub(crate) fn exponential_ns(attempt: u32, floor_ns: i64, cap_ns: i64) -> i64 {
    let factor = 1i64 << attempt.saturating_sub(1).min(32);
    floor_ns.saturating_mul(factor).min(cap_ns)
}

/// So many in a time, and as many at once.
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    per_token_ns: i64,
    full_ns: i64,
    /// When the bucket will be full again: each token taken moves it on.
    full_at_ns: i64,
}

impl TokenBucket {
    /// `count` (at least 1) in each `window_ns`.
    pub fn new(count: u32, window_ns: i64) -> TokenBucket {
        let per_token_ns = (window_ns / i64::from(count.max(1))).max(1);
        TokenBucket {
            per_token_ns,
            full_ns: per_token_ns * i64::from(count.max(1)),
            full_at_ns: i64::MIN,
        }
    }

    /// Takes a token; else how long until there is one.
    pub fn take(&mut self, now_ns: i64) -> Result<(), i64> {
        let full_at_ns = self.full_at_ns.max(now_ns) + self.per_token_ns;
        let excess_ns = full_at_ns - now_ns - self.full_ns;
        if excess_ns > 0 {
            return Err(excess_ns);
        }
        self.full_at_ns = full_at_ns;
        Ok(())
    }
}

/// When to ask for an image of one book.
#[derive(Clone, Debug, Default)]
pub(super) struct Resync {
    attempts: u32,
    asked_ns: i64,
    due_ns: Option<i64>,
    /// Number of the request that is under way.
    request: Option<u64>,
}

impl Resync {
    const FLOOR_NS: i64 = SECOND_NS;
    const CAP_NS: i64 = 60 * SECOND_NS;
    /// An image that was asked for on the WebSocket is asked for again after this time.
    pub const REPLY_NS: i64 = 10 * SECOND_NS;
    /// An image that a subscription brings unasked is asked for after this time. Also the patience with an image that is ahead of the stream.
    pub const PATIENCE_NS: i64 = 30 * SECOND_NS;
    /// A book that was proven for this time starts over with short pauses.
    const HEALTHY_NS: i64 = 60 * SECOND_NS;

    /// An image is wanted as soon as the pause since the last one allows.
    pub fn want(&mut self, now_ns: i64) {
        self.want_at(now_ns);
    }

    /// An image is wanted at `at_ns`, or later if the pause is not over.
    pub fn want_at(&mut self, at_ns: i64) {
        let pause_ns = match self.attempts {
            0 => 0,
            attempts => exponential_ns(attempts, Resync::FLOOR_NS, Resync::CAP_NS),
        };
        self.due_ns = Some(at_ns.max(self.asked_ns.saturating_add(pause_ns)));
    }

    /// Nothing is wanted and no answer will count.
    pub fn forget(&mut self) {
        self.due_ns = None;
        self.request = None;
    }

    /// A book that was trusted since `since_ns` lost its proof.
    pub fn lost(&mut self, since_ns: i64, now_ns: i64) {
        if now_ns - since_ns >= Resync::HEALTHY_NS {
            self.attempts = 0;
        }
        self.request = None;
        self.want(now_ns);
    }

    pub fn is_due(&self, now_ns: i64) -> bool {
        self.request.is_none() && self.due_ns.is_some_and(|due_ns| due_ns <= now_ns)
    }

    /// Images asked for since the book was last proven for long.
    pub fn attempts(&self) -> u32 {
        self.attempts
    }

    pub fn is_wanted(&self) -> bool {
        self.due_ns.is_some() || self.request.is_some()
    }

    /// An image is asked for; the attempt's number.
    pub fn asked(&mut self, request: Option<u64>, now_ns: i64) -> u32 {
        self.attempts = self.attempts.saturating_add(1);
        self.asked_ns = now_ns;
        self.request = request;
        self.due_ns = None;
        if request.is_none() {
            self.want_at(now_ns + Resync::REPLY_NS);
        }
        self.attempts
    }

    /// The answer to the request that is under way has come; `false` for an answer that nobody waits for.
    pub fn answered(&mut self, request: u64) -> bool {
        let expected = self.request == Some(request);
        if expected {
            self.request = None;
        }
        expected
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_cap() {
        let pauses: Vec<_> = [0, 1, 2, 3, 7, 40, u32::MAX].map(|n| exponential_ns(n, 1, 60)).into();
        assert_eq!(pauses, [1, 1, 2, 4, 60, 60, 60]);
    }

    #[test]
    fn a_bucket_allows_a_burst_and_then_its_rate() {
        let mut bucket = TokenBucket::new(3, 300);
        for _ in 0..3 {
            assert_eq!(bucket.take(1_000), Ok(()));
        }
        assert_eq!(bucket.take(1_000), Err(100));
        assert_eq!(bucket.take(1_099), Err(1));
        assert_eq!(bucket.take(1_100), Ok(()));
        assert_eq!(bucket.take(9_000), Ok(()));
    }

    #[test]
    fn a_book_that_keeps_failing_is_asked_for_less_and_less() {
        let mut resync = Resync::default();
        let mut now_ns = 1_000 * SECOND_NS;
        let mut pauses = Vec::new();
        resync.lost(now_ns, now_ns);
        for _ in 0..9 {
            let start_ns = now_ns;
            while !resync.is_due(now_ns) {
                now_ns += SECOND_NS;
            }
            pauses.push((now_ns - start_ns) / SECOND_NS);
            resync.asked(Some(7), now_ns);
            assert!(!resync.is_due(now_ns + 1_000 * SECOND_NS), "one request at a time");
            assert!(resync.answered(7) && !resync.answered(7));
            resync.lost(now_ns, now_ns);
        }
        assert_eq!(pauses, [0, 1, 2, 4, 8, 16, 32, 60, 60]);
        resync.lost(now_ns, now_ns + 60 * SECOND_NS);
        assert!(resync.is_due(now_ns + 60 * SECOND_NS));
    }
}
