//! Limits that the market reaches, and what follows from them.

use tickpath_protocol::trading::{ClientOrderId, OrderKind, Reason};
use tickpath_protocol::{Record, Side, StatusCode};

use super::Desk;
use crate::market::InstrumentIndex;
use crate::order::{Order, OrderRequest};
use crate::risk::{Breach, Permission, Protection, Stop};
use crate::units::Quantity;

/// The strategy index in a record that concerns all of them.
const ALL_STRATEGIES: u16 = u16::MAX;

/// How often open orders are held against the age of their data.
const GUARD_PERIOD_NS: i64 = 1_000_000_000;

impl Desk {
    /// Cancels what rests in a market that is not proven any more, or has been silent for too long. What only reduces a position stays: it may be all that protects it.
    #[cold]
    pub(in crate::engine) fn guard(&mut self) {
        self.next_guard = self.now.plus_ns(GUARD_PERIOD_NS);
        for at in 0..self.orders.open().len() {
            let order = self.orders.open()[at];
            let view = self.market.at(order.index);
            let age_ns = self.now.since_ns(view.updated());
            let reason = match view.is_trusted() {
                _ if order.reduce_only => continue,
                false => Reason::UntrustedData,
                true if age_ns > self.gate.data_age_ns_max(order.strategy) => Reason::StaleData,
                true => continue,
            };
            self.cancel_because(order.id, reason);
        }
    }

    /// Stops all trading: nothing leaves but cancels.
    pub(in crate::engine) fn halt(&mut self, reason: Reason, order: ClientOrderId) {
        if self.gate().halted().is_some() {
            return;
        }
        self.gate_mut().halt(reason);
        self.status(StatusCode::TradingHalted, reason as i64, Record::ABSENT);
        if let Some(order) = self.orders().get(order).copied() {
            self.breach(
                order.strategy,
                order.instrument,
                Some(order.side),
                order.id,
                Breach::of(reason),
            );
        }
        self.cancel_all(reason, |_| true);
    }

    /// Values the positions in an instrument and acts on the limits that they reach.
    #[cold]
    pub(in crate::engine) fn watch(&mut self, index: InstrumentIndex) {
        if self.revalue(index).is_err() {
            self.halt(Reason::Overflow, ClientOrderId::NONE);
            return;
        }
        self.check_equity(index);
        for strategy in 0..self.strategy_count() {
            if self.gate().protects(strategy) {
                self.protect(strategy, index);
            }
        }
    }

    /// Looks at what every account has come to, in the currency of an instrument.
    pub(in crate::engine) fn check_equity(&mut self, index: InstrumentIndex) {
        let now = self.now();
        let currency = self.portfolio().currency(index);
        for strategy in 0..self.strategy_count() {
            let equity = self.portfolio().strategy(strategy).equity(currency);
            if let Some(stop) = self.gate_mut().on_equity(Some(strategy), currency, equity, now) {
                self.reduce_only(&stop, index);
            }
        }
        let equity = self.portfolio().total().equity(currency);
        if let Some(stop) = self.gate_mut().on_equity(None, currency, equity, now) {
            self.reduce_only(&stop, index);
        }
    }

    /// A limit on the equity was reached: what would add to a position goes, and no more of it comes.
    fn reduce_only(&mut self, stop: &Stop, index: InstrumentIndex) {
        let breach = stop.breach;
        let who = stop.strategy.map_or(Record::ABSENT, i64::from);
        self.status(StatusCode::ReduceOnly, breach.reason as i64, who);
        let instrument = self.market().at(index).instrument().id;
        self.write_breach(
            stop.strategy.unwrap_or(ALL_STRATEGIES),
            instrument,
            None,
            ClientOrderId::NONE,
            &breach,
        );
        self.cancel_all(Reason::RiskStop, |order| {
            !order.reduce_only && stop.strategy.is_none_or(|strategy| order.strategy == strategy)
        });
    }

    /// Closes a position that has reached its stop-loss or take-profit, once nothing else of the strategy is about to reduce it.
    fn protect(&mut self, strategy: u16, index: InstrumentIndex) {
        let position = *self.portfolio().strategy(strategy).position(index);
        let held = position.quantity();
        let Some(mark) = self.market().at(index).mark(held).filter(|_| held.0 != 0) else {
            return;
        };
        let Some(Protection { breach }) = self.gate().protection(strategy, &position, mark) else {
            return;
        };
        if matches!(self.gate().permission(strategy), Permission::Nothing(_)) {
            return;
        }
        let reducing = self
            .orders()
            .of_strategy(strategy)
            .filter(|order| order.index == index && order.reduce_only);
        let closing = |order: &Order| order.kind.kind() == OrderKind::Market;
        let found = reducing.fold(None, |found: Option<bool>, order| {
            Some(found.unwrap_or(false) || closing(order))
        });
        if found == Some(true) {
            return;
        }
        if found.is_some() {
            // They count against what may be reduced until the venue has let go of them.
            self.cancel_all(breach.reason, |order| {
                order.strategy == strategy && order.index == index
            });
            return;
        }
        let instrument = self.market().at(index).instrument().id;
        let side = if held.0 > 0 { Side::Ask } else { Side::Bid };
        self.breach(strategy, instrument, Some(side), ClientOrderId::NONE, breach);
        self.cancel_all(breach.reason, |order| {
            order.strategy == strategy && order.index == index
        });
        let mut request = OrderRequest::market(instrument, side, Quantity(held.0.saturating_abs()));
        request.reduce_only = true;
        // Held back, it is a breach of its own, on record; the next change of the best bid or offer tries again.
        self.submit(strategy, &request).ok();
    }
}
