//! `[collectors.VENUE]`: one table a venue. What a file leaves out is filled in for the venue by [`Collector::resolved`].

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use tickpath_protocol::Venue;

use super::{Capacity, Config, Pattern, Url, Venues, Wait};

/// Depths that Kraken's book channel offers; any other is refused by the venue.
pub const KRAKEN_DEPTHS: [u32; 5] = [10, 25, 100, 500, 1000];

/// The four tables.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Collectors {
    /// Binance spot.
    pub binance: Collector,
    /// Coinbase.
    pub coinbase: Collector,
    /// Kraken spot.
    pub kraken: Collector,
    /// Alpaca.
    pub alpaca: Collector,
}

impl Collectors {
    /// The table of a venue, if that venue has a collector.
    #[must_use]
    pub fn of(&self, venue: Venue) -> Option<&Collector> {
        match venue {
            Venue::BINANCE => Some(&self.binance),
            Venue::COINBASE => Some(&self.coinbase),
            Venue::KRAKEN => Some(&self.kraken),
            Venue::ALPACA => Some(&self.alpaca),
            _ => None,
        }
    }

    /// The table of a venue, to change it.
    pub fn of_mut(&mut self, venue: Venue) -> Option<&mut Collector> {
        match venue {
            Venue::BINANCE => Some(&mut self.binance),
            Venue::COINBASE => Some(&mut self.coinbase),
            Venue::KRAKEN => Some(&mut self.kraken),
            Venue::ALPACA => Some(&mut self.alpaca),
            _ => None,
        }
    }

    /// Every table with its key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Collector)> {
        [
            ("collectors.binance.pin", &self.binance),
            ("collectors.coinbase.pin", &self.coinbase),
            ("collectors.kraken.pin", &self.kraken),
            ("collectors.alpaca.pin", &self.alpaca),
        ]
        .into_iter()
    }
}

/// One collector. A key that is left out gets the venue's default.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Collector {
    /// Whether it runs; left out: yes, but Alpaca not against the real venue, which asks for keys.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub enabled: Option<bool>,
    /// Symbols as the venue spells them or normalised (`BTC/USD`), `*` for any text; left out: the two largest markets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub symbols: Option<Vec<Pattern>>,
    /// What to subscribe to.
    pub channels: Vec<Channel>,
    /// WebSocket address; left out: the simulator's or the venue's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ws_url: Option<Url>,
    /// REST address; left out: the simulator's or the venue's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest_url: Option<Url>,
    /// Records that the ring to the relay holds, a power of two; 48 bytes each.
    pub ring_capacity: Capacity,
    /// How the thread waits for frames: `sleep` in the kernel, `spin` and `yield` by reading the socket again and again.
    pub wait: Wait,
    /// Core of the collector's thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pin: Option<usize>,
    /// Directory to write raw frames to; empty: none.
    pub capture: PathBuf,
    /// Levels of a book: what Kraken is asked for (10, 25, 100, 500 or 1000), and the limit of Binance's REST snapshot (up to 5000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u32>,
    /// Coinbase only: `exchange` or `advanced`.
    pub coinbase_feed: CoinbaseFeed,
    /// Binance only: unit of the times in its frames, `microsecond` or `millisecond`.
    pub time_unit: TimeUnit,
    /// Alpaca only: `crypto`, `iex`, `sip`, `delayed_sip`, `test`; one connection each.
    pub alpaca_feeds: Vec<AlpacaFeed>,
    /// Alpaca only: file that holds the key id; empty: environment `APCA_API_KEY_ID`.
    pub key_id_file: PathBuf,
    /// Alpaca only: file that holds the secret key; empty: environment `APCA_API_SECRET_KEY`.
    pub secret_key_file: PathBuf,
}

impl Default for Collector {
    fn default() -> Self {
        Collector {
            enabled: None,
            symbols: None,
            channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
            ws_url: None,
            rest_url: None,
            ring_capacity: Capacity(1 << 17),
            wait: Wait::Sleep,
            pin: None,
            capture: PathBuf::new(),
            depth: None,
            coinbase_feed: CoinbaseFeed::default(),
            time_unit: TimeUnit::default(),
            alpaca_feeds: vec![AlpacaFeed::Crypto],
            key_id_file: PathBuf::new(),
            secret_key_file: PathBuf::new(),
        }
    }
}

/// What a collector subscribes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// Trades.
    Trades,
    /// Best bid and offer.
    Quotes,
    /// L2 book.
    Book,
}

/// The two feeds of Coinbase.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CoinbaseFeed {
    /// The Exchange feed.
    #[default]
    Exchange,
    /// Advanced Trade.
    Advanced,
}

