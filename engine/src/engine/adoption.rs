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
        let submitted = &open.submitted;
        let (strategy, instrument) = (submitted.detail.strategy(), submitted.instrument);
        let then = recovered.strategies.get(&strategy);
        let runner = self.runners.get(usize::from(strategy));
        let is_same = runner.is_some_and(|runner| then.is_none_or(|key| *key == runner.key));
        let index = self.desk.market().index(instrument);
        let problem = match (is_same, index) {
            (false, _) => RecoveryProblem::OtherStrategy { strategy },
            (true, None) => RecoveryProblem::UnknownInstrument { strategy, instrument },
            (true, Some(index)) => match order_of(id, index, open) {
                Some(order) => {
                    self.desk.take_over(order);
                    return Ok(());
                }
                None => RecoveryProblem::Damaged { missing: 0, broken: 1 },
            },
        };
        // Nobody here can answer for its fills, so the engine starts halted; the venue is to cancel it all the same.
        self.desk.write_cancel_of(open);
        Err(problem)
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
