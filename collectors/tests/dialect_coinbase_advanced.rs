//! Coinbase Advanced Trade: documented frames, the capture that the project carries, and both decoders against each other.

#[path = "support/described.rs"]
mod described;
#[path = "support/dice.rs"]
#[allow(dead_code, reason = "shared between test files")]
mod dice;
#[path = "support/exact_json.rs"]
#[allow(dead_code, reason = "shared between test files")]
mod exact_json;

use described::{Decoders, capture, frames, positive_text, size_text, time_text_of, trimmed, wire_time};
use dice::Dice;
use exact_json::Json;
use proptest::prelude::*;
use tickpath_collectors::decode::{Channel, Refused};
use tickpath_collectors::dialect::Selection;
use tickpath_collectors::dialect::coinbase_advanced::CoinbaseAdvanced;
use tickpath_protocol::DecimalError;

const SYMBOLS: [(&str, u8, u8); 2] = [("BTC-USD", 2, 8), ("DOGE-USD", 5, 1)];

fn dialect() -> CoinbaseAdvanced {
    CoinbaseAdvanced::new(Selection {
        channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
        depth: 0,
    })
}

fn advanced() -> Decoders {
    Decoders::new(dialect(), &SYMBOLS)
}

fn envelope(channel: &str, events: &str) -> String {
    format!(
        r#"{{"channel":"{channel}","client_id":"","timestamp":"2026-09-30T02:37:14.08981798Z","sequence_num":7,"events":[{events}]}}"#
    )
}

const NUMBER: &str = "* ConnectionSequence(7)";

#[test]
fn an_image_has_a_time_for_each_level() {
    let frame = r#"{"channel":"l2_data","timestamp":"2026-09-30T02:39:53.670986313Z","sequence_num":0,"events":[{"type":"snapshot","product_id":"BTC-USD","updates":[{"side":"bid","event_time":"2026-09-30T02:39:53.407329Z","price_level":"83277.25","new_quantity":"0.00715626"},{"side":"offer","event_time":"1970-01-01T00:00:00Z","price_level":"83278","new_quantity":"1"}]}]}"#;
    advanced().check_fast(
        frame,
        &[
            "* ConnectionSequence(0)",
            "image BTC-USD",
            "bid 83277.25 x 0.00715626 @2026-09-30T02:39:53.407329000Z",
            "ask 83278 x 1 @?",
        ],
    );
    let decoded = advanced().full(frame.as_bytes()).unwrap();
    let mantissas: Vec<(i64, i64)> = decoded
        .records
        .iter()
        .map(|record| (record.price, record.size))
        .collect();
    assert_eq!(mantissas, [(8_327_725, 715_626), (8_327_800, 100_000_000)]);
}

