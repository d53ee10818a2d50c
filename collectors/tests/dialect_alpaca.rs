//! Alpaca: documented frames, the capture that the project carries, and both decoders against each other.

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
use tickpath_collectors::dialect::alpaca::Alpaca;
use tickpath_protocol::DecimalError;
use tickpath_service::config::AlpacaFeed;

const SYMBOLS: [(&str, u8, u8); 5] = [
    ("BTC/USD", 9, 9),
    ("AVAX/USD", 9, 9),
    ("BAT/USD", 9, 9),
    ("AAPL", 9, 9),
    ("AMD", 9, 9),
];

fn dialect() -> Alpaca {
    let selection = Selection {
        channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
        depth: 0,
    };
    Alpaca::new(selection, vec![AlpacaFeed::Crypto, AlpacaFeed::Iex])
}

fn alpaca() -> Decoders {
    Decoders::new(dialect(), &SYMBOLS)
}

const STOCK_TRADE: &str =
    r#"{"T":"t","i":96921,"S":"AAPL","x":"D","p":126.55,"s":1,"t":"2021-02-22T15:51:44.208Z","c":["@","I"],"z":"C"}"#;
const STOCK_QUOTE: &str = r#"{"T":"q","S":"AMD","bx":"U","bp":87.66,"bs":1,"ax":"Q","ap":87.68,"as":4,"t":"2021-02-22T15:51:45.335689322Z","c":["R"],"z":"C"}"#;
const CRYPTO_TRADE: &str = r#"{"T":"t","S":"AVAX/USD","p":47.299,"s":29.205707815,"t":"2024-03-12T10:27:48.858228144Z","i":3447222699101865076,"tks":"S"}"#;
const CRYPTO_QUOTE: &str = r#"{"T":"q","S":"BAT/USD","bp":0.35718,"bs":13445.46,"ap":0.3581,"as":13561.902,"t":"2024-03-12T10:29:43.111588173Z"}"#;
const IMAGE: &str = r#"{"T":"o","S":"BTC/USD","t":"2024-03-12T10:38:50.79613221Z","b":[{"p":71859.53,"s":0.27994}],"a":[{"p":71939.7,"s":0.83953}],"r":true}"#;

fn array(messages: &[&str]) -> String {
    format!("[{}]", messages.join(","))
}

#[test]
fn stock_trades_have_no_aggressor() {
    alpaca().check_fast(
        &array(&[STOCK_TRADE]),
        &["trade AAPL #96921 - 126.55 x 1 @2021-02-22T15:51:44.208000000Z"],
    );
}

