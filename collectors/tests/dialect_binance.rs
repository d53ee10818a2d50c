//! Binance's two decoders against each other, against recorded feeds, and against frames that no venue sends.

mod support {
    pub mod dice;
    pub mod exact_json;
    pub mod frames;
}

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use support::dice::Dice;
use support::exact_json::Json;
use support::frames::{answers, expected_line, is_data, line, lines, own_capture, recorded_captures};
use tickpath_collectors::decode::{Channel, Decoded, Listed, Listing, SymbolTable};
use tickpath_collectors::dialect::binance::Binance;
use tickpath_collectors::dialect::{Dialect, Selection};
use tickpath_protocol::{InstrumentId, Scale, Venue};
use tickpath_service::config::TimeUnit;

fn binance() -> Binance {
    let selection = Selection {
        channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
        depth: 5_000,
    };
    Binance::new(selection, TimeUnit::Microsecond)
}

fn table<'a>(listings: impl IntoIterator<Item = (&'a str, Scale)>) -> SymbolTable {
    let mut symbols = SymbolTable::new();
    for (index, (symbol, scale)) in listings.into_iter().enumerate() {
        let id = InstrumentId::new(Venue::BINANCE, index as u32);
        symbols.insert(symbol, Listed { id, scale });
    }
    symbols
}

fn symbols() -> SymbolTable {
    table([
        ("BTCUSDT", Scale::new(8, 8).unwrap()),
        ("PEPEUSDT", Scale::new(8, 2).unwrap()),
    ])
}

fn price() -> impl Strategy<Value = String> {
    "(0|[1-9][0-9]{0,6})\\.[0-9]{7}[1-9]"
}

fn size() -> impl Strategy<Value = String> {
    "[1-9][0-9]{0,6}(\\.[0-9]{2}(000000)?)?"
}

fn symbol() -> impl Strategy<Value = &'static str> {
    prop_oneof![Just("BTCUSDT"), Just("PEPEUSDT")]
}

/// Milliseconds and microseconds.
fn time() -> impl Strategy<Value = u64> {
    prop_oneof![
        946_684_800_000u64..4_102_444_800_000,
        946_684_800_000_000u64..4_102_444_800_000_000
    ]
}

fn trade() -> impl Strategy<Value = (&'static str, String)> {
    (symbol(), time(), any::<u64>(), price(), size(), any::<bool>(), 0..3).prop_map(
        |(s, t, id, p, q, m, kind)| match kind {
            0 => (
                "aggTrade",
                format!(
                    r#"{{"e":"aggTrade","E":{t},"s":"{s}","a":{id},"p":"{p}","q":"{q}","f":{id},"l":{id},"T":{t},"m":{m},"M":true}}"#
                ),
            ),
            1 => (
                "trade",
                format!(
                    r#"{{"e":"trade","E":{t},"s":"{s}","t":{id},"p":"{p}","q":"{q}","b":1,"a":{id},"T":{t},"m":{m},"M":true}}"#
                ),
            ),
            _ => (
                "trade",
                format!(
                    r#"{{"e":"trade","E":{t},"s":"{s}","t":{id},"p":"{p}","q":"{q}","T":{t},"m":{m},"M":false}}"#
                ),
            ),
        },
    )
}

