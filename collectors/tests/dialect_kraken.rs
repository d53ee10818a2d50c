//! Kraken's two decoders against each other, against recorded feeds, and against frames that no venue sends.

mod support {
    pub mod dice;
    pub mod exact_json;
    pub mod frames;
}

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use support::dice::Dice;
use support::exact_json::Json;
use support::frames::{answers, expected_line, is_data, line, lines, own_capture, recorded_captures};
use tickpath_collectors::decode::{BookEnd, Channel, Control, Decoded, Listed, Listing, SymbolTable, What};
use tickpath_collectors::dialect::kraken::Kraken;
use tickpath_collectors::dialect::{Dialect, Selection};
use tickpath_protocol::{InstrumentId, OrderBook, Scale, Venue, checksum};

fn kraken() -> Kraken {
    Kraken::new(Selection {
        channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
        depth: 10,
    })
}

fn insert(symbols: &mut SymbolTable, symbol: &str, scale: Scale) {
    let id = InstrumentId::new(Venue::KRAKEN, symbols.len() as u32);
    symbols.insert(symbol, Listed { id, scale });
}

fn symbols() -> SymbolTable {
    let mut symbols = SymbolTable::new();
    insert(&mut symbols, "BTC/USD", Scale::new(1, 8).unwrap());
    insert(&mut symbols, "SC/BTC", Scale::new(10, 8).unwrap());
    symbols
}

fn symbol() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("BTC/USD"), Just("SC/BTC")]
}

fn price() -> impl Strategy<Value = String> {
    "[1-9][0-9]{0,6}\\.[0-9]"
}

fn size() -> impl Strategy<Value = String> {
    "(0|[1-9][0-9]{0,6})\\.[0-9]{7}[1-9]"
}

fn time() -> impl Strategy<Value = String> {
    "20[0-9]{2}-0[1-9]-[0-2][1-8]T[01][0-9]:[0-5][0-9]:[0-5][0-9]\\.[0-9]{6}Z"
}

fn snapshot_or_update() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("snapshot"), Just("update")]
}

