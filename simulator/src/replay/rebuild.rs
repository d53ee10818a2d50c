//! The book of one symbol as a capture has it after so many frames, for clients that ask for a snapshot again.
//!
//! Texts are kept as recorded: what is rebuilt has the venue's own digits.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::value::RawValue;
use tickpath_protocol::Venue;
use tickpath_protocol::decimal::parse;

use super::capture::{Capture, CaptureError};
use crate::text::{json_string, list};

/// Decimals that hold any price of any venue.
const PRICE_DECIMALS: u8 = 10;

/// One side: price to its level as recorded.
type Levels = BTreeMap<i64, (String, String)>;

/// A book of texts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct TextBook {
    bids: Levels,
    asks: Levels,
    /// The number that the book is as of: Binance `lastUpdateId`, Kraken `checksum`.
    number: u64,
    /// Levels a side that Kraken's subscription has.
    depth: Option<usize>,
    /// Coinbase `time`, Kraken `timestamp`.
    time: String,
    is_whole: bool,
}

impl TextBook {
    fn side(&mut self, is_bid: bool) -> &mut Levels {
        match is_bid {
            true => &mut self.bids,
            false => &mut self.asks,
        }
    }

    /// A level that cannot be read is left out: the client refuses it as well.
    fn set(&mut self, is_bid: bool, price: &str, size: &str) {
        let Ok(key) = parse(price.as_bytes(), PRICE_DECIMALS) else {
            return;
        };
        let is_removal = size.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        match is_removal {
            true => self.side(is_bid).remove(&key),
            false => self.side(is_bid).insert(key, (price.to_owned(), size.to_owned())),
        };
    }

    fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }

    fn cut(&mut self) {
        let Some(depth) = self.depth else { return };
        while self.bids.len() > depth {
            self.bids.pop_first();
        }
        while self.asks.len() > depth {
            self.asks.pop_last();
        }
    }

    fn lists(&self, level: impl Fn(&(String, String)) -> String) -> (String, String) {
        (
            list(self.bids.values().rev().map(&level)),
            list(self.asks.values().map(&level)),
        )
    }
}

#[derive(Deserialize)]
struct DepthSnapshot<'a> {
    #[serde(rename = "lastUpdateId")]
    last_update: u64,
    #[serde(borrow)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    asks: Vec<[&'a str; 2]>,
}

#[derive(Deserialize)]
struct DepthUpdate<'a> {
    e: &'a str,
    s: &'a str,
    #[serde(rename = "U")]
    first: u64,
    u: u64,
    #[serde(borrow)]
    b: Vec<[&'a str; 2]>,
    #[serde(borrow)]
    a: Vec<[&'a str; 2]>,
}

#[derive(Deserialize)]
struct Combined<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
}

/// Binance's REST snapshot as of the first `frames` frames: the last recorded one that the diffs join, with these applied. `None` if none does.
///
/// # Errors
/// If the capture cannot be read any more.
pub fn binance_depth(capture: &Capture, symbol: &str, frames: usize) -> Result<Option<String>, CaptureError> {
    let recorded = capture.rest.iter().rev();
    let mut recorded = recorded.filter(|answer| answer.is_depth_of(symbol));
    let Some(snapshot) = recorded.find_map(|answer| serde_json::from_str::<DepthSnapshot<'_>>(&answer.body).ok())
    else {
        return Ok(None);
    };
    let mut book = TextBook {
        number: snapshot.last_update,
        ..TextBook::default()
    };
    for (is_bid, levels) in [(true, &snapshot.bids), (false, &snapshot.asks)] {
        for [price, size] in levels {
            book.set(is_bid, price, size);
        }
    }
    let quoted = json_string(symbol);
    let mut reader = capture.read()?;
    for _ in 0..frames {
        let Some(frame) = reader.read_next()? else { break };
        if !frame.text.contains(&quoted) {
            continue;
        }
        let data =
            serde_json::from_str::<Combined<'_>>(&frame.text).map_or(frame.text.as_str(), |wrapped| wrapped.data.get());
        let Ok(update) = serde_json::from_str::<DepthUpdate<'_>>(data) else {
            continue;
        };
        if update.e != "depthUpdate" || update.s != symbol || update.u <= book.number {
            continue;
        }
        if update.first > book.number + 1 {
            return Ok(None);
        }
        for (is_bid, levels) in [(true, &update.b), (false, &update.a)] {
            for [price, size] in levels {
                book.set(is_bid, price, size);
            }
        }
        book.number = update.u;
    }
    let (bids, asks) = book.lists(|(price, size)| format!(r#"["{price}","{size}"]"#));
    let number = book.number;
    Ok(Some(format!(
        r#"{{"lastUpdateId":{number},"bids":[{bids}],"asks":[{asks}]}}"#
    )))
}

#[derive(Deserialize)]
struct KrakenFrame<'a> {
    #[serde(default)]
    channel: &'a str,
    #[serde(default)]
    r#type: &'a str,
    #[serde(borrow, default)]
    data: Vec<KrakenBook<'a>>,
}

#[derive(Deserialize)]
struct KrakenBook<'a> {
    symbol: &'a str,
    #[serde(borrow)]
    bids: Vec<KrakenLevel<'a>>,
    #[serde(borrow)]
    asks: Vec<KrakenLevel<'a>>,
    checksum: u64,
    timestamp: Option<&'a str>,
}

