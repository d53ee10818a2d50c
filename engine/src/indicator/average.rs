//! Moving averages: simple and exponential.

use super::checked;

/// The simple moving average of the last `period` values.
///
/// The sum slides, and a second one is taken of the values since the window's first place: when the window has turned once that *is* its sum, and
/// replaces the other. So no rounding error is older than two turns, and each update costs the same.
#[derive(Clone, Debug)]
pub struct Sma {
    window: Box<[f64]>,
    /// Where the next value goes; all places are filled once `warm`.
    next: usize,
    warm: bool,
    sum: f64,
    /// The sum of `window[..next]`, taken without a subtraction.
    fresh: f64,
}

impl Sma {
    /// Over `period` values.
    ///
    /// # Panics
    /// If the period is 0 or above [`super::PERIOD_MAX`].
    #[must_use]
    pub fn new(period: usize) -> Sma {
        Sma {
            window: vec![0.0; checked(period)].into_boxed_slice(),
            next: 0,
            warm: false,
            sum: 0.0,
            fresh: 0.0,
        }
    }

    /// Takes a value; the average, once `period` values were seen.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        debug_assert!(value.is_finite());
        self.sum += value - self.window[self.next];
        self.fresh += value;
        self.window[self.next] = value;
        self.next += 1;
        if self.next == self.window.len() {
            (self.next, self.warm) = (0, true);
            (self.sum, self.fresh) = (self.fresh, 0.0);
        }
        self.value()
    }

    /// The average as of the last value.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.warm.then(|| self.sum / self.window.len() as f64)
    }

    /// The mean of the squared distances from `mean` over the window, which must be warm.
    pub(super) fn variance(&self, mean: f64) -> f64 {
        let squares: f64 = self.window.iter().map(|value| (value - mean) * (value - mean)).sum();
        squares / self.window.len() as f64
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.window.fill(0.0);
        (self.next, self.warm, self.sum, self.fresh) = (0, false, 0.0, 0.0);
    }
}

/// The exponential moving average with the weight `2 / (period + 1)`, which starts with the simple average of the first `period` values, as
/// StockCharts and TA-Lib do. An error in it shrinks by that weight with each value, so it does not drift.
#[derive(Clone, Debug)]
pub struct Ema {
    period: usize,
    seen: usize,
    weight: f64,
    /// The sum of the first values until there are `period` of them, then the average.
    state: f64,
}

impl Ema {
    /// Over `period` values.
    ///
    /// # Panics
    /// If the period is 0 or above [`super::PERIOD_MAX`].
    #[must_use]
    pub fn new(period: usize) -> Ema {
        Ema::with_weight(period, 2.0 / (checked(period) as f64 + 1.0))
    }

    /// Wilder's average: the same with the weight `1 / period`.
    pub(super) fn wilder(period: usize) -> Ema {
        Ema::with_weight(period, 1.0 / checked(period) as f64)
    }

    fn with_weight(period: usize, weight: f64) -> Ema {
        Ema {
            period,
            seen: 0,
            weight,
            state: 0.0,
        }
    }

    /// Takes a value; the average, once `period` values were seen.
    pub fn update(&mut self, value: f64) -> Option<f64> {
        debug_assert!(value.is_finite());
        if self.seen == self.period {
            self.state += self.weight * (value - self.state);
        } else {
            self.state += value;
            self.seen += 1;
            if self.seen == self.period {
                self.state /= self.period as f64;
            }
        }
        self.value()
    }

    /// The average as of the last value.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        (self.seen == self.period).then_some(self.state)
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        (self.seen, self.state) = (0, 0.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// StockCharts ChartSchool, "Moving Averages – Simple and Exponential": the 10-day example over Intel, prices and both averages to two decimals.
    const PRICES: [f64; 30] = [
        22.27, 22.19, 22.08, 22.17, 22.18, 22.13, 22.23, 22.43, 22.24, 22.29, 22.15, 22.39, 22.38, 22.61, 23.36, 24.05,
        23.75, 23.83, 23.95, 23.63, 23.82, 23.87, 23.65, 23.19, 23.10, 23.33, 22.68, 23.10, 22.40, 22.17,
    ];
    const SMA: [f64; 21] = [
        22.22, 22.21, 22.23, 22.26, 22.30, 22.42, 22.61, 22.77, 22.91, 23.08, 23.21, 23.38, 23.53, 23.65, 23.71, 23.69,
        23.61, 23.51, 23.43, 23.28, 23.13,
    ];
    const EMA: [f64; 21] = [
        22.22, 22.21, 22.24, 22.27, 22.33, 22.52, 22.80, 22.97, 23.13, 23.28, 23.34, 23.43, 23.51, 23.53, 23.47, 23.40,
        23.39, 23.26, 23.23, 23.08, 22.92,
    ];

    fn check(values: impl Iterator<Item = Option<f64>>, warm_after: usize, expected: &[f64]) {
        let values: Vec<_> = values.collect();
        assert!(values[..warm_after].iter().all(Option::is_none));
        let warm: Vec<_> = values[warm_after..].iter().map(|value| value.unwrap()).collect();
        assert_eq!(warm.len(), expected.len());
        for (value, expected) in warm.iter().zip(expected) {
            // The sheet shows closes and averages in whole cents and computes with more.
            assert!((value - expected).abs() < 0.0101, "{value} for {expected}");
        }
    }

    #[test]
    fn the_simple_average_is_the_published_one() {
        let mut sma = Sma::new(10);
        check(PRICES.iter().map(|&price| sma.update(price)), 9, &SMA);
    }

    #[test]
    fn the_exponential_average_is_the_published_one() {
        let mut ema = Ema::new(10);
        check(PRICES.iter().map(|&price| ema.update(price)), 9, &EMA);
    }

    #[test]
    fn the_simple_average_does_not_drift() {
        let mut sma = Sma::new(7);
        // A value that is huge once would poison a sum that slides for ever.
        sma.update(1e18);
        for step in 0..100_000_u32 {
            sma.update(f64::from(step % 11) + 0.1);
        }
        let exact: f64 = (99_993..100_000)
            .map(|step: u32| f64::from(step % 11) + 0.1)
            .sum::<f64>()
            / 7.0;
        assert!((sma.value().unwrap() - exact).abs() < 1e-12);
    }

    #[test]
    fn what_was_reset_is_as_new() {
        let (mut used, mut new) = (Sma::new(3), Sma::new(3));
        let (mut used_ema, mut new_ema) = (Ema::new(3), Ema::new(3));
        for value in [5.0, 6.0, 9.0, 1.0] {
            used.update(value);
            used_ema.update(value);
        }
        used.reset();
        used_ema.reset();
        for value in [1.0, 2.0, 4.0, 8.0] {
            assert_eq!(used.update(value), new.update(value));
            assert_eq!(used_ema.update(value), new_ema.update(value));
        }
    }
}
