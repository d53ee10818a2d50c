//! A capture read a second time, with `serde_json::Value` and plain maps alone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tickpath_protocol::Venue;

use super::support::{Book, Level, Levels, Quote, Trade, own, shortest};

/// The recorded feed of a venue; where this checkout has none, a small capture of our own.
pub fn captures(set: &str, venue: Venue) -> PathBuf {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/captures"));
    let dir = root.join(set).join(venue.to_string());
    if dir.exists() { dir } else { own(&venue.to_string()) }
}

/// The same capture, read independently.
#[derive(Default)]
pub struct Expected {
    pub checksums: u64,
    pub trades: Vec<Trade>,
    pub quotes: Vec<Quote>,
    pub levels: Vec<Level>,
    pub books: BTreeMap<String, Book>,
    depths: BTreeMap<String, usize>,
    images: BTreeMap<String, (u64, Book)>,
    diffs: BTreeMap<String, Vec<(u64, u64, Vec<Level>)>>,
}

impl Expected {
    pub fn of(venue: Venue, dir: &Path) -> Expected {
        let mut expected = Expected::default();
        let rest = std::fs::read_to_string(dir.join("rest.tsv")).unwrap_or_default();
        for line in rest.lines() {
            let [_, url, body] = line.splitn(3, '\t').collect::<Vec<_>>().try_into().unwrap();
            if url.contains("/depth?") {
                expected.binance_image(url, &numbers_as_text(body));
            }
        }
        let frames = std::fs::read_to_string(dir.join("ws.tsv")).unwrap();
        for line in frames.lines() {
            let frame = numbers_as_text(line.split_once('\t').unwrap().1);
            match venue {
                Venue::BINANCE => expected.binance(&frame),
                Venue::COINBASE => expected.coinbase(&frame),
                _ => expected.kraken(&frame),
            }
        }
        expected.bridge();
        expected
    }

    fn binance_image(&mut self, url: &str, body: &Value) {
        let symbol = url.split("symbol=").nth(1).unwrap().split('&').next().unwrap();
        let mut book = Book::default();
        for (side, key) in [(0, "bids"), (1, "asks")] {
            for level in body[key].as_array().unwrap() {
                set(&mut book[side], &text_of(&level[0]), &text_of(&level[1]));
            }
        }
        self.images
            .insert(symbol.to_owned(), (integer(&body["lastUpdateId"]) as u64, book));
    }

    fn binance(&mut self, frame: &Value) {
        let (stream, data) = (frame["stream"].as_str().unwrap(), &frame["data"]);
        let symbol = data["s"].as_str().unwrap_or_default().to_owned();
        let channel = stream.split('@').nth(1).unwrap();
        match channel {
            "trade" | "aggTrade" => {
                let side = if data["m"] == Value::Bool(true) { "sell" } else { "buy" };
                let time = integer(&data["T"]) * 1_000;
                self.trades
                    .push((symbol, side, text_of(&data["p"]), text_of(&data["q"]), time));
            }
            "bookTicker" => {
                let quote = ["b", "B", "a", "A"].map(|key| text_of(&data[key]));
                self.quotes.push((symbol, quote));
            }
            "depth" => {
                let mut levels = Vec::new();
                for (side, key) in [("bid", "b"), ("ask", "a")] {
                    for level in data[key].as_array().unwrap() {
                        levels.push((symbol.clone(), side, text_of(&level[0]), text_of(&level[1])));
                    }
                }
                self.levels.extend(levels.iter().cloned());
                let ids = (integer(&data["U"]) as u64, integer(&data["u"]) as u64);
                self.diffs.entry(symbol).or_default().push((ids.0, ids.1, levels));
            }
            _ => {}
        }
    }

    /// Binance's procedure, on all that was collected.
    fn bridge(&mut self) {
        for (symbol, (last_id, mut book)) in std::mem::take(&mut self.images) {
            let diffs = self.diffs.remove(&symbol).unwrap_or_default();
            let mut local = last_id;
            for (first, last, levels) in diffs.into_iter().filter(|diff| diff.1 > last_id) {
                assert!(first <= local + 1, "the capture has a hole");
                local = last;
                for (_, side, price, size) in levels {
                    set(&mut book[usize::from(side == "ask")], &price, &size);
                }
            }
            self.books.insert(symbol, book);
        }
    }

