//! Trading events in a real database: each one row of a view, put together of its records.

#[path = "postgres/load.rs"]
mod load;
mod postgres;
#[path = "postgres/rows.rs"]
mod rows;
#[path = "postgres/scratch.rs"]
mod scratch;

use load::{append, appender, bring_all, settings};
use postgres::Postgres;
use rows::Database;
use scratch::Scratch;
use tickpath_protocol::trading::{
    Action, ClientOrderId, Liquidity, OrderDetail, OrderKind, Reason, TimeInForce, TradingEvent,
};
use tickpath_protocol::{InstrumentId, Record, Scale, Side, Venue};
use tickpath_transport::now_ns;

#[test]
fn trading_events_are_rows_on_postgresql() {
    trading_events_are_rows(&Postgres::start().url("postgres"));
}

#[test]
fn trading_events_are_rows_on_timescale() {
    if let Some(scratch) = Scratch::make("trading") {
        trading_events_are_rows(&scratch.url());
    }
}

/// An event of strategy 2 about the second instrument of Kraken.
fn event(action: Action, price: i64, size: i64, ts: i64) -> TradingEvent {
    TradingEvent {
        action,
        venue: Venue::PAPER,
        instrument: InstrumentId::new(Venue::KRAKEN, 1),
        scale: Scale::new(1, 3).unwrap(),
        side: Some(Side::Bid),
        price,
        size,
        order: ClientOrderId::new(3, 17),
        detail: OrderDetail::of_strategy(2).with_terms(OrderKind::StopLimit, TimeInForce::Gtc, false, true),
        ts_event: ts,
        ts_recv: ts + 5,
    }
}

/// All that may happen to an order, two events at the same time among it, and market data between the records of an event.
fn events(ts: i64) -> Vec<TradingEvent> {
    let detail = event(Action::Signal, 0, 0, ts).detail;
    let filled = Action::Fill { fee: -26, leaves: 500 };
    vec![
        TradingEvent {
            order: ClientOrderId::NONE,
            detail: OrderDetail::of_strategy(2),
            ..event(Action::Signal, 1_000, 2_000, ts)
        },
        event(Action::Submitted { trigger: Some(990) }, 1_000, 1_500, ts),
        event(Action::Accepted, 1_000, 1_500, ts),
        TradingEvent {
            detail: detail.with_liquidity(Liquidity::Maker),
            ..event(filled, 999, 1_000, ts + 1)
        },
        TradingEvent {
            detail: detail.with_reason(Reason::Requested),
            ..event(Action::Canceled, 1_000, 500, ts + 2)
        },
        TradingEvent {
            detail: detail.with_reason(Reason::PriceCollar),
            side: None,
            ..event(Action::RiskBreach, 7, Record::ABSENT, ts + 2)
        },
    ]
}

fn records(events: &[TradingEvent]) -> Vec<Record> {
    let mut records: Vec<Record> = Vec::new();
    let mut sequence = 0;
    for event in events {
        event.encode(|record| {
            sequence += 1;
            records.push(Record { sequence, ..record });
            records.push(load::record(sequence, event.ts_event));
        });
    }
    // Without the records of load.rs that happen to be of trading kinds, which belong to no event.
    let is_ours = |record: &Record| record.venue == Venue::PAPER.0 || record.kind < 16;
    records.into_iter().filter(is_ours).collect()
}

fn trading_events_are_rows(url: &str) {
    let journal = tempfile::tempdir().unwrap();
    let mut appender = appender(journal.path(), 1, 4_096);
    let ts = now_ns() / 1_000 * 1_000;
    append(&mut appender, 0, &records(&events(ts)));
    // The last record of this event was never recorded.
    let torn = records(&[event(Action::Fill { fee: 1, leaves: 0 }, 5, 6, ts + 3_000)]);
    let torn: Vec<Record> = torn.into_iter().filter(|record| record.sequence < 3).collect();
    append(&mut appender, 100, &torn);
    bring_all(&settings(url, journal.path()));
    let database = Database::connect(url);
    let orders = database.query(
        "SELECT venue, symbol, event, client_order_id, strategy, side, type, time_in_force, post_only, reduce_only, price, trigger_price,
                quantity, leaves, reason, observed, allowed FROM v_orders WHERE ts > now() - interval '1 hour' ORDER BY position",
    );
    assert_eq!(
        orders,
        [
            "paper|SYM2/USD|order_submitted|3-17|2|buy|stop_limit|gtc|f|t|100.0|99.0|1.500|-|-|-|-",
            "paper|SYM2/USD|order_accepted|3-17|2|buy|stop_limit|gtc|f|t|100.0|-|-|1.500|-|-|-",
            "paper|SYM2/USD|order_canceled|3-17|2|buy|stop_limit|gtc|f|t|100.0|-|-|0.500|requested|-|-",
            "paper|SYM2/USD|risk_breach|3-17|2|-|stop_limit|gtc|f|t|-|-|-|-|price_collar|0.7|-",
        ]
    );
    let fills = database.query(
        "SELECT client_order_id, strategy, side, price, size, notional, fee, leaves, liquidity FROM v_fills ORDER BY position",
    );
    assert_eq!(
        fills,
        [
            "3-17|2|buy|99.9|1.000|99.9000|-0.00000026|0.500|maker",
            "-|-|buy|0.5|0.006|0.0030|0.00000001|0.000|-",
        ]
    );
    let signals = database.query("SELECT symbol, strategy, side, price, size FROM v_signals");
    assert_eq!(signals, ["SYM2/USD|2|buy|100.0|2.000"]);
}