#[test]
fn crypto_trades_state_the_takers_side() {
    let alpaca = alpaca();
    let line = |side: &str| {
        format!("trade AVAX/USD #3447222699101865076 {side} 47.299 x 29.205707815 @2024-03-12T10:27:48.858228144Z")
    };
    alpaca.check_fast(&array(&[CRYPTO_TRADE]), &[&line("ask")]);
    alpaca.check_fast(
        &array(&[&CRYPTO_TRADE.replace(r#""tks":"S""#, r#""tks":"B""#)]),
        &[&line("bid")],
    );
    let decoded = alpaca.full(array(&[CRYPTO_TRADE]).as_bytes()).unwrap();
    assert_eq!(
        (decoded.records[0].price, decoded.records[0].size),
        (47_299_000_000, 29_205_707_815)
    );
}

#[test]
fn a_trade_number_may_be_text() {
    let number = "3447222699101865076";
    let alpaca = alpaca();
    let as_number = alpaca.text(&array(&[CRYPTO_TRADE]));
    alpaca.check_fast(
        &array(&[&CRYPTO_TRADE.replace(number, &format!("\"{number}\""))]),
        &as_number.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    for id in ["\"a-1\"", "null", "-1", "1.5", "99999999999999999999"] {
        let line = as_number[0].replace(number, "-");
        alpaca.check_full(&array(&[&CRYPTO_TRADE.replace(number, id)]), &[&line]);
    }
}

/// Common on IEX outside of its hours: nobody bids, or nobody offers.
#[test]
fn an_empty_side_of_a_quote_is_absent() {
    let quote = CRYPTO_QUOTE.replace("0.35718", "0").replace("13445.46", "0");
    alpaca().check_full(
        &array(&[&quote]),
        &["quote BAT/USD bid ? x ? @2024-03-12T10:29:43.111588173Z ask 0.3581 x 13561.902 @2024-03-12T10:29:43.111588173Z"],
    );
}

#[test]
fn quotes_of_both_markets() {
    alpaca().check_fast(
        &array(&[STOCK_QUOTE, CRYPTO_QUOTE]),
        &[
            "quote AMD bid 87.66 x 1 @2021-02-22T15:51:45.335689322Z ask 87.68 x 4 @2021-02-22T15:51:45.335689322Z",
            "quote BAT/USD bid 0.35718 x 13445.46 @2024-03-12T10:29:43.111588173Z ask 0.3581 x 13561.902 @2024-03-12T10:29:43.111588173Z",
        ],
    );
}

#[test]
fn a_book_is_an_image_if_it_says_so() {
    let (bid, ask) = (
        "bid 71859.53 x 0.27994 @2024-03-12T10:38:50.796132210Z",
        "ask 71939.7 x 0.83953 @2024-03-12T10:38:50.796132210Z",
    );
    let alpaca = alpaca();
    alpaca.check_fast(&array(&[IMAGE]), &["image BTC/USD", bid, ask]);
    alpaca.check_fast(
        &array(&[&IMAGE.replace(r#","r":true"#, "")]),
        &["book BTC/USD", bid, ask],
    );
    alpaca.check_fast(&array(&[&IMAGE.replace("true", "false")]), &["book BTC/USD", bid, ask]);
    let removal = r#"{"T":"o","S":"BTC/USD","t":"2024-03-12T10:38:51Z","b":[],"a":[{"p":71939.7,"s":0}]}"#;
    alpaca.check_fast(
        &array(&[removal]),
        &["book BTC/USD", "ask 71939.7 x 0 @2024-03-12T10:38:51.000000000Z"],
    );
    let bare = r#"{"T":"o","S":"BTC/USD","t":"2024-03-12T10:38:51Z"}"#;
    alpaca.check_fast(&array(&[bare]), &["book BTC/USD"]);
    let null = r#"{"T":"o","S":"BTC/USD","t":"2024-03-12T10:38:51Z","a":null}"#;
    alpaca.check_full(&array(&[null]), &["book BTC/USD"]);
    // Bids come first even where asks are sent first.
    let asks_first = r#"{"T":"o","S":"BTC/USD","t":"2024-03-12T10:38:50.79613221Z","a":[{"p":71939.7,"s":0.83953}],"b":[{"p":71859.53,"s":0.27994}],"r":true}"#;
    alpaca.check_full(&array(&[asks_first]), &["image BTC/USD", bid, ask]);
}

#[test]
fn exponents_are_exact() {
    let quote = CRYPTO_QUOTE.replace("0.35718", "3.5718e-1").replace("13445.46", "1E4");
    alpaca().check_full(
        &array(&[&quote]),
        &[
            "quote BAT/USD bid 0.35718 x 10000 @2024-03-12T10:29:43.111588173Z ask 0.3581 x 13561.902 @2024-03-12T10:29:43.111588173Z",
        ],
    );
}

#[test]
fn the_conversation() {
    let alpaca = alpaca();
    alpaca.check_full(r#"[{"T":"success","msg":"connected"}]"#, &["* Control(Welcome)"]);
    alpaca.check_full(
        r#"[{"T":"success","msg":"authenticated"}]"#,
        &["* Control(Authenticated)"],
    );
    alpaca.check_full(r#"[{"T":"success","msg":"new"}]"#, &["* Ignored"]);
    let line = |symbol: &str, channel: &str, index: u32| {
        let id = format!("instrument: Some(InstrumentId(alpaca#{index}))");
        format!("{symbol} Control(Subscribed {{ channel: Some({channel}), {id}, depth: None }})")
    };
    alpaca.check_full(
        r#"[{"T":"subscription","trades":["BTC/USD","NO/ONE"],"quotes":["AAPL"],"orderbooks":["BTC/USD"],"bars":["AAPL"],"updatedBars":[],"dailyBars":[]}]"#,
        &[
            &line("BTC/USD", "Trades", 0),
            &line("AAPL", "Quotes", 3),
            &line("BTC/USD", "Book", 0),
        ],
    );
    alpaca.check_full(r#"[{"T":"subscription","trades":[],"quotes":null}]"#, &["* Ignored"]);
    alpaca.check_full("[]", &["* Ignored"]);
}

#[test]
fn errors_by_their_code() {
    for (code, control, is_final) in [
        (400, "Refused", true),
        (401, "LoginRefused", false),
        (402, "LoginRefused", true),
        (403, "Refused", false),
        (404, "LoginRefused", false),
        (405, "Refused", true),
        (406, "LoginRefused", false),
        (407, "Refused", false),
        (408, "LoginRefused", true),
        (409, "LoginRefused", true),
        (410, "Refused", true),
        (411, "LoginRefused", true),
        (500, "Refused", false),
        (999, "Refused", false),
    ] {
        let frame = format!(r#"[{{"T":"error","code":{code},"msg":"as documented"}}]"#);
        let symbol = if control == "Refused" { "symbol: None, " } else { "" };
        let line =
            format!("* Control({control} {{ {symbol}reason: \"as documented (code {code})\", is_final: {is_final} }})");
        alpaca().check_full(&frame, &[&line]);
    }
}

#[test]
fn statuses_halt_and_resume() {
    let frame = r#"[{"T":"s","S":"AAPL","sc":"CODE","sm":"Trading Halt","rc":"T12","rm":"Additional Information Requested","t":"2021-02-22T15:51:45.335689322Z","z":"C"}]"#;
    for (code, line) in [
        ("H", "AAPL Control(InstrumentTrading(false))"),
        ("P", "AAPL Control(InstrumentTrading(false))"),
        ("2", "AAPL Control(InstrumentTrading(false))"),
        ("Q", "AAPL Ignored"),
        ("6", "AAPL Ignored"),
        ("T", "AAPL Control(InstrumentTrading(true))"),
        ("3", "AAPL Control(InstrumentTrading(true))"),
    ] {
        alpaca().check_full(&frame.replace("CODE", code), &[line]);
    }
    assert_eq!(
        alpaca().refusal(&frame.replace("AAPL", "MSFT")),
        Refused::UnknownSymbol("MSFT".to_owned())
    );
}

#[test]
fn kinds_that_nobody_asked_for_are_passed_over() {
    for kind in ["b", "d", "u", "l", "x", "c", "i", "n", "new"] {
        let message = format!(r#"{{"T":"{kind}","S":"NO/ONE","p":-1,"c":["x",{{}}]}}"#);
        alpaca().check_full(
            &array(&[&message, STOCK_TRADE]),
            &[
                "* Ignored",
                "trade AAPL #96921 - 126.55 x 1 @2021-02-22T15:51:44.208000000Z",
            ],
        );
    }
}

#[test]
fn what_is_refused() {
    let alpaca = alpaca();
    let changed = |message: &str, from: &str, to: &str| {
        assert!(message.contains(from));
        alpaca.refusal(&array(&[STOCK_QUOTE, &message.replace(from, to)]))
    };
    let number = |field, text: &str, source| Refused::Number {
        field,
        text: text.to_owned(),
        source,
    };
    for (refusal, expected) in [
        (
            changed(STOCK_TRADE, "126.55", "0"),
            Refused::Range { field: "p", value: 0 },
        ),
        (
            changed(STOCK_TRADE, "126.55", "-1"),
            Refused::Range {
                field: "p",
                value: -1_000_000_000,
            },
        ),
        (
            changed(STOCK_TRADE, r#""s":1"#, r#""s":0.0"#),
            Refused::Range { field: "s", value: 0 },
        ),
        (
            changed(CRYPTO_QUOTE, "0.35718", "0"),
            Refused::Range { field: "bp", value: 0 },
        ),
        (
            changed(CRYPTO_QUOTE, "13445.46", "-1"),
            Refused::Range {
                field: "bs",
                value: -1_000_000_000,
            },
        ),
        (
            changed(CRYPTO_QUOTE, "0.3581", "null"),
            number("ap", "null", DecimalError::Syntax),
        ),
        (
            changed(CRYPTO_QUOTE, "0.3581", "\"0.3581\""),
            number("ap", "\"0.3581\"", DecimalError::Syntax),
        ),
        (
            changed(CRYPTO_QUOTE, "0.3581", "0.3581000001"),
            number("ap", "0.3581000001", DecimalError::Inexact),
        ),
        (
            changed(CRYPTO_QUOTE, "0.3581", "1e10"),
            number("ap", "1e10", DecimalError::Overflow),
        ),
        (
            changed(IMAGE, "71859.53", "-1"),
            Refused::Range {
                field: "p",
                value: -1_000_000_000,
            },
        ),
        (
            changed(CRYPTO_TRADE, r#""tks":"S""#, r#""tks":"?""#),
            Refused::Side("?".to_owned()),
        ),
        (
            changed(CRYPTO_TRADE, "AVAX", "NONE"),
            Refused::UnknownSymbol("NONE/USD".to_owned()),
        ),
    ] {
        assert_eq!(refusal, expected);
    }
    for (from, to) in [
        (r#","bp":0.35718"#, ""),
        (r#","as":13561.902"#, ""),
        (r#","t":"2024-03-12T10:29:43.111588173Z""#, ""),
        (r#""bp":0.35718"#, r#""bp":0.35718,"bp":0.35718"#),
        ("0.35718", "00.35718"),
        ("0.35718", ".35718"),
        (r#""T":"q","#, ""),
        (r#"{"T":"q","#, r#"["T","q"],{"#),
    ] {
        assert!(
            matches!(changed(CRYPTO_QUOTE, from, to), Refused::Shape(_)),
            "{from} {to}"
        );
    }
    assert!(matches!(
        changed(CRYPTO_QUOTE, "2024-03-12T", "2024-03-12 "),
        Refused::Time(_)
    ));
    assert!(matches!(
        changed(IMAGE, r#"{"p":71859.53,"s":0.27994}"#, "[71859.53,0.27994]"),
        Refused::Shape(_)
    ));
    for frame in [
        "",
        "{}",
        STOCK_TRADE,
        "[null]",
        "[1]",
        r#"[{"T":1}]"#,
        "[[]]",
        r#"[{"T":"error"}]"#,
    ] {
        assert!(matches!(alpaca.refusal(frame), Refused::Shape(_)), "{frame}");
    }
}

/// What a frame says, read by the tests' own reader.
fn expected(frame: &str) -> Option<Vec<String>> {
    let json = Json::read(frame);
    let mut lines = Vec::new();
    for message in json.list() {
        let field = |key: &str| {
            message
                .get(key)
                .unwrap_or_else(|| panic!("{key} of {frame}"))
                .text()
                .to_owned()
        };
        let number = |key: &str| trimmed(&field(key));
        if !matches!(&*field("T"), "t" | "q" | "o") {
            return None;
        }
        let (symbol, time) = (field("S"), wire_time(&field("t")));
        match &*field("T") {
            "t" => {
                let side = message
                    .get("tks")
                    .map_or("-", |side| if side.text() == "B" { "bid" } else { "ask" });
                let (price, size) = (number("p"), number("s"));
                lines.push(format!(
                    "trade {symbol} #{} {side} {price} x {size} @{time}",
                    field("i")
                ));
            }
            "q" => {
                let best = |side: &str, price: &str, size: &str| {
                    format!("{side} {} x {} @{time}", number(price), number(size))
                };
                lines.push(format!(
                    "quote {symbol} {} {}",
                    best("bid", "bp", "bs"),
                    best("ask", "ap", "as")
                ));
            }
            _ => {
                let image = message.get("r").is_some_and(|image| image.text() == "true");
                lines.push(format!("{} {symbol}", if image { "image" } else { "book" }));
                for (side, key) in [("bid", "b"), ("ask", "a")] {
                    for level in message.get(key).map_or(&[][..], Json::list) {
                        let number = |key| trimmed(level.get(key).unwrap().text());
                        lines.push(format!("{side} {} x {} @{time}", number("p"), number("s")));
                    }
                }
            }
        }
    }
    Some(lines)
}

#[test]
fn the_capture_is_read_to_the_digit() {
    let capture = capture("alpaca");
    let decoders = Decoders::of_capture(dialect(), &capture);
    let (mut data, mut fast) = (0, 0);
    for frame in frames(&capture, "ws.tsv") {
        let lines = decoders.text(&frame);
        assert!(!lines.is_empty(), "{frame}");
        if let Some(expected) = expected(&frame) {
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
    let capture = capture("alpaca");
    let decoders = Decoders::of_capture(dialect(), &capture);
    described::check_borders(&decoders, &frames(&capture, "ws.tsv"));
}

#[test]
fn a_warm_fast_decoder_does_not_allocate() {
    let capture = capture("alpaca");
    let decoders = Decoders::of_capture(dialect(), &capture);
    let mut frames = frames(&capture, "ws.tsv");
    frames.retain(|frame| decoders.fast(frame.as_bytes()).is_some());
    assert!(frames.len() > 5);
    assert_eq!(described::allocations_when_warm(&decoders, &frames), 0);
}

fn symbol() -> impl Strategy<Value = &'static str> {
    prop::sample::select(SYMBOLS.map(|(symbol, ..)| symbol).to_vec())
}

fn decimals() -> BoxedStrategy<String> {
    (0usize..=9).prop_flat_map(positive_text).boxed()
}

fn sizes() -> BoxedStrategy<String> {
    (0usize..=9).prop_flat_map(size_text).boxed()
}

fn trade_message() -> impl Strategy<Value = String> {
    let crypto = prop::option::of(prop::sample::select(vec!["B", "S"]));
    let (price, size) = (decimals(), decimals());
    (symbol(), any::<u64>(), any::<bool>(), price, size, time_text_of(0..=9), crypto).prop_map(
        |(symbol, id, text_id, price, size, time, taker)| {
            let id = if text_id { format!("\"{id}\"") } else { id.to_string() };
            match taker {
                Some(taker) => format!(
                    r#"{{"T":"t","S":"{symbol}","p":{price},"s":{size},"t":"{time}","i":{id},"tks":"{taker}"}}"#
                ),
                None => format!(
                    r#"{{"T":"t","i":{id},"S":"{symbol}","x":"D","p":{price},"s":{size},"t":"{time}","c":["@","I"],"z":"C"}}"#
                ),
            }
        },
    )
}

fn quote_message() -> impl Strategy<Value = String> {
    let price = || decimals();
    let size = || sizes();
    (symbol(), price(), size(), price(), size(), time_text_of(0..=9), any::<bool>()).prop_map(
        |(symbol, bid, bid_size, ask, ask_size, time, stock)| {
            if stock {
                format!(
                    r#"{{"T":"q","S":"{symbol}","bx":"U","bp":{bid},"bs":{bid_size},"ax":"Q","ap":{ask},"as":{ask_size},"t":"{time}","c":[],"z":"C"}}"#
                )
            } else {
                format!(
                    r#"{{"T":"q","S":"{symbol}","bp":{bid},"bs":{bid_size},"ap":{ask},"as":{ask_size},"t":"{time}"}}"#
                )
            }
        },
    )
}

fn book_message() -> impl Strategy<Value = String> {
    let level = (decimals(), sizes()).prop_map(|(price, size)| format!(r#"{{"p":{price},"s":{size}}}"#));
    let side = prop::collection::vec(level, 0..4)
        .prop_map(|levels| levels.join(","))
        .boxed();
    let image = prop::sample::select(vec!["", r#","r":true"#, r#","r":false"#]);
    (symbol(), time_text_of(0..=9), side.clone(), side, image).prop_map(|(symbol, time, bids, asks, image)| {
        format!(r#"{{"T":"o","S":"{symbol}","t":"{time}","b":[{bids}],"a":[{asks}]{image}}}"#)
    })
}

fn usual_frame() -> impl Strategy<Value = String> {
    let message = prop_oneof![trade_message(), quote_message(), book_message()];
    prop::collection::vec(message, 1..5).prop_map(|messages| format!("[{}]", messages.join(",")))
}

proptest! {
    #[test]
    fn usual_frames_take_the_fast_way(frame in usual_frame()) {
        let decoders = alpaca();
        prop_assert!(decoders.fast(frame.as_bytes()).is_some(), "{}", frame);
        prop_assert_eq!(decoders.text(&frame), expected(&frame).unwrap());
    }

    #[test]
    fn notation_changes_nothing(frame in usual_frame(), seed: u64) {
        let decoders = alpaca();
        let rewritten = Json::read(&frame).scrambled(&mut Dice::new(seed));
        prop_assert_eq!(decoders.full(rewritten.as_bytes()), decoders.full(frame.as_bytes()), "{}", rewritten);
    }

    #[test]
    fn damage_never_makes_the_decoders_differ(frame in usual_frame(), seed: u64) {
        // `full` compares; whether the frame is refused does not matter.
        alpaca().full(&Dice::new(seed).mutated(frame.as_bytes())).ok();
    }

    #[test]
    fn any_bytes_end_in_an_answer(frame: Vec<u8>) {
        alpaca().full(&frame).ok();
    }
}