    fn coinbase(&mut self, frame: &Value) {
        let symbol = frame["product_id"].as_str().unwrap_or_default().to_owned();
        match frame["type"].as_str().unwrap() {
            "snapshot" => {
                let book = self.books.entry(symbol).or_default();
                *book = Book::default();
                for (side, key) in [(0, "bids"), (1, "asks")] {
                    for level in frame[key].as_array().unwrap() {
                        set(&mut book[side], &text_of(&level[0]), &text_of(&level[1]));
                    }
                }
            }
            "l2update" => {
                for change in frame["changes"].as_array().unwrap() {
                    let side = if change[0] == "buy" { "bid" } else { "ask" };
                    let (price, size) = (text_of(&change[1]), text_of(&change[2]));
                    let book = self.books.entry(symbol.clone()).or_default();
                    set(&mut book[usize::from(side == "ask")], &price, &size);
                    self.levels.push((symbol.clone(), side, price, size));
                }
            }
            "match" => {
                let side = if frame["side"] == "sell" { "buy" } else { "sell" };
                let time = micros(&frame["time"]);
                self.trades
                    .push((symbol, side, text_of(&frame["price"]), text_of(&frame["size"]), time));
            }
            "ticker" => {
                let keys = ["best_bid", "best_bid_size", "best_ask", "best_ask_size"];
                self.quotes.push((symbol, keys.map(|key| text_of(&frame[key]))));
            }
            _ => {}
        }
    }

    fn kraken(&mut self, frame: &Value) {
        let result = &frame["result"];
        if result["channel"] == "book" {
            let symbol = result["symbol"].as_str().unwrap();
            self.depths
                .insert(symbol.to_owned(), integer(&result["depth"]) as usize);
        }
        let is_image = frame["type"] == "snapshot";
        for item in frame["data"].as_array().into_iter().flatten() {
            let symbol = item["symbol"].as_str().unwrap_or_default().to_owned();
            match frame["channel"].as_str() {
                Some("book") => self.kraken_book(symbol, is_image, item),
                Some("trade") if !is_image => {
                    let side = if item["side"] == "buy" { "buy" } else { "sell" };
                    let time = micros(&item["timestamp"]);
                    self.trades
                        .push((symbol, side, text_of(&item["price"]), text_of(&item["qty"]), time));
                }
                Some("ticker") => {
                    let quote = ["bid", "bid_qty", "ask", "ask_qty"].map(|key| text_of(&item[key]));
                    self.quotes.push((symbol, quote));
                }
                _ => {}
            }
        }
    }

    fn kraken_book(&mut self, symbol: String, is_image: bool, item: &Value) {
        self.checksums += 1;
        let depth = self.depths[&symbol];
        let book = self.books.entry(symbol.clone()).or_default();
        if is_image {
            *book = Book::default();
        }
        for (side, key) in [("bid", "bids"), ("ask", "asks")] {
            for level in item[key].as_array().unwrap() {
                let (price, size) = (text_of(&level["price"]), text_of(&level["qty"]));
                set(&mut book[usize::from(side == "ask")], &price, &size);
                if !is_image {
                    self.levels.push((symbol.clone(), side, price, size));
                }
            }
        }
        for (side, levels) in book.iter_mut().enumerate() {
            let mut prices: Vec<String> = levels.keys().cloned().collect();
            prices.sort_by(|a, b| number(a).total_cmp(&number(b)));
            if side == 0 {
                prices.reverse();
            }
            for price in prices.into_iter().skip(depth) {
                levels.remove(&price);
            }
        }
    }
}

fn set(levels: &mut Levels, price: &str, size: &str) {
    if size == "0" {
        levels.remove(price);
    } else {
        levels.insert(price.to_owned(), size.to_owned());
    }
}

/// For ordering alone.
fn number(text: &str) -> f64 {
    text.parse().unwrap()
}

fn text_of(value: &Value) -> String {
    value.as_str().map(shortest).unwrap_or_default()
}

fn integer(value: &Value) -> i64 {
    value.as_str().unwrap().parse().unwrap()
}

/// Microseconds since the epoch of `2026-07-07T23:00:03.977459Z`.
fn micros(value: &Value) -> i64 {
    tickpath_collectors::decode::rfc3339(value.as_str().unwrap().as_bytes()).unwrap() / 1_000
}

/// The JSON with its bare numbers as strings, so that their text is not lost.
fn numbers_as_text(json: &str) -> Value {
    let mut out = String::with_capacity(json.len() + 64);
    let mut in_string = false;
    let mut in_number = false;
    for character in json.chars() {
        if character == '"' {
            in_string = !in_string;
        }
        let of_number = matches!(character, '0'..='9' | '-' | '+' | '.' | 'e' | 'E');
        if !in_string && !in_number && matches!(character, '0'..='9' | '-') {
            in_number = true;
            out.push('"');
        } else if in_number && !of_number {
            in_number = false;
            out.push('"');
        }
        out.push(character);
    }
    serde_json::from_str(&out).unwrap()
}
