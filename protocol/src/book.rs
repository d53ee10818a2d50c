//! The order book of one instrument: aggregated levels (L2) on two sides.
//!
//! Each side is one sorted double-ended queue whose *back* is the top of the book. Nearly all updates are near the top, where a short scan from
//! the back finds the level and an insertion moves a few entries; the rest of the side takes a binary search. An image comes best level
//! first, so each of its levels goes to the front, where a queue, unlike a vector, moves nothing either. Once a queue has grown to the
//! book's size nothing is allocated.

use std::collections::VecDeque;

use crate::record::Side;

/// Levels that a side may hold. The largest seen is a Coinbase snapshot of 27,112; a venue that sends more than this is not trusted.
pub const LEVELS_MAX: usize = 1 << 18;

/// Entries that are tried from the top before the binary search.
const SCAN: usize = 8;

/// Price and size, mantissas at the instrument's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Level {
    /// Mantissa of the price.
    pub price: i64,
    /// Mantissa of the size, above 0 in a book.
    pub size: i64,
}

/// The side has [`LEVELS_MAX`] levels; the update was not applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the book has {LEVELS_MAX} levels on one side: the update is not applied")]
pub struct BookFull;

/// Aggregated levels of one instrument.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OrderBook {
    /// Prices rising: the highest bid is last.
    bids: VecDeque<Level>,
    /// Prices falling: the lowest ask is last.
    asks: VecDeque<Level>,
}

impl OrderBook {
    /// An empty book.
    #[must_use]
    pub fn new() -> OrderBook {
        OrderBook::default()
    }

    /// Sets the level at `price` to `size`; 0 removes it, and removing what is not there is normal.
    ///
    /// # Errors
    /// [`BookFull`] if a new level has no room; the book is as before.
    pub fn apply(&mut self, side: Side, price: i64, size: i64) -> Result<(), BookFull> {
        let levels = match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        };
        match find(levels, side, price) {
            Ok(at) if size == 0 => {
                levels.remove(at);
            }
            Ok(at) => levels[at].size = size,
            Err(_) if size == 0 => {}
            Err(_) if levels.len() >= LEVELS_MAX => return Err(BookFull),
            Err(at) => levels.insert(at, Level { price, size }),
        }
        Ok(())
    }

    /// Removes every level and keeps the memory.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    /// Cuts each side to its best `depth` levels, naming each level cut, as Kraken requires of its clients.
    pub fn truncate(&mut self, depth: usize, mut cut: impl FnMut(Side, Level)) {
        for (side, levels) in [(Side::Bid, &mut self.bids), (Side::Ask, &mut self.asks)] {
            let excess = levels.len().saturating_sub(depth);
            for level in levels.drain(..excess) {
                cut(side, level);
            }
        }
    }

    /// The best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<Level> {
        match side {
            Side::Bid => self.bids.back().copied(),
            Side::Ask => self.asks.back().copied(),
        }
    }

    /// The levels of a side, best first.
    pub fn levels(&self, side: Side) -> impl DoubleEndedIterator<Item = Level> + ExactSizeIterator + '_ {
        match side {
            Side::Bid => self.bids.iter().rev().copied(),
            Side::Ask => self.asks.iter().rev().copied(),
        }
    }

    /// How many levels a side has.
    #[must_use]
    pub fn depth(&self, side: Side) -> usize {
        self.levels(side).len()
    }

    /// The size at a price, if there is a level.
    #[must_use]
    pub fn size_at(&self, side: Side, price: i64) -> Option<i64> {
        let levels = match side {
            Side::Bid => &self.bids,
            Side::Ask => &self.asks,
        };
        find(levels, side, price).ok().map(|at| levels[at].size)
    }

    /// Whether the best bid is at or above the best ask: never so in a true book of one venue.
    #[must_use]
    pub fn is_crossed(&self) -> bool {
        matches!((self.bids.back(), self.asks.back()), (Some(bid), Some(ask)) if bid.price >= ask.price)
    }
}

/// Where `price` stands (`Ok`) or belongs (`Err`) in a side whose best level is last.
fn find(levels: &VecDeque<Level>, side: Side, price: i64) -> Result<usize, usize> {
    let before = |level: &Level| match side {
        Side::Bid => level.price < price,
        Side::Ask => level.price > price,
    };
    let start = levels.len().saturating_sub(SCAN);
    for at in (start..levels.len()).rev() {
        if levels[at].price == price {
            return Ok(at);
        }
        if before(&levels[at]) {
            return Err(at + 1);
        }
    }
    let at = levels.partition_point(before);
    match levels.get(at) {
        Some(level) if level.price == price => Ok(at),
        _ => Err(at),
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
    }
}
