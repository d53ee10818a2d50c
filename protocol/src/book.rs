//! The order book of one instrument: aggregated levels (L2) on two sides.
//!
//! Each side is one sorted array whose *back* is the top of the book. A level that goes away leaves its price behind with size 0, for markets come back to
//! the same prices: nearly every update is then one store, and nothing moves. The top itself is never such an empty place, so the best level is
//! the last entry. A new price takes an empty place close by, or moves the shorter part of the side.
//!
//! The place of a price is found by halving the last [`WINDOW`] entries, a search of fixed length without a branch that could be guessed wrong; below
//! those, in a window at the update before, for venues send the levels of an event in order; else in the whole side. An image comes best level first:
//! each of its levels goes to the front, where there is room too. Empty places go when an array would have to grow; once it has grown to the book's
//! size nothing is allocated.
//!
//! Both sides are stored alike, keys rising towards the top: a bid's key is its price, an ask's is the complement of it, which turns the order round.

use crate::record::Side;

/// Levels that a side may hold. The largest seen is a Coinbase snapshot of 27,112; a venue that sends more than this is not trusted.
pub const LEVELS_MAX: usize = 1 << 18;

/// Entries at the top that are searched first, and entries at the last update that are searched next; a power of two.
const WINDOW: usize = 32;
/// How far the second window reaches above the last update: events mostly go away from the top.
const ABOVE: usize = 4;
/// How far a new price looks for an empty place, if it would have to move more than a window.
const REACH: usize = 16;
/// Entries that an array makes room for at its front, at least; and empty places that are worth removing, at least.
const ROOM_MIN: usize = 16;

/// Price and size, mantissas at the instrument's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Price.
    pub price: i64,
    /// Size, never 0.
    pub size: i64,
}

/// A side has [`LEVELS_MAX`] levels already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the book has {LEVELS_MAX} levels on one side: the update is not applied")]
pub struct BookFull;

/// Aggregated levels of one instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderBook {
    sides: [Levels; 2],
}

impl OrderBook {
    /// An empty book.
    #[must_use]
    pub fn new() -> OrderBook {
        OrderBook::default()
    }

    /// Sets the level at `price` to `size`; 0 removes it. Removing a level that is not there changes nothing.
    ///
    /// # Errors
    /// [`BookFull`] if a new level has no room; the book is as before.
    #[inline]
    pub fn apply(&mut self, side: Side, price: i64, size: i64) -> Result<(), BookFull> {
        self.sides[index(side)].set(key(side, price), size)
    }

    /// Removes every level and keeps the memory.
    pub fn clear(&mut self) {
        for levels in &mut self.sides {
            levels.entries.clear();
            (levels.start, levels.live) = (0, 0);
        }
    }

    /// Cuts each side to its best `depth` levels, naming each level cut, as Kraken requires of its clients.
    pub fn truncate(&mut self, depth: usize, mut cut: impl FnMut(Side, Level)) {
        for side in [Side::Bid, Side::Ask] {
            let levels = &mut self.sides[index(side)];
            while levels.live > depth {
                let entry = levels.entries[levels.start];
                levels.start += 1;
                if entry.size != 0 {
                    levels.live -= 1;
                    cut(side, entry.level(side));
                }
            }
        }
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        self.sides[index(side)].used().last().map(|entry| entry.level(side))
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl DoubleEndedIterator<Item = Level> + '_ {
        let live = self.sides[index(side)].live();
        live.rev().map(move |entry| entry.level(side))
    }

    /// How many levels a side has.
    #[must_use]
    pub fn depth(&self, side: Side) -> usize {
        self.sides[index(side)].live
    }

    /// The size at a price, if there is a level.
    #[must_use]
    pub fn size_at(&self, side: Side, price: i64) -> Option<i64> {
        let levels = &self.sides[index(side)];
        let key = key(side, price);
        let entry = levels.entries[levels.start..levels.end_of(key)].last()?;
        (entry.key == key && entry.size != 0).then_some(entry.size)
    }

    /// Whether the best bid is at or above the best ask: never so in a true book of one venue.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!((self.best(Side::Bid), self.best(Side::Ask)), (Some(bid), Some(ask)) if bid.price >= ask.price)
    }
}

/// Where a side stands in [`OrderBook::sides`].
fn index(side: Side) -> usize {
    usize::from(side == Side::Ask)
}

/// A price as a number that rises towards the top of its side; the same function gives the price back.
fn key(side: Side, price: i64) -> i64 {
    price ^ -i64::from(side == Side::Ask)
}

