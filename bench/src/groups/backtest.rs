//! Recorded markets through the engine's core: `tickpath backtest` as a library, from records in memory to the outcome.
//!
//! | name | ours | floor | peers |
//! |---|---|---|---|
//! | `backtest.records` | the run loop with the paper venue and a strategy that reads the best bid and offer at every event | the same records applied to one book, its top read as often | hftbacktest, its strategy woken at every event; and the same, woken every 100 ms of the market's time |
//! | `backtest.year` | `sma` on a synthetic year of one-minute bars, six records a bar: the whole run, metrics included | | |
//!
//! The records of `backtest.records` are the levels and trades of Binance's BTCUSDT capture (that of the first instrument where there is none), again and again with the times moved on; status
//! records and quotes, which hftbacktest ignores, are left out. A value is the rate, or the time, of one round; ours, floor and peers take turns on
//! one core. hftbacktest keeps two books, one at the exchange and one at the strategy, which is more work, and checks nothing; ours looks at every event for a crossed book, samples the
//! equity and follows the risk gate. Reading from disk is not in it: a thread of its own reads ahead, as `archive` and `journal` measure.

use std::hint::black_box;
use std::time::Instant;

use tickpath_backtest::outcome::Outcome;
use tickpath_backtest::run::{InstrumentName, RunConfig, run, run_strategy};
use tickpath_backtest::source::{Block, Held};
use tickpath_backtest::sweep::forward::Span;
use tickpath_backtest::sweep::grid::Params;
use tickpath_backtest::synthetic;
use tickpath_collectors::offline::decode_capture;
use tickpath_engine::paper::PaperConfig;
use tickpath_engine::risk::Limits;
use tickpath_engine::units::Money;
use tickpath_engine::{Context as Desk, Strategy};
use tickpath_peers::backtest::{Look, Market, rows};
use tickpath_protocol::{Flags, Instrument, InstrumentId, Kind, OrderBook, Record, Side, Venue};

use crate::context::{BenchError, Context, Result, Tried};
use crate::groups::ring::on_core;
use crate::measurement::{Better, Measurement};
use crate::samples::Samples;

const RECORDS: (usize, usize) = (3_000_000, 20_000);
const ROUNDS: (usize, usize) = (7, 1);
const BARS: (u64, u64) = (synthetic::YEAR_BARS, 1_000);
/// Records of a block, as readers make them.
const BLOCK_RECORDS: usize = 1 << 14;

/// Takes the measurements of this group.
pub fn measure(context: &Context) -> Result<Vec<Measurement>> {
    on_core(context.near(), || Ok(vec![records(context)?, year(context)?]))
}

/// Reads the best bid and offer at every event, and does nothing.
#[derive(Default)]
struct Reader {
    sum: i64,
}

impl Strategy for Reader {
    fn name(&self) -> &'static str {
        "reader"
    }

    fn on_book(&mut self, desk: &mut Desk<'_>, id: InstrumentId) {
        if let Some(view) = desk.market().get(id)
            && let (Some(bid), Some(ask)) = (view.best(Side::Bid), view.best(Side::Ask))
        {
            self.sum = black_box(self.sum.wrapping_add(bid.price).wrapping_add(ask.price));
        }
    }
}

fn config(instrument: &Instrument) -> RunConfig {
    RunConfig {
        strategy: "sma".into(),
        params: Params::new(),
        instruments: vec![InstrumentName::of(instrument)],
        capital: Money::whole(100_000),
        limits: Limits::default(),
        paper: PaperConfig::default(),
        period_ns: 0,
        window: Span {
            from_ns: i64::MIN,
            to_ns: i64::MAX,
        },
        carries_crossed: false,
    }
}

fn records(context: &Context) -> Result<Measurement> {
    let (instrument, blocks) = tape(context)?;
    let records: Vec<Record> = blocks.iter().flat_map(|block| block.records.iter().copied()).collect();
    let steps = [instrument.scale.price_decimals(), instrument.scale.size_decimals()];
    let [tick, lot] = steps.map(|decimals| 10_f64.powi(-i32::from(decimals)));
    let market = Market::new(
        &rows(records.iter()),
        instrument.tick.max(1) as f64 * tick,
        instrument.lot.max(1) as f64 * lot,
    );
    let config = config(&instrument);
    let [mut ours, mut floor, mut every, mut sometimes] = [(); 4].map(|()| Samples::new(1.0));
    let rounds = context.pick(ROUNDS.0, ROUNDS.1);
    // The first round warms up.
    for round in 0..=rounds {
        context.say(&format!("backtest.records, round {round} of {rounds}"));
        let rates = [
            rate(records.len(), || ours_once(&blocks, &config))?,
            rate(records.len(), || book_once(&records))?,
            rate(records.len(), || peer_once(&market, Look::EveryEvent))?,
            rate(records.len(), || peer_once(&market, Look::Sometimes))?,
        ];
        if round > 0 {
            for (samples, rate) in [&mut ours, &mut floor, &mut every, &mut sometimes]
                .into_iter()
                .zip(rates)
            {
                samples.add(rate);
            }
        }
    }
    Ok(Measurement::new("backtest.records", "records/s", Better::Higher, ours)
        .floor("one book", floor)
        .peer("hftbacktest", every)
        .peer("hftbacktest, every 100 ms", sometimes)
        .detail("records", records.len() as f64)
        .note("levels and trades of one instrument in memory; a value is one round's rate"))
}

