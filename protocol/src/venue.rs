//! Who made a record: a venue, or a producer of ours that publishes under a code of its own.

use std::fmt;
use std::str::FromStr;

/// The code in a record's `venue` byte. One producer publishes under one code, so a code also names a sequence of records.
///
/// An open set: a reader must pass on codes that it does not know. 0 is never used by a producer.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Venue(pub u8);

impl Venue {
    /// Not a venue: in records that speak of none.
    pub const NONE: Venue = Venue(0);
    /// Binance spot.
    pub const BINANCE: Venue = Venue(1);
    /// Coinbase, Exchange or Advanced Trade feed.
    pub const COINBASE: Venue = Venue(2);
    /// Kraken spot.
    pub const KRAKEN: Venue = Venue(3);
    /// Alpaca, crypto and US equities.
    pub const ALPACA: Venue = Venue(4);
    /// The engine: all that it publishes, whichever venue it trades at. Named after the paper venue, its default.
    pub const PAPER: Venue = Venue(5);
    /// The gateway: what the execution venue reports to the engine.
    pub const GATEWAY: Venue = Venue(6);
    /// First of the 64 codes left to tests and measurements: `test0` to `test63`.
    pub const TEST_FIRST: Venue = Venue(192);

    const NAMED: [(Venue, &'static str); 6] = [
        (Venue::BINANCE, "binance"),
        (Venue::COINBASE, "coinbase"),
        (Venue::KRAKEN, "kraken"),
        (Venue::ALPACA, "alpaca"),
        (Venue::PAPER, "paper"),
        (Venue::GATEWAY, "gateway"),
    ];

    /// The `n`th test code, `n` below 64.
    #[must_use]
    pub const fn test(n: u8) -> Venue {
        assert!(n < 64, "there are 64 test venues");
        Venue(Venue::TEST_FIRST.0 + n)
    }

    /// The market-data venues that collectors exist for.
    #[must_use]
    pub const fn market_data() -> [Venue; 4] {
        [Venue::BINANCE, Venue::COINBASE, Venue::KRAKEN, Venue::ALPACA]
    }
}

impl fmt::Display for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Venue::NAMED.iter().find(|(venue, _)| venue == self) {
            Some((_, name)) => f.write_str(name),
            None if self.0 >= Venue::TEST_FIRST.0 => write!(f, "test{}", self.0 - Venue::TEST_FIRST.0),
            None => write!(f, "venue{}", self.0),
        }
    }
}

impl fmt::Debug for Venue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Venue({self})")
    }
}

/// The text names no venue.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown venue `{0}`: expected binance, coinbase, kraken, alpaca, paper or gateway")]
pub struct UnknownVenue(pub String);

impl FromStr for Venue {
    type Err = UnknownVenue;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if let Some((venue, _)) = Venue::NAMED.iter().find(|(_, name)| *name == text) {
            return Ok(*venue);
        }
        match text.strip_prefix("test").and_then(|n| n.parse::<u8>().ok()) {
            Some(n) if n < 64 => Ok(Venue::test(n)),
            _ => Err(UnknownVenue(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_reads_back() {
        for venue in
            Venue::market_data()
                .into_iter()
                .chain([Venue::PAPER, Venue::GATEWAY, Venue::test(0), Venue::test(63)])
        {
            assert_eq!(venue.to_string().parse(), Ok(venue));
        }
        assert!("krakn".parse::<Venue>().is_err());
        assert!("test64".parse::<Venue>().is_err());
        assert_eq!(Venue(77).to_string(), "venue77");
    }
}