/// A level, or with size 0 the place of one that went away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    key: i64,
    size: i64,
}

impl Entry {
    fn level(self, side: Side) -> Level {
        Level {
            price: key(side, self.key),
            size: self.size,
        }
    }
}

/// How many entries of a window have keys that are not above `key`; the first one has.
#[inline]
fn end_within(window: &[Entry; WINDOW], key: i64) -> usize {
    let mut at = 0;
    let mut half = WINDOW / 2;
    // A halving of fixed length whose choices are moves, not jumps: the processor has nothing to guess.
    while half > 0 {
        at = if window[at + half].key <= key { at + half } else { at };
        half /= 2;
    }
    at + 1
}

/// One side: `entries[start..]`, keys rising, the last one live. What lies before `start` is room.
#[derive(Clone, Debug, Default)]
struct Levels {
    entries: Vec<Entry>,
    start: usize,
    /// Entries with a size.
    live: usize,
    /// Where the last update was: a guess, which may be beyond the end by now.
    last: usize,
}

impl PartialEq for Levels {
    fn eq(&self, other: &Levels) -> bool {
        self.live().eq(other.live())
    }
}

impl Eq for Levels {}

impl Levels {
    /// Levels and empty places.
    fn used(&self) -> &[Entry] {
        &self.entries[self.start..]
    }

    fn live(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.used().iter().filter(|entry| entry.size != 0)
    }

    #[inline]
    fn set(&mut self, key: i64, size: i64) -> Result<(), BookFull> {
        let end = self.end_of(key);
        self.last = end;
        match self.entries[self.start..end].last_mut() {
            Some(entry) if entry.key == key => {
                let (was, is) = (usize::from(entry.size != 0), usize::from(size != 0));
                if self.live + is - was > LEVELS_MAX {
                    return Err(BookFull);
                }
                self.live = self.live + is - was;
                entry.size = size;
                if size == 0 && end == self.entries.len() {
                    self.lower_top();
                }
            }
            _ if size == 0 => {}
            _ if self.live >= LEVELS_MAX => return Err(BookFull),
            _ => self.insert(end, Entry { key, size }),
        }
        Ok(())
    }

    /// Where the entries end whose keys are not above `key`: its own, if there is one, is the last of them.
    #[inline]
    fn end_of(&self, key: i64) -> usize {
        match self.used().last_chunk::<WINDOW>() {
            Some(top) if top[0].key <= key => self.entries.len() - WINDOW + end_within(top, key),
            _ => self.end_below(key),
        }
    }

    /// The same for a key that is below the top's window.
    #[inline]
    fn end_below(&self, key: i64) -> usize {
        let used = self.used();
        if used.first().is_none_or(|lowest| lowest.key > key) {
            return self.start;
        }
        if let Some(most) = used.len().checked_sub(WINDOW) {
            let from = (self.last + ABOVE).saturating_sub(self.start + WINDOW).min(most);
            if let Some(near) = used[from..].first_chunk::<WINDOW>()
                && near[0].key <= key
                && near[WINDOW - 1].key > key
            {
                return self.start + from + end_within(near, key);
            }
        }
        self.start + used.partition_point(|entry| entry.key <= key)
    }

    /// The last entry went away: the next one that has a size is the top.
    fn lower_top(&mut self) {
        while self.entries.len() > self.start && self.entries.last().is_some_and(|entry| entry.size == 0) {
            self.entries.pop();
        }
    }

    /// Puts an entry between `entries[at - 1]` and `entries[at]`.
    fn insert(&mut self, at: usize, entry: Entry) {
        self.live += 1;
        if at > self.start && self.entries[at - 1].size == 0 {
            self.entries[at - 1] = entry;
        } else if self.entries.get(at).is_some_and(|place| place.size == 0) {
            self.entries[at] = entry;
        } else {
            self.insert_between(at, entry);
        }
    }

    /// The same where neither neighbour is an empty place.
    fn insert_between(&mut self, at: usize, entry: Entry) {
        let (below, above) = (at - self.start, self.entries.len() - at);
        let is_far = below.min(above) > WINDOW;
        if is_far && self.insert_near(at, entry) {
            return;
        }
        if above <= below {
            self.insert_behind(at, entry);
        } else {
            self.insert_in_front(at, entry);
        }
    }

