//! The market of one instrument: an order book (L2) that random limit orders, cancels and market orders move.
//!
//! Sans-IO and integers only: [`Market::step`] takes a random source and the price that other venues show, and returns what
//! happened. The same seed gives the same market. Promises: never crossed, never an empty side, every change and every trade has an update
//! number one above the last, trade numbers rise by one.

use std::collections::VecDeque;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use tickpath_protocol::{Level, OrderBook, Side};

use crate::listing::Listing;

/// Levels a side that a market starts with.
const LEVELS_START: usize = 300;
/// Fewer levels than this and nothing is taken away from a side.
const LEVELS_MIN: usize = 40;
/// More levels than this and the worst of a side is cancelled.
const LEVELS_MAX: usize = 1_200;
/// Levels that one market order takes at most.
const TAKEN_MAX: usize = 3;
/// How far a venue's price may lag behind the reference before it is traded back, in usual distances of levels.
const LAG_SPACINGS: i64 = 3;
/// Trades that a market remembers: what Kraken sends as the snapshot of its trade channel.
pub const HISTORY: usize = 50;

/// A level was set to a size; 0 removed it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Of the book.
    pub side: Side,
    /// Mantissa at the listing's price decimals.
    pub price: i64,
    /// Mantissa at the listing's size decimals: what the level now has.
    pub size: i64,
    /// The market's update number.
    pub update: u64,
}

/// Somebody took a resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trade {
    /// The market's trade number, +1 each.
    pub id: u64,
    /// Who took: [`Side::Bid`] bought.
    pub aggressor: Side,
    /// Mantissa at the listing's price decimals.
    pub price: i64,
    /// Mantissa at the listing's size decimals.
    pub size: i64,
    /// The market's update number.
    pub update: u64,
    /// When, nanoseconds since the Unix epoch.
    pub ts_ns: i64,
}

/// Everything that one order did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Update number of the first change or trade.
    pub first_update: u64,
    /// Update number of the last.
    pub last_update: u64,
    /// Levels in the order in which they changed; a price can appear twice.
    pub changes: Vec<Change>,
    /// Trades in the order in which they happened.
    pub trades: Vec<Trade>,
    /// Best bid after the event.
    pub best_bid: Option<Level>,
    /// Best ask after the event.
    pub best_ask: Option<Level>,
    /// Whether the best bid or ask is another than before, in price or size.
    pub best_changed: bool,
}

/// One instrument's book, counters and recent trades.
#[derive(Debug)]
pub struct Market {
    listing: &'static Listing,
    book: OrderBook,
    update: u64,
    trade_id: u64,
    history: VecDeque<Trade>,
    /// Distance in ticks that neighbouring levels usually have.
    spacing: i64,
    rng: ChaCha8Rng,
}

impl Market {
    /// A market with a full book around `reference` (a price mantissa) and numbers that start at `first_number`.
    #[must_use]
    pub fn new(listing: &'static Listing, reference: i64, first_number: u64, rng: ChaCha8Rng) -> Market {
        let mut market = Market {
            listing,
            book: OrderBook::new(),
            update: first_number,
            trade_id: first_number / 7,
            history: VecDeque::with_capacity(HISTORY),
            spacing: (reference / 200_000).max(1),
            rng,
        };
        let mut seeding = Event::default();
        for side in [Side::Bid, Side::Ask] {
            let mut distance = 0;
            for _ in 0..LEVELS_START {
                distance += market.rng.random_range(1..=2 * market.spacing);
                let size = market.order_size();
                let price = at_distance(side, reference, distance);
                if price > 0 {
                    market.set(&mut seeding, side, price, size);
                }
            }
        }
        market
    }

    /// The book as it stands.
    #[must_use]
    pub fn book(&self) -> &OrderBook {
        &self.book
    }

    /// Number of the last change or trade.
    #[must_use]
    pub fn update(&self) -> u64 {
        self.update
    }

    /// Number of the last trade.
    #[must_use]
    pub fn last_trade_id(&self) -> u64 {
        self.trade_id
    }

