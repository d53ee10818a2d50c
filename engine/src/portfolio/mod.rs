//! Positions and money, per strategy and in total.
//!
//! Within an instrument everything is exact: price × quantity at the sum of their decimals, in 128 bits. Between instruments money is added up by
//! currency at 1e-8, each instrument's part rounded down, so equity is never overstated. Currencies are never converted: USD and USDT are two.

mod position;
#[cfg(test)]
mod tests;

pub use position::Position;
use tickpath_protocol::trading::MONEY_DECIMALS;
use tickpath_protocol::{Instrument, Side};

use crate::market::{InstrumentIndex, InstrumentView};
use crate::units::{Money, Price, Quantity};

/// A number does not fit: nothing was booked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("price × quantity, a position or a sum of money does not fit its number: nothing was booked")]
pub struct Overflow;

/// A quote currency's place in [`Portfolio::currencies`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Currency(pub u16);

/// The positions and the equity of one strategy, or of all.
#[derive(Clone, Debug, Default)]
pub struct Account {
    positions: Vec<Position>,
    /// What each position contributes to the equity, at 1e-8, as of its last mark.
    values: Vec<i128>,
    /// By currency, capital included.
    equity: Vec<i128>,
}

impl Account {
    /// The position of an instrument.
    #[must_use]
    pub fn position(&self, index: InstrumentIndex) -> &Position {
        &self.positions[index.get()]
    }

    /// All positions, by instrument index.
    #[must_use]
    pub fn positions(&self) -> &[Position] {
        &self.positions
    }

    /// Capital and all gains, losses and fees, as of the last marks.
    #[must_use]
    pub fn equity(&self, currency: Currency) -> i128 {
        self.equity[usize::from(currency.0)]
    }

    fn set_value(&mut self, index: InstrumentIndex, currency: Currency, value: i128) {
        let old = std::mem::replace(&mut self.values[index.get()], value);
        self.equity[usize::from(currency.0)] += value - old;
    }
}

/// What the portfolio knows of an instrument.
#[derive(Clone, Copy, Debug)]
struct Terms {
    currency: Currency,
    /// Decimals of price × quantity.
    decimals: u8,
}

/// The accounts of all strategies, and their sum.
#[derive(Debug, Default)]
pub struct Portfolio {
    currencies: Vec<String>,
    instruments: Vec<Terms>,
    strategies: Vec<Account>,
    total: Account,
}

impl Portfolio {
    /// A portfolio of nothing.
    #[must_use]
    pub fn new() -> Portfolio {
        Portfolio::default()
    }

    /// Takes the next instrument; they must come in the order of the market view.
    pub fn add_instrument(&mut self, instrument: &Instrument) {
        let name = quote_currency(&instrument.name);
        let known = self.currencies.iter().position(|known| known == name);
        let currency = Currency(known.unwrap_or(self.currencies.len()) as u16);
        if known.is_none() {
            self.currencies.push(name.to_owned());
        }
        self.instruments.push(Terms {
            currency,
            decimals: instrument.scale.price_decimals() + instrument.scale.size_decimals(),
        });
        let (instruments, currencies) = (self.instruments.len(), self.currencies.len());
        for account in self.strategies.iter_mut().chain([&mut self.total]) {
            account.positions.resize(instruments, Position::default());
            account.values.resize(instruments, 0);
            account.equity.resize(currencies, 0);
        }
    }

    /// Takes the next strategy, with so much capital in each of these currencies.
    pub fn add_strategy(&mut self, capital: Money, currencies: &[Currency]) {
        let mut account = Account {
            positions: vec![Position::default(); self.instruments.len()],
            values: vec![0; self.instruments.len()],
            equity: vec![0; self.currencies.len()],
        };
        for currency in currencies {
            account.equity[usize::from(currency.0)] += i128::from(capital.0);
            self.total.equity[usize::from(currency.0)] += i128::from(capital.0);
        }
        self.strategies.push(account);
    }

    /// The quote currencies, by [`Currency`].
    #[must_use]
    pub fn currencies(&self) -> &[String] {
        &self.currencies
    }

    /// The currency in which an instrument is quoted.
    #[must_use]
    pub fn currency(&self, index: InstrumentIndex) -> Currency {
        self.instruments[index.get()].currency
    }

    /// A strategy's account.
    #[must_use]
    pub fn strategy(&self, strategy: u16) -> &Account {
        &self.strategies[usize::from(strategy)]
    }

