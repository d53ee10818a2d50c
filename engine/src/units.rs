//! The numbers of the engine: integers with a meaning, and the one place where a float becomes a price or a quantity.

use std::fmt;

use tickpath_protocol::Instrument;
use tickpath_protocol::trading::MONEY_DECIMALS;

/// A price: mantissa at the instrument's price decimals.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Price(pub i64);

/// A quantity: mantissa at the instrument's size decimals. Negative only where a sign is said to mean something, as in a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Quantity(pub i64);

/// A point in time: ns since the Unix epoch. The engine's is the receive time of the last record, and never goes back.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(pub i64);

impl Time {
    /// Later than anything.
    pub const NEVER: Time = Time(i64::MAX);

    /// This time and `ns` more.
    #[must_use]
    pub fn plus_ns(self, ns: i64) -> Time {
        Time(self.0.saturating_add(ns))
    }

    /// ns from `earlier` to this.
    #[must_use]
    pub fn since_ns(self, earlier: Time) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Days since the Unix epoch, UTC.
    #[must_use]
    pub fn day(self) -> i64 {
        self.0.div_euclid(86_400_000_000_000)
    }
}

/// An amount of a quote currency in units of 1e-8.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(pub i64);

impl Money {
    /// So many whole units of the currency; saturates.
    #[must_use]
    pub const fn whole(units: i64) -> Money {
        Money(units.saturating_mul(10i64.pow(MONEY_DECIMALS as u32)))
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        tickpath_protocol::DecimalText::new(self.0, MONEY_DECIMALS).fmt(f)
    }
}

/// Which way a number that is on no step of a grid goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// To the lower step.
    Down,
    /// To the higher step.
    Up,
    /// To the nearest step, halves away from zero.
    Nearest,
}

const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// The smallest steps of an instrument, at least 1 each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Smallest price step, mantissa.
    pub tick: i64,
    /// Smallest quantity step, mantissa.
    pub lot: i64,
    price_decimals: u8,
    size_decimals: u8,
}

impl Grid {
    /// Of an instrument; a step that the venue does not say is 1.
    #[must_use]
    pub fn of(instrument: &Instrument) -> Grid {
        Grid {
            tick: instrument.tick.max(1),
            lot: instrument.lot.max(1),
            price_decimals: instrument.scale.price_decimals(),
            size_decimals: instrument.scale.size_decimals(),
        }
    }

    /// The price on the grid for a number that a model came to; `None` if it is no number or does not fit.
    #[must_use]
    pub fn price(&self, value: f64, rounding: Rounding) -> Option<Price> {
        on_grid(value, self.price_decimals, self.tick, rounding).map(Price)
    }

    /// The quantity on the grid, never more than `value`; `None` if it is no number or does not fit.
    #[must_use]
    pub fn quantity(&self, value: f64) -> Option<Quantity> {
        on_grid(value, self.size_decimals, self.lot, Rounding::Down).map(Quantity)
    }

    /// A price for a model to reckon with.
    #[must_use]
    pub fn price_f64(&self, price: Price) -> f64 {
        price.0 as f64 / POWERS[usize::from(self.price_decimals)]
    }

    /// A quantity for a model to reckon with.
    #[must_use]
    pub fn quantity_f64(&self, quantity: Quantity) -> f64 {
        quantity.0 as f64 / POWERS[usize::from(self.size_decimals)]
    }
}

fn on_grid(value: f64, decimals: u8, step: i64, rounding: Rounding) -> Option<i64> {
    let steps = value * POWERS[usize::from(decimals)] / step as f64;
    let whole = match rounding {
        Rounding::Down => steps.floor(),
        Rounding::Up => steps.ceil(),
        Rounding::Nearest => steps.round(),
    };
    // 2^53: beyond it a float no longer tells one step from the next.
    if whole.is_nan() || whole.abs() > 9_007_199_254_740_992.0 {
        return None;
    }
    (whole as i64).checked_mul(step)
}

#[cfg(test)]
mod tests {
    use tickpath_protocol::{InstrumentId, Scale, Venue};

    use super::*;

    #[test]
    fn floats_reach_the_grid_or_nothing() {
        let grid = Grid::of(&Instrument {
            id: InstrumentId::new(Venue::KRAKEN, 0),
            symbol: "BTC/USD".into(),
            name: "BTC/USD".into(),
            scale: Scale::new(2, 8).unwrap(),
            tick: 10,
            lot: 0,
        });
        assert_eq!(grid.price(100.26, Rounding::Down), Some(Price(10_020)));
        assert_eq!(grid.price(100.26, Rounding::Up), Some(Price(10_030)));
        assert_eq!(grid.price(100.26, Rounding::Nearest), Some(Price(10_030)));
        assert_eq!(grid.quantity(0.5), Some(Quantity(50_000_000)));
        for bad in [f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(grid.price(bad, Rounding::Down), None);
        }
        assert_eq!(grid.price_f64(Price(10_020)), 100.2);
    }

    #[test]
    fn days_are_utc_and_money_prints() {
        assert_eq!(Time(-1).day(), -1);
        assert_eq!(Time(86_400_000_000_000).day(), 1);
        assert_eq!(Money::whole(-3).to_string(), "-3.00000000");
    }
}
