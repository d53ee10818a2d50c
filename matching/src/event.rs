//! What comes out.

use tickpath_protocol::Side;

use crate::order::{OrderId, OwnerId};

/// What became of an order, or of a level of the book. Quantities and prices are mantissas at the instrument's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// The order is taken. What else becomes of it at once follows.
    Accepted {
        /// Which.
        id: OrderId,
        /// Whose.
        owner: OwnerId,
        /// As ordered.
        quantity: i64,
    },
    /// Nothing changed.
    Rejected {
        /// What was asked for.
        request: Request,
        /// Of which order.
        id: OrderId,
        /// Why not.
        reason: Reject,
    },
    /// The rest of the order stands in the book now.
    Rested {
        /// Which.
        id: OrderId,
        /// Whose.
        owner: OwnerId,
        /// Where.
        price: i64,
        /// What is open.
        leaves: i64,
    },
    /// Two orders traded, at the resting order's price. An order whose leaves are 0 is done.
    Trade {
        /// The resting order.
        maker: OrderId,
        /// The incoming order.
        taker: OrderId,
        /// Whose the resting one is.
        maker_owner: OwnerId,
        /// Whose the incoming one is.
        taker_owner: OwnerId,
        /// The incoming order's side.
        aggressor: Side,
        /// The resting order's price.
        price: i64,
        /// How much.
        quantity: i64,
        /// What is left of the resting order.
        maker_leaves: i64,
        /// What is left of the incoming order.
        taker_leaves: i64,
    },
    /// The order is done.
    Canceled {
        /// Which.
        id: OrderId,
        /// Whose.
        owner: OwnerId,
        /// What was open until then.
        leaves: i64,
        /// Why.
        reason: CancelReason,
    },
    /// The order got smaller without a trade, and goes on.
    Reduced {
        /// Which.
        id: OrderId,
        /// Whose.
        owner: OwnerId,
        /// By how much.
        by: i64,
        /// What is left.
        leaves: i64,
        /// Why.
        reason: ReduceReason,
    },
    /// The order is as its owner asked for. If it lost its place, what becomes of it follows.
    Replaced {
        /// Which.
        id: OrderId,
        /// Whose.
        owner: OwnerId,
        /// Its limit price; `None` for a stop that will be a market order.
        price: Option<i64>,
        /// What is open.
        leaves: i64,
        /// Whether it stands where it stood.
        kept_place: bool,
    },
    /// A stop was set off and comes in now.
    Triggered {
        /// Which.
        id: OrderId,
        /// Whose.
        owner: OwnerId,
    },
    /// A level has another quantity: the book's image for others. One an order and level, after all trades of that level.
    Level {
        /// Of the book.
        side: Side,
        /// Where.
        price: i64,
        /// What the level has now; 0: it is gone.
        quantity: i64,
    },
}

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A new order.
    Submit,
    /// To cancel one.
    Cancel,
    /// To change one.
    Replace,
}

/// Why nothing was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Reject {
    /// A quantity of zero or less.
    #[error("the quantity is not above zero")]
    QuantityNotPositive,
    /// A quantity between two lots.
    #[error("the quantity is no multiple of the lot")]
    OffLot,
    /// A quantity above [`crate::Rules::quantity_max`].
    #[error("the quantity is above the largest that is taken")]
    QuantityTooLarge,
    /// A price or trigger of zero or less.
    #[error("the price is not above zero")]
    PriceNotPositive,
    /// A price or trigger between two ticks.
    #[error("the price is no multiple of the tick")]
    OffTick,
    /// An open order has this id.
    #[error("an open order has this id already")]
    DuplicateId,
    /// No open order has this id.
    #[error("no open order has this id")]
    UnknownId,
    /// An owner number at or above [`crate::OWNERS_MAX`].
    #[error("the owner's number is too large")]
    UnknownOwner,
    /// Post-only together with something that never rests.
    #[error("an order that never rests cannot be post-only")]
    PostOnlyNeverRests,
    /// Reduce-only without an owner.
    #[error("a reduce-only order needs an owner")]
    ReduceOnlyNeedsOwner,
    /// It would trade at once.
    #[error("a post-only order would trade at once")]
    PostOnlyWouldTrade,
    /// There is no position that it could bring down.
    #[error("a reduce-only order finds no position to reduce")]
    NothingToReduce,
    /// [`crate::Rules::orders_max`] orders are open.
    #[error("the book has as many open orders as it takes")]
    BookFull,
    /// A limit price for an order that has none, or a trigger for one that does not wait.
    #[error("the order has no such price")]
    NoSuchPrice,
}

/// Why an order is done before it is filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CancelReason {
    /// Its owner asked for it.
    Requested,
    /// An order that does not rest (market, IOC, FOK) found no more to trade with.
    Unfilled,
    /// It met an order of the same owner.
    SelfTrade,
    /// It could only have made the owner's position larger.
    ReduceOnly,
    /// A stop that is post-only would have traded at once when it was triggered.
    PostOnly,
    /// It was replaced by one that is no larger than what is filled.
    Replaced,
    /// Its level would hold more than a number can say.
    Overflow,
}

/// Why an order got smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReduceReason {
    /// It met an order of the same owner under [`crate::SelfTrade::Decrement`].
    SelfTrade,
    /// It is reduce-only, and the position is smaller.
    ReduceOnly,
}

/// Who is told. A `Vec` that is cleared and reused is one, a closure another.
pub trait Sink {
    /// Takes the next event.
    fn event(&mut self, event: Event);
}

impl Sink for Vec<Event> {
    #[inline]
    fn event(&mut self, event: Event) {
        self.push(event);
    }
}

impl<F: FnMut(Event)> Sink for F {
    #[inline]
    fn event(&mut self, event: Event) {
        self(event);
    }
}
