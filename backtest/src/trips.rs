//! Fills, and the round trips that they make.
//!
//! A round trip begins with the fill that leaves flat and ends with the one that returns to flat, of one strategy in one instrument. A fill that turns a
//! position around ends one trip and begins the next: its quantity is split, and its fee in proportion, the ending part rounded up.

use std::collections::BTreeMap;

use tickpath_protocol::{InstrumentId, Scale, Side};

use crate::money::rounded;

/// A fill of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The engine's time, ns since the Unix epoch.
    pub at_ns: i64,
    /// Position of the input that caused it.
    pub position: u64,
    /// What was traded.
    pub instrument: InstrumentId,
    /// Decimals of price and quantity.
    pub scale: Scale,
    /// Index of the strategy.
    pub strategy: u16,
    /// The client order id.
    pub order: u64,
    /// Bought or sold.
    pub side: Side,
    /// Mantissa.
    pub price: i64,
    /// Mantissa, above 0.
    pub quantity: i64,
    /// In quote currency at [`crate::metrics::MONEY_DECIMALS`]; below 0: a rebate.
    pub fee: i64,
    /// Whether it rested.
    pub is_maker: bool,
}

impl Fill {
    /// Price times quantity in quote currency, exact, at the sum of both decimals.
    #[must_use]
    pub fn notional(&self) -> i128 {
        i128::from(self.price) * i128::from(self.quantity)
    }

    /// Decimals of [`Fill::notional`].
    #[must_use]
    pub fn notional_decimals(&self) -> u8 {
        self.scale.price_decimals() + self.scale.size_decimals()
    }
}

/// From flat to flat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Trip {
    /// What was traded.
    pub instrument: InstrumentId,
    /// Decimals of quantities.
    pub scale: Scale,
    /// Index of the strategy.
    pub strategy: u16,
    /// Long if it began with a purchase.
    pub side: Side,
    /// Time of the first fill, ns since the Unix epoch.
    pub opened_ns: i64,
    /// Time of the last fill.
    pub closed_ns: i64,
    /// Quantity that was taken on, and given back, in all; a mantissa.
    pub quantity: i128,
    /// Mean price of what was taken on.
    pub entry_price: f64,
    /// Mean price of what was given back.
    pub exit_price: f64,
    /// Fills, those that were split included.
    pub fills: u32,
    /// What sales brought less what purchases cost, at [`crate::metrics::MONEY_DECIMALS`], rounded down.
    pub gross: i128,
    /// Fees of its fills.
    pub fees: i128,
    /// `gross - fees`.
    pub net: i128,
}

/// An amount is larger than 128 bits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the amounts of a round trip in {0:?} overflow 128 bits")]
pub struct Overflow(pub InstrumentId);

/// A trip that is under way.
#[derive(Clone, Copy, Debug)]
struct Open {
    side: Side,
    opened_ns: i64,
    /// Signed: above 0 is long.
    position: i128,
    entered: i128,
    entered_for: i128,
    left_for: i128,
    fees: i128,
    fills: u32,
}

/// Makes round trips of fills in order of time.
#[derive(Debug, Default)]
pub struct Trips {
    open: BTreeMap<(u16, InstrumentId), Open>,
    closed: Vec<Trip>,
}

impl Trips {
    /// Takes the next fill.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn fill(&mut self, fill: &Fill) -> Result<(), Overflow> {
        let key = (fill.strategy, fill.instrument);
        let held = self.open.get(&key).map_or(0, |open| open.position);
        let quantity = i128::from(fill.quantity);
        let is_against = held != 0 && (held > 0) != (fill.side == Side::Bid);
        let closing = if is_against { quantity.min(held.abs()) } else { 0 };
        let fee = i128::from(fill.fee);
        // Rounded up: towards what costs us.
        let closing_fee = -(-fee * closing).div_euclid(quantity.max(1));
        if closing > 0 {
            self.close(key, fill, closing, closing_fee)?;
        }
        if quantity > closing {
            self.enter(key, fill, quantity - closing, fee - closing_fee);
        }
        Ok(())
    }

    fn enter(&mut self, key: (u16, InstrumentId), fill: &Fill, quantity: i128, fee: i128) {
        let open = self.open.entry(key).or_insert(Open {
            side: fill.side,
            opened_ns: fill.at_ns,
            position: 0,
            entered: 0,
            entered_for: 0,
            left_for: 0,
            fees: 0,
            fills: 0,
        });
        let price = i128::from(fill.price);
        open.position += if fill.side == Side::Bid { quantity } else { -quantity };
        open.entered += quantity;
        open.entered_for += price * quantity;
        open.fees += fee;
        open.fills += 1;
    }

    fn close(&mut self, key: (u16, InstrumentId), fill: &Fill, quantity: i128, fee: i128) -> Result<(), Overflow> {
        let Some(open) = self.open.get_mut(&key) else {
            return Ok(());
        };
        open.position += if fill.side == Side::Bid { quantity } else { -quantity };
        open.left_for += i128::from(fill.price) * quantity;
        open.fees += fee;
        open.fills += 1;
        if open.position != 0 {
            return Ok(());
        }
        let open = *open;
        self.open.remove(&key);
        let paid_in = open.left_for - open.entered_for;
        let exact = if open.side == Side::Bid { paid_in } else { -paid_in };
        let gross = rounded(exact, fill.notional_decimals()).ok_or(Overflow(fill.instrument))?;
        self.closed.push(Trip {
            instrument: fill.instrument,
            scale: fill.scale,
            strategy: fill.strategy,
            side: open.side,
            opened_ns: open.opened_ns,
            closed_ns: fill.at_ns,
            quantity: open.entered,
            entry_price: mean_price(open.entered_for, open.entered, fill.scale),
            exit_price: mean_price(open.left_for, open.entered, fill.scale),
            fills: open.fills,
            gross,
            fees: open.fees,
            net: gross - open.fees,
        });
        Ok(())
    }

    /// The trips that ended, in order of their end.
    #[must_use]
    pub fn closed(&self) -> &[Trip] {
        &self.closed
    }

    /// The trips that ended, and how many are under way.
    #[must_use]
    pub fn finish(self) -> (Vec<Trip>, usize) {
        (self.closed, self.open.len())
    }
}

