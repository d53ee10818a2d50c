//! Binance's rule: diffs numbered without holes, and a REST image that bridges with them.
//!
//! The diffs of one symbol carry first and last update id, `U` and `u`, and follow on one another without a hole. Until an image bridges they
//! are kept. An image with `lastUpdateId` L bridges with the kept chain if `first U <= L + 1` and `L <= last u`: the diffs up to L are in the image,
//! and the next one obeys `U <= L + 1 <= u`, or will, as the chain has no hole. An image below the chain is too old; one ahead of it waits
//! for the stream. A book that is in sync is renewed by the same rule: from [`Chain::refresh`] on its diffs are kept as well, and an image that does
//! not bridge changes nothing. Source: Binance, "How to manage a local order book correctly", as corrected on 2025-11-12.

use tickpath_protocol::Record;

/// Diffs kept for an image. A REST round trip of 1.5 s collects 15.
pub(super) const EVENTS_MAX: usize = 4_096;
/// Levels kept for an image.
pub(super) const LEVELS_MAX: usize = 1 << 18;

/// The diffs of one symbol.
#[derive(Debug, Default)]
pub(super) struct Chain {
    /// Whether an image has bridged: then nothing is kept …
    synced: bool,
    /// … but for a fresh image that is on its way.
    refreshing: bool,
    /// `U` of the first diff kept, or of the one that will be.
    first: Option<u64>,
    /// `u` of the last diff.
    last: Option<u64>,
    kept: Vec<Kept>,
    levels: Vec<Record>,
    /// An image that is ahead of the stream.
    ahead: Option<Image>,
}

#[derive(Debug)]
struct Kept {
    last_id: u64,
    /// Where its levels start in [`Chain::levels`].
    start: usize,
}

#[derive(Debug)]
struct Image {
    last_id: u64,
    levels: Vec<Record>,
}

/// What a diff is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Diff {
    /// Follows on the one before.
    Next,
    /// Was received before.
    Duplicate,
    /// These update ids are missing before it.
    Hole { first: u64, last: u64 },
    /// Too many diffs were kept for an image; those before it are gone.
    Overflow,
}

/// What an image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bridge {
    /// It bridges.
    Proven,
    /// It is ahead of the stream, and waits.
    Ahead,
    /// Diffs between it and the stream are missing: another must be asked for.
    TooOld,
    /// The book is in sync: there is no use for it.
    Unneeded,
}

impl Chain {
    /// Forgets all: the stream starts anew.
    pub fn reset(&mut self) {
        self.restart();
        self.last = None;
    }

    /// The book is no longer proven: keeps diffs for an image from now on.
    pub fn restart(&mut self) {
        self.synced = false;
        self.forget_kept();
    }

    /// A fresh image of the synced book is on its way: keeps diffs for it from now on.
    pub fn refresh(&mut self) {
        if self.synced {
            self.forget_kept();
            self.refreshing = true;
            self.first = self.last.map(|last| last.saturating_add(1));
        }
    }

    /// The fresh image will not come: keeps nothing for it.
    pub fn end_refresh(&mut self) {
        if self.refreshing {
            self.forget_kept();
        }
    }

    fn forget_kept(&mut self) {
        self.refreshing = false;
        self.first = None;
        self.kept.clear();
        self.levels.clear();
        self.ahead = None;
    }

    fn is_keeping(&self) -> bool {
        !self.synced || self.refreshing
    }

    pub fn has_diffs(&self) -> bool {
        self.last.is_some()
    }

    /// Takes the diff `first..=last`.
    pub fn diff(&mut self, first: u64, last: u64, levels: &[Record]) -> Diff {
        let before = self.last;
        if before.is_some_and(|before| last <= before) {
            return Diff::Duplicate;
        }
        self.last = Some(last);
        let hole = before.filter(|before| first > before.saturating_add(1));
        let kind = if let Some(before) = hole {
            self.drop_kept();
            Diff::Hole {
                first: before + 1,
                last: first - 1,
            }
        } else if self.is_full(levels.len()) && self.refreshing {
            self.end_refresh();
            Diff::Next
        } else if self.is_full(levels.len()) && !self.synced {
            self.drop_kept();
            Diff::Overflow
        } else {
            Diff::Next
        };
        if self.is_keeping() && levels.len() <= LEVELS_MAX {
            self.keep(first, last, levels);
        }
        kind
    }

    fn is_full(&self, more: usize) -> bool {
        self.kept.len() == EVENTS_MAX || self.levels.len() + more > LEVELS_MAX
    }