/// Unit of the times in Binance's frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TimeUnit {
    /// Asked for with `timeUnit=MICROSECOND`.
    #[default]
    Microsecond,
    /// What Binance sends unasked.
    Millisecond,
}

/// The feeds of Alpaca, one connection each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AlpacaFeed {
    /// Crypto, US.
    Crypto,
    /// US equities on IEX.
    Iex,
    /// US equities, consolidated.
    Sip,
    /// US equities, consolidated, 15 minutes late.
    DelayedSip,
    /// The test stream, which always runs.
    Test,
}

impl AlpacaFeed {
    /// The path of the feed below the WebSocket address.
    #[must_use]
    pub fn path(self) -> &'static str {
        match self {
            AlpacaFeed::Crypto => "/v1beta3/crypto/us",
            AlpacaFeed::Iex => "/v2/iex",
            AlpacaFeed::Sip => "/v2/sip",
            AlpacaFeed::DelayedSip => "/v2/delayed_sip",
            AlpacaFeed::Test => "/v2/test",
        }
    }
}

impl Collector {
    /// With the venue's defaults in place of what the file leaves out: `enabled`, `symbols`, `ws_url`, `rest_url` and `depth` are `Some`.
    #[must_use]
    pub fn resolved(&self, venue: Venue, config: &Config) -> Collector {
        let live = config.venues == Venues::Live;
        let (ws_url, rest_url) = match live {
            true => live_urls(venue, self.coinbase_feed),
            false => {
                let at = format!("{}/{venue}", config.simulator.listen);
                let coinbase = if self.coinbase_feed == CoinbaseFeed::Advanced {
                    "/advanced"
                } else {
                    ""
                };
                let path = if venue == Venue::COINBASE { coinbase } else { "" };
                (format!("ws://{at}{path}"), format!("http://{at}{path}"))
            }
        };
        let url = |given: &Option<Url>, default: String| given.clone().or_else(|| default.parse().ok());
        let symbols: &[&str] = match venue {
            Venue::BINANCE => &["BTC/USDT", "ETH/USDT"],
            _ => &["BTC/USD", "ETH/USD"],
        };
        Collector {
            enabled: self.enabled.or(Some(!(live && venue == Venue::ALPACA))),
            symbols: self
                .symbols
                .clone()
                .or_else(|| Some(symbols.iter().filter_map(|symbol| symbol.parse().ok()).collect())),
            ws_url: url(&self.ws_url, ws_url),
            rest_url: url(&self.rest_url, rest_url),
            depth: self.depth.or(Some(if venue == Venue::BINANCE { 5_000 } else { 100 })),
            ..self.clone()
        }
    }

    pub(super) fn problems(&self, pin_key: &str, problems: &mut Vec<String>) {
        let table = pin_key.trim_end_matches(".pin");
        if self.channels.is_empty() {
            problems.push(format!("`{table}.channels` is empty: nothing would be subscribed to"));
        }
        if self.symbols.as_ref().is_some_and(Vec::is_empty) {
            problems.push(format!("`{table}.symbols` is empty: nothing would be subscribed to"));
        }
        match (table, self.depth) {
            ("collectors.kraken", Some(depth)) if !KRAKEN_DEPTHS.contains(&depth) => {
                problems.push(format!(
                    "`{table}.depth` {depth} is not offered by Kraken: use one of {KRAKEN_DEPTHS:?}"
                ));
            }
            ("collectors.binance", Some(depth)) if !(1..=5_000).contains(&depth) => {
                problems.push(format!(
                    "`{table}.depth` {depth} is not offered by Binance: use 1 to 5000"
                ));
            }
            _ => {}
        }
        if table == "collectors.alpaca" && self.alpaca_feeds.is_empty() {
            problems.push(format!(
                "`{table}.alpaca_feeds` is empty: nothing would be connected to"
            ));
        }
    }
}

/// WebSocket and REST address of a real venue.
fn live_urls(venue: Venue, feed: CoinbaseFeed) -> (String, String) {
    let (ws, rest) = match (venue, feed) {
        (Venue::BINANCE, _) => ("wss://data-stream.binance.vision", "https://data-api.binance.vision"),
        (Venue::COINBASE, CoinbaseFeed::Exchange) => (
            "wss://ws-feed.exchange.coinbase.com",
            "https://api.exchange.coinbase.com",
        ),
        (Venue::COINBASE, CoinbaseFeed::Advanced) => (
            "wss://advanced-trade-ws.coinbase.com",
            "https://api.coinbase.com/api/v3/brokerage",
        ),
        (Venue::KRAKEN, _) => ("wss://ws.kraken.com/v2", "https://api.kraken.com"),
        _ => ("wss://stream.data.alpaca.markets", "https://api.alpaca.markets"),
    };
    (ws.to_owned(), rest.to_owned())
}
