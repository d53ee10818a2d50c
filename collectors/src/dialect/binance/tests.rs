use tickpath_protocol::{DecimalError, Flags, InstrumentId, Kind, Record, Scale, Side};

use super::*;
use crate::decode::{BookEnd, Control, Listed, What};

const TIME_NS: i64 = 1_672_515_782_136_000_000;

fn symbols() -> SymbolTable {
    let mut symbols = SymbolTable::new();
    for (index, symbol) in ["BNBBTC", "BNBUSDT", "这是测试币456USDT"].into_iter().enumerate() {
        let listed = Listed {
            id: InstrumentId::new(Venue::BINANCE, index as u32),
            scale: Scale::new(8, 8).unwrap(),
        };
        symbols.insert(symbol, listed);
    }
    symbols
}

fn selection(channels: &[Channel]) -> Selection {
    Selection {
        channels: channels.to_vec(),
        depth: 5_000,
    }
}

fn binance() -> Binance {
    Binance::new(
        selection(&[Channel::Trades, Channel::Quotes, Channel::Book]),
        TimeUnit::Microsecond,
    )
}

/// The events of a frame by both decoders, which must agree where the fast one accepts.
fn decode(frame: &str) -> Result<Decoded, Refused> {
    let mut full = Decoded::default();
    let result = binance().decode_full(frame.as_bytes(), &symbols(), &mut full);
    let mut fast = Decoded::default();
    if binance().decode_fast(frame.as_bytes(), &symbols(), &mut fast) {
        assert_eq!(result, Ok(()), "{frame}");
        assert_eq!(fast, full, "{frame}");
    }
    result.map(|()| full)
}

