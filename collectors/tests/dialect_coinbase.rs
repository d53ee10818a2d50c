//! Coinbase Exchange: documented frames, recorded feeds, and both decoders against each other.

#[path = "support/described.rs"]
mod described;
#[path = "support/dice.rs"]
#[allow(dead_code, reason = "shared between test files")]
mod dice;
#[path = "support/exact_json.rs"]
#[allow(dead_code, reason = "shared between test files")]
mod exact_json;

use described::{Decoders, capture, frames, positive_text, recording, size_text, time_text_of, trimmed, wire_time};
use dice::Dice;
use exact_json::Json;
use proptest::prelude::*;
use tickpath_collectors::decode::{Channel, Refused};
use tickpath_collectors::dialect::Selection;
use tickpath_collectors::dialect::coinbase::Coinbase;
use tickpath_protocol::DecimalError;

const SYMBOLS: [(&str, u8, u8); 3] = [("BTC-USD", 2, 8), ("ETH-USD", 2, 8), ("NU-GBP", 4, 6)];

fn dialect() -> Coinbase {
    Coinbase::new(Selection {
        channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
        depth: 0,
    })
}

fn coinbase() -> Decoders {
    Decoders::new(dialect(), &SYMBOLS)
}

#[test]
fn the_image_of_today_has_asks_first_and_a_time() {
    coinbase().check_fast(
        r#"{"type":"snapshot","product_id":"ETH-USD","asks":[["1774.93","0.56100580"],["1775.00","1"]],"bids":[["1774.92","3.32560450"]],"time":"2026-07-07T22:58:17.050195Z"}"#,
        &[
            "image ETH-USD",
            "bid 1774.92 x 3.3256045 @2026-07-07T22:58:17.050195000Z",
            "ask 1774.93 x 0.5610058 @2026-07-07T22:58:17.050195000Z",
            "ask 1775 x 1 @2026-07-07T22:58:17.050195000Z",
        ],
    );
}

#[test]
fn the_image_of_2021_has_bids_first_and_no_time() {
    coinbase().check_fast(
        r#"{"type":"snapshot","product_id":"NU-GBP","bids":[["0.4385","2000.000000"]],"asks":[["0.4394","2000.5"]]}"#,
        &["image NU-GBP", "bid 0.4385 x 2000 @?", "ask 0.4394 x 2000.5 @?"],
    );
    coinbase().check_fast(
        r#"{"type":"snapshot","product_id":"NU-GBP","asks":[],"bids":[]}"#,
        &["image NU-GBP"],
    );
}

#[test]
fn changes_keep_their_order_and_zero_removes() {
    let frame = r#"{"type":"l2update","product_id":"BTC-USD","changes":[["sell","63543.00","2.00000000"],["buy","63507.67","0.00000000"],["buy","63507.67","0"]],"time":"2026-07-07T22:58:17.068248Z"}"#;
    let coinbase = coinbase();
    coinbase.check_fast(
        frame,
        &[
            "book BTC-USD",
            "ask 63543 x 2 @2026-07-07T22:58:17.068248000Z",
            "bid 63507.67 x 0 @2026-07-07T22:58:17.068248000Z",
            "bid 63507.67 x 0 @2026-07-07T22:58:17.068248000Z",
        ],
    );
    let decoded = coinbase.full(frame.as_bytes()).unwrap();
    let mantissas: Vec<(i64, i64)> = decoded
        .records
        .iter()
        .map(|record| (record.price, record.size))
        .collect();
    assert_eq!(mantissas, [(6_354_300, 200_000_000), (6_350_767, 0), (6_350_767, 0)]);
    assert_eq!(decoded.records[0].ts_event, 1_783_465_097_068_248_000);
}

#[test]
fn an_update_without_changes_is_an_event() {
    coinbase().check_fast(
        r#"{"type":"l2update","product_id":"BTC-USD","changes":[],"time":"2026-07-07T22:58:17.068248Z"}"#,
        &["book BTC-USD"],
    );
}

