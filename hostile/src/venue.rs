//! Frames and REST answers of the venues.

use std::cell::RefCell;

use tickpath_collectors::decode::{Decoded, Listed, SymbolTable};
use tickpath_collectors::dialect::Dialect;
use tickpath_collectors::select;
use tickpath_protocol::{InstrumentId, Scale, Venue};
use tickpath_service::Config;
use tickpath_service::config::CoinbaseFeed;

/// A dialect with a few instruments of its own captures.
struct Speaker {
    dialect: Box<dyn Dialect>,
    symbols: SymbolTable,
    image_of: &'static str,
}

impl Speaker {
    fn new(venue: Venue, feed: CoinbaseFeed, listed: &[(&'static str, u8)]) -> Speaker {
        let enabled = Config::default().enabled_collectors();
        let (_, mut collector) = enabled
            .into_iter()
            .find(|(enabled, _)| *enabled == venue)
            .expect("every venue is simulated by default");
        collector.coinbase_feed = feed;
        let mut symbols = SymbolTable::new();
        for (index, (symbol, price_decimals)) in (0..).zip(listed) {
            let id = InstrumentId::new(venue, index);
            let scale = Scale::new(*price_decimals, 8).expect("decimals are in range");
            symbols.insert(symbol, Listed { id, scale });
        }
        Speaker {
            dialect: select::dialect(venue, &collector).expect("every venue has a dialect"),
            symbols,
            image_of: listed[0].0,
        }
    }

    /// # Panics
    /// If the fast decoder accepts what the complete one refuses or understands otherwise, or records and marks do not fit.
    fn judge(&self, frame: &[u8]) {
        let (mut fast, mut full) = (Decoded::default(), Decoded::default());
        let accepted = self.dialect.decode_full(frame, &self.symbols, &mut full);
        if self.dialect.decode_fast(frame, &self.symbols, &mut fast) {
            assert_eq!(
                accepted,
                Ok(()),
                "the fast decoder accepts what the complete one refuses"
            );
            assert_eq!(fast, full, "the decoders disagree");
        }
        if accepted.is_ok() {
            let mut covered = 0;
            for mark in &full.marks {
                assert_eq!(mark.start, covered, "a record belongs to no event");
                assert!(mark.end >= mark.start, "an event ends before it begins");
                covered = mark.end;
            }
            assert_eq!(covered, full.records.len(), "a record belongs to no event");
        }
        let mut both = Decoded::default();
        let outcome = self.dialect.decode(frame, &self.symbols, &mut both);
        assert_eq!(outcome.is_ok(), accepted.is_ok());
        assert!(
            outcome.is_ok() || (both.records.is_empty() && both.marks.is_empty()),
            "a refused frame leaves events"
        );
        self.judge_answer(frame);
    }

    /// The same bytes as the answer to a request: an error or not, but no panic.
    fn judge_answer(&self, body: &[u8]) {
        let mut image = Decoded::default();
        let is_image = self
            .dialect
            .image(body, self.image_of, &self.symbols, &mut image)
            .is_ok();
        let listings = self.dialect.listings(body).unwrap_or_default();
        let aliases = self.dialect.aliases(body).unwrap_or_default();
        assert!(is_image || image.records.len() <= body.len());
        assert!(
            listings.len() + aliases.len() <= 2 * body.len(),
            "more instruments than bytes"
        );
    }
}

macro_rules! body {
    ($(#[$doc:meta])* $name:ident, $venue:expr, $feed:expr, $listed:expr) => {
        $(#[$doc])*
        ///
        /// # Panics
        /// If one of the decoders breaks a promise.
        pub fn $name(data: &[u8]) {
            thread_local! {
                static SPEAKER: RefCell<Speaker> = RefCell::new(Speaker::new($venue, $feed, $listed));
            }
            SPEAKER.with_borrow(|speaker| speaker.judge(data));
        }
    };
}

body!(
    /// Kraken, WebSocket v2.
    kraken, Venue::KRAKEN, CoinbaseFeed::Exchange, &[("BTC/USD", 1), ("ETH/USD", 2), ("SC/BTC", 10)]
);
body!(
    /// Binance, spot streams.
    binance, Venue::BINANCE, CoinbaseFeed::Exchange, &[("BTCUSDT", 8), ("ETHUSDT", 8)]
);
body!(
    /// Coinbase Exchange.
    coinbase, Venue::COINBASE, CoinbaseFeed::Exchange, &[("BTC-USD", 2), ("ETH-USD", 2)]
);
body!(
    /// Coinbase Advanced Trade.
    coinbase_advanced, Venue::COINBASE, CoinbaseFeed::Advanced, &[("BTC-USD", 2), ("ETH-USD", 2)]
);
body!(
    /// Alpaca, crypto and stocks.
    alpaca, Venue::ALPACA, CoinbaseFeed::Exchange, &[("BTC/USD", 9), ("AAPL", 9)]
);
