//! Subscriptions and slow clients, without sockets: whatever a client's pace, what it has in the end is the truth, and every update
//! was delivered or counted.

mod support;

use std::sync::Arc;

use proptest::prelude::*;
use serde_json::Value;
use support::clients::{Bridge, brief};
use support::{BTC, ClientBook, ETH, Producer, instrument};
use tickpath_bridge::outbox::Taken;
use tickpath_protocol::{Flags, InstrumentId, Side, StatusCode, Venue};

const IMAGE: [(Side, i64, i64); 2] = [(Side::Bid, 100, 5), (Side::Ask, 101, 5)];

#[test]
fn the_answer_then_a_snapshot_then_updates() {
    let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
    bridge.send(kraken.image(BTC, &IMAGE));
    let client = bridge.client(1, 16);
    bridge.ask(&client, "subscribe", &["book"], &["kraken:BTC/USD"]);
    bridge.send(kraken.levels(BTC, Flags::NONE, &[(Side::Bid, 99, 1)]));
    bridge.send(kraken.levels(ETH, Flags::NONE, &[(Side::Bid, 99, 1)]));
    let messages = bridge.read_all(&client);
    assert_eq!(
        brief(&messages),
        ["subscribed ", "book snapshot BTC/USD", "book update BTC/USD"]
    );
    bridge.ask(&client, "subscribe", &["book"], &["kraken:BTC/USD"]);
    assert_eq!(brief(&bridge.read_all(&client)), ["subscribed "], "no second snapshot");
}

#[test]
fn a_text_is_encoded_once_for_all() {
    let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
    let clients: Vec<_> = (0..50).map(|id| bridge.client(id, 16)).collect();
    for client in &clients {
        bridge.ask(client, "subscribe", &["quotes"], &["*"]);
    }
    let before = bridge.hub.tally();
    assert_eq!(before.encoded, 3, "a snapshot of each instrument");
    bridge.send(kraken.quote(BTC, 100, 101));
    assert_eq!(bridge.hub.tally().encoded, before.encoded + 1);
    assert_eq!(bridge.hub.tally().messages, before.messages + 50);
}

#[test]
fn what_nobody_follows_is_not_encoded() {
    let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
    bridge.send(kraken.quote(BTC, 100, 101));
    assert_eq!(bridge.hub.tally().encoded, 0);
}

#[test]
fn patterns_hold_for_instruments_to_come() {
    let mut bridge = Bridge::new(100);
    let client = bridge.client(1, 16);
    bridge.ask(&client, "subscribe", &["trades"], &["kraken:*"]);
    bridge.read_all(&client);
    bridge
        .table
        .insert(instrument(Venue::KRAKEN, 2, "SOL/USD", "SOL/USD"))
        .unwrap();
    bridge
        .table
        .insert(instrument(Venue::BINANCE, 1, "SOLUSDT", "SOL/USDT"))
        .unwrap();
    bridge.market.sync(&bridge.table, &mut bridge.hub);
    bridge.send([]);
    assert_eq!(brief(&bridge.read_all(&client)), ["trades snapshot SOL/USD"]);
    bridge.ask(&client, "unsubscribe", &["trades"], &["kraken:*"]);
    bridge
        .table
        .insert(instrument(Venue::KRAKEN, 3, "ADA/USD", "ADA/USD"))
        .unwrap();
    bridge.market.sync(&bridge.table, &mut bridge.hub);
    bridge.send([Producer::default().trade(BTC, Side::Bid, 1, 1)]);
    assert_eq!(brief(&bridge.read_all(&client)), ["unsubscribed "]);
}

