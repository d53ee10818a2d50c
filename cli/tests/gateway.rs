//! The engine at the simulated venue, whole pipelines of real processes: what it believes to hold is what the venue traded, whoever is killed.

mod support;
#[path = "support/trading.rs"]
#[allow(dead_code, reason = "this file uses a part of it")]
mod trading;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use support::{Pipeline, wait_for};
use tickpath_protocol::StatusCode;
use trading::{metric, signal, story, switch, wait_metric};

const OPEN: &str = "tickpath_engine_orders_open";
const AT_VENUE: &str = "tickpath_gateway_orders_open";

/// A market maker on the simulated Coinbase that quotes from the first second, near enough to be met.
const CONFIG: &str = "events_per_second = 300\n\
    [recorder]\nsegment_records = 65536\nsync_ms = 5\n\
    [collectors.binance]\nenabled = false\n[collectors.kraken]\nenabled = false\n[collectors.alpaca]\nenabled = false\n\
    [engine]\nvenue = \"simulated\"\n[engine.watchdog]\nenabled = false\n\
    [[engine.strategy]]\nname = \"maker\"\nkind = \"avellaneda\"\ninstruments = [\"coinbase:BTC/USD\"]\ncapital = \"100000\"\n\
    [engine.strategy.parameters]\nquantity = \"0.01\"\nsample = 100\nsamples = 2\nintensity = 20\nrequote = 5\n";

/// Rows of a call of the venue that takes orders, once it answers.
fn venue(pipeline: &Pipeline, path: &str) -> Vec<Value> {
    wait_for("the venue's answer", || ask_venue(pipeline, path))
}

fn ask_venue(pipeline: &Pipeline, path: &str) -> Option<Vec<Value>> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(pipeline.simulator).ok()?;
    write!(
        stream,
        "GET /coinbase{path} HTTP/1.1\r\nHost: x\r\nCB-ACCESS-KEY: simulated\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let rows: Value = serde_json::from_str(body).ok()?;
    Some(rows.as_array()?.clone())
}

fn resting(pipeline: &Pipeline) -> usize {
    venue(pipeline, "/orders?status=open&limit=1000").len()
}

fn mantissa(row: &Value, field: &str) -> i64 {
    let text = row[field].as_str().expect("a number as text");
    tickpath_protocol::decimal::parse(text.as_bytes(), 8).expect("a size")
}

/// Bought less sold, by the venue's fills, and how many there were.
fn traded(pipeline: &Pipeline) -> (i64, usize) {
    let fills = venue(pipeline, "/fills?limit=1000");
    let signed = |row: &Value| {
        if row["side"] == "buy" {
            mantissa(row, "size")
        } else {
            -mantissa(row, "size")
        }
    };
    (fills.iter().map(signed).sum(), fills.len())
}

/// No order came twice, and every one was asked for by the engine.
fn assert_orders_are_the_engines(pipeline: &Pipeline) {
    let orders = venue(pipeline, "/orders?status=all&limit=1000");
    let asked: BTreeSet<String> = story(pipeline)
        .submitted()
        .iter()
        .map(|id| format!("tp-{id}"))
        .collect();
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for order in &orders {
        let name = order["client_oid"].as_str().expect("a name");
        assert!(asked.contains(name), "{name} was sent and never submitted");
        *times.entry(name).or_default() += 1;
    }
    assert!(times.values().all(|times| *times == 1), "{times:?}");
}

/// With everything canceled and reported: the engine's position is the venue's, in its counters and in the journal.
fn assert_positions_agree(pipeline: &Pipeline, engine: u32) {
    let (held, fills) = wait_for("the engine to know every fill", || {
        let (held, fills) = traded(pipeline);
        let story = story(pipeline);
        let known = story.positions().values().sum::<i64>();
        (story.fills() == fills && known == held).then_some((held, fills))
    });
    assert!(fills > 0);
    wait_metric(pipeline, engine, "tickpath_engine_position", |position| {
        position == held
    });
    assert_eq!(
        metric(pipeline, engine, "tickpath_engine_halted"),
        Some(0),
        "{}",
        pipeline.log("engine")
    );
    assert_eq!(resting(pipeline), 0);
    story(pipeline).assert_ids_are_unique();
    assert_orders_are_the_engines(pipeline);
}

