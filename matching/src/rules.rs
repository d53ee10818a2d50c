//! What a book accepts.

use tickpath_protocol::Instrument;

use crate::event::Reject;

/// Owner numbers end here; a position is kept for each.
pub const OWNERS_MAX: u32 = 1 << 16;

/// Steps and limits of a book. Prices and quantities are mantissas at the instrument's scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Smallest step of a price, at least 1.
    pub tick: i64,
    /// Smallest step of a quantity, at least 1.
    pub lot: i64,
    /// Largest quantity of one order.
    pub quantity_max: i64,
    /// Open orders that are kept, stops included.
    pub orders_max: u32,
}

impl Default for Rules {
    fn default() -> Rules {
        Rules {
            tick: 1,
            lot: 1,
            // Four orders of this size still add up.
            quantity_max: i64::MAX / 4,
            orders_max: 1 << 20,
        }
    }
}

impl Rules {
    /// With the tick and lot of an instrument; what the venue did not say is one unit.
    #[must_use]
    pub fn of(instrument: &Instrument) -> Rules {
        Rules {
            tick: instrument.tick.max(1),
            lot: instrument.lot.max(1),
            ..Rules::default()
        }
    }

    pub(crate) fn check_quantity(&self, quantity: i64) -> Result<(), Reject> {
        if quantity <= 0 {
            return Err(Reject::QuantityNotPositive);
        }
        if quantity > self.quantity_max {
            return Err(Reject::QuantityTooLarge);
        }
        // A division costs more than the rest of the checks together, and most lots are one unit.
        match self.lot != 1 && quantity % self.lot != 0 {
            true => Err(Reject::OffLot),
            false => Ok(()),
        }
    }

    pub(crate) fn check_price(&self, price: Option<i64>) -> Result<(), Reject> {
        match price {
            Some(price) if price <= 0 => Err(Reject::PriceNotPositive),
            Some(price) if self.tick != 1 && price % self.tick != 0 => Err(Reject::OffTick),
            _ => Ok(()),
        }
    }
}
