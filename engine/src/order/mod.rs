//! Orders: what a strategy asks for, what becomes of it, and the table of all that are open.

mod state;
mod table;
#[cfg(test)]
mod tests;

pub use state::{Illegal, Transition};
pub use table::{ORDERS_CLOSED_MAX, ORDERS_OPEN_MAX, OrderTable};
pub use tickpath_protocol::trading::{ClientOrderId, Liquidity, OrderKind, Reason, TimeInForce};
use tickpath_protocol::trading::{MONEY_DECIMALS, OrderDetail};
use tickpath_protocol::{InstrumentId, Record, Side};

use crate::market::InstrumentIndex;
use crate::units::{Money, Price, Quantity, Time};

const _: () = assert!(MONEY_DECIMALS == 8, "Money says so");

/// The type of an order, with the prices that it needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderType {
    /// At whatever price there is.
    Market,
    /// At this price or better.
    Limit {
        /// The limit.
        price: Price,
    },
    /// A market order once the market reaches the trigger.
    Stop {
        /// A buy waits for this price or a higher one, a sale for this or a lower one.
        trigger: Price,
    },
    /// A limit order once the market reaches the trigger.
    StopLimit {
        /// As of a stop order.
        trigger: Price,
        /// The limit.
        price: Price,
    },
}

impl OrderType {
    /// The limit price.
    #[must_use]
    pub fn price(self) -> Option<Price> {
        match self {
            OrderType::Limit { price } | OrderType::StopLimit { price, .. } => Some(price),
            OrderType::Market | OrderType::Stop { .. } => None,
        }
    }

    /// The price that triggers it.
    #[must_use]
    pub fn trigger(self) -> Option<Price> {
        match self {
            OrderType::Stop { trigger } | OrderType::StopLimit { trigger, .. } => Some(trigger),
            OrderType::Market | OrderType::Limit { .. } => None,
        }
    }

    /// As records say it.
    #[must_use]
    pub fn kind(self) -> OrderKind {
        match self {
            OrderType::Market => OrderKind::Market,
            OrderType::Limit { .. } => OrderKind::Limit,
            OrderType::Stop { .. } => OrderKind::Stop,
            OrderType::StopLimit { .. } => OrderKind::StopLimit,
        }
    }

    /// The same type with another limit price; market orders have none to change.
    #[must_use]
    pub fn with_price(self, new: Price) -> OrderType {
        match self {
            OrderType::Limit { .. } => OrderType::Limit { price: new },
            OrderType::StopLimit { trigger, .. } => OrderType::StopLimit { trigger, price: new },
            other => other,
        }
    }
}

/// What a strategy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderRequest {
    /// Of what.
    pub instrument: InstrumentId,
    /// Bid: buy; ask: sell.
    pub side: Side,
    /// Type and prices.
    pub kind: OrderType,
    /// How much, above zero.
    pub quantity: Quantity,
    /// How long it waits.
    pub time_in_force: TimeInForce,
    /// Refused rather than take.
    pub post_only: bool,
    /// Never opens or enlarges a position.
    pub reduce_only: bool,
}

impl OrderRequest {
    /// A market order.
    #[must_use]
    pub fn market(instrument: InstrumentId, side: Side, quantity: Quantity) -> OrderRequest {
        OrderRequest {
            instrument,
            side,
            kind: OrderType::Market,
            quantity,
            time_in_force: TimeInForce::Ioc,
            post_only: false,
            reduce_only: false,
        }
    }

    /// A limit order that waits until it is filled or canceled.
    #[must_use]
    pub fn limit(instrument: InstrumentId, side: Side, price: Price, quantity: Quantity) -> OrderRequest {
        OrderRequest {
            kind: OrderType::Limit { price },
            time_in_force: TimeInForce::Gtc,
            ..OrderRequest::market(instrument, side, quantity)
        }
    }
}

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderState {
    /// On its way to the venue.
    Submitted,
    /// At the venue.
    Open,
    /// At the venue, or on its way there, and a cancel after it.
    PendingCancel,
    /// At the venue, and a replacement on its way there.
    PendingReplace,
    /// Filled whole.
    Filled,
    /// Canceled, filled in part perhaps.
    Canceled,
    /// Refused by the venue.
    Rejected,
}

impl OrderState {
    /// Whether nothing more is to come but what crosses on the way.
    #[must_use]
    pub fn is_closed(self) -> bool {
        matches!(self, OrderState::Filled | OrderState::Canceled | OrderState::Rejected)
    }
}