fn optional_time() -> impl Strategy<Value = String> {
    prop_oneof![
        time().prop_map(|time| format!(r#","timestamp":"{time}""#)),
        Just(String::new())
    ]
}

fn message(channel: &'static str, kind: &str, items: &[String]) -> String {
    format!(
        r#"{{"channel":"{channel}","type":"{kind}","data":[{}]}}"#,
        items.join(",")
    )
}

fn trades() -> impl Strategy<Value = String> {
    let trade = (symbol(), any::<bool>(), price(), size(), any::<u64>(), time()).prop_map(
        |(symbol, buy, price, size, id, time)| {
            let side = if buy { "buy" } else { "sell" };
            format!(
                r#"{{"symbol":"{symbol}","side":"{side}","price":{price},"qty":{size},"ord_type":"limit","trade_id":{id},"timestamp":"{time}"}}"#
            )
        },
    );
    prop::collection::vec(trade, 1..4).prop_map(|trades| message("trade", "update", &trades))
}

fn ticker() -> impl Strategy<Value = String> {
    let statistic = "-?(0|[1-9][0-9]{0,3})(\\.[0-9]{1,4})?";
    let quote = (symbol(), price(), size(), price(), size());
    (quote, prop::array::uniform7(statistic), optional_time(), snapshot_or_update()).prop_map(
        |((symbol, bid, bid_size, ask, ask_size), [last, volume, vwap, low, high, change, percent], time, kind)| {
            let ticker = format!(
                r#"{{"symbol":"{symbol}","bid":{bid},"bid_qty":{bid_size},"ask":{ask},"ask_qty":{ask_size},"last":{last},"volume":{volume},"vwap":{vwap},"low":{low},"high":{high},"change":{change},"change_pct":{percent}{time}}}"#
            );
            message("ticker", kind, &[ticker])
        },
    )
}

fn levels() -> impl Strategy<Value = String> {
    let size = prop_oneof![size(), Just("0.00000000".to_owned())];
    prop::collection::vec((price(), size), 0..8).prop_map(|levels| {
        let levels: Vec<String> = levels
            .iter()
            .map(|(price, size)| format!(r#"{{"price":{price},"qty":{size}}}"#))
            .collect();
        format!("[{}]", levels.join(","))
    })
}

fn books() -> impl Strategy<Value = String> {
    let book = (symbol(), levels(), levels(), any::<u32>(), optional_time()).prop_map(
        |(symbol, bids, asks, checksum, time)| {
            format!(r#"{{"symbol":"{symbol}","bids":{bids},"asks":{asks},"checksum":{checksum}{time}}}"#)
        },
    );
    (prop::collection::vec(book, 1..3), snapshot_or_update()).prop_map(|(books, kind)| message("book", kind, &books))
}

/// Frames as the venue sends them.
fn frame() -> impl Strategy<Value = String> {
    prop_oneof![trades(), ticker(), books()]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_usual_shape_is_decoded_fast(frame in frame()) {
        let answers = answers(&kraken(), frame.as_bytes(), &symbols());
        prop_assert!(answers.fast, "{}", frame);
        prop_assert!(is_data(&answers.full.unwrap()));
    }

    #[test]
    fn any_other_shape_means_the_same(frame in frame(), seed: u64) {
        let usual = answers(&kraken(), frame.as_bytes(), &symbols());
        let scrambled = Json::read(&frame).scrambled(&mut Dice::new(seed));
        let unusual = answers(&kraken(), scrambled.as_bytes(), &symbols());
        prop_assert_eq!(usual.full, unusual.full, "{}", scrambled);
    }

    #[test]
    fn a_faulty_frame_has_one_answer(frame in frame(), seed: u64) {
        let mut dice = Dice::new(seed);
        for _ in 0..8 {
            // Panics if the decoders disagree.
            answers(&kraken(), &dice.mutated(frame.as_bytes()), &symbols());
        }
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(!answers(&kraken(), &bytes, &symbols()).fast);
    }
}

/// What a capture's frame must become, read by other means than the decoders'.
fn expected(frame: &Json) -> Vec<String> {
    let is_snapshot = frame.get("type").is_some_and(|kind| kind.text() == "snapshot");
    let items = || frame.get("data").unwrap().list().iter();
    match frame.get("channel").map(Json::text) {
        Some("trade") if !is_snapshot => items()
            .map(|trade| {
                let text = |key: &str| trade.get(key).unwrap().text();
                expected_line("trade", text("side"), text("price"), text("qty"), &nanos(trade))
            })
            .collect(),
        Some("ticker") => items()
            .flat_map(|ticker| {
                let text = |key: &str| ticker.get(key).unwrap().text();
                [
                    expected_line("quote", "bid", text("bid"), text("bid_qty"), &nanos(ticker)),
                    expected_line("quote", "ask", text("ask"), text("ask_qty"), &nanos(ticker)),
                ]
            })
            .collect(),
        Some("book") => items()
            .flat_map(|book| [side(book, "bid"), side(book, "ask")].concat())
            .collect(),
        _ => Vec::new(),
    }
}

fn side(book: &Json, side: &str) -> Vec<String> {
    let levels = book.get(&format!("{side}s")).unwrap().list().iter();
    levels
        .map(|level| {
            let text = |key: &str| level.get(key).unwrap().text();
            expected_line("book_level", side, text("price"), text("qty"), &nanos(book))
        })
        .collect()
}

/// Nanoseconds of the `timestamp`, counted in days year by year.
fn nanos(item: &Json) -> String {
    let Some(timestamp) = item.get("timestamp") else {
        return "-".to_owned();
    };
    let fields: Vec<u64> = timestamp
        .text()
        .split(['-', 'T', ':', '.', 'Z'])
        .filter(|field| !field.is_empty())
        .map(|field| field.parse().unwrap())
        .collect();
    let [year, month, day, hour, minute, second, micros] = fields[..] else {
        panic!("{timestamp:?} is not in microseconds");
    };
    let is_leap = |year: u64| year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
    let mut days = day - 1;
    days += (1970..year)
        .map(|year| if is_leap(year) { 366 } else { 365 })
        .sum::<u64>();
    days += (1..month)
        .map(|month| match month {
            2 if is_leap(year) => 29,
            2 => 28,
            4 | 6 | 9 | 11 => 30,
            _ => 31,
        })
        .sum::<u64>();
    let seconds = ((days * 24 + hour) * 60 + minute) * 60 + second;
    format!("{seconds}{micros:06}000")
}

fn captures() -> impl Iterator<Item = PathBuf> {
    std::iter::once(own_capture("kraken")).chain(recorded_captures("kraken"))
}

fn rendered(decoded: &Decoded) -> Vec<String> {
    decoded.records.iter().map(line).collect()
}

/// The instruments that a frame states.
fn instruments(decoded: &Decoded) -> &[Listing] {
    let stated = decoded.marks.iter().find_map(|mark| match &mark.what {
        What::Control(Control::Instruments(listings)) => Some(listings.as_slice()),
        _ => None,
    });
    stated.unwrap_or_default()
}

/// The frames of a capture with what the complete decoder made of them, instruments being learnt on the way.
fn replay(capture: &Path, mut on: impl FnMut(&str, bool, &Decoded)) {
    let mut symbols = SymbolTable::new();
    for columns in lines(capture, "ws.tsv") {
        let frame = &columns[1];
        let answers = answers(&kraken(), frame.as_bytes(), &symbols);
        let decoded = answers.full.unwrap_or_else(|error| panic!("{error}: {frame}"));
        for listing in instruments(&decoded) {
            insert(&mut symbols, &listing.symbol, listing.scale);
        }
        on(frame, answers.fast, &decoded);
    }
}

#[test]
fn recorded_feeds_keep_every_digit() {
    for capture in captures() {
        let (mut data, mut slow, mut records) = (0, 0, 0);
        replay(&capture, |frame, is_fast, decoded| {
            assert_eq!(rendered(decoded), expected(&Json::read(frame)), "{frame}");
            records += decoded.records.len();
            data += usize::from(is_data(decoded));
            slow += usize::from(!is_fast && is_data(decoded));
        });
        assert!(records > 0, "{} holds no records", capture.display());
        // One frame of the project's own capture is written to be unusual.
        assert!(slow * 100 <= data.max(100), "{slow} of {data} in {}", capture.display());
    }
}

/// The mantissas are those that the venue's own checksums were taken over.
#[test]
fn recorded_checksums_hold() {
    for capture in captures() {
        let mut books: HashMap<InstrumentId, OrderBook> = HashMap::new();
        let (mut depth, mut checked) = (0, 0);
        replay(&capture, |frame, _, decoded| {
            for mark in &decoded.marks {
                match mark.what {
                    What::Control(Control::Subscribed { depth: Some(taken), .. }) => depth = taken as usize,
                    What::Book(BookEnd { image, checksum, .. }) => {
                        let book = books.entry(mark.instrument).or_default();
                        if image {
                            book.clear();
                        }
                        for record in &decoded.records[mark.start..mark.end] {
                            let side = record.flags().side().unwrap();
                            book.apply(side, record.price, record.size).unwrap();
                        }
                        book.truncate(depth, |_, _| {});
                        assert_eq!(Some(checksum::book_crc32(book)), checksum, "{frame}");
                        checked += 1;
                    }
                    _ => {}
                }
            }
        });
        assert!(checked > 0, "{} holds no books", capture.display());
    }
}

#[test]
fn the_projects_own_capture_says_what_its_author_wrote_down() {
    let capture = own_capture("kraken");
    let mut seen = Vec::new();
    replay(&capture, |_, _, decoded| seen.extend(rendered(decoded)));
    let written: Vec<String> = lines(&capture, "expected.txt").concat();
    assert_eq!(seen, written);
}

#[test]
fn a_warm_fast_decoder_allocates_nothing() {
    let symbols = symbols();
    let kraken = kraken();
    let frames = [
        r#"{"channel":"heartbeat"}"#,
        r#"{"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":63501.9,"qty":0.00004134,"ord_type":"limit","trade_id":103436768,"timestamp":"2026-07-07T23:00:04.590753Z"}]}"#,
        r#"{"channel":"ticker","type":"update","data":[{"symbol":"BTC/USD","bid":0.1,"bid_qty":740.0,"ask":0.2,"ask_qty":740.0,"last":0.10035,"volume":997038.98383185,"vwap":0.10148,"low":0.09979,"high":0.10285,"change":-0.00017,"change_pct":-0.17,"timestamp":"2023-09-25T09:04:31.742648Z"}]}"#,
        r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],"asks":[{"price":62807.0,"qty":0.00000000},{"price":62818.8,"qty":0.65540712}],"checksum":4249465476,"timestamp":"2026-08-16T23:37:03.745044Z"}]}"#,
    ];
    let mut out = Decoded::default();
    let mut decode_all = || {
        for frame in frames {
            out.clear();
            assert!(kraken.decode_fast(frame.as_bytes(), &symbols, &mut out));
        }
    };
    decode_all();
    assert_eq!(allocation_counter::measure(decode_all).count_total, 0);
}
