//! Matching by `lobster`: price levels in two sorted maps, each with a `Vec` of places in an arena, and a hash map from id to place.
//!
//! Chosen for being what one finds first that is only a matching engine: no dependency, no thread, a licence (ISC) that fits. It has seen no release for
//! years. `orderbook-rs` is kept up, but is made for many threads at one book, and brings a hundred packages. `lobster` does less than our engine: limit, market
//! and cancel only, no check of duplicate ids or steps, no owners; levels that were emptied stay in its maps.

use lobster::{OrderBook, OrderEvent, OrderType, Side as LobsterSide};
use tickpath_protocol::Side;

/// A `lobster` book.
#[derive(Debug)]
pub struct LobsterBook(OrderBook);

impl LobsterBook {
    /// With room for some orders, as its documentation recommends.
    #[must_use]
    pub fn with_capacity(orders: usize) -> LobsterBook {
        LobsterBook(OrderBook::new(orders, 10, false))
    }

    /// A limit order; returns what was filled at once.
    pub fn limit(&mut self, id: u64, side: Side, price: i64, quantity: i64) -> i64 {
        self.execute(OrderType::Limit {
            id: id.into(),
            side: lobster_side(side),
            qty: quantity.unsigned_abs(),
            price: price.unsigned_abs(),
        })
    }

    /// A market order; returns what was filled.
    pub fn market(&mut self, id: u64, side: Side, quantity: i64) -> i64 {
        self.execute(OrderType::Market {
            id: id.into(),
            side: lobster_side(side),
            qty: quantity.unsigned_abs(),
        })
    }

    /// Cancels an order.
    pub fn cancel(&mut self, id: u64) {
        self.execute(OrderType::Cancel { id: id.into() });
    }

    /// The best price of a side.
    #[must_use]
    pub fn best(&self, side: Side) -> Option<i64> {
        let price = match side {
            Side::Bid => self.0.max_bid(),
            Side::Ask => self.0.min_ask(),
        };
        price.map(u64::cast_signed)
    }

    fn execute(&mut self, order: OrderType) -> i64 {
        match self.0.execute(order) {
            OrderEvent::Filled { filled_qty, .. } | OrderEvent::PartiallyFilled { filled_qty, .. } => {
                filled_qty.cast_signed()
            }
            OrderEvent::Unfilled { .. } | OrderEvent::Placed { .. } | OrderEvent::Canceled { .. } => 0,
        }
    }
}

fn lobster_side(side: Side) -> LobsterSide {
    match side {
        Side::Bid => LobsterSide::Bid,
        Side::Ask => LobsterSide::Ask,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_by_price_and_time() {
        let mut book = LobsterBook::with_capacity(4);
        book.limit(1, Side::Ask, 101, 5);
        book.limit(2, Side::Ask, 100, 5);
        assert_eq!(book.market(3, Side::Bid, 7), 7);
        assert_eq!(book.best(Side::Ask), Some(101));
        book.cancel(1);
        assert_eq!(book.best(Side::Ask), None);
    }
}