#[derive(Deserialize)]
struct KrakenLevel<'a> {
    #[serde(borrow)]
    price: &'a RawValue,
    #[serde(borrow)]
    qty: &'a RawValue,
}

#[derive(Deserialize)]
struct KrakenAcknowledgement<'a> {
    #[serde(borrow)]
    result: KrakenResult<'a>,
}

#[derive(Deserialize)]
struct KrakenResult<'a> {
    channel: &'a str,
    symbol: &'a str,
    depth: usize,
}

#[derive(Deserialize)]
struct CoinbaseFrame<'a> {
    r#type: &'a str,
    product_id: &'a str,
    #[serde(borrow, default)]
    bids: Vec<[&'a str; 2]>,
    #[serde(borrow, default)]
    asks: Vec<[&'a str; 2]>,
    #[serde(borrow, default)]
    changes: Vec<[&'a str; 3]>,
    time: Option<&'a str>,
}

/// The in-band snapshot of a book as of the first `frames` frames, where the venue sends one; `None` if the capture has none for the symbol.
///
/// # Errors
/// If the capture cannot be read any more.
pub fn in_band(capture: &Capture, symbol: &str, frames: usize) -> Result<Option<String>, CaptureError> {
    let mut book = TextBook::default();
    let quoted = json_string(symbol);
    let mut reader = capture.read()?;
    for _ in 0..frames {
        let Some(frame) = reader.read_next()? else { break };
        if frame.text.contains(&quoted) {
            match capture.venue {
                Venue::KRAKEN => apply_kraken(&mut book, symbol, &frame.text),
                Venue::COINBASE => apply_coinbase(&mut book, symbol, &frame.text),
                _ => {}
            }
        }
    }
    if !book.is_whole {
        return Ok(None);
    }
    Ok(Some(match capture.venue {
        Venue::KRAKEN => kraken_snapshot(&book, &quoted),
        _ => {
            let (bids, asks) = book.lists(|(price, size)| format!(r#"["{price}","{size}"]"#));
            let time = &book.time;
            format!(r#"{{"type":"snapshot","product_id":{quoted},"asks":[{asks}],"bids":[{bids}],"time":"{time}"}}"#)
        }
    }))
}

fn kraken_snapshot(book: &TextBook, symbol: &str) -> String {
    let (bids, asks) = book.lists(|(price, qty)| format!(r#"{{"price":{price},"qty":{qty}}}"#));
    let time = match book.time.as_str() {
        "" => String::new(),
        time => format!(r#","timestamp":"{time}""#),
    };
    format!(
        r#"{{"channel":"book","type":"snapshot","data":[{{"symbol":{symbol},"bids":[{bids}],"asks":[{asks}],"checksum":{}{time}}}]}}"#,
        book.number
    )
}

fn apply_kraken(book: &mut TextBook, symbol: &str, text: &str) {
    if let Ok(KrakenAcknowledgement { result }) = serde_json::from_str(text) {
        if result.channel == "book" && result.symbol == symbol {
            book.depth = Some(result.depth);
        }
        return;
    }
    let Ok(frame) = serde_json::from_str::<KrakenFrame<'_>>(text) else {
        return;
    };
    if frame.channel != "book" {
        return;
    }
    for update in frame.data.iter().filter(|update| update.symbol == symbol) {
        if frame.r#type == "snapshot" {
            book.clear();
            book.is_whole = true;
        }
        for (is_bid, levels) in [(true, &update.bids), (false, &update.asks)] {
            for level in levels {
                book.set(is_bid, level.price.get(), level.qty.get());
            }
        }
        book.cut();
        book.number = update.checksum;
        book.time = update.timestamp.unwrap_or_default().to_owned();
    }
}

fn apply_coinbase(book: &mut TextBook, symbol: &str, text: &str) {
    let Ok(frame) = serde_json::from_str::<CoinbaseFrame<'_>>(text) else {
        return;
    };
    if frame.product_id != symbol || !["snapshot", "l2update"].contains(&frame.r#type) {
        return;
    }
    if frame.r#type == "snapshot" {
        book.clear();
        book.is_whole = true;
    }
    for (is_bid, levels) in [(true, &frame.bids), (false, &frame.asks)] {
        for [price, size] in levels {
            book.set(is_bid, price, size);
        }
    }
    for [side, price, size] in &frame.changes {
        book.set(*side == "buy", price, size);
    }
    book.time = frame.time.unwrap_or_default().to_owned();
}
