//! Orders of earlier sessions at a venue that remembers them: they are this session's to cancel, and what is filled of them until then is its own.

use tickpath_protocol::trading::{Action, ClientOrderId, OrderKind, Reason, TradingEvent};

use super::recovery::{OpenOrder, Recovered, RecoveryProblem};
use super::{Desk, Engine};
use crate::market::InstrumentIndex;
use crate::order::{Order, OrderState, OrderType};
use crate::units::{Price, Quantity};
use crate::venue::ExecutionVenue;

impl<V: ExecutionVenue> Engine<V> {
    /// Takes an order over and asks the venue to cancel it. Until the venue says what became of it, it counts against every limit.
    pub(super) fn adopt(
        &mut self,
        recovered: &Recovered,
        id: ClientOrderId,
        open: &OpenOrder,
    ) -> Result<(), RecoveryProblem> {
        let order = self.order_of(recovered, id, open);
        match &order {
            Ok(order) => self.desk.take_over(*order),
            // Nobody here can answer for its fills, so the engine starts halted; the venue is to cancel it all the same.
            Err(_) => self.desk.write_cancel_of(open),
        }
        order.map(|_| ())
    }

    /// Keeps what ended, so that a gateway which was asked about it before, and answers now, tells nothing new.
    pub(super) fn remember_ended(&mut self, recovered: &Recovered) {
        for (id, ended) in &recovered.closed {
            // One whose strategy or instrument is gone: a fill of it halts, as of any order that nobody here can answer for.
            if let Ok(mut order) = self.order_of(recovered, *id, ended) {
                order.state = if ended.is_done() {
                    OrderState::Filled
                } else {
                    OrderState::Canceled
                };
                self.desk.orders_mut().remember(order);
            }
        }
    }

    /// An order of an earlier session as this one has it.
    fn order_of(&self, recovered: &Recovered, id: ClientOrderId, open: &OpenOrder) -> Result<Order, RecoveryProblem> {
        let submitted = &open.submitted;
        let (strategy, instrument) = (submitted.detail.strategy(), submitted.instrument);
        let then = recovered.strategies.get(&strategy);
        let runner = self.runners.get(usize::from(strategy));
        if !runner.is_some_and(|runner| then.is_none_or(|key| *key == runner.key)) {
            return Err(RecoveryProblem::OtherStrategy { strategy });
        }
        let index = self.desk.market().index(instrument);
        let index = index.ok_or(RecoveryProblem::UnknownInstrument { strategy, instrument })?;
        order_of(id, index, open).ok_or(RecoveryProblem::Damaged { missing: 0, broken: 1 })
    }
}

/// The order as it stood when its session ended; `None` if its records contradict each other.
fn order_of(id: ClientOrderId, index: InstrumentIndex, open: &OpenOrder) -> Option<Order> {
    let event = &open.submitted;
    let Action::Submitted { trigger } = event.action else {
        return None;
    };
    let price = Price(event.price);
    let kind = match (event.detail.kind()?, trigger.map(Price)) {
        (OrderKind::Market, None) => OrderType::Market,
        (OrderKind::Limit, None) => OrderType::Limit { price },
        (OrderKind::Stop, Some(trigger)) => OrderType::Stop { trigger },
        (OrderKind::StopLimit, Some(trigger)) => OrderType::StopLimit { trigger, price },
        _ => return None,
    };
    Some(Order {
        id,
        strategy: event.detail.strategy(),
        instrument: event.instrument,
        index,
        side: event.side?,
        kind,
        quantity: Quantity(open.quantity),
        filled: Quantity(open.filled),
        time_in_force: event.detail.time_in_force()?,
        post_only: event.detail.is_post_only(),
        reduce_only: event.detail.is_reduce_only(),
        state: OrderState::Open,
        submitted: crate::units::Time(event.ts_event),
        acknowledged: false,
        replacing: None,
        cancel_reason: None,
    })
}

impl Desk {
    fn take_over(&mut self, order: Order) {
        self.orders_mut().insert(order);
        self.cancel_because(order.id, Reason::Restart);
    }

    fn write_cancel_of(&mut self, order: &OpenOrder) {
        self.write(&TradingEvent {
            action: Action::CancelSubmitted,
            size: order.quantity.saturating_sub(order.filled),
            detail: order.submitted.detail.with_reason(Reason::Restart),
            ts_event: self.now().0,
            ts_recv: self.now().0,
            ..order.submitted
        });
    }
}
