//! The model: where to quote, as a distance from the mid price. Floats live here and nowhere else in the strategy.
//!
//! Prices are measured in basis points of the mid price and the inventory in units of the order size, so that one set of parameters means the same for
//! instruments of any price. Time is in seconds.
//!
//! | paper | here | unit |
//! |---|---|---|
//! | `s` | mid price, the origin | bp |
//! | `q` | `inventory`: position / order size | orders |
//! | `γ` | `risk_aversion` | 1 / bp |
//! | `k` | `intensity`: how fast fills get rarer away from the mid, `λ(δ) = A e^(−kδ)` | 1 / bp |
//! | `σ²` | [`Variance`] | bp² / s |
//! | `T − t` | `horizon_s`, which does not run down: the market has no close | s |
//!
//! Section 3.2 of the paper: the reservation price is `r = s − q γ σ² (T − t)`, and the quotes are `γ σ² (T − t) + (2 / γ) ln(1 + γ / k)`
//! apart, half of it on each side of `r`.

use crate::indicator::Ema;

const BP: f64 = 1e4;
const NS_PER_S: f64 = 1e9;

/// The parameters of the model.
#[derive(Clone, Copy, Debug)]
pub struct Model {
    risk_aversion: f64,
    horizon_s: f64,
    /// `(1 / γ) ln(1 + γ / k)`: half of the spread that is there without any risk, bp.
    base_bp: f64,
    half_spread_min_bp: f64,
}

/// Quotes as mantissas that are not yet rounded to the tick.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quotes {
    /// Reservation price.
    pub reservation: f64,
    /// Bid.
    pub bid: f64,
    /// Ask.
    pub ask: f64,
}

impl Model {
    /// All arguments must be above 0, the last may be 0.
    #[must_use]
    pub fn new(risk_aversion: f64, intensity: f64, horizon_s: f64, half_spread_min_bp: f64) -> Model {
        Model {
            risk_aversion,
            horizon_s,
            // From a library, because the platform's logarithm differs between platforms in its last bit.
            base_bp: libm::log1p(risk_aversion / intensity) / risk_aversion,
            half_spread_min_bp,
        }
    }

    /// The quotes around `mid` (a mantissa) with `inventory` orders held.
    #[must_use]
    pub fn quotes(&self, mid: f64, inventory: f64, variance: f64) -> Quotes {
        let risk_bp = self.risk_aversion * variance * self.horizon_s;
        let half_bp = (risk_bp / 2.0 + self.base_bp).max(self.half_spread_min_bp);
        let reservation_bp = -inventory * risk_bp;
        let at = |bp: f64| mid + mid * bp / BP;
        Quotes {
            reservation: at(reservation_bp),
            bid: at(reservation_bp - half_bp),
            ask: at(reservation_bp + half_bp),
        }
    }
}

/// The variance of the mid price per second: the exponential average of squared returns over the time that each took. The mid is sampled at
/// most once an interval, for its bounce from tick to tick is no risk of a position.
#[derive(Clone, Debug)]
pub struct Variance {
    interval_ns: i64,
    last: Option<(i64, f64)>,
    average: Ema,
}

impl Variance {
    /// Sampled every `interval_ns`, averaged over `samples`.
    #[must_use]
    pub fn new(interval_ns: i64, samples: usize) -> Variance {
        Variance {
            interval_ns,
            last: None,
            average: Ema::new(samples),
        }
    }

    /// Takes a mid price (any unit, above 0) at a time that does not go backwards.
    pub fn update(&mut self, now_ns: i64, mid: f64) {
        let Some((then_ns, then)) = self.last else {
            self.last = Some((now_ns, mid));
            return;
        };
        let passed_ns = now_ns - then_ns;
        if passed_ns < self.interval_ns {
            return;
        }
        let change_bp = (mid - then) / then * BP;
        self.average.update(change_bp * change_bp * NS_PER_S / passed_ns as f64);
        self.last = Some((now_ns, mid));
    }

    /// bp² / s, once there were enough samples.
    #[must_use]
    pub fn value(&self) -> Option<f64> {
        self.average.value()
    }

    /// What happened since the last sample is not known: the next mid price begins a new one. The average stays.
    pub fn interrupt(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn close(value: f64, expected: f64) -> bool {
        (value - expected).abs() < 1e-9 * expected.abs().max(1.0)
    }

    /// Section 3.3 of the paper: σ = 2, k = 1.5, T = 1, and an average spread over `t` from 0 to 1 of 1.49 with γ = 0.1 (table 1) and 1.35
    /// with γ = 0.01 (table 2). The spread is linear in `t`, so its average is the one at the middle. A basis point stands for the paper's
    /// unit of price.
    #[test]
    fn spreads_are_those_of_the_paper() {
        for (risk_aversion, expected) in [(0.1, 1.49), (0.01, 1.35)] {
            // A mid of 10,000 makes a basis point 1.
            let quotes = Model::new(risk_aversion, 1.5, 0.5, 0.0).quotes(10_000.0, 0.0, 4.0);
            assert!((quotes.ask - quotes.bid - expected).abs() < 0.005, "{quotes:?}");
        }
    }

    #[test]
    fn inventory_moves_both_quotes_against_it() {
        let model = Model::new(0.1, 1.5, 1.0, 0.0);
        let (flat, long) = (model.quotes(10_000.0, 0.0, 4.0), model.quotes(10_000.0, 3.0, 4.0));
        assert!(close(flat.reservation, 10_000.0));
        assert!(close(flat.ask - flat.bid, 0.4 + 20.0 * (16.0_f64 / 15.0).ln()));
        assert!(close(long.reservation, 10_000.0 - 3.0 * 0.4), "{long:?}");
        assert!(close(long.ask - long.bid, flat.ask - flat.bid));
        let wide = Model::new(0.1, 1.5, 1.0, 5.0).quotes(10_000.0, 0.0, 4.0);
        assert!(close(wide.ask - wide.bid, 10.0));
    }

    #[test]
    fn the_variance_is_that_of_the_samples() {
        let mut variance = Variance::new(SECOND, 2);
        variance.update(0, 10_000.0);
        variance.update(SECOND / 2, 20_000.0);
        variance.update(SECOND, 10_002.0);
        assert_eq!(variance.value(), None, "one sample, and a bounce that is none");
        // 2 bp in 1 s: 4. Then 4 bp in 2 s: 16 / 2.
        variance.update(3 * SECOND, 10_002.0 * 1.0004);
        assert!(close(variance.value().unwrap(), 6.0), "{:?}", variance.value());
        variance.interrupt();
        variance.update(9 * SECOND, 5000.0);
        assert!(
            close(variance.value().unwrap(), 6.0),
            "the fall during a gap is no sample"
        );
        variance.update(10 * SECOND, 5000.0);
        assert!(close(variance.value().unwrap(), 2.0), "weight 2 / 3 for 0");
    }
}
