//! A moving-average cross over a small market, by hand, and replayed with its commands.

mod support;

use support::*;
use tickpath_engine::engine::{Command, Engine, EngineConfig, StrategyConfig};
use tickpath_engine::order::OrderRequest;
use tickpath_engine::paper::{PaperConfig, PaperVenue};
use tickpath_engine::units::{Money, Quantity, Time};
use tickpath_engine::{Context, Quote, Strategy};
use tickpath_protocol::{Flags, Kind, Record, Side, Venue};

/// Long one while the mean of the last two mids is above the mean of the last four, flat otherwise.
#[derive(Default)]
struct Cross {
    mids: Vec<i64>,
    /// Positions asked for and not yet seen.
    wants_long: bool,
}

impl Strategy for Cross {
    fn name(&self) -> &'static str {
        "cross"
    }

    fn on_quote(&mut self, ctx: &mut Context<'_>, quote: &Quote) {
        let [Some(bid), Some(ask)] = [quote.bid, quote.ask] else {
            return;
        };
        self.mids.push(bid.price + ask.price);
        let Some(last) = self.mids.last_chunk::<4>() else {
            return;
        };
        let (slow, fast) = (last.iter().sum::<i64>(), 2 * (last[2] + last[3]));
        let wants_long = fast > slow;
        if wants_long == self.wants_long {
            return;
        }
        let side = if wants_long { Side::Bid } else { Side::Ask };
        ctx.signal(quote.instrument, Some(side), Quantity(ONE));
        if ctx
            .submit(OrderRequest::market(quote.instrument, side, Quantity(ONE)))
            .is_ok()
        {
            self.wants_long = wants_long;
        }
    }
}

/// The offer is 1.00 above the bid; a quote every 10 ms.
fn quotes(bids: &[i64]) -> Vec<Record> {
    let mut records = Vec::new();
    for (index, bid) in bids.iter().enumerate() {
        for (flags, price) in [(Flags::BID, *bid), (Flags::ASK.with(Flags::LAST), bid + 100)] {
            let now = (index as i64 + 1) * 10 * MS;
            records.push(Record {
                kind: Kind::Quote as u8,
                venue: Venue::KRAKEN.0,
                flags: flags.0,
                scale: SCALE.to_byte(),
                instrument: BTC.0,
                sequence: records.len() as u64 + 1,
                ts_event: now,
                ts_recv: now,
                price,
                size: 5 * ONE,
            });
        }
    }
    records
}

fn engine() -> Engine<PaperVenue> {
    let paper = PaperConfig {
        order_latency_ns: 5 * MS,
        report_latency_ns: 5 * MS,
        taker_fee_ppm: 1_000,
        ..PaperConfig::default()
    };
    let config = EngineConfig {
        session: 1,
        limits: loose(),
    };
    let mut engine = Engine::new(config, PaperVenue::new(paper).unwrap()).unwrap();
    engine.add_instrument(&instrument(BTC, "BTC/USD"));
    let config = StrategyConfig {
        instruments: vec![BTC],
        limits: loose(),
        capital: Money::whole(1_000),
    };
    engine.add_strategy(Box::<Cross>::default(), &config).unwrap();
    engine
}

/// Bids 100 100 100 101 103 104 103 101 100 100. The cross is seen at the 4th quote (the mean of two rises above that of four) and its order is there before
/// the 5th, so it pays the 4th's offer: 102.00. It turns at the 8th (104 103 101 against 103) and gets the 8th's bid: 101.00. Fees are 0.102 and
/// 0.101: 1000 - 1.00 - 0.203 = 998.797.
#[test]
fn a_cross_by_hand() {
    let bids = [
        10_000, 10_000, 10_000, 10_100, 10_300, 10_400, 10_300, 10_100, 10_000, 10_001,
    ];
    // A quote that repeats the last one changes nothing and is not told: the mids are 100 101 103 104 103 101 100.
    let bids: Vec<i64> = bids
        .iter()
        .enumerate()
        .map(|(index, bid)| bid + [0, 1, 2, 0, 0, 0, 0, 0, 0, 0][index])
        .collect();
    let mut engine = engine();
    let mut out = Vec::new();
    engine.start(0, Time(0), &mut out);
    for (position, record) in quotes(&bids).iter().enumerate() {
        engine.on_record(record, position as u64, &mut out);
    }
    let mut decoder = tickpath_protocol::trading::TradingDecoder::new(Venue::PAPER);
    let events: Vec<_> = out.iter().filter_map(|record| decoder.push(record)).collect();
    let fills: Vec<_> = events
        .iter()
        .filter(|event| event.action.kind() == Kind::Fill)
        .collect();
    assert_eq!(fills.len(), 2);
    assert_eq!(
        (fills[0].price, fills[0].size, fills[0].side),
        (10_200, ONE, Some(Side::Bid))
    );
    assert_eq!(
        (fills[1].price, fills[1].size, fills[1].side),
        (10_100, ONE, Some(Side::Ask))
    );
    assert_eq!(
        fills[0].ts_event,
        50 * MS,
        "known with the first record after both ways"
    );
    let snapshot = engine.snapshot();
    assert_eq!(
        snapshot.strategies[0].equity[0],
        ("USD".to_owned(), Money(99_879_700_000))
    );
    let signals = events.iter().filter(|event| event.action.kind() == Kind::Signal);
    assert_eq!(signals.count(), 2);
}

/// What was recorded, commands included, is enough to say everything again, to the byte.
#[test]
fn a_session_replays_from_its_records() {
    let bids: Vec<i64> = (0..400i64)
        .map(|n| 10_000 + (n * n * 37 % 211) - (n * 53 % 97))
        .collect();
    let records = quotes(&bids);
    let mut live = engine();
    let mut out = Vec::new();
    live.start(0, Time(0), &mut out);
    for (position, record) in records.iter().enumerate() {
        let command = match position {
            200 => Some(Command::Pause(0)),
            300 => Some(Command::Resume(0)),
            500 => Some(Command::Kill),
            600 => Some(Command::Arm),
            _ => None,
        };
        if let Some(command) = command {
            live.command(command, &mut out).unwrap();
        }
        live.on_record(record, position as u64, &mut out);
        // The engine reads the stream that it writes to.
        let own = out.last().copied();
        live.on_record(&own.unwrap(), position as u64, &mut out);
    }
    let mut commands = out.iter().filter_map(Command::of).peekable();
    let mut again = engine();
    let mut replayed = Vec::new();
    again.start(0, Time(0), &mut replayed);
    for (position, record) in records.iter().enumerate() {
        while let Some((command, _)) = commands.next_if(|(_, at)| *at <= position as u64) {
            again.command(command, &mut replayed).unwrap();
        }
        again.on_record(record, position as u64, &mut replayed);
    }
    assert!(out.len() > 200, "it traded: {} records", out.len());
    assert_eq!(out, replayed);
}
