//! The random participants: limit orders around a reference, cancels, market orders.

use rand::RngExt;
use tickpath_matching::{NewOrder, OpenOrder, OrderId, OwnerId, Replace, TimeInForce};
use tickpath_protocol::Side;

use super::{Event, Market, largest_order};

/// Levels a side that a market starts with.
const LEVELS_START: usize = 300;
/// Fewer levels than this and nothing is taken away from a side.
pub(super) const LEVELS_MIN: usize = 40;
/// More levels than this and the worst of a side is cancelled.
pub(super) const LEVELS_MAX: usize = 1_200;
/// Levels that one market order takes at most.
pub(super) const TAKEN_MAX: usize = 3;
/// How far a venue's price may lag behind the reference before it is traded back, in usual distances of levels.
const LAG_SPACINGS: i64 = 3;

impl Market {
    /// Orders on both sides of the reference.
    pub(super) fn seed(&mut self, reference: i64) {
        let mut seeding = Event::default();
        for side in [Side::Bid, Side::Ask] {
            let mut distance = 0;
            for _ in 0..LEVELS_START {
                distance += self.rng.random_range(1..=2 * self.spacing);
                let size = self.order_size();
                let price = at_distance(side, reference, distance);
                if price > 0 {
                    self.submit(&mut seeding, NewOrder::limit(0, side, price, size));
                }
            }
        }
    }

    /// A side that a client has swept gets new orders at once, so that no side is ever empty.
    pub(super) fn refill(&mut self, event: &mut Event) {
        for side in [Side::Bid, Side::Ask] {
            let Some(from) = self.matching.last_price() else { return };
            let mut distance = 0;
            while self.book.depth(side) < LEVELS_MIN {
                distance += self.rng.random_range(1..=2 * self.spacing);
                // A buyer's price comes to its end at one tick; what a seller asks has none.
                let price = self.bound_by_other_side(side, at_distance(side, from, distance));
                let size = self.order_size();
                if price < 1 {
                    break;
                }
                self.submit(event, NewOrder::limit(0, side, price, size));
            }
        }
    }

    /// What the next participant does.
    pub(super) fn act(&mut self, event: &mut Event, reference: i64) {
        // A venue that lags behind the others is traded back to them.
        let lag = self.spacing * LAG_SPACINGS;
        if self.best(Side::Ask).is_some_and(|price| price < reference - lag) {
            return self.take(event, reference, Side::Bid);
        }
        if self.best(Side::Bid).is_some_and(|price| price > reference + lag) {
            return self.take(event, reference, Side::Ask);
        }
        let side = self.either_side();
        if self.book.depth(side) > LEVELS_MAX {
            return self.drop_worst(event, side);
        }
        // More orders arrive than leave while the side is thinner than it was at the start, and the other way round.
        let arrivals = if self.book.depth(side) < LEVELS_START { 78 } else { 34 };
        match self.rng.random_range(0..100u32) {
            0..10 => self.take(event, reference, side),
            n if n < 10 + arrivals => self.add(event, side, reference),
            _ => self.leave(event, side, reference),
        }
    }

    /// A limit order on `side`, mostly near the touch, now and then far away.
    fn add(&mut self, event: &mut Event, side: Side, reference: i64) {
        let width = self.spacing << self.rng.random::<u32>().trailing_zeros().min(9);
        let distance = self.rng.random_range(0..=width);
        let price = self
            .bound_by_other_side(side, at_distance(side, reference, distance))
            .max(1);
        let size = self.order_size();
        self.submit(event, NewOrder::limit(0, side, price, size));
    }

