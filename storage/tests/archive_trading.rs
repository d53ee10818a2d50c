//! Trading events in the archive: each record in its table and the same again, and one row an event by the macros.

#[path = "support/archive.rs"]
mod support;

use std::path::Path;
use std::process::Command;

use support::{DAY_NS, Place, trade};
use tickpath_protocol::trading::{
    Action, ClientOrderId, Liquidity, OrderDetail, OrderKind, Reason, TimeInForce, TradingEvent,
};
use tickpath_protocol::{InstrumentId, Record, Scale, Side, StatusCode, Venue};
use tickpath_storage::archive::export::Options;
use tickpath_storage::archive::place::inventory;

/// An event of strategy 2 about Kraken's first instrument, as the paper venue's.
fn event(action: Action, price: i64, size: i64, ts: i64) -> TradingEvent {
    TradingEvent {
        action,
        venue: Venue::PAPER,
        instrument: InstrumentId::new(Venue::KRAKEN, 0),
        scale: Scale::new(2, 8).unwrap(),
        side: Some(Side::Bid),
        price,
        size,
        order: ClientOrderId::new(3, 17),
        detail: OrderDetail::of_strategy(2).with_terms(OrderKind::StopLimit, TimeInForce::Gtc, false, true),
        ts_event: ts,
        ts_recv: ts + 5,
    }
}

/// Signal, stop order, acceptance, fill, cancellation and a breach, with trades of the market between their records.
fn records() -> Vec<Record> {
    let detail = event(Action::Signal, 0, 0, 0).detail;
    let with = |event: TradingEvent, detail| TradingEvent { detail, ..event };
    let filled = Action::Fill {
        fee: -26,
        leaves: 50_000_000,
    };
    let events = [
        event(Action::Signal, 10_000, 200_000_000, 10),
        event(Action::Submitted { trigger: Some(9_900) }, 10_000, 150_000_000, 10),
        event(Action::Accepted, 10_000, 150_000_000, 20),
        with(
            event(filled, 9_990, 100_000_000, 30),
            detail.with_liquidity(Liquidity::Maker),
        ),
        with(
            event(Action::Canceled, 10_000, 50_000_000, 40),
            detail.with_reason(Reason::Requested),
        ),
        with(
            event(Action::RiskBreach, 7, Record::ABSENT, 50),
            detail.with_reason(Reason::PriceCollar),
        ),
    ];
    let mut records = vec![StatusCode::EngineStarted.record(Venue::PAPER, InstrumentId::NONE, 5, 3, 0)];
    let mut sequence = 0;
    for event in events {
        event.encode(|record| {
            sequence += 1;
            records.push(Record { sequence, ..record });
            records.push(trade(sequence, event.ts_recv));
        });
    }
    records
}

fn exported() -> Place {
    let place = Place::new();
    place.append(1, &records());
    place.export(&Options::at(100 * DAY_NS)).unwrap();
    place
}

#[test]
fn every_record_is_in_its_table_and_the_same_again() {
    let place = exported();
    let tables: Vec<String> = inventory(&place.archive())
        .unwrap()
        .partitions
        .iter()
        .map(ToString::to_string)
        .collect();
    let paper = ["status", "orders", "fills", "signals"].map(|table| format!("{table}/venue=paper/date=1970-01-01"));
    assert_eq!(tables[0], "trades/venue=kraken/date=1970-01-01");
    assert_eq!(tables[1..], paper);
    assert_eq!(place.verify(true).differences, []);
    assert_eq!(place.records(), records());
}

/// The macros of `analysis/trading.sql` in DuckDB.
#[test]
#[ignore = "wants a Python with the packages of analysis/requirements.txt in TICKPATH_TEST_PYTHON: scripts/test analysis"]
fn duckdb_puts_events_together() {
    const PRINT: &str = "
import sys, duckdb
archive, macros = sys.argv[1:]
connection = duckdb.connect()
connection.execute('SET VARIABLE archive = $1', [archive])
connection.execute(open(macros).read())
for query in (
    'SELECT event, client_order_id, strategy, side, type, time_in_force, post_only, reduce_only, price, trigger_price, quantity, leaves, reason, observed, allowed FROM orders()',
    'SELECT client_order_id, strategy, side, price, size, notional, fee, leaves, liquidity FROM fills()',
    'SELECT symbol, strategy, side, price, size FROM signals()',
):
    for row in connection.execute(query).fetchall():
        print(*('-' if value is None else value for value in row), sep='|')
";
    let place = exported();
    let python = std::env::var_os("TICKPATH_TEST_PYTHON").expect("TICKPATH_TEST_PYTHON names a Python with duckdb");
    let macros = Path::new(env!("CARGO_MANIFEST_DIR")).join("../analysis/trading.sql");
    let output = Command::new(python)
        .args(["-c", PRINT])
        .args([place.archive(), macros])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let expected = "\
order_submitted|3-17|2|buy|stop_limit|gtc|False|True|100.0|99.0|1.5|-|-|-|-
order_accepted|3-17|2|buy|stop_limit|gtc|False|True|100.0|-|-|1.5|-|-|-
order_canceled|3-17|2|buy|stop_limit|gtc|False|True|100.0|-|-|0.5|requested|-|-
risk_breach|3-17|2|buy|stop_limit|gtc|False|True|-|-|-|-|price_collar|0.07|-
3-17|2|buy|99.9|1.0|99.9|-2.6e-07|0.5|maker
S9|2|buy|100.0|2.0
";
    assert_eq!(String::from_utf8_lossy(&output.stdout), expected);
}
