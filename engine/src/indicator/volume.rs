//! Indicators of volume: on-balance volume, and the volume-weighted average price.

use super::compensated::Compensated;

/// On-balance volume: the volume of a bar is added if it closed above the last one, taken away if below. Starts at 0 with the first bar.
///
/// Source: Joseph Granville, *Granville's New Key to Stock Market Profits* (1963).
#[derive(Clone, Debug, Default)]
pub struct Obv {
    last_close: Option<f64>,
    total: Compensated,
}

impl Obv {
    /// At 0.
    #[must_use]
    pub fn new() -> Obv {
        Obv::default()
    }

    /// Takes a bar; the balance, from the first bar on.
    pub fn update(&mut self, close: f64, volume: f64) -> Option<f64> {
        debug_assert!(close.is_finite() && volume >= 0.0);
        let last = self.last_close.replace(close).unwrap_or(close);
        if close > last {
            self.total.add(volume);
        } else if close < last {
            self.total.add(-volume);
        }
        self.value()
    }

    /// The balance as of the last bar.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.last_close.map(|_| self.total.total())
    }

    /// Forgets all bars.
    pub fn reset(&mut self) {
        *self = Obv::new();
    }
}

/// The volume-weighted average price since the start of its session: `Σ price × volume / Σ volume`. Of bars, `price` is the typical price
/// `(high + low + close) / 3`; of trades, the price. A session starts with [`Vwap::reset`].
///
/// Source: Berkowitz, Logue and Noser, *The Total Cost of Transactions on the NYSE*, Journal of Finance 43 (1988), 97–112.
#[derive(Clone, Debug, Default)]
pub struct Vwap {
    turnover: Compensated,
    volume: Compensated,
}

impl Vwap {
    /// Of a session that starts now.
    #[must_use]
    pub fn new() -> Vwap {
        Vwap::default()
    }

    /// Takes a trade or a bar; the average, once there was any volume.
    pub fn update(&mut self, price: f64, volume: f64) -> Option<f64> {
        debug_assert!(price.is_finite() && volume >= 0.0);
        self.turnover.add(price * volume);
        self.volume.add(volume);
        self.value()
    }

    /// The average as of the last trade or bar.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        let volume = self.volume.total();
        (volume > 0.0).then(|| self.turnover.total() / volume)
    }

    /// Starts a session.
    pub fn reset(&mut self) {
        *self = Vwap::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// StockCharts ChartSchool, "On Balance Volume (OBV)": closes and volumes of Walmart in thousands, and the balance.
    #[test]
    fn the_balance_is_the_published_one() {
        #[rustfmt::skip]
        let rows = [
            (53.26, 0.0, 0.0), (53.30, 8200.0, 8200.0), (53.32, 8100.0, 16_300.0), (53.72, 8300.0, 24_600.0),
            (54.19, 8900.0, 33_500.0), (53.92, 9200.0, 24_300.0), (54.65, 13_300.0, 37_600.0), (54.60, 10_300.0, 27_300.0),
            (54.21, 9900.0, 17_400.0), (54.53, 10_100.0, 27_500.0), (53.79, 11_300.0, 16_200.0), (53.66, 12_600.0, 3600.0),
            (53.56, 10_700.0, -7100.0), (53.57, 11_500.0, 4400.0), (53.94, 23_800.0, 28_200.0),
        ];
        let mut obv = Obv::new();
        assert_eq!(obv.value(), None);
        for (close, volume, expected) in rows {
            assert_eq!(obv.update(close, volume), Some(expected));
        }
        assert_eq!(
            obv.update(53.94, 5000.0),
            Some(28_200.0),
            "an unchanged close adds nothing"
        );
        obv.reset();
        assert_eq!(obv.value(), None);
    }

    /// StockCharts ChartSchool, "Volume-Weighted Average Price (VWAP)": the first minutes of the example over IBM, to two decimals.
    #[test]
    fn the_average_price_is_the_published_one() {
        #[rustfmt::skip]
        let rows = [
            (127.36, 126.99, 127.28, 89_329.0, 127.21), (127.31, 127.10, 127.11, 16_137.0, 127.20),
            (127.21, 127.11, 127.15, 23_945.0, 127.20), (127.15, 126.93, 127.04, 20_679.0, 127.17),
            (127.08, 126.98, 126.98, 27_252.0, 127.15), (127.19, 126.99, 127.07, 20_915.0, 127.14),
        ];
        let mut vwap = Vwap::new();
        assert_eq!(vwap.update(127.0, 0.0), None, "no volume, no average");
        for (high, low, close, volume, expected) in rows {
            let value = vwap.update((high + low + close) / 3.0, volume).unwrap();
            assert!((value - expected).abs() < 0.0051, "{value} for {expected}");
        }
        vwap.reset();
        assert_eq!(vwap.value(), None);
    }
}
