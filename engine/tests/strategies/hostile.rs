//! Records that no collector would send: whatever comes, nothing panics, and what a strategy may hold has its limit.

use proptest::prelude::*;
use tickpath_engine::risk::Limits;
use tickpath_engine::strategy::registry::REGISTRY;
use tickpath_protocol::{Flags, InstrumentId, Record, Venue};

use super::desk::{Desk, PAPER, instrument};

/// Bars of one trade and short windows, so that every rule comes to a decision within few records.
fn hasty(strategy: &str) -> &'static [(&'static str, &'static str)] {
    match strategy {
        "sma" => &[("bar", "1t"), ("fast", "1"), ("slow", "2"), ("short", "true")],
        "macd" => &[
            ("bar", "2t"),
            ("fast", "1"),
            ("slow", "2"),
            ("signal", "1"),
            ("short", "true"),
        ],
        "rsi" => &[("bar", "1ms"), ("period", "1"), ("short", "true")],
        "bollinger" => &[("bar", "1t"), ("source", "mid"), ("period", "2"), ("short", "true")],
        "momentum" => &[("bar", "1v"), ("entry", "1"), ("exit", "1"), ("short", "true")],
        "arbitrage" => &[("fee_first", "0"), ("fee_second", "0"), ("edge", "0")],
        _ => &[
            ("sample", "1"),
            ("samples", "1"),
            ("quantity", "0.1"),
            ("inventory", "3"),
        ],
    }
}

fn number() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => 9900i64..10_100,
        1 => any::<i64>(),
        1 => prop_oneof![Just(0), Just(-1), Just(1), Just(i64::MAX), Just(i64::MIN), Just(i64::MIN + 1)],
    ]
}

fn record() -> impl Strategy<Value = (i64, Record)> {
    let kind = prop_oneof![6 => 1u8..4, 1 => 4u8..8, 1 => any::<u8>()];
    let flags = prop_oneof![6 => prop_oneof![Just(0b001u8), Just(0b101), Just(0b110)], 1 => any::<u8>()];
    let scale = prop_oneof![9 => Just(0x22u8), 1 => 0u8..16];
    let step = prop_oneof![9 => 0i64..3_000_000, 1 => 0i64..20_000_000_000];
    (kind, flags, scale, 0u8..2, number(), number(), step).prop_map(|(kind, flags, scale, leg, price, size, step)| {
        let venue = [Venue::KRAKEN, Venue::COINBASE][usize::from(leg)];
        let record = Record {
            kind,
            venue: venue.0,
            flags: Flags(flags).0,
            scale,
            instrument: InstrumentId::new(venue, 0).0,
            price,
            size,
            ..Record::default()
        };
        (step, record)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_record_breaks_a_strategy(records in prop::collection::vec(record(), 1..300)) {
        for info in &REGISTRY {
            let instruments = [instrument(Venue::KRAKEN), instrument(Venue::COINBASE)];
            let limits = Limits { orders_per_second_max: 10_000, ..Limits::default() };
            let mut desk = Desk::with(info.name, hasty(info.name), &instruments, PAPER, limits);
            // 0.01 by default, 0.1 × 3 for the market maker, 0.05 for arbitrage: mantissas at two decimals.
            let most = match info.name { "avellaneda" => 30, "arbitrage" => 5, _ => 1 };
            for (step, record) in &records {
                desk.now += step;
                desk.feed(*record);
                for leg in [0, 1] {
                    prop_assert!(desk.held(leg).abs() <= most, "{} holds {} of {leg}", info.name, desk.held(leg));
                }
            }
        }
    }
}
