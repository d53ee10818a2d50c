use tickpath_protocol::{DecimalError, Flags, InstrumentId, Kind, Record, Scale, Side};

use super::*;
use crate::decode::{BookEnd, Control, Listed, What};

const TIME_NS: i64 = 1_783_465_204_585_581_000;

const TRADE: &str = r#"{"channel":"trade","type":"update","data":[{"symbol":"ETH/USD","side":"buy","price":1774.14,"qty":0.00147959,"ord_type":"limit","trade_id":64175815,"timestamp":"2026-07-07T23:00:04.585581Z"}]}"#;
const TICKER: &str = r#"{"channel":"ticker","type":"update","data":[{"symbol":"ETH/USD","bid":1774.13,"bid_qty":740.0,"ask":1774.14,"ask_qty":0.00000001,"last":0.10035,"volume":997038.98383185,"vwap":0.10148,"low":0.09979,"high":0.10285,"change":-0.00017,"change_pct":-0.17,"timestamp":"2026-07-07T23:00:04.585581Z"}]}"#;
const BOOK: &str = r#"{"channel":"book","type":"update","data":[{"symbol":"BTC/USD","bids":[],"asks":[{"price":62807.0,"qty":0.00000000},{"price":62818.8,"qty":0.65540712}],"checksum":4249465476,"timestamp":"2026-07-07T23:00:04.585581Z"}]}"#;

fn symbols() -> SymbolTable {
    let mut symbols = SymbolTable::new();
    for (index, (symbol, price_decimals)) in [("BTC/USD", 1), ("ETH/USD", 2)].into_iter().enumerate() {
        let listed = Listed {
            id: InstrumentId::new(Venue::KRAKEN, index as u32),
            scale: Scale::new(price_decimals, 8).unwrap(),
        };
        symbols.insert(symbol, listed);
    }
    symbols
}

fn kraken() -> Kraken {
    Kraken::new(Selection {
        channels: vec![Channel::Trades, Channel::Quotes, Channel::Book],
        depth: 100,
    })
}

/// The events of a frame by both decoders, which must agree where the fast one accepts.
fn decode(frame: &str) -> Result<Decoded, Refused> {
    let mut full = Decoded::default();
    let result = kraken().decode_full(frame.as_bytes(), &symbols(), &mut full);
    let mut fast = Decoded::default();
    if kraken().decode_fast(frame.as_bytes(), &symbols(), &mut fast) {
        assert_eq!(result, Ok(()), "{frame}");
        assert_eq!(fast, full, "{frame}");
    }
    result.map(|()| full)
}

fn decode_fast(frame: &str) -> Decoded {
    let mut out = Decoded::default();
    assert!(
        kraken().decode_fast(frame.as_bytes(), &symbols(), &mut out),
        "not the usual shape: {frame}"
    );
    assert_eq!(decode(frame).unwrap(), out);
    out
}

fn only(frame: &str) -> What {
    let mut decoded = decode(frame).unwrap();
    assert_eq!((decoded.records.len(), decoded.marks.len()), (0, 1), "{frame}");
    decoded.marks.remove(0).what
}

fn record(kind: Kind, index: u32, flags: Flags, price: i64, size: i64) -> Record {
    Record {
        kind: kind as u8,
        flags: flags.0,
        scale: Scale::new(1 + index as u8, 8).unwrap().to_byte(),
        instrument: InstrumentId::new(Venue::KRAKEN, index).0,
        ts_event: TIME_NS,
        price,
        size,
        ..Record::default()
    }
}

#[test]
fn a_trade_has_the_side_of_the_taker() {
    for (word, side) in [("buy", Side::Bid), ("sell", Side::Ask)] {
        let decoded = decode_fast(&TRADE.replace("buy", word));
        let flags = Flags::from(side).with(Flags::LAST);
        assert_eq!(decoded.records, [record(Kind::Trade, 1, flags, 177_414, 147_959)]);
        assert_eq!(decoded.marks[0].what, What::Trade { id: Some(64_175_815) });
    }
    assert_eq!(decode(&TRADE.replace("buy", "both")), Err(Refused::Side("both".into())));
}

#[test]
fn trades_before_the_subscription_are_history() {
    assert_eq!(only(&TRADE.replace("update", "snapshot")), What::Ignored);
}

