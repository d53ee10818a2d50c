//! Recorded feeds through the whole pipeline: what a WebSocket client receives is what `tickpath decode` prints.

mod support;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value;
use support::{Client, Pipeline, capture_roots, decode};

/// Alpaca's capture is left out: it holds two connections, and a replay plays one.
const VENUES: [&str; 3] = ["binance", "coinbase", "kraken"];

/// What both sides are reduced to: trades and quotes in order and the last state of each book, by symbol.
#[derive(Debug, Default, PartialEq)]
struct Market {
    trades: BTreeMap<String, Vec<String>>,
    quotes: BTreeMap<String, Vec<String>>,
    books: BTreeMap<String, Book>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Book {
    bids: BTreeMap<String, String>,
    asks: BTreeMap<String, String>,
    trusted: bool,
}

impl Book {
    fn set(&mut self, is_bid: bool, price: &Value, size: &Value) {
        let side = if is_bid { &mut self.bids } else { &mut self.asks };
        let (price, size) = (price.as_str().expect("price"), size.as_str().expect("size"));
        if size.trim_matches(['0', '.']).is_empty() {
            side.remove(price);
        } else {
            side.insert(price.to_owned(), size.to_owned());
        }
    }
}

fn text(value: &Value) -> String {
    value["symbol"].as_str().unwrap_or_default().to_owned()
}

fn has_flag(record: &Value, flag: &str) -> bool {
    record["flags"]
        .as_array()
        .is_some_and(|flags| flags.iter().any(|name| name == flag))
}

/// A time that the venue did not send differs from run to run.
fn event_time(record: &Value) -> String {
    if has_flag(record, "no_event_time") {
        "-".into()
    } else {
        record["ts_event"].to_string()
    }
}

fn of_decode(records: &[Value]) -> Market {
    let mut market = Market::default();
    let mut bid = &Value::Null;
    for record in records {
        let symbol = text(record);
        match record["kind"].as_str() {
            Some("trade") => {
                let trade = format!(
                    "{} {} {} {}",
                    record["side"],
                    record["price"],
                    record["size"],
                    event_time(record)
                );
                market.trades.entry(symbol).or_default().push(trade);
            }
            Some("quote") if record["side"] == "bid" => bid = record,
            Some("quote") => {
                let quote = format!(
                    "{} {} {} {}",
                    bid["price"], bid["size"], record["price"], record["size"]
                );
                market.quotes.entry(symbol).or_default().push(quote);
            }
            Some("book_clear") => *market.books.entry(symbol).or_default() = Book::default(),
            Some("book_level") => {
                let book = market.books.entry(symbol).or_default();
                book.set(record["side"] == "bid", &record["price"], &record["size"]);
                book.trusted = !has_flag(record, "untrusted");
            }
            _ => {}
        }
    }
    market
}

/// Adds what a message of the bridge says.
fn add_message(market: &mut Market, message: &Value) {
    let symbol = text(message);
    let items = message["data"].as_array().expect("data");
    match message["channel"].as_str() {
        Some("trades") if message["type"] == "update" => {
            assert!(
                message["skipped"].is_null(),
                "a client that keeps up is not conflated: {message}"
            );
            let trades = items.iter().map(|trade| {
                format!(
                    "{} {} {} {}",
                    trade["side"], trade["price"], trade["size"], trade["ts_event"]
                )
            });
            market.trades.entry(symbol).or_default().extend(trades);
        }
        Some("quotes") if message["type"] == "update" => {
            let quotes = items.iter().map(|quote| {
                format!(
                    "{} {} {} {}",
                    quote["bid"], quote["bid_size"], quote["ask"], quote["ask_size"]
                )
            });
            market.quotes.entry(symbol).or_default().extend(quotes);
        }
        Some("book") => {
            assert!(
                message["conflated"].is_null(),
                "a client that keeps up is not conflated: {message}"
            );
            let book = market.books.entry(symbol).or_default();
            for item in items {
                if message["type"] == "snapshot" {
                    *book = Book::default();
                }
                for (is_bid, levels) in [(true, &item["bids"]), (false, &item["asks"])] {
                    for level in levels.as_array().expect("levels") {
                        book.set(is_bid, &level[0], &level[1]);
                    }
                }
                book.trusted = item["trusted"] == true;
            }
        }
        _ => {}
    }
}

fn total(lists: &BTreeMap<String, Vec<String>>) -> usize {
    lists.values().map(Vec::len).sum()
}

fn check_replay(root: &Path, venue: &str, speed: &str) {
    let (records, summary) = decode(venue, &root.join(venue));
    assert_eq!(summary["refused"], 0, "{summary}");
    assert_eq!(summary["checksums_bad"], 0, "{summary}");
    let mut expected = of_decode(&records);

    let mut pipeline = Pipeline::new(&format!(
        "replay = \"{}\"\nspeed = \"{speed}\"\n[collectors.{venue}]\nsymbols = [\"*\"]\n",
        root.canonicalize().expect("the captures").display()
    ));
    pipeline.start("relay", "tickpath-relay", &[]);
    pipeline.start("simulator", "tickpath-simulator", &[]);
    pipeline.start("bridge", "tickpath-bridge", &[]);
    pipeline.wait_ready();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    let received = runtime.block_on(async {
        let mut client = Client::subscribe(pipeline.bridge, &["trades", "quotes", "book"]).await;
        pipeline.start("collector", "tickpath-collector", &[venue]);
        let mut market = Market::default();
        // A book that never differs from the expected one again is not known to be the last; all else counts up to it.
        while total(&market.trades) < total(&expected.trades)
            || total(&market.quotes) < total(&expected.quotes)
            || market.books != expected.books
        {
            add_message(&mut market, &client.next().await);
        }
        market
    });
    // The venue's own time where it sends one: `decode` marks the others, the bridge repeats the receive time there.
    for (symbol, trades) in &mut expected.trades {
        assert!(
            trades.iter().all(|trade| !trade.ends_with('-')),
            "{symbol}: trades carry the venue's time"
        );
    }
    assert_eq!(received.trades, expected.trades);
    assert_eq!(received.quotes, expected.quotes);
    assert_eq!(received.books, expected.books);
}

#[test]
fn what_a_client_receives_is_what_decode_prints() {
    for root in capture_roots() {
        for venue in VENUES {
            if root.join(venue).join("ws.tsv").is_file() {
                eprintln!("replaying {}/{venue}", root.display());
                check_replay(&root, venue, "20");
            }
        }
    }
}