#[test]
fn errors_change_nothing() {
    let mut bridge = Bridge::new(4);
    let client = bridge.client(1, 16);
    bridge.ask(&client, "subscribe", &["trades"], &["*", "kraken:NO/SUCH"]);
    bridge.ask(&client, "subscribe", &["trades", "book"], &["*"]);
    bridge.send([Producer::default().trade(BTC, Side::Bid, 1, 1)]);
    let messages = bridge.read_all(&client);
    assert_eq!(
        brief(&messages),
        ["error unknown_symbol", "error too_many_subscriptions"]
    );
    bridge.ask(&client, "subscribe", &["trades"], &["*:BTC/USDT", "binance:BTC/USDT"]);
    assert_eq!(
        brief(&bridge.read_all(&client)),
        ["subscribed ", "trades snapshot BTCUSDT"]
    );
}

#[test]
fn status_of_a_venue_goes_to_all_who_name_it() {
    let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
    let one = bridge.client(1, 16);
    let other = bridge.client(2, 16);
    bridge.ask(&one, "subscribe", &["status"], &["kraken:BTC/USD"]);
    bridge.ask(&other, "subscribe", &["status"], &["binance:*"]);
    assert_eq!(
        brief(&bridge.read_all(&one)),
        ["subscribed ", "status snapshot -", "status snapshot BTC/USD"]
    );
    bridge.read_all(&other);
    bridge.send([
        kraken.status(StatusCode::Connected, tickpath_protocol::InstrumentId::NONE, 0, 0),
        kraken.status(StatusCode::Halted, BTC, 0, 0),
        kraken.status(StatusCode::Halted, ETH, 0, 0),
    ]);
    assert_eq!(
        brief(&bridge.read_all(&one)),
        ["status update -", "status update BTC/USD"]
    );
    assert_eq!(bridge.read_all(&other), Vec::<Value>::new());
    bridge.ask(&one, "unsubscribe", &["status"], &["kraken:BTC/USD"]);
    bridge.send([kraken.status(StatusCode::Connected, tickpath_protocol::InstrumentId::NONE, 0, 0)]);
    assert_eq!(brief(&bridge.read_all(&one)), ["unsubscribed "]);
}

#[test]
fn a_slow_client_gets_the_newest_state_and_is_told() {
    let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
    bridge.send(kraken.image(BTC, &IMAGE));
    let client = bridge.client(1, 4);
    bridge.ask(&client, "subscribe", &["quotes", "trades"], &["kraken:BTC/USD"]);
    bridge.read_all(&client);
    for price in 0..10 {
        bridge.send(kraken.quote(BTC, price, price + 1));
        bridge.send([kraken.trade(BTC, Side::Bid, price, 1)]);
    }
    let messages = bridge.read_all(&client);
    let trades: Vec<_> = messages
        .iter()
        .filter(|message| message["channel"] == "trades")
        .collect();
    assert_eq!(trades.len(), 4);
    assert_eq!(trades[0]["skipped"], 6);
    assert_eq!(trades[3]["data"][0]["price"], "0.9");
    let quote = messages.last().unwrap();
    assert_eq!((&quote["type"], &quote["conflated"]), (&"snapshot".into(), &10.into()));
    assert_eq!(quote["data"][0]["bid"], "0.9");
    bridge.send(kraken.quote(BTC, 50, 51));
    assert_eq!(
        brief(&bridge.read_all(&client)),
        ["quotes update BTC/USD"],
        "live again"
    );
}

#[test]
fn who_stays_behind_is_closed_and_who_catches_up_is_not() {
    let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
    let (stuck, slow, quick) = (bridge.client(1, 2), bridge.client(2, 2), bridge.client(3, 2));
    for client in [&stuck, &slow, &quick] {
        bridge.ask(client, "subscribe", &["quotes"], &["kraken:BTC/USD"]);
    }
    for second in 0..4 {
        bridge.at(second);
        for price in 0..5 {
            bridge.send(kraken.quote(BTC, price, price + 1));
            bridge.read_all(&quick);
        }
        bridge.read_all(&slow);
        bridge.hub.sweep();
    }
    let mut batch = Vec::new();
    assert!(
        matches!(stuck.outbox.take(&mut batch, u64::MAX), Taken::Batch),
        "its answer is still there"
    );
    assert!(matches!(stuck.outbox.take(&mut Vec::new(), u64::MAX), Taken::Closing(closing) if closing.code == 1008));
    for client in [&slow, &quick] {
        assert_eq!(client.outbox.take(&mut Vec::new(), u64::MAX), Taken::Empty);
    }
    assert_eq!(bridge.hub.tally().disconnected_slow, 1);
    assert_eq!(bridge.hub.clients_connected(), 2);
}

