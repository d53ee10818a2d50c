//! Long runs: the same bytes twice, and nothing allocated once warm.

use tickpath_engine::engine::{Engine, EngineConfig, Outbox, StrategyConfig};
use tickpath_engine::paper::{PaperConfig, PaperVenue};
use tickpath_engine::risk::Limits;
use tickpath_engine::strategy::registry::REGISTRY;
use tickpath_engine::units::{Money, Time};
use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Side, Venue};

use super::desk::{START, instrument};

const NS_PER_MS: i64 = 1_000_000;

/// Parameters that make a strategy trade often in the market below.
fn lively(name: &str) -> &'static [(&'static str, &'static str)] {
    match name {
        "sma" => &[("bar", "20t"), ("fast", "2"), ("slow", "5"), ("short", "true")],
        "macd" => &[("bar", "200ms"), ("fast", "3"), ("slow", "6"), ("signal", "3")],
        "rsi" => &[("bar", "50v"), ("period", "3"), ("short", "true")],
        "bollinger" => &[("bar", "20t"), ("source", "mid"), ("period", "5"), ("width", "1")],
        "momentum" => &[("bar", "100ms"), ("entry", "5"), ("exit", "3"), ("short", "true")],
        "arbitrage" => &[("fee_first", "0"), ("fee_second", "0"), ("edge", "0.1"), ("exit", "5")],
        _ => &[("sample", "100"), ("samples", "5"), ("quantity", "0.1")],
    }
}

fn pair() -> [Instrument; 2] {
    [instrument(Venue::KRAKEN), instrument(Venue::COINBASE)]
}

/// All strategies in one engine.
fn engine() -> Engine<PaperVenue> {
    let limits = Limits {
        orders_per_second_max: 10_000,
        ..Limits::default()
    };
    let paper = PaperConfig {
        order_latency_ns: 2 * NS_PER_MS,
        report_latency_ns: NS_PER_MS,
        maker_fee_ppm: 100,
        taker_fee_ppm: 200,
        slippage_ppm: 10,
        ..PaperConfig::default()
    };
    let mut engine = Engine::new(EngineConfig { session: 1, limits }, PaperVenue::new(paper).unwrap()).unwrap();
    for instrument in &pair() {
        engine.add_instrument(instrument);
    }
    for info in &REGISTRY {
        let config = StrategyConfig {
            instruments: pair().iter().map(|instrument| instrument.id).collect(),
            limits,
            capital: Money::whole(1_000_000),
        };
        let built = info.build(lively(info.name).iter().copied(), &pair()).unwrap();
        engine.add_strategy(built, &config).unwrap();
    }
    engine
}

/// Two markets that wander by themselves and back to each other, a record about every millisecond; the same each time.
struct Market {
    state: u64,
    now: i64,
    mids: [i64; 2],
    sequence: u64,
}

impl Market {
    fn new() -> Market {
        Market {
            state: 1,
            now: START,
            mids: [1_000_000; 2],
            sequence: 0,
        }
    }

    /// A number below `n`.
    fn random(&mut self, n: i64) -> i64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 33) as i64) % n
    }

    fn record(&mut self, leg: usize, kind: Kind, flags: Flags, price: i64, size: i64) -> Record {
        let instrument = InstrumentId::new([Venue::KRAKEN, Venue::COINBASE][leg], 0);
        self.sequence += 1;
        Record {
            kind: kind as u8,
            venue: instrument.venue().0,
            flags: flags.0,
            scale: 2 << 4 | 2,
            instrument: instrument.0,
            sequence: self.sequence,
            ts_event: self.now,
            ts_recv: self.now,
            price,
            size,
        }
    }

    /// A quote or a trade.
    fn event(&mut self, mut out: impl FnMut(Record)) {
        self.now += self.random(2 * NS_PER_MS);
        let leg = self.random(2) as usize;
        if self.random(4) > 0 {
            let pull = (self.mids[1 - leg] - self.mids[leg]) / 16 + (1_000_000 - self.mids[leg]) / 512;
            self.mids[leg] += self.random(101) - 50 + pull;
            let (mid, spread) = (self.mids[leg], 1 + self.random(10));
            let sizes = [100 + self.random(900), 100 + self.random(900)];
            out(self.record(leg, Kind::Quote, Flags::BID, mid - spread, sizes[0]));
            out(self.record(leg, Kind::Quote, Flags::ASK.with(Flags::LAST), mid + spread, sizes[1]));
        } else {
            let side = [Side::Bid, Side::Ask][self.random(2) as usize];
            let sign = if side == Side::Bid { 1 } else { -1 };
            let price = self.mids[leg] + sign * self.random(400);
            let size = 1 + self.random(1000);
            out(self.record(leg, Kind::Trade, Flags::from(side).with(Flags::LAST), price, size));
        }
    }
}

/// Counts records by kind and takes their checksum, so that nothing needs to be kept.
#[derive(Default, Debug, PartialEq, Eq)]
struct Digest {
    records: u64,
    hash: u64,
    kinds: [u64; 32],
    strategies: [u64; 8],
}

impl Outbox for Digest {
    fn publish(&mut self, record: &Record) {
        self.records += 1;
        self.kinds[usize::from(record.kind) % 32] += 1;
        if record.kind() == Some(Kind::OrderRef) {
            self.strategies[record.size as usize & 7] += 1;
        }
        for word in record.to_words() {
            self.hash = (self.hash ^ word).wrapping_mul(0x0100_0000_01b3).rotate_left(23);
        }
    }
}

fn run(engine: &mut Engine<PaperVenue>, market: &mut Market, position: &mut u64, events: usize, out: &mut Digest) {
    for _ in 0..events {
        market.event(|record| {
            engine.on_record(&record, *position, out);
            *position += 1;
        });
    }
}

fn digest(events: usize) -> Digest {
    let (mut engine, mut market, mut out, mut position) = (engine(), Market::new(), Digest::default(), 0);
    engine.start(0, Time(START), &mut out);
    run(&mut engine, &mut market, &mut position, events, &mut out);
    out
}

#[test]
fn the_same_market_gives_the_same_bytes_and_all_strategies_trade() {
    let (first, second) = (digest(40_000), digest(40_000));
    assert_eq!(first, second);
    assert!(first.kinds[Kind::Fill as usize] > 100, "{first:?}");
    assert!(first.strategies[..7].iter().all(|records| *records > 20), "{first:?}");
}

#[test]
fn nothing_is_allocated_once_warm() {
    let (mut engine, mut market, mut out, mut position) = (engine(), Market::new(), Digest::default(), 0);
    engine.start(0, Time(START), &mut out);
    run(&mut engine, &mut market, &mut position, 40_000, &mut out);
    let before = out.records;
    let counted = allocation_counter::measure(|| run(&mut engine, &mut market, &mut position, 20_000, &mut out));
    assert!(out.records > before + 1000);
    assert_eq!(counted.count_total, 0, "{counted:?}");
}
