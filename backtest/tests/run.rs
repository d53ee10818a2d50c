//! Runs over a synthetic market: the same twice, whole or in windows, and refused where the input is wrong.

use tickpath_backtest::outcome::Outcome;
use tickpath_backtest::run::{RunConfig, RunError, parse_limits, run};
use tickpath_backtest::source::{Block, Held};
use tickpath_backtest::sweep::forward::{Span, windows};
use tickpath_backtest::sweep::grid::Grid;
use tickpath_backtest::sweep::{self, walk};
use tickpath_backtest::{source, synthetic};
use tickpath_engine::paper::PaperConfig;
use tickpath_engine::risk::Limits;
use tickpath_engine::units::Money;
use tickpath_protocol::{Flags, Kind};

const ALL: Span = Span {
    from_ns: i64::MIN,
    to_ns: i64::MAX,
};

fn config(typed: &[&str]) -> RunConfig {
    RunConfig {
        strategy: "sma".into(),
        params: Grid::parse(typed).unwrap().combinations().remove(0),
        instruments: vec!["test0:BTC/USD".parse().unwrap()],
        capital: Money::whole(100_000),
        limits: Limits::default(),
        paper: PaperConfig {
            order_latency_ns: 1_000_000,
            ..PaperConfig::default()
        },
        period_ns: 0,
        window: ALL,
        carries_crossed: false,
    }
}

const FAST: [&str; 4] = ["fast=5", "slow=20", "bar=1m", "quantity=0.1"];

fn bars() -> Vec<Block> {
    synthetic::bars(2_000, 7, 1_000)
}

fn play(blocks: &[Block], config: &RunConfig) -> Result<Outcome, RunError> {
    run(&mut Held::new(blocks), config)
}

fn said(blocks: &[Block], config: &RunConfig) -> String {
    play(blocks, config).unwrap_err().to_string()
}

#[test]
fn the_same_twice_and_however_blocks_are_cut() {
    let once = play(&bars(), &config(&FAST)).unwrap();
    assert_eq!(play(&bars(), &config(&FAST)).unwrap(), once);
    assert_eq!(play(&synthetic::bars(2_000, 7, 100), &config(&FAST)).unwrap(), once);
    assert!(once.count("order_submitted") > 10, "{:?}", once.events);
    assert_eq!(once.records, 2_000 * synthetic::BAR_RECORDS + 1);
    let other = play(&bars(), &config(&["fast=6", "slow=20", "bar=1m", "quantity=0.1"])).unwrap();
    assert_ne!(other.decisions, once.decisions);
}

/// Equity at the end is what it began with and what every fill and the position left came to.
#[test]
fn money_adds_up() {
    let outcome = play(&bars(), &config(&FAST)).unwrap();
    let [usd] = &outcome.currencies[..] else {
        panic!("one currency")
    };
    assert_eq!((usd.currency.as_str(), usd.capital), ("USD", 10_000_000_000_000));
    let net: i128 = outcome.trips.iter().map(|trip| trip.net).sum();
    let last = usd.curve[usd.curve.len() - 1].equity;
    if outcome.open.is_empty() {
        // Every trip is rounded down by itself.
        assert!((last - usd.capital - net).abs() <= outcome.trips.len() as i128);
    }
    assert!(
        usd.curve
            .windows(2)
            .all(|pair| pair[1].at_ns - pair[0].at_ns == outcome.period_ns)
    );
    assert_eq!(outcome.count("fill"), outcome.fills.len() as u64);
}

#[test]
fn nothing_is_done_outside_the_window() {
    let (first, last) = source::covered(&bars()).unwrap();
    let middle = first + (last - first) / 2;
    let late = RunConfig {
        window: Span {
            from_ns: middle,
            to_ns: middle + 3_600_000_000_000,
        },
        ..config(&FAST)
    };
    let outcome = play(&bars(), &late).unwrap();
    assert!(outcome.first_ns >= middle && outcome.last_ns < late.window.to_ns);
    assert!(outcome.fills.iter().all(|fill| fill.at_ns >= middle));
    let never = RunConfig {
        window: Span {
            from_ns: last + 1,
            to_ns: i64::MAX,
        },
        ..config(&FAST)
    };
    assert!(said(&bars(), &never).contains("no record between"));
}

