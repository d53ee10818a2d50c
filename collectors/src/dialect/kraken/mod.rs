//! Kraken spot, WebSocket v2. Source: docs.kraken.com, spot WebSocket v2, of 2026-08, unless a line says another.
//!
//! Numbers are bare JSON numbers whose text has the decimals of the `instrument` channel; the book's checksum is taken over that text, so
//! an instrument has those decimals and no others. Instruments, their status and books come on the WebSocket; no REST is spoken.

mod conversation;
mod fast;
mod full;

use std::time::Duration;

use serde_json::json;
use tickpath_protocol::Venue;

use super::{Connection, Dialect, Policy, Selection, SyncRule};
use crate::decode::{Channel, Decoded, Listing, Refused, SymbolTable};

/// Symbols that one subscribe names. Many small requests run into "Exceeded msg rate", which hits a random part of them.
const SYMBOLS_PER_FRAME: usize = 100;

/// Symbols of one connection. The venue documents a limit for its `level3` channel alone, and this is that limit.
const SYMBOLS_PER_CONNECTION: usize = 200;

/// Asks for all instruments and for their changes from then on.
const DISCOVERY_FRAME: &str = r#"{"method":"subscribe","params":{"channel":"instrument","snapshot":true}}"#;

/// Kraken spot.
#[derive(Clone, Debug)]
pub struct Kraken {
    selection: Selection,
}

impl Kraken {
    /// For these channels, `depth` being the levels of the book channel: 10, 25, 100, 500 or 1000.
    #[must_use]
    pub fn new(selection: Selection) -> Kraken {
        Kraken { selection }
    }

    fn subscribe_frames(&self, symbols: &[String]) -> Vec<String> {
        let channels = self.selection.channels.iter();
        channels
            .flat_map(|channel| {
                symbols
                    .chunks(SYMBOLS_PER_FRAME)
                    .map(move |symbols| (*channel, symbols))
            })
            .zip(1..)
            .map(|((channel, symbols), req_id)| self.subscribe_frame(channel, symbols, req_id))
            .collect()
    }

    fn subscribe_frame(&self, channel: Channel, symbols: &[String], req_id: u32) -> String {
        let params = match channel {
            Channel::Trades => json!({"channel": "trade", "symbol": symbols, "snapshot": false}),
            // Without `bbo` the venue tells of quotes only when there is a trade.
            Channel::Quotes => {
                json!({"channel": "ticker", "symbol": symbols, "event_trigger": "bbo", "snapshot": true})
            }
            Channel::Book => {
                json!({"channel": "book", "symbol": symbols, "depth": self.selection.depth, "snapshot": true})
            }
        };
        json!({"method": "subscribe", "params": params, "req_id": req_id}).to_string()
    }
}

impl Dialect for Kraken {
    fn venue(&self) -> Venue {
        Venue::KRAKEN
    }

    fn decode_fast(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> bool {
        fast::decode(frame, symbols, out).is_some()
    }

    fn decode_full(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        full::decode(frame, symbols, out)
    }

    fn discovery(&self) -> Vec<String> {
        Vec::new()
    }

    fn discovery_frame(&self) -> Option<&'static str> {
        Some(DISCOVERY_FRAME)
    }

    fn listings(&self, _body: &[u8]) -> Result<Vec<Listing>, Refused> {
        Err(Refused::Shape("instruments of Kraken come on the WebSocket".into()))
    }

    fn image_request(&self, _symbol: &str) -> Option<String> {
        None
    }

    fn image(&self, _body: &[u8], _symbol: &str, _symbols: &SymbolTable, _out: &mut Decoded) -> Result<(), Refused> {
        Err(Refused::Shape("books of Kraken come on the WebSocket".into()))
    }

    fn connections(&self, symbols: &[String]) -> Vec<Connection> {
        symbols
            .chunks(SYMBOLS_PER_CONNECTION)
            .map(|symbols| Connection {
                path: String::new(),
                symbols: symbols.to_vec(),
                subscribe: self.subscribe_frames(symbols),
            })
            .collect()
    }

    fn resubscribe(&self, symbol: &str) -> Vec<String> {
        let params = json!({"channel": "book", "symbol": [symbol], "depth": self.selection.depth});
        let unsubscribe = json!({"method": "unsubscribe", "params": params}).to_string();
        let params = json!({"channel": "book", "symbol": [symbol], "depth": self.selection.depth, "snapshot": true});
        let subscribe = json!({"method": "subscribe", "params": params}).to_string();
        vec![unsubscribe, subscribe]
    }

    fn policy(&self) -> Policy {
        Policy {
            sync: SyncRule::Checksum,
            login: false,
            // A heartbeat comes every second once something is subscribed to, with or without other frames; the venue's own guide gives up
            // after 5 s without any.
            silence: Duration::from_secs(5),
            ping: None,
            ping_frame: None,
            lifetime: None,
            // The limit is not documented; bursts are answered with "Exceeded msg rate" (bitrich-info/xchange-stream#502).
            frames_per_second: 10,
            backoff_min: Duration::from_millis(500),
            // About 150 in 10 minutes, then the address is banned for 10 minutes; less than half of that leaves room for others behind it.
            attempts: 60,
            attempts_window: Duration::from_secs(600),
            images_per_minute: 0,
            // The `instrument` snapshot of all pairs is about 1 MB; a book of 1,000 levels a side, a tenth of it.
            frame_bytes_max: 8 << 20,
        }
    }
}

#[cfg(test)]
mod tests;
