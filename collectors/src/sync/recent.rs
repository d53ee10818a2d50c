//! Numbers of a venue's trades that were seen lately: tells a new trade from a repeated one, and shows holes.

/// How far back a number is remembered. The connection that is slower during a handover may lag by as many trades.
const WINDOW: u64 = 1_024;
const WORDS: usize = WINDOW as usize / 64;

/// The highest number seen and which of the [`WINDOW`] numbers up to it were.
#[derive(Clone, Debug, Default)]
pub(super) struct RecentIds {
    highest: Option<u64>,
    /// Bit `id % WINDOW`, for the ids in `(highest - WINDOW, highest]`.
    seen: [u64; WORDS],
}

/// What a number is, compared with those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The first, or the one after the highest.
    Next,
    /// Higher, and these before it were not seen.
    Jump {
        first: u64,
        last: u64,
    },
    /// Lower, and not seen before.
    Late,
    Duplicate,
}

impl RecentIds {
    /// Forgets all: what comes next is the first.
    pub fn reset(&mut self) {
        self.highest = None;
    }

    /// The highest number seen.
    pub fn highest(&self) -> Option<u64> {
        self.highest
    }

    /// Notes `id`. `alone`: only one connection delivers, so that a number far below can only be the venue counting anew.
    pub fn note(&mut self, id: u64, alone: bool) -> Seen {
        let Some(highest) = self.highest else {
            return self.begin(id);
        };
        if id > highest {
            self.forget(highest, id);
            self.mark(id);
            self.highest = Some(id);
            return if id == highest + 1 {
                Seen::Next
            } else {
                Seen::Jump {
                    first: highest + 1,
                    last: id - 1,
                }
            };
        }
        match highest - id < WINDOW {
            true if self.is_marked(id) => Seen::Duplicate,
            true => {
                self.mark(id);
                Seen::Late
            }
            false if alone => self.begin(id),
            false => Seen::Duplicate,
        }
    }

    fn begin(&mut self, id: u64) -> Seen {
        self.seen = [0; WORDS];
        self.mark(id);
        self.highest = Some(id);
        Seen::Next
    }

    /// Frees the bits of the numbers after `from` up to `to`, which stood for numbers that leave the window.
    fn forget(&mut self, from: u64, to: u64) {
        if to - from >= WINDOW {
            self.seen = [0; WORDS];
            return;
        }
        for id in from + 1..=to {
            let (word, bit) = place(id);
            self.seen[word] &= !bit;
        }
    }

    fn mark(&mut self, id: u64) {
        let (word, bit) = place(id);
        self.seen[word] |= bit;
    }

    fn is_marked(&self, id: u64) -> bool {
        let (word, bit) = place(id);
        self.seen[word] & bit != 0
    }
}

fn place(id: u64) -> (usize, u64) {
    let bit = id % WINDOW;
    ((bit / 64) as usize, 1 << (bit % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tells_new_from_repeated() {
        let mut ids = RecentIds::default();
        assert_eq!(ids.note(100, true), Seen::Next);
        assert_eq!(ids.note(101, true), Seen::Next);
        assert_eq!(ids.note(101, true), Seen::Duplicate);
        assert_eq!(ids.note(104, true), Seen::Jump { first: 102, last: 103 });
        assert_eq!(ids.note(103, true), Seen::Late);
        assert_eq!(ids.note(103, true), Seen::Duplicate);
        assert_eq!(
            ids.note(5_000, true),
            Seen::Jump {
                first: 105,
                last: 4_999
            }
        );
        assert_eq!(ids.note(104, false), Seen::Duplicate);
        assert_eq!(ids.note(104, true), Seen::Next, "the venue counts anew");
        assert_eq!(
            ids.note(u64::MAX, true),
            Seen::Jump {
                first: 105,
                last: u64::MAX - 1
            }
        );
    }

    proptest! {
        #[test]
        fn equals_a_set_within_the_window(steps in prop::collection::vec(0u64..900, 1..400)) {
            let mut ids = RecentIds::default();
            let mut set = BTreeSet::new();
            for (at, step) in steps.iter().enumerate() {
                let id = 10_000 + at as u64 / 4 + step;
                let duplicate = ids.note(id, true) == Seen::Duplicate;
                prop_assert_eq!(duplicate, !set.insert(id));
            }
        }
    }
}