#[test]
fn up_trades_at_the_venue_and_a_stopped_engine_is_killed_all_the_same() {
    let mut pipeline = Pipeline::new(CONFIG);
    pipeline.start("up", "tickpath", &["up"]);
    let state = pipeline.dir.path().join("run/up.json");
    let processes = wait_for("the processes", || {
        let state: Value = serde_json::from_slice(&std::fs::read(&state).ok()?).ok()?;
        let pid = |name: &str| {
            let entry = state["processes"]
                .as_array()?
                .iter()
                .find(|entry| entry["name"] == name)?;
            u32::try_from(entry["pid"].as_u64()?).ok()
        };
        Some((pid("engine")?, pid("gateway")?))
    });
    let (engine, gateway) = processes;
    wait_for("fills at the venue", || (traded(&pipeline).1 >= 3).then_some(()));
    wait_metric(&pipeline, gateway, AT_VENUE, |open| open > 0);
    let fills = venue(&pipeline, "/fills");
    assert!(fills.iter().any(|fill| fill["liquidity"] == "M"), "{fills:?}");

    wait_for("an order that rests", || (resting(&pipeline) > 0).then_some(()));
    signal(engine, "-STOP");
    switch(&pipeline, &["kill", "--reason", "a test"]);
    wait_for("the gateway to cancel everything", || {
        (resting(&pipeline) == 0).then_some(())
    });
    wait_metric(&pipeline, gateway, AT_VENUE, |open| open == 0);
    signal(engine, "-CONT");
    wait_metric(&pipeline, engine, OPEN, |open| open == 0);
    wait_for("the kill in the journal", || {
        (story(&pipeline).statuses(StatusCode::KillLatched) == 1).then_some(())
    });
    assert_positions_agree(&pipeline, engine);
    assert_eq!(story(&pipeline).submitted_after(StatusCode::KillLatched), 0);

    let sent = story(&pipeline).submitted().len();
    switch(&pipeline, &["arm"]);
    wait_for("orders after arming", || {
        (story(&pipeline).submitted().len() > sent).then_some(())
    });
    switch(&pipeline, &["kill"]);
    wait_metric(&pipeline, engine, OPEN, |open| open == 0);
    assert_positions_agree(&pipeline, engine);
    // The venue's reports are inputs: the journal alone is enough to decide it all again.
    let again = switch(&pipeline, &["parity"]);
    assert!(
        again.contains(&format!(", {} fills among them", story(&pipeline).fills())),
        "{again}"
    );
}

/// Whoever dies with orders resting, and whatever was on its way: no order twice, no fill lost. `TICKPATH_TEST_KILLS` says how often.
#[test]
fn killed_gateways_and_engines_lose_nothing() {
    let kills = std::env::var("TICKPATH_TEST_KILLS").map_or(4, |text| text.parse().expect("a number"));
    let mut pipeline = Pipeline::new(CONFIG);
    for (name, program, args) in [
        ("relay", "tickpath-relay", &[][..]),
        ("recorder", "tickpath-recorder", &[]),
        ("simulator", "tickpath-simulator", &[]),
        ("collector", "tickpath-collector", &["coinbase"]),
    ] {
        pipeline.start(name, program, args);
    }
    let mut gateway = pipeline.start("gateway", "tickpath-gateway", &[]);
    let mut engine = pipeline.start("engine", "tickpath-engine", &[]);
    for life in 0..kills {
        let before = traded(&pipeline).1;
        wait_for("an order that rests", || (resting(&pipeline) > 0).then_some(()));
        wait_for("a fill", || (traded(&pipeline).1 > before).then_some(()));
        // By turns the gateway alone, the engine alone, and both.
        let (kills_gateway, kills_engine) = (life % 3 != 1, life % 3 != 0);
        if kills_engine {
            signal(engine, "-9");
            pipeline.child("engine").wait().expect("it ended");
        }
        if kills_gateway {
            signal(gateway, "-9");
            pipeline.child("gateway").wait().expect("it ended");
            gateway = pipeline.start("gateway", "tickpath-gateway", &[]);
        }
        if kills_engine {
            engine = pipeline.start("engine", "tickpath-engine", &[]);
        }
    }
    wait_for("orders of the last session", || (resting(&pipeline) > 0).then_some(()));
    switch(&pipeline, &["kill"]);
    wait_for("nothing rests", || (resting(&pipeline) == 0).then_some(()));
    wait_metric(&pipeline, engine, "tickpath_engine_killed", |killed| killed == 1);
    wait_metric(&pipeline, engine, OPEN, |open| open == 0);
    assert_positions_agree(&pipeline, engine);
    let sessions = story(&pipeline).statuses(StatusCode::EngineStarted);
    for session in 1..=sessions {
        switch(&pipeline, &["parity", "--session", &session.to_string()]);
    }
}
