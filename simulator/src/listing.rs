//! What the simulated venues list: a table, one row an instrument.
//!
//! Decimals are those that the real venue uses for the instrument, so that a collector meets the same digits.

use tickpath_protocol::Venue;

/// An asset that several venues quote; its reference price is shared, so that venues agree about where the market is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asset {
    /// Its code.
    pub name: &'static str,
    /// Reference price at the start, in millionths of the quote currency.
    pub start_micros: i64,
}

/// The assets that [`Listing::asset`] indexes.
pub const ASSETS: [Asset; 5] = [
    Asset {
        name: "BTC",
        start_micros: 62_807_000_000,
    },
    Asset {
        name: "ETH",
        start_micros: 1_774_140_000,
    },
    Asset {
        name: "SOL",
        start_micros: 78_250_000,
    },
    Asset {
        name: "AAPL",
        start_micros: 214_300_000,
    },
    Asset {
        name: "FAKEPACA",
        start_micros: 131_550_000,
    },
];

/// Which of a venue's feeds carries an instrument; only Alpaca has more than one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feed {
    /// The venue's only feed; at Alpaca the crypto feed.
    Main,
    /// US equities: Alpaca's `iex`.
    Stocks,
    /// Alpaca's test stream.
    Test,
}

/// One instrument of one venue.
#[derive(Clone, Copy, Debug)]
pub struct Listing {
    /// Who lists it.
    pub venue: Venue,
    /// As the venue spells it.
    pub symbol: &'static str,
    /// Index into [`ASSETS`].
    pub asset: usize,
    /// Quote currency.
    pub quote: &'static str,
    /// Decimals of its prices; the tick is one unit of the last.
    pub price_decimals: u8,
    /// Decimals of its sizes.
    pub size_decimals: u8,
    /// Smallest step of a size, a mantissa at `size_decimals`.
    pub lot: i64,
    /// Lots that a usual order has at most.
    pub order_lots: i64,
    /// The feed that carries it.
    pub feed: Feed,
}

impl Listing {
    /// The base asset's code.
    #[must_use]
    pub fn base(&self) -> &'static str {
        ASSETS[self.asset].name
    }
}

/// Every instrument of every venue. The index of a row is the market's number in [`crate::world::World`].
pub const LISTINGS: [Listing; 14] = [
    row(Venue::BINANCE, "BTCUSDT", 0, "USDT", (2, 5), 1, 80_000, Feed::Main),
    row(Venue::BINANCE, "ETHUSDT", 1, "USDT", (2, 4), 1, 90_000, Feed::Main),
    row(Venue::BINANCE, "SOLUSDT", 2, "USDT", (2, 3), 1, 90_000, Feed::Main),
    row(Venue::COINBASE, "BTC-USD", 0, "USD", (2, 8), 1, 60_000_000, Feed::Main),
    row(Venue::COINBASE, "ETH-USD", 1, "USD", (2, 8), 1, 900_000_000, Feed::Main),
    row(
        Venue::COINBASE,
        "SOL-USD",
        2,
        "USD",
        (2, 8),
        1_000,
        5_000_000,
        Feed::Main,
    ),
    row(Venue::KRAKEN, "BTC/USD", 0, "USD", (1, 8), 1, 70_000_000, Feed::Main),
    row(Venue::KRAKEN, "ETH/USD", 1, "USD", (2, 8), 1, 800_000_000, Feed::Main),
    row(Venue::KRAKEN, "SOL/USD", 2, "USD", (2, 8), 1, 9_000_000_000, Feed::Main),
    row(Venue::ALPACA, "BTC/USD", 0, "USD", (3, 9), 1_000, 700_000, Feed::Main),
    row(Venue::ALPACA, "ETH/USD", 1, "USD", (4, 9), 1_000, 9_000_000, Feed::Main),
    row(
        Venue::ALPACA,
        "SOL/USD",
        2,
        "USD",
        (4, 9),
        1_000,
        90_000_000,
        Feed::Main,
    ),
    row(Venue::ALPACA, "AAPL", 3, "USD", (2, 0), 1, 400, Feed::Stocks),
    row(Venue::ALPACA, "FAKEPACA", 4, "USD", (2, 0), 1, 400, Feed::Test),
];

#[expect(clippy::too_many_arguments, reason = "a row of the table above")]
const fn row(
    venue: Venue,
    symbol: &'static str,
    asset: usize,
    quote: &'static str,
    (price_decimals, size_decimals): (u8, u8),
    lot: i64,
    order_lots: i64,
    feed: Feed,
) -> Listing {
    Listing {
        venue,
        symbol,
        asset,
        quote,
        price_decimals,
        size_decimals,
        lot,
        order_lots,
        feed,
    }
}

/// The market numbers and rows of one venue.
pub fn of_venue(venue: Venue) -> impl Iterator<Item = (usize, &'static Listing)> {
    LISTINGS.iter().enumerate().filter(move |(_, row)| row.venue == venue)
}

/// The market number of a symbol as the venue spells it.
#[must_use]
pub fn find(venue: Venue, symbol: &str) -> Option<usize> {
    of_venue(venue)
        .find(|(_, row)| row.symbol == symbol)
        .map(|(market, _)| market)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_are_unique_within_a_venue() {
        for (market, row) in LISTINGS.iter().enumerate() {
            assert_eq!(find(row.venue, row.symbol), Some(market));
        }
        assert_eq!(find(Venue::KRAKEN, "XBT/USD"), None);
        assert_eq!(of_venue(Venue::ALPACA).count(), 5);
    }
}
