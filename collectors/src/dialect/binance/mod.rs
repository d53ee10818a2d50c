//! Binance spot. Source: `binance/binance-spot-api-docs`, web-socket-streams.md and rest-api.md of 2026-07-21, unless a line says another.
//!
//! Frames are decoded both wrapped (`/stream`, what we ask for) and raw (`/ws`). `trade` and `aggTrade` are both trades; we subscribe to
//! `trade`. The book is a REST image bridged with `depthUpdate` by update ids. `bookTicker` carries no time.

mod fast;
mod full;
mod rest;

use std::ops::Range;
use std::time::Duration;

use serde_json::json;
use tickpath_protocol::Venue;
use tickpath_service::config::TimeUnit;

use super::{Connection, Dialect, Policy, Selection, SyncRule};
use crate::decode::{Channel, Decoded, Listing, Refused, SymbolTable, TimeError, micros, millis};

/// "A single connection can listen to a maximum of 1024 streams."
const STREAMS_PER_CONNECTION: usize = 1_024;

/// Streams that one SUBSCRIBE names.
const STREAMS_PER_FRAME: usize = 200;

/// Bytes of one SUBSCRIBE. The venue answers longer ones with an error or not at all: 4,096 in thrasher-corp/gocryptotrader#670, about
/// twice that in altangent/ccxws#161.
const SUBSCRIBE_BYTES_MAX: usize = 4_000;

/// Bytes of a SUBSCRIBE besides the names of its streams.
const SUBSCRIBE_FRAME_BYTES: usize = r#"{"method":"SUBSCRIBE","params":[],"id":1024}"#.len();

/// "Websocket connections have a limit of 5 incoming messages per second"; one is left for the pongs that we owe.
const FRAMES_PER_SECOND: u32 = 4;

/// Levels that `/api/v3/depth` gives at most.
const IMAGE_LEVELS_MAX: u32 = 5_000;

/// REST request weight that an address may use in a minute, and the weight of `exchangeInfo`, which precedes the first images.
const WEIGHT_PER_MINUTE: u32 = 6_000;
const EXCHANGE_INFO_WEIGHT: u32 = 20;

/// Times that are believed, 2000 to 2100, in both units. The ranges do not meet.
const PLAUSIBLE_MILLIS: Range<u64> = 946_684_800_000..4_102_444_800_000;
const PLAUSIBLE_MICROS: Range<u64> = 946_684_800_000_000..4_102_444_800_000_000;

/// Binance spot.
#[derive(Clone, Debug)]
pub struct Binance {
    selection: Selection,
    time_unit: TimeUnit,
}

impl Binance {
    /// For these channels, `depth` being the levels of the REST image, with times in frames in this unit.
    #[must_use]
    pub fn new(selection: Selection, time_unit: TimeUnit) -> Binance {
        Binance { selection, time_unit }
    }

    fn image_levels(&self) -> u32 {
        self.selection.depth.clamp(1, IMAGE_LEVELS_MAX)
    }

    fn subscribe_frames(&self, symbols: &[String]) -> Vec<String> {
        let streams = symbols.iter().flat_map(|symbol| {
            // Stream names spell symbols in lower case; letters without case, which symbols may hold, stay.
            let symbol = symbol.to_lowercase();
            self.selection
                .channels
                .iter()
                .map(move |channel| format!("{symbol}@{}", stream_suffix(*channel)))
        });
        let mut frames = Vec::new();
        let mut params: Vec<String> = Vec::new();
        let mut bytes = 0;
        for stream in streams {
            let stream_bytes = stream.len() + r#""","#.len();
            if params.len() == STREAMS_PER_FRAME || bytes + stream_bytes > SUBSCRIBE_BYTES_MAX - SUBSCRIBE_FRAME_BYTES {
                frames.push(subscribe_frame(&params, frames.len() + 1));
                params.clear();
                bytes = 0;
            }
            bytes += stream_bytes;
            params.push(stream);
        }
        if !params.is_empty() {
            frames.push(subscribe_frame(&params, frames.len() + 1));
        }
        frames
    }
}