    /// The sum of all accounts.
    #[must_use]
    pub fn total(&self) -> &Account {
        &self.total
    }

    /// price × quantity of an instrument in money, rounded up.
    ///
    /// # Errors
    /// [`Overflow`] if it does not fit.
    pub fn notional(&self, index: InstrumentIndex, price: Price, quantity: Quantity) -> Result<Money, Overflow> {
        let exact = i128::from(price.0) * i128::from(quantity.0);
        let up = -to_money(-exact, self.instruments[index.get()].decimals)?;
        i64::try_from(up).map(Money).map_err(|_| Overflow)
    }

    /// Books a fill in a strategy's account and in the total.
    ///
    /// # Errors
    /// [`Overflow`]; nothing is booked then.
    pub fn book(
        &mut self,
        strategy: u16,
        index: InstrumentIndex,
        side: Side,
        price: Price,
        quantity: Quantity,
        fee: Money,
    ) -> Result<(), Overflow> {
        let at = index.get();
        let own = self.strategies[usize::from(strategy)].positions[at].after(side, price, quantity, fee)?;
        let all = self.total.positions[at].after(side, price, quantity, fee)?;
        self.strategies[usize::from(strategy)].positions[at] = own;
        self.total.positions[at] = all;
        Ok(())
    }

    /// Puts a position of earlier sessions in place of an empty one.
    ///
    /// # Errors
    /// [`Overflow`] if the total does not fit.
    pub fn seed(&mut self, strategy: u16, index: InstrumentIndex, position: Position) -> Result<(), Overflow> {
        let at = index.get();
        self.total.positions[at] = self.total.positions[at].plus(&position)?;
        self.strategies[usize::from(strategy)].positions[at] = position;
        Ok(())
    }

    /// Whether any strategy holds the instrument.
    #[must_use]
    #[inline]
    pub fn is_held(&self, index: InstrumentIndex) -> bool {
        self.strategies
            .iter()
            .any(|account| account.positions[index.get()].quantity() != Quantity(0))
    }

    /// Values every position in an instrument at its mark.
    ///
    /// # Errors
    /// [`Overflow`] if a value does not fit; it stays as it was.
    pub fn revalue(&mut self, index: InstrumentIndex, view: &InstrumentView) -> Result<(), Overflow> {
        let Terms { currency, decimals } = self.instruments[index.get()];
        for account in self.strategies.iter_mut().chain([&mut self.total]) {
            let position = &account.positions[index.get()];
            let value = position.value(view.mark(position.quantity()), decimals)?;
            account.set_value(index, currency, value);
        }
        Ok(())
    }

    /// What all positions of an account in a currency are worth, each taken as positive, at the marks, at 1e-8, rounded up.
    ///
    /// # Errors
    /// [`Overflow`] if the sum does not fit.
    pub fn gross<'a>(
        &self,
        account: &Account,
        currency: Currency,
        views: impl Iterator<Item = &'a InstrumentView>,
    ) -> Result<i128, Overflow> {
        let mut sum = 0i128;
        for ((terms, position), view) in self.instruments.iter().zip(&account.positions).zip(views) {
            if terms.currency != currency || position.quantity() == Quantity(0) {
                continue;
            }
            let mark = view.mark(position.quantity()).map_or(0, |mark| mark.0);
            let worth = i128::from(mark) * i128::from(position.quantity().0);
            let money = -to_money(-worth.abs(), terms.decimals)?;
            sum = sum.checked_add(money).ok_or(Overflow)?;
        }
        Ok(sum)
    }
}

/// An amount at `decimals` at 1e-8, rounded down.
///
/// # Errors
/// [`Overflow`] if it does not fit.
pub(crate) fn to_money(exact: i128, decimals: u8) -> Result<i128, Overflow> {
    if decimals >= MONEY_DECIMALS {
        Ok(exact.div_euclid(10i128.pow(u32::from(decimals - MONEY_DECIMALS))))
    } else {
        let factor = 10i128.pow(u32::from(MONEY_DECIMALS - decimals));
        exact.checked_mul(factor).ok_or(Overflow)
    }
}

/// `USD` of `BTC/USD`; a name without a currency is one of its own.
fn quote_currency(name: &str) -> &str {
    name.rsplit_once('/').map_or(name, |(_, quote)| quote)
}
