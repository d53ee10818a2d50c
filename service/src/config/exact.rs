//! Values of the engine's configuration that stay exact: decimal numbers, markets, and parameters whose type the engine alone knows.

use serde::{Deserialize, Serialize};
use tickpath_protocol::{Venue, decimal};

use super::value::ValueError;

/// A decimal number that no rounding touches, of at most 8 decimals; written as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Decimal(pub i64);

impl Decimal {
    /// Decimals of the mantissa.
    pub const DECIMALS: u8 = 8;

    /// A whole number.
    #[must_use]
    pub const fn whole(units: i64) -> Decimal {
        Decimal(units * 100_000_000)
    }

    /// Percent as millionths.
    #[must_use]
    pub fn percent_as_ppm(self) -> i64 {
        self.0.div_euclid(10_000)
    }
}

impl TryFrom<String> for Decimal {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Decimal, ValueError> {
        decimal::parse(text.as_bytes(), Decimal::DECIMALS)
            .map(Decimal)
            .map_err(|error| ValueError::new(format!("`{text}` is no number of at most 8 decimals: {error}")))
    }
}

impl From<Decimal> for String {
    fn from(value: Decimal) -> String {
        let text = tickpath_protocol::DecimalText::new(value.0, Decimal::DECIMALS).to_string();
        match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        }
    }
}

/// A market of a venue: `kraken:BTC/USD`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Market {
    /// The venue.
    pub venue: Venue,
    /// The symbol, as the venue spells it or normalised.
    pub symbol: String,
}

impl TryFrom<String> for Market {
    type Error = ValueError;

    fn try_from(text: String) -> Result<Market, ValueError> {
        let market = text.split_once(':').and_then(|(venue, symbol)| {
            let venue = venue.parse::<Venue>().ok()?;
            let known = Venue::market_data().contains(&venue) && !symbol.is_empty();
            known.then(|| Market {
                venue,
                symbol: symbol.to_owned(),
            })
        });
        market.ok_or_else(|| {
            ValueError::new(format!(
                "`{text}` names no market: expected a venue and its symbol, as in `kraken:BTC/USD`"
            ))
        })
    }
}

impl From<Market> for String {
    fn from(market: Market) -> String {
        format!("{}:{}", market.venue, market.symbol)
    }
}

/// A parameter's value as text, whether the file has it as text, number or boolean.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(try_from = "toml::Value")]
pub struct Text(pub String);

impl TryFrom<toml::Value> for Text {
    type Error = ValueError;

    fn try_from(value: toml::Value) -> Result<Text, ValueError> {
        match value {
            toml::Value::String(text) => Ok(Text(text)),
            toml::Value::Integer(number) => Ok(Text(number.to_string())),
            toml::Value::Float(number) => Ok(Text(number.to_string())),
            toml::Value::Boolean(flag) => Ok(Text(flag.to_string())),
            other => Err(ValueError::new(format!(
                "a parameter is text, a number or a boolean, not {}",
                other.type_str()
            ))),
        }
    }
}
