//! A run's folder: everything in it, the same bytes twice, and nothing half-written.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};
use tickpath_backtest::metrics::{Metrics, Point};
use tickpath_backtest::outcome::{CurrencyOutcome, Outcome, PriceLine, StrategyRun};
use tickpath_backtest::results::{self, WriteError};
use tickpath_backtest::synthetic;
use tickpath_backtest::trips::{Fill, Trips};
use tickpath_protocol::Side;

const SECOND: i64 = 1_000_000_000;
const START: i64 = 1_735_689_600 * SECOND;

/// Two round trips: 1.0 bought at 100.00 and sold at 101.00, then the same at a loss of 0.50.
fn outcome() -> Outcome {
    let instrument = synthetic::instrument();
    let fill = |second: i64, side, price| Fill {
        at_ns: START + second * SECOND,
        position: second as u64,
        instrument: instrument.id,
        scale: instrument.scale,
        strategy: 0,
        order: second as u64,
        side,
        price,
        quantity: 100_000_000,
        fee: 1_000_000,
        is_maker: false,
    };
    let fills = vec![
        fill(1, Side::Bid, 10_000),
        fill(2, Side::Ask, 10_100),
        fill(3, Side::Bid, 10_100),
        fill(4, Side::Ask, 10_050),
    ];
    let mut trips = Trips::default();
    for fill in &fills {
        trips.fill(fill).unwrap();
    }
    let (trips, open) = trips.finish();
    assert_eq!((trips.len(), open), (2, 0));
    let equities = [
        1000_00000000,
        1000_50000000,
        1000_98000000,
        1000_97000000,
        1000_46000000,
    ];
    let points = equities.iter().zip(0..);
    let curve: Vec<Point> = points
        .map(|(equity, at)| Point {
            at_ns: START + at * SECOND,
            equity: *equity,
        })
        .collect();
    let net: Vec<i128> = trips.iter().map(|trip| trip.net).collect();
    let traded = 40_150_000_000;
    Outcome {
        records: 5,
        first_ns: START,
        last_ns: START + 4 * SECOND,
        period_ns: SECOND,
        strategies: vec![StrategyRun {
            name: "hand".into(),
            params: vec![("size".into(), "1".into())],
        }],
        prices: vec![PriceLine {
            instrument: instrument.id,
            points: (0..5)
                .map(|at| (START + at * SECOND, Some(100.0 + at as f64)))
                .collect(),
        }],
        instruments: vec![instrument],
        currencies: vec![CurrencyOutcome {
            currency: "USD".into(),
            capital: curve[0].equity,
            metrics: Metrics::of(&curve, SECOND, &net, traded),
            curve,
            traded,
            fees: 4_000_000,
        }],
        fills,
        trips,
        events: BTreeMap::from([("fill", 4)]),
        ..Outcome::default()
    }
}

fn bytes(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap();
    let entries = entries.map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            (
                path.file_name().unwrap().to_string_lossy().into_owned(),
                std::fs::read(&path).unwrap(),
            )
        })
        .collect()
}

#[test]
fn the_same_run_leaves_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Map::from_iter([("latency_ms".to_owned(), json!(5))]);
    for name in ["a", "b"] {
        results::write(&dir.path().join(name), &outcome(), &settings).unwrap();
    }
    let files = bytes(&dir.path().join("a"));
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "equity.parquet",
            "fills.parquet",
            "report.html",
            "result.json",
            "trades.parquet"
        ]
    );
    assert_eq!(files, bytes(&dir.path().join("b")));
    let result: Value = serde_json::from_slice(&files["result.json"]).unwrap();
    let currency = &result["currencies"][0];
    assert_eq!(currency["profit"], "0.46000000");
    assert_eq!(currency["metrics"]["win_rate"], 0.5);
    // 0.98 earned, 0.52 lost.
    let factor = currency["metrics"]["profit_factor"].as_f64().unwrap();
    assert!((factor - 98.0 / 52.0).abs() < 1e-12);
    assert_eq!(currency["metrics"]["cagr"], Value::Null);
    let page = String::from_utf8(files["report.html"].clone()).unwrap();
    assert_eq!(page.matches("<svg").count(), 3, "equity, drawdown, price");
    assert!(!page.contains("<script") && !page.contains("src=") && !page.contains("NaN"));
}

#[test]
fn what_is_there_stays() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("run");
    std::fs::create_dir(&target).unwrap();
    std::fs::write(target.join("mine"), "mine").unwrap();
    let refused = results::write(&target, &outcome(), &Map::new()).unwrap_err();
    assert!(matches!(refused, WriteError::Exists(_)), "{refused}");
    assert_eq!(bytes(dir.path().join("run").as_path()).len(), 1);
    assert_eq!(
        std::fs::read_dir(dir.path()).unwrap().count(),
        1,
        "nothing else is left"
    );
}