/// A client that reads nothing at all costs nothing: neither are its messages made, nor is it looked at.
#[test]
fn nothing_is_made_for_who_is_stuck_and_all_of_it_is_told_later() {
    let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
    let client = bridge.client(1, 100);
    bridge.ask(&client, "subscribe", &["quotes", "trades"], &["kraken:BTC/USD"]);
    bridge.read_all(&client);
    client.outbox.set_stuck(true);
    let mut event = |bridge: &mut Bridge, price| {
        bridge.send(kraken.quote(BTC, price, price + 1));
        bridge.send([kraken.trade(BTC, Side::Ask, price, 1)]);
    };
    event(&mut bridge, 0);
    let encoded = bridge.hub.tally().encoded;
    (1..10).for_each(|price| event(&mut bridge, price));
    assert_eq!(bridge.hub.tally().encoded, encoded);
    client.outbox.set_stuck(false);
    let messages = bridge.read_all(&client);
    assert_eq!(brief(&messages), ["quotes snapshot BTC/USD"]);
    assert_eq!(messages[0]["conflated"], 10);
    event(&mut bridge, 10);
    let messages = bridge.read_all(&client);
    assert_eq!(brief(&messages), ["quotes update BTC/USD", "trades update BTC/USD"]);
    assert_eq!(messages[1]["skipped"], 10);
    assert_eq!((bridge.hub.tally().conflated, bridge.hub.tally().skipped), (10, 10));
}

#[test]
fn clients_that_go_leave_nothing_behind() {
    let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
    for id in 0..100 {
        let client = bridge.client(id, 4);
        bridge.ask(&client, "subscribe", &["quotes", "system"], &["*"]);
        client.outbox.set_gone();
        bridge.send(kraken.quote(BTC, 1, 2));
        bridge.hub.sweep();
        assert_eq!(bridge.hub.clients_connected(), 0);
    }
    let encoded = bridge.hub.tally().encoded;
    bridge.send(kraken.quote(BTC, 1, 2));
    assert_eq!(bridge.hub.tally().encoded, encoded);
}

#[derive(Clone, Debug)]
enum Step {
    Levels(Vec<(bool, i64, i64)>),
    Image(Vec<(bool, i64, i64)>),
    Quote(i64),
    Trade,
    Read,
    /// It has not read for a while.
    Stick,
    Resubscribe,
}

fn step() -> impl Strategy<Value = Step> {
    let levels = || prop::collection::vec((any::<bool>(), 0i64..20, 0i64..4), 1..5);
    prop_oneof![
        8 => levels().prop_map(Step::Levels),
        1 => levels().prop_map(Step::Image),
        4 => (0i64..100).prop_map(Step::Quote),
        4 => Just(Step::Trade),
        1 => Just(Step::Stick),
        2 => Just(Step::Read),
        1 => Just(Step::Resubscribe),
    ]
}

/// What a client counts of the messages that it gets.
#[derive(Default)]
struct Reader {
    book: ClientBook,
    bid: String,
    updates: u64,
    conflated: u64,
    trades: u64,
    skipped: u64,
    snapshots_wanted: u64,
}

