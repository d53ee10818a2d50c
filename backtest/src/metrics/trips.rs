//! Figures of round trips and fills.

use super::curve::Point;
use super::finite;

/// Round trips that earned over all round trips, fees counted. One that came out even did not earn. `None` without round trips.
#[must_use]
pub fn win_rate(trips: &[i128]) -> Option<f64> {
    let won = trips.iter().filter(|net| **net > 0).count();
    (!trips.is_empty()).then(|| won as f64 / trips.len() as f64)
}

/// What winning round trips earned over what losing ones lost, fees counted. `None` if none lost.
///
/// Source: R. Pardo, "The Evaluation and Optimization of Trading Strategies", 2nd edition (2008): gross profit over gross loss.
#[must_use]
pub fn profit_factor(trips: &[i128]) -> Option<f64> {
    let earned: i128 = trips.iter().filter(|net| **net > 0).sum();
    let lost: i128 = trips.iter().filter(|net| **net < 0).sum();
    (lost < 0).then(|| earned as f64 / -lost as f64)
}

/// Notional bought and sold over the mean equity of the curve: how often the capital was traded during the run, both sides counted, not annualised.
///
/// `None` for an empty curve or a mean that is not above 0.
/// Source: R. Grinold and R. Kahn, "Active Portfolio Management", 2nd edition (2000), chapter 16, but with purchases and sales added instead of the lesser of the two.
#[must_use]
pub fn turnover(curve: &[Point], traded: i128) -> Option<f64> {
    let sum: i128 = curve.iter().map(|point| point.equity).sum();
    let mean = sum as f64 / curve.len() as f64;
    if curve.is_empty() || sum <= 0 {
        return None;
    }
    finite(traded as f64 / mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 30 and 10 earned, 20 and 5 lost, one even.
    #[test]
    fn trips_by_hand() {
        let trips = [30, -20, 0, 10, -5];
        assert_eq!(win_rate(&trips), Some(0.4));
        assert_eq!(profit_factor(&trips), Some(1.6));
        assert_eq!(profit_factor(&[5, 0]), None, "nothing was lost");
        assert_eq!(profit_factor(&[-5]), Some(0.0));
        assert_eq!(win_rate(&[]), None);
    }

    /// 450 traded with 100 and 200, which is 150 in the mean.
    #[test]
    fn turnover_by_hand() {
        let curve = [100, 200].map(|equity| Point { at_ns: 0, equity });
        assert_eq!(turnover(&curve, 450), Some(3.0));
        assert_eq!(turnover(&[], 450), None);
        assert_eq!(
            turnover(
                &curve.map(|point| Point {
                    equity: -point.equity,
                    ..point
                }),
                450
            ),
            None
        );
    }
}