#[test]
fn a_ticker_is_a_quote_in_snapshots_too() {
    let decoded = decode_fast(TICKER);
    assert_eq!(
        decoded.records,
        [
            record(Kind::Quote, 1, Flags::BID, 177_413, 74_000_000_000),
            record(Kind::Quote, 1, Flags::ASK.with(Flags::LAST), 177_414, 1),
        ]
    );
    assert_eq!(decoded.marks[0].what, What::Quote { update_id: None });
    assert_eq!(decode_fast(&TICKER.replace("update", "snapshot")), decoded);
    let without_time = TICKER.replace(r#","timestamp":"2026-07-07T23:00:04.585581Z""#, "");
    let decoded = decode_fast(&without_time);
    assert!(decoded.records.iter().all(|record| record.ts_event == Record::ABSENT));
}

#[test]
fn a_book_update_carries_its_checksum() {
    let decoded = decode_fast(BOOK);
    let last = Flags::ASK.with(Flags::LAST);
    assert_eq!(
        decoded.records,
        [
            record(Kind::BookLevel, 0, Flags::ASK, 628_070, 0),
            record(Kind::BookLevel, 0, last, 628_188, 65_540_712),
        ]
    );
    let end = BookEnd {
        checksum: Some(4_249_465_476),
        ..BookEnd::default()
    };
    assert_eq!(decoded.marks[0].what, What::Book(end));
}

#[test]
fn a_book_snapshot_is_an_image_with_or_without_time() {
    let snapshot = BOOK.replace("update", "snapshot");
    let image = |decoded: &Decoded| matches!(decoded.marks[0].what, What::Book(BookEnd { image: true, .. }));
    assert!(image(&decode_fast(&snapshot)));
    let decoded = decode_fast(&snapshot.replace(r#","timestamp":"2026-07-07T23:00:04.585581Z""#, ""));
    assert!(image(&decoded));
    assert!(decoded.records.iter().all(|record| record.ts_event == Record::ABSENT));
    let empty = decode_fast(
        r#"{"channel":"book","type":"snapshot","data":[{"symbol":"BTC/USD","bids":[],"asks":[],"checksum":0}]}"#,
    );
    assert!(image(&empty));
    assert!(empty.records.is_empty());
}

#[test]
fn one_frame_may_hold_several_symbols() {
    // The only message of a frame's `data`.
    let item = |frame: &str| frame[frame.find("[{").unwrap() + 1..frame.len() - "]}".len()].to_owned();
    let of_ether = item(BOOK).replace("BTC/USD", "ETH/USD");
    let decoded = decode_fast(&BOOK.replace(r#"Z"}]}"#, &format!(r#"Z"}},{of_ether}]}}"#)));
    assert_eq!((decoded.records.len(), decoded.marks.len()), (4, 2));
    assert_eq!((decoded.marks[1].start, decoded.marks[1].end), (2, 4));
    assert_eq!(decoded.records[2].price, 6_280_700);
    let trades = TRADE.replace("}]}", &format!("}},{}]}}", item(TRADE).replace("buy", "sell")));
    assert_eq!(decode_fast(&trades).marks.len(), 2);
}

#[test]
fn frames_about_the_conversation() {
    let heartbeat = What::Heartbeat { last_trade_id: None };
    assert_eq!(decode_fast(r#"{"channel":"heartbeat"}"#).marks[0].what, heartbeat);
    assert_eq!(only(r#"{ "channel" : "heartbeat", "x":1 }"#), heartbeat);
    let pong = r#"{"method":"pong","req_id":101,"time_in":"2026-07-07T23:00:03Z","time_out":"2026-07-07T23:00:03Z"}"#;
    assert_eq!(only(pong), What::Control(Control::Pong));
    for (system, trading) in [
        ("online", true),
        ("maintenance", false),
        ("cancel_only", false),
        ("post_only", false),
    ] {
        let status = format!(
            r#"{{"channel":"status","type":"update","data":[{{"version":"2.0.10","system":"{system}","api_version":"v2","connection_id":4421894013101914413}}]}}"#
        );
        assert_eq!(only(&status), What::Control(Control::VenueTrading(trading)));
    }
}

#[test]
fn subscriptions_taken_and_refused() {
    let book_ack = r#"{"method":"subscribe","result":{"channel":"book","depth":10,"snapshot":true,"symbol":"BTC/USD"},"success":true,"time_in":"2026-07-07T23:00:03.501510Z","time_out":"2026-07-07T23:00:03.501553Z"}"#;
    let subscribed = |channel, instrument, depth| {
        What::Control(Control::Subscribed {
            channel,
            instrument,
            depth,
        })
    };
    let btc = InstrumentId::new(Venue::KRAKEN, 0);
    assert_eq!(only(book_ack), subscribed(Some(Channel::Book), Some(btc), Some(10)));
    assert_eq!(
        only(&book_ack.replace(r#""book","depth":10"#, r#""ticker","event_trigger":"bbo""#)),
        subscribed(Some(Channel::Quotes), Some(btc), None)
    );
    assert_eq!(
        only(r#"{"method":"subscribe","result":{"channel":"instrument","snapshot":true},"success":true,"req_id":4}"#),
        subscribed(None, None, None)
    );
    assert_eq!(only(&book_ack.replace("subscribe", "unsubscribe")), What::Ignored);

    let refused = |symbol: Option<&str>, reason: &str, is_final| {
        What::Control(Control::Refused {
            symbol: symbol.map(str::to_owned),
            reason: reason.into(),
            is_final,
        })
    };
    assert_eq!(
        only(r#"{"error":"Subscription depth not supported","method":"subscribe","success":false,"time_in":"…"}"#),
        refused(None, "Subscription depth not supported", true)
    );
    assert_eq!(
        only(
            r#"{"error":"Currency pair not supported XBT/USD","method":"subscribe","success":false,"symbol":"XBT/USD"}"#
        ),
        refused(Some("XBT/USD"), "Currency pair not supported XBT/USD", true)
    );
    assert_eq!(
        only(r#"{"error":"Exceeded msg rate","method":"subscribe","success":false,"symbol":"BTC/USD"}"#),
        refused(Some("BTC/USD"), "Exceeded msg rate", false)
    );
    assert_eq!(
        only(r#"{"error":"Malformed request","success":false}"#),
        refused(None, "Malformed request", true)
    );
    assert_eq!(
        only(r#"{"error":"Subscription Not Found","method":"unsubscribe","success":false}"#),
        What::Ignored
    );
}

#[test]
fn kinds_that_nobody_asked_for() {
    for frame in [
        r#"{"channel":"ohlc","type":"update","data":[{"symbol":"X"}]}"#,
        r#"{"channel":"level3","type":"snapshot","data":[]}"#,
        r#"{"method":"add_order","result":{},"success":true}"#,
    ] {
        assert_eq!(only(frame), What::Ignored, "{frame}");
    }
}

#[test]
fn instruments_come_on_the_websocket() {
    let pair = r#"{"symbol":"BTC/USD","base":"BTC","quote":"USD","status":"online","qty_precision":8,"qty_increment":1e-08,"price_precision":1,"cost_precision":5,"cost_min":0.5,"tick_size":0.1,"price_increment":0.1,"qty_min":5e-05}"#;
    let odd = [
        pair.replace(r#""status":"online","#, ""),
        pair.replace(r#""price_precision":1"#, r#""price_precision":16"#),
        pair.replace(r#""qty_precision":8"#, r#""qty_precision":-1"#),
        "17".into(),
    ];
    let halted = pair
        .replace("BTC/USD", "SC/XBT")
        .replace("online", "maintenance")
        .replace(r#""price_precision":1,"#, r#""price_precision":10,"#)
        .replace(r#""price_increment":0.1,"#, "");
    let frame = format!(
        r#"{{"channel":"instrument","type":"snapshot","data":{{"assets":[{{"id":"USD"}}],"pairs":[{},{pair},{halted}]}}}}"#,
        odd.join(",")
    );
    let expected = |symbol: &str, price_decimals, tick, trading| Listing {
        symbol: symbol.into(),
        name: "BTC/USD".into(),
        scale: Scale::new(price_decimals, 8).unwrap(),
        tick,
        lot: 1,
        trading,
    };
    let listings = vec![expected("BTC/USD", 1, 1, true), expected("SC/XBT", 10, 0, false)];
    assert_eq!(only(&frame), What::Control(Control::Instruments(listings)));
}

#[test]
fn what_is_refused() {
    let number = |field, text: &str, source| {
        Err(Refused::Number {
            field,
            text: text.into(),
            source,
        })
    };
    let range = |field, value| Err(Refused::Range { field, value });
    for (from, to, expected) in [
        (
            "1774.14",
            "1774.141",
            number("price", "1774.141", DecimalError::Inexact),
        ),
        ("1774.14", "\"1\"", number("price", "\"1\"", DecimalError::Syntax)),
        ("1774.14", "null", number("price", "null", DecimalError::Syntax)),
        ("1774.14", "1e30", number("price", "1e30", DecimalError::Overflow)),
        ("1774.14", "0.00", range("price", 0)),
        ("1774.14", "-1", range("price", -100)),
        ("0.00147959", "0", range("qty", 0)),
        ("0.00147959", "-0.1", range("qty", -10_000_000)),
        ("ETH/USD", "XBT/USD", Err(Refused::UnknownSymbol("XBT/USD".into()))),
        (
            "2026-07-07T23:00:04.585581Z",
            "yesterday",
            Err(Refused::Time(crate::decode::TimeError("yesterday".into()))),
        ),
    ] {
        assert!(TRADE.contains(from));
        assert_eq!(decode(&TRADE.replace(from, to)), expected, "{to}");
    }
    for (frame, from, to) in [
        (TRADE, r#""price":1774.14,"#, ""),
        (TRADE, r#""qty":0.00147959,"#, ""),
        (TRADE, r#""trade_id":64175815,"#, ""),
        (TRADE, r#","timestamp":"2026-07-07T23:00:04.585581Z""#, ""),
        (TRADE, "1774.14", "01774.14"),
        (TRADE, "update", "delta"),
        (TRADE, "]}", "]"),
        (BOOK, r#""checksum":4249465476,"#, ""),
        (BOOK, "4249465476", "4294967296"),
        (BOOK, r#""bids":[],"#, ""),
        (BOOK, r#""price":62818.8,"#, ""),
        (BOOK, r#"{"price":62818.8,"qty":0.65540712}"#, "[62818.8,0.65540712]"),
        (BOOK, "}]}", "},]}"),
        (TICKER, r#""bid":1774.13,"#, ""),
        (TICKER, r#""ask_qty":0.00000001,"#, ""),
        (TICKER, "0.10148", "0.10148.1"),
    ] {
        assert!(frame.contains(from), "{from}");
        let frame = frame.replace(from, to);
        assert!(matches!(decode(&frame), Err(Refused::Shape(_))), "{frame}");
    }
    for frame in [
        "",
        "{}",
        "[]",
        "null",
        r#"{"channel":"book"}"#,
        r#"{"channel":"book","type":"update","data":[]}"#,
        r#"{"channel":"status","type":"update","data":[]}"#,
        r#"{"channel":"instrument","type":"update","data":[]}"#,
        r#"{"method":"subscribe","success":true}"#,
    ] {
        assert!(matches!(decode(frame), Err(Refused::Shape(_))), "{frame}");
    }
}

#[test]
fn a_quote_at_price_zero_is_refused_and_a_level_is_removed_by_size_zero() {
    assert_eq!(
        decode(&TICKER.replace("1774.13", "0.00")),
        Err(Refused::Range { field: "bid", value: 0 })
    );
    let exponent = decode(&BOOK.replace("0.65540712", "6.5540712e-1")).unwrap();
    assert_eq!(Ok(exponent), decode(BOOK));
}

#[test]
fn subscriptions_are_packed() {
    let symbols: Vec<String> = (0..350).map(|n| format!("C{n}/USD")).collect();
    let connections = kraken().connections(&symbols);
    assert_eq!(connections.len(), 2);
    assert_eq!(connections[0].subscribe.len(), 6);
    assert_eq!(connections[1].symbols.len(), 150);
    for (index, frame) in connections[0].subscribe.iter().enumerate() {
        let frame: serde_json::Value = serde_json::from_str(frame).unwrap();
        assert_eq!(frame["method"], "subscribe");
        assert_eq!(frame["req_id"], index + 1);
        assert_eq!(frame["params"]["symbol"].as_array().unwrap().len(), 100);
        match frame["params"]["channel"].as_str().unwrap() {
            "trade" => assert_eq!(frame["params"]["snapshot"], false),
            "ticker" => assert_eq!(frame["params"]["event_trigger"], "bbo"),
            "book" => assert_eq!(frame["params"]["depth"], 100),
            other => panic!("{other}"),
        }
    }
    assert!(kraken().connections(&[]).is_empty());
}

#[test]
fn a_new_image_is_a_new_subscription() {
    assert_eq!(
        kraken().resubscribe("BTC/USD"),
        [
            r#"{"method":"unsubscribe","params":{"channel":"book","depth":100,"symbol":["BTC/USD"]}}"#,
            r#"{"method":"subscribe","params":{"channel":"book","depth":100,"snapshot":true,"symbol":["BTC/USD"]}}"#,
        ]
    );
    assert!(kraken().discovery().is_empty());
    assert!(
        kraken()
            .discovery_frame()
            .unwrap()
            .contains(r#""channel":"instrument""#)
    );
}
