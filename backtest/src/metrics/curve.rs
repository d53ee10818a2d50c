//! Figures of an equity curve.

use super::{DAY_NS, YEAR_NS, finite};

/// The confidence of [`value_at_risk`] and [`conditional_value_at_risk`], in percent.
const CONFIDENCE_PERCENT: usize = 95;
/// Returns that it takes to speak of the worst twentieth of them.
const RETURNS_MIN_AT_RISK: usize = 100 / (100 - CONFIDENCE_PERCENT);

/// What everything was worth at one time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Point {
    /// ns since the Unix epoch.
    pub at_ns: i64,
    /// Cash and positions at market, in quote currency at [`super::MONEY_DECIMALS`] decimals.
    pub equity: i128,
}

fn ratio(over: i128, under: i128) -> Option<f64> {
    (under > 0).then(|| over as f64 / under as f64)
}

/// Last equity over first, less 1. `None` without two points, or if the first is not above 0.
#[must_use]
pub fn total_return(curve: &[Point]) -> Option<f64> {
    let ([first, ..], [.., last]) = (curve, curve) else {
        return None;
    };
    (curve.len() > 1).then(|| ratio(last.equity - first.equity, first.equity))?
}

/// Compound annual growth rate: `(E_last / E_first)^(year / time) - 1`.
///
/// `None` if the curve is shorter than a day, as a year extrapolated from less says nothing, or if either equity is not above 0.
/// Source: the geometric mean return of Z. Bodie, A. Kane and A. Marcus, "Investments", chapter 5. The Global Investment Performance Standards (2020) do not
/// let a part of a year be annualised in reports: read it with the length of the run.
#[must_use]
pub fn cagr(curve: &[Point]) -> Option<f64> {
    let ([first, ..], [.., last]) = (curve, curve) else {
        return None;
    };
    let time_ns = last.at_ns.checked_sub(first.at_ns)?;
    if time_ns < DAY_NS || last.equity <= 0 {
        return None;
    }
    let growth = ratio(last.equity, first.equity)?;
    finite(libm::pow(growth, YEAR_NS as f64 / time_ns as f64) - 1.0)
}

