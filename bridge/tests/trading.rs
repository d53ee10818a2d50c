//! The engine's records as orders, fills, signals and state; the document that describes them; the kill switch.

mod support;

use proptest::prelude::*;
use serde_json::{Value, json};
use support::live::World;
use support::{BTC, Producer, table};
use tickpath_bridge::event::{Sink, StatusEvent, Update};
use tickpath_bridge::market::{Input, Market, VenueState};
use tickpath_bridge::message::Form;
use tickpath_bridge::state::InstrumentState;
use tickpath_bridge::topic::Channel;
use tickpath_bridge::trading::{self, OrderState, message};
use tickpath_protocol::trading::{
    Action, ClientOrderId, ImageItem, ImageWriter, Liquidity, OrderDetail, OrderKind, PositionImage, Reason,
    StrategyKey, TimeInForce, TradingEvent,
};
use tickpath_protocol::{Flags, InstrumentId, InstrumentTable, Record, Scale, Side, StatusCode, Venue};

/// The messages of the engine's channels.
#[derive(Default)]
struct Texts(Vec<Value>);

impl Sink for Texts {
    fn opened(&mut self, _: &InstrumentState) {}
    fn venue_opened(&mut self, _: u8, _: Venue) {}
    fn venue(&mut self, _: u8, _: &VenueState, _: &StatusEvent) {}
    fn instrument(&mut self, _: &InstrumentState, _: Update<'_>) {}

    fn trading(&mut self, update: trading::Update<'_>) {
        let mut text = String::new();
        match update {
            trading::Update::Order(order) => message::orders(&mut text, Form::Update, std::iter::once(order)),
            trading::Update::Fill(fill) => message::fills(&mut text, Form::Update, std::iter::once(fill)),
            trading::Update::Signal(signal) => message::signals(&mut text, Form::Update, std::iter::once(signal)),
        }
        self.0.push(serde_json::from_str(&text).expect(&text));
    }
}

/// A market that hears Kraken and the engine.
struct Desk {
    market: Market,
    table: InstrumentTable,
    texts: Texts,
    kraken: Producer,
    sequence: u64,
}

impl Desk {
    fn new() -> Desk {
        let mut desk = Desk {
            market: Market::with_strategies(vec![("trend".into(), "sma".into()), ("other".into(), "sma".into())]),
            table: table(),
            texts: Texts::default(),
            kraken: Producer::default(),
            sequence: 0,
        };
        desk.status(StatusCode::EngineStarted, 3, 0);
        desk.status(StatusCode::StrategyRunning, StrategyKey::new(0, "sma").0, 0);
        // Of another kind than is configured here: what it is called there is not known here.
        desk.status(StatusCode::StrategyPaused, StrategyKey::new(1, "macd").0, 0);
        desk
    }

    fn record(&mut self, record: Record) {
        self.market
            .apply(&Input::Record(record), &self.table, 9_000, &mut self.texts);
    }

    fn status(&mut self, code: StatusCode, price: i64, size: i64) {
        self.sequence += 1;
        self.record(Record {
            sequence: self.sequence,
            ..code.record(Venue::PAPER, InstrumentId::NONE, 5, price, size)
        });
    }

    /// What is said of an event.
    fn event(&mut self, event: TradingEvent) -> Vec<Value> {
        for record in numbered(&event, &mut self.sequence) {
            self.record(record);
        }
        std::mem::take(&mut self.texts.0)
    }

    fn quote(&mut self, bid: i64, ask: i64) {
        for record in self.kraken.quote(BTC, bid, ask) {
            self.record(record);
        }
    }

