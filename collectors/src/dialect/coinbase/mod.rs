//! Coinbase Exchange: the public channels of `wss://ws-feed.exchange.coinbase.com`.
//!
//! - Books: `level2_batch`, an image and then absolute changes, batched over 50 ms. It carries no number at all; the venue disconnects
//!   rather than leave changes out.
//! - Trades: `matches`, numbered without holes per product. `side` is the maker's.
//! - Quotes: `ticker`, which speaks at trades only. In 2021 it stated no sizes.
//! - `heartbeat`, every second for every product, repeats the number of the last trade.
//!
//! The frames of 2021 and of today differ in key order, optional keys and changes a frame; both are read.

mod fast;
mod full;
mod products;

use std::time::Duration;

use serde_json::json;
use tickpath_protocol::Venue;

use super::{Connection, Dialect, Policy, Selection, SyncRule};
use crate::decode::{Channel, Decoded, Listing, Refused, SymbolTable};

/// Products on one connection. The venue states no limit and advises to spread products over connections; the largest image has 1.1 MB,
/// and it drops a connection that reads too slowly (`ErrSlowConsume`).
const PRODUCTS_PER_CONNECTION: usize = 30;

/// The dialect of Coinbase Exchange.
#[derive(Clone, Debug)]
pub struct Coinbase {
    selection: Selection,
}

impl Coinbase {
    /// For a selection; its depth is not used, the venue sends whole books.
    #[must_use]
    pub fn new(selection: Selection) -> Coinbase {
        Coinbase { selection }
    }

    /// The names of the channels to subscribe to: those selected, and the liveness signal.
    fn channels(&self) -> Vec<&'static str> {
        let mut channels = vec!["heartbeat"];
        for (channel, name) in [
            (Channel::Book, "level2_batch"),
            (Channel::Trades, "matches"),
            (Channel::Quotes, "ticker"),
        ] {
            if self.selection.has(channel) {
                channels.push(name);
            }
        }
        channels
    }
}

impl Dialect for Coinbase {
    fn venue(&self) -> Venue {
        Venue::COINBASE
    }

    fn decode_fast(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> bool {
        fast::decode(frame, symbols, out).is_some()
    }

    fn decode_full(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        full::decode(frame, symbols, out)
    }

    fn discovery(&self) -> Vec<String> {
        vec!["/products".to_owned()]
    }

    fn listings(&self, body: &[u8]) -> Result<Vec<Listing>, Refused> {
        products::listings(body)
    }

    fn image_request(&self, _symbol: &str) -> Option<String> {
        None
    }

    fn image(&self, _: &[u8], _: &str, _: &SymbolTable, _: &mut Decoded) -> Result<(), Refused> {
        Err(Refused::Shape(
            "Coinbase sends images of the book on the WebSocket".to_owned(),
        ))
    }

    fn connections(&self, symbols: &[String]) -> Vec<Connection> {
        let channels = self.channels();
        symbols
            .chunks(PRODUCTS_PER_CONNECTION)
            .map(|symbols| Connection {
                path: String::new(),
                symbols: symbols.to_vec(),
                subscribe: vec![json!({"type": "subscribe", "product_ids": symbols, "channels": channels}).to_string()],
            })
            .collect()
    }

    fn resubscribe(&self, symbol: &str) -> Vec<String> {
        ["unsubscribe", "subscribe"]
            .map(|verb| json!({"type": verb, "product_ids": [symbol], "channels": ["level2_batch"]}).to_string())
            .to_vec()
    }

    fn policy(&self) -> Policy {
        Policy {
            sync: SyncRule::TradeIds,
            login: false,
            // A heartbeat a second for every product: silence of five seconds is no quiet market.
            silence: Duration::from_secs(5),
            ping: None,
            ping_frame: None,
            lifetime: None,
            // The venue allows 8 requests a second and address; half of it leaves room for a second process behind the same address.
            frames_per_second: 4,
            backoff_min: Duration::from_millis(500),
            // Connects count as requests.
            attempts: 4,
            attempts_window: Duration::from_secs(1),
            images_per_minute: 0,
            // The image of BTC-USD has 1.12 MB (2026); room for a book that grows tenfold.
            frame_bytes_max: 16 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn coinbase(channels: &[Channel]) -> Coinbase {
        Coinbase::new(Selection {
            channels: channels.to_vec(),
            depth: 0,
        })
    }

    #[test]
    fn subscribes_in_one_frame_a_connection() {
        let symbols: Vec<String> = (0..61).map(|n| format!("A{n}-USD")).collect();
        let connections = coinbase(&[Channel::Trades, Channel::Book, Channel::Quotes]).connections(&symbols);
        assert_eq!(
            connections.iter().map(|c| c.symbols.len()).collect::<Vec<_>>(),
            [30, 30, 1]
        );
        assert_eq!(connections[2].path, "");
        assert_eq!(
            connections[2].subscribe,
            [
                r#"{"channels":["heartbeat","level2_batch","matches","ticker"],"product_ids":["A60-USD"],"type":"subscribe"}"#
            ]
        );
        let trades = coinbase(&[Channel::Trades]).connections(&symbols[..1]);
        assert!(trades[0].subscribe[0].contains(r#""channels":["heartbeat","matches"]"#));
        assert!(coinbase(&[Channel::Book]).connections(&[]).is_empty());
    }

    #[test]
    fn a_new_image_takes_an_unsubscribe_and_a_subscribe() {
        assert_eq!(
            coinbase(&[Channel::Book]).resubscribe("BTC-USD"),
            [
                r#"{"channels":["level2_batch"],"product_ids":["BTC-USD"],"type":"unsubscribe"}"#,
                r#"{"channels":["level2_batch"],"product_ids":["BTC-USD"],"type":"subscribe"}"#,
            ]
        );
    }
}