    /// An order near the touch is cancelled, or made smaller.
    fn leave(&mut self, event: &mut Event, side: Side, reference: i64) {
        let depth = self.book.depth(side);
        if depth <= LEVELS_MIN {
            return self.add(event, side, reference);
        }
        let reach = (1usize << self.rng.random::<u32>().trailing_zeros().min(8)).min(depth - 1);
        let rank = self.rng.random_range(0..=reach);
        let Some(level) = self.book.levels(side).nth(rank) else {
            return;
        };
        let waiting: Vec<_> = self
            .matching
            .queue(side, level.price)
            .filter(is_of_participant)
            .collect();
        if waiting.is_empty() {
            return;
        }
        let order = waiting[self.rng.random_range(0..waiting.len())];
        let lots = order.leaves / self.listing.lot;
        match self.rng.random_range(0..10u32) {
            0..3 if lots > 1 => {
                let kept = self.rng.random_range(1..lots) * self.listing.lot;
                self.shrink(event, order.id, order.filled + kept);
            }
            _ => self.cancel(event, order.id),
        }
    }

    fn shrink(&mut self, event: &mut Event, id: OrderId, quantity: i64) {
        let replace = Replace {
            id,
            price: None,
            trigger: None,
            quantity: Some(quantity),
        };
        self.matching.replace(&replace, &mut self.told);
        self.tell(event);
    }

    /// `aggressor` takes what stands at the touch, up to some levels deep.
    fn take(&mut self, event: &mut Event, reference: i64, aggressor: Side) {
        let resting = aggressor.opposite();
        if self.book.depth(resting) <= LEVELS_MIN {
            return self.add(event, resting, reference);
        }
        let Some(touch) = self.book.best(resting) else { return };
        let quantity = match self.rng.random_range(0..3u32) {
            0 => touch.size.min(largest_order(self.listing)),
            _ => self.order_size(),
        };
        let deepest = self.book.levels(resting).take(TAKEN_MAX).last();
        let order = NewOrder {
            time_in_force: TimeInForce::Ioc,
            ..NewOrder::limit(0, aggressor, deepest.map_or(touch.price, |level| level.price), quantity)
        };
        self.submit(event, order);
        // An iceberg order shows its next part: the price appears twice in one event, as it does at Kraken.
        let is_emptied = event.changes.last().is_some_and(|change| change.size == 0);
        let filled: i64 = event.trades.iter().map(|trade| trade.size).sum();
        if is_emptied && filled == quantity && self.rng.random_range(0..4u32) == 0 {
            let (price, size) = (event.changes[event.changes.len() - 1].price, self.order_size());
            self.submit(event, NewOrder::limit(0, resting, price, size));
        }
    }

    fn drop_worst(&mut self, event: &mut Event, side: Side) {
        let Some(level) = self.book.levels(side).last() else {
            return;
        };
        let gone: Vec<_> = self
            .matching
            .queue(side, level.price)
            .filter(is_of_participant)
            .collect();
        for order in gone {
            self.cancel(event, order.id);
        }
    }

    /// The nearest price to `price` that does not cross.
    fn bound_by_other_side(&self, side: Side, price: i64) -> i64 {
        match (side, self.best(side.opposite())) {
            (Side::Bid, Some(ask)) => price.min(ask - 1),
            (Side::Ask, Some(bid)) => price.max(bid + 1),
            (_, None) => price,
        }
    }

    fn best(&self, side: Side) -> Option<i64> {
        self.book.best(side).map(|level| level.price)
    }

    fn either_side(&mut self) -> Side {
        match self.rng.random::<bool>() {
            true => Side::Bid,
            false => Side::Ask,
        }
    }

    /// Small orders are common, large ones rare, round ones commoner than they would be by chance.
    fn order_size(&mut self) -> i64 {
        let most = (self.listing.order_lots >> self.rng.random::<u32>().trailing_zeros().min(6)).max(1);
        let lots = self.rng.random_range(1..=most);
        let lots = match self.rng.random_range(0..4u32) {
            0 if lots > 1_000 => lots / 1_000 * 1_000,
            _ => lots,
        };
        lots * self.listing.lot
    }
}

/// Whose order may be taken away: not a client's.
fn is_of_participant(order: &OpenOrder) -> bool {
    order.owner == OwnerId::NONE
}

/// The price `distance` ticks behind `from`, seen from the other side.
fn at_distance(side: Side, from: i64, distance: i64) -> i64 {
    match side {
        Side::Bid => from - distance,
        Side::Ask => from + distance,
    }
}
