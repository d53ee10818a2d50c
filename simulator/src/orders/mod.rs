//! The order desk of the venue that takes orders: what its client has ordered, and what became of it.
//!
//! Sans-IO. The desk matches nothing: it reads what a market's matching told ([`Notice`]) and keeps each order's state, the fills, and what the client is to
//! be told ([`OrderUpdate`]). There is one client, who has one key and unlimited funds; it pays no fees.

mod desk;

use tickpath_matching::{CancelReason, NewOrder, OrderId, OrderKind, OwnerId, SelfTrade, TimeInForce};
use tickpath_protocol::Side;

pub use desk::{Desk, FILLS_MAX, OPEN_MAX, ORDERS_KEPT_MAX, Refusal};

/// The client, as the matching engine knows it.
pub const CLIENT: OwnerId = OwnerId(1);

/// Where an order stands: the number of its market and its number there.
pub type OrderKey = (usize, u64);

/// What a market's matching told about an order that may be the client's.
#[derive(Clone, Copy, Debug)]
pub struct Notice {
    /// What.
    pub told: tickpath_matching::Event,
    /// The market's update number then.
    pub update: u64,
    /// The market's trade number then; a trade's own.
    pub trade_id: u64,
}

/// An order as the client wants it, checked for form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The client's name for it; empty: none.
    pub client_id: String,
    /// The market's number.
    pub market: usize,
    /// [`Side::Bid`] buys.
    pub side: Side,
    /// Market, limit, stop. Mantissas at the listing's decimals.
    pub kind: OrderKind,
    /// Mantissa at the listing's size decimals.
    pub quantity: i64,
    /// How long it may stay.
    pub time_in_force: TimeInForce,
    /// Refused rather than filled at once.
    pub post_only: bool,
    /// What happens when it meets an order of the same client.
    pub self_trade: SelfTrade,
}

impl Ticket {
    /// As the matching engine takes it; the market gives the number.
    #[must_use]
    pub fn order(&self) -> NewOrder {
        NewOrder {
            id: OrderId(0),
            owner: CLIENT,
            side: self.side,
            kind: self.kind,
            quantity: self.quantity,
            time_in_force: self.time_in_force,
            post_only: self.post_only,
            reduce_only: false,
            self_trade: self.self_trade,
        }
    }
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A stop that waits for its trigger.
    Waiting,
    /// It rests, or is about to.
    Open,
    /// All of it traded.
    Filled,
    /// Some or none of it traded, and no more will.
    Canceled(CancelReason),
}

impl State {
    /// Whether nothing more happens to it.
    #[must_use]
    pub fn is_done(self) -> bool {
        matches!(self, State::Filled | State::Canceled(_))
    }
}

/// An order of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientOrder {
    /// As it was wanted. The quantity shrinks where self-trade prevention takes some off.
    pub ticket: Ticket,
    /// Its number in its market.
    pub number: u64,
    /// Where it is in its life.
    pub state: State,
    /// What is open; 0 once it is done.
    pub leaves: i64,
    /// What traded.
    pub filled: i64,
    /// Sum of price × quantity of its trades, at the price decimals and size decimals together.
    pub value: i128,
    /// When it came, nanoseconds since the Unix epoch.
    pub created_ns: i64,
    /// When it was done.
    pub done_ns: Option<i64>,
}

impl ClientOrder {
    /// Where it stands.
    #[must_use]
    pub fn key(&self) -> OrderKey {
        (self.ticket.market, self.number)
    }
}

/// A trade of the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The market's trade number.
    pub trade_id: u64,
    /// The client's order.
    pub order: OrderKey,
    /// The client's side.
    pub side: Side,
    /// Mantissa at the listing's price decimals.
    pub price: i64,
    /// Mantissa at the listing's size decimals.
    pub size: i64,
    /// Whether the client's order rested.
    pub is_maker: bool,
    /// When, nanoseconds since the Unix epoch.
    pub ts_ns: i64,
}

/// What happened to an order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// It was taken.
    Received,
    /// It rests.
    Open,
    /// A stop was set off.
    Activated,
    /// It traded with an order of this number, whose owner is not told.
    Matched {
        /// The trade.
        fill: Fill,
        /// The other order's number.
        other: u64,
    },
    /// Self-trade prevention took some off; what was open before.
    Changed {
        /// Open before.
        before: i64,
    },
    /// It is filled or canceled; what was open of it then.
    Done {
        /// Not traded.
        remaining: i64,
    },
}

/// What the client is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderUpdate {
    /// What happened.
    pub what: What,
    /// The order after it.
    pub order: ClientOrder,
    /// The market's update number then.
    pub update: u64,
}
