//! Recorded feeds through the whole pipeline: what a WebSocket client receives is what `tickpath decode` prints, also when it is recorded and
//! played again.

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use support::{Client, Pipeline, capture_roots, decode, stderr, tickpath, wait_for};

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

/// What a client receives of a pipeline that `feed` feeds, until it is as expected.
fn receive(pipeline: &mut Pipeline, expected: &Market, feed: impl FnOnce(&mut Pipeline)) -> Market {
    pipeline.start("relay", "tickpath-relay", &[]);
    pipeline.start("bridge", "tickpath-bridge", &[]);
    pipeline.wait_ready();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        let mut client = Client::subscribe(pipeline.bridge, &["trades", "quotes", "book"]).await;
        feed(pipeline);
        let mut market = Market::default();
        // A book that never differs from the expected one again is not known to be the last; all else counts up to it.
        while total(&market.trades) < total(&expected.trades)
            || total(&market.quotes) < total(&expected.quotes)
            || market.books != expected.books
        {
            add_message(&mut market, &client.next().await);
        }
        market
    })
}

/// What a client must receive of a capture.
fn expected(root: &Path, venue: &str) -> Market {
    let (records, summary) = decode(venue, &root.join(venue));
    assert_eq!(summary["refused"], 0, "{summary}");
    assert_eq!(summary["checksums_bad"], 0, "{summary}");
    let expected = of_decode(&records);
    // The venue's own time where it sends one: `decode` marks the others, the bridge repeats the receive time there.
    for (symbol, trades) in &expected.trades {
        assert!(
            trades.iter().all(|trade| !trade.ends_with('-')),
            "{symbol}: trades carry the venue's time"
        );
    }
    expected
}

/// A pipeline whose simulator plays a capture.
fn of_capture(root: &Path, venue: &str, speed: &str) -> Pipeline {
    Pipeline::new(&format!(
        "replay = \"{}\"\nspeed = \"{speed}\"\n[collectors.{venue}]\nsymbols = [\"*\"]\n",
        root.canonicalize().expect("the captures").display()
    ))
}

fn check_replay(root: &Path, venue: &str, speed: &str) {
    let expected = expected(root, venue);
    let mut pipeline = of_capture(root, venue, speed);
    pipeline.start("simulator", "tickpath-simulator", &[]);
    let received = receive(&mut pipeline, &expected, |pipeline| {
        pipeline.start("collector", "tickpath-collector", &[venue]);
    });
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

/// Ends a process as a service manager does.
fn stop(pipeline: &mut Pipeline, name: &str) {
    let child = pipeline.child(name);
    let pid = child.id().to_string();
    let asked = Command::new("kill").args(["-TERM", &pid]).status().expect("kill runs");
    assert!(asked.success());
    let ended = child.wait().expect("it ends");
    assert!(ended.success(), "{name}: {ended}: {}", pipeline.log(name));
}

/// Exports every day of a journal that was begun a short time ago, although the last is not over.
fn export_all(journal: &str, archive: &str) {
    for day in ["today", "yesterday"] {
        let date = Command::new("date")
            .args(["-u", "-d", day, "+%F"])
            .output()
            .expect("date runs");
        let date = String::from_utf8(date.stdout).expect("a date");
        let output = tickpath(&["export", "--journal", journal, "--to", archive, "--date", date.trim()]);
        assert!(
            output.status.success() || stderr(&output).contains("no record"),
            "{}",
            stderr(&output)
        );
    }
}

/// The past of one pipeline, fed into another: its readers see the same, from the journal and from the archive.
#[test]
fn what_was_recorded_plays_again() {
    let root = &capture_roots()[0];
    for venue in VENUES {
        let expected = expected(root, venue);
        let mut recorded = of_capture(root, venue, "50");
        recorded.start("simulator", "tickpath-simulator", &[]);
        recorded.start("recorder", "tickpath-recorder", &[]);
        receive(&mut recorded, &expected, |pipeline| {
            pipeline.start("collector", "tickpath-collector", &[venue]);
        });
        stop(&mut recorded, "recorder");
        let journal = recorded.dir.path().join("run/journal").display().to_string();
        let archive = recorded.dir.path().join("archive").display().to_string();
        export_all(&journal, &archive);
        for (past, speed) in [(&journal, "max"), (&journal, "7"), (&archive, "max")] {
            eprintln!("{venue}: {past} at speed {speed}");
            let mut again = Pipeline::new("");
            again.start("relay", "tickpath-relay", &[]);
            again.start("tail", "tickpath", &["tail", "--json", "--oldest"]);
            again.start("replay", "tickpath", &["replay", past, "--speed", speed]);
            wait_for("the past in the stream", || (of_tail(&again) == expected).then_some(()));
            let ended = again.child("replay").wait().expect("it ends");
            assert!(ended.success(), "{}", again.log("replay"));
        }
        // As slowly as it was, a client sees each step; at once it may see the last state alone.
        let mut again = Pipeline::new("");
        let received = receive(&mut again, &expected, |pipeline| {
            pipeline.start("replay", "tickpath", &["replay", &journal, "--speed", "1"]);
        });
        assert_eq!(received, expected);
    }
}

/// What `tickpath tail` printed so far.
fn of_tail(pipeline: &Pipeline) -> Market {
    let records: Vec<Value> = pipeline
        .log("tail")
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    of_decode(&records)
}
