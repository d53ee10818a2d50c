//! Markets for the engine: events that each call for an order, and two that wander for the count of allocations.

use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, Record, Scale, Side, Venue};

use super::rings::Tape;

/// When every market begins: a whole second, ns since the Unix epoch.
pub const START_NS: i64 = 1_700_000_040_000_000_000;
const EVENT_NS: i64 = 10_000_000;
const SCALE: Scale = match Scale::new(2, 2) {
    Some(scale) => scale,
    None => panic!("two decimals are possible"),
};
const VENUES: [Venue; 2] = [Venue::KRAKEN, Venue::COINBASE];
const MIDDLE: i64 = 1_000_000;

/// BTC/USD on one of two venues.
#[must_use]
pub fn instrument(leg: usize) -> Instrument {
    Instrument {
        id: InstrumentId::new(VENUES[leg], 0),
        symbol: "BTC/USD".into(),
        name: "BTC/USD".into(),
        scale: SCALE,
        tick: 1,
        lot: 1,
    }
}

fn record(leg: usize, kind: Kind, flags: Flags, now: i64, (price, size): (i64, i64)) -> Record {
    Record {
        kind: kind as u8,
        venue: VENUES[leg].0,
        flags: flags.0,
        scale: SCALE.to_byte(),
        instrument: InstrumentId::new(VENUES[leg], 0).0,
        sequence: 0,
        ts_event: now,
        ts_recv: now,
        price,
        size,
    }
}

fn quote(leg: usize, now: i64, bid: (i64, i64), ask: (i64, i64)) -> [Record; 2] {
    [
        record(leg, Kind::Quote, Flags::BID, now, bid),
        record(leg, Kind::Quote, Flags::ASK.with(Flags::LAST), now, ask),
    ]
}

fn trade(leg: usize, now: i64, side: Side, at: (i64, i64)) -> Record {
    record(leg, Kind::Trade, Flags::from(side).with(Flags::LAST), now, at)
}

/// A quote, then trades at two prices in turns.
#[must_use]
pub fn trades(events: usize) -> Tape {
    let mut tape = Tape::default();
    let best = quote(0, START_NS, (MIDDLE - 1, 100_000), (MIDDLE + 1, 100_000));
    tape.push(best);
    for event in 1..events as i64 {
        let now = START_NS + event * EVENT_NS;
        let side = [Side::Bid, Side::Ask][(event % 2) as usize];
        // The size differs lest anything be the same twice.
        tape.push([trade(0, now, side, (MIDDLE + event % 2, 1 + event % 7))]);
        if event % 100 == 0 {
            // Data may not grow old.
            tape.push(quote(0, now, (MIDDLE - 1, 100_000 + event), (MIDDLE + 1, 100_000)));
        }
    }
    tape
}

/// Quotes whose mid price goes up and down by ten ticks.
#[must_use]
pub fn quotes(events: usize) -> Tape {
    let mut tape = Tape::default();
    for event in 0..events as i64 {
        let mid = MIDDLE + 10 * (event % 2);
        let now = START_NS + event * EVENT_NS;
        tape.push(quote(0, now, (mid - 1, 100_000), (mid + 1, 100_000)));
    }
    tape
}

/// Two markets that wander, and back to each other; the same each time.
#[derive(Debug)]
pub struct Wandering {
    state: u64,
    now: i64,
    mids: [i64; 2],
}

impl Default for Wandering {
    fn default() -> Self {
        Wandering {
            state: 1,
            now: START_NS,
            mids: [MIDDLE; 2],
        }
    }
}

impl Wandering {
    /// A number below `n`, by Knuth's linear congruential generator.
    fn below(&mut self, n: i64) -> i64 {
        let next = self.state.wrapping_mul(6_364_136_223_846_793_005);
        self.state = next.wrapping_add(1_442_695_040_888_963_407);
        ((self.state >> 33) as i64) % n
    }

    /// The records of the next event: a quote, or one time of four a trade.
    pub fn event(&mut self, mut out: impl FnMut(&Record)) {
        self.now += self.below(2_000_000);
        let leg = self.below(2) as usize;
        if self.below(4) == 0 {
            let side = [Side::Bid, Side::Ask][self.below(2) as usize];
            let away = self.below(400) * if side == Side::Bid { 1 } else { -1 };
            let size = 1 + self.below(1000);
            out(&trade(leg, self.now, side, (self.mids[leg] + away, size)));
            return;
        }
        let pull = (self.mids[1 - leg] - self.mids[leg]) / 16 + (MIDDLE - self.mids[leg]) / 512;
        self.mids[leg] += self.below(101) - 50 + pull;
        let (mid, half) = (self.mids[leg], 1 + self.below(10));
        let (bid, ask) = (100 + self.below(900), 100 + self.below(900));
        for record in quote(leg, self.now, (mid - half, bid), (mid + half, ask)) {
            out(&record);
        }
    }
}

/// Parameters with which a strategy trades often in the wandering market.
#[must_use]
pub fn lively(strategy: &str) -> &'static [(&'static str, &'static str)] {
    match strategy {
        "sma" => &[("bar", "20t"), ("fast", "2"), ("slow", "5"), ("short", "true")],
        "macd" => &[("bar", "200ms"), ("fast", "3"), ("slow", "6"), ("signal", "3")],
        "rsi" => &[("bar", "50v"), ("period", "3"), ("short", "true")],
        "bollinger" => &[("bar", "20t"), ("source", "mid"), ("period", "5"), ("width", "1")],
        "momentum" => &[("bar", "100ms"), ("entry", "5"), ("exit", "3"), ("short", "true")],
        "arbitrage" => &[("fee_first", "0"), ("fee_second", "0"), ("edge", "0.1"), ("exit", "5")],
        _ => &[("sample", "100"), ("samples", "5"), ("quantity", "0.1")],
    }
}
