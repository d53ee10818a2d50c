//! Indicators, one value in and one value out.
//!
//! Each is a small type that is given one observation at a time and answers `None` until it has seen enough (it is *warm* then). Nothing is
//! allocated after construction. They take `f64`, for they feed a strategy's model and never a price by themselves; what they say depends on the order
//! of the observations alone, with no function of the platform but `+ − × ÷` and the square root, which IEEE 754 fixes to the bit.
//!
//! **Drift.** A sum that slides (add the newest, take the oldest away) gathers rounding errors for ever. None here does: [`Sma`] takes a
//! sum afresh with each turn of its window, [`Bollinger`] adds its window up every time, [`Obv`] and [`Vwap`] carry what each addition
//! lost, and the exponential averages forget old errors as they forget old values.
//!
//! **Input.** Observations must be finite; a debug build asserts it. What a gap in the data means is the strategy's to decide:
//! [`reset`](Sma::reset) forgets everything.

mod atr;
mod average;
mod bollinger;
mod compensated;
mod macd;
mod rsi;
mod volume;

pub use atr::Atr;
pub use average::{Ema, Sma};
pub use bollinger::{Bands, Bollinger};
pub use macd::{Macd, MacdValue};
pub use rsi::Rsi;
pub use volume::{Obv, Vwap};

/// Observations that a window may hold.
pub const PERIOD_MAX: usize = 10_000;

/// The period as given, if it is 1 to [`PERIOD_MAX`].
///
/// # Panics
/// If it is not: the parameters of strategies are checked before they come here.
fn checked(period: usize) -> usize {
    assert!(
        (1..=PERIOD_MAX).contains(&period),
        "a period of {period} observations: 1 to {PERIOD_MAX} are possible"
    );
    period
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "a period of 0 observations")]
    fn a_period_of_nothing_is_refused() {
        let _never = Sma::new(0);
    }

    /// TA-Lib 0.8.1 over 250 values, which is long enough for the different starts of its MACD and ATR to have died away.
    #[test]
    fn a_longer_series_agrees_with_ta_lib() {
        let (mut sma, mut ema, mut rsi) = (Sma::new(20), Ema::new(20), Rsi::new(14));
        let (mut macd, mut bands) = (Macd::new(12, 26, 9), Bollinger::new(20, 2.0));
        let (mut atr, mut obv) = (Atr::new(14), Obv::new());
        for n in 0..250_u32 {
            let value = 100.0 + f64::from((n * n * 7919 + n * 31) % 1000) / 100.0;
            sma.update(value);
            ema.update(value);
            rsi.update(value);
            macd.update(value);
            bands.update(value);
            atr.update(value + 1.5, value - 0.5, value);
            obv.update(value, f64::from(n));
        }
        let (macd, bands) = (macd.value().unwrap(), bands.value().unwrap());
        for (name, value, expected) in [
            ("sma", sma.value().unwrap(), 106.009_999_999_999_99),
            ("ema", ema.value().unwrap(), 106.330_142_439_067_91),
            ("rsi", rsi.value().unwrap(), 50.394_269_017_691_49),
            ("upper band", bands.upper, 112.085_978_933_472_35),
            ("lower band", bands.lower, 99.934_021_066_527_63),
            ("atr", atr.value().unwrap(), 4.016_911_387_440_932),
            ("obv", obv.value().unwrap(), 199.0),
            ("macd", macd.macd, 0.632_503_835_943_950_3),
            ("signal", macd.signal, 0.459_846_103_704_837_25),
        ] {
            assert!((value - expected).abs() < 1e-6, "{name}: {value} for {expected}");
        }
    }

    #[test]
    fn nothing_is_allocated_after_construction() {
        let (mut sma, mut ema, mut rsi) = (Sma::new(20), Ema::new(20), Rsi::new(14));
        let (mut macd, mut bands) = (Macd::new(12, 26, 9), Bollinger::new(20, 2.0));
        let (mut atr, mut obv, mut vwap) = (Atr::new(14), Obv::new(), Vwap::new());
        let mut seen = 0;
        let counted = allocation_counter::measure(|| {
            for step in 0..1000 {
                let value = 100.0 + f64::from(step % 7);
                seen += usize::from(sma.update(value).is_some());
                seen += usize::from(ema.update(value).is_some());
                seen += usize::from(rsi.update(value).is_some());
                seen += usize::from(macd.update(value).is_some());
                seen += usize::from(bands.update(value).is_some());
                seen += usize::from(atr.update(value + 1.0, value - 1.0, value).is_some());
                seen += usize::from(obv.update(value, 3.0).is_some());
                seen += usize::from(vwap.update(value, 3.0).is_some());
            }
        });
        assert_eq!(counted.count_total, 0);
        assert_eq!(seen, 981 + 981 + 986 + 967 + 981 + 987 + 1000 + 1000);
    }
}
