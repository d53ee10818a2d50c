//! One order as its events tell of it.

use std::sync::Arc;

use tickpath_protocol::trading::{Action, ClientOrderId, Reason, TradingEvent};

use crate::event::Stamp;

/// Where an order stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// On its way to the venue.
    Submitted,
    /// At the venue.
    Open,
    /// At the venue, and a cancel on its way there.
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
    /// Every state, in the order of an order's life.
    pub const ALL: [OrderState; 7] = [
        OrderState::Submitted,
        OrderState::Open,
        OrderState::PendingCancel,
        OrderState::PendingReplace,
        OrderState::Filled,
        OrderState::Canceled,
        OrderState::Rejected,
    ];

    /// The name in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            OrderState::Submitted => "submitted",
            OrderState::Open => "open",
            OrderState::PendingCancel => "pending_cancel",
            OrderState::PendingReplace => "pending_replace",
            OrderState::Filled => "filled",
            OrderState::Canceled => "canceled",
            OrderState::Rejected => "rejected",
        }
    }

    /// Whether nothing more is to come of the order.
    #[must_use]
    pub fn is_closed(self) -> bool {
        matches!(self, OrderState::Filled | OrderState::Canceled | OrderState::Rejected)
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Order {
    /// `"venue":…,"symbol":…` of its market.
    pub subject: Arc<str>,
    /// Its newest event; price, terms and decimals of the order are there.
    pub event: TradingEvent,
    /// The name of that event's first record.
    pub cause: &'static str,
    /// Where it stands.
    pub state: OrderState,
    /// Its limit, or `ABSENT`.
    pub price: i64,
    /// Of a stop order: what triggers it.
    pub trigger: Option<i64>,
    /// How much in all.
    pub quantity: i64,
    /// How much of it is left.
    pub leaves: i64,
    /// Why it was refused or canceled.
    pub reason: Option<Reason>,
    /// When its newest event was.
    pub stamp: Stamp,
}

impl Order {
    /// An order of which `event` is the first that is known: what came before was missed, or this is its submission.
    #[must_use]
    pub fn new(subject: Arc<str>, event: &TradingEvent, stamp: Stamp) -> Order {
        let known = match event.action {
            Action::Fill { leaves, .. } => event.size.saturating_add(leaves),
            _ => event.size,
        };
        let mut order = Order {
            subject,
            event: *event,
            cause: "",
            state: OrderState::Open,
            price: event.price,
            trigger: None,
            quantity: known,
            leaves: known,
            reason: None,
            stamp,
        };
        order.apply(event, stamp);
        order
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> ClientOrderId {
        self.event.order
    }

    /// Takes an event of this order. What refuses a request leaves the order as it was.
    pub fn apply(&mut self, event: &TradingEvent, stamp: Stamp) {
        self.reason = event.detail.reason();
        match event.action {
            Action::Signal | Action::RiskBreach => return,
            Action::Submitted { trigger } => {
                (self.price, self.trigger) = (event.price, trigger);
                (self.quantity, self.leaves) = (event.size, event.size);
                self.state = OrderState::Submitted;
            }
            Action::Accepted => (self.state, self.leaves) = (OrderState::Open, event.size),
            Action::Rejected if self.reason.is_some_and(Reason::is_of_request) => self.state = OrderState::Open,
            Action::Rejected => self.state = OrderState::Rejected,
            Action::Canceled => (self.state, self.leaves) = (OrderState::Canceled, event.size),
            Action::Fill { leaves, .. } => {
                self.leaves = leaves;
                match self.state {
                    _ if leaves <= 0 => self.state = OrderState::Filled,
                    OrderState::Submitted => self.state = OrderState::Open,
                    _ => {}
                }
            }
            Action::Replaced => {
                let filled = self.quantity.saturating_sub(self.leaves);
                self.quantity = filled.saturating_add(event.size);
                (self.price, self.leaves, self.state) = (event.price, event.size, OrderState::Open);
            }
            Action::CancelSubmitted => self.state = OrderState::PendingCancel,
            Action::ReplaceSubmitted { .. } => self.state = OrderState::PendingReplace,
        }
        self.event = *event;
        self.cause = event.action.kind().name();
        self.stamp = stamp;
    }
}
