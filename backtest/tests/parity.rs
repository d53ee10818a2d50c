//! A paper session as a relay and a recorder would have kept it: replayed, it decides the same; changed anywhere, the first change is found.

use std::path::Path;

use tickpath_backtest::parity::{Parity, ParityError, parity};
use tickpath_backtest::source::{Gaps, Range, Request};
use tickpath_backtest::synthetic;
use tickpath_engine::engine::{Recovered, StrategyConfig};
use tickpath_engine::paper::{PaperConfig, PaperVenue};
use tickpath_engine::risk::Limits;
use tickpath_engine::strategy::registry;
use tickpath_engine::units::Money;
use tickpath_engine::{Command, Engine, EngineConfig, Time};
use tickpath_protocol::{Flags, Kind, Record, StatusCode, Venue};
use tickpath_storage::journal::{Appender, Settings};

const PARAMS: [&str; 4] = ["fast=5", "slow=20", "bar=1m", "quantity=0.1"];

/// An idle engine with one strategy.
fn engine(session: u32, params: &[&str]) -> Engine<PaperVenue> {
    let limits = Limits::default();
    let paper = PaperConfig {
        taker_fee_ppm: 1_000,
        ..PaperConfig::default()
    };
    let mut engine = Engine::new(EngineConfig { session, limits }, PaperVenue::new(paper).unwrap()).unwrap();
    let instrument = synthetic::instrument();
    engine.add_instrument(&instrument);
    let params = params.iter().map(|param| param.split_once('=').unwrap());
    let built = registry::find("sma")
        .unwrap()
        .build(params, std::slice::from_ref(&instrument))
        .unwrap();
    let config = StrategyConfig {
        instruments: vec![instrument.id],
        limits,
        capital: Money::whole(100_000),
    };
    engine.add_strategy(built, &config).unwrap();
    engine.keep_images(3_600_000_000_000);
    engine
}

fn replay(request: &Request, session: Option<u32>, params: &[&str]) -> Result<Parity, ParityError> {
    parity(request, session, |session, known| {
        assert_eq!(known, [synthetic::instrument()]);
        Ok::<_, String>(engine(session, params))
    })
}

/// A stream: market data and what engines made of it, as the relay orders them.
#[derive(Default)]
struct Stream {
    records: Vec<Record>,
    sequence: u64,
}

impl Stream {
    fn publish(&mut self, records: &mut Vec<Record>) {
        for mut record in records.drain(..) {
            self.sequence += 1;
            record.sequence = self.sequence;
            // A live engine stamps the clock, which is a little later.
            record.ts_recv += 1_234;
            self.records.push(record);
        }
    }

    /// A session over some of the market, with commands behind some of its records.
    fn session(&mut self, number: u32, market: &[Record], commands: &[(usize, Command)]) {
        let mut engine = engine(number, &PARAMS);
        let mut out = Vec::new();
        let (position, now) = (self.records.len() as u64, Time(market[0].ts_recv - 1));
        if number > 1 {
            let recovered = Recovered::fold(Venue::PAPER, self.records.iter().copied());
            assert!(engine.recover(&recovered, position, now, &mut out).is_empty());
        }
        engine.start(position, now, &mut out);
        self.publish(&mut out);
        for (at, record) in market.iter().enumerate() {
            let position = self.records.len() as u64;
            self.records.push(*record);
            engine.on_record(record, position, &mut out);
            for (_, command) in commands.iter().filter(|(behind, _)| *behind == at) {
                engine.command(*command, &mut out).unwrap();
            }
            self.publish(&mut out);
        }
        let mut detached = StatusCode::ProducerDetached.record(
            Venue::PAPER,
            tickpath_protocol::InstrumentId::NONE,
            now.0,
            1,
            self.sequence as i64,
        );
        detached.flags |= Flags::FROM_RELAY.0;
        detached.sequence = self.sequence;
        self.records.push(detached);
    }

    fn write(&self, dir: &Path) -> Request {
        let mut appender = Appender::open(dir, Settings::default()).unwrap();
        appender.begin_run(7).unwrap();
        appender.instrument(&synthetic::instrument()).unwrap();
        for (at, chunk) in self.records.chunks(1_000).enumerate() {
            let published: Vec<i64> = chunk.iter().map(|record| record.ts_recv).collect();
            appender.append(1_000 * at as u64, chunk, &published).unwrap();
        }
        appender.sync().unwrap();
        appender.seal().unwrap();
        Request {
            path: dir.to_owned(),
            venue: None,
            range: Range::default(),
            gaps: Gaps::Carry,
        }
    }
}

