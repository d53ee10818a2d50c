//! One position, exactly.

use tickpath_protocol::Side;
use tickpath_protocol::trading::PositionImage;

use super::{Overflow, to_money};
use crate::units::{Money, Price, Quantity};

/// What is held of an instrument, what it cost, and what came of it. Money is at the sum of the instrument's price and size decimals, fees are at
/// 1e-8.
///
/// Always `cash = realised − cost`: what was paid and got is what was gained less what still stands in the position. Closing a part releases the same part
/// of the cost, rounded towards zero; what rounding leaves stays in the cost until the position is closed, and nothing is ever lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    quantity: i64,
    cost: i128,
    cash: i128,
    fees: i128,
    bought: i128,
    sold: i128,
    fills: u64,
}

impl Position {
    /// Nothing held, nothing traded.
    pub const EMPTY: Position = Position {
        quantity: 0,
        cost: 0,
        cash: 0,
        fees: 0,
        bought: 0,
        sold: 0,
        fills: 0,
    };

    /// How much is held; negative: sold short.
    #[must_use]
    pub fn quantity(&self) -> Quantity {
        Quantity(self.quantity)
    }

    /// What the position cost; negative for a short one.
    #[must_use]
    pub fn cost(&self) -> i128 {
        self.cost
    }

    /// What all sales brought less what all purchases cost, fees aside.
    #[must_use]
    pub fn cash(&self) -> i128 {
        self.cash
    }

    /// Gained by what was closed, fees aside.
    #[must_use]
    pub fn realised(&self) -> i128 {
        self.cash + self.cost
    }

    /// Gained by what is held, were it closed at `mark`, fees aside.
    #[must_use]
    pub fn unrealised(&self, mark: Price) -> i128 {
        i128::from(self.quantity) * i128::from(mark.0) - self.cost
    }

    /// All fees less all rebates, at 1e-8.
    #[must_use]
    pub fn fees(&self) -> i128 {
        self.fees
    }

    /// Everything ever bought, by quantity.
    #[must_use]
    pub fn bought(&self) -> i128 {
        self.bought
    }

    /// Everything ever sold, by quantity.
    #[must_use]
    pub fn sold(&self) -> i128 {
        self.sold
    }

    /// How many fills there were.
    #[must_use]
    pub fn fills(&self) -> u64 {
        self.fills
    }

    /// What was paid or got per unit of what is held, rounded to the nearest; `None` if nothing is.
    #[must_use]
    pub fn average_price(&self) -> Option<Price> {
        let quantity = i128::from(self.quantity);
        (quantity != 0).then(|| {
            let (cost, quantity) = (self.cost.abs(), quantity.abs());
            Price(i64::try_from((cost + quantity / 2) / quantity).unwrap_or(i64::MAX))
        })
    }

    /// The position after a fill.
    ///
    /// # Errors
    /// [`Overflow`] if a number does not fit.
    pub fn after(&self, side: Side, price: Price, quantity: Quantity, fee: Money) -> Result<Position, Overflow> {
        let signed = match side {
            Side::Bid => quantity.0,
            Side::Ask => quantity.0.checked_neg().ok_or(Overflow)?,
        };
        let mut next = *self;
        next.quantity = self.quantity.checked_add(signed).ok_or(Overflow)?;
        let paid = i128::from(price.0) * i128::from(signed);
        next.cash = self.cash.checked_sub(paid).ok_or(Overflow)?;
        next.fees = self.fees.checked_add(i128::from(fee.0)).ok_or(Overflow)?;
        next.cost = self.cost_after(signed, price)?;
        match side {
            Side::Bid => next.bought = self.bought.checked_add(i128::from(quantity.0)).ok_or(Overflow)?,
            Side::Ask => next.sold = self.sold.checked_add(i128::from(quantity.0)).ok_or(Overflow)?,
        }
        next.fills += 1;
        next.cash.checked_add(next.cost).ok_or(Overflow)?;
        Ok(next)
    }

    fn cost_after(&self, signed: i64, price: Price) -> Result<i128, Overflow> {
        let (held, change) = (i128::from(self.quantity), i128::from(signed));
        if held == 0 || (held > 0) == (change > 0) {
            let paid = i128::from(price.0) * change;
            return self.cost.checked_add(paid).ok_or(Overflow);
        }
        if change.abs() >= held.abs() {
            // Closed, and what is left over opens the other side.
            return Ok(i128::from(price.0) * (held + change));
        }
        let released = self.cost.checked_mul(change.abs()).ok_or(Overflow)? / held.abs();
        Ok(self.cost - released)
    }

    /// The position that an image of the account states; `None` if its numbers contradict each other.
    #[must_use]
    pub fn of_image(image: &PositionImage) -> Option<Position> {
        let held = image.bought.checked_sub(image.sold)?;
        image.cash.checked_add(image.cost)?;
        let is_sound = held == i128::from(image.quantity) && (image.quantity != 0 || image.cost == 0);
        is_sound.then_some(Position {
            quantity: image.quantity,
            cost: image.cost,
            cash: image.cash,
            fees: image.fees,
            bought: image.bought,
            sold: image.sold,
            fills: image.fills,
        })
    }

    /// Two positions as one.
    pub(super) fn plus(&self, other: &Position) -> Result<Position, Overflow> {
        Ok(Position {
            quantity: self.quantity.checked_add(other.quantity).ok_or(Overflow)?,
            cost: self.cost.checked_add(other.cost).ok_or(Overflow)?,
            cash: self.cash.checked_add(other.cash).ok_or(Overflow)?,
            fees: self.fees.checked_add(other.fees).ok_or(Overflow)?,
            bought: self.bought.checked_add(other.bought).ok_or(Overflow)?,
            sold: self.sold.checked_add(other.sold).ok_or(Overflow)?,
            fills: self.fills + other.fills,
        })
    }

    /// What it contributed to the equity, at 1e-8, rounded down: all gains less all fees. Without a mark what is held counts at its cost.
    pub(super) fn value(&self, mark: Option<Price>, decimals: u8) -> Result<i128, Overflow> {
        let held = match mark {
            Some(mark) => i128::from(self.quantity) * i128::from(mark.0),
            None => self.cost,
        };
        let exact = self.cash.checked_add(held).ok_or(Overflow)?;
        to_money(exact, decimals)?.checked_sub(self.fees).ok_or(Overflow)
    }
}
