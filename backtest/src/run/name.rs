//! An instrument as it is typed: `kraken:BTC/USD`.

use std::fmt;
use std::str::FromStr;

use tickpath_protocol::{Instrument, Venue};

/// Venue and symbol, the symbol as the venue spells it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InstrumentName {
    /// The venue.
    pub venue: Venue,
    /// The symbol.
    pub symbol: String,
}

impl InstrumentName {
    /// The name of an instrument.
    #[must_use]
    pub fn of(instrument: &Instrument) -> InstrumentName {
        InstrumentName {
            venue: instrument.venue(),
            symbol: instrument.symbol.clone(),
        }
    }
}

impl fmt::Display for InstrumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.venue, self.symbol)
    }
}

/// The text names no instrument.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no instrument: write venue and symbol as the venue spells it, kraken:BTC/USD")]
pub struct NoName(pub String);

impl FromStr for InstrumentName {
    type Err = NoName;

    fn from_str(text: &str) -> Result<InstrumentName, NoName> {
        let parts = text.split_once(':').filter(|(_, symbol)| !symbol.is_empty());
        let name = parts.and_then(|(venue, symbol)| {
            Some(InstrumentName {
                venue: venue.parse().ok()?,
                symbol: symbol.to_owned(),
            })
        });
        name.ok_or_else(|| NoName(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back() {
        for text in ["kraken:BTC/USD", "binance:BTCUSDT", "test0:A:B"] {
            assert_eq!(text.parse::<InstrumentName>().unwrap().to_string(), text);
        }
        for text in ["BTCUSDT", "kraken:", "nowhere:BTC"] {
            assert_eq!(text.parse::<InstrumentName>(), Err(NoName(text.into())));
        }
    }
}
