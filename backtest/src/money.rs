//! Amounts in quote currency, exact until they are rounded down to [`MONEY_DECIMALS`].

use crate::metrics::MONEY_DECIMALS;

/// Ten to the power of `exponent`; `None` beyond what an `i128` holds.
fn power(exponent: u8) -> Option<i128> {
    10_i128.checked_pow(exponent.into())
}

/// An amount at `decimals` decimals as one at [`MONEY_DECIMALS`], rounded down: against us, whether earned or lost. `None` if it does not fit.
#[must_use]
pub fn rounded(amount: i128, decimals: u8) -> Option<i128> {
    match decimals.checked_sub(MONEY_DECIMALS) {
        Some(more) => Some(amount.div_euclid(power(more)?)),
        None => amount.checked_mul(power(MONEY_DECIMALS - decimals)?),
    }
}

/// An amount at [`MONEY_DECIMALS`] as text, all decimals shown.
#[must_use]
pub fn text(amount: i128) -> String {
    let one = 10_u128.pow(MONEY_DECIMALS.into());
    let (sign, magnitude) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    let width = usize::from(MONEY_DECIMALS);
    format!("{sign}{}.{:0width$}", magnitude / one, magnitude % one)
}

/// An amount at [`MONEY_DECIMALS`] of a decimal text as a user types it: `10000`, `2500.5`.
#[must_use]
pub fn parse(text: &str) -> Option<i128> {
    tickpath_protocol::decimal::parse(text.as_bytes(), MONEY_DECIMALS)
        .ok()
        .map(i128::from)
}

/// The nearest float, for charts and rounded texts.
#[must_use]
pub fn float(amount: i128) -> f64 {
    amount as f64 / 1e8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_rounded_against_us() {
        assert_eq!(rounded(12_345_678_919, 10), Some(123_456_789));
        assert_eq!(rounded(-12_345_678_911, 10), Some(-123_456_790));
        assert_eq!(rounded(-5, 2), Some(-5_000_000));
        assert_eq!(rounded(i128::MAX, 2), None);
        assert_eq!(rounded(1, 60), None);
    }

    #[test]
    fn amounts_are_text() {
        assert_eq!(text(-1), "-0.00000001");
        assert_eq!(text(1_050_000_000_000), "10500.00000000");
        assert_eq!(parse("10500"), Some(1_050_000_000_000));
        assert_eq!(parse("much"), None);
    }
}