    /// Drops what was kept; an image ahead of the stream may still bridge with what comes.
    fn drop_kept(&mut self) {
        let ahead = self.ahead.take();
        self.restart();
        self.ahead = ahead;
    }

    fn keep(&mut self, first: u64, last: u64, levels: &[Record]) {
        self.first.get_or_insert(first);
        self.kept.push(Kept {
            last_id: last,
            start: self.levels.len(),
        });
        self.levels.extend_from_slice(levels);
    }

    /// Offers an image. Call [`Chain::take_proven`] once this or [`Chain::retry`] says that it bridges.
    pub fn image(&mut self, last_id: u64, levels: &[Record]) -> Bridge {
        if !self.is_keeping() {
            return Bridge::Unneeded;
        }
        self.ahead = Some(Image {
            last_id,
            levels: levels.to_vec(),
        });
        self.retry().unwrap_or(Bridge::Ahead)
    }

    /// Judges the waiting image again after a diff; `None` without one.
    pub fn retry(&mut self) -> Option<Bridge> {
        let image_id = self.ahead.as_ref()?.last_id;
        let (Some(first), Some(last)) = (self.first, self.last) else {
            return Some(Bridge::Ahead);
        };
        if first > image_id.saturating_add(1) {
            self.ahead = None;
            self.end_refresh();
            return Some(Bridge::TooOld);
        }
        Some(if image_id <= last {
            Bridge::Proven
        } else {
            Bridge::Ahead
        })
    }

