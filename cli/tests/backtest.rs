//! `tickpath backtest` as a user runs it: the same bytes twice, sweeps, and input that is refused without leaving anything behind.

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{capture_roots, stderr, tickpath};

/// The richest capture at hand, and an instrument of it.
fn data() -> (PathBuf, &'static str) {
    let root = capture_roots().pop().expect("the project's own captures");
    (root.join("kraken"), "kraken:BTC/USD")
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            let within = files(&path).into_iter();
            found.extend(within.map(|(file, bytes)| (format!("{name}/{file}"), bytes)));
        } else {
            found.insert(name, std::fs::read(&path).unwrap());
        }
    }
    found
}

fn run(out: &Path, extra: &[&str]) -> std::process::Output {
    let (data, instrument) = data();
    let mut args = vec![
        "backtest",
        "--data",
        data.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
    ];
    args.extend(["--instrument", instrument]);
    args.extend(extra);
    tickpath(&args)
}

#[test]
fn the_same_inputs_give_the_same_bytes() {
    let dir = tempfile::tempdir().unwrap();
    for strategy in ["sma", "macd", "rsi", "bollinger", "momentum", "avellaneda"] {
        let [first, second] = ["a", "b"].map(|name| dir.path().join(format!("{strategy}-{name}")));
        for out in [&first, &second] {
            let output = run(out, &["--strategy", strategy]);
            assert!(output.status.success(), "{strategy}: {}", stderr(&output));
            let said = String::from_utf8(output.stdout).unwrap();
            assert!(said.contains("total_return") && said.contains("results in"), "{said}");
        }
        let found = files(&first);
        let names: Vec<&str> = found.keys().map(String::as_str).collect();
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
        assert!(found == files(&second), "{strategy}: two runs differ");
    }
}

#[test]
fn a_sweep_and_a_walk_leave_their_tables() {
    let dir = tempfile::tempdir().unwrap();
    let grid = [
        "--strategy",
        "sma",
        "--param",
        "fast=2,3",
        "--param",
        "slow=5,8",
        "--param",
        "bar=1s",
        "--metric",
        "max_drawdown",
    ];
    let out = dir.path().join("sweep");
    let output = run(&out, &[&grid[..], &["--jobs", "2"]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(
        stderr(&output).contains("4 of 4 runs"),
        "plain lines without a terminal"
    );
    let sweep: Value = serde_json::from_slice(&files(&out)["sweep.json"]).unwrap();
    assert_eq!(sweep["tried"].as_array().unwrap().len(), 4);
    let best = &sweep["tried"][sweep["best"].as_u64().unwrap() as usize];
    let result: Value = serde_json::from_slice(&files(&out)["best/result.json"]).unwrap();
    assert_eq!(best["result"]["decisions_blake3"], result["decisions_blake3"]);
    let again = dir.path().join("again");
    run(&again, &[&grid[..], &["--jobs", "1"]].concat());
    assert!(files(&out) == files(&again), "threads make no difference");
    let walked = dir.path().join("walk");
    let market = [
        "backtest",
        "--data",
        "synthetic:5000",
        "--out",
        walked.to_str().unwrap(),
        "--walk-forward",
        "2",
    ];
    // The project's own captures are too short for windows.
    let output = tickpath(&[&market[..], &grid[..]].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    let walk: Value = serde_json::from_slice(&files(&walked)["walk_forward.json"]).unwrap();
    assert_eq!(walk["windows"].as_array().unwrap().len(), 2);
}

#[test]
fn every_strategy_trades_a_synthetic_market() {
    let dir = tempfile::tempdir().unwrap();
    for strategy in ["sma", "macd", "rsi", "bollinger", "momentum", "avellaneda"] {
        let out = dir.path().join(strategy);
        let limit = "data_age_s_max=120";
        let args = [
            "backtest",
            "--data",
            "synthetic:5000",
            "--strategy",
            strategy,
            "--limit",
            limit,
            "--out",
            out.to_str().unwrap(),
        ];
        let output = tickpath(&args);
        assert!(output.status.success(), "{strategy}: {}", stderr(&output));
        let result: Value = serde_json::from_slice(&files(&out)["result.json"]).unwrap();
        assert_eq!(result["records"], 30_001);
        assert!(
            result["fills"].as_u64().unwrap() > 0,
            "{strategy} never traded: {}",
            result["events"]
        );
    }
}

#[test]
fn wrong_input_is_refused_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    for (extra, expected) in [
        (&["--strategy", "luck"][..], "unknown strategy `luck`"),
        (&["--strategy", "sma", "--param", "speed=1"], "no parameter `speed`"),
        (
            &["--strategy", "sma", "--param", "fast=0"],
            "no value for parameter `fast`",
        ),
        (&["--strategy", "sma", "--param", "fast"], "is no parameter"),
        (
            &["--strategy", "sma", "--param", "fast=50,60", "--param", "slow=40"],
            "contradict",
        ),
        (&["--strategy", "sma", "--limit", "luck=1"], "`luck=1` is no limit"),
        (
            &[
                "--strategy",
                "sma",
                "--limit",
                "order_quantity_max=2",
                "--limit",
                "position_max=1",
            ],
            "order_quantity_max is above position_max",
        ),
        (
            &["--strategy", "sma", "--instrument", "kraken:NO/SUCH"],
            "no record of kraken:NO/SUCH",
        ),
        (&["--strategy", "arbitrage"], "is given 1"),
        (
            &["--strategy", "sma", "--to", "1999-01-01"],
            "has no record received before",
        ),
        (&["--strategy", "sma", "--from", "2200-01-01"], "no record between"),
        (
            &["--strategy", "sma", "--from", "2026-01-02", "--to", "2026-01-01"],
            "--from is not before --to",
        ),
        (&["--strategy", "sma", "--capital", "0"], "capital"),
        (
            &["--strategy", "sma", "--latency-ms", "100000"],
            "order_latency_ns must be between",
        ),
        (&["--strategy", "sma", "--walk-forward", "100000"], "windows"),
        (&["--strategy", "sma", "--metric", "luck"], "luck"),
    ] {
        let output = run(&out, extra);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{extra:?}: {said}");
        assert!(said.contains(expected), "{extra:?}: {said}");
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            0,
            "{extra:?} left something behind"
        );
    }
    std::fs::create_dir(&out).unwrap();
    std::fs::write(out.join("mine"), "mine").unwrap();
    let output = run(&out, &["--strategy", "sma"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("is there already"));
    assert_eq!(files(dir.path()).len(), 1);
}

/// Every figure of every strategy, computed again from its tables in another language.
#[test]
#[ignore = "wants a Python with the packages of analysis/requirements.txt in TICKPATH_TEST_PYTHON: scripts/test analysis"]
fn duckdb_computes_every_figure_again() {
    let python = std::env::var("TICKPATH_TEST_PYTHON").expect("TICKPATH_TEST_PYTHON names a Python with DuckDB");
    let dir = tempfile::tempdir().unwrap();
    let mut folders = Vec::new();
    for strategy in ["sma", "macd", "rsi", "bollinger", "momentum", "avellaneda"] {
        let out = dir.path().join(strategy);
        let output = run(&out, &["--strategy", strategy, "--maker-fee-bps", "-0.5"]);
        assert!(output.status.success(), "{strategy}: {}", stderr(&output));
        folders.push(out);
    }
    let check = Path::new(env!("CARGO_MANIFEST_DIR")).join("../backtest/check.py");
    let output = std::process::Command::new(&python)
        .arg(check)
        .args(&folders)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{said}{}", stderr(&output));
    assert!(said.contains("no difference"), "{said}");
}
