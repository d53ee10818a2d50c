//! The recorded feeds, decoded, against what an independent reading of their JSON says.

#[path = "support/expected.rs"]
mod expected;
mod support;

use std::collections::BTreeMap;
use std::path::Path;

use expected::{Expected, captures};
use support::{Replayed, own};
use tickpath_protocol::Venue;

fn check(set: &str, venue: Venue) {
    check_dir(venue, &captures(set, venue));
}

fn check_dir(venue: Venue, dir: &Path) {
    let replayed = Replayed::of(venue, dir);
    let expected = Expected::of(venue, dir);
    let summary = replayed.summary;
    assert_eq!(summary.refused, 0);
    assert_eq!(summary.checksums_bad, 0);
    assert_eq!(summary.checksums_ok, expected.checksums);
    assert_eq!(summary.resyncs, 0);
    assert_eq!(replayed.trades, expected.trades);
    assert_eq!(replayed.quotes, expected.quotes);
    assert_eq!(replayed.levels, expected.levels);
    let books: BTreeMap<_, _> = replayed
        .books
        .iter()
        .map(|(symbol, book)| (symbol.clone(), book.clone()))
        .collect();
    for (symbol, book) in &expected.books {
        assert_eq!(books.get(symbol), Some(book), "{symbol}");
        assert!(replayed.trusted.contains(symbol), "{symbol} is proven by the capture");
    }
    assert_eq!(replayed.trusted.len(), expected.books.len());
}

#[test]
fn binance_2021() {
    check("2021", Venue::BINANCE);
}

#[test]
fn coinbase_2021() {
    check("2021", Venue::COINBASE);
}

#[test]
fn kraken_2021() {
    check("2021", Venue::KRAKEN);
}

#[test]
fn binance_recent() {
    check("recent", Venue::BINANCE);
}

#[test]
fn coinbase_recent() {
    check("recent", Venue::COINBASE);
}

#[test]
fn kraken_recent() {
    check("recent", Venue::KRAKEN);
}

/// Written by us in the venues' documented formats: they stand in for the recordings where those are absent.
#[test]
fn own_captures() {
    for venue in [Venue::BINANCE, Venue::COINBASE, Venue::KRAKEN] {
        check_dir(venue, &own(&venue.to_string()));
    }
}

#[test]
fn own_captures_of_other_feeds_are_accepted_and_proven() {
    for (venue, name) in [
        (Venue::COINBASE, "coinbase_advanced"),
        (Venue::ALPACA, "alpaca"),
        (Venue::BINANCE, "binance_raw"),
    ] {
        let replayed = Replayed::of(venue, &own(name));
        assert_eq!((replayed.summary.refused, replayed.summary.resyncs), (0, 0), "{name}");
        assert!(!replayed.trades.is_empty() && !replayed.trusted.is_empty(), "{name}");
    }
}
