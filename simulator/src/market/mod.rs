//! The market of one instrument: an order book that matches by price and time, and the random participants whose orders move it.
//!
//! Sans-IO and integers only: [`Market::step`] takes a random source and the price that other venues show, and returns what
//! happened. The same seed gives the same market. Promises: never crossed, never an empty side, every change and every trade has an update
//! number one above the last, trade numbers rise by one. Every trade is one of [`tickpath_matching`]'s: two orders met in its book.

mod participants;

use std::collections::VecDeque;

use rand_chacha::ChaCha8Rng;
use tickpath_matching::{Book, Event as Told, NewOrder, OrderId, OwnerId, Reject, Rules};
use tickpath_protocol::{Level, OrderBook, Side};

use crate::listing::Listing;
use crate::orders::{Notice, OrderUpdate};

/// Orders that a market keeps open.
const ORDERS_MAX: u32 = 1 << 16;
/// An order may be as large as this many large ones of the participants.
const ORDER_SIZES_MAX: i64 = 100;
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
    /// Number of the resting order.
    pub maker: u64,
    /// Number of the order that took it.
    pub taker: u64,
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
    /// When, nanoseconds since the Unix epoch.
    pub ts_ns: i64,
    /// Update number of the first change or trade.
    pub first_update: u64,
    /// Update number of the last.
    pub last_update: u64,
    /// Levels in the order in which they changed; a price can appear twice.
    pub changes: Vec<Change>,
    /// Trades in the order in which they happened.
    pub trades: Vec<Trade>,
    /// What happened to the client's orders.
    pub orders: Vec<OrderUpdate>,
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
    /// The orders.
    matching: Book,
    /// What everyone sees of them, by the events of `matching` alone.
    book: OrderBook,
    /// Number of the last order.
    last_order: u64,
    told: Vec<Told>,
    /// What was told of orders, until somebody takes it.
    notices: Vec<Notice>,
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
        let rules = Rules {
            lot: listing.lot,
            orders_max: ORDERS_MAX,
            quantity_max: largest_order(listing),
            ..Rules::default()
        };
        let mut market = Market {
            listing,
            matching: Book::new(rules),
            book: OrderBook::new(),
            last_order: first_number,
            told: Vec::new(),
            notices: Vec::new(),
            update: first_number,
            trade_id: first_number / 7,
            history: VecDeque::with_capacity(HISTORY),
            spacing: (reference / 200_000).max(1),
            rng,
        };
        market.seed(reference);
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
        self.event(ts_ns, |market, event| market.act(event, reference))
    }

    /// The number that the next order will get.
    #[must_use]
    pub fn next_order(&self) -> u64 {
        self.last_order + 1
    }

    /// An order of a client.
    pub fn place(&mut self, order: NewOrder, ts_ns: i64) -> Event {
        self.event(ts_ns, |market, event| {
            market.submit(event, order);
            market.refill(event);
        })
    }

    /// A client's order is canceled, if it is open.
    pub fn cancel_order(&mut self, number: u64, ts_ns: i64) -> Event {
        self.event(ts_ns, |market, event| market.cancel(event, OrderId(number)))
    }

    /// Why the order that was placed last is not taken; to be asked before [`Market::take_notices`].
    #[must_use]
    pub fn last_refusal(&self) -> Option<Reject> {
        self.notices.iter().rev().find_map(|notice| match notice.told {
            Told::Rejected { id, reason, .. } if id.0 == self.last_order => Some(reason),
            _ => None,
        })
    }

    /// What was told of clients' orders since the last call.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// One event: what `happens` does to the book.
    fn event(&mut self, ts_ns: i64, happens: impl FnOnce(&mut Market, &mut Event)) -> Event {
        let before = (self.book.best(Side::Bid), self.book.best(Side::Ask));
        let mut event = Event {
            ts_ns,
            first_update: self.update + 1,
            ..Event::default()
        };
        happens(self, &mut event);
        event.last_update = self.update;
        event.best_bid = self.book.best(Side::Bid);
        event.best_ask = self.book.best(Side::Ask);
        event.best_changed = before != (event.best_bid, event.best_ask);
        event
    }

    /// A new order with the next number.
    fn submit(&mut self, event: &mut Event, order: NewOrder) -> OrderId {
        self.last_order += 1;
        let id = OrderId(self.last_order);
        self.matching.submit(&NewOrder { id, ..order }, &mut self.told);
        self.tell(event);
        id
    }

    fn cancel(&mut self, event: &mut Event, id: OrderId) {
        self.matching.cancel(id, &mut self.told);
        self.tell(event);
    }

    /// Numbers what the matching engine told.
    fn tell(&mut self, event: &mut Event) {
        for n in 0..self.told.len() {
            match self.told[n] {
                Told::Trade {
                    maker,
                    taker,
                    aggressor,
                    price,
                    quantity,
                    ..
                } => self.trade(event, (maker, taker), aggressor, price, quantity),
                Told::Level { side, price, quantity } => self.change(event, side, price, quantity),
                _ => {}
            }
            if is_of_client(&self.told[n]) {
                self.notices.push(Notice {
                    told: self.told[n],
                    update: self.update,
                    trade_id: self.trade_id,
                });
            }
        }
        self.told.clear();
    }

    fn trade(&mut self, event: &mut Event, (maker, taker): (OrderId, OrderId), aggressor: Side, price: i64, size: i64) {
        self.update += 1;
        self.trade_id += 1;
        let trade = Trade {
            id: self.trade_id,
            maker: maker.0,
            taker: taker.0,
            aggressor,
            price,
            size,
            update: self.update,
            ts_ns: event.ts_ns,
        };
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        self.history.push_back(trade);
        event.trades.push(trade);
    }

    fn change(&mut self, event: &mut Event, side: Side, price: i64, size: i64) {
        // A level has an order, and ORDERS_MAX is far below the book's own limit.
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
}

/// The largest quantity that an order may have.
fn largest_order(listing: &Listing) -> i64 {
    listing.lot * listing.order_lots * ORDER_SIZES_MAX
}

/// Whether something was told that a client must know.
fn is_of_client(told: &Told) -> bool {
    match *told {
        Told::Trade {
            maker_owner,
            taker_owner,
            ..
        } => maker_owner != OwnerId::NONE || taker_owner != OwnerId::NONE,
        Told::Accepted { owner, .. }
        | Told::Rested { owner, .. }
        | Told::Canceled { owner, .. }
        | Told::Reduced { owner, .. }
        | Told::Replaced { owner, .. }
        | Told::Triggered { owner, .. } => owner != OwnerId::NONE,
        Told::Rejected { .. } => true,
        Told::Level { .. } => false,
    }
}

#[cfg(test)]
mod tests;
