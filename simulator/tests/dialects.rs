//! Each dialect as a plain client meets it: rules of subscription, and books rebuilt by the client's own code.

mod support;

use std::collections::BTreeMap;

use serde_json::Value;
use support::{Client, get, get_with, start, start_with};
use tickpath_simulator::{Limits, Options};

/// Price text to size text, ordered by price; sides apart.
#[derive(Clone, Debug, Default, PartialEq)]
struct Book {
    bids: BTreeMap<u64, String>,
    asks: BTreeMap<u64, String>,
}

impl Book {
    fn set(&mut self, is_bid: bool, price: &str, size: &str) {
        let side = if is_bid { &mut self.bids } else { &mut self.asks };
        match size.bytes().all(|byte| byte == b'0' || byte == b'.') {
            true => side.remove(&key(price)),
            false => side.insert(key(price), size.to_owned()),
        };
    }

    fn set_all(&mut self, is_bid: bool, levels: &Value) {
        for level in levels.as_array().unwrap() {
            self.set(is_bid, level[0].as_str().unwrap(), level[1].as_str().unwrap());
        }
    }

    fn is_crossed(&self) -> bool {
        matches!((self.bids.keys().next_back(), self.asks.keys().next()), (Some(bid), Some(ask)) if bid >= ask)
    }
}

/// A price as an integer with ten decimals.
fn key(price: &str) -> u64 {
    let (whole, fraction) = price.split_once('.').unwrap_or((price, ""));
    format!("{whole}{fraction:0<10}").parse().unwrap()
}

