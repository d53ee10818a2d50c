//! What comes in: new orders and replacements; and an open order as others may see it.

use tickpath_protocol::Side;

/// An order's number, unique among the open orders of a book; the venue gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OrderId(pub u64);

/// Whose order it is: a small number that the venue gives, below [`crate::OWNERS_MAX`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OwnerId(pub u32);

impl OwnerId {
    /// Nobody in particular: no position is kept, and two such orders may trade with each other.
    pub const NONE: OwnerId = OwnerId(0);
}

/// What kind of order it is. Prices are mantissas at the instrument's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderKind {
    /// Takes what there is at any price; what cannot be filled is canceled.
    Market,
    /// Trades at `price` or better.
    Limit {
        /// The worst price that is accepted.
        price: i64,
    },
    /// Becomes a market order when a trade happens at `trigger` or beyond (above for a buy, below for a sell).
    Stop {
        /// The price that sets it off.
        trigger: i64,
    },
    /// Becomes a limit order then.
    StopLimit {
        /// The price that sets it off.
        trigger: i64,
        /// The worst price that is accepted.
        price: i64,
    },
}

impl OrderKind {
    /// The limit price, if it has one.
    #[must_use]
    pub fn price(self) -> Option<i64> {
        match self {
            OrderKind::Limit { price } | OrderKind::StopLimit { price, .. } => Some(price),
            OrderKind::Market | OrderKind::Stop { .. } => None,
        }
    }

    /// The trigger price, if it has one.
    #[must_use]
    pub fn trigger(self) -> Option<i64> {
        match self {
            OrderKind::Stop { trigger } | OrderKind::StopLimit { trigger, .. } => Some(trigger),
            OrderKind::Market | OrderKind::Limit { .. } => None,
        }
    }
}

/// How long an order may stay. A market order never rests, whatever this says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TimeInForce {
    /// Until it is filled or canceled.
    #[default]
    Gtc,
    /// What cannot be filled at once is canceled.
    Ioc,
    /// All of it at once, or nothing.
    Fok,
}

/// What happens when an order meets a resting one of the same owner; the incoming order's mode counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SelfTrade {
    /// Both shrink by the smaller of the two, and the one that reaches zero is canceled.
    #[default]
    Decrement,
    /// The incoming order is canceled.
    CancelNewest,
    /// The resting order is canceled, and the incoming one goes on.
    CancelOldest,
    /// Both are canceled.
    CancelBoth,
}

/// An order on its way in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Its number.
    pub id: OrderId,
    /// Whose it is.
    pub owner: OwnerId,
    /// [`Side::Bid`] buys.
    pub side: Side,
    /// Market, limit or stop.
    pub kind: OrderKind,
    /// How much, a mantissa at the instrument's scale.
    pub quantity: i64,
    /// How long it may stay.
    pub time_in_force: TimeInForce,
    /// Refused rather than filled at once.
    pub post_only: bool,
    /// Only ever brings the owner's position nearer to zero: it is cut to the position when it comes in (a stop: when it is triggered), and, while it rests, when its
    /// turn comes to trade. Until then the book may show more of it than can trade.
    pub reduce_only: bool,
    /// What happens when it meets an order of the same owner.
    pub self_trade: SelfTrade,
}

impl NewOrder {
    /// A limit order that stays until it is canceled, of nobody in particular.
    #[must_use]
    pub fn limit(id: u64, side: Side, price: i64, quantity: i64) -> NewOrder {
        NewOrder {
            id: OrderId(id),
            owner: OwnerId::NONE,
            side,
            kind: OrderKind::Limit { price },
            quantity,
            time_in_force: TimeInForce::Gtc,
            post_only: false,
            reduce_only: false,
            self_trade: SelfTrade::default(),
        }
    }

    /// A market order of nobody in particular.
    #[must_use]
    pub fn market(id: u64, side: Side, quantity: i64) -> NewOrder {
        NewOrder {
            kind: OrderKind::Market,
            time_in_force: TimeInForce::Ioc,
            ..NewOrder::limit(id, side, 0, quantity)
        }
    }
}

/// A change of an open order; `None` leaves a thing as it is. An order that only shrinks keeps its place in the queue, any other comes in anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replace {
    /// Which order.
    pub id: OrderId,
    /// The new limit price.
    pub price: Option<i64>,
    /// The new trigger; only for a stop that waits.
    pub trigger: Option<i64>,
    /// The new quantity, what is filled already included, so that a fill that crosses the request cannot make the owner trade more than wanted.
    /// If so much is filled already, the order is canceled.
    pub quantity: Option<i64>,
}

/// An order that rests or waits for its trigger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenOrder {
    /// Its number.
    pub id: OrderId,
    /// Whose it is.
    pub owner: OwnerId,
    /// [`Side::Bid`] buys.
    pub side: Side,
    /// A stop until it is triggered, then a limit order.
    pub kind: OrderKind,
    /// What is still open.
    pub leaves: i64,
    /// What is filled.
    pub filled: i64,
    /// Refused rather than filled at once.
    pub post_only: bool,
    /// Only ever brings the owner's position nearer to zero.
    pub reduce_only: bool,
}