#[test]
fn wrong_input_is_refused_by_name() {
    let blocks = bars();
    let strategy = |name: &str| RunConfig {
        strategy: name.into(),
        ..config(&[])
    };
    assert!(said(&blocks, &strategy("luck")).contains("unknown strategy `luck`"));
    assert!(said(&blocks, &config(&["speed=5"])).contains("no parameter `speed`"));
    assert!(said(&blocks, &config(&["fast=0"])).contains("no value for parameter `fast`"));
    assert!(said(&blocks, &config(&["fast=50", "slow=5"])).contains("contradict"));
    let limits = |typed: &[&str]| RunConfig {
        limits: parse_limits(typed).unwrap(),
        ..config(&[])
    };
    let refused = said(&blocks, &limits(&["order_quantity_max=2", "position_max=1"]));
    assert!(
        refused.contains("order_quantity_max is above position_max"),
        "{refused}"
    );
    assert!(said(&blocks, &limits(&["drawdown_max=0"])).contains("above zero"));
    let nowhere = RunConfig {
        instruments: vec!["kraken:BTC/USD".parse().unwrap()],
        ..config(&[])
    };
    assert!(said(&blocks, &nowhere).contains("no record of kraken:BTC/USD; it has test0:BTC/USD"));
    let none = RunConfig {
        instruments: vec![],
        ..config(&[])
    };
    assert!(said(&blocks, &none).contains("is given 0"));
    let broke = RunConfig {
        capital: Money(0),
        ..config(&[])
    };
    assert!(said(&blocks, &broke).contains("capital"));
}

#[test]
fn a_crossed_market_that_is_said_to_be_proven_is_refused() {
    let mut blocks = bars();
    let block = &mut blocks[3];
    let is_offer = |flags: u8| flags & Flags::ASK.0 != 0;
    let at = block
        .records
        .iter()
        .position(|r| r.kind == Kind::Quote as u8 && is_offer(r.flags))
        .unwrap();
    block.records[at].price -= 1_000;
    let position = block.positions[at];
    let refused = said(&blocks, &config(&FAST));
    assert!(
        refused.contains("test0:BTC/USD") && refused.contains(&format!("position {position}")),
        "{refused}"
    );
    let carried = RunConfig {
        carries_crossed: true,
        ..config(&FAST)
    };
    assert!(play(&blocks, &carried).is_ok());
}

#[test]
fn a_sweep_is_its_runs_whatever_the_threads() {
    let blocks = bars();
    let grid = Grid::parse(&["fast=5,10,30", "slow=20", "bar=1m", "quantity=0.1"]).unwrap();
    let base = config(&[]);
    let one = sweep::sweep(&blocks, &base, grid.combinations(), 1, |_| {}).unwrap();
    let three = sweep::sweep(&blocks, &base, grid.combinations(), 3, |_| {}).unwrap();
    assert_eq!(one, three);
    assert!(
        one[2].result.as_ref().unwrap_err().contains("contradict"),
        "30 is not below 20"
    );
    let alone = play(&blocks, &config(&FAST)).unwrap();
    assert_eq!(one[0].result.as_ref().unwrap().decisions, alone.decisions);
    let nothing = Grid::parse(&["fast=30,40", "slow=20"]).unwrap().combinations();
    assert!(sweep::sweep(&blocks, &base, nothing, 2, |_| {}).is_err());
}

#[test]
fn a_walk_judges_what_was_chosen_before() {
    let blocks = bars();
    let (first, last) = source::covered(&blocks).unwrap();
    let windows = windows(first, last, 3).unwrap();
    let grid = Grid::parse(&["fast=5,10", "slow=20", "bar=1m", "quantity=0.1"]).unwrap();
    let told = std::sync::atomic::AtomicUsize::new(0);
    let tell = |done: usize| {
        told.fetch_max(done, std::sync::atomic::Ordering::Relaxed);
    };
    let steps = walk::walk(
        &blocks,
        &config(&[]),
        grid.combinations(),
        &windows,
        "max_drawdown",
        2,
        tell,
    )
    .unwrap();
    assert_eq!((steps.len(), told.into_inner()), (3, walk::runs(2, 3)));
    for (step, window) in steps.iter().zip(&windows) {
        let chosen = step.chosen.as_ref().unwrap();
        let judged = RunConfig {
            params: chosen.params.clone(),
            window: window.out_of_sample,
            ..config(&[])
        };
        let judged = play(&blocks, &judged).unwrap();
        assert_eq!(step.out_of_sample.as_ref().unwrap().decisions, judged.decisions);
        assert!(judged.first_ns >= window.in_sample.to_ns);
    }
}
