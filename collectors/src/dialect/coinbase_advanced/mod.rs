//! Coinbase Advanced Trade: the public channels of `wss://advanced-trade-ws.coinbase.com`.
//!
//! Every message is an envelope with a `sequence_num` that counts all messages of the connection, answers and heartbeats included: a hole
//! puts every book of the connection in doubt, and nothing else does.
//!
//! - Books: `level2`, which arrives as `l2_data`: an image, then absolute changes; a time for each level; sides `bid` and `offer`.
//! - Trades: `market_trades`, up to 250 ms of them in a message, newest first; `side` is the maker's.
//! - Quotes: `ticker`.
//! - `heartbeats`, every second; the venue closes channels that are quiet for 60 to 90 s unless it is subscribed to.
//!
//! A product may be an alias of another (`BTC-USDC` of `BTC-USD`), and its data may then arrive under the other's name: see
//! [`Dialect::aliases`].

mod fast;
mod full;
mod products;

use std::time::Duration;

use serde_json::json;
use tickpath_protocol::Venue;

use super::{Connection, Dialect, Policy, Selection, SyncRule};
use crate::decode::{Channel, Decoded, Listing, Refused, SymbolTable};

/// Products on one connection. The venue states no limit; an image of BTC-USD has 5 MB, and a hole in the connection's numbers costs new
/// images of all its books.
const PRODUCTS_PER_CONNECTION: usize = 20;

/// The dialect of Coinbase Advanced Trade.
#[derive(Clone, Debug)]
pub struct CoinbaseAdvanced {
    selection: Selection,
}

impl CoinbaseAdvanced {
    /// For a selection; its depth is not used, the venue sends whole books.
    #[must_use]
    pub fn new(selection: Selection) -> CoinbaseAdvanced {
        CoinbaseAdvanced { selection }
    }

    /// One channel a frame is all that the venue takes. Heartbeats come first, as they keep the others open.
    fn subscribe(&self, symbols: &[String]) -> Vec<String> {
        let mut frames = vec![json!({"type": "subscribe", "channel": "heartbeats"}).to_string()];
        for (channel, name) in [
            (Channel::Book, "level2"),
            (Channel::Trades, "market_trades"),
            (Channel::Quotes, "ticker"),
        ] {
            if self.selection.has(channel) {
                frames.push(json!({"type": "subscribe", "product_ids": symbols, "channel": name}).to_string());
            }
        }
        frames
    }
}

impl Dialect for CoinbaseAdvanced {
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
        vec!["/market/products".to_owned()]
    }

    fn listings(&self, body: &[u8]) -> Result<Vec<Listing>, Refused> {
        products::listings(body)
    }

    fn aliases(&self, body: &[u8]) -> Result<Vec<(String, String)>, Refused> {
        products::aliases(body)
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
        symbols
            .chunks(PRODUCTS_PER_CONNECTION)
            .map(|symbols| Connection {
                path: String::new(),
                symbols: symbols.to_vec(),
                subscribe: self.subscribe(symbols),
            })
            .collect()
    }

    fn resubscribe(&self, symbol: &str) -> Vec<String> {
        ["unsubscribe", "subscribe"]
            .map(|verb| json!({"type": verb, "product_ids": [symbol], "channel": "level2"}).to_string())
            .to_vec()
    }

    fn policy(&self) -> Policy {
        Policy {
            sync: SyncRule::ConnectionSequence,
            login: false,
            // A heartbeat a second.
            silence: Duration::from_secs(5),
            ping: None,
            ping_frame: None,
            lifetime: None,
            // The venue allows 8 unauthenticated messages a second and address.
            frames_per_second: 4,
            backoff_min: Duration::from_millis(500),
            // 8 connections a second and address (newer document; an older one says 750).
            attempts: 4,
            attempts_window: Duration::from_secs(1),
            images_per_minute: 0,
            // The image of BTC-USD has 44,000 levels in 5 MB (2026).
            frame_bytes_max: 32 << 20,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn advanced(channels: &[Channel]) -> CoinbaseAdvanced {
        CoinbaseAdvanced::new(Selection {
            channels: channels.to_vec(),
            depth: 0,
        })
    }

    #[test]
    fn subscribes_to_one_channel_a_frame() {
        let symbols: Vec<String> = (0..21).map(|n| format!("A{n}-USD")).collect();
        let connections = advanced(&[Channel::Trades, Channel::Quotes, Channel::Book]).connections(&symbols);
        assert_eq!(connections.iter().map(|c| c.symbols.len()).collect::<Vec<_>>(), [20, 1]);
        assert_eq!(
            connections[1].subscribe,
            [
                r#"{"channel":"heartbeats","type":"subscribe"}"#,
                r#"{"channel":"level2","product_ids":["A20-USD"],"type":"subscribe"}"#,
                r#"{"channel":"market_trades","product_ids":["A20-USD"],"type":"subscribe"}"#,
                r#"{"channel":"ticker","product_ids":["A20-USD"],"type":"subscribe"}"#,
            ]
        );
        assert_eq!(
            advanced(&[Channel::Book]).connections(&symbols[..1])[0].subscribe.len(),
            2
        );
    }

    #[test]
    fn a_new_image_takes_an_unsubscribe_and_a_subscribe() {
        assert_eq!(
            advanced(&[Channel::Book]).resubscribe("BTC-USD"),
            [
                r#"{"channel":"level2","product_ids":["BTC-USD"],"type":"unsubscribe"}"#,
                r#"{"channel":"level2","product_ids":["BTC-USD"],"type":"subscribe"}"#,
            ]
        );
    }
}
