//! The relative strength index.

use super::average::Ema;

/// Wilder's relative strength index: `100 − 100 / (1 + average gain / average loss)`, both averages by Wilder's smoothing (weight `1 / period`)
/// that starts with the simple average. Between 0 and 100; 100 with no loss, and 50 where nothing moved at all, so that a dead market is no signal.
///
/// Source: J. Welles Wilder, *New Concepts in Technical Trading Systems* (1978), section VI.
#[derive(Clone, Debug)]
pub struct Rsi {
    last: Option<f64>,
    gain: Ema,
    loss: Ema,
}

impl Rsi {
    /// Over `period` changes, that is `period + 1` values; Wilder's is 14.
    ///
    /// # Panics
    /// If the period is 0 or above [`super::PERIOD_MAX`].
    #[must_use]
    pub fn new(period: usize) -> Rsi {
        Rsi {
            last: None,
            gain: Ema::wilder(period),
            loss: Ema::wilder(period),
        }
    }

    /// Takes a value; the index, once `period` changes were seen.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        debug_assert!(value.is_finite());
        let change = value - self.last.replace(value)?;
        let (gain, loss) = (self.gain.update(change.max(0.0)), self.loss.update((-change).max(0.0)));
        Some(index(gain?, loss?))
    }

    /// The index as of the last value.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        Some(index(self.gain.value()?, self.loss.value()?))
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.last = None;
        self.gain.reset();
        self.loss.reset();
    }
}

fn index(gain: f64, loss: f64) -> f64 {
    let total = gain + loss;
    if total == 0.0 { 50.0 } else { 100.0 * gain / total }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// StockCharts ChartSchool, "Relative Strength Index (RSI)": the 14-day example over QQQQ, closes and index to two decimals.
    const CLOSES: [f64; 33] = [
        44.3389, 44.0902, 44.1497, 43.6124, 44.3278, 44.8264, 45.0955, 45.4245, 45.8433, 46.0826, 45.8931, 46.0328,
        45.6140, 46.2820, 46.2820, 46.0028, 46.0328, 46.4116, 46.2222, 45.6439, 46.2122, 46.2521, 45.7137, 46.4515,
        45.7835, 45.3548, 44.0288, 44.1783, 44.2181, 44.5672, 43.4205, 42.6628, 43.1314,
    ];
    const RSI: [f64; 19] = [
        70.53, 66.32, 66.55, 69.41, 66.36, 57.97, 62.93, 63.26, 56.06, 62.38, 54.71, 50.42, 39.99, 41.46, 41.87, 45.46,
        37.30, 33.08, 37.77,
    ];

    #[test]
    fn the_index_is_the_published_one() {
        let mut rsi = Rsi::new(14);
        for (n, close) in CLOSES.into_iter().enumerate() {
            let value = rsi.update(close);
            match n.checked_sub(14) {
                None => assert_eq!(value, None),
                Some(row) => assert!((value.unwrap() - RSI[row]).abs() < 0.0051, "row {row}: {value:?}"),
            }
            assert_eq!(value, rsi.value());
        }
    }

    #[test]
    fn one_way_markets_and_dead_ones() {
        for (step, expected) in [(1.0, 100.0), (-1.0, 0.0), (0.0, 50.0)] {
            let mut rsi = Rsi::new(5);
            let last = (0..9).map(|n| rsi.update(100.0 + step * f64::from(n))).last();
            assert_eq!(last, Some(Some(expected)));
            rsi.reset();
            assert_eq!(rsi.value(), None);
        }
    }
}
