//! Values of one kind, kept as an HDR histogram, and the percentiles of them.

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// Digits that a histogram keeps of every value.
const SIGNIFICANT_DIGITS: u8 = 3;

/// Collected values: whole numbers in a histogram, each worth `scale` of the measurement's unit.
///
/// A round trip halved to a one-way time is kept as the round trip with a scale of 0.5.
#[derive(Clone, Debug)]
pub struct Samples {
    histogram: Histogram<u64>,
    scale: f64,
}

/// The percentiles that are reported, in the measurement's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Median.
    pub p50: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p99_9: f64,
    /// The largest value.
    pub max: f64,
    /// How many values there are.
    pub n: u64,
}

impl Samples {
    /// No values yet, each of which will be worth `scale` units.
    ///
    /// # Panics
    /// Never: the number of digits is one that the histogram takes.
    #[must_use]
    pub fn new(scale: f64) -> Samples {
        let histogram = Histogram::new(SIGNIFICANT_DIGITS).expect("3 digits are within 0 to 5");
        Samples { histogram, scale }
    }

    /// Of values that are worth one unit each.
    #[must_use]
    pub fn of(values: impl IntoIterator<Item = u64>) -> Samples {
        let mut samples = Samples::new(1.0);
        for value in values {
            samples.add(value);
        }
        samples
    }

    /// Adds a value.
    ///
    /// # Panics
    /// Never: the histogram grows with what it is given.
    pub fn add(&mut self, value: u64) {
        // Not `saturating_record`: that one does not grow.
        self.histogram
            .record(value)
            .expect("an automatically resizing histogram takes any value");
    }

    /// Adds all values of another collection of the same scale.
    ///
    /// # Panics
    /// If the scales differ.
    pub fn merge(&mut self, other: &Samples) {
        assert!(self.scale == other.scale, "values of different scales cannot be merged");
        self.histogram
            .add(&other.histogram)
            .expect("an automatically resizing histogram takes any value");
    }

    /// The percentiles.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let at = |quantile: f64| self.histogram.value_at_quantile(quantile) as f64 * self.scale;
        Summary {
            p50: at(0.5),
            p90: at(0.9),
            p99: at(0.99),
            p99_9: at(0.999),
            max: self.histogram.max() as f64 * self.scale,
            n: self.histogram.len(),
        }
    }

    /// The histogram, in values that are worth [`Samples::scale`] units.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.histogram
    }

    /// Units that a value of the histogram is worth.
    #[must_use]
    pub fn scale(&self) -> f64 {
        self.scale
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_in_units() {
        let mut samples = Samples::new(0.5);
        for value in 1..=1000 {
            samples.add(value);
        }
        let summary = samples.summary();
        assert_eq!(
            (summary.p50, summary.p90, summary.max, summary.n),
            (250.0, 450.0, 500.0, 1000)
        );
    }
    #[test]
    fn any_value_is_kept_to_three_digits() {
        let mut samples = Samples::of([3, 3, 100_000]);
        samples.add(7_000_000_000);
        samples.add(u64::MAX);
        let summary = samples.summary();
        assert_eq!((summary.p50, summary.n), (100_031.0, 5));
        assert!((summary.p90 / u64::MAX as f64 - 1.0).abs() < 0.001);
    }

    #[test]
    fn nothing_collected_is_zero_and_merging_adds() {
        let mut samples = Samples::new(1.0);
        assert_eq!((samples.summary().p50, samples.summary().n), (0.0, 0));
        samples.merge(&Samples::of([5, 6, 7]));
        samples.merge(&Samples::of([9]));
        assert_eq!(
            (samples.summary().p50, samples.summary().max, samples.summary().n),
            (6.0, 9.0, 4)
        );
    }
}