    /// The recent trades, oldest first, at most [`HISTORY`].
    pub fn history(&self) -> impl DoubleEndedIterator<Item = &Trade> + ExactSizeIterator {
        self.history.iter()
    }

    /// The next event. `reference` is the price mantissa that this market is drawn to; `ts_ns` is when.
    pub fn step(&mut self, reference: i64, ts_ns: i64) -> Event {
        let before = (self.book.best(Side::Bid), self.book.best(Side::Ask));
        let mut event = Event {
            first_update: self.update + 1,
            ..Event::default()
        };
        self.act(&mut event, reference, ts_ns);
        event.last_update = self.update;
        event.best_bid = self.book.best(Side::Bid);
        event.best_ask = self.book.best(Side::Ask);
        event.best_changed = before != (event.best_bid, event.best_ask);
        event
    }

    fn act(&mut self, event: &mut Event, reference: i64, ts_ns: i64) {
        // A venue that lags behind the others is traded back to them.
        let lag = self.spacing * LAG_SPACINGS;
        if self.best(Side::Ask).is_some_and(|price| price < reference - lag) {
            return self.take(event, reference, Side::Bid, ts_ns);
        }
        if self.best(Side::Bid).is_some_and(|price| price > reference + lag) {
            return self.take(event, reference, Side::Ask, ts_ns);
        }
        let side = self.either_side();
        if self.book.depth(side) > LEVELS_MAX {
            return self.drop_worst(event, side);
        }
        // More orders arrive than leave while the side is thinner than it was at the start, and the other way round.
        let arrivals = if self.book.depth(side) < LEVELS_START { 78 } else { 34 };
        match self.rng.random_range(0..100u32) {
            0..10 => self.take(event, reference, side, ts_ns),
            n if n < 10 + arrivals => self.limit(event, side, reference),
            _ => self.cancel(event, side, reference),
        }
    }

    /// A limit order on `side`, mostly near the touch, now and then far away.
    fn limit(&mut self, event: &mut Event, side: Side, reference: i64) {
        let width = self.spacing << self.rng.random::<u32>().trailing_zeros().min(9);
        let distance = self.rng.random_range(0..=width);
        let price = self
            .bound_by_other_side(side, at_distance(side, reference, distance))
            .max(1);
        let size = self.book.size_at(side, price).unwrap_or(0);
        let added = self.order_size();
        self.set(event, side, price, size.saturating_add(added));
    }

    /// Orders at a level near the touch are cancelled, all of them or some.
    fn cancel(&mut self, event: &mut Event, side: Side, reference: i64) {
        let depth = self.book.depth(side);
        if depth <= LEVELS_MIN {
            return self.limit(event, side, reference);
        }
        let reach = (1usize << self.rng.random::<u32>().trailing_zeros().min(8)).min(depth - 1);
        let rank = self.rng.random_range(0..=reach);
        let Some(level) = self.book.levels(side).nth(rank) else {
            return;
        };
        let lots = level.size / self.listing.lot;
        let left = match self.rng.random_range(0..10u32) {
            0..3 if lots > 1 => self.rng.random_range(1..lots) * self.listing.lot,
            _ => 0,
        };
        self.set(event, side, level.price, left);
    }

    /// A market order of `aggressor`: a trade or two at each level it takes.
    fn take(&mut self, event: &mut Event, reference: i64, aggressor: Side, ts_ns: i64) {
        let resting = aggressor.opposite();
        if self.book.depth(resting) <= LEVELS_MIN {
            return self.limit(event, resting, reference);
        }
        let mut wanted = match self.book.best(resting) {
            Some(touch) if self.rng.random_range(0..3u32) == 0 => touch.size,
            _ => self.order_size(),
        };
        let mut refreshed = None;
        for _ in 0..TAKEN_MAX {
            let Some(level) = self.book.best(resting) else { break };
            let taken = wanted.min(level.size);
            self.fills(event, aggressor, level.price, taken, ts_ns);
            self.set(event, resting, level.price, level.size - taken);
            wanted -= taken;
            if wanted == 0 {
                refreshed = (taken == level.size).then_some(level.price);
                break;
            }
        }
        // An iceberg order shows its next part: the price appears twice in one event, as it does at Kraken.
        if let Some(price) = refreshed.filter(|_| self.rng.random_range(0..4u32) == 0) {
            let size = self.order_size();
            self.set(event, resting, price, size);
        }
    }