    /// Moves what stands between there and an empty place close by; `false` if there is none.
    fn insert_near(&mut self, at: usize, entry: Entry) -> bool {
        let is_empty = |place: &Entry| place.size == 0;
        let above = self.entries[at..].iter().take(REACH).position(is_empty);
        if let Some(empty) = above {
            self.entries.copy_within(at..at + empty, at + 1);
            self.entries[at] = entry;
            return true;
        }
        let below = self.entries[self.start..at].iter().rev().take(REACH).position(is_empty);
        if let Some(empty) = below {
            self.entries.copy_within(at - empty..at, at - empty - 1);
            self.entries[at - 1] = entry;
            return true;
        }
        false
    }

    /// Moves what is above.
    fn insert_behind(&mut self, at: usize, entry: Entry) {
        let is_full = self.entries.len() == self.entries.capacity();
        let at = if is_full { self.compact(at) } else { at };
        let end = self.entries.len();
        self.entries.push(entry);
        self.entries.copy_within(at..end, at + 1);
        self.entries[at] = entry;
    }

    /// Moves what is below.
    fn insert_in_front(&mut self, at: usize, entry: Entry) {
        let mut at = at;
        if self.start == 0 {
            at = self.compact(at);
            let len = self.entries.len();
            let room = ROOM_MIN.max(len / 2);
            self.entries.resize(len + room, Entry::default());
            self.entries.copy_within(..len, room);
            self.start = room;
            at += room;
        }
        self.entries.copy_within(self.start..at, self.start - 1);
        self.start -= 1;
        self.entries[at - 1] = entry;
    }