    /// The levels of the image that bridges, then those of the kept diffs that it does not hold.
    pub fn take_proven(&mut self) -> Option<Vec<Record>> {
        let mut image = self.ahead.take()?;
        let held = self
            .kept
            .iter()
            .take_while(|kept| kept.last_id <= image.last_id)
            .count();
        let start = self.kept.get(held).map_or(self.levels.len(), |kept| kept.start);
        image.levels.extend_from_slice(&self.levels[start..]);
        self.restart();
        self.synced = true;
        Some(image.levels)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(price: i64) -> Record {
        Record {
            price,
            ..Record::default()
        }
    }

    fn prices(records: Option<Vec<Record>>) -> Vec<i64> {
        records.unwrap().iter().map(|record| record.price).collect()
    }

    #[test]
    fn an_image_within_the_chain_bridges() {
        for (image, expected) in [
            (9, vec![0, 10, 12]),
            (10, vec![0, 10, 12]),
            (11, vec![0, 12]),
            (14, vec![0]),
        ] {
            let mut chain = Chain::default();
            assert_eq!(chain.diff(10, 11, &[level(10)]), Diff::Next);
            assert_eq!(chain.diff(12, 14, &[level(12)]), Diff::Next);
            assert_eq!(chain.image(image, &[level(0)]), Bridge::Proven, "{image}");
            assert_eq!(prices(chain.take_proven()), expected, "{image}");
            assert_eq!(chain.image(image, &[]), Bridge::Unneeded);
            assert_eq!(chain.diff(15, 15, &[level(15)]), Diff::Next);
        }
    }

    #[test]
    fn an_image_below_the_chain_is_too_old() {
        let mut chain = Chain::default();
        chain.diff(10, 11, &[level(10)]);
        assert_eq!(chain.image(8, &[level(0)]), Bridge::TooOld);
        assert_eq!(chain.retry(), None);
    }

    #[test]
    fn an_image_ahead_of_the_stream_waits_for_it() {
        let mut chain = Chain::default();
        assert_eq!(chain.image(12, &[level(0)]), Bridge::Ahead);
        assert_eq!(chain.retry(), Some(Bridge::Ahead));
        chain.diff(10, 11, &[level(10)]);
        assert_eq!(chain.retry(), Some(Bridge::Ahead));
        chain.diff(12, 14, &[level(12)]);
        assert_eq!(chain.retry(), Some(Bridge::Proven));
        assert_eq!(prices(chain.take_proven()), [0, 12]);

        let mut chain = Chain::default();
        chain.image(12, &[level(0)]);
        chain.diff(14, 15, &[level(14)]);
        assert_eq!(chain.retry(), Some(Bridge::TooOld));
    }

    #[test]
    fn an_image_may_lie_over_a_hole() {
        let mut chain = Chain::default();
        chain.diff(10, 11, &[level(10)]);
        chain.image(15, &[level(0)]);
        assert_eq!(chain.diff(14, 16, &[level(14)]), Diff::Hole { first: 12, last: 13 });
        assert_eq!(chain.retry(), Some(Bridge::Proven));
        assert_eq!(prices(chain.take_proven()), [0, 14]);
    }

    #[test]
    fn holes_and_duplicates() {
        let mut chain = Chain::default();
        chain.diff(10, 11, &[]);
        chain.image(11, &[]);
        chain.take_proven();
        assert_eq!(chain.diff(11, 11, &[]), Diff::Duplicate);
        assert_eq!(chain.diff(11, 12, &[]), Diff::Next, "an overlap that brings news");
        assert_eq!(chain.diff(15, 16, &[level(15)]), Diff::Hole { first: 13, last: 14 });
        assert_eq!(chain.image(13, &[]), Bridge::TooOld);
        assert_eq!(chain.image(14, &[level(0)]), Bridge::Proven);
        assert_eq!(prices(chain.take_proven()), [0, 15]);
        chain.reset();
        assert_eq!(chain.diff(1, 1, &[]), Diff::Next);
    }

    /// A chain whose book was proven by an image at update 11.
    fn synced() -> Chain {
        let mut chain = Chain::default();
        chain.diff(10, 11, &[level(10)]);
        assert_eq!(chain.image(11, &[]), Bridge::Proven);
        chain.take_proven();
        chain
    }

    #[test]
    fn a_fresh_image_bridges_with_what_was_kept_since_it_was_asked_for() {
        for (image, expected) in [(11, vec![0, 12, 14]), (13, vec![0, 14]), (15, vec![0])] {
            let mut chain = synced();
            chain.refresh();
            assert_eq!(chain.diff(12, 13, &[level(12)]), Diff::Next);
            assert_eq!(chain.diff(14, 15, &[level(14)]), Diff::Next);
            assert_eq!(chain.image(image, &[level(0)]), Bridge::Proven, "{image}");
            assert_eq!(prices(chain.take_proven()), expected, "{image}");
            assert_eq!(chain.image(15, &[]), Bridge::Unneeded);
        }
        let mut chain = synced();
        chain.refresh();
        assert_eq!(
            chain.image(11, &[level(0)]),
            Bridge::Proven,
            "a market that stands still"
        );
        let mut chain = synced();
        chain.refresh();
        assert_eq!(chain.image(12, &[level(0)]), Bridge::Ahead);
        assert_eq!(chain.diff(12, 14, &[level(12)]), Diff::Next);
        assert_eq!(chain.retry(), Some(Bridge::Proven));
        assert_eq!(prices(chain.take_proven()), [0, 12]);
    }

    #[test]
    fn a_fresh_image_that_does_not_bridge_changes_nothing() {
        let mut chain = synced();
        chain.refresh();
        chain.diff(12, 13, &[level(12)]);
        assert_eq!(chain.image(10, &[level(0)]), Bridge::TooOld);
        assert!(chain.synced && chain.kept.is_empty());
        assert_eq!(chain.retry(), None);
        assert_eq!(chain.image(13, &[]), Bridge::Unneeded);
        assert_eq!(chain.diff(14, 14, &[level(14)]), Diff::Next);
        assert!(chain.kept.is_empty());
    }

    #[test]
    fn what_is_kept_for_a_fresh_image_has_a_limit() {
        let mut chain = synced();
        chain.refresh();
        for id in 12..=12 + EVENTS_MAX as u64 {
            assert_eq!(chain.diff(id, id, &[level(0)]), Diff::Next);
        }
        assert!(chain.synced && chain.kept.is_empty());
        assert_eq!(chain.image(12, &[]), Bridge::Unneeded);
    }

    #[test]
    fn a_hole_while_a_fresh_image_is_on_its_way_is_a_hole() {
        let mut chain = synced();
        chain.refresh();
        chain.diff(12, 13, &[level(12)]);
        assert_eq!(chain.diff(15, 16, &[level(15)]), Diff::Hole { first: 14, last: 14 });
        assert!(!chain.synced);
        assert_eq!(chain.image(13, &[]), Bridge::TooOld);
        assert_eq!(chain.image(14, &[level(0)]), Bridge::Proven);
        assert_eq!(prices(chain.take_proven()), [0, 15]);
    }

    #[test]
    fn what_is_kept_has_a_limit() {
        let mut chain = Chain::default();
        for id in 1..=EVENTS_MAX as u64 {
            assert_eq!(chain.diff(id, id, &[level(0)]), Diff::Next);
        }
        let id = EVENTS_MAX as u64 + 1;
        assert_eq!(chain.diff(id, id, &[level(7)]), Diff::Overflow);
        assert_eq!(chain.image(5, &[]), Bridge::TooOld);
        assert_eq!(chain.image(id - 1, &[]), Bridge::Proven);
        assert_eq!(prices(chain.take_proven()), [7]);
    }
}
