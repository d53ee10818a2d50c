//! What fills come to: quantity, cost, gains and fees, in whole numbers as the engine counts them.

use tickpath_protocol::Scale;
use tickpath_protocol::trading::{MONEY_DECIMALS, PositionImage};

/// Money at 1e-8 of a quote currency.
pub type Money = i128;

/// What is held of an instrument and what came of it. Cost and gains are at the sum of the decimals of price and size.
///
/// Closing a part releases the same part of the cost, rounded towards zero. Sums that do not fit stay at the largest number there is; the engine refuses
/// such fills, so none comes from it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    quantity: i64,
    cost: i128,
    realized: i128,
    fees: Money,
    fills: u64,
}

impl Position {
    /// As the engine has it.
    #[must_use]
    pub fn of_image(image: &PositionImage) -> Position {
        Position {
            quantity: image.quantity,
            cost: image.cost,
            realized: image.cash.saturating_add(image.cost),
            fees: image.fees,
            fills: image.fills,
        }
    }

    /// How much is held; negative: sold short.
    #[must_use]
    pub fn quantity(&self) -> i64 {
        self.quantity
    }

    /// All fees less all rebates.
    #[must_use]
    pub fn fees(&self) -> Money {
        self.fees
    }

    /// How many fills there were.
    #[must_use]
    pub fn fills(&self) -> u64 {
        self.fills
    }

    /// What was paid or got per unit of what is held, at the instrument's price decimals, rounded to the nearest; `None` if nothing is held.
    #[must_use]
    pub fn average_price(&self) -> Option<i64> {
        let (cost, quantity) = (self.cost.abs(), i128::from(self.quantity).abs());
        (quantity != 0).then(|| i64::try_from(cost.saturating_add(quantity / 2) / quantity).unwrap_or(i64::MAX))
    }

    /// Gained by what was closed, fees aside.
    #[must_use]
    pub fn realized(&self, scale: Scale) -> Money {
        to_money(self.realized, scale)
    }

    /// Gained by what is held, were it closed at `mark`, fees aside.
    #[must_use]
    pub fn unrealized(&self, mark: i64, scale: Scale) -> Money {
        let worth = i128::from(self.quantity) * i128::from(mark);
        to_money(worth.saturating_sub(self.cost), scale)
    }

    /// Takes a fill; `change` is what was bought, negative if sold.
    pub fn fill(&mut self, change: i64, price: i64, fee: i64) {
        let (held, change, price) = (i128::from(self.quantity), i128::from(change), i128::from(price));
        let cost = if held == 0 || (held > 0) == (change > 0) {
            self.cost.saturating_add(price * change)
        } else if change.abs() >= held.abs() {
            // Closed, and what is left over opens the other side.
            price * (held + change)
        } else {
            self.cost - self.cost.saturating_mul(change.abs()) / held.abs()
        };
        // What was paid and got is what was gained less what still stands in the position.
        let paid = price * change;
        self.realized = self
            .realized
            .saturating_add(cost.saturating_sub(self.cost).saturating_sub(paid));
        self.cost = cost;
        self.quantity = i64::try_from(held + change).unwrap_or(i64::MAX);
        self.fees = self.fees.saturating_add(fee.into());
        self.fills += 1;
    }
}

/// Price times size at 1e-8, rounded down.
fn to_money(value: i128, scale: Scale) -> Money {
    let decimals = u32::from(scale.price_decimals()) + u32::from(scale.size_decimals());
    let money = u32::from(MONEY_DECIMALS);
    if decimals >= money {
        value.div_euclid(10_i128.pow(decimals - money))
    } else {
        value.saturating_mul(10_i128.pow(money - decimals))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CENTS: Scale = match Scale::new(2, 3) {
        Some(scale) => scale,
        None => panic!("decimals up to 15 are allowed"),
    };

    #[test]
    fn bought_sold_turned_and_closed() {
        let mut position = Position::default();
        position.fill(2_000, 10_000, 7); // 2 at 100.00
        position.fill(1_000, 13_000, 7); // 1 at 130.00: 3 at 110.00
        assert_eq!((position.quantity(), position.average_price()), (3_000, Some(11_000)));
        position.fill(-1_000, 12_000, -4); // 1 at 120.00: 10.00 gained
        assert_eq!(position.realized(CENTS), 1_000_000_000);
        assert_eq!(position.unrealized(11_500, CENTS), 1_000_000_000);
        position.fill(-3_000, 10_000, 0); // 2 closed at 100.00: 20.00 lost; 1 short
        assert_eq!((position.quantity(), position.average_price()), (-1_000, Some(10_000)));
        assert_eq!(position.realized(CENTS), -1_000_000_000);
        position.fill(1_000, 9_000, 0); // 10.00 gained
        assert_eq!((position.quantity(), position.average_price()), (0, None));
        assert_eq!(
            (position.realized(CENTS), position.fees(), position.fills()),
            (0, 10, 5)
        );
    }

    proptest! {
        /// Money is conserved: what was paid and got, and what is held at any mark, are all that was gained.
        #[test]
        fn gains_are_cash_and_worth(fills in prop::collection::vec((-1_000_000i64..1_000_000, 1i64..1_000_000), 0..40), mark in 1i64..1_000_000) {
            let mut position = Position::default();
            let (mut cash, mut held) = (0_i128, 0_i128);
            for (change, price) in fills {
                position.fill(change, price, 0);
                cash -= i128::from(change) * i128::from(price);
                held += i128::from(change);
            }
            let exact = Scale::new(4, 4).unwrap();
            prop_assert_eq!(i128::from(position.quantity()), held);
            prop_assert_eq!(position.realized(exact) + position.unrealized(mark, exact), cash + held * i128::from(mark));
        }
    }
}
