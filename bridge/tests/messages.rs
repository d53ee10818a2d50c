//! The JSON: golden texts, and every record parsed back.

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::{BTC, Producer, instrument, tenths};
use tickpath_bridge::event::{Ignored, Sink, Stamp, StatusEvent, Update};
use tickpath_bridge::market::VenueState;
use tickpath_bridge::message::{self, Form, Note, with_note};
use tickpath_bridge::state::InstrumentState;
use tickpath_protocol::{Flags, GapCause, Kind, Record, Side, StatusCode, Venue};

/// Encodes every update.
#[derive(Default)]
struct Texts(Vec<String>);

impl Sink for Texts {
    fn opened(&mut self, _: &InstrumentState) {}
    fn venue_opened(&mut self, _: u8, _: Venue) {}
    fn venue(&mut self, _: u8, _: &VenueState, _: &StatusEvent) {}
    fn trading(&mut self, _: tickpath_bridge::trading::Update<'_>) {}

    fn instrument(&mut self, state: &InstrumentState, update: Update<'_>) {
        let mut text = String::new();
        match update {
            Update::Trades(trades) => message::trades(&mut text, state, Form::Update, trades.iter()),
            Update::Quote(quote) => message::quote(&mut text, state, Form::Update, Some(quote)),
            Update::Levels(levels) => message::levels(&mut text, state, levels),
            Update::Image => message::book(&mut text, state),
            Update::Status(event) => message::status(&mut text, state.subject(), Form::Update, std::iter::once(event)),
        }
        self.0.push(text);
    }
}

fn state() -> InstrumentState {
    let mut state = InstrumentState::new(0, instrument(Venue::KRAKEN, 0, "BTC/USD", "BTC/USD"));
    state.producer_is_there(true, Stamp::default(), &mut Texts::default());
    state
}

fn encode(state: &mut InstrumentState, records: impl IntoIterator<Item = Record>) -> Vec<String> {
    let mut texts = Texts::default();
    for record in records {
        state.apply(&record, &mut Ignored::default(), &mut texts);
    }
    texts.0
}

#[test]
fn golden_texts() {
    let (mut state, mut kraken) = (state(), Producer::default());
    assert_eq!(
        encode(&mut state, [kraken.trade(BTC, Side::Bid, 628_070, 1)]),
        [
            r#"{"channel":"trades","type":"update","venue":"kraken","symbol":"BTC/USD","data":[{"price":"62807.0","size":"0.001","side":"buy","ts_event":1001,"ts_recv":2001,"sequence":1}]}"#
        ]
    );
    assert_eq!(
        encode(&mut state, kraken.quote(BTC, 5, 7)),
        [
            r#"{"channel":"quotes","type":"update","venue":"kraken","symbol":"BTC/USD","data":[{"bid":"0.5","bid_size":"1.000","ask":"0.7","ask_size":"2.000","derived":false,"untrusted":false,"ts_event":1003,"ts_recv":2003,"sequence":3}]}"#
        ]
    );
    assert_eq!(
        encode(&mut state, kraken.image(BTC, &[(Side::Bid, 5, 1), (Side::Ask, 7, 2)])),
        [
            r#"{"channel":"book","type":"snapshot","venue":"kraken","symbol":"BTC/USD","data":[{"trusted":true,"bids":[["0.5","0.001"]],"asks":[["0.7","0.002"]],"ts_event":1006,"ts_recv":2006,"sequence":6}]}"#,
            r#"{"channel":"status","type":"update","venue":"kraken","symbol":"BTC/USD","data":[{"status":"book_trusted","cause":null,"first":null,"last":null,"args":null,"ts_event":1006,"ts_recv":2006,"sequence":6}]}"#
        ]
    );
    assert_eq!(
        encode(&mut state, kraken.levels(BTC, Flags::NONE, &[(Side::Ask, 7, 0)])),
        [
            r#"{"channel":"book","type":"update","venue":"kraken","symbol":"BTC/USD","data":[{"trusted":true,"bids":[],"asks":[["0.7","0.000"]],"ts_event":1007,"ts_recv":2007,"sequence":7}]}"#
        ]
    );
    let gap = GapCause::Checksum.record(Venue::KRAKEN, BTC, 5, 6, Record::ABSENT, Record::ABSENT);
    assert_eq!(
        encode(&mut state, [gap]),
        [
            r#"{"channel":"status","type":"update","venue":"kraken","symbol":"BTC/USD","data":[{"status":"gap","cause":"checksum","first":null,"last":null,"args":null,"ts_event":5,"ts_recv":6,"sequence":0}]}"#
        ]
    );
    let halted = StatusCode::Halted.record(Venue::KRAKEN, BTC, 6, 1, 2);
    assert_eq!(
        encode(&mut state, [halted]),
        [
            r#"{"channel":"status","type":"update","venue":"kraken","symbol":"BTC/USD","data":[{"status":"halted","cause":null,"first":null,"last":null,"args":[1,2],"ts_event":6,"ts_recv":6,"sequence":0}]}"#
        ]
    );
}

#[test]
fn what_is_absent_is_null() {
    let (mut state, mut kraken) = (state(), Producer::default());
    let parse = |texts: Vec<String>| -> Value { serde_json::from_str::<Value>(&texts[0]).unwrap()["data"][0].clone() };
    let halted = |first, last| StatusCode::Halted.record(Venue::KRAKEN, BTC, 6, first, last);
    let absent = Record::ABSENT;
    for (record, args) in [
        (halted(1, absent), json!([1, null])),
        (halted(absent, 2), json!([null, 2])),
        (halted(absent, absent), Value::Null),
    ] {
        assert_eq!(parse(encode(&mut state, [record]))["args"], args);
    }

    // A side of the book is empty: neither price nor size.
    let [bid, ask] = kraken.quote(BTC, 5, 7);
    let nothing = |record| Record {
        price: absent,
        size: absent,
        ..record
    };
    let quote = parse(encode(&mut state, [nothing(bid), ask]));
    assert_eq!(
        [&quote["bid"], &quote["bid_size"], &quote["ask"], &quote["ask_size"]],
        [&Value::Null, &Value::Null, &json!("0.7"), &json!("2.000")]
    );
    let [bid, ask] = kraken.quote(BTC, 5, 7);
    let quote = parse(encode(&mut state, [bid, nothing(ask)]));
    assert_eq!(
        [&quote["bid"], &quote["bid_size"], &quote["ask"], &quote["ask_size"]],
        [&json!("0.5"), &json!("1.000"), &Value::Null, &Value::Null]
    );
}

#[test]
fn a_status_snapshot_goes_from_old_to_new() {
    let (mut state, mut kraken) = (state(), Producer::default());
    let statuses = |state: &InstrumentState| -> Vec<String> {
        let mut text = String::new();
        message::status_snapshot(&mut text, state);
        let message: Value = serde_json::from_str(&text).unwrap();
        let items = message["data"].as_array().unwrap();
        items
            .iter()
            .map(|item| item["status"].as_str().unwrap().to_owned())
            .collect()
    };
    let at = |record: Record, ts_recv| Record { ts_recv, ..record };
    let mut image = |ts_recv| {
        let image = kraken.image(BTC, &[(Side::Bid, 5, 1)]);
        image.into_iter().map(move |record| at(record, ts_recv))
    };
    assert_eq!(statuses(&state), ["book_untrusted"]);
    encode(&mut state, image(10));
    assert_eq!(statuses(&state), ["book_trusted"]);
    let untrusted = StatusCode::BookUntrusted.record(Venue::KRAKEN, BTC, 20, 4, 0);
    let resyncing = StatusCode::Resyncing.record(Venue::KRAKEN, BTC, 21, 1, 0);
    encode(&mut state, [untrusted, resyncing]);
    assert_eq!(statuses(&state), ["book_untrusted", "resyncing"]);
    // The same book as before: still the trust is newer than the question.
    encode(&mut state, image(30));
    assert_eq!(statuses(&state), ["resyncing", "book_trusted"]);
    encode(&mut state, [StatusCode::Halted.record(Venue::KRAKEN, BTC, 40, 0, 0)]);
    assert_eq!(statuses(&state), ["book_trusted", "halted"]);
}

#[test]
fn snapshots_and_documents() {
    let (mut state, mut kraken) = (state(), Producer::default());
    let parse = |encode: &dyn Fn(&mut String)| -> Value {
        let mut text = String::new();
        encode(&mut text);
        serde_json::from_str(&text).expect(&text)
    };
    let empty = parse(&|text| message::trades(text, &state, Form::Snapshot, state.trades()));
    assert_eq!(empty["data"], json!([]));
    let empty = parse(&|text| message::quote(text, &state, Form::Snapshot, state.quote()));
    assert_eq!(empty["data"], json!([]));
    let empty = parse(&|text| message::book(text, &state));
    assert_eq!(empty["data"][0]["trusted"], json!(false));
    encode(
        &mut state,
        kraken.image(BTC, &[(Side::Bid, 5, 1), (Side::Bid, 4, 1), (Side::Ask, 7, 2)]),
    );
    let document = parse(&|text| message::book_document(text, &state, 1));
    assert_eq!(document["bids"], json!([["0.5", "0.001"]]));
    assert_eq!(document["symbol"], "BTC/USD");
    let status = parse(&|text| message::status_snapshot(text, &state));
    assert_eq!(status["data"][0]["status"], "book_trusted");
    let row = parse(&|text| message::instrument_document(text, &state));
    let expected = json!({"venue": "kraken", "symbol": "BTC/USD", "name": "BTC/USD", "price_decimals": 1, "size_decimals": 3, "tick": "0.1", "lot": null, "trusted": true});
    assert_eq!(row, expected);
}

#[test]
fn notes_go_before_the_end() {
    assert_eq!(
        with_note("{\"a\":1}".into(), Note::Skipped(3)).as_str(),
        "{\"a\":1,\"skipped\":3}"
    );
    assert_eq!(
        with_note("{\"a\":1}".into(), Note::Conflated(2)).as_str(),
        "{\"a\":1,\"conflated\":2}"
    );
    assert_eq!(with_note("{\"a\":1}".into(), Note::Conflated(0)).as_str(), "{\"a\":1}");
    assert_eq!(with_note("{\"a\":1}".into(), Note::None).as_str(), "{\"a\":1}");
}

/// A mantissa as the JSON shows it.
fn mantissa(value: &Value, decimals: u8) -> i64 {
    match value {
        Value::Null => Record::ABSENT,
        Value::String(text) => tickpath_protocol::decimal::parse(text.as_bytes(), decimals).unwrap(),
        other => panic!("{other} is no decimal"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_trade_parses_back(price in any::<i64>(), size in any::<i64>(), flags in 0u8..4, ts in any::<(i64, i64)>(), sequence in any::<u64>()) {
        let record = Record {
            flags: flags | Flags::LAST.0,
            ts_event: ts.0,
            ts_recv: ts.1,
            sequence,
            ..Producer::default().record(Kind::Trade, BTC, Flags::NONE, price, size)
        };
        let text = encode(&mut state(), [record]).remove(0);
        let message: Value = serde_json::from_str(&text).unwrap();
        let item = &message["data"][0];
        prop_assert_eq!(mantissa(&item["price"], 1), price);
        prop_assert_eq!(mantissa(&item["size"], 3), size);
        let side = match record.flags().side() { Some(Side::Bid) => json!("buy"), Some(Side::Ask) => json!("sell"), None => Value::Null };
        prop_assert_eq!(&item["side"], &side);
        prop_assert_eq!(item["ts_event"].as_i64(), Some(ts.0));
        prop_assert_eq!(item["ts_recv"].as_i64(), Some(ts.1));
        prop_assert_eq!(item["sequence"].as_u64(), Some(sequence));
    }

    #[test]
    fn a_quote_parses_back(numbers in any::<[i64; 4]>(), flags in any::<u8>()) {
        let mut kraken = Producer::default();
        let bid = kraken.record(Kind::Quote, BTC, Flags::BID, numbers[0], numbers[1]);
        let flags = Flags(flags).without(Flags::BID).with(Flags::ASK).with(Flags::LAST);
        let ask = kraken.record(Kind::Quote, BTC, flags, numbers[2], numbers[3]);
        let text = encode(&mut state(), [bid, ask]).remove(0);
        let message: Value = serde_json::from_str(&text).unwrap();
        let item = &message["data"][0];
        let read = [("bid", 1), ("bid_size", 3), ("ask", 1), ("ask_size", 3)].map(|(key, decimals)| mantissa(&item[key], decimals));
        prop_assert_eq!(read, numbers);
        prop_assert_eq!(item["derived"].as_bool(), Some(flags.contains(Flags::DERIVED)));
        prop_assert_eq!(item["untrusted"].as_bool(), Some(flags.contains(Flags::UNTRUSTED)));
    }

    #[test]
    fn levels_parse_back(levels in prop::collection::vec((any::<bool>(), 0i64..1_000_000, 0i64..i64::MAX), 1..40)) {
        let levels: Vec<_> = levels.into_iter().map(|(bid, price, size)| (if bid { Side::Bid } else { Side::Ask }, price, size)).collect();
        let text = encode(&mut state(), Producer::default().levels(BTC, Flags::NONE, &levels)).remove(0);
        let message: Value = serde_json::from_str(&text).unwrap();
        for (side, key) in [(Side::Bid, "bids"), (Side::Ask, "asks")] {
            let sent: Vec<_> = levels.iter().filter(|level| level.0 == side).map(|level| (level.1, level.2)).collect();
            let read: Vec<_> = message["data"][0][key].as_array().unwrap().iter().map(|pair| (tenths(pair[0].as_str().unwrap()), mantissa(&pair[1], 3))).collect();
            prop_assert_eq!(read, sent);
        }
    }

    #[test]
    fn any_symbol_is_a_json_string(symbol in ".{1,20}") {
        let subject = format!("{{{}}}", message::subject(Venue::KRAKEN, Some(&symbol)));
        let value: Value = serde_json::from_str(&subject).unwrap();
        prop_assert_eq!(value["symbol"].as_str(), Some(symbol.as_str()));
    }
}