    /// Removes the room in front and the empty places, if they are many: an array that is full need not grow then. Returns where `entries[at]` is now.
    #[cold]
    fn compact(&mut self, at: usize) -> usize {
        // One more is counted as live that is not there yet.
        let spare = self.entries.len() + 1 - self.live;
        if spare < ROOM_MIN.max(self.live / 2) {
            return at;
        }
        let before = self.entries[self.start..at]
            .iter()
            .filter(|entry| entry.size != 0)
            .count();
        self.entries[..self.start].fill(Entry::default());
        self.entries.retain(|entry| entry.size != 0);
        self.start = 0;
        before
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn best_depth_and_crossing() {
        let mut book = OrderBook::new();
        assert_eq!(book.best(Side::Bid), None);
        for (side, price) in [(Side::Bid, 99), (Side::Bid, 100), (Side::Ask, 102), (Side::Ask, 101)] {
            book.apply(side, price, 5).unwrap();
        }
        assert_eq!(book.best(Side::Bid), Some(Level { price: 100, size: 5 }));
        assert_eq!(book.best(Side::Ask), Some(Level { price: 101, size: 5 }));
        assert!(!book.is_crossed());
        book.apply(Side::Bid, 101, 1).unwrap();
        assert!(book.is_crossed());
        book.apply(Side::Bid, 101, 0).unwrap();
        book.apply(Side::Bid, 7, 0).unwrap();
        assert_eq!(book.depth(Side::Bid), 2);
        assert_eq!(book.size_at(Side::Ask, 102), Some(5));
        assert_eq!(book.size_at(Side::Ask, 103), None);
    }

    #[test]
    fn truncation_names_what_it_cuts() {
        let mut book = OrderBook::new();
        for price in 1..=4 {
            book.apply(Side::Bid, price, 1).unwrap();
            book.apply(Side::Ask, price + 10, 1).unwrap();
        }
        let mut cut = Vec::new();
        book.truncate(2, |side, level| cut.push((side, level.price)));
        assert_eq!(cut, [(Side::Bid, 1), (Side::Bid, 2), (Side::Ask, 14), (Side::Ask, 13)]);
        assert_eq!(book.levels(Side::Bid).map(|l| l.price).collect::<Vec<_>>(), [4, 3]);
    }

    #[test]
    fn a_full_side_refuses_and_stays() {
        let mut book = OrderBook::new();
        for price in 0..LEVELS_MAX as i64 {
            book.apply(Side::Bid, price, 1).unwrap();
        }
        assert_eq!(book.apply(Side::Bid, -1, 1), Err(BookFull));
        assert_eq!(book.apply(Side::Bid, 5, 2), Ok(()));
        assert_eq!(book.depth(Side::Bid), LEVELS_MAX);
    }

    #[test]
    fn an_image_and_a_drifting_market_do_not_grow_the_arrays_for_ever() {
        let mut book = OrderBook::new();
        for price in (0..1000).rev() {
            book.apply(Side::Bid, price, 1).unwrap();
        }
        for price in 1000..50_000 {
            book.apply(Side::Bid, price, 1).unwrap();
            book.apply(Side::Bid, price - 1000, 0).unwrap();
        }
        assert_eq!(book.depth(Side::Bid), 1000);
        assert!(book.sides[0].entries.capacity() <= 4096);
        for price in (-50_000..49_000).rev() {
            book.apply(Side::Bid, price, 1).unwrap();
            book.apply(Side::Bid, price + 1000, 0).unwrap();
        }
        assert_eq!(book.best(Side::Bid).map(|level| level.price), Some(-49_001));
        assert!(book.sides[0].entries.capacity() <= 4096);
    }

    #[test]
    fn extreme_prices_keep_their_order() {
        let mut book = OrderBook::new();
        for side in [Side::Bid, Side::Ask] {
            for price in [0, i64::MIN + 1, i64::MAX, -1] {
                book.apply(side, price, 1).unwrap();
            }
        }
        let prices = |side| book.levels(side).map(|level| level.price).collect::<Vec<_>>();
        assert_eq!(prices(Side::Ask), [i64::MIN + 1, -1, 0, i64::MAX]);
        assert_eq!(prices(Side::Bid), [i64::MAX, 0, -1, i64::MIN + 1]);
    }

    proptest! {
        #[test]
        fn equals_two_maps(updates in prop::collection::vec((any::<bool>(), 0i64..60, 0i64..4), 0..400)) {
            let mut book = OrderBook::new();
            let mut maps = [BTreeMap::new(), BTreeMap::new()];
            for (bid, price, size) in updates {
                let side = if bid { Side::Bid } else { Side::Ask };
                book.apply(side, price, size).unwrap();
                if size == 0 { maps[usize::from(bid)].remove(&price); } else { maps[usize::from(bid)].insert(price, size); }
            }
            let bids: Vec<_> = maps[1].iter().rev().map(|(&price, &size)| Level { price, size }).collect();
            let asks: Vec<_> = maps[0].iter().map(|(&price, &size)| Level { price, size }).collect();
            prop_assert_eq!(book.levels(Side::Bid).collect::<Vec<_>>(), bids);
            prop_assert_eq!(book.levels(Side::Ask).collect::<Vec<_>>(), asks);
        }

        /// Deeper than the window, with prices that drift, so that both ends of the array are used up and reclaimed.
        #[test]
        fn equals_a_map_that_drifts(updates in prop::collection::vec((0i64..200, 0i64..5), 0..1500), drift in -1i64..=1, depth in 1usize..80) {
            let mut book = OrderBook::new();
            let mut map = BTreeMap::new();
            for (step, (offset, size)) in updates.into_iter().enumerate() {
                let price = drift * step as i64 + offset;
                book.apply(Side::Ask, price, size).unwrap();
                if size == 0 { map.remove(&price); } else { map.insert(price, size); }
                prop_assert_eq!(book.size_at(Side::Ask, price), map.get(&price).copied());
                if step % 97 == 96 {
                    book.truncate(depth, |side, level| assert_eq!((side, map.remove(&level.price)), (Side::Ask, Some(level.size))));
                    prop_assert!(map.len() <= depth);
                }
            }
            let asks: Vec<_> = map.iter().map(|(&price, &size)| Level { price, size }).collect();
            prop_assert_eq!(book.levels(Side::Ask).collect::<Vec<_>>(), asks);
        }

        /// Deep on both sides of where prices come and go: empty places are looked for from the middle of an array.
        #[test]
        fn equals_a_map_that_is_deep(updates in prop::collection::vec((0i64..3000, 0i64..3), 0..3000), walk in 0i64..40) {
            let mut book = OrderBook::new();
            let mut map = BTreeMap::new();
            for price in (0..3000).step_by(3) {
                book.apply(Side::Bid, price, 1).unwrap();
                map.insert(price, 1);
            }
            let mut price = 0;
            for (offset, size) in updates {
                // Some walk, as the levels of an event do; some jump.
                price = if offset % 4 == 0 { offset } else { (price + walk) % 3000 };
                book.apply(Side::Bid, price, size).unwrap();
                if size == 0 { map.remove(&price); } else { map.insert(price, size); }
            }
            let bids: Vec<_> = map.iter().rev().map(|(&price, &size)| Level { price, size }).collect();
            prop_assert_eq!(book.depth(Side::Bid), bids.len());
            prop_assert_eq!(book.levels(Side::Bid).collect::<Vec<_>>(), bids);
        }
    }
}