/// An order and what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    /// Its name.
    pub id: ClientOrderId,
    /// Whose it is.
    pub strategy: u16,
    /// Of what.
    pub instrument: InstrumentId,
    /// Where the instrument stands in the engine.
    pub index: InstrumentIndex,
    /// Bid: buy; ask: sell.
    pub side: Side,
    /// Type and prices.
    pub kind: OrderType,
    /// How much in all.
    pub quantity: Quantity,
    /// How much of it is filled.
    pub filled: Quantity,
    /// How long it waits.
    pub time_in_force: TimeInForce,
    /// Refused rather than take.
    pub post_only: bool,
    /// Never opens or enlarges a position.
    pub reduce_only: bool,
    /// Where it stands.
    pub state: OrderState,
    /// When it left the engine.
    pub submitted: Time,
    /// The venue has said that it has the order.
    pub acknowledged: bool,
    /// New price and quantity, while a replacement is under way.
    pub replacing: Option<Terms>,
    /// Why the engine asked for a cancel, if it did.
    pub cancel_reason: Option<Reason>,
}

/// What a replacement may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Type and prices.
    pub kind: OrderType,
    /// How much in all, what is filled included.
    pub quantity: Quantity,
}

/// A change of an open order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Replacement {
    /// Of which order.
    pub id: ClientOrderId,
    /// Of which instrument.
    pub index: InstrumentIndex,
    /// What it is to become.
    pub terms: Terms,
}

impl Order {
    /// The order of a request.
    #[must_use]
    pub fn new(id: ClientOrderId, strategy: u16, index: InstrumentIndex, request: &OrderRequest, now: Time) -> Order {
        Order {
            id,
            strategy,
            instrument: request.instrument,
            index,
            side: request.side,
            kind: request.kind,
            quantity: request.quantity,
            filled: Quantity(0),
            time_in_force: request.time_in_force,
            post_only: request.post_only,
            reduce_only: request.reduce_only,
            state: OrderState::Submitted,
            submitted: now,
            acknowledged: false,
            replacing: None,
            cancel_reason: None,
        }
    }

    /// Whether the venue was asked to tell the whole of it again ([`Reason::asks_for_account`]).
    #[must_use]
    pub fn awaits_account(&self) -> bool {
        self.cancel_reason.is_some_and(Reason::asks_for_account)
    }

    /// What is left to be filled; 0 once it is closed.
    #[must_use]
    pub fn leaves(&self) -> Quantity {
        if self.state.is_closed() {
            return Quantity(0);
        }
        self.unfilled()
    }

    /// What was not filled of the quantity that is known, whether or not it still can be; 0 too where a replacement that nobody confirmed yet let more be filled.
    #[must_use]
    pub fn unfilled(&self) -> Quantity {
        Quantity((self.quantity.0 - self.filled.0).max(0))
    }

    /// The most that may still be filled, whatever crosses on the way.
    #[must_use]
    pub fn leaves_max(&self) -> Quantity {
        let most = self
            .replacing
            .map_or(self.quantity, |terms| terms.quantity.max(self.quantity));
        if self.state.is_closed() {
            return Quantity(0);
        }
        Quantity(most.0 - self.filled.0)
    }

    /// Its terms and its strategy, as records say them.
    #[must_use]
    pub fn detail(&self) -> OrderDetail {
        OrderDetail::of_strategy(self.strategy).with_terms(
            self.kind.kind(),
            self.time_in_force,
            self.post_only,
            self.reduce_only,
        )
    }

    /// The limit price as records say it.
    #[must_use]
    pub fn record_price(&self) -> i64 {
        self.kind.price().map_or(Record::ABSENT, |price| price.0)
    }
}

/// A fill of an order of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// Of which order.
    pub order: ClientOrderId,
    /// Of what.
    pub instrument: InstrumentId,
    /// Bid: we bought; ask: we sold.
    pub side: Side,
    /// At which price.
    pub price: Price,
    /// How much.
    pub quantity: Quantity,
    /// What it cost in quote currency; negative: a rebate.
    pub fee: Money,
    /// Which side of the trade we were.
    pub liquidity: Liquidity,
    /// What is left of the order.
    pub leaves: Quantity,
    /// When we learned of it.
    pub time: Time,
}

/// News of an order, fills aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OrderUpdate {
    /// The order after it.
    pub order: Order,
    /// What happened.
    pub event: OrderEvent,
    /// When we learned of it.
    pub time: Time,
}

/// What can happen to an order, fills aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderEvent {
    /// The venue has it.
    Accepted,
    /// The venue refused it.
    Rejected(Reason),
    /// It rests no more.
    Canceled(Reason),
    /// Its new terms hold.
    Replaced,
    /// The cancel came too late.
    CancelRefused,
    /// The replacement came too late or made no sense.
    ReplaceRefused,
}
