//! Bollinger bands.

use super::average::Sma;

/// The bands as of one value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bands {
    /// `middle + width × deviation`.
    pub upper: f64,
    /// The simple average.
    pub middle: f64,
    /// `middle − width × deviation`.
    pub lower: f64,
}

/// Bands of `width` standard deviations (of the whole window, divided by `period`) around the simple average of `period` values.
///
/// The squares are added up over the window each time, around its mean: a sum of squares that slides would lose nearly all digits of a small deviation of
/// large prices.
///
/// Source: John Bollinger, *Bollinger on Bollinger Bands* (2001), chapter 7.
#[derive(Clone, Debug)]
pub struct Bollinger {
    mean: Sma,
    width: f64,
}

impl Bollinger {
    /// Bollinger's are 20 values and 2 deviations.
    ///
    /// # Panics
    /// If the period is 0 or above [`super::PERIOD_MAX`].
    #[must_use]
    pub fn new(period: usize, width: f64) -> Bollinger {
        Bollinger {
            mean: Sma::new(period),
            width,
        }
    }

    /// Takes a value; the bands, once `period` values were seen.
    pub fn update(&mut self, value: f64) -> Option<Bands> {
        self.mean.update(value);
        self.value()
    }

    /// The bands as of the last value.
    #[must_use]
    pub fn value(&self) -> Option<Bands> {
        let middle = self.mean.value()?;
        let reach = self.width * self.mean.variance(middle).sqrt();
        Some(Bands {
            upper: middle + reach,
            middle,
            lower: middle - reach,
        })
    }

    /// Forgets all values.
    pub fn reset(&mut self) {
        self.mean.reset();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// StockCharts ChartSchool, "Bollinger Bands": the example of 20 days and 2 deviations, closes and bands to two decimals.
    const CLOSES: [f64; 42] = [
        86.16, 89.09, 88.78, 90.32, 89.07, 91.15, 89.44, 89.18, 86.93, 87.68, 86.96, 89.43, 89.32, 88.72, 87.45, 87.26,
        89.50, 87.90, 89.13, 90.70, 92.90, 92.98, 91.80, 92.66, 92.68, 92.30, 92.77, 92.54, 92.95, 93.20, 91.07, 89.83,
        89.74, 90.40, 90.74, 88.02, 88.09, 88.84, 90.78, 90.54, 91.39, 90.65,
    ];
    const MIDDLE: [f64; 23] = [
        88.71, 89.05, 89.24, 89.39, 89.51, 89.69, 89.75, 89.91, 90.08, 90.38, 90.66, 90.86, 90.88, 90.91, 90.99, 91.15,
        91.19, 91.12, 91.17, 91.25, 91.24, 91.17, 91.05,
    ];
    const UPPER: [f64; 23] = [
        91.29, 91.95, 92.61, 92.93, 93.31, 93.73, 93.90, 94.27, 94.57, 94.79, 95.04, 94.91, 94.90, 94.90, 94.86, 94.67,
        94.56, 94.68, 94.58, 94.53, 94.53, 94.37, 94.15,
    ];

    #[test]
    fn the_bands_are_the_published_ones() {
        let mut bollinger = Bollinger::new(20, 2.0);
        for (n, close) in CLOSES.into_iter().enumerate() {
            let value = bollinger.update(close);
            let Some(row) = n.checked_sub(19) else {
                assert_eq!(value, None);
                continue;
            };
            let bands = value.unwrap();
            // The sheet rounds the closes it shows, so its bands differ by up to a cent.
            assert!((bands.middle - MIDDLE[row]).abs() < 0.0101, "row {row}: {bands:?}");
            assert!((bands.upper - UPPER[row]).abs() < 0.0151, "row {row}: {bands:?}");
            assert!((bands.upper + bands.lower - 2.0 * bands.middle).abs() < 1e-9);
        }
    }

    #[test]
    fn a_small_deviation_of_large_prices_keeps_its_digits() {
        let mut bollinger = Bollinger::new(4, 1.0);
        let values = [1e9 - 1e-3, 1e9 + 1e-3, 1e9 - 1e-3, 1e9 + 1e-3];
        let bands = values.map(|value| bollinger.update(value))[3].unwrap();
        assert!((bands.upper - bands.middle - 1e-3).abs() < 1e-6, "{bands:?}");
        let mut flat = Bollinger::new(3, 2.0);
        let bands = [0.1; 9].map(|value| flat.update(value))[8].unwrap();
        assert!((bands.upper - bands.lower).abs() < 1e-15, "{bands:?}");
    }
}