#[test]
fn a_time_before_2000_is_none() {
    coinbase().check_fast(
        r#"{"type":"l2update","product_id":"BTC-USD","changes":[["buy","1.00","1"]],"time":"0001-01-01T00:00:00.000000Z"}"#,
        &["book BTC-USD", "bid 1 x 1 @?"],
    );
}

#[test]
fn the_side_of_a_match_is_the_makers() {
    let coinbase = coinbase();
    let sell = r#"{"type":"match","trade_id":1052119289,"maker_order_id":"15bc13f2-e38c-4693-8c0b-e8c6152b9c1d","taker_order_id":"13d7d08f-7396-421b-9dba-94eac92f3d78","side":"sell","size":"0.2","price":"63514.6","product_id":"BTC-USD","sequence":132235026010,"time":"2026-07-07T22:58:17.164892Z"}"#;
    let line = |side| format!("trade BTC-USD #1052119289 {side} 63514.6 x 0.2 @2026-07-07T22:58:17.164892000Z");
    coinbase.check_fast(sell, &[&line("bid")]);
    coinbase.check_fast(&sell.replace("sell", "buy"), &[&line("ask")]);
    // The trade before the subscription.
    coinbase.check_full(&sell.replace("match", "last_match"), &["* Ignored"]);
    assert_eq!(
        coinbase.refusal(&sell.replace("sell", "hold")),
        Refused::Side("hold".to_owned())
    );
}

const TICKER: &str = r#"{"type":"ticker","sequence":50978628538,"product_id":"BTC-USD","price":"17165.16","open_24h":"16000","volume_24h":"1.5","low_24h":"1","high_24h":"2","volume_30d":"3","best_bid":"17165.15","best_bid_size":"0.61540890","best_ask":"17167.76","best_ask_size":"0.18528568","side":"sell","time":"2022-12-01T00:00:00.122581Z","trade_id":463751434,"last_size":"0.05"}"#;

#[test]
fn a_ticker_is_a_quote_and_no_trade() {
    coinbase().check_fast(
        TICKER,
        &[
            "quote BTC-USD bid 17165.15 x 0.6154089 @2022-12-01T00:00:00.122581000Z ask 17167.76 x 0.18528568 @2022-12-01T00:00:00.122581000Z",
        ],
    );
}