/// The simple return of each period: `E_i / E_(i-1) - 1`. `None` if any equity that is divided by is not above 0: what is lost cannot earn.
#[must_use]
pub fn returns(curve: &[Point]) -> Option<Vec<f64>> {
    let pairs = curve.windows(2);
    pairs
        .map(|pair| ratio(pair[1].equity - pair[0].equity, pair[0].equity))
        .collect()
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

fn periods_a_year(period_ns: i64) -> Option<f64> {
    (period_ns > 0).then(|| YEAR_NS as f64 / period_ns as f64)
}

/// Sharpe ratio against a risk-free rate of 0, annualised: `mean(r) / s(r) × sqrt(periods a year)`, `s` with `n - 1`.
///
/// `None` without two returns, or if all are equal. Scaling by the square root holds for independent returns.
/// Source: W. F. Sharpe, "The Sharpe Ratio", Journal of Portfolio Management 21 (1994), equations 3 to 6 and section "Time Dependence".
#[must_use]
pub fn sharpe(returns: &[f64], period_ns: i64) -> Option<f64> {
    let mean = mean(returns)?;
    let squares: f64 = returns.iter().map(|value| (value - mean) * (value - mean)).sum();
    let deviation = (returns.len() > 1).then(|| (squares / (returns.len() - 1) as f64).sqrt())?;
    if returns.iter().all(|value| *value == returns[0]) || deviation == 0.0 {
        return None;
    }
    finite(mean / deviation * periods_a_year(period_ns)?.sqrt())
}

/// Sortino ratio against a target of 0, annualised: `mean(r) / sqrt(mean(min(r, 0)²)) × sqrt(periods a year)`, the mean over all returns.
///
/// `None` without returns, or if none is below 0.
/// Source: F. A. Sortino and L. N. Price, "Performance Measurement in a Downside Risk Framework", Journal of Investing 3 (1994).
#[must_use]
pub fn sortino(returns: &[f64], period_ns: i64) -> Option<f64> {
    let mean = mean(returns)?;
    let squares: f64 = returns.iter().map(|value| value.min(0.0) * value.min(0.0)).sum();
    let downside = (squares / returns.len() as f64).sqrt();
    if downside == 0.0 {
        return None;
    }
    finite(mean / downside * periods_a_year(period_ns)?.sqrt())
}

/// Maximum drawdown: the largest `(peak - E) / peak` over the curve, `peak` being the highest equity until then; 0 if it never falls, above 1 if
/// more than everything is lost.
///
/// `None` for an empty curve, or one that begins at or below 0.
/// Source: M. Magdon-Ismail and A. Atiya, "Maximum Drawdown", Risk 17 (2004), in relation to the peak.
#[must_use]
pub fn max_drawdown(curve: &[Point]) -> Option<f64> {
    let mut peak = curve.first().filter(|first| first.equity > 0)?.equity;
    let mut worst = 0.0_f64;
    for point in curve {
        peak = peak.max(point.equity);
        worst = worst.max(ratio(peak - point.equity, peak)?);
    }
    Some(worst)
}

/// How far below its peak each point is, as [`max_drawdown`] counts it; empty if that is `None`.
#[must_use]
pub fn drawdowns(curve: &[Point]) -> Vec<f64> {
    let Some(first) = curve.first().filter(|first| first.equity > 0) else {
        return Vec::new();
    };
    let mut peak = first.equity;
    let fall = |point: &Point| {
        peak = peak.max(point.equity);
        (peak - point.equity) as f64 / peak as f64
    };
    curve.iter().map(fall).collect()
}

/// Losses, the smallest first.
fn losses(returns: &[f64]) -> Option<Vec<f64>> {
    if returns.len() < RETURNS_MIN_AT_RISK {
        return None;
    }
    // An equal value is 0, not -0: they are the same number and sort apart.
    let mut losses: Vec<f64> = returns.iter().map(|value| 0.0 - value).collect();
    losses.sort_by(f64::total_cmp);
    Some(losses)
}

/// Value at risk at 95 % by historical simulation: the smallest loss of a period that at least 95 % of all periods do not exceed, the
/// `ceil(0.95 n)`th of the losses `-r` in rising order. Negative if even that period earned.
///
/// `None` with fewer than 20 returns.
/// Source: P. Jorion, "Value at Risk", 3rd edition (2006), chapter 5; the quantile as Acerbi and Tasche, "On the coherence of expected shortfall" (2002),
/// define the lower one.
#[must_use]
pub fn value_at_risk(returns: &[f64]) -> Option<f64> {
    let losses = losses(returns)?;
    let rank = (CONFIDENCE_PERCENT * losses.len()).div_ceil(100);
    Some(losses[rank - 1])
}

/// Conditional value at risk at 95 % (expected shortfall): `VaR + sum(max(-r - VaR, 0)) / (0.05 n)`, the mean loss of the worst 5 %.
///
/// `None` with fewer than 20 returns.
/// Source: R. T. Rockafellar and S. Uryasev, "Conditional value-at-risk for general loss distributions", Journal of Banking & Finance 26 (2002):
/// the minimisation formula, whose minimum is at the value at risk.
#[must_use]
pub fn conditional_value_at_risk(returns: &[f64]) -> Option<f64> {
    let at_risk = value_at_risk(returns)?;
    let beyond: f64 = losses(returns)?.iter().map(|loss| (loss - at_risk).max(0.0)).sum();
    let tail = (100 - CONFIDENCE_PERCENT) as f64 * returns.len() as f64 / 100.0;
    Some(at_risk + beyond / tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(step_ns: i64, equities: &[i128]) -> Vec<Point> {
        let points = equities.iter().enumerate();
        points
            .map(|(at, equity)| Point {
                at_ns: at as i64 * step_ns,
                equity: *equity,
            })
            .collect()
    }

    fn near(found: Option<f64>, expected: f64) {
        let found = found.expect("a figure");
        assert!(
            (found - expected).abs() <= 1e-12 * expected.abs().max(1.0),
            "{found} is not {expected}"
        );
    }

    /// 100 → 110 → 99 → 121: returns 0.1, -0.1, 2/9.
    #[test]
    fn returns_by_hand() {
        let curve = curve(DAY_NS, &[100, 110, 99, 121]);
        near(total_return(&curve), 0.21);
        let returns = returns(&curve).unwrap();
        for (found, expected) in returns.iter().zip([0.1, -0.1, 2.0 / 9.0]) {
            near(Some(*found), expected);
        }
        // The peak is 110, the lowest after it 99.
        near(max_drawdown(&curve), 0.1);
        assert_eq!(drawdowns(&curve)[3], 0.0);
    }

    /// 10 % in 73 days, a fifth of a year: 1.1^5 - 1.
    #[test]
    fn growth_by_hand() {
        near(cagr(&curve(73 * DAY_NS, &[100, 110])), 0.610_51);
        near(cagr(&curve(YEAR_NS, &[100, 80])), -0.2);
        assert_eq!(cagr(&curve(DAY_NS - 1, &[100, 110])), None, "shorter than a day");
        assert_eq!(cagr(&curve(DAY_NS, &[100, 0])), None);
        assert_eq!(cagr(&curve(DAY_NS, &[0, 100])), None);
        assert_eq!(
            cagr(&curve(DAY_NS, &[1, i128::from(i64::MAX)])),
            None,
            "more than a float holds"
        );
    }

    /// Returns 1 %, -1 %, 3 %: mean 1 %, sum of squares 8e-4, s = sqrt(8e-4 / 2) = 2 %; a day each: 0.5 × sqrt(365).
    #[test]
    fn sharpe_by_hand() {
        let returns = [0.01, -0.01, 0.03];
        near(sharpe(&returns, DAY_NS), 0.5 * 365_f64.sqrt());
        near(sharpe(&returns, YEAR_NS), 0.5);
        assert_eq!(sharpe(&[0.01, 0.01, 0.01], DAY_NS), None, "no deviation");
        assert_eq!(sharpe(&[0.01], DAY_NS), None);
        assert_eq!(sharpe(&returns, 0), None);
    }

    /// The same returns: downside sqrt(1e-4 / 3), so 0.01 / (0.01 / sqrt 3) = sqrt 3 a period.
    #[test]
    fn sortino_by_hand() {
        let returns = [0.01, -0.01, 0.03];
        near(sortino(&returns, YEAR_NS), 3_f64.sqrt());
        near(sortino(&returns, DAY_NS), 3_f64.sqrt() * 365_f64.sqrt());
        assert_eq!(sortino(&[0.0, 0.02], DAY_NS), None, "nothing was lost");
        assert_eq!(sortino(&[], DAY_NS), None);
    }

    #[test]
    fn drawdown_by_hand() {
        // From 120 to 60, then from 130 to 104.
        near(max_drawdown(&curve(1, &[100, 120, 60, 130, 104])), 0.5);
        near(max_drawdown(&curve(1, &[100, -50])), 1.5);
        assert_eq!(max_drawdown(&curve(1, &[100, 100, 101])), Some(0.0));
        assert_eq!(max_drawdown(&curve(1, &[0, 100])), None);
        assert_eq!(max_drawdown(&[]), None);
    }

    /// Losses of 1 to 40 ‰: rank ceil(0.95 × 40) = 38, so 38 ‰; beyond it 1 ‰ and 2 ‰ over 0.05 × 40 = 2, so 38 + 1.5.
    #[test]
    fn value_at_risk_by_hand() {
        let mut returns: Vec<f64> = (1..=40).map(|loss| f64::from(-loss) / 1000.0).collect();
        returns.reverse();
        near(value_at_risk(&returns), 0.038);
        near(conditional_value_at_risk(&returns), 0.0395);
        // Of 30, rank ceil(28.5) = 29, which covers 96.7 %: 29 ‰, and 1 ‰ / 1.5 beyond.
        near(value_at_risk(&returns[10..]), 0.029);
        near(conditional_value_at_risk(&returns[10..]), 0.029 + 0.001 / 1.5);
        assert_eq!(value_at_risk(&returns[..19]), None);
        assert_eq!(conditional_value_at_risk(&returns[..19]), None);
        // Whoever earns every period loses less than nothing.
        near(value_at_risk(&[0.01; 20]), -0.01);
        near(conditional_value_at_risk(&[0.01; 20]), -0.01);
    }

    #[test]
    fn what_is_lost_cannot_earn() {
        assert_eq!(returns(&curve(1, &[100, 0, 50])), None);
        assert_eq!(returns(&curve(1, &[100, 0])), Some(vec![-1.0]));
        assert_eq!(total_return(&curve(1, &[100])), None);
        assert_eq!(total_return(&curve(1, &[0, 5])), None);
    }
}