#[test]
fn a_frame_may_hold_several_events() {
    let event = |kind: &str, symbol: &str, updates: &str| {
        format!(r#"{{"type":"{kind}","product_id":"{symbol}","updates":[{updates}]}}"#)
    };
    let offer = r#"{"side":"offer","event_time":"2026-09-30T02:39:53.4Z","price_level":"0.25","new_quantity":"0"}"#;
    let events = [
        event("update", "DOGE-USD", offer),
        event("update", "BTC-USD", ""),
        event("snapshot", "BTC-USD", offer),
    ];
    let level = "ask 0.25 x 0 @2026-09-30T02:39:53.400000000Z";
    advanced().check_fast(
        &envelope("l2_data", &events.join(",")),
        &[NUMBER, "book DOGE-USD", level, "book BTC-USD", "image BTC-USD", level],
    );
    advanced().check_fast(&envelope("l2_data", ""), &[NUMBER]);
}

fn trade(id: &str, side: &str) -> String {
    format!(
        r#"{{"product_id":"BTC-USD","trade_id":"{id}","price":"115445.28","size":"0.00015604","time":"2025-10-27T16:44:39.600153Z","side":"{side}"}}"#
    )
}

#[test]
fn trades_come_newest_first_and_state_the_makers_side() {
    let trades = [
        trade("892262233", "BUY"),
        trade("892262232", "SELL"),
        trade("892262231", "BUY"),
    ]
    .join(",");
    let line = |id: &str, side: &str| {
        format!("trade BTC-USD #{id} {side} 115445.28 x 0.00015604 @2025-10-27T16:44:39.600153000Z")
    };
    let update = envelope("market_trades", &format!(r#"{{"type":"update","trades":[{trades}]}}"#));
    advanced().check_fast(
        &update,
        &[
            NUMBER,
            &line("892262231", "ask"),
            &line("892262232", "bid"),
            &line("892262233", "ask"),
        ],
    );
    let two = format!(
        r#"{{"type":"update","trades":[{}]}},{{"type":"update","trades":[{}]}}"#,
        trade("1", "BUY"),
        trade("2", "SELL")
    );
    advanced().check_fast(
        &envelope("market_trades", &two),
        &[NUMBER, &line("1", "ask"), &line("2", "bid")],
    );
    // Old trades, once a subscription.
    advanced().check_full(&update.replace("update", "snapshot"), &[NUMBER, "* Ignored"]);
    let unnumbered = envelope(
        "market_trades",
        &format!(r#"{{"type":"update","trades":[{}]}}"#, trade("a-7", "BUY")),
    );
    advanced().check_full(&unnumbered, &[NUMBER, &line("-", "ask")]);
}

const TICKER: &str = r#"{"type":"ticker","product_id":"BTC-USD","price":"21932.98","volume_24_h":"16038.28770938","low_24_h":"21835.29","high_24_h":"23011.18","low_52_w":"15460","high_52_w":"48240","price_percent_chg_24_h":"-4.15775596190603","best_bid":"21931.98","best_bid_quantity":"8000.21","best_ask":"21933.98","best_ask_quantity":"8038.07770938"}"#;

#[test]
fn a_ticker_is_a_quote_at_the_time_it_was_sent() {
    let event = |ticker: &str| format!(r#"{{"type":"update","tickers":[{ticker}]}}"#);
    let frame = envelope("ticker", &event(TICKER));
    let quote = "quote BTC-USD bid 21931.98 x 8000.21 @2026-09-30T02:37:14.089817980Z ask 21933.98 x 8038.07770938 @2026-09-30T02:37:14.089817980Z";
    advanced().check_fast(&frame, &[NUMBER, quote]);
    advanced().check_fast(
        &envelope("ticker", &event(&format!("{TICKER},{TICKER}"))),
        &[NUMBER, quote, quote],
    );
    let no_sizes = frame.replace("_quantity", "_note");
    advanced().check_fast(
        &no_sizes,
        &[
            NUMBER,
            "quote BTC-USD bid 21931.98 x ? @2026-09-30T02:37:14.089817980Z ask 21933.98 x ? @2026-09-30T02:37:14.089817980Z",
        ],
    );
    let batch = frame
        .replace("best_", "x_")
        .replace(r#""channel":"ticker""#, r#""channel":"ticker_batch""#);
    advanced().check_full(&batch, &[NUMBER, "BTC-USD Ignored"]);
    let one_sided = frame.replace("best_ask", "x_ask");
    assert_eq!(
        advanced().refusal(&one_sided),
        Refused::Number {
            field: "best_ask",
            text: String::new(),
            source: DecimalError::Empty
        }
    );
    assert_eq!(
        advanced().refusal(&frame.replace("21931.98", "0")),
        Refused::Range {
            field: "best_bid",
            value: 0
        }
    );
    assert!(matches!(
        advanced().refusal(&frame.replace("8000.21", "")),
        Refused::Number { .. }
    ));
    let twice = frame.replace(r#""best_ask":"#, r#""best_bid":"21931.97","best_ask":"#);
    assert!(matches!(advanced().refusal(&twice), Refused::Shape(_)));
}

#[test]
fn heartbeats_are_of_the_whole_connection() {
    let event =
        r#"{"current_time":"2026-09-30 02:37:15.057778606 +0000 UTC m=+21697.195984854","heartbeat_counter":21697}"#;
    let alive = "* Heartbeat { last_trade_id: None }";
    advanced().check_fast(&envelope("heartbeats", event), &[NUMBER, alive]);
    advanced().check_full(
        &envelope("heartbeats", &event.replace("21697}", "\"21697\"}")),
        &[NUMBER, alive],
    );
}

#[test]
fn answers_are_numbered_too() {
    let line = |symbol: &str, channel: &str, index: u32| {
        let id = format!("instrument: Some(InstrumentId(coinbase#{index}))");
        format!("{symbol} Control(Subscribed {{ channel: Some({channel}), {id}, depth: None }})")
    };
    let events = r#"{"subscriptions":{"level2":["DOGE-USD","BTC-USD","NO-ONE"],"heartbeats":["heartbeats"],"market_trades":["BTC-USD"],"ticker":null}}"#;
    advanced().check_full(
        &envelope("subscriptions", events),
        &[
            NUMBER,
            &line("DOGE-USD", "Book", 1),
            &line("BTC-USD", "Book", 0),
            &line("BTC-USD", "Trades", 0),
        ],
    );
    advanced().check_full(&envelope("subscriptions", r#"{"subscriptions":{}}"#), &[NUMBER]);
}

#[test]
fn errors_say_whether_asking_again_can_help() {
    let refused = |reason: &str, is_final: bool| {
        format!("* Control(Refused {{ symbol: None, reason: {reason:?}, is_final: {is_final} }})")
    };
    advanced().check_full(
        r#"{"type":"error","message":"authentication failure"}"#,
        &[&refused("authentication failure", true)],
    );
    advanced().check_full(
        r#"{"type":"error","message":"rate limit","sequence_num":3}"#,
        &["* ConnectionSequence(3)", &refused("rate limit", false)],
    );
}

#[test]
fn channels_that_nobody_asked_for_are_numbered_and_passed_over() {
    for channel in ["candles", "status", "user", "futures_balance_summary", "new"] {
        advanced().check_full(
            &envelope(channel, r#"{"type":"snapshot","x":[-1]}"#),
            &[NUMBER, "* Ignored"],
        );
    }
}

#[test]
fn what_is_refused() {
    let level = |side: &str, time: &str, price: &str, size: &str| {
        let level =
            format!(r#"{{"side":"{side}","event_time":"{time}","price_level":"{price}","new_quantity":"{size}"}}"#);
        envelope(
            "l2_data",
            &format!(r#"{{"type":"update","product_id":"BTC-USD","updates":[{level}]}}"#),
        )
    };
    let advanced = advanced();
    let time = "2026-09-30T02:39:53.407329Z";
    advanced.check_fast(
        &level("bid", time, "1", "1"),
        &[NUMBER, "book BTC-USD", "bid 1 x 1 @2026-09-30T02:39:53.407329000Z"],
    );
    for (frame, refusal) in [
        (level("ask", time, "1", "1"), Refused::Side("ask".to_owned())),
        (
            level("bid", time, "-1", "1"),
            Refused::Range {
                field: "price_level",
                value: -100,
            },
        ),
        (
            level("bid", time, "1", "-1"),
            Refused::Range {
                field: "new_quantity",
                value: -100_000_000,
            },
        ),
        (
            level("bid", time, "1", "0.000000001"),
            Refused::Number {
                field: "new_quantity",
                text: "0.000000001".to_owned(),
                source: DecimalError::Inexact,
            },
        ),
        (
            level("bid", time, "1", "1").replace("BTC-USD", "NO-ONE"),
            Refused::UnknownSymbol("NO-ONE".to_owned()),
        ),
    ] {
        assert_eq!(advanced.refusal(&frame), refusal);
    }
    assert!(matches!(
        advanced.refusal(&level("bid", "now", "1", "1")),
        Refused::Time(_)
    ));
    let known = level("bid", time, "1", "1");
    for frame in [
        known.replace(r#""sequence_num":7,"#, ""),
        known.replace(r#""channel":"l2_data","#, ""),
        known.replace(r#""sequence_num":7"#, r#""sequence_num":-7"#),
        known.replace(r#""sequence_num":7"#, r#""sequence_num":"7""#),
        known.replace("update\"", "replace\""),
        known.replace(r#""new_quantity":"1""#, r#""new_quantity":1"#),
        known.replace(r#""new_quantity":"1""#, r#""x":1"#),
        known.replace("events", "event"),
        format!("[{known}]"),
        format!("{known} {known}"),
    ] {
        assert!(matches!(advanced.refusal(&frame), Refused::Shape(_)), "{frame}");
    }
    let update = |trade: &str| envelope("market_trades", &format!(r#"{{"type":"update","trades":[{trade}]}}"#));
    for (trade, refusal) in [
        (trade("1", "UNKNOWN"), Refused::Side("UNKNOWN".to_owned())),
        (
            trade("1", "BUY").replace("115445.28", "0"),
            Refused::Range {
                field: "price",
                value: 0,
            },
        ),
        (
            trade("1", "BUY").replace("0.00015604", "0"),
            Refused::Range {
                field: "size",
                value: 0,
            },
        ),
    ] {
        assert_eq!(advanced.refusal(&update(&trade)), refusal);
    }
}

/// What a frame says, read by the tests' own reader.
fn expected(frame: &str) -> Option<Vec<String>> {
    let json = Json::read(frame);
    let channel = json.get("channel")?.text();
    let mut lines = vec![format!("* ConnectionSequence({})", json.get("sequence_num")?.text())];
    for event in json.get("events")?.list() {
        let text = |of: &Json, key: &str| {
            of.get(key)
                .unwrap_or_else(|| panic!("{key} of {frame}"))
                .text()
                .to_owned()
        };
        let number = |of: &Json, key: &str| trimmed(&text(of, key));
        match channel {
            "l2_data" => {
                let kind = if text(event, "type") == "snapshot" {
                    "image"
                } else {
                    "book"
                };
                lines.push(format!("{kind} {}", text(event, "product_id")));
                for level in event.get("updates")?.list() {
                    let side = if text(level, "side") == "bid" { "bid" } else { "ask" };
                    let (price, size) = (number(level, "price_level"), number(level, "new_quantity"));
                    lines.push(format!(
                        "{side} {price} x {size} @{}",
                        wire_time(&text(level, "event_time"))
                    ));
                }
            }
            "market_trades" if text(event, "type") == "snapshot" => lines.push("* Ignored".to_owned()),
            "market_trades" => {
                for trade in event.get("trades")?.list().iter().rev() {
                    let side = if text(trade, "side") == "BUY" { "ask" } else { "bid" };
                    let (price, size) = (number(trade, "price"), number(trade, "size"));
                    let (symbol, id) = (text(trade, "product_id"), text(trade, "trade_id"));
                    let time = wire_time(&text(trade, "time"));
                    lines.push(format!("trade {symbol} #{id} {side} {price} x {size} @{time}"));
                }
            }
            "ticker" => {
                let time = wire_time(&text(&json, "timestamp"));
                for ticker in event.get("tickers")?.list() {
                    let best = |side: &str| {
                        let price = number(ticker, &format!("best_{side}"));
                        format!(
                            "{side} {price} x {} @{time}",
                            number(ticker, &format!("best_{side}_quantity"))
                        )
                    };
                    lines.push(format!(
                        "quote {} {} {}",
                        text(ticker, "product_id"),
                        best("bid"),
                        best("ask")
                    ));
                }
            }
            _ => return None,
        }
    }
    Some(lines)
}

#[test]
fn the_capture_is_read_to_the_digit() {
    let capture = capture("coinbase_advanced");
    let decoders = Decoders::of_capture(dialect(), &capture);
    let (mut data, mut fast) = (0, 0);
    for (index, frame) in frames(&capture, "ws.tsv").iter().enumerate() {
        let lines = decoders.text(frame);
        assert_eq!(lines[0], format!("* ConnectionSequence({index})"));
        if let Some(expected) = expected(frame) {
            data += 1;
            fast += usize::from(decoders.fast(frame.as_bytes()).is_some());
            assert_eq!(lines, expected);
        }
    }
    assert!(data > 5 && fast * 10 >= data * 7, "{fast} of {data}");
    for frame in frames(&capture, "refused.tsv") {
        decoders.refusal(&frame);
    }
}

#[test]
fn a_frame_is_read_whole_or_not_at_all() {
    let capture = capture("coinbase_advanced");
    let decoders = Decoders::of_capture(dialect(), &capture);
    described::check_borders(&decoders, &frames(&capture, "ws.tsv"));
}

#[test]
fn a_warm_fast_decoder_does_not_allocate() {
    let capture = capture("coinbase_advanced");
    let decoders = Decoders::of_capture(dialect(), &capture);
    let mut frames = frames(&capture, "ws.tsv");
    frames.retain(|frame| decoders.fast(frame.as_bytes()).is_some());
    assert!(frames.len() > 5);
    assert_eq!(described::allocations_when_warm(&decoders, &frames), 0);
}

fn symbol() -> impl Strategy<Value = (&'static str, usize, usize)> {
    prop::sample::select(
        SYMBOLS
            .map(|(symbol, price, size)| (symbol, price.into(), size.into()))
            .to_vec(),
    )
}

fn joined(entry: impl Strategy<Value = String> + 'static, max: usize) -> BoxedStrategy<String> {
    prop::collection::vec(entry, 0..max)
        .prop_map(|entries| entries.join(","))
        .boxed()
}

fn book_event() -> impl Strategy<Value = String> {
    symbol().prop_flat_map(|(symbol, price, size)| {
        let side = prop::sample::select(vec!["bid", "offer"]);
        let level =
            (side, time_text_of(0..=9), size_text(price), size_text(size)).prop_map(|(side, time, price, size)| {
                format!(r#"{{"side":"{side}","event_time":"{time}","price_level":"{price}","new_quantity":"{size}"}}"#)
            });
        (prop::sample::select(vec!["update", "snapshot"]), joined(level, 5)).prop_map(move |(kind, updates)| {
            format!(r#"{{"type":"{kind}","product_id":"{symbol}","updates":[{updates}]}}"#)
        })
    })
}

fn trade_event() -> impl Strategy<Value = String> {
    let trade = symbol().prop_flat_map(|(symbol, price, size)| {
        let side = prop::sample::select(vec!["BUY", "SELL"]);
        (any::<u64>(), positive_text(price), positive_text(size), time_text_of(0..=9), side).prop_map(
            move |(id, price, size, time, side)| {
                format!(
                    r#"{{"product_id":"{symbol}","trade_id":"{id}","price":"{price}","size":"{size}","time":"{time}","side":"{side}"}}"#
                )
            },
        )
    });
    joined(trade, 5).prop_map(|trades| format!(r#"{{"type":"update","trades":[{trades}]}}"#))
}

fn ticker_event() -> impl Strategy<Value = String> {
    let ticker = symbol().prop_flat_map(|(symbol, price, size)| {
        let best = (positive_text(price), size_text(size)).boxed();
        (best.clone(), best).prop_map(move |((bid, bid_size), (ask, ask_size))| {
            format!(
                r#"{{"type":"ticker","product_id":"{symbol}","price":"1","price_percent_chg_24_h":"-4.1","best_bid":"{bid}","best_bid_quantity":"{bid_size}","best_ask":"{ask}","best_ask_quantity":"{ask_size}"}}"#
            )
        })
    });
    joined(ticker, 3).prop_map(|tickers| format!(r#"{{"type":"update","tickers":[{tickers}]}}"#))
}

fn usual_frame() -> impl Strategy<Value = String> {
    let body = prop_oneof![
        joined(book_event(), 4).prop_map(|events| ("l2_data", events)),
        joined(trade_event(), 4).prop_map(|events| ("market_trades", events)),
        joined(ticker_event(), 3).prop_map(|events| ("ticker", events)),
    ];
    (body, time_text_of(0..=9), any::<u64>(), any::<bool>()).prop_map(|((channel, events), time, number, client)| {
        let client = if client { r#""client_id":"","# } else { "" };
        format!(r#"{{"channel":"{channel}",{client}"timestamp":"{time}","sequence_num":{number},"events":[{events}]}}"#)
    })
}

proptest! {
    #[test]
    fn usual_frames_take_the_fast_way(frame in usual_frame()) {
        let decoders = advanced();
        prop_assert!(decoders.fast(frame.as_bytes()).is_some(), "{}", frame);
        prop_assert_eq!(decoders.text(&frame), expected(&frame).unwrap());
    }

    #[test]
    fn notation_changes_nothing(frame in usual_frame(), seed: u64) {
        let decoders = advanced();
        let rewritten = Json::read(&frame).scrambled(&mut Dice::new(seed));
        prop_assert_eq!(decoders.full(rewritten.as_bytes()), decoders.full(frame.as_bytes()), "{}", rewritten);
    }

    #[test]
    fn damage_never_makes_the_decoders_differ(frame in usual_frame(), seed: u64) {
        // `full` compares; whether the frame is refused does not matter.
        advanced().full(&Dice::new(seed).mutated(frame.as_bytes())).ok();
    }

    #[test]
    fn any_bytes_end_in_an_answer(frame: Vec<u8>) {
        advanced().full(&frame).ok();
    }
}