#[test]
fn the_ticker_of_2021_has_no_sizes() {
    let quote = "quote BTC-USD bid 17165.15 x ? @2022-12-01T00:00:00.122581000Z ask 17167.76 x ? @2022-12-01T00:00:00.122581000Z";
    let old = TICKER
        .replace(r#""best_bid_size":"0.61540890","#, "")
        .replace(r#""best_ask_size":"0.18528568","#, "");
    coinbase().check_fast(&old, &[quote]);
    // A first ticker of a quiet product had no trade to tell of.
    let quiet = r#"{"type":"ticker","product_id":"BTC-USD","best_bid":"1.5","best_ask":"2"}"#;
    coinbase().check_full(quiet, &["quote BTC-USD bid 1.5 x ? @? ask 2 x ? @?"]);
}

#[test]
fn an_empty_text_is_no_price() {
    for (from, field) in [
        ("17165.15", "best_bid"),
        ("17167.76", "best_ask"),
        ("0.61540890", "best_bid_size"),
    ] {
        assert_eq!(
            coinbase().refusal(&TICKER.replace(from, "")),
            Refused::Number {
                field,
                text: String::new(),
                source: DecimalError::Empty
            }
        );
    }
    assert!(matches!(
        coinbase().refusal(&TICKER.replace(r#""best_bid":"17165.15","#, "")),
        Refused::Shape(_)
    ));
}

#[test]
fn heartbeats_repeat_the_last_trade() {
    coinbase().check_fast(
        r#"{"type":"heartbeat","last_trade_id":1052119293,"product_id":"BTC-USD","sequence":132235026653,"time":"2026-07-07T22:58:18.000000Z"}"#,
        &["BTC-USD Heartbeat { last_trade_id: Some(1052119293) }"],
    );
}

#[test]
fn subscriptions_are_listed_a_product_and_channel() {
    let line = |symbol: &str, channel: &str, index: u32| {
        let id = format!("instrument: Some(InstrumentId(coinbase#{index}))");
        format!("{symbol} Control(Subscribed {{ channel: Some({channel}), {id}, depth: None }})")
    };
    let (btc_book, eth_book) = (line("BTC-USD", "Book", 0), line("ETH-USD", "Book", 1));
    let (trades, quotes) = (line("BTC-USD", "Trades", 0), line("BTC-USD", "Quotes", 0));
    for name in ["level2_50", "level2", "level2_batch"] {
        let frame = r#"{"type":"subscriptions","channels":[{"name":"LEVEL","product_ids":["BTC-USD","ETH-USD","NO-ONE"],"account_ids":null},{"name":"matches","product_ids":["BTC-USD"]},{"name":"ticker","product_ids":["BTC-USD"]},{"name":"heartbeat","product_ids":["BTC-USD"]},{"name":"status"}]}"#;
        coinbase().check_full(&frame.replace("LEVEL", name), &[&btc_book, &eth_book, &trades, &quotes]);
    }
    coinbase().check_full(r#"{"type":"subscriptions","channels":[]}"#, &["* Ignored"]);
}

#[test]
fn errors_say_whether_asking_again_can_help() {
    let refused = |symbol: &str, reason: &str, is_final: bool| {
        format!("* Control(Refused {{ symbol: {symbol}, reason: {reason:?}, is_final: {is_final} }})")
    };
    let coinbase = coinbase();
    coinbase.check_full(
        r#"{"type":"error","message":"Failed to subscribe","reason":"level2, level3, and full channels now require authentication"}"#,
        &[&refused(
            "None",
            "Failed to subscribe: level2, level3, and full channels now require authentication",
            true,
        )],
    );
    coinbase.check_full(
        r#"{"type":"error","message":"Failed to subscribe","reason":"FOO-BAR is not a valid product"}"#,
        &[&refused(
            r#"Some("FOO-BAR")"#,
            "Failed to subscribe: FOO-BAR is not a valid product",
            true,
        )],
    );
    coinbase.check_full(
        r#"{"type":"error","message":"rate limit exceeded"}"#,
        &[&refused("None", "rate limit exceeded", false)],
    );
}

#[test]
fn status_tells_of_the_products_we_know() {
    let product = r#"{"id":"ID","base_currency":"BTC","quote_currency":"USD","base_increment":"0.00000001","quote_increment":"0.01","status":"online","post_only":false,"limit_only":false,"cancel_only":CANCEL}"#;
    let one = |id: &str, cancel| product.replace("ID", id).replace("CANCEL", cancel);
    let frame = |products: &[String]| {
        format!(
            r#"{{"type":"status","products":[{}],"currencies":[{{"id":"BTC"}}]}}"#,
            products.join(",")
        )
    };
    let coinbase = coinbase();
    coinbase.check_full(
        &frame(&[one("BTC-USD", "false"), one("NO-ONE", "false"), one("ETH-USD", "true")]),
        &[
            "BTC-USD Control(InstrumentTrading(true))",
            "ETH-USD Control(InstrumentTrading(false))",
        ],
    );
    coinbase.check_full(&frame(&[one("NO-ONE", "false")]), &["* Ignored"]);
}

#[test]
fn kinds_that_nobody_asked_for_are_passed_over() {
    for kind in ["received", "open", "done", "change", "activate", "auction", "l2image"] {
        let frame =
            format!(r#"{{"type":"{kind}","product_id":"NO-ONE","price":"","size":-1,"nested":[{{"a":null}}]}}"#);
        coinbase().check_full(&frame, &["* Ignored"]);
    }
}

#[test]
fn what_is_refused() {
    let coinbase = coinbase();
    let update = |change: &str| {
        format!(
            r#"{{"type":"l2update","product_id":"BTC-USD","changes":[{change}],"time":"2026-07-07T22:58:17.068248Z"}}"#
        )
    };
    for (change, refusal) in [
        (
            r#"["buy","-1.00","1"]"#,
            Refused::Range {
                field: "price",
                value: -100,
            },
        ),
        (
            r#"["buy","1.00","-1"]"#,
            Refused::Range {
                field: "size",
                value: -100_000_000,
            },
        ),
        (
            r#"["buy","1.00","NaN"]"#,
            Refused::Number {
                field: "size",
                text: "NaN".to_owned(),
                source: DecimalError::Syntax,
            },
        ),
        (
            r#"["buy","1.001","1"]"#,
            Refused::Number {
                field: "price",
                text: "1.001".to_owned(),
                source: DecimalError::Inexact,
            },
        ),
        (
            r#"["buy","1","92233720369"]"#,
            Refused::Number {
                field: "size",
                text: "92233720369".to_owned(),
                source: DecimalError::Overflow,
            },
        ),
        (r#"["ask","1.00","1"]"#, Refused::Side("ask".to_owned())),
    ] {
        assert_eq!(coinbase.refusal(&update(change)), refusal);
    }
    for change in [
        r#"["buy","1.00"]"#,
        r#"["buy","1.00",1]"#,
        r#"["buy","1.00",null]"#,
        r#"["buy","1","1","1"]"#,
        "null",
    ] {
        assert!(
            matches!(coinbase.refusal(&update(change)), Refused::Shape(_)),
            "{change}"
        );
    }
    let known = update(r#"["buy","1.00","1"]"#);
    assert_eq!(
        coinbase.refusal(&known.replace("BTC-USD", "NO-ONE")),
        Refused::UnknownSymbol("NO-ONE".to_owned())
    );
    assert!(matches!(
        coinbase.refusal(&known.replace("T22:", "T25:")),
        Refused::Time(_)
    ));
    let deep = format!(r#"{{"type":"open","a":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    for frame in [
        "",
        "{}",
        "null",
        "[]",
        r#"{"type":7}"#,
        r#"["match",1]"#,
        r#"{"type":"open"}x"#,
        r#"{"type":"open","type":"match"}"#,
        &known[..known.len() - 1],
        &deep,
    ] {
        assert!(matches!(coinbase.refusal(frame), Refused::Shape(_)), "{frame}");
    }
    assert!(matches!(
        coinbase.full(b"{\"type\":\"op\xffen\"}"),
        Err(Refused::Shape(_))
    ));
}

#[test]
fn trades_and_quotes_have_a_price_and_trades_a_size() {
    let coinbase = coinbase();
    let trade = r#"{"type":"match","trade_id":1,"maker_order_id":"","taker_order_id":"","side":"sell","size":"0.2","price":"6.6","product_id":"BTC-USD","sequence":1,"time":"2026-07-07T22:58:17.164892Z"}"#;
    for (frame, field) in [
        (trade.replace("6.6", "0.00"), "price"),
        (trade.replace("0.2", "0.0"), "size"),
        (TICKER.replace("17165.15", "0"), "best_bid"),
        (TICKER.replace("17167.76", "0"), "best_ask"),
    ] {
        assert_eq!(coinbase.refusal(&frame), Refused::Range { field, value: 0 });
    }
}

/// What a frame says, read by the tests' own reader.
fn expected(frame: &str) -> Option<Vec<String>> {
    let json = Json::read(frame);
    let field = |key: &str| json.get(key).unwrap_or_else(|| panic!("{key} of {frame}")).text();
    let time = json.get("time").map_or("?".to_owned(), |time| wire_time(time.text()));
    let level = |side: &str, price: &Json, size: &Json| {
        format!("{side} {} x {} @{time}", trimmed(price.text()), trimmed(size.text()))
    };
    let symbol = json.get("product_id")?.text();
    let lines = match field("type") {
        "match" => {
            let side = if field("side") == "sell" { "bid" } else { "ask" };
            let id = field("trade_id");
            let level = level(side, json.get("price")?, json.get("size")?);
            vec![format!("trade {symbol} #{id} {level}")]
        }
        "ticker" => {
            let unstated = Json::Text("?".to_owned());
            let best = |side: &str| {
                let size = json.get(&format!("best_{side}_size")).unwrap_or(&unstated);
                level(side, json.get(&format!("best_{side}")).unwrap(), size)
            };
            vec![format!("quote {symbol} {} {}", best("bid"), best("ask"))]
        }
        "heartbeat" => vec![format!(
            "{symbol} Heartbeat {{ last_trade_id: Some({}) }}",
            field("last_trade_id")
        )],
        "l2update" => {
            let changes = json.get("changes")?.list().iter().map(|change| {
                let change = change.list();
                let side = if change[0].text() == "buy" { "bid" } else { "ask" };
                level(side, &change[1], &change[2])
            });
            [format!("book {symbol}")].into_iter().chain(changes).collect()
        }
        "snapshot" => {
            let side = |key: &'static str, side: &'static str| {
                json.get(key)
                    .unwrap()
                    .list()
                    .iter()
                    .map(move |entry| (side, entry.list()))
            };
            let levels = side("bids", "bid").chain(side("asks", "ask"));
            let levels = levels.map(|(side, entry)| level(side, &entry[0], &entry[1]));
            [format!("image {symbol}")].into_iter().chain(levels).collect()
        }
        _ => return None,
    };
    Some(lines)
}

/// Every number and time of a capture, and that the usual frames take the fast way.
fn check_capture(path: &std::path::Path, fast_share: f64) {
    let decoders = Decoders::of_capture(dialect(), path);
    let (mut data, mut fast) = (0, 0);
    for frame in frames(path, "ws.tsv") {
        let lines = decoders.text(&frame);
        assert!(!lines.is_empty(), "{frame}");
        if let Some(expected) = expected(&frame) {
            data += 1;
            fast += usize::from(decoders.fast(frame.as_bytes()).is_some());
            assert_eq!(lines, expected);
        }
    }
    assert!(data > 0);
    assert!(fast as f64 >= fast_share * data as f64, "{fast} of {data} the fast way");
}

#[test]
fn captures_are_read_to_the_digit() {
    check_capture(&capture("coinbase"), 0.8);
    for recording in ["2021/coinbase", "recent/coinbase"]
        .iter()
        .filter_map(|path| recording(path))
    {
        check_capture(&recording, 0.999);
    }
}

#[test]
fn damaged_frames_of_the_capture_are_refused() {
    let capture = capture("coinbase");
    let decoders = Decoders::of_capture(dialect(), &capture);
    for frame in frames(&capture, "refused.tsv") {
        decoders.refusal(&frame);
    }
}

#[test]
fn a_frame_is_read_whole_or_not_at_all() {
    let capture = capture("coinbase");
    let decoders = Decoders::of_capture(dialect(), &capture);
    described::check_borders(&decoders, &frames(&capture, "ws.tsv"));
}

#[test]
fn a_warm_fast_decoder_does_not_allocate() {
    let capture = capture("coinbase");
    let decoders = Decoders::of_capture(dialect(), &capture);
    let mut frames = frames(&capture, "ws.tsv");
    frames.retain(|frame| decoders.fast(frame.as_bytes()).is_some());
    assert!(frames.len() > 10);
    assert_eq!(described::allocations_when_warm(&decoders, &frames), 0);
}

fn symbol() -> impl Strategy<Value = (&'static str, usize, usize)> {
    prop::sample::select(
        SYMBOLS
            .map(|(symbol, price, size)| (symbol, price.into(), size.into()))
            .to_vec(),
    )
}

fn update_frame() -> impl Strategy<Value = String> {
    symbol().prop_flat_map(|(symbol, price, size)| {
        let change = (
            prop::sample::select(vec!["buy", "sell"]),
            size_text(price),
            size_text(size),
        )
            .prop_map(|(side, price, size)| format!(r#"["{side}","{price}","{size}"]"#));
        (prop::collection::vec(change, 0..6), time_text_of(6..=6)).prop_map(move |(changes, time)| {
            let changes = changes.join(",");
            format!(r#"{{"type":"l2update","product_id":"{symbol}","changes":[{changes}],"time":"{time}"}}"#)
        })
    })
}

fn image_frame() -> impl Strategy<Value = String> {
    symbol().prop_flat_map(|(symbol, price, size)| {
        let level =
            (positive_text(price), positive_text(size)).prop_map(|(price, size)| format!(r#"["{price}","{size}"]"#));
        let side = prop::collection::vec(level, 0..6)
            .prop_map(|levels| levels.join(","))
            .boxed();
        (side.clone(), side, any::<bool>(), prop::option::of(time_text_of(6..=6))).prop_map(
            move |(bids, asks, bids_first, time)| {
                let (bids, asks) = (format!(r#""bids":[{bids}]"#), format!(r#""asks":[{asks}]"#));
                let sides = if bids_first {
                    format!("{bids},{asks}")
                } else {
                    format!("{asks},{bids}")
                };
                let time = time.map_or(String::new(), |time| format!(r#","time":"{time}""#));
                format!(r#"{{"type":"snapshot","product_id":"{symbol}",{sides}{time}}}"#)
            },
        )
    })
}

fn match_frame() -> impl Strategy<Value = String> {
    symbol().prop_flat_map(|(symbol, price, size)| {
        let side = prop::sample::select(vec!["buy", "sell"]);
        (any::<u64>(), "[0-9a-f-]{0,36}", side, positive_text(size), positive_text(price), any::<u64>(), time_text_of(6..=6)).prop_map(
            move |(id, order, side, size, price, sequence, time)| {
                format!(
                    r#"{{"type":"match","trade_id":{id},"maker_order_id":"{order}","taker_order_id":"{order}","side":"{side}","size":"{size}","price":"{price}","product_id":"{symbol}","sequence":{sequence},"time":"{time}"}}"#
                )
            },
        )
    })
}

fn ticker_frame() -> impl Strategy<Value = String> {
    symbol().prop_flat_map(|(symbol, price, size)| {
        let best = (positive_text(price), prop::option::of(size_text(size))).boxed();
        (best.clone(), best, any::<u32>(), time_text_of(6..=6)).prop_map(move |(bid, ask, number, time)| {
            let side = |name: &str, (price, size): (String, Option<String>)| {
                let size = size.map_or(String::new(), |size| format!(r#","best_{name}_size":"{size}""#));
                format!(r#""best_{name}":"{price}"{size}"#)
            };
            let (bid, ask) = (side("bid", bid), side("ask", ask));
            format!(
                r#"{{"type":"ticker","sequence":{number},"product_id":"{symbol}","price":"1.5","open_24h":"1","volume_24h":"2","low_24h":"3","high_24h":"4","volume_30d":"5",{bid},{ask},"side":"buy","time":"{time}","trade_id":{number},"last_size":"0.1"}}"#
            )
        })
    })
}

fn heartbeat_frame() -> impl Strategy<Value = String> {
    (symbol(), any::<u64>(), time_text_of(6..=6)).prop_map(|((symbol, _, _), id, time)| {
        format!(
            r#"{{"type":"heartbeat","last_trade_id":{id},"product_id":"{symbol}","sequence":{id},"time":"{time}"}}"#
        )
    })
}

fn usual_frame() -> impl Strategy<Value = String> {
    prop_oneof![
        update_frame(),
        image_frame(),
        match_frame(),
        ticker_frame(),
        heartbeat_frame()
    ]
}

proptest! {
    #[test]
    fn usual_frames_take_the_fast_way(frame in usual_frame()) {
        let decoders = coinbase();
        prop_assert!(decoders.fast(frame.as_bytes()).is_some(), "{}", frame);
        prop_assert_eq!(decoders.text(&frame), expected(&frame).unwrap());
    }

    #[test]
    fn notation_changes_nothing(frame in usual_frame(), seed: u64) {
        let decoders = coinbase();
        let rewritten = Json::read(&frame).scrambled(&mut Dice::new(seed));
        prop_assert_eq!(decoders.full(rewritten.as_bytes()), decoders.full(frame.as_bytes()), "{}", rewritten);
    }

    #[test]
    fn damage_never_makes_the_decoders_differ(frame in usual_frame(), seed: u64) {
        // `full` compares; whether the frame is refused does not matter.
        coinbase().full(&Dice::new(seed).mutated(frame.as_bytes())).ok();
    }

    #[test]
    fn any_bytes_end_in_an_answer(frame: Vec<u8>) {
        coinbase().full(&frame).ok();
    }
}
