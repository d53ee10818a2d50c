use tickpath_engine::strategy::registry::{REGISTRY, find};
use tickpath_protocol::{Instrument, InstrumentId, Venue};

use super::desk::instrument;

fn pair() -> [Instrument; 2] {
    [instrument(Venue::KRAKEN), instrument(Venue::COINBASE)]
}

#[test]
fn every_strategy_is_built_from_its_defaults() {
    for info in &REGISTRY {
        info.check([]).unwrap();
        let built = info.build([], &pair()).unwrap();
        assert_eq!(built.name(), info.name);
        built.describe(&mut |name, value| assert!(value.is_finite(), "{name}"));
        assert!(!info.about.is_empty() && !info.source.is_empty());
    }
}

#[test]
fn every_end_of_every_range_is_possible() {
    for info in &REGISTRY {
        for parameter in info.parameters {
            let default = parameter.kind.default_text();
            info.check([(parameter.name, default.as_str())]).unwrap();
        }
    }
}

#[track_caller]
fn check_refused(strategy: &str, given: &[(&str, &str)], instruments: &[Instrument], expected: &str) {
    let built = find(strategy).and_then(|info| info.build(given.iter().copied(), instruments));
    let Err(error) = built else {
        panic!("`{strategy}` was built");
    };
    assert_eq!(error.to_string(), expected);
}

#[test]
fn what_cannot_be_is_named_with_what_can() {
    let one = [instrument(Venue::KRAKEN)];
    check_refused(
        "smaa",
        &[],
        &one,
        "unknown strategy `smaa`: there are sma, macd, rsi, bollinger, momentum, arbitrage, avellaneda",
    );
    check_refused(
        "sma",
        &[("fsat", "3")],
        &one,
        "strategy `sma` has no parameter `fsat`: it has bar, source, quantity, short, slippage, fast, slow",
    );
    check_refused(
        "sma",
        &[("fast", "0")],
        &one,
        "`0` is no value for parameter `fast` of strategy `sma`: 1 to 10000 (default 20)",
    );
    check_refused(
        "sma",
        &[("fast", "50")],
        &one,
        "parameters of strategy `sma` contradict each other: fast (50) must be below slow (50)",
    );
    check_refused(
        "sma",
        &[("source", "mid"), ("bar", "1v")],
        &one,
        "parameters of strategy `sma` contradict each other: changes of the mid price have no volume: `bar` must be a time or ticks",
    );
    check_refused(
        "sma",
        &[],
        &[],
        "strategy `sma` trades 1 to 64 instruments and is given 0",
    );
    check_refused(
        "avellaneda",
        &[("quantity", "0.001")],
        &one,
        "strategy `avellaneda` cannot trade BTC/USD on kraken: quantity 0.001: more decimals than the instrument has",
    );
    let coarse = Instrument {
        lot: 25,
        ..instrument(Venue::KRAKEN)
    };
    check_refused(
        "rsi",
        &[("quantity", "0.3")],
        &[coarse],
        "strategy `rsi` cannot trade BTC/USD on kraken: quantity 0.3 is no whole number of lots of 0.25",
    );
}

#[test]
fn arbitrage_needs_the_same_pair_on_two_venues() {
    let [kraken, coinbase] = pair();
    let other = Instrument {
        name: "BTC/USDT".into(),
        ..coinbase
    };
    check_refused(
        "arbitrage",
        &[],
        &[kraken.clone(), other],
        "strategy `arbitrage` cannot trade BTC/USD on kraken: the other leg is BTC/USDT on coinbase: it needs the same BASE/QUOTE on two venues",
    );
    let again = Instrument {
        id: InstrumentId::new(Venue::KRAKEN, 1),
        ..kraken.clone()
    };
    let refused = find("arbitrage").unwrap().build([], &[kraken, again]);
    assert!(refused.is_err());
}