impl Reader {
    fn take(&mut self, messages: Vec<Value>) {
        for message in messages {
            let is_snapshot = message["type"] == "snapshot";
            match message["channel"].as_str() {
                Some("book") => {
                    let before = self.book.sequence;
                    self.book.apply(&message);
                    // Later than all before; a catch-up may repeat the state that an image has just shown.
                    assert!(is_snapshot || self.book.sequence > before, "an overlap");
                    self.count(&message);
                }
                Some("quotes") => {
                    self.bid = message["data"][0]["bid"].as_str().unwrap_or_default().to_owned();
                }
                Some("trades") if is_snapshot => {}
                Some("trades") => {
                    self.skipped += message["skipped"].as_u64().unwrap_or(0);
                    self.trades += message["data"].as_array().unwrap().len() as u64;
                }
                _ => {}
            }
        }
    }

    fn count(&mut self, message: &Value) {
        match message["conflated"].as_u64() {
            Some(conflated) => self.conflated += conflated,
            None if self.snapshots_wanted > 0 && message["type"] == "snapshot" => self.snapshots_wanted -= 1,
            None => self.updates += 1,
        }
    }
}

fn sides(levels: &[(bool, i64, i64)]) -> Vec<(Side, i64, i64)> {
    levels
        .iter()
        .map(|&(bid, price, size)| (if bid { Side::Bid } else { Side::Ask }, price, size))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Any pace and any queue: the client ends with the market's state, and every event was delivered or counted.
    #[test]
    fn the_truth_arrives_at_any_pace(steps in prop::collection::vec(step(), 1..200), queue in 1usize..12) {
        let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
        let client = bridge.client(1, queue);
        let channels = ["book", "quotes", "trades"];
        bridge.ask(&client, "subscribe", &channels, &["kraken:BTC/USD"]);
        let mut reader = Reader { snapshots_wanted: 1, ..Reader::default() };
        reader.take(bridge.read_all(&client));
        let (mut events, mut trades, mut bid) = (0, 0, String::new());
        for step in steps {
            match step {
                Step::Levels(levels) => { bridge.send(kraken.levels(BTC, Flags::NONE, &sides(&levels))); events += 1; }
                Step::Image(levels) => {
                    let levels: Vec<_> = levels.into_iter().map(|(bid, price, size)| (bid, price, size + 1)).collect();
                    let shown = |bridge: &Bridge| ClientBook {
                        sequence: 0,
                        ..ClientBook::of(bridge.market.find(Venue::KRAKEN, "BTC/USD").unwrap())
                    };
                    let before = shown(&bridge);
                    bridge.send(kraken.image(BTC, &sides(&levels)));
                    // An image of what is known is no event.
                    events += u64::from(before != shown(&bridge));
                }
                Step::Quote(price) => { bridge.send(kraken.quote(BTC, price, price + 1)); bid = format!("{}.{}", price / 10, price % 10); }
                Step::Trade => { bridge.send([kraken.trade(BTC, Side::Ask, 5, 1)]); trades += 1; }
                Step::Read => {
                    client.outbox.set_stuck(false);
                    reader.take(bridge.read(&client));
                }
                Step::Stick => client.outbox.set_stuck(true),
                Step::Resubscribe => {
                    client.outbox.set_stuck(false);
                    // Caught up first, so that what is delivered can be told from what is left out.
                    reader.take(bridge.read_all(&client));
                    bridge.send([kraken.trade(BTC, Side::Ask, 5, 1)]);
                    trades += 1;
                    reader.take(bridge.read_all(&client));
                    bridge.ask(&client, "unsubscribe", &channels, &["*"]);
                    reader.snapshots_wanted += 1;
                    bridge.ask(&client, "subscribe", &channels, &["kraken:BTC/USD"]);
                    reader.take(bridge.read_all(&client));
                }
            }
        }
        client.outbox.set_stuck(false);
        reader.take(bridge.read_all(&client));
        // What was skipped is told by the next trades.
        bridge.send([kraken.trade(BTC, Side::Ask, 5, 1)]);
        trades += 1;
        reader.take(bridge.read_all(&client));
        let state = bridge.market.find(Venue::KRAKEN, "BTC/USD").unwrap();
        prop_assert_eq!(&reader.book, &ClientBook::of(state));
        prop_assert_eq!(&reader.bid, &bid);
        prop_assert_eq!(reader.updates + reader.conflated, events);
        prop_assert_eq!(reader.trades + reader.skipped, trades);
        prop_assert_eq!(client.outbox.take(&mut Vec::new(), u64::MAX), Taken::Empty);
    }
}