    /// The trades of one level: two resting orders were hit, or one.
    fn fills(&mut self, event: &mut Event, aggressor: Side, price: i64, size: i64, ts_ns: i64) {
        let lots = size / self.listing.lot;
        let first = match self.rng.random_range(0..3u32) {
            0 if lots > 1 => self.rng.random_range(1..lots) * self.listing.lot,
            _ => size,
        };
        for part in [first, size - first] {
            if part > 0 {
                self.trade(event, aggressor, price, part, ts_ns);
            }
        }
    }

    fn trade(&mut self, event: &mut Event, aggressor: Side, price: i64, size: i64, ts_ns: i64) {
        self.update += 1;
        self.trade_id += 1;
        let trade = Trade {
            id: self.trade_id,
            aggressor,
            price,
            size,
            update: self.update,
            ts_ns,
        };
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(trade);
        event.trades.push(trade);
    }

    fn drop_worst(&mut self, event: &mut Event, side: Side) {
        if let Some(level) = self.book.levels(side).last() {
            self.set(event, side, level.price, 0);
        }
    }

    fn set(&mut self, event: &mut Event, side: Side, price: i64, size: i64) {
        // LEVELS_MAX of this market is far below the book's own limit.
        if self.book.apply(side, price, size).is_err() {
            return;
        }
        self.update += 1;
        event.changes.push(Change {
            side,
            price,
            size,
            update: self.update,
        });
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

/// The price `distance` ticks behind `from`, seen from the other side.
fn at_distance(side: Side, from: i64, distance: i64) -> i64 {
    match side {
        Side::Bid => from - distance,
        Side::Ask => from + distance,
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;
    use crate::listing::LISTINGS;

    fn market(seed: u64) -> Market {
        Market::new(&LISTINGS[0], 6_280_700, 1_000, ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn a_seed_makes_one_market() {
        let run = |seed| {
            let mut market = market(seed);
            (0..500).map(|n| market.step(6_280_700, n)).collect::<Vec<_>>()
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
    }

    #[test]
    fn the_book_is_what_the_events_say_and_never_crosses() {
        for row in &LISTINGS {
            let mut reference = 200_000;
            let mut market = Market::new(row, reference, 5, ChaCha8Rng::seed_from_u64(3));
            let mut copy = market.book().clone();
            let mut update = market.update();
            let mut trade_id = None;
            for n in 0..20_000 {
                reference += n % 3 - 1 + i64::from(n % 1_000 == 0) * 500;
                let event = market.step(reference, n);
                assert_eq!(event.first_update, update + 1);
                update = event.last_update;
                for change in &event.changes {
                    copy.apply(change.side, change.price, change.size).unwrap();
                    assert!(change.size % row.lot == 0 && change.size >= 0 && change.price > 0);
                }
                for trade in &event.trades {
                    assert!(trade.size > 0 && trade.size % row.lot == 0);
                    assert!(trade_id.is_none_or(|id| trade.id == id + 1));
                    trade_id = Some(trade.id);
                }
                let numbered = event.changes.len() + event.trades.len();
                assert_eq!(event.last_update - event.first_update + 1, numbered as u64);
                assert!(!market.book().is_crossed());
                for side in [Side::Bid, Side::Ask] {
                    let depth = market.book().depth(side);
                    assert!((LEVELS_MIN - TAKEN_MAX..=LEVELS_MAX + 8).contains(&depth), "{depth}");
                }
            }
            assert_eq!(&copy, market.book());
        }
    }

    #[test]
    fn it_follows_the_reference() {
        let mut market = market(1);
        for n in 0..50_000 {
            market.step(6_380_700, n);
        }
        let bid = market.book().best(Side::Bid).unwrap().price;
        assert!((6_370_000..6_390_000).contains(&bid), "{bid}");
    }
}