fn ours_once(blocks: &[Block], config: &RunConfig) -> Result<()> {
    let build = |_: &[Instrument]| Ok(Box::<Reader>::default() as Box<dyn Strategy>);
    let outcome = run_strategy(&mut Held::new(blocks), config, &build).tried("the run")?;
    black_box(outcome);
    Ok(())
}

fn book_once(records: &[Record]) -> Result<()> {
    let mut book = OrderBook::new();
    let mut sum = 0_i64;
    for record in records {
        if record.kind == Kind::BookClear as u8 {
            book.clear();
        } else if record.kind == Kind::BookLevel as u8
            && let Some(side) = record.flags().side()
        {
            book.apply(side, record.price, record.size).tried("the book")?;
        }
        if record.flags().contains(Flags::LAST)
            && let (Some(bid), Some(ask)) = (book.best(Side::Bid), book.best(Side::Ask))
        {
            sum = black_box(sum.wrapping_add(bid.price).wrapping_add(ask.price));
        }
    }
    Ok(())
}

fn peer_once(market: &Market, look: Look) -> Result<()> {
    let seen = market.play(look).map_err(|why| BenchError::new("hftbacktest", why))?;
    black_box(seen);
    Ok(())
}

fn rate(records: usize, work: impl FnOnce() -> Result<()>) -> Result<u64> {
    let start = Instant::now();
    work()?;
    Ok((records as f64 / start.elapsed().as_secs_f64()) as u64)
}

/// Levels and trades of one instrument, often enough.
fn tape(context: &Context) -> Result<(Instrument, Vec<Block>)> {
    let mut found: Option<Instrument> = None;
    let mut once: Vec<Record> = Vec::new();
    let folder = context.capture("binance");
    decode_capture(Venue::BINANCE, &folder, |record, table| {
        let choose = || {
            table
                .find(Venue::BINANCE, "BTCUSDT")
                .or_else(|| table.get(record.instrument()))
                .cloned()
        };
        if found.is_none() {
            found = choose();
        }
        let is_wanted = found
            .as_ref()
            .is_some_and(|instrument| instrument.id == record.instrument());
        if is_wanted && matches!(record.kind(), Some(Kind::BookLevel | Kind::BookClear | Kind::Trade)) {
            once.push(*record);
        }
    })
    .tried(folder.display().to_string())?;
    let nothing = || BenchError::new(folder.display().to_string(), "it has no instrument");
    let instrument = found.ok_or_else(nothing)?;
    let (first, last) = once.first().zip(once.last()).ok_or_else(nothing)?;
    let span_ns = last.ts_recv - first.ts_recv + 1_000_000_000;
    let wanted = context.pick(RECORDS.0, RECORDS.1);
    let passes = wanted.div_ceil(once.len()) as i64;
    let all = (0..passes).flat_map(|pass| {
        once.iter().map(move |record| Record {
            ts_recv: record.ts_recv + pass * span_ns,
            ts_event: record.ts_event + pass * span_ns,
            ..*record
        })
    });
    let all: Vec<Record> = all.collect();
    let mut blocks: Vec<Block> = Vec::new();
    for (at, chunk) in all.chunks(BLOCK_RECORDS).enumerate() {
        let first = (at * BLOCK_RECORDS) as u64;
        blocks.push(Block {
            instruments: Vec::new(),
            records: chunk.to_vec(),
            positions: (first..first + chunk.len() as u64).collect(),
        });
    }
    blocks[0].instruments.push(instrument.clone());
    Ok((instrument, blocks))
}

fn year(context: &Context) -> Result<Measurement> {
    let blocks = synthetic::bars(context.pick(BARS.0, BARS.1), 1, BLOCK_RECORDS);
    let config = config(&synthetic::instrument());
    let mut samples = Samples::new(1.0);
    let rounds = context.pick(ROUNDS.0, ROUNDS.1);
    let mut outcome = Outcome::default();
    for round in 0..=rounds {
        context.say(&format!("backtest.year, round {round} of {rounds}"));
        let start = Instant::now();
        outcome = run(&mut Held::new(&blocks), &config).tried("the run")?;
        if round > 0 {
            samples.add(start.elapsed().as_nanos() as u64);
        }
    }
    Ok(Measurement::new("backtest.year", "ns", Better::Lower, samples)
        .detail("records", outcome.records as f64)
        .detail("fills", outcome.fills.len() as f64)
        .note("sma of 20 and 50 bars; a value is one run, from records in memory to its metrics"))
}
