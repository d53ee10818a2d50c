//! Alpaca: crypto and US equities, `wss://stream.data.alpaca.markets`, a path and a connection for each feed.
//!
//! Every message is an array of objects whose `T` says what they are. Numbers are bare JSON numbers with up to nine decimals.
//!
//! - Books: crypto only. `"r":true` marks an image; nothing in band shows a lost change but a crossed book.
//! - Trades: crypto ones state the taker's side, stock ones none.
//! - Quotes: the true best bid and offer.
//! - Statuses: halts and resumptions of stocks.
//!
//! Keys are always needed: the venue says hello, then wants [`auth_frame`], then subscriptions. One account may have one connection a
//! feed; after an unclean end the venue keeps the old one for up to 90 s and answers a new login with code 406. The free plan has 30
//! symbols and 10 books; what exceeds a plan is answered with code 405.
//!
//! A crypto symbol (`BTC/USD`) belongs to the crypto feed. A stock belongs to the first of the configured stock feeds: IEX's trades are also
//! among SIP's, and a trade must not come twice. [`TEST_SYMBOL`] belongs to the test feed, which knows no other.

mod assets;
mod conversation;
mod fast;
mod full;

use std::time::Duration;

use serde_json::{Map, Value, json};
use tickpath_protocol::Venue;
use tickpath_service::config::AlpacaFeed;

use super::{Connection, Dialect, Policy, Selection, SyncRule};
use crate::decode::{Channel, Decoded, Listing, Refused, SymbolTable};

/// The stock that the test feed invents trades of, at all hours. It is not among the venue's assets.
pub const TEST_SYMBOL: &str = "FAKEPACA";

/// Bytes of symbols in one subscription frame: the venue closes a connection (1009) on a frame above 16 KB (alpaca-trade-api-csharp#422),
/// and keys, commas and quotes need room too.
const SYMBOL_BYTES_PER_FRAME: usize = 12_000;

/// The dialect of Alpaca.
#[derive(Clone, Debug)]
pub struct Alpaca {
    selection: Selection,
    feeds: Vec<AlpacaFeed>,
}

/// The login.
#[must_use]
pub fn auth_frame(key: &str, secret: &str) -> String {
    json!({"action": "auth", "key": key, "secret": secret}).to_string()
}

impl Alpaca {
    /// For a selection, whose depth is not used, and the feeds to connect to, at least one.
    #[must_use]
    pub fn new(selection: Selection, feeds: Vec<AlpacaFeed>) -> Alpaca {
        Alpaca { selection, feeds }
    }

    fn has(&self, feed: AlpacaFeed) -> bool {
        self.feeds.contains(&feed)
    }

    fn stock_feed(&self) -> Option<AlpacaFeed> {
        self.feeds.iter().copied().find(|feed| is_stock(*feed))
    }

    /// The feed that a symbol belongs to, if it is one of those configured.
    fn feed_of(&self, symbol: &str) -> Option<AlpacaFeed> {
        let configured = |feed| self.has(feed).then_some(feed);
        match symbol {
            TEST_SYMBOL => configured(AlpacaFeed::Test),
            crypto if crypto.contains('/') => configured(AlpacaFeed::Crypto),
            _ => self.stock_feed(),
        }
    }

    /// The lists of a subscription to a feed.
    fn channels(&self, feed: AlpacaFeed) -> Vec<&'static str> {
        let mut channels = Vec::new();
        if self.selection.has(Channel::Trades) {
            channels.push("trades");
        }
        if self.selection.has(Channel::Quotes) {
            channels.push("quotes");
        }
        if self.selection.has(Channel::Book) && feed == AlpacaFeed::Crypto {
            channels.push("orderbooks");
        }
        if is_stock(feed) {
            channels.push("statuses");
        }
        channels
    }

    fn connection(&self, feed: AlpacaFeed, symbols: Vec<String>) -> Connection {
        let channels = self.channels(feed);
        Connection {
            path: feed.path().to_owned(),
            subscribe: pieces(&symbols, SYMBOL_BYTES_PER_FRAME / channels.len().max(1))
                .map(|symbols| request("subscribe", &channels, symbols))
                .collect(),
            symbols,
        }
    }
}

/// Whether the feed carries the equities of the real market.
fn is_stock(feed: AlpacaFeed) -> bool {
    matches!(feed, AlpacaFeed::Iex | AlpacaFeed::Sip | AlpacaFeed::DelayedSip)
}

