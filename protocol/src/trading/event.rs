//! A trading event, and the records that say it.

use super::{ClientOrderId, MONEY_DECIMALS, OrderDetail};
use crate::instrument::{InstrumentId, Scale};
use crate::record::{Flags, Kind, Record, Side};
use crate::venue::Venue;

/// What happened. `price` and `size` of the [`TradingEvent`] mean what is said here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// A strategy's signal; price: reference, size: target or strength.
    Signal,
    /// An order left the engine; price: limit, size: quantity.
    Submitted {
        /// Of a stop order: the price that triggers it.
        trigger: Option<i64>,
    },
    /// The venue took the order; price: limit, size: leaves quantity.
    Accepted,
    /// The venue refused the order, or a request about it; price: limit, size: leaves quantity.
    Rejected,
    /// The order rests no more; price: limit, size: what was left of it.
    Canceled,
    /// The order was filled; price and size: of this fill.
    Fill {
        /// In quote currency at [`MONEY_DECIMALS`]; negative: a rebate.
        fee: i64,
        /// What is left of the order.
        leaves: i64,
    },
    /// The gate held an order back, or a limit was reached; price: what was observed, size: the limit.
    RiskBreach,
    /// The venue took a new price or quantity; price: limit, size: leaves quantity.
    Replaced,
    /// A cancel left the engine; price: limit, size: leaves quantity.
    CancelSubmitted,
    /// A replacement left the engine; price: new limit, size: new quantity of the whole order.
    ReplaceSubmitted {
        /// Of a stop order: the new price that triggers it.
        trigger: Option<i64>,
    },
}

impl Action {
    /// The kind of the event's first record.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Action::Signal => Kind::Signal,
            Action::Submitted { .. } => Kind::OrderSubmitted,
            Action::Accepted => Kind::OrderAccepted,
            Action::Rejected => Kind::OrderRejected,
            Action::Canceled => Kind::OrderCanceled,
            Action::Fill { .. } => Kind::Fill,
            Action::RiskBreach => Kind::RiskBreach,
            Action::Replaced => Kind::OrderReplaced,
            Action::CancelSubmitted => Kind::CancelSubmitted,
            Action::ReplaceSubmitted { .. } => Kind::ReplaceSubmitted,
        }
    }

    /// The action that a first record of this kind opens; `None` if none does. What other records of the event say is not in it yet.
    pub(super) fn opened_by(kind: Kind) -> Option<Action> {
        Some(match kind {
            Kind::Signal => Action::Signal,
            Kind::OrderSubmitted => Action::Submitted { trigger: None },
            Kind::OrderAccepted => Action::Accepted,
            Kind::OrderRejected => Action::Rejected,
            Kind::OrderCanceled => Action::Canceled,
            Kind::Fill => Action::Fill { fee: 0, leaves: 0 },
            Kind::RiskBreach => Action::RiskBreach,
            Kind::OrderReplaced => Action::Replaced,
            Kind::CancelSubmitted => Action::CancelSubmitted,
            Kind::ReplaceSubmitted => Action::ReplaceSubmitted { trigger: None },
            _ => return None,
        })
    }
}

/// One trading event: two or three records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradingEvent {
    /// What happened.
    pub action: Action,
    /// The execution venue, whose code the engine publishes under.
    pub venue: Venue,
    /// The market's own instrument.
    pub instrument: InstrumentId,
    /// Decimals of `price` and `size`; the instrument's, but for a breach.
    pub scale: Scale,
    /// Bid: buy; ask: sell.
    pub side: Option<Side>,
    /// As [`Action`] says; [`Record::ABSENT`] where there is none.
    pub price: i64,
    /// As [`Action`] says; [`Record::ABSENT`] where there is none.
    pub size: i64,
    /// Which order; [`ClientOrderId::NONE`] for none.
    pub order: ClientOrderId,
    /// Whose order, its terms, and why.
    pub detail: OrderDetail,
    /// The engine's logical time, ns since the Unix epoch: the receive time of the input that caused it.
    pub ts_event: i64,
    /// When it was published, ns since the Unix epoch; equals `ts_event` in a backtest.
    pub ts_recv: i64,
}

impl TradingEvent {
    /// Records that an event has at most.
    pub const RECORDS_MAX: usize = 3;

    /// Hands out the event's records in order; their sequence is the publisher's to set.
    pub fn encode(&self, mut out: impl FnMut(Record)) {
        let head = Record {
            kind: self.action.kind() as u8,
            venue: self.venue.0,
            flags: Flags::from(self.side).0,
            scale: self.scale.to_byte(),
            instrument: self.instrument.0,
            sequence: 0,
            ts_event: self.ts_event,
            ts_recv: self.ts_recv,
            price: self.price,
            size: self.size,
        };
        out(head);
        match self.action {
            Action::Submitted { trigger: Some(price) } | Action::ReplaceSubmitted { trigger: Some(price) } => {
                out(Record {
                    kind: Kind::TriggerPrice as u8,
                    price,
                    size: Record::ABSENT,
                    ..head
                });
            }
            Action::Fill { fee, leaves } => out(Record {
                kind: Kind::Fee as u8,
                scale: MONEY_DECIMALS << 4 | self.scale.size_decimals(),
                price: fee,
                size: leaves,
                ..head
            }),
            _ => {}
        }
        out(Record {
            kind: Kind::OrderRef as u8,
            flags: Flags::from(self.side).with(Flags::LAST).0,
            scale: 0,
            price: self.order.0 as i64,
            size: self.detail.0 as i64,
            ..head
        });
    }
}
