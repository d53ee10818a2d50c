//! The trading engine: from a record that can be read to the order record that answers it.
//!
//! | name | what an answer is |
//! |---|---|
//! | `engine.tick_to_order` | `sma`, a bar a trade: each trade is a cross, and sends one immediate-or-cancel order |
//! | `engine.tick_to_order.maker` | `avellaneda`: each quote moves the mid price, and both of its quotes are replaced |
//!
//! The market's thread writes an event into a broadcast ring in a memory file every 20 µs, answered or not; the engine's thread, on the
//! other core, reads them busy-polled, runs the engine (market view, strategy, risk gate, portfolio, paper venue) and writes what comes of
//! it into an SPSC ring in a memory file, as the process does. Only events that an order record answers count. The time of one is from
//! before its last record is written to after the answer is flushed; the market's thread then empties that ring, as the relay does. The
//! floor is the same with an engine's thread that answers each event with as many fixed records. Both in turns, on the same cores, by the
//! processor's own clock.
//!
//! Records say that 10 ms passed between two events, so that the paper venue has answered the last order (latency 1 ms each way) before the
//! next event; that work is part of the time, as it is in a live engine.

pub mod market;
mod rings;

use tickpath_engine::engine::{Engine, EngineConfig, Outbox, SetupError, StrategyConfig};
use tickpath_engine::paper::{PaperConfig, PaperVenue};
use tickpath_engine::risk::Limits;
use tickpath_engine::strategy::registry;
use tickpath_engine::units::{Money, Time};
use tickpath_protocol::{Flags, Instrument, Kind, Record};

use self::market::{START_NS, instrument};
use self::rings::{Answer, Answers, Tape};
use crate::context::{BenchError, Context, Result, Tried};
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

/// Events of a round that are not counted.
const WARM: usize = 2000;

/// What is measured: a strategy, and a market that makes it act at each event.
struct Case {
    name: &'static str,
    strategy: &'static str,
    given: &'static [(&'static str, &'static str)],
    tape: fn(usize) -> Tape,
}

const CASES: [Case; 2] = [
    Case {
        name: "engine.tick_to_order",
        strategy: "sma",
        given: &[("bar", "1t"), ("fast", "1"), ("slow", "2"), ("short", "true")],
        tape: market::trades,
    },
    Case {
        name: "engine.tick_to_order.maker",
        strategy: "avellaneda",
        given: &[("sample", "10"), ("samples", "20"), ("horizon", "1")],
        tape: market::quotes,
    },
];

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    CASES.iter().map(|case| compare(context, case)).collect()
}

fn compare(context: &Context, case: &Case) -> Result<Measurement> {
    context.say(case.name);
    let rounds = context.pick(10, 1);
    let tape = (case.tape)(context.pick(20_000, 200));
    let warm = context.pick(WARM, 50);
    let (mut ours, mut floor, mut inside) = (Samples::new(1.0), Samples::new(1.0), Samples::new(1.0));
    let mut records = 0;
    for _ in 0..rounds {
        let mut engine = engine(&[case.strategy], |_| case.given)?;
        engine.start(0, Time(START_NS), &mut Vec::new());
        let round = rings::round(context, &tape, warm, Live(engine))?;
        records = round.records_max;
        ours.merge(&round.latency);
        inside.merge(&round.inside);
        let round = rings::round(context, &tape, warm, Fixed(round.records_typical))?;
        floor.merge(&round.latency);
    }
    let inside = inside.summary();
    Ok(Measurement::new(case.name, "ns", Better::Lower, ours)
        .floor("both rings, without an engine between", floor)
        .detail("engine_alone_p50_ns", inside.p50)
        .detail("engine_alone_p99_ns", inside.p99)
        .detail("records_of_an_answer_max", records as f64)
        .note("from before the event's last record is written to after the answer is flushed, an event 20 µs after the last; \
             what the kernel does to the threads is in it, as in the floor"))
}

/// An engine over the two instruments of the market, with these strategies and the paper venue.
///
/// # Errors
/// If a strategy does not take what it is given.
pub fn engine<'a>(strategies: &[&str], given: impl Fn(&str) -> &'a [(&'a str, &'a str)]) -> Result<Engine<PaperVenue>> {
    let limits = Limits {
        orders_per_second_max: 10_000,
        ..Limits::default()
    };
    let setup = |error: SetupError| BenchError::new("setting an engine up", error);
    let paper = PaperVenue::new(PaperConfig::default()).tried("a paper venue")?;
    let mut engine = Engine::new(EngineConfig { session: 1, limits }, paper).map_err(setup)?;
    let pair: [Instrument; 2] = [instrument(0), instrument(1)];
    for instrument in &pair {
        engine.add_instrument(instrument);
    }
    let config = StrategyConfig {
        instruments: pair.iter().map(|instrument| instrument.id).collect(),
        limits,
        capital: Money::whole(1_000_000),
    };
    for name in strategies {
        let strategy = registry::find(name).tried("a strategy")?;
        let built = strategy.build(given(name).iter().copied(), &pair).tried(*name)?;
        engine.add_strategy(built, &config).map_err(setup)?;
    }
    Ok(engine)
}

/// The engine.
struct Live(Engine<PaperVenue>);

impl Answer for Live {
    #[inline]
    fn on_record(&mut self, record: &Record, position: u64, out: &mut Answers) {
        self.0.on_record(record, position, out);
    }
}

/// Answers an event with so many records.
struct Fixed(usize);

impl Answer for Fixed {
    #[inline]
    fn on_record(&mut self, record: &Record, _position: u64, out: &mut Answers) {
        if record.flags().contains(Flags::LAST) {
            let order = Record {
                kind: Kind::OrderSubmitted as u8,
                ..*record
            };
            for _ in 0..self.0 {
                out.publish(&order);
            }
        }
    }
}
