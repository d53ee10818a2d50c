//! Arbitrage between two venues, over two captures that are merged by receive time.

use std::fs;
use std::path::{Path, PathBuf};

use tickpath_backtest::outcome::Outcome;
use tickpath_backtest::run::{RunConfig, run};
use tickpath_backtest::source::{Gaps, Range, Reader, Request};
use tickpath_backtest::sweep::forward::Span;
use tickpath_backtest::sweep::grid::Grid;
use tickpath_engine::paper::PaperConfig;
use tickpath_engine::risk::Limits;
use tickpath_engine::units::Money;
use tickpath_protocol::{Side, Venue};

fn captures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../collectors/tests/captures")
}

fn received_ns(line: &str) -> i64 {
    line.split('\t').next().unwrap().parse().unwrap()
}

/// A folder of two captures. They were made at different times, and none is public that were not: so that of Coinbase is moved to the beginning of Kraken's.
fn at_one_time(root: &Path) {
    let frames = |venue: &str| fs::read_to_string(captures().join(venue).join("ws.tsv")).unwrap();
    let (kraken, coinbase) = (frames("kraken"), frames("coinbase"));
    let by_ns = received_ns(&kraken) - received_ns(&coinbase);
    for (venue, name, by_ns) in [
        ("kraken", "ws.tsv", 0),
        ("coinbase", "ws.tsv", by_ns),
        ("coinbase", "rest.tsv", by_ns),
    ] {
        let text = fs::read_to_string(captures().join(venue).join(name)).unwrap();
        let moved = text.lines().map(|line| {
            let rest = line.split_once('\t').unwrap().1;
            format!("{}\t{rest}\n", received_ns(line) + by_ns)
        });
        fs::create_dir_all(root.join(venue)).unwrap();
        fs::write(root.join(venue).join(name), moved.collect::<String>()).unwrap();
    }
}

fn arbitrage(root: &Path) -> Outcome {
    let typed = [
        "quantity=0.001",
        "position=0.01",
        "fee_first=0",
        "fee_second=0",
        "edge=0",
    ];
    let config = RunConfig {
        strategy: "arbitrage".into(),
        params: Grid::parse(&typed).unwrap().combinations().remove(0),
        instruments: vec!["kraken:BTC/USD".parse().unwrap(), "coinbase:BTC-USD".parse().unwrap()],
        capital: Money::whole(100_000),
        limits: Limits::default(),
        paper: PaperConfig {
            order_latency_ns: 0,
            report_latency_ns: 0,
            ..PaperConfig::default()
        },
        period_ns: 0,
        window: Span {
            from_ns: i64::MIN,
            to_ns: i64::MAX,
        },
        carries_crossed: true,
    };
    let request = Request {
        path: root.to_owned(),
        venue: None,
        range: Range::default(),
        gaps: Gaps::Carry,
    };
    run(&mut Reader::open(&request).unwrap(), &config).unwrap()
}

#[test]
fn it_buys_where_it_is_cheap_and_sells_as_much_where_it_is_dear() {
    let root = tempfile::tempdir().unwrap();
    at_one_time(root.path());
    let outcome = arbitrage(root.path());
    let of_venue = |venue: Venue| {
        let fills = outcome
            .fills
            .iter()
            .filter(move |fill| fill.instrument.venue() == venue);
        fills
            .map(|fill| (fill.side, fill.price, fill.scale, fill.quantity))
            .collect::<Vec<_>>()
    };
    let (kraken, coinbase) = (of_venue(Venue::KRAKEN), of_venue(Venue::COINBASE));
    assert!(!kraken.is_empty(), "{:?}", outcome.events);
    assert_eq!(kraken.len(), coinbase.len());
    for (one, other) in kraken.iter().zip(&coinbase) {
        assert_eq!(one.0, other.0.opposite());
        let price =
            |leg: &(Side, i64, tickpath_protocol::Scale, i64)| leg.1 as f64 / 10f64.powi(leg.2.price_decimals().into());
        let (bought, sold) = if one.0 == Side::Bid { (one, other) } else { (other, one) };
        assert!(price(bought) < price(sold), "{bought:?} {sold:?}");
        assert_eq!((one.2.size_decimals(), one.3), (other.2.size_decimals(), other.3));
    }
    assert_eq!(arbitrage(root.path()), outcome);
}