#[derive(Clone, Debug)]
enum Loss {
    Trade,
    Missing(u64),
    Read,
    Stick,
}

fn loss() -> impl Strategy<Value = Loss> {
    prop_oneof![
        4 => Just(Loss::Trade),
        2 => (1u64..100).prop_map(Loss::Missing),
        2 => Just(Loss::Read),
        1 => Just(Loss::Stick),
    ]
}

/// What the newest status of Kraken as a whole says to be lost.
fn lost(messages: &[Value]) -> Option<u64> {
    let of_venue = |message: &&Value| message["channel"] == "status" && message["symbol"].is_null();
    let status = messages.iter().rev().find(of_venue)?;
    Some(
        status["lost"]
            .as_u64()
            .expect("each status of a venue says how much is lost"),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Status that tells of lost records is conflated like any other; how many they are in all is told all the same.
    #[test]
    fn a_client_at_any_pace_learns_how_much_is_lost(steps in prop::collection::vec(loss(), 1..100), queue in 1usize..6) {
        let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
        bridge.send([kraken.status(StatusCode::Connected, InstrumentId::NONE, 0, 0)]);
        let client = bridge.client(1, queue);
        bridge.ask(&client, "subscribe", &["trades", "status"], &["kraken:*"]);
        let (mut missing, mut told) = (0, lost(&bridge.read_all(&client)));
        prop_assert_eq!(told, Some(0));
        for step in steps {
            match step {
                Loss::Trade => bridge.send([kraken.trade(BTC, Side::Ask, 5, 1)]),
                Loss::Missing(count) => { bridge.miss(count); missing += count; }
                Loss::Stick => client.outbox.set_stuck(true),
                Loss::Read => {
                    client.outbox.set_stuck(false);
                    told = lost(&bridge.read(&client)).or(told);
                    prop_assert!(told <= Some(missing));
                }
            }
        }
        client.outbox.set_stuck(false);
        told = lost(&bridge.read_all(&client)).or(told);
        prop_assert_eq!(told, Some(missing));
    }
}

/// The client's task on a thread of its own, as in the bridge: whenever it catches up, it is told, and the newest state arrives.
#[test]
fn a_client_on_another_thread_always_catches_up() {
    const QUOTES: i64 = 20_000;
    let (mut bridge, mut kraken) = (Bridge::new(100), Producer::default());
    let client = bridge.client(1, 3);
    bridge.ask(&client, "subscribe", &["quotes", "book"], &["*"]);
    let (drained, was_drained) = std::sync::mpsc::channel();
    let outbox = Arc::clone(&client.outbox);
    let newest = format!("{}.{}", (QUOTES - 1) / 10, (QUOTES - 1) % 10);
    let task = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut batch = Vec::new();
            loop {
                match outbox.take(&mut batch, u64::MAX) {
                    Taken::Batch => {
                        if batch
                            .drain(..)
                            .any(|(body, _)| body.contains(&format!("\"bid\":\"{newest}\"")))
                        {
                            return;
                        }
                    }
                    Taken::Drained => drained.send(()).unwrap(),
                    Taken::Empty => tokio::time::timeout(support::live::DEADLINE, outbox.ready())
                        .await
                        .expect("nobody forgets this client"),
                    Taken::Closing(closing) => panic!("{closing:?}"),
                }
            }
        });
    });
    let mut price = 0;
    while !task.is_finished() {
        while was_drained.try_recv().is_ok() {
            bridge.hub.drained(client.id);
        }
        if price < QUOTES {
            bridge.send(kraken.quote(BTC, price, price + 1));
            price += 1;
        } else {
            bridge.send([]);
        }
    }
    task.join().unwrap();
    assert!(bridge.hub.tally().conflated > 0);
}