impl Dialect for Binance {
    fn venue(&self) -> Venue {
        Venue::BINANCE
    }

    fn decode_fast(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> bool {
        fast::decode(frame, self.time_unit, symbols, out).is_some()
    }

    fn decode_full(&self, frame: &[u8], symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        full::decode(frame, self.time_unit, symbols, out)
    }

    fn discovery(&self) -> Vec<String> {
        vec!["/api/v3/exchangeInfo".into()]
    }

    fn listings(&self, body: &[u8]) -> Result<Vec<Listing>, Refused> {
        rest::listings(body)
    }

    fn image_request(&self, symbol: &str) -> Option<String> {
        let symbol = rest::percent_encoded(symbol);
        Some(format!("/api/v3/depth?symbol={symbol}&limit={}", self.image_levels()))
    }

    fn image(&self, body: &[u8], symbol: &str, symbols: &SymbolTable, out: &mut Decoded) -> Result<(), Refused> {
        rest::image(body, symbol, symbols, out)
    }

    fn connections(&self, symbols: &[String]) -> Vec<Connection> {
        // A misspelt stream in the address is accepted in silence, and a long list makes an address that proxies refuse, so streams are
        // asked for in frames. Those of one symbol share a connection.
        let path = match self.time_unit {
            TimeUnit::Microsecond => "/stream?timeUnit=MICROSECOND",
            TimeUnit::Millisecond => "/stream",
        };
        let symbols_max = STREAMS_PER_CONNECTION / self.selection.channels.len().max(1);
        symbols
            .chunks(symbols_max)
            .map(|symbols| Connection {
                path: path.into(),
                symbols: symbols.to_vec(),
                subscribe: self.subscribe_frames(symbols),
            })
            .collect()
    }

    fn resubscribe(&self, _symbol: &str) -> Vec<String> {
        Vec::new()
    }

    fn policy(&self) -> Policy {
        Policy {
            sync: SyncRule::UpdateIds,
            login: false,
            // The venue pings every 20 s; three may be lost.
            silence: Duration::from_secs(70),
            ping: None,
            ping_frame: None,
            // "A single connection is only valid for 24 hours."
            lifetime: Some(Duration::from_secs(23 * 3_600)),
            frames_per_second: FRAMES_PER_SECOND,
            backoff_min: Duration::from_millis(500),
            // The venue bans an address at 300 attempts in 5 minutes; a sixth of that leaves room for others behind the same address.
            attempts: 50,
            attempts_window: Duration::from_secs(300),
            images_per_minute: (WEIGHT_PER_MINUTE - EXCHANGE_INFO_WEIGHT) / image_weight(self.image_levels()),
            // The largest change is 5,000 levels a side of about 45 bytes.
            frame_bytes_max: 1 << 20,
        }
    }
}

fn subscribe_frame(params: &[String], id: usize) -> String {
    json!({"method": "SUBSCRIBE", "params": params, "id": id}).to_string()
}

fn stream_suffix(channel: Channel) -> &'static str {
    match channel {
        Channel::Trades => "trade",
        Channel::Quotes => "bookTicker",
        Channel::Book => "depth@100ms",
    }
}

/// Request weight of `/api/v3/depth`.
fn image_weight(levels: u32) -> u32 {
    match levels {
        ..=100 => 5,
        101..=500 => 25,
        501..=1_000 => 50,
        _ => 250,
    }
}

/// A time of a frame. One of this century says its unit by its size, which matters: recordings were made in milliseconds, which is what the
/// venue sends unasked. Any other is read in the unit that was asked for.
#[inline(always)]
fn event_time(value: u64, unit: TimeUnit) -> Result<i64, TimeError> {
    if PLAUSIBLE_MILLIS.contains(&value) {
        return Ok(value as i64 * 1_000_000);
    }
    if PLAUSIBLE_MICROS.contains(&value) {
        return Ok(value as i64 * 1_000);
    }
    match unit {
        TimeUnit::Microsecond => micros(value),
        TimeUnit::Millisecond => millis(value),
    }
}

#[cfg(test)]
mod tests;
