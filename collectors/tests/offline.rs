//! Captures that lack something, or are none.

mod support;

use std::fs;
use std::path::Path;

use support::{Replayed, own};
use tempfile::TempDir;
use tickpath_collectors::offline::{Summary, decode_capture};
use tickpath_protocol::{Kind, Venue};

/// A copy of one of our captures, its frames filtered and without its REST answers.
fn stripped(name: &str, keep: impl Fn(&str) -> bool) -> TempDir {
    let frames = fs::read_to_string(own(name).join("ws.tsv")).unwrap();
    let kept: String = frames
        .lines()
        .filter(|line| keep(line))
        .map(|line| format!("{line}\n"))
        .collect();
    capture(&kept)
}

fn capture(frames: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("ws.tsv"), frames).unwrap();
    dir
}

fn error(venue: Venue, dir: &Path) -> String {
    decode_capture(venue, dir, |_, _| {}).unwrap_err().to_string()
}

#[test]
fn kraken_without_instruments_and_acknowledgements_takes_decimals_and_depth_from_its_frames() {
    let whole = Replayed::of(Venue::KRAKEN, &own("kraken"));
    let dir = stripped("kraken", |line| {
        !line.contains("\"instrument\"") && !line.contains("\"method\"")
    });
    let replayed = Replayed::of(Venue::KRAKEN, dir.path());
    assert!(replayed.summary.checksums_ok > 0);
    assert_eq!(replayed.summary.checksums_ok, whole.summary.checksums_ok);
    assert_eq!((replayed.summary.checksums_bad, replayed.summary.refused), (0, 0));
    assert_eq!((replayed.trades, replayed.quotes), (whole.trades, whole.quotes));
}

#[test]
fn without_listings_every_number_is_still_exact() {
    for (venue, name) in [(Venue::BINANCE, "binance"), (Venue::COINBASE, "coinbase")] {
        let whole = Replayed::of(venue, &own(name));
        let dir = stripped(name, |_| true);
        let replayed = Replayed::of(venue, dir.path());
        assert_eq!(replayed.summary.refused, 0, "{name}");
        assert_eq!(replayed.trades, whole.trades, "{name}");
        assert_eq!(replayed.quotes, whole.quotes, "{name}");
        assert_eq!(replayed.levels, whole.levels, "{name}");
    }
}

#[test]
fn numbers_beyond_the_usual_decimals_are_found() {
    let dir = capture(
        "1\t{\"type\":\"match\",\"trade_id\":1,\"maker_order_id\":\"a\",\"taker_order_id\":\"b\",\"side\":\"sell\",\"size\":\"2\",\"price\":\"0.0000000012\",\"product_id\":\"X-Y\",\"sequence\":1,\"time\":\"2026-07-07T22:58:17.164892Z\"}\n\
         2\t{\"type\":\"match\",\"trade_id\":2,\"maker_order_id\":\"a\",\"taker_order_id\":\"b\",\"side\":\"sell\",\"size\":\"900000000000\",\"price\":\"0.1\",\"product_id\":\"X-Y\",\"sequence\":1,\"time\":\"2026-07-07T22:58:17.164892Z\"}\n",
    );
    let replayed = Replayed::of(Venue::COINBASE, dir.path());
    assert_eq!(replayed.summary.refused, 0);
    assert_eq!(replayed.trades[0].2, "0.0000000012");
    assert_eq!(replayed.trades[1].3, "900000000000");
}

#[test]
fn data_under_an_alias_has_the_decimals_of_the_product_listed() {
    let dir = capture(
        "2\t{\"channel\":\"l2_data\",\"timestamp\":\"2026-09-30T02:39:53.670986313Z\",\"sequence_num\":0,\"events\":[{\"type\":\"snapshot\",\"product_id\":\"BTC-USD\",\"updates\":[{\"side\":\"bid\",\"event_time\":\"2026-09-30T02:39:53.407329Z\",\"price_level\":\"83277.25\",\"new_quantity\":\"1\"}]}]}\n",
    );
    let listing = r#"{"products":[{"product_id":"BTC-USDC","base_increment":"0.001","quote_increment":"0.01","quote_currency_id":"USDC","base_currency_id":"BTC","alias":"BTC-USD"}]}"#;
    let answer = format!("1\thttps://api.coinbase.com/api/v3/brokerage/market/products\t{listing}\n");
    fs::write(dir.path().join("rest.tsv"), answer).unwrap();
    let mut levels = Vec::new();
    let summary = decode_capture(Venue::COINBASE, dir.path(), |record, table| {
        if record.kind() == Some(Kind::BookLevel) {
            levels.push((table.get(record.instrument()).unwrap().symbol.clone(), record.size));
        }
    });
    assert_eq!(summary.unwrap().refused, 0);
    assert_eq!(levels, [("BTC-USDC".to_owned(), 1_000)]);
}

#[test]
fn what_is_no_capture_is_an_error_that_names_the_place() {
    let dir = tempfile::tempdir().unwrap();
    assert!(error(Venue::KRAKEN, dir.path()).contains("ws.tsv"));
    fs::write(dir.path().join("ws.tsv"), "1\t{}\nabc\t{}\n").unwrap();
    assert!(error(Venue::KRAKEN, dir.path()).contains("ws.tsv:2"));
    fs::write(dir.path().join("ws.tsv"), "1\t{}\n").unwrap();
    fs::write(dir.path().join("rest.tsv"), "1\thttp://x\n").unwrap();
    assert!(error(Venue::KRAKEN, dir.path()).contains("rest.tsv:1"));
    assert!(error(Venue::PAPER, dir.path()).contains("rest.tsv:1"));
    fs::remove_file(dir.path().join("rest.tsv")).unwrap();
    assert!(error(Venue::PAPER, dir.path()).contains("paper"));
}

#[test]
fn garbage_is_counted_and_nothing_more() {
    let dir = capture("1\tnot json\n2\t{\"a\":\n3\t\u{fffd}\n4\t[[[[[[\n");
    for venue in Venue::market_data() {
        let summary = decode_capture(venue, dir.path(), |_, _| {}).unwrap();
        let expected = Summary {
            frames: 4,
            refused: 4,
            ..Summary::default()
        };
        assert_eq!(summary, expected, "{venue}");
    }
}

#[test]
fn an_empty_capture_is_empty() {
    let dir = capture("");
    let summary = decode_capture(Venue::BINANCE, dir.path(), |_, _| {}).unwrap();
    assert_eq!(summary, Summary::default());
}
