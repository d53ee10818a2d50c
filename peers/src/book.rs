//! An order book as most write it: two sorted maps from price to size.

use std::collections::BTreeMap;

use tickpath_protocol::record::Side;

/// Aggregated levels of one instrument in two [`BTreeMap`]s.
#[derive(Clone, Debug, Default)]
pub struct MapBook {
    bids: BTreeMap<i64, i64>,
    asks: BTreeMap<i64, i64>,
}

impl MapBook {
    /// Sets the level at `price` to `size`; 0 removes it.
    pub fn apply(&mut self, side: Side, price: i64, size: i64) {
        let levels = match side {
            Side::Bid => &mut self.bids,
            Side::Ask => &mut self.asks,
        };
        if size == 0 {
            levels.remove(&price);
        } else {
            levels.insert(price, size);
        }
    }

    /// Price and size of the best level of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<(i64, i64)> {
        let level = match side {
            Side::Bid => self.bids.last_key_value(),
            Side::Ask => self.asks.first_key_value(),
        };
        level.map(|(price, size)| (*price, *size))
    }
}
