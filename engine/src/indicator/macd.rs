//! Moving average convergence and divergence.

use super::average::Ema;

/// The lines as of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MacdValue {
    /// Fast less slow average.
    pub macd: f64,
    /// The exponential average of `macd`.
    pub signal: f64,
}

impl MacdValue {
    /// `macd − signal`: its change of sign is the cross.
    #[must_use]
    pub fn histogram(&self) -> f64 {
        self.macd - self.signal
    }
}

/// MACD: the difference of two exponential averages, and the exponential average of that.
///
/// Source: Gerald Appel, *Technical Analysis: Power Tools for Active Investors* (2005), chapter 8; he introduced it in the 1970s.
#[derive(Clone, Debug)]
pub struct Macd {
    fast: Ema,
    slow: Ema,
    signal: Ema,
}

impl Macd {
    /// Appel's periods are 12, 26 and 9.
    ///
    /// # Panics
    /// If a period is 0 or above [`super::PERIOD_MAX`].
    #[must_use]
    pub fn new(fast: usize, slow: usize, signal: usize) -> Macd {
        Macd {
            fast: Ema::new(fast),
            slow: Ema::new(slow),
            signal: Ema::new(signal),
        }
    }

    /// Takes a value; the lines, once there were `slow + signal − 1` values (of the longer one of the two averages).
    pub fn update(&mut self, value: f64) -> Option<MacdValue> {
        let (fast, slow) = (self.fast.update(value), self.slow.update(value));
        let macd = fast? - slow?;
        let signal = self.signal.update(macd)?;
        Some(MacdValue { macd, signal })
    }

    /// The lines as of the last value.
    #[must_use]
    pub fn value(&self) -> Option<MacdValue> {
        let signal = self.signal.value()?;
        let macd = self.fast.value()? - self.slow.value()?;
        Some(MacdValue { macd, signal })
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        for average in [&mut self.fast, &mut self.slow, &mut self.signal] {
            average.reset();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// InvestExcel, "How to Calculate MACD in Excel": Apple from February 2013, closes and both lines as the sheet has them; the example that many
    /// charting libraries test against.
    const CLOSES: [f64; 40] = [
        459.99, 448.85, 446.06, 450.81, 442.80, 448.97, 444.57, 441.40, 430.47, 420.05, 431.14, 425.66, 430.58, 431.72,
        437.87, 428.43, 428.35, 432.50, 443.66, 455.72, 454.49, 452.08, 452.73, 461.91, 463.58, 461.14, 452.08, 442.66,
        428.91, 429.79, 431.99, 427.72, 423.20, 426.21, 426.98, 435.69, 434.33, 429.80, 419.85, 426.24,
    ];
    const LINES: [(f64, f64); 7] = [
        (-2.070558190, 3.037525869),
        (-2.621842328, 1.905652229),
        (-2.329066740, 1.058708432),
        (-2.181632115, 0.410640325),
        (-2.402626273, -0.152012994),
        (-3.342121681, -0.790034731),
        (-3.530363136, -1.338100413),
    ];

    #[test]
    fn the_lines_are_the_published_ones() {
        let mut macd = Macd::new(12, 26, 9);
        for (n, close) in CLOSES.into_iter().enumerate() {
            let value = macd.update(close);
            let Some(row) = n.checked_sub(33) else {
                assert_eq!(value, None);
                continue;
            };
            let value = value.unwrap();
            assert!((value.macd - LINES[row].0).abs() < 1e-8, "row {row}: {value:?}");
            assert!((value.signal - LINES[row].1).abs() < 1e-8, "row {row}: {value:?}");
            assert!((value.histogram() - (LINES[row].0 - LINES[row].1)).abs() < 1e-8);
            assert_eq!(macd.value(), Some(value));
        }
        macd.reset();
        assert_eq!(macd.value(), None);
    }
}
