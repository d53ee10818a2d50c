//! What a run comes to in a dozen figures, from its equity curve and its round trips.
//!
//! Pure functions of exact integers: amounts are in quote currency at [`MONEY_DECIMALS`] decimals, and become floats in the last step. A figure that is
//! not defined for the input is `None`, never NaN or infinite. Each function states its formula and where it comes from; `docs/backtest.md` repeats
//! them, and `backtest/check.py` computes them again from the files of a run.
//!
//! **Annualisation.** Markets of digital assets do not close, so a year is 365 days of 24 hours, and figures of one period are scaled by the number of periods in it.
//! A curve's points are one period apart, whatever the market did between them.

mod curve;
mod trips;

use serde::Serialize;

pub use curve::{
    Point, cagr, conditional_value_at_risk, drawdowns, max_drawdown, returns, sharpe, sortino, total_return,
    value_at_risk,
};
pub use trips::{profit_factor, turnover, win_rate};

/// Decimals of every amount of money in results.
pub const MONEY_DECIMALS: u8 = 8;
/// Nanoseconds of a year, as figures are annualised: 365 days.
pub const YEAR_NS: i64 = 365 * DAY_NS;
/// Nanoseconds of a day.
pub const DAY_NS: i64 = 86_400 * 1_000_000_000;

/// The figures of one run in one currency.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Metrics {
    /// [`total_return`].
    pub total_return: Option<f64>,
    /// [`cagr`].
    pub cagr: Option<f64>,
    /// [`sharpe`], annualised.
    pub sharpe: Option<f64>,
    /// [`sortino`], annualised.
    pub sortino: Option<f64>,
    /// [`max_drawdown`].
    pub max_drawdown: Option<f64>,
    /// [`win_rate`].
    pub win_rate: Option<f64>,
    /// [`profit_factor`].
    pub profit_factor: Option<f64>,
    /// [`turnover`].
    pub turnover: Option<f64>,
    /// [`value_at_risk`] at 95 % of one period.
    pub var_95: Option<f64>,
    /// [`conditional_value_at_risk`] at 95 % of one period.
    pub cvar_95: Option<f64>,
}

impl Metrics {
    /// Names, in the order in which they are shown.
    pub const NAMES: [&'static str; 10] = [
        "total_return",
        "cagr",
        "sharpe",
        "sortino",
        "max_drawdown",
        "win_rate",
        "profit_factor",
        "turnover",
        "var_95",
        "cvar_95",
    ];

    /// Of a curve whose points are `period_ns` apart, the net results of its round trips, and the notional of all its fills.
    #[must_use]
    pub fn of(curve: &[Point], period_ns: i64, trips: &[i128], traded: i128) -> Metrics {
        let returns = returns(curve);
        let returns = returns.as_deref();
        Metrics {
            total_return: total_return(curve),
            cagr: cagr(curve),
            sharpe: returns.and_then(|returns| sharpe(returns, period_ns)),
            sortino: returns.and_then(|returns| sortino(returns, period_ns)),
            max_drawdown: max_drawdown(curve),
            win_rate: win_rate(trips),
            profit_factor: profit_factor(trips),
            turnover: turnover(curve, traded),
            var_95: returns.and_then(value_at_risk),
            cvar_95: returns.and_then(conditional_value_at_risk),
        }
    }

    /// The figure of that name; `None` if there is no such name, or the figure is not defined.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<f64> {
        let at = Metrics::NAMES.iter().position(|known| *known == name)?;
        self.values()[at]
    }

    /// Every figure, in the order of [`Metrics::NAMES`].
    #[must_use]
    pub fn values(&self) -> [Option<f64>; 10] {
        [
            self.total_return,
            self.cagr,
            self.sharpe,
            self.sortino,
            self.max_drawdown,
            self.win_rate,
            self.profit_factor,
            self.turnover,
            self.var_95,
            self.cvar_95,
        ]
    }

    /// Whether less of it is better.
    #[must_use]
    pub fn is_lower_better(name: &str) -> bool {
        matches!(name, "max_drawdown" | "turnover" | "var_95" | "cvar_95")
    }
}

/// A number if it is one.
fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_run_has_no_figure_and_no_nan() {
        assert_eq!(Metrics::of(&[], DAY_NS, &[], 0), Metrics::default());
        let still = [
            Point { at_ns: 0, equity: 0 },
            Point {
                at_ns: DAY_NS,
                equity: 0,
            },
        ];
        assert_eq!(
            Metrics::of(&still, DAY_NS, &[0], 0)
                .values()
                .into_iter()
                .flatten()
                .collect::<Vec<_>>(),
            [0.0]
        );
    }

    #[test]
    fn names_and_values_go_together() {
        let metrics = Metrics {
            win_rate: Some(0.5),
            cvar_95: Some(0.25),
            ..Metrics::default()
        };
        assert_eq!(metrics.get("win_rate"), Some(0.5));
        assert_eq!(metrics.get("cvar_95"), Some(0.25));
        assert_eq!(metrics.get("sharpe"), None);
        assert_eq!(metrics.get("luck"), None);
        let json = serde_json::to_value(metrics).unwrap();
        assert!(Metrics::NAMES.iter().all(|name| json.get(name).is_some()));
    }
}
