//! The gate itself: who may trade at all, and the approval that only it can give.

use tickpath_protocol::Instrument;
use tickpath_protocol::trading::Reason;

use super::rate::RateWindow;
use super::watch::Equity;
use super::{Breach, Limits, LimitsError, check};
use crate::market::{InstrumentView, MarketView};
use crate::order::{Order, OrderTable, Replacement, Terms};
use crate::portfolio::Portfolio;
use crate::units::{Quantity, Time};

/// Proof that the risk gate saw it. See [`crate::risk`].
#[derive(Debug)]
pub struct Approved<T> {
    inner: T,
}

impl<T> Approved<T> {
    fn new(inner: T) -> Approved<T> {
        Approved { inner }
    }

    /// What was approved.
    #[must_use]
    pub fn get(&self) -> &T {
        &self.inner
    }

    /// What was approved; the approval is used up.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.inner
    }
}

/// What the gate judges by.
pub struct Facts<'a> {
    /// The market.
    pub market: &'a MarketView,
    /// Positions and money.
    pub portfolio: &'a Portfolio,
    /// Every open order.
    pub orders: &'a OrderTable,
    /// The engine's time.
    pub now: Time,
}

/// How far somebody may trade.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Permission {
    /// Within the limits.
    #[default]
    All,
    /// Reduce-only orders alone.
    ReduceOnly(Reason),
    /// Nothing.
    Nothing(Reason),
}

/// Limits of sizes at an instrument's decimals.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub order_max: Quantity,
    pub position_max: Quantity,
}

/// One strategy, or all of them together.
#[derive(Debug)]
pub(super) struct Scope {
    pub limits: Limits,
    /// By instrument.
    pub sizes: Vec<Sizes>,
    pub rate: RateWindow,
    /// By a limit that was reached.
    pub stopped: Permission,
    /// By currency.
    pub equity: Vec<Equity>,
}

impl Scope {
    fn new(limits: Limits) -> Scope {
        Scope {
            limits,
            sizes: Vec::new(),
            rate: RateWindow::new(limits.orders_per_second_max),
            stopped: Permission::All,
            equity: Vec::new(),
        }
    }

    fn add_instrument(&mut self, instrument: &Instrument) {
        let at = |amount: Option<super::Amount>| {
            amount.map_or(Quantity(i64::MAX), |amount| {
                amount.quantity(instrument.scale.size_decimals())
            })
        };
        self.sizes.push(Sizes {
            order_max: at(self.limits.order_quantity_max),
            position_max: at(self.limits.position_max),
        });
    }
}

/// The risk gate.
#[derive(Debug)]
pub struct Gate {
    pub(super) total: Scope,
    pub(super) strategies: Vec<Scope>,
    instruments: Vec<Instrument>,
    /// What each strategy's own state allows.
    lifecycle: Vec<Permission>,
    halted: Option<Reason>,
    killed: bool,
}

impl Gate {
    /// A gate with limits on all strategies together.
    ///
    /// # Errors
    /// If the limits contradict each other.
    pub fn new(total: Limits) -> Result<Gate, LimitsError> {
        total.validate_total()?;
        Ok(Gate {
            total: Scope::new(total),
            strategies: Vec::new(),
            instruments: Vec::new(),
            lifecycle: Vec::new(),
            halted: None,
            killed: false,
        })
    }

    /// Takes the next strategy; it may not trade until [`Gate::permit`] says so.
    ///
    /// # Errors
    /// If its limits contradict each other, or allow more than the total does.
    pub fn add_strategy(&mut self, limits: Limits) -> Result<(), LimitsError> {
        limits.validate_within(&self.total.limits)?;
        let mut scope = Scope::new(limits);
        for instrument in &self.instruments {
            scope.add_instrument(instrument);
        }
        self.strategies.push(scope);
        self.lifecycle.push(Permission::Nothing(Reason::NotRunning));
        Ok(())
    }

    /// Takes the next instrument; they must come in the order of the market view.
    pub fn add_instrument(&mut self, instrument: &Instrument) {
        for scope in self.strategies.iter_mut().chain([&mut self.total]) {
            scope.add_instrument(instrument);
        }
        self.instruments.push(instrument.clone());
    }

    /// What a strategy's own state allows.
    pub fn permit(&mut self, strategy: u16, permission: Permission) {
        self.lifecycle[usize::from(strategy)] = permission;
    }

    /// Stops all trading, whatever the limits say.
    pub fn halt(&mut self, reason: Reason) {
        self.halted.get_or_insert(reason);
    }