#[tokio::test]
async fn binance_diffs_bridge_with_rest_snapshots() {
    let server = start(|_| {}).await;
    let mut client = Client::connect(&server, "/binance/stream?streams=&timeUnit=MICROSECOND").await;
    client
        .send(r#"{"method":"SUBSCRIBE","params":["btcusdt@depth@100ms","btcusdt@trade","btcusdt@aggTrade","btcusdt@bookTicker","btcusdt@depht"],"id":1}"#)
        .await;
    assert_eq!(
        client.text().await,
        r#"{"result":null,"id":1}"#,
        "a misspelt stream is accepted"
    );
    let is_depth = |frame: &Value| frame["stream"] == "btcusdt@depth@100ms";
    client.until(is_depth).await;
    let mut books: Vec<(u64, Book)> = Vec::new();
    let mut last_u = None;
    for round in 0..40 {
        if round < 8 {
            books.push(binance_snapshot(&server).await);
        }
        let frame = client.until(is_depth).await;
        let data = &frame["data"];
        let (first, last) = (data["U"].as_u64().unwrap(), data["u"].as_u64().unwrap());
        assert!(last_u.is_none_or(|u| first == u + 1), "diffs join");
        last_u = Some(last);
        assert_eq!(data["E"].to_string().len(), 16, "microseconds");
        for (local, book) in &mut books {
            if last <= *local {
                continue;
            }
            assert!(first <= *local + 1, "the snapshot {local} joins {first}..{last}");
            book.set_all(true, &data["b"]);
            book.set_all(false, &data["a"]);
            *local = last;
            assert!(!book.is_crossed());
        }
    }
    assert!(
        books.iter().all(|book| *book == books[0]),
        "every snapshot leads to one book"
    );
}

async fn binance_snapshot(server: &tickpath_simulator::Server) -> (u64, Book) {
    let answer = get(server, "/binance/api/v3/depth?symbol=BTCUSDT&limit=5000").await;
    let weight: u32 = answer.header("X-MBX-USED-WEIGHT-1M").unwrap().parse().unwrap();
    assert_eq!(weight % 250, 0);
    let snapshot = answer.json();
    let mut book = Book::default();
    book.set_all(true, &snapshot["bids"]);
    book.set_all(false, &snapshot["asks"]);
    (snapshot["lastUpdateId"].as_u64().unwrap(), book)
}

#[tokio::test]
async fn binance_streams_in_the_address_and_rest() {
    let server = start(|_| {}).await;
    let mut raw = Client::connect(&server, "/binance/ws/btcusdt@trade").await;
    let trade = raw.json().await;
    assert_eq!(
        (&trade["e"], &trade["s"]),
        (&Value::from("trade"), &Value::from("BTCUSDT"))
    );
    assert_eq!(trade["E"].to_string().len(), 13, "milliseconds unless asked otherwise");
    for number in ["p", "q"] {
        let (_, decimals) = trade[number].as_str().unwrap().split_once('.').unwrap();
        assert_eq!(decimals.len(), 8);
    }
    let mut combined = Client::connect(&server, "/binance/stream?streams=ethusdt@aggTrade/ethusdt@bookTicker").await;
    let aggregate = combined.until(|frame| frame["stream"] == "ethusdt@aggTrade").await;
    let (first, last) = (
        aggregate["data"]["f"].as_u64().unwrap(),
        aggregate["data"]["l"].as_u64().unwrap(),
    );
    assert!(first <= last);
    let ticker = combined.until(|frame| frame["stream"] == "ethusdt@bookTicker").await;
    assert!(ticker["data"].get("E").is_none(), "bookTicker has no time");

    let info = get(&server, "/binance/api/v3/exchangeInfo").await.json();
    assert_eq!(info["symbols"].as_array().unwrap().len(), 3);
    assert!(get(&server, "/binance/api/v3/time").await.json()["serverTime"].is_u64());
    let shallow = get(&server, "/binance/api/v3/depth?symbol=BTCUSDT&limit=5")
        .await
        .json();
    assert_eq!(shallow["bids"].as_array().unwrap().len(), 5);
    for (path, code) in [
        ("depth?symbol=NOPE", -1121),
        ("depth?symbol=BTCUSDT&limit=5001", -1102),
        ("depth", -1102),
    ] {
        let answer = get(&server, &format!("/binance/api/v3/{path}")).await;
        assert_eq!(
            (answer.status, answer.json()["code"].as_i64()),
            (400, Some(code)),
            "{path}"
        );
    }
    let refused = async {
        loop {
            let answer = get(&server, "/binance/api/v3/depth?symbol=BTCUSDT&limit=5000").await;
            if answer.status != 200 {
                return answer;
            }
        }
    };
    let refused = refused.await;
    assert_eq!(refused.status, 429, "the weight of a minute is used up");
    assert!(refused.header("Retry-After").is_some());
}

#[tokio::test]
async fn binance_pings_and_ends_a_connection_of_its_age() {
    let limits = Limits {
        lifetime_ns: 700_000_000,
        ping_ns: 200_000_000,
    };
    let server = start_with(|_| {}, Options { binance: limits }).await;
    let mut client = Client::connect(&server, "/binance/ws").await;
    let ping = client.next().await.unwrap().unwrap();
    assert!(ping.is_ping());
    let payload = ping.into_text().unwrap();
    assert!(
        payload.len() == 13 && payload.bytes().all(|byte| byte.is_ascii_digit()),
        "{payload}"
    );
    assert_eq!(client.close_code().await, Some(1008));
}

#[tokio::test]
async fn kraken_checksums_agree() {
    let server = start(|config| config.events_per_second = 1_000).await;
    for (depth, wanted) in [(10, 2_000), (100, 1_500)] {
        let mut client = Client::connect(&server, "/kraken/v2").await;
        assert_eq!(client.json().await["channel"], "status");
        let symbols = r#"["BTC/USD","ETH/USD","SOL/USD"]"#;
        client
            .send(&format!(r#"{{"method":"subscribe","params":{{"channel":"book","symbol":{symbols},"depth":{depth}}},"req_id":3}}"#))
            .await;
        let mut books: BTreeMap<String, KrakenBook> = BTreeMap::new();
        let (mut checked, mut acknowledged) = (0, 0);
        while checked < wanted {
            let text = client.text().await;
            let frame: Value = serde_json::from_str(&text).unwrap();
            if frame["method"] == "subscribe" {
                assert_eq!(
                    (&frame["success"], &frame["req_id"]),
                    (&Value::from(true), &Value::from(3))
                );
                acknowledged += 1;
            }
            if frame["channel"] == "book" {
                let symbol = frame["data"][0]["symbol"].as_str().unwrap().to_owned();
                let book = books.entry(symbol).or_default();
                if frame["type"] == "snapshot" {
                    *book = KrakenBook::default();
                }
                book.apply(&text, depth);
                assert_eq!(
                    Some(u64::from(book.crc32())),
                    frame["data"][0]["checksum"].as_u64(),
                    "{text}"
                );
                checked += 1;
            }
        }
        assert_eq!((acknowledged, books.len()), (3, 3));
    }
}

/// A Kraken book of digit strings, kept as the document says.
#[derive(Default)]
struct KrakenBook {
    bids: BTreeMap<u64, (String, String)>,
    asks: BTreeMap<u64, (String, String)>,
}

impl KrakenBook {
    /// Reads the levels from the text itself: a JSON parser would lose the zeros.
    fn apply(&mut self, text: &str, depth: usize) {
        let after = |from: &'static str| text.split_once(from).unwrap().1;
        let bids = after(r#""bids":["#).split(']').next().unwrap();
        let asks = after(r#""asks":["#).split(']').next().unwrap();
        for (side, levels) in [(&mut self.bids, bids), (&mut self.asks, asks)] {
            for level in levels.split("},").filter(|level| !level.is_empty()) {
                let (price, qty) = level
                    .trim_start_matches(r#"{"price":"#)
                    .split_once(r#","qty":"#)
                    .unwrap();
                let qty = qty.trim_end_matches('}');
                match qty.bytes().all(|byte| byte == b'0' || byte == b'.') {
                    true => side.remove(&key(price)),
                    false => side.insert(key(price), (price.to_owned(), qty.to_owned())),
                };
            }
        }
        while self.bids.len() > depth {
            self.bids.pop_first();
        }
        while self.asks.len() > depth {
            self.asks.pop_last();
        }
    }

    fn crc32(&self) -> u32 {
        let mut text = String::new();
        for (price, qty) in self.asks.values().take(10).chain(self.bids.values().rev().take(10)) {
            for number in [price, qty] {
                text.push_str(number.replace('.', "").trim_start_matches('0'));
            }
        }
        !text.bytes().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(byte), |crc, _| {
                (crc >> 1) ^ (0xEDB8_8320 & 0_u32.wrapping_sub(crc & 1))
            })
        })
    }
}

#[tokio::test]
async fn kraken_trades_tickers_instruments_and_beats() {
    let server = start(|_| {}).await;
    let mut client = Client::connect(&server, "/kraken").await;
    client
        .send(r#"{"method":"subscribe","params":{"channel":"instrument"}}"#)
        .await;
    let instruments = client.until(|frame| frame["channel"] == "instrument").await;
    let pair = &instruments["data"]["pairs"][0];
    assert_eq!(
        (&pair["symbol"], &pair["price_precision"]),
        (&Value::from("BTC/USD"), &Value::from(1))
    );
    client.until(|frame| frame["channel"] == "heartbeat").await;
    client
        .send(r#"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD"],"snapshot":true}}"#)
        .await;
    client
        .send(r#"{"method":"subscribe","params":{"channel":"ticker","symbol":["BTC/USD"],"event_trigger":"bbo"}}"#)
        .await;
    let mut last_id = None;
    for _ in 0..20 {
        let frame = client.until(|frame| frame["channel"] == "trade").await;
        for trade in frame["data"].as_array().unwrap() {
            let id = trade["trade_id"].as_u64().unwrap();
            assert!(last_id.is_none_or(|last| id == last + 1));
            last_id = Some(id);
        }
    }
    let ticker = client.until(|frame| frame["channel"] == "ticker").await;
    assert!(ticker["data"][0]["bid"].as_f64() < ticker["data"][0]["ask"].as_f64());
    client.send(r#"{"method":"ping","req_id":101}"#).await;
    assert_eq!(client.until(|frame| frame["method"] == "pong").await["req_id"], 101);
}

#[tokio::test]
async fn coinbase_snapshot_and_updates_equal_the_rest_book() {
    let server = start(|_| {}).await;
    let mut client = Client::connect(&server, "/coinbase").await;
    client
        .send(r#"{"type":"subscribe","product_ids":["BTC-USD"],"channels":["level2_batch","matches","heartbeat"]}"#)
        .await;
    assert_eq!(client.json().await["channels"][0]["name"], "level2_50");
    let mut book = Book::default();
    let snapshot = client.until(|frame| frame["type"] == "snapshot").await;
    book.set_all(true, &snapshot["bids"]);
    book.set_all(false, &snapshot["asks"]);
    let (mut compared, mut last_trade, mut beats) = (0, None, 0);
    let mut rest: Option<Value> = None;
    while compared < 10 || beats < 2 {
        let frame = client.json().await;
        match frame["type"].as_str().unwrap() {
            "l2update" => {
                // Times of one format compare as text. The REST book is what was true up to its time.
                if rest
                    .as_ref()
                    .is_some_and(|rest| frame["time"].as_str() > rest["time"].as_str())
                {
                    let rest = rest.take().unwrap();
                    let mut expected = Book::default();
                    expected.set_all(true, &rest["bids"]);
                    expected.set_all(false, &rest["asks"]);
                    assert_eq!(book, expected);
                    compared += 1;
                }
                for change in frame["changes"].as_array().unwrap() {
                    book.set(
                        change[0] == "buy",
                        change[1].as_str().unwrap(),
                        change[2].as_str().unwrap(),
                    );
                }
                assert!(!book.is_crossed());
                if rest.is_none() {
                    rest = Some(get(&server, "/coinbase/products/BTC-USD/book?level=2").await.json());
                }
            }
            "match" => {
                let id = frame["trade_id"].as_u64().unwrap();
                assert!(last_trade.is_none_or(|last| id == last + 1));
                last_trade = Some(id);
            }
            "heartbeat" => {
                assert!(
                    last_trade.is_none() || frame["last_trade_id"].as_u64() == last_trade,
                    "{frame}"
                );
                beats += 1;
            }
            "last_match" => last_trade = frame["trade_id"].as_u64(),
            other => panic!("{other}"),
        }
    }
    let products = get(&server, "/coinbase/products").await.json();
    assert_eq!(products[0]["quote_increment"], "0.01");
}

#[tokio::test]
async fn coinbase_advanced_equals_its_rest_book() {
    let server = start(|_| {}).await;
    let mut client = Client::connect(&server, "/coinbase/advanced").await;
    for channel in ["level2", "market_trades", "heartbeats"] {
        client
            .send(&format!(
                r#"{{"type":"subscribe","product_ids":["BTC-USD"],"channel":"{channel}"}}"#
            ))
            .await;
    }
    let mut book = Book::default();
    let (mut compared, mut next_number) = (0, 0);
    let mut rest: Option<Value> = None;
    while compared < 5 {
        let frame = client.json().await;
        assert_eq!(frame["sequence_num"].as_u64(), Some(next_number));
        next_number += 1;
        if frame["channel"] != "l2_data" {
            continue;
        }
        let event = &frame["events"][0];
        let time = event["updates"][0]["event_time"].as_str();
        if rest.as_ref().is_some_and(|rest| time > rest["time"].as_str()) {
            let rest = rest.take().unwrap();
            let mut expected = Book::default();
            for (is_bid, side) in [(true, "bids"), (false, "asks")] {
                for level in rest[side].as_array().unwrap() {
                    expected.set(
                        is_bid,
                        level["price"].as_str().unwrap(),
                        level["size"].as_str().unwrap(),
                    );
                }
            }
            assert_eq!(book, expected);
            compared += 1;
        }
        for update in event["updates"].as_array().unwrap() {
            let (price, size) = (
                update["price_level"].as_str().unwrap(),
                update["new_quantity"].as_str().unwrap(),
            );
            assert!(
                !price.ends_with('0') || !price.contains('.'),
                "zeros at the end are left out: {price}"
            );
            book.set(update["side"] == "bid", price, size);
        }
        if rest.is_none() {
            let answer = get(&server, "/coinbase/advanced/market/product_book?product_id=BTC-USD").await;
            rest = Some(answer.json()["pricebook"].clone());
        }
    }
    let products = get(&server, "/coinbase/advanced/market/products").await.json();
    assert_eq!(products["products"][0]["product_id"], "BTC-USD");
}

#[tokio::test]
async fn alpaca_asks_for_keys_and_its_book_holds() {
    let server = start(|_| {}).await;
    let mut client = Client::connect(&server, "/alpaca/v1beta3/crypto/us").await;
    assert_eq!(client.text().await, r#"[{"T":"success","msg":"connected"}]"#);
    client.send(r#"{"action":"auth","key":"wrong","secret":"wrong"}"#).await;
    assert_eq!(client.json().await[0]["code"], 402);
    client
        .send(r#"{"action":"auth","key":"simulated","secret":"simulated"}"#)
        .await;
    assert_eq!(client.json().await[0]["msg"], "authenticated");
    client
        .send(r#"{"action":"subscribe","trades":["*"],"quotes":["BTC/USD"],"orderbooks":["BTC/USD"]}"#)
        .await;
    assert_eq!(client.json().await[0]["orderbooks"][0], "BTC/USD");
    let keys = "APCA-API-KEY-ID: simulated\r\nAPCA-API-SECRET-KEY: simulated\r\n";
    let latest = "/alpaca/v1beta3/crypto/us/latest/orderbooks?symbols=BTC%2FUSD";
    let mut book = Book::default();
    let (mut compared, mut kinds) = (0, BTreeMap::new());
    let mut rest: Option<Value> = None;
    while compared < 5 {
        for message in client.json().await.as_array().unwrap() {
            *kinds.entry(message["T"].as_str().unwrap().to_owned()).or_insert(0) += 1;
            if message["T"] != "o" {
                continue;
            }
            assert_eq!(
                message.get("r").is_some(),
                kinds["o"] == 1,
                "the first book is whole, the others are changes"
            );
            if rest
                .as_ref()
                .is_some_and(|rest| nanos(&message["t"]) > nanos(&rest["t"]))
            {
                let rest = rest.take().unwrap();
                let mut expected = Book::default();
                apply_alpaca(&mut expected, &rest);
                assert_eq!(book, expected);
                compared += 1;
            }
            apply_alpaca(&mut book, message);
            if rest.is_none() {
                rest = Some(get_with(&server, latest, keys).await.json()["orderbooks"]["BTC/USD"].clone());
            }
        }
    }
    assert!(kinds.contains_key("t") && kinds.contains_key("q"), "{kinds:?}");

    assert_eq!(get(&server, "/alpaca/v2/assets?asset_class=crypto").await.status, 403);
    let crypto = get_with(&server, "/alpaca/v2/assets?asset_class=crypto", keys)
        .await
        .json();
    assert!(
        crypto
            .as_array()
            .unwrap()
            .iter()
            .any(|asset| asset["symbol"] == "BTC/USD")
    );
    let stocks = get_with(&server, "/alpaca/v2/assets?asset_class=us_equity", keys)
        .await
        .json();
    assert_eq!(stocks[0]["symbol"], "AAPL");
    let headers = [("apca-api-key-id", "simulated"), ("apca-api-secret-key", "simulated")];
    for (path, symbol) in [("/alpaca/v2/iex", "AAPL"), ("/alpaca/v2/test", "FAKEPACA")] {
        let mut client = Client::connect_with(&server, path, &headers).await;
        client.until(|frame| frame[0]["msg"] == "authenticated").await;
        client
            .send(&format!(
                r#"{{"action":"subscribe","trades":["{symbol}"],"quotes":["{symbol}"]}}"#
            ))
            .await;
        let trade = client.until(|frame| frame[0]["T"] == "t").await;
        assert_eq!(trade[0]["S"], symbol);
    }
}

fn apply_alpaca(book: &mut Book, message: &Value) {
    for (is_bid, side) in [(true, "b"), (false, "a")] {
        for level in message[side].as_array().unwrap() {
            book.set(is_bid, &level["p"].to_string(), &plain(&level["s"]));
        }
    }
}

/// serde_json prints whole floats with `.0` and small ones with an exponent; both sides of the comparison go through here.
fn plain(number: &Value) -> String {
    format!("{:.9}", number.as_f64().unwrap())
}

/// RFC 3339 with 0 to 9 decimals, comparable.
fn nanos(time: &Value) -> String {
    let time = time.as_str().unwrap().trim_end_matches('Z');
    let (seconds, fraction) = time.split_once('.').unwrap_or((time, ""));
    format!("{seconds}.{fraction:0<9}")
}

#[tokio::test]
async fn a_seed_makes_the_same_prices() {
    let mut seen = Vec::new();
    for seed in [3, 3, 4] {
        let server = start(|config| (config.seed, config.events_per_second) = (seed, 0)).await;
        seen.push(
            get(&server, "/binance/api/v3/depth?symbol=ETHUSDT&limit=1000")
                .await
                .body,
        );
    }
    assert!(seen[0] == seen[1] && seen[0] != seen[2]);
}

#[tokio::test]
async fn unknown_addresses_are_refused() {
    let server = start(|_| {}).await;
    for path in ["/", "/paper/x", "/bitmex", "/kraken/0/public/Nothing", "/alpaca/v3"] {
        assert!([403, 404].contains(&get(&server, path).await.status), "{path}");
    }
}
