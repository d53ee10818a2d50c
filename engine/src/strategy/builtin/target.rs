//! How a strategy that wants to hold a position comes to hold it: one order at a time.

use tickpath_protocol::{InstrumentId, Side};

use crate::order::{ClientOrderId, Fill, Order, OrderRequest, OrderType, TimeInForce};
use crate::strategy::Context;
use crate::units::{Price, Quantity};

/// Brings the position of one instrument to a target by immediate-or-cancel orders at the best price of the other side, made worse by an allowance.
///
/// What an order could not get is tried for again with the next change of the market, because what it met there is exhausted. There is
/// never more than one order open; nothing is sent while the market is not trusted or does not trade; and after the risk gate refused an
/// order, nothing until [`Target::retry`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    instrument: InstrumentId,
    /// Ticks beyond the best price of the other side that an order may go.
    slippage_ticks: i64,
    /// `None`: whatever is held is left alone.
    wanted: Option<i64>,
    is_held_back: bool,
    /// The last order from here.
    sent: Option<ClientOrderId>,
}

impl Target {
    pub(super) fn new(instrument: InstrumentId, slippage_ticks: i64) -> Target {
        Target {
            instrument,
            slippage_ticks,
            wanted: None,
            is_held_back: false,
            sent: None,
        }
    }

    /// What is wanted, if anything was said.
    pub(super) fn wanted(&self) -> Option<Quantity> {
        self.wanted.map(Quantity)
    }

    /// Wants this position from now on; negative: short.
    pub(super) fn want(&mut self, quantity: Quantity) {
        self.wanted = Some(quantity.0);
        self.is_held_back = false;
    }

    /// A fill of an order that is not from here: the risk gate closes the position. What was wanted is given up then, for to buy again at
    /// once would undo the stop.
    pub(super) fn on_fill(&mut self, fill: &Fill) {
        if self.sent != Some(fill.order) {
            self.wanted = None;
        }
    }

    /// A new chance after a refusal of the risk gate.
    pub(super) fn retry(&mut self) {
        self.is_held_back = false;
    }

    /// Sends an order, if one is needed and possible.
    pub(super) fn pursue(&mut self, ctx: &mut Context<'_>) {
        let Some(wanted) = self.wanted.filter(|_| !self.is_held_back) else {
            return;
        };
        let held = ctx.position(self.instrument).quantity().0;
        let is_open = |order: &Order| order.instrument == self.instrument && !order.state.is_closed();
        if wanted == held || ctx.orders().any(is_open) {
            return;
        }
        if let Some(request) = self.request(ctx, held, wanted) {
            self.sent = ctx.submit(request).ok();
            self.is_held_back = self.sent.is_none();
        }
    }

    fn request(&self, ctx: &Context<'_>, held: i64, wanted: i64) -> Option<OrderRequest> {
        let view = ctx.market().get(self.instrument)?;
        if !view.is_trusted() || view.is_halted() {
            return None;
        }
        let (side, missing) = if wanted > held {
            (Side::Bid, wanted.checked_sub(held)?)
        } else {
            (Side::Ask, held.checked_sub(wanted)?)
        };
        let grid = view.grid();
        let quantity = missing - missing % grid.lot;
        let allowance = self.slippage_ticks.checked_mul(grid.tick)?;
        let best = view.best(side.opposite())?.price;
        let price = match side {
            Side::Bid => best.checked_add(allowance)?,
            Side::Ask => best.checked_sub(allowance)?,
        };
        let is_smaller_on_same_side =
            wanted.unsigned_abs() < held.unsigned_abs() && wanted.signum() * held.signum() >= 0;
        (quantity > 0 && price > 0).then_some(OrderRequest {
            instrument: self.instrument,
            side,
            kind: OrderType::Limit { price: Price(price) },
            quantity: Quantity(quantity),
            time_in_force: TimeInForce::Ioc,
            post_only: false,
            reduce_only: is_smaller_on_same_side,
        })
    }
}
