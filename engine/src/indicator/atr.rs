//! The average true range.

use super::average::Ema;

/// Wilder's average true range: the true range of a bar is the largest of `high − low`, `|high − last close|` and `|low − last close|` (of the first bar
/// `high − low`), smoothed with the weight `1 / period` from the simple average of the first `period` ranges, as StockCharts does.
///
/// Source: J. Welles Wilder, *New Concepts in Technical Trading Systems* (1978), section III.
#[derive(Clone, Debug)]
pub struct Atr {
    last_close: Option<f64>,
    range: Ema,
}

impl Atr {
    /// Over `period` bars; Wilder's is 14.
    ///
    /// # Panics
    /// If the period is 0 or above [`super::PERIOD_MAX`].
    #[must_use]
    pub fn new(period: usize) -> Atr {
        Atr {
            last_close: None,
            range: Ema::wilder(period),
        }
    }

    /// Takes a bar; the average, once `period` bars were seen.
    pub fn update(&mut self, high: f64, low: f64, close: f64) -> Option<f64> {
        debug_assert!(high >= low);
        let last = self.last_close.replace(close).unwrap_or(close);
        let range = (high.max(last) - low.min(last)).max(0.0);
        self.range.update(range)
    }

    /// The average as of the last bar.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.range.value()
    }

    /// Forgets all bars.
    pub fn reset(&mut self) {
        self.last_close = None;
        self.range.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// StockCharts ChartSchool, "Average True Range (ATR)": the 14-day example over QQQQ, bars and average to two decimals (the low of 41.55 is theirs).
    #[rustfmt::skip]
    const BARS: [(f64, f64, f64); 30] = [
        (48.70, 47.79, 48.16), (48.72, 48.14, 48.61), (48.90, 48.39, 48.75), (48.87, 48.37, 48.63), (48.82, 48.24, 48.74),
        (49.05, 48.64, 49.03), (49.20, 48.94, 49.07), (49.35, 48.86, 49.32), (49.92, 49.50, 49.91), (50.19, 49.87, 50.13),
        (50.12, 49.20, 49.53), (49.66, 48.90, 49.50), (49.88, 49.43, 49.75), (50.19, 49.73, 50.03), (50.36, 49.26, 50.31),
        (50.57, 50.09, 50.52), (50.65, 50.30, 50.41), (50.43, 49.21, 49.34), (49.63, 48.98, 49.37), (50.33, 49.61, 50.23),
        (50.29, 49.20, 49.24), (50.17, 49.43, 49.93), (49.32, 48.08, 48.43), (48.50, 47.64, 48.18), (48.32, 41.55, 46.57),
        (46.80, 44.28, 45.41), (47.80, 47.31, 47.77), (48.39, 47.20, 47.72), (48.66, 47.90, 48.62), (48.79, 47.73, 47.85),
    ];
    const ATR: [f64; 17] = [
        0.55, 0.59, 0.59, 0.57, 0.61, 0.62, 0.64, 0.67, 0.69, 0.77, 0.78, 1.21, 1.30, 1.38, 1.37, 1.34, 1.32,
    ];

    #[test]
    fn the_average_is_the_published_one() {
        let mut atr = Atr::new(14);
        for (n, (high, low, close)) in BARS.into_iter().enumerate() {
            let value = atr.update(high, low, close);
            match n.checked_sub(13) {
                None => assert_eq!(value, None),
                Some(row) => assert!((value.unwrap() - ATR[row]).abs() < 0.0051, "row {row}: {value:?}"),
            }
        }
        atr.reset();
        assert_eq!(atr.value(), None);
    }

    #[test]
    fn a_gap_between_bars_counts() {
        let mut atr = Atr::new(1);
        assert_eq!(atr.update(11.0, 10.0, 10.5), Some(1.0));
        assert_eq!(
            atr.update(15.0, 14.0, 14.5),
            Some(4.5),
            "from the last close up to the high"
        );
        assert_eq!(
            atr.update(9.0, 8.0, 8.5),
            Some(6.5),
            "from the last close down to the low"
        );
    }
}
