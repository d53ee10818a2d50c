//! The two markets side by side: whether one is cheap enough, in integers.

use tickpath_protocol::{Instrument, Level};

use crate::strategy::parameter::EXACT_DECIMALS;

/// Mantissas of [`EXACT_DECIMALS`] in one basis point, times the basis points in one.
const EXACT_ONE: i128 = 10i128.pow(EXACT_DECIMALS as u32) * 10_000;

/// Best bid and offer of one market.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Top {
    /// Best bid.
    pub bid: Level,
    /// Best offer.
    pub ask: Level,
}

/// Brings the mantissas of two instruments to the finer of their scales.
#[derive(Clone, Copy, Debug)]
pub struct CommonScale {
    price: [i128; 2],
    size: [i128; 2],
    /// The smallest size at the common scale that is a whole number of lots of both.
    lot: i128,
}

impl CommonScale {
    /// Of two instruments.
    #[must_use]
    pub fn new(of: [&Instrument; 2]) -> CommonScale {
        let factors = |decimals: [u8; 2]| {
            let finest = decimals[0].max(decimals[1]);
            decimals.map(|own| 10i128.pow(u32::from(finest - own)))
        };
        let size = factors([of[0].scale.size_decimals(), of[1].scale.size_decimals()]);
        let lots = [0, 1].map(|leg| i128::from(of[leg].lot.max(1)) * size[leg]);
        CommonScale {
            price: factors([of[0].scale.price_decimals(), of[1].scale.price_decimals()]),
            size,
            lot: (lots[0] / gcd(lots[0], lots[1])).saturating_mul(lots[1]),
        }
    }

    /// A size of a leg at the common scale.
    #[must_use]
    pub fn widen(&self, leg: usize, size: i64) -> i128 {
        i128::from(size) * self.size[leg]
    }

    /// A size at the common scale as one of a leg, cut to the leg's decimals.
    #[must_use]
    pub fn narrow(&self, leg: usize, size: i128) -> i64 {
        i64::try_from(size / self.size[leg]).unwrap_or(i64::MAX)
    }

    /// A size at the common scale, cut to whole lots of both.
    #[must_use]
    pub fn whole_lots(&self, size: i128) -> i128 {
        size - size % self.lot
    }

    fn price(&self, leg: usize, price: i64) -> i128 {
        i128::from(price) * self.price[leg]
    }

    /// Whether buying on `cheap` at its offer and selling on the other at its bid leaves more than the fees of both and `edge` of the price
    /// paid. Fees and edge are in basis points, mantissas at [`EXACT_DECIMALS`]. Prices that overflow are never worth it.
    #[must_use]
    pub fn is_worth(&self, cheap: usize, tops: [Top; 2], fees: [i64; 2], edge: i64) -> bool {
        let dear = 1 - cheap;
        let paid = self.price(cheap, tops[cheap].ask.price);
        let got = self.price(dear, tops[dear].bid.price);
        let cost = |price: i128, rate: i64| price.checked_mul(rate.into());
        let net = || {
            let gross = (got - paid).checked_mul(EXACT_ONE)?;
            let fees = cost(paid, fees[cheap])?.checked_add(cost(got, fees[dear])?)?;
            gross.checked_sub(fees)?.checked_sub(cost(paid, edge)?)
        };
        paid > 0 && net().is_some_and(|net| net > 0)
    }

    /// Whether the mid price of `dear` is no more than that of the other, plus `exit` of it (basis points as above): what was to be gained is gained.
    #[must_use]
    pub fn is_gone(&self, dear: usize, tops: [Top; 2], exit: i64) -> bool {
        let cheap = 1 - dear;
        let mids = [0, 1].map(|leg| self.price(leg, tops[leg].bid.price) + self.price(leg, tops[leg].ask.price));
        let ahead = (mids[dear] - mids[cheap]).checked_mul(EXACT_ONE);
        let allowed = mids[cheap].checked_mul(exit.into());
        matches!((ahead, allowed), (Some(ahead), Some(allowed)) if ahead <= allowed)
    }
}

fn gcd(a: i128, b: i128) -> i128 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use tickpath_protocol::{InstrumentId, Scale, Venue};

    use super::*;

    const BP: i64 = 1_000_000_000;

    fn instrument(venue: Venue, price: u8, size: u8, lot: i64) -> Instrument {
        Instrument {
            id: InstrumentId::new(venue, 0),
            symbol: "BTC/USD".into(),
            name: "BTC/USD".into(),
            scale: Scale::new(price, size).unwrap(),
            tick: 1,
            lot,
        }
    }

    fn top(bid: i64, ask: i64) -> Top {
        let level = |price| Level { price, size: 1 };
        Top {
            bid: level(bid),
            ask: level(ask),
        }
    }

    fn scale() -> CommonScale {
        CommonScale::new([
            &instrument(Venue::KRAKEN, 1, 8, 5000),
            &instrument(Venue::COINBASE, 2, 4, 3),
        ])
    }

    #[test]
    fn an_edge_is_what_remains_of_the_difference() {
        // Bought at 100.0, sold at 100.25: 25 bp. Fees of 10 bp on each: 0.1 + 0.10025, which leaves 0.04975: 4.975 bp of 100.
        let tops = [top(999, 1000), top(10_025, 10_030)];
        let fees = [10 * BP, 10 * BP];
        assert!(scale().is_worth(0, tops, fees, 4 * BP));
        assert!(scale().is_worth(0, tops, fees, 4_974_999_999));
        assert!(
            !scale().is_worth(0, tops, fees, 4_975_000_000),
            "more than the edge, not as much"
        );
        assert!(!scale().is_worth(1, tops, fees, 0), "the other way round it loses");
        let extreme = [top(i64::MAX, i64::MAX), top(i64::MAX, i64::MAX)];
        assert!(!scale().is_worth(0, extreme, fees, 0));
    }

    #[test]
    fn the_difference_is_gone_when_the_mids_meet() {
        // Mids 100.00 and 100.02: 2 bp.
        let tops = [top(999, 1001), top(10_001, 10_003)];
        assert!(!scale().is_gone(1, tops, BP));
        assert!(scale().is_gone(1, tops, 2 * BP));
        assert!(scale().is_gone(0, tops, 0), "Kraken is the cheap one already");
    }

    #[test]
    fn sizes_are_whole_lots_of_both() {
        // Lots of 0.00005 and 0.0003: whole lots of both are multiples of 0.0003, at 8 decimals 30,000.
        let scale = scale();
        assert_eq!(scale.whole_lots(99_999), 90_000);
        assert_eq!(
            (scale.widen(1, 9), scale.narrow(1, 90_000), scale.narrow(0, 90_000)),
            (90_000, 9, 90_000)
        );
    }
}