fn book_ticker() -> impl Strategy<Value = (&'static str, String)> {
    (symbol(), any::<u64>(), price(), size(), price(), size()).prop_map(|(s, u, b, bid_size, a, ask_size)| {
        (
            "bookTicker",
            format!(r#"{{"u":{u},"s":"{s}","b":"{b}","B":"{bid_size}","a":"{a}","A":"{ask_size}"}}"#),
        )
    })
}

fn levels() -> impl Strategy<Value = String> {
    let size = prop_oneof![size(), Just("0.00000000".to_owned())];
    prop::collection::vec((price(), size), 0..8).prop_map(|levels| {
        let levels: Vec<String> = levels
            .iter()
            .map(|(price, size)| format!(r#"["{price}","{size}"]"#))
            .collect();
        format!("[{}]", levels.join(","))
    })
}

fn depth_update() -> impl Strategy<Value = (&'static str, String)> {
    (symbol(), time(), any::<u64>(), any::<u64>(), levels(), levels()).prop_map(|(s, t, first, last, b, a)| {
        (
            "depth@100ms",
            format!(r#"{{"e":"depthUpdate","E":{t},"s":"{s}","U":{first},"u":{last},"b":{b},"a":{a}}}"#),
        )
    })
}

/// Frames as the venue sends them, wrapped or raw.
fn frame() -> impl Strategy<Value = String> {
    (prop_oneof![trade(), book_ticker(), depth_update()], any::<bool>()).prop_map(|((stream, data), wrapped)| {
        if wrapped {
            format!(r#"{{"stream":"any@{stream}","data":{data}}}"#)
        } else {
            data
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_usual_shape_is_decoded_fast(frame in frame()) {
        let answers = answers(&binance(), frame.as_bytes(), &symbols());
        prop_assert!(answers.fast, "{}", frame);
        prop_assert!(is_data(&answers.full.unwrap()));
    }

    #[test]
    fn any_other_shape_means_the_same(frame in frame(), seed: u64) {
        let usual = answers(&binance(), frame.as_bytes(), &symbols());
        let scrambled = Json::read(&frame).scrambled(&mut Dice::new(seed));
        let unusual = answers(&binance(), scrambled.as_bytes(), &symbols());
        prop_assert_eq!(usual.full, unusual.full, "{}", scrambled);
    }

    #[test]
    fn a_faulty_frame_has_one_answer(frame in frame(), seed: u64) {
        let mut dice = Dice::new(seed);
        for _ in 0..8 {
            // Panics if the decoders disagree.
            answers(&binance(), &dice.mutated(frame.as_bytes()), &symbols());
        }
    }

    #[test]
    fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        prop_assert!(!answers(&binance(), &bytes, &symbols()).fast);
    }
}

/// What a capture's frame must become, read by other means than the decoders'.
fn expected(frame: &Json) -> Vec<String> {
    let data = frame.get("data").unwrap_or(frame);
    let text = |key: &str| data.get(key).unwrap().text();
    // Milliseconds or microseconds of this century: 19 digits as nanoseconds.
    let nanos = |key: &str| format!("{:0<19}", text(key));
    match data.get("e").map(Json::text) {
        Some("trade" | "aggTrade") => {
            let side = if text("m") == "true" { "sell" } else { "buy" };
            vec![expected_line("trade", side, text("p"), text("q"), &nanos("T"))]
        }
        Some("depthUpdate") => sides(data, [("b", "bid"), ("a", "ask")], &nanos("E")),
        None if data.get("B").is_some() => vec![
            expected_line("quote", "bid", text("b"), text("B"), "-"),
            expected_line("quote", "ask", text("a"), text("A"), "-"),
        ],
        _ => Vec::new(),
    }
}

fn sides(book: &Json, sides: [(&str, &str); 2], time: &str) -> Vec<String> {
    let levels = sides.into_iter().flat_map(|(key, side)| {
        book.get(key)
            .unwrap()
            .list()
            .iter()
            .map(move |level| (side, level.list()))
    });
    levels
        .map(|(side, level)| expected_line("book_level", side, level[0].text(), level[1].text(), time))
        .collect()
}

fn listings(capture: &Path) -> Vec<Listing> {
    let rest = lines(capture, "rest.tsv");
    let info = rest
        .iter()
        .find(|columns| columns[1].contains("/exchangeInfo"))
        .unwrap();
    binance().listings(info[2].as_bytes()).unwrap()
}

/// Wrapped in milliseconds, and raw in microseconds.
const OWN_CAPTURES: [&str; 2] = ["binance", "binance_raw"];

fn captures() -> impl Iterator<Item = PathBuf> {
    OWN_CAPTURES
        .into_iter()
        .map(own_capture)
        .chain(recorded_captures("binance"))
}

fn rendered(decoded: &Decoded) -> Vec<String> {
    decoded.records.iter().map(line).collect()
}

#[test]
fn recorded_feeds_keep_every_digit() {
    for capture in captures() {
        let listings = listings(&capture);
        let symbols = table(listings.iter().map(|listing| (listing.symbol.as_str(), listing.scale)));
        let (mut data, mut slow, mut records) = (0, 0, 0);
        for columns in lines(&capture, "ws.tsv") {
            let frame = &columns[1];
            let answers = answers(&binance(), frame.as_bytes(), &symbols);
            let decoded = answers.full.unwrap_or_else(|error| panic!("{error}: {frame}"));
            assert_eq!(rendered(&decoded), expected(&Json::read(frame)), "{frame}");
            records += decoded.records.len();
            data += usize::from(is_data(&decoded));
            slow += usize::from(!answers.fast && is_data(&decoded));
        }
        assert!(records > 0, "{} holds no records", capture.display());
        // One frame of the project's own capture is written to be unusual.
        assert!(slow * 100 <= data.max(100), "{slow} of {data} in {}", capture.display());
    }
}

#[test]
fn recorded_images_keep_every_digit() {
    for capture in captures() {
        let listings = listings(&capture);
        let symbols = table(listings.iter().map(|listing| (listing.symbol.as_str(), listing.scale)));
        for columns in lines(&capture, "rest.tsv") {
            let Some((_, query)) = columns[1].split_once("/depth?symbol=") else {
                continue;
            };
            let symbol = query.split('&').next().unwrap();
            let mut out = Decoded::default();
            binance()
                .image(columns[2].as_bytes(), symbol, &symbols, &mut out)
                .unwrap();
            let expected = sides(&Json::read(&columns[2]), [("bids", "bid"), ("asks", "ask")], "-");
            assert_eq!(rendered(&out), expected);
        }
    }
}

#[test]
fn the_projects_own_captures_say_what_their_author_wrote_down() {
    for capture in OWN_CAPTURES.map(own_capture) {
        let listings = listings(&capture);
        let symbols = table(listings.iter().map(|listing| (listing.symbol.as_str(), listing.scale)));
        let mut seen = Vec::new();
        for columns in lines(&capture, "ws.tsv") {
            let mut out = Decoded::default();
            binance().decode(columns[1].as_bytes(), &symbols, &mut out).unwrap();
            seen.extend(rendered(&out));
        }
        let written: Vec<String> = lines(&capture, "expected.txt").concat();
        assert_eq!(seen, written);
    }
}

#[test]
fn a_warm_fast_decoder_allocates_nothing() {
    let symbols = symbols();
    let binance = binance();
    let frames = [
        r#"{"stream":"btcusdt@trade","data":{"e":"trade","E":1723161255343,"s":"BTCUSDT","t":3735683259,"p":"61837.63000000","q":"0.02000000","T":1723161255342,"m":true,"M":true}}"#,
        r#"{"stream":"btcusdt@bookTicker","data":{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}}"#,
        r#"{"e":"depthUpdate","E":1723161255208123,"s":"BTCUSDT","U":50093239189,"u":50093239202,"b":[["61737.63000000","0.00000000"]],"a":[["61837.64000000","1.54698000"],["61839.85000000","0.00000000"]]}"#,
    ];
    let mut out = Decoded::default();
    let mut decode_all = || {
        for frame in frames {
            out.clear();
            assert!(binance.decode_fast(frame.as_bytes(), &symbols, &mut out));
        }
    };
    decode_all();
    assert_eq!(allocation_counter::measure(decode_all).count_total, 0);
}