/// `{"action":"subscribe","trades":[…],"quotes":[…]}`
fn request(action: &str, channels: &[&str], symbols: &[String]) -> String {
    let mut request = Map::new();
    request.insert("action".to_owned(), action.into());
    for channel in channels {
        request.insert((*channel).to_owned(), json!(symbols));
    }
    Value::Object(request).to_string()
}

/// `symbols` in order, in pieces of at most `bytes_max` bytes with quotes and commas, and of at least one symbol.
fn pieces(symbols: &[String], bytes_max: usize) -> impl Iterator<Item = &[String]> {
    let mut rest = symbols;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fitting = rest.iter().take_while(|symbol| {
            bytes += symbol.len() + 3;
            bytes <= bytes_max
        });
        let count = fitting.count().max(1).min(rest.len());
        let (piece, after) = rest.split_at(count);
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}

impl Dialect for Alpaca {
    fn venue(&self) -> Venue {
        Venue::ALPACA
    }

    fn decode_fast(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> bool {
        fast::decode(frame, symbols, out).is_some()
    }

    fn decode_full(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        full::decode(frame, symbols, out)
    }

    fn discovery(&self) -> Vec<String> {
        let mut requests = Vec::new();
        if self.has(AlpacaFeed::Crypto) {
            requests.push("/v2/assets?asset_class=crypto&status=active".to_owned());
        }
        // The test feed's only symbol is not in the list, but an answer is what `listings` is called with.
        if self.stock_feed().is_some() || self.has(AlpacaFeed::Test) {
            requests.push("/v2/assets?asset_class=us_equity&status=active".to_owned());
        }
        requests
    }

    fn listings(&self, body: &[u8]) -> Result<Vec<Listing>, Refused> {
        let mut listings = assets::listings(body)?;
        let stocks = listings.first().is_none_or(|first| !first.symbol.contains('/'));
        if stocks && self.has(AlpacaFeed::Test) {
            listings.push(assets::test_listing());
        }
        listings.retain(|listing| self.feed_of(&listing.symbol).is_some());
        Ok(listings)
    }

    fn image_request(&self, _symbol: &str) -> Option<String> {
        None
    }

    fn image(&self, _: &[u8], _: &str, _: &SymbolTable, _: &mut Decoded) -> Result<(), Refused> {
        Err(Refused::Shape(
            "Alpaca sends images of the book on the WebSocket".to_owned(),
        ))
    }

    fn connections(&self, symbols: &[String]) -> Vec<Connection> {
        let mut connections: Vec<Connection> = Vec::new();
        for feed in &self.feeds {
            let own: Vec<String> = symbols
                .iter()
                .filter(|symbol| self.feed_of(symbol) == Some(*feed))
                .cloned()
                .collect();
            let is_open = connections.iter().any(|connection| connection.path == feed.path());
            if !own.is_empty() && !self.channels(*feed).is_empty() && !is_open {
                connections.push(self.connection(*feed, own));
            }
        }
        connections
    }

    fn resubscribe(&self, symbol: &str) -> Vec<String> {
        if self.feed_of(symbol) != Some(AlpacaFeed::Crypto) {
            return Vec::new();
        }
        ["unsubscribe", "subscribe"]
            .map(|action| request(action, &["orderbooks"], &[symbol.to_owned()]))
            .to_vec()
    }

    fn policy(&self) -> Policy {
        Policy {
            sync: SyncRule::Images,
            login: true,
            // The venue says nothing by itself. Pongs answer our pings, so silence of a minute is a dead connection even at night; 60 s is
            // the data timeout of alpaca-py#744.
            silence: Duration::from_secs(60),
            // As the Go client of the venue does.
            ping: Some(Duration::from_secs(10)),
            ping_frame: None,
            lifetime: None,
            // No limit is stated; a subscription is a handful of frames.
            frames_per_second: 5,
            // The venue's Go client waits up to 5 s between logins that are answered with 406, which can go on for 90 s.
            backoff_min: Duration::from_secs(5),
            // What the pause allows, on four feeds.
            attempts: 48,
            attempts_window: Duration::from_secs(60),
            images_per_minute: 0,
            // Data is sent in arrays of many messages; an image of a crypto book has some 10 KB.
            frame_bytes_max: 4 << 20,
        }
    }
}

#[cfg(test)]
mod tests;