fn mean_price(notional: i128, quantity: i128, scale: Scale) -> f64 {
    notional as f64 / quantity as f64 / libm::pow(10.0, scale.price_decimals().into())
}

#[cfg(test)]
mod tests {
    use tickpath_protocol::Venue;

    use super::*;

    /// Prices with 2 decimals, quantities with 1.
    fn fill(at_ns: i64, side: Side, price: i64, quantity: i64, fee: i64) -> Fill {
        Fill {
            at_ns,
            position: 0,
            instrument: InstrumentId::new(Venue::KRAKEN, 0),
            scale: Scale::new(2, 1).unwrap(),
            strategy: 0,
            order: 1,
            side,
            price,
            quantity,
            fee,
            is_maker: false,
        }
    }

    fn trips(fills: &[Fill]) -> (Vec<Trip>, usize) {
        let mut trips = Trips::default();
        for fill in fills {
            trips.fill(fill).unwrap();
        }
        trips.finish()
    }

    /// 1.0 at 100.00 and 1.0 at 102.00 bought, 2.0 at 103.00 sold: 206 - 202 = 4 before fees of 0.3.
    #[test]
    fn a_long_trip_by_hand() {
        let (closed, open) = trips(&[
            fill(1, Side::Bid, 10_000, 10, 10_000_000),
            fill(2, Side::Bid, 10_200, 10, 10_000_000),
            fill(5, Side::Ask, 10_300, 20, 10_000_000),
        ]);
        assert_eq!((closed.len(), open), (1, 0));
        let trip = closed[0];
        assert_eq!(
            (trip.side, trip.opened_ns, trip.closed_ns, trip.fills),
            (Side::Bid, 1, 5, 3)
        );
        assert_eq!(
            (trip.gross, trip.fees, trip.net),
            (400_000_000, 30_000_000, 370_000_000)
        );
        assert_eq!((trip.quantity, trip.entry_price, trip.exit_price), (20, 101.0, 103.0));
    }

    /// 1.0 sold at 100.00; 3.0 bought at 99.00 with a fee of 10 units: 1.0 of it ends the trip with 4 of the units, 2.0 begins the next.
    #[test]
    fn a_fill_that_turns_around_is_split() {
        let (closed, open) = trips(&[
            fill(1, Side::Ask, 10_000, 10, 0),
            fill(2, Side::Bid, 9_900, 30, 10),
            fill(3, Side::Ask, 9_800, 20, -3),
        ]);
        assert_eq!((closed.len(), open), (2, 0));
        assert_eq!(
            (closed[0].side, closed[0].gross, closed[0].fees),
            (Side::Ask, 100_000_000, 4)
        );
        assert_eq!(
            (closed[1].side, closed[1].gross, closed[1].fees),
            (Side::Bid, -200_000_000, 3)
        );
        assert_eq!((closed[1].opened_ns, closed[1].fills), (2, 2));
    }

    #[test]
    fn strategies_and_positions_are_apart() {
        let other = Fill {
            strategy: 1,
            ..fill(2, Side::Ask, 10_000, 10, 0)
        };
        let (closed, open) = trips(&[fill(1, Side::Bid, 10_000, 10, 0), other]);
        assert_eq!((closed.len(), open), (0, 2));
    }
}
