//! What the engine writes.

use tickpath_protocol::trading::{Action, ClientOrderId, OrderDetail, Reason, TradingEvent};
use tickpath_protocol::{InstrumentId, Record, Side, StatusCode};

use super::{BREACHES_PER_SECOND_MAX, Desk};
use crate::engine::OpenOrder;
use crate::order::Order;
use crate::risk::Breach;

impl Desk {
    /// Writes a status record of the engine.
    pub(in crate::engine) fn status(&mut self, code: StatusCode, price: i64, size: i64) {
        self.write_record(code.record(self.venue, InstrumentId::NONE, self.now.0, price, size));
    }

    /// Writes a record under the next sequence.
    pub(in crate::engine) fn write_record(&mut self, record: Record) {
        self.sequence += 1;
        self.records.push(Record {
            sequence: self.sequence,
            ..record
        });
    }

    /// Writes an event about an order.
    pub(in crate::engine) fn say(&mut self, action: Action, order: &Order, price: i64, size: i64, detail: OrderDetail) {
        let event = TradingEvent {
            action,
            venue: self.venue,
            instrument: order.instrument,
            scale: self.market.at(order.index).instrument().scale,
            side: Some(order.side),
            price,
            size,
            order: order.id,
            detail,
            ts_event: self.now.0,
            ts_recv: self.now.0,
        };
        self.write(&event);
    }

    /// What rested at a venue that forgets is gone.
    pub(in crate::engine) fn write_canceled_at_restart(&mut self, order: &OpenOrder) {
        let left = order.quantity.saturating_sub(order.filled);
        self.write(&TradingEvent {
            action: Action::Canceled,
            size: left,
            detail: order.submitted.detail.with_reason(Reason::Restart),
            ts_event: self.now.0,
            ts_recv: self.now.0,
            ..order.submitted
        });
    }

    /// Writes a breach, unless there were too many this second.
    pub(in crate::engine) fn breach(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        side: Option<Side>,
        order: ClientOrderId,
        breach: Breach,
    ) -> Breach {
        let second = self.now.0.div_euclid(1_000_000_000);
        let count = &mut self.breaches[usize::from(strategy)];
        count.total += 1;
        if count.second != second {
            (count.second, count.written) = (second, 0);
        }
        count.written += 1;
        if count.written <= BREACHES_PER_SECOND_MAX {
            self.write_breach(strategy, instrument, side, order, &breach);
        }
        breach
    }

    pub(in crate::engine) fn write_breach(
        &mut self,
        strategy: u16,
        instrument: InstrumentId,
        side: Option<Side>,
        order: ClientOrderId,
        breach: &Breach,
    ) {
        self.write(&TradingEvent {
            action: Action::RiskBreach,
            venue: self.venue,
            instrument,
            scale: breach.scale,
            side,
            price: breach.observed,
            size: breach.limit,
            order,
            detail: OrderDetail::of_strategy(strategy).with_reason(breach.reason),
            ts_event: self.now.0,
            ts_recv: self.now.0,
        });
    }

    pub(in crate::engine) fn write(&mut self, event: &TradingEvent) {
        event.encode(|record| self.write_record(record));
    }
}