    /// Why all trading is stopped, if it is.
    #[must_use]
    pub fn halted(&self) -> Option<Reason> {
        self.halted
    }

    /// The oldest data that a strategy may trade on, ns.
    #[must_use]
    pub fn data_age_ns_max(&self, strategy: u16) -> i64 {
        let own = self.strategies[usize::from(strategy)].limits.data_age_ns_max;
        own.min(self.total.limits.data_age_ns_max)
    }

    /// Restores a limit that an earlier session reached; `None` is all strategies together.
    pub fn stop(&mut self, strategy: Option<u16>, permission: Permission) {
        match strategy {
            Some(strategy) => self.strategies[usize::from(strategy)].stopped = permission,
            None => self.total.stopped = permission,
        }
    }

    /// What a limit that was reached leaves, and on which day it was if that is known; `None` is all strategies together.
    #[must_use]
    pub fn stopped(&self, strategy: Option<u16>) -> (Permission, Option<i64>) {
        let scope = strategy.map_or(&self.total, |strategy| &self.strategies[usize::from(strategy)]);
        (scope.stopped, scope.day())
    }

    /// Latches the kill switch.
    pub fn kill(&mut self) {
        self.killed = true;
    }

    /// Whether the kill switch is latched.
    #[must_use]
    pub fn is_killed(&self) -> bool {
        self.killed
    }

    /// Takes back the kill switch, every halt and every limit that was reached. The highest equity is counted anew from here.
    pub fn arm(&mut self) {
        self.killed = false;
        self.halted = None;
        for scope in self.strategies.iter_mut().chain([&mut self.total]) {
            scope.stopped = Permission::All;
            scope.equity.fill(Equity::default());
        }
    }

    /// How far a strategy may trade now.
    #[must_use]
    pub fn permission(&self, strategy: u16) -> Permission {
        if self.killed {
            return Permission::Nothing(Reason::Killed);
        }
        if let Some(reason) = self.halted {
            return Permission::Nothing(reason);
        }
        let at = usize::from(strategy);
        let mut permission = self.lifecycle[at];
        for stopped in [self.total.stopped, self.strategies[at].stopped] {
            permission = match (permission, stopped) {
                (Permission::All, stopped) => stopped,
                (_, Permission::Nothing(reason)) => Permission::Nothing(reason),
                (permission, _) => permission,
            };
        }
        permission
    }

    /// Judges an order.
    ///
    /// # Errors
    /// The first rule that it breaks.
    pub fn submit(&mut self, order: Order, facts: &Facts<'_>) -> Result<Approved<Order>, Breach> {
        let scopes = self.scopes(order.strategy);
        let view = self.judge_market(&order, facts)?;
        check::form(&order, view)?;
        check::price(&order, view, scopes)?;
        check::size(&order, facts, scopes)?;
        check::count(&order, facts, scopes)?;
        self.count(order.strategy, facts.now);
        Ok(Approved::new(order))
    }

    /// Judges new terms of an open order: as if it were a new order, in place of the old one.
    ///
    /// # Errors
    /// The first rule that it would break.
    pub fn replace(&mut self, order: &Order, terms: Terms, facts: &Facts<'_>) -> Result<Approved<Replacement>, Breach> {
        let mut changed = *order;
        (changed.kind, changed.quantity) = (terms.kind, terms.quantity);
        let scopes = self.scopes(order.strategy);
        let view = self.judge_market(&changed, facts)?;
        check::form(&changed, view)?;
        check::price(&changed, view, scopes)?;
        check::size(&changed, facts, scopes)?;
        check::rate(facts.now, scopes)?;
        self.count(order.strategy, facts.now);
        Ok(Approved::new(Replacement {
            id: order.id,
            index: order.index,
            terms,
        }))
    }

    fn scopes(&self, strategy: u16) -> [&Scope; 2] {
        [&self.strategies[usize::from(strategy)], &self.total]
    }

    fn count(&mut self, strategy: u16, now: Time) {
        self.strategies[usize::from(strategy)].rate.count(now);
        self.total.rate.count(now);
    }

    fn judge_market<'a>(&self, order: &Order, facts: &Facts<'a>) -> Result<&'a InstrumentView, Breach> {
        match self.permission(order.strategy) {
            Permission::Nothing(reason) => return Err(Breach::of(reason)),
            Permission::ReduceOnly(reason) if !order.reduce_only => return Err(Breach::of(reason)),
            _ => {}
        }
        let view = facts.market.at(order.index);
        check::data(view, facts.now, self.scopes(order.strategy))?;
        Ok(view)
    }
}