    fn engine(&self, form: Form) -> Value {
        let mut text = String::new();
        let mark = |number, quantity| self.market.closing_price(number, quantity);
        message::engine(&mut text, form, self.market.trading(), None, &mark);
        serde_json::from_str::<Value>(&text).expect(&text)["data"][0].clone()
    }
}

fn numbered(event: &TradingEvent, sequence: &mut u64) -> Vec<Record> {
    let mut records = Vec::new();
    event.encode(|record| {
        *sequence += 1;
        records.push(Record {
            sequence: *sequence,
            ..record
        });
    });
    records
}

fn event(action: Action, side: Side, price: i64, size: i64) -> TradingEvent {
    TradingEvent {
        action,
        venue: Venue::PAPER,
        instrument: BTC,
        scale: Scale::new(1, 3).unwrap(),
        side: Some(side),
        price,
        size,
        order: ClientOrderId::new(3, 17),
        detail: OrderDetail::of_strategy(0).with_terms(OrderKind::Limit, TimeInForce::Gtc, true, false),
        ts_event: 5,
        ts_recv: 6,
    }
}

fn fill(side: Side, price: i64, size: i64, fee: i64, leaves: i64) -> TradingEvent {
    let event = event(Action::Fill { fee, leaves }, side, price, size);
    TradingEvent {
        detail: event.detail.with_liquidity(Liquidity::Maker),
        ..event
    }
}

const SUBMITTED: Action = Action::Submitted { trigger: None };

#[test]
fn an_order_from_submission_to_fill() {
    let mut desk = Desk::new();
    let said = desk.event(event(SUBMITTED, Side::Bid, 1_000, 2_000));
    let expected = json!({"channel": "orders", "type": "update", "data": [{
        "id": "3-17", "venue": "kraken", "symbol": "BTC/USD", "strategy": 0, "side": "buy", "state": "submitted", "event": "order_submitted",
        "order_type": "limit", "time_in_force": "gtc", "post_only": true, "reduce_only": false, "price": "100.0", "trigger_price": null,
        "quantity": "2.000", "leaves": "2.000", "reason": null, "ts_event": 5, "ts_recv": 6, "sequence": 5}]});
    assert_eq!(said, [expected]);
    let state = |said: &[Value]| said.last().unwrap()["data"][0]["state"].as_str().unwrap().to_owned();
    assert_eq!(
        state(&desk.event(event(Action::Accepted, Side::Bid, 1_000, 2_000))),
        "open"
    );
    let said = desk.event(fill(Side::Bid, 999, 500, 26, 1_500));
    let expected = json!({"id": "3-17", "venue": "kraken", "symbol": "BTC/USD", "strategy": 0, "side": "buy", "price": "99.9", "size": "0.500",
        "fee": "0.00000026", "leaves": "1.500", "liquidity": "maker", "ts_event": 5, "ts_recv": 6, "sequence": 10});
    assert_eq!(said[0]["data"][0], expected);
    assert_eq!(
        (state(&said), &said[1]["data"][0]["leaves"]),
        ("open".into(), &json!("1.500"))
    );
    assert_eq!(
        state(&desk.event(event(Action::CancelSubmitted, Side::Bid, 1_000, 1_500))),
        "pending_cancel"
    );
    let refused = event(Action::Rejected, Side::Bid, 1_000, 1_500);
    let refused = TradingEvent {
        detail: refused.detail.with_reason(Reason::CancelRefused),
        ..refused
    };
    assert_eq!(state(&desk.event(refused)), "open");
    assert_eq!(desk.market.trading().orders().count(), 1);
    let said = desk.event(fill(Side::Bid, 1_000, 1_500, -10, 0));
    assert_eq!(
        (state(&said), &said[1]["data"][0]["quantity"]),
        ("filled".into(), &json!("2.000"))
    );
    assert_eq!(desk.market.trading().orders().count(), 0);
    assert_eq!(desk.market.ignored.unknown, 0);
}

#[test]
fn fills_come_to_positions_and_gains() {
    let mut desk = Desk::new();
    desk.quote(1_000, 1_002);
    desk.event(fill(Side::Bid, 1_000, 2_000, 100_000_000, 0)); // 2 at 100.0, fee 1
    desk.event(fill(Side::Ask, 1_100, 1_000, 0, 0)); // 1 at 110.0
    assert!(desk.market.engine_is_news(1_000_000_000));
    let engine = desk.engine(Form::Snapshot);
    let expected = json!({"strategy": 0, "venue": "kraken", "symbol": "BTC/USD", "quantity": "1.000", "average_price": "100.0", "mark": "100.0",
        "currency": "USD", "realized": "10.00000000", "unrealized": "0.00000000", "fees": "1.00000000", "fills": 2});
    assert_eq!(engine["positions"], json!([expected]));
    let sums = json!([{"currency": "USD", "realized": "10.00000000", "unrealized": "0.00000000", "fees": "1.00000000", "total": "9.00000000"}]);
    assert_eq!((&engine["equity"], &engine["strategies"][0]["equity"]), (&sums, &sums));
    assert_eq!(
        (&engine["strategies"][0]["name"], &engine["strategies"][0]["state"]),
        (&json!("trend"), &json!("running"))
    );
    let other = &engine["strategies"][1];
    assert_eq!((&other["name"], &other["state"]), (&json!("macd"), &json!("paused")));
    assert_eq!(
        (&engine["whole"], &engine["attached"], &engine["session"]),
        (&json!(true), &json!(true), &json!(3))
    );
    assert_eq!(
        engine["history"],
        json!([{"currency": "USD", "points": [[1_000_000_000, "9.00000000"]]}])
    );
    desk.quote(1_050, 1_052);
    assert_eq!(desk.engine(Form::Update)["equity"][0]["total"], "14.00000000");
}

#[test]
fn what_holds_trading_back_is_said() {
    let mut desk = Desk::new();
    desk.status(StatusCode::ReduceOnly, Reason::Drawdown as i64, 0);
    desk.status(StatusCode::TradingHalted, Reason::Inconsistent as i64, Record::ABSENT);
    desk.status(StatusCode::KillLatched, 0, 7);
    let breach = event(Action::RiskBreach, Side::Bid, 5, 3);
    desk.event(TradingEvent {
        detail: breach.detail.with_reason(Reason::PriceCollar),
        ..breach
    });
    let engine = desk.engine(Form::Update);
    assert_eq!(
        (&engine["halted"], &engine["halt_reason"]),
        (&json!(true), &json!("inconsistent"))
    );
    assert_eq!(engine["kill"]["state"], "killed");
    let strategy = &engine["strategies"][0];
    assert_eq!(
        (&strategy["restriction"], &strategy["restriction_reason"]),
        (&json!("reduce_only"), &json!("drawdown"))
    );
    assert_eq!(
        (&strategy["breaches"], &strategy["breach"]),
        (&json!(1), &json!("price_collar"))
    );
    desk.status(StatusCode::KillArmed, 0, 8);
    let engine = desk.engine(Form::Update);
    assert_eq!(
        (&engine["halted"], &engine["kill"]["state"]),
        (&json!(false), &json!("armed"))
    );
    // Records of the engine that this process missed: what is shown is no longer everything.
    let missing = Input::Missing {
        venue: Venue::PAPER,
        count: 3,
    };
    desk.market.apply(&missing, &desk.table, 9_000, &mut desk.texts);
    assert_eq!(desk.engine(Form::Update)["whole"], false);
}

/// 2.000 bought at 10.0 and 0.500 of them sold at 12.0, for fees of 0.03; a position of an instrument that nobody lists.
fn images() -> [PositionImage; 2] {
    let held = PositionImage {
        strategy: 0,
        instrument: BTC,
        scale: Scale::new(1, 3).unwrap(),
        quantity: 1_500,
        average_price: 100,
        cost: 150_000,
        cash: -140_000,
        fees: 3_000_000,
        bought: 2_000,
        sold: 500,
        fills: 2,
    };
    let unknown = PositionImage {
        instrument: InstrumentId::new(Venue::KRAKEN, 999),
        ..held
    };
    [held, unknown]
}

#[test]
fn positions_go_on_from_the_engine_s_own_account() {
    let mut desk = Desk::new();
    let missing = Input::Missing {
        venue: Venue::PAPER,
        count: 3,
    };
    for (count, is_whole) in [(1, true), (2, false)] {
        desk.market.apply(&missing, &desk.table, 9_000, &mut desk.texts);
        assert_eq!(desk.engine(Form::Update)["whole"], false);
        let writer = ImageWriter::new(Venue::PAPER, ClientOrderId::new(3, 7), 5);
        let mut records = vec![writer.begin()];
        for image in &images()[..count] {
            writer.item(&ImageItem::Position(*image), |record| records.push(record));
        }
        records.push(writer.end());
        for record in records {
            desk.sequence += 1;
            desk.record(Record {
                sequence: desk.sequence,
                ..record
            });
        }
        let engine = desk.engine(Form::Update);
        assert_eq!(engine["whole"], is_whole, "{engine}");
        let position = &engine["positions"][0];
        assert_eq!(
            [&position["quantity"], &position["average_price"], &position["fills"]],
            [&json!("1.500"), &json!("10.0"), &json!(2)],
            "{engine}"
        );
        // 0.500 × (12.0 − 10.0).
        assert_eq!(
            [&position["realized"], &position["fees"]],
            [&json!("1.00000000"), &json!("0.03000000")],
            "{engine}"
        );
        // What comes after it is added.
        desk.event(fill(Side::Ask, 110, 500, 0, 0));
        let engine = desk.engine(Form::Update);
        assert_eq!(engine["positions"][0]["quantity"], "1.000", "{engine}");
        assert_eq!(engine["positions"][0]["realized"], "1.50000000", "{engine}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_events_end_in_json(events in prop::collection::vec((0u8..10, any::<bool>(), any::<[i64; 4]>(), any::<u64>(), 0u64..4), 1..60)) {
        let mut desk = Desk::new();
        desk.quote(1_000, Record::ABSENT);
        for (action, is_bid, [price, size, fee, leaves], detail, order) in events {
            let action = match action {
                0 => Action::Signal,
                1 => Action::Submitted { trigger: Some(fee) },
                2 => Action::Accepted,
                3 => Action::Rejected,
                4 => Action::Canceled,
                5 | 6 => Action::Fill { fee, leaves },
                7 => Action::Replaced,
                8 => Action::RiskBreach,
                _ => Action::ReplaceSubmitted { trigger: None },
            };
            let side = if is_bid { Side::Bid } else { Side::Ask };
            let event = TradingEvent { order: ClientOrderId(order), detail: OrderDetail(detail), ..event(action, side, price, size) };
            desk.event(event);
        }
        desk.market.engine_is_news(i64::MAX);
        prop_assert!(desk.engine(Form::Snapshot)["positions"].is_array());
    }
}

/// `docs/websocket.md` lists every channel, and every field of the engine's messages in its order.
#[test]
fn the_document_lists_what_is_sent() {
    let document = include_str!("../../docs/websocket.md");
    let ticked = |text: &str| -> Vec<String> { text.split('`').skip(1).step_by(2).map(str::to_owned).collect() };
    let (_, rest) = document.split_once("`channels`: ").unwrap();
    let channels = Channel::ALL.map(|channel| channel.name().to_owned());
    assert_eq!(ticked(rest.split_once(';').unwrap().0), channels);
    let (_, rest) = document.split_once("`state` is one of ").unwrap();
    let states = OrderState::ALL.map(|state| state.name().to_owned());
    assert_eq!(ticked(rest.split_once(';').unwrap().0), states);
    let (_, section) = document.split_once("\n## What the engine does\n").unwrap();
    let listed = |name: &str| {
        let start = format!("| `{name}` | ");
        let row = section.lines().find(|line| line.starts_with(&start)).expect(name);
        let mut depth = 0;
        let is_outside = |c: &char| {
            depth += i32::from(*c == '(') - i32::from(*c == ')');
            depth == 0 && *c != ')'
        };
        let row: String = row.rsplit(" | ").next().unwrap().chars().filter(is_outside).collect();
        ticked(row.split(": ").next().unwrap())
    };
    let mut desk = Desk::new();
    desk.quote(1_000, 1_002);
    let signal = desk.event(event(Action::Signal, Side::Bid, 1_000, 1)).remove(0);
    let [filled, order] = <[Value; 2]>::try_from(desk.event(fill(Side::Bid, 1_000, 2_000, 1, 5))).unwrap();
    desk.market.engine_is_news(1_000_000_000);
    let (engine, snapshot) = (desk.engine(Form::Update), desk.engine(Form::Snapshot));
    for (name, item) in [
        ("orders", &order["data"][0]),
        ("fills", &filled["data"][0]),
        ("signals", &signal["data"][0]),
        ("engine", &engine),
        ("kill", &engine["kill"]),
        ("strategies", &engine["strategies"][0]),
        ("positions", &engine["positions"][0]),
        ("equity", &engine["equity"][0]),
        ("history", &snapshot["history"][0]),
    ] {
        // serde_json sorts keys, so both are.
        let (mut listed, found): (Vec<String>, Vec<String>) =
            (listed(name), item.as_object().unwrap().keys().cloned().collect());
        listed.sort();
        assert_eq!(listed, found, "{name}");
    }
}

#[tokio::test]
async fn a_client_gets_a_snapshot_and_then_what_the_engine_does() {
    let world = World::start(|_| {});
    let (mut kraken, mut engine) = (world.producer(Venue::KRAKEN), world.producer(Venue::PAPER));
    let btc = kraken.instrument("BTC/USD");
    kraken.send(Producer::default().quote(btc, 1_000, 1_002));
    let event = |action| TradingEvent {
        instrument: btc,
        ..event(action, Side::Bid, 1_000, 2_000)
    };
    let mut records = Vec::new();
    event(SUBMITTED).encode(|record| records.push(record));
    let mut early = world.client().await;
    early.subscribe(&["orders", "fills", "engine"], &[]).await;
    engine.send(records);
    let order = early
        .find(|message| message["channel"] == "orders" && message["type"] == "update")
        .await;
    assert_eq!(order["data"][0]["state"], "submitted");
    let mut records = Vec::new();
    event(Action::Fill { fee: 1, leaves: 500 }).encode(|record| records.push(record));
    engine.send(records);
    let filled = early
        .find(|message| message["channel"] == "fills" && message["type"] == "update")
        .await;
    assert_eq!(filled["data"][0]["leaves"], "0.500");
    let has_position = |message: &Value| message["data"][0]["positions"][0]["quantity"] == "2.000";
    early.find(has_position).await;

    let mut late = world.client().await;
    late.subscribe(&["orders"], &[]).await;
    let snapshot = late.next().await;
    assert_eq!(
        (&snapshot["type"], &snapshot["data"][0]["leaves"]),
        (&json!("snapshot"), &json!("0.500"))
    );
    late.subscribe(&["engine"], &[]).await;
    let snapshot = late.find(|message| message["channel"] == "engine").await;
    assert_eq!(snapshot["type"], "snapshot");
    assert!(snapshot["data"][0]["history"].is_array());
}

#[test]
fn the_engine_s_flags_are_no_market_data() {
    let mut desk = Desk::new();
    let records = numbered(&event(SUBMITTED, Side::Ask, 1_000, 1), &mut 100);
    assert!(
        records
            .iter()
            .all(|record| trading::is_trading(record) && !record.flags().contains(Flags::SNAPSHOT))
    );
    for record in records {
        desk.record(record);
    }
    assert_eq!(desk.market.find(Venue::KRAKEN, "BTC/USD").unwrap().trades().len(), 0);
}