fn decode_fast(frame: &str) -> Decoded {
    let mut out = Decoded::default();
    assert!(
        binance().decode_fast(frame.as_bytes(), &symbols(), &mut out),
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

fn record(kind: Kind, index: u32, flags: Flags, ts_event: i64, price: i64, size: i64) -> Record {
    Record {
        kind: kind as u8,
        flags: flags.0,
        scale: Scale::new(8, 8).unwrap().to_byte(),
        instrument: InstrumentId::new(Venue::BINANCE, index).0,
        ts_event,
        price,
        size,
        ..Record::default()
    }
}

#[test]
fn a_trade_has_the_side_of_the_taker() {
    for (maker, side) in [("true", Side::Ask), ("false", Side::Bid)] {
        let trade = format!(
            r#"{{"e":"trade","E":1672515782137,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":{maker},"M":true}}"#
        );
        let expected = record(
            Kind::Trade,
            0,
            Flags::from(side).with(Flags::LAST),
            TIME_NS,
            100_000,
            10_000_000_000,
        );
        let decoded = decode_fast(&trade);
        assert_eq!(decoded.records, [expected]);
        assert_eq!(decoded.marks[0].what, What::Trade { id: Some(12_345) });
        let wrapped = format!(r#"{{"stream":"bnbbtc@trade","data":{trade}}}"#);
        assert_eq!(decode_fast(&wrapped), decoded);
        let with_order_ids = trade.replace(r#","T":"#, r#","b":88,"a":50,"T":"#);
        assert_eq!(decode_fast(&with_order_ids), decoded);
    }
}

#[test]
fn an_aggregate_is_a_trade_without_number() {
    let decoded = decode_fast(
        r#"{"e":"aggTrade","E":1672515782136,"s":"BNBBTC","a":12345,"p":"0.001","q":"100","f":100,"l":105,"T":1672515782136,"m":true,"M":true}"#,
    );
    let flags = Flags::ASK.with(Flags::LAST);
    assert_eq!(
        decoded.records,
        [record(Kind::Trade, 0, flags, TIME_NS, 100_000, 10_000_000_000)]
    );
    assert_eq!(decoded.marks[0].what, What::Trade { id: None });
}

#[test]
fn a_book_ticker_has_no_time() {
    let raw =
        r#"{"u":400900217,"s":"BNBUSDT","b":"25.35190000","B":"31.21000000","a":"25.36520000","A":"40.66000000"}"#;
    let decoded = decode_fast(raw);
    let (bid, ask) = (Flags::BID, Flags::ASK.with(Flags::LAST));
    assert_eq!(
        decoded.records,
        [
            record(Kind::Quote, 1, bid, Record::ABSENT, 2_535_190_000, 3_121_000_000),
            record(Kind::Quote, 1, ask, Record::ABSENT, 2_536_520_000, 4_066_000_000),
        ]
    );
    let update_id = Some(400_900_217);
    assert_eq!(decoded.marks[0].what, What::Quote { update_id });
    let wrapped = format!(r#"{{"stream":"bnbusdt@bookTicker","data":{raw}}}"#);
    assert_eq!(decode_fast(&wrapped), decoded);
    let elsewhere = format!(r#"{{"stream":"bnbusdt@other","data":{raw}}}"#);
    assert_eq!(only(&elsewhere), What::Ignored);
}

#[test]
fn a_depth_update_is_one_event() {
    let decoded = decode_fast(
        r#"{"stream":"bnbbtc@depth@100ms","data":{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10"],["0.0023","0.00000000"]],"a":[["0.0026","100"]]}}"#,
    );
    let level = |side: Side, price, size| record(Kind::BookLevel, 0, side.into(), TIME_NS, price, size);
    let mut last = level(Side::Ask, 260_000, 10_000_000_000);
    last.flags |= Flags::LAST.0;
    assert_eq!(
        decoded.records,
        [
            level(Side::Bid, 240_000, 1_000_000_000),
            level(Side::Bid, 230_000, 0),
            last
        ]
    );
    let end = BookEnd {
        first_id: Some(157),
        last_id: Some(160),
        ..BookEnd::default()
    };
    assert_eq!(decoded.marks.len(), 1);
    assert_eq!(decoded.marks[0].what, What::Book(end));
    let empty = decode_fast(r#"{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[],"a":[]}"#);
    assert_eq!((empty.records.len(), empty.marks.len()), (0, 1));
}

#[test]
fn the_first_levels_of_2019_have_a_third_element() {
    let decoded = decode(
        r#"{"e":"depthUpdate","E":1672515782136,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024","10",[]]],"a":[["0.0026","100",[]]]}"#,
    );
    assert_eq!(decoded.unwrap().records.len(), 2);
    assert!(decode(r#"{"e":"depthUpdate","E":1,"s":"BNBBTC","U":157,"u":160,"b":[["0.0024"]],"a":[]}"#).is_err());
}

#[test]
fn symbols_beyond_ascii() {
    let frame = r#"{"u":1,"s":"这是测试币456USDT","b":"1.0","B":"2","a":"1.1","A":"3"}"#;
    assert_eq!(decode(frame).unwrap().records.len(), 2);
    let escaped = frame.replace('这', r"\u8fd9");
    assert_eq!(decode(&escaped), decode(frame));
}

#[test]
fn frames_about_the_conversation() {
    let subscribed = What::Control(Control::Subscribed {
        channel: None,
        instrument: None,
        depth: None,
    });
    let refused = |reason: &str, is_final| {
        What::Control(Control::Refused {
            symbol: None,
            reason: reason.into(),
            is_final,
        })
    };
    assert_eq!(only(r#"{"result":null,"id":1}"#), subscribed);
    assert_eq!(only(r#"{ "id" : "a1" , "result" : null }"#), subscribed);
    assert_eq!(only(r#"{"result":["btcusdt@trade"],"id":3}"#), What::Ignored);
    assert_eq!(
        only(r#"{"code":2,"msg":"Invalid request: no params"}"#),
        refused("2: Invalid request: no params", true)
    );
    assert_eq!(
        only(r#"{"error":{"code":3,"msg":"Invalid JSON"},"id":7}"#),
        refused("3: Invalid JSON", true)
    );
    assert_eq!(
        only(r#"{"error":{"code":-1003,"msg":"Too many requests"},"id":7}"#),
        refused("-1003: Too many requests", false)
    );
    let shutdown = What::Control(Control::Shutdown);
    assert_eq!(only(r#"{"e":"serverShutdown","E":1770123456789}"#), shutdown);
    assert_eq!(
        only(r#"{"stream":"!serverShutdown","data":{"e":"serverShutdown","E":1770123456789}}"#),
        shutdown
    );
    assert_eq!(
        only(r#"{"stream":"!serverShutdown","data":{"E":1770123456789}}"#),
        shutdown
    );
}

#[test]
fn kinds_that_nobody_asked_for() {
    for frame in [
        r#"{"e":"kline","E":1672515782136,"s":"BNBBTC","k":{"t":1,"T":2,"s":"BNBBTC","i":"1m"}}"#,
        r#"{"stream":"x@kline_1m","data":{"e":"kline","E":1672515782136,"s":"NOBODY","k":{}}}"#,
        r#"{"e":"24hrTicker","E":1,"s":"BNBBTC","b":"0.0024","B":"10","u":5}"#,
        r#"{"stream":"bnbbtc@depth20@100ms","data":{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[]}}"#,
        r#"{"lastUpdateId":160,"bids":[["0.0024","10"]],"asks":[["0.0026","100"]]}"#,
        r#"{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker","s":"BNBBTC"}]}"#,
        r#"[{"e":"24hrMiniTicker","s":"BNBBTC"}]"#,
    ] {
        assert_eq!(only(frame), What::Ignored, "{frame}");
    }
}

#[test]
fn what_is_refused() {
    let trade =
        r#"{"e":"trade","E":1,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}"#;
    let number = |field, text: &str, source| {
        Err(Refused::Number {
            field,
            text: text.into(),
            source,
        })
    };
    let range = |field, value| Err(Refused::Range { field, value });
    for (from, to, expected) in [
        (r#""p":"0.001""#, r#""p":"""#, number("p", "", DecimalError::Empty)),
        (
            r#""p":"0.001""#,
            r#""p":"0.000000001""#,
            number("p", "0.000000001", DecimalError::Inexact),
        ),
        (
            r#""q":"100""#,
            r#""q":"92233720369""#,
            number("q", "92233720369", DecimalError::Overflow),
        ),
        (r#""q":"100""#, r#""q":"NaN""#, number("q", "NaN", DecimalError::Syntax)),
        (r#""p":"0.001""#, r#""p":"-1""#, range("p", -100_000_000)),
        (r#""p":"0.001""#, r#""p":"0.00000000""#, range("p", 0)),
        (r#""q":"100""#, r#""q":"0""#, range("q", 0)),
        ("BNBBTC", "NOBODY", Err(Refused::UnknownSymbol("NOBODY".into()))),
        (
            "1672515782136",
            "18446744073709551615",
            Err(Refused::Time(TimeError(u64::MAX.to_string()))),
        ),
    ] {
        assert!(trade.contains(from));
        assert_eq!(decode(&trade.replace(from, to)), expected, "{to}");
    }
    for (from, to) in [
        (r#""p":"0.001","#, ""),
        (r#""q":"100","#, ""),
        (r#""t":12345,"#, ""),
        (r#","T":1672515782136"#, ""),
        (r#""m":true,"#, ""),
        (r#""m":true"#, r#""m":null"#),
        (r#""p":"0.001""#, r#""p":0.001"#),
        (r#""p":"0.001""#, r#""p":null"#),
        (r#""p":"0.001""#, r#""p":"0.001","p":"0.002""#),
        ("1672515782136", "1672515782136.5"),
        ("1672515782136", "-1"),
        (r#""M":true}"#, r#""M":true"#),
        (r#""M":true}"#, r#""M":true}}"#),
        (r#""M":true"#, r#""M":yes"#),
    ] {
        assert!(trade.contains(from));
        let frame = trade.replace(from, to);
        assert!(matches!(decode(&frame), Err(Refused::Shape(_))), "{frame}");
    }
    for frame in [
        "",
        " ",
        "{}",
        "[]x",
        "[1]",
        "null",
        "1",
        "{\"stream\":\"x\"}",
        "{\"e\":1}",
        "{\"data\":{}}",
    ] {
        assert!(matches!(decode(frame), Err(Refused::Shape(_))), "{frame}");
    }
    let nested = format!(r#"{{"e":"kline","k":{}{}}}"#, "[".repeat(1_000), "]".repeat(1_000));
    assert!(matches!(decode(&nested), Err(Refused::Shape(_))));
    let mut out = Decoded::default();
    let latin1 = b"{\"e\":\"kline\",\"k\":\"\xe9\"}";
    assert!(binance().decode_full(latin1, &symbols(), &mut out).is_err());
}

#[test]
fn an_empty_side_of_a_quote_is_absent_and_a_price_of_zero_is_refused() {
    let empty = r#"{"u":1,"s":"BNBUSDT","b":"0.00000000","B":"0.00000000","a":"25.36520000","A":"40.66000000"}"#;
    let decoded = decode(empty).unwrap();
    assert_eq!(
        (decoded.records[0].price, decoded.records[0].size),
        (Record::ABSENT, Record::ABSENT)
    );
    assert_eq!(decoded.records[1].price, 2_536_520_000);
    let free = empty.replace(r#""B":"0.00000000""#, r#""B":"1.00000000""#);
    assert_eq!(decode(&free), Err(Refused::Range { field: "b", value: 0 }));
}

#[test]
fn times_are_read_in_the_configured_unit_where_that_makes_sense() {
    use TimeUnit::{Microsecond, Millisecond};
    for (value, unit, expected) in [
        (1_672_515_782_136_123, Microsecond, Ok(1_672_515_782_136_123_000)),
        (1_672_515_782_136, Millisecond, Ok(TIME_NS)),
        (1_672_515_782_136, Microsecond, Ok(TIME_NS)),
        (1_672_515_782_136_123, Millisecond, Ok(1_672_515_782_136_123_000)),
        (0, Microsecond, Ok(Record::ABSENT)),
        (0, Millisecond, Ok(Record::ABSENT)),
        (946_684_799_999, Microsecond, Ok(Record::ABSENT)),
        (946_684_800_000, Microsecond, Ok(946_684_800_000_000_000)),
        (4_102_444_799_999, Microsecond, Ok(4_102_444_799_999_000_000)),
        (4_102_444_800_000, Microsecond, Ok(Record::ABSENT)),
        (4_102_444_800_000_000, Microsecond, Ok(4_102_444_800_000_000_000)),
        (u64::MAX, Microsecond, Err(TimeError(u64::MAX.to_string()))),
        (u64::MAX, Millisecond, Err(TimeError(u64::MAX.to_string()))),
    ] {
        assert_eq!(event_time(value, unit), expected, "{value} {unit:?}");
    }
}

#[test]
fn an_image_is_one_event() {
    let body =
        br#"{"lastUpdateId":1027024,"bids":[["4.00000000","431.00000000"]],"asks":[["4.00000200","12.00000000"]]}"#;
    let mut out = Decoded::default();
    binance().image(body, "BNBBTC", &symbols(), &mut out).unwrap();
    let ask = Flags::ASK.with(Flags::LAST);
    let absent = Record::ABSENT;
    assert_eq!(
        out.records,
        [
            record(Kind::BookLevel, 0, Flags::BID, absent, 400_000_000, 43_100_000_000),
            record(Kind::BookLevel, 0, ask, absent, 400_000_200, 1_200_000_000),
        ]
    );
    let end = BookEnd {
        image: true,
        last_id: Some(1_027_024),
        ..BookEnd::default()
    };
    assert_eq!(out.marks[0].what, What::Book(end));
    assert!(binance().image(b"{}", "BNBBTC", &symbols(), &mut out).is_err());
    assert!(binance().image(body, "NOBODY", &symbols(), &mut out).is_err());
}

#[test]
fn requests_for_images() {
    let request = |symbol| binance().image_request(symbol).unwrap();
    assert_eq!(request("BTCUSDT"), "/api/v3/depth?symbol=BTCUSDT&limit=5000");
    assert_eq!(request("币&USDT"), "/api/v3/depth?symbol=%E5%B8%81%26USDT&limit=5000");
    let per_minute = |depth| {
        let selection = Selection {
            depth,
            ..selection(&[Channel::Book])
        };
        Binance::new(selection, TimeUnit::Microsecond)
            .policy()
            .images_per_minute
    };
    assert_eq!(
        [5_000, 1_001, 1_000, 500, 100].map(per_minute),
        [23, 23, 119, 239, 1_196]
    );
}

#[test]
fn streams_are_spread_over_frames_and_connections() {
    let symbols: Vec<String> = (0..700).map(|n| format!("LONGCOIN{n}USDT")).collect();
    let connections = binance().connections(&symbols);
    assert_eq!(connections.len(), 3);
    let mut streams_seen = 0;
    for connection in &connections {
        assert_eq!(connection.path, "/stream?timeUnit=MICROSECOND");
        let mut streams = Vec::new();
        for (index, frame) in connection.subscribe.iter().enumerate() {
            assert!(frame.len() <= SUBSCRIBE_BYTES_MAX, "{}", frame.len());
            let frame: serde_json::Value = serde_json::from_str(frame).unwrap();
            assert_eq!(frame["method"], "SUBSCRIBE");
            assert_eq!(frame["id"], index + 1);
            let params = frame["params"].as_array().unwrap();
            assert!((1..=STREAMS_PER_FRAME).contains(&params.len()));
            streams.extend(params.iter().map(|stream| stream.as_str().unwrap().to_owned()));
        }
        assert!(streams.len() <= STREAMS_PER_CONNECTION);
        let expected: Vec<String> = connection
            .symbols
            .iter()
            .map(|symbol| symbol.to_lowercase())
            .flat_map(|s| {
                [
                    format!("{s}@trade"),
                    format!("{s}@bookTicker"),
                    format!("{s}@depth@100ms"),
                ]
            })
            .collect();
        assert_eq!(streams, expected);
        streams_seen += streams.len();
    }
    assert_eq!(streams_seen, 3 * symbols.len());
    assert!(binance().connections(&[]).is_empty());
}

#[test]
fn milliseconds_are_what_the_venue_sends_unasked() {
    let binance = Binance::new(selection(&[Channel::Trades]), TimeUnit::Millisecond);
    let connections = binance.connections(&["币USDT".into()]);
    assert_eq!(connections[0].path, "/stream");
    assert_eq!(
        connections[0].subscribe,
        [r#"{"id":1,"method":"SUBSCRIBE","params":["币usdt@trade"]}"#]
    );
}
