//! Limits that no order breaks but the market does: loss of the day, drawdown, stop-loss and take-profit.

use tickpath_protocol::trading::{MONEY_DECIMALS, Reason};

use super::gate::{Gate, Permission, Scope};
use super::{Breach, Limits};
use crate::portfolio::{Currency, Position};
use crate::units::{Money, Price, Time};

/// What is remembered of an account's equity in one currency.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Equity {
    /// It was looked at before.
    known: bool,
    day: i64,
    at_start_of_day: i128,
    highest: i128,
}

/// A limit on equity that was reached just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Which strategy may only reduce from here on; `None`: all.
    pub strategy: Option<u16>,
    /// The limit, and what was observed.
    pub breach: Breach,
}

/// A position that has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The limit, and what was observed, in millionths of the cost.
    pub breach: Breach,
}

impl Gate {
    /// Takes note of an account's equity: `None` is the total's. Returns the limit that it reaches, once.
    pub fn on_equity(&mut self, strategy: Option<u16>, currency: Currency, equity: i128, now: Time) -> Option<Stop> {
        let scope = match strategy {
            Some(strategy) => &mut self.strategies[usize::from(strategy)],
            None => &mut self.total,
        };
        let breach = scope.on_equity(currency, equity, now)?;
        scope.stopped = Permission::ReduceOnly(breach.reason);
        Some(Stop { strategy, breach })
    }

    /// Whether a strategy's position has reached its stop-loss or its take-profit.
    #[must_use]
    pub fn protection(&self, strategy: u16, position: &Position, mark: Price) -> Option<Protection> {
        let limits = &self.strategies[usize::from(strategy)].limits;
        let breach = reached(limits, position.unrealised(mark), position.cost().abs())?;
        Some(Protection { breach })
    }

    /// Whether a strategy's positions have to be looked at for [`Gate::protection`].
    #[must_use]
    pub fn protects(&self, strategy: u16) -> bool {
        let limits = &self.strategies[usize::from(strategy)].limits;
        limits.stop_loss_ppm.is_some() || limits.take_profit_ppm.is_some()
    }
}

impl Scope {
    /// The day of the last look at the equity.
    pub(super) fn day(&self) -> Option<i64> {
        let looked = self.equity.iter().filter(|equity| equity.known);
        looked.map(|equity| equity.day).max()
    }

    fn on_equity(&mut self, currency: Currency, equity: i128, now: Time) -> Option<Breach> {
        let at = usize::from(currency.0);
        if self.equity.len() <= at {
            self.equity.resize(at + 1, Equity::default());
        }
        let known = &mut self.equity[at];
        if !known.known {
            *known = Equity {
                known: true,
                day: now.day(),
                at_start_of_day: equity,
                highest: equity,
            };
        }
        if now.day() != known.day {
            (known.day, known.at_start_of_day) = (now.day(), equity);
            if self.stopped == Permission::ReduceOnly(Reason::DailyLoss) {
                self.stopped = Permission::All;
            }
        }
        known.highest = known.highest.max(equity);
        let (lost, fallen) = (known.at_start_of_day - equity, known.highest - equity);
        let over = |limit: Option<Money>, observed: i128| limit.filter(|limit| observed >= i128::from(limit.0));
        let breach = |reason, observed: i128, limit: Money| {
            let observed = i64::try_from(observed).unwrap_or(i64::MAX);
            Breach::at(reason, observed, limit.0, MONEY_DECIMALS)
        };
        if let (Some(limit), true) = (
            over(self.limits.drawdown_max, fallen),
            self.stopped != Permission::ReduceOnly(Reason::Drawdown),
        ) {
            return Some(breach(Reason::Drawdown, fallen, limit));
        }
        if let (Some(limit), Permission::All) = (over(self.limits.daily_loss_max, lost), self.stopped) {
            return Some(breach(Reason::DailyLoss, lost, limit));
        }
        None
    }
}

fn reached(limits: &Limits, unrealised: i128, cost: i128) -> Option<Breach> {
    let ppm = |gain: i128| gain.saturating_mul(1_000_000).checked_div(cost);
    let over = |limit: Option<i64>, gain: i128| {
        let (limit, observed) = (limit?, ppm(gain)?);
        (observed >= i128::from(limit)).then(|| (i64::try_from(observed).unwrap_or(i64::MAX), limit))
    };
    let loss = over(limits.stop_loss_ppm, -unrealised).map(|found| (Reason::StopLoss, found));
    let gain = over(limits.take_profit_ppm, unrealised).map(|found| (Reason::TakeProfit, found));
    let (reason, (observed, limit)) = loss.or(gain)?;
    Some(Breach::at(reason, observed, limit, 6))
}