fn market() -> Vec<Record> {
    let blocks = synthetic::bars(1_500, 3, 10_000);
    blocks.into_iter().flat_map(|block| block.records).collect()
}

fn compare(stream: &Stream, session: Option<u32>, params: &[&str]) -> Parity {
    let dir = tempfile::tempdir().unwrap();
    let request = stream.write(&dir.path().join("journal"));
    replay(&request, session, params).unwrap()
}

#[test]
fn a_session_decides_the_same_again() {
    let mut stream = Stream::default();
    let market = market();
    let commands = [
        (3_000, Command::Pause(0)),
        (4_000, Command::Resume(0)),
        (6_000, Command::Kill),
        (7_000, Command::Arm),
    ];
    stream.session(1, &market, &commands);
    let found = compare(&stream, None, &PARAMS);
    assert_eq!(
        found.difference,
        None,
        "{}",
        found.difference.map_or(String::new(), |d| d.to_string())
    );
    assert_eq!((found.session, found.inputs, found.beyond), (1, market.len() as u64, 0));
    assert!(found.fills > 4 && found.equal == found.recorded, "{found:?}");
    // Images of the account are compared like all else.
    let is_amount = |record: &Record| record.kind() == Some(Kind::ImageAmount);
    let mut amounts = (0..stream.records.len()).filter(|at| is_amount(&stream.records[*at]));
    let last = amounts.next_back().unwrap();
    stream.records[last].size += 1;
    let found = compare(&stream, None, &PARAMS);
    assert_eq!(
        found.difference.unwrap().recorded.unwrap().kind(),
        Some(Kind::ImageAmount)
    );
}

#[test]
fn a_restarted_session_decides_the_same_again() {
    let mut stream = Stream::default();
    let market = market();
    let middle = market.len() / 2;
    stream.session(1, &market[..middle], &[]);
    stream.session(2, &market[middle..], &[]);
    for session in [Some(1), Some(2), None] {
        let found = compare(&stream, session, &PARAMS);
        assert_eq!(found.difference, None, "{session:?}");
        assert!(found.fills > 1, "{found:?}");
    }
    let dir = tempfile::tempdir().unwrap();
    let request = stream.write(&dir.path().join("journal"));
    let refused = replay(&request, Some(9), &PARAMS).unwrap_err().to_string();
    assert_eq!(refused, "the journal has no session 9; it has 1, 2");
}

#[test]
fn the_first_difference_is_found() {
    let mut stream = Stream::default();
    stream.session(1, &market(), &[]);
    let fills = stream.records.iter().enumerate();
    let fills: Vec<usize> = fills
        .filter(|(_, record)| record.kind() == Some(Kind::Fill))
        .map(|(at, _)| at)
        .collect();
    let true_price = stream.records[fills[2]].price;
    stream.records[fills[2]].price += 1;
    let found = compare(&stream, None, &PARAMS);
    let difference = found.difference.unwrap();
    assert_eq!(found.fills, 2);
    assert_eq!(difference.recorded.unwrap().price, true_price + 1);
    assert_eq!(difference.replayed.unwrap().price, true_price);
    assert!(difference.position < fills[2] as u64);
    stream.records[fills[2]].price = true_price;
    // Other settings decide otherwise, a lost record is noticed, and what a killed session had not decided yet is no difference.
    assert!(
        compare(&stream, None, &["fast=6", "slow=20", "bar=1m", "quantity=0.1"])
            .difference
            .is_some()
    );
    let last_fill = fills[fills.len() - 1];
    let mut killed = Stream {
        records: stream.records.clone(),
        sequence: 0,
    };
    let end = killed.records.len();
    let own = |record: &Record| record.venue() == Venue::PAPER && !record.flags().contains(Flags::FROM_RELAY);
    let kept: Vec<Record> = (0..end)
        .filter(|at| *at < last_fill || !own(&killed.records[*at]))
        .map(|at| killed.records[at])
        .collect();
    killed.records = kept;
    let found = compare(&killed, None, &PARAMS);
    assert!(found.difference.is_none() && found.beyond > 0, "{found:?}");
}
