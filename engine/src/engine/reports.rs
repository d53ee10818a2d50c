//! What the venue says, and what positions come to: orders, portfolio and limits follow, then the strategies are told.

use tickpath_protocol::trading::{Action, ClientOrderId, Reason};

use super::Engine;
use super::call::call;
use super::desk::Desk;
use crate::order::{Fill, Illegal, Order, OrderEvent, OrderUpdate, Terms, Transition};
use crate::venue::{Execution, ExecutionVenue, Report};

impl<V: ExecutionVenue> Engine<V> {
    /// A report that cannot be halts everything: the engine's picture of its orders is wrong then, and no position is guessed.
    pub(super) fn on_report(&mut self, report: &Report) {
        let result = match *report {
            Report::Filled(execution) => self.on_filled(&execution),
            Report::Accepted { id } => self.on_update(id, OrderEvent::Accepted, Order::on_accepted),
            Report::Rejected { id, reason } => self.on_update(id, OrderEvent::Rejected(reason), Order::on_rejected),
            Report::Canceled { id, reason, filled } => {
                self.on_update(id, OrderEvent::Canceled(reason), |o| o.on_canceled(filled))
            }
            Report::CancelRefused { id } => {
                self.on_update(id, OrderEvent::CancelRefused, |o| Ok(o.on_cancel_refused()))
            }
            Report::ReplaceRefused { id } => {
                self.on_update(id, OrderEvent::ReplaceRefused, |o| Ok(o.on_replace_refused()))
            }
            Report::Replaced { id, terms } => self.on_replaced(id, terms),
            Report::Lost => return self.on_lost(),
        };
        if result.is_err() {
            self.desk.halt(Reason::Inconsistent, report.id());
        }
        self.desk.orders_mut().settle(report.id());
    }

    /// What rests is not known any more. A cancel of each order that says so makes the venue tell the whole of it again, however it ended.
    fn on_lost(&mut self) {
        if self.desk.orders().open().is_empty() {
            return;
        }
        if self.desk.gate().halted().is_some() {
            self.desk.cancel_all(Reason::Inconsistent, |_| true);
        } else {
            self.desk.halt(Reason::Inconsistent, ClientOrderId::NONE);
        }
    }

    fn on_replaced(&mut self, id: ClientOrderId, terms: Terms) -> Result<(), Illegal> {
        self.on_update(id, OrderEvent::Replaced, |order| order.on_replaced(terms))
    }

    fn on_update(
        &mut self,
        id: ClientOrderId,
        event: OrderEvent,
        apply: impl FnOnce(&mut Order) -> Result<Transition, Illegal>,
    ) -> Result<(), Illegal> {
        let Some(order) = self.desk.orders_mut().get_mut(id) else {
            // The end of an order of an earlier session, said again, changes nothing; a fill would.
            let is_of_now = id.session() == self.desk.session();
            return if is_of_now { Err(unknown_order()) } else { Ok(()) };
        };
        if apply(order)? == Transition::Ignored {
            return Ok(());
        }
        let order = *order;
        let event = match event {
            OrderEvent::Canceled(Reason::Requested) => {
                OrderEvent::Canceled(order.cancel_reason.unwrap_or(Reason::Requested))
            }
            event => event,
        };
        self.desk.say_update(&order, event);
        let update = OrderUpdate {
            order,
            event,
            time: self.desk.now(),
        };
        let runner = &mut self.runners[usize::from(order.strategy)];
        if runner.state.listens() {
            call((runner, &mut self.desk, &mut self.panics), order.strategy, |to, ctx| {
                to.on_order(ctx, &update);
            });
        }
        Ok(())
    }

    fn on_filled(&mut self, execution: &Execution) -> Result<(), Illegal> {
        let Some(order) = self.desk.orders_mut().get_mut(execution.id) else {
            return Err(unknown_order());
        };
        if order.on_filled(execution.quantity, execution.cumulative)? == Transition::Ignored {
            return Ok(());
        }
        let order = *order;
        if !self.desk.book_fill(&order, execution) {
            return Ok(());
        }
        let fill = Fill {
            order: order.id,
            instrument: order.instrument,
            side: order.side,
            price: execution.price,
            quantity: execution.quantity,
            fee: execution.fee,
            liquidity: execution.liquidity,
            leaves: order.unfilled(),
            time: self.desk.now(),
        };
        let runner = &mut self.runners[usize::from(order.strategy)];
        if runner.state.listens() {
            call((runner, &mut self.desk, &mut self.panics), order.strategy, |to, ctx| {
                to.on_fill(ctx, &fill);
            });
        }
        Ok(())
    }
}

fn unknown_order() -> Illegal {
    Illegal {
        report: "news of an order that was never sent",
        state: crate::order::OrderState::Rejected,
    }
}

impl Desk {
    /// Writes what became of an order.
    fn say_update(&mut self, order: &Order, event: OrderEvent) {
        let detail = order.detail();
        let (action, size, detail) = match event {
            OrderEvent::Accepted => (Action::Accepted, order.leaves().0, detail),
            OrderEvent::Replaced => (Action::Replaced, order.leaves().0, detail),
            OrderEvent::Rejected(reason) => (Action::Rejected, 0, detail.with_reason(reason)),
            OrderEvent::Canceled(reason) => (Action::Canceled, order.unfilled().0, detail.with_reason(reason)),
            OrderEvent::CancelRefused => (
                Action::Rejected,
                order.leaves().0,
                detail.with_reason(Reason::CancelRefused),
            ),
            OrderEvent::ReplaceRefused => (
                Action::Rejected,
                order.leaves().0,
                detail.with_reason(Reason::ReplaceRefused),
            ),
        };
        self.say(action, order, order.record_price(), size, detail);
    }

    /// Books a fill, writes it, and looks at the limits. `false` if it does not fit, and trading is halted.
    fn book_fill(&mut self, order: &Order, execution: &Execution) -> bool {
        let Execution {
            price, quantity, fee, ..
        } = *execution;
        let fill = Action::Fill {
            fee: fee.0,
            leaves: order.unfilled().0,
        };
        let detail = order.detail().with_liquidity(execution.liquidity);
        self.say(fill, order, price.0, quantity.0, detail);
        let (strategy, index, side) = (order.strategy, order.index, order.side);
        // A day, or a first trade, is measured from what there was before it.
        self.check_equity(index);
        if self
            .portfolio_mut()
            .book(strategy, index, side, price, quantity, fee)
            .is_err()
        {
            self.halt(Reason::Overflow, order.id);
            return false;
        }
        self.watch(index);
        true
    }
}
